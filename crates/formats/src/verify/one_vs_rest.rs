//! One classifier per class.

use super::fitted::refuse_hidden_checks;
use super::{ArrayView, Refusal, Value};
use crate::graph::NodeId;
use std::collections::HashSet;

/// What `OneVsRestClassifier.predict` of scikit-learn 1.9.1 (`multiclass.py`, `_predict_binary`) relies on when its targets
/// are not multiclass: it flattens what `decision_function` of each estimator gives, and takes the places of what is
/// over a threshold for row indices of a CSC matrix with one row per row of the user's. An estimator that answers with
/// several columns gives places behind the last row, and `toarray` writes there.
///
/// - Each estimator in `estimators_`, and each in it that it hands the question to, answers with one column: two classes;
///   one row of coefficients
///   and one intercept; one tree per iteration; one constant; estimators of a bagging that do.
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
    Ok(())
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
    let one_row = estimator.get("coef_").is_none_or(|coefficients| {
        if let Some(array) = coefficients.array() {
            return matches!(array.shape(), [_] | [1, _]);
        }
        let shape = coefficients
            .get("shape")
            .and_then(Value::array)
            .and_then(|shape| shape.int_at(0));
        let attribute = coefficients.get("_shape").and_then(Value::items);
        shape.or_else(|| attribute?.first()?.int()) == Some(1)
    });
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
}
