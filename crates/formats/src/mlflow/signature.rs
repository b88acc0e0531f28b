//! A model's signature: the schemas of its inputs, outputs and parameters.
//!
//! Source: `mlflow/types/schema.py` of MLflow 2.22.0 and 3.17.2, which write each schema as JSON inside the `MLmodel`.

use super::json;
use super::mlmodel::MLMODEL;
use super::yaml::{Map, Value};
use crate::error::{Error, Location};
use crate::limits::Limits;

/// A scalar type of a column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DataType {
    /// True or false.
    Boolean,
    /// A signed integer of 32 bits.
    Integer,
    /// A signed integer of 64 bits.
    Long,
    /// A float of 32 bits.
    Float,
    /// A float of 64 bits.
    Double,
    /// A text.
    String,
    /// Bytes.
    Binary,
    /// A time in nanoseconds.
    Datetime,
}

impl DataType {
    /// The type of this name.
    pub fn named(name: &str) -> Option<Self> {
        Some(match name {
            "binary" => Self::Binary,
            "boolean" => Self::Boolean,
            "datetime" => Self::Datetime,
            "double" => Self::Double,
            "float" => Self::Float,
            "integer" => Self::Integer,
            "long" => Self::Long,
            "string" => Self::String,
            _ => return None,
        })
    }
}

/// The type of a column.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Type {
    /// A scalar.
    Data(DataType),
    /// A list of one type.
    Array(Box<Type>),
    /// A record: names, types, and whether each must be there.
    Object(Vec<(String, Type, bool)>),
    /// A record of any names, whose values have one type.
    Map(Box<Type>),
    /// A vector of Spark ML.
    SparkMlVector,
    /// Anything.
    Any,
}

/// A column of a table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ColSpec {
    /// The column's name, where columns have names.
    pub name: Option<String>,
    /// The type of its values.
    pub kind: Type,
    /// Whether it must be there.
    pub required: bool,
}

/// A tensor.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TensorSpec {
    /// The tensor's name, where there are several.
    pub name: Option<String>,
    /// The name of numpy's dtype: `float64`, `str`.
    pub dtype: String,
    /// The length of each dimension; `-1` is any.
    pub shape: Vec<i64>,
}

/// A parameter of `predict`.
#[derive(Debug, Clone, PartialEq)]
pub struct ParamSpec {
    /// The parameter's name.
    pub name: String,
    /// A scalar type or an object.
    pub kind: Type,
    /// The value where none is given.
    pub default: Value,
    /// Whether it is a list of such values: shape `(-1,)`.
    pub list: bool,
}

/// What goes into a model, or comes out of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Schema {
    /// Columns of a table: all with names, or none.
    Columns(Vec<ColSpec>),
    /// Tensors: one, or several with names.
    Tensors(Vec<TensorSpec>),
}

/// The schemas of a model.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Signature {
    /// What the model takes.
    pub inputs: Option<Schema>,
    /// What the model gives.
    pub outputs: Option<Schema>,
    /// The parameters of `predict`.
    pub params: Option<Vec<ParamSpec>>,
}

struct Reader<'a> {
    place: &'a str,
}

impl Signature {
    /// Reads the `signature` of an `MLmodel`: JSON texts under `inputs`, `outputs` and `params`.
    pub(super) fn read(map: &Map, limits: &Limits) -> Result<Self, Error> {
        let items = |key: &str| -> Result<Option<(String, Vec<Value>)>, Error> {
            let place = format!("{MLMODEL}/signature/{key}");
            let wrong = |what| Error::malformed("mlmodel", Location::entry(&place), what);
            match map.given(key) {
                None => Ok(None),
                Some(Value::Text(text)) => match json::read(text, &place, &json::SCHEMA, limits)? {
                    Value::List(items) => Ok(Some((place, items))),
                    _ => Err(wrong("a schema is not a list")),
                },
                Some(_) => Err(wrong("a schema is not a text of JSON")),
            }
        };
        let schema = |key: &str| -> Result<Option<Schema>, Error> {
            let found = items(key)?;
            found
                .map(|(place, items)| Reader { place: &place }.schema(&items))
                .transpose()
        };
        let params = items("params")?
            .map(|(place, items)| Reader { place: &place }.params(&items))
            .transpose()?;
        Ok(Self {
            inputs: schema("inputs")?,
            outputs: schema("outputs")?,
            params,
        })
    }
}

impl Reader<'_> {
    fn wrong(&self, what: &'static str) -> Error {
        Error::malformed("mlmodel", Location::entry(self.place), what)
    }

    fn name(&self, map: &Map) -> Result<Option<String>, Error> {
        match map.given("name") {
            None => Ok(None),
            Some(Value::Text(name)) => Ok(Some(name.clone())),
            // Columns of a table may be numbers.
            Some(Value::Int(name)) => Ok(Some(name.to_string())),
            Some(_) => Err(self.wrong("the name of a column is not a text")),
        }
    }

    fn flag(&self, map: &Map) -> Result<bool, Error> {
        match map.given("required") {
            None => Ok(true),
            Some(Value::Bool(required)) => Ok(*required),
            Some(_) => Err(self.wrong("required is not true or false")),
        }
    }

    fn schema(&self, items: &[Value]) -> Result<Schema, Error> {
        let mut columns = Vec::new();
        let mut tensors = Vec::new();
        for item in items {
            let Some(map) = item.map() else {
                return Err(self.wrong("a column of a schema is not an object"));
            };
            let name = self.name(map)?;
            if map.get("type").and_then(Value::text) == Some("tensor") {
                tensors.push(self.tensor(name, map)?);
            } else {
                let kind = self.kind(map)?;
                let required = self.flag(map)?;
                columns.push(ColSpec {
                    name,
                    kind,
                    required,
                });
            }
        }
        let names = columns
            .iter()
            .map(|column| &column.name)
            .chain(tensors.iter().map(|tensor| &tensor.name));
        let with_name = names.filter(|name| name.is_some()).count();
        match (columns.len(), tensors.len()) {
            (0, 0) => Err(self.wrong("a schema has no columns")),
            (_, 0) if with_name != 0 && with_name != columns.len() => {
                Err(self.wrong("a schema has columns with and without names"))
            }
            (_, 0) => Ok(Schema::Columns(columns)),
            (0, count) if with_name != count && count > 1 => {
                Err(self.wrong("a schema has several tensors without names"))
            }
            (0, _) => Ok(Schema::Tensors(tensors)),
            _ => Err(self.wrong("a schema has columns and tensors")),
        }
    }

    fn tensor(&self, name: Option<String>, map: &Map) -> Result<TensorSpec, Error> {
        let spec = map.get("tensor-spec").and_then(Value::map);
        let dtype = spec
            .and_then(|spec| spec.get("dtype"))
            .and_then(Value::text);
        let shape = spec
            .and_then(|spec| spec.get("shape"))
            .and_then(Value::list);
        let (Some(dtype), Some(shape)) = (dtype, shape) else {
            return Err(self.wrong("a tensor has no dtype or no shape"));
        };
        let shape = shape
            .iter()
            .map(|length| match length {
                Value::Int(length) if *length >= -1 => Some(*length),
                _ => None,
            })
            .collect::<Option<Vec<_>>>()
            .ok_or_else(|| self.wrong("the shape of a tensor is not a list of lengths"))?;
        Ok(TensorSpec {
            name,
            dtype: dtype.to_owned(),
            shape,
        })
    }

    /// The type that an object of JSON says. It nests no deeper than the JSON, which is bounded.
    fn kind(&self, map: &Map) -> Result<Type, Error> {
        let Some(name) = map.get("type").and_then(Value::text) else {
            return Err(self.wrong("a column of a schema has no type"));
        };
        let inner = |key: &str, what| -> Result<Box<Type>, Error> {
            let inner = map.get(key).and_then(Value::map);
            let inner = inner.ok_or_else(|| self.wrong(what))?;
            Ok(Box::new(self.kind(inner)?))
        };
        Ok(match name {
            "any" => Type::Any,
            "array" => Type::Array(inner("items", "an array has no items")?),
            "map" => Type::Map(inner("values", "a map has no values")?),
            "object" => {
                let properties = map.get("properties").and_then(Value::map);
                let Some(properties) = properties.filter(|found| !found.is_empty()) else {
                    return Err(self.wrong("an object has no properties"));
                };
                let mut found = Vec::new();
                for (name, property) in properties.iter() {
                    let (Some(name), Some(property)) = (name.text(), property.map()) else {
                        return Err(self.wrong("a property is not an object"));
                    };
                    found.push((name.to_owned(), self.kind(property)?, self.flag(property)?));
                }
                Type::Object(found)
            }
            "sparkml_vector" => Type::SparkMlVector,
            _ => {
                if let Some(kind) = DataType::named(name) {
                    Type::Data(kind)
                } else {
                    let at = Location::entry(self.place);
                    return Err(Error::unsupported(at, "type of a column", name));
                }
            }
        })
    }

    fn params(&self, items: &[Value]) -> Result<Vec<ParamSpec>, Error> {
        let mut params: Vec<ParamSpec> = Vec::new();
        for item in items {
            let Some(map) = item.map() else {
                return Err(self.wrong("a parameter of a schema is not an object"));
            };
            let (Some(name), Some(default)) = (self.name(map)?, map.get("default")) else {
                return Err(self.wrong("a parameter has no name or no default"));
            };
            if params.iter().any(|param| param.name == name) {
                return Err(self.wrong("two parameters have one name"));
            }
            // MLflow 2.6 and before said `dtype`.
            let kind = match map.get("dtype").and_then(Value::text) {
                Some(dtype) if map.get("type").is_none() => DataType::named(dtype)
                    .map(Type::Data)
                    .ok_or_else(|| self.wrong("a column of a schema has no type"))?,
                _ => self.kind(map)?,
            };
            if !matches!(&kind, Type::Object(_) | Type::Data(_))
                || kind == Type::Data(DataType::Binary)
            {
                return Err(self.wrong("a parameter is not a scalar or an object"));
            }
            let list = match map.given("shape") {
                None => false,
                Some(Value::List(shape)) if shape.as_slice() == [Value::Int(-1)] => true,
                Some(_) => return Err(self.wrong("the shape of a parameter is not [-1]")),
            };
            params.push(ParamSpec {
                name,
                kind,
                default: default.clone(),
                list,
            });
        }
        Ok(params)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(key: &str, text: &str) -> Result<Signature, Error> {
        let map = Map::new(vec![(Value::from(key), Value::from(text))]);
        Signature::read(&map, &Limits::default())
    }

    #[test]
    fn a_signature_is_what_mlflow_writes() {
        let signature = read(
            "inputs",
            r#"[{"type": "long", "name": "a", "required": false},
                {"type": "array", "items": {"type": "object", "properties":
                    {"k": {"type": "map", "values": {"type": "any"}, "required": false}}},
                 "name": "b", "required": true}]"#,
        );
        let nested = Type::Map(Box::new(Type::Any));
        let object = Type::Object(vec![("k".to_owned(), nested, false)]);
        assert_eq!(
            signature.unwrap().inputs,
            Some(Schema::Columns(vec![
                ColSpec {
                    name: Some("a".to_owned()),
                    kind: Type::Data(DataType::Long),
                    required: false
                },
                ColSpec {
                    name: Some("b".to_owned()),
                    kind: Type::Array(Box::new(object)),
                    required: true
                },
            ]))
        );
        let tensor =
            r#"[{"type": "tensor", "tensor-spec": {"dtype": "float64", "shape": [-1, 4]}}]"#;
        assert_eq!(
            read("outputs", tensor).unwrap().outputs,
            Some(Schema::Tensors(vec![TensorSpec {
                name: None,
                dtype: "float64".to_owned(),
                shape: vec![-1, 4],
            }]))
        );
        let params = r#"[{"name": "n", "default": [1], "shape": [-1], "type": "long"}]"#;
        let params = read("params", params).unwrap().params.unwrap();
        assert!(params[0].list);
        assert_eq!(params[0].default, Value::List(vec![Value::Int(1)]));
    }

    #[test]
    fn a_schema_that_mlflow_would_not_write_is_refused() {
        for (text, words) in [
            ("{}", "a schema is not a list"),
            ("[]", "a schema has no columns"),
            ("[1]", "a column of a schema is not an object"),
            (r#"[{"name": "a"}]"#, "a column of a schema has no type"),
            (
                r#"[{"type": "decimal"}]"#,
                "unsupported type of a column: decimal",
            ),
            (
                r#"[{"type": "long", "name": "a"}, {"type": "long"}]"#,
                "a schema has columns with and without names",
            ),
            (
                r#"[{"type": "object", "properties": {}}]"#,
                "an object has no properties",
            ),
            (
                r#"[{"type": "tensor", "tensor-spec": {"dtype": "f8"}}]"#,
                "a tensor has no dtype or no shape",
            ),
            (
                r#"[{"type": "tensor", "tensor-spec": {"dtype": "f8", "shape": [-2]}}]"#,
                "the shape of a tensor is not a list of lengths",
            ),
        ] {
            let error = read("inputs", text).unwrap_err().to_string();
            assert!(error.contains(words), "{text}: {error}");
            assert!(error.starts_with("MLmodel/signature/inputs"), "{error}");
        }
    }
}
