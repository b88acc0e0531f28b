//! The table of modules in ARCHITECTURE.md is the law: a module uses what stands in its row.

#![cfg(test)]
#![allow(missing_docs, reason = "a test")]

use std::fs;
use std::path::{Path, PathBuf};

/// The rows `| module | may use |`, in the order of the file.
fn table() -> Vec<(String, Vec<String>)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let text = fs::read_to_string(root.join("ARCHITECTURE.md")).unwrap();
    let (_, rows) = text
        .split_once("| module | may use |")
        .expect("ARCHITECTURE.md has the table");
    let words = |cell: &str| -> Vec<String> {
        let cell = cell.replace('`', "");
        cell.split_whitespace().map(str::to_owned).collect()
    };
    rows.lines()
        .skip(2)
        .map_while(|line| line.strip_prefix('|')?.split_once('|'))
        .map(|(module, uses)| (words(module).concat(), words(uses.trim_end_matches('|'))))
        .collect()
}

/// The sources of a module, and how often `super::` stays inside it.
fn sources(module: &str) -> Vec<(PathBuf, usize)> {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut found = Vec::new();
    let mut todo = vec![
        (src.join(module), 1_usize),
        (src.join(format!("{module}.rs")), 0),
    ];
    while let Some((path, inside)) = todo.pop() {
        if path.is_dir() {
            for entry in fs::read_dir(path).unwrap() {
                let path = entry.unwrap().path();
                let below = usize::from(path.is_dir());
                todo.push((path, inside.saturating_add(below)));
            }
        } else if path.extension().is_some_and(|end| end == "rs") && path.exists() {
            let root = usize::from(path.ends_with("mod.rs"));
            found.push((path, inside.saturating_sub(root)));
        }
    }
    found
}

/// A source without comments and without the tests at its bottom.
fn code(source: &str) -> String {
    let (source, _) = source
        .split_once("\n#[cfg(test)]\n")
        .unwrap_or((source, ""));
    let lines = source
        .lines()
        .filter(|line| !line.trim_start().starts_with("//"));
    lines.collect::<Vec<_>>().join("\n")
}

/// The first word of each path after `crate::`, be it one path or several in braces.
fn uses(code: &str) -> Vec<String> {
    let word = |path: &str| -> String {
        path.trim_start()
            .chars()
            .take_while(|letter| letter.is_alphanumeric() || *letter == '_')
            .collect()
    };
    let mut found = Vec::new();
    for path in code.split("crate::").skip(1) {
        let Some(group) = path.strip_prefix('{') else {
            found.push(word(path));
            continue;
        };
        let after = |depth: i32, letter| match letter {
            '{' => depth.saturating_add(1),
            '}' => depth.saturating_sub(1),
            _ => depth,
        };
        let mut depth = 0;
        let mut inside = |letter| {
            depth = after(depth, letter);
            depth >= 0
        };
        let group: String = group.chars().take_while(|&letter| inside(letter)).collect();
        let mut depth = 0;
        let paths = group.split(|letter| {
            depth = after(depth, letter);
            depth == 0 && letter == ','
        });
        found.extend(paths.map(word));
    }
    found.retain(|name| !name.is_empty());
    found
}

#[test]
fn a_module_uses_what_its_row_allows() {
    let table = table();
    let mut broken = Vec::new();
    for (row, (module, allowed)) in table.iter().enumerate() {
        for name in allowed {
            if !table.iter().take(row).any(|(above, _)| above == name) {
                broken.push(format!(
                    "ARCHITECTURE.md: {module} may use {name}, which is no row above it"
                ));
            }
        }
        let sources = sources(module);
        if sources.is_empty() {
            broken.push(format!("ARCHITECTURE.md: {module} has a row and no source"));
        }
        for (file, inside) in sources {
            let code = code(&fs::read_to_string(&file).unwrap());
            if code.contains(&"super::".repeat(inside + 1)) {
                broken.push(format!(
                    "{}: `super::` leaves {module}; say `crate::`",
                    file.display()
                ));
            }
            for name in uses(&code) {
                if name != *module && !allowed.contains(&name) {
                    broken.push(format!("{}: {module} uses {name}", file.display()));
                }
            }
        }
    }
    assert!(broken.is_empty(), "{}", broken.join("\n"));
}

#[test]
fn every_module_has_a_row() {
    let table = table();
    let lib = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/lib.rs");
    let lib = code(&fs::read_to_string(lib).unwrap());
    for line in lib.lines() {
        let line = line
            .trim_start_matches("pub ")
            .trim_start_matches("pub(crate) ");
        if let Some(module) = line
            .strip_prefix("mod ")
            .and_then(|rest| rest.strip_suffix(';'))
        {
            assert!(
                table.iter().any(|(name, _)| name == module),
                "{module} has no row in ARCHITECTURE.md"
            );
        }
    }
}

#[test]
fn a_planted_use_is_seen() {
    let planted = "use crate::error::Error;\n\
        use crate::{graph::{Graph, Node}, trust::Policy, limits};\n\
        // use crate::comment::Nothing;\n\
        fn f(x: crate::npy::Header) { g(one, two) }\n\
        #[cfg(test)]\nmod tests { use crate::skops; }\n";
    assert_eq!(
        uses(&code(planted)),
        ["error", "graph", "trust", "limits", "npy"]
    );
}
