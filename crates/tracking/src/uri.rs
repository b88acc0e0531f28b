//! What the URIs of models and artifacts mean, as in MLflow.

use std::path::{Path, PathBuf};

use percent_encoding::percent_decode_str;

use crate::entities::{ModelStatus, Page};
use crate::error::{Error, Result, redact};
use crate::names;
use crate::store::{Search, Store};

/// What is understood, for the error that lists it.
pub const KNOWN: &str = "a path, file:, runs:/, models:/, mlflow-artifacts:/, s3://, gs://, az://, abfss://, wasbs://, \
                         http://, https://";

/// A version of a registered model, as a URI asks for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Which {
    /// `models:/name/7`
    Version(String),
    /// `models:/name@champion`
    Alias(String),
    /// `models:/name/latest`
    Latest,
    /// `models:/name/Staging`
    Stage(String),
}

/// A URI, taken apart; `path` is what stands behind the thing, `""` where nothing does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Uri {
    /// A path or `file:`.
    Path(PathBuf),
    /// `runs:/<run id>/<path>`
    Run {
        /// The run.
        id: String,
        /// Where in its artifacts.
        path: String,
    },
    /// `models:/m-.../<path>`
    LoggedModel {
        /// The logged model.
        id: String,
        /// Where in its files.
        path: String,
    },
    /// `models:/<name>...`
    Registered {
        /// The registered model.
        name: String,
        /// Its version.
        which: Which,
        /// Where in its files.
        path: String,
    },
    /// `mlflow-artifacts:/<path>`, with the server where it names one.
    Proxied {
        /// `http://host:port`, where the URI names a host.
        server: Option<String>,
        /// Where on the server.
        path: String,
    },
    /// A bucket of S3, Google Cloud Storage or Azure.
    Object(String),
    /// A file of a web server.
    Http(String),
}

/// The scheme, where `text` starts with one, in small letters.
fn scheme(text: &str) -> Option<(String, &str)> {
    let (scheme, rest) = text.split_once(':')?;
    let mut letters = scheme.chars();
    let starts = letters.next().is_some_and(|c| c.is_ascii_alphabetic());
    let goes_on = letters.all(|c| c.is_ascii_alphanumeric() || matches!(c, '+' | '-' | '.'));
    (starts && goes_on).then(|| (scheme.to_ascii_lowercase(), rest))
}

fn decode(text: &str) -> Result<String> {
    percent_decode_str(text)
        .decode_utf8()
        .map(std::borrow::Cow::into_owned)
        .map_err(|_| {
            Error::invalid(format!(
                "invalid URI: {text:?} is not UTF-8 where its %XX are decoded"
            ))
        })
}

/// The path of a `file:` URI.
fn file(uri: &str, rest: &str) -> Result<PathBuf> {
    let path = match rest.strip_prefix("//") {
        None => rest,
        Some(rest) => {
            let (host, _) = rest.split_once('/').unwrap_or((rest, ""));
            if !matches!(host, "" | "localhost" | ".") {
                return Err(Error::invalid(format!(
                    "{uri}: the file is on another machine, {host}"
                )));
            }
            rest.get(host.len()..).unwrap_or_default()
        }
    };
    let path = decode(path)?;
    if path.is_empty() || path.contains('\0') {
        return Err(Error::invalid(format!("{uri}: no path")));
    }
    Ok(PathBuf::from(path))
}

impl Uri {
    /// Takes a URI or a path apart. Reads nothing.
    pub fn parse(uri: &str) -> Result<Self> {
        if uri.is_empty() || uri.contains('\0') {
            return Err(Error::invalid(format!(
                "invalid URI {uri:?}: it is empty or holds a NUL"
            )));
        }
        let Some((scheme, rest)) = scheme(uri) else {
            return Ok(Self::Path(PathBuf::from(uri)));
        };
        match scheme.as_str() {
            "file" => file(uri, rest).map(Self::Path),
            "runs" => Self::run(uri, rest),
            "models" => Self::model(uri, rest),
            "mlflow-artifacts" => Self::proxied(rest),
            "s3" | "s3a" | "gs" | "az" | "azure" | "abfs" | "abfss" | "wasb" | "wasbs" => {
                if rest
                    .strip_prefix("//")
                    .is_none_or(|rest| rest.is_empty() || rest.starts_with('/'))
                {
                    return Err(Error::invalid(format!("{}: no bucket", redact(uri))));
                }
                Ok(Self::Object(uri.to_owned()))
            }
            "http" | "https" => Ok(Self::Http(uri.to_owned())),
            _ => {
                // A file may have such a name.
                if !rest.starts_with("//") && Path::new(uri).exists() {
                    return Ok(Self::Path(PathBuf::from(uri)));
                }
                Err(Error::UnknownScheme {
                    uri: redact(uri),
                    known: KNOWN,
                })
            }
        }
    }

    fn run(uri: &str, rest: &str) -> Result<Self> {
        let broken = || Error::invalid(format!("invalid URI {uri:?}: it is runs:/<run id>/<path>"));
        let rest = rest.strip_prefix('/').ok_or_else(broken)?;
        let (id, path) = rest.split_once('/').unwrap_or((rest, ""));
        if id.is_empty() {
            return Err(broken());
        }
        names::check_run_id(id)?;
        Ok(Self::Run {
            id: id.to_owned(),
            path: inside(path)?,
        })
    }

    fn model(uri: &str, rest: &str) -> Result<Self> {
        let broken = || {
            Error::invalid(format!(
                "invalid URI {uri:?}: it is models:/<name>/<version>, models:/<name>@<alias>, models:/<name>/latest or \
                 models:/<model id>"
            ))
        };
        let rest = rest.strip_prefix('/').ok_or_else(broken)?;
        let (first, path) = rest.split_once('/').unwrap_or((rest, ""));
        let is_id = first.len() == 34
            && first
                .strip_prefix("m-")
                .is_some_and(|digits| digits.chars().all(|c| c.is_ascii_hexdigit()));
        if is_id {
            return Ok(Self::LoggedModel {
                id: first.to_owned(),
                path: inside(path)?,
            });
        }
        if let Some((name, alias)) = first.rsplit_once('@') {
            names::check_model_name(&decode(name)?)?;
            if alias.is_empty() {
                return Err(broken());
            }
            return Ok(Self::Registered {
                name: decode(name)?,
                which: Which::Alias(alias.to_owned()),
                path: inside(path)?,
            });
        }
        let (version, path) = path.split_once('/').unwrap_or((path, ""));
        let name = decode(first)?;
        if version.is_empty() {
            return Err(broken());
        }
        names::check_model_name(&name)?;
        let which = if version.chars().all(|c| c.is_ascii_digit()) {
            Which::Version(version.to_owned())
        } else if version.eq_ignore_ascii_case("latest") {
            Which::Latest
        } else {
            names::check_model_name(version)?;
            Which::Stage(version.to_owned())
        };
        Ok(Self::Registered {
            name,
            which,
            path: inside(path)?,
        })
    }

    fn proxied(rest: &str) -> Result<Self> {
        let (server, path) = match rest.strip_prefix("//") {
            Some(rest) if !rest.starts_with('/') => {
                let (host, path) = rest.split_once('/').unwrap_or((rest, ""));
                let host = (!host.is_empty()).then(|| format!("http://{host}"));
                (host, path)
            }
            _ => (None, rest.trim_start_matches('/')),
        };
        Ok(Self::Proxied {
            server,
            path: inside(path)?,
        })
    }
}

/// A path inside something, checked.
fn inside(path: &str) -> Result<String> {
    let path = path.trim_end_matches('/');
    names::check_artifact_path(path)?;
    // What is decoded later must not lead elsewhere either.
    names::check_artifact_path(&decode(path)?)?;
    Ok(path.to_owned())
}

/// Two parts of a URI or a path.
pub(crate) fn join(root: &str, path: &str) -> String {
    if path.is_empty() {
        root.to_owned()
    } else if root.starts_with("file:") || root.starts_with("http") {
        // What is decoded there must be encoded here.
        let parts: Vec<String> = path
            .split('/')
            .map(|part| {
                percent_encoding::utf8_percent_encode(part, percent_encoding::NON_ALPHANUMERIC)
                    .to_string()
            })
            .collect();
        format!("{}/{}", root.trim_end_matches('/'), parts.join("/"))
    } else {
        format!("{}/{path}", root.trim_end_matches('/'))
    }
}

/// Follows `runs:/` and `models:/` to where the files are: a path, an object store, a server or a web page.
///
/// Refuses a logged model that is not ready.
pub fn resolve(uri: &str, tracking: &dyn Store, registry: &dyn Store) -> Result<Uri> {
    let mut uri = Uri::parse(uri)?;
    for _ in 0..8 {
        let next = match &uri {
            Uri::Run { id, path } => of_run(tracking, id, path)?,
            Uri::LoggedModel { id, path } => {
                let model = tracking.logged_model(id)?;
                if !matches!(
                    model.info.status,
                    ModelStatus::Ready | ModelStatus::Unspecified
                ) {
                    return Err(Error::state(format!(
                        "logged model {id} is {}, not READY: it was not written to its end",
                        model.info.status.as_str()
                    )));
                }
                join(&model.info.artifact_uri, path)
            }
            Uri::Registered { name, which, path } => {
                let version = version(registry, name, which)?;
                join(&registry.version_download_uri(name, &version)?, path)
            }
            _ => return Ok(uri),
        };
        uri = Uri::parse(&next)?;
    }
    Err(Error::invalid(
        "the URI leads to another one, and so on without end".to_owned(),
    ))
}

/// The number of a version that a URI asks for.
pub fn version(registry: &dyn Store, name: &str, which: &Which) -> Result<String> {
    let newest = |stages: &[String], what: &'static str, asked: &str| {
        registry
            .latest_versions(name, stages)?
            .into_iter()
            .filter_map(|version| version.version.parse::<u64>().ok())
            .max()
            .map(|number| number.to_string())
            .ok_or_else(|| Error::NotFound {
                what,
                name: asked.to_owned(),
                hint: format!(" of registered model {name:?}"),
            })
    };
    match which {
        Which::Version(version) => Ok(registry.model_version(name, version)?.version),
        Which::Alias(alias) => Ok(registry.version_by_alias(name, alias)?.version),
        Which::Latest => newest(&[], "version", "latest"),
        Which::Stage(stage) => newest(std::slice::from_ref(stage), "version in stage", stage),
    }
}

/// Where `runs:/<id>/<path>` is: in the logged model of the run with this name, or in the run's artifacts.
fn of_run(store: &dyn Store, id: &str, path: &str) -> Result<String> {
    let run = store.run(id)?;
    let (name, rest) = path.split_once('/').unwrap_or((path, ""));
    if !run.outputs.model_outputs.is_empty() && names::check_logged_model_name(name).is_ok() {
        let search = Search {
            filter: format!("name = '{name}' AND source_run_id = '{id}'"),
            order_by: vec!["creation_timestamp DESC".to_owned()],
            max_results: Some(50),
            experiment_ids: vec![run.info.experiment_id.clone()],
            ..Search::default()
        };
        let Page { items, .. } = store.search_logged_models(&search)?;
        if let Some(model) = items
            .iter()
            .find(|model| model.info.status == ModelStatus::Ready)
        {
            return Ok(join(&model.info.artifact_uri, rest));
        }
    }
    Ok(join(&run.info.artifact_uri, path))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn uris_of_mlflow_are_taken_apart() {
        let model = "m-0123456789abcdef0123456789abcdef";
        for (text, expected) in [
            ("a/b", Uri::Path("a/b".into())),
            ("/a b", Uri::Path("/a b".into())),
            ("file:///a%20b", Uri::Path("/a b".into())),
            ("file:/a", Uri::Path("/a".into())),
            (
                "runs:/0a/model/MLmodel",
                Uri::Run {
                    id: "0a".into(),
                    path: "model/MLmodel".into(),
                },
            ),
            (
                "models:/m-0123456789abcdef0123456789abcdef",
                Uri::LoggedModel {
                    id: model.into(),
                    path: String::new(),
                },
            ),
            (
                "models:/iris tree/3",
                Uri::Registered {
                    name: "iris tree".into(),
                    which: Which::Version("3".into()),
                    path: String::new(),
                },
            ),
            (
                "models:/iris@champion",
                Uri::Registered {
                    name: "iris".into(),
                    which: Which::Alias("champion".into()),
                    path: String::new(),
                },
            ),
            (
                "models:/iris/Latest",
                Uri::Registered {
                    name: "iris".into(),
                    which: Which::Latest,
                    path: String::new(),
                },
            ),
            (
                "mlflow-artifacts:/0/1/artifacts",
                Uri::Proxied {
                    server: None,
                    path: "0/1/artifacts".into(),
                },
            ),
            (
                "mlflow-artifacts://host:5000/0",
                Uri::Proxied {
                    server: Some("http://host:5000".into()),
                    path: "0".into(),
                },
            ),
            ("s3://bucket/a", Uri::Object("s3://bucket/a".into())),
        ] {
            assert_eq!(Uri::parse(text).unwrap(), expected, "{text}");
        }
    }

    #[test]
    fn a_uri_that_leads_elsewhere_is_refused() {
        for text in [
            "",
            "a\0b",
            "runs:/",
            "runs://a/b",
            "runs:/a/../b",
            "runs:/a/%2e%2e/b",
            "runs:/a/b\\c",
            "runs:/../a",
            "models:/",
            "models:/a",
            "models:/a/b/../c",
            "models:/../1",
            "models:/a%2fb/1",
            "models:/a@",
            "mlflow-artifacts:/../a",
            "mlflow-artifacts:/%2e%2e/a",
            "s3:///a",
            "s3:a",
            "file://elsewhere/a",
        ] {
            assert!(Uri::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn an_unknown_scheme_is_told_what_there_is() {
        let error = Uri::parse("ftp://me:secret@host/a")
            .unwrap_err()
            .to_string();
        assert!(
            error.contains("s3://") && error.contains("ftp://host/a"),
            "{error}"
        );
        assert!(!error.contains("secret"), "{error}");
    }
}
