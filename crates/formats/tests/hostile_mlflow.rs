//! Each folder of `cases/hostile/mlflow` is refused with the kind of error and the words of its `expected.toml`.

#![cfg(test)]
#![allow(missing_docs, reason = "a test")]

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use nopickle_formats::archive::Folder;
use nopickle_formats::mlflow::MlModel;
use nopickle_formats::{Error, Limits};

fn folder(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../..")
        .join(path)
}

fn small_limits() -> Limits {
    Limits {
        text_bytes: 64 << 10,
        ..Limits::default()
    }
}

/// The whole way: the folder, its `MLmodel`, the model that a flavor names.
fn load(path: &Path, mut limits: Limits) -> Result<(), Error> {
    let folder = Folder::open(path)?;
    let model = MlModel::open(&folder, &mut limits)?;
    let flavors = ["sklearn", "catboost", "python_function"];
    let flavor = flavors
        .into_iter()
        .find(|flavor| model.flavor(flavor).is_some());
    let payload = model.payload(&folder, flavor.unwrap_or("sklearn"), &mut limits)?;
    if let Some(entry) = &payload.entry {
        folder.file(entry)?;
    }
    Ok(())
}

fn kind(error: &Error) -> &'static str {
    match error {
        Error::Malformed { .. } => "malformed",
        Error::Unsupported { .. } => "unsupported",
        Error::Limit { .. } => "limit",
        Error::Untrusted(_) => "untrusted",
        Error::Unverified { .. } => "unverified",
        Error::Io(_) => "io",
    }
}

/// Name, kind, words, and whether it is refused under small limits only.
fn cases() -> Vec<(String, String, String, bool)> {
    let text = fs::read_to_string(folder("cases/hostile/mlflow/expected.toml")).unwrap();
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
fn every_hostile_folder_is_refused_in_its_own_words() {
    let mut wrong = String::new();
    let cases = cases();
    for (name, expected, says, small_only) in &cases {
        let path = folder("cases/hostile/mlflow").join(name);
        let mut answers = vec![load(&path, small_limits())];
        if !small_only {
            answers.push(load(&path, Limits::default()));
        } else if let Err(error) = load(&path, Limits::default()) {
            writeln!(wrong, "{name}\n  does not load: {error}").unwrap();
        }
        for answer in answers {
            let (found, words) = match &answer {
                Ok(()) => ("loads", String::new()),
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
    assert!(cases.len() > 80, "{} cases", cases.len());
    assert!(wrong.is_empty(), "\n{wrong}");
}

#[test]
fn every_folder_has_a_line() {
    let folders: BTreeSet<String> = fs::read_dir(folder("cases/hostile/mlflow"))
        .unwrap()
        .map(Result::unwrap)
        .filter(|entry| entry.file_type().unwrap().is_dir())
        .map(|entry| entry.file_name().into_string().unwrap())
        .collect();
    let lines: BTreeSet<String> = cases().into_iter().map(|case| case.0).collect();
    assert_eq!(lines, folders);
}

#[test]
fn a_changed_byte_is_refused_or_is_read_and_written_again() {
    let path = folder("cases/hostile/mlflow/good/MLmodel");
    let bytes = fs::read(path).unwrap();
    for at in 0..bytes.len() {
        for letter in *b" \n:-'\"[{&*!?#0\x00\x80" {
            let mut changed = bytes.clone();
            changed[at] = letter;
            if let Ok(model) = MlModel::read(&changed, &mut Limits::default()) {
                let again = MlModel::read(model.write().as_bytes(), &mut Limits::default());
                let again = again.unwrap();
                let sorted = |model: &MlModel| model.write();
                assert_eq!(sorted(&again), sorted(&model));
            }
        }
    }
}
