//! LightGBM's model text.

use nopickle_formats::{Limits, lightgbm};
use pyo3::prelude::*;

use crate::errors::raise;
use crate::skops::Input;

/// The text of a booster, written again from what was read and verified; `name` stands in errors.
#[pyfunction]
pub(crate) fn lightgbm_read<'py>(
    py: Python<'py>,
    input: Input<'py>,
    name: String,
) -> PyResult<String> {
    let source = input.source(py)?;
    py.detach(|| {
        let limits = Limits::default();
        let bytes = source.read(limits.booster_bytes, "bytes of a booster's text")?;
        Ok(lightgbm::read(&bytes, &name, &limits)?.write())
    })
    .map_err(|error| raise(py, error))
}
