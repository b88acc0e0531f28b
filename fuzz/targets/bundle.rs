//! Any bytes are a signature of a model, or one of the errors; a statement that is read is written, and reads as the same.

#![no_main]

use libfuzzer_sys::fuzz_target;
use nopickle_formats::Limits;
use nopickle_gate::signing::{Error, parse};

fuzz_target!(|data: &[u8]| {
    let limits = Limits {
        text_bytes: 1 << 20,
        entries: 10_000,
        ..Limits::default()
    };
    // The bytes as a whole, and as the payload of a bundle: nobody can sign what a fuzzer makes.
    let whole = parse(data, &limits);
    assert!(!matches!(whole, Err(Error::Refused(_))));
    let mut text = String::from(r#"{"mediaType":"application/vnd.dev.sigstore.bundle.v0.3+json","#);
    text.push_str(
        r#""verificationMaterial":{"publicKey":{}},"dsseEnvelope":{"signatures":[{"sig":""}],"#,
    );
    text.push_str(r#""payloadType":"application/vnd.in-toto+json","payload":""#);
    text.push_str(&base64(data));
    text.push_str("\"}}");
    let inside = parse(text.as_bytes(), &limits);
    assert!(!matches!(inside, Err(Error::Refused(_))));
});

fn base64(data: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::new();
    for piece in data.chunks(3) {
        let byte = |at: usize| u32::from(piece.get(at).copied().unwrap_or(0));
        let bits = byte(0) << 16 | byte(1) << 8 | byte(2);
        for at in 0..4 {
            let digit = DIGITS[(bits >> (18 - 6 * at) & 63) as usize];
            text.push(if at > piece.len() { '=' } else { digit as char });
        }
    }
    text
}
