//! Which cycles can be built.

use super::objects::{Graph, Node, NodeId, Plain};

impl Graph {
    /// Whether a node's object can exist before its children do, so that they may refer to it.
    ///
    /// Builtin lists, sets, dicts (and classes made from dicts) are made empty and filled; objects
    /// are made without their constructor and given their state.
    pub fn is_two_step(&self, id: NodeId) -> bool {
        match self.node(id) {
            Node::Dict(..) | Node::DefaultDict(..) | Node::Object(..) => true,
            Node::List(class, _) => self.plain(class) == Some(Plain::List),
            Node::Set(class, _) => self.plain(class) == Some(Plain::Set),
            _ => false,
        }
    }

    /// The children that must exist before a node's object can: none for one that is built in two
    /// steps, the arguments of a constructor, everything else otherwise.
    fn needed(&self, id: NodeId) -> &[NodeId] {
        if self.is_two_step(id) {
            return &[];
        }
        let children = self.children(id);
        match self.node(id) {
            Node::Construct(..) => children.get(..1).unwrap_or_default(),
            _ => children,
        }
    }

    /// A node on a cycle that no object and no container breaks; `None` where there is none.
    pub(crate) fn unbuildable_cycle(&self) -> Option<NodeId> {
        #[derive(Clone, Copy, PartialEq)]
        enum State {
            New,
            Open,
            Done,
        }
        let mut states = vec![State::New; self.len()];
        let mut stack: Vec<(NodeId, usize)> = Vec::new();
        for start in self.ids() {
            if states.get(start.index()) != Some(&State::New) || self.needed(start).is_empty() {
                continue;
            }
            stack.push((start, 0));
            while let Some((node, next)) = stack.last_mut() {
                let child = self.needed(*node).get(*next).copied();
                *next = next.saturating_add(1);
                let Some(child) = child else {
                    if let Some(state) = states.get_mut(node.index()) {
                        *state = State::Done;
                    }
                    stack.pop();
                    continue;
                };
                if let Some(state) = states.get_mut(node.index()) {
                    *state = State::Open;
                }
                match states.get(child.index()) {
                    Some(State::Open) => return Some(child),
                    Some(State::New) if !self.needed(child).is_empty() => stack.push((child, 0)),
                    _ => {}
                }
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A node of one kind that holds itself through another.
    fn cycle(
        outer: fn(crate::graph::GlobalId, crate::graph::Items) -> Node,
        class: &str,
        inner_list: bool,
    ) -> Option<NodeId> {
        let mut graph = Graph::new("schema.json");
        let outer_class = graph.global("builtins", class).unwrap();
        let list = graph.global("builtins", "list").unwrap();
        let top = graph.push(Node::Pending, 0).unwrap();
        let items = graph.link(&[top]).unwrap();
        let child = if inner_list {
            graph.push(Node::List(list, items), 1).unwrap()
        } else {
            graph.push(Node::Tuple(outer_class, items), 1).unwrap()
        };
        let items = graph.link(&[child]).unwrap();
        graph.set(top, outer(outer_class, items));
        graph.unbuildable_cycle()
    }

    #[test]
    fn a_cycle_is_built_only_through_an_object_or_a_container() {
        assert!(cycle(Node::Tuple, "tuple", false).is_some());
        assert!(cycle(Node::Construct, "tuple", false).is_some());
        assert!(cycle(Node::Tuple, "tuple", true).is_none());
        assert!(cycle(Node::Object, "tuple", false).is_none());
        assert!(cycle(Node::List, "list", false).is_none());
    }

    #[test]
    fn long_chains_do_not_use_the_call_stack() {
        let mut graph = Graph::new("schema.json");
        let class = graph.global("builtins", "tuple").unwrap();
        let mut items = graph.link(&[]).unwrap();
        for place in 0..200_000 {
            let node = graph.push(Node::Tuple(class, items), place).unwrap();
            items = graph.link(&[node]).unwrap();
        }
        assert!(graph.unbuildable_cycle().is_none());
    }
}
