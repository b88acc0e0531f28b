//! `nopickle sign`: a signature of a model.

use std::io::{self, Write};

use nopickle_gate::signing::{self, Error, Options, PrivateKey, Signed};
use serde_json::json;

use super::verify::{bar, complain};
use crate::args::Sign;
use crate::exit;
use crate::output::{self, counted};

pub(crate) fn run(args: &Sign) -> io::Result<u8> {
    match sign(args) {
        Ok(signed) => write(args, &signed),
        Err(error) => complain(&args.model, &error, args.json),
    }
}

fn sign(args: &Sign) -> Result<Signed, Error> {
    let password = signing::password();
    let key = PrivateKey::open(
        &args.key,
        password.as_ref().map(|password| password.as_str()),
    )?;
    let bar = bar();
    let mut options = Options {
        signature: args.signature.clone(),
        progress: Some(&mut |done, total| {
            bar(done, total);
            Ok(())
        }),
        ..Options::default()
    };
    signing::sign(&args.model, &key, &mut options)
}

fn write(args: &Sign, signed: &Signed) -> io::Result<u8> {
    let out = &mut io::stdout().lock();
    if args.json {
        let files: Vec<_> = signed.digests.keys().collect();
        let document = json!({
            "schema": 1,
            "model": args.model.to_string_lossy(),
            "answer": "signed",
            "key": signed.key,
            "signature": signed.signature.to_string_lossy(),
            "files": files,
        });
        serde_json::to_writer(&mut *out, &document)?;
        out.write_all(b"\n")?;
        return Ok(exit::FINE);
    }
    writeln!(out, "{}", output::path(&signed.signature))?;
    out.flush()?;
    writeln!(
        io::stderr(),
        "{}: {} signed by key {}",
        output::path(&args.model),
        counted(signed.digests.len(), "file", "files"),
        signed.key
    )?;
    Ok(exit::FINE)
}
