//! JSON of a model folder (the schemas of a signature, an input example) as a value: no key twice, no recursion, a depth
//! that is bounded.

use std::collections::HashSet;

use foldhash::fast::RandomState;

use super::yaml::{Map, Value};
use crate::error::{Error, Location};
use crate::limits::{Limits, at_most};

/// Levels that a schema may nest.
pub(super) const DEPTH: u64 = 100;

enum Open {
    List(Vec<Value>),
    Map(Vec<(Value, Value)>, HashSet<String, RandomState>, String),
}

/// What is said of a text that breaks a rule.
#[derive(Debug)]
pub(super) struct Words {
    json: &'static str,
    twice: &'static str,
    half: &'static str,
    deep: &'static str,
}

/// The schema of a signature.
pub(super) const SCHEMA: Words = Words {
    json: "a schema is not JSON",
    twice: "a schema has a key twice",
    half: "a schema holds half a letter",
    deep: "nesting of a schema",
};

/// An input example.
pub(super) const EXAMPLE: Words = Words {
    json: "an example is not JSON",
    twice: "an example has a key twice",
    half: "an example holds half a letter",
    deep: "nesting of an example",
};

struct Cursor<'a> {
    words: &'static Words,
    rest: &'a str,
    length: usize,
    place: &'a str,
}

impl Cursor<'_> {
    fn wrong(&self, what: &'static str) -> Error {
        let at = self.length.saturating_sub(self.rest.len());
        let at = u64::try_from(at).unwrap_or(u64::MAX);
        Error::malformed("mlmodel", Location::byte(self.place, at), what)
    }

    fn blank(&mut self) {
        self.rest = self.rest.trim_start_matches([' ', '\n', '\r', '\t']);
    }

    fn eat(&mut self, word: &str) -> bool {
        self.blank();
        match self.rest.strip_prefix(word) {
            Some(rest) => {
                self.rest = rest;
                true
            }
            None => false,
        }
    }

    fn key(&mut self) -> Result<String, Error> {
        let key = self.string()?;
        if !self.eat(":") {
            return Err(self.wrong(self.words.json));
        }
        Ok(key)
    }

    fn string(&mut self) -> Result<String, Error> {
        if !self.eat("\"") {
            return Err(self.wrong(self.words.json));
        }
        let mut text = String::new();
        loop {
            let plain = self
                .rest
                .find(|c: char| matches!(c, '"' | '\\') || c < ' ')
                .ok_or_else(|| self.wrong(self.words.json))?;
            let (before, rest) = self.rest.split_at(plain);
            text.push_str(before);
            let mut letters = rest.chars();
            match letters.next() {
                Some('"') => {
                    self.rest = letters.as_str();
                    return Ok(text);
                }
                Some('\\') => {
                    let letter = letters.next();
                    self.rest = letters.as_str();
                    text.push(self.escape(letter)?);
                }
                _ => return Err(self.wrong(self.words.json)),
            }
        }
    }

    fn escape(&mut self, letter: Option<char>) -> Result<char, Error> {
        Ok(match letter {
            Some(letter @ ('"' | '\\' | '/')) => letter,
            Some('b') => '\u{8}',
            Some('f') => '\u{C}',
            Some('n') => '\n',
            Some('r') => '\r',
            Some('t') => '\t',
            Some('u') => {
                let mut code = self.hex()?;
                if (0xD800..0xDC00).contains(&code) && self.rest.starts_with("\\u") {
                    self.rest = self.rest.get(2..).unwrap_or_default();
                    let low = self.hex()?;
                    if (0xDC00..0xE000).contains(&low) {
                        code = ((code & 0x3FF) << 10 | (low & 0x3FF)).saturating_add(0x1_0000);
                    }
                }
                char::from_u32(code).ok_or_else(|| self.wrong(self.words.half))?
            }
            _ => return Err(self.wrong(self.words.json)),
        })
    }

    fn hex(&mut self) -> Result<u32, Error> {
        let digits = self
            .rest
            .get(..4)
            .filter(|digits| digits.bytes().all(|byte| byte.is_ascii_hexdigit()))
            .ok_or_else(|| self.wrong(self.words.json))?;
        self.rest = self.rest.get(4..).unwrap_or_default();
        u32::from_str_radix(digits, 16).map_err(|_| self.wrong(self.words.json))
    }

    /// A scalar, as Python's `json` reads it: `NaN`, `Infinity` and `-Infinity` included.
    fn scalar(&mut self) -> Result<Value, Error> {
        self.blank();
        if self.rest.starts_with('"') {
            return self.string().map(Value::Text);
        }
        for (word, value) in [
            ("null", Value::Null),
            ("true", Value::Bool(true)),
            ("false", Value::Bool(false)),
            ("NaN", Value::Float(f64::NAN)),
            ("Infinity", Value::Float(f64::INFINITY)),
            ("-Infinity", Value::Float(f64::NEG_INFINITY)),
        ] {
            if self.eat(word) {
                return Ok(value);
            }
        }
        let end = self
            .rest
            .find(|c: char| !(c.is_ascii_digit() || matches!(c, '+' | '-' | '.' | 'e' | 'E')))
            .unwrap_or(self.rest.len());
        let (number, rest) = self.rest.split_at(end);
        if !is_number(number) {
            return Err(self.wrong(self.words.json));
        }
        let value = if number.contains(['.', 'e', 'E']) {
            number.parse().ok().map(Value::Float)
        } else if number.len() > 4300 {
            None
        } else {
            Some(match number.parse() {
                Ok(value) => Value::Int(value),
                Err(_) => Value::Big(number.to_owned()),
            })
        };
        let value = value.ok_or_else(|| self.wrong(self.words.json))?;
        self.rest = rest;
        Ok(value)
    }
}

/// A number of JSON's grammar.
fn is_number(text: &str) -> bool {
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let text = text.strip_prefix('-').unwrap_or(text);
    let (text, exponent) = match text.split_once(['e', 'E']) {
        Some((text, exponent)) => (text, Some(exponent)),
        None => (text, None),
    };
    let (whole, fraction) = match text.split_once('.') {
        Some((whole, fraction)) => (whole, Some(fraction)),
        None => (text, None),
    };
    digits(whole)
        && !(whole.len() > 1 && whole.starts_with('0'))
        && fraction.is_none_or(digits)
        && exponent.is_none_or(|text| digits(text.strip_prefix(['+', '-']).unwrap_or(text)))
}

/// Reads one JSON text; `place` names it in errors.
pub(super) fn read(
    text: &str,
    place: &str,
    words: &'static Words,
    limits: &Limits,
) -> Result<Value, Error> {
    let mut cursor = Cursor {
        words,
        rest: text,
        length: text.len(),
        place,
    };
    let mut open: Vec<Open> = Vec::new();
    let depth = DEPTH.min(limits.depth);
    loop {
        let mut value = if cursor.eat("[") {
            if cursor.eat("]") {
                Value::List(Vec::new())
            } else {
                open.push(Open::List(Vec::new()));
                at_most(
                    depth,
                    u64::try_from(open.len()).unwrap_or(u64::MAX),
                    words.deep,
                )?;
                continue;
            }
        } else if cursor.eat("{") {
            if cursor.eat("}") {
                Value::Map(Map::default())
            } else {
                let key = cursor.key()?;
                open.push(Open::Map(Vec::new(), HashSet::default(), key));
                at_most(
                    depth,
                    u64::try_from(open.len()).unwrap_or(u64::MAX),
                    words.deep,
                )?;
                continue;
            }
        } else {
            cursor.scalar()?
        };
        // After a value: close what ends here, or go on to the next.
        loop {
            match open.last_mut() {
                None => {
                    cursor.blank();
                    if !cursor.rest.is_empty() {
                        return Err(cursor.wrong(words.json));
                    }
                    return Ok(value);
                }
                Some(Open::List(items)) => {
                    items.push(value);
                    if cursor.eat(",") {
                        break;
                    }
                    if !cursor.eat("]") {
                        return Err(cursor.wrong(words.json));
                    }
                    let items = std::mem::take(items);
                    open.pop();
                    value = Value::List(items);
                }
                Some(Open::Map(entries, seen, key)) => {
                    let key_now = std::mem::take(key);
                    if !seen.insert(key_now.clone()) {
                        return Err(cursor.wrong(words.twice));
                    }
                    entries.push((Value::Text(key_now), value));
                    if cursor.eat(",") {
                        *key = cursor.key()?;
                        break;
                    }
                    if !cursor.eat("}") {
                        return Err(cursor.wrong(words.json));
                    }
                    let entries = std::mem::take(entries);
                    open.pop();
                    value = Value::Map(Map::new(entries));
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Value, Error> {
        read(
            text,
            "MLmodel/signature/inputs",
            &SCHEMA,
            &Limits::default(),
        )
    }

    #[test]
    fn json_is_read_as_python_reads_it() {
        let value =
            parse(r#"[{"a": [1, -2.5e3, "x\n\u00e9\ud83d\ude00", null, NaN, {}]}, []]"#).unwrap();
        let items = value.list().unwrap();
        let inner = items[0].map().unwrap().get("a").unwrap().list().unwrap();
        assert_eq!(
            inner[..4],
            [
                Value::Int(1),
                Value::Float(-2500.0),
                Value::from("x\n\u{e9}\u{1F600}"),
                Value::Null
            ]
        );
        for text in [
            "",
            "[1",
            "[1,]",
            "{\"a\" 1}",
            "01",
            "1.",
            "\"a",
            "[] x",
            "{1: 2}",
            "\"\\x\"",
            "+1",
        ] {
            assert!(parse(text).is_err(), "{text}");
        }
        let error = parse(r#"{"a": 1, "a": 2}"#).unwrap_err().to_string();
        assert!(error.contains("a schema has a key twice"), "{error}");
        assert!(matches!(parse(&"[".repeat(200)), Err(Error::Limit { .. })));
    }
}
