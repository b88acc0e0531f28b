"""Schemas of a model's inputs, outputs and parameters, as MLflow 3.17 names and writes them.

The JSON of a schema is what an ``MLmodel`` holds under ``signature``; the names and their JSON are those of
``mlflow/types/schema.py`` of MLflow 3.17.2.
"""

from __future__ import annotations

import builtins
import copy
import datetime as dt
import json
from enum import Enum
from typing import TYPE_CHECKING, Any

import numpy as np

from nopickle.exceptions import MlflowException

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = [
    "AnyType",
    "Array",
    "ColSpec",
    "DataType",
    "Map",
    "Object",
    "ParamSchema",
    "ParamSpec",
    "Property",
    "Schema",
    "SparkMLVector",
    "TensorInfo",
    "TensorSpec",
    "convert_dataclass_to_schema",
]

_invalid = MlflowException.invalid_parameter_value


class DataType(Enum):
    """The scalar types of columns and parameters."""

    boolean = 1
    """True or false."""
    integer = 2
    """A signed integer of 32 bits."""
    long = 3
    """A signed integer of 64 bits."""
    float = 4
    """A float of 32 bits."""
    double = 5
    """A float of 64 bits."""
    string = 6
    """A text."""
    binary = 7
    """Bytes."""
    datetime = 8
    """A time, in nanoseconds."""

    def __repr__(self) -> str:
        return self.name

    def to_numpy(self) -> np.dtype[Any]:
        """Return numpy's dtype for the type."""
        return _NUMPY[self.name]

    def to_pandas(self) -> np.dtype[Any]:
        """Return the dtype of a pandas column of the type: ``object`` for texts and bytes."""
        if self in (DataType.string, DataType.binary):
            return np.dtype(object)
        return self.to_numpy()

    def to_python(self) -> type:
        """Return the Python type of one value."""
        return _PYTHON[self.name]

    @classmethod
    def check_type(cls, data_type: DataType, value: object) -> bool:
        """Whether a value is of the type, or of numpy's scalar type for it."""
        exact: list[Any] = [data_type.to_python()]
        if data_type is DataType.datetime:
            exact += [np.datetime64, dt.datetime]
        elif data_type is DataType.binary:
            exact += [bytearray]
        found = type(value)
        # The classes are compared with dtypes too: `np.int64` is `np.dtype("int64")`.
        return (
            found in exact or data_type.to_numpy() in (found,) or data_type.to_pandas() in (found,)
        )

    @classmethod
    def all_types(cls) -> list[DataType]:
        """Return every type."""
        return list(cls)

    @classmethod
    def from_numpy_type(cls, np_type: object) -> DataType | None:
        """Return the type whose numpy dtype is ``np_type``."""
        return next((kind for kind in cls if kind.to_numpy() == np_type), None)


_NUMPY = {
    "boolean": np.dtype(bool),
    "integer": np.dtype(np.int32),
    "long": np.dtype(np.int64),
    "float": np.dtype(np.float32),
    "double": np.dtype(np.float64),
    "string": np.dtype(str),
    "binary": np.dtype(bytes),
    "datetime": np.dtype("datetime64[ns]"),
}
_PYTHON: dict[str, type] = {
    "boolean": bool,
    "integer": int,
    "long": int,
    "float": builtins.float,
    "double": builtins.float,
    "string": str,
    "binary": bytes,
    "datetime": dt.date,
}


class BaseType:
    """The base of types that hold others."""

    def to_dict(self) -> dict[str, Any]:
        """Return what JSON says of the type."""
        raise NotImplementedError

    def _merge(self, other: object) -> Any:
        """Return the one type that values of both types have."""
        raise NotImplementedError

    __hash__ = None  # type: ignore[assignment]


def _mismatch(one: object, other: object) -> MlflowException:
    return _invalid(f"values have two types that do not go together: {one!r} and {other!r}")


def _as_type(dtype: Any, argument: str) -> Any:
    """Return a type for a type or the name of a scalar one."""
    if isinstance(dtype, str):
        if dtype not in DataType.__members__:
            known = ", ".join(DataType.__members__)
            raise MlflowException(f"{argument}: {dtype!r} is not a type; the types are {known}")
        return DataType[dtype]
    if not isinstance(dtype, (DataType, Array, Object, Map, AnyType)):
        raise MlflowException(
            f"{argument} is a DataType, Array, Object, Map, AnyType or the name of a DataType, "
            f"not {type(dtype).__name__}"
        )
    return dtype


def _to_dict(dtype: DataType | BaseType) -> dict[str, Any]:
    return {"type": dtype.name} if isinstance(dtype, DataType) else dtype.to_dict()


def _from_dict(found: Any) -> Any:
    """Return the type that a dict of JSON says."""
    if not isinstance(found, dict) or "type" not in found:
        raise MlflowException(f"a type in JSON is an object with a type, not {found!r}")
    readers = {
        "array": Array.from_json_dict,
        "object": Object.from_json_dict,
        "map": Map.from_json_dict,
        "sparkml_vector": SparkMLVector.from_json_dict,
        "any": lambda **_: AnyType(),
    }
    read = readers.get(found["type"])
    if read is not None:
        return read(**found)
    return _as_type(found["type"], "type")


def _merge(one: Any, other: Any) -> Any:
    """Return the type of values of both types; ``AnyType`` goes with each."""
    if isinstance(one, DataType):
        if one == other or isinstance(other, AnyType):
            return one
        raise _mismatch(one, other)
    return one._merge(other)


class Property(BaseType):
    """A named value of an :class:`Object`."""

    def __init__(self, name: str, dtype: Any, required: bool = True) -> None:
        if not isinstance(name, str):
            raise _invalid(f"the name of a property is a str, not {type(name).__name__}")
        self._name = name
        self._dtype = _as_type(dtype, "dtype")
        self.required = required

    @property
    def name(self) -> str:
        """The name."""
        return self._name

    @property
    def dtype(self) -> Any:
        """The type."""
        return self._dtype

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Property) and (self.name, self.dtype, self.required) == (
            other.name,
            other.dtype,
            other.required,
        )

    def __lt__(self, other: Property) -> bool:
        return self.name < other.name

    def __repr__(self) -> str:
        return f"{self.name}: {self.dtype!r} ({'required' if self.required else 'optional'})"

    def to_dict(self) -> dict[str, Any]:
        """Return what JSON says of the property, under its name."""
        return {self.name: _to_dict(self.dtype) | {"required": self.required}}

    @classmethod
    def from_json_dict(cls, **kwargs: Any) -> Property:
        """Return the property of a dict with one key, its name."""
        if len(kwargs) != 1:
            raise MlflowException(f"a property in JSON has one name, not {len(kwargs)}")
        ((name, found),) = kwargs.items()
        return cls(name, _from_dict(found), found.get("required", True))

    def _merge(self, other: Any) -> Property:
        if isinstance(other, AnyType):
            return Property(self.name, self.dtype, False)
        if not isinstance(other, Property) or self.name != other.name:
            raise _mismatch(self, other)
        return Property(
            self.name, _merge(self.dtype, other.dtype), self.required and other.required
        )


class Object(BaseType):
    """A record: values under names."""

    def __init__(self, properties: list[Property]) -> None:
        self.properties = properties

    @property
    def properties(self) -> list[Property]:
        """The values, sorted by name."""
        return self._properties

    @properties.setter
    def properties(self, value: list[Property]) -> None:
        if not isinstance(value, list) or not all(isinstance(item, Property) for item in value):
            raise _invalid(f"the properties of an Object are a list of Property, not {value!r}")
        if not value:
            raise _invalid("an Object has at least one property")
        names = [item.name for item in value]
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise _invalid(f"an Object has each name once; twice: {', '.join(twice)}")
        self._properties = sorted(value)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Object) and self.properties == other.properties

    def __repr__(self) -> str:
        return "{" + ", ".join(map(repr, self.properties)) + "}"

    def to_dict(self) -> dict[str, Any]:
        """Return what JSON says of the type."""
        properties: dict[str, Any] = {}
        for item in self.properties:
            properties |= item.to_dict()
        return {"type": "object", "properties": properties}

    @classmethod
    def from_json_dict(cls, **kwargs: Any) -> Object:
        """Return the type that a dict of JSON says."""
        found = kwargs.get("properties")
        if kwargs.get("type") != "object" or not isinstance(found, dict):
            raise MlflowException("an object in JSON has the type 'object' and properties")
        return cls([Property.from_json_dict(**{name: item}) for name, item in found.items()])

    def _merge(self, other: Any) -> Object:
        mine = {item.name: item for item in self.properties}
        if isinstance(other, AnyType):
            return Object([Property(name, item.dtype, False) for name, item in mine.items()])
        if not isinstance(other, Object):
            raise _mismatch(self, other)
        theirs = {item.name: item for item in other.properties}
        merged = []
        for name, item in (theirs | mine).items():
            if name in mine and name in theirs:
                merged.append(mine[name]._merge(theirs[name]))
            else:
                merged.append(Property(name, item.dtype, False))
        return Object(merged)


class Array(BaseType):
    """A list of values of one type."""

    def __init__(self, dtype: Any) -> None:
        self._dtype = _as_type(dtype, "dtype")

    @property
    def dtype(self) -> Any:
        """The type of the items."""
        return self._dtype

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Array) and self.dtype == other.dtype

    def __repr__(self) -> str:
        return f"Array({self.dtype!r})"

    def to_dict(self) -> dict[str, Any]:
        """Return what JSON says of the type."""
        return {"type": "array", "items": _to_dict(self.dtype)}

    @classmethod
    def from_json_dict(cls, **kwargs: Any) -> Array:
        """Return the type that a dict of JSON says."""
        if kwargs.get("type") != "array" or "items" not in kwargs:
            raise MlflowException("an array in JSON has the type 'array' and items")
        return cls(_from_dict(kwargs["items"]))

    def _merge(self, other: Any) -> Array:
        if isinstance(other, AnyType):
            return copy.deepcopy(self)
        if not isinstance(other, Array):
            raise _mismatch(self, other)
        return Array(_merge(self.dtype, other.dtype))


class SparkMLVector(Array):
    """A vector of Spark ML."""

    def __init__(self) -> None:
        super().__init__(DataType.double)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, SparkMLVector)

    def __repr__(self) -> str:
        return "SparkML vector"

    def to_dict(self) -> dict[str, Any]:
        """Return what JSON says of the type."""
        return {"type": "sparkml_vector"}

    @classmethod
    def from_json_dict(cls, **kwargs: Any) -> SparkMLVector:
        """Return the type."""
        return cls()

    def _merge(self, other: Any) -> SparkMLVector:
        if not isinstance(other, SparkMLVector):
            raise _mismatch(self, other)
        return self


class Map(BaseType):
    """A record of any names, whose values have one type."""

    def __init__(self, value_type: Any) -> None:
        self._value_type = _as_type(value_type, "value_type")

    @property
    def value_type(self) -> Any:
        """The type of the values."""
        return self._value_type

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Map) and self.value_type == other.value_type

    def __repr__(self) -> str:
        return f"Map(str -> {self.value_type})"

    def to_dict(self) -> dict[str, Any]:
        """Return what JSON says of the type."""
        return {"type": "map", "values": _to_dict(self.value_type)}

    @classmethod
    def from_json_dict(cls, **kwargs: Any) -> Map:
        """Return the type that a dict of JSON says."""
        if kwargs.get("type") != "map" or "values" not in kwargs:
            raise MlflowException("a map in JSON has the type 'map' and values")
        return cls(_from_dict(kwargs["values"]))

    def _merge(self, other: Any) -> Map:
        if isinstance(other, AnyType):
            return copy.deepcopy(self)
        if not isinstance(other, Map):
            raise _mismatch(self, other)
        return Map(_merge(self.value_type, other.value_type))


class AnyType(BaseType):
    """Anything: values of it are not checked."""

    def __eq__(self, other: object) -> bool:
        return isinstance(other, AnyType)

    def __repr__(self) -> str:
        return "Any"

    def to_dict(self) -> dict[str, Any]:
        """Return what JSON says of the type."""
        return {"type": "any"}

    def _merge(self, other: Any) -> Any:
        if isinstance(other, (DataType, AnyType)):
            return other
        if not isinstance(other, BaseType):
            raise _mismatch(self, other)
        return other._merge(self)


class ColSpec:
    """A column of a table: its type, its name, and whether it must be there."""

    def __init__(self, type: Any, name: str | None = None, required: bool = True) -> None:
        self._name = name
        self._required = required
        try:
            self._type = _as_type(type, "type")
        except MlflowException as error:
            if isinstance(type, str):
                raise
            raise TypeError(error.message) from None

    @property
    def type(self) -> Any:
        """The type of the values."""
        return self._type

    @property
    def name(self) -> str | None:
        """The column's name, where columns have names."""
        return self._name

    @name.setter
    def name(self, value: str | None) -> None:
        self._name = value

    @property
    def required(self) -> bool:
        """Whether the column must be there."""
        return self._required

    def to_dict(self) -> dict[str, Any]:
        """Return what JSON says of the column."""
        named = {} if self.name is None else {"name": self.name}
        return _to_dict(self.type) | named | {"required": self.required}

    def __eq__(self, other: object) -> bool:
        return isinstance(other, ColSpec) and (self.name, self.type, self.required) == (
            other.name,
            other.type,
            other.required,
        )

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        rest = f"{self.type!r} ({'required' if self.required else 'optional'})"
        return rest if self.name is None else f"{self.name!r}: {rest}"

    @classmethod
    def from_json_dict(cls, **kwargs: Any) -> ColSpec:
        """Return the column that a dict of JSON says."""
        if "type" not in kwargs:
            raise MlflowException("a column in JSON has a type")
        required = kwargs.get("required")
        return cls(_from_dict(kwargs), kwargs.get("name"), True if required is None else required)


class TensorInfo:
    """The dtype and the shape of a tensor; a dimension of -1 has any length."""

    def __init__(self, dtype: np.dtype[Any], shape: tuple[Any, ...] | list[Any]) -> None:
        if not isinstance(dtype, np.dtype):
            raise TypeError(f"the dtype of a tensor is a numpy.dtype, not {type(dtype).__name__}")
        if dtype.char in "US" and dtype.itemsize:
            raise MlflowException(f"a tensor of texts or bytes has no length: {dtype.name}")
        if not isinstance(shape, (tuple, list)):
            raise TypeError(f"the shape of a tensor is a tuple, not {type(shape).__name__}")
        self._dtype = dtype
        self._shape = tuple(shape)

    @property
    def dtype(self) -> np.dtype[Any]:
        """The dtype."""
        return self._dtype

    @property
    def shape(self) -> tuple[int, ...]:
        """The length of each dimension; -1 is any."""
        return self._shape

    def to_dict(self) -> dict[str, Any]:
        """Return what JSON says of the tensor."""
        return {"dtype": self.dtype.name, "shape": self.shape}

    @classmethod
    def from_json_dict(cls, **kwargs: Any) -> TensorInfo:
        """Return the tensor that a dict of JSON says."""
        if not {"dtype", "shape"} <= kwargs.keys():
            raise MlflowException("a tensor in JSON has a dtype and a shape")
        return cls(np.dtype(kwargs["dtype"]), tuple(kwargs["shape"]))

    def __repr__(self) -> str:
        return f"Tensor({self.dtype.name!r}, {self.shape!r})"


class TensorSpec:
    """A tensor: its dtype, its shape and its name."""

    def __init__(
        self, type: np.dtype[Any], shape: tuple[int, ...] | list[int], name: str | None = None
    ) -> None:
        self._name = name
        self._info = TensorInfo(type, shape)

    @property
    def type(self) -> np.dtype[Any]:
        """The dtype."""
        return self._info.dtype

    @property
    def name(self) -> str | None:
        """The name, where there are several tensors."""
        return self._name

    @property
    def shape(self) -> tuple[int, ...]:
        """The length of each dimension; -1 is any."""
        return self._info.shape

    @property
    def required(self) -> bool:
        """A tensor must be there."""
        return True

    def to_dict(self) -> dict[str, Any]:
        """Return what JSON says of the tensor."""
        named = {} if self.name is None else {"name": self.name}
        return named | {"type": "tensor", "tensor-spec": self._info.to_dict()}

    @classmethod
    def from_json_dict(cls, **kwargs: Any) -> TensorSpec:
        """Return the tensor that a dict of JSON says."""
        if kwargs.get("type") != "tensor" or "tensor-spec" not in kwargs:
            raise MlflowException("a tensor in JSON has the type 'tensor' and a tensor-spec")
        info = TensorInfo.from_json_dict(**kwargs["tensor-spec"])
        return cls(info.dtype, info.shape, kwargs.get("name"))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, TensorSpec) and (self.name, self.type, self.shape) == (
            other.name,
            other.type,
            other.shape,
        )

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return repr(self._info) if self.name is None else f"{self.name!r}: {self._info!r}"


class Schema:
    """What goes into a model or comes out of it: columns of a table, or tensors."""

    def __init__(self, inputs: list[ColSpec | TensorSpec]) -> None:
        if not isinstance(inputs, list):
            raise _invalid(f"the inputs of a Schema are a list, not {type(inputs).__name__}")
        if not inputs:
            raise _invalid("a Schema has at least one input")
        names = [item.name for item in inputs]
        unnamed = [name is None for name in names]
        if any(unnamed) and not all(unnamed):
            raise MlflowException(f"all inputs of a Schema have names, or none: {names}")
        tensors = [isinstance(item, TensorSpec) for item in inputs]
        if any(tensors) and not all(tensors):
            raise MlflowException("a Schema holds ColSpecs or TensorSpecs, not both")
        if all(tensors) and len(inputs) > 1 and any(unnamed):
            raise MlflowException("several TensorSpecs of a Schema have names")
        if all(unnamed) and not all(item.required for item in inputs):
            raise MlflowException("an optional input of a Schema has a name")
        self._inputs = inputs

    def __len__(self) -> int:
        return len(self._inputs)

    def __iter__(self) -> Iterator[ColSpec | TensorSpec]:
        return iter(self._inputs)

    @property
    def inputs(self) -> list[Any]:
        """The columns or tensors."""
        return self._inputs

    def is_tensor_spec(self) -> bool:
        """Whether the schema holds tensors."""
        return isinstance(self.inputs[0], TensorSpec)

    def input_names(self) -> list[str | int]:
        """Return the names, or numbers from 0 on where there are none."""
        return [item.name or index for index, item in enumerate(self.inputs)]

    def required_input_names(self) -> list[str | int]:
        """Return the names of what must be there."""
        return [item.name or index for index, item in enumerate(self.inputs) if item.required]

    def optional_input_names(self) -> list[str | int]:
        """Return the names of what may be left out."""
        return [item.name or index for index, item in enumerate(self.inputs) if not item.required]

    def has_input_names(self) -> bool:
        """Whether the inputs have names."""
        return self.inputs[0].name is not None

    def input_types(self) -> list[Any]:
        """Return the type of each input."""
        return [item.type for item in self.inputs]

    def input_types_dict(self) -> dict[str, Any]:
        """Return the types by name."""
        return {name: item.type for name, item in self.input_dict().items()}

    def input_dict(self) -> dict[str, Any]:
        """Return the inputs by name."""
        if not self.has_input_names():
            raise MlflowException("the inputs of this Schema have no names")
        return {item.name: item for item in self.inputs}

    def numpy_types(self) -> list[np.dtype[Any]]:
        """Return numpy's dtype for each input."""
        if self.is_tensor_spec():
            return self.input_types()
        if all(isinstance(item.type, DataType) for item in self.inputs):
            return [item.type.to_numpy() for item in self.inputs]
        raise MlflowException("an input that is not of a DataType has no numpy dtype")

    def pandas_types(self) -> list[np.dtype[Any]]:
        """Return the dtype of a pandas column for each input."""
        if self.is_tensor_spec():
            raise MlflowException("tensors have numpy dtypes only: use numpy_types()")
        if all(isinstance(item.type, DataType) for item in self.inputs):
            return [item.type.to_pandas() for item in self.inputs]
        raise MlflowException("an input that is not of a DataType has no pandas dtype")

    def to_json(self) -> str:
        """Return the JSON of the schema."""
        return json.dumps(self.to_dict())

    def to_dict(self) -> list[dict[str, Any]]:
        """Return what JSON says of each input."""
        return [item.to_dict() for item in self.inputs]

    @classmethod
    def from_json(cls, json_str: str) -> Schema:
        """Return the schema of a JSON text."""
        specs: list[ColSpec | TensorSpec] = []
        for item in json.loads(json_str):
            if not isinstance(item, dict):
                raise MlflowException(f"an input in JSON is an object, not {item!r}")
            tensor = item.get("type") == "tensor"
            specs.append((TensorSpec if tensor else ColSpec).from_json_dict(**item))
        return cls(specs)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Schema) and self.inputs == other.inputs

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return repr(self.inputs)


class ParamSpec:
    """A parameter of ``predict``: its name, type and default, and ``(-1,)`` as shape where it is a list."""

    def __init__(
        self, name: str, dtype: Any, default: Any, shape: tuple[int, ...] | None = None
    ) -> None:
        self._name = str(name)
        self._shape = None if shape is None else tuple(shape)
        if isinstance(dtype, str) and dtype not in DataType.__members__:
            raise _invalid(f"parameter {name!r}: {dtype!r} is not a type")
        self._dtype = DataType[dtype] if isinstance(dtype, str) else dtype
        if not isinstance(self.dtype, (DataType, Object)):
            raise TypeError(f"parameter {name!r}: dtype is a DataType or an Object, not {dtype!r}")
        if self.dtype is DataType.binary:
            raise _invalid(f"parameter {name!r}: a parameter is not binary")
        self._default = default
        self._default = self.validate_param_spec(default, self)

    @classmethod
    def validate_param_spec(cls, value: Any, param_spec: ParamSpec) -> Any:
        """Return a value as the parameter's type has it.

        Raises
        ------
        nopickle.exceptions.InvalidInputError
            Where the value does not fit the type or the shape.
        """
        from nopickle.models._enforce import _enforce_param

        return _enforce_param(value, param_spec)

    @property
    def name(self) -> str:
        """The name."""
        return self._name

    @property
    def dtype(self) -> Any:
        """The type."""
        return self._dtype

    @property
    def default(self) -> Any:
        """The value where none is given."""
        return self._default

    @property
    def shape(self) -> tuple[int, ...] | None:
        """``(-1,)`` for a list, ``None`` for one value."""
        return self._shape

    def to_dict(self) -> dict[str, Any]:
        """Return what JSON says of the parameter."""
        default = self.default
        if self.dtype is DataType.datetime:
            if self.shape is None:
                default = None if default is None else default.isoformat()
            else:
                default = [item.isoformat() for item in default]
        head = {"name": self.name, "default": default, "shape": self.shape}
        return head | _to_dict(self.dtype)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, ParamSpec) and (
            self.name,
            self.dtype,
            self.default,
            self.shape,
        ) == (other.name, other.dtype, other.default, other.shape)

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        shape = "" if self.shape is None else f" (shape: {self.shape})"
        return f"{self.name!r}: {self.dtype!r} (default: {self.default}){shape}"

    @classmethod
    def from_json_dict(cls, **kwargs: Any) -> ParamSpec:
        """Return the parameter that a dict of JSON says; MLflow 2.6 and before said ``dtype`` for ``type``."""
        dtype = kwargs.get("type") or kwargs.get("dtype")
        if dtype is None or not {"name", "default"} <= kwargs.keys():
            raise _invalid("a parameter in JSON has a name, a type and a default")
        dtype = Object.from_json_dict(**kwargs) if dtype == "object" else _as_type(dtype, "type")
        return cls(str(kwargs["name"]), dtype, kwargs["default"], kwargs.get("shape"))


class ParamSchema:
    """The parameters of ``predict``."""

    def __init__(self, params: list[ParamSpec]) -> None:
        if not all(isinstance(item, ParamSpec) for item in params):
            raise _invalid("a ParamSchema is a list of ParamSpec")
        names = [item.name for item in params]
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise _invalid(f"a ParamSchema has each name once; twice: {', '.join(twice)}")
        self._params = params

    def __len__(self) -> int:
        return len(self._params)

    def __iter__(self) -> Iterator[ParamSpec]:
        return iter(self._params)

    @property
    def params(self) -> list[ParamSpec]:
        """The parameters."""
        return self._params

    def to_json(self) -> str:
        """Return the JSON of the schema."""
        return json.dumps(self.to_dict())

    @classmethod
    def from_json(cls, json_str: str) -> ParamSchema:
        """Return the schema of a JSON text."""
        return cls([ParamSpec.from_json_dict(**item) for item in json.loads(json_str)])

    def to_dict(self) -> list[dict[str, Any]]:
        """Return what JSON says of each parameter."""
        return [item.to_dict() for item in self.params]

    def __eq__(self, other: object) -> bool:
        return isinstance(other, ParamSchema) and self.params == other.params

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return repr(self.params)


_OF_ANNOTATION: dict[Any, DataType] = {
    bool: DataType.boolean,
    int: DataType.long,
    builtins.float: DataType.float,
    str: DataType.string,
    bytes: DataType.binary,
    dt.date: DataType.datetime,
}


def convert_dataclass_to_schema(dataclass: Any) -> Schema:
    """Return the schema of a dataclass: one column for each field.

    A field is a scalar, a list of scalars or dataclasses, a dataclass, or one of these with ``None``.
    """
    return Schema([ColSpec(kind, name, needed) for name, kind, needed in _fields(dataclass)])


def _fields(dataclass: Any) -> Iterator[tuple[str, Any, bool]]:
    import dataclasses
    import types
    import typing

    for field, found in typing.get_type_hints(
        dataclass if isinstance(dataclass, type) else type(dataclass)
    ).items():
        needed = True
        hint = found
        if typing.get_origin(hint) in (typing.Union, types.UnionType):
            members = [item for item in typing.get_args(hint) if item is not type(None)]
            if len(members) != 1 or len(typing.get_args(hint)) != 2:
                raise MlflowException(f"field {field!r}: a union is one type and None, not {found}")
            needed, hint = False, members[0]
        listed = typing.get_origin(hint) is list
        item = typing.get_args(hint)[0] if listed else hint
        if dataclasses.is_dataclass(item):
            kind: Any = Object([Property(*row) for row in _fields(item)])
        elif item in _OF_ANNOTATION:
            kind = _OF_ANNOTATION[item]
        else:
            raise MlflowException(f"field {field!r}: a schema has no type for {found}")
        yield field, Array(kind) if listed else kind, needed
