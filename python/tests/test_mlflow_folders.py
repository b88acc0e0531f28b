"""Folders that stock MLflow 2.22 and 3.17 wrote load here and give the answers that they gave there."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.exceptions import InconsistentVersionWarning

import nopickle
from nopickle.exceptions import MlflowException

CASES = sorted(
    path
    for path in (Path(__file__).parents[2] / "cases/models").glob("mlflow_*")
    if not any(library in path.name for library in ("catboost", "lightgbm"))
)
SWITCH = "MLFLOW_ALLOW_PICKLE_DESERIALIZATION"

# A pickle of scikit-learn 1.6 says so when a newer one reads it.
pytestmark = pytest.mark.filterwarnings(
    f"ignore::{InconsistentVersionWarning.__module__}.InconsistentVersionWarning"
)


def inputs(case: Path):
    given = json.loads((case / "inputs.json").read_text())
    if "inputs" in given:
        return np.array(given["inputs"])
    return pd.DataFrame(**given["dataframe_split"])


@pytest.fixture(autouse=True)
def _fresh(monkeypatch):
    monkeypatch.delenv(SWITCH, raising=False)
    sys.modules.pop("doubler", None)


def test_there_are_cases_of_both_versions_and_all_formats():
    names = {path.name for path in CASES}
    assert {
        "mlflow_2.22.0_tree_pickle",
        "mlflow_3.17.2_tree_skops",
        "mlflow_3.17.2_code_skops",
    } <= names


@pytest.mark.parametrize("case", CASES, ids=lambda path: path.name)
def test_a_folder_of_mlflow_gives_its_answers(case):
    expected = json.loads((case / "expected.json").read_text())
    model = nopickle.pyfunc.load_model(str(case / "model"))
    np.testing.assert_array_equal(np.asarray(model.predict(inputs(case))), np.array(expected))
    same = nopickle.sklearn.load_model(str(case / "model"))
    np.testing.assert_array_equal(np.asarray(same.predict(inputs(case))), np.array(expected))
    assert type(same) is type(model.get_raw_model())


@pytest.mark.parametrize("case", CASES, ids=lambda path: path.name)
def test_with_the_switch_off_pickles_are_refused_and_skops_files_load(case, monkeypatch):
    monkeypatch.setenv(SWITCH, "false")
    if "skops" not in case.name:
        with pytest.raises(MlflowException, match="is a pickle"):
            nopickle.sklearn.load_model(str(case / "model"))
    elif "code" in case.name:
        with pytest.raises(nopickle.exceptions.UntrustedTypesError, match=r"doubler\.Doubler"):
            nopickle.sklearn.load_model(str(case / "model"))
    else:
        model = nopickle.sklearn.load_model(str(case / "model"))
        expected = json.loads((case / "expected.json").read_text())
        np.testing.assert_array_equal(np.asarray(model.predict(inputs(case))), np.array(expected))
