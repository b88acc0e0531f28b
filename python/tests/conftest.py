"""What every test of the package shares: the versions in the report's head, and the tools."""

from __future__ import annotations

import importlib.metadata
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]

# ``cases`` keeps the scripts that made the models whose expected answers the tests read.
sys.path.insert(0, str(ROOT / "cases"))


def pytest_report_header() -> str:
    """Name the versions of the libraries whose answers are the expected ones."""
    named = []
    for name in (
        "numpy",
        "scipy",
        "scikit-learn",
        "pandas",
        "lightgbm",
        "quantile-forest",
        "skops",
    ):
        try:
            named.append(f"{name} {importlib.metadata.version(name)}")
        except importlib.metadata.PackageNotFoundError:
            named.append(f"no {name}")
    return "libraries: " + ", ".join(named)
