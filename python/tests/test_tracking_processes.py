"""Many processes at one embedded store, and processes that are killed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from servers import VARIABLES

import nopickle
from nopickle import MlflowClient, tracking
from nopickle.entities import LoggedModelStatus, Run

pytestmark = pytest.mark.timeout(300)

# Logs runs of 20 metrics each; says on stdout which have ended.
WORK = """
import sys
import nopickle
number, runs = int(sys.argv[1]), int(sys.argv[2])
for index in range(runs):
    with nopickle.start_run(run_name=f"{number}-{index}") as run:
        nopickle.log_param("index", index)
        for metric in range(20):
            nopickle.log_metric(f"m{metric}", number * 1000 + index, step=metric)
    print(run.info.run_id, flush=True)
"""

# Logs models until it is killed; says on stdout which are there.
MODELS = """
import os, sys
import nopickle
from nopickle import tracking
def fill(model):
    folder = tracking._staging_folder(model)
    for name in ("MLmodel", "a.bin", "b.bin"):
        with open(os.path.join(folder, name), "wb") as file:
            file.write(model.model_id.encode() * 20000)
with nopickle.start_run():
    while True:
        model, _ = tracking._log_model_folder(None, name="m", fill=fill)
        print(model.model_id, flush=True)
"""


@pytest.fixture(autouse=True)
def _alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)


def start(code: str, out: Path, *arguments: object) -> subprocess.Popen[bytes]:
    environment = {**os.environ, "PYTHONPATH": str(Path(nopickle.__file__).parents[1])}
    with out.open("wb") as file:
        return subprocess.Popen(
            [sys.executable, "-c", code, *map(str, arguments)], env=environment, stdout=file
        )


def whole(run: Run) -> bool:
    number, index = map(int, run.info.run_name.split("-"))
    return (
        run.info.status == "FINISHED"
        and run.data.params == {"index": str(index)}
        and run.data.metrics == {f"m{metric}": number * 1000.0 + index for metric in range(20)}
    )


def test_ten_processes_lose_nothing(tmp_path: Path) -> None:
    workers = [start(WORK, tmp_path / f"{n}.out", n, 100) for n in range(10)]
    assert [worker.wait(280) for worker in workers] == [0] * 10
    runs = nopickle.search_runs(output_format="list")
    assert len(runs) == 1000
    assert {run.info.run_name for run in runs} == {
        f"{n}-{i}" for n in range(10) for i in range(100)
    }
    assert all(whole(run) for run in runs)
    client = MlflowClient()
    for run in runs[::97]:
        (row,) = client.get_metric_history(run.info.run_id, "m7")
        assert row.step == 7


def test_processes_that_are_killed_lose_nothing_that_was_reported(tmp_path: Path) -> None:
    workers = [start(WORK, tmp_path / f"{n}.out", n, 40) for n in range(10)]
    end = time.monotonic() + 120
    while not all((tmp_path / f"{n}.out").stat().st_size for n in range(10)):
        assert time.monotonic() < end
        time.sleep(0.01)
    for worker in workers[::2]:
        worker.send_signal(signal.SIGKILL)
    codes = [worker.wait(200) for worker in workers]
    assert codes[1::2] == [0] * 5
    assert all(code in (0, -signal.SIGKILL) for code in codes)
    assert -signal.SIGKILL in codes
    runs = {run.info.run_id: run for run in nopickle.search_runs(output_format="list")}
    reported = [line for n in range(10) for line in (tmp_path / f"{n}.out").read_text().split()]
    assert len(reported) >= 5 * 40
    assert all(whole(runs[run_id]) for run_id in reported)
    with nopickle.start_run():
        nopickle.log_metric("after", 1)


def test_a_killed_process_leaves_no_half_written_model(tmp_path: Path) -> None:
    workers = [start(MODELS, tmp_path / f"{n}.out") for n in range(3)]
    end = time.monotonic() + 120
    while not all((tmp_path / f"{n}.out").stat().st_size > 100 for n in range(3)):
        assert time.monotonic() < end
        time.sleep(0.01)
    for pause, worker in enumerate(workers):
        time.sleep(0.013 * pause)
        worker.send_signal(signal.SIGKILL)
        worker.wait(60)
    models = nopickle.search_logged_models(output_format="list")
    reported = {line for n in range(3) for line in (tmp_path / f"{n}.out").read_text().split()}
    assert reported <= {model.model_id for model in models}
    for model in models:
        assert model.status == LoggedModelStatus.READY
        folder = Path(tracking._local_folder(model.model_uri))
        for name in ("MLmodel", "a.bin", "b.bin"):
            assert (folder / name).read_bytes() == model.model_id.encode() * 20000
