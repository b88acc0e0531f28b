//! Writes the header of an npy file.

use std::fmt::Write;

/// Appends an npy header to `out`: magic string, version, length, dict, padding to 64 bytes.
///
/// `descr` is the Python literal of the dtype, as `numpy.lib.format.dtype_to_descr` gives it.
/// Version 1.0 where the text is Latin-1 and fits 65,535 bytes, else 2.0 or 3.0, as
/// `numpy/lib/_format_impl.py` (numpy 2.4) chooses.
pub fn write_header(out: &mut Vec<u8>, descr: &str, fortran: bool, shape: &[usize]) {
    let mut dict = String::with_capacity(descr.len().saturating_add(64));
    let order = if fortran { "True" } else { "False" };
    let _ = write!(
        dict,
        "{{'descr': {descr}, 'fortran_order': {order}, 'shape': ("
    );
    for (index, length) in shape.iter().enumerate() {
        let space = if index == 0 { "" } else { " " };
        let _ = write!(dict, "{space}{length},");
    }
    if shape.len() > 1 {
        dict.pop();
    }
    dict.push_str("), }");
    let latin: Option<Vec<u8>> = dict.chars().map(|c| u8::try_from(c).ok()).collect();
    let (major, mut text) = match latin {
        Some(text) => (1_u8, text),
        None => (3, dict.into_bytes()),
    };
    let padded = |before: usize, length: usize| {
        let total = before.saturating_add(length).saturating_add(1);
        total.next_multiple_of(64).saturating_sub(before)
    };
    let length = padded(10, text.len());
    if let (1, Ok(short)) = (major, u16::try_from(length)) {
        text.resize(length.saturating_sub(1), b' ');
        out.extend_from_slice(b"\x93NUMPY\x01\x00");
        out.extend_from_slice(&short.to_le_bytes());
    } else {
        let length = padded(12, text.len());
        text.resize(length.saturating_sub(1), b' ');
        out.extend_from_slice(b"\x93NUMPY");
        out.extend_from_slice(&[major.max(2), 0]);
        out.extend_from_slice(&u32::try_from(length).unwrap_or(u32::MAX).to_le_bytes());
    }
    out.extend_from_slice(&text);
    out.push(b'\n');
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::npy::read_header;

    #[test]
    fn a_header_is_read_back_and_is_a_multiple_of_64_bytes() {
        for (descr, shape) in [
            ("'<f8'", &[][..]),
            ("'<f8'", &[3]),
            ("'|b1'", &[3, 4, 5]),
            ("[('a', '<i8')]", &[0]),
        ] {
            let mut bytes = Vec::new();
            write_header(&mut bytes, descr, true, shape);
            assert_eq!(bytes.len() % 64, 0);
            let header = read_header(&bytes, "a.npy").unwrap();
            assert_eq!(header.shape, shape);
            assert_eq!(header.data_offset, bytes.len());
            assert!(header.fortran);
        }
    }

    #[test]
    fn names_outside_latin_1_take_version_3() {
        let mut bytes = Vec::new();
        write_header(&mut bytes, "[('\u{3b1}', '<i8')]", false, &[1]);
        assert_eq!(bytes.get(6), Some(&3));
        assert!(
            read_header(&bytes, "a.npy")
                .unwrap()
                .dtype
                .field("\u{3b1}")
                .is_some()
        );
    }
}
