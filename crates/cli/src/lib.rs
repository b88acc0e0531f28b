//! x
/// x
pub fn run(_args: impl IntoIterator<Item = std::ffi::OsString>) -> u8 { 0 }
