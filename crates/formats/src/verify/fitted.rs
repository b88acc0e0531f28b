//! What fitted estimators have in common: the width that scikit-learn compares the user's rows with.

use super::attributes::refuse_names;
use super::{ArrayView, Refusal, Value};
use crate::dtype::Kind;

/// Names of the methods and properties that stand between the user's rows and native code (sorted; scikit-learn
/// 1.4 to 1.9). An attribute of an instance is found first, so none may have such a name.
const CHECKS: &[&str] = &[
    "__sklearn_is_fitted__",
    "__sklearn_tags__",
    "_allocate_parameter_mem",
    "_check_feature_names",
    "_check_n_features",
    "_check_test_data",
    "_fit",
    "_fit_binary",
    "_fit_multiclass",
    "_fit_one_class",
    "_fit_regressor",
    "_get_tags",
    "_more_tags",
    "_partial_fit",
    "_predict_recursive",
    "_random_reassign",
    "_transform",
    "_validate_data",
    "_validate_params",
    "fit",
    "partial_fit",
    "path",
    "predict",
    "score",
    "transform",
];

/// Refuses attributes that are not in a plain dict, or that hide a check.
pub(super) fn refuse_hidden_checks(estimator: Value<'_>) -> Result<(), Refusal> {
    refuse_names(estimator, CHECKS)
}

/// A fitted attribute: `None` where it is missing or `None`.
pub(super) fn attribute<'a>(estimator: Value<'a>, name: &str) -> Option<Value<'a>> {
    estimator.get(name).filter(|value| !value.is_none())
}

/// `n_features_in_`: how many columns the user's rows have. Without it scikit-learn checks nothing.
pub(super) fn width(estimator: Value<'_>) -> Result<usize, Refusal> {
    estimator
        .get("n_features_in_")
        .and_then(Value::int)
        .and_then(|count| usize::try_from(count).ok())
        .filter(|&count| count > 0)
        .ok_or_else(|| {
            estimator.refuse("n_features_in_ of a fitted estimator is missing or not a count")
        })
}

/// An array of floats of 4 or 8 bytes.
pub(super) fn floats(value: Value<'_>) -> Result<ArrayView<'_>, Refusal> {
    value
        .array()
        .filter(|array| {
            array.dtype().kind() == Kind::Float && matches!(array.dtype().itemsize(), 4 | 8)
        })
        .ok_or_else(|| value.refuse("a fitted attribute is not an array of float32 or float64"))
}

/// A matrix of floats: its rows and columns.
pub(super) fn matrix(value: Value<'_>) -> Result<(usize, usize), Refusal> {
    match floats(value)?.shape() {
        &[rows, columns] => Ok((rows, columns)),
        _ => Err(value.refuse("a fitted attribute does not have two axes")),
    }
}
