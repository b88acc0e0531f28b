//! Requirements files: names and versions of distributions, and nothing that `pip` or a shell would follow.
//!
//! The grammar is that of PEP 508 without addresses.

use crate::error::{Error, Location};

/// A distribution that a model needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Requirement {
    /// The distribution's name, as it is written.
    pub name: String,
    /// The extras in brackets.
    pub extras: Vec<String>,
    /// The versions: `==1.9.1`, `<2`.
    pub specifiers: Vec<String>,
    /// The environment marker after `;`.
    pub marker: Option<String>,
}

impl std::fmt::Display for Requirement {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.name)?;
        if !self.extras.is_empty() {
            write!(f, "[{}]", self.extras.join(","))?;
        }
        f.write_str(&self.specifiers.join(","))?;
        match &self.marker {
            Some(marker) => write!(f, "; {marker}"),
            None => Ok(()),
        }
    }
}

/// The names and versions of a requirements file. Empty lines and comments are passed over.
///
/// Refuses options, addresses, paths, and text that a shell could follow.
pub fn requirements(text: &str, entry: &str) -> Result<Vec<Requirement>, Error> {
    let mut found = Vec::new();
    for (index, line) in text.lines().enumerate() {
        let number = u64::try_from(index).unwrap_or(u64::MAX).saturating_add(1);
        let line = match line.split_once(" #") {
            Some((before, _)) => before.trim(),
            None => line.trim(),
        };
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        found.push(requirement(line, &Location::line(entry, number, 1))?);
    }
    Ok(found)
}

/// One requirement: `scikit-learn[extra]>=1.4,<2; python_version < "3.13"`.
pub fn requirement(text: &str, at: &Location) -> Result<Requirement, Error> {
    let unsupported = |what| Err(Error::unsupported(at.clone(), what, text));
    let text_left = text.trim();
    if text_left.starts_with('-') {
        return unsupported("option in a requirements file");
    }
    if text_left.contains("://") || text_left.contains('@') {
        return unsupported("address in a requirements file");
    }
    if text_left.starts_with(['.', '/', '~', '\\']) || text_left.contains(['/', '\\']) {
        return unsupported("path in a requirements file");
    }
    let harmless = |c: char| c.is_ascii_alphanumeric() || " ._-+!*[](),<>=~;'\"".contains(c);
    if !text_left.chars().all(harmless) {
        return unsupported("text in a requirements file");
    }
    let wrong = |what| Error::malformed("requirements", at.clone(), what);
    let (before, marker) = match text_left.split_once(';') {
        Some((before, marker)) => (before.trim(), Some(marker.trim())),
        None => (text_left, None),
    };
    let end = before
        .find(|c: char| !(c.is_ascii_alphanumeric() || "._-".contains(c)))
        .unwrap_or(before.len());
    let (name, rest) = before.split_at(end);
    if !is_name(name) {
        return Err(wrong("a requirement does not start with a name"));
    }
    let mut rest = rest.trim_start();
    let mut extras = Vec::new();
    if let Some(after) = rest.strip_prefix('[') {
        let Some((inside, after)) = after.split_once(']') else {
            return Err(wrong("the extras of a requirement do not end"));
        };
        for extra in inside.split(',').map(str::trim) {
            if !is_name(extra) {
                return Err(wrong("an extra of a requirement is not a name"));
            }
            extras.push(extra.to_owned());
        }
        rest = after.trim_start();
    }
    if let Some(inside) = rest.strip_prefix('(') {
        rest = inside
            .strip_suffix(')')
            .ok_or_else(|| wrong("a version of a requirement is not one"))?;
    }
    let mut specifiers = Vec::new();
    for part in rest.split(',').map(str::trim) {
        if part.is_empty() && specifiers.is_empty() && rest.trim().is_empty() {
            break;
        }
        if !is_specifier(part) {
            return Err(wrong("a version of a requirement is not one"));
        }
        specifiers.push(part.chars().filter(|c| *c != ' ').collect());
    }
    if let Some(marker) = marker
        && (marker.is_empty() || marker.contains([';', '[', ']', '*', '+']))
    {
        return Err(wrong("the marker of a requirement is not one"));
    }
    Ok(Requirement {
        name: name.to_owned(),
        extras,
        specifiers,
        marker: marker.map(str::to_owned),
    })
}

/// A distribution's name: letters and digits, with dots, dashes and underscores between them.
fn is_name(name: &str) -> bool {
    let edge = |c: Option<char>| c.is_some_and(|c| c.is_ascii_alphanumeric());
    edge(name.chars().next())
        && edge(name.chars().next_back())
        && name
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || "._-".contains(c))
}

/// `==1.9.1`, `~= 2.0`, `!=1.*`.
fn is_specifier(text: &str) -> bool {
    let operators = ["===", "==", "!=", "<=", ">=", "~=", "<", ">"];
    let version = operators.iter().find_map(|op| text.strip_prefix(op));
    version.is_some_and(|version| is_version(version.trim()))
}

/// The letters of a version: `1.9.1`, `2.1+cu118`, `1.*`.
pub(super) fn is_version(text: &str) -> bool {
    text.starts_with(|first: char| first.is_ascii_alphanumeric())
        && text
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || "._-+!*".contains(c))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_versions_are_read() {
        let text = "mlflow==3.17.2\n\n# a comment\nscikit-learn [a, b] >=1.4 , <2 # why\n\
            torch==2.1+cu118; python_version < \"3.13\"\nnumpy\nscipy (>=1)\n";
        let found = requirements(text, "requirements.txt").unwrap();
        let written: Vec<String> = found.iter().map(ToString::to_string).collect();
        assert_eq!(
            written,
            [
                "mlflow==3.17.2",
                "scikit-learn[a,b]>=1.4,<2",
                "torch==2.1+cu118; python_version < \"3.13\"",
                "numpy",
                "scipy>=1",
            ]
        );
    }

    #[test]
    fn what_pip_or_a_shell_would_follow_is_refused() {
        for (text, words) in [
            ("-r other.txt", "unsupported option in a requirements file"),
            (
                "--index-url http://x",
                "unsupported option in a requirements file",
            ),
            ("-e .", "unsupported option in a requirements file"),
            (
                "a @ https://x/y.whl",
                "unsupported address in a requirements file",
            ),
            (
                "git+https://x/y",
                "unsupported address in a requirements file",
            ),
            ("./wheels/a.whl", "unsupported path in a requirements file"),
            ("C:\\a.whl", "unsupported path in a requirements file"),
            ("a==1 && rm x", "unsupported text in a requirements file"),
            ("a==$(id)", "unsupported text in a requirements file"),
            ("a`id`", "unsupported text in a requirements file"),
            (
                "a==1 --hash=sha256:00",
                "unsupported text in a requirements file",
            ),
            ("a==", "a version of a requirement is not one"),
            ("a 1.0", "a version of a requirement is not one"),
            ("==1", "a requirement does not start with a name"),
            ("a[b", "the extras of a requirement do not end"),
            ("a[b;c]==1", "the extras of a requirement do not end"),
            ("a==1;", "the marker of a requirement is not one"),
        ] {
            let error = requirements(&format!("x\n{text}"), "requirements.txt")
                .unwrap_err()
                .to_string();
            assert!(error.contains(words), "{text}: {error}");
            assert!(error.starts_with("requirements.txt:2:1"), "{error}");
        }
    }
}
