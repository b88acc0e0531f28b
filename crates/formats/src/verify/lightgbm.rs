//! LightGBM's booster, and the estimators that hold one.

use std::collections::HashSet;

use super::attributes::refuse_names;
use super::{ArrayView, Refusal, Value};
use crate::dtype::Kind;
use crate::lightgbm::{CLASS, MOST_CLASSES, dimensions, parse};

/// The most threads that a model may ask for. OpenMP ends the process where it can't start them.
const MOST_THREADS: i64 = 1024;

/// Names of what the estimators' own methods hand parameters to native code with (sorted).
const METHODS: &[&str] = &[
    "__sklearn_is_fitted__",
    "_get_param_names",
    "_process_n_jobs",
    "_process_params",
    "get_params",
    "predict",
];

/// The words for the number of threads among the parameters (LightGBM 4.7.0, `src/io/config_auto.cpp`).
const THREADS: &[&str] = &["n_jobs", "nthread", "nthreads", "num_thread", "num_threads"];

/// The words for the number of classes.
const CLASSES: &[&str] = &["num_class", "num_classes"];

/// What `Booster.__setstate__` of LightGBM 4.7.0 (`lightgbm/basic.py`) relies on: it hands the text under `_handle` (before
/// 4.0 `handle`) to LightGBM's reader, which trusts every count in it, and takes everything else for its own attributes.
/// A booster without a handle hands a null pointer to each function; `eval_train` asks for data sets that a file can't hold.
///
/// - The state is a plain `dict` with one of `_handle` and `handle`, a text that keeps the rules of `lightgbm.md`.
/// - `pandas_categorical` has the columns and the numbers of categories that the text has, each a text or a number.
/// - There are no data sets.
pub(super) fn booster(object: Value<'_>) -> Result<(), Refusal> {
    refuse_names(object, &[])?;
    let (value, text) = handle(object)?;
    value.spend(text.len());
    let booster = parse(text).map_err(|refused| value.refuse(refused.what))?;
    if let Some(categories) = object.get("pandas_categorical") {
        let same = match booster.pandas_columns() {
            None => categories.is_none(),
            Some(counts) => columns(categories).as_deref() == Some(counts),
        };
        if !same {
            let what = "pandas_categorical is not that of the booster's text";
            return Err(categories.refuse(what));
        }
    }
    for (name, value) in attributes(object) {
        let is_none = value.is_none() || value.int() == Some(0);
        if name == "_Booster__num_dataset" && !is_none {
            return Err(value.refuse("a booster counts data sets, which a file does not hold"));
        }
    }
    if let Some(data) = object.get("train_set").filter(|data| !data.is_none()) {
        return Err(data.refuse("a booster counts data sets, which a file does not hold"));
    }
    match object.get("_Booster__init_predictor") {
        Some(predictor) if !predictor.is_none() && predictor.class() != Some(PREDICTOR) => {
            Err(predictor.refuse("what a booster was started from is not a predictor"))
        }
        _ => Ok(()),
    }
}

/// What a booster that went on from another one keeps of it.
const PREDICTOR: &str = "lightgbm.basic._InnerPredictor";

/// What `_InnerPredictor.__del__` of LightGBM 4.7.0 (`lightgbm/basic.py`) relies on: it frees what its handle points to. Its
/// `__getstate__` leaves the handle out.
///
/// - The state is a plain `dict` without a handle.
pub(super) fn predictor(object: Value<'_>) -> Result<(), Refusal> {
    refuse_names(object, &[])?;
    for name in ["_handle", "handle"] {
        if let Some(handle) = object.get(name) {
            return Err(handle.refuse("a predictor has a handle of its own"));
        }
    }
    Ok(())
}

/// What `predict` of the estimators of LightGBM 4.7.0 (`lightgbm/sklearn.py`, `LGBMModel._process_params`) relies on: it
/// writes all parameters into one text, `name=value` between spaces, for `Config::Set` (`src/io/config.cpp`), which starts as
/// many threads as it says and makes room for the square of the classes.
///
/// - `_Booster` is `None` or a booster; `_n_features` and `_n_features_in` are the features of its text; `_n_classes`, where it
///   is more than 2, is its number of classes.
/// - No parameter asks for more than 1024 threads or 10,000 classes, or has a second parameter in its text or its name.
/// - No attribute stands before a method that hands parameters on.
pub(super) fn estimator(object: Value<'_>) -> Result<(), Refusal> {
    refuse_names(object, METHODS)?;
    if let Some(held) = object.get("_Booster").filter(|held| !held.is_none()) {
        if held.class() != Some(CLASS) {
            return Err(held.refuse("_Booster is not a booster"));
        }
        let (value, text) = handle(held)?;
        let (num_features, num_class) =
            dimensions(text).map_err(|refused| value.refuse(refused.what))?;
        for name in ["_n_features", "_n_features_in"] {
            let Some(features) = object.get(name) else {
                continue;
            };
            if features.int() != Some(i64::from(num_features)) {
                let what = "_n_features or _n_features_in is not that of the booster's text";
                return Err(features.refuse(what));
            }
        }
        if let Some(classes) = object.get("_n_classes") {
            let several = classes.int().filter(|&count| count > 2);
            let is_other = |count| count != i64::from(num_class);
            if classes.int().is_none() || several.is_some_and(is_other) {
                return Err(classes.refuse("_n_classes is not that of the booster's text"));
            }
        }
    }
    let others = match object.get("_other_params") {
        None => Vec::new(),
        Some(others) => others
            .entries()
            .ok_or_else(|| others.refuse("_other_params is not a dict"))?,
    };
    for (key, value) in others {
        let Some(name) = key.text().filter(|name| is_one_word(name)) else {
            return Err(key.refuse("a parameter's name is not one word"));
        };
        parameter(name, value)?;
    }
    for (name, value) in attributes(object) {
        let is_parameter = !name.starts_with('_') && !name.ends_with('_') && name != "class_weight";
        if is_parameter || matches!(name, "_objective" | "_eval_at") {
            parameter(name, value)?;
        }
    }
    Ok(())
}

/// The text of a booster.
fn handle(object: Value<'_>) -> Result<(Value<'_>, &str), Refusal> {
    match (object.get("_handle"), object.get("handle")) {
        (Some(value), None) | (None, Some(value)) if object.is_object() => {
            value.text().map(|text| (value, text))
        }
        _ => None,
    }
    .ok_or_else(|| object.refuse("a booster does not have one text"))
}

fn attributes(object: Value<'_>) -> impl Iterator<Item = (&str, Value<'_>)> {
    let entries = object.state().and_then(Value::entries).unwrap_or_default();
    entries
        .into_iter()
        .filter_map(|(key, value)| Some((key.text()?, value)))
}

/// The number of categories of each column; `None` where the value is not lists of texts and numbers.
fn columns(value: Value<'_>) -> Option<Vec<u32>> {
    let count = |column: Value<'_>| {
        let categories = column.items()?;
        let plain = categories.iter().all(|&category| is_plain(category));
        u32::try_from(categories.len()).ok().filter(|_| plain)
    };
    value.items()?.into_iter().map(count).collect()
}

/// A text or a number of Python or numpy, or none.
fn is_plain(value: Value<'_>) -> bool {
    value.is_none() || value.is_string() || value.big_int().is_some() || is_number(value)
}

fn is_number(value: Value<'_>) -> bool {
    value.float().is_some() || value.int().is_some() || value.boolean().is_some()
}

fn is_one_word(text: &str) -> bool {
    !text.contains(['=', ' ', '\t', '\n', '\r'])
}

fn is_of_numbers(array: ArrayView<'_>) -> bool {
    let kind = array.dtype().kind();
    matches!(kind, Kind::Bool | Kind::Int | Kind::UInt | Kind::Float)
}

/// One parameter with its value.
fn parameter(name: &str, value: Value<'_>) -> Result<(), Refusal> {
    let is_up_to = |most: i64| value.int().is_some_and(|count| count <= most);
    let counts = value.int().is_some() || value.big_int().is_some();
    if THREADS.contains(&name) && counts && !is_up_to(MOST_THREADS) {
        return Err(value.refuse("a parameter asks for more than 1024 threads"));
    }
    if CLASSES.contains(&name) && counts && !is_up_to(i64::from(MOST_CLASSES)) {
        return Err(value.refuse("a parameter asks for more than 10,000 classes"));
    }
    let mut seen = HashSet::new();
    let mut todo = vec![value];
    while let Some(part) = todo.pop() {
        // A text of letters that Rust has no form for reaches native code neither: it can't be encoded.
        let second = |text: &str| text.contains('=') && text.contains([' ', '\t', '\n', '\r']);
        if part.text().is_some_and(second) {
            return Err(part.refuse("a parameter has a second one in its text"));
        }
        if let Some(items) = part.items() {
            if seen.insert(part.id()) {
                todo.extend(items);
            }
        } else if part.id() != value.id() && !is_plain(part) {
            return Err(part.refuse("a parameter is a list of other things than texts and numbers"));
        } else if part.array().is_some_and(|array| !is_of_numbers(array)) {
            return Err(part.refuse("a parameter is an array of other things than numbers"));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::attributes::given::Given;
    use super::*;
    use crate::dtype::DType;

    const TEXT: &str = include_str!("../../../../cases/boosters/lightgbm_4.7.0_const.lgb");
    const CATEGORIES: &str = "pandas_categorical is not that of the booster's text";

    fn held() -> Given {
        let state = vec![
            ("_handle", Given::Str(TEXT)),
            ("pandas_categorical", Given::None),
            ("_Booster__num_dataset", Given::Int(0)),
            ("_Booster__init_predictor", Given::None),
        ];
        Given::Object(CLASS, Box::new(Given::Dict(state)))
    }

    fn with(mut given: Given, name: &'static str, value: Given) -> Given {
        given.set(name, value);
        given
    }

    #[test]
    fn each_rule_of_a_booster_is_held() {
        const ONE: &str = "a booster does not have one text";
        const DATA: &str = "a booster counts data sets, which a file does not hold";
        assert_eq!(held().refusal(booster), None);
        let mut older = with(held(), "handle", Given::Str(TEXT));
        assert_eq!(older.refusal(booster), Some(ONE));
        older.remove("_handle");
        assert_eq!(older.refusal(booster), None);
        for (name, value, what) in [
            ("_handle", Given::None, ONE),
            ("_handle", Given::Int(1 << 40), ONE),
            (
                "_handle",
                Given::Str("tree\n"),
                "the line version is not here",
            ),
            ("pandas_categorical", Given::List(vec![]), CATEGORIES),
            ("pandas_categorical", Given::Int(1), CATEGORIES),
            ("_Booster__num_dataset", Given::Int(1), DATA),
            ("_Booster__num_dataset", Given::Str("0"), DATA),
            ("train_set", Given::Int(1), DATA),
            (
                "_Booster__init_predictor",
                held(),
                "what a booster was started from is not a predictor",
            ),
        ] {
            assert_eq!(
                with(held(), name, value).refusal(booster),
                Some(what),
                "{name}"
            );
        }
        let empty = Given::Object(CLASS, Box::new(Given::Dict(vec![])));
        assert_eq!(empty.refusal(booster), Some(ONE));
        let called = Given::Construct(CLASS, Box::new(Given::Tuple(vec![])));
        assert_eq!(called.refusal(booster), Some(ONE));
    }

    #[test]
    fn a_predictor_has_no_handle() {
        let plain = Given::Object(PREDICTOR, Box::new(Given::Dict(vec![])));
        assert_eq!(plain.refusal(predictor), None);
        for name in ["_handle", "handle"] {
            assert_eq!(
                with(plain.clone(), name, Given::Int(1 << 40)).refusal(predictor),
                Some("a predictor has a handle of its own")
            );
        }
    }

    fn model() -> Given {
        let state = vec![
            ("_Booster", held()),
            ("_n_features", Given::Int(4)),
            ("_n_features_in", Given::Int(4)),
            ("_n_classes", Given::Int(2)),
            ("n_jobs", Given::Int(-1)),
            ("objective", Given::None),
            (
                "_other_params",
                Given::Dict(vec![("verbose", Given::Int(-1))]),
            ),
        ];
        Given::Object(
            "lightgbm.sklearn.LGBMClassifier",
            Box::new(Given::Dict(state)),
        )
    }

    #[test]
    fn each_rule_of_an_estimator_is_held() {
        const FEATURES: &str = "_n_features or _n_features_in is not that of the booster's text";
        const CLASSES: &str = "_n_classes is not that of the booster's text";
        const THREADS: &str = "a parameter asks for more than 1024 threads";
        const SECOND: &str = "a parameter has a second one in its text";
        assert_eq!(model().refusal(estimator), None);
        assert_eq!(
            with(model(), "_Booster", Given::None).refusal(estimator),
            None
        );
        assert_eq!(
            with(model(), "metric", Given::Str("l1 l2")).refusal(estimator),
            None
        );
        let texts = Given::Array(DType::parse("<U1").unwrap(), vec![1], vec![b'x', 0, 0, 0]);
        for (name, value, what) in [
            ("_Booster", Given::Int(1), "_Booster is not a booster"),
            ("_n_features", Given::Int(3), FEATURES),
            ("_n_features_in", Given::None, FEATURES),
            ("_n_classes", Given::Int(3), CLASSES),
            ("_n_classes", Given::Str("2"), CLASSES),
            ("n_jobs", Given::Int(1025), THREADS),
            ("nthread", Given::Int(1 << 40), THREADS),
            (
                "num_class",
                Given::Int(10_001),
                "a parameter asks for more than 10,000 classes",
            ),
            ("objective", Given::Str("l2 n_jobs=9999"), SECOND),
            ("_objective", Given::Str("l2\tn_jobs=9999"), SECOND),
            (
                "_eval_at",
                Given::List(vec![Given::Tuple(vec![Given::Str("1\nx=9")])]),
                SECOND,
            ),
            (
                "_eval_at",
                Given::List(vec![held()]),
                "a parameter is a list of other things than texts and numbers",
            ),
            (
                "metric",
                texts,
                "a parameter is an array of other things than numbers",
            ),
            (
                "_other_params",
                Given::List(vec![]),
                "_other_params is not a dict",
            ),
            (
                "_other_params",
                Given::Dict(vec![("x y", Given::Int(1))]),
                "a parameter's name is not one word",
            ),
            (
                "_other_params",
                Given::Dict(vec![("num_threads", Given::Int(5000))]),
                THREADS,
            ),
            (
                "_process_n_jobs",
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
