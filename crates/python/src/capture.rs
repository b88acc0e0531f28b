//! A graph from Python objects, as skops takes them apart.
//!
//! Source: the `*_get_state` functions of `skops/io` (skops 0.16.0) and the order in which they are
//! registered; the first class of an object's method resolution order that has a row decides.

use std::sync::{Mutex, PoisonError};

use nopickle_formats::{ArrayId, GlobalId, Graph, Items, Node, NodeId};
use numpy::{PyArrayDescrMethods, PyUntypedArray, PyUntypedArrayMethods};
use pyo3::exceptions::{PyOverflowError, PyTypeError};
use pyo3::prelude::*;
use pyo3::types::{
    PyByteArray, PyBytes, PyDict, PyFloat, PyInt, PyList, PyMemoryView, PySet, PyString, PyTuple,
    PyType,
};
use rustc_hash::{FxHashMap, FxHashSet};

use crate::errors::exception;
use crate::materialize::public_name;

/// The memory of one array that will be written.
pub(crate) struct Captured {
    /// Holds the memory.
    _object: Py<PyAny>,
    start: *const u8,
    length: usize,
    pub(crate) descr: usize,
    pub(crate) shape: Vec<usize>,
    pub(crate) fortran: bool,
}

// SAFETY: the object is alive, and its memory is only read. A model that another thread changes while
// it is saved gives a file of mixed values, as it does with pickle.
#[expect(
    unsafe_code,
    reason = "arrays are written while the interpreter is detached"
)]
unsafe impl Sync for Captured {}

impl Captured {
    #[expect(unsafe_code, reason = "the memory belongs to a Python object")]
    pub(crate) fn bytes(&self) -> &[u8] {
        if self.length == 0 {
            return &[];
        }
        // SAFETY: `start` points to `length` bytes of an object that `_object` keeps alive.
        unsafe { std::slice::from_raw_parts(self.start, self.length) }
    }
}

/// How objects of a type are taken apart.
#[derive(Clone, Copy, PartialEq)]
enum Kind {
    Array,
    ByteArray,
    Bytes,
    Constructed,
    DType,
    DefaultDict,
    Dict,
    Enum,
    Function,
    Generator,
    List,
    Loss,
    MaskedArray,
    Method,
    Object,
    Operator,
    Partial,
    Property,
    RandomState,
    Reduced,
    Scalar,
    Set,
    Slice,
    Sparse,
    Tuple,
    Type,
    ZoneInfo,
}

/// Classes by module and name, sorted.
const KINDS: &[(&str, &str, Kind)] = &[
    // The names of these modules in scikit-learn 1.5 to 1.8.
    ("_loss", "CyHalfMultinomialLoss", Kind::Loss),
    ("_loss", "CyLossFunction", Kind::Loss),
    ("builtins", "builtin_function_or_method", Kind::Type),
    ("builtins", "bytearray", Kind::ByteArray),
    ("builtins", "bytes", Kind::Bytes),
    ("builtins", "dict", Kind::Dict),
    ("builtins", "function", Kind::Function),
    ("builtins", "list", Kind::List),
    ("builtins", "method", Kind::Method),
    ("builtins", "object", Kind::Object),
    ("builtins", "property", Kind::Property),
    ("builtins", "set", Kind::Set),
    ("builtins", "slice", Kind::Slice),
    ("builtins", "tuple", Kind::Tuple),
    ("builtins", "type", Kind::Type),
    ("collections", "defaultdict", Kind::DefaultDict),
    ("functools", "partial", Kind::Partial),
    ("numpy", "_ArrayFunctionDispatcher", Kind::Function),
    ("numpy", "dtype", Kind::DType),
    ("numpy", "generic", Kind::Scalar),
    ("numpy", "ndarray", Kind::Array),
    ("numpy", "ufunc", Kind::Function),
    ("numpy.ma", "MaskedArray", Kind::MaskedArray),
    ("numpy.ma.core", "MaskedArray", Kind::MaskedArray),
    ("numpy.random._generator", "Generator", Kind::Generator),
    ("numpy.random.mtrand", "RandomState", Kind::RandomState),
    ("operator", "attrgetter", Kind::Operator),
    ("operator", "itemgetter", Kind::Operator),
    ("operator", "methodcaller", Kind::Operator),
    (
        "quantile_forest._quantile_forest_fast",
        "QuantileForest",
        Kind::Reduced,
    ),
    // lil and dok have no npz form: they are taken apart as plain objects.
    ("scipy.sparse._base", "sparray", Kind::Sparse),
    ("scipy.sparse._dok", "_dok_base", Kind::Constructed),
    ("scipy.sparse._lil", "_lil_base", Kind::Constructed),
    ("scipy.sparse._matrix", "spmatrix", Kind::Sparse),
    ("sklearn._loss._loss", "CyHalfMultinomialLoss", Kind::Loss),
    ("sklearn._loss._loss", "CyLossFunction", Kind::Loss),
    ("sklearn.linear_model._sgd_fast", "LossFunction", Kind::Loss),
    ("sklearn.tree._tree", "Tree", Kind::Reduced),
    ("zoneinfo", "ZoneInfo", Kind::ZoneInfo),
];

/// What is known of a type after its first object.
#[derive(Clone, Copy)]
struct TypeFacts {
    kind: Kind,
    class: GlobalId,
    /// Whether `__reduce__` is that of `object`.
    plain_reduce: bool,
    getstate: GetState,
    own_reduce_ex: bool,
}

/// Whose `__getstate__` a class has.
#[derive(Clone, Copy, PartialEq)]
enum GetState {
    Nobodys,
    /// That of `object`, from Python 3.11 on.
    Plain,
    Own,
}

/// Equal scalars are one node, as far as this many are remembered.
const REMEMBERED: usize = 4096;
/// Texts up to this many bytes are remembered.
const SHORT: usize = 64;
/// Keys of dicts up to this size are remembered.
const SMALL_DICT: usize = 1024;

/// The first type number that is not a plain one: void, and after datetimes those of other packages.
const NPY_VOID: i32 = 20;

/// Takes objects apart without recursion.
pub(crate) struct Capture<'py> {
    py: Python<'py>,
    pub(crate) graph: Graph,
    pub(crate) arrays: Vec<Captured>,
    /// The Python literals of dtypes.
    pub(crate) descrs: Vec<String>,
    descr_of: FxHashMap<usize, usize>,
    /// Objects by address; all of them are kept alive, so that no address is used twice.
    memo: FxHashMap<usize, NodeId>,
    alive: Vec<Bound<'py, PyAny>>,
    types: FxHashMap<usize, TypeFacts>,
    /// Classes of which an object was found to be within Python's reach.
    asked: FxHashSet<usize>,
    texts: FxHashMap<String, NodeId>,
    text_at: FxHashMap<usize, NodeId>,
    ints: FxHashMap<i64, NodeId>,
    floats: FxHashMap<u64, NodeId>,
    constants: [Option<NodeId>; 3],
    keys: FxHashMap<usize, NodeId>,
    /// Top-level modules that models bring, and the private package that each stands in.
    own: FxHashMap<String, String>,
    work: Vec<(Bound<'py, PyAny>, NodeId, TypeFacts)>,
    str_type: usize,
    int_type: usize,
    float_type: usize,
    property_type: usize,
}

fn address<T>(object: &Bound<'_, T>) -> usize {
    object.as_ptr() as usize
}

impl<'py> Capture<'py> {
    pub(crate) fn new(py: Python<'py>) -> PyResult<Self> {
        let property = py.import("builtins")?.getattr("property")?;
        Ok(Self {
            property_type: address(&property),
            py,
            graph: Graph::new("schema.json"),
            arrays: Vec::new(),
            descrs: Vec::new(),
            descr_of: FxHashMap::default(),
            memo: FxHashMap::default(),
            alive: Vec::new(),
            types: FxHashMap::default(),
            asked: FxHashSet::default(),
            texts: FxHashMap::default(),
            text_at: FxHashMap::default(),
            ints: FxHashMap::default(),
            floats: FxHashMap::default(),
            constants: [None; 3],
            keys: FxHashMap::default(),
            own: FxHashMap::default(),
            work: Vec::new(),
            str_type: address(&py.get_type::<PyString>()),
            int_type: address(&py.get_type::<PyInt>()),
            float_type: address(&py.get_type::<PyFloat>()),
        })
    }

    /// Takes a whole object apart.
    pub(crate) fn run(&mut self, object: &Bound<'py, PyAny>) -> PyResult<()> {
        let root = self.node(object)?;
        self.graph.set_root(root);
        while let Some((object, id, facts)) = self.work.pop() {
            let node = self.take_apart(&object, facts)?;
            self.graph.set(id, node);
        }
        Ok(())
    }

    fn full(&self) -> PyErr {
        let message = "the object has more than 4,294,967,295 parts".to_owned();
        exception(self.py, "LimitExceededError", message)
    }

    fn unsupported(&self, message: String) -> PyErr {
        exception(self.py, "UnsupportedTypeError", message)
    }

    fn push(&mut self, node: Node) -> PyResult<NodeId> {
        self.graph.push(node, 0).ok_or_else(|| self.full())
    }

    fn link(&mut self, nodes: &[NodeId]) -> PyResult<Items> {
        self.graph.link(nodes).ok_or_else(|| self.full())
    }

    fn global(&mut self, module: &str, name: &str) -> PyResult<GlobalId> {
        self.graph.global(module, name).ok_or_else(|| self.full())
    }

    /// The node of an object: known, made at once for a scalar, else left to be taken apart.
    fn node(&mut self, object: &Bound<'py, PyAny>) -> PyResult<NodeId> {
        let at = address(object);
        let kind = address(&object.get_type());
        if kind == self.str_type {
            return self.text(object.cast::<PyString>()?);
        }
        if kind == self.int_type {
            return self.int(object);
        }
        if kind == self.float_type {
            return self.float(object.extract()?);
        }
        if object.is_none() {
            return self.constant(0, Node::None);
        }
        if object.is_exact_instance_of::<pyo3::types::PyBool>() {
            let value: bool = object.extract()?;
            return self.constant(1 + usize::from(value), Node::Bool(value));
        }
        if let Some(&known) = self.memo.get(&at) {
            return Ok(known);
        }
        let facts = self.facts(object)?;
        let id = self.push(Node::Pending)?;
        self.memo.insert(at, id);
        self.work.push((object.clone(), id, facts));
        self.alive.push(object.clone());
        Ok(id)
    }

    fn constant(&mut self, index: usize, node: Node) -> PyResult<NodeId> {
        if let Some(known) = self.constants[index] {
            return Ok(known);
        }
        let id = self.push(node)?;
        self.constants[index] = Some(id);
        Ok(id)
    }

    fn text(&mut self, object: &Bound<'py, PyString>) -> PyResult<NodeId> {
        let at = address(object);
        if let Some(&known) = self.text_at.get(&at) {
            return Ok(known);
        }
        let Ok(text) = object.to_str() else {
            return self.wide_text(object);
        };
        if text.len() <= SHORT
            && let Some(&known) = self.texts.get(text)
        {
            return Ok(known);
        }
        let run = self.graph.push_text(text).ok_or_else(|| self.full())?;
        let id = self.push(Node::Str(run))?;
        if text.len() <= SHORT && self.texts.len() < REMEMBERED {
            self.texts.insert(text.to_owned(), id);
            self.text_at.insert(at, id);
            self.alive.push(object.clone().into_any());
        }
        Ok(id)
    }

    fn wide_text(&mut self, object: &Bound<'py, PyString>) -> PyResult<NodeId> {
        let bytes = object.call_method1("encode", ("utf-8", "surrogatepass"))?;
        let run = self
            .graph
            .push_wide(bytes.cast::<PyBytes>()?.as_bytes())
            .ok_or_else(|| self.full())?;
        self.push(Node::WideStr(run))
    }

    fn int(&mut self, object: &Bound<'py, PyAny>) -> PyResult<NodeId> {
        match object.extract::<i64>() {
            Ok(value) => {
                if let Some(&known) = self.ints.get(&value) {
                    return Ok(known);
                }
                let id = self.push(Node::Int(value))?;
                if self.ints.len() < REMEMBERED {
                    self.ints.insert(value, id);
                }
                Ok(id)
            }
            Err(error) if error.is_instance_of::<PyOverflowError>(self.py) => {
                let digits = object.str().map_err(|_| {
                    self.unsupported("integers of more digits than sys.get_int_max_str_digits() are not supported".to_owned())
                })?;
                let run = self
                    .graph
                    .push_text(digits.to_str()?)
                    .ok_or_else(|| self.full())?;
                self.push(Node::BigInt(run))
            }
            Err(error) => Err(error),
        }
    }

    fn float(&mut self, value: f64) -> PyResult<NodeId> {
        if let Some(&known) = self.floats.get(&value.to_bits()) {
            return Ok(known);
        }
        let id = self.push(Node::Float(value))?;
        if self.floats.len() < REMEMBERED {
            self.floats.insert(value.to_bits(), id);
        }
        Ok(id)
    }

    /// A module's name as its author wrote it. A file can't tell modules of two models apart that have one name.
    fn own(&mut self, module: String) -> PyResult<String> {
        let name = public_name(&module);
        if name == module {
            return Ok(module);
        }
        let top = name.split('.').next().unwrap_or(name).to_owned();
        let package = module[..module.len() - name.len()].to_owned();
        if *self.own.entry(top).or_insert_with(|| package.clone()) != package {
            return Err(self.unsupported(format!(
                "the code of two models is not supported in one file: both bring a module {name}"
            )));
        }
        Ok(name.to_owned())
    }

    fn facts(&mut self, object: &Bound<'py, PyAny>) -> PyResult<TypeFacts> {
        let class = object.get_type();
        if let Some(&known) = self.types.get(&address(&class)) {
            return Ok(known);
        }
        let (kind, module, name) = recognized(&class)?;
        if let Ok(module) = class.getattr("__module__")?.extract() {
            self.own(module)?;
        }
        let plain = self.py.get_type::<PyAny>();
        let getstate = class.getattr_opt(pyo3::intern!(self.py, "__getstate__"))?;
        let getstate = match (
            getstate,
            plain.getattr_opt(pyo3::intern!(self.py, "__getstate__"))?,
        ) {
            (None, _) => GetState::Nobodys,
            (Some(own), Some(plain)) if own.is(&plain) => GetState::Plain,
            (Some(_), _) => GetState::Own,
        };
        let facts = TypeFacts {
            kind,
            class: self.global(&module, &name)?,
            plain_reduce: class
                .getattr(pyo3::intern!(self.py, "__reduce__"))?
                .is(&plain.getattr(pyo3::intern!(self.py, "__reduce__"))?),
            getstate,
            own_reduce_ex: !class
                .getattr(pyo3::intern!(self.py, "__reduce_ex__"))?
                .is(&plain.getattr(pyo3::intern!(self.py, "__reduce_ex__"))?),
        };
        self.alive.push(class.clone().into_any());
        self.types.insert(address(&class), facts);
        Ok(facts)
    }

    fn nodes(&mut self, objects: impl IntoIterator<Item = Bound<'py, PyAny>>) -> PyResult<Items> {
        let mut nodes = Vec::new();
        for object in objects {
            nodes.push(self.node(&object)?);
        }
        self.link(&nodes)
    }

    #[expect(
        clippy::too_many_lines,
        reason = "one flat match over the kinds of objects"
    )]
    fn take_apart(&mut self, object: &Bound<'py, PyAny>, facts: TypeFacts) -> PyResult<Node> {
        let py = self.py;
        let class = facts.class;
        Ok(match facts.kind {
            Kind::List => {
                let items = match object.cast_exact::<PyList>() {
                    Ok(list) => self.nodes(list.iter())?,
                    Err(_) => self.nodes(object.try_iter()?.collect::<PyResult<Vec<_>>>()?)?,
                };
                Node::List(class, items)
            }
            Kind::Tuple => {
                let items = self.nodes(object.cast::<PyTuple>()?.iter())?;
                Node::Tuple(class, items)
            }
            Kind::Set => Node::Set(class, self.set(object.cast::<PySet>()?)?),
            Kind::Dict => self.dict(object.cast::<PyDict>()?, class)?,
            Kind::DefaultDict => {
                let plain = object.cast::<PyDict>()?;
                let main = py.get_type::<PyDict>().call1((plain,))?;
                let factory = self.node(&object.getattr("default_factory")?)?;
                let main = self.node(&main)?;
                Node::DefaultDict(class, self.link(&[factory, main])?)
            }
            Kind::Bytes => {
                let bytes = object.cast::<PyBytes>()?.as_bytes();
                Node::Bytes(self.raw(object, bytes.as_ptr(), bytes.len())?)
            }
            Kind::ByteArray => {
                // While there is a view of it, a bytearray neither grows nor moves.
                let view = PyMemoryView::from(object)?;
                let bytes = object.cast::<PyByteArray>()?;
                let (start, length) = (bytes.data().cast_const(), bytes.len());
                Node::ByteArray(self.raw(&view.into_any(), start, length)?)
            }
            Kind::Slice => {
                let parts = [
                    object.getattr("start")?,
                    object.getattr("stop")?,
                    object.getattr("step")?,
                ];
                for part in &parts {
                    if !(part.is_none()
                        || part.is_instance_of::<PyInt>()
                        || part.is_exact_instance_of::<PyString>())
                    {
                        return Err(self.unsupported(format!(
                            "slices of {} are not supported",
                            part.get_type()
                        )));
                    }
                }
                Node::Slice(self.nodes(parts)?)
            }
            Kind::Function => self.function(object)?,
            Kind::Type => {
                let (module, name) = self.named(object)?;
                Node::Global(self.global(&module, &name)?)
            }
            Kind::Method => {
                let owner = object.getattr("__self__")?;
                let name: String = object.getattr("__func__")?.getattr("__name__")?.extract()?;
                let (module, class_name) = module_and_name(&owner.get_type())?;
                let method = self.global(&module, &format!("{class_name}.{name}"))?;
                Node::Method(method, self.nodes([owner])?)
            }
            Kind::Partial => {
                let reduced = object.call_method0("__reduce__")?.cast_into::<PyTuple>()?;
                let state = reduced.get_item(2)?.cast_into::<PyTuple>()?;
                let partial = self.global("functools", "partial")?;
                Node::Partial(partial, self.nodes(state.iter())?)
            }
            Kind::Operator => {
                let reduced = object.call_method0("__reduce__")?.cast_into::<PyTuple>()?;
                let (_, name) = self.graph.global_parts(class);
                let name = name.to_owned();
                let class = self.global("operator", &name)?;
                // With keywords, `methodcaller` reduces to a partial.
                if !reduced.get_item(0)?.is(object.get_type()) {
                    return Err(self.unsupported(
                        "operator.methodcaller with keyword arguments is not supported".to_owned(),
                    ));
                }
                Node::Construct(class, self.nodes([reduced.get_item(1)?])?)
            }
            Kind::ZoneInfo => self.zone(object, class)?,
            Kind::Array => self.array(object, class)?,
            Kind::Scalar => {
                let array = py.import("numpy")?.getattr("asarray")?.call1((object,))?;
                if array.getattr("dtype")?.getattr("hasobject")?.is_truthy()? {
                    return Err(self.unsupported(format!(
                        "numpy scalars of dtype {} are not supported",
                        array.getattr("dtype")?
                    )));
                }
                Node::Array(class, self.memory(array.cast::<PyUntypedArray>()?)?)
            }
            Kind::MaskedArray => {
                let items = self.nodes([object.getattr("data")?, object.getattr("mask")?])?;
                Node::MaskedArray(class, items)
            }
            Kind::DType => {
                let empty = py.import("numpy")?.getattr("ndarray")?.call1((0, object))?;
                let class = self.global("numpy", "dtype")?;
                Node::DType(class, self.nodes([empty])?)
            }
            Kind::RandomState => {
                let keywords = PyDict::new(py);
                keywords.set_item("legacy", false)?;
                let state = object.call_method("get_state", (), Some(&keywords))?;
                let name: String = state.get_item("bit_generator")?.extract()?;
                if name != "MT19937" {
                    let message = format!(
                        "RandomState on {name} is not supported; use numpy.random.Generator"
                    );
                    return Err(self.unsupported(message));
                }
                Node::RandomState(class, self.nodes([state])?)
            }
            Kind::Generator => {
                let bits = object.getattr("bit_generator")?;
                let seed = bits.getattr("seed_seq")?.getattr("state")?;
                Node::Generator(class, self.nodes([bits.getattr("state")?, seed])?)
            }
            Kind::Sparse => self.sparse(object, class)?,
            Kind::Reduced => {
                let reduced = object.call_method0("__reduce__")?.cast_into::<PyTuple>()?;
                let state = if reduced.len() > 2 {
                    reduced.get_item(2)?
                } else {
                    PyDict::new(py).into_any()
                };
                Node::Construct(class, self.nodes([reduced.get_item(1)?, state])?)
            }
            Kind::Loss => self.loss(object, class)?,
            // A member of an enum is its class called with its value.
            Kind::Enum => {
                let args = PyTuple::new(py, [object.getattr("value")?])?;
                Node::Construct(class, self.nodes([args.into_any()])?)
            }
            Kind::Constructed => {
                let state = object.getattr("__dict__")?;
                Node::Object(class, self.nodes([state])?)
            }
            Kind::Property => {
                return Err(self.unsupported("property objects are not supported".to_owned()));
            }
            Kind::Object => self.object(object, facts)?,
        })
    }

    /// Sets of text or of numbers are sorted, so that equal models give equal bytes.
    fn set(&mut self, set: &Bound<'py, PySet>) -> PyResult<Items> {
        let mut items: Vec<Bound<'py, PyAny>> = set.iter().collect();
        if items
            .iter()
            .all(PyAnyMethods::is_exact_instance_of::<PyString>)
        {
            items.sort_by_cached_key(|item| item.extract::<String>().unwrap_or_default());
        } else if items
            .iter()
            .all(PyAnyMethods::is_exact_instance_of::<PyInt>)
        {
            items.sort_by_cached_key(|item| item.extract::<i128>().unwrap_or_default());
        }
        self.nodes(items)
    }

    fn dict(&mut self, dict: &Bound<'py, PyDict>, class: GlobalId) -> PyResult<Node> {
        let small = dict.len() <= SMALL_DICT;
        let mut pairs = Vec::with_capacity(2 * dict.len());
        let mut kinds = Vec::new();
        for (key, value) in dict.iter() {
            // skops leaves properties out of dicts.
            if address(&value.get_type()) == self.property_type {
                continue;
            }
            if address(&key.get_type()) == self.str_type {
                pairs.push(self.key_text(&key, small)?);
            } else {
                kinds.push(address(&key.get_type()));
                match self.other_key(&key)? {
                    Some(key) => pairs.push(key),
                    None => return self.dict_of_pairs(dict, class),
                }
            }
            pairs.push(self.node(&value)?);
        }
        // Keys of two types may have one text.
        let text_keys = pairs.len() / 2 - kinds.len();
        if !kinds.is_empty() && (text_keys > 0 || kinds.windows(2).any(|pair| pair[0] != pair[1])) {
            return self.dict_of_pairs(dict, class);
        }
        Ok(Node::Dict(class, self.link(&pairs)?))
    }

    fn key_text(&mut self, key: &Bound<'py, PyAny>, small: bool) -> PyResult<NodeId> {
        let at = address(key);
        if small && let Some(&known) = self.keys.get(&at) {
            return Ok(known);
        }
        let text = key.cast::<PyString>()?;
        let id = match text.to_str() {
            Ok(text) => {
                let run = self.graph.push_text(text).ok_or_else(|| self.full())?;
                self.push(Node::Str(run))?
            }
            Err(_) => self.wide_text(text)?,
        };
        if small && self.keys.len() < REMEMBERED {
            self.keys.insert(at, id);
            self.alive.push(key.clone());
        }
        Ok(id)
    }

    /// A key that json writes as text and that its type reads back; `None` for any other.
    fn other_key(&mut self, key: &Bound<'py, PyAny>) -> PyResult<Option<NodeId>> {
        let kind = key.get_type();
        if address(&kind) == self.int_type {
            if let Ok(value) = key.extract::<i64>() {
                return self.push(Node::Int(value)).map(Some);
            }
            let digits = key.str()?;
            let run = self
                .graph
                .push_text(digits.to_str()?)
                .ok_or_else(|| self.full())?;
            return self.push(Node::BigInt(run)).map(Some);
        }
        if address(&kind) == self.float_type {
            let value: f64 = key.extract()?;
            return if value.is_nan() {
                Ok(None)
            } else {
                self.push(Node::Float(value)).map(Some)
            };
        }
        let (module, name) = module_and_name(&kind)?;
        let number = matches!(
            name.as_str(),
            "int8"
                | "int16"
                | "int32"
                | "int64"
                | "uint8"
                | "uint16"
                | "uint32"
                | "uint64"
                | "float64"
        );
        if module != "numpy" || !(number || name == "str_") {
            return Ok(None);
        }
        let item = key.call_method0("item")?;
        let text = if name == "str_" {
            item
        } else {
            item.repr()?.into_any()
        };
        let text = text.cast::<PyString>()?;
        let Ok(text) = text.to_str() else {
            return Ok(None);
        };
        if text == "nan" {
            return Ok(None);
        }
        let run = self.graph.push_text(text).ok_or_else(|| self.full())?;
        let class = self.global(&module, &name)?;
        self.push(Node::Key(class, run)).map(Some)
    }

    /// A dict with keys that JSON has no form for: its class, called with a list of pairs.
    fn dict_of_pairs(&mut self, dict: &Bound<'py, PyDict>, class: GlobalId) -> PyResult<Node> {
        let name = self.graph.name(class);
        if !matches!(name, "builtins.dict" | "collections.OrderedDict") {
            let message = format!(
                "{name} with keys other than text, or of several types, is not supported; use a dict"
            );
            return Err(self.unsupported(message));
        }
        let pairs: Vec<_> = dict
            .iter()
            .map(|pair| pair.into_pyobject(self.py))
            .collect::<Result<_, _>>()?;
        let args = PyTuple::new(self.py, [PyList::new(self.py, pairs)?])?;
        Ok(Node::Construct(class, self.nodes([args.into_any()])?))
    }

    fn raw(
        &mut self,
        object: &Bound<'py, PyAny>,
        start: *const u8,
        length: usize,
    ) -> PyResult<ArrayId> {
        let id = self.graph.push_memory_array().ok_or_else(|| self.full())?;
        let descr = self.descr_text(String::new());
        self.arrays.push(Captured {
            _object: object.clone().unbind(),
            start,
            length,
            descr,
            shape: Vec::new(),
            fortran: false,
        });
        Ok(id)
    }

    fn descr_text(&mut self, text: String) -> usize {
        if let Some(known) = self.descrs.iter().position(|known| *known == text) {
            return known;
        }
        self.descrs.push(text);
        self.descrs.len() - 1
    }

    /// The memory of an array without objects, copied only where it is neither C nor Fortran contiguous.
    #[expect(unsafe_code, reason = "the address of an array's memory")]
    fn memory(&mut self, array: &Bound<'py, PyUntypedArray>) -> PyResult<ArrayId> {
        let dtype = array.dtype();
        let at = address(&dtype);
        let descr = if let Some(&known) = self.descr_of.get(&at) {
            known
        } else {
            if dtype.has_object() {
                return Err(
                    self.unsupported(format!("numpy arrays of dtype {dtype} are not supported"))
                );
            }
            let text = if dtype.has_fields() || dtype.has_subarray() || dtype.num() >= NPY_VOID {
                let format = self.py.import("numpy.lib.format")?;
                format
                    .getattr("dtype_to_descr")?
                    .call1((&dtype,))?
                    .repr()?
                    .extract()?
            } else {
                format!("'{}'", dtype.getattr("str")?.cast::<PyString>()?.to_str()?)
            };
            let known = self.descr_text(text);
            self.descr_of.insert(at, known);
            self.alive.push(dtype.clone().into_any());
            known
        };
        let array = if array.is_c_contiguous() || array.is_fortran_contiguous() {
            array.clone()
        } else {
            let copy = self
                .py
                .import("numpy")?
                .getattr("ascontiguousarray")?
                .call1((array,))?;
            copy.cast_into::<PyUntypedArray>()?
        };
        let length = array.len() * dtype.itemsize();
        let id = self.graph.push_memory_array().ok_or_else(|| self.full())?;
        // SAFETY: the object is an array, so its data pointer may be read.
        let start = unsafe { (*array.as_array_ptr()).fields.data };
        self.arrays.push(Captured {
            start: start.cast_const().cast(),
            length,
            descr,
            shape: array.shape().to_vec(),
            fortran: array.is_fortran_contiguous() && !array.is_c_contiguous(),
            _object: array.into_any().unbind(),
        });
        Ok(id)
    }

    fn array(&mut self, object: &Bound<'py, PyAny>, class: GlobalId) -> PyResult<Node> {
        let array = object.cast::<PyUntypedArray>()?;
        // A memory map is an array whose bytes come from a file; they are saved as bytes.
        let class = if self.graph.name(class) == "numpy.memmap" {
            self.global("numpy", "ndarray")?
        } else {
            class
        };
        let dtype = array.dtype();
        if !dtype.has_object() {
            return Ok(Node::Array(class, self.memory(array)?));
        }
        if dtype.has_fields() || dtype.has_subarray() {
            return Err(
                self.unsupported(format!("numpy arrays of dtype {dtype} are not supported"))
            );
        }
        if array.ndim() == 0 {
            return Err(self.unsupported(
                "numpy arrays of objects without dimensions are not supported".to_owned(),
            ));
        }
        let shape = PyTuple::new(self.py, array.shape())?;
        let flat = object
            .call_method0("ravel")?
            .call_method0("tolist")?
            .cast_into::<PyList>()?;
        let mut nodes = vec![self.node(&shape.into_any())?];
        for item in flat.iter() {
            nodes.push(self.node(&item)?);
        }
        Ok(Node::ObjectArray(class, self.link(&nodes)?))
    }

    fn sparse(&mut self, object: &Bound<'py, PyAny>, class: GlobalId) -> PyResult<Node> {
        let py = self.py;
        let numpy = py.import("numpy")?;
        let format: String = object.getattr("format")?.extract()?;
        let mut parts: Vec<(&str, Bound<'py, PyAny>)> = Vec::new();
        match format.as_str() {
            "csr" | "csc" | "bsr" => {
                parts.push(("indices", object.getattr("indices")?));
                parts.push(("indptr", object.getattr("indptr")?));
            }
            "dia" => parts.push(("offsets", object.getattr("offsets")?)),
            "coo" if object.getattr("ndim")?.extract::<usize>()? == 2 => {
                parts.push(("row", object.getattr("row")?));
                parts.push(("col", object.getattr("col")?));
            }
            other => {
                return Err(self.unsupported(format!(
                    "sparse containers of format {other} are not supported"
                )));
            }
        }
        let bytes = numpy
            .getattr("array")?
            .call1((PyBytes::new(py, format.as_bytes()),))?;
        parts.push(("format", bytes));
        parts.push((
            "shape",
            numpy
                .getattr("array")?
                .call1((object.getattr("shape")?, "<i8"))?,
        ));
        parts.push(("data", object.getattr("data")?));
        if self.graph.name(class).ends_with("_array") {
            parts.push(("_is_array", numpy.getattr("array")?.call1((true,))?));
        }
        let ndarray = self.global("numpy", "ndarray")?;
        let mut nodes = Vec::new();
        for (name, part) in parts {
            let text = self.graph.push_text(name).ok_or_else(|| self.full())?;
            nodes.push(self.push(Node::Str(text))?);
            let array = part.cast_into::<PyUntypedArray>()?;
            let memory = self.memory(&array)?;
            nodes.push(self.push(Node::Array(ndarray, memory))?);
        }
        Ok(Node::Sparse(class, self.link(&nodes)?))
    }

    /// A function by its name.
    fn function(&mut self, object: &Bound<'py, PyAny>) -> PyResult<Node> {
        let (module, name) = self.named(object)?;
        if name == "<lambda>" {
            return Err(self.unsupported(
                "a lambda has no name to be found by when the model is loaded; give it one with def in a module".to_owned(),
            ));
        }
        Ok(Node::Function(self.global(&module, &name)?))
    }

    /// Module and `__name__` of a class or function.
    fn named(&mut self, object: &Bound<'py, PyAny>) -> PyResult<(String, String)> {
        let name: String = object.getattr("__name__")?.extract()?;
        let module = match object.getattr_opt("__module__")? {
            Some(module) if !module.is_none() => module.extract()?,
            _ => self.search(object, &name)?,
        };
        Ok((self.own(module)?, name))
    }

    /// The module that holds an object which does not say so itself, such as scipy's ufuncs.
    fn search(&self, object: &Bound<'py, PyAny>, name: &str) -> PyResult<String> {
        let modules = self
            .py
            .import("sys")?
            .getattr("modules")?
            .cast_into::<PyDict>()?;
        let holds = |module: &Bound<'py, PyAny>| {
            // A module's own dict: no `__getattr__` of a lazy module is called.
            let dict = module
                .getattr("__dict__")
                .ok()
                .and_then(|dict| dict.cast_into::<PyDict>().ok());
            dict.and_then(|dict| dict.get_item(name).ok().flatten())
                .is_some_and(|found| found.is(object))
        };
        // The same name whatever was imported first.
        for module in ["scipy.special._ufuncs", "scipy.special", "numpy"] {
            if let Some(found) = modules.get_item(module)?
                && holds(&found)
            {
                return Ok(module.to_owned());
            }
        }
        for (module_name, module) in modules.copy()? {
            let module_name: String = module_name.extract()?;
            if !matches!(module_name.as_str(), "__main__" | "__mp_main__") && holds(&module) {
                return Ok(module_name);
            }
        }
        Ok("__main__".to_owned())
    }

    fn zone(&mut self, object: &Bound<'py, PyAny>, class: GlobalId) -> PyResult<Node> {
        if object.call_method0("__reduce__").is_err() {
            return Err(self.unsupported(
                "ZoneInfo objects created with ZoneInfo.from_file are not supported: their data can't be \
                 loaded from a key; create the object with ZoneInfo(key)"
                    .to_owned(),
            ));
        }
        let args = PyTuple::new(self.py, [object.getattr("key")?])?;
        Ok(Node::Construct(class, self.nodes([args.into_any()])?))
    }

    /// Cython losses reduce to their class with arguments, or to an unpickling function with the
    /// class and its state.
    fn loss(&mut self, object: &Bound<'py, PyAny>, class: GlobalId) -> PyResult<Node> {
        let py = self.py;
        // In scikit-learn 1.5 to 1.8 these classes give a module that can't be imported.
        let class = match self.graph.global_parts(class) {
            ("_loss", name) => {
                let name = name.to_owned();
                self.global("sklearn._loss._loss", &name)?
            }
            _ => class,
        };
        let reduced = object.call_method0("__reduce__")?.cast_into::<PyTuple>()?;
        let args = reduced.get_item(1)?.cast_into::<PyTuple>()?;
        let empty = PyTuple::empty(py).into_any();
        let (args, state) = if reduced.get_item(0)?.is(object.get_type()) {
            let state = if reduced.len() > 2 {
                reduced.get_item(2)?
            } else {
                PyDict::new(py).into_any()
            };
            (args.into_any(), state)
        } else if args.get_item(0)?.is(object.get_type()) {
            if reduced.len() > 2 {
                (empty, reduced.get_item(2)?)
            } else {
                let inner = args.get_item(2)?;
                (
                    if inner.is_none() { empty } else { inner },
                    PyDict::new(py).into_any(),
                )
            }
        } else {
            return Err(self.unsupported(format!(
                "{} reduces to something unknown",
                object.get_type()
            )));
        };
        Ok(Node::Construct(class, self.nodes([args, state])?))
    }

    /// An object of a class derived from a text or a number, as json writes it: an enum of text becomes text.
    fn derived(&mut self, object: &Bound<'py, PyAny>) -> PyResult<Option<Node>> {
        if object.is_instance_of::<PyString>() {
            let plain = self
                .py
                .get_type::<PyString>()
                .getattr("__str__")?
                .call1((object,))?;
            let text = plain.cast_into::<PyString>()?;
            let node = self.text(&text)?;
            return Ok(Some(self.graph.node(node)));
        }
        if object.is_instance_of::<PyInt>() {
            let plain = self
                .py
                .get_type::<PyInt>()
                .getattr("__int__")?
                .call1((object,))?;
            let node = self.int(&plain)?;
            return Ok(Some(self.graph.node(node)));
        }
        if object.is_instance_of::<PyFloat>() {
            return Ok(Some(Node::Float(object.extract()?)));
        }
        Ok(None)
    }

    fn object(&mut self, object: &Bound<'py, PyAny>, facts: TypeFacts) -> PyResult<Node> {
        if let Some(node) = self.derived(object)? {
            return Ok(node);
        }
        if !facts.plain_reduce {
            // Dates keep their fold from protocol 4 on.
            let reduced = if facts.own_reduce_ex {
                object.call_method1("__reduce_ex__", (4,))?
            } else {
                object.call_method0("__reduce__")?
            };
            if let Ok(reduced) = reduced.cast::<PyTuple>()
                && reduced.len() >= 2
                && reduced.get_item(0)?.is(object.get_type())
                && reduced.iter().skip(2).all(|part| part.is_none())
            {
                return Ok(Node::Construct(
                    facts.class,
                    self.nodes([reduced.get_item(1)?])?,
                ));
            }
        }
        // pickle knows which objects are more than what Python sees of them: files, locks, iterators. One of
        // each class is asked; scikit-learn's own need not be, nor those that say themselves what their state is.
        let (module, _) = self.graph.global_parts(facts.class);
        if facts.plain_reduce
            && facts.getstate != GetState::Own
            && !module.starts_with("sklearn.")
            && self.asked.insert(address(&object.get_type()))
            && let Err(error) = object.call_method1("__reduce_ex__", (2,))
            && error.is_instance_of::<PyTypeError>(self.py)
        {
            let name = self.graph.name(facts.class);
            return Err(self.unsupported(format!(
                "objects of {name} are not supported: {}",
                error.value(self.py)
            )));
        }
        if facts.getstate == GetState::Nobodys
            && object
                .getattr_opt(pyo3::intern!(self.py, "__dict__"))?
                .is_none()
        {
            return self.reduced_object(object, facts);
        }
        let state = if self.graph.name(facts.class) == "lightgbm.basic.Booster" {
            self.py
                .import("nopickle._boosters")?
                .call_method1(pyo3::intern!(self.py, "state"), (object,))?
        } else if facts.getstate != GetState::Nobodys {
            object.call_method0(pyo3::intern!(self.py, "__getstate__"))?
        } else if let Some(dict) = object.getattr_opt(pyo3::intern!(self.py, "__dict__"))? {
            dict
        } else {
            return Ok(Node::Object(facts.class, self.link(&[])?));
        };
        if state.is_none()
            && object
                .getattr_opt(pyo3::intern!(self.py, "__dict__"))?
                .is_none()
        {
            // Nothing that Python sees: pickle knows whether there is something that it does not see.
            let out_of_reach = || {
                self.unsupported(format!(
                    "objects of {} are not supported: their state is out of Python's reach",
                    self.graph.name(facts.class)
                ))
            };
            let reduced = object
                .call_method1("__reduce_ex__", (2,))
                .map_err(|_| out_of_reach())?;
            let reduced = reduced.cast_into::<PyTuple>().map_err(|_| out_of_reach())?;
            let made = reduced
                .get_item(0)?
                .getattr("__name__")
                .and_then(|name| name.extract::<String>());
            let args = reduced.get_item(1)?.cast_into::<PyTuple>()?;
            if made.ok().as_deref() != Some("__newobj__")
                || !args.get_item(0)?.is(object.get_type())
            {
                return Err(out_of_reach());
            }
            if args.len() > 1 {
                let rest = args.get_slice(1, args.len()).into_any();
                return Ok(Node::Construct(facts.class, self.nodes([rest])?));
            }
        }
        Ok(Node::Object(facts.class, self.nodes([state])?))
    }
}

impl<'py> Capture<'py> {
    /// An object without `__dict__` on Python 3.10, which has no `object.__getstate__`: what that would give
    /// stands in the reduced form.
    fn reduced_object(&mut self, object: &Bound<'py, PyAny>, facts: TypeFacts) -> PyResult<Node> {
        let out_of_reach = |capture: &Self| {
            let name = capture.graph.name(facts.class);
            capture.unsupported(format!(
                "objects of {name} are not supported: their state is out of Python's reach"
            ))
        };
        let reduced = object.call_method1("__reduce_ex__", (2,));
        let Ok(Ok(reduced)) = reduced.map(Bound::cast_into::<PyTuple>) else {
            return Err(out_of_reach(self));
        };
        let made = reduced
            .get_item(0)?
            .getattr("__name__")
            .and_then(|name| name.extract::<String>());
        let Ok(args) = reduced.get_item(1)?.cast_into::<PyTuple>() else {
            return Err(out_of_reach(self));
        };
        let state = reduced.iter().nth(2).filter(|state| !state.is_none());
        let more = reduced.iter().skip(3).any(|part| !part.is_none());
        let by_new =
            made.ok().as_deref() == Some("__newobj__") && args.get_item(0)?.is(object.get_type());
        if more || !by_new || (args.len() > 1 && state.is_some()) {
            return Err(out_of_reach(self));
        }
        if args.len() > 1 {
            let rest = args.get_slice(1, args.len()).into_any();
            return Ok(Node::Construct(facts.class, self.nodes([rest])?));
        }
        Ok(Node::Object(facts.class, self.nodes(state)?))
    }
}

/// How a class is taken apart, its module and its name.
type Recognized = (Kind, String, String);

/// Classes of libraries that were recognized in this process, by address; they are kept alive.
static RECOGNIZED: Mutex<Option<FxHashMap<usize, Kept>>> = Mutex::new(None);
type Kept = (Py<PyType>, Recognized);
/// Classes that are remembered.
const CLASSES: usize = 1024;
/// The packages whose classes keep their names and bases.
const LIBRARIES: &[&str] = &["builtins", "numpy", "scipy", "sklearn"];

/// How a class is taken apart, its module and its name; remembered for classes of [`LIBRARIES`].
fn recognized(class: &Bound<'_, PyType>) -> PyResult<Recognized> {
    {
        let known = RECOGNIZED.lock().unwrap_or_else(PoisonError::into_inner);
        let known = known.as_ref().and_then(|known| known.get(&address(class)));
        if let Some((_, recognized)) = known {
            return Ok(recognized.clone());
        }
    }
    let mut kind = Kind::Object;
    let mut decided = false;
    for base in class.mro() {
        let Ok(base) = base.cast_into::<PyType>() else {
            continue;
        };
        let (module, name) = module_and_name(&base)?;
        let row =
            KINDS.binary_search_by(|row| (row.0, row.1).cmp(&(module.as_str(), name.as_str())));
        let Ok(row) = row else { continue };
        // The base of lil and dok may stand behind that of all sparse containers.
        // A numpy scalar of bytes is bytes too.
        let later = matches!(KINDS[row].2, Kind::Constructed | Kind::Scalar);
        if !decided || later {
            kind = KINDS[row].2;
            decided = true;
        }
    }
    if matches!(class.get_type().name()?.to_str()?, "EnumMeta" | "EnumType") {
        kind = Kind::Enum;
    }
    let (module, name) = module_and_name(class)?;
    let package = module.split('.').next().unwrap_or_default();
    let recognized = (kind, module.clone(), name);
    if LIBRARIES.contains(&package) {
        let mut known = RECOGNIZED.lock().unwrap_or_else(PoisonError::into_inner);
        let known = known.get_or_insert_default();
        if known.len() < CLASSES {
            let kept = (class.clone().unbind(), recognized.clone());
            known.insert(address(class), kept);
        }
    }
    Ok(recognized)
}

/// `__module__` and `__name__` of a class, as its author wrote them.
pub(crate) fn module_and_name(class: &Bound<'_, PyType>) -> PyResult<(String, String)> {
    let module = class
        .getattr("__module__")?
        .extract()
        .unwrap_or_else(|_| "builtins".to_owned());
    let module = public_name(&module).to_owned();
    Ok((module, class.getattr("__name__")?.extract()?))
}
