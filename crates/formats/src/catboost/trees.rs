//! The trees of a model: oblivious ones, which are lists of splits, and those of steps from node to node.

use super::Refused;
use super::features::Features;
use super::flat::{Buffer, Table};

/// CatBoost trains oblivious trees of at most 16 levels; their leaves double with each.
const DEEPEST: u32 = 16;

/// The levels of a tree of steps: CatBoost's feature importances call themselves for each.
const DEEPEST_STEPS: u32 = 4096;

const LISTS: &str =
    "TreeSizes, TreeStartOffsets and TreeSplits are not those of trees one after the other";

/// What the trees are: how many, and raw values for each row.
pub(super) struct Trees {
    pub(super) count: usize,
    pub(super) dimension: u32,
}

fn int(bytes: [u8; 4]) -> i32 {
    i32::from_le_bytes(bytes)
}

/// Reads the trees of `TModelTrees`.
pub(super) fn read(
    buffer: &mut Buffer<'_>,
    table: &Table,
    features: &Features<'_>,
) -> Result<Trees, Refused> {
    let dimension = buffer.int(table, 0, 0)?;
    let Some(width) = usize::try_from(dimension).ok().filter(|&count| count > 0) else {
        return Err(buffer.unverified(table.at(), "ApproxDimension is not at least 1"));
    };
    let (splits_at, bytes) = buffer.vector(table, 1, 4)?;
    let splits = bytes.as_chunks::<4>().0;
    let sizes = buffer.vector(table, 2, 4)?.1.as_chunks::<4>().0;
    let (starts_at, bytes) = buffer.vector(table, 3, 4)?;
    let starts = bytes.as_chunks::<4>().0;
    let (values_at, values) = buffer.doubles(table, 8)?;
    let (weights_at, weights) = buffer.doubles(table, 9)?;
    let (steps_at, bytes) = buffer.vector(table, 10, 4)?;
    let steps = bytes.as_chunks::<4>().0;
    let leaves = buffer.vector(table, 11, 4)?.1.as_chunks::<4>().0;
    scale_and_bias(buffer, table, width)?;

    // Each tree lies behind the one before it.
    let mut trees = Vec::new();
    let mut end = 0_usize;
    if sizes.len() != starts.len() {
        return Err(buffer.unverified(starts_at, LISTS));
    }
    for (size, start) in sizes.iter().zip(starts) {
        let size = usize::try_from(int(*size)).ok();
        let next = size.and_then(|size| end.checked_add(size));
        let (Some(size), Some(next)) = (size, next) else {
            return Err(buffer.unverified(starts_at, LISTS));
        };
        if usize::try_from(int(*start)) != Ok(end) || next > splits.len() {
            return Err(buffer.unverified(starts_at, LISTS));
        }
        trees.push((end, size));
        end = next;
    }
    if end != splits.len() {
        return Err(buffer.unverified(splits_at, LISTS));
    }

    let is_oblivious = steps.is_empty() && leaves.is_empty();
    check_splits(buffer, table, (splits_at, splits), is_oblivious, features)?;
    let mut count = 0_usize;
    if is_oblivious {
        for (_, size) in &trees {
            let levels = u32::try_from(*size).unwrap_or(u32::MAX);
            if levels > DEEPEST {
                let what = "levels of a tree of a CatBoost model";
                return Err(buffer.limit(starts_at, what, levels.into(), DEEPEST.into()));
            }
            count = count.saturating_add(1_usize.checked_shl(levels).unwrap_or(usize::MAX));
        }
    } else {
        if steps.len() != splits.len() || leaves.len() != splits.len() {
            let what =
                "NonSymmetricStepNodes or NonSymmetricNodeIdToLeafId is not one for each split";
            return Err(buffer.unverified(steps_at, what));
        }
        for (start, size) in trees.iter().copied() {
            let end = start.saturating_add(size);
            let steps = steps.get(start..end).unwrap_or_default();
            let leaves = leaves.get(start..end).unwrap_or_default();
            let first = count;
            let found = walk(steps, leaves, first, width).map_err(|what| match what {
                Wrong::Rule(what) => buffer.unverified(steps_at, what),
                Wrong::Deep(found) => {
                    let what = "levels of a tree of a CatBoost model";
                    buffer.limit(steps_at, what, found.into(), DEEPEST_STEPS.into())
                }
            })?;
            count = count.saturating_add(found);
        }
    }
    if count.checked_mul(width) != Some(values.len()) {
        let what = "LeafValues is not as long as the trees have leaves";
        return Err(buffer.unverified(values_at, what));
    }
    if !weights.is_empty() && weights.len() != count {
        let what = "LeafWeights is not one for each leaf";
        return Err(buffer.unverified(weights_at, what));
    }
    Ok(Trees {
        count: trees.len(),
        dimension: u32::try_from(dimension).unwrap_or_default(),
    })
}

/// Each split is the number of a border or a value, and `RepackedBins` says where in a row of the evaluator that is.
fn check_splits(
    buffer: &mut Buffer<'_>,
    table: &Table,
    (at, splits): (usize, &[[u8; 4]]),
    is_oblivious: bool,
    features: &Features<'_>,
) -> Result<(), Refused> {
    let (repacked_at, bytes) = buffer.vector(table, 17, 4)?;
    let repacked = bytes.as_chunks::<4>().0;
    let wrong = "RepackedBins are not those of the splits";
    if !repacked.is_empty() && repacked.len() != splits.len() {
        return Err(buffer.unverified(repacked_at, wrong));
    }
    for (index, split) in splits.iter().enumerate() {
        let split = int(*split);
        let bin = match usize::try_from(split) {
            // Trees of one node each, without a border in the whole model.
            Ok(0) if features.bins.is_empty() && !is_oblivious => Some([0; 4]),
            Ok(split) => features.bins.get(split).copied().flatten(),
            Err(_) => None,
        };
        let Some(bin) = bin else {
            let what = "a split is not that of a border or a value of the first 65,536 bins";
            return Err(buffer.unverified(at, what));
        };
        if repacked.get(index).is_some_and(|found| *found != bin) {
            return Err(buffer.unverified(repacked_at, wrong));
        }
    }
    Ok(())
}

/// One finite bias for each raw value, and a finite scale.
fn scale_and_bias(buffer: &mut Buffer<'_>, table: &Table, width: usize) -> Result<(), Refused> {
    let scale = buffer.double(table, 14, 1.0)?;
    let bias = buffer.double(table, 15, 0.0)?;
    let (at, biases) = buffer.doubles(table, 16)?;
    let is_finite = |bias: &[u8; 8]| f64::from_le_bytes(*bias).is_finite();
    if !scale.is_finite() || !bias.is_finite() || !biases.iter().all(is_finite) {
        return Err(buffer.unverified(at, "a scale or a bias is not a finite number"));
    }
    if biases.len() != width && (!biases.is_empty() || width > 1) {
        let what = "MultiBias is not one for each dimension";
        return Err(buffer.unverified(at, what));
    }
    Ok(())
}

enum Wrong {
    Rule(&'static str),
    Deep(u32),
}

/// Goes through the nodes of a tree: each but the first is the left or right child of one before it, and those that a walk
/// can end at have the leaf values from `first` on, each its own. Gives how many those are.
fn walk(steps: &[[u8; 4]], leaves: &[[u8; 4]], first: usize, width: usize) -> Result<usize, Wrong> {
    const STEP: &str = "a step does not lead to a node after its own that no other one leads to";
    const LEAF: &str = "the leaves of a tree are not its own leaf values, one after the other";
    let mut levels = vec![0_u32; steps.len()];
    let mut ends = 0_usize;
    if let Some(root) = levels.first_mut() {
        *root = 1;
    }
    for (node, step) in steps.iter().enumerate() {
        let level = levels.get(node).copied().unwrap_or_default();
        if level == 0 {
            return Err(Wrong::Rule(STEP));
        }
        if level > DEEPEST_STEPS {
            return Err(Wrong::Deep(level));
        }
        let [left, left_high, right, right_high] = *step;
        let mut is_end = false;
        for step in [[left, left_high], [right, right_high]] {
            let step = usize::from(u16::from_le_bytes(step));
            if step == 0 {
                is_end = true;
                continue;
            }
            let child = node.checked_add(step).and_then(|to| levels.get_mut(to));
            match child {
                Some(below) if *below == 0 => *below = level.saturating_add(1),
                _ => return Err(Wrong::Rule(STEP)),
            }
        }
        ends = ends.saturating_add(usize::from(is_end));
    }
    if steps.is_empty() {
        return Err(Wrong::Rule(LISTS));
    }
    let mut seen = vec![false; ends];
    for (step, leaf) in steps.iter().zip(leaves) {
        let [left, left_high, right, right_high] = *step;
        if [left, left_high] != [0, 0] && [right, right_high] != [0, 0] {
            continue;
        }
        let value = usize::try_from(u32::from_le_bytes(*leaf)).ok();
        let number = value
            .filter(|value| value.is_multiple_of(width))
            .and_then(|value| value.checked_div(width)?.checked_sub(first));
        match number.and_then(|number| seen.get_mut(number)) {
            Some(seen) if !*seen => *seen = true,
            _ => return Err(Wrong::Rule(LEAF)),
        }
    }
    Ok(ends)
}
