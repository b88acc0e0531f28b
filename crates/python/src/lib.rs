//! The extension module `nopickle._rust`: convert, detach from the interpreter, call, convert.

mod capture;
mod errors;
mod materialize;
mod memory;
mod skops;

use pyo3::prelude::*;

/// The Rust half of nopickle.
#[pymodule(gil_used = true)]
fn _rust(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add("__version__", env!("CARGO_PKG_VERSION"))?;
    module.add_function(wrap_pyfunction!(skops::skops_dump, module)?)?;
    module.add_function(wrap_pyfunction!(skops::skops_dumps, module)?)?;
    module.add_function(wrap_pyfunction!(skops::skops_load, module)?)?;
    module.add_function(wrap_pyfunction!(skops::skops_untrusted, module)?)?;
    Ok(())
}
