//! The npy format: one array, a header and its elements.
//!
//! Source: NEP 1 and `numpy/lib/_format_impl.py` (numpy 2.4).

mod read;
mod write;

pub(crate) use read::{Dtypes, HEADER_LIMIT, read_header_with};
pub use read::{Header, read_header};
pub use write::write_header;
