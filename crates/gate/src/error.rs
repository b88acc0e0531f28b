//! Why a model is not opened: the policy itself, or what is in the model.

use nopickle_formats::{Error as ModelError, Location};

use crate::policy::SWITCH;

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
    /// The model itself.
    #[error(transparent)]
    Model(#[from] ModelError),
}

impl Error {
    pub(crate) fn policy(at: Location, what: impl Into<String>) -> Self {
        Self::Policy {
            at,
            what: what.into(),
        }
    }
}
