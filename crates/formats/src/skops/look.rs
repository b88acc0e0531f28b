//! What stands beside the graph, for somebody who looks at a file and has decided nothing yet.
//!
//! Nothing here is needed to load a model, and nothing here is proof of anything: checksums and values
//! are checked by [`TrustedGraph::verify`](crate::TrustedGraph::verify).

use super::json::{Cursor, Number, Scalar};
use super::loaders;
use super::read::{PROTOCOL, SCHEMA};
use crate::archive::{Archive, Source, open};
use std::sync::Arc;

use crate::dtype::{DType, Kind};
use crate::error::{Error, Location};
use crate::graph::{Graph, Node, NodeId, Stored};
use crate::limits::{Limits, spend};
use crate::npy::{HEADER_LIMIT, Header, read_header};

/// The names of all node kinds (`__loader__`) that are read, sorted.
pub fn node_kinds() -> impl Iterator<Item = &'static str> {
    loaders::names()
}

/// The protocols that are read; the last is the one that is written.
pub const PROTOCOLS: std::ops::RangeInclusive<i64> = 0..=PROTOCOL;

/// Which skops wrote a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Head {
    /// The protocol: 0, 1 or 2.
    pub protocol: i64,
    /// The release of skops, where the file says it.
    pub version: Option<String>,
    /// Bytes of `schema.json`.
    pub schema_bytes: u64,
}

/// Reads which skops wrote a file.
///
/// # Errors
/// [`Error::Malformed`] where `schema.json` is missing or no JSON object with a protocol;
/// [`Error::Limit`] where it is larger or deeper than `limits` allow.
pub fn head(archive: &mut Archive<'_>, limits: &mut Limits) -> Result<Head, Error> {
    let schema = archive
        .find(SCHEMA)
        .ok_or_else(|| missing("the archive has no schema.json"))?;
    archive.pay(schema, limits)?;
    let bytes = archive.read(schema, limits.schema_bytes, "size of schema.json")?;
    let mut cursor = Cursor::new(&bytes, SCHEMA, 0);
    let mut buffer = Vec::new();
    let (mut protocol, mut version) = (None, None);
    cursor.expect(b'{', "a node is missing")?;
    let mut first = true;
    while !cursor.eat(b'}') {
        if !std::mem::replace(&mut first, false) {
            cursor.expect(b',', "a comma or a closing bracket is missing")?;
        }
        let field = cursor.string(&mut buffer)?.to_vec();
        cursor.expect(b':', "a colon is missing")?;
        match field.as_slice() {
            b"protocol" => {
                if let Scalar::Number(Number::Int(number)) = cursor.scalar(&mut buffer)? {
                    protocol = Some(number);
                }
            }
            b"_skops_version" => {
                version = Some(String::from_utf8_lossy(cursor.string(&mut buffer)?).into_owned());
            }
            _ => cursor.skip(limits.depth, &mut buffer)?,
        }
    }
    Ok(Head {
        protocol: protocol.ok_or_else(|| cursor.malformed("the skops protocol is missing"))?,
        version,
        schema_bytes: u64::try_from(bytes.len()).unwrap_or(u64::MAX),
    })
}

/// What the entry of an array holds, as its header says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Looked {
    /// An npy file.
    Array(Header),
    /// Raw bytes: their number.
    Bytes(u64),
    /// An npz file of a scipy sparse container.
    Sparse {
        /// The rows and columns that it says it has.
        shape: Vec<u64>,
        /// The type of its elements, where it has data.
        dtype: Option<Arc<DType>>,
        /// How many elements are stored.
        stored: u64,
        /// Bytes of all its parts.
        bytes: u64,
    },
}

impl Looked {
    /// Bytes of the elements.
    pub fn bytes(&self) -> u64 {
        match self {
            Self::Array(header) => u64::try_from(header.data_bytes).unwrap_or(u64::MAX),
            Self::Bytes(bytes) | Self::Sparse { bytes, .. } => *bytes,
        }
    }
}

/// Reads the header of the array that a node is; `None` for a node that is none.
///
/// # Errors
/// [`Error::Malformed`] and [`Error::Unsupported`] for an entry that is not what the node says,
/// [`Error::Limit`] for one that is larger than `limits` allow.
pub fn look(
    graph: &Graph,
    node: NodeId,
    archive: &mut Archive<'_>,
    limits: &mut Limits,
) -> Result<Option<Looked>, Error> {
    let sparse = matches!(graph.node(node), Node::Sparse(..));
    let Some(stored) = stored(graph, node) else {
        return Ok(None);
    };
    Ok(Some(match stored {
        Stored::Npy(entry) => Looked::Array(header(archive, entry, limits)?),
        Stored::Raw(entry) if sparse => look_sparse(archive, entry, limits)?,
        Stored::Raw(entry) => Looked::Bytes(archive.entry(entry)?.size),
        Stored::Nested(..) | Stored::Memory => return Ok(None),
    }))
}

/// Reads the bytes of a bytes or bytearray node; `None` for any other node.
///
/// # Errors
/// [`Error::Malformed`] for a wrong checksum, [`Error::Limit`] where there are more bytes than `limits` allow.
pub fn look_bytes(
    graph: &Graph,
    node: NodeId,
    archive: &mut Archive<'_>,
    limits: &mut Limits,
) -> Result<Option<Vec<u8>>, Error> {
    let (Node::Bytes(_) | Node::ByteArray(_), Some(Stored::Raw(entry))) =
        (graph.node(node), stored(graph, node))
    else {
        return Ok(None);
    };
    archive.pay(entry, limits)?;
    let size = archive.entry(entry)?.size;
    spend(&mut limits.array_bytes, size, "size of arrays")?;
    archive.read(entry, size, "size of bytes").map(Some)
}

/// Where the bytes of an array node stand.
fn stored(graph: &Graph, node: NodeId) -> Option<Stored> {
    let node = match graph.node(node) {
        Node::Sparse(_, items) => *graph.items(items).first()?,
        _ => node,
    };
    graph.stored().get(graph.array_of(node)?.index()).copied()
}

fn missing(what: &'static str) -> Error {
    Error::malformed("skops", Location::default(), what)
}

fn header(archive: &mut Archive<'_>, entry: usize, limits: &mut Limits) -> Result<Header, Error> {
    archive.pay(entry, limits)?;
    let name = archive.entry(entry)?.name.clone();
    let (_, prefix) = archive.prefix(entry, HEADER_LIMIT)?;
    read_header(&prefix, &name)
}

fn look_sparse(
    archive: &mut Archive<'_>,
    entry: usize,
    limits: &mut Limits,
) -> Result<Looked, Error> {
    archive.pay(entry, limits)?;
    let size = archive.entry(entry)?.size;
    let source = match archive.sub_source(entry)? {
        Some(source) => source,
        None => {
            Source::Owned(archive.read(entry, size.min(limits.array_bytes), "size of an npz")?)
        }
    };
    let mut inner = open(source, limits)?;
    let (mut shape, mut dtype, mut stored, mut bytes) = (Vec::new(), None, 0_u64, 0_u64);
    for index in 0..inner.entries().len() {
        let name = inner.entry(index)?.name.clone();
        let part = header(&mut inner, index, limits)?;
        bytes = bytes.saturating_add(u64::try_from(part.data_bytes).unwrap_or(u64::MAX));
        match name.as_str() {
            "shape.npy" if part.data_bytes <= 256 => {
                let whole = inner.read(index, 4096, "length of the shape of a sparse container")?;
                shape = integers(&part, whole.get(part.data_offset..).unwrap_or_default());
            }
            "data.npy" => {
                let count = part
                    .data_bytes
                    .checked_div(part.dtype.itemsize())
                    .unwrap_or(0);
                stored = u64::try_from(count).unwrap_or(u64::MAX);
                dtype = Some(part.dtype);
            }
            _ => {}
        }
    }
    Ok(Looked::Sparse {
        shape,
        dtype,
        stored,
        bytes,
    })
}

/// The integers of 4 or 8 bytes of a little-endian array; a negative one counts as 0.
fn integers(header: &Header, data: &[u8]) -> Vec<u64> {
    let size = header.dtype.itemsize();
    if header.dtype.kind() != Kind::Int || !header.dtype.is_little() || !matches!(size, 4 | 8) {
        return Vec::new();
    }
    let integer = |bytes: &[u8]| match (bytes.first_chunk::<8>(), bytes.first_chunk::<4>()) {
        (Some(wide), _) => u64::try_from(i64::from_le_bytes(*wide)).unwrap_or(0),
        (None, Some(narrow)) => u64::try_from(i32::from_le_bytes(*narrow)).unwrap_or(0),
        (None, None) => 0,
    };
    data.chunks_exact(size).map(integer).collect()
}
