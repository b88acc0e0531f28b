//! Stores of runs and models: requests and answers are dicts, lists and texts.

use std::cell::RefCell;
use std::ffi::OsString;
use std::path::PathBuf;

use nopickle_tracking::artifacts::{self, Place};
use nopickle_tracking::entities::{Metric, ModelOutput, ModelStatus, Page, Param, Tag};
use nopickle_tracking::progress::{Progress, Silent};
use nopickle_tracking::store::{NewModel, NewRun, NewVersion, RunChange, Search};
use nopickle_tracking::uri::{self, Uri};
use nopickle_tracking::{Error, names, redact};
use pyo3::exceptions::{PyTypeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyBool, PyDict, PyFloat, PyInt, PyList, PyString, PyTuple};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::errors;

/// What a store can be asked: one variant per method of `nopickle_tracking::Store`, with its arguments.
#[derive(Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
enum Request {
    CreateExperiment {
        name: String,
        artifact_location: Option<String>,
        tags: Vec<Tag>,
    },
    Experiment {
        id: String,
    },
    ExperimentByName {
        name: String,
    },
    RenameExperiment {
        id: String,
        name: String,
    },
    DeleteExperiment {
        id: String,
    },
    RestoreExperiment {
        id: String,
    },
    SetExperimentTag {
        id: String,
        tag: Tag,
    },
    DeleteExperimentTag {
        id: String,
        key: String,
    },
    SearchExperiments(Search),
    CreateRun(NewRun),
    Run {
        id: String,
    },
    UpdateRun {
        id: String,
        change: RunChange,
    },
    DeleteRun {
        id: String,
    },
    RestoreRun {
        id: String,
    },
    LogBatch {
        id: String,
        metrics: Vec<Metric>,
        params: Vec<Param>,
        tags: Vec<Tag>,
    },
    DeleteTag {
        id: String,
        key: String,
    },
    MetricHistory {
        id: String,
        key: String,
    },
    SearchRuns(Search),
    LogOutputs {
        id: String,
        models: Vec<ModelOutput>,
    },
    CreateLoggedModel(NewModel),
    LoggedModel {
        id: String,
    },
    FinalizeLoggedModel {
        id: String,
        status: ModelStatus,
    },
    DeleteLoggedModel {
        id: String,
    },
    SetLoggedModelTags {
        id: String,
        tags: Vec<Tag>,
    },
    DeleteLoggedModelTag {
        id: String,
        key: String,
    },
    LogLoggedModelParams {
        id: String,
        params: Vec<Param>,
    },
    SearchLoggedModels(Search),
    CreateRegisteredModel {
        name: String,
        tags: Vec<Tag>,
        description: Option<String>,
    },
    RegisteredModel {
        name: String,
    },
    RenameRegisteredModel {
        name: String,
        new_name: String,
    },
    UpdateRegisteredModel {
        name: String,
        description: Option<String>,
    },
    DeleteRegisteredModel {
        name: String,
    },
    SearchRegisteredModels(Search),
    SetRegisteredModelTag {
        name: String,
        tag: Tag,
    },
    DeleteRegisteredModelTag {
        name: String,
        key: String,
    },
    SetAlias {
        name: String,
        alias: String,
        version: String,
    },
    DeleteAlias {
        name: String,
        alias: String,
    },
    VersionByAlias {
        name: String,
        alias: String,
    },
    LatestVersions {
        name: String,
        stages: Vec<String>,
    },
    CreateModelVersion(NewVersion),
    ModelVersion {
        name: String,
        version: String,
    },
    UpdateModelVersion {
        name: String,
        version: String,
        description: Option<String>,
    },
    SetStage {
        name: String,
        version: String,
        stage: String,
        archive: bool,
    },
    DeleteModelVersion {
        name: String,
        version: String,
    },
    VersionDownloadUri {
        name: String,
        version: String,
    },
    SearchModelVersions(Search),
    SetVersionTag {
        name: String,
        version: String,
        tag: Tag,
    },
    DeleteVersionTag {
        name: String,
        version: String,
        key: String,
    },
}

/// An answer that can be read from Python.
fn json(answer: impl Serialize) -> Result<Value, Error> {
    serde_json::to_value(answer).map_err(|error| Error::State(error.to_string()))
}

fn page<T: Serialize>(page: Page<T>) -> Result<Value, Error> {
    json(page)
}

fn answer(store: &dyn nopickle_tracking::Store, request: Request) -> Result<Value, Error> {
    match request {
        Request::CreateExperiment {
            name,
            artifact_location,
            tags,
        } => json(store.create_experiment(&name, artifact_location.as_deref(), &tags)?),
        Request::Experiment { id } => json(store.experiment(&id)?),
        Request::ExperimentByName { name } => json(store.experiment_by_name(&name)?),
        Request::RenameExperiment { id, name } => json(store.rename_experiment(&id, &name)?),
        Request::DeleteExperiment { id } => json(store.delete_experiment(&id)?),
        Request::RestoreExperiment { id } => json(store.restore_experiment(&id)?),
        Request::SetExperimentTag { id, tag } => json(store.set_experiment_tag(&id, &tag)?),
        Request::DeleteExperimentTag { id, key } => json(store.delete_experiment_tag(&id, &key)?),
        Request::SearchExperiments(search) => page(store.search_experiments(&search)?),
        Request::CreateRun(run) => json(store.create_run(&run)?),
        Request::Run { id } => json(store.run(&id)?),
        Request::UpdateRun { id, change } => json(store.update_run(&id, &change)?),
        Request::DeleteRun { id } => json(store.delete_run(&id)?),
        Request::RestoreRun { id } => json(store.restore_run(&id)?),
        Request::LogBatch {
            id,
            metrics,
            params,
            tags,
        } => json(store.log_batch(&id, &metrics, &params, &tags)?),
        Request::DeleteTag { id, key } => json(store.delete_tag(&id, &key)?),
        Request::MetricHistory { id, key } => json(store.metric_history(&id, &key)?),
        Request::SearchRuns(search) => page(store.search_runs(&search)?),
        Request::LogOutputs { id, models } => json(store.log_outputs(&id, &models)?),
        Request::CreateLoggedModel(model) => json(store.create_logged_model(&model)?),
        Request::LoggedModel { id } => json(store.logged_model(&id)?),
        Request::FinalizeLoggedModel { id, status } => {
            json(store.finalize_logged_model(&id, status)?)
        }
        Request::DeleteLoggedModel { id } => json(store.delete_logged_model(&id)?),
        Request::SetLoggedModelTags { id, tags } => json(store.set_logged_model_tags(&id, &tags)?),
        Request::DeleteLoggedModelTag { id, key } => {
            json(store.delete_logged_model_tag(&id, &key)?)
        }
        Request::LogLoggedModelParams { id, params } => {
            json(store.log_logged_model_params(&id, &params)?)
        }
        Request::SearchLoggedModels(search) => page(store.search_logged_models(&search)?),
        Request::CreateRegisteredModel {
            name,
            tags,
            description,
        } => json(store.create_registered_model(&name, &tags, description.as_deref())?),
        Request::RegisteredModel { name } => json(store.registered_model(&name)?),
        Request::RenameRegisteredModel { name, new_name } => {
            json(store.rename_registered_model(&name, &new_name)?)
        }
        Request::UpdateRegisteredModel { name, description } => {
            json(store.update_registered_model(&name, description.as_deref())?)
        }
        Request::DeleteRegisteredModel { name } => json(store.delete_registered_model(&name)?),
        Request::SearchRegisteredModels(search) => page(store.search_registered_models(&search)?),
        Request::SetRegisteredModelTag { name, tag } => {
            json(store.set_registered_model_tag(&name, &tag)?)
        }
        Request::DeleteRegisteredModelTag { name, key } => {
            json(store.delete_registered_model_tag(&name, &key)?)
        }
        Request::SetAlias {
            name,
            alias,
            version,
        } => json(store.set_alias(&name, &alias, &version)?),
        Request::DeleteAlias { name, alias } => json(store.delete_alias(&name, &alias)?),
        Request::VersionByAlias { name, alias } => json(store.version_by_alias(&name, &alias)?),
        Request::LatestVersions { name, stages } => json(store.latest_versions(&name, &stages)?),
        Request::CreateModelVersion(version) => json(store.create_model_version(&version)?),
        Request::ModelVersion { name, version } => json(store.model_version(&name, &version)?),
        Request::UpdateModelVersion {
            name,
            version,
            description,
        } => json(store.update_model_version(&name, &version, description.as_deref())?),
        Request::SetStage {
            name,
            version,
            stage,
            archive,
        } => json(store.set_stage(&name, &version, &stage, archive)?),
        Request::DeleteModelVersion { name, version } => {
            json(store.delete_model_version(&name, &version)?)
        }
        Request::VersionDownloadUri { name, version } => {
            json(store.version_download_uri(&name, &version)?)
        }
        Request::SearchModelVersions(search) => page(store.search_model_versions(&search)?),
        Request::SetVersionTag { name, version, tag } => {
            json(store.set_version_tag(&name, &version, &tag)?)
        }
        Request::DeleteVersionTag { name, version, key } => {
            json(store.delete_version_tag(&name, &version, &key)?)
        }
    }
}

/// A Python object as JSON; a float that is no number as `"NaN"`, `"inf"`, `"-inf"`.
fn to_json(object: &Bound<'_, PyAny>) -> PyResult<Value> {
    if object.is_none() {
        Ok(Value::Null)
    } else if let Ok(value) = object.cast::<PyBool>() {
        Ok(Value::Bool(value.is_true()))
    } else if let Ok(value) = object.cast::<PyString>() {
        Ok(Value::String(value.to_str()?.to_owned()))
    } else if object.cast::<PyInt>().is_ok() {
        let value: i64 = object
            .extract()
            .map_err(|_| PyValueError::new_err(format!("{object} does not fit into 64 bits")))?;
        Ok(value.into())
    } else if let Ok(value) = object.cast::<PyFloat>() {
        let value = value.value();
        Ok(serde_json::Number::from_f64(value)
            .map_or_else(|| Value::String(value.to_string()), Value::Number))
    } else if let Ok(list) = object.cast::<PyList>() {
        list.iter().map(|item| to_json(&item)).collect()
    } else if let Ok(tuple) = object.cast::<PyTuple>() {
        tuple.iter().map(|item| to_json(&item)).collect()
    } else if let Ok(dict) = object.cast::<PyDict>() {
        let mut map = Map::new();
        for (key, value) in dict {
            map.insert(key.extract()?, to_json(&value)?);
        }
        Ok(Value::Object(map))
    } else {
        Err(PyTypeError::new_err(format!(
            "{} can't be sent to a store",
            object.get_type().name()?
        )))
    }
}

fn from_json<'py>(py: Python<'py>, value: &Value) -> PyResult<Bound<'py, PyAny>> {
    Ok(match value {
        Value::Null => py.None().into_bound(py),
        Value::Bool(value) => PyBool::new(py, *value).to_owned().into_any(),
        Value::Number(number) => match number.as_i64() {
            Some(whole) => whole.into_pyobject(py)?.into_any(),
            None => number
                .as_f64()
                .unwrap_or(f64::NAN)
                .into_pyobject(py)?
                .into_any(),
        },
        Value::String(text) => PyString::new(py, text).into_any(),
        Value::Array(items) => {
            let list = PyList::empty(py);
            for item in items {
                list.append(from_json(py, item)?)?;
            }
            list.into_any()
        }
        Value::Object(map) => {
            let dict = PyDict::new(py);
            for (key, value) in map {
                dict.set_item(key, from_json(py, value)?)?;
            }
            dict.into_any()
        }
    })
}

/// A store of experiments, runs, logged models and registered models, and their artifacts.
#[pyclass(frozen, name = "TrackingStore", module = "nopickle._rust")]
pub(crate) struct TrackingStore(Box<dyn nopickle_tracking::Store>);

thread_local! {
    /// What a signal handler of Python raised while Rust worked on this thread.
    static RAISED: RefCell<Option<PyErr>> = const { RefCell::new(None) };
}

/// Runs Python's signal handlers where one is due; says whether one raised.
pub(crate) fn is_interrupted() -> bool {
    Python::attach(|py| match py.check_signals() {
        Ok(()) => false,
        Err(raised) => {
            RAISED.set(Some(raised));
            true
        }
    })
}

impl TrackingStore {
    /// Runs `work` without the interpreter.
    fn detached<T: Send>(
        &self,
        py: Python<'_>,
        work: impl FnOnce(&dyn nopickle_tracking::Store) -> Result<T, Error> + Send,
    ) -> PyResult<T> {
        let answer = py.detach(|| work(self.0.as_ref()));
        // What a signal raised counts more than what came of it.
        if let Some(raised) = RAISED.take() {
            return Err(raised);
        }
        answer.map_err(|error| errors::raise_tracking(py, &error))
    }
}

/// Where `uri` and then `path` lead.
fn place<'s>(
    store: &'s dyn nopickle_tracking::Store,
    registry: &dyn nopickle_tracking::Store,
    uri: &str,
    path: &str,
) -> Result<Place<'s>, Error> {
    Place::open(&uri::resolve(uri, store, registry)?, store)?.at(path)
}

fn progress(words: &str) -> Box<dyn Progress> {
    nopickle_cli::transfer_bar(words).unwrap_or_else(|| Box::new(Silent))
}

#[pymethods]
impl TrackingStore {
    #[new]
    #[pyo3(signature = (uri, create = true))]
    fn new(py: Python<'_>, uri: String, create: bool) -> PyResult<Self> {
        py.detach(|| nopickle_tracking::open(&uri, create))
            .map(Self)
            .map_err(|error| errors::raise_tracking(py, &error))
    }

    /// Its URI without user and password.
    fn uri(&self) -> String {
        self.0.uri()
    }

    /// The folder of its artifacts, where it is on this machine.
    fn artifact_root(&self) -> Option<OsString> {
        self.0.artifact_root().map(OsString::from)
    }

    /// A new folder on the file system of the artifacts; none where they are elsewhere.
    fn staging(&self, py: Python<'_>) -> PyResult<Option<OsString>> {
        self.detached(py, |store| Ok(store.staging()?.map(OsString::from)))
    }

    /// Asks the store.
    fn call<'py>(
        &self,
        py: Python<'py>,
        method: &str,
        arguments: &Bound<'py, PyDict>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let mut request = Map::new();
        request.insert(method.to_owned(), to_json(arguments.as_any())?);
        let request: Request = serde_json::from_value(Value::Object(request)).map_err(|error| {
            errors::raise_tracking(py, &Error::Invalid(format!("{method}: {error}")))
        })?;
        let value = self.detached(py, |store| answer(store, request))?;
        from_json(py, &value)
    }

    /// Where `uri` leads: the path if it is on this machine, else a URI or an address, and whether it is a path.
    fn resolve(&self, py: Python<'_>, uri: String, registry: &Self) -> PyResult<(bool, String)> {
        let registry = registry.0.as_ref();
        self.detached(py, |store| {
            Ok(match uri::resolve(&uri, store, registry)? {
                Uri::Path(path) => {
                    let path = std::path::absolute(&path).unwrap_or(path);
                    (true, path.display().to_string())
                }
                Uri::Object(uri) | Uri::Http(uri) => (false, uri),
                Uri::Proxied { server: None, path } => (false, format!("mlflow-artifacts:/{path}")),
                Uri::Proxied {
                    server: Some(server),
                    path,
                } => {
                    let host = server.split_once("://").map_or("", |(_, host)| host);
                    (false, format!("mlflow-artifacts://{host}/{path}"))
                }
                Uri::Run { .. } | Uri::LoggedModel { .. } | Uri::Registered { .. } => (false, uri),
            })
        })
    }

    /// The version that `models:/name/...` asks for, as name and number; none for any other URI.
    fn registered_version(
        &self,
        py: Python<'_>,
        uri: String,
    ) -> PyResult<Option<(String, String)>> {
        self.detached(py, |store| match Uri::parse(&uri)? {
            Uri::Registered { name, which, .. } => {
                let version = uri::version(store, &name, &which)?;
                Ok(Some((name, version)))
            }
            _ => Ok(None),
        })
    }

    /// What is in a folder of artifacts.
    fn list<'py>(
        &self,
        py: Python<'py>,
        uri: String,
        path: String,
        registry: &Self,
    ) -> PyResult<Bound<'py, PyAny>> {
        let registry = registry.0.as_ref();
        let value = self.detached(py, |store| {
            json(place(store, registry, &uri, &path)?.list()?)
        })?;
        from_json(py, &value)
    }

    /// Writes a file, or what is in a folder, to `path` below `uri`.
    fn upload(
        &self,
        py: Python<'_>,
        uri: String,
        path: String,
        local: PathBuf,
        registry: &Self,
    ) -> PyResult<()> {
        let registry = registry.0.as_ref();
        self.detached(py, |store| {
            let bar = progress("upload");
            place(store, registry, &uri, &path)?.upload(&local, bar.as_ref())
        })
    }

    /// Writes the file or the folder at `path` below `uri` to `destination`.
    fn download(
        &self,
        py: Python<'_>,
        uri: String,
        path: String,
        destination: PathBuf,
        registry: &Self,
    ) -> PyResult<()> {
        let registry = registry.0.as_ref();
        self.detached(py, |store| {
            let bar = progress("download");
            place(store, registry, &uri, &path)?.download(&destination, bar.as_ref())
        })
    }
}

/// Moves a folder of `TrackingStore.staging` to its place.
#[pyfunction]
pub(crate) fn tracking_publish(py: Python<'_>, staged: PathBuf, to: PathBuf) -> PyResult<()> {
    py.detach(|| artifacts::publish(&staged, &to))
        .map_err(|error| errors::raise_tracking(py, &error))
}

/// A new ID for a logged model.
#[pyfunction]
pub(crate) fn tracking_new_model_id(py: Python<'_>) -> PyResult<String> {
    names::new_model_id().map_err(|error| errors::raise_tracking(py, &error))
}

/// Refuses a path that leaves the folder of artifacts.
#[pyfunction]
pub(crate) fn tracking_check_path(py: Python<'_>, path: &str) -> PyResult<()> {
    names::check_artifact_path(path).map_err(|error| errors::raise_tracking(py, &error))
}

/// A URI without user and password.
#[pyfunction]
pub(crate) fn tracking_redact(uri: &str) -> String {
    redact(uri)
}
