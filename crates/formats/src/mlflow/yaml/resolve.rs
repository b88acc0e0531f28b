//! What a plain scalar is, by the rules of YAML 1.1 as PyYAML 6.0.3 has them (`yaml/resolver.py`, `constructor.py`).

use super::Value;

/// What a plain scalar says.
pub(super) enum Plain {
    /// A value other than a text.
    Value(Value),
    /// A text, or a timestamp, which stays one.
    Text,
    /// A timestamp: a text for us, which PyYAML writes in quotes.
    Timestamp,
    /// `<<`: a merge key.
    Merge,
    /// `=`: the default value.
    Default,
    /// A number that no reader makes of these letters, or one with too many digits.
    Bad,
}

/// More digits than Python's `int()` takes by default.
const DIGITS: usize = 4300;

/// What the letters of a plain scalar say.
pub(super) fn plain(text: &str) -> Plain {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => return Plain::Value(Value::Null),
        "yes" | "Yes" | "YES" | "true" | "True" | "TRUE" | "on" | "On" | "ON" => {
            return Plain::Value(Value::Bool(true));
        }
        "no" | "No" | "NO" | "false" | "False" | "FALSE" | "off" | "Off" | "OFF" => {
            return Plain::Value(Value::Bool(false));
        }
        "<<" => return Plain::Merge,
        "=" => return Plain::Default,
        _ => {}
    }
    if !text.starts_with(|first: char| first.is_ascii_digit() || "+-.".contains(first)) {
        return Plain::Text;
    }
    if is_float(text) {
        return float(text);
    }
    if let Some(found) = integer(text) {
        return found;
    }
    if is_timestamp(text) {
        return Plain::Timestamp;
    }
    Plain::Text
}

fn unsigned(text: &str) -> (bool, &str) {
    match text.as_bytes().first() {
        Some(b'-') => (true, text.get(1..).unwrap_or_default()),
        Some(b'+') => (false, text.get(1..).unwrap_or_default()),
        _ => (false, text),
    }
}

/// Digits and underscores, a digit first.
fn is_number(text: &str) -> bool {
    text.starts_with(|first: char| first.is_ascii_digit()) && is_digits(text)
}

/// Digits and underscores, or nothing.
fn is_digits(text: &str) -> bool {
    text.bytes()
        .all(|byte| byte.is_ascii_digit() || byte == b'_')
}

/// One or two digits of base 60: `7`, `07`, `59`.
fn is_sixtieth(text: &str) -> bool {
    match text.as_bytes() {
        [one] => one.is_ascii_digit(),
        [ten, one] => (b'0'..=b'5').contains(ten) && one.is_ascii_digit(),
        _ => false,
    }
}

/// `e+12`, or nothing.
fn is_exponent(text: &str) -> bool {
    let Some(rest) = text.strip_prefix(['e', 'E']) else {
        return text.is_empty();
    };
    rest.strip_prefix(['+', '-']).is_some_and(|digits| {
        !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit())
    })
}

fn is_float(text: &str) -> bool {
    if matches!(text, ".nan" | ".NaN" | ".NAN") {
        return true;
    }
    let (_, rest) = unsigned(text);
    if matches!(rest, ".inf" | ".Inf" | ".INF") {
        return true;
    }
    let Some((whole, fraction)) = rest.split_once('.') else {
        return false;
    };
    let end = fraction.find(['e', 'E']).unwrap_or(fraction.len());
    let (digits, exponent) = fraction.split_at(end);
    if whole.is_empty() {
        // A number that starts with its point has no sign.
        return rest.len() == text.len() && is_number(digits) && is_exponent(exponent);
    }
    if is_number(whole) {
        return is_digits(digits) && is_exponent(exponent);
    }
    // Base 60: `1:30.5`.
    let mut parts = whole.split(':');
    parts.next().is_some_and(is_number)
        && parts.all(is_sixtieth)
        && exponent.is_empty()
        && is_digits(digits)
}

fn float(text: &str) -> Plain {
    let plain: String = text
        .chars()
        .filter(|letter| *letter != '_')
        .collect::<String>()
        .to_ascii_lowercase();
    let (negative, rest) = unsigned(&plain);
    let value = match rest {
        ".inf" => Ok(f64::INFINITY),
        ".nan" => Ok(f64::NAN),
        _ if rest.contains(':') => {
            let mut total = 0.0_f64;
            let mut wrong = None;
            for part in rest.split(':') {
                match part.parse::<f64>() {
                    Ok(digit) => total = total * 60.0 + digit,
                    Err(error) => wrong = Some(error),
                }
            }
            wrong.map_or(Ok(total), Err)
        }
        _ => rest.parse::<f64>(),
    };
    match value {
        Ok(value) => Plain::Value(Value::Float(if negative { -value } else { value })),
        Err(_) => Plain::Bad,
    }
}

/// An integer's value, where the letters are one.
fn integer(text: &str) -> Option<Plain> {
    let (negative, rest) = unsigned(text);
    let clean = |digits: &str| -> String { digits.chars().filter(|c| *c != '_').collect() };
    let among = |digits: &str, allowed: fn(char) -> bool| {
        !digits.is_empty() && digits.chars().all(|c| c == '_' || allowed(c))
    };
    let (digits, radix) = if let Some(digits) = rest.strip_prefix("0b") {
        if !among(digits, |c| matches!(c, '0' | '1')) {
            return None;
        }
        (clean(digits), 2)
    } else if let Some(digits) = rest.strip_prefix("0x") {
        if !among(digits, |c| c.is_ascii_hexdigit()) {
            return None;
        }
        (clean(digits), 16)
    } else if rest == "0" {
        return Some(Plain::Value(Value::Int(0)));
    } else if let Some(digits) = rest.strip_prefix('0') {
        if !among(digits, |c| ('0'..='7').contains(&c)) {
            return None;
        }
        let digits = clean(digits);
        (
            if digits.is_empty() {
                "0".to_owned()
            } else {
                digits
            },
            8,
        )
    } else if rest.contains(':') {
        return sexagesimal(negative, rest);
    } else if is_number(rest) {
        (clean(rest), 10)
    } else {
        return None;
    };
    if digits.is_empty() || digits.len() > DIGITS {
        return Some(Plain::Bad);
    }
    let signed = if negative {
        format!("-{digits}")
    } else {
        digits.clone()
    };
    Some(match i64::from_str_radix(&signed, radix) {
        Ok(value) => Plain::Value(Value::Int(value)),
        Err(_) if radix == 10 => Plain::Value(Value::Big(signed)),
        Err(_) => Plain::Bad,
    })
}

/// An integer of base 60: `1:30` is 90.
fn sexagesimal(negative: bool, text: &str) -> Option<Plain> {
    let mut parts = text.split(':');
    let first = parts.next()?;
    if !is_number(first) || first.starts_with('0') || !parts.all(is_sixtieth) {
        return None;
    }
    let mut total = Some(0_i64);
    for part in text.split(':') {
        let digit: String = part.chars().filter(|c| *c != '_').collect();
        total = total
            .and_then(|total| total.checked_mul(60))
            .and_then(|total| total.checked_add(digit.parse().ok()?));
    }
    Some(match total {
        Some(total) if negative => Plain::Value(Value::Int(total.saturating_neg())),
        Some(total) => Plain::Value(Value::Int(total)),
        None => Plain::Bad,
    })
}

/// Takes between `least` and `most` digits from the front.
fn digits(text: &str, least: usize, most: usize) -> Option<&str> {
    let count = text
        .bytes()
        .take(most)
        .take_while(u8::is_ascii_digit)
        .count();
    (count >= least).then(|| text.get(count..).unwrap_or_default())
}

fn is_timestamp(text: &str) -> bool {
    let date = |text, least| -> Option<&str> {
        let rest = digits(text, 4, 4)?.strip_prefix('-')?;
        let rest = digits(rest, least, 2)?.strip_prefix('-')?;
        digits(rest, least, 2)
    };
    if date(text, 2) == Some("") {
        return true;
    }
    let time = || -> Option<()> {
        let rest = date(text, 1)?;
        let rest = rest.strip_prefix(['T', 't']).or_else(|| {
            rest.strip_prefix(' ')
                .map(|rest| rest.trim_start_matches(' '))
        })?;
        let rest = digits(rest, 1, 2)?.strip_prefix(':')?;
        let rest = digits(rest, 2, 2)?.strip_prefix(':')?;
        let mut rest = digits(rest, 2, 2)?;
        if let Some(fraction) = rest.strip_prefix('.') {
            rest = fraction.trim_start_matches(|c: char| c.is_ascii_digit());
        }
        let zone = rest.trim_start_matches(' ');
        if zone.is_empty() {
            return rest.is_empty().then_some(());
        }
        if zone == "Z" {
            return Some(());
        }
        let zone = digits(zone.strip_prefix(['+', '-'])?, 1, 2)?;
        if zone.is_empty() {
            return Some(());
        }
        digits(zone.strip_prefix(':')?, 2, 2)?
            .is_empty()
            .then_some(())
    };
    time().is_some()
}

/// A float as Python's `repr` writes it.
pub(crate) fn python_float(value: f64) -> String {
    if value.is_nan() {
        return "nan".to_owned();
    }
    if value.is_infinite() {
        return if value > 0.0 { "inf" } else { "-inf" }.to_owned();
    }
    // The shortest digits that read back: `-1.234e-7`.
    let shortest = format!("{value:e}");
    let (mantissa, exponent) = shortest.split_once('e').unwrap_or((&shortest, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    if (-4..16).contains(&exponent) {
        let positional = format!("{value}");
        return if positional.contains('.') {
            positional
        } else {
            positional + ".0"
        };
    }
    let sign = if exponent < 0 { '-' } else { '+' };
    format!("{mantissa}e{sign}{:02}", exponent.unsigned_abs())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn value(text: &str) -> Option<Value> {
        match plain(text) {
            Plain::Value(value) => Some(value),
            Plain::Text | Plain::Timestamp => Some(Value::from(text)),
            _ => None,
        }
    }

    #[test]
    fn scalars_are_those_of_yaml_1_1() {
        for (text, expected) in [
            ("yes", Value::Bool(true)),
            ("Off", Value::Bool(false)),
            ("y", Value::from("y")),
            ("~", Value::Null),
            ("", Value::Null),
            ("012", Value::Int(10)),
            ("08", Value::from("08")),
            ("0o7", Value::from("0o7")),
            ("0x_1F", Value::Int(31)),
            ("-0b101", Value::Int(-5)),
            ("1_000", Value::Int(1000)),
            ("1:30", Value::Int(90)),
            ("-1:30:00", Value::Int(-5400)),
            ("0:30", Value::from("0:30")),
            ("1:60", Value::from("1:60")),
            ("1:30.5", Value::Float(90.5)),
            ("1.", Value::Float(1.0)),
            (".5", Value::Float(0.5)),
            ("-.5", Value::from("-.5")),
            ("-.INF", Value::Float(f64::NEG_INFINITY)),
            ("1e5", Value::from("1e5")),
            ("1.5e5", Value::from("1.5e5")),
            ("1.5e+5", Value::Float(150_000.0)),
            ("3.11.7", Value::from("3.11.7")),
            ("3.10", Value::Float(3.1)),
            ("9223372036854775807", Value::Int(i64::MAX)),
            ("-9223372036854775808", Value::Int(i64::MIN)),
            (
                "9223372036854775808",
                Value::Big("9223372036854775808".to_owned()),
            ),
            ("+", Value::from("+")),
            ("-", Value::from("-")),
            (".", Value::from(".")),
        ] {
            assert_eq!(value(text), Some(expected), "{text:?}");
        }
        assert!(matches!(plain("<<"), Plain::Merge));
        assert!(matches!(plain("="), Plain::Default));
        assert!(matches!(plain("0b_"), Plain::Bad));
        for text in [
            "2001-12-14",
            "2001-1-4 1:22:33",
            "2001-12-14t21:59:43.10-05:00",
            "2026-11-23 03:54:51.609745",
            "2001-12-14 21:59:43 Z",
        ] {
            assert!(matches!(plain(text), Plain::Timestamp), "{text}");
        }
        for text in ["2001-1-4", "2001-12-14 21:59", "2001-12-14x", "20011-12-14"] {
            assert!(matches!(plain(text), Plain::Text), "{text}");
        }
    }

    #[test]
    fn floats_are_written_as_python_writes_them() {
        for (value, expected) in [
            (1.0, "1.0"),
            (0.1, "0.1"),
            (1e16, "1e+16"),
            (123_456_789_012_345_680.0, "1.2345678901234568e+17"),
            (1e15, "1000000000000000.0"),
            (0.0001, "0.0001"),
            (0.000_01, "1e-05"),
            (-2.5e-7, "-2.5e-07"),
            (5e-324, "5e-324"),
            (-0.0, "-0.0"),
            (f64::INFINITY, "inf"),
        ] {
            assert_eq!(python_float(value), expected);
        }
    }
}
