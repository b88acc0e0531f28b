//! Each signature of `cases/hostile/model_sig` is refused with the kind of error and the words of its `expected.toml`.

#![cfg(test)]
#![allow(missing_docs, reason = "a test")]

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use nopickle_formats::{Error as ReadError, Limits};
use nopickle_gate::signing::{Error, Options, PublicKey, Verified, verify};

fn cases() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../cases/hostile/model_sig")
}

fn keys() -> Vec<PublicKey> {
    let key = |name: &str| PublicKey::open(&cases().join("keys").join(name)).unwrap();
    ["p256.pem", "p384.pem", "p521.pem"].map(key).into()
}

fn small_limits() -> Limits {
    Limits {
        text_bytes: 64 << 10,
        entries: 1000,
        ..Limits::default()
    }
}

fn answer(signature: &Path, limits: Limits) -> Result<Verified, Error> {
    let mut options = Options {
        signature: Some(signature.to_owned()),
        limits,
        progress: None,
    };
    verify(&cases().join("model"), &keys(), &mut options)
}

fn kind(error: &Error) -> &'static str {
    match error {
        Error::Read(ReadError::Malformed { .. }) => "malformed",
        Error::Read(ReadError::Unsupported { .. }) => "unsupported",
        Error::Read(ReadError::Limit { .. }) => "limit",
        Error::Read(_) => "io",
        Error::Key { .. } => "key",
        Error::Refused(_) => "refused",
    }
}

/// Name, kind, words, and whether it is refused under small limits only.
fn expected() -> Vec<(String, String, String, bool)> {
    let text = fs::read_to_string(cases().join("expected.toml")).unwrap();
    let between = |line: &str, before: &str| -> Option<String> {
        let (_, rest) = line.split_once(before)?;
        Some(rest.split_once('"')?.0.to_owned())
    };
    text.lines()
        .filter(|line| !line.starts_with('#'))
        .map(|line| {
            (
                between(line, "\"").unwrap(),
                between(line, "{ kind = \"").unwrap(),
                between(line, ", says = \"").unwrap_or_default(),
                line.contains("with = \"small limits\""),
            )
        })
        .collect()
}

#[test]
fn every_hostile_signature_is_refused_in_its_own_words() {
    let mut wrong = String::new();
    let cases_expected = expected();
    for (name, expected, says, small_only) in &cases_expected {
        let path = cases().join(format!("{name}.sig"));
        let mut answers = vec![answer(&path, small_limits())];
        if !small_only {
            answers.push(answer(&path, Limits::default()));
        } else if let Err(error) = answer(&path, Limits::default()) {
            writeln!(wrong, "{name}\n  does not verify: {error}").unwrap();
        }
        for answer in answers {
            let (found, words) = match &answer {
                Ok(_) => ("loads", String::new()),
                Err(error) => (kind(error), error.to_string()),
            };
            let silent = found != "loads" && says.is_empty();
            if found != expected || !words.contains(says) || silent {
                let line =
                    format!("{name}\n  expected {expected}: {says}\n  found    {found}: {words}");
                writeln!(wrong, "{line}").unwrap();
                break;
            }
        }
    }
    assert!(cases_expected.len() > 120, "{} cases", cases_expected.len());
    assert!(wrong.is_empty(), "\n{wrong}");
}

#[test]
fn every_signature_has_a_line() {
    let files: BTreeSet<String> = fs::read_dir(cases())
        .unwrap()
        .filter_map(|entry| entry.unwrap().file_name().into_string().ok())
        .filter_map(|name| name.strip_suffix(".sig").map(str::to_owned))
        .collect();
    let lines: BTreeSet<String> = expected().into_iter().map(|case| case.0).collect();
    assert_eq!(lines, files);
}

#[test]
fn a_changed_byte_of_a_signature_is_refused_or_says_the_same() {
    let good = cases().join("good_p256.sig");
    let signed = answer(&good, Limits::default()).unwrap();
    let bytes = fs::read(&good).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("changed.sig");
    for at in (0..bytes.len()).step_by(13) {
        for letter in *b"\"A=\x00" {
            let mut changed = bytes.clone();
            changed[at] = letter;
            fs::write(&path, changed).unwrap();
            if let Ok(verified) = answer(&path, Limits::default()) {
                assert_eq!(verified, signed, "byte {at}");
            }
        }
    }
}
