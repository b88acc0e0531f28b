//! The rules for names, keys and ids, as `mlflow/utils/validation.py` of MLflow 3.17 has them; and new ids and
//! names of runs.

use std::time::{SystemTime, UNIX_EPOCH};

use crate::error::{Error, Result};

const KEY_LENGTH: usize = 250;
const PARAM_LENGTH: usize = 6000;
const TAG_LENGTH: usize = 8000;
const EXPERIMENT_TAG_LENGTH: usize = 20_000;
const REGISTRY_TAG_LENGTH: usize = 100_000;
const EXPERIMENT_NAME_LENGTH: usize = 500;
const ALIAS_LENGTH: usize = 255;

/// Milliseconds since 1970.
pub fn now() -> i64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |past| {
            i64::try_from(past.as_millis()).unwrap_or(i64::MAX)
        })
}

/// Random bytes from the system.
pub(crate) fn random<const N: usize>() -> Result<[u8; N]> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes)
        .map_err(|error| Error::state(format!("the system gives no random numbers: {error}")))?;
    Ok(bytes)
}

/// 32 random hexadecimal digits: the id of a run.
pub fn new_run_id() -> Result<String> {
    use std::fmt::Write as _;
    let mut id = String::with_capacity(32);
    for byte in random::<16>()? {
        let _ = write!(id, "{byte:02x}");
    }
    Ok(id)
}

/// `m-` and 32 random hexadecimal digits: the id of a logged model.
pub fn new_model_id() -> Result<String> {
    Ok(format!("m-{}", new_run_id()?))
}

/// A name for a run that got none: two words and a number.
pub fn new_run_name() -> Result<String> {
    let [first, second, third, fourth] = random::<4>()?;
    let word = |list: &[&'static str], byte: u8| {
        list.get(usize::from(byte) % list.len().max(1))
            .copied()
            .unwrap_or("run")
    };
    let number = u16::from_le_bytes([third, fourth]) % 1000;
    Ok(format!(
        "{}-{}-{number}",
        word(QUALITIES, first),
        word(THINGS, second)
    ))
}

const QUALITIES: &[&str] = &[
    "amber", "brave", "brisk", "calm", "clear", "copper", "crisp", "early", "fair", "fresh",
    "gentle", "green", "hazel", "honest", "ivory", "keen", "light", "lively", "lucid", "mellow",
    "misty", "modest", "quick", "quiet", "rapid", "round", "silver", "sunny", "tidy", "vivid",
    "warm", "wide",
];
const THINGS: &[&str] = &[
    "acorn", "alder", "beech", "birch", "brook", "cedar", "cliff", "clover", "delta", "dune",
    "elm", "fern", "fjord", "grove", "heath", "heron", "lark", "larch", "maple", "meadow", "moss",
    "oak", "otter", "pine", "reed", "ridge", "robin", "rowan", "sedge", "shore", "willow", "wren",
];

/// Whether a name that is also a path leads elsewhere, or may be written in two ways.
fn ambiguous(name: &str) -> bool {
    name.is_empty()
        || name.starts_with('/')
        || name.split('/').any(|part| matches!(part, "" | "." | ".."))
}

fn too_long(what: &str, key: &str, limit: usize) -> Error {
    let shown: String = key.chars().take(40).collect();
    Error::invalid(format!(
        "{what} {shown:?}... is longer than {limit} characters"
    ))
}

/// The rules that keys of metrics, parameters and tags share.
fn check_key(what: &str, key: &str) -> Result<()> {
    if key.is_empty() {
        return Err(Error::invalid(format!("the name of a {what} is empty")));
    }
    let fits = |c: char| c.is_alphanumeric() || matches!(c, '_' | '-' | '.' | ' ' | ':' | '/');
    if !key.chars().all(fits) {
        return Err(Error::invalid(format!(
            "invalid {what} name {key:?}: names hold letters, digits, underscores (_), dashes (-), periods (.), \
             spaces ( ), colons (:) and slashes (/)"
        )));
    }
    if ambiguous(key) {
        return Err(Error::invalid(format!(
            "invalid {what} name {key:?}: it is a path that leads elsewhere, or that may be written in another way"
        )));
    }
    if key.chars().count() > KEY_LENGTH {
        return Err(too_long(what, key, KEY_LENGTH));
    }
    Ok(())
}

pub(crate) fn check_metric(key: &str) -> Result<()> {
    check_key("metric", key)
}

pub(crate) fn check_param(key: &str, value: &str) -> Result<()> {
    check_key("param", key)?;
    if value.chars().count() > PARAM_LENGTH {
        return Err(too_long("the value of param", key, PARAM_LENGTH));
    }
    Ok(())
}

pub(crate) fn check_tag(key: &str, value: &str) -> Result<()> {
    check_key("tag", key)?;
    if value.chars().count() > TAG_LENGTH {
        return Err(too_long("the value of tag", key, TAG_LENGTH));
    }
    Ok(())
}

pub(crate) fn check_experiment_tag(key: &str, value: &str) -> Result<()> {
    check_key("tag", key)?;
    if value.chars().count() > EXPERIMENT_TAG_LENGTH {
        return Err(too_long("the value of tag", key, EXPERIMENT_TAG_LENGTH));
    }
    Ok(())
}

pub(crate) fn check_registry_tag(key: &str, value: &str) -> Result<()> {
    check_key("tag", key)?;
    if value.chars().count() > REGISTRY_TAG_LENGTH {
        return Err(too_long("the value of tag", key, REGISTRY_TAG_LENGTH));
    }
    Ok(())
}

pub(crate) fn check_experiment_name(name: &str) -> Result<()> {
    if name.trim().is_empty() {
        return Err(Error::invalid("the name of an experiment is empty"));
    }
    if name.contains('\0') {
        return Err(Error::invalid(format!(
            "invalid experiment name {name:?}: it holds a NUL"
        )));
    }
    if name.chars().count() > EXPERIMENT_NAME_LENGTH {
        return Err(too_long("experiment name", name, EXPERIMENT_NAME_LENGTH));
    }
    Ok(())
}

/// The rule for names of registered models.
pub(crate) fn check_model_name(name: &str) -> Result<()> {
    if name.trim().is_empty() {
        return Err(Error::invalid("the name of a registered model is empty"));
    }
    if name.contains(['/', ':', '\\', '\0']) || ambiguous(name) || name.starts_with("..") {
        return Err(Error::invalid(format!(
            "invalid model name {name:?}: a name holds no slash, colon, backslash or NUL, and is not a path"
        )));
    }
    Ok(())
}

/// The rule for names of logged models, as `mlflow/utils/mlflow_tags.py` and `LoggedModel` have it.
pub(crate) fn check_logged_model_name(name: &str) -> Result<()> {
    if name.is_empty() {
        return Err(Error::invalid("the name of a model is empty"));
    }
    if name.contains(['/', ':', '.', '%', '"', '\'', '\\', '\0']) {
        return Err(Error::invalid(format!(
            "invalid model name {name:?}: a name holds none of / : . % \" ' \\ and NUL"
        )));
    }
    Ok(())
}

pub(crate) fn check_alias(alias: &str) -> Result<()> {
    if alias.is_empty() {
        return Err(Error::invalid("the name of an alias is empty"));
    }
    if !alias
        .chars()
        .all(|c| c.is_alphanumeric() || matches!(c, '_' | '-'))
    {
        return Err(Error::invalid(format!(
            "invalid alias {alias:?}: it holds letters, digits, underscores (_) and dashes (-)"
        )));
    }
    if alias.chars().count() > ALIAS_LENGTH {
        return Err(too_long("alias", alias, ALIAS_LENGTH));
    }
    if alias.eq_ignore_ascii_case("latest") {
        return Err(Error::invalid("the alias \"latest\" is reserved"));
    }
    let digits = alias.strip_prefix(['v', 'V']);
    if digits.is_some_and(|rest| !rest.is_empty() && rest.chars().all(|c| c.is_ascii_digit())) {
        return Err(Error::invalid(format!(
            "the alias {alias:?} looks like a version: choose another"
        )));
    }
    Ok(())
}

/// The rule for ids of runs that come from outside.
pub(crate) fn check_run_id(id: &str) -> Result<()> {
    let mut letters = id.chars();
    let first = letters.next().is_some_and(|c| c.is_ascii_alphanumeric());
    let rest = letters.all(|c| c.is_alphanumeric() || matches!(c, '_' | '-'));
    if first && rest && id.len() <= 256 {
        Ok(())
    } else {
        Err(Error::invalid(format!("invalid run ID {id:?}")))
    }
}

/// The rule for ids of logged models that come from outside.
pub(crate) fn check_model_id(id: &str) -> Result<()> {
    let rest = id.strip_prefix("m-").unwrap_or_default();
    if !rest.is_empty() && rest.len() <= 64 && rest.chars().all(|c| c.is_ascii_alphanumeric()) {
        Ok(())
    } else {
        Err(Error::invalid(format!(
            "invalid model ID {id:?}: it is m- and 32 hexadecimal digits"
        )))
    }
}

/// A number of an experiment.
pub(crate) fn experiment_number(id: &str) -> Result<i64> {
    id.parse().map_err(|_| {
        Error::invalid(format!(
            "invalid experiment ID {id:?}: it is a whole number"
        ))
    })
}

/// A number of a version.
pub(crate) fn version_number(version: &str) -> Result<i64> {
    version
        .parse()
        .map_err(|_| Error::invalid(format!("invalid version {version:?}: it is a whole number")))
}

/// A path inside artifacts: relative, with `/`, without `.`, `..`, empty parts, backslashes and NUL.
///
/// `""` is the root itself.
pub fn check_artifact_path(path: &str) -> Result<()> {
    let refuse = |why: &str| {
        Err(Error::invalid(format!(
            "invalid artifact path {path:?}: {why}"
        )))
    };
    if path.is_empty() {
        return Ok(());
    }
    if path.starts_with('/') {
        return refuse("it is not relative");
    }
    if path.contains('\\') || path.contains('\0') {
        return refuse("it holds a backslash or a NUL");
    }
    if path.split('/').any(|part| part == "..") {
        return refuse("it leaves the folder with \"..\"");
    }
    if path.split('/').any(|part| part.is_empty() || part == ".") {
        return refuse("a part of it is empty or \".\"");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_have_the_form_of_mlflow() {
        let run = new_run_id().unwrap();
        assert_eq!(run.len(), 32);
        assert!(
            run.chars()
                .all(|c| c.is_ascii_hexdigit() && !c.is_ascii_uppercase())
        );
        assert!(check_run_id(&run).is_ok());
        assert!(check_model_id(&new_model_id().unwrap()).is_ok());
        assert_ne!(new_run_id().unwrap(), new_run_id().unwrap());
    }

    #[test]
    fn names_that_are_paths_are_refused() {
        for name in ["..", "../a", "/a", "a/../b", "a//b", "a/", "./a", "", "."] {
            assert!(check_metric(name).is_err(), "{name}");
        }
        for name in ["a\0", "a\\b", "a\"b", "a,b", "a;b"] {
            assert!(check_tag(name, "").is_err(), "{name}");
        }
        for name in [
            "loss",
            "a/b",
            "a.b",
            "val loss",
            "caf\u{e9}",
            "a:b",
            "mlflow.user",
        ] {
            assert!(check_param(name, "1").is_ok(), "{name}");
        }
        for name in ["..", "a/b", "a\\b", "a\0b", "a:b", " ", "..a"] {
            assert!(check_model_name(name).is_err(), "{name}");
        }
        for path in ["..", "a/../b", "/a", "a\\b", "a//b", "./a", "a\0"] {
            assert!(check_artifact_path(path).is_err(), "{path}");
        }
        assert!(check_artifact_path("model/MLmodel").is_ok());
        for alias in ["", "v1", "V22", "latest", "a b", "a/b"] {
            assert!(check_alias(alias).is_err(), "{alias}");
        }
        assert!(check_alias("vivid").is_ok());
    }
}
