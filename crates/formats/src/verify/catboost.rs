//! CatBoost's estimators.

use std::collections::HashSet;

use super::{Refusal, Value};
use crate::catboost::parse;

/// The most threads and classes that a model may ask for.
const MOST_THREADS: i64 = 1024;
const MOST_CLASSES: i64 = 10_000;

/// What `__setstate__` of CatBoost 1.2.10 (`catboost/core.py`, `_CatBoostBase`) relies on: it hands the bytes under `__model`
/// to CatBoost's reader, which looks at offsets and at nothing that they lead to, copies the lists under `_test_eval` and
/// `_test_evals` into native vectors, and takes everything else for parameters. `predict` of a regressor asks for two raw
/// values of each row where the parameters name the loss `RMSEWithUncertainty`, whatever the model has. Paths among the
/// parameters, callbacks and losses of the user's own are for `fit` alone.
///
/// - The state is a plain `dict`, whose keys are texts.
/// - `__model`, where it is there, is `bytes` that keep the rules of `catboost.md`.
/// - `_test_eval` and `_test_evals` are lists of numbers in lists, each in one place.
/// - The loss among the parameters has as many raw values as the model.
/// - No parameter asks for more than 1024 threads or 10,000 classes.
pub(super) fn estimator(object: Value<'_>) -> Result<(), Refusal> {
    let entries = object.state().and_then(Value::entries);
    let Some(entries) = entries.filter(|_| object.is_object()) else {
        return Err(object.refuse("the state of a CatBoost estimator is not a dict"));
    };
    let mut dimension = None;
    let mut losses = Vec::new();
    for (key, value) in entries {
        let Some(name) = key.text() else {
            return Err(key.refuse("a parameter's name is not a text"));
        };
        match name {
            "__model" => {
                let Some(bytes) = value.bytes() else {
                    return Err(value.refuse("the model of a CatBoost estimator is not bytes"));
                };
                value.spend(bytes.len());
                let model = parse(bytes).map_err(|refused| value.refuse(refused.what))?;
                dimension = Some(model.dimension());
            }
            "_test_eval" | "_test_evals" => numbers(value)?,
            "loss_function" | "objective" => losses.push(value),
            _ => counts(name, value)?,
        }
    }
    for loss in losses {
        let name = loss.text().unwrap_or_default();
        if name.starts_with("RMSEWithUncertainty") && dimension.is_some_and(|count| count != 2) {
            return Err(loss.refuse("the loss does not have the dimensions of the model"));
        }
    }
    Ok(())
}

/// Lists in lists, each of which stands in one place, with numbers at the end.
fn numbers(value: Value<'_>) -> Result<(), Refusal> {
    let what = "values of a test set are not numbers in lists";
    let mut seen = HashSet::new();
    let mut todo = vec![value];
    while let Some(part) = todo.pop() {
        if let Some(items) = part.items() {
            // A list in two places would be copied for each.
            if !seen.insert(part.id()) {
                return Err(part.refuse(what));
            }
            todo.extend(items);
        } else if part.float().is_none() {
            return Err(part.refuse(what));
        }
    }
    Ok(())
}

/// A parameter that counts what native code makes room for.
fn counts(name: &str, value: Value<'_>) -> Result<(), Refusal> {
    let is_count = value.int().is_some() || value.big_int().is_some();
    let is_up_to = |most: i64| value.int().is_some_and(|count| count <= most);
    if name == "thread_count" && is_count && !is_up_to(MOST_THREADS) {
        return Err(value.refuse("a parameter asks for more than 1024 threads"));
    }
    if name == "classes_count" && is_count && !is_up_to(MOST_CLASSES) {
        return Err(value.refuse("a parameter asks for more than 10,000 classes"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::attributes::given::Given;
    use super::*;

    const MODEL: &[u8] = include_bytes!("../../../../cases/boosters/catboost_1.2.10_reg.cbm");
    const TWO: &[u8] = include_bytes!("../../../../cases/boosters/catboost_1.2.10_uncertainty.cbm");
    const CLASS: &str = "catboost.core.CatBoostRegressor";

    fn held() -> Given {
        let row = || Given::List(vec![Given::Float(1.0), Given::Int(2)]);
        let state = vec![
            ("__model", Given::Bytes(MODEL.to_vec())),
            (
                "_test_evals",
                Given::List(vec![Given::List(vec![row(), row()])]),
            ),
            ("loss_function", Given::Str("RMSE")),
            ("thread_count", Given::Int(2)),
            ("train_dir", Given::Str("catboost_info")),
        ];
        Given::Object(CLASS, Box::new(Given::Dict(state)))
    }

    fn with(name: &'static str, value: Given) -> Option<&'static str> {
        let mut given = held();
        given.set(name, value);
        given.refusal(estimator)
    }

    #[test]
    fn each_rule_of_an_estimator_is_held() {
        const NUMBERS: &str = "values of a test set are not numbers in lists";
        const BYTES: &str = "the model of a CatBoost estimator is not bytes";
        const LOSS: &str = "the loss does not have the dimensions of the model";
        const THREADS: &str = "a parameter asks for more than 1024 threads";
        assert_eq!(held().refusal(estimator), None);
        let unfitted = Given::Object(CLASS, Box::new(Given::Dict(vec![])));
        assert_eq!(unfitted.refusal(estimator), None);
        let mut wide = held();
        wide.set("__model", Given::Bytes(TWO.to_vec()));
        wide.set("objective", Given::Str("RMSEWithUncertainty"));
        assert_eq!(wide.refusal(estimator), None);
        let mut cut = MODEL.to_vec();
        cut.pop();
        for (name, value, what) in [
            ("__model", Given::None, BYTES),
            ("__model", Given::Str("CBM1"), BYTES),
            (
                "__model",
                Given::Bytes(vec![]),
                "the file does not start with CBM1",
            ),
            (
                "__model",
                Given::Bytes(cut),
                "a part of the model ends before it should",
            ),
            ("_test_evals", Given::None, NUMBERS),
            ("_test_eval", Given::List(vec![Given::Str("1")]), NUMBERS),
            ("loss_function", Given::Str("RMSEWithUncertainty"), LOSS),
            ("objective", Given::Str("RMSEWithUncertainty:x=1"), LOSS),
            ("thread_count", Given::Int(1025), THREADS),
            (
                "classes_count",
                Given::Int(10_001),
                "a parameter asks for more than 10,000 classes",
            ),
        ] {
            assert_eq!(with(name, value), Some(what), "{name}");
        }
        for given in [
            Given::Object(CLASS, Box::new(Given::List(vec![]))),
            Given::Construct(CLASS, Box::new(Given::Tuple(vec![]))),
        ] {
            let what = "the state of a CatBoost estimator is not a dict";
            assert_eq!(given.refusal(estimator), Some(what));
        }
    }
}
