"""``nopickle.skops.visualize`` shows what stock skops' shows, and takes its arguments."""

from __future__ import annotations

import builtins
import io
import itertools
import json

import numpy as np
import pytest
from estimators import fitted
from scipy import sparse
from sklearn.base import BaseEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, MinMaxScaler, StandardScaler

from nopickle import skops
from nopickle.exceptions import MalformedModelError

stock = pytest.importorskip("skops.io")

if not hasattr(stock, "visualize"):
    pytest.skip("this skops has no visualize", allow_module_level=True)


class Custom(BaseEstimator):
    def __init__(self, inner=None):
        self.inner = inner


def custom_function(x):
    return x


def _plain():
    return {
        "text": 'a "quoted"\nline \u00e9',
        "long": "x" * 300,
        1: [True, None, 1.5],
        "tuple": (1, {"a": {2}}),
        "bytes": b"\x00abc" * 20,
        "bytearray": bytearray(b"xyz"),
        "array": np.arange(5),
        "objects": np.array(["a", None, [1]], dtype=object),
        "sparse": sparse.csr_array(np.eye(3)),
        "dtype": np.dtype("f4"),
        "random": np.random.RandomState(0),
        "masked": np.ma.MaskedArray([1, 2], mask=[0, 1]),
    }


# What stands in the files, and whether stock skops trusts all of it by default.
VALUES = {
    "scaler": lambda: MinMaxScaler(feature_range=(-555, 123)),
    "plain": _plain,
    "pipeline": lambda: make_pipeline(
        StandardScaler(), FunctionTransformer(custom_function), LogisticRegression()
    ).fit(np.arange(8.0).reshape(4, 2), [0, 1, 0, 1]),
    "custom": lambda: Custom([Custom(StandardScaler), Custom(len)]),
    "linear": lambda: fitted("LogisticRegression")[0],
    "nested": lambda: fitted("Pipeline-nested")[0],
}

by_value = pytest.mark.parametrize("name", VALUES)
by_show = pytest.mark.parametrize("show", ["all", "trusted", "untrusted"])


def nodes_of(visualize, data, **options):
    found = []

    def sink(nodes, show, **rest):
        found.extend(nodes)

    visualize(data, sink=sink, **options)
    return [
        (node.level, node.key, node.val, node.is_self_safe, node.is_safe, node.is_last)
        for node in found
    ]


def trusted_here_alone(data):
    """The names that stock skops does not trust by default, and nopickle does."""
    return sorted(
        set(stock.get_untrusted_types(data=data)) - set(skops.get_untrusted_types(data=data))
    )


@by_value
def test_the_nodes_are_those_that_skops_shows(name):
    data = stock.dumps(VALUES[name]())
    expected = nodes_of(stock.visualize, data, trusted=trusted_here_alone(data))
    assert nodes_of(skops.visualize, data) == expected


@by_value
def test_the_nodes_of_our_own_file_are_those_that_skops_shows(name):
    data = skops.dumps(VALUES[name]())
    expected = nodes_of(stock.visualize, data, trusted=trusted_here_alone(data))
    assert parsed(nodes_of(skops.visualize, data)) == parsed(expected)


def parsed(nodes):
    """The nodes with what a ``json-type(...)`` stands for: text may be escaped or not."""
    return [
        (
            level,
            key,
            ("json", json.loads(val[10:-1])) if val.startswith("json-type(") else val,
            *rest,
        )
        for level, key, val, *rest in nodes
    ]


@by_value
def test_trusted_names_are_shown_as_trusted(name):
    data = stock.dumps(VALUES[name]())
    trusted = stock.get_untrusted_types(data=data)
    found = nodes_of(skops.visualize, data, trusted=trusted)
    assert found == nodes_of(stock.visualize, data, trusted=trusted)
    assert all(is_self_safe for *_, is_self_safe, _, _ in found)


@pytest.fixture
def without_rich(monkeypatch):
    """Stock skops prints with rich where it is installed, and wraps lines then."""
    found = builtins.__import__

    def import_(name, *args, **kwargs):
        if name.partition(".")[0] == "rich":
            raise ImportError(name)
        return found(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", import_)


@by_value
@by_show
@pytest.mark.usefixtures("without_rich")
def test_what_is_printed_is_what_skops_prints(name, show, capsys):
    data = stock.dumps(VALUES[name]())
    options = {"show": show, "tag_safe": "(fine)", "trusted": trusted_here_alone(data)}
    try:
        stock.visualize(data, **options)
    except ValueError:  # it fails where a trusted node stands below one that is not shown
        assert (name, show) == ("custom", "trusted")
        skops.visualize(data, **options)
        assert capsys.readouterr().out.startswith("root: test_visualize.Custom")
        return
    expected = capsys.readouterr().out
    skops.visualize(data, **options)
    assert capsys.readouterr().out == expected


def test_the_tree_is_plain_text(capsys):
    skops.visualize(skops.dumps({"a": [1, Custom()], "b": None}))
    assert capsys.readouterr().out.splitlines() == [
        "root: builtins.dict",
        "\u251c\u2500\u2500 a: builtins.list",
        "\u2502   \u251c\u2500\u2500 content: json-type(1)",
        "\u2502   \u2514\u2500\u2500 content: test_visualize.Custom [UNSAFE]",
        "\u2502       \u2514\u2500\u2500 attrs: builtins.dict",
        "\u2502           \u2514\u2500\u2500 inner: json-type(null)",
        "\u2514\u2500\u2500 b: json-type(null)",
    ]


@pytest.mark.parametrize("name", ["RandomForestClassifier", "HistGradientBoostingClassifier",
                                  "KNeighborsClassifier-kd_tree-euclidean", "Birch-deep"])  # fmt: skip
def test_what_is_trusted_by_default_is_shown_as_trusted(name):
    found = nodes_of(skops.visualize, skops.dumps(fitted(name)[0]))
    assert len(found) > 10
    assert all(is_self_safe and is_safe for *_, is_self_safe, is_safe, _ in found)


def test_a_file_is_shown_as_its_bytes_are(tmp_path):
    value = Custom(StandardScaler())
    skops.dump(value, tmp_path / "model.skops")
    expected = nodes_of(skops.visualize, skops.dumps(value))
    assert nodes_of(skops.visualize, tmp_path / "model.skops") == expected
    assert nodes_of(skops.visualize, str(tmp_path / "model.skops")) == expected
    with open(tmp_path / "model.skops", "rb") as file:
        assert nodes_of(skops.visualize, file) == expected
    assert nodes_of(skops.visualize, io.BytesIO(skops.dumps(value))) == expected


def test_the_sink_gets_the_options_and_what_to_show():
    got = {}

    def sink(nodes, show, **options):
        got.update(options, show=show, nodes=list(nodes))

    skops.visualize(skops.dumps([1]), show="untrusted", sink=sink, tag_safe="fine", other=3)
    assert (got["show"], got["tag_safe"], got["other"]) == ("untrusted", "fine", 3)
    assert [node.val for node in got["nodes"]] == ["builtins.list", "json-type(1)"]


def test_tags_are_printed(capsys):
    skops.visualize(skops.dumps([Custom]), tag_safe="NICE", tag_unsafe="OHNO", use_colors=False)
    assert capsys.readouterr().out.split("\n")[:2] == [
        "root: builtins.list NICE",
        "\u2514\u2500\u2500 content: test_visualize.Custom OHNO",
    ]


def test_slices_are_shown():
    """Stock skops fails here: it takes the numbers of a slice for nodes."""
    found = nodes_of(skops.visualize, skops.dumps({"a": slice(1, None), "b": [2]}))
    assert [(level, key) for level, key, *_ in found if level < 2] == [
        (0, "root"),
        (1, "a"),
        (1, "b"),
    ]
    assert found[1][2] == "builtins.slice"
    nodes_of(skops.visualize, skops.dumps(fitted("ColumnTransformer-columns")[0]))


def test_objects_that_stand_in_many_places_do_not_make_the_picture_endless():
    """A list of twice the same list, 40 times over: 2 to the power of 40 places, 41 objects."""
    value = [1]
    for _ in range(40):
        value = [value, value]
    counted = []
    skops.visualize(
        skops.dumps(value), sink=lambda nodes, show: counted.extend(itertools.islice(nodes, 10_000))
    )
    assert 41 <= len(counted) < 10_000


def test_a_cycle_is_shown_once(capsys):
    value = [1]
    value.append(value)
    skops.visualize(skops.dumps(value))
    assert 2 < len(capsys.readouterr().out.splitlines()) + 1 < 10


def test_a_file_that_is_no_model_is_malformed():
    with pytest.raises(MalformedModelError):
        skops.visualize(b"not a model")
