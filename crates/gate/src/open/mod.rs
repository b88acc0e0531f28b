//! The one way in: a file or a model folder is opened by a policy.
//!
//! What is returned has every name decided, with the rule that decided; the values are verified when they are read, which is
//! the only way to the objects. Where digests are part of the decision, the model is first copied into a private folder and
//! hashed there, and that copy is what is verified and loaded.

mod code;
mod content;
mod copy;
mod explain;
#[cfg(test)]
mod fixture;
mod look;
mod names;
mod signed;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use nopickle_formats::archive::{Folder, Source};
use nopickle_formats::mlflow::{MLMODEL, MlModel, Payload};
use sha2::{Digest as _, Sha256};
use tempfile::TempDir;

use self::code::code_rule;
use self::content::{Data, content_of, data_of, skops_content};
use self::copy::{held, hex, private_copy};
use self::signed::{has_signature, signed_by};
use crate::error::Error;
use crate::policy::Policy;
use crate::threads::Threads;

pub use self::code::{CodeRule, ModelCode};
pub use self::content::Content;
pub use self::explain::{Explained, entries_for, explain};
pub use self::look::{Looked, LookedFile, look};
pub use self::names::{Asked, Refusal, asked};
pub use self::signed::public_keys;

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
    /// What the `MLmodel` says that the decision was made on; of a file none.
    pub mlmodel: Option<MlModel>,
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
        mlmodel: None,
        signed_by: None,
        policy,
        granted: Vec::new(),
        code: CodeRule::None,
        files,
        copy: None,
    })
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
    let has_signature = has_signature(&given, &policy)?;
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
    let mut mlmodel = None;
    let payload = match what {
        What::Flavor(flavor) => {
            let text = folder.read(MLMODEL, &limits)?;
            let model = MlModel::read(&text, &mut limits)?;
            open.push((MLMODEL.to_owned(), Source::Owned(text)));
            let model = mlmodel.insert(model);
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
    let Data {
        entry,
        format,
        file,
    } = data_of(&folder, &payload)?;
    if let Some(signed) = &signed {
        for name in [MLMODEL, &entry] {
            signed.holds(path, name, None)?;
        }
    }
    let signed_files = signed.as_ref().map(|signed| &signed.files);
    let code = code_rule(&folder, &payload, &policy, signed_files, &mut limits)?;
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
        mlmodel,
        signed_by: signed.map(|signed| signed.key),
        policy,
        granted,
        code,
        files: digests.map_or(Files::Open(open), Files::Hashed),
        copy,
    })
}

/// Decides on a skops file without the objects.
///
/// # Errors
/// Those of [`open_skops`], and of the values.
pub fn check_skops(source: Source<'_>, name: Option<&str>, policy: Policy) -> Result<(), Error> {
    let opened = open_skops(source, name, policy)?;
    if let Content::Skops(skops) = opened.content {
        let (mut archive, plan) = *skops;
        plan.verify_in_memory(&mut archive, &Threads)?;
    }
    Ok(())
}
