//! Keys in PEM: ECDSA on P-256, P-384 and P-521, each with the hash function of its size.

use std::fmt;
use std::fs::File;
use std::io::Read as _;
use std::path::Path;

use nopickle_formats::Error as ReadError;
use p256::ecdsa::signature::{Signer as _, Verifier as _};
use pkcs8::{DecodePrivateKey as _, DecodePublicKey as _, EncodePublicKey as _, LineEnding};
use sha2::{Digest as _, Sha256};
use zeroize::Zeroizing;

use super::Error;
use super::bundle::malformed;
use super::digest::digits;

/// The environment variable that holds the password of a private key.
pub const PASSWORD: &str = "NOPICKLE_KEY_PASSWORD";

/// The password of a private key, where the environment holds one.
pub fn password() -> Option<Zeroizing<String>> {
    std::env::var(PASSWORD).ok().map(Zeroizing::new)
}

/// Bytes of a key's file.
const LARGEST: u64 = 64 << 10;

const CURVE: &str = "it is not a key on P-256, P-384 or P-521";

enum Verifying {
    P256(p256::ecdsa::VerifyingKey),
    P384(p384::ecdsa::VerifyingKey),
    P521(p521::ecdsa::VerifyingKey),
}

/// A key that signatures are verified with.
pub struct PublicKey {
    key: Verifying,
    pem: String,
    id: String,
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PublicKey({})", self.id)
    }
}

impl PublicKey {
    /// The key of a file: a `PUBLIC KEY` in PEM.
    pub fn open(path: &Path) -> Result<Self, Error> {
        Self::from_pem(&text(path)?, &path.to_string_lossy())
    }

    /// The key of a text: a `PUBLIC KEY` in PEM. `at` names it in an error.
    pub fn from_pem(text: &str, at: &str) -> Result<Self, Error> {
        let block = match block(text, "PUBLIC KEY", at) {
            Ok(block) => block,
            Err(_) if text.contains("PRIVATE KEY-----") => {
                let what =
                    "it is a private key, which only its owner needs: verify with the public one";
                return Err(unused(at, what));
            }
            Err(_) if text.contains("BEGIN CERTIFICATE-----") => {
                return Err(unused(at, "it is a certificate: give its public key"));
            }
            Err(error) => return Err(error),
        };
        let key = p256::ecdsa::VerifyingKey::from_public_key_pem(&block)
            .map(Verifying::P256)
            .or_else(|_| {
                p384::ecdsa::VerifyingKey::from_public_key_pem(&block).map(Verifying::P384)
            })
            .or_else(|_| {
                p521::ecdsa::VerifyingKey::from_public_key_pem(&block).map(Verifying::P521)
            });
        Self::new(key.map_err(|_| unused(at, CURVE))?, at)
    }

    fn new(key: Verifying, at: &str) -> Result<Self, Error> {
        let pem = match &key {
            Verifying::P256(key) => key.to_public_key_pem(LineEnding::LF),
            Verifying::P384(key) => key.to_public_key_pem(LineEnding::LF),
            Verifying::P521(key) => key.to_public_key_pem(LineEnding::LF),
        };
        let pem = pem.map_err(|_| unused(at, CURVE))?;
        Ok(Self {
            key,
            id: digits(&Sha256::digest(pem.as_bytes())),
            pem,
        })
    }

    /// What a signature names the key by: the SHA-256 of its PEM, as the reference tool writes it.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Its text in PEM, which [`PublicKey::from_pem`] reads.
    pub fn pem(&self) -> &str {
        &self.pem
    }

    /// The name of its curve.
    pub fn curve(&self) -> &'static str {
        match &self.key {
            Verifying::P256(_) => "P-256",
            Verifying::P384(_) => "P-384",
            Verifying::P521(_) => "P-521",
        }
    }

    /// Whether a signature in DER is that of a message by this key.
    pub(super) fn verify(
        &self,
        message: &[u8],
        signature: &[u8],
        at: &str,
    ) -> Result<bool, ReadError> {
        let what = "a signature is not two numbers of its curve in DER";
        let wrong = |_| malformed(at, what);
        Ok(match &self.key {
            Verifying::P256(key) => {
                let signature = p256::ecdsa::Signature::from_der(signature).map_err(wrong)?;
                key.verify(message, &signature).is_ok()
            }
            Verifying::P384(key) => {
                let signature = p384::ecdsa::Signature::from_der(signature).map_err(wrong)?;
                key.verify(message, &signature).is_ok()
            }
            Verifying::P521(key) => {
                let signature = p521::ecdsa::Signature::from_der(signature).map_err(wrong)?;
                key.verify(message, &signature).is_ok()
            }
        })
    }
}

enum Signing {
    P256(p256::ecdsa::SigningKey),
    P384(p384::ecdsa::SigningKey),
    P521(p521::ecdsa::SigningKey),
}

/// A key that models are signed with. Its memory is wiped when it is dropped, and no text shows it.
pub struct PrivateKey {
    key: Signing,
    public: PublicKey,
}

impl fmt::Debug for PrivateKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PrivateKey({})", self.public.id)
    }
}

impl PrivateKey {
    /// The key of a file: a `PRIVATE KEY`, an `ENCRYPTED PRIVATE KEY` or an `EC PRIVATE KEY` in PEM.
    pub fn open(path: &Path, password: Option<&str>) -> Result<Self, Error> {
        Self::from_pem(&text(path)?, password, &path.to_string_lossy())
    }

    /// The key of a text. `at` names it in an error.
    pub fn from_pem(text: &str, password: Option<&str>, at: &str) -> Result<Self, Error> {
        let found = if text.contains("BEGIN ENCRYPTED PRIVATE KEY-----") {
            let block = block(text, "ENCRYPTED PRIVATE KEY", at)?;
            let Some(password) = password else {
                let what = "it is encrypted: its password is taken from NOPICKLE_KEY_PASSWORD";
                return Err(unused(at, what));
            };
            let what = "its password is another one, or it is damaged";
            let document = pkcs8::SecretDocument::from_pem(&block)
                .map_err(|_| unused(at, what))
                .map(|(_, document)| document)?;
            let document = pkcs8::EncryptedPrivateKeyInfoRef::try_from(document.as_bytes())
                .map_err(|_| unused(at, what))?
                .decrypt(password)
                .map_err(|_| unused(at, what))?;
            let bytes = document.as_bytes();
            p256::ecdsa::SigningKey::from_pkcs8_der(bytes)
                .map(Signing::P256)
                .or_else(|_| p384::ecdsa::SigningKey::from_pkcs8_der(bytes).map(Signing::P384))
                .or_else(|_| p521::ecdsa::SigningKey::from_pkcs8_der(bytes).map(Signing::P521))
                .ok()
        } else if text.contains("BEGIN EC PRIVATE KEY-----") {
            if text.contains("Proc-Type:") {
                let what =
                    "it is encrypted in OpenSSL's old way: convert it with `openssl pkcs8 -topk8`";
                return Err(unused(at, what));
            }
            let block = block(text, "EC PRIVATE KEY", at)?;
            let p256 = || p256::SecretKey::from_sec1_pem(&block);
            let p384 = || p384::SecretKey::from_sec1_pem(&block);
            let p521 = || p521::SecretKey::from_sec1_pem(&block);
            p256()
                .map(|key| Signing::P256(key.into()))
                .or_else(|_| p384().map(|key| Signing::P384(key.into())))
                .or_else(|_| p521().map(|key| Signing::P521(key.into())))
                .ok()
        } else {
            let block = block(text, "PRIVATE KEY", at)?;
            p256::ecdsa::SigningKey::from_pkcs8_pem(&block)
                .map(Signing::P256)
                .or_else(|_| p384::ecdsa::SigningKey::from_pkcs8_pem(&block).map(Signing::P384))
                .or_else(|_| p521::ecdsa::SigningKey::from_pkcs8_pem(&block).map(Signing::P521))
                .ok()
        };
        Self::new(found.ok_or_else(|| unused(at, CURVE))?, at)
    }

    fn new(key: Signing, at: &str) -> Result<Self, Error> {
        let public = match &key {
            Signing::P256(key) => Verifying::P256(*key.verifying_key()),
            Signing::P384(key) => Verifying::P384(*key.verifying_key()),
            Signing::P521(key) => Verifying::P521(*key.verifying_key()),
        };
        let public = PublicKey::new(public, at)?;
        Ok(Self { key, public })
    }

    /// A key that is a number, for tests.
    #[cfg(test)]
    pub(crate) fn of_number(curve: &str, number: u8) -> Self {
        let key = match curve {
            "P-256" => Signing::P256(p256::ecdsa::SigningKey::from_slice(&[number; 32]).unwrap()),
            "P-384" => Signing::P384(p384::ecdsa::SigningKey::from_slice(&[number; 48]).unwrap()),
            _ => {
                let mut bytes = [number; 66];
                bytes[0] = 0;
                Signing::P521(p521::ecdsa::SigningKey::from_slice(&bytes).unwrap())
            }
        };
        Self::new(key, "a test").unwrap()
    }

    /// The key that verifies what this one signs.
    pub fn public(&self) -> &PublicKey {
        &self.public
    }

    /// The signature of a message, in DER; the same for the same message.
    pub(super) fn sign(&self, message: &[u8]) -> Vec<u8> {
        match &self.key {
            Signing::P256(key) => {
                let signature: p256::ecdsa::Signature = key.sign(message);
                signature.to_der().as_bytes().to_vec()
            }
            Signing::P384(key) => {
                let signature: p384::ecdsa::Signature = key.sign(message);
                signature.to_der().as_bytes().to_vec()
            }
            Signing::P521(key) => {
                let signature: p521::ecdsa::Signature = key.sign(message);
                signature.to_der().as_bytes().to_vec()
            }
        }
    }
}

fn unused(at: &str, what: &'static str) -> Error {
    Error::Key {
        at: at.escape_debug().to_string(),
        what,
    }
}

/// The text of a key's file.
fn text(path: &Path) -> Result<Zeroizing<String>, Error> {
    let at = path.to_string_lossy();
    if !std::fs::metadata(path)?.is_file() {
        return Err(unused(&at, "it is not a regular file"));
    }
    let mut bytes = Zeroizing::new(Vec::new());
    File::open(path)?
        .take(LARGEST.saturating_add(1))
        .read_to_end(&mut bytes)?;
    if u64::try_from(bytes.len()).is_ok_and(|found| found > LARGEST) {
        return Err(unused(&at, "it is larger than a key"));
    }
    match std::str::from_utf8(&bytes) {
        Ok(text) => Ok(Zeroizing::new(text.to_owned())),
        Err(_) => Err(unused(&at, "it is not a text of PEM")),
    }
}

/// The one block of a text with this label.
fn block(text: &str, label: &str, at: &str) -> Result<Zeroizing<String>, Error> {
    let begin = format!("-----BEGIN {label}-----");
    let end = format!("-----END {label}-----");
    let Some((_, rest)) = text.split_once(&begin) else {
        return Err(unused(at, "it holds no such key in PEM"));
    };
    let Some((body, rest)) = rest.split_once(&end) else {
        return Err(unused(at, "its PEM is cut short"));
    };
    if rest.contains(&begin) {
        return Err(unused(at, "it holds more than one key"));
    }
    Ok(Zeroizing::new(format!("{begin}{body}{end}\n")))
}
