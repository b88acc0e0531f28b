//! The `xgboost` section (`mlflow/xgboost/__init__.py`, MLflow 3.17.2).

use super::{Payload, Section};
use crate::error::Error;

/// The class of a model whose section does not say one.
const BOOSTER: &str = "xgboost.core.Booster";

/// The classes that load a file of XGBoost's own, sorted: MLflow would import whatever name stands there.
const CLASSES: &[&str] = &[
    BOOSTER,
    "xgboost.sklearn.XGBClassifier",
    "xgboost.sklearn.XGBModel",
    "xgboost.sklearn.XGBRFClassifier",
    "xgboost.sklearn.XGBRFRegressor",
    "xgboost.sklearn.XGBRanker",
    "xgboost.sklearn.XGBRegressor",
];

/// Where an XGBoost model is: a file of XGBoost's own, whose class is one of XGBoost's.
///
/// `model_format` is the ending of the file's name; the content says what it is.
pub(super) fn payload(section: &mut Section<'_>) -> Result<Payload, Error> {
    let Some(entry) = section.path("data")? else {
        return Err(section.wrong("data", "a flavor does not say where its model is"));
    };
    if let Some(format) = section.text("model_format")?
        && entry
            .rsplit_once('.')
            .is_none_or(|(_, ending)| ending != format)
    {
        let what = "a flavor's format is not the ending of its file";
        return Err(section.wrong("model_format", what));
    }
    let class = section.text("model_class")?.unwrap_or(BOOSTER);
    if CLASSES.binary_search(&class).is_err() {
        return Err(section.unsupported("model_class", "class of a model", class));
    }
    Ok(Payload {
        entry: Some(entry),
        format: Some("xgboost".to_owned()),
        code: section.path("code")?,
        written_by: section.version("xgb_version")?,
        class: Some(class.to_owned()),
        ..Payload::default()
    })
}
