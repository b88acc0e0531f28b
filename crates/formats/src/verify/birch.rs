//! `sklearn.cluster._birch.Birch`.
//!
//! The tree of `_CFNode` and `_CFSubcluster` needs no rule: both are Python classes (scikit-learn 1.4 to 1.9,
//! `cluster/_birch.py`), and what they do with their arrays goes through numpy's own checks. Where the
//! children of subclusters run in a circle, `insert_cf_subcluster` ends in Python's `RecursionError`.

use super::attributes::{dimensions, refuse_names};
use super::{Refusal, Value};
use crate::dtype::Kind;

const NODE: &str = "sklearn.cluster._birch._CFNode";

/// A Birch model with a norm for each center, and whose chain of leaves ends.
///
/// `_predict` (scikit-learn 1.9.1, `cluster/_birch.py`; 1.4 to 1.8 do the same) hands `_subcluster_norms` to
/// `pairwise_distances_argmin` as the norms of `subcluster_centers_`; `EuclideanArgKmin`
/// (`metrics/_pairwise_distances_reduction/_argkmin.pyx.tp`) reads one for each row of centers without a look at
/// their number. `_get_leaves`, which `partial_fit` calls, follows `next_leaf_` from `dummy_leaf_` to `None` and
/// keeps a list of what it saw.
///
/// - Where `subcluster_centers_` is set, it is a float array of two dimensions in C order, and
///   `_subcluster_norms` is a float array of one dimension with an item for each of its rows.
/// - The chain of leaves ends in `None`.
pub(super) fn verify(birch: Value<'_>) -> Result<(), Refusal> {
    refuse_names(birch, &["_get_leaves", "_predict"])?;
    if birch.get("subcluster_centers_").is_some() {
        let centers = floats::<2>(birch.get("subcluster_centers_"));
        let norms = floats::<1>(birch.get("_subcluster_norms"));
        let (Some([rows, _]), Some([found])) = (centers, norms) else {
            return Err(birch.refuse(
                "the centers and their norms are not float arrays of two and one dimensions",
            ));
        };
        if rows != found {
            return Err(birch.refuse("_subcluster_norms has not one norm for each center"));
        }
    }
    let mut slow = birch.get("dummy_leaf_");
    let mut fast = slow;
    while let Some(ahead) = next_leaf(next_leaf(fast)?)? {
        slow = next_leaf(slow)?;
        if slow.is_some_and(|slow| slow.id() == ahead.id()) {
            return Err(ahead.refuse("the chain of leaves does not end"));
        }
        fast = Some(ahead);
    }
    Ok(())
}

fn floats<const N: usize>(value: Option<Value<'_>>) -> Option<[usize; N]> {
    dimensions(value, Kind::Float, 8).or_else(|| dimensions(value, Kind::Float, 4))
}

/// The leaf after a leaf; `None` after the last.
fn next_leaf(leaf: Option<Value<'_>>) -> Result<Option<Value<'_>>, Refusal> {
    let Some(leaf) = leaf else { return Ok(None) };
    if leaf.class() != Some(NODE) {
        return Err(leaf.refuse("a leaf is not a node of the tree"));
    }
    refuse_names(leaf, &[])?;
    Ok(leaf.get("next_leaf_").filter(|next| !next.is_none()))
}

#[cfg(test)]
mod tests {
    use super::super::Arrays;
    use super::super::attributes::given::Given;
    use super::*;
    use crate::graph::{Graph, Node, NodeId};

    fn birch(centers: &[usize], norms: &[usize], leaf: Given) -> Option<&'static str> {
        let attributes = vec![
            ("subcluster_centers_", Given::zeros(centers)),
            ("_subcluster_norms", Given::zeros(norms)),
            ("dummy_leaf_", leaf),
        ];
        Given::Object(
            "sklearn.cluster._birch.Birch",
            Box::new(Given::Dict(attributes)),
        )
        .refusal(verify)
    }

    fn leaf(next: Given) -> Given {
        Given::Object(NODE, Box::new(Given::Dict(vec![("next_leaf_", next)])))
    }

    #[test]
    fn each_rule_is_held() {
        let chain = || leaf(leaf(leaf(Given::None)));
        assert_eq!(birch(&[4, 2], &[4], chain()), None);
        assert_eq!(
            birch(&[4, 2], &[3], chain()),
            Some("_subcluster_norms has not one norm for each center")
        );
        let arrays =
            Some("the centers and their norms are not float arrays of two and one dimensions");
        assert_eq!(birch(&[8], &[4], chain()), arrays);
        assert_eq!(birch(&[4, 2], &[4, 1], chain()), arrays);
        assert_eq!(
            birch(&[4, 2], &[4], leaf(Given::Int(1))),
            Some("a leaf is not a node of the tree")
        );
    }

    /// A model whose leaf number `length - 1` is followed by leaf number `back`.
    fn circle(length: usize, back: usize) -> (Graph, NodeId) {
        let mut graph = Graph::new("schema.json");
        let dict = graph.global("builtins", "dict").unwrap();
        let node = graph.global("sklearn.cluster._birch", "_CFNode").unwrap();
        let model = graph.global("sklearn.cluster._birch", "Birch").unwrap();
        let leaves: Vec<NodeId> = (0..length)
            .map(|_| graph.push(Node::Pending, 0).unwrap())
            .collect();
        let give = |graph: &mut Graph, class, name, value, object: Option<NodeId>| {
            let text = graph.push_text(name).unwrap();
            let key = graph.push(Node::Str(text), 0).unwrap();
            let pairs = graph.link(&[key, value]).unwrap();
            let state = graph.push(Node::Dict(dict, pairs), 0).unwrap();
            let state = graph.link(&[state]).unwrap();
            let object = object.unwrap_or_else(|| graph.push(Node::Pending, 0).unwrap());
            graph.set(object, Node::Object(class, state));
            object
        };
        for (index, &leaf) in leaves.iter().enumerate() {
            let next = *leaves[index..].get(1).unwrap_or(&leaves[back]);
            give(&mut graph, node, "next_leaf_", next, Some(leaf));
        }
        let root = give(&mut graph, model, "dummy_leaf_", leaves[0], None);
        (graph, root)
    }

    #[test]
    fn a_chain_of_leaves_that_runs_in_a_circle_is_refused() {
        let arrays = Arrays {
            headers: &[],
            bytes: &[],
            walked: &[],
            work: &crate::verify::Work::default(),
        };
        for (length, back) in [(1, 0), (2, 0), (2, 1), (3, 2), (5, 1), (6, 3)] {
            let (graph, root) = circle(length, back);
            let refused = verify(Value::new(&graph, arrays, root)).unwrap_err();
            assert_eq!(
                refused.what, "the chain of leaves does not end",
                "{length} {back}"
            );
        }
    }
}
