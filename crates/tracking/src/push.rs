//! Copying a run, with all that it logged and made, from one store to another.

use std::collections::HashMap;
use std::path::Path;

use crate::artifacts::Place;
use crate::entities::{LifecycleStage, LoggedModel, ModelOutput, ModelStatus, Run, RunStatus, Tag};
use crate::error::{Error, Result};
use crate::progress::{Progress, Silent};
use crate::store::{NewModel, NewRun, RunChange, Search, Store};
use crate::uri::Uri;

/// The tag of a copied run and a copied model that names the one it was copied from.
pub const ORIGIN: &str = "nopickle.pushedFrom";
/// Tags that name what was not copied.
const LEFT: [&str; 2] = ["mlflow.parentRunId", "mlflow.modelVersions"];
/// Metrics for one request.
const BATCH: usize = 1000;

/// What a copy made.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Pushed {
    /// The new run.
    pub run_id: String,
    /// Its experiment.
    pub experiment_id: String,
    /// The models: the old ID and the new one.
    pub models: Vec<(String, String)>,
    /// How many values of metrics were copied.
    pub metrics: usize,
    /// How many files of artifacts and models were copied.
    pub files: usize,
}

/// Copies a run with its parameters, tags, whole history of metrics, artifacts and ready models to an experiment of the
/// same name, which is made where it is not there.
///
/// The new run ends as the old one did when everything is there; where anything fails it is `FAILED`. Refuses a run
/// that is there already, by the tag [`ORIGIN`]. Registered models and parents of the run are not copied.
pub fn push(
    from: &dyn Store,
    run_id: &str,
    to: &dyn Store,
    bar: &dyn Fn(&str) -> Option<Box<dyn Progress>>,
) -> Result<Pushed> {
    let run = from.run(run_id)?;
    let experiment_id = experiment(from, &run, to)?;
    let search = Search {
        filter: format!("tags.`{ORIGIN}` = '{run_id}'"),
        experiment_ids: vec![experiment_id.clone()],
        max_results: Some(10),
        ..Search::default()
    };
    let there = to.search_runs(&search)?.items;
    if let Some(there) = there
        .iter()
        .find(|run| run.info.status != RunStatus::Failed)
    {
        return Err(Error::AlreadyExists {
            what: "run",
            name: run_id.to_owned(),
            hint: format!(
                " at {} as run {}: delete that one to copy it again",
                to.uri(),
                there.info.run_id
            ),
        });
    }
    let mut tags: Vec<Tag> = copied(&run.data.tags);
    tags.retain(|tag| tag.key != "mlflow.runName");
    tags.push(Tag::new(ORIGIN, run_id));
    let made = to.create_run(&NewRun {
        experiment_id: experiment_id.clone(),
        user_id: run.info.user_id.clone(),
        start_time: run.info.start_time,
        run_name: Some(run.info.run_name.clone()),
        tags,
    })?;
    let mut pushed = Pushed {
        run_id: made.info.run_id.clone(),
        experiment_id,
        models: Vec::new(),
        metrics: 0,
        files: 0,
    };
    let end = |status, end_time| {
        to.update_run(
            &made.info.run_id,
            &RunChange {
                status: Some(status),
                end_time,
                run_name: None,
            },
        )
    };
    match fill(from, &run, to, &made, bar, &mut pushed) {
        Ok(()) => {
            end(run.info.status, run.info.end_time)?;
            Ok(pushed)
        }
        Err(error) => {
            // Where this can't be said either, the first reason counts.
            let _ = end(RunStatus::Failed, Some(crate::names::now()));
            Err(error)
        }
    }
}

fn copied(tags: &[Tag]) -> Vec<Tag> {
    tags.iter()
        .filter(|tag| !LEFT.contains(&tag.key.as_str()))
        .cloned()
        .collect()
}

/// The experiment for the new run.
fn experiment(from: &dyn Store, run: &Run, to: &dyn Store) -> Result<String> {
    let old = from.experiment(&run.info.experiment_id)?;
    match to.experiment_by_name(&old.name)? {
        Some(found) if found.lifecycle_stage == LifecycleStage::Active => Ok(found.experiment_id),
        Some(found) => Err(Error::state(format!(
            "the experiment {:?} is deleted at {}: restore it, or rename one of both",
            found.name,
            to.uri()
        ))),
        None => match to.create_experiment(&old.name, None, &old.tags) {
            // Somebody made it meanwhile.
            Err(error) if error.code() == "RESOURCE_ALREADY_EXISTS" => to
                .experiment_by_name(&old.name)?
                .map(|found| found.experiment_id)
                .ok_or(error),
            made => made,
        },
    }
}

fn fill(
    from: &dyn Store,
    run: &Run,
    to: &dyn Store,
    made: &Run,
    bar: &dyn Fn(&str) -> Option<Box<dyn Progress>>,
    pushed: &mut Pushed,
) -> Result<()> {
    to.log_batch(&made.info.run_id, &[], &run.data.params, &[])?;
    let mut ids: HashMap<String, String> = HashMap::new();
    for output in &run.outputs.model_outputs {
        let old = match from.logged_model(&output.model_id) {
            Ok(old) if old.info.status == ModelStatus::Ready => old,
            Ok(_) => continue,
            // A model that was deleted is not copied.
            Err(error) if error.code() == "RESOURCE_DOES_NOT_EXIST" => continue,
            Err(error) => return Err(error),
        };
        let (new, files) = model(from, run, &old, to, made, bar)?;
        to.log_outputs(
            &made.info.run_id,
            &[ModelOutput {
                model_id: new.clone(),
                step: output.step,
            }],
        )?;
        pushed.files += files;
        pushed.models.push((output.model_id.clone(), new.clone()));
        ids.insert(output.model_id.clone(), new);
    }
    for latest in &run.data.metrics {
        let mut history = from.metric_history(&run.info.run_id, &latest.key)?;
        for metric in &mut history {
            metric.run_id = None;
            metric.model_id = metric
                .model_id
                .take()
                .and_then(|old| ids.get(&old).cloned());
        }
        for part in history.chunks(BATCH) {
            to.log_batch(&made.info.run_id, part, &[], &[])?;
        }
        pushed.metrics += history.len();
    }
    let source = place(from, &run.info.artifact_uri)?;
    pushed.files += files(
        &source,
        &place(to, &made.info.artifact_uri)?,
        "artifacts",
        bar,
        |_| Ok(()),
    )?;
    Ok(())
}

fn place<'s>(store: &'s dyn Store, uri: &str) -> Result<Place<'s>> {
    Place::open(&Uri::parse(uri)?, store)
}

/// Copies a logged model; gives its new ID, and how many files it has.
fn model(
    from: &dyn Store,
    run: &Run,
    old: &LoggedModel,
    to: &dyn Store,
    made: &Run,
    bar: &dyn Fn(&str) -> Option<Box<dyn Progress>>,
) -> Result<(String, usize)> {
    let mut tags = copied(&old.info.tags);
    tags.push(Tag::new(ORIGIN, &old.info.model_id));
    let new = to.create_logged_model(&NewModel {
        experiment_id: made.info.experiment_id.clone(),
        name: Some(old.info.name.clone()),
        source_run_id: Some(made.info.run_id.clone()),
        model_type: old.info.model_type.clone(),
        params: old.data.params.clone(),
        tags,
        ..NewModel::default()
    })?;
    let copy = || {
        let source = place(from, &old.info.artifact_uri)?;
        let target = place(to, &new.info.artifact_uri)?;
        files(&source, &target, "model", bar, |folder| {
            rename_ids(
                &folder.join("MLmodel"),
                &[
                    (&old.info.model_id, &new.info.model_id),
                    (&run.info.run_id, &made.info.run_id),
                ],
            )
        })
    };
    match copy() {
        Ok(files) => {
            to.finalize_logged_model(&new.info.model_id, ModelStatus::Ready)?;
            Ok((new.info.model_id, files))
        }
        Err(error) => {
            let _ = to.finalize_logged_model(&new.info.model_id, ModelStatus::Failed);
            Err(error)
        }
    }
}

/// Copies a folder by way of a temporary one, in which `change` may change files; gives how many there are.
fn files(
    from: &Place<'_>,
    to: &Place<'_>,
    words: &str,
    bar: &dyn Fn(&str) -> Option<Box<dyn Progress>>,
    change: impl FnOnce(&Path) -> Result<()>,
) -> Result<usize> {
    let found = from.walk()?.len();
    if found == 0 {
        return Ok(0);
    }
    let there = tempfile::Builder::new()
        .prefix("nopickle-")
        .tempdir()
        .map_err(|error| Error::io(&std::env::temp_dir(), error))?;
    let folder = there.path().join("files");
    from.download(&folder, &Silent)?;
    change(&folder)?;
    match bar(words) {
        Some(bar) => to.upload(&folder, bar.as_ref())?,
        None => to.upload(&folder, &Silent)?,
    }
    Ok(found)
}

/// Writes the new IDs into an `MLmodel`, which names its run and itself; IDs are random, so nothing else is hit.
fn rename_ids(file: &Path, ids: &[(&str, &str)]) -> Result<()> {
    let mut text = match std::fs::read_to_string(file) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(Error::io(file, error)),
    };
    for (old, new) in ids {
        text = text.replace(old, new);
    }
    std::fs::write(file, text).map_err(|error| Error::io(file, error))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::entities::{Metric, Param};
    use crate::sqlite::SqliteStore;

    #[test]
    fn a_copied_run_has_all_of_it_and_is_copied_once() {
        let there = tempfile::tempdir().unwrap();
        let from = SqliteStore::open(&there.path().join("a/nopickle.db"), true).unwrap();
        let to = SqliteStore::open(&there.path().join("b/nopickle.db"), true).unwrap();
        let experiment = from
            .create_experiment("iris", None, &[Tag::new("a", "b")])
            .unwrap();
        let run = from
            .create_run(&NewRun {
                experiment_id: experiment.clone(),
                user_id: "me".into(),
                start_time: 17,
                run_name: Some("first".into()),
                tags: vec![Tag::new("mlflow.parentRunId", "x"), Tag::new("k", "v")],
            })
            .unwrap();
        let id = &run.info.run_id;
        let model = from
            .create_logged_model(&NewModel {
                experiment_id: experiment,
                name: Some("tree".into()),
                source_run_id: Some(id.clone()),
                status: Some(ModelStatus::Ready),
                step: Some(3),
                ..NewModel::default()
            })
            .unwrap();
        let folder = Path::new(&model.info.artifact_uri);
        std::fs::create_dir_all(folder).unwrap();
        let text = format!("model_id: {}\nrun_id: {id}\n", model.info.model_id);
        std::fs::write(folder.join("MLmodel"), text).unwrap();
        let metric = |step, model_id| Metric {
            key: "loss".into(),
            value: f64::NAN,
            timestamp: 5,
            step,
            model_id,
            dataset_name: None,
            dataset_digest: None,
            run_id: None,
        };
        let metrics = [
            metric(0, None),
            metric(1, Some(model.info.model_id.clone())),
        ];
        from.log_batch(id, &metrics, &[Param::new("depth", "3")], &[])
            .unwrap();
        let change = RunChange {
            status: Some(RunStatus::Finished),
            end_time: Some(99),
            run_name: None,
        };
        from.update_run(id, &change).unwrap();

        let pushed = push(&from, id, &to, &|_| None).unwrap();
        let new = to.run(&pushed.run_id).unwrap();
        assert_eq!((new.info.start_time, new.info.end_time), (17, Some(99)));
        assert_eq!(new.info.status, RunStatus::Finished);
        assert_eq!(new.info.run_name, "first");
        assert_eq!(new.data.params, run_params());
        assert!(new.data.tags.contains(&Tag::new("k", "v")));
        assert!(new.data.tags.contains(&Tag::new(ORIGIN, id)));
        assert!(
            !new.data
                .tags
                .iter()
                .any(|tag| tag.key == "mlflow.parentRunId")
        );
        let history = to.metric_history(&pushed.run_id, "loss").unwrap();
        assert_eq!(history.len(), 2);
        let [(_, model_id)] = pushed.models.as_slice() else {
            panic!("one model, found {:?}", pushed.models);
        };
        assert_eq!(new.outputs.model_outputs[0].step, 3);
        let copy = to.logged_model(model_id).unwrap();
        assert_eq!(copy.info.status, ModelStatus::Ready);
        assert_eq!(copy.data.metrics.len(), 1);
        let text =
            std::fs::read_to_string(Path::new(&copy.info.artifact_uri).join("MLmodel")).unwrap();
        assert_eq!(
            text,
            format!("model_id: {model_id}\nrun_id: {}\n", pushed.run_id)
        );
        let error = push(&from, id, &to, &|_| None).unwrap_err();
        assert_eq!(error.code(), "RESOURCE_ALREADY_EXISTS", "{error}");
    }

    fn run_params() -> Vec<Param> {
        vec![Param::new("depth", "3")]
    }
}
