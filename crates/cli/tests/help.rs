//! The help texts, as people see them: `tests/help/*.txt`.
//!
//! Where one changes on purpose: `BLESS=1 cargo test -p nopickle-cli --test help`.

#![allow(missing_docs, reason = "a test")]

use std::path::Path;
use std::process::{Command, Stdio};

fn help(args: &[&str]) -> String {
    let output = Command::new(env!("CARGO_BIN_EXE_nopickle"))
        .args(args)
        .env_remove("COLUMNS")
        .env_remove("CLICOLOR_FORCE")
        .stdin(Stdio::null())
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(0), "{args:?}");
    assert_eq!(String::from_utf8(output.stderr).unwrap(), "", "{args:?}");
    String::from_utf8(output.stdout).unwrap()
}

fn is_as_committed(name: &str, args: &[&str]) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/help")
        .join(name);
    let found = help(args);
    if std::env::var_os("BLESS").is_some() {
        std::fs::write(&path, &found).unwrap();
    }
    let expected = std::fs::read_to_string(&path).unwrap();
    assert_eq!(found, expected, "{}", path.display());
}

#[test]
fn nopickle() {
    is_as_committed("nopickle.txt", &["--help"]);
}

#[test]
fn inspect() {
    is_as_committed("inspect.txt", &["inspect", "--help"]);
}

#[test]
fn audit() {
    is_as_committed("audit.txt", &["audit", "--help"]);
}

#[test]
fn support() {
    is_as_committed("support.txt", &["support", "--help"]);
}

#[test]
fn run() {
    is_as_committed("run.txt", &["run", "--help"]);
}

#[test]
fn policy() {
    is_as_committed("policy.txt", &["policy", "--help"]);
    is_as_committed("policy_check.txt", &["policy", "check", "--help"]);
    is_as_committed("policy_explain.txt", &["policy", "explain", "--help"]);
    is_as_committed("policy_init.txt", &["policy", "init", "--help"]);
}

#[test]
fn runs() {
    is_as_committed("runs.txt", &["runs", "--help"]);
}

#[test]
fn runs_show() {
    is_as_committed("runs_show.txt", &["runs", "show", "--help"]);
}

#[test]
fn models() {
    is_as_committed("models.txt", &["models", "--help"]);
}

#[test]
fn push() {
    is_as_committed("push.txt", &["push", "--help"]);
}

#[test]
fn sign() {
    is_as_committed("sign.txt", &["sign", "--help"]);
}

#[test]
fn verify() {
    is_as_committed("verify.txt", &["verify", "--help"]);
}

#[test]
fn the_version_is_that_of_the_workspace() {
    assert_eq!(
        help(&["--version"]),
        format!("nopickle {}\n", env!("CARGO_PKG_VERSION"))
    );
}

#[test]
fn a_short_help_is_the_long_one() {
    // One help, so that nobody misses what stands only in the other.
    for command in [
        "inspect", "audit", "support", "run", "runs", "models", "push", "sign", "verify",
    ] {
        assert_eq!(
            help(&[command, "-h"]),
            help(&[command, "--help"]),
            "{command}"
        );
    }
}
