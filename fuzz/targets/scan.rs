//! Any bytes hold something, or are one of the errors; a file beside a model is read by its name or refused.

#![no_main]

use libfuzzer_sys::fuzz_target;
use nopickle_formats::Limits;
use nopickle_formats::archive::Source;
use nopickle_formats::mlflow::Beside;
use nopickle_formats::scan::{Content, scan};

fuzz_target!(|data: &[u8]| {
    let limits = Limits {
        inflated_bytes: 1 << 20,
        text_bytes: 1 << 20,
        nodes: 100_000,
        ..Limits::default()
    };
    if let Ok(found) = scan(Source::Bytes(data), &mut limits.clone()) {
        let is_pickle = matches!(found.content, Content::Pickle);
        assert_eq!(is_pickle, !found.pickles.is_empty());
    }
    for path in [
        "conda.yaml",
        "environment_variables.txt",
        "input_example.json",
        "registered_model_meta",
        "requirements.txt",
    ] {
        if let Some(file) = Beside::of(path, &[]) {
            let _ = file.check(data, path, &mut limits.clone());
        }
    }
});
