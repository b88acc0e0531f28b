//! CatBoost's own model file, `.cbm`: a FlatBuffer with the trees, then the tables of its categorical features.
//!
//! CatBoost checks the first FlatBuffer's offsets and nothing of what the numbers in it mean; the tables behind it are not
//! looked at at all, and the evaluator follows both without a bound. [`read()`] accepts what CatBoost writes, and refuses
//! what its reader or evaluator would follow out of its own memory. Every byte of the file is accounted for, so the bytes
//! that were read are those that CatBoost may have. The rules are in `docs/formats/catboost.md`.
//!
//! Read from CatBoost (`catboost/libs/model/`: `flatbuffers/*.fbs`, `model.cpp`, `ctr_value_table.cpp`,
//! `static_ctr_provider.cpp`, `cpu/evaluator_impl.cpp`, `cpu/quantization.h`; `catboost/private/libs/labels/`,
//! `catboost/libs/eval_result/eval_helpers.cpp`, `catboost/libs/helpers/dense_hash_view.h`), and models of 1.2 to 1.2.10.

mod ctr;
mod features;
mod flat;
mod info;
mod json;
mod read;
mod trees;

use crate::error::{Error, Location};
use crate::limits::{Limits, at_most};

/// The class that holds a model of this format.
pub(crate) const CLASS: &str = "catboost.core.CatBoost";

/// A model whose file keeps every rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Model<'a> {
    bytes: &'a [u8],
    dimension: u32,
    num_trees: usize,
    num_features: u32,
    feature_names: Vec<&'a str>,
    loss: Option<&'a str>,
}

impl<'a> Model<'a> {
    /// The bytes of the file, each of which was read.
    pub fn bytes(&self) -> &'a [u8] {
        self.bytes
    }

    /// Raw values for each row: 1 except for several classes, targets or quantiles.
    pub fn dimension(&self) -> u32 {
        self.dimension
    }

    /// Trees.
    pub fn num_trees(&self) -> usize {
        self.num_trees
    }

    /// Columns of the input that the model knows of: one more than the largest flat index.
    pub fn num_features(&self) -> u32 {
        self.num_features
    }

    /// The names of features that have one: numbers first, then categories.
    pub fn feature_names(&self) -> &[&'a str] {
        &self.feature_names
    }

    /// The name of the loss that the model was trained for, where the file says it.
    pub fn loss(&self) -> Option<&'a str> {
        self.loss
    }
}

/// Reads a model, and checks every rule.
///
/// # Errors
///
/// `Malformed` where the bytes are not laid out as CatBoost lays them out, `Unsupported` for a field, a part or features
/// that are not read, `Unverified` where CatBoost would follow a value out of its memory, `Limit` for sizes.
pub fn read<'a>(bytes: &'a [u8], entry: &str, limits: &Limits) -> Result<Model<'a>, Error> {
    let size = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
    at_most(limits.booster_bytes, size, "bytes of a CatBoost model")?;
    parse(bytes).map_err(|refused| refused.into_error(entry))
}

/// Reads a model that stands in memory.
pub(crate) fn parse(bytes: &[u8]) -> Result<Model<'_>, Refused> {
    read::model(bytes)
}

/// Which rule a model breaks, and at which byte.
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
            Kind::Malformed => Error::malformed("catboost", at, what),
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
