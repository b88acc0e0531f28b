"""``MlflowClient``: the methods and arguments of ``mlflow.MlflowClient``, on any store of nopickle."""

from __future__ import annotations

import getpass
import json
import os
import tempfile
import time
from typing import TYPE_CHECKING, Any

from nopickle import _stores
from nopickle.entities import (
    Experiment,
    FileInfo,
    LoggedModel,
    LoggedModelOutput,
    LoggedModelStatus,
    Metric,
    ModelVersion,
    PagedList,
    Param,
    RegisteredModel,
    Run,
    RunTag,
    ViewType,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from nopickle._rust import TrackingStore

__all__ = ["MlflowClient"]

_STATUSES = ("RUNNING", "SCHEDULED", "FINISHED", "FAILED", "KILLED")


def _now() -> int:
    return int(time.time() * 1000)


def _user() -> str:
    try:
        return getpass.getuser()
    except (ImportError, KeyError, OSError):
        return "unknown"


def _number(key: str, value: Any) -> float:
    """Give the value of a metric as a float: a number, or an array or a tensor with one item."""
    try:
        return float(value.item() if hasattr(value, "item") else value)
    except (TypeError, ValueError) as error:
        raise _stores.invalid(
            f"the value of metric {key!r} is {value!r}; a metric is a number"
        ) from error


def _metric(
    key: str,
    value: Any,
    timestamp: int | None = None,
    step: int | None = None,
    model_id: str | None = None,
) -> dict[str, Any]:
    return {
        "key": str(key),
        "value": _number(key, value),
        "timestamp": _now() if timestamp is None else int(timestamp),
        "step": 0 if step is None else int(step),
        "model_id": model_id,
    }


def _synchronous(function: str, synchronous: bool | None) -> None:
    if synchronous is False:
        _stores.refuse(function, "synchronous", "everything is logged before the call returns")


class MlflowClient:
    """Asks a store of runs and one of registered models.

    Parameters
    ----------
    tracking_uri : str, optional
        The store of runs; default: what :func:`nopickle.get_tracking_uri` says.
    registry_uri : str, optional
        The store of registered models; default: what :func:`nopickle.get_registry_uri` says, or
        ``tracking_uri`` where that is given.
    workspace_store_uri : None
        Not supported.
    """

    def __init__(
        self,
        tracking_uri: str | None = None,
        registry_uri: str | None = None,
        workspace_store_uri: str | None = None,
    ) -> None:
        if workspace_store_uri is not None:
            _stores.refuse("MlflowClient", "workspace_store_uri", "it has no workspaces")
        self._tracking_uri = os.fspath(tracking_uri or _stores.tracking_uri())
        if registry_uri is None:
            registry_uri = tracking_uri if tracking_uri else _stores.registry_uri()
        self._registry_uri = os.fspath(registry_uri)

    def __repr__(self) -> str:
        from nopickle._rust import tracking_redact

        return f"MlflowClient({tracking_redact(self._tracking_uri)!r})"

    @property
    def tracking_uri(self) -> str:
        """The URI of the store of runs."""
        return self._tracking_uri

    @property
    def _store(self) -> TrackingStore:
        return _stores.at(self._tracking_uri)

    @property
    def _registry(self) -> TrackingStore:
        return _stores.at(self._registry_uri)

    def _ask(self, method: str, **arguments: Any) -> Any:
        return self._store.call(method, arguments)

    def _ask_registry(self, method: str, **arguments: Any) -> Any:
        return self._registry.call(method, arguments)

    # Experiments

    def create_experiment(
        self,
        name: str,
        artifact_location: str | None = None,
        tags: dict[str, Any] | None = None,
    ) -> str:
        """Make an experiment; gives its id."""
        if artifact_location is not None:
            artifact_location = os.fspath(artifact_location)
        return str(
            self._ask(
                "create_experiment",
                name=name,
                artifact_location=artifact_location,
                tags=_stores.pairs(tags),
            )
        )

    def get_experiment(self, experiment_id: str) -> Experiment:
        """Give the experiment with this id."""
        return Experiment._read(self._ask("experiment", id=str(experiment_id)))

    def get_experiment_by_name(self, name: str) -> Experiment | None:
        """Give the experiment with this name, or None; a deleted one is given too."""
        answer = self._ask("experiment_by_name", name=name)
        return None if answer is None else Experiment._read(answer)

    def rename_experiment(self, experiment_id: str, new_name: str) -> None:
        """Give an experiment another name."""
        self._ask("rename_experiment", id=str(experiment_id), name=new_name)

    def delete_experiment(self, experiment_id: str) -> None:
        """Delete an experiment with its runs; :meth:`restore_experiment` brings it back."""
        self._ask("delete_experiment", id=str(experiment_id))

    def restore_experiment(self, experiment_id: str) -> None:
        """Bring a deleted experiment back, with its runs."""
        self._ask("restore_experiment", id=str(experiment_id))

    def set_experiment_tag(self, experiment_id: str, key: str, value: Any) -> None:
        """Set a tag of an experiment."""
        self._ask(
            "set_experiment_tag", id=str(experiment_id), tag={"key": key, "value": str(value)}
        )

    def delete_experiment_tag(self, experiment_id: str, key: str) -> None:
        """Delete a tag of an experiment."""
        self._ask("delete_experiment_tag", id=str(experiment_id), key=key)

    def search_experiments(
        self,
        view_type: int = ViewType.ACTIVE_ONLY,
        max_results: int | None = 1000,
        filter_string: str | None = None,
        order_by: list[str] | None = None,
        page_token: str | None = None,
    ) -> PagedList[Experiment]:
        """Give a page of the experiments that a filter lets through, such as ``"name LIKE 'iris%'"``."""
        page = self._ask(
            "search_experiments",
            filter=filter_string or "",
            order_by=order_by or [],
            max_results=max_results,
            page_token=page_token,
            view=ViewType._name(view_type),
        )
        return PagedList([Experiment._read(one) for one in page["items"]], page["token"])

    # Runs

    def create_run(
        self,
        experiment_id: str,
        start_time: int | None = None,
        tags: dict[str, Any] | None = None,
        run_name: str | None = None,
    ) -> Run:
        """Make a run; nothing is set on it but what is given here."""
        tags = tags or {}
        return Run._read(
            self._ask(
                "create_run",
                experiment_id=str(experiment_id),
                user_id=str(tags.get("mlflow.user", "unknown")),
                start_time=_now() if start_time is None else int(start_time),
                run_name=run_name,
                tags=_stores.pairs(tags),
            )
        )

    def get_run(self, run_id: str) -> Run:
        """Give the run with this id."""
        return Run._read(self._ask("run", id=run_id))

    def get_parent_run(self, run_id: str) -> Run | None:
        """Give the run that this one is nested in, or None."""
        parent = self.get_run(run_id).data.tags.get("mlflow.parentRunId")
        return None if parent is None else self.get_run(parent)

    def update_run(self, run_id: str, status: str | None = None, name: str | None = None) -> None:
        """Change the status or the name of a run."""
        change = {"status": _status(status), "run_name": name}
        self._ask("update_run", id=run_id, change=change)

    def set_terminated(
        self, run_id: str, status: str | None = None, end_time: int | None = None
    ) -> None:
        """End a run."""
        change = {
            "status": _status(status or "FINISHED"),
            "end_time": _now() if end_time is None else int(end_time),
        }
        self._ask("update_run", id=run_id, change=change)

    def delete_run(self, run_id: str) -> None:
        """Delete a run; :meth:`restore_run` brings it back."""
        self._ask("delete_run", id=run_id)

    def restore_run(self, run_id: str) -> None:
        """Bring a deleted run back."""
        self._ask("restore_run", id=run_id)

    def log_batch(
        self,
        run_id: str,
        metrics: Sequence[Metric] = (),
        params: Sequence[Param] = (),
        tags: Sequence[RunTag] = (),
        synchronous: bool | None = None,
    ) -> None:
        """Log metrics, parameters and tags; the embedded store takes all of them or none."""
        _synchronous("log_batch", synchronous)
        self._ask(
            "log_batch",
            id=run_id,
            metrics=[{**_metric(m.key, m.value, m.timestamp, m.step, m.model_id)} for m in metrics],
            params=[{"key": one.key, "value": str(one.value)} for one in params],
            tags=[{"key": one.key, "value": str(one.value)} for one in tags],
        )

    def log_metric(
        self,
        run_id: str,
        key: str,
        value: float,
        timestamp: int | None = None,
        step: int | None = None,
        synchronous: bool | None = None,
        dataset_name: str | None = None,
        dataset_digest: str | None = None,
        model_id: str | None = None,
    ) -> None:
        """Log one value of a metric; not a number and infinities are kept."""
        _synchronous("log_metric", synchronous)
        metric = _metric(key, value, timestamp, step, model_id)
        metric["dataset_name"] = dataset_name
        metric["dataset_digest"] = dataset_digest
        self._ask("log_batch", id=run_id, metrics=[metric], params=[], tags=[])

    def log_param(self, run_id: str, key: str, value: Any, synchronous: bool | None = None) -> Any:
        """Log a parameter; gives the value. One that was logged with another value is an error."""
        _synchronous("log_param", synchronous)
        param = {"key": str(key), "value": str(value)}
        self._ask("log_batch", id=run_id, metrics=[], params=[param], tags=[])
        return value

    def set_tag(self, run_id: str, key: str, value: Any, synchronous: bool | None = None) -> None:
        """Set a tag of a run."""
        _synchronous("set_tag", synchronous)
        tag = {"key": str(key), "value": str(value)}
        self._ask("log_batch", id=run_id, metrics=[], params=[], tags=[tag])

    def delete_tag(self, run_id: str, key: str) -> None:
        """Delete a tag of a run."""
        self._ask("delete_tag", id=run_id, key=key)

    def get_metric_history(self, run_id: str, key: str) -> list[Metric]:
        """Give all values of a metric, in the order of step and time."""
        return [Metric._read(one) for one in self._ask("metric_history", id=run_id, key=key)]

    def search_runs(
        self,
        experiment_ids: list[str],
        filter_string: str = "",
        run_view_type: int = ViewType.ACTIVE_ONLY,
        max_results: int = 1000,
        order_by: list[str] | None = None,
        page_token: str | None = None,
    ) -> PagedList[Run]:
        """Give a page of the runs that a filter lets through, such as ``"metrics.loss < 0.1"``."""
        page = self._ask(
            "search_runs",
            experiment_ids=_stores.text_ids(experiment_ids),
            filter=filter_string or "",
            view=ViewType._name(run_view_type),
            max_results=max_results,
            order_by=order_by or [],
            page_token=page_token,
        )
        return PagedList([Run._read(one) for one in page["items"]], page["token"])

    def log_outputs(self, run_id: str, models: list[LoggedModelOutput]) -> None:
        """Say that a run made these models."""
        outputs = [{"model_id": one.model_id, "step": one.step} for one in models]
        self._ask("log_outputs", id=run_id, models=outputs)

    # Artifacts

    def _upload(self, root: str, path: str | None, local: str | os.PathLike[str]) -> None:
        self._store.upload(root, path or "", os.fspath(local), self._registry)

    def _upload_file(
        self, root: str, local_path: str | os.PathLike[str], artifact_path: str | None
    ) -> None:
        local = os.fspath(local_path)
        name = os.path.basename(os.path.abspath(local))
        self._upload(root, f"{artifact_path}/{name}" if artifact_path else name, local)

    def log_artifact(
        self,
        run_id: str,
        local_path: str | os.PathLike[str],
        artifact_path: str | None = None,
    ) -> None:
        """Copy a file or a folder to the artifacts of a run, under its own name in ``artifact_path``."""
        root = self.get_run(run_id).info.artifact_uri
        self._upload_file(root, local_path, artifact_path)

    def log_artifacts(
        self,
        run_id: str,
        local_dir: str | os.PathLike[str],
        artifact_path: str | None = None,
    ) -> None:
        """Copy what is in a folder to the artifacts of a run."""
        if not os.path.isdir(local_dir):
            raise _stores.invalid(f"{os.fspath(local_dir)!r} is not a folder")
        self._upload(self.get_run(run_id).info.artifact_uri, artifact_path, local_dir)

    def _log_written(self, run_id: str, artifact_file: str, write: Callable[[str], None]) -> None:
        """Let ``write`` make a file, and copy it to the artifacts of a run."""
        from nopickle._rust import tracking_check_path

        tracking_check_path(artifact_file)
        folder, name = os.path.split(artifact_file)
        if not name:
            raise _stores.invalid(f"{artifact_file!r} is the path of a folder, not of a file")
        with tempfile.TemporaryDirectory(prefix="nopickle-") as there:
            path = os.path.join(there, name)
            write(path)
            self.log_artifact(run_id, path, folder or None)

    def log_text(self, run_id: str, text: str, artifact_file: str) -> None:
        """Write a text as an artifact, in UTF-8."""

        def write(path: str) -> None:
            with open(path, "w", encoding="utf-8", newline="") as file:
                file.write(text)

        self._log_written(run_id, artifact_file, write)

    def log_dict(self, run_id: str, dictionary: dict[str, Any], artifact_file: str) -> None:
        """Write a dict as an artifact, in JSON (which is YAML too)."""

        def write(path: str) -> None:
            with open(path, "w", encoding="utf-8") as file:
                json.dump(dictionary, file, indent=2, default=str)

        self._log_written(run_id, artifact_file, write)

    def _list(self, root: str, path: str | None) -> list[FileInfo]:
        found = self._store.list(root, path or "", self._registry)
        prefix = f"{path.rstrip('/')}/" if path else ""
        return [FileInfo(**{**one, "path": prefix + one["path"]}) for one in found]

    def list_artifacts(self, run_id: str, path: str | None = None) -> list[FileInfo]:
        """List the artifacts of a run that are right in a folder."""
        return self._list(self.get_run(run_id).info.artifact_uri, path)

    def download_artifacts(self, run_id: str, path: str, dst_path: str | None = None) -> str:
        """Copy a file or a folder of a run to this machine; gives the path.

        Without ``dst_path``, artifacts that are on this machine are not copied.
        """
        from nopickle.artifacts import download_artifacts

        return download_artifacts(
            run_id=run_id,
            artifact_path=path,
            dst_path=dst_path,
            tracking_uri=self._tracking_uri,
            registry_uri=self._registry_uri,
        )

    # Logged models

    def create_logged_model(
        self,
        experiment_id: str,
        name: str | None = None,
        source_run_id: str | None = None,
        tags: dict[str, str] | None = None,
        params: dict[str, str] | None = None,
        model_type: str | None = None,
    ) -> LoggedModel:
        """Make a logged model without files; it is ``PENDING`` until it is finalized."""
        return LoggedModel._read(
            self._ask(
                "create_logged_model",
                experiment_id=str(experiment_id),
                name=name,
                source_run_id=source_run_id,
                tags=_stores.pairs(tags),
                params=_stores.pairs(params),
                model_type=model_type,
            )
        )

    def get_logged_model(self, model_id: str) -> LoggedModel:
        """Give the logged model with this id."""
        return LoggedModel._read(self._ask("logged_model", id=model_id))

    def finalize_logged_model(self, model_id: str, status: str | LoggedModelStatus) -> LoggedModel:
        """Say that a logged model is ``READY`` or ``FAILED``."""
        word = str(status)
        if word not in ("READY", "FAILED"):
            raise _stores.invalid(f"a logged model ends READY or FAILED, not {word!r}")
        return LoggedModel._read(self._ask("finalize_logged_model", id=model_id, status=word))

    def delete_logged_model(self, model_id: str) -> None:
        """Delete a logged model; its files stay."""
        self._ask("delete_logged_model", id=model_id)

    def set_logged_model_tags(self, model_id: str, tags: dict[str, Any]) -> None:
        """Set tags of a logged model."""
        self._ask("set_logged_model_tags", id=model_id, tags=_stores.pairs(tags))

    def delete_logged_model_tag(self, model_id: str, key: str) -> None:
        """Delete a tag of a logged model."""
        self._ask("delete_logged_model_tag", id=model_id, key=key)

    def log_model_params(self, model_id: str, params: dict[str, str]) -> None:
        """Log parameters of a logged model."""
        self._ask("log_logged_model_params", id=model_id, params=_stores.pairs(params))

    def search_logged_models(
        self,
        experiment_ids: list[str],
        filter_string: str | None = None,
        datasets: list[dict[str, Any]] | None = None,
        max_results: int | None = None,
        order_by: list[dict[str, Any]] | None = None,
        page_token: str | None = None,
    ) -> PagedList[LoggedModel]:
        """Give a page of the logged models that a filter lets through.

        ``order_by`` is a list of dicts such as ``{"field_name": "metrics.acc", "ascending": False}``.
        """
        if datasets:
            _stores.refuse("search_logged_models", "datasets", "it keeps no data sets")
        clauses = []
        for clause in order_by or []:
            unknown = set(clause) - {"field_name", "ascending"}
            if unknown or "field_name" not in clause:
                raise _stores.invalid(
                    f"order_by has {clause!r}; it is a dict of field_name and ascending"
                )
            direction = "ASC" if clause.get("ascending", True) else "DESC"
            clauses.append(f"{clause['field_name']} {direction}")
        page = self._ask(
            "search_logged_models",
            experiment_ids=_stores.text_ids(experiment_ids),
            filter=filter_string or "",
            order_by=clauses,
            max_results=max_results,
            page_token=page_token,
        )
        return PagedList([LoggedModel._read(one) for one in page["items"]], page["token"])

    def log_model_artifact(
        self, model_id: str, local_path: str, artifact_path: str | None = None
    ) -> None:
        """Copy a file to the files of a logged model."""
        root = self.get_logged_model(model_id).artifact_location
        self._upload_file(root, local_path, artifact_path)

    def log_model_artifacts(
        self, model_id: str, local_dir: str, artifact_path: str | None = None
    ) -> None:
        """Copy what is in a folder to the files of a logged model."""
        root = self.get_logged_model(model_id).artifact_location
        self._upload(root, artifact_path, local_dir)

    def list_logged_model_artifacts(self, model_id: str, path: str | None = None) -> list[FileInfo]:
        """List the files of a logged model that are right in a folder."""
        return self._list(self.get_logged_model(model_id).artifact_location, path)

    # Registered models

    def create_registered_model(
        self,
        name: str,
        tags: dict[str, Any] | None = None,
        description: str | None = None,
        deployment_job_id: str | None = None,
    ) -> RegisteredModel:
        """Make a registered model without versions."""
        if deployment_job_id is not None:
            _stores.refuse(
                "create_registered_model", "deployment_job_id", "it has no deployment jobs"
            )
        return RegisteredModel._read(
            self._ask_registry(
                "create_registered_model",
                name=name,
                tags=_stores.pairs(tags),
                description=description,
            )
        )

    def get_registered_model(self, name: str) -> RegisteredModel:
        """Give the registered model with this name."""
        return RegisteredModel._read(self._ask_registry("registered_model", name=name))

    def rename_registered_model(self, name: str, new_name: str) -> RegisteredModel:
        """Give a registered model another name."""
        answer = self._ask_registry("rename_registered_model", name=name, new_name=new_name)
        return RegisteredModel._read(answer)

    def update_registered_model(
        self,
        name: str,
        description: str | None = None,
        deployment_job_id: str | None = None,
    ) -> RegisteredModel:
        """Change the description of a registered model."""
        if deployment_job_id is not None:
            _stores.refuse(
                "update_registered_model", "deployment_job_id", "it has no deployment jobs"
            )
        answer = self._ask_registry("update_registered_model", name=name, description=description)
        return RegisteredModel._read(answer)

    def delete_registered_model(self, name: str) -> None:
        """Delete a registered model with its versions and aliases, for good; files stay."""
        self._ask_registry("delete_registered_model", name=name)

    def search_registered_models(
        self,
        filter_string: str | None = None,
        max_results: int = 100,
        order_by: list[str] | None = None,
        page_token: str | None = None,
    ) -> PagedList[RegisteredModel]:
        """Give a page of the registered models that a filter lets through."""
        page = self._ask_registry(
            "search_registered_models",
            filter=filter_string or "",
            max_results=max_results,
            order_by=order_by or [],
            page_token=page_token,
        )
        return PagedList([RegisteredModel._read(one) for one in page["items"]], page["token"])

    def set_registered_model_tag(self, name: str, key: str, value: Any) -> None:
        """Set a tag of a registered model."""
        tag = {"key": key, "value": str(value)}
        self._ask_registry("set_registered_model_tag", name=name, tag=tag)

    def delete_registered_model_tag(self, name: str, key: str) -> None:
        """Delete a tag of a registered model."""
        self._ask_registry("delete_registered_model_tag", name=name, key=key)

    def set_registered_model_alias(self, name: str, alias: str, version: str) -> None:
        """Let an alias point to a version."""
        self._ask_registry("set_alias", name=name, alias=alias, version=str(version))

    def delete_registered_model_alias(self, name: str, alias: str) -> None:
        """Delete an alias."""
        self._ask_registry("delete_alias", name=name, alias=alias)

    def get_model_version_by_alias(self, name: str, alias: str) -> ModelVersion:
        """Give the version that an alias points to."""
        return ModelVersion._read(self._ask_registry("version_by_alias", name=name, alias=alias))

    def get_latest_versions(self, name: str, stages: list[str] | None = None) -> list[ModelVersion]:
        """Give the newest version of each of these stages, or of every stage."""
        found = self._ask_registry("latest_versions", name=name, stages=stages or [])
        return [ModelVersion._read(one) for one in found]

    def create_model_version(
        self,
        name: str,
        source: str,
        run_id: str | None = None,
        tags: dict[str, Any] | None = None,
        run_link: str | None = None,
        description: str | None = None,
        await_creation_for: int = 300,
        model_id: str | None = None,
    ) -> ModelVersion:
        """Make a version of a registered model; it is ready when this returns."""
        del await_creation_for  # A version is ready at once: there is nothing to wait for.
        return ModelVersion._read(
            self._ask_registry(
                "create_model_version",
                name=name,
                source=os.fspath(source),
                run_id=run_id,
                tags=_stores.pairs(tags),
                run_link=run_link,
                description=description,
                model_id=model_id,
            )
        )

    def copy_model_version(self, src_model_uri: str, dst_name: str) -> ModelVersion:
        """Make a version of ``dst_name`` from one that ``models:/name/version`` names."""
        found = self._registry.registered_version(src_model_uri)
        if found is None:
            raise _stores.invalid(f"{src_model_uri!r} is not models:/<name>/<version>")
        version = self.get_model_version(*found)
        if not self._is_registered(dst_name):
            self.create_registered_model(dst_name)
        return self.create_model_version(
            dst_name,
            source=self.get_model_version_download_uri(version.name, version.version),
            run_id=version.run_id,
            tags=version.tags,
            run_link=version.run_link,
            description=version.description,
            model_id=version.model_id,
        )

    def _is_registered(self, name: str) -> bool:
        from nopickle.exceptions import ResourceNotFoundError

        try:
            self.get_registered_model(name)
        except ResourceNotFoundError:
            return False
        return True

    def get_model_version(self, name: str, version: str) -> ModelVersion:
        """Give a version of a registered model."""
        return ModelVersion._read(
            self._ask_registry("model_version", name=name, version=str(version))
        )

    def get_model_version_download_uri(self, name: str, version: str) -> str:
        """Give the place of a version's files: a path or a URI."""
        return str(self._ask_registry("version_download_uri", name=name, version=str(version)))

    def get_model_version_stages(self, name: str, version: str) -> list[str]:
        """Give the stages that a version can have."""
        del name, version  # The same for all.
        return ["None", "Staging", "Production", "Archived"]

    def update_model_version(
        self, name: str, version: str, description: str | None = None
    ) -> ModelVersion:
        """Change the description of a version."""
        answer = self._ask_registry(
            "update_model_version", name=name, version=str(version), description=description
        )
        return ModelVersion._read(answer)

    def transition_model_version_stage(
        self, name: str, version: str, stage: str, archive_existing_versions: bool = False
    ) -> ModelVersion:
        """Set the stage of a version."""
        answer = self._ask_registry(
            "set_stage",
            name=name,
            version=str(version),
            stage=stage,
            archive=archive_existing_versions,
        )
        return ModelVersion._read(answer)

    def delete_model_version(self, name: str, version: str) -> None:
        """Delete a version, for good; its number is not given again, its files stay."""
        self._ask_registry("delete_model_version", name=name, version=str(version))

    def search_model_versions(
        self,
        filter_string: str | None = None,
        max_results: int = 10000,
        order_by: list[str] | None = None,
        page_token: str | None = None,
    ) -> PagedList[ModelVersion]:
        """Give a page of the versions that a filter lets through, such as ``"name = 'iris'"``."""
        page = self._ask_registry(
            "search_model_versions",
            filter=filter_string or "",
            max_results=max_results,
            order_by=order_by or [],
            page_token=page_token,
        )
        return PagedList([ModelVersion._read(one) for one in page["items"]], page["token"])

    def _version(self, name: str, version: str | None, stage: str | None) -> str:
        if (version is None) == (stage is None):
            raise _stores.invalid("give one of version and stage")
        if version is not None:
            return str(version)
        found = self.get_latest_versions(name, [str(stage)])
        if not found:
            raise _stores.invalid(f"registered model {name!r} has no version in stage {stage!r}")
        return found[0].version

    def set_model_version_tag(
        self,
        name: str,
        version: str | None = None,
        key: str | None = None,
        value: Any = None,
        stage: str | None = None,
    ) -> None:
        """Set a tag of a version, which a number or a stage names."""
        if key is None:
            raise _stores.invalid("the name of a tag is missing: give key=")
        number = self._version(name, version, stage)
        tag = {"key": key, "value": str(value)}
        self._ask_registry("set_version_tag", name=name, version=number, tag=tag)

    def delete_model_version_tag(
        self,
        name: str,
        version: str | None = None,
        key: str | None = None,
        stage: str | None = None,
    ) -> None:
        """Delete a tag of a version, which a number or a stage names."""
        if key is None:
            raise _stores.invalid("the name of a tag is missing: give key=")
        number = self._version(name, version, stage)
        self._ask_registry("delete_version_tag", name=name, version=number, key=key)


def _status(status: str | None) -> str | None:
    if status is not None and status not in _STATUSES:
        raise _stores.invalid(f"invalid status {status!r}; there are: {', '.join(_STATUSES)}")
    return status


def _all(
    search: Callable[..., PagedList[Any]], limit: int | None, page: int, **asked: Any
) -> Iterator[Any]:
    """Give what a search finds, page by page, up to ``limit``."""
    token: str | None = None
    left = limit
    while left is None or left > 0:
        length = page if left is None else min(page, left)
        found = search(max_results=length, page_token=token, **asked)
        yield from found
        if left is not None:
            left -= len(found)
        token = found.token
        if token is None:
            return


def _default_tags(values: Mapping[str, Any] | None) -> dict[str, str]:
    """Give the tags that every run of the fluent functions gets, and those of the user."""
    import sys

    main = getattr(sys.modules.get("__main__"), "__file__", None)
    source = os.path.abspath(main) if main else (sys.argv[0] if sys.argv else "") or "interactive"
    tags = {
        "mlflow.user": _user(),
        "mlflow.source.name": source,
        "mlflow.source.type": "LOCAL",
    }
    tags.update({str(key): str(value) for key, value in (values or {}).items()})
    return tags
