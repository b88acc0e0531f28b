//! The objects of a model as a tree of lines.

use std::collections::HashMap;
use std::io::{self, Write};

use nopickle_formats::archive::Archive;
use nopickle_formats::skops::Looked;
use nopickle_formats::{DType, Graph, Kind, Node, NodeId, Outline, Row, Step};

use super::Seen;
use crate::args::Inspect;
use crate::output::{self, Line, Paint, Style, clean, clean_name, count};

/// Lists and dicts that hold more than this are abbreviated, to so many lines.
const LONGEST: usize = 20;
const ABBREVIATED: usize = 3;
/// Letters of a text.
const TEXT: usize = 60;
/// Items that stand on one line with their list, and their letters.
const INLINE: usize = 12;
const INLINE_TEXT: usize = 160;

/// An object's line.
pub(super) struct Shown {
    /// How deep the line stands; 0 for the model.
    pub(super) level: usize,
    /// Whether it is the last below its holder.
    last: bool,
    /// What is said of the object.
    pub(super) line: Line,
    /// Whether it is refused, or holds something that is.
    pub(super) refused: bool,
    /// The byte of the graph's entry where it starts, if it is refused itself.
    pub(super) refused_at: Option<u64>,
}

/// Writes the tree as text.
pub(super) fn write(
    out: &mut impl Write,
    style: Style,
    args: &Inspect,
    seen: &Seen,
    archive: &mut Archive<'_>,
) -> io::Result<()> {
    writeln!(out)?;
    // For each level of lines, whether another line follows there.
    let mut open_ends = Vec::new();
    walk(args, seen, archive, |shown| {
        let Shown { level, last, .. } = shown;
        open_ends.truncate(level);
        open_ends.push(!last);
        let mut line = Line::default();
        for &open in open_ends.iter().take(level).skip(1) {
            line.push(Paint::Faint, if open { "\u{2502}   " } else { "    " });
        }
        if level > 0 {
            line.push(
                Paint::Faint,
                if last {
                    "\u{2514}\u{2500}\u{2500} "
                } else {
                    "\u{251c}\u{2500}\u{2500} "
                },
            );
        }
        line.append(shown.line);
        line.write(out, style)
    })
}

/// Calls `each` with every object's line, each before those of what it holds.
pub(super) fn walk(
    args: &Inspect,
    seen: &Seen,
    archive: &mut Archive<'_>,
    mut each: impl FnMut(Shown) -> io::Result<()>,
) -> io::Result<()> {
    let graph = &seen.graph;
    let mut outline = graph
        .outline(|name, role| seen.policy.grants(name, role))
        .object_arrays();
    if !args.all {
        outline = outline.abbreviate(LONGEST, ABBREVIATED);
    }
    if let Some((node, _)) = seen.broken {
        outline = outline.mark(node);
    }
    let mut tree = Tree {
        args,
        seen,
        archive,
        links: links(graph),
        numbers: HashMap::new(),
        above: Vec::new(),
        folded: Vec::new(),
    };
    while let Some(row) = outline.next() {
        if let Some(shown) = tree.line(&row, &mut outline) {
            each(shown)?;
        }
    }
    Ok(())
}

/// How often each node is referred to; more than once is all the same.
fn links(graph: &Graph) -> Vec<u8> {
    let mut links = vec![0_u8; graph.len()];
    for child in graph.ids().flat_map(|id| graph.children(id)) {
        links[child.index()] = links[child.index()].saturating_add(1);
    }
    links
}

struct Tree<'t, 'a> {
    args: &'t Inspect,
    seen: &'t Seen,
    archive: &'t mut Archive<'a>,
    links: Vec<u8>,
    /// The number of an object that has several lines.
    numbers: HashMap<NodeId, usize>,
    /// The rows on the way from the root, by level.
    above: Vec<(Step, NodeId)>,
    /// The levels of those that have no line of their own: an object's attributes stand right below it.
    folded: Vec<usize>,
}

impl Tree<'_, '_> {
    fn node(&self, id: NodeId) -> Node {
        self.seen.graph.node(id)
    }

    fn broken(&self, id: NodeId) -> Option<&'static str> {
        self.seen
            .broken
            .filter(|broken| broken.0 == id)
            .map(|broken| broken.1)
    }

    fn line(&mut self, row: &Row<'_>, outline: &mut Outline<'_>) -> Option<Shown> {
        self.above.truncate(row.level);
        self.above.push((row.step, row.node));
        while self.folded.last().is_some_and(|&level| level >= row.level) {
            self.folded.pop();
        }
        if row.step == Step::Constructor {
            return None;
        }
        let parent = row.level.checked_sub(1).map(|level| self.above[level]);
        let constructed =
            parent.is_some_and(|parent| matches!(self.node(parent.1), Node::Construct(..)));
        if row.step == Step::Part("attrs") && is_plain_dict(row) && self.broken(row.node).is_none()
        {
            self.folded.push(row.level);
            return None;
        }
        // The row of the constructor is not shown, so that the arguments are the last line.
        let in_folded = self.folded.last() == row.level.checked_sub(1).as_ref() && row.level > 0;
        let of_construct = in_folded
            && row.level >= 2
            && matches!(self.node(self.above[row.level - 2].1), Node::Construct(..));
        let last = match row.step {
            Step::Part("args") if constructed => true,
            _ => row.last && !of_construct,
        };
        let level = row.level - self.folded.len();
        let shown = |line, refused, refused_at| Shown {
            level,
            last,
            line,
            refused,
            refused_at,
        };

        let mut line = Line::default();
        if let Step::More(hidden) = row.step {
            line.push(Paint::Faint, format!("... {} more", count(hidden as u64)));
            return Some(shown(line, false, None));
        }
        line.push(Paint::Plain, format!("{}: ", self.key(row, parent)));
        let inline = self.value(&mut line, row);
        self.marks(&mut line, row);
        if inline || row.shared {
            outline.skip_children();
        } else if self.args.depth.is_some_and(|depth| level >= depth) {
            outline.skip_children();
            if self.has_lines_below(row) {
                line.push(Paint::Faint, " ...");
                if outline.holds_refused(row.node)
                    && row.self_trusted
                    && self.broken(row.node).is_none()
                {
                    line.push(Paint::Bad, "  refused further down");
                    line.keep_whole();
                }
            }
        }
        let own = self.broken(row.node).is_some() || self.seen.untrusted.contains_key(&row.node);
        let place = own.then(|| self.seen.graph.place(row.node));
        Some(shown(line, outline.holds_refused(row.node), place))
    }

    /// Whether there is anything to show below an object that is not opened.
    fn has_lines_below(&self, row: &Row<'_>) -> bool {
        let graph = &self.seen.graph;
        match self.node(row.node) {
            Node::Object(_, items) => graph.items(items).first().is_some_and(
                |&state| !matches!(graph.node(state), Node::Dict(_, items) if items.is_empty()),
            ),
            _ => row.children() > 0,
        }
    }

    fn key(&self, row: &Row<'_>, parent: Option<(Step, NodeId)>) -> String {
        let graph = &self.seen.graph;
        match row.step {
            Step::Root => "model".to_owned(),
            Step::Item(index) => format!("[{index}]"),
            Step::Part("args") => "(arguments)".to_owned(),
            Step::Part("content")
                if parent.is_some_and(|(_, id)| matches!(self.node(id), Node::Construct(..))) =>
            {
                "(arguments)".to_owned()
            }
            Step::Part("attrs" | "content") => "(state)".to_owned(),
            Step::Part(part) => format!("({part})"),
            // Attributes are written without quotes.
            Step::Entry(key) => match (graph.node(key), parent) {
                (Node::Key(class, text), _) => {
                    format!(
                        "{}({})",
                        clean_name(graph.name(class)),
                        quoted(graph.text(text), self.args.all)
                    )
                }
                (
                    Node::Str(_) | Node::WideStr(_),
                    Some((Step::Entry(_) | Step::Item(_) | Step::Root, _)),
                ) => quoted(&graph.key_text(key), self.args.all),
                (Node::Str(_) | Node::WideStr(_), _) => clean(&graph.key_text(key)).into_owned(),
                _ => self.scalar(key).unwrap_or_default(),
            },
            Step::Constructor | Step::More(_) => String::new(),
        }
    }

    /// A scalar as Python writes it.
    fn scalar(&self, id: NodeId) -> Option<String> {
        let graph = &self.seen.graph;
        Some(match graph.node(id) {
            Node::None => "None".to_owned(),
            Node::Bool(true) => "True".to_owned(),
            Node::Bool(false) => "False".to_owned(),
            Node::Float(value) if value.is_nan() => "nan".to_owned(),
            Node::Float(value) if value.is_infinite() => {
                if value > 0.0 { "inf" } else { "-inf" }.to_owned()
            }
            Node::Str(text) => quoted(graph.text(text), self.args.all),
            Node::WideStr(_) => quoted(&graph.key_text(id), self.args.all),
            _ => graph.json(id)?,
        })
    }

    /// Writes what a row's object is. Returns whether that says what stands below it too.
    fn value(&mut self, line: &mut Line, row: &Row<'_>) -> bool {
        let id = row.node;
        let graph = &self.seen.graph;
        if let Some(scalar) = self.scalar(id) {
            line.push(Paint::Plain, scalar);
            return true;
        }
        let paint = match (row.self_trusted, row.trusted) {
            (false, _) => Paint::Bad,
            (true, false) => Paint::Doubt,
            (true, true) => Paint::Plain,
        };
        let class = clean_name(row.class()).into_owned();
        let short = class.strip_prefix("builtins.").unwrap_or(&class).to_owned();
        match graph.node(id) {
            Node::Global(_) | Node::Function(_) => {
                line.push(paint, format!("reference to {class}"));
            }
            Node::Method(..) => line.push(paint, format!("method {class}")),
            Node::Array(..) | Node::Bytes(_) | Node::ByteArray(_) | Node::Sparse(..) => {
                self.array(line, id, paint, &class);
                return true;
            }
            Node::ObjectArray(_, items) => {
                let shape = graph
                    .items(items)
                    .first()
                    .map_or(&[][..], |&shape| graph.children(shape));
                let shape: Vec<String> = shape
                    .iter()
                    .filter_map(|&length| graph.json(length))
                    .collect();
                line.push(paint, format!("array of objects {}", tuple(&shape)));
                let items = graph.items(items).get(1..).unwrap_or_default();
                return self.inline(line, row, items, ["[", "]"]);
            }
            Node::List(_, items) => {
                line.push(paint, format!("{short} of {}", count(items.len() as u64)));
                return self.inline(line, row, graph.items(items), ["[", "]"]);
            }
            Node::Tuple(_, items) => {
                line.push(paint, format!("{short} of {}", count(items.len() as u64)));
                return self.inline(line, row, graph.items(items), ["(", ")"]);
            }
            Node::Set(_, items) => {
                line.push(paint, format!("{short} of {}", count(items.len() as u64)));
                return self.inline(line, row, graph.items(items), ["{", "}"]);
            }
            Node::Dict(_, items) => line.push(
                paint,
                format!("{short} of {}", count((items.len() / 2) as u64)),
            ),
            Node::Slice(items) => {
                let parts: Vec<String> = graph
                    .items(items)
                    .iter()
                    .filter_map(|&part| self.scalar(part))
                    .collect();
                line.push(paint, format!("slice({})", parts.join(", ")));
                return true;
            }
            Node::DType(_, items) if row.trusted => {
                let Some(&inner) = graph.items(items).first() else {
                    return false;
                };
                let known = self.seen.look(self.archive, inner);
                line.push(
                    paint,
                    match known {
                        _ if matches!(graph.node(inner), Node::ObjectArray(..)) => {
                            "dtype object".to_owned()
                        }
                        Ok(Some(Looked::Array(header))) => {
                            format!("dtype {}", dtype(&header.dtype))
                        }
                        _ => class,
                    },
                );
                return true;
            }
            _ => line.push(paint, class),
        }
        false
    }

    /// Writes short scalars on the line of what holds them.
    fn inline(
        &self,
        line: &mut Line,
        row: &Row<'_>,
        items: &[NodeId],
        brackets: [&str; 2],
    ) -> bool {
        if items.len() > INLINE || items.is_empty() || row.shared {
            return items.is_empty();
        }
        let texts: Option<Vec<String>> = items.iter().map(|&item| self.scalar(item)).collect();
        let Some(texts) = texts else { return false };
        let text = texts.join(", ");
        if text.len() > INLINE_TEXT || items.iter().any(|&item| self.broken(item).is_some()) {
            return false;
        }
        line.push(
            Paint::Plain,
            format!(": {}{text}{}", brackets[0], brackets[1]),
        );
        true
    }

    fn array(&mut self, line: &mut Line, id: NodeId, paint: Paint, class: &str) {
        let looked = if self.args.no_arrays {
            Ok(None)
        } else {
            self.seen.look(self.archive, id)
        };
        let known = match class {
            "numpy.ndarray" => "array",
            "builtins.bytes" => "bytes",
            "builtins.bytearray" => "bytearray",
            _ => class,
        };
        match looked {
            Ok(Some(Looked::Array(header))) => {
                if header.shape.is_empty() && class != "numpy.ndarray" {
                    line.push(paint, known);
                } else {
                    let shape: Vec<String> = header
                        .shape
                        .iter()
                        .map(|&length| length.to_string())
                        .collect();
                    let order = if header.fortran && header.shape.len() > 1 {
                        ", Fortran order"
                    } else {
                        ""
                    };
                    line.push(paint, known);
                    line.push(
                        Paint::Plain,
                        format!(" {} {}{order}", dtype(&header.dtype), tuple(&shape)),
                    );
                }
                line.push(
                    Paint::Faint,
                    format!("  {}", output::bytes(header.data_bytes as u64)),
                );
            }
            Ok(Some(Looked::Bytes(bytes))) => {
                line.push(paint, known);
                line.push(Paint::Faint, format!("  {}", output::bytes(bytes)));
            }
            Ok(Some(Looked::Sparse {
                shape,
                dtype: kind,
                stored,
                bytes,
            })) => {
                let shape: Vec<String> = shape.iter().map(u64::to_string).collect();
                let kind = kind
                    .as_ref()
                    .map_or_else(String::new, |kind| format!(" {}", dtype(kind)));
                line.push(paint, known);
                line.push(
                    Paint::Plain,
                    format!("{kind} {}, {} stored", tuple(&shape), count(stored)),
                );
                line.push(Paint::Faint, format!("  {}", output::bytes(bytes)));
            }
            Ok(None) => line.push(paint, known),
            Err(error) => {
                line.push(paint, known);
                line.push(
                    Paint::Bad,
                    format!("  not readable: {}", clean_name(&error.to_string())),
                );
                line.keep_whole();
            }
        }
    }

    /// Writes what was decided about the object itself.
    fn marks(&mut self, line: &mut Line, row: &Row<'_>) {
        if let Some(&number) = self.numbers.get(&row.node)
            && row.shared
        {
            line.push(Paint::Faint, format!("  the same as #{number}"));
        } else if self.links[row.node.index()] > 1 && self.has_number(row.node) {
            let number = self.numbers.len() + 1;
            self.numbers.insert(row.node, number);
            line.push(Paint::Faint, format!("  #{number}"));
        }
        if row.shared {
            return;
        }
        if let Some(names) = self.seen.untrusted.get(&row.node) {
            let names = names
                .iter()
                .map(|&index| self.seen.names[index].name.as_str());
            let others: Vec<_> = names
                .filter(|&name| name != row.class())
                .map(clean_name)
                .collect();
            let words = if others.is_empty() {
                String::new()
            } else {
                format!(": {}", others.join(", "))
            };
            line.push(Paint::Bad, format!("  not trusted{words}"));
            line.keep_whole();
        }
        if let Some(what) = self.broken(row.node) {
            line.push(Paint::Bad, format!("  refused: {what}"));
            line.keep_whole();
        } else if self.seen.verified(row.class())
            && !matches!(self.node(row.node), Node::Global(_) | Node::Function(_))
        {
            line.push(Paint::Good, "  verified");
        }
        if self.seen.added(row.class()) {
            line.push(Paint::Doubt, "  trusted by --trust");
        }
    }

    /// Whether it tells something that an object stands in two places.
    fn has_number(&self, id: NodeId) -> bool {
        let whole = matches!(
            self.node(id),
            Node::List(..) | Node::Set(..) | Node::Dict(..) | Node::Array(..) | Node::Object(..)
        );
        whole || !self.seen.graph.children(id).is_empty()
    }
}

fn is_plain_dict(row: &Row<'_>) -> bool {
    !row.shared && row.class() == "builtins.dict"
}

/// Text in quotes, cut where it is long.
fn quoted(text: &str, all: bool) -> String {
    let cut = text
        .char_indices()
        .nth(TEXT)
        .filter(|_| !all)
        .map(|(end, _)| end);
    let shown = text[..cut.unwrap_or(text.len())]
        .replace('\\', "\\\\")
        .replace('"', "\\\"");
    match cut {
        Some(_) => format!(
            "\"{}...\" ({} letters)",
            clean(&shown),
            count(text.chars().count() as u64)
        ),
        None => format!("\"{}\"", clean(&shown)),
    }
}

/// Lengths as Python writes a shape.
fn tuple(lengths: &[String]) -> String {
    match lengths {
        [one] => format!("({one},)"),
        _ => format!("({})", lengths.join(", ")),
    }
}

/// A dtype as numpy names it.
fn dtype(dtype: &DType) -> String {
    let bits = dtype.itemsize() * 8;
    let name = match dtype.kind() {
        Kind::Bool => "bool".to_owned(),
        Kind::Int => format!("int{bits}"),
        Kind::UInt => format!("uint{bits}"),
        Kind::Float => format!("float{bits}"),
        Kind::Complex => format!("complex{bits}"),
        Kind::Bytes => format!("S{}", dtype.itemsize()),
        Kind::Unicode => format!("U{}", dtype.itemsize() / 4),
        Kind::Void => format!("V{}", dtype.itemsize()),
        Kind::Struct => format!(
            "record of {} fields",
            dtype
                .fields()
                .iter()
                .filter(|field| !field.name.is_empty())
                .count()
        ),
        Kind::Datetime | Kind::Timedelta => dtype.to_string(),
    };
    if dtype.is_little() {
        name
    } else {
        format!("big-endian {name}")
    }
}
