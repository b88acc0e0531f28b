//! What a file says: nodes in an arena, and every name of code that they ask for.

mod objects;
mod order;
mod outline;

pub use objects::{ArrayId, GlobalId, Graph, Items, Node, NodeId, Plain, Reference, Role, Text};
pub(crate) use objects::{Mark, Stored};
pub use outline::{Outline, Row, Step, bytes_label};
