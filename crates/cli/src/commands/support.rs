//! `nopickle support`: the tables of the library.

use std::collections::BTreeMap;
use std::io::{self, Write};

use nopickle_formats::{FORMATS, Read, default_names, skops, verified_classes};
use serde::Serialize;

use crate::args::Support;
use crate::exit;
use crate::output::count;

#[derive(Serialize)]
struct Answer {
    version: &'static str,
    formats: Vec<Format>,
    verified_classes: Vec<&'static str>,
    trusted: BTreeMap<&'static str, usize>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    names: Vec<Name>,
}

#[derive(Serialize)]
struct Format {
    name: &'static str,
    about: &'static str,
    endings: &'static [&'static str],
    /// Of skops alone.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    protocols: Vec<i64>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    node_kinds: Vec<&'static str>,
}

#[derive(Serialize)]
struct Name {
    name: &'static str,
    role: &'static str,
}

pub(crate) fn run(args: &Support) -> io::Result<u8> {
    let out = &mut io::stdout().lock();
    let mut trusted = BTreeMap::from([("call", 0), ("instance", 0), ("value", 0)]);
    for &(_, given) in default_names() {
        *trusted.entry(given.word()).or_default() += 1;
    }
    if args.json {
        let names = default_names().iter().filter(|_| args.names);
        let answer = Answer {
            version: env!("CARGO_PKG_VERSION"),
            formats: FORMATS.iter().map(format).collect(),
            verified_classes: verified_classes().collect(),
            trusted,
            names: names
                .map(|&(name, given)| Name {
                    name,
                    role: given.word(),
                })
                .collect(),
        };
        serde_json::to_writer_pretty(&mut *out, &answer)?;
        writeln!(out)?;
        return Ok(exit::FINE);
    }
    if args.names {
        for &(name, given) in default_names() {
            writeln!(out, "{name} {}", given.word())?;
        }
        return Ok(exit::FINE);
    }
    writeln!(out, "nopickle {}", env!("CARGO_PKG_VERSION"))?;
    writeln!(out, "\nFormats of files: {}", FORMATS.len())?;
    for format in FORMATS {
        let endings: Vec<String> = format.endings.iter().map(|end| format!(".{end}")).collect();
        writeln!(out, "  {} ({})", format.about, endings.join(", "))?;
    }
    let kinds: Vec<&str> = skops::node_kinds().collect();
    writeln!(
        out,
        "\nKinds of nodes of skops that are read: {}",
        kinds.len()
    )?;
    fold(out, &kinds)?;
    let classes: Vec<&str> = verified_classes().collect();
    writeln!(
        out,
        "\nClasses whose values are verified before native code sees them: {}",
        classes.len()
    )?;
    let mut modules = BTreeMap::<&str, Vec<&str>>::new();
    for class in &classes {
        let (module, name) = class.rsplit_once('.').unwrap_or(("", class));
        modules.entry(module).or_default().push(name);
    }
    for (module, names) in modules {
        writeln!(out, "  {module}")?;
        fold(out, &names)?;
    }
    writeln!(
        out,
        "\nNames that are trusted by default: {}; `--names` lists them",
        count(default_names().len() as u64)
    )?;
    for (given, meaning) in [
        (
            "call",
            "classes that may be called with arguments that stand in the file",
        ),
        (
            "instance",
            "classes whose instances may be made without a call, then given their state",
        ),
        (
            "value",
            "classes and functions that may stand in a model; loading does not call them",
        ),
    ] {
        writeln!(
            out,
            "  {:>6}  {given:<8}  {meaning}",
            count(trusted.get(given).copied().unwrap_or(0) as u64)
        )?;
    }
    Ok(exit::FINE)
}

fn format(format: &nopickle_formats::Format) -> Format {
    let is_skops = matches!(format.read, Read::Graph(_));
    Format {
        name: format.name,
        about: format.about,
        endings: format.endings,
        protocols: skops::PROTOCOLS.filter(|_| is_skops).collect(),
        node_kinds: skops::node_kinds().filter(|_| is_skops).collect(),
    }
}

/// Names one behind the other, in lines of at most 96 letters.
fn fold(out: &mut impl Write, names: &[&str]) -> io::Result<()> {
    let mut line = String::new();
    for (index, name) in names.iter().enumerate() {
        let comma = if index + 1 == names.len() { "" } else { "," };
        if !line.is_empty() && line.len() + name.len() + 2 > 92 {
            writeln!(out, "    {}", line.trim_end())?;
            line.clear();
        }
        line.push_str(name);
        line.push_str(comma);
        line.push(' ');
    }
    writeln!(out, "    {}", line.trim_end())
}
