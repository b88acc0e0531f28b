//! One tree of a model text.

use super::cursor::Cursor;
use super::{Refused, Tree};

/// `PredictContrib` and `DumpModel` call themselves for each level, and the first has room for half its square.
const DEEPEST: u32 = 4096;

const CHILDREN: &str = "a list of children is not as long as the tree has splits";
const CATEGORIES: &str = "a categorical split names a bitset that is not there";
const BOUNDARIES: &str = "cat_boundaries does not rise from 0";
const LEAVES: &str = "a list of leaves is not as long as the tree has leaves";
const SPLITS: &str = "a list of splits is not as long as the tree has splits";
const LINEAR: &str = "leaf_features or leaf_coeff does not have the numbers that num_features says";

/// What one tree says, kept from tree to tree so that a booster of thousands allocates once.
#[derive(Debug, Default)]
pub(super) struct Scratch {
    categorical: Vec<bool>,
    /// The level of each split that has a parent; the root's is 1.
    level: Vec<u32>,
    leaf_seen: Vec<bool>,
    left: Vec<i32>,
    right: Vec<i32>,
    in_leaf: Vec<u32>,
}

/// Reads the lines of tree `index`, with the two empty lines behind it.
pub(super) fn read<'a>(
    cursor: &mut Cursor<'a>,
    index: usize,
    num_features: u32,
    scratch: &mut Scratch,
) -> Result<Tree<'a>, Refused> {
    let start = *cursor;
    cursor.expect(b"Tree=", "a tree does not start with its number")?;
    if usize::try_from(cursor.integer()?).ok() != Some(index) {
        return Err(start.malformed("a tree does not start with its number"));
    }
    cursor.end_of_line("a line goes on after its number")?;
    let num_leaves = count(cursor, b"num_leaves=", "the line num_leaves is not here")?;
    if num_leaves == 0 || i32::try_from(num_leaves).is_err() {
        return Err(start.unverified("num_leaves is not at least 1"));
    }
    let num_cat = count(cursor, b"num_cat=", "the line num_cat is not here")?;
    let splits = num_leaves.saturating_sub(1);
    let is_feature = |value: i32| {
        u32::try_from(value)
            .ok()
            .filter(|&feature| feature < num_features)
            .map(|_| ())
            .ok_or("a split is on a feature that is not there")
    };

    cursor.expect(b"split_feature=", "the line split_feature is not here")?;
    let split_feature = cursor.ints(splits, SPLITS, is_feature)?;
    cursor.expect(b"split_gain=", "the line split_gain is not here")?;
    let split_gain = cursor.numbers(splits, SPLITS)?;
    cursor.expect(b"threshold=", "the line threshold is not here")?;
    let thresholds = *cursor;
    let threshold = cursor.numbers(splits, SPLITS)?;
    cursor.expect(b"decision_type=", "the line decision_type is not here")?;
    scratch.categorical.clear();
    let decision_type = cursor.ints(splits, SPLITS, |value| {
        // Bit 0: categorical. Bit 1: missing values go left. Bits 2 and 3: none, zero or NaN is missing.
        if !(0..12).contains(&value) {
            return Err("a decision_type is not one that LightGBM knows");
        }
        scratch.categorical.push(value & 1 == 1);
        Ok(())
    })?;
    category_indices(thresholds, &scratch.categorical, num_cat)?;
    let (left_child, right_child) = children(cursor, num_leaves, scratch)?;

    cursor.expect(b"leaf_value=", "the line leaf_value is not here")?;
    let leaf_value = cursor.numbers(num_leaves, LEAVES)?;
    let leaf_weight = if cursor.take(b"leaf_weight=") {
        Some(cursor.numbers(or_none(cursor, num_leaves), LEAVES)?)
    } else {
        None
    };
    cursor.expect(b"leaf_count=", "the line leaf_count is not here")?;
    let leaf_count = cursor.ints(or_none(cursor, num_leaves), LEAVES, |_| Ok(()))?;
    cursor.expect(b"internal_value=", "the line internal_value is not here")?;
    let internal_value = cursor.numbers(splits, SPLITS)?;
    let internal_weight = if cursor.take(b"internal_weight=") {
        Some(cursor.numbers(splits, SPLITS)?)
    } else {
        None
    };
    cursor.expect(b"internal_count=", "the line internal_count is not here")?;
    let internal_count = cursor.ints(splits, SPLITS, |_| Ok(()))?;

    let categories = if num_cat > 0 {
        Some(categories(cursor, num_cat)?)
    } else {
        None
    };
    let is_linear = is_linear(cursor)?;
    let linear = if is_linear == Some(true) {
        if leaf_weight == Some("") {
            return Err(start.unverified("a linear tree of one leaf has no leaf_weight"));
        }
        let in_leaf = &mut scratch.in_leaf;
        Some(linear_leaves(cursor, num_leaves, is_feature, in_leaf)?)
    } else {
        None
    };
    cursor.expect(b"shrinkage=", "the line shrinkage is not here")?;
    let shrinkage = cursor.numbers(1, "shrinkage is not a number")?;
    cursor.expect(b"\n\n", "a tree does not end with two empty lines")?;
    Ok(Tree {
        num_leaves,
        num_cat,
        split_feature,
        split_gain,
        threshold,
        decision_type,
        left_child,
        right_child,
        leaf_value,
        leaf_weight,
        leaf_count,
        internal_value,
        internal_weight,
        internal_count,
        categories,
        is_linear,
        linear,
        shrinkage,
        length: cursor.at().saturating_sub(start.at()),
    })
}

fn count(cursor: &mut Cursor<'_>, key: &[u8], what: &'static str) -> Result<u32, Refused> {
    cursor.expect(key, what)?;
    let value = cursor.unsigned()?;
    cursor.end_of_line("a line goes on after its number")?;
    Ok(value)
}

/// Before LightGBM 3.2 the line is not there.
fn is_linear(cursor: &mut Cursor<'_>) -> Result<Option<bool>, Refused> {
    if !cursor.take(b"is_linear=") {
        return Ok(None);
    }
    let linear = cursor.take(b"1");
    if !linear {
        cursor.expect(b"0", "is_linear is not 0 or 1")?;
    }
    cursor.end_of_line("is_linear is not 0 or 1")?;
    Ok(Some(linear))
}

/// A tree of one leaf may leave its weight and its count out.
fn or_none(cursor: &Cursor<'_>, num_leaves: u32) -> u32 {
    if num_leaves == 1 && cursor.starts_with(b"\n") {
        0
    } else {
        num_leaves
    }
}

/// The threshold of a categorical split is the number of its bitset.
fn category_indices(
    mut thresholds: Cursor<'_>,
    categorical: &[bool],
    num_cat: u32,
) -> Result<(), Refused> {
    if !categorical.contains(&true) {
        return Ok(());
    }
    for &categorical in categorical {
        let here = thresholds;
        if categorical {
            let index = thresholds
                .unsigned()
                .map_err(|_| here.unverified(CATEGORIES))?;
            if index >= num_cat || !(thresholds.take(b" ") || thresholds.take(b"\n")) {
                return Err(here.unverified(CATEGORIES));
            }
        } else {
            // The whole line was read before.
            thresholds.word();
            thresholds.take(b" ");
        }
    }
    Ok(())
}

/// Each split but the first has one parent, before it; each leaf has one parent. So a walk ends, at a leaf.
fn children<'a>(
    cursor: &mut Cursor<'a>,
    num_leaves: u32,
    scratch: &mut Scratch,
) -> Result<(&'a str, &'a str), Refused> {
    let splits = num_leaves.saturating_sub(1);
    scratch.left.clear();
    scratch.right.clear();
    cursor.expect(b"left_child=", "the line left_child is not here")?;
    let here = *cursor;
    let left_child = cursor.ints(splits, CHILDREN, |child| {
        scratch.left.push(child);
        Ok(())
    })?;
    cursor.expect(b"right_child=", "the line right_child is not here")?;
    let right_child = cursor.ints(splits, CHILDREN, |child| {
        scratch.right.push(child);
        Ok(())
    })?;
    // The lists are as long as the text pays for.
    scratch.level.clear();
    scratch.level.resize(scratch.left.len(), 0);
    if let Some(root) = scratch.level.first_mut() {
        *root = 1;
    }
    scratch.leaf_seen.clear();
    scratch
        .leaf_seen
        .resize(scratch.left.len().saturating_add(1), false);
    for (parent, pair) in scratch.left.iter().zip(&scratch.right).enumerate() {
        // A parent before its children: when a split's turn comes, its own parent has given it its level.
        let level = scratch.level.get(parent).copied().unwrap_or_default();
        if level == 0 {
            return Err(here.unverified("a split is not the child of one before it"));
        }
        for child in [*pair.0, *pair.1] {
            if let Ok(split) = usize::try_from(child) {
                let unseen = scratch.level.get_mut(split).filter(|level| **level == 0);
                match unseen {
                    Some(below) if split > parent => *below = level.saturating_add(1),
                    _ => {
                        let what = "a child is not a split after its parent with no other parent";
                        return Err(here.unverified(what));
                    }
                }
            } else {
                // Leaves are written as their complement: -1 is leaf 0.
                let leaf = usize::try_from(!child).unwrap_or(usize::MAX);
                let unseen = scratch.leaf_seen.get_mut(leaf).filter(|seen| !**seen);
                let Some(seen) = unseen else {
                    let what = "a child is not a leaf of the tree with no other parent";
                    return Err(here.unverified(what));
                };
                *seen = true;
            }
        }
        if level > DEEPEST {
            let what = "levels of a tree of a booster";
            return Err(Refused::limit(
                here.at(),
                what,
                level.into(),
                DEEPEST.into(),
            ));
        }
    }
    Ok((left_child, right_child))
}

/// The start of each bitset among the words of all, and the words.
fn categories<'a>(cursor: &mut Cursor<'a>, num_cat: u32) -> Result<[&'a str; 2], Refused> {
    cursor.expect(b"cat_boundaries=", "the line cat_boundaries is not here")?;
    let mut last = None;
    let count = num_cat.saturating_add(1);
    let boundaries = cursor.ints(count, "cat_boundaries is not num_cat + 1 numbers", |at| {
        let rises = match last {
            None => at == 0,
            Some(last) => at >= last,
        };
        last = Some(at);
        if rises { Ok(()) } else { Err(BOUNDARIES) }
    })?;
    cursor.expect(b"cat_threshold=", "the line cat_threshold is not here")?;
    let what = "cat_threshold is not as long as cat_boundaries says";
    let words = u32::try_from(last.unwrap_or_default()).unwrap_or_default();
    let start = cursor.at();
    for index in 0..words {
        if (index > 0 && !cursor.take(b" ")) || cursor.starts_with(b"\n") {
            return Err(cursor.unverified(what));
        }
        cursor.unsigned()?;
    }
    let thresholds = cursor.since(start);
    if !cursor.take(b"\n") {
        return Err(cursor.unverified(what));
    }
    Ok([boundaries, thresholds])
}

/// `leaf_const`, `num_features`, `leaf_features`, `leaf_coeff`: a linear model in each leaf.
fn linear_leaves<'a>(
    cursor: &mut Cursor<'a>,
    num_leaves: u32,
    is_feature: impl Fn(i32) -> Result<(), &'static str>,
    in_leaf: &mut Vec<u32>,
) -> Result<[&'a str; 4], Refused> {
    cursor.expect(b"leaf_const=", "the line leaf_const is not here")?;
    let constants = cursor.numbers_that(num_leaves, LEAVES, Cursor::normal_number)?;
    cursor.expect(b"num_features=", "the line num_features is not here")?;
    in_leaf.clear();
    let counts = cursor.ints(num_leaves, LEAVES, |count| {
        let count = u32::try_from(count).map_err(|_| "a leaf has a negative number of features")?;
        in_leaf.push(count);
        Ok(())
    })?;
    cursor.expect(b"leaf_features=", "the line leaf_features is not here")?;
    let features = per_leaf(cursor, in_leaf, |cursor| {
        let here = *cursor;
        is_feature(cursor.int()?).map_err(|what| here.unverified(what))
    })?;
    cursor.expect(b"leaf_coeff=", "the line leaf_coeff is not here")?;
    let coefficients = per_leaf(cursor, in_leaf, Cursor::normal_number)?;
    Ok([constants, counts, features, coefficients])
}

/// For each leaf as many words as it has, a space behind each, and one more space.
fn per_leaf<'a>(
    cursor: &mut Cursor<'a>,
    in_leaf: &[u32],
    mut word: impl FnMut(&mut Cursor<'a>) -> Result<(), Refused>,
) -> Result<&'a str, Refused> {
    let start = cursor.at();
    for &count in in_leaf {
        for _ in 0..count {
            if cursor.starts_with(b" ") || cursor.starts_with(b"\n") {
                return Err(cursor.unverified(LINEAR));
            }
            word(cursor)?;
            cursor.expect(b" ", LINEAR)?;
        }
        if !cursor.take(b" ") {
            return Err(cursor.unverified(LINEAR));
        }
    }
    let text = cursor.since(start);
    if !cursor.take(b"\n") {
        return Err(cursor.unverified(LINEAR));
    }
    Ok(text)
}
