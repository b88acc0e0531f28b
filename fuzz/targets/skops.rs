//! Any bytes are a model, or one of the errors: the whole line, from the archive to the verified graph.
//!
//! A file as it is, or `schema.json` alone (libFuzzer makes no checksums), then a zero, then `1.npy`.

#![no_main]

use libfuzzer_sys::fuzz_target;
use nopickle_formats::archive::{Compression, Source, ZipWriter, open};
use nopickle_formats::{Error, Limits, Policy, skops};

fuzz_target!(|data: &[u8]| {
    if data.starts_with(b"PK") {
        let _ = verified(data);
        return;
    }
    let mut parts = data.splitn(2, |&byte| byte == 0);
    let mut bytes = Vec::new();
    let mut zip = ZipWriter::new(&mut bytes, Compression::Stored);
    for name in ["schema.json", "1.npy"] {
        zip.entry(name, parts.next().unwrap_or_default(), &[]).unwrap();
    }
    zip.finish().unwrap();
    let _ = verified(&bytes);
});

fn verified(bytes: &[u8]) -> Result<(), Error> {
    let mut limits = Limits { inflated_bytes: 1 << 24, array_bytes: 1 << 24, ..Limits::default() };
    let mut archive = open(Source::Bytes(bytes), &mut limits)?;
    let graph = skops::read(&mut archive, &mut limits)?;
    graph.trust(&Policy::default())?.verify(&mut archive, &mut limits)?;
    Ok(())
}
