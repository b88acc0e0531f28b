//! What a verifier sees of a node.

use std::cell::Cell;

use super::Refusal;
use super::tree::Walked;
use crate::dtype::{DType, Kind};
use crate::graph::{Graph, Node, NodeId};
use crate::npy::Header;

/// The headers and the bytes of a graph's arrays.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Arrays<'a> {
    pub(crate) headers: &'a [Header],
    pub(crate) bytes: &'a [&'a [u8]],
    /// What is known of the nodes of trees, by array; those that are not here are walked over.
    pub(crate) walked: &'a [Option<Walked>],
    pub(crate) work: &'a Work,
}

/// How much verifiers have looked at: values, and the bytes of arrays.
///
/// Objects may share what they hold, so the work is not bounded by the size of the file.
#[derive(Debug, Default)]
pub(crate) struct Work(Cell<u64>);

impl Work {
    fn add(&self, amount: usize) {
        let amount = u64::try_from(amount).unwrap_or(u64::MAX);
        self.0.set(self.0.get().saturating_add(amount));
    }

    /// All work so far.
    pub(crate) fn done(&self) -> u64 {
        self.0.get()
    }
}

/// One node, with the whole graph and the bytes of its arrays.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Value<'a> {
    graph: &'a Graph,
    arrays: Arrays<'a>,
    node: NodeId,
}

impl<'a> Value<'a> {
    pub(crate) fn new(graph: &'a Graph, arrays: Arrays<'a>, node: NodeId) -> Self {
        Self {
            graph,
            arrays,
            node,
        }
    }

    fn at(self, node: NodeId) -> Self {
        Self { node, ..self }
    }

    /// The node's id, to compare and to remember.
    pub(crate) fn id(self) -> NodeId {
        self.node
    }

    /// `module.qualname` of an object's class, of a container's, of an array's.
    pub(crate) fn class(self) -> Option<&'a str> {
        if matches!(
            self.graph.node(self.node),
            Node::Global(_) | Node::Function(_)
        ) {
            return None;
        }
        self.graph
            .class(self.node)
            .map(|class| self.graph.name(class))
    }

    /// A class or function that stands as a value.
    pub(crate) fn global(self) -> Option<&'a str> {
        match self.graph.node(self.node) {
            Node::Global(global) | Node::Function(global) => Some(self.graph.name(global)),
            _ => None,
        }
    }

    /// The state of an object, of a constructed object, of a random state.
    pub(crate) fn state(self) -> Option<Self> {
        let children = self.graph.children(self.node);
        let state = match self.graph.node(self.node) {
            Node::Object(..) | Node::RandomState(..) | Node::Generator(..) => children.first(),
            Node::Construct(..) => children.get(1),
            _ => None,
        };
        state.map(|&id| self.at(id))
    }

    /// The tuple of arguments that a class is called with.
    pub(crate) fn args(self) -> Option<Self> {
        match self.graph.node(self.node) {
            Node::Construct(..) => self
                .graph
                .children(self.node)
                .first()
                .map(|&id| self.at(id)),
            _ => None,
        }
    }

    /// The state of a generator's seed sequence.
    pub(crate) fn seed_sequence(self) -> Option<Self> {
        match self.graph.node(self.node) {
            Node::Generator(..) => self.graph.children(self.node).get(1).map(|&id| self.at(id)),
            _ => None,
        }
    }

    /// The value under a string key: of a dict, of an object's state, of a sparse container's parts.
    pub(crate) fn get(self, key: &str) -> Option<Self> {
        self.graph.get(self.node, key).map(|id| self.at(id))
    }

    /// The items of a list, tuple, set, or object array (of any number of dimensions: the last index
    /// varies fastest).
    pub(crate) fn items(self) -> Option<Vec<Self>> {
        let children = self.graph.children(self.node);
        let items = match self.graph.node(self.node) {
            Node::List(..) | Node::Tuple(..) | Node::Set(..) => children,
            Node::ObjectArray(..) => children.get(1..).unwrap_or_default(),
            _ => return None,
        };
        self.arrays.work.add(items.len());
        Some(items.iter().map(|&id| self.at(id)).collect())
    }

    /// The shape of an object array.
    pub(crate) fn object_shape(self) -> Option<Vec<i64>> {
        match self.graph.node(self.node) {
            Node::ObjectArray(..) => {
                let shape = self.at(*self.graph.children(self.node).first()?);
                shape.items()?.into_iter().map(Self::int).collect()
            }
            _ => None,
        }
    }

    /// Keys and values of a dict.
    pub(crate) fn entries(self) -> Option<Vec<(Self, Self)>> {
        self.arrays.work.add(self.graph.children(self.node).len());
        match self.graph.node(self.node) {
            Node::Dict(_, items) => Some(
                self.graph
                    .items(items)
                    .chunks_exact(2)
                    .filter_map(|pair| Some((self.at(*pair.first()?), self.at(*pair.last()?))))
                    .collect(),
            ),
            // A dict with keys that JSON has no form for: called with a list of pairs.
            Node::Construct(class, _) if self.graph.name(class) == "builtins.dict" => {
                let args = self.args()?.items()?;
                let [pairs] = args.as_slice() else {
                    return None;
                };
                let pairs = pairs
                    .items()?
                    .into_iter()
                    .map(|pair| match pair.items()?.as_slice() {
                        &[key, value] => Some((key, value)),
                        _ => None,
                    });
                pairs.collect()
            }
            _ => None,
        }
    }

    /// Keys and values of a dict that stands in the file as one; nothing of any other value.
    pub(crate) fn pairs(self) -> impl Iterator<Item = (Self, Self)> {
        let pairs = match self.graph.node(self.node) {
            Node::Dict(_, items) => self.graph.items(items),
            _ => &[],
        };
        self.arrays.work.add(pairs.len());
        pairs
            .chunks_exact(2)
            .filter_map(move |pair| Some((self.at(*pair.first()?), self.at(*pair.last()?))))
    }

    /// The items of a list, tuple, set or object array, or keys and values of a dict; nothing of any
    /// other value.
    pub(crate) fn items_or_pairs(self) -> impl Iterator<Item = Self> {
        let children = self.graph.children(self.node);
        let items = match self.graph.node(self.node) {
            Node::List(..) | Node::Tuple(..) | Node::Set(..) | Node::Dict(..) => children,
            Node::ObjectArray(..) => children.get(1..).unwrap_or_default(),
            _ => &[],
        };
        self.arrays.work.add(items.len());
        items.iter().map(move |&id| self.at(id))
    }

    /// Whether the object is made by calling its class.
    pub(crate) fn is_construct(self) -> bool {
        matches!(self.graph.node(self.node), Node::Construct(..))
    }

    /// Whether the value is the method `name` of `object`, bound to it.
    pub(crate) fn is_method_of(self, object: Self, name: &str) -> bool {
        match self.graph.node(self.node) {
            Node::Method(method, _) => {
                let full = self.graph.name(method);
                self.graph.children(self.node).first() == Some(&object.node)
                    && full.rsplit('.').next() == Some(name)
            }
            _ => false,
        }
    }

    /// An integer: Python's (a bool counts as 0 or 1), or a numpy integer scalar.
    pub(crate) fn int(self) -> Option<i64> {
        match self.graph.node(self.node) {
            Node::Int(value) => Some(value),
            Node::Bool(value) => Some(i64::from(value)),
            Node::Array(..) => self
                .array()
                .filter(|array| array.shape().is_empty())?
                .int_at(0),
            _ => None,
        }
    }

    /// The digits of an integer of any size.
    pub(crate) fn big_int(self) -> Option<String> {
        match self.graph.node(self.node) {
            Node::Int(value) => Some(value.to_string()),
            Node::BigInt(text) => Some(self.graph.text(text).to_owned()),
            _ => None,
        }
    }

    /// A number: Python's float or int, or a numpy scalar.
    pub(crate) fn float(self) -> Option<f64> {
        match self.graph.node(self.node) {
            Node::Float(value) => Some(value),
            Node::Int(value) => Some(int_to_float(value)),
            Node::Bool(value) => Some(f64::from(u8::from(value))),
            Node::Array(..) => self
                .array()
                .filter(|array| array.shape().is_empty())?
                .float_at(0),
            _ => None,
        }
    }

    /// A bool, of Python or numpy.
    pub(crate) fn boolean(self) -> Option<bool> {
        match self.graph.node(self.node) {
            Node::Bool(value) => Some(value),
            Node::Array(..) => {
                let array = self
                    .array()
                    .filter(|array| array.shape().is_empty() && array.is(Kind::Bool, 1))?;
                array.int_at(0).map(|value| value != 0)
            }
            _ => None,
        }
    }

    /// A string.
    pub(crate) fn text(self) -> Option<&'a str> {
        match self.graph.node(self.node) {
            Node::Str(text) => Some(self.graph.text(text)),
            _ => None,
        }
    }

    /// Whether the value is `None`.
    pub(crate) fn is_none(self) -> bool {
        matches!(self.graph.node(self.node), Node::None)
    }

    /// A numpy array or numpy scalar.
    pub(crate) fn array(self) -> Option<ArrayView<'a>> {
        match self.graph.node(self.node) {
            Node::Array(_, array) => {
                let bytes = self.arrays.bytes.get(array.index())?;
                self.arrays.work.add(bytes.len());
                Some(ArrayView {
                    header: self.arrays.headers.get(array.index())?,
                    bytes,
                    walked: self.arrays.walked.get(array.index()).copied().flatten(),
                })
            }
            _ => None,
        }
    }

    /// The bytes of a `bytearray`.
    pub(crate) fn bytearray(self) -> Option<&'a [u8]> {
        match self.graph.node(self.node) {
            Node::ByteArray(array) => self.arrays.bytes.get(array.index()).copied(),
            _ => None,
        }
    }

    /// The bytes of a `bytes`.
    pub(crate) fn bytes(self) -> Option<&'a [u8]> {
        match self.graph.node(self.node) {
            Node::Bytes(array) => self.arrays.bytes.get(array.index()).copied(),
            _ => None,
        }
    }

    /// The function, the positional and the keyword arguments of a `functools.partial`.
    pub(crate) fn partial(self) -> Option<(Self, Self, Self)> {
        match self.graph.node(self.node) {
            Node::Partial(..) => {
                let parts = self.graph.children(self.node);
                Some((
                    self.at(*parts.first()?),
                    self.at(*parts.get(1)?),
                    self.at(*parts.get(2)?),
                ))
            }
            _ => None,
        }
    }

    /// All values that stand directly in this one: keys and items, state and arguments.
    pub(crate) fn children(self) -> impl Iterator<Item = Self> {
        self.arrays.work.add(self.graph.children(self.node).len());
        self.graph
            .children(self.node)
            .iter()
            .map(move |&id| self.at(id))
    }

    /// Whether the value is an object that is made without its class being called.
    pub(crate) fn is_object(self) -> bool {
        matches!(self.graph.node(self.node), Node::Object(..))
    }

    /// A mapping's key that is a class called with a text: the class and the text.
    pub(crate) fn key(self) -> Option<(&'a str, &'a str)> {
        match self.graph.node(self.node) {
            Node::Key(class, text) => Some((self.graph.name(class), self.graph.text(text))),
            _ => None,
        }
    }

    /// Whether the value is a string, of any letters.
    pub(crate) fn is_string(self) -> bool {
        matches!(
            self.graph.node(self.node),
            Node::Str(..) | Node::WideStr(..)
        )
    }

    /// Counts work that is not seen otherwise: the letters of a text that is read.
    pub(crate) fn spend(self, amount: usize) {
        self.arrays.work.add(amount);
    }

    /// Says which rule this value breaks.
    pub(crate) fn refuse(self, what: &'static str) -> Refusal {
        Refusal {
            node: self.node,
            what,
        }
    }
}

/// An integer as the nearest float.
#[expect(
    clippy::as_conversions,
    clippy::cast_precision_loss,
    reason = "no other conversion exists, and rounding is what is asked for"
)]
fn int_to_float(value: i64) -> f64 {
    value as f64
}

/// The elements of an array.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ArrayView<'a> {
    header: &'a Header,
    bytes: &'a [u8],
    walked: Option<Walked>,
}

impl<'a> ArrayView<'a> {
    /// What is known of the nodes of a tree.
    pub(super) fn walked(self) -> Option<Walked> {
        self.walked
    }

    /// The length of each dimension.
    pub(crate) fn shape(self) -> &'a [usize] {
        &self.header.shape
    }

    /// How many elements there are.
    pub(crate) fn len(self) -> usize {
        self.header.shape.iter().product()
    }

    /// The type of an element.
    pub(crate) fn dtype(self) -> &'a DType {
        &self.header.dtype
    }

    /// Whether the first index varies fastest.
    pub(crate) fn is_fortran(self) -> bool {
        self.header.fortran
    }

    /// All elements: `len() * dtype().itemsize()` bytes.
    pub(crate) fn bytes(self) -> &'a [u8] {
        self.bytes
    }

    /// Whether elements are of this kind and size, least significant byte first.
    pub(crate) fn is(self, kind: Kind, itemsize: usize) -> bool {
        let dtype = self.dtype();
        dtype.kind() == kind && dtype.itemsize() == itemsize && dtype.is_little()
    }

    fn column(self) -> Column<'a> {
        Column {
            dtype: &self.header.dtype,
            bytes: self.bytes,
            stride: self.header.dtype.itemsize(),
            offset: 0,
        }
    }

    /// One scalar field of a record array.
    pub(crate) fn field(self, name: &str) -> Option<Column<'a>> {
        let field = self
            .header
            .dtype
            .field(name)
            .filter(|field| field.shape.is_empty())?;
        Some(Column {
            dtype: &field.dtype,
            bytes: self.bytes,
            stride: self.header.dtype.itemsize(),
            offset: field.offset,
        })
    }

    /// Whether `test` holds for all elements, in memory order. `None` where they are not integers or bools.
    pub(crate) fn all_ints(self, test: impl FnMut(i64) -> bool) -> Option<bool> {
        self.column().all_ints(test)
    }

    /// Whether `test` holds for all elements, in memory order. `None` where they are not floats of 4 or 8 bytes.
    pub(crate) fn all_floats(self, test: impl FnMut(f64) -> bool) -> Option<bool> {
        self.column().all_floats(test)
    }

    /// The integer at a place in memory order.
    pub(crate) fn int_at(self, index: usize) -> Option<i64> {
        self.column().int_at(index)
    }

    /// The number at a place in memory order.
    pub(crate) fn float_at(self, index: usize) -> Option<f64> {
        self.column().float_at(index)
    }
}

/// One field of every element of an array.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Column<'a> {
    dtype: &'a DType,
    bytes: &'a [u8],
    stride: usize,
    offset: usize,
}

/// Calls `$test` with every element, read as `$type`; false as soon as it is false.
macro_rules! every {
    ($column:expr, $type:ty, $convert:expr, $test:expr) => {{
        const SIZE: usize = size_of::<$type>();
        let little = $column.dtype.is_little();
        let mut read = |bytes: &[u8; SIZE]| {
            let value = if little {
                <$type>::from_le_bytes(*bytes)
            } else {
                <$type>::from_be_bytes(*bytes)
            };
            $test($convert(value))
        };
        if $column.stride == SIZE {
            // Contiguous: the loop that the compiler knows best.
            $column
                .bytes
                .as_chunks::<SIZE>()
                .0
                .iter()
                .all(|bytes| read(bytes))
        } else {
            $column
                .bytes
                .chunks_exact($column.stride.max(1))
                .all(|element| {
                    element
                        .get($column.offset..)
                        .and_then(<[u8]>::first_chunk::<SIZE>)
                        .is_some_and(|bytes| read(bytes))
                })
        }
    }};
}

impl Column<'_> {
    /// Whether `test` holds for all elements. `None` where they are not integers or bools.
    /// An unsigned integer over 2^63 - 1 counts as 2^63 - 1.
    pub(crate) fn all_ints(self, mut test: impl FnMut(i64) -> bool) -> Option<bool> {
        let wide = |value: u64| i64::try_from(value).unwrap_or(i64::MAX);
        Some(match (self.dtype.kind(), self.dtype.itemsize()) {
            (Kind::Int, 1) => every!(self, i8, i64::from, test),
            (Kind::Int, 2) => every!(self, i16, i64::from, test),
            (Kind::Int, 4) => every!(self, i32, i64::from, test),
            (Kind::Int, 8) => every!(self, i64, i64::from, test),
            (Kind::UInt | Kind::Bool, 1) => every!(self, u8, i64::from, test),
            (Kind::UInt, 2) => every!(self, u16, i64::from, test),
            (Kind::UInt, 4) => every!(self, u32, i64::from, test),
            (Kind::UInt, 8) => every!(self, u64, wide, test),
            _ => return None,
        })
    }

    /// Whether `test` holds for all elements. `None` where they are not floats of 4 or 8 bytes.
    pub(crate) fn all_floats(self, mut test: impl FnMut(f64) -> bool) -> Option<bool> {
        Some(match (self.dtype.kind(), self.dtype.itemsize()) {
            (Kind::Float, 4) => every!(self, f32, f64::from, test),
            (Kind::Float, 8) => every!(self, f64, f64::from, test),
            _ => return None,
        })
    }

    fn one(self, index: usize) -> Option<Self> {
        let start = index.checked_mul(self.stride)?;
        let end = start.checked_add(self.stride)?;
        let bytes = self.bytes.get(start..end)?;
        Some(Self { bytes, ..self })
    }

    /// The integer at a place in memory order.
    pub(crate) fn int_at(self, index: usize) -> Option<i64> {
        let mut found = None;
        self.one(index)?.all_ints(|value| {
            found = Some(value);
            true
        })?;
        found
    }

    /// The number at a place in memory order.
    pub(crate) fn float_at(self, index: usize) -> Option<f64> {
        let mut found = None;
        let one = self.one(index)?;
        let mut keep = |value| {
            found = Some(value);
            true
        };
        one.all_floats(&mut keep)
            .or_else(|| one.all_ints(|value| keep(int_to_float(value))))?;
        found
    }
}
