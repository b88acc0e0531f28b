//! A booster as text again.

use std::fmt::Write as _;

use super::{Booster, Tree};

impl Booster<'_> {
    /// The text of the booster, put together from what was read.
    ///
    /// A text that LightGBM wrote comes out byte for byte.
    pub fn write(&self) -> String {
        let mut text = String::with_capacity(self.length);
        let mut line = |key: &str, value: &str| {
            for part in [key, value, "\n"] {
                text.push_str(part);
            }
        };
        let header = &self.header;
        let num_class = header.num_class.to_string();
        line("tree", "");
        line("version=", header.version);
        line("num_class=", &num_class);
        line("num_tree_per_iteration=", &num_class);
        line("label_index=", &header.label_index.to_string());
        let last = header.num_features.saturating_sub(1);
        line("max_feature_idx=", &last.to_string());
        if let Some(objective) = header.objective {
            line("objective=", objective);
        }
        if header.average_output {
            line("average_output", "");
        }
        line("feature_names=", header.feature_names);
        if let Some(constraints) = header.monotone_constraints {
            line("monotone_constraints=", constraints);
        }
        line("feature_infos=", header.feature_infos);
        let sizes: Vec<String> = self
            .trees
            .iter()
            .map(|tree| tree.length.to_string())
            .collect();
        line("tree_sizes=", &sizes.join(" "));
        line("", "");
        for (index, tree) in self.trees.iter().enumerate() {
            tree.write(index, &mut text);
        }
        text.push_str("end of trees\n\n");
        text.push_str(self.importances_title);
        text.push_str(self.importances);
        if let Some(parameters) = self.parameters {
            text.push_str("\nparameters:\n");
            text.push_str(parameters);
            text.push_str("\nend of parameters\n");
        }
        if let Some(categories) = self.pandas_categorical {
            text.push_str("\npandas_categorical:");
            text.push_str(categories);
            text.push('\n');
        }
        text
    }
}

impl Tree<'_> {
    fn write(&self, index: usize, text: &mut String) {
        // Writing into a String does not fail.
        let _ = writeln!(
            text,
            "Tree={index}\nnum_leaves={}\nnum_cat={}",
            self.num_leaves, self.num_cat
        );
        let mut line = |key: &str, value: &str| {
            for part in [key, "=", value, "\n"] {
                text.push_str(part);
            }
        };
        line("split_feature", self.split_feature);
        line("split_gain", self.split_gain);
        line("threshold", self.threshold);
        line("decision_type", self.decision_type);
        line("left_child", self.left_child);
        line("right_child", self.right_child);
        line("leaf_value", self.leaf_value);
        if let Some(weights) = self.leaf_weight {
            line("leaf_weight", weights);
        }
        line("leaf_count", self.leaf_count);
        line("internal_value", self.internal_value);
        if let Some(weights) = self.internal_weight {
            line("internal_weight", weights);
        }
        line("internal_count", self.internal_count);
        if let Some([boundaries, words]) = self.categories {
            line("cat_boundaries", boundaries);
            line("cat_threshold", words);
        }
        if let Some(is_linear) = self.is_linear {
            line("is_linear", if is_linear { "1" } else { "0" });
        }
        if let Some([constants, counts, features, coefficients]) = self.linear {
            line("leaf_const", constants);
            line("num_features", counts);
            line("leaf_features", features);
            line("leaf_coeff", coefficients);
        }
        line("shrinkage", self.shrinkage);
        text.push_str("\n\n");
    }
}
