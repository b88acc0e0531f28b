//! Object graphs: what a skops file (or another pickle-like format) says, as plain nodes.

use std::collections::HashMap;
use std::ops::Range;

/// The index of a node in its [`Graph`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct NodeId(u32);

impl NodeId {
    pub(crate) fn new(index: usize) -> Option<Self> {
        u32::try_from(index).ok().map(Self)
    }

    /// The index as a number, for tables beside the graph.
    pub fn index(self) -> usize {
        usize::try_from(self.0).unwrap_or(usize::MAX)
    }
}

/// The index of a name of code in its [`Graph`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct GlobalId(u32);

impl GlobalId {
    /// The index as a number, for tables beside the graph.
    pub fn index(self) -> usize {
        usize::try_from(self.0).unwrap_or(usize::MAX)
    }
}

/// The index of an array (or of raw bytes) in its [`Graph`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ArrayId(pub(crate) u32);

impl ArrayId {
    /// The index as a number, for tables beside the graph.
    pub fn index(self) -> usize {
        usize::try_from(self.0).unwrap_or(usize::MAX)
    }
}

/// A run of UTF-8 text in its [`Graph`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Text {
    start: u32,
    len: u32,
}

/// A run of child nodes in its [`Graph`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Items {
    start: u32,
    len: u32,
}

impl Items {
    /// How many nodes the run holds.
    pub fn len(self) -> usize {
        usize::try_from(self.len).unwrap_or(usize::MAX)
    }

    /// Whether the run holds no node.
    pub fn is_empty(self) -> bool {
        self.len == 0
    }
}

/// How a name is used, and so what it must be trusted for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Role {
    /// A class or function that stands in the model as a value; loading does not call it.
    Value,
    /// A class whose instances are made without arguments and then given their state.
    Instance,
    /// A class whose constructor is called with what stands in the file.
    Call,
}

impl Role {
    /// The word of `trust/default.txt` and of policies for it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Value => "value",
            Self::Instance => "instance",
            Self::Call => "call",
        }
    }
}

/// One thing that a file says. Children are ids, so sharing and cycles cost nothing.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Node {
    /// A node whose object is not complete; never in a graph that a reader returned.
    Pending,
    /// `None`.
    None,
    /// `True` or `False`.
    Bool(bool),
    /// An integer of 64 bits.
    Int(i64),
    /// A larger integer, as decimal digits with an optional `-`.
    BigInt(Text),
    /// A float; NaN and infinities included.
    Float(f64),
    /// A string.
    Str(Text),
    /// A string that holds lone surrogates, as WTF-8 bytes: see [`Graph::wide`].
    WideStr(Text),
    /// Bytes: an array of bytes without an npy header.
    Bytes(ArrayId),
    /// A bytearray: as [`Node::Bytes`].
    ByteArray(ArrayId),
    /// A list, or a class that is made from one.
    List(GlobalId, Items),
    /// A tuple, or a named tuple.
    Tuple(GlobalId, Items),
    /// A set, or a class that is made from a list of items.
    Set(GlobalId, Items),
    /// A mapping: keys and values in turn.
    Dict(GlobalId, Items),
    /// A `defaultdict`: its factory and a [`Node::Dict`].
    DefaultDict(GlobalId, Items),
    /// A slice: start, stop, step.
    Slice(Items),
    /// A class (or a builtin function) that stands as a value.
    Global(GlobalId),
    /// A function that stands as a value.
    Function(GlobalId),
    /// A mapping's key of another type than str, int, float and bool: its class called with the text.
    Key(GlobalId, Text),
    /// An object that is made without its constructor, then given its state: none or one child.
    Object(GlobalId, Items),
    /// A class called with a tuple of arguments, then given its state: one or two children.
    Construct(GlobalId, Items),
    /// A method bound to an object: the object; the name is `module.qualname.method`.
    Method(GlobalId, Items),
    /// A `functools.partial`: function, arguments, keyword arguments, `__dict__`.
    Partial(GlobalId, Items),
    /// A numpy array, or a numpy scalar made from one.
    Array(GlobalId, ArrayId),
    /// A numpy array of Python objects: its shape, then its items (nested lists where it has more than one dimension).
    ObjectArray(GlobalId, Items),
    /// A numpy masked array: data, mask.
    MaskedArray(GlobalId, Items),
    /// A numpy dtype: that of an empty array.
    DType(GlobalId, Items),
    /// A `RandomState`: the dict of its state.
    RandomState(GlobalId, Items),
    /// A `Generator`: the dict of its bit generator's state, and the state of the seed sequence where there is one.
    Generator(GlobalId, Items),
    /// A scipy sparse container: names and arrays of its parts in turn.
    Sparse(GlobalId, Items),
}

/// A name of code: what loading would import.
#[derive(Debug, Clone)]
struct Global {
    module: String,
    name: String,
    full: String,
    plain: Option<Plain>,
}

/// The classes that most containers and arrays are of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Plain {
    /// `builtins.dict`.
    Dict,
    /// `builtins.list`.
    List,
    /// `builtins.set`.
    Set,
    /// `builtins.tuple`.
    Tuple,
    /// `numpy.ndarray`.
    Array,
}

impl Plain {
    fn of(module: &str, name: &str) -> Option<Self> {
        Some(match (module, name) {
            ("builtins", "dict") => Self::Dict,
            ("builtins", "list") => Self::List,
            ("builtins", "set") => Self::Set,
            ("builtins", "tuple") => Self::Tuple,
            ("numpy", "ndarray") => Self::Array,
            _ => return None,
        })
    }
}

/// One use of a name of code by a node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reference {
    /// The name.
    pub global: GlobalId,
    /// What it is used for.
    pub role: Role,
    /// The node that asks for it.
    pub node: NodeId,
}

/// Where the bytes of an array stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stored {
    /// An `.npy` entry of the archive.
    Npy(usize),
    /// An entry of raw bytes.
    Raw(usize),
    /// An `.npy` entry of the archive inside an `.npz` entry: outer entry, inner entry.
    Nested(usize, usize),
    /// In memory, on its way to a file.
    Memory,
}

/// The bit of a text's start that says that it is one of the long ones.
const LONG: u32 = 1 << 31;

/// An index among the texts.
fn text_index(index: usize) -> Option<u32> {
    u32::try_from(index).ok().filter(|index| index & LONG == 0)
}

/// How far a graph was filled at one moment.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Mark {
    pub(crate) nodes: usize,
    arrays: usize,
    references: usize,
}

/// What a file says: nodes in an arena, the names that they use, and where their arrays stand.
#[derive(Debug, Default)]
pub struct Graph {
    nodes: Vec<Node>,
    places: Vec<u32>,
    links: Vec<NodeId>,
    text: String,
    /// Long texts, which stay in the memory that they were read into, and where each stands there.
    long: String,
    long_runs: Vec<Range<usize>>,
    wide: Vec<u8>,
    globals: Vec<Global>,
    by_name: HashMap<String, GlobalId>,
    arrays: Vec<Stored>,
    references: Vec<Reference>,
    root: Option<NodeId>,
    entry: String,
}

impl Graph {
    /// An empty graph; `entry` is the name of the entry that the places of its nodes count in.
    pub fn new(entry: &str) -> Self {
        Self {
            entry: entry.to_owned(),
            ..Self::default()
        }
    }

    /// As [`Graph::new`], with room for what JSON text of this length mostly says.
    pub(crate) fn with_room(entry: &str, length: usize) -> Self {
        let nodes = length / 96;
        Self {
            nodes: Vec::with_capacity(nodes),
            places: Vec::with_capacity(nodes),
            links: Vec::with_capacity(nodes),
            text: String::with_capacity(length / 32),
            ..Self::new(entry)
        }
    }

    /// The node that stands for the whole model.
    pub fn root(&self) -> Option<NodeId> {
        self.root
    }

    /// Says which node stands for the whole model.
    pub fn set_root(&mut self, root: NodeId) {
        self.root = Some(root);
    }

    /// The entry that [`Graph::place`] counts in.
    pub fn entry(&self) -> &str {
        &self.entry
    }

    /// One node. An id of another graph gives [`Node::Pending`].
    pub fn node(&self, id: NodeId) -> Node {
        self.nodes.get(id.index()).copied().unwrap_or(Node::Pending)
    }

    /// How many nodes there are.
    pub fn len(&self) -> usize {
        self.nodes.len()
    }

    /// Whether there is no node.
    pub fn is_empty(&self) -> bool {
        self.nodes.is_empty()
    }

    /// All ids in the order of the file: a node comes before its children.
    pub fn ids(&self) -> impl Iterator<Item = NodeId> + use<> {
        (0..self.nodes.len()).filter_map(NodeId::new)
    }

    /// The byte of [`Graph::entry`] where a node starts.
    pub fn place(&self, id: NodeId) -> u64 {
        self.places.get(id.index()).copied().map_or(0, u64::from)
    }

    /// Adds a node. `None` when ids run out (2^32 nodes).
    pub fn push(&mut self, node: Node, place: u32) -> Option<NodeId> {
        let id = NodeId::new(self.nodes.len())?;
        self.nodes.push(node);
        self.places.push(place);
        Some(id)
    }

    /// Puts a node where [`Node::Pending`] stood.
    pub fn set(&mut self, id: NodeId, node: Node) {
        if let Some(slot) = self.nodes.get_mut(id.index()) {
            *slot = node;
        }
    }

    /// How far the graph is filled, for [`Graph::truncate`].
    pub(crate) fn mark(&self) -> Mark {
        Mark {
            nodes: self.nodes.len(),
            arrays: self.arrays.len(),
            references: self.references.len(),
        }
    }

    /// Forgets every node, array and reference that was added after the mark.
    pub(crate) fn truncate(&mut self, mark: Mark) {
        self.nodes.truncate(mark.nodes);
        self.places.truncate(mark.nodes);
        self.arrays.truncate(mark.arrays);
        self.references.truncate(mark.references);
    }

    /// Adds a run of children. `None` when indices run out.
    pub fn link(&mut self, children: &[NodeId]) -> Option<Items> {
        let items = Items {
            start: u32::try_from(self.links.len()).ok()?,
            len: u32::try_from(children.len()).ok()?,
        };
        self.links.extend_from_slice(children);
        Some(items)
    }

    /// The nodes of a run.
    pub fn items(&self, items: Items) -> &[NodeId] {
        let start = usize::try_from(items.start).unwrap_or(usize::MAX);
        let end = start.saturating_add(items.len());
        self.links.get(start..end).unwrap_or_default()
    }

    /// Adds text. `None` when indices run out (2 GiB of text).
    pub fn push_text(&mut self, text: &str) -> Option<Text> {
        let run = Text {
            start: text_index(self.text.len())?,
            len: u32::try_from(text.len()).ok()?,
        };
        self.text.push_str(text);
        Some(run)
    }

    /// Adds the text that `append` puts behind the text that is there; `None` where it gives none, or
    /// indices run out.
    pub(crate) fn push_text_of(
        &mut self,
        append: impl FnOnce(&mut String) -> Option<()>,
    ) -> Option<Text> {
        let start = self.text.len();
        append(&mut self.text)?;
        Some(Text {
            start: text_index(start)?,
            len: u32::try_from(self.text.len().checked_sub(start)?).ok()?,
        })
    }

    /// Adds a long text of `length` bytes, which is empty until [`Graph::settle`] brings it.
    pub(crate) fn push_long_text(&mut self, length: usize) -> Option<Text> {
        let index = text_index(self.long_runs.len())?;
        let len = u32::try_from(length).ok()?;
        let start = self.long_runs.last().map_or(0, |run| run.end);
        self.long_runs.push(start..start.checked_add(length)?);
        Some(Text {
            start: index | LONG,
            len,
        })
    }

    /// Brings the long texts, one after the other in the order in which they were added.
    pub(crate) fn settle(&mut self, long: String) {
        self.long = long;
    }

    /// The text of a run.
    pub fn text(&self, text: Text) -> &str {
        let start = usize::try_from(text.start & !LONG).unwrap_or(usize::MAX);
        if text.start & LONG != 0 {
            let run = self.long_runs.get(start).cloned();
            return run.and_then(|run| self.long.get(run)).unwrap_or_default();
        }
        let end = start.saturating_add(usize::try_from(text.len).unwrap_or(usize::MAX));
        self.text.get(start..end).unwrap_or_default()
    }

    /// Adds text with lone surrogates, as WTF-8.
    pub fn push_wide(&mut self, bytes: &[u8]) -> Option<Text> {
        let run = Text {
            start: u32::try_from(self.wide.len()).ok()?,
            len: u32::try_from(bytes.len()).ok()?,
        };
        self.wide.extend_from_slice(bytes);
        Some(run)
    }

    /// The WTF-8 bytes of a [`Node::WideStr`].
    pub fn wide(&self, text: Text) -> &[u8] {
        let start = usize::try_from(text.start).unwrap_or(usize::MAX);
        let end = start.saturating_add(usize::try_from(text.len).unwrap_or(usize::MAX));
        self.wide.get(start..end).unwrap_or_default()
    }

    /// The id of a name of code, new or known.
    pub fn global(&mut self, module: &str, name: &str) -> Option<GlobalId> {
        let key = format!("{module}:{name}");
        if let Some(&id) = self.by_name.get(&key) {
            return Some(id);
        }
        let id = GlobalId(u32::try_from(self.globals.len()).ok()?);
        self.by_name.insert(key, id);
        let full = format!("{module}.{name}");
        self.globals.push(Global {
            module: module.to_owned(),
            name: name.to_owned(),
            full,
            plain: Plain::of(module, name),
        });
        Some(id)
    }

    /// The full name, `module.qualname`.
    pub fn name(&self, id: GlobalId) -> &str {
        self.globals
            .get(id.index())
            .map_or("", |global| &global.full)
    }

    /// Which of the common classes a name is.
    pub fn plain(&self, id: GlobalId) -> Option<Plain> {
        self.globals.get(id.index()).and_then(|global| global.plain)
    }

    /// The full name of the global with this index.
    pub(crate) fn global_name_at(&self, index: usize) -> &str {
        self.globals.get(index).map_or("", |global| &global.full)
    }

    /// The module and the qualified name in it.
    pub fn global_parts(&self, id: GlobalId) -> (&str, &str) {
        self.globals
            .get(id.index())
            .map_or(("", ""), |global| (&global.module, &global.name))
    }

    /// How many names of code there are.
    pub fn global_count(&self) -> usize {
        self.globals.len()
    }

    pub(crate) fn push_array(&mut self, stored: Stored) -> Option<ArrayId> {
        let id = ArrayId(u32::try_from(self.arrays.len()).ok()?);
        self.arrays.push(stored);
        Some(id)
    }

    /// Says anew where the bytes of an array stand.
    pub(crate) fn restore(&mut self, array: ArrayId, stored: Stored) {
        if let Some(slot) = self.arrays.get_mut(array.index()) {
            *slot = stored;
        }
    }

    /// Adds an array whose bytes are in the caller's memory, on its way to a file.
    pub fn push_memory_array(&mut self) -> Option<ArrayId> {
        self.push_array(Stored::Memory)
    }

    pub(crate) fn stored(&self) -> &[Stored] {
        &self.arrays
    }

    /// How many arrays (and runs of raw bytes) there are.
    pub fn array_count(&self) -> usize {
        self.arrays.len()
    }

    /// Notes that `node` uses a name.
    pub fn refer(&mut self, global: GlobalId, role: Role, node: NodeId) {
        self.references.push(Reference { global, role, node });
    }

    /// Every use of a name of code in the file.
    pub fn references(&self) -> &[Reference] {
        &self.references
    }

    /// The name of code that a node carries, where its kind carries one.
    pub fn class(&self, id: NodeId) -> Option<GlobalId> {
        match self.node(id) {
            Node::List(class, _)
            | Node::Tuple(class, _)
            | Node::Set(class, _)
            | Node::Dict(class, _)
            | Node::DefaultDict(class, _)
            | Node::Global(class)
            | Node::Function(class)
            | Node::Key(class, _)
            | Node::Object(class, _)
            | Node::Construct(class, _)
            | Node::Method(class, _)
            | Node::Partial(class, _)
            | Node::Array(class, _)
            | Node::ObjectArray(class, _)
            | Node::MaskedArray(class, _)
            | Node::DType(class, _)
            | Node::RandomState(class, _)
            | Node::Generator(class, _)
            | Node::Sparse(class, _) => Some(class),
            Node::Pending
            | Node::None
            | Node::Bool(_)
            | Node::Int(_)
            | Node::BigInt(_)
            | Node::Float(_)
            | Node::Str(_)
            | Node::WideStr(_)
            | Node::Bytes(_)
            | Node::ByteArray(_)
            | Node::Slice(_) => None,
        }
    }

    /// The children of a node, in the order of the file.
    pub fn children(&self, id: NodeId) -> &[NodeId] {
        match self.node(id) {
            Node::List(_, items)
            | Node::Tuple(_, items)
            | Node::Set(_, items)
            | Node::Dict(_, items)
            | Node::DefaultDict(_, items)
            | Node::Slice(items)
            | Node::Object(_, items)
            | Node::Construct(_, items)
            | Node::Method(_, items)
            | Node::Partial(_, items)
            | Node::ObjectArray(_, items)
            | Node::MaskedArray(_, items)
            | Node::DType(_, items)
            | Node::RandomState(_, items)
            | Node::Generator(_, items)
            | Node::Sparse(_, items) => self.items(items),
            Node::Pending
            | Node::None
            | Node::Bool(_)
            | Node::Int(_)
            | Node::BigInt(_)
            | Node::Float(_)
            | Node::Str(_)
            | Node::WideStr(_)
            | Node::Bytes(_)
            | Node::ByteArray(_)
            | Node::Global(_)
            | Node::Function(_)
            | Node::Key(..)
            | Node::Array(..) => &[],
        }
    }

    /// Whether a node's object can't be a member of a set or a key of a dict.
    pub(crate) fn is_unhashable(&self, id: NodeId) -> bool {
        match self.node(id) {
            Node::Array(class, _) => self.plain(class) == Some(Plain::Array),
            Node::List(..)
            | Node::Set(..)
            | Node::Dict(..)
            | Node::DefaultDict(..)
            | Node::Slice(_)
            | Node::ByteArray(_)
            | Node::ObjectArray(..)
            | Node::MaskedArray(..)
            | Node::Sparse(..) => true,
            _ => false,
        }
    }

    /// The array of a node that is one.
    pub fn array_of(&self, id: NodeId) -> Option<ArrayId> {
        match self.node(id) {
            Node::Array(_, array) | Node::Bytes(array) | Node::ByteArray(array) => Some(array),
            _ => None,
        }
    }

    /// The node under a string key of a dict, or of the dict that is an object's state.
    pub fn get(&self, id: NodeId, key: &str) -> Option<NodeId> {
        let pairs = match self.node(id) {
            Node::Dict(_, items) | Node::Sparse(_, items) => self.items(items),
            Node::Object(_, items) | Node::RandomState(_, items) => self
                .items(items)
                .first()
                .map_or(&[][..], |&state| self.dict(state)),
            Node::Construct(_, items) => self
                .items(items)
                .get(1)
                .map_or(&[][..], |&state| self.dict(state)),
            _ => &[],
        };
        pairs.chunks_exact(2).find_map(|pair| match pair {
            [name, value] => match self.node(*name) {
                Node::Str(text) if self.text(text) == key => Some(*value),
                _ => None,
            },
            _ => None,
        })
    }

    fn dict(&self, id: NodeId) -> &[NodeId] {
        match self.node(id) {
            Node::Dict(_, items) => self.items(items),
            _ => &[],
        }
    }
}
