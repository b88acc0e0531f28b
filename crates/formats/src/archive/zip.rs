//! Reads a canonical zip: one where every reader sees the same entries, or none at all.
//!
//! Source: APPNOTE.TXT 6.3.10, and what Python's `zipfile` and torch's writer leave behind.
//! The rules are those of `docs/formats/zip.md`.

use std::borrow::Cow;
use std::cell::Cell;
use std::collections::HashMap;
use std::hash::BuildHasher;

use foldhash::fast::RandomState;

use super::decode::{Broken, EntryReader};
use super::source::{Source, Window};
use crate::error::{Error, Location};
use crate::limits::{Limits, at_most, spend};

/// How an entry's bytes are compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Method {
    Stored,
    Deflate,
    Bzip2,
    Lzma,
}

/// One named run of bytes in an archive.
#[derive(Debug, Clone)]
pub struct Entry {
    /// The name, `/`-separated, relative, ASCII.
    pub name: String,
    /// Bytes after inflating.
    pub size: u64,
    /// Bytes in the archive.
    pub compressed: u64,
    pub(super) method: Method,
    pub(super) end_marked: bool,
    pub(super) crc: u32,
    pub(super) data_offset: u64,
}

impl Entry {
    /// The name of the compression: `stored`, `deflate`, `bzip2` or `lzma`.
    pub fn method(&self) -> &'static str {
        match self.method {
            Method::Stored => "stored",
            Method::Deflate => "deflate",
            Method::Bzip2 => "bzip2",
            Method::Lzma => "lzma",
        }
    }
}

/// Named entries, checked as a whole; their bytes are read on demand.
#[derive(Debug)]
pub struct Archive<'a> {
    window: Window<'a>,
    entries: Vec<Entry>,
    names: Names,
    /// The entry that comes after the one that was found last.
    next: Cell<usize>,
}

/// Entries by the hashes of their names in lower case.
#[derive(Debug)]
struct Names {
    hasher: RandomState,
    first: HashMap<u64, usize, RandomState>,
    /// Entries whose hash is that of another name.
    more: Vec<usize>,
}

impl Names {
    fn hash(&self, name: &str) -> u64 {
        if name.bytes().any(|byte| byte.is_ascii_uppercase()) {
            self.hasher.hash_one(name.to_ascii_lowercase())
        } else {
            self.hasher.hash_one(name)
        }
    }

    /// The entry whose name is this but for case.
    fn find(&self, entries: &[Entry], name: &str) -> Option<usize> {
        let same = |index: usize| {
            let entry = entries.get(index);
            entry.is_some_and(|entry| entry.name.eq_ignore_ascii_case(name))
        };
        let first = self.first.get(&self.hash(name)).copied()?;
        if same(first) {
            return Some(first);
        }
        self.more.iter().copied().find(|&index| same(index))
    }

    /// Adds a name, if it is new.
    fn insert(&mut self, entries: &[Entry], name: &str) -> Result<(), usize> {
        let hash = self.hash(name);
        match self.first.get(&hash) {
            None => {
                self.first.insert(hash, entries.len());
            }
            Some(_) => match self.find(entries, name) {
                Some(twin) => return Err(twin),
                None => self.more.push(entries.len()),
            },
        }
        Ok(())
    }
}

const CENTRAL: &[u8] = b"PK\x01\x02";
const LOCAL: &[u8] = b"PK\x03\x04";
const END: &[u8] = b"PK\x05\x06";
const END_64: &[u8] = b"PK\x06\x06";
const LOCATOR_64: &[u8] = b"PK\x06\x07";
const DESCRIPTOR: &[u8] = b"PK\x07\x08";

const FLAG_ENCRYPTED: u16 = 1;
/// LZMA: the data ends with a marker.
const FLAG_END_MARKED: u16 = 1 << 1;
const FLAG_DESCRIPTOR: u16 = 1 << 3;
const FLAG_UTF8: u16 = 1 << 11;
/// For deflate, bits 1 and 2 tell how hard the compressor tried.
const FLAGS_KNOWN: u16 = FLAG_ENCRYPTED | FLAG_END_MARKED | (1 << 2) | FLAG_DESCRIPTOR | FLAG_UTF8;

fn malformed(offset: u64, what: &'static str) -> Error {
    Error::malformed("zip", Location::byte("", offset), what)
}

/// Little-endian fields of a zip record, in order.
struct Fields<'a>(&'a [u8]);

impl Fields<'_> {
    fn u16(&mut self) -> u16 {
        let (head, rest) = self.0.split_first_chunk::<2>().unwrap_or((&[0; 2], &[]));
        self.0 = rest;
        u16::from_le_bytes(*head)
    }

    fn u32(&mut self) -> u32 {
        let (head, rest) = self.0.split_first_chunk::<4>().unwrap_or((&[0; 4], &[]));
        self.0 = rest;
        u32::from_le_bytes(*head)
    }

    fn u64(&mut self) -> u64 {
        let (head, rest) = self.0.split_first_chunk::<8>().unwrap_or((&[0; 8], &[]));
        self.0 = rest;
        u64::from_le_bytes(*head)
    }
}

/// Opens an archive: reads and checks its directory and all local headers, inflates nothing.
///
/// # Errors
/// [`Error::Malformed`] where two readers could see different entries (duplicate names, overlaps,
/// gaps, headers that disagree, bytes before the first or after the last record) or a name leaves the
/// archive; [`Error::Unsupported`] for encryption, other compressions, comments, links, directories
/// and names outside ASCII; [`Error::Limit`] for more entries than allowed.
pub fn open<'a>(source: Source<'a>, limits: &mut Limits) -> Result<Archive<'a>, Error> {
    let mut window = Window::new(source)?;
    let directory = end_record(&mut window)?;
    spend(&mut limits.entries, directory.count, "number of entries")?;
    let size = usize::try_from(directory.size)
        .map_err(|_| malformed(directory.offset, "the directory is too large"))?;
    // Each entry takes at least 46 bytes, so this is bounded by the file itself.
    if directory
        .count
        .checked_mul(46)
        .is_none_or(|least| least > directory.size)
    {
        return Err(malformed(
            directory.offset,
            "the directory is shorter than its count of entries",
        ));
    }
    let mut bytes = vec![0; size];
    window.read_exact_at(&mut bytes, directory.offset)?;
    let mut listed = central_records(&bytes, directory.offset, directory.count)?;
    listed.sort_by_key(|record| record.header_offset);
    let mut expected = 0_u64;
    let mut entries = Vec::with_capacity(listed.len());
    let mut names = Names {
        hasher: RandomState::default(),
        first: HashMap::with_capacity_and_hasher(listed.len(), RandomState::default()),
        more: Vec::new(),
    };
    for record in listed {
        if record.header_offset != expected {
            let what = if record.header_offset < expected {
                "two entries overlap"
            } else {
                "bytes lie between two entries"
            };
            return Err(malformed(record.header_offset, what));
        }
        let (entry, end) = local_record(&mut window, record, directory.offset)?;
        expected = end;
        if let Err(twin) = names.insert(&entries, &entry.name) {
            let at = Location::entry(&entry.name);
            let same = entries
                .get(twin)
                .is_some_and(|twin: &Entry| twin.name == entry.name);
            let what = if same {
                "two entries have one name"
            } else {
                "two names differ only in case"
            };
            return Err(Error::malformed("zip", at, what));
        }
        entries.push(entry);
    }
    if expected != directory.offset {
        return Err(malformed(
            expected,
            "bytes lie between the last entry and the directory",
        ));
    }
    Ok(Archive {
        window,
        entries,
        names,
        next: Cell::new(0),
    })
}

/// Where the central directory stands.
struct Directory {
    offset: u64,
    size: u64,
    count: u64,
}

fn end_record(window: &mut Window<'_>) -> Result<Directory, Error> {
    let length = window.len();
    let Some(at) = length.checked_sub(22) else {
        return Err(malformed(0, "the file is too short for a zip"));
    };
    let record: [u8; 22] = read_array(window, at)?;
    if !record.starts_with(END) {
        // Say what it is, where that is easy to tell.
        let start = window.peek(0, 4)?;
        let what = if start == LOCAL {
            "the file does not end with its end record: it is truncated, or bytes follow"
        } else {
            "the file is not a zip"
        };
        return Err(malformed(at, what));
    }
    let mut fields = Fields(record.get(4..).unwrap_or_default());
    let (disk, directory_disk) = (fields.u16(), fields.u16());
    let (here, all) = (fields.u16(), fields.u16());
    let (size, offset, comment) = (fields.u32(), fields.u32(), fields.u16());
    if comment != 0 {
        return Err(malformed(at, "bytes follow the end record"));
    }
    // zipfile writes 65,535 entries without the long record.
    let wide = size == u32::MAX || offset == u32::MAX;
    let locator = match at.checked_sub(20) {
        Some(at) => {
            let bytes: [u8; 20] = read_array(window, at)?;
            bytes.starts_with(LOCATOR_64).then_some((at, bytes))
        }
        None => None,
    };
    let (directory, end) = match (locator, wide) {
        (Some((locator_at, bytes)), _) => {
            let mut fields = Fields(bytes.get(4..).unwrap_or_default());
            let (disk_64, offset_64, disks) = (fields.u32(), fields.u64(), fields.u32());
            if disk_64 != 0 || disks != 1 || locator_at.checked_sub(56) != Some(offset_64) {
                return Err(malformed(
                    locator_at,
                    "the zip64 locator does not point to its record",
                ));
            }
            let record: [u8; 56] = read_array(window, offset_64)?;
            if !record.starts_with(END_64) {
                return Err(malformed(
                    offset_64,
                    "the zip64 locator does not point to its record",
                ));
            }
            let mut fields = Fields(record.get(4..).unwrap_or_default());
            let record_size = fields.u64();
            let _versions = fields.u32();
            let disks = (fields.u32(), fields.u32());
            let (here_64, all_64, size_64, offset_dir) =
                (fields.u64(), fields.u64(), fields.u64(), fields.u64());
            if record_size != 44 || disks != (0, 0) || here_64 != all_64 {
                return Err(malformed(
                    offset_64,
                    "the zip64 end record is not that of one file",
                ));
            }
            let agrees = |short: u64, mark: u64, long: u64| short == long || short == mark;
            if !(agrees(u64::from(here), 0xFFFF, here_64)
                && agrees(u64::from(size), 0xFFFF_FFFF, size_64)
                && agrees(u64::from(offset), 0xFFFF_FFFF, offset_dir))
            {
                return Err(malformed(at, "the two end records disagree"));
            }
            let directory = Directory {
                offset: offset_dir,
                size: size_64,
                count: here_64,
            };
            (directory, offset_64)
        }
        (None, true) => return Err(malformed(at, "the zip64 end record is missing")),
        (None, false) => {
            let directory = Directory {
                offset: u64::from(offset),
                size: u64::from(size),
                count: u64::from(here),
            };
            (directory, at)
        }
    };
    if disk != 0 || directory_disk != 0 || here != all {
        return Err(malformed(at, "the archive is split over several files"));
    }
    if directory.offset.checked_add(directory.size) != Some(end) {
        return Err(malformed(
            at,
            "the directory does not end at the end record",
        ));
    }
    Ok(directory)
}

fn read_array<const N: usize>(window: &mut Window<'_>, offset: u64) -> Result<[u8; N], Error> {
    let mut bytes = [0; N];
    window.read_exact_at(&mut bytes, offset)?;
    Ok(bytes)
}

/// What the central directory says of an entry.
struct Central {
    name: String,
    flags: u16,
    method: Method,
    crc: u32,
    compressed: u64,
    size: u64,
    header_offset: u64,
}

fn central_records(bytes: &[u8], start: u64, count: u64) -> Result<Vec<Central>, Error> {
    let mut rest = bytes;
    let mut records = Vec::new();
    for _ in 0..count {
        let done = bytes.len().saturating_sub(rest.len());
        let at = start.saturating_add(u64::try_from(done).unwrap_or(u64::MAX));
        let truncated = || malformed(at, "the directory ends inside a record");
        let (head, tail) = rest.split_at_checked(46).ok_or_else(truncated)?;
        if !head.starts_with(CENTRAL) {
            return Err(malformed(
                at,
                "the directory holds fewer records than its count",
            ));
        }
        let mut fields = Fields(head.get(6..).unwrap_or_default());
        let version = fields.u16();
        let (flags, method) = (fields.u16(), fields.u16());
        let _time = fields.u32();
        let (crc, compressed, size) = (fields.u32(), fields.u32(), fields.u32());
        let (name, extra, comment) = (fields.u16(), fields.u16(), fields.u16());
        let (disk, _internal, external, offset) =
            (fields.u16(), fields.u16(), fields.u32(), fields.u32());
        let (name, tail) = tail
            .split_at_checked(usize::from(name))
            .ok_or_else(truncated)?;
        let (extra, tail) = tail
            .split_at_checked(usize::from(extra))
            .ok_or_else(truncated)?;
        let name = entry_name(name, at)?;
        let location = || Location::entry(&name);
        if comment != 0 {
            return Err(Error::unsupported(
                location(),
                "zip feature",
                "a comment of an entry",
            ));
        }
        if disk != 0 {
            return Err(malformed(at, "the archive is split over several files"));
        }
        let kind = external.checked_shr(16).unwrap_or(0) & 0o170_000;
        if kind != 0 && kind != 0o100_000 {
            return Err(Error::unsupported(
                location(),
                "zip feature",
                "an entry that is not a regular file",
            ));
        }
        check_version(version, &name)?;
        let method = check_flags(flags, method, &name)?;
        let mut wide = Zip64::new(extra, &name)?;
        let size = wide.field(size)?;
        let compressed = wide.field(compressed)?;
        let header_offset = wide.field(offset)?;
        records.push(Central {
            name,
            flags,
            method,
            crc,
            compressed,
            size,
            header_offset,
        });
        rest = tail;
    }
    if !rest.is_empty() {
        let at = start
            .saturating_add(u64::try_from(bytes.len().saturating_sub(rest.len())).unwrap_or(0));
        return Err(malformed(
            at,
            "the directory holds more than its count of records",
        ));
    }
    Ok(records)
}

/// APPNOTE 6.3: readers take versions up to 6.3 (`zipfile.MAX_EXTRACT_VERSION`).
fn check_version(version: u16, name: &str) -> Result<(), Error> {
    let needed = version & 0xFF;
    if needed > 63 {
        return Err(Error::unsupported(
            Location::entry(name),
            "zip version",
            needed.to_string(),
        ));
    }
    Ok(())
}

fn check_flags(flags: u16, method: u16, name: &str) -> Result<Method, Error> {
    let unsupported = |what: &str| Error::unsupported(Location::entry(name), "zip feature", what);
    if flags & FLAG_ENCRYPTED != 0 {
        return Err(unsupported("encryption"));
    }
    if flags & !FLAGS_KNOWN != 0 {
        return Err(unsupported(
            "a general purpose flag that readers disagree on",
        ));
    }
    match method {
        0 => Ok(Method::Stored),
        8 => Ok(Method::Deflate),
        12 => Ok(Method::Bzip2),
        14 => Ok(Method::Lzma),
        other => Err(Error::unsupported(
            Location::entry(name),
            "zip compression method",
            other.to_string(),
        )),
    }
}

/// A name that means one thing to every reader: relative, `/`-separated, printable ASCII.
fn entry_name(bytes: &[u8], at: u64) -> Result<String, Error> {
    let name = match std::str::from_utf8(bytes) {
        Ok(name) if name.is_ascii() => name,
        _ => {
            return Err(Error::unsupported(
                Location::byte("", at),
                "zip feature",
                "an entry name outside ASCII",
            ));
        }
    };
    let usual = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-';
    if let Some(stem) = name.strip_suffix(".npy")
        && !stem.is_empty()
        && stem.bytes().all(usual)
    {
        // The usual name of an array breaks none of the rules below.
        return Ok(name.to_owned());
    }
    let broken = |what| Err(malformed(at, what));
    if name.is_empty() {
        return broken("an entry has no name");
    }
    if name.bytes().any(|byte| byte < b' ' || byte == 0x7F) {
        return broken("a name holds a control character");
    }
    if name.contains('\\') {
        return broken("a name holds a backslash");
    }
    if name.starts_with('/') {
        return broken("a name is an absolute path");
    }
    if name.as_bytes().get(1) == Some(&b':') {
        return broken("a name holds a drive letter");
    }
    if name.ends_with('/') {
        return Err(Error::unsupported(
            Location::entry(name),
            "zip feature",
            "an entry that is not a regular file",
        ));
    }
    if name.split('/').any(|part| {
        part.is_empty() || part == "." || part.ends_with("..") || part.ends_with(['.', ' '])
    }) {
        return broken("a name has an empty part, a `..` or one that ends in a dot or space");
    }
    Ok(name.to_owned())
}

/// The zip64 extra field of a record, which holds the values that did not fit, in a fixed order.
struct Zip64<'a> {
    values: Option<Fields<'a>>,
    name: &'a str,
}

impl<'a> Zip64<'a> {
    fn new(extra: &'a [u8], name: &'a str) -> Result<Self, Error> {
        let mut values = None;
        let mut rest = extra;
        while !rest.is_empty() {
            let broken = || {
                Error::malformed(
                    "zip",
                    Location::entry(name),
                    "an extra field does not fit its record",
                )
            };
            let (head, tail) = rest.split_first_chunk::<4>().ok_or_else(broken)?;
            let mut head = Fields(head);
            let (id, size) = (head.u16(), head.u16());
            let (data, tail) = tail
                .split_at_checked(usize::from(size))
                .ok_or_else(broken)?;
            if id == 0x7075 {
                return Err(Error::unsupported(
                    Location::entry(name),
                    "zip feature",
                    "a name in an extra field",
                ));
            }
            if id == 1 && values.replace(Fields(data)).is_some() {
                return Err(Error::malformed(
                    "zip",
                    Location::entry(name),
                    "two zip64 extra fields",
                ));
            }
            rest = tail;
        }
        Ok(Self { values, name })
    }

    fn field(&mut self, short: u32) -> Result<u64, Error> {
        if short != u32::MAX {
            return Ok(u64::from(short));
        }
        match &mut self.values {
            Some(fields) if fields.0.len() >= 8 => Ok(fields.u64()),
            _ => Err(Error::malformed(
                "zip",
                Location::entry(self.name),
                "a zip64 value is missing",
            )),
        }
    }
}

/// Checks the local header of an entry against the directory. Returns where the next record starts.
fn local_record(window: &mut Window<'_>, record: Central, end: u64) -> Result<(Entry, u64), Error> {
    let at = record.header_offset;
    let broken = |what| Error::malformed("zip", Location::entry(&record.name), what);
    let name_length = record.name.len();
    let head = window.peek(at, name_length.saturating_add(30))?;
    let (Some(fixed), Some(name)) = (head.get(..30), head.get(30..)) else {
        return Err(broken("the local header is missing"));
    };
    if !fixed.starts_with(LOCAL) {
        return Err(broken("the local header is missing"));
    }
    let mut fields = Fields(fixed.get(4..).unwrap_or_default());
    check_version(fields.u16(), &record.name)?;
    let (flags, method) = (fields.u16(), fields.u16());
    let _time = fields.u32();
    let (crc, compressed, size) = (fields.u32(), fields.u32(), fields.u32());
    let (local_name, extra) = (fields.u16(), fields.u16());
    if usize::from(local_name) != name_length || name != record.name.as_bytes() {
        return Err(broken(
            "the local header has another name than the directory",
        ));
    }
    if flags != record.flags {
        return Err(broken(
            "the local header has other flags than the directory",
        ));
    }
    if check_flags(flags, method, &record.name)? != record.method {
        return Err(broken(
            "the local header has another compression than the directory",
        ));
    }
    let extra_at = at.saturating_add(30).saturating_add(u64::from(local_name));
    let data_offset = extra_at.saturating_add(u64::from(extra));
    let mut wide = Zip64::new(window.peek(extra_at, usize::from(extra))?, &record.name)?;
    let described = flags & FLAG_DESCRIPTOR != 0;
    let mut same = |local: u32, listed: u64| -> Result<bool, Error> {
        let local_wide = wide.field(local)?;
        Ok(local_wide == listed || (described && local_wide == 0))
    };
    if !(same(size, record.size)? && same(compressed, record.compressed)?) {
        return Err(broken(
            "the local header has other sizes than the directory",
        ));
    }
    if crc != record.crc && !(described && crc == 0) {
        return Err(broken(
            "the local header has another checksum than the directory",
        ));
    }
    if record.method == Method::Stored && record.size != record.compressed {
        return Err(broken("a stored entry has two sizes"));
    }
    let mut next = data_offset
        .checked_add(record.compressed)
        .filter(|&next| next <= end)
        .ok_or_else(|| broken("the entry reaches into the directory"))?;
    if described {
        next = next.saturating_add(descriptor(window, &record, next)?);
        if next > end {
            return Err(broken("the entry reaches into the directory"));
        }
    }
    let entry = Entry {
        name: record.name,
        size: record.size,
        compressed: record.compressed,
        method: record.method,
        end_marked: flags & FLAG_END_MARKED != 0,
        crc: record.crc,
        data_offset,
    };
    Ok((entry, next))
}

/// The length of the data descriptor at `at`, which must say what the directory says.
fn descriptor(window: &mut Window<'_>, record: &Central, at: u64) -> Result<u64, Error> {
    let bytes = window.peek(at, 24)?;
    let (bytes, short_length, long_length) = match bytes.strip_prefix(DESCRIPTOR) {
        Some(rest) => (rest, 16, 24),
        None => (bytes, 12, 20),
    };
    // Long sizes where one of them needs it, or where the writer always takes them (torch does).
    let mut long = Fields(bytes);
    if bytes.len() >= 20
        && long.u32() == record.crc
        && long.u64() == record.compressed
        && long.u64() == record.size
        && (record.size > 0xFFFF_FFFF || record.compressed > 0xFFFF_FFFF || record.compressed != 0)
    {
        return Ok(long_length);
    }
    let mut short = Fields(bytes);
    if bytes.len() >= 12
        && short.u32() == record.crc
        && u64::from(short.u32()) == record.compressed
        && u64::from(short.u32()) == record.size
    {
        return Ok(short_length);
    }
    Err(Error::malformed(
        "zip",
        Location::entry(&record.name),
        "the data descriptor disagrees with the directory",
    ))
}

/// Stored entries below this are read through the window in one piece.
const SMALL: usize = 32 * 1024;

impl<'a> Archive<'a> {
    /// All entries in the order of the file.
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// The index of an entry.
    pub fn find(&self, name: &str) -> Option<usize> {
        // Files mostly name their entries in order.
        let next = self.next.get();
        let is_next = self.entries.get(next);
        let index = if is_next.is_some_and(|entry| entry.name == name) {
            next
        } else {
            let index = self.names.find(&self.entries, name)?;
            self.entries.get(index).filter(|entry| entry.name == name)?;
            index
        };
        self.next.set(index.saturating_add(1));
        Some(index)
    }

    /// Bytes of the whole archive.
    pub fn len(&self) -> u64 {
        self.window.len()
    }

    /// Whether the archive has no entry.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    pub(crate) fn entry(&self, index: usize) -> Result<&Entry, Error> {
        self.entries
            .get(index)
            .ok_or_else(|| malformed(0, "the entry is missing"))
    }

    /// Pays for the inflated bytes of an entry, once for each time that it is read whole.
    pub(crate) fn pay(&self, index: usize, limits: &mut Limits) -> Result<(), Error> {
        let entry = self.entry(index)?;
        if entry.method == Method::Stored {
            return Ok(());
        }
        spend(&mut limits.inflated_bytes, entry.size, "inflated size")
    }

    pub(crate) fn reader(&mut self) -> Reader<'_, 'a> {
        Reader {
            window: &mut self.window,
            entries: &self.entries,
        }
    }

    /// What several threads read entries from.
    pub(crate) fn shared(&self) -> Shared<'_> {
        Shared {
            source: self.window.source(),
            entries: &self.entries,
        }
    }

    /// The name of an entry and its first bytes, at most `length`, without checking the rest.
    pub(crate) fn prefix(
        &mut self,
        index: usize,
        length: usize,
    ) -> Result<(&str, Cow<'_, [u8]>), Error> {
        let entry = self.entry(index)?;
        let length = usize::try_from(entry.size)
            .unwrap_or(usize::MAX)
            .min(length);
        if entry.method != Method::Stored {
            let mut bytes = vec![0; length];
            self.reader()
                .with(index, |reader| reader.read(&mut bytes), false)?;
            return Ok((&self.entry(index)?.name, Cow::Owned(bytes)));
        }
        let entry = self
            .entries
            .get(index)
            .ok_or_else(|| malformed(0, "the entry is missing"))?;
        let bytes = self.window.peek(entry.data_offset, length)?;
        Ok((&entry.name, Cow::Borrowed(bytes)))
    }

    /// All bytes of an entry, at most `limit`; the caller has paid.
    pub(crate) fn read(
        &mut self,
        index: usize,
        limit: u64,
        what: &'static str,
    ) -> Result<Vec<u8>, Error> {
        let size = self.entry(index)?.size;
        at_most(limit, size, what)?;
        let mut bytes = vec![0; usize::try_from(size).unwrap_or(usize::MAX)];
        self.reader()
            .with(index, |reader| reader.read(&mut bytes), true)?;
        Ok(bytes)
    }

    /// Reads a whole entry for its checksum only.
    pub(crate) fn check(&mut self, index: usize) -> Result<(), Error> {
        let mut left = self.entry(index)?.size;
        let mut buffer = vec![0; 256 * 1024];
        self.reader().with(
            index,
            |reader| {
                while left > 0 {
                    let piece = usize::try_from(left)
                        .unwrap_or(usize::MAX)
                        .min(buffer.len());
                    reader.read(buffer.get_mut(..piece).unwrap_or_default())?;
                    left = left.saturating_sub(u64::try_from(piece).unwrap_or(u64::MAX));
                }
                Ok(())
            },
            true,
        )
    }

    /// The bytes of a stored entry as a source of their own.
    pub(crate) fn sub_source(&self, index: usize) -> Result<Option<Source<'a>>, Error> {
        let entry = self.entry(index)?;
        if entry.method != Method::Stored {
            return Ok(None);
        }
        Ok(self.window.part(entry.data_offset, entry.size)?)
    }
}

/// What several threads read the entries of an archive from.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Shared<'s> {
    source: &'s Source<'s>,
    entries: &'s [Entry],
}

impl<'s> Shared<'s> {
    /// What one thread reads with.
    pub(crate) fn lane(self) -> Result<Lane<'s>, Error> {
        Ok(Lane {
            window: Window::new(self.source.again()?)?,
            entries: self.entries,
        })
    }
}

/// One thread's way into an archive.
#[derive(Debug)]
pub(crate) struct Lane<'s> {
    window: Window<'s>,
    entries: &'s [Entry],
}

impl<'s> Lane<'s> {
    pub(crate) fn reader(&mut self) -> Reader<'_, 's> {
        Reader {
            window: &mut self.window,
            entries: self.entries,
        }
    }
}

/// Reads entries through a window.
pub(crate) struct Reader<'r, 'a> {
    window: &'r mut Window<'a>,
    entries: &'r [Entry],
}

impl<'a> Reader<'_, 'a> {
    fn with<T>(
        &mut self,
        index: usize,
        job: impl FnOnce(&mut EntryReader<'_, 'a>) -> Result<T, Broken>,
        finish: bool,
    ) -> Result<T, Error> {
        let Some(entry) = self.entries.get(index) else {
            return Err(malformed(0, "the entry is missing"));
        };
        let name = &entry.name;
        let run = || {
            let mut reader = EntryReader::new(self.window, entry)?;
            let value = job(&mut reader)?;
            if finish {
                reader.finish()?;
            }
            Ok(value)
        };
        run().map_err(|broken| match broken {
            Broken::Io(error) => Error::Io(error),
            Broken::Rule(what) => Error::malformed("zip", Location::entry(name), what),
        })
    }

    /// Reads an entry whose first bytes, `head`, were read before into `out`, which it must fill. `see` has each piece of it in
    /// turn, while it is near the processor; the checksum is not known then.
    pub(crate) fn read_into(
        &mut self,
        index: usize,
        head: &[u8],
        out: &mut [u8],
        see: &mut dyn FnMut(&[u8]),
    ) -> Result<(), Error> {
        let Some(entry) = self.entries.get(index) else {
            return Err(malformed(0, "the entry is missing"));
        };
        let whole = head.len().saturating_add(out.len());
        if entry.method == Method::Stored
            && whole < SMALL
            && entry.size == u64::try_from(whole).unwrap_or(u64::MAX)
        {
            let before = u64::try_from(head.len()).unwrap_or(u64::MAX);
            let offset = entry.data_offset.saturating_add(before);
            let bytes = self.window.peek(offset, out.len())?;
            if bytes.len() != out.len() {
                return Err(std::io::Error::from(std::io::ErrorKind::UnexpectedEof).into());
            }
            out.copy_from_slice(bytes);
            let mut hasher = crc32fast::Hasher::new();
            hasher.update(head);
            hasher.update(out);
            if hasher.finalize() != entry.crc {
                let at = Location::entry(&entry.name);
                return Err(Error::malformed("zip", at, "the checksum is wrong"));
            }
            see(out);
            return Ok(());
        }
        self.with(
            index,
            |reader| {
                reader.known(head)?;
                reader.read_and_see(out, see)
            },
            true,
        )
    }
}
