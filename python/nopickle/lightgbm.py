"""The LightGBM flavor: save, log and load LightGBM models as MLflow model folders.

The functions and their arguments are those of ``mlflow.lightgbm`` 3.17. An estimator with the
interface of scikit-learn is a skops file by default, a ``lightgbm.Booster`` is its own text. Either
way the booster's text is read and verified by nopickle, and LightGBM gets what nopickle wrote again
from it: LightGBM's own reader follows whatever a text says. ``load_model`` has one argument more
than MLflow's, ``skops_trusted_types``; nothing of LightGBM's own has to be named in it.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from nopickle import _boosters, _environment, _load, _rust, _save
from nopickle import sklearn as _sklearn
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

FLAVOR_NAME = "lightgbm"

_BOOSTER = "model.lgb"
_BOOSTER_CLASS = "lightgbm.basic.Booster"

# What `lightgbm.Booster.save_model` takes beside the path.
_BOOSTER_ARGUMENTS = ("num_iteration", "start_iteration", "importance_type")

# MLflow's default for `await_registration_for`, in seconds.
_AWAIT_REGISTRATION = 5 * 60


def get_default_pip_requirements(
    include_cloudpickle: bool = False, include_skops: bool = False
) -> list[str]:
    """Return the requirements that every model of this flavor has.

    Parameters
    ----------
    include_cloudpickle : bool, default=False
        Whether to add cloudpickle.
    include_skops : bool, default=False
        Whether to add skops, which stock MLflow reads the model with.

    Returns
    -------
    list of str
        ``distribution==version``.
    """
    requirements = [_environment.pinned("lightgbm")]
    if include_cloudpickle:
        requirements.append(_environment.pinned("cloudpickle"))
    if include_skops:
        requirements.append(_environment.pinned("skops", _environment.SKOPS_VERSION))
    return requirements


def get_default_conda_env(
    include_cloudpickle: bool = False, include_skops: bool = False
) -> dict[str, Any]:
    """Return the conda environment that models of this flavor have by default.

    Parameters
    ----------
    include_cloudpickle, include_skops : bool, default=False
        As in :func:`get_default_pip_requirements`.

    Returns
    -------
    dict
        The content of ``conda.yaml``.
    """
    requirements = get_default_pip_requirements(include_cloudpickle, include_skops)
    mlflow = _environment.pinned("mlflow", _environment.MLFLOW_VERSION)
    return _environment.conda_env([mlflow, *requirements])


def save_model(
    lgb_model: Any,
    path: str,
    conda_env: Any = None,
    code_paths: list[str] | None = None,
    mlflow_model: Model | None = None,
    signature: ModelSignature | None = None,
    input_example: Any = None,
    pip_requirements: Any = None,
    extra_pip_requirements: Any = None,
    metadata: dict[str, Any] | None = None,
    serialization_format: str | None = None,
    skops_trusted_types: list[str] | None = None,
    extra_files: list[str] | None = None,
    **kwargs: Any,
) -> None:
    """Save a LightGBM model as an MLflow model folder.

    The folder is written beside ``path`` and appears there whole. It holds the flavors ``lightgbm``
    and ``python_function``.

    Parameters
    ----------
    lgb_model : lightgbm.Booster or estimator
        A booster, which is saved as its own text, or an estimator: ``LGBMClassifier``,
        ``LGBMRegressor``, ``LGBMRanker``, or one of Dask, of which the local model is saved.
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
    metadata : dict, optional
        The caller's own metadata, written into ``MLmodel``.
    serialization_format : {"skops", "pickle", "cloudpickle"}, default="skops"
        How an estimator is written; a booster is text in any case. A pickle runs what its author
        wrote when it is loaded; saving one is logged as a warning.
    skops_trusted_types : list of str, optional
        Names of the model that are not trusted by default. What is written into ``MLmodel`` is this
        list and what stock skops needs to load the file.
    extra_files : list of str, optional
        Paths or URIs of files that are copied into ``extra_files/``.
    **kwargs
        For a booster, what ``lightgbm.Booster.save_model`` takes: ``num_iteration``,
        ``start_iteration``, ``importance_type``.

    Raises
    ------
    nopickle.exceptions.UntrustedTypesError
        If the model holds names that are neither trusted by default nor by ``skops_trusted_types``.
    nopickle.exceptions.UnsupportedTypeError
        If the model holds something that the skops format has no form for.
    nopickle.exceptions.MlflowException
        If an argument is wrong, or ``path`` is not empty.
    """
    import lightgbm

    if serialization_format is None:
        serialization_format = _sklearn.SERIALIZATION_FORMAT_SKOPS
    _sklearn._check_format(serialization_format)
    is_booster = isinstance(lgb_model, lightgbm.Booster)
    unknown = sorted(set(kwargs) - set(_BOOSTER_ARGUMENTS if is_booster else ()))
    if unknown:
        raise MlflowException(
            f"nopickle does not support these arguments for {type(lgb_model).__name__}: "
            f"{', '.join(unknown)}",
            "INVALID_PARAMETER_VALUE",
        )
    if type(lgb_model).__module__ == "lightgbm.dask":
        lgb_model = lgb_model.to_local()
    if not is_booster:
        _sklearn._warn_of_pickle(serialization_format)

    def write(folder: str) -> _save.Payload:
        if is_booster:
            data, names, trusted = _BOOSTER, [_BOOSTER_CLASS], None
            text = _boosters.text(lgb_model, **kwargs).encode()
            with open(os.path.join(folder, data), "wb") as file:
                # Read and written again, so that what is saved is what will load.
                file.write(_rust.lightgbm_read(text, data).encode())
        else:
            data, names, trusted = _sklearn._write_into(
                folder, lgb_model, serialization_format, skops_trusted_types
            )
        section = {
            "lgb_version": lightgbm.__version__,
            "data": data,
            "model_class": f"{type(lgb_model).__module__}.{type(lgb_model).__qualname__}",
            "serialization_format": serialization_format,
            "skops_trusted_types": trusted,
        }
        written = None if is_booster else serialization_format
        requirements = get_default_pip_requirements(
            include_cloudpickle=written == _sklearn.SERIALIZATION_FORMAT_CLOUDPICKLE,
            include_skops=written == _sklearn.SERIALIZATION_FORMAT_SKOPS,
        )
        return _save.Payload(section, {"data": data}, names, requirements)

    _save.save_flavor(
        FLAVOR_NAME,
        path,
        write,
        lambda data: lgb_model.predict(data),
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
    lgb_model: Any,
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
    serialization_format: str | None = None,
    skops_trusted_types: list[str] | None = None,
    **kwargs: Any,
) -> ModelInfo:
    """Save a LightGBM model as a logged model of the active run.

    Without an active run the logged model stands in the active experiment alone, as in MLflow 3.

    Parameters
    ----------
    lgb_model, conda_env, code_paths, signature, input_example, pip_requirements, \
    extra_pip_requirements, metadata, extra_files, serialization_format, skops_trusted_types
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
    for_booster = {key: kwargs.pop(key) for key in _BOOSTER_ARGUMENTS if key in kwargs}
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
        lgb_model=lgb_model,
        conda_env=conda_env,
        code_paths=code_paths,
        signature=signature,
        input_example=input_example,
        pip_requirements=pip_requirements,
        extra_pip_requirements=extra_pip_requirements,
        metadata=metadata,
        serialization_format=serialization_format,
        skops_trusted_types=skops_trusted_types,
        extra_files=extra_files,
        **for_booster,
    )


def load_model(
    model_uri: str,
    dst_path: str | None = None,
    *,
    skops_trusted_types: list[str] | None = None,
    policy: Policy | str | os.PathLike[str] | None = None,
) -> Any:
    """Load a LightGBM model.

    Parameters
    ----------
    model_uri : str
        As in :func:`nopickle.sklearn.load_model`.
    dst_path : str, optional
        A folder for what has to be downloaded; by default a private temporary one.
    skops_trusted_types : list of str, optional
        Names that you trust, beside those of the default list, which has LightGBM's own.
    policy : nopickle.Policy or path, optional
        A policy file beside that of the process; see ``docs/concepts/policy.md``.

    Returns
    -------
    lightgbm.Booster or estimator
        The model.

    Raises
    ------
    nopickle.exceptions.UnverifiedModelError
        If a booster's text holds values that LightGBM would follow out of its memory.
    nopickle.exceptions.UnsupportedModelError
        If the installed LightGBM does not read the text.
    nopickle.exceptions.NopickleError
        As :func:`nopickle.skops.load`.
    nopickle.exceptions.MlflowException
        If the URI can't be resolved, the folder holds no LightGBM model, or the model is a pickle
        and the switch is off.
    """
    with _load.opened(model_uri, dst_path) as folder:
        return _load_folder(folder, skops_trusted_types, policy).model


def _load_folder(
    folder: str, trusted: list[str] | None, policy: Policy | str | os.PathLike[str] | None
) -> _load.Loaded:
    loaded = _load.load(folder, FLAVOR_NAME, trusted, policy)
    if not isinstance(loaded.model, str):
        return loaded
    import lightgbm

    try:
        loaded.model = lightgbm.Booster(model_str=loaded.model)
    except (lightgbm.basic.LightGBMError, ValueError) as error:
        raise UnsupportedModelError(
            f"LightGBM {lightgbm.__version__} does not read the text: {error}"
        ) from error
    return loaded


class _Predictor:
    """What :class:`nopickle.pyfunc.PyFuncModel` calls: a LightGBM model's ``predict``."""

    def __init__(self, model: Any) -> None:
        self.lgb_model = model

    def get_raw_model(self) -> Any:
        """Return the LightGBM model."""
        return self.lgb_model

    def predict(self, data: Any, params: dict[str, Any] | None = None) -> Any:
        """Return the model's predictions; a LightGBM model takes no ``params``."""
        del params
        return self.lgb_model.predict(data)
