"""`nopickle audit --json` refuses every hostile case as its list says, costs little, and writes nothing."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from test_hostile import LINE

CASES = Path(__file__).parents[2] / "cases" / "hostile"

#: Processor seconds, and bytes of memory, for one file.
MOST_SECONDS = 1.0
MOST_MEMORY = 256 << 20

SMALL = ["--max-inflated", "1M", "--max-arrays", "1M", "--max-schema", "1M", "--max-nodes", "20000"]

STATUS = {
    "loads": 0,
    "untrusted": 1,
    "unverified": 1,
    "pickle": 1,
    "malformed": 2,
    "unsupported": 2,
    "limit": 2,
    "io": 2,
}


class Case:
    """A line of a list: the file, and what the command says of it."""

    def __init__(self, folder, ending, name, kind, says, condition):
        self.name = f"{folder}/{name}"
        self.path = CASES / folder / f"{name}{ending}"
        self.limits = SMALL if condition == "small limits" and says == "inflated size" else []
        # The class itself refuses some when it is made, and the command makes nothing; other limits are no arguments.
        loads = condition == "Python" or (condition == "small limits" and not self.limits)
        self.kind = "loads" if loads else kind
        self.says = (says or "").removeprefix(f"model{ending}" if ending else "")
        if folder == "mlflow" and self.kind == "loads":
            # Its model is a pickle, which is never clean.
            self.kind, self.says = "pickle", "model.pkl: a pickle"


def cases():
    """Every case that the command can be asked about."""
    for folder, ending in ((".", ""), ("lightgbm", ".lgb"), ("mlflow", "")):
        for line in (CASES / folder / "expected.toml").read_text().splitlines():
            if line and not line.startswith("#"):
                yield Case(folder, ending, *LINE.fullmatch(line).groups())


@pytest.fixture(scope="module")
def answers(tmp_path_factory):
    """Each case with what the command answered, and what it cost."""
    found = list(cases())
    jobs = [["audit", "--json", *case.limits, str(case.path)] for case in found]
    folder = tmp_path_factory.mktemp("working")
    run = subprocess.run(
        [sys.executable, Path(__file__).with_name("limited.py")],
        input=json.dumps(jobs).encode(),
        cwd=folder,
        capture_output=True,
        check=True,
    )
    assert list(folder.iterdir()) == []
    return list(zip(found, json.loads(run.stdout), strict=True))


def test_every_case_is_answered_as_its_list_says(answers):
    wrong = []
    refused = 0
    for case, answer in answers:
        if answer["status"] != STATUS[case.kind]:
            wrong.append((case.name, case.kind, answer["status"], answer["printed"][:200]))
            continue
        (file,) = json.loads(answer["printed"])["files"]
        error = file["error"]
        if case.kind == "loads":
            assert error is None
            continue
        refused += 1
        if error["kind"] != case.kind or case.says not in error["message"]:
            wrong.append((case.name, case.kind, case.says, error))
    assert wrong == []
    assert refused >= 240
    assert sum(case.name.startswith("mlflow/") for case, _ in answers) >= 90


def test_no_case_costs_much(answers):
    dear = [
        (case.name, answer["seconds"], answer["memory"] >> 20)
        for case, answer in answers
        if answer["seconds"] >= MOST_SECONDS or answer["memory"] >= MOST_MEMORY
    ]
    assert dear == []
