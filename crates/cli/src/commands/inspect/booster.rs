//! A booster in its own format: what its file says, as text and as JSON.

use std::fs::File;
use std::io::{self, Write};

use nopickle_formats::{Booster, Error, Format, Limits};
use serde::Serialize;

use super::Pieces;
use crate::args::Inspect;
use crate::exit;
use crate::model;
use crate::output::{self, ErrorJson, Paint, Style, clean, clean_name, count, counted};
use crate::report::Answered;

/// Names of columns that are shown without `--all`.
const SHOWN: usize = 12;

/// A booster that was read, or refused.
pub(super) struct Seen {
    format: &'static Format,
    bytes: u64,
    /// What it says; none where it is refused.
    booster: Option<Booster>,
    pub(super) answered: Answered,
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
    let (booster, answer) = match model::booster(file, &args.file, read, &args.limits.limits()) {
        Err(error) if exit::tell(&error).code != exit::REFUSED => return Err(error),
        Err(error) => (None, Err(error)),
        Ok(booster) => (Some(booster), Ok(())),
    };
    let bytes = file.metadata()?.len();
    Ok(Seen {
        format,
        bytes,
        booster,
        answered: Answered::new(args.file.clone(), answer.map_err(Into::into)),
    })
}

/// Writes what it says as JSON.
pub(super) fn json(out: &mut impl Write, args: &Inspect, seen: &Seen) -> io::Result<()> {
    let document = Document {
        schema: 1,
        file: args.file.to_string_lossy().into_owned(),
        format: seen.format.name,
        bytes: seen.bytes,
        answer: exit::words(seen.answered.code()),
        error: seen.answered.error.as_ref().map(ErrorJson::new),
        names: [],
        rows: [],
        booster: seen.booster.as_ref().map(|booster| BoosterJson {
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

/// Writes what it says as text.
pub(super) fn text(
    out: &mut impl Write,
    style: Style,
    args: &Inspect,
    seen: &Seen,
) -> io::Result<()> {
    let file = vec![(Paint::Strong, output::path(&args.file))];
    output::field(out, style, "file", file)?;
    for (name, pieces) in facts(args, seen) {
        output::field(out, style, name, pieces)?;
    }
    let code = seen.answered.code();
    let word = (Paint::answer(code), exit::words(code).to_owned());
    output::field(out, style, "answer", vec![word, (Paint::Plain, why(seen))])
}

/// The reason of the answer.
pub(super) fn why(seen: &Seen) -> String {
    match (&seen.booster, &seen.answered.error) {
        (Some(booster), _) => format!(": the values of {} were checked", booster.class),
        (None, Some(error)) => format!(": {}", clean_name(&error.to_string())),
        (None, None) => String::new(),
    }
}

/// What the file is and says.
pub(super) fn facts(args: &Inspect, seen: &Seen) -> Vec<(&'static str, Pieces)> {
    let mut fields = Vec::new();
    let mut field = |name, text: String| fields.push((name, vec![(Paint::Plain, text)]));
    let version = match &seen.booster {
        Some(booster) => format!(" {}", clean(&booster.version)),
        None => String::new(),
    };
    field("format", format!("{}{version}", seen.format.name));
    field("size", output::bytes(seen.bytes));
    if let Some(booster) = &seen.booster {
        let number = |number: u64, one: &str, many: &str| {
            counted(usize::try_from(number).unwrap_or(usize::MAX), one, many)
        };
        let holds = format!(
            "{} for {}, {} for each row",
            number(booster.trees, "tree", "trees"),
            number(booster.features, "feature", "features"),
            number(booster.scores, "score", "scores"),
        );
        field("holds", holds);
        let objective = booster.objective.as_deref();
        let objective = objective.map_or("a function of the user's own".into(), clean);
        field("trained", format!("for {objective}"));
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
            field("columns", columns.join(" "));
        }
    }
    field("names", "none: nothing in it is imported".to_owned());
    fields
}
