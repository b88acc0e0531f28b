//! `model.sig`: `OpenSSF` Model Signing v1.0.
