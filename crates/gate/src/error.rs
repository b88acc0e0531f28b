//! Why a model is not opened: the policy itself, or what is in the model.

use std::fmt;

use nopickle_formats::{Error as ModelError, Location};

use crate::open::Refusal;
use crate::policy::SWITCH;
use crate::signing::Refused;

/// Why a model is not opened.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The policy file can't be used, so nothing is granted: mend it.
    #[error("{at}: malformed policy: {what}")]
    Policy {
        /// The file, with line and column where they are known.
        at: Location,
        /// The rule, in the words of `docs/concepts/policy.md`.
        what: String,
    },
    /// A variable of the environment has a value that it can't have.
    #[error("{SWITCH} is '{}'; it can be true, 1, yes, false, 0 or no", value.escape_debug())]
    Switch {
        /// The value.
        value: String,
    },
    /// The policy does not let such a model load, whatever is in it.
    #[error("{what}")]
    Refused {
        /// Which model, which rule, and the way out.
        what: String,
    },
    /// A key of the policy signed the model, and it is not what was signed.
    #[error("'{model}' is not what a key of the policy signed: {refused}")]
    Signature {
        /// The folder.
        model: String,
        /// All that is not as it was signed.
        refused: Refused,
    },
    /// A file of a model is no data that can be verified, and nobody vouches for it. No load ends with this.
    #[error("{}: {why}", at.entry)]
    Unclean {
        /// The file.
        at: Location,
        /// What it is.
        why: Unclean,
    },
    /// The policy refuses names: all of them, with what would grant them.
    #[error("{0}")]
    Untrusted(Box<Refusal>),
    /// The model itself.
    #[error(transparent)]
    Model(#[from] ModelError),
}

/// What a file is that can't be clean by itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Unclean {
    /// A pickle, or something that brings pickles: where they stand in it; an empty text for the file itself.
    Pickle(Vec<String>),
    /// Code that comes with the model: why nothing vouches for it.
    Code(&'static str),
    /// Something that nothing here reads: what its content looks like.
    Unknown(&'static str),
}

impl fmt::Display for Unclean {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const SHOWN: usize = 5;
        match self {
            Self::Pickle(places) => {
                f.write_str("a pickle")?;
                let inside: Vec<_> = places.iter().filter(|place| !place.is_empty()).collect();
                for (index, place) in inside.iter().take(SHOWN).enumerate() {
                    let before = if index == 0 { " in it, at " } else { ", " };
                    write!(f, "{before}{}", place.escape_debug())?;
                }
                if inside.len() > SHOWN {
                    write!(f, " and {} more", inside.len().saturating_sub(SHOWN))?;
                }
                f.write_str(": loading it can run any code that its author wrote")
            }
            Self::Code(why) => write!(f, "code that comes with the model, and {why}"),
            Self::Unknown(is) => write!(f, "{is}, which nothing here reads: unknown is not clean"),
        }
    }
}

impl From<Refusal> for Error {
    fn from(refusal: Refusal) -> Self {
        Self::Untrusted(Box::new(refusal))
    }
}

impl From<std::io::Error> for Error {
    fn from(error: std::io::Error) -> Self {
        Self::Model(error.into())
    }
}

impl Error {
    pub(crate) fn policy(at: Location, what: impl Into<String>) -> Self {
        Self::Policy {
            at,
            what: what.into(),
        }
    }
}
