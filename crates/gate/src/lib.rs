//! The one way in: what whoever loads has decided, and a model that is opened by it.
//!
//! `nopickle-formats` reads bytes and decides on names; it has no clock, no environment and no keys. Here stand the things
//! that need them: the switch, policy files with their dates and digests, signatures.

#![forbid(unsafe_code)]

mod error;
mod open;
pub mod policy;
pub mod signing;
mod threads;

pub use error::{Error, Unclean};
pub use open::{
    Asked, CodeRule, Content, Explained, Looked, LookedFile, ModelCode, Opened, Refusal, What,
    asked, check_skops, entries_for, explain, look, open_folder, open_skops, public_keys,
};
pub use policy::Policy;
pub use threads::Threads;
