"""Models of any flavor behind one ``predict``, as ``mlflow.pyfunc``.

``load_model`` reads a model folder of MLflow 2 or 3. Which loader a model gets is decided by a table
of known ``loader_module`` names; none is imported because a model names it.
"""

from __future__ import annotations

import inspect
import logging
import os
from typing import TYPE_CHECKING, Any

from nopickle import _environment, _flavors, _load
from nopickle.exceptions import MlflowException, UnsupportedModelError

if TYPE_CHECKING:
    from nopickle._rust import Policy
    from nopickle.models import Model
    from nopickle.types import ParamSchema, Schema

__all__ = ["FLAVOR_NAME", "PyFuncModel", "get_model_dependencies", "load_model"]

FLAVOR_NAME = "python_function"

_logger = logging.getLogger("nopickle")


class PyFuncModel:
    """A loaded model and its metadata; :func:`load_model` makes it.

    Attributes
    ----------
    metadata : nopickle.models.Model
        The content of ``MLmodel``.
    model_id : str or None
        The logged model that this is.
    input_example : object or None
        The example that the model was saved with.
    """

    def __init__(
        self,
        model_meta: Model,
        model_impl: Any,
        predict_fn: str = "predict",
        predict_stream_fn: str | None = None,
        model_id: str | None = None,
    ) -> None:
        if predict_stream_fn is not None:
            raise MlflowException(
                "nopickle does not support predict_stream", "INVALID_PARAMETER_VALUE"
            )
        if not hasattr(model_impl, predict_fn):
            raise MlflowException(f"Model implementation is missing required {predict_fn} method.")
        self._model_meta = model_meta
        self._model_impl = model_impl
        self._predict_fn = getattr(model_impl, predict_fn)
        self.model_id = model_id
        self.input_example: Any = None

    @property
    def metadata(self) -> Model:
        """The content of ``MLmodel``."""
        return self._model_meta

    @property
    def model_config(self) -> dict[str, Any]:
        """The configuration in the ``python_function`` section."""
        config: dict[str, Any] = self._model_meta.flavors[FLAVOR_NAME].get("config") or {}
        return config

    @property
    def loader_module(self) -> str | None:
        """The ``loader_module`` that ``MLmodel`` names."""
        section = self._model_meta.flavors.get(FLAVOR_NAME)
        return None if section is None else section.get("loader_module")

    @property
    def input_schema(self) -> Schema | None:
        """The schema that inputs are checked with."""
        return self._model_meta.get_input_schema()

    @property
    def params_schema(self) -> ParamSchema | None:
        """The schema that ``params`` are checked with."""
        return self._model_meta.get_params_schema()

    def predict(self, data: Any, params: dict[str, Any] | None = None) -> Any:
        """Return the model's predictions.

        Parameters
        ----------
        data : DataFrame, numpy.ndarray, scipy sparse matrix, polars or pyarrow table, dict or list
            The inputs. Where the model has a signature, they are checked with it and brought into its
            order and types first: shape ``(n_rows, n_columns)`` for columns, the tensor's own else.
        params : dict, optional
            Parameters of inference; what the signature does not name is left out with a warning.

        Returns
        -------
        numpy.ndarray, DataFrame, Series or list
            What the model gives.

        Raises
        ------
        nopickle.exceptions.InvalidInputError
            If a column is missing, or a value has a type that would lose data, or a shape is wrong.
        """
        from nopickle.models import _enforce

        schema = self.input_schema
        if schema is not None:
            data = _enforce.enforce_schema(data, schema)
        params = _enforce.enforce_params(params, self.params_schema)
        accepted = inspect.signature(self._predict_fn).parameters.get("params")
        if accepted is not None and accepted.kind is not inspect.Parameter.VAR_KEYWORD:
            return self._predict_fn(data, params=params)
        return self._predict_fn(data)

    def unwrap_python_model(self) -> Any:
        """Return the object of the caller's own class behind a custom Python model.

        Raises
        ------
        MlflowException
            If the model is not a custom Python model.
        """
        model = getattr(self._model_impl, "python_model", None)
        if model is None:
            raise MlflowException("Unable to retrieve base model object from pyfunc.")
        return model

    def get_raw_model(self) -> Any:
        """Return the model of the library that it was made with.

        Raises
        ------
        NotImplementedError
            If the flavor has none.
        """
        if hasattr(self._model_impl, "get_raw_model"):
            return self._model_impl.get_raw_model()
        raise NotImplementedError("`get_raw_model` is not implemented by the underlying model")

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, PyFuncModel):
            return NotImplemented
        return bool(self._model_meta == other._model_meta)

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        lines = ["nopickle.pyfunc.loaded_model:"]
        for name in ("run_id", "artifact_path"):
            value = getattr(self._model_meta, name, None)
            if value is not None:
                lines.append(f"  {name}: {value}")
        lines.append(f"  flavor: {self.loader_module}")
        return "\n".join(lines) + "\n"


def load_model(
    model_uri: str,
    suppress_warnings: bool = False,
    dst_path: str | None = None,
    model_config: Any = None,
    *,
    skops_trusted_types: list[str] | None = None,
    policy: Policy | str | os.PathLike[str] | None = None,
) -> PyFuncModel:
    """Load a model of any known flavor as a Python function.

    Parameters
    ----------
    model_uri : str
        As in :func:`nopickle.sklearn.load_model`.
    suppress_warnings : bool, default=False
        Leave out the warning about another version of Python.
    dst_path : str, optional
        A folder for what has to be downloaded.
    model_config : dict or str, optional
        Only custom Python models have a configuration; for others this is refused.
    skops_trusted_types : list of str, optional
        Names that you trust, beside those of the default list.
    policy : nopickle.Policy or path, optional
        A policy file beside that of the process; see ``docs/concepts/policy.md``.

    Returns
    -------
    PyFuncModel

    Raises
    ------
    nopickle.exceptions.UnsupportedModelError
        If the model has no ``python_function`` flavor, or a ``loader_module`` that is not known here.
    nopickle.exceptions.NopickleError
        As :func:`nopickle.skops.load`.
    """
    if model_config:
        raise MlflowException(
            "model_config is for custom Python models, which this release does not load",
            "INVALID_PARAMETER_VALUE",
        )
    with _load.opened(model_uri, dst_path) as folder:
        return _load_folder(folder, suppress_warnings, skops_trusted_types, policy)


def _load_folder(
    folder: str,
    suppress_warnings: bool,
    trusted: list[str] | None,
    policy: Policy | str | os.PathLike[str] | None,
) -> PyFuncModel:
    from nopickle.models import Model

    meta = Model.load(folder)
    section = meta.flavors.get(FLAVOR_NAME)
    if section is None:
        raise MlflowException(
            f'Model does not have the "{FLAVOR_NAME}" flavor', "RESOURCE_DOES_NOT_EXIST"
        )
    name = section.get("loader_module")
    module = _flavors.loader(name) if isinstance(name, str) else None
    if module is None:
        known = ", ".join(theirs for theirs, _ in _flavors.FLAVORS.values())
        raise UnsupportedModelError(
            f"unsupported loader_module: {name!r}; this release loads {known}. Nothing was imported."
        )
    loaded = module._load_folder(folder, trusted, policy)
    # What is used from here on was read together with the model: a signature of the policy's key covers it.
    meta = Model.from_dict(loaded.mlmodel)
    section = meta.flavors.get(FLAVOR_NAME, {})
    if section.get("loader_module") != name:
        raise MlflowException(
            f"The MLmodel of '{folder}' was changed while it was read: load the model again, from a "
            "folder that nothing writes to",
            "INVALID_STATE",
        )
    if not suppress_warnings:
        _warn_of_python(section.get("python_version"))
    model = PyFuncModel(
        meta,
        module._Predictor(loaded.model),
        predict_fn=section.get("predict_fn") or "predict",
        model_id=meta.model_id,
    )
    if meta.saved_input_example_info is not None:
        try:
            model.input_example = meta.load_input_example(folder)
        except (MlflowException, OSError, ValueError) as error:
            _logger.debug("The input example could not be read: %s", error)
    return model


def _warn_of_python(version: object) -> None:
    here = _environment.platform.python_version()
    if isinstance(version, str) and version.split(".")[:2] != here.split(".")[:2]:
        _logger.warning("The model was saved with Python %s; this is %s.", version, here)


def get_model_dependencies(model_uri: str, format: str = "pip") -> str:
    """Return the path of the file that lists what a model needs.

    Parameters
    ----------
    model_uri : str
        As in :func:`load_model`.
    format : {"pip", "conda"}, default="pip"
        Whether to return ``requirements.txt`` or ``conda.yaml``.

    Raises
    ------
    MlflowException
        If the model has no such file, or ``format`` is another word.
    """
    from nopickle.tracking import _local_folder

    files = {"pip": _environment.REQUIREMENTS, "conda": _environment.CONDA_ENV}
    if format not in files:
        raise MlflowException(
            f"Illegal format argument '{format}'; it can be 'pip' or 'conda'.",
            "INVALID_PARAMETER_VALUE",
        )
    path = os.path.join(_local_folder(model_uri), files[format])
    if not os.path.exists(path):
        raise MlflowException(f"the model has no {files[format]}", "RESOURCE_DOES_NOT_EXIST")
    return path
