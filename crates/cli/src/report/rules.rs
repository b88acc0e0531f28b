//! The rules that findings are filed under, with numbers that stay: `docs/guides/ci.md` lists them.

use nopickle_formats::Error as ModelError;
use nopickle_gate::Error;

use crate::exit;

/// A group of rules of `docs/formats`.
#[derive(Debug)]
pub(crate) struct Rule {
    /// Never given to another rule.
    pub(crate) id: &'static str,
    /// One word for machines.
    pub(crate) name: &'static str,
    /// The kind of error, as [`exit::tell`] names it.
    kind: &'static str,
    /// The formats of malformed files, or how the classes of unverified ones start; empty for all others.
    of: &'static [&'static str],
    /// In one sentence.
    pub(crate) says: &'static str,
    /// Where the rules stand.
    pub(crate) page: &'static str,
}

impl Rule {
    /// Whether the message of a finding holds no place, and more than what the finding is about.
    pub(crate) fn is_told_whole(&self) -> bool {
        matches!(self.kind, "limit" | "untrusted" | "io")
    }
}

/// Sorted by number; of a kind, the first that fits counts, and the one for all others is the last.
#[rustfmt::skip]
pub(crate) const RULES: &[Rule] = &[
    Rule { id: "NP1001", name: "MalformedZip", kind: "malformed", of: &["zip"], says: "The archive is damaged, or two readers could see two different archives in it", page: "docs/formats/zip.md" },
    Rule { id: "NP1002", name: "MalformedNpy", kind: "malformed", of: &["npy"], says: "An array's header is damaged, or does not fit its bytes", page: "docs/formats/npy.md" },
    Rule { id: "NP1003", name: "MalformedSkops", kind: "malformed", of: &["skops"], says: "The objects are not written as skops writes them", page: "docs/formats/skops.md" },
    Rule { id: "NP1004", name: "MalformedMLmodel", kind: "malformed", of: &["mlmodel"], says: "The MLmodel file breaks a rule", page: "docs/formats/mlmodel.md" },
    Rule { id: "NP1005", name: "MalformedRequirements", kind: "malformed", of: &["requirements"], says: "A requirements or environment file holds more than names and versions", page: "docs/formats/mlmodel.md" },
    Rule { id: "NP1006", name: "MalformedFolder", kind: "malformed", of: &["folder"], says: "A path of a model folder leaves it, or is a link", page: "docs/formats/mlmodel.md" },
    Rule { id: "NP1007", name: "MalformedLightGBM", kind: "malformed", of: &["lightgbm"], says: "A booster's text is damaged", page: "docs/formats/lightgbm.md" },
    Rule { id: "NP1008", name: "MalformedCatBoost", kind: "malformed", of: &["catboost"], says: "A model of CatBoost is damaged", page: "docs/formats/catboost.md" },
    Rule { id: "NP1009", name: "MalformedXGBoost", kind: "malformed", of: &["xgboost"], says: "A model of XGBoost is damaged", page: "docs/formats/xgboost.md" },
    Rule { id: "NP1010", name: "MalformedSignature", kind: "malformed", of: &["model_sig"], says: "The signature of a model is damaged", page: "docs/formats/model_sig.md" },
    Rule { id: "NP1999", name: "Malformed", kind: "malformed", of: &[], says: "The bytes break the rules of their format", page: "docs/concepts/security.md" },
    Rule { id: "NP2001", name: "Unsupported", kind: "unsupported", of: &[], says: "The file holds something that nopickle does not read", page: "docs/guides/cli.md" },
    Rule { id: "NP3001", name: "OverLimit", kind: "limit", of: &[], says: "The file is larger or more deeply nested than a load may be", page: "docs/guides/cli.md" },
    Rule { id: "NP4001", name: "UntrustedName", kind: "untrusted", of: &[], says: "The file asks for a class or function that nobody has trusted", page: "docs/concepts/trust.md" },
    Rule { id: "NP4002", name: "Pickle", kind: "pickle", of: &[], says: "A file is a pickle, or brings one: loading it can run any code that its author wrote", page: "docs/formats/mlmodel.md" },
    Rule { id: "NP4003", name: "UnpinnedCode", kind: "code", of: &[], says: "A model brings code that neither a digest nor a key of the policy pins", page: "docs/concepts/policy.md" },
    Rule { id: "NP4004", name: "UnknownFile", kind: "unknown", of: &[], says: "A model folder holds a file that nothing here reads", page: "docs/formats/mlmodel.md" },
    Rule { id: "NP4005", name: "NotAsSigned", kind: "signature", of: &[], says: "The model is not what a key of the policy signed", page: "docs/guides/signing.md" },
    Rule { id: "NP4006", name: "RefusedByPolicy", kind: "refused", of: &[], says: "The policy lets no such model load", page: "docs/concepts/policy.md" },
    Rule { id: "NP4007", name: "UnusablePolicy", kind: "policy", of: &[], says: "The policy can't be used, so nothing is answered", page: "docs/concepts/policy.md" },
    Rule { id: "NP5001", name: "UnverifiedTree", kind: "unverified", of: &["sklearn.tree.", "sklearn.ensemble.", "quantile_forest."], says: "The nodes of a tree would lead compiled code outside its memory, or around in circles", page: "docs/formats/verified_trees.md" },
    Rule { id: "NP5002", name: "UnverifiedNeighbors", kind: "unverified", of: &["sklearn.neighbors.", "sklearn.metrics.", "sklearn.svm."], says: "The values of neighbours or support vectors do not fit each other", page: "docs/formats/verified_neighbors_svm.md" },
    Rule { id: "NP5003", name: "UnverifiedBooster", kind: "unverified", of: &["lightgbm."], says: "The trees of a booster would lead compiled code outside its memory, or around in circles", page: "docs/formats/lightgbm.md" },
    Rule { id: "NP5004", name: "UnverifiedSparse", kind: "unverified", of: &["scipy."], says: "The indices of a sparse matrix or a spline point outside it", page: "docs/formats/verified_values.md" },
    Rule { id: "NP5005", name: "UnverifiedCatBoost", kind: "unverified", of: &["catboost."], says: "The trees or tables of a model of CatBoost would lead compiled code outside its memory", page: "docs/formats/catboost.md" },
    Rule { id: "NP5006", name: "UnverifiedXGBoost", kind: "unverified", of: &["xgboost."], says: "The trees or categories of a model of XGBoost would lead compiled code outside its memory, or around in circles", page: "docs/formats/xgboost.md" },
    Rule { id: "NP5007", name: "UnverifiedRandom", kind: "unverified", of: &["numpy.random."], says: "The state of a random generator is not one that it can have", page: "docs/formats/verified_values.md" },
    Rule { id: "NP5008", name: "UnverifiedLoss", kind: "unverified", of: &["_loss.", "sklearn._loss.", "sklearn.linear_model._sgd_fast."], says: "A loss holds numbers that its compiled code must not see", page: "docs/formats/verified_values.md" },
    Rule { id: "NP5009", name: "UnverifiedClusters", kind: "unverified", of: &["sklearn.cluster."], says: "The centres, trees or labels of a clustering do not fit each other", page: "docs/formats/verified_values.md" },
    Rule { id: "NP5010", name: "UnverifiedText", kind: "unverified", of: &["sklearn.feature_extraction."], says: "The vocabulary, the numbers or the regular expression of a vectorizer would crash it, or take for ever", page: "docs/formats/verified_values.md" },
    Rule { id: "NP5011", name: "UnverifiedPreprocessing", kind: "unverified", of: &["sklearn.preprocessing."], says: "The columns, categories or powers of a transformer do not fit each other", page: "docs/formats/verified_values.md" },
    Rule { id: "NP5012", name: "UnverifiedLinear", kind: "unverified", of: &["sklearn.linear_model.", "sklearn.multiclass."], says: "The coefficients or the estimators of a model do not fit each other", page: "docs/formats/verified_values.md" },
    Rule { id: "NP5013", name: "UnverifiedDecomposition", kind: "unverified", of: &["sklearn.decomposition."], says: "The components of a decomposition do not fit each other", page: "docs/formats/verified_values.md" },
    Rule { id: "NP5014", name: "UnverifiedArray", kind: "unverified", of: &["numpy."], says: "A number or an array of numpy is made from what it can not be made from", page: "docs/formats/verified_values.md" },
    Rule { id: "NP5015", name: "UnverifiedCall", kind: "unverified", of: &["builtins.", "collections."], says: "A type of Python is made from what would fill the memory, or is not its own", page: "docs/formats/verified_values.md" },
    Rule { id: "NP5016", name: "OtherDigest", kind: "unverified", of: &["file"], says: "A file does not have the digest that the policy has for its path", page: "docs/concepts/policy.md" },
    Rule { id: "NP5017", name: "UnverifiedParameter", kind: "unverified", of: &["sklearn.compose.", "sklearn.model_selection.", "sklearn.pipeline."], says: "A parameter would be evaluated, names a folder, or is a pattern that may take for ever", page: "docs/formats/verified_values.md" },
    Rule { id: "NP5999", name: "Unverified", kind: "unverified", of: &[], says: "A trusted class holds values that its compiled code must not see", page: "docs/formats/verified_values.md" },
    Rule { id: "NP6001", name: "NotReadable", kind: "io", of: &[], says: "The file cannot be read", page: "docs/guides/cli.md" },
    Rule { id: "NP7001", name: "NotVerified", kind: "not verified", of: &[], says: "The values were left out, as the caller asked", page: "docs/guides/cli.md" },
];

/// The rule that an error is filed under.
pub(crate) fn of(error: &Error) -> &'static Rule {
    let kind = exit::tell_gate(error).kind;
    let about = match error {
        Error::Model(ModelError::Malformed { format, .. }) => format,
        Error::Model(ModelError::Unverified { class, .. }) => class.as_str(),
        _ => "",
    };
    let exact = matches!(error, Error::Model(ModelError::Malformed { .. }));
    rule(kind, |start| {
        if exact {
            about == start
        } else {
            about.starts_with(start)
        }
    })
}

/// The rule for values that were left out.
pub(crate) fn left_unverified() -> &'static Rule {
    rule("not verified", |_| false)
}

fn rule(kind: &str, fits: impl Fn(&str) -> bool) -> &'static Rule {
    let mut rules = RULES.iter().filter(|rule| rule.kind == kind);
    let found = rules.find(|rule| rule.of.is_empty() || rule.of.iter().any(|start| fits(start)));
    // Each kind has a last rule without conditions; a test holds that.
    found.unwrap_or(&RULES[0])
}

#[cfg(test)]
mod tests {
    use super::*;
    use nopickle_formats::{Location, Untrusted};
    use nopickle_gate::Unclean;

    fn one_of_each_kind() -> Vec<Error> {
        let at = Location::default;
        let models = [
            ModelError::Malformed {
                format: "new",
                at: at(),
                what: "",
            },
            ModelError::Unsupported {
                at: at(),
                what: "",
                name: String::new(),
            },
            ModelError::Limit {
                what: "",
                found: 2,
                limit: 1,
            },
            ModelError::Untrusted(Untrusted {
                entry: String::new(),
                names: Vec::new(),
            }),
            ModelError::Unverified {
                at: at(),
                class: "new.Class".to_owned(),
                what: "",
            },
            ModelError::Io(std::io::Error::other("")),
        ];
        let mut all: Vec<Error> = models.into_iter().map(Error::from).collect();
        let unclean = [
            Unclean::Pickle(Vec::new()),
            Unclean::Code(""),
            Unclean::Unknown(""),
        ];
        all.extend(unclean.map(|why| Error::Unclean { at: at(), why }));
        let what = String::new;
        all.push(Error::Refused { what: what() });
        all.push(Error::Switch { value: what() });
        all.push(Error::Policy {
            at: at(),
            what: what(),
        });
        all.push(Error::Signature {
            model: what(),
            refused: nopickle_gate::signing::Refused {
                reasons: Vec::new(),
            },
        });
        all
    }

    #[test]
    fn rules_are_sorted_and_each_number_and_name_stands_once() {
        assert!(RULES.windows(2).all(|pair| pair[0].id < pair[1].id));
        let mut names: Vec<&str> = RULES.iter().map(|rule| rule.name).collect();
        names.sort_unstable();
        assert!(names.windows(2).all(|pair| pair[0] != pair[1]));
    }

    #[test]
    fn each_kind_of_error_has_a_rule_for_all_others() {
        for error in one_of_each_kind() {
            let rule = of(&error);
            assert_eq!(rule.kind, exit::tell_gate(&error).kind);
            assert!(rule.of.is_empty(), "{}", rule.id);
        }
        assert_eq!(left_unverified().kind, "not verified");
    }

    #[test]
    fn a_rule_is_found_by_format_or_class() {
        let malformed = |format| {
            Error::from(ModelError::Malformed {
                format,
                at: Location::default(),
                what: "",
            })
        };
        assert_eq!(of(&malformed("zip")).id, "NP1001");
        assert_eq!(of(&malformed("zipped")).id, "NP1999");
        let unverified = |class: &str| {
            Error::from(ModelError::Unverified {
                at: Location::default(),
                class: class.to_owned(),
                what: "",
            })
        };
        assert_eq!(of(&unverified("sklearn.tree._tree.Tree")).id, "NP5001");
        assert_eq!(of(&unverified("sklearn.treehouse.Tree")).id, "NP5999");
        assert_eq!(of(&unverified("numpy.random.PCG64")).id, "NP5007");
        assert_eq!(of(&unverified("numpy.ndarray")).id, "NP5014");
        assert_eq!(
            of(&unverified("sklearn.linear_model._sgd_fast.Log")).id,
            "NP5008"
        );
    }

    #[test]
    fn pages_are_there() {
        let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
        for rule in RULES {
            assert!(root.join(rule.page).is_file(), "{}", rule.page);
        }
    }

    #[test]
    fn the_guide_lists_each_rule() {
        let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
        let guide = std::fs::read_to_string(root.join("docs/guides/ci.md")).unwrap();
        for rule in RULES {
            let row = format!("| {} | `{}` | {} |", rule.id, rule.name, rule.says);
            assert!(guide.contains(&row), "{row}");
        }
    }

    #[test]
    fn each_verified_class_has_a_rule_of_its_own_group() {
        for class in nopickle_formats::verified_classes() {
            let error = Error::from(ModelError::Unverified {
                at: Location::default(),
                class: class.to_owned(),
                what: "",
            });
            assert_ne!(of(&error).id, "NP5999", "{class}");
        }
    }
}
