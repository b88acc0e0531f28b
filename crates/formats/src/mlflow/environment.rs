//! The files of a model's environment, laid out as MLflow 3.17.2 writes them (`mlflow/utils/environment.py`).

use super::requirements::{Requirement, is_version, requirement};
use super::yaml::{self, Map, Value};
use crate::error::{Error, Location};

/// What a model needs to run: versions and names, which were read as such.
#[derive(Debug, Clone)]
pub struct Environment {
    python: String,
    pip: Option<String>,
    setuptools: Option<String>,
    wheel: Option<String>,
    requirements: Vec<Requirement>,
}

impl Environment {
    /// An environment of these versions; `None` where a tool is not installed.
    ///
    /// # Errors
    ///
    /// `Unsupported` and `Malformed` for what is no version, or no name with versions.
    pub fn new(
        python: &str,
        pip: Option<&str>,
        setuptools: Option<&str>,
        wheel: Option<&str>,
        requirements: &[String],
    ) -> Result<Self, Error> {
        let at = Location::entry("environment");
        let versions = [Some(python), pip, setuptools, wheel];
        if !versions.into_iter().flatten().all(is_version) {
            let what = "a version of a requirement is not one";
            return Err(Error::malformed("requirements", at, what));
        }
        let requirements = requirements
            .iter()
            .map(|text| requirement(text, &at))
            .collect::<Result<_, _>>()?;
        let owned = |text: Option<&str>| text.map(str::to_owned);
        Ok(Self {
            python: python.to_owned(),
            pip: owned(pip),
            setuptools: owned(setuptools),
            wheel: owned(wheel),
            requirements,
        })
    }
}

/// The text of `requirements.txt`: one requirement a line, the last line without an end.
pub fn requirements_txt(environment: &Environment) -> String {
    let lines: Vec<String> = environment
        .requirements
        .iter()
        .map(ToString::to_string)
        .collect();
    lines.join("\n")
}

/// The text of `conda.yaml`.
pub fn conda_yaml(environment: &Environment) -> String {
    let pip = match &environment.pip {
        Some(version) => format!("pip<={version}"),
        None => "pip".to_owned(),
    };
    let requirements = environment
        .requirements
        .iter()
        .map(|requirement| Value::Text(requirement.to_string()));
    let mut installed = Map::default();
    installed.set("pip", Value::List(requirements.collect()));
    let mut document = Map::default();
    document.set("name", Value::from("mlflow-env"));
    document.set("channels", Value::List(vec![Value::from("conda-forge")]));
    let dependencies = vec![
        Value::Text(format!("python={}", environment.python)),
        Value::Text(pip),
        Value::Map(installed),
    ];
    document.set("dependencies", Value::List(dependencies));
    yaml::write(&document)
}

/// The text of `python_env.yaml`.
pub fn python_env_yaml(environment: &Environment) -> String {
    let tools = [
        ("pip", &environment.pip),
        ("setuptools", &environment.setuptools),
        ("wheel", &environment.wheel),
    ];
    let tools = tools.into_iter().map(|(name, version)| match version {
        Some(version) => Value::Text(format!("{name}=={version}")),
        None => Value::from(name),
    });
    let mut document = Map::default();
    document.set("python", Value::from(environment.python.as_str()));
    document.set("build_dependencies", Value::List(tools.collect()));
    let dependencies = vec![Value::from("-r requirements.txt")];
    document.set("dependencies", Value::List(dependencies));
    yaml::write_in_order(&document)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_files_are_those_that_mlflow_writes() {
        let cases = concat!(env!("CARGO_MANIFEST_DIR"), "/../../cases/models");
        let folder = format!("{cases}/mlflow_3.17.2_tree_skops/model");
        let file = |name: &str| std::fs::read_to_string(format!("{folder}/{name}")).unwrap();
        let requirements: Vec<String> = file("requirements.txt")
            .lines()
            .map(str::to_owned)
            .collect();
        let environment = Environment::new(
            "3.11.7",
            Some("23.2.1"),
            Some("65.5.0"),
            None,
            &requirements,
        )
        .unwrap();
        assert_eq!(requirements_txt(&environment), file("requirements.txt"));
        assert_eq!(conda_yaml(&environment), file("conda.yaml"));
        assert_eq!(python_env_yaml(&environment), file("python_env.yaml"));
        for wrong in ["-r x", "a @ https://x", "a; rm -rf /", "../a"] {
            assert!(Environment::new("3.11", None, None, None, &[wrong.to_owned()]).is_err());
        }
    }
}
