//! The bundle of Sigstore: which key, and the envelope with what it signed.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE};
use nopickle_formats::{Error, Limits, Location};
use serde_json::json;

use super::json::{self, Value};

const MEDIA_TYPE: &str = "application/vnd.dev.sigstore.bundle.v0.3+json";
const PAYLOAD_TYPE: &str = "application/vnd.in-toto+json";

/// What a bundle holds; nothing of it is verified yet.
pub(super) struct Bundle {
    /// The id of the key, where the bundle says it.
    pub(super) hint: Option<String>,
    /// The statement.
    pub(super) payload: Vec<u8>,
    /// ECDSA in DER.
    pub(super) signature: Vec<u8>,
}

/// What is signed: the "pre-authentication encoding" of DSSE, with the type of the payload.
pub(super) fn pae(payload: &[u8]) -> Vec<u8> {
    let mut bytes = format!(
        "DSSEv1 {} {PAYLOAD_TYPE} {} ",
        PAYLOAD_TYPE.len(),
        payload.len()
    )
    .into_bytes();
    bytes.extend_from_slice(payload);
    bytes
}

/// The text of a bundle, as the reference tool writes it.
pub(super) fn write(hint: &str, payload: &[u8], signature: &[u8]) -> String {
    let text = |value: &str| json!(value).to_string();
    format!(
        concat!(
            r#"{{"mediaType":{},"verificationMaterial":{{"publicKey":{{"hint":{}}},"tlogEntries":[]}},"#,
            r#""dsseEnvelope":{{"payload":{},"payloadType":{},"signatures":[{{"sig":{},"keyid":""}}]}}}}"#
        ),
        text(MEDIA_TYPE),
        text(hint),
        text(&STANDARD.encode(payload)),
        text(PAYLOAD_TYPE),
        text(&STANDARD.encode(signature)),
    )
}

/// An object whose keys must be known.
struct Part<'v> {
    map: &'v BTreeMap<String, Value>,
    at: &'v str,
}

impl<'v> Part<'v> {
    fn new(
        value: Option<&'v Value>,
        at: &'v str,
        keys: &[&str],
        missing: &'static str,
    ) -> Result<Self, Error> {
        let map = value
            .and_then(Value::map)
            .ok_or_else(|| malformed(at, missing))?;
        if let Some(key) = map.keys().find(|key| !keys.contains(&key.as_str())) {
            return Err(unsupported(at, "key of a bundle", key));
        }
        Ok(Self { map, at })
    }

    fn text(&self, key: &str, missing: &'static str) -> Result<&'v str, Error> {
        let text = self.map.get(key).and_then(Value::text);
        text.ok_or_else(|| malformed(self.at, missing))
    }

    /// Bytes in base64, in either of its two alphabets.
    fn bytes(&self, key: &str, missing: &'static str) -> Result<Vec<u8>, Error> {
        let text = self.text(key, missing)?;
        let found = STANDARD.decode(text).or_else(|_| URL_SAFE.decode(text));
        found.map_err(|_| malformed(self.at, "a text is not base64"))
    }

    /// A key that may be missing or null.
    fn there(&self, key: &str) -> Option<&'v Value> {
        self.map.get(key).filter(|value| **value != Value::Null)
    }
}

/// Reads a bundle; verifies nothing.
pub(super) fn read(text: &[u8], at: &str, limits: &Limits) -> Result<Bundle, Error> {
    let value = json::read(text, at, limits)?;
    let keys = [
        "dsseEnvelope",
        "mediaType",
        "messageSignature",
        "verificationMaterial",
    ];
    let bundle = Part::new(Some(&value), at, &keys, "a bundle is not an object")?;
    let media_type = bundle.text("mediaType", "a bundle does not say its media type")?;
    if media_type != MEDIA_TYPE {
        return Err(unsupported(at, "media type of a bundle", media_type));
    }
    let hint = material(bundle.there("verificationMaterial"), at)?;
    if bundle.there("messageSignature").is_some() {
        return Err(unsupported(at, "content of a bundle", "messageSignature"));
    }
    let keys = ["payload", "payloadType", "signatures"];
    let what = "a bundle has no envelope";
    let envelope = Part::new(bundle.there("dsseEnvelope"), at, &keys, what)?;
    let payload_type = envelope.text("payloadType", "an envelope does not say its payload type")?;
    if payload_type != PAYLOAD_TYPE {
        return Err(unsupported(at, "payload type of an envelope", payload_type));
    }
    let payload = envelope.bytes("payload", "an envelope has no payload")?;
    let signatures = envelope.there("signatures").and_then(Value::list);
    let [signature] = signatures.unwrap_or_default() else {
        return Err(malformed(at, "an envelope has not exactly one signature"));
    };
    let what = "a signature is not an object";
    let signature = Part::new(Some(signature), at, &["keyid", "sig"], what)?;
    // DSSE: the id of the key here is a hint that nothing may be decided by.
    if signature
        .there("keyid")
        .is_some_and(|id| id.text().is_none())
    {
        return Err(malformed(at, "a key is not named by a text"));
    }
    Ok(Bundle {
        hint,
        payload,
        signature: signature.bytes("sig", "a signature has no bytes")?,
    })
}

/// The id of the key.
fn material(value: Option<&Value>, at: &str) -> Result<Option<String>, Error> {
    let keys = [
        "certificate",
        "publicKey",
        "timestampVerificationData",
        "tlogEntries",
        "x509CertificateChain",
    ];
    let what = "a bundle has no verification material";
    let material = Part::new(value, at, &keys, what)?;
    for other in ["certificate", "x509CertificateChain"] {
        if material.there(other).is_some() {
            return Err(unsupported(at, "verification material", other));
        }
    }
    // What the reference tool wrote before 1.0 is beside the hint, and says nothing that the keys do not.
    let keys = ["hint", "keyDetails", "rawBytes"];
    let what = "the verification material names no public key";
    let key = Part::new(material.there("publicKey"), at, &keys, what)?;
    match key.there("hint") {
        None => Ok(None),
        Some(Value::Text(hint)) if hint.is_empty() => Ok(None),
        Some(Value::Text(hint)) => Ok(Some(hint.clone())),
        Some(_) => Err(malformed(at, "a key is not named by a text")),
    }
}

pub(super) fn malformed(at: &str, what: &'static str) -> Error {
    Error::Malformed {
        format: "model_sig",
        at: Location::entry(at),
        what,
    }
}

pub(super) fn unsupported(at: &str, what: &'static str, name: &str) -> Error {
    Error::Unsupported {
        at: Location::entry(at),
        what,
        name: name.escape_debug().to_string(),
    }
}
