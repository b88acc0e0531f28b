"""Runs, logged models and registered models: the functions and arguments of ``mlflow``.

``import nopickle as mlflow`` gives them all. They work on the store that the tracking URI names: by
default ``nopickle.db`` and ``nopickle-artifacts/`` in the working folder or in ``NOPICKLE_HOME``; with
``set_tracking_uri`` or ``MLFLOW_TRACKING_URI`` another folder, an SQLite file (``sqlite:///path``) or an
MLflow tracking server (``http://host:5000``).

The active run belongs to the thread that started it. An argument that has no meaning here raises
:class:`~nopickle.exceptions.InvalidArgumentError`.

For the flavors (``nopickle.sklearn`` and so on) there are :func:`_log_model_folder`,
:func:`_staging_folder` and :func:`_local_folder`.
"""

from __future__ import annotations

import atexit
import contextlib
import errno
import json
import os
import shutil
import sys
import tempfile
import threading
import time
from typing import TYPE_CHECKING, Any, Literal

from nopickle import _rust, _stores
from nopickle.client import MlflowClient, _all, _default_tags, _metric, _synchronous
from nopickle.entities import (
    Experiment,
    LoggedModel,
    LoggedModelOutput,
    LoggedModelStatus,
    ModelVersion,
    RegisteredModel,
    Run,
    ViewType,
)
from nopickle.exceptions import (
    MlflowException,
    ResourceExistsError,
    ResourceNotFoundError,
    StoreError,
)

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path
    from types import TracebackType

    import pandas  # type: ignore[import-untyped,unused-ignore]

__all__ = [
    "ActiveRun",
    "active_run",
    "create_experiment",
    "delete_experiment",
    "delete_experiment_tag",
    "delete_logged_model_tag",
    "delete_run",
    "delete_tag",
    "end_run",
    "finalize_logged_model",
    "get_artifact_uri",
    "get_experiment",
    "get_experiment_by_name",
    "get_logged_model",
    "get_parent_run",
    "get_registry_uri",
    "get_run",
    "get_tracking_uri",
    "initialize_logged_model",
    "is_tracking_uri_set",
    "last_active_run",
    "last_logged_model",
    "log_artifact",
    "log_artifacts",
    "log_dict",
    "log_metric",
    "log_metrics",
    "log_model_params",
    "log_outputs",
    "log_param",
    "log_params",
    "log_text",
    "register_model",
    "search_experiments",
    "search_logged_models",
    "search_model_versions",
    "search_registered_models",
    "search_runs",
    "set_experiment",
    "set_experiment_tag",
    "set_experiment_tags",
    "set_logged_model_tags",
    "set_model_version_tag",
    "set_registry_uri",
    "set_tag",
    "set_tags",
    "set_tracking_uri",
    "start_run",
]

_PARENT = "mlflow.parentRunId"
_RUN_NAME = "mlflow.runName"
_NOTE = "mlflow.note.content"
_VERSIONS = "mlflow.modelVersions"
_UNWRITABLE = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS, errno.EACCES)


class _Local(threading.local):
    """What each thread has of its own."""

    def __init__(self) -> None:
        self.runs: list[ActiveRun] = []
        self.last_run: tuple[str, str] | None = None
        self.last_model: tuple[str, str] | None = None
        # Every thread's list, so that what is open ends with the process.
        _stacks.append(self.runs)


_stacks: list[list[ActiveRun]] = []
_local = _Local()
# The experiment that was set, and the store that it is in.
_experiment: tuple[str, str] | None = None
# Folders of models that are being written, by model id.
_staged: dict[str, str] = {}


def _forked() -> None:
    """Forget what belongs to the parent process: its runs go on there."""
    global _local
    _stacks.clear()
    _local = _Local()
    _staged.clear()


os.register_at_fork(after_in_child=_forked)


def _client() -> MlflowClient:
    return MlflowClient()


class ActiveRun(Run):
    """A run that is open; as a context manager it ends the run, ``FAILED`` where an exception leaves it."""

    def __init__(self, run: Run, tracking_uri: str | None = None) -> None:
        super().__init__(run.info, run.data, run.inputs, run.outputs)
        object.__setattr__(self, "_tracking_uri", tracking_uri or _stores.tracking_uri())

    def __enter__(self) -> ActiveRun:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc_val: BaseException | None,
        exc_tb: TracebackType | None,
    ) -> bool:
        if any(run.info.run_id == self.info.run_id for run in _local.runs):
            # Runs that were started in it and left open end with it.
            while _local.runs[-1].info.run_id != self.info.run_id:
                _end(_local.runs.pop(), "FINISHED" if exc_type is None else "FAILED")
            _end(_local.runs.pop(), "FINISHED" if exc_type is None else "FAILED")
        return exc_type is None


def _end(run: ActiveRun, status: str) -> None:
    uri: str = run._tracking_uri  # type: ignore[attr-defined]
    _local.last_run = (uri, run.info.run_id)
    MlflowClient(uri).set_terminated(run.info.run_id, status)


def _end_all() -> None:
    """End the runs that are open when the process ends."""
    for runs in _stacks:
        while runs:
            run = runs.pop()
            try:
                _end(run, "FINISHED")
            except Exception as error:
                print(
                    f"nopickle: run {run.info.run_id} could not be ended: {error}", file=sys.stderr
                )


atexit.register(_end_all)


# Stores


def set_tracking_uri(uri: str | Path) -> None:
    """Set where runs are kept: a folder, ``sqlite:///path``, ``http://host:5000``; ``""`` is the default again."""
    _stores.set_tracking_uri(uri)


def get_tracking_uri() -> str:
    """Say where runs are kept."""
    return _stores.tracking_uri()


def is_tracking_uri_set() -> bool:
    """Say whether :func:`set_tracking_uri` or ``MLFLOW_TRACKING_URI`` chose where runs are kept."""
    return _stores.is_tracking_uri_set()


def set_registry_uri(uri: str) -> None:
    """Set where registered models are kept; without this it is the tracking URI."""
    _stores.set_registry_uri(uri)


def get_registry_uri() -> str:
    """Say where registered models are kept."""
    return _stores.registry_uri()


# Experiments


def set_experiment(
    experiment_name: str | None = None,
    experiment_id: str | None = None,
    trace_location: Any = None,
) -> Experiment:
    """Choose the experiment for runs that are started from now on; one that is not there is made.

    Raises
    ------
    InvalidArgumentError
        Not exactly one of name and id is given, or the name is empty.
    MlflowException
        The experiment is deleted.
    ResourceNotFoundError
        No experiment has this id.
    """
    global _experiment
    if trace_location is not None:
        _stores.refuse("set_experiment", "trace_location", "it keeps no traces")
    if (experiment_name is None) == (experiment_id is None):
        raise _stores.invalid("set_experiment: give one of experiment_name and experiment_id")
    client = _client()
    found: Experiment | None
    if experiment_name is not None:
        found = _named(client, experiment_name)
    else:
        found = client.get_experiment(str(experiment_id))
    if found is None or found.lifecycle_stage != "active":
        raise MlflowException(
            f"experiment {experiment_name or experiment_id!r} is deleted: restore it with "
            "MlflowClient().restore_experiment, or choose another one",
            "INVALID_PARAMETER_VALUE",
        )
    _experiment = (client.tracking_uri, found.experiment_id)
    return found


def _named(client: MlflowClient, name: str) -> Experiment | None:
    """Give the experiment with this name; it is made if it is not there."""
    found = client.get_experiment_by_name(name)
    if found is None:
        try:
            return client.get_experiment(client.create_experiment(name))
        except ResourceExistsError:
            # Another process made it meanwhile.
            return client.get_experiment_by_name(name)
    return found


def _experiment_id() -> str:
    """Give the experiment for a new run."""
    if _experiment is not None and _experiment[0] == _stores.tracking_uri():
        return _experiment[1]
    name = os.environ.get("MLFLOW_EXPERIMENT_NAME")
    if name:
        found = _named(_client(), name)
        if found is not None:
            return found.experiment_id
    return os.environ.get("MLFLOW_EXPERIMENT_ID") or "0"


def get_experiment(experiment_id: str) -> Experiment:
    """Give the experiment with this id."""
    return _client().get_experiment(experiment_id)


def get_experiment_by_name(name: str) -> Experiment | None:
    """Give the experiment with this name, or None."""
    return _client().get_experiment_by_name(name)


def create_experiment(
    name: str,
    artifact_location: str | None = None,
    tags: dict[str, Any] | None = None,
    trace_location: Any = None,
) -> str:
    """Make an experiment; gives its id."""
    if trace_location is not None:
        _stores.refuse("create_experiment", "trace_location", "it keeps no traces")
    return _client().create_experiment(name, artifact_location, tags)


def delete_experiment(experiment_id: str) -> None:
    """Delete an experiment with its runs; ``MlflowClient().restore_experiment`` brings it back."""
    _client().delete_experiment(experiment_id)


def search_experiments(
    view_type: int = ViewType.ACTIVE_ONLY,
    max_results: int | None = None,
    filter_string: str | None = None,
    order_by: list[str] | None = None,
) -> list[Experiment]:
    """Give the experiments that a filter lets through, such as ``"name LIKE 'iris%'"``."""
    return list(
        _all(
            _client().search_experiments,
            max_results,
            1000,
            view_type=view_type,
            filter_string=filter_string,
            order_by=order_by,
        )
    )


def set_experiment_tag(key: str, value: Any) -> None:
    """Set a tag of the experiment that new runs belong to."""
    _client().set_experiment_tag(_experiment_id(), key, value)


def set_experiment_tags(tags: dict[str, Any]) -> None:
    """Set tags of the experiment that new runs belong to."""
    for key, value in tags.items():
        set_experiment_tag(key, value)


def delete_experiment_tag(key: str) -> None:
    """Delete a tag of the experiment that new runs belong to."""
    _client().delete_experiment_tag(_experiment_id(), key)


# Runs


def start_run(
    run_id: str | None = None,
    experiment_id: str | None = None,
    run_name: str | None = None,
    nested: bool = False,
    parent_run_id: str | None = None,
    tags: dict[str, Any] | None = None,
    description: str | None = None,
    log_system_metrics: bool | None = None,
) -> ActiveRun:
    """Start a run, or go on with one, and make it the active run of this thread.

    Parameters
    ----------
    run_id : str, optional
        The run to go on with; default: ``MLFLOW_RUN_ID`` where that is set, else a new run.
    experiment_id : str, optional
        The experiment of a new run; default: that of :func:`set_experiment`, of the variables
        ``MLFLOW_EXPERIMENT_NAME`` or ``MLFLOW_EXPERIMENT_ID``, or ``"0"``.
    run_name : str, optional
        The name; a new run without one gets one that is made up.
    nested : bool
        Start it within the active run, which becomes its parent.
    parent_run_id : str, optional
        The parent of a new run.
    tags : dict, optional
        Tags.
    description : str, optional
        The tag ``mlflow.note.content``.
    log_system_metrics : bool, optional
        Not supported.

    Raises
    ------
    MlflowException
        A run is active and ``nested`` is not set, or the run or its experiment is deleted.
    ResourceNotFoundError
        There is no such run, parent or experiment.
    """
    if log_system_metrics:
        _stores.refuse("start_run", "log_system_metrics", "it measures no system metrics")
    if _local.runs and not nested:
        raise MlflowException(
            f"run {_local.runs[-1].info.run_id} is active: end it with end_run(), or start this one with nested=True",
            "INVALID_STATE",
        )
    client = _client()
    store = client.tracking_uri
    if run_id is None and not _local.runs:
        run_id = os.environ.pop("MLFLOW_RUN_ID", None)
    if run_id is not None:
        run = client.get_run(run_id)
        if run.info.lifecycle_stage == "deleted":
            raise MlflowException(
                f"run {run_id} is deleted: bring it back with MlflowClient().restore_run",
                "INVALID_PARAMETER_VALUE",
            )
        if experiment_id is not None and experiment_id != run.info.experiment_id:
            raise _stores.invalid(
                f"run {run_id} belongs to experiment {run.info.experiment_id}, not to {experiment_id}"
            )
        if parent_run_id is not None and run.data.tags.get(_PARENT) != parent_run_id:
            raise _stores.invalid(f"run {run_id} is not nested in run {parent_run_id}")
        client.update_run(run_id, status="RUNNING", name=run_name)
        set_now = {str(key): str(value) for key, value in (tags or {}).items()}
        if description is not None:
            set_now[_NOTE] = description
        if set_now:
            client._ask("log_batch", id=run_id, metrics=[], params=[], tags=_stores.pairs(set_now))
        run = client.get_run(run_id)
    else:
        all_tags = _default_tags(tags)
        if description is not None:
            if all_tags.get(_NOTE, description) != description:
                raise _stores.invalid(f"description and the tag {_NOTE} differ")
            all_tags[_NOTE] = description
        if parent_run_id is None and _local.runs:
            parent_run_id = _local.runs[-1].info.run_id
        if parent_run_id is not None:
            if client.get_run(parent_run_id).info.lifecycle_stage == "deleted":
                raise MlflowException(
                    f"the parent run {parent_run_id} is deleted", "INVALID_PARAMETER_VALUE"
                )
            all_tags[_PARENT] = parent_run_id
        run = client.create_run(
            experiment_id if experiment_id is not None else _experiment_id(),
            tags=all_tags,
            run_name=run_name,
        )
    active = ActiveRun(run, store)
    _local.runs.append(active)
    return active


def end_run(status: str = "FINISHED") -> None:
    """End the active run of this thread, if there is one."""
    if _local.runs:
        _end(_local.runs.pop(), status)
    else:
        os.environ.pop("MLFLOW_RUN_ID", None)


def active_run() -> ActiveRun | None:
    """Give the active run of this thread, as it was when it was started, or None."""
    return _local.runs[-1] if _local.runs else None


def last_active_run() -> Run | None:
    """Give the active run of this thread, or the one that was active last; with what it has logged."""
    if _local.runs:
        run = _local.runs[-1]
        uri: str = run._tracking_uri  # type: ignore[attr-defined]
        return MlflowClient(uri).get_run(run.info.run_id)
    if _local.last_run is None:
        return None
    uri, run_id = _local.last_run
    return MlflowClient(uri).get_run(run_id)


def _started(run_id: str | None = None) -> tuple[MlflowClient, str]:
    """Give whom to ask about a run, and its id: that run, the active run, or a new one."""
    if run_id is not None:
        return _client(), run_id
    run = _local.runs[-1] if _local.runs else start_run()
    uri: str = run._tracking_uri  # type: ignore[attr-defined]
    return (_client() if uri == _stores.tracking_uri() else MlflowClient(uri)), run.info.run_id


def get_run(run_id: str) -> Run:
    """Give the run with this id, with what it has logged."""
    return _client().get_run(run_id)


def get_parent_run(run_id: str) -> Run | None:
    """Give the run that this one is nested in, or None."""
    return _client().get_parent_run(run_id)


def delete_run(run_id: str) -> None:
    """Delete a run; ``MlflowClient().restore_run`` brings it back."""
    _client().delete_run(run_id)


def log_param(key: str, value: Any, synchronous: bool | None = None) -> Any:
    """Log a parameter of the active run; gives the value. Its value does not change any more."""
    client, run_id = _started()
    return client.log_param(run_id, key, value, synchronous)


def log_params(
    params: dict[str, Any], synchronous: bool | None = None, run_id: str | None = None
) -> None:
    """Log parameters of a run, by default of the active one."""
    _synchronous("log_params", synchronous)
    client, run_id = _started(run_id)
    client._ask("log_batch", id=run_id, metrics=[], params=_stores.pairs(params), tags=[])


def log_metric(
    key: str,
    value: float,
    step: int | None = None,
    synchronous: bool | None = None,
    timestamp: int | None = None,
    run_id: str | None = None,
    model_id: str | None = None,
    dataset: Any = None,
) -> None:
    """Log one value of a metric of a run, by default of the active one.

    Parameters
    ----------
    key : str
        The name.
    value : float
        The value; not a number and infinities are kept.
    step : int, optional
        The step of training; default 0.
    synchronous : bool, optional
        Only True or None: it is logged when this returns.
    timestamp : int, optional
        Milliseconds since 1970; default: now.
    run_id : str, optional
        The run.
    model_id : str, optional
        The logged model that the value says something about.
    dataset : None
        Not supported.
    """
    log_metrics(
        {key: value},
        step,
        synchronous,
        run_id,
        timestamp,
        model_id,
        dataset,
    )


def log_metrics(
    metrics: dict[str, float],
    step: int | None = None,
    synchronous: bool | None = None,
    run_id: str | None = None,
    timestamp: int | None = None,
    model_id: str | None = None,
    dataset: Any = None,
) -> None:
    """Log values of metrics of a run, with the arguments of :func:`log_metric`."""
    _synchronous("log_metrics", synchronous)
    if dataset is not None:
        _stores.refuse("log_metrics", "dataset", "it keeps no data sets")
    client, run_id = _started(run_id)
    now = int(time.time() * 1000) if timestamp is None else timestamp
    rows = [_metric(key, value, now, step, model_id) for key, value in metrics.items()]
    client._ask("log_batch", id=run_id, metrics=rows, params=[], tags=[])


def set_tag(key: str, value: Any, synchronous: bool | None = None) -> None:
    """Set a tag of the active run."""
    set_tags({key: value}, synchronous)


def set_tags(tags: dict[str, Any], synchronous: bool | None = None) -> None:
    """Set tags of the active run."""
    _synchronous("set_tags", synchronous)
    client, run_id = _started()
    client._ask("log_batch", id=run_id, metrics=[], params=[], tags=_stores.pairs(tags))


def delete_tag(key: str) -> None:
    """Delete a tag of the active run."""
    client, run_id = _started()
    client.delete_tag(run_id, key)


def log_artifact(
    local_path: str, artifact_path: str | None = None, run_id: str | None = None
) -> None:
    """Copy a file or a folder to the artifacts of a run, under its own name in ``artifact_path``."""
    client, run_id = _started(run_id)
    client.log_artifact(run_id, local_path, artifact_path)


def log_artifacts(
    local_dir: str, artifact_path: str | None = None, run_id: str | None = None
) -> None:
    """Copy what is in a folder to the artifacts of a run."""
    client, run_id = _started(run_id)
    client.log_artifacts(run_id, local_dir, artifact_path)


def log_text(text: str, artifact_file: str, run_id: str | None = None) -> None:
    """Write a text as an artifact of a run, in UTF-8."""
    client, run_id = _started(run_id)
    client.log_text(run_id, text, artifact_file)


def log_dict(dictionary: dict[str, Any], artifact_file: str, run_id: str | None = None) -> None:
    """Write a dict as an artifact of a run, in JSON (which is YAML too)."""
    client, run_id = _started(run_id)
    client.log_dict(run_id, dictionary, artifact_file)


def get_artifact_uri(artifact_path: str | None = None) -> str:
    """Give the place of the active run's artifacts, or of one of them: a path or a URI."""
    client, run_id = _started()
    root = client.get_run(run_id).info.artifact_uri
    if not artifact_path:
        return root
    _rust.tracking_check_path(artifact_path)
    return f"{root.rstrip('/')}/{artifact_path}"


def log_outputs(models: list[LoggedModelOutput] | None = None) -> None:
    """Say that the active run made these models."""
    client, run_id = _started()
    client.log_outputs(run_id, models or [])


def search_runs(
    experiment_ids: list[str] | None = None,
    filter_string: str = "",
    run_view_type: int = ViewType.ACTIVE_ONLY,
    max_results: int = 100000,
    order_by: list[str] | None = None,
    output_format: Literal["pandas", "list"] = "pandas",
    search_all_experiments: bool = False,
    experiment_names: list[str] | None = None,
) -> list[Run] | pandas.DataFrame:
    """Give the runs that a filter lets through, such as ``"metrics.loss < 0.1 AND params.depth = '3'"``.

    Parameters
    ----------
    experiment_ids, experiment_names : list of str, optional
        Where to look, one of both; default: the experiment that new runs belong to.
    filter_string : str
        Comparisons joined by ``AND``: ``metrics.``, ``params.``, ``tags.`` and ``attributes.`` with
        ``=``, ``!=``, ``<``, ``<=``, ``>``, ``>=``, ``LIKE``, ``ILIKE``, ``IN``, ``IS NULL``.
    run_view_type : int
        ``ViewType.ACTIVE_ONLY``, ``DELETED_ONLY`` or ``ALL``.
    max_results : int
        At most so many.
    order_by : list of str, optional
        Such as ``["metrics.loss ASC", "start_time DESC"]``.
    output_format : {"pandas", "list"}
        A table with one row for each run (pandas must be installed), or a list of :class:`Run`.
    search_all_experiments : bool
        Look into all experiments, where none is named.
    """
    if output_format not in ("pandas", "list"):
        raise _stores.invalid(f"output_format is {output_format!r}; there are: 'pandas', 'list'")
    client = _client()
    if experiment_ids and experiment_names:
        raise _stores.invalid("search_runs: give one of experiment_ids and experiment_names")
    ids = _stores.text_ids(experiment_ids)
    if not ids and experiment_names:
        named = [client.get_experiment_by_name(name) for name in experiment_names]
        ids = [found.experiment_id for found in named if found is not None]
    elif not ids and search_all_experiments:
        ids = [found.experiment_id for found in search_experiments(view_type=ViewType.ALL)]
    elif not ids and experiment_ids is None:
        ids = [_experiment_id()]
    runs: list[Run] = []
    if ids:
        runs = list(
            _all(
                client.search_runs,
                max_results,
                10000,
                experiment_ids=ids,
                filter_string=filter_string,
                run_view_type=run_view_type,
                order_by=order_by,
            )
        )
    return runs if output_format == "list" else _table(runs)


def _table(runs: list[Run]) -> pandas.DataFrame:
    """Make the table of MLflow's ``search_runs``."""
    import pandas

    columns: dict[str, Any] = {
        name: [getattr(run.info, name) for run in runs]
        for name in ("run_id", "experiment_id", "status", "artifact_uri")
    }
    for name in ("start_time", "end_time"):
        times = [getattr(run.info, name) for run in runs]
        columns[name] = pandas.to_datetime(times, unit="ms", utc=True)
    for part, missing in (("metrics", float("nan")), ("params", None), ("tags", None)):
        keys = sorted({key for run in runs for key in getattr(run.data, part)})
        for key in keys:
            columns[f"{part}.{key}"] = [getattr(run.data, part).get(key, missing) for run in runs]
    return pandas.DataFrame(columns)


# Logged models


def initialize_logged_model(
    name: str | None = None,
    source_run_id: str | None = None,
    tags: dict[str, str] | None = None,
    params: dict[str, str] | None = None,
    model_type: str | None = None,
    experiment_id: str | None = None,
) -> LoggedModel:
    """Make a logged model without files; it is ``PENDING`` until :func:`finalize_logged_model`.

    It belongs to ``source_run_id``, or to the active run where there is one.
    """
    run = _local.runs[-1] if _local.runs else None
    if source_run_id is None and run is not None:
        source_run_id = run.info.run_id
    if experiment_id is None:
        experiment_id = run.info.experiment_id if run is not None else _experiment_id()
    client = _client()
    model = client.create_logged_model(experiment_id, name, source_run_id, tags, params, model_type)
    _local.last_model = (client.tracking_uri, model.model_id)
    return model


def finalize_logged_model(
    model_id: str, status: Literal["READY", "FAILED"] | LoggedModelStatus
) -> LoggedModel:
    """Say that a logged model is ``READY`` or ``FAILED``."""
    return _client().finalize_logged_model(model_id, status)


def get_logged_model(model_id: str) -> LoggedModel:
    """Give the logged model with this id."""
    return _client().get_logged_model(model_id)


def last_logged_model() -> LoggedModel | None:
    """Give the model that this thread logged last, or None."""
    if _local.last_model is None:
        return None
    uri, model_id = _local.last_model
    return MlflowClient(uri).get_logged_model(model_id)


def set_logged_model_tags(model_id: str, tags: dict[str, Any]) -> None:
    """Set tags of a logged model."""
    _client().set_logged_model_tags(model_id, tags)


def delete_logged_model_tag(model_id: str, key: str) -> None:
    """Delete a tag of a logged model."""
    _client().delete_logged_model_tag(model_id, key)


def log_model_params(params: dict[str, str], model_id: str | None = None) -> None:
    """Log parameters of a logged model."""
    if model_id is None:
        raise _stores.invalid("log_model_params: give model_id=; nopickle has no active model")
    _client().log_model_params(model_id, params)


def search_logged_models(
    experiment_ids: list[str] | None = None,
    filter_string: str | None = None,
    datasets: list[dict[str, str]] | None = None,
    max_results: int | None = None,
    order_by: list[dict[str, Any]] | None = None,
    output_format: Literal["pandas", "list"] = "pandas",
) -> list[LoggedModel] | pandas.DataFrame:
    """Give the logged models that a filter lets through, such as ``"name = 'iris' AND metrics.acc > 0.9"``."""
    if output_format not in ("pandas", "list"):
        raise _stores.invalid(f"output_format is {output_format!r}; there are: 'pandas', 'list'")
    models = list(
        _all(
            _client().search_logged_models,
            max_results,
            1000 if not _stores.tracking_uri().startswith("http") else 100,
            experiment_ids=_stores.text_ids(experiment_ids) or [_experiment_id()],
            filter_string=filter_string,
            datasets=datasets,
            order_by=order_by,
        )
    )
    if output_format == "list":
        return models
    import pandas

    return pandas.DataFrame([dict(model) for model in models])


# Registered models


def register_model(
    model_uri: str,
    name: str,
    await_registration_for: int = 300,
    *,
    tags: dict[str, Any] | None = None,
    env_pack: Any = None,
) -> ModelVersion:
    """Make a version of a registered model from a model; the registered model is made if it is not there.

    Parameters
    ----------
    model_uri : str
        The model: ``models:/m-...``, ``runs:/<run id>/<name>``, a path or a URI.
    name : str
        The registered model.
    await_registration_for : int
        How long to wait until the version is ready, in seconds; here it is ready at once.
    tags : dict, optional
        Tags of the version.
    env_pack : None
        Not supported.
    """
    if env_pack is not None:
        _stores.refuse("register_model", "env_pack", "it packs no environments")
    client = _client()
    source, run_id, model = _source(client, os.fspath(model_uri))
    if not client._is_registered(name):
        # Another process may make it meanwhile.
        with contextlib.suppress(ResourceExistsError):
            client.create_registered_model(name)
    version = client.create_model_version(
        name,
        source,
        run_id,
        tags,
        await_creation_for=await_registration_for,
        model_id=None if model is None else model.model_id,
    )
    if model is not None:
        there = json.loads(model.tags.get(_VERSIONS) or "[]")
        there.append({"name": version.name, "version": version.version})
        client.set_logged_model_tags(model.model_id, {_VERSIONS: json.dumps(there)})
    return version


def _source(client: MlflowClient, uri: str) -> tuple[str, str | None, LoggedModel | None]:
    """Give where a model is, the run that made it, and the logged model that it is."""
    local, place = client._store.resolve(uri, client._registry)
    if local and not os.path.isdir(place):
        raise ResourceNotFoundError(
            f"{uri}: there is no folder of a model at {place}", "RESOURCE_DOES_NOT_EXIST"
        )
    run_id = None
    scheme, _, rest = uri.partition(":/")
    if scheme == "runs":
        run_id = rest.partition("/")[0]
    # The place of a logged model is <experiment>/models/<model id>/artifacts.
    parts = place.rstrip("/").split("/")
    if len(parts) > 2 and parts[-1] == "artifacts" and parts[-2].startswith("m-"):
        try:
            model = client.get_logged_model(parts[-2])
        except MlflowException:
            return place, run_id, None
        if model.artifact_location.rstrip("/") == place.rstrip("/") or not local:
            return model.model_uri, run_id or model.source_run_id, model
    return place, run_id, None


def search_registered_models(
    max_results: int | None = None,
    filter_string: str | None = None,
    order_by: list[str] | None = None,
) -> list[RegisteredModel]:
    """Give the registered models that a filter lets through, such as ``"name LIKE 'iris%'"``."""
    return list(
        _all(
            _client().search_registered_models,
            max_results,
            100,
            filter_string=filter_string,
            order_by=order_by,
        )
    )


def search_model_versions(
    max_results: int | None = None,
    filter_string: str | None = None,
    order_by: list[str] | None = None,
) -> list[ModelVersion]:
    """Give the versions that a filter lets through, such as ``"name = 'iris'"``."""
    return list(
        _all(
            _client().search_model_versions,
            max_results,
            10000,
            filter_string=filter_string,
            order_by=order_by,
        )
    )


def set_model_version_tag(
    name: str, version: str | None = None, key: str | None = None, value: Any = None
) -> None:
    """Set a tag of a version."""
    _client().set_model_version_tag(name, version, key, value)


# For the flavors


def _staging_folder(logged_model: LoggedModel) -> str:
    """Give the folder to write the files of a model to, while :func:`_log_model_folder` logs it.

    It is on the file system of the artifacts where they are on this machine, so that the files get to
    their place by a rename.
    """
    return _staged[logged_model.model_id]


def _pending(
    client: MlflowClient, asked: dict[str, Any], root: str | None
) -> tuple[LoggedModel, bool]:
    """Give the model that will be logged, and whether the store has it already."""
    if root is None:
        made = client._ask("create_logged_model", **asked)
        return LoggedModel._read(made), True
    # The embedded store has no row before the files are there: only the ID is chosen now.
    model_id = _rust.tracking_new_model_id()
    experiment = client.get_experiment(asked["experiment_id"])
    now = int(time.time() * 1000)
    model = LoggedModel(
        experiment_id=experiment.experiment_id,
        model_id=model_id,
        name=asked["name"] or model_id,
        artifact_location=f"{experiment.artifact_location}/models/{model_id}/artifacts",
        creation_timestamp=now,
        last_updated_timestamp=now,
        model_type=asked["model_type"],
        source_run_id=asked["source_run_id"],
        status=LoggedModelStatus.PENDING,
        tags={tag["key"]: tag["value"] for tag in asked["tags"]},
        params={param["key"]: param["value"] for param in asked["params"]},
    )
    return model, False


def _log_model_folder(
    folder: str | os.PathLike[str] | None,
    *,
    name: str | None,
    run_id: str | None = None,
    model_id: str | None = None,
    params: dict[str, Any] | None = None,
    tags: dict[str, Any] | None = None,
    model_type: str | None = None,
    step: int = 0,
    registered_model_name: str | None = None,
    fill: Callable[[LoggedModel], None] | None = None,
) -> tuple[LoggedModel, ModelVersion | None]:
    """Log a folder as a model: of the run ``run_id``, else of the active run, else of none.

    Parameters
    ----------
    folder : path or None
        The files of the model. They are copied; None: ``fill`` writes them to :func:`_staging_folder`,
        from where they are moved.
    name, params, tags, model_type
        What is kept with the model.
    run_id, step
        The run that made it, and at which step.
    model_id : str, optional
        A logged model that is there and ``PENDING`` (of :func:`initialize_logged_model`), which gets
        the files and becomes ``READY``; then name, params, tags and model_type are its own.
    registered_model_name : str, optional
        The registered model that gets a version of it.
    fill : callable, optional
        Called with the logged model (its id, run and ``artifact_location`` are known), before the files
        get to their place.

    Returns
    -------
    tuple
        The logged model, and the version of the registered model or None.

    Where anything fails, the staged files are removed and the model is ``FAILED``; a process that is
    killed leaves no row of the model in an embedded store.
    """
    active = _local.runs[-1] if _local.runs else None
    if run_id is None and active is not None:
        run_id = active.info.run_id
        client, _ = _started()
    else:
        client = _client()
    store = client._store
    root = store.artifact_root()
    existing = model_id is not None
    if model_id is not None:
        model = client.get_logged_model(model_id)
        if model.status == LoggedModelStatus.READY:
            raise _stores.invalid(f"logged model {model_id} is READY: its files don't change")
        made = True
    else:
        experiment = client.get_run(run_id).info.experiment_id if run_id else _experiment_id()
        asked: dict[str, Any] = {
            "experiment_id": experiment,
            "name": name,
            "source_run_id": run_id,
            "model_type": model_type,
            "params": _stores.pairs(params),
            "tags": _stores.pairs(tags),
        }
        model, made = _pending(client, asked, root)
    staging = store.staging() or tempfile.mkdtemp(prefix="nopickle-")
    _staged[model.model_id] = staging
    try:
        if folder is not None:
            # A copy, so that fill does not change the caller's files.
            store.upload(staging, "", os.fspath(folder), client._registry)
        if fill is not None:
            _write(fill, model, staging)
        local, place = store.resolve(model.artifact_location, client._registry)
        if local and root is not None:
            _rust.tracking_publish(staging, place)
        else:
            store.upload(model.artifact_location, "", staging, client._registry)
        if made:
            client._ask("finalize_logged_model", id=model.model_id, status="READY")
            if run_id is not None:
                output = {"model_id": model.model_id, "step": step}
                client._ask("log_outputs", id=run_id, models=[output])
        else:
            row = {**asked, "model_id": model.model_id, "status": "READY"}
            if run_id is not None:
                row["step"] = step
            client._ask("create_logged_model", **row)
    except BaseException:
        _failed(client, model, made, None if existing else asked)
        raise
    finally:
        del _staged[model.model_id]
        shutil.rmtree(staging, ignore_errors=True)
    model = client.get_logged_model(model.model_id)
    _local.last_model = (client.tracking_uri, model.model_id)
    version = None
    if registered_model_name is not None:
        version = register_model(model.model_uri, registered_model_name)
    return model, version


def _write(fill: Callable[[LoggedModel], None], model: LoggedModel, staging: str) -> None:
    """Let ``fill`` write the files of a model; a disk that takes none is a StoreError."""
    try:
        fill(model)
    except OSError as error:
        if isinstance(error, MlflowException) or error.errno not in _UNWRITABLE:
            raise
        told = StoreError(f"the model can't be written to {staging}: {error}")
        told.errno = error.errno
        raise told from error


def _failed(
    client: MlflowClient, model: LoggedModel, made: bool, asked: dict[str, Any] | None
) -> None:
    """Say that a model could not be logged; where that can't be said either, the first reason counts."""
    with contextlib.suppress(MlflowException):
        if made:
            client._ask("finalize_logged_model", id=model.model_id, status="FAILED")
        elif asked is not None:
            client._ask("create_logged_model", **asked, model_id=model.model_id, status="FAILED")


def _local_folder(uri: str | os.PathLike[str], dst_path: str | None = None) -> str:
    """Give the path of a model or an artifact that any URI names.

    What is on this machine is not copied, unless ``dst_path`` is given. Anything else is downloaded to
    ``dst_path``, or to a new folder that only this user can read.
    """
    from nopickle.artifacts import _fetch

    return _fetch(os.fspath(uri), "", dst_path, None, None)
