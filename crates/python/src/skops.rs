//! `nopickle.skops`: the line between Python objects and skops files.

use std::collections::BTreeSet;
use std::fs::File;
use std::path::PathBuf;

use nopickle_formats::archive::{self, Archive, Compression, FileSink, Sink, Source};
use nopickle_formats::skops::{self, ArrayData, ArrayPlan, VerifiedGraph};
use nopickle_formats::{
    Error, Graph, Limits, Node, NodeId, Policy, Refused, Role, Untrusted, bytes_label,
};
use nopickle_gate::{Content, Threads};
use pyo3::exceptions::{PyMemoryError, PyValueError};
use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyType};

use crate::capture::{Capture, module_and_name};
use crate::errors::{raise, raise_gate};
use crate::materialize::{Materializer, OwnModules, import};
use crate::memory::{Allocator, Memory};
use crate::policy::{PolicyArgument, effective};

/// Where a model comes from: a path, bytes, or a file that is open.
#[derive(FromPyObject)]
pub(crate) enum Input<'py> {
    Bytes(Bound<'py, PyBytes>),
    Descriptor(i32),
    Path(PathBuf),
}

impl<'py> Input<'py> {
    /// The name of the file, where a path gives one.
    fn name(&self) -> Option<String> {
        match self {
            Self::Path(path) => Some(path.file_name()?.to_string_lossy().into_owned()),
            Self::Bytes(_) | Self::Descriptor(_) => None,
        }
    }

    pub(crate) fn source(&self, py: Python<'py>) -> PyResult<Source<'_>> {
        Ok(match self {
            Self::Bytes(bytes) => Source::Bytes(bytes.as_bytes()),
            Self::Path(path) => {
                let file = File::open(path).and_then(|file| {
                    let kind = file.metadata()?;
                    if kind.is_dir() {
                        return Err(std::io::Error::from_raw_os_error(EISDIR));
                    }
                    Ok(file)
                });
                Source::File(file.map_err(|error| with_path(py, error, path))?)
            }
            Self::Descriptor(descriptor) => Source::File(duplicate(*descriptor)?),
        })
    }
}

/// The number of "is a directory" on the systems that wheels are built for.
const EISDIR: i32 = 21;

/// A file of our own for a descriptor that Python has open.
#[expect(
    unsafe_code,
    reason = "a descriptor of Python's is borrowed to be duplicated"
)]
fn duplicate(descriptor: i32) -> std::io::Result<File> {
    use std::os::fd::BorrowedFd;
    // SAFETY: Python holds the file open during the call that passes its descriptor.
    let borrowed = unsafe { BorrowedFd::borrow_raw(descriptor) };
    Ok(File::from(borrowed.try_clone_to_owned()?))
}

fn policy(trusted: Vec<String>) -> Policy {
    let mut policy = Policy::default();
    for name in &trusted {
        policy.trust(name);
    }
    policy
}

/// The object in a skops file.
#[pyfunction]
#[pyo3(signature = (input, trusted, policy = None))]
pub(crate) fn skops_load<'py>(
    py: Python<'py>,
    input: Input<'py>,
    trusted: Vec<String>,
    policy: Option<PolicyArgument<'py>>,
) -> PyResult<Bound<'py, PyAny>> {
    let policy = effective(py, policy, trusted)?;
    let name = input.name();
    let source = input.source(py)?;
    let opened = py.detach(|| nopickle_gate::open_skops(source, name.as_deref(), policy));
    let opened = opened.map_err(|error| raise_gate(py, error, "trusted"))?;
    let names = opened.policy.to_names();
    match opened.content {
        Content::Skops(skops) => build(py, *skops, &names, &OwnModules::default()),
        Content::Booster(_) | Content::Bytes(_) | Content::Pickle(_) => {
            Err(PyValueError::new_err("not a skops file"))
        }
    }
}

/// The object of a file whose names were decided: its values are verified here.
pub(crate) fn build<'py>(
    py: Python<'py>,
    (mut archive, plan): (Archive<'_>, ArrayPlan<'_>),
    policy: &Policy,
    own: &OwnModules,
) -> PyResult<Bound<'py, PyAny>> {
    let mut allocator = Allocator::new(py);
    let transient = transient(plan.graph());
    let middle = plan.headers().iter().enumerate().filter(|(index, header)| {
        !transient[*index]
            && plan.raw_kind(*index).is_none()
            && Allocator::is_middle(header.data_bytes)
    });
    allocator.expect(
        middle
            .map(|(_, header)| header.data_bytes.next_multiple_of(64))
            .sum(),
    );
    let mut memory: Vec<Memory> = Vec::with_capacity(plan.headers().len());
    for (index, header) in plan.headers().iter().enumerate() {
        memory.push(match plan.raw_kind(index) {
            None => allocator.array(header, !transient[index])?,
            Some(false) => allocator.bytes(header.data_bytes)?,
            Some(true) => allocator.bytearray(header.data_bytes)?,
        });
    }
    let verified = py
        .detach(|| plan.verify(&mut archive, memory, &Threads))
        .map_err(|error| raise(py, error))?;
    verify_added(py, &verified, policy, own)?;
    let (graph, headers, memory) = verified.into_parts();
    Materializer::new(py, &graph, &headers, memory, own).run()
}

/// Which arrays are handed to a constructor or to the state of a constructed object, which copy them.
fn transient(graph: &Graph) -> Vec<bool> {
    let mut transient = vec![false; graph.array_count()];
    for id in graph.ids() {
        if !matches!(graph.node(id), Node::Construct(..)) {
            continue;
        }
        let below = graph
            .children(id)
            .iter()
            .flat_map(|&part| graph.children(part));
        for array in below.filter_map(|&part| graph.array_of(part)) {
            transient[array.index()] = true;
        }
    }
    transient
}

/// Verifies objects of classes that the caller added by the rules of the classes that they derive
/// from, or that they are by another name: only Python knows these, once they are imported.
fn verify_added(
    py: Python<'_>,
    verified: &VerifiedGraph<Memory>,
    policy: &Policy,
    own: &OwnModules,
) -> PyResult<()> {
    let graph = verified.graph();
    // Few names stand behind many references: each is asked about once per role.
    let mut asked = vec![[false; 3]; graph.global_count()];
    let mut seen = vec![false; graph.global_count()];
    for reference in graph.references() {
        let (class, name) = (reference.global, graph.name(reference.global));
        let role = match reference.role {
            Role::Value => 0,
            Role::Instance => 1,
            Role::Call => 2,
        };
        if seen[class.index()] || std::mem::replace(&mut asked[class.index()][role], true) {
            continue;
        }
        let requested = match policy.reason(name, reference.role) {
            Some("added") if reference.role != Role::Value => false,
            Some("requested") => true,
            _ => continue,
        };
        seen[class.index()] = true;
        let object = import(py, graph, class, own)?;
        let Ok(object) = object.cast_into::<PyType>() else {
            if requested {
                return Err(not_granted(py, graph, name, reference.node));
            }
            continue;
        };
        if requested {
            // Reached by another name, it may be a class that no request can name.
            let (module, class_name) = module_and_name(&object)?;
            let mut own_policy = Policy::default();
            if !own_policy.request(&format!("{module}.{class_name}")) {
                return Err(not_granted(py, graph, name, reference.node));
            }
        }
        for base in object.mro() {
            let Ok(base) = base.cast_into::<PyType>() else {
                continue;
            };
            let (module, base_name) = module_and_name(&base)?;
            let base_name = format!("{module}.{base_name}");
            if base_name != name {
                verified
                    .verify_as(class, &base_name)
                    .map_err(|error| raise(py, error))?;
            }
        }
    }
    Ok(())
}

/// The refusal of a name that the model asks for and that is not a class of its own package.
fn not_granted(py: Python<'_>, graph: &Graph, name: &str, node: NodeId) -> PyErr {
    let refused = Refused {
        name: name.to_owned(),
        offset: graph.place(node),
    };
    let untrusted = Untrusted {
        entry: graph.entry().to_owned(),
        names: vec![refused],
    };
    raise(py, Error::Untrusted(untrusted))
}

/// All names of code in a graph, and those that stock skops has to be told to trust; both sorted.
fn names(graph: &Graph) -> (Vec<String>, Vec<String>) {
    let all: BTreeSet<&str> = graph
        .references()
        .iter()
        .map(|reference| graph.name(reference.global))
        .collect();
    let owned = |name: &str| name.to_owned();
    (
        all.into_iter().map(owned).collect(),
        skops::stock_untrusted(graph)
            .into_iter()
            .map(owned)
            .collect(),
    )
}

/// All names of code in a skops file, and those that stock skops has to be told to trust.
#[pyfunction]
pub(crate) fn skops_names<'py>(
    py: Python<'py>,
    input: Input<'py>,
) -> PyResult<(Vec<String>, Vec<String>)> {
    let source = input.source(py)?;
    py.detach(|| {
        let mut limits = Limits::default();
        let mut archive = archive::open(source, &mut limits)?;
        Ok(names(&skops::read(&mut archive, &mut limits)?))
    })
    .map_err(|error| raise(py, error))
}

/// Decides on the names in a skops file and verifies its values, without the objects. A file whose
/// arrays are larger than `verify_up_to` bytes in all is decided on by its names only.
///
/// Gives what [`skops_names`] gives.
#[pyfunction]
pub(crate) fn skops_check<'py>(
    py: Python<'py>,
    input: Input<'py>,
    trusted: Vec<String>,
    verify_up_to: usize,
) -> PyResult<(Vec<String>, Vec<String>)> {
    let policy = policy(trusted);
    let source = input.source(py)?;
    py.detach(|| {
        let mut limits = Limits::default();
        let mut archive = archive::open(source, &mut limits)?;
        let graph = skops::read(&mut archive, &mut limits)?;
        let names = names(&graph);
        let plan = graph.trust(&policy)?.plan(&mut archive, &mut limits)?;
        let sizes = plan.headers().iter().map(|header| header.data_bytes);
        if sizes.fold(0, usize::saturating_add) <= verify_up_to {
            plan.verify_in_memory(&mut archive, &Threads)?;
        }
        Ok(names)
    })
    .map_err(|error| raise(py, error))
}

/// The names in a skops file that neither the default list nor the policy grants, sorted.
#[pyfunction]
#[pyo3(signature = (input, policy = None))]
pub(crate) fn skops_untrusted<'py>(
    py: Python<'py>,
    input: Input<'py>,
    policy: Option<PolicyArgument<'py>>,
) -> PyResult<Vec<String>> {
    let policy = effective(py, policy, Vec::new())?;
    let source = input.source(py)?;
    py.detach(|| {
        let mut limits = policy.limits().clone();
        let mut archive = archive::open(source, &mut limits)?;
        let graph = skops::read(&mut archive, &mut limits)?;
        let names = graph.untrusted(&policy.to_names());
        Ok(names.into_iter().map(|refused| refused.name).collect())
    })
    .map_err(|error| raise(py, error))
}

/// One row of the picture of a skops file: level, key, label, whether the object's own names are
/// trusted, whether those below it are too, and whether it is the last below its holder.
type PictureRow = (usize, String, String, bool, bool, bool);

/// The rows of the picture of a skops file.
#[pyfunction]
pub(crate) fn skops_rows<'py>(
    py: Python<'py>,
    input: Input<'py>,
    trusted: Vec<String>,
) -> PyResult<Vec<PictureRow>> {
    let policy = policy(trusted);
    let source = input.source(py)?;
    py.detach(|| {
        let mut limits = Limits::default();
        let mut archive = archive::open(source, &mut limits)?;
        let graph = skops::read(&mut archive, &mut limits)?;
        let mut rows = Vec::new();
        // A shared object is shown each time that it stands somewhere, as skops does; a file can't make
        // that grow without bound.
        for row in graph
            .outline(|name, role| policy.grants(name, role))
            .repeats(5_000)
        {
            let label = match skops::look_bytes(&graph, row.node, &mut archive, &mut limits)? {
                Some(bytes) => {
                    bytes_label(&bytes, matches!(graph.node(row.node), Node::ByteArray(_)))
                }
                None => row.label().into_owned(),
            };
            rows.push((
                row.level,
                row.key().into_owned(),
                label,
                row.self_trusted,
                row.trusted,
                row.last,
            ));
        }
        Ok(rows)
    })
    .map_err(|error| raise(py, error))
}

/// `zipfile`'s numbers for compression.
fn compression(method: i64, level: Option<i64>) -> PyResult<Compression> {
    let within = |least: i64| match level {
        None | Some(-1) => Ok(None),
        Some(level) if (least..=9).contains(&level) => Ok(u32::try_from(level).ok()),
        Some(other) => Err(PyValueError::new_err(format!(
            "compresslevel {other} is not one of {least} to 9"
        ))),
    };
    match method {
        0 => Ok(Compression::Stored),
        8 => within(0).map(Compression::Deflate),
        12 => within(1).map(Compression::Bzip2),
        14 => Ok(Compression::Lzma),
        other => Err(PyValueError::new_err(format!(
            "compression {other} is not one of zipfile's ZIP_STORED, ZIP_DEFLATED, ZIP_BZIP2 and ZIP_LZMA"
        ))),
    }
}

fn captured<'py>(py: Python<'py>, object: &Bound<'py, PyAny>) -> PyResult<Capture<'py>> {
    let mut capture = Capture::new(py)?;
    capture.run(object)?;
    Ok(capture)
}

/// Writes an object to a path: to a temporary file first, which is then renamed.
#[pyfunction]
pub(crate) fn skops_dump<'py>(
    py: Python<'py>,
    object: &Bound<'py, PyAny>,
    path: PathBuf,
    method: i64,
    level: Option<i64>,
) -> PyResult<()> {
    let compression = compression(method, level)?;
    let capture = captured(py, object)?;
    let (graph, arrays, descrs) = (&capture.graph, &capture.arrays, &capture.descrs);
    let result = py.detach(|| {
        let prepared = skops::prepare(graph)?;
        let data = array_data(arrays, descrs);
        let mut sink = FileSink::create(&path)?;
        if compression == Compression::Stored {
            sink.reserve(prepared.size_bound(&data))?;
        }
        prepared.write(&data, compression, &mut sink)?;
        sink.commit()
    });
    result.map_err(|error| with_path(py, error, &path))
}

/// An `OSError` that names the file, as Python's own do.
fn with_path(py: Python<'_>, error: std::io::Error, path: &std::path::Path) -> PyErr {
    match error.raw_os_error() {
        Some(code) => {
            let make = || -> PyResult<PyErr> {
                let text = py.import("os")?.getattr("strerror")?.call1((code,))?;
                let error = py
                    .get_type::<pyo3::exceptions::PyOSError>()
                    .call1((code, text, path))?;
                Ok(PyErr::from_value(error))
            };
            make().unwrap_or_else(|error| error)
        }
        None => PyErr::from(error),
    }
}

fn array_data<'c>(
    arrays: &'c [crate::capture::Captured],
    descrs: &'c [String],
) -> Vec<ArrayData<'c>> {
    arrays
        .iter()
        .map(|array| ArrayData {
            descr: &descrs[array.descr],
            shape: &array.shape,
            fortran: array.fortran,
            bytes: array.bytes(),
        })
        .collect()
}

/// Writes into memory that is large enough.
struct SliceSink<'m> {
    memory: &'m mut [u8],
    length: usize,
}

impl Sink<'_> for SliceSink<'_> {
    fn append(&mut self, bytes: &[u8]) -> std::io::Result<()> {
        let end = self.length + bytes.len();
        self.memory
            .get_mut(self.length..end)
            .ok_or(std::io::ErrorKind::WriteZero)?
            .copy_from_slice(bytes);
        self.length = end;
        Ok(())
    }

    fn patch(&mut self, offset: u64, bytes: &[u8]) -> std::io::Result<()> {
        let start = usize::try_from(offset).unwrap_or(usize::MAX);
        self.memory
            .get_mut(start..)
            .and_then(|rest| rest.get_mut(..bytes.len()))
            .ok_or(std::io::ErrorKind::InvalidInput)?
            .copy_from_slice(bytes);
        Ok(())
    }
}

#[expect(
    unsafe_code,
    reason = "part of the stable ABI (bytesobject.h) that pyo3-ffi leaves out"
)]
unsafe extern "C" {
    fn _PyBytes_Resize(object: *mut *mut ffi::PyObject, size: ffi::Py_ssize_t) -> std::ffi::c_int;
}

/// The bytes of a skops file of an object.
#[pyfunction]
#[expect(
    unsafe_code,
    reason = "a bytes object is made larger than needed, filled and shortened"
)]
pub(crate) fn skops_dumps<'py>(
    py: Python<'py>,
    object: &Bound<'py, PyAny>,
    method: i64,
    level: Option<i64>,
) -> PyResult<Bound<'py, PyAny>> {
    let compression = compression(method, level)?;
    let capture = captured(py, object)?;
    let (graph, arrays, descrs) = (&capture.graph, &capture.arrays, &capture.descrs);
    let data = array_data(arrays, descrs);
    let prepared = py.detach(|| skops::prepare(graph))?;
    if compression != Compression::Stored {
        let bytes = py.detach(|| {
            let mut bytes = Vec::new();
            prepared
                .write(&data, compression, &mut bytes)
                .map(|()| bytes)
        })?;
        return Ok(PyBytes::new(py, &bytes).into_any());
    }
    let mut memory = Allocator::new(py).bytes(prepared.size_bound(&data))?;
    let length = py.detach(|| {
        let mut sink = SliceSink {
            memory: memory.as_mut(),
            length: 0,
        };
        prepared
            .write(&data, compression, &mut sink)
            .map(|()| sink.length)
    })?;
    let size =
        ffi::Py_ssize_t::try_from(length).map_err(|_| PyMemoryError::new_err("bytes too large"))?;
    let mut pointer = memory.into_object(py).into_ptr();
    // SAFETY: the object is new, so this is the only reference to it; on failure the call frees it and
    // sets the pointer to null.
    unsafe {
        _PyBytes_Resize(&raw mut pointer, size);
        Bound::from_owned_ptr_or_err(py, pointer)
    }
}
