//! XGBoost's models: the files `model.ubj` and `model.json`, and the snapshot that a `Booster` keeps as its state.
//!
//! XGBoost's own reader takes a length of UBJSON and the place of a node as they stand there, and its predictor walks from
//! child to child without a bound. [`read()`] accepts what XGBoost 1.6 to 3.2 write, key by key, and refuses what their reader
//! or predictor would follow out of its own memory. XGBoost gets the very bytes that were read: UBJSON has one accepted way to
//! write each value, so they are those that XGBoost would write. The rules are in `docs/formats/xgboost.md`.
//!
//! Read from XGBoost 3.2.0: `src/learner.cc`, `src/common/json.cc`, `src/gbm/`, `src/tree/tree_model.cc`,
//! `src/tree/multi_target_tree_model.cc`, `src/data/cat_container.cc`, `src/encoder/ordinal.h`, `src/predictor/`; files and
//! snapshots of 1.6.2, 1.7.6, 2.0.3, 2.1.4, 3.0.5, 3.1.3 and 3.2.0.

mod cats;
mod config;
mod json;
mod model;
mod parameters;
mod tokens;
mod tree;
mod ubjson;

use crate::error::{Error, Location};
use crate::limits::{Limits, at_most};

/// The class that holds a snapshot.
pub(crate) const CLASS: &str = "xgboost.core.Booster";

/// The most threads that a model may ask for. OpenMP ends the process where it can't start them.
pub(crate) const MOST_THREADS: i64 = 1024;

/// Each row of predictions has room for all classes.
const MOST_CLASSES: u64 = 10_000;

/// Each thread makes room for 64 rows of all features, whatever the data has. More of them have names in the file, which
/// pay for it.
const MOST_FEATURES: u64 = 1 << 20;

/// The bitsets of all categorical splits together: each is as long as its largest category, and a file holds only that.
const MOST_BITSET_BYTES: u64 = 1 << 30;

/// How a model is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Encoding {
    /// `model.ubj`.
    Ubjson,
    /// `model.json`.
    Json,
}

/// What the model adds up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Trees.
    Gbtree,
    /// Trees, each with a weight.
    Dart,
    /// A weight for each feature.
    Gblinear,
}

/// A booster whose bytes keep every rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Booster<'a> {
    bytes: &'a [u8],
    encoding: Encoding,
    model: Model<'a>,
}

/// What was read of a model.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Model<'a> {
    version: [u32; 3],
    kind: Kind,
    num_feature: u64,
    groups: u64,
    num_class: u64,
    objective: &'a str,
    num_trees: u64,
    feature_names: Vec<&'a str>,
}

impl<'a> Booster<'a> {
    /// The bytes: what XGBoost may read.
    pub fn as_bytes(&self) -> &'a [u8] {
        self.bytes
    }

    /// How the model is written.
    pub fn encoding(&self) -> Encoding {
        self.encoding
    }

    /// The version of XGBoost that wrote it.
    pub fn version(&self) -> [u32; 3] {
        self.model.version
    }

    /// What the model adds up.
    pub fn kind(&self) -> Kind {
        self.model.kind
    }

    /// Columns of the input.
    pub fn num_features(&self) -> u64 {
        self.model.num_feature
    }

    /// Raw scores for each row: classes or targets.
    pub fn num_groups(&self) -> u64 {
        self.model.groups
    }

    /// Trees of all iterations.
    pub fn num_trees(&self) -> u64 {
        self.model.num_trees
    }

    /// The names of the columns, in order and as they are written; none where the training data had none.
    pub fn feature_names(&self) -> impl Iterator<Item = &'a str> {
        self.model.feature_names.iter().copied()
    }

    /// The name of the objective.
    pub fn objective(&self) -> &'a str {
        self.model.objective
    }
}

/// Whether a file that starts with these bytes is a model of XGBoost, if it is a model at all.
pub fn sniff(start: &[u8]) -> bool {
    start.starts_with(b"{L\0\0\0\0\0\0\0\x07learner{") || start.starts_with(b"{\"learner\":")
}

/// Reads a model file, UBJSON or JSON, and checks every rule.
///
/// # Errors
///
/// `Malformed` where the bytes are not what XGBoost writes, `Unsupported` for a version or a name that is not read,
/// `Unverified` where XGBoost would follow a value out of its memory, `Limit` for sizes.
pub fn read<'a>(bytes: &'a [u8], entry: &str, limits: &Limits) -> Result<Booster<'a>, Error> {
    let size = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
    at_most(limits.booster_bytes, size, "bytes of a booster")?;
    let booster = parse(bytes, limits.nodes).map_err(|refused| refused.into_error(entry))?;
    // XGBoost goes by the ending where it has one.
    let of_ending = match entry.rsplit_once('.').map(|(_, ending)| ending) {
        Some("json") => Encoding::Json,
        Some("ubj") => Encoding::Ubjson,
        _ => booster.encoding,
    };
    if booster.encoding != of_ending {
        let what = "the ending of the name is not that of the content";
        return Err(Error::malformed("xgboost", Location::entry(entry), what));
    }
    Ok(booster)
}

/// Reads a snapshot, what `Booster.__getstate__` keeps, and checks every rule.
///
/// # Errors
///
/// As [`read()`].
pub fn read_snapshot<'a>(
    bytes: &'a [u8],
    entry: &str,
    limits: &Limits,
) -> Result<Booster<'a>, Error> {
    let size = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
    at_most(limits.booster_bytes, size, "bytes of a booster")?;
    parse_snapshot(bytes).map_err(|refused| refused.into_error(entry))
}

/// XGBoost looks at the second byte to tell JSON from UBJSON (`src/c_api/c_api.cc`, `DispatchModelType`).
fn parse(bytes: &[u8], values: u64) -> Result<Booster<'_>, Refused> {
    const OTHER: &str = "the file starts neither as UBJSON nor as JSON of XGBoost";
    match bytes {
        [b'{', b'L', ..] => {
            let mut tokens = ubjson::Ubjson::new(bytes);
            let model = model::read(&mut tokens)?;
            if !tokens.is_at_end() {
                return Err(tokens::Tokens::malformed(&tokens, AFTER));
            }
            let encoding = Encoding::Ubjson;
            Ok(Booster {
                bytes,
                encoding,
                model,
            })
        }
        [b'{', b'"', ..] => {
            let text = std::str::from_utf8(bytes)
                .map_err(|error| Refused::malformed(error.valid_up_to(), tokens::TEXT))?;
            let mut tokens = json::Json::new(text, values);
            let model = model::read(&mut tokens)?;
            if !tokens.is_at_end() {
                return Err(tokens::Tokens::malformed(&tokens, AFTER));
            }
            let encoding = Encoding::Json;
            Ok(Booster {
                bytes,
                encoding,
                model,
            })
        }
        _ => Err(Refused::malformed(0, OTHER)),
    }
}

const AFTER: &str = "the file goes on after its object";

/// Reads a snapshot that stands in memory.
pub(crate) fn parse_snapshot(bytes: &[u8]) -> Result<Booster<'_>, Refused> {
    let mut tokens = ubjson::Ubjson::new(bytes);
    let model = config::snapshot(&mut tokens)?;
    if !tokens.is_at_end() {
        return Err(tokens::Tokens::malformed(&tokens, AFTER));
    }
    let encoding = Encoding::Ubjson;
    Ok(Booster {
        bytes,
        encoding,
        model,
    })
}

/// Which rule a booster breaks, and at which byte.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Refused {
    at: usize,
    pub(crate) what: &'static str,
    kind: Why,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Why {
    Malformed,
    Unsupported(String),
    Unverified,
    Limit { found: u64, limit: u64 },
}

impl Refused {
    fn malformed(at: usize, what: &'static str) -> Self {
        let kind = Why::Malformed;
        Self { at, what, kind }
    }

    fn unverified(at: usize, what: &'static str) -> Self {
        let kind = Why::Unverified;
        Self { at, what, kind }
    }

    fn unsupported(at: usize, what: &'static str, name: &str) -> Self {
        let kind = Why::Unsupported(name.chars().take(100).collect());
        Self { at, what, kind }
    }

    fn limit(at: usize, what: &'static str, found: u64, limit: u64) -> Self {
        let kind = Why::Limit { found, limit };
        Self { at, what, kind }
    }

    fn into_error(self, entry: &str) -> Error {
        let at = Location::byte(entry, u64::try_from(self.at).unwrap_or(u64::MAX));
        let what = self.what;
        match self.kind {
            Why::Malformed => Error::malformed("xgboost", at, what),
            Why::Unsupported(name) => Error::unsupported(at, what, name),
            Why::Unverified => Error::Unverified {
                at,
                class: CLASS.to_owned(),
                what,
            },
            Why::Limit { found, limit } => Error::Limit { what, found, limit },
        }
    }
}
