//! Runs, logged models, a model registry, and their files.
//!
//! [`open`] gives a [`Store`]: an embedded one ([`sqlite`]) or a tracking server ([`rest`]). Files go through
//! [`artifacts::Place`]; [`uri`] says what the URIs of MLflow mean.

#![forbid(unsafe_code)]

pub mod artifacts;
pub mod entities;
mod error;
pub mod interrupt;
pub mod names;
pub mod progress;
pub mod push;
pub mod rest;
mod search;
pub mod sqlite;
pub mod store;
pub mod uri;

use std::path::{Path, PathBuf};

pub use error::{Error, Result, redact};
pub use store::Store;

/// What a tracking URI may be, for the error that lists it.
const TRACKING: &str = "a folder, file:, sqlite:///<path>, http://, https://";

/// The tracking URI that the variables name: `MLFLOW_TRACKING_URI`, or the folder of `NOPICKLE_HOME`, or the working
/// folder.
pub fn default_uri() -> String {
    let text = |name: &str| std::env::var(name).ok().filter(|text| !text.is_empty());
    text("MLFLOW_TRACKING_URI")
        .or_else(|| text("NOPICKLE_HOME"))
        .unwrap_or_else(|| ".".to_owned())
}

/// The store at a tracking URI: `http(s)://` is a server, `sqlite:///` a database, a folder or `file:` one with
/// `nopickle.db` in it.
///
/// Nothing is asked of a server yet. An embedded store is made where there is none, if `create`.
pub fn open(tracking_uri: &str, create: bool) -> Result<Box<dyn Store>> {
    let lower = tracking_uri.to_ascii_lowercase();
    if lower.starts_with("http://") || lower.starts_with("https://") {
        let options = rest::Options::from_environment()?;
        return Ok(Box::new(rest::RestStore::new(tracking_uri, options)?));
    }
    let database = database(tracking_uri)?;
    Ok(Box::new(sqlite::SqliteStore::open(&database, create)?))
}

/// The database of an embedded store.
fn database(tracking_uri: &str) -> Result<PathBuf> {
    if let Some(rest) = tracking_uri.strip_prefix("sqlite:") {
        // As in SQLAlchemy: three slashes and a path, which starts with a fourth one if it is absolute.
        let path = rest
            .strip_prefix("///")
            .filter(|path| !path.is_empty() && !path.contains('\0'))
            .ok_or_else(|| {
                Error::invalid(format!(
                    "invalid tracking URI {tracking_uri:?}: it is sqlite:///<path>"
                ))
            })?;
        return Ok(PathBuf::from(path));
    }
    match uri::Uri::parse(tracking_uri) {
        Ok(uri::Uri::Path(folder)) => {
            if folder.is_file() {
                return Err(Error::invalid(format!(
                    "invalid tracking URI {tracking_uri:?}: it is a file; for a database, write sqlite:///{}",
                    Path::new(tracking_uri).display()
                )));
            }
            Ok(folder.join(sqlite::DATABASE))
        }
        Ok(_) | Err(Error::UnknownScheme { .. }) => Err(Error::UnknownScheme {
            uri: redact(tracking_uri),
            known: TRACKING,
        }),
        Err(error) => Err(error),
    }
}
