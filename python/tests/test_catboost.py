"""The CatBoost flavor: model files and estimators, folders, refusals."""

from __future__ import annotations

import json
import os
import pickle
import re
import warnings

import numpy as np
import pytest
from scipy import sparse

pd = pytest.importorskip("pandas")
catboost = pytest.importorskip("catboost")

from catboost import (  # noqa: E402
    CatBoost,
    CatBoostClassifier,
    CatBoostRanker,
    CatBoostRegressor,
    Pool,
)
from sklearn.calibration import CalibratedClassifierCV  # noqa: E402
from sklearn.ensemble import (  # noqa: E402
    BaggingRegressor,
    StackingClassifier,
    VotingClassifier,
)
from sklearn.model_selection import GridSearchCV, RandomizedSearchCV  # noqa: E402
from sklearn.multiclass import OneVsRestClassifier  # noqa: E402
from sklearn.multioutput import MultiOutputRegressor  # noqa: E402
from sklearn.pipeline import make_pipeline  # noqa: E402
from sklearn.preprocessing import StandardScaler  # noqa: E402

import nopickle as mlflow  # noqa: E402
from nopickle import _rust, skops  # noqa: E402
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
FRAME = pd.DataFrame(X, columns=["a", "b b", "c", "東"])
FRAME["kind"] = pd.Categorical(np.array(["u", "v", "w"])[RNG.randint(3, size=len(X))])
FRAME["code"] = [f"code {number}" for number in RNG.randint(40, size=len(X))]
# A target that the categories decide on.
OF_KINDS = (
    ((FRAME["code"].str[-1] < "5") ^ (FRAME["kind"].astype(str) == "u")).to_numpy().astype(int)
)
CATEGORIES = ["kind", "code"]
SPARSE = sparse.csr_matrix(np.where(np.abs(np.nan_to_num(X)) > 1, np.nan_to_num(X), 0))
GROUPS = np.repeat(np.arange(10), 24)
SMALL = {
    "iterations": 5,
    "depth": 3,
    "verbose": 0,
    "thread_count": 1,
    "random_seed": 1,
    "allow_writing_files": False,
}


def classifier(**params):
    return CatBoostClassifier(**{**SMALL, **params})


def regressor(**params):
    return CatBoostRegressor(**{**SMALL, **params})


def lossguide(make, **params):
    params = {**SMALL, "grow_policy": "Lossguide", "max_leaves": 7, **params}
    params.pop("depth")
    return make(**params)


def of_kinds(make, **params):
    return make(**{**SMALL, "depth": 4, "iterations": 12, "cat_features": CATEGORIES, **params})


MANY_CTRS = {
    "simple_ctr": [
        "Borders:TargetBorderCount=4",
        "Buckets:TargetBorderCount=3",
        "BinarizedTargetMeanValue",
        "Counter",
    ],
    "combinations_ctr": ["Borders", "Counter"],
    "max_ctr_complexity": 2,
    "one_hot_max_size": 2,
}
LABELS = np.column_stack([TWO, THREE > 0, THREE < 0]).astype(int)
TARGETS = np.column_stack([NUMBER, -NUMBER])

# Estimators by name: a fitted one and the data that it predicts.
ESTIMATORS = {
    "binary": lambda: (classifier().fit(X, TWO), X),
    "texts": lambda: (classifier().fit(X, np.array(["no", "yes"])[TWO]), X),
    "booleans": lambda: (classifier().fit(X, TWO.astype(bool)), X),
    "cross entropy": lambda: (classifier(loss_function="CrossEntropy").fit(X, TWO * 0.5), X),
    "multiclass": lambda: (classifier().fit(X, THREE), X),
    "multiclass of texts": lambda: (
        classifier().fit(X, np.array(["lo", "mid", "hi"])[THREE + 1]),
        X,
    ),
    "more classes": lambda: (
        classifier(classes_count=5, loss_function="MultiClass").fit(X, THREE + 1),
        X,
    ),
    "one against the rest": lambda: (
        classifier(loss_function="MultiClassOneVsAll").fit(X, THREE),
        X,
    ),
    "multilabel": lambda: (classifier(loss_function="MultiLogloss").fit(X, LABELS), X),
    "regression": lambda: (regressor().fit(X, NUMBER), X),
    "several targets": lambda: (regressor(loss_function="MultiRMSE").fit(X, TARGETS), X),
    "quantile": lambda: (regressor(loss_function="Quantile:alpha=0.9").fit(X, NUMBER), X),
    "quantiles": lambda: (
        regressor(loss_function="MultiQuantile:alpha=0.1,0.5,0.9").fit(X, NUMBER),
        X,
    ),
    "uncertainty": lambda: (regressor(loss_function="RMSEWithUncertainty").fit(X, NUMBER), X),
    "poisson": lambda: (regressor(loss_function="Poisson").fit(X, np.abs(NUMBER)), X),
    "tweedie": lambda: (
        regressor(loss_function="Tweedie:variance_power=1.5").fit(X, np.abs(NUMBER)),
        X,
    ),
    "ranking": lambda: (CatBoostRanker(**SMALL).fit(X, TWO, group_id=GROUPS), X),
    "pairs": lambda: (
        CatBoostRanker(**SMALL, loss_function="PairLogit").fit(X, TWO, group_id=GROUPS),
        X,
    ),
    "plain": lambda: (CatBoost({**SMALL, "loss_function": "RMSE"}).fit(X, NUMBER), X),
    "one hot": lambda: (of_kinds(classifier, one_hot_max_size=50).fit(FRAME, OF_KINDS), FRAME),
    "categories": lambda: (of_kinds(classifier).fit(FRAME, OF_KINDS), FRAME),
    "combinations": lambda: (
        of_kinds(classifier, max_ctr_complexity=4, depth=6, iterations=30).fit(FRAME, OF_KINDS),
        FRAME,
    ),
    "categories of several classes": lambda: (
        of_kinds(classifier).fit(FRAME, OF_KINDS + TWO),
        FRAME,
    ),
    "many ctrs": lambda: (
        of_kinds(regressor, **MANY_CTRS).fit(FRAME, NUMBER + OF_KINDS * 3),
        FRAME,
    ),
    "pandas": lambda: (regressor().fit(FRAME.iloc[:, :4], NUMBER), FRAME.iloc[:, :4]),
    "sparse": lambda: (classifier().fit(SPARSE, TWO), SPARSE),
    "depthwise": lambda: (classifier(grow_policy="Depthwise").fit(X, TWO), X),
    "lossguide": lambda: (lossguide(CatBoostRegressor).fit(X, NUMBER), X),
    "lossguide of classes": lambda: (
        lossguide(CatBoostClassifier, cat_features=CATEGORIES).fit(FRAME, THREE),
        FRAME,
    ),
    "early stopped": lambda: (
        classifier(iterations=60, learning_rate=1.0, early_stopping_rounds=2).fit(
            X[:150], TWO[:150], eval_set=(X[150:], 1 - TWO[150:])
        ),
        X,
    ),
    "several sets": lambda: (
        regressor().fit(X, NUMBER, eval_set=[(X[:50], NUMBER[:50]), (X[50:], NUMBER[50:])]),
        X,
    ),
    "went on": lambda: (regressor().fit(X, NUMBER, init_model=regressor().fit(X, NUMBER)), X),
    "one tree of one leaf": lambda: (
        regressor(grow_policy="Depthwise", min_data_in_leaf=1000).fit(X, NUMBER),
        X,
    ),
    "class weights": lambda: (classifier(auto_class_weights="Balanced").fit(X, THREE), X),
    "pipeline": lambda: (make_pipeline(StandardScaler(), classifier()).fit(X, TWO), X),
    "stacking": lambda: (
        StackingClassifier([("a", classifier()), ("b", classifier(depth=2))]).fit(X, TWO),
        X,
    ),
    "voting": lambda: (
        VotingClassifier([("a", classifier()), ("b", classifier(depth=2))]).fit(X, TWO),
        X,
    ),
    "calibrated": lambda: (CalibratedClassifierCV(classifier(), cv=2).fit(X, TWO), X),
    "grid": lambda: (GridSearchCV(classifier(), {"depth": [2, 3]}, cv=2).fit(X, TWO), X),
    "random search": lambda: (
        RandomizedSearchCV(classifier(), {"depth": [2, 3]}, n_iter=2, cv=2, random_state=0).fit(
            X, TWO
        ),
        X,
    ),
    "one vs rest": lambda: (OneVsRestClassifier(classifier()).fit(X, THREE), X),
    "outputs": lambda: (MultiOutputRegressor(regressor()).fit(X, TARGETS), X),
    "bagging": lambda: (
        BaggingRegressor(regressor(), n_estimators=2, random_state=0).fit(SPARSE, NUMBER),
        SPARSE,
    ),
}
ALONE = [
    name for name in ESTIMATORS if list(ESTIMATORS).index(name) < list(ESTIMATORS).index("pipeline")
]


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    """An embedded store of its own for each test."""
    monkeypatch.setenv("NOPICKLE_HOME", str(tmp_path / "home"))
    monkeypatch.delenv(SWITCH, raising=False)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    (tmp_path / "home").mkdir()


def answers(model, data):
    """Every answer of a model, as bytes: predictions, probabilities, raw values, leaves."""
    found = [np.asarray(model.predict(data))]
    if isinstance(model, CatBoost):
        found.append(np.asarray(CatBoost.predict(model, data)))
        if model.tree_count_:
            found.append(np.asarray(model.calc_leaf_indexes(data)))
    if hasattr(model, "predict_proba"):
        found.append(np.asarray(model.predict_proba(data)))
    return [
        (array.dtype, array.shape, array.tolist() if array.dtype == object else array.tobytes())
        for array in found
    ]


def file_of(model, tmp_path):
    path = str(tmp_path / "file.cbm")
    model.save_model(path)
    with open(path, "rb") as file:
        return file.read()


@pytest.mark.parametrize("name", ESTIMATORS)
def test_an_estimator_answers_as_before_with_nothing_trusted_by_hand(name):
    model, data = ESTIMATORS[name]()
    written = skops.dumps(model)
    assert skops.get_untrusted_types(data=written) == []
    loaded = skops.loads(written)
    assert type(loaded) is type(model)
    assert answers(loaded, data) == answers(model, data)


@pytest.mark.parametrize("name", ALONE)
def test_an_estimator_goes_to_stock_skops_and_comes_from_it(name):
    stock = pytest.importorskip("skops.io")
    model, data = ESTIMATORS[name]()
    ours = skops.dumps(model)
    asked = [f"catboost.core.{type(model).__name__}"]
    assert answers(stock.loads(ours, trusted=asked), data) == answers(model, data)
    loaded = skops.loads(stock.dumps(model))
    assert answers(loaded, data) == answers(model, data)
    assert loaded.get_params() == model.get_params()


def test_an_estimator_that_is_not_fitted_keeps_its_parameters():
    model = classifier(loss_function="Logloss", class_weights=[1, 2])
    loaded = skops.loads(skops.dumps(model))
    assert loaded.get_params() == model.get_params()
    assert not loaded.is_fitted()


def test_test_sets_and_importances_come_back():
    model, _ = ESTIMATORS["several sets"]()
    loaded = skops.loads(skops.dumps(model))
    # CatBoost reads what is under `_test_evals` after its model alone, which has no place for it.
    assert loaded.get_test_evals() == pickle.loads(pickle.dumps(model)).get_test_evals()
    assert np.array_equal(loaded.feature_importances_, model.feature_importances_)
    assert answers(pickle.loads(pickle.dumps(loaded)), X) == answers(model, X)


@pytest.mark.parametrize("name", ALONE)
def test_a_model_in_a_folder(name, tmp_path):
    model, data = ESTIMATORS[name]()
    path = tmp_path / "model"
    mlflow.catboost.save_model(model, str(path))
    meta = mlflow.models.Model.load(str(path))
    assert meta.flavors["catboost"] == {
        "catboost_version": catboost.__version__,
        "code": None,
        "data": "model.cb",
        "model_type": type(model).__name__,
        "save_format": "cbm",
    }
    assert meta.flavors["python_function"]["loader_module"] == "mlflow.catboost"
    loaded = mlflow.catboost.load_model(str(path))
    assert type(loaded) is type(model)
    assert answers(loaded, data) == answers(model, data)
    predicted = mlflow.pyfunc.load_model(str(path)).predict(data)
    assert np.array_equal(predicted, model.predict(data))
    written = (path / "model.cb").read_bytes()
    assert _rust.catboost_read(written, "model.cb") == written


def test_the_example_of_mlflows_documentation():
    model = classifier().fit(X, THREE)
    with mlflow.start_run():
        info = mlflow.catboost.log_model(model, name="model", input_example=X[:2], format="cbm")
    assert info.signature.inputs is not None
    assert answers(mlflow.catboost.load_model(info.model_uri), X) == answers(model, X)
    loaded = mlflow.pyfunc.load_model(info.model_uri)
    assert np.array_equal(loaded.predict(X), model.predict(X))
    assert type(loaded.get_raw_model()) is CatBoostClassifier


def test_requirements_are_those_of_the_flavor(tmp_path):
    pinned = f"catboost=={catboost.__version__}"
    assert mlflow.catboost.get_default_pip_requirements() == [pinned]
    assert pinned in mlflow.catboost.get_default_conda_env()["dependencies"][-1]["pip"]
    mlflow.catboost.save_model(regressor().fit(X, NUMBER), str(tmp_path / "model"))
    assert pinned in (tmp_path / "model/requirements.txt").read_text().splitlines()


def test_folders_of_stock_mlflow_load_and_ours_load_there(tmp_path):
    stock = pytest.importorskip("mlflow.catboost", exc_type=ImportError)
    for name in ("binary", "several targets", "ranking", "plain", "categories", "lossguide"):
        model, data = ESTIMATORS[name]()
        path = str(tmp_path / name)
        stock.save_model(model, path)
        loaded = mlflow.catboost.load_model(path)
        assert type(loaded) is type(model)
        assert answers(loaded, data) == answers(model, data)
        assert loaded.get_params() == stock.load_model(path).get_params()
        predicted = mlflow.pyfunc.load_model(path).predict(data)
        assert np.array_equal(predicted, model.predict(data))
        mlflow.catboost.save_model(model, path + " ours")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            loaded = stock.load_model(path + " ours")
        assert answers(loaded, data) == answers(model, data)


def test_the_folder_that_stock_mlflow_wrote_gives_its_answers(request):
    case = request.config.rootpath / "cases/models/mlflow_3.17.2_catboost"
    given = json.loads((case / "inputs.json").read_text())["dataframe_split"]
    expected = json.loads((case / "expected.json").read_text())
    found = mlflow.pyfunc.load_model(str(case / "model")).predict(pd.DataFrame(**given))
    assert found.tolist() == expected
    same = mlflow.catboost.load_model(str(case / "model"))
    assert same.predict(pd.DataFrame(**given)).tolist() == expected


def test_models_load_with_the_switch_off(tmp_path, monkeypatch):
    monkeypatch.setenv(SWITCH, "false")
    model, data = ESTIMATORS["categories"]()
    mlflow.catboost.save_model(model, str(tmp_path / "model"))
    loaded = mlflow.catboost.load_model(str(tmp_path / "model"))
    assert answers(loaded, data) == answers(model, data)


@pytest.mark.parametrize("written", ["json", "onnx", "coreml", "cpp", "python", "pmml"])
def test_another_format_is_refused_at_both_ends(written, tmp_path):
    model = regressor().fit(np.nan_to_num(X), NUMBER)
    with pytest.raises(MlflowException, match=f"The format '{written}' can't be verified"):
        mlflow.catboost.save_model(model, str(tmp_path / "model"), format=written)
    assert not (tmp_path / "model").exists()
    mlflow.catboost.save_model(model, str(tmp_path / "model"))
    meta = tmp_path / "model/MLmodel"
    meta.write_text(meta.read_text().replace("save_format: cbm", f"save_format: {written}"))
    words = f"model.cb: unsupported format of a model: {written}"
    with pytest.raises(UnsupportedModelError, match=words):
        mlflow.catboost.load_model(str(tmp_path / "model"))


def test_arguments_that_have_no_meaning_are_refused(tmp_path):
    model = regressor().fit(X, NUMBER)
    with pytest.raises(MlflowException, match="prompts"):
        mlflow.catboost.save_model(model, str(tmp_path / "model"), prompts=[])
    with pytest.raises(MlflowException, match="prompts"):
        mlflow.catboost.log_model(model, name="model", prompts=[])
    with pytest.raises(MlflowException, match="it can be CatBoost, CatBoostClassifier"):
        mlflow.catboost.save_model(StandardScaler(), str(tmp_path / "model"))
    assert not (tmp_path / "model").exists()


def test_a_class_that_is_not_catboosts_is_refused(tmp_path):
    mlflow.catboost.save_model(regressor().fit(X, NUMBER), str(tmp_path / "model"))
    meta = tmp_path / "model/MLmodel"
    for name in ("EFstrType", "os.system", "CatBoostError"):
        text = re.sub("model_type: .*", f"model_type: {name}", meta.read_text())
        meta.write_text(text)
        with pytest.raises(MalformedModelError, match="not a class of the library"):
            mlflow.catboost.load_model(str(tmp_path / "model"))


def test_text_and_embedding_features_are_refused_where_they_are_saved(tmp_path):
    words = [[" ".join(RNG.choice(["aa", "bb", "cc", "dd"], 5))] for _ in range(len(X))]
    model = CatBoostClassifier(**SMALL, text_features=[0]).fit(words, TWO)
    with pytest.raises(UnsupportedModelError, match="features of a CatBoost model: text"):
        mlflow.catboost.save_model(model, str(tmp_path / "model"))
    assert not (tmp_path / "model").exists()
    with pytest.raises(UnverifiedModelError, match="features of a CatBoost model"):
        skops.loads(skops.dumps(model))
    pool = Pool([[list(row)] for row in np.nan_to_num(X)], TWO, embedding_features=[0])
    model = CatBoostClassifier(**SMALL).fit(pool)
    with pytest.raises(UnsupportedModelError, match="features of a CatBoost model"):
        mlflow.catboost.save_model(model, str(tmp_path / "model"))


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("__model", b"CBM1", "a part of the model ends before it should"),
        ("__model", "CBM1", "the model of a CatBoost estimator is not bytes"),
        ("__model", bytearray(b"CBM1"), "the model of a CatBoost estimator is not bytes"),
        ("_test_evals", [["a"]], "values of a test set are not numbers in lists"),
        ("_test_eval", StandardScaler(), "values of a test set are not numbers in lists"),
        ("loss_function", "RMSEWithUncertainty", "does not have the dimensions of the model"),
        ("objective", "RMSEWithUncertainty", "does not have the dimensions of the model"),
        ("thread_count", 1_000_000, "more than 1024 threads"),
        ("thread_count", 1 << 80, "more than 1024 threads"),
        ("classes_count", 1 << 30, "more than 10,000 classes"),
    ],
)
def test_a_state_that_native_code_would_follow_is_refused(name, value, words, monkeypatch):
    model = regressor().fit(X, NUMBER)
    state = model.__getstate__()
    monkeypatch.setattr(CatBoostRegressor, "__getstate__", lambda self: {**state, name: value})
    data = skops.dumps(model)
    monkeypatch.undo()
    with pytest.raises(UnverifiedModelError, match=words):
        skops.loads(data)


def test_a_test_set_that_is_one_list_many_times_is_refused(monkeypatch):
    model = regressor().fit(X, NUMBER)
    row = [1.0] * 10
    state = {**model.__getstate__(), "_test_evals": [[row, row]]}
    monkeypatch.setattr(CatBoostRegressor, "__getstate__", lambda self: dict(state))
    data = skops.dumps(model)
    monkeypatch.undo()
    with pytest.raises(UnverifiedModelError, match="values of a test set"):
        skops.loads(data)


def test_a_hostile_model_is_refused_inside_an_estimator(request, monkeypatch):
    folder = request.config.rootpath / "cases/hostile/catboost"
    model = regressor().fit(X, NUMBER)
    state = model.__getstate__()
    for name in ("split_past_end", "bucket_past_end", "label_huge", "vtable_past_end"):
        changed = {**state, "__model": (folder / f"{name}.cbm").read_bytes()}
        with monkeypatch.context() as patch:
            patch.setattr(CatBoostRegressor, "__getstate__", lambda self, to=changed: dict(to))
            data = skops.dumps(make_pipeline(StandardScaler(), model))
        with pytest.raises(UnverifiedModelError, match=r"catboost\.core\.CatBoostRegressor"):
            skops.loads(data)


EXPECTED = re.compile(r'"([^"]+)" = \{ kind = "(\w+)"(?:, says = "([^"]*)")? \}')
KINDS = {
    "malformed": MalformedModelError,
    "unsupported": UnsupportedModelError,
    "limit": LimitExceededError,
    "unverified": UnverifiedModelError,
}


def test_every_hostile_model_is_refused_before_catboost_sees_it(request, tmp_path, monkeypatch):
    folder = request.config.rootpath / "cases/hostile/catboost"
    lines = EXPECTED.findall((folder / "expected.toml").read_text())
    assert len(lines) > 180
    mlflow.catboost.save_model(regressor().fit(X, NUMBER), str(tmp_path / "model"))
    given = []

    def load_model(self, path, format):
        with open(path, "rb") as file:
            given.append(file.read())

    monkeypatch.setattr(CatBoostRegressor, "load_model", load_model)
    for name, kind, says in lines:
        data = (folder / f"{name}.cbm").read_bytes()
        (tmp_path / "model/model.cb").write_bytes(data)
        given.clear()
        if kind == "loads":
            mlflow.catboost.load_model(str(tmp_path / "model"))
            assert given == [data], name
            continue
        with pytest.raises(KINDS[kind]) as raised:
            mlflow.catboost.load_model(str(tmp_path / "model"))
        assert str(raised.value).replace("\\", "\\\\") == says, name
        assert given == [], name


ROWS = np.abs(X[:60] * 3)


def raw_values(model):
    """What a model of ``cases/boosters`` answers for some rows; None for one without trees, which CatBoost refuses."""
    indices = [*model._get_float_feature_indices(), *model.get_cat_feature_indices()]
    names = model.feature_names_
    if len(names) <= max(indices):
        names = [str(at) for at in range(max(indices) + 1)]
    rows = pd.DataFrame(np.column_stack([ROWS, ROWS])[:, : len(names)], columns=names)
    for at in model.get_cat_feature_indices():
        rows[names[at]] = [list("abcdefghij")[(row * at) % 10] for row in range(len(ROWS))]
    return model.predict(rows) if model.tree_count_ else None


def test_every_model_of_older_versions_loads_and_answers_as_the_original(request):
    folder = request.config.rootpath / "cases/boosters"
    files = sorted(folder.glob("*.cbm"))
    assert len(files) > 40
    for path in files:
        read = CatBoost().load_model(blob=_rust.catboost_read(str(path), path.name))
        stock = CatBoost().load_model(str(path))
        assert np.array_equal(raw_values(read), raw_values(stock)), path.name


def test_what_the_hostile_models_are_made_of_answers_as_what_catboost_wrote(request):
    root = request.config.rootpath
    for path in sorted((root / "cases/hostile/catboost").glob("good_*.cbm")):
        name = path.stem.removeprefix("good_")
        original = root / f"cases/boosters/catboost_1.2.10_{name}.cbm"
        made = CatBoost().load_model(blob=_rust.catboost_read(str(path), path.name))
        found = raw_values(made)
        if original.exists():
            assert np.array_equal(found, raw_values(CatBoost().load_model(str(original)))), name


def test_the_private_copy_that_catboost_reads_is_gone(tmp_path, monkeypatch):
    mlflow.catboost.save_model(regressor().fit(X, NUMBER), str(tmp_path / "model"))
    (tmp_path / "tmp").mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "tmp"))
    seen = []
    load = CatBoostRegressor.load_model

    def load_model(self, path, **kwargs):
        seen.append(os.stat(os.path.dirname(path)).st_mode & 0o777)
        return load(self, path, **kwargs)

    monkeypatch.setattr(CatBoostRegressor, "load_model", load_model)
    mlflow.catboost.load_model(str(tmp_path / "model"))
    assert seen == [0o700]
    assert os.listdir(tmp_path / "tmp") == []
