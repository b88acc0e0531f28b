//! Any bytes are a model of CatBoost, or one of the errors; a model that is read has the bytes that it was read from.

#![no_main]

use libfuzzer_sys::fuzz_target;
use nopickle_formats::{Limits, catboost};

fuzz_target!(|data: &[u8]| {
    if let Ok(model) = catboost::read(data, "model.cb", &Limits::default()) {
        assert_eq!(model.bytes(), data);
    }
});
