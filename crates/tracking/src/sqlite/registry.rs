//! Registered models, their versions and aliases.

use rusqlite::{OptionalExtension as _, params};

use super::{Answer, Db};
use crate::entities::{Alias, ModelVersion, Page, RegisteredModel, Tag};
use crate::error::Error;
use crate::names;
use crate::search::{MODEL_VERSIONS, REGISTERED_MODELS};
use crate::store::{NewVersion, Search};

const VERSION: &str = "t.name, t.version, t.creation_time, t.last_update_time, t.user_id, t.stage, t.description, \
                       t.source, t.run_id, t.run_link, t.model_id";
const STAGES: [&str; 4] = ["None", "Staging", "Production", "Archived"];

/// A stage as it is kept, from any spelling of its name.
fn check_stage(stage: &str) -> Answer<&'static str> {
    STAGES
        .into_iter()
        .find(|known| known.eq_ignore_ascii_case(stage))
        .ok_or_else(|| {
            Error::invalid(format!(
                "invalid stage {stage:?}; there are: {}",
                STAGES.join(", ")
            ))
            .into()
        })
}

fn read_version(row: &rusqlite::Row<'_>) -> rusqlite::Result<ModelVersion> {
    Ok(ModelVersion {
        name: row.get(0)?,
        version: row.get::<_, i64>(1)?.to_string(),
        creation_timestamp: row.get(2)?,
        last_updated_timestamp: row.get(3)?,
        user_id: row.get(4)?,
        current_stage: row.get(5)?,
        description: row.get(6)?,
        source: row.get(7)?,
        run_id: row.get(8)?,
        status: "READY".to_owned(),
        status_message: None,
        tags: Vec::new(),
        run_link: row.get(9)?,
        aliases: Vec::new(),
        model_id: row.get(10)?,
    })
}

impl Db<'_> {
    fn complete(&self, mut version: ModelVersion) -> Answer<ModelVersion> {
        let number = names::version_number(&version.version)?;
        version.tags = self.pairs(
            "model_version_tags",
            "name = ? AND version = ?",
            &[&version.name, &number],
        )?;
        version.aliases = self
            .sql
            .prepare_cached(
                "SELECT alias FROM aliases WHERE name = ? AND version = ? ORDER BY alias",
            )?
            .query_map(params![version.name, number], |row| row.get(0))?
            .collect::<Result<_, _>>()?;
        Ok(version)
    }

    fn read_registered(row: &rusqlite::Row<'_>) -> rusqlite::Result<RegisteredModel> {
        Ok(RegisteredModel {
            name: row.get(0)?,
            creation_timestamp: row.get(1)?,
            last_updated_timestamp: row.get(2)?,
            description: row.get(3)?,
            latest_versions: Vec::new(),
            tags: Vec::new(),
            aliases: Vec::new(),
        })
    }

    fn complete_registered(&self, mut model: RegisteredModel) -> Answer<RegisteredModel> {
        model.tags = self.pairs("registered_model_tags", "name = ?", &[&model.name])?;
        model.aliases = self
            .sql
            .prepare_cached("SELECT alias, version FROM aliases WHERE name = ? ORDER BY alias")?
            .query_map([&model.name], |row| {
                Ok(Alias {
                    alias: row.get(0)?,
                    version: row.get::<_, i64>(1)?.to_string(),
                })
            })?
            .collect::<Result<_, _>>()?;
        model.latest_versions = self.newest(&model.name)?;
        Ok(model)
    }

    /// The newest version of each stage.
    fn newest(&self, name: &str) -> Answer<Vec<ModelVersion>> {
        self.sql
            .prepare_cached(&format!(
                "SELECT {VERSION} FROM model_versions t WHERE t.name = ? AND t.deleted = 0 AND t.version = \
                 (SELECT max(u.version) FROM model_versions u WHERE u.name = t.name AND u.deleted = 0 \
                 AND u.stage = t.stage) ORDER BY t.version"
            ))?
            .query_map([name], read_version)?
            .collect::<Result<Vec<_>, _>>()?
            .into_iter()
            .map(|version| self.complete(version))
            .collect()
    }

    pub(super) fn create_registered_model(
        &self,
        name: &str,
        tags: &[Tag],
        description: Option<&str>,
    ) -> Answer<RegisteredModel> {
        names::check_model_name(name)?;
        let now = names::now();
        let made = self.sql.execute(
            "INSERT OR IGNORE INTO registered_models (name, creation_time, last_update_time, description) \
             VALUES (?, ?, ?, ?)",
            params![name, now, now, description],
        )?;
        if made == 0 {
            return Err(Error::exists("registered model", name).into());
        }
        for tag in tags {
            self.put_registered_tag(name, tag)?;
        }
        self.registered_model(name)
    }

    pub(super) fn registered_model(&self, name: &str) -> Answer<RegisteredModel> {
        names::check_model_name(name)?;
        let found = self
            .sql
            .prepare_cached(
                "SELECT name, creation_time, last_update_time, description FROM registered_models WHERE name = ?",
            )?
            .query_row([name], Self::read_registered)
            .optional()?
            .ok_or_else(|| Error::not_found("registered model", name))?;
        self.complete_registered(found)
    }

    fn touch_registered(&self, name: &str) -> Answer<()> {
        self.sql
            .prepare_cached("UPDATE registered_models SET last_update_time = ? WHERE name = ?")?
            .execute(params![names::now(), name])?;
        Ok(())
    }

    pub(super) fn rename_registered_model(
        &self,
        name: &str,
        new_name: &str,
    ) -> Answer<RegisteredModel> {
        names::check_model_name(new_name)?;
        self.registered_model(name)?;
        let there: bool = self.sql.query_row(
            "SELECT EXISTS (SELECT 1 FROM registered_models WHERE name = ?)",
            [new_name],
            |row| row.get(0),
        )?;
        if there && name != new_name {
            return Err(Error::exists("registered model", new_name).into());
        }
        self.sql.execute(
            "UPDATE registered_models SET name = ? WHERE name = ?",
            params![new_name, name],
        )?;
        self.touch_registered(new_name)?;
        self.registered_model(new_name)
    }

    pub(super) fn update_registered_model(
        &self,
        name: &str,
        description: Option<&str>,
    ) -> Answer<RegisteredModel> {
        self.registered_model(name)?;
        self.sql.execute(
            "UPDATE registered_models SET description = ? WHERE name = ?",
            params![description, name],
        )?;
        self.touch_registered(name)?;
        self.registered_model(name)
    }

    pub(super) fn delete_registered_model(&self, name: &str) -> Answer<()> {
        self.registered_model(name)?;
        self.sql
            .execute("DELETE FROM registered_models WHERE name = ?", [name])?;
        Ok(())
    }

    pub(super) fn search_registered_models(
        &self,
        search: &Search,
    ) -> Answer<Page<RegisteredModel>> {
        let sql = "SELECT t.name, t.creation_time, t.last_update_time, t.description FROM registered_models t WHERE 1";
        let (found, token) =
            self.page(sql, search, &REGISTERED_MODELS, 1000, Self::read_registered)?;
        let items = found
            .into_iter()
            .map(|model| self.complete_registered(model))
            .collect::<Answer<_>>()?;
        Ok(Page { items, token })
    }

    fn put_registered_tag(&self, name: &str, tag: &Tag) -> Answer<()> {
        names::check_registry_tag(&tag.key, &tag.value)?;
        self.sql.execute(
            "INSERT OR REPLACE INTO registered_model_tags (name, key, value) VALUES (?, ?, ?)",
            params![name, tag.key, tag.value],
        )?;
        Ok(())
    }

    pub(super) fn set_registered_model_tag(&self, name: &str, tag: &Tag) -> Answer<()> {
        self.registered_model(name)?;
        self.put_registered_tag(name, tag)?;
        self.touch_registered(name)
    }

    pub(super) fn delete_registered_model_tag(&self, name: &str, key: &str) -> Answer<()> {
        self.registered_model(name)?;
        self.sql.execute(
            "DELETE FROM registered_model_tags WHERE name = ? AND key = ?",
            params![name, key],
        )?;
        Ok(())
    }

    pub(super) fn set_alias(&self, name: &str, alias: &str, version: &str) -> Answer<()> {
        names::check_alias(alias)?;
        self.model_version(name, version)?;
        self.sql.execute(
            "INSERT OR REPLACE INTO aliases (name, alias, version) VALUES (?, ?, ?)",
            params![name, alias, names::version_number(version)?],
        )?;
        Ok(())
    }

    pub(super) fn delete_alias(&self, name: &str, alias: &str) -> Answer<()> {
        names::check_alias(alias)?;
        self.registered_model(name)?;
        self.sql.execute(
            "DELETE FROM aliases WHERE name = ? AND alias = ?",
            params![name, alias],
        )?;
        Ok(())
    }

    pub(super) fn version_by_alias(&self, name: &str, alias: &str) -> Answer<ModelVersion> {
        self.registered_model(name)?;
        let number: i64 = self
            .sql
            .query_row(
                "SELECT version FROM aliases WHERE name = ? AND alias = ?",
                params![name, alias],
                |row| row.get(0),
            )
            .optional()?
            .ok_or_else(|| Error::NotFound {
                what: "alias",
                name: alias.to_owned(),
                hint: format!(" of registered model {name:?}"),
            })?;
        self.model_version(name, &number.to_string())
    }

    pub(super) fn latest_versions(
        &self,
        name: &str,
        stages: &[String],
    ) -> Answer<Vec<ModelVersion>> {
        self.registered_model(name)?;
        let wanted = stages
            .iter()
            .map(|stage| check_stage(stage))
            .collect::<Answer<Vec<_>>>()?;
        Ok(self
            .newest(name)?
            .into_iter()
            .filter(|version| wanted.is_empty() || wanted.contains(&version.current_stage.as_str()))
            .collect())
    }

    pub(super) fn create_model_version(&self, new: &NewVersion) -> Answer<ModelVersion> {
        self.registered_model(&new.name)?;
        if new.source.is_empty() {
            return Err(Error::invalid("the source of a model version is empty").into());
        }
        let number: i64 = self.sql.query_row(
            "SELECT coalesce(max(version), 0) + 1 FROM model_versions WHERE name = ?",
            [&new.name],
            |row| row.get(0),
        )?;
        let now = names::now();
        self.sql.execute(
            "INSERT INTO model_versions (name, version, creation_time, last_update_time, description, source, run_id, \
             run_link, model_id) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
            params![
                new.name,
                number,
                now,
                now,
                new.description,
                new.source,
                new.run_id,
                new.run_link,
                new.model_id
            ],
        )?;
        let version = number.to_string();
        for tag in &new.tags {
            self.put_version_tag(&new.name, number, tag)?;
        }
        self.touch_registered(&new.name)?;
        self.model_version(&new.name, &version)
    }

    pub(super) fn model_version(&self, name: &str, version: &str) -> Answer<ModelVersion> {
        names::check_model_name(name)?;
        let number = names::version_number(version)?;
        let found = self
            .sql
            .prepare_cached(&format!(
                "SELECT {VERSION} FROM model_versions t WHERE t.name = ? AND t.version = ? AND t.deleted = 0"
            ))?
            .query_row(params![name, number], read_version)
            .optional()?
            .ok_or_else(|| Error::NotFound {
                what: "version",
                name: version.to_owned(),
                hint: format!(" of registered model {name:?}"),
            })?;
        self.complete(found)
    }

    fn touch_version(&self, name: &str, number: i64) -> Answer<()> {
        self.sql.execute(
            "UPDATE model_versions SET last_update_time = ? WHERE name = ? AND version = ?",
            params![names::now(), name, number],
        )?;
        self.touch_registered(name)
    }

    pub(super) fn update_model_version(
        &self,
        name: &str,
        version: &str,
        description: Option<&str>,
    ) -> Answer<ModelVersion> {
        self.model_version(name, version)?;
        let number = names::version_number(version)?;
        self.sql.execute(
            "UPDATE model_versions SET description = ? WHERE name = ? AND version = ?",
            params![description, name, number],
        )?;
        self.touch_version(name, number)?;
        self.model_version(name, version)
    }

    pub(super) fn set_stage(
        &self,
        name: &str,
        version: &str,
        stage: &str,
        archive: bool,
    ) -> Answer<ModelVersion> {
        self.model_version(name, version)?;
        let stage = check_stage(stage)?;
        let number = names::version_number(version)?;
        if archive {
            if !matches!(stage, "Staging" | "Production") {
                return Err(Error::invalid(format!(
                    "existing versions can be archived by a change to Staging or Production, not to {stage}"
                ))
                .into());
            }
            self.sql.execute(
                "UPDATE model_versions SET stage = 'Archived', last_update_time = ? \
                 WHERE name = ? AND stage = ? AND version != ? AND deleted = 0",
                params![names::now(), name, stage, number],
            )?;
        }
        self.sql.execute(
            "UPDATE model_versions SET stage = ? WHERE name = ? AND version = ?",
            params![stage, name, number],
        )?;
        self.touch_version(name, number)?;
        self.model_version(name, version)
    }

    pub(super) fn delete_model_version(&self, name: &str, version: &str) -> Answer<()> {
        self.model_version(name, version)?;
        let number = names::version_number(version)?;
        self.sql.execute(
            "DELETE FROM aliases WHERE name = ? AND version = ?",
            params![name, number],
        )?;
        self.sql.execute(
            "DELETE FROM model_version_tags WHERE name = ? AND version = ?",
            params![name, number],
        )?;
        self.sql.execute(
            "UPDATE model_versions SET deleted = 1, stage = 'None', source = '', description = NULL, run_id = NULL, \
             run_link = NULL WHERE name = ? AND version = ?",
            params![name, number],
        )?;
        self.touch_registered(name)
    }

    /// The folder that a version was made from: `runs:/`, `models:/m-...` and paths are looked up by whoever asks.
    pub(super) fn version_download_uri(&self, name: &str, version: &str) -> Answer<String> {
        let found = self.model_version(name, version)?;
        match found.model_id {
            // The logged model may be in another store: then whoever asks follows this URI there.
            Some(id) => Ok(format!("models:/{id}")),
            None => Ok(found.source),
        }
    }

    pub(super) fn search_model_versions(&self, search: &Search) -> Answer<Page<ModelVersion>> {
        let sql = format!("SELECT {VERSION} FROM model_versions t WHERE t.deleted = 0");
        let (found, token) = self.page(&sql, search, &MODEL_VERSIONS, 200_000, read_version)?;
        let items = found
            .into_iter()
            .map(|version| self.complete(version))
            .collect::<Answer<_>>()?;
        Ok(Page { items, token })
    }

    fn put_version_tag(&self, name: &str, number: i64, tag: &Tag) -> Answer<()> {
        names::check_registry_tag(&tag.key, &tag.value)?;
        self.sql.execute(
            "INSERT OR REPLACE INTO model_version_tags (name, version, key, value) VALUES (?, ?, ?, ?)",
            params![name, number, tag.key, tag.value],
        )?;
        Ok(())
    }

    pub(super) fn set_version_tag(&self, name: &str, version: &str, tag: &Tag) -> Answer<()> {
        self.model_version(name, version)?;
        let number = names::version_number(version)?;
        self.put_version_tag(name, number, tag)?;
        self.touch_version(name, number)
    }

    pub(super) fn delete_version_tag(&self, name: &str, version: &str, key: &str) -> Answer<()> {
        self.model_version(name, version)?;
        let number = names::version_number(version)?;
        self.sql.execute(
            "DELETE FROM model_version_tags WHERE name = ? AND version = ? AND key = ?",
            params![name, number, key],
        )?;
        self.touch_version(name, number)
    }
}
