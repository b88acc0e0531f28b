//! CTR tables: for each combination of categories what the training data had there.

use super::Refused;
use super::features::Features;
use super::flat::{Buffer, Schema, Table};

/// A bucket of an index: a hash of 64 bits, and the row that it leads to.
const BUCKET: usize = 12;

/// Each byte of the hash of a bucket that is not in use.
const UNUSED: u8 = u8::MAX;

pub(super) const BASE: Schema = Schema {
    name: "TModelCtrBase",
    fields: &[4, 1, 4],
    shared: true,
};
const COMBINATION: Schema = Schema {
    name: "TFeatureCombination",
    fields: &[4, 4, 4],
    shared: true,
};
const VALUE_TABLE: Schema = Schema {
    name: "TCtrValueTable",
    fields: &[4, 4, 4, 4, 4],
    shared: false,
};

/// How a CTR is computed: the numbers of `ECtrType`.
const BORDERS: u8 = 0;
const BUCKETS: u8 = 1;
const MEANS: [u8; 2] = [2, 3];
const LAST: u8 = 5;

/// What a CTR is computed from: features, and how.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Base<'a> {
    categories: &'a [[u8; 4]],
    borders: &'a [[u8; 8]],
    values: &'a [[u8; 8]],
    kind: u8,
    classifier: i32,
}

impl<'a> Base<'a> {
    pub(super) fn read(buffer: &mut Buffer<'a>, table: &Table) -> Result<Self, Refused> {
        let missing = buffer.malformed(table.at(), "a CTR feature does not say what it is of");
        let Some(combination) = buffer.table(table, 0, &COMBINATION)? else {
            return Err(missing);
        };
        let kind = buffer.byte(table, 1, 0)?;
        if kind > LAST {
            let what = "a CtrType is not one that CatBoost knows";
            return Err(buffer.unverified(table.at(), what));
        }
        Ok(Self {
            categories: buffer.vector(&combination, 0, 4)?.1.as_chunks().0,
            borders: buffer.vector(&combination, 1, 8)?.1.as_chunks().0,
            values: buffer.vector(&combination, 2, 8)?.1.as_chunks().0,
            kind,
            classifier: buffer.int(table, 2, 0)?,
        })
    }

    /// The evaluator looks each part up among the model's features.
    fn is_of(&self, features: &Features<'_>) -> bool {
        let is_in = |all: &[[u8; 8]], one| all.binary_search(one).is_ok();
        let mut categories = self.categories.iter();
        categories.all(|one| features.categories.binary_search(one).is_ok())
            && self.borders.iter().all(|one| is_in(&features.borders, one))
            && self.values.iter().all(|one| is_in(&features.values, one))
    }
}

/// One table, as far as its CTR features need it.
#[derive(Debug)]
struct Rows<'a> {
    base: Base<'a>,
    /// Classes of a row; none for sums and counts.
    classes: Option<i32>,
}

/// The tables at the start of `bytes`, which start at `base` in the file. Gives how many bytes they are.
pub(super) fn tables(bytes: &[u8], base: usize, features: &Features<'_>) -> Result<usize, Refused> {
    let short = |at| Refused::malformed(at, "a part of the model ends before it should");
    let (count, mut behind) = bytes.split_first_chunk().ok_or_else(|| short(base))?;
    let count = u32::from_le_bytes(*count);
    let mut all: Vec<Rows<'_>> = Vec::new();
    for _ in 0..count {
        let at = base.saturating_add(bytes.len().saturating_sub(behind.len()));
        let (length, rest) = behind.split_first_chunk().ok_or_else(|| short(at))?;
        let length = usize::try_from(u32::from_le_bytes(*length)).map_err(|_| short(at))?;
        let (table, rest) = rest.split_at_checked(length).ok_or_else(|| short(at))?;
        behind = rest;
        all.push(one(table, at.saturating_add(4))?);
    }
    all.sort_unstable_by_key(|rows| rows.base);
    let twice = |pair: &[Rows<'_>]| match pair {
        [before, after] => before.base == after.base,
        _ => false,
    };
    if all.windows(2).any(twice) {
        return Err(Refused::unverified(base, "two tables are of the same CTR"));
    }
    for (of, target, at) in &features.ctrs {
        if !of.is_of(features) {
            let what = "a combination has a feature, border or value that the model does not have";
            return Err(Refused::unverified(*at, what));
        }
        let row = all.binary_search_by_key(of, |rows| rows.base).ok();
        let Some(rows) = row.and_then(|row| all.get(row)) else {
            return Err(Refused::unverified(*at, MISSING));
        };
        if rows
            .classes
            .is_some_and(|classes| !(0..classes).contains(target))
        {
            let what = "TargetBorderIdx is not a class of its table";
            return Err(Refused::unverified(*at, what));
        }
    }
    Ok(bytes.len().saturating_sub(behind.len()))
}

pub(super) const MISSING: &str = "a CTR feature has no table";

/// Reads one table.
fn one(bytes: &[u8], base: usize) -> Result<Rows<'_>, Refused> {
    let mut buffer = Buffer::new(bytes, base);
    let table = buffer.root(&VALUE_TABLE)?;
    let Some(of) = buffer.table(&table, 0, &BASE)? else {
        return Err(buffer.malformed(table.at(), "a CTR feature does not say what it is of"));
    };
    let of = Base::read(&mut buffer, &of)?;
    let (index_at, index) = buffer.vector(&table, 1, 1)?;
    let (blob_at, blob) = buffer.vector(&table, 2, 1)?;
    let count = buffer.int(&table, 4, 0)?;
    let (width, classes) = match of.kind {
        BORDERS | BUCKETS => {
            // Two counts where there are no more classes.
            let classes = if of.kind == BORDERS {
                count.max(2)
            } else {
                count
            };
            let width = usize::try_from(classes).ok().filter(|&classes| classes > 0);
            let width = width.and_then(|classes| classes.checked_mul(4));
            (width, Some(classes))
        }
        kind if MEANS.contains(&kind) => (Some(8), None),
        _ => (Some(4), None),
    };
    let rows = width
        .filter(|width| blob.len().is_multiple_of(*width))
        .and_then(|width| blob.len().checked_div(width));
    let Some(rows) = rows else {
        return Err(buffer.unverified(blob_at, "CTRBlob is not whole rows"));
    };
    if index.is_empty() || !index.len().is_multiple_of(BUCKET) {
        return Err(buffer.unverified(index_at, "IndexHashRaw is not whole buckets"));
    }
    let buckets = index.as_chunks::<BUCKET>().0;
    let mut used = 0_usize;
    for bucket in buckets {
        let (hash, row) = bucket.split_at(8);
        if hash.iter().all(|byte| *byte == UNUSED) {
            continue;
        }
        used = used.saturating_add(1);
        let row = row.first_chunk().copied().map(u32::from_le_bytes);
        let row = row.and_then(|row| usize::try_from(row).ok());
        if row.is_none_or(|row| row >= rows) {
            return Err(buffer.unverified(index_at, "a bucket leads to a row that is not there"));
        }
    }
    // A search ends at a bucket that is not in use.
    if !buckets.len().is_power_of_two() || used.saturating_mul(2) > buckets.len() {
        let what = "the buckets are not a power of two, at most half of them in use";
        return Err(buffer.unverified(index_at, what));
    }
    buffer.finish()?;
    Ok(Rows { base: of, classes })
}
