//! The skops format: a zip with `schema.json` and the arrays that it names.
//!
//! Source: `skops/io` of skops 0.16.0, protocols 0, 1 and 2. The rules are those of
//! `docs/formats/skops.md`.

mod fill;
mod json;
mod load;
mod loaders;
mod look;
mod memory;
mod read;
mod stock;
mod write;

pub use fill::{Parallel, Sequential};
pub use load::{ArrayPlan, VerifiedGraph};
pub use look::{Head, Looked, PROTOCOLS, head, look, look_bytes, node_kinds};
pub use read::read;
pub use stock::stock_untrusted;
pub use write::{ArrayData, Prepared, prepare, write};
