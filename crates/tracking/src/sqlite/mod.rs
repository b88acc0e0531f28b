//! The embedded store: one SQLite database, and a folder of artifacts beside it.
//!
//! Many processes may use it at once: the log is written ahead (WAL), each change is one transaction that takes its
//! lock first, and waits for it up to a minute. A process that is killed leaves whole transactions or nothing.

mod experiments;
mod models;
mod registry;
mod runs;

use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use rusqlite::types::Value as Sql;
use rusqlite::{Connection, ErrorCode, OpenFlags, Transaction, TransactionBehavior};

use crate::entities::{
    Experiment, LoggedModel, Metric, ModelOutput, ModelStatus, ModelVersion, Page, Pair, Param,
    RegisteredModel, Run, Tag,
};
use crate::error::{Error, Result};
use crate::names;
use crate::search;
use crate::store::{NewModel, NewRun, NewVersion, RunChange, Search, Store};

/// The name of the database in a folder.
pub const DATABASE: &str = "nopickle.db";
/// The name of the folder of artifacts beside the database.
pub const ARTIFACTS: &str = "nopickle-artifacts";
/// The folder in it in which models are written before they appear.
const STAGING: &str = ".staging";
/// How long a folder may stand there.
const STAGING_AGE: Duration = Duration::from_secs(24 * 60 * 60);

/// What makes a store of version n + 1 of one of version n.
const MIGRATIONS: &[&str] = &[include_str!("schema.sql")];

/// The embedded store.
#[derive(Debug)]
pub struct SqliteStore {
    database: PathBuf,
    artifacts: PathBuf,
    connection: Option<Mutex<Connection>>,
    process: u32,
}

/// Why a transaction ended: SQLite's words, or a rule of the store.
enum Fail {
    Sql(rusqlite::Error),
    Rule(Error),
}

impl From<rusqlite::Error> for Fail {
    fn from(error: rusqlite::Error) -> Self {
        Self::Sql(error)
    }
}

impl From<Error> for Fail {
    fn from(error: Error) -> Self {
        Self::Rule(error)
    }
}

type Answer<T> = std::result::Result<T, Fail>;

/// One transaction.
struct Db<'t> {
    sql: &'t Connection,
    artifacts: &'t Path,
}

/// Called while another process holds the lock: waits for a short time that differs between processes.
fn wait(tries: i32) -> bool {
    let [jitter] = names::random::<1>().unwrap_or([128]);
    let longest = u64::try_from(tries).unwrap_or(0).min(20) + 1;
    std::thread::sleep(Duration::from_micros(
        longest * 1000 * (u64::from(jitter) + 64) / 256,
    ));
    // About a minute.
    tries < 5000
}

/// Whether the same transaction may work a moment later.
fn is_momentary(error: &rusqlite::Error) -> bool {
    matches!(
        error.sqlite_error_code(),
        Some(
            ErrorCode::DatabaseBusy
                | ErrorCode::DatabaseLocked
                | ErrorCode::FileLockingProtocolFailed
        )
    )
}

impl SqliteStore {
    /// Opens the store whose database is `database`; makes it where it is not there, if `create`.
    ///
    /// Brings an older store to this version in one transaction; refuses one of a newer version, and a database that
    /// is no store of nopickle. Removes what processes that were killed more than a day ago left half-written.
    pub fn open(database: &Path, create: bool) -> Result<Self> {
        let database = std::path::absolute(database).map_err(|error| Error::io(database, error))?;
        if !create && !database.exists() {
            return Err(Error::not_found("store", database.display().to_string()));
        }
        let folder = database.parent().unwrap_or(Path::new("/"));
        std::fs::create_dir_all(folder).map_err(|error| Error::io(folder, error))?;
        let artifacts = folder.join(ARTIFACTS);
        let fail = |error| Error::database(&database, error);
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE
            | OpenFlags::SQLITE_OPEN_CREATE
            | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let mut connection = Connection::open_with_flags(&database, flags).map_err(fail)?;
        let mut tries = 0;
        while let Err(error) = Self::prepare(&mut connection, &database) {
            match error {
                Fail::Sql(error) if is_momentary(&error) && tries < 200 => {
                    tries += 1;
                    wait(20);
                }
                Fail::Sql(error) => return Err(fail(error)),
                Fail::Rule(error) => return Err(error),
            }
        }
        clean(&artifacts.join(STAGING));
        Ok(Self {
            database,
            artifacts,
            connection: Some(Mutex::new(connection)),
            process: std::process::id(),
        })
    }

    fn prepare(connection: &mut Connection, database: &Path) -> Answer<()> {
        connection.busy_handler(Some(wait))?;
        connection.set_prepared_statement_cache_capacity(128);
        let version: i64 = connection.query_row("PRAGMA user_version", [], |row| row.get(0))?;
        let known = i64::try_from(MIGRATIONS.len()).unwrap_or(i64::MAX);
        if version > known {
            return Err(Error::Newer {
                path: database.to_owned(),
                found: version,
                known,
            }
            .into());
        }
        if version == 0 {
            let tables: i64 =
                connection.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
            let again: i64 = connection.query_row("PRAGMA user_version", [], |row| row.get(0))?;
            if tables > 0 && again == 0 {
                return Err(Error::invalid(format!(
                    "{}: this database is no store of nopickle; to use one of MLflow, start `mlflow server` on it \
                     and set the tracking URI to the server's address",
                    database.display()
                ))
                .into());
            }
        }
        connection.pragma_update(None, "journal_mode", "WAL")?;
        connection.execute_batch(
            "PRAGMA synchronous = NORMAL; PRAGMA foreign_keys = ON; PRAGMA case_sensitive_like = ON; \
             PRAGMA trusted_schema = OFF; PRAGMA temp_store = MEMORY;",
        )?;
        if version < known {
            let change = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
            // Another process may have been faster.
            let version: i64 = change.query_row("PRAGMA user_version", [], |row| row.get(0))?;
            for step in MIGRATIONS
                .iter()
                .skip(usize::try_from(version).unwrap_or(0))
            {
                change.execute_batch(step)?;
            }
            change.pragma_update(None, "user_version", known)?;
            change.commit()?;
        }
        Ok(())
    }

    fn transaction<T>(
        &self,
        behavior: TransactionBehavior,
        work: &dyn Fn(&Db<'_>) -> Answer<T>,
    ) -> Result<T> {
        let Some(connection) = &self.connection else {
            return Err(Error::state("the store is closed"));
        };
        let connection = connection.lock().unwrap_or_else(PoisonError::into_inner);
        let mut tries = 0;
        loop {
            let once = || -> Answer<T> {
                let transaction = Transaction::new_unchecked(&connection, behavior)?;
                let answer = work(&Db {
                    sql: &transaction,
                    artifacts: &self.artifacts,
                })?;
                transaction.commit()?;
                Ok(answer)
            };
            match once() {
                Ok(answer) => return Ok(answer),
                Err(Fail::Sql(error)) if is_momentary(&error) && tries < 5 => {
                    tries += 1;
                    wait(20);
                }
                Err(Fail::Sql(error)) => return Err(Error::database(&self.database, error)),
                Err(Fail::Rule(error)) => return Err(error),
            }
        }
    }

    fn read<T>(&self, work: impl Fn(&Db<'_>) -> Answer<T>) -> Result<T> {
        self.transaction(TransactionBehavior::Deferred, &work)
    }

    fn write<T>(&self, work: impl Fn(&Db<'_>) -> Answer<T>) -> Result<T> {
        self.transaction(TransactionBehavior::Immediate, &work)
    }
}

impl Drop for SqliteStore {
    fn drop(&mut self) {
        // A connection that came here by fork belongs to the parent: closing it would take its locks.
        if self.process != std::process::id() {
            std::mem::forget(self.connection.take());
        }
    }
}

/// Removes folders of models that were never finished.
fn clean(staging: &Path) {
    let Ok(entries) = std::fs::read_dir(staging) else {
        return;
    };
    for entry in entries.flatten() {
        let age = entry
            .metadata()
            .and_then(|found| found.modified())
            .ok()
            .and_then(|time| SystemTime::now().duration_since(time).ok());
        if age.is_some_and(|age| age > STAGING_AGE) {
            // What stays is tried again when the store is opened the next time.
            let _ = std::fs::remove_dir_all(entry.path());
        }
    }
}

impl Db<'_> {
    /// `key`, `value` of the rows of one thing, sorted.
    fn pairs(
        &self,
        table: &str,
        condition: &str,
        of: &[&dyn rusqlite::ToSql],
    ) -> Answer<Vec<Pair>> {
        let sql = format!("SELECT key, value FROM {table} WHERE {condition} ORDER BY key");
        let mut statement = self.sql.prepare_cached(&sql)?;
        let rows = statement.query_map(of, |row| {
            Ok(Pair::new(
                row.get::<_, String>(0)?,
                row.get::<_, String>(1)?,
            ))
        })?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// The ids that a search finds, and what asks for the next page.
    fn page<K>(
        &self,
        sql: &str,
        asked: &Search,
        target: &search::Target,
        longest: usize,
        read: impl Fn(&rusqlite::Row<'_>) -> rusqlite::Result<K>,
    ) -> Answer<(Vec<K>, Option<String>)> {
        let query = search::Query::new(&asked.filter, &asked.order_by, target)?;
        let offset = search::page_offset(asked.page_token.as_deref())?;
        let length = asked.max_results.unwrap_or(longest);
        if length == 0 || length > longest {
            return Err(Error::invalid(format!(
                "max_results is {length}; it is at least 1 and at most {longest}"
            ))
            .into());
        }
        let sql = format!(
            "{sql}{} ORDER BY {} LIMIT {} OFFSET {offset}",
            query.conditions,
            query.order,
            length + 1
        );
        let mut statement = self.sql.prepare(&sql)?;
        let rows =
            statement.query_map(rusqlite::params_from_iter(query.values), |row| read(row))?;
        let mut found = rows.collect::<Result<Vec<K>, _>>()?;
        let token = (found.len() > length).then(|| search::page_token(offset + length));
        found.truncate(length);
        Ok((found, token))
    }

    /// `IN (...)` over the numbers of experiments.
    fn among(ids: &[String]) -> Answer<String> {
        let numbers: Vec<String> = ids
            .iter()
            .map(|id| names::experiment_number(id).map(|number| number.to_string()))
            .collect::<Result<_>>()?;
        Ok(format!("t.experiment_id IN ({})", numbers.join(", ")))
    }
}

/// A value of a metric as two columns: 0 and 1 where it is not a number.
fn float(value: f64) -> (f64, bool) {
    if value.is_nan() {
        (0.0, true)
    } else {
        (value, false)
    }
}

fn read_float(row: &rusqlite::Row<'_>, value: usize, is_nan: usize) -> rusqlite::Result<f64> {
    Ok(if row.get::<_, bool>(is_nan)? {
        f64::NAN
    } else {
        row.get(value)?
    })
}

/// A word of an enum that is kept as a text.
fn word<T: serde::de::DeserializeOwned>(
    row: &rusqlite::Row<'_>,
    column: usize,
) -> rusqlite::Result<T> {
    let text: String = row.get(column)?;
    serde_json::from_value(serde_json::Value::String(text)).map_err(|error| {
        rusqlite::Error::FromSqlConversionFailure(
            column,
            rusqlite::types::Type::Text,
            Box::new(error),
        )
    })
}

/// A text or NULL.
fn some(text: Option<&str>) -> Sql {
    text.map_or(Sql::Null, |text| Sql::Text(text.to_owned()))
}

impl Store for SqliteStore {
    fn uri(&self) -> String {
        format!("sqlite:///{}", self.database.display())
    }
    fn artifact_root(&self) -> Option<&Path> {
        Some(&self.artifacts)
    }
    fn staging(&self) -> Result<Option<PathBuf>> {
        let folder = self.artifacts.join(STAGING).join(names::new_run_id()?);
        std::fs::create_dir_all(&folder).map_err(|error| Error::io(&folder, error))?;
        Ok(Some(folder))
    }
    fn server(&self) -> Option<&crate::rest::Server> {
        None
    }

    fn create_experiment(
        &self,
        name: &str,
        artifact_location: Option<&str>,
        tags: &[Tag],
    ) -> Result<String> {
        self.write(|db| db.create_experiment(name, artifact_location, tags))
    }
    fn experiment(&self, id: &str) -> Result<Experiment> {
        self.read(|db| db.experiment(id))
    }
    fn experiment_by_name(&self, name: &str) -> Result<Option<Experiment>> {
        self.read(|db| db.experiment_by_name(name))
    }
    fn rename_experiment(&self, id: &str, name: &str) -> Result<()> {
        self.write(|db| db.rename_experiment(id, name))
    }
    fn delete_experiment(&self, id: &str) -> Result<()> {
        self.write(|db| db.delete_experiment(id))
    }
    fn restore_experiment(&self, id: &str) -> Result<()> {
        self.write(|db| db.restore_experiment(id))
    }
    fn set_experiment_tag(&self, id: &str, tag: &Tag) -> Result<()> {
        self.write(|db| db.set_experiment_tag(id, tag))
    }
    fn delete_experiment_tag(&self, id: &str, key: &str) -> Result<()> {
        self.write(|db| db.delete_experiment_tag(id, key))
    }
    fn search_experiments(&self, search: &Search) -> Result<Page<Experiment>> {
        self.read(|db| db.search_experiments(search))
    }

    fn create_run(&self, run: &NewRun) -> Result<Run> {
        self.write(|db| db.create_run(run))
    }
    fn run(&self, id: &str) -> Result<Run> {
        self.read(|db| db.run(id))
    }
    fn update_run(&self, id: &str, change: &RunChange) -> Result<()> {
        self.write(|db| db.update_run(id, change))
    }
    fn delete_run(&self, id: &str) -> Result<()> {
        self.write(|db| db.delete_run(id))
    }
    fn restore_run(&self, id: &str) -> Result<()> {
        self.write(|db| db.restore_run(id))
    }
    fn log_batch(
        &self,
        id: &str,
        metrics: &[Metric],
        params: &[Param],
        tags: &[Tag],
    ) -> Result<()> {
        self.write(|db| db.log_batch(id, metrics, params, tags))
    }
    fn delete_tag(&self, id: &str, key: &str) -> Result<()> {
        self.write(|db| db.delete_tag(id, key))
    }
    fn metric_history(&self, id: &str, key: &str) -> Result<Vec<Metric>> {
        self.read(|db| db.metric_history(id, key))
    }
    fn search_runs(&self, search: &Search) -> Result<Page<Run>> {
        self.read(|db| db.search_runs(search))
    }
    fn log_outputs(&self, id: &str, models: &[ModelOutput]) -> Result<()> {
        self.write(|db| db.log_outputs(id, models))
    }

    fn create_logged_model(&self, model: &NewModel) -> Result<LoggedModel> {
        self.write(|db| db.create_logged_model(model))
    }
    fn logged_model(&self, id: &str) -> Result<LoggedModel> {
        self.read(|db| db.logged_model(id))
    }
    fn finalize_logged_model(&self, id: &str, status: ModelStatus) -> Result<LoggedModel> {
        self.write(|db| db.finalize_logged_model(id, status))
    }
    fn delete_logged_model(&self, id: &str) -> Result<()> {
        self.write(|db| db.delete_logged_model(id))
    }
    fn set_logged_model_tags(&self, id: &str, tags: &[Tag]) -> Result<()> {
        self.write(|db| db.set_logged_model_tags(id, tags))
    }
    fn delete_logged_model_tag(&self, id: &str, key: &str) -> Result<()> {
        self.write(|db| db.delete_logged_model_tag(id, key))
    }
    fn log_logged_model_params(&self, id: &str, params: &[Param]) -> Result<()> {
        self.write(|db| db.log_logged_model_params(id, params))
    }
    fn search_logged_models(&self, search: &Search) -> Result<Page<LoggedModel>> {
        self.read(|db| db.search_logged_models(search))
    }

    fn create_registered_model(
        &self,
        name: &str,
        tags: &[Tag],
        description: Option<&str>,
    ) -> Result<RegisteredModel> {
        self.write(|db| db.create_registered_model(name, tags, description))
    }
    fn registered_model(&self, name: &str) -> Result<RegisteredModel> {
        self.read(|db| db.registered_model(name))
    }
    fn rename_registered_model(&self, name: &str, new_name: &str) -> Result<RegisteredModel> {
        self.write(|db| db.rename_registered_model(name, new_name))
    }
    fn update_registered_model(
        &self,
        name: &str,
        description: Option<&str>,
    ) -> Result<RegisteredModel> {
        self.write(|db| db.update_registered_model(name, description))
    }
    fn delete_registered_model(&self, name: &str) -> Result<()> {
        self.write(|db| db.delete_registered_model(name))
    }
    fn search_registered_models(&self, search: &Search) -> Result<Page<RegisteredModel>> {
        self.read(|db| db.search_registered_models(search))
    }
    fn set_registered_model_tag(&self, name: &str, tag: &Tag) -> Result<()> {
        self.write(|db| db.set_registered_model_tag(name, tag))
    }
    fn delete_registered_model_tag(&self, name: &str, key: &str) -> Result<()> {
        self.write(|db| db.delete_registered_model_tag(name, key))
    }
    fn set_alias(&self, name: &str, alias: &str, version: &str) -> Result<()> {
        self.write(|db| db.set_alias(name, alias, version))
    }
    fn delete_alias(&self, name: &str, alias: &str) -> Result<()> {
        self.write(|db| db.delete_alias(name, alias))
    }
    fn version_by_alias(&self, name: &str, alias: &str) -> Result<ModelVersion> {
        self.read(|db| db.version_by_alias(name, alias))
    }
    fn latest_versions(&self, name: &str, stages: &[String]) -> Result<Vec<ModelVersion>> {
        self.read(|db| db.latest_versions(name, stages))
    }

    fn create_model_version(&self, version: &NewVersion) -> Result<ModelVersion> {
        self.write(|db| db.create_model_version(version))
    }
    fn model_version(&self, name: &str, version: &str) -> Result<ModelVersion> {
        self.read(|db| db.model_version(name, version))
    }
    fn update_model_version(
        &self,
        name: &str,
        version: &str,
        description: Option<&str>,
    ) -> Result<ModelVersion> {
        self.write(|db| db.update_model_version(name, version, description))
    }
    fn set_stage(
        &self,
        name: &str,
        version: &str,
        stage: &str,
        archive: bool,
    ) -> Result<ModelVersion> {
        self.write(|db| db.set_stage(name, version, stage, archive))
    }
    fn delete_model_version(&self, name: &str, version: &str) -> Result<()> {
        self.write(|db| db.delete_model_version(name, version))
    }
    fn version_download_uri(&self, name: &str, version: &str) -> Result<String> {
        self.read(|db| db.version_download_uri(name, version))
    }
    fn search_model_versions(&self, search: &Search) -> Result<Page<ModelVersion>> {
        self.read(|db| db.search_model_versions(search))
    }
    fn set_version_tag(&self, name: &str, version: &str, tag: &Tag) -> Result<()> {
        self.write(|db| db.set_version_tag(name, version, tag))
    }
    fn delete_version_tag(&self, name: &str, version: &str, key: &str) -> Result<()> {
        self.write(|db| db.delete_version_tag(name, version, key))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::entities::RunStatus;

    fn metric(key: &str, value: f64, step: i64) -> Metric {
        Metric {
            key: key.to_owned(),
            value,
            timestamp: 1,
            step,
            model_id: None,
            dataset_name: None,
            dataset_digest: None,
            run_id: None,
        }
    }

    fn run() -> NewRun {
        NewRun {
            experiment_id: "0".to_owned(),
            user_id: "me".to_owned(),
            ..NewRun::default()
        }
    }

    #[test]
    fn connections_that_write_at_once_lose_nothing() {
        let there = tempfile::tempdir().unwrap();
        let database = there.path().join(DATABASE);
        std::thread::scope(|scope| {
            for number in 0..6_i32 {
                let database = &database;
                scope.spawn(move || {
                    // Each makes the store, or finds it half made by another.
                    let store = SqliteStore::open(database, true).unwrap();
                    for step in 0..20 {
                        let id = store.create_run(&run()).unwrap().info.run_id;
                        let rows = [
                            metric("a", f64::from(number), step),
                            metric("b", f64::NAN, step),
                        ];
                        store.log_batch(&id, &rows, &[], &[]).unwrap();
                    }
                });
            }
        });
        let store = SqliteStore::open(&database, false).unwrap();
        let search = Search {
            experiment_ids: vec!["0".to_owned()],
            ..Search::default()
        };
        let runs = store.search_runs(&search).unwrap().items;
        assert_eq!(runs.len(), 120);
        assert!(runs.iter().all(|run| run.data.metrics.len() == 2));
    }

    #[test]
    fn a_batch_that_breaks_a_rule_leaves_nothing() {
        let there = tempfile::tempdir().unwrap();
        let store = SqliteStore::open(&there.path().join(DATABASE), true).unwrap();
        let id = store.create_run(&run()).unwrap().info.run_id;
        store
            .log_batch(&id, &[], &[Param::new("depth", "3")], &[])
            .unwrap();
        let error = store
            .log_batch(
                &id,
                &[metric("a", 1.0, 0)],
                &[Param::new("depth", "4")],
                &[],
            )
            .unwrap_err();
        assert_eq!(error.code(), "INVALID_PARAMETER_VALUE");
        assert!(store.run(&id).unwrap().data.metrics.is_empty());
    }

    #[test]
    fn the_latest_value_is_that_of_the_greatest_step() {
        let there = tempfile::tempdir().unwrap();
        let store = SqliteStore::open(&there.path().join(DATABASE), true).unwrap();
        let id = store.create_run(&run()).unwrap().info.run_id;
        for (value, step) in [(1.0, 5), (f64::NAN, 7), (3.0, 6), (f64::INFINITY, 2)] {
            store
                .log_batch(&id, &[metric("a", value, step)], &[], &[])
                .unwrap();
        }
        let found = store.run(&id).unwrap();
        let [latest] = found.data.metrics.as_slice() else {
            panic!("one metric");
        };
        assert!(latest.value.is_nan() && latest.step == 7);
        assert_eq!(store.metric_history(&id, "a").unwrap().len(), 4);
        assert_eq!(found.info.status, RunStatus::Running);
    }

    #[test]
    fn a_newer_store_and_a_foreign_database_are_refused() {
        let there = tempfile::tempdir().unwrap();
        let newer = there.path().join("newer.db");
        drop(SqliteStore::open(&newer, true).unwrap());
        let base = Connection::open(&newer).unwrap();
        base.pragma_update(None, "user_version", 99).unwrap();
        drop(base);
        assert!(matches!(
            SqliteStore::open(&newer, true),
            Err(Error::Newer { found: 99, .. })
        ));
        let foreign = there.path().join("mlflow.db");
        let base = Connection::open(&foreign).unwrap();
        base.execute_batch("CREATE TABLE runs (a)").unwrap();
        drop(base);
        let error = SqliteStore::open(&foreign, true).unwrap_err().to_string();
        assert!(error.contains("mlflow server"), "{error}");
        assert!(SqliteStore::open(&there.path().join("none.db"), false).is_err());
        assert!(!there.path().join("none.db").exists());
    }
}
