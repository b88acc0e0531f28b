//! The files of runs and models: on this machine, in an object store (S3, Google Cloud Storage, Azure), on a tracking
//! server, or on a web server.
//!
//! A file appears under its name when all of it is there: a local one is written under another name and renamed, an
//! object store and a server do the same on their side.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use futures_util::StreamExt as _;
use object_store::path::Path as Key;
use object_store::{ClientOptions, ObjectStore, ObjectStoreExt as _};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use url::Url;

use crate::entities::FileInfo;
use crate::error::{Error, Result, redact};
use crate::interrupt;
use crate::names;
use crate::progress::Progress;
use crate::rest::{Options, Server, runtime};
use crate::store::Store;
use crate::uri::{Uri, join};

/// The size of one part of an upload in parts; S3 takes up to 10 000 of them.
const PART: usize = 16 << 20;

/// Where artifacts are, ready to be read and written.
pub enum Place<'s> {
    /// A folder or a file on this machine.
    Local(PathBuf),
    /// On a tracking server.
    Proxied(Proxy<'s>, String),
    /// In a bucket.
    Bucket(Bucket),
    /// A file of a web server; it can only be read.
    Web(Url),
}

/// The server of proxied artifacts.
pub enum Proxy<'s> {
    /// That of the store.
    Store(&'s Server),
    /// Another one, which the URI names.
    Named(Box<Server>),
}

impl std::ops::Deref for Proxy<'_> {
    type Target = Server;

    fn deref(&self) -> &Server {
        match self {
            Self::Store(server) => server,
            Self::Named(server) => server,
        }
    }
}

/// A prefix in a bucket.
pub struct Bucket {
    store: Arc<dyn ObjectStore>,
    prefix: Key,
    /// The bucket as a URI, for errors.
    uri: String,
}

impl<'s> Place<'s> {
    /// Where `uri` leads, which is none of `runs:/` and `models:/` (see [`crate::uri::resolve`]).
    pub fn open(uri: &Uri, store: &'s dyn Store) -> Result<Self> {
        match uri {
            Uri::Path(path) => Ok(Self::Local(
                std::path::absolute(path).map_err(|error| Error::io(path, error))?,
            )),
            Uri::Proxied {
                server: Some(server),
                path,
            } => {
                let own = store.server().filter(|own| own.url() == *server);
                let proxy = match own {
                    Some(own) => Proxy::Store(own),
                    None => {
                        Proxy::Named(Box::new(Server::new(server, Options::from_environment()?)?))
                    }
                };
                Ok(Self::Proxied(proxy, path.clone()))
            }
            Uri::Proxied { server: None, path } => match store.server() {
                Some(server) => Ok(Self::Proxied(Proxy::Store(server), path.clone())),
                None => Err(Error::invalid(format!(
                    "mlflow-artifacts:/{path}: the tracking URI is no server: set it to the server that has them"
                ))),
            },
            Uri::Object(uri) => Bucket::open(uri).map(Self::Bucket),
            Uri::Http(url) => Url::parse(url)
                .map(Self::Web)
                .map_err(|error| Error::invalid(format!("{}: {error}", redact(url)))),
            Uri::Run { .. } | Uri::LoggedModel { .. } | Uri::Registered { .. } => {
                Err(Error::invalid("a URI that leads to another one"))
            }
        }
    }

    /// The same place, and `path` in it.
    pub fn at(self, path: &str) -> Result<Self> {
        names::check_artifact_path(path)?;
        if path.is_empty() {
            return Ok(self);
        }
        Ok(match self {
            Self::Local(root) => Self::Local(root.join(path)),
            Self::Proxied(server, root) if root.is_empty() => {
                Self::Proxied(server, path.to_owned())
            }
            Self::Proxied(server, root) => Self::Proxied(server, join(&root, path)),
            Self::Bucket(bucket) => Self::Bucket(Bucket {
                prefix: bucket.key(path)?,
                ..bucket
            }),
            Self::Web(mut url) => {
                if let Ok(mut parts) = url.path_segments_mut() {
                    parts.pop_if_empty().extend(path.split('/'));
                }
                Self::Web(url)
            }
        })
    }

    /// In words, for errors.
    pub fn name(&self) -> String {
        match self {
            Self::Local(path) => path.display().to_string(),
            Self::Proxied(server, path) => format!("{}: mlflow-artifacts:/{path}", server.url()),
            Self::Bucket(bucket) => bucket.at(&bucket.prefix),
            Self::Web(url) => redact(url.as_str()),
        }
    }

    /// The files and folders right in this folder, sorted, with paths from it; nothing where it is not there.
    pub fn list(&self) -> Result<Vec<FileInfo>> {
        let mut found = match self {
            Self::Local(path) => list_local(path)?,
            Self::Proxied(server, path) => server.list_artifacts(path)?,
            Self::Bucket(bucket) => bucket.list()?,
            Self::Web(url) => {
                return Err(Error::invalid(format!(
                    "{}: a web server does not list its files",
                    redact(url.as_str())
                )));
            }
        };
        found.sort();
        Ok(found)
    }

    /// Every file below this folder, with paths from it; where this is a file, one with the path `""`.
    pub fn walk(&self) -> Result<Vec<FileInfo>> {
        match self {
            Self::Local(root) => walk_local(root),
            Self::Bucket(bucket) => bucket.walk(),
            Self::Web(_) => Ok(vec![file_itself(None)]),
            Self::Proxied(server, root) => {
                let mut files = Vec::new();
                let mut folders = vec![String::new()];
                let mut seen = 0_usize;
                while let Some(folder) = folders.pop() {
                    seen += 1;
                    if seen > 100_000 {
                        return Err(Error::invalid(format!(
                            "{}: more than 100000 folders",
                            self.name()
                        )));
                    }
                    let at = if root.is_empty() {
                        folder.clone()
                    } else {
                        join(root, &folder)
                    };
                    for file in server.list_artifacts(&at)? {
                        let path = if folder.is_empty() {
                            file.path
                        } else {
                            join(&folder, &file.path)
                        };
                        if file.is_dir {
                            folders.push(path);
                        } else {
                            files.push(FileInfo { path, ..file });
                        }
                    }
                }
                if files.is_empty() && !root.is_empty() && self.is_listed()? {
                    files.push(file_itself(None));
                }
                files.sort();
                Ok(files)
            }
        }
    }

    /// Whether the folder above a proxied path lists it as a file.
    fn is_listed(&self) -> Result<bool> {
        let Self::Proxied(server, path) = self else {
            return Ok(false);
        };
        let (folder, name) = path.rsplit_once('/').unwrap_or(("", path));
        Ok(server
            .list_artifacts(folder)?
            .iter()
            .any(|file| !file.is_dir && (file.path == name || file.path == *path)))
    }

    /// Writes a file, or what is in a folder, to this place; `local` keeps its name if `named`.
    ///
    /// Links in a folder are not followed: one that leads out of it is refused.
    pub fn upload(&self, local: &Path, progress: &dyn Progress) -> Result<()> {
        let files = walk_local(local)?;
        if files.is_empty() && !local.is_dir() {
            return Err(Error::not_found(
                "file or folder",
                local.display().to_string(),
            ));
        }
        progress.start(Some(files.iter().filter_map(|file| file.file_size).sum()));
        let answer = self.upload_all(local, files, progress);
        progress.finish();
        answer
    }

    fn upload_all(
        &self,
        local: &Path,
        mut files: Vec<FileInfo>,
        progress: &dyn Progress,
    ) -> Result<()> {
        // A folder of a model counts as whole once it has its MLmodel: that goes last.
        files.sort_by_key(|file| (file.path == "MLmodel", file.path.clone()));
        match self {
            Self::Local(root) => {
                if files.is_empty() {
                    make_folder(root)?;
                }
                for file in &files {
                    let from = if file.path.is_empty() {
                        local.to_owned()
                    } else {
                        local.join(&file.path)
                    };
                    let to = if file.path.is_empty() {
                        root.clone()
                    } else {
                        root.join(&file.path)
                    };
                    copy(&from, &to, progress)?;
                }
                Ok(())
            }
            Self::Proxied(server, root) => {
                for file in &files {
                    let from = if file.path.is_empty() {
                        local.to_owned()
                    } else {
                        local.join(&file.path)
                    };
                    let to = if root.is_empty() {
                        file.path.clone()
                    } else {
                        join(root, &file.path)
                    };
                    server.put_artifact(&to, &from, progress)?;
                }
                Ok(())
            }
            Self::Bucket(bucket) => bucket.upload(local, &files, progress),
            Self::Web(url) => Err(Error::invalid(format!(
                "{}: files can't be written to a web server",
                redact(url.as_str())
            ))),
        }
    }

    /// Writes this file or folder to `destination`, under its own name only when all of it is there.
    ///
    /// Where `destination` is a folder that exists, its files are written into it one by one.
    pub fn download(&self, destination: &Path, progress: &dyn Progress) -> Result<()> {
        let files = self.walk()?;
        if files.is_empty() && !matches!(self, Self::Local(path) if path.is_dir()) {
            return Err(Error::NotFound {
                what: "artifact",
                name: self.name(),
                hint: ": the folder is empty or not there".to_owned(),
            });
        }
        let total: Option<u64> = files.iter().map(|file| file.file_size).sum();
        progress.start(total);
        let answer = self.download_all(&files, destination, progress);
        progress.finish();
        answer
    }

    fn download_all(
        &self,
        files: &[FileInfo],
        destination: &Path,
        progress: &dyn Progress,
    ) -> Result<()> {
        let parent = parent(destination);
        make_folder(&parent)?;
        if let [file] = files
            && file.path.is_empty()
        {
            return through_temporary(destination, |to| self.read_into(file, to, progress));
        }
        if destination.is_dir() {
            for file in files {
                let to = destination.join(&file.path);
                make_folder(&self::parent(&to))?;
                through_temporary(&to, |to| self.read_into(file, to, progress))?;
            }
            return Ok(());
        }
        let staged = tempfile::Builder::new()
            .prefix(".nopickle-")
            .tempdir_in(&parent)
            .map_err(|error| Error::io(&parent, error))?;
        let folder = staged.path().join("files");
        make_folder(&folder)?;
        for file in files {
            let to = folder.join(&file.path);
            make_folder(&self::parent(&to))?;
            self.read_into(file, &to, progress)?;
        }
        fs::rename(&folder, destination).map_err(|error| Error::io(destination, error))
    }

    /// Writes one of the files of [`Place::walk`] to `to`.
    fn read_into(&self, file: &FileInfo, to: &Path, progress: &dyn Progress) -> Result<()> {
        names::check_artifact_path(&file.path)?;
        match self {
            Self::Local(root) => {
                let from = if file.path.is_empty() {
                    root.clone()
                } else {
                    root.join(&file.path)
                };
                copy_bytes(&from, to, progress)
            }
            Self::Proxied(server, root) => {
                let from = if root.is_empty() {
                    file.path.clone()
                } else {
                    join(root, &file.path)
                };
                server.get_artifact(&from, to, progress)
            }
            Self::Bucket(bucket) => bucket.download(&file.path, to, progress),
            Self::Web(url) => {
                let address = url.origin().ascii_serialization();
                let options = Options {
                    token: None,
                    login: None,
                    ..Options::from_environment()?
                };
                Server::new(&address, options)?.download(url, false, to, progress)
            }
        }
    }
}

fn file_itself(file_size: Option<u64>) -> FileInfo {
    FileInfo {
        path: String::new(),
        is_dir: false,
        file_size,
    }
}

fn parent(path: &Path) -> PathBuf {
    path.parent()
        .filter(|parent| !parent.as_os_str().is_empty())
        .map_or_else(|| PathBuf::from("."), Path::to_owned)
}

fn make_folder(path: &Path) -> Result<()> {
    fs::create_dir_all(path).map_err(|error| Error::io(path, error))
}

fn list_local(folder: &Path) -> Result<Vec<FileInfo>> {
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error)
            if matches!(
                error.kind(),
                std::io::ErrorKind::NotFound | std::io::ErrorKind::NotADirectory
            ) =>
        {
            return Ok(Vec::new());
        }
        Err(error) => return Err(Error::io(folder, error)),
    };
    let mut found = Vec::new();
    for entry in entries {
        let entry = entry.map_err(|error| Error::io(folder, error))?;
        let path = entry.path();
        let about = fs::metadata(&path).map_err(|error| Error::io(&path, error))?;
        let name = entry.file_name();
        let Some(name) = name.to_str() else {
            return Err(Error::invalid(format!(
                "{}: its name is not UTF-8",
                path.display()
            )));
        };
        if name.starts_with(".nopickle-") {
            continue;
        }
        found.push(FileInfo {
            path: name.to_owned(),
            is_dir: about.is_dir(),
            file_size: about.is_file().then_some(about.len()),
        });
    }
    Ok(found)
}

/// Every file below a folder, or the file itself; a link that leads out of the folder is refused.
fn walk_local(root: &Path) -> Result<Vec<FileInfo>> {
    let about = match fs::metadata(root) {
        Ok(about) => about,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(Error::io(root, error)),
    };
    if about.is_file() {
        return Ok(vec![file_itself(Some(about.len()))]);
    }
    let whole = fs::canonicalize(root).map_err(|error| Error::io(root, error))?;
    let mut files = Vec::new();
    let mut folders = vec![(root.to_owned(), String::new())];
    while let Some((folder, name)) = folders.pop() {
        let entries = fs::read_dir(&folder).map_err(|error| Error::io(&folder, error))?;
        for entry in entries {
            let entry = entry.map_err(|error| Error::io(&folder, error))?;
            let path = entry.path();
            let own = entry.file_name();
            let Some(own) = own.to_str() else {
                return Err(Error::invalid(format!(
                    "{}: its name is not UTF-8",
                    path.display()
                )));
            };
            if own.starts_with(".nopickle-") {
                continue;
            }
            let below = if name.is_empty() {
                own.to_owned()
            } else {
                join(&name, own)
            };
            let kind = entry.file_type().map_err(|error| Error::io(&path, error))?;
            if kind.is_symlink() {
                let target = fs::canonicalize(&path).map_err(|error| Error::io(&path, error))?;
                if !target.starts_with(&whole) || !target.is_file() {
                    return Err(Error::invalid(format!(
                        "{}: a link to a folder, or out of {}",
                        path.display(),
                        root.display()
                    )));
                }
            }
            let about = fs::metadata(&path).map_err(|error| Error::io(&path, error))?;
            if about.is_dir() {
                folders.push((path, below));
            } else if about.is_file() {
                files.push(FileInfo {
                    path: below,
                    is_dir: false,
                    file_size: Some(about.len()),
                });
            } else {
                return Err(Error::invalid(format!(
                    "{}: neither a file nor a folder",
                    path.display()
                )));
            }
        }
    }
    files.sort();
    Ok(files)
}

/// Lets `write` make a file under another name beside `to`, then gives it its name.
fn through_temporary(to: &Path, write: impl FnOnce(&Path) -> Result<()>) -> Result<()> {
    let folder = parent(to);
    let staged = tempfile::Builder::new()
        .prefix(".nopickle-")
        .tempdir_in(&folder)
        .map_err(|error| Error::io(&folder, error))?;
    let file = staged.path().join("file");
    write(&file)?;
    fs::rename(&file, to).map_err(|error| Error::io(to, error))
}

/// Copies a file; it appears when all of it is there.
fn copy(from: &Path, to: &Path, progress: &dyn Progress) -> Result<()> {
    make_folder(&parent(to))?;
    if to.is_dir() {
        return Err(Error::invalid(format!(
            "{}: there is a folder of this name",
            to.display()
        )));
    }
    through_temporary(to, |to| copy_bytes(from, to, progress))
}

fn copy_bytes(from: &Path, to: &Path, progress: &dyn Progress) -> Result<()> {
    use std::io::Read as _;
    let source = fs::File::open(from).map_err(|error| Error::io(from, error))?;
    let mut target = fs::File::create(to).map_err(|error| Error::io(to, error))?;
    loop {
        // The system copies from file to file by itself.
        let step = 64 << 20;
        let bytes = std::io::copy(&mut (&source).take(step), &mut target)
            .map_err(|error| Error::io(to, error))?;
        progress.add(bytes);
        interrupt::check()?;
        if bytes < step {
            return Ok(());
        }
    }
}

/// Moves a folder to its place, which must be free; from another file system it is copied first.
pub fn publish(staged: &Path, to: &Path) -> Result<()> {
    let folder = parent(to);
    make_folder(&folder)?;
    if to.exists() {
        return Err(Error::exists("folder", to.display().to_string()));
    }
    match fs::rename(staged, to) {
        Err(error) if error.kind() == std::io::ErrorKind::CrossesDevices => {
            Place::Local(staged.to_owned()).download(to, &crate::progress::Silent)?;
            fs::remove_dir_all(staged).map_err(|error| Error::io(staged, error))
        }
        moved => moved.map_err(|error| Error::io(to, error)),
    }
}

/// The next part of a file; shorter than a part at its end.
async fn part(source: &mut tokio::fs::File, from: &Path) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    source
        .take(PART as u64)
        .read_to_end(&mut bytes)
        .await
        .map_err(|error| Error::io(from, error))?;
    Ok(bytes)
}

impl Bucket {
    fn open(uri: &str) -> Result<Self> {
        // Letter by letter, as MLflow takes it: a %20 is no space.
        let (scheme, rest) = uri.split_once("://").unwrap_or(("", uri));
        let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
        let (container, host) = match authority.split_once('@') {
            Some((container, host)) => (Some(container), host),
            None => (None, authority),
        };
        let path = path.trim_matches('/');
        names::check_artifact_path(path)?;
        let text = |name: &str| std::env::var(name).ok().filter(|text| !text.is_empty());
        let insecure = text("MLFLOW_S3_IGNORE_TLS")
            .is_some_and(|text| matches!(text.as_str(), "true" | "True" | "1"));
        let mut options = ClientOptions::new().with_timeout_disabled();
        if insecure {
            options = options.with_allow_invalid_certificates(true);
        }
        let failed =
            |error: object_store::Error| Error::invalid(format!("{}: {error}", redact(uri)));
        let _ = rustls::crypto::ring::default_provider().install_default();
        let store: Arc<dyn ObjectStore> = match scheme {
            "s3" | "s3a" => {
                let mut builder =
                    object_store::aws::AmazonS3Builder::from_env().with_bucket_name(host);
                if let Some(endpoint) = text("MLFLOW_S3_ENDPOINT_URL")
                    .or_else(|| text("AWS_ENDPOINT_URL_S3"))
                    .or_else(|| text("AWS_ENDPOINT_URL"))
                {
                    options = options.with_allow_http(endpoint.starts_with("http://"));
                    builder = builder.with_endpoint(endpoint);
                }
                Arc::new(
                    builder
                        .with_client_options(options)
                        .build()
                        .map_err(failed)?,
                )
            }
            "gs" => Arc::new(
                object_store::gcp::GoogleCloudStorageBuilder::from_env()
                    .with_bucket_name(host)
                    .with_client_options(options)
                    .build()
                    .map_err(failed)?,
            ),
            _ => {
                let mut builder = object_store::azure::MicrosoftAzureBuilder::from_env();
                // container@account.blob.core.windows.net, or the container alone.
                if let Some(container) = container {
                    let account = host.split('.').next().unwrap_or_default();
                    builder = builder.with_container_name(container).with_account(account);
                } else {
                    builder = builder.with_container_name(host);
                }
                Arc::new(
                    builder
                        .with_client_options(options)
                        .build()
                        .map_err(failed)?,
                )
            }
        };
        Ok(Self {
            store,
            prefix: Key::parse(path).map_err(|error| failed(error.into()))?,
            uri: format!("{scheme}://{host}"),
        })
    }

    fn at(&self, key: &Key) -> String {
        format!("{}/{key}", self.uri)
    }

    fn failed(&self, key: &Key, error: &object_store::Error) -> Error {
        let uri = self.at(key);
        let mut reason = error.to_string();
        let mut next = std::error::Error::source(error);
        while let Some(source) = next {
            let text = source.to_string();
            if !reason.contains(&text) {
                reason.push_str(": ");
                reason.push_str(&text);
            }
            next = source.source();
        }
        match error {
            object_store::Error::NotFound { .. } => Error::NotFound {
                what: "artifact",
                name: uri,
                hint: String::new(),
            },
            object_store::Error::PermissionDenied { .. } => Error::Forbidden {
                url: uri,
                message: format!(": {reason}"),
            },
            object_store::Error::Unauthenticated { .. } => Error::Storage {
                uri,
                reason: format!("the storage asks for credentials: {reason}"),
            },
            _ => Error::Storage { uri, reason },
        }
    }

    /// `path` below the prefix, letter by letter as it is.
    fn key(&self, path: &str) -> Result<Key> {
        if path.is_empty() {
            return Ok(self.prefix.clone());
        }
        Key::parse(join(self.prefix.as_ref(), path).trim_start_matches('/'))
            .map_err(|error| Error::invalid(format!("{}: {error}", self.uri)))
    }

    /// The path of a key below the prefix.
    fn below(&self, key: &Key) -> Option<String> {
        let parts: Vec<String> = key
            .prefix_match(&self.prefix)?
            .map(|part| part.as_ref().to_owned())
            .collect();
        let path = parts.join("/");
        names::check_artifact_path(&path).is_ok().then_some(path)
    }

    fn list(&self) -> Result<Vec<FileInfo>> {
        let found = runtime()?
            .block_on(self.store.list_with_delimiter(Some(&self.prefix)))
            .map_err(|error| self.failed(&self.prefix, &error))?;
        let folders = found.common_prefixes.iter().filter_map(|key| {
            Some(FileInfo {
                path: self.below(key)?,
                is_dir: true,
                file_size: None,
            })
        });
        let files = found.objects.iter().filter_map(|object| {
            Some(FileInfo {
                path: self.below(&object.location)?,
                is_dir: false,
                file_size: Some(object.size),
            })
        });
        Ok(folders
            .chain(files)
            .filter(|file| !file.path.is_empty())
            .collect())
    }

    fn walk(&self) -> Result<Vec<FileInfo>> {
        runtime()?.block_on(async {
            let mut files = Vec::new();
            let mut stream = self.store.list(Some(&self.prefix));
            while let Some(object) = stream.next().await {
                let object = object.map_err(|error| self.failed(&self.prefix, &error))?;
                let Some(path) = self.below(&object.location) else {
                    return Err(Error::invalid(format!(
                        "{}: a name that is no path of an artifact",
                        self.at(&object.location)
                    )));
                };
                files.push(FileInfo {
                    path,
                    is_dir: false,
                    file_size: Some(object.size),
                });
            }
            if files.is_empty() && self.prefix != Key::default() {
                match self.store.head(&self.prefix).await {
                    Ok(object) => files.push(file_itself(Some(object.size))),
                    Err(object_store::Error::NotFound { .. }) => {}
                    Err(error) => return Err(self.failed(&self.prefix, &error)),
                }
            }
            files.sort();
            Ok(files)
        })
    }

    fn upload(&self, local: &Path, files: &[FileInfo], progress: &dyn Progress) -> Result<()> {
        runtime()?.block_on(async {
            for file in files {
                let from = if file.path.is_empty() {
                    local.to_owned()
                } else {
                    local.join(&file.path)
                };
                let key = self.key(&file.path)?;
                let mut source = tokio::fs::File::open(&from)
                    .await
                    .map_err(|error| Error::io(&from, error))?;
                let first = part(&mut source, &from).await?;
                if first.len() < PART {
                    let length = first.len() as u64;
                    self.store
                        .put(&key, first.into())
                        .await
                        .map_err(|error| self.failed(&key, &error))?;
                    progress.add(length);
                } else {
                    self.upload_parts(&key, first, &mut source, &from, progress)
                        .await?;
                }
            }
            Ok(())
        })
    }

    /// A file of more than one part; what was sent is taken back where one fails.
    async fn upload_parts(
        &self,
        key: &Key,
        first: Vec<u8>,
        source: &mut tokio::fs::File,
        from: &Path,
        progress: &dyn Progress,
    ) -> Result<()> {
        let failed = |error: object_store::Error| self.failed(key, &error);
        let mut upload = self.store.put_multipart(key).await.map_err(failed)?;
        let mut next = first;
        let sent: Result<()> = async {
            while !next.is_empty() {
                interrupt::check()?;
                let length = next.len() as u64;
                upload.put_part(next.into()).await.map_err(failed)?;
                progress.add(length);
                next = part(source, from).await?;
            }
            upload.complete().await.map(drop).map_err(failed)
        }
        .await;
        if sent.is_err() {
            // Where this fails too, the first reason counts.
            let _ = upload.abort().await;
        }
        sent
    }

    fn download(&self, path: &str, to: &Path, progress: &dyn Progress) -> Result<()> {
        runtime()?.block_on(async {
            let key = self.key(path)?;
            let answer = self
                .store
                .get(&key)
                .await
                .map_err(|error| self.failed(&key, &error))?;
            let local = |error| Error::io(to, error);
            let mut out = tokio::fs::File::create(to).await.map_err(local)?;
            let mut stream = answer.into_stream();
            while let Some(bytes) = stream.next().await {
                interrupt::check()?;
                let bytes = bytes.map_err(|error| self.failed(&key, &error))?;
                out.write_all(&bytes).await.map_err(local)?;
                progress.add(bytes.len() as u64);
            }
            out.flush().await.map_err(local)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::progress::Silent;

    #[test]
    fn a_folder_goes_in_and_comes_out_whole() {
        let there = tempfile::tempdir().unwrap();
        let source = there.path().join("source");
        fs::create_dir_all(source.join("deep")).unwrap();
        fs::write(source.join("MLmodel"), "flavors").unwrap();
        fs::write(source.join("deep/a b.txt"), "text").unwrap();
        let place = Place::Local(there.path().join("root")).at("model").unwrap();
        place.upload(&source, &Silent).unwrap();
        let names: Vec<String> = place
            .walk()
            .unwrap()
            .into_iter()
            .map(|file| file.path)
            .collect();
        assert_eq!(names, ["MLmodel", "deep/a b.txt"]);
        let out = there.path().join("out");
        place.download(&out, &Silent).unwrap();
        assert_eq!(
            fs::read_to_string(out.join("deep/a b.txt")).unwrap(),
            "text"
        );
        let left = fs::read_dir(there.path())
            .unwrap()
            .filter(|entry| {
                entry
                    .as_ref()
                    .unwrap()
                    .file_name()
                    .to_string_lossy()
                    .starts_with('.')
            })
            .count();
        assert_eq!(left, 0, "no temporary folder is left");
    }

    #[cfg(unix)]
    #[test]
    fn a_link_out_of_the_folder_is_refused() {
        let there = tempfile::tempdir().unwrap();
        let source = there.path().join("source");
        fs::create_dir_all(&source).unwrap();
        std::os::unix::fs::symlink("/etc/hostname", source.join("name")).unwrap();
        let place = Place::Local(there.path().join("root"));
        assert!(place.upload(&source, &Silent).is_err());
        assert!(!there.path().join("root/name").exists());
    }

    #[test]
    fn a_model_is_published_once() {
        let there = tempfile::tempdir().unwrap();
        let staged = there.path().join("staged");
        fs::create_dir(&staged).unwrap();
        publish(&staged, &there.path().join("a/b")).unwrap();
        fs::create_dir(&staged).unwrap();
        assert!(publish(&staged, &there.path().join("a/b")).is_err());
        assert!(Place::Local(there.path().to_owned()).at("../x").is_err());
    }
}
