//! Where objects may stand whose methods trust their caller.

use super::{Arrays, Refusal, Value, Verify, quantile_forest, row_of, tree, tree_estimators};
use crate::graph::{Graph, Node, NodeId};
use foldhash::fast::RandomState;
use std::collections::HashMap;

/// A class whose methods follow their arguments without a look, the one attribute that an object of it may be,
/// and the check of the object that has the attribute, which stands between the caller and those methods.
struct Held {
    class: &'static str,
    attribute: &'static str,
    holder: Verify,
}

/// One row per such class, sorted by name.
const HELD: &[Held] = &[
    Held {
        class: quantile_forest::FOREST,
        attribute: "forest_",
        holder: quantile_forest::estimator,
    },
    Held {
        class: tree::TREE,
        attribute: "tree_",
        holder: tree_estimators::decision_tree,
    },
];

/// Refuses such an object anywhere but in its place.
///
/// `Tree.predict(X)` and `Tree.apply(X)` (scikit-learn 1.9.1, `tree/_tree.pyx`) read the columns that nodes name,
/// whatever columns `X` has; the estimators that hold a `Tree` compare them first. An estimator that calls
/// `predict(X)` of whatever it holds (`AdaBoostRegressor`, `Pipeline`, a bound method) would not.
///
/// - An object of these classes is the whole model, or the named attribute of an object; whatever class that has, its
///   other attributes are what the verifier of the estimator asks for.
pub(super) fn verify(graph: &Graph, arrays: Arrays<'_>) -> Result<(), Refusal> {
    let rows: Vec<Option<&Held>> = (0..graph.global_count())
        .map(|index| {
            HELD.iter()
                .find(|row| row.class == graph.global_name_at(index))
        })
        .collect();
    if rows.iter().all(Option::is_none) {
        return Ok(());
    }
    // Classes whose own rules are those of a holder: their objects were looked at already.
    let own: Vec<Option<Verify>> = (0..graph.global_count())
        .map(|index| row_of(graph.global_name_at(index)))
        .collect();
    let done = |id: NodeId, row: &Held| {
        let own = graph
            .class(id)
            .and_then(|class| own.get(class.index()).copied());
        own.flatten()
            .is_some_and(|own| std::ptr::fn_addr_eq(own, row.holder))
    };
    let held = |id: NodeId| match graph.node(id) {
        Node::Global(_) => None,
        _ => graph
            .class(id)
            .and_then(|class| rows.get(class.index()).copied().flatten()),
    };
    let mut states: HashMap<NodeId, &Held, RandomState> = HashMap::default();
    for parent in graph.ids() {
        let children = graph.children(parent);
        for (position, &child) in children.iter().enumerate() {
            let Some(row) = held(child) else { continue };
            let key = position
                .checked_sub(1)
                .and_then(|before| children.get(before));
            let named = match (graph.node(parent), key.map(|&key| graph.node(key))) {
                (Node::Dict(..), Some(Node::Str(text))) => {
                    position % 2 == 1 && graph.text(text) == row.attribute
                }
                _ => false,
            };
            if !named {
                return Err(refusal(child));
            }
            states.insert(parent, row);
        }
    }
    for parent in graph.ids() {
        for (position, child) in graph.children(parent).iter().enumerate() {
            let Some(row) = states.get(child) else {
                continue;
            };
            if !matches!(graph.node(parent), Node::Object(..)) || position != 0 {
                return Err(refusal(*child));
            }
            if !done(parent, row) {
                (row.holder)(Value::new(graph, arrays, parent))?;
            }
        }
    }
    Ok(())
}

fn refusal(node: NodeId) -> Refusal {
    Refusal {
        node,
        what: "it stands where its methods would be called without a check of the input",
    }
}

#[cfg(test)]
mod tests {
    use super::super::attributes::given::Given;
    use super::super::tree::tests::tree;
    use super::*;

    fn refused(given: &Given) -> Option<&'static str> {
        given.refused(|graph, arrays, _| verify(graph, arrays))
    }

    fn object(class: &'static str, attributes: Vec<(&'static str, Given)>) -> Given {
        Given::Object(class, Box::new(Given::Dict(attributes)))
    }

    #[test]
    fn a_tree_stands_in_its_place() {
        let place =
            Some("it stands where its methods would be called without a check of the input");
        let model = |n_features| {
            vec![
                ("n_features_in_", Given::Int(n_features)),
                ("tree_", tree()),
            ]
        };
        let known = "sklearn.tree._classes.DecisionTreeRegressor";
        assert_eq!(refused(&tree()), None);
        assert_eq!(refused(&object(known, model(3))), None);
        assert_eq!(
            refused(&Given::List(vec![object(
                "other.tree.SurvivalTree",
                model(3)
            )])),
            None
        );
        assert_eq!(
            refused(&object("other.tree.SurvivalTree", model(2))),
            Some("n_features_in_ is not the number of features of tree_")
        );
        assert_eq!(refused(&Given::List(vec![tree()])), place);
        assert_eq!(refused(&object(known, vec![("estimator_", tree())])), place);
        assert_eq!(
            refused(&object(
                known,
                vec![("other", Given::Dict(vec![("tree_", tree())]))]
            )),
            place
        );
        assert_eq!(
            refused(&object(
                known,
                vec![(
                    "estimators_",
                    Given::Tuple(vec![Given::Str("tree_"), tree()])
                )]
            )),
            place
        );
    }
}
