//! The `MLmodel` file: which flavors a model has, its signature, and where it comes from.

use super::flavors::{self, Payload};
use super::signature::Signature;
use super::yaml::{self, Map, Value};
use crate::archive::{EntryKind, Folder};
use crate::error::{Error, Location};
use crate::limits::Limits;

/// The name of the file in a model's folder.
pub const MLMODEL: &str = "MLmodel";

/// What a key of an `MLmodel` must hold.
#[derive(Debug, Clone, Copy)]
enum Holds {
    Text,
    Count,
    Flag,
    Mapping,
    Texts,
}

/// The keys that MLflow 2 and 3 write, sorted. Each may be `null`; other keys are kept as they are.
const KEYS: &[(&str, Holds)] = &[
    ("artifact_path", Holds::Text),
    ("auth_policy", Holds::Mapping),
    ("databricks_runtime", Holds::Text),
    ("env_vars", Holds::Texts),
    ("flavors", Holds::Mapping),
    ("is_signature_from_type_hint", Holds::Flag),
    ("metadata", Holds::Mapping),
    ("mlflow_version", Holds::Text),
    ("model_id", Holds::Text),
    ("model_size_bytes", Holds::Count),
    ("model_uuid", Holds::Text),
    ("prompts", Holds::Texts),
    ("resources", Holds::Mapping),
    ("run_id", Holds::Text),
    ("saved_input_example_info", Holds::Mapping),
    ("signature", Holds::Mapping),
    ("type_hint_from_example", Holds::Flag),
    ("utc_time_created", Holds::Text),
];

/// An `MLmodel`: its document, every known key of which holds what MLflow writes there.
#[derive(Debug, Clone, PartialEq)]
pub struct MlModel {
    document: Map,
    signature: Option<Signature>,
}

impl MlModel {
    /// Reads the text of an `MLmodel`.
    ///
    /// # Errors
    ///
    /// `Malformed` and `Unsupported` as in `docs/formats/mlmodel.md`, `Limit` for a document that is too large.
    pub fn read(bytes: &[u8], limits: &mut Limits) -> Result<Self, Error> {
        match yaml::read(bytes, MLMODEL, limits)? {
            Value::Map(document) => Self::new(document, limits),
            _ => Err(malformed("an MLmodel is not a mapping")),
        }
    }

    /// Reads the `MLmodel` of a folder.
    pub fn open(folder: &Folder, limits: &mut Limits) -> Result<Self, Error> {
        Self::read(&folder.read(MLMODEL, limits)?, limits)
    }

    /// An `MLmodel` of this document.
    pub fn new(document: Map, limits: &mut Limits) -> Result<Self, Error> {
        for (key, value) in document.iter() {
            let Some(name) = key.text() else {
                return Err(malformed("a key of an MLmodel is not a text"));
            };
            let Ok(row) = KEYS.binary_search_by_key(&name, |(key, _)| key) else {
                continue;
            };
            if let Some((_, holds)) = KEYS.get(row) {
                check(name, value, *holds)?;
            }
        }
        let Some(flavors) = document.get("flavors").and_then(Value::map) else {
            return Err(malformed("an MLmodel has no flavors"));
        };
        for (name, flavor) in flavors.iter() {
            if name.text().is_none() || flavor.map().is_none() {
                return Err(malformed("a flavor is not a mapping under a name"));
            }
        }
        let signature = match document.given("signature") {
            Some(Value::Map(map)) => Some(Signature::read(map, limits)?),
            _ => None,
        };
        Ok(Self {
            document,
            signature,
        })
    }

    /// Everything that the file says, in its order.
    pub fn document(&self) -> &Map {
        &self.document
    }

    /// The document itself.
    pub fn into_document(self) -> Map {
        self.document
    }

    /// The text of the file, as MLflow writes it.
    pub fn write(&self) -> String {
        yaml::write(&self.document)
    }

    /// Names and sections of the flavors, in the order of the file.
    pub fn flavors(&self) -> impl Iterator<Item = (&str, &Map)> {
        let flavors = self.document.get("flavors").and_then(Value::map);
        flavors
            .into_iter()
            .flat_map(Map::iter)
            .filter_map(|(name, flavor)| Some((name.text()?, flavor.map()?)))
    }

    /// The section of a flavor.
    pub fn flavor(&self, name: &str) -> Option<&Map> {
        self.flavors()
            .find(|(found, _)| *found == name)
            .map(|(_, flavor)| flavor)
    }

    /// The schemas of inputs, outputs and parameters.
    pub fn signature(&self) -> Option<&Signature> {
        self.signature.as_ref()
    }

    fn text(&self, key: &str) -> Option<&str> {
        self.document.get(key).and_then(Value::text)
    }

    /// The run that logged the model.
    pub fn run_id(&self) -> Option<&str> {
        self.text("run_id")
    }

    /// The logged model's id, from MLflow 3 on: `m-…`.
    pub fn model_id(&self) -> Option<&str> {
        self.text("model_id")
    }

    /// The path below the run's artifacts (MLflow 2), or the place of the logged model (MLflow 3).
    pub fn artifact_path(&self) -> Option<&str> {
        self.text("artifact_path")
    }

    /// An id of the folder that was saved.
    pub fn model_uuid(&self) -> Option<&str> {
        self.text("model_uuid")
    }

    /// The version of MLflow that wrote the file.
    pub fn mlflow_version(&self) -> Option<&str> {
        self.text("mlflow_version")
    }

    /// When it was saved, in UTC: `2026-11-23 03:54:51.609745`.
    pub fn utc_time_created(&self) -> Option<&str> {
        self.text("utc_time_created")
    }

    /// Bytes of all files that stood in the folder before `MLmodel` was written.
    pub fn model_size_bytes(&self) -> Option<u64> {
        match self.document.get("model_size_bytes") {
            Some(Value::Int(size)) => u64::try_from(*size).ok(),
            _ => None,
        }
    }

    /// What the user added.
    pub fn metadata(&self) -> Option<&Map> {
        self.document.get("metadata").and_then(Value::map)
    }

    /// The files of the input example, their kind and how they are laid out.
    pub fn saved_input_example_info(&self) -> Option<&Map> {
        self.document
            .get("saved_input_example_info")
            .and_then(Value::map)
    }

    /// Where a flavor keeps its model, in which format, and what code comes with it; each path is checked in the folder.
    ///
    /// # Errors
    ///
    /// `Unsupported` for a flavor that nopickle does not read, `Malformed` where the file lacks the flavor, where the
    /// flavors disagree, and for a path that leaves the folder, is a link, or names nothing.
    pub fn payload(
        &self,
        folder: &Folder,
        flavor: &str,
        limits: &mut Limits,
    ) -> Result<Payload, Error> {
        let payload = flavors::payload(self, flavor)?;
        if let Some(path) = &payload.entry {
            require(
                folder,
                path,
                "the model that a flavor names is not in the folder",
            )?;
        }
        if let Some(code) = &payload.code {
            require(
                folder,
                code,
                "the code that a flavor names is not in the folder",
            )?;
            folder.files(code, limits)?;
        }
        for path in &payload.environment {
            folder.kind(path)?;
        }
        let info = self.saved_input_example_info();
        for key in ["artifact_path", "serving_input_path"] {
            let path = info.and_then(|info| info.get(key)).and_then(Value::text);
            if let Some(path) = path {
                folder.kind(path)?;
            }
        }
        Ok(payload)
    }
}

/// Refuses a path at which neither a file nor a folder stands.
fn require(folder: &Folder, path: &str, what: &'static str) -> Result<EntryKind, Error> {
    folder
        .kind(path)?
        .ok_or_else(|| Error::malformed("mlmodel", Location::entry(path), what))
}

/// A rule that an `MLmodel` as a whole breaks.
pub(super) fn malformed(what: &'static str) -> Error {
    Error::malformed("mlmodel", Location::entry(MLMODEL), what)
}

fn check(name: &str, value: &Value, holds: Holds) -> Result<(), Error> {
    let fits = match (holds, value) {
        (_, Value::Null)
        // A version such as `3.10` may stand without quotes; MLflow reads it as a number.
        | (Holds::Text, Value::Text(_) | Value::Int(_) | Value::Float(_))
        | (Holds::Flag, Value::Bool(_))
        | (Holds::Mapping, Value::Map(_)) => true,
        (Holds::Count, Value::Int(count)) => *count >= 0,
        (Holds::Texts, Value::List(items)) => items.iter().all(|item| item.text().is_some()),
        _ => false,
    };
    if fits {
        return Ok(());
    }
    let at = Location::entry(&format!("{MLMODEL}/{name}"));
    let what = match holds {
        Holds::Text => "a key holds what is not a text",
        Holds::Count => "a key holds what is not a count",
        Holds::Flag => "a key holds what is not true or false",
        Holds::Mapping => "a key holds what is not a mapping",
        Holds::Texts => "a key holds what is not a list of texts",
    };
    Err(Error::malformed("mlmodel", at, what))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<MlModel, Error> {
        MlModel::read(text.as_bytes(), &mut Limits::default())
    }

    #[test]
    fn the_table_of_keys_is_sorted() {
        assert!(KEYS.is_sorted_by(|a, b| a.0 < b.0));
    }

    #[test]
    fn unknown_keys_survive_a_read_and_a_write() {
        let text = "flavors:\n  python_function:\n    loader_module: mlflow.sklearn\n\
            later: {a: [1, 'x']}\nrun_id: abc\n";
        let model = read(text).unwrap();
        assert_eq!(model.run_id(), Some("abc"));
        let again = read(&model.write()).unwrap();
        assert_eq!(again, model);
        assert!(again.document().get("later").is_some());
    }

    #[test]
    fn a_known_key_holds_what_mlflow_writes() {
        for (text, words) in [
            ("- a\n", "an MLmodel is not a mapping"),
            ("run_id: a\n", "an MLmodel has no flavors"),
            ("1: a\n", "a key of an MLmodel is not a text"),
            (
                "flavors: {a: 1}\n",
                "a flavor is not a mapping under a name",
            ),
            (
                "flavors: {}\nrun_id: [a]\n",
                "MLmodel/run_id: malformed mlmodel: a key holds what is not a text",
            ),
            (
                "flavors: {}\nmodel_size_bytes: -1\n",
                "a key holds what is not a count",
            ),
            (
                "flavors: {}\nprompts: [1]\n",
                "a key holds what is not a list of texts",
            ),
            (
                "flavors: {}\nmetadata: []\n",
                "a key holds what is not a mapping",
            ),
            (
                "flavors: {}\ntype_hint_from_example: 1\n",
                "a key holds what is not true or false",
            ),
        ] {
            let error = read(text).unwrap_err().to_string();
            assert!(error.contains(words), "{text:?}: {error}");
        }
        assert!(read("flavors: {}\nprompts: null\nmodel_id: null\n").is_ok());
    }
}
