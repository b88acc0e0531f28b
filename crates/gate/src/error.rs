//! Why a model is not opened: the policy itself, or what is in the model.

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
    /// The policy refuses names: all of them, with what would grant them.
    #[error("{0}")]
    Untrusted(Box<Refusal>),
    /// The model itself.
    #[error(transparent)]
    Model(#[from] ModelError),
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
