//! The `lightgbm` section (`mlflow/lightgbm/__init__.py`, MLflow 3.17.2).

use super::{Payload, Section};
use crate::error::Error;

/// The class of a model that is a booster's own text.
const BOOSTER: &str = "lightgbm.basic.Booster";

/// Where a LightGBM model is: a booster's text, or a scikit-learn estimator in another format.
///
/// `serialization_format` says nothing about a booster, which is written as text whatever it says.
pub(super) fn payload(section: &mut Section<'_>) -> Result<Payload, Error> {
    let Some(entry) = section.path("data")? else {
        return Err(section.wrong("data", "a flavor does not say where its model is"));
    };
    let class = section.text("model_class")?.unwrap_or(BOOSTER);
    let format = match section.text("serialization_format")? {
        _ if class == BOOSTER => "lightgbm",
        // Before `serialization_format`, estimators were written with cloudpickle.
        None => "cloudpickle",
        Some(format @ ("cloudpickle" | "pickle" | "skops")) => format,
        Some(_) => {
            let what = "a flavor has a format that is not one of its own";
            return Err(section.wrong("serialization_format", what));
        }
    };
    Ok(Payload {
        entry: Some(entry),
        format: Some(format.to_owned()),
        code: section.path("code")?,
        written_by: section.version("lgb_version")?,
        class: Some(class.to_owned()),
        trusted_types: section.texts("skops_trusted_types")?,
        ..Payload::default()
    })
}
