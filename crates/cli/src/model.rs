//! From a path to the answer: the straight line of the library.

use std::fs::File;
use std::io::{self, Read as _, Seek as _, SeekFrom};
use std::path::Path;

use nopickle_formats::archive::{self, Archive, Source};
use nopickle_formats::mlflow::MLMODEL;
use nopickle_formats::scan::{self, Content};
use nopickle_formats::{Booster, Error, Format, Limits, Location, Read};
use nopickle_gate::{Error as GateError, Policy, Unclean, check_skops};

/// Opens a regular file; a folder, a pipe or a device is an error.
pub(crate) fn open(path: &Path) -> Result<File, Error> {
    // Opening a pipe would wait for its writer.
    let found = std::fs::metadata(path)?;
    if !found.is_file() {
        let what = if found.is_dir() {
            "it is a folder"
        } else {
            "it is not a regular file"
        };
        return Err(io::Error::new(io::ErrorKind::InvalidInput, what).into());
    }
    Ok(File::open(path)?)
}

/// The reader of an open file: that of its name's ending, which refuses other content; else that of its content.
/// `None` for what is no model.
pub(crate) fn reader(
    file: &mut File,
    path: &Path,
    limits: &Limits,
) -> io::Result<Option<&'static Format>> {
    let ending = path.extension().and_then(|ending| ending.to_str());
    if let Some(format) = ending.and_then(Format::of_ending) {
        return Ok(Some(format));
    }
    match Format::of_file(file)? {
        // A zip may hold anything.
        Some(format) if matches!(format.read, Read::Graph(_)) => {
            Ok(names_schema(file, limits.clone())?.then_some(format))
        }
        format => Ok(format),
    }
}

/// Refuses a file that is no model and holds a pickle.
pub(crate) fn no_pickle(file: &File, path: &Path, limits: &Limits) -> Result<(), GateError> {
    let found = scan::scan(Source::File(file.try_clone()?), &mut limits.clone());
    match found {
        Ok(found) if matches!(found.content, Content::Pickle) => {
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            Err(GateError::Unclean {
                at: Location::entry(&name),
                why: Unclean::Pickle(found.pickles),
            })
        }
        // What else is wrong with a file that is no model says nothing of pickles.
        Ok(_) | Err(_) => Ok(()),
    }
}

/// Whether a path is that of a model folder: an `MLmodel` stands in it, whatever that is.
pub(crate) fn is_folder(path: &Path) -> bool {
    path.is_dir() && path.join(MLMODEL).symlink_metadata().is_ok()
}

/// The folder of an `MLmodel` that is named itself; else the path.
pub(crate) fn folder_of(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if path.ends_with(MLMODEL) && !path.is_dir() => {
            if parent.as_os_str().is_empty() {
                Path::new(".")
            } else {
                parent
            }
        }
        _ => path,
    }
}

/// The format whose reader says what is wrong with a file that is no model.
pub(crate) fn usual() -> &'static Format {
    // A test of the library holds that there is one.
    Format::of_ending("skops").unwrap_or(&nopickle_formats::FORMATS[0])
}

/// Whether a zip has a `schema.json`, or is a damaged one that names it near its end. What is neither is refused
/// by every load, so that passing over it approves of nothing.
fn names_schema(file: &mut File, mut limits: Limits) -> io::Result<bool> {
    const NEAR: u64 = 1 << 20;
    if let Ok(archive) = entries(file, &mut limits) {
        return Ok(archive.find("schema.json").is_some());
    }
    let length = file.seek(SeekFrom::End(0))?;
    file.seek(SeekFrom::Start(length.saturating_sub(NEAR)))?;
    let mut end = Vec::new();
    file.take(NEAR).read_to_end(&mut end)?;
    Ok(end.windows(11).any(|window| window == b"schema.json"))
}

/// The entries of an open file.
pub(crate) fn entries(file: &File, limits: &mut Limits) -> Result<Archive<'static>, Error> {
    archive::open(Source::File(file.try_clone()?), limits)
}

/// What an open file of a booster says, and how many bytes it has.
pub(crate) fn booster(
    file: &File,
    path: &Path,
    read: fn(&[u8], &str, &Limits) -> Result<Booster, Error>,
    limits: &Limits,
) -> Result<Booster, Error> {
    let source = Source::File(file.try_clone()?);
    let bytes = source.read(limits.booster_bytes, "bytes of a booster")?;
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    read(&bytes, &name, limits)
}

/// Whether an open file would load: names decided, every value checked.
pub(crate) fn decide(
    file: &File,
    path: &Path,
    format: &Format,
    policy: &Policy,
) -> Result<(), GateError> {
    match format.read {
        Read::Graph(_) => {
            let source = Source::File(file.try_clone()?);
            let name = path.file_name().map(|name| name.to_string_lossy());
            check_skops(source, name.as_deref(), policy.clone())
        }
        Read::Booster(read) => {
            booster(file, path, read, policy.limits())?;
            Ok(())
        }
    }
}
