"""What every test of the package shares: the versions in the report's head, and the tools."""

from __future__ import annotations

import importlib.metadata
import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]

# ``cases`` keeps the scripts that made the models whose expected answers the tests read.
sys.path.insert(0, str(ROOT / "cases"))


@pytest.fixture(autouse=True)
def _own_store(
    tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> Iterator[None]:
    """Give each test an empty store of its own, and see that none is made in the working folder."""
    here = os.getcwd()
    there = set(os.listdir(here))
    monkeypatch.setenv("NOPICKLE_HOME", str(tmp_path_factory.getbasetemp() / "home"))
    yield
    made = set(os.listdir(here)) - there
    assert not {name for name in made if name.startswith("nopickle")}, made


def pytest_report_header() -> str:
    """Name the versions of the libraries whose answers are the expected ones."""
    named = []
    for name in (
        "numpy",
        "scipy",
        "scikit-learn",
        "pandas",
        "catboost",
        "lightgbm",
        "quantile-forest",
        "skops",
        "xgboost",
        "xgboost-cpu",
    ):
        try:
            named.append(f"{name} {importlib.metadata.version(name)}")
        except importlib.metadata.PackageNotFoundError:
            named.append(f"no {name}")
    return "libraries: " + ", ".join(named)
