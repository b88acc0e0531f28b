//! Digests of files, and their digits.

use std::fmt::Write as _;
use std::io::{self, Read};

use blake2::Blake2b512;
use sha2::{Digest as _, Sha256};

/// A hash function of the format.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Hash {
    Sha256,
    Blake2b,
    Blake3,
}

/// Every hash function, by its name in a statement.
const HASHES: [(&str, Hash, usize); 3] = [
    ("blake2b", Hash::Blake2b, 64),
    ("blake3", Hash::Blake3, 32),
    ("sha256", Hash::Sha256, 32),
];

impl Hash {
    pub(super) fn named(name: &str) -> Option<Self> {
        let found = HASHES.iter().find(|(known, _, _)| *known == name);
        found.map(|(_, hash, _)| *hash)
    }

    pub(super) fn name(self) -> &'static str {
        let found = HASHES.iter().find(|(_, hash, _)| *hash == self);
        found.map_or("", |(name, _, _)| name)
    }

    /// Bytes of a digest.
    pub(super) fn size(self) -> usize {
        let found = HASHES.iter().find(|(_, hash, _)| *hash == self);
        found.map_or(0, |(_, _, size)| *size)
    }
}

/// The digests of a file.
pub(super) struct Found {
    /// By the hash function that was asked for.
    pub(super) digest: Vec<u8>,
    pub(super) sha256: [u8; 32],
}

/// The digests of what a reader gives; `read` is told of each piece.
pub(super) fn of(
    mut from: impl Read,
    hash: Hash,
    read: &mut dyn FnMut(u64) -> io::Result<()>,
) -> io::Result<Found> {
    let mut sha256 = Sha256::new();
    let mut blake2b = (hash == Hash::Blake2b).then(Blake2b512::new);
    let mut blake3 = (hash == Hash::Blake3).then(blake3::Hasher::new);
    let mut buffer = vec![0_u8; 1 << 18];
    loop {
        let count = match from.read(&mut buffer) {
            Ok(0) => break,
            Ok(count) => count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        };
        let piece = buffer.get(..count).unwrap_or_default();
        sha256.update(piece);
        if let Some(hasher) = &mut blake2b {
            hasher.update(piece);
        }
        if let Some(hasher) = &mut blake3 {
            hasher.update(piece);
        }
        read(u64::try_from(count).unwrap_or(u64::MAX))?;
    }
    let sha256: [u8; 32] = sha256.finalize().into();
    let digest = match (blake2b, blake3) {
        (Some(hasher), _) => hasher.finalize().to_vec(),
        (_, Some(hasher)) => hasher.finalize().as_bytes().to_vec(),
        _ => sha256.to_vec(),
    };
    Ok(Found { digest, sha256 })
}

/// The digits of bytes: two each, in lower case.
pub fn digits(bytes: &[u8]) -> String {
    let mut text = String::new();
    for byte in bytes {
        // Writing to a text does not fail.
        let _ = write!(text, "{byte:02x}");
    }
    text
}

/// The bytes of digits in lower case.
pub(super) fn bytes(digits: &str) -> Option<Vec<u8>> {
    let value = |digit: &u8| match digit {
        b'0'..=b'9' => Some(digit.wrapping_sub(b'0')),
        b'a'..=b'f' => Some(digit.wrapping_sub(b'a').wrapping_add(10)),
        _ => None,
    };
    let pairs = digits.as_bytes().chunks(2);
    pairs
        .map(|pair| match pair {
            [high, low] => Some(value(high)?.wrapping_shl(4) | value(low)?),
            _ => None,
        })
        .collect()
}
