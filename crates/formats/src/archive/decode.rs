//! One entry's bytes: stored, or inflated as they are asked for, with length and checksum held.

use std::io::{self, Read};

use super::source::Window;
use super::zip::{Entry, Method};

/// The compressed bytes of one entry, read by position.
#[derive(Debug)]
struct Raw<'w, 'a> {
    window: &'w mut Window<'a>,
    offset: u64,
    left: u64,
}

impl Read for Raw<'_, '_> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let length = usize::try_from(self.left)
            .unwrap_or(usize::MAX)
            .min(out.len());
        let Some(out) = out.get_mut(..length) else {
            return Ok(0);
        };
        self.window.read_exact_at(out, self.offset)?;
        let read = u64::try_from(length).unwrap_or(0);
        self.offset = self.offset.saturating_add(read);
        self.left = self.left.saturating_sub(read);
        Ok(length)
    }
}

enum Decoder<'w, 'a> {
    Stored(Raw<'w, 'a>),
    Deflate(flate2::bufread::DeflateDecoder<io::BufReader<Raw<'w, 'a>>>),
    Bzip2(bzip2::bufread::BzDecoder<io::BufReader<Raw<'w, 'a>>>),
    Lzma(Box<lzma_rust2::LzmaReader<io::BufReader<Raw<'w, 'a>>>>),
}

/// One entry's bytes from the start, with its checksum and its length held to what the archive says.
pub(super) struct EntryReader<'w, 'a> {
    decoder: Decoder<'w, 'a>,
    hasher: crc32fast::Hasher,
    left: u64,
    crc: u32,
}

/// Why the bytes of an entry are not what the archive says.
#[derive(Debug)]
pub(super) enum Broken {
    Io(io::Error),
    Rule(&'static str),
}

/// Large reads go through in pieces, which stay in the second cache while they are summed.
const PIECE: usize = 256 * 1024;
/// Each of these is summed and seen while it is in the first cache; a power of two, so that elements of a power of two bytes
/// are not cut.
const SEEN: usize = 16 * 1024;

impl<'w, 'a> EntryReader<'w, 'a> {
    pub(super) fn new(window: &'w mut Window<'a>, entry: &Entry) -> Result<Self, Broken> {
        let mut raw = Raw {
            window,
            offset: entry.data_offset,
            left: entry.compressed,
        };
        let decoder = match entry.method {
            Method::Stored => Decoder::Stored(raw),
            Method::Deflate => Decoder::Deflate(flate2::bufread::DeflateDecoder::new(
                io::BufReader::with_capacity(64 * 1024, raw),
            )),
            Method::Bzip2 => Decoder::Bzip2(bzip2::bufread::BzDecoder::new(
                io::BufReader::with_capacity(64 * 1024, raw),
            )),
            Method::Lzma => {
                // APPNOTE 5.8.8: two bytes of version, the length of the properties, the properties.
                let mut head = [0_u8; 9];
                raw.read_exact(&mut head)
                    .map_err(|_| Broken::Rule("the LZMA properties are missing"))?;
                let [_, _, 5, 0, properties, dictionary @ ..] = head else {
                    return Err(Broken::Rule("the LZMA properties are not five bytes"));
                };
                // A dictionary larger than the entry is of no use, and would be allocated.
                let dictionary = u32::from_le_bytes(dictionary);
                let useful = u32::try_from(entry.size).unwrap_or(u32::MAX).max(4096);
                let reader = lzma_rust2::LzmaReader::new_with_props(
                    io::BufReader::with_capacity(64 * 1024, raw),
                    if entry.end_marked {
                        u64::MAX
                    } else {
                        entry.size
                    },
                    properties,
                    dictionary.min(useful),
                    None,
                );
                Decoder::Lzma(Box::new(
                    reader.map_err(|_| Broken::Rule("the LZMA properties are not valid"))?,
                ))
            }
        };
        Ok(Self {
            decoder,
            hasher: crc32fast::Hasher::new(),
            left: entry.size,
            crc: entry.crc,
        })
    }

    fn fill(&mut self, out: &mut [u8]) -> Result<(), Broken> {
        let compressed = !matches!(self.decoder, Decoder::Stored(_));
        let result = match &mut self.decoder {
            Decoder::Stored(raw) => raw.read_exact(out),
            Decoder::Deflate(decoder) => decoder.read_exact(out),
            Decoder::Bzip2(decoder) => decoder.read_exact(out),
            Decoder::Lzma(decoder) => decoder.read_exact(out),
        };
        result.map_err(|error| match error.kind() {
            io::ErrorKind::UnexpectedEof => Broken::Rule("the entry ends before its size"),
            _ if compressed => Broken::Rule("the compressed data is broken"),
            _ => Broken::Io(error),
        })
    }

    /// Takes bytes that were read before (as the entry's first bytes) as read.
    pub(super) fn known(&mut self, head: &[u8]) -> Result<(), Broken> {
        if let Decoder::Stored(raw) = &mut self.decoder {
            let length = u64::try_from(head.len()).unwrap_or(u64::MAX);
            let short = Broken::Rule("the entry ends before its size");
            self.left = self.left.checked_sub(length).ok_or(short)?;
            raw.left = raw.left.saturating_sub(length);
            raw.offset = raw.offset.saturating_add(length);
            self.hasher.update(head);
            return Ok(());
        }
        let mut again = vec![0; head.len()];
        self.read(&mut again)?;
        if again != head {
            return Err(Broken::Rule("the entry changed while it was read"));
        }
        Ok(())
    }

    /// Fills `out` with the next bytes.
    pub(super) fn read(&mut self, out: &mut [u8]) -> Result<(), Broken> {
        self.read_and_see(out, &mut |_| {})
    }

    /// Fills `out` with the next bytes, and lets `see` have each piece of it in turn.
    pub(super) fn read_and_see(
        &mut self,
        out: &mut [u8],
        see: &mut dyn FnMut(&[u8]),
    ) -> Result<(), Broken> {
        let length = u64::try_from(out.len()).unwrap_or(u64::MAX);
        self.left = self
            .left
            .checked_sub(length)
            .ok_or(Broken::Rule("the entry ends before its size"))?;
        for piece in out.chunks_mut(PIECE) {
            self.fill(piece)?;
            for near in piece.chunks(SEEN) {
                self.hasher.update(near);
                see(near);
            }
        }
        Ok(())
    }

    /// Holds the end of the entry and its checksum to what the archive says.
    pub(super) fn finish(mut self) -> Result<(), Broken> {
        if self.left != 0 {
            return Err(Broken::Rule("the entry goes on after its contents"));
        }
        let mut one = [0_u8; 1];
        let more = match &mut self.decoder {
            Decoder::Stored(_) => Ok(0),
            Decoder::Deflate(decoder) => decoder.read(&mut one),
            Decoder::Bzip2(decoder) => decoder.read(&mut one),
            Decoder::Lzma(decoder) => decoder.read(&mut one),
        };
        match more {
            Ok(0) => {}
            Ok(_) => return Err(Broken::Rule("the entry inflates to more than its size")),
            Err(_) => return Err(Broken::Rule("the compressed data is broken")),
        }
        let trailing = match self.decoder {
            Decoder::Stored(raw) => raw.left > 0,
            Decoder::Deflate(decoder) => trailing(&decoder.into_inner()),
            Decoder::Bzip2(decoder) => trailing(&decoder.into_inner()),
            Decoder::Lzma(decoder) => trailing(&decoder.into_inner()),
        };
        if trailing {
            return Err(Broken::Rule("bytes follow the compressed data"));
        }
        if self.hasher.finalize() != self.crc {
            return Err(Broken::Rule("the checksum is wrong"));
        }
        Ok(())
    }
}

fn trailing(reader: &io::BufReader<Raw<'_, '_>>) -> bool {
    !reader.buffer().is_empty() || reader.get_ref().left > 0
}
