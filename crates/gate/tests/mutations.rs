//! Damaged files of each kind end as a model or as an error: no crash, no hang.
//!
//! Every file is a good one with a few changes that are drawn from its number, so that a number always gives the same
//! file. `MUTATIONS=10000 cargo test --release -p nopickle-gate --test mutations` for a long run; with
//! `MUTATION=zip:17` one file.

#![cfg(test)]
#![allow(missing_docs, reason = "a test")]
#![allow(
    clippy::arithmetic_side_effects,
    clippy::as_conversions,
    clippy::case_sensitive_file_extension_comparisons,
    clippy::cast_possible_truncation,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a test"
)]

use std::collections::BTreeMap;
use std::fs;
use std::io::Read as _;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use nopickle_formats::archive::{self, Compression, Folder, Source, ZipWriter};
use nopickle_formats::mlflow::{MlModel, requirements};
use nopickle_formats::{Error, Limits, Role, skops};
use nopickle_gate::Policy;

/// Files of each kind in an everyday run.
const FILES: u64 = 400;

/// One file may take this long before the run is ended.
const HANG: Duration = Duration::from_secs(20);

/// `SplitMix64`: small, and the same everywhere.
struct Draw(u64);

impl Draw {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number below `end`, which is not 0.
    fn below(&mut self, end: usize) -> usize {
        (self.next() % end as u64) as usize
    }

    fn one<T: Copy>(&mut self, of: &[T]) -> T {
        of[self.below(of.len())]
    }
}

fn root(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../..")
        .join(path)
}

fn outcome<T>(answer: &Result<T, Error>) -> &'static str {
    match answer {
        Ok(_) => "read",
        Err(Error::Malformed { .. }) => "malformed",
        Err(Error::Unsupported { .. }) => "unsupported",
        Err(Error::Limit { .. }) => "limit",
        Err(Error::Untrusted(_)) => "untrusted",
        Err(Error::Unverified { .. }) => "unverified",
        Err(Error::Io(_)) => "io",
    }
}

/// Makes and reads the files of a kind, and counts what became of them.
fn run(kind: &str, mut one: impl FnMut(&mut Draw) -> &'static str) {
    let files = std::env::var("MUTATIONS").map_or(FILES, |text| text.parse().unwrap());
    let mut numbers = 0..files;
    if let Ok(text) = std::env::var("MUTATION") {
        let (of, number) = text.split_once(':').unwrap();
        let number: u64 = number.parse().unwrap();
        numbers = if of == kind { number..number + 1 } else { 0..0 };
    }
    // A hang ends the process with the number of its file.
    let (alive, watched) = mpsc::channel::<u64>();
    let name = kind.to_owned();
    let watch = std::thread::spawn(move || {
        let mut number = 0;
        loop {
            match watched.recv_timeout(HANG) {
                Ok(next) => number = next,
                Err(mpsc::RecvTimeoutError::Disconnected) => return,
                Err(mpsc::RecvTimeoutError::Timeout) => {
                    eprintln!("MUTATION={name}:{number} hangs");
                    std::process::abort();
                }
            }
        }
    });
    let mut counts = BTreeMap::<&str, u64>::new();
    let mut slowest = (Duration::ZERO, 0);
    for number in numbers.clone() {
        alive.send(number).unwrap();
        let start = Instant::now();
        let answer = catch_unwind(AssertUnwindSafe(|| one(&mut Draw(number))));
        slowest = slowest.max((start.elapsed(), number));
        let answer = answer.unwrap_or_else(|_| panic!("MUTATION={kind}:{number} crashes"));
        *counts.entry(answer).or_default() += 1;
    }
    drop(alive);
    watch.join().unwrap();
    let (time, number) = slowest;
    println!("{kind}: {counts:?}; the slowest is number {number}, {time:?}");
    if numbers.end - numbers.start >= FILES {
        // Changes that nobody notices, or that nothing survives, would test little.
        let read = counts.get("read").copied().unwrap_or(0);
        assert!(read > files / 100 && read < files / 2, "{counts:?}");
    }
}

fn policy(text: &str) -> Result<Policy, nopickle_gate::Error> {
    Policy::parse(text, Path::new("policy.toml"))
}

/// The whole line: bytes, archive, graph, names, values.
fn load(source: Source<'_>) -> Result<(), Error> {
    let limits = &mut Limits {
        inflated_bytes: 1 << 26,
        array_bytes: 1 << 26,
        nodes: 1 << 20,
        ..Limits::default()
    };
    let mut archive = archive::open(source, limits)?;
    let graph = skops::read(&mut archive, limits)?;
    let names = policy("").unwrap().to_names();
    graph.trust(&names)?.verify(&mut archive, limits)?;
    Ok(())
}

/// Name and bytes of each entry of a good file.
type Entries = Vec<(String, Vec<u8>)>;

fn u16_at(bytes: &[u8], at: usize) -> usize {
    usize::from(u16::from_le_bytes([bytes[at], bytes[at + 1]]))
}

fn u32_at(bytes: &[u8], at: usize) -> usize {
    u16_at(bytes, at) | (u16_at(bytes, at + 2) << 16)
}

/// Takes a good zip apart.
fn entries(zip: &[u8]) -> Entries {
    let end = zip.len() - 22;
    assert_eq!(&zip[end..end + 4], b"PK\x05\x06");
    let mut at = u32_at(zip, end + 16);
    let mut found = Vec::new();
    for _ in 0..u16_at(zip, end + 10) {
        let (method, packed) = (u16_at(zip, at + 10), u32_at(zip, at + 20));
        let lengths = [28, 30, 32].map(|field| u16_at(zip, at + field));
        let local = u32_at(zip, at + 42);
        let data = local + 30 + u16_at(zip, local + 26) + u16_at(zip, local + 28);
        let data = &zip[data..data + packed];
        let mut bytes = Vec::new();
        match method {
            0 => bytes.extend_from_slice(data),
            8 => {
                let mut inflate = flate2::read::DeflateDecoder::new(data);
                inflate.read_to_end(&mut bytes).unwrap();
            }
            _ => panic!("method {method}"),
        }
        let name = zip[at + 46..at + 46 + lengths[0]].to_vec();
        found.push((String::from_utf8(name).unwrap(), bytes));
        at += 46 + lengths.iter().sum::<usize>();
    }
    found
}

/// The skops files of `cases/models`.
fn models() -> Vec<Entries> {
    let mut files: Vec<PathBuf> = fs::read_dir(root("cases/models"))
        .unwrap()
        .map(|entry| entry.unwrap().path().join("model.skops"))
        .filter(|path| path.is_file())
        .collect();
    files.sort();
    assert!(files.len() > 20);
    files
        .iter()
        .map(|path| entries(&fs::read(path).unwrap()))
        .collect()
}

fn written(entries: &Entries) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut zip = ZipWriter::new(&mut bytes, Compression::Stored);
    for (name, data) in entries {
        zip.entry(name, &[], &[data]).unwrap();
    }
    zip.finish().unwrap();
    bytes
}

/// Numbers that readers stumble over.
const NUMBERS: [u64; 14] = [
    0,
    1,
    2,
    7,
    20,
    0x7f,
    0xff,
    0x7fff,
    0xffff,
    0x7fff_ffff,
    0xffff_fffe,
    0xffff_ffff,
    u64::MAX >> 1,
    u64::MAX,
];

/// Puts one of [`NUMBERS`] into the place of what stands there.
fn change_number(draw: &mut Draw, bytes: &mut [u8], at: usize, wide: usize) {
    let number = draw.one(&NUMBERS).to_le_bytes();
    for (byte, new) in bytes.iter_mut().skip(at).zip(&number[..wide]) {
        *byte = *new;
    }
}

/// Changes some bytes to others.
fn change_bytes(draw: &mut Draw, bytes: &mut Vec<u8>) {
    let at = draw.below(bytes.len() + 1);
    match draw.below(5) {
        0 if at < bytes.len() => bytes[at] ^= 1 << draw.below(8),
        1 => bytes.truncate(at),
        2 => bytes.insert(at, draw.next() as u8),
        3 => {
            let end = (at + 1 + draw.below(16)).min(bytes.len());
            bytes.drain(at.min(end)..end);
        }
        _ => {
            let wide = draw.one(&[1, 2, 4, 8]);
            change_number(draw, bytes, at, wide);
        }
    }
}

/// Changes a text: its lines, its letters, what stands behind a key.
fn change_text(draw: &mut Draw, text: &mut String, words: &[&str]) {
    let mut lines: Vec<String> = text.split_inclusive('\n').map(str::to_owned).collect();
    if lines.is_empty() {
        lines.push(String::new());
    }
    let (one, other) = (draw.below(lines.len()), draw.below(lines.len()));
    let starts: Vec<usize> = lines[one].char_indices().map(|(at, _)| at).collect();
    let at = match starts.len() {
        0 => 0,
        _ => draw.one(&starts),
    };
    let again = lines[one].clone();
    let line = &mut lines[one];
    match draw.below(9) {
        0 => drop(lines.remove(one)),
        1 => lines.insert(other, again),
        2 => lines.swap(one, other),
        3 => line.insert_str(0, draw.one(&["  ", "\t"])),
        4 => *line = line.trim_start().to_owned(),
        5 => line.insert_str(at, draw.one(words)),
        6 => {
            let cut = line.find([':', '=']).map_or(at, |cut| cut + 1);
            line.truncate(cut);
            line.push(' ');
            line.push_str(draw.one(words));
            line.push('\n');
        }
        7 => line.truncate(at),
        _ => line.insert(
            at,
            draw.one(&[
                '\0',
                '\u{7f}',
                '\r',
                '"',
                '\'',
                '[',
                '{',
                '#',
                '\u{202e}',
                '\u{10ffff}',
            ]),
        ),
    }
    *text = lines.concat();
}

/// Changes an npy: its header, its elements, its bytes.
fn change_npy(draw: &mut Draw, npy: &mut Vec<u8>) {
    const DTYPES: [&str; 16] = [
        "'<f8'",
        "'>f8'",
        "'<f4'",
        "'<i8'",
        "'<i4'",
        "'|O'",
        "'|S0'",
        "'<U99999999'",
        "'|V8'",
        "'|b1'",
        "'<c16'",
        "'<M8[ns]'",
        "'f8'",
        "[('a', '<f8')]",
        "[('a', '|O')]",
        "'<f8'*9",
    ];
    const SHAPES: [&str; 10] = [
        "()",
        "(0,)",
        "(1,)",
        "(3, 0)",
        "(-1,)",
        "(18446744073709551616,)",
        "(4294967296, 4294967296)",
        "(1, 2, 3)",
        "(99999999999,)",
        "(1 ,",
    ];
    if npy.len() < 12 || draw.below(8) == 0 {
        return change_bytes(draw, npy);
    }
    let end = (10 + u16_at(npy, 8)).min(npy.len());
    let mut header = String::from_utf8_lossy(&npy[10..end]).into_owned();
    let mut body = npy[end..].to_vec();
    let mut value = |key: &str, until: &str, new: &str| {
        let start = header.find(key)? + key.len();
        let length = header[start..].find(until)?;
        header.replace_range(start..start + length, new);
        Some(())
    };
    match draw.below(5) {
        0 => drop(value("'descr': ", ", 'fortran", draw.one(&DTYPES))),
        1 => drop(value("'shape': ", ", }", draw.one(&SHAPES))),
        2 => {
            let words = ["True", "False", "'descr': '<f8', ", "1", "None"];
            change_text(draw, &mut header, &words);
        }
        // Elements keep their number, so that their values are looked at.
        3 if body.len() >= 8 => {
            let wide = draw.one(&[1, 4, 8]);
            let at = draw.below(body.len() / wide) * wide;
            change_number(draw, &mut body, at, wide);
        }
        _ => change_bytes(draw, &mut body),
    }
    npy.truncate(8);
    npy.extend((header.len() as u16).to_le_bytes());
    npy.extend(header.as_bytes());
    npy.extend(body);
}

#[test]
fn arrays() {
    let models: Vec<Entries> = models()
        .into_iter()
        .filter(|model| model.iter().any(|(name, _)| name.ends_with(".npy")))
        .collect();
    run("npy", |draw| {
        let mut model = models[draw.below(models.len())].clone();
        let arrays: Vec<usize> = (0..model.len())
            .filter(|&index| model[index].0.ends_with(".npy"))
            .collect();
        for _ in 0..=draw.below(3) {
            let index = draw.one(&arrays);
            change_npy(draw, &mut model[index].1);
        }
        outcome(&load(Source::Bytes(&written(&model))))
    });
}

#[test]
fn archives() {
    const NAMES: [&str; 9] = [
        "../x",
        "/x",
        "SCHEMA.JSON",
        "schema.json",
        "a\\b",
        "a//b",
        "",
        "x\u{0}",
        "C:x",
    ];
    let models = models();
    run("zip", |draw| {
        let mut model = models[draw.below(models.len())].clone();
        // Changes of entries: sizes and checksums are right again.
        for _ in 0..draw.below(3) {
            let (one, other) = (draw.below(model.len()), draw.below(model.len()));
            match draw.below(6) {
                0 => model.swap(one, other),
                1 if model.len() > 1 => drop(model.remove(one)),
                2 => model.insert(other, model[one].clone()),
                3 => model[one].0 = draw.one(&NAMES).to_owned(),
                4 => model[one].1 = model[other].1.clone(),
                _ => change_bytes(draw, &mut model[one].1),
            }
        }
        // Changes of the records.
        let mut zip = written(&model);
        let records: Vec<usize> = (0..zip.len() - 4)
            .filter(|&at| zip[at..].starts_with(b"PK") && zip[at + 2] < 9)
            .collect();
        for _ in 0..draw.below(3) {
            let (from, to) = (draw.one(&records), draw.one(&records));
            let field = from + draw.below(46);
            match draw.below(4) {
                0 => change_bytes(draw, &mut zip),
                1 if from.max(to) + 46 < zip.len() => zip.copy_within(from..from + 46, to),
                2 => {
                    if let Some(byte) = zip.get_mut(field) {
                        *byte = byte.wrapping_add(1);
                    }
                }
                _ => {
                    let wide = draw.one(&[1, 2, 4]);
                    change_number(draw, &mut zip, field, wide);
                }
            }
        }
        outcome(&load(Source::Bytes(&zip)))
    });
}

/// The way of a model folder: its `MLmodel`, the model that a flavor names, and that one's line.
fn load_folder(path: &Path) -> Result<(), Error> {
    let limits = &mut Limits::default();
    let folder = Folder::open(path)?;
    let model = MlModel::open(&folder, limits)?;
    let again = MlModel::read(model.write().as_bytes(), &mut Limits::default());
    assert_eq!(again.unwrap().write(), model.write());
    let known = ["sklearn", "lightgbm", "python_function"]
        .into_iter()
        .find(|flavor| model.flavor(flavor).is_some());
    let payload = model.payload(&folder, known.unwrap_or("sklearn"), limits)?;
    match &payload.entry {
        Some(entry) if entry.ends_with(".skops") => load(Source::File(folder.file(entry)?)),
        _ => Ok(()),
    }
}

/// Copies a folder, links left out.
fn copy(from: &Path, to: &Path) {
    fs::create_dir(to).unwrap();
    for entry in fs::read_dir(from).unwrap().map(Result::unwrap) {
        let path = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &path);
        } else {
            fs::copy(entry.path(), path).unwrap();
        }
    }
}

#[test]
fn folders() {
    const WORDS: [&str; 24] = [
        "!!python/object:os.system",
        "&a",
        "*a",
        "<<: {}",
        "{",
        "[",
        "|",
        "> ",
        "---",
        "...",
        "%YAML 1.1",
        "'",
        "\"",
        "../..",
        "/etc/passwd",
        "model.skops",
        "1e999",
        "0o7",
        "0x1f",
        "99999999999999999999999",
        "null",
        "~",
        "-r other.txt",
        "x @ file:///x",
    ];
    const TEXTS: [&str; 4] = [
        "MLmodel",
        "requirements.txt",
        "conda.yaml",
        "python_env.yaml",
    ];
    let folder = tempfile::tempdir().unwrap();
    let mut sources: Vec<PathBuf> = fs::read_dir(root("cases/models"))
        .unwrap()
        .map(|entry| entry.unwrap().path().join("model"))
        .filter(|path| path.join("MLmodel").is_file())
        .collect();
    sources.sort();
    assert!(sources.len() > 10);
    let mut models: Vec<PathBuf> = Vec::new();
    for source in &sources {
        let to = folder.path().join(models.len().to_string());
        copy(source, &to);
        // Names that are not trusted are the worst that these hold.
        assert!(matches!(
            load_folder(&to),
            Ok(()) | Err(Error::Untrusted(_))
        ));
        models.push(to);
    }
    run("mlflow", |draw| {
        let path = &models[draw.below(models.len())];
        // The MLmodel more often than the others.
        let name = TEXTS[draw.below(TEXTS.len() * 2).saturating_sub(TEXTS.len())];
        let good = fs::read_to_string(path.join(name)).unwrap();
        let mut text = good.clone();
        for _ in 0..=draw.below(3) {
            change_text(draw, &mut text, &WORDS);
        }
        fs::write(path.join(name), &text).unwrap();
        let answer = catch_unwind(|| outcome(&load_folder(path)));
        fs::write(path.join(name), good).unwrap();
        if let Ok(found) = requirements(&text, name) {
            let lines: Vec<String> = found.iter().map(ToString::to_string).collect();
            assert_eq!(requirements(&lines.join("\n"), name).unwrap(), found);
        }
        answer.unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    });
}

#[test]
fn policies() {
    const GOOD: &str = r#"pickle = "deny"
code = "pinned"
extend = true

[limits]
inflated_bytes = 1000000
depth = 100

[[types]]
name = "my_package.features.Encoder"
role = "instance"
reason = "read by us"
until = 2999-12-31

[[functions]]
name = "my_package.features.identity"
reason = "read by us"

[[digests]]
path = "model.skops"
sha256 = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
reason = "the model of May"
"#;
    const WORDS: [&str; 20] = [
        "\"allow\"",
        "\"deny\"",
        "true",
        "1",
        "-1",
        "1e9",
        "9223372036854775808",
        "[]",
        "{}",
        "[[types]]",
        "[types]",
        "\"\"\"",
        "\"\\u0000\"",
        "\"os.system\"",
        "2026-02-30",
        "2026-01-01T00:00:00Z",
        "nan",
        "\"../x\"",
        "name = \"a.b\"",
        "\"*\"",
    ];
    policy(GOOD).unwrap();
    run("policy", |draw| {
        let mut text = GOOD.to_owned();
        for _ in 0..=draw.below(3) {
            change_text(draw, &mut text, &WORDS);
        }
        match policy(&text) {
            Ok(policy) => {
                // What it does not name it does not grant.
                let names = policy.to_names();
                for name in ["posix.system", "my_package.features.Other"] {
                    for role in [Role::Value, Role::Instance, Role::Call] {
                        assert!(!policy.grants(name, role) && !names.grants(name, role));
                    }
                }
                "read"
            }
            Err(error) => {
                assert!(error.to_string().contains("policy.toml"), "{error}");
                "refused"
            }
        }
    });
}
