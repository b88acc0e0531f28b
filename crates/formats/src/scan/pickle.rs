//! Whether bytes are a pickle: its opcodes are walked, and nothing of it is built.
//!
//! Opcodes and their arguments are those of CPython 3.13 (`Lib/pickletools.py`), protocols 0 to 5.

/// What stands behind an opcode.
enum Argument {
    /// Nothing.
    None,
    /// So many bytes.
    Bytes(usize),
    /// A length of so many bytes, little-endian, and that many bytes.
    Counted(usize),
    /// A text up to a line end, of this kind.
    Line(fn(&[u8]) -> bool),
    /// A module and a name, each up to a line end.
    Names,
}

/// How an opcode changes the stack.
enum Effect {
    /// It takes so many objects, and leaves so many.
    Takes(usize, usize),
    /// It sets a mark.
    Mark,
    /// It takes all above the last mark, then so many objects, and leaves so many.
    ToMark(usize, usize),
    /// It ends the pickle with the object on top.
    Stop,
}

/// Opcodes after which bytes that were cut are taken for a pickle.
const ENOUGH: usize = 8;

/// Whether a file that starts with these bytes is a pickle; `whole` says whether they are all of it.
pub(super) fn is_pickle(start: &[u8], whole: bool) -> bool {
    // No text starts like this: it is no UTF-8.
    if let [0x80, 0..=5, ..] = start {
        return true;
    }
    let mut rest = start;
    let (mut depth, mut marks, mut opcodes) = (0_usize, Vec::new(), 0_usize);
    loop {
        let Some((&opcode, after)) = rest.split_first() else {
            return !whole && opcodes >= ENOUGH;
        };
        let Some((argument, effect)) = opcode_of(opcode) else {
            return false;
        };
        let Some(after) = skip(after, &argument) else {
            // It may be cut inside an argument.
            return !whole && opcodes >= ENOUGH;
        };
        rest = after;
        opcodes = opcodes.saturating_add(1);
        let (taken, left) = match effect {
            Effect::Stop => return depth > 0,
            Effect::Mark => {
                marks.push(depth);
                continue;
            }
            Effect::Takes(taken, left) => (taken, left),
            Effect::ToMark(taken, left) => {
                let Some(mark) = marks.pop() else {
                    return false;
                };
                depth = mark;
                (taken, left)
            }
        };
        let floor = marks.last().copied().unwrap_or(0);
        let Some(lower) = depth.checked_sub(taken).filter(|lower| *lower >= floor) else {
            return false;
        };
        depth = lower.saturating_add(left);
    }
}

/// What is left behind an argument; `None` where it is not one, or goes on behind the bytes.
fn skip<'b>(bytes: &'b [u8], argument: &Argument) -> Option<&'b [u8]> {
    match argument {
        Argument::None => Some(bytes),
        Argument::Bytes(count) => bytes.get(*count..),
        Argument::Counted(count) => {
            let (length, rest) = bytes.split_at_checked(*count)?;
            let length = length
                .iter()
                .rev()
                .fold(0_u64, |all, byte| (all << 8) | u64::from(*byte));
            rest.get(usize::try_from(length).ok()?..)
        }
        Argument::Line(fits) => {
            let (text, rest) = line(bytes)?;
            fits(text).then_some(rest)
        }
        Argument::Names => {
            let (module, rest) = line(bytes)?;
            let (name, rest) = line(rest)?;
            (is_name(module) && is_name(name)).then_some(rest)
        }
    }
}

fn line(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let end = bytes.iter().position(|byte| *byte == b'\n')?;
    let (text, rest) = bytes.split_at_checked(end)?;
    Some((text, rest.get(1..).unwrap_or_default()))
}

fn is_name(text: &[u8]) -> bool {
    let letter = |byte: &u8| byte.is_ascii_alphanumeric() || b"_.<>".contains(byte) || *byte >= 128;
    !text.is_empty() && text.iter().all(letter)
}

fn is_number(text: &[u8]) -> bool {
    let letter = |byte: &u8| byte.is_ascii_digit() || b"+-.eEL".contains(byte);
    text.iter().any(u8::is_ascii_digit) && text.iter().all(letter)
}

fn is_float(text: &[u8]) -> bool {
    is_number(text) || matches!(text, b"nan" | b"inf" | b"-inf")
}

fn is_digits(text: &[u8]) -> bool {
    !text.is_empty() && text.iter().all(u8::is_ascii_digit)
}

fn is_quoted(text: &[u8]) -> bool {
    match text {
        [first @ (b'\'' | b'"'), .., last] => first == last,
        _ => false,
    }
}

fn is_any(_: &[u8]) -> bool {
    true
}

fn opcode_of(opcode: u8) -> Option<(Argument, Effect)> {
    use Argument::{Bytes, Counted, Line, Names, None as Nothing};
    use Effect::{Mark, Stop, Takes, ToMark};
    Some(match opcode {
        b'(' => (Nothing, Mark),
        b'.' => (Nothing, Stop),
        b'0' => (Nothing, Takes(1, 0)),
        b'1' => (Nothing, ToMark(0, 0)),
        b'2' => (Nothing, Takes(1, 2)),
        b'I' | b'L' => (Line(is_number), Takes(0, 1)),
        b'F' => (Line(is_float), Takes(0, 1)),
        b'S' => (Line(is_quoted), Takes(0, 1)),
        b'V' | b'P' => (Line(is_any), Takes(0, 1)),
        b'g' => (Line(is_digits), Takes(0, 1)),
        b'p' => (Line(is_digits), Takes(1, 1)),
        b'c' => (Names, Takes(0, 1)),
        b'i' => (Names, ToMark(0, 1)),
        b'N' | b')' | b']' | b'}' | 0x88 | 0x89 | 0x8f | 0x97 => (Nothing, Takes(0, 1)),
        b'Q' | 0x85 | 0x94 | 0x98 => (Nothing, Takes(1, 1)),
        b'R' | b'a' | b'b' | 0x81 | 0x86 | 0x93 => (Nothing, Takes(2, 1)),
        b's' | 0x87 | 0x92 => (Nothing, Takes(3, 1)),
        b'd' | b'l' | b'o' | b't' | 0x91 => (Nothing, ToMark(0, 1)),
        b'e' | b'u' | 0x90 => (Nothing, ToMark(1, 1)),
        b'K' | b'h' | 0x82 => (Bytes(1), Takes(0, 1)),
        b'q' => (Bytes(1), Takes(1, 1)),
        b'M' | 0x83 => (Bytes(2), Takes(0, 1)),
        b'J' | b'j' | 0x84 => (Bytes(4), Takes(0, 1)),
        b'r' => (Bytes(4), Takes(1, 1)),
        b'G' => (Bytes(8), Takes(0, 1)),
        0x80 => (Bytes(1), Takes(0, 0)),
        0x95 => (Bytes(8), Takes(0, 0)),
        b'U' | b'C' | 0x8a | 0x8c => (Counted(1), Takes(0, 1)),
        b'T' | b'X' | b'B' | 0x8b => (Counted(4), Takes(0, 1)),
        0x8d | 0x8e | 0x96 => (Counted(8), Takes(0, 1)),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pickles_of_each_protocol_are_known() {
        for bytes in [
            b"N.".as_slice(),
            b"I1\n.",
            b"(lp0\nI1\naI2\na.",
            b"cos\nsystem\np0\n(S'true'\np1\ntp2\nRp3\n.",
            b"(S'true'\nios\nsystem\n.",
            b"]q\x00(K\x01K\x02e.",
            b"(dp0\nS'a'\np1\nF1.5\ns.",
            b"(cos\nsystem\nS'true'\no.",
            b"\x80\x02]q\x00(K\x01K\x02e.",
            b"\x80\x04\x95\x00",
            b"\x80\x05N.",
            b"X\x01\x00\x00\x00a.",
            b"N.and more behind it",
        ] {
            assert!(is_pickle(bytes, true), "{bytes:?}");
        }
        let long = b"]q\x00(K\x01K\x02K\x03K\x04K\x05K\x06";
        assert!(is_pickle(long, false) && !is_pickle(long, true));
    }

    #[test]
    fn texts_and_other_bytes_are_none() {
        for bytes in [
            b"".as_slice(),
            b".",
            b"..",
            b"0.",
            b"The model\n",
            b"import os\n",
            b"class A:\n    pass\n",
            b"cloudpickle==3.1.2\nnumpy==2.4.6\n",
            b"{\"a\": [1, 2]}",
            b"[1, 2].",
            b"#!/usr/bin/python\n",
            b"name: x\n",
            b"PK\x03\x04",
            b"\x93NUMPY\x01\x00",
            b"(tR.",
            b"tree\nversion=v4\n",
            b"\x80\x81\x82",
            b"]a.",
            b"(]a.",
        ] {
            assert!(!is_pickle(bytes, true), "{bytes:?}");
        }
    }
}
