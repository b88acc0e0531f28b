"""Ordinary models are clean: no false alarm about what users of scikit-learn, LightGBM, pandas and numpy save."""

import contextlib
import json

import estimators
import lightgbm
import numpy as np
import pandas as pd
import pytest
from sklearn.datasets import load_iris
from sklearn.ensemble import StackingClassifier, VotingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from skops import io as stock
from skops.io.exceptions import UnsupportedTypeException

from nopickle import _rust, skops


def boosters():
    """Models of LightGBM, trained on arrays and on a frame, alone and inside estimators of scikit-learn."""
    inputs, answers = load_iris(return_X_y=True)
    frame = pd.DataFrame(inputs, columns=["a", "b", "c", "d"])
    frame["kind"] = pd.Categorical(np.where(frame["a"] > 5, "long", "short"))
    small = {"n_estimators": 3, "verbose": -1, "min_child_samples": 5}
    classifier = lightgbm.LGBMClassifier(**small)
    yield "LGBMClassifier", classifier.fit(inputs, answers)
    yield "LGBMClassifier of a frame", lightgbm.LGBMClassifier(**small).fit(frame, answers)
    yield "LGBMRegressor", lightgbm.LGBMRegressor(**small).fit(inputs, answers)
    yield "LGBMRanker", lightgbm.LGBMRanker(**small).fit(inputs, answers, group=[50, 50, 50])
    yield (
        "LGBMClassifier in a pipeline",
        make_pipeline(StandardScaler(), lightgbm.LGBMClassifier(**small)).fit(inputs, answers),
    )
    yield (
        "LGBMClassifier in a search",
        GridSearchCV(lightgbm.LGBMClassifier(**small), {"num_leaves": [3, 5]}, cv=2).fit(
            inputs, answers
        ),
    )
    parts = [
        ("line", LogisticRegression(max_iter=500)),
        ("trees", lightgbm.LGBMClassifier(**small)),
    ]
    yield "LGBMClassifier in a stack", StackingClassifier(parts, cv=2).fit(inputs, answers)
    yield "LGBMClassifier in a vote", VotingClassifier(parts).fit(inputs, answers)


def arrays():
    """What is saved beside models: arrays and what holds them."""
    rng = np.random.default_rng(1)
    yield "array of floats", rng.normal(size=(5, 3))
    yield "array of texts", np.array(["a", "bc", "\u00e9"])
    yield "array of records", np.array([(1, 2.0)], dtype=[("a", "i4"), ("b", "f8")])
    yield "array of days", np.array(["2026-11-30"], dtype="datetime64[D]")
    yield "masked array", np.ma.masked_less(np.arange(5), 2)
    yield "dict of arrays", {"weights": np.eye(3), "names": ["a", "b"], "seed": 7, "none": None}
    yield "random state", np.random.RandomState(3)
    yield "generator", rng


def models():
    """Name and object of each model."""
    for case in estimators.cases():
        yield case.name, estimators.fitted(case.name)[0]
    yield from boosters()
    yield from arrays()


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder with each model, written by nopickle and by stock skops."""
    folder = tmp_path_factory.mktemp("clean")
    inputs, answers = load_iris(return_X_y=True)
    for number, (name, model) in enumerate(models()):
        plain = "".join(letter if letter.isalnum() else "_" for letter in name)
        skops.dump(model, folder / f"{number:03}_{plain}_nopickle.skops")
        written = folder / f"{number:03}_{plain}_stock.skops"
        # It cannot write everything.
        with contextlib.suppress(UnsupportedTypeException, RecursionError):
            written.write_bytes(stock.dumps(model))
    data = lightgbm.Dataset(inputs, answers)
    booster = lightgbm.train({"verbose": -1, "objective": "regression"}, data, 3)
    booster.save_model(str(folder / "booster.lgb"))
    return folder


@pytest.mark.timeout(600)
def test_no_ordinary_model_is_refused(folder, tmp_path):
    path = tmp_path / "answer.json"
    status = _rust.cli(["audit", "--json", "--output", str(path), str(folder)])
    answer = json.loads(path.read_text())
    alarms = [
        (file["file"].rsplit("/", 1)[-1], file["error"]["message"])
        for file in answer["files"]
        if file["error"] is not None
    ]
    assert alarms == []
    assert status == 0
    assert answer["summary"]["trusted"] >= 2 * 38
    assert answer["summary"]["skipped"] == 0
