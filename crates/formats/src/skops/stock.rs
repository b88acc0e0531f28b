//! What stock skops must be told to load a file.

use std::collections::BTreeSet;
use std::sync::OnceLock;

use crate::graph::{Graph, Node, Reference};

/// The public estimators of scikit-learn, which every version of skops trusts; made by `cases/skops_names.py`.
const ESTIMATORS: &str = include_str!("estimators.txt");

/// Classes of numpy scalars, sorted.
const SCALARS: &[&str] = &[
    "numpy.bool",
    "numpy.bool_",
    "numpy.float32",
    "numpy.float64",
    "numpy.int32",
    "numpy.int64",
    "numpy.uint32",
    "numpy.uint64",
    "numpy.uint8",
];

fn estimators() -> &'static [&'static str] {
    static ROWS: OnceLock<Vec<&'static str>> = OnceLock::new();
    ROWS.get_or_init(|| ESTIMATORS.lines().collect())
}

/// The names that `skops.io.load` (0.9 to 0.16) has to be given as `trusted` to load a graph, sorted.
///
/// skops trusts few names, which of them depends on the kind of node, and each version has its own
/// list. A name too many does no harm there, a name too few refuses the model; so a name is left out
/// only where every version trusts it: a public estimator, numbers, text, containers and arrays
/// (`skops/io/_trusted_types.py` and the `_get_trusted` calls of skops 0.9.0 to 0.16.0).
pub fn stock_untrusted(graph: &Graph) -> Vec<&str> {
    let mut names = BTreeSet::new();
    for reference in graph.references() {
        if stock_trusts(graph, reference) {
            continue;
        }
        let name = graph.name(reference.global);
        names.insert(name);
        // A bound method is asked for by its own name and by that of the object's class.
        if let Node::Method(..) = graph.node(reference.node)
            && let Some((class, _)) = name.rsplit_once('.')
        {
            names.insert(class);
        }
    }
    for id in graph.ids() {
        if let Node::DType(class, _) = graph.node(id) {
            names.insert(graph.name(class));
        }
    }
    names.into_iter().collect()
}

fn stock_trusts(graph: &Graph, reference: &Reference) -> bool {
    let name = graph.name(reference.global);
    match graph.node(reference.node) {
        Node::Object(..) => estimators().binary_search(&name).is_ok(),
        Node::Global(_) => matches!(
            name,
            "builtins.int" | "builtins.float" | "builtins.str" | "builtins.bool"
        ),
        // skops takes a path for a text.
        _ if name == "joblib.memory.Memory"
            && !matches!(graph.node(reference.node), Node::Object(..)) =>
        {
            true
        }
        Node::Function(_) | Node::Partial(..) | Node::Method(..) | Node::Construct(..) => false,
        Node::Array(..) => name == "numpy.ndarray" || SCALARS.binary_search(&name).is_ok(),
        _ => name.starts_with("builtins.") || name == "numpy.ndarray",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::graph::{GlobalId, Items, Role};

    fn graph(name: (&str, &str), node: impl Fn(GlobalId) -> Node) -> Graph {
        let mut graph = Graph::new("schema.json");
        let class = graph.global(name.0, name.1).unwrap();
        let node = graph.push(node(class), 0).unwrap();
        graph.refer(class, Role::Instance, node);
        graph
    }

    #[test]
    fn the_lists_are_sorted() {
        assert!(estimators().len() > 190);
        assert!(estimators().windows(2).all(|pair| pair[0] < pair[1]));
        assert!(SCALARS.windows(2).all(|pair| pair[0] < pair[1]));
    }

    #[test]
    fn trees_and_private_classes_are_listed_and_public_estimators_are_not() {
        let object = |class| Node::Object(class, Items::default());
        let estimator = graph(("sklearn.linear_model._ridge", "Ridge"), object);
        assert!(stock_untrusted(&estimator).is_empty());
        let tree = graph(("sklearn.tree._tree", "Tree"), |class| {
            Node::Construct(class, Items::default())
        });
        assert_eq!(stock_untrusted(&tree), ["sklearn.tree._tree.Tree"]);
        let custom = graph(("__main__", "CustomTransformer"), object);
        assert_eq!(stock_untrusted(&custom), ["__main__.CustomTransformer"]);
    }

    #[test]
    fn a_type_that_stands_as_a_value_is_listed() {
        let dtype = graph(("numpy", "float64"), Node::Global);
        assert_eq!(stock_untrusted(&dtype), ["numpy.float64"]);
    }
}
