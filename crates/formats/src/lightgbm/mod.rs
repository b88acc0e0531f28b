//! LightGBM's model text: what a booster writes, versions `v2`, `v3` and `v4`.
//!
//! LightGBM's own reader follows what the text says: it takes counts, children, features and bitsets as they stand
//! there, and its predictor walks them without a bound. [`read()`] accepts what LightGBM writes, line by line, and refuses
//! what its reader or predictor would follow out of its own memory. [`Booster::write`] puts the text together again from
//! what was read. The rules are in `docs/formats/lightgbm.md`.
//!
//! Read from LightGBM 4.7.0: `src/boosting/gbdt_model_text.cpp`, `src/io/tree.cpp`, `include/LightGBM/tree.h`,
//! `include/LightGBM/utils/common.h`, `src/objective/`; texts of 2.2.3, 2.3.1, 3.0.0, 3.1.1, 3.3.5, 4.0.0, 4.6.0 and 4.7.0.

mod cursor;
mod pandas;
mod read;
mod tree;
mod write;

use crate::error::{Error, Location};
use crate::limits::{Limits, at_most};

/// The class that holds a text of this format.
pub(crate) const CLASS: &str = "lightgbm.basic.Booster";

/// LightGBM makes room for the square of the classes wherever it reads parameters (`Config::GetAucMuWeights`), and each
/// prediction has room for all.
pub(crate) const MOST_CLASSES: u32 = 10_000;

/// A booster whose text keeps every rule. Numbers that the rules do not need stay as they are written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Booster<'a> {
    header: Header<'a>,
    trees: Vec<Tree<'a>>,
    importances_title: &'a str,
    importances: &'a str,
    parameters: Option<&'a str>,
    pandas_categorical: Option<&'a str>,
    pandas_columns: Option<Vec<u32>>,
    /// Bytes of the text.
    length: usize,
}

/// The lines before the trees, but for `tree_sizes`.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Header<'a> {
    version: &'a str,
    num_class: u32,
    label_index: i32,
    num_features: u32,
    objective: Option<&'a str>,
    average_output: bool,
    feature_names: &'a str,
    monotone_constraints: Option<&'a str>,
    feature_infos: &'a str,
}

/// One tree: the values of its lines.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Tree<'a> {
    num_leaves: u32,
    num_cat: u32,
    split_feature: &'a str,
    split_gain: &'a str,
    threshold: &'a str,
    decision_type: &'a str,
    left_child: &'a str,
    right_child: &'a str,
    leaf_value: &'a str,
    leaf_weight: Option<&'a str>,
    leaf_count: &'a str,
    internal_value: &'a str,
    internal_weight: Option<&'a str>,
    internal_count: &'a str,
    categories: Option<[&'a str; 2]>,
    is_linear: Option<bool>,
    linear: Option<[&'a str; 4]>,
    shrinkage: &'a str,
    /// Bytes of all its lines, read or written.
    length: usize,
}

impl<'a> Booster<'a> {
    /// `v2`, `v3` or `v4`.
    pub fn version(&self) -> &'a str {
        self.header.version
    }

    /// Raw scores for each row, and trees in each iteration: 1 except for several classes.
    pub fn num_class(&self) -> u32 {
        self.header.num_class
    }

    /// Columns of the input.
    pub fn num_features(&self) -> u32 {
        self.header.num_features
    }

    /// Trees of all iterations.
    pub fn num_trees(&self) -> usize {
        self.trees.len()
    }

    /// The objective with its parameters, as it is written; `None` for one of the user's own.
    pub fn objective(&self) -> Option<&'a str> {
        self.header.objective
    }

    /// The names of the columns, in order.
    pub fn feature_names(&self) -> impl Iterator<Item = &'a str> {
        self.header.feature_names.split(' ')
    }

    /// How many categories each categorical column of pandas had; `None` where the text does not say or says `null`.
    pub fn pandas_columns(&self) -> Option<&[u32]> {
        self.pandas_columns.as_deref()
    }
}

/// Reads a booster's text, and checks every rule.
///
/// # Errors
///
/// `Malformed` where the text is not one that LightGBM writes, `Unsupported` for a version or a section that is not
/// read, `Unverified` where LightGBM would follow a value out of its memory, `Limit` for sizes.
pub fn read<'a>(bytes: &'a [u8], entry: &str, limits: &Limits) -> Result<Booster<'a>, Error> {
    let size = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
    at_most(limits.booster_bytes, size, "bytes of a booster's text")?;
    let text = std::str::from_utf8(bytes).map_err(|error| {
        let at = u64::try_from(error.valid_up_to()).unwrap_or(u64::MAX);
        Error::malformed(
            "lightgbm",
            Location::byte(entry, at),
            "the text is not UTF-8",
        )
    })?;
    parse(text).map_err(|refused| refused.into_error(entry))
}

/// Reads a booster's text that stands in memory.
pub(crate) fn parse(text: &str) -> Result<Booster<'_>, Refused> {
    read::booster(text)
}

/// The features and the classes of a text whose rest is not looked at.
pub(crate) fn dimensions(text: &str) -> Result<(u32, u32), Refused> {
    read::dimensions(text)
}

/// Which rule a text breaks, and at which byte.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Refused {
    pub(crate) at: usize,
    pub(crate) what: &'static str,
    kind: Kind,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Kind {
    Malformed,
    Unsupported(String),
    Unverified,
    Limit { found: u64, limit: u64 },
}

impl Refused {
    fn malformed(at: usize, what: &'static str) -> Self {
        let kind = Kind::Malformed;
        Self { at, what, kind }
    }

    fn unverified(at: usize, what: &'static str) -> Self {
        let kind = Kind::Unverified;
        Self { at, what, kind }
    }

    fn unsupported(at: usize, what: &'static str, name: &str) -> Self {
        let kind = Kind::Unsupported(name.to_owned());
        Self { at, what, kind }
    }

    fn limit(at: usize, what: &'static str, found: u64, limit: u64) -> Self {
        let kind = Kind::Limit { found, limit };
        Self { at, what, kind }
    }

    fn into_error(self, entry: &str) -> Error {
        let at = Location::byte(entry, u64::try_from(self.at).unwrap_or(u64::MAX));
        let what = self.what;
        match self.kind {
            Kind::Malformed => Error::malformed("lightgbm", at, what),
            Kind::Unsupported(name) => Error::unsupported(at, what, name),
            Kind::Unverified => Error::Unverified {
                at,
                class: CLASS.to_owned(),
                what,
            },
            Kind::Limit { found, limit } => Error::Limit { what, found, limit },
        }
    }
}
