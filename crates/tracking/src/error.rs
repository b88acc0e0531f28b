//! Why the store, the server or the files of artifacts could not do what was asked.

use std::path::{Path, PathBuf};

/// A result of this crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why something could not be done. One variant per answer to "who has to act?"; no message holds a secret.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// There is no such thing: look at what there is.
    #[error("no {what} {name:?}{hint}")]
    NotFound {
        /// The kind of thing, such as `run`.
        what: &'static str,
        /// What was asked for.
        name: String,
        /// What to do next, with its own punctuation; may be empty.
        hint: String,
    },
    /// The name is taken: choose another.
    #[error("{what} {name:?} already exists{hint}")]
    AlreadyExists {
        /// The kind of thing.
        what: &'static str,
        /// Its name.
        name: String,
        /// What to do next, with its own punctuation; may be empty.
        hint: String,
    },
    /// A name, an id or another argument breaks a rule: change the argument.
    #[error("{0}")]
    Invalid(String),
    /// The thing is there, and is not in a state that allows this.
    #[error("{0}")]
    State(String),
    /// A URI whose scheme nothing here reads.
    #[error("unknown scheme in {uri:?}; there are: {known}")]
    UnknownScheme {
        /// The URI, without user and password.
        uri: String,
        /// What would be understood.
        known: &'static str,
    },
    /// The server does not know who asks (401): set the variables.
    #[error(
        "{url}: the server asks for a login (401): set MLFLOW_TRACKING_TOKEN, or MLFLOW_TRACKING_USERNAME and \
         MLFLOW_TRACKING_PASSWORD{message}"
    )]
    Unauthorized {
        /// What was asked, without user and password.
        url: String,
        /// The server's words.
        message: String,
    },
    /// The server knows who asks, and refuses (403).
    #[error("{url}: the server refuses this for the user that is logged in (403){message}")]
    Forbidden {
        /// What was asked, without user and password.
        url: String,
        /// The server's words.
        message: String,
    },
    /// The server asks for patience (429), after all retries.
    #[error("{url}: too many requests (429), after {attempts} attempts: try again later{message}")]
    RateLimited {
        /// What was asked, without user and password.
        url: String,
        /// How often it was asked.
        attempts: u32,
        /// The server's words.
        message: String,
    },
    /// The server failed, or answered what no MLflow server answers.
    #[error("{url}: the server answered {status}{message}")]
    Server {
        /// What was asked, without user and password.
        url: String,
        /// The HTTP status.
        status: u16,
        /// `error_code` of the answer, where it has one.
        code: Option<String>,
        /// The server's words.
        message: String,
    },
    /// No connection, or it broke: is the server there?
    #[error("{url}: can't be reached after {attempts} attempts: {reason}")]
    Unreachable {
        /// What was asked, without user and password.
        url: String,
        /// How often it was asked.
        attempts: u32,
        /// The reason in words.
        reason: String,
    },
    /// The storage of artifacts (S3, Google Cloud, Azure) refused or failed.
    #[error("{uri}: {reason}")]
    Storage {
        /// Which object or folder.
        uri: String,
        /// The reason in words.
        reason: String,
    },
    /// SQLite refused or failed.
    #[error("{path}: {source}")]
    Database {
        /// The database.
        path: PathBuf,
        /// SQLite's error.
        source: rusqlite::Error,
    },
    /// The store was written by a newer nopickle: update.
    #[error(
        "{path}: the store has version {found}, and this nopickle knows versions up to {known}: update nopickle"
    )]
    Newer {
        /// The database.
        path: PathBuf,
        /// Its version.
        found: i64,
        /// The newest version that is known.
        known: i64,
    },
    /// The disk is full: make room.
    #[error("{path}: no space is left on the device")]
    NoSpace {
        /// What was written.
        path: PathBuf,
    },
    /// The folder or the file can't be written by this user.
    #[error("{path}: can't be written: {reason}")]
    ReadOnly {
        /// What was to be written.
        path: PathBuf,
        /// The system's words.
        reason: String,
    },
    /// The operating system refused something else.
    #[error("{path}: {source}")]
    Io {
        /// Which file or folder.
        path: PathBuf,
        /// The system's error.
        source: std::io::Error,
    },
}

impl Error {
    pub(crate) fn not_found(what: &'static str, name: impl Into<String>) -> Self {
        Self::NotFound {
            what,
            name: name.into(),
            hint: String::new(),
        }
    }

    pub(crate) fn exists(what: &'static str, name: impl Into<String>) -> Self {
        Self::AlreadyExists {
            what,
            name: name.into(),
            hint: String::new(),
        }
    }

    pub(crate) fn invalid(what: impl Into<String>) -> Self {
        Self::Invalid(what.into())
    }

    pub(crate) fn state(what: impl Into<String>) -> Self {
        Self::State(what.into())
    }

    /// An error of the file system, sorted by who has to act.
    pub fn io(path: &Path, source: std::io::Error) -> Self {
        let path = path.to_owned();
        match source.kind() {
            std::io::ErrorKind::StorageFull
            | std::io::ErrorKind::QuotaExceeded
            | std::io::ErrorKind::FileTooLarge => Self::NoSpace { path },
            std::io::ErrorKind::PermissionDenied | std::io::ErrorKind::ReadOnlyFilesystem => {
                Self::ReadOnly {
                    path,
                    reason: source.to_string(),
                }
            }
            _ => Self::Io { path, source },
        }
    }

    /// An error of SQLite, sorted by who has to act.
    pub(crate) fn database(path: &Path, source: rusqlite::Error) -> Self {
        use rusqlite::ErrorCode;
        let path = path.to_owned();
        match source.sqlite_error_code() {
            Some(ErrorCode::DiskFull) => Self::NoSpace { path },
            Some(ErrorCode::ReadOnly | ErrorCode::PermissionDenied) => Self::ReadOnly {
                path,
                reason: source.to_string(),
            },
            Some(ErrorCode::CannotOpen) => match unwritable(&path) {
                Some(reason) => Self::ReadOnly { path, reason },
                None => Self::Database { path, source },
            },
            _ => Self::Database { path, source },
        }
    }

    /// The kind of error in MLflow's words (`mlflow.exceptions`, `error_code`).
    pub fn code(&self) -> &str {
        match self {
            Self::NotFound { .. } => "RESOURCE_DOES_NOT_EXIST",
            Self::AlreadyExists { .. } => "RESOURCE_ALREADY_EXISTS",
            Self::Invalid(_) | Self::UnknownScheme { .. } | Self::State(_) => {
                "INVALID_PARAMETER_VALUE"
            }
            Self::Unauthorized { .. } => "UNAUTHENTICATED",
            Self::Forbidden { .. } => "PERMISSION_DENIED",
            Self::RateLimited { .. } => "REQUEST_LIMIT_EXCEEDED",
            Self::Server { code, .. } => code.as_deref().unwrap_or("INTERNAL_ERROR"),
            Self::Unreachable { .. } => "TEMPORARILY_UNAVAILABLE",
            Self::Storage { .. }
            | Self::Database { .. }
            | Self::Newer { .. }
            | Self::NoSpace { .. }
            | Self::ReadOnly { .. }
            | Self::Io { .. } => "INTERNAL_ERROR",
        }
    }
}

/// Why no file can be made beside `path`, if that is so.
fn unwritable(path: &Path) -> Option<String> {
    let folder = path.parent()?;
    let folder = if folder.as_os_str().is_empty() {
        Path::new(".")
    } else {
        folder
    };
    tempfile::Builder::new()
        .prefix(".nopickle-")
        .tempfile_in(folder)
        .err()
        .map(|error| error.to_string())
}

/// `url` without the user and the password that may stand in it, and without its query.
pub fn redact(url: &str) -> String {
    let Some((scheme, rest)) = url.split_once("://") else {
        return url.to_owned();
    };
    let rest = rest.split(['?', '#']).next().unwrap_or(rest);
    let end = rest.find('/').unwrap_or(rest.len());
    let (authority, path) = rest.split_at(end);
    let host = authority
        .rsplit_once('@')
        .map_or(authority, |(_, host)| host);
    format!("{scheme}://{host}{path}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_does_not_reach_a_message() {
        assert_eq!(
            redact("https://me:secret@host:5000/a/b?token=x"),
            "https://host:5000/a/b"
        );
        assert_eq!(redact("http://a@b:p@host"), "http://host");
        assert_eq!(redact("runs:/1/model"), "runs:/1/model");
    }
}
