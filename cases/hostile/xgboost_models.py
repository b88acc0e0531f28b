"""Make the hostile models of ``cases/hostile/xgboost``: each breaks one rule of ``docs/formats/xgboost.md``.

    python cases/hostile/xgboost_models.py [--check]

The models are cut from those that XGBoost wrote (``cases/boosters``); nothing here uses nopickle or
XGBoost. The second and third argument of each maker say how the file is refused, in the words of the
rule; ``xgboost/expected.toml`` is made of them. With ``--check`` nothing is written, and a file that
would change is named.
"""

from __future__ import annotations

import argparse
import copy
import json
import struct
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
FOLDER = HERE / "xgboost"
BOOSTERS = HERE.parent / "boosters"
FILES: dict[str, bytes] = {}
EXPECTED: dict[str, tuple[str, str]] = {}

FORMATS = {"i": "b", "U": "B", "I": "h", "l": "i", "L": "q", "d": "f", "D": "d"}
KEYS = "an object does not have the keys that XGBoost writes, in order"
KIND = "a value is not of the kind that XGBoost writes here"
ENDS = "the file ends inside a value"
LENGTH = "a length is negative or beyond the end of the file"
WHOLE = "a whole number is not written as XGBoost writes it"
COUNT = "a count is not a whole number of 32 bits"
NUMBER = "a number is not written as XGBoost writes it"
TEXT = "a text is not UTF-8 without control characters"
FEATURE = "a split is on a feature that is not there"
CHILD = "a child is not another node of the tree with no other parent"
CATEGORIES = (
    "categories does not have the categories of each split, rising, one split after the other"
)


@dataclass
class Typed:
    """A list of numbers of one type."""

    letter: str
    values: list[Any]


@dataclass
class Float:
    """One number of 32 bits."""

    value: float


@dataclass
class Raw:
    """Bytes in the place of a value."""

    data: bytes


class Pairs(list):
    """An object whose keys stand as they are given."""


def read(data: bytes) -> Any:
    """Read UBJSON as XGBoost writes it."""
    at = 0

    def take(count: int) -> bytes:
        nonlocal at
        at += count
        return data[at - count : at]

    def number(letter: str) -> Any:
        form = ">" + FORMATS[letter]
        return struct.unpack(form, take(struct.calcsize(form)))[0]

    def length() -> int:
        assert take(1) == b"L"
        return number("L")

    def value() -> Any:
        marker = take(1).decode()
        if marker == "{":
            found = {}
            while data[at : at + 1] != b"}":
                key = take(length()).decode()
                found[key] = value()
            take(1)
            return found
        if marker == "[":
            if take(1) == b"#":
                return [value() for _ in range(length())]
            letter = take(1).decode()
            assert take(1) == b"#"
            return Typed(letter, [number(letter) for _ in range(length())])
        if marker == "S":
            return take(length()).decode()
        if marker in "TF":
            return marker == "T"
        if marker == "d":
            return Float(number("d"))
        return number(marker)

    found = value()
    assert at == len(data)
    return found


def write(value: Any) -> bytes:
    """Write UBJSON as XGBoost does, but for what is given as it is."""
    size = struct.Struct(">q").pack
    if isinstance(value, Raw):
        return value.data
    if isinstance(value, (dict, Pairs)):
        pairs = sorted(value.items()) if isinstance(value, dict) else value
        keys = [(key.encode(), held) for key, held in pairs]
        return b"{" + b"".join(b"L" + size(len(k)) + k + write(held) for k, held in keys) + b"}"
    if isinstance(value, list):
        return b"[#L" + size(len(value)) + b"".join(map(write, value))
    if isinstance(value, Typed):
        form = f">{len(value.values)}{FORMATS[value.letter]}"
        head = b"[$" + value.letter.encode() + b"#L" + size(len(value.values))
        return head + struct.pack(form, *value.values)
    if isinstance(value, str):
        return b"S" + b"L" + size(len(value.encode())) + value.encode()
    if isinstance(value, bool):
        return b"T" if value else b"F"
    if isinstance(value, Float):
        return b"d" + struct.pack(">f", value.value)
    for letter, bits in (("i", 7), ("I", 15), ("l", 31)):
        if -(1 << bits) < value < (1 << bits) - 1:
            return letter.encode() + struct.pack(">" + FORMATS[letter], value)
    return b"L" + size(value)


def plain(value: Any) -> Any:
    """The value as Python's ``json`` writes it."""
    if isinstance(value, dict):
        return {key: plain(held) for key, held in sorted(value.items())}
    if isinstance(value, list):
        return [plain(item) for item in value]
    if isinstance(value, Typed):
        return value.values
    return value.value if isinstance(value, Float) else value


def model(name: str, trees: int = 1, version: str = "3.2.0") -> dict[str, Any]:
    """A model of which as many trees are left."""
    path = BOOSTERS / f"xgboost_{version}_{name}.ubj"
    if path.exists():
        found = read(path.read_bytes())
    else:
        found = read(path.with_suffix(".snapshot").read_bytes())["Model"]
    cut(found, trees)
    return found


def snapshot(name: str, trees: int = 1, version: str = "3.2.0") -> dict[str, Any]:
    """A snapshot of whose model as many trees are left."""
    path = BOOSTERS / f"xgboost_{version}_{name}.snapshot"
    found = read(path.read_bytes())
    cut(found["Model"], trees)
    return found


def cut(found: dict[str, Any], trees: int) -> None:
    """Leave the first trees."""
    booster = found["learner"]["gradient_booster"]
    held = booster.get("gbtree", booster)["model"]
    if "trees" not in held:
        return
    held["trees"] = held["trees"][:trees]
    held["tree_info"] = held["tree_info"][:trees]
    held["gbtree_model_param"]["num_trees"] = str(trees)
    if "iteration_indptr" in held:
        held["iteration_indptr"] = [0, trees] if trees else [0]
    if "weight_drop" in booster:
        booster["weight_drop"] = booster["weight_drop"][:trees]


def put(name: str, kind: str, says: str, data: bytes) -> None:
    """Keep a file and what is expected of it."""
    assert name not in FILES, name
    FILES[name] = data
    EXPECTED[name] = (kind, says)


def change(
    name: str,
    kind: str,
    says: str,
    at: str,
    value: Any,
    of: str = "binary",
    trees: int = 1,
    version: str = "3.2.0",
) -> None:
    """Put another value at a path of a model; a function changes the one that is there."""
    found = model(of, trees, version)
    replace(found, at, value)
    put(f"{name}.ubj", kind, says, write(found))


def replace(found: Any, at: str, value: Any) -> None:
    """Put another value at a path."""
    shortened = {
        "L": "learner",
        "B": "learner/gradient_booster",
        "M": "learner/gradient_booster/model",
        "T": "learner/gradient_booster/model/trees/0",
        "P": "learner/learner_model_param",
    }
    first, _, rest = at.partition("/")
    *path, last = "/".join(filter(None, (shortened.get(first, first), rest))).split("/")
    for key in path:
        found = found[int(key)] if isinstance(found, list) else found[key]
    if isinstance(found, Typed):
        found = found.values
    last = int(last) if isinstance(found, list) else last
    if value is None:
        del found[last]
        return
    before = copy.deepcopy(found.get(last) if isinstance(found, dict) else found[last])
    found[last] = value(before) if callable(value) else value
    assert found[last] != before, at


def shorter(held: Typed) -> Typed:
    """A list without its last number."""
    return Typed(held.letter, held.values[:-1])


def with_last(number: float) -> Callable[[Typed], Typed]:
    """Another last number."""
    return lambda held: Typed(held.letter, [*held.values[:-1], number])


def bytes_of(name: str, kind: str, says: str, before: bytes, after: bytes) -> None:
    """Change the bytes of a model, and nothing else."""
    data = write(model("binary"))
    assert before in data, before
    put(f"{name}.ubj", kind, says, data.replace(before, after, 1))


def good() -> None:
    """What is read."""
    for name in ("binary", "linear_multi", "multitree", "pandas"):
        put(f"good_{name}.ubj", "loads", "", write(model(name)))
    for name in ("dart", "multi", "pruned", "unbiased"):
        put(f"good_{name}.snapshot", "loads", "", write(snapshot(name, 3)))
    data = model("binary", 0)
    put("good_no_trees.ubj", "loads", "", write(data))
    text = json.dumps(plain(model("binary")), indent=1)
    text = text.replace("    ", "\t").replace("\n", "\r\n")
    put("good_space.json", "loads", "", b'{"learner"' + text.split('"learner"', 1)[1].encode())


def encoding() -> None:
    """UBJSON itself."""
    data = write(model("binary"))
    start = "the file starts neither as UBJSON nor as JSON of XGBoost"
    put("empty.ubj", "malformed", start, b"")
    put("first_byte.ubj", "malformed", start, b"[" + data[1:])
    put("binary_of_1.0.ubj", "malformed", start, b"binf" + bytes(136))
    put("no_end.ubj", "malformed", ENDS, data[:-1])
    put("cut.ubj", "unverified", LENGTH, data[:200])
    put("goes_on.ubj", "malformed", "the file goes on after its object", data + b"}")
    ending = "the ending of the name is not that of the content"
    put("ubjson.json", "malformed", ending, data)
    put("json.ubj", "malformed", ending, json.dumps(plain(model("binary"))).encode())
    long = struct.pack(">q", 1 << 62)
    name = b"L" + struct.pack(">q", 4) + b"name"
    for how, length in (("negative", struct.pack(">q", -1)), ("huge", long)):
        bytes_of(f"text_length_{how}", "unverified", LENGTH, name + b"SL", name + b"SL" + length)
        bytes_of(f"key_length_{how}", "unverified", LENGTH, name, b"L" + length)
        bytes_of(f"array_length_{how}", "unverified", LENGTH, b"[#L", b"[#L" + length)
        bytes_of(f"list_length_{how}", "unverified", LENGTH, b"[$d#L", b"[$d#L" + length)
    change(
        "text_not_utf8", "malformed", TEXT, "L/attributes", {"a": Raw(write("ab")[:-1] + b"\xff")}
    )
    change("text_nul", "malformed", TEXT, "L/attributes", {"a": "b\0"})
    change("integer_of_64_bits", "malformed", WHOLE, "T/id", Raw(b"L" + bytes(8)))
    change("integer_is_a_text", "malformed", KIND, "T/id", "0")
    change("text_is_a_number", "malformed", KIND, "B/name", 1)
    change("list_of_64_bits", "malformed", KIND, "T/base_weights", lambda h: Typed("D", h.values))
    change("list_of_values", "malformed", KIND, "T/parents", lambda held: held.values)
    change("list_of_bytes", "malformed", KIND, "T/split_type", lambda h: Typed("i", h.values))
    change("array_without_length", "malformed", KIND, "M/tree_info", Raw(b"[i\0]"))
    change("object_is_an_array", "malformed", KIND, "L/attributes", [])
    change("null", "malformed", KIND, "L/attributes", {"a": Raw(b"Z")})
    data = snapshot("binary")
    data["Config"]["learner"]["gradient_booster"]["specified_updater"] = 1
    put("boolean_is_a_number.snapshot", "malformed", KIND, write(data))
    for name, pairs in (
        ("key_twice", lambda items: Pairs([items[0], *items])),
        ("key_order", lambda items: Pairs(items[::-1])),
    ):
        change(name, "malformed", KEYS, "P", lambda held, f=pairs: f(sorted(held.items())))
    change("attribute_twice", "malformed", KEYS, "L/attributes", Pairs([("a", "1"), ("a", "2")]))
    for at in ("version", "L/attributes", "L/objective", "P/num_class", "M/trees", "T/parents"):
        key = at.rpartition("/")[2]
        change(f"no_{key}", "malformed", KEYS, at, None)
    change("no_objective_name", "malformed", KEYS, "L/objective/name", None)
    change("unknown_key", "malformed", KEYS, "L/zz", "1")
    change("unknown_key_of_a_tree", "malformed", KEYS, "T/aa", "1")


def texts() -> None:
    """JSON itself."""
    text = json.dumps(plain(model("binary")), separators=(",", ":"))
    assert text.startswith('{"learner"')

    def of(name: str, kind: str, says: str, before: str, after: str) -> None:
        assert before in text, before
        put(f"{name}.json", kind, says, text.replace(before, after, 1).encode())

    weights = '"base_weights":['
    for name, number in (
        ("integer", "1"),
        ("word", "nan"),
        ("open", "1."),
        ("exponent", "1E"),
        ("long", "1." + "0" * 70),
    ):
        of(f"json_float_{name}", "malformed", NUMBER, weights, f"{weights}{number},")
    for name, number in (
        ("leading_zero", "00"),
        ("plus", "+0"),
        ("float", "0E0"),
        ("20_digits", "18446744073709551616"),
        ("negative_zero", "-0"),
        ("33_bits", "4294967296"),
    ):
        before = '"left_children":['
        of(f"json_integer_{name}", "malformed", WHOLE, before, f"{before}{number},")
    of("json_byte", "malformed", WHOLE, '"split_type":[', '"split_type":[256,')
    of("json_escape", "malformed", TEXT, '"name":"', '"name":"\\x')
    of("json_line_in_a_text", "malformed", TEXT, '"name":"', '"name":"\n')
    of("json_null", "malformed", KIND, '"attributes":{}', '"attributes":null')
    of("json_list_without_comma", "malformed", KIND, '"tree_info":[0', '"tree_info":[0 0')
    put("json_cut.json", "malformed", ENDS, text[:-1].encode())
    put(
        "json_goes_on.json", "malformed", "the file goes on after its object", text.encode() + b"{}"
    )
    put("json_not_utf8.json", "malformed", TEXT, text.replace("name", "\xff").encode("latin-1"))
    twice = '"version":[3,2,0]'
    of("json_key_twice", "malformed", KEYS, twice, f"{twice},{twice}")


def parameters() -> None:
    """What stands beside the trees."""
    for name, parts in (("4", [4, 0, 0]), ("1.5", [1, 5, 2]), ("0", [0, 90, 0])):
        change(f"version_{name}", "unsupported", "version of XGBoost", "version", parts)
    three = "version is not three numbers"
    for name, parts in (("short", [3, 2]), ("long", [3, 2, 0, 0]), ("negative", [3, 2, -1])):
        change(f"version_{name}", "malformed", three, "version", parts)
    many = "classes or targets of a booster"
    change("classes_many", "limit", many, "P/num_class", "10001", of="multi", trees=3)
    change("targets_many", "limit", many, "P/num_target", "10001")
    targets = "num_target is 0, or there are several classes and targets"
    change("targets_0", "unverified", targets, "P/num_target", "0")
    change("classes_and_targets", "unverified", targets, "P/num_target", "3", of="multi", trees=3)
    features = "num_feature is not from 1 to 2147483647"
    change("features_0", "unverified", features, "P/num_feature", "0")
    change("features_32_bits", "unverified", features, "P/num_feature", "4294967295")
    without = "features of a booster without their names"
    change("features_many", "limit", without, "P/num_feature", "1048577")
    for name, count in (
        ("negative", "-1"),
        ("33_bits", "4294967296"),
        ("leading_zero", "04"),
        ("text", "four"),
        ("empty", ""),
        ("space", " 4"),
    ):
        change(f"count_{name}", "unverified", COUNT, "P/num_feature", count)
    finite = "base_score is not finite numbers"
    for name, score in (
        ("nan", "NaN"),
        ("infinity", "[Infinity]"),
        ("overflow", "[1E39]"),
        ("text", "half"),
        ("open", "[5E-1"),
        ("empty", "[]"),
    ):
        change(f"base_score_{name}", "unverified", finite, "P/base_score", score)
    each = "base_score is not one number, or one for each class or target"
    change("base_score_more", "unverified", each, "P/base_score", "[5E-1,5E-1]")
    named = "feature_names or feature_types is not one for each feature"
    for at in ("L/feature_names", "L/feature_types"):
        name = at.partition("/")[2]
        change(f"{name}_fewer", "unverified", named, at, lambda h: h[1:], of="pandas")
    change(
        "feature_type", "unsupported", "type of a feature", "L/feature_types/0", "x", of="pandas"
    )
    own = "an objective has the parameters of another one"
    change("objective_unknown", "unsupported", "objective of XGBoost", "L/objective/name", "own")
    change("objective_parameters", "unverified", own, "L/objective/name", "count:poisson")
    classes = "num_class of the objective is not that of the booster, or 0"
    at = "L/objective/softmax_multiclass_param/num_class"
    change("objective_classes_0", "unverified", classes, at, "0", of="multi", trees=3)
    change("objective_classes_more", "unverified", classes, at, "4", of="multi", trees=3)
    one = {"name": "multi:softprob", "softmax_multiclass_param": {"num_class": "0"}}
    change("objective_of_no_class", "unverified", classes, "L/objective", one)
    change(
        "objective_no_parameters", "unverified", classes, "L/objective", {"name": "multi:softmax"}
    )
    unknown = "parameter of XGBoost"
    change("parameter_unknown", "unsupported", unknown, "L/objective/reg_loss_param/plugin", "x")
    value = "a parameter is not written as XGBoost writes it"
    at = "L/objective/reg_loss_param/scale_pos_weight"
    change("parameter_text", "unverified", value, at, "/tmp/x")
    at = "L/objective/quantile_loss_param/quantile_alpha"
    for name, text in (("deep", "[" * 100_000), ("empty", ""), ("nested", "[[5E-1]]")):
        change(f"parameter_list_{name}", "unverified", value, at, text, of="quantile", trees=3)
    change("parameter_path", "unverified", value, "P/boost_from_average", "../x")


def boosters() -> None:
    """Trees together, and linear models."""
    info = "tree_info has a class or target that is not there"
    change("tree_info_negative", "unverified", info, "M/tree_info/0", -1)
    change("tree_info_beyond", "unverified", info, "M/tree_info/0", 1)
    change("tree_info_class_3", "unverified", info, "M/tree_info/2", 3, of="multi", trees=3)
    fewer = "tree_info is not one number for each tree"
    change("tree_info_fewer", "unverified", fewer, "M/tree_info", [], trees=2)
    change("tree_info_more", "unverified", fewer, "M/tree_info", [0, 0])
    trees = "num_trees is not the number of trees"
    change("trees_fewer", "unverified", trees, "M/trees", lambda held: held[:1], trees=2)
    change("trees_more", "unverified", trees, "M/trees", lambda held: [*held, held[0] | {"id": 1}])
    rises = "iteration_indptr does not rise from 0 to num_trees"
    for name, indptr in (
        ("empty", []),
        ("from_1", [1, 2]),
        ("falls", [0, 2, 1, 2]),
        ("short", [0, 1]),
        ("beyond", [0, 3]),
        ("negative", [0, -1, 2]),
    ):
        change(f"iterations_{name}", "unverified", rises, "M/iteration_indptr", indptr, trees=2)
    whole = "num_trees is not a number of whole iterations, and iteration_indptr is not there"
    at = "M/iteration_indptr"
    change("iterations_not_whole", "unverified", whole, at, None, of="multi", trees=4)
    change("iterations_of_no_trees", "unverified", whole, at, None, trees=0)
    parallel = "num_parallel_tree is not from 1 to 100,000"
    at = "M/gbtree_model_param/num_parallel_tree"
    change("forest_of_none", "unverified", parallel, at, "0")
    change("forest_of_many", "unverified", parallel, at, "100001")
    at = "M/gbtree_model_param/num_trees"
    change("trees_32_bits", "unverified", "num_trees does not fit 32 bits", at, "4294967295")
    name = "the name of a booster is not that of its content"
    change("booster_name", "malformed", name, "B/name", "gblinear")
    change("booster_name_of_linear", "malformed", name, "B/name", "gbtree", of="linear_multi")
    change("booster_name_of_dart", "malformed", name, "B/name", "gbtree", of="dart")
    weights = "weight_drop is not one for each tree"
    change("dart_weights", "unverified", weights, "B/weight_drop", [], of="dart")
    dart = "the trees of dart are not trees of one output"
    for of in ("linear_multi", "multitree"):
        found = model(of)
        held = found["learner"]["gradient_booster"]
        found["learner"]["gradient_booster"] = {
            "name": "dart",
            "gbtree": held,
            "weight_drop": [Float(1.0)],
        }
        put(f"dart_of_{of}.ubj", "unverified", dart, write(found))
    linear = "weights is not one for each feature and class, and one for the bias"
    change("linear_weights", "unverified", linear, "M/weights", shorter, of="linear_multi")
    change(
        "linear_weights_none", "unverified", linear, "M/weights", Typed("d", []), of="linear_multi"
    )
    change("linear_features", "unverified", linear, "P/num_feature", "5", of="linear_multi")
    rounds = "boosted_rounds is not a count of 32 bits"
    change("linear_rounds", "unverified", rounds, "M/boosted_rounds", -1, of="linear_multi")
    found = model("multitree")
    found["learner"]["gradient_booster"]["model"]["trees"].append(
        model("binary")["learner"]["gradient_booster"]["model"]["trees"][0] | {"id": 1}
    )
    held = found["learner"]["gradient_booster"]["model"]
    held["tree_info"] = [0, 0]
    held["gbtree_model_param"]["num_trees"] = "2"
    held["iteration_indptr"] = [0, 2]
    mixed = "the trees of a booster do not have the same number of outputs"
    put("outputs_mixed.ubj", "unverified", mixed, write(found))


def trees() -> None:
    """One tree."""
    length = "a list of a tree is not as long as num_nodes says"
    for key in (
        *("base_weights", "default_left", "left_children", "loss_changes", "parents"),
        *("right_children", "split_conditions", "split_indices", "split_type", "sum_hessian"),
    ):
        change(f"{key}_fewer", "unverified", length, f"T/{key}", shorter)
    change("nodes_fewer", "unverified", length, "T/tree_param/num_nodes", "1")
    change("nodes_more", "unverified", length, "T/tree_param/num_nodes", "1000000000")
    found = model("binary")
    tree = found["learner"]["gradient_booster"]["model"]["trees"][0]
    for held in tree.values():
        if isinstance(held, Typed):
            held.values = []
    tree["tree_param"]["num_nodes"] = "0"
    put("nodes_0.ubj", "unverified", "num_nodes is not at least 1", write(found))
    change("id", "unverified", "the id of a tree is not its place", "T/id", 1)
    at = "M/trees/1/id"
    change("id_twice", "unverified", "the id of a tree is not its place", at, 0, trees=2)
    for name, number in (
        ("its_parent", 0),
        ("negative", -2),
        ("beyond", 1000),
        ("most", 2**31 - 1),
    ):
        change(f"child_{name}", "unverified", CHILD, "T/left_children/0", number)
        change(f"right_child_{name}", "unverified", CHILD, "T/right_children/0", number)
    change("child_of_two", "unverified", CHILD, "T/left_children/0", 2)
    change("right_child_of_none", "unverified", CHILD, "T/right_children/0", -1)
    change("cycle", "unverified", CHILD, "T/left_children/1", 0)
    parent = "the parent of a node is not the node that it is the child of"
    for name, number in (("other", 1), ("negative", -1), ("beyond", 1000)):
        change(f"parent_{name}", "unverified", parent, "T/parents/2", number)
    change("parent_of_the_first", "unverified", "the first node has a parent", "T/parents/0", 1)
    change(
        "leaf_with_a_child", "unverified", "a leaf has a child", "T/right_children", with_last(0)
    )
    reached = "num_deleted is not the number of nodes that are not reached"
    change("deleted_more", "unverified", reached, "T/tree_param/num_deleted", "1")
    change("deleted_fewer", "unverified", reached, "T/tree_param/num_deleted", "0", of="pruned")
    mark = "a node that is not reached is not marked as deleted"
    tree = model("pruned")["learner"]["gradient_booster"]["model"]["trees"][0]
    gone = tree["split_indices"].values.index(2**31 - 1)
    change("deleted_feature", "unverified", mark, f"T/split_indices/{gone}", 0, of="pruned")
    change("deleted_default", "unverified", mark, f"T/default_left/{gone}", 0, of="pruned")
    for name, number in (("negative", -1), ("beyond", 100000)):
        at = f"T/parents/{gone}"
        change(f"deleted_parent_{name}", "unverified", mark, at, number, of="pruned")
    change("feature_beyond", "unverified", FEATURE, "T/split_indices/0", 4)
    change("feature_negative", "unverified", FEATURE, "T/split_indices/0", -1)
    change("feature_of_a_leaf", "unverified", FEATURE, "T/split_indices", with_last(4))
    change("feature_of_a_deleted_node", "unverified", FEATURE, "T/split_indices/0", 2**31 - 1)
    binary = "default_left or split_type is not 0 or 1"
    change("default_left_2", "unverified", binary, "T/default_left/0", 2)
    change("split_type_2", "unverified", binary, "T/split_type/0", 2)
    deep(4097)
    outputs()


def chain(levels: int, **more: Any) -> dict[str, Any]:
    """A tree of as many levels of splits, each with a leaf."""
    count = 2 * levels + 1
    left, right, parents = [-1] * count, [-1] * count, [2**31 - 1] * count
    for split in range(levels):
        node = 2 * split
        left[node], right[node] = node + 1, node + 2
        parents[node + 1] = parents[node + 2] = node
    numbers = [0.0] * count
    return {
        **{
            key: Typed("d", numbers) for key in ("base_weights", "loss_changes", "split_conditions")
        },
        "sum_hessian": Typed("d", numbers),
        "categories": Typed("l", []),
        "categories_nodes": Typed("l", []),
        "categories_segments": Typed("L", []),
        "categories_sizes": Typed("L", []),
        "default_left": Typed("U", [0] * count),
        "id": 0,
        "left_children": Typed("l", left),
        "parents": Typed("l", parents),
        "right_children": Typed("l", right),
        "split_indices": Typed("l", [0] * count),
        "split_type": Typed("U", [0] * count),
        "tree_param": {
            "num_deleted": "0",
            "num_feature": "4",
            "num_nodes": str(count),
            "size_leaf_vector": "1",
        },
        **more,
    }


def deep(levels: int) -> None:
    """More levels than native code may call itself for, and more categories than memory is for."""
    says = "levels of a tree of a booster"
    found = model("binary")
    found["learner"]["gradient_booster"]["model"]["trees"] = [chain(levels)]
    put("deep.ubj", "limit", says, write(found))
    splits = 520
    nodes = [2 * split for split in range(splits)]
    tree = chain(
        splits,
        categories=Typed("l", [16_777_215] * splits),
        categories_nodes=Typed("l", nodes),
        categories_segments=Typed("L", list(range(splits))),
        categories_sizes=Typed("L", [1] * splits),
    )
    for node in nodes:
        tree["split_type"].values[node] = 1
    found["learner"]["gradient_booster"]["model"]["trees"] = [tree]
    says = "bytes of the categories of a booster's splits"
    put("categories_of_1_gib.ubj", "limit", says, write(found))


def outputs() -> None:
    """Trees of several outputs."""
    says = "size_leaf_vector is not the number of classes or targets"
    found = model("multitree")
    found["learner"]["learner_model_param"]["num_target"] = "3"
    found["learner"]["learner_model_param"]["base_score"] = "[0E0]"
    put("outputs_other.ubj", "unverified", says, write(found))
    says = "tree of several outputs of XGBoost before 3.2"
    change("outputs_of_3.1", "unsupported", says, "T/leaf_weights", None, of="multitree")
    own = "a leaf has no weights of its own"
    tree = model("multitree")["learner"]["gradient_booster"]["model"]["trees"][0]
    leaves = [n for n, left in enumerate(tree["left_children"].values) if left == -1]
    for name, number in (
        ("twice", tree["right_children"].values[leaves[1]]),
        ("beyond", len(leaves)),
        ("negative", -1),
        ("most", 2**31 - 1),
    ):
        at = f"T/right_children/{leaves[0]}"
        change(f"output_leaf_{name}", "unverified", own, at, number, of="multitree")

    def more(held: Typed) -> Typed:
        return Typed("d", [*held.values, 0.0, 0.0])

    change("output_weights_more", "unverified", own, "T/leaf_weights", more, of="multitree")
    says = "leaf_weights or base_weights is not as long as its nodes and outputs say"
    for key in ("leaf_weights", "base_weights"):
        change(f"output_{key}_fewer", "unverified", says, f"T/{key}", shorter, of="multitree")
    change(
        "output_base_weights_none",
        "unverified",
        says,
        "T/base_weights",
        Typed("d", []),
        of="multitree",
    )
    length = "a list of a tree is not as long as num_nodes says"
    change("leaf_weights_of_one_output", "unverified", length, "T/leaf_weights", Typed("d", [0.0]))


def categories() -> None:
    """Categorical splits, and the categories of columns."""

    def of(name: str, at: str, value: Any, says: str = CATEGORIES) -> None:
        change(name, "unverified", says, at, value, of="pandas")

    of("categories_negative", "T/categories/0", -1)
    of("categories_beyond", "T/categories", with_last(16_777_216))
    of("categories_fall", "T/categories", lambda h: Typed("l", h.values[::-1]))
    of("categories_fewer", "T/categories", shorter)
    of("categories_more", "T/categories", lambda h: Typed("l", [*h.values, 1]))
    of("categories_size_0", "T/categories_sizes/0", 0)
    of("categories_size_negative", "T/categories_sizes/0", -1)
    of("categories_size_most", "T/categories_sizes/0", 2**63 - 1)
    of("categories_segment", "T/categories_segments/0", 1)
    of("categories_segment_negative", "T/categories_segments/0", -(2**63))
    of("categories_segments_fewer", "T/categories_segments", shorter)
    of("categories_sizes_fewer", "T/categories_sizes", shorter)
    of("categories_nodes_fewer", "T/categories_nodes", shorter)
    splits = "categories_nodes is not the nodes whose split_type is 1, in order"
    of("categories_nodes_fall", "T/categories_nodes", lambda h: Typed("l", h.values[::-1]), splits)
    of("categories_nodes_negative", "T/categories_nodes/0", -1, splits)
    of("categories_nodes_beyond", "T/categories_nodes", with_last(1000), splits)
    tree = model("pandas")["learner"]["gradient_booster"]["model"]["trees"][0]
    node = tree["categories_nodes"].values[0]
    other = tree["split_type"].values.index(0)
    of("split_type_without_categories", f"T/split_type/{other}", 1, splits)
    of("split_type_of_categories_0", f"T/split_type/{node}", 0, splits)

    rise = "offsets does not rise from 0 to the length of values"
    of("offsets_beyond", "M/cats/enc/1/offsets", with_last(1000), rise)
    of("offsets_fall", "M/cats/enc/1/offsets/1", 3, rise)
    of("offsets_negative", "M/cats/enc/1/offsets/0", -1, rise)
    segments = "feature_segments does not have the categories of each column"
    of("segments_beyond", "M/cats/feature_segments", with_last(1000), segments)
    of("segments_fewer", "M/cats/feature_segments", shorter, segments)
    of("segments_none", "M/cats/feature_segments", Typed("l", []), segments)
    of("segments_from_1", "M/cats/feature_segments/0", 1, segments)
    of("segments_fall", "M/cats/feature_segments/2", -1, segments)
    once = "sorted_idx is not each category of a column once"
    of("sorted_beyond", "M/cats/sorted_idx/0", 1000, once)
    of("sorted_negative", "M/cats/sorted_idx/0", -1, once)
    of("sorted_twice", "M/cats/sorted_idx/0", 1, once)
    of("sorted_fewer", "M/cats/sorted_idx", shorter, once)
    of("sorted_more", "M/cats/sorted_idx", lambda h: Typed("l", [*h.values, 0]), once)
    columns = "cats does not have one column for each feature"
    found = model("pandas")
    found["learner"]["gradient_booster"]["model"]["cats"]["enc"].pop()
    found["learner"]["gradient_booster"]["model"]["cats"]["feature_segments"].values.pop()
    put("columns_fewer.ubj", "unverified", columns, write(found))
    kinds = "type of categories"
    change("type_of_categories", "unsupported", kinds, "M/cats/enc/2/type", 16, of="pandas")
    change("type_of_other_categories", "malformed", KIND, "M/cats/enc/2/type", 13, of="pandas")


def snapshots() -> None:
    """What a booster keeps as its state."""

    def of(name: str, kind: str, says: str, at: str, value: Any, of: str = "binary") -> None:
        found = snapshot(of)
        replace(found, "Config/learner/" + at, value)
        put(f"{name}.snapshot", kind, says, write(found))

    put("snapshot_of_a_model.snapshot", "malformed", KEYS, write(model("binary")))
    put("snapshot_cut.snapshot", "malformed", ENDS, write(snapshot("binary"))[:-1])
    says = "the file goes on after its object"
    put("snapshot_goes_on.snapshot", "malformed", says, write(snapshot("binary")) + b"\0")
    put("snapshot_json.snapshot", "malformed", KIND, b'{"Config":{}}')
    other = "Config is not that of the model"
    of("config_objective", "unverified", other, "objective/name", "reg:logistic")
    of("config_classes", "unverified", other, "learner_model_param/num_class", "2")
    found = snapshot("binary")
    found["Config"] = snapshot("dart")["Config"]
    put("config_booster.snapshot", "unverified", other, write(found))
    of("config_version", "malformed", KEYS, "version", [3, 2, 0])
    threads = "a parameter asks for more than 1024 threads"
    of("config_threads", "unverified", threads, "generic_param/nthread", "1025")
    of("config_jobs", "unverified", threads, "generic_param/n_jobs", "1000000000")
    value = "a parameter is not written as XGBoost writes it"
    of("config_threads_text", "unverified", value, "generic_param/nthread", "many")
    of("config_device", "unverified", value, "generic_param/device", "/dev/x")
    of("config_device_long", "unverified", value, "generic_param/device", "cuda:" + "0" * 9_999)
    at = "gradient_booster/tree_train_param/interaction_constraints"
    of("config_constraints", "unverified", value, at, "{x}")
    of("config_constraints_deep", "unverified", value, at, "[" * 9_999)
    unknown = "parameter of XGBoost"
    of("config_parameter", "unsupported", unknown, "generic_param/plugin_path", "x")
    updater = "updater of XGBoost"
    of("config_updater", "unsupported", updater, "gradient_booster/updater/0/name", "own")
    at = "gradient_booster/gbtree_train_param/updater"
    of("config_updater_sequence", "unsupported", updater, at, "prune,own")
    many = "updaters of a booster"
    of("config_updaters", "limit", many, "gradient_booster/updater", lambda held: held * 17)
    of("config_updater_object", "malformed", KEYS, "gradient_booster/updater/0/x_param", {})
    metric = "metric of XGBoost"
    of("config_metric", "unsupported", metric, "metrics", [{"name": "own"}])
    of("config_metric_parameter", "unsupported", metric, "metrics", [{"name": "ndcg@x/y"}])
    found = snapshot("binary", 1, "1.7.6")
    found["Config"]["learner"]["gradient_booster"]["updater"]["own"] = {}
    put("config_updater_of_1.7.snapshot", "unsupported", updater, write(found))


def main() -> int:
    """Make all files."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--check", action="store_true", help="write nothing")
    options = parser.parse_args()
    for make in (good, encoding, texts, parameters, boosters, trees, categories, snapshots):
        make()
    lines = [
        "# Made by xgboost_models.py: how each file of this folder is refused, in the words of its rule.",
        "",
    ]
    for name, (kind, says) in sorted(EXPECTED.items()):
        words = f', says = "{says}"' if says else ""
        lines.append(f'"{name}" = {{ kind = "{kind}"{words} }}')
    FILES["expected.toml"] = ("\n".join(lines) + "\n").encode()
    FOLDER.mkdir(exist_ok=True)
    there = {path.name for path in FOLDER.iterdir()}
    stale = sorted(there - set(FILES))
    for name, data in FILES.items():
        path = FOLDER / name
        if path.exists() and path.read_bytes() == data:
            continue
        stale.append(name)
        if not options.check:
            path.write_bytes(data)
    if options.check:
        for name in stale:
            print(f"{FOLDER / name} is not what this makes")
        return 1 if stale else 0
    for name in there - set(FILES):
        (FOLDER / name).unlink()
    return 0


if __name__ == "__main__":
    sys.exit(main())
