//! Any bytes are a booster's text, which is written back as it was, or one of the errors.

#![no_main]

use libfuzzer_sys::fuzz_target;
use nopickle_formats::{Limits, lightgbm};

fuzz_target!(|data: &[u8]| {
    if let Ok(booster) = lightgbm::read(data, "model.lgb", &Limits::default()) {
        assert_eq!(booster.write().as_bytes(), data);
    }
});
