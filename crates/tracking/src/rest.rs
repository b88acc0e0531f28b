//! The client of an MLflow tracking server: its REST API 2.0, as MLflow 3.17 has it, and its proxied artifacts.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures_util::StreamExt as _;
use reqwest::{Method, RequestBuilder, Response, StatusCode};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt as _;
use url::Url;

use crate::entities::{
    Experiment, FileInfo, LoggedModel, Metric, ModelOutput, ModelStatus, ModelVersion, Page, Param,
    RegisteredModel, Run, Tag,
};
use crate::error::{Error, Result, redact};
use crate::interrupt;
use crate::names;
use crate::progress::Progress;
use crate::store::{NewModel, NewRun, NewVersion, RunChange, Search, Store};

/// How many of each a request may hold (`mlflow/utils/validation.py`).
const METRICS_PER_BATCH: usize = 1000;
const PAIRS_PER_BATCH: usize = 100;

/// How a server is asked.
#[derive(Debug, Clone)]
pub struct Options {
    /// `MLFLOW_TRACKING_TOKEN`
    pub token: Option<String>,
    /// `MLFLOW_TRACKING_USERNAME` and `MLFLOW_TRACKING_PASSWORD`
    pub login: Option<(String, String)>,
    /// `MLFLOW_TRACKING_INSECURE_TLS`: certificates are not looked at.
    pub insecure_tls: bool,
    /// `MLFLOW_TRACKING_SERVER_CERT_PATH`: certificates that are trusted too.
    pub certificates: Option<PathBuf>,
    /// `MLFLOW_HTTP_REQUEST_TIMEOUT`: how long to wait for an answer.
    pub timeout: Duration,
    /// `MLFLOW_HTTP_REQUEST_MAX_RETRIES`
    pub retries: u32,
    /// `MLFLOW_HTTP_REQUEST_BACKOFF_FACTOR`, in seconds: the n-th wait is up to factor × 2ⁿ.
    pub backoff: f64,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            token: None,
            login: None,
            insecure_tls: false,
            certificates: None,
            timeout: Duration::from_secs(120),
            retries: 7,
            backoff: 0.5,
        }
    }
}

impl Options {
    /// Reads the variables of MLflow.
    pub fn from_environment() -> Result<Self> {
        let text = |name: &str| std::env::var(name).ok().filter(|text| !text.is_empty());
        let number = |name: &str, default: f64| match text(name) {
            None => Ok(default),
            Some(text) => text
                .parse::<f64>()
                .ok()
                .filter(|value| value.is_finite() && (0.0..=1e6).contains(value))
                .ok_or_else(|| {
                    Error::invalid(format!(
                        "{name} is {text:?}, which is no number from 0 to 1000000"
                    ))
                }),
        };
        let default = Self::default();
        let login = text("MLFLOW_TRACKING_USERNAME")
            .map(|user| (user, text("MLFLOW_TRACKING_PASSWORD").unwrap_or_default()));
        #[allow(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "from 0 to 1000000"
        )]
        let retries = number(
            "MLFLOW_HTTP_REQUEST_MAX_RETRIES",
            f64::from(default.retries),
        )? as u32;
        Ok(Self {
            token: text("MLFLOW_TRACKING_TOKEN"),
            login,
            insecure_tls: text("MLFLOW_TRACKING_INSECURE_TLS")
                .is_some_and(|text| matches!(text.to_ascii_lowercase().as_str(), "true" | "1")),
            certificates: text("MLFLOW_TRACKING_SERVER_CERT_PATH").map(PathBuf::from),
            timeout: Duration::from_secs_f64(number(
                "MLFLOW_HTTP_REQUEST_TIMEOUT",
                default.timeout.as_secs_f64(),
            )?),
            retries,
            backoff: number("MLFLOW_HTTP_REQUEST_BACKOFF_FACTOR", default.backoff)?,
        })
    }
}

/// A runtime on the thread that asks.
pub(crate) fn runtime() -> Result<tokio::runtime::Runtime> {
    // Where nobody chose one before; who did, chose for the whole process.
    let _ = rustls::crypto::ring::default_provider().install_default();
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| Error::state(format!("no runtime for the network: {error}")))
}

/// A connection to a tracking server.
pub struct Server {
    base: Url,
    login: Option<(String, String)>,
    options: Options,
    /// The client and what drives it; made for the first request.
    client: Mutex<Option<Connected>>,
    process: u32,
}

struct Connected {
    client: reqwest::Client,
    runtime: tokio::runtime::Runtime,
}

impl std::fmt::Debug for Server {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // Not the login, nor the token.
        f.debug_struct("Server")
            .field("url", &self.url())
            .finish_non_exhaustive()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // What came here by fork shares its connections with the parent.
        if self.process != std::process::id() {
            let client = self
                .client
                .get_mut()
                .unwrap_or_else(PoisonError::into_inner);
            std::mem::forget(client.take());
        }
    }
}

/// What may be asked again when no answer came.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Repeat {
    /// It reads, or changes to what it would be the second time too.
    Safe,
    /// It would make a second one.
    Never,
}

/// An answer that is none.
enum Failed {
    /// The server did not see the request.
    Connect(String),
    /// It may have seen it.
    Broken(String),
    /// It answered with this status, these words, and after so long it may be asked again.
    Status(StatusCode, String, Option<Duration>),
    /// A file on this side.
    Local(Error),
}

impl Server {
    /// The server at `url`; nothing is asked yet.
    pub fn new(url: &str, options: Options) -> Result<Self> {
        let mut base =
            Url::parse(url).map_err(|error| Error::invalid(format!("{}: {error}", redact(url))))?;
        if !matches!(base.scheme(), "http" | "https") || base.host().is_none() {
            return Err(Error::invalid(format!(
                "{}: no address of a server",
                redact(url)
            )));
        }
        let decode = |text: &str| {
            percent_encoding::percent_decode_str(text)
                .decode_utf8_lossy()
                .into_owned()
        };
        let mut login = options.login.clone();
        if !base.username().is_empty() {
            login = Some((
                decode(base.username()),
                decode(base.password().unwrap_or("")),
            ));
        }
        // These can't fail where there is a host.
        let _ = base.set_username("");
        let _ = base.set_password(None);
        base.set_query(None);
        base.set_fragment(None);
        Ok(Self {
            base,
            login,
            options,
            client: Mutex::new(None),
            process: std::process::id(),
        })
    }

    /// Its address without user and password.
    pub fn url(&self) -> String {
        self.base.as_str().trim_end_matches('/').to_owned()
    }

    fn connect(&self) -> Result<Connected> {
        let runtime = runtime()?;
        let mut builder = reqwest::Client::builder()
            .user_agent(concat!("nopickle/", env!("CARGO_PKG_VERSION")))
            .connect_timeout(self.options.timeout.min(Duration::from_secs(30)))
            .read_timeout(self.options.timeout)
            // uvicorn, which MLflow runs on, closes an idle connection after 5 s.
            .pool_idle_timeout(Duration::from_secs(3))
            .redirect(reqwest::redirect::Policy::limited(5));
        if self.options.insecure_tls {
            builder = builder.tls_danger_accept_invalid_certs(true);
        }
        if let Some(path) = &self.options.certificates {
            let pem = std::fs::read(path).map_err(|error| Error::io(path, error))?;
            let certificates = reqwest::Certificate::from_pem_bundle(&pem).map_err(|error| {
                Error::invalid(format!("{}: no certificates: {error}", path.display()))
            })?;
            builder = builder.tls_certs_merge(certificates);
        }
        let client = builder
            .build()
            .map_err(|error| Error::state(format!("no client for HTTP: {}", words(&error))))?;
        Ok(Connected { client, runtime })
    }

    /// Runs `work` with the client on this thread.
    fn with_client<T>(&self, work: impl AsyncFnOnce(&reqwest::Client) -> Result<T>) -> Result<T> {
        // One at a time: the runtime is driven by who asks.
        let mut client = self.client.lock().unwrap_or_else(PoisonError::into_inner);
        if client.is_none() {
            *client = Some(self.connect()?);
        }
        let Some(connected) = client.as_ref() else {
            return Err(Error::state("no client for HTTP"));
        };
        connected.runtime.block_on(work(&connected.client))
    }

    /// `path` below the address.
    fn at(&self, path: &str) -> Result<Url> {
        Url::parse(&format!("{}/{path}", self.url()))
            .map_err(|error| Error::invalid(format!("{path}: {error}")))
    }

    fn authorized(&self, request: RequestBuilder) -> RequestBuilder {
        match (&self.login, &self.options.token) {
            (Some((user, password)), _) => request.basic_auth(user, Some(password)),
            (None, Some(token)) => request.bearer_auth(token),
            (None, None) => request,
        }
    }

    /// Asks until there is an answer, or until asking again makes no sense.
    async fn ask<T>(
        &self,
        url: &Url,
        repeat: Repeat,
        once: impl AsyncFn() -> std::result::Result<T, Failed>,
    ) -> Result<T> {
        let mut attempts = 0;
        loop {
            attempts += 1;
            interrupt::check()?;
            let failed = match once().await {
                Ok(answer) => return Ok(answer),
                Err(failed) => failed,
            };
            let (again, after) = match &failed {
                Failed::Local(_) => (false, None),
                Failed::Connect(_) => (true, None),
                Failed::Broken(_) => (repeat == Repeat::Safe, None),
                Failed::Status(status, _, after) => (
                    match status.as_u16() {
                        429 | 503 => true,
                        408 | 500 | 502 | 504 => repeat == Repeat::Safe,
                        _ => false,
                    },
                    *after,
                ),
            };
            if !again || attempts > self.options.retries {
                return Err(told(url, attempts, failed));
            }
            interrupt::sleep(self.pause(attempts, after)?).await?;
        }
    }

    /// How long to wait before the next attempt: what the server asked for, or twice as long each time with a part
    /// that is random.
    fn pause(&self, attempts: u32, after: Option<Duration>) -> Result<Duration> {
        const LONGEST: Duration = Duration::from_secs(120);
        if let Some(after) = after {
            return Ok(after.min(LONGEST));
        }
        let [jitter] = names::random::<1>()?;
        let exponent = i32::try_from(attempts.min(16)).unwrap_or(16) - 1;
        let seconds =
            self.options.backoff * 2_f64.powi(exponent) * (0.5 + f64::from(jitter) / 512.0);
        Ok(Duration::from_secs_f64(seconds.clamp(0.0, 120.0)).min(LONGEST))
    }

    /// One request with a JSON answer.
    fn request(
        &self,
        method: &Method,
        path: &str,
        query: &[(&str, String)],
        body: Option<&Value>,
        repeat: Repeat,
    ) -> Result<Value> {
        let mut url = self.at(path)?;
        if !query.is_empty() {
            url.query_pairs_mut().extend_pairs(query);
        }
        self.with_client(async |client| {
            self.ask(&url, repeat, async || {
                let mut request = self.authorized(client.request(method.clone(), url.clone()));
                if let Some(body) = body {
                    request = request.json(body);
                }
                let response = answered(request.send().await).await?;
                let bytes = response.bytes().await.map_err(|error| Failed::Broken(words(&error)))?;
                if bytes.is_empty() {
                    return Ok(Value::Null);
                }
                serde_json::from_slice(&bytes).map_err(|_| {
                    Failed::Local(Error::Server {
                        url: redact(url.as_str()),
                        status: 200,
                        code: None,
                        message: " with something that is not JSON: is this the address of an MLflow tracking server?"
                            .to_owned(),
                    })
                })
            })
            .await
        })
    }

    fn get<T: DeserializeOwned>(
        &self,
        path: &str,
        query: &[(&str, String)],
        key: &str,
    ) -> Result<T> {
        let answer = self.request(&Method::GET, &api(path), query, None, Repeat::Safe)?;
        self.part(path, answer, key)
    }

    fn post<T: DeserializeOwned>(
        &self,
        path: &str,
        body: Value,
        key: &str,
        repeat: Repeat,
    ) -> Result<T> {
        let answer = self.request(&Method::POST, &api(path), &[], Some(&trim(body)), repeat)?;
        self.part(path, answer, key)
    }

    /// A request whose answer says nothing.
    fn tell(&self, method: Method, path: &str, body: Value) -> Result<()> {
        self.request(&method, &api(path), &[], Some(&trim(body)), Repeat::Safe)
            .map(drop)
    }

    /// The value of `key` in an answer.
    fn part<T: DeserializeOwned>(&self, path: &str, mut answer: Value, key: &str) -> Result<T> {
        let part = answer.get_mut(key).map(Value::take).unwrap_or_default();
        serde_json::from_value(part).map_err(|error| Error::Server {
            url: format!("{}/{}", self.url(), api(path)),
            status: 200,
            code: None,
            message: format!(" with what can't be read: {key}: {error}"),
        })
    }

    fn page<T: DeserializeOwned>(&self, path: &str, answer: Value, key: &str) -> Result<Page<T>> {
        let token = answer
            .get("next_page_token")
            .and_then(Value::as_str)
            .filter(|token| !token.is_empty())
            .map(str::to_owned);
        let items = if answer.get(key).is_some() {
            self.part(path, answer, key)?
        } else {
            Vec::new()
        };
        Ok(Page { items, token })
    }

    fn search_post<T: DeserializeOwned>(
        &self,
        path: &str,
        body: Value,
        key: &str,
    ) -> Result<Page<T>> {
        let answer = self.request(
            &Method::POST,
            &api(path),
            &[],
            Some(&trim(body)),
            Repeat::Safe,
        )?;
        self.page(path, answer, key)
    }

    fn search_get<T: DeserializeOwned>(
        &self,
        path: &str,
        search: &Search,
        key: &str,
    ) -> Result<Page<T>> {
        let mut query = vec![("filter", search.filter.clone())];
        if let Some(length) = search.max_results {
            query.push(("max_results", length.to_string()));
        }
        if let Some(token) = &search.page_token {
            query.push(("page_token", token.clone()));
        }
        query.extend(
            search
                .order_by
                .iter()
                .map(|clause| ("order_by", clause.clone())),
        );
        let answer = self.request(&Method::GET, &api(path), &query, None, Repeat::Safe)?;
        self.page(path, answer, key)
    }
}

/// The artifacts that the server keeps for its clients: `mlflow-artifacts:/`.
impl Server {
    fn artifact_url(&self, path: &str) -> Result<Url> {
        let mut url = self.at("api/2.0/mlflow-artifacts/artifacts")?;
        if let Ok(mut parts) = url.path_segments_mut() {
            parts.extend(path.split('/').filter(|part| !part.is_empty()));
        }
        Ok(url)
    }

    /// What is in a folder of proxied artifacts, with paths from that folder.
    pub(crate) fn list_artifacts(&self, folder: &str) -> Result<Vec<FileInfo>> {
        let answer = self.request(
            &Method::GET,
            "api/2.0/mlflow-artifacts/artifacts",
            &[("path", folder.to_owned())],
            None,
            Repeat::Safe,
        )?;
        if answer.get("files").is_none() {
            return Ok(Vec::new());
        }
        let files: Vec<Value> = self.part("mlflow-artifacts/artifacts", answer, "files")?;
        files
            .into_iter()
            .map(|file| {
                let path = file
                    .get("path")
                    .and_then(Value::as_str)
                    .unwrap_or_default()
                    .to_owned();
                names::check_artifact_path(&path)?;
                let size = file.get("file_size");
                Ok(FileInfo {
                    path,
                    is_dir: file.get("is_dir").and_then(Value::as_bool).unwrap_or(false),
                    file_size: size.and_then(Value::as_u64).or_else(|| {
                        size.and_then(Value::as_str)
                            .and_then(|text| text.parse().ok())
                    }),
                })
            })
            .collect()
    }

    /// Sends a file; the server shows it when all of it is there.
    pub(crate) fn put_artifact(
        &self,
        path: &str,
        file: &Path,
        progress: &dyn Progress,
    ) -> Result<()> {
        let url = self.artifact_url(path)?;
        self.with_client(async |client| {
            self.ask(&url, Repeat::Safe, async || {
                let opened = tokio::fs::File::open(file)
                    .await
                    .map_err(|error| Failed::Local(Error::io(file, error)))?;
                let length = opened
                    .metadata()
                    .await
                    .map_err(|error| Failed::Local(Error::io(file, error)))?
                    .len();
                let sent = Arc::new(AtomicU64::new(0));
                let told = Arc::clone(&sent);
                let stream = tokio_util::io::ReaderStream::with_capacity(opened, 1 << 18).map(
                    move |bytes| {
                        interrupt::check().map_err(std::io::Error::other)?;
                        let bytes = bytes?;
                        told.fetch_add(bytes.len() as u64, Ordering::Relaxed);
                        Ok::<_, std::io::Error>(bytes)
                    },
                );
                let request = self
                    .authorized(client.put(url.clone()))
                    .header(reqwest::header::CONTENT_LENGTH, length)
                    .header(reqwest::header::CONTENT_TYPE, "application/octet-stream")
                    .body(reqwest::Body::wrap_stream(stream));
                let mut request = std::pin::pin!(request.send());
                let mut seen = 0;
                let mut tell = || {
                    let now = sent.load(Ordering::Relaxed);
                    progress.add(now - seen);
                    seen = now;
                };
                let answer = loop {
                    let wait = Duration::from_millis(100);
                    if let Ok(answer) = tokio::time::timeout(wait, &mut request).await {
                        break answer;
                    }
                    tell();
                    interrupt::check().map_err(Failed::Local)?;
                };
                tell();
                answered(answer).await?;
                Ok(())
            })
            .await
        })
    }

    /// Writes an artifact to a file that is there and empty.
    pub(crate) fn get_artifact(
        &self,
        path: &str,
        file: &Path,
        progress: &dyn Progress,
    ) -> Result<()> {
        let url = self.artifact_url(path)?;
        self.download(&url, true, file, progress)
    }

    /// Writes what is at `url` to a file that is there.
    pub(crate) fn download(
        &self,
        url: &Url,
        login: bool,
        file: &Path,
        progress: &dyn Progress,
    ) -> Result<()> {
        self.with_client(async |client| {
            self.ask(url, Repeat::Safe, async || {
                let local = |error| Failed::Local(Error::io(file, error));
                let request = client.get(url.clone());
                let request = if login {
                    self.authorized(request)
                } else {
                    request
                };
                let response = answered(request.send().await).await?;
                let mut out = tokio::fs::File::create(file).await.map_err(local)?;
                let mut stream = response.bytes_stream();
                while let Some(bytes) = stream.next().await {
                    interrupt::check().map_err(Failed::Local)?;
                    let bytes = bytes.map_err(|error| Failed::Broken(words(&error)))?;
                    out.write_all(&bytes).await.map_err(local)?;
                    progress.add(bytes.len() as u64);
                }
                out.flush().await.map_err(local)
            })
            .await
        })
    }
}

fn api(path: &str) -> String {
    format!("api/2.0/mlflow/{path}")
}

/// A body without the keys that say nothing.
fn trim(mut body: Value) -> Value {
    if let Value::Object(object) = &mut body {
        object.retain(|_, value| !value.is_null());
    }
    body
}

/// An error of the client in words, with its reasons and without the URL, which may hold a secret.
fn words(error: &dyn std::error::Error) -> String {
    let mut text = String::new();
    let mut next: Option<&dyn std::error::Error> = error.source();
    while let Some(reason) = next {
        if !text.is_empty() {
            text.push_str(": ");
        }
        text.push_str(&reason.to_string());
        next = reason.source();
    }
    if text.is_empty() {
        "the request failed".clone_into(&mut text);
    }
    text
}

async fn answered(sent: reqwest::Result<Response>) -> std::result::Result<Response, Failed> {
    let response = sent.map_err(|error| {
        let text = if error.is_timeout() {
            "no answer in time".to_owned()
        } else {
            words(&error)
        };
        if error.is_connect() {
            Failed::Connect(text)
        } else {
            Failed::Broken(text)
        }
    })?;
    let status = response.status();
    if status.is_success() {
        return Ok(response);
    }
    let after = response
        .headers()
        .get(reqwest::header::RETRY_AFTER)
        .and_then(|value| value.to_str().ok()?.trim().parse().ok())
        .map(Duration::from_secs);
    let text = response.text().await.unwrap_or_default();
    Err(Failed::Status(status, text, after))
}

fn told(url: &Url, attempts: u32, failed: Failed) -> Error {
    let url = redact(url.as_str());
    match failed {
        Failed::Local(error) => error,
        Failed::Connect(reason) | Failed::Broken(reason) => Error::Unreachable {
            url,
            attempts,
            reason,
        },
        Failed::Status(status, text, _) => {
            let answer: Value = serde_json::from_str(&text).unwrap_or_default();
            let word = |key: &str| answer.get(key).and_then(Value::as_str).map(str::to_owned);
            let code = word("error_code");
            let message = word("message").unwrap_or_else(|| {
                // A page for people, or nothing.
                if text.contains('<') {
                    String::new()
                } else {
                    text
                }
            });
            let message: String = message.trim().chars().take(2000).collect();
            let message = match (message.is_empty(), &code) {
                (true, None) => String::new(),
                (true, Some(code)) => format!(": {code}"),
                (false, None) => format!(": {message}"),
                (false, Some(code)) => format!(": {code}: {message}"),
            };
            match status.as_u16() {
                401 => Error::Unauthorized { url, message },
                403 => Error::Forbidden { url, message },
                429 => Error::RateLimited {
                    url,
                    attempts,
                    message,
                },
                number => {
                    let message = match (&code, number) {
                        (None, 404 | 405) => {
                            format!("{message}: is this the address of an MLflow tracking server?")
                        }
                        _ => message,
                    };
                    Error::Server {
                        url,
                        status: number,
                        code,
                        message,
                    }
                }
            }
        }
    }
}

/// The store of a tracking server.
#[derive(Debug)]
pub struct RestStore {
    server: Server,
}

impl RestStore {
    /// The store of the server at `url`; nothing is asked yet.
    pub fn new(url: &str, options: Options) -> Result<Self> {
        Ok(Self {
            server: Server::new(url, options)?,
        })
    }
}

impl Store for RestStore {
    fn uri(&self) -> String {
        self.server.url()
    }
    fn artifact_root(&self) -> Option<&Path> {
        None
    }
    fn staging(&self) -> Result<Option<PathBuf>> {
        Ok(None)
    }
    fn server(&self) -> Option<&Server> {
        Some(&self.server)
    }

    fn create_experiment(
        &self,
        name: &str,
        artifact_location: Option<&str>,
        tags: &[Tag],
    ) -> Result<String> {
        names::check_experiment_name(name)?;
        self.server.post(
            "experiments/create",
            json!({"name": name, "artifact_location": artifact_location, "tags": tags}),
            "experiment_id",
            Repeat::Never,
        )
    }
    fn experiment(&self, id: &str) -> Result<Experiment> {
        self.server.get(
            "experiments/get",
            &[("experiment_id", id.to_owned())],
            "experiment",
        )
    }
    fn experiment_by_name(&self, name: &str) -> Result<Option<Experiment>> {
        let found = self.server.get(
            "experiments/get-by-name",
            &[("experiment_name", name.to_owned())],
            "experiment",
        );
        match found {
            Err(error) if error.code() == "RESOURCE_DOES_NOT_EXIST" => Ok(None),
            found => found.map(Some),
        }
    }
    fn rename_experiment(&self, id: &str, name: &str) -> Result<()> {
        self.server.tell(
            Method::POST,
            "experiments/update",
            json!({"experiment_id": id, "new_name": name}),
        )
    }
    fn delete_experiment(&self, id: &str) -> Result<()> {
        self.server.tell(
            Method::POST,
            "experiments/delete",
            json!({"experiment_id": id}),
        )
    }
    fn restore_experiment(&self, id: &str) -> Result<()> {
        self.server.tell(
            Method::POST,
            "experiments/restore",
            json!({"experiment_id": id}),
        )
    }
    fn set_experiment_tag(&self, id: &str, tag: &Tag) -> Result<()> {
        self.server.tell(
            Method::POST,
            "experiments/set-experiment-tag",
            json!({"experiment_id": id, "key": tag.key, "value": tag.value}),
        )
    }
    fn delete_experiment_tag(&self, id: &str, key: &str) -> Result<()> {
        self.server.tell(
            Method::POST,
            "experiments/delete-experiment-tag",
            json!({"experiment_id": id, "key": key}),
        )
    }
    fn search_experiments(&self, search: &Search) -> Result<Page<Experiment>> {
        self.server.search_post(
            "experiments/search",
            json!({
                "filter": search.filter, "order_by": search.order_by, "page_token": search.page_token,
                "max_results": search.max_results.unwrap_or(1000), "view_type": search.view,
            }),
            "experiments",
        )
    }

    fn create_run(&self, run: &NewRun) -> Result<Run> {
        self.server.post(
            "runs/create",
            json!({
                "experiment_id": run.experiment_id, "user_id": run.user_id, "start_time": run.start_time,
                "run_name": run.run_name, "tags": run.tags,
            }),
            "run",
            Repeat::Never,
        )
    }
    fn run(&self, id: &str) -> Result<Run> {
        names::check_run_id(id)?;
        self.server
            .get("runs/get", &[("run_id", id.to_owned())], "run")
    }
    fn update_run(&self, id: &str, change: &RunChange) -> Result<()> {
        self.server.tell(
            Method::POST,
            "runs/update",
            json!({
                "run_id": id, "status": change.status, "end_time": change.end_time, "run_name": change.run_name,
            }),
        )
    }
    fn delete_run(&self, id: &str) -> Result<()> {
        self.server
            .tell(Method::POST, "runs/delete", json!({"run_id": id}))
    }
    fn restore_run(&self, id: &str) -> Result<()> {
        self.server
            .tell(Method::POST, "runs/restore", json!({"run_id": id}))
    }
    /// In as many requests as the server's limits ask for; each is all or nothing.
    fn log_batch(
        &self,
        id: &str,
        metrics: &[Metric],
        params: &[Param],
        tags: &[Tag],
    ) -> Result<()> {
        names::check_run_id(id)?;
        for metric in metrics {
            names::check_metric(&metric.key)?;
        }
        for param in params {
            names::check_param(&param.key, &param.value)?;
        }
        for tag in tags {
            names::check_tag(&tag.key, &tag.value)?;
        }
        let send = |metrics: &[Metric], params: &[Param], tags: &[Tag]| {
            self.server.tell(
                Method::POST,
                "runs/log-batch",
                json!({"run_id": id, "metrics": metrics, "params": params, "tags": tags}),
            )
        };
        if metrics.len() + params.len() + tags.len() <= METRICS_PER_BATCH
            && params.len() <= PAIRS_PER_BATCH
            && tags.len() <= PAIRS_PER_BATCH
        {
            return send(metrics, params, tags);
        }
        for part in params.chunks(PAIRS_PER_BATCH) {
            send(&[], part, &[])?;
        }
        for part in tags.chunks(PAIRS_PER_BATCH) {
            send(&[], &[], part)?;
        }
        for part in metrics.chunks(METRICS_PER_BATCH) {
            send(part, &[], &[])?;
        }
        Ok(())
    }
    fn delete_tag(&self, id: &str, key: &str) -> Result<()> {
        self.server.tell(
            Method::POST,
            "runs/delete-tag",
            json!({"run_id": id, "key": key}),
        )
    }
    fn metric_history(&self, id: &str, key: &str) -> Result<Vec<Metric>> {
        let mut all = Vec::new();
        let mut token: Option<String> = None;
        loop {
            let mut query = vec![("run_id", id.to_owned()), ("metric_key", key.to_owned())];
            query.push(("max_results", "25000".to_owned()));
            if let Some(token) = token {
                query.push(("page_token", token));
            }
            let path = "metrics/get-history";
            let answer =
                self.server
                    .request(&Method::GET, &api(path), &query, None, Repeat::Safe)?;
            let page = self.server.page(path, answer, "metrics")?;
            all.extend(page.items);
            token = page.token;
            if token.is_none() {
                return Ok(all);
            }
        }
    }
    fn search_runs(&self, search: &Search) -> Result<Page<Run>> {
        self.server.search_post(
            "runs/search",
            json!({
                "experiment_ids": search.experiment_ids, "filter": search.filter, "run_view_type": search.view,
                "max_results": search.max_results.unwrap_or(1000), "order_by": search.order_by,
                "page_token": search.page_token,
            }),
            "runs",
        )
    }
    fn log_outputs(&self, id: &str, models: &[ModelOutput]) -> Result<()> {
        self.server.tell(
            Method::POST,
            "runs/outputs",
            json!({"run_id": id, "models": models}),
        )
    }

    fn create_logged_model(&self, model: &NewModel) -> Result<LoggedModel> {
        if let Some(name) = &model.name {
            names::check_logged_model_name(name)?;
        }
        if model.model_id.is_some() {
            return Err(Error::invalid(
                "a tracking server chooses the ID of a logged model",
            ));
        }
        let made: LoggedModel = self.server.post(
            "logged-models",
            json!({
                "experiment_id": model.experiment_id, "name": model.name, "source_run_id": model.source_run_id,
                "model_type": model.model_type, "params": model.params, "tags": model.tags,
            }),
            "model",
            Repeat::Never,
        )?;
        if let (Some(run), Some(step)) = (&model.source_run_id, model.step) {
            let output = ModelOutput {
                model_id: made.info.model_id.clone(),
                step,
            };
            self.log_outputs(run, &[output])?;
        }
        match model.status {
            Some(status @ (ModelStatus::Ready | ModelStatus::Failed)) => {
                self.finalize_logged_model(&made.info.model_id, status)
            }
            _ => Ok(made),
        }
    }
    fn logged_model(&self, id: &str) -> Result<LoggedModel> {
        names::check_model_id(id)?;
        self.server
            .get(&format!("logged-models/{id}"), &[], "model")
    }
    fn finalize_logged_model(&self, id: &str, status: ModelStatus) -> Result<LoggedModel> {
        names::check_model_id(id)?;
        let path = format!("logged-models/{id}");
        let answer = self.server.request(
            &Method::PATCH,
            &api(&path),
            &[],
            Some(&json!({"model_id": id, "status": status})),
            Repeat::Safe,
        )?;
        self.server.part(&path, answer, "model")
    }
    fn delete_logged_model(&self, id: &str) -> Result<()> {
        names::check_model_id(id)?;
        self.server.tell(
            Method::DELETE,
            &format!("logged-models/{id}"),
            json!({"model_id": id}),
        )
    }
    fn set_logged_model_tags(&self, id: &str, tags: &[Tag]) -> Result<()> {
        names::check_model_id(id)?;
        self.server.tell(
            Method::PATCH,
            &format!("logged-models/{id}/tags"),
            json!({"model_id": id, "tags": tags}),
        )
    }
    fn delete_logged_model_tag(&self, id: &str, key: &str) -> Result<()> {
        names::check_model_id(id)?;
        names::check_tag(key, "")?;
        let key = percent_encoding::utf8_percent_encode(key, percent_encoding::NON_ALPHANUMERIC);
        self.server.tell(
            Method::DELETE,
            &format!("logged-models/{id}/tags/{key}"),
            Value::Object(serde_json::Map::new()),
        )
    }
    fn log_logged_model_params(&self, id: &str, params: &[Param]) -> Result<()> {
        names::check_model_id(id)?;
        self.server.tell(
            Method::POST,
            &format!("logged-models/{id}/params"),
            json!({"model_id": id, "params": params}),
        )
    }
    fn search_logged_models(&self, search: &Search) -> Result<Page<LoggedModel>> {
        let order: Vec<Value> = search
            .order_by
            .iter()
            .map(|clause| {
                let (name, word) = clause
                    .trim()
                    .rsplit_once(' ')
                    .unwrap_or((clause.trim(), "ASC"));
                json!({"field_name": name, "ascending": !word.eq_ignore_ascii_case("desc")})
            })
            .collect();
        self.server.search_post(
            "logged-models/search",
            json!({
                "experiment_ids": search.experiment_ids, "filter": search.filter, "order_by": order,
                "max_results": search.max_results.unwrap_or(100), "page_token": search.page_token,
            }),
            "models",
        )
    }

    fn create_registered_model(
        &self,
        name: &str,
        tags: &[Tag],
        description: Option<&str>,
    ) -> Result<RegisteredModel> {
        names::check_model_name(name)?;
        self.server.post(
            "registered-models/create",
            json!({"name": name, "tags": tags, "description": description}),
            "registered_model",
            Repeat::Never,
        )
    }
    fn registered_model(&self, name: &str) -> Result<RegisteredModel> {
        self.server.get(
            "registered-models/get",
            &[("name", name.to_owned())],
            "registered_model",
        )
    }
    fn rename_registered_model(&self, name: &str, new_name: &str) -> Result<RegisteredModel> {
        names::check_model_name(new_name)?;
        self.server.post(
            "registered-models/rename",
            json!({"name": name, "new_name": new_name}),
            "registered_model",
            Repeat::Never,
        )
    }
    fn update_registered_model(
        &self,
        name: &str,
        description: Option<&str>,
    ) -> Result<RegisteredModel> {
        let path = "registered-models/update";
        let body = json!({"name": name, "description": description.unwrap_or("")});
        let answer =
            self.server
                .request(&Method::PATCH, &api(path), &[], Some(&body), Repeat::Safe)?;
        self.server.part(path, answer, "registered_model")
    }
    fn delete_registered_model(&self, name: &str) -> Result<()> {
        self.server.tell(
            Method::DELETE,
            "registered-models/delete",
            json!({"name": name}),
        )
    }
    fn search_registered_models(&self, search: &Search) -> Result<Page<RegisteredModel>> {
        self.server
            .search_get("registered-models/search", search, "registered_models")
    }
    fn set_registered_model_tag(&self, name: &str, tag: &Tag) -> Result<()> {
        self.server.tell(
            Method::POST,
            "registered-models/set-tag",
            json!({"name": name, "key": tag.key, "value": tag.value}),
        )
    }
    fn delete_registered_model_tag(&self, name: &str, key: &str) -> Result<()> {
        self.server.tell(
            Method::DELETE,
            "registered-models/delete-tag",
            json!({"name": name, "key": key}),
        )
    }
    fn set_alias(&self, name: &str, alias: &str, version: &str) -> Result<()> {
        names::check_alias(alias)?;
        self.server.tell(
            Method::POST,
            "registered-models/alias",
            json!({"name": name, "alias": alias, "version": version}),
        )
    }
    fn delete_alias(&self, name: &str, alias: &str) -> Result<()> {
        self.server.tell(
            Method::DELETE,
            "registered-models/alias",
            json!({"name": name, "alias": alias}),
        )
    }
    fn version_by_alias(&self, name: &str, alias: &str) -> Result<ModelVersion> {
        self.server.get(
            "registered-models/alias",
            &[("name", name.to_owned()), ("alias", alias.to_owned())],
            "model_version",
        )
    }
    fn latest_versions(&self, name: &str, stages: &[String]) -> Result<Vec<ModelVersion>> {
        let path = "registered-models/get-latest-versions";
        Ok(self
            .server
            .search_post(
                path,
                json!({"name": name, "stages": stages}),
                "model_versions",
            )?
            .items)
    }

    fn create_model_version(&self, version: &NewVersion) -> Result<ModelVersion> {
        names::check_model_name(&version.name)?;
        self.server.post(
            "model-versions/create",
            json!({
                "name": version.name, "source": version.source, "run_id": version.run_id, "tags": version.tags,
                "run_link": version.run_link, "description": version.description, "model_id": version.model_id,
            }),
            "model_version",
            Repeat::Never,
        )
    }
    fn model_version(&self, name: &str, version: &str) -> Result<ModelVersion> {
        names::version_number(version)?;
        self.server.get(
            "model-versions/get",
            &[("name", name.to_owned()), ("version", version.to_owned())],
            "model_version",
        )
    }
    fn update_model_version(
        &self,
        name: &str,
        version: &str,
        description: Option<&str>,
    ) -> Result<ModelVersion> {
        let path = "model-versions/update";
        let body =
            json!({"name": name, "version": version, "description": description.unwrap_or("")});
        let answer =
            self.server
                .request(&Method::PATCH, &api(path), &[], Some(&body), Repeat::Safe)?;
        self.server.part(path, answer, "model_version")
    }
    fn set_stage(
        &self,
        name: &str,
        version: &str,
        stage: &str,
        archive: bool,
    ) -> Result<ModelVersion> {
        self.server.post(
            "model-versions/transition-stage",
            json!({"name": name, "version": version, "stage": stage, "archive_existing_versions": archive}),
            "model_version",
            Repeat::Safe,
        )
    }
    fn delete_model_version(&self, name: &str, version: &str) -> Result<()> {
        self.server.tell(
            Method::DELETE,
            "model-versions/delete",
            json!({"name": name, "version": version}),
        )
    }
    fn version_download_uri(&self, name: &str, version: &str) -> Result<String> {
        self.server.get(
            "model-versions/get-download-uri",
            &[("name", name.to_owned()), ("version", version.to_owned())],
            "artifact_uri",
        )
    }
    fn search_model_versions(&self, search: &Search) -> Result<Page<ModelVersion>> {
        self.server
            .search_get("model-versions/search", search, "model_versions")
    }
    fn set_version_tag(&self, name: &str, version: &str, tag: &Tag) -> Result<()> {
        self.server.tell(
            Method::POST,
            "model-versions/set-tag",
            json!({"name": name, "version": version, "key": tag.key, "value": tag.value}),
        )
    }
    fn delete_version_tag(&self, name: &str, version: &str, key: &str) -> Result<()> {
        self.server.tell(
            Method::DELETE,
            "model-versions/delete-tag",
            json!({"name": name, "version": version, "key": key}),
        )
    }
}
