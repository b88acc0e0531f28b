//! Parameters that cost more than their model, in whatever object they stand: numbers of workers, expressions, patterns.

use super::attributes::string;
use super::{Refusal, Value, regex};

/// The most threads or processes that a model may ask for.
const MOST_WORKERS: i64 = 1024;

/// Names of parameters that say how many threads or processes are started (sorted).
const WORKERS: &[&str] = &[
    "n_jobs",
    "n_threads",
    "nthread",
    "num_threads",
    "thread_count",
];

/// Letters of an expression; the default of scikit-learn has 8.
const LONGEST: usize = 100;

/// The class that picks columns by a pattern.
const SELECTOR: &str = "sklearn.compose._column_transformer.make_column_selector";

/// What scikit-learn 1.9.1, joblib 1.5.3 (`parallel.py`, `_utils.py`) and the libraries of boosters make of parameters.
///
/// - A number of workers among the attributes, the parameters kept in one of them (`kw_args`, `metric_params`) or those of a
///   `functools.partial` is at most 1024: `Parallel` takes it by `int()`, whatever it is, and starts as many.
/// - `pre_dispatch` is a number, `all`, or an expression of `n_jobs`, numbers, `+`, `-`, `*`, `/` and brackets: joblib
///   evaluates it, before 1.1.1 by `eval`. A power would take for ever.
/// - `pattern` of `make_column_selector`, which pandas looks for in each name of a column, is held to [`regex`].
pub(super) fn verify(object: Value<'_>) -> Result<(), Refusal> {
    if let Some((_, _, arguments)) = object.partial() {
        return workers(arguments);
    }
    let Some(state) = object.state() else {
        return Ok(());
    };
    workers(state)?;
    for (key, value) in state.pairs() {
        let Some(name) = key.text() else { continue };
        if name.ends_with("kw_args") || name.ends_with("params") {
            workers(value)?;
        } else if name == "pre_dispatch" {
            expression(value)?;
        } else if name == "pattern" && object.class() == Some(SELECTOR) {
            regex::verify_selector(value)?;
        }
    }
    Ok(())
}

/// Holds the numbers of workers among the pairs of a dict.
fn workers(dict: Value<'_>) -> Result<(), Refusal> {
    for (key, value) in dict.pairs() {
        let is_one = key.text().is_some_and(|name| WORKERS.contains(&name));
        if is_one && !is_few(value) {
            return Err(value.refuse("a number of workers is not a number of at most 1024"));
        }
    }
    Ok(())
}

/// Whether `int()` of Python gives at most [`MOST_WORKERS`], or nothing.
fn is_few(value: Value<'_>) -> bool {
    if let Some(number) = value.int() {
        return number <= MOST_WORKERS;
    }
    if let Some(number) = value.float() {
        return number <= 1024.0;
    }
    if let Some(text) = string(value) {
        // `int` reads digits of every script.
        return !text.chars().any(char::is_numeric);
    }
    // A list of candidates is no number; of arrays, bytes and objects `int` makes one.
    let is_list = value.items().is_some() && value.object_shape().is_none();
    value.is_none() || is_list || value.entries().is_some()
}

/// Holds `pre_dispatch` to what joblib's evaluation ends with.
fn expression(value: Value<'_>) -> Result<(), Refusal> {
    let is_fine = match string(value) {
        Some(text) => {
            let rest = text.replace("n_jobs", "1");
            let known = |letter: char| letter.is_ascii_digit() || " .+-*/()".contains(letter);
            text == "all"
                || (text.len() <= LONGEST && rest.chars().all(known) && !rest.contains("**"))
        }
        None => value.is_none() || value.int().is_some() || value.big_int().is_some(),
    };
    if is_fine {
        return Ok(());
    }
    Err(value.refuse("pre_dispatch is more than n_jobs and numbers with + - * /"))
}

#[cfg(test)]
mod tests {
    use super::super::attributes::given::Given;
    use super::*;
    use crate::dtype::DType;

    const MANY: &str = "a number of workers is not a number of at most 1024";
    const DISPATCH: &str = "pre_dispatch is more than n_jobs and numbers with + - * /";
    const PATTERN: &str = "pattern of make_column_selector repeats what repeats itself";

    fn refusal(class: &'static str, name: &'static str, value: Given) -> Option<&'static str> {
        Given::Object(class, Box::new(Given::Dict(vec![(name, value)]))).refusal(verify)
    }

    fn long(value: i64) -> Given {
        let dtype = DType::parse("<i8").unwrap();
        Given::Other(
            "numpy.int64",
            Box::new(Given::Array(dtype, vec![], value.to_le_bytes().to_vec())),
        )
    }

    #[test]
    fn a_model_starts_no_more_workers_than_a_machine_has() {
        for value in [
            Given::None,
            Given::Int(-1),
            Given::Int(1024),
            Given::Int(i64::MIN),
            Given::Bool(true),
            Given::Float(2.0),
            Given::Str("auto"),
            Given::List(vec![Given::Int(4000)]),
            long(8),
        ] {
            assert_eq!(refusal("a.B", "n_jobs", value), None);
        }
        for value in [
            Given::Int(1025),
            Given::Int(i64::MAX),
            Given::Float(1e9),
            Given::Float(f64::NAN),
            Given::Str("100_000"),
            Given::Str("\u{ff19}\u{ff19}\u{ff19}\u{ff19}"),
            Given::Bytes(b"99999".to_vec()),
            Given::longs(&[9999]),
            long(9999),
            Given::Object("a.Number", Box::new(Given::None)),
        ] {
            assert_eq!(refusal("a.B", "n_jobs", value.clone()), Some(MANY));
            let inside = Given::Dict(vec![("n_jobs", value.clone())]);
            assert_eq!(refusal("a.B", "kw_args", inside.clone()), Some(MANY));
            assert_eq!(refusal("a.B", "metric_params", inside.clone()), Some(MANY));
            // The words of a document are numbered.
            assert_eq!(refusal("a.B", "vocabulary_", inside), None);
            let partial = Given::Partial("a.f", vec![("n_jobs", value)]);
            assert_eq!(partial.refusal(verify), Some(MANY));
        }
        for name in WORKERS {
            assert_eq!(refusal("a.B", name, Given::Int(2000)), Some(MANY), "{name}");
        }
        assert!(WORKERS.is_sorted());
    }

    #[test]
    fn what_joblib_evaluates_is_arithmetic() {
        for text in [
            "all",
            "2*n_jobs",
            "2 * n_jobs",
            "1.5*(n_jobs+1)",
            "n_jobs",
            "",
        ] {
            let given = Given::Str(text);
            assert_eq!(refusal("a.B", "pre_dispatch", given), None, "{text}");
        }
        assert_eq!(refusal("a.B", "pre_dispatch", Given::Int(8)), None);
        assert_eq!(refusal("a.B", "pre_dispatch", Given::None), None);
        for text in [
            "9**9**9",
            "__import__('os')",
            "n_jobs if 1 else 2",
            "n_jobs_",
        ] {
            let given = Given::Str(text);
            assert_eq!(
                refusal("a.B", "pre_dispatch", given),
                Some(DISPATCH),
                "{text}"
            );
        }
        let bytes = Given::Bytes(b"2*n_jobs".to_vec());
        assert_eq!(refusal("a.B", "pre_dispatch", bytes), Some(DISPATCH));
    }

    #[test]
    fn the_pattern_of_a_selector_is_held_to_the_rules_of_patterns() {
        let given = Given::Str("(a+)+$");
        assert_eq!(refusal(SELECTOR, "pattern", given.clone()), Some(PATTERN));
        assert_eq!(refusal(SELECTOR, "pattern", Given::Str("^a.*")), None);
        assert_eq!(refusal(SELECTOR, "pattern", Given::None), None);
        assert_eq!(refusal("a.B", "pattern", given), None);
    }
}
