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
