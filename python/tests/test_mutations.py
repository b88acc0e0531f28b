"""A small run of ``benches/mutate.py``, and proof that it sees a crash, a hang and wasted memory."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("sklearn")

MUTATE = Path(__file__).parents[2] / "benches" / "mutate.py"
ERRORS = {
    "MalformedModelError",
    "UnsupportedModelError",
    "LimitExceededError",
    "UntrustedTypesError",
    "UnverifiedModelError",
}


def test_two_thousand_damaged_files_neither_crash_nor_hang_nor_fill_memory(tmp_path):
    out = tmp_path / "report.json"
    command = [
        sys.executable,
        MUTATE,
        "--count",
        "2000",
        "--seed",
        "20",
        "--library",
        "nopickle",
        "--out",
        out,
        "--keep",
        tmp_path / "kept",
    ]
    done = subprocess.run(command, capture_output=True, text=True, timeout=110, check=False)
    assert done.returncode == 0, done.stderr[-4000:]
    report = json.loads(out.read_text())
    outcomes = report["outcomes"]
    assert report["findings"] == []
    assert report["skipped"] == {}
    assert report["estimators"] >= 40
    assert sum(outcomes.values()) == 2000
    assert outcomes["crash"] == outcomes["hang"] == outcomes["memory"] == 0
    # Not everything is refused at the door: many files load, and reach native code.
    assert outcomes["predicted"] > 200
    assert outcomes["refused"] > 200
    assert set(report["details"]["refused"]) <= ERRORS


def test_damaged_texts_of_boosters_neither_crash_nor_hang_nor_fill_memory(tmp_path):
    pytest.importorskip("lightgbm")
    pytest.importorskip("pandas")
    out = tmp_path / "report.json"
    command = [sys.executable, MUTATE, "--kind", "lightgbm", "--count", "2000", "--seed", "20"]
    command += ["--out", out, "--keep", tmp_path / "kept"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=110, check=False)
    assert done.returncode == 0, done.stderr[-4000:]
    report = json.loads(out.read_text())
    assert report["findings"] == []
    assert report["skipped"] == {}
    assert report["outcomes"]["predicted"] > 200
    # What is left to LightGBM and Python: a text without a metric, parameters that are no JSON.
    left = {"LightGBMError", "JSONDecodeError"}
    assert set(report["details"]["refused"]) <= ERRORS | left


def test_damaged_models_of_xgboost_neither_crash_nor_hang_nor_fill_memory(tmp_path):
    pytest.importorskip("xgboost")
    pytest.importorskip("pandas")
    out = tmp_path / "report.json"
    command = [sys.executable, MUTATE, "--kind", "xgboost", "--count", "1500", "--seed", "20"]
    command += ["--out", out, "--keep", tmp_path / "kept"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=110, check=False)
    assert done.returncode == 0, done.stderr[-4000:]
    report = json.loads(out.read_text())
    assert report["findings"] == []
    assert report["skipped"] == {}
    assert report["outcomes"]["predicted"] > 150
    # What is left to XGBoost: parameters that are numbers, and not in its bounds.
    assert set(report["details"]["refused"]) <= ERRORS | {"XGBoostError"}


def test_damaged_models_of_catboost_neither_crash_nor_hang_nor_fill_memory(tmp_path):
    pytest.importorskip("catboost")
    out = tmp_path / "report.json"
    command = [sys.executable, MUTATE, "--kind", "catboost", "--count", "1000", "--seed", "20"]
    command += ["--out", out, "--keep", tmp_path / "kept"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=110, check=False)
    assert done.returncode == 0, done.stderr[-4000:]
    report = json.loads(out.read_text())
    assert report["findings"] == []
    assert report["skipped"] == {}
    assert report["outcomes"]["predicted"] > 100
    # What is left to CatBoost and Python: training parameters that make no sense, or are no JSON.
    left = {"CatBoostError", "JSONDecodeError"}
    assert set(report["details"]["refused"]) <= ERRORS | left


SCRIPT = """
import argparse, os, sys, tempfile
sys.path.insert(0, {folder!r})
import mutate

def loads(data, trusted):
    exec(data)

options = mutate.arguments(["--timeout", "1", "--load-memory", "32"])
subject = mutate.Subject("fake", [], None, [])
mutate.make_file = lambda subject, seed, index: (CODE[index], "", None)
CODE = {code!r}
scratch = tempfile.mkdtemp()
results, ended = mutate.run_jobs(loads, [(subject, index) for index in range(len(CODE))], options, scratch)
print([result[0] for result in results], ended[0] if ended else None)
if ended and ended[0] == "crash":
    jobs = [(subject, index) for index in range(len(results) + 1)]
    print(mutate.blame(loads, jobs, results, ended, options, scratch)[0])
"""


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        (["raise ValueError", "1"], "['refused', 'exception'] None"),
        (["1", "import os; os.kill(os.getpid(), 11)", "1"], "['exception'] crash\n1"),
        (["1", "while True: pass"], "['exception'] hang"),
        (["bytearray(80 << 20)"], "['memory'] None"),
        (["bytearray(3 << 30)"], "['memory'] None"),
        (["open('a', 'wb').write(bytes(3 << 20))"], "['refused'] None"),
        (["import os; os._exit(3)"], "[] crash\n0"),
    ],
    ids=["error", "signal", "loop", "memory", "memory over the limit", "large file", "exit"],
)
def test_the_harness_sees(code, expected):
    script = SCRIPT.format(folder=str(MUTATE.parent), code=code)
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.stdout.strip() == expected, done.stderr
