//! A zip, turned into named entries: sizes and checksums checked, read on demand by position.

mod decode;
mod source;
mod write;
mod zip;

pub use source::Source;
pub(crate) use write::Pieces;
pub use write::{Compression, FileSink, Sink, ZipWriter};
pub use zip::{Archive, Entry, open};
