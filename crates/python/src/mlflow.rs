//! `nopickle.models`: MLflow's model folders as plain dicts.

use std::fs::File;
use std::os::fd::IntoRawFd;
use std::path::{Path, PathBuf};

use nopickle_formats::archive::{FileSink, Folder, Sink, relative};
use nopickle_formats::mlflow::yaml::{self, Map, Value};
use nopickle_formats::mlflow::{self, Environment, MLMODEL, MlModel};
use nopickle_formats::{Error, Limits};
use pyo3::prelude::*;
use pyo3::types::{PyBool, PyDict, PyFloat, PyInt, PyList, PyString, PyTuple};

use crate::errors::{exception, raise};

/// Levels that a dict may nest: a reader takes no more.
const DEPTH: usize = 100;

fn to_python<'py>(py: Python<'py>, value: &Value) -> PyResult<Bound<'py, PyAny>> {
    Ok(match value {
        Value::Null => py.None().into_bound(py),
        Value::Bool(value) => PyBool::new(py, *value).to_owned().into_any(),
        Value::Int(value) => value.into_pyobject(py)?.into_any(),
        Value::Big(digits) => py.get_type::<PyInt>().call1((digits,))?,
        Value::Float(value) => PyFloat::new(py, *value).into_any(),
        Value::Text(text) => PyString::new(py, text).into_any(),
        Value::List(items) => {
            let list = PyList::empty(py);
            for item in items {
                list.append(to_python(py, item)?)?;
            }
            list.into_any()
        }
        Value::Map(map) => dict(py, map)?.into_any(),
    })
}

/// A dict of plain values.
pub(crate) fn dict<'py>(py: Python<'py>, map: &Map) -> PyResult<Bound<'py, PyDict>> {
    let dict = PyDict::new(py);
    for (key, value) in map.iter() {
        dict.set_item(to_python(py, key)?, to_python(py, value)?)?;
    }
    Ok(dict)
}

/// What a document of YAML can hold of a Python object; `place` names it in an error.
fn from_python(object: &Bound<'_, PyAny>, place: &str, depth: usize) -> PyResult<Value> {
    let py = object.py();
    if depth > DEPTH {
        let message = format!("{place}: nesting is over the limit: more than {DEPTH} levels");
        return Err(exception(py, "LimitExceededError", message));
    }
    if object.is_none() {
        return Ok(Value::Null);
    }
    if object.is_instance_of::<PyBool>() {
        return Ok(Value::Bool(object.extract()?));
    }
    if object.is_instance_of::<PyInt>() {
        return Ok(match object.extract() {
            Ok(value) => Value::Int(value),
            Err(_) => Value::Big(object.str()?.extract()?),
        });
    }
    if object.is_instance_of::<PyFloat>() {
        return Ok(Value::Float(object.extract()?));
    }
    if object.is_instance_of::<PyString>() {
        return Ok(Value::Text(object.extract()?));
    }
    if object.is_instance_of::<PyList>() || object.is_instance_of::<PyTuple>() {
        let mut items = Vec::new();
        for (index, item) in object.try_iter()?.enumerate() {
            items.push(from_python(
                &item?,
                &format!("{place}[{index}]"),
                depth + 1,
            )?);
        }
        return Ok(Value::List(items));
    }
    if let Ok(dict) = object.cast::<PyDict>() {
        return Ok(Value::Map(map(dict, place, depth)?));
    }
    let kind = object.get_type().fully_qualified_name()?;
    let message = format!(
        "{place}: an MLmodel holds texts, numbers, booleans, None, lists and dicts, not {kind}\n\
         hint: convert it before it is given, for example to a text"
    );
    Err(exception(py, "UnsupportedTypeError", message))
}

fn map(dict: &Bound<'_, PyDict>, place: &str, depth: usize) -> PyResult<Map> {
    let mut entries = Vec::new();
    for (key, value) in dict {
        let name = if place.is_empty() {
            key.str()?.to_string()
        } else {
            format!("{place}.{}", key.str()?)
        };
        let key = from_python(&key, &name, depth + 1)?;
        if matches!(key, Value::List(_) | Value::Map(_)) {
            let message = format!("{name}: the key of a dict in an MLmodel is a scalar");
            return Err(exception(dict.py(), "UnsupportedTypeError", message));
        }
        entries.push((key, from_python(&value, &name, depth + 1)?));
    }
    Ok(Map::new(entries))
}

/// The model of a dict, every known key of which holds what MLflow writes there.
fn model(document: &Bound<'_, PyDict>) -> PyResult<MlModel> {
    let map = map(document, "", 0)?;
    MlModel::new(map, &mut Limits::default()).map_err(|error| raise(document.py(), error))
}

fn write_file(path: &Path, text: &str) -> Result<(), Error> {
    let mut sink = FileSink::create(path)?;
    sink.append(text.as_bytes())?;
    Ok(sink.commit()?)
}

/// What the `MLmodel` of a folder says.
#[pyfunction]
pub(crate) fn mlmodel_read(py: Python<'_>, folder: PathBuf) -> PyResult<Bound<'_, PyDict>> {
    let read = || MlModel::open(&Folder::open(&folder)?, &mut Limits::default());
    let model = py.detach(read).map_err(|error| raise(py, error))?;
    dict(py, model.document())
}

/// What the text of an `MLmodel` says.
#[pyfunction]
pub(crate) fn mlmodel_loads<'py>(py: Python<'py>, text: &[u8]) -> PyResult<Bound<'py, PyDict>> {
    let model = MlModel::read(text, &mut Limits::default()).map_err(|error| raise(py, error))?;
    dict(py, model.document())
}

/// The text of an `MLmodel`.
#[pyfunction]
pub(crate) fn mlmodel_dumps(document: &Bound<'_, PyDict>) -> PyResult<String> {
    Ok(model(document)?.write())
}

/// Writes the `MLmodel` of a folder: to a temporary file first, which is then renamed.
#[pyfunction]
pub(crate) fn mlmodel_write(
    py: Python<'_>,
    folder: PathBuf,
    document: &Bound<'_, PyDict>,
) -> PyResult<()> {
    let text = model(document)?.write();
    py.detach(|| write_file(&folder.join(MLMODEL), &text))
        .map_err(|error| raise(py, error))
}

/// Where a flavor keeps its model, in which format, and what code comes with it.
#[pyfunction]
pub(crate) fn mlmodel_payload(
    py: Python<'_>,
    folder: PathBuf,
    flavor: String,
) -> PyResult<Bound<'_, PyDict>> {
    let payload = py
        .detach(|| {
            let mut limits = Limits::default();
            let folder = Folder::open(&folder)?;
            MlModel::open(&folder, &mut limits)?.payload(&folder, &flavor, &mut limits)
        })
        .map_err(|error| raise(py, error))?;
    let dict = PyDict::new(py);
    dict.set_item("entry", payload.entry)?;
    dict.set_item("format", payload.format)?;
    dict.set_item("code", payload.code)?;
    dict.set_item("written_by", payload.written_by)?;
    dict.set_item("loader_module", payload.loader_module)?;
    dict.set_item("class", payload.class)?;
    dict.set_item("predict_fn", payload.predict_fn)?;
    dict.set_item("trusted_types", payload.trusted_types)?;
    dict.set_item("environment", payload.environment)?;
    Ok(dict)
}

/// The value of one YAML document, which is a mapping.
#[pyfunction]
pub(crate) fn yaml_loads<'py>(py: Python<'py>, text: &[u8]) -> PyResult<Bound<'py, PyAny>> {
    let value = yaml::read(text, "document", &Limits::default());
    to_python(py, &value.map_err(|error| raise(py, error))?)
}

/// The text of one YAML document, byte for byte what PyYAML's safe dumper writes in block style.
#[pyfunction]
pub(crate) fn yaml_dumps(document: &Bound<'_, PyDict>, sort_keys: bool) -> PyResult<String> {
    let map = map(document, "", 0)?;
    Ok(if sort_keys {
        yaml::write(&map)
    } else {
        yaml::write_in_order(&map)
    })
}

/// Writes `conda.yaml`, `python_env.yaml` and `requirements.txt` of a folder.
#[pyfunction]
pub(crate) fn environment_write(
    py: Python<'_>,
    folder: PathBuf,
    requirements: Vec<String>,
    python: &str,
    pip: Option<&str>,
    setuptools: Option<&str>,
    wheel: Option<&str>,
) -> PyResult<()> {
    py.detach(|| {
        let environment = Environment::new(python, pip, setuptools, wheel, &requirements)?;
        for (name, text) in [
            ("conda.yaml", mlflow::conda_yaml(&environment)),
            ("python_env.yaml", mlflow::python_env_yaml(&environment)),
            ("requirements.txt", mlflow::requirements_txt(&environment)),
        ] {
            write_file(&folder.join(name), &text)?;
        }
        Ok(())
    })
    .map_err(|error| raise(py, error))
}

/// Requirements of a text, each checked: names and versions only.
#[pyfunction]
pub(crate) fn requirements_loads(py: Python<'_>, text: &str) -> PyResult<Vec<String>> {
    let found = mlflow::requirements(text, "requirements.txt").map_err(|error| raise(py, error))?;
    Ok(found.iter().map(ToString::to_string).collect())
}

/// Refuses a path that is not relative, leaves its folder, or could be written in a second way.
#[pyfunction]
pub(crate) fn folder_check(py: Python<'_>, name: &str) -> PyResult<()> {
    relative(name).map_err(|error| raise(py, error))
}

/// The bytes of a small regular file in a folder, opened beneath it without following links.
#[pyfunction]
pub(crate) fn folder_read(py: Python<'_>, folder: PathBuf, name: &str) -> PyResult<Vec<u8>> {
    py.detach(|| Folder::open(&folder)?.read(name, &Limits::default()))
        .map_err(|error| raise(py, error))
}

/// A descriptor of a regular file in a folder, opened beneath it without following links; the caller closes it.
#[pyfunction]
pub(crate) fn folder_open(py: Python<'_>, folder: PathBuf, name: &str) -> PyResult<i32> {
    py.detach(|| Folder::open(&folder)?.file(name))
        .map(File::into_raw_fd)
        .map_err(|error| raise(py, error))
}

/// Paths and sizes of all regular files at or below a path of a folder, sorted; `""` is the folder itself.
#[pyfunction]
pub(crate) fn folder_files(
    py: Python<'_>,
    folder: PathBuf,
    name: &str,
) -> PyResult<Vec<(String, u64)>> {
    let files = py
        .detach(|| Folder::open(&folder)?.files(name, &mut Limits::default()))
        .map_err(|error| raise(py, error))?;
    Ok(files
        .into_iter()
        .map(|file| (file.name, file.size))
        .collect())
}
