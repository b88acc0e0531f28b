//! One tree.

use super::model::Asked;
use super::parameters::count;
use super::tokens::{Object, Tokens};
use super::{MOST_BITSET_BYTES, Refused};

/// `TreeShap`, `MaxDepth` and `DumpModel` call themselves for each level, and the first has room for half its square.
const DEEPEST: u32 = 4096;

/// Categories are numbers of 32 bits with a fraction of 24 bits (`src/common/categorical.h`, `OutOfRangeCat`).
const MOST_CATEGORIES: i32 = 16_777_216;

/// What XGBoost writes as the feature of a deleted node.
const DELETED: i32 = i32::MAX;

const NODES: &str = "a list of a tree is not as long as num_nodes says";
const CATEGORIES: &str =
    "categories does not have the categories of each split, rising, one split after the other";
const SPLITS: &str = "categories_nodes is not the nodes whose split_type is 1, in order";

/// What one tree says, kept from tree to tree so that a booster of thousands allocates once.
#[derive(Debug, Default)]
pub(super) struct Scratch {
    left: Vec<i32>,
    right: Vec<i32>,
    parents: Vec<i32>,
    features: Vec<i32>,
    default_left: Vec<u8>,
    split_type: Vec<u8>,
    categories: Vec<i32>,
    categories_nodes: Vec<i32>,
    categories_segments: Vec<i64>,
    categories_sizes: Vec<i64>,
    /// The level of each node that was reached; the root's is 1.
    level: Vec<u32>,
    leaf_seen: Vec<bool>,
    todo: Vec<usize>,
    /// Bytes of the bitsets of all trees.
    bitset_bytes: u64,
}

/// Reads tree `index`; how many outputs its leaves have.
pub(super) fn read<'a>(
    tokens: &mut impl Tokens<'a>,
    index: u64,
    asked: &mut Asked,
    scratch: &mut Scratch,
) -> Result<u64, Refused> {
    let start = tokens.at();
    let lists = lists(tokens, index, scratch)?;
    let param = lists.param;
    if param.outputs > 1 && lists.leaf_weights.is_none() {
        // XGBoost 3.2 takes the key for granted.
        let what = "tree of several outputs of XGBoost before 3.2";
        return Err(Refused::unsupported(start, what, "leaf_weights"));
    }
    let (Some(loss_changes), Some(sum_hessian)) = (lists.loss_changes, lists.sum_hessian) else {
        return Err(Object::unknown(tokens));
    };
    let length = |list: usize| u64::try_from(list).unwrap_or(u64::MAX);
    let lengths = [
        lists.split_conditions,
        loss_changes,
        sum_hessian,
        length(scratch.left.len()),
        length(scratch.right.len()),
        length(scratch.parents.len()),
        length(scratch.features.len()),
        length(scratch.default_left.len()),
        length(scratch.split_type.len()),
    ];
    if lengths.iter().any(|&length| length != param.num_nodes) {
        return Err(Refused::unverified(start, NODES));
    }
    let leaves = match lists.leaf_weights {
        None if lists.base_weights == param.num_nodes => None,
        Some(weights) if param.outputs > 1 => {
            Some(leaves(weights, lists.base_weights, &param).ok_or_else(|| {
                Refused::unverified(
                    start,
                    "leaf_weights or base_weights is not as long as its nodes and outputs say",
                )
            })?)
        }
        _ => return Err(Refused::unverified(start, NODES)),
    };
    split_types(scratch).map_err(|what| Refused::unverified(start, what))?;
    nodes(&param, leaves, scratch).map_err(|what| Refused::unverified(start, what))?;
    if let Some(&deepest) = scratch.level.iter().max()
        && deepest > DEEPEST
    {
        let (found, limit) = (deepest.into(), DEEPEST.into());
        let what = "levels of a tree of a booster";
        return Err(Refused::limit(start, what, found, limit));
    }
    for (&feature, &level) in scratch.features.iter().zip(&scratch.level) {
        if level > 0 {
            let feature = u32::try_from(feature).map_err(|_| {
                Refused::unverified(lists.at, "a split is on a feature that is not there")
            })?;
            asked.feature(feature, lists.at);
        }
    }
    Ok(param.outputs)
}

/// How long the lists of a tree are that are not kept, and its parameters.
struct Lists {
    base_weights: u64,
    leaf_weights: Option<u64>,
    loss_changes: Option<u64>,
    split_conditions: u64,
    sum_hessian: Option<u64>,
    param: TreeParam,
    /// Where the features stand.
    at: usize,
}

fn lists<'a>(
    tokens: &mut impl Tokens<'a>,
    index: u64,
    scratch: &mut Scratch,
) -> Result<Lists, Refused> {
    let mut object = Object::open(tokens)?;
    object.key(tokens, "base_weights")?;
    let base_weights = tokens.floats(false)?;
    let at = tokens.at();
    object.key(tokens, "categories")?;
    tokens.ints(&mut scratch.categories)?;
    object.key(tokens, "categories_nodes")?;
    tokens.ints(&mut scratch.categories_nodes)?;
    object.key(tokens, "categories_segments")?;
    tokens.integers(8, &mut scratch.categories_segments)?;
    object.key(tokens, "categories_sizes")?;
    tokens.integers(8, &mut scratch.categories_sizes)?;
    categories(at, scratch)?;
    object.key(tokens, "default_left")?;
    tokens.bytes(&mut scratch.default_left)?;
    object.key(tokens, "id")?;
    if u64::try_from(tokens.integer()?).ok() != Some(index) {
        return Err(tokens.unverified("the id of a tree is not its place"));
    }
    let leaf_weights = if object.optional(tokens, "leaf_weights")? {
        Some(tokens.floats(false)?)
    } else {
        None
    };
    object.key(tokens, "left_children")?;
    tokens.ints(&mut scratch.left)?;
    // Before 3.2 a tree of several outputs had no statistics.
    let loss_changes = if object.optional(tokens, "loss_changes")? {
        Some(tokens.floats(false)?)
    } else {
        None
    };
    object.key(tokens, "parents")?;
    tokens.ints(&mut scratch.parents)?;
    object.key(tokens, "right_children")?;
    tokens.ints(&mut scratch.right)?;
    object.key(tokens, "split_conditions")?;
    let split_conditions = tokens.floats(false)?;
    object.key(tokens, "split_indices")?;
    let at = tokens.at();
    tokens.ints(&mut scratch.features)?;
    object.key(tokens, "split_type")?;
    tokens.bytes(&mut scratch.split_type)?;
    let sum_hessian = if object.optional(tokens, "sum_hessian")? {
        Some(tokens.floats(false)?)
    } else {
        None
    };
    object.key(tokens, "tree_param")?;
    let param = tree_param(tokens)?;
    object.close(tokens)?;
    Ok(Lists {
        base_weights,
        leaf_weights,
        loss_changes,
        split_conditions,
        sum_hessian,
        param,
        at,
    })
}

/// `tree_param`, numbers as texts.
struct TreeParam {
    num_deleted: u64,
    num_nodes: u64,
    outputs: u64,
}

fn tree_param<'a>(tokens: &mut impl Tokens<'a>) -> Result<TreeParam, Refused> {
    let mut object = Object::open(tokens)?;
    object.key(tokens, "num_deleted")?;
    let num_deleted = count(tokens)?;
    object.key(tokens, "num_feature")?;
    count(tokens)?;
    object.key(tokens, "num_nodes")?;
    let num_nodes = count(tokens)?;
    object.key(tokens, "size_leaf_vector")?;
    let outputs = count(tokens)?.max(1);
    object.close(tokens)?;
    Ok(TreeParam {
        num_deleted,
        num_nodes,
        outputs,
    })
}

/// How many leaves have weights. Splits may have been found with fewer outputs than leaves have.
fn leaves(leaf_weights: u64, base_weights: u64, param: &TreeParam) -> Option<usize> {
    let of_a_split = base_weights.checked_div(param.num_nodes)?;
    let whole = base_weights.checked_rem(param.num_nodes) == Some(0)
        && leaf_weights.checked_rem(param.outputs) == Some(0);
    if !whole || !(1..=param.outputs).contains(&of_a_split) {
        return None;
    }
    usize::try_from(leaf_weights.checked_div(param.outputs)?).ok()
}

/// Each split's categories stand behind those of the one before; XGBoost makes a bitset of each.
fn categories(at: usize, scratch: &mut Scratch) -> Result<(), Refused> {
    let splits = scratch.categories_nodes.len();
    let same =
        scratch.categories_segments.len() == splits && scratch.categories_sizes.len() == splits;
    if !same {
        return Err(Refused::unverified(at, CATEGORIES));
    }
    let mut rest = scratch.categories.as_slice();
    let mut begin = 0_i64;
    for (&segment, &size) in scratch
        .categories_segments
        .iter()
        .zip(&scratch.categories_sizes)
    {
        let split = usize::try_from(size)
            .ok()
            .filter(|&size| size > 0 && segment == begin)
            .and_then(|size| rest.split_at_checked(size));
        let Some((own, others)) = split else {
            return Err(Refused::unverified(at, CATEGORIES));
        };
        let rises = own.is_sorted_by(|one, next| one < next);
        let first = own.first().copied().unwrap_or(-1);
        let last = own.last().copied().unwrap_or(-1);
        if !rises || first < 0 || last >= MOST_CATEGORIES {
            return Err(Refused::unverified(at, CATEGORIES));
        }
        let words = u64::try_from(last)
            .unwrap_or_default()
            .wrapping_shr(5)
            .saturating_add(1);
        scratch.bitset_bytes = scratch.bitset_bytes.saturating_add(words.saturating_mul(4));
        if scratch.bitset_bytes > MOST_BITSET_BYTES {
            let what = "bytes of the categories of a booster's splits";
            let (found, limit) = (scratch.bitset_bytes, MOST_BITSET_BYTES);
            return Err(Refused::limit(at, what, found, limit));
        }
        begin = begin.saturating_add(size);
        rest = others;
    }
    if rest.is_empty() {
        Ok(())
    } else {
        Err(Refused::unverified(at, CATEGORIES))
    }
}

fn split_types(scratch: &Scratch) -> Result<(), &'static str> {
    if scratch.default_left.iter().any(|&left| left > 1) {
        return Err("default_left or split_type is not 0 or 1");
    }
    let mut nodes = scratch.categories_nodes.iter();
    for (node, &split_type) in scratch.split_type.iter().enumerate() {
        match split_type {
            0 => {}
            1 => {
                let next = nodes.next().and_then(|&next| usize::try_from(next).ok());
                if next != Some(node) {
                    return Err(SPLITS);
                }
            }
            _ => return Err("default_left or split_type is not 0 or 1"),
        }
    }
    match nodes.next() {
        None => Ok(()),
        Some(_) => Err(SPLITS),
    }
}

/// Walks from the root: each node is reached once, or it was deleted.
fn nodes(
    param: &TreeParam,
    leaves: Option<usize>,
    scratch: &mut Scratch,
) -> Result<(), &'static str> {
    const CHILD: &str = "a child is not another node of the tree with no other parent";
    let count = scratch.left.len();
    let most = i32::MAX;
    if count == 0 || i32::try_from(count).map_or(true, |count| count == most) {
        return Err("num_nodes is not at least 1");
    }
    scratch.level.clear();
    scratch.level.resize(count, 0);
    scratch.leaf_seen.clear();
    scratch.leaf_seen.resize(leaves.unwrap_or_default(), false);
    let mut leaves_left = leaves.unwrap_or_default();
    if let Some(root) = scratch.level.first_mut() {
        *root = 1;
    }
    match scratch.parents.first() {
        Some(&-1 | &i32::MAX) => {}
        _ => return Err("the first node has a parent"),
    }
    scratch.todo.clear();
    scratch.todo.push(0);
    let mut reached = 0_u64;
    while let Some(node) = scratch.todo.pop() {
        reached = reached.saturating_add(1);
        let left = scratch.left.get(node).copied().unwrap_or(-1);
        let right = scratch.right.get(node).copied().unwrap_or(-1);
        let level = scratch.level.get(node).copied().unwrap_or_default();
        if left == -1 {
            if leaves.is_none() {
                if right != -1 {
                    return Err("a leaf has a child");
                }
                continue;
            }
            // A leaf of several outputs has the place of its weights there.
            let seen = usize::try_from(right)
                .ok()
                .and_then(|leaf| scratch.leaf_seen.get_mut(leaf))
                .filter(|seen| !**seen);
            let Some(seen) = seen else {
                return Err("a leaf has no weights of its own");
            };
            *seen = true;
            leaves_left = leaves_left.saturating_sub(1);
            continue;
        }
        for child in [right, left] {
            let child = usize::try_from(child).map_err(|_| CHILD)?;
            match scratch.level.get_mut(child) {
                Some(below) if *below == 0 => *below = level.saturating_add(1),
                _ => return Err(CHILD),
            }
            let parent = scratch.parents.get(child);
            if parent.and_then(|&parent| usize::try_from(parent).ok()) != Some(node) {
                return Err("the parent of a node is not the node that it is the child of");
            }
            scratch.todo.push(child);
        }
    }
    if leaves_left > 0 {
        return Err("a leaf has no weights of its own");
    }
    if reached.saturating_add(param.num_deleted) != param.num_nodes {
        return Err("num_deleted is not the number of nodes that are not reached");
    }
    if param.num_deleted > 0 {
        deleted(scratch)?;
    }
    Ok(())
}

/// A deleted node keeps its place, and its parent is looked up like that of any other.
fn deleted(scratch: &Scratch) -> Result<(), &'static str> {
    let marks = scratch.features.iter().zip(&scratch.default_left);
    let nodes = scratch.level.iter().zip(marks).zip(&scratch.parents);
    for ((&level, (&feature, &default_left)), &parent) in nodes {
        if level > 0 {
            continue;
        }
        let has_parent = usize::try_from(parent).is_ok_and(|parent| parent < scratch.level.len());
        if feature != DELETED || default_left != 1 || !has_parent {
            return Err("a node that is not reached is not marked as deleted");
        }
    }
    Ok(())
}
