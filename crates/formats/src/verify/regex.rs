//! Regular expressions in parameters: those whose matching can take exponential time.

use super::attributes::string;
use super::{Refusal, Value};

/// Letters of a pattern; scikit-learn's own has 13.
const LONGEST: usize = 1000;

/// What `re` of `CPython` 3.14 relies on when a text vectorizer of scikit-learn 1.9.1 (`feature_extraction/text.py`,
/// `build_tokenizer`) looks for tokens: it tries one way to match after the other. Where what is repeated can itself match
/// one text in several ways, the ways multiply with each letter.
///
/// - A pattern is at most 1000 letters long.
/// - A group that may match more than once holds no `|`, and no repetition of variable length (`*`, `+`, `?`, `{m,n}`),
///   unless it is one and the group starts with a letter that is none of those that it matches, as `-` in
///   `\w+(?:-\w+)*`.
pub(super) fn verify(pattern: Value<'_>) -> Result<(), Refusal> {
    let found = explodes_in(pattern).map(|why| match why {
        Why::Repeats => "token_pattern repeats what repeats itself",
        Why::Long => "token_pattern is longer than 1000 letters",
        Why::Other => "token_pattern is no text",
    });
    found.map_or(Ok(()), |what| Err(pattern.refuse(what)))
}

/// The same of `pattern` of `make_column_selector` (`compose/_column_transformer.py`), which pandas looks for in the name of
/// each column when a `ColumnTransformer` is fitted.
pub(super) fn verify_selector(pattern: Value<'_>) -> Result<(), Refusal> {
    let found = explodes_in(pattern).map(|why| match why {
        Why::Repeats => "pattern of make_column_selector repeats what repeats itself",
        Why::Long => "pattern of make_column_selector is longer than 1000 letters",
        Why::Other => "pattern of make_column_selector is no text",
    });
    found.map_or(Ok(()), |what| Err(pattern.refuse(what)))
}

/// Why a pattern is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Why {
    Repeats,
    Long,
    /// Neither `None` nor a text that can be read here.
    Other,
}

fn explodes_in(pattern: Value<'_>) -> Option<Why> {
    if pattern.is_none() {
        return None;
    }
    string(pattern).map_or(Some(Why::Other), |text| explodes(&text))
}

/// What a pattern has read of a group, or of itself.
#[derive(Default)]
struct Group {
    /// The letter that it starts with, where that is a letter that stands for itself and is not repeated.
    first: Option<char>,
    /// Things that were read in it.
    items: usize,
    alternatives: bool,
    /// Repetitions of variable length that stand in it.
    repeats: usize,
    /// The first letter may be one of those that are repeated.
    clashes: bool,
}

/// What an item matches.
#[derive(Clone, Copy)]
enum Item {
    Letter(char),
    /// `\w`, `\d`: letters, digits and `_`.
    Word,
    /// Anything.
    Any,
}

impl Item {
    fn may_be(self, letter: char) -> bool {
        match self {
            Self::Letter(other) => other.to_lowercase().eq(letter.to_lowercase()),
            Self::Word => letter.is_alphanumeric() || letter == '_' || !letter.is_ascii(),
            Self::Any => true,
        }
    }
}

/// Why the matching of a pattern may take exponential time.
fn explodes(pattern: &str) -> Option<Why> {
    let letters: Vec<char> = pattern.chars().take(LONGEST.saturating_add(1)).collect();
    if letters.len() > LONGEST {
        return Some(Why::Long);
    }
    let mut at = 0_usize;
    let mut open = vec![Group::default()];
    let next = |at: usize| letters.get(at).copied();
    while let Some(letter) = next(at) {
        at = at.saturating_add(1);
        // What was read, and the group that it is, where it is one.
        let (item, group) = match letter {
            '(' => {
                at = extension(&letters, at);
                open.push(Group::default());
                continue;
            }
            ')' => {
                let group = open.pop().unwrap_or_default();
                if open.is_empty() {
                    open.push(Group::default());
                }
                (Item::Any, Some(group))
            }
            '|' => {
                open.last_mut()?.alternatives = true;
                continue;
            }
            '^' | '$' => continue,
            '.' => (Item::Any, None),
            '[' => {
                at = class(&letters, at);
                (Item::Any, None)
            }
            '\\' => {
                let escaped = next(at);
                at = at.saturating_add(1);
                match escaped {
                    Some('w' | 'd') => (Item::Word, None),
                    // Places, which match no letter.
                    Some('b' | 'B' | 'A' | 'Z' | 'z') => continue,
                    Some(other) if !other.is_ascii_alphanumeric() => (Item::Letter(other), None),
                    _ => (Item::Any, None),
                }
            }
            other => (Item::Letter(other), None),
        };
        let (times, after) = repetition(&letters, at);
        at = after;
        let parent = open.last_mut()?;
        parent.items = parent.items.saturating_add(1);
        if let Some(group) = group {
            let separated = group.first.is_some() && !group.clashes && group.repeats == 1;
            if times.more_than_once && (group.alternatives || (group.repeats > 0 && !separated)) {
                return Some(Why::Repeats);
            }
            let inside = group.repeats.saturating_add(usize::from(times.varies));
            parent.repeats = parent.repeats.saturating_add(inside);
            parent.alternatives |= group.alternatives;
            parent.clashes |= inside > 0;
        } else if times.varies || times.more_than_once {
            parent.repeats = parent.repeats.saturating_add(usize::from(times.varies));
            parent.clashes |= parent.first.is_none_or(|first| item.may_be(first));
        } else if parent.items == 1
            && let Item::Letter(letter) = item
        {
            parent.first = Some(letter);
        }
    }
    None
}

/// How often an item may match.
#[derive(Clone, Copy, Default)]
struct Times {
    more_than_once: bool,
    varies: bool,
}

/// The repetition that stands at a place, and where it ends.
fn repetition(letters: &[char], at: usize) -> (Times, usize) {
    let next = |at: usize| letters.get(at).copied();
    let (times, mut after) = match next(at) {
        Some('*' | '+') => (
            Times {
                more_than_once: true,
                varies: true,
            },
            at.saturating_add(1),
        ),
        Some('?') => (
            Times {
                more_than_once: false,
                varies: true,
            },
            at.saturating_add(1),
        ),
        Some('{') => {
            let rest = letters.get(at.saturating_add(1)..).unwrap_or_default();
            let Some(length) = rest.iter().position(|letter| *letter == '}') else {
                return (Times::default(), at);
            };
            let inside: String = rest.get(..length).unwrap_or_default().iter().collect();
            let known = |letter: char| letter.is_ascii_digit() || letter == ',';
            if inside.is_empty() || !inside.chars().all(known) {
                return (Times::default(), at);
            }
            let times = Times {
                more_than_once: inside != "1" && inside != "0" && inside != "0,1",
                varies: inside.contains(','),
            };
            (times, at.saturating_add(length).saturating_add(2))
        }
        _ => return (Times::default(), at),
    };
    // Lazy or possessive.
    if let Some('?' | '+') = next(after) {
        after = after.saturating_add(1);
    }
    (times, after)
}

/// Where what follows `(` ends: `?:`, `?P<name>`, flags.
fn extension(letters: &[char], at: usize) -> usize {
    if letters.get(at) != Some(&'?') {
        return at;
    }
    let rest = letters.get(at..).unwrap_or_default();
    let last = |letter: &char| !letter.is_ascii_alphabetic() && !"?-_<".contains(*letter);
    let Some(length) = rest.iter().position(last) else {
        return letters.len();
    };
    match rest.get(length) {
        // Flags for the whole pattern are an empty group.
        Some(')') => at.saturating_add(length),
        _ => at.saturating_add(length).saturating_add(1),
    }
}

/// Where a class such as `[^]a-z]` ends.
fn class(letters: &[char], mut at: usize) -> usize {
    if letters.get(at) == Some(&'^') {
        at = at.saturating_add(1);
    }
    let start = at;
    while let Some(letter) = letters.get(at) {
        match letter {
            ']' if at > start => return at.saturating_add(1),
            '\\' => at = at.saturating_add(2),
            _ => at = at.saturating_add(1),
        }
    }
    at
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_that_people_use_are_no_danger() {
        for pattern in [
            r"(?u)\b\w\w+\b",
            r"(?u)\b\w+\b",
            r"\S+",
            r"[^\s]+",
            r"\b[a-zA-Z]{3,}\b",
            r"\w+(?:-\w+)*",
            r"\b\w+(?:'\w+)?\b",
            r"[A-Za-z]+(?:\.\d+)*",
            r"(?i)(?<!\d)[a-z]+|\d+",
            r"(\w{2,})",
            r"(?P<word>\w+)",
            r"[()*+]+",
            r"[]*]+x",
            r"\(\w+\)+",
            r"(ab)+",
            r"(?:\d{3})+",
            r"a{,}b",
            r"a{x}+",
            "",
            ")",
            "(",
            "[",
            "\\",
            "a|",
        ] {
            assert_eq!(explodes(pattern), None, "{pattern}");
        }
    }

    #[test]
    fn a_repetition_of_what_matches_in_several_ways_is_refused() {
        for pattern in [
            r"(a+)+$",
            r"(a*)*b",
            r"(?:\w+)+\b",
            r"(\w+\s?)*$",
            r"((a+))+",
            r"(?:(?:a+))*",
            r"(a|a)*b",
            r"(a|aa)+$",
            r"((a|a))*",
            r"(a?){30}a{30}",
            r"(a{1,9}){1,9}b",
            r"(a{2,}){2,}",
            r"(?P<x>a+)+",
            r"(?i:a+)+",
            r"(?=a+)+",
            r"(\w\w*)*",
            r"(_\w+)*$",
            r"(\-[a-z-]+)*$",
            r"(-.*)*$",
            r"(aA+)*$",
            r"(-?\w+)*$",
            r"((-)*\w+)*",
            r"(a+)*?b",
            r"(a+)++b",
            r"x(?:[)]a+)*(b+)+",
            r"(-(a+))*(c|c)+",
            r"(-\w*\w*)*$",
        ] {
            assert!(explodes(pattern).is_some(), "{pattern}");
        }
        assert_eq!(explodes(&"a".repeat(1000)), None);
        assert!(explodes(&"a".repeat(1001)).is_some());
    }
}
