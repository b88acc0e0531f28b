"""Artifacts in S3: moto's server on loopback."""

from __future__ import annotations

import os
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from servers import VARIABLES, s3_server

import nopickle
from nopickle import MlflowClient, tracking
from nopickle.entities import LoggedModel
from nopickle.exceptions import MlflowException, ResourceNotFoundError

pytestmark = pytest.mark.timeout(200)


@pytest.fixture(scope="module")
def s3(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with s3_server(tmp_path_factory.mktemp("s3")) as url:
        request = urllib.request.Request(f"{url}/bucket", method="PUT")
        urllib.request.urlopen(request, timeout=20).close()
        yield url


@pytest.fixture(autouse=True, params=["MLFLOW_S3_ENDPOINT_URL", "AWS_ENDPOINT_URL"])
def _alone(
    s3: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> Iterator[None]:
    for name in [*VARIABLES, "MLFLOW_S3_ENDPOINT_URL", "AWS_ENDPOINT_URL"]:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv(request.param, s3)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    monkeypatch.chdir(tmp_path)
    yield
    while nopickle.active_run():
        nopickle.end_run()


def test_artifacts_of_a_run_are_in_the_bucket(
    tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    name = f"run {request.node.name[-10:-1]}"
    client = MlflowClient()
    experiment = client.create_experiment(name, f"s3://bucket/{name}")
    big = os.urandom(20_000_000)
    (tmp_path / "big.bin").write_bytes(big)
    with nopickle.start_run(experiment_id=experiment) as run:
        nopickle.log_artifact("big.bin", "deep/er")
        nopickle.log_text("hello", "a b%20+~.txt")
        nopickle.log_text("", "empty")
    run_id = run.info.run_id
    assert run.info.artifact_uri == f"s3://bucket/{name}/{run_id}/artifacts"
    found = [(one.path, one.is_dir, one.file_size) for one in client.list_artifacts(run_id)]
    assert found == [("a b%20+~.txt", False, 5), ("deep", True, None), ("empty", False, 0)]
    assert [one.path for one in client.list_artifacts(run_id, "deep/er")] == ["deep/er/big.bin"]
    assert nopickle.artifacts.load_text(f"runs:/{run_id}/a b%20+~.txt") == "hello"
    folder = Path(nopickle.artifacts.download_artifacts(run_id=run_id, artifact_path="deep"))
    assert (folder / "er" / "big.bin").read_bytes() == big
    direct = f"s3://bucket/{name}/{run_id}/artifacts/deep/er/big.bin"
    out = nopickle.artifacts.download_artifacts(direct, dst_path="out")
    assert out == str(tmp_path / "out" / "big.bin")
    assert Path(out).read_bytes() == big
    with pytest.raises(ResourceNotFoundError, match="s3://bucket"):
        nopickle.artifacts.download_artifacts(f"runs:/{run_id}/none", dst_path="none")
    assert os.listdir("none") == []


def test_boto3_reads_the_same_names(s3: str) -> None:
    boto3 = pytest.importorskip("boto3")
    client = MlflowClient()
    experiment = client.create_experiment("names", "s3://bucket/names")
    run = client.create_run(experiment)
    client.log_text(run.info.run_id, "x", "a b%20+~#.txt")
    objects = boto3.client("s3", endpoint_url=s3).list_objects_v2(
        Bucket="bucket", Prefix=f"names/{run.info.run_id}/"
    )
    (one,) = objects["Contents"]
    assert one["Key"] == f"names/{run.info.run_id}/artifacts/a b%20+~#.txt"


def test_a_model_is_logged_to_the_bucket(request: pytest.FixtureRequest) -> None:
    def fill(model: LoggedModel) -> None:
        folder = Path(tracking._staging_folder(model))
        (folder / "MLmodel").write_text(model.model_id)
        (folder / "model.bin").write_bytes(b"x" * 1_000_000)

    client = MlflowClient()
    experiment = client.create_experiment("models", "s3://bucket/models")
    with nopickle.start_run(experiment_id=experiment):
        model, _version = tracking._log_model_folder(
            None, name="m", fill=fill, registered_model_name="in s3"
        )
    assert model.artifact_location == f"s3://bucket/models/models/{model.model_id}/artifacts"
    folder = Path(tracking._local_folder("models:/in s3/1"))
    assert (folder / "MLmodel").read_text() == model.model_id
    assert (folder / "model.bin").stat().st_size == 1_000_000
    assert list(Path("nopickle-artifacts").rglob("MLmodel")) == []


def test_a_bucket_that_is_not_there_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(MlflowException, match="s3://no-such-bucket"):
        nopickle.artifacts.download_artifacts("s3://no-such-bucket/a", dst_path="out")
    client = MlflowClient()
    run = client.create_run(client.create_experiment("none", "s3://no-such-bucket/a"))
    with pytest.raises(MlflowException, match="s3://no-such-bucket"):
        client.log_text(run.info.run_id, "x", "a.txt")
