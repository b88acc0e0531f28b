//! The extension module `nopickle._rust`: convert, detach from the interpreter, call, convert.

mod capture;
mod catboost;
mod errors;
mod gate;
mod guard;
mod lightgbm;
mod materialize;
mod memory;
mod mlflow;
mod policy;
mod signing;
mod skops;
mod tracking;
mod xgboost;

use std::ffi::OsString;

use pyo3::prelude::*;

/// Runs the command line with these arguments (without the command's name); returns the exit status.
#[pyfunction]
fn cli(py: Python<'_>, arguments: Vec<OsString>) -> u8 {
    let arguments = std::iter::once(OsString::from("nopickle")).chain(arguments);
    py.detach(|| nopickle_cli::run(arguments))
}

/// The Rust half of nopickle.
#[pymodule(gil_used = true)]
fn _rust(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add("__version__", env!("CARGO_PKG_VERSION"))?;
    module.add_class::<policy::PyPolicy>()?;
    module.add_class::<gate::PyOpened>()?;
    module.add_function(wrap_pyfunction!(gate::open_entry, module)?)?;
    module.add_function(wrap_pyfunction!(gate::open_flavor, module)?)?;
    module.add_function(wrap_pyfunction!(skops::skops_check, module)?)?;
    module.add_function(wrap_pyfunction!(skops::skops_dump, module)?)?;
    module.add_function(wrap_pyfunction!(skops::skops_dumps, module)?)?;
    module.add_function(wrap_pyfunction!(skops::skops_load, module)?)?;
    module.add_function(wrap_pyfunction!(skops::skops_names, module)?)?;
    module.add_function(wrap_pyfunction!(skops::skops_rows, module)?)?;
    module.add_function(wrap_pyfunction!(skops::skops_untrusted, module)?)?;
    nopickle_tracking::interrupt::ask(tracking::is_interrupted);
    module.add_class::<tracking::TrackingStore>()?;
    module.add_function(wrap_pyfunction!(tracking::tracking_check_path, module)?)?;
    module.add_function(wrap_pyfunction!(tracking::tracking_new_model_id, module)?)?;
    module.add_function(wrap_pyfunction!(tracking::tracking_publish, module)?)?;
    module.add_function(wrap_pyfunction!(tracking::tracking_redact, module)?)?;
    module.add_function(wrap_pyfunction!(cli, module)?)?;
    module.add_function(wrap_pyfunction!(guard::guard_granted, module)?)?;
    module.add_function(wrap_pyfunction!(guard::guard_install, module)?)?;
    module.add_function(wrap_pyfunction!(guard::guard_plain, module)?)?;
    module.add_function(wrap_pyfunction!(guard::guard_refused_by, module)?)?;
    module.add_function(wrap_pyfunction!(mlflow::environment_write, module)?)?;
    module.add_function(wrap_pyfunction!(mlflow::folder_check, module)?)?;
    module.add_function(wrap_pyfunction!(mlflow::folder_files, module)?)?;
    module.add_function(wrap_pyfunction!(mlflow::folder_open, module)?)?;
    module.add_function(wrap_pyfunction!(mlflow::folder_read, module)?)?;
    module.add_function(wrap_pyfunction!(catboost::catboost_read, module)?)?;
    module.add_function(wrap_pyfunction!(lightgbm::lightgbm_read, module)?)?;
    module.add_function(wrap_pyfunction!(mlflow::mlmodel_dumps, module)?)?;
    module.add_function(wrap_pyfunction!(mlflow::mlmodel_loads, module)?)?;
    module.add_function(wrap_pyfunction!(mlflow::mlmodel_payload, module)?)?;
    module.add_function(wrap_pyfunction!(mlflow::mlmodel_read, module)?)?;
    module.add_function(wrap_pyfunction!(mlflow::mlmodel_write, module)?)?;
    module.add_function(wrap_pyfunction!(mlflow::requirements_loads, module)?)?;
    module.add_function(wrap_pyfunction!(xgboost::xgboost_read, module)?)?;
    module.add_function(wrap_pyfunction!(signing::signing_sign, module)?)?;
    module.add_function(wrap_pyfunction!(signing::signing_verify, module)?)?;
    module.add_function(wrap_pyfunction!(mlflow::yaml_dumps, module)?)?;
    module.add_function(wrap_pyfunction!(mlflow::yaml_loads, module)?)?;
    Ok(())
}
