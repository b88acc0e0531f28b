//! A model folder: its files and the decision on each, for `audit` and `inspect`.

use std::io::{self, Write};
use std::path::Path;

use nopickle_gate::{Asked, Looked, LookedFile};
use serde::Serialize;

use crate::args::Inspect;
use crate::commands::inspect::json::NameJson;
use crate::exit;
use crate::output::{self, ErrorJson, Line, Paint, Style, clean, clean_name, count, counted};
use crate::report::html::{self, Escaped};
use crate::report::{Answered, Form, Sink, sarif};

#[derive(Serialize)]
pub(crate) struct FolderJson<'a> {
    flavors: &'a [String],
    format: Option<&'a str>,
    entry: Option<&'a str>,
    signed_by: Option<&'a str>,
    files: Vec<FileJson<'a>>,
}

#[derive(Serialize)]
struct FileJson<'a> {
    path: &'a str,
    is: &'static str,
    bytes: u64,
    sha256: Option<&'a str>,
    answer: &'static str,
    by: Option<&'a str>,
    error: Option<ErrorJson>,
}

impl<'a> FolderJson<'a> {
    pub(crate) fn new(looked: &'a Looked) -> Self {
        Self {
            flavors: &looked.flavors,
            format: looked.format.as_deref(),
            entry: looked.entry.as_deref(),
            signed_by: looked.signed_by.as_deref(),
            files: looked
                .files
                .iter()
                .map(|file| FileJson {
                    path: &file.path,
                    is: file.is,
                    bytes: file.bytes,
                    sha256: file.sha256.as_deref(),
                    answer: exit::words(code(file)),
                    by: file.by.as_deref(),
                    error: file.error.as_ref().map(ErrorJson::new),
                })
                .collect(),
        }
    }
}

/// The exit status of one file alone.
fn code(file: &LookedFile) -> u8 {
    file.error.as_ref().map_or(exit::FINE, exit::gate_code)
}

/// The decision on a file in one word.
fn word(file: &LookedFile) -> &'static str {
    match code(file) {
        exit::FINE => "clean",
        exit::REFUSED => "refused",
        _ => "unanswered",
    }
}

/// Writes each file: the decision, its path, what it is, its size and digest; then what is wrong, and who vouches.
pub(crate) fn text(
    out: &mut impl Write,
    style: Style,
    looked: &Looked,
    quiet: bool,
) -> io::Result<()> {
    if !quiet {
        let rows: Vec<Vec<(Paint, String)>> = looked
            .files
            .iter()
            .map(|file| {
                vec![
                    (Paint::answer(code(file)), format!("  {}", word(file))),
                    (Paint::Plain, clean_name(&file.path).into_owned()),
                    (Paint::Plain, file.is.to_owned()),
                    (Paint::Plain, output::bytes(file.bytes)),
                    (Paint::Faint, file.sha256.clone().unwrap_or_default()),
                ]
            })
            .collect();
        if !rows.is_empty() {
            let head = ["  decision", "file", "is", "size", "sha256"];
            output::table(out, style, &head, &rows)?;
        }
    }
    if let Some(error) = &looked.error {
        reason(out, style, "", &output::message(error), Paint::Bad)?;
    }
    for file in &looked.files {
        if let Some(error) = &file.error {
            let paint = Paint::answer(code(file));
            reason(out, style, &file.path, &output::message(error), paint)?;
        } else if let Some(by) = file.by.as_ref().filter(|_| !quiet) {
            reason(out, style, &file.path, by, Paint::Plain)?;
        }
    }
    Ok(())
}

/// Writes a line about a file, whose path stands before it once.
fn reason(
    out: &mut impl Write,
    style: Style,
    path: &str,
    words: &str,
    paint: Paint,
) -> io::Result<()> {
    let mut line = Line::default();
    line.keep_whole();
    let words = clean_name(words);
    let shown = clean_name(path);
    let said = words.starts_with(shown.as_ref()) && !shown.is_empty();
    if !path.is_empty() && !said {
        line.push(Paint::Plain, format!("  {shown}: "));
    } else {
        line.push(Paint::Plain, "  ");
    }
    line.push(paint, words.into_owned());
    line.write(out, style)
}

/// Writes the table of files as a section of a page. `id` is that of its heading.
pub(crate) fn section(
    out: &mut impl Write,
    title: &str,
    id: &str,
    looked: &Looked,
) -> io::Result<()> {
    if looked.files.is_empty() {
        return Ok(());
    }
    write!(
        out,
        "<section aria-labelledby=\"{id}\">\n<h2 id=\"{id}\" tabindex=\"-1\">{}</h2>\n<table>\n<thead><tr>\
         <th scope=\"col\">File, SHA-256</th><th scope=\"col\">Decision</th><th scope=\"col\">It is</th>\
         <th scope=\"col\" class=\"number\">Size</th></tr></thead>\n<tbody>\n",
        Escaped(title)
    )?;
    for file in &looked.files {
        let by = match &file.by {
            Some(by) => format!(" <span class=\"faint\">{}</span>", Escaped(&clean_name(by))),
            None => String::new(),
        };
        writeln!(
            out,
            "<tr><td class=\"name\">{}<div class=\"faint\">{}</div></td><td>{}{by}</td><td>{}</td>\
             <td class=\"number\">{}</td></tr>",
            Escaped(&clean_name(&file.path)),
            file.sha256.as_deref().unwrap_or(""),
            html::pieces(&[(Paint::answer(code(file)), word(file).to_owned())]),
            Escaped(file.is),
            output::bytes(file.bytes),
        )?;
    }
    out.write_all(b"</tbody>\n</table>\n</section>\n")
}

/// The reason of the answer, in words that go on behind it.
pub(crate) fn why(looked: &Looked) -> String {
    let files = looked.files.len();
    let wrong = looked
        .files
        .iter()
        .filter(|file| file.error.is_some())
        .count();
    match (&looked.error, wrong) {
        (None, 0) => format!(": {}, each of them clean", counted(files, "file", "files")),
        (Some(error), _) if files == 0 => {
            format!(": {}", clean_name(&output::message(error)))
        }
        (_, wrong) => format!(
            ": {} of {} {} not clean",
            count(wrong as u64),
            counted(files, "file", "files"),
            if wrong == 1 { "is" } else { "are" },
        ),
    }
}

#[derive(Serialize)]
struct Document<'a> {
    schema: u32,
    file: String,
    format: &'static str,
    bytes: u64,
    answer: &'static str,
    error: Option<ErrorJson>,
    names: Vec<NameJson<'a>>,
    /// The objects are those of the model's own file.
    rows: [(); 0],
    folder: FolderJson<'a>,
}

/// Shows a model folder.
pub(crate) fn inspect(args: &Inspect, folder: &Path) -> io::Result<u8> {
    let mut sink = Sink::open(args.form.output.as_deref())?;
    let policy = args.trust.decided(&args.limits);
    let looked = nopickle_gate::look(folder, &policy);
    let answered = Answered::of_folder(folder.to_owned(), looked);
    let Some(looked) = &answered.folder else {
        return Ok(answered.code());
    };
    let mut out = io::BufWriter::new(&mut sink);
    match args.form.form() {
        Form::Sarif => sarif::write(&mut out, std::slice::from_ref(&answered), answered.code())?,
        Form::Json => json(&mut out, &answered, looked)?,
        Form::Html => page(&mut out, &answered, looked)?,
        Form::Text => {
            let style = Style::of_stdout(&args.colour);
            let file = vec![(Paint::Strong, output::path(&answered.file))];
            output::field(&mut out, style, "folder", file)?;
            for (name, words) in facts(looked) {
                output::field(&mut out, style, name, vec![(Paint::Plain, words)])?;
            }
            let code = answered.code();
            let answer = (Paint::answer(code), exit::words(code).to_owned());
            output::field(
                &mut out,
                style,
                "answer",
                vec![answer, (Paint::Plain, why(looked))],
            )?;
            if !looked.files.is_empty() {
                out.write_all(b"\n")?;
            }
            text(&mut out, style, looked, false)?;
            names(&mut out, style, looked)?;
        }
    }
    out.flush()?;
    drop(out);
    sink.finish()?;
    if let Some(hint) = answered.hint() {
        output::hint(hint, folder)?;
    } else if let Some(entry) = &looked.entry {
        let hint = "`nopickle inspect FILE` shows the objects of the model";
        output::hint(hint, &folder.join(entry))?;
    }
    Ok(answered.code())
}

/// What the folder is and holds.
fn facts(looked: &Looked) -> Vec<(&'static str, String)> {
    let mut fields = Vec::new();
    if !looked.flavors.is_empty() {
        let flavors: Vec<_> = looked.flavors.iter().map(|name| clean_name(name)).collect();
        fields.push(("flavors", flavors.join(" ")));
    }
    if let (Some(entry), Some(format)) = (&looked.entry, &looked.format) {
        fields.push(("model", format!("{}, {}", clean(entry), clean_name(format))));
    }
    if let Some(key) = &looked.signed_by {
        fields.push(("signed", format!("by key {}", clean_name(key))));
    }
    let bytes = looked
        .files
        .iter()
        .fold(0_u64, |all, file| all.saturating_add(file.bytes));
    if !looked.files.is_empty() {
        let files = counted(looked.files.len(), "file", "files");
        fields.push(("holds", format!("{files}, {}", output::bytes(bytes))));
    }
    if !looked.asked.is_empty() {
        let of = |granted: bool| {
            let names = looked.asked.iter();
            count(names.filter(|one| one.rule.grants() == granted).count() as u64)
        };
        let all = counted(looked.asked.len(), "name of code", "names of code");
        fields.push((
            "names",
            format!("{all}: {} granted, {} not", of(true), of(false)),
        ));
    }
    fields
}

/// The names of code that are not on the default list, those that nothing grants first.
fn by_rank(looked: &Looked) -> Vec<&Asked> {
    let mut names: Vec<&Asked> = looked
        .asked
        .iter()
        .filter(|one| one.rule.word() != "default")
        .collect();
    names.sort_by_key(|one| one.rule.grants());
    names
}

fn names(out: &mut impl Write, style: Style, looked: &Looked) -> io::Result<()> {
    let names = by_rank(looked);
    if names.is_empty() {
        return Ok(());
    }
    out.write_all(b"\n")?;
    let row = |one: &&Asked| {
        let granted = one.rule.grants();
        let decision = if granted { "  granted" } else { "  refused" };
        let paint = if granted { Paint::Good } else { Paint::Bad };
        vec![
            (paint, decision.to_owned()),
            (Paint::Plain, clean_name(&one.name).into_owned()),
            (Paint::Plain, one.role.word().to_owned()),
            (Paint::Plain, clean_name(&one.rule.to_string()).into_owned()),
        ]
    };
    let rows: Vec<_> = names.iter().map(row).collect();
    output::table(out, style, &["  decision", "name", "as", "why"], &rows)
}

fn json(out: &mut impl Write, answered: &Answered, looked: &Looked) -> io::Result<()> {
    let verifiers: std::collections::HashSet<&str> = nopickle_formats::verified_classes().collect();
    let trust = |one: &Asked| match (one.rule.grants(), one.rule.word()) {
        (false, _) => None,
        (true, "default") => Some("default"),
        (true, _) => Some("added"),
    };
    let document = Document {
        schema: 1,
        file: answered.file.to_string_lossy().into_owned(),
        format: "mlflow",
        bytes: looked
            .files
            .iter()
            .fold(0, |all, file| all.saturating_add(file.bytes)),
        answer: exit::words(answered.code()),
        error: answered.error().map(ErrorJson::new),
        names: looked
            .asked
            .iter()
            .map(|one| NameJson {
                name: &one.name,
                role: one.role.word(),
                uses: one.uses,
                offset: one.offset,
                trust: trust(one),
                has_verifier: verifiers.contains(one.name.as_str()),
            })
            .collect(),
        rows: [],
        folder: FolderJson::new(looked),
    };
    serde_json::to_writer(&mut *out, &document)?;
    out.write_all(b"\n")
}

fn page(out: &mut impl Write, answered: &Answered, looked: &Looked) -> io::Result<()> {
    let skip = if looked.files.is_empty() {
        ("findings", "the findings")
    } else {
        ("files", "the files")
    };
    html::head(
        out,
        &output::path(&answered.file),
        answered.code(),
        &why(looked),
        skip,
    )?;
    html::findings(out, std::slice::from_ref(answered), |_| None)?;
    let facts = facts(looked);
    if !facts.is_empty() {
        out.write_all(b"<section aria-labelledby=\"file\">\n<h2 id=\"file\">Folder</h2>\n<dl>\n")?;
        for (name, words) in &facts {
            writeln!(out, "<dt>{name}</dt><dd>{}</dd>", Escaped(words))?;
        }
        out.write_all(b"</dl>\n</section>\n")?;
    }
    section(out, "Files", "files", looked)?;
    let names = by_rank(looked);
    if !names.is_empty() {
        out.write_all(
            b"<section aria-labelledby=\"names\">\n<h2 id=\"names\">Names of code that are not on the default list\
              </h2>\n<table>\n<thead><tr><th scope=\"col\">Name</th><th scope=\"col\">Decision</th>\
              <th scope=\"col\">As</th><th scope=\"col\">Why</th></tr></thead>\n<tbody>\n",
        )?;
        for one in names {
            let (paint, word) = if one.rule.grants() {
                (Paint::Good, "granted")
            } else {
                (Paint::Bad, "refused")
            };
            writeln!(
                out,
                "<tr><td class=\"name\">{}</td><td>{}</td><td>{}</td><td>{}</td></tr>",
                Escaped(&clean_name(&one.name)),
                html::pieces(&[(paint, word.to_owned())]),
                one.role.word(),
                Escaped(&clean_name(&one.rule.to_string())),
            )?;
        }
        out.write_all(b"</tbody>\n</table>\n</section>\n")?;
    }
    html::foot(out)
}
