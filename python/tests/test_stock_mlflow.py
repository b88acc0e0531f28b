"""What is written here loads, predicts and serves in stock MLflow; and stock MLflow with nopickle installed in it."""

from __future__ import annotations

import contextlib
import inspect
import json
import os
import socket
import subprocess
import sys
import textwrap
import time
import urllib.error
import urllib.request
import warnings

import numpy as np
import pandas as pd
import pytest
from sklearn.datasets import load_iris
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC
from sklearn.tree import DecisionTreeClassifier

import nopickle
import nopickle.sklearn

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    import mlflow.catboost
    import mlflow.lightgbm
    import mlflow.pyfunc
    import mlflow.sklearn

X, y = load_iris(return_X_y=True)
FRAME = pd.DataFrame(X, columns=["sl", "sw", "pl", "pw"])
MODELS = {
    "tree": DecisionTreeClassifier(random_state=0),
    "forest": RandomForestClassifier(10, random_state=0),
    "histogram": HistGradientBoostingClassifier(max_iter=5, random_state=0),
    "pipeline": make_pipeline(StandardScaler(), SVC()),
}


def child(code: str, folder, **environment: str) -> str:
    """Run code in a new process without nopickle's tests around it; return what it prints."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("MLFLOW_", "NOPICKLE_"))
    }
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", textwrap.dedent(code)],
        cwd=folder,
        env={**kept, "PYTHONPATH": os.pathsep.join(filter(None, sys.path)), **environment},
        capture_output=True,
        text=True,
        timeout=110,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-4000:]
    return done.stdout


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    """Every model, fitted and saved here with a signature."""
    folder = tmp_path_factory.mktemp("saved")
    for name, model in MODELS.items():
        model.fit(FRAME, y)
        nopickle.sklearn.save_model(model, str(folder / name), input_example=FRAME[:3])
    return folder


def test_stock_mlflow_loads_what_is_written_here(saved):
    printed = child(
        f"""
        import json
        import mlflow, pandas as pd
        frame = pd.DataFrame({FRAME.to_dict(orient="list")!r})
        out = {{}}
        for name in {sorted(MODELS)!r}:
            model = mlflow.sklearn.load_model(f"{saved}/{{name}}")
            loaded = mlflow.pyfunc.load_model(f"{saved}/{{name}}")
            info = mlflow.models.get_model_info(f"{saved}/{{name}}")
            out[name] = [
                model.predict(frame).tolist(),
                loaded.predict(frame).tolist(),
                info.signature.inputs.input_names(),
                list(loaded.input_example.columns),
            ]
        print(json.dumps(out))
        """,
        saved,
    )
    found = json.loads(printed.splitlines()[-1])
    for name, model in MODELS.items():
        expected = model.predict(FRAME).tolist()
        assert found[name] == [expected, expected, list(FRAME), list(FRAME)], name


@contextlib.contextmanager
def running(*command: str, folder, port: int):
    """Run a server until the block ends; it is stopped by its process id, with its children."""
    log = (folder / "server.log").open("wb")
    server = subprocess.Popen(
        command,
        cwd=folder,
        env={
            **os.environ,
            "PYTHONPATH": os.pathsep.join(filter(None, sys.path)),
            # MLflow starts uvicorn by its name.
            "PATH": os.pathsep.join([os.path.dirname(sys.executable), os.environ["PATH"]]),
        },
        stdout=log,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    )
    try:
        for _ in range(600):
            assert server.poll() is None, (folder / "server.log").read_text()[-3000:]
            with (
                contextlib.suppress(OSError),
                urllib.request.urlopen(f"http://127.0.0.1:{port}/ping", timeout=2) as answer,
            ):
                if answer.status == 200:
                    break
            time.sleep(0.1)
        yield f"http://127.0.0.1:{port}"
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(server.pid, 15)
        server.wait(20)
        log.close()


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


def test_mlflow_models_serve_serves_what_is_written_here(saved, tmp_path):
    port = free_port()
    command = [sys.executable, "-m", "mlflow", "models", "serve", "-m", str(saved / "forest")]
    command += ["--env-manager", "local", "--host", "127.0.0.1", "--port", str(port)]
    with running(*command, folder=tmp_path, port=port) as url:
        body = json.dumps({"dataframe_split": FRAME.to_dict(orient="split")}).encode()
        request = urllib.request.Request(
            f"{url}/invocations", body, {"Content-Type": "application/json"}
        )
        with urllib.request.urlopen(request, timeout=60) as answer:
            predictions = json.loads(answer.read())["predictions"]
        assert predictions == MODELS["forest"].predict(FRAME).tolist()
        wrong = json.dumps({"dataframe_split": {"columns": ["sl"], "data": [[1.0]]}}).encode()
        request = urllib.request.Request(
            f"{url}/invocations", wrong, {"Content-Type": "application/json"}
        )
        with pytest.raises(urllib.error.HTTPError) as raised:
            urllib.request.urlopen(request, timeout=60)
        raised.value.close()
        assert raised.value.code == 400


def test_mlflow_models_predict_reads_what_is_written_here(saved, tmp_path):
    (tmp_path / "in.csv").write_text(FRAME.to_csv(index=False))
    command = ["models", "predict", "-m", str(saved / "pipeline"), "-i", "in.csv", "-t", "csv"]
    done = subprocess.run(
        [sys.executable, "-m", "mlflow", *command, "-o", "out.json", "--env-manager", "local"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=110,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    found = json.loads((tmp_path / "out.json").read_text())
    assert found["predictions"] == MODELS["pipeline"].predict(FRAME).tolist()


INSTALL = """
    import json, os
    import mlflow, mlflow.sklearn
    from sklearn.datasets import load_iris
    from sklearn.tree import DecisionTreeClassifier
    from sklearn.base import BaseEstimator
    mlflow.set_tracking_uri("sqlite:///store.db")
    X, y = load_iris(return_X_y=True)
    model = DecisionTreeClassifier(random_state=0).fit(X, y)

    class Mine(BaseEstimator):
        pass

    def log(model=model, **arguments):
        with mlflow.start_run():
            return mlflow.sklearn.log_model(model, name="model", serialization_format="skops", **arguments)

    def refused(call, *arguments, **keywords):
        try:
            call(*arguments, **keywords)
        except mlflow.exceptions.MlflowException as error:
            return str(error)
        raise AssertionError("not refused")

    assert "untrusted types" in refused(log)
    originals = [mlflow.sklearn.save_model, mlflow.sklearn._save_model]
    import nopickle.mlflow
    nopickle.mlflow.install()
    nopickle.mlflow.install()
    info = log(registered_model_name="iris", input_example=X[:2])
    os.environ["MLFLOW_ALLOW_PICKLE_DESERIALIZATION"] = "false"
    expected = model.predict(X)
    assert (mlflow.sklearn.load_model(info.model_uri).predict(X) == expected).all()
    assert (mlflow.pyfunc.load_model("models:/iris/1").predict(X) == expected).all()
    assert info.signature is not None
    assert "__main__.Mine" in refused(log, Mine())
    custom = log(Mine(), skops_trusted_types=["__main__.Mine"])
    assert "__main__.Mine" in refused(mlflow.sklearn.load_model, custom.model_uri)
    del os.environ["MLFLOW_ALLOW_PICKLE_DESERIALIZATION"]
    assert type(mlflow.sklearn.load_model(custom.model_uri)) is Mine
    mlflow.sklearn.save_model(model, "plain", serialization_format="pickle")
    assert (mlflow.sklearn.load_model("plain").predict(X) == expected).all()
    mlflow.sklearn.save_model(model, "direct")
    nopickle.mlflow.uninstall()
    assert [mlflow.sklearn.save_model, mlflow.sklearn._save_model] == originals
    assert (mlflow.sklearn.load_model("direct").predict(X) == expected).all()
    assert (mlflow.sklearn.load_model(info.model_uri).predict(X) == expected).all()
    print("done")
"""


def test_install_makes_mlflow_save_verify_and_load_through_nopickle(tmp_path):
    assert child(INSTALL, tmp_path).endswith("done\n")


def test_install_refuses_a_version_that_was_not_tested(tmp_path):
    printed = child(
        """
        import mlflow
        mlflow.__version__ = "2.22.0"
        import nopickle.mlflow, nopickle.exceptions
        before = mlflow.sklearn.save_model
        try:
            nopickle.mlflow.install()
        except nopickle.exceptions.UnsupportedModelError as error:
            print(error)
        assert mlflow.sklearn.save_model is before
        assert not nopickle.mlflow.is_installed()
        """,
        tmp_path,
    )
    assert "3.17" in printed
    assert "2.22.0" in printed


# What `load_model` has here and in MLflow has not: the loader's own list of names, where a file names some; a policy.
MORE = {
    "catboost": {"policy"},
    "lightgbm": {"policy", "skops_trusted_types"},
    "pyfunc": {"policy", "skops_trusted_types"},
    "sklearn": {"policy", "skops_trusted_types"},
    "xgboost": {"policy"},
}


@pytest.mark.parametrize("module", sorted(MORE))
def test_the_functions_of_a_flavor_have_mlflows_arguments_and_defaults(module):
    import importlib

    theirs = importlib.import_module(f"mlflow.{module}")
    ours = importlib.import_module(f"nopickle.{module}")
    functions = [name for name in ours.__all__ if inspect.isfunction(getattr(ours, name))]
    assert "load_model" in functions
    for name in functions:
        expected = inspect.signature(getattr(theirs, name)).parameters
        found = dict(inspect.signature(getattr(ours, name)).parameters)
        for extra in MORE[module] if name == "load_model" else ():
            assert found.pop(extra).kind is inspect.Parameter.KEYWORD_ONLY
        assert list(found) == list(expected), name
        for parameter, theirs_ in expected.items():
            assert found[parameter].default == theirs_.default, (name, parameter)
            assert found[parameter].kind == theirs_.kind, (name, parameter)


def test_the_words_for_formats_are_mlflows():
    for name in nopickle.sklearn.__all__:
        if name.isupper():
            assert getattr(nopickle.sklearn, name) == getattr(mlflow.sklearn, name)


def test_predictions_of_an_array_model_are_equal(tmp_path):
    model = RandomForestClassifier(5, random_state=0).fit(X, y)
    nopickle.sklearn.save_model(model, str(tmp_path / "m"), input_example=X[:2])
    printed = child(
        f"""
        import mlflow, json, numpy as np
        model = mlflow.pyfunc.load_model({str(tmp_path / "m")!r})
        print(json.dumps(model.predict(np.array({X.tolist()!r})).tolist()))
        """,
        tmp_path,
    )
    np.testing.assert_array_equal(json.loads(printed.splitlines()[-1]), model.predict(X))
