//! Model texts that LightGBM 2.2.3 to 4.7.0 wrote (`cases/boosters`) are read, and written back byte for byte.

#![allow(missing_docs, reason = "a test")]
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test")]

use std::fs;
use std::path::Path;

use nopickle_formats::lightgbm::{Booster, read};
use nopickle_formats::{Error, Limits};
use proptest::prelude::*;

fn texts() -> Vec<(String, Vec<u8>)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../cases/boosters");
    let mut texts: Vec<_> = fs::read_dir(folder)
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
        assert_eq!(read.feature_names().count(), read.num_features() as usize);
        assert_eq!(read.num_trees() % read.num_class() as usize, 0, "{name}");
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
        which in 0_usize..1000,
        changes in prop::collection::vec((any::<prop::sample::Index>(), "[0-9 =\n.e-]{0,3}", 0_usize..4), 1..4),
    ) {
        let texts = texts();
        let mut bytes = texts[which % texts.len()].1.clone();
        for (at, put, gone) in changes {
            let at = at.index(bytes.len());
            let end = (at + gone).min(bytes.len());
            bytes.splice(at..end, put.bytes());
        }
        if let Ok(read) = booster(&bytes) {
            prop_assert_eq!(read.write().into_bytes(), bytes);
        }
    }
}
