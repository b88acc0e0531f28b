//! Models that XGBoost 1.6.2 to 3.2.0 wrote (`cases/boosters`) are read.

#![allow(missing_docs, reason = "a test")]
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test")]

use std::fs;
use std::path::{Path, PathBuf};

use nopickle_formats::xgboost::{Booster, read, read_snapshot};
use nopickle_formats::{Error, Limits};
use proptest::prelude::*;

fn folder(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../..")
        .join(path)
}

const KINDS: [&str; 3] = ["json", "snapshot", "ubj"];

/// The boosters that XGBoost wrote: what they are called, which of the three they are, their bytes.
fn boosters() -> Vec<(String, &'static str, Vec<u8>)> {
    let folder = std::env::var_os("XGBOOST_BOOSTERS")
        .map_or_else(|| folder("cases/boosters"), PathBuf::from);
    let mut boosters: Vec<_> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter_map(|path| {
            let end = path.extension()?.to_str()?;
            let kind = KINDS.into_iter().find(|kind| *kind == end)?;
            Some((path.display().to_string(), kind, fs::read(&path).unwrap()))
        })
        .collect();
    boosters.sort();
    boosters
}

fn booster<'a>(kind: &str, bytes: &'a [u8]) -> Result<Booster<'a>, Error> {
    let limits = Limits::default();
    match kind {
        "snapshot" => read_snapshot(bytes, "handle", &limits),
        _ => read(bytes, "model", &limits),
    }
}

/// What later versions of XGBoost do not read themselves.
fn is_left_behind(name: &str) -> bool {
    let is_of = |versions: &[&str]| versions.iter().any(|version| name.contains(version));
    (name.contains("_multitree.") && is_of(&["_2.0.3_", "_2.1.4_", "_3.0.5_", "_3.1.3_"]))
        || (name.contains("_none.") && is_of(&["_1.6.2_", "_1.7.6_"]))
}

#[test]
fn what_xgboost_wrote_is_read() {
    let boosters = boosters();
    assert!(boosters.len() > 100, "{} boosters", boosters.len());
    for (name, kind, bytes) in boosters {
        let read = booster(kind, &bytes);
        if is_left_behind(&name) {
            assert!(read.is_err(), "{name}");
            continue;
        }
        let read = read.unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!(read.as_bytes(), bytes, "{name}");
        let version = read.version().map(|part| part.to_string()).join(".");
        assert!(name.contains(&format!("xgboost_{version}_")), "{name}");
        assert_eq!(read.num_features(), 4, "{name}");
    }
}

#[test]
fn a_booster_that_is_cut_anywhere_is_refused() {
    for (name, kind, bytes) in boosters() {
        if name.contains("_3.2.0_binary.") {
            for end in 0..bytes.len() {
                assert!(booster(kind, &bytes[..end]).is_err(), "{name} cut at {end}");
            }
        }
    }
}

/// Other bytes are refused or are a model; nothing else happens.
fn is_read_or_refused(kind: &str, bytes: &[u8]) {
    if let Ok(read) = booster(kind, bytes) {
        assert_eq!(read.as_bytes(), bytes);
        assert!(read.num_features() > 0);
    }
}

proptest! {
    #[test]
    fn changed_bytes_are_refused_or_a_model(
        which in any::<prop::sample::Index>(),
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<Vec<u8>>(), 0_usize..9), 1..4),
    ) {
        let boosters = boosters();
        let (_, kind, mut bytes) = which.get(&boosters).clone();
        for (at, mut put, gone) in changes {
            put.truncate(8);
            let at = at.index(bytes.len());
            let end = at.saturating_add(gone).min(bytes.len());
            bytes.splice(at..end, put);
        }
        is_read_or_refused(kind, &bytes);
    }
}

/// The lines `"name" = { kind = "...", says = "..." }` of `expected.toml`.
fn hostile() -> Vec<[String; 3]> {
    let text = fs::read_to_string(folder("cases/hostile/xgboost/expected.toml")).unwrap();
    let between = |line: &str, before: &str| -> Option<String> {
        let (_, rest) = line.split_once(before)?;
        Some(rest.split_once('"')?.0.to_owned())
    };
    text.lines()
        .filter(|line| line.starts_with('"'))
        .map(|line| {
            let says = between(line, "says = \"").unwrap_or_default();
            [
                between(line, "\"").unwrap(),
                between(line, "kind = \"").unwrap(),
                says,
            ]
        })
        .collect()
}

#[test]
fn every_hostile_model_is_refused_in_the_words_of_its_rule() {
    let hostile = hostile();
    assert!(hostile.len() > 200, "{} files", hostile.len());
    let mut wrong = Vec::new();
    for [name, kind, says] in hostile {
        let bytes = fs::read(folder("cases/hostile/xgboost").join(&name)).unwrap();
        let found = if name.ends_with(".snapshot") {
            read_snapshot(&bytes, &name, &Limits::default())
        } else {
            read(&bytes, &name, &Limits::default())
        };
        let found = match found {
            Ok(_) => ("loads", String::new()),
            Err(error) => {
                let kind = match error {
                    Error::Malformed { .. } => "malformed",
                    Error::Unsupported { .. } => "unsupported",
                    Error::Unverified { .. } => "unverified",
                    Error::Limit { .. } => "limit",
                    _ => "other",
                };
                (kind, error.to_string())
            }
        };
        if found.0 != kind || !found.1.contains(&says) {
            wrong.push(format!("{name}: {kind} {says:?}, not {found:?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn values_of_json_and_bytes_are_counted() {
    let (_, _, text) = boosters()
        .into_iter()
        .find(|(name, _, _)| name.ends_with("3.2.0_binary.json"))
        .unwrap();
    let limits = Limits {
        nodes: 100,
        ..Limits::default()
    };
    let error = read(&text, "model.json", &limits).unwrap_err();
    assert_eq!(
        error.to_string(),
        "values of a booster is over the limit: 101 > 100"
    );
    let limits = Limits {
        booster_bytes: 100,
        ..Limits::default()
    };
    for found in [
        read(&text, "m", &limits),
        read_snapshot(&text, "m", &limits),
    ] {
        let error = found.unwrap_err().to_string();
        assert!(error.starts_with("bytes of a booster is over the limit: "));
    }
}
