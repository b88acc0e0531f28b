"""Runs, logged models and registered models on the embedded store."""

from __future__ import annotations

import errno
import json
import math
import os
import re
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from servers import VARIABLES

import nopickle
from nopickle import MlflowClient, tracking
from nopickle.entities import LoggedModel, LoggedModelStatus, Metric, ViewType
from nopickle.exceptions import (
    InvalidArgumentError,
    MlflowException,
    NopickleError,
    ResourceExistsError,
    ResourceNotFoundError,
)

PYTHON = str(Path(nopickle.__file__).parents[1])


@pytest.fixture(autouse=True)
def _alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)
    yield
    while nopickle.active_run():
        nopickle.end_run()
    nopickle.set_tracking_uri("")
    nopickle.set_registry_uri("")


def python(code: str, **env: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": PYTHON, **env}
    return subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env=environment, timeout=60
    )


def write_model(model: LoggedModel) -> None:
    folder = Path(tracking._staging_folder(model))
    (folder / "MLmodel").write_text(f"model_id: {model.model_id}\n")
    (folder / "data").mkdir()
    (folder / "data" / "weights.bin").write_bytes(b"\x01" * 1000)


def files() -> list[str]:
    """Give every file of the working folder but the database's."""
    return sorted(
        str(path.relative_to("."))
        for path in Path(".").rglob("*")
        if path.is_file() and not path.name.startswith("nopickle.db")
    )


# Runs


def test_a_run_holds_what_was_logged() -> None:
    before = int(time.time() * 1000)
    with nopickle.start_run(run_name="first", tags={"team": "a"}, description="words") as run:
        assert nopickle.active_run() is run
        assert nopickle.log_param("depth", 3) == 3
        nopickle.log_params({"criterion": "gini", "none": None})
        nopickle.log_metric("loss", 0.5, step=1)
        nopickle.log_metric("loss", 0.25, step=3)
        nopickle.log_metric("loss", 0.75, step=2)
        nopickle.log_metrics({"nan": math.nan, "inf": math.inf, "-inf": -math.inf}, step=7)
        nopickle.set_tag("k", 1)
        nopickle.set_tags({"gone": 1})
        nopickle.delete_tag("gone")
    assert nopickle.active_run() is None
    found = nopickle.get_run(run.info.run_id)
    info = found.info
    assert (info.status, info.run_name, info.lifecycle_stage) == ("FINISHED", "first", "active")
    assert info.experiment_id == "0"
    assert before <= info.start_time <= info.end_time <= int(time.time() * 1000)
    assert found.data.params == {"depth": "3", "criterion": "gini", "none": "None"}
    assert found.data.metrics["loss"] == 0.25, "the latest is that of the greatest step"
    assert math.isnan(found.data.metrics["nan"])
    assert (found.data.metrics["inf"], found.data.metrics["-inf"]) == (math.inf, -math.inf)
    tags = found.data.tags
    assert (tags["team"], tags["k"], tags["mlflow.note.content"]) == ("a", "1", "words")
    assert (tags["mlflow.runName"], tags["mlflow.source.type"]) == ("first", "LOCAL")
    assert "gone" not in tags
    assert tags["mlflow.user"] == info.user_id
    history = MlflowClient().get_metric_history(run.info.run_id, "loss")
    assert [(one.step, one.value) for one in history] == [(1, 0.5), (2, 0.75), (3, 0.25)]
    (nan,) = MlflowClient().get_metric_history(run.info.run_id, "nan")
    assert math.isnan(nan.value)
    assert nan.step == 7


def test_an_exception_fails_the_run_and_goes_on() -> None:
    with pytest.raises(ZeroDivisionError), nopickle.start_run() as run:
        _ = 1 / 0
    assert nopickle.get_run(run.info.run_id).info.status == "FAILED"
    assert nopickle.last_active_run().info.run_id == run.info.run_id


def test_a_run_that_is_open_at_the_end_of_the_process_ends() -> None:
    code = "import nopickle; print(nopickle.start_run().info.run_id); nopickle.log_metric('a', 1)"
    out = python(code)
    assert out.returncode == 0, out.stderr
    assert nopickle.get_run(out.stdout.strip()).info.status == "FINISHED"


def test_runs_are_nested_and_resumed(monkeypatch: pytest.MonkeyPatch) -> None:
    with nopickle.start_run() as parent:
        with pytest.raises(MlflowException, match="nested=True"):
            nopickle.start_run()
        with nopickle.start_run(nested=True) as child:
            nopickle.log_metric("a", 1)
        assert nopickle.active_run().info.run_id == parent.info.run_id
    assert nopickle.get_parent_run(child.info.run_id).info.run_id == parent.info.run_id
    with nopickle.start_run(run_id=child.info.run_id) as again:
        assert (again.info.status, again.info.end_time) == ("RUNNING", None)
        nopickle.log_metric("b", 2)
    assert nopickle.get_run(child.info.run_id).data.metrics == {"a": 1.0, "b": 2.0}
    monkeypatch.setenv("MLFLOW_RUN_ID", parent.info.run_id)
    with nopickle.start_run() as resumed:
        assert resumed.info.run_id == parent.info.run_id
    with nopickle.start_run(parent_run_id=parent.info.run_id) as second:
        pass
    assert nopickle.get_parent_run(second.info.run_id).info.run_id == parent.info.run_id
    nopickle.delete_run(child.info.run_id)
    with pytest.raises(MlflowException, match="deleted"):
        nopickle.start_run(run_id=child.info.run_id)


def test_each_thread_has_its_own_active_run() -> None:
    seen: list[Any] = []

    def work() -> None:
        seen.append(nopickle.active_run())
        with nopickle.start_run() as run:
            seen.append(run.info.run_id)

    with nopickle.start_run() as mine:
        thread = threading.Thread(target=work)
        thread.start()
        thread.join()
        assert nopickle.active_run().info.run_id == mine.info.run_id
    assert seen[0] is None
    assert seen[1] != mine.info.run_id


def test_a_forked_process_logs_to_the_same_store() -> None:
    # In a process of its own, which has no threads.
    code = """if True:
        import os
        import nopickle
        with nopickle.start_run() as run:
            child = os.fork()
            if child == 0:
                try:
                    assert nopickle.active_run() is None
                    nopickle.MlflowClient().log_metric(run.info.run_id, "child", 1)
                    status = 0
                except BaseException:
                    status = 1
                os._exit(status)
            assert os.waitpid(child, 0)[1] == 0
            nopickle.log_metric("parent", 2)
        print(run.info.run_id)
        """
    out = python(code)
    assert out.returncode == 0, out.stderr
    assert nopickle.get_run(out.stdout.strip()).data.metrics == {"child": 1.0, "parent": 2.0}


def test_an_experiment_is_made_once_by_many_processes(tmp_path: Path) -> None:
    code = "import nopickle; print(nopickle.set_experiment('shared').experiment_id)"
    environment = {**os.environ, "PYTHONPATH": PYTHON}
    workers = [
        subprocess.Popen([sys.executable, "-c", code], env=environment, stdout=subprocess.PIPE)
        for _ in range(6)
    ]
    ids = {worker.communicate(timeout=60)[0].strip() for worker in workers}
    assert ids == {nopickle.get_experiment_by_name("shared").experiment_id.encode()}


def test_a_param_keeps_its_value() -> None:
    with nopickle.start_run() as run:
        nopickle.log_param("depth", 3)
        nopickle.log_param("depth", "3")
        with pytest.raises(InvalidArgumentError, match='"3" and can\'t change to "4"') as caught:
            nopickle.log_params({"new": 1, "depth": 4})
    assert caught.value.error_code == "INVALID_PARAMETER_VALUE"
    params = nopickle.get_run(run.info.run_id).data.params
    assert params == {"depth": "3"}, "a batch is all or nothing"


def test_what_was_deleted_does_not_change_and_comes_back() -> None:
    client = MlflowClient()
    experiment = nopickle.create_experiment("gone", tags={"a": "b"})
    run = client.create_run(experiment)
    client.delete_experiment(experiment)
    with pytest.raises(MlflowException, match="deleted"):
        client.log_metric(run.info.run_id, "a", 1)
    with pytest.raises(MlflowException, match="deleted"):
        nopickle.set_experiment("gone")
    with pytest.raises(ResourceExistsError, match="is deleted: restore it"):
        client.create_experiment("gone")
    assert [one.name for one in nopickle.search_experiments(ViewType.DELETED_ONLY)] == ["gone"]
    client.restore_experiment(experiment)
    client.log_metric(run.info.run_id, "a", 1)
    assert client.get_experiment(experiment).tags == {"a": "b"}
    with pytest.raises(MlflowException, match="Default"):
        client.delete_experiment("0")


def test_the_experiment_is_that_which_was_chosen(monkeypatch: pytest.MonkeyPatch) -> None:
    chosen = nopickle.set_experiment("mine")
    nopickle.set_experiment_tags({"a": 1})
    with nopickle.start_run() as run:
        pass
    assert run.info.experiment_id == chosen.experiment_id
    assert nopickle.get_experiment_by_name("mine").tags == {"a": "1"}
    assert nopickle.set_experiment(experiment_id=chosen.experiment_id).name == "mine"
    code = "import nopickle; print(nopickle.start_run().info.experiment_id)"
    out = python(code, MLFLOW_EXPERIMENT_NAME="of the environment")
    assert out.stdout.strip() == nopickle.get_experiment_by_name("of the environment").experiment_id
    assert python(code, MLFLOW_EXPERIMENT_ID=chosen.experiment_id).stdout.strip() == (
        chosen.experiment_id
    )
    with pytest.raises(InvalidArgumentError):
        nopickle.set_experiment()


def test_runs_are_found_by_filters_as_a_table_or_a_list() -> None:
    pandas = pytest.importorskip("pandas")
    client = MlflowClient()
    for number in range(5):
        run = client.create_run("0", start_time=1000 + number, run_name=f"r{number}")
        client.log_param(run.info.run_id, "depth", number % 2)
        if number:
            client.log_metric(run.info.run_id, "loss", math.nan if number == 4 else number / 10)

    def names(filter_string: str, **more: Any) -> list[str]:
        found = nopickle.search_runs(filter_string=filter_string, output_format="list", **more)
        return [one.info.run_name for one in found]

    assert names("metrics.loss >= 0.2", order_by=["metrics.loss DESC"]) == ["r3", "r2"]
    assert names("", order_by=["metrics.loss"]) == ["r1", "r2", "r3", "r4", "r0"], "NaN, then none"
    assert names("params.depth = '1' AND start_time > 1001") == ["r3"]
    assert names("run_name IN ('r1', 'r2') and attributes.status = 'RUNNING'") == ["r2", "r1"]
    assert names("params.none IS NULL", max_results=2) == ["r4", "r3"]
    assert names("tags.`mlflow.runName` LIKE 'r%'") == ["r4", "r3", "r2", "r1", "r0"]
    with pytest.raises(InvalidArgumentError, match="joined by AND"):
        names("metrics.loss > 1 OR metrics.loss < 2")
    table = nopickle.search_runs(order_by=["start_time"])
    assert list(table["params.depth"]) == ["0", "1", "0", "1", "0"]
    assert pandas.isna(table["metrics.loss"][0])
    assert table["start_time"][0] == pandas.Timestamp(1000, unit="ms", tz="UTC")
    assert nopickle.search_runs(experiment_names=["none"]).empty
    page = client.search_runs(["0"], max_results=2)
    seen = [one.info.run_name for one in page]
    while page.token:
        page = client.search_runs(["0"], max_results=2, page_token=page.token)
        seen += [one.info.run_name for one in page]
    assert seen == ["r4", "r3", "r2", "r1", "r0"]


@pytest.mark.parametrize("name", ["..", "a/../b", "/a", "a\0b", "a\\b", ""])
def test_a_name_that_leads_elsewhere_is_refused(name: str, tmp_path: Path) -> None:
    client = MlflowClient()
    run = client.create_run("0").info.run_id
    (tmp_path / "file").write_text("x")
    before = files()
    for ask in (
        lambda: client.log_metric(run, name, 1),
        lambda: client.log_param(run, name, 1),
        lambda: client.set_tag(run, name, 1),
        lambda: client.create_registered_model(name),
        lambda: client.create_logged_model("0", name),
        lambda: client.log_text(run, "x", name),
        lambda: client.log_artifact(run, "file", name or ".."),
        lambda: client.get_run(name),
        lambda: client.get_logged_model(name),
        lambda: nopickle.artifacts.download_artifacts(run_id=run, artifact_path=name or ".."),
        lambda: nopickle.artifacts.list_artifacts(run_id=run, artifact_path=name or ".."),
        lambda: tracking._local_folder(f"models:/{name}/1"),
    ):
        with pytest.raises(NopickleError) as caught:
            ask()
        assert isinstance(caught.value, MlflowException)
        assert caught.value.error_code == "INVALID_PARAMETER_VALUE"
    assert files() == before


def test_an_argument_without_meaning_is_refused() -> None:
    with nopickle.start_run():
        for ask in (
            lambda: nopickle.log_metric("a", 1, synchronous=False),
            lambda: nopickle.log_metric("a", 1, dataset=object()),
            lambda: nopickle.log_param("a", 1, synchronous=False),
            lambda: nopickle.set_tag("a", 1, synchronous=False),
            lambda: nopickle.start_run(nested=True, log_system_metrics=True),
            lambda: nopickle.set_experiment("a", trace_location=object()),
            lambda: nopickle.create_experiment("a", trace_location=object()),
            lambda: nopickle.register_model("models:/m", "a", env_pack="x"),
            lambda: MlflowClient(workspace_store_uri="x"),
            lambda: nopickle.search_logged_models(datasets=[{"a": "b"}]),
        ):
            with pytest.raises(InvalidArgumentError, match="nopickle does not support this"):
                ask()
        with pytest.raises(InvalidArgumentError, match="a metric is a number"):
            nopickle.log_metric("a", "high")


# Artifacts


def test_artifacts_go_in_and_come_out(tmp_path: Path) -> None:
    source = tmp_path / "source"
    (source / "deep").mkdir(parents=True)
    (source / "a b%20.txt").write_text("one")
    (source / "deep" / "c").write_bytes(b"\x00\x01")
    with nopickle.start_run() as run:
        nopickle.log_artifact(str(source / "a b%20.txt"))
        nopickle.log_artifacts(str(source), "all")
        nopickle.log_text("h\u00e9llo\r\n", "texts/t.txt")
        nopickle.log_dict({"a": [1, None]}, "d.json")
        root = nopickle.get_artifact_uri()
        assert nopickle.get_artifact_uri("all") == f"{root}/all"
    client = MlflowClient()
    run_id = run.info.run_id
    top = [(one.path, one.is_dir, one.file_size) for one in client.list_artifacts(run_id)]
    assert top == [
        ("a b%20.txt", False, 3),
        ("all", True, None),
        ("d.json", False, 32),
        ("texts", True, None),
    ]
    deep = [one.path for one in client.list_artifacts(run_id, "all/deep")]
    assert deep == ["all/deep/c"]
    assert nopickle.artifacts.load_text(f"runs:/{run_id}/texts/t.txt") == "h\u00e9llo\r\n"
    assert nopickle.artifacts.load_dict(f"runs:/{run_id}/d.json") == {"a": [1, None]}
    with pytest.raises(InvalidArgumentError, match="not JSON"):
        nopickle.artifacts.load_dict(f"runs:/{run_id}/texts/t.txt")
    local = nopickle.artifacts.download_artifacts(run_id=run_id, artifact_path="all")
    assert local == f"{root}/all", "what is here is not copied"
    copied = nopickle.artifacts.download_artifacts(f"runs:/{run_id}/all", dst_path="out")
    assert copied == str(tmp_path / "out" / "all")
    assert Path(copied, "deep", "c").read_bytes() == b"\x00\x01"
    assert not list(Path("out").glob(".*"))
    with pytest.raises(ResourceNotFoundError):
        nopickle.artifacts.download_artifacts(f"runs:/{run_id}/none")
    with pytest.raises(MlflowException):
        client.log_artifact(run_id, "none.txt")
    (source / "link").symlink_to("/etc/hostname")
    with pytest.raises(InvalidArgumentError, match="link"):
        client.log_artifacts(run_id, str(source), "linked")
    assert client.list_artifacts(run_id, "linked") == []


# Models


def test_a_model_is_logged_by_rename_then_by_row() -> None:
    seen: list[tuple[str, list[LoggedModel]]] = []

    def fill(model: LoggedModel) -> None:
        write_model(model)
        folder = tracking._staging_folder(model)
        seen.append((folder, nopickle.search_logged_models(output_format="list")))
        # On one file system, so that a rename is enough.
        assert os.stat(folder).st_dev == os.stat("nopickle.db").st_dev
        assert not os.path.exists(model.artifact_location)

    with nopickle.start_run() as run:
        model, version = tracking._log_model_folder(
            None, name="tree", params={"a": 1}, tags={"b": "c"}, step=4, fill=fill,
            registered_model_name="iris",
        )  # fmt: skip
    ((staged, before),) = seen
    assert before == []
    assert not os.path.exists(staged)
    assert model.status == LoggedModelStatus.READY
    assert (model.params, model.source_run_id) == ({"a": "1"}, run.info.run_id)
    assert model.tags["b"] == "c"
    (output,) = nopickle.get_run(run.info.run_id).outputs.model_outputs
    assert (output.model_id, output.step) == (model.model_id, 4)
    assert nopickle.last_logged_model() == nopickle.get_logged_model(model.model_id)
    assert (version.name, version.version, version.model_id) == ("iris", "1", model.model_id)
    assert version.run_id == run.info.run_id
    folder = model.artifact_location
    client = MlflowClient()
    client.set_registered_model_alias("iris", "champion", "1")
    client.transition_model_version_stage("iris", "1", "Production")
    for uri in (
        model.model_uri,
        "models:/iris/1",
        "models:/iris/latest",
        "models:/iris@champion",
        "models:/iris/production",
        f"runs:/{run.info.run_id}/tree",
        folder,
        f"file://{folder}",
    ):
        assert tracking._local_folder(uri) == folder, uri
        assert Path(folder, "data", "weights.bin").stat().st_size == 1000
    assert tracking._local_folder(f"{model.model_uri}/data") == f"{folder}/data"
    copy = tracking._local_folder("models:/iris/1", "copied")
    assert sorted(os.listdir(copy)) == ["MLmodel", "data"]


def test_a_model_that_fails_leaves_no_files() -> None:
    def fill(model: LoggedModel) -> None:
        write_model(model)
        raise RuntimeError("no")

    with nopickle.start_run(), pytest.raises(RuntimeError, match="no"):
        tracking._log_model_folder(None, name="tree", fill=fill, registered_model_name="iris")
    (model,) = nopickle.search_logged_models(output_format="list")
    assert model.status == LoggedModelStatus.FAILED
    assert files() == []
    with pytest.raises(MlflowException, match="FAILED, not READY"):
        tracking._local_folder(model.model_uri)
    assert nopickle.search_registered_models() == []


def test_a_folder_is_copied_and_a_pending_model_gets_its_files(tmp_path: Path) -> None:
    folder = tmp_path / "model"
    folder.mkdir()
    (folder / "MLmodel").write_text("x")
    pending = nopickle.initialize_logged_model("later", params={"a": "b"})
    with pytest.raises(MlflowException, match="PENDING, not READY"):
        tracking._local_folder(pending.model_uri)
    model, version = tracking._log_model_folder(folder, name=None, model_id=pending.model_id)
    assert (model.name, model.params, version) == ("later", {"a": "b"}, None)
    assert Path(tracking._local_folder(model.model_uri), "MLmodel").read_text() == "x"
    assert (folder / "MLmodel").exists()
    with pytest.raises(InvalidArgumentError, match="READY"):
        tracking._log_model_folder(folder, name=None, model_id=pending.model_id)
    other = nopickle.initialize_logged_model()
    assert nopickle.finalize_logged_model(other.model_id, "FAILED").status == "FAILED"
    nopickle.set_logged_model_tags(other.model_id, {"k": 1, "l": 2})
    nopickle.delete_logged_model_tag(other.model_id, "l")
    nopickle.log_model_params({"p": "q"}, other.model_id)
    found = nopickle.get_logged_model(other.model_id)
    assert (found.tags, found.params) == ({"k": "1"}, {"p": "q"})
    MlflowClient().delete_logged_model(other.model_id)
    with pytest.raises(ResourceNotFoundError):
        nopickle.get_logged_model(other.model_id)


def test_metrics_belong_to_models_too() -> None:
    with nopickle.start_run() as run:
        good, _ = tracking._log_model_folder(None, name="good", fill=write_model)
        poor, _ = tracking._log_model_folder(None, name="poor", fill=write_model)
        nopickle.log_metric("acc", 0.9, model_id=good.model_id)
        nopickle.log_metric("acc", 0.5, model_id=poor.model_id)
        with pytest.raises(ResourceNotFoundError):
            nopickle.log_metric("acc", 0.5, model_id="m-" + "0" * 32)
    (metric,) = nopickle.get_logged_model(good.model_id).metrics
    assert (metric.key, metric.value, metric.run_id) == ("acc", 0.9, run.info.run_id)
    found = nopickle.search_logged_models(filter_string="metrics.acc > 0.8", output_format="list")
    assert [one.name for one in found] == ["good"]
    ordered = nopickle.search_logged_models(
        order_by=[{"field_name": "metrics.acc", "ascending": True}], output_format="list"
    )
    assert [one.name for one in ordered] == ["poor", "good"]


def test_the_registry(tmp_path: Path) -> None:
    client = MlflowClient()
    client.create_registered_model("iris", {"k": "v"}, "words")
    with pytest.raises(ResourceExistsError):
        client.create_registered_model("iris")
    (tmp_path / "model").mkdir()
    for number in range(3):
        version = nopickle.register_model(str(tmp_path / "model"), "iris", tags={"n": number})
        assert (version.version, version.status) == (str(number + 1), "READY")
    client.set_registered_model_alias("iris", "best", "1")
    client.set_registered_model_alias("iris", "best", "2")
    client.transition_model_version_stage("iris", "1", "staging")
    client.transition_model_version_stage("iris", "2", "Staging", archive_existing_versions=True)
    client.update_model_version("iris", "1", "one")
    client.set_model_version_tag("iris", stage="Staging", key="t", value=1)
    client.delete_model_version_tag("iris", "3", "n")
    stages = {one.version: one.current_stage for one in client.search_model_versions()}
    assert stages == {"1": "Archived", "2": "Staging", "3": "None"}
    second = client.get_model_version_by_alias("iris", "best")
    assert (second.version, second.tags, second.aliases) == ("2", {"n": "1", "t": "1"}, ["best"])
    assert client.get_model_version("iris", "3").tags == {}
    model = client.get_registered_model("iris")
    assert (model.aliases, model.description) == ({"best": "2"}, "words")
    assert client.copy_model_version("models:/iris@best", "copy").version == "1"
    assert [
        one.name for one in nopickle.search_registered_models(filter_string="name ILIKE 'IR%'")
    ] == ["iris"]
    client.delete_model_version("iris", "3")
    assert nopickle.register_model(str(tmp_path / "model"), "iris").version == "4", "not again 3"
    client.rename_registered_model("iris", "lily")
    assert client.get_model_version_by_alias("lily", "best").version == "2"
    for bad in ("v1", "latest", "a b", ""):
        with pytest.raises(InvalidArgumentError):
            client.set_registered_model_alias("lily", bad, "1")
    client.delete_registered_model_alias("lily", "best")
    client.delete_registered_model("lily")
    for uri in ("models:/lily/1", "models:/copy/9", "models:/copy@none", "models:/copy/Staging"):
        with pytest.raises(ResourceNotFoundError):
            tracking._local_folder(uri)
    with pytest.raises(ResourceNotFoundError):
        nopickle.register_model(str(tmp_path / "none"), "copy")


# The store


@pytest.mark.parametrize(
    "uri", ["ftp://host/a", "postgresql://user:secret@host/db", "databricks://x", "s3://bucket/a"]
)
def test_an_unknown_scheme_is_told_what_there_is(uri: str) -> None:
    nopickle.set_tracking_uri(uri)
    with pytest.raises(InvalidArgumentError, match=r"there are:.*sqlite:///.*http") as caught:
        nopickle.start_run()
    assert "secret" not in str(caught.value)
    nopickle.set_tracking_uri("")
    with pytest.raises(InvalidArgumentError, match="runs:/"):
        tracking._local_folder("ftp://host/model")


def test_missing_things_are_told() -> None:
    for ask in (
        lambda: nopickle.get_run("0" * 32),
        lambda: nopickle.get_experiment("17"),
        lambda: nopickle.get_logged_model("m-" + "0" * 32),
        lambda: MlflowClient().get_model_version("none", "1"),
        lambda: tracking._local_folder("runs:/" + "0" * 32 + "/model"),
        lambda: tracking._local_folder("models:/none/1"),
        lambda: nopickle.start_run(experiment_id="17"),
        lambda: nopickle.start_run(run_id="0" * 32),
    ):
        with pytest.raises(ResourceNotFoundError) as caught:
            ask()
        assert caught.value.error_code == "RESOURCE_DOES_NOT_EXIST"
    assert nopickle.active_run() is None


def test_the_store_is_where_somebody_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert not nopickle.is_tracking_uri_set()
    with nopickle.start_run():
        pass
    assert (tmp_path / "nopickle.db").exists()
    monkeypatch.setenv("NOPICKLE_HOME", str(tmp_path / "home"))
    assert nopickle.get_tracking_uri() == f"sqlite:///{tmp_path}/home/nopickle.db"
    with nopickle.start_run():
        nopickle.log_text("x", "a.txt")
    assert list((tmp_path / "home" / "nopickle-artifacts").rglob("a.txt"))
    for uri in (str(tmp_path / "f"), f"file://{tmp_path}/g", f"sqlite:///{tmp_path}/h/own.db"):
        nopickle.set_tracking_uri(uri)
        assert nopickle.get_tracking_uri() == os.environ["MLFLOW_TRACKING_URI"] == uri
        with nopickle.start_run():
            pass
    assert (tmp_path / "f" / "nopickle.db").exists()
    assert (tmp_path / "g" / "nopickle.db").exists()
    assert (tmp_path / "h" / "own.db").exists()


def test_a_store_can_be_moved(tmp_path: Path) -> None:
    nopickle.set_tracking_uri(tmp_path / "here")
    with nopickle.start_run() as run:
        nopickle.log_text("x", "a.txt")
        _model, _ = tracking._log_model_folder(
            None, name="m", fill=write_model, registered_model_name="r"
        )
    code = f"""if True:
        import nopickle
        from nopickle import tracking
        nopickle.set_tracking_uri({str(tmp_path / "there")!r})
        assert nopickle.artifacts.load_text("runs:/{run.info.run_id}/a.txt") == "x"
        assert tracking._local_folder("models:/r/1").startswith({str(tmp_path / "there")!r})
        """
    (tmp_path / "here").rename(tmp_path / "there")
    out = python(code)
    assert out.returncode == 0, out.stderr


def test_a_newer_store_and_a_foreign_database_are_refused(tmp_path: Path) -> None:
    MlflowClient(str(tmp_path / "newer")).get_experiment("0")
    with sqlite3.connect(tmp_path / "newer" / "nopickle.db") as base:
        base.execute("PRAGMA user_version = 999")
    with sqlite3.connect(tmp_path / "mlflow.db") as base:
        base.execute("CREATE TABLE experiments (name TEXT)")
    (tmp_path / "text.db").write_text("this is no database at all" * 100)
    for uri, words in (
        (str(tmp_path / "newer"), "version 999.*update nopickle"),
        (f"sqlite:///{tmp_path}/mlflow.db", "mlflow server"),
        (f"sqlite:///{tmp_path}/text.db", "text.db"),
    ):
        code = f"import nopickle; nopickle.MlflowClient({uri!r}).get_experiment('0')"
        out = python(code)
        assert out.returncode == 1
        last = out.stderr.strip().splitlines()[-1]
        assert last.startswith("nopickle.exceptions."), last
        assert re.search(words, last), last
    with sqlite3.connect(tmp_path / "mlflow.db") as base:
        tables = base.execute("SELECT name FROM sqlite_master").fetchall()
    assert tables == [("experiments",)], "it was not touched"


def test_a_folder_that_is_read_only_is_told() -> None:
    code = """if True:
        import os, sys
        import nopickle
        from nopickle import tracking
        from nopickle.exceptions import StoreError
        if os.getuid() == 0:
            # Root may write everywhere.
            os.setgroups([]); os.setgid(65534); os.setuid(65534)
        try:
            nopickle.MlflowClient(sys.argv[1]).get_experiment("0")
        except StoreError as error:
            print(error.error_code, error.errno == 13, error)
        """
    # Not below tmp_path, which other users can't enter.
    with tempfile.TemporaryDirectory() as locked:
        os.chmod(locked, 0o555)
        out = python(code.replace("sys.argv[1]", repr(locked)))
        assert out.stdout.startswith("INTERNAL_ERROR True"), out.stderr + out.stdout
        assert "can't be written" in out.stdout
        assert locked in out.stdout
        assert os.listdir(locked) == []
        os.chmod(locked, 0o755)


def test_a_full_disk_is_told_and_leaves_nothing_half_written(tmp_path: Path) -> None:
    big = tmp_path / "big.bin"
    big.write_bytes(b"x" * 4_000_000)
    code = f"""if True:
        import resource, signal
        import nopickle
        from nopickle import tracking
        from nopickle.exceptions import StoreError
        nopickle.set_tracking_uri({str(tmp_path / "store")!r})
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        with nopickle.start_run() as run:
            # What a full disk does to one file: no more than 1 MB of it can be written.
            resource.setrlimit(resource.RLIMIT_FSIZE, (1_000_000, 1_000_000))
            try:
                nopickle.log_artifact({str(big)!r})
            except StoreError as error:
                print(error.errno, error)
            try:
                tracking._log_model_folder({str(tmp_path / "model")!r}, name="m")
            except OSError as error:
                print("model", error.errno)
            nopickle.log_metric("still", 1)
            print(run.info.run_id)
        """
    (tmp_path / "model").mkdir()
    big.rename(tmp_path / "model" / "big.bin")
    (tmp_path / "big.bin").hardlink_to(tmp_path / "model" / "big.bin")
    out = python(code)
    assert out.returncode == 0, out.stderr
    first, second, run_id = out.stdout.splitlines()
    assert "no space is left" in first, first
    assert second.startswith("model"), second
    nopickle.set_tracking_uri(tmp_path / "store")
    run = nopickle.get_run(run_id)
    assert (run.info.status, run.data.metrics) == ("FINISHED", {"still": 1.0})
    assert MlflowClient().list_artifacts(run_id) == []
    left = [path for path in (tmp_path / "store").rglob("*") if path.name == "big.bin"]
    assert left == []
    models = nopickle.search_logged_models(output_format="list")
    assert all(one.status == LoggedModelStatus.FAILED for one in models)


FULL = """
import os, sys
import nopickle
from nopickle import tracking
from nopickle.exceptions import StoreError
root, files = sys.argv[1:]
nopickle.set_tracking_uri(root)
def fill(model):
    with open(os.path.join(tracking._staging_folder(model), "MLmodel"), "wb") as file:
        file.write(b"x" * 4_000_000)
with nopickle.start_run() as run:
    nopickle.log_metric("before", 1)
    for ask in (
        lambda: nopickle.log_artifacts(files),
        lambda: tracking._log_model_folder(files, name="folder"),
        lambda: tracking._log_model_folder(None, name="filled", fill=fill),
    ):
        try:
            ask()
        except StoreError as error:
            print(error.errno, str(error).replace("\\n", " "))
    filler = open(os.path.join(root, "filler"), "wb", buffering=0)
    try:
        while True:
            filler.write(b"x" * 4096)
    except OSError:
        pass
    logged = []
    try:
        for step in range(100_000):
            nopickle.log_metric("during", step, step=step)
            logged.append(step)
    except StoreError as error:
        print(error.errno, error)
    os.unlink(filler.name)
    filler.close()
    nopickle.log_metric("after", len(logged))
found = nopickle.MlflowClient().get_metric_history(run.info.run_id, "during")
assert [one.step for one in found] == logged
print(run.info.run_id)
"""


def test_a_full_file_system_is_told_and_the_store_goes_on(tmp_path: Path) -> None:
    full = tmp_path / "full"
    full.mkdir()
    (tmp_path / "files").mkdir()
    (tmp_path / "files" / "MLmodel").write_bytes(b"x" * 4_000_000)
    # A file system of 3 MB, in a namespace of its own: it goes with the process.
    mount = f'mount -t tmpfs -o size=3m none {full} && exec {sys.executable} -c "$CODE" {full} {tmp_path}/files'
    namespace = ["unshare", "-m"] if os.getuid() == 0 else ["unshare", "-rm"]
    tried = subprocess.run(
        [*namespace, "mount", "-t", "tmpfs", "none", full], capture_output=True, check=False
    )
    if tried.returncode:
        pytest.skip("this user may not mount a file system")
    environment = {**os.environ, "PYTHONPATH": PYTHON, "CODE": FULL}
    out = subprocess.run(
        [*namespace, "sh", "-c", mount],
        capture_output=True,
        text=True,
        env=environment,
        timeout=100,
    )
    assert out.returncode == 0, out.stderr
    *told, _run_id = out.stdout.splitlines()
    assert len(told) == 4, told
    for line in told:
        assert line.startswith(f"{errno.ENOSPC} "), line
        assert "space" in line.lower()


def test_what_killed_processes_left_is_cleaned_after_a_day(tmp_path: Path) -> None:
    MlflowClient(str(tmp_path / "s")).get_experiment("0")
    staging = tmp_path / "s" / "nopickle-artifacts" / ".staging"
    for name, age in (("old", 2 * 86400), ("new", 3600)):
        (staging / name).mkdir(parents=True)
        (staging / name / "part").write_text("x")
        os.utime(staging / name, (time.time() - age,) * 2)
    out = python(
        f"import nopickle; nopickle.MlflowClient({str(tmp_path / 's')!r}).get_experiment('0')"
    )
    assert out.returncode == 0, out.stderr
    assert sorted(os.listdir(staging)) == ["new"]


def test_importing_nopickle_imports_no_other_library() -> None:
    code = """if True:
        import sys
        before = set(sys.modules)
        import nopickle
        print(sorted({name.partition(".")[0] for name in set(sys.modules) - before}))
        nopickle.start_run
        print("numpy" in sys.modules, "pandas" in sys.modules, "sklearn" in sys.modules)
        """
    out = python(code)
    first, second = out.stdout.splitlines()
    extra = set(json.loads(first.replace("'", '"'))) - set(sys.stdlib_module_names)
    assert extra == {"nopickle"}
    assert second == "False False False"


def test_the_rows_of_a_history_are_kept_once() -> None:
    client = MlflowClient()
    run = client.create_run("0").info.run_id
    client.log_batch(run, [Metric("a", 1.0, 5, 0)] * 3)
    client.log_batch(run, [Metric("a", 2.0, 5, 0), Metric("a", 1.0, 6, 0)])
    rows = [(one.value, one.timestamp) for one in client.get_metric_history(run, "a")]
    assert rows == [(1.0, 5), (2.0, 5), (1.0, 6)]
    assert client.get_run(run).data.metrics == {"a": 1.0}


def test_an_experiment_may_have_its_own_place(tmp_path: Path) -> None:
    place = tmp_path / "a b%20c"
    client = MlflowClient()
    experiment = client.create_experiment("own", f"file://{tmp_path}/a%20b%2520c")
    with nopickle.start_run(experiment_id=experiment) as run:
        nopickle.log_text("x", "d %41.txt")
        model, _ = tracking._log_model_folder(None, name="m", fill=write_model)
    assert (place / run.info.run_id / "artifacts" / "d %41.txt").read_text() == "x"
    assert nopickle.artifacts.load_text(f"runs:/{run.info.run_id}/d %41.txt") == "x"
    assert tracking._local_folder(model.model_uri) == f"{place}/models/{model.model_id}/artifacts"


# The command


def command(*arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": PYTHON}
    return subprocess.run(
        [sys.executable, "-m", "nopickle", *arguments],
        capture_output=True,
        text=True,
        env=environment,
        timeout=60,
    )


def test_the_command_lists_and_shows_runs() -> None:
    out = command("runs")
    assert (out.returncode, out.stdout) == (2, "")
    assert "--store" in out.stderr
    assert os.listdir() == [], "no store is made by looking"
    nopickle.set_experiment("iris\x1b[2J")
    with nopickle.start_run(run_name="first") as first:
        nopickle.log_metric("loss", 0.5, step=3)
        nopickle.log_param("depth", 3)
        nopickle.log_text("x" * 2000, "a.txt")
        model, _ = tracking._log_model_folder(None, name="tree", fill=write_model)
    with nopickle.start_run(run_name="second"):
        nopickle.log_metric("loss", math.inf)
    out = command("runs")
    assert out.returncode == 0, out.stderr
    head, second, third = out.stdout.splitlines()
    assert head.split()[:2] == ["run", "name"]
    assert "second" in second
    assert "loss=inf" in second
    assert first.info.run_id in third
    assert "FINISHED" in third
    assert "\x1b" not in out.stdout
    found = json.loads(command("runs", "list", "--json", "--filter", "metrics.loss < 1").stdout)
    assert [run["info"]["run_name"] for run in found["runs"]] == ["first"]
    assert command("runs", "--color", "always").stdout.startswith("\x1b[2m")
    out = command("runs", "show", first.info.run_id)
    for words in ("depth = 3", "loss = 0.5 (step 3)", "a.txt = 2.0 kB", model.model_id):
        assert words in out.stdout
    shown = json.loads(command("runs", "show", first.info.run_id, "--json").stdout)
    assert shown["run"]["data"]["params"] == [{"key": "depth", "value": "3"}]
    for wrong in (["show", "0" * 32], ["--filter", "loss <"], ["--experiment", "none"]):
        out = command("runs", *wrong)
        assert (out.returncode, out.stdout) == (2, "")
        assert out.stderr.startswith("error: ")


def test_the_command_lists_and_shows_models() -> None:
    with nopickle.start_run():
        model, _ = tracking._log_model_folder(
            None, name="tree", params={"a": 1}, fill=write_model, registered_model_name="it's"
        )
    MlflowClient().set_registered_model_alias("it's", "best", "1")
    out = command("models")
    assert out.returncode == 0, out.stderr
    assert "it's" in out.stdout
    assert "best" in out.stdout
    assert f"{model.model_id}  tree  READY" in out.stdout
    found = json.loads(command("models", "--json").stdout)
    assert [one["name"] for one in found["registered"]] == ["it's"]
    out = command("models", "show", model.model_id)
    assert "a = 1" in out.stdout
    assert "MLmodel" in out.stdout
    assert "best = version 1" in command("models", "show", "it's").stdout
    assert command("models", "show", "none").returncode == 2
