"""What every flavor does to save a model: the folder, its metadata, the logged model."""

from __future__ import annotations

import contextlib
import dataclasses
import logging
import os
import shutil
import tempfile
import warnings
from typing import TYPE_CHECKING, Any

from nopickle import _code, _environment
from nopickle.exceptions import MlflowException

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from nopickle.models import Model, ModelSignature
    from nopickle.models.model import ModelInfo

_logger = logging.getLogger("nopickle")

CODE = "code"
EXTRA_FILES = "extra_files"
MLMODEL = "MLmodel"


@dataclasses.dataclass
class Payload:
    """What a flavor wrote into a model folder.

    Parameters
    ----------
    section : dict
        The flavor's section of ``MLmodel``, without ``code`` and ``extra_files``.
    pyfunc : dict or None
        The ``python_function`` section, without what all flavors have in it; None leaves it out.
    names : list of str
        The names of code in the payload, ``module.qualname``: the requirements follow from them.
    requirements : list of str
        The requirements that every such model has.
    """

    section: dict[str, Any]
    pyfunc: dict[str, Any] | None
    names: list[str]
    requirements: list[str]


def save_flavor(
    flavor: str,
    path: str | os.PathLike[str],
    write: Callable[[str], Payload],
    predict: Callable[[Any], Any],
    *,
    conda_env: Any,
    code_paths: list[str] | None,
    mlflow_model: Model | None,
    signature: ModelSignature | None,
    input_example: Any,
    pip_requirements: Any,
    extra_pip_requirements: Any,
    metadata: dict[str, Any] | None,
    extra_files: list[str] | None,
) -> None:
    """Save a model folder: the part of ``save_model`` that is the same in all flavors.

    Parameters
    ----------
    flavor : str
        The name of the flavor, a key of :data:`nopickle._flavors.FLAVORS`.
    path : str
        Where to; nothing may be there but an empty folder.
    write : callable
        Writes the model's files into the folder that it is given.
    predict : callable
        What the signature's outputs are inferred from, by calling it with the input example.
    conda_env, code_paths, mlflow_model, signature, input_example, pip_requirements, \
    extra_pip_requirements, metadata, extra_files
        As in :func:`nopickle.sklearn.save_model`.

    Raises
    ------
    ValueError
        If more than one of the arguments on requirements is given.
    MlflowException
        If an argument is wrong, or ``path`` is not empty.
    """
    from nopickle._flavors import FLAVORS
    from nopickle.models import Model, _example

    _environment.check_arguments(conda_env, pip_requirements, extra_pip_requirements)
    if mlflow_model is None:
        mlflow_model = Model()
    with staged_folder(path) as folder:
        code = copy_code_paths(code_paths, folder)
        example = None
        if input_example is not None:
            example = _example._Example(input_example)
            example.save(folder)
            mlflow_model.saved_input_example_info = example.info
        if signature is None and example is not None:
            signature = infer_signature(example, predict)
        if signature:
            mlflow_model.signature = signature
        if metadata is not None:
            mlflow_model.metadata = metadata

        payload = write(folder)
        extra = copy_extra_files(extra_files, folder)
        if payload.pyfunc is not None:
            loader_module, _ = FLAVORS[flavor]
            mlflow_model.add_flavor(
                "python_function",
                loader_module=loader_module,
                python_version=_environment.platform.python_version(),
                env={"conda": _environment.CONDA_ENV, "virtualenv": _environment.PYTHON_ENV},
                **payload.pyfunc,
                **({"code": code} if code else {}),
            )
        mlflow_model.add_flavor(flavor, **payload.section, code=code, **extra)
        mlflow_model.model_size_bytes = folder_size(folder)
        mlflow_model.save(os.path.join(folder, MLMODEL))

        requirements = payload.requirements
        if conda_env is None and pip_requirements is None:
            own = _code.code_modules(os.path.join(folder, code)) if code else ()
            inferred = _environment.infer_requirements(payload.names, own)
            requirements = sorted({*inferred, *requirements})
        _environment.write(
            folder,
            *_environment.environment(
                requirements, conda_env, pip_requirements, extra_pip_requirements
            ),
        )


@contextlib.contextmanager
def staged_folder(path: str | os.PathLike[str]) -> Iterator[str]:
    """Give a new folder beside ``path``, which gets its name at the end; nothing is left after an error.

    Raises
    ------
    MlflowException
        If there is something at ``path`` that is not an empty folder (``RESOURCE_ALREADY_EXISTS``).
    """
    path = os.path.abspath(os.fspath(path))
    if os.path.lexists(path) and not (os.path.isdir(path) and not os.listdir(path)):
        raise MlflowException(
            f"Path '{path}' already exists and is not empty", "RESOURCE_ALREADY_EXISTS"
        )
    parent = os.path.dirname(path)
    os.makedirs(parent, exist_ok=True)
    staging = tempfile.mkdtemp(prefix=f".{os.path.basename(path)}.", suffix=".partial", dir=parent)
    try:
        yield staging
        # A temporary folder is private; the model gets the rights of any new folder.
        umask = os.umask(0)
        os.umask(umask)
        os.chmod(staging, 0o777 & ~umask)
        # An empty folder is replaced; one that was filled meanwhile is an error.
        os.rename(staging, path)
    except BaseException:
        shutil.rmtree(staging, ignore_errors=True)
        raise


def copy_code_paths(code_paths: list[str] | None, folder: str) -> str | None:
    """Copy files and folders into ``code/`` of a model folder; give its name, or None without any.

    Raises
    ------
    TypeError
        If ``code_paths`` is not a list.
    MlflowException
        If a path does not exist or can't be copied (``INVALID_PARAMETER_VALUE``).
    """
    if code_paths is None:
        return None
    if not isinstance(code_paths, list):
        raise TypeError(f"Argument code_paths should be a list, not {type(code_paths).__name__}")
    for code_path in code_paths:
        _copy(code_path, os.path.join(folder, CODE))
    return CODE


def copy_extra_files(extra_files: list[str] | None, folder: str) -> dict[str, Any]:
    """Copy files, given by path or URI, into ``extra_files/``; give their part of the flavor's section.

    Raises
    ------
    TypeError
        If ``extra_files`` is not a list.
    MlflowException
        If a file does not exist.
    """
    if not extra_files:
        return {}
    if not isinstance(extra_files, list):
        raise TypeError("Extra files argument should be a list")
    from nopickle.tracking import _local_folder

    section = []
    for uri in extra_files:
        local = _local_folder(os.fspath(uri))
        _copy(local, os.path.join(folder, EXTRA_FILES))
        section.append({"path": f"{EXTRA_FILES}/{os.path.basename(os.path.normpath(local))}"})
    return {EXTRA_FILES: section}


def _copy(source: str, folder: str) -> None:
    """Copy a file or a folder into a folder. Links, compiled Python and devices are left out."""
    source = os.path.abspath(os.fspath(source))
    target = os.path.join(folder, os.path.basename(source))
    os.makedirs(folder, exist_ok=True)
    try:
        if os.path.isdir(source):
            shutil.copytree(
                source,
                target,
                ignore=shutil.ignore_patterns("__pycache__", "*.pyc"),
                dirs_exist_ok=True,
            )
        else:
            shutil.copyfile(source, target)
    except (OSError, shutil.Error) as error:
        raise MlflowException(
            f"'{source}' can't be copied into the model folder: {error}", "INVALID_PARAMETER_VALUE"
        ) from error


def infer_signature(example: Any, predict: Callable[[Any], Any]) -> ModelSignature | None:
    """Return the signature of an input example and what the model predicts for it, as MLflow infers it.

    Where the model does not take the example, the reason is logged and there is no signature: saving
    goes on, as in MLflow.
    """
    import copy

    import numpy as np

    from nopickle.models import ModelSignature, _enforce
    from nopickle.types import _infer

    data, params = example.inference_data, example.inference_params
    try:
        inputs = _infer.infer_schema(data)
        params_schema = _infer.infer_param_schema(params) if params else None
        given = _enforce.enforce_schema(copy.deepcopy(data), inputs)
        prediction = predict(given)
        if (
            not inputs.is_tensor_spec()
            and isinstance(prediction, np.ndarray)
            and prediction.ndim == 1
        ):
            import pandas

            prediction = pandas.Series(prediction)
        with warnings.catch_warnings():
            # Of integers that could be missing: predictions are the model's own.
            warnings.simplefilter("ignore")
            outputs = _infer.infer_schema(prediction)
        return ModelSignature(inputs, outputs, params_schema)
    except Exception as error:
        _logger.warning(
            "No signature could be inferred from the input example: %r. Pass signature=, or an example "
            "that the model takes.",
            error,
        )
        return None


def folder_size(folder: str) -> int:
    """Return the bytes of all files below a folder."""
    return sum(
        os.lstat(os.path.join(place, name)).st_size
        for place, _, names in os.walk(folder)
        for name in names
    )


def log(
    save_model: Callable[..., Any],
    *,
    name: str | None,
    artifact_path: str | None,
    registered_model_name: str | None,
    await_registration_for: int | None,
    params: dict[str, Any] | None,
    tags: dict[str, Any] | None,
    model_type: str | None,
    step: int,
    model_id: str | None,
    kwargs: dict[str, Any],
    **arguments: Any,
) -> ModelInfo:
    """Log a model that ``save_model`` writes, as ``mlflow.models.Model.log`` does.

    The logged model is created first, so that its ``MLmodel`` can name it; its folder is staged
    beside the artifacts and appears by a rename.

    Raises
    ------
    MlflowException
        If an argument of ``kwargs`` has no meaning here.
    """
    from nopickle import tracking
    from nopickle.models import Model

    run_id = kwargs.pop("run_id", None)
    if kwargs:
        raise MlflowException(
            f"nopickle does not support these arguments of log_model: {', '.join(sorted(kwargs))}",
            "INVALID_PARAMETER_VALUE",
        )
    if name is not None and artifact_path is not None:
        raise MlflowException(
            "Both `artifact_path` (deprecated) and `name` parameters were specified. Please only "
            "specify `name`.",
            "INVALID_PARAMETER_VALUE",
        )
    if artifact_path is not None:
        _logger.warning("`artifact_path` is deprecated. Please use `name` instead.")
    del await_registration_for  # a version is ready as soon as it is created
    active = tracking.active_run()
    source = run_id or (active.info.run_id if active is not None else None)
    if source is not None and model_id is None:
        # A model keeps the parameters of the run that made it, as in MLflow.
        params = {**(params or {}), **tracking.get_run(source).data.params}
    made: list[Model] = []

    def fill(logged: Any) -> None:
        model = Model(
            artifact_path=logged.artifact_location,
            model_uuid=logged.model_id,
            run_id=logged.source_run_id,
            model_id=logged.model_id,
        )
        save_model(path=tracking._staging_folder(logged), mlflow_model=model, **arguments)
        made.append(model)

    logged, version = tracking._log_model_folder(
        None,
        name=name or artifact_path,
        run_id=run_id,
        model_id=model_id,
        params=params,
        tags=tags,
        model_type=model_type,
        step=step,
        registered_model_name=registered_model_name,
        fill=fill,
    )
    info = made[0].get_model_info(logged)
    if version is not None:
        info.registered_model_version = int(version.version)
    return info
