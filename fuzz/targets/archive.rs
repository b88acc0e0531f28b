//! Any bytes are an archive, or one of the errors.

#![no_main]

use libfuzzer_sys::fuzz_target;
use nopickle_formats::Limits;
use nopickle_formats::archive::{Source, open};

fuzz_target!(|data: &[u8]| {
    let _ = open(Source::Bytes(data), &mut Limits::default());
});
