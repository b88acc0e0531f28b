//! The decision on names: whoever loads decides, never the model.

mod policy;

pub use policy::{Policy, TrustedGraph, default_names, refused_packages};
