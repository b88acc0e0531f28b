//! `quantile_forest._quantile_forest_fast.QuantileForest` and the estimators that hold it.

use super::attributes::{count, dimensions, refuse_names, tuple};
use super::{ArrayView, Refusal, Value, tree};
use crate::dtype::Kind;

/// The class that this file verifies.
pub(super) const FOREST: &str = "quantile_forest._quantile_forest_fast.QuantileForest";

/// Elements that a sparse state may become when it is filled with zeros: this many, or this many for each
/// stored one.
const DENSE: usize = 1 << 27;
const DENSE_PER_STORED: usize = 1 << 12;

/// The shapes of a quantile forest.
struct Shape {
    n_outputs: usize,
    n_train: usize,
    /// Trees, nodes, outputs, samples of a leaf.
    leaves: [usize; 4],
}

/// A quantile forest whose leaves name training samples that it has.
///
/// Read from quantile-forest 1.4.2, `_quantile_forest_fast.pyx` (compiled without bounds checks), and compared with
/// 1.4.1. `predict`, `quantile_ranks` and `proximity_counts` copy
/// `y_train_leaves[tree, leaf, output, 0..samples]` from one address to another, take each value that is not 0,
/// less 1, as an index into `y_train[output]` or a vector of its length, and read as many outputs as `y_train`
/// has; `calc_quantile` and `calc_quantile_rank` sort what they found with `std::sort`, which leaves its memory
/// where NaN is among it. `__setstate__` of a forest that was pickled sparse makes `y_train_leaves` and
/// `y_bound_leaves` from CSC matrices; `toarray` adds entries of one place.
///
/// - Arguments: `y_train` float64 of (outputs, samples), at least one of each, without NaN; `y_train_leaves`
///   int64 of (trees, nodes, outputs, leaf samples), in C order; `y_bound_leaves` float64 of three dimensions,
///   where there is one; and whether the state is sparse.
/// - `y_train_leaves` has at least as many outputs as `y_train`, and every value is 0 or the number of a
///   sample, counted from 1.
/// - A sparse state holds `matrix1` and `matrix2`, whose sides are those that its shapes ask for, without two entries
///   of one place, and not absurdly many zeros.
pub(super) fn forest(forest: Value<'_>) -> Result<(), Refusal> {
    let (Some(parts), Some(found)) = (Parts::of(forest), Shape::of(forest)) else {
        return Err(forest.refuse(
            "the arguments are not training targets, leaf samples, leaf bounds and a flag",
        ));
    };
    if found.n_outputs == 0 || found.n_train == 0 || found.leaves[2] < found.n_outputs {
        return Err(forest.refuse("the leaf samples have not the outputs of the training targets"));
    }
    let in_range = |value: i64| usize::try_from(value).is_ok_and(|sample| sample <= found.n_train);
    if parts.y_train.all_floats(|value| !value.is_nan()) != Some(true) {
        return Err(forest.refuse("a training target is not a number"));
    }
    let samples = if parts.sparse {
        for name in ["matrix1", "matrix2"] {
            let matrix = forest.get(name).and_then(Sparse::of);
            if matrix.is_none_or(|matrix| !matrix.is_plain()) {
                return Err(
                    forest.refuse("a sparse state has two entries of one place or too many zeros")
                );
            }
        }
        forest
            .get("matrix1")
            .and_then(Sparse::of)
            .and_then(|matrix| matrix.data.all_ints(in_range))
    } else {
        parts.y_train_leaves.all_ints(in_range)
    };
    if samples == Some(true) {
        Ok(())
    } else {
        Err(forest.refuse("a leaf names a training sample that is not there"))
    }
}

/// A quantile regressor whose trees fit its forest.
///
/// `apply` of the estimator (quantile-forest 1.4.2, `_quantile_forest.py`) gives one leaf per row of input and item
/// of `estimators_`; `QuantileForest` takes them as indices into the first two dimensions of `y_train_leaves`, and
/// `proximity_counts` takes `sorter_[:, 0][sample]` as an index into a vector of one count per sample, all without
/// a look.
///
/// - `forest_` is a `QuantileForest` and `estimators_` a list of regression trees, not more of them than the forest
///   has, and none with more nodes than the forest has.
/// - `sorter_` is an int64 array with a row for each sample and at least one column; its values are numbers
///   of samples, counted from 0.
/// - `n_train_samples_` is the number of samples.
/// - `default_quantiles` is not NaN and holds no NaN: `predict` compares with 0 and 1, `calc_quantile` makes an index of
///   it.
pub(super) fn estimator(estimator: Value<'_>) -> Result<(), Refusal> {
    refuse_names(
        estimator,
        &[
            "__sklearn_tags__",
            "_oob_samples",
            "_validate_X_predict",
            "_validate_data",
            "apply",
        ],
    )?;
    let quantiles = estimator.get("default_quantiles");
    let listed = quantiles.and_then(Value::items).unwrap_or_default();
    let nan = |value: &Value<'_>| value.float().is_some_and(f64::is_nan);
    if quantiles.iter().chain(&listed).any(nan) {
        return Err(estimator.refuse("a default quantile is not a number"));
    }
    let Some(forest) = estimator.get("forest_") else {
        return Ok(());
    };
    let Some(shape) = (forest.class() == Some(FOREST))
        .then_some(())
        .and_then(|()| Shape::of(forest))
    else {
        return Err(estimator.refuse("forest_ is not a quantile forest"));
    };
    let [trees, nodes, ..] = shape.leaves;
    let held = estimator
        .get("estimators_")
        .filter(|held| held.class() == Some("builtins.list"))
        .and_then(Value::items);
    if held.as_ref().is_none_or(|held| held.len() > trees) {
        return Err(estimator.refuse("estimators_ is not a list of at most the trees of forest_"));
    }
    for item in held.unwrap_or_default() {
        let known = matches!(
            item.class(),
            Some(
                "sklearn.tree._classes.DecisionTreeRegressor"
                    | "sklearn.tree._classes.ExtraTreeRegressor"
            )
        );
        let found = item.get("tree_").and_then(tree::node_count);
        if !known || found.is_none_or(|found| found > nodes) {
            return Err(item.refuse("a tree has more nodes than forest_ has leaves for"));
        }
    }
    if let Some(sorter) = estimator.get("sorter_").filter(|sorter| !sorter.is_none()) {
        let inside = |value: i64| usize::try_from(value).is_ok_and(|sample| sample < shape.n_train);
        let Some([rows, columns]) = sides(sorter, Kind::Int) else {
            return Err(sorter.refuse("sorter_ is not an int64 array of two dimensions"));
        };
        if rows != shape.n_train
            || columns == 0
            || sorter.array().and_then(|all| all.all_ints(inside)) != Some(true)
        {
            return Err(sorter.refuse("sorter_ names a training sample that is not there"));
        }
    }
    if estimator.get("n_train_samples_").is_some()
        && count(estimator.get("n_train_samples_")) != Some(shape.n_train)
    {
        return Err(estimator.refuse("n_train_samples_ is not the number of training targets"));
    }
    Ok(())
}

/// The lengths of an array of `N` dimensions of 8-byte elements, in either order.
fn sides<const N: usize>(value: Value<'_>, kind: Kind) -> Option<[usize; N]> {
    let array = value.array().filter(|array| array.is(kind, 8))?;
    array.shape().try_into().ok()
}

/// What a forest is made from.
struct Parts<'a> {
    y_train: ArrayView<'a>,
    y_train_leaves: ArrayView<'a>,
    sparse: bool,
}

impl<'a> Parts<'a> {
    /// `None` where the arguments are not (targets, leaves, bounds, flag) or, before 1.4, (targets, leaves, flag).
    fn of(forest: Value<'a>) -> Option<Self> {
        let args = tuple(forest.args()?)?;
        let (targets, leaves, flag) = match args.as_slice() {
            [targets, leaves, flag] => (targets, leaves, flag),
            [targets, leaves, bounds, flag] => {
                if !bounds.is_none() {
                    sides::<3>(*bounds, Kind::Float)?;
                }
                (targets, leaves, flag)
            }
            _ => return None,
        };
        sides::<2>(*targets, Kind::Float)?;
        dimensions::<4>(Some(*leaves), Kind::Int, 8)?;
        Some(Self {
            y_train: targets.array()?,
            y_train_leaves: leaves.array()?,
            sparse: flag.boolean()?,
        })
    }
}

impl Shape {
    fn of(forest: Value<'_>) -> Option<Self> {
        let parts = Parts::of(forest)?;
        let [n_outputs, n_train] = *parts.y_train.shape() else {
            return None;
        };
        let leaves = if parts.sparse {
            let bounds = lengths::<3>(forest.get("shape2")?)?;
            let leaves = lengths::<4>(forest.get("shape1")?)?;
            let sides = |name| {
                forest
                    .get(name)
                    .and_then(Sparse::of)
                    .map(|matrix| [matrix.rows, matrix.columns])
            };
            let [trees, nodes, outputs, samples] = leaves;
            if sides("matrix1")? != [samples, trees.checked_mul(nodes)?.checked_mul(outputs)?] {
                return None;
            }
            let [bound_trees, bound_nodes, sides_of_bound] = bounds;
            if sides("matrix2")? != [sides_of_bound, bound_trees.checked_mul(bound_nodes)?] {
                return None;
            }
            leaves
        } else {
            <[usize; 4]>::try_from(parts.y_train_leaves.shape()).ok()?
        };
        Some(Self {
            n_outputs,
            n_train,
            leaves,
        })
    }
}

fn lengths<const N: usize>(shape: Value<'_>) -> Option<[usize; N]> {
    let lengths: Option<Vec<usize>> = tuple(shape)?
        .into_iter()
        .map(|side| count(Some(side)))
        .collect();
    <[usize; N]>::try_from(lengths?).ok()
}

/// A CSC matrix, of which its own verifier has made sure that its indices are in range.
struct Sparse<'a> {
    rows: usize,
    columns: usize,
    data: ArrayView<'a>,
    indices: ArrayView<'a>,
    indptr: ArrayView<'a>,
}

impl<'a> Sparse<'a> {
    fn of(matrix: Value<'a>) -> Option<Self> {
        if !matches!(
            matrix.class(),
            Some("scipy.sparse._csc.csc_matrix" | "scipy.sparse._csc.csc_array")
        ) {
            return None;
        }
        if matrix.get("format")?.array()?.bytes() != b"csc" {
            return None;
        }
        let shape = matrix.get("shape")?.array()?;
        let side = |index| usize::try_from(shape.int_at(index)?).ok();
        if shape.shape() != [2] {
            return None;
        }
        Some(Self {
            rows: side(0)?,
            columns: side(1)?,
            data: matrix.get("data")?.array()?,
            indices: matrix.get("indices")?.array()?,
            indptr: matrix.get("indptr")?.array()?,
        })
    }

    /// Whether the rows of each column rise, and the zeros between entries are not absurdly many.
    fn is_plain(&self) -> bool {
        let most = self.data.len().saturating_mul(DENSE_PER_STORED).max(DENSE);
        if self
            .rows
            .checked_mul(self.columns)
            .is_none_or(|dense| dense > most)
        {
            return false;
        }
        let mut rows = Vec::with_capacity(self.indices.len());
        let read = self.indices.all_ints(|row| {
            rows.push(row);
            true
        });
        let mut start = 0_usize;
        let rising = self.indptr.all_ints(|end| {
            let end = usize::try_from(end).unwrap_or(usize::MAX);
            let column = rows.get(start..end);
            start = end;
            column.is_some_and(|column| column.is_sorted_by(|a, b| a < b))
        });
        read == Some(true) && rising == Some(true)
    }
}

#[cfg(test)]
mod tests {
    use super::super::attributes::given::Given;
    use super::super::tree::tests::tree;
    use super::*;
    use crate::dtype::DType;

    fn longs(shape: &[usize], values: &[i64]) -> Given {
        let Given::Array(dtype, _, bytes) = Given::longs(values) else {
            unreachable!()
        };
        Given::Array(dtype, shape.to_vec(), bytes)
    }

    /// One tree of three nodes, one output, two samples a leaf; four training samples.
    fn leaves() -> Given {
        longs(&[1, 3, 1, 2], &[0, 0, 1, 2, 3, 4])
    }

    fn dense(leaves: Given) -> Given {
        let args = vec![
            Given::zeros(&[1, 4]),
            leaves,
            Given::zeros(&[0, 0, 0]),
            Given::Bool(false),
        ];
        Given::Built(FOREST, args, Box::new(Given::Dict(vec![])))
    }

    #[test]
    fn each_rule_of_a_forest_is_held() {
        const PARTS: &str =
            "the arguments are not training targets, leaf samples, leaf bounds and a flag";
        const SAMPLE: &str = "a leaf names a training sample that is not there";
        assert_eq!(dense(leaves()).refusal(forest), None);
        assert_eq!(
            dense(longs(&[1, 1, 1, 1], &[5])).refusal(forest),
            Some(SAMPLE)
        );
        assert_eq!(
            dense(longs(&[1, 1, 1, 1], &[-1])).refusal(forest),
            Some(SAMPLE)
        );
        assert_eq!(dense(longs(&[1, 1, 1], &[1])).refusal(forest), Some(PARTS));
        assert_eq!(dense(Given::None).refusal(forest), Some(PARTS));
        assert_eq!(
            dense(longs(&[1, 1, 0, 1], &[])).refusal(forest),
            Some("the leaf samples have not the outputs of the training targets")
        );
        let nan = Given::Array(
            DType::parse("<f8").unwrap(),
            vec![1, 1],
            f64::NAN.to_le_bytes().to_vec(),
        );
        for (targets, what) in [
            (nan, "a training target is not a number"),
            (
                Given::zeros(&[1, 0]),
                "the leaf samples have not the outputs of the training targets",
            ),
            (
                Given::zeros(&[0, 1]),
                "the leaf samples have not the outputs of the training targets",
            ),
            (Given::zeros(&[1]), PARTS),
        ] {
            let args = vec![
                targets,
                longs(&[1, 1, 1, 1], &[0]),
                Given::None,
                Given::Bool(false),
            ];
            assert_eq!(
                Given::Construct(FOREST, Box::new(Given::Tuple(args))).refusal(forest),
                Some(what)
            );
        }
    }

    /// Leaves 1 and 2 of [`leaves`] as columns 1 and 2.
    fn sparse(indices: &[i32], data: &[i64], trees: i64) -> Given {
        let matrix = |shape: &[i64], indptr: &[i32], indices: &[i32], data: Given| {
            Given::Sparse(
                "scipy.sparse._csc.csc_matrix",
                vec![
                    ("indices", Given::ints(indices)),
                    ("indptr", Given::ints(indptr)),
                    ("format", Given::text("csc")),
                    ("shape", Given::longs(shape)),
                    ("data", data),
                ],
            )
        };
        let shape =
            |sides: &[i64]| Given::Tuple(sides.iter().map(|&side| Given::Int(side)).collect());
        let args = vec![
            Given::zeros(&[1, 4]),
            longs(&[0, 0, 0, 0], &[]),
            Given::zeros(&[0, 0, 0]),
            Given::Bool(true),
        ];
        let state = vec![
            ("shape1", shape(&[trees, 3, 1, 2])),
            (
                "matrix1",
                matrix(&[2, 3], &[0, 0, 2, 4], indices, Given::longs(data)),
            ),
            ("shape2", shape(&[0, 0, 0])),
            ("matrix2", matrix(&[0, 0], &[0], &[], Given::zeros(&[0]))),
        ];
        Given::Built(FOREST, args, Box::new(Given::Dict(state)))
    }

    #[test]
    fn each_rule_of_a_sparse_forest_is_held() {
        assert_eq!(
            sparse(&[0, 1, 0, 1], &[1, 2, 3, 4], 1).refusal(forest),
            None
        );
        assert_eq!(
            sparse(&[0, 1, 0, 1], &[1, 2, 3, 5], 1).refusal(forest),
            Some("a leaf names a training sample that is not there")
        );
        assert_eq!(
            sparse(&[0, 0, 0, 1], &[4, 4, 3, 4], 1).refusal(forest),
            Some("a sparse state has two entries of one place or too many zeros")
        );
        for trees in [-1, 0, 2] {
            assert_eq!(
                sparse(&[0, 1, 0, 1], &[1, 2, 3, 4], trees).refusal(forest),
                Some(
                    "the arguments are not training targets, leaf samples, leaf bounds and a flag"
                )
            );
        }
    }

    fn model(forest: Given) -> Given {
        let tree = Given::Object(
            "sklearn.tree._classes.ExtraTreeRegressor",
            Box::new(Given::Dict(vec![
                ("n_features_in_", Given::Int(3)),
                ("tree_", tree()),
            ])),
        );
        Given::Object(
            "quantile_forest._quantile_forest.ExtraTreesQuantileRegressor",
            Box::new(Given::Dict(vec![
                ("estimators_", Given::List(vec![tree])),
                ("forest_", forest),
                ("sorter_", longs(&[4, 1], &[3, 1, 0, 2])),
                ("n_train_samples_", Given::Int(4)),
            ])),
        )
    }

    #[test]
    fn each_rule_of_a_regressor_is_held() {
        const SAMPLE: &str = "sorter_ names a training sample that is not there";
        assert_eq!(model(dense(leaves())).refusal(estimator), None);
        assert_eq!(
            model(sparse(&[0, 1, 0, 1], &[1, 2, 3, 4], 1)).refusal(estimator),
            None
        );
        let mut unsorted = model(dense(leaves()));
        unsorted.set("sorter_", Given::None);
        assert_eq!(unsorted.refusal(estimator), None);
        let two = || Given::List(vec![Given::Int(1), Given::Int(1)]);
        for (name, value, what) in [
            (
                "forest_",
                dense(longs(&[1, 2, 1, 2], &[1, 2, 3, 4])),
                "a tree has more nodes than forest_ has leaves for",
            ),
            ("forest_", Given::None, "forest_ is not a quantile forest"),
            (
                "estimators_",
                two(),
                "estimators_ is not a list of at most the trees of forest_",
            ),
            (
                "estimators_",
                Given::List(vec![Given::Int(1)]),
                "a tree has more nodes than forest_ has leaves for",
            ),
            ("sorter_", longs(&[4, 1], &[3, 1, 0, 4]), SAMPLE),
            ("sorter_", longs(&[4, 1], &[3, 1, 0, -1]), SAMPLE),
            ("sorter_", longs(&[2, 1], &[1, 0]), SAMPLE),
            ("sorter_", longs(&[4, 0], &[]), SAMPLE),
            (
                "sorter_",
                Given::longs(&[0]),
                "sorter_ is not an int64 array of two dimensions",
            ),
            (
                "default_quantiles",
                Given::Float(f64::NAN),
                "a default quantile is not a number",
            ),
            (
                "default_quantiles",
                Given::List(vec![Given::Float(0.5), Given::Float(f64::NAN)]),
                "a default quantile is not a number",
            ),
            (
                "n_train_samples_",
                Given::Int(1 << 40),
                "n_train_samples_ is not the number of training targets",
            ),
        ] {
            let mut changed = model(dense(leaves()));
            changed.set(name, value);
            assert_eq!(changed.refusal(estimator), Some(what), "{name}");
        }
    }
}
