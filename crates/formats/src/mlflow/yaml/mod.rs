//! A YAML document as an ordered value: what an `MLmodel` or an environment file says.
//!
//! Text is read as PyYAML 6.0.3 reads it with its safe loader (YAML 1.1 scalars), less what could hide something: tags,
//! merge keys, a key twice, several documents, directives. What is written is what PyYAML's safe dumper writes.

mod read;
mod resolve;
mod write;

pub use read::read;
pub(crate) use resolve::python_float;
pub use write::{write, write_in_order};

/// A value of a YAML document.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// `null`.
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// An integer of 64 bits.
    Int(i64),
    /// The decimal digits of a larger integer, with its sign.
    Big(String),
    /// A number with a point.
    Float(f64),
    /// A text; a plain timestamp too.
    Text(String),
    /// A sequence.
    List(Vec<Value>),
    /// A mapping.
    Map(Map),
}

impl Value {
    /// The text, where it is one.
    pub fn text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            _ => None,
        }
    }

    /// The mapping, where it is one.
    pub fn map(&self) -> Option<&Map> {
        match self {
            Self::Map(map) => Some(map),
            _ => None,
        }
    }

    /// The items, where it is a sequence.
    pub fn list(&self) -> Option<&[Value]> {
        match self {
            Self::List(items) => Some(items),
            _ => None,
        }
    }

    /// Whether it is `null`.
    pub fn is_null(&self) -> bool {
        matches!(self, Self::Null)
    }

    /// What kind of value it is, in words.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Bool(_) => "boolean",
            Self::Int(_) | Self::Big(_) => "integer",
            Self::Float(_) => "float",
            Self::Text(_) => "text",
            Self::List(_) => "list",
            Self::Map(_) => "mapping",
        }
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<String> for Value {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

/// A mapping, in the order of its text. Keys are scalars.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Map {
    entries: Vec<(Value, Value)>,
}

impl Map {
    /// A mapping of these entries; of a key that stands twice, the first is found.
    pub fn new(entries: Vec<(Value, Value)>) -> Self {
        Self { entries }
    }

    /// The value of a key that is a text.
    pub fn get(&self, key: &str) -> Option<&Value> {
        self.entries
            .iter()
            .find(|(name, _)| name.text() == Some(key))
            .map(|(_, value)| value)
    }

    /// The value of a key, where it is there and not `null`.
    pub fn given(&self, key: &str) -> Option<&Value> {
        self.get(key).filter(|value| !value.is_null())
    }

    /// Sets the value of a key that is a text.
    pub fn set(&mut self, key: &str, value: Value) {
        let found = self
            .entries
            .iter_mut()
            .find(|(name, _)| name.text() == Some(key));
        match found {
            Some((_, old)) => *old = value,
            None => self.entries.push((Value::from(key), value)),
        }
    }

    /// The entries in their order.
    pub fn iter(&self) -> impl Iterator<Item = (&Value, &Value)> {
        self.entries.iter().map(|(key, value)| (key, value))
    }

    /// How many entries there are.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }
}
