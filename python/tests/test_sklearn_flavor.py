"""The scikit-learn flavor: folders, the logged model, pyfunc, refusals."""

from __future__ import annotations

import logging
import os
import pickle
import stat
import sys

import numpy as np
import pandas as pd
import pytest
from sklearn.compose import ColumnTransformer
from sklearn.datasets import load_iris
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler

import nopickle as mlflow
from nopickle import _environment, _load
from nopickle.exceptions import (
    InvalidInputError,
    MalformedModelError,
    MlflowException,
    UnsupportedModelError,
    UnsupportedTypeError,
    UntrustedTypesError,
)

X, y = load_iris(return_X_y=True)
FRAME = pd.DataFrame(X, columns=["sl", "sw", "pl", "pw"])
SWITCH = "MLFLOW_ALLOW_PICKLE_DESERIALIZATION"


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    """An embedded store of its own for each test."""
    monkeypatch.setenv("NOPICKLE_HOME", str(tmp_path / "home"))
    monkeypatch.delenv(SWITCH, raising=False)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    (tmp_path / "home").mkdir()
    return tmp_path / "home"


@pytest.fixture(scope="module")
def forest():
    return RandomForestClassifier(20, random_state=0).fit(FRAME, y)


def double(values):
    return values * 2


def test_a_folder_holds_what_mlflow_writes(tmp_path, forest):
    path = tmp_path / "model"
    mlflow.sklearn.save_model(forest, str(path), input_example=FRAME[:3])
    assert sorted(os.listdir(path)) == [
        "MLmodel",
        "conda.yaml",
        "input_example.json",
        "model.skops",
        "python_env.yaml",
        "requirements.txt",
        "serving_input_example.json",
    ]
    umask = os.umask(0)
    os.umask(umask)
    assert stat.S_IMODE(path.stat().st_mode) == 0o777 & ~umask
    meta = mlflow.models.Model.load(str(path))
    assert meta.flavors["sklearn"]["skops_trusted_types"] == ["sklearn.tree._tree.Tree"]
    assert meta.flavors["python_function"]["loader_module"] == "mlflow.sklearn"
    assert [column["name"] for column in meta.signature.inputs.to_dict()] == list(FRAME)
    assert meta.model_size_bytes > (path / "model.skops").stat().st_size
    lines = (path / "requirements.txt").read_text().splitlines()
    import sklearn

    assert f"scikit-learn=={sklearn.__version__}" in lines
    assert f"numpy=={np.__version__}" in lines
    assert lines[0].startswith("mlflow==")
    assert any(line.startswith("skops==") for line in lines)


def test_a_saved_model_gives_the_same_probabilities(tmp_path, forest):
    mlflow.sklearn.save_model(forest, str(tmp_path / "model"))
    loaded = mlflow.sklearn.load_model(str(tmp_path / "model"))
    assert (loaded.predict_proba(FRAME) == forest.predict_proba(FRAME)).all()
    by_uri = mlflow.sklearn.load_model((tmp_path / "model").as_uri())
    assert (by_uri.predict(FRAME) == forest.predict(FRAME)).all()


def test_log_model_gives_uris_that_load_it(forest):
    with mlflow.start_run() as run:
        info = mlflow.sklearn.log_model(
            forest,
            name="forest",
            registered_model_name="iris",
            params={"depth": 3},
            tags={"a": "b"},
        )
    assert info.model_uri == f"models:/{info.model_id}"
    assert info.run_id == run.info.run_id
    assert info.registered_model_version == 1
    mlflow.MlflowClient().set_registered_model_alias("iris", "best", 1)
    expected = forest.predict(FRAME)
    for uri in (
        info.model_uri,
        f"runs:/{run.info.run_id}/forest",
        "models:/iris/1",
        "models:/iris@best",
        "models:/iris/latest",
    ):
        assert (mlflow.sklearn.load_model(uri).predict(FRAME) == expected).all(), uri
        assert (mlflow.pyfunc.load_model(uri).predict(FRAME) == expected).all(), uri
    logged = mlflow.get_logged_model(info.model_id)
    assert logged.status == "READY"
    assert logged.params["depth"] == "3"
    assert logged.tags["a"] == "b"
    assert logged.source_run_id == run.info.run_id
    assert mlflow.models.get_model_info(info.model_uri).model_id == info.model_id


def test_a_model_can_be_logged_without_a_run(forest):
    info = mlflow.sklearn.log_model(forest, name="alone")
    assert info.run_id is None
    assert (mlflow.sklearn.load_model(info.model_uri).predict(FRAME) == forest.predict(FRAME)).all()


def test_an_argument_that_has_no_meaning_here_is_refused(forest):
    with pytest.raises(MlflowException, match="prompts"):
        mlflow.sklearn.log_model(forest, name="model", prompts=["p"])
    with pytest.raises(ValueError, match="Only one of"):
        mlflow.sklearn.log_model(forest, name="m", pip_requirements=[], conda_env={})
    with pytest.raises(MlflowException, match="Unrecognized serialization format: onnx"):
        mlflow.sklearn.log_model(forest, name="m", serialization_format="onnx")


def test_a_path_that_is_taken_is_left_alone(tmp_path, forest):
    (tmp_path / "model").mkdir()
    (tmp_path / "model/mine").write_text("mine")
    with pytest.raises(MlflowException, match="already exists and is not empty") as raised:
        mlflow.sklearn.save_model(forest, str(tmp_path / "model"))
    assert raised.value.error_code == "RESOURCE_ALREADY_EXISTS"
    assert os.listdir(tmp_path / "model") == ["mine"]
    (tmp_path / "empty").mkdir()
    mlflow.sklearn.save_model(forest, str(tmp_path / "empty"))
    assert (tmp_path / "empty/MLmodel").exists()


def test_after_an_error_nothing_is_left(tmp_path):
    model = FunctionTransformer(lambda values: values)
    with pytest.raises(UnsupportedTypeError, match="cloudpickle"):
        mlflow.sklearn.save_model(model, str(tmp_path / "model"))
    assert os.listdir(tmp_path) == ["home"]


@pytest.mark.parametrize("serialization_format", ["pickle", "cloudpickle"])
def test_a_pickle_is_saved_and_loaded_with_a_warning_and_refused_by_the_switch(
    tmp_path, forest, serialization_format, caplog, monkeypatch
):
    path = str(tmp_path / "model")
    with caplog.at_level(logging.WARNING, "nopickle"):
        mlflow.sklearn.save_model(forest, path, serialization_format=serialization_format)
    assert "MLFLOW_ALLOW_PICKLE_DESERIALIZATION=false" in caplog.text
    caplog.clear()
    assert (mlflow.sklearn.load_model(path).predict(FRAME) == forest.predict(FRAME)).all()
    assert "runs what its author wrote" in caplog.text
    lines = (tmp_path / "model/requirements.txt").read_text()
    assert "scikit-learn==" in lines
    assert "numpy==" in lines
    assert ("cloudpickle==" in lines) == (serialization_format == "cloudpickle")
    for word in ("false", "0", "No"):
        monkeypatch.setenv(SWITCH, word)
        with pytest.raises(MlflowException, match="is a pickle"):
            mlflow.sklearn.load_model(path)
    monkeypatch.setenv(SWITCH, "maybe")
    with pytest.raises(MlflowException, match="'maybe'"):
        mlflow.sklearn.load_model(path)


def test_a_pickle_under_the_name_of_skops_is_refused_by_its_content(tmp_path, forest):
    path = tmp_path / "model"
    mlflow.sklearn.save_model(forest, str(path))
    (path / "model.skops").write_bytes(pickle.dumps(forest))
    with pytest.raises(MalformedModelError):
        mlflow.sklearn.load_model(str(path))


def test_functions_are_not_granted_because_a_model_asks_for_them(tmp_path):
    model = FunctionTransformer(double)
    name = f"{double.__module__}.double"
    mlflow.sklearn.save_model(model, str(tmp_path / "m"), skops_trusted_types=[name])
    with pytest.raises(UntrustedTypesError) as raised:
        mlflow.sklearn.load_model(str(tmp_path / "m"))
    assert raised.value.names == [name]
    loaded = mlflow.sklearn.load_model(str(tmp_path / "m"), skops_trusted_types=[name])
    assert (loaded.transform(X) == X * 2).all()


def test_a_model_can_not_ask_for_pythons_own_library(tmp_path, forest):
    path = tmp_path / "model"
    mlflow.sklearn.save_model(forest, str(path))
    text = (path / "MLmodel").read_text()
    (path / "MLmodel").write_text(
        text.replace(
            "- sklearn.tree._tree.Tree", "- sklearn.tree._tree.Tree\n    - subprocess.Popen"
        )
    )
    assert (mlflow.sklearn.load_model(str(path)).predict(FRAME) == forest.predict(FRAME)).all()
    import zipfile

    with zipfile.ZipFile(path / "model.skops") as archive:
        entries = {name: archive.read(name) for name in archive.namelist()}
    entries["schema.json"] = entries["schema.json"].replace(
        b'"RandomForestClassifier","__module__":"sklearn.ensemble._forest"',
        b'"Popen","__module__":"subprocess"',
    )
    assert b"subprocess" in entries["schema.json"]
    with zipfile.ZipFile(path / "model.skops", "w") as archive:
        for name, content in entries.items():
            archive.writestr(name, content)
    with pytest.raises(UntrustedTypesError) as raised:
        mlflow.sklearn.load_model(str(path))
    assert raised.value.names == ["subprocess.Popen"]


def test_code_paths_come_with_the_model_and_never_replace_what_is_installed(tmp_path, monkeypatch):
    source = tmp_path / "source"
    source.mkdir()
    (source / "my_own_scaler.py").write_text(
        "import colorsys\n"
        "from sklearn.preprocessing import StandardScaler\n"
        "class MyScaler(StandardScaler):\n    pass\n"
    )
    with monkeypatch.context() as patch:
        patch.syspath_prepend(str(source))
        import my_own_scaler

        model = my_own_scaler.MyScaler().fit(X)
        # A module of Python's own library, as the model would have it.
        (source / "colorsys.py").write_text("raise SystemExit('the model took its place')\n")
        mlflow.sklearn.save_model(
            model,
            str(tmp_path / "model"),
            code_paths=[str(source / "my_own_scaler.py"), str(source / "colorsys.py")],
            skops_trusted_types=["my_own_scaler.MyScaler"],
        )
    for name in ("my_own_scaler", "colorsys"):
        del sys.modules[name]
        (source / f"{name}.py").unlink()
    before = list(sys.path)
    loaded = mlflow.sklearn.load_model(str(tmp_path / "model"))
    assert sys.path == before
    assert (loaded.transform(X) == model.transform(X)).all()
    module = sys.modules[type(loaded).__module__]
    assert module.__file__ == str(tmp_path / "model/code/my_own_scaler.py")
    assert "my_own_scaler" not in sys.modules
    assert not sys.modules["colorsys"].__file__.startswith(str(tmp_path))
    monkeypatch.setenv(SWITCH, "false")
    with pytest.raises(UntrustedTypesError):
        mlflow.sklearn.load_model(str(tmp_path / "model"))


def test_pyfunc_holds_inputs_to_the_signature(tmp_path, forest):
    path = str(tmp_path / "model")
    mlflow.sklearn.save_model(forest, path, input_example=FRAME[:2])
    model = mlflow.pyfunc.load_model(path)
    expected = forest.predict(FRAME)
    assert (model.predict(FRAME) == expected).all()
    assert (model.predict(FRAME[["pw", "sl", "pl", "sw"]]) == expected).all()
    assert (model.predict(FRAME.assign(extra=1)) == expected).all()
    with pytest.raises(InvalidInputError, match="pw"):
        model.predict(FRAME.drop(columns="pw"))
    with pytest.raises(InvalidInputError, match="sl"):
        model.predict(FRAME.assign(sl="text"))
    assert list(model.input_example) == list(FRAME)
    assert model.get_raw_model().n_features_in_ == 4
    assert model.loader_module == "mlflow.sklearn"
    assert model.metadata.get_input_schema().input_names() == list(FRAME)
    with pytest.raises(MlflowException, match="Unable to retrieve base model"):
        model.unwrap_python_model()


def test_pyfunc_takes_polars_and_arrow_tables_and_arrays(tmp_path):
    pytest.importorskip("polars")
    import polars
    import pyarrow

    model = LogisticRegression(max_iter=1000).fit(FRAME, y)
    mlflow.sklearn.save_model(model, str(tmp_path / "columns"), input_example=FRAME[:2])
    by_columns = mlflow.pyfunc.load_model(str(tmp_path / "columns"))
    expected = model.predict(FRAME)
    assert (by_columns.predict(polars.from_pandas(FRAME)) == expected).all()
    assert (by_columns.predict(pyarrow.Table.from_pandas(FRAME)) == expected).all()
    bare = LogisticRegression(max_iter=1000).fit(X, y)
    mlflow.sklearn.save_model(bare, str(tmp_path / "tensor"), input_example=X[:2])
    by_tensor = mlflow.pyfunc.load_model(str(tmp_path / "tensor"))
    assert (by_tensor.predict(X) == bare.predict(X)).all()
    with pytest.raises(InvalidInputError, match="shape"):
        by_tensor.predict(X[:, :3])


def test_pyfunc_predict_fn_is_what_predict_calls(tmp_path, forest):
    mlflow.sklearn.save_model(forest, str(tmp_path / "m"), pyfunc_predict_fn="predict_proba")
    model = mlflow.pyfunc.load_model(str(tmp_path / "m"))
    assert (model.predict(FRAME) == forest.predict_proba(FRAME)).all()


@pytest.mark.parametrize("change", ["predict_fn", "loader_module"])
def test_pyfunc_uses_the_mlmodel_that_was_decided_on(tmp_path, forest, monkeypatch, change):
    path = tmp_path / "m"
    mlflow.sklearn.save_model(forest, str(path))
    read = mlflow.models.Model.load

    def and_then_it_changes(folder):
        model = read(folder)
        changed = read(folder)
        if change == "predict_fn":
            changed.flavors["python_function"]["predict_fn"] = "predict_proba"
        else:
            changed.flavors["python_function"]["loader_module"] = "mlflow.lightgbm"
        changed.save(str(path / "MLmodel"))
        return model

    monkeypatch.setattr(mlflow.models.Model, "load", and_then_it_changes)
    if change == "predict_fn":
        model = mlflow.pyfunc.load_model(str(path))
        assert (model.predict(FRAME) == forest.predict_proba(FRAME)).all()
        assert model.metadata.flavors["python_function"]["predict_fn"] == "predict_proba"
    else:
        with pytest.raises(MlflowException, match="was changed while it was read"):
            mlflow.pyfunc.load_model(str(path))


def test_a_transformer_has_no_pyfunc_flavor(tmp_path, caplog):
    mlflow.sklearn.save_model(StandardScaler().fit(X), str(tmp_path / "m"))
    assert "no method predict" in caplog.text
    with pytest.raises(MlflowException, match='does not have the "python_function" flavor'):
        mlflow.pyfunc.load_model(str(tmp_path / "m"))
    loaded = mlflow.sklearn.load_model(str(tmp_path / "m"))
    assert (loaded.transform(X) == StandardScaler().fit_transform(X)).all()


def test_an_unknown_loader_module_is_not_imported(tmp_path, forest):
    path = tmp_path / "m"
    mlflow.sklearn.save_model(forest, str(path))
    text = (path / "MLmodel").read_text()
    (path / "MLmodel").write_text(text.replace("mlflow.sklearn", "antigravity"))
    with pytest.raises(UnsupportedModelError, match="antigravity"):
        mlflow.pyfunc.load_model(str(path))
    assert "antigravity" not in sys.modules


def test_requirements_can_be_given(tmp_path, forest):
    (tmp_path / "more.txt").write_text("# mine\nrequests>=2\n-c limits.txt\n")
    (tmp_path / "limits.txt").write_text("urllib3<3\n")
    mlflow.sklearn.save_model(
        forest, str(tmp_path / "a"), extra_pip_requirements=str(tmp_path / "more.txt")
    )
    lines = (tmp_path / "a/requirements.txt").read_text().splitlines()
    assert "requests>=2" in lines
    assert lines[-1] == "-c constraints.txt"
    assert (tmp_path / "a/constraints.txt").read_text() == "urllib3<3"
    mlflow.sklearn.save_model(forest, str(tmp_path / "b"), pip_requirements=["a==1", "mlflow>2"])
    assert (tmp_path / "b/requirements.txt").read_text().splitlines() == ["a==1", "mlflow>2"]
    mlflow.sklearn.save_model(
        forest,
        str(tmp_path / "c"),
        conda_env={"name": "x", "dependencies": ["python=3.12", {"pip": ["b==2"]}]},
    )
    lines = (tmp_path / "c/requirements.txt").read_text().splitlines()
    assert lines[1:] == ["b==2"]
    assert lines[0].startswith("mlflow==")


def test_requirements_come_from_the_names_in_the_model(tmp_path):
    pipeline = Pipeline(
        [
            ("columns", ColumnTransformer([("scale", StandardScaler(), ["sl", "sw"])])),
            ("model", LinearRegression()),
        ]
    ).fit(FRAME, y)
    names, _ = mlflow._rust.skops_names(mlflow.skops.dumps(pipeline))
    found = _environment.infer_requirements(names)
    assert [line.partition("==")[0] for line in found] == ["numpy", "scikit-learn"]
    assert _environment.distribution_of("sklearn") == "scikit-learn"
    assert _environment.distribution_of("dateutil") == "python-dateutil"
    assert _environment.distribution_of("no_such_package") is None


def test_the_switch_is_read_when_a_model_is_loaded(monkeypatch):
    for word, meaning in {
        "TRUE": True,
        "1": True,
        "yes": True,
        "False": False,
        "NO": False,
    }.items():
        monkeypatch.setenv(SWITCH, word)
        assert _load.pickle_allowed() is meaning
