//! `nopickle verify`: whether a model is what a key signed.

use std::io::{self, IsTerminal as _, Write};
use std::path::Path;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use nopickle_formats::Location;
use nopickle_gate::signing::{self, Error, Options, PublicKey, Verified};
use nopickle_gate::{Error as GateError, Policy};
use serde_json::{Value, json};

use crate::args::Verify;
use crate::exit;
use crate::output::{self, clean, clean_name, counted};

pub(crate) fn run(args: &Verify) -> io::Result<u8> {
    let (keys, places) = if let Some(file) = &args.policy {
        match keys_of(file) {
            Ok(found) => found,
            Err(error) => return unusable(args, &error),
        }
    } else {
        let keys: Result<Vec<PublicKey>, Error> =
            args.keys.iter().map(|path| PublicKey::open(path)).collect();
        match keys {
            Ok(keys) => (keys, Vec::new()),
            Err(error) => return complain(&args.model, &error, args.json),
        }
    };
    match verify(args, &keys) {
        Ok(verified) => {
            let by = keys.iter().position(|key| key.id() == verified.key);
            let place = by.and_then(|by| places.get(by));
            write(args, &verified, place.map(String::as_str))
        }
        Err(error) => complain(&args.model, &error, args.json),
    }
}

/// The keys of a policy that hold today, and the place of each; an error where there is none.
fn keys_of(file: &Path) -> Result<(Vec<PublicKey>, Vec<String>), GateError> {
    let policy = Policy::of_process(Some(file))?;
    let (keys, places) = nopickle_gate::public_keys(&policy)?;
    if keys.is_empty() {
        return Err(GateError::Policy {
            at: Location::entry(&file.to_string_lossy()),
            what: match policy.all_keys().len() {
                0 => "it has no key".to_owned(),
                _ => "it has no key that holds today".to_owned(),
            },
        });
    }
    Ok((keys, places))
}

/// Says that the policy can't be used.
fn unusable(args: &Verify, error: &GateError) -> io::Result<u8> {
    let told = exit::tell_gate(error);
    if args.json {
        let document = json!({
            "schema": 1,
            "model": args.model.to_string_lossy(),
            "answer": exit::words(told.code),
            "error": {"kind": told.kind, "message": error.to_string()},
            "reasons": [],
        });
        let out = &mut io::stdout().lock();
        serde_json::to_writer(&mut *out, &document)?;
        out.write_all(b"\n")?;
    } else {
        output::complain_of_gate(error)?;
    }
    Ok(told.code)
}

fn verify(args: &Verify, keys: &[PublicKey]) -> Result<Verified, Error> {
    let bar = bar();
    let mut options = Options {
        signature: args.signature.clone(),
        progress: Some(&mut |done, total| {
            bar(done, total);
            Ok(())
        }),
        ..Options::default()
    };
    signing::verify(&args.model, keys, &mut options)
}

fn write(args: &Verify, verified: &Verified, place: Option<&str>) -> io::Result<u8> {
    let out = &mut io::stdout().lock();
    if args.json {
        let files: Vec<_> = verified.digests.keys().collect();
        let document = json!({
            "schema": 1,
            "model": args.model.to_string_lossy(),
            "answer": "verified",
            "key": verified.key,
            "policy": place,
            "name": verified.name,
            "files": files,
        });
        serde_json::to_writer(&mut *out, &document)?;
        out.write_all(b"\n")?;
        return Ok(exit::FINE);
    }
    writeln!(
        out,
        "{}: verified: {} signed by key {}{}",
        output::path(&args.model),
        counted(verified.digests.len(), "file", "files"),
        verified.key,
        place.map_or_else(String::new, |place| format!(", that of {}", clean(place))),
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
