"""Input examples in a model's folder, laid out as MLflow 3.17 writes them (``mlflow/models/utils.py``)."""

from __future__ import annotations

import base64
import copy
import datetime as dt
import json
import os
from typing import TYPE_CHECKING, Any

import numpy as np

from nopickle.exceptions import InvalidInputError, MlflowException
from nopickle.models._folders import read
from nopickle.types._infer import infer_param_schema, is_arrow, is_pandas, is_polars, is_sparse
from nopickle.types.schema import AnyType, Array, ColSpec, DataType, Schema, TensorSpec

if TYPE_CHECKING:
    from nopickle.models.model import Model

EXAMPLE = "input_example.json"
SERVING = "serving_input_example.json"

# A dict with one of these keys is a request to a language model, and is served as it is.
_LLM_KEYS = ("messages", "prompt", "input")


def _plain(value: Any) -> Any:
    """Return what JSON can hold of a value: for ``json.dumps(default=)``."""
    if isinstance(value, np.ndarray):
        if value.dtype == np.dtype(object):
            return [_item(item) for item in value.tolist()]
        if value.dtype.kind == "S":
            return [_item(item) for item in value.tolist()]
        return value.tolist()
    if isinstance(value, np.generic):
        return _item(value.item())
    found = _item(value)
    if found is value:
        raise TypeError(f"an example in JSON has no form for a {type(value).__name__}")
    return found


def _item(value: Any) -> Any:
    if isinstance(value, (bytes, bytearray)):
        return base64.encodebytes(value).decode("ascii")
    if isinstance(value, (dt.date, dt.datetime, dt.time)):
        return value.isoformat()
    return value


def _without_nan(values: np.ndarray[Any, Any]) -> list[Any]:
    if values.dtype.kind in "fc":
        missing = np.isnan(values)
        values = values.astype(object)
        values[missing] = None
    found: list[Any] = values.tolist()
    return found


def _split(table: Any) -> dict[str, Any]:
    """Return a table of pandas as columns and rows; the columns are left out where they are 0, 1, ..."""
    found: dict[str, Any] = table.where(table.notnull(), None).to_dict(orient="split")
    del found["index"]
    if list(table.columns) == list(range(len(table.columns))):
        del found["columns"]
    return found


def _holds_array(data: Any) -> bool:
    if isinstance(data, (list, dict)):
        return any(map(_holds_array, data.values() if isinstance(data, dict) else data))
    return isinstance(data, np.ndarray)


class _Example:
    """An input example: its texts, and what the ``MLmodel`` says of it.

    Attributes
    ----------
    info : dict
        What stands under ``saved_input_example_info``.
    inference_data : object
        The example as it was given, without its parameters.
    inference_params : dict or None
        The parameters, where the example was a tuple of data and parameters.
    """

    def __init__(self, input_example: Any) -> None:
        data, params = input_example, None
        if isinstance(data, tuple) and len(data) == 2 and isinstance(data[1], dict):
            data, params = data
            infer_param_schema(params)
        self.inference_data, self.inference_params = copy.deepcopy((data, params))
        self.info: dict[str, Any] = {"artifact_path": EXAMPLE}
        if params:
            self.info["params"] = "true"
        written, serving = self._write(data)
        if params is not None:
            written = {"inputs": written, "params": params}
            as_it_is = isinstance(data, dict) and any(key in data for key in _LLM_KEYS)
            serving = serving | (params if as_it_is else {"params": params})
        self.json_input_example = json.dumps(written, default=_plain)
        self.json_serving_input = json.dumps(serving, default=_plain, indent=2)
        self.info["serving_input_path"] = SERVING

    def _write(self, data: Any) -> tuple[Any, dict[str, Any]]:
        """Return the example and the request of a server for it, and note its kind."""
        if is_polars(data) or is_arrow(data):
            data = data.to_pandas()
        if is_pandas(data, "DataFrame"):
            found = _split(data)
            orient = "split" if "columns" in found else "values"
            self.info |= {"type": "dataframe", "pandas_orient": orient}
            return found, {"dataframe_split": found}
        if isinstance(data, dict) and any(isinstance(item, np.ndarray) for item in data.values()):
            if not all(isinstance(item, np.ndarray) for item in data.values()):
                raise MlflowException.invalid_parameter_value(
                    "an input example that is a dict holds arrays of numpy, or none"
                )
            self.info["type"] = "ndarray"
            arrays = {name: _without_nan(item) for name, item in data.items()}
            return arrays, {"inputs": arrays}
        if isinstance(data, np.ndarray):
            self.info["type"] = "ndarray"
            array = _without_nan(data)
            return array, {"inputs": array}
        if is_sparse(data):
            self.info["type"] = f"sparse_matrix_{data.format}"
            parts = {
                "data": _without_nan(data.data),
                "indices": data.indices.tolist(),
                "indptr": data.indptr.tolist(),
                "shape": list(data.shape),
            }
            return parts, {"inputs": data.toarray()}
        if isinstance(data, list) and _holds_array(data):
            raise MlflowException.invalid_parameter_value(
                "an input example that is a list holds no arrays of numpy: give an array, or lists"
            )
        if isinstance(data, (dict, list, dt.datetime)) or np.isscalar(data):
            self.info["type"] = "json_object"
            if isinstance(data, dict) and any(key in data for key in _LLM_KEYS):
                return data, data
            return data, {"inputs": data}
        raise MlflowException.invalid_parameter_value(
            "an input example is a table, an array of numpy or a dict of them, a CSR or CSC matrix, a dict, a list or "
            f"a scalar, not {type(data).__module__}.{type(data).__qualname__}"
        )

    def save(self, folder: str | os.PathLike[str]) -> None:
        """Write both files."""
        for name, text in (
            (EXAMPLE, self.json_input_example),
            (SERVING, self.json_serving_input),
        ):
            with open(os.path.join(folder, name), "w", encoding="utf-8") as file:
                file.write(text)


def _save_example(input_example: Any, folder: str | os.PathLike[str]) -> dict[str, Any]:
    """Write an input example into a model's folder.

    Parameters
    ----------
    input_example : object
        A table, an array of numpy or a dict of them, a CSR or CSC matrix, a dict, a list or a scalar; or a tuple of one
        of these and a dict of parameters.
    folder : path
        The model's folder.

    Returns
    -------
    dict
        What stands under ``saved_input_example_info`` of the ``MLmodel``.

    Raises
    ------
    nopickle.exceptions.MlflowException
        Where the example is something else.
    """
    example = _Example(input_example)
    example.save(folder)
    return example.info


def convert_input_example_to_serving_input(input_example: Any) -> str | None:
    """Return the JSON of a request to a server for an input example."""
    return None if input_example is None else _Example(input_example).json_serving_input


def _json(model: str | os.PathLike[str], info: dict[str, Any]) -> Any:
    """Return the JSON of the file that an ``MLmodel`` names; the file is opened beneath the folder."""
    name = info.get("artifact_path")
    if not isinstance(name, str):
        raise MlflowException(f"saved_input_example_info names no file: {info!r}")
    return json.loads(read(model, name))


def _cast(data: Any, spec: Any) -> Any:
    """Return JSON as an array, with the dtype of a schema where there is one."""
    from nopickle.models._enforce import _enforce_value

    try:
        if spec is None:
            return np.array(data)
        if isinstance(spec, TensorSpec):
            return np.array(data, dtype=spec.type)
        if isinstance(spec, ColSpec) and isinstance(spec.type, DataType):
            dtype = spec.type.to_numpy()
            return np.array(data, dtype) if isinstance(data, list) else np.array([data], dtype)[0]
        found = _enforce_value(data, spec.type, spec.required)
        return np.array(found) if isinstance(spec.type, Array) else found
    except (TypeError, ValueError) as error:
        raise InvalidInputError(f"the input example does not fit {spec!r}: {error}") from error


def _arrays(data: Any, schema: Schema | None) -> Any:
    """Return the arrays of an example of kind ``ndarray``."""
    names = [] if schema is None or not schema.has_input_names() else schema.input_names()
    if isinstance(data, list) and len(names) == 1:
        # The only input of a signature is what the array is for.
        data = {names[0]: data}
    if isinstance(data, dict):
        specs = schema.input_dict() if schema is not None and names else {}
        return {name: _cast(item, specs.get(name)) for name, item in data.items()}
    return _cast(data, None if schema is None else schema.inputs[0])


def _table(found: Any, schema: Schema | None) -> Any:
    """Return a table of pandas for columns and rows in JSON, with the types of a schema."""
    import pandas

    from nopickle.models._enforce import _enforce_value

    if not isinstance(found, dict) or "data" not in found:
        raise MlflowException("an input example of a table has columns and data")
    table = pandas.DataFrame(found["data"], columns=found.get("columns"))
    if schema is None:
        return table
    if schema.has_input_names():
        rows = [(spec.name, spec) for spec in schema.inputs if spec.name in table]
    elif schema.is_tensor_spec():
        rows = [(name, schema.inputs[0]) for name in table]
    else:
        rows = list(zip(table.columns, schema.inputs, strict=False))
    for name, spec in rows:
        column = table[name]
        kind = spec.type
        try:
            if kind is DataType.binary:
                column = column.map(lambda text: base64.decodebytes(text.encode()))
            elif kind is DataType.datetime:
                column = pandas.to_datetime(column).astype("datetime64[ns]")
            elif isinstance(kind, DataType):
                text = isinstance(column.dtype, pandas.StringDtype)
                if not (text and kind is DataType.string):
                    column = column.astype(kind.to_pandas())
            elif isinstance(kind, np.dtype):
                if not isinstance(column.iloc[0], list):
                    column = column.astype(kind)
            elif not isinstance(kind, AnyType):
                column = pandas.Series(
                    [_enforce_value(item, kind, spec.required) for item in column],
                    index=table.index,
                    name=name,
                )
        except (TypeError, ValueError) as error:
            raise InvalidInputError(
                f"column {name!r} of the input example: expected {kind!r}: {error}"
            ) from error
        table[name] = column
    return table


def _read_example(model: Model, folder: str | os.PathLike[str]) -> Any:
    """Return the input example of a model's folder, as it was given; None where there is none."""
    info = model.saved_input_example_info
    if info is None:
        return None
    found = _json(folder, info)
    if info.get("params"):
        found = found["inputs"]
    schema = None if model.signature is None else model.signature.inputs
    kind = info.get("type")
    if kind == "json_object":
        return found
    if kind == "ndarray":
        return _arrays(found, schema)
    if kind == "dataframe":
        return _table(found, schema)
    if kind in ("sparse_matrix_csr", "sparse_matrix_csc"):
        import scipy.sparse

        made = getattr(scipy.sparse, kind.removeprefix("sparse_matrix_") + "_matrix")
        parts = (found["data"], found["indices"], found["indptr"])
        return made(parts, shape=tuple(found["shape"]))
    raise MlflowException(f"an input example of the type {kind!r} is not known")


def _read_params(model: Model, folder: str | os.PathLike[str]) -> Any:
    """Return the parameters of a model's input example; None where there are none."""
    info = model.saved_input_example_info
    if info is None or info.get("params") is None:
        return None
    return _json(folder, info)["params"]


def _read_serving(model: Model, folder: str | os.PathLike[str]) -> str | None:
    """Return the request of a server for a model's input example; None where there is none."""
    info = model.saved_input_example_info
    name = None if info is None else info.get("serving_input_path")
    return None if name is None else read(folder, name).decode()
