//! Experiments and their tags.

use rusqlite::{OptionalExtension as _, params};

use super::{Answer, Db, some, word};
use crate::entities::{Experiment, LifecycleStage, Page, Tag, ViewType};
use crate::error::Error;
use crate::names;
use crate::search::EXPERIMENTS;
use crate::store::Search;

const COLUMNS: &str = "t.experiment_id, t.name, t.artifact_location, t.lifecycle_stage, t.creation_time, t.last_update_time";

/// The condition on `t.lifecycle_stage`.
pub(super) fn stage(view: ViewType) -> &'static str {
    match view {
        ViewType::ActiveOnly => "t.lifecycle_stage = 'active'",
        ViewType::DeletedOnly => "t.lifecycle_stage = 'deleted'",
        ViewType::All => "1",
    }
}

impl Db<'_> {
    fn read_experiment(&self, row: &rusqlite::Row<'_>) -> rusqlite::Result<Experiment> {
        let id: i64 = row.get(0)?;
        let location: Option<String> = row.get(2)?;
        Ok(Experiment {
            experiment_id: id.to_string(),
            name: row.get(1)?,
            artifact_location: location
                .unwrap_or_else(|| self.artifacts.join(id.to_string()).display().to_string()),
            lifecycle_stage: word(row, 3)?,
            creation_time: row.get(4)?,
            last_update_time: row.get(5)?,
            tags: Vec::new(),
        })
    }

    fn with_tags(&self, mut experiment: Experiment) -> Answer<Experiment> {
        let number = names::experiment_number(&experiment.experiment_id)?;
        experiment.tags = self.pairs("experiment_tags", "experiment_id = ?", &[&number])?;
        Ok(experiment)
    }

    pub(super) fn create_experiment(
        &self,
        name: &str,
        location: Option<&str>,
        tags: &[Tag],
    ) -> Answer<String> {
        names::check_experiment_name(name)?;
        if let Some(there) = self.experiment_by_name(name)? {
            let hint = match there.lifecycle_stage {
                LifecycleStage::Active => String::new(),
                LifecycleStage::Deleted => {
                    " and is deleted: restore it, or choose another name".to_owned()
                }
            };
            return Err(Error::AlreadyExists {
                what: "experiment",
                name: name.to_owned(),
                hint,
            }
            .into());
        }
        let now = names::now();
        self.sql
            .prepare_cached(
                "INSERT INTO experiments (name, artifact_location, creation_time, last_update_time) VALUES (?, ?, ?, ?)",
            )?
            .execute(params![name, some(location.filter(|text| !text.is_empty())), now, now])?;
        let id = self.sql.last_insert_rowid().to_string();
        for tag in tags {
            self.put_experiment_tag(&id, tag)?;
        }
        Ok(id)
    }

    pub(super) fn experiment(&self, id: &str) -> Answer<Experiment> {
        let number = names::experiment_number(id)?;
        let found = self
            .sql
            .prepare_cached(&format!(
                "SELECT {COLUMNS} FROM experiments t WHERE experiment_id = ?"
            ))?
            .query_row([number], |row| self.read_experiment(row))
            .optional()?
            .ok_or_else(|| Error::not_found("experiment", id))?;
        self.with_tags(found)
    }

    pub(super) fn experiment_by_name(&self, name: &str) -> Answer<Option<Experiment>> {
        self.sql
            .prepare_cached(&format!(
                "SELECT {COLUMNS} FROM experiments t WHERE name = ?"
            ))?
            .query_row([name], |row| self.read_experiment(row))
            .optional()?
            .map(|found| self.with_tags(found))
            .transpose()
    }

    /// An experiment that may be changed.
    pub(super) fn active_experiment(&self, id: &str) -> Answer<Experiment> {
        let found = self.experiment(id)?;
        if found.lifecycle_stage == LifecycleStage::Deleted {
            return Err(Error::state(format!(
                "experiment {id} ({:?}) is deleted: restore it first",
                found.name
            ))
            .into());
        }
        Ok(found)
    }

    fn touch_experiment(&self, id: &str) -> Answer<()> {
        self.sql
            .prepare_cached("UPDATE experiments SET last_update_time = ? WHERE experiment_id = ?")?
            .execute(params![names::now(), names::experiment_number(id)?])?;
        Ok(())
    }

    pub(super) fn rename_experiment(&self, id: &str, name: &str) -> Answer<()> {
        names::check_experiment_name(name)?;
        self.active_experiment(id)?;
        if let Some(there) = self.experiment_by_name(name)?
            && there.experiment_id != id
        {
            return Err(Error::exists("experiment", name).into());
        }
        self.sql.execute(
            "UPDATE experiments SET name = ? WHERE experiment_id = ?",
            params![name, names::experiment_number(id)?],
        )?;
        self.touch_experiment(id)
    }

    pub(super) fn delete_experiment(&self, id: &str) -> Answer<()> {
        let experiment = self.active_experiment(id)?;
        if experiment.experiment_id == "0" {
            return Err(Error::state("the experiment \"Default\" can't be deleted").into());
        }
        let number = names::experiment_number(id)?;
        let now = names::now();
        self.sql.execute(
            "UPDATE experiments SET lifecycle_stage = 'deleted' WHERE experiment_id = ?",
            [number],
        )?;
        self.sql.execute(
            "UPDATE runs SET lifecycle_stage = 'deleted', deleted_time = ? \
             WHERE experiment_id = ? AND lifecycle_stage = 'active'",
            params![now, number],
        )?;
        self.touch_experiment(id)
    }

    pub(super) fn restore_experiment(&self, id: &str) -> Answer<()> {
        if self.experiment(id)?.lifecycle_stage == LifecycleStage::Active {
            return Err(Error::state(format!("experiment {id} is not deleted")).into());
        }
        let number = names::experiment_number(id)?;
        self.sql.execute(
            "UPDATE experiments SET lifecycle_stage = 'active' WHERE experiment_id = ?",
            [number],
        )?;
        self.sql.execute(
            "UPDATE runs SET lifecycle_stage = 'active', deleted_time = NULL WHERE experiment_id = ?",
            [number],
        )?;
        self.touch_experiment(id)
    }

    fn put_experiment_tag(&self, id: &str, tag: &Tag) -> Answer<()> {
        names::check_experiment_tag(&tag.key, &tag.value)?;
        self.sql
            .prepare_cached("INSERT OR REPLACE INTO experiment_tags (experiment_id, key, value) VALUES (?, ?, ?)")?
            .execute(params![names::experiment_number(id)?, tag.key, tag.value])?;
        Ok(())
    }

    pub(super) fn set_experiment_tag(&self, id: &str, tag: &Tag) -> Answer<()> {
        self.active_experiment(id)?;
        self.put_experiment_tag(id, tag)?;
        self.touch_experiment(id)
    }

    pub(super) fn delete_experiment_tag(&self, id: &str, key: &str) -> Answer<()> {
        self.active_experiment(id)?;
        let gone = self.sql.execute(
            "DELETE FROM experiment_tags WHERE experiment_id = ? AND key = ?",
            params![names::experiment_number(id)?, key],
        )?;
        if gone == 0 {
            return Err(Error::not_found("experiment tag", key).into());
        }
        self.touch_experiment(id)
    }

    pub(super) fn search_experiments(&self, search: &Search) -> Answer<Page<Experiment>> {
        let sql = format!(
            "SELECT {COLUMNS} FROM experiments t WHERE {}",
            stage(search.view)
        );
        let (found, token) = self.page(&sql, search, &EXPERIMENTS, 50_000, |row| {
            self.read_experiment(row)
        })?;
        let items = found
            .into_iter()
            .map(|found| self.with_tags(found))
            .collect::<Answer<_>>()?;
        Ok(Page { items, token })
    }
}
