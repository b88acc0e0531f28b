//! The answer of `inspect` as one JSON document: `docs/formats/inspect.schema.json`.

use std::io::{self, Write};

use nopickle_formats::archive::Archive;
use nopickle_formats::skops::Looked;
use nopickle_formats::{DType, Kind, Step};
use serde::Serialize;

use super::Seen;
use crate::args::Inspect;
use crate::exit;
use crate::output::ErrorJson;

#[derive(Serialize)]
struct Header<'a> {
    schema: u32,
    file: String,
    format: &'static str,
    protocol: i64,
    skops_version: Option<&'a str>,
    bytes: u64,
    schema_bytes: u64,
    entries: usize,
    objects: usize,
    arrays: usize,
    answer: &'static str,
    error: Option<ErrorJson>,
    names: Vec<NameJson<'a>>,
}

/// A name of code that a model asks for.
#[derive(Serialize)]
pub(crate) struct NameJson<'a> {
    pub(crate) name: &'a str,
    pub(crate) role: &'static str,
    pub(crate) uses: usize,
    pub(crate) offset: u64,
    /// By which list it is granted; none where it is not.
    pub(crate) trust: Option<&'static str>,
    pub(crate) has_verifier: bool,
}

#[derive(Serialize)]
struct Row<'a> {
    level: usize,
    key: &'a str,
    label: &'a str,
    class: Option<&'a str>,
    node: usize,
    offset: u64,
    trusted: bool,
    trusted_below: bool,
    shared: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    verified: Option<bool>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    untrusted: Vec<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    refused: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    array: Option<Array>,
}

#[derive(Serialize)]
#[serde(untagged)]
enum Array {
    Dense {
        dtype: String,
        shape: Vec<usize>,
        fortran: bool,
        bytes: u64,
    },
    Sparse {
        dtype: Option<String>,
        shape: Vec<u64>,
        stored: u64,
        bytes: u64,
    },
    Bytes {
        bytes: u64,
    },
    Unreadable {
        error: String,
    },
}

/// A dtype as numpy's type string; the names of the fields of a record.
fn type_string(dtype: &DType) -> String {
    match dtype.kind() {
        Kind::Struct => dtype.to_string(),
        _ => dtype.text().to_owned(),
    }
}

impl From<Looked> for Array {
    fn from(looked: Looked) -> Self {
        let bytes = looked.bytes();
        match looked {
            Looked::Array(header) => Self::Dense {
                dtype: type_string(&header.dtype),
                shape: header.shape,
                fortran: header.fortran,
                bytes,
            },
            Looked::Bytes(bytes) => Self::Bytes { bytes },
            Looked::Sparse {
                shape,
                dtype,
                stored,
                ..
            } => Self::Sparse {
                dtype: dtype.as_deref().map(type_string),
                shape,
                stored,
                bytes,
            },
        }
    }
}

pub(super) fn write(
    out: &mut impl Write,
    args: &Inspect,
    seen: &Seen,
    archive: &mut Archive<'_>,
) -> io::Result<()> {
    let names = seen.names.iter().map(|name| NameJson {
        name: &name.name,
        role: name.role.word(),
        uses: name.uses,
        offset: name.offset,
        trust: name.trust,
        has_verifier: seen.has_verifier(&name.name),
    });
    let header = Header {
        schema: 1,
        file: args.file.to_string_lossy().into_owned(),
        format: "skops",
        protocol: seen.head.protocol,
        skops_version: seen.head.version.as_deref(),
        bytes: archive.len(),
        schema_bytes: seen.head.schema_bytes,
        entries: archive.entries().len(),
        objects: seen.graph.len(),
        arrays: seen.graph.array_count(),
        answer: exit::words(seen.code()),
        error: seen.answered.error.as_ref().map(ErrorJson::new),
        names: names.collect(),
    };
    // The rows are written one by one behind the rest: there may be millions.
    let head = serde_json::to_string(&header)?;
    out.write_all(head.strip_suffix('}').unwrap_or(&head).as_bytes())?;
    out.write_all(b",\"rows\":[")?;
    let mut outline = seen
        .graph
        .outline(|name, role| seen.policy.grants(name, role))
        .object_arrays();
    let mut first = true;
    while let Some(row) = outline.next() {
        if args.depth.is_some_and(|depth| row.level >= depth) {
            outline.skip_children();
        }
        if row.step == Step::Constructor {
            continue;
        }
        let array = if args.no_arrays || row.shared {
            None
        } else {
            match seen.look(archive, row.node) {
                Ok(looked) => looked.map(Array::from),
                Err(error) => Some(Array::Unreadable {
                    error: error.to_string(),
                }),
            }
        };
        let (key, label) = (row.key(), row.label());
        let untrusted = seen
            .untrusted
            .get(&row.node)
            .map(Vec::as_slice)
            .unwrap_or_default();
        let line = Row {
            level: row.level,
            key: &key,
            label: &label,
            class: Some(row.class()).filter(|class| !class.is_empty()),
            node: row.node.index(),
            offset: row.place(),
            trusted: row.self_trusted,
            trusted_below: row.trusted,
            shared: row.shared,
            verified: seen
                .has_verifier(row.class())
                .then_some(seen.code() == exit::FINE),
            untrusted: untrusted
                .iter()
                .map(|&index| seen.names[index].name.as_str())
                .collect(),
            refused: seen
                .broken
                .filter(|broken| broken.0 == row.node)
                .map(|broken| broken.1),
            array,
        };
        out.write_all(if first { b"\n" } else { b",\n" })?;
        first = false;
        serde_json::to_writer(&mut *out, &line)?;
    }
    out.write_all(b"\n]}\n")
}
