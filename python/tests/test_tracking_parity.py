"""The names, arguments and defaults of MLflow's functions, held equal by ``inspect.signature``."""

from __future__ import annotations

import inspect
from typing import Any

import pytest

import nopickle
from nopickle import tracking
from nopickle.client import MlflowClient
from nopickle.entities import (
    Experiment,
    LoggedModel,
    ModelVersion,
    RegisteredModel,
    RunData,
    RunInfo,
)

mlflow = pytest.importorskip("mlflow")


def _arguments(function: Any) -> list[tuple[str, Any, Any]]:
    """Give name, kind and default of each argument."""
    return [
        (one.name, one.kind, one.default) for one in inspect.signature(function).parameters.values()
    ]


@pytest.mark.parametrize("name", [name for name in tracking.__all__ if name != "ActiveRun"])
def test_a_fluent_function_takes_what_mlflows_takes(name: str) -> None:
    assert _arguments(getattr(nopickle, name)) == _arguments(getattr(mlflow, name))


@pytest.mark.parametrize("name", ["download_artifacts", "list_artifacts", "load_text", "load_dict"])
def test_an_artifact_function_takes_what_mlflows_takes(name: str) -> None:
    assert _arguments(getattr(nopickle.artifacts, name)) == _arguments(
        getattr(mlflow.artifacts, name)
    )


@pytest.mark.parametrize(
    "name",
    sorted(
        name
        for name, value in vars(MlflowClient).items()
        if inspect.isfunction(value) and (not name.startswith("_") or name == "__init__")
    ),
)
def test_a_method_of_the_client_takes_what_mlflows_takes(name: str) -> None:
    assert _arguments(getattr(MlflowClient, name)) == _arguments(getattr(mlflow.MlflowClient, name))


@pytest.mark.parametrize(
    ("ours", "theirs", "lacks"),
    [
        (RunInfo, mlflow.entities.RunInfo, set()),
        (RunData, mlflow.entities.RunData, set()),
        (
            Experiment,
            mlflow.entities.Experiment,
            {"effective_trace_archival_retention", "trace_location", "workspace"},
        ),
        (LoggedModel, mlflow.entities.LoggedModel, set()),
        (
            ModelVersion,
            mlflow.entities.model_registry.ModelVersion,
            {"deployment_job_state", "metrics", "params", "workspace"},
        ),
        (
            RegisteredModel,
            mlflow.entities.model_registry.RegisteredModel,
            {"deployment_job_id", "deployment_job_state", "workspace"},
        ),
    ],
)
def test_what_is_answered_has_mlflows_attributes(ours: type, theirs: type, lacks: set[str]) -> None:
    def properties(kind: type) -> set[str]:
        return {
            name
            for name, value in inspect.getmembers(kind)
            if isinstance(value, property) and not name.startswith("_")
        }

    wanted = properties(theirs) - lacks
    have = set(getattr(ours, "__dataclass_fields__", ())) | properties(ours)
    assert wanted <= have, sorted(wanted - have)
