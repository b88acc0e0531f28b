"""Machine-learning models that are safe to pass around, without pickle.

``import nopickle as mlflow`` gives MLflow's functions: runs, logged models and registered models
(:mod:`nopickle.tracking`) on an embedded store or an MLflow tracking server, the flavors
:mod:`nopickle.sklearn`, :mod:`nopickle.lightgbm` and :mod:`nopickle.xgboost`, and
:mod:`nopickle.pyfunc`. ``nopickle.skops`` has the functions of ``skops.io``.

Names in a model are trusted by whoever loads it, and values are verified before native code sees them.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from nopickle._rust import Policy, __version__

if TYPE_CHECKING:
    from nopickle import (
        artifacts,
        catboost,
        client,
        entities,
        exceptions,
        guard,
        lightgbm,
        mlflow,
        models,
        pyfunc,
        signing,
        sklearn,
        skops,
        tracking,
        types,
        xgboost,
    )
    from nopickle.client import MlflowClient
    from nopickle.exceptions import MlflowException
    from nopickle.tracking import (
        ActiveRun,
        active_run,
        create_experiment,
        delete_experiment,
        delete_experiment_tag,
        delete_logged_model_tag,
        delete_run,
        delete_tag,
        end_run,
        finalize_logged_model,
        get_artifact_uri,
        get_experiment,
        get_experiment_by_name,
        get_logged_model,
        get_parent_run,
        get_registry_uri,
        get_run,
        get_tracking_uri,
        initialize_logged_model,
        is_tracking_uri_set,
        last_active_run,
        last_logged_model,
        log_artifact,
        log_artifacts,
        log_dict,
        log_metric,
        log_metrics,
        log_model_params,
        log_outputs,
        log_param,
        log_params,
        log_text,
        register_model,
        search_experiments,
        search_logged_models,
        search_model_versions,
        search_registered_models,
        search_runs,
        set_experiment,
        set_experiment_tag,
        set_experiment_tags,
        set_logged_model_tags,
        set_model_version_tag,
        set_registry_uri,
        set_tag,
        set_tags,
        set_tracking_uri,
        start_run,
    )

_MODULES = (
    "artifacts",
    "catboost",
    "client",
    "entities",
    "exceptions",
    "guard",
    "lightgbm",
    "mlflow",
    "models",
    "pyfunc",
    "signing",
    "sklearn",
    "skops",
    "tracking",
    "types",
    "xgboost",
)
_TRACKING = (
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
)

__all__ = [
    "ActiveRun",
    "MlflowClient",
    "MlflowException",
    "Policy",
    "__version__",
    "active_run",
    "artifacts",
    "catboost",
    "client",
    "create_experiment",
    "delete_experiment",
    "delete_experiment_tag",
    "delete_logged_model_tag",
    "delete_run",
    "delete_tag",
    "end_run",
    "entities",
    "exceptions",
    "finalize_logged_model",
    "get_artifact_uri",
    "get_experiment",
    "get_experiment_by_name",
    "get_logged_model",
    "get_parent_run",
    "get_registry_uri",
    "get_run",
    "get_tracking_uri",
    "guard",
    "initialize_logged_model",
    "is_tracking_uri_set",
    "last_active_run",
    "last_logged_model",
    "lightgbm",
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
    "mlflow",
    "models",
    "pyfunc",
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
    "signing",
    "sklearn",
    "skops",
    "start_run",
    "tracking",
    "types",
    "xgboost",
]


def __getattr__(name: str) -> Any:
    # Each module when it is first asked for: importing nopickle costs next to nothing.
    if name in _MODULES:
        value: Any = importlib.import_module(f"nopickle.{name}")
    elif name in _TRACKING:
        value = getattr(importlib.import_module("nopickle.tracking"), name)
    elif name == "MlflowClient":
        value = importlib.import_module("nopickle.client").MlflowClient
    elif name == "MlflowException":
        value = importlib.import_module("nopickle.exceptions").MlflowException
    else:
        raise AttributeError(f"module 'nopickle' has no attribute {name!r}")
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
