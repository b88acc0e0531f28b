//! A folder that a key of the policy signed.

use std::collections::BTreeMap;
use std::path::Path;

use nopickle_formats::Location;
use nopickle_formats::archive::{EntryKind, Folder};

use super::copy::hex;
use crate::error::Error;
use crate::policy::Policy;
use crate::signing::{self, Options, PublicKey, Reason, Refused, SIGNATURE, Why};

/// What a key of the policy signed.
pub(super) struct Signed {
    /// The id of the key.
    pub(super) key: String,
    /// The place of its entry.
    pub(super) place: String,
    /// The SHA-256 of each file that it signed.
    pub(super) files: BTreeMap<String, String>,
}

impl Signed {
    /// Refuses a file that is not among those that the key signed, and one whose digest is another. A signature says nothing
    /// of what stands in `.git` and its like.
    pub(super) fn holds(
        &self,
        model: &Path,
        file: &str,
        digest: Option<&str>,
    ) -> Result<(), Error> {
        let signed = self.files.get(file);
        if signed.is_some_and(|signed| digest.is_none_or(|digest| digest == signed)) {
            return Ok(());
        }
        Err(Error::Signature {
            model: model.display().to_string(),
            refused: Refused {
                reasons: vec![Reason {
                    file: file.to_owned(),
                    why: Why::Added,
                }],
            },
        })
    }
}

/// Whether a folder has a signature, and the policy keys to verify it with.
pub(super) fn has_signature(folder: &Folder, policy: &Policy) -> Result<bool, Error> {
    Ok(policy.keys().next().is_some() && folder.kind(SIGNATURE)? == Some(EntryKind::File))
}

/// The keys of a policy that hold today, and the place of each.
///
/// # Errors
/// [`Error::Policy`] for one that is no public key.
pub fn public_keys(policy: &Policy) -> Result<(Vec<PublicKey>, Vec<String>), Error> {
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
    Ok((keys, places))
}

/// By which key of the policy a folder is signed; `None` where it is by another key, which grants nothing. `given` is the
/// folder whose private copy `copy` is.
pub(super) fn signed_by(
    copy: &Path,
    given: &Path,
    policy: &Policy,
) -> Result<Option<Signed>, Error> {
    let (keys, places) = public_keys(policy)?;
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
                files: verified
                    .digests
                    .into_iter()
                    .map(|(name, digest)| (name, hex(&digest)))
                    .collect(),
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

#[cfg(test)]
mod tests {
    use crate::open::CodeRule;
    use crate::open::fixture::{Model, policy, said, skops_file};
    use crate::policy::Policy;
    use crate::signing::{Options, PrivateKey, sign};

    /// A policy with the key that signs a model here, and pinned code.
    fn signed(model: &Model) -> Policy {
        let key = PrivateKey::of_number("P-256", 7);
        sign(model.0.path(), &key, &mut Options::default()).unwrap();
        let pem = key.public().pem().to_owned();
        policy(&format!(
            "code = \"pinned\"\n[[keys]]\npem = \"\"\"\n{pem}\"\"\"\n"
        ))
    }

    #[test]
    fn a_signature_pins_code_and_grants_classes() {
        let model = Model::new("model.skops", "skops", &skops_file());
        let opened = model.open(signed(&model)).unwrap();
        assert_eq!(opened.granted, ["mine.Thing"]);
        assert!(matches!(opened.code, CodeRule::Used(_)));
        assert!(opened.signed_by.is_some());
    }

    #[test]
    fn a_model_that_its_signature_leaves_out_is_refused() {
        let model = Model::new(".gitignore", "skops", &skops_file());
        let found = said(model.open(signed(&model)));
        assert!(
            found.contains(".gitignore: the file was not signed"),
            "{found}"
        );
    }
}
