//! Each policy of `cases/hostile/policy` is refused where, and in the words that, its `expected.toml` says.

#![cfg(test)]
#![allow(missing_docs, reason = "a test")]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use nopickle_gate::Policy;
use serde::Deserialize;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Expected {
    at: String,
    says: String,
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../cases/hostile/policy")
}

#[test]
fn every_hostile_policy_is_refused_in_its_own_words() {
    let text = fs::read_to_string(folder().join("expected.toml")).unwrap();
    let expected: BTreeMap<String, Expected> = toml::from_str(&text).unwrap();
    let files: BTreeSet<String> = fs::read_dir(folder())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name != "expected.toml")
        .collect();
    assert_eq!(files, expected.keys().cloned().collect());
    let mut wrong = Vec::new();
    for (name, expected) in &expected {
        let path = folder().join(name);
        let found = Policy::read(&path).map(|_| ()).unwrap_err().to_string();
        let start = match expected.at.as_str() {
            "" => format!("{}: malformed policy: ", path.display()),
            at => format!("{}:{at}", path.display()),
        };
        if !found.starts_with(&start) || !found.contains(&expected.says) {
            wrong.push(format!("{name}: {found}"));
        }
        assert!(!found.contains('\n'), "{found}");
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn what_is_no_regular_file_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    for path in [
        folder.path().to_owned(),
        folder.path().join("none"),
        PathBuf::from("/dev/null"),
    ] {
        let error = Policy::read(&path).unwrap_err().to_string();
        assert!(error.contains("malformed policy"), "{error}");
    }
    let large = folder.path().join("large.toml");
    fs::write(&large, vec![b'\n'; (1 << 20) + 1]).unwrap();
    assert!(
        Policy::read(&large)
            .unwrap_err()
            .to_string()
            .contains("over the limit")
    );
}
