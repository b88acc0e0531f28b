//! Errors as Python exceptions: one match, no wildcard.

use nopickle_formats::{Error, Untrusted};
use nopickle_gate::signing::Error as SigningError;
use nopickle_gate::{Error as GateError, Refusal};
use nopickle_tracking::Error as TrackingError;
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

/// The Python exception for a model that is not opened; `argument` is the one that grants names.
pub(crate) fn raise_gate(py: Python<'_>, error: GateError, argument: &str) -> PyErr {
    match error {
        GateError::Policy { .. } => exception(py, "PolicyError", error.to_string()),
        GateError::Switch { .. } | GateError::Refused { .. } | GateError::Unclean { .. } => {
            invalid(py, &error.to_string())
        }
        GateError::Signature { ref refused, .. } => {
            let message = format!("{error}\nhint: {}", refused.hint());
            exception(py, "UnverifiedModelError", message)
        }
        GateError::Untrusted(refusal) => raise_refusal(py, &refusal, argument),
        GateError::Model(error) => raise(py, error),
    }
}

/// `UntrustedTypesError` with what would grant the names.
fn raise_refusal(py: Python<'_>, refusal: &Refusal, argument: &str) -> PyErr {
    let names: Vec<&str> = refusal
        .untrusted
        .names
        .iter()
        .map(|refused| refused.name.as_str())
        .collect();
    let closed = refusal
        .closed
        .as_ref()
        .map(|path| path.display().to_string());
    let make = || -> PyResult<PyErr> {
        let message = refusal.to_string();
        let arguments = (names, message, argument, refusal.entry_lines(), closed);
        let error = class(py, "UntrustedTypesError")?.call1(arguments)?;
        Ok(PyErr::from_value(error))
    };
    make().unwrap_or_else(|error| error)
}

/// An `MlflowException` with the code of a wrong argument.
fn invalid(py: Python<'_>, message: &str) -> PyErr {
    let make = || -> PyResult<PyErr> {
        let code = "INVALID_PARAMETER_VALUE";
        let error = class(py, "MlflowException")?.call1((message, code))?;
        Ok(PyErr::from_value(error))
    };
    make().unwrap_or_else(|error| error)
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

/// The Python exception for a model that could not be signed or verified.
pub(crate) fn raise_signing(py: Python<'_>, error: SigningError) -> PyErr {
    match error {
        SigningError::Read(error) => raise(py, error),
        SigningError::Key { .. } => exception(py, "InvalidArgumentError", error.to_string()),
        SigningError::Refused(refused) => {
            let message = format!("{refused}\nhint: {}", refused.hint());
            exception(py, "UnverifiedModelError", message)
        }
    }
}

/// The Python exception for an error of a store, a server or of artifacts; it carries MLflow's `error_code`.
pub(crate) fn raise_tracking(py: Python<'_>, error: &TrackingError) -> PyErr {
    let code = error.code();
    let (name, errno) = match error {
        TrackingError::NotFound { .. } => ("ResourceNotFoundError", None),
        TrackingError::AlreadyExists { .. } => ("ResourceExistsError", None),
        TrackingError::Invalid(_) | TrackingError::UnknownScheme { .. } => {
            ("InvalidArgumentError", None)
        }
        TrackingError::State(_) => ("MlflowException", None),
        TrackingError::Server { .. } => match code {
            "RESOURCE_DOES_NOT_EXIST" => ("ResourceNotFoundError", None),
            "RESOURCE_ALREADY_EXISTS" => ("ResourceExistsError", None),
            "INVALID_PARAMETER_VALUE" => ("InvalidArgumentError", None),
            _ => ("TrackingServerError", None),
        },
        TrackingError::Unauthorized { .. }
        | TrackingError::Forbidden { .. }
        | TrackingError::RateLimited { .. }
        | TrackingError::Unreachable { .. } => ("TrackingServerError", None),
        TrackingError::Storage { .. }
        | TrackingError::Database { .. }
        | TrackingError::Newer { .. } => ("StoreError", None),
        TrackingError::NoSpace { .. } => ("StoreError", Some("ENOSPC")),
        TrackingError::ReadOnly { .. } => ("StoreError", Some("EACCES")),
        TrackingError::Io { source, .. } => {
            return make_tracking(py, "StoreError", error, source.raw_os_error());
        }
    };
    let number = errno.and_then(|errno| {
        py.import("errno")
            .and_then(|module| module.getattr(errno)?.extract())
            .ok()
    });
    make_tracking(py, name, error, number)
}

fn make_tracking(py: Python<'_>, name: &str, error: &TrackingError, errno: Option<i32>) -> PyErr {
    let make = || -> PyResult<PyErr> {
        let made = class(py, name)?.call1((error.to_string(), error.code()))?;
        if let Some(errno) = errno {
            made.setattr("errno", errno)?;
        }
        Ok(PyErr::from_value(made))
    };
    make().unwrap_or_else(|error| error)
}
