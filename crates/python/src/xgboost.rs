//! XGBoost's models.

use nopickle_formats::{Limits, xgboost};
use pyo3::prelude::*;
use pyo3::types::PyByteArray;

use crate::errors::raise;
use crate::skops::Input;

/// The bytes of a model file that were read and verified, for XGBoost's reader; `name` stands in errors.
#[pyfunction]
pub(crate) fn xgboost_read<'py>(
    py: Python<'py>,
    input: Input<'py>,
    name: String,
) -> PyResult<Bound<'py, PyByteArray>> {
    let source = input.source(py)?;
    let bytes = py
        .detach(|| {
            let limits = Limits::default();
            let bytes = source.read(limits.booster_bytes, "bytes of a booster")?;
            xgboost::read(&bytes, &name, &limits)?;
            Ok(bytes)
        })
        .map_err(|error| raise(py, error))?;
    Ok(PyByteArray::new(py, &bytes))
}
