//! YAML text to a value: events of `saphyr-parser`, a stack of what is open, budgets.

use std::collections::{HashMap, HashSet};

use foldhash::fast::RandomState;
use saphyr_parser::{Event, Marker, Parser, ScalarStyle};

use super::resolve::{Plain, plain, python_float};
use super::{Map, Value};
use crate::error::{Error, Location};
use crate::limits::{Limits, at_most, spend};

/// Levels that a document may nest. PyYAML itself gives up near 300.
const DEPTH: u64 = 100;
/// Values of one document, those that aliases repeat included.
const VALUES: u64 = 1_000_000;

/// What is open around the next event.
enum Open {
    List(usize, Vec<Value>),
    Map(usize, Mapping),
}

struct Mapping {
    entries: Vec<(Value, Value)>,
    seen: HashSet<String, RandomState>,
    key: Option<Value>,
}

struct Reader<'a> {
    entry: &'a str,
    open: Vec<Open>,
    /// What an anchor names, with what an alias to it costs.
    anchors: HashMap<usize, (Value, u64, u64), RandomState>,
    values: u64,
    bytes: u64,
    depth: u64,
    root: Option<Value>,
    /// Whether an anchor was seen.
    anchored: bool,
    /// Whether the last line has an end.
    ended: bool,
    text: &'a str,
    /// The byte of each letter, where the text is not ASCII.
    starts: Vec<usize>,
    /// For each open collection, whether it stands in brackets.
    flow: Vec<bool>,
}

/// Reads one YAML document.
///
/// Refuses tags, merge keys, a key twice, keys that are no scalars, directives, a second document, letters that YAML does
/// not print, tabs, and more nesting, values or bytes than a document may have.
pub fn read(bytes: &[u8], entry: &str, limits: &Limits) -> Result<Value, Error> {
    let length = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
    at_most(limits.text_bytes, length, "bytes of a text")?;
    let text = std::str::from_utf8(bytes).map_err(|error| {
        let at = u64::try_from(error.valid_up_to()).unwrap_or(u64::MAX);
        Error::malformed("mlmodel", Location::byte(entry, at), "a text is not UTF-8")
    })?;
    letters(text, entry)?;
    let mut reader = Reader {
        entry,
        open: Vec::new(),
        anchors: HashMap::default(),
        values: VALUES.min(limits.nodes),
        bytes: limits.text_bytes,
        depth: DEPTH.min(limits.depth),
        root: None,
        anchored: false,
        ended: text.ends_with('\n'),
        text,
        starts: if text.is_ascii() {
            Vec::new()
        } else {
            text.char_indices().map(|(at, _)| at).collect()
        },
        flow: Vec::new(),
    };
    let mut documents = 0_u8;
    for event in Parser::new_from_str(text) {
        let (event, span) = event.map_err(|error| {
            let at = place(entry, error.marker());
            Error::malformed("mlmodel", at, "the text is not YAML")
        })?;
        if matches!(event, Event::DocumentStart(_)) {
            documents = documents.saturating_add(1);
            if documents > 1 {
                let at = place(entry, &span.start);
                let name = "the second one";
                return Err(Error::unsupported(at, "number of documents", name));
            }
            continue;
        }
        reader.event(event, &span.start)?;
    }
    if reader.anchored {
        anchors(text, entry)?;
    }
    Ok(reader.root.unwrap_or(Value::Null))
}

/// Refuses an anchor or alias whose name has letters that YAML 1.1 does not end it with or take into it.
fn anchors(text: &str, entry: &str) -> Result<(), Error> {
    for (line, number) in text.lines().zip(1_u64..) {
        let mut before = ' ';
        for (at, letter) in line.char_indices() {
            let starts = matches!(letter, '&' | '*') && matches!(before, ' ' | '[' | '{' | ',');
            before = letter;
            if !starts {
                continue;
            }
            let rest = line
                .get(at..)
                .unwrap_or_default()
                .get(1..)
                .unwrap_or_default();
            let name = rest.split([' ', ',', ']', '}']).next().unwrap_or_default();
            let known = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
            if !name.chars().all(known) {
                let column = line.get(..at).unwrap_or_default().chars().count();
                let column = u64::try_from(column).unwrap_or(u64::MAX).saturating_add(1);
                return Err(Error::unsupported(
                    Location::line(entry, number, column),
                    "name of an anchor",
                    name,
                ));
            }
        }
    }
    Ok(())
}

fn place(entry: &str, mark: &Marker) -> Location {
    let number = |count: usize| u64::try_from(count).unwrap_or(u64::MAX);
    Location::line(
        entry,
        number(mark.line()),
        number(mark.col()).saturating_add(1),
    )
}

/// Refuses letters that readers of YAML disagree on: they are written as escapes.
fn letters(text: &str, entry: &str) -> Result<(), Error> {
    let (mut line, mut column) = (1_u64, 1_u64);
    for letter in text.chars() {
        let at = || Location::line(entry, line, column);
        let printable = matches!(letter,
            '\n' | '\r' | ' '..='~' | '\u{A0}'..='\u{2027}' | '\u{202A}'..='\u{D7FF}'
            | '\u{E000}'..='\u{FEFE}' | '\u{FF00}'..='\u{FFFD}' | '\u{1_0000}'..='\u{10_FFFF}');
        if !printable {
            let name = format!("U+{:04X}", u32::from(letter));
            return Err(Error::unsupported(at(), "letter of a text", name));
        }
        if column == 1 && letter == '%' {
            return Err(Error::unsupported(at(), "directive", "%"));
        }
        if letter == '\n' {
            line = line.saturating_add(1);
            column = 1;
        } else {
            column = column.saturating_add(1);
        }
    }
    Ok(())
}

impl Reader<'_> {
    fn event(&mut self, event: Event<'_>, mark: &Marker) -> Result<(), Error> {
        let at = || place(self.entry, mark);
        match event {
            Event::Nothing
            | Event::StreamStart
            | Event::StreamEnd
            | Event::DocumentStart(_)
            | Event::DocumentEnd => Ok(()),
            Event::Scalar(_, _, _, Some(tag))
            | Event::SequenceStart(_, Some(tag))
            | Event::MappingStart(_, Some(tag)) => {
                let name = format!("{}{}", tag.handle, tag.suffix);
                Err(Error::unsupported(at(), "tag", name))
            }
            Event::Alias(anchor) => {
                let Some((value, values, bytes)) = self.anchors.get(&anchor) else {
                    let what = "an alias stands inside what it names";
                    return Err(Error::malformed("mlmodel", at(), what));
                };
                spend(&mut self.values, *values, "values of a document")?;
                spend(&mut self.bytes, *bytes, "bytes of a document")?;
                let value = value.clone();
                self.value(value, 0, mark)
            }
            Event::Scalar(_, ScalarStyle::Literal | ScalarStyle::Folded, _, _) if !self.ended => {
                // Readers of YAML 1.1 and 1.2 disagree on whether it ends with a line end.
                let name = "the text does not end with a line end";
                Err(Error::unsupported(at(), "block scalar", name))
            }
            Event::Scalar(text, style, anchor, None) => {
                let value = match style {
                    // YAML 1.1 takes it for the mark of a key.
                    ScalarStyle::Plain if text.starts_with('?') && self.in_flow() => {
                        return Err(Error::unsupported(at(), "plain scalar", text));
                    }
                    ScalarStyle::Plain => match plain(&text) {
                        Plain::Value(value) => value,
                        Plain::Text | Plain::Timestamp => Value::Text(text.into_owned()),
                        Plain::Merge => {
                            return Err(Error::unsupported(at(), "merge key", text));
                        }
                        Plain::Default => {
                            return Err(Error::unsupported(at(), "plain scalar", text));
                        }
                        Plain::Bad => {
                            let what = "a number has no value, or too many digits";
                            return Err(Error::malformed("mlmodel", at(), what));
                        }
                    },
                    _ => Value::Text(text.into_owned()),
                };
                spend(&mut self.values, 1, "values of a document")?;
                spend(&mut self.bytes, size(&value), "bytes of a document")?;
                self.value(value, anchor, mark)
            }
            Event::SequenceStart(anchor, None) => self.push(Open::List(anchor, Vec::new()), mark),
            Event::MappingStart(anchor, None) => {
                let mapping = Mapping {
                    entries: Vec::new(),
                    seen: HashSet::default(),
                    key: None,
                };
                self.push(Open::Map(anchor, mapping), mark)
            }
            Event::SequenceEnd | Event::MappingEnd => {
                self.flow.pop();
                match self.open.pop() {
                    Some(Open::List(anchor, items)) => self.value(Value::List(items), anchor, mark),
                    Some(Open::Map(anchor, mapping)) => {
                        self.value(Value::Map(Map::new(mapping.entries)), anchor, mark)
                    }
                    None => Ok(()),
                }
            }
        }
    }

    fn in_flow(&self) -> bool {
        self.flow.last().copied().unwrap_or(false)
    }

    /// Whether a collection that starts at a mark starts with a bracket.
    fn starts_with_bracket(&self, mark: &Marker) -> bool {
        let start = self.starts.get(mark.index()).copied();
        let start = start.unwrap_or(mark.index());
        let mut rest = self.text.get(start..).unwrap_or_default();
        if rest.starts_with('&') {
            // The name of an anchor stands before it.
            let end = rest.find([' ', '\n']).unwrap_or(rest.len());
            rest = rest.get(end..).unwrap_or_default();
        }
        rest.trim_start().starts_with(['[', '{'])
    }

    fn push(&mut self, open: Open, mark: &Marker) -> Result<(), Error> {
        if let Some(Open::Map(_, Mapping { key: None, .. })) = self.open.last() {
            return Err(self.key_is_no_scalar(mark));
        }
        let flow = self.in_flow() || self.starts_with_bracket(mark);
        self.flow.push(flow);
        self.open.push(open);
        let found = u64::try_from(self.open.len()).unwrap_or(u64::MAX);
        at_most(self.depth, found, "nesting of YAML")?;
        spend(&mut self.values, 1, "values of a document")
    }

    fn key_is_no_scalar(&self, mark: &Marker) -> Error {
        let at = place(self.entry, mark);
        Error::malformed("mlmodel", at, "a key is a list or a mapping")
    }

    /// A finished value goes where the next value belongs.
    fn value(&mut self, value: Value, anchor: usize, mark: &Marker) -> Result<(), Error> {
        if anchor != 0 {
            self.anchored = true;
            let (values, bytes) = cost(&value);
            // What an anchor names is kept: it costs as much again.
            spend(&mut self.values, values, "values of a document")?;
            spend(&mut self.bytes, bytes, "bytes of a document")?;
            self.anchors.insert(anchor, (value.clone(), values, bytes));
        }
        match self.open.last_mut() {
            None => self.root = Some(value),
            Some(Open::List(_, items)) => items.push(value),
            Some(Open::Map(_, mapping)) => {
                if let Some(key) = mapping.key.take() {
                    mapping.entries.push((key, value));
                    return Ok(());
                }
                let Some(identity) = identity(&value) else {
                    return Err(self.key_is_no_scalar(mark));
                };
                if !mapping.seen.insert(identity) {
                    let at = place(self.entry, mark);
                    return Err(Error::malformed("mlmodel", at, "a mapping has a key twice"));
                }
                mapping.key = Some(value);
            }
        }
        Ok(())
    }
}

fn size(value: &Value) -> u64 {
    match value {
        Value::Text(text) | Value::Big(text) => u64::try_from(text.len()).unwrap_or(u64::MAX),
        _ => 0,
    }
}

/// How many values a value has in it, and how many bytes of text.
fn cost(value: &Value) -> (u64, u64) {
    let (mut values, mut bytes) = (0_u64, 0_u64);
    let mut todo = vec![value];
    while let Some(value) = todo.pop() {
        values = values.saturating_add(1);
        bytes = bytes.saturating_add(size(value));
        match value {
            Value::List(items) => todo.extend(items),
            Value::Map(map) => todo.extend(map.iter().flat_map(|(key, value)| [key, value])),
            _ => {}
        }
    }
    (values, bytes)
}

/// Keys that are equal in Python have one identity: `1`, `1.0` and `true` are one key.
fn identity(key: &Value) -> Option<String> {
    Some(match key {
        Value::Null => "null".to_owned(),
        Value::Bool(value) => format!("n:{}", u8::from(*value)),
        Value::Int(value) => format!("n:{value}"),
        Value::Big(digits) => format!("n:{digits}"),
        Value::Float(value) => {
            let text = python_float(*value);
            format!("n:{}", text.strip_suffix(".0").unwrap_or(&text))
        }
        Value::Text(text) => format!("t:{text}"),
        Value::List(_) | Value::Map(_) => return None,
    })
}

#[cfg(test)]
mod tests {
    use std::fmt::Write as _;

    use super::*;

    fn parse(text: &str) -> Result<Value, Error> {
        read(text.as_bytes(), "MLmodel", &Limits::default())
    }

    #[test]
    fn a_document_is_an_ordered_value() {
        let value = parse("b: 1\na: [x, 'no', no]\nc:\n- - 1\n  - 2\n- {}\n").unwrap();
        let text = |text: &str| Value::from(text);
        let expected = Value::Map(Map::new(vec![
            (text("b"), Value::Int(1)),
            (
                text("a"),
                Value::List(vec![text("x"), text("no"), Value::Bool(false)]),
            ),
            (
                text("c"),
                Value::List(vec![
                    Value::List(vec![Value::Int(1), Value::Int(2)]),
                    Value::Map(Map::default()),
                ]),
            ),
        ]));
        assert_eq!(value, expected);
        assert_eq!(parse("").unwrap(), Value::Null);
    }

    #[test]
    fn an_alias_is_what_its_anchor_names() {
        let value = parse("a: &id001\n- x\nb: *id001\n").unwrap();
        let map = value.map().unwrap();
        assert_eq!(map.get("a"), map.get("b"));
    }

    #[test]
    fn what_could_hide_something_is_refused_where_it_stands() {
        for (text, words) in [
            (
                "a: !!str x",
                "MLmodel:1:4: unsupported tag: tag:yaml.org,2002:str",
            ),
            ("a: !x y", "unsupported tag: !x"),
            ("a: 1\n<<: {}", "MLmodel:2:1: unsupported merge key: <<"),
            ("a: =", "unsupported plain scalar: ="),
            (
                "a: 1\nb: 2\na: 3",
                "MLmodel:3:1: malformed mlmodel: a mapping has a key twice",
            ),
            ("1: x\ntrue: y", "a mapping has a key twice"),
            ("1: x\n1.0: y", "a mapping has a key twice"),
            ("{}: x", "a key is a list or a mapping"),
            ("? [a]\n: x", "a key is a list or a mapping"),
            ("a: &x [*x]", "an alias stands inside what it names"),
            ("a: *x", "the text is not YAML"),
            (
                "a: 1\n---\nb: 2\n",
                "MLmodel:2:1: unsupported number of documents",
            ),
            ("%YAML 1.1\n---\na: 1", "unsupported directive: %"),
            ("a:\tb", "MLmodel:1:3: unsupported letter of a text: U+0009"),
            ("a: \u{85}", "unsupported letter of a text: U+0085"),
            ("a: 0b_", "a number has no value, or too many digits"),
            ("a: [1", "the text is not YAML"),
            ("a: [?b]", "MLmodel:1:5: unsupported plain scalar: ?b"),
            ("a: &x [?b]", "unsupported plain scalar: ?b"),
            ("é: [?b]", "unsupported plain scalar: ?b"),
            ("a: |\n  x", "MLmodel:2:3: unsupported block scalar"),
            (
                "a: &b:c d",
                "MLmodel:1:4: unsupported name of an anchor: b:c",
            ),
        ] {
            let error = parse(text).unwrap_err().to_string();
            assert!(error.contains(words), "{text:?}: {error}");
        }
    }

    #[test]
    fn nesting_and_aliases_have_a_budget() {
        let limit = |text: &str| parse(text).unwrap_err().to_string();
        assert!(limit(&"[".repeat(200)).contains("nesting of YAML is over the limit: 101 > 100"));
        let mut bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
        for level in 1..9 {
            let before = format!("*a{}, ", level - 1).repeat(10);
            writeln!(bomb, "a{level}: &a{level} [{before}]").unwrap();
        }
        assert!(limit(&bomb).contains("values of a document is over the limit"));
        // Not only what stands in an anchor again.
        let wide = format!(
            "a: &a [{}]\nb: [{}]\n",
            "x, ".repeat(1500),
            "*a, ".repeat(1500)
        );
        assert!(limit(&wide).contains("values of a document is over the limit"));
    }
}
