//! The `catboost` section (`mlflow/catboost/__init__.py`, MLflow 3.17.2).

use super::{Payload, Section};
use crate::error::Error;

/// Where a CatBoost model is: a file of CatBoost's own.
///
/// Of the formats that `CatBoost.save_model` writes CatBoost reads `cbm`, `json` and `onnx` again; the model is a class of
/// `catboost` by its name.
pub(super) fn payload(section: &mut Section<'_>) -> Result<Payload, Error> {
    let format = match section.text("save_format")? {
        None | Some("cbm") => "catboost",
        Some(format @ ("json" | "onnx" | "coreml" | "pmml" | "cpp" | "python")) => format,
        Some(_) => {
            let what = "a flavor has a format that is not one of its own";
            return Err(section.wrong("save_format", what));
        }
    };
    let class = section.text("model_type")?;
    let known = [
        "CatBoost",
        "CatBoostClassifier",
        "CatBoostRanker",
        "CatBoostRegressor",
    ];
    let Some(class) = class.filter(|class| known.contains(class)) else {
        let what = "a flavor's model is not a class of the library";
        return Err(section.wrong("model_type", what));
    };
    Ok(Payload {
        // MLflow writes the name, and goes without it.
        entry: Some(
            section
                .path("data")?
                .unwrap_or_else(|| "model.cb".to_owned()),
        ),
        format: Some(format.to_owned()),
        code: section.path("code")?,
        written_by: section.version("catboost_version")?,
        class: Some(format!("catboost.core.{class}")),
        ..Payload::default()
    })
}
