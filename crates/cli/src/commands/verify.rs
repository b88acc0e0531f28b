//! `nopickle verify`: whether a model is what a key signed.

use std::io::{self, IsTerminal as _, Write};
use std::path::Path;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use nopickle_gate::signing::{self, Error, Options, PublicKey, Verified};
use serde_json::{Value, json};

use crate::args::Verify;
use crate::exit;
use crate::output::{self, clean, clean_name, counted};

pub(crate) fn run(args: &Verify) -> io::Result<u8> {
    match verify(args) {
        Ok(verified) => write(args, &verified),
        Err(error) => complain(&args.model, &error, args.json),
    }
}

fn verify(args: &Verify) -> Result<Verified, Error> {
    let keys: Result<Vec<PublicKey>, Error> =
        args.keys.iter().map(|path| PublicKey::open(path)).collect();
    let bar = bar();
    let mut options = Options {
        signature: args.signature.clone(),
        progress: Some(&mut |done, total| {
            bar(done, total);
            Ok(())
        }),
        ..Options::default()
    };
    signing::verify(&args.model, &keys?, &mut options)
}

fn write(args: &Verify, verified: &Verified) -> io::Result<u8> {
    let out = &mut io::stdout().lock();
    if args.json {
        let files: Vec<_> = verified.digests.keys().collect();
        let document = json!({
            "schema": 1,
            "model": args.model.to_string_lossy(),
            "answer": "verified",
            "key": verified.key,
            "name": verified.name,
            "files": files,
        });
        serde_json::to_writer(&mut *out, &document)?;
        out.write_all(b"\n")?;
        return Ok(exit::FINE);
    }
    writeln!(
        out,
        "{}: verified: {} signed by key {}",
        output::path(&args.model),
        counted(verified.digests.len(), "file", "files"),
        verified.key
    )?;
    Ok(exit::FINE)
}

/// Says that a model was not signed or verified, and what to do; returns the exit status.
pub(super) fn complain(model: &Path, error: &Error, json: bool) -> io::Result<u8> {
    let (code, kind, hint) = exit::tell_signing(error);
    let answer = if code == exit::REFUSED {
        "refused"
    } else {
        exit::words(code)
    };
    if json {
        let reasons: Vec<Value> = match error {
            Error::Refused(refused) => refused
                .reasons
                .iter()
                .map(|reason| {
                    json!({
                        "file": reason.file,
                        "kind": reason.why.word(),
                        "message": reason.why.to_string(),
                    })
                })
                .collect(),
            Error::Read(_) | Error::Key { .. } => Vec::new(),
        };
        let document = json!({
            "schema": 1,
            "model": model.to_string_lossy(),
            "answer": answer,
            "error": {"kind": kind, "message": error.to_string()},
            "reasons": reasons,
        });
        let out = &mut io::stdout().lock();
        serde_json::to_writer(&mut *out, &document)?;
        out.write_all(b"\n")?;
        return Ok(code);
    }
    let stderr = &mut io::stderr();
    match error {
        Error::Refused(refused) => {
            writeln!(stderr, "error: {}: refused", output::path(model))?;
            for reason in &refused.reasons {
                let why = reason.why.to_string();
                writeln!(stderr, "  {}: {}", clean(&reason.file), clean(&why))?;
            }
        }
        Error::Read(_) | Error::Key { .. } => {
            let words = clean_name(&error.to_string()).into_owned();
            writeln!(stderr, "error: {}: {answer}: {words}", output::path(model))?;
        }
    }
    output::hint(hint, model)?;
    Ok(code)
}

/// A bar on stderr where that is a terminal and there is much to hash.
pub(super) fn bar() -> impl Fn(u64, u64) {
    const LONG: u64 = 256 << 20;
    let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::hidden());
    let terminal = io::stderr().is_terminal();
    move |done, total| {
        if !terminal || total < LONG {
            return;
        }
        if bar.length() != Some(total) {
            bar.set_length(total);
            if let Ok(style) = ProgressStyle::with_template("{bar:24} {bytes}/{total_bytes}") {
                bar.set_style(style);
            }
            bar.set_draw_target(ProgressDrawTarget::stderr());
        }
        bar.set_position(done);
        if done == total {
            bar.finish_and_clear();
        }
    }
}
