"""skops' own tests, which are inside its wheel, with nopickle's functions in place of skops'.

A child pytest runs them from where they are installed. A plugin, written next to its report,
puts ``nopickle.skops``'s functions and ``nopickle.exceptions``' classes where the tests import
skops' from. Tests of skops' private parts run as they are.

``skops_suite_exceptions.toml`` names every test that does not pass, with the reason. A test that
fails and is not named fails here, and so does one that is named and passes.
"""

from __future__ import annotations

import importlib.metadata
import importlib.util
import os
import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest

try:
    import tomllib
except ImportError:  # Python 3.10
    tomllib = None

VERSION = importlib.metadata.version("skops")
EXCEPTIONS = Path(__file__).with_name("skops_suite_exceptions.toml")

PLUGIN = '''
"""Puts nopickle's functions where skops' tests import skops' from."""

import sys
import types

import numpy
import sklearn.datasets
import skops.io
import skops.io.exceptions

import nopickle.exceptions
import nopickle.skops

USED = {}


def counted(name):
    function = getattr(nopickle.skops, name)

    def call(*args, **kwargs):
        USED[name] = USED.get(name, 0) + 1
        return function(*args, **kwargs)

    return call


for name in ("dump", "dumps", "load", "loads", "get_untrusted_types", "visualize"):
    setattr(skops.io, name, counted(name))
skops.io.exceptions.UntrustedTypesFoundException = nopickle.exceptions.UntrustedTypesError
skops.io.exceptions.UnsupportedTypeException = nopickle.exceptions.UnsupportedTypeError

try:
    import rich
except ImportError:
    # Tests of LightGBM and others silence rich.print. nopickle does not use rich.
    rich, console = types.ModuleType("rich"), types.ModuleType("rich.console")
    rich.print, rich.console = print, console
    console.Console = type("Console", (), {"print": print})
    sys.modules.update({"rich": rich, "rich.console": console})

try:
    import PIL
except ImportError:
    # PatchExtractor's test reads two photographs with Pillow; any image would do.
    class Images:
        images = [numpy.arange(40 * 60 * 3, dtype=numpy.uint8).reshape(40, 60, 3)] * 2

    sklearn.datasets.load_sample_images = Images


def pytest_terminal_summary(terminalreporter):
    terminalreporter.write_line(f"calls of nopickle: {sorted(USED.items())}")
'''

# Packages that some of skops' tests are about and that nopickle's tests do not need.
ABSENT = ("catboost", "xgboost")


def _run(folder: Path) -> tuple[dict[str, str], str]:
    """Run skops' tests in a child: the outcome of each by its name, and the child's last words."""
    (folder / "nopickle_in_place_of_skops.py").write_text(PLUGIN)
    (folder / "pytest.ini").write_text("[pytest]\n")
    found = importlib.util.find_spec("skops.io")
    assert found is not None
    assert found.submodule_search_locations
    tests = Path(found.submodule_search_locations[0]) / "tests"
    report = folder / "report.xml"
    child = subprocess.run(
        [
            sys.executable,
            *("-m", "pytest", "--quiet", "--tb=line", "-p", "nopickle_in_place_of_skops"),
            *("-p", "no:cacheprovider", "-c", str(folder / "pytest.ini")),
            *("--rootdir", str(folder), f"--junitxml={report}", str(tests)),
        ],
        cwd=folder,
        env={
            # On CI pytest does not shorten what it says of failures; the last words are needed here.
            **{name: os.environ[name] for name in os.environ if name not in ("CI", "BUILD_NUMBER")},
            "PYTHONPATH": os.pathsep.join([str(folder), *filter(None, sys.path)]),
            "PYTHONDONTWRITEBYTECODE": "1",
            "OMP_NUM_THREADS": "1",
            "PYTEST_ADDOPTS": "",
        },
        capture_output=True,
        text=True,
        timeout=540,
    )
    words = child.stdout[-100_000:] + child.stderr[-3000:]
    assert report.exists(), words
    outcomes = {}
    for test in ElementTree.parse(report).getroot().iter("testcase"):
        name = f"{test.get('classname')}.{test.get('name')}"
        for result in test:
            why = f"{result.get('message')} {result.text}"
            if result.tag == "skipped" and any(
                f"could not import '{package}'" in why for package in ABSENT
            ):
                outcomes[name] = "absent"
            elif result.tag in ("failure", "error"):
                outcomes[name] = f"failed: {result.get('message')}"
            elif result.tag == "skipped":
                outcomes[name] = (
                    "xfailed" if result.get("type") == "pytest.xfail" else f"skipped: {why}"
                )
        outcomes.setdefault(name, "passed")
    return outcomes, words


def _excepted() -> dict[str, str]:
    """The reason for each test, or for each test whose name starts so before its ``[``."""
    if tomllib is None:
        pytest.skip("reading TOML needs Python 3.11")
    listed = tomllib.loads(EXCEPTIONS.read_text())
    reasons: dict[str, str] = {}
    for exception in listed["exception"]:
        assert exception["reason"].strip(), "an exception without a reason"
        for test in exception["tests"]:
            assert test not in reasons, f"{test} is listed twice"
            reasons[test] = exception["reason"]
    return reasons


@pytest.mark.skipif(VERSION != "0.16.0", reason="the list of exceptions is that of skops 0.16.0")
@pytest.mark.timeout(600)
def test_skops_own_tests_pass_or_are_listed_with_a_reason(tmp_path):
    outcomes, words = _run(tmp_path)
    assert len(outcomes) > 900, words
    for name in ("dump", "dumps", "load", "loads", "get_untrusted_types", "visualize"):
        assert f"('{name}', " in words, f"no test called {name}"

    excepted = _excepted()
    unlisted, met = [], set()
    for name, outcome in outcomes.items():
        listed = {name, name.partition("[")[0]} & excepted.keys()
        if outcome.startswith("failed"):
            if listed:
                met |= listed
            else:
                unlisted.append(f"{name}: {outcome}")
        elif outcome in ("passed", "xfailed") and listed:
            unlisted.append(f"{name}: {outcome}, though it is listed")
        elif outcome.startswith("skipped"):
            unlisted.append(f"{name}: {outcome}")
    assert not unlisted, "\n".join(unlisted) + "\n" + words
    assert excepted.keys() == met, f"listed, and no test of skops: {sorted(excepted.keys() - met)}"
