"""Inputs and parameters made to fit a signature, or refused: the rules of MLflow 3.17 (``mlflow/models/utils.py``).

Columns: what is required is there, what the signature does not name is dropped, and the order is the signature's. A
type changes only where no value does: to a wider type of the same kind, from integers of up to 32 bits to double, and
from 0 and 1 to floats. Tensors: the dtype is the signature's, and so is each dimension that is not -1.
"""

from __future__ import annotations

import copy
import importlib.util
import logging
import os
from typing import Any

import numpy as np

from nopickle.exceptions import InvalidInputError, MlflowException
from nopickle.types._infer import (
    clean_dtype,
    is_arrow,
    is_missing,
    is_pandas,
    is_polars,
    is_sparse,
)
from nopickle.types.schema import (
    AnyType,
    Array,
    DataType,
    Map,
    Object,
    ParamSchema,
    ParamSpec,
    Schema,
    TensorSpec,
)

_logger = logging.getLogger("nopickle.models")
_OBJECT = np.dtype(object)


def _has_pandas() -> bool:
    return importlib.util.find_spec("pandas") is not None


def _terse() -> bool:
    """Whether messages leave out the names of columns, as MLflow does where this is set."""
    return os.environ.get("MLFLOW_DISABLE_SCHEMA_DETAILS", "").lower() in ("true", "1")


# --- one column -------------------------------------------------------------------------------------------------------


def _refuse(name: object, kind: DataType, found: object, hint: str = "") -> InvalidInputError:
    message = f"column {name!r}: expected {kind.name} ({kind.to_numpy()}), found {found}"
    return InvalidInputError(f"{message}\nhint: {hint}" if hint else message)


def _widens(found: Any, wanted: np.dtype[Any]) -> bool:
    """Whether every value of a dtype has the same value in another."""
    if found.kind == wanted.kind:
        return bool(found.itemsize <= wanted.itemsize)
    if found.kind == "u" and wanted.kind == "i":
        return bool(found.itemsize < wanted.itemsize)
    return found.kind in "iu" and wanted == np.float64 and found.itemsize <= 6


def _zeros_and_ones(values: Any) -> bool:
    return all(is_missing(value) or value in (0, 1) for value in values)


_MISSING = (
    "the column looks like integers with missing values, which numpy holds as floats; make the column double in the "
    "signature, or infer the signature from data with missing values"
)


def _array_column(name: object, values: np.ndarray[Any, Any], kind: DataType) -> Any:
    """Return a column of numpy as its type; for callers without pandas."""
    wanted = kind.to_numpy()
    dtype = values.dtype
    if dtype == _OBJECT and kind is not DataType.string and kind is not DataType.binary:
        items = np.array(values.tolist())
        if items.shape == values.shape and items.dtype.kind != "O":
            values, dtype = items, items.dtype
    if kind in (DataType.string, DataType.binary) and dtype.kind in (wanted.kind, "O"):
        return values
    if dtype == wanted:
        return values
    if kind is DataType.datetime and dtype.kind == "M":
        return values.astype(wanted)
    if kind is DataType.boolean and dtype == _OBJECT:
        return values
    if _widens(dtype, wanted) or (
        dtype == np.int64 and wanted.kind == "f" and _zeros_and_ones(values.tolist())
    ):
        return values.astype(wanted)
    raise _refuse(name, kind, dtype)


def _series(name: object, values: Any, kind: DataType) -> Any:
    """Return a column of pandas as its type."""
    import pandas

    wanted = kind.to_numpy()
    if values.dtype == _OBJECT and kind not in (DataType.binary, DataType.string):
        values = values.infer_objects()
    dtype = values.dtype
    if isinstance(dtype, pandas.StringDtype) and kind in (DataType.binary, DataType.string):
        return values
    if dtype == _OBJECT and kind is DataType.string:
        return values
    if kind.to_pandas() == dtype or wanted == dtype:
        return values
    if kind is DataType.binary and dtype.kind == "S":
        return values
    if kind is DataType.datetime and (dtype.kind == "M" or dtype == _OBJECT):
        try:
            return values.astype(wanted)
        except (TypeError, ValueError) as error:
            hint = f"the column holds times without a time zone ({error})"
            raise _refuse(name, kind, dtype, hint) from error
    if kind is DataType.boolean and dtype == _OBJECT:
        return values
    if kind is DataType.double and dtype == _OBJECT:
        try:
            return pandas.to_numeric(values)
        except (TypeError, ValueError) as error:
            raise _refuse(name, kind, dtype, str(error)) from error
    if _widens(dtype, wanted):
        try:
            return values.astype(wanted)
        except (TypeError, ValueError) as error:
            raise _refuse(name, kind, dtype, str(error)) from error
    if dtype == np.int64 and wanted.kind == "f" and _zeros_and_ones(values):
        return values.astype(wanted)
    hint = ""
    if dtype == np.float64 and wanted.kind in "iu" and values.hasnans:
        kept = values.dropna()
        if bool((kept == np.floor(kept)).all()):
            hint = _MISSING
    raise _refuse(name, kind, dtype, hint)


# --- values that hold others ------------------------------------------------------------------------------------------


def _expected(kind: Any, value: object) -> InvalidInputError:
    return InvalidInputError(f"expected {kind!r}, found {type(value).__name__}: {value!r}")


def _enforce_value(value: Any, kind: Any, required: bool = True) -> Any:
    """Return one value of a column as its type."""
    if isinstance(kind, AnyType):
        return value
    if isinstance(kind, DataType):
        return _scalar(value, kind, required)
    if isinstance(kind, Array):
        return _list(value, kind, required)
    if isinstance(kind, Object):
        return _record(value, kind, required)
    if isinstance(kind, Map):
        return _map(value, kind, required)
    raise InvalidInputError(f"a signature has no type {kind!r}")


def _scalar(value: Any, kind: DataType, required: bool) -> Any:
    if not required and is_missing(value):
        return None
    if not np.isscalar(value):
        raise _expected(kind, value)
    if _has_pandas():
        import pandas

        try:
            return _series("", pandas.Series(value), kind)[0]
        except InvalidInputError as error:
            raise _expected(kind, value) from error
    array = np.empty(1, dtype=object)
    array[0] = value
    try:
        return _array_column("", array, kind)[0]
    except InvalidInputError as error:
        raise _expected(kind, value) from error


def _list(value: Any, kind: Array, required: bool) -> Any:
    empty = value is None or (isinstance(value, (list, np.ndarray)) and len(value) == 0)
    if empty and (not required or isinstance(kind.dtype, AnyType)):
        return value
    if not isinstance(value, (list, np.ndarray)):
        raise _expected(kind, value)
    found: Any = value
    if isinstance(kind.dtype, DataType) and isinstance(value, np.ndarray) and value.ndim != 1:
        raise _expected(kind, value)
    if not isinstance(kind.dtype, DataType):
        found = [_enforce_value(item, kind.dtype, required) for item in value]
    elif len(value) > 0:
        if _has_pandas():
            import pandas

            series = _series("", pandas.Series(value), kind.dtype)
            found = series.to_numpy(dtype=kind.dtype.to_numpy())
        else:
            array = value if isinstance(value, np.ndarray) else np.array(value, dtype=object)
            found = _array_column("", array, kind.dtype).astype(kind.dtype.to_numpy())
    if isinstance(value, list) and isinstance(found, np.ndarray):
        return found.tolist()
    if isinstance(value, np.ndarray) and isinstance(found, list):
        return np.array(found)
    return found


def _record(value: Any, kind: Object, required: bool) -> Any:
    if not required and (value is None or (isinstance(value, dict) and not value)):
        return value
    if not isinstance(value, dict):
        raise _expected(kind, value)
    properties = {item.name: item for item in kind.properties}
    missing = [name for name, item in properties.items() if item.required and name not in value]
    if missing:
        raise InvalidInputError(f"these keys are missing: {', '.join(map(repr, missing))}")
    if unknown := [name for name in value if name not in properties]:
        raise InvalidInputError(
            f"these keys are not in the signature: {', '.join(map(repr, unknown))}"
        )
    for name, item in value.items():
        wanted = properties[name]
        try:
            value[name] = _enforce_value(item, wanted.dtype, wanted.required)
        except MlflowException as error:
            raise InvalidInputError(f"key {name!r}: {error}") from error
    return value


def _map(value: Any, kind: Map, required: bool) -> Any:
    empty = value is None or (isinstance(value, dict) and not value)
    if empty and (not required or isinstance(kind.value_type, AnyType)):
        return value
    if not isinstance(value, dict):
        raise _expected(kind, value)
    if not all(isinstance(name, str) for name in value):
        raise InvalidInputError("the keys of a map are texts")
    return {name: _enforce_value(item, kind.value_type, required) for name, item in value.items()}


# --- columns ----------------------------------------------------------------------------------------------------------


def _table(data: Any, schema: Schema) -> Any:
    """Return data as a table of pandas; as an array where pandas is not installed."""
    if is_polars(data) or is_arrow(data):
        return _from_columns(data)
    if not _has_pandas():
        if isinstance(data, np.ndarray):
            return data
        raise InvalidInputError(
            f"a model with columns takes a table, and making one of {type(data).__name__} needs pandas, "
            "which is not installed\nhint: pip install pandas, or give a numpy array"
        )
    import pandas

    if is_pandas(data, "Series"):
        return pandas.DataFrame(data)
    if is_pandas(data, "DataFrame"):
        return data
    if np.isscalar(data):
        return pandas.DataFrame([data])
    if isinstance(data, dict):
        try:
            return _table_of_dict(data, schema)
        except Exception as error:
            raise InvalidInputError(f"the dict does not make a table: {error}") from error
    if isinstance(data, (list, np.ndarray)):
        try:
            return pandas.DataFrame(data)
        except ValueError as error:
            raise InvalidInputError(f"the data does not make a table: {error}") from error
    raise InvalidInputError(
        f"a model with columns takes a table, an array, a dict or a list, not {type(data).__name__}"
    )


def _table_of_dict(data: dict[Any, Any], schema: Schema) -> Any:
    """Return a dict as a table: one row of its values, or its values as columns."""
    import pandas

    def single(value: Any) -> bool:
        flat = isinstance(value, list) and all(isinstance(item, str) for item in value)
        return np.isscalar(value) or value is None or flat

    def text(value: Any) -> bool:
        return isinstance(value, np.ndarray) and value.shape == () and value.dtype.kind == "U"

    holds = any(isinstance(item.type, (Array, Object)) for item in schema.inputs)
    if holds or all(map(single, data.values())) or all(map(text, data.values())):
        return pandas.DataFrame([data])
    return pandas.DataFrame(
        {
            name: value.tolist() if isinstance(value, np.ndarray) and value.ndim > 1 else value
            for name, value in data.items()
        }
    )


def _from_columns(data: Any) -> Any:
    """Return a table of polars or pyarrow as one of pandas."""
    if not _has_pandas():
        raise InvalidInputError(
            f"a model with a signature takes a {type(data).__module__.partition('.')[0]} table where pandas is "
            "installed\nhint: pip install pandas, or give a numpy array"
        )
    import pandas

    if is_arrow(data):
        return data.to_pandas()
    if not hasattr(data, "columns"):
        data = data.to_frame()
    if importlib.util.find_spec("pyarrow") is not None:
        return data.to_pandas()
    return pandas.DataFrame({column.name: column.to_numpy() for column in data.get_columns()})


def _check_names(found: list[Any], schema: Schema) -> None:
    """Refuse where a required input is missing; say which inputs are dropped."""
    required = schema.required_input_names()
    known = set(schema.input_names())
    missing = [name for name in required if name not in found]
    extra = [name for name in found if name not in known]
    if missing:
        if _terse():
            raise InvalidInputError("the inputs do not have what the signature requires")
        message = f"these inputs are missing: {', '.join(map(repr, missing))}"
        if extra:
            message += f"; and these are not in the signature: {', '.join(map(repr, extra))}"
        raise InvalidInputError(message)
    if extra:
        _logger.warning(
            "these inputs are not in the signature and are dropped: %s",
            ", ".join(map(repr, extra)),
        )


def _columns(data: Any, schema: Schema) -> Any:
    table = _table(data, schema)
    if isinstance(table, np.ndarray):
        return _array_columns(table, schema)
    import pandas

    if schema.has_input_names():
        _check_names(list(table.columns), schema)
        chosen = [(item.name, item) for item in schema.inputs if item.name in table]
    else:
        if len(table.columns) < len(schema.inputs):
            raise InvalidInputError(
                f"the signature has {len(schema.inputs)} inputs without names, and the data has "
                f"{len(table.columns)} columns"
            )
        chosen = list(zip(table.columns, schema.inputs, strict=False))
    new = {}
    for name, spec in chosen:
        column = table[name]
        if not is_pandas(column, "Series"):
            raise InvalidInputError(f"column {name!r} stands in the data twice")
        if isinstance(spec.type, DataType):
            new[name] = _series(name, column, spec.type)
            continue
        try:
            values = [_enforce_value(value, spec.type, spec.required) for value in column]
        except MlflowException as error:
            raise InvalidInputError(f"column {name!r}: {error}") from error
        new[name] = pandas.Series(values, index=table.index, name=name)
    return pandas.DataFrame(new)


def _array_columns(data: np.ndarray[Any, Any], schema: Schema) -> np.ndarray[Any, Any]:
    """Return an array whose columns have the types of unnamed inputs; for callers without pandas."""
    if schema.has_input_names():
        raise InvalidInputError(
            f"the signature names its inputs ({', '.join(map(repr, schema.input_names()))}), and an array has no "
            "names\nhint: give a table; pip install pandas"
        )
    table = data.reshape(-1, 1) if data.ndim == 1 else data
    if table.ndim != 2 or table.shape[1] < len(schema.inputs):
        raise InvalidInputError(
            f"the signature has {len(schema.inputs)} inputs without names, and the data has the shape {data.shape}"
        )
    columns = []
    for index, spec in enumerate(schema.inputs):
        if not isinstance(spec.type, DataType):
            raise InvalidInputError(f"column {index}: expected {spec.type!r}, found {data.dtype}")
        columns.append(_array_column(index, table[:, index], spec.type))
    return np.stack(columns, axis=1) if columns else table


# --- tensors ----------------------------------------------------------------------------------------------------------


def _shown(name: str | None) -> str:
    return "the input" if name is None else f"input {name!r}"


def _tensor(values: Any, spec: TensorSpec) -> Any:
    """Return a tensor whose dtype and shape are the signature's."""
    dtype = values.dtype if isinstance(values, np.ndarray) else values.data.dtype
    wanted, shape = spec.shape, values.shape
    # Rows of several lengths: an array of objects, which nothing more is known of.
    if wanted == (-1,) and spec.type == _OBJECT:
        return values
    if -1 in wanted[1:] and len(shape) == 1 and dtype == _OBJECT:
        return values
    fits = len(wanted) == len(shape) and all(
        want in (-1, have) for want, have in zip(wanted, shape, strict=False)
    )
    if not fits:
        raise InvalidInputError(f"{_shown(spec.name)}: expected shape {wanted}, found {shape}")
    if clean_dtype(dtype) != spec.type:
        raise InvalidInputError(f"{_shown(spec.name)}: expected dtype {spec.type}, found {dtype}")
    return values


def _tensor_of_column(column: Any, spec: TensorSpec) -> Any:
    """Return a column of a table as a tensor: of scalars, or of rows that are lists or arrays."""
    wanted = spec.shape
    if not is_pandas(column, "Series"):
        raise InvalidInputError(f"{_shown(spec.name)}: the column stands in the table twice")
    if wanted[:1] != (-1,) or -1 in wanted[1:]:
        raise InvalidInputError(
            f"{_shown(spec.name)}: a column of a table fits a shape whose first dimension alone is -1, not {wanted}"
        )
    values = column.tolist()
    if not values:
        raise InvalidInputError(f"{_shown(spec.name)}: the table is empty")
    first = column.iloc[0]
    if np.isscalar(first):
        if wanted not in ((-1,), (-1, 1)):
            raise InvalidInputError(
                f"{_shown(spec.name)}: a column of scalars has the shape (-1,) or (-1, 1), expected {wanted}"
            )
        try:
            values = np.array(column, dtype=spec.type).reshape(wanted)
        except (TypeError, ValueError) as error:
            raise InvalidInputError(
                f"{_shown(spec.name)}: expected dtype {spec.type}, found {column.dtype}: {error}"
            ) from error
        return _tensor(values, spec)
    listed = isinstance(first, list) and bool(first) and np.isscalar(first[0])
    if not listed and not isinstance(first, np.ndarray):
        raise InvalidInputError(
            f"{_shown(spec.name)}: a column holds scalars, lists of scalars or arrays, not {type(first).__name__}"
        )
    try:
        rows = np.vstack(values).reshape(wanted)
        if listed:
            rows = rows.astype(spec.type)
    except ValueError as error:
        raise InvalidInputError(
            f"{_shown(spec.name)}: the rows do not make the shape {wanted}: {error}"
        ) from error
    if len(rows) != len(values):
        raise InvalidInputError(f"{_shown(spec.name)}: the rows do not make the shape {wanted}")
    return rows


def _tensors(data: Any, schema: Schema) -> Any:
    if is_polars(data) or is_arrow(data):
        data = _from_columns(data)
    if is_pandas(data, "Series"):
        data = data.to_frame()
    table = is_pandas(data, "DataFrame")
    if schema.has_input_names():
        required = schema.required_input_names()
        if isinstance(data, np.ndarray) and len(required) == 1:
            data = {required[0]: data}
        if not table and not isinstance(data, dict):
            raise InvalidInputError(
                f"the signature names its tensors ({', '.join(map(repr, required))}): expected a dict of arrays or a "
                f"table, found {type(data).__name__}"
            )
        _check_names(list(data.columns) if table else list(data), schema)
        new = {}
        for spec in schema.inputs:
            values = data[spec.name]
            if table:
                new[spec.name] = _tensor_of_column(values, spec)
            elif isinstance(values, np.ndarray):
                new[spec.name] = _tensor(values, spec)
            else:
                raise InvalidInputError(
                    f"input {spec.name!r}: expected an array of numpy, found {type(values).__name__}"
                )
        return new
    spec = schema.inputs[0]
    if not table:
        if isinstance(data, np.ndarray) or is_sparse(data):
            return _tensor(data, spec)
        raise InvalidInputError(
            f"the signature has one tensor: expected an array of numpy, found {type(data).__name__}"
        )
    if data.empty:
        raise InvalidInputError("the input: the table is empty")
    if len(data.columns) == 1:
        return _tensor_of_column(data[data.columns[0]], spec)
    if spec.shape != (-1, len(data.columns)):
        raise InvalidInputError(
            f"the input: expected shape {spec.shape}, found a table of {len(data.columns)} columns"
        )
    return _tensor(data.to_numpy(), spec)


def enforce_schema(data: Any, schema: Schema, flavor: str | None = None) -> Any:
    """Return inputs as a signature has them.

    Parameters
    ----------
    data : object
        A table of pandas, polars or pyarrow, an array of numpy, a dict of columns or arrays, a list of dicts or of
        values, a scalar; a CSR or CSC matrix where the signature has one tensor.
    schema : Schema
        The inputs of the signature.
    flavor : str, optional
        The model's flavor. No flavor changes the rules.

    Returns
    -------
    object
        A table of pandas for columns (an array where pandas is not installed); an array, a matrix or a dict of arrays
        for tensors.

    Raises
    ------
    nopickle.exceptions.InvalidInputError
        Where an input is missing, a type would lose values, or a shape differs; the message names the column, and what
        was expected and found.
    """
    del flavor
    return _tensors(data, schema) if schema.is_tensor_spec() else _columns(data, schema)


# --- parameters -------------------------------------------------------------------------------------------------------

_SAFE = {
    DataType.long: (DataType.integer,),
    DataType.float: (DataType.integer, DataType.long),
    DataType.double: (DataType.integer, DataType.long, DataType.float),
}


def _param_scalar(value: Any, kind: DataType) -> Any:
    """Return one value of a parameter as Python's type for it."""
    if value is None:
        return None
    if kind is DataType.datetime:
        try:
            found = np.datetime64(value).item()
        except ValueError:
            found = None
        if found is None or isinstance(found, int):
            raise InvalidInputError(f"expected a time, found {value!r}")
        return found
    if not np.isscalar(value):
        raise InvalidInputError(f"expected {kind!r}, found {type(value).__name__}")
    fits = DataType.check_type(kind, value)
    if fits or any(DataType.check_type(other, value) for other in _SAFE.get(kind, ())):
        return kind.to_python()(value)
    raise InvalidInputError(f"expected {kind!r}, found {type(value).__name__}: {value!r}")


def _enforce_param(value: Any, spec: ParamSpec) -> Any:
    """Return a parameter's value as its type and shape."""
    try:
        if spec.shape is None:
            if isinstance(spec.dtype, DataType):
                return _param_scalar(value, spec.dtype)
            _enforce_value(copy.deepcopy(value), spec.dtype)
            return value
        if spec.shape != (-1,):
            raise InvalidInputError(f"a parameter has no shape or (-1,), not {spec.shape}")
        if not isinstance(value, (list, np.ndarray)) or np.array(value).ndim != 1:
            raise InvalidInputError(f"expected a flat list, found {type(value).__name__}")
        return [_param_scalar(item, spec.dtype) for item in value]
    except InvalidInputError as error:
        raise InvalidInputError(f"parameter {spec.name!r}: {error}") from error


def enforce_params(
    params: dict[str, Any] | None, schema: ParamSchema | None
) -> dict[str, Any] | None:
    """Return parameters as a signature has them, with its defaults for those that are not given.

    A parameter that the signature does not name is dropped, with a warning in the log.

    Raises
    ------
    nopickle.exceptions.InvalidInputError
        Where a value does not fit; the message names every such parameter.
    """
    if schema is None:
        if params:
            _logger.warning("the signature has no parameters: those given are dropped")
        return params if params in (None, {}) else {}
    if params is None:
        params = {}
    if not isinstance(params, dict):
        raise InvalidInputError(f"params is a dict, not {type(params).__name__}")
    given = {str(name): value for name, value in params.items()}
    names = [spec.name for spec in schema]
    if unknown := [name for name in given if name not in names]:
        _logger.warning(
            "these parameters are not in the signature and are dropped: %s", ", ".join(unknown)
        )
    found: dict[str, Any] = {}
    wrong = []
    # What is given keeps its order, and the defaults follow.
    for name in [name for name in given if name in names] + [
        name for name in names if name not in given
    ]:
        spec = schema.params[names.index(name)]
        if name not in given:
            found[name] = spec.default
            continue
        try:
            found[name] = _enforce_param(given[name], spec)
        except InvalidInputError as error:
            wrong.append(error.message)
    if wrong:
        raise InvalidInputError("\n".join(wrong))
    return found
