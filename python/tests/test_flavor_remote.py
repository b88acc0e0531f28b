"""Models on a real tracking server and in a real bucket: logged here, loaded here and by stock MLflow."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from servers import VARIABLES, mlflow_server, s3_server
from sklearn.datasets import load_iris
from sklearn.ensemble import RandomForestClassifier

import nopickle as mlflow
from nopickle.exceptions import MlflowException

pytestmark = pytest.mark.timeout(200)

X, y = load_iris(return_X_y=True)


@pytest.fixture(scope="module")
def forest():
    return RandomForestClassifier(10, random_state=0).fit(X, y)


@pytest.fixture(autouse=True)
def _alone(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "temporary").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "temporary"))
    yield
    while mlflow.active_run():
        mlflow.end_run()


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with mlflow_server(tmp_path_factory.mktemp("server")) as url:
        yield url


def test_a_model_on_a_server_loads_here_and_in_stock_mlflow(server, forest, monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", server)
    mlflow.set_experiment("remote")
    with mlflow.start_run() as run:
        mlflow.log_param("trees", 10)
        info = mlflow.sklearn.log_model(
            forest, name="forest", input_example=X[:2], registered_model_name="remote iris"
        )
    expected = forest.predict_proba(X)
    for uri in (info.model_uri, f"runs:/{run.info.run_id}/forest", "models:/remote iris/1"):
        np.testing.assert_array_equal(mlflow.sklearn.load_model(uri).predict_proba(X), expected)
    assert os.listdir("temporary") == [], "a download was left behind"
    code = f"""
import json, mlflow, numpy as np
mlflow.set_tracking_uri({server!r})
X = np.array({X.tolist()!r})
model = mlflow.sklearn.load_model({info.model_uri!r})
logged = mlflow.get_logged_model({info.model_id!r})
print(json.dumps([model.predict_proba(X).tolist(), logged.name, logged.params, str(logged.status)]))
print(json.dumps(mlflow.pyfunc.load_model("models:/remote iris/1").predict(X).tolist()))
"""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("MLFLOW_")}
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code],
        env=kept,
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    first, second = map(json.loads, done.stdout.splitlines()[-2:])
    np.testing.assert_array_equal(first[0], expected)
    assert first[1:] == ["forest", {"trees": "10"}, "READY"]
    np.testing.assert_array_equal(second, forest.predict(X))


def test_what_stock_mlflow_logged_to_a_server_loads_here(server, monkeypatch):
    code = f"""
import mlflow
mlflow.set_tracking_uri({server!r})
from sklearn.datasets import load_iris
from sklearn.linear_model import LogisticRegression
X, y = load_iris(return_X_y=True)
model = LogisticRegression(max_iter=500).fit(X, y)
with mlflow.start_run():
    info = mlflow.sklearn.log_model(
        model, name="theirs", serialization_format="skops", pip_requirements=["scikit-learn"]
    )
print(info.model_uri)
"""
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code],
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    uri = done.stdout.split()[-1]
    monkeypatch.setenv("MLFLOW_TRACKING_URI", server)
    monkeypatch.setenv("MLFLOW_ALLOW_PICKLE_DESERIALIZATION", "false")
    model = mlflow.pyfunc.load_model(uri)
    assert (model.predict(X) == y).mean() > 0.9
    signature = mlflow.models.infer_signature(X, y)
    mlflow.models.set_signature(uri, signature)
    assert mlflow.models.get_model_info(uri).signature == signature


def test_a_model_in_a_bucket_loads(forest, monkeypatch, tmp_path):
    with s3_server(tmp_path) as url:
        urllib.request.urlopen(
            urllib.request.Request(f"{url}/bucket", method="PUT"), timeout=20
        ).close()
        for name, value in {
            "AWS_ENDPOINT_URL": url,
            "AWS_ACCESS_KEY_ID": "testing",
            "AWS_SECRET_ACCESS_KEY": "testing",
            "AWS_DEFAULT_REGION": "us-east-1",
        }.items():
            monkeypatch.setenv(name, value)
        experiment = mlflow.create_experiment("bucket", "s3://bucket/models")
        with mlflow.start_run(experiment_id=experiment):
            info = mlflow.sklearn.log_model(forest, name="m")
        folder = mlflow.get_logged_model(info.model_id).artifact_location
        assert folder.startswith("s3://bucket/")
        for uri in (info.model_uri, folder):
            found = mlflow.sklearn.load_model(uri).predict(X)
            np.testing.assert_array_equal(found, forest.predict(X))
        assert os.listdir("temporary") == [], "a download was left behind"


def test_a_server_that_is_down_leaves_nothing_half_written(forest, monkeypatch, tmp_path):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:9")
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    with pytest.raises(MlflowException, match=r"127\.0\.0\.1:9"):
        mlflow.sklearn.log_model(forest, name="m")
    assert list(tmp_path.rglob("model.skops")) == []
