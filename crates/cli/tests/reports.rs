//! The reports of `audit` and `inspect` as SARIF and HTML, and where they are written.

#![allow(missing_docs, reason = "a test")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use serde_json::Value;

fn nopickle(folder: &Path, args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_nopickle"))
        .args(args)
        .current_dir(folder)
        .stdin(Stdio::null())
        .output()
        .unwrap()
}

fn case(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../cases/hostile")
        .join(name)
}

/// A folder with a good model, one with a wild tree, one that is no zip, and one with names nobody trusts.
fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (from, to) in [
        ("tree/good.skops", "good.skops"),
        ("tree/child_past_end.skops", "wild.skops"),
        ("skops/function_exec.skops", "names.skops"),
    ] {
        fs::copy(case(from), folder.path().join(to)).unwrap();
    }
    fs::write(folder.path().join("cut.skops"), b"PK").unwrap();
    folder
}

fn sarif(folder: &Path, args: &[&str]) -> (i32, Value) {
    let output = nopickle(folder, args);
    let value = serde_json::from_slice(&output.stdout).unwrap();
    (output.status.code().unwrap(), value)
}

#[test]
fn sarif_has_a_result_for_each_finding() {
    let folder = folder();
    let (code, log) = sarif(folder.path(), &["audit", ".", "--sarif"]);
    assert_eq!(code, 2);
    let run = &log["runs"][0];
    let results = run["results"].as_array().unwrap();
    let rules: Vec<&str> = results
        .iter()
        .map(|result| result["ruleId"].as_str().unwrap())
        .collect();
    assert_eq!(rules, ["NP1001", "NP4001", "NP5001"]);
    for result in results {
        let index = usize::try_from(result["ruleIndex"].as_u64().unwrap()).unwrap();
        assert_eq!(
            run["tool"]["driver"]["rules"][index]["id"],
            result["ruleId"]
        );
        assert_eq!(result["level"], "error");
    }
    let cut = &results[0]["locations"][0]["physicalLocation"];
    assert_eq!(cut["artifactLocation"]["uri"], "cut.skops");
    let wild = &results[2];
    let own = &wild["locations"][0];
    assert_eq!(
        own["physicalLocation"]["artifactLocation"]["uri"],
        "wild.skops"
    );
    assert_eq!(own["physicalLocation"].get("region"), None);
    assert_eq!(own["logicalLocations"][0]["name"], "schema.json");
    let inside = &wild["relatedLocations"][0]["physicalLocation"];
    assert!(inside["region"]["byteOffset"].as_u64().unwrap() > 0);
    let index = usize::try_from(inside["artifactLocation"]["index"].as_u64().unwrap()).unwrap();
    let entry = &run["artifacts"][index];
    assert_eq!(entry["location"]["uri"], "schema.json");
    let parent = usize::try_from(entry["parentIndex"].as_u64().unwrap()).unwrap();
    assert_eq!(run["artifacts"][parent]["location"]["uri"], "wild.skops");
    assert_eq!(run["invocations"][0]["exitCode"], 2);
    assert_eq!(run["invocations"][0]["executionSuccessful"], true);
}

#[test]
fn a_finding_of_a_model_folder_stands_at_its_file() {
    let folder = tempfile::tempdir().unwrap();
    let model = folder.path().join("model");
    fs::create_dir(&model).unwrap();
    fs::copy(case("mlflow/good/MLmodel"), model.join("MLmodel")).unwrap();
    fs::copy(case("mlflow/good/model.pkl"), model.join("model.pkl")).unwrap();
    fs::copy(case("skops/function_exec.skops"), model.join("b.skops")).unwrap();
    let (code, log) = sarif(folder.path(), &["audit", "model", "--sarif"]);
    assert_eq!(code, 1);
    let run = &log["runs"][0];
    let (names, pickle) = (&run["results"][0], &run["results"][1]);
    assert_eq!(
        (&names["ruleId"], &pickle["ruleId"]),
        (&"NP4001".into(), &"NP4002".into())
    );
    for (result, uri) in [(names, "model/b.skops"), (pickle, "model/model.pkl")] {
        let place = &result["locations"][0]["physicalLocation"]["artifactLocation"];
        assert_eq!(place["uri"], uri);
        let index = usize::try_from(place["index"].as_u64().unwrap()).unwrap();
        let artifact = &run["artifacts"][index];
        assert_eq!(artifact["location"]["uri"], uri);
        assert_eq!(artifact["hashes"]["sha-256"].as_str().unwrap().len(), 64);
    }
    let inside = &names["relatedLocations"][0]["physicalLocation"]["artifactLocation"];
    let index = usize::try_from(inside["index"].as_u64().unwrap()).unwrap();
    let parent = usize::try_from(run["artifacts"][index]["parentIndex"].as_u64().unwrap()).unwrap();
    assert_eq!(run["artifacts"][parent]["location"]["uri"], "model/b.skops");
    for command in ["audit", "inspect"] {
        let page = nopickle(folder.path(), &[command, "model", "--html"]);
        let page = String::from_utf8(page.stdout).unwrap();
        assert!(page.contains("<dd>b.skops, schema.json, byte "), "{page}");
        assert!(page.contains("<td class=\"name\">model.pkl<div"));
    }
}

#[test]
fn the_same_models_give_the_same_bytes_in_every_form() {
    let folder = folder();
    for form in ["--json", "--sarif", "--html"] {
        for args in [["audit", ".", form], ["inspect", "wild.skops", form]] {
            let first = nopickle(folder.path(), &args);
            assert_eq!(first.stdout, nopickle(folder.path(), &args).stdout);
            assert!(!first.stdout.is_empty());
        }
    }
}

#[test]
fn fingerprints_do_not_depend_on_the_path() {
    let folder = folder();
    let prints = |log: Value| log["runs"][0]["results"][0]["partialFingerprints"].clone();
    let (_, first) = sarif(folder.path(), &["audit", "wild.skops", "--sarif"]);
    fs::create_dir(folder.path().join("below")).unwrap();
    fs::copy(
        folder.path().join("wild.skops"),
        folder.path().join("below/b.skops"),
    )
    .unwrap();
    let (_, second) = sarif(folder.path(), &["audit", "below", "--sarif"]);
    assert_eq!(prints(first), prints(second));
}

#[test]
fn a_clean_model_has_no_result_and_no_findings() {
    let folder = folder();
    for command in ["audit", "inspect"] {
        let (code, log) = sarif(folder.path(), &[command, "good.skops", "--sarif"]);
        assert_eq!(code, 0);
        assert_eq!(log["runs"][0]["results"].as_array().unwrap().len(), 0);
        assert_eq!(log["runs"][0]["invocations"][0]["exitCode"], 0);
        let page = nopickle(folder.path(), &[command, "good.skops", "--html"]);
        let page = String::from_utf8(page.stdout).unwrap();
        assert!(page.contains("<strong>trusted and verified</strong>"));
        assert!(!page.contains("id=\"findings\""));
    }
}

#[test]
fn no_model_at_all_is_no_clean_report() {
    let folder = tempfile::tempdir().unwrap();
    let (code, log) = sarif(folder.path(), &["audit", ".", "--sarif"]);
    assert_eq!(code, 2);
    let invocation = &log["runs"][0]["invocations"][0];
    assert_eq!(invocation["executionSuccessful"], false);
    assert_eq!(
        invocation["toolExecutionNotifications"][0]["message"]["text"],
        "no model was found"
    );
    let page = nopickle(folder.path(), &["audit", ".", "--html"]);
    let page = String::from_utf8(page.stdout).unwrap();
    assert!(page.contains("<strong>could not answer</strong>: no model was found"));
}

#[test]
fn a_finding_of_inspect_is_a_link_to_its_object() {
    let folder = folder();
    for name in ["wild.skops", "names.skops"] {
        let page = nopickle(folder.path(), &["inspect", name, "--html"]);
        let page = String::from_utf8(page.stdout).unwrap();
        let (_, link) = page.split_once("<a href=\"#byte-").unwrap();
        let (place, _) = link.split_once('"').unwrap();
        assert_eq!(page.matches(&format!("id=\"byte-{place}\"")).count(), 1);
    }
}

#[test]
fn what_cannot_be_read_has_a_report_too() {
    let folder = folder();
    for (name, rule) in [("cut.skops", "NP1001"), ("absent.skops", "NP6001")] {
        let (code, log) = sarif(folder.path(), &["inspect", name, "--sarif"]);
        assert_eq!(code, 2);
        assert_eq!(log["runs"][0]["results"][0]["ruleId"], rule);
        let page = nopickle(folder.path(), &["inspect", name, "--html"]);
        assert_eq!(page.status.code(), Some(2));
        assert!(String::from_utf8(page.stdout).unwrap().contains(rule));
    }
}

#[test]
fn values_that_were_left_out_are_a_finding() {
    let folder = folder();
    let args = ["inspect", "good.skops", "--no-arrays", "--sarif"];
    let (code, log) = sarif(folder.path(), &args);
    assert_eq!(code, 2);
    assert_eq!(log["runs"][0]["results"][0]["ruleId"], "NP7001");
}

#[test]
fn an_answer_is_written_to_a_file_whole_or_not_at_all() {
    let folder = folder();
    for command in ["audit", "inspect"] {
        for form in [None, Some("--json"), Some("--sarif"), Some("--html")] {
            let mut args = vec![command, "wild.skops"];
            args.extend(form);
            let printed = nopickle(folder.path(), &args);
            args.extend(["--output", "answer"]);
            fs::write(folder.path().join("answer"), "before").unwrap();
            let written = nopickle(folder.path(), &args);
            assert_eq!(written.status.code(), Some(1));
            assert_eq!(written.stdout, b"");
            let found = fs::read(folder.path().join("answer")).unwrap();
            assert_eq!(found, printed.stdout, "{args:?}");
        }
    }
    // Nothing but the answer is left behind.
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 5);
}

#[test]
fn a_place_that_cannot_be_written_is_2() {
    let folder = folder();
    for place in ["absent/answer", "."] {
        let output = nopickle(folder.path(), &["audit", "good.skops", "--output", place]);
        assert_eq!(output.status.code(), Some(2), "{place}");
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(
            said.starts_with("error: the answer could not be written: "),
            "{said}"
        );
    }
}

#[cfg(unix)]
#[test]
fn others_may_read_an_answer_as_the_umask_says() {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = folder();
    fs::write(folder.path().join("usual"), "").unwrap();
    nopickle(
        folder.path(),
        &["audit", "good.skops", "--output", "answer"],
    );
    let mode = |name| {
        let found = fs::metadata(folder.path().join(name)).unwrap();
        found.permissions().mode()
    };
    assert_eq!(mode("answer"), mode("usual"));
}

#[test]
fn one_form_at_a_time() {
    let folder = folder();
    for pair in [
        ["--json", "--sarif"],
        ["--json", "--html"],
        ["--sarif", "--html"],
    ] {
        for command in ["audit", "inspect"] {
            let output = nopickle(folder.path(), &[command, "good.skops", pair[0], pair[1]]);
            assert_eq!(output.status.code(), Some(2));
            assert_eq!(output.stdout, b"");
        }
    }
}

#[test]
fn no_hostile_file_is_filed_under_what_is_left() {
    let hostile = case("");
    let limits = [
        "--max-inflated",
        "4M",
        "--max-arrays",
        "4M",
        "--max-schema",
        "4M",
    ];
    let args = [
        &["audit", hostile.to_str().unwrap(), "--sarif"],
        &limits[..],
    ]
    .concat();
    let (_, log) = sarif(Path::new("."), &args);
    let results = log["runs"][0]["results"].as_array().unwrap();
    assert!(results.len() > 1500, "{}", results.len());
    let mut rules = std::collections::BTreeSet::new();
    for result in results {
        let rule = result["ruleId"].as_str().unwrap();
        assert!(!rule.ends_with("999"), "{}", result["message"]["text"]);
        rules.insert(rule);
    }
    // Each group of errors of a model has a case.
    for rule in log["runs"][0]["tool"]["driver"]["rules"]
        .as_array()
        .unwrap()
    {
        let id = rule["id"].as_str().unwrap();
        let of_models = id.starts_with("NP1") || id.starts_with("NP5");
        // No requirements, signatures and policies are among these files.
        let elsewhere = ["NP1005", "NP1010", "NP5016"].contains(&id);
        assert!(
            !of_models || elsewhere || id.ends_with("999") || rules.contains(id),
            "{id}"
        );
    }
}
