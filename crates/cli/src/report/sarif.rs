//! Findings as SARIF 2.1.0: <https://docs.oasis-open.org/sarif/sarif/v2.1.0/sarif-v2.1.0.html>.
//!
//! Nothing of the machine or the clock is in it: the same models give the same bytes.

use std::fmt::Write as _;
use std::io::{self, Write};
use std::path::{Component, Path, PathBuf};

use serde_json::{Value, json};

use super::{Answered, Finding, rules};
use crate::exit;

const SCHEMA: &str =
    "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json";

/// Writes one run: every model that was looked at as an artifact, every finding as a result of level `error`.
///
/// A result stands at the file; what is inside the archive is a logical location, and a byte of an entry is a
/// region of the entry, which is an artifact inside the file's, in `relatedLocations`. A byte or line of a file
/// itself is a region of the result's own location.
pub(crate) fn write(out: &mut impl Write, models: &[Answered], code: u8) -> io::Result<()> {
    let mut artifacts = Vec::new();
    let mut results = Vec::new();
    for model in models {
        let number = artifacts.len();
        artifacts.push(json!({
            "location": { "uri": uri(&model.file) },
            "roles": ["analysisTarget"],
            "properties": { "answer": exit::words(model.code()) },
        }));
        for file in model.folder.iter().flat_map(|looked| &looked.files) {
            let mut artifact = json!({
                "location": { "uri": uri(&model.file.join(&file.path)) },
                "length": file.bytes,
                "properties": { "is": file.is },
            });
            if let Some(digest) = &file.sha256 {
                artifact["hashes"] = json!({ "sha-256": digest });
            }
            artifacts.push(artifact);
        }
        let mut inside: Vec<(Place, usize)> = Vec::new();
        for finding in model.findings() {
            let mut base = number;
            if let Some(looked) = &model.folder
                && let Some(index) = looked
                    .files
                    .iter()
                    .position(|file| file.path == finding.file)
            {
                base = number + 1 + index;
            }
            results.push(result(model, base, finding, &mut inside, &mut artifacts));
        }
    }
    let mut invocation = json!({
        "executionSuccessful": !models.is_empty(),
        "exitCode": code,
        "exitCodeDescription": exit::words(code),
    });
    if models.is_empty() {
        invocation["toolExecutionNotifications"] = json!([{
            "level": "error",
            "message": { "text": "no model was found" },
        }]);
    }
    let rules: Vec<Value> = rules::RULES.iter().map(rule).collect();
    let log = json!({
        "$schema": SCHEMA,
        "version": "2.1.0",
        "runs": [{
            "tool": { "driver": {
                "name": "nopickle",
                "semanticVersion": env!("CARGO_PKG_VERSION"),
                "rules": rules,
            } },
            "columnKind": "unicodeCodePoints",
            "invocations": [invocation],
            "artifacts": artifacts,
            "results": results,
        }],
    });
    serde_json::to_writer_pretty(&mut *out, &log)?;
    out.write_all(b"\n")
}

/// The artifact of a file, and an entry in it.
type Place = (usize, String);

fn rule(rule: &rules::Rule) -> Value {
    json!({
        "id": rule.id,
        "name": rule.name,
        "shortDescription": { "text": rule.says },
        "fullDescription": { "text": format!("{}.", rule.says) },
        "help": { "text": format!("The rules stand in {}.", rule.page) },
        "defaultConfiguration": { "level": "error" },
    })
}

fn result(
    model: &Answered,
    number: usize,
    finding: Finding,
    inside: &mut Vec<(Place, usize)>,
    artifacts: &mut Vec<Value>,
) -> Value {
    let file = match finding.file.as_str() {
        "" => model.file.clone(),
        name => model.file.join(name),
    };
    let in_folder = file.join(&finding.entry);
    // In a folder the entry is a file, which viewers can open.
    let own = !finding.entry.is_empty() && file.is_dir() && in_folder.is_file();
    let mut location = if own {
        json!({ "physicalLocation": { "artifactLocation": { "uri": uri(&in_folder) } } })
    } else {
        json!({ "physicalLocation": {
            "artifactLocation": { "uri": uri(&file), "index": number },
        } })
    };
    let mut region = json!({});
    if let Some(offset) = finding.offset {
        region["byteOffset"] = offset.into();
        region["byteLength"] = 0.into();
    }
    if let Some((line, column)) = finding.line {
        region["startLine"] = line.into();
        region["startColumn"] = column.into();
    }
    let placed = finding.offset.is_some() || finding.line.is_some();
    let mut related = Vec::new();
    if own || finding.entry.is_empty() {
        if placed {
            location["physicalLocation"]["region"] = region;
        }
    } else {
        location["logicalLocations"] = json!([{
            "name": finding.entry,
            "fullyQualifiedName": format!("{}!/{}", file.to_string_lossy(), finding.entry),
            "kind": "resource",
        }]);
        if placed {
            let place = (number, finding.entry.clone());
            let index = entry(place, inside, artifacts);
            related.push(json!({
                "physicalLocation": {
                    "artifactLocation": { "uri": encode(finding.entry.as_bytes()), "index": index },
                    "region": region,
                },
                "message": { "text": "in the entry of the archive" },
            }));
        }
    }
    let mut result = json!({
        "ruleId": finding.rule.id,
        "ruleIndex": rules::RULES.iter().position(|rule| rule.id == finding.rule.id),
        "level": "error",
        "message": { "text": plain(&format!(
            "{}. Next: {}.",
            finding.message,
            finding.next_step(&model.file)
        )) },
        "locations": [location],
        "partialFingerprints": { "finding/v1": format!("{:016x}", finding.fingerprint()) },
    });
    if !related.is_empty() {
        result["relatedLocations"] = related.into();
    }
    result
}

/// The number of the artifact of an entry.
fn entry(place: Place, inside: &mut Vec<(Place, usize)>, artifacts: &mut Vec<Value>) -> usize {
    if let Some((_, index)) = inside.iter().find(|(known, _)| *known == place) {
        return *index;
    }
    artifacts.push(json!({
        "location": { "uri": encode(place.1.as_bytes()) },
        "parentIndex": place.0,
    }));
    inside.push((place, artifacts.len() - 1));
    artifacts.len() - 1
}

/// A message in which nothing of a file becomes a link: SARIF's messages may hold `[text](address)`.
fn plain(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for letter in text.chars() {
        if matches!(letter, '[' | ']') {
            out.push('\\');
        }
        out.push(letter);
    }
    out
}

/// A path as a reference: relative as it was given, absolute with `file:`.
fn uri(path: &Path) -> String {
    let parts = path.components();
    let path: PathBuf = parts.filter(|part| *part != Component::CurDir).collect();
    let mut bytes = path.as_os_str().as_encoded_bytes().to_vec();
    if std::path::MAIN_SEPARATOR == '\\' {
        for byte in &mut bytes {
            if *byte == b'\\' {
                *byte = b'/';
            }
        }
    }
    let encoded = encode(&bytes);
    match (path.is_absolute(), encoded.starts_with('/')) {
        (false, _) => encoded,
        (true, true) => format!("file://{encoded}"),
        (true, false) => format!("file:///{encoded}"),
    }
}

/// Percent signs for all that may not stand in the path of an address.
fn encode(bytes: &[u8]) -> String {
    let mut out = String::with_capacity(bytes.len());
    for &byte in bytes {
        if byte.is_ascii_alphanumeric() || b"-._~/".contains(&byte) {
            out.push(char::from(byte));
        } else {
            let _ = write!(out, "%{byte:02X}");
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_references() {
        for (path, reference) in [
            ("models/a-1.skops", "models/a-1.skops"),
            ("./a//./b.skops", "a/b.skops"),
            ("a b%[x](y).skops", "a%20b%25%5Bx%5D%28y%29.skops"),
            ("c:d", "c%3Ad"),
            ("caf\u{e9}", "caf%C3%A9"),
        ] {
            assert_eq!(uri(Path::new(path)), reference);
        }
        if cfg!(unix) {
            assert_eq!(uri(Path::new("/tmp/a?#")), "file:///tmp/a%3F%23");
        }
    }

    #[test]
    fn nothing_of_a_file_is_a_link() {
        assert_eq!(plain("[a](b) c"), "\\[a\\](b) c");
    }
}
