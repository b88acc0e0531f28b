"""`log_model` beside stock MLflow: a small model, the import, and a model of 1 GB beside `cp`.

    python benches/log_model.py [--rounds 7] [--gigabytes 1] [--out FILE.md]

Everything is a fresh process and an empty store, in turns, so that a slow moment meets both. MLflow's
own store is SQLite with local artifacts. It needs scikit-learn, skops and mlflow.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from nopickle import __version__

LOG = """
import json, os, sys, time
import {module} as mlflow
import {module}.sklearn
mlflow.set_tracking_uri({uri!r})
from sklearn.datasets import load_iris
from sklearn.linear_model import LogisticRegression
X, y = load_iris(return_X_y=True)
model = LogisticRegression(max_iter=500).fit(X, y)
times = []
for _ in range(3):
    start = time.perf_counter()
    with mlflow.start_run():
        mlflow.sklearn.log_model(model, name="model", serialization_format="skops")
    times.append(time.perf_counter() - start)
print(json.dumps(times))
"""

IMPORT = """
import json, time
start = time.perf_counter()
import {module}
print(json.dumps([time.perf_counter() - start]))
"""

LARGE = """
import json, os, sys, time
import numpy as np
import nopickle as mlflow
from sklearn.neighbors import KNeighborsRegressor
mlflow.set_tracking_uri({uri!r})
rng = np.random.default_rng(0)
X = rng.random(({rows}, 128))
model = KNeighborsRegressor(algorithm="brute").fit(X, X[:, 0])
start = time.perf_counter()
with mlflow.start_run():
    info = mlflow.sklearn.log_model(model, name="model", serialization_format="skops")
seconds = time.perf_counter() - start
from nopickle.tracking import _local_folder
print(json.dumps([seconds, _local_folder(info.model_uri)]))
"""


def child(code: str, folder: str) -> list:
    """Run code in a new process; return what it prints as JSON."""
    environment = {**os.environ, "PYTHONWARNINGS": "ignore", "GIT_PYTHON_REFRESH": "quiet"}
    environment.pop("MLFLOW_TRACKING_URI", None)
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise SystemExit(done.stderr)
    return json.loads(done.stdout.splitlines()[-1])


def small(module: str) -> tuple[float, float]:
    """Return the seconds of the first and of a later `log_model` in one process."""
    with tempfile.TemporaryDirectory() as folder:
        times = child(LOG.format(module=module, uri=f"sqlite:///{folder}/store.db"), folder)
    return times[0], statistics.median(times[1:])


def large(gigabytes: float) -> tuple[float, float, int]:
    """Return the seconds of `log_model` and of `cp -r` of the folder that it wrote, and its bytes."""
    rows = int(gigabytes * (1 << 30) / (129 * 8))
    with tempfile.TemporaryDirectory(dir=os.getcwd()) as folder:
        seconds, model = child(LARGE.format(uri=f"sqlite:///{folder}/store.db", rows=rows), folder)
        size = sum(path.stat().st_size for path in Path(model).rglob("*") if path.is_file())
        start = time.perf_counter()
        subprocess.run(["cp", "-r", model, f"{folder}/copy"], check=True)
        return seconds, time.perf_counter() - start, size


def main() -> int:
    """Measure and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--gigabytes", type=float, default=1.0)
    parser.add_argument("--out", type=Path)
    arguments = parser.parse_args()
    samples: dict[str, list[float]] = {}

    def add(name: str, value: float) -> None:
        samples.setdefault(name, []).append(value)

    size = 0
    for _ in range(arguments.rounds):
        for module in ("mlflow", "nopickle"):
            first, later = small(module)
            add(f"{module} first", first)
            add(f"{module} later", later)
            with tempfile.TemporaryDirectory() as folder:
                add(f"{module} import", child(IMPORT.format(module=module), folder)[0])
        seconds, copy, size = large(arguments.gigabytes)
        add("large", seconds)
        add("cp", copy)
    median = {name: statistics.median(values) for name, values in samples.items()}

    def row(what: str, theirs: str, ours: str, target: str) -> str:
        ratio = median[ours] / median[theirs]
        return f"| {what} | {median[theirs] * 1e3:.1f} ms | {median[ours] * 1e3:.1f} ms | {ratio:.4f} | {target} |"

    lines = [
        f"{time.strftime('%Y-%m-%d')}, {platform.machine()}, {os.cpu_count()} cores, "
        f"Python {platform.python_version()}, "
        + ", ".join(
            f"{name} {importlib.metadata.version(name)}"
            for name in ("mlflow", "skops", "scikit-learn")
        )
        + f", nopickle {__version__}"
        + f"; medians of {arguments.rounds} rounds",
        "",
        "| what | stock MLflow, or cp | nopickle | ratio | at most |",
        "| --- | --- | --- | --- | --- |",
        row("`log_model`, first in a process", "mlflow first", "nopickle first", "0.02"),
        row("`log_model`, later ones", "mlflow later", "nopickle later", "0.02"),
        row("import", "mlflow import", "nopickle import", "0.05"),
        row(f"`log_model` of {size / 1e9:.2f} GB, beside `cp -r`", "cp", "large", "2"),
    ]
    text = "\n".join(lines) + "\n"
    print(text)
    if arguments.out is not None:
        arguments.out.write_text(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
