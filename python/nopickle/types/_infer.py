"""The schema of data: what MLflow 3.17 would infer for it (``mlflow/types/utils.py``).

pandas, polars, pyarrow and scipy are looked for among the modules that are imported: data of theirs can only come from
a program that imported them.
"""

from __future__ import annotations

import sys
import warnings
from typing import Any

import numpy as np

from nopickle.exceptions import MlflowException
from nopickle.types.schema import (
    AnyType,
    Array,
    ColSpec,
    DataType,
    Object,
    ParamSchema,
    ParamSpec,
    Property,
    Schema,
    TensorSpec,
)

_INTEGERS = (
    "the schema has integer columns, and an integer column of numpy has no missing values: where the data at "
    "prediction time may have some, infer the schema from data with missing values, or make these columns float64"
)


def library(name: str) -> Any:
    """Return a module if it is imported, else None."""
    return sys.modules.get(name)


def is_sparse(data: object) -> bool:
    """Whether data is a CSR or CSC matrix of scipy."""
    sparse = library("scipy.sparse")
    return sparse is not None and isinstance(data, (sparse.csr_matrix, sparse.csc_matrix))


def is_pandas(data: object, name: str) -> bool:
    """Whether data is pandas' class of this name."""
    pandas = library("pandas")
    return pandas is not None and isinstance(data, getattr(pandas, name))


def is_polars(data: object) -> bool:
    """Whether data is a table or a column of polars."""
    polars = library("polars")
    return polars is not None and isinstance(data, (polars.DataFrame, polars.Series))


def is_arrow(data: object) -> bool:
    """Whether data is a table of pyarrow."""
    arrow = library("pyarrow")
    return arrow is not None and isinstance(data, (arrow.Table, arrow.RecordBatch))


def is_missing(value: object) -> bool:
    """Whether a value is None, a NaN, or pandas' mark of a missing value."""
    if isinstance(value, float):
        return bool(np.isnan(value))
    pandas = library("pandas")
    return value is None or (pandas is not None and (value is pandas.NA or value is pandas.NaT))


def clean_dtype(dtype: np.dtype[Any]) -> np.dtype[Any]:
    """Return a dtype without the length of texts and bytes."""
    lengthless = {"U": str, "S": bytes}.get(dtype.char)
    return dtype if lengthless is None else np.dtype(lengthless)


def type_of_dtype(dtype: Any) -> DataType:
    """Return the type of a numpy dtype, or of an extension dtype of pandas, which has a kind and a size too."""
    kind = dtype.kind
    if kind in "iu":
        # An unsigned integer needs the next larger signed one.
        needed = dtype.itemsize * (2 if kind == "u" else 1)
        if needed <= 4:
            return DataType.integer
        if needed <= 8:
            return DataType.long
    elif kind == "f" and dtype.itemsize <= 8:
        return DataType.float if dtype.itemsize <= 4 else DataType.double
    elif kind in "bUSM":
        kinds = {"b": "boolean", "U": "string", "S": "binary", "M": "datetime"}
        return DataType[kinds[kind]]
    raise MlflowException(f"a schema has no type for {dtype}")


_SCALARS: dict[type, DataType] = {
    bool: DataType.boolean,
    np.bool_: DataType.boolean,
    int: DataType.long,
    np.int64: DataType.long,
    np.int32: DataType.integer,
    float: DataType.double,
    np.float64: DataType.double,
    np.float32: DataType.float,
    str: DataType.string,
    np.str_: DataType.string,
    object: DataType.string,
    bytes: DataType.binary,
    np.bytes_: DataType.binary,
    bytearray: DataType.binary,
}


def type_of(value: Any) -> Any:
    """Return the type of a value; None for an empty array of numpy, which says nothing."""
    if is_missing(value) or (isinstance(value, (list, dict)) and not value):
        return AnyType()
    if isinstance(value, dict):
        properties = []
        for name, item in value.items():
            kind = type_of(item)
            if kind is None:
                raise MlflowException(f"{name!r} is an empty array, which has no type")
            properties.append(Property(name, kind, not isinstance(kind, AnyType)))
        return Object(properties)
    if isinstance(value, (list, np.ndarray)):
        return _type_of_items(value)
    if type(value) in _SCALARS:
        return _SCALARS[type(value)]
    if DataType.check_type(DataType.datetime, value):
        return DataType.datetime
    raise MlflowException.invalid_parameter_value(
        f"a schema has no type for a {type(value).__module__}.{type(value).__qualname__}"
    )


def _type_of_items(items: Any) -> Array | None:
    found: Any = None
    for item in items:
        kind = type_of(item)
        if kind is None:
            continue
        if found is None:
            found = kind
        elif isinstance(found, DataType):
            if not isinstance(kind, AnyType) and kind != found:
                raise MlflowException.invalid_parameter_value(
                    f"a list has items of two types, {found!r} and {kind!r}: "
                    "give its schema yourself, as Array(AnyType())"
                )
        else:
            found = found._merge(kind)
    return None if found is None else Array(found)


def _some_type(value: Any) -> Any:
    kind = type_of(value)
    if kind is None:
        raise MlflowException("an array that is empty has no type")
    return kind


def _required(column: Any) -> bool:
    if (
        is_pandas(column, "Series")
        and isinstance(column.dtype, np.dtype)
        and column.dtype != object
    ):
        return not column.isna().any()
    if isinstance(column, list) or is_pandas(column, "Series"):
        return not any(is_missing(value) for value in column)
    return not is_missing(column)


def _pandas_column(column: Any) -> Any:
    """Return the type of a column of pandas; an object column is looked at value by value."""
    if not is_pandas(column, "Series"):
        raise TypeError(f"a table has two columns of one name: {type(column).__name__}")
    if column.dtype.kind == "O":
        column = column.infer_objects()
    if column.dtype.kind != "O":
        return type_of_dtype(column.dtype)
    try:
        return _some_type(column.to_list()).dtype
    except Exception as error:
        if library("pandas").api.types.is_string_dtype(column):
            return DataType.string
        raise MlflowException(f"column {column.name!r} has no type: {error}") from error


def _polars_type(dtype: Any) -> Any:
    polars = library("polars")
    simple = {
        polars.Boolean: DataType.boolean,
        polars.Int8: DataType.integer,
        polars.Int16: DataType.integer,
        polars.Int32: DataType.integer,
        polars.Int64: DataType.long,
        polars.UInt8: DataType.integer,
        polars.UInt16: DataType.integer,
        polars.UInt32: DataType.long,
        polars.Float32: DataType.float,
        polars.Float64: DataType.double,
        polars.String: DataType.string,
        polars.Categorical: DataType.string,
        polars.Enum: DataType.string,
        polars.Binary: DataType.binary,
        polars.Date: DataType.datetime,
        polars.Datetime: DataType.datetime,
        polars.Null: AnyType(),
    }
    base = dtype.base_type()
    if base in simple:
        return simple[base]
    if base in (polars.List, polars.Array):
        return Array(_polars_type(dtype.inner))
    if base is polars.Struct:
        return Object([Property(item.name, _polars_type(item.dtype)) for item in dtype.fields])
    raise MlflowException(f"a schema has no type for {dtype}")


def _polars_schema(data: Any) -> Schema:
    columns = [data] if isinstance(data, library("polars").Series) else data.get_columns()
    specs: list[ColSpec | TensorSpec] = []
    for column in columns:
        missing = column.null_count() > 0
        if not missing and column.dtype.is_float():
            missing = bool(column.is_nan().any())
        specs.append(ColSpec(_polars_type(column.dtype), column.name or None, not missing))
    return Schema(specs)


def _arrow_type(dtype: Any) -> Any:
    arrow = library("pyarrow")
    kinds = arrow.types
    if kinds.is_dictionary(dtype):
        return _arrow_type(dtype.value_type)
    if kinds.is_integer(dtype):
        return type_of_dtype(np.dtype(str(dtype)))
    if kinds.is_floating(dtype):
        return DataType.double if kinds.is_float64(dtype) else DataType.float
    if kinds.is_struct(dtype):
        fields = [dtype.field(index) for index in range(dtype.num_fields)]
        return Object([Property(field.name, _arrow_type(field.type)) for field in fields])
    if kinds.is_list(dtype) or kinds.is_large_list(dtype) or kinds.is_fixed_size_list(dtype):
        return Array(_arrow_type(dtype.value_type))
    for known, kind in (
        (kinds.is_boolean, DataType.boolean),
        (kinds.is_string, DataType.string),
        (kinds.is_large_string, DataType.string),
        (kinds.is_binary, DataType.binary),
        (kinds.is_large_binary, DataType.binary),
        (kinds.is_fixed_size_binary, DataType.binary),
        (kinds.is_timestamp, DataType.datetime),
        (kinds.is_date, DataType.datetime),
        (kinds.is_null, AnyType()),
    ):
        if known(dtype):
            return kind
    raise MlflowException(f"a schema has no type for {dtype}")


def _arrow_schema(data: Any) -> Schema:
    specs: list[ColSpec | TensorSpec] = []
    for field, column in zip(data.schema, data.columns, strict=True):
        kind = _arrow_type(field.type)
        missing = column.null_count > 0
        if not missing and kind in (DataType.float, DataType.double):
            missing = (
                bool(np.isnan(column.to_numpy(zero_copy_only=False)).any())
                if isinstance(data, library("pyarrow").RecordBatch)
                else bool(np.isnan(column.to_numpy()).any())
            )
        specs.append(ColSpec(kind, field.name, not missing))
    return Schema(specs)


def _tensor(values: Any, name: str | None = None) -> TensorSpec:
    if not values.shape:
        raise MlflowException("an array without dimensions has no first dimension to leave open")
    dtype = values.dtype if isinstance(values, np.ndarray) else values.data.dtype
    return TensorSpec(clean_dtype(dtype), (-1, *values.shape[1:]), name)


def _dict_schema(data: dict[Any, Any]) -> Schema:
    if all(isinstance(values, np.ndarray) for values in data.values()):
        return Schema([_tensor(values, name) for name, values in data.items()])
    if not all(isinstance(name, str) for name in data):
        raise MlflowException("the keys of a dict of inputs are texts")
    return Schema(
        [ColSpec(_some_type(value), name, _required(value)) for name, value in data.items()]
    )


def _records_schema(data: list[dict[str, Any]]) -> Schema:
    columns: dict[str, list[Any]] = {}
    for record in data:
        for name, value in record.items():
            columns.setdefault(name, []).append(value)
    needed = {name: all(record.get(name) is not None for record in data) for name in columns}
    return Schema(
        [ColSpec(_some_type(values).dtype, name, needed[name]) for name, values in columns.items()]
    )


def _schema(data: Any) -> Schema:
    if isinstance(data, list):
        if not data:
            return Schema([ColSpec(DataType.string)])
        if all(isinstance(item, dict) for item in data):
            return _records_schema(data)
        return Schema([ColSpec(_some_type(data).dtype)])
    if isinstance(data, dict):
        return _dict_schema(data)
    if is_pandas(data, "Series"):
        return Schema([ColSpec(_pandas_column(data), data.name, _required(data))])
    if is_pandas(data, "DataFrame"):
        return Schema(
            [ColSpec(_pandas_column(data[name]), name, _required(data[name])) for name in data]
        )
    if is_polars(data):
        return _polars_schema(data)
    if is_arrow(data):
        return _arrow_schema(data)
    if isinstance(data, np.ndarray) or is_sparse(data):
        return Schema([_tensor(data)])
    return Schema([ColSpec(_some_type(data))])


def infer_schema(data: Any) -> Schema:
    """Return the schema of data.

    Parameters
    ----------
    data : object
        A table of pandas, polars or pyarrow; an array of numpy, of any shape with rows first, or a dict of them; a
        CSR or CSC matrix; a list of dicts; a dict, a list or a scalar.

    Raises
    ------
    nopickle.exceptions.MlflowException
        Where a value has no type in a schema, or the items of a list have several.
    """
    schema = _schema(data)
    if not schema.is_tensor_spec() and any(
        kind in (DataType.integer, DataType.long) for kind in schema.input_types()
    ):
        warnings.warn(_INTEGERS, UserWarning, stacklevel=3)
    return schema


def _depth(value: Any) -> int:
    if isinstance(value, np.ndarray):
        return value.ndim
    if isinstance(value, list):
        return 1 + max(map(_depth, value), default=0)
    return 0


def _param_type(value: Any) -> tuple[Any, tuple[int, ...] | None]:
    if isinstance(value, (list, np.ndarray)):
        if _depth(value) != 1:
            raise MlflowException.invalid_parameter_value("a parameter is a scalar or a flat list")
        if all(DataType.check_type(DataType.datetime, item) for item in value):
            return DataType.datetime, (-1,)
        return type_of_dtype(np.array(value).dtype), (-1,)
    if DataType.check_type(DataType.datetime, value):
        return DataType.datetime, None
    if np.isscalar(value):
        return type_of_dtype(np.array(value).dtype), None
    if isinstance(value, dict):
        return type_of(value), None
    raise MlflowException.invalid_parameter_value(
        f"a parameter is a scalar, a flat list or a dict, not {type(value).__name__}"
    )


def infer_param_schema(params: dict[str, Any]) -> ParamSchema:
    """Return the schema of parameters, whose values become the defaults.

    Raises
    ------
    nopickle.exceptions.MlflowException
        Where a value is not a scalar, a flat list or a dict.
    """
    if not isinstance(params, dict):
        raise MlflowException.invalid_parameter_value(
            f"params is a dict, not {type(params).__name__}"
        )
    specs, wrong = [], []
    for name, value in params.items():
        try:
            kind, shape = _param_type(value)
            specs.append(ParamSpec(name, kind, value, shape))
        except Exception as error:
            wrong.append(f"{name!r} ({error})")
    if wrong:
        raise MlflowException.invalid_parameter_value(
            "these parameters have no schema: " + ", ".join(wrong)
        )
    return ParamSchema(specs)
