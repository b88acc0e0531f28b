"""The ``MLmodel`` of a model's folder as an object, with MLflow's names."""

from __future__ import annotations

import inspect
import json
import os
import tempfile
import uuid
from collections.abc import Callable
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any

from nopickle import _rust
from nopickle.exceptions import MlflowException
from nopickle.models import _example
from nopickle.models._folders import MLMODEL_FILE_NAME, _root, holding, local_path, put
from nopickle.models.signature import ModelSignature

if TYPE_CHECKING:
    from nopickle.types.schema import ParamSchema, Schema

__all__ = ["MLMODEL_FILE_NAME", "Model", "ModelInfo", "get_model_info"]

#: The MLflow whose layout is written.
MLFLOW_VERSION = "3.17.2"


class ModelInfo:
    """What is known of a model that was logged.

    Attributes are those of MLflow's ``ModelInfo``: ``artifact_path``, ``flavors``, ``model_uri``, ``model_uuid``,
    ``run_id``, ``saved_input_example_info``, ``signature``, ``utc_time_created`` (UTC, a text), ``mlflow_version``,
    ``metadata``, ``registered_model_version``, ``env_vars``, ``prompts``, and of the logged model ``model_id``,
    ``name``, ``params``, ``metrics``, ``tags`` and ``creation_timestamp`` (milliseconds), which are None without one.
    """

    def __init__(
        self,
        artifact_path: str | None,
        flavors: dict[str, Any],
        model_uri: str,
        model_uuid: str | None,
        run_id: str | None,
        saved_input_example_info: dict[str, Any] | None,
        signature: ModelSignature | None,
        utc_time_created: str,
        mlflow_version: str | None,
        metadata: dict[str, Any] | None = None,
        registered_model_version: int | None = None,
        env_vars: list[str] | None = None,
        prompts: list[str] | None = None,
        logged_model: Any = None,
    ) -> None:
        self.artifact_path = artifact_path
        self.flavors = flavors
        self.model_uri = model_uri
        self.model_uuid = model_uuid
        self.run_id = run_id
        self.saved_input_example_info = saved_input_example_info
        self.signature = signature
        self.utc_time_created = utc_time_created
        self.mlflow_version = mlflow_version
        self.metadata = metadata
        self.registered_model_version = registered_model_version
        self.env_vars = env_vars
        self.prompts = prompts
        self._logged_model = logged_model

    def _logged(self, name: str) -> Any:
        return None if self._logged_model is None else getattr(self._logged_model, name)

    @property
    def env_vars(self) -> list[str] | None:
        """Names of environment variables that were read when the model predicted."""
        return self._env_vars

    @env_vars.setter
    def env_vars(self, value: list[str] | None) -> None:
        self._env_vars = _texts("env_vars", value)

    @property
    def model_id(self) -> Any:
        """The id of the logged model."""
        return self._logged("model_id")

    @property
    def metrics(self) -> Any:
        """The metrics of the logged model."""
        return self._logged("metrics")

    @property
    def params(self) -> Any:
        """The parameters of the logged model."""
        return self._logged("params")

    @property
    def tags(self) -> Any:
        """The tags of the logged model."""
        return self._logged("tags")

    @property
    def creation_timestamp(self) -> Any:
        """When the model was logged, in milliseconds."""
        return self._logged("creation_timestamp")

    @property
    def name(self) -> Any:
        """The name of the logged model."""
        return self._logged("name")


def _texts(name: str, value: list[str] | None) -> list[str] | None:
    listed = isinstance(value, list) and all(isinstance(item, str) for item in value)
    if value and not listed:
        raise TypeError(f"{name} is a list of str, not {value!r}")
    return value


def _jsonable(name: str, value: Any) -> Any:
    """Return a dict for what has ``to_dict``."""
    if isinstance(value, (str, os.PathLike)):
        with open(value, "rb") as file:
            value = _rust.yaml_loads(file.read())
    if isinstance(value, list) and value and all(hasattr(item, "to_dict") for item in value):
        # MLflow's resources: their lists by kind, under the version of the layout.
        by_kind: dict[str, Any] = {}
        for item in value:
            for kind, rows in item.to_dict().items():
                by_kind.setdefault(item.target_uri, {}).setdefault(kind, []).extend(rows)
        value = {"api_version": "1"} | by_kind
    if hasattr(value, "to_dict"):
        value = value.to_dict()
    if value is not None and not isinstance(value, dict):
        raise TypeError(f"{name} is a dict, not {type(value).__name__}")
    return value


def _new_uuid() -> str:
    return uuid.uuid4().hex


class Model:
    """A model's ``MLmodel``: its flavors, its signature, and where it comes from.

    Keys that are not among the arguments are kept as attributes, and are written again.

    Parameters
    ----------
    artifact_path, run_id, model_id : str, optional
        Where the model was logged.
    utc_time_created : object, optional
        When, in UTC; now where it is not given.
    flavors : dict, optional
        The sections of the flavors by name.
    signature : ModelSignature, optional
        The schemas; ``False`` means that none is to be inferred.
    saved_input_example_info : dict, optional
        What the input example is.
    model_uuid : str or callable, optional
        An id of the folder.
    mlflow_version : str, optional
        The MLflow whose layout is written.
    metadata : dict, optional
        What the user adds.
    model_size_bytes : int, optional
        Bytes of the model's files.
    resources, auth_policy : optional
        What a deployed model may reach: a dict, MLflow's objects, or a path of a YAML file.
    env_vars, prompts : list of str, optional
        Environment variables and prompts that the model uses.
    """

    signature: ModelSignature | None

    def __init__(
        self,
        artifact_path: str | None = None,
        run_id: str | None = None,
        utc_time_created: object = None,
        flavors: dict[str, Any] | None = None,
        signature: Any = None,
        saved_input_example_info: dict[str, Any] | None = None,
        model_uuid: str | Callable[[], str] | None = _new_uuid,
        mlflow_version: str | None = MLFLOW_VERSION,
        metadata: dict[str, Any] | None = None,
        model_size_bytes: int | None = None,
        resources: Any = None,
        env_vars: list[str] | None = None,
        auth_policy: Any = None,
        model_id: str | None = None,
        prompts: list[str] | None = None,
        **kwargs: Any,
    ) -> None:
        self.artifact_path = artifact_path
        self.run_id = run_id
        now = datetime.now(timezone.utc).replace(tzinfo=None)
        self.utc_time_created = str(utc_time_created or now)
        self.flavors = {} if flavors is None else flavors
        self.signature = None
        self.signature = signature
        self.saved_input_example_info = saved_input_example_info
        self.model_uuid = model_uuid() if callable(model_uuid) else model_uuid
        self.mlflow_version = mlflow_version
        self.metadata = metadata
        self.model_size_bytes = model_size_bytes
        self.resources = resources
        self.env_vars = env_vars
        self.auth_policy = auth_policy
        self.model_id = model_id
        self.prompts = prompts
        self._others: dict[str, Any] = {}
        self._keep(kwargs)

    def _keep(self, others: dict[str, Any]) -> None:
        """Keep further keys as attributes; none takes the place of a method or a private attribute."""
        for key, value in others.items():
            if key.startswith("_") or hasattr(type(self), key):
                self._others[key] = value
            else:
                setattr(self, key, value)

    def __setattr__(self, name: str, value: Any) -> None:
        if name == "signature" and value is False:
            return
        if name == "resources" or name == "auth_policy":
            value = _jsonable(name, value)
        elif name == "env_vars":
            value = _texts(name, value)
        super().__setattr__(name, value)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Model) and self.__dict__ == other.__dict__

    __hash__ = None  # type: ignore[assignment]

    def __str__(self) -> str:
        return _rust.mlmodel_dumps(self.to_dict())

    def get_input_schema(self) -> Schema | None:
        """Return the schema of the inputs, where the model has a signature."""
        return None if self.signature is None else self.signature.inputs

    def get_output_schema(self) -> Schema | None:
        """Return the schema of the predictions, where the model has a signature."""
        return None if self.signature is None else self.signature.outputs

    def get_params_schema(self) -> ParamSchema | None:
        """Return the schema of the parameters, where the model has a signature."""
        return None if self.signature is None else self.signature.params

    def get_serving_input(self, path: str | os.PathLike[str]) -> str | None:
        """Return the JSON of a request to a server for the input example in a model's folder, or None."""
        return _example._read_serving(self, path)

    def load_input_example(self, path: str | os.PathLike[str] | None = None) -> Any:
        """Return the input example as it was given, or None.

        Parameters
        ----------
        path : str, optional
            A path or URI of the model; where it was logged if it is not given.

        Raises
        ------
        FileNotFoundError
            Where the ``MLmodel`` names an example and the file is missing.
        """
        return _example._read_example(self, self._uri() if path is None else path)

    def load_input_example_params(self, path: str | os.PathLike[str]) -> Any:
        """Return the parameters of the input example in a model's folder, or None."""
        return _example._read_params(self, path)

    def add_flavor(self, name: str, **params: Any) -> Model:
        """Add the section of a flavor, and return the model."""
        self.flavors[name] = params
        return self

    def _uri(self) -> str:
        if self.model_id:
            return f"models:/{self.model_id}"
        return f"runs:/{self.run_id}/{self.artifact_path}"

    def get_model_info(self, logged_model: Any = None) -> ModelInfo:
        """Return what is known of the model; ``logged_model`` is looked up where the model has an id."""
        if logged_model is None and self.model_id is not None:
            from nopickle import tracking

            logged_model = tracking.get_logged_model(model_id=self.model_id)
        return ModelInfo(
            artifact_path=self.artifact_path,
            flavors=self.flavors,
            model_uri=self._uri(),
            model_uuid=self.model_uuid,
            run_id=self.run_id,
            saved_input_example_info=self.saved_input_example_info,
            signature=self.signature,
            utc_time_created=self.utc_time_created,
            mlflow_version=self.mlflow_version,
            metadata=self.metadata,
            env_vars=self.env_vars,
            prompts=self.prompts,
            logged_model=logged_model,
        )

    def get_tags_dict(self) -> dict[str, Any]:
        """Return what a run says of the model in its tag ``mlflow.log-model.history``."""
        found = self.to_dict()
        kept = ("run_id", "utc_time_created", "artifact_path", "model_uuid")
        tags: dict[str, Any] = {key: value for key, value in found.items() if key in kept}
        tags["flavors"] = {
            name: {key: value for key, value in section.items() if key != "config"}
            if isinstance(section, dict)
            else section
            for name, section in found.get("flavors", {}).items()
        }
        return tags

    def to_dict(self) -> dict[str, Any]:
        """Return what the ``MLmodel`` says: keys that MLflow 3.17 leaves out where they are None are left out."""
        found = {key: value for key, value in self.__dict__.items() if not key.startswith("_")}
        found |= self._others
        if self.signature is not None:
            found["signature"] = self.signature.to_dict()
            hint = self.signature._is_signature_from_type_hint
            found["is_signature_from_type_hint"] = hint
            found["type_hint_from_example"] = self.signature._is_type_hint_from_example
        for key in (
            "artifact_path",
            "auth_policy",
            "env_vars",
            "metadata",
            "mlflow_version",
            "model_size_bytes",
            "resources",
            "run_id",
            "saved_input_example_info",
            "signature",
        ):
            if found.get(key) is None:
                found.pop(key, None)
        return found

    def to_yaml(self, stream: Any = None) -> str | None:
        """Return the text of the ``MLmodel``, or write it to a stream and return None."""
        text = _rust.mlmodel_dumps(self.to_dict())
        if stream is None:
            return text
        stream.write(text)
        return None

    def to_json(self) -> str:
        """Return what the ``MLmodel`` says, as JSON."""
        return json.dumps(self.to_dict())

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the ``MLmodel`` to a path: to a temporary file first, which is then renamed."""
        folder, name = os.path.split(os.path.abspath(os.fspath(path)))
        if name == MLMODEL_FILE_NAME:
            _rust.mlmodel_write(folder, self.to_dict())
            return
        text = _rust.mlmodel_dumps(self.to_dict())
        temporary = os.path.join(folder, f".{name}.{_new_uuid()}")
        try:
            with open(temporary, "x", encoding="utf-8") as file:
                file.write(text)
            os.replace(temporary, os.path.join(folder, name))
        except BaseException:
            if os.path.exists(temporary):
                os.unlink(temporary)
            raise

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Model:
        """Return the model of a folder or of its ``MLmodel``.

        Parameters
        ----------
        path : path or str
            A path, or a URI as in MLflow: ``file:``, ``runs:/``, ``models:/``, and those of artifact stores.

        Raises
        ------
        nopickle.exceptions.MlflowException
            Where nothing is there.
        nopickle.exceptions.MalformedModelError, nopickle.exceptions.UnsupportedModelError
            Where the file breaks the rules of ``docs/formats/mlmodel.md``.
        """
        there = local_path(path)
        if there is not None and not os.path.exists(os.path.join(_root(there), MLMODEL_FILE_NAME)):
            raise MlflowException(
                f"{os.fspath(path)}: no {MLMODEL_FILE_NAME} is there", "RESOURCE_DOES_NOT_EXIST"
            )
        with holding(path, MLMODEL_FILE_NAME) as folder:
            return cls.from_dict(_rust.mlmodel_read(folder))

    @classmethod
    def from_dict(cls, model_dict: dict[str, Any]) -> Model:
        """Return the model that an ``MLmodel`` says."""
        found = dict(model_dict)
        if isinstance(found.get("signature"), dict):
            signature = ModelSignature.from_dict(found["signature"])
            hint = found.pop("is_signature_from_type_hint", False)
            signature._is_signature_from_type_hint = hint
            signature._is_type_hint_from_example = found.pop("type_hint_from_example", False)
            found["signature"] = signature
        found.setdefault("model_uuid", None)
        found.setdefault("mlflow_version", None)
        known = _ARGUMENTS & found.keys()
        model = cls(**{key: found[key] for key in known})
        model._keep({key: value for key, value in found.items() if key not in known})
        return model


_ARGUMENTS = set(inspect.signature(Model).parameters) - {"kwargs"}


def get_model_info(model_uri: str) -> ModelInfo:
    """Return what is known of a model.

    Parameters
    ----------
    model_uri : str
        A path, or a URI as in MLflow: ``runs:/run_id/path``, ``models:/name/version``, ``models:/m-…``.

    Raises
    ------
    nopickle.exceptions.MlflowException
        Where there is no such model.
    """
    return Model.load(model_uri).get_model_info()


def _change_mlmodel(uri: str, change: Callable[[Model], None]) -> None:
    """Change the ``MLmodel`` of a model, and put it back."""
    model = Model.load(uri)
    change(model)
    path = local_path(uri)
    if path is not None:
        model.save(os.path.join(_root(path), MLMODEL_FILE_NAME))
        return
    with tempfile.TemporaryDirectory(prefix="nopickle-") as temporary:
        file = os.path.join(temporary, MLMODEL_FILE_NAME)
        model.save(file)
        put(uri, file)
