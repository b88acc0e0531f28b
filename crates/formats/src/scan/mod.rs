//! What bytes hold, whatever their name says; pickles are found in archives and compressed files too.
//!
//! The rules are those of `docs/formats/mlmodel.md`, "Files of a folder".

mod pickle;

use std::io::Read;

use crate::archive::{self, Source};
use crate::error::Error;
use crate::formats::{Format, Read as Reader};
use crate::limits::{Limits, spend};
use crate::npy;

/// What a file holds.
#[derive(Debug, Clone, Copy)]
pub enum Content {
    /// No bytes.
    Empty,
    /// A model in a format that is read, if its reader agrees.
    Model(&'static Format),
    /// A pickle, or something that brings one.
    Pickle,
    /// Arrays of numpy without objects, whose lengths fit: an npy file, or an npz.
    Arrays,
    /// Something that is compressed, or an archive, without a pickle in sight: its word.
    Packed(&'static str),
    /// Printable text in UTF-8.
    Text,
    /// Anything else.
    Other,
}

/// What was found in a file.
#[derive(Debug, Clone)]
pub struct Scanned {
    /// What it holds.
    pub content: Content,
    /// Where pickles stand in it: the entry of its archive, the entries of archives in it behind a `/`; empty for the
    /// file itself.
    pub pickles: Vec<String>,
}

/// Bytes of each start that are looked at.
const START: usize = 16 * 1024;
/// Archives and compressed files inside each other that are looked into.
const DEPTH: usize = 8;
/// Bytes of an archive inside another that are inflated to be looked into.
const INNER: u64 = 64 << 20;

/// How files that are compressed as a whole start, and the word for it.
const PACKED: &[(&[u8], &str)] = &[
    (b"\x1f\x8b", "gzip"),
    (b"BZh", "bzip2"),
    (b"\xfd7zXZ\0", "xz"),
    (b"]\0\0", "lzma"),
    (b"\x04\x22\x4d\x18", "lz4"),
    (b"\x28\xb5\x2f\xfd", "zstd"),
    (b"7z\xbc\xaf\x27\x1c", "7z"),
    (b"x\x01", "zlib"),
    (b"x\x5e", "zlib"),
    (b"x\x9c", "zlib"),
    (b"x\xda", "zlib"),
];

/// Says what a file holds. Reads its start; of an archive the starts of its entries, and so on inside them.
///
/// # Errors
/// `Malformed` for a damaged zip, `Limit` for one that is too large, `Io`.
pub fn scan(source: Source<'_>, limits: &mut Limits) -> Result<Scanned, Error> {
    let mut pickles = Vec::new();
    let (start, whole) = start_of(&source)?;
    let content = match plain(&start, whole) {
        Some(content) => content,
        None if start.starts_with(b"PK") => zip(source, &mut pickles, limits)?,
        None if start.starts_with(b"\x93NUMPY") => {
            let length = source.len()?;
            array(&start, length, "")
        }
        None => packed(&start, &mut pickles).unwrap_or_else(|| text(&start, whole)),
    };
    if matches!(content, Content::Pickle) && pickles.is_empty() {
        pickles.push(String::new());
    }
    Ok(Scanned { content, pickles })
}

/// Whether bytes are printable text in UTF-8, with line ends and tabs.
pub fn is_text(bytes: &[u8]) -> bool {
    std::str::from_utf8(bytes).is_ok_and(|text| {
        text.chars()
            .all(|letter| !letter.is_control() || matches!(letter, '\n' | '\r' | '\t'))
    })
}

/// The first bytes, and whether they are all.
fn start_of(source: &Source<'_>) -> Result<(Vec<u8>, bool), Error> {
    let length = source.len()?;
    let start = usize::try_from(length).unwrap_or(usize::MAX).min(START);
    let mut bytes = vec![0; start];
    source.read_exact_at(&mut bytes, 0)?;
    Ok((bytes, length == u64::try_from(start).unwrap_or(u64::MAX)))
}

/// What its first bytes alone say.
fn plain(start: &[u8], whole: bool) -> Option<Content> {
    if start.is_empty() && whole {
        return Some(Content::Empty);
    }
    if pickle::is_pickle(start, whole) {
        return Some(Content::Pickle);
    }
    match Format::of_bytes(start) {
        Some(format) if matches!(format.read, Reader::Booster(_)) => Some(Content::Model(format)),
        _ => None,
    }
}

/// A text, or anything; a letter may be cut at the end of bytes that are not the whole.
fn text(start: &[u8], whole: bool) -> Content {
    let letter = if whole { 0 } else { 3 };
    let cut = start.len().saturating_sub(letter);
    let fits = |end| start.get(..end).is_some_and(is_text);
    if (cut..=start.len()).any(fits) {
        Content::Text
    } else {
        Content::Other
    }
}

/// An npy file with these first bytes.
fn array(start: &[u8], length: u64, name: &str) -> Content {
    match npy::read_header(start, name) {
        Ok(header) => {
            let bytes = header.data_offset.checked_add(header.data_bytes);
            if bytes.and_then(|bytes| u64::try_from(bytes).ok()) == Some(length) {
                Content::Arrays
            } else {
                Content::Other
            }
        }
        // numpy would unpickle what a dtype of objects holds.
        Err(Error::Unsupported { .. }) => Content::Pickle,
        Err(_) => Content::Other,
    }
}

/// A file that is compressed as a whole; pickles in it are added.
fn packed(start: &[u8], pickles: &mut Vec<String>) -> Option<Content> {
    let mut bytes = start.to_vec();
    let mut found = None;
    for _ in 0..DEPTH {
        let Some((_, word)) = PACKED.iter().find(|(magic, _)| bytes.starts_with(magic)) else {
            break;
        };
        found.get_or_insert(*word);
        bytes = inflated(&bytes, word);
        if pickle::is_pickle(&bytes, false) {
            pickles.push(String::new());
            return Some(Content::Pickle);
        }
    }
    found.map(Content::Packed)
}

/// The first bytes that come out of the first bytes of a compressed file; none where nothing here inflates it.
fn inflated(bytes: &[u8], word: &str) -> Vec<u8> {
    fn first(reader: impl Read) -> Vec<u8> {
        let mut out = Vec::new();
        let most = u64::try_from(START).unwrap_or(u64::MAX);
        // What comes out before the cut, or before the damage, is kept.
        let _ = reader.take(most).read_to_end(&mut out);
        out
    }
    match word {
        "gzip" => first(flate2::bufread::GzDecoder::new(bytes)),
        "zlib" => first(flate2::bufread::ZlibDecoder::new(bytes)),
        "bzip2" => first(bzip2::bufread::BzDecoder::new(bytes)),
        _ => Vec::new(),
    }
}

/// A zip: a skops file, an npz, or another one, whose entries are looked at.
fn zip(
    source: Source<'_>,
    pickles: &mut Vec<String>,
    limits: &mut Limits,
) -> Result<Content, Error> {
    let mut content = Content::Packed("zip");
    // What archives inside others may take of memory, all together.
    let mut left = INNER;
    let mut todo = vec![(source, String::new(), 0_usize)];
    while let Some((source, prefix, depth)) = todo.pop() {
        let mut archive = match archive::open(source, limits) {
            Ok(archive) => archive,
            // Inside another one, what is no archive is a file like any other.
            Err(Error::Malformed { .. }) if depth > 0 => continue,
            Err(error) => return Err(error),
        };
        let outermost = depth == 0;
        if outermost
            && archive.find("schema.json").is_some()
            && let Some(format) = Format::of_bytes(b"PK")
        {
            // Its reader accounts for every entry.
            return Ok(Content::Model(format));
        }
        let mut only_arrays = !archive.is_empty();
        for index in 0..archive.entries().len() {
            let (name, bytes) = archive.prefix(index, START)?;
            let name = format!("{prefix}{name}");
            let bytes = bytes.into_owned();
            let size = archive.entry(index)?.size;
            let whole = size == u64::try_from(bytes.len()).unwrap_or(u64::MAX);
            let found = if bytes.starts_with(b"\x93NUMPY") {
                array(&bytes, size, &name)
            } else if pickle::is_pickle(&bytes, whole) {
                Content::Pickle
            } else {
                let mut inside = Vec::new();
                packed(&bytes, &mut inside).unwrap_or(Content::Other)
            };
            if matches!(found, Content::Pickle) {
                pickles.push(name.clone());
            }
            if matches!(found, Content::Arrays) && outermost {
                archive.pay(index, limits)?;
                archive.check(index)?;
            } else {
                only_arrays = false;
            }
            if bytes.starts_with(b"PK\x03\x04") && depth.saturating_add(1) < DEPTH {
                let inner = if let Some(part) = archive.sub_source(index)? {
                    part
                } else {
                    let what = "bytes of an archive in an archive";
                    spend(&mut left, size, what)?;
                    archive.pay(index, limits)?;
                    Source::Owned(archive.read(index, INNER, what)?)
                };
                todo.push((inner, format!("{name}/"), depth.saturating_add(1)));
            }
        }
        if outermost && only_arrays {
            content = Content::Arrays;
        }
    }
    if !pickles.is_empty() {
        content = Content::Pickle;
    }
    Ok(content)
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;
    use crate::archive::{Compression, ZipWriter};

    const PICKLE: &[u8] = b"\x80\x04]\x94.";

    fn zipped(entries: &[(&str, &[u8])]) -> Vec<u8> {
        let mut out = Vec::new();
        let mut writer = ZipWriter::new(&mut out, Compression::Stored);
        for (name, bytes) in entries {
            writer.entry(name, bytes, &[]).unwrap();
        }
        writer.finish().unwrap();
        out
    }

    fn array(descr: &str, data: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        npy::write_header(&mut out, descr, false, &[data.len() / 8]);
        out.extend_from_slice(data);
        out
    }

    /// The word for a content, and where pickles stand.
    fn found(bytes: &[u8]) -> (String, Vec<String>) {
        let found = scan(Source::Bytes(bytes), &mut Limits::default()).unwrap();
        let word = match found.content {
            Content::Model(format) => format.name.to_owned(),
            Content::Packed(word) => word.to_owned(),
            other => format!("{other:?}").to_lowercase(),
        };
        (word, found.pickles)
    }

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut out = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        out.write_all(bytes).unwrap();
        out.finish().unwrap()
    }

    #[test]
    fn content_is_known_without_a_name() {
        for (bytes, word) in [
            (Vec::new(), "empty"),
            (b"tree\nversion=v4\n".to_vec(), "lightgbm"),
            (b"CBM1\0\0".to_vec(), "catboost"),
            (zipped(&[("schema.json", b"{}")]), "skops"),
            (zipped(&[("a.txt", b"text")]), "zip"),
            (array("'<f8'", &[0; 16]), "arrays"),
            (zipped(&[("a.npy", &array("'<f8'", &[0; 16]))]), "arrays"),
            (array("'<f8'", &[0; 16])[..100].to_vec(), "other"),
            (gzip(b"text"), "gzip"),
            ("a caf\u{e9}\n".repeat(9000).into_bytes(), "text"),
            (b"a\0b".to_vec(), "other"),
            (vec![0xff, 0xfe], "other"),
            (vec![1, 2], "other"),
        ] {
            let (found, pickles) = found(&bytes);
            assert_eq!((found.as_str(), pickles.len()), (word, 0));
        }
    }

    #[test]
    fn pickles_are_found_wherever_they_stand() {
        let inner = zipped(&[("b.pkl", PICKLE)]);
        let zlib = {
            let mut out = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::fast());
            out.write_all(PICKLE).unwrap();
            out.finish().unwrap()
        };
        for (bytes, places) in [
            (PICKLE.to_vec(), vec![""]),
            (gzip(PICKLE), vec![""]),
            (gzip(&gzip(PICKLE)), vec![""]),
            (zlib, vec![""]),
            (array("'|O'", &[0; 8]), vec![""]),
            (
                zipped(&[("archive/data.pkl", PICKLE), ("archive/version", b"3\n")]),
                vec!["archive/data.pkl"],
            ),
            (zipped(&[("x.bin", &gzip(PICKLE))]), vec!["x.bin"]),
            (zipped(&[("a.npy", &array("'|O'", &[0; 8]))]), vec!["a.npy"]),
            (zipped(&[("a.zip", &inner)]), vec!["a.zip/b.pkl"]),
            (
                zipped(&[("c.zip", &zipped(&[("a.zip", &inner)]))]),
                vec!["c.zip/a.zip/b.pkl"],
            ),
        ] {
            assert_eq!(
                found(&bytes),
                (
                    "pickle".to_owned(),
                    places.iter().map(|place| (*place).to_owned()).collect()
                )
            );
        }
    }

    #[test]
    fn a_damaged_zip_is_malformed() {
        let bytes = zipped(&[("a.txt", b"text")]);
        let cut = bytes.get(..bytes.len() - 1).unwrap();
        let error = scan(Source::Bytes(cut), &mut Limits::default()).unwrap_err();
        assert!(
            matches!(error, Error::Malformed { format: "zip", .. }),
            "{error}"
        );
    }
}
