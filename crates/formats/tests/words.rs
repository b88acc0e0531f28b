//! The words of a refusal stand in `docs/formats`: searching for an error's text finds the rule and its code.

#![allow(missing_docs, reason = "a test")]

use std::fs;
use std::path::Path;

/// The string literals of a source that are words of a refusal: they have a space and start with a small letter.
fn words(source: &str) -> Vec<String> {
    let (code, _) = source
        .split_once("\n#[cfg(test)]\n")
        .unwrap_or((source, ""));
    let lines = code
        .lines()
        .filter(|line| !line.trim_start().starts_with("//") && !line.contains("reason = "));
    // Between quotes: every second piece. No literal of the readers holds a quote, and b'"' is taken out.
    let code = lines
        .collect::<Vec<_>>()
        .join("\n")
        .replace("'\"'", "")
        .replace("\\\"", "");
    code.split('"')
        .skip(1)
        .step_by(2)
        .filter(|text| {
            text.contains(' ') && text.starts_with(|first: char| first.is_ascii_lowercase())
        })
        .map(str::to_owned)
        .collect()
}

#[test]
fn every_refusal_of_a_reader_is_a_rule_of_its_format() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let docs: String = [
        "zip", "npy", "catboost", "lightgbm", "xgboost", "skops", "mlmodel",
    ]
    .map(|format| fs::read_to_string(root.join(format!("docs/formats/{format}.md"))).unwrap())
    .concat();
    let docs = docs.split_whitespace().collect::<Vec<_>>().join(" ");
    let mut found = 0;
    let mut missing = Vec::new();
    let mut todo: Vec<_> = [
        "archive", "catboost", "lightgbm", "mlflow", "npy", "scan", "skops", "xgboost",
    ]
    .map(|folder| root.join("crates/formats/src").join(folder))
    .into();
    while let Some(path) = todo.pop() {
        if path.is_dir() {
            todo.extend(
                fs::read_dir(path)
                    .unwrap()
                    .map(|entry| entry.unwrap().path()),
            );
            continue;
        }
        for text in words(&fs::read_to_string(&path).unwrap()) {
            found += 1;
            if !docs.contains(&text) {
                missing.push(format!("{}: {text}", path.display()));
            }
        }
    }
    assert!(
        found > 100,
        "only {found} refusals were found in the sources"
    );
    assert!(
        missing.is_empty(),
        "not in docs/formats:\n{}",
        missing.join("\n")
    );
}
