//! Where the bytes of an archive come from.

use std::borrow::Cow;
use std::fs::File;
use std::io;

use crate::error::Error;
use crate::limits::at_most;

/// Where the bytes of an archive come from: a file that is read by position, or memory.
#[derive(Debug)]
pub enum Source<'a> {
    /// A regular file.
    File(File),
    /// A part of a regular file: where it starts, how long it is.
    Part(File, u64, u64),
    /// Bytes in memory.
    Bytes(&'a [u8]),
    /// Bytes that the archive owns.
    Owned(Vec<u8>),
}

impl Source<'_> {
    /// How many bytes there are.
    pub(crate) fn len(&self) -> io::Result<u64> {
        match self {
            Self::File(file) => Ok(file.metadata()?.len()),
            Self::Part(_, _, length) => Ok(*length),
            Self::Bytes(bytes) => Ok(u64::try_from(bytes.len()).unwrap_or(u64::MAX)),
            Self::Owned(bytes) => Ok(u64::try_from(bytes.len()).unwrap_or(u64::MAX)),
        }
    }

    /// All bytes, which are at most `limit`; `what` stands in the error where they are not.
    ///
    /// # Errors
    ///
    /// `Limit`, or `Io` where the file can't be read or gets shorter meanwhile.
    pub fn read(&self, limit: u64, what: &'static str) -> Result<Cow<'_, [u8]>, Error> {
        let length = self.len()?;
        at_most(limit, length, what)?;
        match self {
            Self::Bytes(bytes) => Ok(Cow::Borrowed(bytes)),
            Self::Owned(bytes) => Ok(Cow::Borrowed(bytes)),
            Self::File(_) | Self::Part(..) => {
                let mut bytes = vec![0; usize::try_from(length).unwrap_or(usize::MAX)];
                self.read_exact_at(&mut bytes, 0)?;
                Ok(Cow::Owned(bytes))
            }
        }
    }

    /// The same bytes, for another reader of them.
    pub(crate) fn again(&self) -> io::Result<Source<'_>> {
        Ok(match self {
            Self::File(file) => Source::File(file.try_clone()?),
            Self::Part(file, start, length) => Source::Part(file.try_clone()?, *start, *length),
            Self::Bytes(bytes) => Source::Bytes(bytes),
            Self::Owned(bytes) => Source::Bytes(bytes),
        })
    }

    /// Fills `out` with the bytes from `offset` on.
    pub(crate) fn read_exact_at(&self, out: &mut [u8], offset: u64) -> io::Result<()> {
        let bytes = match self {
            Self::File(file) => return read_exact_at(file, out, offset),
            Self::Part(file, start, length) => {
                let end = offset.checked_add(u64::try_from(out.len()).unwrap_or(u64::MAX));
                if end.is_none_or(|end| end > *length) {
                    return Err(io::ErrorKind::UnexpectedEof.into());
                }
                return read_exact_at(file, out, start.saturating_add(offset));
            }
            Self::Bytes(bytes) => bytes,
            Self::Owned(bytes) => bytes.as_slice(),
        };
        let start = usize::try_from(offset).unwrap_or(usize::MAX);
        let from = bytes
            .get(start..)
            .and_then(|rest| rest.get(..out.len()))
            .ok_or(io::ErrorKind::UnexpectedEof)?;
        out.copy_from_slice(from);
        Ok(())
    }
}

#[cfg(unix)]
fn read_exact_at(file: &File, out: &mut [u8], offset: u64) -> io::Result<()> {
    std::os::unix::fs::FileExt::read_exact_at(file, out, offset)
}

#[cfg(windows)]
fn read_exact_at(file: &File, mut out: &mut [u8], mut offset: u64) -> io::Result<()> {
    use std::os::windows::fs::FileExt;
    while !out.is_empty() {
        let read = file.seek_read(out, offset)?;
        if read == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        out = out.get_mut(read..).unwrap_or_default();
        offset = offset.saturating_add(u64::try_from(read).unwrap_or(u64::MAX));
    }
    Ok(())
}

/// A source with its last read kept, so that many small reads in a row cost one system call.
#[derive(Debug)]
pub(crate) struct Window<'a> {
    source: Source<'a>,
    length: u64,
    start: u64,
    bytes: Vec<u8>,
}

/// Bytes that a small read brings in where the last one was just before it.
const WINDOW: u64 = 256 * 1024;
/// Bytes that a small read brings in elsewhere.
const PAGE: u64 = 4096;

impl<'a> Window<'a> {
    pub(crate) fn new(source: Source<'a>) -> io::Result<Self> {
        let length = source.len()?;
        let mut bytes = Vec::new();
        let in_file = matches!(source, Source::File(_) | Source::Part(..));
        if in_file && length <= WINDOW {
            // A small archive is read at once.
            bytes.resize(usize::try_from(length).unwrap_or(0), 0);
            source.read_exact_at(&mut bytes, 0)?;
        }
        Ok(Self {
            source,
            length,
            start: 0,
            bytes,
        })
    }

    pub(crate) fn len(&self) -> u64 {
        self.length
    }

    pub(crate) fn source(&self) -> &Source<'a> {
        &self.source
    }

    /// `length` bytes from `offset` on, which must be small; fewer where the source ends.
    pub(crate) fn peek(&mut self, offset: u64, length: usize) -> io::Result<&[u8]> {
        let wanted = u64::try_from(length).unwrap_or(u64::MAX);
        let end = offset.saturating_add(wanted).min(self.length);
        let length = usize::try_from(end.saturating_sub(offset)).unwrap_or(0);
        if length == 0 {
            return Ok(&[]);
        }
        let start = usize::try_from(offset).unwrap_or(usize::MAX);
        match &self.source {
            Source::Bytes(bytes) => {
                return Ok(bytes
                    .get(start..start.saturating_add(length))
                    .unwrap_or_default());
            }
            Source::Owned(bytes) => {
                return Ok(bytes
                    .get(start..start.saturating_add(length))
                    .unwrap_or_default());
            }
            Source::File(_) | Source::Part(..) => {}
        }
        let held = self
            .start
            .saturating_add(u64::try_from(self.bytes.len()).unwrap_or(0));
        if offset < self.start || end > held {
            // Forward from here; at the end of the source as much as fits before it.
            let near = offset >= self.start && offset.saturating_sub(held) < 4 * PAGE;
            let size = if near { WINDOW } else { PAGE };
            let size = size.max(wanted).min(self.length);
            let start = offset.min(self.length.saturating_sub(size));
            self.bytes.resize(usize::try_from(size).unwrap_or(0), 0);
            self.start = start;
            let offset = start;
            if let Err(error) = self.source.read_exact_at(&mut self.bytes, offset) {
                self.bytes.clear();
                return Err(error);
            }
        }
        let from = usize::try_from(offset.saturating_sub(self.start)).unwrap_or(usize::MAX);
        Ok(self
            .bytes
            .get(from..from.saturating_add(length))
            .unwrap_or_default())
    }

    /// A part as a source of its own; `None` where that would need a copy.
    pub(crate) fn part(&self, offset: u64, length: u64) -> io::Result<Option<Source<'a>>> {
        Ok(match &self.source {
            Source::File(file) => Some(Source::Part(file.try_clone()?, offset, length)),
            Source::Bytes(bytes) => {
                let start = usize::try_from(offset).unwrap_or(usize::MAX);
                let end = start.saturating_add(usize::try_from(length).unwrap_or(usize::MAX));
                bytes.get(start..end).map(Source::Bytes)
            }
            Source::Part(..) | Source::Owned(_) => None,
        })
    }

    /// Fills `out` from `offset` on: small reads through the window, large ones past it.
    pub(crate) fn read_exact_at(&mut self, out: &mut [u8], offset: u64) -> io::Result<()> {
        if matches!(self.source, Source::File(_) | Source::Part(..)) && out.len() < 32 * 1024 {
            let bytes = self.peek(offset, out.len())?;
            if bytes.len() != out.len() {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            out.copy_from_slice(bytes);
            return Ok(());
        }
        self.source.read_exact_at(out, offset)
    }
}
