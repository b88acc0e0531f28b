"""The flavors: which module saves and loads each, sorted by name.

A row of this table and a row of ``mlflow/flavors/mod.rs`` in nopickle-formats belong together; a test
holds the two equal.
"""

from __future__ import annotations

import importlib
from typing import Any

FLAVORS = {
    "catboost": ("mlflow.catboost", "nopickle.catboost"),
    "lightgbm": ("mlflow.lightgbm", "nopickle.lightgbm"),
    "sklearn": ("mlflow.sklearn", "nopickle.sklearn"),
    "xgboost": ("mlflow.xgboost", "nopickle.xgboost"),
}
"""The name of a flavor → the ``loader_module`` of its pyfunc, and the module here that loads it."""


def loader(loader_module: str) -> Any:
    """Return the module here that loads what a ``loader_module`` names, or None.

    A ``loader_module`` is a name of code in the model; only the ones of this table are known, and
    none is imported.
    """
    for theirs, ours in FLAVORS.values():
        if loader_module in (theirs, ours):
            return importlib.import_module(ours)
    return None
