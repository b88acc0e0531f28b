//! `sklearn.tree._tree.Tree`: the nodes of one decision tree.

use std::collections::HashMap;

use super::attributes::tuple;
use super::{ArrayView, Refusal, Value};
use crate::dtype::{DType, Kind};
use crate::graph::{Graph, Node};
use crate::npy::Header;

/// The class that this file verifies.
pub(super) const TREE: &str = "sklearn.tree._tree.Tree";

/// The most columns that a split may name: scikit-learn's sparse input has 32-bit column numbers.
const MOST_FEATURES: i64 = 2_147_483_647;

/// `TREE_LEAF` of `tree/_tree.pyx`.
const LEAF: i64 = -1;

/// The fields of a node and their kinds, in the order of `struct Node` in `tree/_tree.pxd`. The order
/// counts: `_check_node_ndarray` compares names without it, and then numpy copies by position.
const NODE: &[(&str, Kind, &[usize])] = &[
    ("left_child", Kind::Int, &[4, 8]),
    ("right_child", Kind::Int, &[4, 8]),
    ("feature", Kind::Int, &[4, 8]),
    ("threshold", Kind::Float, &[8]),
    ("impurity", Kind::Float, &[8]),
    ("n_node_samples", Kind::Int, &[4, 8]),
    ("weighted_n_node_samples", Kind::Float, &[8]),
    ("missing_go_to_left", Kind::UInt, &[1]),
];

/// A tree whose every walk stays inside it and ends.
///
/// Read from scikit-learn 1.9.1, `tree/_tree.pyx`, and compared with 1.4 to 1.8, whose state is the same.
/// `__cinit__` allocates `n_outputs` counts; `__setstate__` copies `nodes` and `values` and compares
/// dtypes and shapes, no value. `apply`, `decision_path`, `compute_feature_importances`,
/// `compute_partial_dependence`, the pruning functions and `predict_stages` of
/// `ensemble/_gradient_boosting.pyx` index with `left_child`, `right_child` and `feature` without a
/// look. `decision_path` writes one entry per level into a buffer of `max_depth + 1` entries per row,
/// `compute_partial_dependence` keeps a stack of `node_count` entries, and `_get_value_ndarray` hands
/// out `node_count` rows of `values`.
///
/// - Arguments: `n_features` (1 to 2^31 - 1), the class counts, `n_outputs`, which counts them; each
///   class count is at least 1.
/// - `nodes` has the fields of scikit-learn, at least one node, and `node_count` is their number.
/// - `values` is a C-ordered float64 array of (nodes, outputs, largest class count).
/// - A leaf has -1 on both sides. Every other node has two children inside the tree and after it, as
///   the builders number them, so a walk ends; and no node has two parents, so that the functions that
///   take both sides do not visit one node again and again.
/// - The feature of a node that is not a leaf is less than `n_features`.
/// - `max_depth` is at least the depth of the deepest leaf and less than the number of nodes.
///
/// Nothing is asked of thresholds, impurities, sample counts, weights, `missing_go_to_left` and the
/// values: they are only compared and computed with, in floating point. A node without a parent is
/// fine: a tree that was pruned by hand has them.
pub(super) fn verify(tree: Value<'_>) -> Result<(), Refusal> {
    let Some(shape) = Shape::of(tree) else {
        return Err(tree.refuse(
            "the arguments are not a feature count, an array of class counts and their number",
        ));
    };
    let (Some(nodes), Some(values)) = (array(tree, "nodes"), array(tree, "values")) else {
        return Err(tree.refuse("the state does not hold the arrays nodes and values"));
    };
    let Some(layout) = Layout::of(nodes.dtype(), nodes.shape()) else {
        return Err(tree.refuse("the fields of the nodes are not those of scikit-learn"));
    };
    let count = nodes.len();
    if count == 0 || !equals(tree.get("node_count"), count) {
        return Err(tree.refuse("node_count is not the number of nodes"));
    }
    if values.dtype().kind() != Kind::Float
        || values.dtype().itemsize() != 8
        || values.is_fortran()
        || values.shape() != [count, shape.n_outputs, shape.max_n_classes]
    {
        return Err(tree.refuse("the values do not have one float64 per node, output and class"));
    }
    let walked = nodes
        .walked()
        .filter(|walked| walked.n_features == shape.n_features);
    let deepest = match walked {
        Some(walked) => walked.deepest,
        None => layout
            .walk(nodes, shape.n_features)
            .map_err(|what| tree.refuse(what))?,
    };
    let max_depth = tree
        .get("max_depth")
        .and_then(Value::int)
        .and_then(|depth| usize::try_from(depth).ok());
    match max_depth {
        Some(depth) if depth >= deepest && depth < count => Ok(()),
        _ => Err(tree.refuse("max_depth is not the depth of the tree")),
    }
}

/// What a walk over the nodes of a tree gave.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Walked {
    n_features: u64,
    deepest: usize,
}

#[cfg(test)]
impl Walked {
    /// The depth of the deepest leaf.
    pub(crate) fn deepest(self) -> usize {
        self.deepest
    }
}

/// The arrays that hold the nodes of a tree, each with the number of features that its splits may name.
pub(crate) fn node_arrays(graph: &Graph) -> HashMap<usize, u64> {
    let of_tree = |id| {
        let Node::Construct(class, parts) = graph.node(id) else {
            return None;
        };
        if graph.name(class) != TREE {
            return None;
        }
        let nodes = graph.array_of(graph.get(id, "nodes")?)?;
        let Node::Tuple(_, args) = graph.node(*graph.items(parts).first()?) else {
            return None;
        };
        let Node::Int(n_features) = graph.node(*graph.items(args).first()?) else {
            return None;
        };
        Some((nodes.index(), u64::try_from(n_features).ok()?))
    };
    graph.ids().filter_map(of_tree).collect()
}

/// The number of columns that a tree asks of its input, where `tree` is one.
pub(super) fn n_features(tree: Value<'_>) -> Option<i64> {
    if tree.class() != Some(TREE) {
        return None;
    }
    Shape::of(tree).and_then(|shape| i64::try_from(shape.n_features).ok())
}

/// The number of nodes of a tree, where `tree` is one.
pub(super) fn node_count(tree: Value<'_>) -> Option<usize> {
    if tree.class() != Some(TREE) {
        return None;
    }
    array(tree, "nodes").map(ArrayView::len)
}

/// The number of columns of `tree.predict` for its first output, where `tree` is one.
pub(super) fn max_n_classes(tree: Value<'_>) -> Option<usize> {
    if tree.class() != Some(TREE) {
        return None;
    }
    Shape::of(tree).map(|shape| shape.max_n_classes)
}

/// What the constructor is called with.
struct Shape {
    n_features: u64,
    n_outputs: usize,
    max_n_classes: usize,
}

impl Shape {
    fn of(tree: Value<'_>) -> Option<Self> {
        let args = tuple(tree.args()?)?;
        let [n_features, n_classes, n_outputs] = args.as_slice() else {
            return None;
        };
        let n_features = n_features
            .int()
            .filter(|&features| (1..=MOST_FEATURES).contains(&features))?;
        let n_outputs = usize::try_from(n_outputs.int()?).ok()?;
        let n_classes = n_classes.array()?;
        if n_classes.shape() != [n_outputs]
            || n_outputs == 0
            || n_classes.dtype().kind() != Kind::Int
            || !matches!(n_classes.dtype().itemsize(), 4 | 8)
        {
            return None;
        }
        let mut most = 0;
        let counted = n_classes.all_ints(|count| {
            most = most.max(count);
            count >= 1
        })?;
        if !counted {
            return None;
        }
        Some(Self {
            n_features: u64::try_from(n_features).ok()?,
            n_outputs,
            max_n_classes: usize::try_from(most).ok()?,
        })
    }
}

fn array<'a>(tree: Value<'a>, name: &str) -> Option<ArrayView<'a>> {
    tree.get(name)?.array()
}

fn equals(value: Option<Value<'_>>, count: usize) -> bool {
    value
        .and_then(Value::int)
        .and_then(|value| usize::try_from(value).ok())
        == Some(count)
}

/// Whether a record has these fields in this order, each a scalar of this kind and one of these sizes,
/// with nothing but padding between them.
pub(super) fn has_fields(dtype: &DType, expected: &[(&str, Kind, &[usize])]) -> bool {
    if dtype.kind() != Kind::Struct {
        return false;
    }
    let mut expected = expected.iter();
    for field in dtype.fields() {
        if field.name.is_empty() {
            if field.dtype.kind() == Kind::Void {
                continue;
            }
            return false;
        }
        let Some((name, kind, sizes)) = expected.next() else {
            return false;
        };
        let found = &field.dtype;
        if field.name != *name
            || field.title.is_some()
            || !field.shape.is_empty()
            || found.kind() != *kind
            || !sizes.contains(&found.itemsize())
        {
            return false;
        }
    }
    expected.next().is_none()
}

/// Where an unsigned or signed integer stands in a record.
#[derive(Debug, Clone, Copy)]
pub(super) struct IntField {
    offset: usize,
    itemsize: usize,
    signed: bool,
    little: bool,
}

impl IntField {
    /// The field of this name; `None` where it is not an integer.
    pub(super) fn of(dtype: &DType, name: &str) -> Option<Self> {
        let field = dtype.field(name)?;
        if !matches!(field.dtype.kind(), Kind::Int | Kind::UInt) {
            return None;
        }
        Some(Self {
            offset: field.offset,
            itemsize: field.dtype.itemsize(),
            signed: field.dtype.kind() == Kind::Int,
            little: field.dtype.is_little(),
        })
    }

    /// The value in a record; `None` where the record is too short. Unsigned values of 8 bytes over
    /// 2^63 - 1 come out negative.
    #[inline]
    pub(super) fn read(self, record: &[u8]) -> Option<i64> {
        let bytes = record.get(self.offset..)?;
        let little = self.little;
        Some(match self.itemsize {
            1 => {
                let [byte] = *bytes.first_chunk::<1>()?;
                if self.signed {
                    i64::from(i8::from_le_bytes([byte]))
                } else {
                    i64::from(byte)
                }
            }
            4 => {
                let bytes = *bytes.first_chunk::<4>()?;
                let value = if little {
                    u32::from_le_bytes(bytes)
                } else {
                    u32::from_be_bytes(bytes)
                };
                if self.signed {
                    i64::from(value.cast_signed())
                } else {
                    i64::from(value)
                }
            }
            8 => {
                let bytes = *bytes.first_chunk::<8>()?;
                if little {
                    i64::from_le_bytes(bytes)
                } else {
                    i64::from_be_bytes(bytes)
                }
            }
            _ => return None,
        })
    }
}

/// Where the three integers stand that a walk follows.
struct Layout {
    left: IntField,
    right: IntField,
    feature: IntField,
}

impl Layout {
    fn of(dtype: &DType, shape: &[usize]) -> Option<Self> {
        if shape.len() != 1 || !has_fields(dtype, NODE) {
            return None;
        }
        Some(Self {
            left: IntField::of(dtype, "left_child")?,
            right: IntField::of(dtype, "right_child")?,
            feature: IntField::of(dtype, "feature")?,
        })
    }

    /// Whether nodes are as a 64-bit little-endian machine has them in memory.
    fn is_native(&self, itemsize: usize) -> bool {
        let native =
            |field: IntField, offset| field.offset == offset && field.itemsize == 8 && field.little;
        itemsize == 64 && native(self.left, 0) && native(self.right, 8) && native(self.feature, 16)
    }

    /// Checks every node; the depth of the deepest leaf.
    fn walk(&self, nodes: ArrayView<'_>, n_features: u64) -> Result<usize, &'static str> {
        let itemsize = nodes.dtype().itemsize();
        let mut walk = Walk::new(nodes.len(), n_features);
        for record in nodes.bytes().chunks_exact(itemsize.max(1)) {
            let (Some(left), Some(right), Some(feature)) = (
                self.left.read(record),
                self.right.read(record),
                self.feature.read(record),
            ) else {
                return Err(SHORT);
            };
            walk.step(left == LEAF, left, right, feature)?;
        }
        walk.end()
    }
}

/// [`Walk`] over native nodes as they are read, piece by piece. Of nodes that break a rule it says no more than that.
///
/// There is no branch on what stands in a node, since whether it is a leaf can't be guessed. What the loop does for a leaf and
/// for a split is the same, or a compiler makes a branch of it. A leaf's children, -1 as unsigned, are over every index, and
/// what is over goes into a place that nobody reads. So does a split's child outside of the tree: then, as where a node has
/// two parents, fewer nodes are reached in the end than children were named.
#[derive(Debug)]
pub(crate) struct NativeWalk {
    n_features: u64,
    /// As in [`Walk`], and one more for what is over.
    levels: Vec<i32>,
    next: usize,
    leaves: usize,
    /// Whether every node is a leaf or names a feature.
    kept: bool,
    /// The first bit stays where a child is not after its parent.
    back: u64,
}

impl NativeWalk {
    /// Before the first node of an array; `None` where its nodes are not native.
    pub(crate) fn new(header: &Header, n_features: u64) -> Option<Self> {
        let layout = Layout::of(&header.dtype, &header.shape)?;
        if !layout.is_native(header.dtype.itemsize()) {
            return None;
        }
        let count = header.shape.first().copied()?;
        Self::of(count, n_features)
    }

    fn of(count: usize, n_features: u64) -> Option<Self> {
        // Levels have 31 bits.
        i32::try_from(count).ok()?;
        let mut levels = vec![0; count.checked_add(1)?];
        *levels.first_mut()? = 1;
        Some(Self {
            n_features,
            levels,
            next: 0,
            leaves: 0,
            kept: true,
            back: 0,
        })
    }

    /// The next bytes, which are whole nodes.
    pub(crate) fn see(&mut self, bytes: &[u8]) {
        let (records, rest) = bytes.as_chunks::<64>();
        self.kept = rest.is_empty() && self.walk(records).is_some() && self.kept;
    }

    #[expect(
        clippy::needless_bitwise_bool,
        reason = "a lazy operator is a branch, guessed wrongly at every second node"
    )]
    fn walk(&mut self, records: &[[u8; 64]]) -> Option<()> {
        let levels = self.levels.as_mut_slice();
        let n_features = self.n_features;
        let end = u64::try_from(levels.len()).ok()?.checked_sub(1)?;
        let (mut kept, mut leaves, mut back) = (true, 0_usize, 0);
        let mut next = u64::try_from(self.next).ok()?;
        for (record, here) in records.iter().zip(self.next..) {
            let ([left, right, feature, ..], _) = record.as_chunks::<8>() else {
                return None;
            };
            let left = u64::from_le_bytes(*left);
            let right = u64::from_le_bytes(*right);
            let feature = u64::from_le_bytes(*feature);
            next = next.wrapping_add(1);
            let is_leaf = (left & right) == LEAF.cast_unsigned();
            leaves = leaves.wrapping_add(usize::from(is_leaf));
            kept &= is_leaf | (feature < n_features);
            let below = levels.get(here)?.wrapping_add(1);
            for child in [left.min(end), right.min(end)] {
                back |= child.wrapping_sub(next);
                *levels.get_mut(usize::try_from(child).ok()?)? = below;
            }
        }
        self.next = self.next.checked_add(records.len())?;
        self.leaves = self.leaves.checked_add(leaves)?;
        self.back |= back;
        kept.then_some(())
    }

    /// After the last node; `None` where one breaks a rule.
    pub(crate) fn end(self) -> Option<Walked> {
        let levels = self.levels.get(..self.next)?;
        let is_whole = self.next.checked_add(1)? == self.levels.len();
        // A pass of its own, in which the processor takes several at once.
        let (mut reached, mut deepest) = (0_usize, 0);
        for &level in levels {
            reached = reached.wrapping_add(usize::from(level != 0));
            deepest = deepest.max(level);
        }
        let named = self.next.checked_sub(self.leaves)?.checked_mul(2)?;
        let kept = self.kept && self.back.leading_zeros() > 0 && is_whole;
        if !kept || reached != named.checked_add(1)? {
            return None;
        }
        Some(Walked {
            n_features: self.n_features,
            deepest: usize::try_from(deepest.saturating_sub(1)).ok()?,
        })
    }
}

/// A node whose fields could not be read; never, since the fields lie inside the record.
pub(super) const SHORT: &str = "a node is shorter than its fields";

/// One pass over the nodes of a tree, in their order.
#[derive(Debug)]
pub(super) struct Walk {
    /// 1 for the root, one more for each level; 0 for a node that no node before it has as its child.
    levels: Vec<u32>,
    next: usize,
    deepest: u32,
    n_features: u64,
}

impl Walk {
    /// Before the first of `count` nodes, of which none may name a feature of `n_features` or more.
    pub(super) fn new(count: usize, n_features: u64) -> Self {
        let mut levels = vec![0; count];
        if let Some(root) = levels.first_mut() {
            *root = 1;
        }
        Self {
            levels,
            next: 0,
            deepest: 0,
            n_features,
        }
    }

    /// The next node.
    #[inline]
    pub(super) fn step(
        &mut self,
        leaf: bool,
        left: i64,
        right: i64,
        feature: i64,
    ) -> Result<(), &'static str> {
        let here = self.next;
        self.next = here.saturating_add(1);
        let level = self.levels.get(here).copied().unwrap_or(0);
        if leaf {
            self.deepest = self.deepest.max(level);
            // A leaf of `Tree` says so on both sides; `TreePredictor` has a flag and zeros.
            return if left == LEAF && right != LEAF {
                Err("a leaf has a child")
            } else {
                Ok(())
            };
        }
        // A negative number becomes larger than any index.
        for child in [left, right] {
            let child = usize::try_from(child.cast_unsigned()).unwrap_or(usize::MAX);
            let Some(slot) = self.levels.get_mut(child) else {
                return Err("a child is not a node of the tree");
            };
            if child <= here {
                return Err("a child is not after its parent");
            }
            if *slot != 0 {
                return Err("a node has two parents");
            }
            *slot = level.saturating_add(1);
        }
        if feature.cast_unsigned() < self.n_features {
            Ok(())
        } else {
            Err("a feature is not a column of the input")
        }
    }

    /// After the last node: the depth of the deepest leaf, 0 where the root is one.
    pub(super) fn end(self) -> Result<usize, &'static str> {
        if self.next != self.levels.len() {
            return Err(SHORT);
        }
        Ok(usize::try_from(self.deepest.saturating_sub(1)).unwrap_or(usize::MAX))
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::super::attributes::given::Given;
    use super::*;

    pub(crate) const FIELDS: [(&str, &str); 9] = [
        ("left_child", "<i8"),
        ("right_child", "<i8"),
        ("feature", "<i8"),
        ("threshold", "<f8"),
        ("impurity", "<f8"),
        ("n_node_samples", "<i8"),
        ("weighted_n_node_samples", "<f8"),
        ("missing_go_to_left", "|u1"),
        ("", "|V7"),
    ];

    fn nodes(nodes: &[(i64, i64, i64)]) -> Given {
        let mut bytes = Vec::new();
        for (left, right, feature) in nodes {
            bytes.extend(
                [left, right, feature]
                    .iter()
                    .flat_map(|value| value.to_le_bytes()),
            );
            bytes.extend([0; 40]);
        }
        Given::Array(record(&FIELDS), vec![nodes.len()], bytes)
    }

    /// A tree with two leaves of three features, one output and two classes.
    pub(in crate::verify) fn tree() -> Given {
        tree_of(3)
    }

    /// The same with another number of features.
    pub(in crate::verify) fn tree_of(n_features: i64) -> Given {
        Given::Built(
            TREE,
            vec![Given::Int(n_features), Given::longs(&[2]), Given::Int(1)],
            Box::new(Given::Dict(vec![
                ("max_depth", Given::Int(1)),
                ("node_count", Given::Int(3)),
                ("nodes", nodes(&SMALL)),
                ("values", Given::zeros(&[3, 1, 2])),
            ])),
        )
    }

    #[test]
    fn a_tree_as_scikit_learn_writes_it_is_verified() {
        assert_eq!(tree().refusal(verify), None);
    }

    #[test]
    fn each_rule_of_the_state_is_held() {
        const COUNT: &str = "node_count is not the number of nodes";
        const DEPTH: &str = "max_depth is not the depth of the tree";
        const VALUES: &str = "the values do not have one float64 per node, output and class";
        for (name, value, what) in [
            ("node_count", Given::Int(2), COUNT),
            ("node_count", Given::Int(4), COUNT),
            ("node_count", Given::Int(-3), COUNT),
            ("node_count", Given::Float(3.0), COUNT),
            ("nodes", nodes(&[]), COUNT),
            ("max_depth", Given::Int(0), DEPTH),
            ("max_depth", Given::Int(3), DEPTH),
            ("max_depth", Given::Int(-1), DEPTH),
            ("values", Given::zeros(&[3, 1, 1]), VALUES),
            ("values", Given::zeros(&[2, 1, 2]), VALUES),
            ("values", Given::zeros(&[6]), VALUES),
            (
                "nodes",
                nodes(&[(1, 2, 3), (-1, -1, -2), (-1, -1, -2)]),
                "a feature is not a column of the input",
            ),
            (
                "nodes",
                Given::None,
                "the state does not hold the arrays nodes and values",
            ),
            (
                "nodes",
                Given::zeros(&[3]),
                "the fields of the nodes are not those of scikit-learn",
            ),
        ] {
            let mut changed = tree();
            changed.set(name, value);
            assert_eq!(changed.refusal(verify), Some(what), "{name}");
        }
        for name in ["max_depth", "node_count", "nodes", "values"] {
            let mut changed = tree();
            changed.remove(name);
            assert!(changed.refusal(verify).is_some(), "{name}");
        }
    }

    #[test]
    fn each_rule_of_the_arguments_is_held() {
        let what =
            "the arguments are not a feature count, an array of class counts and their number";
        for (index, value) in [
            (0, Given::Int(0)),
            (0, Given::Int(-1)),
            (0, Given::Int(1 << 31)),
            (1, Given::longs(&[0])),
            (1, Given::longs(&[-2])),
            (1, Given::longs(&[2, 2])),
            (1, Given::zeros(&[1])),
            (2, Given::Int(0)),
            (2, Given::Int(2)),
            (2, Given::Int(i64::MAX)),
        ] {
            let Given::Built(class, mut args, state) = tree() else {
                unreachable!()
            };
            args[index] = value;
            assert_eq!(
                Given::Built(class, args, state).refusal(verify),
                Some(what),
                "{index}"
            );
        }
        let Given::Built(class, mut args, state) = tree() else {
            unreachable!()
        };
        args.pop();
        assert_eq!(
            Given::Built(class, args.clone(), state).refusal(verify),
            Some(what)
        );
        let stateless = Given::Construct(TREE, Box::new(Given::Tuple(args)));
        assert!(stateless.refusal(verify).is_some());
    }

    /// A root with two leaves.
    const SMALL: [(i64, i64, i64); 3] = [(1, 2, 0), (-1, -1, -2), (-1, -1, -2)];

    /// Both walks say the same.
    fn walk(nodes: &[(i64, i64, i64)], n_features: u64) -> Result<usize, &'static str> {
        let by_step = walk_by_step(nodes, n_features);
        let record = |&(left, right, feature): &(i64, i64, i64)| {
            let mut record = [0_u8; 64];
            let places = record.as_chunks_mut::<8>().0.iter_mut();
            for (place, value) in places.zip([left, right, feature]) {
                *place = value.to_le_bytes();
            }
            record
        };
        let records: Vec<[u8; 64]> = nodes.iter().map(record).collect();
        let expected = by_step.ok().filter(|_| !nodes.is_empty());
        let mut by_piece = NativeWalk::of(nodes.len(), n_features).unwrap();
        for piece in records.chunks(2) {
            by_piece.see(piece.as_flattened());
        }
        let walked = by_piece.end().map(|walked| walked.deepest);
        assert_eq!(walked, expected, "{nodes:?}");
        by_step
    }

    fn walk_by_step(nodes: &[(i64, i64, i64)], n_features: u64) -> Result<usize, &'static str> {
        let mut walk = Walk::new(nodes.len(), n_features);
        for &(left, right, feature) in nodes {
            walk.step(left == LEAF, left, right, feature)?;
        }
        walk.end()
    }

    #[test]
    fn trees_of_both_builders_pass() {
        assert_eq!(walk(&[(-1, -1, -2)], 1), Ok(0));
        assert_eq!(walk(&SMALL, 1), Ok(1));
        // Best first: both children of the root are numbered before any grandchild.
        assert_eq!(
            walk(
                &[
                    (1, 2, 0),
                    (3, 4, 1),
                    (-1, -1, -2),
                    (-1, -1, -2),
                    (-1, -1, -2)
                ],
                2
            ),
            Ok(2)
        );
        // Pruned by hand: node 1 has become a leaf, and nodes 3 and 4 have no parent.
        assert_eq!(
            walk(
                &[
                    (1, 2, 0),
                    (-1, -1, -2),
                    (-1, -1, -2),
                    (-1, -1, -2),
                    (-1, -1, -2)
                ],
                1
            ),
            Ok(1)
        );
    }

    #[test]
    fn walks_that_leave_the_tree_or_do_not_end_are_refused() {
        for (node, what) in [
            ((3, 2, 0), "a child is not a node of the tree"),
            ((1, -1, 0), "a child is not a node of the tree"),
            ((-2, 1, 0), "a child is not a node of the tree"),
            ((i64::MIN, 1, 0), "a child is not a node of the tree"),
            ((1, i64::MAX, 0), "a child is not a node of the tree"),
            ((0, 2, 0), "a child is not after its parent"),
            ((1, 1, 0), "a node has two parents"),
            ((-1, 2, 0), "a leaf has a child"),
            ((1, 2, 1), "a feature is not a column of the input"),
            ((1, 2, -1), "a feature is not a column of the input"),
            ((1, 2, i64::MAX), "a feature is not a column of the input"),
        ] {
            let mut nodes = SMALL;
            nodes[0] = node;
            assert_eq!(walk(&nodes, 1), Err(what), "{node:?}");
        }
        assert_eq!(
            walk(&[(1, 2, 0), (2, 3, 0), (-1, -1, 0), (-1, -1, 0)], 1),
            Err("a node has two parents")
        );
    }

    pub(crate) fn record(fields: &[(&str, &str)]) -> DType {
        let fields = fields
            .iter()
            .map(|(name, text)| {
                (
                    (*name).to_owned(),
                    None,
                    DType::parse(text).unwrap(),
                    vec![],
                )
            })
            .collect();
        DType::record(fields).unwrap()
    }

    #[test]
    fn both_walks_agree_on_every_small_tree() {
        // Three nodes, whose children are each of these.
        let children = [-2, -1, 0, 1, 2, 3];
        for code in 0..6_usize.pow(6) {
            let child = |place: u32| children[code / 6_usize.pow(place) % 6];
            let nodes = [
                (child(0), child(1), 0),
                (child(2), child(3), 0),
                (child(4), child(5), 0),
            ];
            let _ = walk(&nodes, 1);
        }
    }

    #[test]
    fn fields_count_in_their_order_and_padding_does_not() {
        assert!(has_fields(&record(&FIELDS), NODE));
        assert!(has_fields(&record(&FIELDS[..8]), NODE));
        assert!(!has_fields(&record(&FIELDS[..7]), NODE));
        let mut swapped = FIELDS;
        swapped.swap(0, 2);
        assert!(!has_fields(&record(&swapped), NODE));
        let mut unnamed = FIELDS;
        unnamed[8] = ("", "<i8");
        assert!(!has_fields(&record(&unnamed), NODE));
        let mut narrow = FIELDS;
        narrow[1] = ("right_child", "<i2");
        assert!(!has_fields(&record(&narrow), NODE));
    }

    #[test]
    fn integers_of_other_machines_are_read() {
        let dtype = record(&[("pad", "|u1"), ("a", ">i4"), ("b", "<u4"), ("c", ">i8")]);
        let bytes = [
            9, 0xff, 0xff, 0xff, 0xfe, 1, 0, 0, 0x80, 0, 0, 0, 0, 0, 0, 0, 7,
        ];
        let read = |name| IntField::of(&dtype, name).unwrap().read(&bytes);
        assert_eq!(
            (read("pad"), read("a"), read("b"), read("c")),
            (Some(9), Some(-2), Some(0x8000_0001), Some(7))
        );
        assert_eq!(IntField::of(&dtype, "c").unwrap().read(&bytes[..16]), None);
    }
}
