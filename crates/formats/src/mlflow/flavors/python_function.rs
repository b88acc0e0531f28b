//! The `python_function` section (`mlflow/pyfunc/__init__.py`, MLflow 3.17.2).

use super::{Payload, Section};
use crate::archive::relative;
use crate::error::Error;
use crate::mlflow::yaml::Value;

/// What pyfunc would load, with which module, and the files of its environment.
///
/// The model is `model_path` (scikit-learn) or `data`.
pub(super) fn payload(section: &mut Section<'_>) -> Result<Payload, Error> {
    let entry = match section.path("model_path")? {
        Some(path) => {
            if section.path("data")?.is_some_and(|data| data != path) {
                return Err(section.wrong("data", "two keys of a flavor name different models"));
            }
            Some(path)
        }
        None => section.path("data")?,
    };
    let mut environment = Vec::new();
    match section.map.given("env") {
        None => {}
        Some(Value::Text(path)) => environment.push(path.clone()),
        Some(Value::Map(files)) => {
            for (_, path) in files.iter() {
                match path {
                    Value::Text(path) => environment.push(path.clone()),
                    Value::Null => {}
                    _ => return Err(section.wrong("env", "a key of a flavor is not a text")),
                }
            }
        }
        Some(_) => return Err(section.wrong("env", "a key of a flavor is not a text")),
    }
    for path in &environment {
        relative(path)?;
    }
    let loader = section.text("loader_module")?;
    if loader.is_none() {
        let what = "a python_function does not say which module loads it";
        return Err(section.wrong("loader_module", what));
    }
    Ok(Payload {
        entry,
        code: section.path("code")?,
        loader_module: loader.map(str::to_owned),
        predict_fn: section.text("predict_fn")?.map(str::to_owned),
        environment,
        ..Payload::default()
    })
}
