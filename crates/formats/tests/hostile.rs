//! Each file of `cases/hostile` is refused with the kind of error and the words of `expected.toml`.

#![cfg(test)]
#![allow(missing_docs, reason = "a test")]

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use nopickle_formats::archive::{self, Source};
use nopickle_formats::{Error, Limits, Policy, skops};

fn folder(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../..")
        .join(path)
}

/// Small enough that a bomb of 2 MB is one.
fn small_limits() -> Limits {
    Limits {
        entries: 100_000,
        inflated_bytes: 1 << 20,
        array_bytes: 1 << 20,
        schema_bytes: 1 << 20,
        text_bytes: 64 << 10,
        booster_bytes: 1 << 20,
        depth: 200,
        nodes: 20_000,
        reread_bytes: 1 << 20,
    }
}

/// The whole line: bytes, archive, graph, names, values.
fn load(source: Source<'_>, mut limits: Limits) -> Result<(), Error> {
    let mut archive = archive::open(source, &mut limits)?;
    let graph = skops::read(&mut archive, &mut limits)?;
    graph
        .trust(&Policy::default())?
        .verify(&mut archive, &mut limits)?;
    Ok(())
}

fn kind(error: &Error) -> &'static str {
    match error {
        Error::Malformed { .. } => "malformed",
        Error::Unsupported { .. } => "unsupported",
        Error::Limit { .. } => "limit",
        Error::Untrusted(_) => "untrusted",
        Error::Unverified { .. } => "unverified",
        Error::Io(_) => "io",
    }
}

struct Case {
    name: String,
    kind: String,
    says: String,
    small_limits: bool,
}

/// The lines `"name" = { kind = "...", says = "...", with = "..." }` of `expected.toml`.
fn cases() -> Vec<Case> {
    let text = fs::read_to_string(folder("cases/hostile/expected.toml")).unwrap();
    let between = |line: &str, before: &str| -> Option<String> {
        let (_, rest) = line.split_once(before)?;
        Some(rest.split_once('"')?.0.to_owned())
    };
    text.lines()
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
        .map(|line| {
            let kind = between(line, "{ kind = \"").unwrap_or_else(|| panic!("no kind: {line}"));
            let with = between(line, ", with = \"").unwrap_or_default();
            Case {
                name: between(line, "\"").unwrap(),
                // Refused by the Python class itself, which is not here.
                kind: if with == "Python" {
                    "loads".to_owned()
                } else {
                    kind
                },
                says: between(line, ", says = \"")
                    .filter(|_| with != "Python")
                    .unwrap_or_default(),
                small_limits: with == "small limits",
            }
        })
        .collect()
}

#[test]
fn every_hostile_file_is_refused_in_its_own_words() {
    let mut wrong = String::new();
    let cases = cases();
    for case in &cases {
        let path = folder("cases/hostile").join(&case.name);
        let bytes = fs::read(&path).unwrap();
        let mut answers = vec![
            load(Source::Bytes(&bytes), small_limits()),
            load(Source::File(fs::File::open(&path).unwrap()), small_limits()),
        ];
        if !case.small_limits {
            answers.push(load(Source::Bytes(&bytes), Limits::default()));
        }
        for answer in answers {
            let (found, words) = match &answer {
                Ok(()) => ("loads", String::new()),
                Err(error) => (kind(error), error.to_string()),
            };
            let as_expected = found == case.kind
                && words.contains(&case.says)
                && (found == "loads" || !case.says.is_empty());
            if !as_expected {
                writeln!(
                    wrong,
                    "{}\n  expected {}: {}\n  found    {found}: {words}",
                    case.name, case.kind, case.says
                )
                .unwrap();
                break;
            }
        }
    }
    assert!(cases.len() > 150, "{} cases", cases.len());
    assert!(wrong.is_empty(), "\n{wrong}");
}

#[test]
fn every_file_has_a_line() {
    let mut files = BTreeSet::new();
    for group in fs::read_dir(folder("cases/hostile")).unwrap() {
        let group = group.unwrap();
        if !group.file_type().unwrap().is_dir() {
            continue;
        }
        for file in fs::read_dir(group.path()).unwrap() {
            let name = file.unwrap().file_name();
            files.insert(format!(
                "{}/{}",
                group.file_name().display(),
                name.display()
            ));
        }
    }
    files.retain(|name| {
        Path::new(name)
            .extension()
            .is_some_and(|end| end == "skops")
    });
    let lines: BTreeSet<String> = cases().into_iter().map(|case| case.name).collect();
    assert_eq!(lines, files);
}

#[test]
fn a_file_that_is_cut_anywhere_is_refused() {
    for name in [
        "zip/good_stored.skops",
        "zip/good_deflated.skops",
        "zip/good_descriptor.skops",
        "zip/good_zip64_end.skops",
    ] {
        let bytes = fs::read(folder("cases/hostile").join(name)).unwrap();
        load(Source::Bytes(&bytes), small_limits()).unwrap();
        for end in 0..bytes.len() {
            let error = load(Source::Bytes(&bytes[..end]), small_limits()).unwrap_err();
            assert_eq!(kind(&error), "malformed", "{name} cut at {end}: {error}");
        }
    }
}

#[test]
fn a_changed_byte_is_refused_or_changes_nothing() {
    // What a byte may say and no reader looks at: versions, times, attributes.
    let bytes = fs::read(folder("cases/hostile/zip/good_stored.skops")).unwrap();
    let mut accepted = 0;
    for at in 0..bytes.len() {
        for flip in [1, 0x80, 0xFF] {
            let mut changed = bytes.clone();
            changed[at] ^= flip;
            accepted += usize::from(load(Source::Bytes(&changed), small_limits()).is_ok());
        }
    }
    // Per entry: version and time in the local header (8 bytes), versions, time and attributes in the directory (16).
    assert!(
        accepted <= 3 * 2 * 24,
        "{accepted} of {} changes are accepted",
        3 * bytes.len()
    );
}

/// The least that a limit may be for a good file to load, and what refuses less.
fn least(bytes: &[u8], set: fn(&mut Limits, u64)) -> (u64, String) {
    let with = |limit: u64| {
        let mut limits = Limits::default();
        set(&mut limits, limit);
        load(Source::Bytes(bytes), limits)
    };
    let (mut refused, mut loads) = (0, 1 << 20);
    with(loads).unwrap();
    while loads.saturating_sub(refused) > 1 {
        let middle = u64::midpoint(refused, loads);
        match with(middle) {
            Ok(()) => loads = middle,
            Err(_) => refused = middle,
        }
    }
    (loads, with(refused).unwrap_err().to_string())
}

#[test]
fn each_part_of_a_file_is_paid_for() {
    type Row = (fn(&mut Limits, u64), u64, &'static str);
    let bytes = fs::read(folder("cases/models/skops_0.16.0_data/model.skops")).unwrap();
    let mut limits = Limits::default();
    let mut archive = archive::open(Source::Bytes(&bytes), &mut limits).unwrap();
    let nodes = skops::read(&mut archive, &mut limits).unwrap().len();
    // As Python's zipfile and json count: entries, the data of all arrays and bytes, what is inflated, levels below
    // the first.
    let rows: [Row; 6] = [
        (
            |limits, most| limits.entries = most,
            44,
            "number of entries",
        ),
        (
            |limits, most| limits.array_bytes = most,
            3007,
            "size of arrays",
        ),
        (
            |limits, most| limits.inflated_bytes = most,
            2913,
            "inflated size",
        ),
        (
            |limits, most| limits.schema_bytes = most,
            41_702,
            "size of schema.json",
        ),
        (
            |limits, most| limits.nodes = most,
            u64::try_from(nodes).unwrap(),
            "number of nodes",
        ),
        (|limits, most| limits.depth = most, 9, "nesting of JSON"),
    ];
    for (set, expected, words) in rows {
        let (least, refusal) = least(&bytes, set);
        assert!(refusal.contains(words), "{words}: {refusal}");
        // Nodes that stand twice are paid for twice.
        let enough = words == "number of nodes" && least > expected;
        assert!(
            least == expected || enough,
            "{words}: {least}, not {expected}"
        );
    }
}
