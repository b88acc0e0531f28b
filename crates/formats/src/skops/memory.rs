//! `memory=` of scikit-learn: a path is decided on as the class that scikit-learn makes of it.

use crate::graph::{Graph, Node, NodeId, Role};

/// Module and name of what a path is handed to.
pub(super) const MEMORY: (&str, &str) = ("joblib.memory", "Memory");

/// Refers to [`MEMORY`] wherever a text stands as `memory`; `None` where the graph is full.
///
/// `check_memory` of scikit-learn 1.9.1 (`utils/validation.py`) calls `joblib.Memory` with a text when the model is fitted
/// again: joblib makes the folder, writes to it, and unpickles what it finds there. Texts are looked for among the
/// attributes of an object, and under `memory` and `STEP__memory` in its attributes whose name starts with `param` (the
/// parameters that a search tries).
pub(super) fn refer(graph: &mut Graph) -> Option<()> {
    let mut found = Vec::new();
    for id in graph.ids() {
        let state = match graph.node(id) {
            Node::Object(..) => graph.children(id).first(),
            Node::Construct(..) => graph.children(id).get(1),
            _ => None,
        };
        let Some(&state) = state else { continue };
        for (name, value) in pairs(graph, state) {
            if name == "memory" {
                found.push(value);
            } else if name.starts_with("param") {
                let inner: &[NodeId] = match graph.node(value) {
                    Node::List(..) | Node::Tuple(..) => graph.children(value),
                    _ => &[value],
                };
                for &dict in inner {
                    for (name, value) in pairs(graph, dict) {
                        if name == "memory" || name.ends_with("__memory") {
                            found.push(value);
                            if let Node::List(..) | Node::Tuple(..) = graph.node(value) {
                                found.extend(graph.children(value));
                            }
                        }
                    }
                }
            }
        }
    }
    found.retain(|&value| {
        let node = graph.node(value);
        matches!(node, Node::Str(_) | Node::WideStr(_) | Node::Array(..))
    });
    found.sort();
    found.dedup();
    if !found.is_empty() {
        let class = graph.global(MEMORY.0, MEMORY.1)?;
        for value in found {
            graph.refer(class, Role::Call, value);
        }
    }
    Some(())
}

/// The pairs of a dict whose keys are texts.
fn pairs(graph: &Graph, dict: NodeId) -> impl Iterator<Item = (&str, NodeId)> {
    let children = match graph.node(dict) {
        Node::Dict(..) => graph.children(dict),
        _ => &[],
    };
    children.chunks_exact(2).filter_map(|pair| match pair {
        &[key, value] => match graph.node(key) {
            Node::Str(name) => Some((graph.text(name), value)),
            _ => None,
        },
        _ => None,
    })
}
