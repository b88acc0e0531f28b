//! Why a model could not be read: one variant per answer to "who has to act?".

use std::fmt;

/// Where in a model something was found: the entry, and the byte in it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Location {
    /// The entry's name inside the archive; empty for the archive itself.
    pub entry: String,
    /// The byte offset inside the entry (after inflating), where one is known.
    pub offset: Option<u64>,
    /// Line and column of a text, both from 1 on, where they are known.
    pub line: Option<(u64, u64)>,
}

impl Location {
    /// A whole entry.
    pub fn entry(name: &str) -> Self {
        Self {
            entry: name.to_owned(),
            ..Self::default()
        }
    }

    /// One byte of an entry.
    pub fn byte(name: &str, offset: u64) -> Self {
        Self {
            entry: name.to_owned(),
            offset: Some(offset),
            ..Self::default()
        }
    }

    /// One letter of a text: line and column, both from 1 on.
    pub fn line(name: &str, line: u64, column: u64) -> Self {
        Self {
            entry: name.to_owned(),
            line: Some((line, column)),
            ..Self::default()
        }
    }
}

impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.entry.is_empty() {
            "archive"
        } else {
            &self.entry
        })?;
        if let Some((line, column)) = self.line {
            write!(f, ":{line}:{column}")?;
        }
        match self.offset {
            Some(offset) => write!(f, "@{offset}"),
            None => Ok(()),
        }
    }
}

/// Why a model could not be read.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The bytes break the rules of their own format: get the file again.
    #[error("{at}: malformed {format}: {what}")]
    Malformed {
        /// The format whose rule is broken: `zip`, `npy`, `skops`, `mlmodel`.
        format: &'static str,
        /// Where.
        at: Location,
        /// The rule, in the words of `docs/formats/<format>.md`.
        what: &'static str,
    },
    /// Well formed, and holds something that nopickle does not read.
    #[error("{at}: unsupported {what}: {name}")]
    Unsupported {
        /// Where.
        at: Location,
        /// The kind of thing.
        what: &'static str,
        /// Which one.
        name: String,
    },
    /// Well formed, and larger than this load may be: raise a limit.
    #[error("{what} is over the limit: {found} > {limit}")]
    Limit {
        /// What was counted.
        what: &'static str,
        /// How much the file asks for.
        found: u64,
        /// How much this load may have.
        limit: u64,
    },
    /// The policy refuses names: all of them, sorted.
    #[error(transparent)]
    Untrusted(#[from] Untrusted),
    /// Trusted by name, and holds values that its native code must not see.
    #[error("{at}: unverified {class}: {what}")]
    Unverified {
        /// Where.
        at: Location,
        /// The class whose rule is broken.
        class: String,
        /// The rule, in the words of `docs/formats`.
        what: &'static str,
    },
    /// The operating system refused.
    #[error(transparent)]
    Io(#[from] std::io::Error),
}

impl Error {
    pub(crate) fn malformed(format: &'static str, at: Location, what: &'static str) -> Self {
        Self::Malformed { format, at, what }
    }

    pub(crate) fn unsupported(at: Location, what: &'static str, name: impl Into<String>) -> Self {
        Self::Unsupported {
            at,
            what,
            // Names come from the file: no control character of it reaches a terminal.
            name: name.into().escape_debug().to_string(),
        }
    }
}

/// A name that the policy refuses, and the first place that asks for it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Refused {
    /// `module.qualname`.
    pub name: String,
    /// The byte of the graph's entry that asks for it.
    pub offset: u64,
}

/// Every name that the policy refuses, sorted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Untrusted {
    /// The entry that holds the graph: `schema.json`.
    pub entry: String,
    /// Sorted by name, each name once.
    pub names: Vec<Refused>,
}

impl fmt::Display for Untrusted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("untrusted names: ")?;
        for (index, refused) in self.names.iter().enumerate() {
            let comma = if index == 0 { "" } else { ", " };
            write!(
                f,
                "{comma}{} ({}@{})",
                refused.name.escape_debug(),
                self.entry,
                refused.offset
            )?;
        }
        Ok(())
    }
}

impl std::error::Error for Untrusted {}
