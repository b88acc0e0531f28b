//! A cursor over JSON text: no tree of values, no recursion.

use std::ops::Range;

use crate::error::{Error, Location};

/// A JSON number as Python's `json` would read it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Number<'a> {
    Int(i64),
    /// Digits of an integer outside 64 bits.
    Big(&'a str),
    Float(f64),
}

/// A scalar of JSON, its text in the caller's buffer.
#[derive(Debug, PartialEq)]
pub(super) enum Scalar<'a> {
    Null,
    Bool(bool),
    Number(Number<'a>),
    /// The string's WTF-8 bytes stand in the buffer.
    String,
}

/// A position in JSON text.
#[derive(Debug, Clone, Copy)]
pub(super) struct Cursor<'a> {
    bytes: &'a [u8],
    /// The same bytes, where they are UTF-8; else nothing.
    text: &'a str,
    at: usize,
    entry: &'a str,
    /// Added to offsets in errors, for JSON inside a string of JSON.
    base: usize,
}

/// More digits than Python's `int()` takes by default (`sys.int_info.default_max_str_digits`).
const DIGITS: usize = 4300;

impl<'a> Cursor<'a> {
    pub(super) fn new(bytes: &'a [u8], entry: &'a str, base: usize) -> Self {
        Self {
            bytes,
            text: std::str::from_utf8(bytes).unwrap_or_default(),
            at: 0,
            entry,
            base,
        }
    }

    pub(super) fn offset(&self) -> usize {
        self.base.saturating_add(self.at)
    }

    pub(super) fn jump(&mut self, offset: usize) {
        self.at = offset.saturating_sub(self.base);
    }

    pub(super) fn location(&self) -> Location {
        Location::byte(self.entry, u64::try_from(self.offset()).unwrap_or(u64::MAX))
    }

    pub(super) fn malformed(&self, what: &'static str) -> Error {
        Error::malformed("skops", self.location(), what)
    }

    /// Gives back the byte before this one.
    pub(super) fn back(&mut self) {
        self.at = self.at.saturating_sub(1);
    }

    fn step(&mut self) {
        self.at = self.at.saturating_add(1);
    }

    /// The next byte that is not white space, without taking it.
    pub(super) fn peek(&mut self) -> Option<u8> {
        loop {
            match self.bytes.get(self.at) {
                Some(b' ' | b'\n' | b'\r' | b'\t') => self.step(),
                other => return other.copied(),
            }
        }
    }

    /// Takes `byte` if it is next.
    pub(super) fn eat(&mut self, byte: u8) -> bool {
        if self.peek() == Some(byte) {
            self.step();
            return true;
        }
        false
    }

    /// The bytes from an offset to this place.
    pub(super) fn since(&self, start: Self) -> &'a [u8] {
        self.bytes.get(start.at..self.at).unwrap_or_default()
    }

    /// The byte after the next `count` ones.
    pub(super) fn ahead(&self, count: usize) -> Option<u8> {
        self.bytes.get(self.at.saturating_add(count)).copied()
    }

    /// Takes exactly these bytes if they are next.
    pub(super) fn raw(&mut self, raw: &[u8]) -> bool {
        let found = self
            .bytes
            .get(self.at..)
            .is_some_and(|rest| rest.starts_with(raw));
        if found {
            self.at = self.at.saturating_add(raw.len());
        }
        found
    }

    /// Takes these bytes between two quotes if they are next.
    pub(super) fn quoted(&mut self, raw: &[u8]) -> bool {
        let found = self
            .bytes
            .get(self.at..)
            .and_then(|rest| rest.strip_prefix(b"\""))
            .and_then(|rest| rest.strip_prefix(raw))
            .is_some_and(|rest| rest.starts_with(b"\""));
        if found {
            self.at = self.at.saturating_add(raw.len()).saturating_add(2);
        }
        found
    }

    /// Takes exactly this text if it is next.
    #[inline]
    pub(super) fn literal(&mut self, text: &str) -> bool {
        self.word(text)
    }

    pub(super) fn expect(&mut self, byte: u8, what: &'static str) -> Result<(), Error> {
        if self.eat(byte) {
            Ok(())
        } else {
            Err(self.malformed(what))
        }
    }

    #[inline]
    fn word(&mut self, word: &str) -> bool {
        let found = self
            .bytes
            .get(self.at..)
            .is_some_and(|rest| rest.starts_with(word.as_bytes()));
        if found {
            self.at = self.at.saturating_add(word.len());
        }
        found
    }

    /// A string: the bytes between its quotes where nothing is escaped, else unescaped into `buffer`.
    pub(super) fn string<'b>(&mut self, buffer: &'b mut Vec<u8>) -> Result<&'b [u8], Error>
    where
        'a: 'b,
    {
        if let Some(plain) = self.plain_string() {
            return Ok(plain);
        }
        self.expect(b'"', "a string is missing")?;
        buffer.clear();
        loop {
            let rest = self.bytes.get(self.at..).unwrap_or_default();
            let plain = plain_run(rest);
            buffer.extend_from_slice(rest.get(..plain).unwrap_or_default());
            self.at = self.at.saturating_add(plain);
            match rest.get(plain) {
                Some(b'"') => {
                    self.step();
                    return Ok(buffer.as_slice());
                }
                Some(b'\\') => {
                    self.step();
                    self.escape(buffer)?;
                }
                Some(_) => return Err(self.malformed("a control character in a string")),
                None => return Err(self.malformed("a string does not end")),
            }
        }
    }

    /// A string in which nothing is escaped; `None`, and nothing taken, for any other.
    pub(super) fn plain_string(&mut self) -> Option<&'a [u8]> {
        if self.peek() != Some(b'"') {
            return None;
        }
        let rest = self.bytes.get(self.at.saturating_add(1)..)?;
        let plain = plain_run(rest);
        if rest.get(plain) != Some(&b'"') {
            return None;
        }
        self.at = self.at.saturating_add(plain).saturating_add(2);
        rest.get(..plain)
    }

    /// Appends the text of a JSON string inside a string, `"\"one\\ntwo\""`: the usual escapes in one pass.
    /// `None`, and nothing taken or appended, for any other value, for text that is not UTF-8, and for one of [`LONG`]
    /// bytes or more.
    pub(super) fn text_inside(&mut self, out: &mut String) -> Option<()> {
        let mut rest = self.bytes.get(self.at..)?.strip_prefix(INSIDE)?;
        let before = out.len();
        loop {
            let (plain, tail) = rest.split_at_checked(plain_run(rest))?;
            let start = self.bytes.len().saturating_sub(rest.len());
            let plain = self.text.get(start..start.saturating_add(plain.len()));
            let length = out.len().saturating_sub(before);
            let short = length.saturating_add(plain.map_or(0, str::len)) < LONG;
            match (plain, Escape::of(tail)) {
                (Some(plain), Some(Escape::End(after))) if short => {
                    out.push_str(plain);
                    self.at = self.bytes.len().saturating_sub(after.len());
                    return Some(());
                }
                (Some(plain), Some(Escape::Letter(letter, after))) if short => {
                    out.push_str(plain);
                    out.push(char::from(letter));
                    rest = after;
                }
                _ => {
                    out.truncate(before);
                    return None;
                }
            }
        }
    }

    /// Passes the same, of any length, and gives where it stands, with its quotes, and how many bytes its text has.
    pub(super) fn long_text_inside(&mut self) -> Option<(Range<usize>, usize)> {
        let mut rest = self.bytes.get(self.at..)?.strip_prefix(INSIDE)?;
        if self.text.len() != self.bytes.len() {
            return None;
        }
        let mut length = 0_usize;
        loop {
            let (plain, tail) = rest.split_at_checked(plain_run(rest))?;
            length = length.saturating_add(plain.len());
            match Escape::of(tail)? {
                Escape::End(after) => {
                    let start = self.at;
                    self.at = self.bytes.len().saturating_sub(after.len());
                    return Some((start..self.at, length));
                }
                Escape::Letter(_, after) => {
                    length = length.saturating_add(1);
                    rest = after;
                }
            }
        }
    }

    /// An integer of at most 18 digits inside a string, `"-12"`; `None`, and nothing taken, for any other value.
    pub(super) fn short_int_inside(&mut self) -> Option<i64> {
        let rest = self.bytes.get(self.at..)?.strip_prefix(b"\"")?;
        let (value, length) = short_int(rest)?;
        if rest.get(length) != Some(&b'"') {
            return None;
        }
        self.at = self.at.saturating_add(length).saturating_add(2);
        Some(value)
    }

    fn escape(&mut self, buffer: &mut Vec<u8>) -> Result<(), Error> {
        let letter = self.bytes.get(self.at).copied();
        self.step();
        let byte = match letter {
            Some(byte @ (b'"' | b'\\' | b'/')) => byte,
            Some(b'b') => 8,
            Some(b'f') => 12,
            Some(b'n') => b'\n',
            Some(b'r') => b'\r',
            Some(b't') => b'\t',
            Some(b'u') => {
                let mut code = u32::from(self.hex()?);
                if (0xD800..0xDC00).contains(&code) {
                    let here = self.at;
                    let low = if self.word("\\u") {
                        u32::from(self.hex()?)
                    } else {
                        0
                    };
                    if (0xDC00..0xE000).contains(&low) {
                        code = ((code & 0x3FF) << 10 | (low & 0x3FF)).saturating_add(0x1_0000);
                    } else {
                        self.at = here;
                    }
                }
                push_code(buffer, code);
                return Ok(());
            }
            _ => return Err(self.malformed("an escape that is not JSON's")),
        };
        buffer.push(byte);
        Ok(())
    }

    fn hex(&mut self) -> Result<u16, Error> {
        let digits = self
            .bytes
            .get(self.at..)
            .and_then(<[u8]>::first_chunk::<4>)
            .filter(|digits| digits.iter().all(u8::is_ascii_hexdigit))
            .and_then(|digits| std::str::from_utf8(digits).ok())
            .and_then(|digits| u16::from_str_radix(digits, 16).ok());
        self.at = self.at.saturating_add(4);
        digits.ok_or_else(|| self.malformed("an escape that is not JSON's"))
    }

    /// A number, as Python's `json` reads it: `NaN`, `Infinity` and `-Infinity` included.
    pub(super) fn number(&mut self) -> Result<Number<'a>, Error> {
        let first = self.peek();
        let rest = self.bytes.get(self.at..).unwrap_or_default();
        if let Some((value, length)) = short_int(rest)
            && !matches!(rest.get(length), Some(b'0'..=b'9' | b'.' | b'e' | b'E'))
        {
            self.at = self.at.saturating_add(length);
            return Ok(Number::Int(value));
        }
        if matches!(first, Some(b'N' | b'I' | b'-')) {
            for (word, value) in [
                ("NaN", f64::NAN),
                ("Infinity", f64::INFINITY),
                ("-Infinity", f64::NEG_INFINITY),
            ] {
                if self.word(word) {
                    return Ok(Number::Float(value));
                }
            }
        }
        let start = self.at;
        let digits = |cursor: &mut Self| {
            let run = cursor
                .bytes
                .get(cursor.at..)
                .unwrap_or_default()
                .iter()
                .take_while(|byte| byte.is_ascii_digit())
                .count();
            cursor.at = cursor.at.saturating_add(run);
            run
        };
        if self.bytes.get(self.at) == Some(&b'-') {
            self.step();
        }
        let leading_zero = self.bytes.get(self.at) == Some(&b'0');
        let whole = digits(self);
        if whole == 0 || (leading_zero && whole > 1) {
            return Err(self.malformed("a value is missing or is not JSON"));
        }
        let mut float = false;
        if self.bytes.get(self.at) == Some(&b'.') {
            float = true;
            self.step();
            if digits(self) == 0 {
                return Err(self.malformed("a number that is not JSON's"));
            }
        }
        if matches!(self.bytes.get(self.at), Some(b'e' | b'E')) {
            float = true;
            self.step();
            if matches!(self.bytes.get(self.at), Some(b'+' | b'-')) {
                self.step();
            }
            if digits(self) == 0 {
                return Err(self.malformed("a number that is not JSON's"));
            }
        }
        let text = self.bytes.get(start..self.at).unwrap_or_default();
        let text = std::str::from_utf8(text).unwrap_or_default();
        if float {
            let value = text
                .parse()
                .map_err(|_| self.malformed("a number that is not JSON's"))?;
            return Ok(Number::Float(value));
        }
        if whole > DIGITS {
            return Err(Error::Limit {
                what: "digits of an integer",
                found: u64::try_from(whole).unwrap_or(u64::MAX),
                limit: u64::try_from(DIGITS).unwrap_or(u64::MAX),
            });
        }
        Ok(text.parse().map_or(Number::Big(text), Number::Int))
    }

    /// A scalar; a string's bytes go to `buffer`.
    pub(super) fn scalar(&mut self, buffer: &mut Vec<u8>) -> Result<Scalar<'a>, Error> {
        match self.peek() {
            Some(b'"') => {
                if let Some(plain) = self.plain_string() {
                    buffer.clear();
                    buffer.extend_from_slice(plain);
                } else {
                    self.string(buffer)?;
                }
                Ok(Scalar::String)
            }
            Some(b't') if self.word("true") => Ok(Scalar::Bool(true)),
            Some(b'f') if self.word("false") => Ok(Scalar::Bool(false)),
            Some(b'n') if self.word("null") => Ok(Scalar::Null),
            _ => self.number().map(Scalar::Number),
        }
    }

    /// Passes over one value of any kind, checking its syntax but for duplicate keys.
    pub(super) fn skip(&mut self, depth: u64, buffer: &mut Vec<u8>) -> Result<(), Error> {
        // One bit per open bracket would do; a byte is simpler: b'{' or b'['.
        let mut open: Vec<u8> = Vec::new();
        loop {
            match self.peek() {
                Some(bracket @ (b'{' | b'[')) => {
                    self.step();
                    open.push(bracket);
                    let found = u64::try_from(open.len()).unwrap_or(u64::MAX);
                    crate::limits::at_most(depth, found, "nesting of JSON")?;
                    let close = if bracket == b'{' { b'}' } else { b']' };
                    if self.eat(close) {
                        open.pop();
                    } else if bracket == b'{' {
                        self.string(buffer)?;
                        self.expect(b':', "a colon is missing")?;
                        continue;
                    } else {
                        continue;
                    }
                }
                Some(b'"') => {
                    self.string(buffer)?;
                }
                _ => {
                    self.scalar(buffer)?;
                }
            }
            // After a value: close brackets, or go on to the next.
            loop {
                let Some(&bracket) = open.last() else {
                    return Ok(());
                };
                if self.eat(b',') {
                    if bracket == b'{' {
                        self.string(buffer)?;
                        self.expect(b':', "a colon is missing")?;
                    }
                    break;
                }
                let close = if bracket == b'{' { b'}' } else { b']' };
                self.expect(close, "a comma or a closing bracket is missing")?;
                open.pop();
            }
        }
    }

    /// Whether only white space is left.
    pub(super) fn at_end(&mut self) -> bool {
        self.peek().is_none()
    }
}

/// How a text inside a string starts.
const INSIDE: &[u8] = b"\"\\\"";

/// What may stand behind a plain run of a text inside a string.
enum Escape<'a> {
    /// The quotes at its end, and what comes after them.
    End(&'a [u8]),
    /// An escaped letter: a backslash, itself escaped, and a letter.
    Letter(u8, &'a [u8]),
}

impl<'a> Escape<'a> {
    #[inline]
    fn of(tail: &'a [u8]) -> Option<Self> {
        Some(match tail {
            [b'\\', b'"', b'"', after @ ..] => Self::End(after),
            [b'\\', b'\\', b'n', after @ ..] => Self::Letter(b'\n', after),
            [b'\\', b'\\', b'r', after @ ..] => Self::Letter(b'\r', after),
            [b'\\', b'\\', b't', after @ ..] => Self::Letter(b'\t', after),
            [b'\\', b'\\', b'\\', b'"', after @ ..] => Self::Letter(b'"', after),
            [b'\\', b'\\', b'\\', b'\\', after @ ..] => Self::Letter(b'\\', after),
            _ => return None,
        })
    }
}

/// The texts that [`Cursor::long_text_inside`] passed in these bytes, one after the other, in the memory of the bytes.
/// `None` where they are not what was passed.
pub(super) fn long_texts(mut bytes: Vec<u8>, places: &[Range<usize>]) -> Option<String> {
    let mut end = 0_usize;
    for place in places {
        let mut from = place.start.checked_add(INSIDE.len())?;
        loop {
            let rest = bytes.get(from..place.end)?;
            let plain = plain_run(rest);
            let tail = rest.get(plain..)?;
            let (letter, after) = match Escape::of(tail)? {
                Escape::End(_) => (None, 0),
                Escape::Letter(letter, after) => (Some(letter), after.len()),
            };
            bytes.copy_within(from..from.checked_add(plain)?, end);
            end = end.checked_add(plain)?;
            let Some(letter) = letter else {
                break;
            };
            *bytes.get_mut(end)? = letter;
            end = end.checked_add(1)?;
            from = place.end.checked_sub(after)?;
        }
    }
    bytes.truncate(end);
    String::from_utf8(bytes).ok()
}

/// The integer of at most 18 digits that text starts with, and its length.
#[inline]
fn short_int(text: &[u8]) -> Option<(i64, usize)> {
    let digits = text.strip_prefix(b"-").unwrap_or(text);
    let mut value = 0_i64;
    let mut count = 0_usize;
    for &byte in digits.iter().take(18) {
        if !byte.is_ascii_digit() {
            break;
        }
        value = value
            .wrapping_mul(10)
            .wrapping_add(i64::from(byte.wrapping_sub(b'0')));
        count = count.wrapping_add(1);
    }
    let leading_zero = count > 1 && digits.first() == Some(&b'0');
    if count == 0 || leading_zero {
        return None;
    }
    if digits.len() == text.len() {
        Some((value, count))
    } else {
        Some((value.wrapping_neg(), count.wrapping_add(1)))
    }
}

/// Bytes of a text that is read by [`Cursor::long_text_inside`].
const LONG: usize = 1 << 16;
/// Bytes that are looked at one word at a time before the longer blocks: few texts are longer.
const SHORT: usize = 32;
/// Bytes of a block, which the compiler looks at with a few wide instructions.
const BLOCK: usize = 64;

/// How many bytes stand before the first quote, backslash or control character.
fn plain_run(bytes: &[u8]) -> usize {
    let Some((head, rest)) = bytes.split_at_checked(SHORT) else {
        return short_run(bytes);
    };
    let run = short_run(head);
    if run < SHORT {
        return run;
    }
    // Flags of one byte each: a fold of `bool` is compared byte by byte.
    let is_plain = |block: &&[u8; BLOCK]| {
        let flag =
            |byte: u8| u8::from(byte == b'"') | u8::from(byte == b'\\') | u8::from(byte < b' ');
        block.iter().fold(0, |found, &byte| found | flag(byte)) == 0
    };
    let blocks = rest.as_chunks::<BLOCK>().0.iter();
    let run = blocks.take_while(is_plain).count().saturating_mul(BLOCK);
    let rest = rest.get(run..).unwrap_or_default();
    SHORT.saturating_add(run).saturating_add(short_run(rest))
}

fn is_special(byte: u8) -> bool {
    matches!(byte, b'"' | b'\\' | 0..0x20)
}

/// As [`plain_run`], eight bytes at a time.
fn short_run(bytes: &[u8]) -> usize {
    let (words, rest) = bytes.as_chunks::<8>();
    let mut run = 0_usize;
    for word in words {
        let word = u64::from_le_bytes(*word);
        let each = |byte: u8| u64::from(byte).wrapping_mul(0x0101_0101_0101_0101);
        // The lowest byte whose high bit is set is the first that is special; those above it may be wrong.
        let below = |word: u64, least: u8| word.wrapping_sub(each(least)) & !word & each(0x80);
        let quote = below(word ^ each(b'"'), 1);
        let backslash = below(word ^ each(b'\\'), 1);
        let found = quote | backslash | below(word, 0x20);
        if found != 0 {
            let inside = usize::try_from(found.trailing_zeros() >> 3).unwrap_or_default();
            return run.saturating_add(inside);
        }
        run = run.saturating_add(8);
    }
    let special = rest.iter().position(|&byte| is_special(byte));
    run.saturating_add(special.unwrap_or(rest.len()))
}

/// A code point as WTF-8: UTF-8, surrogates included.
fn push_code(buffer: &mut Vec<u8>, code: u32) {
    if let Some(c) = char::from_u32(code) {
        buffer.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
        return;
    }
    let low = |shift: u32| u8::try_from((code >> shift) & 0x3F).unwrap_or(0) | 0x80;
    let high = u8::try_from((code >> 12) & 0x0F).unwrap_or(0) | 0xE0;
    buffer.extend_from_slice(&[high, low(6), low(0)]);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cursor(text: &str) -> Cursor<'_> {
        Cursor::new(text.as_bytes(), "schema.json", 0)
    }

    #[test]
    fn strings_are_unescaped_as_python_does() {
        let mut buffer = Vec::new();
        for (text, expected) in [
            (
                r#""plain and long enough for words""#,
                "plain and long enough for words".as_bytes(),
            ),
            (r#""a\"b\\c\/d\n\u00e9""#, "a\"b\\c/d\n\u{e9}".as_bytes()),
            (r#""\ud83d\ude00""#, "\u{1F600}".as_bytes()),
            (r#""\ud83dx""#, b"\xED\xA0\xBDx"),
            (r#""\ud83d\u0041""#, b"\xED\xA0\xBDA"),
            (
                "\"\u{3b1}\u{3b2}\u{3b3}\u{3b4}\u{3b5}\"",
                "\u{3b1}\u{3b2}\u{3b3}\u{3b4}\u{3b5}".as_bytes(),
            ),
        ] {
            assert_eq!(
                cursor(text).string(&mut buffer).unwrap(),
                expected,
                "{text}"
            );
        }
        for text in ["\"a", "\"a\nb\"", r#""\x""#, r#""\u12"#, r#""\u12+4""#] {
            assert!(cursor(text).string(&mut buffer).is_err(), "{text}");
        }
    }

    /// Text as JSON.
    fn quoted(text: &str) -> String {
        let mut out = String::from('"');
        for letter in text.chars() {
            match letter {
                '"' | '\\' => out.extend(['\\', letter]),
                '\n' => out.push_str("\\n"),
                '\r' => out.push_str("\\r"),
                '\t' => out.push_str("\\t"),
                other => out.push(other),
            }
        }
        out.push('"');
        out
    }

    #[test]
    fn text_inside_a_string_is_what_reading_twice_gives() {
        let long = "x".repeat(100);
        for text in [
            "",
            "plain",
            "two\nlines\t\r",
            "a \"word\" and \\ a backslash",
            "\u{e9}\u{20ac}",
            long.as_str(),
            "31 bytes, then a quote........\"",
            "32 bytes, then a quote.........\"",
            "33 bytes, then a quote..........\n",
        ] {
            let outer = format!("{} ,", quoted(&quoted(text)));
            let (mut at, mut out) = (cursor(&outer), "before ".to_owned());
            assert_eq!(at.text_inside(&mut out), Some(()), "{outer}");
            assert_eq!(out, format!("before {text}"));
            assert_eq!(at.offset(), outer.len() - 2);
        }
        for outer in [
            r#""12""#,
            r#""\"a""#,
            r#""\"a\""#,
            r#""\"a\\u0041\"""#,
            r#""\"a\n\"""#,
            r#""\"a"b\"""#,
            "\"\\\"a\nb\\\"\"",
        ] {
            let (mut at, mut out) = (cursor(outer), "before".to_owned());
            assert_eq!(at.text_inside(&mut out), None, "{outer}");
            assert_eq!((out.as_str(), at.offset()), ("before", 0));
        }
    }

    #[test]
    fn long_texts_stay_where_they_were_read() {
        let line = "a \"line\" of \u{e9} and \\ and \t\r\n";
        let texts = [
            line.repeat(LONG / line.len() + 1),
            "x".repeat(LONG),
            line.repeat(9_000),
        ];
        let mut json = String::from("[");
        for text in &texts {
            json.push_str(&quoted(&quoted(text)));
            json.push_str(", \u{e9}");
        }
        let mut at = cursor(&json);
        let mut places = Vec::new();
        for text in &texts {
            while at.peek() != Some(b'"') {
                at.step();
            }
            let mut out = "before".to_owned();
            let start = at.offset();
            assert_eq!(at.text_inside(&mut out), None);
            assert_eq!((out.as_str(), at.offset()), ("before", start));
            let (place, length) = at.long_text_inside().unwrap();
            assert_eq!((place.start, length), (start, text.len()));
            assert_eq!(at.offset(), place.end);
            places.push(place);
        }
        assert_eq!(long_texts(json.into_bytes(), &places), Some(texts.concat()));
        for outer in [
            format!(r#""\"{}\u0041\"""#, "x".repeat(LONG)),
            format!(r#""\"{}\""#, "x".repeat(LONG)),
            format!("\"\\\"{}\n\\\"\"", "x".repeat(LONG)),
        ] {
            let mut at = cursor(&outer);
            assert_eq!(at.long_text_inside(), None);
            assert_eq!(at.offset(), 0);
        }
    }

    #[test]
    fn a_run_of_plain_bytes_ends_at_the_first_special_one() {
        for length in 0..150 {
            for special in [b'"', b'\\', b'\n', 0, 0x1F] {
                for plain in [b'x', 0x20, 0x7F, 0x80, 0xFF, b'!', b'#', b'[', b']'] {
                    let mut bytes = vec![plain; length];
                    assert_eq!(plain_run(&bytes), length);
                    bytes.extend([special, plain, special, b'"']);
                    bytes.extend([plain; 40]);
                    assert_eq!(plain_run(&bytes), length, "{special} {plain}");
                }
            }
        }
    }

    #[test]
    fn numbers_are_those_of_python() {
        for (text, expected) in [
            ("0", Number::Int(0)),
            ("-12", Number::Int(-12)),
            ("9223372036854775808", Number::Big("9223372036854775808")),
            ("1.5e3", Number::Float(1500.0)),
            ("1e400", Number::Float(f64::INFINITY)),
            ("-Infinity", Number::Float(f64::NEG_INFINITY)),
        ] {
            assert_eq!(cursor(text).number().unwrap(), expected, "{text}");
        }
        for text in ["", "-", "01", "1.", "1e", "x", ".5", "+1"] {
            assert!(cursor(text).number().is_err(), "{text}");
        }
        assert!(matches!(
            cursor(&"9".repeat(5000)).number(),
            Err(Error::Limit { .. })
        ));
    }

    #[test]
    fn skipping_ends_where_the_value_ends_and_is_bounded() {
        let text = r#"{"a": [1, {"b": "]}"}, []], "c": null} tail"#;
        let mut at = cursor(text);
        at.skip(10, &mut Vec::new()).unwrap();
        assert_eq!(at.offset(), text.len() - 5);
        assert!(matches!(
            cursor(&"[".repeat(100)).skip(50, &mut Vec::new()),
            Err(Error::Limit { .. })
        ));
    }
}
