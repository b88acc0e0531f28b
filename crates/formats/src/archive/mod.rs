//! A zip or a folder, turned into named entries: sizes and checksums checked, read on demand by position.

mod decode;
mod folder;
mod source;
mod write;
mod zip;

pub use folder::{EntryKind, Folder, FolderEntry, relative};
pub use source::Source;
pub(crate) use write::Pieces;
pub use write::{Compression, FileSink, Sink, ZipWriter};
pub use zip::{Archive, Entry, open};
pub(crate) use zip::{Lane, Shared};
