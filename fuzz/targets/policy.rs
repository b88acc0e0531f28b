#![no_main]

use std::path::Path;

use libfuzzer_sys::fuzz_target;
use nopickle_gate::Policy;

fuzz_target!(|text: &str| {
    let _ = Policy::parse(text, Path::new("policy.toml")).map(|policy| policy.doubts());
});
