//! The rows of a graph as a person sees it: one for each object, with its key, its label and what is trusted.
//!
//! The order, the keys and the labels are those of `skops.io.visualize` (`skops/io/_visualize.py` of
//! skops 0.16.0).

use std::borrow::Cow;
use std::fmt::Write as _;

use super::objects::{GlobalId, Graph, Items, Node, NodeId, Role};

/// How a row's object hangs on the one above it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// It is the model.
    Root,
    /// A part that every object of the kind above has: `attrs`, `args`, `main`.
    Part(&'static str),
    /// The class that a [`Node::Construct`] calls: a row of its own, with the node of the object.
    Constructor,
    /// An item of a list, tuple, set or array of objects.
    Item(usize),
    /// The value under this key of a dict.
    Entry(NodeId),
    /// So many objects that are not shown; the row's node is the one that holds them.
    More(usize),
}

/// One row of an [`Outline`].
#[derive(Debug, Clone, Copy)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each answers a question of its own; three are those of skops' rows"
)]
pub struct Row<'g> {
    graph: &'g Graph,
    /// How many rows stand above this one on the way to the root.
    pub level: usize,
    /// How the object hangs on the one above it.
    pub step: Step,
    /// The object.
    pub node: NodeId,
    /// Whether the names that the object itself uses are granted.
    pub self_trusted: bool,
    /// Whether that is so of the object and of everything below it.
    pub trusted: bool,
    /// Whether no row of the same object above follows.
    pub last: bool,
    /// Whether the object had a row before: it stands in the model twice.
    pub shared: bool,
}

impl<'g> Row<'g> {
    /// The key, as skops says it: that of a dict's entry, or `root`, `attrs`, `content`, ...
    pub fn key(&self) -> Cow<'g, str> {
        match self.step {
            Step::Root => "root".into(),
            Step::Part(part) => part.into(),
            Step::Constructor => "constructor".into(),
            Step::Item(_) => "content".into(),
            Step::Entry(key) => self.graph.key_text(key),
            Step::More(_) => "".into(),
        }
    }

    /// The label, as skops says it: the name of the class, or the JSON of a scalar as
    /// `json-type(...)`; for bytes the name of the class, see [`bytes_label`].
    pub fn label(&self) -> Cow<'g, str> {
        if let Step::More(count) = self.step {
            return format!("{count} more").into();
        }
        match self.graph.json(self.node) {
            Some(json) => format!("json-type({json})").into(),
            None => self.class().into(),
        }
    }

    /// `module.qualname` of the object's class, or of the class or function that stands as a value;
    /// empty for a scalar.
    pub fn class(&self) -> &'g str {
        match self.graph.node(self.node) {
            Node::Bytes(_) => "builtins.bytes",
            Node::ByteArray(_) => "builtins.bytearray",
            Node::Slice(_) => "builtins.slice",
            _ => self
                .graph
                .class(self.node)
                .map_or("", |class| self.graph.name(class)),
        }
    }

    /// The byte of [`Graph::entry`] where the object starts.
    pub fn place(&self) -> u64 {
        self.graph.place(self.node)
    }

    /// How many objects stand right below this one.
    pub fn children(&self) -> usize {
        match self.step {
            Step::Constructor | Step::More(_) => 0,
            _ => self.graph.rows_below(self.node, true),
        }
    }
}

/// An object that is open: some of what it holds has rows.
#[derive(Debug)]
struct Frame {
    node: NodeId,
    level: usize,
    next: usize,
    count: usize,
    /// From this child on, trusted ones are passed over.
    limit: usize,
    hidden: usize,
    /// Whether this object's rows were given before.
    again: bool,
}

/// The rows of a graph, each object before what it holds.
///
/// Never more than one row for each node and each link, plus [`Outline::repeats`]. An object that stands
/// in itself is not opened a second time.
#[derive(Debug)]
pub struct Outline<'g> {
    graph: &'g Graph,
    self_trusted: Vec<bool>,
    /// Nodes that are not trusted, or hold one that is not.
    refused_below: Vec<bool>,
    /// Nodes that are refused or marked, or hold one that is.
    kept: Option<Vec<bool>>,
    marked: Vec<NodeId>,
    seen: Vec<bool>,
    open: Vec<bool>,
    frames: Vec<Frame>,
    started: bool,
    /// Whether the last row opened its object.
    opened: bool,
    repeats: usize,
    longest: usize,
    limit: usize,
    object_arrays: bool,
}

impl Graph {
    /// The rows of the graph; `granted` says whether a name may be used in a role.
    pub fn outline(&self, mut granted: impl FnMut(&str, Role) -> bool) -> Outline<'_> {
        let mut self_trusted = vec![true; self.len()];
        // Few names stand behind many references: decide each name once per role.
        let mut decided: Vec<[Option<bool>; 3]> = vec![[None; 3]; self.global_count()];
        let mut any_refused = false;
        for reference in self.references() {
            let slot = match reference.role {
                Role::Value => 0,
                Role::Instance => 1,
                Role::Call => 2,
            };
            let known = decided
                .get_mut(reference.global.index())
                .and_then(|roles| roles.get_mut(slot));
            let mut decide = || granted(self.name(reference.global), reference.role);
            let granted = match known {
                Some(known) => *known.get_or_insert_with(decide),
                None => decide(),
            };
            if !granted && let Some(slot) = self_trusted.get_mut(reference.node.index()) {
                *slot = false;
                any_refused = true;
            }
        }
        let mut refused_below = vec![false; self.len()];
        if any_refused {
            for (below, own) in refused_below.iter_mut().zip(&self_trusted) {
                *below = !own;
            }
            self.spread_to_holders(&mut refused_below);
        }
        Outline {
            graph: self,
            self_trusted,
            refused_below,
            kept: None,
            marked: Vec::new(),
            seen: vec![false; self.len()],
            open: vec![false; self.len()],
            frames: Vec::new(),
            started: false,
            opened: false,
            repeats: 0,
            longest: usize::MAX,
            limit: usize::MAX,
            object_arrays: false,
        }
    }

    /// Sets every node that holds a set one, however far below. Each link is followed once.
    fn spread_to_holders(&self, set: &mut [bool]) {
        // The holders of node i are holders[starts[i]..starts[i + 1]].
        let mut starts = vec![0_usize; self.len().saturating_add(2)];
        for id in self.ids() {
            for child in self.children(id) {
                if let Some(count) = starts.get_mut(child.index().saturating_add(2)) {
                    *count = count.saturating_add(1);
                }
            }
        }
        let mut sum = 0_usize;
        for start in &mut starts {
            sum = sum.saturating_add(*start);
            *start = sum;
        }
        let mut holders = vec![None; sum];
        for id in self.ids() {
            for child in self.children(id) {
                let Some(next) = starts.get_mut(child.index().saturating_add(1)) else {
                    continue;
                };
                if let Some(slot) = holders.get_mut(*next) {
                    *slot = Some(id);
                }
                *next = next.saturating_add(1);
            }
        }
        let mut todo: Vec<NodeId> = self
            .ids()
            .filter(|id| set.get(id.index()) == Some(&true))
            .collect();
        while let Some(node) = todo.pop() {
            let start = starts.get(node.index()).copied().unwrap_or(0);
            let end = starts
                .get(node.index().saturating_add(1))
                .copied()
                .unwrap_or(0);
            for &holder in holders.get(start..end).unwrap_or_default().iter().flatten() {
                if let Some(slot) = set.get_mut(holder.index())
                    && !*slot
                {
                    *slot = true;
                    todo.push(holder);
                }
            }
        }
    }

    /// The text of a dict's key as JSON has it.
    pub fn key_text(&self, key: NodeId) -> Cow<'_, str> {
        match self.node(key) {
            Node::Str(text) | Node::BigInt(text) | Node::Key(_, text) => self.text(text).into(),
            Node::WideStr(text) => String::from_utf8_lossy(self.wide(text)),
            _ => self.json(key).unwrap_or_default().into(),
        }
    }

    /// The JSON of a scalar, as Python's `json.dumps` writes it; `None` for any other node.
    pub fn json(&self, id: NodeId) -> Option<String> {
        Some(match self.node(id) {
            Node::None => "null".to_owned(),
            Node::Bool(value) => value.to_string(),
            Node::Int(value) => value.to_string(),
            Node::BigInt(digits) => self.text(digits).to_owned(),
            Node::Float(value) => float_json(value),
            Node::Str(text) => text_json(self.text(text).as_bytes()),
            Node::WideStr(text) => text_json(self.wide(text)),
            _ => return None,
        })
    }

    /// How many rows stand right below that of a node.
    fn rows_below(&self, id: NodeId, object_arrays: bool) -> usize {
        match self.node(id) {
            Node::Dict(_, items) => items.len() / 2,
            Node::ObjectArray(_, items) if object_arrays => items.len().saturating_sub(1),
            // Attributes, arguments and the class that is called; arguments alone otherwise.
            Node::Construct(_, items) if items.len() == 2 => 3,
            Node::List(_, items)
            | Node::Tuple(_, items)
            | Node::Set(_, items)
            | Node::DefaultDict(_, items)
            | Node::Slice(items)
            | Node::Object(_, items)
            | Node::Construct(_, items)
            | Node::Method(_, items)
            | Node::Partial(_, items)
            | Node::MaskedArray(_, items)
            | Node::DType(_, items)
            | Node::RandomState(_, items)
            | Node::Generator(_, items) => items.len(),
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
            | Node::Array(..)
            | Node::ObjectArray(..)
            | Node::Sparse(..) => 0,
        }
    }

    /// One of the rows right below that of a node.
    fn row_below(&self, id: NodeId, index: usize) -> Option<(Step, NodeId)> {
        let at = |items: Items, index: usize| self.items(items).get(index).copied();
        let part = |items: Items, names: &[&'static str]| {
            Some((Step::Part(names.get(index).copied()?), at(items, index)?))
        };
        match self.node(id) {
            Node::List(_, items) | Node::Tuple(_, items) | Node::Set(_, items) => {
                Some((Step::Item(index), at(items, index)?))
            }
            Node::ObjectArray(_, items) => {
                Some((Step::Item(index), at(items, index.saturating_add(1))?))
            }
            Node::Dict(_, items) => {
                let key = at(items, index.saturating_mul(2))?;
                let value = at(items, index.saturating_mul(2).saturating_add(1))?;
                Some((Step::Entry(key), value))
            }
            // The factory stands first in the graph.
            Node::DefaultDict(_, items) => match index {
                0 => Some((Step::Part("main"), at(items, 1)?)),
                _ => Some((Step::Part("default_factory"), at(items, 0)?)),
            },
            Node::Construct(class, items) => match (items.len(), index) {
                (2, 0) => Some((Step::Part("attrs"), at(items, 1)?)),
                (2, 1) => Some((Step::Part("args"), at(items, 0)?)),
                (2, _) => Some((Step::Constructor, id)),
                _ if self.is_operator(class) => part(items, &["attrs"]),
                _ => part(items, &["content"]),
            },
            Node::Slice(items) => part(items, &["start", "stop", "step"]),
            Node::Object(_, items) => part(items, &["attrs"]),
            Node::Method(_, items) => part(items, &["obj"]),
            Node::Partial(_, items) => part(items, &["func", "args", "kwds", "namespace"]),
            Node::MaskedArray(_, items) => part(items, &["data", "mask"]),
            Node::DType(_, items) | Node::RandomState(_, items) => part(items, &["content"]),
            Node::Generator(_, items) => part(items, &["bit_generator_state", "seed_seq_state"]),
            _ => None,
        }
    }

    fn is_operator(&self, class: GlobalId) -> bool {
        self.global_parts(class).0 == "operator"
    }

    /// Whether a second row of a node tells something: it is neither a scalar nor a name.
    fn has_identity(&self, id: NodeId) -> bool {
        self.json(id).is_none() && !matches!(self.node(id), Node::Global(_) | Node::Function(_))
    }
}

impl<'g> Outline<'g> {
    /// Opens objects that stand in the model again each time that they do, until `rows` rows were
    /// given a second time. skops does so without end.
    #[must_use]
    pub fn repeats(mut self, rows: usize) -> Self {
        self.repeats = rows;
        self
    }

    /// For a list, tuple, set, dict or array of objects that holds more than `longest` objects: gives `rows`
    /// rows, then the rows of those that hold something refused or marked, then one [`Step::More`]. The
    /// attributes of an object all have rows.
    #[must_use]
    pub fn abbreviate(mut self, longest: usize, rows: usize) -> Self {
        (self.longest, self.limit) = (longest, rows);
        self
    }

    /// Opens arrays of objects too.
    #[must_use]
    pub fn object_arrays(mut self) -> Self {
        self.object_arrays = true;
        self
    }

    /// A node whose row [`Outline::abbreviate`] does not hide.
    #[must_use]
    pub fn mark(mut self, node: NodeId) -> Self {
        self.marked.push(node);
        self
    }

    /// Passes over what stands below the row that was given last.
    pub fn skip_children(&mut self) {
        if std::mem::take(&mut self.opened)
            && let Some(frame) = self.frames.pop()
            && let Some(open) = self.open.get_mut(frame.node.index())
        {
            *open = false;
        }
    }

    /// Whether a node or something below it is refused or marked.
    pub fn holds_refused(&self, node: NodeId) -> bool {
        let kept = self.kept.as_ref().unwrap_or(&self.refused_below);
        kept.get(node.index()) == Some(&true)
    }

    fn start(&mut self) {
        self.started = true;
        if self.marked.is_empty() {
            return;
        }
        let mut kept = self.refused_below.clone();
        for node in &self.marked {
            if let Some(slot) = kept.get_mut(node.index()) {
                *slot = true;
            }
        }
        self.graph.spread_to_holders(&mut kept);
        self.kept = Some(kept);
    }

    /// The row of a node; opens it where it is to be opened.
    fn row(&mut self, level: usize, step: Step, node: NodeId, last: bool, again: bool) -> Row<'g> {
        let is = |flags: &[bool]| flags.get(node.index()) == Some(&true);
        let own_row = step != Step::Constructor;
        let seen = own_row && is(&self.seen);
        let row = Row {
            graph: self.graph,
            level,
            step,
            node,
            self_trusted: is(&self.self_trusted),
            trusted: if own_row {
                !is(&self.refused_below)
            } else {
                is(&self.self_trusted)
            },
            last,
            shared: seen && self.graph.has_identity(node),
        };
        let count = if own_row {
            self.graph.rows_below(node, self.object_arrays)
        } else {
            0
        };
        self.opened = count > 0 && !is(&self.open) && (!seen || self.repeats > 0);
        if let Some(slot) = self.seen.get_mut(node.index()) {
            *slot |= own_row;
        }
        if self.opened {
            if let Some(slot) = self.open.get_mut(node.index()) {
                *slot = true;
            }
            let long = step != Step::Part("attrs")
                && matches!(
                    self.graph.node(node),
                    Node::List(..)
                        | Node::Tuple(..)
                        | Node::Set(..)
                        | Node::Dict(..)
                        | Node::ObjectArray(..)
                );
            self.frames.push(Frame {
                node,
                level: level.saturating_add(1),
                next: 0,
                count,
                limit: if long && count > self.longest {
                    self.limit
                } else {
                    usize::MAX
                },
                hidden: 0,
                again: again || seen,
            });
        }
        row
    }
}

impl<'g> Iterator for Outline<'g> {
    type Item = Row<'g>;

    fn next(&mut self) -> Option<Row<'g>> {
        if !self.started {
            self.start();
            let root = self.graph.root()?;
            return Some(self.row(0, Step::Root, root, false, false));
        }
        self.opened = false;
        loop {
            let frame = self.frames.last_mut()?;
            let (index, level, again) = (frame.next, frame.level, frame.again);
            frame.next = index.saturating_add(1);
            if index >= frame.count {
                let (node, hidden) = (frame.node, frame.hidden);
                self.frames.pop();
                if let Some(open) = self.open.get_mut(node.index()) {
                    *open = false;
                }
                if hidden == 0 {
                    continue;
                }
                return Some(Row {
                    graph: self.graph,
                    level,
                    step: Step::More(hidden),
                    node,
                    self_trusted: true,
                    trusted: true,
                    last: true,
                    shared: false,
                });
            }
            let Some((step, node)) = self.graph.row_below(frame.node, index) else {
                continue;
            };
            if index >= frame.limit
                && self
                    .kept
                    .as_ref()
                    .unwrap_or(&self.refused_below)
                    .get(node.index())
                    != Some(&true)
            {
                frame.hidden = frame.hidden.saturating_add(1);
                continue;
            }
            let last = frame.hidden == 0 && frame.next == frame.count;
            if again {
                self.repeats = self.repeats.saturating_sub(1);
            }
            return Some(self.row(level, step, node, last, again));
        }
    }
}

/// The label that skops gives bytes: Python's `repr`, of which at most 30 characters are shown
/// (`reprlib.Repr.maxother`); `bytearray(...)` around it for a bytearray.
pub fn bytes_label(bytes: &[u8], bytearray: bool) -> String {
    const LONGEST: usize = 30;
    const HEAD: usize = 13;
    const TAIL: usize = 14;
    let quote = if bytes.contains(&b'\'') && !bytes.contains(&b'"') {
        b'"'
    } else {
        b'\''
    };
    let written = |byte: u8| match byte {
        b'\t' => "\\t".to_owned(),
        b'\n' => "\\n".to_owned(),
        b'\r' => "\\r".to_owned(),
        b'\\' => "\\\\".to_owned(),
        byte if byte == quote => format!("\\{}", char::from(byte)),
        b' '..=b'~' => char::from(byte).to_string(),
        byte => format!("\\x{byte:02x}"),
    };
    let quote_text = char::from(quote);
    // `b`, two quotes, and between them at least one character for each byte.
    let text = if bytes.len() <= LONGEST {
        let inside: String = bytes.iter().map(|&byte| written(byte)).collect();
        format!("b{quote_text}{inside}{quote_text}")
    } else {
        let head: String = bytes.iter().take(HEAD).map(|&byte| written(byte)).collect();
        let tail = bytes.len().saturating_sub(TAIL);
        let tail: String = bytes
            .get(tail..)
            .unwrap_or_default()
            .iter()
            .map(|&byte| written(byte))
            .collect();
        // What is left out is at least four characters long, so that this is over the limit as well.
        format!("b{quote_text}{head}....{tail}{quote_text}")
    };
    let text = if text.len() <= LONGEST {
        text
    } else {
        let head = text.get(..HEAD).unwrap_or_default();
        let tail = text
            .get(text.len().saturating_sub(TAIL)..)
            .unwrap_or_default();
        format!("{head}...{tail}")
    };
    if bytearray {
        format!("bytearray({text})")
    } else {
        text
    }
}

/// Text (WTF-8) as `json.dumps` writes it: ASCII only.
fn text_json(bytes: &[u8]) -> String {
    let mut out = String::with_capacity(bytes.len().saturating_add(2));
    out.push('"');
    let mut rest = bytes;
    while !rest.is_empty() {
        let valid = match std::str::from_utf8(rest) {
            Ok(text) => text,
            Err(error) => rest
                .get(..error.valid_up_to())
                .and_then(|valid| std::str::from_utf8(valid).ok())
                .unwrap_or_default(),
        };
        for letter in valid.chars() {
            match letter {
                '"' => out.push_str("\\\""),
                '\\' => out.push_str("\\\\"),
                '\n' => out.push_str("\\n"),
                '\r' => out.push_str("\\r"),
                '\t' => out.push_str("\\t"),
                '\u{8}' => out.push_str("\\b"),
                '\u{c}' => out.push_str("\\f"),
                ' '..='~' => out.push(letter),
                _ => {
                    for unit in letter.encode_utf16(&mut [0; 2]) {
                        let _ = write!(out, "\\u{unit:04x}");
                    }
                }
            }
        }
        rest = rest.get(valid.len()..).unwrap_or_default();
        // What is not UTF-8 is a lone surrogate of three bytes.
        if let Some(([_, second, third], after)) = rest.split_first_chunk::<3>() {
            let unit = 0xD000 | (u16::from(second & 0x3F) << 6) | u16::from(third & 0x3F);
            let _ = write!(out, "\\u{unit:04x}");
            rest = after;
        } else {
            break;
        }
    }
    out.push('"');
    out
}

/// A float as `json.dumps` writes it: Python's `repr`, or `NaN` and `Infinity`.
fn float_json(value: f64) -> String {
    if value.is_nan() {
        return "NaN".to_owned();
    }
    if value.is_infinite() {
        return if value > 0.0 { "Infinity" } else { "-Infinity" }.to_owned();
    }
    // Both write the shortest digits that give the same float; they place the point differently.
    let text = format!("{value:e}");
    let (digits, exponent) = text.split_once('e').unwrap_or((&text, "0"));
    match exponent.parse::<i32>() {
        Ok(exponent) if !(-4..16).contains(&exponent) => {
            let sign = if exponent < 0 { '-' } else { '+' };
            format!("{digits}e{sign}{:02}", exponent.unsigned_abs())
        }
        _ => format!("{value:?}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A graph of lists: each item names the children of its node; node 0 is the root.
    fn lists(children: &[&[usize]]) -> Graph {
        let mut graph = Graph::new("schema.json");
        let list = graph.global("builtins", "list").unwrap();
        let ids: Vec<NodeId> = (0..children.len())
            .map(|place| {
                graph
                    .push(Node::Pending, u32::try_from(place).unwrap())
                    .unwrap()
            })
            .collect();
        for (id, below) in ids.iter().zip(children) {
            let below: Vec<NodeId> = below.iter().map(|&index| ids[index]).collect();
            let items = graph.link(&below).unwrap();
            graph.set(*id, Node::List(list, items));
        }
        graph.set_root(ids[0]);
        graph
    }

    /// Node and level of each row, `*` where the object had a row before.
    fn shown(outline: Outline<'_>) -> String {
        let rows = outline.map(|row| {
            let star = if row.shared { "*" } else { "" };
            match row.step {
                Step::More(count) => format!("{}:+{count}", row.level),
                _ => format!("{}:{}{star}", row.level, row.node.index()),
            }
        });
        rows.collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn what_stands_twice_is_opened_once_or_as_often_as_is_asked_for() {
        let graph = lists(&[&[1, 1, 1], &[2], &[]]);
        let outline = || graph.outline(|_, _| true);
        assert_eq!(shown(outline()), "0:0 1:1 2:2 1:1* 1:1*");
        assert_eq!(
            shown(outline().repeats(100)),
            "0:0 1:1 2:2 1:1* 2:2* 1:1* 2:2*"
        );
        assert_eq!(shown(outline().repeats(1)), "0:0 1:1 2:2 1:1* 2:2* 1:1*");
    }

    #[test]
    fn what_stands_in_itself_is_not_opened_again() {
        let graph = lists(&[&[1], &[0, 1]]);
        assert_eq!(
            shown(graph.outline(|_, _| true).repeats(100)),
            "0:0 1:1 2:0* 2:1*"
        );
    }

    #[test]
    fn rows_that_double_at_each_level_are_bounded() {
        // 60 levels, each of which holds the next one twice: 2^60 rows if all were opened.
        let children: Vec<[usize; 2]> = (1..=60).map(|next| [next, next]).collect();
        let mut children: Vec<&[usize]> = children.iter().map(<[usize; 2]>::as_slice).collect();
        children.push(&[]);
        let graph = lists(&children);
        assert_eq!(graph.outline(|_, _| true).count(), 1 + 2 * 60);
        let count = graph.outline(|_, _| true).repeats(10_000).count();
        assert!((10_000..11_000).contains(&count), "{count}");
    }

    #[test]
    fn long_chains_do_not_use_the_call_stack() {
        let children: Vec<[usize; 1]> = (1..200_000).map(|next| [next]).collect();
        let mut children: Vec<&[usize]> = children.iter().map(<[usize; 1]>::as_slice).collect();
        children.push(&[]);
        let mut graph = lists(&children);
        let class = graph.global("my", "List").unwrap();
        let deepest = graph.ids().last().unwrap();
        graph.refer(class, Role::Call, deepest);
        let outline = graph.outline(|name, _| name != "my.List");
        assert!(
            outline
                .into_iter()
                .all(|row| !row.trusted && row.self_trusted == (row.node != deepest))
        );
    }

    #[test]
    fn trust_of_what_is_below_is_that_of_all_ways_down() {
        // 0 holds 1 and 2; 1 and 3 hold each other; 3 is refused; 2 holds 4.
        let mut graph = lists(&[&[1, 2], &[3], &[4], &[1], &[]]);
        let class = graph.global("my", "List").unwrap();
        let third = graph.ids().nth(3).unwrap();
        graph.refer(class, Role::Call, third);
        let rows: Vec<_> = graph
            .outline(|_, role| role != Role::Call)
            .map(|row| (row.node.index(), row.self_trusted, row.trusted, row.last))
            .collect();
        assert_eq!(
            rows,
            [
                (0, true, false, false),
                (1, true, false, false),
                (3, false, false, true),
                (1, true, false, true),
                (2, true, true, true),
                (4, true, true, true),
            ]
        );
    }

    #[test]
    fn long_lists_are_abbreviated_but_for_what_is_refused_or_marked() {
        let mut children: Vec<&[usize]> = vec![&[1, 2, 3, 4, 5, 6, 7, 8]];
        children.extend([&[][..]; 8]);
        let mut graph = lists(&children);
        let outline = graph.outline(|_, _| true);
        assert_eq!(
            shown(outline.abbreviate(8, 2)),
            "0:0 1:1 1:2 1:3 1:4 1:5 1:6 1:7 1:8"
        );
        assert_eq!(
            shown(graph.outline(|_, _| true).abbreviate(7, 2)),
            "0:0 1:1 1:2 1:+6"
        );
        let class = graph.global("my", "List").unwrap();
        let ids: Vec<NodeId> = graph.ids().collect();
        graph.refer(class, Role::Call, ids[6]);
        let outline = graph.outline(|_, _| false).abbreviate(2, 2).mark(ids[8]);
        assert_eq!(shown(outline), "0:0 1:1 1:2 1:6 1:8 1:+4");
    }

    #[test]
    fn what_is_below_a_row_can_be_passed_over() {
        let graph = lists(&[&[1, 3], &[2], &[], &[]]);
        let mut outline = graph.outline(|_, _| true);
        let mut nodes = Vec::new();
        while let Some(row) = outline.next() {
            nodes.push(row.node.index());
            if row.node.index() == 1 {
                outline.skip_children();
                outline.skip_children();
            }
        }
        assert_eq!(nodes, [0, 1, 3]);
    }

    #[test]
    fn floats_are_written_as_python_writes_them() {
        for (value, text) in [
            (0.0, "0.0"),
            (-0.0, "-0.0"),
            (1.0, "1.0"),
            (0.1, "0.1"),
            (1e15, "1000000000000000.0"),
            (1e16, "1e+16"),
            (1.5e16, "1.5e+16"),
            (1e-4, "0.0001"),
            (1.2e-5, "1.2e-05"),
            (-1e-7, "-1e-07"),
            (5e-324, "5e-324"),
            (1.797_693_134_862_315_7e308, "1.7976931348623157e+308"),
            (9_007_199_254_740_993.0, "9007199254740992.0"),
            (f64::NAN, "NaN"),
            (f64::INFINITY, "Infinity"),
            (f64::NEG_INFINITY, "-Infinity"),
        ] {
            assert_eq!(float_json(value), text);
        }
    }

    #[test]
    fn text_is_written_as_python_writes_it() {
        for (bytes, text) in [
            (&b"a \"b\" \\"[..], r#""a \"b\" \\""#),
            (
                b"\n\r\t\x08\x0c\x00\x1f\x7f",
                r#""\n\r\t\b\f\u0000\u001f\u007f""#,
            ),
            (
                "\u{e9}\u{20ac}\u{1f600}".as_bytes(),
                r#""\u00e9\u20ac\ud83d\ude00""#,
            ),
            (b"a\xED\xA0\x80b\xED\xBF\xBF", r#""a\ud800b\udfff""#),
        ] {
            assert_eq!(text_json(bytes), text);
        }
    }

    #[test]
    fn bytes_are_written_as_python_writes_them() {
        for (bytes, text) in [
            (&b""[..], "b''"),
            (b"abc", "b'abc'"),
            (b"a'b", r#"b"a'b""#),
            (b"a'b\"", r#"b'a\'b"'"#),
            (b"\x00\t\n\r\\\x7f\xff", r"b'\x00\t\n\r\\\x7f\xff'"),
            (
                b"123456789012345678901234567",
                "b'123456789012345678901234567'",
            ),
            (
                b"1234567890123456789012345678",
                "b'12345678901...6789012345678'",
            ),
            (
                b"010203040506070809101112131415",
                "b'01020304050...9101112131415'",
            ),
            (
                b"0102030405060708091011121314151617",
                "b'01020304050...1121314151617'",
            ),
            (&[0; 200], r"b'\x00\x00\x0...0\x00\x00\x00'"),
        ] {
            assert_eq!(bytes_label(bytes, false), text);
            assert_eq!(bytes_label(bytes, true), format!("bytearray({text})"));
        }
    }
}
