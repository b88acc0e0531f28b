//! Runs, and what they log.

use rusqlite::{OptionalExtension as _, params};

use super::experiments::stage;
use super::{Answer, Db, float, read_float, word};
use crate::entities::{
    LifecycleStage, Metric, ModelOutput, Page, Param, Run, RunData, RunInfo, RunOutputs, RunStatus,
    Tag,
};
use crate::error::Error;
use crate::names;
use crate::search::RUNS;
use crate::store::{NewRun, RunChange, Search};

const COLUMNS: &str = "t.run_id, t.run_name, t.experiment_id, t.user_id, t.status, t.start_time, t.end_time, \
                       t.lifecycle_stage, (SELECT e.artifact_location FROM experiments e \
                       WHERE e.experiment_id = t.experiment_id)";
const RUN_NAME: &str = "mlflow.runName";

impl Db<'_> {
    fn read_run(&self, row: &rusqlite::Row<'_>) -> rusqlite::Result<RunInfo> {
        let run_id: String = row.get(0)?;
        let experiment: i64 = row.get(2)?;
        let location: Option<String> = row.get(8)?;
        Ok(RunInfo {
            artifact_uri: self.place(location, experiment, &format!("{run_id}/artifacts")),
            run_id,
            run_name: row.get(1)?,
            experiment_id: experiment.to_string(),
            user_id: row.get(3)?,
            status: word(row, 4)?,
            start_time: row.get(5)?,
            end_time: row.get(6)?,
            lifecycle_stage: word(row, 7)?,
        })
    }

    /// Where something of an experiment stands.
    pub(super) fn place(&self, location: Option<String>, experiment: i64, rest: &str) -> String {
        match location {
            Some(location) => format!("{}/{rest}", location.trim_end_matches('/')),
            None => self
                .artifacts
                .join(experiment.to_string())
                .join(rest)
                .display()
                .to_string(),
        }
    }

    fn with_data(&self, info: RunInfo) -> Answer<Run> {
        let id = &info.run_id;
        let data = RunData {
            metrics: self
                .sql
                .prepare_cached(
                    "SELECT key, value, is_nan, timestamp, step FROM latest_metrics WHERE run_id = ? ORDER BY key",
                )?
                .query_map([id], read_metric)?
                .collect::<Result<_, _>>()?,
            params: self.pairs("params", "run_id = ?", &[id])?,
            tags: self.pairs("tags", "run_id = ?", &[id])?,
        };
        let model_outputs = self
            .sql
            .prepare_cached(
                "SELECT model_id, step FROM run_outputs WHERE run_id = ? ORDER BY position",
            )?
            .query_map([id], |row| {
                Ok(ModelOutput {
                    model_id: row.get(0)?,
                    step: row.get(1)?,
                })
            })?
            .collect::<Result<_, _>>()?;
        Ok(Run {
            info,
            data,
            outputs: RunOutputs { model_outputs },
        })
    }

    fn run_info(&self, id: &str) -> Answer<RunInfo> {
        names::check_run_id(id)?;
        Ok(self
            .sql
            .prepare_cached(&format!("SELECT {COLUMNS} FROM runs t WHERE t.run_id = ?"))?
            .query_row([id], |row| self.read_run(row))
            .optional()?
            .ok_or_else(|| Error::not_found("run", id))?)
    }

    /// A run that may be changed.
    fn active_run(&self, id: &str) -> Answer<RunInfo> {
        let found = self.run_info(id)?;
        if found.lifecycle_stage == LifecycleStage::Deleted {
            return Err(Error::state(format!("run {id} is deleted: restore it first")).into());
        }
        Ok(found)
    }

    pub(super) fn create_run(&self, new: &NewRun) -> Answer<Run> {
        let experiment = self.active_experiment(&new.experiment_id)?;
        let tagged = new
            .tags
            .iter()
            .find(|tag| tag.key == RUN_NAME)
            .map(|tag| tag.value.clone());
        let given = new.run_name.clone().filter(|name| !name.is_empty());
        if let (Some(tagged), Some(given)) = (&tagged, &given)
            && tagged != given
        {
            return Err(Error::invalid(format!(
                "the run has two names: run_name is {given:?} and the tag {RUN_NAME} is {tagged:?}"
            ))
            .into());
        }
        let name = match given.or(tagged) {
            Some(name) => name,
            None => names::new_run_name()?,
        };
        let id = names::new_run_id()?;
        self.sql
            .prepare_cached(
                "INSERT INTO runs (run_id, experiment_id, run_name, user_id, status, start_time) \
                 VALUES (?, ?, ?, ?, 'RUNNING', ?)",
            )?
            .execute(params![
                id,
                names::experiment_number(&experiment.experiment_id)?,
                name,
                new.user_id,
                new.start_time
            ])?;
        for tag in &new.tags {
            self.put_tag(&id, tag)?;
        }
        self.put_tag(&id, &Tag::new(RUN_NAME, name))?;
        self.run(&id)
    }

    pub(super) fn run(&self, id: &str) -> Answer<Run> {
        let info = self.run_info(id)?;
        self.with_data(info)
    }

    pub(super) fn update_run(&self, id: &str, change: &RunChange) -> Answer<()> {
        self.active_run(id)?;
        if let Some(name) = change.run_name.as_ref().filter(|name| !name.is_empty()) {
            self.put_tag(id, &Tag::new(RUN_NAME, name))?;
        }
        if let Some(status) = change.status {
            let running = matches!(status, RunStatus::Running | RunStatus::Scheduled);
            let end = if running { None } else { change.end_time };
            self.sql
                .prepare_cached("UPDATE runs SET status = ?, end_time = ? WHERE run_id = ?")?
                .execute(params![status.as_str(), end, id])?;
        } else if change.end_time.is_some() {
            self.sql
                .prepare_cached("UPDATE runs SET end_time = ? WHERE run_id = ?")?
                .execute(params![change.end_time, id])?;
        }
        Ok(())
    }

    pub(super) fn delete_run(&self, id: &str) -> Answer<()> {
        self.run_info(id)?;
        self.sql.execute(
            "UPDATE runs SET lifecycle_stage = 'deleted', deleted_time = ? WHERE run_id = ?",
            params![names::now(), id],
        )?;
        Ok(())
    }

    pub(super) fn restore_run(&self, id: &str) -> Answer<()> {
        let info = self.run_info(id)?;
        self.active_experiment(&info.experiment_id)?;
        self.sql.execute(
            "UPDATE runs SET lifecycle_stage = 'active', deleted_time = NULL WHERE run_id = ?",
            [id],
        )?;
        Ok(())
    }

    fn put_tag(&self, id: &str, tag: &Tag) -> Answer<()> {
        names::check_tag(&tag.key, &tag.value)?;
        self.sql
            .prepare_cached("INSERT OR REPLACE INTO tags (run_id, key, value) VALUES (?, ?, ?)")?
            .execute(params![id, tag.key, tag.value])?;
        if tag.key == RUN_NAME {
            self.sql
                .prepare_cached("UPDATE runs SET run_name = ? WHERE run_id = ?")?
                .execute(params![tag.value, id])?;
        }
        Ok(())
    }

    fn put_param(&self, id: &str, param: &Param) -> Answer<()> {
        names::check_param(&param.key, &param.value)?;
        let there: Option<String> = self
            .sql
            .prepare_cached("SELECT value FROM params WHERE run_id = ? AND key = ?")?
            .query_row(params![id, param.key], |row| row.get(0))
            .optional()?;
        match there {
            Some(there) if there == param.value => Ok(()),
            Some(there) => Err(Error::invalid(format!(
                "param {:?} of run {id} has the value {there:?} and can't change to {:?}: log it under another name, \
                 or start another run",
                param.key, param.value
            ))
            .into()),
            None => {
                self.sql
                    .prepare_cached("INSERT INTO params (run_id, key, value) VALUES (?, ?, ?)")?
                    .execute(params![id, param.key, param.value])?;
                Ok(())
            }
        }
    }

    fn put_metric(&self, id: &str, metric: &Metric) -> Answer<()> {
        names::check_metric(&metric.key)?;
        let (value, is_nan) = float(metric.value);
        let model = metric.model_id.as_deref().unwrap_or("");
        self.sql
            .prepare_cached(
                "INSERT OR IGNORE INTO metrics (run_id, key, step, timestamp, value, is_nan, model_id) \
                 VALUES (?, ?, ?, ?, ?, ?, ?)",
            )?
            .execute(params![id, metric.key, metric.step, metric.timestamp, value, is_nan, model])?;
        // The latest is the one with the greatest step, then time, then value.
        self.sql
            .prepare_cached(
                "INSERT INTO latest_metrics (run_id, key, step, timestamp, value, is_nan) VALUES (?, ?, ?, ?, ?, ?) \
                 ON CONFLICT (run_id, key) DO UPDATE SET step = excluded.step, timestamp = excluded.timestamp, \
                 value = excluded.value, is_nan = excluded.is_nan \
                 WHERE (excluded.step, excluded.timestamp, excluded.value) >= (step, timestamp, value)",
            )?
            .execute(params![id, metric.key, metric.step, metric.timestamp, value, is_nan])?;
        if !model.is_empty() {
            self.logged_model_info(model)?;
            self.sql
                .prepare_cached(
                    "INSERT INTO model_metrics (model_id, key, run_id, step, timestamp, value, is_nan, dataset_name, \
                     dataset_digest) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) \
                     ON CONFLICT (model_id, key, run_id) DO UPDATE SET step = excluded.step, \
                     timestamp = excluded.timestamp, value = excluded.value, is_nan = excluded.is_nan, \
                     dataset_name = excluded.dataset_name, dataset_digest = excluded.dataset_digest \
                     WHERE (excluded.step, excluded.timestamp) >= (step, timestamp)",
                )?
                .execute(params![
                    model,
                    metric.key,
                    id,
                    metric.step,
                    metric.timestamp,
                    value,
                    is_nan,
                    metric.dataset_name,
                    metric.dataset_digest
                ])?;
        }
        Ok(())
    }

    pub(super) fn log_batch(
        &self,
        id: &str,
        metrics: &[Metric],
        params: &[Param],
        tags: &[Tag],
    ) -> Answer<()> {
        self.active_run(id)?;
        for metric in metrics {
            self.put_metric(id, metric)?;
        }
        for param in params {
            self.put_param(id, param)?;
        }
        for tag in tags {
            self.put_tag(id, tag)?;
        }
        Ok(())
    }

    pub(super) fn delete_tag(&self, id: &str, key: &str) -> Answer<()> {
        self.active_run(id)?;
        let gone = self.sql.execute(
            "DELETE FROM tags WHERE run_id = ? AND key = ?",
            params![id, key],
        )?;
        if gone == 0 {
            return Err(Error::NotFound {
                what: "tag",
                name: key.to_owned(),
                hint: format!(" in run {id}"),
            }
            .into());
        }
        Ok(())
    }

    pub(super) fn metric_history(&self, id: &str, key: &str) -> Answer<Vec<Metric>> {
        self.run_info(id)?;
        let mut statement = self.sql.prepare_cached(
            "SELECT key, value, is_nan, timestamp, step, model_id FROM metrics WHERE run_id = ? AND key = ? \
             ORDER BY step, timestamp, value",
        )?;
        let rows = statement.query_map(params![id, key], |row| {
            let mut metric = read_metric(row)?;
            metric.model_id = row
                .get::<_, Option<String>>(5)?
                .filter(|model| !model.is_empty());
            Ok(metric)
        })?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    pub(super) fn search_runs(&self, search: &Search) -> Answer<Page<Run>> {
        let sql = format!(
            "SELECT {COLUMNS} FROM runs t WHERE {} AND {}",
            Self::among(&search.experiment_ids)?,
            stage(search.view)
        );
        let (found, token) = self.page(&sql, search, &RUNS, 50_000, |row| self.read_run(row))?;
        let items = found
            .into_iter()
            .map(|info| self.with_data(info))
            .collect::<Answer<_>>()?;
        Ok(Page { items, token })
    }

    pub(super) fn log_outputs(&self, id: &str, models: &[ModelOutput]) -> Answer<()> {
        self.active_run(id)?;
        for model in models {
            self.logged_model_info(&model.model_id)?;
            self.put_output(id, &model.model_id, model.step)?;
        }
        Ok(())
    }

    pub(super) fn put_output(&self, id: &str, model: &str, step: i64) -> Answer<()> {
        self.sql
            .prepare_cached(
                "INSERT INTO run_outputs (run_id, model_id, step) VALUES (?, ?, ?) \
                 ON CONFLICT (run_id, model_id) DO UPDATE SET step = excluded.step",
            )?
            .execute(params![id, model, step])?;
        Ok(())
    }
}

/// The columns `key, value, is_nan, timestamp, step`.
pub(super) fn read_metric(row: &rusqlite::Row<'_>) -> rusqlite::Result<Metric> {
    Ok(Metric {
        key: row.get(0)?,
        value: read_float(row, 1, 2)?,
        timestamp: row.get(3)?,
        step: row.get(4)?,
        model_id: None,
        dataset_name: None,
        dataset_digest: None,
        run_id: None,
    })
}
