//! Models as data: bytes become a graph, a policy decides on its names, a verifier checks its values.
//! Nothing in this crate imports, calls or runs anything that a file names.

pub mod archive;
pub mod catboost;
mod dtype;
mod error;
mod formats;
mod graph;
pub mod lightgbm;
mod limits;
pub mod mlflow;
pub mod npy;
pub mod scan;
pub mod skops;
mod trust;
mod verify;
pub mod xgboost;

pub use dtype::{DType, Field, Kind};
pub use error::{Error, Location, Refused, Untrusted};
pub use formats::{Booster, FORMATS, Format, Read};
pub use graph::{
    ArrayId, GlobalId, Graph, Items, Node, NodeId, Outline, Plain, Reference, Role, Row, Step,
    Text, bytes_label,
};
pub use limits::Limits;
pub use trust::{Policy, TrustedGraph, default_names, refused_packages};
pub use verify::verified_classes;
