//! Logged models.

use rusqlite::{OptionalExtension as _, params};

use super::runs::read_metric;
use super::{Answer, Db, word};
use crate::entities::{
    LoggedModel, LoggedModelData, LoggedModelInfo, ModelStatus, Page, Param, Tag,
};
use crate::error::Error;
use crate::names;
use crate::search::LOGGED_MODELS;
use crate::store::{NewModel, Search};

const COLUMNS: &str = "t.model_id, t.experiment_id, t.name, t.source_run_id, t.model_type, t.status, \
                       t.status_message, t.creation_time, t.last_update_time, (SELECT e.artifact_location \
                       FROM experiments e WHERE e.experiment_id = t.experiment_id)";

impl Db<'_> {
    fn read_model(&self, row: &rusqlite::Row<'_>) -> rusqlite::Result<LoggedModelInfo> {
        let model_id: String = row.get(0)?;
        let experiment: i64 = row.get(1)?;
        let location: Option<String> = row.get(9)?;
        Ok(LoggedModelInfo {
            artifact_uri: self.place(
                location,
                experiment,
                &format!("models/{model_id}/artifacts"),
            ),
            model_id,
            experiment_id: experiment.to_string(),
            name: row.get(2)?,
            source_run_id: row.get(3)?,
            model_type: row.get(4)?,
            status: word(row, 5)?,
            status_message: row.get(6)?,
            creation_timestamp_ms: row.get(7)?,
            last_updated_timestamp_ms: row.get(8)?,
            tags: Vec::new(),
        })
    }

    fn model_with_data(&self, mut info: LoggedModelInfo) -> Answer<LoggedModel> {
        let id = info.model_id.clone();
        info.tags = self.pairs("logged_model_tags", "model_id = ?", &[&id])?;
        let metrics = self
            .sql
            .prepare_cached(
                "SELECT key, value, is_nan, timestamp, step, run_id, dataset_name, dataset_digest \
                 FROM model_metrics WHERE model_id = ? ORDER BY key, run_id",
            )?
            .query_map([&id], |row| {
                let mut metric = read_metric(row)?;
                metric.model_id = Some(id.clone());
                metric.run_id = row.get(5)?;
                metric.dataset_name = row.get(6)?;
                metric.dataset_digest = row.get(7)?;
                Ok(metric)
            })?
            .collect::<Result<_, _>>()?;
        let data = LoggedModelData {
            params: self.pairs("logged_model_params", "model_id = ?", &[&id])?,
            metrics,
        };
        Ok(LoggedModel { info, data })
    }

    pub(super) fn logged_model_info(&self, id: &str) -> Answer<LoggedModelInfo> {
        names::check_model_id(id)?;
        Ok(self
            .sql
            .prepare_cached(&format!(
                "SELECT {COLUMNS} FROM logged_models t WHERE t.model_id = ? AND t.lifecycle_stage = 'active'"
            ))?
            .query_row([id], |row| self.read_model(row))
            .optional()?
            .ok_or_else(|| Error::not_found("logged model", id))?)
    }

    pub(super) fn logged_model(&self, id: &str) -> Answer<LoggedModel> {
        let info = self.logged_model_info(id)?;
        self.model_with_data(info)
    }

    pub(super) fn create_logged_model(&self, new: &NewModel) -> Answer<LoggedModel> {
        let experiment = self.active_experiment(&new.experiment_id)?;
        let name = match &new.name {
            Some(name) => name.clone(),
            None => names::new_run_name()?,
        };
        names::check_logged_model_name(&name)?;
        if let Some(run) = &new.source_run_id {
            // A run that does not exist made no model.
            self.run(run)?;
        }
        let id = match &new.model_id {
            Some(id) => {
                names::check_model_id(id)?;
                id.clone()
            }
            None => names::new_model_id()?,
        };
        let now = names::now();
        self.sql
            .prepare_cached(
                "INSERT INTO logged_models (model_id, experiment_id, name, source_run_id, model_type, status, \
                 creation_time, last_update_time) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            )?
            .execute(params![
                id,
                names::experiment_number(&experiment.experiment_id)?,
                name,
                new.source_run_id,
                new.model_type,
                new.status.unwrap_or(ModelStatus::Pending).as_str(),
                now,
                now
            ])?;
        for param in &new.params {
            self.put_model_param(&id, param)?;
        }
        for tag in &new.tags {
            self.put_model_tag(&id, tag)?;
        }
        if let (Some(run), Some(step)) = (&new.source_run_id, new.step) {
            self.put_output(run, &id, step)?;
        }
        self.logged_model(&id)
    }

    fn touch_model(&self, id: &str) -> Answer<()> {
        self.sql
            .prepare_cached("UPDATE logged_models SET last_update_time = ? WHERE model_id = ?")?
            .execute(params![names::now(), id])?;
        Ok(())
    }

    pub(super) fn finalize_logged_model(
        &self,
        id: &str,
        status: ModelStatus,
    ) -> Answer<LoggedModel> {
        self.logged_model_info(id)?;
        if !matches!(status, ModelStatus::Ready | ModelStatus::Failed) {
            return Err(Error::invalid("a logged model ends READY or FAILED").into());
        }
        self.sql.execute(
            "UPDATE logged_models SET status = ? WHERE model_id = ?",
            params![status.as_str(), id],
        )?;
        self.touch_model(id)?;
        self.logged_model(id)
    }

    pub(super) fn delete_logged_model(&self, id: &str) -> Answer<()> {
        self.logged_model_info(id)?;
        self.sql.execute(
            "UPDATE logged_models SET lifecycle_stage = 'deleted' WHERE model_id = ?",
            [id],
        )?;
        self.touch_model(id)
    }

    fn put_model_tag(&self, id: &str, tag: &Tag) -> Answer<()> {
        names::check_tag(&tag.key, &tag.value)?;
        self.sql
            .prepare_cached(
                "INSERT OR REPLACE INTO logged_model_tags (model_id, key, value) VALUES (?, ?, ?)",
            )?
            .execute(params![id, tag.key, tag.value])?;
        Ok(())
    }

    pub(super) fn set_logged_model_tags(&self, id: &str, tags: &[Tag]) -> Answer<()> {
        self.logged_model_info(id)?;
        for tag in tags {
            self.put_model_tag(id, tag)?;
        }
        self.touch_model(id)
    }

    pub(super) fn delete_logged_model_tag(&self, id: &str, key: &str) -> Answer<()> {
        self.logged_model_info(id)?;
        let gone = self.sql.execute(
            "DELETE FROM logged_model_tags WHERE model_id = ? AND key = ?",
            params![id, key],
        )?;
        if gone == 0 {
            return Err(Error::not_found("tag of the logged model", key).into());
        }
        self.touch_model(id)
    }

    fn put_model_param(&self, id: &str, param: &Param) -> Answer<()> {
        names::check_param(&param.key, &param.value)?;
        let there: Option<String> = self
            .sql
            .prepare_cached("SELECT value FROM logged_model_params WHERE model_id = ? AND key = ?")?
            .query_row(params![id, param.key], |row| row.get(0))
            .optional()?;
        if let Some(there) = there.filter(|there| *there != param.value) {
            return Err(Error::invalid(format!(
                "param {:?} of model {id} has the value {there:?} and can't change to {:?}",
                param.key, param.value
            ))
            .into());
        }
        self.sql
            .prepare_cached("INSERT OR REPLACE INTO logged_model_params (model_id, key, value) VALUES (?, ?, ?)")?
            .execute(params![id, param.key, param.value])?;
        Ok(())
    }

    pub(super) fn log_logged_model_params(&self, id: &str, params: &[Param]) -> Answer<()> {
        self.logged_model_info(id)?;
        for param in params {
            self.put_model_param(id, param)?;
        }
        self.touch_model(id)
    }

    pub(super) fn search_logged_models(&self, search: &Search) -> Answer<Page<LoggedModel>> {
        let sql = format!(
            "SELECT {COLUMNS} FROM logged_models t WHERE {} AND t.lifecycle_stage = 'active'",
            Self::among(&search.experiment_ids)?
        );
        let (found, token) = self.page(&sql, search, &LOGGED_MODELS, 50_000, |row| {
            self.read_model(row)
        })?;
        let items = found
            .into_iter()
            .map(|info| self.model_with_data(info))
            .collect::<Answer<_>>()?;
        Ok(Page { items, token })
    }
}
