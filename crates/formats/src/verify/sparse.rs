//! Sparse matrices and arrays of scipy.

use super::attributes::refuse_names;
use super::{ArrayView, Refusal, Value};
use crate::dtype::Kind;
use std::collections::HashSet;

/// What scipy's C++ (scipy 1.17 `sparse/sparsetools/{csr,bsr,coo,dia}.h`) and scikit-learn's Cython
/// (`utils/sparsefuncs_fast.pyx`, `svm/_libsvm_sparse.pyx`, `metrics/_pairwise_fast.pyx` and others) follow
/// without a look: `for n in indptr[i]..indptr[i + 1]` reads `indices[n]` and `data[n]`, and each index then
/// picks a column of another matrix, or a cell of the result. `load_npz` calls the class, which checks the
/// lengths and the ends of `indptr` only (`_compressed.py`, `check_format(full_check=False)`); a container
/// that stands in a file as an object with attributes is not checked at all.
///
/// - The format that an `.npz` names is that of the class.
/// - A shape is one or two lengths (any number for COO), none negative.
/// - CSR and CSC: `indptr` starts at 0, never falls, has one entry more than there are rows (columns), and ends
///   inside `indices`; each index is inside the other length; `data` is as long as `indices`.
/// - BSR: the same for blocks, whose size divides the shape.
/// - COO: one coordinate per axis and stored value, inside the shape.
/// - DIA: one offset per row of `data`, each once, inside the shape.
/// - LIL: a list of columns and a list of values per row, of one length, the columns inside the shape and ascending.
/// - DOK: the keys are positions inside the shape.
/// - Indices are integers of 4 or 8 bytes, of one size where the class is not called with them; with 4 bytes no length is over 2^31 - 1.
///
/// The flags `has_sorted_indices` and `has_canonical_format` need no rule: the C++ code looks for itself
/// (`csr_has_canonical_format`) before it searches, so a lie costs right sums, never memory.
pub(super) fn verify(container: Value<'_>) -> Result<(), Refusal> {
    if container.args().is_some() {
        return Err(container.refuse("a sparse container is made by calling its class"));
    }
    refuse_names(container, &[])?;
    let is_object = container.is_object();
    if is_object && container.state().is_none_or(Value::is_none) {
        return Ok(());
    }
    let name = container
        .class()
        .unwrap_or_default()
        .rsplit('.')
        .next()
        .unwrap_or_default();
    let format = name.split('_').next().unwrap_or_default();
    if !is_object
        && !container
            .get("format")
            .is_some_and(|text| says(text, format))
    {
        return Err(container.refuse("the format of a sparse container is not that of its class"));
    }
    let shape = shape(container, if is_object { "_shape" } else { "shape" })?;
    match (format, shape.as_slice()) {
        ("csr", &[columns]) => compressed(container, 1, columns),
        ("csr", &[rows, columns]) => compressed(container, rows, columns),
        ("csc", &[rows, columns]) => compressed(container, columns, rows),
        ("bsr", &[rows, columns]) => blocks(container, rows, columns),
        ("coo", _) => coordinates(container, &shape),
        ("dia", &[rows, columns]) => diagonals(container, rows, columns),
        ("lil", &[rows, columns]) => lists(container, rows, columns),
        ("dok", _) => keys(container, &shape),
        _ => Err(container.refuse("a sparse container of an unknown format")),
    }
}

/// Whether a numpy string (bytes or text) is this one.
fn says(value: Value<'_>, expected: &str) -> bool {
    let Some(array) = value.array() else {
        return value.text() == Some(expected);
    };
    let letters = match (array.dtype().kind(), array.len()) {
        (Kind::Bytes, 1) => array.bytes().to_vec(),
        (Kind::Unicode, 1) => array
            .bytes()
            .chunks_exact(4)
            .map(|letter| letter.iter().copied().max().unwrap_or_default())
            .collect(),
        _ => return false,
    };
    let end = letters
        .iter()
        .position(|&letter| letter == 0)
        .unwrap_or(letters.len());
    letters.get(..end) == Some(expected.as_bytes())
}

/// The lengths of a container.
fn shape(container: Value<'_>, key: &str) -> Result<Vec<i64>, Refusal> {
    let Some(value) = container.get(key) else {
        return Err(container.refuse("a sparse container without a shape"));
    };
    let mut lengths = Vec::new();
    if let Some(items) = value.items() {
        lengths.extend(items.into_iter().map(|item| item.int().unwrap_or(-1)));
    } else if let Some(array) = value.array().filter(|array| array.shape().len() == 1) {
        array.all_ints(|length| {
            lengths.push(length);
            lengths.len() < 64
        });
    }
    if lengths.is_empty()
        || lengths
            .iter()
            .any(|&length| !(0..=i64::MAX >> 1).contains(&length))
    {
        return Err(value.refuse("the shape of a sparse container is not a few lengths"));
    }
    Ok(lengths)
}

/// One part that is an array of numbers with this many axes.
fn part<'a>(container: Value<'a>, key: &str, axes: usize) -> Result<ArrayView<'a>, Refusal> {
    let Some(value) = container.get(key) else {
        return Err(container.refuse("a sparse container lacks one of its arrays"));
    };
    value
        .array()
        .filter(|array| {
            array.shape().len() == axes
                && matches!(
                    array.dtype().kind(),
                    Kind::Bool | Kind::Int | Kind::UInt | Kind::Float | Kind::Complex
                )
        })
        .ok_or_else(|| {
            value.refuse(
                "a part of a sparse container is not an array of numbers with its number of axes",
            )
        })
}

/// Refuses indices of another type than scipy's, and lengths that they cannot reach.
fn index_type(
    container: Value<'_>,
    arrays: &[ArrayView<'_>],
    lengths: &[i64],
) -> Result<(), Refusal> {
    let mut size = None;
    for array in arrays {
        let dtype = array.dtype();
        if dtype.kind() != Kind::Int || !matches!(dtype.itemsize(), 4 | 8) {
            return Err(
                container.refuse("indices of a sparse container are not integers of 4 or 8 bytes")
            );
        }
        if container.is_object()
            && (!dtype.is_little() || *size.get_or_insert(dtype.itemsize()) != dtype.itemsize())
        {
            return Err(container.refuse("indices of a sparse container are not of one type"));
        }
        if dtype.itemsize() == 4 && lengths.iter().any(|&length| length > i64::from(i32::MAX)) {
            return Err(
                container.refuse("the shape of a sparse container is too large for its indices")
            );
        }
    }
    Ok(())
}

/// A count as a length.
fn length(count: usize) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

/// `indptr` and `indices` of CSR, CSC or BSR: `major` runs, with indices below `minor`.
fn runs(container: Value<'_>, major: i64, minor: i64, shape: &[i64]) -> Result<usize, Refusal> {
    let pointers = part(container, "indptr", 1)?;
    let indices = part(container, "indices", 1)?;
    index_type(container, &[pointers, indices], shape)?;
    if Some(length(pointers.len())) != major.checked_add(1) {
        return Err(container
            .refuse("indptr of a sparse container has not one entry more than it has rows"));
    }
    if pointers.int_at(0) != Some(0) {
        return Err(container.refuse("indptr of a sparse container does not start at 0"));
    }
    let end = length(indices.len());
    let mut last = 0_i64;
    let rising = pointers.all_ints(|pointer| {
        let fine = pointer >= last && pointer <= end;
        last = pointer;
        fine
    });
    if rising != Some(true) {
        return Err(
            container.refuse("indptr of a sparse container falls, or ends outside its indices")
        );
    }
    if indices.all_ints(|index| (0..minor).contains(&index)) != Some(true) {
        return Err(container.refuse("an index of a sparse container is outside its shape"));
    }
    Ok(indices.len())
}

fn compressed(container: Value<'_>, major: i64, minor: i64) -> Result<(), Refusal> {
    let stored = runs(container, major, minor, &[major, minor])?;
    if part(container, "data", 1)?.len() != stored {
        return Err(
            container.refuse("data and indices of a sparse container are not of one length")
        );
    }
    Ok(())
}

fn blocks(container: Value<'_>, rows: i64, columns: i64) -> Result<(), Refusal> {
    let data = part(container, "data", 3)?;
    let &[stored, height, width] = data.shape() else {
        return Err(container.refuse("the blocks of a sparse container have not two axes"));
    };
    let grid = |all: i64, block: usize| {
        let block = i64::try_from(block).ok()?;
        (all.checked_rem(block)? == 0).then(|| all.checked_div(block))?
    };
    let (Some(major), Some(minor)) = (grid(rows, height), grid(columns, width)) else {
        return Err(
            container.refuse("the block size of a sparse container does not divide its shape")
        );
    };
    if runs(container, major, minor, &[rows, columns])? != stored {
        return Err(
            container.refuse("data and indices of a sparse container are not of one length")
        );
    }
    Ok(())
}

fn coordinates(container: Value<'_>, shape: &[i64]) -> Result<(), Refusal> {
    let outside = "a coordinate of a sparse container is outside its shape";
    let lengths = "data and coordinates of a sparse container are not of one length";
    let stored = part(container, "data", 1)?.len();
    let mut complete = false;
    if let Some(value) = container.get("coords") {
        if let Some(axes) = value.items() {
            // As an attribute: one array per axis.
            let axes: Option<Vec<_>> = axes.into_iter().map(Value::array).collect();
            let axes = axes.unwrap_or_default();
            if axes.len() != shape.len() || axes.iter().any(|axis| axis.shape() != [stored]) {
                return Err(value.refuse(lengths));
            }
            index_type(container, &axes, shape)?;
            for (axis, &end) in axes.iter().zip(shape) {
                if axis.all_ints(|index| (0..end).contains(&index)) != Some(true) {
                    return Err(value.refuse(outside));
                }
            }
        } else {
            // In an `.npz`: one array with a row per axis.
            let axes = part(container, "coords", 2)?;
            index_type(container, &[axes], shape)?;
            if axes.shape() != [shape.len(), stored] {
                return Err(value.refuse(lengths));
            }
            let mut place = 0_usize;
            let inside = axes.all_ints(|index| {
                let which = if axes.is_fortran() {
                    place.checked_rem(shape.len())
                } else {
                    place.checked_div(stored)
                };
                place = place.saturating_add(1);
                which
                    .and_then(|which| shape.get(which))
                    .is_some_and(|end| (0..*end).contains(&index))
            });
            if inside != Some(true) {
                return Err(value.refuse(outside));
            }
        }
        complete = true;
    }
    if container.get("row").is_some() || container.get("col").is_some() || !complete {
        let axes = [part(container, "row", 1)?, part(container, "col", 1)?];
        index_type(container, &axes, shape)?;
        if shape.len() != 2 || axes.iter().any(|axis| axis.len() != stored) {
            return Err(container.refuse(lengths));
        }
        for (axis, &end) in axes.iter().zip(shape) {
            if axis.all_ints(|index| (0..end).contains(&index)) != Some(true) {
                return Err(container.refuse(outside));
            }
        }
    }
    Ok(())
}

fn diagonals(container: Value<'_>, rows: i64, columns: i64) -> Result<(), Refusal> {
    let data = part(container, "data", 2)?;
    let offsets = part(container, "offsets", 1)?;
    // Rows and columns are added to offsets in the type of the offsets.
    index_type(container, &[offsets], &[rows.saturating_add(columns)])?;
    if data.shape().first() != Some(&offsets.len()) {
        return Err(
            container.refuse("data and offsets of a sparse container are not of one length")
        );
    }
    let mut seen = HashSet::new();
    let inside = offsets.all_ints(|offset| {
        (rows.saturating_neg()..=columns).contains(&offset) && seen.insert(offset)
    });
    if inside != Some(true) {
        return Err(container
            .refuse("an offset of a sparse container is outside its shape, or stands twice"));
    }
    Ok(())
}

fn lists(container: Value<'_>, rows: i64, columns: i64) -> Result<(), Refusal> {
    let broken =
        "the rows of a sparse container are not a list of columns and a list of values each";
    let of_rows = |key: &str| {
        let value = container.get(key)?;
        let items = value.items()?;
        (value.object_shape()? == [rows] && length(items.len()) == rows).then_some(items)
    };
    let (Some(places), Some(values)) = (of_rows("rows"), of_rows("data")) else {
        return Err(container.refuse(broken));
    };
    let list = |value: Value<'_>| match value.class() {
        Some("builtins.list") => value.items().map(|items| items.len()),
        _ => None,
    };
    for (row, numbers) in places.into_iter().zip(values) {
        let (Some(stored), Some(count)) = (list(row), list(numbers)) else {
            return Err(row.refuse(broken));
        };
        if stored != count {
            return Err(row.refuse(
                "columns and values of a row of a sparse container are not of one length",
            ));
        }
        let mut before = -1_i64;
        for item in row.items().unwrap_or_default() {
            let found = item.int().unwrap_or(-1);
            if found <= before || found >= columns {
                return Err(item.refuse(
                    "a column of a sparse container is outside its shape, or out of order",
                ));
            }
            before = found;
        }
    }
    Ok(())
}

fn keys(container: Value<'_>, shape: &[i64]) -> Result<(), Refusal> {
    let entries = container.get("_dict").and_then(Value::entries);
    let Some(entries) = entries else {
        return Err(container.refuse("a sparse container lacks its dict"));
    };
    for (key, _) in entries {
        let position = match key.items() {
            Some(items) => items
                .into_iter()
                .map(Value::int)
                .collect::<Option<Vec<_>>>(),
            None => key.int().map(|index| vec![index]),
        };
        let inside = position.is_some_and(|position| {
            position.len() == shape.len()
                && position
                    .iter()
                    .zip(shape)
                    .all(|(index, end)| (0..*end).contains(index))
        });
        if !inside {
            return Err(
                key.refuse("a key of a sparse container is not a position inside its shape")
            );
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::attributes::given::Given;
    use super::*;
    use crate::dtype::DType;

    fn csr() -> Given {
        Given::Sparse(
            "scipy.sparse._csr.csr_matrix",
            vec![
                ("format", Given::text("csr")),
                ("shape", Given::longs(&[3, 4])),
                ("data", Given::zeros(&[4])),
                ("indices", Given::ints(&[0, 3, 1, 0])),
                ("indptr", Given::ints(&[0, 2, 2, 4])),
            ],
        )
    }

    fn with(mut container: Given, name: &'static str, value: Given) -> Option<&'static str> {
        container.set(name, value);
        container.refusal(verify)
    }

    #[test]
    fn a_matrix_whose_indices_are_inside_passes() {
        assert_eq!(csr().refusal(verify), None);
        // The last entries are left out: scipy cuts them off.
        assert_eq!(with(csr(), "indptr", Given::ints(&[0, 2, 2, 3])), None);
    }

    #[test]
    fn indices_and_indptr_that_lead_outside_are_refused() {
        let outside = Some("an index of a sparse container is outside its shape");
        assert_eq!(with(csr(), "indices", Given::ints(&[0, 4, 1, 0])), outside);
        assert_eq!(with(csr(), "indices", Given::ints(&[0, -1, 1, 0])), outside);
        let falls = Some("indptr of a sparse container falls, or ends outside its indices");
        assert_eq!(with(csr(), "indptr", Given::ints(&[0, 5, 2, 4])), falls);
        assert_eq!(with(csr(), "indptr", Given::ints(&[0, 3, 2, 4])), falls);
        assert_eq!(with(csr(), "indptr", Given::ints(&[0, 2, 2, 5])), falls);
        assert!(with(csr(), "indptr", Given::ints(&[1, 2, 2, 4])).is_some());
        assert!(with(csr(), "indptr", Given::ints(&[0, 2, 4])).is_some());
        assert!(with(csr(), "indptr", Given::zeros(&[4])).is_some());
        assert!(with(csr(), "data", Given::zeros(&[3])).is_some());
        assert!(with(csr(), "shape", Given::longs(&[3, -4])).is_some());
        assert!(with(csr(), "shape", Given::longs(&[3, 1 << 31])).is_some());
        assert!(with(csr(), "format", Given::text("csc")).is_some());
    }

    #[test]
    fn an_object_is_held_to_the_same_rules() {
        let object = |indices: Given| {
            Given::Object(
                "scipy.sparse._csc.csc_array",
                Box::new(Given::Dict(vec![
                    ("_shape", Given::Tuple(vec![Given::Int(4), Given::Int(3)])),
                    ("data", Given::zeros(&[4])),
                    ("indices", indices),
                    ("indptr", Given::ints(&[0, 2, 2, 4])),
                    ("maxprint", Given::Int(50)),
                ])),
            )
            .refusal(verify)
        };
        assert_eq!(object(Given::ints(&[0, 3, 1, 0])), None);
        assert!(object(Given::ints(&[0, 4, 1, 0])).is_some());
        // The class is not called, so nobody makes the two of one type.
        assert!(object(Given::longs(&[0, 3, 1, 0])).is_some());
        assert_eq!(with(csr(), "indices", Given::longs(&[0, 3, 1, 0])), None);
    }

    #[test]
    fn blocks_divide_the_shape() {
        let bsr = |shape: &[i64], columns: &[i32]| {
            Given::Sparse(
                "scipy.sparse._bsr.bsr_array",
                vec![
                    ("format", Given::text("bsr")),
                    ("shape", Given::longs(shape)),
                    ("data", Given::zeros(&[2, 2, 3])),
                    ("indices", Given::ints(columns)),
                    ("indptr", Given::ints(&[0, 1, 2])),
                ],
            )
            .refusal(verify)
        };
        assert_eq!(bsr(&[4, 6], &[0, 1]), None);
        assert!(bsr(&[4, 6], &[0, 2]).is_some());
        assert!(bsr(&[4, 7], &[0, 1]).is_some());
        assert!(bsr(&[6, 6], &[0, 1]).is_some());
    }

    #[test]
    fn coordinates_and_offsets_are_inside_the_shape() {
        let coo = |rows: &[i32], columns: &[i32]| {
            Given::Sparse(
                "scipy.sparse._coo.coo_matrix",
                vec![
                    ("format", Given::text("coo")),
                    ("shape", Given::longs(&[2, 3])),
                    ("data", Given::zeros(&[2])),
                    ("row", Given::ints(rows)),
                    ("col", Given::ints(columns)),
                ],
            )
        };
        assert_eq!(coo(&[0, 1], &[2, 0]).refusal(verify), None);
        assert!(coo(&[0, 2], &[2, 0]).refusal(verify).is_some());
        assert!(coo(&[0, 1], &[3, 0]).refusal(verify).is_some());
        assert!(coo(&[0, 1], &[0]).refusal(verify).is_some());
        let both = |axes: [i32; 4]| {
            let bytes = axes.iter().flat_map(|place| place.to_le_bytes()).collect();
            let array = Given::Array(DType::parse("<i4").unwrap(), vec![2, 2], bytes);
            let mut container = coo(&[], &[]);
            container.remove("row");
            container.remove("col");
            with(container, "coords", array)
        };
        assert_eq!(both([0, 1, 2, 0]), None);
        assert!(both([0, 2, 1, 0]).is_some());
        assert!(both([0, 1, 3, 0]).is_some());

        let dia = |offsets: &[i32]| {
            Given::Sparse(
                "scipy.sparse._dia.dia_matrix",
                vec![
                    ("format", Given::text("dia")),
                    ("shape", Given::longs(&[2, 3])),
                    ("data", Given::zeros(&[2, 3])),
                    ("offsets", Given::ints(offsets)),
                ],
            )
            .refusal(verify)
        };
        assert_eq!(dia(&[0, -1]), None);
        assert!(dia(&[0, 0]).is_some());
        assert!(dia(&[0, i32::MIN]).is_some());
        assert!(dia(&[0]).is_some());
    }

    #[test]
    fn rows_of_lists_are_as_long_as_their_values() {
        let row = |places: &[i64]| Given::List(places.iter().copied().map(Given::Int).collect());
        let lil = |first: &[i64]| {
            Given::Object(
                "scipy.sparse._lil.lil_matrix",
                Box::new(Given::Dict(vec![
                    ("_shape", Given::Tuple(vec![Given::Int(2), Given::Int(3)])),
                    ("rows", Given::Objects(vec![2], vec![row(first), row(&[])])),
                    (
                        "data",
                        Given::Objects(vec![2], vec![row(&[7, 8]), row(&[])]),
                    ),
                ])),
            )
            .refusal(verify)
        };
        assert_eq!(lil(&[0, 2]), None);
        assert!(lil(&[0]).is_some());
        assert!(lil(&[0, 3]).is_some());
        assert!(lil(&[2, 0]).is_some());
    }
}
