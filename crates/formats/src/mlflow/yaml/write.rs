//! A value as YAML text, byte for byte what PyYAML 6.0.3 writes: `yaml.safe_dump(value, default_flow_style=False)`.
//!
//! Block style, keys sorted where all are texts, lines folded after column 80, letters outside ASCII escaped.

use std::fmt::Write as _;

use super::resolve::{Plain, plain, python_float};
use super::{Map, Value};

/// The column after which a scalar is folded at its next space.
const WIDTH: usize = 80;
/// A key with its tag is simple below this length.
const SIMPLE_KEY: usize = 128;

/// The text of a document. Keys that are texts are sorted; no alias is written.
pub fn write(document: &Map) -> String {
    text(document, true)
}

/// The text of a document with its keys in their order: `sort_keys=False`.
pub fn write_in_order(document: &Map) -> String {
    text(document, false)
}

fn text(document: &Map, sorted: bool) -> String {
    let mut writer = Writer {
        out: String::new(),
        column: 0,
        whitespace: true,
        indention: true,
        sorted,
    };
    writer.document(document);
    writer.out
}

struct Writer {
    out: String,
    column: usize,
    /// Whether the last letter was white space.
    whitespace: bool,
    /// Whether only indention and indicators stand on this line.
    indention: bool,
    sorted: bool,
}

/// What is still to be written.
enum Job<'v> {
    /// A key of a mapping that is indented so far.
    Key(&'v Value, &'v Value, usize),
    /// The value of a key that did not stand on one line.
    LongValue(&'v Value, usize),
    Item(&'v Value, usize),
    /// A value: its parent's indent, and whether it is the value or key of a mapping.
    Node(&'v Value, usize, bool),
}

impl Writer {
    fn document(&mut self, document: &Map) {
        if document.is_empty() {
            self.out.push_str("{}\n");
            return;
        }
        let mut jobs = Vec::new();
        push_entries(&mut jobs, document, 0, self.sorted);
        while let Some(job) = jobs.pop() {
            match job {
                Job::Key(key, value, indent) => {
                    self.indent(indent);
                    if is_simple_key(key) {
                        self.scalar(key, indent, true);
                        self.indicator(":", false, false, false);
                        jobs.push(Job::Node(value, indent, true));
                    } else {
                        self.indicator("?", true, false, true);
                        jobs.push(Job::LongValue(value, indent));
                        jobs.push(Job::Node(key, indent, true));
                    }
                }
                Job::LongValue(value, indent) => {
                    self.indent(indent);
                    self.indicator(":", true, false, true);
                    jobs.push(Job::Node(value, indent, true));
                }
                Job::Item(value, indent) => {
                    self.indent(indent);
                    self.indicator("-", true, false, true);
                    jobs.push(Job::Node(value, indent, false));
                }
                Job::Node(Value::Map(map), indent, _) if !map.is_empty() => {
                    push_entries(&mut jobs, map, indent.saturating_add(2), self.sorted);
                }
                Job::Node(Value::List(items), indent, mapping) if !items.is_empty() => {
                    // A list that is the value of a key stands under the key.
                    let beside = mapping && !self.indention;
                    let indent = if beside {
                        indent
                    } else {
                        indent.saturating_add(2)
                    };
                    jobs.extend(items.iter().rev().map(|item| Job::Item(item, indent)));
                }
                Job::Node(value, indent, _) => self.scalar(value, indent, false),
            }
        }
        self.out.push('\n');
    }

    fn put(&mut self, text: &str) {
        self.out.push_str(text);
        self.column = self.column.saturating_add(text.chars().count());
    }

    fn line_break(&mut self) {
        self.out.push('\n');
        self.whitespace = true;
        self.indention = true;
        self.column = 0;
    }

    fn indent(&mut self, indent: usize) {
        if !self.indention || self.column > indent || (self.column == indent && !self.whitespace) {
            self.line_break();
        }
        if self.column < indent {
            self.whitespace = true;
            let spaces = " ".repeat(indent.saturating_sub(self.column));
            self.put(&spaces);
        }
    }

    fn indicator(&mut self, text: &str, spaced: bool, whitespace: bool, indention: bool) {
        if spaced && !self.whitespace {
            self.put(" ");
        }
        self.put(text);
        self.whitespace = whitespace;
        self.indention = self.indention && indention;
    }

    /// A scalar, or an empty collection. A key is written on one line.
    fn scalar(&mut self, value: &Value, parent: usize, key: bool) {
        let plain_text = match value {
            Value::Null => "null".to_owned(),
            Value::Bool(true) => "true".to_owned(),
            Value::Bool(false) => "false".to_owned(),
            Value::Int(value) => value.to_string(),
            Value::Big(digits) => digits.clone(),
            Value::Float(value) => float(*value),
            Value::List(_) => "[]".to_owned(),
            Value::Map(_) => "{}".to_owned(),
            Value::Text(text) => {
                let indent = parent.saturating_add(2);
                let letters: Vec<char> = text.chars().collect();
                let found = analyze(&letters);
                let is_text = matches!(plain(text), Plain::Text);
                if is_text && found.plain && !(key && found.multiline) {
                    self.plain(&letters, indent, !key);
                } else if found.single_quoted && !(key && found.multiline) {
                    self.single_quoted(&letters, indent, !key);
                } else {
                    self.double_quoted(&letters, indent, !key);
                }
                return;
            }
        };
        let letters: Vec<char> = plain_text.chars().collect();
        self.plain(&letters, parent, false);
    }

    fn plain(&mut self, text: &[char], indent: usize, split: bool) {
        if !self.whitespace {
            self.put(" ");
        }
        self.whitespace = false;
        self.indention = false;
        for run in runs(text) {
            let fold = run.first() == Some(&' ') && run.len() == 1 && self.column > WIDTH && split;
            if fold {
                self.indent(indent);
                self.whitespace = false;
                self.indention = false;
            } else {
                self.put(&run.iter().collect::<String>());
            }
        }
    }

    fn single_quoted(&mut self, text: &[char], indent: usize, split: bool) {
        self.indicator("'", true, false, false);
        let mut done = 0_usize;
        for run in runs(text) {
            let start = done;
            done = done.saturating_add(run.len());
            match run.first() {
                Some(' ') => {
                    let inside = start != 0 && done != text.len();
                    if run.len() == 1 && self.column > WIDTH && split && inside {
                        self.indent(indent);
                    } else {
                        self.put(&run.iter().collect::<String>());
                    }
                }
                Some('\n') => {
                    self.line_break();
                    for _ in run {
                        self.line_break();
                    }
                    self.indent(indent);
                }
                _ => self.put(&run.iter().collect::<String>().replace('\'', "''")),
            }
        }
        self.indicator("'", false, false, false);
    }

    fn double_quoted(&mut self, text: &[char], indent: usize, split: bool) {
        self.indicator("\"", true, false, false);
        let slice = |start: usize, end: usize| -> String {
            text.get(start..end).unwrap_or_default().iter().collect()
        };
        let mut start = 0_usize;
        for end in 0..=text.len() {
            let letter = text.get(end).copied();
            let escaped =
                letter.is_none_or(|c| matches!(c, '"' | '\\') || !(' '..='~').contains(&c));
            if escaped {
                if start < end {
                    self.put(&slice(start, end));
                    start = end;
                }
                if let Some(letter) = letter {
                    self.put(&escape(letter));
                    start = end.saturating_add(1);
                }
            }
            let pending = self.column.saturating_add(end).saturating_sub(start);
            let inside = end > 0 && end < text.len().saturating_sub(1);
            if inside && (letter == Some(' ') || start >= end) && pending > WIDTH && split {
                self.put(&(slice(start, end) + "\\"));
                if start < end {
                    start = end;
                }
                self.indent(indent);
                self.whitespace = false;
                self.indention = false;
                if text.get(start) == Some(&' ') {
                    self.put("\\");
                }
            }
        }
        self.indicator("\"", false, false, false);
    }
}

fn push_entries<'v>(jobs: &mut Vec<Job<'v>>, map: &'v Map, indent: usize, sorted: bool) {
    let mut entries: Vec<(&Value, &Value)> = map.iter().collect();
    if sorted && entries.iter().all(|(key, _)| key.text().is_some()) {
        entries.sort_by_key(|(key, _)| key.text());
    }
    let entries = entries.into_iter().rev();
    jobs.extend(entries.map(|(key, value)| Job::Key(key, value, indent)));
}

fn is_simple_key(key: &Value) -> bool {
    let letters = |length: usize, tag: &str| length.saturating_add(tag.len()) < SIMPLE_KEY;
    match key {
        Value::Text(text) => {
            !text.is_empty() && !text.contains(is_break) && letters(text.chars().count(), "!!str")
        }
        Value::Big(digits) => letters(digits.len(), "!!int"),
        _ => true,
    }
}

/// Runs of spaces, of line breaks, and of what is neither.
fn runs(text: &[char]) -> impl Iterator<Item = &[char]> {
    let class = |c: char| match c {
        ' ' => 0_u8,
        '\n' => 1,
        _ => 2,
    };
    text.chunk_by(move |a, b| class(*a) == class(*b))
}

fn is_break(letter: char) -> bool {
    matches!(letter, '\n' | '\u{85}' | '\u{2028}' | '\u{2029}')
}

fn is_blank(letter: char) -> bool {
    is_break(letter) || matches!(letter, '\0' | ' ' | '\t' | '\r')
}

fn float(value: f64) -> String {
    let text = python_float(value);
    match text.as_str() {
        "nan" => ".nan".to_owned(),
        "inf" => ".inf".to_owned(),
        "-inf" => "-.inf".to_owned(),
        _ if !text.contains('.') => text.replacen('e', ".0e", 1),
        _ => text,
    }
}

fn escape(letter: char) -> String {
    let name = match letter {
        '\0' => '0',
        '\u{7}' => 'a',
        '\u{8}' => 'b',
        '\t' => 't',
        '\n' => 'n',
        '\u{B}' => 'v',
        '\u{C}' => 'f',
        '\r' => 'r',
        '\u{1B}' => 'e',
        '"' | '\\' => letter,
        '\u{85}' => 'N',
        '\u{A0}' => '_',
        '\u{2028}' => 'L',
        '\u{2029}' => 'P',
        _ => {
            let code = u32::from(letter);
            let mut text = String::new();
            // Writing to a string cannot fail.
            let _ = match code {
                0..=0xFF => write!(text, "\\x{code:02X}"),
                0x100..=0xFFFF => write!(text, "\\u{code:04X}"),
                _ => write!(text, "\\U{code:08X}"),
            };
            return text;
        }
    };
    format!("\\{name}")
}

/// Which styles can hold a text.
struct Analysis {
    multiline: bool,
    plain: bool,
    single_quoted: bool,
}

/// What PyYAML's `Emitter.analyze_scalar` finds, for block context and ASCII output.
fn analyze(text: &[char]) -> Analysis {
    let (Some(&first), Some(&last)) = (text.first(), text.last()) else {
        return Analysis {
            multiline: false,
            plain: true,
            single_quoted: true,
        };
    };
    let starts = |mark: char| text.len() > 2 && text.iter().take(3).all(|c| *c == mark);
    let mut indicators = starts('-') || starts('.');
    let mut special = false;
    let (mut break_space, mut space_break) = (false, false);
    let mut before = None;
    for (index, &letter) in text.iter().enumerate() {
        let after = text.get(index.saturating_add(1)).copied();
        let ends_word = after.is_none_or(is_blank);
        indicators |= match letter {
            '#' | ',' | '[' | ']' | '{' | '}' | '&' | '*' | '!' | '|' | '>' | '\'' | '"' | '%'
            | '@' | '`'
                if before.is_none() =>
            {
                true
            }
            '?' | '-' if before.is_none() => ends_word,
            ':' => ends_word,
            '#' => before.is_some_and(is_blank),
            _ => false,
        };
        special |= letter != '\n' && !(' '..='~').contains(&letter);
        break_space |= letter == ' ' && before.is_some_and(is_break);
        space_break |= is_break(letter) && before == Some(' ');
        before = Some(letter);
    }
    let edge = |c: char| c == ' ' || is_break(c);
    let multiline = text.iter().copied().any(is_break);
    let plain = !(edge(first) || edge(last) || break_space || space_break);
    Analysis {
        multiline,
        plain: plain && !special && !multiline && !indicators,
        single_quoted: !(break_space || space_break || special),
    }
}
