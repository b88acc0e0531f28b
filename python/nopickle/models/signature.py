"""Signatures of models: the schemas of inputs, outputs and parameters, with MLflow's names."""

from __future__ import annotations

import logging
from dataclasses import is_dataclass
from typing import Any

from nopickle.exceptions import MlflowException
from nopickle.types._infer import infer_param_schema, infer_schema
from nopickle.types.schema import (
    AnyType,
    ColSpec,
    ParamSchema,
    Schema,
    convert_dataclass_to_schema,
)

__all__ = ["ModelSignature", "infer_signature", "set_signature"]

_logger = logging.getLogger("nopickle.models")


class ModelSignature:
    """What goes into a model and what comes out of it.

    Parameters
    ----------
    inputs, outputs : Schema or dataclass, optional
        The schemas of inputs and predictions.
    params : ParamSchema, optional
        The parameters of ``predict``.

    Raises
    ------
    TypeError
        Where one of them is something else.
    ValueError
        Where none is given.
    """

    def __init__(
        self, inputs: Any = None, outputs: Any = None, params: ParamSchema | None = None
    ) -> None:
        self.inputs = self._schema("inputs", inputs)
        self.outputs = self._schema("outputs", outputs)
        if params and not isinstance(params, ParamSchema):
            raise TypeError(f"params is a ParamSchema, not {type(params).__name__}")
        if inputs is None and outputs is None and params is None:
            raise ValueError("a signature has inputs, outputs or params")
        self.params = params
        self._is_signature_from_type_hint = False
        self._is_type_hint_from_example = False

    @staticmethod
    def _schema(argument: str, found: Any) -> Any:
        if is_dataclass(found):
            return convert_dataclass_to_schema(found)
        if found and not isinstance(found, Schema):
            raise TypeError(f"{argument} is a Schema or a dataclass, not {type(found).__name__}")
        return found

    def to_dict(self) -> dict[str, Any]:
        """Return what an ``MLmodel`` says of the signature: a text of JSON for each schema."""
        return {
            "inputs": self.inputs.to_json() if self.inputs else None,
            "outputs": self.outputs.to_json() if self.outputs else None,
            "params": self.params.to_json() if self.params else None,
        }

    @classmethod
    def from_dict(cls, signature_dict: dict[str, Any]) -> ModelSignature:
        """Return the signature that an ``MLmodel`` says."""
        inputs, outputs, params = (
            signature_dict.get(key) for key in ("inputs", "outputs", "params")
        )
        return cls(
            Schema.from_json(inputs) if inputs else None,
            Schema.from_json(outputs) if outputs else None,
            ParamSchema.from_json(params) if params else None,
        )

    def __eq__(self, other: object) -> bool:
        return isinstance(other, ModelSignature) and (self.inputs, self.outputs, self.params) == (
            other.inputs,
            other.outputs,
            other.params,
        )

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return (
            f"inputs: \n  {self.inputs!r}\n"
            f"outputs: \n  {self.outputs!r}\n"
            f"params: \n  {self.params!r}\n"
        )


def infer_signature(
    model_input: Any = None, model_output: Any = None, params: dict[str, Any] | None = None
) -> ModelSignature:
    """Return the signature of a model from data that goes in and comes out.

    Data that has no schema gets one that takes anything, and the log says why.

    Parameters
    ----------
    model_input, model_output : object, optional
        A table of pandas, polars or pyarrow (rows in any number); an array of numpy whose first dimension is the rows,
        or a dict of such arrays; a CSR or CSC matrix; a dict, a list, a list of dicts, or a scalar.
    params : dict, optional
        Parameters of ``predict`` with their defaults: scalars, flat lists or dicts.

    Returns
    -------
    ModelSignature
        The same as MLflow 3.17 infers. Tables of polars and pyarrow, which MLflow gives the schema that takes
        anything, have their columns here.

    Raises
    ------
    nopickle.exceptions.MlflowException
        Where a parameter is not a scalar, a flat list or a dict.
    """
    return ModelSignature(
        _inferred("model_input", model_input),
        _inferred("model_output", model_output),
        infer_param_schema(params) if params else None,
    )


def _inferred(argument: str, data: Any) -> Schema | None:
    if data is None:
        return None
    try:
        return convert_dataclass_to_schema(data) if is_dataclass(data) else infer_schema(data)
    except Warning:
        raise
    except Exception as error:
        _logger.warning("%s has no schema, and gets one that takes anything: %s", argument, error)
        return Schema([ColSpec(AnyType())])


def set_signature(model_uri: str, signature: ModelSignature) -> None:
    """Write a signature into the ``MLmodel`` of a model that was saved.

    Parameters
    ----------
    model_uri : str
        A path, or a URI of a model's folder: ``file:``, ``runs:/``, ``models:/m-…``. The versions of a registered
        model are not changed: ``models:/name/version`` is refused.
    signature : ModelSignature
        The new signature.

    Raises
    ------
    nopickle.exceptions.MlflowException
        Where there is no such model, or it is a version of a registered one.
    """
    from nopickle.models.model import Model, _change_mlmodel

    if not isinstance(signature, ModelSignature):
        raise TypeError(f"signature is a ModelSignature, not {type(signature).__name__}")
    text = str(model_uri)
    if text.startswith("models:/") and not text.startswith("models:/m-"):
        raise MlflowException(
            f"{text}: a version of a registered model is not changed\n"
            "hint: set the signature of the model that it was made from, and register that again",
            "INVALID_PARAMETER_VALUE",
        )

    def change(model: Model) -> None:
        model.signature = signature

    _change_mlmodel(text, change)
