//! The one way in: a model folder that was opened by a policy, and the object in it.

use std::collections::BTreeMap;
use std::os::fd::IntoRawFd;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use nopickle_gate::{CodeRule, Content, Opened, What, open_folder};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::{PyByteArray, PyBytes, PyDict};

use crate::errors::raise_gate;
use crate::materialize::OwnModules;
use crate::mlflow::dict;
use crate::policy::{PolicyArgument, effective};
use crate::skops::build;

/// A model that was opened: every name is decided, and the way to the object verifies its values.
#[pyclass(frozen, name = "Opened", module = "nopickle._rust")]
pub(crate) struct PyOpened(Mutex<Option<Opened<'static>>>);

/// A name, the most that it is used for, the byte of its first use, and by which rule it is granted.
type AskedRow = (String, &'static str, u64, String);

/// The folder of a model's code, its digest, and the source of each module.
type CodeRow<'py> = (PathBuf, String, BTreeMap<String, Bound<'py, PyBytes>>);

impl PyOpened {
    /// What was opened, until it is taken.
    fn inner<T>(&self, read: impl FnOnce(&mut Opened<'static>) -> PyResult<T>) -> PyResult<T> {
        let mut opened = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        read(opened.as_mut().ok_or_else(taken)?)
    }
}

fn taken() -> PyErr {
    PyValueError::new_err("what was opened gives its content once")
}

#[pymethods]
impl PyOpened {
    /// `skops`, `lightgbm`, `catboost`, `xgboost`, `pickle` or `cloudpickle`.
    #[getter]
    fn format(&self) -> PyResult<String> {
        self.inner(|opened| Ok(opened.format.clone()))
    }

    /// The path of the model's data in its folder.
    #[getter]
    fn entry(&self) -> PyResult<String> {
        self.inner(|opened| Ok(opened.entry.clone()))
    }

    /// The class of the model, where its flavor says one.
    #[getter]
    fn model_class(&self) -> PyResult<Option<String>> {
        self.inner(|opened| Ok(opened.class.clone()))
    }

    /// What the `MLmodel` says that was read; `None` where none was.
    #[getter]
    fn mlmodel<'py>(&self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyDict>>> {
        self.inner(|opened| {
            let model = opened.mlmodel.as_ref();
            model.map(|model| dict(py, model.document())).transpose()
        })
    }

    /// The id of the policy's key that signed the folder; `None` where none did.
    #[getter]
    fn signed_by(&self) -> PyResult<Option<String>> {
        self.inner(|opened| Ok(opened.signed_by.clone()))
    }

    /// The names that are granted because the model asks for them.
    #[getter]
    fn granted(&self) -> PyResult<Vec<String>> {
        self.inner(|opened| Ok(opened.granted.clone()))
    }

    /// The code of the model that is used: its folder, its digest and the source of each module; `None` where there is none.
    #[getter]
    fn code<'py>(&self, py: Python<'py>) -> PyResult<Option<CodeRow<'py>>> {
        self.inner(|opened| {
            Ok(match &opened.code {
                CodeRule::Used(code) => {
                    let sources = code.sources.iter();
                    let sources =
                        sources.map(|(name, text)| (name.clone(), PyBytes::new(py, text)));
                    Some((code.folder.clone(), code.digest(), sources.collect()))
                }
                CodeRule::None | CodeRule::Refused(_) => None,
            })
        })
    }

    /// Why code that the model brings is not used; `None` where it is, or where there is none.
    #[getter]
    fn code_refused(&self) -> PyResult<Option<String>> {
        self.inner(|opened| {
            Ok(match &opened.code {
                CodeRule::Refused(why) => Some(why.clone()),
                CodeRule::None | CodeRule::Used(_) => None,
            })
        })
    }

    /// The private folder that holds what was verified, where there is one: it is the caller's to remove.
    fn keep(&self) -> PyResult<Option<PathBuf>> {
        self.inner(|opened| Ok(opened.keep()))
    }

    /// The SHA-256 of each file that was read.
    fn digests(&self, py: Python<'_>) -> PyResult<BTreeMap<String, String>> {
        self.inner(|opened| opened.digests().map_err(|error| raise_gate(py, error, "")))
    }

    /// Every name of code in a skops file, with the decision on it.
    fn asked(&self) -> PyResult<Vec<AskedRow>> {
        let asked = self.inner(|opened| Ok(opened.asked()))?;
        let row = |one: nopickle_gate::Asked| {
            let role = one.role.word();
            (one.name, role, one.offset, one.rule.to_string())
        };
        Ok(asked.into_iter().map(row).collect())
    }

    /// The object of a skops file, the text of a booster, the bytes of a model of CatBoost or XGBoost, or the descriptor of a pickle, which the caller closes.
    ///
    /// Names of the top-level modules `modules` are taken from the private package `package`, which holds the model's code.
    #[pyo3(signature = (package = String::new(), modules = Vec::new()))]
    fn take<'py>(
        &self,
        py: Python<'py>,
        package: String,
        modules: Vec<String>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let opened = self.0.lock().unwrap_or_else(PoisonError::into_inner).take();
        let opened = opened.ok_or_else(taken)?;
        let names = opened.policy.to_names();
        match opened.content {
            Content::Skops(skops) => {
                let own = OwnModules::new(package, modules);
                build(py, *skops, &names, &own)
            }
            Content::Booster(text) => Ok(text.into_pyobject(py)?.into_any()),
            Content::Bytes(bytes) => Ok(PyByteArray::new(py, &bytes).into_any()),
            Content::Pickle(file) => Ok(file.into_raw_fd().into_pyobject(py)?.into_any()),
        }
    }
}

/// Opens what the `MLmodel` of a folder says of a flavor.
#[pyfunction]
#[pyo3(signature = (folder, flavor, trusted, policy = None))]
pub(crate) fn open_flavor<'py>(
    py: Python<'py>,
    folder: PathBuf,
    flavor: String,
    trusted: Vec<String>,
    policy: Option<PolicyArgument<'py>>,
) -> PyResult<PyOpened> {
    let policy = effective(py, policy, trusted)?;
    open(py, &folder, &What::Flavor(&flavor), policy)
}

/// Opens a file of a folder in a format; `requested` are names that the model asks for.
#[pyfunction]
#[pyo3(signature = (folder, entry, format, requested, trusted, policy = None))]
pub(crate) fn open_entry<'py>(
    py: Python<'py>,
    folder: PathBuf,
    entry: String,
    format: String,
    requested: Vec<String>,
    trusted: Vec<String>,
    policy: Option<PolicyArgument<'py>>,
) -> PyResult<PyOpened> {
    let policy = effective(py, policy, trusted)?;
    let what = What::Entry {
        entry: &entry,
        format: &format,
        requested: &requested,
    };
    open(py, &folder, &what, policy)
}

fn open(
    py: Python<'_>,
    folder: &Path,
    what: &What<'_>,
    policy: nopickle_gate::Policy,
) -> PyResult<PyOpened> {
    py.detach(|| open_folder(folder, what, policy))
        .map(|opened| PyOpened(Mutex::new(Some(opened))))
        .map_err(|error| raise_gate(py, error, "skops_trusted_types"))
}
