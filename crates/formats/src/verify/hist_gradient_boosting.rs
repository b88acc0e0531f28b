//! Histogram gradient boosting: `TreePredictor`, its bin mapper, and the estimators that hold them.

use super::attributes::{dimensions, refuse_names};
use super::tree::{IntField, SHORT, Walk, has_fields};
use super::{ArrayView, Refusal, Value};
use crate::dtype::Kind;

const PREDICTOR: &str = "sklearn.ensemble._hist_gradient_boosting.predictor.TreePredictor";
const MAPPER: &str = "sklearn.ensemble._hist_gradient_boosting.binning._BinMapper";

/// The fields of a node and their kinds, in the order of `PREDICTOR_RECORD_DTYPE` in
/// `ensemble/_hist_gradient_boosting/common.pyx`. `TreePredictor.__setstate__` casts by position, so the
/// order counts.
const NODE: &[(&str, Kind, &[usize])] = &[
    ("value", Kind::Float, &[8]),
    ("count", Kind::UInt, &[4]),
    ("feature_idx", Kind::Int, &[4, 8]),
    ("num_threshold", Kind::Float, &[8]),
    ("missing_go_to_left", Kind::UInt, &[1]),
    ("left", Kind::UInt, &[4]),
    ("right", Kind::UInt, &[4]),
    ("gain", Kind::Float, &[8]),
    ("depth", Kind::UInt, &[4]),
    ("is_leaf", Kind::UInt, &[1]),
    ("bin_threshold", Kind::UInt, &[1]),
    ("is_categorical", Kind::UInt, &[1]),
    ("bitset_idx", Kind::UInt, &[4]),
];

/// 32-bit words of a bitset: one bit for each of 256 categories.
const WORDS: usize = 8;

/// The most threads that a file may ask for.
const MOST_THREADS: i64 = 1024;

/// One node of a predictor, as far as its integers are followed.
struct Node {
    leaf: bool,
    left: i64,
    right: i64,
    feature: i64,
    categorical: bool,
    bitset: i64,
}

/// The nodes of a predictor; `None` where the fields are not those of scikit-learn.
fn nodes(predictor: Value<'_>) -> Option<(usize, impl Iterator<Item = Option<Node>>)> {
    let array: ArrayView<'_> = predictor.get("nodes")?.array()?;
    let dtype = array.dtype();
    if array.shape().len() != 1 || !has_fields(dtype, NODE) {
        return None;
    }
    let field = |name| IntField::of(dtype, name);
    let (leaf, left, right) = (field("is_leaf")?, field("left")?, field("right")?);
    let (feature, categorical, bitset) = (
        field("feature_idx")?,
        field("is_categorical")?,
        field("bitset_idx")?,
    );
    let records = array
        .bytes()
        .chunks_exact(dtype.itemsize().max(1))
        .map(move |record| {
            Some(Node {
                leaf: leaf.read(record)? != 0,
                left: left.read(record)?,
                right: right.read(record)?,
                feature: feature.read(record)?,
                categorical: categorical.read(record)? != 0,
                bitset: bitset.read(record)?,
            })
        });
    Some((array.len(), records))
}

/// A predictor whose every walk stays inside it and ends.
///
/// Read from scikit-learn 1.9.1, `ensemble/_hist_gradient_boosting/_predictor.pyx`, and compared with
/// 1.4 to 1.8, whose node and whose loops are the same. `_predict_one_from_raw_data` and
/// `_predict_one_from_binned_data` go from `nodes[0]` to `nodes[left]` or `nodes[right]` until
/// `is_leaf`, and at a categorical node look into row `bitset_idx` of `raw_left_cat_bitsets` or
/// `binned_left_cat_bitsets`, at a word of 0 to 7. `_compute_partial_dependence` keeps a stack of one
/// entry per node.
///
/// - The attributes stand in a dict under their names.
/// - `nodes` has the fields of scikit-learn and at least one node.
/// - A node that is not a leaf has two children inside the tree and after it, as `_fill_predictor_arrays`
///   numbers them (`grower.py`), so a walk ends; and no node has two parents.
/// - Its feature is not negative. What it is less than is a rule of the estimator.
/// - Both bitset arrays are uint32 of 8 words a row, and a categorical node names a row of each.
///
/// Nothing is asked of values, counts, gains, depths and thresholds: they are only compared and
/// computed with, and counts are divided in floating point.
pub(super) fn predictor(predictor: Value<'_>) -> Result<(), Refusal> {
    refuse_names(predictor, &[])?;
    let Some((count, nodes)) = nodes(predictor) else {
        return Err(predictor.refuse("the fields of the nodes are not those of scikit-learn"));
    };
    if count == 0 {
        return Err(predictor.refuse("a predictor has no nodes"));
    }
    let mut rows = i64::MAX;
    for name in ["binned_left_cat_bitsets", "raw_left_cat_bitsets"] {
        let Some([found, WORDS]) = dimensions(predictor.get(name), Kind::UInt, 4) else {
            return Err(predictor.refuse("the bitsets are not rows of 8 words of 32 bits"));
        };
        rows = rows.min(i64::try_from(found).unwrap_or(i64::MAX));
    }
    let mut walk = Walk::new(count, i64::MAX.unsigned_abs());
    for node in nodes {
        let Some(node) = node else {
            return Err(predictor.refuse(SHORT));
        };
        walk.step(node.leaf, node.left, node.right, node.feature)
            .map_err(|what| predictor.refuse(what))?;
        if !node.leaf && node.categorical && node.bitset >= rows {
            return Err(predictor.refuse("a node names a bitset that is not there"));
        }
    }
    walk.end().map_err(|what| predictor.refuse(what))?;
    Ok(())
}

/// A bin mapper whose arrays cover its features.
///
/// `_BinMapper.transform` (scikit-learn 1.9.1, `ensemble/_hist_gradient_boosting/binning.py`) compares the
/// columns of its input with the length of `n_bins_non_missing_`, and then `_map_to_bins` (`_binning.pyx`)
/// takes that many items of the list `bin_thresholds_` and of `is_categorical_` without a look, and the
/// memory of each threshold array, also that of `None`.
///
/// - Where `n_bins_non_missing_` is set, it is an array of one dimension, and `bin_thresholds_` is a list and
///   `is_categorical_` a uint8 array of at least its length.
/// - Each item of `bin_thresholds_` is a float64 array of one dimension.
/// - `n_threads`, which OpenMP starts without a look, is `None` or at most 1024.
pub(super) fn bin_mapper(mapper: Value<'_>) -> Result<(), Refusal> {
    refuse_names(mapper, &["make_known_categories_bitsets", "transform"])?;
    let threads = mapper.get("n_threads").filter(|threads| !threads.is_none());
    if threads.is_some_and(|threads| threads.int().is_none_or(|threads| threads > MOST_THREADS)) {
        return Err(mapper.refuse("n_threads is over 1024"));
    }
    let Some(bins) = mapper.get("n_bins_non_missing_") else {
        return Ok(());
    };
    let Some(&[features]) = bins.array().map(ArrayView::shape) else {
        return Err(mapper.refuse("n_bins_non_missing_ is not an array of one dimension"));
    };
    let flags = categorical_flags(mapper).map(ArrayView::len);
    if flags.is_none_or(|flags| flags < features) {
        return Err(mapper.refuse("is_categorical_ has not a uint8 for each feature"));
    }
    let thresholds = mapper
        .get("bin_thresholds_")
        .filter(|list| list.class() == Some("builtins.list"));
    let Some(thresholds) = thresholds
        .and_then(Value::items)
        .filter(|items| items.len() >= features)
    else {
        return Err(mapper.refuse("bin_thresholds_ has not an item for each feature"));
    };
    for item in thresholds {
        if dimensions::<1>(Some(item), Kind::Float, 8).is_none() {
            return Err(mapper
                .refuse("the thresholds of a feature are not a float64 array of one dimension"));
        }
    }
    Ok(())
}

/// Which features are categorical.
fn categorical_flags(mapper: Value<'_>) -> Option<ArrayView<'_>> {
    let array = mapper.get("is_categorical_")?.array()?;
    (array.is(Kind::UInt, 1) && array.shape().len() == 1).then_some(array)
}

/// Methods that stand between the caller's input and the predictors.
const METHODS: &[&str] = &[
    "__sklearn_tags__",
    "_check_n_features",
    "_predict_iterations",
    "_preprocess_X",
    "_raw_predict",
    "_staged_raw_predict",
    "_validate_data",
];

/// An estimator whose predictors ask for no column that its input lacks.
///
/// `_raw_predict` (scikit-learn 1.9.1, `ensemble/_hist_gradient_boosting/gradient_boosting.py`; 1.4 to 1.8 do
/// the same) takes the input as it comes where `_in_fit` is true; else `_preprocess_X` compares its columns with
/// `n_features_in_`, or lets `_preprocessor` make them. Then each predictor reads the columns that its nodes
/// name, and at a categorical node an item of `f_idx_map`, which has the length of `is_categorical_` of the bin
/// mapper and which tells categorical features apart by row; all without a look.
///
/// - The attributes stand in a dict under their names, none hides a method that checks the input, and
///   `_in_fit` is not set.
/// - `_predictors` is a list of lists of `TreePredictor`.
/// - Every feature of a node that is not a leaf is less than the columns: those that `_preprocessor` gives where
///   there is one, else `n_features_in_`.
/// - `_bin_mapper` is a `_BinMapper`, and marks the feature of every categorical node as categorical.
/// - `_preprocessor` is a `ColumnTransformer` without weights, of an `OrdinalEncoder` and a
///   `FunctionTransformer` of `check_array`, which both keep the columns that are chosen for them.
pub(super) fn estimator(estimator: Value<'_>) -> Result<(), Refusal> {
    refuse_names(estimator, METHODS)?;
    if estimator
        .get("_in_fit")
        .is_some_and(|flag| flag.boolean() != Some(false))
    {
        return Err(estimator.refuse("_in_fit says that the input is binned"));
    }
    let Some(iterations) = estimator.get("_predictors") else {
        return Ok(());
    };
    let columns = match estimator
        .get("_preprocessor")
        .filter(|held| !held.is_none())
    {
        Some(preprocessor) => preprocessed_columns(preprocessor)?,
        None => estimator
            .get("n_features_in_")
            .and_then(Value::int)
            .unwrap_or(0),
    };
    let mapper = estimator
        .get("_bin_mapper")
        .filter(|held| held.class() == Some(MAPPER));
    let Some(flags) = mapper.and_then(categorical_flags) else {
        return Err(
            estimator.refuse("_bin_mapper is not a bin mapper with a uint8 for each feature")
        );
    };
    for iteration in list(iterations).ok_or_else(|| estimator.refuse(PREDICTORS))? {
        for held in list(iteration).ok_or_else(|| estimator.refuse(PREDICTORS))? {
            if held.class() != Some(PREDICTOR) {
                return Err(estimator.refuse(PREDICTORS));
            }
            let Some((_, nodes)) = nodes(held) else {
                return Err(held.refuse("the fields of the nodes are not those of scikit-learn"));
            };
            for node in nodes.flatten().filter(|node| !node.leaf) {
                if node.feature < 0 || node.feature >= columns {
                    return Err(held.refuse("a feature is not a column of the input"));
                }
                let flag = usize::try_from(node.feature)
                    .ok()
                    .and_then(|feature| flags.int_at(feature));
                if node.categorical && flag.unwrap_or(0) == 0 {
                    return Err(
                        held.refuse("a categorical node has a feature that is not categorical")
                    );
                }
            }
        }
    }
    Ok(())
}

const PREDICTORS: &str = "_predictors is not a list of lists of TreePredictor";

fn list(value: Value<'_>) -> Option<Vec<Value<'_>>> {
    if value.class() != Some("builtins.list") {
        return None;
    }
    value.items()
}

/// Methods that make the columns of the three preprocessing classes.
const PREPROCESSING_METHODS: &[&str] = &[
    "_call_func_on_transformers",
    "_check_X",
    "_check_input",
    "_hstack",
    "_iter",
    "_transform",
    "_validate_output",
    "transform",
];

/// The fewest columns that `_preprocessor` makes of an input.
///
/// `ColumnTransformer.transform` (scikit-learn 1.9.1, `compose/_column_transformer.py`) chooses columns by the
/// masks in `transformers_`, or for a data frame by the positions in `_transformer_to_input_indices`.
fn preprocessed_columns(preprocessor: Value<'_>) -> Result<i64, Refusal> {
    const WHAT: &str = "_preprocessor is not what scikit-learn makes of categorical features";
    if preprocessor.class() != Some("sklearn.compose._column_transformer.ColumnTransformer") {
        return Err(preprocessor.refuse(WHAT));
    }
    refuse_names(preprocessor, PREPROCESSING_METHODS)?;
    let weights = preprocessor.get("transformer_weights");
    let transformers = preprocessor.get("transformers_").and_then(list);
    let (true, Some(transformers)) = (weights.is_some_and(Value::is_none), transformers) else {
        return Err(preprocessor.refuse(WHAT));
    };
    let mut columns = 0_i64;
    for entry in transformers {
        let items = entry.items().unwrap_or_default();
        let [name, transformer, chosen] = items.as_slice() else {
            return Err(preprocessor.refuse(WHAT));
        };
        if transformer.text() == Some("drop") {
            continue;
        }
        refuse_names(*transformer, PREPROCESSING_METHODS)?;
        let found = name.text().and_then(|name| {
            keeps_columns(*transformer).then_some(())?;
            chosen_columns(preprocessor, name, *chosen)
        });
        let Some(found) = found else {
            return Err(preprocessor.refuse(WHAT));
        };
        columns = columns.saturating_add(found);
    }
    Ok(columns)
}

/// Whether a transformer gives as many columns as it gets.
fn keeps_columns(transformer: Value<'_>) -> bool {
    match transformer.class() {
        Some("sklearn.preprocessing._encoders.OrdinalEncoder") => true,
        Some("sklearn.preprocessing._function_transformer.FunctionTransformer") => {
            let Some((function, args, keywords)) = transformer.get("func").and_then(Value::partial)
            else {
                return false;
            };
            function.global() == Some("sklearn.utils.validation.check_array")
                && args.items().is_some_and(|args| args.is_empty())
                && keywords.entries().is_some_and(|entries| {
                    entries.iter().all(|(key, _)| {
                        matches!(
                            key.text(),
                            Some("dtype" | "ensure_all_finite" | "force_all_finite")
                        )
                    })
                })
                && transformer.get("kw_args").is_some_and(Value::is_none)
        }
        _ => false,
    }
}

/// How many columns are chosen for a transformer: by its mask, and by its positions where they are known.
fn chosen_columns(preprocessor: Value<'_>, name: &str, mask: Value<'_>) -> Option<i64> {
    let mask = mask.array()?;
    if !mask.is(Kind::Bool, 1) || mask.shape().len() != 1 {
        return None;
    }
    let marked = i64::try_from(mask.bytes().iter().filter(|&&byte| byte != 0).count()).ok()?;
    let Some(positions) = preprocessor
        .get("_transformer_to_input_indices")
        .and_then(|all| all.get(name))
    else {
        return Some(marked);
    };
    let positions = list(positions)?;
    if positions
        .iter()
        .any(|position| position.int().is_none() || position.boolean().is_some())
    {
        return None;
    }
    Some(marked.min(i64::try_from(positions.len()).ok()?))
}

#[cfg(test)]
mod tests {
    use super::super::attributes::given::Given;
    use super::super::tree::tests::record;
    use super::*;
    use crate::dtype::DType;

    /// Leaf, left, right, feature, categorical, bitset.
    type Fields = (u8, u32, u32, i64, u8, u32);

    const LEAF: Fields = (1, 0, 0, 0, 0, 0);

    fn nodes(nodes: &[Fields]) -> Given {
        let dtype = record(&[
            ("value", "<f8"),
            ("count", "<u4"),
            ("feature_idx", "<i8"),
            ("num_threshold", "<f8"),
            ("missing_go_to_left", "|u1"),
            ("left", "<u4"),
            ("right", "<u4"),
            ("gain", "<f8"),
            ("depth", "<u4"),
            ("is_leaf", "|u1"),
            ("bin_threshold", "|u1"),
            ("is_categorical", "|u1"),
            ("bitset_idx", "<u4"),
        ]);
        let mut bytes = Vec::new();
        for (leaf, left, right, feature, categorical, bitset) in nodes {
            bytes.extend([0; 12]);
            bytes.extend(feature.to_le_bytes());
            bytes.extend([0; 9]);
            bytes.extend(left.to_le_bytes());
            bytes.extend(right.to_le_bytes());
            bytes.extend([0; 12]);
            bytes.extend([*leaf, 0, *categorical]);
            bytes.extend(bitset.to_le_bytes());
        }
        assert_eq!(
            bytes.len().checked_div(nodes.len().max(1)),
            Some(if nodes.is_empty() { 0 } else { 56 })
        );
        Given::Array(dtype, vec![nodes.len()], bytes)
    }

    fn bitsets(rows: usize, words: usize) -> Given {
        let bytes = vec![[0; 4]; words].repeat(rows).concat();
        Given::Array(DType::parse("<u4").unwrap(), vec![rows, words], bytes)
    }

    fn bytes(values: &[u8]) -> Given {
        Given::Array(
            DType::parse("|u1").unwrap(),
            vec![values.len()],
            values.to_vec(),
        )
    }

    fn object(class: &'static str, attributes: Vec<(&'static str, Given)>) -> Given {
        Given::Object(class, Box::new(Given::Dict(attributes)))
    }

    /// Splits feature 2, then the categorical feature 0.
    fn tree() -> Given {
        object(
            PREDICTOR,
            vec![
                (
                    "nodes",
                    nodes(&[(0, 1, 4, 2, 0, 0), (0, 2, 3, 0, 1, 0), LEAF, LEAF, LEAF]),
                ),
                ("binned_left_cat_bitsets", bitsets(1, 8)),
                ("raw_left_cat_bitsets", bitsets(1, 8)),
            ],
        )
    }

    #[test]
    fn each_rule_of_a_predictor_is_held() {
        const WORDS: &str = "the bitsets are not rows of 8 words of 32 bits";
        const BITSET: &str = "a node names a bitset that is not there";
        assert_eq!(tree().refusal(predictor), None);
        for (name, value, what) in [
            ("nodes", nodes(&[]), "a predictor has no nodes"),
            (
                "nodes",
                Given::zeros(&[3]),
                "the fields of the nodes are not those of scikit-learn",
            ),
            (
                "nodes",
                nodes(&[(0, 1, 3, 0, 0, 0), LEAF, LEAF]),
                "a child is not a node of the tree",
            ),
            (
                "nodes",
                nodes(&[(0, 0, 2, 0, 0, 0), LEAF, LEAF]),
                "a child is not after its parent",
            ),
            (
                "nodes",
                nodes(&[(0, 2, 2, 0, 0, 0), LEAF, LEAF]),
                "a node has two parents",
            ),
            (
                "nodes",
                nodes(&[(0, 1, 2, -1, 0, 0), LEAF, LEAF]),
                "a feature is not a column of the input",
            ),
            ("nodes", nodes(&[(0, 1, 2, 0, 1, 1), LEAF, LEAF]), BITSET),
            ("raw_left_cat_bitsets", bitsets(0, 8), BITSET),
            ("binned_left_cat_bitsets", bitsets(0, 8), BITSET),
            ("raw_left_cat_bitsets", bitsets(1, 7), WORDS),
            ("binned_left_cat_bitsets", Given::None, WORDS),
        ] {
            let mut changed = tree();
            changed.set(name, value);
            assert_eq!(changed.refusal(predictor), Some(what), "{name}");
        }
    }

    fn mapper() -> Given {
        let thresholds = || Given::zeros(&[4]);
        object(
            MAPPER,
            vec![
                ("n_threads", Given::Int(2)),
                ("is_categorical_", bytes(&[1, 0, 0])),
                ("n_bins_non_missing_", Given::ints(&[4, 5, 5])),
                (
                    "bin_thresholds_",
                    Given::List(vec![thresholds(), thresholds(), thresholds()]),
                ),
            ],
        )
    }

    #[test]
    fn each_rule_of_a_bin_mapper_is_held() {
        const FLAGS: &str = "is_categorical_ has not a uint8 for each feature";
        assert_eq!(mapper().refusal(bin_mapper), None);
        assert_eq!(object(MAPPER, vec![]).refusal(bin_mapper), None);
        let none = || Given::List(vec![Given::zeros(&[4]), Given::None, Given::zeros(&[4])]);
        for (name, value, what) in [
            ("n_threads", Given::Int(1_000_000), "n_threads is over 1024"),
            (
                "n_bins_non_missing_",
                Given::Int(3),
                "n_bins_non_missing_ is not an array of one dimension",
            ),
            ("is_categorical_", bytes(&[1, 0]), FLAGS),
            ("is_categorical_", Given::zeros(&[3]), FLAGS),
            (
                "bin_thresholds_",
                Given::List(vec![]),
                "bin_thresholds_ has not an item for each feature",
            ),
            (
                "bin_thresholds_",
                none(),
                "the thresholds of a feature are not a float64 array of one dimension",
            ),
        ] {
            let mut changed = mapper();
            changed.set(name, value);
            assert_eq!(changed.refusal(bin_mapper), Some(what), "{name}");
        }
    }

    fn model() -> Given {
        object(
            "sklearn.ensemble._hist_gradient_boosting.gradient_boosting.HistGradientBoostingRegressor",
            vec![
                ("n_features_in_", Given::Int(3)),
                ("_preprocessor", Given::None),
                ("_bin_mapper", mapper()),
                (
                    "_predictors",
                    Given::List(vec![Given::List(vec![tree()]), Given::List(vec![tree()])]),
                ),
            ],
        )
    }

    #[test]
    fn each_rule_of_a_boosted_model_is_held() {
        const COLUMN: &str = "a feature is not a column of the input";
        const MAPPED: &str = "_bin_mapper is not a bin mapper with a uint8 for each feature";
        assert_eq!(model().refusal(estimator), None);
        let mut wide = tree();
        wide.set("nodes", nodes(&[(0, 1, 2, 1, 1, 0), LEAF, LEAF]));
        let mut flagless = mapper();
        flagless.remove("is_categorical_");
        for (name, value, what) in [
            ("n_features_in_", Given::Int(2), COLUMN),
            ("n_features_in_", Given::None, COLUMN),
            (
                "_in_fit",
                Given::Bool(true),
                "_in_fit says that the input is binned",
            ),
            ("_bin_mapper", Given::None, MAPPED),
            ("_bin_mapper", flagless, MAPPED),
            (
                "_predictors",
                Given::List(vec![Given::List(vec![wide])]),
                "a categorical node has a feature that is not categorical",
            ),
            ("_predictors", Given::List(vec![tree()]), PREDICTORS),
            ("_predictors", Given::Tuple(vec![]), PREDICTORS),
            (
                "_preprocess_X",
                Given::Global("numpy.maximum"),
                "an attribute has the name of a method or constant of its class",
            ),
        ] {
            let mut changed = model();
            changed.set(name, value);
            assert_eq!(changed.refusal(estimator), Some(what), "{name}");
        }
    }

    fn mask(marked: [u8; 3]) -> Given {
        Given::Array(DType::parse("|b1").unwrap(), vec![3], marked.to_vec())
    }

    fn preprocessor(marked: [u8; 3], positions: &[i64], keyword: &'static str) -> Given {
        let positions = Given::List(
            positions
                .iter()
                .map(|&position| Given::Int(position))
                .collect(),
        );
        let checked = object(
            "sklearn.preprocessing._function_transformer.FunctionTransformer",
            vec![
                (
                    "func",
                    Given::Partial(
                        "sklearn.utils.validation.check_array",
                        vec![(keyword, Given::None)],
                    ),
                ),
                ("kw_args", Given::None),
            ],
        );
        let encoder = object("sklearn.preprocessing._encoders.OrdinalEncoder", vec![]);
        let first = Given::List(vec![Given::Int(0)]);
        object(
            "sklearn.compose._column_transformer.ColumnTransformer",
            vec![
                ("transformer_weights", Given::None),
                (
                    "transformers_",
                    Given::List(vec![
                        Given::Tuple(vec![Given::Str("encoder"), encoder, mask([1, 0, 0])]),
                        Given::Tuple(vec![Given::Str("numerical"), checked, mask(marked)]),
                        Given::Tuple(vec![
                            Given::Str("remainder"),
                            Given::Str("drop"),
                            Given::List(vec![]),
                        ]),
                    ]),
                ),
                (
                    "_transformer_to_input_indices",
                    Given::Dict(vec![("encoder", first), ("numerical", positions)]),
                ),
            ],
        )
    }

    #[test]
    fn columns_of_the_preprocessor_are_counted() {
        const COLUMN: &str = "a feature is not a column of the input";
        const PARTS: &str = "_preprocessor is not what scikit-learn makes of categorical features";
        for (held, what) in [
            (preprocessor([0, 1, 1], &[1, 2], "dtype"), None),
            (preprocessor([0, 1, 0], &[1, 2], "dtype"), Some(COLUMN)),
            (preprocessor([0, 1, 1], &[1], "dtype"), Some(COLUMN)),
            (preprocessor([0, 1, 1], &[1, 2], "ensure_2d"), Some(PARTS)),
            (object("sklearn.pipeline.Pipeline", vec![]), Some(PARTS)),
        ] {
            let mut changed = model();
            // The number of columns before them counts for nothing.
            changed.set("n_features_in_", Given::Int(100));
            changed.set("_preprocessor", held);
            assert_eq!(changed.refusal(estimator), what);
        }
    }
}
