//! `KDTree` and `BallTree`.

use super::attributes::{dimensions, tuple};
use super::{Refusal, Value, distance_metric};
use crate::dtype::{DType, Kind};

/// What a `KDTree` of scikit-learn 1.9.1 takes (`neighbors/_kd_tree.pyx.tp`, `VALID_METRICS`).
const KD_METRICS: &[&str] = &["Chebyshev", "Euclidean", "Manhattan", "Minkowski"];

/// What a `BallTree` of scikit-learn 1.9.1 takes (`neighbors/_ball_tree.pyx.tp`, `VALID_METRICS`;
/// its `WMinkowski` has no class).
const BALL_METRICS: &[&str] = &[
    "BrayCurtis",
    "Canberra",
    "Chebyshev",
    "Dice",
    "Euclidean",
    "Hamming",
    "Haversine",
    "Jaccard",
    "Mahalanobis",
    "Manhattan",
    "Minkowski",
    "PyFunc",
    "RogersTanimoto",
    "RussellRao",
    "SEuclidean",
    "SokalMichener",
    "SokalSneath",
];

/// A tree of `sklearn.neighbors`: what `BinaryTree.__getstate__` gives.
///
/// Native code (scikit-learn 1.9.1 `neighbors/_binary_tree.pxi.tp`, the same in 1.4 to 1.8) walks
/// from node 0 to `2 * i + 1` and `2 * i + 2` until a node says that it is a leaf
/// (`_query_single_depthfirst`, `_query_radius_single`, `_kde_single_depthfirst`,
/// `_two_point_single` and their breadth-first and dual forms), reads `idx_array` from `idx_start`
/// to `idx_end` of a node, and with what stands there the rows of `data` and `sample_weight`,
/// without a look at any length. Bounds checks are off when scikit-learn is built, and so is the
/// check for a division by zero (`meson.build`: `boundscheck`, `cdivision`). `__setstate__` checks
/// only that each array is C-contiguous and of the right element type and number of dimensions.
///
/// - The state is the tuple of 13 values that `__getstate__` makes: without one, the object holds
///   uninitialised arrays and no metric, which is then called.
/// - `data` has at least one row and one column of floats as wide as the class's name says; `query`
///   compares its width with that of the input.
/// - `idx_array` holds each row number once.
/// - `node_data` has the four fields of `NodeData_t` and `n_nodes` records; `node_bounds` is of
///   shape (2, `n_nodes`, columns) in a `KDTree` and (1, `n_nodes`, columns) in a `BallTree`;
///   `n_nodes` is `2 ** n_levels - 1`: `kernel_density` allocates `n_nodes` bounds and indexes them
///   by node.
/// - The root holds all rows; a node that is no leaf has both children in the tree, which share its
///   rows between them without gap or overlap: `query_radius` writes each row that it finds into a
///   buffer of as many places as there are rows.
/// - `leaf_size` is positive: `query` and `kernel_density` divide by it.
/// - The counters are C ints.
/// - The metric is one that the class takes, for floats of the same width, and its vectors are as
///   long as a row: see [`distance_metric`].
/// - `sample_weight` is none or has one float per row.
///
/// Radii, bounds, weights and data may be any float, NaN too: they are compared and added, never
/// turned into an index, and each node is visited at most once.
pub(super) fn verify(tree: Value<'_>) -> Result<(), Refusal> {
    let class = tree.class().unwrap_or_default();
    let kd = class.starts_with("sklearn.neighbors._kd_tree.");
    let width = if class.ends_with("32") { 4 } else { 8 };
    if tree.args().is_some() {
        return Err(tree.refuse("a neighbors tree is built by its constructor"));
    }
    let state = tree.state().and_then(tuple);
    let Some(
        &[
            data,
            idx_array,
            node_data,
            node_bounds,
            leaf_size,
            n_levels,
            n_nodes,
            n_trims,
            n_leaves,
            n_splits,
            n_calls,
            metric,
            sample_weight,
        ],
    ) = state.as_deref()
    else {
        return Err(tree.refuse("the state of a neighbors tree is not a tuple of 13 values"));
    };

    let Some([rows, columns]) = dimensions(Some(data), Kind::Float, width) else {
        return Err(
            data.refuse("the data of a neighbors tree is not a C-ordered matrix of its floats")
        );
    };
    if rows == 0 || columns == 0 {
        return Err(data.refuse("the data of a neighbors tree is empty"));
    }
    verify_permutation(idx_array, rows)?;

    let nodes = node_data
        .array()
        .filter(|array| is_node_data(array.dtype()))
        .and_then(|array| <[usize; 1]>::try_from(array.shape()).ok());
    let Some([nodes]) = nodes else {
        return Err(
            node_data.refuse("node_data is not a vector of idx_start, idx_end, is_leaf, radius")
        );
    };
    if n_nodes.int().and_then(|count| usize::try_from(count).ok()) != Some(nodes) {
        return Err(n_nodes.refuse("n_nodes is not the length of node_data"));
    }
    let expected = n_levels
        .int()
        .and_then(|levels| u32::try_from(levels).ok())
        .filter(|&levels| levels > 0)
        .and_then(|levels| 1_usize.checked_shl(levels))
        .and_then(|count| count.checked_sub(1));
    if expected != Some(nodes) {
        return Err(n_levels.refuse("n_nodes is not 2 ** n_levels - 1"));
    }
    let sides = if kd { 2 } else { 1 };
    if dimensions(Some(node_bounds), Kind::Float, width) != Some([sides, nodes, columns]) {
        return Err(
            node_bounds.refuse("node_bounds does not have one row of floats per node and side")
        );
    }
    verify_nodes(node_data, nodes, rows)?;

    if leaf_size.int().is_none_or(|size| size < 1) {
        return Err(leaf_size.refuse("leaf_size is not a positive integer"));
    }
    for counter in [n_trims, n_leaves, n_splits, n_calls] {
        if counter
            .int()
            .is_none_or(|count| i32::try_from(count).is_err())
        {
            return Err(counter.refuse("a counter of a neighbors tree is not a C int"));
        }
    }

    let known = if kd { KD_METRICS } else { BALL_METRICS };
    let (name, metric_width) = distance_metric::name_and_width(metric).unwrap_or_default();
    if !known.contains(&name) || metric_width != width {
        return Err(metric.refuse("the metric is not one that this neighbors tree takes"));
    }
    if !distance_metric::takes_columns(metric, columns) {
        return Err(metric.refuse("the metric is not made for rows of this length"));
    }
    if !sample_weight.is_none()
        && dimensions(Some(sample_weight), Kind::Float, width) != Some([rows])
    {
        return Err(sample_weight.refuse("sample_weight is not one float per row"));
    }
    Ok(())
}

/// How many rows the data of a tree has; none where it has no such data.
pub(super) fn rows(tree: Value<'_>) -> Option<usize> {
    let class = tree.class()?;
    if !class.starts_with("sklearn.neighbors._kd_tree.")
        && !class.starts_with("sklearn.neighbors._ball_tree.")
    {
        return None;
    }
    let state = tree.state().and_then(tuple)?;
    state.first()?.array()?.shape().first().copied()
}

fn verify_permutation(indices: Value<'_>, rows: usize) -> Result<(), Refusal> {
    if dimensions(Some(indices), Kind::Int, 8) != Some([rows]) {
        return Err(indices.refuse("idx_array is not one integer per row"));
    }
    let mut seen = vec![false; rows];
    let mut is_new = |index: i64| {
        usize::try_from(index)
            .ok()
            .and_then(|index| seen.get_mut(index))
            .is_some_and(|seen| !std::mem::replace(seen, true))
    };
    if indices
        .array()
        .and_then(|array| array.all_ints(&mut is_new))
        != Some(true)
    {
        return Err(indices.refuse("idx_array does not hold each row once"));
    }
    Ok(())
}

/// `NodeData_t`: three `intp_t` and a double, without padding.
fn is_node_data(dtype: &DType) -> bool {
    const FIELDS: [(&str, Kind, usize); 4] = [
        ("idx_start", Kind::Int, 0),
        ("idx_end", Kind::Int, 8),
        ("is_leaf", Kind::Int, 16),
        ("radius", Kind::Float, 24),
    ];
    dtype.itemsize() == 32
        && dtype.fields().len() == FIELDS.len()
        && dtype
            .fields()
            .iter()
            .zip(FIELDS)
            .all(|(field, (name, kind, offset))| {
                field.name == name
                    && field.offset == offset
                    && field.shape.is_empty()
                    && field.dtype.kind() == kind
                    && field.dtype.itemsize() == 8
                    && field.dtype.is_little()
            })
}

/// What a walk relies on, for every node that a walk from the root can reach.
fn verify_nodes(node_data: Value<'_>, nodes: usize, rows: usize) -> Result<(), Refusal> {
    let columns = node_data.array().and_then(|array| {
        Some((
            array.field("idx_start")?,
            array.field("idx_end")?,
            array.field("is_leaf")?,
        ))
    });
    let Some((starts, ends, leaves)) = columns else {
        return Err(
            node_data.refuse("node_data is not a vector of idx_start, idx_end, is_leaf, radius")
        );
    };
    let range = |node: usize| {
        let start = usize::try_from(starts.int_at(node)?).ok()?;
        let end = usize::try_from(ends.int_at(node)?).ok()?;
        Some((start, end))
    };
    if range(0) != Some((0, rows)) {
        return Err(node_data.refuse("the root of a neighbors tree does not hold all rows"));
    }
    let mut reached = vec![false; nodes];
    if let Some(root) = reached.first_mut() {
        *root = true;
    }
    for node in 0..nodes {
        if reached.get(node) != Some(&true) {
            continue;
        }
        match leaves.int_at(node) {
            Some(1) => continue,
            Some(0) => {}
            _ => return Err(node_data.refuse("is_leaf is neither 0 nor 1")),
        }
        let left = node.saturating_mul(2).saturating_add(1);
        let right = left.saturating_add(1);
        if right >= nodes {
            return Err(node_data.refuse("a node at the bottom of a neighbors tree is not a leaf"));
        }
        let (Some((start, end)), Some((left_start, middle)), Some((right_start, right_end))) =
            (range(node), range(left), range(right))
        else {
            return Err(node_data.refuse("a node holds a negative row number"));
        };
        let shares = left_start == start
            && start <= middle
            && middle == right_start
            && middle <= right_end
            && right_end == end;
        if !shares {
            return Err(
                node_data.refuse("the children of a node do not share its rows between them")
            );
        }
        for child in [left, right] {
            if let Some(child) = reached.get_mut(child) {
                *child = true;
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::attributes::given::Given;
    use super::*;

    fn nodes(nodes: &[[i64; 3]]) -> Given {
        let int = || DType::parse("<i8").unwrap();
        let field = |name: &str, dtype| (name.to_owned(), None, dtype, vec![]);
        let dtype = DType::record(vec![
            field("idx_start", int()),
            field("idx_end", int()),
            field("is_leaf", int()),
            field("radius", DType::parse("<f8").unwrap()),
        ])
        .unwrap();
        let mut bytes = Vec::new();
        for node in nodes {
            bytes.extend(node.iter().flat_map(|value| value.to_le_bytes()));
            bytes.extend(f64::NAN.to_le_bytes());
        }
        Given::Array(dtype, vec![nodes.len()], bytes)
    }

    fn metric(name: &'static str) -> Given {
        Given::Object(
            name,
            Box::new(Given::Tuple(vec![
                Given::Float(2.0),
                Given::zeros(&[1]),
                Given::zeros(&[1, 1]),
            ])),
        )
    }

    fn tree() -> Given {
        Given::Object(
            "sklearn.neighbors._kd_tree.KDTree",
            Box::new(Given::Tuple(vec![
                Given::zeros(&[4, 2]),
                Given::longs(&[2, 0, 1, 3]),
                nodes(&[[0, 4, 0], [0, 2, 1], [2, 4, 1]]),
                Given::zeros(&[2, 3, 2]),
                Given::Int(1),
                Given::Int(2),
                Given::Int(3),
                Given::Int(0),
                Given::Int(0),
                Given::Int(0),
                Given::Int(-7),
                metric("sklearn.metrics._dist_metrics.EuclideanDistance64"),
                Given::None,
            ])),
        )
    }

    #[test]
    fn a_tree_as_scikit_learn_writes_it_is_verified() {
        assert_eq!(tree().refusal(verify), None);
        let mut weighted = tree();
        *weighted.item(12) = Given::zeros(&[4]);
        assert_eq!(weighted.refusal(verify), None);
    }

    fn refuse_each(table: Vec<(usize, Given, &'static str)>) {
        for (index, value, what) in table {
            let mut changed = tree();
            *changed.item(index) = value;
            assert_eq!(changed.refusal(verify), Some(what), "{index}");
        }
    }

    #[test]
    fn each_rule_of_the_rows_and_nodes_is_held() {
        refuse_each(vec![
            (
                0,
                Given::zeros(&[0, 2]),
                "the data of a neighbors tree is empty",
            ),
            (
                0,
                Given::zeros(&[3, 2]),
                "idx_array is not one integer per row",
            ),
            (
                0,
                Given::zeros(&[4, 3]),
                "node_bounds does not have one row of floats per node and side",
            ),
            (
                1,
                Given::longs(&[2, 0, 1, 4]),
                "idx_array does not hold each row once",
            ),
            (
                1,
                Given::longs(&[2, 0, 1, 2]),
                "idx_array does not hold each row once",
            ),
            (
                1,
                Given::longs(&[2, 0, 1, -1]),
                "idx_array does not hold each row once",
            ),
            (
                1,
                Given::ints(&[2, 0, 1, 3]),
                "idx_array is not one integer per row",
            ),
            (
                2,
                nodes(&[[0, 4, 0], [0, 2, 0], [2, 4, 1]]),
                "a node at the bottom of a neighbors tree is not a leaf",
            ),
            (
                2,
                nodes(&[[0, 4, 0], [0, 2, 1], [1, 4, 1]]),
                "the children of a node do not share its rows between them",
            ),
            (
                2,
                nodes(&[[0, 4, 0], [0, 2, 1], [2, 5, 1]]),
                "the children of a node do not share its rows between them",
            ),
            (
                2,
                nodes(&[[0, 5, 0], [0, 2, 1], [2, 5, 1]]),
                "the root of a neighbors tree does not hold all rows",
            ),
            (
                2,
                nodes(&[[0, 4, 0], [0, -2, 1], [-2, 4, 1]]),
                "a node holds a negative row number",
            ),
            (
                2,
                nodes(&[[0, 4, 2], [0, 2, 1], [2, 4, 1]]),
                "is_leaf is neither 0 nor 1",
            ),
            (
                2,
                nodes(&[[0, 4, 1]]),
                "n_nodes is not the length of node_data",
            ),
            (
                2,
                Given::zeros(&[3]),
                "node_data is not a vector of idx_start, idx_end, is_leaf, radius",
            ),
            (
                3,
                Given::zeros(&[1, 3, 2]),
                "node_bounds does not have one row of floats per node and side",
            ),
        ]);
    }

    #[test]
    fn each_rule_of_the_numbers_and_the_metric_is_held() {
        let haversine = || metric("sklearn.metrics._dist_metrics.HaversineDistance64");
        refuse_each(vec![
            (4, Given::Int(0), "leaf_size is not a positive integer"),
            (5, Given::Int(3), "n_nodes is not 2 ** n_levels - 1"),
            (5, Given::Int(64), "n_nodes is not 2 ** n_levels - 1"),
            (6, Given::Int(7), "n_nodes is not the length of node_data"),
            (
                7,
                Given::Int(1 << 31),
                "a counter of a neighbors tree is not a C int",
            ),
            (
                11,
                Given::None,
                "the metric is not one that this neighbors tree takes",
            ),
            (
                11,
                haversine(),
                "the metric is not one that this neighbors tree takes",
            ),
            (
                11,
                metric("sklearn.metrics._dist_metrics.EuclideanDistance32"),
                "the metric is not one that this neighbors tree takes",
            ),
            (
                11,
                metric("sklearn.metrics._dist_metrics.MinkowskiDistance64"),
                "the metric is not made for rows of this length",
            ),
            (
                12,
                Given::zeros(&[3]),
                "sample_weight is not one float per row",
            ),
        ]);
    }

    #[test]
    fn a_tree_without_its_state_is_refused() {
        let mut short = tree();
        short.items().pop();
        let class = "sklearn.neighbors._ball_tree.BallTree";
        let empty = Given::Object(class, Box::new(Given::None));
        for tree in [short, empty] {
            let what = "the state of a neighbors tree is not a tuple of 13 values";
            assert_eq!(tree.refusal(verify), Some(what));
        }
        let built = Given::Construct(class, Box::new(Given::Tuple(vec![])));
        assert_eq!(
            built.refusal(verify),
            Some("a neighbors tree is built by its constructor")
        );
    }
}
