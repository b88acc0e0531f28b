//! Where each flavor keeps its model: one row per flavor.

mod catboost;
mod lightgbm;
mod python_function;
mod sklearn;
mod xgboost;

use super::mlmodel::{MLMODEL, MlModel, malformed};
use super::yaml::{Map, Value};
use crate::archive::relative;
use crate::error::{Error, Location};

/// Where a flavor keeps its model, and in what form. Names in it are requests: nothing is trusted because of them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Payload {
    /// The path of the model in the folder; `None` where the folder itself is the model.
    pub entry: Option<String>,
    /// How the model was written: `skops`, `pickle`, `cloudpickle`, `lightgbm`, `catboost`, `xgboost`.
    pub format: Option<String>,
    /// The folder of code that comes with the model.
    pub code: Option<String>,
    /// The version of the library that wrote the model.
    pub written_by: Option<String>,
    /// The module that MLflow would load the model with.
    pub loader_module: Option<String>,
    /// The class of the model, where the flavor says it.
    pub class: Option<String>,
    /// The method that `predict` of pyfunc calls.
    pub predict_fn: Option<String>,
    /// The types that the model asks to be trusted.
    pub trusted_types: Vec<String>,
    /// The files that describe the environment.
    pub environment: Vec<String>,
}

type Read = fn(&mut Section<'_>) -> Result<Payload, Error>;

/// The flavors that nopickle reads, sorted.
pub const FLAVORS: &[(&str, Read)] = &[
    ("catboost", catboost::payload),
    ("lightgbm", lightgbm::payload),
    ("python_function", python_function::payload),
    ("sklearn", sklearn::payload),
    ("xgboost", xgboost::payload),
];

/// The section of a flavor, key by key.
pub struct Section<'m> {
    flavor: &'m str,
    map: &'m Map,
}

impl<'m> Section<'m> {
    fn wrong(&self, key: &str, what: &'static str) -> Error {
        let at = Location::entry(&format!("{MLMODEL}/flavors/{}/{key}", self.flavor));
        Error::malformed("mlmodel", at, what)
    }

    fn unsupported(&self, key: &str, what: &'static str, name: &str) -> Error {
        let at = Location::entry(&format!("{MLMODEL}/flavors/{}/{key}", self.flavor));
        Error::unsupported(at, what, name)
    }

    /// A text, where the key is there and not `null`.
    fn text(&self, key: &str) -> Result<Option<&'m str>, Error> {
        match self.map.given(key) {
            None => Ok(None),
            Some(Value::Text(text)) => Ok(Some(text)),
            Some(_) => Err(self.wrong(key, "a key of a flavor is not a text")),
        }
    }

    /// A version: a text, or the number that YAML makes of `3.10`.
    fn version(&self, key: &str) -> Result<Option<String>, Error> {
        match self.map.given(key) {
            Some(Value::Float(value)) => Ok(Some(super::yaml::python_float(*value))),
            Some(Value::Int(value)) => Ok(Some(value.to_string())),
            _ => Ok(self.text(key)?.map(str::to_owned)),
        }
    }

    /// A path in the model's folder.
    fn path(&self, key: &str) -> Result<Option<String>, Error> {
        let Some(path) = self.text(key)? else {
            return Ok(None);
        };
        relative(path)?;
        Ok(Some(path.to_owned()))
    }

    fn texts(&self, key: &str) -> Result<Vec<String>, Error> {
        let items = match self.map.given(key) {
            None => return Ok(Vec::new()),
            Some(Value::List(items)) => items,
            Some(_) => return Err(self.wrong(key, "a key of a flavor is not a list of texts")),
        };
        items
            .iter()
            .map(|item| item.text().map(str::to_owned))
            .collect::<Option<_>>()
            .ok_or_else(|| self.wrong(key, "a key of a flavor is not a list of texts"))
    }
}

/// Where a flavor of an `MLmodel` keeps its model. All flavors that name a model, or code, name the same.
pub(super) fn payload(model: &MlModel, flavor: &str) -> Result<Payload, Error> {
    let Some(map) = model.flavor(flavor) else {
        let at = Location::entry(MLMODEL);
        let known = |name: &str| FLAVORS.binary_search_by_key(&name, |row| row.0).is_ok();
        if !model.flavors().any(|(name, _)| known(name)) {
            let names: Vec<&str> = model.flavors().map(|(name, _)| name).collect();
            return Err(Error::unsupported(at, "flavors", names.join(", ")));
        }
        return Err(malformed(
            "an MLmodel does not have the flavor that is asked for",
        ));
    };
    let mut asked = read(flavor, map)?;
    for (other, map) in model.flavors() {
        if other == flavor || FLAVORS.binary_search_by_key(&other, |row| row.0).is_err() {
            continue;
        }
        let found = read(other, map)?;
        if found.entry != asked.entry {
            return Err(malformed("two flavors name different models"));
        }
        if found.code != asked.code && found.code.is_some() && asked.code.is_some() {
            return Err(malformed("two flavors name different code"));
        }
        // The section of the library says more than that of pyfunc.
        asked.format = asked.format.or(found.format);
        asked.code = asked.code.or(found.code);
        asked.class = asked.class.or(found.class);
        asked.predict_fn = asked.predict_fn.or(found.predict_fn);
        asked.loader_module = asked.loader_module.or(found.loader_module);
        if asked.environment.is_empty() {
            asked.environment = found.environment;
        }
        if asked.trusted_types.is_empty() {
            asked.trusted_types = found.trusted_types;
        }
        if flavor == "python_function" {
            asked.written_by = found.written_by;
        }
    }
    Ok(asked)
}

fn read(flavor: &str, map: &Map) -> Result<Payload, Error> {
    let row = FLAVORS
        .binary_search_by_key(&flavor, |row| row.0)
        .ok()
        .and_then(|row| FLAVORS.get(row));
    let Some((_, read)) = row else {
        return Err(Error::unsupported(
            Location::entry(MLMODEL),
            "flavor",
            flavor,
        ));
    };
    read(&mut Section { flavor, map })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_of_flavors_is_sorted() {
        assert!(FLAVORS.is_sorted_by(|a, b| a.0 < b.0));
    }
}
