//! CatBoost's model file.

use nopickle_formats::{Limits, catboost};
use pyo3::prelude::*;
use pyo3::types::PyBytes;

use crate::errors::raise;
use crate::skops::Input;

/// The bytes of a model, each of which was read and verified; `name` stands in errors.
#[pyfunction]
pub(crate) fn catboost_read<'py>(
    py: Python<'py>,
    input: Input<'py>,
    name: String,
) -> PyResult<Bound<'py, PyBytes>> {
    let source = input.source(py)?;
    let bytes = py
        .detach(|| {
            let limits = Limits::default();
            let bytes = source.read(limits.booster_bytes, "bytes of a CatBoost model")?;
            catboost::read(&bytes, &name, &limits)?;
            Ok(bytes)
        })
        .map_err(|error| raise(py, error))?;
    Ok(PyBytes::new(py, &bytes))
}
