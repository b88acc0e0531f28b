//! The files that MLflow writes beside a model: what each is, and what it may hold.
//!
//! Sources: `mlflow/utils/environment.py`, `mlflow/models/utils.py`, `mlflow/utils/model_utils.py` and
//! `mlflow/store/artifact/models_artifact_repo.py` of MLflow 3.17.2.

use super::json;
use super::requirements::{requirement, requirements};
use super::yaml::{self, Map, Value};
use crate::error::{Error, Location};
use crate::limits::Limits;

/// Reads the text of a file, whose path stands in errors.
type Check = fn(&str, &str, &mut Limits) -> Result<(), Error>;

/// A file that MLflow writes beside a model.
#[derive(Debug, Clone, Copy)]
pub struct Beside {
    /// What it is, in words.
    pub is: &'static str,
    check: Check,
}

/// By their path in the folder, sorted.
const FILES: &[(&str, Beside)] = &[
    ("conda.yaml", ENVIRONMENT),
    (
        "environment_variables.txt",
        Beside {
            is: "names of environment variables",
            check: variables,
        },
    ),
    ("input_example.json", EXAMPLE),
    ("python_env.yaml", ENVIRONMENT),
    (
        "registered_model_meta",
        Beside {
            is: "name and version of a registered model",
            check: registered,
        },
    ),
    (
        "requirements.txt",
        Beside {
            is: "requirements",
            check: required,
        },
    ),
    ("serving_input_example.json", EXAMPLE),
];

const ENVIRONMENT: Beside = Beside {
    is: "environment",
    check: environment,
};
const EXAMPLE: Beside = Beside {
    is: "input example",
    check: example,
};

impl Beside {
    /// The file that MLflow would write at a path; `environments` are the paths that the flavors name.
    pub fn of(path: &str, environments: &[String]) -> Option<Self> {
        if let Ok(row) = FILES.binary_search_by_key(&path, |row| row.0) {
            return FILES.get(row).map(|row| row.1);
        }
        environments
            .iter()
            .any(|known| known == path)
            .then_some(ENVIRONMENT)
    }

    /// Reads its bytes; `path` stands in errors.
    ///
    /// # Errors
    /// `Malformed` and `Unsupported` as in `docs/formats/mlmodel.md`, `Limit`.
    pub fn check(&self, bytes: &[u8], path: &str, limits: &mut Limits) -> Result<(), Error> {
        let text = std::str::from_utf8(bytes).map_err(|_| {
            Error::malformed("requirements", Location::entry(path), "a text is not UTF-8")
        })?;
        (self.check)(text, path, limits)
    }
}

fn required(text: &str, path: &str, _: &mut Limits) -> Result<(), Error> {
    requirements(text, path).map(drop)
}

fn example(text: &str, path: &str, limits: &mut Limits) -> Result<(), Error> {
    json::read(text, path, &json::EXAMPLE, limits).map(drop)
}

/// Names of variables, one a line, and comments.
fn variables(text: &str, path: &str, _: &mut Limits) -> Result<(), Error> {
    for (index, line) in text.lines().enumerate() {
        let line = line.trim();
        let name = |letter: char| letter.is_ascii_alphanumeric() || letter == '_';
        if !line.starts_with('#') && !line.chars().all(name) {
            let number = u64::try_from(index).unwrap_or(u64::MAX).saturating_add(1);
            let what = "a line is not the name of a variable";
            return Err(Error::malformed(
                "requirements",
                Location::line(path, number, 1),
                what,
            ));
        }
    }
    Ok(())
}

fn mapping(text: &str, path: &str, limits: &mut Limits) -> Result<Map, Error> {
    match yaml::read(text.as_bytes(), path, limits)? {
        Value::Map(map) => Ok(map),
        _ => Err(wrong(path, "an environment is not a mapping")),
    }
}

fn wrong(path: &str, what: &'static str) -> Error {
    Error::malformed("requirements", Location::entry(path), what)
}

/// `model_name` and `model_version`, and nothing else.
fn registered(text: &str, path: &str, limits: &mut Limits) -> Result<(), Error> {
    let known = |(key, value): (&Value, &Value)| {
        matches!(key.text(), Some("model_name" | "model_version"))
            && matches!(value, Value::Text(_) | Value::Int(_))
    };
    if mapping(text, path, limits)?.iter().all(known) {
        return Ok(());
    }
    Err(wrong(
        path,
        "a registered model has more than a name and a version",
    ))
}

/// `conda.yaml`, or `python_env.yaml`: names and versions.
fn environment(text: &str, path: &str, limits: &mut Limits) -> Result<(), Error> {
    for (key, value) in mapping(text, path, limits)?.iter() {
        match (key.text().unwrap_or_default(), value) {
            ("name", Value::Text(name)) if is_plain(name) => {}
            // A version such as `3.10` may stand without quotes.
            ("python", Value::Float(_) | Value::Int(_)) => {}
            ("python", Value::Text(version)) if is_plain(version) => {}
            ("channels", Value::List(channels)) => {
                for channel in channels {
                    if !channel.text().is_some_and(is_plain) {
                        let what = "address of a channel";
                        let name = channel.text().unwrap_or(channel.kind());
                        return Err(Error::unsupported(Location::entry(path), what, name));
                    }
                }
            }
            ("build_dependencies" | "dependencies", Value::List(items)) => {
                for item in items {
                    dependency(item, path)?;
                }
            }
            (name, _) => {
                let what = "key of an environment";
                return Err(Error::unsupported(Location::entry(path), what, name));
            }
        }
    }
    Ok(())
}

/// A name of a channel or an environment, or a version: no address, no path.
fn is_plain(text: &str) -> bool {
    !text.is_empty()
        && text
            .chars()
            .all(|letter| letter.is_ascii_alphanumeric() || "._-+".contains(letter))
}

/// A requirement, conda's `python=3.11`, the line that names `requirements.txt`, or those for pip.
fn dependency(item: &Value, path: &str) -> Result<(), Error> {
    let at = Location::entry(path);
    match item {
        Value::Text(text) if text == "-r requirements.txt" => Ok(()),
        Value::Text(text) => match text.split_once('=') {
            // Conda's single sign.
            Some((name, version)) if is_plain(name) && is_plain(version) => Ok(()),
            _ => requirement(text, &at).map(drop),
        },
        Value::Map(map) => {
            for (key, value) in map.iter() {
                let Some(items) = value.list().filter(|_| key.text() == Some("pip")) else {
                    let name = key.text().unwrap_or(key.kind());
                    return Err(Error::unsupported(at, "key of an environment", name));
                };
                for item in items {
                    let Some(text) = item.text() else {
                        return Err(wrong(path, "a dependency is not a text"));
                    };
                    requirement(text, &at)?;
                }
            }
            Ok(())
        }
        _ => Err(wrong(path, "a dependency is not a text")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(path: &str, text: &str) -> Result<(), String> {
        let file = Beside::of(path, &["env/other.yaml".to_owned()]).unwrap();
        file.check(text.as_bytes(), path, &mut Limits::default())
            .map_err(|error| error.to_string())
    }

    #[test]
    fn the_table_is_sorted() {
        assert!(FILES.is_sorted_by(|a, b| a.0 < b.0));
        assert!(Beside::of("model.pkl", &[]).is_none());
        assert!(Beside::of("code/requirements.txt", &[]).is_none());
    }

    #[test]
    fn what_mlflow_writes_is_read() {
        for (path, text) in [
            (
                "conda.yaml",
                "channels:\n- conda-forge\ndependencies:\n- python=3.11.7\n- pip<=23.2.1\n- pip:\n  - numpy==2.4.6\n  - torch==2.1+cu118; python_version < \"3.13\"\nname: mlflow-env\n",
            ),
            (
                "python_env.yaml",
                "python: 3.11.7\nbuild_dependencies:\n- pip==23.2.1\n- wheel\ndependencies:\n- -r requirements.txt\n",
            ),
            ("env/other.yaml", "python: 3.10\n"),
            ("requirements.txt", "mlflow==3.17.2\n# more\n"),
            (
                "input_example.json",
                "{\"columns\": [\"a\"], \"data\": [[1.5], [null]]}",
            ),
            (
                "registered_model_meta",
                "model_name: iris\nmodel_version: '3'\n",
            ),
            (
                "environment_variables.txt",
                "# set these\nOPENAI_API_KEY\n\n",
            ),
        ] {
            assert_eq!(check(path, text), Ok(()), "{path}");
        }
    }

    #[test]
    fn nothing_that_an_installer_or_a_shell_would_follow_is() {
        for (path, text, words) in [
            (
                "conda.yaml",
                "channels: [https://x/y]\n",
                "unsupported address of a channel",
            ),
            (
                "conda.yaml",
                "channels: [../x]\n",
                "unsupported address of a channel",
            ),
            (
                "conda.yaml",
                "channels: [{a: b}]\n",
                "unsupported address of a channel: mapping",
            ),
            (
                "conda.yaml",
                "dependencies:\n- pip:\n  - -r ../x\n",
                "unsupported option in a requirements file",
            ),
            (
                "conda.yaml",
                "dependencies:\n- pip:\n  - {a: b}\n",
                "a dependency is not a text",
            ),
            (
                "conda.yaml",
                "dependencies: [1]\n",
                "a dependency is not a text",
            ),
            (
                "conda.yaml",
                "dependencies:\n- npm: [x]\n",
                "unsupported key of an environment: npm",
            ),
            (
                "conda.yaml",
                "variables: {PATH: /x}\n",
                "unsupported key of an environment: variables",
            ),
            ("conda.yaml", "- a\n", "an environment is not a mapping"),
            ("conda.yaml", "name: !!str a\n", "unsupported tag"),
            (
                "python_env.yaml",
                "python: 3.11 && id\n",
                "unsupported key of an environment: python",
            ),
            (
                "python_env.yaml",
                "dependencies:\n- -r requirements.txt && id\n",
                "unsupported option",
            ),
            (
                "env/other.yaml",
                "dependencies:\n- x @ https://y\n",
                "unsupported address",
            ),
            (
                "requirements.txt",
                "--index-url x\n",
                "unsupported option in a requirements file",
            ),
            (
                "input_example.json",
                "{\"a\": 1, \"a\": 2}",
                "an example has a key twice",
            ),
            ("input_example.json", "{'a': 1}", "an example is not JSON"),
            (
                "input_example.json",
                "\"\\ud800\"",
                "an example holds half a letter",
            ),
            (
                "serving_input_example.json",
                &"[".repeat(200),
                "nesting of an example is over the limit",
            ),
            (
                "registered_model_meta",
                "model_name: {a: b}\n",
                "a registered model has more than a name and a version",
            ),
            (
                "environment_variables.txt",
                "A=1\n",
                "a line is not the name of a variable",
            ),
        ] {
            let found = check(path, text).unwrap_err();
            assert!(found.contains(words), "{path} {text}: {found}");
        }
    }

    #[test]
    fn a_text_is_utf8() {
        let file = Beside::of("requirements.txt", &[]).unwrap();
        let error = file.check(b"\xff", "requirements.txt", &mut Limits::default());
        assert!(
            error
                .unwrap_err()
                .to_string()
                .contains("a text is not UTF-8")
        );
    }
}
