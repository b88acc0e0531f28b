//! One file for each command.

pub(crate) mod audit;
pub(crate) mod folder;
pub(crate) mod inspect;
pub(crate) mod models;
pub(crate) mod policy;
pub(crate) mod push;
pub(crate) mod run;
pub(crate) mod runs;
pub(crate) mod sign;
pub(crate) mod support;
pub(crate) mod verify;
