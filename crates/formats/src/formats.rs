//! The formats of model files, and which one a file is in.

use std::fs::File;
use std::io::{self, Read as _, Seek as _};

use crate::archive::Archive;
use crate::error::Error;
use crate::graph::Graph;
use crate::limits::Limits;
use crate::{catboost, lightgbm, skops, xgboost};

/// How many bytes at the start of a file [`Format::sniff`] wants to see; a shorter file is seen whole.
const SNIFFED: usize = 64;

/// A format of model files.
#[derive(Debug)]
pub struct Format {
    /// The word for it, as MLflow has it.
    pub name: &'static str,
    /// What is read of it.
    pub about: &'static str,
    /// Endings of names that no other files have, in small letters, without the dot.
    pub endings: &'static [&'static str],
    /// Whether a file that starts with these bytes is in the format, if it is a model at all.
    pub sniff: fn(&[u8]) -> bool,
    /// Its reader.
    pub read: Read,
}

/// What a reader makes of a file.
#[derive(Debug, Clone, Copy)]
pub enum Read {
    /// The graph of an archive: its names are to be trusted, then its values verified.
    Graph(fn(&mut Archive<'_>, &mut Limits) -> Result<Graph, Error>),
    /// What a booster's bytes say. They name no code, and are verified as they are read; the text stands in errors.
    Booster(fn(&[u8], &str, &Limits) -> Result<Booster, Error>),
}

/// What the file of a booster says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Booster {
    /// The class that its library makes of it.
    pub class: &'static str,
    /// The version of the format.
    pub version: String,
    /// What it was trained for, with parameters; `None` for a function of the user's own.
    pub objective: Option<String>,
    /// Raw scores for each row of the input.
    pub scores: u64,
    /// Columns of the input.
    pub features: u64,
    /// Trees of all iterations.
    pub trees: u64,
    /// The names of the columns, in order, where it has some.
    pub feature_names: Vec<String>,
}

/// Every format of a file, sorted by name.
pub const FORMATS: &[Format] = &[
    Format {
        name: "catboost",
        about: "CatBoost's model file: CBM1 without text and embedding features is read",
        endings: &["cbm"],
        sniff: |start| start.starts_with(b"CBM1"),
        read: Read::Booster(catboost_booster),
    },
    Format {
        name: "lightgbm",
        about: "LightGBM's model text: v2 to v4 are read and written",
        endings: &["lgb"],
        sniff: |start| start.starts_with(b"tree\nversion="),
        read: Read::Booster(lightgbm_booster),
    },
    Format {
        name: "skops",
        about: "skops: protocols 0 to 2 are read, 2 is written",
        endings: &["skops"],
        sniff: |start| start.starts_with(b"PK"),
        read: Read::Graph(skops::read),
    },
    Format {
        name: "xgboost",
        about: "XGBoost's models in UBJSON and JSON: those of 1.6 to 3.2 are read",
        endings: &["ubj"],
        sniff: xgboost::sniff,
        read: Read::Booster(xgboost_booster),
    },
];

impl Format {
    /// The format that a name's ending stands for, be its letters large or small.
    pub fn of_ending(ending: &str) -> Option<&'static Self> {
        let is_its = |known: &str| known.eq_ignore_ascii_case(ending);
        FORMATS
            .iter()
            .find(|format| format.endings.iter().any(|known| is_its(known)))
    }

    /// The format that a file's first bytes are those of.
    pub fn of_bytes(start: &[u8]) -> Option<&'static Self> {
        FORMATS.iter().find(|format| (format.sniff)(start))
    }

    /// The format that an open file's first bytes are those of; the file is left at its start.
    ///
    /// # Errors
    /// Where the file can't be read.
    pub fn of_file(file: &mut File) -> io::Result<Option<&'static Self>> {
        let most = u64::try_from(SNIFFED).unwrap_or(u64::MAX);
        let mut start = Vec::new();
        file.rewind()?;
        (&mut *file).take(most).read_to_end(&mut start)?;
        file.rewind()?;
        Ok(Self::of_bytes(&start))
    }
}

fn catboost_booster(bytes: &[u8], entry: &str, limits: &Limits) -> Result<Booster, Error> {
    let model = catboost::read(bytes, entry, limits)?;
    Ok(Booster {
        class: catboost::CLASS,
        version: "CBM1".to_owned(),
        objective: model.loss().map(str::to_owned),
        scores: model.dimension().into(),
        features: model.num_features().into(),
        trees: u64::try_from(model.num_trees()).unwrap_or(u64::MAX),
        feature_names: model
            .feature_names()
            .iter()
            .copied()
            .map(str::to_owned)
            .collect(),
    })
}

fn lightgbm_booster(bytes: &[u8], entry: &str, limits: &Limits) -> Result<Booster, Error> {
    let booster = lightgbm::read(bytes, entry, limits)?;
    Ok(Booster {
        class: lightgbm::CLASS,
        version: booster.version().to_owned(),
        objective: booster.objective().map(str::to_owned),
        scores: booster.num_class().into(),
        features: booster.num_features().into(),
        trees: u64::try_from(booster.num_trees()).unwrap_or(u64::MAX),
        feature_names: booster.feature_names().map(str::to_owned).collect(),
    })
}

fn xgboost_booster(bytes: &[u8], entry: &str, limits: &Limits) -> Result<Booster, Error> {
    let booster = xgboost::read(bytes, entry, limits)?;
    let [major, minor, patch] = booster.version();
    Ok(Booster {
        class: xgboost::CLASS,
        version: format!("{major}.{minor}.{patch}"),
        objective: Some(booster.objective().to_owned()),
        scores: booster.num_groups(),
        features: booster.num_features(),
        trees: booster.num_trees(),
        feature_names: booster.feature_names().map(str::to_owned).collect(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_sorted_and_no_ending_stands_twice() {
        assert!(FORMATS.is_sorted_by(|a, b| a.name < b.name));
        let mut endings: Vec<&str> = FORMATS
            .iter()
            .flat_map(|row| row.endings)
            .copied()
            .collect();
        let all = endings.len();
        endings.sort_unstable();
        endings.dedup();
        assert_eq!(endings.len(), all);
    }

    #[test]
    fn content_and_ending_name_a_format() {
        let name = |format: Option<&Format>| format.map(|format| format.name);
        assert_eq!(
            name(Format::of_bytes(b"tree\nversion=v4\n")),
            Some("lightgbm")
        );
        assert_eq!(name(Format::of_bytes(b"CBM1\0")), Some("catboost"));
        assert_eq!(name(Format::of_bytes(b"PK\x03\x04")), Some("skops"));
        let ubjson = b"{L\0\0\0\0\0\0\0\x07learner{";
        assert_eq!(name(Format::of_bytes(ubjson)), Some("xgboost"));
        assert_eq!(name(Format::of_bytes(b"{\"learner\":{")), Some("xgboost"));
        assert_eq!(name(Format::of_bytes(b"{\"learner\"}")), None);
        assert_eq!(name(Format::of_bytes(b"tree\n of knowledge")), None);
        assert_eq!(name(Format::of_bytes(b"")), None);
        assert_eq!(name(Format::of_ending("LGB")), Some("lightgbm"));
        assert_eq!(name(Format::of_ending("zip")), None);
    }

    #[test]
    fn the_protocols_of_skops_are_those_that_are_read() {
        let about = Format::of_ending("skops").unwrap().about;
        let (first, last) = (skops::PROTOCOLS.start(), skops::PROTOCOLS.end());
        assert_eq!(
            about,
            format!("skops: protocols {first} to {last} are read, {last} is written")
        );
    }
}
