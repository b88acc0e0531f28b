//! Experiments, runs, logged models and registered models, as MLflow 3 names their parts.
//!
//! Their JSON form is that of MLflow's REST API 2.0 (`mlflow/protos/service.proto` and
//! `model_registry.proto` of MLflow 3.17), so that a server's answer is read and a request is written with
//! the same types. Times are milliseconds since 1970.

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A tag or a parameter.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pair {
    /// Its name.
    pub key: String,
    /// Its value; a text always.
    #[serde(default)]
    pub value: String,
}

impl Pair {
    /// A tag or a parameter.
    pub fn new(key: impl Into<String>, value: impl Into<String>) -> Self {
        Self {
            key: key.into(),
            value: value.into(),
        }
    }
}

/// A parameter of a run or a logged model; its value does not change.
pub type Param = Pair;
/// A tag.
pub type Tag = Pair;

/// One value of a metric.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Metric {
    /// Its name.
    pub key: String,
    /// The value; not a number and infinities are values too, in JSON `"NaN"`, `"Infinity"`, `"-Infinity"`.
    #[serde(
        default,
        serialize_with = "write_float",
        deserialize_with = "read_float"
    )]
    pub value: f64,
    /// When it was measured.
    #[serde(default, deserialize_with = "read_int")]
    pub timestamp: i64,
    /// The step of training.
    #[serde(default, deserialize_with = "read_int")]
    pub step: i64,
    /// The logged model that it says something about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model_id: Option<String>,
    /// The data set that it was measured on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dataset_name: Option<String>,
    /// The digest of that data set.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dataset_digest: Option<String>,
    /// The run that logged it, where it stands with a logged model.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run_id: Option<String>,
}

/// Whether a thing is there or was deleted (and may come back).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LifecycleStage {
    /// It is there.
    #[default]
    Active,
    /// It was deleted.
    Deleted,
}

impl LifecycleStage {
    /// Its name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Deleted => "deleted",
        }
    }
}

/// Which of both a search looks at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum ViewType {
    /// What is there.
    #[default]
    ActiveOnly,
    /// What was deleted.
    DeletedOnly,
    /// Both.
    All,
}

/// A group of runs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Experiment {
    /// Its id, a number in decimal digits where the embedded store made it.
    pub experiment_id: String,
    /// Its name.
    #[serde(default)]
    pub name: String,
    /// Where the artifacts of its runs and models are: a path or a URI.
    #[serde(default)]
    pub artifact_location: String,
    /// Whether it was deleted.
    #[serde(default)]
    pub lifecycle_stage: LifecycleStage,
    /// When it was last changed.
    #[serde(default, deserialize_with = "read_int")]
    pub last_update_time: i64,
    /// When it was made.
    #[serde(default, deserialize_with = "read_int")]
    pub creation_time: i64,
    /// Its tags, sorted by key.
    #[serde(default)]
    pub tags: Vec<Tag>,
}

/// What a run does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum RunStatus {
    /// It goes on.
    #[default]
    Running,
    /// It will start.
    Scheduled,
    /// It ended well.
    Finished,
    /// It ended by an error.
    Failed,
    /// It was ended.
    Killed,
}

impl RunStatus {
    /// Its name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Running => "RUNNING",
            Self::Scheduled => "SCHEDULED",
            Self::Finished => "FINISHED",
            Self::Failed => "FAILED",
            Self::Killed => "KILLED",
        }
    }
}

/// A run without its data.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunInfo {
    /// Its id: 32 hexadecimal digits.
    pub run_id: String,
    /// Its name.
    #[serde(default)]
    pub run_name: String,
    /// The experiment that it belongs to.
    #[serde(default)]
    pub experiment_id: String,
    /// Who started it.
    #[serde(default)]
    pub user_id: String,
    /// What it does.
    #[serde(default)]
    pub status: RunStatus,
    /// When it started.
    #[serde(default, deserialize_with = "read_int")]
    pub start_time: i64,
    /// When it ended.
    #[serde(default, deserialize_with = "read_some_int")]
    pub end_time: Option<i64>,
    /// Where its artifacts are: a path or a URI.
    #[serde(default)]
    pub artifact_uri: String,
    /// Whether it was deleted.
    #[serde(default)]
    pub lifecycle_stage: LifecycleStage,
}

/// What a run logged.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct RunData {
    /// The latest value of each metric, sorted by key.
    #[serde(default)]
    pub metrics: Vec<Metric>,
    /// Its parameters, sorted by key.
    #[serde(default)]
    pub params: Vec<Param>,
    /// Its tags, sorted by key.
    #[serde(default)]
    pub tags: Vec<Tag>,
}

/// A model that a run made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ModelOutput {
    /// Its id.
    pub model_id: String,
    /// The step of training.
    #[serde(default, deserialize_with = "read_int")]
    pub step: i64,
}

/// What a run made.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct RunOutputs {
    /// Models, in the order in which they were logged.
    #[serde(default)]
    pub model_outputs: Vec<ModelOutput>,
}

/// A run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Run {
    /// Which one it is.
    pub info: RunInfo,
    /// What it logged.
    #[serde(default)]
    pub data: RunData,
    /// What it made.
    #[serde(default)]
    pub outputs: RunOutputs,
}

/// How far a logged model is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub enum ModelStatus {
    /// Nothing is known.
    #[default]
    #[serde(rename = "LOGGED_MODEL_STATUS_UNSPECIFIED", alias = "UNSPECIFIED")]
    Unspecified,
    /// It is being written.
    #[serde(rename = "LOGGED_MODEL_PENDING", alias = "PENDING")]
    Pending,
    /// It can be loaded.
    #[serde(rename = "LOGGED_MODEL_READY", alias = "READY")]
    Ready,
    /// It could not be written.
    #[serde(rename = "LOGGED_MODEL_UPLOAD_FAILED", alias = "FAILED")]
    Failed,
}

impl ModelStatus {
    /// Its name in MLflow's Python API.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Unspecified => "UNSPECIFIED",
            Self::Pending => "PENDING",
            Self::Ready => "READY",
            Self::Failed => "FAILED",
        }
    }
}

/// A logged model without its data.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LoggedModelInfo {
    /// Its id: `m-` and 32 hexadecimal digits.
    pub model_id: String,
    /// The experiment that it belongs to.
    #[serde(default)]
    pub experiment_id: String,
    /// Its name.
    #[serde(default)]
    pub name: String,
    /// Where its files are: a path or a URI.
    #[serde(default)]
    pub artifact_uri: String,
    /// When it was made.
    #[serde(default, deserialize_with = "read_int")]
    pub creation_timestamp_ms: i64,
    /// When it was last changed.
    #[serde(default, deserialize_with = "read_int")]
    pub last_updated_timestamp_ms: i64,
    /// What it is for, in words of the user.
    #[serde(default, deserialize_with = "read_some_text")]
    pub model_type: Option<String>,
    /// The run that made it.
    #[serde(default, deserialize_with = "read_some_text")]
    pub source_run_id: Option<String>,
    /// How far it is.
    #[serde(default)]
    pub status: ModelStatus,
    /// Why it is so.
    #[serde(default, deserialize_with = "read_some_text")]
    pub status_message: Option<String>,
    /// Its tags, sorted by key.
    #[serde(default)]
    pub tags: Vec<Tag>,
}

/// What is known about a logged model.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct LoggedModelData {
    /// Its parameters, sorted by key.
    #[serde(default)]
    pub params: Vec<Param>,
    /// What was measured with it.
    #[serde(default)]
    pub metrics: Vec<Metric>,
}

/// A logged model.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LoggedModel {
    /// Which one it is.
    pub info: LoggedModelInfo,
    /// What is known about it.
    #[serde(default)]
    pub data: LoggedModelData,
}

/// A name that points to a version of a registered model.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Alias {
    /// The name.
    pub alias: String,
    /// The version.
    pub version: String,
}

/// A version of a registered model.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ModelVersion {
    /// The name of the registered model.
    pub name: String,
    /// A number in decimal digits; the first is 1.
    pub version: String,
    /// When it was made.
    #[serde(default, deserialize_with = "read_int")]
    pub creation_timestamp: i64,
    /// When it was last changed.
    #[serde(default, deserialize_with = "read_int")]
    pub last_updated_timestamp: i64,
    /// Who made it.
    #[serde(default, deserialize_with = "read_some_text")]
    pub user_id: Option<String>,
    /// `None`, `Staging`, `Production` or `Archived`.
    #[serde(default)]
    pub current_stage: String,
    /// Words of the user.
    #[serde(default, deserialize_with = "read_some_text")]
    pub description: Option<String>,
    /// Where it came from: a path or a URI.
    #[serde(default)]
    pub source: String,
    /// The run that made it.
    #[serde(default, deserialize_with = "read_some_text")]
    pub run_id: Option<String>,
    /// `READY`, where it can be loaded.
    #[serde(default)]
    pub status: String,
    /// Why it is so.
    #[serde(default, deserialize_with = "read_some_text")]
    pub status_message: Option<String>,
    /// Its tags, sorted by key.
    #[serde(default)]
    pub tags: Vec<Tag>,
    /// A link to the run, in words of the user.
    #[serde(default, deserialize_with = "read_some_text")]
    pub run_link: Option<String>,
    /// The aliases that point to it.
    #[serde(default)]
    pub aliases: Vec<String>,
    /// The logged model that it is.
    #[serde(default, deserialize_with = "read_some_text")]
    pub model_id: Option<String>,
}

/// A registered model.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RegisteredModel {
    /// Its name.
    pub name: String,
    /// When it was made.
    #[serde(default, deserialize_with = "read_int")]
    pub creation_timestamp: i64,
    /// When it was last changed.
    #[serde(default, deserialize_with = "read_int")]
    pub last_updated_timestamp: i64,
    /// Words of the user.
    #[serde(default, deserialize_with = "read_some_text")]
    pub description: Option<String>,
    /// The latest version of each stage.
    #[serde(default)]
    pub latest_versions: Vec<ModelVersion>,
    /// Its tags, sorted by key.
    #[serde(default)]
    pub tags: Vec<Tag>,
    /// Its aliases, sorted.
    #[serde(default)]
    pub aliases: Vec<Alias>,
}

/// A file or a folder of artifacts.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct FileInfo {
    /// Where it is, from the root of the artifacts, with `/`.
    pub path: String,
    /// Whether it is a folder.
    #[serde(default)]
    pub is_dir: bool,
    /// Its bytes, if it is a file.
    #[serde(default)]
    pub file_size: Option<u64>,
}

/// One page of what a search found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Page<T> {
    /// What was found.
    pub items: Vec<T>,
    /// What asks for the next page; none where this is the last.
    pub token: Option<String>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Number {
    Int(i64),
    Float(f64),
    Text(String),
}

#[allow(
    clippy::trivially_copy_pass_by_ref,
    reason = "the form that serde asks for"
)]
fn write_float<S: Serializer>(value: &f64, serializer: S) -> Result<S::Ok, S::Error> {
    if value.is_nan() {
        serializer.serialize_str("NaN")
    } else if value.is_infinite() {
        serializer.serialize_str(if *value > 0.0 {
            "Infinity"
        } else {
            "-Infinity"
        })
    } else {
        serializer.serialize_f64(*value)
    }
}

fn read_float<'de, D: Deserializer<'de>>(deserializer: D) -> Result<f64, D::Error> {
    match Option::<Number>::deserialize(deserializer)? {
        None => Ok(f64::NAN),
        #[allow(
            clippy::cast_precision_loss,
            reason = "a server that leaves out the .0"
        )]
        Some(Number::Int(value)) => Ok(value as f64),
        Some(Number::Float(value)) => Ok(value),
        Some(Number::Text(text)) => text
            .parse()
            .map_err(|_| serde::de::Error::custom(format!("not a number: {text:?}"))),
    }
}

fn read_some_int<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<i64>, D::Error> {
    match Option::<Number>::deserialize(deserializer)? {
        None => Ok(None),
        Some(Number::Int(value)) => Ok(Some(value)),
        Some(Number::Float(value)) => Err(serde::de::Error::custom(format!(
            "not a whole number: {value}"
        ))),
        Some(Number::Text(text)) => text
            .parse()
            .map(Some)
            .map_err(|_| serde::de::Error::custom(format!("not a whole number: {text:?}"))),
    }
}

fn read_int<'de, D: Deserializer<'de>>(deserializer: D) -> Result<i64, D::Error> {
    Ok(read_some_int(deserializer)?.unwrap_or_default())
}

/// A text; an empty one, which a protocol buffer writes for none, is none.
fn read_some_text<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    Ok(Option::<String>::deserialize(deserializer)?.filter(|text| !text.is_empty()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_metric_keeps_what_is_no_number_in_json() {
        for (value, json) in [
            (f64::INFINITY, "\"Infinity\""),
            (f64::NEG_INFINITY, "\"-Infinity\""),
            (f64::NAN, "\"NaN\""),
            (0.1, "0.1"),
        ] {
            let metric = Metric {
                key: "loss".into(),
                value,
                timestamp: 1,
                step: 0,
                model_id: None,
                dataset_name: None,
                dataset_digest: None,
                run_id: None,
            };
            let text = serde_json::to_string(&metric).unwrap();
            assert!(text.contains(&format!("\"value\":{json}")), "{text}");
            let back: Metric = serde_json::from_str(&text).unwrap();
            assert_eq!(back.value.to_bits(), value.to_bits());
        }
        let server: Metric =
            serde_json::from_str(r#"{"key":"a","value":3,"timestamp":"17","step":"2"}"#).unwrap();
        assert_eq!((server.value, server.timestamp, server.step), (3.0, 17, 2));
    }
}
