//! A model on disk: a folder that is opened beneath its root, or one file; and where its signature is.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use nopickle_formats::archive::{Folder, FolderEntry};
use nopickle_formats::{Error, Limits};

use super::SIGNATURE;
use super::statement::ONE_FILE;

enum Content {
    Folder(Folder),
    /// Open until it is hashed.
    File(Option<File>),
}

pub(super) struct Model {
    content: Content,
    name: String,
    signature: PathBuf,
    /// The path of the signature from the root of the folder, where it stands there.
    inside: Option<String>,
}

/// Whether a path is one of some, or stands below one.
pub(super) fn stands_below(name: &str, paths: &BTreeSet<String>) -> bool {
    let mut above = name;
    loop {
        if paths.contains(above) {
            return true;
        }
        match above.rsplit_once('/') {
            Some((parent, _)) => above = parent,
            None => return false,
        }
    }
}

/// Opens a regular file; a pipe is not waited for.
fn regular(path: &Path) -> io::Result<File> {
    if !std::fs::metadata(path)?.is_file() {
        let what = "it is neither a folder nor a regular file";
        return Err(io::Error::new(io::ErrorKind::InvalidInput, what));
    }
    File::open(path)
}

/// The last part of a path, links and dots resolved where it needs that.
fn last_part(path: &Path) -> String {
    let resolved = || path.canonicalize().ok()?.file_name().map(ToOwned::to_owned);
    let name = path.file_name().map(ToOwned::to_owned).or_else(resolved);
    name.unwrap_or_default().to_string_lossy().into_owned()
}

impl Model {
    pub(super) fn open(path: &Path, signature: Option<&Path>) -> Result<Self, Error> {
        let is_folder = std::fs::metadata(path)?.is_dir();
        let content = if is_folder {
            Content::Folder(Folder::open(path)?)
        } else {
            Content::File(Some(regular(path)?))
        };
        let (signature, inside) = match signature {
            Some(signature) => (
                signature.to_owned(),
                is_folder.then(|| below(path, signature)).flatten(),
            ),
            None if is_folder => (path.join(SIGNATURE), Some(SIGNATURE.to_owned())),
            None => {
                let mut name = path.as_os_str().to_owned();
                name.push(".sig");
                (PathBuf::from(name), None)
            }
        };
        Ok(Self {
            content,
            name: last_part(path),
            signature,
            inside,
        })
    }

    pub(super) fn is_folder(&self) -> bool {
        matches!(self.content, Content::Folder(_))
    }

    /// The name of the model, for people.
    pub(super) fn name(&self) -> String {
        self.name.clone()
    }

    pub(super) fn signature_path(&self) -> &Path {
        &self.signature
    }

    pub(super) fn signature_inside(&self) -> Option<&str> {
        self.inside.as_deref()
    }

    pub(super) fn signature_name(&self) -> String {
        self.inside
            .clone()
            .unwrap_or_else(|| last_part(&self.signature))
    }

    /// The text of the signature; `None` where there is none.
    pub(super) fn signature(&self, limits: &Limits) -> Result<Option<Vec<u8>>, Error> {
        let found = match (&self.content, &self.inside) {
            (Content::Folder(folder), Some(name)) => folder.read(name, limits),
            _ => read(&self.signature, limits),
        };
        match found {
            Ok(text) => Ok(Some(text)),
            Err(Error::Io(error)) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Every file but those that `skips` names, sorted.
    pub(super) fn files(
        &self,
        skips: &dyn Fn(&str) -> bool,
        limits: &mut Limits,
    ) -> Result<Vec<FolderEntry>, Error> {
        match &self.content {
            Content::Folder(folder) => folder.files_but("", skips, limits),
            Content::File(file) => {
                let size = match file {
                    Some(file) => file.metadata()?.len(),
                    None => 0,
                };
                let name = ONE_FILE.to_owned();
                Ok(vec![FolderEntry { name, size }])
            }
        }
    }

    /// Opens a file that was listed.
    pub(super) fn file(&mut self, entry: &FolderEntry) -> Result<File, Error> {
        match &mut self.content {
            Content::Folder(folder) => folder.open_entry(entry),
            Content::File(file) => {
                let gone = || io::Error::new(io::ErrorKind::NotFound, "the file was read before");
                Ok(file.take().ok_or_else(gone)?)
            }
        }
    }
}

/// The bytes of a signature that does not stand in the folder.
fn read(path: &Path, limits: &Limits) -> Result<Vec<u8>, Error> {
    let mut text = Vec::new();
    let most = limits.text_bytes.saturating_add(1);
    regular(path)?.take(most).read_to_end(&mut text)?;
    let found = u64::try_from(text.len()).unwrap_or(u64::MAX);
    if found > limits.text_bytes {
        return Err(Error::Limit {
            what: "bytes of a text",
            found,
            limit: limits.text_bytes,
        });
    }
    Ok(text)
}

/// The path of a file from the root of a folder, where it stands there.
fn below(folder: &Path, file: &Path) -> Option<String> {
    let parent = match file.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    let parent = parent.canonicalize().ok()?;
    let inside = parent.strip_prefix(folder.canonicalize().ok()?).ok()?;
    let mut parts: Vec<&str> = Vec::new();
    for part in inside.components() {
        parts.push(part.as_os_str().to_str()?);
    }
    parts.push(file.file_name()?.to_str()?);
    Some(parts.join("/"))
}
