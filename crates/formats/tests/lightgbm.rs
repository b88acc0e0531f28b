//! Model texts that LightGBM 2.2.3 to 4.7.0 wrote (`cases/boosters`) are read, and written back byte for byte.

#![allow(missing_docs, reason = "a test")]
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test")]

use std::fs;
use std::path::{Path, PathBuf};

use nopickle_formats::lightgbm::{Booster, read};
use nopickle_formats::{Error, Limits};
use proptest::prelude::*;

fn folder(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../..")
        .join(path)
}

fn texts() -> Vec<(String, Vec<u8>)> {
    let mut texts: Vec<_> = fs::read_dir(folder("cases/boosters"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|end| end == "lgb"))
        .map(|path| (path.display().to_string(), fs::read(&path).unwrap()))
        .collect();
    texts.sort();
    texts
}

fn booster(bytes: &[u8]) -> Result<Booster<'_>, Error> {
    read(bytes, "model.lgb", &Limits::default())
}

#[test]
fn what_lightgbm_wrote_is_written_back_byte_for_byte() {
    let texts = texts();
    assert!(texts.len() > 40, "{} texts", texts.len());
    for (name, bytes) in texts {
        let read = booster(&bytes).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!(read.write().as_bytes(), bytes, "{name}");
        let features = usize::try_from(read.num_features()).unwrap();
        assert_eq!(read.feature_names().count(), features, "{name}");
        let classes = usize::try_from(read.num_class()).unwrap();
        assert_eq!(read.num_trees().checked_rem(classes), Some(0), "{name}");
    }
}

#[test]
fn a_text_that_is_cut_anywhere_is_refused_or_is_a_whole_one() {
    for (name, bytes) in texts() {
        if !name.contains("4.7.0") {
            continue;
        }
        for end in 0..bytes.len() {
            let cut = &bytes[..end];
            if let Ok(read) = booster(cut) {
                assert_eq!(read.write().as_bytes(), cut, "{name} cut at {end}");
                // All trees are there: what may be missing is importances, parameters, categories.
                let written = read.write();
                assert!(written.contains("end of trees\n\nfeature_importances:\n"));
                assert!(written.ends_with('\n'), "{name} cut at {end}");
            }
        }
    }
}

proptest! {
    #[test]
    fn what_is_accepted_is_written_back_as_it_was(
        which in any::<prop::sample::Index>(),
        changes in prop::collection::vec((any::<prop::sample::Index>(), "[0-9 =\n.e-]{0,3}", 0_usize..4), 1..4),
    ) {
        let texts = texts();
        let mut bytes = which.get(&texts).1.clone();
        for (at, put, gone) in changes {
            let at = at.index(bytes.len());
            let end = at.saturating_add(gone).min(bytes.len());
            bytes.splice(at..end, put.bytes());
        }
        if let Ok(read) = booster(&bytes) {
            prop_assert_eq!(read.write().into_bytes(), bytes);
        }
    }
}

/// The lines `"name" = { kind = "...", says = "..." }` of `expected.toml`.
fn hostile() -> Vec<[String; 3]> {
    let text = fs::read_to_string(folder("cases/hostile/lightgbm/expected.toml")).unwrap();
    let between = |line: &str, before: &str| -> Option<String> {
        let (_, rest) = line.split_once(before)?;
        Some(rest.split_once('"')?.0.to_owned())
    };
    text.lines()
        .filter(|line| line.starts_with('"'))
        .map(|line| {
            [
                between(line, "\"").unwrap(),
                between(line, "{ kind = \"").unwrap(),
                between(line, ", says = \"").unwrap_or_default(),
            ]
        })
        .collect()
}

#[test]
fn every_hostile_text_is_refused_in_its_own_words() {
    let mut wrong = Vec::new();
    let cases = hostile();
    assert!(cases.len() > 180, "{} cases", cases.len());
    for [name, kind, says] in cases {
        let path = folder("cases/hostile/lightgbm").join(format!("{name}.lgb"));
        let bytes = fs::read(path).unwrap();
        let (found, words) = match booster(&bytes) {
            Ok(_) => ("loads", String::new()),
            Err(error) => (
                match error {
                    Error::Malformed { .. } => "malformed",
                    Error::Unsupported { .. } => "unsupported",
                    Error::Limit { .. } => "limit",
                    Error::Unverified { .. } => "unverified",
                    Error::Untrusted(_) | Error::Io(_) => "another",
                },
                error.to_string(),
            ),
        };
        if found != kind || words != says {
            wrong.push(format!(
                "{name}\n  expected {kind}: {says}\n  found    {found}: {words}"
            ));
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

#[test]
fn every_hostile_text_has_a_line() {
    let mut files: Vec<String> = fs::read_dir(folder("cases/hostile/lightgbm"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|end| end == "lgb"))
        .map(|path| path.file_stem().unwrap().display().to_string())
        .collect();
    files.sort();
    let mut lines: Vec<String> = hostile().into_iter().map(|[name, ..]| name).collect();
    lines.sort();
    assert_eq!(lines, files);
}

#[test]
fn a_text_over_the_limit_is_not_read() {
    let limits = Limits {
        booster_bytes: 10,
        ..Limits::default()
    };
    assert!(matches!(
        read(&[b'x'; 11], "model.lgb", &limits),
        Err(Error::Limit { found: 11, .. })
    ));
}
