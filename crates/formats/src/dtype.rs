//! What the elements of an array are: the one list of dtypes.

/// The kind of an element, as the kind letter of a numpy type string.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// `b`: one byte, 0 or 1.
    Bool,
    /// `i`: signed integer of 1, 2, 4 or 8 bytes.
    Int,
    /// `u`: unsigned integer of 1, 2, 4 or 8 bytes.
    UInt,
    /// `f`: IEEE 754 float of 2, 4 or 8 bytes; x87 extended as 12 or 16.
    Float,
    /// `c`: two floats; 8, 16, 24 or 32 bytes.
    Complex,
    /// `S`: bytes, padded with zeros.
    Bytes,
    /// `U`: UCS-4 text, 4 bytes a character.
    Unicode,
    /// `M`: 64-bit count since 1970 of the unit that follows.
    Datetime,
    /// `m`: 64-bit count of the unit that follows.
    Timedelta,
    /// `V`: raw bytes.
    Void,
    /// A record of named fields.
    Struct,
}

/// One row for each scalar kind: its letter, its item sizes (none: any size).
const KINDS: &[(u8, Kind, &[usize])] = &[
    (b'M', Kind::Datetime, &[8]),
    (b'S', Kind::Bytes, &[]),
    (b'U', Kind::Unicode, &[]),
    (b'V', Kind::Void, &[]),
    (b'b', Kind::Bool, &[1]),
    (b'c', Kind::Complex, &[8, 16, 24, 32]),
    (b'f', Kind::Float, &[2, 4, 8, 12, 16]),
    (b'i', Kind::Int, &[1, 2, 4, 8]),
    (b'm', Kind::Timedelta, &[8]),
    (b'u', Kind::UInt, &[1, 2, 4, 8]),
];

/// One field of a [`Kind::Struct`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Field {
    /// The field's name; empty for padding.
    pub name: String,
    /// The field's title, where it has one.
    pub title: Option<String>,
    /// Bytes from the start of the record.
    pub offset: usize,
    /// The type of one element of the field.
    pub dtype: DType,
    /// The shape of a field that is an array itself; empty for a scalar.
    pub shape: Vec<usize>,
}

/// What one element of an array is, as numpy's array-interface type string says it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DType {
    kind: Kind,
    itemsize: usize,
    order: u8,
    text: String,
    fields: Vec<Field>,
}

impl DType {
    /// Reads a type string such as `<f8`, `|S12` or `<M8[ns]`. `None` where numpy has no such type,
    /// or where its elements are Python objects (`|O`).
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let (order, rest) = text.split_at_checked(1)?;
        let order = *order.as_bytes().first()?;
        if !matches!(order, b'<' | b'>' | b'|' | b'=') {
            return None;
        }
        let (letter, rest) = rest.split_at_checked(1)?;
        let letter = *letter.as_bytes().first()?;
        let row = KINDS.iter().find(|row| row.0 == letter)?;
        let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
        let (digits, unit) = rest.split_at_checked(digits)?;
        let count: usize = digits.parse().ok()?;
        let itemsize = match row.1 {
            Kind::Unicode => count.checked_mul(4)?,
            _ => count,
        };
        // numpy counts the bytes of an element of text in 31 bits.
        if i32::try_from(itemsize).is_err() {
            return None;
        }
        if !row.2.is_empty() && !row.2.contains(&itemsize) {
            return None;
        }
        let timed = matches!(row.1, Kind::Datetime | Kind::Timedelta);
        if !(unit.is_empty() || timed && is_time_unit(unit)) {
            return None;
        }
        if order == b'|' && itemsize > 1 && !matches!(row.1, Kind::Bytes | Kind::Void) {
            return None;
        }
        Some(Self {
            kind: row.1,
            itemsize,
            order,
            text: text.to_owned(),
            fields: Vec::new(),
        })
    }

    /// A record of fields that lie one behind the other. `None` where the sizes overflow.
    pub(crate) fn record(fields: Vec<(String, Option<String>, DType, Vec<usize>)>) -> Option<Self> {
        let mut offset = 0_usize;
        let mut placed = Vec::with_capacity(fields.len());
        for (name, title, dtype, shape) in fields {
            let count = shape
                .iter()
                .try_fold(1_usize, |all, &n| all.checked_mul(n))?;
            let size = count.checked_mul(dtype.itemsize)?;
            placed.push(Field {
                name,
                title,
                offset,
                dtype,
                shape,
            });
            offset = offset.checked_add(size)?;
        }
        Some(Self {
            kind: Kind::Struct,
            itemsize: offset,
            order: b'|',
            text: String::new(),
            fields: placed,
        })
    }

    /// One byte without a meaning of its own: what `BytesNode` holds.
    pub(crate) fn byte() -> Self {
        Self {
            kind: Kind::UInt,
            itemsize: 1,
            order: b'|',
            text: "|u1".to_owned(),
            fields: Vec::new(),
        }
    }

    /// The kind of an element.
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// Bytes of an element.
    pub fn itemsize(&self) -> usize {
        self.itemsize
    }

    /// Whether the least significant byte comes first (or the order does not matter).
    pub fn is_little(&self) -> bool {
        self.order != b'>'
    }

    /// The type string as it stands in the file; empty for a record.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The fields of a record, in file order; padding has an empty name.
    pub fn fields(&self) -> &[Field] {
        &self.fields
    }

    /// The named field of a record.
    pub fn field(&self, name: &str) -> Option<&Field> {
        self.fields.iter().find(|field| field.name == name)
    }
}

impl std::fmt::Display for DType {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.kind != Kind::Struct {
            return f.write_str(self.text.trim_start_matches(['<', '|', '=']));
        }
        f.write_str("record(")?;
        let named = self.fields.iter().filter(|field| !field.name.is_empty());
        for (index, field) in named.enumerate() {
            let comma = if index == 0 { "" } else { ", " };
            write!(f, "{comma}{}", field.name)?;
        }
        f.write_str(")")
    }
}

/// `[ns]`, `[25s]`, `[s/3]`: the unit of a datetime64 or timedelta64.
fn is_time_unit(text: &str) -> bool {
    const UNITS: &[&str] = &[
        "Y", "M", "W", "D", "h", "m", "s", "ms", "us", "ns", "ps", "fs", "as", "generic",
    ];
    let Some(inner) = text
        .strip_prefix('[')
        .and_then(|rest| rest.strip_suffix(']'))
    else {
        return false;
    };
    let (inner, divisor) = inner.split_once('/').unwrap_or((inner, "1"));
    let unit = inner.trim_start_matches(|c: char| c.is_ascii_digit());
    UNITS.contains(&unit) && !divisor.is_empty() && divisor.bytes().all(|b| b.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn type_strings_of_numpy_are_read_and_others_refused() {
        for (text, kind, size) in [
            ("<f8", Kind::Float, 8),
            (">i4", Kind::Int, 4),
            ("|b1", Kind::Bool, 1),
            ("|u1", Kind::UInt, 1),
            ("|S0", Kind::Bytes, 0),
            ("<U3", Kind::Unicode, 12),
            ("<M8[ns]", Kind::Datetime, 8),
            ("<m8[25s]", Kind::Timedelta, 8),
            ("|V7", Kind::Void, 7),
            ("<c16", Kind::Complex, 16),
        ] {
            let dtype = DType::parse(text).unwrap();
            assert_eq!((dtype.kind(), dtype.itemsize()), (kind, size), "{text}");
        }
        for text in [
            "|O",
            "<f3",
            "f8",
            "",
            "<",
            "<i8x",
            "<M8[ns",
            "<x4",
            "|i8",
            "<U99999999999999999999",
        ] {
            assert_eq!(DType::parse(text), None, "{text}");
        }
    }

    #[test]
    fn fields_lie_one_behind_the_other() {
        let int = DType::parse("<i8").unwrap();
        let byte = DType::parse("|u1").unwrap();
        let record = DType::record(vec![
            ("a".into(), None, int.clone(), vec![]),
            ("b".into(), None, byte, vec![3]),
            ("c".into(), None, int, vec![]),
        ])
        .unwrap();
        assert_eq!(record.itemsize(), 19);
        assert_eq!(record.field("c").unwrap().offset, 11);
    }
}
