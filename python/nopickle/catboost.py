"""The CatBoost flavor: save, log and load CatBoost models as MLflow model folders.

The functions and their arguments are those of ``mlflow.catboost`` 3.17. A model is CatBoost's own
file, ``model.cb``; nopickle reads and verifies it before CatBoost sees it: CatBoost's own reader
follows what the numbers of the file say. Of the formats that ``CatBoost.save_model`` writes nopickle
takes ``cbm``, the default. Models of text or embedding features are refused: nopickle does not read
what CatBoost keeps of them.
"""

from __future__ import annotations

import os
import tempfile
from typing import TYPE_CHECKING, Any

from nopickle import _environment, _load, _rust, _save
from nopickle.exceptions import MlflowException, UnsupportedModelError

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

FLAVOR_NAME = "catboost"

_DATA = "model.cb"
_FORMAT = "cbm"

# What `CatBoost.save_model` takes beside the path.
_SAVE_ARGUMENTS = ("format", "export_parameters", "pool")

# The classes of a model, by the names that MLflow gives them.
_CLASSES = ("CatBoost", "CatBoostClassifier", "CatBoostRanker", "CatBoostRegressor")

# MLflow's default for `await_registration_for`, in seconds.
_AWAIT_REGISTRATION = 5 * 60


def get_default_pip_requirements() -> list[str]:
    """Return the requirements that every model of this flavor has.

    Returns
    -------
    list of str
        ``distribution==version``.
    """
    return [_environment.pinned("catboost")]


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
    cb_model: Any,
    path: str,
    conda_env: Any = None,
    code_paths: list[str] | None = None,
    mlflow_model: Model | None = None,
    signature: ModelSignature | None = None,
    input_example: Any = None,
    pip_requirements: Any = None,
    extra_pip_requirements: Any = None,
    metadata: dict[str, Any] | None = None,
    extra_files: list[str] | None = None,
    **kwargs: Any,
) -> None:
    """Save a CatBoost model as an MLflow model folder.

    The folder is written beside ``path`` and appears there whole. It holds the flavors ``catboost``
    and ``python_function``.

    Parameters
    ----------
    cb_model : CatBoost, CatBoostClassifier, CatBoostRanker or CatBoostRegressor
        A fitted model.
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
        The requirements, or the path of a requirements file, in place of those of the flavor.
    extra_pip_requirements : list of str or str, optional
        Requirements beside those of the flavor.
    metadata : dict, optional
        The caller's own metadata, written into ``MLmodel``.
    extra_files : list of str, optional
        Paths or URIs of files that are copied into ``extra_files/``.
    **kwargs
        What ``CatBoost.save_model`` takes: ``format``, which can be ``"cbm"`` alone,
        ``export_parameters``, ``pool``.

    Raises
    ------
    nopickle.exceptions.UnsupportedModelError
        If the model has text or embedding features.
    nopickle.exceptions.MlflowException
        If an argument is wrong, ``format`` is one that nopickle does not load again, or ``path`` is
        not empty.
    """
    import catboost

    unknown = sorted(set(kwargs) - set(_SAVE_ARGUMENTS))
    if unknown:
        raise MlflowException(
            f"nopickle does not support these arguments for {type(cb_model).__name__}: "
            f"{', '.join(unknown)}",
            "INVALID_PARAMETER_VALUE",
        )
    _check_format(kwargs.get("format", _FORMAT))
    if type(cb_model).__name__ not in _CLASSES:
        raise MlflowException(
            f"The model is a {type(cb_model).__name__}; it can be {', '.join(_CLASSES)}",
            "INVALID_PARAMETER_VALUE",
        )

    def write(folder: str) -> _save.Payload:
        target = os.path.join(folder, _DATA)
        cb_model.save_model(target, **kwargs)
        # Read as it will be when it loads.
        _rust.catboost_read(target, _DATA)
        section = {
            "catboost_version": catboost.__version__,
            "data": _DATA,
            "model_type": type(cb_model).__name__,
            "save_format": _FORMAT,
        }
        names = [f"catboost.core.{type(cb_model).__name__}"]
        return _save.Payload(section, {"data": _DATA}, names, get_default_pip_requirements())

    _save.save_flavor(
        FLAVOR_NAME,
        path,
        write,
        lambda data: cb_model.predict(data),
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
    cb_model: Any,
    artifact_path: str | None = None,
    conda_env: Any = None,
    code_paths: list[str] | None = None,
    registered_model_name: str | None = None,
    signature: ModelSignature | None = None,
    input_example: Any = None,
    await_registration_for: int | None = _AWAIT_REGISTRATION,
    pip_requirements: Any = None,
    extra_pip_requirements: Any = None,
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
    """Save a CatBoost model as a logged model of the active run.

    Without an active run the logged model stands in the active experiment alone, as in MLflow 3.

    Parameters
    ----------
    cb_model, conda_env, code_paths, signature, input_example, pip_requirements, \
    extra_pip_requirements, metadata, extra_files
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
        ``run_id``: the run to log to, in place of the active one; and those of :func:`save_model`.
        Others are refused.

    Returns
    -------
    ModelInfo
        The metadata of the model; ``model_uri`` loads it.

    Raises
    ------
    nopickle.exceptions.NopickleError
        As :func:`save_model`. The logged model is marked as failed then, and holds no files.
    """
    for_saving = {key: kwargs.pop(key) for key in _SAVE_ARGUMENTS if key in kwargs}
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
        cb_model=cb_model,
        conda_env=conda_env,
        code_paths=code_paths,
        signature=signature,
        input_example=input_example,
        pip_requirements=pip_requirements,
        extra_pip_requirements=extra_pip_requirements,
        metadata=metadata,
        extra_files=extra_files,
        **for_saving,
    )


def load_model(
    model_uri: str,
    dst_path: str | None = None,
    *,
    policy: Policy | str | os.PathLike[str] | None = None,
) -> Any:
    """Load a CatBoost model.

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
    CatBoost, CatBoostClassifier, CatBoostRanker or CatBoostRegressor
        The model, of the class that the folder names.

    Raises
    ------
    nopickle.exceptions.MalformedModelError
        If the file is not laid out as CatBoost lays it out.
    nopickle.exceptions.UnverifiedModelError
        If the file holds values that CatBoost would follow out of its memory.
    nopickle.exceptions.UnsupportedModelError
        If the format is not ``cbm``, the model has text or embedding features, or the installed
        CatBoost does not read the file.
    nopickle.exceptions.MlflowException
        If the URI can't be resolved, or the folder holds no CatBoost model.
    """
    with _load.opened(model_uri, dst_path) as folder:
        return _load_folder(folder, None, policy).model


def _check_format(name: Any) -> None:
    if name != _FORMAT:
        raise MlflowException(
            f"The format {name!r} can't be verified when it is loaded: nopickle saves CatBoost "
            f"models as {_FORMAT!r}",
            "INVALID_PARAMETER_VALUE",
        )


def _load_folder(
    folder: str, trusted: list[str] | None, policy: Policy | str | os.PathLike[str] | None
) -> _load.Loaded:
    del trusted  # A file of CatBoost's names no code.
    loaded = _load.load(folder, FLAVOR_NAME, None, policy)
    import catboost

    # The name was read from a fixed table.
    model = getattr(catboost, str(loaded.model_class).rpartition(".")[2])()
    # From bytes CatBoost would not take the parameters over; the folder is readable by this user alone.
    with tempfile.TemporaryDirectory(prefix="nopickle-") as private:
        path = os.path.join(private, _DATA)
        with open(path, "wb") as file:
            file.write(loaded.model)
        try:
            loaded.model = model.load_model(path, format=_FORMAT)
        except catboost.CatBoostError as error:
            raise UnsupportedModelError(
                f"CatBoost {catboost.__version__} does not read the file: {error}"
            ) from error
    return loaded


class _Predictor:
    """What :class:`nopickle.pyfunc.PyFuncModel` calls: a CatBoost model's ``predict``."""

    def __init__(self, model: Any) -> None:
        self.cb_model = model

    def get_raw_model(self) -> Any:
        """Return the CatBoost model."""
        return self.cb_model

    def predict(self, data: Any, params: dict[str, Any] | None = None) -> Any:
        """Return the model's predictions; a CatBoost model takes no ``params``."""
        del params
        return self.cb_model.predict(data)
