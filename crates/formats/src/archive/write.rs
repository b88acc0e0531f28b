//! Writes a canonical zip: fixed order, fixed times, data aligned to 64 bytes.

use std::borrow::Cow;
use std::ffi::OsString;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

/// How entries are compressed, in the words of Python's `zipfile`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Compression {
    /// `ZIP_STORED`: not at all.
    #[default]
    Stored,
    /// `ZIP_DEFLATED`, with a level of 0 to 9 (6 where none is given).
    Deflate(Option<u32>),
    /// `ZIP_BZIP2`, with a level of 1 to 9 (9 where none is given).
    Bzip2(Option<u32>),
    /// `ZIP_LZMA`.
    Lzma,
}

/// Where an archive is written to. `'d` is how long the data of its entries lives.
pub trait Sink<'d> {
    /// Appends bytes.
    ///
    /// # Errors
    /// What the operating system says.
    fn append(&mut self, bytes: &[u8]) -> io::Result<()>;

    /// Appends bytes that live as long as the data of the entries does.
    ///
    /// # Errors
    /// What the operating system says.
    fn append_data(&mut self, bytes: &'d [u8]) -> io::Result<()> {
        self.append(bytes)
    }

    /// Replaces bytes that were appended before.
    ///
    /// # Errors
    /// What the operating system says.
    fn patch(&mut self, offset: u64, bytes: &[u8]) -> io::Result<()>;
}

impl Sink<'_> for Vec<u8> {
    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.extend_from_slice(bytes);
        Ok(())
    }

    fn patch(&mut self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        let start = usize::try_from(offset).unwrap_or(usize::MAX);
        self.get_mut(start..)
            .and_then(|rest| rest.get_mut(..bytes.len()))
            .ok_or(io::ErrorKind::InvalidInput)?
            .copy_from_slice(bytes);
        Ok(())
    }
}

/// A file that appears under its name only when it is complete.
///
/// Bytes go to a temporary file in the same folder, which is renamed by [`FileSink::commit`] and
/// removed when the sink is dropped before that. A path that is not a regular file (a pipe, a device)
/// is written to directly.
#[derive(Debug)]
pub struct FileSink {
    file: File,
    buffer: Vec<u8>,
    written: u64,
    temporary: Option<PathBuf>,
    target: PathBuf,
    reserved: bool,
}

/// Smaller files take the blocks that they need as they are written.
const RESERVED: usize = 1 << 20;
/// Small pieces are collected up to this many bytes.
const BUFFER: usize = 256 * 1024;

static SERIAL: AtomicU32 = AtomicU32::new(0);

impl FileSink {
    /// Opens a temporary file beside `path`.
    ///
    /// # Errors
    /// What the operating system says of the folder.
    pub fn create(path: &Path) -> io::Result<Self> {
        let (mut target, mut permissions) = (path.to_owned(), None);
        if let Ok(there) = fs::symlink_metadata(path) {
            let mut there = there;
            if there.is_symlink() {
                // Write through a link, as `open(path, "wb")` does.
                target = fs::canonicalize(path)?;
                there = fs::metadata(&target)?;
            }
            if there.is_dir() {
                return Err(io::ErrorKind::IsADirectory.into());
            }
            if !there.is_file() {
                let file = OpenOptions::new().write(true).open(&target)?;
                return Ok(Self::new(file, None, target));
            }
            permissions = Some(there.permissions());
        }
        loop {
            let mut name = OsString::from(".");
            name.push(target.file_name().unwrap_or_default());
            let serial = SERIAL.fetch_add(1, Ordering::Relaxed);
            name.push(format!(".{}.{serial}.tmp", std::process::id()));
            let temporary = target.with_file_name(name);
            match OpenOptions::new()
                .write(true)
                .create_new(true)
                .open(&temporary)
            {
                Ok(file) => {
                    let sink = Self::new(file, Some(temporary), target);
                    if let Some(permissions) = permissions {
                        sink.file.set_permissions(permissions)?;
                    }
                    return Ok(sink);
                }
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(error) => return Err(error),
            }
        }
    }

    fn new(file: File, temporary: Option<PathBuf>, target: PathBuf) -> Self {
        Self {
            file,
            buffer: Vec::new(),
            written: 0,
            temporary,
            target,
            reserved: false,
        }
    }

    /// Asks the file system for room for `bytes` in all: blocks are found once, and a full disk is told
    /// of before anything is written. A file system that can't do this is left alone.
    ///
    /// # Errors
    /// That the disk is full.
    pub fn reserve(&mut self, bytes: usize) -> io::Result<()> {
        if self.temporary.is_none() || bytes < RESERVED {
            return Ok(());
        }
        #[cfg(target_os = "linux")]
        {
            use rustix::fs::{FallocateFlags, fallocate};
            match fallocate(&self.file, FallocateFlags::KEEP_SIZE, 0, long(bytes)) {
                Err(error) if error == rustix::io::Errno::NOSPC => return Err(error.into()),
                Ok(()) => self.reserved = true,
                Err(_) => {}
            }
        }
        Ok(())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.write_all(&self.buffer)?;
        self.written = self
            .written
            .saturating_add(u64::try_from(self.buffer.len()).unwrap_or(0));
        self.buffer.clear();
        Ok(())
    }

    /// Gives the file its name.
    ///
    /// # Errors
    /// What the operating system says; the old file is whole then.
    pub fn commit(mut self) -> io::Result<()> {
        self.flush()?;
        if self.reserved {
            self.file.set_len(self.written)?;
        }
        if let Some(temporary) = &self.temporary {
            fs::rename(temporary, &self.target)?;
            self.temporary = None;
        }
        Ok(())
    }
}

/// An archive as pieces, so that data which is in memory is not copied into it.
#[derive(Debug, Default)]
pub(crate) struct Pieces<'d> {
    pieces: Vec<(u64, Cow<'d, [u8]>)>,
    length: u64,
}

impl Pieces<'_> {
    pub(crate) fn iter(&self) -> impl Iterator<Item = &[u8]> {
        self.pieces.iter().map(|piece| piece.1.as_ref())
    }
}

impl<'d> Sink<'d> for Pieces<'d> {
    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.pieces.push((self.length, Cow::Owned(bytes.to_vec())));
        self.length = self.length.saturating_add(long(bytes.len()));
        Ok(())
    }

    fn append_data(&mut self, bytes: &'d [u8]) -> io::Result<()> {
        self.pieces.push((self.length, Cow::Borrowed(bytes)));
        self.length = self.length.saturating_add(long(bytes.len()));
        Ok(())
    }

    fn patch(&mut self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        let after = self.pieces.partition_point(|piece| piece.0 <= offset);
        match after
            .checked_sub(1)
            .and_then(|index| self.pieces.get_mut(index))
        {
            Some((start, Cow::Owned(piece))) => piece.patch(offset.saturating_sub(*start), bytes),
            _ => Err(io::ErrorKind::InvalidInput.into()),
        }
    }
}

impl Sink<'_> for FileSink {
    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        if bytes.len() >= BUFFER / 4 {
            // What is collected and what comes go out in one call.
            let (mut one, mut two) = (self.buffer.as_slice(), bytes);
            while !one.is_empty() {
                let parts = [io::IoSlice::new(one), io::IoSlice::new(two)];
                let written = match self.file.write_vectored(&parts) {
                    Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                    Ok(written) => written,
                    Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                    Err(error) => return Err(error),
                };
                let first = written.min(one.len());
                one = one.get(first..).unwrap_or_default();
                two = two.get(written.saturating_sub(first)..).unwrap_or_default();
            }
            self.file.write_all(two)?;
            self.written = self
                .written
                .saturating_add(long(self.buffer.len()))
                .saturating_add(long(bytes.len()));
            self.buffer.clear();
            return Ok(());
        }
        if self.buffer.len().saturating_add(bytes.len()) > BUFFER {
            self.flush()?;
        }
        self.buffer.extend_from_slice(bytes);
        Ok(())
    }

    fn patch(&mut self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        match offset.checked_sub(self.written) {
            Some(offset) => self.buffer.patch(offset, bytes),
            None => write_at(&mut self.file, offset, bytes),
        }
    }
}

impl Drop for FileSink {
    fn drop(&mut self) {
        if let Some(temporary) = &self.temporary {
            // Nothing can be done about a failure here, and the error that led here is on its way.
            let _ = fs::remove_file(temporary);
        }
    }
}

#[cfg(unix)]
fn write_at(file: &mut File, offset: u64, bytes: &[u8]) -> io::Result<()> {
    std::os::unix::fs::FileExt::write_all_at(file, bytes, offset)
}

#[cfg(not(unix))]
fn write_at(file: &mut File, offset: u64, bytes: &[u8]) -> io::Result<()> {
    use std::io::{Seek, SeekFrom};
    let here = file.stream_position()?;
    file.seek(SeekFrom::Start(offset))?;
    file.write_all(bytes)?;
    file.seek(SeekFrom::Start(here)).map(drop)
}

/// What the central directory will say of an entry.
#[derive(Debug)]
struct Written {
    name: String,
    method: u16,
    flags: u16,
    crc: u32,
    compressed: u64,
    size: u64,
    offset: u64,
}

/// Writes entries one behind the other, then the directory.
#[derive(Debug)]
pub struct ZipWriter<'s, S> {
    sink: &'s mut S,
    compression: Compression,
    offset: u64,
    entries: Vec<Written>,
    scratch: Vec<u8>,
}

/// Entry data starts at a multiple of this.
const ALIGNMENT: u64 = 64;
/// The extra field that pads (the id is that of Android's zipalign; readers skip what they don't know).
const PADDING_ID: u16 = 0xD935;
/// 1980-01-01 00:00:00: the first time that the format can say.
const EPOCH: [u8; 4] = [0, 0, 0x21, 0];
/// Entries up to this size are summed before they are written, larger ones in pieces while they are:
/// both stay in the cache between the two.
const SMALL: usize = 1024 * 1024;
const PIECE: usize = 256 * 1024;

fn long(length: usize) -> u64 {
    u64::try_from(length).unwrap_or(u64::MAX)
}

impl<'s, 'd, S: Sink<'d>> ZipWriter<'s, S> {
    /// Starts an archive at the sink's start.
    pub fn new(sink: &'s mut S, compression: Compression) -> Self {
        Self {
            sink,
            compression,
            offset: 0,
            entries: Vec::new(),
            scratch: Vec::new(),
        }
    }

    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.offset = self.offset.saturating_add(long(bytes.len()));
        self.sink.append(bytes)
    }

    /// Writes one entry: the bytes of `head`, then those of `data`, one behind the other.
    ///
    /// # Errors
    /// What the sink says.
    pub fn entry(&mut self, name: &str, head: &[u8], data: &[&'d [u8]]) -> io::Result<()> {
        let parts: Vec<&[u8]> = std::iter::once(head).chain(data.iter().copied()).collect();
        if self.compression != Compression::Stored {
            return self.pieces(name, &parts);
        }
        let size = total(&parts);
        self.stored(name, size, head, data, |sink, piece| {
            sink.append_data(piece)
        })
    }

    /// Writes one entry from pieces that need not live longer than this call.
    fn pieces(&mut self, name: &str, parts: &[&[u8]]) -> io::Result<()> {
        let size = total(parts);
        match self.compression {
            Compression::Stored => self.stored(name, size, &[], parts, Sink::append),
            Compression::Deflate(level) => {
                let level = flate2::Compression::new(level.unwrap_or(6).min(9));
                let mut encoder = flate2::write::DeflateEncoder::new(Vec::new(), level);
                let crc = feed(&mut encoder, parts)?;
                let data = encoder.finish()?;
                self.packed(name, 8, 0, crc, size, &data)
            }
            Compression::Bzip2(level) => {
                let level = bzip2::Compression::new(level.unwrap_or(9).clamp(1, 9));
                let mut encoder = bzip2::write::BzEncoder::new(Vec::new(), level);
                let crc = feed(&mut encoder, parts)?;
                let data = encoder.finish()?;
                self.packed(name, 12, 0, crc, size, &data)
            }
            Compression::Lzma => {
                let options = lzma_rust2::LzmaOptions::with_preset(6);
                // APPNOTE 5.8.8: version 9.4, five bytes of properties.
                let mut data = vec![9, 4, 5, 0, options.get_props()];
                data.extend_from_slice(&options.dict_size.to_le_bytes());
                let mut encoder = lzma_rust2::LzmaWriter::new_no_header(data, &options, true)?;
                let crc = feed(&mut encoder, parts)?;
                let data = encoder.finish()?;
                self.packed(name, 14, 1 << 1, crc, size, &data)
            }
        }
    }

    /// Writes one entry that is an archive itself, from its pieces.
    pub(crate) fn assembled(&mut self, name: &str, pieces: &Pieces<'_>) -> io::Result<()> {
        self.pieces(name, &pieces.iter().collect::<Vec<_>>())
    }

    /// Writes one entry from owned pieces.
    pub(crate) fn chunks(&mut self, name: &str, full: &[Vec<u8>], last: &[u8]) -> io::Result<()> {
        let pieces: Vec<&[u8]> = full
            .iter()
            .map(Vec::as_slice)
            .chain(std::iter::once(last))
            .collect();
        self.pieces(name, &pieces)
    }

    fn packed(
        &mut self,
        name: &str,
        method: u16,
        flags: u16,
        crc: u32,
        size: u64,
        data: &[u8],
    ) -> io::Result<()> {
        let entry = Written {
            name: name.to_owned(),
            method,
            flags,
            crc,
            compressed: long(data.len()),
            size,
            offset: self.offset,
        };
        self.local_header(&entry)?;
        self.append(data)?;
        self.entries.push(entry);
        Ok(())
    }

    fn stored<'p>(
        &mut self,
        name: &str,
        size: u64,
        head: &[u8],
        data: &[&'p [u8]],
        append: impl Fn(&mut S, &'p [u8]) -> io::Result<()>,
    ) -> io::Result<()> {
        let mut entry = Written {
            name: name.to_owned(),
            method: 0,
            flags: 0,
            crc: 0,
            compressed: size,
            size,
            offset: self.offset,
        };
        let mut hasher = crc32fast::Hasher::new();
        hasher.update(head);
        let small = size <= long(SMALL);
        if small {
            for part in data {
                hasher.update(part);
            }
            entry.crc = hasher.clone().finalize();
        }
        self.local_header(&entry)?;
        self.append(head)?;
        let step = if small { SMALL } else { PIECE };
        for piece in data.iter().flat_map(|part| part.chunks(step)) {
            if !small {
                hasher.update(piece);
            }
            self.offset = self.offset.saturating_add(long(piece.len()));
            append(self.sink, piece)?;
        }
        if !small {
            entry.crc = hasher.finalize();
            self.sink
                .patch(entry.offset.saturating_add(14), &entry.crc.to_le_bytes())?;
        }
        self.entries.push(entry);
        Ok(())
    }

    fn local_header(&mut self, entry: &Written) -> io::Result<()> {
        let wide = entry.size >= u64::from(u32::MAX) || entry.compressed >= u64::from(u32::MAX);
        let mut out = std::mem::take(&mut self.scratch);
        out.clear();
        out.extend_from_slice(b"PK\x03\x04");
        common_fields(&mut out, entry, wide);
        let name_length =
            u16::try_from(entry.name.len()).map_err(|_| io::ErrorKind::InvalidInput)?;
        out.extend_from_slice(&name_length.to_le_bytes());
        let wide_length = if wide { 20_u64 } else { 0 };
        let before = self
            .offset
            .saturating_add(30 + 6)
            .saturating_add(u64::from(name_length))
            .saturating_add(wide_length);
        let padding = before.next_multiple_of(ALIGNMENT).saturating_sub(before);
        let padding = u16::try_from(padding).unwrap_or(0);
        let extra = padding
            .saturating_add(6)
            .saturating_add(if wide { 20 } else { 0 });
        out.extend_from_slice(&extra.to_le_bytes());
        out.extend_from_slice(entry.name.as_bytes());
        if wide {
            out.extend_from_slice(&[1, 0, 16, 0]);
            out.extend_from_slice(&entry.size.to_le_bytes());
            out.extend_from_slice(&entry.compressed.to_le_bytes());
        }
        out.extend_from_slice(&PADDING_ID.to_le_bytes());
        out.extend_from_slice(&padding.saturating_add(2).to_le_bytes());
        out.extend_from_slice(&u16::try_from(ALIGNMENT).unwrap_or(0).to_le_bytes());
        out.resize(out.len().saturating_add(usize::from(padding)), 0);
        let result = self.append(&out);
        self.scratch = out;
        result
    }

    /// Writes the directory.
    ///
    /// # Errors
    /// What the sink says.
    pub fn finish(mut self) -> io::Result<()> {
        let start = self.offset;
        let mut out = Vec::new();
        for entry in &self.entries {
            let wide_sizes =
                entry.size >= u64::from(u32::MAX) || entry.compressed >= u64::from(u32::MAX);
            let wide_offset = entry.offset >= u64::from(u32::MAX);
            out.extend_from_slice(b"PK\x01\x02");
            // Made by version 4.5 on Unix.
            out.extend_from_slice(&[45, 3]);
            common_fields(&mut out, entry, wide_sizes);
            let mut extra = Vec::new();
            if wide_sizes || wide_offset {
                let length = if wide_sizes { 16_u16 } else { 0 }.saturating_add(if wide_offset {
                    8
                } else {
                    0
                });
                extra.extend_from_slice(&[1, 0]);
                extra.extend_from_slice(&length.to_le_bytes());
                if wide_sizes {
                    extra.extend_from_slice(&entry.size.to_le_bytes());
                    extra.extend_from_slice(&entry.compressed.to_le_bytes());
                }
                if wide_offset {
                    extra.extend_from_slice(&entry.offset.to_le_bytes());
                }
            }
            out.extend_from_slice(&u16::try_from(entry.name.len()).unwrap_or(0).to_le_bytes());
            out.extend_from_slice(&u16::try_from(extra.len()).unwrap_or(0).to_le_bytes());
            // No comment, first disk, binary.
            out.extend_from_slice(&[0; 6]);
            out.extend_from_slice(&(0o100_644_u32 << 16).to_le_bytes());
            out.extend_from_slice(
                &u32::try_from(entry.offset)
                    .unwrap_or(u32::MAX)
                    .to_le_bytes(),
            );
            out.extend_from_slice(entry.name.as_bytes());
            out.extend_from_slice(&extra);
        }
        let (count, size) = (long(self.entries.len()), long(out.len()));
        let end = start.saturating_add(size);
        if count >= 0xFFFF || size >= u64::from(u32::MAX) || start >= u64::from(u32::MAX) {
            out.extend_from_slice(b"PK\x06\x06");
            out.extend_from_slice(&44_u64.to_le_bytes());
            out.extend_from_slice(&[45, 3, 45, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
            for value in [count, count, size, start] {
                out.extend_from_slice(&value.to_le_bytes());
            }
            out.extend_from_slice(b"PK\x06\x07\0\0\0\0");
            out.extend_from_slice(&end.to_le_bytes());
            out.extend_from_slice(&1_u32.to_le_bytes());
        }
        out.extend_from_slice(b"PK\x05\x06\0\0\0\0");
        let short = u16::try_from(count).unwrap_or(u16::MAX).to_le_bytes();
        out.extend_from_slice(&short);
        out.extend_from_slice(&short);
        out.extend_from_slice(&u32::try_from(size).unwrap_or(u32::MAX).to_le_bytes());
        out.extend_from_slice(&u32::try_from(start).unwrap_or(u32::MAX).to_le_bytes());
        out.extend_from_slice(&[0, 0]);
        self.append(&out)
    }
}

/// The fields that the local header and the directory share: versions to lengths.
fn common_fields(out: &mut Vec<u8>, entry: &Written, wide: bool) {
    let version: u16 = match entry.method {
        14 => 63,
        12 => 46,
        _ if wide => 45,
        _ => 20,
    };
    out.extend_from_slice(&version.to_le_bytes());
    out.extend_from_slice(&entry.flags.to_le_bytes());
    out.extend_from_slice(&entry.method.to_le_bytes());
    out.extend_from_slice(&EPOCH);
    out.extend_from_slice(&entry.crc.to_le_bytes());
    let sizes = if wide {
        [u64::MAX, u64::MAX]
    } else {
        [entry.compressed, entry.size]
    };
    for size in sizes {
        out.extend_from_slice(&u32::try_from(size).unwrap_or(u32::MAX).to_le_bytes());
    }
}

fn total(parts: &[&[u8]]) -> u64 {
    parts
        .iter()
        .fold(0, |all, part| all.saturating_add(long(part.len())))
}

fn feed(encoder: &mut impl Write, parts: &[&[u8]]) -> io::Result<u32> {
    let mut hasher = crc32fast::Hasher::new();
    for piece in parts.iter().flat_map(|part| part.chunks(PIECE)) {
        hasher.update(piece);
        encoder.write_all(piece)?;
    }
    Ok(hasher.finalize())
}
