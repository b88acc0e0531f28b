"""Whether two objects are the same: types, bits, order, layout, and who shares what with whom.

``differences(expected, found)`` walks both at once and names each place where they differ.
It is strict: ``1`` is not ``True``, ``0.0`` is not ``-0.0``, an ``int32`` array is not the equal
``int64`` one, and two references to one list are not two references to two equal lists.
Objects that it does not know are compared by what ``__reduce_ex__`` says of them, which is all
that pickle would keep.
"""

from __future__ import annotations

import functools
import struct
import types
from collections.abc import Iterator
from typing import Any

import numpy as np
from scipy import sparse

PRIMITIVES = (type(None), bool, int, str, bytes, type(...), type(NotImplemented))
BY_IDENTITY = (
    type,
    types.FunctionType,
    types.BuiltinFunctionType,
    types.ModuleType,
    np.ufunc,
    type(np.mean),
)
# Values of these types have no identity that anybody could rely on.
UNSHARED = (*PRIMITIVES, *BY_IDENTITY, float, complex, tuple, frozenset, np.generic, np.dtype)

Step = tuple[str, Any, Any]


def differences(
    expected: Any, found: Any, *, sharing: bool = True, layout: bool = True, limit: int = 5
) -> list[str]:
    """Say where ``found`` is not ``expected``: an empty list if it is the same.

    ``sharing=False`` does not ask whether objects are shared in both alike, ``layout=False``
    does not ask for the order in which an array's elements lie in memory.
    """
    told: list[str] = []
    kept: list[Any] = []  # parts made on the way stay alive, so that an id means one object
    twins: dict[int, int] = {}
    back: dict[int, int] = {}
    todo: list[Step] = [("", expected, found)]
    while todo and len(told) < limit:
        path, a, b = todo.pop()
        if type(a) is not type(b):
            told.append(f"{path or '.'}: {type(a).__name__} became {type(b).__name__}")
            continue
        if not isinstance(a, UNSHARED):
            kept.append((a, b))
            if id(a) in twins or id(b) in back:
                if sharing and (twins.get(id(a)) != id(b) or back.get(id(b)) != id(a)):
                    told.append(f"{path or '.'}: shared in one, a copy in the other")
                    continue
                if twins.get(id(a)) == id(b):
                    continue
            twins[id(a)] = id(b)
            back[id(b)] = id(a)
        trouble, parts = _compare(a, b, layout)
        if trouble:
            told.append(f"{path or '.'}: {trouble}")
        parts = list(parts)
        kept.append(parts)
        todo.extend((path + step, one, other) for step, one, other in reversed(parts))
    return told


def _compare(a: Any, b: Any, layout: bool) -> tuple[str, Any]:
    """What differs in the two objects themselves, and the parts that are still to be compared."""
    kind = type(a)
    if kind in (float, complex):
        return ("" if _bits(a) == _bits(b) else f"{a!r} became {b!r}"), ()
    if kind in PRIMITIVES or kind in (np.str_, np.bytes_):
        return ("" if a == b else f"{_short(a)} became {_short(b)}"), ()
    if isinstance(a, types.BuiltinFunctionType) and isinstance(a.__self__, type):
        same = a.__self__ is b.__self__ and a.__name__ == b.__name__  # made anew at each look
        return ("" if same else f"{a!r} became {b!r}"), ()
    if isinstance(a, BY_IDENTITY):
        return ("" if a is b else f"{a!r} became {b!r}"), ()
    if isinstance(a, np.dtype):
        return ("" if a == b and repr(a) == repr(b) else f"{a!r} became {b!r}"), ()
    if isinstance(a, np.ma.MaskedArray):
        return "", [(".data", a.data, b.data), (".mask", np.asarray(a.mask), np.asarray(b.mask))]
    if isinstance(a, np.ndarray):
        return _compare_arrays(a, b, layout)
    if isinstance(a, np.void) and a.dtype.names:
        return _compare_arrays(np.asarray(a), np.asarray(b), layout)
    if isinstance(a, np.generic):
        same = a.dtype == b.dtype and a.tobytes() == b.tobytes()
        if not same and a.dtype.kind in "fc" and a.itemsize > 8:  # padding of a long double
            same = a.dtype == b.dtype and (a == b or (a != a and b != b))
        return ("" if same else f"{a!r} became {b!r}"), ()
    if sparse.issparse(a):
        return _compare_sparse(a, b)
    if isinstance(a, np.random.RandomState):
        return "", [(".state", a.get_state(legacy=False), b.get_state(legacy=False))]
    if isinstance(a, np.random.Generator):
        return "", [(".bit_generator", a.bit_generator, b.bit_generator)]
    if isinstance(a, np.random.BitGenerator):
        return "", [
            (".state", a.state, b.state),
            (".seed_seq", getattr(a.seed_seq, "state", None), getattr(b.seed_seq, "state", None)),
        ]
    if kind is types.MethodType:
        same = a.__func__ is b.__func__
        return ("" if same else f"{a!r} became {b!r}"), [(".__self__", a.__self__, b.__self__)]
    if isinstance(a, functools.partial):
        return "", [
            (".func", a.func, b.func),
            (".args", a.args, b.args),
            (".keywords", a.keywords, b.keywords),
            # Looking at __dict__ would make one where there is none.
            (".__dict__", a.__reduce__()[2][3] or {}, b.__reduce__()[2][3] or {}),
        ]
    if isinstance(a, (set, frozenset)):
        return _compare_items(_sorted(a), _sorted(b))
    if isinstance(a, dict):
        trouble, parts = _compare_items(list(a), list(b))
        if trouble:
            return trouble, parts
        parts += [(f"[{_short(key)}]", a[key], b[other]) for key, other in zip(a, b, strict=True)]
        if hasattr(a, "default_factory"):
            parts.append((".default_factory", a.default_factory, b.default_factory))
        return "", parts
    if isinstance(a, (list, tuple)) and kind.__reduce_ex__ in (
        list.__reduce_ex__,
        tuple.__reduce_ex__,
    ):
        return _compare_items(list(a), list(b))
    if isinstance(a, (str, int, float)):  # a subclass
        return ("" if a == b else f"{a!r} became {b!r}"), ()
    if kind.__module__.partition(".")[0] == "pandas":
        return _compare_pandas(a, b)
    return _compare_reduced(a.__reduce_ex__(4), b.__reduce_ex__(4))


def _compare_items(a: list[Any], b: list[Any]) -> tuple[str, list[Step]]:
    if len(a) != len(b):
        return f"{len(a)} items became {len(b)}", []
    return "", [(f"[{i}]", one, other) for i, (one, other) in enumerate(zip(a, b, strict=True))]


def _compare_arrays(a: np.ndarray, b: np.ndarray, layout: bool) -> tuple[str, list[Step]]:
    if a.dtype != b.dtype or a.dtype.str != b.dtype.str:
        return f"array of {a.dtype!r} became {b.dtype!r}", []
    if a.shape != b.shape:
        return f"shape {a.shape} became {b.shape}", []
    if not b.flags.writeable or not b.flags.aligned:
        return f"an array that is not writeable or not aligned: {b.flags}", []
    if layout and any(_order(a)) and _order(a) != _order(b):
        return "the order of the elements in memory changed", []
    if a.dtype.names:
        return "", [
            (f"[{name!r}]", _writeable(a[name]), _writeable(b[name])) for name in a.dtype.names
        ]
    if a.dtype.hasobject:
        return _compare_items(_flat(a), _flat(b))
    if a.dtype.kind in "fc" and a.dtype.itemsize in (16, 32) and a.dtype.char in "gG":
        same = bool(np.array_equal(a, b, equal_nan=True))  # a long double has padding
    else:
        same = a.tobytes() == b.tobytes()
    return ("" if same else f"values of {_short(a)} became {_short(b)}"), []


def _order(array: np.ndarray) -> tuple[bool, bool]:
    return array.flags.c_contiguous, array.flags.f_contiguous


def _writeable(column: np.ndarray) -> np.ndarray:
    return np.array(column, copy=True)


def _flat(array: np.ndarray) -> list[Any]:
    return list(array.ravel(order="C")) if array.ndim else [array[()]]


SPARSE_PARTS = {
    "bsr": ("data", "indices", "indptr"),
    "csc": ("data", "indices", "indptr"),
    "csr": ("data", "indices", "indptr"),
    "dia": ("data", "offsets"),
    "coo": ("data",),
}


def _compare_sparse(a: Any, b: Any) -> tuple[str, list[Step]]:
    if (a.format, a.shape, a.dtype) != (b.format, b.shape, b.dtype):
        return f"{a!r} became {b!r}", []
    if a.format == "dok":
        return "", [(".items", sorted(a.items()), sorted(b.items()))]
    if a.format == "lil":
        return "", [
            (
                ".rows",
                [list(map(int, row)) for row in a.rows],
                [list(map(int, row)) for row in b.rows],
            ),
            (".data", [list(row) for row in a.data], [list(row) for row in b.data]),
        ]
    parts = [(f".{name}", getattr(a, name), getattr(b, name)) for name in SPARSE_PARTS[a.format]]
    if a.format == "coo":
        coords = lambda x: list(x.coords) if hasattr(x, "coords") else [x.row, x.col]  # noqa: E731
        parts.append((".coords", coords(a), coords(b)))
    return "", parts


def _compare_pandas(a: Any, b: Any) -> tuple[str, list[Step]]:
    import pandas.testing

    name = next(
        (
            base.__name__
            for base in type(a).__mro__
            if base.__name__ in ("DataFrame", "Series", "Index")
        ),
        None,
    )
    if name is None:
        return ("" if a == b else f"{a!r} became {b!r}"), []
    checks = {
        "DataFrame": pandas.testing.assert_frame_equal,
        "Series": pandas.testing.assert_series_equal,
        "Index": pandas.testing.assert_index_equal,
    }
    try:
        checks[name](a, b, check_exact=True)
    except AssertionError as error:
        return str(error), []
    return "", []


def _compare_reduced(a: Any, b: Any) -> tuple[str, Any]:
    if isinstance(a, str) or isinstance(b, str):
        return ("" if a == b else f"{a!r} became {b!r}"), ()
    return "", _reduced_parts(a, b)


def _reduced_parts(a: tuple[Any, ...], b: tuple[Any, ...]) -> Iterator[Step]:
    yield ".<function>", a[0], b[0]
    yield ".<arguments>", a[1], b[1]
    states = [reduced[2] if len(reduced) > 2 else None for reduced in (a, b)]
    if all(isinstance(state, dict) for state in states):
        mine, other = states
        yield ".<attributes>", list(mine), list(other)
        for name in mine:
            if name in other:
                yield f".{name}", mine[name], other[name]
    else:
        yield ".<state>", *states
    for position, step in ((3, ".<items>"), (4, ".<entries>")):
        listed = [
            list(reduced[position])
            if len(reduced) > position and reduced[position] is not None
            else None
            for reduced in (a, b)
        ]
        yield step, *listed


def _sorted(items: Any) -> list[Any]:
    return sorted(items, key=lambda item: (type(item).__name__, repr(item)))


def _bits(value: float | complex) -> bytes:
    value = complex(value)
    return struct.pack("<dd", value.real, value.imag)


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) < 120 else f"{text[:100]}...{text[-16:]}"
