//! `nopickle policy`: check a policy file, explain what it decides about a model, begin one.

use std::io::{self, Write};
use std::path::Path;

use nopickle_gate::{Asked, CodeRule, Error, Explained, Policy};
use serde::Serialize;

use crate::args::{PolicyCheck, PolicyCommand, PolicyExplain, PolicyInit};
use crate::exit;
use crate::output::{self, clean_name, counted};

pub(crate) fn run(command: &PolicyCommand) -> io::Result<u8> {
    match command {
        PolicyCommand::Check(args) => check(args),
        PolicyCommand::Explain(args) => explain(args),
        PolicyCommand::Init(args) => init(args),
    }
}

#[derive(Serialize)]
struct CheckJson<'a> {
    schema: u8,
    file: String,
    valid: bool,
    error: Option<String>,
    pickle: Option<&'static str>,
    code: Option<&'static str>,
    extend: Option<bool>,
    names: usize,
    keys: usize,
    digests: usize,
    warnings: &'a [WarningJson],
}

#[derive(Serialize)]
struct WarningJson {
    place: String,
    what: String,
}

fn check(args: &PolicyCheck) -> io::Result<u8> {
    let read = Policy::read(&args.file);
    let doubts = read.as_ref().map(Policy::doubts).unwrap_or_default();
    let warnings: Vec<WarningJson> = doubts
        .into_iter()
        .map(|(place, what)| WarningJson { place, what })
        .collect();
    let code = match &read {
        Ok(_) => exit::FINE,
        // Without a place the file was not read at all.
        Err(Error::Policy { at, .. }) if at.line.is_some() => exit::REFUSED,
        Err(_) => exit::UNANSWERED,
    };
    let out = &mut io::stdout().lock();
    if args.json {
        let policy = read.as_ref().ok();
        let word = |policy: &Policy| if policy.pickle() { "allow" } else { "deny" };
        let answer = CheckJson {
            schema: 1,
            file: args.file.to_string_lossy().into_owned(),
            valid: policy.is_some(),
            error: read.as_ref().err().map(ToString::to_string),
            pickle: policy.map(word),
            code: policy.map(|policy| policy.code().word()),
            extend: policy.map(Policy::extends),
            names: policy.map_or(0, |policy| policy.names().len()),
            keys: policy.map_or(0, |policy| policy.all_keys().len()),
            digests: policy.map_or(0, |policy| policy.all_digests().len()),
            warnings: &warnings,
        };
        serde_json::to_writer(&mut *out, &answer)?;
        out.write_all(b"\n")?;
        return Ok(code);
    }
    match &read {
        Ok(policy) => writeln!(
            out,
            "{}: well formed: {}, {}, {}",
            output::path(&args.file),
            counted(policy.names().len(), "name", "names"),
            counted(policy.all_keys().len(), "key", "keys"),
            counted(policy.all_digests().len(), "digest", "digests"),
        )?,
        Err(error) => output::complain_of_gate(error)?,
    }
    for warning in &warnings {
        let (place, what) = (clean_name(&warning.place), clean_name(&warning.what));
        writeln!(out, "{place}: warning: {what}")?;
    }
    Ok(code)
}

#[derive(Serialize)]
struct ExplainJson<'a> {
    schema: u8,
    model: String,
    format: &'a str,
    entry: Option<&'a str>,
    granted: bool,
    pickle_refused_by: Option<&'a str>,
    code: Option<CodeJson<'a>>,
    names: Vec<NameJson<'a>>,
}

#[derive(Serialize)]
struct CodeJson<'a> {
    path: &'a str,
    used: bool,
    why: Option<&'a str>,
}

#[derive(Serialize)]
struct NameJson<'a> {
    name: &'a str,
    role: &'static str,
    uses: usize,
    entry: &'a str,
    offset: u64,
    granted: bool,
    rule: &'static str,
    why: String,
    /// What would grant it; none where it is granted.
    argument: Option<String>,
    policy: Option<String>,
}

fn explain(args: &PolicyExplain) -> io::Result<u8> {
    let policy = args.trust.decided(&args.limits);
    let explained = match nopickle_gate::explain(&args.model, &policy) {
        Ok(explained) => explained,
        Err(error) => return failed(&args.model, &error),
    };
    let code = if explained.granted() {
        exit::FINE
    } else {
        exit::REFUSED
    };
    let out = &mut io::stdout().lock();
    if args.json {
        explain_json(out, &args.model, &explained)?;
        return Ok(code);
    }
    writeln!(out, "{}: {}", output::path(&args.model), explained.format)?;
    if let Some(why) = &explained.pickle {
        writeln!(out, "  refused: it is a pickle, and {}", clean_name(why))?;
    }
    if let Some((path, rule)) = &explained.code {
        let words = match rule {
            CodeRule::Refused(why) => format!("not used: {why}"),
            CodeRule::Used(_) | CodeRule::None => "used".to_owned(),
        };
        writeln!(
            out,
            "  code in {}: {}",
            clean_name(path),
            clean_name(&words)
        )?;
    }
    let by_default = explained
        .asked
        .iter()
        .filter(|one| one.rule.word() == "default")
        .count();
    let all = counted(explained.asked.len(), "name of code", "names of code");
    writeln!(
        out,
        "  {all}, {} on the default list",
        output::count(by_default as u64)
    )?;
    for one in explained
        .asked
        .iter()
        .filter(|one| one.rule.word() != "default")
    {
        let granted = if one.rule.grants() {
            "granted"
        } else {
            "refused"
        };
        writeln!(
            out,
            "  {granted}  {} ({}, {}@{}): {}",
            clean_name(&one.name),
            one.role.word(),
            explained.graph,
            one.offset,
            clean_name(&one.rule.to_string()),
        )?;
    }
    let refused: Vec<&Asked> = explained
        .asked
        .iter()
        .filter(|one| !one.rule.grants())
        .collect();
    if !refused.is_empty() {
        writeln!(
            out,
            "\nOnce you have read their code, grant them for one run:\n"
        )?;
        for one in &refused {
            writeln!(out, "  --trust {}", argument(&one.name))?;
        }
        writeln!(out, "\nor in a policy:\n")?;
        for one in &refused {
            writeln!(out, "{}", one.entry_lines())?;
        }
    }
    Ok(code)
}

/// A name as a shell takes it.
fn argument(name: &str) -> String {
    output::shell(Path::new(name))
}

fn explain_json(out: &mut impl Write, model: &Path, explained: &Explained) -> io::Result<()> {
    let name = |one: &'_ Asked| -> (bool, Option<String>, Option<String>) {
        let granted = one.rule.grants();
        (
            granted,
            (!granted).then(|| format!("--trust {}", argument(&one.name))),
            (!granted).then(|| one.entry_lines()),
        )
    };
    let names = explained.asked.iter().map(|one| {
        let (granted, argument, policy) = name(one);
        NameJson {
            name: &one.name,
            role: one.role.word(),
            uses: one.uses,
            entry: &explained.graph,
            offset: one.offset,
            granted,
            rule: one.rule.word(),
            why: one.rule.to_string(),
            argument,
            policy,
        }
    });
    let answer = ExplainJson {
        schema: 1,
        model: model.to_string_lossy().into_owned(),
        format: &explained.format,
        entry: explained.entry.as_deref(),
        granted: explained.granted(),
        pickle_refused_by: explained.pickle.as_deref(),
        code: explained.code.as_ref().map(|(path, rule)| CodeJson {
            path,
            used: matches!(rule, CodeRule::Used(_)),
            why: match rule {
                CodeRule::Refused(why) => Some(why),
                CodeRule::Used(_) | CodeRule::None => None,
            },
        }),
        names: names.collect(),
    };
    serde_json::to_writer(&mut *out, &answer)?;
    out.write_all(b"\n")
}

#[derive(Serialize)]
struct InitJson {
    schema: u8,
    model: String,
    policy: String,
}

fn init(args: &PolicyInit) -> io::Result<u8> {
    let policy = args.trust.decided(&args.limits);
    let explained = match nopickle_gate::explain(&args.model, &policy) {
        Ok(explained) => explained,
        Err(error) => return failed(&args.model, &error),
    };
    let policy = nopickle_gate::entries_for(&explained);
    let out = &mut io::stdout().lock();
    if args.json {
        let model = args.model.to_string_lossy().into_owned();
        let answer = InitJson {
            schema: 1,
            model,
            policy,
        };
        serde_json::to_writer(&mut *out, &answer)?;
        out.write_all(b"\n")?;
    } else {
        out.write_all(policy.as_bytes())?;
    }
    Ok(exit::FINE)
}

fn failed(model: &Path, error: &Error) -> io::Result<u8> {
    match error {
        Error::Model(_) => {
            output::complain(model, error)?;
            Ok(exit::gate_code(error))
        }
        error => {
            output::complain_of_gate(error)?;
            Ok(exit::gate_code(error))
        }
    }
}
