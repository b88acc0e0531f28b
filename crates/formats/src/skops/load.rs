//! From a trusted graph to a verified one: headers, bytes, checksums, values.

use std::collections::{HashMap, HashSet};

use crate::archive::{Archive, Source, open};
use crate::dtype::Kind;
use crate::error::{Error, Location};
use crate::graph::{ArrayId, GlobalId, Graph, Node, Stored};
use crate::limits::{Limits, spend};
use crate::npy::{Dtypes, HEADER_LIMIT, Header, read_header_with};
use crate::trust::TrustedGraph;
use crate::verify::{self, Arrays, Work};

use super::fill::{Job, Parallel, Sequential, fill};

/// A trusted graph with the headers of its arrays: what memory its bytes need.
#[derive(Debug)]
pub struct ArrayPlan<'a> {
    graph: Graph,
    headers: Vec<Header>,
    /// The bytes of the headers, which stand before the elements, one after the other.
    heads: Vec<u8>,
    nested: Vec<Archive<'a>>,
    stored: Vec<Stored>,
    /// Which runs of raw bytes are bytearrays.
    bytearrays: HashSet<usize>,
}

/// A graph whose every name was decided and whose every value that native code relies on was checked.
///
/// `B` is the memory that holds the bytes of an array.
#[derive(Debug)]
pub struct VerifiedGraph<B> {
    graph: Graph,
    headers: Vec<Header>,
    buffers: Vec<B>,
}

impl TrustedGraph {
    /// Reads the headers of all arrays, so that memory can be got for their bytes.
    ///
    /// # Errors
    /// [`Error::Malformed`] and [`Error::Unsupported`] for an array that is not an npy file (or a
    /// sparse container that is not an npz of its parts), or whose size is not that of its shape;
    /// [`Error::Limit`] where the arrays are larger than `limits` allow.
    pub fn plan<'a>(
        self,
        archive: &mut Archive<'a>,
        limits: &mut Limits,
    ) -> Result<ArrayPlan<'a>, Error> {
        let mut plan = ArrayPlan {
            graph: self.into_graph(),
            headers: Vec::new(),
            heads: Vec::new(),
            nested: Vec::new(),
            stored: Vec::new(),
            bytearrays: HashSet::new(),
        };
        plan.expand_sparse(archive, limits)?;
        plan.bytearrays = plan
            .graph
            .ids()
            .filter_map(|id| match plan.graph.node(id) {
                Node::ByteArray(array) => Some(array.index()),
                _ => None,
            })
            .collect();
        plan.stored = plan.graph.stored().to_vec();
        // `_is_array` of each npz, by its array.
        let mut flags = HashMap::new();
        for id in plan.graph.ids() {
            if let Node::Sparse(..) = plan.graph.node(id)
                && let Some(flag) = plan
                    .graph
                    .get(id, "_is_array")
                    .and_then(|flag| plan.graph.array_of(flag))
            {
                flags.insert(flag.index(), "_is_array.npy");
            }
        }
        let mut dtypes = Dtypes::default();
        for stored in plan.stored.clone() {
            let header = match stored {
                Stored::Npy(entry) => {
                    npy_header(archive, entry, &mut dtypes, limits, &mut plan.heads)?
                }
                Stored::Nested(outer, inner) => {
                    let nested = plan.nested.get_mut(outer).ok_or_else(missing)?;
                    npy_header(nested, inner, &mut dtypes, limits, &mut plan.heads)?
                }
                Stored::Raw(entry) => {
                    archive.pay(entry, limits)?;
                    let size = archive.entry(entry)?.size;
                    spend(&mut limits.array_bytes, size, "size of arrays")?;
                    let size = usize::try_from(size)
                        .ok()
                        .filter(|&size| isize::try_from(size).is_ok());
                    Header::raw(size.ok_or_else(missing)?)
                }
                Stored::Memory => return Err(missing()),
            };
            if let Some(name) = flags.get(&plan.headers.len())
                && !(header.dtype.kind() == Kind::Bool && header.shape.is_empty())
            {
                let what = "the flag of a sparse array is not one bool";
                return Err(Error::malformed("skops", Location::entry(name), what));
            }
            plan.headers.push(header);
        }
        Ok(plan)
    }

    /// Reads and checks everything into memory of its own: [`TrustedGraph::plan`], then
    /// [`ArrayPlan::verify`].
    ///
    /// # Errors
    /// Those of the two.
    pub fn verify(
        self,
        archive: &mut Archive<'_>,
        limits: &mut Limits,
    ) -> Result<VerifiedGraph<Vec<u8>>, Error> {
        self.plan(archive, limits)?
            .verify_in_memory(archive, &Sequential)
    }
}

/// What `scipy.sparse.save_npz` writes (scipy 1.17, `sparse/_matrix_io.py`).
const PARTS: &[&str] = &[
    "_is_array",
    "col",
    "coords",
    "data",
    "format",
    "indices",
    "indptr",
    "offsets",
    "row",
    "shape",
];

pub(super) fn missing() -> Error {
    Error::malformed(
        "skops",
        Location::default(),
        "an array is not in the archive",
    )
}

/// The header of an npy entry; its bytes are put behind `heads`.
fn npy_header(
    archive: &mut Archive<'_>,
    entry: usize,
    dtypes: &mut Dtypes,
    limits: &mut Limits,
    heads: &mut Vec<u8>,
) -> Result<Header, Error> {
    archive.pay(entry, limits)?;
    let size = archive.entry(entry)?.size;
    // Nearly all headers are 128 bytes long.
    let (name, mut prefix) = archive.prefix(entry, 512)?;
    let header = match read_header_with(dtypes, &prefix, name) {
        Err(Error::Malformed { .. }) if prefix.len() == 512 => {
            let name;
            (name, prefix) = archive.prefix(entry, HEADER_LIMIT)?;
            read_header_with(dtypes, &prefix, name)?
        }
        other => other?,
    };
    let head = prefix.get(..header.data_offset).unwrap_or_default();
    heads.extend_from_slice(head);
    let whole = header.data_offset.checked_add(header.data_bytes);
    if whole.and_then(|whole| u64::try_from(whole).ok()) != Some(size) {
        let at = Location::entry(&archive.entry(entry)?.name);
        return Err(Error::malformed(
            "npy",
            at,
            "the data is shorter or longer than its shape",
        ));
    }
    spend(
        &mut limits.array_bytes,
        u64::try_from(header.data_bytes).unwrap_or(u64::MAX),
        "size of arrays",
    )?;
    Ok(header)
}

impl<'a> ArrayPlan<'a> {
    /// The graph; the bytes of its arrays are not read yet.
    pub fn graph(&self) -> &Graph {
        &self.graph
    }

    /// What each array needs, by [`ArrayId`].
    pub fn headers(&self) -> &[Header] {
        &self.headers
    }

    /// Whether an array is a run of raw bytes: `Some(true)` for a bytearray, `Some(false)` for bytes.
    pub fn raw_kind(&self, array: usize) -> Option<bool> {
        match self.stored.get(array) {
            Some(Stored::Raw(_)) => Some(self.bytearrays.contains(&array)),
            _ => None,
        }
    }

    /// Puts the parts of each npz in the place of its bytes.
    fn expand_sparse(
        &mut self,
        archive: &mut Archive<'a>,
        limits: &mut Limits,
    ) -> Result<(), Error> {
        let sparse: Vec<_> = self
            .graph
            .ids()
            .filter(|&id| matches!(self.graph.node(id), Node::Sparse(..)))
            .collect();
        for id in sparse {
            let Node::Sparse(class, items) = self.graph.node(id) else {
                continue;
            };
            let bytes = self
                .graph
                .items(items)
                .first()
                .and_then(|&bytes| self.graph.array_of(bytes));
            let Some(Stored::Raw(entry)) =
                bytes.and_then(|bytes| self.graph.stored().get(bytes.index()))
            else {
                return Err(missing());
            };
            let (entry, name) = (*entry, archive.entry(*entry)?.name.clone());
            archive.pay(entry, limits)?;
            let inner = inside(&name, open(archive.nested(entry)?, limits))?;
            let place = u32::try_from(self.graph.place(id)).unwrap_or(0);
            let ndarray = self.graph.global("numpy", "ndarray").ok_or_else(missing)?;
            let outer = self.nested.len();
            let mut parts = Vec::new();
            for (index, part) in inner.entries().iter().enumerate() {
                let Some(part) = part
                    .name
                    .strip_suffix(".npy")
                    .filter(|part| PARTS.contains(part))
                else {
                    let at = Location::entry(&format!("{name}/{}", part.name));
                    return Err(Error::malformed(
                        "skops",
                        at,
                        "an npz holds an entry that is no part of a sparse container",
                    ));
                };
                let array = match (parts.is_empty(), bytes) {
                    // The first part takes the place of the npz, so that no array is left over.
                    (true, Some(bytes)) => {
                        self.graph.restore(bytes, Stored::Nested(outer, index));
                        bytes
                    }
                    _ => self
                        .graph
                        .push_array(Stored::Nested(outer, index))
                        .ok_or_else(missing)?,
                };
                let text = self.graph.push_text(part).ok_or_else(missing)?;
                parts.push(
                    self.graph
                        .push(Node::Str(text), place)
                        .ok_or_else(missing)?,
                );
                parts.push(
                    self.graph
                        .push(Node::Array(ndarray, array), place)
                        .ok_or_else(missing)?,
                );
            }
            if parts.is_empty() {
                return Err(Error::malformed(
                    "skops",
                    Location::entry(&name),
                    "an npz holds no array",
                ));
            }
            let items = self.graph.link(&parts).ok_or_else(missing)?;
            self.graph.set(id, Node::Sparse(class, items));
            self.nested.push(inner);
        }
        Ok(())
    }

    /// [`ArrayPlan::verify`] with memory of its own for the bytes.
    ///
    /// # Errors
    /// Those of [`ArrayPlan::verify`].
    pub fn verify_in_memory(
        self,
        archive: &mut Archive<'_>,
        parallel: &dyn Parallel,
    ) -> Result<VerifiedGraph<Vec<u8>>, Error> {
        let sizes = self.headers.iter().map(|header| header.data_bytes);
        let buffers = sizes.map(|size| vec![0; size]).collect();
        self.verify(archive, buffers, parallel)
    }

    /// Reads the bytes of every array into `buffers` (one for each of [`ArrayPlan::headers`], of its
    /// `data_bytes`), checks their checksums, and verifies every value that native code relies on. Many
    /// megabytes are read on the threads of `parallel`.
    ///
    /// # Errors
    /// [`Error::Malformed`] for wrong checksums and broken compression, [`Error::Unverified`] for values.
    ///
    /// # Panics
    /// Never; buffers of other sizes give [`Error::Malformed`].
    pub fn verify<B: AsRef<[u8]> + AsMut<[u8]>>(
        mut self,
        archive: &mut Archive<'_>,
        mut buffers: Vec<B>,
        parallel: &dyn Parallel,
    ) -> Result<VerifiedGraph<B>, Error> {
        if buffers.len() != self.headers.len() {
            return Err(missing());
        }
        let mut heads = self.heads.as_slice();
        let nodes_of_trees = verify::node_arrays(&self.graph);
        let mut jobs = Vec::with_capacity(buffers.len());
        let planned = self.stored.iter().zip(&self.headers);
        for (index, ((stored, header), buffer)) in planned.zip(&mut buffers).enumerate() {
            let (head, rest) = heads
                .split_at_checked(header.data_offset)
                .ok_or_else(missing)?;
            heads = rest;
            let out = buffer.as_mut();
            if out.len() != header.data_bytes {
                return Err(missing());
            }
            jobs.push(Job {
                stored: *stored,
                header,
                head,
                out,
                n_features: nodes_of_trees.get(&index).copied(),
            });
        }
        let walked = fill(archive, &mut self.nested, jobs, parallel)?;
        let bytes: Vec<&[u8]> = buffers.iter().map(AsRef::as_ref).collect();
        verify::verify(
            &self.graph,
            Arrays {
                headers: &self.headers,
                bytes: &bytes,
                walked: &walked,
                work: &Work::default(),
            },
        )?;
        Ok(VerifiedGraph {
            graph: self.graph,
            headers: self.headers,
            buffers,
        })
    }
}

/// Names the npz in an error of an archive inside it.
fn inside<T>(name: &str, result: Result<T, Error>) -> Result<T, Error> {
    let within = |at: Location| Location {
        entry: if at.entry.is_empty() {
            name.to_owned()
        } else {
            format!("{name}/{}", at.entry)
        },
        offset: at.offset,
        line: at.line,
    };
    result.map_err(|error| match error {
        Error::Malformed { format, at, what } => Error::Malformed {
            format,
            at: within(at),
            what,
        },
        Error::Unsupported { at, what, name } => Error::Unsupported {
            at: within(at),
            what,
            name,
        },
        other => other,
    })
}

impl<B: AsRef<[u8]>> VerifiedGraph<B> {
    /// Verifies every object of `class` by the rules of another class, `name`: for a class that the
    /// library knows by two names, or that derives from one with rules.
    ///
    /// # Errors
    /// [`Error::Unverified`] where a value breaks a rule.
    pub fn verify_as(&self, class: GlobalId, name: &str) -> Result<(), Error> {
        let bytes: Vec<&[u8]> = self.buffers.iter().map(AsRef::as_ref).collect();
        let arrays = Arrays {
            headers: &self.headers,
            bytes: &bytes,
            walked: &[],
            work: &Work::default(),
        };
        verify::verify_as(&self.graph, arrays, class, name)
    }
}

impl<B> VerifiedGraph<B> {
    /// The graph.
    pub fn graph(&self) -> &Graph {
        &self.graph
    }

    /// The header of an array.
    pub fn header(&self, array: ArrayId) -> Option<&Header> {
        self.headers.get(array.index())
    }

    /// The bytes of an array.
    pub fn buffer(&self, array: ArrayId) -> Option<&B> {
        self.buffers.get(array.index())
    }

    /// The graph, the headers and the bytes of its arrays.
    pub fn into_parts(self) -> (Graph, Vec<Header>, Vec<B>) {
        (self.graph, self.headers, self.buffers)
    }
}

impl<'a> Archive<'a> {
    /// The bytes of an entry as a source of their own; its checksum is checked here.
    fn nested(&mut self, index: usize) -> Result<Source<'a>, Error> {
        if let Some(source) = self.sub_source(index)? {
            self.check(index)?;
            return Ok(source);
        }
        let size = self.entry(index)?.size;
        self.read(index, size, "size of an npz").map(Source::Owned)
    }
}
