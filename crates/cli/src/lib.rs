//! The command `nopickle`: `inspect`, `audit`, `policy`, `sign`, `verify` and `support` for files, `run` for programs,
//! `runs`, `models` and `push` for stores.
//!
//! Answers go to stdout, words about them to stderr. The wheel's command is this same code.

#![forbid(unsafe_code)]

mod args;
mod commands;
mod exit;
mod model;
mod output;
mod report;
mod transfer;

use std::ffi::OsString;
use std::io::{self, Write};

use clap::Parser as _;

pub use transfer::transfer_bar;

/// Runs the command line `args`, the name of the command first, and returns the exit status: 0 trusted
/// and verified (or nothing was asked that could be refused), 1 refused, 2 could not answer or wrong
/// arguments.
///
/// Writes to stdout and stderr; reads files, the terminal's size, and the variables `NO_COLOR`,
/// `TERM` and those of the policy. A reader that goes away (`nopickle ... | head`) is no error: 0.
pub fn run(args: impl IntoIterator<Item = OsString>) -> u8 {
    let mut args = match args::Args::try_parse_from(args) {
        Ok(args) => args,
        Err(error) => {
            let code = if error.use_stderr() {
                exit::UNANSWERED
            } else {
                exit::FINE
            };
            return error.print().map_or_else(|error| failed(&error), |()| code);
        }
    };
    if let Err(error) = args.command.decide() {
        return output::complain_of_gate(&error)
            .map_or_else(|error| failed(&error), |()| exit::gate_code(&error));
    }
    let answer = match &args.command {
        args::Command::Inspect(args) => commands::inspect::run(args),
        args::Command::Audit(args) => commands::audit::run(args),
        args::Command::Support(args) => commands::support::run(args),
        args::Command::Policy(args) => commands::policy::run(&args.command),
        args::Command::Run(args) => commands::run::run(args),
        args::Command::Runs(args) => commands::runs::run(args),
        args::Command::Models(args) => commands::models::run(args),
        args::Command::Push(args) => commands::push::run(args),
        args::Command::Sign(args) => commands::sign::run(args),
        args::Command::Verify(args) => commands::verify::run(args),
    };
    answer
        .and_then(|code| io::stdout().flush().map(|()| code))
        .unwrap_or_else(|error| failed(&error))
}

/// The exit status where the answer could not be written.
fn failed(error: &io::Error) -> u8 {
    if error.kind() == io::ErrorKind::BrokenPipe {
        return exit::FINE;
    }
    // Where stderr is gone too, the exit status is all that is left to say it with.
    let _ = writeln!(
        io::stderr(),
        "error: the answer could not be written: {error}"
    );
    exit::UNANSWERED
}
