//! The documents name every class and every rule that `src/verify` has.

#![allow(clippy::unwrap_used, reason = "a test")]

use std::fs;
use std::path::Path;

fn documents() -> String {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/formats");
    let names = [
        "verified_values.md",
        "verified_trees.md",
        "verified_neighbors_svm.md",
        "catboost.md",
        "lightgbm.md",
        "xgboost.md",
    ];
    let text: String = names
        .iter()
        .map(|name| fs::read_to_string(folder.join(name)).unwrap())
        .collect();
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[test]
fn every_verified_class_is_in_the_documents() {
    let documents = documents();
    let missing: Vec<_> = nopickle_formats::verified_classes()
        .filter(|class| {
            let (module, name) = class.rsplit_once('.').unwrap();
            let all = ["*", "Cy*"].map(|names| format!("{module}.{names}"));
            !documents.contains(&format!("{name}`"))
                && !all.iter().any(|all| documents.contains(all))
        })
        .collect();
    assert_eq!(missing, Vec::<&str>::new());
}

#[test]
fn every_refusal_is_in_the_documents() {
    let documents = documents();
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/verify");
    let mut missing = Vec::new();
    let mut found = 0;
    for entry in fs::read_dir(folder).unwrap() {
        let source = fs::read_to_string(entry.unwrap().path()).unwrap();
        let code = source.split("#[cfg(test)]").next().unwrap_or_default();
        for after in code.split("refuse(").skip(1) {
            // A text that stands here, not one that a name stands for.
            let Some(rest) = after.trim_start().strip_prefix('"') else {
                continue;
            };
            let text = rest.split('"').next().unwrap_or_default();
            found += 1;
            if !documents.contains(text) {
                missing.push(text.to_owned());
            }
        }
    }
    assert!(found > 100, "{found} refusals are too few to be all");
    assert_eq!(missing, Vec::<String>::new());
}
