//! A folder as named entries, opened beneath its root: no link is followed, and only regular files are read.

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use foldhash::fast::RandomState;
use unicode_normalization::UnicodeNormalization as _;

use crate::error::{Error, Location};
use crate::limits::{Limits, at_most, spend};

/// The kind of an entry, as the folder itself says it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EntryKind {
    /// A regular file.
    File,
    /// A folder.
    Folder,
}

/// A file below a folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FolderEntry {
    /// The path from the root, with `/` between its parts.
    pub name: String,
    /// The bytes of the file.
    pub size: u64,
}

/// A folder whose entries are opened beneath it, part by part, without following links.
///
/// The path of the folder itself is the caller's: links in it are followed.
#[derive(Debug)]
pub struct Folder {
    root: system::Handle,
    path: PathBuf,
}

/// The names in a folder.
#[derive(Debug, Default)]
struct Names {
    utf8: Vec<String>,
    /// One that is not UTF-8, with marks where it is not; no path of a model can name it.
    not_utf8: Option<String>,
}

/// Folders below folders that a walk goes into.
const DEPTH: usize = 64;

impl Folder {
    /// Opens a folder.
    ///
    /// # Errors
    ///
    /// `Io` where it is missing, is not a folder, or may not be read.
    pub fn open(path: &Path) -> Result<Self, Error> {
        Ok(Self {
            root: system::open_root(path)?,
            path: path.to_owned(),
        })
    }

    /// Where the folder is, as it was given.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// What stands at a path, which is checked as [`Folder::file`] does; `None` where nothing does.
    pub fn kind(&self, name: &str) -> Result<Option<EntryKind>, Error> {
        match self.find(name) {
            Ok((parent, last)) => match system::kind(&parent, last)? {
                system::Kind::File => Ok(Some(EntryKind::File)),
                system::Kind::Folder => Ok(Some(EntryKind::Folder)),
                system::Kind::Missing => Ok(None),
                kind => Err(refuse(name, kind)),
            },
            Err(Error::Io(error)) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Opens a regular file.
    ///
    /// Refuses paths that are not relative, that leave the folder or are written in two ways (`..`, `.`, an empty part,
    /// a backslash, a drive letter, NUL, a dot or a space at the end of a part), links, what is not a regular file, and
    /// a part beside which a name stands that differs only in case, or in how its letters are composed.
    pub fn file(&self, name: &str) -> Result<File, Error> {
        let (parent, last) = self.find(name)?;
        open_regular(&parent, last, name)
    }

    /// The bytes of a regular file that is a text: at most `limits.text_bytes`.
    pub fn read(&self, name: &str, limits: &Limits) -> Result<Vec<u8>, Error> {
        let file = self.file(name)?;
        let size = file.metadata()?.len();
        at_most(limits.text_bytes, size, "bytes of a text")?;
        let mut bytes = Vec::new();
        let most = limits.text_bytes.saturating_add(1);
        file.take(most).read_to_end(&mut bytes)?;
        let found = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
        at_most(limits.text_bytes, found, "bytes of a text")?;
        Ok(bytes)
    }

    /// Every file at or below a path, sorted by name; `""` is the folder itself.
    ///
    /// Refuses what [`Folder::file`] refuses, wherever it stands below the path, and a name that is not UTF-8.
    pub fn files(&self, name: &str, limits: &mut Limits) -> Result<Vec<FolderEntry>, Error> {
        self.files_but(name, &|_| false, limits)
    }

    /// Every file at or below a path that does not stand at or below one that `skips` names, sorted by name.
    ///
    /// What is skipped is not opened, and may be anything: a link, a pipe.
    pub fn files_but(
        &self,
        name: &str,
        skips: &dyn Fn(&str) -> bool,
        limits: &mut Limits,
    ) -> Result<Vec<FolderEntry>, Error> {
        let mut found = Vec::new();
        let mut todo = Vec::new();
        if name.is_empty() {
            todo.push((String::new(), 1_usize));
        } else {
            match self.kind(name)? {
                Some(EntryKind::File) => {
                    let size = self.file(name)?.metadata()?.len();
                    let name = name.to_owned();
                    found.push(FolderEntry { name, size });
                }
                Some(EntryKind::Folder) => todo.push((name.to_owned(), 1)),
                None => return Err(missing(name)),
            }
        }
        while let Some((folder, depth)) = todo.pop() {
            let depth_found = u64::try_from(depth).unwrap_or(u64::MAX);
            at_most(
                u64::try_from(DEPTH).unwrap_or(u64::MAX),
                depth_found,
                "nesting of folders",
            )?;
            let handle = if folder.is_empty() {
                self.root.again()?
            } else {
                let (parent, last) = self.beneath(&folder, false)?;
                system::open_folder(&parent, last)?
            };
            let names = system::names(&handle)?;
            let below = |part: &str| {
                if folder.is_empty() {
                    part.to_owned()
                } else {
                    format!("{folder}/{part}")
                }
            };
            if let Some(name) = names.not_utf8 {
                let at = Location::entry(&shown(&below(&name)));
                return Err(Error::malformed("folder", at, "a name is not UTF-8"));
            }
            // The order of a folder is its file system's.
            let mut parts = names.utf8;
            parts.sort_unstable();
            let mut seen: HashMap<String, String, RandomState> = HashMap::default();
            for part in parts {
                spend(&mut limits.entries, 1, "entries")?;
                let name = below(&part);
                if skips(&name) {
                    continue;
                }
                relative(&name)?;
                if let Some(other) = seen.insert(folded(&part), part.clone()) {
                    return Err(twin(&name, &part, &other));
                }
                match system::kind(&handle, &part)? {
                    system::Kind::Folder => todo.push((name, depth.saturating_add(1))),
                    system::Kind::File => {
                        let size = system::open_file(&handle, &part)?.metadata()?.len();
                        found.push(FolderEntry { name, size });
                    }
                    system::Kind::Missing => return Err(missing(&name)),
                    kind => return Err(refuse(&name, kind)),
                }
            }
        }
        found.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(found)
    }

    /// Opens a file that [`Folder::files`] found, as [`Folder::file`] does; the names beside it were looked at there.
    pub fn open_entry(&self, entry: &FolderEntry) -> Result<File, Error> {
        let (parent, last) = self.beneath(&entry.name, false)?;
        open_regular(&parent, last, &entry.name)
    }

    /// The folder that holds the last part of a path, and that part.
    fn find<'n>(&self, name: &'n str) -> Result<(system::Handle, &'n str), Error> {
        self.beneath(name, true)
    }

    /// As [`Folder::find`]; where `looks` is false, the names beside each part are not looked at.
    fn beneath<'n>(&self, name: &'n str, looks: bool) -> Result<(system::Handle, &'n str), Error> {
        relative(name)?;
        let mut folder = self.root.again()?;
        let (parents, last) = match name.rsplit_once('/') {
            Some((parents, last)) => (Some(parents), last),
            None => (None, name),
        };
        for part in parents.into_iter().flat_map(|parents| parents.split('/')) {
            if looks {
                twins(&folder, part, name)?;
            }
            folder = match system::kind(&folder, part)? {
                system::Kind::Folder => system::open_folder(&folder, part)?,
                system::Kind::Missing => return Err(missing(name)),
                system::Kind::File => {
                    let at = Location::entry(name);
                    let what = "a file stands where a folder belongs";
                    return Err(Error::malformed("folder", at, what));
                }
                kind => return Err(refuse(name, kind)),
            };
        }
        if looks {
            twins(&folder, last, name)?;
        }
        Ok((folder, last))
    }
}

/// Refuses a path that is not relative, leaves its folder, or could be written in a second way.
pub fn relative(name: &str) -> Result<(), Error> {
    let wrong = |what| {
        Err(Error::malformed(
            "folder",
            Location::entry(&shown(name)),
            what,
        ))
    };
    if name.is_empty() {
        return wrong("a path is empty");
    }
    if name.contains('\0') {
        return wrong("a path holds a NUL");
    }
    if name.contains('\\') {
        return wrong("a path holds a backslash");
    }
    if name.chars().any(char::is_control) {
        return wrong("a path holds a control character");
    }
    if name.starts_with('/') {
        return wrong("a path is absolute");
    }
    let mut letters = name.chars();
    if letters
        .next()
        .is_some_and(|letter| letter.is_ascii_alphabetic())
        && letters.next() == Some(':')
    {
        return wrong("a path starts with a drive letter");
    }
    for part in name.split('/') {
        match part {
            "" => return wrong("a path has an empty part"),
            "." => return wrong("a path has a part that is a dot"),
            ".." => return wrong("a path leaves its folder"),
            _ if part.ends_with(['.', ' ']) => {
                return wrong("a part of a path ends with a dot or a space");
            }
            _ => {}
        }
    }
    Ok(())
}

/// A name from a file as it may be shown: no control character of it reaches a terminal.
fn shown(name: &str) -> String {
    name.escape_debug().to_string()
}

fn missing(name: &str) -> Error {
    io::Error::new(
        io::ErrorKind::NotFound,
        format!("{} is not in the folder", shown(name)),
    )
    .into()
}

fn refuse(name: &str, kind: system::Kind) -> Error {
    let what = match kind {
        system::Kind::Link => "a link stands in the folder",
        _ => "an entry is neither a file nor a folder",
    };
    Error::malformed("folder", Location::entry(&shown(name)), what)
}

/// Opens a regular file, and nothing else.
fn open_regular(parent: &system::Handle, last: &str, name: &str) -> Result<File, Error> {
    match system::kind(parent, last)? {
        system::Kind::File => {}
        system::Kind::Missing => return Err(missing(name)),
        system::Kind::Folder => {
            let at = Location::entry(name);
            return Err(Error::malformed(
                "folder",
                at,
                "a folder stands where a file belongs",
            ));
        }
        kind => return Err(refuse(name, kind)),
    }
    let file = system::open_file(parent, last)?;
    if !file.metadata()?.is_file() {
        return Err(refuse(name, system::Kind::Other));
    }
    Ok(file)
}

/// A name as the file systems see it that take large and small letters, or a letter and its parts, for the same.
fn folded(part: &str) -> String {
    if part.is_ascii() {
        return part.to_ascii_lowercase();
    }
    part.nfd().flat_map(char::to_lowercase).nfc().collect()
}

fn twin(name: &str, part: &str, other: &str) -> Error {
    let what = if part.to_lowercase() == other.to_lowercase() {
        "two names differ only in case"
    } else {
        "two names differ only in how their letters are composed"
    };
    Error::malformed("folder", Location::entry(&shown(name)), what)
}

/// Refuses a folder in which another name is the same as `part` once both are folded.
fn twins(folder: &system::Handle, part: &str, name: &str) -> Result<(), Error> {
    let wanted = folded(part);
    let mut first: Option<String> = None;
    for other in system::names(folder)?.utf8 {
        if folded(&other) != wanted {
            continue;
        }
        match first {
            Some(first) => return Err(twin(name, &other, &first)),
            None => first = Some(other),
        }
    }
    Ok(())
}

#[cfg(unix)]
mod system {
    //! System calls relative to a folder that is open.

    use std::fs::File;
    use std::io;
    use std::os::fd::{AsFd, OwnedFd};
    use std::path::Path;

    use rustix::fs::{AtFlags, CWD, Dir, FileType, Mode, OFlags, openat, statat};
    use rustix::io::Errno;

    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    pub(super) enum Kind {
        File,
        Folder,
        Link,
        Other,
        Missing,
    }

    #[derive(Debug)]
    pub(super) struct Handle(OwnedFd);

    impl Handle {
        pub(super) fn again(&self) -> io::Result<Self> {
            self.0.try_clone().map(Self)
        }
    }

    const FOLDER: OFlags = OFlags::RDONLY
        .union(OFlags::DIRECTORY)
        .union(OFlags::CLOEXEC);

    pub(super) fn open_root(path: &Path) -> io::Result<Handle> {
        Ok(Handle(openat(CWD, path, FOLDER, Mode::empty())?))
    }

    pub(super) fn open_folder(parent: &Handle, name: &str) -> io::Result<Handle> {
        let flags = FOLDER.union(OFlags::NOFOLLOW);
        Ok(Handle(openat(
            parent.0.as_fd(),
            name,
            flags,
            Mode::empty(),
        )?))
    }

    pub(super) fn open_file(parent: &Handle, name: &str) -> io::Result<File> {
        // NONBLOCK: opening a pipe that took the file's place does not wait for a writer.
        let flags = OFlags::RDONLY
            .union(OFlags::NOFOLLOW)
            .union(OFlags::NONBLOCK)
            .union(OFlags::CLOEXEC);
        let file = openat(parent.0.as_fd(), name, flags, Mode::empty())?;
        Ok(File::from(file))
    }

    pub(super) fn kind(parent: &Handle, name: &str) -> io::Result<Kind> {
        match statat(parent.0.as_fd(), name, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(stat) => Ok(match FileType::from_raw_mode(stat.st_mode) {
                FileType::RegularFile => Kind::File,
                FileType::Directory => Kind::Folder,
                FileType::Symlink => Kind::Link,
                _ => Kind::Other,
            }),
            Err(Errno::NOENT) => Ok(Kind::Missing),
            Err(error) => Err(error.into()),
        }
    }

    pub(super) fn names(folder: &Handle) -> io::Result<super::Names> {
        let mut names = super::Names::default();
        for entry in Dir::read_from(folder.0.as_fd())? {
            let entry = entry?;
            match entry.file_name().to_str() {
                Ok("." | "..") => {}
                Ok(name) => names.utf8.push(name.to_owned()),
                Err(_) => {
                    names.not_utf8 = Some(entry.file_name().to_string_lossy().into_owned());
                }
            }
        }
        Ok(names)
    }
}

#[cfg(not(unix))]
mod system {
    //! Paths that are looked at before they are opened, where there are no calls relative to a folder.

    use std::fs::{self, File};
    use std::io;
    use std::path::{Path, PathBuf};

    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    pub(super) enum Kind {
        File,
        Folder,
        Link,
        Other,
        Missing,
    }

    #[derive(Debug)]
    pub(super) struct Handle(PathBuf);

    impl Handle {
        #[expect(
            clippy::unnecessary_wraps,
            reason = "a system call on the other systems"
        )]
        pub(super) fn again(&self) -> io::Result<Self> {
            Ok(Self(self.0.clone()))
        }
    }

    pub(super) fn open_root(path: &Path) -> io::Result<Handle> {
        fs::read_dir(path)?;
        Ok(Handle(path.to_owned()))
    }

    pub(super) fn open_folder(parent: &Handle, name: &str) -> io::Result<Handle> {
        open_root(&parent.0.join(name))
    }

    pub(super) fn open_file(parent: &Handle, name: &str) -> io::Result<File> {
        File::open(parent.0.join(name))
    }

    pub(super) fn kind(parent: &Handle, name: &str) -> io::Result<Kind> {
        match fs::symlink_metadata(parent.0.join(name)) {
            Ok(found) if found.is_symlink() => Ok(Kind::Link),
            Ok(found) if found.is_file() => Ok(Kind::File),
            Ok(found) if found.is_dir() => Ok(Kind::Folder),
            Ok(_) => Ok(Kind::Other),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Kind::Missing),
            Err(error) => Err(error),
        }
    }

    pub(super) fn names(folder: &Handle) -> io::Result<super::Names> {
        let mut names = super::Names::default();
        for entry in fs::read_dir(&folder.0)? {
            match entry?.file_name().into_string() {
                Ok(name) => names.utf8.push(name),
                Err(name) => names.not_utf8 = Some(name.to_string_lossy().into_owned()),
            }
        }
        Ok(names)
    }
}

#[cfg(test)]
#[cfg(target_os = "linux")]
mod tests {
    use std::ffi::OsStr;
    use std::fs;
    use std::os::unix::ffi::OsStrExt as _;

    use super::*;

    fn folder(name: &str) -> PathBuf {
        let path = std::env::temp_dir().join(format!("nopickle-{name}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&path);
        fs::create_dir_all(path.join("a/b")).unwrap();
        fs::write(path.join("a/b/x"), "1").unwrap();
        fs::write(path.join("a/y"), "22").unwrap();
        fs::write(path.join("z"), "").unwrap();
        path
    }

    fn names(path: &Path, skips: &dyn Fn(&str) -> bool) -> Result<Vec<(String, u64)>, String> {
        let found = Folder::open(path)
            .unwrap()
            .files_but("", skips, &mut Limits::default());
        let pair = |entry: FolderEntry| (entry.name, entry.size);
        found
            .map(|found| found.into_iter().map(pair).collect())
            .map_err(|error| error.to_string())
    }

    #[test]
    fn all_files_are_listed_but_those_that_are_skipped() {
        let path = folder("list");
        let all = [("a/b/x", 1), ("a/y", 2), ("z", 0)];
        let all = all.map(|(name, size)| (name.to_owned(), size)).to_vec();
        assert_eq!(names(&path, &|_| false).unwrap(), all);
        assert_eq!(names(&path, &|name| name == "a/b").unwrap(), all[1..]);
        std::os::unix::fs::symlink("z", path.join("a/b/link")).unwrap();
        assert_eq!(names(&path, &|name| name == "a/b").unwrap(), all[1..]);
        let link = "a/b/link: malformed folder: a link stands in the folder";
        assert_eq!(names(&path, &|_| false).unwrap_err(), link);
        fs::remove_dir_all(path).unwrap();
    }

    #[test]
    fn a_name_that_is_not_utf8_or_has_a_twin_is_refused_in_a_list() {
        let path = folder("twins");
        fs::write(path.join("a/b/X"), "1").unwrap();
        let twins = names(&path, &|_| false).unwrap_err();
        assert!(
            twins.ends_with("malformed folder: two names differ only in case"),
            "{twins}"
        );
        fs::remove_file(path.join("a/b/X")).unwrap();
        fs::write(path.join("a").join(OsStr::from_bytes(b"n\xff")), "1").unwrap();
        fs::write(path.join("a").join("e\u{301}"), "1").unwrap();
        fs::write(path.join("a").join("\u{e9}"), "1").unwrap();
        fs::remove_file(path.join("a").join(OsStr::from_bytes(b"n\xff"))).unwrap();
        let composed = "malformed folder: two names differ only in how their letters are composed";
        let twins = names(&path, &|_| false).unwrap_err();
        assert!(twins.ends_with(composed), "{twins}");
        let opened = Folder::open(&path).unwrap().file("a/\u{e9}").unwrap_err();
        assert!(opened.to_string().ends_with(composed), "{opened}");
        fs::rename(path.join("a/\u{e9}"), path.join("a/E\u{301}")).unwrap();
        let twins = names(&path, &|_| false).unwrap_err();
        assert!(twins.ends_with("two names differ only in case"), "{twins}");
        fs::rename(path.join("a/E\u{301}"), path.join("a/\u{c9}")).unwrap();
        let twins = names(&path, &|_| false).unwrap_err();
        assert!(twins.ends_with(composed), "{twins}");
        fs::remove_file(path.join("a/\u{c9}")).unwrap();
        fs::write(path.join("a").join(OsStr::from_bytes(b"n\xff")), "1").unwrap();
        let other = "a/n\u{fffd}: malformed folder: a name is not UTF-8";
        assert_eq!(names(&path, &|_| false).unwrap_err(), other);
        fs::remove_dir_all(path).unwrap();
    }

    #[test]
    fn a_file_that_was_listed_is_opened_and_a_link_in_its_place_is_not() {
        let path = folder("listed");
        let folder = Folder::open(&path).unwrap();
        let entries = folder.files("", &mut Limits::default()).unwrap();
        assert_eq!(
            folder
                .open_entry(&entries[0])
                .unwrap()
                .metadata()
                .unwrap()
                .len(),
            1
        );
        fs::remove_file(path.join("a/b/x")).unwrap();
        std::os::unix::fs::symlink("../y", path.join("a/b/x")).unwrap();
        let refused = folder.open_entry(&entries[0]).unwrap_err().to_string();
        assert_eq!(
            refused,
            "a/b/x: malformed folder: a link stands in the folder"
        );
        fs::remove_dir_all(path).unwrap();
    }
}
