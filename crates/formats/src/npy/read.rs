//! Reads the header of an npy file.

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::Arc;

use crate::dtype::DType;
use crate::error::{Error, Location};

const MAGIC: &[u8] = b"\x93NUMPY";

/// The longest header that numpy reads without being told otherwise (`_MAX_HEADER_SIZE`), with the
/// bytes before it.
pub(crate) const HEADER_LIMIT: usize = 10_000 + 12;

/// Levels of records inside records.
const DEPTH: usize = 16;

/// What an npy header says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Header {
    /// The type of an element; arrays of one load share it.
    pub dtype: Arc<DType>,
    /// The length of each dimension; empty for a scalar.
    pub shape: Vec<usize>,
    /// Whether the first index varies fastest.
    pub fortran: bool,
    /// Bytes before the first element.
    pub data_offset: usize,
    /// Bytes of all elements.
    pub data_bytes: usize,
}

impl Header {
    /// A run of raw bytes, which has no header.
    pub(crate) fn raw(bytes: usize) -> Self {
        Self {
            dtype: Arc::new(DType::byte()),
            shape: vec![bytes],
            fortran: false,
            data_offset: 0,
            data_bytes: bytes,
        }
    }
}

/// Reads the header of an npy file from its first bytes (numpy's versions 1.0, 2.0 and 3.0).
///
/// `bytes` is the whole file or at least its header; `entry` is the name that errors carry.
///
/// # Errors
/// [`Error::Malformed`] where numpy would refuse the header; [`Error::Unsupported`] for a dtype that
/// holds Python objects (numpy would unpickle it) or a newer version.
pub fn read_header(bytes: &[u8], entry: &str) -> Result<Header, Error> {
    read_header_with(&mut Dtypes::default(), bytes, entry)
}

/// The dtypes that one load has seen.
#[derive(Debug, Default)]
pub(crate) struct Dtypes {
    by_text: HashMap<String, Arc<DType>, foldhash::fast::RandomState>,
    /// Headers up to their lengths, with their dtype and whether they are in Fortran order.
    recent: Vec<(String, Arc<DType>, bool)>,
}

/// Starts of headers that are remembered.
const RECENT: usize = 8;

/// As [`read_header`], with dtypes that were seen before.
pub(crate) fn read_header_with(
    dtypes: &mut Dtypes,
    bytes: &[u8],
    entry: &str,
) -> Result<Header, Error> {
    let malformed =
        |offset: u64, what| Error::malformed("npy", Location::byte(entry, offset), what);
    let Some((head, rest)) = bytes.split_at_checked(8) else {
        return Err(malformed(0, "the file ends inside its magic string"));
    };
    let (&[major, minor], true) = (
        head.last_chunk::<2>().unwrap_or(&[0, 0]),
        head.starts_with(MAGIC),
    ) else {
        return Err(malformed(0, "the magic string is not that of npy"));
    };
    let truncated = || malformed(8, "the file ends inside its header");
    let (length, before, rest) = match (major, minor) {
        (1, 0) => {
            let (length, rest) = rest.split_first_chunk::<2>().ok_or_else(truncated)?;
            (usize::from(u16::from_le_bytes(*length)), 10_usize, rest)
        }
        (2 | 3, 0) => {
            let (length, rest) = rest.split_first_chunk::<4>().ok_or_else(truncated)?;
            let length = usize::try_from(u32::from_le_bytes(*length)).unwrap_or(usize::MAX);
            (length, 12, rest)
        }
        _ => {
            return Err(Error::unsupported(
                Location::byte(entry, 6),
                "npy version",
                format!("{major}.{minor}"),
            ));
        }
    };
    if length > HEADER_LIMIT - 12 {
        return Err(Error::Limit {
            what: "length of an npy header",
            found: u64::try_from(length).unwrap_or(u64::MAX),
            limit: 10_000,
        });
    }
    let text = rest.get(..length).ok_or_else(truncated)?;
    let text = match std::str::from_utf8(text) {
        Ok(same) if major == 3 || same.is_ascii() => Cow::Borrowed(same),
        _ if major == 3 => return Err(malformed(8, "the header is not UTF-8")),
        // Latin-1: each byte is the character of its number.
        _ => Cow::Owned(text.iter().map(|&byte| char::from(byte)).collect()),
    };
    let data_offset = before.saturating_add(length);
    match usual_header(dtypes, &text, data_offset, entry) {
        Some(header) => Ok(header),
        None => parse_header(&text, data_offset, entry),
    }
}

/// Reads a header in numpy's own spelling; `None` for any other, and for any that is wrong.
fn usual_header(
    dtypes: &mut Dtypes,
    text: &str,
    data_offset: usize,
    entry: &str,
) -> Option<Header> {
    let known = dtypes.recent.iter().find_map(|(start, dtype, fortran)| {
        let rest = text.strip_prefix(start.as_str())?;
        Some((Arc::clone(dtype), *fortran, rest))
    });
    if let Some((dtype, fortran, rest)) = known {
        return with_lengths(dtype, fortran, rest, data_offset);
    }
    let rest = text.strip_prefix("{'descr': ")?;
    // A dtype's text holds no comma unless it is a record's.
    let (descr, rest) = match rest.split_once(',') {
        Some((descr, rest)) if !descr.starts_with('[') => {
            (descr, rest.strip_prefix(" 'fortran_order': ")?)
        }
        _ => rest.split_once(", 'fortran_order': ")?,
    };
    let (fortran, rest) = match rest.strip_prefix("False, 'shape': (") {
        Some(rest) => (false, rest),
        None => (true, rest.strip_prefix("True, 'shape': (")?),
    };
    let dtype = if let Some(known) = dtypes.by_text.get(descr) {
        Arc::clone(known)
    } else {
        // The text is a whole literal by itself, so the longer text says the same dtype.
        let mut literal = Literal {
            rest: descr,
            whole: descr.len(),
            entry,
        };
        let value = literal.value(1).ok().filter(|_| literal.rest.is_empty())?;
        let dtype = Arc::new(literal.dtype(value, 0).ok()?);
        dtypes.by_text.insert(descr.to_owned(), Arc::clone(&dtype));
        dtype
    };
    let start = text.strip_suffix(rest)?;
    if dtypes.recent.len() < RECENT {
        let start = (start.to_owned(), Arc::clone(&dtype), fortran);
        dtypes.recent.push(start);
    }
    with_lengths(dtype, fortran, rest, data_offset)
}

/// The rest of a header in numpy's own spelling, from the lengths on.
fn with_lengths(
    dtype: Arc<DType>,
    fortran: bool,
    rest: &str,
    data_offset: usize,
) -> Option<Header> {
    let (lengths, rest) = rest.split_once(')')?;
    let rest = rest.strip_prefix(", }")?;
    if !rest.bytes().all(|byte| matches!(byte, b' ' | b'\n')) {
        return None;
    }
    let mut shape = Vec::with_capacity(2);
    for length in lengths.split_terminator(',') {
        let length = length.trim_start_matches(' ');
        if length.is_empty() || !length.bytes().all(|byte| byte.is_ascii_digit()) {
            return None;
        }
        shape.push(length.parse().ok()?);
    }
    if shape.len() == 1 && !lengths.ends_with(',') {
        return None;
    }
    let data_bytes = size(&dtype, &shape)?;
    Some(Header {
        dtype,
        shape,
        fortran,
        data_offset,
        data_bytes,
    })
}

/// Bytes of all elements; `None` where elements take no bytes (numpy would give them some, which nobody
/// fills) or there are more than memory can be.
fn size(dtype: &DType, shape: &[usize]) -> Option<usize> {
    // numpy multiplies the lengths other than zero (PyArray_NewFromDescr).
    let bytes = shape
        .iter()
        .filter(|&&length| length != 0)
        .try_fold(dtype.itemsize(), |bytes, &length| bytes.checked_mul(length))
        .filter(|&bytes| isize::try_from(bytes).is_ok() && shape.len() <= 64)
        .filter(|_| shape.iter().all(|&length| isize::try_from(length).is_ok()))?;
    match (shape.contains(&0), dtype.itemsize()) {
        (true, _) => Some(0),
        (false, 0) => None,
        (false, _) => Some(bytes),
    }
}

/// Reads the dict of a header; `data_offset` is where the elements start.
fn parse_header(text: &str, data_offset: usize, entry: &str) -> Result<Header, Error> {
    let mut literal = Literal {
        rest: text,
        whole: text.len(),
        entry,
    };
    let dict = literal.value(0)?;
    if !literal
        .rest
        .trim_matches([' ', '\n', '\t', '\r', '\0'])
        .is_empty()
    {
        return Err(literal.malformed("the header goes on after its dict"));
    }
    let Value::Dict(pairs) = dict else {
        return Err(literal.malformed("the header is not a dict"));
    };
    let (mut descr, mut order, mut shape) = (None, None, None);
    for (key, value) in pairs {
        let slot = match key.as_str() {
            "descr" => &mut descr,
            "fortran_order" => &mut order,
            "shape" => &mut shape,
            _ => {
                return Err(literal
                    .malformed("the header has a key other than descr, fortran_order and shape"));
            }
        };
        if slot.replace(value).is_some() {
            return Err(literal.malformed("the header has a key twice"));
        }
    }
    let (Some(descr), Some(Value::Bool(fortran)), Some(Value::Tuple(shape))) =
        (descr, order, shape)
    else {
        return Err(literal.malformed("the header lacks descr, fortran_order or shape"));
    };
    let dtype = literal.dtype(descr, 0)?;
    let shape = literal.lengths(shape)?;
    if dtype.itemsize() == 0 && !shape.contains(&0) {
        return Err(Error::unsupported(
            Location::entry(entry),
            "dtype, its elements take no bytes",
            dtype.to_string(),
        ));
    }
    let data_bytes = size(&dtype, &shape)
        .ok_or_else(|| literal.malformed("the shape is larger than memory can be"))?;
    Ok(Header {
        dtype: Arc::new(dtype),
        shape,
        fortran,
        data_offset,
        data_bytes,
    })
}

/// The Python literals that numpy writes into a header.
enum Value {
    Text(String),
    Bool(bool),
    Int(usize),
    Tuple(Vec<Value>),
    List(Vec<Value>),
    Dict(Vec<(String, Value)>),
}

struct Literal<'a> {
    rest: &'a str,
    whole: usize,
    entry: &'a str,
}

impl Literal<'_> {
    fn malformed(&self, what: &'static str) -> Error {
        let offset = self.whole.saturating_sub(self.rest.len());
        let offset = u64::try_from(offset).unwrap_or(u64::MAX).saturating_add(10);
        Error::malformed("npy", Location::byte(self.entry, offset), what)
    }

    fn eat(&mut self, token: char) -> bool {
        self.rest = self.rest.trim_start_matches([' ', '\n', '\t', '\r']);
        match self.rest.strip_prefix(token) {
            Some(rest) => {
                self.rest = rest;
                true
            }
            None => false,
        }
    }

    fn word(&mut self, word: &str) -> bool {
        match self.rest.strip_prefix(word) {
            Some(rest) => {
                self.rest = rest;
                true
            }
            None => false,
        }
    }

    /// One literal. Nesting is bounded by [`DEPTH`].
    fn value(&mut self, depth: usize) -> Result<Value, Error> {
        if depth > DEPTH {
            return Err(self.malformed("the header is nested too deeply"));
        }
        let depth = depth.saturating_add(1);
        if self.eat('{') {
            let mut pairs = Vec::new();
            while !self.eat('}') {
                let Value::Text(key) = self.value(depth)? else {
                    return Err(self.malformed("a key of the header is not text"));
                };
                if !self.eat(':') {
                    return Err(self.malformed("the header is not a Python literal"));
                }
                pairs.push((key, self.value(depth)?));
                if !self.eat(',') && !self.rest.trim_start().starts_with('}') {
                    return Err(self.malformed("the header is not a Python literal"));
                }
            }
            return Ok(Value::Dict(pairs));
        }
        if self.eat('(') {
            return Ok(Value::Tuple(self.sequence(')', depth)?));
        }
        if self.eat('[') {
            return Ok(Value::List(self.sequence(']', depth)?));
        }
        if self.word("True") {
            return Ok(Value::Bool(true));
        }
        if self.word("False") {
            return Ok(Value::Bool(false));
        }
        match self.rest.chars().next() {
            Some(quote @ ('\'' | '"')) => self.string(quote),
            Some(digit) if digit.is_ascii_digit() => {
                let digits = self.rest.bytes().take_while(u8::is_ascii_digit).count();
                let (digits, rest) = self
                    .rest
                    .split_at_checked(digits)
                    .unwrap_or(("", self.rest));
                let number = digits
                    .parse()
                    .map_err(|_| self.malformed("a number is too large"))?;
                self.rest = rest.strip_prefix('L').unwrap_or(rest);
                Ok(Value::Int(number))
            }
            _ => Err(self.malformed("the header is not a Python literal")),
        }
    }

    fn sequence(&mut self, end: char, depth: usize) -> Result<Vec<Value>, Error> {
        let mut items = Vec::new();
        while !self.eat(end) {
            items.push(self.value(depth)?);
            if !self.eat(',') && !self.rest.trim_start().starts_with(end) {
                return Err(self.malformed("the header is not a Python literal"));
            }
        }
        Ok(items)
    }

    fn string(&mut self, quote: char) -> Result<Value, Error> {
        let mut text = String::new();
        let mut chars = self.rest.chars();
        chars.next();
        loop {
            match chars.next() {
                Some(c) if c == quote => break,
                Some('\\') => match chars.next() {
                    Some(c @ ('\\' | '\'' | '"')) => text.push(c),
                    Some('n') => text.push('\n'),
                    Some('t') => text.push('\t'),
                    Some('r') => text.push('\r'),
                    Some(letter @ ('x' | 'u' | 'U')) => {
                        let digits = match letter {
                            'x' => 2,
                            'u' => 4,
                            _ => 8,
                        };
                        let code: String = chars.by_ref().take(digits).collect();
                        let exact = code.len() == digits
                            && code.bytes().all(|byte| byte.is_ascii_hexdigit());
                        let code = u32::from_str_radix(&code, 16).ok().filter(|_| exact);
                        let c = code.and_then(char::from_u32);
                        text.push(c.ok_or_else(|| {
                            self.malformed("an escape in the header is not one of Python's")
                        })?);
                    }
                    _ => {
                        return Err(
                            self.malformed("an escape in the header is not one of Python's")
                        );
                    }
                },
                Some('\n') | None => {
                    return Err(self.malformed("a text in the header does not end"));
                }
                Some(c) => text.push(c),
            }
        }
        self.rest = chars.as_str();
        Ok(Value::Text(text))
    }

    fn lengths(&self, items: Vec<Value>) -> Result<Vec<usize>, Error> {
        items
            .into_iter()
            .map(|item| match item {
                Value::Int(length) => Ok(length),
                _ => Err(self.malformed("a length of the shape is not a number")),
            })
            .collect()
    }

    fn dtype(&self, descr: Value, depth: usize) -> Result<DType, Error> {
        if depth > DEPTH {
            return Err(self.malformed("the header is nested too deeply"));
        }
        match descr {
            Value::Text(text) => {
                if matches!(
                    text.trim_start_matches(['<', '>', '|', '=']),
                    "O" | "O8" | "O4" | "object"
                ) {
                    return Err(Error::unsupported(
                        Location::entry(self.entry),
                        "dtype, its elements are pickled Python objects",
                        text,
                    ));
                }
                DType::parse(&text).ok_or_else(|| {
                    Error::unsupported(Location::entry(self.entry), "dtype", text.clone())
                })
            }
            Value::List(items) => {
                let mut fields = Vec::with_capacity(items.len());
                for item in items {
                    let Value::Tuple(parts) = item else {
                        return Err(self.malformed("a field of the dtype is not a tuple"));
                    };
                    let mut parts = parts.into_iter();
                    let (name, title) = match parts.next() {
                        Some(Value::Text(name)) => (name, None),
                        Some(Value::Tuple(pair)) => {
                            let mut pair = pair.into_iter();
                            match (pair.next(), pair.next(), pair.next()) {
                                (Some(Value::Text(title)), Some(Value::Text(name)), None) => {
                                    (name, Some(title))
                                }
                                _ => return Err(self.malformed("a field of the dtype has no name")),
                            }
                        }
                        _ => return Err(self.malformed("a field of the dtype has no name")),
                    };
                    let taken = |name: &String| {
                        fields
                            .iter()
                            .any(|(known, title, ..): &(String, Option<String>, _, _)| {
                                known == name || title.as_ref() == Some(name)
                            })
                    };
                    if (!name.is_empty() && taken(&name))
                        || title
                            .as_ref()
                            .is_some_and(|title| taken(title) || *title == name)
                    {
                        return Err(self.malformed("two fields of the dtype have one name"));
                    }
                    let inner = parts
                        .next()
                        .ok_or_else(|| self.malformed("a field of the dtype has no type"))?;
                    let inner = self.dtype(inner, depth.saturating_add(1))?;
                    let shape = match parts.next() {
                        None => Vec::new(),
                        Some(Value::Tuple(shape)) => self.lengths(shape)?,
                        Some(Value::Int(length)) => vec![length],
                        Some(_) => return Err(self.malformed("a field's shape is not a tuple")),
                    };
                    if parts.next().is_some() {
                        return Err(
                            self.malformed("a field of the dtype has more than three parts")
                        );
                    }
                    fields.push((name, title, inner, shape));
                }
                DType::record(fields)
                    .ok_or_else(|| self.malformed("a record is larger than memory can be"))
            }
            // `(base, shape)`: numpy itself never writes it at the top of an array.
            _ => Err(Error::unsupported(
                Location::entry(self.entry),
                "dtype",
                "neither text nor a list of fields",
            )),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Header, Error> {
        parse_header(text, 128, "a.npy")
    }

    #[test]
    fn headers_as_numpy_writes_them() {
        let header =
            parse("{'descr': '<f8', 'fortran_order': False, 'shape': (3, 4), }   \n").unwrap();
        assert_eq!(header.shape, [3, 4]);
        assert_eq!(header.data_bytes, 96);
        let header = parse("{'descr': [('a', '<i8'), ('', '|V4'), (('t', 'b'), '<f4', (2,))], 'fortran_order': True, 'shape': (2,), }").unwrap();
        assert_eq!(header.dtype.field("b").unwrap().offset, 12);
        assert_eq!(header.data_bytes, 40);
        assert_eq!(
            parse("{'descr': '|b1', 'fortran_order': False, 'shape': (), }")
                .unwrap()
                .data_bytes,
            1
        );
    }

    #[test]
    fn objects_are_refused_at_any_depth() {
        for descr in [
            "'|O'",
            "[('a', '<i8'), ('b', '|O')]",
            "[('a', [('b', '|O')])]",
        ] {
            let text = format!("{{'descr': {descr}, 'fortran_order': False, 'shape': (1,), }}");
            assert!(
                matches!(parse(&text), Err(Error::Unsupported { .. })),
                "{descr}"
            );
        }
    }

    #[test]
    fn what_numpy_would_not_write_is_refused() {
        for text in [
            "",
            "[]",
            "{'descr': '<f8', 'fortran_order': False}",
            "{'descr': '<f8', 'fortran_order': False, 'shape': (3, -4), }",
            "{'descr': '<f8', 'fortran_order': False, 'shape': (4611686018427387904, 16), }",
            "{'descr': '<f8', 'fortran_order': False, 'shape': (3,), 'x': 1}",
            "{'descr': '<f8', 'descr': '<f8', 'fortran_order': False, 'shape': (3,)}",
            "{'descr': '<f8', 'fortran_order': 0, 'shape': (3,)}",
            "{'descr': '<f8', 'fortran_order': False, 'shape': (3,)} + 1",
            "{'descr': [('a', '<i8'), ('a', '<i8')], 'fortran_order': False, 'shape': (3,)}",
        ] {
            assert!(
                matches!(parse(text), Err(Error::Malformed { .. })),
                "{text}"
            );
        }
        let deep = format!("{{'descr': {}{}, 'shape': ()}}", "[('a', ".repeat(5000), "");
        assert!(parse(&deep).is_err());
    }
}
