//! The `sklearn` section (`mlflow/sklearn/__init__.py`, MLflow 3.17.2).

use super::{Payload, Section};
use crate::error::Error;

/// Where a scikit-learn model is, in which format, and what code comes with it.
///
/// A section without `serialization_format` is of MLflow 1 and holds a pickle.
pub(super) fn payload(section: &mut Section<'_>) -> Result<Payload, Error> {
    let Some(entry) = section.path("pickled_model")? else {
        return Err(section.wrong("pickled_model", "a flavor does not say where its model is"));
    };
    let format = section.text("serialization_format")?.unwrap_or("pickle");
    if !matches!(format, "cloudpickle" | "pickle" | "skops") {
        return Err(section.wrong(
            "serialization_format",
            "a flavor has a format that is not one of its own",
        ));
    }
    Ok(Payload {
        entry: Some(entry),
        format: Some(format.to_owned()),
        code: section.path("code")?,
        written_by: section.version("sklearn_version")?,
        trusted_types: section.texts("skops_trusted_types")?,
        ..Payload::default()
    })
}
