//! A folder that a key of the policy signed.

use std::collections::BTreeSet;
use std::path::Path;

use nopickle_formats::Location;

use crate::error::Error;
use crate::policy::Policy;
use crate::signing::{self, Options, PublicKey, Why};

/// What a key of the policy signed.
pub(super) struct Signed {
    /// The id of the key.
    pub(super) key: String,
    /// The place of its entry.
    pub(super) place: String,
    /// The files that it signed.
    pub(super) files: BTreeSet<String>,
}

/// By which key of the policy a folder is signed; `None` where it is by another key, which grants nothing. `given` is the
/// folder whose private copy `copy` is.
pub(super) fn signed_by(
    copy: &Path,
    given: &Path,
    policy: &Policy,
) -> Result<Option<Signed>, Error> {
    let mut keys = Vec::new();
    let mut places = Vec::new();
    for entry in policy.keys() {
        let place = entry.place();
        keys.push(
            PublicKey::from_pem(&entry.what, &place)
                .map_err(|error| Error::policy(Location::entry(&place), error.to_string()))?,
        );
        places.push(place);
    }
    let refused = match signing::verify(copy, &keys, &mut Options::default()) {
        Ok(verified) => {
            let place = keys
                .iter()
                .zip(&places)
                .find(|(key, _)| key.id() == verified.key)
                .map(|(_, place)| place.clone());
            return Ok(Some(Signed {
                key: verified.key,
                place: place.unwrap_or_default(),
                files: verified.digests.into_keys().collect(),
            }));
        }
        Err(signing::Error::Read(error)) => return Err(error.into()),
        Err(signing::Error::Key { at, what }) => {
            return Err(Error::policy(Location::entry(&at), what));
        }
        Err(signing::Error::Refused(refused)) => refused,
    };
    if refused
        .reasons
        .iter()
        .all(|reason| reason.why == Why::OtherKey)
    {
        return Ok(None);
    }
    Err(Error::Signature {
        model: given.display().to_string(),
        refused,
    })
}
