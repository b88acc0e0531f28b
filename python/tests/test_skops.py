"""``nopickle.skops``: every function, argument and kind of value, and what bad input ends in."""

from __future__ import annotations

import builtins
import collections
import contextlib
import datetime
import functools
import inspect
import io
import json
import math
import operator
import os
import pickle
import signal
import stat
import subprocess
import sys
import textwrap
import threading
import time
import types
import zipfile
import zlib
import zoneinfo
from pathlib import Path

import numpy as np
import pytest
from same import differences
from scipy import sparse, special
from sklearn.base import BaseEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import FunctionTransformer, StandardScaler

from nopickle import exceptions, skops
from nopickle.exceptions import (
    LimitExceededError,
    MalformedModelError,
    NopickleError,
    UnsupportedModelError,
    UnsupportedTypeError,
    UntrustedTypesError,
    UnverifiedModelError,
)

HERE = __name__


def named(*values):
    """Parametrize by ``(name, value)`` pairs."""
    return pytest.mark.parametrize("value", [pytest.param(v, id=name) for name, v in values])


def roundtrip(value, trusted=None):
    return skops.loads(skops.dumps(value), trusted=trusted)


def trusting(value):
    """Save and load, with everything trusted that the file needs beyond the defaults."""
    data = skops.dumps(value)
    return skops.loads(data, trusted=skops.get_untrusted_types(data=data))


def assert_same(value, **how):
    """The value comes back with nothing trusted by hand, twice the same bytes."""
    data = skops.dumps(value)
    assert skops.get_untrusted_types(data=data) == []
    assert skops.dumps(value) == data
    assert not differences(value, skops.loads(data), **how)


# Plain values --------------------------------------------------------------------------------


@named(
    ("none", None),
    ("true", True),
    ("false", False),
    ("zero", 0),
    ("minus-one", -1),
    ("int64-max", 2**63 - 1),
    ("int64-min", -(2**63)),
    ("uint64", 2**64 - 1),
    ("beyond-uint64", 2**64),
    ("far-below", -(2**64) - 1),
    ("thousand-bits", 3**631),
    ("four-thousand-digits", -(10**4000) - 7),
    ("float-zero", 0.0),
    ("float-minus-zero", -0.0),
    ("float-third", 1 / 3),
    ("float-whole", 1e22),
    ("float-largest", sys.float_info.max),
    ("float-smallest", 5e-324),
    ("float-subnormal", 2.2250738585072011e-308),
    ("float-point-one", 0.1),
    ("nan", math.nan),
    ("infinity", math.inf),
    ("minus-infinity", -math.inf),
    ("text-empty", ""),
    ("text-controls", "\x00\x01\x1f\x7f\x80\u2028\u2029\t\r\n\\\"'/"),
    ("text-bmp", "\u6771\u4eac \u00fcber e\u0301"),
    ("text-beyond-bmp", "\U0001f98a\U0010ffff"),
    ("text-lone-surrogate", "a\ud800b"),
    ("text-low-then-high-surrogate", "\udc00\ud800"),
    ("text-surrogate-at-end", "\U0001f98a\udbff"),
    ("text-like-an-escape", "\\ud83d\\ude00 \\u0000"),
    ("text-long", "abc\u00e9" * 50_000),
    ("bytes-empty", b""),
    ("bytes", bytes(range(256)) * 3),
    ("bytearray", bytearray(b"\x00\xff" * 9)),
    ("bytearray-empty", bytearray()),
    ("list-empty", []),
    ("list", [1, 2.0, "three", None, True, [4, [5]]]),
    ("tuple-empty", ()),
    ("tuple", (1, (2, (3,)), "x")),
    ("set-empty", set()),
    ("set", {1, "a", (1, 2), None, 2.5, b"x", frozenset({3})}),
    ("frozenset", frozenset({1, "a", (1, 2)})),
    ("frozenset-empty", frozenset()),
    ("slice-all", slice(None)),
    ("slice", slice(1, -2, 3)),
    ("slice-of-names", slice("a", "f")),
)
def test_a_plain_value_comes_back(value):
    assert_same(value)


def test_an_integer_of_any_length_comes_back_or_is_refused():
    """Python itself refuses to write an integer of more than 4,300 digits."""
    value = 10**6000 + 1
    try:
        data = skops.dumps(value)
    except NopickleError:
        return
    assert skops.loads(data) == value


@named(
    ("str", {"a": 1, "": 2, "b\x00": 3, "\ud800": 4}),
    ("int", {1: "a", -5: "b", 2**70: "c"}),
    ("float", {1.5: "a", -0.0: "b", math.inf: "c", 1e22: "d", 0.1: "e"}),
    ("bool", {True: "a", False: "b"}),
    ("bool-false-alone", {False: 1}),
    ("none", {None: 1}),
    ("mixed", {"a": 1, 2: 2, 3.5: 3, None: 4, "True": 5, "None": 6}),
    ("int-and-its-text", {1: "number", "1": "text"}),
    ("float-and-its-text", {1.5: "number", "1.5": "text"}),
    ("true-and-its-texts", {True: 1, "True": 2, "true": 3}),
    ("numpy-int64", {np.int64(7): 1, np.int64(-7): 2}),
    ("numpy-uint8", {np.uint8(255): 1}),
    ("numpy-float64", {np.float64(0.1): 1}),
    ("numpy-float32", {np.float32(0.1): 1}),
    ("numpy-bool", {np.True_: 1, np.False_: 2}),
    ("numpy-str", {np.str_("a\u00e9"): 1}),
    ("tuple", {(1, "a"): 1, (): 2, (1, (2.5, None)): 3}),
    ("many", {i: str(i) for i in range(5000)}),
    ("order", {"z": 1, "a": 2, "m": 3, "__class__": 4, "__id__": 5, "content": 6}),
    ("nested", {"a": {"b": {1: {2.5: {}}}}}),
    ("empty", {}),
)
def test_a_dict_comes_back_with_its_keys_their_types_and_their_order(value):
    assert_same(value)


@named(
    ("bytes", {b"a": 1}),
    ("frozenset", {frozenset({1, 2}): 1}),
    ("class", {int: 1, StandardScaler: 2}),
    ("function", {np.sqrt: 1}),
    ("nan", {math.nan: 1}),
    ("datetime", {datetime.date(2020, 1, 1): 1}),
    ("numpy-datetime", {np.datetime64("2020-01-01"): 1}),
    ("complex", {1j: 1}),
)
def test_a_dict_with_rarer_keys_comes_back_or_is_refused_never_changed(value):
    try:
        data = skops.dumps(value)
    except UnsupportedTypeError:
        return
    assert not differences(value, skops.loads(data, trusted=skops.get_untrusted_types(data=data)))


class Colour(BaseEstimator):
    """An object of a class that nobody trusts by default."""

    def __init__(self, name="red"):
        self.name = name

    def paint(self, x):
        return f"{self.name} {x}"


class Slotted:
    __slots__ = ("left", "right")

    def __init__(self, left, right):
        self.left, self.right = left, right


class Stated:
    def __init__(self, value):
        self.value = value
        self.cache = "not kept"

    def __getstate__(self):
        return {"kept": self.value}

    def __setstate__(self, state):
        self.value = state["kept"]
        self.cache = "made anew"


class Reduced:
    def __init__(self, *parts):
        self.parts = parts

    def __reduce__(self):
        return type(self), self.parts


class Outer:
    class Inner:
        def __init__(self):
            self.a = 1


Point = collections.namedtuple("Point", ["x", "y"])


@named(
    ("defaultdict-list", collections.defaultdict(list, {"a": [1], 2: [3]})),
    ("defaultdict-set", collections.defaultdict(set, {"a": {1}})),
    ("defaultdict-int", collections.defaultdict(int)),
    ("defaultdict-none", collections.defaultdict(None, {"a": 1})),
    ("ordered-dict", collections.OrderedDict([("z", 1), ("a", 2), (3, 4)])),
    ("counter", collections.Counter("abracadabra")),
    ("named-tuple", Point(1, [2])),
    ("datetime", datetime.datetime(2020, 2, 29, 1, 2, 3, 456789)),
    ("datetime-fold", datetime.datetime(2020, 10, 25, 2, 30, fold=1)),
    ("date", datetime.date(1, 1, 1)),
    ("time", datetime.time(23, 59, 59, 999999)),
    ("timedelta", datetime.timedelta(days=-1, microseconds=1)),
    ("timezone-utc", datetime.timezone.utc),
    ("timezone", datetime.timezone(datetime.timedelta(hours=-5, minutes=-30), "custom")),
    ("zone", zoneinfo.ZoneInfo("Europe/Paris")),
    ("datetime-zone", datetime.datetime(2020, 7, 1, tzinfo=zoneinfo.ZoneInfo("Asia/Tokyo"))),
    ("object", Colour("blue")),
    ("object-with-getstate", Stated([1, 2])),
    ("object-with-reduce", Reduced(1, "b", [3])),
    ("attrgetter", operator.attrgetter("real", "imag.real")),
    ("itemgetter", operator.itemgetter(0, "a", None)),
    ("methodcaller", operator.methodcaller("round", 2)),
    ("partial", functools.partial(np.add, 10)),
    ("partial-keywords", functools.partial(np.sum, axis=0, keepdims=True)),
)
def test_a_richer_value_comes_back_once_its_names_are_trusted(value):
    data = skops.dumps(value)
    assert skops.dumps(value) == data
    loaded = skops.loads(data, trusted=skops.get_untrusted_types(data=data))
    assert not differences(value, loaded)


@named(
    ("deque", collections.deque([1, 2], maxlen=3)),
    ("slots", Slotted(1, [2])),
    ("complex", 1.5 - 2j),
    ("range", range(1, 10, 3)),
    ("ellipsis", ...),
    ("enum", signal.SIGTERM),
    ("path", Path("a/b")),
    ("simple-namespace", types.SimpleNamespace(a=1)),
    ("random-state-of-pcg64", np.random.RandomState(np.random.PCG64(1))),
    ("pcg64", np.random.PCG64(3)),
    ("seed-sequence", np.random.SeedSequence(5)),
    ("exception", ValueError("text")),
    ("bound-builtin", [1].append),
    ("nested-class", Outer.Inner),
    ("nested-object", Outer.Inner()),
)
def test_what_stock_skops_cannot_write_is_kept_or_refused_never_changed(value):
    try:
        data = skops.dumps(value)
        loaded = skops.loads(data, trusted=skops.get_untrusted_types(data=data))
    except (UnsupportedTypeError, UnsupportedModelError):
        return
    assert not differences(value, loaded)


def test_setstate_is_called_with_what_getstate_gave():
    loaded = roundtrip(Stated(5), trusted=[Stated])
    assert (loaded.value, loaded.cache) == (5, "made anew")


def test_a_partial_keeps_its_attributes_and_is_never_a_subclass():
    value = functools.partial(np.add, 10)
    value.note = "ten"
    loaded = trusting(value)
    assert loaded(5) == 15
    assert loaded.__dict__ == {"note": "ten"}

    class Loud(functools.partial):
        pass

    try:
        data = skops.dumps(Loud(np.add, 1))
    except UnsupportedTypeError:
        return
    assert (
        type(skops.loads(data, trusted=skops.get_untrusted_types(data=data))) is functools.partial
    )


def test_a_bound_method_stays_bound_to_the_object_beside_it():
    colour = Colour("green")
    loaded = trusting({"object": colour, "method": colour.paint})
    assert loaded["method"]("door") == "green door"
    assert loaded["method"].__self__ is loaded["object"]


def test_a_bound_method_must_be_trusted():
    data = skops.dumps(Colour("green").paint)
    untrusted = skops.get_untrusted_types(data=data)
    assert any("Colour" in name for name in untrusted)
    with pytest.raises(UntrustedTypesError):
        skops.loads(data)


def module_function(x):
    return x


@named(
    ("ufunc", np.sqrt),
    ("scipy-ufunc", special.expit),
    ("dispatcher", np.mean),
    ("builtin", len),
    ("function", module_function),
    ("class", LogisticRegression),
    ("builtin-class", dict),
    ("numpy-class", np.float64),
)
def test_a_function_or_a_class_is_a_name(value):
    assert trusting(value) is value


@named(
    ("ufunc", np.log1p),
    ("scipy-ufunc", special.erf),
    ("class", StandardScaler),
    ("builtin-class", float),
    ("numpy-class", np.int64),
)
def test_functions_of_numpy_and_scipy_and_estimator_classes_need_no_trust(value):
    data = skops.dumps(value)
    assert skops.get_untrusted_types(data=data) == []
    assert skops.loads(data) is value


@pytest.mark.parametrize(
    "function",
    [eval, exec, open, __import__, print, compile, getattr, os.system, os.remove, subprocess.run,
     pickle.loads, np.load, np.save, np.fromfile, np.savetxt],
    ids=lambda function: f"{function.__module__}.{function.__name__}",
)  # fmt: skip
def test_functions_that_run_read_or_write_are_never_trusted_by_default(function):
    data = skops.dumps({"function": FunctionTransformer(function)})
    assert skops.get_untrusted_types(data=data) != []
    with pytest.raises(UntrustedTypesError):
        skops.loads(data)


# Arrays --------------------------------------------------------------------------------------

RECORD = np.dtype([("id", "<i4"), ("place", ">f8", (2, 2)), ("name", "U3"), ("ok", "?")])
NESTED = np.dtype([("a", [("b", "i1"), ("c", "<M8[ns]")]), ("d", "S2")])
ALIGNED = np.dtype([("a", "i1"), ("b", "f8"), ("c", "u2")], align=True)

NUMERIC = [
    "?",
    "i1",
    "i2",
    "i4",
    "i8",
    "u1",
    "u2",
    "u4",
    "u8",
    "f2",
    "f4",
    "f8",
    "g",
    "F",
    "D",
    "G",
]
WIDE = ["i2", "i4", "i8", "u2", "u4", "u8", "f2", "f4", "f8", "c8", "c16"]
OTHER = ["U5", ">U5", "S3", "V4", "O", "M8[ns]", "m8[25s]", "i8,f4", ">i8", ">f4"]

NUMBERS = np.arange(24).reshape(2, 3, 4)


@named(
    *[(kind, (np.arange(6) % 3).astype(kind).reshape(2, 3)) for kind in NUMERIC],
    *[(f"big-{kind}", np.arange(6).astype(f">{kind}")) for kind in WIDE],
    ("special-floats", np.array([math.nan, -math.nan, math.inf, -0.0, 5e-324])),
    ("text", np.array(["", "a", "\u6771\u4eac", "\U0001f98a\x00x"])),
    ("text-big-endian", np.array(["ab", "\u00e9"], dtype=">U4")),
    ("bytes", np.array([b"", b"ab\x00c"])),
    ("datetime", np.array(["2020-01-01T00:00:00.5", "NaT"], dtype="M8[ns]")),
    ("datetime-days", np.array(["2020-01-01", "1969-12-31"], dtype="M8[D]")),
    ("datetime-25s", np.array([1, 2], dtype="M8[25s]")),
    ("timedelta", np.array([1, -1], dtype="m8[us]")),
    ("void", np.array([b"abc", b"de\x00"], dtype="V3")),
    ("record", np.array([(1, [[1, 2], [3, 4]], "abc", True), (2, [[5, 6], [7, 8]], "", False)], RECORD)),
    ("record-empty", np.empty(0, RECORD)),
    ("record-nested", np.array([((1, "2020"), b"xy")], NESTED)),
    ("record-aligned", np.array([(1, 2.5, 3), (4, 5.5, 6)], ALIGNED)),
    ("record-fortran", np.asfortranarray(np.zeros((2, 3), [("a", "f4"), ("b", "i8")]))),
    ("scalar-shape", np.array(7.5)),
    ("scalar-shape-text", np.array("x")),
    ("empty", np.empty(0)),
    ("empty-2d", np.empty((3, 0, 2), dtype="i2")),
    ("fortran", np.asfortranarray(NUMBERS)),
    ("fortran-big-endian", np.asfortranarray(NUMBERS.astype(">f4"))),
    ("transposed", NUMBERS.T),
    ("one-column", NUMBERS.reshape(24, 1)),
    ("many-dimensions", np.zeros((1,) * 31 + (2,))),
    ("large", np.arange(300_000, dtype="f8").reshape(1000, 300)),
)  # fmt: skip
def test_an_array_comes_back_with_its_dtype_shape_and_order(value):
    assert_same(value)


@named(
    ("swapped-axes", NUMBERS.transpose(1, 0, 2)),
    ("strided", NUMBERS[:, ::2, ::-1]),
    ("broadcast", np.broadcast_to(np.arange(3.0), (4, 3))),
    ("backwards", np.arange(5)[::-1]),
    ("read-only", np.frombuffer(b"abcdefgh", dtype="u2")),
    ("field", np.zeros(4, ALIGNED)["b"]),
)
def test_a_view_comes_back_as_an_array_of_its_own(value):
    loaded = roundtrip(value)
    assert not differences(np.array(value, order="C"), loaded, layout=False)
    assert loaded.flags.c_contiguous
    assert loaded.flags.writeable


def object_array(shape, *items):
    array = np.empty(shape, dtype=object)
    for place, item in zip(np.ndindex(*array.shape), items, strict=True):
        array[place] = item
    return array


@named(
    ("flat", object_array(4, 1, "a", None, 2.5)),
    ("of-lists", object_array(2, [1, 2], [3, 4])),
    ("of-tuples", object_array(3, (1,), (), (2, 3))),
    ("of-arrays", object_array(2, np.arange(3), np.arange(3.0))),
    ("of-unlike-arrays", object_array(2, np.arange(3), np.zeros((2, 2)))),
    ("two-dimensional", object_array((2, 3), 1, "a", None, 2.5, True, b"x")),
    ("two-dimensional-of-lists", object_array((2, 2), [1], [2, 3], [], [4])),
    ("two-dimensional-of-equal-lists", object_array((2, 2), [1, 2], [3, 4], [5, 6], [7, 8])),
    ("three-dimensional", object_array((2, 1, 2), "a", "b", "c", 4)),
    ("nested", object_array(2, object_array(2, "a", [1]), object_array((1, 1), None))),
    ("empty", object_array(0)),
    ("empty-rows", object_array((0, 3))),
    ("empty-columns", object_array((2, 0))),
    ("words", np.array(["red", "\u8d64", ""], dtype=object)),
    ("numpy-scalars", object_array(2, np.float32(0.1), np.int8(1))),
)
def test_an_object_array_comes_back_with_its_shape_and_its_items(value):
    assert_same(value)


def test_a_transposed_object_array_keeps_its_items_in_place():
    value = object_array((2, 3), 1, "a", None, 2.5, True, b"x").T
    assert not differences(value, roundtrip(value), layout=False)


@named(("text", object_array((), "alone")), ("list", object_array((), [1, 2])))
def test_an_object_array_without_dimensions_is_kept_or_refused(value):
    try:
        data = skops.dumps(value)
    except UnsupportedTypeError:
        return
    assert not differences(value, skops.loads(data))


def test_object_arrays_in_a_record_are_kept_or_refused():
    value = np.array([(1, [2])], dtype=[("a", "i4"), ("b", "O")])
    try:
        data = skops.dumps(value)
    except UnsupportedTypeError:
        return
    assert not differences(value, skops.loads(data))


@named(
    ("mask", np.ma.MaskedArray([1.5, 2.5, 3.5], mask=[True, False, True])),
    ("no-mask", np.ma.MaskedArray([1, 2, 3])),
    ("two-dimensional", np.ma.MaskedArray(np.arange(6).reshape(2, 3), mask=[[0, 1, 0], [1, 0, 0]])),
    ("objects", np.ma.MaskedArray(object_array(3, {"C": 1}, None, "a"), mask=[False, True, False])),
    ("empty", np.ma.MaskedArray(np.empty(0), mask=np.empty(0, bool))),
)
def test_a_masked_array_comes_back(value):
    assert_same(value)


@named(
    *[
        (kind, np.dtype(kind).type(1))
        for kind in [
            "?",
            "i1",
            "i2",
            "i4",
            "i8",
            "u1",
            "u2",
            "u4",
            "u8",
            "f2",
            "f4",
            "f8",
            "F",
            "D",
        ]
    ],
    ("longdouble", np.longdouble(1) / 3),
    ("nan", np.float64("nan")),
    ("minus-zero", np.float32("-0.0")),
    ("text", np.str_("\u6771\x00x")),
    ("bytes", np.bytes_(b"a\x00b")),
    ("datetime", np.datetime64("2020-01-01T01:02:03", "s")),
    ("not-a-time", np.datetime64("NaT", "ns")),
    ("timedelta", np.timedelta64(-5, "ms")),
    ("record", np.array([(1, [[1, 2], [3, 4]], "abc", True)], RECORD)[0]),
)
def test_a_numpy_scalar_comes_back(value):
    assert_same(value)


@named(
    *[(kind, np.dtype(kind)) for kind in [*NUMERIC, *OTHER]],
    ("record", RECORD),
    ("nested", NESTED),
    ("aligned", ALIGNED),
)  # fmt: skip
def test_a_dtype_comes_back(value):
    data = skops.dumps(value)
    assert skops.get_untrusted_types(data=data) == []
    assert skops.loads(data) == value


def test_a_subclass_of_an_array_is_kept_or_refused():
    for value in (
        np.rec.array([(1, 2.5)], dtype=[("a", "i4"), ("b", "f8")]),
        np.char.array(["a", "b"]),
    ):
        try:
            data = skops.dumps(value)
        except UnsupportedTypeError:
            continue
        loaded = skops.loads(data, trusted=skops.get_untrusted_types(data=data))
        assert type(loaded) is type(value)
        np.testing.assert_array_equal(np.asarray(loaded), np.asarray(value))


def test_a_memory_map_is_saved_as_the_array_it_shows(tmp_path):
    array = np.memmap(tmp_path / "numbers", dtype="f4", mode="w+", shape=(3, 4))
    array[:] = np.arange(12).reshape(3, 4)
    loaded = trusting({"array": array})["array"]
    np.testing.assert_array_equal(np.asarray(loaded), np.asarray(array))


def test_a_loaded_array_does_not_share_memory_with_what_it_was_read_from():
    value = np.arange(1000.0)
    data = bytearray(skops.dumps([value, np.asfortranarray(value.reshape(10, 100)), b"abc"]))
    loaded = skops.loads(data)
    for place in range(len(data)):
        data[place] = 255
    assert not differences(value, loaded[0])
    assert loaded[2] == b"abc"
    loaded[0][:] = 0
    loaded[1] += 1
    assert not differences(value.reshape(10, 100) + 1, loaded[1], layout=False)


# Random numbers ------------------------------------------------------------------------------


def _with_gauss() -> np.random.RandomState:
    state = np.random.RandomState(3)
    state.normal()
    return state


@named(
    ("seeded", np.random.RandomState(42)),
    ("moved", _with_gauss()),
)
def test_a_random_state_goes_on_where_it_was(value):
    expected = pickle.loads(pickle.dumps(value))
    data = skops.dumps(value)
    assert skops.get_untrusted_types(data=data) == []
    loaded = skops.loads(data)
    assert not differences(expected, loaded)
    np.testing.assert_array_equal(loaded.normal(size=7), expected.normal(size=7))
    np.testing.assert_array_equal(loaded.randint(1000, size=700), expected.randint(1000, size=700))


@pytest.mark.parametrize("kind", ["MT19937", "PCG64", "PCG64DXSM", "Philox", "SFC64"])
@pytest.mark.parametrize("moves", [0, 1, 13])
def test_a_generator_goes_on_where_it_was(kind, moves):
    generator = np.random.Generator(getattr(np.random, kind)(7))
    for _ in range(moves):
        generator.integers(100, dtype=np.uint32)
    if moves == 13:
        generator.bit_generator.seed_seq.spawn(2)
    expected = pickle.loads(pickle.dumps(generator))
    data = skops.dumps(generator)
    assert skops.get_untrusted_types(data=data) == []
    loaded = skops.loads(data)
    assert not differences(expected, loaded)
    np.testing.assert_array_equal(loaded.integers(9, size=50), expected.integers(9, size=50))
    np.testing.assert_array_equal(
        loaded.bit_generator.seed_seq.spawn(1)[0].generate_state(4),
        expected.bit_generator.seed_seq.spawn(1)[0].generate_state(4),
    )


# Sparse --------------------------------------------------------------------------------------

KINDS = ["bsr", "coo", "csc", "csr", "dia", "dok", "lil"]
DENSE = np.array([[0, 1.5, 0, 0], [0, 0, 0, 2.5], [3.5, 0, 4.5, 0]])


@pytest.mark.parametrize("container", ["array", "matrix"])
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("dtype", ["f8", "f4", "i8", "?", "D"])
def test_a_sparse_container_comes_back(kind, container, dtype):
    assert_same(getattr(sparse, f"{kind}_{container}")(DENSE.astype(dtype)))


@pytest.mark.parametrize("kind", KINDS)
def test_an_empty_sparse_container_comes_back(kind):
    assert_same(getattr(sparse, f"{kind}_array")((3, 4)))


def _unsorted() -> sparse.csr_array:
    return sparse.csr_array(
        (np.array([1.0, 2.0, 3.0]), np.array([2, 0, 0]), np.array([0, 2, 3])), (2, 3)
    )


def _wide() -> sparse.csr_array:
    value = sparse.csr_array(DENSE)
    value.indices, value.indptr = value.indices.astype(np.int64), value.indptr.astype(np.int64)
    return value


@named(
    ("unsorted", _unsorted()),
    (
        "explicit-zeros",
        sparse.csr_array((np.zeros(2), np.array([0, 1]), np.array([0, 1, 2])), (2, 2)),
    ),
    (
        "duplicates",
        sparse.coo_array((np.ones(3), (np.array([0, 0, 1]), np.array([1, 1, 0]))), (2, 2)),
    ),
    ("wide-indices", _wide()),
    ("blocks", sparse.bsr_array(np.kron(np.eye(2), np.ones((2, 3))), blocksize=(2, 3))),
    ("diagonals", sparse.dia_array((np.arange(8.0).reshape(2, 4), np.array([0, -1])), (4, 4))),
    ("no-rows", sparse.csr_array((0, 5))),
)
def test_a_sparse_container_keeps_its_own_arrays(value):
    expected = pickle.loads(pickle.dumps(value))
    data = skops.dumps(value)
    assert skops.get_untrusted_types(data=data) == []
    assert not differences(expected, skops.loads(data))


def test_a_sparse_vector_comes_back():
    value = sparse.coo_array(np.array([0.0, 1.5, 0.0, 2.5]))
    if value.ndim != 1:
        pytest.skip("this scipy has no sparse vectors")
    try:
        data = skops.dumps(value)
    except UnsupportedTypeError:
        return
    assert not differences(value, skops.loads(data))


# Who shares what -----------------------------------------------------------------------------


@named(
    ("list", [1, 2]),
    ("dict", {"a": 1}),
    ("set", {1}),
    ("bytearray", bytearray(b"x")),
    ("array", np.arange(3)),
    ("object-array", np.array(["a", None], dtype=object)),
    ("masked-array", np.ma.MaskedArray([1, 2], mask=[0, 1])),
    ("sparse", sparse.csr_array(DENSE)),
    ("random-state", np.random.RandomState(0)),
    ("generator", np.random.default_rng(0)),
    ("estimator", LogisticRegression()),
    ("defaultdict", collections.defaultdict(list)),
    ("tuple-of-list", ([1],)),
)
def test_one_object_that_stands_twice_comes_back_as_one(value):
    loaded = trusting({"first": value, "second": [value, value]})
    assert loaded["first"] is loaded["second"][0] is loaded["second"][1]


def test_equal_objects_that_are_not_one_come_back_as_two():
    loaded = roundtrip([[1], [1], np.arange(3), np.arange(3), {"a": 1}, {"a": 1}])
    assert loaded[0] is not loaded[1]
    assert loaded[2] is not loaded[3]
    assert not np.shares_memory(loaded[2], loaded[3])
    assert loaded[4] is not loaded[5]


def test_objects_that_were_made_while_saving_are_not_taken_for_one_another():
    """An address that Python used twice, for two short-lived objects, is not one object."""
    values = [Fleeting(i) for i in range(500)]
    data = skops.dumps(values)
    loaded = skops.loads(data, trusted=[Fleeting])
    for i, value in enumerate(loaded):
        assert value.value == i
        np.testing.assert_array_equal(value.array, np.full(3, i))


class Fleeting:
    """Its state is made anew whenever somebody asks for it."""

    def __init__(self, value):
        self.value = value

    def __getstate__(self):
        return {"kept": [self.value, np.full(3, self.value)]}

    def __setstate__(self, state):
        self.value, self.array = state["kept"]


def _list_in_itself():
    value = [1]
    value.append(value)
    return value


def _dict_in_itself():
    value = {"a": 1}
    value["self"] = value
    return value


def _tuple_through_a_list():
    value = ([],)
    value[0].append(value)
    return value


def _array_in_itself():
    value = np.empty(2, dtype=object)
    value[0] = [value]
    return value


def _ring():
    first, second, third = Colour("a"), Colour("b"), Colour("c")
    first.next, second.next, third.next = second, third, first
    third.all = {"ring": [first, second, third]}
    return first


def _method_of_its_holder():
    value = Colour("a")
    value.method = value.paint
    return value


@pytest.mark.parametrize(
    "make", [_list_in_itself, _dict_in_itself, _tuple_through_a_list, _array_in_itself, _ring]
)
def test_a_cycle_through_a_container_or_an_object_comes_back(make):
    value = make()
    data = skops.dumps(value)
    assert skops.dumps(make()) == data
    loaded = skops.loads(data, trusted=skops.get_untrusted_types(data=data))
    assert not differences(value, loaded)


def test_a_method_that_its_own_object_holds_comes_back_or_is_refused():
    value = _method_of_its_holder()
    try:
        data = skops.dumps(value)
        loaded = skops.loads(data, trusted=skops.get_untrusted_types(data=data))
    except (UnsupportedTypeError, MalformedModelError, UnsupportedModelError):
        return
    assert loaded.method.__self__ is loaded


class NeedsItself:
    """The arguments that would make it hold it."""

    def __init__(self, itself=None):
        self.itself = itself

    def __reduce__(self):
        return type(self), (self,)


def test_a_cycle_that_cannot_be_built_is_refused():
    with pytest.raises((NopickleError, RecursionError)):
        skops.loads(skops.dumps(NeedsItself()), trusted=[NeedsItself])


def test_a_cycle_through_the_arguments_of_a_constructor_is_built_or_refused():
    parts = []
    value = Reduced(parts)
    parts.append(value)
    try:
        loaded = skops.loads(skops.dumps(value), trusted=[Reduced])
    except NopickleError:
        return
    assert not differences(value, loaded)


def test_a_deep_nesting_does_not_crash():
    """100,000 lists in one another are saved and loaded, or refused; the process lives."""
    code = """
        from nopickle import skops
        from nopickle.exceptions import NopickleError
        value = []
        for _ in range(100_000):
            value = [value]
        try:
            data = skops.dumps(value)
            loaded = skops.loads(data)
        except (NopickleError, RecursionError) as error:
            print("refused", type(error).__name__)
        else:
            depth = 0
            while loaded:
                loaded, depth = loaded[0], depth + 1
            print("depth", depth)
    """
    words = child(code)
    assert words.startswith(("refused", "depth 100000"))


# What the functions take ---------------------------------------------------------------------


def child(code: str, *arguments: str, check: bool = True) -> str:
    """Run code in a fresh interpreter and give what it printed."""
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", textwrap.dedent(code), *arguments],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
        capture_output=True,
        text=True,
        timeout=100,
    )
    if check:
        assert done.returncode == 0, f"{done.returncode}\n{done.stdout}\n{done.stderr}"
    return done.stdout


SIGNATURES = {
    "dump": "(obj, file, *, compression=0, compresslevel=None)",
    "dumps": "(obj, *, compression=0, compresslevel=None)",
    "load": "(file, trusted=None)",
    "loads": "(data, trusted=None)",
    "get_untrusted_types": "(*, data=None, file=None)",
}


@pytest.mark.parametrize("name", [*SIGNATURES, "visualize"])
def test_the_functions_take_the_arguments_that_skops_takes(name):
    stock = pytest.importorskip("skops.io")
    expected = inspect.signature(getattr(stock, name)).parameters.values()
    found = inspect.signature(getattr(skops, name)).parameters.values()
    describe = lambda p: (p.name, p.kind, p.default if not callable(p.default) else "a function")  # noqa: E731
    # Whoever loads may name a policy beside what skops takes.
    more = [("policy", inspect.Parameter.KEYWORD_ONLY, None)] if name in ("load", "loads") else []
    assert [describe(p) for p in found] == [*(describe(p) for p in expected), *more]


@pytest.mark.parametrize("name", [*SIGNATURES, "visualize"])
def test_the_functions_are_documented(name):
    text = inspect.getdoc(getattr(skops, name))
    assert text
    assert all(argument in text for argument in inspect.signature(getattr(skops, name)).parameters)


class PathLike:
    def __init__(self, path):
        self.path = path

    def __fspath__(self):
        return str(self.path)


@pytest.mark.parametrize("way", [str, Path, PathLike])
def test_a_model_is_saved_to_a_path_and_loaded_from_it(way, tmp_path):
    path = way(tmp_path / "mod\u00e8le.skops")
    assert skops.dump({"a": np.arange(3)}, path) is None
    assert skops.get_untrusted_types(file=path) == []
    assert not differences({"a": np.arange(3)}, skops.load(path))
    assert os.listdir(tmp_path) == ["mod\u00e8le.skops"]


def test_a_path_may_be_relative(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    skops.dump([1], "model.skops")
    assert skops.load("model.skops") == [1]
    assert (tmp_path / "model.skops").read_bytes() == skops.dumps([1])


def test_dump_and_dumps_write_the_same_bytes(tmp_path):
    value = {"model": LogisticRegression(), "x": np.arange(100.0)}
    skops.dump(value, tmp_path / "model.skops")
    buffer = io.BytesIO()
    skops.dump(value, buffer)
    with open(tmp_path / "file.skops", "wb") as file:
        skops.dump(value, file)
    assert (tmp_path / "model.skops").read_bytes() == skops.dumps(value)
    assert buffer.getvalue() == skops.dumps(value)
    assert (tmp_path / "file.skops").read_bytes() == skops.dumps(value)


def test_a_file_object_stays_open_and_its_position_is_after_the_model():
    buffer = io.BytesIO()
    skops.dump([1], buffer)
    assert not buffer.closed
    assert buffer.tell() == len(buffer.getvalue())
    buffer.seek(0)
    assert skops.load(buffer) == [1]
    assert not buffer.closed


@pytest.mark.parametrize("kind", ["memory", "disk"])
def test_a_file_object_is_read_from_its_start_wherever_it_stands(kind, tmp_path):
    """As zipfile does, so that one file object can be audited and then loaded."""
    with io.BytesIO() if kind == "memory" else open(tmp_path / "m.skops", "w+b") as file:
        skops.dump([Colour("red")], file)
        assert skops.get_untrusted_types(file=file) == [f"{HERE}.Colour"]
        assert skops.load(file, trusted=[Colour])[0].name == "red"
        assert skops.load(file, trusted=[Colour])[0].name == "red"


class OnlyWrites:
    """The least that a file to write to may be; it takes a few bytes at a time and says so."""

    def __init__(self):
        self.written = b""

    def write(self, data):
        self.written += bytes(data)
        return len(data)


class OnlyReads:
    """The least that a file to read from may be."""

    def __init__(self, data):
        self.file = io.BytesIO(data)

    def read(self, size=-1):
        return self.file.read(size)

    def seek(self, place, whence=0):
        return self.file.seek(place, whence)

    def tell(self):
        return self.file.tell()

    def seekable(self):
        return True


def test_a_file_object_needs_no_more_than_write_or_read():
    target = OnlyWrites()
    skops.dump([1, "two"], target)
    assert skops.load(OnlyReads(target.written)) == [1, "two"]


@pytest.mark.parametrize("buffering", [0, -1])
def test_a_real_file_is_read_whether_it_is_buffered_or_not(buffering, tmp_path):
    with open(tmp_path / "m.skops", "wb", buffering) as file:
        skops.dump(np.arange(100_000), file)
    with open(tmp_path / "m.skops", "rb", buffering) as file:
        assert not differences(np.arange(100_000), skops.load(file))


def test_a_file_opened_for_text_is_refused(tmp_path):
    with open(tmp_path / "m.skops", "w") as file, pytest.raises(TypeError):
        skops.dump([1], file)


@pytest.mark.parametrize("way", [bytes, bytearray, memoryview])
def test_loads_takes_whatever_holds_bytes(way):
    data = way(skops.dumps({"a": [1, np.arange(3)]}))
    assert not differences({"a": [1, np.arange(3)]}, skops.loads(data))
    assert skops.get_untrusted_types(data=data) == []


@pytest.mark.parametrize("value", ["text", None, 3, [1], object()])
def test_loads_takes_nothing_else(value):
    with pytest.raises(TypeError):
        skops.loads(value)


def test_loads_says_that_text_is_not_bytes():
    with pytest.raises(TypeError, match="from string, pass bytes"):
        skops.loads("model")


def test_get_untrusted_types_takes_one_of_data_and_file(tmp_path):
    with pytest.raises(ValueError, match="Only one of data or file"):
        skops.get_untrusted_types(data=b"x", file=tmp_path)
    with pytest.raises(ValueError, match="Exactly one of data or file"):
        skops.get_untrusted_types()
    with pytest.raises(TypeError):
        skops.get_untrusted_types(data="text")
    with pytest.raises(TypeError):
        skops.get_untrusted_types(b"positional")


def test_get_untrusted_types_names_each_type_once_and_in_order():
    value = [Reduced(1), Colour(), Colour(), {"a": Stated(Reduced(2))}, len]
    names = skops.get_untrusted_types(data=skops.dumps(value))
    assert names == sorted(set(names))
    assert {f"{HERE}.Colour", f"{HERE}.Reduced", f"{HERE}.Stated"} <= set(names)
    assert all(isinstance(name, str) for name in names)


def test_the_options_are_given_by_name():
    with pytest.raises(TypeError):
        skops.dumps([1], zipfile.ZIP_DEFLATED)
    with pytest.raises(TypeError):
        skops.dump([1], io.BytesIO(), zipfile.ZIP_DEFLATED)


COMPRESSIONS = [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA]


@pytest.mark.parametrize("compression", COMPRESSIONS)
def test_a_compressed_model_is_read_by_zipfile_and_by_us(compression):
    value = {
        "zeros": np.zeros(10_000),
        "words": ["word"] * 1000,
        "b": b"abc" * 1000,
        "sparse": sparse.eye(9),
    }
    data = skops.dumps(value, compression=compression)
    assert skops.dumps(value, compression=compression) == data
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        assert archive.testzip() is None
        assert {info.compress_type for info in archive.infolist()} == {compression}
        json.loads(archive.read("schema.json"))
    assert not differences(pickle.loads(pickle.dumps(value)), skops.loads(data))
    if compression:
        assert len(data) < len(skops.dumps(value)) / 3
    buffer = io.BytesIO()
    skops.dump(value, buffer, compression=compression)
    assert buffer.getvalue() == data


@pytest.mark.parametrize("compression", COMPRESSIONS)
def test_a_model_that_zipfile_compressed_is_read(compression):
    value = {"zeros": np.zeros(10_000), "words": ["word"] * 1000}
    data = pack(unpack(skops.dumps(value)), compression)
    assert not differences(value, skops.loads(data))


def test_a_higher_level_compresses_more():
    value = np.random.RandomState(0).randint(8, size=20_000).astype("i1")
    sizes = [
        len(skops.dumps(value, compression=zipfile.ZIP_DEFLATED, compresslevel=level))
        for level in (1, 9)
    ]
    assert sizes[1] < sizes[0]


@pytest.mark.parametrize(
    "options", [{"compression": 99}, {"compression": -1}, {"compression": "deflate"}]
)
def test_an_unknown_compression_is_refused(options):
    with pytest.raises((ValueError, TypeError, NotImplementedError)):
        skops.dumps([1], **options)


@pytest.mark.parametrize("compression", [zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2])
@pytest.mark.parametrize("level", [-5, 10, 100])
def test_an_unknown_level_is_refused(compression, level):
    with pytest.raises(ValueError):
        skops.dumps([1], compression=compression, compresslevel=level)


def test_the_file_is_a_zip_with_compact_json_and_aligned_arrays():
    value = {"a": np.arange(100.0), "b": [np.arange(5, dtype="i1"), np.arange(9)], "c": b"x" * 7}
    data = skops.dumps(value)
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        assert archive.testzip() is None
        names = archive.namelist()
        assert "schema.json" in names
        assert len(names) == len(set(names)) == 5
        schema = archive.read("schema.json")
        assert b"\n" not in schema
        assert b": " not in schema
        assert json.loads(schema)["protocol"] == 2
        for info in archive.infolist():
            if info.filename.endswith(".npy"):
                with archive.open(info) as file:
                    np.lib.format.read_magic(file)
                    np.lib.format.read_array_header_1_0(file)
                    header = file.tell()
                name, extra = np.frombuffer(data, "<u2", 2, info.header_offset + 26)
                start = info.header_offset + 30 + int(name) + int(extra) + header
                assert start % 64 == 0


def test_nothing_random_and_no_time_is_in_the_file(monkeypatch):
    value = {"a": np.arange(10), "b": b"x", "c": sparse.eye(3)}
    data = skops.dumps(value)
    time.sleep(2.1)  # the resolution of a time in a zip
    assert skops.dumps(value) == data


# Trust ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "trusted",
    [[f"{HERE}.Colour"], (f"{HERE}.Colour",), [Colour], [int, Colour, "builtins.list"]],
    ids=["names", "tuple", "types", "mixed"],
)
def test_a_name_or_a_type_is_trusted(trusted):
    data = skops.dumps([Colour("red")])
    with pytest.raises(UntrustedTypesError):
        skops.loads(data)
    assert skops.loads(data, trusted=trusted)[0].name == "red"
    assert skops.load(io.BytesIO(data), trusted=trusted)[0].name == "red"
    assert skops.loads(data, trusted)[0].name == "red"


@pytest.mark.parametrize("trusted", [None, [], (), ["test_skops.Other"], [Reduced]])
def test_what_is_not_named_is_not_trusted(trusted):
    with pytest.raises(UntrustedTypesError) as caught:
        skops.loads(skops.dumps([Colour("red")]), trusted=trusted)
    assert caught.value.names == [f"{HERE}.Colour"]


def test_the_error_holds_every_name_sorted_and_says_them():
    data = skops.dumps([Stated(Colour()), Reduced(1), Colour()])
    with pytest.raises(UntrustedTypesError) as caught:
        skops.loads(data)
    names = [f"{HERE}.Colour", f"{HERE}.Reduced", f"{HERE}.Stated"]
    assert caught.value.names == names
    assert all(name in str(caught.value) for name in names)
    with pytest.raises(UntrustedTypesError) as caught:
        skops.loads(data, trusted=[Colour, Stated])
    assert caught.value.names == [f"{HERE}.Reduced"]


@pytest.mark.parametrize("load", [skops.loads, lambda data, **k: skops.load(io.BytesIO(data), **k)])
def test_trusting_everything_is_a_type_error_that_says_why(load):
    with pytest.raises(TypeError, match="trusted must be a list of strings") as caught:
        load(skops.dumps([1]), trusted=True)
    assert not isinstance(caught.value, NopickleError)


@pytest.mark.parametrize("trusted", [3, [3], [None], [True], [b"a.B"], [object()], object()])
def test_trusted_holds_names_and_types_only(trusted):
    with pytest.raises(TypeError):
        skops.loads(skops.dumps([1]), trusted=trusted)


def test_trusting_a_class_does_not_trust_its_package():
    data = skops.dumps([Colour(), Reduced(1)])
    with pytest.raises(UntrustedTypesError):
        skops.loads(data, trusted=[HERE, f"{HERE}.", f"{HERE}.*", "Colour", "Reduced"])


ERRORS = {
    MalformedModelError: ValueError,
    UnsupportedModelError: ValueError,
    LimitExceededError: ValueError,
    UnverifiedModelError: ValueError,
    UntrustedTypesError: TypeError,
    UnsupportedTypeError: TypeError,
}


def test_the_errors_have_one_root_and_a_builtin_each():
    assert issubclass(NopickleError, Exception)
    for error, builtin in ERRORS.items():
        assert issubclass(error, NopickleError)
        assert issubclass(error, builtin)
    assert not issubclass(UntrustedTypesError, ValueError)
    assert set(exceptions.__all__) >= {error.__name__ for error in [NopickleError, *ERRORS]}


def test_an_error_can_be_sent_to_another_process():
    with pytest.raises(UntrustedTypesError) as caught:
        skops.loads(skops.dumps(Colour()))
    sent = pickle.loads(pickle.dumps(caught.value))
    assert sent.names == caught.value.names
    assert str(sent) == str(caught.value)


class Unwritable:
    def __getstate__(self):
        raise ZeroDivisionError("while saving")


@named(
    ("generator", (i for i in range(3))),
    ("file", io.TextIOWrapper(io.BytesIO())),
    ("lock", threading.Lock()),
    ("module", os),
    ("memoryview", memoryview(b"abc")),
    ("iterator", iter([1, 2])),
    ("frame", sys._getframe()),
    ("socketlike", os.scandir(".")),
)
def test_an_object_that_no_file_can_hold_is_a_type_error(value):
    """Ours, or on Python 3.13 the one that the object itself raises when it is pickled."""
    with pytest.raises(TypeError, match=type(value).__name__) as caught:
        skops.dumps({"here": [value]})
    assert isinstance(caught.value, UnsupportedTypeError) or "cannot pickle" in str(caught.value)


# What dumping an Unwritable may end in: what it raised, or our own error with that as its cause.
FAILED = (ZeroDivisionError, UnsupportedTypeError)


def test_an_error_of_the_object_while_saving_is_told():
    with pytest.raises(FAILED, match="while saving") as caught:
        skops.dumps([1, Unwritable()])
    error = caught.value
    assert isinstance(
        error if isinstance(error, ZeroDivisionError) else error.__cause__, ZeroDivisionError
    )


class Interrupted:
    """Raises the error that it names when it is saved, or when it is loaded."""

    def __init__(self, error, saving=True):
        self.error = error
        self.saving = saving

    def __getstate__(self):
        if self.saving:
            raise self.error
        return {"error": self.error.__name__}

    def __setstate__(self, state):
        raise getattr(builtins, state["error"])


@pytest.mark.parametrize("error", [KeyboardInterrupt, MemoryError, SystemExit])
def test_what_is_no_fault_of_the_object_is_passed_on(error):
    with pytest.raises(error):
        skops.dumps([1, Interrupted(error)])
    data = skops.dumps([1, Interrupted(error, saving=False)])
    with pytest.raises(error):
        skops.loads(data, trusted=[Interrupted])


def test_an_error_of_the_class_while_loading_is_told():
    data = skops.dumps(Stubborn())
    with pytest.raises(UnsupportedModelError, match=r"Stubborn.*while loading") as caught:
        skops.loads(data, trusted=[Stubborn])
    assert isinstance(caught.value.__cause__, ZeroDivisionError)


class Stubborn:
    def __init__(self):
        self.a = 1

    def __setstate__(self, state):
        raise ZeroDivisionError("while loading")


# Bad input -----------------------------------------------------------------------------------


def unpack(data: bytes) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def pack(entries: dict[str, bytes], compression: int = zipfile.ZIP_STORED) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", compression) as archive:
        for name, content in entries.items():
            archive.writestr(name, content)
    return buffer.getvalue()


def schema_of(data: bytes) -> dict:
    return json.loads(unpack(data)["schema.json"])


def with_schema(data: bytes, schema) -> bytes:
    text = schema if isinstance(schema, bytes) else json.dumps(schema).encode()
    return pack({**unpack(data), "schema.json": text})


def file_of(node: dict, **entries: bytes) -> bytes:
    """A file that says this node, by zipfile and json alone."""
    node = {"__id__": 1, **node, "protocol": 2, "_skops_version": "0.16.0"}
    return pack({**entries, "schema.json": json.dumps(node).encode()})


def plain(value) -> dict:
    return {"__class__": "str", "__module__": "builtins", "__loader__": "JsonNode",
            "content": json.dumps(value), "is_json": True}  # fmt: skip


def nodes(class_, module, loader, **rest) -> dict:
    return {"__class__": class_, "__module__": module, "__loader__": loader, **rest}


MODEL = {"model": LogisticRegression(), "x": np.arange(50.0), "names": ["a", "b"]}


def asks(data) -> list:
    """What each function that reads says to the data: its exception."""
    said = []
    for ask in (
        lambda: skops.loads(data),
        lambda: skops.load(io.BytesIO(data)),
        lambda: skops.get_untrusted_types(data=data),
        lambda: skops.visualize(data, sink=lambda nodes, show: list(nodes)),
    ):
        try:
            ask()
        except Exception as error:
            said.append(error)
        else:
            said.append(None)
    return said


def test_a_truncated_file_is_malformed():
    data = skops.dumps(MODEL)
    for size in [*range(1, 64), *range(64, len(data), 61), len(data) - 1]:
        for error in asks(data[:size]):
            assert isinstance(error, MalformedModelError), f"{size} bytes: {error!r}"


@named(
    ("empty", b""),
    ("text", b"hello, world"),
    ("zeros", bytes(1000)),
    ("empty-zip", b"PK\x05\x06" + bytes(18)),
    ("pickle", pickle.dumps(MODEL)),
    ("npy", b"\x93NUMPY\x01\x00" + bytes(100)),
    ("json", b'{"protocol": 2}'),
)
def test_what_is_not_a_model_is_malformed(value):
    with pytest.raises(MalformedModelError):
        skops.loads(value)
    with pytest.raises(MalformedModelError):
        skops.load(io.BytesIO(value))
    with pytest.raises(MalformedModelError):
        skops.visualize(value)


def test_what_is_not_there_is_an_os_error(tmp_path):
    for ask in (skops.load, skops.visualize, lambda path: skops.get_untrusted_types(file=path)):
        with pytest.raises(FileNotFoundError):
            ask(tmp_path / "nothing.skops")
        with pytest.raises(OSError):
            ask(tmp_path)


def test_an_entry_that_is_missing_is_malformed_and_the_error_says_where_it_is_named():
    entries = unpack(skops.dumps(MODEL))
    array = next(name for name in entries if name.endswith(".npy"))
    entries.pop(array)
    with pytest.raises(MalformedModelError, match=r"schema\.json@\d+: malformed skops: .*entry"):
        skops.loads(pack(entries))


def test_a_changed_byte_of_an_array_is_found():
    data = bytearray(skops.dumps(np.arange(1000.0)))
    place = data.index(np.float64(500.0).tobytes())
    data[place] ^= 1
    with pytest.raises(MalformedModelError):
        skops.loads(data)


def test_a_model_without_its_schema_is_malformed():
    entries = unpack(skops.dumps(MODEL))
    entries.pop("schema.json")
    for error in asks(pack(entries)):
        assert isinstance(error, MalformedModelError)
        assert "schema.json" in str(error)


@named(
    ("nothing", b""),
    ("not-json", b"{"),
    ("list", b"[]"),
    ("text", b'"text"'),
    ("null", b"null"),
    ("twice", b'{"protocol": 2} {}'),
    ("not-utf-8", b'{"protocol": 2, "__class__": "\xff"}'),
    ("open-end", b'{"protocol": 2, "__class__": "a'),
    ("no-node", b'{"protocol": 2}'),
)
def test_a_schema_that_is_no_node_is_malformed(value):
    for error in asks(with_schema(skops.dumps(MODEL), value)):
        assert isinstance(error, MalformedModelError), repr(error)


@pytest.mark.parametrize("opening", [b"[", b'{"a":', b'{"content":', b'[{"a":'])
def test_json_of_100_000_levels_is_refused(opening):
    for error in asks(with_schema(skops.dumps(MODEL), opening * 100_000)):
        assert isinstance(error, NopickleError), repr(error)


def test_a_well_formed_model_of_100_000_levels_is_refused_or_read():
    head = b'{"__class__":"list","__module__":"builtins","__loader__":"ListNode","__id__":%d,"content":['
    text = b"".join(head % (i + 1) for i in range(100_000)) + b"]}" * 99_999 + b'],"protocol":2}'
    data = pack({"schema.json": text})
    for ask in (skops.loads, lambda data: skops.get_untrusted_types(data=data)):
        try:
            found = ask(data)
        except LimitExceededError:
            continue
        assert isinstance(found, list)


def _zeros(mebibytes: int) -> bytes:
    """A deflate stream of that many MiB of zeros, made without deflating them all."""
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    packer.compress(bytes(1 << 20))
    packer.flush(zlib.Z_FULL_FLUSH)
    block = packer.compress(bytes(1 << 20)) + packer.flush(zlib.Z_FULL_FLUSH)
    return block * mebibytes + packer.flush(zlib.Z_FINISH)


def _zip_of(name: bytes, stream: bytes, size: int, crc: int) -> bytes:
    """A zip of one deflated entry that claims this size and this CRC."""
    le = lambda value, width: value.to_bytes(width, "little")  # noqa: E731
    shared = (
        le(20, 2) + le(0, 2) + le(8, 2) + le(0, 2) + le(33, 2) + le(crc, 4) + le(len(stream), 4)
    )
    shared += le(size, 4) + le(len(name), 2) + le(0, 2)
    local = b"PK\x03\x04" + shared + name + stream
    central = b"PK\x01\x02" + le(20, 2) + shared + le(0, 2) * 3 + le(0, 4) + le(0, 4) + name
    end = (
        b"PK\x05\x06"
        + le(0, 2) * 2
        + le(1, 2) * 2
        + le(len(central), 4)
        + le(len(local), 4)
        + le(0, 2)
    )
    return local + central + end


BOMB = """
    import resource, sys
    from nopickle import skops
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    try:
        skops.load(sys.argv[1])
    except Exception as error:
        print(type(error).__name__, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""


@pytest.mark.parametrize(("claimed", "mebibytes"), [(3 << 30, 3 << 10), (100, 1 << 10), (0, 64)])
def test_a_zip_bomb_is_refused_before_it_is_inflated(claimed, mebibytes, tmp_path):
    """Whether it tells the size or lies, and whatever it would take, 64 MiB are not passed."""
    (tmp_path / "bomb.skops").write_bytes(_zip_of(b"schema.json", _zeros(mebibytes), claimed, 0))
    kind, kibibytes = child(BOMB, str(tmp_path / "bomb.skops")).split()
    assert kind in ("MalformedModelError", "LimitExceededError")
    assert int(kibibytes) < 64 << 10


def test_an_array_that_claims_to_be_larger_than_its_entry_is_refused(tmp_path):
    entries = unpack(skops.dumps(np.arange(10.0)))
    array = next(name for name in entries if name.endswith(".npy"))
    for shape in (
        "(10000000000,)",
        "(4294967296, 4294967296)",
        "(18446744073709551615,)",
        "(-1,)",
        "(11,)",
        "(9,)",
    ):
        header = f"{{'descr': '<f8', 'fortran_order': False, 'shape': {shape}, }}"
        header = header.ljust(117) + "\n"
        entries[array] = (
            b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header.encode() + bytes(80)
        )
        (tmp_path / "m.skops").write_bytes(pack(entries))
        kind, kibibytes = child(BOMB, str(tmp_path / "m.skops")).split()
        assert kind in ("MalformedModelError", "LimitExceededError"), shape
        assert int(kibibytes) < 64 << 10


def test_an_object_array_inside_an_npy_is_refused_and_never_unpickled(tmp_path):
    marker = tmp_path / "ran"
    array = np.array([Trap(str(marker))], dtype=object)
    buffer = io.BytesIO()
    np.save(buffer, array, allow_pickle=True)
    entries = unpack(skops.dumps(np.arange(3)))
    name = next(name for name in entries if name.endswith(".npy"))
    entries[name] = buffer.getvalue()
    data = pack(entries)
    with pytest.raises((MalformedModelError, UnsupportedModelError)):
        skops.loads(data)
    assert not marker.exists()


class Trap:
    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return open, (self.path, "w")


@pytest.mark.parametrize(
    "cached",
    [
        nodes("list", "builtins", "CachedNode"),
        nodes("list", "builtins", "CachedNode", __id__=123),
        nodes("list", "builtins", "CachedNode", __id__="1"),
        nodes("list", "builtins", "CachedNode", __id__=None),
    ],
)
def test_an_id_that_was_never_defined_is_malformed(cached):
    data = file_of(nodes("list", "builtins", "ListNode", content=[cached]))
    with pytest.raises(MalformedModelError):
        skops.loads(data)
    with pytest.raises(MalformedModelError):
        skops.get_untrusted_types(data=data)


def test_a_loader_that_does_not_exist_is_refused():
    data = file_of(nodes("list", "builtins", "NoSuchNode", content=[]))
    with pytest.raises((MalformedModelError, UnsupportedModelError), match="NoSuchNode"):
        skops.loads(data)


@pytest.mark.parametrize(
    ("module", "name"),
    [
        ("sklearn.linear_model._logistic", "NoSuchEstimator"),
        ("sklearn.no_such_module", "LogisticRegression"),
        ("no_such_package_at_all", "Model"),
        ("", "Model"),
        ("builtins", ""),
        ("..relative", "Model"),
        ("sklearn.linear_model._logistic", "LogisticRegression.fit"),
    ],
)
def test_a_class_that_does_not_exist_is_untrusted_and_refused_once_trusted(module, name):
    state = nodes("dict", "builtins", "DictNode", content={}, __id__=2,
                  key_types=nodes("list", "builtins", "ListNode", content=[], __id__=3))  # fmt: skip
    data = file_of(nodes(name, module, "ObjectNode", content=state))
    full = f"{module}.{name}"
    with pytest.raises((UntrustedTypesError, MalformedModelError)) as caught:
        skops.loads(data)
    if isinstance(caught.value, UntrustedTypesError):
        assert caught.value.names == [full]
        with pytest.raises(NopickleError, match=name) as caught:
            skops.loads(data, trusted=[full])
        assert not isinstance(caught.value, UntrustedTypesError)


@pytest.mark.parametrize("protocol", [3, 99, 2**70, -1])
def test_a_newer_protocol_is_refused(protocol):
    schema = {**schema_of(skops.dumps(MODEL)), "protocol": protocol}
    for error in asks(with_schema(skops.dumps(MODEL), schema)):
        assert isinstance(error, (UnsupportedModelError, MalformedModelError))
        assert "protocol" in str(error)


@pytest.mark.parametrize("protocol", ["2", 1.0, 2.0, True, None, [2]])
def test_a_protocol_that_is_no_integer_is_refused(protocol):
    schema = {**schema_of(skops.dumps(MODEL)), "protocol": protocol}
    for error in asks(with_schema(skops.dumps(MODEL), schema)):
        assert isinstance(error, MalformedModelError)
        assert "protocol" in str(error)


def test_a_model_without_a_protocol_is_refused():
    schema = schema_of(skops.dumps(MODEL))
    schema.pop("protocol")
    for error in asks(with_schema(skops.dumps(MODEL), schema)):
        assert isinstance(error, MalformedModelError)


def test_an_entry_that_stands_twice_is_refused():
    entries = unpack(skops.dumps(MODEL))
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, content in entries.items():
            archive.writestr(name, content)
        with pytest.warns(UserWarning, match="Duplicate name"):
            archive.writestr(name, content)
    with pytest.raises(MalformedModelError):
        skops.loads(buffer.getvalue())


@named(("before", b"#!/bin/sh\n"), ("another-archive", pack({"a": b"b"})))
def test_bytes_before_the_archive_are_refused(value):
    with pytest.raises(MalformedModelError):
        skops.loads(value + skops.dumps(MODEL))


def test_bytes_after_the_archive_are_refused():
    with pytest.raises(MalformedModelError):
        skops.loads(skops.dumps(MODEL) + b"more")


@pytest.mark.parametrize(
    "name", ["../out.npy", "/etc/out.npy", "a/../../out.npy", "C:\\out.npy", "a\\b.npy"]
)
def test_an_entry_outside_the_archive_is_refused(name):
    entries = unpack(skops.dumps(np.arange(3)))
    array = next(name for name in entries if name.endswith(".npy"))
    content = entries.pop(array)
    schema = entries.pop("schema.json").replace(array.encode(), json.dumps(name)[1:-1].encode())
    with pytest.raises(MalformedModelError):
        skops.loads(pack({name: content, "schema.json": schema}))


# Nothing is imported before the decision ------------------------------------------------------

MARKER = "nopickle_marker_module"


@pytest.fixture
def marker(tmp_path, monkeypatch):
    """A module whose import leaves a file behind, and the file."""
    (tmp_path / f"{MARKER}.py").write_text(
        f"from pathlib import Path\nPath({str(tmp_path / 'imported')!r}).touch()\n"
        "class Evil(dict):\n    def __init__(self, *a, **k): Path(__file__).with_name('called').touch()\n"
        "def evil(*a, **k): Path(__file__).with_name('called').touch()\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    yield tmp_path / "imported"
    sys.modules.pop(MARKER, None)


EMPTY_LIST = nodes("list", "builtins", "ListNode", content=[], __id__=901)
EMPTY_TUPLE = nodes("tuple", "builtins", "TupleNode", content=[], __id__=902)
EMPTY_DICT = nodes("dict", "builtins", "DictNode", content={}, key_types=EMPTY_LIST, __id__=903)
NPY = io.BytesIO()
np.save(NPY, np.arange(3))
ARRAY = nodes("ndarray", "numpy", "NdArrayNode", type="numpy", file="a.npy", __id__=904)
NPZ = io.BytesIO()
sparse.save_npz(NPZ, sparse.csr_matrix(DENSE))
EVIL = ("Evil", MARKER)
EVIL_TYPE = nodes(*EVIL, "TypeNode", __id__=905)

HOSTILE = {
    "object": nodes(*EVIL, "ObjectNode", content=EMPTY_DICT),
    "object-without-state": nodes(*EVIL, "ObjectNode"),
    "type": nodes(*EVIL, "TypeNode"),
    "function": nodes("evil", MARKER, "FunctionNode"),
    "function-of-protocol-0": nodes("evil", MARKER, "FunctionNode",
                                    content={"module_path": MARKER, "function": "evil"}),
    "constructor": nodes(*EVIL, "ConstructorFromReduceNode", content=EMPTY_TUPLE),
    "list": nodes(*EVIL, "ListNode", content=[]),
    "tuple": nodes(*EVIL, "TupleNode", content=[]),
    "set": nodes(*EVIL, "SetNode", content=[]),
    "dict": nodes(*EVIL, "DictNode", content={}, key_types=EMPTY_LIST),
    "key-types": nodes("dict", "builtins", "DictNode", content={"a": plain(1)},
                       key_types=nodes("list", "builtins", "ListNode", content=[EVIL_TYPE], __id__=906)),
    "key-types-list": nodes("dict", "builtins", "DictNode", content={},
                            key_types=nodes(*EVIL, "ListNode", content=[], __id__=907)),
    "defaultdict": nodes(*EVIL, "DefaultDictNode",
                         content={"main": EMPTY_DICT, "default_factory": EVIL_TYPE}),
    "defaultdict-factory": nodes("defaultdict", "collections", "DefaultDictNode",
                                 content={"main": EMPTY_DICT, "default_factory": EVIL_TYPE}),
    "array": nodes(*EVIL, "NdArrayNode", type="numpy", file="a.npy"),
    "object-array": nodes(*EVIL, "NdArrayNode", type="json", content=[],
                          shape=nodes("tuple", "builtins", "TupleNode", content=[plain(0)], __id__=908)),
    "object-array-item": nodes("ndarray", "numpy", "NdArrayNode", type="json", content=[EVIL_TYPE],
                               shape=nodes("tuple", "builtins", "TupleNode", content=[plain(1)], __id__=908)),
    "masked-array": nodes(*EVIL, "MaskedArrayNode", content={"data": ARRAY, "mask": ARRAY}),
    "sparse": nodes(*EVIL, "SparseMatrixNode", type="scipy", file="a.npz"),
    "tree": nodes(*EVIL, "TreeNode", content=EMPTY_DICT, __reduce__={"args": EMPTY_TUPLE}),
    "loss": nodes(*EVIL, "LossNode", content=EMPTY_DICT, __reduce__={"args": EMPTY_TUPLE}),
    "quantile-forest": nodes(*EVIL, "QuantileForestNode", content=EMPTY_DICT,
                             __reduce__={"args": EMPTY_TUPLE}),
    "random-state": nodes(*EVIL, "RandomStateNode", content=EMPTY_DICT),
    "generator": nodes(*EVIL, "RandomGeneratorNode", content={
        "bit_generator": nodes("dict", "builtins", "DictNode", key_types=EMPTY_LIST, __id__=909,
                               content={"bit_generator": plain("PCG64")}),
        "seed_seq": EMPTY_DICT}),
    "partial": nodes(*EVIL, "PartialNode", content={
        "func": nodes("evil", MARKER, "FunctionNode", __id__=910), "args": EMPTY_TUPLE,
        "kwds": EMPTY_DICT, "namespace": plain(None)}),
    "method": nodes(*EVIL, "MethodNode", content={
        "func": "clear", "obj": nodes(*EVIL, "ObjectNode", content=EMPTY_DICT, __id__=911)}),
    "operator": nodes(*EVIL, "OperatorFuncNode", attrs=EMPTY_TUPLE),
    "bytes": nodes(*EVIL, "BytesNode", file="a.bin"),
    "bytearray": nodes(*EVIL, "BytearrayNode", file="a.bin"),
    "slice": nodes(*EVIL, "SliceNode", content={"start": 1, "stop": 2, "step": None}),
    "dtype": nodes(*EVIL, "DTypeNode", content=ARRAY),
    "json": nodes(*EVIL, "JsonNode", content="1", is_json=True),
    "hidden-behind-a-list": nodes("list", "builtins", "ListNode", content=[
        plain(1), nodes("list", "builtins", "ListNode", __id__=912, content=[
            nodes(*EVIL, "ObjectNode", content=EMPTY_DICT, __id__=913)])]),
}  # fmt: skip


@pytest.mark.parametrize("protocol", [0, 1, 2])
@pytest.mark.parametrize("name", HOSTILE)
def test_a_name_in_a_hostile_file_is_not_imported(name, protocol, marker):
    node = {"__id__": 1, **HOSTILE[name], "protocol": protocol, "_skops_version": "0.16.0"}
    data = pack({"a.npy": NPY.getvalue(), "a.npz": NPZ.getvalue(), "a.bin": b"abc",
                 "schema.json": json.dumps(node).encode()})  # fmt: skip
    before = set(sys.modules)
    try:
        loaded = skops.loads(data)
    except NopickleError as error:
        names = getattr(error, "names", [MARKER])
    else:
        # Kinds of node whose class the reader fixes may be read; never as what the file names.
        assert name in ("bytes", "bytearray", "slice", "dtype", "json", "sparse", "masked-array")
        assert MARKER not in type(loaded).__module__
        names = [MARKER]
    assert any(MARKER in name for name in names)
    try:
        untrusted = skops.get_untrusted_types(data=data)
    except NopickleError:
        pass
    else:
        assert any(MARKER in name for name in untrusted) or name in (
            "bytes", "bytearray", "slice", "dtype", "json", "sparse", "masked-array")  # fmt: skip
    asks(data)
    assert not marker.exists()
    assert not marker.with_name("called").exists()
    assert MARKER not in sys.modules
    assert {module for module in set(sys.modules) - before if "nopickle" not in module} == set()


def test_the_marker_would_be_seen(marker):
    data = file_of(nodes(*EVIL, "TypeNode"))
    assert skops.loads(data, trusted=[f"{MARKER}.Evil"]).__name__ == "Evil"
    assert marker.exists()


CHILD_IMPORTS = """
    import sys
    import numpy
    from nopickle import skops
    from nopickle.exceptions import NopickleError
    before = set(sys.modules)
    heavy = ("sklearn", "scipy", "skops", "pandas", "joblib", "test_skops")
    print(sorted(name for name in before if name.partition(".")[0] in heavy))
    path = sys.argv[1]
    print(skops.get_untrusted_types(file=path))
    skops.visualize(path, sink=lambda nodes, show: list(nodes))
    try:
        skops.load(path)
    except NopickleError as error:
        print(type(error).__name__)
    print(sorted(name for name in set(sys.modules) - before if name.partition(".")[0] in heavy))
"""


def test_an_audit_and_a_refused_load_import_no_library(tmp_path):
    path = tmp_path / "model.skops"
    skops.dump({"fine": StandardScaler(), "not": Colour()}, path)
    lines = child(CHILD_IMPORTS, str(path)).splitlines()
    assert lines == ["[]", "['test_skops.Colour']", "UntrustedTypesError", "[]"]


# Writing over what is there -------------------------------------------------------------------


@pytest.fixture
def old(tmp_path):
    """A folder with one good model in it."""
    folder = tmp_path / "models"
    folder.mkdir()
    path = folder / "model.skops"
    skops.dump({"old": np.arange(1000)}, path)
    return path


def assert_old_is_whole(path):
    assert os.listdir(path.parent) == [path.name]
    assert not differences({"old": np.arange(1000)}, skops.load(path))


def test_a_save_that_fails_in_the_object_leaves_the_old_file(old):
    with pytest.raises(FAILED):
        skops.dump([np.zeros(100_000), Unwritable()], old)
    assert_old_is_whole(old)


def test_a_save_of_what_cannot_be_saved_leaves_the_old_file(old):
    with pytest.raises(UnsupportedTypeError):
        skops.dump([np.zeros(100_000), (i for i in ())], old)
    assert_old_is_whole(old)


def test_a_save_that_fails_leaves_no_new_file(tmp_path):
    with pytest.raises(FAILED):
        skops.dump(Unwritable(), tmp_path / "model.skops")
    assert os.listdir(tmp_path) == []


def test_a_save_on_a_full_disk_leaves_the_old_file(old):
    said = child(
        """
        import resource, signal, sys
        import numpy
        from nopickle import skops
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
        try:
            skops.dump(numpy.zeros(100_000), sys.argv[1])
        except OSError as error:
            print("refused", error.errno)
        """,
        str(old),
    )
    assert said.startswith("refused 27")
    assert_old_is_whole(old)


def test_a_save_into_a_folder_that_may_not_be_written_leaves_the_old_file(old, tmp_path):
    old.parent.chmod(0o555)
    try:
        said = child(
            """
            import os, pathlib, sys
            import numpy
            from nopickle import skops
            skops.dump(numpy.zeros(3), sys.argv[2])  # so that nothing is left to import
            if os.getuid() == 0:
                os.setuid(65534)
            try:
                skops.dump(numpy.zeros(3), sys.argv[1])
            except PermissionError:
                print("refused")
            """,
            str(old),
            str(tmp_path / "elsewhere.skops"),
        )
    finally:
        old.parent.chmod(0o755)
    assert said == "refused\n"
    assert_old_is_whole(old)


def test_a_save_that_is_killed_leaves_a_whole_file(old):
    code = """
        import sys
        import numpy
        from nopickle import skops
        model = {"old": numpy.arange(1000), "more": [numpy.zeros(50_000) for _ in range(20)]}
        while True:
            skops.dump(model, sys.argv[1])
            print("saved", flush=True)
    """
    for delay in (0.0, 0.003, 0.007, 0.011, 0.019):
        process = subprocess.Popen(
            [sys.executable, "-c", textwrap.dedent(code), str(old)],
            env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
            stdout=subprocess.PIPE,
        )
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == b"saved\n"
            time.sleep(delay)
        finally:
            process.send_signal(signal.SIGKILL)
            process.wait(30)
            process.stdout.close()
        assert not differences(np.arange(1000), skops.load(old)["old"])


def test_a_save_into_a_folder_that_is_not_there_is_an_os_error(tmp_path):
    with pytest.raises(FileNotFoundError):
        skops.dump([1], tmp_path / "none" / "model.skops")
    assert os.listdir(tmp_path) == []


def test_a_save_over_a_folder_is_an_os_error(tmp_path):
    (tmp_path / "model.skops").mkdir()
    with pytest.raises(OSError):
        skops.dump([1], tmp_path / "model.skops")
    assert os.listdir(tmp_path) == ["model.skops"]


def test_a_new_file_has_the_mode_that_the_umask_leaves(tmp_path):
    before = os.umask(0o027)
    try:
        skops.dump([1], tmp_path / "model.skops")
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "model.skops").stat().st_mode) == 0o640


def test_a_file_that_is_written_over_keeps_its_mode(old):
    old.chmod(0o604)
    skops.dump([1], old)
    assert stat.S_IMODE(old.stat().st_mode) == 0o604


def test_a_save_through_a_link_writes_what_the_link_names(tmp_path, old):
    link = tmp_path / "latest.skops"
    link.symlink_to(old)
    skops.dump([1], link)
    assert link.is_symlink()
    assert skops.load(old) == [1]


def test_a_save_to_a_pipe_does_not_replace_the_pipe(tmp_path):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    read = []
    reader = threading.Thread(target=lambda: read.append(pipe.read_bytes()), daemon=True)
    reader.start()
    try:
        skops.dump([1], pipe)
    except OSError:
        pass
    else:
        reader.join(20)
        assert read == [skops.dumps([1])]
    assert stat.S_ISFIFO(pipe.stat().st_mode)
    if reader.is_alive():  # nobody wrote: let the reader end
        pipe.write_bytes(b"")


# Threads -------------------------------------------------------------------------------------


def test_eight_threads_save_and_load_at_once():
    value = {
        "model": LogisticRegression().fit([[0.0], [1.0], [2.0]], [0, 1, 1]),
        "x": np.arange(200_000.0),
        "words": {f"w{i}": i for i in range(2000)},
    }
    expected = skops.dumps(value)
    trouble, start = [], threading.Barrier(8)

    def work():
        try:
            start.wait(20)
            for _ in range(6):
                trouble.extend(differences(value, skops.loads(expected)))
                if skops.dumps(value) != expected:
                    trouble.append("other bytes")
        except Exception as error:
            trouble.append(repr(error))

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert not trouble


def test_other_threads_run_while_a_model_is_packed_and_unpacked():
    value = np.random.RandomState(0).randint(16, size=12_000_000).astype("i1")
    data = skops.dumps(value, compression=zipfile.ZIP_BZIP2, compresslevel=1)
    for work in (
        lambda: skops.dumps(value, compression=zipfile.ZIP_BZIP2, compresslevel=1),
        lambda: skops.loads(data),
    ):
        thread = threading.Thread(target=work)
        turns = 0
        thread.start()
        while thread.is_alive():
            time.sleep(0.005)
            turns += 1
        assert turns > 10


def test_a_model_may_change_in_another_thread_without_a_crash():
    value = {"items": list(range(1000)), "by_name": {str(i): [i] for i in range(1000)}}
    done = threading.Event()

    def change():
        i = 0
        while not done.is_set():
            i += 1
            value["items"].append([i])
            value["items"].pop(0)
            value["by_name"][f"new {i}"] = i
            value["by_name"].pop(f"new {i - 5}", None)

    thread = threading.Thread(target=change)
    thread.start()
    try:
        for _ in range(30):
            # Python's own iteration fails so when another thread changes what it walks.
            with contextlib.suppress(RuntimeError):
                assert skops.loads(skops.dumps(value)).keys() == {"items", "by_name"}
    finally:
        done.set()
        thread.join(30)


# What Python code sees ------------------------------------------------------------------------


def test_loading_leaves_no_references_behind():
    value = {"a": [np.arange(10), Colour()], "b": {"c": "text" * 10}}
    data = skops.dumps(value)
    counts = []
    for _ in range(3):
        for _ in range(50):
            skops.loads(data, trusted=[Colour])
            skops.dumps(value)
        counts.append(
            (sys.getrefcount(Colour), sys.getrefcount(value["a"]), sys.getrefcount(np.ndarray))
        )
    assert counts[1] == counts[2]


def test_a_subclass_of_a_builtin_is_kept_or_refused():
    class Words(list):
        pass

    Words.__qualname__ = "Words"
    globals()["Words"] = Words
    try:
        data = skops.dumps(Words(["a"]))
    except UnsupportedTypeError:
        return
    loaded = skops.loads(data, trusted=skops.get_untrusted_types(data=data))
    assert type(loaded) is Words
    assert loaded == ["a"]
