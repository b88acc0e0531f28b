//! `nopickle audit`: whether models would load.

use std::collections::HashSet;
use std::io::{self, IsTerminal as _, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use nopickle_gate::{Error, Policy};
use serde::Serialize;

use crate::args::Audit;
use crate::commands::folder::{self, FolderJson};
use crate::exit;
use crate::model;
use crate::output::{self, ErrorJson, Line, Paint, Style, clean_name};
use crate::report::{self, Answered, Form, Sink, Summary};

/// A file to look at.
struct Target {
    path: PathBuf,
    /// Whether it was named on the command line, and not found in a folder.
    named: bool,
    size: u64,
    /// Whether it is a model folder.
    folder: bool,
    /// Why it cannot be looked at.
    broken: Option<Error>,
}

#[derive(Serialize)]
struct FileJson<'a> {
    file: String,
    answer: &'static str,
    error: Option<ErrorJson>,
    #[serde(skip_serializing_if = "Option::is_none")]
    folder: Option<FolderJson<'a>>,
}

pub(crate) fn run(args: &Audit) -> io::Result<u8> {
    let mut out = Sink::open(args.form.output.as_deref())?;
    let mut summary = Summary::default();
    let targets = targets(&args.files, &mut summary.skipped);
    let bar = progress(&targets, args.quiet);
    let style = Style::of_stdout(&args.colour);
    let policy = args.trust.decided(&args.limits);
    let form = args.form.form();
    // What is shown whole at the end.
    let mut models: Vec<Answered> = Vec::new();
    // Each hint once, with the first file that it is for.
    let mut hints: Vec<(&'static str, PathBuf)> = Vec::new();
    if form == Form::Json {
        out.write_all(b"{\"schema\":1,\"files\":[")?;
    }
    for target in targets {
        bar.set_message(output::path(&target.path));
        let size = target.size;
        let answered = answered(target, &policy);
        bar.inc(size);
        let Some(model) = answered else {
            summary.skipped += 1;
            continue;
        };
        summary.count(model.code());
        let shown = bar.suspend(|| match form {
            Form::Json => json_line(&mut out, &model, summary.files == 1),
            Form::Text if args.quiet && model.code() == exit::FINE => Ok(()),
            Form::Text => {
                line(&model).write(&mut out, style)?;
                match &model.folder {
                    Some(looked) => folder::text(&mut out, style, looked, args.quiet),
                    None => Ok(()),
                }
            }
            Form::Sarif | Form::Html => Ok(()),
        });
        shown?;
        if let Some(hint) = model.hint()
            && !hints.iter().any(|(known, _)| *known == hint)
        {
            hints.push((hint, model.file.clone()));
        }
        if matches!(form, Form::Sarif | Form::Html) {
            models.push(model);
        }
    }
    bar.finish_and_clear();
    let code = summary.code();
    match form {
        Form::Text => {}
        Form::Json => {
            out.write_all(b"\n],\"summary\":")?;
            serde_json::to_writer(&mut out, &summary)?;
            out.write_all(b"}\n")?;
        }
        Form::Sarif => report::sarif::write(&mut out, &models, code)?,
        Form::Html => report::html::audit(&mut out, &models, &summary)?,
    }
    out.finish()?;
    if summary.files == 0 {
        writeln!(io::stderr(), "error: could not answer: no model was found")?;
        hint_for_nothing(&args.files)?;
    }
    if !args.quiet {
        for (hint, path) in hints {
            output::hint(hint, &path)?;
        }
        if summary.files + summary.skipped != 1 {
            writeln!(io::stderr(), "{}", summary.words())?;
        }
    }
    Ok(code)
}

fn json_line(out: &mut impl Write, model: &Answered, first: bool) -> io::Result<()> {
    let line = FileJson {
        file: model.file.to_string_lossy().into_owned(),
        answer: exit::words(model.code()),
        error: model.error().map(ErrorJson::new),
        folder: model.folder.as_deref().map(FolderJson::new),
    };
    out.write_all(if first { b"\n" } else { b",\n" })?;
    serde_json::to_writer(out, &line).map_err(Into::into)
}

fn line(model: &Answered) -> Line {
    let mut line = Line::default();
    line.keep_whole();
    line.push(Paint::Plain, format!("{}: ", output::path(&model.file)));
    line.push(Paint::answer(model.code()), exit::words(model.code()));
    if let Some(looked) = &model.folder {
        line.push(Paint::Plain, folder::why(looked));
    } else if let Some(error) = &model.error {
        line.push(
            Paint::Plain,
            format!(": {}", clean_name(&output::message(error))),
        );
    }
    line
}

/// Says what counts as a model.
fn hint_for_nothing(files: &[PathBuf]) -> io::Result<()> {
    let first = files.first().map_or(Path::new("."), PathBuf::as_path);
    let hint = "in a folder, files are audited that a reader knows by their ending or by their content, see \
                `nopickle support`; name any other file itself: `nopickle audit FILE/model`";
    output::hint(hint, first)
}

/// The answer for a file or a model folder; `None` for a file that was found in a folder and is neither model nor pickle.
fn answered(target: Target, policy: &Policy) -> Option<Answered> {
    if target.folder {
        let looked = nopickle_gate::look(&target.path, policy);
        return Some(Answered::of_folder(target.path, looked));
    }
    let answer = match target.broken {
        Some(error) => Err(error),
        None => answer(&target.path, target.named, policy)?,
    };
    Some(Answered::new(target.path, answer))
}

fn answer(path: &Path, named: bool, policy: &Policy) -> Option<Result<(), Error>> {
    let answer = || -> Result<Option<()>, Error> {
        let mut file = model::open(path)?;
        let known = model::reader(&mut file, path, policy.limits())?;
        if known.is_none() {
            model::no_pickle(&file, path, policy.limits())?;
        }
        let Some(format) = known.or_else(|| named.then(model::usual)) else {
            return Ok(None);
        };
        model::decide(&file, path, format, policy).map(Some)
    };
    answer().transpose()
}

/// The files to look at, folders walked, in the order of their names.
fn targets(paths: &[PathBuf], skipped: &mut usize) -> Vec<Target> {
    let mut found = Vec::new();
    let mut named = HashSet::new();
    for path in paths {
        let path = model::folder_of(path);
        if path.is_dir() && !named.insert(path) {
            continue;
        }
        if !path.is_dir() {
            let size = path.metadata().map_or(0, |data| data.len());
            found.push(Target {
                path: path.to_owned(),
                named: true,
                size,
                folder: false,
                broken: None,
            });
            continue;
        }
        let mut walk = walkdir::WalkDir::new(path).sort_by_file_name().into_iter();
        while let Some(entry) = walk.next() {
            match entry {
                Ok(entry) if entry.file_type().is_dir() && model::is_folder(entry.path()) => {
                    walk.skip_current_dir();
                    found.push(Target {
                        size: size_of(entry.path()),
                        path: entry.into_path(),
                        named: true,
                        folder: true,
                        broken: None,
                    });
                }
                Ok(entry) if entry.file_type().is_file() => {
                    let size = entry.metadata().map_or(0, |data| data.len());
                    found.push(Target {
                        path: entry.into_path(),
                        named: false,
                        size,
                        folder: false,
                        broken: None,
                    });
                }
                Ok(entry) if entry.file_type().is_dir() => {}
                // A link, a pipe, a device.
                Ok(_) => *skipped += 1,
                Err(error) => found.push(Target {
                    path: error.path().unwrap_or(path).to_path_buf(),
                    named: true,
                    size: 0,
                    folder: false,
                    broken: Some(io::Error::from(error).into()),
                }),
            }
        }
    }
    found
}

/// The bytes of all files below a folder.
fn size_of(path: &Path) -> u64 {
    walkdir::WalkDir::new(path)
        .into_iter()
        .filter_map(|entry| entry.ok()?.metadata().ok())
        .filter(std::fs::Metadata::is_file)
        .fold(0, |all, data| all.saturating_add(data.len()))
}

/// A bar on stderr where that is a terminal and the work is long; else one that nobody sees.
fn progress(targets: &[Target], quiet: bool) -> ProgressBar {
    const LONG_BYTES: u64 = 64 << 20;
    const LONG_FILES: usize = 200;
    let bytes = targets
        .iter()
        .fold(0_u64, |all, target| all.saturating_add(target.size));
    if quiet || !io::stderr().is_terminal() || (bytes < LONG_BYTES && targets.len() < LONG_FILES) {
        return ProgressBar::hidden();
    }
    let bar = ProgressBar::with_draw_target(Some(bytes), ProgressDrawTarget::stderr());
    if let Ok(style) =
        ProgressStyle::with_template("{spinner} {bar:24} {bytes}/{total_bytes} {wide_msg}")
    {
        bar.set_style(style);
    }
    bar.enable_steady_tick(Duration::from_millis(120));
    bar
}
