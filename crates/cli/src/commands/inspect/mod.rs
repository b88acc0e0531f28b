//! `nopickle inspect`: what is in a model.

mod booster;
mod html;
pub(super) mod json;
mod tree;

use std::collections::{BTreeMap, HashMap, HashSet};
use std::fs::File;
use std::io::{self, Write};

use nopickle_formats::archive::Archive;
use nopickle_formats::skops::{self, Head, Looked};
use nopickle_formats::{
    Error, Graph, Limits, NodeId, Policy, Read, Role, Untrusted, verified_classes,
};
use nopickle_gate::Error as GateError;

use crate::args::Inspect;
use crate::commands::folder;
use crate::exit;
use crate::model;
use crate::output::{self, Line, Paint, Style, clean, clean_name, count, counted};
use crate::report::{Answered, Form, Sink, sarif};

/// A file that was read, and what was decided about it.
struct Seen {
    policy: Policy,
    limits: Limits,
    head: Head,
    verifiers: HashSet<&'static str>,
    graph: Graph,
    answered: Answered,
    names: Vec<Used>,
    /// The names that are not trusted, by the node that asks for them.
    untrusted: HashMap<NodeId, Vec<usize>>,
    /// The node that breaks a rule, and the rule.
    broken: Option<(NodeId, &'static str)>,
}

impl Seen {
    fn code(&self) -> u8 {
        self.answered.code()
    }

    fn has_verifier(&self, class: &str) -> bool {
        self.verifiers.contains(class)
    }

    /// Whether a class has a verifier, and all its objects in the model passed.
    fn verified(&self, class: &str) -> bool {
        self.code() == exit::FINE && self.has_verifier(class)
    }

    /// Whether a name is trusted because the caller says so.
    fn added(&self, name: &str) -> bool {
        let known = self
            .names
            .binary_search_by(|known| known.name.as_str().cmp(name));
        known.is_ok_and(|index| self.names[index].trust == Some("added"))
    }

    /// What stands in the entry of an array.
    fn look(&self, archive: &mut Archive<'_>, node: NodeId) -> Result<Option<Looked>, Error> {
        // Each look may cost what a load may: it reads a header.
        skops::look(&self.graph, node, archive, &mut self.limits.clone())
    }
}

/// A name of code in the model.
struct Used {
    name: String,
    /// The most that it is used for.
    role: Role,
    uses: usize,
    /// The byte of the first use.
    offset: u64,
    /// `default`, `added`, or `None` where it is not trusted.
    trust: Option<&'static str>,
}

/// A file that was read, by its format.
enum Model {
    Graph(Box<Seen>, Archive<'static>),
    Booster(booster::Seen),
}

impl Model {
    fn answered(&self) -> &Answered {
        match self {
            Self::Graph(seen, _) => &seen.answered,
            Self::Booster(seen) => &seen.answered,
        }
    }
}

pub(crate) fn run(args: &Inspect) -> io::Result<u8> {
    let folder = model::folder_of(&args.file);
    if model::is_folder(folder) {
        return folder::inspect(args, folder);
    }
    let mut sink = Sink::open(args.form.output.as_deref())?;
    let mut model = match open(args) {
        Ok(model) => model,
        Err(error) => return unseen(args, error, sink),
    };
    let mut out = io::BufWriter::new(&mut sink);
    write(&mut out, args, &mut model)?;
    out.flush()?;
    drop(out);
    sink.finish()?;
    let answered = model.answered();
    if let Some(hint) = answered.hint() {
        output::hint(hint, &args.file)?;
    }
    Ok(answered.code())
}

fn write(out: &mut impl Write, args: &Inspect, model: &mut Model) -> io::Result<()> {
    let style = Style::of_stdout(&args.colour);
    match (args.form.form(), model) {
        (Form::Sarif, model) => {
            let answered = model.answered();
            sarif::write(out, std::slice::from_ref(answered), answered.code())
        }
        (Form::Text, Model::Graph(seen, archive)) => {
            header(out, style, args, seen, archive)?;
            names(out, style, args.all, seen)?;
            tree::write(out, style, args, seen, archive)
        }
        (Form::Json, Model::Graph(seen, archive)) => json::write(out, args, seen, archive),
        (Form::Html, Model::Graph(seen, archive)) => html::write(out, args, seen, archive),
        (Form::Text, Model::Booster(seen)) => booster::text(out, style, args, seen),
        (Form::Json, Model::Booster(seen)) => booster::json(out, args, seen),
        (Form::Html, Model::Booster(seen)) => {
            let (facts, why) = (booster::facts(args, seen), booster::why(seen));
            html::write_facts(out, &seen.answered, &facts, &why)
        }
    }
}

/// The answer where nothing of the file can be shown.
fn unseen(args: &Inspect, error: GateError, mut sink: Sink) -> io::Result<u8> {
    output::complain(&args.file, &error)?;
    let answered = Answered::new(args.file.clone(), Err(error));
    let code = answered.code();
    match args.form.form() {
        Form::Text | Form::Json => return Ok(code),
        Form::Sarif => sarif::write(&mut sink, std::slice::from_ref(&answered), code)?,
        Form::Html => html::write_facts(&mut sink, &answered, &[], "")?,
    }
    sink.finish()?;
    Ok(code)
}

/// Reads a file by the reader that its name or content asks for.
fn open(args: &Inspect) -> Result<Model, GateError> {
    let mut file = model::open(&args.file)?;
    let format = model::reader(&mut file, &args.file, &args.limits.limits())?;
    if format.is_none() {
        model::no_pickle(&file, &args.file, &args.limits.limits())?;
    }
    let format = format.unwrap_or_else(model::usual);
    Ok(match format.read {
        Read::Graph(_) => {
            let (seen, archive) = see(args, &file)?;
            Model::Graph(Box::new(seen), archive)
        }
        Read::Booster(read) => Model::Booster(booster::see(args, &file, format, read)?),
    })
}

/// Reads an archive and decides about it.
fn see(args: &Inspect, file: &File) -> Result<(Seen, Archive<'static>), Error> {
    let (policy, limits) = (args.trust.policy(), args.limits.limits());
    let (mut archive, graph) = read(file, &limits)?;
    let head = skops::head(&mut archive, &mut limits.clone())?;
    let names = names_of(&graph, &policy);
    let refused = graph.untrusted(&policy);
    let mut left_unverified = false;
    let (graph, answer) = if !refused.is_empty() {
        let untrusted = Untrusted {
            entry: graph.entry().to_owned(),
            names: refused,
        };
        (graph, Err(untrusted.into()))
    } else if args.no_arrays {
        left_unverified = true;
        (graph, Ok(()))
    } else {
        // To be verified, the graph is used up: what is shown is read again.
        let answer = graph
            .trust(&policy)
            .map_err(Error::from)
            .and_then(|trusted| trusted.verify(&mut archive, &mut limits.clone()));
        (read(file, &limits)?.1, answer.map(drop))
    };
    let mut untrusted = HashMap::<NodeId, Vec<usize>>::new();
    let answered = Answered {
        left_unverified,
        ..Answered::new(args.file.clone(), answer.map_err(GateError::from))
    };
    if let Some(GateError::Model(Error::Untrusted(_))) = &answered.error {
        for reference in graph.references() {
            let name = graph.name(reference.global);
            if !policy.grants(name, reference.role)
                && let Ok(index) = names.binary_search_by(|known| known.name.as_str().cmp(name))
            {
                let known = untrusted.entry(reference.node).or_default();
                if !known.contains(&index) {
                    known.push(index);
                }
            }
        }
    }
    let broken = match &answered.error {
        Some(GateError::Model(Error::Unverified { at, what, .. })) => {
            let mut here = graph
                .ids()
                .filter(|&id| at.entry == graph.entry() && at.offset == Some(graph.place(id)));
            here.next().map(|id| (id, *what))
        }
        _ => None,
    };
    let seen = Seen {
        policy,
        limits,
        head,
        verifiers: verified_classes().collect(),
        graph,
        answered,
        names,
        untrusted,
        broken,
    };
    Ok((seen, archive))
}

fn read(file: &File, limits: &Limits) -> Result<(Archive<'static>, Graph), Error> {
    let mut limits = limits.clone();
    let mut archive = model::entries(file, &mut limits)?;
    let graph = skops::read(&mut archive, &mut limits)?;
    Ok((archive, graph))
}

/// Every name of code in the graph, sorted.
fn names_of(graph: &Graph, policy: &Policy) -> Vec<Used> {
    let mut names = BTreeMap::<&str, Used>::new();
    for reference in graph.references() {
        let (name, offset) = (graph.name(reference.global), graph.place(reference.node));
        let known = names.entry(name).or_insert_with(|| Used {
            name: name.to_owned(),
            role: reference.role,
            uses: 0,
            offset,
            trust: None,
        });
        known.uses += 1;
        known.role = known.role.max(reference.role);
        known.offset = known.offset.min(offset);
    }
    let mut names: Vec<Used> = names.into_values().collect();
    for name in &mut names {
        name.trust = policy.reason(&name.name, name.role);
    }
    names
}

/// Pieces of text, each in its colour.
type Pieces = Vec<(Paint, String)>;

/// What the file is, how large, and the answer.
fn header(
    out: &mut impl Write,
    style: Style,
    args: &Inspect,
    seen: &Seen,
    archive: &Archive<'_>,
) -> io::Result<()> {
    let mut fields = vec![("file", vec![(Paint::Strong, output::path(&args.file))])];
    fields.extend(facts(seen, archive));
    let (word, why) = answer(seen);
    fields.push((
        "answer",
        vec![
            (Paint::answer(seen.code()), word.to_owned()),
            (Paint::Plain, why),
        ],
    ));
    for (name, pieces) in fields {
        output::field(out, style, name, pieces)?;
    }
    Ok(())
}

/// What the file is, and how large.
fn facts(seen: &Seen, archive: &Archive<'_>) -> Vec<(&'static str, Pieces)> {
    let entries = archive.entries();
    let mut fields = Vec::new();
    let mut field = |name, pieces| fields.push((name, pieces));
    let writer = seen
        .head
        .version
        .as_deref()
        .map_or("nobody says which", |version| version);
    let text = format!(
        "skops protocol {}, written by skops {}",
        seen.head.protocol,
        clean(writer)
    );
    field("format", vec![(Paint::Plain, text)]);
    let mut methods: Vec<&str> = entries
        .iter()
        .map(nopickle_formats::archive::Entry::method)
        .collect();
    methods.sort_unstable();
    methods.dedup();
    let inside: u64 = entries
        .iter()
        .fold(0, |all, entry| all.saturating_add(entry.size));
    let text = format!(
        "{} in {}, {}: schema.json {}, arrays {}",
        output::bytes(archive.len()),
        counted(entries.len(), "entry", "entries"),
        methods.join(" and "),
        output::bytes(seen.head.schema_bytes),
        output::bytes(inside.saturating_sub(seen.head.schema_bytes)),
    );
    field("size", vec![(Paint::Plain, text)]);
    let text = format!(
        "{}, {}",
        counted(seen.graph.len(), "object", "objects"),
        counted(seen.graph.array_count(), "array", "arrays")
    );
    field("holds", vec![(Paint::Plain, text)]);
    let of = |trust| seen.names.iter().filter(|name| name.trust == trust).count();
    let all = counted(seen.names.len(), "name of code", "names of code");
    let mut names = vec![match seen.names.len() {
        0 => (Paint::Plain, "none: nothing in it is imported".to_owned()),
        _ => (
            Paint::Plain,
            format!(
                "{all}: {} trusted by default",
                count(of(Some("default")) as u64)
            ),
        ),
    }];
    if of(Some("added")) > 0 {
        names.push((
            Paint::Plain,
            format!(", {} by --trust", count(of(Some("added")) as u64)),
        ));
    }
    if of(None) > 0 {
        names.push((
            Paint::Bad,
            format!(", {} not trusted", count(of(None) as u64)),
        ));
    }
    field("names", names);
    fields
}

/// The answer in words, and its reason.
fn answer(seen: &Seen) -> (&'static str, String) {
    let code = seen.code();
    let (word, why) = match &seen.answered.error {
        None if seen.answered.left_unverified => (
            "trusted",
            ", and not verified, as --no-arrays asks".to_owned(),
        ),
        None => (exit::words(code), verified_words(seen)),
        Some(GateError::Model(Error::Untrusted(untrusted))) => {
            let names = counted(untrusted.names.len(), "name is", "names are");
            (
                exit::words(code),
                format!(": {names} not trusted; the values are not verified"),
            )
        }
        Some(error @ GateError::Model(Error::Unverified { .. })) => {
            (exit::words(code), format!(": {error}"))
        }
        Some(error) => (
            exit::words(code),
            format!(": not verified, because {error}"),
        ),
    };
    (word, clean_name(&why).into_owned())
}

fn verified_words(seen: &Seen) -> String {
    let classes = seen
        .names
        .iter()
        .filter(|name| seen.verified(&name.name))
        .count();
    match classes {
        0 => ": its classes have no values to verify".to_owned(),
        _ => format!(
            ": the values of {} were checked",
            counted(classes, "class", "classes")
        ),
    }
}

/// What was decided about a name.
fn decision(seen: &Seen, name: &Used) -> (Paint, &'static str) {
    match name.trust {
        None => (Paint::Bad, "not trusted"),
        Some("added") => (Paint::Doubt, "trusted by --trust"),
        Some(_) if seen.verified(&name.name) => (Paint::Good, "trusted, verified"),
        Some(_) => (Paint::Good, "trusted"),
    }
}

/// What the model does with a name, at most.
fn wanted(role: Role) -> &'static str {
    match role {
        Role::Value => "stands as a value",
        Role::Instance => "is made",
        Role::Call => "is called",
    }
}

/// The lower, the sooner somebody has to look.
fn rank(name: &Used) -> u8 {
    match name.trust {
        None => 0,
        Some("added") => 1,
        Some(_) => 2,
    }
}

/// The names of code in the model, those that are not trusted first.
fn by_rank(seen: &Seen) -> Vec<&Used> {
    let mut sorted: Vec<&Used> = seen.names.iter().collect();
    sorted.sort_by_key(|name| rank(name));
    sorted
}

/// Writes the names of code in the model.
fn names(out: &mut impl Write, style: Style, all: bool, seen: &Seen) -> io::Result<()> {
    const SHOWN: usize = 12;
    if seen.names.is_empty() {
        return Ok(());
    }
    writeln!(out)?;
    let sorted = by_rank(seen);
    let must = sorted.iter().filter(|name| rank(name) < 2).count();
    let shown = if all || sorted.len() <= SHOWN + 1 {
        sorted.len()
    } else {
        must.max(SHOWN)
    };
    let longest = sorted
        .iter()
        .take(shown)
        .map(|name| clean_name(&name.name).len())
        .max()
        .unwrap_or(0);
    for name in sorted.iter().take(shown) {
        let mut line = Line::default();
        let text = clean_name(&name.name);
        let (paint, words) = decision(seen, name);
        line.push(
            if name.trust.is_none() {
                Paint::Bad
            } else {
                Paint::Plain
            },
            format!("  {text:<longest$}"),
        );
        line.push(
            Paint::Faint,
            format!("  {:>5} x  ", count(name.uses as u64)),
        );
        line.push(paint, words);
        if name.trust.is_none() {
            line.push(
                Paint::Plain,
                format!(
                    ": {}, {}@{}",
                    wanted(name.role),
                    seen.graph.entry(),
                    name.offset
                ),
            );
            line.keep_whole();
        }
        line.write(out, style)?;
    }
    if shown < sorted.len() {
        let mut line = Line::default();
        line.push(
            Paint::Faint,
            format!(
                "  {} more, all trusted; --all shows them",
                count((sorted.len() - shown) as u64)
            ),
        );
        line.write(out, style)?;
    }
    Ok(())
}
