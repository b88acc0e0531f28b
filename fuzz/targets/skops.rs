//! Any bytes are a model, or one of the errors: the whole line, from the archive to the verified graph.
//!
//! A file as it is, or (libFuzzer makes no checksums) `schema.json` with its arrays behind it, `1.npy` first.

#![no_main]

use libfuzzer_sys::fuzz_target;
use nopickle_formats::archive::{Compression, Source, ZipWriter, open};
use nopickle_formats::{Error, Limits, Policy, skops};

const NPY: &[u8] = b"\x93NUMPY";

fuzz_target!(|data: &[u8]| {
    if data.starts_with(b"PK") {
        let _ = verified(data);
        return;
    }
    let starts = (0..data.len()).filter(|&at| data[at..].starts_with(NPY));
    let ends: Vec<usize> = starts.chain([data.len()]).collect();
    let mut bytes = Vec::new();
    let mut zip = ZipWriter::new(&mut bytes, Compression::Stored);
    zip.entry("schema.json", &data[..ends[0]], &[]).unwrap();
    for (index, pair) in ends.windows(2).enumerate() {
        zip.entry(&format!("{}.npy", index + 1), &data[pair[0]..pair[1]], &[])
            .unwrap();
    }
    zip.finish().unwrap();
    let _ = verified(&bytes);
});

fn verified(bytes: &[u8]) -> Result<(), Error> {
    let mut limits = Limits {
        inflated_bytes: 1 << 24,
        array_bytes: 1 << 24,
        ..Limits::default()
    };
    let mut archive = open(Source::Bytes(bytes), &mut limits)?;
    let graph = skops::read(&mut archive, &mut limits)?;
    graph
        .trust(&Policy::default())?
        .verify(&mut archive, &mut limits)?;
    Ok(())
}
