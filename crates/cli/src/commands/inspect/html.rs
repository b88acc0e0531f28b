//! The answer of `inspect` as an HTML page.

use std::collections::HashSet;
use std::io::{self, Write};

use nopickle_formats::archive::Archive;

use super::{Pieces, Seen, answer, by_rank, decision, facts, tree, wanted};
use crate::args::Inspect;
use crate::output::{self, Paint, clean_name, count};
use crate::report::html::{self, Escaped, Row, Tree};
use crate::report::{Answered, Finding};

/// Objects that are shown without --all, beside those that are refused and their holders.
const MOST: usize = 20_000;

/// A model of no more objects is open at first.
const SMALL: usize = 300;

/// In a larger one, lines of this level and above.
const OPEN: usize = 1;

pub(super) fn write(
    out: &mut impl Write,
    args: &Inspect,
    seen: &Seen,
    archive: &mut Archive<'_>,
) -> io::Result<()> {
    let facts = facts(seen, archive);
    let (tree, anchors, hidden) = objects(args, seen, archive)?;
    let (_, why) = answer(seen);
    html::head(
        out,
        &output::path(&args.file),
        seen.code(),
        &why,
        ("objects", "the objects"),
    )?;
    html::findings(out, std::slice::from_ref(&seen.answered), |finding| {
        anchor(seen, finding).filter(|id| anchors.contains(id))
    })?;
    file(out, &facts)?;
    names(out, seen)?;
    out.write_all(
        b"<section aria-labelledby=\"objects\">\n<h2 id=\"objects\" tabindex=\"-1\">Objects</h2>\n",
    )?;
    out.write_all(tree.as_bytes())?;
    if hidden > 0 {
        writeln!(
            out,
            "<p class=\"faint\">{} more objects; --all shows them</p>",
            count(hidden as u64)
        )?;
    }
    out.write_all(b"</section>\n")?;
    html::foot(out)
}

/// Writes the page of a file that has no objects to show. `why` is the reason of the answer.
pub(super) fn write_facts(
    out: &mut impl Write,
    answered: &Answered,
    facts: &[(&str, Pieces)],
    why: &str,
) -> io::Result<()> {
    let skip = match facts {
        [] => ("findings", "the findings"),
        _ => ("file", "the file"),
    };
    html::head(
        out,
        &output::path(&answered.file),
        answered.code(),
        why,
        skip,
    )?;
    html::findings(out, std::slice::from_ref(answered), |_| None)?;
    file(out, facts)?;
    html::foot(out)
}

/// Writes what the file is.
fn file(out: &mut impl Write, facts: &[(&str, Pieces)]) -> io::Result<()> {
    if facts.is_empty() {
        return Ok(());
    }
    out.write_all(b"<section aria-labelledby=\"file\">\n<h2 id=\"file\">File</h2>\n<dl>\n")?;
    for (name, text) in facts {
        writeln!(out, "<dt>{name}</dt><dd>{}</dd>", html::pieces(text))?;
    }
    out.write_all(b"</dl>\n</section>\n")
}

/// The id of the line that a finding is about.
fn anchor(seen: &Seen, finding: &Finding) -> Option<String> {
    let place = finding
        .offset
        .filter(|_| finding.entry == seen.graph.entry())?;
    Some(format!("byte-{place}"))
}

/// The tree, the ids in it, and how many objects it leaves out.
fn objects(
    args: &Inspect,
    seen: &Seen,
    archive: &mut Archive<'_>,
) -> io::Result<(String, HashSet<String>, usize)> {
    let mut html = Tree::default();
    let mut anchors = HashSet::new();
    let (mut shown, mut hidden) = (0_usize, 0_usize);
    let small = seen.graph.len() <= SMALL;
    tree::walk(args, seen, archive, |row| {
        if shown >= MOST && !args.all && !row.refused {
            hidden += 1;
            return Ok(());
        }
        shown += 1;
        let id = row.refused_at.map(|place| format!("byte-{place}"));
        html.push(Row {
            level: row.level,
            pieces: row.line.pieces().to_vec(),
            // Two lines of one object have one id, which the first of them gets.
            id: id.filter(|id| anchors.insert(id.clone())),
            open: row.refused || small || row.level <= OPEN,
        });
        Ok(())
    })?;
    Ok((html.finish(), anchors, hidden))
}

/// The names of code in the model, those that are not trusted first.
fn names(out: &mut impl Write, seen: &Seen) -> io::Result<()> {
    if seen.names.is_empty() {
        return Ok(());
    }
    out.write_all(
        b"<section aria-labelledby=\"names\">\n<h2 id=\"names\">Names of code</h2>\n<table>\n<thead><tr>\
          <th scope=\"col\">Name</th><th scope=\"col\">Decision</th><th scope=\"col\">In the model it</th>\
          <th scope=\"col\" class=\"number\">Times</th></tr></thead>\n<tbody>\n",
    )?;
    for name in by_rank(seen) {
        let (paint, words) = decision(seen, name);
        writeln!(
            out,
            "<tr><td class=\"name\">{}</td><td>{}</td><td>{}</td><td class=\"number\">{}{}</td></tr>",
            Escaped(&clean_name(&name.name)),
            html::pieces(&[(paint, words.to_owned())]),
            wanted(name.role),
            count(name.uses as u64),
            html::pieces(&[(Paint::Faint, " \u{d7}".to_owned())]),
        )?;
    }
    out.write_all(b"</tbody>\n</table>\n</section>\n")
}
