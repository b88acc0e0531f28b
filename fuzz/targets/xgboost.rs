//! Any bytes are a model of XGBoost, a snapshot, or one of the errors.

#![no_main]

use libfuzzer_sys::fuzz_target;
use nopickle_formats::{Limits, xgboost};

fuzz_target!(|data: &[u8]| {
    let limits = Limits::default();
    for booster in [
        xgboost::read(data, "model", &limits),
        xgboost::read_snapshot(data, "handle", &limits),
    ] {
        if let Ok(booster) = booster {
            assert_eq!(booster.as_bytes(), data);
        }
    }
});
