//! Nearest neighbours.

use super::attributes::{count, refuse_names, string};
use super::{Refusal, Value, binary_tree, brute_force};
use crate::dtype::Kind;

/// Methods and constants that a query looks up on the instance, in scikit-learn 1.4 to 1.9.
const LOOKED_UP: &[&str] = &[
    "__sklearn_tags__",
    "_check_feature_names",
    "_check_n_features",
    "_check_novelty_decision_function",
    "_check_novelty_fit_predict",
    "_check_novelty_predict",
    "_check_novelty_score_samples",
    "_fit",
    "_get_tags",
    "_kneighbors_reduce_func",
    "_local_reachability_density",
    "_more_tags",
    "_predict",
    "_radius_neighbors_reduce_func",
    "_validate_data",
    "_validate_params",
    "decision_function",
    "fit",
    "fit_predict",
    "fit_transform",
    "kneighbors",
    "kneighbors_graph",
    "predict",
    "predict_proba",
    "radius_neighbors",
    "radius_neighbors_graph",
    "score",
    "score_samples",
    "transform",
];

/// More neighbors than rows make an error in `kneighbors`, except in `ArgKminClassMode`, which
/// allocates 16 bytes for each row of the input and neighbor. A model with fewer rows than
/// neighbors is legal.
const MOST_NEIGHBORS: usize = 1 << 16;

/// Estimators that derive from `NeighborsBase`: `KNeighbors*`, `RadiusNeighbors*`,
/// `NearestNeighbors` and `LocalOutlierFactor`. `Isomap`, `LocallyLinearEmbedding`,
/// `LabelPropagation` and others hold one of these.
///
/// With `_fit_method` `brute`, native code (scikit-learn 1.9.1
/// `metrics/_pairwise_distances_reduction/*.pyx.tp`, the same in 1.4 to 1.8, called from
/// `neighbors/_base.py` and `_classification.py`) compares the rows of the input with those of
/// `_fit_X`. It takes the width of a row from one of the two and never compares them
/// (`DenseDenseDatasetsPair`, `SparseDenseDatasetsPair`, `MiddleTermComputer`); it divides by the
/// number of rows of `_fit_X` (`BaseDistancesReduction.__init__`, built without a check for zero);
/// it reads `_y` by row of `_fit_X` and adds to a score at the column that stands there
/// (`ArgKminClassMode`, `RadiusNeighborsClassMode`: `weighted_histogram_mode`); it takes squared
/// norms from the keyword arguments of the metric without a look at their number
/// (`EuclideanArgKmin`, `EuclideanRadiusNeighbors`). A search for the nearest rows starts with the
/// index -1 and does not replace it where distances are not numbers
/// (`ArgKmin._parallel_on_Y_parallel_init`, `heap_push`); `kneighbors_graph` and the transformers
/// hand that index to scipy as a column. What Python checks of the input is that it has
/// `n_features_in_` columns, where that attribute exists, and that `n_neighbors` is not over
/// `n_samples_fit_`.
///
/// - The attributes stand in a dict, and none has the name of a method that a query calls.
/// - `_fit_method` is `brute`, `ball_tree` or `kd_tree`; without it nothing is fitted.
/// - `brute`: `_fit_X` is a C-ordered matrix or a CSR matrix with `n_samples_fit_` rows, at least
///   one, and `n_features_in_` columns, at least one. Not to have `n_features_in_` is allowed only
///   where the metric is `precomputed`; then `_fit_X` is square.
/// - `metric` and `effective_metric_` are both `precomputed` or neither is: the one decides whether
///   the width of the input is checked, the other what is done with it.
/// - Where a metric of native code searches through floats, no distance to an ordinary row can be
///   NaN: the data is finite and at most 1e100, variances, weights, `p` and the matrix of a metric
///   likewise within bounds (see `brute_force.rs`), no row is all zero where the metric divides by
///   the number of nonzero columns (Dice, `SokalSneath`), and no function computes the distance.
/// - A tree: `_tree` is one, and its data has `n_samples_fit_` rows; `n_features_in_`, if there,
///   needs no rule, since `query` and `query_radius` compare the width of the input with that of
///   the tree.
/// - The keyword arguments of the metric are in a dict, and hold no precomputed norms. All others
///   go to the constructor of a [`distance_metric`](super::distance_metric) and through
///   `_validate_data`, or to scipy.
/// - `n_neighbors` is at most 65,536 or the number of rows.
/// - The `_y` of a classifier, where it has one dimension, has one 64-bit integer per row, each
///   below the length of `classes_`.
///
/// No rule is needed for `weights`, `radius`, `leaf_size`, `p`, `n_jobs`, `outlier_label_`, the
/// `_y` of a regressor or of several outputs, `_lrd`, `_distances_fit_X_`,
/// `_neighbors_indices_fit_X_` and `offset_`: only Python and numpy, which check indices and
/// shapes, see them. The same is true of all of `KernelDensity` (`neighbors/_kde.py`) but its tree,
/// whose own row covers it.
pub(super) fn verify(estimator: Value<'_>) -> Result<(), Refusal> {
    refuse_names(estimator, LOOKED_UP)?;
    let Some(method) = estimator.get("_fit_method") else {
        return Ok(());
    };
    for parameters in ["effective_metric_params_", "metric_params"] {
        if let Some(parameters) = estimator.get(parameters) {
            verify_parameters(parameters)?;
        }
    }
    let Some(rows) = count(estimator.get("n_samples_fit_")).filter(|&rows| rows > 0) else {
        return Err(estimator.refuse("n_samples_fit_ is not a positive integer"));
    };
    match string(method).as_deref() {
        Some("brute") => brute_force::verify(estimator, rows)?,
        Some("ball_tree" | "kd_tree") => {
            if estimator.get("_tree").and_then(binary_tree::rows) != Some(rows) {
                return Err(
                    estimator.refuse("_tree is not a neighbors tree with n_samples_fit_ rows")
                );
            }
        }
        _ => return Err(method.refuse("_fit_method is not brute, ball_tree or kd_tree")),
    }
    if let Some(neighbors) = estimator.get("n_neighbors")
        && neighbors
            .int()
            .and_then(|count| usize::try_from(count).ok())
            .is_some_and(|count| count > rows.max(MOST_NEIGHBORS))
    {
        return Err(neighbors.refuse("n_neighbors is far over the number of rows"));
    }
    if matches!(
        estimator.class(),
        Some(
            "sklearn.neighbors._classification.KNeighborsClassifier"
                | "sklearn.neighbors._classification.RadiusNeighborsClassifier"
        )
    ) {
        verify_labels(estimator, rows)?;
    }
    Ok(())
}

fn verify_parameters(parameters: Value<'_>) -> Result<(), Refusal> {
    if parameters.is_none() {
        return Ok(());
    }
    if parameters.class() != Some("builtins.dict") {
        return Err(parameters.refuse("the keyword arguments of a metric are not in a dict"));
    }
    for (key, _) in parameters.entries().unwrap_or_default() {
        if matches!(key.text(), None | Some("X_norm_squared" | "Y_norm_squared")) {
            return Err(key.refuse("the keyword arguments of a metric hold precomputed norms or a key that is not a string"));
        }
    }
    Ok(())
}

fn verify_labels(classifier: Value<'_>, rows: usize) -> Result<(), Refusal> {
    let Some(labels) = classifier.get("_y") else {
        return Err(classifier.refuse("a neighbors classifier has no _y"));
    };
    let Some(array) = labels.array().filter(|array| array.is(Kind::Int, 8)) else {
        return Err(
            labels.refuse("_y of a neighbors classifier is not an array of 64-bit integers")
        );
    };
    if array.shape().first() != Some(&rows) {
        return Err(labels.refuse("_y of a neighbors classifier does not have one label per row"));
    }
    if array.shape().len() != 1 {
        return Ok(());
    }
    let Some(classes) = classifier.get("classes_") else {
        return Err(classifier.refuse("a neighbors classifier has no classes_"));
    };
    let Some(classes) = vector_len(classes) else {
        return Err(classes.refuse("classes_ of one output is not a vector"));
    };
    let known = |label: i64| usize::try_from(label).is_ok_and(|label| label < classes);
    if array.all_ints(known) != Some(true) {
        return Err(
            labels.refuse("_y of a neighbors classifier holds a label that is not in classes_")
        );
    }
    Ok(())
}

/// The length of a vector of numbers, strings or Python objects.
pub(super) fn vector_len(value: Value<'_>) -> Option<usize> {
    if let Some(array) = value.array() {
        let &[len] = array.shape() else { return None };
        return Some(len);
    }
    let &[len] = value.object_shape()?.as_slice() else {
        return None;
    };
    usize::try_from(len)
        .ok()
        .filter(|&len| value.items().is_some_and(|items| items.len() == len))
}

#[cfg(test)]
mod tests {
    use super::super::attributes::given::Given;
    use super::*;

    fn classifier() -> Given {
        Given::Object(
            "sklearn.neighbors._classification.KNeighborsClassifier",
            Box::new(Given::Dict(vec![
                ("n_neighbors", Given::Int(5)),
                ("metric", Given::Str("minkowski")),
                ("metric_params", Given::None),
                ("effective_metric_", Given::Str("euclidean")),
                ("effective_metric_params_", Given::Dict(vec![])),
                ("_fit_method", Given::Str("brute")),
                ("_fit_X", Given::zeros(&[3, 2])),
                ("_tree", Given::None),
                ("n_samples_fit_", Given::Int(3)),
                ("n_features_in_", Given::Int(2)),
                ("_y", Given::longs(&[1, 0, 1])),
                ("classes_", Given::longs(&[10, 20])),
            ])),
        )
    }

    #[test]
    fn a_classifier_as_scikit_learn_writes_it_is_verified() {
        assert_eq!(classifier().refusal(verify), None);
        let unfitted = Given::Object(
            "sklearn.neighbors._unsupervised.NearestNeighbors",
            Box::new(Given::Dict(vec![("n_neighbors", Given::Int(5))])),
        );
        assert_eq!(unfitted.refusal(verify), None);
    }

    #[test]
    fn each_rule_of_a_classifier_is_held() {
        let norms = || Given::Dict(vec![("Y_norm_squared", Given::zeros(&[1]))]);
        for (name, value, what) in [
            (
                "kneighbors",
                Given::Global("numpy.asarray"),
                "an attribute has the name of a method or constant of its class",
            ),
            (
                "_fit_X",
                Given::zeros(&[3, 3]),
                "n_features_in_ is not the number of columns of _fit_X",
            ),
            (
                "_fit_X",
                Given::zeros(&[2, 2]),
                "_fit_X does not have n_samples_fit_ rows and at least one column",
            ),
            (
                "_fit_X",
                Given::zeros(&[6]),
                "_fit_X is not a C-ordered matrix or a CSR matrix",
            ),
            (
                "n_samples_fit_",
                Given::Int(0),
                "n_samples_fit_ is not a positive integer",
            ),
            (
                "n_neighbors",
                Given::Int(100_000),
                "n_neighbors is far over the number of rows",
            ),
            (
                "effective_metric_params_",
                norms(),
                "the keyword arguments of a metric hold precomputed norms or a key that is not a string",
            ),
            (
                "metric",
                Given::Str("precomputed"),
                "one of metric and effective_metric_ is precomputed and the other is not",
            ),
            (
                "_fit_method",
                Given::Str("kd_tree"),
                "_tree is not a neighbors tree with n_samples_fit_ rows",
            ),
            (
                "_y",
                Given::longs(&[1, 0]),
                "_y of a neighbors classifier does not have one label per row",
            ),
            (
                "_y",
                Given::longs(&[1, 0, 2]),
                "_y of a neighbors classifier holds a label that is not in classes_",
            ),
            (
                "_y",
                Given::longs(&[1, 0, -1]),
                "_y of a neighbors classifier holds a label that is not in classes_",
            ),
            (
                "classes_",
                Given::longs(&[10]),
                "_y of a neighbors classifier holds a label that is not in classes_",
            ),
        ] {
            let mut changed = classifier();
            changed.set(name, value);
            assert_eq!(changed.refusal(verify), Some(what), "{name}");
        }
        let mut changed = classifier();
        changed.remove("n_features_in_");
        assert_eq!(
            changed.refusal(verify),
            Some("n_features_in_ is not the number of columns of _fit_X")
        );
    }

    #[test]
    fn the_state_of_an_estimator_is_a_dict() {
        let hidden = Given::Object(
            "sklearn.neighbors._unsupervised.NearestNeighbors",
            Box::new(Given::Tuple(vec![])),
        );
        assert_eq!(
            hidden.refusal(verify),
            Some("the attributes of an estimator are not in a dict")
        );
    }
}
