"""The XGBoost flavor: save, log and load XGBoost models as MLflow model folders.

The functions and their arguments are those of ``mlflow.xgboost`` 3.17. A model is a file of XGBoost's
own, UBJSON by default. It is read and verified by nopickle, and XGBoost gets the bytes that were
verified: XGBoost's own reader takes every length and every place of a node as it stands in the file.
"""

from __future__ import annotations

import inspect
import logging
import os
from typing import TYPE_CHECKING, Any

from nopickle import _environment, _load, _rust, _save
from nopickle.exceptions import MlflowException, UnsupportedModelError, UnsupportedTypeError

if TYPE_CHECKING:
    from nopickle._rust import Policy
    from nopickle.models import Model, ModelSignature
    from nopickle.models.model import ModelInfo

__all__ = [
    "FLAVOR_NAME",
    "get_default_conda_env",
    "get_default_pip_requirements",
    "load_model",
    "log_model",
    "save_model",
]

FLAVOR_NAME = "xgboost"

# The class of a model in `MLmodel` and its name in the module `xgboost`; the reader of `MLmodel` has the same.
_CLASSES = {
    "xgboost.core.Booster": "Booster",
    "xgboost.sklearn.XGBClassifier": "XGBClassifier",
    "xgboost.sklearn.XGBModel": "XGBModel",
    "xgboost.sklearn.XGBRFClassifier": "XGBRFClassifier",
    "xgboost.sklearn.XGBRFRegressor": "XGBRFRegressor",
    "xgboost.sklearn.XGBRanker": "XGBRanker",
    "xgboost.sklearn.XGBRegressor": "XGBRegressor",
}

# The formats that MLflow names. What is written under the last one is UBJSON from XGBoost 2.1 on.
_FORMATS = ("ubj", "json", "xgb")

# MLflow's default for `await_registration_for`, in seconds.
_AWAIT_REGISTRATION = 5 * 60

_logger = logging.getLogger("nopickle")


def get_default_pip_requirements() -> list[str]:
    """Return the requirements that every model of this flavor has.

    Returns
    -------
    list of str
        ``distribution==version``.
    """
    return [_environment.pinned("xgboost")]


def get_default_conda_env() -> dict[str, Any]:
    """Return the conda environment that models of this flavor have by default.

    Returns
    -------
    dict
        The content of ``conda.yaml``.
    """
    mlflow = _environment.pinned("mlflow", _environment.MLFLOW_VERSION)
    return _environment.conda_env([mlflow, *get_default_pip_requirements()])


def save_model(
    xgb_model: Any,
    path: str,
    conda_env: Any = None,
    code_paths: list[str] | None = None,
    mlflow_model: Model | None = None,
    signature: ModelSignature | None = None,
    input_example: Any = None,
    pip_requirements: Any = None,
    extra_pip_requirements: Any = None,
    model_format: str = "ubj",
    metadata: dict[str, Any] | None = None,
    extra_files: list[str] | None = None,
    **kwargs: Any,
) -> None:
    """Save an XGBoost model as an MLflow model folder.

    The folder is written beside ``path`` and appears there whole. It holds the flavors ``xgboost`` and
    ``python_function``.

    Parameters
    ----------
    xgb_model : xgboost.Booster or estimator
        The model: a booster, or ``XGBClassifier``, ``XGBRegressor``, ``XGBRanker``,
        ``XGBRFClassifier``, ``XGBRFRegressor`` or ``XGBModel``.
    path : str
        Where to; nothing may be there but an empty folder.
    conda_env : dict or str, optional
        A conda environment, or the path of its YAML file.
    code_paths : list of str, optional
        Files and folders of code that the model needs; they are copied into ``code/``.
    mlflow_model : Model, optional
        The metadata that this flavor is added to.
    signature : ModelSignature or False, optional
        The schemas of inputs and outputs. By default they are inferred from ``input_example``; False
        leaves them out.
    input_example : object, optional
        One or more instances of valid input: a DataFrame, an array, a dict, a list.
    pip_requirements : list of str or str, optional
        The requirements, or the path of a requirements file, in place of those found in the model.
    extra_pip_requirements : list of str or str, optional
        Requirements beside those found in the model.
    model_format : {"ubj", "json", "xgb"}, default="ubj"
        How the model is written; what XGBoost 3 writes under "xgb" is UBJSON.
    metadata : dict, optional
        The caller's own metadata, written into ``MLmodel``.
    extra_files : list of str, optional
        Paths or URIs of files that are copied into ``extra_files/``.
    **kwargs
        What ``save_model`` of the model takes beside a path: nothing. Others are refused.

    Raises
    ------
    nopickle.exceptions.UnsupportedTypeError
        If the model is of another class, such as one derived from these: loading would have to import
        what its name says.
    nopickle.exceptions.UnverifiedModelError
        If XGBoost writes something that would not load.
    nopickle.exceptions.MlflowException
        If an argument is wrong, or ``path`` is not empty.
    """
    import xgboost

    if kwargs:
        raise MlflowException(
            f"nopickle does not support these arguments: {', '.join(sorted(kwargs))}",
            "INVALID_PARAMETER_VALUE",
        )
    if model_format not in _FORMATS:
        raise MlflowException(
            f"Unrecognized model format: {model_format!r}. Formats are {', '.join(_FORMATS)}.",
            "INVALID_PARAMETER_VALUE",
        )
    model_class = f"{type(xgb_model).__module__}.{type(xgb_model).__qualname__}"
    if model_class not in _CLASSES:
        raise UnsupportedTypeError(
            f"unsupported type: {model_class}; the xgboost flavor saves {', '.join(_CLASSES)}"
        )

    def write(folder: str) -> _save.Payload:
        data = f"model.{model_format}"
        file = os.path.join(folder, data)
        xgb_model.save_model(file)
        # Read once, so that what is saved is what will load.
        _rust.xgboost_read(file, data)
        section = {
            "xgb_version": xgboost.__version__,
            "data": data,
            "model_class": model_class,
            "model_format": model_format,
        }
        names = [model_class]
        if model_class.startswith("xgboost.sklearn."):
            names.append("sklearn.base.BaseEstimator")
        return _save.Payload(section, {"data": data}, names, get_default_pip_requirements())

    _save.save_flavor(
        FLAVOR_NAME,
        path,
        write,
        lambda data: _Predictor(xgb_model).predict(data),
        conda_env=conda_env,
        code_paths=code_paths,
        mlflow_model=mlflow_model,
        signature=signature,
        input_example=input_example,
        pip_requirements=pip_requirements,
        extra_pip_requirements=extra_pip_requirements,
        metadata=metadata,
        extra_files=extra_files,
    )


def log_model(
    xgb_model: Any,
    artifact_path: str | None = None,
    conda_env: Any = None,
    code_paths: list[str] | None = None,
    registered_model_name: str | None = None,
    signature: ModelSignature | None = None,
    input_example: Any = None,
    await_registration_for: int | None = _AWAIT_REGISTRATION,
    pip_requirements: Any = None,
    extra_pip_requirements: Any = None,
    model_format: str = "ubj",
    metadata: dict[str, Any] | None = None,
    extra_files: list[str] | None = None,
    name: str | None = None,
    params: dict[str, Any] | None = None,
    tags: dict[str, Any] | None = None,
    model_type: str | None = None,
    step: int = 0,
    model_id: str | None = None,
    **kwargs: Any,
) -> ModelInfo:
    """Save an XGBoost model as a logged model of the active run.

    Without an active run the logged model stands in the active experiment alone, as in MLflow 3.

    Parameters
    ----------
    xgb_model, conda_env, code_paths, signature, input_example, pip_requirements, \
    extra_pip_requirements, model_format, metadata, extra_files
        As in :func:`save_model`.
    artifact_path : str, optional
        The older word for ``name``.
    registered_model_name : str, optional
        Registers a version of this model, and the registered model where it does not exist.
    await_registration_for : int, optional
        Taken as MLflow takes it. A version is ready when this function returns.
    name : str, optional
        The name of the logged model.
    params : dict, optional
        Parameters of the logged model, beside those of the run.
    tags : dict, optional
        Tags of the logged model.
    model_type : str, optional
        The type of the logged model, a word of the caller's.
    step : int, default=0
        The step at which the run made the model.
    model_id : str, optional
        A logged model that was created before and gets its files now.
    **kwargs
        ``run_id``: the run to log to, in place of the active one. Others are refused.

    Returns
    -------
    ModelInfo
        The metadata of the model; ``model_uri`` loads it.

    Raises
    ------
    nopickle.exceptions.NopickleError
        As :func:`save_model`. The logged model is marked as failed then, and holds no files.
    """
    return _save.log(
        save_model,
        name=name,
        artifact_path=artifact_path,
        registered_model_name=registered_model_name,
        await_registration_for=await_registration_for,
        params=params,
        tags=tags,
        model_type=model_type,
        step=step,
        model_id=model_id,
        kwargs=kwargs,
        xgb_model=xgb_model,
        conda_env=conda_env,
        code_paths=code_paths,
        signature=signature,
        input_example=input_example,
        pip_requirements=pip_requirements,
        extra_pip_requirements=extra_pip_requirements,
        model_format=model_format,
        metadata=metadata,
        extra_files=extra_files,
    )


def load_model(
    model_uri: str,
    dst_path: str | None = None,
    *,
    policy: Policy | str | os.PathLike[str] | None = None,
) -> Any:
    """Load an XGBoost model.

    Parameters
    ----------
    model_uri : str
        As in :func:`nopickle.sklearn.load_model`.
    dst_path : str, optional
        A folder for what has to be downloaded; by default a private temporary one.
    policy : nopickle.Policy or path, optional
        A policy file beside that of the process; see ``docs/concepts/policy.md``.

    Returns
    -------
    xgboost.Booster or estimator
        The model, of the class that it was saved from.

    Raises
    ------
    nopickle.exceptions.UnverifiedModelError
        If the file holds values that XGBoost would follow out of its memory.
    nopickle.exceptions.UnsupportedModelError
        If the class is not one of XGBoost's own, or the installed XGBoost does not read the file.
    nopickle.exceptions.NopickleError
        If the file is not one that XGBoost writes, or a limit is reached.
    nopickle.exceptions.MlflowException
        If the URI can't be resolved, or the folder holds no XGBoost model.
    """
    with _load.opened(model_uri, dst_path) as folder:
        return _load_folder(folder, None, policy).model


def _load_folder(
    folder: str, trusted: list[str] | None, policy: Policy | str | os.PathLike[str] | None
) -> _load.Loaded:
    del trusted  # A file of XGBoost's names no code.
    loaded = _load.load(folder, FLAVOR_NAME, None, policy)
    import xgboost

    model = getattr(xgboost, _CLASSES[str(loaded.model_class)])()
    try:
        model.load_model(loaded.model)
    # What an estimator keeps among the attributes is JSON.
    except (
        xgboost.core.XGBoostError,
        AttributeError,
        KeyError,
        RecursionError,
        TypeError,
        ValueError,
    ) as error:
        raise UnsupportedModelError(
            f"XGBoost {xgboost.__version__} does not read the model: {error}"
        ) from error
    loaded.model = model
    return loaded


class _Predictor:
    """What :class:`nopickle.pyfunc.PyFuncModel` calls: an XGBoost model's ``predict``."""

    def __init__(self, model: Any) -> None:
        self.xgb_model = model

    def get_raw_model(self) -> Any:
        """Return the XGBoost model."""
        return self.xgb_model

    def predict(self, data: Any, params: dict[str, Any] | None = None) -> Any:
        """Return the model's predictions; ``params`` are arguments of its ``predict``, others are left out."""
        import xgboost

        predict = self.xgb_model.predict
        known = inspect.signature(predict).parameters
        given = {key: value for key, value in (params or {}).items() if key in known}
        if left_out := sorted(set(params or ()) - set(given)):
            _logger.warning("The XGBoost model does not take these params: %s", ", ".join(left_out))
        given.setdefault("validate_features", True)
        if isinstance(self.xgb_model, xgboost.Booster):
            data = xgboost.DMatrix(data)
        return predict(data, **given)
