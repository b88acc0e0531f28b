//! Signed models: the OpenSSF Model Signing format v1.0, with keys.
//!
//! A signature names each file of a model with its digest, and is signed by an ECDSA key on P-256, P-384 or P-521. The
//! rules are those of `docs/formats/model_sig.md`.
//!
//! Sources: `model-signing` 1.1.1 (`_signing/sign_ec_key.py`, `_signing/signing.py`, `manifest.py`); DSSE 1.0
//! (`protocol.md`, `envelope.md`); the bundle of Sigstore, v0.3, as `sigstore-models` 0.0.6 reads it.

mod bundle;
mod digest;
mod json;
mod keys;
mod model;
mod statement;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use nopickle_formats::Limits;
use nopickle_formats::archive::{FileSink, FolderEntry, Sink as _};

use bundle::Bundle;
use digest::Hash;
pub use digest::digits;
pub use keys::{PASSWORD, PrivateKey, PublicKey, password};
use model::Model;
use statement::{Resource, Statement};

/// The file that holds the signature of a folder.
pub const SIGNATURE: &str = "model.sig";

/// Paths of a folder that the reference tool leaves out of a signature, with all that is below them.
const GIT: [&str; 4] = [".git", ".gitattributes", ".github", ".gitignore"];

/// Told how many bytes of how many are hashed; an error ends the work.
pub type Progress<'p> = dyn FnMut(u64, u64) -> io::Result<()> + 'p;

/// How to sign and verify.
#[derive(Default)]
pub struct Options<'p> {
    /// Where the signature is: `model.sig` in the folder, or the name of the file with `.sig` behind it, where none is given.
    pub signature: Option<PathBuf>,
    /// What it may cost.
    pub limits: Limits,
    /// Whom to tell how far it is.
    pub progress: Option<&'p mut Progress<'p>>,
}

/// What was signed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signed {
    /// Where the signature was written.
    pub signature: PathBuf,
    /// The id of the key.
    pub key: String,
    /// The path of each file with its SHA-256; of a model that is one file, the path is `.`.
    pub digests: BTreeMap<String, [u8; 32]>,
}

/// What was verified: the files that a key signed, as they are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verified {
    /// The id of the key that signed them.
    pub key: String,
    /// The name of the model when it was signed, for people.
    pub name: String,
    /// The path of each file with its SHA-256; of a model that is one file, the path is `.`.
    ///
    /// Nothing else of the folder is signed.
    pub digests: BTreeMap<String, [u8; 32]>,
}

/// Why a file is not what was signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Why {
    /// There is no signature.
    NotSigned,
    /// None of the keys that were given is the one that the signature names.
    OtherKey,
    /// The key did not make this signature of this content.
    NotByKey,
    /// A file has other content.
    Changed,
    /// A signed file is gone.
    Missing,
    /// A file stands in the folder that is not signed.
    Added,
    /// Something stands in the folder that cannot be signed, by a rule of `docs/formats/mlmodel.md`.
    Folder(&'static str),
}

impl Why {
    /// The kind in one word.
    pub fn word(self) -> &'static str {
        match self {
            Self::NotSigned => "not_signed",
            Self::OtherKey => "other_key",
            Self::NotByKey => "not_by_key",
            Self::Changed => "changed",
            Self::Missing => "missing",
            Self::Added => "added",
            Self::Folder(_) => "folder",
        }
    }
}

impl fmt::Display for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NotSigned => "the model is not signed",
            Self::OtherKey => "the signature is of another key",
            Self::NotByKey => "the signature does not match its content and key",
            Self::Changed => "the file was changed after it was signed",
            Self::Missing => "the file was signed and is missing",
            Self::Added => "the file was not signed",
            Self::Folder(rule) => rule,
        })
    }
}

/// A file that is not what was signed.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Reason {
    /// Its path in the model; the name of the signature where that is what is wrong.
    pub file: String,
    /// What is wrong.
    pub why: Why,
}

/// All that is not as it was signed, sorted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refused {
    /// At least one.
    pub reasons: Vec<Reason>,
}

impl Refused {
    fn one(file: &str, why: Why) -> Error {
        let file = file.to_owned();
        Error::Refused(Self {
            reasons: vec![Reason { file, why }],
        })
    }

    /// What to do next.
    pub fn hint(&self) -> &'static str {
        match self.reasons.first().map(|reason| reason.why) {
            Some(Why::NotSigned) => {
                "get the model with its signature from where it came, or sign it: `nopickle sign`"
            }
            Some(Why::OtherKey) => "give the public key of whoever signed it, if you trust them",
            _ => {
                "somebody may have changed the model: get it again from where it came; if it was you, sign it again"
            }
        }
    }
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const SHOWN: usize = 20;
        for (index, reason) in self.reasons.iter().take(SHOWN).enumerate() {
            let comma = if index == 0 { "" } else { "; " };
            write!(f, "{comma}{}: {}", reason.file.escape_debug(), reason.why)?;
        }
        match self.reasons.len().checked_sub(SHOWN) {
            Some(more @ 1..) => write!(f, "; and {more} more"),
            _ => Ok(()),
        }
    }
}

impl std::error::Error for Refused {}

/// Why a model could not be signed or verified.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The model or its signature could not be read.
    #[error(transparent)]
    Read(#[from] nopickle_formats::Error),
    /// A key could not be used.
    #[error("{at}: the key is not used: {what}")]
    Key {
        /// Its file.
        at: String,
        /// What is wrong with it, and what to do.
        what: &'static str,
    },
    /// The model is not what one of the keys signed.
    #[error(transparent)]
    Refused(#[from] Refused),
}

impl From<io::Error> for Error {
    fn from(error: io::Error) -> Self {
        Self::Read(error.into())
    }
}

/// Signs a folder or a file: hashes every file with SHA-256, and writes the signature to a temporary file that is renamed.
///
/// Left out are the signature itself and, at the root of a folder, `.git`, `.gitattributes`, `.github` and `.gitignore`, as
/// the reference tool does. The same model, name and key give the same bytes (RFC 6979).
///
/// # Errors
///
/// `Read` where something in the folder is not a regular file or has a name that a model cannot have, where there is nothing
/// to sign, and for what the operating system says.
pub fn sign(model: &Path, key: &PrivateKey, options: &mut Options<'_>) -> Result<Signed, Error> {
    let mut opened = Model::open(model, options.signature.as_deref())?;
    if let Ok(there) = std::fs::symlink_metadata(opened.signature_path())
        && there.is_symlink()
    {
        let what = "the signature would be written through a link";
        return Err(io::Error::new(io::ErrorKind::InvalidInput, what).into());
    }
    let mut ignored: BTreeSet<String> = BTreeSet::new();
    if opened.is_folder() {
        ignored.extend(GIT.map(str::to_owned));
        ignored.extend(opened.signature_inside().map(str::to_owned));
    }
    let files = opened.files(
        &|name| model::stands_below(name, &ignored),
        &mut options.limits,
    )?;
    if files.is_empty() {
        let what = "there is no file to sign";
        return Err(io::Error::new(io::ErrorKind::InvalidInput, what).into());
    }
    let mut progress = Hashing::of(&files, options.progress.take());
    let mut resources = Vec::new();
    let mut digests = BTreeMap::new();
    for entry in &files {
        let found = progress.digest(&mut opened, entry, Hash::Sha256)?;
        resources.push(Resource {
            name: entry.name.clone(),
            digest: found.sha256.to_vec(),
        });
        digests.insert(entry.name.clone(), found.sha256);
    }
    // The order of the reference tool: part by part.
    resources.sort_by(|a, b| a.name.split('/').cmp(b.name.split('/')));
    let statement = Statement {
        name: opened.name(),
        resources,
        hash: Hash::Sha256,
        ignored,
    };
    let payload = statement.write();
    let signature = key.sign(&bundle::pae(payload.as_bytes()));
    let text = bundle::write(key.public().id(), payload.as_bytes(), &signature);
    let mut sink = FileSink::create(opened.signature_path())?;
    sink.append(text.as_bytes())?;
    sink.commit()?;
    Ok(Signed {
        signature: opened.signature_path().to_owned(),
        key: key.public().id().to_owned(),
        digests,
    })
}

/// Whether a folder or a file is what one of the keys signed.
///
/// The signature is verified before what it signs is parsed. Then every file of the folder is listed, and each one that was
/// signed is hashed; all differences are found.
///
/// # Errors
///
/// `Refused` with every file that is not as it was signed; `Read` where the signature breaks a rule of its format, uses what
/// is not supported, or cannot be read; `Key` where no key was given.
pub fn verify(
    model: &Path,
    keys: &[PublicKey],
    options: &mut Options<'_>,
) -> Result<Verified, Error> {
    if keys.is_empty() {
        return Err(Error::Key {
            at: "keys".to_owned(),
            what: "there is none to verify with",
        });
    }
    let mut opened = Model::open(model, options.signature.as_deref())?;
    let at = opened.signature_name();
    let text = opened.signature(&options.limits).map_err(refused_folder)?;
    let Some(text) = text else {
        return Err(Refused::one(&at, Why::NotSigned));
    };
    let bundle = bundle::read(&text, &at, &options.limits)?;
    let key = signer(&bundle, keys, &at)?;
    let place = format!("{at}/payload");
    let statement = Statement::read(&bundle.payload, &place, opened.is_folder(), &options.limits)?;
    let digests = compare(&mut opened, &statement, options)?;
    Ok(Verified {
        key: key.id().to_owned(),
        name: statement.name,
        digests,
    })
}

/// Parses a signature and the statement in it, verifies nothing and returns nothing: for fuzzing the parsers.
#[doc(hidden)]
pub fn parse(text: &[u8], limits: &Limits) -> Result<(), Error> {
    let bundle = bundle::read(text, SIGNATURE, limits)?;
    let read = |text: &[u8]| Statement::read(text, "payload", true, limits);
    let statement = read(&bundle.payload)?;
    let again = read(statement.write().as_bytes())?;
    if again.resources != statement.resources || again.ignored != statement.ignored {
        return Err(Refused::one(SIGNATURE, Why::Changed));
    }
    Ok(())
}

/// The key that signed a bundle.
fn signer<'k>(bundle: &Bundle, keys: &'k [PublicKey], at: &str) -> Result<&'k PublicKey, Error> {
    let message = bundle::pae(&bundle.payload);
    let mut why = Why::OtherKey;
    for key in keys {
        // The name of the key in the bundle is not signed: it chooses among the keys that are trusted, and no more.
        if bundle.hint.as_ref().is_some_and(|hint| hint != key.id()) {
            continue;
        }
        why = Why::NotByKey;
        if key.verify(&message, &bundle.signature, at)? {
            return Ok(key);
        }
    }
    Err(Refused::one(at, why))
}

/// A link, a second name, a pipe: not what was signed, whatever it is.
fn refused_folder(error: nopickle_formats::Error) -> Error {
    match error {
        nopickle_formats::Error::Malformed {
            format: "folder",
            at,
            what,
        } => Refused::one(&at.entry, Why::Folder(what)),
        error => error.into(),
    }
}

/// The digests of all files, if they are those of the statement.
fn compare(
    model: &mut Model,
    statement: &Statement,
    options: &mut Options<'_>,
) -> Result<BTreeMap<String, [u8; 32]>, Error> {
    let signed: BTreeMap<&str, &[u8]> = statement
        .resources
        .iter()
        .map(|resource| (resource.name.as_str(), resource.digest.as_slice()))
        .collect();
    // What may stand in the folder unsigned: the signature, and what belongs to git where the signer left it out.
    let mut ignored: BTreeSet<String> = GIT
        .iter()
        .filter(|name| statement.ignored.contains(**name))
        .map(|name| (*name).to_owned())
        .collect();
    ignored.extend(model.signature_inside().map(str::to_owned));
    if statement.ignored.contains(SIGNATURE) {
        ignored.insert(SIGNATURE.to_owned());
    }
    for name in signed.keys() {
        ignored.remove(*name);
    }
    let files = model.files(
        &|name| model::stands_below(name, &ignored),
        &mut options.limits,
    );
    let files = files.map_err(refused_folder)?;
    let mut reasons = Vec::new();
    let mut common = Vec::new();
    let there: BTreeSet<&str> = files.iter().map(|entry| entry.name.as_str()).collect();
    for name in signed.keys().filter(|name| !there.contains(**name)) {
        reasons.push(Reason {
            file: (*name).to_owned(),
            why: Why::Missing,
        });
    }
    for entry in files {
        if signed.contains_key(entry.name.as_str()) {
            common.push(entry);
        } else {
            reasons.push(Reason {
                file: entry.name,
                why: Why::Added,
            });
        }
    }
    let mut progress = Hashing::of(&common, options.progress.take());
    let mut digests = BTreeMap::new();
    for entry in &common {
        let found = progress.digest(model, entry, statement.hash)?;
        if signed.get(entry.name.as_str()) == Some(&found.digest.as_slice()) {
            digests.insert(entry.name.clone(), found.sha256);
        } else {
            reasons.push(Reason {
                file: entry.name.clone(),
                why: Why::Changed,
            });
        }
    }
    if reasons.is_empty() {
        return Ok(digests);
    }
    reasons.sort();
    Err(Refused { reasons }.into())
}

/// How far the hashing of some files is.
struct Hashing<'p> {
    done: u64,
    total: u64,
    progress: Option<&'p mut Progress<'p>>,
}

impl<'p> Hashing<'p> {
    fn of(files: &[FolderEntry], progress: Option<&'p mut Progress<'p>>) -> Self {
        let add = |sum: u64, entry: &FolderEntry| sum.saturating_add(entry.size);
        Self {
            done: 0,
            total: files.iter().fold(0, add),
            progress,
        }
    }

    fn digest(
        &mut self,
        model: &mut Model,
        entry: &FolderEntry,
        hash: Hash,
    ) -> Result<digest::Found, Error> {
        let file = model.file(entry)?;
        let found = digest::of(file, hash, &mut |bytes| {
            self.done = self.done.saturating_add(bytes);
            match &mut self.progress {
                Some(progress) => progress(self.done, self.total.max(self.done)),
                None => Ok(()),
            }
        })?;
        Ok(found)
    }
}

#[cfg(test)]
mod tests;
