//! Any bytes are an npy file, or one of the errors.

#![no_main]

use libfuzzer_sys::fuzz_target;
use nopickle_formats::npy::read_header;

fuzz_target!(|data: &[u8]| {
    let _ = read_header(data, "fuzz.npy");
});
