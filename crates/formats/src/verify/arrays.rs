//! What holds for every array, whoever holds it.

use super::{Arrays, Refusal};
use crate::dtype::{DType, Kind};
use crate::graph::{Graph, Node, NodeId};

/// The numpy scalar classes that a file may name, with the type of the array that holds their value:
/// kind, and item size where it is fixed. Sorted.
///
/// Source: `numpy/_core/numerictypes.py` (numpy 2.4); the C names (`intc`, `longlong`, …) on Linux and
/// macOS, 64 bits.
const SCALARS: &[(&str, Kind, usize)] = &[
    ("numpy.bool", Kind::Bool, 1),
    ("numpy.bool_", Kind::Bool, 1),
    ("numpy.bytes_", Kind::Bytes, 0),
    ("numpy.clongdouble", Kind::Complex, 0),
    ("numpy.complex128", Kind::Complex, 16),
    ("numpy.complex256", Kind::Complex, 32),
    ("numpy.complex64", Kind::Complex, 8),
    ("numpy.datetime64", Kind::Datetime, 8),
    ("numpy.float128", Kind::Float, 16),
    ("numpy.float16", Kind::Float, 2),
    ("numpy.float32", Kind::Float, 4),
    ("numpy.float64", Kind::Float, 8),
    ("numpy.int16", Kind::Int, 2),
    ("numpy.int32", Kind::Int, 4),
    ("numpy.int64", Kind::Int, 8),
    ("numpy.int8", Kind::Int, 1),
    ("numpy.intc", Kind::Int, 4),
    ("numpy.long", Kind::Int, 8),
    ("numpy.longdouble", Kind::Float, 0),
    ("numpy.longlong", Kind::Int, 8),
    ("numpy.str_", Kind::Unicode, 0),
    ("numpy.timedelta64", Kind::Timedelta, 8),
    ("numpy.uint", Kind::UInt, 8),
    ("numpy.uint16", Kind::UInt, 2),
    ("numpy.uint32", Kind::UInt, 4),
    ("numpy.uint64", Kind::UInt, 8),
    ("numpy.uint8", Kind::UInt, 1),
    ("numpy.uintc", Kind::UInt, 4),
    ("numpy.ulong", Kind::UInt, 8),
    ("numpy.ulonglong", Kind::UInt, 8),
    ("numpy.void", Kind::Void, 0),
];

/// Whether a name is that of a numpy scalar class.
pub(crate) fn is_scalar(name: &str) -> bool {
    SCALARS.binary_search_by(|row| row.0.cmp(name)).is_ok()
}

/// Checks one node's array, whatever holds it.
///
/// - The bytes of a bool are 0 or 1: numpy counts and selects by adding them up
///   (`numpy/_core/src/multiarray/item_selection.c`, `count_boolean_trues`), so another byte makes a
///   mask select more elements than memory was got for.
/// - The characters of text are code points (`numpy/_core/src/multiarray/scalarapi.c` hands them to
///   `PyUnicode_FromKindAndData`).
/// - A numpy scalar is of the type that its class says, and is one element: a verified number must be
///   the number that Python sees.
pub(super) fn verify(graph: &Graph, arrays: Arrays<'_>, node: NodeId) -> Result<(), Refusal> {
    let refuse = |what| Err(Refusal { node, what });
    let Node::Array(class, array) = graph.node(node) else {
        return Ok(());
    };
    let (Some(header), Some(bytes)) = (
        arrays.headers.get(array.index()),
        arrays.bytes.get(array.index()),
    ) else {
        return refuse("an array has no bytes");
    };
    if !elements_are_valid(&header.dtype, bytes) {
        return refuse("a bool is neither 0 nor 1, or a character is no code point");
    }
    if graph.plain(class).is_some() {
        return Ok(());
    }
    let name = graph.name(class);
    if let Ok(row) = SCALARS.binary_search_by(|row| row.0.cmp(name)) {
        let Some(&(_, kind, size)) = SCALARS.get(row) else {
            return Ok(());
        };
        let found = header.dtype.kind();
        let same_kind = found == kind || (kind == Kind::Void && found == Kind::Struct);
        let same_size = size == 0 || header.dtype.itemsize() == size;
        if !(same_kind && same_size && header.shape.is_empty()) {
            return refuse("a numpy scalar is of another type than its class");
        }
    }
    Ok(())
}

/// Whether bools and text hold what their type can; records are looked through.
fn elements_are_valid(dtype: &DType, bytes: &[u8]) -> bool {
    match dtype.kind() {
        Kind::Bool => bytes.iter().all(|&byte| byte <= 1),
        Kind::Unicode => {
            let little = dtype.is_little();
            bytes.as_chunks::<4>().0.iter().all(|&bytes| {
                let code = if little {
                    u32::from_le_bytes(bytes)
                } else {
                    u32::from_be_bytes(bytes)
                };
                code <= 0x10_FFFF
            })
        }
        Kind::Struct => {
            let looked_at = |field: &&crate::dtype::Field| {
                matches!(
                    field.dtype.kind(),
                    Kind::Bool | Kind::Unicode | Kind::Struct
                )
            };
            dtype.fields().iter().filter(looked_at).all(|field| {
                let count = field
                    .shape
                    .iter()
                    .fold(1_usize, |all, &n| all.saturating_mul(n));
                let end = field
                    .offset
                    .saturating_add(count.saturating_mul(field.dtype.itemsize()));
                bytes.chunks_exact(dtype.itemsize().max(1)).all(|record| {
                    record
                        .get(field.offset..end)
                        .is_some_and(|bytes| elements_are_valid(&field.dtype, bytes))
                })
            })
        }
        _ => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_sorted_and_unique() {
        assert!(SCALARS.windows(2).all(|pair| pair[0].0 < pair[1].0));
    }

    #[test]
    fn bools_and_characters_are_looked_at_inside_records_too() {
        let flag = DType::parse("|b1").unwrap();
        let text = DType::parse("<U1").unwrap();
        let record = DType::record(vec![
            ("flag".into(), None, flag.clone(), vec![2]),
            ("text".into(), None, text, vec![]),
        ])
        .unwrap();
        assert!(elements_are_valid(&flag, &[0, 1, 1]));
        assert!(!elements_are_valid(&flag, &[0, 2]));
        assert!(elements_are_valid(&record, &[1, 0, 0x41, 0, 0, 0]));
        assert!(!elements_are_valid(&record, &[1, 3, 0x41, 0, 0, 0]));
        assert!(!elements_are_valid(&record, &[1, 0, 0, 0, 0x11, 0]));
    }
}
