//! `nopickle push`: a copy of a run at an MLflow server.

use std::io::{self, Write};

use nopickle_tracking::Result;
use nopickle_tracking::push::{Pushed, push};
use nopickle_tracking::redact;

use super::runs::open;
use crate::args::Push;
use crate::exit;
use crate::output::{clean, complain_of_store, counted};
use crate::transfer::transfer_bar;

pub(crate) fn run(args: &Push) -> io::Result<u8> {
    match copy(args) {
        Ok(pushed) => write(args, &pushed),
        Err(error) => complain_of_store(&error),
    }
}

fn copy(args: &Push) -> Result<Pushed> {
    let from = open(&args.store)?;
    let to = nopickle_tracking::open(&args.to, true)?;
    push(from.as_ref(), &args.run_id, to.as_ref(), &|words| {
        transfer_bar(words)
    })
}

fn write(args: &Push, pushed: &Pushed) -> io::Result<u8> {
    let out = &mut io::stdout().lock();
    if args.json {
        serde_json::to_writer(&mut *out, pushed)?;
        out.write_all(b"\n")?;
        return Ok(exit::FINE);
    }
    writeln!(out, "{}", pushed.run_id)?;
    out.flush()?;
    writeln!(
        io::stderr(),
        "{} is at {}: {}, {}, {}",
        clean(&args.run_id),
        clean(&redact(&args.to)),
        counted(pushed.metrics, "value of metrics", "values of metrics"),
        counted(pushed.models.len(), "model", "models"),
        counted(pushed.files, "file", "files")
    )?;
    Ok(exit::FINE)
}
