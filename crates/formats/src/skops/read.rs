//! Reads `schema.json` as a stream into the graph.

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};
use std::ops::Range;

use foldhash::fast::RandomState;

use super::json::{Cursor, Number, Scalar, long_texts};
use super::loaders::{COMMON, Content, Field, Loader, Part, Row, loader};
use super::memory;
use crate::archive::Archive;
use crate::error::{Error, Location};
use crate::graph::{GlobalId, Graph, Mark, Node, NodeId, Role, Stored};
use crate::limits::{Limits, at_most, spend};

/// The entry that holds the graph.
pub(super) const SCHEMA: &str = "schema.json";
/// The newest protocol that is read; the one that is written.
pub(super) const PROTOCOL: i64 = 2;

/// Reads the graph of a skops file. Arrays are not read, nothing is imported.
///
/// # Errors
/// [`Error::Malformed`] where `schema.json` breaks the rules of `docs/formats/skops.md`,
/// [`Error::Unsupported`] for node kinds and protocols that nopickle does not read, [`Error::Limit`]
/// for a file that is larger, deeper or of more nodes than `limits` allow.
pub fn read(archive: &mut Archive<'_>, limits: &mut Limits) -> Result<Graph, Error> {
    let schema = archive.find(SCHEMA).ok_or_else(|| {
        Error::malformed(
            "skops",
            Location::default(),
            "the archive has no schema.json",
        )
    })?;
    archive.pay(schema, limits)?;
    let bytes = archive.read(schema, limits.schema_bytes, "size of schema.json")?;
    let mut named = vec![false; archive.entries().len()];
    if let Some(own) = named.get_mut(schema) {
        *own = true;
    }
    let reader = Reader {
        cursor: Cursor::new(&bytes, SCHEMA, 0),
        graph: Graph::with_room(SCHEMA, bytes.len()),
        archive,
        limits,
        frames: Vec::new(),
        spare: Vec::new(),
        pending: Vec::new(),
        ids: Ids::default(),
        id_log: Vec::new(),
        keys: HashMap::default(),
        grid: u64::try_from(bytes.len()).unwrap_or(u64::MAX),
        array_depth: HashMap::default(),
        names: HashMap::default(),
        heads: Vec::new(),
        seen_at: [u8::MAX; PLACES],
        after: [None; PLACES],
        buffer: Vec::new(),
        inner: Vec::new(),
        long: Vec::new(),
        protocol: None,
        named,
        bare_function: false,
        old_function: false,
    };
    let (mut graph, long) = reader.run()?;
    if !long.is_empty() {
        let texts = long_texts(bytes, &long).ok_or_else(|| {
            Error::malformed(
                "skops",
                Location::entry(SCHEMA),
                "an escape that is not JSON's",
            )
        })?;
        graph.settle(texts);
    }
    if let Some(node) = graph.unbuildable_cycle() {
        let at = Location::byte(SCHEMA, graph.place(node));
        return Err(Error::malformed(
            "skops",
            at,
            "a cycle passes through no object and no container",
        ));
    }
    memory::refer(&mut graph).ok_or_else(full)?;
    Ok(graph)
}

/// A node object that is open.
struct Open<'a> {
    id: NodeId,
    mark: Mark,
    id_mark: usize,
    /// Where the node's children start in `Reader::pending`.
    base: usize,
    first: bool,
    seen: u32,
    row: Option<&'static Row>,
    class: Option<Cow<'a, str>>,
    module: Option<Cow<'a, str>>,
    /// Where class, module and loader stand in `Reader::heads`.
    head: Option<usize>,
    /// An id that stands before the node's children and is known: the node that it names.
    alias: Option<NodeId>,
    /// An id that stands after children.
    late_id: Option<i64>,
    registered: bool,
    slots: [Option<NodeId>; 4],
    /// The slot that the next finished child goes to.
    target: usize,
    entry: Option<usize>,
    /// `type` is `json`.
    objects: bool,
    scalar: Option<Node>,
    /// Content that stands before its loader.
    deferred: Option<usize>,
    /// Where to go on after such content was read.
    resume: Option<usize>,
}

/// The slot of `content`, and that of the one child that stands beside it.
const CONTENT: usize = 0;
const BESIDE: usize = 1;

/// Class, module and loader of a node in the spelling of nopickle's own files.
struct Head<'a> {
    /// From `"__class__"` to the end of the loader.
    raw: &'a [u8],
    class: &'a str,
    module: &'a str,
    row: &'static Row,
    /// The name of code, once a node has asked for it.
    global: Option<GlobalId>,
}

/// Heads that are remembered, and places in a file that are told apart when one is expected.
const HEADS: usize = 64;
const PLACES: usize = 256;

enum Frame<'a> {
    Node(Box<Open<'a>>),
    List {
        first: bool,
    },
    Dict {
        first: bool,
        count: usize,
        /// The key that was read last.
        key: Option<NodeId>,
    },
    Parts {
        first: bool,
        parts: &'static [(&'static str, Part)],
        target: usize,
        slots: [Option<NodeId>; 4],
    },
}

/// Arrays of objects that may stand directly inside each other.
const ARRAY_DEPTH: u64 = 100;

/// Dicts with more keys than this do not share their keys with others.
const SHARED_KEYS: usize = 1024;
/// Keys that are shared at most.
const KEYS: usize = 10_000;

/// Nodes by their ids.
#[derive(Default)]
struct Ids {
    /// Those of 1, 2, 3 and on, as nopickle numbers them.
    counted: Vec<Option<NodeId>>,
    other: HashMap<i64, NodeId, RandomState>,
}

impl Ids {
    fn index(id: i64) -> Option<usize> {
        usize::try_from(id).ok()?.checked_sub(1)
    }

    fn get(&self, id: i64) -> Option<NodeId> {
        let counted = Self::index(id).and_then(|index| self.counted.get(index));
        match counted {
            Some(Some(node)) => Some(*node),
            _ if self.other.is_empty() => None,
            _ => self.other.get(&id).copied(),
        }
    }

    fn insert(&mut self, id: i64, node: NodeId) {
        let index = Self::index(id);
        if index == Some(self.counted.len()) {
            self.counted.push(Some(node));
        } else if let Some(slot) = index.and_then(|index| self.counted.get_mut(index)) {
            *slot = Some(node);
        } else {
            self.other.insert(id, node);
        }
    }

    fn remove(&mut self, id: i64) {
        if let Some(slot) = Self::index(id).and_then(|index| self.counted.get_mut(index)) {
            *slot = None;
        }
        self.other.remove(&id);
    }
}

struct Reader<'a, 'r, 's> {
    cursor: Cursor<'a>,
    graph: Graph,
    archive: &'r mut Archive<'s>,
    limits: &'r mut Limits,
    frames: Vec<Frame<'a>>,
    /// Memory of closed nodes, for those to come.
    #[expect(
        clippy::vec_box,
        reason = "what is kept is the boxes, which frames hold"
    )]
    spare: Vec<Box<Open<'a>>>,
    pending: Vec<NodeId>,
    ids: Ids,
    id_log: Vec<(i64, NodeId)>,
    keys: HashMap<Cow<'a, str>, NodeId, RandomState>,
    /// Items that arrays of objects of more than one dimension may still have.
    grid: u64,
    /// How many arrays of objects stand inside each other, down from each.
    array_depth: HashMap<NodeId, u64, RandomState>,
    names: HashMap<(Cow<'a, str>, Cow<'a, str>), GlobalId, RandomState>,
    heads: Vec<Head<'a>>,
    /// The head that was seen last at each place: see [`Reader::expected`].
    seen_at: [u8; PLACES],
    /// The key that came after a key in the dict that was read last: by the index of the key before.
    after: [Option<(Option<NodeId>, NodeId)>; PLACES],
    buffer: Vec<u8>,
    inner: Vec<u8>,
    /// Where texts stand that are too long to copy.
    long: Vec<Range<usize>>,
    protocol: Option<i64>,
    /// Which entries of the archive a node names.
    named: Vec<bool>,
    /// A function without content was seen (protocols 1 and 2).
    bare_function: bool,
    /// A function with content was seen (protocol 0).
    old_function: bool,
}

/// How nopickle writes a reference up to its id, and a scalar without an id up to its content.
pub(super) const REFERENCE: &str = "\"__loader__\":\"CachedNode\",\"__id__\":";
pub(super) const SCALAR: &str =
    "\"__class__\":\"str\",\"__module__\":\"builtins\",\"__loader__\":\"JsonNode\",\"content\":";

/// How nopickle starts a node with an id, and a node that is neither a reference nor a scalar.
const ID: &str = "\"__id__\":";
const CLASS: &str = "\"__class__\":";
const MODULE: &str = ",\"__module__\":";
const LOADER: &str = ",\"__loader__\":";

const COMMA: &str = "a comma or a closing bracket is missing";

impl<'a> Reader<'a, '_, '_> {
    /// The graph, and where its long texts stand.
    fn run(mut self) -> Result<(Graph, Vec<Range<usize>>), Error> {
        let mut root = self.begin_node()?;
        while !self.frames.is_empty() {
            root = self.step()?;
        }
        let root = root.ok_or_else(|| self.cursor.malformed("schema.json holds no node"))?;
        if !self.cursor.at_end() {
            return Err(self.cursor.malformed("schema.json goes on after its node"));
        }
        match self.protocol {
            None => return Err(self.cursor.malformed("the skops protocol is missing")),
            Some(0) if self.bare_function => {
                return Err(self
                    .cursor
                    .malformed("a FunctionNode of protocol 0 has no content"));
            }
            Some(1..) if self.old_function => {
                return Err(self
                    .cursor
                    .malformed("a FunctionNode has content, which only protocol 0 has"));
            }
            Some(_) => {}
        }
        if let Some(unnamed) = self.named.iter().position(|&named| !named) {
            let at = Location::entry(&self.archive.entry(unnamed)?.name);
            return Err(Error::malformed("skops", at, "no node names this entry"));
        }
        for id in self.graph.ids() {
            // The object may hold its own method, so this waits until all nodes are read.
            let Node::Method(method, items) = self.graph.node(id) else {
                continue;
            };
            let (module, name) = self.graph.global_parts(method);
            let object = self
                .graph
                .items(items)
                .first()
                .and_then(|&object| self.graph.class(object));
            let same = object.is_some_and(|class| {
                Some((module, self.graph.global_parts(class).1))
                    == name.rsplit_once('.').map(|(class, _)| (module, class))
                    && self.graph.global_parts(class).0 == module
            });
            if !same {
                let at = Location::byte(SCHEMA, self.graph.place(id));
                let what = "the object of a method is of another class than the method";
                return Err(Error::malformed("skops", at, what));
            }
        }
        let mut held = vec![false; self.named.len()];
        for stored in self.graph.stored() {
            let (Stored::Npy(entry) | Stored::Raw(entry)) = *stored else {
                continue;
            };
            if held
                .get_mut(entry)
                .is_none_or(|held| std::mem::replace(held, true))
            {
                let at = Location::entry(&self.archive.entry(entry)?.name);
                return Err(Error::malformed("skops", at, "two nodes name this entry"));
            }
        }
        self.graph.set_root(root);
        Ok((self.graph, self.long))
    }

    /// Goes on with the innermost open frame. Returns a node where one was finished.
    fn step(&mut self) -> Result<Option<NodeId>, Error> {
        match self.frames.last_mut() {
            Some(Frame::Node(_)) => self.node_step(),
            Some(Frame::List { first }) => {
                let was_first = std::mem::replace(first, false);
                if self.cursor.eat(b']') {
                    self.frames.pop();
                    self.content_done();
                    return Ok(None);
                }
                if !was_first {
                    self.cursor.expect(b',', COMMA)?;
                }
                self.begin_node()
            }
            Some(Frame::Dict { first, count, key }) => {
                let was_first = std::mem::replace(first, false);
                *count = count.saturating_add(1);
                let (shared, before) = (*count <= SHARED_KEYS, *key);
                if self.cursor.eat(b'}') {
                    self.frames.pop();
                    self.content_done();
                    return Ok(None);
                }
                if !was_first {
                    self.cursor.expect(b',', COMMA)?;
                }
                let key = self.key_node(shared, before)?;
                if let Some(Frame::Dict { key: last, .. }) = self.frames.last_mut() {
                    *last = Some(key);
                }
                self.pending.push(key);
                self.cursor.expect(b':', "a colon is missing")?;
                self.begin_node()
            }
            Some(Frame::Parts { .. }) => self.parts_step(),
            None => Ok(None),
        }
    }

    /// After the content of a node was read: goes on where the node itself goes on.
    fn content_done(&mut self) {
        if let Some(Frame::Node(open)) = self.frames.last_mut()
            && let Some(resume) = open.resume.take()
        {
            self.cursor.jump(resume);
        }
    }

    /// Hands a finished node to the frame that waits for it.
    fn deliver(&mut self, node: NodeId) -> NodeId {
        match self.frames.last_mut() {
            Some(Frame::Node(open)) => {
                if let Some(slot) = open.slots.get_mut(open.target) {
                    *slot = Some(node);
                }
                if open.target == CONTENT {
                    self.content_done();
                }
            }
            Some(Frame::List { .. } | Frame::Dict { .. }) => self.pending.push(node),
            Some(Frame::Parts { target, slots, .. }) => {
                if let Some(slot) = slots.get_mut(*target) {
                    *slot = Some(node);
                }
            }
            None => {}
        }
        node
    }

    fn place(&mut self) -> u32 {
        self.cursor.peek();
        u32::try_from(self.cursor.offset()).unwrap_or(u32::MAX)
    }

    fn push(&mut self, node: Node, place: u32) -> Result<NodeId, Error> {
        spend(&mut self.limits.nodes, 1, "number of nodes")?;
        self.graph.push(node, place).ok_or_else(full)
    }

    /// Opens a node object.
    fn begin_node(&mut self) -> Result<Option<NodeId>, Error> {
        let found = u64::try_from(self.frames.len()).unwrap_or(u64::MAX);
        at_most(self.limits.depth, found, "nesting of JSON")?;
        let place = self.place();
        self.cursor.expect(b'{', "a node is missing")?;
        let expected = self.expected();
        if let Some(node) = self.usual_node(place)? {
            return Ok(Some(self.deliver(node)));
        }
        let mark = self.graph.mark();
        let id = self.push(Node::Pending, place)?;
        let open = Open {
            id,
            mark,
            id_mark: self.id_log.len(),
            base: self.pending.len(),
            first: true,
            seen: 0,
            row: None,
            class: None,
            module: None,
            head: None,
            alias: None,
            late_id: None,
            registered: false,
            slots: [None; 4],
            target: CONTENT,
            entry: None,
            objects: false,
            scalar: None,
            deferred: None,
            resume: None,
        };
        let frame = match self.spare.pop() {
            Some(mut spare) => {
                *spare = open;
                spare
            }
            None => Box::new(open),
        };
        self.frames.push(Frame::Node(frame));
        self.usual_head(expected)?;
        Ok(None)
    }

    /// Reads id, class, module and loader of the innermost node in the spelling of nopickle's own files;
    /// nothing is taken of any other spelling.
    fn usual_head(&mut self, expected: usize) -> Result<(), Error> {
        let start = self.cursor;
        if self.cursor.literal(ID) {
            self.id_field()?;
            let open = self.open()?;
            open.seen |= Field::Id.bit();
            open.first = false;
            if !self.cursor.literal(",") {
                return Ok(());
            }
            // From here on a field's comma has been taken: give it back where the head goes on otherwise.
            let after = self.cursor;
            if !self.class_head(expected)? {
                self.cursor = after;
                self.cursor.back();
            }
            return Ok(());
        }
        if !self.class_head(expected)? {
            self.cursor = start;
        }
        Ok(())
    }

    /// A number below [`PLACES`] for the place of the node that comes next: nodes under one key, or in one
    /// role, mostly have one head.
    fn expected(&self) -> usize {
        let place = match self.frames.last() {
            Some(Frame::Dict { key, .. }) => key.map_or(0, NodeId::index),
            Some(Frame::List { .. }) => 1,
            Some(Frame::Parts { target, .. }) => target.saturating_add(2),
            Some(Frame::Node(open)) => open.target.saturating_add(6),
            None => 0,
        };
        place & PLACES.saturating_sub(1)
    }

    fn class_head(&mut self, expected: usize) -> Result<bool, Error> {
        let slot = self.seen_at.get(expected).copied().map(usize::from);
        let slot = slot.filter(|&slot| {
            let head = self.heads.get(slot);
            head.is_some_and(|head| self.cursor.raw(head.raw))
        });
        let slot = if let Some(slot) = slot {
            slot
        } else {
            let Some(slot) = self.other_head() else {
                return Ok(false);
            };
            if let (Some(seen), Ok(slot)) = (self.seen_at.get_mut(expected), u8::try_from(slot)) {
                *seen = slot;
            }
            slot
        };
        let Some(&Head {
            class, module, row, ..
        }) = self.heads.get(slot)
        else {
            return Ok(false);
        };
        let open = self.open()?;
        (open.class, open.module, open.row) = (
            Some(Cow::Borrowed(class)),
            Some(Cow::Borrowed(module)),
            Some(row),
        );
        open.head = Some(slot);
        open.seen |= Field::Class.bit() | Field::Module.bit() | Field::Loader.bit();
        open.first = false;
        Ok(true)
    }

    /// Reads a head that was not expected; where it stands in `heads`.
    fn other_head(&mut self) -> Option<usize> {
        let start = self.cursor;
        if !self.cursor.literal(CLASS) {
            return None;
        }
        let class = self.cursor.plain_string()?;
        if !self.cursor.literal(MODULE) {
            return None;
        }
        let module = self.cursor.plain_string()?;
        if !self.cursor.literal(LOADER) {
            return None;
        }
        let name = self.cursor.plain_string()?;
        let raw = self.cursor.since(start);
        if let Some(known) = self.heads.iter().position(|head| head.raw == raw) {
            return Some(known);
        }
        let row = loader(name)?;
        let class = std::str::from_utf8(class).ok()?;
        let module = std::str::from_utf8(module).ok()?;
        let head = Head {
            raw,
            class,
            module,
            row,
            global: None,
        };
        // The last slot is for all heads that are too many to be remembered.
        let slot = self.heads.len().min(HEADS);
        match self.heads.get_mut(slot) {
            Some(last) => *last = head,
            None => self.heads.push(head),
        }
        Some(slot)
    }

    /// Reads a scalar or a reference in the spelling of nopickle's own files, which are most of the nodes
    /// of a large graph; `None`, and nothing taken, for any other spelling or node.
    fn usual_node(&mut self, place: u32) -> Result<Option<NodeId>, Error> {
        let start = self.cursor;
        // `"__id__"`, `"__loader__"` or `"__class__"`.
        let letter = self.cursor.ahead(3);
        if letter == Some(b'i') && self.cursor.literal(ID) {
            // A scalar that others refer to.
            let id = match self.cursor.number() {
                Ok(Number::Int(id)) if id != 0 && self.ids.get(id).is_none() => id,
                _ => {
                    self.cursor = start;
                    return Ok(None);
                }
            };
            if self.cursor.literal(",") && self.cursor.literal(SCALAR) {
                let node = self.json_content()?;
                if self.cursor.literal("}") {
                    let node = self.push(node, place)?;
                    self.register(id, node);
                    return Ok(Some(node));
                }
            }
            self.cursor = start;
        } else if letter == Some(b'l') && self.cursor.literal(REFERENCE) {
            if let Ok(Number::Int(id)) = self.cursor.number()
                && self.cursor.literal("}")
                && let Some(known) = self.ids.get(id)
            {
                return Ok(Some(known));
            }
            self.cursor = start;
        } else if letter == Some(b'c') && self.cursor.literal(SCALAR) {
            let node = self.json_content()?;
            if self.cursor.literal("}") {
                return self.push(node, place).map(Some);
            }
            self.cursor = start;
        }
        Ok(None)
    }

    fn open(&mut self) -> Result<&mut Open<'a>, Error> {
        match self.frames.last_mut() {
            Some(Frame::Node(open)) => Ok(open),
            _ => Err(self.cursor.malformed("a node is missing")),
        }
    }

    /// A string, borrowed from the file where nothing in it is escaped.
    fn text(&mut self, what: &'static str) -> Result<Cow<'a, str>, Error> {
        let start = self.cursor;
        if let Some(bytes) = self.cursor.plain_string() {
            return std::str::from_utf8(bytes)
                .map(Cow::Borrowed)
                .map_err(|_| start.malformed(what));
        }
        let bytes = self.cursor.string(&mut self.buffer)?;
        std::str::from_utf8(bytes)
            .map(|text| Cow::Owned(text.to_owned()))
            .map_err(|_| start.malformed(what))
    }

    /// Reads the next field of the innermost node, or closes it.
    fn node_step(&mut self) -> Result<Option<NodeId>, Error> {
        let outermost = self.frames.len() == 1;
        let first = std::mem::replace(&mut self.open()?.first, false);
        if self.cursor.eat(b'}') {
            if self.open()?.row.is_none() && self.open()?.deferred.is_some() {
                return Err(self.cursor.malformed("a node has no __loader__"));
            }
            if let Some(start) = self.open()?.deferred.take() {
                // The content stood before its loader: go back to it, then come here again.
                let end = self.cursor.offset().saturating_sub(1);
                let again = u64::try_from(end.saturating_sub(start)).unwrap_or(u64::MAX);
                spend(
                    &mut self.limits.reread_bytes,
                    again,
                    "JSON that stands before its loader",
                )?;
                self.open()?.resume = Some(end);
                self.cursor.jump(start);
                return self.content();
            }
            return self.finish();
        }
        if !first {
            self.cursor.expect(b',', COMMA)?;
        }
        let start = self.cursor;
        let known = self.cursor.plain_string().and_then(Field::parse);
        let Some(field) = known else {
            self.cursor = start;
            let key = self.text("a field's name is not text")?;
            return Err(Error::unsupported(start.location(), "field of a node", key));
        };
        self.cursor.expect(b':', "a colon is missing")?;
        let open = self.open()?;
        if open.seen & field.bit() != 0 {
            return Err(start.malformed("a node has a field twice"));
        }
        open.seen |= field.bit();
        self.field(field, outermost)
    }

    fn field(&mut self, field: Field, outermost: bool) -> Result<Option<NodeId>, Error> {
        match field {
            Field::Class => {
                let class = self.name("the class of a node is not text")?;
                self.open()?.class = class;
            }
            Field::Module => {
                let module = self.name("the module of a node is not text")?;
                self.open()?.module = module;
            }
            Field::Loader => {
                let start = self.cursor;
                let name = self.text("the loader of a node is not text")?;
                let row = loader(name.as_bytes());
                if row.is_none() {
                    return Err(Error::unsupported(
                        start.location(),
                        "kind of node (__loader__)",
                        name,
                    ));
                }
                self.open()?.row = row;
            }
            Field::Id => self.id_field()?,
            Field::Content => {
                if self.open()?.row.is_none() {
                    self.cursor.peek();
                    let start = self.cursor.offset();
                    self.cursor.skip(self.limits.depth, &mut self.buffer)?;
                    self.open()?.deferred = Some(start);
                } else {
                    return self.content();
                }
            }
            Field::IsJson => {
                if !matches!(self.cursor.scalar(&mut self.buffer)?, Scalar::Bool(_)) {
                    return Err(self.cursor.malformed("is_json is neither true nor false"));
                }
            }
            Field::KeyTypes | Field::Shape | Field::Attrs => {
                self.open()?.target = BESIDE;
                return self.begin_node();
            }
            Field::Reduce => {
                self.cursor.expect(b'{', "__reduce__ is not an object")?;
                self.push_parts(&[("args", Part::Node)], BESIDE)?;
            }
            Field::Type => {
                let start = self.cursor;
                let name = self.text("the type of an array is not text")?;
                let objects = match name.as_ref() {
                    "numpy" | "scipy" => false,
                    "json" => true,
                    _ => return Err(Error::unsupported(start.location(), "type of array", name)),
                };
                self.open()?.objects = objects;
            }
            Field::File => {
                let start = self.cursor;
                let name = self.text("the name of an entry is not text")?;
                let Some(entry) = self.archive.find(&name) else {
                    return Err(start.malformed("an entry that a node names is not in the archive"));
                };
                if let Some(named) = self.named.get_mut(entry) {
                    *named = true;
                }
                self.open()?.entry = Some(entry);
            }
            Field::Protocol if outermost => self.protocol_field()?,
            Field::Version if outermost => {
                self.text("_skops_version is not text")?;
            }
            Field::Protocol | Field::Version => {
                return Err(self.cursor.malformed("a protocol stands inside a node"));
            }
        }
        Ok(None)
    }

    /// A class or module: text, or `null` as old skops wrote for a `CachedNode`.
    fn name(&mut self, what: &'static str) -> Result<Option<Cow<'a, str>>, Error> {
        if self.cursor.peek() == Some(b'"') {
            return self.text(what).map(Some);
        }
        match self.cursor.scalar(&mut self.buffer) {
            Ok(Scalar::Null) => Ok(None),
            _ => Err(self.cursor.malformed(what)),
        }
    }

    fn id_field(&mut self) -> Result<(), Error> {
        let start = self.cursor;
        let Ok(Scalar::Number(Number::Int(id))) = self.cursor.scalar(&mut self.buffer) else {
            return Err(start.malformed("the id of a node is not an integer of 64 bits"));
        };
        if id == 0 {
            return Ok(());
        }
        let known = self.ids.get(id);
        let children = Field::Content.bit()
            | Field::KeyTypes.bit()
            | Field::Shape.bit()
            | Field::Reduce.bit()
            | Field::Attrs.bit();
        let open = self.open()?;
        if open.seen & children != 0 {
            open.late_id = Some(id);
        } else if known.is_some() {
            open.alias = known;
        } else {
            open.registered = true;
            let node = open.id;
            self.register(id, node);
        }
        Ok(())
    }

    fn register(&mut self, id: i64, node: NodeId) {
        self.ids.insert(id, node);
        self.id_log.push((id, node));
    }

    fn protocol_field(&mut self) -> Result<(), Error> {
        let start = self.cursor;
        match self.cursor.scalar(&mut self.buffer) {
            Ok(Scalar::Number(Number::Int(protocol @ 0..=PROTOCOL))) => {
                self.protocol = Some(protocol);
            }
            Ok(Scalar::Number(Number::Int(protocol))) if protocol > PROTOCOL => {
                return Err(Error::unsupported(
                    start.location(),
                    "skops protocol, this nopickle reads 0 to 2",
                    format!(
                        "{protocol} (update nopickle, or save the model again with an older skops)"
                    ),
                ));
            }
            _ => {
                return Err(
                    start.malformed("the skops protocol is not a whole number of 0 or more")
                );
            }
        }
        Ok(())
    }

    /// Reads the content of the innermost node, whose loader is known.
    fn content(&mut self) -> Result<Option<NodeId>, Error> {
        let open = self.open()?;
        open.target = CONTENT;
        let kind = open.row.map_or(Content::Never, |row| row.2);
        match kind {
            Content::Never => Err(self
                .cursor
                .malformed("a node has content that its loader does not have")),
            Content::Node => self.begin_node(),
            Content::NodeOrNull => {
                if self.cursor.peek() == Some(b'n') {
                    self.cursor.scalar(&mut self.buffer)?;
                    self.content_done();
                    return Ok(None);
                }
                self.begin_node()
            }
            Content::Nodes => {
                self.cursor.expect(b'[', "the content is not a list")?;
                self.frames.push(Frame::List { first: true });
                Ok(None)
            }
            Content::Dict => {
                self.cursor.expect(b'{', "the content is not an object")?;
                self.frames.push(Frame::Dict {
                    first: true,
                    count: 0,
                    key: None,
                });
                Ok(None)
            }
            Content::Parts(parts) => {
                self.cursor.expect(b'{', "the content is not an object")?;
                self.push_parts(parts, CONTENT)?;
                Ok(None)
            }
            Content::Json => {
                let node = self.json_content()?;
                self.open()?.scalar = Some(node);
                self.content_done();
                Ok(None)
            }
        }
    }

    /// Opens an object of named parts; they go to the node's slots from `first_slot` on.
    fn push_parts(
        &mut self,
        parts: &'static [(&'static str, Part)],
        first_slot: usize,
    ) -> Result<(), Error> {
        self.open()?.target = first_slot;
        self.frames.push(Frame::Parts {
            first: true,
            parts,
            target: 0,
            slots: [None; 4],
        });
        Ok(())
    }

    fn parts_step(&mut self) -> Result<Option<NodeId>, Error> {
        let Some(Frame::Parts {
            first,
            parts,
            slots,
            ..
        }) = self.frames.last_mut()
        else {
            return Ok(None);
        };
        let was_first = std::mem::replace(first, false);
        let (parts, filled) = (*parts, *slots);
        if self.cursor.eat(b'}') {
            self.frames.pop();
            let open = self.open()?;
            let free = open.slots.iter_mut().skip(open.target);
            for (slot, part) in free.zip(filled) {
                *slot = part.or(*slot);
            }
            if open.target == CONTENT {
                self.content_done();
            }
            return Ok(None);
        }
        if !was_first {
            self.cursor.expect(b',', COMMA)?;
        }
        let start = self.cursor;
        let name = self.text("a part's name is not text")?;
        self.cursor.expect(b':', "a colon is missing")?;
        let Some(index) = parts.iter().position(|part| part.0 == name) else {
            return Err(Error::unsupported(start.location(), "part of a node", name));
        };
        if filled.get(index).copied().flatten().is_some() {
            return Err(start.malformed("a node has a part twice"));
        }
        if let Some(Frame::Parts { target, .. }) = self.frames.last_mut() {
            *target = index;
        }
        let kind = parts.get(index).map(|part| part.1);
        if kind == Some(Part::Node) {
            return self.begin_node();
        }
        let place = self.place();
        let scalar = self.cursor.scalar(&mut self.buffer)?;
        if kind == Some(Part::Text) && scalar != Scalar::String {
            return Err(start.malformed("a part that names something is not text"));
        }
        let node = scalar_node(&mut self.graph, &scalar, &self.buffer, &self.cursor)?;
        let id = self.push(node, place)?;
        self.deliver(id);
        Ok(None)
    }

    /// The scalar of a `JsonNode`: JSON inside a string of JSON.
    fn json_content(&mut self) -> Result<Node, Error> {
        self.cursor.peek();
        let start = self.cursor;
        if let Some(value) = self.cursor.short_int_inside() {
            return Ok(Node::Int(value));
        }
        if let Some(text) = self
            .graph
            .push_text_of(|text| self.cursor.text_inside(text))
        {
            return Ok(Node::Str(text));
        }
        if let Some((place, length)) = self.cursor.long_text_inside() {
            self.long.push(place);
            let text = self.graph.push_long_text(length).ok_or_else(full)?;
            return Ok(Node::Str(text));
        }
        for (word, node) in [
            ("\"null\"", Node::None),
            ("\"true\"", Node::Bool(true)),
            ("\"false\"", Node::Bool(false)),
        ] {
            if self.cursor.literal(word) {
                return Ok(node);
            }
        }
        let bytes = match self.cursor.plain_string() {
            Some(plain) => plain,
            None => self.cursor.string(&mut self.buffer)?,
        };
        let mut inner = Cursor::new(bytes, SCHEMA, start.offset());
        if matches!(inner.peek(), Some(b'[' | b'{')) {
            return Err(Error::unsupported(
                start.location(),
                "content of a JsonNode",
                "a list or an object inside a string",
            ));
        }
        let scalar = inner.scalar(&mut self.inner)?;
        if !inner.at_end() {
            return Err(start.malformed("the content of a JsonNode is not one value"));
        }
        scalar_node(&mut self.graph, &scalar, &self.inner, &start)
    }

    /// The node of a dict's key; keys of small dicts are shared.
    ///
    /// Dicts of one kind have the same keys in the same order, so the key that came after `before` the
    /// last time is tried first.
    fn key_node(&mut self, shared: bool, before: Option<NodeId>) -> Result<NodeId, Error> {
        let place = self.place();
        let slot = before.map_or(0, NodeId::index) & PLACES.saturating_sub(1);
        if shared
            && let Some(Some((known_before, known))) = self.after.get(slot)
            && *known_before == before
            && let Node::Str(run) = self.graph.node(*known)
            && self.cursor.quoted(self.graph.text(run).as_bytes())
        {
            return Ok(*known);
        }
        let start = self.cursor;
        let plain = self.cursor.plain_string();
        let bytes = match plain {
            Some(plain) => plain,
            None => self.cursor.string(&mut self.buffer)?,
        };
        let Ok(text) = std::str::from_utf8(bytes) else {
            let node = text_node(&mut self.graph, bytes, &start)?;
            return self.push(node, place);
        };
        let known = if shared {
            self.keys.get(text).copied()
        } else {
            None
        };
        let known = known.filter(
            |&known| matches!(self.graph.node(known), Node::Str(run) if self.graph.text(run) == text),
        );
        let id = if let Some(known) = known {
            known
        } else {
            let run = self.graph.push_text(text).ok_or_else(full)?;
            let borrowed = || plain.and_then(|plain| std::str::from_utf8(plain).ok());
            let insert = (shared && self.keys.len() < KEYS)
                .then(|| borrowed().map_or_else(|| Cow::Owned(text.to_owned()), Cow::Borrowed));
            let id = self.push(Node::Str(run), place)?;
            if let Some(text) = insert {
                self.keys.insert(text, id);
            }
            id
        };
        if shared
            && plain.is_some()
            && let Some(after) = self.after.get_mut(slot)
        {
            *after = Some((before, id));
        }
        Ok(id)
    }

    /// Closes the innermost node: settles its id, then puts it into the graph.
    fn finish(&mut self) -> Result<Option<NodeId>, Error> {
        let Some(Frame::Node(mut open)) = self.frames.pop() else {
            return Ok(None);
        };
        let base = open.base.min(self.pending.len());
        if let Some(id) = open.late_id {
            match self.ids.get(id) {
                Some(known) if known > open.id => {
                    return Err(self
                        .cursor
                        .malformed("an id is defined inside the node that it names"));
                }
                Some(known) => open.alias = Some(known),
                None => {}
            }
        }
        if let Some(alias) = open.alias {
            self.check_same(&open, alias)?;
            // A second time the same object: what stands in it was read for its syntax only.
            self.graph.truncate(open.mark);
            // Some of these may be gone.
            self.after = [None; PLACES];
            for (id, node) in self.id_log.split_off(open.id_mark.min(self.id_log.len())) {
                if self.ids.get(id) == Some(node) {
                    self.ids.remove(id);
                }
            }
            self.pending.truncate(base);
            self.spare.push(open);
            return Ok(Some(self.deliver(alias)));
        }
        if let Some(id) = open.late_id {
            self.register(id, open.id);
        }
        let pending = std::mem::take(&mut self.pending);
        let node = self.build(&mut open, pending.get(base..).unwrap_or_default());
        self.pending = pending;
        self.pending.truncate(base);
        let node = node?;
        let id = open.id;
        self.graph.set(id, node);
        self.spare.push(open);
        Ok(Some(self.deliver(id)))
    }

    /// A node whose id is known says nothing new: it is a `CachedNode`, or the same node once more.
    fn check_same(&self, open: &Open<'a>, known: NodeId) -> Result<(), Error> {
        let at = Location::byte(SCHEMA, self.graph.place(open.id));
        let Some(&(_, kind, ..)) = open.row else {
            return Err(Error::malformed("skops", at, "a node has no __loader__"));
        };
        if kind == Loader::Cached {
            return Ok(());
        }
        let graph = &self.graph;
        let node = graph.node(known);
        let same_kind = match kind {
            Loader::Json => match (open.scalar, node) {
                (Some(Node::Str(one)), Node::Str(other)) => graph.text(one) == graph.text(other),
                (Some(Node::BigInt(one)), Node::BigInt(other)) => {
                    graph.text(one) == graph.text(other)
                }
                (Some(Node::WideStr(one)), Node::WideStr(other)) => {
                    graph.wide(one) == graph.wide(other)
                }
                (Some(Node::Float(one)), Node::Float(other)) => one.to_bits() == other.to_bits(),
                (Some(one), other) => one == other,
                (None, _) => false,
            },
            Loader::Bytearray => matches!(node, Node::ByteArray(_)),
            Loader::Bytes => matches!(node, Node::Bytes(_)),
            Loader::Constructor
            | Loader::Loss
            | Loader::OperatorFunc
            | Loader::QuantileForest
            | Loader::Tree => {
                matches!(node, Node::Construct(..))
            }
            Loader::DType => matches!(node, Node::DType(..)),
            Loader::DefaultDict => matches!(node, Node::DefaultDict(..)),
            Loader::Dict => matches!(node, Node::Dict(..)),
            Loader::Function => matches!(node, Node::Function(_)),
            Loader::List => matches!(node, Node::List(..)),
            Loader::MaskedArray => matches!(node, Node::MaskedArray(..)),
            Loader::Method => matches!(node, Node::Method(..)),
            Loader::NdArray => matches!(node, Node::Array(..) | Node::ObjectArray(..)),
            Loader::Object => matches!(node, Node::Object(..)),
            Loader::Partial => matches!(node, Node::Partial(..)),
            Loader::RandomGenerator => matches!(node, Node::Generator(..)),
            Loader::RandomState => matches!(node, Node::RandomState(..)),
            Loader::Set => matches!(node, Node::Set(..)),
            Loader::Slice => matches!(node, Node::Slice(_)),
            Loader::SparseMatrix => matches!(node, Node::Sparse(..)),
            Loader::Tuple => matches!(node, Node::Tuple(..)),
            Loader::Type => matches!(node, Node::Global(_)),
            Loader::Cached => true,
        };
        let class = match node {
            // The class of a method is its object's; an old function is named in its content.
            Node::Method(..) | Node::Function(_) => None,
            _ => graph.class(known).map(|class| graph.global_parts(class)),
        };
        let same_class = class.is_none_or(|(module, class)| {
            let (module, class) = (renamed(module), class);
            open.class.as_deref() == Some(class)
                && open.module.as_deref().map(renamed) == Some(module)
        });
        let same_entry = match (node, open.entry) {
            (Node::Array(_, array), Some(entry)) => {
                graph.stored().get(array.index()) == Some(&Stored::Npy(entry))
            }
            _ => true,
        };
        if same_kind && same_class && same_entry {
            return Ok(());
        }
        Err(Error::malformed("skops", at, "two nodes of one id differ"))
    }

    fn build(&mut self, open: &mut Open<'a>, children: &[NodeId]) -> Result<Node, Error> {
        let place = self.graph.place(open.id);
        let malformed = |what| Error::malformed("skops", Location::byte(SCHEMA, place), what);
        let Some(&(_, kind, _, fields)) = open.row else {
            return Err(malformed("a node has no __loader__"));
        };
        let root = Field::Protocol.bit() | Field::Version.bit();
        if open.seen & !(fields | COMMON | root) != 0 {
            return Err(malformed(
                "a node has a field that its loader does not have",
            ));
        }
        if kind == Loader::Cached {
            return Err(malformed(
                "a CachedNode refers to an id that is not defined",
            ));
        }
        if kind == Loader::Json {
            if open.class.as_deref() != Some("str") || open.module.as_deref() != Some("builtins") {
                let name = format!(
                    "{}.{}",
                    open.module.as_deref().unwrap_or_default(),
                    open.class.as_deref().unwrap_or_default()
                );
                return Err(Error::unsupported(
                    Location::byte(SCHEMA, place),
                    "class for its loader",
                    name,
                ));
            }
            return open
                .scalar
                .ok_or_else(|| malformed("a JsonNode has no content"));
        }
        let (Some(class), Some(module)) = (open.class.take(), open.module.take()) else {
            return Err(malformed("a node has no __class__ or no __module__"));
        };
        let module = match renamed(&module) {
            same if same == module => module,
            other => Cow::Owned(other.to_owned()),
        };
        let mut build = Build {
            // The last slot may be another node's by now.
            head: open.head.filter(|&head| head < HEADS),
            open,
            children,
            place,
            class,
            module,
            reader: self,
        };
        build.node(kind)
    }
}

/// One node on its way into the graph.
struct Build<'b, 'a, 'r, 's> {
    open: &'b Open<'a>,
    children: &'b [NodeId],
    place: u64,
    class: Cow<'a, str>,
    module: Cow<'a, str>,
    /// Where class and module stand in `Reader::heads`.
    head: Option<usize>,
    reader: &'b mut Reader<'a, 'r, 's>,
}

impl<'b> Build<'b, '_, '_, '_> {
    fn malformed(&self, what: &'static str) -> Error {
        Error::malformed("skops", self.at(), what)
    }

    fn at(&self) -> Location {
        Location::byte(SCHEMA, self.place)
    }

    fn is(&self, module: &str, class: &str) -> bool {
        self.module == module && self.class == class
    }

    /// The id of the node's class, used in a role.
    fn refer(&mut self, role: Role) -> Result<GlobalId, Error> {
        let global = self.global()?;
        self.reader.graph.refer(global, role, self.open.id);
        Ok(global)
    }

    fn global(&mut self) -> Result<GlobalId, Error> {
        let head = self.head.and_then(|head| self.reader.heads.get(head));
        if let Some(known) = head.and_then(|head| head.global) {
            return Ok(known);
        }
        let global = self.global_by_name()?;
        let head = self.head.and_then(|head| self.reader.heads.get_mut(head));
        if let Some(head) = head {
            head.global = Some(global);
        }
        Ok(global)
    }

    fn global_by_name(&mut self) -> Result<GlobalId, Error> {
        let key = (self.module.clone(), self.class.clone());
        if let Some(&known) = self.reader.names.get(&key) {
            return Ok(known);
        }
        check_name(&self.module, &self.class).map_err(|what| self.malformed(what))?;
        let global = self
            .reader
            .graph
            .global(&self.module, &self.class)
            .ok_or_else(full)?;
        self.reader.names.insert(key, global);
        Ok(global)
    }

    /// The class of a container: builtin ones need no decision, others are called with their items.
    fn container(&mut self, own: &str) -> Result<GlobalId, Error> {
        if self.is("builtins", own) {
            return self.global();
        }
        if self.module == "builtins"
            && matches!(self.class.as_ref(), "dict" | "list" | "set" | "tuple")
        {
            let name = format!("{} in a node of {own}", self.class);
            return Err(Error::unsupported(self.at(), "class of a container", name));
        }
        self.refer(Role::Call)
    }

    /// The class of a node that has only one.
    fn fixed(&mut self, names: &[(&str, &str)]) -> Result<GlobalId, Error> {
        if names.iter().any(|&(module, class)| self.is(module, class)) {
            return self.global();
        }
        let name = format!("{}.{}", self.module, self.class);
        Err(Error::unsupported(self.at(), "class for its loader", name))
    }

    fn slot(&self, index: usize, what: &'static str) -> Result<NodeId, Error> {
        self.open
            .slots
            .get(index)
            .copied()
            .flatten()
            .ok_or_else(|| self.malformed(what))
    }

    fn link(&mut self, nodes: &[NodeId]) -> Result<crate::graph::Items, Error> {
        self.reader.graph.link(nodes).ok_or_else(full)
    }

    fn has(&self, field: Field) -> bool {
        self.open.seen & field.bit() != 0
    }

    fn entry(&self) -> Result<usize, Error> {
        self.open
            .entry
            .ok_or_else(|| self.malformed("a node has no file"))
    }

    fn array(&mut self, stored: Stored) -> Result<crate::graph::ArrayId, Error> {
        self.reader.graph.push_array(stored).ok_or_else(full)
    }

    #[expect(
        clippy::too_many_lines,
        reason = "one flat match over the loaders of skops"
    )]
    fn node(&mut self, kind: Loader) -> Result<Node, Error> {
        const ARGS: &str = "a node has no arguments";
        const CONTENT_MISSING: &str = "a node has no content";
        Ok(match kind {
            Loader::List | Loader::Tuple | Loader::Set => {
                if !self.has(Field::Content) {
                    return Err(self.malformed(CONTENT_MISSING));
                }
                let items = self.link(self.children)?;
                if kind == Loader::Set
                    && self
                        .children
                        .iter()
                        .any(|&child| self.reader.graph.is_unhashable(child))
                {
                    return Err(self.malformed("a member of a set can't be in a set"));
                }
                match kind {
                    Loader::List => Node::List(self.container("list")?, items),
                    Loader::Tuple => Node::Tuple(self.container("tuple")?, items),
                    _ => Node::Set(self.container("set")?, items),
                }
            }
            Loader::Dict => {
                if !self.has(Field::Content) {
                    return Err(self.malformed(CONTENT_MISSING));
                }
                let types = self.slot(BESIDE, "a dict has no key_types")?;
                let pairs = self.pairs(types)?;
                let items = self.link(&pairs)?;
                Node::Dict(self.container("dict")?, items)
            }
            Loader::DefaultDict => {
                let main = self.slot(CONTENT, CONTENT_MISSING)?;
                let factory = self.slot(1, CONTENT_MISSING)?;
                // A dict with keys that JSON has no form for is made from its pairs.
                if !matches!(
                    self.reader.graph.node(main),
                    Node::Dict(..) | Node::Construct(..)
                ) {
                    return Err(self.malformed("the items of a defaultdict are not a dict"));
                }
                let items = self.link(&[factory, main])?;
                Node::DefaultDict(self.refer(Role::Call)?, items)
            }
            Loader::Bytes | Loader::Bytearray => {
                let stored = Stored::Raw(self.entry()?);
                let array = self.array(stored)?;
                if kind == Loader::Bytes {
                    self.fixed(&[("builtins", "bytes")])?;
                    Node::Bytes(array)
                } else {
                    self.fixed(&[("builtins", "bytearray")])?;
                    Node::ByteArray(array)
                }
            }
            Loader::Slice => {
                self.fixed(&[("builtins", "slice")])?;
                let parts = [
                    self.slot(0, CONTENT_MISSING)?,
                    self.slot(1, CONTENT_MISSING)?,
                    self.slot(2, CONTENT_MISSING)?,
                ];
                Node::Slice(self.link(&parts)?)
            }
            Loader::Function => {
                if self.has(Field::Content) {
                    // Protocol 0 names the function in its content.
                    self.reader.old_function = true;
                    let (module, name) = (
                        self.slot(0, CONTENT_MISSING)?,
                        self.slot(1, CONTENT_MISSING)?,
                    );
                    let text = |id| match self.reader.graph.node(id) {
                        Node::Str(run) => Ok(self.reader.graph.text(run).to_owned()),
                        _ => Err(self.malformed("a part that names something is not text")),
                    };
                    (self.module, self.class) =
                        (Cow::Owned(text(module)?), Cow::Owned(text(name)?));
                    self.head = None;
                } else {
                    self.reader.bare_function = true;
                }
                Node::Function(self.refer(Role::Value)?)
            }
            Loader::Type => Node::Global(self.refer(Role::Value)?),
            Loader::Object => {
                let state = self.open.slots[CONTENT];
                let items = self.link(state.as_slice())?;
                Node::Object(self.refer(Role::Instance)?, items)
            }
            Loader::Constructor => {
                let args = self.slot(CONTENT, ARGS)?;
                self.construct(args, None)?
            }
            Loader::Tree | Loader::Loss | Loader::QuantileForest => {
                match kind {
                    Loader::Tree => {
                        self.fixed(&[("sklearn.tree._tree", "Tree")])?;
                    }
                    Loader::QuantileForest => {
                        self.fixed(&[("quantile_forest._quantile_forest_fast", "QuantileForest")])?;
                    }
                    _ => {}
                }
                let args = self.slot(BESIDE, ARGS)?;
                let state = self.slot(CONTENT, CONTENT_MISSING)?;
                self.construct(args, Some(state))?
            }
            Loader::OperatorFunc => {
                if self.module != "operator" {
                    return Err(self.malformed("the module of an OperatorFuncNode is not operator"));
                }
                let args = self.slot(BESIDE, ARGS)?;
                self.construct(args, None)?
            }
            Loader::Method => self.method()?,
            Loader::Partial => {
                self.fixed(&[("functools", "partial")])?;
                let parts = [
                    self.slot(0, CONTENT_MISSING)?,
                    self.slot(1, CONTENT_MISSING)?,
                    self.slot(2, CONTENT_MISSING)?,
                    self.slot(3, CONTENT_MISSING)?,
                ];
                let items = self.link(&parts)?;
                Node::Partial(self.refer(Role::Value)?, items)
            }
            Loader::NdArray => self.ndarray()?,
            Loader::MaskedArray => {
                let items = self.link(&[
                    self.slot(0, CONTENT_MISSING)?,
                    self.slot(1, CONTENT_MISSING)?,
                ])?;
                Node::MaskedArray(self.refer(Role::Call)?, items)
            }
            Loader::DType => {
                let class = self.fixed(&[("numpy", "dtype")])?;
                let array = self.slot(CONTENT, CONTENT_MISSING)?;
                if !matches!(
                    self.reader.graph.node(array),
                    Node::Array(..) | Node::ObjectArray(..)
                ) {
                    return Err(self.malformed("the content of a DTypeNode is not an array"));
                }
                Node::DType(class, self.link(&[array])?)
            }
            Loader::RandomState => {
                let items = self.link(&[self.slot(CONTENT, CONTENT_MISSING)?])?;
                Node::RandomState(self.refer(Role::Instance)?, items)
            }
            Loader::RandomGenerator => self.generator()?,
            Loader::SparseMatrix => {
                let stored = Stored::Raw(self.entry()?);
                let array = self.array(stored)?;
                let place = u32::try_from(self.place).unwrap_or(0);
                let bytes = self.reader.push(Node::Bytes(array), place)?;
                let items = self.link(&[bytes])?;
                Node::Sparse(self.refer(Role::Call)?, items)
            }
            Loader::Json | Loader::Cached => return Err(self.malformed(CONTENT_MISSING)),
        })
    }

    fn construct(&mut self, args: NodeId, state: Option<NodeId>) -> Result<Node, Error> {
        // CPython would also take a list here; nothing writes one.
        if !matches!(self.reader.graph.node(args), Node::Tuple(..)) {
            return Err(self.malformed("the arguments of a constructor are not a tuple"));
        }
        let items = match state {
            Some(state) => self.link(&[args, state])?,
            None => self.link(&[args])?,
        };
        Ok(Node::Construct(self.refer(Role::Call)?, items))
    }

    fn method(&mut self) -> Result<Node, Error> {
        let name = self.slot(0, "a method has no name")?;
        let object = self.slot(1, "a method has no object")?;
        let graph = &self.reader.graph;
        let Node::Str(name) = graph.node(name) else {
            return Err(self.malformed("a part that names something is not text"));
        };
        let name = graph.text(name);
        if check_name("method", name).is_err() {
            return Err(self.malformed("the name of a method is not one name"));
        }
        let full_name = format!("{}.{name}", self.class);
        let global = self
            .reader
            .graph
            .global(&self.module, &full_name)
            .ok_or_else(full)?;
        self.reader.graph.refer(global, Role::Value, self.open.id);
        Ok(Node::Method(global, self.link(&[object])?))
    }

    fn ndarray(&mut self) -> Result<Node, Error> {
        if !self.has(Field::Type) {
            return Err(self.malformed("an array has no type"));
        }
        if !self.open.objects {
            if self.has(Field::Content) || self.has(Field::Shape) {
                return Err(self.malformed("a node has a field that its loader does not have"));
            }
            let stored = Stored::Npy(self.entry()?);
            let array = self.array(stored)?;
            let class = if self.is("numpy", "ndarray") {
                self.global()?
            } else {
                // Made from the array alone: a scalar from its element, a matrix as a view. Other classes are called.
                let is_scalar =
                    crate::verify::is_scalar(&format!("{}.{}", self.module, self.class));
                let is_view = is_scalar || self.is("numpy", "matrix");
                self.refer(if is_view { Role::Instance } else { Role::Call })?
            };
            return Ok(Node::Array(class, array));
        }
        if self.has(Field::File) || !self.has(Field::Content) {
            return Err(self.malformed("an array of objects has a file or no content"));
        }
        let class = self.fixed(&[("numpy", "ndarray")])?;
        let shape = self.slot(BESIDE, "an array of objects has no shape")?;
        let graph = &self.reader.graph;
        let lengths: Option<Vec<usize>> = match graph.node(shape) {
            Node::Tuple(_, items) => graph
                .items(items)
                .iter()
                .map(|&id| match graph.node(id) {
                    Node::Int(length) => usize::try_from(length).ok(),
                    _ => None,
                })
                .collect(),
            _ => None,
        };
        let Some(lengths) = lengths.filter(|lengths| lengths.len() <= 32) else {
            return Err(self.malformed("the shape of an array is not a tuple of lengths"));
        };
        if lengths.is_empty() {
            return Err(Error::unsupported(
                self.at(),
                "array of objects",
                "one without dimensions",
            ));
        }
        // One dimension: as many items; more: nested lists, whose lengths are the shape.
        if lengths
            .first()
            .is_some_and(|&length| length != self.children.len())
        {
            return Err(self.malformed("an array of objects has other lengths than its shape"));
        }
        let mut left = self.reader.grid;
        let graph = &self.reader.graph;
        let mut level: Vec<NodeId> = self.children.to_vec();
        for &length in lengths.iter().skip(1) {
            let mut next = Vec::new();
            for &id in &level {
                let Node::List(list, items) = graph.node(id) else {
                    return Err(
                        self.malformed("an array of objects has other lengths than its shape")
                    );
                };
                if items.len() != length || graph.name(list) != "builtins.list" {
                    return Err(
                        self.malformed("an array of objects has other lengths than its shape")
                    );
                }
                // One list may stand for many, but not for more items than the file has bytes.
                spend(
                    &mut left,
                    u64::try_from(length).unwrap_or(u64::MAX),
                    "items of arrays of objects",
                )?;
                next.extend_from_slice(graph.items(items));
            }
            level = next;
        }
        self.reader.grid = left;
        // numpy frees an array inside an array by recursion, without Python's guard of the call stack.
        let inner = level
            .iter()
            .filter_map(|item| self.reader.array_depth.get(item))
            .max();
        let depth = inner.copied().unwrap_or(0).saturating_add(1);
        at_most(ARRAY_DEPTH, depth, "arrays of objects inside each other")?;
        self.reader.array_depth.insert(self.open.id, depth);
        let mut items = vec![shape];
        items.extend(level);
        Ok(Node::ObjectArray(class, self.link(&items)?))
    }

    fn generator(&mut self) -> Result<Node, Error> {
        let state = self.slot(CONTENT, "a Generator has no bit generator")?;
        let graph = &self.reader.graph;
        let name = graph.get(state, "bit_generator").map(|id| graph.node(id));
        let Some(Node::Str(name)) = name else {
            return Err(self.malformed("a Generator does not name its bit generator"));
        };
        let name = graph.text(name).to_owned();
        check_name("numpy.random", &name).map_err(|what| self.malformed(what))?;
        let global = self
            .reader
            .graph
            .global("numpy.random", &name)
            .ok_or_else(full)?;
        self.reader.graph.refer(global, Role::Call, self.open.id);
        let items = match self.open.slots[1] {
            Some(seed) => self.link(&[state, seed])?,
            None => self.link(&[state])?,
        };
        Ok(Node::Generator(self.refer(Role::Instance)?, items))
    }

    /// Keys and values of a dict in turn, the keys turned into what `key_types` says.
    fn pairs(&mut self, types: NodeId) -> Result<Cow<'b, [NodeId]>, Error> {
        let graph = &self.reader.graph;
        let Node::List(_, types) = graph.node(types) else {
            return Err(self.malformed("the key_types of a dict are not a list"));
        };
        let types = graph.items(types);
        let pairs = self.children;
        // skops pairs keys with types for as long as there are keys, so one list does for many dicts.
        let Some(types) = types.get(..pairs.len() / 2) else {
            return Err(self.malformed("a dict has more keys than key_types"));
        };
        self.distinct(pairs)?;
        // Most dicts have one type of key; most keys are text.
        let mut changes = Vec::new();
        let mut last = None;
        for (index, &kind) in types.iter().enumerate() {
            if last == Some(kind) {
                continue;
            }
            let Node::Global(class) = graph.node(kind) else {
                return Err(self.malformed("a type of a key is not a class"));
            };
            if graph.name(class) == "builtins.str" {
                last = Some(kind);
            } else {
                changes.push((index.saturating_mul(2), class));
            }
        }
        if changes.is_empty() {
            return Ok(Cow::Borrowed(pairs));
        }
        let mut pairs = pairs.to_vec();
        for (index, class) in changes {
            let Some(slot) = pairs.get_mut(index) else {
                continue;
            };
            let id = self.key(*slot, class)?;
            *slot = id;
        }
        Ok(Cow::Owned(pairs))
    }

    /// Refuses two keys of the same text: JSON readers disagree on which one counts.
    fn distinct(&self, pairs: &[NodeId]) -> Result<(), Error> {
        let graph = &self.reader.graph;
        let keys = pairs.iter().step_by(2);
        let text = |&id: &NodeId| match graph.node(id) {
            Node::Str(run) => graph.text(run).as_bytes(),
            Node::WideStr(run) => graph.wide(run),
            _ => &[],
        };
        let twice = if pairs.len() <= 64
            && self.reader.keys.len() < KEYS
            && keys
                .clone()
                .all(|&id| matches!(graph.node(id), Node::Str(_)))
        {
            // Equal texts are one node: see `key_node`.
            let mut rest = pairs;
            let mut twice = false;
            while let Some((key, after)) = rest.split_first() {
                twice |= after.iter().skip(1).step_by(2).any(|other| other == key);
                rest = after.get(1..).unwrap_or_default();
            }
            twice
        } else if pairs.len() <= 32 {
            let keys: Vec<&[u8]> = keys.map(text).collect();
            keys.iter()
                .enumerate()
                .any(|(index, key)| keys.iter().take(index).any(|other| other == key))
        } else {
            let mut seen =
                HashSet::with_capacity_and_hasher(pairs.len() / 2, RandomState::default());
            !keys.map(text).all(|key| seen.insert(key))
        };
        if twice {
            return Err(self.malformed("a dict has a key twice"));
        }
        Ok(())
    }

    /// A key of another type than text.
    fn key(&mut self, key: NodeId, class: GlobalId) -> Result<NodeId, Error> {
        let graph = &self.reader.graph;
        let Node::Str(run) = graph.node(key) else {
            return Err(self.malformed("a key does not fit its type"));
        };
        let text = graph.text(run).to_owned();
        let place = u32::try_from(graph.place(key)).unwrap_or(0);
        let node = match graph.name(class) {
            // `json.dumps` writes these keys as it writes the values.
            "builtins.int" | "builtins.float" => {
                let mut cursor = Cursor::new(text.as_bytes(), SCHEMA, 0);
                let number = cursor.number().ok().filter(|_| cursor.at_end());
                let number = match (graph.name(class), number) {
                    ("builtins.int", Some(number @ (Number::Int(_) | Number::Big(_))))
                    | ("builtins.float", Some(number @ Number::Float(_))) => number,
                    ("builtins.float", Some(Number::Int(value))) => match text.parse() {
                        Ok(float) => Number::Float(float),
                        Err(_) => Number::Int(value),
                    },
                    _ => return Err(self.malformed("a key does not fit its type")),
                };
                number_node(&mut self.reader.graph, &number)?
            }
            "builtins.bool" => match text.as_str() {
                "true" => Node::Bool(true),
                "false" => Node::Bool(false),
                _ => return Err(self.malformed("a key does not fit its type")),
            },
            "builtins.NoneType" if text == "null" => Node::None,
            "builtins.list" | "builtins.set" | "builtins.dict" | "builtins.bytearray" => {
                return Err(self.malformed("a type of a key can't be in a dict"));
            }
            _ => {
                self.reader.graph.refer(class, Role::Call, self.open.id);
                Node::Key(class, run)
            }
        };
        self.reader.push(node, place)
    }
}

fn full() -> Error {
    Error::Limit {
        what: "size of the graph",
        found: u64::from(u32::MAX).saturating_add(1),
        limit: u64::from(u32::MAX),
    }
}

/// A name that `import` and `getattr` take as it is written.
fn check_name(module: &str, class: &str) -> Result<(), &'static str> {
    // `<lambda>` and `<locals>` are names that Python gives, though none that can be imported.
    let is_name = |name: &str| {
        let plain = name
            .strip_prefix('<')
            .and_then(|rest| rest.strip_suffix('>'))
            .unwrap_or(name);
        !plain.is_empty()
            && !plain.starts_with(|c: char| c.is_ascii_digit())
            && plain.chars().all(|c| c.is_alphanumeric() || c == '_')
    };
    if !is_name(class) {
        return Err("the name of a class or function is not one name");
    }
    if !module.split('.').all(is_name) {
        return Err("the name of a module is not names and dots");
    }
    Ok(())
}

/// The module that holds a class whose file gives a module that can't be imported: scikit-learn 1.5 to
/// 1.8 call `sklearn._loss._loss` by its last name.
fn renamed(module: &str) -> &str {
    if module == "_loss" {
        "sklearn._loss._loss"
    } else {
        module
    }
}

fn scalar_node(
    graph: &mut Graph,
    scalar: &Scalar<'_>,
    text: &[u8],
    at: &Cursor<'_>,
) -> Result<Node, Error> {
    match scalar {
        Scalar::Null => Ok(Node::None),
        Scalar::Bool(value) => Ok(Node::Bool(*value)),
        Scalar::Number(number) => number_node(graph, number),
        Scalar::String => text_node(graph, text, at),
    }
}

fn number_node(graph: &mut Graph, number: &Number<'_>) -> Result<Node, Error> {
    Ok(match number {
        Number::Int(value) => Node::Int(*value),
        Number::Float(value) => Node::Float(*value),
        Number::Big(digits) => Node::BigInt(graph.push_text(digits).ok_or_else(full)?),
    })
}

/// Text as UTF-8, or as WTF-8 where it holds lone surrogates, as `json.loads` of bytes reads it.
fn text_node(graph: &mut Graph, bytes: &[u8], at: &Cursor<'_>) -> Result<Node, Error> {
    let mut rest = bytes;
    loop {
        match std::str::from_utf8(rest) {
            Ok(text) if rest.len() == bytes.len() => {
                return Ok(Node::Str(graph.push_text(text).ok_or_else(full)?));
            }
            Ok(_) => return Ok(Node::WideStr(graph.push_wide(bytes).ok_or_else(full)?)),
            Err(error) => {
                let tail = rest.get(error.valid_up_to()..).unwrap_or_default();
                let Some(([0xED, 0xA0..=0xBF, 0x80..=0xBF], after)) = tail.split_first_chunk::<3>()
                else {
                    return Err(at.malformed("text is not UTF-8"));
                };
                rest = after;
            }
        }
    }
}
