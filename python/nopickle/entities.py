"""What stores answer with: experiments, runs, metrics, logged models and registered models.

The attributes are those of ``mlflow.entities`` (MLflow 3.17). Objects don't change: to change what a
store holds, ask the store. Times are milliseconds since 1970.
"""

from __future__ import annotations

import enum
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = [
    "Experiment",
    "ExperimentTag",
    "FileInfo",
    "LifecycleStage",
    "LoggedModel",
    "LoggedModelOutput",
    "LoggedModelStatus",
    "Metric",
    "ModelVersion",
    "PagedList",
    "Param",
    "RegisteredModel",
    "Run",
    "RunData",
    "RunInfo",
    "RunInputs",
    "RunOutputs",
    "RunStatus",
    "RunTag",
    "SourceType",
    "ViewType",
]

Item = TypeVar("Item")


class PagedList(list[Item]):
    """A page of what a search found; ``token`` asks for the next one, and is None at the end."""

    def __init__(self, items: Iterable[Item], token: str | None) -> None:
        super().__init__(items)
        self.token = token


class ViewType:
    """Which experiments or runs a search looks at."""

    ACTIVE_ONLY = 1
    DELETED_ONLY = 2
    ALL = 3

    @staticmethod
    def _name(view: int | str) -> str:
        names = {1: "ACTIVE_ONLY", 2: "DELETED_ONLY", 3: "ALL"}
        if view in names.values():
            return str(view)
        if not isinstance(view, int) or view not in names:
            from nopickle.exceptions import InvalidArgumentError

            raise InvalidArgumentError(
                f"invalid view {view!r}; there are: ViewType.ACTIVE_ONLY, DELETED_ONLY, ALL",
                "INVALID_PARAMETER_VALUE",
            )
        return names[view]


class LifecycleStage:
    """Whether a thing is there or was deleted."""

    ACTIVE = "active"
    DELETED = "deleted"


class SourceType:
    """What started a run."""

    NOTEBOOK = "NOTEBOOK"
    JOB = "JOB"
    PROJECT = "PROJECT"
    LOCAL = "LOCAL"
    UNKNOWN = "UNKNOWN"


class RunStatus:
    """What a run does; ``RunInfo.status`` is the name."""

    RUNNING = 1
    SCHEDULED = 2
    FINISHED = 3
    FAILED = 4
    KILLED = 5

    _NAMES = ("RUNNING", "SCHEDULED", "FINISHED", "FAILED", "KILLED")

    @staticmethod
    def to_string(status: int) -> str:
        """Give the name of a status."""
        return RunStatus._NAMES[status - 1]

    @staticmethod
    def from_string(status_str: str) -> int:
        """Give the status with this name."""
        return RunStatus._NAMES.index(status_str) + 1

    @staticmethod
    def is_terminated(status: int) -> bool:
        """Say whether a run with this status has ended."""
        return status >= RunStatus.FINISHED


class LoggedModelStatus(str, enum.Enum):
    """How far a logged model is."""

    UNSPECIFIED = "UNSPECIFIED"
    PENDING = "PENDING"
    READY = "READY"
    FAILED = "FAILED"

    def __str__(self) -> str:
        return self.value

    @classmethod
    def _read(cls, word: str) -> LoggedModelStatus:
        return {
            "LOGGED_MODEL_PENDING": cls.PENDING,
            "LOGGED_MODEL_READY": cls.READY,
            "LOGGED_MODEL_UPLOAD_FAILED": cls.FAILED,
        }.get(word, cls.UNSPECIFIED)


class _Entity:
    """What can be looped over as pairs of name and value, as MLflow's entities can."""

    def __iter__(self) -> Any:
        return iter((name, getattr(self, name)) for name in self.__dataclass_fields__)  # type: ignore[attr-defined]

    def to_dictionary(self) -> dict[str, Any]:
        """Give the attributes as a dict."""
        return asdict(self)  # type: ignore[call-overload]


@dataclass(frozen=True)
class Metric(_Entity):
    """One value of a metric."""

    key: str
    value: float
    timestamp: int
    step: int
    model_id: str | None = None
    dataset_name: str | None = None
    dataset_digest: str | None = None
    run_id: str | None = None

    @classmethod
    def _read(cls, answer: dict[str, Any]) -> Metric:
        return cls(
            key=answer["key"],
            value=float(answer["value"]),
            timestamp=answer["timestamp"],
            step=answer["step"],
            model_id=answer.get("model_id"),
            dataset_name=answer.get("dataset_name"),
            dataset_digest=answer.get("dataset_digest"),
            run_id=answer.get("run_id"),
        )


@dataclass(frozen=True)
class Param(_Entity):
    """A parameter: a name and a text that does not change."""

    key: str
    value: str


@dataclass(frozen=True)
class RunTag(_Entity):
    """A tag of a run."""

    key: str
    value: str


@dataclass(frozen=True)
class ExperimentTag(_Entity):
    """A tag of an experiment."""

    key: str
    value: str


def _pairs(pairs: list[dict[str, str]]) -> dict[str, str]:
    return {pair["key"]: pair["value"] for pair in pairs}


@dataclass(frozen=True)
class Experiment(_Entity):
    """A group of runs."""

    experiment_id: str
    name: str
    artifact_location: str
    lifecycle_stage: str
    tags: dict[str, str] = field(default_factory=dict)
    creation_time: int | None = None
    last_update_time: int | None = None

    @classmethod
    def _read(cls, answer: dict[str, Any]) -> Experiment:
        return cls(
            experiment_id=answer["experiment_id"],
            name=answer["name"],
            artifact_location=answer["artifact_location"],
            lifecycle_stage=answer["lifecycle_stage"],
            tags=_pairs(answer["tags"]),
            creation_time=answer["creation_time"],
            last_update_time=answer["last_update_time"],
        )


@dataclass(frozen=True)
class RunInfo(_Entity):
    """Which run it is, and how far."""

    run_id: str
    experiment_id: str
    user_id: str
    status: str
    start_time: int
    end_time: int | None
    lifecycle_stage: str
    artifact_uri: str
    run_name: str


@dataclass(frozen=True)
class RunData(_Entity):
    """What a run logged: the latest value of each metric, parameters, tags."""

    metrics: dict[str, float] = field(default_factory=dict)
    params: dict[str, str] = field(default_factory=dict)
    tags: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class RunInputs(_Entity):
    """What a run read; nopickle keeps no data sets, so both lists are empty."""

    dataset_inputs: list[Any] = field(default_factory=list)
    model_inputs: list[Any] = field(default_factory=list)


@dataclass(frozen=True)
class LoggedModelOutput(_Entity):
    """A model that a run made."""

    model_id: str
    step: int = 0


@dataclass(frozen=True)
class RunOutputs(_Entity):
    """What a run made."""

    model_outputs: list[LoggedModelOutput] = field(default_factory=list)


@dataclass(frozen=True)
class Run(_Entity):
    """A run."""

    info: RunInfo
    data: RunData = field(default_factory=RunData)
    inputs: RunInputs = field(default_factory=RunInputs)
    outputs: RunOutputs = field(default_factory=RunOutputs)

    @classmethod
    def _read(cls, answer: dict[str, Any]) -> Run:
        data = answer["data"]
        return cls(
            info=RunInfo(**answer["info"]),
            data=RunData(
                metrics={metric["key"]: float(metric["value"]) for metric in data["metrics"]},
                params=_pairs(data["params"]),
                tags=_pairs(data["tags"]),
            ),
            outputs=RunOutputs(
                [LoggedModelOutput(**output) for output in answer["outputs"]["model_outputs"]]
            ),
        )


@dataclass(frozen=True)
class LoggedModel(_Entity):
    """A model that was logged."""

    experiment_id: str
    model_id: str
    name: str
    artifact_location: str
    creation_timestamp: int
    last_updated_timestamp: int
    model_type: str | None = None
    source_run_id: str | None = None
    status: LoggedModelStatus = LoggedModelStatus.READY
    status_message: str | None = None
    tags: dict[str, str] = field(default_factory=dict)
    params: dict[str, str] = field(default_factory=dict)
    metrics: list[Metric] | None = None

    @property
    def model_uri(self) -> str:
        """``models:/<model_id>``, which loads it."""
        return f"models:/{self.model_id}"

    @classmethod
    def _read(cls, answer: dict[str, Any]) -> LoggedModel:
        info, data = answer["info"], answer["data"]
        return cls(
            experiment_id=info["experiment_id"],
            model_id=info["model_id"],
            name=info["name"],
            artifact_location=info["artifact_uri"],
            creation_timestamp=info["creation_timestamp_ms"],
            last_updated_timestamp=info["last_updated_timestamp_ms"],
            model_type=info["model_type"],
            source_run_id=info["source_run_id"],
            status=LoggedModelStatus._read(info["status"]),
            status_message=info["status_message"],
            tags=_pairs(info["tags"]),
            params=_pairs(data["params"]),
            metrics=[Metric._read(metric) for metric in data["metrics"]],
        )


@dataclass(frozen=True)
class ModelVersion(_Entity):
    """A version of a registered model."""

    name: str
    version: str
    creation_timestamp: int
    last_updated_timestamp: int | None = None
    description: str | None = None
    user_id: str | None = None
    current_stage: str | None = None
    source: str | None = None
    run_id: str | None = None
    status: str = "READY"
    status_message: str | None = None
    tags: dict[str, str] = field(default_factory=dict)
    run_link: str | None = None
    aliases: list[str] = field(default_factory=list)
    model_id: str | None = None

    @classmethod
    def _read(cls, answer: dict[str, Any]) -> ModelVersion:
        source, model_id = answer["source"], answer["model_id"]
        if model_id is None and source.startswith("models:/m-"):
            # What MLflow's server keeps of a logged model is where the version came from.
            model_id = source.removeprefix("models:/")
        return cls(**{**answer, "tags": _pairs(answer["tags"]), "model_id": model_id})


@dataclass(frozen=True)
class RegisteredModel(_Entity):
    """A registered model: a name with versions and aliases."""

    name: str
    creation_timestamp: int
    last_updated_timestamp: int | None = None
    description: str | None = None
    latest_versions: list[ModelVersion] = field(default_factory=list)
    tags: dict[str, str] = field(default_factory=dict)
    aliases: dict[str, str] = field(default_factory=dict)

    @classmethod
    def _read(cls, answer: dict[str, Any]) -> RegisteredModel:
        return cls(
            **{
                **answer,
                "tags": _pairs(answer["tags"]),
                "aliases": {alias["alias"]: alias["version"] for alias in answer["aliases"]},
                "latest_versions": [ModelVersion._read(one) for one in answer["latest_versions"]],
            }
        )


@dataclass(frozen=True)
class FileInfo(_Entity):
    """A file or a folder of artifacts; ``path`` is from the root of the run's or the model's."""

    path: str
    is_dir: bool
    file_size: int | None
