//! Models that CatBoost 1.2 to 1.2.10 wrote (`cases/boosters`) are read, and each byte of them belongs to one value.

#![allow(missing_docs, reason = "a test")]
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test")]

use std::fs;
use std::path::{Path, PathBuf};

use nopickle_formats::catboost::{Model, read};
use nopickle_formats::{Error, Limits};
use proptest::prelude::*;

fn folder(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../..")
        .join(path)
}

fn files() -> Vec<(String, Vec<u8>)> {
    let mut files: Vec<_> = fs::read_dir(folder("cases/boosters"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|end| end == "cbm"))
        .map(|path| {
            (
                path.file_stem().unwrap().display().to_string(),
                fs::read(&path).unwrap(),
            )
        })
        .collect();
    files.sort();
    files
}

fn model(bytes: &[u8]) -> Result<Model<'_>, Error> {
    read(bytes, "model.cb", &Limits::default())
}

#[test]
fn what_catboost_wrote_is_read_whole() {
    let files = files();
    assert!(files.len() > 25, "{} files", files.len());
    for (name, bytes) in files {
        let read = model(&bytes).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!(read.bytes(), bytes, "{name}");
        assert!(read.num_features() >= 1, "{name}");
    }
}

#[test]
fn a_model_that_is_cut_anywhere_is_refused() {
    for (name, bytes) in files() {
        if !name.contains("1.2.10_cat") {
            continue;
        }
        for end in 0..bytes.len() {
            assert!(model(&bytes[..end]).is_err(), "{name} cut at {end}");
        }
    }
}

#[test]
fn a_byte_of_the_layout_that_is_another_one_is_read_in_full_or_refused() {
    // Every byte is looked at: what still is a model keeps all its rules.
    for (name, bytes) in files() {
        if !name.contains("1.2.10_cat_multi") {
            continue;
        }
        let mut refused = 0;
        for at in 0..bytes.len() {
            let mut changed = bytes.clone();
            changed[at] ^= 0x41;
            match model(&changed) {
                Ok(read) => assert_eq!(read.bytes(), changed),
                Err(_) => refused += 1,
            }
        }
        assert!(refused > bytes.len() / 8, "{refused} of {}", bytes.len());
    }
}

proptest! {
    #[test]
    fn any_change_gives_a_model_or_an_error(
        which in any::<prop::sample::Index>(),
        changes in prop::collection::vec(
            (any::<prop::sample::Index>(), prop::collection::vec(any::<u8>(), 0..5), 0_usize..5),
            1..4,
        ),
    ) {
        let files = files();
        let mut bytes = which.get(&files).1.clone();
        for (at, put, gone) in changes {
            let at = at.index(bytes.len());
            let end = at.saturating_add(gone).min(bytes.len());
            bytes.splice(at..end, put);
        }
        if let Ok(read) = model(&bytes) {
            prop_assert_eq!(read.bytes(), &bytes[..]);
        }
    }
}

/// The lines `"name" = { kind = "...", says = "..." }` of `expected.toml`.
fn hostile() -> Vec<[String; 3]> {
    let text = fs::read_to_string(folder("cases/hostile/catboost/expected.toml")).unwrap();
    let between = |line: &str, before: &str| -> Option<String> {
        let (_, rest) = line.split_once(before)?;
        Some(rest.split_once('"')?.0.replace("\\\\", "\\"))
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
fn every_hostile_model_is_refused_in_its_own_words() {
    let mut wrong = Vec::new();
    let cases = hostile();
    assert!(cases.len() > 180, "{} cases", cases.len());
    for [name, kind, says] in cases {
        let path = folder("cases/hostile/catboost").join(format!("{name}.cbm"));
        let bytes = fs::read(path).unwrap();
        let (found, words) = match model(&bytes) {
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
fn every_hostile_model_has_a_line() {
    let mut files: Vec<String> = fs::read_dir(folder("cases/hostile/catboost"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|end| end == "cbm"))
        .map(|path| path.file_stem().unwrap().display().to_string())
        .collect();
    files.sort();
    let mut lines: Vec<String> = hostile().into_iter().map(|[name, ..]| name).collect();
    lines.sort();
    assert_eq!(lines, files);
}

#[test]
fn a_model_over_the_limit_is_not_read() {
    let limits = Limits {
        booster_bytes: 10,
        ..Limits::default()
    };
    assert!(matches!(
        read(&[b'C'; 11], "model.cb", &limits),
        Err(Error::Limit { found: 11, .. })
    ));
}
