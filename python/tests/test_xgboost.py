"""The XGBoost flavor and XGBoost's estimators: models, folders, skops files, refusals."""

from __future__ import annotations

import io
import os
import pickle
import re
import warnings
import zipfile

import numpy as np
import pytest
from scipy import sparse

pd = pytest.importorskip("pandas")
xgboost = pytest.importorskip("xgboost")

from sklearn.calibration import CalibratedClassifierCV  # noqa: E402
from sklearn.ensemble import StackingClassifier, VotingClassifier  # noqa: E402
from sklearn.model_selection import GridSearchCV  # noqa: E402
from sklearn.multiclass import OneVsRestClassifier  # noqa: E402
from sklearn.multioutput import MultiOutputRegressor  # noqa: E402
from sklearn.pipeline import make_pipeline  # noqa: E402
from sklearn.preprocessing import StandardScaler  # noqa: E402

import nopickle as mlflow  # noqa: E402
from nopickle import _rust, skops  # noqa: E402
from nopickle import xgboost as flavor  # noqa: E402
from nopickle.exceptions import (  # noqa: E402
    LimitExceededError,
    MalformedModelError,
    MlflowException,
    UnsupportedModelError,
    UnsupportedTypeError,
    UnverifiedModelError,
)

pytestmark = pytest.mark.filterwarnings("ignore")
SWITCH = "MLFLOW_ALLOW_PICKLE_DESERIALIZATION"

RNG = np.random.RandomState(0)
X = RNG.normal(size=(240, 4))
X[::9, 1] = np.nan
TWO = (X[:, 0] > 0).astype(int)
THREE = np.clip((X[:, 2] * 2).round(), -1, 1).astype(int) + 1
NUMBER = X[:, 0] * 2 + np.abs(X[:, 2])
BOTH = np.stack([NUMBER, -NUMBER], axis=1)
FRAME = pd.DataFrame(X, columns=["a", "b b", "c", "\u6771"])
FRAME["kind"] = pd.Categorical(np.array(["u", "v", "w"])[RNG.randint(3, size=len(X))])
FRAME["code"] = pd.Categorical(RNG.randint(40, size=len(X)))
# A target that the categories decide on.
OF_KINDS = ((FRAME["code"].cat.codes % 3 == 0) ^ (FRAME["kind"] == "u")).to_numpy().astype(int)
SPARSE = sparse.csr_matrix(np.where(np.abs(np.nan_to_num(X)) > 1, np.nan_to_num(X), 0))
SMALL = {"n_estimators": 5, "max_depth": 3, "n_jobs": 1}


def classifier(**params):
    return xgboost.XGBClassifier(**{**SMALL, **params})


def regressor(**params):
    return xgboost.XGBRegressor(**{**SMALL, **params})


def ranker(**params):
    return xgboost.XGBRanker(**{**SMALL, **params}).fit(X, TWO, qid=np.repeat(np.arange(10), 24))


ESTIMATORS = {
    "binary": lambda: (classifier().fit(X, TWO), X),
    "multiclass": lambda: (classifier().fit(X, THREE), X),
    "regression": lambda: (regressor().fit(X, NUMBER), X),
    "poisson": lambda: (regressor(objective="count:poisson").fit(X, np.abs(NUMBER)), X),
    "quantiles": lambda: (
        regressor(objective="reg:quantileerror", quantile_alpha=[0.1, 0.5, 0.9]).fit(X, NUMBER),
        X,
    ),
    "targets": lambda: (regressor().fit(X, BOTH), X),
    "trees of several outputs": lambda: (
        regressor(multi_strategy="multi_output_tree").fit(X, BOTH),
        X,
    ),
    "ranking": lambda: (ranker(), X),
    "pairs": lambda: (ranker(objective="rank:pairwise"), X),
    "pandas": lambda: (classifier(enable_categorical=True).fit(FRAME, OF_KINDS), FRAME),
    "sparse": lambda: (classifier().fit(SPARSE, TWO), SPARSE),
    "dart": lambda: (classifier(booster="dart", rate_drop=0.5).fit(X, TWO), X),
    "linear": lambda: (classifier(booster="gblinear", max_depth=None).fit(X, THREE), X),
    "random forest": lambda: (
        xgboost.XGBRFClassifier(n_estimators=6, max_depth=3, n_jobs=1).fit(X, TWO),
        X,
    ),
    "random forest of numbers": lambda: (
        xgboost.XGBRFRegressor(n_estimators=6, max_depth=3, n_jobs=1).fit(X, NUMBER),
        X,
    ),
    "early stopped": lambda: (
        classifier(n_estimators=60, learning_rate=1.0, early_stopping_rounds=2).fit(
            X[:150], TWO[:150], eval_set=[(X[150:], 1 - TWO[150:])], verbose=False
        ),
        X,
    ),
    "early stopped by a callback": lambda: (
        classifier(callbacks=[xgboost.callback.EarlyStopping(rounds=2)]).fit(
            X[:150], TWO[:150], eval_set=[(X[150:], 1 - TWO[150:])], verbose=False
        ),
        X,
    ),
    "pruned": lambda: (regressor(tree_method="exact", gamma=5, max_depth=5).fit(X, NUMBER), X),
    "constraints": lambda: (
        regressor(
            monotone_constraints=(1, 0, 0, -1), interaction_constraints="[[0, 1], [2, 3]]"
        ).fit(X, NUMBER),
        X,
    ),
    "more parameters": lambda: (classifier(nthread=1, max_cached_hist_node=100).fit(X, TWO), X),
    "generator": lambda: (classifier(random_state=np.random.RandomState(3)).fit(X, TWO), X),
    "pipeline": lambda: (make_pipeline(StandardScaler(), classifier()).fit(X, TWO), X),
    "stacking": lambda: (
        StackingClassifier([("a", classifier()), ("b", classifier(max_depth=2))]).fit(X, TWO),
        X,
    ),
    "voting": lambda: (
        VotingClassifier([("a", classifier()), ("b", classifier(max_depth=2))]).fit(X, TWO),
        X,
    ),
    "calibrated": lambda: (CalibratedClassifierCV(classifier()).fit(X, TWO), X),
    "grid": lambda: (GridSearchCV(classifier(), {"max_depth": [2, 3]}, cv=2).fit(X, TWO), X),
    "one vs rest": lambda: (OneVsRestClassifier(classifier()).fit(X, THREE), X),
    "outputs": lambda: (MultiOutputRegressor(regressor()).fit(X, BOTH), X),
}
ALONE = list(ESTIMATORS)[: list(ESTIMATORS).index("pipeline")]


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    """An embedded store of its own for each test."""
    monkeypatch.setenv("NOPICKLE_HOME", str(tmp_path / "home"))
    monkeypatch.delenv(SWITCH, raising=False)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    (tmp_path / "home").mkdir()


def matrix(data):
    return xgboost.DMatrix(data, enable_categorical=True, nthread=1)


def answers(model, data):
    """Every answer of a model, as bytes: predictions, probabilities, raw scores, leaves."""
    if isinstance(model, xgboost.Booster):
        found = [model.predict(matrix(data)), model.predict(matrix(data), output_margin=True)]
    else:
        found = [np.asarray(model.predict(data))]
    if hasattr(model, "predict_proba"):
        found.append(np.asarray(model.predict_proba(data)))
    if isinstance(model, xgboost.XGBModel):
        found.append(model.predict(data, output_margin=True))
        if model.get_booster().num_boosted_rounds() and model.booster != "gblinear":
            found.append(model.apply(data))
    return [(array.dtype, array.shape, array.tobytes()) for array in found]


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


@pytest.mark.parametrize("written", ["ubj", "json", "xgb"])
@pytest.mark.parametrize("name", ALONE)
def test_a_model_in_a_folder_answers_as_before(name, written, tmp_path):
    model, data = ESTIMATORS[name]()
    for saved in (model, model.get_booster()):
        path = str(tmp_path / type(saved).__name__)
        flavor.save_model(saved, path, model_format=written)
        loaded = flavor.load_model(path)
        assert type(loaded) is type(saved)
        assert answers(loaded, data) == answers(saved, data)
        # The file is XGBoost's own, and is given to it byte for byte.
        content = (tmp_path / type(saved).__name__ / f"model.{written}").read_bytes()
        assert _rust.xgboost_read(content, "model") == content


def test_what_a_folder_says(tmp_path):
    model, data = ESTIMATORS["multiclass"]()
    flavor.save_model(model, str(tmp_path / "model"), input_example=data[:3])
    meta = mlflow.models.Model.load(str(tmp_path / "model"))
    section = meta.flavors["xgboost"]
    assert section["data"] == "model.ubj"
    assert section["model_format"] == "ubj"
    assert section["model_class"] == "xgboost.sklearn.XGBClassifier"
    assert section["xgb_version"] == xgboost.__version__
    assert meta.flavors["python_function"]["loader_module"] == "mlflow.xgboost"
    assert meta.signature is not None
    lines = (tmp_path / "model/requirements.txt").read_text().splitlines()
    assert f"xgboost=={xgboost.__version__}" in lines
    assert any(line.startswith("scikit-learn==") for line in lines)
    assert flavor.get_default_pip_requirements() == [f"xgboost=={xgboost.__version__}"]
    assert flavor.get_default_pip_requirements()[0] in str(flavor.get_default_conda_env())


def test_requirements_name_xgboost_where_only_its_variant_is_installed(monkeypatch):
    from nopickle import _environment

    versions = {"xgboost-cpu": "3.2.0"}
    monkeypatch.setattr(_environment, "installed_version", versions.get)
    monkeypatch.setattr(_environment, "distribution_of", lambda package: "xgboost-cpu")
    assert flavor.get_default_pip_requirements() == ["xgboost==3.2.0"]
    assert _environment.infer_requirements(["xgboost.core.Booster"]) == ["xgboost==3.2.0"]


@pytest.mark.parametrize("name", ["binary", "regression", "sparse"])
def test_pyfunc_predicts_as_mlflow_does(name, tmp_path):
    model, data = ESTIMATORS[name]()
    for saved in (model, model.get_booster()):
        path = str(tmp_path / type(saved).__name__)
        flavor.save_model(saved, path)
        found = mlflow.pyfunc.load_model(path)
        data_ = data if saved is model else matrix(data)
        assert np.array_equal(found.predict(data), saved.predict(data_))
        assert isinstance(found.unwrap_python_model, object)


def test_pyfunc_hands_known_params_on(caplog):
    booster = ESTIMATORS["binary"]()[0].get_booster()
    predictor = flavor._Predictor(booster)
    assert predictor.get_raw_model() is booster
    found = predictor.predict(X, {"output_margin": True, "nonsense": 1})
    assert np.array_equal(found, booster.predict(matrix(X), output_margin=True))
    assert "nonsense" in caplog.text


def test_a_model_is_logged_and_loads_with_the_switch_off(monkeypatch):
    monkeypatch.setenv(SWITCH, "false")
    model, data = ESTIMATORS["pandas"]()
    with mlflow.start_run():
        info = mlflow.xgboost.log_model(model, name="model")
    assert answers(mlflow.xgboost.load_model(info.model_uri), data) == answers(model, data)


def test_a_folder_of_stock_mlflow_loads_and_ours_loads_there(tmp_path):
    stock = pytest.importorskip("mlflow.xgboost", exc_type=ImportError)
    for name in ("binary", "pandas", "ranking", "linear"):
        model, data = ESTIMATORS[name]()
        for saved in (model, model.get_booster()):
            path = str(tmp_path / f"{name} {type(saved).__name__}")
            # Else MLflow starts a process that imports everything, to see what is imported.
            stock.save_model(saved, path, pip_requirements=["xgboost"])
            assert answers(flavor.load_model(path), data) == answers(saved, data)
            flavor.save_model(saved, path + " ours")
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                loaded = stock.load_model(path + " ours")
            assert answers(loaded, data) == answers(saved, data)


def test_what_cannot_be_saved_is_refused(tmp_path):
    path = str(tmp_path / "model")
    model = classifier().fit(X, TWO)
    with pytest.raises(MlflowException, match="prompts"):
        flavor.save_model(model, path, prompts=[])
    with pytest.raises(MlflowException, match="Unrecognized model format: 'deprecated'"):
        flavor.save_model(model, path, model_format="deprecated")

    class Own(xgboost.XGBClassifier):
        pass

    with pytest.raises(UnsupportedTypeError, match="Own"):
        flavor.save_model(Own(**SMALL).fit(X, TWO), path)
    assert not os.path.exists(path)


def test_a_class_is_a_request_and_nothing_is_imported_for_it(tmp_path):
    flavor.save_model(classifier().fit(X, TWO), str(tmp_path / "model"))
    meta = tmp_path / "model/MLmodel"
    text = meta.read_text()
    for name in ("os.system", "antigravity.X", "xgboost.sklearn.XGBModel.x", "sklearn.svm.SVC"):
        meta.write_text(re.sub(r"xgboost\.sklearn\.\w+", name, text))
        with pytest.raises(UnsupportedModelError, match=f"class of a model: {re.escape(name)}"):
            flavor.load_model(str(tmp_path / "model"))
    meta.write_text(text.replace("model_format: ubj", "model_format: json"))
    with pytest.raises(MalformedModelError, match="is not the ending of its file"):
        flavor.load_model(str(tmp_path / "model"))


def test_a_file_that_the_installed_xgboost_does_not_read_is_unsupported(tmp_path, monkeypatch):
    flavor.save_model(classifier().fit(X, TWO), str(tmp_path / "model"))

    def load_model(self, content):
        raise xgboost.core.XGBoostError("too new")

    monkeypatch.setattr(xgboost.XGBClassifier, "load_model", load_model)
    with pytest.raises(UnsupportedModelError, match=r"^XGBoost \S+ does not read .*too new"):
        flavor.load_model(str(tmp_path / "model"))


EXPECTED = re.compile(r'^"([^"]+)" = \{ kind = "(\w+)"(?:, says = "(.*)")? \}$', re.MULTILINE)
KINDS = {
    "malformed": MalformedModelError,
    "unsupported": UnsupportedModelError,
    "limit": LimitExceededError,
    "unverified": UnverifiedModelError,
}


def hostile(request):
    """The hostile models: name, bytes, kind of error, words."""
    folder = request.config.rootpath / "cases/hostile/xgboost"
    lines = EXPECTED.findall((folder / "expected.toml").read_text())
    assert len(lines) > 200
    return [(name, (folder / name).read_bytes(), kind, says) for name, kind, says in lines]


def test_every_hostile_model_is_refused_before_xgboost_sees_it(request, tmp_path, monkeypatch):
    flavor.save_model(classifier().fit(X, TWO).get_booster(), str(tmp_path / "model"))
    meta = (tmp_path / "model/MLmodel").read_text()
    given = []
    monkeypatch.setattr(xgboost.Booster, "load_model", lambda self, data: given.append(data))
    for name, data, kind, says in hostile(request):
        if name.endswith(".snapshot"):
            continue
        (tmp_path / "model" / name).write_bytes(data)
        ending = name.rpartition(".")[2]
        changed = meta.replace("model.ubj", name).replace(
            "model_format: ubj", f"model_format: {ending}"
        )
        (tmp_path / "model/MLmodel").write_text(changed)
        given.clear()
        if kind == "loads":
            flavor.load_model(str(tmp_path / "model"))
            assert given == [data], name
            continue
        with pytest.raises(KINDS[kind]) as raised:
            flavor.load_model(str(tmp_path / "model"))
        assert says in str(raised.value), name
        assert given == [], name


def with_snapshot(data, snapshot):
    """A skops file of one booster with another snapshot."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        entries = {name: archive.read(name) for name in archive.namelist()}
    (held,) = set(entries) - {"schema.json"}
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for name, content in entries.items():
            archive.writestr(name, snapshot if name == held else content)
    return out.getvalue()


def test_every_hostile_snapshot_is_refused_before_xgboost_sees_it(request, monkeypatch):
    written = skops.dumps(classifier().fit(X, TWO).get_booster())
    given = []
    monkeypatch.setattr(
        xgboost.Booster, "__setstate__", lambda self, state: given.append(state["handle"])
    )
    monkeypatch.setattr(xgboost.Booster, "__del__", lambda self: None)
    for name, data, kind, says in hostile(request):
        if not name.endswith(".snapshot"):
            continue
        given.clear()
        if kind == "loads":
            skops.loads(with_snapshot(written, data))
            assert given == [data], name
            continue
        with pytest.raises(UnverifiedModelError, match=r"xgboost\.core\.Booster") as raised:
            skops.loads(with_snapshot(written, data))
        assert says in str(raised.value), name
        assert given == [], name


def test_models_of_every_version_load_and_answer_as_in_xgboost(request):
    folder = request.config.rootpath / "cases/boosters"
    data = np.abs(np.nan_to_num(X) * 3).astype(int).astype("float32")
    read = 0
    for path in sorted(folder.glob("xgboost_*")):
        content = path.read_bytes()
        # XGBoost does not read the first, and does not survive the second.
        left_behind = re.search(r"_1\.[67]\.\d_none|_(2\.\d|3\.[01])\.\d_multitree", path.name)
        if path.suffix == ".snapshot":
            stock = xgboost.Booster.__new__(xgboost.Booster)
            stock.__setstate__({"handle": bytearray(content)})
            written = skops.dumps(classifier().fit(X, TWO).get_booster())
            loaded = skops.loads(with_snapshot(written, content))
        elif left_behind:
            with pytest.raises((UnsupportedModelError, UnverifiedModelError)):
                _rust.xgboost_read(content, path.name)
            continue
        else:
            stock = xgboost.Booster(model_file=str(path))
            loaded = xgboost.Booster(model_file=_rust.xgboost_read(content, path.name))
        names = {"feature_names": stock.feature_names, "feature_types": stock.feature_types}
        asked = xgboost.DMatrix(data, **names, enable_categorical=True)
        if "pandas" in path.name:
            continue  # Its categories are those of a frame.
        assert np.array_equal(loaded.predict(asked), stock.predict(asked)), path.name
        read += 1
    assert read > 80


def test_pickle_of_a_loaded_model_is_that_of_the_model():
    model, data = ESTIMATORS["pandas"]()
    loaded = skops.loads(skops.dumps(model))
    assert loaded.get_booster().save_raw("json") == model.get_booster().save_raw("json")
    assert loaded.get_booster().save_config() == model.get_booster().save_config()
    assert answers(pickle.loads(pickle.dumps(loaded)), data) == answers(model, data)
