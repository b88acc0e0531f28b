"""A tracking server: MLflow's own on loopback, and one that fails in every way."""

from __future__ import annotations

import math
import os
import signal
import socket
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from servers import VARIABLES, Answer, Faults, mlflow_server

import nopickle
from nopickle import MlflowClient, tracking
from nopickle.entities import Metric, Param, RunTag, ViewType
from nopickle.exceptions import (
    InvalidArgumentError,
    MlflowException,
    ResourceExistsError,
    ResourceNotFoundError,
    TrackingServerError,
)

pytestmark = pytest.mark.timeout(300)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with mlflow_server(tmp_path_factory.mktemp("server")) as url:
        yield url


@pytest.fixture(autouse=True)
def _alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_BACKOFF_FACTOR", "0")
    monkeypatch.chdir(tmp_path)
    yield
    while nopickle.active_run():
        nopickle.end_run()
    nopickle.set_tracking_uri("")
    nopickle.set_registry_uri("")


@pytest.fixture
def theirs(server: str) -> Any:
    """Stock MLflow's client of the same server."""
    import mlflow

    return mlflow.MlflowClient(server)


def test_stock_mlflow_reads_what_was_logged(server: str, theirs: Any, tmp_path: Path) -> None:
    nopickle.set_tracking_uri(server)
    experiment = nopickle.set_experiment("read by mlflow")
    with nopickle.start_run(run_name="first", tags={"team": "a"}, description="words") as run:
        nopickle.log_params({"depth": 3, "criterion": "gini"})
        for step in range(3):
            nopickle.log_metric("loss", 1 / (step + 1), step=step)
        nopickle.log_metrics({"nan": float("nan"), "inf": float("inf")})
        (tmp_path / "a b.txt").write_text("text")
        nopickle.log_artifact(tmp_path / "a b.txt", "deep/er")
        nopickle.log_dict({"a": [1]}, "a.json")
        with nopickle.start_run(nested=True) as child:
            pass
    found = theirs.get_run(run.info.run_id)
    assert found.info.experiment_id == experiment.experiment_id
    assert (found.info.status, found.info.run_name) == ("FINISHED", "first")
    assert found.data.params == {"depth": "3", "criterion": "gini"}
    assert found.data.metrics["loss"] == pytest.approx(1 / 3)
    assert math.isnan(found.data.metrics["nan"])
    assert found.data.tags["team"] == "a"
    assert found.data.tags["mlflow.note.content"] == "words"
    assert found.data.tags["mlflow.source.type"] == "LOCAL"
    history = theirs.get_metric_history(run.info.run_id, "loss")
    assert [(one.step, one.value) for one in history] == [(0, 1.0), (1, 0.5), (2, 1 / 3)]
    assert theirs.get_parent_run(child.info.run_id).info.run_id == run.info.run_id
    assert [one.path for one in theirs.list_artifacts(run.info.run_id)] == ["a.json", "deep"]
    out = theirs.download_artifacts(run.info.run_id, "deep/er/a b.txt", str(tmp_path))
    assert Path(out).read_text() == "text"


def test_what_stock_mlflow_logged_is_read(server: str, theirs: Any, tmp_path: Path) -> None:
    experiment = theirs.create_experiment("written by mlflow", tags={"k": "v"})
    run = theirs.create_run(experiment, run_name="theirs")
    theirs.log_metric(run.info.run_id, "acc", 0.5, step=1)
    theirs.log_metric(run.info.run_id, "acc", 0.75, step=2)
    theirs.log_param(run.info.run_id, "depth", 2)
    theirs.log_text(run.info.run_id, "hello", "folder/file.txt")
    theirs.set_terminated(run.info.run_id, "FAILED")
    client = MlflowClient(server)
    ours = client.get_run(run.info.run_id)
    assert (ours.info.status, ours.info.run_name) == ("FAILED", "theirs")
    assert ours.info.end_time is not None
    assert (ours.data.metrics, ours.data.params) == ({"acc": 0.75}, {"depth": "2"})
    assert [one.value for one in client.get_metric_history(run.info.run_id, "acc")] == [0.5, 0.75]
    assert client.get_experiment_by_name("written by mlflow").tags == {"k": "v"}
    nopickle.set_tracking_uri(server)
    (file,) = nopickle.artifacts.list_artifacts(run_id=run.info.run_id, artifact_path="folder")
    assert (file.path, file.is_dir, file.file_size) == ("folder/file.txt", False, 5)
    uri = f"runs:/{run.info.run_id}/folder/file.txt"
    assert nopickle.artifacts.load_text(uri) == "hello"
    folder = nopickle.artifacts.download_artifacts(f"runs:/{run.info.run_id}/folder")
    assert Path(folder, "file.txt").read_text() == "hello"
    assert stat.S_IMODE(os.stat(Path(folder).parent).st_mode) == 0o700
    with pytest.raises(ResourceNotFoundError, match="nowhere"):
        nopickle.artifacts.download_artifacts(f"runs:/{run.info.run_id}/nowhere")


def test_searches_of_the_server_are_those_of_the_embedded_store(
    server: str, tmp_path: Path
) -> None:
    answers = []
    for uri in (server, str(tmp_path / "store")):
        client = MlflowClient(uri)
        experiment = client.create_experiment("searched")
        for number in range(5):
            run = client.create_run(experiment, start_time=1000 + number, run_name=f"run {number}")
            client.log_batch(
                run.info.run_id,
                [Metric("loss", number / 10, 1, 0)] if number else [],
                [Param("depth", str(number % 2))],
                [RunTag("team", "Ab" if number < 3 else "cd")],
            )
        client.delete_run(client.search_runs([experiment], "run_name = 'run 4'")[0].info.run_id)
        found = []
        for filter_string, order_by, view in [
            ("", None, ViewType.ACTIVE_ONLY),
            ("metrics.loss > 0.1", ["metrics.loss ASC"], ViewType.ALL),
            ("metrics.loss != 0.1", ["start_time"], ViewType.ACTIVE_ONLY),
            ("params.depth = '1' AND tags.team LIKE 'A%'", None, ViewType.ACTIVE_ONLY),
            ("tags.team ILIKE 'ab'", ["metrics.loss DESC"], ViewType.ACTIVE_ONLY),
            ("tags.team LIKE 'ab'", None, ViewType.ACTIVE_ONLY),
            ("attributes.run_name IN ('run 1', 'run 2')", ["params.depth"], ViewType.ACTIVE_ONLY)
            if uri != server
            else (
                "attributes.run_name LIKE 'run %' AND start_time > 1000 AND start_time < 1003",
                ["params.depth"],
                ViewType.ACTIVE_ONLY,
            ),
            ("start_time >= 1002", ["start_time ASC"], ViewType.DELETED_ONLY),
            ("metrics.none > 0", None, ViewType.ALL),
            ("params.depth != '1'", ["attributes.start_time DESC"], ViewType.ALL),
        ]:
            runs = client.search_runs([experiment], filter_string, view, order_by=order_by)
            found.append([one.info.run_name for one in runs])
        first = client.search_runs([experiment], max_results=3)
        second = client.search_runs([experiment], max_results=3, page_token=first.token)
        found.append([one.info.run_name for one in [*first, *second]])
        assert second.token is None
        answers.append(found)
    assert answers[0] == answers[1]
    assert answers[0][1] == ["run 2", "run 3", "run 4"]


def test_a_model_is_logged_and_registered(server: str, theirs: Any, tmp_path: Path) -> None:
    nopickle.set_tracking_uri(server)

    def fill(model: nopickle.entities.LoggedModel) -> None:
        folder = Path(tracking._staging_folder(model))
        (folder / "MLmodel").write_text(f"model_id: {model.model_id}\nflavors: {{}}\n")
        (folder / "data").mkdir()
        (folder / "data" / "model.bin").write_bytes(b"x" * 3_000_000)

    with nopickle.start_run() as run:
        model, version = tracking._log_model_folder(
            None,
            name="tree",
            params={"depth": "3"},
            tags={"k": "v"},
            model_type="classifier",
            step=2,
            registered_model_name="registered tree",
            fill=fill,
        )
    found = theirs.get_logged_model(model.model_id)
    assert (str(found.status), found.name, found.model_type) == ("READY", "tree", "classifier")
    assert found.params == {"depth": "3"}
    assert found.source_run_id == run.info.run_id
    (output,) = theirs.get_run(run.info.run_id).outputs.model_outputs
    assert (output.model_id, output.step) == (model.model_id, 2)
    assert version is not None
    their_version = theirs.get_model_version("registered tree", "1")
    assert their_version.source == model.model_uri
    assert version.model_id == model.model_id
    client = MlflowClient(server)
    client.set_registered_model_alias("registered tree", "champion", "1")
    for uri in (
        model.model_uri,
        "models:/registered tree/1",
        "models:/registered tree@champion",
        "models:/registered tree/latest",
        f"runs:/{run.info.run_id}/tree",
    ):
        folder = Path(tracking._local_folder(uri))
        assert (folder / "data" / "model.bin").stat().st_size == 3_000_000, uri
        assert f"model_id: {model.model_id}" in (folder / "MLmodel").read_text()
    by_hand = nopickle.register_model(f"runs:/{run.info.run_id}/tree", "by hand", tags={"a": "b"})
    assert (by_hand.version, by_hand.model_id) == ("1", model.model_id)
    assert by_hand.tags == {"a": "b"}


def test_push_copies_a_run_of_the_embedded_store(server: str, theirs: Any, tmp_path: Path) -> None:
    def fill(model: nopickle.entities.LoggedModel) -> None:
        folder = Path(tracking._staging_folder(model))
        run_id = nopickle.active_run().info.run_id
        (folder / "MLmodel").write_text(f"model_id: {model.model_id}\nrun_id: {run_id}\n")

    nopickle.set_experiment("pushed")
    with nopickle.start_run(run_name="from here", tags={"k": "v"}) as run:
        nopickle.log_params({f"p{n}": n for n in range(150)})
        for step in range(5):
            nopickle.log_metric("loss", 1 / (step + 1), step=step)
        nopickle.log_text("hello", "deep/a b.txt")
        _model, _ = tracking._log_model_folder(None, name="tree", step=2, fill=fill)
    command = [sys.executable, "-m", "nopickle", "push", run.info.run_id, "--to", server]
    environment = {**os.environ, "PYTHONPATH": str(Path(nopickle.__file__).parents[1])}
    done = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=100)
    assert done.returncode == 0, done.stderr
    assert "5 values of metrics, 1 model, 2 files" in done.stderr
    new = theirs.get_run(done.stdout.strip())
    assert theirs.get_experiment(new.info.experiment_id).name == "pushed"
    assert (new.info.status, new.info.run_name) == ("FINISHED", "from here")
    assert (new.info.start_time, new.info.end_time) == (
        run.info.start_time,
        nopickle.get_run(run.info.run_id).info.end_time,
    )
    assert len(new.data.params) == 150
    assert new.data.tags["nopickle.pushedFrom"] == run.info.run_id
    assert len(theirs.get_metric_history(new.info.run_id, "loss")) == 5
    (output,) = new.outputs.model_outputs
    assert output.step == 2
    copy = theirs.get_logged_model(output.model_id)
    assert (copy.name, str(copy.status)) == ("tree", "READY")
    path = theirs.download_artifacts(new.info.run_id, "deep/a b.txt", str(tmp_path))
    assert Path(path).read_text() == "hello"
    nopickle.set_tracking_uri(server)
    folder = Path(tracking._local_folder(copy.model_uri))
    text = (folder / "MLmodel").read_text()
    assert text == f"model_id: {copy.model_id}\nrun_id: {new.info.run_id}\n"
    again = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=100)
    assert again.returncode == 2
    assert "already exists" in again.stderr


def test_a_model_that_fails_to_be_written_is_failed(server: str) -> None:
    nopickle.set_tracking_uri(server)
    seen = []

    def fill(model: nopickle.entities.LoggedModel) -> None:
        seen.append((model.model_id, tracking._staging_folder(model)))
        raise RuntimeError("no")

    with pytest.raises(RuntimeError, match="no"):
        tracking._log_model_folder(None, name="broken", fill=fill)
    ((model_id, folder),) = seen
    assert str(MlflowClient(server).get_logged_model(model_id).status) == "FAILED"
    assert not os.path.exists(folder)
    with pytest.raises(MlflowException, match="FAILED, not READY"):
        tracking._local_folder(f"models:/{model_id}")


def test_the_registry_of_the_server(server: str, theirs: Any) -> None:
    client = MlflowClient(server)
    client.create_registered_model("iris", {"k": "v"}, "words")
    with pytest.raises(ResourceExistsError, match="iris"):
        client.create_registered_model("iris")
    run = client.create_run("0")
    for _ in range(2):
        client.create_model_version("iris", f"{run.info.artifact_uri}/model", run.info.run_id)
    client.set_registered_model_alias("iris", "best", "2")
    client.set_model_version_tag("iris", "1", "a", "b")
    client.update_model_version("iris", "1", "one")
    client.transition_model_version_stage("iris", "1", "Staging")
    model = client.get_registered_model("iris")
    assert (model.description, model.tags, model.aliases) == ("words", {"k": "v"}, {"best": "2"})
    assert str(theirs.get_model_version_by_alias("iris", "best").version) == "2"
    first = client.get_model_version("iris", "1")
    assert (first.description, first.tags, first.current_stage) == ("one", {"a": "b"}, "Staging")
    found = client.search_model_versions("name = 'iris'", order_by=["version_number DESC"])
    assert [one.version for one in found] == ["2", "1"]
    assert [one.name for one in client.search_registered_models("name LIKE 'ir%'")] == ["iris"]
    assert [one.version for one in client.get_latest_versions("iris", ["Staging"])] == ["1"]
    client.delete_registered_model_alias("iris", "best")
    client.delete_model_version("iris", "2")
    with pytest.raises(ResourceNotFoundError):
        client.get_model_version("iris", "2")
    client.rename_registered_model("iris", "lily")
    client.delete_registered_model("lily")
    with pytest.raises(ResourceNotFoundError):
        client.get_registered_model("lily")


def test_experiments_and_runs_of_the_server_go_and_come_back(server: str) -> None:
    client = MlflowClient(server)
    experiment = client.create_experiment("gone", tags={"a": "b"})
    with pytest.raises(ResourceExistsError):
        client.create_experiment("gone")
    run = client.create_run(experiment, tags={"k": "v"})
    client.delete_tag(run.info.run_id, "k")
    assert "k" not in client.get_run(run.info.run_id).data.tags
    client.delete_run(run.info.run_id)
    assert client.search_runs([experiment]) == []
    client.restore_run(run.info.run_id)
    client.rename_experiment(experiment, "gone again")
    client.set_experiment_tag(experiment, "c", 1)
    client.delete_experiment_tag(experiment, "a")
    assert client.get_experiment(experiment).tags == {"c": "1"}
    client.delete_experiment(experiment)
    nopickle.set_tracking_uri(server)
    with pytest.raises(MlflowException, match="deleted"):
        nopickle.set_experiment("gone again")
    client.restore_experiment(experiment)
    assert nopickle.set_experiment("gone again").experiment_id == experiment
    many = [Metric(f"m{n}", n, 1, 0) for n in range(1200)]
    client.log_batch(run.info.run_id, many, [Param(f"p{n}", str(n)) for n in range(120)])
    found = client.get_run(run.info.run_id).data
    assert (len(found.metrics), len(found.params)) == (1200, 120)
    with pytest.raises(InvalidArgumentError, match="p1"):
        client.log_param(run.info.run_id, "p1", "other")


def test_missing_things_of_the_server_are_told(server: str) -> None:
    nopickle.set_tracking_uri(server)
    for ask in (
        lambda: nopickle.get_run("0" * 32),
        lambda: nopickle.get_experiment("999"),
        lambda: nopickle.get_logged_model("m-" + "0" * 32),
        lambda: MlflowClient().get_model_version("none", "1"),
        lambda: MlflowClient().get_model_version_by_alias("none", "a"),
        lambda: tracking._local_folder("models:/none/1"),
        lambda: tracking._local_folder("runs:/" + "0" * 32 + "/model"),
    ):
        with pytest.raises(ResourceNotFoundError) as caught:
            ask()
        assert caught.value.error_code == "RESOURCE_DOES_NOT_EXIST"
    assert nopickle.get_experiment_by_name("none") is None


# A server that fails.


@pytest.mark.parametrize(
    ("status", "words", "code", "attempts"),
    [
        (401, "MLFLOW_TRACKING_TOKEN", "UNAUTHENTICATED", 1),
        (403, "403", "PERMISSION_DENIED", 1),
        (404, "is this the address of an MLflow tracking server", "INTERNAL_ERROR", 1),
        (429, "too many requests", "REQUEST_LIMIT_EXCEEDED", 4),
        (500, "500", "INTERNAL_ERROR", 4),
        (503, "503", "INTERNAL_ERROR", 4),
    ],
)
def test_a_failing_server_is_told_with_what_to_do(
    status: int,
    words: str,
    code: str,
    attempts: int,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "3")
    with Faults(lambda *_: (status, {}, "<html>no</html>")) as faults:
        url = faults.url.replace("http://", "http://me:secret@")
        client = MlflowClient(url)
        with pytest.raises(TrackingServerError, match=words) as caught:
            client.get_run("0" * 32)
        assert caught.value.error_code == code
        assert "secret" not in str(caught.value) + repr(client)
        assert len(faults.asked) == attempts
        nopickle.set_tracking_uri(url)
        with pytest.raises(MlflowException):
            nopickle.start_run(experiment_id="0")
        assert nopickle.active_run() is None
        with pytest.raises(TrackingServerError):
            tracking._local_folder("mlflow-artifacts:/0/a", str(tmp_path / "out"))
    assert list((tmp_path / "out").iterdir()) == []


def test_a_server_that_is_down_is_told() -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        port = closed.getsockname()[1]
    nopickle.set_tracking_uri(f"http://127.0.0.1:{port}")
    os.environ["MLFLOW_HTTP_REQUEST_MAX_RETRIES"] = "2"
    try:
        with pytest.raises(
            TrackingServerError, match="can't be reached after 3 attempts"
        ) as caught:
            nopickle.get_run("0" * 32)
    finally:
        del os.environ["MLFLOW_HTTP_REQUEST_MAX_RETRIES"]
    assert caught.value.error_code == "TEMPORARILY_UNAVAILABLE"


RUN = {"run": {"info": {"run_id": "0" * 32, "experiment_id": "0", "status": "RUNNING"}}}


def test_what_is_safe_is_asked_again_and_a_run_is_made_once() -> None:
    def answer(count: int, _method: str, _path: str) -> Answer:
        return (500, {}, {}) if count < 2 else (200, {}, RUN)

    with Faults(answer) as faults:
        assert MlflowClient(faults.url).get_run("0" * 32).info.status == "RUNNING"
        assert len(faults.asked) == 3
    with Faults(answer) as faults:
        with pytest.raises(TrackingServerError, match="500"):
            MlflowClient(faults.url).create_run("0")
        assert len(faults.asked) == 1
    with Faults(
        lambda count, *_: (429, {"Retry-After": "1"}, {}) if not count else (200, {}, RUN)
    ) as faults:
        start = time.monotonic()
        MlflowClient(faults.url).create_run("0")
        assert time.monotonic() - start > 0.9, "Retry-After counts"
        assert len(faults.asked) == 2


def test_a_token_and_a_password_are_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    with Faults(lambda *_: (200, {}, RUN)) as faults:
        monkeypatch.setenv("MLFLOW_TRACKING_TOKEN", "abc")
        MlflowClient(faults.url).get_run("0" * 32)
        assert faults.asked[-1][2]["authorization"] == "Bearer abc"
    with Faults(lambda *_: (200, {}, RUN)) as faults:
        monkeypatch.setenv("MLFLOW_TRACKING_USERNAME", "me")
        monkeypatch.setenv("MLFLOW_TRACKING_PASSWORD", "pw")
        MlflowClient(faults.url).get_run("0" * 32)
        assert faults.asked[-1][2]["authorization"] == "Basic bWU6cHc="


def test_an_answer_that_is_no_answer_is_told(tmp_path: Path) -> None:
    for body in ("<html>", {"run": {"info": 3}}, {}):
        with (
            Faults(lambda *_, body=body: (200, {}, body)) as faults,
            pytest.raises(TrackingServerError),
        ):
            MlflowClient(faults.url).get_run("0" * 32)
    escape = {"files": [{"path": "../../evil", "is_dir": False, "file_size": 1}]}
    with Faults(lambda *_: (200, {}, escape)) as faults:
        nopickle.set_tracking_uri(faults.url)
        with pytest.raises(InvalidArgumentError, match=r"\.\."):
            tracking._local_folder("mlflow-artifacts:/0/a", str(tmp_path / "deep" / "out"))
    assert not (tmp_path / "evil").exists()


def test_ctrl_c_ends_the_wait_for_a_server() -> None:
    code = "import nopickle, sys; print(flush=True); nopickle.MlflowClient(sys.argv[1]).get_run('0' * 32)"
    environment = {
        **os.environ,
        "PYTHONPATH": str(Path(nopickle.__file__).parents[1]),
        "MLFLOW_HTTP_REQUEST_BACKOFF_FACTOR": "60",
    }
    with Faults(lambda *_: (503, {}, {})) as faults:
        command = [sys.executable, "-c", code, faults.url]
        process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment
        )
        end = time.monotonic() + 60
        while not faults.asked:
            assert time.monotonic() < end
            time.sleep(0.05)
        time.sleep(0.3)
        process.send_signal(signal.SIGINT)
        _, told = process.communicate(timeout=20)
    assert b"KeyboardInterrupt" in told
    assert len(faults.asked) == 1


def test_a_file_of_a_web_server_is_downloaded_without_the_login(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_TOKEN", "abc")
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "1")
    with Faults(
        lambda _count, _method, path: (200 if "a.txt" in path else 404, {}, "text")
    ) as faults:
        out = nopickle.artifacts.download_artifacts(f"{faults.url}/deep/a.txt", dst_path="out")
        assert out == str(tmp_path / "out" / "a.txt")
        assert Path(out).read_text() == "text"
        assert faults.asked[-1][1] == "/deep/a.txt"
        assert "authorization" not in {name.lower() for name in faults.asked[-1][2]}
        with pytest.raises(TrackingServerError, match="404"):
            nopickle.artifacts.download_artifacts(f"{faults.url}/b", dst_path="none")
    assert os.listdir("none") == []
