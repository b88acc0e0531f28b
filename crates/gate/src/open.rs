//! The one way in: a file or a model folder is opened by a policy.
//!
//! What is returned has every name decided, with the rule that decided; the values are verified when they are read, which is
//! the only way to the objects. Where digests are part of the decision, the model is first copied into a private folder and
//! hashed there, and that copy is what is verified and loaded.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::fs::File;
use std::io::{self, Read as _, Seek as _, Write as _};
use std::path::{Path, PathBuf};

use nopickle_formats::archive::{self, Archive, EntryKind, Folder, Source};
use nopickle_formats::mlflow::{FLAVORS, MLMODEL, MlModel, Payload};
use nopickle_formats::skops::{self, ArrayPlan};
use nopickle_formats::{
    Error as ModelError, FORMATS, Format, Graph, Limits, Location, Node, Role, SNIFFED, Untrusted,
    catboost, lightgbm, xgboost,
};
use sha2::{Digest as _, Sha256};
use tempfile::TempDir;

use crate::error::Error;
use crate::policy::{Code, Policy, Rule, entry_lines};
use crate::signing::{self, Options, PublicKey, Reason, Refused, SIGNATURE, Why};

/// A name of code that a model asks for, and the decision on it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Asked {
    /// `module.qualname`.
    pub name: String,
    /// The most that it is used for.
    pub role: Role,
    /// Whether it stands as a function.
    pub function: bool,
    /// How often it is used.
    pub uses: usize,
    /// The byte of the first use in the entry that holds the graph.
    pub offset: u64,
    /// By which rule it is granted, or why it is not.
    pub rule: Rule,
}

impl Asked {
    /// The lines of a policy that grant it.
    pub fn entry_lines(&self) -> String {
        entry_lines(&self.name, (!self.function).then_some(self.role))
    }
}

/// Every name of code in a graph, sorted, each with the decision of a policy.
pub fn asked(graph: &Graph, policy: &Policy) -> Vec<Asked> {
    let mut found = BTreeMap::<&str, Asked>::new();
    for reference in graph.references() {
        let (name, offset) = (graph.name(reference.global), graph.place(reference.node));
        let one = found.entry(name).or_insert_with(|| Asked {
            name: name.to_owned(),
            role: reference.role,
            function: false,
            uses: 0,
            offset,
            rule: Rule::Nothing,
        });
        one.uses = one.uses.saturating_add(1);
        one.role = one.role.max(reference.role);
        one.function |= matches!(
            graph.node(reference.node),
            Node::Function(_) | Node::Partial(..)
        );
        one.offset = one.offset.min(offset);
    }
    // What the graph refuses is refused, whatever a rule says that knows the name alone.
    let refused = graph.untrusted(&policy.to_names());
    let mut found: Vec<Asked> = found.into_values().collect();
    for one in &mut found {
        let rule = policy.rule(&one.name, one.role);
        let is_refused = refused
            .binary_search_by(|known| known.name.cmp(&one.name))
            .is_ok();
        one.rule = match (is_refused, rule.grants()) {
            (true, true) => match rule {
                Rule::Entry(place) => Rule::Less(place),
                _ => Rule::Nothing,
            },
            _ => rule,
        };
    }
    found
}

/// Names that a policy refuses: why, and what would grant them.
#[derive(Debug)]
pub struct Refusal {
    /// The names and their places.
    pub untrusted: Untrusted,
    /// The same names, with what they are used for.
    pub asked: Vec<Asked>,
    /// The policy file, where there is one that arguments do not add to.
    pub closed: Option<PathBuf>,
}

impl Refusal {
    fn new(graph: &Graph, untrusted: Untrusted, policy: &Policy) -> Self {
        let names: BTreeSet<&str> = untrusted
            .names
            .iter()
            .map(|refused| refused.name.as_str())
            .collect();
        let mut asked = asked(graph, policy);
        asked.retain(|one| names.contains(one.name.as_str()));
        let closed = (!policy.extends()).then(|| policy.files().first().cloned());
        Self {
            asked,
            closed: closed.flatten(),
            untrusted,
        }
    }

    /// The lines of a policy that grant all of them.
    pub fn entry_lines(&self) -> String {
        let lines: Vec<String> = self.asked.iter().map(Asked::entry_lines).collect();
        lines.join("\n")
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.untrusted)?;
        for one in self.asked.iter().filter(|one| one.rule != Rule::Nothing) {
            write!(f, "; {}: {}", one.name.escape_debug(), one.rule)?;
        }
        Ok(())
    }
}

/// What stands in a model, after the decision.
pub enum Content<'a> {
    /// A skops file: every name was decided; the values are verified when the arrays are read.
    Skops(Box<(Archive<'a>, ArrayPlan<'a>)>),
    /// A text of LightGBM, verified and written again.
    Booster(String),
    /// A model's own file of CatBoost or XGBoost, every byte of which was read and verified.
    Bytes(Vec<u8>),
    /// A pickle, which the policy allows: the file, open.
    Pickle(File),
}

/// Whether code that a model brings is in reach of imports.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CodeRule {
    /// The model brings none.
    None,
    /// It is, from this folder.
    Reach(PathBuf),
    /// It is not: why.
    Refused(String),
}

/// A model that was opened by a policy.
pub struct Opened<'a> {
    /// What stands in it.
    pub content: Content<'a>,
    /// `skops`, `lightgbm`, `catboost`, `xgboost`, `pickle`, `cloudpickle`.
    pub format: String,
    /// The path of the model's data in its folder; of a file its name.
    pub entry: String,
    /// The class of the model, where its flavor says one: a name that the reader of `MLmodel` took from a table of the
    /// flavor's own, or that the flavor does not import.
    pub class: Option<String>,
    /// The id of the policy's key that signed the folder.
    pub signed_by: Option<String>,
    /// The policy, with what the model asked for.
    pub policy: Policy,
    /// The names that the policy granted because the model asked for them.
    pub granted: Vec<String>,
    /// The code that the model brings.
    pub code: CodeRule,
    files: Files,
    copy: Option<TempDir>,
}

/// The files that were read: their digests, or what to take them from.
enum Files {
    Hashed(BTreeMap<String, String>),
    Open(Vec<(String, Source<'static>)>),
}

impl Opened<'_> {
    /// The SHA-256 of each file that was read, by its path. They are taken here where they were no part of the decision,
    /// of the files that are still open.
    ///
    /// # Errors
    /// `Io` where a file can't be read.
    pub fn digests(&self) -> Result<BTreeMap<String, String>, Error> {
        match &self.files {
            Files::Hashed(digests) => Ok(digests.clone()),
            Files::Open(files) => files
                .iter()
                .map(|(name, source)| {
                    let bytes = source.read(u64::MAX, "bytes of a file")?;
                    Ok((name.clone(), hex(&Sha256::digest(&bytes))))
                })
                .collect(),
        }
    }

    /// The private folder that holds what was verified, where there is one: it is the caller's to remove now.
    pub fn keep(&mut self) -> Option<PathBuf> {
        self.copy.take().map(TempDir::keep)
    }

    /// The decision on each name, of a skops file.
    pub fn asked(&self) -> Vec<Asked> {
        match &self.content {
            Content::Skops(skops) => asked(skops.1.graph(), &self.policy),
            Content::Booster(_) | Content::Bytes(_) | Content::Pickle(_) => Vec::new(),
        }
    }
}

fn hex(bytes: &[u8]) -> String {
    let mut out = String::new();
    for byte in bytes {
        let _ = fmt::Write::write_fmt(&mut out, format_args!("{byte:02x}"));
    }
    out
}

/// Opens a skops file. `name` is that of the file, where it has one.
///
/// # Errors
/// [`Error::Untrusted`] with every name that the policy refuses; those of the format.
pub fn open_skops<'a>(
    source: Source<'a>,
    name: Option<&str>,
    policy: Policy,
) -> Result<Opened<'a>, Error> {
    let mut source = source;
    let mut files = Files::Open(Vec::new());
    if let Some(name) = name
        && policy
            .digests()
            .any(|digest| digest.what.path.as_deref() == Some(name))
    {
        // Read once: these bytes are hashed, verified and loaded.
        let bytes = source.read(u64::MAX, "bytes of a file")?.into_owned();
        let digest = hex(&Sha256::digest(&bytes));
        held(&policy, name, &digest)?;
        files = Files::Hashed(BTreeMap::from([(name.to_owned(), digest)]));
        source = Source::Owned(bytes);
    }
    let content = skops_content(source, &policy)?;
    Ok(Opened {
        content,
        format: "skops".to_owned(),
        entry: name.unwrap_or_default().to_owned(),
        class: None,
        signed_by: None,
        policy,
        granted: Vec::new(),
        code: CodeRule::None,
        files,
        copy: None,
    })
}

fn skops_content<'a>(source: Source<'a>, policy: &Policy) -> Result<Content<'a>, Error> {
    let mut limits = policy.limits().clone();
    let mut archive = archive::open(source, &mut limits)?;
    let graph = skops::read(&mut archive, &mut limits)?;
    let trusted = match graph.trust(&policy.to_names()) {
        Ok(trusted) => trusted,
        Err(untrusted) => {
            // The decision used the graph up: what is told about it is read again.
            let graph = skops::read(&mut archive, &mut policy.limits().clone())?;
            return Err(Refusal::new(&graph, untrusted, policy).into());
        }
    };
    let plan = trusted.plan(&mut archive, &mut limits)?;
    Ok(Content::Skops(Box::new((archive, plan))))
}

/// What of a folder is opened.
pub enum What<'w> {
    /// What its `MLmodel` says of a flavor.
    Flavor(&'w str),
    /// A file of it, in a format; and the names that the model asks for.
    Entry {
        /// The path in the folder.
        entry: &'w str,
        /// As [`Opened::format`].
        format: &'w str,
        /// Names that the model asks for.
        requested: &'w [String],
    },
}

/// The flavor of an `MLmodel` that says most: one of a library before `python_function`.
fn flavor_of(model: &MlModel) -> Option<&'static str> {
    let known = FLAVORS
        .iter()
        .map(|row| row.0)
        .filter(|name| model.flavor(name).is_some());
    known.max_by_key(|name| *name != "python_function")
}

/// Opens a model folder.
///
/// Where the policy has keys and the folder a signature, the signature is verified before anything else is read. A folder
/// that one of the keys signed gets the classes that it asks for, and its code is pinned by the signature.
///
/// # Errors
/// [`Error::Refused`] for a pickle that the policy does not allow, and for a folder that is not what a key of the policy
/// signed; [`Error::Untrusted`] with every name that it refuses; those of the formats, of `MLmodel` and of the folder.
pub fn open_folder(path: &Path, what: &What<'_>, policy: Policy) -> Result<Opened<'static>, Error> {
    let mut policy = policy;
    let mut limits = policy.limits().clone();
    let given = Folder::open(path)?;
    let has_signature =
        policy.keys().next().is_some() && given.kind(SIGNATURE)? == Some(EntryKind::File);
    let (copy, digests) = if has_signature || policy.digests().next().is_some() {
        let (copy, digests) = private_copy(&given, &mut limits)?;
        for (name, digest) in &digests {
            held(&policy, name, digest)?;
        }
        (Some(copy), Some(digests))
    } else {
        (None, None)
    };
    let folder = match &copy {
        Some(copy) => Folder::open(copy.path())?,
        None => given,
    };
    let signed = match &copy {
        Some(copy) if has_signature => signed_by(copy.path(), path, &policy)?,
        _ => None,
    };
    let mut open = Vec::new();
    let payload = match what {
        What::Flavor(flavor) => {
            let text = folder.read(MLMODEL, &limits)?;
            let model = MlModel::read(&text, &mut limits)?;
            open.push((MLMODEL.to_owned(), Source::Owned(text)));
            model.payload(&folder, flavor, &mut limits)?
        }
        What::Entry {
            entry,
            format,
            requested,
        } => Payload {
            entry: Some((*entry).to_owned()),
            format: Some((*format).to_owned()),
            trusted_types: requested.to_vec(),
            ..Payload::default()
        },
    };
    let entry = payload.entry.clone().ok_or_else(|| {
        let what = "a flavor does not say where its model is";
        malformed(MLMODEL, what)
    })?;
    // MLflow before 2.0 wrote no format, and pickles.
    let format = payload
        .format
        .clone()
        .unwrap_or_else(|| "pickle".to_owned());
    readable(&entry, &format)?;
    let mut file = folder.file(&entry)?;
    agree(&entry, &format, &mut file)?;
    if let Some(signed) = &signed {
        // A signature says nothing of what stands in `.git` and its like.
        for name in [MLMODEL, &entry] {
            if !signed.files.contains(name) {
                return Err(Error::Signature {
                    model: path.display().to_string(),
                    refused: Refused {
                        reasons: vec![Reason {
                            file: name.to_owned(),
                            why: Why::Added,
                        }],
                    },
                });
            }
        }
    }
    let pins = match (&signed, &digests) {
        (Some(signed), _) => Pins::Signed(&signed.files),
        (_, Some(digests)) => Pins::Digests(digests),
        _ => Pins::None,
    };
    let code = code_rule(&folder, &payload, &policy, &pins, &mut limits)?;
    let granted = match format.as_str() {
        "skops" => {
            let place = signed.as_ref().map(|signed| signed.place.clone());
            policy.request(&payload.trusted_types, place)
        }
        _ => Vec::new(),
    };
    open.push((entry.clone(), Source::File(file.try_clone()?)));
    let content = content_of(file, &format, &entry, path, &policy, &limits)?;
    Ok(Opened {
        content,
        format,
        entry,
        class: payload.class,
        signed_by: signed.map(|signed| signed.key),
        policy,
        granted,
        code,
        files: digests.map_or(Files::Open(open), Files::Hashed),
        copy,
    })
}

/// What stands in the data of a model folder, the values of a booster verified.
fn content_of(
    file: File,
    format: &str,
    entry: &str,
    path: &Path,
    policy: &Policy,
    limits: &Limits,
) -> Result<Content<'static>, Error> {
    Ok(match format {
        "skops" => skops_content(Source::File(file), policy)?,
        "lightgbm" => {
            let source = Source::File(file);
            let bytes = source.read(limits.booster_bytes, "bytes of a booster's text")?;
            Content::Booster(lightgbm::read(&bytes, entry, limits)?.write())
        }
        "catboost" => {
            let source = Source::File(file);
            let bytes = source.read(limits.booster_bytes, "bytes of a CatBoost model")?;
            catboost::read(&bytes, entry, limits)?;
            Content::Bytes(bytes.into_owned())
        }
        "xgboost" => {
            let source = Source::File(file);
            let bytes = source.read(limits.booster_bytes, "bytes of a booster")?;
            xgboost::read(&bytes, entry, limits)?;
            Content::Bytes(bytes.into_owned())
        }
        other if !PICKLED.contains(&other) => {
            return Err(unsupported(entry, other));
        }
        _ => {
            if let Some(why) = policy.pickle_refused_by() {
                return Err(Error::Refused {
                    what: format!(
                        "'{}' is a pickle, and {why}: loading it can run any code that its author wrote. Log the model \
                         again with serialization_format='skops', or allow pickles if you trust its author",
                        path.join(entry).display()
                    ),
                });
            }
            Content::Pickle(file)
        }
    })
}

fn malformed(entry: &str, what: &'static str) -> Error {
    Error::Model(ModelError::Malformed {
        format: "mlmodel",
        at: Location::entry(entry),
        what,
    })
}

/// Refuses a format that nothing here reads.
fn readable(entry: &str, format: &str) -> Result<(), Error> {
    if PICKLED.contains(&format) || FORMATS.iter().any(|row| row.name == format) {
        return Ok(());
    }
    Err(unsupported(entry, format))
}

fn unsupported(entry: &str, format: &str) -> Error {
    Error::Model(ModelError::Unsupported {
        at: Location::entry(entry),
        what: "format of a model",
        name: format.to_owned(),
    })
}

/// What a key of the policy signed.
struct Signed {
    /// The id of the key.
    key: String,
    /// The place of its entry.
    place: String,
    /// The files that it signed.
    files: BTreeSet<String>,
}

/// By which key of the policy a folder is signed; `None` where it is by another key, which grants nothing. `given` is the
/// folder whose private copy `copy` is.
fn signed_by(copy: &Path, given: &Path, policy: &Policy) -> Result<Option<Signed>, Error> {
    let mut keys = Vec::new();
    let mut places = Vec::new();
    for entry in policy.keys() {
        let place = entry.place();
        keys.push(
            PublicKey::from_pem(&entry.what, &place)
                .map_err(|error| Error::policy(Location::entry(&place), error.to_string()))?,
        );
        places.push(place);
    }
    let refused = match signing::verify(copy, &keys, &mut Options::default()) {
        Ok(verified) => {
            let place = keys
                .iter()
                .zip(&places)
                .find(|(key, _)| key.id() == verified.key)
                .map(|(_, place)| place.clone());
            return Ok(Some(Signed {
                key: verified.key,
                place: place.unwrap_or_default(),
                files: verified.digests.into_keys().collect(),
            }));
        }
        Err(signing::Error::Read(error)) => return Err(error.into()),
        Err(signing::Error::Key { at, what }) => {
            return Err(Error::policy(Location::entry(&at), what));
        }
        Err(signing::Error::Refused(refused)) => refused,
    };
    if refused
        .reasons
        .iter()
        .all(|reason| reason.why == Why::OtherKey)
    {
        return Ok(None);
    }
    Err(Error::Signature {
        model: given.display().to_string(),
        refused,
    })
}

/// Formats that Python's unpickler reads.
const PICKLED: &[&str] = &["cloudpickle", "pickle"];

/// Endings of names that pickles have.
const PICKLES: &[&str] = &["joblib", "pickle", "pkl"];

/// Refuses a file whose name, or whose content, is of another format than the one that `MLmodel` says.
fn agree(entry: &str, format: &str, file: &mut File) -> Result<(), Error> {
    let is_pickle = PICKLED.contains(&format);
    let ending = Path::new(entry)
        .extension()
        .and_then(|ending| ending.to_str())
        .unwrap_or("");
    let named = match Format::of_ending(ending) {
        Some(named) => named.name == format,
        None => {
            is_pickle
                || !PICKLES
                    .iter()
                    .any(|known| known.eq_ignore_ascii_case(ending))
        }
    };
    if !named {
        return Err(malformed(
            entry,
            "a model's name ends like one of another format",
        ));
    }
    let mut start = Vec::new();
    let most = u64::try_from(SNIFFED).unwrap_or(u64::MAX);
    (&mut *file).take(most).read_to_end(&mut start)?;
    file.rewind()?;
    if Format::of_bytes(&start).is_some_and(|found| found.name != format) {
        return Err(malformed(entry, "a model's content is of another format"));
    }
    Ok(())
}

/// By what the files of a folder are pinned.
enum Pins<'d> {
    /// By nothing.
    None,
    /// By digests of the policy, where they are those of the files.
    Digests(&'d BTreeMap<String, String>),
    /// By the signature of a key of the policy, which covers these files.
    Signed(&'d BTreeSet<String>),
}

/// Whether the code of a model is used.
fn code_rule(
    folder: &Folder,
    payload: &Payload,
    policy: &Policy,
    pins: &Pins<'_>,
    limits: &mut Limits,
) -> Result<CodeRule, Error> {
    let Some(code) = &payload.code else {
        return Ok(CodeRule::None);
    };
    let refused = |why: String| Ok(CodeRule::Refused(why));
    if policy.code() == Code::Deny {
        return refused("the policy says code = \"deny\"".to_owned());
    }
    if folder.kind(code)? != Some(EntryKind::Folder) {
        return refused("there is no such folder".to_owned());
    }
    if policy.code() == Code::Allow && policy.pickle() {
        return Ok(CodeRule::Reach(folder.path().join(code)));
    }
    let nothing = BTreeMap::new();
    let digests = match pins {
        Pins::Digests(digests) => digests,
        Pins::Signed(_) | Pins::None => &nothing,
    };
    for file in folder.files(code, limits)? {
        let digest = digests.get(&file.name);
        let is_signed = matches!(pins, Pins::Signed(files) if files.contains(&file.name));
        let pinned = is_signed
            || policy.digests().any(|known| {
                Some(&known.what.sha256) == digest
                    && known
                        .what
                        .path
                        .as_ref()
                        .is_none_or(|path| *path == file.name)
            });
        if !pinned {
            let why = match policy.pickle_refused_by() {
                Some(why) if policy.code() == Code::Allow => why,
                _ => "the policy says code = \"pinned\"".to_owned(),
            };
            return refused(format!(
                "{why}, and neither a digest nor a key of the policy pins {}",
                file.name
            ));
        }
    }
    Ok(CodeRule::Reach(folder.path().join(code)))
}

/// Refuses a file whose digest is none of those that the policy has for its path.
fn held(policy: &Policy, name: &str, digest: &str) -> Result<(), Error> {
    let mut of_path = policy
        .digests()
        .filter(|known| known.what.path.as_deref() == Some(name))
        .peekable();
    if of_path.peek().is_none() || of_path.any(|known| known.what.sha256 == digest) {
        return Ok(());
    }
    Err(Error::Model(ModelError::Unverified {
        at: Location::entry(name),
        class: "file".to_owned(),
        what: "its digest is not one that the policy has for its path",
    }))
}

/// A copy of a model folder in a private folder, and the SHA-256 of each file of the copy.
fn private_copy(
    folder: &Folder,
    limits: &mut Limits,
) -> Result<(TempDir, BTreeMap<String, String>), Error> {
    // Only its owner can enter it.
    let mut builder = tempfile::Builder::new();
    builder.prefix("nopickle-");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        builder.permissions(std::fs::Permissions::from_mode(0o700));
    }
    let copy = builder.tempdir()?;
    let mut digests = BTreeMap::new();
    for entry in folder.files("", limits)? {
        let to = copy.path().join(&entry.name);
        if let Some(parent) = to.parent() {
            std::fs::create_dir_all(parent)?;
        }
        let mut from = folder.file(&entry.name)?;
        let mut file = std::fs::OpenOptions::new()
            .write(true)
            .create_new(true)
            .open(&to)?;
        let mut hash = Sha256::new();
        let mut buffer = vec![0; 1 << 20];
        loop {
            let length = from.read(&mut buffer)?;
            let Some(bytes) = buffer.get(..length).filter(|bytes| !bytes.is_empty()) else {
                break;
            };
            hash.update(bytes);
            file.write_all(bytes)?;
        }
        digests.insert(entry.name, hex(&hash.finalize()));
    }
    Ok((copy, digests))
}

/// What a model asks for, and the decision on each, whether it would load or not.
#[derive(Debug)]
pub struct Explained {
    /// The format of the model's data.
    pub format: String,
    /// The path of the model's data, in a folder.
    pub entry: Option<String>,
    /// The entry that holds the graph.
    pub graph: String,
    /// Every name, sorted.
    pub asked: Vec<Asked>,
    /// Why it is refused as a pickle, where it is.
    pub pickle: Option<String>,
    /// The code that it brings: its folder.
    pub code: Option<(String, CodeRule)>,
    /// Each file of that code with its SHA-256.
    pub code_digests: BTreeMap<String, String>,
}

impl Explained {
    /// Whether every name is granted, the format may be loaded and the code be used.
    pub fn granted(&self) -> bool {
        self.pickle.is_none()
            && self.asked.iter().all(|one| one.rule.grants())
            && !matches!(self.code, Some((_, CodeRule::Refused(_))))
    }
}

/// Says what a file or a model folder asks for, and what a policy decides. Values are not verified.
///
/// # Errors
/// Those of the format.
pub fn explain(path: &Path, policy: &Policy) -> Result<Explained, Error> {
    let mut policy = policy.clone();
    let mut limits = policy.limits().clone();
    let mut explained = Explained {
        format: "skops".to_owned(),
        entry: None,
        graph: String::new(),
        asked: Vec::new(),
        pickle: None,
        code: None,
        code_digests: BTreeMap::new(),
    };
    let file = if path.is_dir() {
        let folder = Folder::open(path)?;
        let has_keys = policy.keys().next().is_some();
        let signed = match folder.kind(SIGNATURE)? {
            Some(EntryKind::File) if has_keys => signed_by(path, path, &policy)?,
            _ => None,
        };
        let model = MlModel::open(&folder, &mut limits)?;
        let flavor = flavor_of(&model).unwrap_or("python_function");
        let payload = model.payload(&folder, flavor, &mut limits)?;
        let entry = payload
            .entry
            .clone()
            .ok_or_else(|| malformed(MLMODEL, "a flavor does not say where its model is"))?;
        explained.format = payload
            .format
            .clone()
            .unwrap_or_else(|| "pickle".to_owned());
        readable(&entry, &explained.format)?;
        let mut file = folder.file(&entry)?;
        agree(&entry, &explained.format, &mut file)?;
        if let Some(code) = &payload.code {
            for file in folder.files(code, &mut limits)? {
                let source = Source::File(folder.file(&file.name)?);
                let bytes = source.read(limits.text_bytes, "bytes of a file of code")?;
                explained
                    .code_digests
                    .insert(file.name, hex(&Sha256::digest(&bytes)));
            }
            let pins = match &signed {
                Some(signed) => Pins::Signed(&signed.files),
                None => Pins::Digests(&explained.code_digests),
            };
            let rule = code_rule(&folder, &payload, &policy, &pins, &mut limits)?;
            explained.code = Some((code.clone(), rule));
        }
        policy.request(&payload.trusted_types, signed.map(|signed| signed.place));
        explained.entry = Some(entry);
        file
    } else {
        if !path.metadata()?.is_file() {
            let error = io::Error::new(io::ErrorKind::InvalidInput, "it is not a regular file");
            return Err(ModelError::from(error).into());
        }
        let mut file = File::open(path)?;
        let mut start = Vec::new();
        let most = u64::try_from(SNIFFED).unwrap_or(u64::MAX);
        (&mut file).take(most).read_to_end(&mut start)?;
        file.rewind()?;
        if let Some(found) = Format::of_bytes(&start) {
            found.name.clone_into(&mut explained.format);
        }
        file
    };
    match explained.format.as_str() {
        "skops" => {
            let mut archive = archive::open(Source::File(file), &mut limits)?;
            let graph = skops::read(&mut archive, &mut limits)?;
            graph.entry().clone_into(&mut explained.graph);
            explained.asked = asked(&graph, &policy);
        }
        "lightgbm" => {
            let source = Source::File(file);
            let bytes = source.read(limits.booster_bytes, "bytes of a booster's text")?;
            let name = explained.entry.clone().unwrap_or_default();
            lightgbm::read(&bytes, &name, &limits)?;
        }
        "catboost" => {
            let source = Source::File(file);
            let bytes = source.read(limits.booster_bytes, "bytes of a CatBoost model")?;
            catboost::read(&bytes, explained.entry.as_deref().unwrap_or(""), &limits)?;
        }
        "xgboost" => {
            let source = Source::File(file);
            let bytes = source.read(limits.booster_bytes, "bytes of a booster")?;
            xgboost::read(&bytes, explained.entry.as_deref().unwrap_or(""), &limits)?;
        }
        other if !PICKLED.contains(&other) => {
            let entry = explained.entry.as_deref().unwrap_or("");
            return Err(unsupported(entry, other));
        }
        _ => explained.pickle = policy.pickle_refused_by(),
    }
    Ok(explained)
}

/// The text of a policy with the entries that a model would need, each with a `reason` to fill in.
pub fn entries_for(explained: &Explained) -> String {
    let mut out = String::from(
        "# Entries are grants: fill in each reason once you have read the code that it names.\n",
    );
    for one in explained
        .asked
        .iter()
        .filter(|one| !one.rule.grants() || one.rule == Rule::Request)
    {
        out.push('\n');
        out.push_str(&one.entry_lines());
        out.push_str("reason = \"\"\n");
    }
    if explained.code.is_some() {
        for (path, digest) in &explained.code_digests {
            out.push_str(&crate::policy::digest_lines(path, digest));
            out.push_str("reason = \"\"\n");
        }
    }
    out
}

/// Decides on a skops file without the objects.
///
/// # Errors
/// Those of [`open_skops`], and of the values.
pub fn check_skops(source: Source<'_>, name: Option<&str>, policy: Policy) -> Result<(), Error> {
    let opened = open_skops(source, name, policy)?;
    if let Content::Skops(skops) = opened.content {
        let (mut archive, plan) = *skops;
        plan.verify_in_memory(&mut archive)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::fs;

    use nopickle_formats::archive::Compression;

    use super::*;

    /// A skops file with an object of `mine.Thing`.
    fn skops_file() -> Vec<u8> {
        let mut graph = Graph::new("schema.json");
        let class = graph.global("mine", "Thing").unwrap();
        let state = graph.link(&[]).unwrap();
        let node = graph.push(Node::Object(class, state), 0).unwrap();
        graph.refer(class, Role::Instance, node);
        graph.set_root(node);
        let mut bytes = Vec::new();
        skops::write(&graph, &[], Compression::Stored, &mut bytes).unwrap();
        bytes
    }

    /// A model folder of scikit-learn that asks for `mine.Thing` and brings code.
    struct Model(TempDir);

    impl Model {
        fn new(file: &str, format: &str, data: &[u8]) -> Self {
            let folder = tempfile::tempdir().unwrap();
            let text = format!(
                "flavors:\n  python_function:\n    code: code\n    loader_module: mlflow.sklearn\n    model_path: \
                 {file}\n    python_version: 3.11.0\n  sklearn:\n    code: code\n    pickled_model: {file}\n    \
                 serialization_format: {format}\n    sklearn_version: 1.9.1\n    skops_trusted_types:\n    - mine.Thing\n"
            );
            fs::write(folder.path().join(MLMODEL), text).unwrap();
            fs::write(folder.path().join(file), data).unwrap();
            fs::create_dir(folder.path().join("code")).unwrap();
            fs::write(folder.path().join("code/mine.py"), "class Thing: ...\n").unwrap();
            Self(folder)
        }

        fn open(&self, policy: Policy) -> Result<Opened<'static>, Error> {
            open_folder(self.0.path(), &What::Flavor("sklearn"), policy)
        }

        fn digest(&self, name: &str) -> String {
            hex(&Sha256::digest(fs::read(self.0.path().join(name)).unwrap()))
        }
    }

    fn policy(text: &str) -> Policy {
        Policy::parse(text, Path::new("policy.toml")).unwrap()
    }

    const GRANT: &str = "[[types]]\nname = \"mine.Thing\"\nrole = \"instance\"\n";

    fn said(result: Result<Opened<'_>, Error>) -> String {
        result.map(|_| ()).unwrap_err().to_string()
    }

    #[test]
    fn a_request_is_granted_by_the_defaults_and_by_nothing_else() {
        let model = Model::new("model.skops", "skops", &skops_file());
        let opened = model.open(Policy::default()).unwrap();
        assert_eq!(opened.granted, ["mine.Thing"]);
        assert_eq!(opened.asked().first().unwrap().rule, Rule::Request);
        assert_eq!(opened.code, CodeRule::Reach(model.0.path().join("code")));
        for policy in [
            Policy::default().with_switch(false),
            policy(""),
            policy("pickle = \"deny\""),
        ] {
            let error = model.open(policy).map(|_| ()).unwrap_err();
            let Error::Untrusted(refusal) = error else {
                panic!("{error}");
            };
            assert_eq!(refusal.entry_lines(), GRANT);
        }
        assert!(model.open(policy(GRANT)).is_ok());
        let call = GRANT.replace("instance", "value");
        assert!(said(model.open(policy(&call))).contains("grants less than that"));
    }

    #[test]
    fn a_digest_of_the_policy_holds_the_file_at_its_path() {
        let model = Model::new("model.skops", "skops", &skops_file());
        let digest = model.digest("model.skops");
        let pinned = |path: &str| {
            policy(&format!(
                "{GRANT}[[digests]]\nsha256 = \"{digest}\"\npath = \"{path}\"\n"
            ))
        };
        assert!(model.open(pinned("model.skops")).is_ok());
        assert!(model.open(pinned("model.other")).is_ok());
        let words =
            "MLmodel: unverified file: its digest is not one that the policy has for its path";
        assert_eq!(said(model.open(pinned("MLmodel"))), words);
        let file = |policy| open_skops(Source::Owned(skops_file()), Some("model.skops"), policy);
        assert!(file(pinned("model.skops")).is_ok());
        let other = GRANT.to_owned() + &crate::policy::digest_lines("model.skops", &"0".repeat(64));
        assert!(said(file(policy(&other))).contains("unverified file"));
    }

    #[test]
    fn what_was_hashed_is_what_is_loaded() {
        let model = Model::new("model.skops", "skops", &skops_file());
        let pin = format!(
            "{GRANT}[[digests]]\nsha256 = \"{}\"\n",
            model.digest("code/mine.py")
        );
        let mut opened = model.open(policy(&pin)).unwrap();
        let CodeRule::Reach(code) = opened.code.clone() else {
            panic!("{:?}", opened.code);
        };
        assert!(!code.starts_with(model.0.path()));
        assert_eq!(opened.digests().unwrap().len(), 3);
        let copy = opened.keep().unwrap();
        assert!(code.starts_with(&copy));
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            assert_eq!(
                fs::metadata(&copy).unwrap().permissions().mode() & 0o777,
                0o700
            );
        }
        // The original may change now.
        fs::write(model.0.path().join("code/mine.py"), "evil()").unwrap();
        assert_eq!(
            fs::read_to_string(code.join("mine.py")).unwrap(),
            "class Thing: ...\n"
        );
        fs::remove_dir_all(copy).unwrap();
    }

    #[test]
    fn code_is_used_as_the_policy_says() {
        let model = Model::new("model.skops", "skops", &skops_file());
        let pin = format!(
            "{GRANT}[[digests]]\nsha256 = \"{}\"\n",
            model.digest("code/mine.py")
        );
        let elsewhere = pin.clone() + "path = \"code/other.py\"\n";
        let other = format!("{GRANT}[[digests]]\nsha256 = \"{}\"\n", "0".repeat(64));
        for (code, entries, switch, used) in [
            ("allow", GRANT, true, true),
            ("allow", GRANT, false, false),
            ("allow", &pin, false, true),
            ("pinned", GRANT, true, false),
            ("pinned", &pin, true, true),
            ("pinned", &pin, false, true),
            ("pinned", &elsewhere, true, false),
            ("pinned", &other, true, false),
            ("deny", &pin, true, false),
        ] {
            let policy = policy(&format!("code = \"{code}\"\n{entries}")).with_switch(switch);
            let opened = model.open(policy).unwrap();
            let reached = matches!(opened.code, CodeRule::Reach(_));
            assert_eq!(
                reached, used,
                "{code} {switch} {entries}: {:?}",
                opened.code
            );
        }
        // One file more is one that nobody looked at.
        fs::write(model.0.path().join("code/more.py"), "").unwrap();
        let opened = model
            .open(policy(&format!("code = \"pinned\"\n{pin}")))
            .unwrap();
        let CodeRule::Refused(why) = &opened.code else {
            panic!("{:?}", opened.code);
        };
        assert!(why.contains("code/more.py"), "{why}");
    }

    #[test]
    fn name_mlmodel_and_content_say_the_same() {
        for (file, format, data, words) in [
            (
                "model.pkl",
                "pickle",
                skops_file(),
                "a model's content is of another format",
            ),
            (
                "model.skops",
                "pickle",
                b"\x80\x04N.".to_vec(),
                "a model's name ends like one of another format",
            ),
            (
                "model.lgb",
                "skops",
                skops_file(),
                "a model's name ends like one of another format",
            ),
            (
                "model.PKL",
                "skops",
                skops_file(),
                "a model's name ends like one of another format",
            ),
            (
                "model.skops",
                "skops",
                b"tree\nversion=v4\n".to_vec(),
                "a model's content is of another format",
            ),
            (
                "model.skops",
                "skops",
                b"\x80\x04N.".to_vec(),
                "malformed zip",
            ),
        ] {
            let found = said(Model::new(file, format, &data).open(policy(GRANT)));
            assert!(found.contains(words), "{file} {format}: {found}");
        }
        assert!(
            Model::new("data", "skops", &skops_file())
                .open(policy(GRANT))
                .is_ok()
        );
    }

    #[test]
    fn a_pickle_is_handed_out_only_where_it_is_allowed() {
        let model = Model::new("model.pkl", "cloudpickle", b"\x80\x04N.");
        let opened = model.open(Policy::default()).unwrap();
        let Content::Pickle(mut file) = opened.content else {
            panic!("a pickle is a pickle");
        };
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes).unwrap();
        assert_eq!(bytes, b"\x80\x04N.", "from its start");
        let off = said(model.open(Policy::default().with_switch(false)));
        assert!(
            off.contains("is a pickle, and MLFLOW_ALLOW_PICKLE_DESERIALIZATION is false"),
            "{off}"
        );
        let denied = said(model.open(policy("pickle = \"deny\"")));
        assert!(
            denied.contains("policy.toml says pickle = \"deny\""),
            "{denied}"
        );
    }

    #[test]
    fn the_policy_of_init_lets_the_model_load_and_check_asks_for_reasons() {
        let model = Model::new("model.skops", "skops", &skops_file());
        let closed = policy("code = \"pinned\"");
        let explained = explain(model.0.path(), &closed).unwrap();
        assert!(!explained.granted());
        let text = format!("code = \"pinned\"\n{}", entries_for(&explained));
        let written = policy(&text);
        assert!(
            explain(model.0.path(), &written).unwrap().granted(),
            "{text}"
        );
        assert!(matches!(
            model.open(written.clone()).unwrap().code,
            CodeRule::Reach(_)
        ));
        assert_eq!(written.doubts().len(), 2, "{:?}", written.doubts());
        assert!(
            written
                .doubts()
                .iter()
                .all(|(_, what)| what == "there is no reason")
        );
    }
}
