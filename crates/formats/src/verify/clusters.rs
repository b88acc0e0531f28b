//! `KMeans` and its kin, `HDBSCAN` and `FeatureAgglomeration`.

use super::attributes::refuse_names;
use super::fitted::{attribute, floats, matrix, refuse_hidden_checks, width};
use super::{Refusal, Value};
use crate::graph::NodeId;
use std::collections::HashSet;

/// `OpenMP` stops the process when it cannot start a thread, and does not take less than one.
const MOST_THREADS: i64 = 1_024;

/// What `_k_means_lloyd.pyx`, `_k_means_common.pyx` and `_k_means_minibatch.pyx` of scikit-learn 1.9.1 (`cluster/`; the
/// same loops in 1.5) rely on: the centers are read with the width of the user's rows (`_gemm`,
/// `centers_old[j, X_indices[k]]`, `_euclidean_dense_dense`), and `partial_fit` of `MiniBatchKMeans` writes to one
/// count per center. `_n_threads` goes to `OpenMP` as it stands.
///
/// - `cluster_centers_` is a matrix of floats with `n_features_in_` columns and at least one row.
/// - `_counts` is one float per center.
/// - `_n_threads` is in 1..=1024.
/// - `_bisecting_tree` of `BisectingKMeans`: each node stands once (nodes that are shared would double the work at every
///   level) and has two children or none; a child has a `center` of `n_features_in_` floats.
/// - No attribute hides a check, and `n_features_in_` is there.
pub(super) fn verify(estimator: Value<'_>) -> Result<(), Refusal> {
    refuse_hidden_checks(estimator)?;
    if let Some(threads) = attribute(estimator, "_n_threads")
        && !threads
            .int()
            .is_some_and(|count| (1..=MOST_THREADS).contains(&count))
    {
        return Err(threads.refuse("_n_threads of a clustering is not in 1..=1024"));
    }
    let mut clusters = None;
    if let Some(centers) = estimator.get("cluster_centers_") {
        let (rows, columns) = matrix(centers)?;
        if rows == 0 || columns != width(estimator)? {
            return Err(
                centers.refuse("cluster centers have not n_features_in_ columns, or there is none")
            );
        }
        clusters = Some(rows);
    }
    if let Some(counts) = estimator.get("_counts")
        && (floats(counts)?.shape().len() != 1 || Some(floats(counts)?.len()) != clusters)
    {
        return Err(counts.refuse("_counts of a clustering is not one number per center"));
    }
    if let Some(root) = estimator.get("_bisecting_tree") {
        bisecting_tree(root, width(estimator)?)?;
    }
    Ok(())
}

fn bisecting_tree(root: Value<'_>, columns: usize) -> Result<(), Refusal> {
    let mut seen: HashSet<NodeId> = HashSet::new();
    let mut todo = vec![root];
    while let Some(node) = todo.pop() {
        if node.class() != Some("sklearn.cluster._bisect_k_means._BisectingTree") {
            return Err(node.refuse("a node of a bisecting tree is of another class"));
        }
        refuse_names(node, &[])?;
        if !seen.insert(node.id()) {
            return Err(node.refuse("a node of a bisecting tree stands twice"));
        }
        // Nobody compares rows with the center of the root, which is a matrix of numpy after sparse input.
        if node.id() != root.id() {
            let Some(center) = node.get("center") else {
                return Err(node.refuse("a node of a bisecting tree has no center"));
            };
            if floats(center)?.shape() != [columns] {
                return Err(
                    center.refuse("a center of a bisecting tree has not n_features_in_ numbers")
                );
            }
        }
        match (attribute(node, "left"), attribute(node, "right")) {
            (None, None) => {}
            (Some(left), Some(right)) => todo.extend([left, right]),
            _ => return Err(node.refuse("a node of a bisecting tree has one child")),
        }
    }
    Ok(())
}

/// What `labelling_at_cut` of scikit-learn 1.9.1 (`cluster/_hdbscan/_tree.pyx`, from `HDBSCAN.dbscan_clustering`) relies
/// on: for a tree of n rows it makes a union-find of `2 * n + 1` places and joins `left_node` and `right_node`, which
/// are places in it.
///
/// - `_single_linkage_tree_` is one row of records, whose `left_node` and `right_node` are in 0..=2n.
pub(super) fn verify_hdbscan(estimator: Value<'_>) -> Result<(), Refusal> {
    refuse_hidden_checks(estimator)?;
    let Some(tree) = attribute(estimator, "_single_linkage_tree_") else {
        return Ok(());
    };
    let Some(rows) = tree.array().filter(|rows| rows.shape().len() == 1) else {
        return Err(tree.refuse("a single linkage tree is not one row of records"));
    };
    let last = i64::try_from(rows.len())
        .unwrap_or(i64::MAX)
        .saturating_mul(2);
    for side in ["left_node", "right_node"] {
        let inside = rows
            .field(side)
            .and_then(|column| column.all_ints(|place| (0..=last).contains(&place)));
        if inside != Some(true) {
            return Err(tree.refuse("a node of a single linkage tree is outside it"));
        }
    }
    Ok(())
}

/// What `FeatureAgglomeration.transform` of scikit-learn 1.9.1 (`cluster/_feature_agglomeration.py`) relies on:
/// `numpy.bincount` takes memory for the largest label, once per row of the user's.
///
/// - `labels_` is one integer per column, in 0..`n_features_in_`.
pub(super) fn verify_feature_agglomeration(estimator: Value<'_>) -> Result<(), Refusal> {
    refuse_hidden_checks(estimator)?;
    let Some(labels) = attribute(estimator, "labels_") else {
        return Ok(());
    };
    let columns = width(estimator)?;
    let end = i64::try_from(columns).unwrap_or(i64::MAX);
    let fits = labels.array().filter(|array| array.shape() == [columns]);
    if fits.and_then(|array| array.all_ints(|label| (0..end).contains(&label))) != Some(true) {
        return Err(labels.refuse(
            "labels of a feature agglomeration are not one per column, in 0..n_features_in_",
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::attributes::given::Given;
    use super::*;
    use crate::dtype::DType;

    fn k_means() -> Given {
        Given::Object(
            "sklearn.cluster._kmeans.MiniBatchKMeans",
            Box::new(Given::Dict(vec![
                ("n_features_in_", Given::Int(2)),
                ("cluster_centers_", Given::zeros(&[3, 2])),
                ("_counts", Given::zeros(&[3])),
                ("_n_threads", Given::Int(2)),
            ])),
        )
    }

    fn with(name: &'static str, value: Given) -> Option<&'static str> {
        let mut model = k_means();
        model.set(name, value);
        model.refusal(verify)
    }

    #[test]
    fn centers_are_as_wide_as_the_input() {
        assert_eq!(k_means().refusal(verify), None);
        assert!(with("cluster_centers_", Given::zeros(&[3, 1])).is_some());
        assert!(with("cluster_centers_", Given::zeros(&[0, 2])).is_some());
        assert!(with("cluster_centers_", Given::zeros(&[6])).is_some());
        assert!(with("cluster_centers_", Given::None).is_some());
        assert!(with("n_features_in_", Given::None).is_some());
        assert!(with("_counts", Given::zeros(&[2])).is_some());
        assert!(with("_n_threads", Given::Int(0)).is_some());
        assert!(with("_n_threads", Given::Int(1 << 20)).is_some());
        assert!(with("_check_test_data", Given::Global("numpy.asarray")).is_some());
    }

    fn node(size: usize, children: [Given; 2]) -> Given {
        let [left, right] = children;
        Given::Object(
            "sklearn.cluster._bisect_k_means._BisectingTree",
            Box::new(Given::Dict(vec![
                ("center", Given::zeros(&[size])),
                ("score", Given::Float(1.0)),
                ("left", left),
                ("right", right),
            ])),
        )
    }

    #[test]
    fn a_bisecting_tree_is_a_tree() {
        let leaf = |size: usize| node(size, [Given::None, Given::None]);
        assert_eq!(with("_bisecting_tree", node(2, [leaf(2), leaf(2)])), None);
        assert!(with("_bisecting_tree", node(2, [leaf(2), leaf(1)])).is_some());
        assert!(with("_bisecting_tree", node(2, [leaf(2), Given::None])).is_some());
        assert!(with("_bisecting_tree", node(2, [leaf(2), k_means()])).is_some());
    }

    #[test]
    fn a_linkage_stays_inside_itself() {
        let linkage = |left: i64| {
            let field = |name: &str, dtype: &str| {
                (name.to_owned(), None, DType::parse(dtype).unwrap(), vec![])
            };
            let record = DType::record(vec![
                field("left_node", "<i8"),
                field("right_node", "<i8"),
                field("value", "<f8"),
            ]);
            let bytes = [
                left.to_le_bytes(),
                1_i64.to_le_bytes(),
                0.5_f64.to_le_bytes(),
            ]
            .concat();
            let state = Given::Dict(vec![(
                "_single_linkage_tree_",
                Given::Array(record.unwrap(), vec![1], bytes),
            )]);
            Given::Object("sklearn.cluster._hdbscan.hdbscan.HDBSCAN", Box::new(state))
                .refusal(verify_hdbscan)
        };
        assert_eq!(linkage(2), None);
        assert!(linkage(3).is_some());
        assert!(linkage(-1).is_some());
    }

    #[test]
    fn labels_of_columns_are_in_range() {
        let model = |labels: &[i64]| {
            let state = Given::Dict(vec![
                ("n_features_in_", Given::Int(2)),
                ("labels_", Given::longs(labels)),
            ]);
            let class = "sklearn.cluster._agglomerative.FeatureAgglomeration";
            Given::Object(class, Box::new(state)).refusal(verify_feature_agglomeration)
        };
        assert_eq!(model(&[1, 0]), None);
        assert!(model(&[1 << 40, 0]).is_some());
        assert!(model(&[-1, 0]).is_some());
        assert!(model(&[0]).is_some());
    }
}
