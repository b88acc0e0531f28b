//! The command `nopickle`.

#![forbid(unsafe_code)]

fn main() -> std::process::ExitCode {
    nopickle_cli::run(std::env::args_os()).into()
}
