//! Findings as one HTML page that needs nothing else: no script, no address, no image.
//!
//! Everything that comes from a model or a path passes [`Escaped`]. A browser is told to load and run nothing,
//! and to take no style but the one whose digest stands in the page.

use std::fmt::{self, Write as _};
use std::io::{self, Write};

use super::{Answered, Finding, Summary};
use crate::commands::folder;
use crate::exit;
use crate::output::{self, Paint, clean_name, count};

/// The page's style.
const STYLE: &str = include_str!("style.css");

/// SHA-256 of [`STYLE`] in base64, as a content security policy wants it; `test_report_html.py` holds the two equal.
const STYLE_DIGEST: &str = "HKZ9qpcc232ALW8jgVgLa3qtJ1RtY/pQvqVi/noRZj4=";

/// Text between tags or in a quoted attribute.
pub(crate) struct Escaped<'t>(pub(crate) &'t str);

impl fmt::Display for Escaped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut rest = self.0;
        while let Some(at) = rest.find(['&', '<', '>', '"', '\'']) {
            let (before, from) = rest.split_at(at);
            f.write_str(before)?;
            f.write_str(match from.as_bytes()[0] {
                b'&' => "&amp;",
                b'<' => "&lt;",
                b'>' => "&gt;",
                b'"' => "&quot;",
                _ => "&#39;",
            })?;
            rest = &from[1..];
        }
        f.write_str(rest)
    }
}

/// The class of a piece of text; empty for plain text.
pub(crate) fn class(paint: Paint) -> &'static str {
    match paint {
        Paint::Plain => "",
        Paint::Faint => "faint",
        Paint::Strong => "strong",
        Paint::Good => "good",
        Paint::Doubt => "doubt",
        Paint::Bad => "bad",
    }
}

/// Pieces of text, each in its colour.
pub(crate) fn pieces(pieces: &[(Paint, String)]) -> String {
    let mut out = String::new();
    for (paint, text) in pieces {
        match class(*paint) {
            "" => {
                let _ = write!(out, "{}", Escaped(text));
            }
            class => {
                let _ = write!(out, "<span class=\"{class}\">{}</span>", Escaped(text));
            }
        }
    }
    out
}

/// Words with `code` in backticks.
fn words(text: &str) -> String {
    let mut out = String::new();
    for (index, part) in text.split('`').enumerate() {
        if index % 2 == 1 {
            let _ = write!(out, "<code>{}</code>", Escaped(part));
        } else {
            let _ = write!(out, "{}", Escaped(part));
        }
    }
    out
}

/// Writes everything up to the first section. `title` and `about` are plain text.
pub(crate) fn head(
    out: &mut impl Write,
    title: &str,
    code: u8,
    about: &str,
    skip: (&str, &str),
) -> io::Result<()> {
    let answer = class(Paint::answer(code));
    write!(
        out,
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src \
         'sha256-{STYLE_DIGEST}'; base-uri 'none'; form-action 'none'\">\n\
         <meta name=\"referrer\" content=\"no-referrer\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <title>{answer_words}: {title} - nopickle</title>\n<style>{STYLE}</style>\n</head>\n<body>\n\
         <a class=\"skip\" href=\"#{skip_to}\">Skip to {skip_words}</a>\n\
         <header>\n<h1>{title}</h1>\n<div class=\"answer {answer}\"><p><strong>{answer_words}</strong>{about}</p></div>\n\
         </header>\n<main>\n",
        answer_words = exit::words(code),
        title = Escaped(title),
        about = Escaped(about),
        skip_to = skip.0,
        skip_words = skip.1,
    )
}

/// Writes the findings of some models; nothing where there are none. `link` gives the anchor of a finding.
pub(crate) fn findings(
    out: &mut impl Write,
    models: &[Answered],
    link: impl Fn(&Finding) -> Option<String>,
) -> io::Result<()> {
    if models.iter().all(|model| model.code() == exit::FINE) {
        return Ok(());
    }
    let many = models.len() > 1;
    let level = if many { "h4" } else { "h3" };
    out.write_all(b"<section aria-labelledby=\"findings\">\n<h2 id=\"findings\">Findings</h2>\n")?;
    for model in models {
        let found = model.findings();
        if found.is_empty() {
            continue;
        }
        if many {
            writeln!(
                out,
                "<h3><code>{}</code></h3>",
                Escaped(&output::path(&model.file))
            )?;
        }
        let paint = class(Paint::answer(model.code()));
        writeln!(out, "<ol class=\"findings\">")?;
        for finding in &found {
            write!(
                out,
                "<li class=\"{paint}\"><{level}>{}</{level}>\n<p>{} <span class=\"faint\">{}</span></p>\n<dl>",
                Escaped(&finding.title()),
                Escaped(finding.rule.says),
                finding.rule.id
            )?;
            if let Some(place) = place(finding) {
                write!(out, "<dt>Where</dt><dd>")?;
                match link(finding) {
                    Some(anchor) => write!(out, "<a href=\"#{anchor}\">{}</a>", Escaped(&place))?,
                    None => write!(out, "{}", Escaped(&place))?,
                }
                write!(out, "</dd>")?;
            }
            writeln!(
                out,
                "<dt>Next</dt><dd>{}</dd></dl></li>",
                words(&finding.next_step(&model.file))
            )?;
        }
        writeln!(out, "</ol>")?;
    }
    writeln!(out, "</section>")
}

/// Where a finding stands, in words.
fn place(finding: &Finding) -> Option<String> {
    let entry = match (finding.file.as_str(), finding.entry.as_str()) {
        ("", "") => "the file".to_owned(),
        (one, "") | ("", one) => clean_name(one).into_owned(),
        (file, entry) => format!("{}, {}", clean_name(file), clean_name(entry)),
    };
    match (finding.offset, finding.line) {
        (Some(offset), _) => Some(format!("{entry}, byte {}", count(offset))),
        (None, Some((line, column))) => Some(format!("{entry}, line {line}, column {column}")),
        (None, None) => {
            Some(entry).filter(|_| !finding.entry.is_empty() || !finding.file.is_empty())
        }
    }
}

/// Writes the end of a page.
pub(crate) fn foot(out: &mut impl Write) -> io::Result<()> {
    write!(
        out,
        "</main>\n<footer>\n<p>nopickle {}. Nothing that stands in a model was imported, called or run for this page.</p>\n\
         <p>Trusted and verified does not mean that a model is right: numbers can be trained or changed to mislead.</p>\n\
         </footer>\n</body>\n</html>\n",
        env!("CARGO_PKG_VERSION")
    )
}

/// Writes the page of an audit.
pub(crate) fn audit(
    out: &mut impl Write,
    models: &[Answered],
    summary: &Summary,
) -> io::Result<()> {
    let title = match models {
        [model] => format!("Audit of {}", output::path(&model.file)),
        _ => format!(
            "Audit of {}",
            output::counted(models.len(), "model", "models")
        ),
    };
    let about = match models {
        [] => ": no model was found".to_owned(),
        _ => format!(" - {}", summary.words()),
    };
    head(
        out,
        &title,
        summary.code(),
        &about,
        ("models", "the list of models"),
    )?;
    findings(out, models, |_| None)?;
    out.write_all(
        b"<section aria-labelledby=\"models\">\n<h2 id=\"models\">Models</h2>\n<table>\n\
          <thead><tr><th scope=\"col\">File</th><th scope=\"col\">Answer</th></tr></thead>\n<tbody>\n",
    )?;
    for model in models {
        let code = model.code();
        writeln!(
            out,
            "<tr><td class=\"name\">{}</td><td class=\"{}\">{}</td></tr>",
            Escaped(&output::path(&model.file)),
            class(Paint::answer(code)),
            exit::words(code)
        )?;
    }
    out.write_all(b"</tbody>\n</table>\n</section>\n")?;
    for (index, model) in models.iter().enumerate() {
        if let Some(looked) = &model.folder {
            let title = match models {
                [_] => "Files".to_owned(),
                _ => format!("Files of {}", output::path(&model.file)),
            };
            folder::section(out, &title, &format!("files-{}", index + 1), looked)?;
        }
    }
    foot(out)
}

/// A tree as nested lists; what holds something can be opened and closed.
#[derive(Debug, Default)]
pub(crate) struct Tree {
    out: String,
    /// Lists that are open.
    depth: usize,
    waiting: Option<Row>,
}

/// A line of a [`Tree`].
#[derive(Debug)]
pub(crate) struct Row {
    pub(crate) level: usize,
    pub(crate) pieces: Vec<(Paint, String)>,
    pub(crate) id: Option<String>,
    /// Whether what it holds is shown at first.
    pub(crate) open: bool,
}

/// From this level on lines are not moved further to the right.
const FLAT: usize = 10;
/// From this level on lines stand below each other; browsers nest no deeper than some 500 elements.
const DEEPEST: usize = 60;

impl Tree {
    /// Adds a line; those below it follow.
    pub(crate) fn push(&mut self, row: Row) {
        if let Some(before) = self.waiting.take() {
            let holds = row.level > before.level;
            self.write(&before, holds);
        }
        self.waiting = Some(row);
    }

    /// The whole tree.
    pub(crate) fn finish(mut self) -> String {
        if let Some(last) = self.waiting.take() {
            self.write(&last, false);
        }
        self.close(0);
        self.out
    }

    fn write(&mut self, row: &Row, holds: bool) {
        let level = row.level.min(DEEPEST);
        if self.depth == 0 {
            self.out.push_str("<ul class=\"tree\">\n");
            self.depth = 1;
        }
        self.close(level + 1);
        let mut text = pieces(&row.pieces);
        if row.level > FLAT {
            text.insert_str(
                0,
                &format!("<span class=\"faint\">level {}: </span>", row.level),
            );
        }
        let id = row
            .id
            .as_ref()
            .map_or_else(String::new, |id| format!(" id=\"{}\"", Escaped(id)));
        if holds && level < DEEPEST {
            let open = if row.open { " open" } else { "" };
            let flat = if level >= FLAT { " class=\"flat\"" } else { "" };
            let _ = writeln!(
                self.out,
                "<li{id}><details{open}><summary>{text}</summary>\n<ul{flat}>"
            );
            self.depth += 1;
        } else {
            let _ = writeln!(self.out, "<li{id}><span>{text}</span></li>");
        }
    }

    /// Closes lists until so many are open.
    fn close(&mut self, depth: usize) {
        while self.depth > depth.max(1) {
            self.out.push_str("</ul></details></li>\n");
            self.depth -= 1;
        }
        if depth == 0 && self.depth == 1 {
            self.out.push_str("</ul>\n");
            self.depth = 0;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(level: usize, text: &str) -> Row {
        Row {
            level,
            pieces: vec![(Paint::Plain, text.to_owned())],
            id: None,
            open: false,
        }
    }

    #[test]
    fn nothing_is_markup() {
        assert_eq!(
            Escaped("</style><b a='1' c=\"2\">&amp;").to_string(),
            "&lt;/style&gt;&lt;b a=&#39;1&#39; c=&quot;2&quot;&gt;&amp;amp;"
        );
        assert_eq!(Escaped("plain").to_string(), "plain");
        assert_eq!(
            pieces(&[
                (Paint::Bad, "<i>".to_owned()),
                (Paint::Plain, "&".to_owned())
            ]),
            "<span class=\"bad\">&lt;i&gt;</span>&amp;"
        );
        assert_eq!(words("`<a>` & b"), "<code>&lt;a&gt;</code> &amp; b");
    }

    #[test]
    fn lists_are_closed_where_they_end() {
        let mut tree = Tree::default();
        for (level, text) in [(0, "a"), (1, "b"), (2, "c"), (1, "d"), (2, "e"), (3, "f")] {
            tree.push(row(level, text));
        }
        let out = tree.finish();
        for tag in ["ul", "li", "details", "summary", "span"] {
            let (open, close) = (format!("<{tag}"), format!("</{tag}>"));
            assert_eq!(out.matches(&open).count(), out.matches(&close).count());
        }
        assert_eq!(out.matches("<details>").count(), 4);
        assert!(out.contains("<li><span>c</span></li>\n</ul></details></li>\n<li><details>"));
    }

    #[test]
    fn a_deep_tree_nests_no_deeper_than_browsers_do() {
        let mut tree = Tree::default();
        for level in 0..5000 {
            tree.push(row(level, "x"));
        }
        let out = tree.finish();
        assert_eq!(out.matches("<details").count(), DEEPEST);
        assert_eq!(out.matches("</li>").count(), 5000);
        assert!(out.contains("level 4999: </span>x"));
    }
}
