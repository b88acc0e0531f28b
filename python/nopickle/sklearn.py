"""The scikit-learn flavor: save, log and load scikit-learn models as MLflow model folders.

The functions and their arguments are those of ``mlflow.sklearn`` 3.17. A model is a skops file by
default; its names are decided by whoever loads, and its values are verified, before any of it is
imported. ``load_model`` has one argument more than MLflow's, ``skops_trusted_types``: the list inside
a model is what its author asks for, and the argument is what you grant.
"""

from __future__ import annotations

import logging
import os
import pickletools
from typing import TYPE_CHECKING, Any

from nopickle import _code, _environment, _load, _rust, _save
from nopickle.exceptions import MlflowException, UnsupportedTypeError, UntrustedTypesError

if TYPE_CHECKING:
    from nopickle._rust import Policy
    from nopickle.models import Model, ModelSignature
    from nopickle.models.model import ModelInfo

__all__ = [
    "FLAVOR_NAME",
    "SERIALIZATION_FORMAT_CLOUDPICKLE",
    "SERIALIZATION_FORMAT_PICKLE",
    "SERIALIZATION_FORMAT_SKOPS",
    "SUPPORTED_SERIALIZATION_FORMATS",
    "get_default_conda_env",
    "get_default_pip_requirements",
    "load_model",
    "log_model",
    "save_model",
]

FLAVOR_NAME = "sklearn"

SERIALIZATION_FORMAT_SKOPS = "skops"
SERIALIZATION_FORMAT_PICKLE = "pickle"
SERIALIZATION_FORMAT_CLOUDPICKLE = "cloudpickle"

SUPPORTED_SERIALIZATION_FORMATS = [
    SERIALIZATION_FORMAT_SKOPS,
    SERIALIZATION_FORMAT_PICKLE,
    SERIALIZATION_FORMAT_CLOUDPICKLE,
]

_FILES = {
    SERIALIZATION_FORMAT_SKOPS: "model.skops",
    SERIALIZATION_FORMAT_PICKLE: "model.pkl",
    SERIALIZATION_FORMAT_CLOUDPICKLE: "model.pkl",
}

# MLflow's default for `await_registration_for`, in seconds.
_AWAIT_REGISTRATION = 5 * 60

# A model is verified after it was saved where its arrays are at most this large; the names in it are
# decided on in any case.
_VERIFIED_WHEN_SAVED = 64 << 20

_logger = logging.getLogger("nopickle")


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
    requirements = [_environment.pinned("scikit-learn")]
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
    sk_model: Any,
    path: str,
    conda_env: Any = None,
    code_paths: list[str] | None = None,
    mlflow_model: Model | None = None,
    serialization_format: str | None = None,
    signature: ModelSignature | None = None,
    input_example: Any = None,
    pip_requirements: Any = None,
    extra_pip_requirements: Any = None,
    pyfunc_predict_fn: str = "predict",
    metadata: dict[str, Any] | None = None,
    skops_trusted_types: list[str] | None = None,
    extra_files: list[str] | None = None,
) -> None:
    """Save a scikit-learn model as an MLflow model folder.

    The folder is written beside ``path`` and appears there whole. It holds the flavors ``sklearn``
    and, if the model has the method ``pyfunc_predict_fn``, ``python_function``.

    Parameters
    ----------
    sk_model : object
        A scikit-learn model.
    path : str
        Where to; nothing may be there but an empty folder.
    conda_env : dict or str, optional
        A conda environment, or the path of its YAML file.
    code_paths : list of str, optional
        Files and folders of code that the model needs; they are copied into ``code/``.
    mlflow_model : Model, optional
        The metadata that this flavor is added to.
    serialization_format : {"skops", "pickle", "cloudpickle"}, default="skops"
        A pickle runs what its author wrote when it is loaded; saving one is logged as a warning.
    signature : ModelSignature or False, optional
        The schemas of inputs and outputs. By default they are inferred from ``input_example``; False
        leaves them out.
    input_example : object, optional
        One or more instances of valid input: a DataFrame, an array, a dict, a list.
    pip_requirements : list of str or str, optional
        The requirements, or the path of a requirements file, in place of those found in the model.
    extra_pip_requirements : list of str or str, optional
        Requirements beside those found in the model.
    pyfunc_predict_fn : str, default="predict"
        The method that ``nopickle.pyfunc`` calls: ``predict``, ``predict_proba``,
        ``predict_log_proba``, ``predict_joint_log_proba`` or ``score``.
    metadata : dict, optional
        The caller's own metadata, written into ``MLmodel``.
    skops_trusted_types : list of str, optional
        Names of the model that are not trusted by default (``nopickle.skops.get_untrusted_types``).
        What is written into ``MLmodel`` is this list and what stock skops needs to load the file.
    extra_files : list of str, optional
        Paths or URIs of files that are copied into ``extra_files/``.

    Raises
    ------
    nopickle.exceptions.UntrustedTypesError
        If the model holds names that are neither trusted by default nor by ``skops_trusted_types``.
    nopickle.exceptions.UnsupportedTypeError
        If the model holds something that the skops format has no form for.
    nopickle.exceptions.MlflowException
        If an argument is wrong, or ``path`` is not empty.
    """
    import sklearn

    if serialization_format is None:
        serialization_format = SERIALIZATION_FORMAT_SKOPS
    _check_format(serialization_format)
    _warn_of_pickle(serialization_format)

    def write(folder: str) -> _save.Payload:
        data, names, trusted = _write_into(
            folder, sk_model, serialization_format, skops_trusted_types
        )
        pyfunc = None
        if hasattr(sk_model, pyfunc_predict_fn):
            pyfunc = {"model_path": data, "predict_fn": pyfunc_predict_fn}
        else:
            _logger.warning(
                "The model has no method %s, so the python_function flavor is left out.",
                pyfunc_predict_fn,
            )
        section = {
            "pickled_model": data,
            "sklearn_version": sklearn.__version__,
            "serialization_format": serialization_format,
            "skops_trusted_types": trusted,
        }
        requirements = get_default_pip_requirements(
            include_cloudpickle=serialization_format == SERIALIZATION_FORMAT_CLOUDPICKLE,
            include_skops=serialization_format == SERIALIZATION_FORMAT_SKOPS,
        )
        return _save.Payload(section, pyfunc, names, requirements)

    _save.save_flavor(
        FLAVOR_NAME,
        path,
        write,
        lambda data: sk_model.predict(data),
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


def _check_format(serialization_format: str) -> None:
    if serialization_format not in SUPPORTED_SERIALIZATION_FORMATS:
        raise MlflowException(
            f"Unrecognized serialization format: {serialization_format}. Please specify one of the "
            f"following supported formats: {SUPPORTED_SERIALIZATION_FORMATS}.",
            "INVALID_PARAMETER_VALUE",
        )


def _warn_of_pickle(serialization_format: str) -> None:
    if serialization_format != SERIALIZATION_FORMAT_SKOPS:
        _logger.warning(
            "Saving the model as %s: whoever loads it runs what the file says, and with "
            "MLFLOW_ALLOW_PICKLE_DESERIALIZATION=false it can't be loaded. "
            "serialization_format='skops' has neither problem.",
            serialization_format,
        )


def _write_into(
    folder: str, model: Any, serialization_format: str, trusted: list[str] | None
) -> tuple[str, list[str], list[str] | None]:
    """Write an estimator into a model folder, for every flavor that has some.

    Return the name of its file, the names of code in it, and what ``MLmodel`` says of trusted types:
    the caller's and those that stock skops asks about.
    """
    data = _FILES[serialization_format]
    names, stock = _write(model, os.path.join(folder, data), serialization_format, trusted)
    return data, names, sorted({*(trusted or ()), *stock}) or None


def _write(
    sk_model: Any, path: str, serialization_format: str, trusted: list[str] | None
) -> tuple[list[str], list[str]]:
    """Write a model's file; return the names of code in it, and those that stock skops asks about."""
    if serialization_format == SERIALIZATION_FORMAT_SKOPS:
        try:
            _rust.skops_dump(sk_model, path, 0, None)
            return _rust.skops_check(path, list(trusted or ()), _VERIFIED_WHEN_SAVED)
        except UntrustedTypesError as error:
            raise _load._with_hint(error) from None
        except UnsupportedTypeError as error:
            raise UnsupportedTypeError(
                f"{error}\nhint: serialization_format='cloudpickle' saves anything, and whoever loads "
                "it runs what the file says"
            ) from error
    if serialization_format == SERIALIZATION_FORMAT_CLOUDPICKLE:
        import cloudpickle as pickler  # noqa: TID251
    else:
        import pickle as pickler  # noqa: TID251
    with open(path, "wb") as file:
        pickler.dump(sk_model, file, protocol=4)
    with open(path, "rb") as file:
        data = file.read()
    if _code.PRIVATE.encode() in data:
        raise UnsupportedTypeError(
            "a pickle can't hold objects of code that a model brought: they have their names in this process "
            "alone. serialization_format='skops' writes them under the names of their modules"
        )
    return _names_in_pickle(data), []


def _names_in_pickle(data: bytes) -> list[str]:
    """Return the names that a pickle imports, from its opcodes. Nothing of it is run."""
    names: set[str] = set()
    texts: list[str] = []
    memo: dict[int, str] = {}
    for opcode, argument, _ in pickletools.genops(data):
        if opcode.name == "GLOBAL":
            names.add(str(argument).replace(" ", "."))
        elif opcode.name == "STACK_GLOBAL" and len(texts) >= 2:
            names.add(f"{texts[-2]}.{texts[-1]}")
        elif isinstance(argument, str):
            texts.append(argument)
        elif opcode.name == "MEMOIZE":
            memo[len(memo)] = texts[-1] if texts else ""
        elif opcode.name in ("BINGET", "LONG_BINGET") and argument in memo:
            texts.append(memo[argument])
    return sorted(names)


def log_model(
    sk_model: Any,
    artifact_path: str | None = None,
    conda_env: Any = None,
    code_paths: list[str] | None = None,
    serialization_format: str | None = None,
    registered_model_name: str | None = None,
    signature: ModelSignature | None = None,
    input_example: Any = None,
    await_registration_for: int | None = _AWAIT_REGISTRATION,
    pip_requirements: Any = None,
    extra_pip_requirements: Any = None,
    pyfunc_predict_fn: str = "predict",
    metadata: dict[str, Any] | None = None,
    extra_files: list[str] | None = None,
    params: dict[str, Any] | None = None,
    tags: dict[str, Any] | None = None,
    model_type: str | None = None,
    step: int = 0,
    model_id: str | None = None,
    name: str | None = None,
    skops_trusted_types: list[str] | None = None,
    **kwargs: Any,
) -> ModelInfo:
    """Save a scikit-learn model as a logged model of the active run.

    Without an active run the logged model stands in the active experiment alone, as in MLflow 3.

    Parameters
    ----------
    sk_model, conda_env, code_paths, serialization_format, signature, input_example, \
    pip_requirements, extra_pip_requirements, pyfunc_predict_fn, metadata, extra_files, \
    skops_trusted_types
        As in :func:`save_model`.
    artifact_path : str, optional
        The older word for ``name``.
    registered_model_name : str, optional
        Registers a version of this model, and the registered model where it does not exist.
    await_registration_for : int, optional
        Taken as MLflow takes it. A version is ready when this function returns.
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
    name : str, optional
        The name of the logged model.
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
        sk_model=sk_model,
        conda_env=conda_env,
        code_paths=code_paths,
        serialization_format=serialization_format,
        signature=signature,
        input_example=input_example,
        pip_requirements=pip_requirements,
        extra_pip_requirements=extra_pip_requirements,
        pyfunc_predict_fn=pyfunc_predict_fn,
        metadata=metadata,
        skops_trusted_types=skops_trusted_types,
        extra_files=extra_files,
    )


def load_model(
    model_uri: str,
    dst_path: str | None = None,
    *,
    skops_trusted_types: list[str] | None = None,
    policy: Policy | str | os.PathLike[str] | None = None,
) -> Any:
    """Load a scikit-learn model.

    Parameters
    ----------
    model_uri : str
        A path, or a URI: ``file:``, ``runs:/<run_id>/<name>``, ``models:/<name>/<version>``,
        ``models:/<name>@<alias>``, ``models:/<model_id>``, ``mlflow-artifacts:/``, ``s3://``,
        ``gs://``, ``az://``.
    dst_path : str, optional
        A folder for what has to be downloaded; by default a private temporary one.
    skops_trusted_types : list of str, optional
        Names that you trust, beside those of the default list. With
        ``MLFLOW_ALLOW_PICKLE_DESERIALIZATION=false`` the names that the model itself asks for grant
        nothing, and this argument is the way to load a model with classes of your own.
    policy : nopickle.Policy or path, optional
        A policy file beside that of the process; see ``docs/concepts/policy.md``.

    Returns
    -------
    object
        The model.

    Raises
    ------
    nopickle.exceptions.NopickleError
        As :func:`nopickle.skops.load`.
    nopickle.exceptions.MlflowException
        If the URI can't be resolved, the folder holds no scikit-learn model, or the model is a pickle
        and the switch is off.
    """
    with _load.opened(model_uri, dst_path) as folder:
        return _load_folder(folder, skops_trusted_types, policy).model


def _load_folder(
    folder: str, trusted: list[str] | None, policy: Policy | str | os.PathLike[str] | None
) -> _load.Loaded:
    return _load.load(folder, FLAVOR_NAME, trusted, policy)


class _Predictor:
    """What :class:`nopickle.pyfunc.PyFuncModel` calls: a scikit-learn model's methods by name."""

    _METHODS = ("predict_proba", "predict_log_proba", "predict_joint_log_proba", "score")

    def __init__(self, model: Any) -> None:
        self.sklearn_model = model
        for name in self._METHODS:
            if hasattr(model, name):
                setattr(self, name, getattr(model, name))

    def get_raw_model(self) -> Any:
        """Return the scikit-learn model."""
        return self.sklearn_model

    def predict(self, data: Any, params: dict[str, Any] | None = None) -> Any:
        """Return the model's predictions; a scikit-learn model takes no ``params``."""
        del params
        return self.sklearn_model.predict(data)
