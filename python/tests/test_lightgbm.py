"""The LightGBM flavor: boosters and estimators, their text, folders, refusals."""

from __future__ import annotations

import io
import json
import os
import pickle
import re
import warnings
import zipfile

import numpy as np
import pytest
from scipy import sparse

pd = pytest.importorskip("pandas")
lightgbm = pytest.importorskip("lightgbm")

from sklearn.calibration import CalibratedClassifierCV  # noqa: E402
from sklearn.ensemble import (  # noqa: E402
    AdaBoostClassifier,
    BaggingRegressor,
    StackingClassifier,
    VotingClassifier,
    VotingRegressor,
)
from sklearn.model_selection import GridSearchCV, RandomizedSearchCV  # noqa: E402
from sklearn.multiclass import OneVsRestClassifier  # noqa: E402
from sklearn.multioutput import MultiOutputRegressor  # noqa: E402
from sklearn.pipeline import make_pipeline  # noqa: E402
from sklearn.preprocessing import FunctionTransformer, StandardScaler  # noqa: E402

import nopickle as mlflow  # noqa: E402
from nopickle import _boosters, _rust, skops  # noqa: E402
from nopickle.exceptions import (  # noqa: E402
    LimitExceededError,
    MalformedModelError,
    MlflowException,
    UnsupportedModelError,
    UnverifiedModelError,
)

pytestmark = pytest.mark.filterwarnings("ignore")
SWITCH = "MLFLOW_ALLOW_PICKLE_DESERIALIZATION"

RNG = np.random.RandomState(0)
X = RNG.normal(size=(240, 4))
X[::9, 1] = np.nan
TWO = (X[:, 0] > 0).astype(int)
THREE = np.clip((X[:, 2] * 2).round(), -1, 1).astype(int)
NUMBER = X[:, 0] * 2 + np.abs(X[:, 2])
FRAME = pd.DataFrame(X, columns=["a", "b b", "c", "\u6771"])
FRAME["kind"] = pd.Categorical(np.array(["u", "v", "w"])[RNG.randint(3, size=len(X))])
FRAME["code"] = pd.Categorical(RNG.randint(40, size=len(X)))
# A target that the categories decide on.
OF_KINDS = ((FRAME["code"].cat.codes % 3 == 0) ^ (FRAME["kind"] == "u")).to_numpy().astype(int)
SPARSE = sparse.csr_matrix(np.where(np.abs(np.nan_to_num(X)) > 1, np.nan_to_num(X), 0))
SMALL = {
    "n_estimators": 5,
    "num_leaves": 6,
    "min_child_samples": 5,
    "verbose": -1,
    "n_jobs": 1,
    "cat_smooth": 1,
    "min_data_per_group": 2,
    "max_cat_to_onehot": 2,
}
STOP = [lightgbm.early_stopping(2, verbose=False)]


def classifier(**params):
    return lightgbm.LGBMClassifier(**{**SMALL, **params})


def regressor(**params):
    return lightgbm.LGBMRegressor(**{**SMALL, **params})


def own_objective(prediction, data):
    return prediction - data.get_label(), np.ones_like(prediction)


# Estimators by name: a fitted one and the data that it predicts.
ESTIMATORS = {
    "binary": lambda: (classifier().fit(X, TWO), X),
    "texts": lambda: (classifier().fit(X, np.array(["no", "yes"])[TWO]), X),
    "multiclass": lambda: (classifier().fit(X, THREE), X),
    "one against the rest": lambda: (classifier(objective="multiclassova").fit(X, THREE), X),
    "regression": lambda: (regressor().fit(X, NUMBER), X),
    "square root": lambda: (regressor(reg_sqrt=True).fit(X, NUMBER), X),
    "quantile": lambda: (regressor(objective="quantile", alpha=0.3).fit(X, NUMBER), X),
    "poisson": lambda: (regressor(objective="poisson").fit(X, np.abs(NUMBER)), X),
    "tweedie": lambda: (regressor(objective="tweedie").fit(X, np.abs(NUMBER)), X),
    "cross entropy": lambda: (regressor(objective="cross_entropy").fit(X, TWO), X),
    "huber": lambda: (regressor(objective="huber").fit(X, NUMBER), X),
    "monotone": lambda: (regressor(monotone_constraints=[1, 0, -1, 0]).fit(X, NUMBER), X),
    "ranking": lambda: (
        lightgbm.LGBMRanker(**SMALL).fit(
            X, TWO, group=[24] * 10, eval_set=[(X, TWO)], eval_group=[[24] * 10], eval_at=[1, 3]
        ),
        X,
    ),
    "xendcg": lambda: (
        lightgbm.LGBMRanker(**SMALL, objective="rank_xendcg").fit(X, TWO, group=[24] * 10),
        X,
    ),
    "pandas": lambda: (classifier().fit(FRAME, OF_KINDS), FRAME),
    "sparse": lambda: (classifier().fit(SPARSE, TWO), SPARSE),
    "linear tree": lambda: (regressor(linear_tree=True).fit(X, X[:, 0] * X[:, 3]), X),
    "linear tree of one leaf": lambda: (
        regressor(linear_tree=True, min_child_samples=200).fit(X, NUMBER),
        X,
    ),
    "dart": lambda: (classifier(boosting_type="dart").fit(X, TWO), X),
    "goss": lambda: (classifier(data_sample_strategy="goss").fit(X, TWO), X),
    "random forest": lambda: (
        regressor(boosting_type="rf", subsample=0.5, subsample_freq=1).fit(FRAME, OF_KINDS * 2.5),
        FRAME,
    ),
    "early stopped": lambda: (
        classifier(n_estimators=60, learning_rate=1.0).fit(
            X[:150], TWO[:150], eval_set=[(X[150:], 1 - TWO[150:])], callbacks=STOP
        ),
        X,
    ),
    "went on": lambda: (
        classifier().fit(FRAME, TWO, init_model=classifier().fit(FRAME, TWO)),
        FRAME,
    ),
    "constant": lambda: (regressor(min_child_samples=200).fit(X, NUMBER), X),
    "class weights": lambda: (classifier(class_weight={0: 1.0, 1: 3.0}).fit(X, TWO), X),
    "several metrics": lambda: (
        classifier().fit(X, TWO, eval_set=[(X, TWO)], eval_metric=["auc", "binary_error"]),
        X,
    ),
    "generator": lambda: (classifier(random_state=np.random.RandomState(3)).fit(X, TWO), X),
    "pipeline": lambda: (make_pipeline(StandardScaler(), classifier()).fit(X, TWO), X),
    "stacking": lambda: (
        StackingClassifier([("a", classifier()), ("b", classifier(num_leaves=3))]).fit(X, TWO),
        X,
    ),
    "voting": lambda: (
        VotingClassifier([("a", classifier()), ("b", classifier(num_leaves=3))]).fit(X, TWO),
        X,
    ),
    "calibrated": lambda: (CalibratedClassifierCV(classifier()).fit(X, TWO), X),
    "grid": lambda: (GridSearchCV(classifier(), {"num_leaves": [3, 5]}, cv=2).fit(X, TWO), X),
    "random search": lambda: (
        RandomizedSearchCV(
            classifier(), {"num_leaves": [3, 5]}, n_iter=2, cv=2, random_state=0
        ).fit(X, TWO),
        X,
    ),
    "pipeline of a frame": lambda: (
        make_pipeline(FunctionTransformer(), classifier()).fit(FRAME, OF_KINDS),
        FRAME,
    ),
    "stacking of three": lambda: (
        StackingClassifier(
            [("a", classifier()), ("b", classifier(boosting_type="dart"))],
            final_estimator=classifier(n_estimators=2),
        ).fit(X, THREE),
        X,
    ),
    "voting of numbers": lambda: (
        VotingRegressor([("a", regressor()), ("b", regressor(objective="quantile"))]).fit(
            SPARSE, NUMBER
        ),
        SPARSE,
    ),
    "calibrated by isotonic": lambda: (
        CalibratedClassifierCV(classifier(), method="isotonic", cv=2).fit(SPARSE, THREE),
        SPARSE,
    ),
    "grid of a pipeline": lambda: (
        GridSearchCV(
            make_pipeline(StandardScaler(), regressor()),
            {"lgbmregressor__num_leaves": [3, 5]},
            cv=2,
        ).fit(X, NUMBER),
        X,
    ),
    "one vs rest": lambda: (OneVsRestClassifier(classifier()).fit(X, THREE), X),
    "outputs": lambda: (
        MultiOutputRegressor(regressor()).fit(X, np.stack([NUMBER, -NUMBER], axis=1)),
        X,
    ),
    "bagging": lambda: (
        BaggingRegressor(regressor(), n_estimators=2, random_state=0).fit(SPARSE, NUMBER),
        SPARSE,
    ),
    "boosting": lambda: (AdaBoostClassifier(classifier(), n_estimators=2).fit(SPARSE, TWO), SPARSE),
}


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    """An embedded store of its own for each test."""
    monkeypatch.setenv("NOPICKLE_HOME", str(tmp_path / "home"))
    monkeypatch.delenv(SWITCH, raising=False)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    (tmp_path / "home").mkdir()


def answers(model, data):
    """Every answer of a model, as bytes: predictions, probabilities, leaves, SHAP values."""
    found = [np.asarray(model.predict(data))]
    if hasattr(model, "predict_proba"):
        found.append(np.asarray(model.predict_proba(data)))
    if isinstance(model, (lightgbm.LGBMModel, lightgbm.Booster)):
        found.append(np.asarray(model.predict(data, pred_leaf=True)))
        found.append(np.asarray(model.predict(data, raw_score=True)))
    return [(array.dtype, array.shape, array.tobytes()) for array in found]


def booster_of(name):
    """The booster of one of the estimators, and its data."""
    model, data = ESTIMATORS[name]()
    return model.booster_, data


ALONE = [
    name for name in ESTIMATORS if list(ESTIMATORS).index(name) < list(ESTIMATORS).index("pipeline")
]


@pytest.mark.parametrize("name", ESTIMATORS)
def test_an_estimator_answers_as_before_with_nothing_trusted_by_hand(name):
    model, data = ESTIMATORS[name]()
    written = skops.dumps(model)
    assert skops.get_untrusted_types(data=written) == []
    loaded = skops.loads(written)
    assert type(loaded) is type(model)
    assert skops.dumps(loaded) == skops.dumps(skops.loads(written))
    assert answers(loaded, data) == answers(model, data)


@pytest.mark.parametrize("name", ALONE)
def test_an_estimator_goes_to_stock_skops_and_comes_from_it(name):
    stock = pytest.importorskip("skops.io")
    model, data = ESTIMATORS[name]()
    ours = skops.dumps(model)
    _, asked = _rust.skops_check(ours, [], 1 << 30)
    assert answers(stock.loads(ours, trusted=asked), data) == answers(model, data)
    assert answers(skops.loads(stock.dumps(model)), data) == answers(model, data)


@pytest.mark.parametrize("name", ALONE)
def test_a_booster_is_its_text_in_a_folder(name, tmp_path):
    booster, data = booster_of(name)
    mlflow.lightgbm.save_model(booster, str(tmp_path / "model"))
    text = (tmp_path / "model/model.lgb").read_text(encoding="utf-8")
    assert text == booster.model_to_string()
    loaded = mlflow.lightgbm.load_model(str(tmp_path / "model"))
    assert answers(loaded, data) == answers(booster, data)
    assert loaded.pandas_categorical == booster.pandas_categorical
    assert loaded.params == lightgbm.Booster(model_str=text).params
    predicted = mlflow.pyfunc.load_model(str(tmp_path / "model")).predict(data)
    assert np.array_equal(predicted, booster.predict(data))
    assert _rust.lightgbm_read(text.encode(), "text") == text


def test_a_text_that_a_loaded_booster_writes_is_read():
    for name in ALONE:
        booster, _ = booster_of(name)
        text = lightgbm.Booster(model_str=booster.model_to_string()).model_to_string()
        assert _rust.lightgbm_read(text.encode(), name) == text


def test_a_booster_of_no_trees_and_one_of_some():
    booster, _ = booster_of("multiclass")
    for arguments in ({"num_iteration": 2}, {"start_iteration": 3}, {"start_iteration": 99}):
        text = booster.model_to_string(**arguments)
        assert _rust.lightgbm_read(text.encode(), "text") == text
        found = lightgbm.Booster(model_str=_rust.lightgbm_read(text.encode(), "text"))
        assert np.array_equal(
            found.predict(X), lightgbm.Booster(model_str=text).predict(X), equal_nan=True
        )


def test_without_trees_no_feature_has_the_name_of_a_line():
    names = ["a", "num_class", "c", "d"]
    booster = classifier().fit(pd.DataFrame(X, columns=names), X[:, 1] > 0).booster_
    assert _rust.lightgbm_read(booster.model_to_string().encode(), "text")
    text = booster.model_to_string(start_iteration=99)
    with pytest.raises(UnverifiedModelError, match="has the name of a line of the header"):
        _rust.lightgbm_read(text.encode(), "text")


def test_a_booster_that_a_user_trained_with_an_objective_of_his_own(tmp_path):
    data = lightgbm.Dataset(X, NUMBER)
    booster = lightgbm.train({"objective": own_objective, "verbose": -1, "num_threads": 1}, data, 3)
    mlflow.lightgbm.save_model(booster, str(tmp_path / "model"), num_iteration=2)
    loaded = mlflow.lightgbm.load_model(str(tmp_path / "model"))
    assert loaded.num_trees() == 2
    assert np.array_equal(loaded.predict(X), booster.predict(X, num_iteration=2))


@pytest.mark.parametrize("name", ["binary", "multiclass", "pandas", "ranking"])
def test_an_estimator_in_a_folder(name, tmp_path):
    model, data = ESTIMATORS[name]()
    path = tmp_path / "model"
    mlflow.lightgbm.save_model(model, str(path), input_example=data[:3])
    assert sorted(os.listdir(path))[:3] == ["MLmodel", "conda.yaml", "input_example.json"]
    meta = mlflow.models.Model.load(str(path))
    section = meta.flavors["lightgbm"]
    assert section["data"] == "model.skops"
    assert section["model_class"] == f"lightgbm.sklearn.{type(model).__name__}"
    assert section["lgb_version"] == lightgbm.__version__
    assert section["serialization_format"] == "skops"
    assert {"lightgbm.basic.Booster", section["model_class"]} < set(section["skops_trusted_types"])
    assert meta.flavors["python_function"]["loader_module"] == "mlflow.lightgbm"
    # Stock MLflow takes categories for texts too, which LightGBM does not predict with.
    assert (meta.signature is None) == (name == "pandas")
    lines = (path / "requirements.txt").read_text().splitlines()
    assert f"lightgbm=={lightgbm.__version__}" in lines
    assert any(line.startswith("skops==") for line in lines)
    assert answers(mlflow.lightgbm.load_model(str(path)), data) == answers(model, data)


def test_the_example_of_mlflows_documentation():
    model = classifier(objective="multiclass", random_state=42).fit(X, THREE)
    granted = [
        "collections.OrderedDict",
        "lightgbm.basic.Booster",
        "lightgbm.sklearn.LGBMClassifier",
    ]
    for trusted in (granted, None):
        with mlflow.start_run():
            info = mlflow.lightgbm.log_model(
                model, name="model", serialization_format="skops", skops_trusted_types=trusted
            )
        loaded = mlflow.lightgbm.load_model(info.model_uri)
        assert answers(loaded, X) == answers(model, X)
        assert np.array_equal(mlflow.pyfunc.load_model(info.model_uri).predict(X), model.predict(X))


@pytest.mark.parametrize("written", ["pickle", "cloudpickle"])
def test_a_pickle_loads_only_with_the_switch_on(written, tmp_path, monkeypatch):
    if written == "cloudpickle":
        pytest.importorskip("cloudpickle")
    model = classifier().fit(X, TWO)
    mlflow.lightgbm.save_model(model, str(tmp_path / "model"), serialization_format=written)
    assert answers(mlflow.lightgbm.load_model(str(tmp_path / "model")), X) == answers(model, X)
    monkeypatch.setenv(SWITCH, "false")
    with pytest.raises(MlflowException, match="is a pickle"):
        mlflow.lightgbm.load_model(str(tmp_path / "model"))


def test_skops_and_text_load_with_the_switch_off(tmp_path, monkeypatch):
    monkeypatch.setenv(SWITCH, "false")
    model = classifier().fit(FRAME, TWO)
    for saved, folder in ((model, "estimator"), (model.booster_, "booster")):
        mlflow.lightgbm.save_model(saved, str(tmp_path / folder))
        loaded = mlflow.lightgbm.load_model(str(tmp_path / folder))
        assert answers(loaded, FRAME) == answers(saved, FRAME)


def test_arguments_that_have_no_meaning_are_refused(tmp_path):
    model = classifier().fit(X, TWO)
    for arguments in ({"prompts": []}, {"num_iteration": 2}):
        with pytest.raises(MlflowException, match=next(iter(arguments))):
            mlflow.lightgbm.save_model(model, str(tmp_path / "model"), **arguments)
    with pytest.raises(MlflowException, match="prompts"):
        mlflow.lightgbm.log_model(model.booster_, name="model", prompts=[])
    with pytest.raises(MlflowException, match="Unrecognized serialization format: onnx"):
        mlflow.lightgbm.save_model(model, str(tmp_path / "model"), serialization_format="onnx")
    assert not (tmp_path / "model").exists()


@pytest.mark.parametrize("name", ALONE)
def test_a_folder_of_stock_mlflow_loads_and_ours_loads_there(name, tmp_path):
    stock = pytest.importorskip("mlflow.lightgbm", exc_type=ImportError)
    model, data = ESTIMATORS[name]()
    for saved in (model, model.booster_):
        path = str(tmp_path / type(saved).__name__)
        mlflow.lightgbm.save_model(saved, path)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            loaded = stock.load_model(path)
        assert answers(loaded, data) == answers(saved, data)
        section = mlflow.models.Model.load(path).flavors["lightgbm"]
        for written in ("cloudpickle", "skops"):
            # Requirements are named: else MLflow starts a process that imports everything, to see what is imported.
            stock.save_model(
                saved,
                f"{path} {written}",
                serialization_format=written,
                skops_trusted_types=section.get("skops_trusted_types"),
                pip_requirements=["lightgbm"],
            )
            loaded = mlflow.lightgbm.load_model(f"{path} {written}")
            assert answers(loaded, data) == answers(saved, data)


@pytest.fixture(scope="module")
def cluster():
    """A Dask cluster of one worker in this process."""
    distributed = pytest.importorskip("distributed")
    with (
        distributed.LocalCluster(
            n_workers=1,
            threads_per_worker=1,
            processes=False,
            protocol="tcp://",
            host="127.0.0.1",
            dashboard_address=None,
        ) as cluster,
        distributed.Client(cluster) as client,
    ):
        yield client


@pytest.mark.parametrize("name", ["DaskLGBMClassifier", "DaskLGBMRegressor", "DaskLGBMRanker"])
def test_of_an_estimator_of_dask_the_local_model_is_saved(name, cluster, tmp_path):
    array = pytest.importorskip("dask.array")
    inputs, target = array.from_array(X, chunks=(120, 4)), array.from_array(TWO, chunks=120)
    group = {}
    if name == "DaskLGBMRanker":
        group["group"] = array.from_array(np.array([24] * 10), chunks=5)
    model = getattr(lightgbm, name)(**SMALL, client=cluster).fit(inputs, target, **group)
    path = str(tmp_path / "model")
    mlflow.lightgbm.save_model(model, path)
    section = mlflow.models.Model.load(path).flavors["lightgbm"]
    assert section["model_class"] == "lightgbm.sklearn." + name.removeprefix("Dask")
    loaded = mlflow.lightgbm.load_model(path)
    assert type(loaded).__module__ == "lightgbm.sklearn"
    assert answers(loaded, X) == answers(model.to_local(), X)
    assert np.array_equal(loaded.predict(X), model.predict(inputs).compute())
    assert np.array_equal(mlflow.pyfunc.load_model(path).predict(X), loaded.predict(X))


@pytest.mark.parametrize("name", ALONE)
def test_the_text_that_is_written_once_is_the_one_of_model_to_string(name, monkeypatch):
    booster, _ = booster_of(name)
    expected = booster.__getstate__()
    found = _boosters.state(booster)
    assert list(found) == list(expected)
    assert found["_handle"] == expected["_handle"]
    for arguments in ({"num_iteration": 2}, {"importance_type": "gain"}, {}):
        text = booster.model_to_string(**arguments)
        assert _boosters.text(booster, **arguments) == text
        with monkeypatch.context() as patch:
            patch.delattr(os, "memfd_create", raising=False)
            assert _boosters.text(booster, **arguments) == text


def text_of(name="binary"):
    return booster_of(name)[0].model_to_string()


def changed(text, before, after):
    assert re.search(before, text), before
    return re.sub(before, after, text, count=1)


HOSTILE = {
    "a child that is its own parent": ("binary", r"left_child=\S+", "left_child=0"),
    "a leaf that is not there": ("binary", r"left_child=(\S+ \S+) \S+", r"left_child=\1 -99"),
    "a feature that is not there": ("binary", r"split_feature=\S+", "split_feature=4"),
    "a list that is too short": ("binary", r"leaf_value=\S+ ", "leaf_value="),
    "more leaves than lists": ("binary", r"num_leaves=\d+", "num_leaves=100000000"),
    "no leaves": ("binary", r"num_leaves=\d+", "num_leaves=0"),
    "a tree that ends elsewhere": ("binary", r"tree_sizes=\d+", "tree_sizes=99999999"),
    "no trees in an iteration": ("binary", "num_tree_per_iteration=1", "num_tree_per_iteration=0"),
    "other classes": ("binary", "num_class=1", "num_class=5"),
    "an objective of other classes": (
        "multiclass",
        "multiclass num_class:3",
        "multiclass num_class:99",
    ),
    "a bitset that is not there": ("pandas", r"\nthreshold=0\b", "\nthreshold=99"),
    "bitsets of other lengths": ("pandas", r"cat_boundaries=0 \d", "cat_boundaries=0 9"),
    "a coefficient too few": ("linear tree", r"leaf_coeff=\S+ ", "leaf_coeff="),
    "an info without an end": ("binary", r"feature_infos=\[[^:]*:", "feature_infos=["),
    "a parameter without a colon": ("binary", r"\[boosting: gbdt\]", "[boosting]"),
    "a text that ends inside a tree": ("binary", r"(?s)leaf_weight.*", "leaf_weight"),
    "a NUL": ("binary", "split_gain", "split\0gain"),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_text_is_refused_alone_and_inside_a_model(name, tmp_path):
    of, before, after = HOSTILE[name]
    booster, _ = booster_of(of)
    text = changed(booster.model_to_string(), before, after)
    refusals = (MalformedModelError, UnverifiedModelError)
    with pytest.raises(refusals):
        _rust.lightgbm_read(text.encode(), "model.lgb")
    mlflow.lightgbm.save_model(booster, str(tmp_path / "model"))
    (tmp_path / "model/model.lgb").write_bytes(text.encode())
    with pytest.raises(refusals, match=r"model\.lgb@\d+: "):
        mlflow.lightgbm.load_model(str(tmp_path / "model"))
    with pytest.raises(UnverifiedModelError, match=r"lightgbm\.basic\.Booster"):
        skops.loads(edited(skops.dumps(booster), "_handle", text))


def edited(data, key, value):
    """A skops file in which an attribute has another value."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        entries = {name: archive.read(name) for name in archive.namelist()}
    schema = json.loads(entries["schema.json"])
    todo, put = [schema], 0
    while todo:
        node = todo.pop()
        if isinstance(node, dict):
            if key in node:
                plain = {"__class__": "str", "__module__": "builtins", "__loader__": "JsonNode"}
                node[key] = {**plain, "content": json.dumps(value), "is_json": True}
                put += 1
            todo.extend(node.values())
        elif isinstance(node, list):
            todo.extend(node)
    assert put, key
    entries["schema.json"] = json.dumps(schema).encode()
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for name, entry in entries.items():
            archive.writestr(name, entry)
    return out.getvalue()


@pytest.mark.parametrize(
    ("of", "name", "value", "words"),
    [
        ("estimator", "_n_features", 3, "_n_features or _n_features_in is not that"),
        ("estimator", "_n_features_in", 5, "_n_features or _n_features_in is not that"),
        ("estimator", "_n_classes", 4, "_n_classes is not that"),
        ("estimator", "_n_classes", "2", "_n_classes is not that"),
        ("estimator", "n_jobs", 1_000_000, "more than 1024 threads"),
        ("estimator", "n_jobs", 1 << 80, "more than 1024 threads"),
        ("estimator", "boosting_type", "gbdt num_threads=1000000", "a second one in its text"),
        ("estimator", "_eval_at", [1, "\nnum_class=90000"], "a second one in its text"),
        ("estimator", "_eval_at", np.array(["1 n_jobs=9999"]), "an array of other things"),
        ("estimator", "_eval_at", [StandardScaler()], "a list of other things"),
        ("estimator", "_process_n_jobs", 7, "the name of a method"),
        ("estimator", "_Booster", StandardScaler(), "_Booster is not a booster"),
        ("estimator", "_other_params", [], "_other_params is not a dict"),
        ("booster", "pandas_categorical", [["u"]], "pandas_categorical is not that"),
        ("booster", "_Booster__num_dataset", 1, "counts data sets"),
        ("booster", "train_set", StandardScaler(), "counts data sets"),
        ("booster", "_Booster__init_predictor", StandardScaler(), "not a predictor"),
        ("predictor", "_handle", 140_000_000, "has a handle of its own"),
        ("predictor", "handle", None, "has a handle of its own"),
        ("booster", "handle", "tree", "does not have one text"),
    ],
)
def test_a_state_that_native_code_would_follow_is_refused(of, name, value, words, monkeypatch):
    model = classifier().fit(X, TWO, init_model=classifier().fit(X, TWO))
    booster = model.booster_
    predictor = booster._Booster__init_predictor
    changed = {"estimator": model, "booster": booster, "predictor": predictor}[of]
    skops.loads(skops.dumps(model))
    state = changed.__getstate__()
    # The file says what `__getstate__` says; the objects themselves stay whole.
    monkeypatch.setattr(
        type(changed), "__getstate__", lambda self: {**state, name: value}, raising=False
    )
    data = skops.dumps(model if of == "estimator" else booster)
    monkeypatch.undo()
    with pytest.raises(UnverifiedModelError, match=words):
        skops.loads(data)


def test_a_booster_without_a_text_is_refused():
    data = edited(skops.dumps(classifier().fit(X, TWO)), "_handle", None)
    with pytest.raises(UnverifiedModelError, match="does not have one text"):
        skops.loads(data)


def test_names_of_a_parameter_are_single_words():
    model = classifier(**{"silent num_threads=9999999": 1}).fit(X, TWO)
    with pytest.raises(UnverifiedModelError, match="name is not one word"):
        skops.loads(skops.dumps(model))
    for name in ("num_threads", "nthread", "num_class"):
        loud = classifier().fit(X, TWO)
        loud._other_params[name] = 10**6
        with pytest.raises(UnverifiedModelError, match="more than 10"):
            skops.loads(skops.dumps(loud))


def test_a_deep_tree_is_over_the_limit():
    levels = 5000
    numbers = " ".join(["1"] * levels)
    left = " ".join(str(-1 - at) for at in range(levels))
    right = " ".join([*(str(at) for at in range(1, levels)), str(-1 - levels)])
    tree = text_of("constant")
    lists = {
        "num_leaves": levels + 1,
        "split_feature": numbers,
        "split_gain": numbers,
        "threshold": numbers,
        "decision_type": " ".join(["2"] * levels),
        "left_child": left,
        "right_child": right,
        "leaf_value": numbers + " 1",
        "leaf_weight": numbers + " 1",
        "leaf_count": numbers + " 1",
        "internal_value": numbers,
        "internal_weight": numbers,
        "internal_count": numbers,
    }
    for key, value in lists.items():
        tree = changed(tree, rf"\n{key}=.*\n", f"\n{key}={value}\n")
    with pytest.raises(LimitExceededError, match="levels of a tree of a booster"):
        _rust.lightgbm_read(tree.encode(), "deep")


EXPECTED = re.compile(r'"([^"]+)" = \{ kind = "(\w+)"(?:, says = "([^"]*)")? \}')
KINDS = {
    "malformed": MalformedModelError,
    "unsupported": UnsupportedModelError,
    "limit": LimitExceededError,
    "unverified": UnverifiedModelError,
}


def test_every_hostile_text_is_refused_before_lightgbm_sees_it(request, tmp_path, monkeypatch):
    folder = request.config.rootpath / "cases/hostile/lightgbm"
    lines = EXPECTED.findall((folder / "expected.toml").read_text())
    assert len(lines) > 180
    mlflow.lightgbm.save_model(booster_of("binary")[0], str(tmp_path / "model"))
    given = []
    monkeypatch.setattr(lightgbm, "Booster", lambda model_str: given.append(model_str))
    for name, kind, says in lines:
        text = (folder / f"{name}.lgb").read_bytes()
        (tmp_path / "model/model.lgb").write_bytes(text)
        given.clear()
        if kind == "loads":
            mlflow.lightgbm.load_model(str(tmp_path / "model"))
            assert given == [text.decode()], name
            continue
        with pytest.raises(KINDS[kind]) as raised:
            mlflow.lightgbm.load_model(str(tmp_path / "model"))
        assert str(raised.value) == says, name
        assert given == [], name


def test_every_version_of_the_text_loads_and_answers_as_the_original(request):
    folder = request.config.rootpath / "cases/boosters"
    texts = sorted(folder.glob("*.lgb"))
    assert len(texts) > 40
    for path in texts:
        text = path.read_text(encoding="utf-8")
        stock = lightgbm.Booster(model_str=text)
        loaded = lightgbm.Booster(model_str=_rust.lightgbm_read(str(path), path.name))
        assert np.array_equal(loaded.predict(np.abs(X * 9)), stock.predict(np.abs(X * 9))), (
            path.name
        )


def test_pickle_of_a_loaded_model_is_that_of_the_model():
    model = classifier().fit(FRAME, TWO)
    loaded = skops.loads(skops.dumps(model))
    assert loaded.booster_.model_to_string() == model.booster_.model_to_string()
    assert answers(pickle.loads(pickle.dumps(loaded)), FRAME) == answers(model, FRAME)
    assert np.array_equal(
        loaded.predict(FRAME, pred_contrib=True), model.predict(FRAME, pred_contrib=True)
    )
