//! From a path to the answer: the straight line of the library.

use std::fs::File;
use std::io;
use std::path::Path;

use nopickle_formats::archive::{self, Archive, Source};
use nopickle_formats::{Error, Limits, Policy, skops};

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

/// The entries of an open file.
pub(crate) fn entries(file: &File, limits: &mut Limits) -> Result<Archive<'static>, Error> {
    archive::open(Source::File(file.try_clone()?), limits)
}

/// Whether an open file would load: names decided, every value checked.
pub(crate) fn decide(file: &File, policy: &Policy, mut limits: Limits) -> Result<(), Error> {
    let mut archive = entries(file, &mut limits)?;
    let graph = skops::read(&mut archive, &mut limits)?;
    graph.trust(policy)?.verify(&mut archive, &mut limits)?;
    Ok(())
}
