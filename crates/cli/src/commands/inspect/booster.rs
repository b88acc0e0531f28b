//! A booster in its own format: what its file says, as text and as JSON.

use std::fs::File;
use std::io::{self, Write};

use nopickle_formats::{Booster, Error, Format, Limits};
use serde::Serialize;

use crate::args::Inspect;
use crate::exit;
use crate::model;
use crate::output::{self, ErrorJson, Paint, Style, clean, clean_name, count, counted};

/// Names of columns that are shown without `--all`.
const SHOWN: usize = 12;

/// A booster that was read, or refused.
pub(super) struct Seen {
    format: &'static Format,
    bytes: u64,
    answer: Result<Booster, Error>,
}

#[derive(Serialize)]
struct Document<'a> {
    schema: u32,
    file: String,
    format: &'static str,
    bytes: u64,
    answer: &'static str,
    error: Option<ErrorJson>,
    /// A booster's bytes name no code, and hold no objects.
    names: [(); 0],
    rows: [(); 0],
    booster: Option<BoosterJson<'a>>,
}

#[derive(Serialize)]
struct BoosterJson<'a> {
    class: &'static str,
    version: &'a str,
    objective: Option<&'a str>,
    scores: u64,
    features: u64,
    trees: u64,
    feature_names: &'a [String],
}

/// Reads the file of a booster. One that is refused is shown, any other error is one.
pub(super) fn see(
    args: &Inspect,
    file: &File,
    format: &'static Format,
    read: fn(&[u8], &str, &Limits) -> Result<Booster, Error>,
) -> Result<Seen, Error> {
    let answer = match model::booster(file, &args.file, read, &args.limits.limits()) {
        Err(error) if exit::tell(&error).code != exit::REFUSED => return Err(error),
        answer => answer,
    };
    let bytes = file.metadata()?.len();
    Ok(Seen {
        format,
        bytes,
        answer,
    })
}

/// Shows it, and returns the exit status.
pub(super) fn show(args: &Inspect, seen: &Seen) -> io::Result<u8> {
    let error = seen.answer.as_ref().err();
    let code = error.map_or(exit::FINE, |error| exit::tell(error).code);
    let out = &mut io::BufWriter::new(io::stdout().lock());
    if args.json {
        json(out, args, seen, code)?;
    } else {
        text(out, args, seen, code)?;
    }
    out.flush()?;
    if let Some(error) = error {
        output::hint(exit::tell(error).hint, &args.file)?;
    }
    Ok(code)
}

fn json(out: &mut impl Write, args: &Inspect, seen: &Seen, code: u8) -> io::Result<()> {
    let document = Document {
        schema: 1,
        file: args.file.to_string_lossy().into_owned(),
        format: seen.format.name,
        bytes: seen.bytes,
        answer: exit::words(code),
        error: seen.answer.as_ref().err().map(ErrorJson::new),
        names: [],
        rows: [],
        booster: seen.answer.as_ref().ok().map(|booster| BoosterJson {
            class: booster.class,
            version: &booster.version,
            objective: booster.objective.as_deref(),
            scores: booster.scores,
            features: booster.features,
            trees: booster.trees,
            feature_names: &booster.feature_names,
        }),
    };
    serde_json::to_writer(&mut *out, &document)?;
    out.write_all(b"\n")
}

fn text(out: &mut impl Write, args: &Inspect, seen: &Seen, code: u8) -> io::Result<()> {
    let style = Style::of_stdout(&args.colour);
    let plain = |text: String| vec![(Paint::Plain, text)];
    let mut field =
        |name: &str, pieces: Vec<(Paint, String)>| output::field(out, style, name, pieces);
    field("file", vec![(Paint::Strong, output::path(&args.file))])?;
    let version = match &seen.answer {
        Ok(booster) => format!(" {}", clean(&booster.version)),
        Err(_) => String::new(),
    };
    field("format", plain(format!("{}{version}", seen.format.name)))?;
    field("size", plain(output::bytes(seen.bytes)))?;
    if let Ok(booster) = &seen.answer {
        let number = |number: u64, one: &str, many: &str| {
            counted(usize::try_from(number).unwrap_or(usize::MAX), one, many)
        };
        let holds = format!(
            "{} for {}, {} for each row",
            number(booster.trees, "tree", "trees"),
            number(booster.features, "feature", "features"),
            number(booster.scores, "score", "scores"),
        );
        field("holds", plain(holds))?;
        let objective = booster.objective.as_deref();
        let objective = objective.map_or("a function of the user's own".into(), clean);
        field("trained", plain(format!("for {objective}")))?;
        let names = &booster.feature_names;
        let shown = if args.all || names.len() <= SHOWN + 1 {
            names.len()
        } else {
            SHOWN
        };
        let mut columns: Vec<String> = names
            .iter()
            .take(shown)
            .map(|name| clean(name).into_owned())
            .collect();
        if shown < names.len() {
            let more = count((names.len() - shown) as u64);
            columns.push(format!("... {more} more, --all shows them"));
        }
        if !columns.is_empty() {
            field("columns", plain(columns.join(" ")))?;
        }
    }
    field("names", plain("none: nothing in it is imported".to_owned()))?;
    let why = match &seen.answer {
        Ok(booster) => format!(": the values of {} were checked", booster.class),
        Err(error) => format!(": {}", clean_name(&error.to_string())),
    };
    let word = (Paint::answer(code), exit::words(code).to_owned());
    field("answer", vec![word, (Paint::Plain, why)])
}
