"""The estimators that stock skops trusts in every version: written and checked.

    python cases/skops_names.py            write crates/formats/src/skops/estimators.txt
    python cases/skops_names.py --check    exit 1 where the file is not what this would write

Needs scikit-learn and skops. A skops trusts what ``sklearn.utils.all_estimators`` finds when skops
is imported, so an estimator that an older scikit-learn does not have stands here without harm:
a model that holds it does not load there anyway.
"""

from __future__ import annotations

import sys
from pathlib import Path

LIST = Path(__file__).parents[1] / "crates/formats/src/skops/estimators.txt"


def text() -> str:
    """Return the names, sorted, one per line."""
    from skops.io._trusted_types import SKLEARN_ESTIMATOR_TYPE_NAMES

    return "".join(f"{name}\n" for name in sorted(set(SKLEARN_ESTIMATOR_TYPE_NAMES)))


def main() -> int:
    """Do what the arguments say."""
    if sys.argv[1:] == ["--check"]:
        return 0 if LIST.read_text() == text() else 1
    LIST.write_text(text())
    return 0


if __name__ == "__main__":
    sys.exit(main())
