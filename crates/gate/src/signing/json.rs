//! JSON of strangers: no key twice, bounded in size and depth.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::fmt;

use nopickle_formats::{Error, Limits, Location};
use serde::de::{self, DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};

/// Levels of nesting; a statement has five.
const DEPTH: u64 = 32;

/// A value of JSON.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Value {
    Null,
    Bool(bool),
    /// No number in a signature says anything.
    Number,
    Text(String),
    List(Vec<Value>),
    Map(BTreeMap<String, Value>),
}

impl Value {
    pub(super) fn text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            _ => None,
        }
    }

    pub(super) fn list(&self) -> Option<&[Value]> {
        match self {
            Self::List(items) => Some(items),
            _ => None,
        }
    }

    pub(super) fn map(&self) -> Option<&BTreeMap<String, Value>> {
        match self {
            Self::Map(map) => Some(map),
            _ => None,
        }
    }
}

/// Why a text is refused, beside what the parser says.
#[derive(Clone, Copy)]
enum Why {
    KeyTwice,
    Depth,
    Values,
}

struct State {
    left: Cell<u64>,
    why: Cell<Option<Why>>,
}

impl State {
    fn refuse<E: de::Error>(&self, why: Why) -> E {
        self.why.set(Some(why));
        E::custom("")
    }
}

#[derive(Clone, Copy)]
struct Seed<'s> {
    state: &'s State,
    depth: u64,
}

impl Seed<'_> {
    fn below<E: de::Error>(self) -> Result<Self, E> {
        let depth = self.depth.saturating_add(1);
        if depth > DEPTH {
            return Err(self.state.refuse(Why::Depth));
        }
        Ok(Self { depth, ..self })
    }
}

impl<'de> DeserializeSeed<'de> for Seed<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, from: D) -> Result<Value, D::Error> {
        let left = self.state.left.get();
        match left.checked_sub(1) {
            Some(left) => self.state.left.set(left),
            None => return Err(self.state.refuse(Why::Values)),
        }
        from.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Seed<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value of JSON")
    }

    fn visit_unit<E: de::Error>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E: de::Error>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E: de::Error>(self, _: i64) -> Result<Value, E> {
        Ok(Value::Number)
    }

    fn visit_u64<E: de::Error>(self, _: u64) -> Result<Value, E> {
        Ok(Value::Number)
    }

    fn visit_f64<E: de::Error>(self, _: f64) -> Result<Value, E> {
        Ok(Value::Number)
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Value, E> {
        Ok(Value::Text(text.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut from: A) -> Result<Value, A::Error> {
        let below = self.below()?;
        let mut items = Vec::new();
        while let Some(item) = from.next_element_seed(below)? {
            items.push(item);
        }
        Ok(Value::List(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut from: A) -> Result<Value, A::Error> {
        let below = self.below()?;
        let mut map = BTreeMap::new();
        while let Some(key) = from.next_key::<String>()? {
            let value = from.next_value_seed(below)?;
            if map.insert(key, value).is_some() {
                return Err(self.state.refuse(Why::KeyTwice));
            }
        }
        Ok(Value::Map(map))
    }
}

/// The value of a text.
pub(super) fn read(text: &[u8], at: &str, limits: &Limits) -> Result<Value, Error> {
    let state = State {
        left: Cell::new(limits.entries),
        why: Cell::new(None),
    };
    let seed = Seed {
        state: &state,
        depth: 0,
    };
    let mut from = serde_json::Deserializer::from_slice(text);
    let found = seed.deserialize(&mut from).and_then(|value| {
        from.end()?;
        Ok(value)
    });
    found.map_err(|error| {
        let number = |number| u64::try_from(number).unwrap_or(u64::MAX);
        let place = Location::line(at, number(error.line()), number(error.column()));
        let malformed = |what| Error::Malformed {
            format: "model_sig",
            at: place,
            what,
        };
        match state.why.get() {
            None => malformed("the text is not JSON"),
            Some(Why::KeyTwice) => malformed("an object has a key twice"),
            Some(Why::Depth) => Error::Limit {
                what: "nesting of JSON",
                found: DEPTH.saturating_add(1),
                limit: DEPTH,
            },
            Some(Why::Values) => Error::Limit {
                what: "values of JSON",
                found: limits.entries.saturating_add(1),
                limit: limits.entries,
            },
        }
    })
}
