//! What every store of runs and models can do: the embedded one and a tracking server.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::entities::{
    Experiment, LoggedModel, Metric, ModelOutput, ModelStatus, ModelVersion, Page, Param,
    RegisteredModel, Run, RunStatus, Tag, ViewType,
};
use crate::error::Result;

/// What a new run is made of.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct NewRun {
    /// The experiment that it belongs to.
    pub experiment_id: String,
    /// Who starts it.
    pub user_id: String,
    /// When it starts, in milliseconds since 1970.
    pub start_time: i64,
    /// Its name; one is made up where this is none.
    pub run_name: Option<String>,
    /// Its tags.
    pub tags: Vec<Tag>,
}

/// What changes in a run; none leaves what is there.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RunChange {
    /// What it does now.
    pub status: Option<RunStatus>,
    /// When it ended.
    pub end_time: Option<i64>,
    /// Its new name.
    pub run_name: Option<String>,
}

/// What a new logged model is made of.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct NewModel {
    /// Its id, where its files are there already; a server makes its own.
    pub model_id: Option<String>,
    /// The experiment that it belongs to.
    pub experiment_id: String,
    /// Its name; one is made up where this is none.
    pub name: Option<String>,
    /// The run that made it.
    pub source_run_id: Option<String>,
    /// What it is for.
    pub model_type: Option<String>,
    /// Its parameters.
    pub params: Vec<Param>,
    /// Its tags.
    pub tags: Vec<Tag>,
    /// How far it is: `PENDING` where nothing is said.
    pub status: Option<ModelStatus>,
    /// The step at which its run made it; with this it becomes an output of `source_run_id`.
    pub step: Option<i64>,
}

/// What a new version of a registered model is made of.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct NewVersion {
    /// The name of the registered model.
    pub name: String,
    /// Where its files are.
    pub source: String,
    /// The run that made it.
    pub run_id: Option<String>,
    /// Its tags.
    pub tags: Vec<Tag>,
    /// A link to the run.
    pub run_link: Option<String>,
    /// Words of the user.
    pub description: Option<String>,
    /// The logged model that it is.
    pub model_id: Option<String>,
}

/// What a search asks for.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Search {
    /// Comparisons joined by `AND`.
    pub filter: String,
    /// Names, each with `ASC` or `DESC`.
    pub order_by: Vec<String>,
    /// The length of a page; `None` is the store's.
    pub max_results: Option<usize>,
    /// What the page before gave.
    pub page_token: Option<String>,
    /// Active or deleted ones.
    pub view: ViewType,
    /// The experiments to look into, for runs and logged models.
    pub experiment_ids: Vec<String>,
}

/// A store of experiments, runs, logged models and registered models.
///
/// Its methods are those of MLflow's REST API, with its rules: a parameter keeps its value, the history of a metric
/// has each row once, what was deleted can't be changed.
#[allow(
    missing_docs,
    reason = "each is the endpoint of MLflow's REST API with this name"
)]
pub trait Store: Send + Sync {
    /// Where it is, as a URI without user and password.
    fn uri(&self) -> String;
    /// The folder of its artifacts, where it is on this machine and belongs to this store.
    fn artifact_root(&self) -> Option<&Path>;
    /// A new folder on the file system of the artifacts, for a model that is being written.
    fn staging(&self) -> Result<Option<PathBuf>>;
    /// The server, where it is one.
    fn server(&self) -> Option<&crate::rest::Server>;

    fn create_experiment(
        &self,
        name: &str,
        artifact_location: Option<&str>,
        tags: &[Tag],
    ) -> Result<String>;
    fn experiment(&self, id: &str) -> Result<Experiment>;
    /// `None` where there is none; a deleted one is found.
    fn experiment_by_name(&self, name: &str) -> Result<Option<Experiment>>;
    fn rename_experiment(&self, id: &str, name: &str) -> Result<()>;
    fn delete_experiment(&self, id: &str) -> Result<()>;
    fn restore_experiment(&self, id: &str) -> Result<()>;
    fn set_experiment_tag(&self, id: &str, tag: &Tag) -> Result<()>;
    fn delete_experiment_tag(&self, id: &str, key: &str) -> Result<()>;
    fn search_experiments(&self, search: &Search) -> Result<Page<Experiment>>;

    fn create_run(&self, run: &NewRun) -> Result<Run>;
    fn run(&self, id: &str) -> Result<Run>;
    fn update_run(&self, id: &str, change: &RunChange) -> Result<()>;
    fn delete_run(&self, id: &str) -> Result<()>;
    fn restore_run(&self, id: &str) -> Result<()>;
    /// All or nothing: one that breaks a rule leaves none.
    fn log_batch(&self, id: &str, metrics: &[Metric], params: &[Param], tags: &[Tag])
    -> Result<()>;
    fn delete_tag(&self, id: &str, key: &str) -> Result<()>;
    /// All values of a metric, in the order of step and time.
    fn metric_history(&self, id: &str, key: &str) -> Result<Vec<Metric>>;
    fn search_runs(&self, search: &Search) -> Result<Page<Run>>;
    fn log_outputs(&self, id: &str, models: &[ModelOutput]) -> Result<()>;

    fn create_logged_model(&self, model: &NewModel) -> Result<LoggedModel>;
    fn logged_model(&self, id: &str) -> Result<LoggedModel>;
    fn finalize_logged_model(&self, id: &str, status: ModelStatus) -> Result<LoggedModel>;
    fn delete_logged_model(&self, id: &str) -> Result<()>;
    fn set_logged_model_tags(&self, id: &str, tags: &[Tag]) -> Result<()>;
    fn delete_logged_model_tag(&self, id: &str, key: &str) -> Result<()>;
    fn log_logged_model_params(&self, id: &str, params: &[Param]) -> Result<()>;
    fn search_logged_models(&self, search: &Search) -> Result<Page<LoggedModel>>;

    fn create_registered_model(
        &self,
        name: &str,
        tags: &[Tag],
        description: Option<&str>,
    ) -> Result<RegisteredModel>;
    fn registered_model(&self, name: &str) -> Result<RegisteredModel>;
    fn rename_registered_model(&self, name: &str, new_name: &str) -> Result<RegisteredModel>;
    fn update_registered_model(
        &self,
        name: &str,
        description: Option<&str>,
    ) -> Result<RegisteredModel>;
    fn delete_registered_model(&self, name: &str) -> Result<()>;
    fn search_registered_models(&self, search: &Search) -> Result<Page<RegisteredModel>>;
    fn set_registered_model_tag(&self, name: &str, tag: &Tag) -> Result<()>;
    fn delete_registered_model_tag(&self, name: &str, key: &str) -> Result<()>;
    fn set_alias(&self, name: &str, alias: &str, version: &str) -> Result<()>;
    fn delete_alias(&self, name: &str, alias: &str) -> Result<()>;
    fn version_by_alias(&self, name: &str, alias: &str) -> Result<ModelVersion>;
    /// The newest version of each of these stages, or of every stage.
    fn latest_versions(&self, name: &str, stages: &[String]) -> Result<Vec<ModelVersion>>;

    fn create_model_version(&self, version: &NewVersion) -> Result<ModelVersion>;
    fn model_version(&self, name: &str, version: &str) -> Result<ModelVersion>;
    fn update_model_version(
        &self,
        name: &str,
        version: &str,
        description: Option<&str>,
    ) -> Result<ModelVersion>;
    fn set_stage(
        &self,
        name: &str,
        version: &str,
        stage: &str,
        archive: bool,
    ) -> Result<ModelVersion>;
    fn delete_model_version(&self, name: &str, version: &str) -> Result<()>;
    /// Where the files of a version are: a path or a URI.
    fn version_download_uri(&self, name: &str, version: &str) -> Result<String>;
    fn search_model_versions(&self, search: &Search) -> Result<Page<ModelVersion>>;
    fn set_version_tag(&self, name: &str, version: &str, tag: &Tag) -> Result<()>;
    fn delete_version_tag(&self, name: &str, version: &str, key: &str) -> Result<()>;
}
