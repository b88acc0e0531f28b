//! `nopickle.signing`: signed models.

use std::collections::BTreeMap;
use std::path::PathBuf;

use nopickle_gate::signing::{self, Error, Options, PrivateKey, PublicKey};
use pyo3::prelude::*;

use crate::errors::raise_signing;

/// Bytes between two looks at whether the user wants to stop.
const LOOK: u64 = 64 << 20;

/// Digests as Python has them: a path and 64 digits.
fn digits(digests: &BTreeMap<String, [u8; 32]>) -> BTreeMap<String, String> {
    digests
        .iter()
        .map(|(name, digest)| (name.clone(), signing::digits(digest)))
        .collect()
}

/// Ends the work where Python was interrupted.
fn look(next: &mut u64, done: u64) -> std::io::Result<()> {
    if done < *next {
        return Ok(());
    }
    *next = done.saturating_add(LOOK);
    let stop = Python::attach(|py| py.check_signals().err());
    stop.map_or(Ok(()), |error| Err(std::io::Error::other(error)))
}

/// Signs a folder or a file; returns where the signature is, the id of the key, and the digest of each file.
#[pyfunction]
pub(crate) fn signing_sign(
    py: Python<'_>,
    model: PathBuf,
    key: PathBuf,
    signature: Option<PathBuf>,
    password: Option<String>,
) -> PyResult<(PathBuf, String, BTreeMap<String, String>)> {
    let done = py.detach(|| {
        let known = password.is_none().then(signing::password).flatten();
        let password = password
            .as_deref()
            .or(known.as_ref().map(|text| text.as_str()));
        let key = PrivateKey::open(&key, password)?;
        let mut next = 0;
        let mut progress = |done, _| look(&mut next, done);
        let mut options = Options {
            signature,
            progress: Some(&mut progress),
            ..Options::default()
        };
        signing::sign(&model, &key, &mut options)
    });
    let done = done.map_err(|error| raise_signing(py, error))?;
    let digests = digits(&done.digests);
    Ok((done.signature, done.key, digests))
}

/// Verifies a folder or a file; returns the id of the key, the name that was signed, and the digest of each file.
#[pyfunction]
pub(crate) fn signing_verify(
    py: Python<'_>,
    model: PathBuf,
    keys: Vec<PathBuf>,
    signature: Option<PathBuf>,
) -> PyResult<(String, String, BTreeMap<String, String>)> {
    let done = py.detach(|| {
        let keys: Result<Vec<PublicKey>, Error> =
            keys.iter().map(|path| PublicKey::open(path)).collect();
        let mut next = 0;
        let mut progress = |done, _| look(&mut next, done);
        let mut options = Options {
            signature,
            progress: Some(&mut progress),
            ..Options::default()
        };
        signing::verify(&model, &keys?, &mut options)
    });
    let done = done.map_err(|error| raise_signing(py, error))?;
    let digests = digits(&done.digests);
    Ok((done.key, done.name, digests))
}
