//! What an error means to whoever called: the one place that decides it.

use nopickle_formats::{Error, Location};
use nopickle_gate::signing::Error as SigningError;
use nopickle_gate::{Error as GateError, Unclean};
use nopickle_tracking::Error as StoreError;

/// Trusted and verified.
pub(crate) const FINE: u8 = 0;
/// An untrusted name, or a value that native code must not see.
pub(crate) const REFUSED: u8 = 1;
/// Damaged, unsupported, over a limit, not readable.
pub(crate) const UNANSWERED: u8 = 2;

/// What to do next where --no-arrays left the values out.
pub(crate) const LEFT_UNVERIFIED: &str = "leave out --no-arrays to have the values verified";

/// An exit status in words.
pub(crate) fn words(code: u8) -> &'static str {
    match code {
        FINE => "trusted and verified",
        REFUSED => "refused",
        _ => "could not answer",
    }
}

/// What an error means.
#[derive(Debug)]
pub(crate) struct Told<'e> {
    /// The exit status.
    pub(crate) code: u8,
    /// The kind of error in one word.
    pub(crate) kind: &'static str,
    /// Where in the model, if it is there.
    pub(crate) at: Option<&'e Location>,
    /// What to do next; `FILE` stands for the file.
    pub(crate) hint: &'static str,
}

/// What names mean that nobody has trusted.
const UNTRUSTED: Told<'static> = Told {
    code: REFUSED,
    kind: "untrusted",
    at: None,
    hint: "read `nopickle inspect FILE`; once you have read a name's code, trust it with `--trust NAME` or in a policy: \
           `nopickle policy explain FILE` prints the lines",
};

pub(crate) fn tell(error: &Error) -> Told<'_> {
    let (code, kind, at, hint) = match error {
        Error::Malformed { at, .. } => (
            UNANSWERED,
            "malformed",
            Some(at),
            "the file is damaged, cut short, or no model: get it again from where it came",
        ),
        Error::Unsupported { at, .. } => (
            UNANSWERED,
            "unsupported",
            Some(at),
            "nopickle does not read this; `nopickle support` lists what it reads",
        ),
        Error::Limit { .. } => (
            UNANSWERED,
            "limit",
            None,
            "if you expect a file of this size, raise the limit: `nopickle audit --help` lists them",
        ),
        Error::Untrusted(_) => return UNTRUSTED,
        Error::Unverified { at, .. } => (
            REFUSED,
            "unverified",
            Some(at),
            "somebody may have changed the file: get it again from where it came",
        ),
        Error::Io(_) => (
            UNANSWERED,
            "io",
            None,
            "see that the file is there, and that you may read it",
        ),
    };
    Told {
        code,
        kind,
        at,
        hint,
    }
}

/// As [`tell`], of what the gate says.
pub(crate) fn tell_gate(error: &GateError) -> Told<'_> {
    let (code, kind, at, hint) = match error {
        GateError::Policy { at, .. } => (
            UNANSWERED,
            "policy",
            Some(at),
            "mend the policy: `nopickle policy check` says what is wrong with it",
        ),
        GateError::Switch { .. } => (
            UNANSWERED,
            "policy",
            None,
            "set the variable to true or false",
        ),
        GateError::Refused { .. } => (REFUSED, "refused", None, "see what the policy says"),
        GateError::Signature { refused, .. } => (REFUSED, "signature", None, refused.hint()),
        GateError::Unclean { at, why } => {
            let (kind, hint) = match why {
                Unclean::Pickle(_) => (
                    "pickle",
                    "get the model in a format that holds data, or log it again with serialization_format=\"skops\"; \
                     `--policy` does not make a pickle clean",
                ),
                Unclean::Code(_) => (
                    "code",
                    "read it; once you have, pin it in a policy: `nopickle policy init FILE` prints the lines",
                ),
                Unclean::Unknown(_) => (
                    "unknown",
                    "take it out of the folder; or, once you know what it is, give its SHA-256 in a policy",
                ),
            };
            (REFUSED, kind, Some(at), hint)
        }
        GateError::Untrusted(_) => return UNTRUSTED,
        GateError::Model(error) => return tell(error),
    };
    Told {
        code,
        kind,
        at,
        hint,
    }
}

/// The exit status of a model that could not be signed or verified, the kind of error in one word, and what to do next.
pub(crate) fn tell_signing(error: &SigningError) -> (u8, &'static str, &'static str) {
    match error {
        SigningError::Read(error) => {
            let told = tell(error);
            let hint = match error {
                Error::Malformed { .. } => {
                    "the model or its signature is damaged: get it again from where it came"
                }
                Error::Unsupported { .. } => {
                    "nopickle verifies signatures of OpenSSF Model Signing 1.0 by keys; docs/formats/model_sig.md has the rules"
                }
                Error::Limit { .. } => "the signature is larger than one that nopickle reads",
                _ => told.hint,
            };
            (UNANSWERED, told.kind, hint)
        }
        SigningError::Key { .. } => (
            UNANSWERED,
            "key",
            "see `nopickle sign --help` for how keys are made",
        ),
        SigningError::Refused(refused) => (REFUSED, "refused", refused.hint()),
    }
}

/// The exit status of what keeps a model from being opened.
pub(crate) fn gate_code(error: &GateError) -> u8 {
    tell_gate(error).code
}

/// What to do next where a store could not answer; none where the error says it.
pub(crate) fn store_hint(error: &StoreError) -> Option<&'static str> {
    match error {
        StoreError::NotFound { what: "store", .. } => Some(
            "there is no nopickle.db; name the store: `--store FOLDER`, or MLFLOW_TRACKING_URI",
        ),
        StoreError::NotFound { .. } => {
            Some("`nopickle runs` and `nopickle models` list what there is")
        }
        StoreError::Unreachable { .. } => Some("see that the server runs, and its address"),
        StoreError::NoSpace { .. } => Some("make room, and try again"),
        StoreError::AlreadyExists { .. }
        | StoreError::Invalid(_)
        | StoreError::State(_)
        | StoreError::UnknownScheme { .. }
        | StoreError::Unauthorized { .. }
        | StoreError::Forbidden { .. }
        | StoreError::RateLimited { .. }
        | StoreError::Server { .. }
        | StoreError::Storage { .. }
        | StoreError::Database { .. }
        | StoreError::Newer { .. }
        | StoreError::ReadOnly { .. }
        | StoreError::Io { .. } => None,
    }
}
