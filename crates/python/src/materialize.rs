//! Python objects from a verified graph: the only place that imports what a graph names.

use std::sync::{Mutex, MutexGuard, PoisonError};

use nopickle_formats::npy::Header;
use nopickle_formats::{GlobalId, Graph, Items, Node, NodeId, Plain, Text};
use pyo3::exceptions::{PyException, PyMemoryError, PyWarning};
use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyList, PySet, PySlice, PyString, PyTuple, PyType};

use rustc_hash::{FxHashMap, FxHashSet};

use crate::errors::exception;
use crate::memory::{Memory, scalar};

/// How far a node is.
#[derive(Clone, Copy, PartialEq)]
enum State {
    New,
    /// On the stack; its object may exist already.
    Open,
    /// Its object exists, and is filled later.
    Deferred,
    Done,
}

/// A name of code, resolved.
struct Class<'py> {
    object: Bound<'py, PyAny>,
    sets_state: bool,
}

#[derive(Clone, Copy)]
struct Frame {
    node: NodeId,
    next: usize,
}

/// Builds the objects of a graph without recursion.
pub(crate) struct Materializer<'g, 'py> {
    py: Python<'py>,
    graph: &'g Graph,
    headers: &'g [Header],
    memory: Vec<Option<Memory>>,
    own: &'g OwnModules,
    objects: Vec<Option<Bound<'py, PyAny>>>,
    states: Vec<State>,
    /// Whether more than one node refers to a node: such objects are kept until the end.
    shared: Vec<bool>,
    /// Which texts are names of attributes: they are interned, as `pickle` does.
    attributes: Vec<bool>,
    classes: Vec<Option<Class<'py>>>,
    stack: Vec<Frame>,
    /// Classes and keys of their state that hide no method.
    asked: FxHashSet<(GlobalId, NodeId)>,
    /// By class, the last state whose keys were all asked for.
    clear: Vec<Option<Items>>,
    /// Nodes to be filled once another is complete: (that other, the node).
    deferred: Vec<(NodeId, NodeId)>,
}

impl<'g, 'py> Materializer<'g, 'py> {
    pub(crate) fn new(
        py: Python<'py>,
        graph: &'g Graph,
        headers: &'g [Header],
        memory: Vec<Memory>,
        own: &'g OwnModules,
    ) -> Self {
        let mut seen = vec![false; graph.len()];
        let mut shared = vec![false; graph.len()];
        for id in graph.root().into_iter().chain(
            graph
                .ids()
                .flat_map(|id| graph.children(id).iter().copied()),
        ) {
            shared[id.index()] |= seen[id.index()];
            seen[id.index()] = true;
        }
        let mut attributes = vec![false; graph.len()];
        for id in graph.ids() {
            let state = match graph.node(id) {
                Node::Object(_, items) => graph.items(items).first(),
                _ => None,
            };
            if let Some(Node::Dict(_, items)) = state.map(|&state| graph.node(state)) {
                for key in graph.items(items).iter().step_by(2) {
                    attributes[key.index()] = true;
                }
            }
        }
        let mut classes = Vec::new();
        classes.resize_with(graph.global_count(), || None);
        let mut objects = Vec::new();
        objects.resize_with(graph.len(), || None);
        Self {
            py,
            graph,
            headers,
            memory: memory.into_iter().map(Some).collect(),
            own,
            objects,
            states: vec![State::New; graph.len()],
            shared,
            attributes,
            classes,
            stack: Vec::new(),
            asked: FxHashSet::default(),
            clear: vec![None; graph.global_count()],
            deferred: Vec::new(),
        }
    }

    /// Builds the object of the graph's root.
    pub(crate) fn run(mut self) -> PyResult<Bound<'py, PyAny>> {
        let Some(root) = self.graph.root() else {
            return Err(exception(
                self.py,
                "MalformedModelError",
                "the model is empty".to_owned(),
            ));
        };
        self.visit(root)?;
        while let Some(&Frame { node, next }) = self.stack.last() {
            let children = self.graph.children(node);
            let mut next = next;
            let mut descend = false;
            while let Some(&child) = children.get(next) {
                if next == 1
                    && self.objects[node.index()].is_none()
                    && matches!(self.graph.node(node), Node::Construct(..))
                {
                    // The object exists before its state does.
                    let made = self
                        .construct(node)
                        .map_err(|error| self.explain(error, node))?;
                    self.objects[node.index()] = Some(made);
                }
                if self.states[child.index()] == State::Open
                    && self.objects[child.index()].is_none()
                {
                    self.defer(child)?;
                    descend = true;
                    break;
                }
                next += 1;
                if self.states[child.index()] == State::New && self.visit(child)? {
                    let top = self.stack.len() - 2;
                    self.stack[top].next = next;
                    descend = true;
                    break;
                }
            }
            if descend {
                continue;
            }
            let made = self
                .finish(node)
                .map_err(|error| self.explain(error, node))?;
            self.objects[node.index()] = Some(made);
            self.states[node.index()] = State::Done;
            self.stack.pop();
            let waiting: Vec<NodeId> = self
                .deferred
                .iter()
                .filter(|pair| pair.0 == node)
                .map(|pair| pair.1)
                .collect();
            self.deferred.retain(|pair| pair.0 != node);
            for node in waiting {
                self.states[node.index()] = State::Open;
                self.stack.push(Frame { node, next: 0 });
            }
        }
        self.take(root)
    }

    /// Builds a leaf at once, or puts a node with children on the stack (`true`).
    fn visit(&mut self, node: NodeId) -> PyResult<bool> {
        if let Some(leaf) = self.leaf(node).map_err(|error| self.explain(error, node))? {
            self.objects[node.index()] = Some(leaf);
            self.states[node.index()] = State::Done;
            return Ok(false);
        }
        if self.objects[node.index()].is_none() {
            let empty = self
                .empty(node)
                .map_err(|error| self.explain(error, node))?;
            self.objects[node.index()] = empty;
        }
        self.states[node.index()] = State::Open;
        self.stack.push(Frame { node, next: 0 });
        Ok(true)
    }

    /// A node needs `target`, which is below it on the stack and can't exist before it: the nearest
    /// object or container between the two is left unfilled until `target` is complete.
    fn defer(&mut self, target: NodeId) -> PyResult<()> {
        let bottom = self.stack.iter().rposition(|frame| frame.node == target);
        let between = |index: &usize| bottom.is_some_and(|bottom| *index > bottom);
        let found = (0..self.stack.len())
            .rev()
            .take_while(between)
            .find(|&index| {
                let frame = self.stack[index];
                let exists = self.objects[frame.node.index()].is_some();
                // The dict that is an object's state must be whole when the object takes it.
                let is_state = index.checked_sub(1).is_some_and(|below| {
                    matches!(
                        self.graph.node(self.stack[below].node),
                        Node::Object(..) | Node::Construct(..)
                    )
                });
                exists && !is_state
            });
        let Some(found) = found else {
            let message =
                "schema.json: malformed skops: a cycle passes through no object and no container";
            return Err(exception(
                self.py,
                "MalformedModelError",
                message.to_owned(),
            ));
        };
        for frame in self.stack.split_off(found + 1) {
            self.states[frame.node.index()] = State::New;
        }
        let node = self.stack[found].node;
        self.stack.pop();
        self.states[node.index()] = State::Deferred;
        self.deferred.push((target, node));
        Ok(())
    }

    /// The object of a child that is complete or exists at least; given away where nobody else needs it.
    fn take(&mut self, node: NodeId) -> PyResult<Bound<'py, PyAny>> {
        let slot = &mut self.objects[node.index()];
        let keep = self.shared[node.index()] || self.states[node.index()] == State::Deferred;
        let object = if keep { slot.clone() } else { slot.take() };
        object.ok_or_else(|| {
            exception(
                self.py,
                "MalformedModelError",
                "a node has no object".to_owned(),
            )
        })
    }

    fn taken(&mut self, items: Items) -> PyResult<Vec<Bound<'py, PyAny>>> {
        let graph = self.graph;
        graph
            .items(items)
            .iter()
            .map(|&item| self.take(item))
            .collect()
    }

    fn child(&mut self, items: Items, index: usize) -> PyResult<Bound<'py, PyAny>> {
        match self.graph.items(items).get(index) {
            Some(&child) => self.take(child),
            None => Err(exception(
                self.py,
                "MalformedModelError",
                "a node lacks a part".to_owned(),
            )),
        }
    }

    fn text(&self, text: Text) -> Bound<'py, PyString> {
        PyString::new(self.py, self.graph.text(text))
    }

    /// The object of a node without children; `None` for other nodes.
    #[expect(unsafe_code, reason = "only the C API decodes lone surrogates")]
    fn leaf(&mut self, node: NodeId) -> PyResult<Option<Bound<'py, PyAny>>> {
        let py = self.py;
        Ok(Some(match self.graph.node(node) {
            Node::None => py.None().into_bound(py),
            Node::Bool(value) => value.into_pyobject(py)?.to_owned().into_any(),
            Node::Int(value) => value.into_pyobject(py)?.into_any(),
            Node::BigInt(digits) => py
                .get_type::<pyo3::types::PyInt>()
                .call1((self.text(digits),))?,
            Node::Float(value) => value.into_pyobject(py)?.into_any(),
            Node::Str(text) if self.attributes[node.index()] => {
                PyString::intern(py, self.graph.text(text)).into_any()
            }
            Node::Str(text) => self.text(text).into_any(),
            Node::WideStr(text) => {
                let bytes = self.graph.wide(text);
                // SAFETY: pointer and length are those of a slice; the names are C strings.
                unsafe {
                    let decoded = ffi::PyUnicode_DecodeUTF8(
                        bytes.as_ptr().cast(),
                        ffi::Py_ssize_t::try_from(bytes.len())?,
                        c"surrogatepass".as_ptr(),
                    );
                    Bound::from_owned_ptr_or_err(py, decoded)?
                }
            }
            Node::Global(class) | Node::Function(class) => self.class(class)?.object.clone(),
            Node::Key(class, text) => {
                let text = self.text(text);
                // A numpy scalar from its text, as json wrote it.
                self.type_of(class)?.call1((text,))?
            }
            Node::Array(class, array) => {
                let Some(memory) = self.memory.get_mut(array.index()).and_then(Option::take) else {
                    return Err(exception(
                        py,
                        "MalformedModelError",
                        "an array stands twice".to_owned(),
                    ));
                };
                let dimensions = self
                    .headers
                    .get(array.index())
                    .map_or(0, |header| header.shape.len());
                let object = memory.into_object(py);
                if self.graph.plain(class) == Some(Plain::Array) {
                    object
                } else if dimensions == 0 && self.graph.global_parts(class).0 == "numpy" {
                    let value = scalar(py, &object)?;
                    // The dtype decides; a class that says otherwise (`longlong` for `int64`) converts.
                    let class = self.type_of(class)?;
                    if value.get_type().is(class) {
                        value
                    } else {
                        class.call1((value,))?
                    }
                } else {
                    let class = self.type_of(class)?;
                    if class.is_subclass(&object.get_type())? {
                        object.call_method1("view", (class,))?
                    } else {
                        class.call1((object,))?
                    }
                }
            }
            Node::Bytes(array) | Node::ByteArray(array) => {
                match self.memory.get_mut(array.index()).and_then(Option::take) {
                    Some(memory) => memory.into_object(py),
                    None => {
                        return Err(exception(
                            py,
                            "MalformedModelError",
                            "bytes stand twice".to_owned(),
                        ));
                    }
                }
            }
            _ => return Ok(None),
        }))
    }

    /// The object of a node that exists before its children do.
    fn empty(&mut self, node: NodeId) -> PyResult<Option<Bound<'py, PyAny>>> {
        let py = self.py;
        if !self.graph.is_two_step(node) {
            return Ok(None);
        }
        Ok(match self.graph.node(node) {
            Node::List(..) => Some(PyList::empty(py).into_any()),
            Node::Set(..) => Some(PySet::empty(py)?.into_any()),
            Node::Dict(class, _) | Node::DefaultDict(class, _) => {
                if self.graph.plain(class) == Some(Plain::Dict) {
                    Some(PyDict::new(py).into_any())
                } else {
                    Some(self.type_of(class)?.call0()?)
                }
            }
            Node::Object(class, _) => Some(make(self.type_of(class)?)?),
            _ => None,
        })
    }

    /// Calls the class of a constructed object with its arguments.
    fn construct(&mut self, node: NodeId) -> PyResult<Bound<'py, PyAny>> {
        let Node::Construct(class, items) = self.graph.node(node) else {
            return Err(exception(
                self.py,
                "MalformedModelError",
                "a node lacks a part".to_owned(),
            ));
        };
        let args = self.child(items, 0)?;
        self.type_of(class)?.call1(args.cast_into::<PyTuple>()?)
    }

    /// Completes a node whose children exist.
    #[expect(
        clippy::too_many_lines,
        reason = "one flat match over the kinds of nodes"
    )]
    fn finish(&mut self, node: NodeId) -> PyResult<Bound<'py, PyAny>> {
        let py = self.py;
        let slot = &mut self.objects[node.index()];
        let there = if self.shared[node.index()] {
            slot.clone()
        } else {
            slot.take()
        };
        match (self.graph.node(node), there) {
            (Node::List(_, items), Some(list)) => {
                let list = list.cast_into::<PyList>()?;
                for &item in self.graph.items(items) {
                    let object = self.take(item)?;
                    list.append(object)?;
                }
                Ok(list.into_any())
            }
            (Node::Set(_, items), Some(set)) => {
                let set = set.cast_into::<PySet>()?;
                for &item in self.graph.items(items) {
                    let object = self.take(item)?;
                    set.add(object)?;
                }
                Ok(set.into_any())
            }
            (Node::List(class, items) | Node::Set(class, items), None) => {
                let list = PyList::new(py, self.taken(items)?)?;
                self.type_of(class)?.call1((list,))
            }
            (Node::Tuple(class, items), _) => {
                let tuple = PyTuple::new(py, self.taken(items)?)?;
                if self.graph.plain(class) == Some(Plain::Tuple) {
                    return Ok(tuple.into_any());
                }
                // A named tuple takes its items as arguments.
                self.type_of(class)?.call1(tuple)
            }
            (Node::Dict(_, items), Some(dict)) => self.fill_dict(items, dict),
            (Node::DefaultDict(_, items), Some(dict)) => {
                let (factory, main) = (self.child(items, 0)?, self.child(items, 1)?);
                dict.call_method1("update", (main,))?;
                dict.setattr("default_factory", factory)?;
                Ok(dict)
            }
            (Node::Object(class, items), Some(object)) => {
                if let Some(&state) = self.graph.items(items).first() {
                    self.refuse_hidden_methods(node, class, state)?;
                    let state = self.take(state)?;
                    self.set_state(class, &object, state)?;
                }
                Ok(object)
            }
            (Node::Construct(class, items), there) => {
                let object = match there {
                    Some(object) => object,
                    None => self.construct(node)?,
                };
                if let Some(&state) = self.graph.items(items).get(1) {
                    let state = self.take(state)?;
                    if state.is_truthy()? {
                        self.set_state(class, &object, state)?;
                    }
                }
                Ok(object)
            }
            (Node::Slice(items), _) => {
                let parts = self.taken(items)?;
                Ok(py.get_type::<PySlice>().call1(PyTuple::new(py, parts)?)?)
            }
            (Node::Method(method, items), _) => {
                let object = self.child(items, 0)?;
                let name = self.graph.name(method);
                object.getattr(name.rsplit('.').next().unwrap_or(name))
            }
            (Node::Partial(_, items), _) => {
                let mut parts = self.taken(items)?;
                let (namespace, keywords) = (parts.pop(), parts.pop());
                let (args, function) = (parts.pop(), parts.pop());
                let (Some(namespace), Some(keywords), Some(args), Some(function)) =
                    (namespace, keywords, args, function)
                else {
                    return Err(exception(
                        py,
                        "MalformedModelError",
                        "a partial lacks a part".to_owned(),
                    ));
                };
                let mut all = vec![function];
                for arg in args.try_iter()? {
                    all.push(arg?);
                }
                let keywords = keywords.cast_into::<PyDict>()?;
                let partial = py
                    .import("functools")?
                    .getattr("partial")?
                    .call(PyTuple::new(py, all)?, Some(&keywords))?;
                if namespace.is_truthy()? {
                    partial
                        .getattr("__dict__")?
                        .call_method1("update", (namespace,))?;
                }
                Ok(partial)
            }
            (Node::ObjectArray(_, items), _) => {
                let mut parts = self.taken(items)?.into_iter();
                let shape = parts.next();
                let numpy = py.import("numpy")?;
                let count = self.graph.items(items).len() - 1;
                let flat = numpy.getattr("empty")?.call1((count, "O"))?;
                for (index, part) in parts.enumerate() {
                    flat.set_item(index, part)?;
                }
                flat.call_method1("reshape", (shape,))
            }
            (Node::MaskedArray(class, items), _) => {
                let (data, mask) = (self.child(items, 0)?, self.child(items, 1)?);
                self.type_of(class)?.call1((data, mask))
            }
            (Node::DType(_, items), _) => self.child(items, 0)?.getattr("dtype"),
            (Node::RandomState(class, items), _) => {
                let state = self.child(items, 0)?;
                let object = self.type_of(class)?.call0()?;
                object.call_method1("set_state", (state,))?;
                Ok(object)
            }
            (Node::Generator(class, items), _) => self.generator(class, items),
            (Node::Sparse(class, items), _) => self.sparse(class, items),
            _ => Err(exception(
                py,
                "MalformedModelError",
                "a node lacks a part".to_owned(),
            )),
        }
    }

    fn fill_dict(&mut self, items: Items, dict: Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
        let graph = self.graph;
        if let Ok(plain) = dict.cast_exact::<PyDict>() {
            for pair in graph.items(items).chunks_exact(2) {
                let (key, value) = (self.take(pair[0])?, self.take(pair[1])?);
                plain.set_item(key, value)?;
            }
        } else {
            for pair in graph.items(items).chunks_exact(2) {
                let (key, value) = (self.take(pair[0])?, self.take(pair[1])?);
                dict.set_item(key, value)?;
            }
        }
        Ok(dict)
    }

    /// Gives an object its state, as `pickle` would.
    fn set_state(
        &mut self,
        class: GlobalId,
        object: &Bound<'py, PyAny>,
        state: Bound<'py, PyAny>,
    ) -> PyResult<()> {
        let sets_state = self.class(class)?.sets_state;
        if state.is_none() {
            return Ok(());
        }
        if sets_state {
            return call_method(object, pyo3::intern!(self.py, "__setstate__"), &state);
        }
        // `object.__getstate__` gives the slots' values beside the dict.
        let (dict, slots) = match state.cast::<PyTuple>() {
            Ok(pair) if pair.len() == 2 => (pair.get_item(0)?, Some(pair.get_item(1)?)),
            _ => (state, None),
        };
        if !dict.is_none() {
            let target = object
                .getattr(pyo3::intern!(self.py, "__dict__"))?
                .cast_into::<PyDict>()?;
            target.update(dict.cast_into::<PyDict>()?.as_mapping())?;
        }
        if let Some(slots) = slots.filter(|slots| !slots.is_none()) {
            for (name, value) in slots.cast_into::<PyDict>()? {
                object.setattr(name.cast_into::<PyString>()?, value)?;
            }
        }
        Ok(())
    }

    /// Refuses a state in which an attribute has the name of a method of its class: it would be found
    /// first, and what the method checks would not be checked. Only scikit-learn's own classes, since
    /// others may do this on purpose.
    fn refuse_hidden_methods(
        &mut self,
        node: NodeId,
        class: GlobalId,
        state: NodeId,
    ) -> PyResult<()> {
        let graph = self.graph;
        let Node::Dict(_, items) = graph.node(state) else {
            return Ok(());
        };
        if let Some(clear) = self.clear[class.index()] {
            // Most objects of a class have the keys of the one before.
            let keys = |items| graph.items(items).iter().step_by(2);
            if clear.len() == items.len() && keys(clear).eq(keys(items)) {
                return Ok(());
            }
        }
        if !graph.global_parts(class).0.starts_with("sklearn.") {
            return Ok(());
        }
        // Dicts share the nodes of their keys, and classes of scikit-learn do not change while a process
        // runs: each class and key is looked up once.
        let unknown: Vec<(NodeId, NodeId)> = {
            let looked_up = lock(&LOOKED_UP);
            let of_class = looked_up
                .as_ref()
                .and_then(|all| all.get(graph.name(class)));
            let pairs = graph
                .items(items)
                .chunks_exact(2)
                .map(|pair| (pair[0], pair[1]));
            if let Some(known) = of_class
                && known.whole.iter().any(|whole| {
                    whole.len() * 2 == items.len()
                        && whole.iter().zip(pairs.clone()).all(|(name, (key, _))| {
                            matches!(graph.node(key), Node::Str(text) if graph.text(text) == name)
                        })
                })
            {
                return Ok(());
            }
            pairs
                .filter(|&(key, _)| match graph.node(key) {
                    Node::Str(text) => {
                        self.asked.insert((class, key))
                            && !of_class.is_some_and(|known| known.names.contains(graph.text(text)))
                    }
                    _ => false,
                })
                .collect()
        };
        for &(key, value) in &unknown {
            let Node::Str(text) = graph.node(key) else {
                continue;
            };
            let Some(found) = self.class(class)?.object.getattr_opt(graph.text(text))? else {
                continue;
            };
            // scikit-learn itself leaves methods in some states, bound to the same object.
            if let Node::Method(method, object) = graph.node(value)
                && graph.name(method).rsplit('.').next() == Some(graph.text(text))
                && graph.items(object).first() == Some(&node)
            {
                self.asked.remove(&(class, key));
                continue;
            }
            let kind = found.get_type();
            if found.is_callable() || (kind.hasattr("__get__")? && !kind.hasattr("__set__")?) {
                let message = format!(
                    "{}@{}: unverified {}: an attribute has the name of a method of its class",
                    graph.entry(),
                    graph.place(key),
                    graph.name(class)
                );
                return Err(exception(self.py, "UnverifiedModelError", message));
            }
        }
        let holds_method = graph
            .items(items)
            .iter()
            .any(|&id| matches!(graph.node(id), Node::Method(..)));
        if !holds_method {
            self.clear[class.index()] = Some(items);
        }
        {
            let mut looked_up = lock(&LOOKED_UP);
            let known = looked_up
                .get_or_insert_default()
                .entry(graph.name(class).to_owned())
                .or_default();
            for (key, value) in unknown {
                if let Node::Str(text) = graph.node(key)
                    && !matches!(graph.node(value), Node::Method(..))
                    && known.names.len() < REMEMBERED
                {
                    known.names.insert(graph.text(text).to_owned());
                }
            }
            if known.whole.len() < WHOLE {
                let names = graph.items(items).iter().step_by(2);
                let whole: Option<Vec<String>> = names
                    .map(|&key| match graph.node(key) {
                        Node::Str(text) => known.names.get(graph.text(text)).cloned(),
                        _ => None,
                    })
                    .collect();
                known.whole.extend(whole);
            }
        }
        Ok(())
    }

    fn generator(&mut self, class: GlobalId, items: Items) -> PyResult<Bound<'py, PyAny>> {
        let random = self.py.import("numpy.random")?;
        let state = self.child(items, 0)?;
        // The name was decided on and is one of a fixed table: see `verify/random.rs`.
        let name = state.get_item("bit_generator")?;
        let kind = random
            .getattr(name.cast_into::<PyString>()?)?
            .cast_into::<PyType>()?;
        if !kind.is_subclass(&random.getattr("BitGenerator")?)? {
            let message = format!("schema.json: unsupported bit generator: {}", kind.name()?);
            return Err(exception(self.py, "UnsupportedModelError", message));
        }
        let bits = if self.graph.items(items).len() > 1 {
            let seed = self.child(items, 1)?.cast_into::<PyDict>()?;
            let sequence = self
                .py
                .import("numpy.random.bit_generator")?
                .getattr("SeedSequence")?;
            kind.call1((sequence.call((), Some(&seed))?,))?
        } else {
            kind.call0()?
        };
        bits.setattr("state", state)?;
        self.type_of(class)?.call1((bits,))
    }

    /// A sparse container from the parts of its npz, as `scipy.sparse.load_npz` makes it.
    fn sparse(&mut self, class: GlobalId, items: Items) -> PyResult<Bound<'py, PyAny>> {
        let py = self.py;
        let parts = PyDict::new(py);
        for pair in self.graph.items(items).chunks_exact(2) {
            let (name, value) = (self.take(pair[0])?, self.take(pair[1])?);
            parts.set_item(name, value)?;
        }
        let missing = || {
            let message =
                "schema.json: malformed skops: a sparse container lacks a part".to_owned();
            exception(py, "MalformedModelError", message)
        };
        let part = |name: &str| parts.get_item(name)?.ok_or_else(missing);
        let class = self.type_of(class)?;
        let format: String = class.getattr("format")?.extract().or_else(|_| {
            // `format` is an instance's property in old scipy: the name says it too.
            let name = class.name()?.to_string();
            Ok::<_, PyErr>(name.split('_').next().unwrap_or_default().to_owned())
        })?;
        let shape = PyTuple::new(
            py,
            part("shape")?
                .call_method0("tolist")?
                .extract::<Vec<i64>>()?,
        )?;
        let content = match format.as_str() {
            "csr" | "csc" | "bsr" => {
                (part("data")?, part("indices")?, part("indptr")?).into_pyobject(py)?
            }
            "dia" => (part("data")?, part("offsets")?).into_pyobject(py)?,
            "coo" => {
                let places = match parts.get_item("coords")? {
                    Some(coords) => {
                        PyTuple::new(py, coords.try_iter()?.collect::<PyResult<Vec<_>>>()?)?
                    }
                    None => (part("row")?, part("col")?).into_pyobject(py)?,
                };
                (part("data")?, places).into_pyobject(py)?
            }
            other => {
                let message = format!("schema.json: unsupported sparse format: {other}");
                return Err(exception(py, "UnsupportedModelError", message));
            }
        };
        let keywords = PyDict::new(py);
        keywords.set_item("shape", shape)?;
        let made = class.call((content,), Some(&keywords))?;
        // The constructor takes the smallest type of index that fits; the file's is kept.
        if matches!(format.as_str(), "csr" | "csc" | "bsr") {
            for name in ["indices", "indptr"] {
                let saved = part(name)?;
                if made
                    .getattr(name)?
                    .getattr("dtype")?
                    .ne(saved.getattr("dtype")?)?
                {
                    made.setattr(name, saved)?;
                }
            }
        }
        Ok(made)
    }

    /// A class: what may be instantiated.
    fn type_of(&mut self, class: GlobalId) -> PyResult<&Bound<'py, PyType>> {
        let (py, name) = (self.py, self.graph.name(class));
        self.class(class)?.object.cast::<PyType>().map_err(|_| {
            exception(
                py,
                "UnsupportedModelError",
                format!("unsupported class: {name} is not a class, and loading calls nothing else"),
            )
        })
    }

    /// Imports a name that was decided on.
    fn class(&mut self, id: GlobalId) -> PyResult<&Class<'py>> {
        if self.classes[id.index()].is_none() {
            let object = import(self.py, self.graph, id, self.own)?;
            let name = pyo3::intern!(self.py, "__setstate__");
            let sets_state = object.getattr_opt(name)?.is_some();
            self.classes[id.index()] = Some(Class { object, sets_state });
        }
        match &self.classes[id.index()] {
            Some(class) => Ok(class),
            None => Err(exception(
                self.py,
                "MalformedModelError",
                "a name is missing".to_owned(),
            )),
        }
    }

    /// Says where in the file an exception of a class comes from. Exceptions that are not about the
    /// file (out of memory, interrupts, warnings turned into errors, ours) pass as they are.
    fn explain(&self, error: PyErr, node: NodeId) -> PyErr {
        let py = self.py;
        let ours = crate::errors::class(py, "NopickleError")
            .is_ok_and(|class| error.is_instance(py, &class));
        if ours
            || !error.is_instance_of::<PyException>(py)
            || error.is_instance_of::<PyMemoryError>(py)
            || error.is_instance_of::<PyWarning>(py)
        {
            return error;
        }
        let class = self
            .graph
            .class(node)
            .map_or("a value", |class| self.graph.name(class));
        let message = format!(
            "{}@{}: unsupported state of {class}: {}",
            self.graph.entry(),
            self.graph.place(node),
            error.value(py)
        );
        let wrapped = exception(py, "UnsupportedModelError", message);
        wrapped.set_cause(py, Some(error));
        wrapped
    }
}

/// `class.__new__(class)`, as the slot that holds it does.
#[expect(
    unsafe_code,
    reason = "the slot of a class is called as type.__call__ calls it"
)]
fn make<'py>(class: &Bound<'py, PyType>) -> PyResult<Bound<'py, PyAny>> {
    let py = class.py();
    let empty = PyTuple::empty(py);
    // SAFETY: a class's slot `tp_new` is a `newfunc` or null; the class, a tuple and no keywords are what it
    // takes, and it returns a new reference or null with an exception set.
    unsafe {
        let slot = ffi::PyType_GetSlot(class.as_type_ptr(), ffi::Py_tp_new);
        if slot.is_null() {
            let new = class.getattr(pyo3::intern!(py, "__new__"))?;
            return new.call1((class,));
        }
        let new: ffi::newfunc = std::mem::transmute(slot);
        let made = new(class.as_type_ptr(), empty.as_ptr(), std::ptr::null_mut());
        Bound::from_owned_ptr_or_err(py, made)
    }
}

/// Calls a method with one argument, without a bound method in between.
#[expect(
    unsafe_code,
    reason = "pyo3 makes a bound method for a call under the stable ABI"
)]
fn call_method<'py>(
    object: &Bound<'py, PyAny>,
    name: &Bound<'py, PyString>,
    argument: &Bound<'py, PyAny>,
) -> PyResult<()> {
    // SAFETY: all pointers are to live objects, the list of arguments ends with null, and the call
    // returns a new reference or null with an exception set.
    let result = unsafe {
        let pointer = ffi::PyObject_CallMethodObjArgs(
            object.as_ptr(),
            name.as_ptr(),
            argument.as_ptr(),
            std::ptr::null_mut::<ffi::PyObject>(),
        );
        Bound::from_owned_ptr_or_err(object.py(), pointer)
    };
    result.map(drop)
}

/// Module and name of a name of code as Python strings, by the full name: they are asked for at each load.
static NAMES: Mutex<Option<FxHashMap<String, NamePair>>> = Mutex::new(None);
type NamePair = (Py<PyString>, Py<PyString>);
/// Names that are remembered.
const NAMES_REMEMBERED: usize = 4096;

/// Module and name of a name of code as Python strings.
fn name_pair<'py>(
    py: Python<'py>,
    graph: &Graph,
    id: GlobalId,
) -> (Bound<'py, PyString>, Bound<'py, PyString>) {
    let (module, name) = graph.global_parts(id);
    let same = |pair: &NamePair| {
        let (one, other) = (pair.0.bind(py), pair.1.bind(py));
        one.to_str().is_ok_and(|text| text == module)
            && other.to_str().is_ok_and(|text| text == name)
    };
    if let Some(known) = lock(&NAMES)
        .as_ref()
        .and_then(|known| known.get(graph.name(id)))
        .filter(|pair| same(pair))
    {
        return (known.0.bind(py).clone(), known.1.bind(py).clone());
    }
    let pair = (PyString::new(py, module), PyString::new(py, name));
    let mut known = lock(&NAMES);
    let known = known.get_or_insert_default();
    if known.len() < NAMES_REMEMBERED {
        let kept = (pair.0.clone().unbind(), pair.1.clone().unbind());
        known.insert(graph.name(id).to_owned(), kept);
    }
    pair
}

/// Attributes that are no methods of their class, by the class's full name. Never locked while Python runs.
static LOOKED_UP: Mutex<Option<FxHashMap<String, Known>>> = Mutex::new(None);

/// What was looked up of one class.
#[derive(Default)]
struct Known {
    names: FxHashSet<String>,
    /// The names of whole objects, all of them in `names`.
    whole: Vec<Vec<String>>,
}

/// Attributes that are remembered for a class, and whole objects.
const REMEMBERED: usize = 1000;
const WHOLE: usize = 4;

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The modules of the code that a model brings, which stand in a private package and not under their own names.
#[derive(Default)]
pub(crate) struct OwnModules {
    package: String,
    modules: FxHashSet<String>,
}

/// How the name of each private package of a model's code starts.
const PRIVATE: &str = "_nopickle_code_";

impl OwnModules {
    /// `modules` are the top-level modules.
    pub(crate) fn new(package: String, modules: Vec<String>) -> Self {
        let modules = modules.into_iter().collect();
        Self { package, modules }
    }

    /// The private name of a module of the model's.
    fn private(&self, module: &str) -> Option<String> {
        let top = module.split('.').next().unwrap_or_default();
        let known = self.modules.contains(top);
        known.then(|| format!("{}.{module}", self.package))
    }
}

/// A module's name as its author wrote it: without the private package of a model's code.
pub(crate) fn public_name(module: &str) -> &str {
    let below = module
        .strip_prefix(PRIVATE)
        .and_then(|rest| rest.split_once('.'));
    below.map_or(module, |(_, name)| name)
}

/// Imports the module of a name and takes the name from it.
pub(crate) fn import<'py>(
    py: Python<'py>,
    graph: &Graph,
    id: GlobalId,
    own: &OwnModules,
) -> PyResult<Bound<'py, PyAny>> {
    let (module, name) = graph.global_parts(id);
    let private = own.private(module);
    // SAFETY: the interpreter is attached; the reference is borrowed, and a new one is made.
    #[expect(
        unsafe_code,
        reason = "pyo3 imports `sys` anew for each look at its modules"
    )]
    let modules = unsafe { Bound::from_borrowed_ptr(py, ffi::PyImport_GetModuleDict()) };
    let modules = modules.cast_into::<PyDict>()?;
    if private.is_none() && !module.starts_with("numpy._core") && !module.starts_with("numpy.core")
    {
        let (module, name) = name_pair(py, graph, id);
        if let Some(found) = modules.get_item(module)?
            && let Ok(Some(found)) = found.getattr_opt(name)
        {
            return Ok(found);
        }
    }
    // As pickle does: import, then take the module from `sys.modules`.
    let find = |module: &str| match modules.get_item(module)? {
        Some(found) => found.getattr(name),
        None => py.import(module)?.getattr(name),
    };
    // numpy 2 renamed its private package; files of numpy 1 name the old one.
    let renamed = module
        .strip_prefix("numpy.core")
        .map(|rest| format!("numpy._core{rest}"));
    let found = match (&private, &renamed) {
        (Some(private), _) => find(private),
        (None, Some(renamed)) => find(renamed).or_else(|_| find(module)),
        (None, None) if module.starts_with("numpy._core") => find(module)
            .or_else(|error| find(&module.replacen("_core", "core", 1)).map_err(|_| error)),
        (None, None) => find(module),
    };
    found.map_err(|error| {
        if !error.is_instance_of::<PyException>(py) {
            return error;
        }
        let package = module.split('.').next().unwrap_or(module);
        let message = format!(
            "unsupported name: {module}.{name} can't be imported ({}); install the release of {package} that the model was saved with",
            error.value(py)
        );
        let wrapped = exception(py, "UnsupportedModelError", message);
        wrapped.set_cause(py, Some(error));
        wrapped
    })
}
