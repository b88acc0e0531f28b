"""Let the installed MLflow save, verify and load scikit-learn models through nopickle.

    import nopickle.mlflow
    nopickle.mlflow.install()

From then on ``mlflow.sklearn`` of this process writes skops files with nopickle, finds their
requirements without a child process, and loads them by nopickle's rules: names are decided here,
values are verified, and ``MLFLOW_ALLOW_PICKLE_DESERIALIZATION=false`` refuses pickles only.
``mlflow.pyfunc`` loads such models through the same functions. Where :mod:`nopickle.guard` refuses what
a model's pickle asks for, ``mlflow.pyfunc.load_model`` says so with an ``MlflowException``.
"""

from __future__ import annotations

import functools
import logging
import os
from typing import TYPE_CHECKING, Any

from nopickle import _environment, _load, _rust, exceptions
from nopickle import sklearn as _sklearn

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["TESTED_VERSIONS", "install", "is_installed", "uninstall"]

TESTED_VERSIONS = ("3.17",)
"""The minor versions of MLflow that this release was tested with."""

_logger = logging.getLogger("nopickle")

# What was there before: module, name, value.
_replaced: list[tuple[Any, str, Any]] = []


def is_installed() -> bool:
    """Return whether MLflow's functions are replaced in this process."""
    return bool(_replaced)


def install() -> None:
    """Make the installed MLflow use nopickle for scikit-learn models, in this process.

    A second call does nothing. :func:`uninstall` takes it back.

    Raises
    ------
    ImportError
        If MLflow is not installed.
    nopickle.exceptions.UnsupportedModelError
        If its version is not one of :data:`TESTED_VERSIONS`.
    """
    if _replaced:
        return
    import mlflow
    import mlflow.models
    import mlflow.pyfunc
    import mlflow.sklearn as flavor

    if mlflow.__version__.rsplit(".", 1)[0] not in TESTED_VERSIONS:
        raise exceptions.UnsupportedModelError(
            f"nopickle.mlflow was tested with MLflow {', '.join(TESTED_VERSIONS)} and this is "
            f"{mlflow.__version__}: nothing was changed. Install one of these, or use nopickle.sklearn."
        )
    _replace(flavor, "_save_model", _save_model)
    _replace(flavor, "_load_model_from_local_file", _load_model)
    _replace(flavor, "save_model", _save_folder)
    _replace(mlflow.models, "infer_pip_requirements", _infer_requirements)
    _replace(mlflow.pyfunc, "load_model", _load_pyfunc)


def uninstall() -> None:
    """Give MLflow its own functions back."""
    while _replaced:
        module, name, value = _replaced.pop()
        setattr(module, name, value)


def _replace(module: Any, name: str, wrap: Callable[[Any], Any]) -> None:
    original = getattr(module, name)
    _replaced.append((module, name, original))
    setattr(module, name, functools.wraps(original)(wrap(original)))


def _raise_as_mlflow(error: Exception) -> None:
    """Raise an error of nopickle as MLflow's own exception, which its callers expect."""
    from mlflow.exceptions import MlflowException

    raise MlflowException.invalid_parameter_value(str(error)) from error


def _refusal(error: BaseException) -> exceptions.RefusedPickleError | None:
    """Return the guard's refusal that an error was made of, if it was."""
    seen: set[int] = set()
    todo: BaseException | None = error
    while todo is not None and id(todo) not in seen:
        if isinstance(todo, exceptions.RefusedPickleError):
            return todo
        seen.add(id(todo))
        todo = todo.__cause__ or todo.__context__
    return None


def _load_pyfunc(original: Any) -> Any:
    def load_model(*arguments: Any, **keywords: Any) -> Any:
        try:
            return original(*arguments, **keywords)
        except Exception as error:
            refusal = _refusal(error)
            if refusal is None or refusal is error:
                raise
            # A library on the way made an error of its own of it.
            return _raise_as_mlflow(refusal)

    return load_model


# The names that stock skops needs for the file that was written last, on their way to its `MLmodel`.
_needed: dict[str, list[str]] = {}


def _save_model(original: Any) -> Any:
    def save(
        sk_model: Any, output_path: str, serialization_format: str, skops_trusted_types: Any
    ) -> Any:
        if serialization_format != "skops":
            return original(sk_model, output_path, serialization_format, skops_trusted_types)
        try:
            _, stock = _sklearn._write(sk_model, output_path, "skops", skops_trusted_types)
        except exceptions.NopickleError as error:
            if os.path.exists(output_path):
                os.unlink(output_path)
            _raise_as_mlflow(error)
        _needed[os.path.realpath(os.path.dirname(output_path))] = stock
        return None

    return save


def _save_folder(original: Any) -> Any:
    def save_model(sk_model: Any, path: str, *arguments: Any, **keywords: Any) -> Any:
        from mlflow.models import Model

        # `mlflow_model` is the third argument after `path`.
        positional = arguments[2] if len(arguments) > 2 else None
        model = keywords.get("mlflow_model", positional)
        place = os.path.realpath(path)
        try:
            original(sk_model, path, *arguments, **keywords)
            stock = _needed.get(place)
        finally:
            _needed.pop(place, None)
        if not stock:
            return
        file = os.path.join(path, "MLmodel")
        if model is None:
            model = Model.load(file)
        section = model.flavors["sklearn"]
        section["skops_trusted_types"] = sorted({*(section["skops_trusted_types"] or ()), *stock})
        model.save(file)

    return save_model


def _load_model(original: Any) -> Any:
    def load(path: str, serialization_format: str, skops_trusted_types: Any = None) -> Any:
        if serialization_format != "skops":
            return original(path, serialization_format, skops_trusted_types)
        folder, entry = os.path.split(path)
        try:
            return _load.load_entry(folder, entry, skops_trusted_types or ())
        except exceptions.NopickleError as error:
            return _raise_as_mlflow(error)

    return load


def _infer_requirements(original: Any) -> Any:
    def infer_pip_requirements(
        model_uri: str, flavor: str, fallback: Any = None, *arguments: Any, **keywords: Any
    ) -> Any:
        if flavor != "sklearn" or not str(model_uri).endswith(".skops"):
            return original(model_uri, flavor, fallback, *arguments, **keywords)
        names, _ = _rust.skops_names(str(model_uri))
        return sorted({*_environment.infer_requirements(names), *(fallback or ())})

    return infer_pip_requirements
