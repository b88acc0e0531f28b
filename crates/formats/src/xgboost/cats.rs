//! `cats`: the categories of the columns of the training data, from XGBoost 3.1 on.
//!
//! `Recode` (`src/encoder/ordinal.h`) looks each category of new data up among them: it cuts `sorted_idx` into columns by
//! `feature_segments`, and texts out of `values` by `offsets`, and ends the process where a piece lies outside.

use super::Refused;
use super::tokens::{Items, Object, Tokens};

const OFFSETS: &str = "offsets does not rise from 0 to the length of values";
const SEGMENTS: &str = "feature_segments does not have the categories of each column";
const SORTED: &str = "sorted_idx is not each category of a column once";

/// How many columns there are; `None` where no categories are kept.
pub(super) fn read<'a>(tokens: &mut impl Tokens<'a>) -> Result<Option<u64>, Refused> {
    let mut sizes = Vec::new();
    let mut object = Object::open(tokens)?;
    object.key(tokens, "enc")?;
    let mut items = Items::open(tokens)?;
    let mut numbers = Vec::new();
    while items.more(tokens)? {
        sizes.push(column(tokens, &mut numbers)?);
    }
    object.key(tokens, "feature_segments")?;
    let at = tokens.at();
    let mut segments = Vec::new();
    tokens.ints(&mut segments)?;
    if !segments.is_empty() || !sizes.is_empty() {
        rise(&segments, &sizes).ok_or_else(|| Refused::unverified(at, SEGMENTS))?;
    }
    object.key(tokens, "sorted_idx")?;
    let at = tokens.at();
    let mut sorted = Vec::new();
    tokens.ints(&mut sorted)?;
    each_once(&sorted, &sizes).ok_or_else(|| Refused::unverified(at, SORTED))?;
    object.close(tokens)?;
    Ok(Some(items.taken()).filter(|&columns| columns > 0))
}

/// The number of categories of one column.
fn column<'a>(tokens: &mut impl Tokens<'a>, numbers: &mut Vec<i64>) -> Result<usize, Refused> {
    let mut object = Object::open(tokens)?;
    let size = if object.optional(tokens, "offsets")? {
        let at = tokens.at();
        let mut offsets = Vec::new();
        tokens.ints(&mut offsets)?;
        object.key(tokens, "values")?;
        tokens.integers(1, numbers)?;
        let first = offsets.first().copied().unwrap_or_default();
        let last = offsets.last().copied().unwrap_or_default();
        let ends = usize::try_from(last).ok() == Some(numbers.len());
        if first != 0 || !ends || !offsets.is_sorted() {
            return Err(Refused::unverified(at, OFFSETS));
        }
        offsets.len().saturating_sub(1)
    } else {
        object.key(tokens, "type")?;
        let at = tokens.at();
        let kind = tokens.integer()?;
        object.key(tokens, "values")?;
        // The numbers of `Value::ValueKind` (`include/xgboost/json.h`).
        match kind {
            7 | 8 => usize::try_from(tokens.floats(kind == 8)?).unwrap_or(usize::MAX),
            9 | 11 | 13 | 15 => {
                let width = match kind {
                    9 => 1,
                    11 => 2,
                    13 => 4,
                    _ => 8,
                };
                tokens.integers(width, numbers)?;
                numbers.len()
            }
            10 => {
                let mut bytes = Vec::new();
                tokens.bytes(&mut bytes)?;
                bytes.len()
            }
            _ => {
                let name = kind.to_string();
                return Err(Refused::unsupported(at, "type of categories", &name));
            }
        }
    };
    object.close(tokens)?;
    Ok(size)
}

/// From 0, each step as long as its column.
fn rise(segments: &[i32], sizes: &[usize]) -> Option<()> {
    let (&first, rest) = segments.split_first()?;
    if first != 0 || rest.len() != sizes.len() {
        return None;
    }
    let mut last = 0_usize;
    for (&segment, &size) in rest.iter().zip(sizes) {
        last = last.checked_add(size)?;
        if usize::try_from(segment).ok()? != last {
            return None;
        }
    }
    Some(())
}

/// For each column, its categories in some order.
fn each_once(sorted: &[i32], sizes: &[usize]) -> Option<()> {
    let mut rest = sorted;
    let mut seen = Vec::new();
    for &size in sizes {
        let (own, others) = rest.split_at_checked(size)?;
        seen.clear();
        seen.resize(size, false);
        for &index in own {
            let seen = seen.get_mut(usize::try_from(index).ok()?)?;
            if *seen {
                return None;
            }
            *seen = true;
        }
        rest = others;
    }
    rest.is_empty().then_some(())
}
