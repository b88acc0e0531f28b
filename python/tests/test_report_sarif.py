"""`--sarif` and `--json`: what is printed is what their schemas describe."""

import json
from pathlib import Path

import jsonschema
import pytest

from nopickle import _rust

ROOT = Path(__file__).parents[2]
CASES = ROOT / "cases" / "hostile"
SARIF = Path(__file__).parent / "data" / "sarif-2.1.0-rtm.5.json"

# One file for each kind of answer.
FILES = {
    "clean": "tree/good.skops",
    "malformed": "zip/duplicate_name.skops",
    "unsupported": "skops/protocol_newer.skops",
    "untrusted": "skops/function_exec.skops",
    "unverified": "tree/child_past_end.skops",
    "io": "absent.skops",
    "folder": "mlflow/good",
    "damaged folder": "mlflow/tag_python",
}


def answer(tmp_path, *args):
    """The JSON that the command writes, and its exit status."""
    path = tmp_path / "answer.json"
    status = _rust.cli([*map(str, args), "--output", str(path)])
    return json.loads(path.read_text()), status


def holds(schema, value):
    """Whether a value is as a schema says; the worst mistake otherwise."""
    kind = jsonschema.validators.validator_for(schema)
    kind.check_schema(schema)
    wrong = jsonschema.exceptions.best_match(kind(schema).iter_errors(value))
    assert wrong is None, f"{wrong.json_path}: {wrong.message}"


@pytest.mark.parametrize("asked", ["audit", "inspect"])
@pytest.mark.parametrize("kind", FILES)
def test_sarif_is_as_its_schema_says(tmp_path, asked, kind):
    log, status = answer(tmp_path, asked, CASES / FILES[kind], "--sarif")
    holds(json.loads(SARIF.read_text()), log)
    (run,) = log["runs"]
    assert run["invocations"][0]["exitCode"] == status
    assert bool(run["results"]) == (kind != "clean")
    indices = [result["ruleIndex"] for result in run["results"]]
    rules = [run["tool"]["driver"]["rules"][index]["id"] for index in indices]
    assert rules == [result["ruleId"] for result in run["results"]]


def test_sarif_of_many_models_is_as_its_schema_says(tmp_path):
    log, status = answer(tmp_path, "audit", *(CASES / name for name in FILES.values()), "--sarif")
    holds(json.loads(SARIF.read_text()), log)
    (run,) = log["runs"]
    assert status == 2
    assert {result["ruleId"][:3] for result in run["results"]} == {
        *("NP1", "NP2", "NP4", "NP5", "NP6")
    }
    targets = [one for one in run["artifacts"] if "analysisTarget" in one.get("roles", [])]
    assert len(targets) == len(FILES)
    for result in run["results"]:
        location = result["locations"][0]["physicalLocation"]["artifactLocation"]
        assert run["artifacts"][location["index"]]["location"]["uri"] == location["uri"]


def test_an_empty_folder_gives_sarif_too(tmp_path):
    (tmp_path / "empty").mkdir()
    log, status = answer(tmp_path, "audit", tmp_path / "empty", "--sarif")
    holds(json.loads(SARIF.read_text()), log)
    assert status == 2
    assert not log["runs"][0]["invocations"][0]["executionSuccessful"]


@pytest.mark.parametrize("kind", FILES)
def test_json_is_as_its_schema_says(tmp_path, kind):
    for asked in ("audit", "inspect"):
        schema = json.loads((ROOT / f"docs/formats/{asked}.schema.json").read_text())
        # inspect has no document for what it cannot show.
        if asked == "inspect" and kind not in (
            *("clean", "untrusted", "unverified", "folder", "damaged folder"),
        ):
            continue
        found, _ = answer(tmp_path, asked, CASES / FILES[kind], "--json")
        holds(schema, found)


def test_no_text_of_a_model_is_a_link(tmp_path):
    name = tmp_path / "[here](http:x).skops"
    name.write_bytes((CASES / FILES["untrusted"]).read_bytes())
    log, _ = answer(tmp_path, "audit", name, "--sarif")
    text = log["runs"][0]["results"][0]["message"]["text"]
    assert "\\[here\\](http:x)" in text
