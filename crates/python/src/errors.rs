//! Errors as Python exceptions: one match, no wildcard.

use nopickle_formats::{Error, Untrusted};
use pyo3::exceptions::PyOSError;
use pyo3::prelude::*;
use pyo3::types::PyType;

/// The exception class of `nopickle.exceptions` with this name.
pub(crate) fn class<'py>(py: Python<'py>, name: &str) -> PyResult<Bound<'py, PyType>> {
    Ok(py
        .import("nopickle.exceptions")?
        .getattr(name)?
        .cast_into::<PyType>()?)
}

/// An exception of `nopickle.exceptions`.
pub(crate) fn exception(py: Python<'_>, name: &str, message: String) -> PyErr {
    match class(py, name) {
        Ok(class) => PyErr::from_type(class, message),
        Err(error) => error,
    }
}

/// The Python exception for an error of a model.
pub(crate) fn raise(py: Python<'_>, error: Error) -> PyErr {
    let name = match &error {
        Error::Malformed { .. } => "MalformedModelError",
        Error::Unsupported { .. } => "UnsupportedModelError",
        Error::Limit { .. } => "LimitExceededError",
        Error::Unverified { .. } => "UnverifiedModelError",
        Error::Untrusted(untrusted) => return raise_untrusted(py, untrusted),
        Error::Io(_) => {
            return match error {
                Error::Io(error) => PyErr::from(error),
                _ => PyOSError::new_err("input or output failed"),
            };
        }
    };
    exception(py, name, error.to_string())
}

/// `UntrustedTypesError`, which carries the names.
fn raise_untrusted(py: Python<'_>, untrusted: &Untrusted) -> PyErr {
    let names: Vec<&str> = untrusted
        .names
        .iter()
        .map(|refused| refused.name.as_str())
        .collect();
    let make = || -> PyResult<PyErr> {
        let error = class(py, "UntrustedTypesError")?.call1((names, untrusted.to_string()))?;
        Ok(PyErr::from_value(error))
    };
    make().unwrap_or_else(|error| error)
}
