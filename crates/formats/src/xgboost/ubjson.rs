//! UBJSON as XGBoost writes it: lengths of 64 bits, lists of one type, each value in one way.
//!
//! Read from XGBoost 3.2.0: `src/common/json.cc`, `UBJReader` and `UBJWriter`.

use super::Refused;
use super::tokens::{ENDS, INTEGER, KIND, TEXT, Tokens};

const LENGTH: &str = "a length is negative or beyond the end of the file";

/// What is left of a file.
#[derive(Debug)]
pub(super) struct Ubjson<'a> {
    rest: &'a [u8],
    length: usize,
}

impl<'a> Ubjson<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        let length = bytes.len();
        Self {
            rest: bytes,
            length,
        }
    }

    pub(super) fn is_at_end(&self) -> bool {
        self.rest.is_empty()
    }

    fn marker(&mut self, marker: &[u8]) -> Result<(), Refused> {
        match self.rest.strip_prefix(marker) {
            Some(rest) => {
                self.rest = rest;
                Ok(())
            }
            None => Err(self.malformed(if marker.starts_with(self.rest) {
                ENDS
            } else {
                KIND
            })),
        }
    }

    fn take<const N: usize>(&mut self) -> Result<[u8; N], Refused> {
        let (bytes, rest) = self
            .rest
            .split_first_chunk::<N>()
            .ok_or_else(|| self.malformed(ENDS))?;
        self.rest = rest;
        Ok(*bytes)
    }

    /// A length of 64 bits, of things that take this many bytes each.
    fn length(&mut self, width: u64) -> Result<usize, Refused> {
        self.marker(b"L")?;
        let length = i64::from_be_bytes(self.take()?);
        u64::try_from(length)
            .ok()
            .and_then(|length| length.checked_mul(width))
            .and_then(|bytes| usize::try_from(bytes).ok())
            .filter(|&bytes| bytes <= self.rest.len())
            .ok_or_else(|| self.unverified(LENGTH))
    }

    fn str(&mut self) -> Result<&'a str, Refused> {
        let length = self.length(1)?;
        let (bytes, rest) = self
            .rest
            .split_at_checked(length)
            .ok_or_else(|| self.malformed(ENDS))?;
        let text = std::str::from_utf8(bytes).map_err(|_| self.malformed(TEXT))?;
        if text.contains('\0') {
            return Err(self.malformed(TEXT));
        }
        self.rest = rest;
        Ok(text)
    }

    /// The bytes of a list whose numbers have this type and width.
    fn list(&mut self, letter: u8, width: u64) -> Result<&'a [u8], Refused> {
        self.marker(b"[$")?;
        self.marker(&[letter])?;
        self.marker(b"#")?;
        let length = self.length(width)?;
        let (bytes, rest) = self
            .rest
            .split_at_checked(length)
            .ok_or_else(|| self.malformed(ENDS))?;
        self.rest = rest;
        Ok(bytes)
    }
}

impl<'a> Tokens<'a> for Ubjson<'a> {
    fn at(&self) -> usize {
        self.length.saturating_sub(self.rest.len())
    }

    fn object_start(&mut self) -> Result<(), Refused> {
        self.marker(b"{")
    }

    fn object_key(&mut self, _first: bool) -> Result<Option<&'a str>, Refused> {
        if let [b'}', rest @ ..] = self.rest {
            self.rest = rest;
            return Ok(None);
        }
        self.str().map(Some)
    }

    fn array_start(&mut self) -> Result<Option<u64>, Refused> {
        self.marker(b"[#")?;
        // XGBoost makes room for all items at once; each takes a byte at least.
        let length = self.length(1)?;
        Ok(Some(u64::try_from(length).unwrap_or(u64::MAX)))
    }

    fn array_item(&mut self, _first: bool) -> Result<bool, Refused> {
        Ok(false)
    }

    fn text(&mut self) -> Result<&'a str, Refused> {
        self.marker(b"S")?;
        self.str()
    }

    fn integer(&mut self) -> Result<i64, Refused> {
        let [marker] = self.take()?;
        let value = match marker {
            b'i' => i8::from_be_bytes(self.take()?).into(),
            b'I' => i16::from_be_bytes(self.take()?).into(),
            b'l' => i32::from_be_bytes(self.take()?).into(),
            b'L' => i64::from_be_bytes(self.take()?),
            _ => return Err(self.malformed(KIND)),
        };
        // The writer's bounds leave out the ends of each type.
        let fits = |low: i64, high: i64| low < value && value < high;
        let shortest = if fits(i8::MIN.into(), i8::MAX.into()) {
            b'i'
        } else if fits(i16::MIN.into(), i16::MAX.into()) {
            b'I'
        } else if fits(i32::MIN.into(), i32::MAX.into()) {
            b'l'
        } else {
            b'L'
        };
        if marker == shortest {
            Ok(value)
        } else {
            Err(self.malformed(INTEGER))
        }
    }

    fn float(&mut self) -> Result<(), Refused> {
        self.marker(b"d")?;
        self.take::<4>().map(|_| ())
    }

    fn boolean(&mut self) -> Result<(), Refused> {
        match self.take()? {
            [b'T' | b'F'] => Ok(()),
            _ => Err(self.malformed(KIND)),
        }
    }

    fn is_object(&self) -> bool {
        self.rest.starts_with(b"{")
    }

    fn floats(&mut self, wide: bool) -> Result<u64, Refused> {
        let count = if wide {
            self.list(b'D', 8)?.as_chunks::<8>().0.len()
        } else {
            self.list(b'd', 4)?.as_chunks::<4>().0.len()
        };
        Ok(u64::try_from(count).unwrap_or(u64::MAX))
    }

    fn integers(&mut self, width: u8, out: &mut Vec<i64>) -> Result<(), Refused> {
        out.clear();
        match width {
            1 => out.extend(
                self.list(b'i', 1)?
                    .as_chunks::<1>()
                    .0
                    .iter()
                    .map(|bytes| i64::from(i8::from_be_bytes(*bytes))),
            ),
            2 => out.extend(
                self.list(b'I', 2)?
                    .as_chunks::<2>()
                    .0
                    .iter()
                    .map(|bytes| i64::from(i16::from_be_bytes(*bytes))),
            ),
            4 => out.extend(
                self.list(b'l', 4)?
                    .as_chunks::<4>()
                    .0
                    .iter()
                    .map(|bytes| i64::from(i32::from_be_bytes(*bytes))),
            ),
            _ => out.extend(
                self.list(b'L', 8)?
                    .as_chunks::<8>()
                    .0
                    .iter()
                    .map(|bytes| i64::from_be_bytes(*bytes)),
            ),
        }
        Ok(())
    }

    fn ints(&mut self, out: &mut Vec<i32>) -> Result<(), Refused> {
        out.clear();
        let numbers = self.list(b'l', 4)?.as_chunks::<4>().0;
        out.extend(numbers.iter().map(|bytes| i32::from_be_bytes(*bytes)));
        Ok(())
    }

    fn bytes(&mut self, out: &mut Vec<u8>) -> Result<(), Refused> {
        out.clear();
        out.extend_from_slice(self.list(b'U', 1)?);
        Ok(())
    }
}
