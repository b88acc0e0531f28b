//! One file for each command.

pub(crate) mod audit;
pub(crate) mod inspect;
pub(crate) mod support;
