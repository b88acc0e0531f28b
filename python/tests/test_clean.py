"""Ordinary models are clean: no false alarm about what users of scikit-learn, LightGBM, XGBoost, CatBoost, pandas and
numpy save.
"""

import contextlib
import json

import catboost
import estimators
import lightgbm
import numpy as np
import pandas as pd
import pytest
import xgboost
from sklearn.calibration import CalibratedClassifierCV
from sklearn.datasets import load_iris
from sklearn.ensemble import StackingClassifier, VotingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from skops import io as stock
from skops.io.exceptions import UnsupportedTypeException

import nopickle
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


def others():
    """Estimators of XGBoost and CatBoost, alone and inside estimators of scikit-learn."""
    inputs, answers = load_iris(return_X_y=True)
    frame = pd.DataFrame(inputs, columns=["a", "b", "c", "d"])
    frame["kind"] = pd.Categorical(np.where(frame["a"] > 5, "long", "short"))
    trees = {"n_estimators": 3, "max_depth": 2, "n_jobs": 1}
    small = {
        "iterations": 3,
        "depth": 2,
        "verbose": False,
        "thread_count": 1,
        "allow_writing_files": False,
    }
    yield "XGBClassifier", xgboost.XGBClassifier(**trees).fit(inputs, answers)
    yield (
        "XGBClassifier of a frame",
        xgboost.XGBClassifier(**trees, enable_categorical=True).fit(frame, answers),
    )
    yield "XGBRegressor", xgboost.XGBRegressor(**trees).fit(inputs, answers)
    yield "XGBRFRegressor", xgboost.XGBRFRegressor(**trees).fit(inputs, answers)
    yield "XGBRanker", xgboost.XGBRanker(**trees).fit(inputs, answers, group=[50, 50, 50])
    yield "XGBClassifier that is not fitted", xgboost.XGBClassifier(**trees)
    yield "CatBoostClassifier", catboost.CatBoostClassifier(**small).fit(inputs, answers)
    yield (
        "CatBoostClassifier of a frame",
        catboost.CatBoostClassifier(**small, cat_features=["kind"]).fit(frame, answers),
    )
    yield "CatBoostRegressor", catboost.CatBoostRegressor(**small).fit(inputs, answers)
    for name, model in (
        ("XGBClassifier", xgboost.XGBClassifier(**trees)),
        ("CatBoostClassifier", catboost.CatBoostClassifier(**small)),
    ):
        parts = [("line", LogisticRegression(max_iter=500)), ("trees", model)]
        for holder in (
            make_pipeline(StandardScaler(), model),
            GridSearchCV(model, {"max_depth" if "XGB" in name else "depth": [1, 2]}, cv=2),
            StackingClassifier(parts, cv=2),
            VotingClassifier(parts),
            CalibratedClassifierCV(model, cv=2),
        ):
            yield f"{name} in a {type(holder).__name__}", holder.fit(inputs, answers)


def own_files(folder):
    """Boosters as their libraries' own files."""
    inputs, answers = load_iris(return_X_y=True)
    frame = pd.DataFrame(inputs, columns=["a", "b", "c", "d"])
    frame["kind"] = pd.Categorical(np.where(frame["a"] > 5, "long", "short"))
    data = lightgbm.Dataset(inputs, answers)
    booster = lightgbm.train({"verbose": -1, "objective": "regression"}, data, 3)
    booster.save_model(str(folder / "booster.lgb"))
    for name, given in (("plain", inputs), ("frame", frame)):
        data = xgboost.DMatrix(given, answers, enable_categorical=True)
        for kind, params in (
            ("multi", {"objective": "multi:softprob", "num_class": 3}),
            ("number", {"objective": "reg:squarederror"}),
            ("dart", {"booster": "dart", "rate_drop": 0.5}),
        ):
            model = xgboost.train({**params, "max_depth": 2, "nthread": 1}, data, 3)
            for ending in ("ubj", "json"):
                model.save_model(folder / f"{name}_{kind}.{ending}")
        small = {"iterations": 3, "depth": 2, "verbose": False, "allow_writing_files": False}
        categories = ["kind"] if name == "frame" else None
        for model in (
            catboost.CatBoostClassifier(**small, cat_features=categories),
            catboost.CatBoostRegressor(**small, cat_features=categories),
        ):
            model.fit(given, answers)
            model.save_model(str(folder / f"{name}_{type(model).__name__}.cbm"))


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
    yield from others()
    yield from arrays()


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder with each model, written by nopickle and by stock skops, and boosters' own files."""
    folder = tmp_path_factory.mktemp("clean")
    for number, (name, model) in enumerate(models()):
        plain = "".join(letter if letter.isalnum() else "_" for letter in name)
        skops.dump(model, folder / f"{number:03}_{plain}_nopickle.skops")
        written = folder / f"{number:03}_{plain}_stock.skops"
        # It cannot write everything.
        with contextlib.suppress(UnsupportedTypeException, RecursionError):
            written.write_bytes(stock.dumps(model))
    own_files(folder)
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
    assert sum(file["file"].endswith((".ubj", ".json", ".cbm")) for file in answer["files"]) == 16


def test_no_ordinary_model_folder_is_refused(tmp_path):
    """Folders of each flavor that nopickle and stock MLflow write, with an example and a signature."""
    inputs, answers = load_iris(return_X_y=True)
    frame = pd.DataFrame(inputs, columns=["a", "b", "c", "d"])
    small = {"iterations": 3, "verbose": False, "allow_writing_files": False}
    saved = {
        "sklearn": (StandardScaler().fit(frame), {"serialization_format": "skops"}),
        "lightgbm": (lightgbm.LGBMClassifier(n_estimators=3, verbose=-1).fit(frame, answers), {}),
        "xgboost": (xgboost.XGBClassifier(n_estimators=3, n_jobs=1).fit(frame, answers), {}),
        "catboost": (catboost.CatBoostRegressor(**small).fit(frame, answers), {}),
    }
    for flavor, (model, options) in saved.items():
        if flavor == "lightgbm":
            options = {"serialization_format": "skops"}
        signature = nopickle.models.infer_signature(frame, answers)
        getattr(nopickle, flavor).save_model(
            model, tmp_path / flavor, signature=signature, input_example=frame[:2], **options
        )
        (tmp_path / flavor / "README.md").write_text("# A model\n")
    path = tmp_path / "answer.json"
    status = _rust.cli(["audit", "--json", "--output", str(path), str(tmp_path)])
    answer = json.loads(path.read_text())
    alarms = [
        (model["file"], file["path"], file["error"]["message"])
        for model in answer["files"]
        for file in model["folder"]["files"]
        if file["error"] is not None
    ]
    assert alarms == []
    assert (status, answer["summary"]["trusted"]) == (0, len(saved))
