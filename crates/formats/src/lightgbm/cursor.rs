//! A place in a text, and the words that stand there.

use super::Refused;

/// The longest number that LightGBM writes has 24 letters.
const LONGEST_NUMBER: usize = 32;

/// What is left of a text.
#[derive(Debug, Clone, Copy)]
pub(super) struct Cursor<'a> {
    text: &'a str,
    rest: &'a [u8],
}

impl<'a> Cursor<'a> {
    pub(super) fn new(text: &'a str) -> Self {
        let rest = text.as_bytes();
        Self { text, rest }
    }

    /// The byte that comes next, counted from the start of the text.
    pub(super) fn at(&self) -> usize {
        self.text.len().saturating_sub(self.rest.len())
    }

    pub(super) fn is_at_end(&self) -> bool {
        self.rest.is_empty()
    }

    pub(super) fn malformed(&self, what: &'static str) -> Refused {
        Refused::malformed(self.at(), what)
    }

    pub(super) fn unverified(&self, what: &'static str) -> Refused {
        Refused::unverified(self.at(), what)
    }

    /// The text from an earlier place up to here.
    pub(super) fn since(&self, start: usize) -> &'a str {
        // Both places are between letters: each was reached by passing whole ones.
        self.text.get(start..self.at()).unwrap_or_default()
    }

    /// Goes on behind `word` if it comes next.
    pub(super) fn take(&mut self, word: &[u8]) -> bool {
        match self.rest.strip_prefix(word) {
            Some(rest) => {
                self.rest = rest;
                true
            }
            None => false,
        }
    }

    /// Whether `word` comes next.
    pub(super) fn starts_with(&self, word: &[u8]) -> bool {
        self.rest.starts_with(word)
    }

    /// Goes on behind `word`, or refuses.
    pub(super) fn expect(&mut self, word: &[u8], what: &'static str) -> Result<(), Refused> {
        if self.take(word) {
            Ok(())
        } else {
            Err(self.malformed(what))
        }
    }

    /// Goes on behind one space, or refuses.
    fn space(&mut self, what: &'static str) -> Result<(), Refused> {
        match self.rest {
            [b' ', rest @ ..] => {
                self.rest = rest;
                Ok(())
            }
            _ => Err(self.malformed(what)),
        }
    }

    /// What stands up to the end of the line, without it. The line has no control character.
    pub(super) fn line(&mut self) -> Result<&'a str, Refused> {
        let start = self.at();
        let end = self.rest.iter().position(|&byte| is_control(byte));
        let (line, rest) = end
            .and_then(|end| self.rest.split_at_checked(end))
            .ok_or_else(|| self.malformed("the text ends inside a line"))?;
        self.rest = rest;
        debug_assert_eq!(line.len(), self.since(start).len());
        let line = self.since(start);
        self.end_of_line("a line holds a control character")?;
        Ok(line)
    }

    pub(super) fn end_of_line(&mut self, what: &'static str) -> Result<(), Refused> {
        self.expect(b"\n", what)
    }

    /// A word up to a space, an end of line or any control character.
    pub(super) fn word(&mut self) -> &'a str {
        let start = self.at();
        let end = self
            .rest
            .iter()
            .position(|&byte| byte == b' ' || is_control(byte))
            .unwrap_or(self.rest.len());
        self.rest = self.rest.get(end..).unwrap_or_default();
        self.since(start)
    }

    /// A whole number as it is printed: no sign but `-`, no leading zero. At most ten digits.
    pub(super) fn integer(&mut self) -> Result<i64, Refused> {
        let (negative, digits) = match self.rest {
            [b'-', rest @ ..] => (true, rest),
            rest => (false, rest),
        };
        let mut value = 0_i64;
        let mut rest = digits;
        while let [digit @ b'0'..=b'9', after @ ..] = rest {
            // Ten digits fit; what is longer is refused below.
            value = value
                .wrapping_mul(10)
                .wrapping_add(i64::from(digit.wrapping_sub(b'0')));
            rest = after;
        }
        let length = digits.len().saturating_sub(rest.len());
        let canonical = match digits {
            [b'0', ..] => length == 1 && !negative,
            _ => (1..=10).contains(&length),
        };
        if !canonical {
            return Err(self.malformed("a number is not a whole number as LightGBM writes it"));
        }
        self.rest = rest;
        Ok(if negative {
            value.wrapping_neg()
        } else {
            value
        })
    }

    /// Passes a whole number of up to twenty digits.
    pub(super) fn count(&mut self) -> Result<(), Refused> {
        let rest = digits(self.rest);
        if !(1..=20).contains(&self.rest.len().saturating_sub(rest.len())) {
            return Err(self.malformed("a number is not a whole number as LightGBM writes it"));
        }
        self.rest = rest;
        Ok(())
    }

    /// A whole number that fits LightGBM's 32 bits.
    pub(super) fn int(&mut self) -> Result<i32, Refused> {
        let here = *self;
        i32::try_from(self.integer()?)
            .map_err(|_| here.malformed("a whole number does not fit 32 bits"))
    }

    /// A whole number without a sign that fits 32 bits.
    pub(super) fn unsigned(&mut self) -> Result<u32, Refused> {
        let here = *self;
        u32::try_from(self.integer()?)
            .map_err(|_| here.malformed("a whole number does not fit 32 bits"))
    }

    /// Passes a number: decimal digits, perhaps a fraction and an exponent, or `inf` or `nan`.
    pub(super) fn number(&mut self) -> Result<(), Refused> {
        let unsigned = match self.rest {
            [b'-', rest @ ..] | rest => rest,
        };
        let rest = match unsigned {
            [b'0'..=b'9', ..] => exponent(fraction(digits(unsigned))),
            [b'i', b'n', b'f', rest @ ..] | [b'n', b'a', b'n', rest @ ..] => Some(rest),
            _ => None,
        };
        let length = |rest: &[u8]| self.rest.len().saturating_sub(rest.len());
        match rest {
            Some(rest) if length(rest) <= LONGEST_NUMBER => {
                self.rest = rest;
                Ok(())
            }
            _ => Err(self.malformed("a number is not written as LightGBM writes it")),
        }
    }

    /// Passes a number that `std::stod` takes: zero, infinite, not a number, or one with all its digits.
    ///
    /// It throws where a number underflows or overflows; LightGBM ends the process then.
    pub(super) fn normal_number(&mut self) -> Result<(), Refused> {
        let here = *self;
        self.number()?;
        let text = self.since(here.at());
        let is_zero = !text.bytes().any(|digit| (b'1'..=b'9').contains(&digit));
        let is_word = text.ends_with(['f', 'n']);
        if is_zero || is_word || text.parse().is_ok_and(f64::is_normal) {
            return Ok(());
        }
        Err(here.unverified("a number of a linear leaf is too small or too large for LightGBM"))
    }

    /// Numbers between single spaces up to the end of the line, as many as `count`. Gives the text.
    pub(super) fn numbers(&mut self, count: u32, what: &'static str) -> Result<&'a str, Refused> {
        self.numbers_that(count, what, Self::number)
    }

    /// As [`Self::numbers`], each passed by `number`.
    pub(super) fn numbers_that(
        &mut self,
        count: u32,
        what: &'static str,
        number: impl Fn(&mut Self) -> Result<(), Refused>,
    ) -> Result<&'a str, Refused> {
        let start = self.at();
        for index in 0..count {
            if index > 0 {
                self.space(what)?;
            }
            if let [b'\n', ..] = self.rest {
                return Err(self.malformed(what));
            }
            number(self)?;
        }
        let text = self.since(start);
        self.end_of_line(what)?;
        Ok(text)
    }

    /// As [`Self::numbers`], for whole numbers of 32 bits: `each` sees their values.
    pub(super) fn ints(
        &mut self,
        count: u32,
        what: &'static str,
        mut each: impl FnMut(i32) -> Result<(), &'static str>,
    ) -> Result<&'a str, Refused> {
        let start = self.at();
        for index in 0..count {
            if index > 0 {
                self.space(what)?;
            }
            if let [b'\n', ..] = self.rest {
                return Err(self.malformed(what));
            }
            let here = *self;
            let value = self.int()?;
            each(value).map_err(|what| here.unverified(what))?;
        }
        let text = self.since(start);
        self.end_of_line(what)?;
        Ok(text)
    }

    /// Passes the rest of a JSON text, whose opening quote was taken.
    pub(super) fn json_text(&mut self, what: &'static str) -> Result<(), Refused> {
        loop {
            match self.rest {
                [b'"', rest @ ..] => {
                    self.rest = rest;
                    return Ok(());
                }
                [
                    b'\\',
                    b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't',
                    rest @ ..,
                ] => self.rest = rest,
                [b'\\', b'u', a, b, c, d, rest @ ..]
                    if [a, b, c, d].iter().all(|digit| digit.is_ascii_hexdigit()) =>
                {
                    self.rest = rest;
                }
                [byte, rest @ ..] if *byte != b'\\' && !is_control(*byte) => self.rest = rest,
                _ => return Err(self.malformed(what)),
            }
        }
    }

    /// Passes a JSON number.
    pub(super) fn json_number(&mut self, what: &'static str) -> Result<(), Refused> {
        let here = *self;
        let unsigned = self.rest.strip_prefix(b"-").unwrap_or(self.rest);
        // JSON has neither leading zeros nor the words that a booster's lists have.
        let plain = match unsigned {
            [b'0', b'0'..=b'9', ..] | [] => false,
            [first, ..] => first.is_ascii_digit(),
        };
        if !plain {
            return Err(here.malformed(what));
        }
        self.number().map_err(|_| here.malformed(what))
    }
}

fn is_control(byte: u8) -> bool {
    byte < b' ' || byte == 0x7F
}

/// What stands behind decimal digits.
fn digits(mut rest: &[u8]) -> &[u8] {
    // Eight letters at once: a digit is 0x30 to 0x39, so that the high bit of a byte below says that it is none. Bytes
    // behind the first one that is none may say it wrongly.
    while let Some((letters, after)) = rest.split_first_chunk::<8>() {
        let values = u64::from_le_bytes(*letters) ^ 0x3030_3030_3030_3030;
        let others = (values.wrapping_add(0x7676_7676_7676_7676) | values) & 0x8080_8080_8080_8080;
        if others != 0 {
            let count = usize::try_from(others.trailing_zeros() >> 3).unwrap_or_default();
            return rest.get(count..).unwrap_or_default();
        }
        rest = after;
    }
    while let [b'0'..=b'9', after @ ..] = rest {
        rest = after;
    }
    rest
}

fn fraction(rest: &[u8]) -> Option<&[u8]> {
    match rest {
        [b'.', after @ ..] => match after {
            [b'0'..=b'9', ..] => Some(digits(after)),
            _ => None,
        },
        _ => Some(rest),
    }
}

fn exponent(rest: Option<&[u8]>) -> Option<&[u8]> {
    let rest = rest?;
    match rest {
        [b'e', b'+' | b'-', after @ ..] | [b'e', after @ ..] => match after {
            [b'0'..=b'9', ..] => Some(digits(after)),
            _ => None,
        },
        _ => Some(rest),
    }
}
