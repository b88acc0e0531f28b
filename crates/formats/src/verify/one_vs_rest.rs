//! One classifier per class.

use super::fitted::refuse_hidden_checks;
use super::{ArrayView, Refusal, Value};
use crate::graph::NodeId;
use std::collections::HashSet;

/// Attributes that numpy adds to a row or multiplies it with, and how many axes they have at most: with one more, the
/// answer to one row of input has many. Found by making each attribute of each estimator of scikit-learn 1.9.1 larger.
const AXES: &[(&str, usize)] = &[
    ("_y_train_mean", 1),
    ("_y_train_std", 1),
    ("class_log_prior_", 1),
    ("class_prior_", 1),
    ("classes_", 1),
    ("coef_", 2),
    ("components_", 2),
    ("gamma", 0),
    ("mean_", 1),
    ("mean_precision_", 1),
    ("means_", 2),
    ("normalization_", 2),
    ("offset_", 1),
    ("priors_", 1),
    ("scalings_", 2),
    ("theta_", 2),
    ("var_", 2),
    ("weights_", 1),
    ("xbar_", 1),
];

/// Attributes that are one number in a model of two classes.
const NUMBERS: &[&str] = &["_y_train_mean", "_y_train_std", "intercept_", "offset_"];

/// Functions of numpy that give a row for each row.
#[rustfmt::skip]
const OF_ROWS: &[&str] = &[
    "absolute", "angle", "arccos", "arccosh", "arcsin", "arcsinh", "arctan", "arctanh", "around", "array", "asanyarray",
    "asarray", "ascontiguousarray", "asfortranarray", "cbrt", "ceil", "clip", "conjugate", "copy", "cos", "cosh",
    "deg2rad", "degrees", "exp", "exp2", "expm1", "fabs", "fix", "floor", "i0", "isfinite", "isinf", "isnan", "log",
    "log10", "log1p", "log2", "logical_not", "nan_to_num", "negative", "positive", "rad2deg", "radians", "real",
    "reciprocal", "rint", "round", "sign", "signbit", "sin", "sinc", "sinh", "sqrt", "square", "tan", "tanh", "trunc",
];

/// What `OneVsRestClassifier.predict` of scikit-learn 1.9.1 (`multiclass.py`, `_predict_binary`) relies on when its targets
/// are not multiclass: it flattens what `decision_function` of each estimator gives, and takes the places of what is
/// over a threshold for row indices of a CSC matrix with one row per row of the user's. An estimator that answers with
/// several columns, or with more rows than it was asked for, gives places behind the last row, and `toarray` writes there.
///
/// - Each estimator in `estimators_`, and each in it that it hands the question to, answers with one column: two classes;
///   one row of coefficients; one tree per iteration; one constant; estimators of a bagging that do.
/// - Nothing below makes more rows: the attributes in [`AXES`] have no more axes than scikit-learn gives them, coefficients are
///   one row and intercepts one number; a `FunctionTransformer` calls nothing, or a function that gives a row for each row, with
///   numbers and text beside it (code of other packages is the user's own); there is no `PatchExtractor`.
/// - No attribute hides a check.
pub(super) fn verify(classifier: Value<'_>) -> Result<(), Refusal> {
    refuse_hidden_checks(classifier)?;
    let Some(estimators) = classifier.get("estimators_") else {
        return Ok(());
    };
    let kind = classifier
        .get("label_binarizer_")
        .and_then(|binarizer| binarizer.get("y_type_"));
    if kind.and_then(Value::text) == Some("multiclass") {
        return Ok(());
    }
    let Some(mut todo) = estimators.items() else {
        return Err(estimators.refuse("estimators_ is not a list"));
    };
    let mut seen: HashSet<NodeId> = HashSet::new();
    while let Some(estimator) = todo.pop() {
        if !seen.insert(estimator.id()) {
            continue;
        }
        if !has_one_column(estimator) {
            return Err(
                estimator.refuse("an estimator of one class answers with more than one column")
            );
        }
        todo.extend(handed_to(estimator));
    }
    let mut seen: HashSet<NodeId> = HashSet::new();
    let mut todo = vec![estimators];
    while let Some(value) = todo.pop() {
        if !seen.insert(value.id()) {
            continue;
        }
        if makes_rows(value) {
            return Err(value.refuse(
                "an estimator of one class may answer with more rows than it is asked for",
            ));
        }
        todo.extend(value.children());
    }
    Ok(())
}

/// Whether an object, or the dict of its attributes, may make more rows of its input.
fn makes_rows(value: Value<'_>) -> bool {
    match value.class() {
        Some("sklearn.feature_extraction.image.PatchExtractor") => return true,
        Some("sklearn.preprocessing._function_transformer.FunctionTransformer") => {
            let known = |name: &str| value.get(name).is_none_or(keeps_rows);
            let plain = |name: &str| value.get(name).is_none_or(has_plain_values);
            return !(known("func")
                && known("inverse_func")
                && plain("kw_args")
                && plain("inv_kw_args"));
        }
        _ => {}
    }
    let broken = |name: &str, value: Value<'_>| {
        let most = AXES.iter().find(|row| row.0 == name).map(|row| row.1);
        let is_number = NUMBERS.contains(&name);
        if most.is_none() && !is_number {
            return false;
        }
        let Some((axes, count)) = size(value) else {
            return true;
        };
        most.is_some_and(|most| axes > most)
            || (is_number && count != 1)
            || (name == "coef_" && !value.is_none() && !is_one_row(value))
    };
    let entries = value.entries().unwrap_or_default();
    entries
        .into_iter()
        .any(|(key, value)| key.text().is_some_and(|name| broken(name, value)))
}

/// Whether a function gives a row for each row, or is none that comes with a library.
fn keeps_rows(function: Value<'_>) -> bool {
    if function.is_none() {
        return true;
    }
    let Some((module, name)) = function.global().and_then(|name| name.rsplit_once('.')) else {
        return false;
    };
    match module.split('.').next().unwrap_or_default() {
        "numpy" => OF_ROWS.contains(&name),
        "scipy" => module.starts_with("scipy.special"),
        "sklearn" => module == "sklearn.preprocessing._data" || module.starts_with("sklearn.utils"),
        "builtins" | "collections" | "functools" | "operator" => false,
        _ => true,
    }
}

fn has_plain_values(arguments: Value<'_>) -> bool {
    let is_plain =
        |value: Value<'_>| value.is_none() || value.is_string() || value.float().is_some();
    arguments.is_none()
        || arguments
            .entries()
            .is_some_and(|entries| entries.into_iter().all(|entry| is_plain(entry.1)))
}

/// How many axes and elements a value has for numpy: a list has one more than its items, a sparse container two.
fn size(value: Value<'_>) -> Option<(usize, usize)> {
    let Some(items) = value.items().filter(|_| value.object_shape().is_none()) else {
        return size_of_one(value);
    };
    let mut axes = 0;
    let mut count = 0_usize;
    for item in items {
        let one = size_of_one(item)?;
        axes = one.0.max(axes);
        count = count.saturating_add(one.1);
    }
    Some((axes.saturating_add(1), count))
}

fn size_of_one(value: Value<'_>) -> Option<(usize, usize)> {
    if value.is_none() || value.is_string() || value.float().is_some() {
        return Some((0, 1));
    }
    if let Some(array) = value.array() {
        return Some((array.shape().len(), array.len()));
    }
    if let Some(shape) = value.object_shape() {
        return Some((shape.len(), value.items()?.len()));
    }
    let is_sparse = value
        .class()
        .is_some_and(|class| class.starts_with("scipy.sparse."));
    is_sparse.then_some((2, 0))
}

/// Whether coefficients are one row: of an array, or of a sparse container.
fn is_one_row(coefficients: Value<'_>) -> bool {
    if let Some(array) = coefficients.array() {
        return matches!(array.shape(), [_] | [1, _]);
    }
    let shape = coefficients
        .get("shape")
        .and_then(Value::array)
        .and_then(|shape| shape.int_at(0));
    let attribute = coefficients.get("_shape").and_then(Value::items);
    shape.or_else(|| attribute?.first()?.int()) == Some(1)
}

fn has_one_column(estimator: Value<'_>) -> bool {
    let length = |value: Value<'_>| value.array().map(ArrayView::len);
    let is_one = |name: &str, one: i64| {
        estimator
            .get(name)
            .is_none_or(|value| value.int() == Some(one))
    };
    // The constant of a class that all rows have, or that none has.
    let one_constant = estimator.class() != Some("sklearn.multiclass._ConstantPredictor")
        || estimator.get("y_").is_none_or(|y| length(y) == Some(1));
    let two_classes = estimator.get("classes_").is_none_or(|classes| {
        length(classes).or_else(|| classes.items().map(|items| items.len())) == Some(2)
    });
    let one_row = estimator.get("coef_").is_none_or(is_one_row);
    one_constant
        && two_classes
        && one_row
        && is_one("n_trees_per_iteration_", 1)
        && is_one("n_classes_", 2)
}

/// The estimators whose `decision_function` an estimator answers with.
fn handed_to(estimator: Value<'_>) -> Vec<Value<'_>> {
    let class = estimator.class().unwrap_or_default();
    let mut found: Vec<Value<'_>> = ["best_estimator_", "estimator_", "final_estimator_"]
        .iter()
        .filter_map(|name| estimator.get(name))
        .collect();
    if class.starts_with("sklearn.frozen.")
        || class.starts_with("sklearn.model_selection._classification_threshold.")
    {
        found.extend(estimator.get("estimator"));
    }
    if class == "sklearn.pipeline.Pipeline" {
        let steps = estimator
            .get("steps")
            .and_then(Value::items)
            .unwrap_or_default();
        found.extend(steps.last().and_then(|step| step.items()?.last().copied()));
    }
    if class.starts_with("sklearn.ensemble._bagging.")
        || class == "sklearn.multiclass.OneVsRestClassifier"
    {
        found.extend(
            estimator
                .get("estimators_")
                .and_then(Value::items)
                .unwrap_or_default(),
        );
    }
    found
}

#[cfg(test)]
mod tests {
    use super::super::attributes::given::Given;
    use super::*;

    fn logistic(rows: usize) -> Given {
        let state = Given::Dict(vec![
            ("classes_", Given::longs(&[0, 1])),
            ("coef_", Given::zeros(&[rows, 4])),
        ]);
        Given::Object(
            "sklearn.linear_model._logistic.LogisticRegression",
            Box::new(state),
        )
    }

    fn predicts(kind: &'static str, estimator: Given) -> Option<&'static str> {
        let binarizer = Given::Dict(vec![("y_type_", Given::Str(kind))]);
        let class = "sklearn.preprocessing._label.LabelBinarizer";
        let state = Given::Dict(vec![
            (
                "label_binarizer_",
                Given::Object(class, Box::new(binarizer)),
            ),
            ("estimators_", Given::List(vec![logistic(1), estimator])),
        ]);
        Given::Object("sklearn.multiclass.OneVsRestClassifier", Box::new(state)).refusal(verify)
    }

    #[test]
    fn an_estimator_of_one_class_has_one_column() {
        assert_eq!(predicts("multilabel-indicator", logistic(1)), None);
        assert_eq!(predicts("multiclass", logistic(3)), None);
        assert!(predicts("multilabel-indicator", logistic(3)).is_some());
        assert!(predicts("binary", logistic(3)).is_some());
        let pipeline = |last: Given| {
            let step = Given::Tuple(vec![Given::Str("last"), last]);
            let state = Given::Dict(vec![("steps", Given::List(vec![step]))]);
            Given::Object("sklearn.pipeline.Pipeline", Box::new(state))
        };
        assert_eq!(predicts("binary", pipeline(logistic(1))), None);
        assert!(predicts("binary", pipeline(logistic(3))).is_some());
    }

    #[test]
    fn nothing_below_makes_rows() {
        let pipeline = |first: Given| {
            let step = |name, estimator| Given::Tuple(vec![Given::Str(name), estimator]);
            let steps = Given::List(vec![step("first", first), step("last", logistic(1))]);
            Given::Object(
                "sklearn.pipeline.Pipeline",
                Box::new(Given::Dict(vec![("steps", steps)])),
            )
        };
        let function = |name: &'static str, arguments: Given| {
            let state = Given::Dict(vec![("func", Given::Global(name)), ("kw_args", arguments)]);
            let class = "sklearn.preprocessing._function_transformer.FunctionTransformer";
            predicts("binary", pipeline(Given::Object(class, Box::new(state))))
        };
        assert_eq!(function("numpy.log1p", Given::None), None);
        assert_eq!(
            function(
                "numpy.clip",
                Given::Dict(vec![("a_min", Given::Float(0.0))])
            ),
            None
        );
        assert!(function("numpy.argwhere", Given::None).is_some());
        assert!(
            function(
                "numpy.clip",
                Given::Dict(vec![("a_min", Given::zeros(&[9, 4]))])
            )
            .is_some()
        );
        let analysis = |mean: &[usize]| {
            let state = Given::Dict(vec![("mean_", Given::zeros(mean))]);
            let class = "sklearn.decomposition._factor_analysis.FactorAnalysis";
            predicts("binary", pipeline(Given::Object(class, Box::new(state))))
        };
        assert_eq!(analysis(&[4]), None);
        assert!(analysis(&[9, 4]).is_some());
        for many in [Given::zeros(&[9]), Given::List(vec![Given::Float(0.0); 9])] {
            let mut intercept = logistic(1);
            intercept.set("intercept_", many);
            assert!(predicts("binary", intercept).is_some());
        }
    }
}
