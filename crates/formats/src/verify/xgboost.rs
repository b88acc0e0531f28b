//! XGBoost's booster, and the estimators that hold one.

use super::attributes::refuse_names;
use super::{Refusal, Value};
use crate::xgboost::{CLASS, MOST_THREADS, parse_snapshot};

/// Names of what the estimators' own methods hand parameters and data to native code with (sorted).
const METHODS: &[&str] = &[
    "__sklearn_is_fitted__",
    "_can_use_inplace_predict",
    "_create_dmatrix",
    "_get_iteration_range",
    "get_booster",
    "get_params",
    "get_xgb_params",
    "predict",
    "predict_proba",
];

/// The words for the number of threads among the parameters (XGBoost 3.2.0, `src/context.cc`).
const THREADS: &[&str] = &["n_jobs", "nthread"];

/// What `Booster.__setstate__` of XGBoost 3.2.0 (`xgboost/core.py`) relies on: it hands the bytes under `handle` to XGBoost's
/// reader, which takes every length in them as it stands, and takes everything else for its own attributes.
///
/// - The state is a plain `dict` with `handle`, a `bytearray` that keeps the rules of a snapshot in `xgboost.md`.
pub(super) fn booster(object: Value<'_>) -> Result<(), Refusal> {
    refuse_names(object, &[])?;
    let held = object.get("handle").filter(|_| object.is_object());
    let Some((value, bytes)) = held.and_then(|value| Some((value, value.bytearray()?))) else {
        return Err(object.refuse("a booster does not have one snapshot"));
    };
    value.spend(bytes.len());
    parse_snapshot(bytes).map_err(|refused| value.refuse(refused.what))?;
    Ok(())
}

/// What `predict` of the estimators of XGBoost 3.2.0 (`xgboost/sklearn.py`) relies on: the booster, and the number of threads
/// that data is read with. The other parameters are for `fit`.
///
/// - `_Booster` is `None` or a booster.
/// - No parameter asks for more than 1024 threads.
/// - No attribute stands before a method that hands parameters on.
pub(super) fn estimator(object: Value<'_>) -> Result<(), Refusal> {
    refuse_names(object, METHODS)?;
    if let Some(held) = object.get("_Booster").filter(|held| !held.is_none())
        && held.class() != Some(CLASS)
    {
        return Err(held.refuse("_Booster is not a booster"));
    }
    for &name in THREADS {
        if let Some(value) = object.get(name) {
            threads(value)?;
        }
    }
    let Some(others) = object.get("kwargs").filter(|others| !others.is_none()) else {
        return Ok(());
    };
    let entries = others
        .entries()
        .ok_or_else(|| others.refuse("kwargs is not a dict"))?;
    for (key, value) in entries {
        if key.text().is_some_and(|name| THREADS.contains(&name)) {
            threads(value)?;
        }
    }
    Ok(())
}

fn threads(value: Value<'_>) -> Result<(), Refusal> {
    let counts = value.int().is_some() || value.big_int().is_some();
    if counts && value.int().is_none_or(|count| count > MOST_THREADS) {
        return Err(value.refuse("a parameter asks for more than 1024 threads"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::attributes::given::Given;
    use super::*;

    const SNAPSHOT: &[u8] =
        include_bytes!("../../../../cases/boosters/xgboost_3.2.0_binary.snapshot");

    fn held() -> Given {
        let state = vec![("handle", Given::ByteArray(SNAPSHOT.to_vec()))];
        Given::Object(CLASS, Box::new(Given::Dict(state)))
    }

    fn with(mut given: Given, name: &'static str, value: Given) -> Given {
        given.set(name, value);
        given
    }

    #[test]
    fn each_rule_of_a_booster_is_held() {
        const ONE: &str = "a booster does not have one snapshot";
        assert_eq!(held().refusal(booster), None);
        assert_eq!(
            with(held(), "best_iteration", Given::Int(3)).refusal(booster),
            None
        );
        let mut cut = SNAPSHOT.to_vec();
        cut.pop();
        for (value, what) in [
            (Given::None, ONE),
            (Given::Int(1 << 40), ONE),
            (Given::Str("{"), ONE),
            (Given::ByteArray(cut), "the file ends inside a value"),
        ] {
            let booster_ = with(held(), "handle", value);
            assert_eq!(booster_.refusal(booster), Some(what));
        }
        let empty = Given::Object(CLASS, Box::new(Given::Dict(vec![])));
        assert_eq!(empty.refusal(booster), Some(ONE));
        let called = Given::Construct(CLASS, Box::new(Given::Tuple(vec![])));
        assert_eq!(called.refusal(booster), Some(ONE));
    }

    #[test]
    fn each_rule_of_an_estimator_is_held() {
        const THREADS: &str = "a parameter asks for more than 1024 threads";
        let model = || {
            let state = vec![
                ("_Booster", held()),
                ("n_jobs", Given::Int(-1)),
                ("kwargs", Given::Dict(vec![("nthread", Given::Int(2))])),
            ];
            Given::Object("xgboost.sklearn.XGBRegressor", Box::new(Given::Dict(state)))
        };
        assert_eq!(model().refusal(estimator), None);
        for (name, value) in [
            ("_Booster", Given::None),
            ("n_jobs", Given::None),
            ("kwargs", Given::None),
        ] {
            assert_eq!(with(model(), name, value).refusal(estimator), None);
        }
        for (name, value, what) in [
            ("_Booster", Given::Int(1), "_Booster is not a booster"),
            ("n_jobs", Given::Int(1025), THREADS),
            ("nthread", Given::Int(1 << 40), THREADS),
            (
                "kwargs",
                Given::Dict(vec![("nthread", Given::Int(5000))]),
                THREADS,
            ),
            ("kwargs", Given::List(vec![]), "kwargs is not a dict"),
            (
                "get_booster",
                Given::Int(1),
                "an attribute has the name of a method or constant of its class",
            ),
        ] {
            assert_eq!(
                with(model(), name, value).refusal(estimator),
                Some(what),
                "{name}"
            );
        }
    }
}
