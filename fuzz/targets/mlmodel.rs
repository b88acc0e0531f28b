//! Any bytes are an `MLmodel`, or one of the errors; what is read is written, and reads back as the same.

#![no_main]

use libfuzzer_sys::fuzz_target;
use nopickle_formats::Limits;
use nopickle_formats::mlflow::{MlModel, requirements};

fuzz_target!(|data: &[u8]| {
    let mut limits = Limits {
        text_bytes: 1 << 20,
        nodes: 100_000,
        ..Limits::default()
    };
    if let Ok(text) = std::str::from_utf8(data) {
        if let Ok(found) = requirements(text, "requirements.txt") {
            let written: Vec<String> = found.iter().map(ToString::to_string).collect();
            let again = requirements(&written.join("\n"), "requirements.txt").unwrap();
            assert_eq!(again, found);
        }
    }
    if let Ok(model) = MlModel::read(data, &mut limits) {
        let text = model.write();
        let again = MlModel::read(text.as_bytes(), &mut Limits::default()).unwrap();
        assert_eq!(again.write(), text);
        for (flavor, _) in model.flavors() {
            assert!(again.flavor(flavor).is_some());
        }
    }
});
