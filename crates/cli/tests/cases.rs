//! The command on the files of `cases`, and on files that are written here.

#![allow(missing_docs, reason = "a test")]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use nopickle_formats::archive::{self, Compression, Source};
use nopickle_formats::skops::{self, ArrayData};
use nopickle_formats::{
    Error, FORMATS, Graph, Limits, Node, NodeId, Policy, Role, catboost, lightgbm, xgboost,
};
use serde_json::Value;

struct Ran {
    code: i32,
    out: String,
    err: String,
}

fn nopickle(args: &[&str]) -> Ran {
    let output = Command::new(env!("CARGO_BIN_EXE_nopickle"))
        .args(args)
        .stdin(Stdio::null())
        .output()
        .unwrap();
    Ran {
        code: output.status.code().expect("the command ends by itself"),
        out: String::from_utf8(output.stdout).unwrap(),
        err: String::from_utf8(output.stderr).unwrap(),
    }
}

fn root(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../..")
        .join(path)
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// A model: a dict with a text, a list of 50 numbers, an array, and one object of each class.
fn model(classes: &[(&str, &str)], words: &str) -> Vec<u8> {
    let mut graph = Graph::new("schema.json");
    let dict = graph.global("builtins", "dict").unwrap();
    let list = graph.global("builtins", "list").unwrap();
    let ndarray = graph.global("numpy", "ndarray").unwrap();
    let mut pairs: Vec<NodeId> = Vec::new();
    let mut put = |graph: &mut Graph, key: &str, value: Node| {
        let key = graph.push_text(key).unwrap();
        pairs.push(graph.push(Node::Str(key), 0).unwrap());
        pairs.push(graph.push(value, 0).unwrap());
        *pairs.last().unwrap()
    };
    let run = graph.push_text(words).unwrap();
    put(&mut graph, "words", Node::Str(run));
    let numbers: Vec<NodeId> = (0..50)
        .map(|number| graph.push(Node::Int(number), 0).unwrap())
        .collect();
    let numbers = graph.link(&numbers).unwrap();
    put(&mut graph, "numbers", Node::List(list, numbers));
    let array = graph.push_memory_array().unwrap();
    put(&mut graph, "array", Node::Array(ndarray, array));
    for (index, (module, name)) in classes.iter().enumerate() {
        let class = graph.global(module, name).unwrap();
        let state = graph.link(&[]).unwrap();
        let node = put(
            &mut graph,
            &format!("object {index}"),
            Node::Object(class, state),
        );
        graph.refer(class, Role::Instance, node);
    }
    let items = graph.link(&pairs).unwrap();
    let top = graph.push(Node::Dict(dict, items), 0).unwrap();
    graph.set_root(top);
    let data = [7_u8; 48];
    let arrays = [ArrayData {
        descr: "'<f8'",
        shape: &[2, 3],
        fortran: false,
        bytes: &data,
    }];
    let mut bytes = Vec::new();
    skops::write(&graph, &arrays, Compression::Stored, &mut bytes).unwrap();
    bytes
}

/// A folder with a good, an untrusted and a truncated model, and two files that are none.
struct Folder(tempfile::TempDir);

impl Folder {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let good = model(&[], "plain");
        fs::create_dir(folder.path().join("below")).unwrap();
        for (name, bytes) in [
            ("good.skops", good.as_slice()),
            ("renamed.zip", &good),
            (
                "below/evil.skops",
                &model(&[("my_package", "Evil"), ("os", "system")], "plain"),
            ),
            ("cut.skops", &good[..good.len() - 10]),
            ("readme.txt", b"PK are two letters"),
            ("empty.bin", b""),
        ] {
            fs::write(folder.path().join(name), bytes).unwrap();
        }
        Self(folder)
    }

    fn path(&self, name: &str) -> String {
        text(&self.0.path().join(name)).to_owned()
    }
}

#[test]
fn audit_says_one_line_for_each_model() {
    let folder = Folder::new();
    let ran = nopickle(&["audit", &folder.path("")]);
    let lines: Vec<&str> = ran
        .out
        .lines()
        .map(|line| line.strip_prefix(&folder.path("")).unwrap())
        .collect();
    assert_eq!(lines.len(), 4, "{}", ran.out);
    assert!(
        lines[0].starts_with(
            "below/evil.skops: refused: untrusted names: my_package.Evil (schema.json@"
        )
    );
    assert!(lines[0].contains(", os.system (schema.json@"));
    assert!(
        lines[1].starts_with("cut.skops: could not answer: "),
        "{}",
        lines[1]
    );
    assert_eq!(
        lines[2..],
        [
            "good.skops: trusted and verified",
            "renamed.zip: trusted and verified"
        ]
    );
    assert_eq!(ran.code, 2);
    let err: Vec<&str> = ran.err.lines().collect();
    assert_eq!(err.len(), 3, "{}", ran.err);
    assert!(err[0].starts_with("hint: read `nopickle inspect ") && err[0].contains("evil.skops"));
    assert!(err[1].starts_with("hint: the file is damaged"));
    assert_eq!(
        err[2],
        "4 models: 2 trusted and verified, 1 refused, 1 could not be answered; 2 other files skipped"
    );
}

#[test]
fn the_exit_status_is_that_of_the_worst_answer() {
    let folder = Folder::new();
    let (good, evil, cut) = (
        folder.path("good.skops"),
        folder.path("below/evil.skops"),
        folder.path("cut.skops"),
    );
    for command in ["audit", "inspect"] {
        for (file, code) in [
            (&good, 0),
            (&evil, 1),
            (&cut, 2),
            (&folder.path("absent.skops"), 2),
        ] {
            assert_eq!(nopickle(&[command, file]).code, code, "{command} {file}");
        }
    }
    for (files, code) in [
        (vec![&good, &good], 0),
        (vec![&evil, &good], 1),
        (vec![&cut, &evil], 2),
        (vec![&evil, &cut, &good], 2),
    ] {
        let mut args = vec!["audit"];
        args.extend(files.iter().map(|file| file.as_str()));
        assert_eq!(nopickle(&args).code, code, "{files:?}");
    }
    let none = tempfile::tempdir().unwrap();
    let ran = nopickle(&["audit", text(none.path())]);
    assert_eq!((ran.code, ran.out.as_str()), (2, ""));
    assert!(
        ran.err
            .starts_with("error: could not answer: no model was found\nhint: "),
        "{}",
        ran.err
    );
    // A file that is named is never passed over.
    assert_eq!(nopickle(&["audit", &folder.path("readme.txt")]).code, 2);
    assert_eq!(nopickle(&["inspect", text(none.path())]).code, 2);
}

#[test]
fn names_are_trusted_by_argument() {
    let folder = Folder::new();
    let evil = folder.path("below/evil.skops");
    let one = nopickle(&["audit", &evil, "--trust", "my_package.Evil"]);
    assert_eq!(one.code, 1);
    assert!(
        one.out.contains("os.system") && !one.out.contains("my_package.Evil"),
        "{}",
        one.out
    );
    let both = ["--trust", "my_package.Evil", "--trust", "os.system"];
    assert_eq!(nopickle(&[&["audit", &evil], &both[..]].concat()).code, 0);
    let shown = nopickle(&[&["inspect", &evil], &both[..]].concat());
    assert_eq!(shown.code, 0);
    assert!(
        shown
            .out
            .contains("\"object 0\": my_package.Evil  trusted by --trust"),
        "{}",
        shown.out
    );
}

#[test]
fn quiet_says_only_what_is_wrong() {
    let folder = Folder::new();
    let ran = nopickle(&["audit", "--quiet", &folder.path("")]);
    assert_eq!(
        (ran.code, ran.out.lines().count(), ran.err.as_str()),
        (2, 2, "")
    );
    let ran = nopickle(&["audit", "-q", &folder.path("good.skops")]);
    assert_eq!((ran.code, ran.out.as_str(), ran.err.as_str()), (0, "", ""));
}

#[test]
fn inspect_shows_what_is_refused_and_why() {
    let folder = Folder::new();
    let ran = nopickle(&["inspect", &folder.path("below/evil.skops")]);
    for words in [
        "answer   refused: 2 names are not trusted; the values are not verified\n",
        "  my_package.Evil      1 x  not trusted: is made, schema.json@",
        "model: dict of 5\n",
        "\u{251c}\u{2500}\u{2500} \"words\": \"plain\"\n",
        "\u{251c}\u{2500}\u{2500} \"array\": array float64 (2, 3)  48 B\n",
        "\u{2502}   \u{251c}\u{2500}\u{2500} [2]: 2\n\u{2502}   \u{2514}\u{2500}\u{2500} ... 47 more\n",
        "\u{2514}\u{2500}\u{2500} \"object 1\": os.system  not trusted\n",
    ] {
        assert!(ran.out.contains(words), "{words}\n{}", ran.out);
    }
    assert!(ran.err.starts_with("hint: "), "{}", ran.err);
    let all = nopickle(&["inspect", "--all", &folder.path("below/evil.skops")]).out;
    assert!(
        all.contains("[49]: 49\n") && !all.contains(" more\n"),
        "{all}"
    );
    let flat = nopickle(&["inspect", "--depth", "0", &folder.path("below/evil.skops")]).out;
    assert!(
        flat.ends_with("\nmodel: dict of 5 ...  refused further down\n"),
        "{flat}"
    );
    let quick = nopickle(&["inspect", "--no-arrays", &folder.path("good.skops")]);
    assert_eq!(quick.code, 2);
    assert!(
        quick
            .out
            .contains("trusted, and not verified, as --no-arrays asks"),
        "{}",
        quick.out
    );
    assert!(quick.out.contains("\"array\": array\n"), "{}", quick.out);
}

#[test]
fn nothing_in_a_model_acts_on_the_terminal() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("sly\x1b[2J.skops");
    let name = "Sc\u{430}ler";
    fs::write(
        &file,
        model(&[("my_package", name)], "\x1b[31mred\u{9b}\r\nnext\u{200f}"),
    )
    .unwrap();
    for args in [
        &["inspect", text(&file)][..],
        &["inspect", "--all", "--color", "never", text(&file)],
        &["audit", text(&file)],
        &["audit", text(folder.path())],
        &["audit", "--json", text(&file)],
        &["inspect", "--json", text(&file)],
    ] {
        let ran = nopickle(args);
        assert_eq!(ran.code, 1);
        for shown in [&ran.out, &ran.err] {
            let acts = |letter: char| letter != '\n' && letter.is_control();
            assert!(!shown.contains(acts), "{args:?} {shown:?}");
            if !args.contains(&"--json") {
                assert!(
                    !shown.contains(['\u{200f}', '\u{430}']),
                    "{args:?} {shown:?}"
                );
            }
        }
    }
}

#[test]
fn colour_is_for_terminals_or_where_it_is_asked_for() {
    let folder = Folder::new();
    let evil = folder.path("below/evil.skops");
    for command in ["inspect", "audit"] {
        assert!(!nopickle(&[command, &evil]).out.contains('\x1b'));
        assert!(
            nopickle(&[command, "--color", "always", &evil])
                .out
                .contains("\x1b[1;31mrefused\x1b[0m")
        );
    }
}

#[test]
fn limits_are_arguments() {
    let folder = Folder::new();
    let good = folder.path("good.skops");
    for (option, words) in [
        (
            ["--max-arrays", "47"],
            "size of arrays is over the limit: 48 > 47",
        ),
        (["--max-nodes", "10"], "number of nodes is over the limit"),
        (
            ["--max-schema", "1k"],
            "size of schema.json is over the limit",
        ),
    ] {
        let ran = nopickle(&[&["audit", &good], &option[..]].concat());
        assert_eq!(ran.code, 2);
        assert!(ran.out.contains(words), "{}", ran.out);
        assert!(ran.err.contains("raise the limit"), "{}", ran.err);
    }
    assert_eq!(nopickle(&["audit", &good, "--max-arrays", "48"]).code, 0);
}

#[test]
fn a_reader_that_goes_away_is_no_error() {
    let folder = Folder::new();
    for args in [
        ["inspect", "--json"],
        ["inspect", "--all"],
        ["support", "--names"],
    ] {
        let mut command = Command::new(env!("CARGO_BIN_EXE_nopickle"));
        command
            .args(args)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        if args[0] == "inspect" {
            command.arg(folder.path("good.skops"));
        }
        let mut child = command.spawn().unwrap();
        drop(child.stdout.take());
        let output = child.wait_with_output().unwrap();
        assert_eq!(output.status.code(), Some(0), "{args:?}");
        assert_eq!(String::from_utf8(output.stderr).unwrap(), "", "{args:?}");
    }
}

#[test]
fn wrong_arguments_are_2_and_say_so_on_stderr() {
    for args in [
        &[][..],
        &["inspect"],
        &["audit"],
        &["predict"],
        &["audit", "x", "--trust", "NoModule"],
        &["audit", "x", "--max-arrays", "1.5G"],
    ] {
        let ran = nopickle(args);
        assert_eq!((ran.code, ran.out.as_str()), (2, ""), "{args:?}");
        assert!(
            ran.err.contains("Usage") || ran.err.contains("error: "),
            "{args:?} {}",
            ran.err
        );
    }
}

#[test]
fn support_lists_the_tables_of_the_library() {
    let answer: Value =
        serde_json::from_str(&nopickle(&["support", "--json", "--names"]).out).unwrap();
    let texts = |value: &Value| -> Vec<String> {
        let items = value.as_array().unwrap().iter();
        items
            .map(|item| item.as_str().unwrap().to_owned())
            .collect()
    };
    let formats = answer["formats"].as_array().unwrap();
    let names: Vec<&Value> = formats.iter().map(|format| &format["name"]).collect();
    assert_eq!(
        names,
        FORMATS.iter().map(|row| row.name).collect::<Vec<_>>()
    );
    let skops = formats.iter().find(|row| row["name"] == "skops").unwrap();
    assert_eq!(
        texts(&skops["node_kinds"]),
        skops::node_kinds().collect::<Vec<_>>()
    );
    assert_eq!(skops["protocols"].as_array().unwrap().len(), 3);
    assert_eq!(
        texts(&answer["verified_classes"]),
        nopickle_formats::verified_classes().collect::<Vec<_>>()
    );
    let names = nopickle(&["support", "--names"]).out;
    assert_eq!(
        names.lines().count(),
        nopickle_formats::default_names().len()
    );
    let by_role = answer["trusted"]
        .as_object()
        .unwrap()
        .values()
        .map(|count| count.as_u64().unwrap());
    assert_eq!(
        by_role.sum::<u64>(),
        nopickle_formats::default_names().len() as u64
    );
    for (line, row) in names.lines().zip(answer["names"].as_array().unwrap()) {
        assert_eq!(
            line,
            format!(
                "{} {}",
                row["name"].as_str().unwrap(),
                row["role"].as_str().unwrap()
            )
        );
    }
    let shown = nopickle(&["support"]).out;
    assert!(shown.lines().all(|line| line.len() <= 100), "{shown}");
    for class in nopickle_formats::verified_classes() {
        assert!(shown.contains(class.rsplit('.').next().unwrap()), "{class}");
    }
}

/// Where a value is not as its schema says; knows the words that the two schemas use.
fn unlike(schema: &Value, value: &Value, at: &str, found: &mut Vec<String>) {
    let known = BTreeSet::from([
        "$schema",
        "title",
        "description",
        "type",
        "enum",
        "const",
        "required",
        "properties",
        "additionalProperties",
        "items",
    ]);
    for (word, rule) in schema.as_object().unwrap() {
        assert!(
            known.contains(word.as_str()),
            "the test does not know {word}"
        );
        let holds = match word.as_str() {
            "const" => value == rule,
            "enum" => rule.as_array().unwrap().contains(value),
            "type" => {
                let kind = match value {
                    Value::Null => "null",
                    Value::Bool(_) => "boolean",
                    Value::Number(_) => "integer",
                    Value::String(_) => "string",
                    Value::Array(_) => "array",
                    Value::Object(_) => "object",
                };
                rule == kind
                    || rule
                        .as_array()
                        .is_some_and(|kinds| kinds.iter().any(|one| one == kind))
            }
            "required" if value.is_object() => rule
                .as_array()
                .unwrap()
                .iter()
                .all(|field| value.get(field.as_str().unwrap()).is_some()),
            _ => true,
        };
        if !holds {
            found.push(format!("{at}: {word}: {value}"));
        }
    }
    if let Some(fields) = value.as_object() {
        for (name, field) in fields {
            match schema
                .get("properties")
                .and_then(|properties| properties.get(name))
            {
                Some(schema) => unlike(schema, field, &format!("{at}.{name}"), found),
                None => found.push(format!("{at}: no field is called {name}")),
            }
        }
    }
    for item in value.as_array().into_iter().flatten() {
        unlike(&schema["items"], item, &format!("{at}[]"), found);
    }
}

fn fits_schema(name: &str, out: &str) -> Value {
    let schema = fs::read_to_string(root("docs/formats").join(name)).unwrap();
    let value = serde_json::from_str(out).unwrap_or_else(|error| panic!("{error}: {out}"));
    let mut found = Vec::new();
    unlike(
        &serde_json::from_str(&schema).unwrap(),
        &value,
        "",
        &mut found,
    );
    assert!(found.is_empty(), "{}", found.join("\n"));
    value
}

#[test]
fn json_is_as_its_schema_says() {
    let folder = Folder::new();
    let audit = fits_schema(
        "audit.schema.json",
        &nopickle(&["audit", "--json", &folder.path("")]).out,
    );
    assert_eq!(audit["summary"]["files"], 4);
    assert_eq!(audit["summary"]["skipped"], 2);
    assert_eq!(audit["files"][0]["error"]["names"][1]["name"], "os.system");
    let evil = nopickle(&["inspect", "--json", &folder.path("below/evil.skops")]);
    assert_eq!(evil.code, 1);
    let evil = fits_schema("inspect.schema.json", &evil.out);
    assert_eq!(
        (&evil["answer"], &evil["error"]["kind"]),
        (&"refused".into(), &"untrusted".into())
    );
    assert_eq!(evil["rows"].as_array().unwrap().len(), 1 + 1 + 51 + 1 + 2);
    assert_eq!(
        evil["rows"].as_array().unwrap().last().unwrap()["untrusted"][0],
        "os.system"
    );
    let nothing = tempfile::tempdir().unwrap();
    let empty = nopickle(&["audit", "--json", text(nothing.path())]);
    assert_eq!(
        fits_schema("audit.schema.json", &empty.out)["files"],
        Value::Array(vec![])
    );
}

fn booster(name: &str) -> PathBuf {
    root("cases/boosters").join(format!("lightgbm_{name}.lgb"))
}

#[test]
fn inspect_shows_what_a_booster_says() {
    let file = booster("4.7.0_multi");
    let ran = nopickle(&["inspect", text(&file)]);
    assert_eq!((ran.code, ran.err.as_str()), (0, ""));
    for words in [
        "\nformat   lightgbm v4\n",
        "\nholds    12 trees for 4 features, 3 scores for each row\n",
        "\ntrained  for multiclassova num_class:3 sigmoid:1\n",
        "\ncolumns  Column_0 Column_1 Column_2 Column_3\n",
        "\nnames    none: nothing in it is imported\n",
        "\nanswer   trusted and verified: the values of lightgbm.basic.Booster were checked\n",
    ] {
        assert!(ran.out.contains(words), "{words}\n{}", ran.out);
    }
    let ran = nopickle(&["inspect", "--json", text(&file)]);
    let answer = fits_schema("inspect.schema.json", &ran.out);
    assert_eq!((&answer["format"], ran.code), (&"lightgbm".into(), 0));
    assert_eq!(answer["booster"]["scores"], 3);
    assert_eq!(answer["booster"]["trees"], 12);
    assert_eq!(
        answer["booster"]["objective"],
        "multiclassova num_class:3 sigmoid:1"
    );
    assert_eq!(answer["bytes"], fs::metadata(&file).unwrap().len());
    let hostile = root("cases/hostile/lightgbm/child_is_its_parent.lgb");
    let ran = nopickle(&["inspect", "--json", text(&hostile)]);
    let answer = fits_schema("inspect.schema.json", &ran.out);
    assert_eq!((&answer["answer"], ran.code), (&"refused".into(), 1));
    assert_eq!(answer["error"]["class"], "lightgbm.basic.Booster");
    assert_eq!(answer["booster"], Value::Null);
}

#[test]
fn inspect_shows_what_a_model_of_xgboost_says() {
    for (name, trees) in [("1.7.6_binary.json", 3), ("3.2.0_pandas.ubj", 3)] {
        let file = root("cases/boosters").join(format!("xgboost_{name}"));
        let ran = nopickle(&["inspect", "--json", text(&file)]);
        let answer = fits_schema("inspect.schema.json", &ran.out);
        assert_eq!((&answer["format"], ran.code), (&"xgboost".into(), 0));
        assert_eq!(answer["booster"]["trees"], trees);
        assert_eq!(answer["booster"]["features"], 4);
    }
    let hostile = root("cases/hostile/xgboost/child_its_parent.ubj");
    let ran = nopickle(&["inspect", "--json", text(&hostile)]);
    let answer = fits_schema("inspect.schema.json", &ran.out);
    assert_eq!((&answer["answer"], ran.code), (&"refused".into(), 1));
    assert_eq!(answer["error"]["class"], "xgboost.core.Booster");
}

#[test]
fn inspect_shows_what_a_model_of_catboost_says() {
    let file = root("cases/boosters/catboost_1.2.10_cat_multi.cbm");
    let ran = nopickle(&["inspect", text(&file)]);
    assert_eq!((ran.code, ran.err.as_str()), (0, ""));
    for words in [
        "\nformat   catboost CBM1\n",
        "\nholds    10 trees for 5 features, 3 scores for each row\n",
        "\ntrained  for MultiClass\n",
        "\nanswer   trusted and verified: the values of catboost.core.CatBoost were checked\n",
    ] {
        assert!(ran.out.contains(words), "{words}\n{}", ran.out);
    }
    let ran = nopickle(&["inspect", "--json", text(&file)]);
    let answer = fits_schema("inspect.schema.json", &ran.out);
    assert_eq!((&answer["format"], ran.code), (&"catboost".into(), 0));
    let hostile = root("cases/hostile/catboost/split_past_end.cbm");
    assert_eq!(nopickle(&["inspect", text(&hostile)]).code, 1);
}

#[test]
fn content_decides_the_format_and_an_ending_must_fit_it() {
    let folder = tempfile::tempdir().unwrap();
    let booster = fs::read(booster("4.7.0_binary")).unwrap();
    for (name, bytes) in [
        ("a.txt", booster.as_slice()),
        ("b.LGB", &booster),
        ("c.skops", &booster),
        ("d.lgb", &model(&[], "plain")),
        ("e.txt", b"tree\n"),
        ("f", b"tree\nversion=v4\nand no more\n"),
    ] {
        fs::write(folder.path().join(name), bytes).unwrap();
    }
    let ran = nopickle(&["audit", "--json", text(folder.path())]);
    let answer = fits_schema("audit.schema.json", &ran.out);
    let answers = answer["files"].as_array().unwrap().iter();
    let answers: Vec<(&str, &str)> = answers
        .map(|file| {
            let name = file["file"].as_str().unwrap().rsplit('/').next().unwrap();
            (name, file["answer"].as_str().unwrap())
        })
        .collect();
    assert_eq!(
        answers,
        [
            ("a.txt", "trusted and verified"),
            ("b.LGB", "trusted and verified"),
            ("c.skops", "could not answer"),
            ("d.lgb", "could not answer"),
            ("f", "could not answer"),
        ]
    );
    assert_eq!((ran.code, &answer["summary"]["skipped"]), (2, &1.into()));
    // A file that is named is always read; what no format knows, as skops.
    let named = folder.path().join("e.txt");
    assert_eq!(nopickle(&["audit", text(&named)]).code, 2);
}

#[test]
fn all_boosters_of_the_cases_are_trusted_and_verified() {
    let ran = nopickle(&["audit", "--json", text(&root("cases/boosters"))]);
    let answer = fits_schema("audit.schema.json", &ran.out);
    // What today's XGBoost refuses or dies of, though an older one wrote it (docs/formats/xgboost.md).
    let known = |file: &str| {
        let of = |versions: &[&str]| versions.iter().any(|version| file.contains(version));
        (file.contains("_multitree.") && of(&["_2.0.3_", "_2.1.4_", "_3.0.5_", "_3.1.3_"]))
            || (file.contains("_none.") && of(&["_1.6.2_", "_1.7.6_"]))
    };
    for file in answer["files"].as_array().unwrap() {
        let is_trusted = file["answer"] == "trusted and verified";
        assert_ne!(is_trusted, known(file["file"].as_str().unwrap()), "{file}");
    }
    assert!(answer["summary"]["trusted"].as_u64() > Some(100));
}

#[test]
fn all_models_of_the_cases_are_trusted_and_verified() {
    // What MLflow wrote beside them has classes of its own.
    let folders: Vec<PathBuf> = fs::read_dir(root("cases/models"))
        .unwrap()
        .map(|case| case.unwrap().path())
        .filter(|case| case.join("model.skops").exists())
        .collect();
    let models = folders.len();
    assert!(models > 20, "{models}");
    let mut arguments = vec!["audit", "--json"];
    arguments.extend(folders.iter().map(|folder| text(folder)));
    let ran = nopickle(&arguments);
    let answer = fits_schema("audit.schema.json", &ran.out);
    let wrong = answer["files"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|file| file["answer"] != "trusted and verified");
    assert_eq!(wrong.collect::<Vec<_>>(), Vec::<&Value>::new());
    assert_eq!((ran.code, &answer["summary"]["files"]), (0, &models.into()));
}

#[test]
fn inspect_shows_every_kind_of_model() {
    for case in fs::read_dir(root("cases/models")).unwrap() {
        let file = case.unwrap().path().join("model.skops");
        if !text(&file).contains("skops_0.16") && !text(&file).contains("skops_0.9") {
            continue;
        }
        let shown = nopickle(&["inspect", "--all", text(&file)]);
        assert_eq!(
            (shown.code, shown.err.as_str()),
            (0, ""),
            "{}",
            file.display()
        );
        assert!(!shown.out.contains("not readable"), "{}", shown.out);
        let ran = nopickle(&["inspect", "--json", text(&file)]);
        let answer = fits_schema("inspect.schema.json", &ran.out);
        assert!(
            answer["rows"].as_array().unwrap().len() > 3,
            "{}",
            file.display()
        );
    }
}

/// What the library says of a file.
fn library(path: &Path, mut limits: Limits) -> Result<(), Error> {
    if path.extension().is_some_and(|ending| ending == "lgb") {
        let name = path.file_name().unwrap().to_str().unwrap();
        return lightgbm::read(&fs::read(path)?, name, &limits).map(|_| ());
    }
    if path
        .parent()
        .is_some_and(|folder| folder.ends_with("xgboost"))
    {
        let name = path.file_name().unwrap().to_str().unwrap();
        return xgboost::read(&fs::read(path)?, name, &limits).map(|_| ());
    }
    if path.extension().is_some_and(|ending| ending == "cbm") {
        let name = path.file_name().unwrap().to_str().unwrap();
        return catboost::read(&fs::read(path)?, name, &limits).map(|_| ());
    }
    let mut archive = archive::open(Source::File(fs::File::open(path)?), &mut limits)?;
    let graph = skops::read(&mut archive, &mut limits)?;
    graph
        .trust(&Policy::default())?
        .verify(&mut archive, &mut limits)?;
    Ok(())
}

#[test]
fn the_command_says_of_hostile_files_what_the_library_says() {
    let hostile = root("cases/hostile");
    let limits = [
        "--max-inflated",
        "4M",
        "--max-arrays",
        "4M",
        "--max-schema",
        "4M",
        "--max-nodes",
        "20000",
    ];
    let ran = nopickle(&[&["audit", "--json", text(&hostile)], &limits[..]].concat());
    assert_eq!(ran.code, 2);
    let answer = fits_schema("audit.schema.json", &ran.out);
    let mut answers = BTreeMap::new();
    for file in answer["files"].as_array().unwrap() {
        let path = PathBuf::from(file["file"].as_str().unwrap());
        if path.is_dir() {
            // A model folder: test_hostile_command.py has their list.
            assert_ne!(file["answer"], "trusted and verified", "{}", path.display());
            continue;
        }
        let told = library(
            &path,
            Limits {
                inflated_bytes: 4 << 20,
                array_bytes: 4 << 20,
                schema_bytes: 4 << 20,
                nodes: 20_000,
                ..Limits::default()
            },
        );
        let (answer, message) = match &told {
            Ok(()) => ("trusted and verified", Value::Null),
            Err(error @ (Error::Untrusted(_) | Error::Unverified { .. })) => {
                ("refused", error.to_string().into())
            }
            Err(error) => ("could not answer", error.to_string().into()),
        };
        let said = file["error"].get("message").cloned().unwrap_or(Value::Null);
        assert_eq!(
            (file["answer"].as_str().unwrap(), &said),
            (answer, &message),
            "{}",
            path.display()
        );
        answers.insert(path, answer);
    }
    // One file of each folder and answer: it is shown where it can be, and the exit status is the same.
    let mut done = BTreeSet::new();
    for (path, answer) in &answers {
        if !done.insert((path.parent(), *answer)) {
            continue;
        }
        let ran = nopickle(&[&["inspect", text(path)], &limits[..]].concat());
        let expected = match *answer {
            "trusted and verified" => 0,
            "refused" => 1,
            _ => 2,
        };
        assert_eq!(
            ran.code,
            expected,
            "{}\n{}\n{}",
            path.display(),
            ran.out,
            ran.err
        );
        match expected {
            0 => assert!(
                ran.out.contains("answer   trusted and verified"),
                "{}",
                ran.out
            ),
            // The reason stands at the object that it is about, however deep; a booster is one.
            1 => assert!(
                ran.out.contains("answer   refused: ")
                    && (ran.out.contains("  refused: ")
                        || ran.out.contains("  not trusted")
                        || ran.out.contains("format   catboost")
                        || ran.out.contains("format   lightgbm")
                        || ran.out.contains("format   xgboost")),
                "{}\n{}",
                path.display(),
                ran.out
            ),
            _ => assert!(
                ran.err.starts_with("error: ") || ran.out.contains("not verified, because"),
                "{}",
                ran.err
            ),
        }
    }
    assert!(done.len() > 20, "{}", done.len());
}

#[test]
fn a_policy_decides_in_every_command_that_opens_a_model() {
    let folder = Folder::new();
    let file = folder.path("below/evil.skops");
    let grant = folder.path("grant.toml");
    let entries = nopickle(&["policy", "init", &file]);
    assert_eq!(entries.code, 0, "{}", entries.err);
    fs::write(&grant, &entries.out).unwrap();
    let broken = folder.path("broken.toml");
    fs::write(&broken, "colour = 1\n").unwrap();
    for command in [&["audit"][..], &["inspect"], &["policy", "explain"]] {
        let run = |policy: &[&str]| {
            let args: Vec<&str> = command
                .iter()
                .chain(&[file.as_str()])
                .chain(policy)
                .copied()
                .collect();
            nopickle(&args)
        };
        assert_eq!(run(&[]).code, 1, "{command:?}");
        let granted = run(&["--policy", &grant]);
        assert_eq!(
            granted.code, 0,
            "{command:?}: {}{}",
            granted.out, granted.err
        );
        let refused = run(&["--policy", &broken]);
        assert_eq!((refused.code, refused.out.as_str()), (2, ""), "{command:?}");
        assert!(
            refused
                .err
                .contains("broken.toml:1:1: malformed policy: unknown field `colour`")
        );
    }
    let closed = folder.path("closed.toml");
    fs::write(&closed, "").unwrap();
    let names = [
        "--trust",
        "my_package.Evil",
        "--trust",
        "os.system",
        "--policy",
        &closed,
    ];
    let args: Vec<&str> = ["audit", &file].iter().chain(&names).copied().collect();
    assert_eq!(
        nopickle(&args).code,
        1,
        "--trust adds only where the policy says so"
    );
    fs::write(&closed, "extend = true\n").unwrap();
    assert_eq!(nopickle(&args).code, 0);
    let check = |file: &str| nopickle(&["policy", "check", file]);
    assert_eq!(check(&grant).code, 0);
    assert_eq!(
        check(&grant)
            .out
            .matches("warning: there is no reason")
            .count(),
        2
    );
    assert_eq!(check(&broken).code, 1);
    assert_eq!(check(&folder.path("none.toml")).code, 2);
}

/// A model folder with a file of every kind.
fn model_folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let from = root("cases/models/mlflow_3.17.2_code_skops/model");
    fs::create_dir(folder.path().join("code")).unwrap();
    for entry in walkdir::WalkDir::new(&from) {
        let entry = entry.unwrap();
        let name = entry.path().strip_prefix(&from).unwrap();
        if entry.file_type().is_file() {
            fs::copy(entry.path(), folder.path().join(name)).unwrap();
        }
    }
    for (name, bytes) in [
        ("weights.bin", b"\x01\x02".as_slice()),
        ("hidden.txt", b"\x80\x04N."),
        ("README.md", b"A model.\n"),
        ("old.lgb", b"tree\nversion=v4\n"),
    ] {
        fs::write(folder.path().join(name), bytes).unwrap();
    }
    folder
}

#[test]
fn every_file_of_a_model_folder_is_told() {
    let folder = model_folder();
    let path = text(folder.path());
    let words: BTreeMap<&str, (&str, &str, Option<&str>)> = BTreeMap::from([
        ("MLmodel", ("MLmodel", "trusted and verified", None)),
        (
            "README.md",
            ("text that nothing loads", "trusted and verified", None),
        ),
        ("code/doubler.py", ("code", "refused", Some("code"))),
        ("conda.yaml", ("environment", "trusted and verified", None)),
        ("hidden.txt", ("pickle", "refused", Some("pickle"))),
        (
            "input_example.json",
            ("input example", "trusted and verified", None),
        ),
        ("model.skops", ("skops", "refused", Some("untrusted"))),
        (
            "old.lgb",
            ("lightgbm", "could not answer", Some("malformed")),
        ),
        (
            "python_env.yaml",
            ("environment", "trusted and verified", None),
        ),
        (
            "requirements.txt",
            ("requirements", "trusted and verified", None),
        ),
        (
            "serving_input_example.json",
            ("input example", "trusted and verified", None),
        ),
        ("weights.bin", ("unknown", "refused", Some("unknown"))),
    ]);
    for (command, schema) in [
        ("audit", "audit.schema.json"),
        ("inspect", "inspect.schema.json"),
    ] {
        let ran = nopickle(&[command, "--json", path]);
        assert_eq!(ran.code, 2, "{}", ran.err);
        let answer = fits_schema(schema, &ran.out);
        let model = if command == "audit" {
            assert_eq!(answer["summary"]["files"], 1);
            &answer["files"][0]
        } else {
            &answer
        };
        assert_eq!(model["answer"], "could not answer");
        assert_eq!(model["error"]["kind"], "malformed");
        let folder_json = &model["folder"];
        assert_eq!(folder_json["entry"], "model.skops");
        let files = folder_json["files"].as_array().unwrap();
        let told: BTreeMap<&str, (&str, &str, Option<&str>)> = files
            .iter()
            .map(|file| {
                let is = file["is"].as_str().unwrap();
                let kind = file["error"]["kind"].as_str();
                assert_eq!(file["sha256"].as_str().unwrap().len(), 64);
                (
                    file["path"].as_str().unwrap(),
                    (is, file["answer"].as_str().unwrap(), kind),
                )
            })
            .collect();
        assert_eq!(told, words);
        let shown = nopickle(&[command, path]);
        assert_eq!(shown.code, 2);
        for name in words.keys() {
            assert!(shown.out.contains(&format!(" {name} ")), "{}", shown.out);
        }
        assert!(
            shown
                .out
                .contains("\n  hidden.txt: a pickle: loading it can run any code"),
            "{}",
            shown.out
        );
        assert!(shown.out.contains("5 of 12 files are not clean"));
        // The `MLmodel` stands for its folder.
        let named = folder.path().join("MLmodel");
        assert_eq!(nopickle(&[command, text(&named)]).out, shown.out);
    }
    let twice = nopickle(&["audit", "-q", path, text(&folder.path().join("MLmodel"))]);
    assert_eq!(twice.out, nopickle(&["audit", "-q", path]).out);
    let quiet = nopickle(&["audit", "--quiet", path]);
    assert_eq!(quiet.out.lines().count(), 6, "{}", quiet.out);
    let names = nopickle(&["inspect", path]).out;
    assert!(
        names.contains("refused   doubler.Doubler  instance  nothing grants it"),
        "{names}"
    );
}

#[test]
fn a_model_folder_is_clean_where_its_code_is_pinned_and_its_names_are_granted() {
    let model = root("cases/models/mlflow_3.17.2_code_skops/model");
    let folder = tempfile::tempdir().unwrap();
    let policy = folder.path().join("policy.toml");
    let entries = nopickle(&[
        "policy",
        "init",
        text(&model),
        "--policy",
        text(&empty(&folder)),
    ]);
    assert_eq!(entries.code, 0, "{}", entries.err);
    fs::write(&policy, &entries.out).unwrap();
    for command in ["audit", "inspect"] {
        assert_eq!(nopickle(&[command, text(&model)]).code, 1);
        let ran = nopickle(&[command, text(&model), "--policy", text(&policy)]);
        assert_eq!(ran.code, 0, "{}{}", ran.out, ran.err);
        assert!(
            ran.out.contains("\n  code/doubler.py: the digest of "),
            "{}",
            ran.out
        );
    }
}

fn empty(folder: &tempfile::TempDir) -> PathBuf {
    let path = folder.path().join("empty.toml");
    fs::write(&path, "").unwrap();
    path
}

#[test]
fn every_model_folder_of_the_cases_is_clean_or_says_why_not() {
    let ran = nopickle(&["audit", "--json", text(&root("cases/models"))]);
    let answer = fits_schema("audit.schema.json", &ran.out);
    let mut folders = 0;
    for file in answer["files"].as_array().unwrap() {
        let Some(folder) = file.get("folder") else {
            continue;
        };
        folders += 1;
        let name = file["file"].as_str().unwrap();
        let kinds: BTreeSet<&str> = folder["files"]
            .as_array()
            .unwrap()
            .iter()
            .filter_map(|file| file["error"]["kind"].as_str())
            .collect();
        let expected: &[&str] = match name {
            name if name.contains("code_skops") => &["code", "untrusted"],
            name if name.contains("code_") => &["code", "pickle"],
            name if name.contains("pickle") => &["pickle"],
            _ => &[],
        };
        assert_eq!(kinds, expected.iter().copied().collect(), "{name}");
    }
    assert!(folders >= 15, "{folders}");
}

#[test]
fn a_pickle_is_refused_wherever_it_is_found() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("a.bin");
    fs::write(&file, b"\x80\x04N.").unwrap();
    fs::write(folder.path().join("b.txt"), b"words").unwrap();
    for command in [
        vec!["audit", text(folder.path())],
        vec!["audit", text(&file)],
        vec!["inspect", text(&file)],
    ] {
        let ran = nopickle(&command);
        assert_eq!(ran.code, 1, "{command:?}: {}{}", ran.out, ran.err);
        assert!((ran.out + &ran.err).contains("a pickle: loading it can run any code"));
    }
}
