//! A private copy of a model, and the digests of its files.

use std::collections::BTreeMap;
use std::fmt;
use std::io::{self, Write as _};

use nopickle_formats::archive::Folder;
use nopickle_formats::{Error as ModelError, Limits, Location};
use sha2::{Digest as _, Sha256};
use tempfile::TempDir;

use crate::error::Error;
use crate::policy::Policy;

pub(super) fn hex(bytes: &[u8]) -> String {
    let mut out = String::new();
    for byte in bytes {
        let _ = fmt::Write::write_fmt(&mut out, format_args!("{byte:02x}"));
    }
    out
}

/// Refuses a file whose digest is none of those that the policy has for its path.
pub(super) fn held(policy: &Policy, name: &str, digest: &str) -> Result<(), Error> {
    let mut of_path = policy
        .digests()
        .filter(|known| known.what.path.as_deref() == Some(name))
        .peekable();
    if of_path.peek().is_none() || of_path.any(|known| known.what.sha256 == digest) {
        return Ok(());
    }
    Err(Error::Model(ModelError::Unverified {
        at: Location::entry(name),
        class: "file".to_owned(),
        what: "its digest is not one that the policy has for its path",
    }))
}

/// Calls a function with each piece of a file, to its end.
pub(super) fn each_piece(
    from: &mut impl io::Read,
    mut each: impl FnMut(&[u8]) -> io::Result<()>,
) -> io::Result<()> {
    let mut buffer = vec![0; 1 << 16];
    loop {
        let length = from.read(&mut buffer)?;
        match buffer.get(..length) {
            Some(piece) if !piece.is_empty() => each(piece)?,
            _ => return Ok(()),
        }
    }
}

/// A copy of a model folder in a private folder, and the SHA-256 of each file of the copy.
pub(super) fn private_copy(
    folder: &Folder,
    limits: &mut Limits,
) -> Result<(TempDir, BTreeMap<String, String>), Error> {
    // Only its owner can enter it.
    let mut builder = tempfile::Builder::new();
    builder.prefix("nopickle-");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        builder.permissions(std::fs::Permissions::from_mode(0o700));
    }
    let copy = builder.tempdir()?;
    let mut digests = BTreeMap::new();
    for entry in folder.files("", limits)? {
        let to = copy.path().join(&entry.name);
        if let Some(parent) = to.parent() {
            std::fs::create_dir_all(parent)?;
        }
        let mut from = folder.file(&entry.name)?;
        let mut file = std::fs::OpenOptions::new()
            .write(true)
            .create_new(true)
            .open(&to)?;
        let mut hash = Sha256::new();
        each_piece(&mut from, |piece| {
            hash.update(piece);
            file.write_all(piece)
        })?;
        digests.insert(entry.name, hex(&hash.finalize()));
    }
    Ok((copy, digests))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::fs;

    use nopickle_formats::archive::Source;

    use crate::open::fixture::{GRANT, Model, policy, said, skops_file};
    use crate::open::{CodeRule, open_skops};

    #[test]
    fn a_digest_of_the_policy_holds_the_file_at_its_path() {
        let model = Model::new("model.skops", "skops", &skops_file());
        let digest = model.digest("model.skops");
        let pinned = |path: &str| {
            policy(&format!(
                "{GRANT}[[digests]]\nsha256 = \"{digest}\"\npath = \"{path}\"\n"
            ))
        };
        assert!(model.open(pinned("model.skops")).is_ok());
        assert!(model.open(pinned("model.other")).is_ok());
        let words =
            "MLmodel: unverified file: its digest is not one that the policy has for its path";
        assert_eq!(said(model.open(pinned("MLmodel"))), words);
        let file = |policy| open_skops(Source::Owned(skops_file()), Some("model.skops"), policy);
        assert!(file(pinned("model.skops")).is_ok());
        let other = GRANT.to_owned() + &crate::policy::digest_lines("model.skops", &"0".repeat(64));
        assert!(said(file(policy(&other))).contains("unverified file"));
    }

    #[test]
    fn what_was_hashed_is_what_is_loaded() {
        let model = Model::new("model.skops", "skops", &skops_file());
        let pin = format!(
            "{GRANT}[[digests]]\nsha256 = \"{}\"\n",
            model.digest("code/mine.py")
        );
        let mut opened = model.open(policy(&pin)).unwrap();
        let CodeRule::Used(code) = opened.code.clone() else {
            panic!("{:?}", opened.code);
        };
        let (code, sources) = (code.folder, code.sources);
        assert!(!code.starts_with(model.0.path()));
        assert_eq!(opened.digests().unwrap().len(), 3);
        let copy = opened.keep().unwrap();
        assert!(code.starts_with(&copy));
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            assert_eq!(
                fs::metadata(&copy).unwrap().permissions().mode() & 0o777,
                0o700
            );
        }
        // The original may change now.
        fs::write(model.0.path().join("code/mine.py"), "evil()").unwrap();
        assert_eq!(
            fs::read_to_string(code.join("mine.py")).unwrap(),
            "class Thing: ...\n"
        );
        // So may the copy: what was read is held.
        assert_eq!(
            sources,
            BTreeMap::from([("mine.py".to_owned(), b"class Thing: ...\n".to_vec())])
        );
        fs::remove_dir_all(copy).unwrap();
    }
}
