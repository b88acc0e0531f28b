//! JSON as XGBoost writes it.
//!
//! Space between values is passed over. Each number and each text that is not a name costs XGBoost an object of its own, so
//! they are counted.
//!
//! Read from XGBoost 3.2.0: `src/common/json.cc`, `JsonReader` and `JsonWriter`.

use super::Refused;
use super::tokens::{ENDS, INTEGER, KIND, TEXT, Tokens};

const NUMBER: &str = "a number is not written as XGBoost writes it";

/// The longest number that XGBoost writes has 16 letters; older versions wrote up to 50.
const LONGEST_NUMBER: usize = 64;

/// What is left of a file.
#[derive(Debug)]
pub(super) struct Json<'a> {
    text: &'a str,
    at: usize,
    /// Values that may still come, and how many could come at first.
    left: u64,
    most: u64,
}

impl<'a> Json<'a> {
    pub(super) fn new(text: &'a str, most: u64) -> Self {
        let (at, left) = (0, most);
        Self {
            text,
            at,
            left,
            most,
        }
    }

    fn rest(&self) -> &'a [u8] {
        self.text.as_bytes().get(self.at..).unwrap_or_default()
    }

    fn skip(&mut self, count: usize) {
        self.at = self.at.saturating_add(count);
    }

    fn space(&mut self) {
        let is_space = |byte: &u8| matches!(byte, b' ' | b'\n' | b'\r' | b'\t');
        let count = self.rest().iter().take_while(|byte| is_space(byte)).count();
        self.skip(count);
    }

    pub(super) fn is_at_end(&mut self) -> bool {
        self.space();
        self.rest().is_empty()
    }

    /// Goes on behind `byte` if it comes next.
    fn take(&mut self, byte: u8) -> bool {
        let found = self.rest().first() == Some(&byte);
        if found {
            self.skip(1);
        }
        found
    }

    fn expect(&mut self, byte: u8) -> Result<(), Refused> {
        self.space();
        if self.take(byte) {
            return Ok(());
        }
        Err(self.malformed(if self.rest().is_empty() { ENDS } else { KIND }))
    }

    fn pay(&mut self) -> Result<(), Refused> {
        if let Some(left) = self.left.checked_sub(1) {
            self.left = left;
            return Ok(());
        }
        let found = self.most.saturating_add(1);
        let what = "values of a booster";
        Err(Refused::limit(self.at, what, found, self.most))
    }

    /// What stands between quotes, as it is written.
    fn str(&mut self) -> Result<&'a str, Refused> {
        self.expect(b'"')?;
        let start = self.at;
        loop {
            match self.rest() {
                [b'"', ..] => {
                    let text = self.text.get(start..self.at);
                    self.skip(1);
                    return text.ok_or_else(|| self.malformed(TEXT));
                }
                [b'\\', b'r' | b'n' | b't' | b'"' | b'\\' | b'u', ..] => self.skip(2),
                [byte, ..] if *byte >= b' ' && *byte != b'\\' => self.skip(1),
                [] => return Err(self.malformed(ENDS)),
                _ => return Err(self.malformed(TEXT)),
            }
        }
    }

    /// The letters of a number.
    fn letters(&self) -> &'a str {
        let is_letter =
            |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'-' | b'.');
        let rest = self.rest();
        let count = rest.iter().take_while(|byte| is_letter(byte)).count();
        self.text
            .get(self.at..self.at.saturating_add(count))
            .unwrap_or_default()
    }

    /// A list, each item passed by `item`.
    fn list(
        &mut self,
        mut item: impl FnMut(&mut Self) -> Result<(), Refused>,
    ) -> Result<u64, Refused> {
        self.expect(b'[')?;
        let mut count = 0_u64;
        while self.array_item(count == 0)? {
            item(self)?;
            count = count.saturating_add(1);
        }
        Ok(count)
    }

    fn integer_of<T: TryFrom<i64>>(&mut self) -> Result<T, Refused> {
        let value = self.integer()?;
        T::try_from(value).map_err(|_| self.malformed(INTEGER))
    }
}

/// Whether this is a number as XGBoost prints one: digits, a fraction or an exponent or both, or a word.
pub(super) fn is_float(text: &str) -> bool {
    if text.len() > LONGEST_NUMBER {
        return false;
    }
    let unsigned = text.strip_prefix('-').unwrap_or(text);
    if unsigned == "Infinity" || text == "NaN" {
        return true;
    }
    let (mantissa, exponent) = match unsigned.split_once(['E', 'e']) {
        Some((mantissa, exponent)) => (mantissa, Some(exponent)),
        None => (unsigned, None),
    };
    let (whole, fraction) = match mantissa.split_once('.') {
        Some((whole, fraction)) => (whole, Some(fraction)),
        None => (mantissa, None),
    };
    let is_digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let is_exponent = |text: &str| is_digits(text.strip_prefix(['+', '-']).unwrap_or(text));
    is_digits(whole)
        && (fraction.is_some() || exponent.is_some())
        && fraction.is_none_or(is_digits)
        && exponent.is_none_or(is_exponent)
}

/// A finite number, or a list of them in JSON; how many.
pub(super) fn floats(text: &str) -> Option<u64> {
    let is_finite = |text: &str| {
        let is_number = is_float(text) || whole(text).is_some();
        is_number && text.parse().is_ok_and(f32::is_finite)
    };
    let Some(list) = text.strip_prefix('[') else {
        return is_finite(text).then_some(1);
    };
    let mut count = 0_u64;
    for number in list.strip_suffix(']')?.split(',') {
        if !is_finite(number) {
            return None;
        }
        count = count.saturating_add(1);
    }
    Some(count)
}

/// A whole number as it is printed: no sign but `-`, no leading zero.
pub(super) fn whole(text: &str) -> Option<i64> {
    let digits = text.strip_prefix('-').unwrap_or(text);
    let canonical = match digits.as_bytes() {
        [b'0'] => digits.len() == text.len(),
        [b'1'..=b'9', rest @ ..] => rest.iter().all(u8::is_ascii_digit),
        _ => false,
    };
    text.parse().ok().filter(|_| canonical)
}

impl<'a> Tokens<'a> for Json<'a> {
    fn at(&self) -> usize {
        self.at
    }

    fn object_start(&mut self) -> Result<(), Refused> {
        self.expect(b'{')
    }

    fn object_key(&mut self, first: bool) -> Result<Option<&'a str>, Refused> {
        self.space();
        if self.take(b'}') {
            return Ok(None);
        }
        if !first {
            self.expect(b',')?;
        }
        let key = self.str()?;
        self.expect(b':')?;
        self.pay()?;
        Ok(Some(key))
    }

    fn array_start(&mut self) -> Result<Option<u64>, Refused> {
        self.expect(b'[')?;
        Ok(None)
    }

    fn array_item(&mut self, first: bool) -> Result<bool, Refused> {
        self.space();
        if self.take(b']') {
            return Ok(false);
        }
        if !first {
            self.expect(b',')?;
        }
        self.pay()?;
        Ok(true)
    }

    fn text(&mut self) -> Result<&'a str, Refused> {
        self.str()
    }

    fn integer(&mut self) -> Result<i64, Refused> {
        self.space();
        let letters = self.letters();
        let value = whole(letters)
            .ok_or_else(|| self.malformed(if letters.is_empty() { KIND } else { INTEGER }))?;
        self.skip(letters.len());
        Ok(value)
    }

    fn float(&mut self) -> Result<(), Refused> {
        self.space();
        let letters = self.letters();
        if !is_float(letters) {
            return Err(self.malformed(if letters.is_empty() { KIND } else { NUMBER }));
        }
        self.skip(letters.len());
        Ok(())
    }

    fn boolean(&mut self) -> Result<(), Refused> {
        self.space();
        let letters = self.letters();
        if !matches!(letters, "true" | "false") {
            return Err(self.malformed(KIND));
        }
        self.skip(letters.len());
        Ok(())
    }

    fn is_object(&self) -> bool {
        let is_space = |byte: &&u8| matches!(byte, b' ' | b'\n' | b'\r' | b'\t');
        self.rest().iter().find(|byte| !is_space(byte)) == Some(&b'{')
    }

    fn floats(&mut self, _wide: bool) -> Result<u64, Refused> {
        self.list(Self::float)
    }

    fn integers(&mut self, width: u8, out: &mut Vec<i64>) -> Result<(), Refused> {
        out.clear();
        self.list(|json| {
            out.push(match width {
                1 => json.integer_of::<i8>()?.into(),
                2 => json.integer_of::<i16>()?.into(),
                4 => json.integer_of::<i32>()?.into(),
                _ => json.integer()?,
            });
            Ok(())
        })?;
        Ok(())
    }

    fn ints(&mut self, out: &mut Vec<i32>) -> Result<(), Refused> {
        out.clear();
        self.list(|json| {
            out.push(json.integer_of()?);
            Ok(())
        })?;
        Ok(())
    }

    fn bytes(&mut self, out: &mut Vec<u8>) -> Result<(), Refused> {
        out.clear();
        self.list(|json| {
            out.push(json.integer_of()?);
            Ok(())
        })?;
        Ok(())
    }
}
