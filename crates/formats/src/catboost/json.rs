//! The JSON of a model's info: how deep it is, and the members of an object.

use super::Refused;

/// CatBoost's own texts have six levels. Its JSON values free what they hold by calling themselves.
const DEEPEST: usize = 64;

pub(super) const JSON: &str = "a text of the model's info is not JSON of at most 64 levels";

/// Refuses a text that is not made of the signs of JSON, or that nests deeper than 64 levels.
pub(super) fn check(text: &str, at: usize) -> Result<(), Refused> {
    let refused = || Refused::unverified(at, JSON);
    let mut open = Vec::new();
    let mut rest = text.as_bytes();
    while let [byte, after @ ..] = rest {
        rest = after;
        match byte {
            b'{' | b'[' => {
                open.push(*byte);
                if open.len() > DEEPEST {
                    return Err(refused());
                }
            }
            b'}' | b']' => {
                let opens = if *byte == b'}' { b'{' } else { b'[' };
                if open.pop() != Some(opens) {
                    return Err(refused());
                }
            }
            b'"' => rest = string(after).ok_or_else(refused)?,
            b',' | b':' | b' ' | b'\n' | b'\r' | b'\t' | b'+' | b'-' | b'.' => {}
            byte if byte.is_ascii_alphanumeric() => {}
            _ => return Err(refused()),
        }
    }
    if open.is_empty() {
        Ok(())
    } else {
        Err(refused())
    }
}

/// What comes behind the end of a string.
fn string(mut rest: &[u8]) -> Option<&[u8]> {
    loop {
        rest = match rest {
            [b'"', after @ ..] => return Some(after),
            [b'\\', _, after @ ..] => after,
            [byte, after @ ..] if *byte >= b' ' => after,
            _ => return None,
        };
    }
}

/// What comes behind a value, which ends at a comma or a bracket that is not its own.
fn value(text: &str) -> Option<(&str, &str)> {
    let mut depth = 0_usize;
    let mut rest = text.as_bytes();
    loop {
        match rest {
            [b'"', after @ ..] => {
                rest = string(after)?;
                continue;
            }
            [b'{' | b'[', ..] => depth = depth.checked_add(1)?,
            [b',', ..] if depth == 0 => break,
            [b'}' | b']', ..] => match depth.checked_sub(1) {
                Some(less) => depth = less,
                None => break,
            },
            [] => break,
            _ => {}
        }
        rest = rest.get(1..)?;
    }
    let (value, behind) = text.split_at_checked(text.len().checked_sub(rest.len())?)?;
    let value = value.trim_ascii();
    (!value.is_empty()).then_some((value, behind))
}

/// The members of an object whose keys have no escapes; `None` where the text is something else.
pub(super) fn members(text: &str) -> Option<Vec<(&str, &str)>> {
    let mut rest = text.trim_ascii().strip_prefix('{')?.trim_ascii_start();
    let mut members: Vec<(&str, &str)> = Vec::new();
    if rest.starts_with('}') {
        return (rest == "}").then_some(members);
    }
    loop {
        let (key, behind) = rest.strip_prefix('"')?.split_once('"')?;
        if key.contains('\\') {
            return None;
        }
        let behind = behind.trim_ascii_start().strip_prefix(':')?;
        let (value, behind) = value(behind)?;
        members.push((key, value));
        if behind == "}" {
            break;
        }
        rest = behind.strip_prefix(',')?.trim_ascii_start();
    }
    // CatBoost takes the last of two: a text that says a thing twice is not one of its own.
    let mut keys: Vec<&str> = members.iter().map(|member| member.0).collect();
    keys.sort_unstable();
    keys.windows(2)
        .all(|pair| pair.first() != pair.last())
        .then_some(members)
}

/// The value of a member of an object.
pub(super) fn member<'a>(members: &[(&'a str, &'a str)], key: &str) -> Option<&'a str> {
    let member = members.iter().find(|member| member.0 == key)?;
    Some(member.1)
}

/// The items of an array; `None` where the text is something else.
pub(super) fn items(text: &str) -> Option<Vec<&str>> {
    let mut rest = text.trim_ascii().strip_prefix('[')?;
    let mut items = Vec::new();
    if rest.trim_ascii() == "]" {
        return Some(items);
    }
    loop {
        let (item, behind) = value(rest)?;
        items.push(item);
        if behind == "]" {
            return Some(items);
        }
        rest = behind.strip_prefix(',')?;
    }
}

/// A text without escapes.
pub(super) fn plain_text(text: &str) -> Option<&str> {
    let text = text.strip_prefix('"')?.strip_suffix('"')?;
    (!text.contains(['\\', '"'])).then_some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn members_and_items_are_those_of_the_text() {
        let text = r#" {"a": [1, {"b": "},]"}], "c":"\"" } "#;
        let found = members(text).unwrap();
        assert_eq!(found, [("a", r#"[1, {"b": "},]"}]"#), ("c", r#""\"""#)]);
        assert_eq!(items(found[0].1).unwrap(), ["1", r#"{"b": "},]"}"#]);
        assert_eq!(items(" [] "), Some(vec![]));
        assert_eq!(members("{}"), Some(vec![]));
        for text in [
            "",
            "{",
            "{}x",
            "[]",
            r#"{"a"}"#,
            r#"{"a":}"#,
            r#"{"a":1}}"#,
            r#"{"a":1,}"#,
            r#"{"a":1,"a":2}"#,
            r#"{"\u0061":1}"#,
            r#"{"a":1]"#,
        ] {
            assert_eq!(members(text), None, "{text}");
        }
        for text in ["", "[", "[1", "[1,]", "[1]]", "{}", "[1}"] {
            assert_eq!(items(text), None, "{text}");
        }
    }

    #[test]
    fn nesting_is_bounded_and_brackets_match() {
        let nested = |levels| format!("{}{}", "[".repeat(levels), "]".repeat(levels));
        assert!(check(&nested(64), 0).is_ok());
        assert!(check(&nested(65), 0).is_err());
        for text in ["[}", "[", "]", "\"", "\"\n\"", "/**/", "\"\\"] {
            assert!(check(text, 0).is_err(), "{text}");
        }
        assert!(check("{\"a\": [-1.5e+3, true, null, \"/*\\\"\"]}", 0).is_ok());
    }
}
