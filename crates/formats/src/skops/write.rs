//! Writes a graph as a skops file: the same graph, the same bytes.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::io;

use super::read::{PROTOCOL, REFERENCE, SCALAR, SCHEMA};
use crate::archive::{Compression, Pieces, Sink, ZipWriter};
use crate::graph::{ArrayId, GlobalId, Graph, Items, Node, NodeId};
use crate::npy::write_header;

/// The bytes of one array on its way to a file.
#[derive(Debug, Clone)]
pub struct ArrayData<'a> {
    /// The Python literal of the dtype, as `numpy.lib.format.dtype_to_descr` gives it; empty for raw
    /// bytes, which take no npy header.
    pub descr: &'a str,
    /// The length of each dimension.
    pub shape: &'a [usize],
    /// Whether the first index varies fastest.
    pub fortran: bool,
    /// All elements, in that order.
    pub bytes: &'a [u8],
}

/// The skops release whose format this is.
const VERSION: &str = "0.16.0";

/// A graph whose JSON is written, and whose arrays are still to come.
pub struct Prepared<'g> {
    graph: &'g Graph,
    json: Json,
    files: Vec<File>,
}

/// Writes the JSON of a graph as skops protocol 2. Ids count from 1, and entries are numbered in the
/// order in which the graph reaches them: equal graphs give equal bytes.
///
/// # Errors
/// [`io::ErrorKind::InvalidInput`] for a graph without a root or with a node that skops has no form for.
pub fn prepare(graph: &Graph) -> io::Result<Prepared<'_>> {
    let mut writer = Writer::new(graph);
    writer.all()?;
    let Writer { json, files, .. } = writer;
    Ok(Prepared { graph, json, files })
}

impl Prepared<'_> {
    /// No more bytes than this will be written without compression.
    pub fn size_bound(&self, arrays: &[ArrayData<'_>]) -> usize {
        let text = self
            .json
            .full
            .iter()
            .fold(self.json.last.len(), |all, piece| {
                all.saturating_add(piece.len())
            });
        let data = arrays.iter().fold(text, |all, array| {
            // npy header, local header with padding, directory record; twice for the parts of an npz.
            let around = array
                .descr
                .len()
                .saturating_add(array.shape.len().saturating_mul(21))
                .saturating_add(640);
            all.saturating_add(array.bytes.len()).saturating_add(around)
        });
        data.saturating_add(self.files.len().saturating_mul(512))
            .saturating_add(1024)
    }

    /// Writes the file: arrays first, `schema.json` last.
    ///
    /// `arrays` holds the bytes of the graph's arrays by [`ArrayId`].
    ///
    /// # Errors
    /// What the sink says; [`io::ErrorKind::InvalidInput`] where an array is missing.
    pub fn write<'d>(
        &self,
        arrays: &[ArrayData<'d>],
        compression: Compression,
        sink: &mut impl Sink<'d>,
    ) -> io::Result<()> {
        let data = |id: ArrayId| arrays.get(id.index()).ok_or(io::ErrorKind::InvalidInput);
        let mut zip = ZipWriter::new(sink, compression);
        let mut header = Vec::new();
        for (number, file) in (1_usize..).zip(&self.files) {
            header.clear();
            match *file {
                File::Array(id) => {
                    let array = data(id)?;
                    let ending = if array.descr.is_empty() { "bin" } else { "npy" };
                    if !array.descr.is_empty() {
                        write_header(&mut header, array.descr, array.fortran, array.shape);
                    }
                    zip.entry(&format!("{number}.{ending}"), &header, &[array.bytes])?;
                }
                File::Npz(parts) => {
                    let mut pieces = Pieces::default();
                    let mut npz = ZipWriter::new(&mut pieces, Compression::Stored);
                    for pair in self.graph.items(parts).chunks_exact(2) {
                        let [name, value] = pair else { continue };
                        let (Node::Str(name), Some(id)) =
                            (self.graph.node(*name), self.graph.array_of(*value))
                        else {
                            return Err(io::ErrorKind::InvalidInput.into());
                        };
                        let array = data(id)?;
                        header.clear();
                        write_header(&mut header, array.descr, array.fortran, array.shape);
                        npz.entry(
                            &format!("{}.npy", self.graph.text(name)),
                            &header,
                            &[array.bytes],
                        )?;
                    }
                    npz.finish()?;
                    zip.assembled(&format!("{number}.npz"), &pieces)?;
                }
            }
        }
        zip.chunks(SCHEMA, &self.json.full, &self.json.last)?;
        zip.finish()
    }
}

/// Writes a graph as a skops file: [`prepare`], then [`Prepared::write`].
///
/// # Errors
/// Those of the two.
pub fn write<'d>(
    graph: &Graph,
    arrays: &[ArrayData<'d>],
    compression: Compression,
    sink: &mut impl Sink<'d>,
) -> io::Result<()> {
    prepare(graph)?.write(arrays, compression, sink)
}

/// What an entry beside `schema.json` holds.
enum File {
    Array(ArrayId),
    Npz(Items),
}

/// JSON text in pieces, so that it is never moved while it grows.
#[derive(Default)]
struct Json {
    full: Vec<Vec<u8>>,
    last: Vec<u8>,
}

/// Bytes of one piece of JSON.
const PIECE: usize = 1 << 20;
/// Bytes of a text that is not copied into a piece.
const LONG: usize = 1 << 16;

impl Json {
    fn raw(&mut self, bytes: &[u8]) {
        if self.last.len().saturating_add(bytes.len()) > PIECE {
            let piece =
                std::mem::replace(&mut self.last, Vec::with_capacity(PIECE.max(bytes.len())));
            self.full.push(piece);
        }
        self.last.extend_from_slice(bytes);
    }

    /// Adds bytes as a piece of their own where they are long, and empties them.
    fn take(&mut self, bytes: &mut Vec<u8>) {
        if bytes.len() < LONG {
            self.raw(bytes);
            bytes.clear();
        } else {
            self.full.push(std::mem::take(&mut self.last));
            self.full.push(std::mem::take(bytes));
        }
    }

    fn push(&mut self, text: &str) {
        self.raw(text.as_bytes());
    }

    fn number(&mut self, number: u32) {
        // Decimal digits, least significant last.
        let mut digits = [0_u8; 10];
        let mut start = digits.len();
        let mut rest = number;
        loop {
            start = start.saturating_sub(1);
            if let Some(digit) = digits.get_mut(start) {
                *digit = b'0'.saturating_add(u8::try_from(rest % 10).unwrap_or(0));
            }
            rest /= 10;
            if rest == 0 {
                break;
            }
        }
        self.raw(digits.get(start..).unwrap_or_default());
    }
}

/// How many bytes stand before the first that is escaped, or may be.
fn plain_run(text: &[u8]) -> usize {
    let special = |byte: u8| matches!(byte, b'"' | b'\\' | 0..0x20 | 0xED);
    // Whole blocks without one of these first, which the compiler looks at with a few wide instructions: flags of one byte
    // each, as a fold of `bool` is compared byte by byte.
    let flag = |byte: u8| {
        u8::from(byte == b'"')
            | u8::from(byte == b'\\')
            | u8::from(byte < b' ')
            | u8::from(byte == 0xED)
    };
    let blocks = text.as_chunks::<32>().0.iter();
    let plain = blocks
        .take_while(|block| block.iter().fold(0, |found, &byte| found | flag(byte)) == 0)
        .count()
        .saturating_mul(32);
    let tail = text.get(plain..).unwrap_or_default();
    plain.saturating_add(
        tail.iter()
            .position(|&byte| special(byte))
            .unwrap_or(tail.len()),
    )
}

/// Appends text (WTF-8) as the inside of a JSON string that stands inside a JSON string: what [`escape`]
/// gives twice.
fn escape_twice(out: &mut Vec<u8>, bytes: &[u8]) {
    let mut rest = bytes;
    while !rest.is_empty() {
        let (head, tail) = rest
            .split_at_checked(plain_run(rest))
            .unwrap_or((rest, &[]));
        out.extend_from_slice(head);
        rest = match tail {
            [] => return,
            [b'\n', after @ ..] => {
                out.extend_from_slice(b"\\\\n");
                after
            }
            [b'"', after @ ..] => {
                out.extend_from_slice(b"\\\\\\\"");
                after
            }
            _ => {
                // A surrogate has three bytes; others are escaped, or not, one by one.
                let length = match tail {
                    [0xED, 0xA0..=0xBF, _, ..] => 3,
                    _ => 1,
                };
                let (letter, after) = tail.split_at_checked(length).unwrap_or((tail, &[]));
                let mut once = Vec::new();
                escape(&mut once, letter);
                escape(out, &once);
                after
            }
        };
    }
}

/// Appends text (WTF-8) as the inside of a JSON string.
fn escape(out: &mut Vec<u8>, bytes: &[u8]) {
    let mut rest = bytes;
    while !rest.is_empty() {
        let plain = plain_run(rest);
        let (head, tail) = rest.split_at_checked(plain).unwrap_or((rest, &[]));
        out.extend_from_slice(head);
        let Some((&byte, mut after)) = tail.split_first() else {
            return;
        };
        match byte {
            b'"' => out.extend_from_slice(b"\\\""),
            b'\\' => out.extend_from_slice(b"\\\\"),
            b'\n' => out.extend_from_slice(b"\\n"),
            b'\r' => out.extend_from_slice(b"\\r"),
            b'\t' => out.extend_from_slice(b"\\t"),
            0xED => match after {
                // A surrogate: UTF-8 has no form for it.
                [second @ 0xA0..=0xBF, third, more @ ..] => {
                    let code = 0xD000 | (u16::from(*second & 0x3F) << 6) | u16::from(*third & 0x3F);
                    out.extend_from_slice(format!("\\u{code:04x}").as_bytes());
                    after = more;
                }
                _ => out.push(byte),
            },
            control => out.extend_from_slice(format!("\\u{control:04x}").as_bytes()),
        }
        rest = after;
    }
}

/// What is left to write, innermost last.
enum Task {
    Node(NodeId),
    /// A node to which nothing may refer: skops reads the state of an object before the arguments of its
    /// constructor, whichever stands first.
    Bare(NodeId),
    Text(&'static str),
    /// Nodes of a list from an index on.
    Items(Items, usize),
    /// Pairs of a dict from an index on.
    Pairs(Items, usize),
    /// Nested lists of an object array: the dimension, then items from an index on.
    Grid {
        items: Items,
        lengths: Vec<usize>,
        start: usize,
    },
}

struct Writer<'g> {
    graph: &'g Graph,
    json: Json,
    /// Whether more than one place refers to a node.
    shared: Vec<bool>,
    ids: Vec<u32>,
    last_id: u32,
    /// How many keys the largest dict of text has, and the id of the list of their types: readers take
    /// as many of it as a dict has keys, so one list does for all.
    text_keys: usize,
    text_types: Option<u32>,
    /// The ids of classes of keys.
    key_classes: HashMap<(&'g str, &'g str), u32>,
    tasks: Vec<Task>,
    files: Vec<File>,
    file_of: HashMap<ArrayId, usize>,
    scratch: Vec<u8>,
}

const BUILTIN: &str = "\",\"__module__\":\"builtins\",\"__loader__\":\"";

impl<'g> Writer<'g> {
    fn new(graph: &'g Graph) -> Self {
        let mut shared = vec![false; graph.len()];
        let mut seen = vec![false; graph.len()];
        for id in graph.root().into_iter().chain(
            graph
                .ids()
                .flat_map(|id| graph.children(id).iter().copied()),
        ) {
            if let (Some(seen), Some(shared)) =
                (seen.get_mut(id.index()), shared.get_mut(id.index()))
            {
                *shared |= *seen;
                *seen = true;
            }
        }
        let text_keys = graph
            .ids()
            .filter_map(|id| match graph.node(id) {
                Node::Dict(_, items) if is_text_dict(graph, items) => Some(items.len() / 2),
                _ => None,
            })
            .max();
        Self {
            graph,
            json: Json::default(),
            shared,
            ids: vec![0; graph.len()],
            last_id: 0,
            text_keys: text_keys.unwrap_or(0),
            text_types: None,
            key_classes: HashMap::new(),
            tasks: Vec::new(),
            files: Vec::new(),
            file_of: HashMap::new(),
            scratch: Vec::new(),
        }
    }

    fn all(&mut self) -> io::Result<()> {
        let root = self.graph.root().ok_or(io::ErrorKind::InvalidInput)?;
        let head = format!("{{\"protocol\":{PROTOCOL},\"_skops_version\":\"{VERSION}\",");
        self.json.push(&head);
        self.fields(root)?;
        while let Some(task) = self.tasks.pop() {
            match task {
                Task::Text(text) => self.json.push(text),
                Task::Bare(id) => {
                    self.json.push("{");
                    match self.ids.get(id.index()) {
                        Some(0) if self.is_scalar(id) => self.value(id)?,
                        _ => self.fields(id)?,
                    }
                }
                Task::Node(id) => {
                    self.json.push("{");
                    self.fields(id)?;
                }
                Task::Items(items, index) => {
                    let Some(&id) = self.graph.items(items).get(index) else {
                        continue;
                    };
                    self.json.push(if index == 0 { "{" } else { ",{" });
                    self.tasks.push(Task::Items(items, index.saturating_add(1)));
                    self.fields(id)?;
                }
                Task::Pairs(items, index) => self.pair(items, index)?,
                Task::Grid {
                    items,
                    lengths,
                    start,
                } => self.grid(items, &lengths, start),
            }
        }
        Ok(())
    }

    fn next_id(&mut self) -> u32 {
        self.last_id = self.last_id.saturating_add(1);
        self.last_id
    }

    /// `"__id__":n,` for a node that others refer to.
    fn id_field(&mut self, id: u32) {
        self.json.push("\"__id__\":");
        self.json.number(id);
        self.json.push(",");
    }

    fn reference(&mut self, id: u32) {
        self.json.push(REFERENCE);
        self.json.number(id);
        self.json.push("}");
    }

    /// `"__class__":…,"__module__":…,"__loader__":…` and no comma.
    fn class_fields(&mut self, class: GlobalId, loader: &str) {
        let (module, name) = self.graph.global_parts(class);
        self.names(module, name, loader);
    }

    fn names(&mut self, module: &str, name: &str, loader: &str) {
        let mut out = std::mem::take(&mut self.scratch);
        out.clear();
        out.extend_from_slice(b"\"__class__\":\"");
        escape(&mut out, name.as_bytes());
        out.extend_from_slice(b"\",\"__module__\":\"");
        escape(&mut out, module.as_bytes());
        out.extend_from_slice(b"\",\"__loader__\":\"");
        out.extend_from_slice(loader.as_bytes());
        out.push(b'"');
        self.json.raw(&out);
        self.scratch = out;
    }

    /// A `JsonNode` whose value is the JSON text `inner`.
    fn scalar(&mut self, inner: &[u8]) {
        self.json.push(SCALAR);
        let mut out = std::mem::take(&mut self.scratch);
        out.clear();
        out.push(b'"');
        escape(&mut out, inner);
        out.extend_from_slice(b"\"}");
        self.json.raw(&out);
        self.scratch = out;
    }

    fn text_scalar(&mut self, bytes: &[u8]) {
        self.json.push(SCALAR);
        let mut out = std::mem::take(&mut self.scratch);
        out.clear();
        if bytes.len() >= LONG {
            // Lines of more than 16 letters: what else is longer grows.
            out.reserve(bytes.len().saturating_add(bytes.len() >> 3));
        }
        out.extend_from_slice(b"\"\\\"");
        escape_twice(&mut out, bytes);
        out.extend_from_slice(b"\\\"\"}");
        self.json.take(&mut out);
        self.scratch = out;
    }

    /// The name of the entry that holds an array; each array is written once.
    fn file(&mut self, id: ArrayId, ending: &str) {
        let number = *self.file_of.entry(id).or_insert_with(|| {
            self.files.push(File::Array(id));
            self.files.len()
        });
        self.json.push(",\"file\":\"");
        self.json.number(u32::try_from(number).unwrap_or(u32::MAX));
        self.json.push(ending);
    }

    fn then(&mut self, tasks: impl IntoIterator<Item = Task, IntoIter: DoubleEndedIterator>) {
        self.tasks.extend(tasks.into_iter().rev());
    }

    fn child(&self, items: Items, index: usize) -> io::Result<NodeId> {
        let child = self.graph.items(items).get(index).copied();
        child.ok_or_else(|| io::ErrorKind::InvalidInput.into())
    }

    /// Writes a node's fields and its closing bracket; what stands inside becomes tasks.
    fn fields(&mut self, id: NodeId) -> io::Result<()> {
        if let Some(&known) = self.ids.get(id.index())
            && known != 0
        {
            self.reference(known);
            return Ok(());
        }
        if self.shared.get(id.index()) == Some(&true) {
            let new = self.next_id();
            if let Some(slot) = self.ids.get_mut(id.index()) {
                *slot = new;
            }
            self.id_field(new);
        }
        self.value(id)
    }

    fn is_scalar(&self, id: NodeId) -> bool {
        matches!(
            self.graph.node(id),
            Node::None
                | Node::Bool(_)
                | Node::Int(_)
                | Node::BigInt(_)
                | Node::Float(_)
                | Node::Str(_)
                | Node::WideStr(_)
        )
    }

    /// Writes a node's fields but for its id.
    #[expect(
        clippy::too_many_lines,
        reason = "one flat match over the kinds of nodes"
    )]
    fn value(&mut self, id: NodeId) -> io::Result<()> {
        match self.graph.node(id) {
            Node::None => self.scalar(b"null"),
            Node::Bool(true) => self.scalar(b"true"),
            Node::Bool(false) => self.scalar(b"false"),
            Node::Int(value) => self.scalar(value.to_string().as_bytes()),
            Node::BigInt(digits) => {
                let digits = self.graph.text(digits);
                self.scalar(digits.as_bytes());
            }
            Node::Float(value) => self.scalar(float(value).as_bytes()),
            Node::Str(text) => self.text_scalar(self.graph.text(text).as_bytes()),
            Node::WideStr(text) => self.text_scalar(self.graph.wide(text)),
            Node::Bytes(array) => {
                self.names("builtins", "bytes", "BytesNode");
                self.file(array, ".bin\"}");
            }
            Node::ByteArray(array) => {
                self.names("builtins", "bytearray", "BytearrayNode");
                self.file(array, ".bin\"}");
            }
            Node::List(class, items) => self.sequence(class, "ListNode", items),
            Node::Tuple(class, items) => self.sequence(class, "TupleNode", items),
            Node::Set(class, items) => self.sequence(class, "SetNode", items),
            Node::Dict(class, items) => self.dict(class, items)?,
            Node::Global(class) => {
                self.class_fields(class, "TypeNode");
                self.json.push("}");
            }
            Node::Function(class) => {
                self.class_fields(class, "FunctionNode");
                self.json.push("}");
            }
            Node::Object(class, items) => {
                self.class_fields(class, "ObjectNode");
                match self.graph.items(items).first() {
                    Some(&state) => {
                        self.json.push(",\"content\":");
                        self.then([Task::Node(state), Task::Text("}")]);
                    }
                    None => self.json.push("}"),
                }
            }
            Node::Construct(class, items) => self.construct(class, items)?,
            Node::Array(class, array) => {
                self.class_fields(class, "NdArrayNode");
                self.json.push(",\"type\":\"numpy\"");
                self.file(array, ".npy\"}");
            }
            Node::Sparse(class, items) => {
                self.class_fields(class, "SparseMatrixNode");
                self.files.push(File::Npz(items));
                self.json.push(",\"type\":\"scipy\",\"file\":\"");
                self.json
                    .number(u32::try_from(self.files.len()).unwrap_or(u32::MAX));
                self.json.push(".npz\"}");
            }
            Node::ObjectArray(class, items) => self.object_array(class, items)?,
            Node::DType(class, items) => self.wrapper(class, "DTypeNode", items)?,
            Node::RandomState(class, items) => self.wrapper(class, "RandomStateNode", items)?,
            Node::Slice(items) => self.slice(items)?,
            Node::DefaultDict(class, items) => {
                self.class_fields(class, "DefaultDictNode");
                self.json.push(",\"content\":{\"main\":");
                let (factory, main) = (self.child(items, 0)?, self.child(items, 1)?);
                self.then([
                    Task::Node(main),
                    Task::Text(",\"default_factory\":"),
                    Task::Node(factory),
                    Task::Text("}}"),
                ]);
            }
            Node::MaskedArray(class, items) => {
                self.class_fields(class, "MaskedArrayNode");
                self.json.push(",\"content\":{\"data\":");
                let (data, mask) = (self.child(items, 0)?, self.child(items, 1)?);
                self.then([
                    Task::Node(data),
                    Task::Text(",\"mask\":"),
                    Task::Node(mask),
                    Task::Text("}}"),
                ]);
            }
            Node::Partial(class, items) => {
                self.class_fields(class, "PartialNode");
                self.json.push(",\"content\":{\"func\":");
                let (func, args) = (self.child(items, 0)?, self.child(items, 1)?);
                let (keywords, namespace) = (self.child(items, 2)?, self.child(items, 3)?);
                self.then([
                    Task::Node(func),
                    Task::Text(",\"args\":"),
                    Task::Node(args),
                    Task::Text(",\"kwds\":"),
                    Task::Node(keywords),
                    Task::Text(",\"namespace\":"),
                    Task::Node(namespace),
                    Task::Text("}}"),
                ]);
            }
            Node::Method(method, items) => {
                let object = self.child(items, 0)?;
                let (module, name) = self.graph.global_parts(method);
                let (class, name) = name.rsplit_once('.').ok_or(io::ErrorKind::InvalidInput)?;
                self.names(module, class, "MethodNode");
                self.json.push(",\"content\":{\"func\":\"");
                let mut out = Vec::new();
                escape(&mut out, name.as_bytes());
                self.json.raw(&out);
                self.json.push("\",\"obj\":");
                self.then([Task::Node(object), Task::Text("}}")]);
            }
            Node::Generator(class, items) => {
                self.class_fields(class, "RandomGeneratorNode");
                self.json.push(",\"content\":{\"bit_generator\":");
                let state = self.child(items, 0)?;
                self.tasks.push(Task::Text("}}"));
                if let Some(&seed) = self.graph.items(items).get(1) {
                    self.then([Task::Text(",\"seed_seq\":"), Task::Node(seed)]);
                }
                self.tasks.push(Task::Node(state));
            }
            Node::Pending | Node::Key(..) => return Err(io::ErrorKind::InvalidInput.into()),
        }
        Ok(())
    }

    fn sequence(&mut self, class: GlobalId, loader: &str, items: Items) {
        self.class_fields(class, loader);
        self.json.push(",\"content\":[");
        self.then([Task::Items(items, 0), Task::Text("]}")]);
    }

    fn wrapper(&mut self, class: GlobalId, loader: &str, items: Items) -> io::Result<()> {
        self.class_fields(class, loader);
        self.json.push(",\"content\":");
        let child = self.child(items, 0)?;
        self.then([Task::Node(child), Task::Text("}")]);
        Ok(())
    }

    fn construct(&mut self, class: GlobalId, items: Items) -> io::Result<()> {
        let args = self.child(items, 0)?;
        let Some(&state) = self.graph.items(items).get(1) else {
            if self.graph.global_parts(class).0 == "operator" {
                self.class_fields(class, "OperatorFuncNode");
                self.json.push(",\"attrs\":");
            } else {
                self.class_fields(class, "ConstructorFromReduceNode");
                self.json.push(",\"content\":");
            }
            self.then([Task::Node(args), Task::Text("}")]);
            return Ok(());
        };
        let loader = match self.graph.name(class) {
            "sklearn.tree._tree.Tree" => "TreeNode",
            "quantile_forest._quantile_forest_fast.QuantileForest" => "QuantileForestNode",
            _ => "LossNode",
        };
        let Node::Tuple(tuple, items) = self.graph.node(args) else {
            return Err(io::ErrorKind::InvalidInput.into());
        };
        self.class_fields(class, loader);
        self.json.push(",\"__reduce__\":{\"args\":{");
        self.class_fields(tuple, "TupleNode");
        self.json.push(",\"content\":[");
        self.then([
            Task::Text("]}},\"content\":"),
            Task::Node(state),
            Task::Text("}"),
        ]);
        let mut tasks = Vec::new();
        for (index, &arg) in self.graph.items(items).iter().enumerate() {
            if index > 0 {
                tasks.push(Task::Text(","));
            }
            tasks.push(Task::Bare(arg));
        }
        self.then(tasks);
        Ok(())
    }

    /// `start`, `stop` and `step` stand as plain JSON.
    fn slice(&mut self, items: Items) -> io::Result<()> {
        self.names("builtins", "slice", "SliceNode");
        for (index, name) in ["start", "stop", "step"].into_iter().enumerate() {
            let value = match self.graph.node(self.child(items, index)?) {
                Node::None => "null".to_owned(),
                Node::Int(value) => value.to_string(),
                Node::BigInt(digits) => self.graph.text(digits).to_owned(),
                Node::Bool(value) => value.to_string(),
                Node::Float(value) => float(value),
                Node::Str(text) => {
                    let mut out = Vec::from(*b"\"");
                    escape(&mut out, self.graph.text(text).as_bytes());
                    out.push(b'"');
                    String::from_utf8(out).map_err(|_| io::ErrorKind::InvalidInput)?
                }
                _ => return Err(io::ErrorKind::InvalidInput.into()),
            };
            let before = if index == 0 { ",\"content\":{" } else { "," };
            self.json.push(&format!("{before}\"{name}\":{value}"));
        }
        self.json.push("}}");
        Ok(())
    }

    fn object_array(&mut self, class: GlobalId, items: Items) -> io::Result<()> {
        let shape = self.child(items, 0)?;
        let Node::Tuple(_, lengths) = self.graph.node(shape) else {
            return Err(io::ErrorKind::InvalidInput.into());
        };
        let lengths = self
            .graph
            .items(lengths)
            .iter()
            .map(|&id| match self.graph.node(id) {
                Node::Int(length) => usize::try_from(length).ok(),
                _ => None,
            });
        let lengths: Option<Vec<usize>> = lengths.collect();
        let lengths = lengths.ok_or(io::ErrorKind::InvalidInput)?;
        self.class_fields(class, "NdArrayNode");
        self.json.push(",\"type\":\"json\",\"content\":[");
        self.then([
            Task::Grid {
                items,
                lengths,
                start: 1,
            },
            Task::Text("],\"shape\":"),
            Task::Node(shape),
            Task::Text("}"),
        ]);
        Ok(())
    }

    /// One level of an object array's nested lists: its items, or one list for each index.
    fn grid(&mut self, items: Items, lengths: &[usize], start: usize) {
        let Some((&length, inner)) = lengths.split_first() else {
            return;
        };
        let step = inner.iter().fold(1_usize, |all, &n| all.saturating_mul(n));
        let mut tasks = Vec::new();
        for index in 0..length {
            let at = start.saturating_add(index.saturating_mul(step));
            let comma = if index == 0 { "" } else { "," };
            tasks.push(Task::Text(comma));
            if inner.is_empty() {
                let Some(&id) = self.graph.items(items).get(at) else {
                    return;
                };
                tasks.push(Task::Node(id));
            } else {
                tasks.push(Task::Text(
                    "{\"__class__\":\"list\",\"__module__\":\"builtins\",\"__loader__\":\"ListNode\",\"content\":[",
                ));
                tasks.push(Task::Grid {
                    items,
                    lengths: inner.to_vec(),
                    start: at,
                });
                tasks.push(Task::Text("]}"));
            }
        }
        self.then(tasks);
    }

    fn dict(&mut self, class: GlobalId, items: Items) -> io::Result<()> {
        self.class_fields(class, "DictNode");
        self.json.push(",\"key_types\":{");
        self.key_types(items)?;
        self.json.push(",\"content\":{");
        self.then([Task::Pairs(items, 0), Task::Text("}}")]);
        Ok(())
    }

    /// The list of a dict's key types. Dicts of which all keys are text share one list.
    fn key_types(&mut self, items: Items) -> io::Result<()> {
        let keys = self.graph.items(items).iter().step_by(2);
        let all_text = is_text_dict(self.graph, items);
        if all_text && let Some(known) = self.text_types {
            self.reference(known);
            return Ok(());
        }
        if all_text {
            let id = self.next_id();
            self.text_types = Some(id);
            self.id_field(id);
        }
        self.json.push("\"__class__\":\"list");
        self.json.push(BUILTIN);
        self.json.push("ListNode\",\"content\":[");
        let graph = self.graph;
        if all_text {
            for index in 0..self.text_keys {
                self.key_type(index, "builtins", "str");
            }
            self.json.push("]}");
            return Ok(());
        }
        for (index, &key) in keys.enumerate() {
            let (module, name) = match graph.node(key) {
                Node::Str(_) | Node::WideStr(_) => ("builtins", "str"),
                Node::Int(_) | Node::BigInt(_) => ("builtins", "int"),
                Node::Float(_) => ("builtins", "float"),
                Node::Bool(_) => ("builtins", "bool"),
                Node::None => ("builtins", "NoneType"),
                Node::Key(class, _) => graph.global_parts(class),
                _ => return Err(io::ErrorKind::InvalidInput.into()),
            };
            self.key_type(index, module, name);
        }
        self.json.push("]}");
        Ok(())
    }

    /// One type in a list of key types; each type is written once.
    fn key_type(&mut self, index: usize, module: &'g str, name: &'g str) {
        self.json.push(if index == 0 { "{" } else { ",{" });
        if let Some(&known) = self.key_classes.get(&(module, name)) {
            self.reference(known);
            return;
        }
        let id = self.next_id();
        self.key_classes.insert((module, name), id);
        self.id_field(id);
        self.names(module, name, "TypeNode");
        self.json.push("}");
    }

    fn pair(&mut self, items: Items, index: usize) -> io::Result<()> {
        let graph = self.graph;
        let pairs = graph.items(items);
        let (Some(&key), Some(&value)) = (pairs.get(index), pairs.get(index.saturating_add(1)))
        else {
            return Ok(());
        };
        let mut out = std::mem::take(&mut self.scratch);
        out.clear();
        out.extend_from_slice(if index == 0 { b"\"" } else { b",\"" });
        match graph.node(key) {
            Node::Str(text) => escape(&mut out, graph.text(text).as_bytes()),
            Node::WideStr(text) => escape(&mut out, graph.wide(text)),
            Node::Int(value) => out.extend_from_slice(value.to_string().as_bytes()),
            Node::Float(value) => out.extend_from_slice(float(value).as_bytes()),
            Node::Bool(value) => out.extend_from_slice(value.to_string().as_bytes()),
            Node::None => out.extend_from_slice(b"null"),
            Node::BigInt(text) | Node::Key(_, text) => {
                escape(&mut out, graph.text(text).as_bytes());
            }
            _ => return Err(io::ErrorKind::InvalidInput.into()),
        }
        out.extend_from_slice(b"\":{");
        self.json.raw(&out);
        self.scratch = out;
        self.tasks.push(Task::Pairs(items, index.saturating_add(2)));
        self.fields(value)
    }
}

/// Whether all keys of a dict are text.
fn is_text_dict(graph: &Graph, items: Items) -> bool {
    let mut keys = graph.items(items).iter().step_by(2);
    keys.all(|&key| matches!(graph.node(key), Node::Str(_) | Node::WideStr(_)))
}

/// A float as Python's `json` reads it back: the shortest digits that give the same float.
fn float(value: f64) -> String {
    if value.is_nan() {
        return "NaN".to_owned();
    }
    if value.is_infinite() {
        return if value > 0.0 { "Infinity" } else { "-Infinity" }.to_owned();
    }
    let mut text = String::new();
    let _ = write!(text, "{value:?}");
    // Exponents as Python's `repr` writes them: a sign, and two digits at least.
    if let Some((digits, exponent)) = text.split_once('e') {
        let (sign, exponent) = match exponent.strip_prefix('-') {
            Some(rest) => ('-', rest),
            None => ('+', exponent),
        };
        text = format!("{digits}e{sign}{exponent:0>2}");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escaping_twice_in_one_pass_is_escaping_twice() {
        let mut long = "x".repeat(70).into_bytes();
        long.extend_from_slice(b"\"\\\n\r\t\x01");
        long.extend_from_slice("\u{e9}\u{d7ff}\u{1F600}".as_bytes());
        long.extend_from_slice(b"\xED\xA0\xBD");
        for start in 0..long.len() {
            let text = &long[start..];
            let (mut once, mut twice, mut direct) = (Vec::new(), Vec::new(), Vec::new());
            escape(&mut once, text);
            escape(&mut twice, &once);
            escape_twice(&mut direct, text);
            assert_eq!(direct, twice, "{start}");
        }
    }
}
