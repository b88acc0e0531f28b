"""Models as MLflow lays them out: the ``MLmodel``, signatures, input examples, and inputs that fit a signature.

The names and arguments are those of ``mlflow.models`` 3.17.
"""

from nopickle.models._enforce import enforce_schema
from nopickle.models._example import convert_input_example_to_serving_input
from nopickle.models.model import Model, get_model_info
from nopickle.models.signature import ModelSignature, infer_signature, set_signature

__all__ = [
    "Model",
    "ModelSignature",
    "convert_input_example_to_serving_input",
    "get_model_info",
    "infer_signature",
    "set_signature",
    "validate_schema",
]


def validate_schema(data: object, expected_schema: object) -> None:
    """Refuse data that does not fit a schema.

    Raises
    ------
    nopickle.exceptions.InvalidInputError
        Where it does not fit.
    """
    from nopickle.types.schema import Schema

    if not isinstance(expected_schema, Schema):
        raise TypeError(f"expected_schema is a Schema, not {type(expected_schema).__name__}")
    enforce_schema(data, expected_schema)
