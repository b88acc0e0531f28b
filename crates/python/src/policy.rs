//! `nopickle.Policy`: what this process, or a file, has decided.

use std::path::PathBuf;

use nopickle_formats::Role;
use nopickle_gate::{Policy, policy};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;

use crate::errors::raise_gate;

/// What may be loaded: the defaults, a policy file, and the switch.
///
/// A policy file and the environment are read with the interpreter attached, so that no other thread of Python
/// changes a variable meanwhile.
#[pyclass(frozen, name = "Policy", module = "nopickle")]
pub(crate) struct PyPolicy(pub(crate) Policy);

/// A policy as a caller gives it: one that was read, or the path of a file.
#[derive(FromPyObject)]
pub(crate) enum PolicyArgument<'py> {
    Read(PyRef<'py, PyPolicy>),
    File(PathBuf),
}

/// The policy of one load: that of the process, with what the caller gives. The switch is asked now.
pub(crate) fn effective(
    py: Python<'_>,
    policy: Option<PolicyArgument<'_>>,
    trusted: Vec<String>,
) -> PyResult<Policy> {
    let made = match policy {
        None => Policy::of_process(None),
        Some(PolicyArgument::File(path)) => Policy::of_process(Some(&path)),
        Some(PolicyArgument::Read(read)) => {
            policy::switch_of_environment().map(|switch| read.0.clone().with_switch(switch))
        }
    };
    let mut made = made.map_err(|error| raise_gate(py, error, ""))?;
    made.add(trusted);
    Ok(made)
}

fn role(word: &str) -> PyResult<Role> {
    match word {
        "value" => Ok(Role::Value),
        "instance" => Ok(Role::Instance),
        "call" => Ok(Role::Call),
        _ => Err(PyValueError::new_err(format!(
            "role can be \"value\", \"instance\" or \"call\", not {word:?}"
        ))),
    }
}

#[pymethods]
impl PyPolicy {
    /// The policy of a file, beside that of the process.
    #[new]
    #[pyo3(signature = (path = None))]
    fn new(py: Python<'_>, path: Option<PathBuf>) -> PyResult<Self> {
        Policy::of_process(path.as_deref())
            .map(Self)
            .map_err(|error| raise_gate(py, error, ""))
    }

    /// What this process has decided: the file that `NOPICKLE_POLICY` names, and the switch.
    #[staticmethod]
    fn from_environment(py: Python<'_>) -> PyResult<Self> {
        Self::new(py, None)
    }

    /// Whether pickles are loaded: the switch, as it is now, is on and no file says `pickle = "deny"`.
    #[getter]
    fn pickle(&self, py: Python<'_>) -> PyResult<bool> {
        let switch = policy::switch_of_environment().map_err(|error| raise_gate(py, error, ""))?;
        Ok(switch && self.0.pickle())
    }

    /// `allow`, `pinned` or `deny`.
    #[getter]
    fn code(&self) -> &'static str {
        self.0.code().word()
    }

    /// Whether arguments and the environment add to it.
    #[getter]
    fn extend(&self) -> bool {
        self.0.extends()
    }

    /// The policy files.
    #[getter]
    fn files(&self) -> Vec<PathBuf> {
        self.0.files().to_vec()
    }

    /// Whether a name is granted for a role, and the ones before it.
    #[pyo3(signature = (name, role = "call"))]
    fn grants(&self, name: &str, role: &str) -> PyResult<bool> {
        Ok(self.0.grants(name, self::role(role)?))
    }

    /// By which rule a name is granted for a role, or why it is not, in words.
    #[pyo3(signature = (name, role = "call"))]
    fn reason(&self, name: &str, role: &str) -> PyResult<String> {
        Ok(self.0.rule(name, self::role(role)?).to_string())
    }

    fn __repr__(&self) -> String {
        let files: Vec<String> = self
            .0
            .files()
            .iter()
            .map(|path| path.display().to_string())
            .collect();
        format!(
            "<nopickle.Policy of {}>",
            if files.is_empty() {
                "the defaults".to_owned()
            } else {
                files.join(", ")
            }
        )
    }
}
