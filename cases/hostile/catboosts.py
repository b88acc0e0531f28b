"""Make the hostile model files of ``cases/hostile/catboost``: each breaks one rule of ``docs/formats/catboost.md``.

    python cases/hostile/catboosts.py [--check]

The models are those that CatBoost 1.2.10 wrote (``cases/boosters``), taken apart and written again without most of
their info; nothing here uses nopickle or CatBoost. ``catboost/expected.toml``, which is written by hand, says how each
is refused. With ``--check`` nothing is written, and a file that would change is named.
"""

from __future__ import annotations

import argparse
import copy
import json
import struct
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
FOLDER = HERE / "catboost"
BOOSTERS = HERE.parent / "boosters"
FILES: dict[str, bytes] = {}

# Fields by table: name and kind: a format of `struct`, `text`, `texts`, a table, `[table]`, or a vector `*format`.
SCHEMA: dict[str, list[tuple[str, str]]] = {
    "Core": [("format", "text"), ("trees", "Trees"), ("info", "[KeyValue]"), ("parts", "texts")],
    "KeyValue": [("key", "text"), ("value", "text")],
    "Trees": [
        ("dimension", "i"),
        ("splits", "*i"),
        ("sizes", "*i"),
        ("starts", "*i"),
        ("cats", "[Cat]"),
        ("floats", "[Float]"),
        ("onehots", "[OneHot]"),
        ("ctrs", "[CtrFeature]"),
        ("values", "*d"),
        ("weights", "*d"),
        ("steps", "*I"),
        ("leaves", "*I"),
        ("texts", "[Cat]"),
        ("estimated", "[Cat]"),
        ("scale", "d"),
        ("bias", "d"),
        ("biases", "*d"),
        ("repacked", "*I"),
        ("embeddings", "[Cat]"),
        ("unknown", "i"),
    ],
    "Cat": [("index", "i"), ("flat", "i"), ("name", "text"), ("used", "B"), ("unknown", "i")],
    "Float": [
        ("nans", "B"),
        ("index", "i"),
        ("flat", "i"),
        ("borders", "*f"),
        ("name", "text"),
        ("treatment", "B"),
    ],
    "OneHot": [("index", "i"), ("values", "*i"), ("names", "texts")],
    "CtrFeature": [("ctr", "Ctr"), ("borders", "*f")],
    "Ctr": [
        ("base", "Base"),
        ("target", "i"),
        ("prior", "f"),
        ("denominator", "f"),
        ("shift", "f"),
        ("scale", "f"),
    ],
    "Base": [("combination", "Combination"), ("kind", "B"), ("classifier", "i")],
    "Combination": [("cats", "*i"), ("floats", "*q"), ("onehots", "*q")],
    "Table": [
        ("base", "Base"),
        ("index", "*B"),
        ("blob", "*B"),
        ("denominator", "i"),
        ("classes", "i"),
    ],
}


def decode(data: bytes, name: str) -> dict[str, Any]:
    """Take one FlatBuffer apart."""

    def u32(at: int) -> int:
        return int(struct.unpack_from("<I", data, at)[0])

    def text(at: int) -> bytes:
        return data[at + 4 : at + 4 + u32(at)]

    def value(at: int, kind: str) -> Any:
        if len(kind) == 1:
            return struct.unpack_from("<" + kind, data, at)[0]
        to = at + u32(at)
        if kind == "text":
            return text(to)
        if kind in SCHEMA:
            return table(to, kind)
        places = range(to + 4, to + 4 + 4 * u32(to), 4)
        if kind == "texts":
            return [text(place + u32(place)) for place in places]
        if kind[0] == "[":
            return [table(place + u32(place), kind[1:-1]) for place in places]
        return list(struct.unpack_from(f"<{u32(to)}{kind[1]}", data, to + 4))

    def table(at: int, name: str) -> dict[str, Any]:
        vtable = at - struct.unpack_from("<i", data, at)[0]
        length = struct.unpack_from("<H", data, vtable)[0]
        fields = struct.unpack_from(f"<{length // 2 - 2}H", data, vtable + 4)
        return {
            field: value(at + offset, kind)
            for (field, kind), offset in zip(SCHEMA[name], fields, strict=False)
            if offset
        }

    return table(u32(0), name)


def encode(content: dict[str, Any], name: str) -> bytes:
    """Put one FlatBuffer together: each table, then what it points to."""
    out = bytearray(4)

    def align(size: int, behind: int = 0) -> None:
        out.extend(bytes(-(len(out) + behind) % size))

    def vector(kind: str, items: list[Any]) -> int:
        align(struct.calcsize(kind) if kind == "d" else 4, 4)
        at = len(out)
        out.extend(struct.pack(f"<I{len(items)}{kind}", len(items), *items))
        return at

    def text(words: bytes) -> int:
        align(4)
        at = len(out)
        out.extend(struct.pack("<I", len(words)) + words + b"\0")
        return at

    def pointer(at: int, to: int) -> None:
        struct.pack_into("<I", out, at, to - at)

    def many(items: list[Any], one: Callable[[Any], int]) -> int:
        at = vector("I", [0] * len(items))
        for index, item in enumerate(items):
            pointer(at + 4 + 4 * index, one(item))
        return at

    def child(kind: str, item: Any) -> int:
        if kind == "text":
            return text(item)
        if kind == "texts":
            return many(item, text)
        if kind in SCHEMA:
            return table(kind, item)
        if kind[0] == "[":
            return many(item, lambda one: table(kind[1:-1], one))
        return vector(kind[1], item)

    def table(name: str, content: dict[str, Any]) -> int:
        fields = [(field, kind) for field, kind in SCHEMA[name] if field in content]
        order = sorted(
            fields, key=lambda pair: -struct.calcsize(pair[1] if len(pair[1]) == 1 else "I")
        )
        # Fields of 8 bytes first, behind the distance to the vtable.
        wide = any(kind == "d" for _, kind in fields)
        count = max((SCHEMA[name].index(pair) + 1 for pair in fields), default=0)
        entries, place = [0] * count, 8 if wide else 4
        for pair in order:
            entries[SCHEMA[name].index(pair)] = place
            place += struct.calcsize(pair[1] if len(pair[1]) == 1 else "I")
        align(2)
        vtable = len(out)
        out.extend(struct.pack(f"<{count + 2}H", 4 + 2 * count, place, *entries))
        align(8 if wide else 4)
        at = len(out)
        out.extend(bytes(place))
        struct.pack_into("<i", out, at, at - vtable)
        for field, kind in fields:
            here = at + entries[SCHEMA[name].index((field, kind))]
            if len(kind) == 1:
                struct.pack_into("<" + kind, out, here, content[field])
            else:
                pointer(here, child(kind, content[field]))
        return at

    pointer(0, table(name, content))
    return bytes(out)


class Model:
    """A model in parts: the core, and the tables behind it."""

    def __init__(self, name: str) -> None:
        self._take((BOOSTERS / f"catboost_1.2.10_{name}.cbm").read_bytes())
        classes = self.info.get("class_params")
        params = {"loss_function": {"type": "RMSE"}}
        self.info = {"params": json.dumps(params).encode()}
        if classes is not None:
            self.info["class_params"] = classes

    @classmethod
    def of(cls, data: bytes) -> Model:
        """A whole file, with all its info."""
        model = cls.__new__(cls)
        model._take(data)
        return model

    def _take(self, data: bytes) -> None:
        size = struct.unpack_from("<I", data, 4)[0]
        self.core = decode(data[8 : 8 + size], "Core")
        pairs = self.core.get("info", [])
        self.info: dict[str, bytes] = {pair["key"].decode(): pair["value"] for pair in pairs}
        self.trees: dict[str, Any] = self.core["trees"]
        self.tables: list[dict[str, Any]] = []
        rest = data[8 + size :]
        if rest:
            count, at = struct.unpack_from("<I", rest)[0], 4
            for _ in range(count):
                length = struct.unpack_from("<I", rest, at)[0]
                self.tables.append(decode(rest[at + 4 : at + 4 + length], "Table"))
                at += 4 + length

    def bytes(self) -> bytes:
        """The file."""
        pairs = [{"key": key.encode(), "value": value} for key, value in self.info.items()]
        core = encode({**self.core, "info": self.core.get("own info", pairs)}, "Core")
        data = b"CBM1" + struct.pack("<I", len(core)) + core
        if self.core.get("parts"):
            data += struct.pack("<I", len(self.tables))
            for table in self.tables:
                content = encode(table, "Table")
                data += struct.pack("<I", len(content)) + content
        return data


MODELS: dict[str, Model] = {}


def model(name: str, change: Callable[[Model], object], of: str = "reg") -> None:
    """Change a model's values; the layout is right."""
    if of not in MODELS:
        MODELS[of] = Model(of)
    changed = copy.deepcopy(MODELS[of])
    before = changed.bytes()
    change(changed)
    FILES[name] = changed.bytes()
    assert name.startswith("good_") or FILES[name] != before, name


def raw(name: str, change: Callable[[bytearray], object], of: str = "reg") -> None:
    """Change the bytes of a file, and nothing else."""
    if of not in MODELS:
        MODELS[of] = Model(of)
    before = MODELS[of].bytes()
    data = bytearray(before)
    change(data)
    assert data != before, name
    FILES[name] = bytes(data)


def put(data: bytearray, at: int, form: str, value: int) -> None:
    """Write a number over another one."""
    struct.pack_into("<" + form, data, at, value)


def u32(data: bytes | bytearray, at: int) -> int:
    """A number of 32 bits."""
    return int(struct.unpack_from("<I", data, at)[0])


def root(data: bytes | bytearray) -> int:
    """Where the first table of a file starts."""
    return 8 + u32(data, 8)


def field(data: bytes | bytearray, table: int, index: int) -> int:
    """Where a field of a table is."""
    vtable = table - struct.unpack_from("<i", data, table)[0]
    return table + int(struct.unpack_from("<H", data, vtable + 4 + 2 * index)[0])


def follow(data: bytes | bytearray, at: int) -> int:
    """Where an offset leads."""
    return at + u32(data, at)


def trees_at(data: bytes | bytearray) -> int:
    """Where the table of the trees is."""
    return follow(data, field(data, root(data), 1))


def good() -> None:
    for name in ("reg", "binary", "multi", "uncertainty", "cat", "ctr_means", "cat_reg"):
        model(f"good_{name}", lambda m: None, of=name)
    for name in ("depthwise", "lossguide", "const_depthwise", "one_tree0", "lossguide_multi"):
        model(f"good_{name}", lambda m: None, of=name)
    model("good_no_weights", lambda m: m.trees.pop("weights"))
    model("good_no_repacked_bins", lambda m: m.trees.pop("repacked"))
    model("good_no_info", lambda m: m.info.clear())
    model(
        "good_names",
        lambda m: [f.update(name=b"a %d" % n) for n, f in enumerate(m.trees["floats"])],
    )
    model("good_more_classes", lambda m: classes(m, 5, [], [0, 1, 4]), of="multi")
    model("good_labels_of_numbers", lambda m: classes(m, 0, [], [0, 1.5, 7]), of="multi")


def layout() -> None:
    FILES["empty"] = b""
    FILES["a_pickle"] = b"\x80\x04N."
    FILES["only_the_magic"] = b"CBM1"
    raw("another_magic", lambda d: put(d, 3, "B", ord("2")))
    raw("core_too_long", lambda d: put(d, 4, "I", len(d)))
    raw("core_of_nothing", lambda d: (put(d, 4, "I", 0), d.__delitem__(slice(8, None))))
    raw("core_size_of_64_bits", lambda d: put(d, 4, "I", 0xFFFFFFFF))
    raw("goes_on", lambda d: d.extend(b"\0"))
    raw("goes_on_with_a_part", lambda d: d.extend(struct.pack("<I", 0)))
    raw("cut", lambda d: d.__delitem__(slice(-1, None)))
    raw("root_past_end", lambda d: put(d, 8, "I", len(d)))
    raw("root_of_0", lambda d: put(d, 8, "I", 0))
    raw("root_not_aligned", lambda d: put(d, 8, "I", u32(d, 8) + 2))
    raw("vtable_before_start", lambda d: put(d, root(d), "i", root(d)))
    raw("vtable_past_end", lambda d: put(d, root(d), "i", -len(d)))
    raw("vtable_odd", lambda d: put(d, root(d), "i", u32(d, root(d)) - 1))

    def vtable(name: str, entry: int, value: int) -> None:
        def change(data: bytearray) -> None:
            at = root(data)
            put(data, at - u32(data, at) + 2 * entry, "H", value)

        raw(name, change)

    vtable("vtable_too_short", 0, 2)
    vtable("vtable_of_odd_length", 0, 11)
    vtable("vtable_huge", 0, 0xFFFE)
    vtable("table_huge", 1, 0xFFFF)
    vtable("table_too_short", 1, 3)
    vtable("field_past_its_table", 2, 64)
    vtable("field_over_the_vtable", 2, 2)
    vtable("field_not_aligned", 2, 6)
    vtable("field_twice", 2, 8)
    model("unknown_field_of_trees", lambda m: m.trees.update(unknown=1))
    model("unknown_field_of_a_feature", lambda m: m.trees["cats"][0].update(unknown=1), of="cat")
    raw("vector_past_end", lambda d: put(d, follow(d, field(d, trees_at(d), 1)), "I", 1 << 20))
    raw("vector_huge", lambda d: put(d, follow(d, field(d, trees_at(d), 8)), "I", 0xFFFFFFFF))
    raw("vector_of_0", lambda d: put(d, field(d, trees_at(d), 1), "I", 0))

    def over(data: bytearray) -> None:
        # The weights are the values.
        values, weights = (field(data, trees_at(data), index) for index in (8, 9))
        put(data, weights, "I", follow(data, values) - weights)

    raw("two_vectors_share", over)
    raw("doubles_not_aligned", move_doubles)
    raw("text_without_its_end", lambda d: put(d, text_end(d), "B", 1))
    raw("text_longer", lambda d: put(d, follow(d, field(d, root(d), 0)), "I", 19))
    model("text_not_utf8", lambda m: m.trees["floats"][0].update(name=b"\xff"))
    model("key_not_utf8", lambda m: m.core.update({"own info": [{"key": b"\xff", "value": b""}]}))

    def hidden(data: bytearray) -> None:
        data.extend(b"hidden!!")
        put(data, 4, "I", u32(data, 4) + 8)

    raw("bytes_of_nobody", hidden)
    raw("zeros_of_nobody", lambda d: (put(d, 4, "I", u32(d, 4) + 16), d.extend(bytes(16))))


def text_end(data: bytes | bytearray) -> int:
    """Where the 0 behind the format's name is."""
    at = follow(data, field(data, root(data), 0))
    return at + 4 + u32(data, at)


def move_doubles(data: bytearray) -> None:
    """Let the leaf values start four bytes later, one fewer."""
    values = field(data, trees_at(data), 8)
    at = follow(data, values)
    put(data, at + 4, "I", u32(data, at) - 1)
    put(data, at + 4 + 8 * u32(data, at), "I", 0)
    put(data, at, "I", 0)
    put(data, values, "I", u32(data, values) + 4)


def cores() -> None:
    model("another_format", lambda m: m.core.update(format=b"FlabuffersModel_v2"))
    model("no_format", lambda m: m.core.pop("format"))
    model("no_trees", lambda m: m.core.pop("trees"))
    for kind in ("texts", "estimated", "embeddings"):
        model(f"features_of_{kind}", lambda m, k=kind: m.trees.update({k: [{"index": 0}]}))
    model("unknown_part", lambda m: m.core.update(parts=[b"text_processing_collection"]))
    model("part_twice", lambda m: m.core.update(parts=[b"static_provider_v1"] * 2), of="cat")


def trees() -> None:
    model("dimension_0", lambda m: m.trees.update(dimension=0))
    model("dimension_missing", lambda m: m.trees.pop("dimension"))
    model("dimension_negative", lambda m: m.trees.update(dimension=-1))
    model("dimension_huge", lambda m: m.trees.update(dimension=2**31 - 1))
    model("dimension_huge_alone", lambda m: huge(m), of="one_tree0")
    model("dimension_2_of_1", lambda m: m.trees.update(dimension=2))
    model("dimension_1_of_3", lambda m: m.trees.update(dimension=1), of="multi")

    def at(name: str, key: str, index: int, value: Any, of: str = "reg") -> None:
        model(name, lambda m: m.trees[key].__setitem__(index, value), of=of)

    at("size_negative", "sizes", 0, -1)
    at("size_more", "sizes", 0, 4)
    at("size_less", "sizes", 0, 2)
    at("size_huge", "sizes", 0, 2**31 - 1)
    at("start_past_end", "starts", 5, 1000)
    at("start_negative", "starts", 0, -1)
    at("start_over_another", "starts", 1, 2)
    model("starts_fewer", lambda m: m.trees["starts"].pop())
    model("starts_missing", lambda m: m.trees.pop("starts"))
    model("sizes_fewer", lambda m: m.trees["sizes"].pop())
    model("splits_more", lambda m: (m.trees["splits"].append(0), m.trees.pop("repacked")))
    model("splits_missing", lambda m: m.trees.pop("splits"))
    at("split_past_end", "splits", 0, 1000)
    at("split_negative", "splits", 0, -1)
    at("split_huge", "splits", 0, 2**31 - 1)
    model("split_without_borders", no_borders)
    model("deep", lambda m: deep(m, 17))
    model("deep_of_31", lambda m: deep(m, 31))
    model("values_fewer", lambda m: m.trees["values"].pop())
    model("values_more", lambda m: m.trees["values"].append(0.0))
    model("values_missing", lambda m: m.trees.pop("values"))
    model("weights_fewer", lambda m: m.trees["weights"].pop())
    at("repacked_feature_past_end", "repacked", 0, 0x0100FFFF)
    at("repacked_another_border", "repacked", 0, 0)
    model("repacked_fewer", lambda m: m.trees["repacked"].pop())
    model("scale_nan", lambda m: m.trees.update(scale=float("nan")))
    model("bias_infinite", lambda m: m.trees.update(bias=float("inf")))
    at("biases_nan", "biases", 0, float("nan"))
    model("biases_fewer", lambda m: m.trees["biases"].pop(), of="multi")
    model("biases_missing", lambda m: m.trees.pop("biases"), of="multi")

    step = "lossguide"
    at("step_past_end", "steps", 0, 0xFFFF, of=step)
    at("step_right_past_end", "steps", 0, 0xFFFF0001, of=step)
    at("step_into_the_next_tree", "steps", 8, 2, of=step)
    at("step_to_a_child_of_another", "steps", 0, 0x00010001, of=step)
    at("step_to_nowhere", "steps", 0, 0, of=step)
    model("steps_fewer", lambda m: m.trees["steps"].pop(), of=step)
    model("steps_missing", lambda m: m.trees.pop("steps"), of=step)
    model("leaves_missing", lambda m: m.trees.pop("leaves"), of=step)
    at("leaf_past_end", "leaves", 1, 1 << 30, of=step)
    at("leaf_none", "leaves", 1, 0xFFFFFFFF, of=step)
    at("leaf_of_another_tree", "leaves", 1, 41, of=step)
    at("leaf_twice", "leaves", 1, 1, of=step)
    at("leaf_between_dimensions", "leaves", 1, 1, of="lossguide_multi")
    model("steps_of_nothing", nothing, of="const_depthwise")


def huge(m: Model) -> None:
    m.trees.update(dimension=2**31 - 1)
    m.trees.pop("biases")


def deep(m: Model, levels: int) -> None:
    m.trees["sizes"] = [levels]
    m.trees["starts"] = [0]
    m.trees["splits"] = [0] * levels
    m.trees.pop("repacked")


def no_borders(m: Model) -> None:
    for feature in m.trees["floats"]:
        feature["borders"] = []


def nothing(m: Model) -> None:
    m.trees["sizes"][0] = 0
    m.trees["starts"] = [0, 0, 1, 2, 3, 4]
    for key in ("splits", "repacked", "steps", "leaves"):
        m.trees[key].pop()


def features() -> None:
    def of(name: str, kind: str, at: int, /, **change: Any) -> None:
        model(name, lambda m: m.trees[kind][at].update(change), of="cat")

    of("index_twice", "floats", 1, index=0)
    of("index_negative", "floats", 0, index=-1)
    of("index_falls", "floats", 0, index=5)
    of("index_huge", "floats", 2, index=2**31 - 1)
    of("flat_twice", "floats", 1, flat=2)
    of("flat_of_a_category", "floats", 2, flat=4)
    of("flat_negative", "floats", 0, flat=-1)
    of("flat_before_index", "floats", 2, flat=1)
    of("flat_huge", "floats", 2, flat=2**31 - 1)
    of("flat_over_the_limit", "floats", 2, flat=1 << 24)
    of("category_twice", "cats", 1, index=0)
    of("treatment_3", "floats", 0, treatment=3)
    of("nans_2", "floats", 0, nans=2)
    of("borders_fall", "floats", 0, borders=[1.0, 0.5])
    of("borders_twice", "floats", 0, borders=[1.0, 1.0])
    of("borders_nan", "floats", 0, borders=[1.0, float("nan")])
    of("one_hot_of_nothing", "onehots", 0, index=7)
    of("one_hot_of_an_unused_one", "cats", 1, used=0)
    of("one_hot_value_twice", "onehots", 0, values=[1, 1, 2])
    of("one_hot_names_fewer", "onehots", 0, names=[b"u"])


def ctrs() -> None:
    def base(name: str, of: str = "cat", **change: Any) -> None:
        model(name, lambda m: m.trees["ctrs"][0]["ctr"]["base"].update(change), of=of)

    def combination(name: str, key: str, value: list[int]) -> None:
        def change(m: Model) -> None:
            # The table is of the same combination.
            for table in m.tables:
                if table["base"] == m.trees["ctrs"][0]["ctr"]["base"]:
                    table["base"]["combination"][key] = value
            old = copy.deepcopy(m.trees["ctrs"][0]["ctr"]["base"])
            for feature in m.trees["ctrs"]:
                if feature["ctr"]["base"] == old:
                    feature["ctr"]["base"]["combination"][key] = value

        model(name, change, of="cat")

    base("ctr_kind_6", kind=6)
    base("ctr_without_a_table", classifier=9)
    model("ctr_without_a_part", lambda m: m.core.pop("parts"), of="cat")
    model("ctr_without_tables", lambda m: m.tables.clear(), of="cat")
    model("ctr_of_nothing", lambda m: m.trees["ctrs"][0].pop("ctr"), of="cat")
    model("ctr_without_a_base", lambda m: m.trees["ctrs"][0]["ctr"].pop("base"), of="cat")
    base_of = "ctr_without_a_combination"
    model(base_of, lambda m: m.trees["ctrs"][0]["ctr"]["base"].pop("combination"), of="cat")
    combination("combination_of_no_category", "cats", [7])
    combination("combination_of_no_border", "floats", [1 << 40])
    combination("combination_of_no_value", "onehots", [1 << 40])
    model("ctr_borders_fall", lambda m: m.trees["ctrs"][0].update(borders=[1, 0, 0, 0]), of="cat")

    def target(name: str, value: int, kind: int) -> None:
        def change(m: Model) -> None:
            ctrs = [one["ctr"] for one in m.trees["ctrs"]]
            next(c for c in ctrs if c["base"].get("kind", 0) == kind)["target"] = value

        model(name, change, of="cat_reg")

    target("target_of_borders_past_end", 5, 0)
    target("target_of_borders_negative", -1, 0)
    target("target_of_buckets_past_end", 4, 1)
    target("target_of_buckets_negative", -1, 1)

    def table(name: str, change: Callable[[dict[str, Any]], object], kind: int = 0) -> None:
        def change_one(m: Model) -> None:
            change(next(t for t in m.tables if t["base"].get("kind", 0) == kind))

        model(name, change_one, of="ctr_means")

    def bucket(table: dict[str, Any], row: int) -> None:
        for at in range(0, len(table["index"]), 12):
            if table["index"][at : at + 8] != [255] * 8:
                table["index"][at + 8 : at + 12] = list(struct.pack("<I", row))
                return

    table("bucket_past_end", lambda t: bucket(t, 1000))
    table("bucket_of_no_row", lambda t: bucket(t, 0xFFFFFFFF))
    table("bucket_just_past_end", lambda t: bucket(t, len(t["blob"]) // 8))
    table("bucket_of_means_past_end", lambda t: bucket(t, len(t["blob"]) // 8), 2)
    table("bucket_of_counts_past_end", lambda t: bucket(t, len(t["blob"]) // 4), 4)
    table("buckets_all_used", lambda t: t.update(index=full(t["index"])))
    table("buckets_no_power_of_2", lambda t: t.update(index=t["index"] + [255] * 12))
    table("buckets_cut", lambda t: t["index"].pop())
    table("buckets_none", lambda t: t.update(index=[]))
    table("buckets_missing", lambda t: t.pop("index"))
    table("blob_cut", lambda t: t["blob"].pop())
    table("blob_missing", lambda t: t.pop("blob"))
    table("classes_more", lambda t: t.update(classes=1000))
    table("classes_huge", lambda t: t.update(classes=2**31 - 1))
    table("table_of_nothing", lambda t: t.pop("base"))
    model("table_twice", lambda m: m.tables.append(m.tables[0]), of="cat")

    def count(data: bytearray, change: Callable[[int], int]) -> None:
        put(data, 8 + u32(data, 4), "I", change(u32(data, 8 + u32(data, 4))))

    raw("tables_more", lambda d: count(d, lambda n: n + 1), of="cat")
    raw("tables_fewer", lambda d: count(d, lambda n: n - 1), of="cat")
    raw("tables_huge", lambda d: count(d, lambda n: 0xFFFFFFFF), of="cat")
    first = 12
    raw("table_longer", lambda d: put(d, u32(d, 4) + first, "I", 1 << 30), of="cat")
    raw("table_of_4_bytes", lambda d: put(d, u32(d, 4) + first, "I", 4), of="cat")

    def table_root(data: bytearray) -> None:
        put(data, u32(data, 4) + first + 4, "I", 1 << 28)

    raw("table_root_past_end", table_root, of="cat")


def full(index: list[int]) -> list[int]:
    """Buckets that are all in use."""
    index = list(index)
    for at in range(0, len(index), 12):
        index[at] = index[at] if index[at : at + 8] != [255] * 8 else 0
    return index


def classes(m: Model, count: int, names: list[Any], labels: list[Any]) -> None:
    """Say other classes."""
    params = {
        "classes_count": count,
        "class_names": names,
        "class_to_label": labels,
        "class_label_type": "Integer",
    }
    m.info["class_params"] = json.dumps(params).encode()


def infos() -> None:
    def info(name: str, key: str, value: bytes, of: str = "reg") -> None:
        model(name, lambda m: m.info.update({key: value}), of=of)

    def of_classes(name: str, count: int, names: list[Any], labels: list[Any]) -> None:
        model(name, lambda m: classes(m, count, names, labels), of="multi")

    info("json_deep", "training", b"[" * 65 + b"]" * 65)
    info("json_very_deep", "params", b"[" * 100_000)
    info("json_comment", "training", b"{/*}*/}")
    info("json_open", "output_options", b'{"a": 1')
    info("params_no_object", "params", b"[]")
    info("params_twice", "params", b'{"a":1,"a":2}')
    info("params_escape", "params", b'{"\\u0061":1}')
    pair = {"key": b"a", "value": b"b"}
    model("key_twice", lambda m: m.core.update({"own info": [pair, pair]}))
    model("key_without_a_value", lambda m: m.core.update({"own info": [{"key": b"a"}]}))
    of_classes("label_past_end", 3, [], [0, 1, 3])
    of_classes("label_huge", 3, [], [0, 1, 1e9])
    of_classes("label_negative", 3, [], [0, 1, -1])
    of_classes("label_fraction", 3, [], [0, 1, 1.5])
    of_classes("label_past_the_names", 0, ["a", "b", "c"], [0, 1, 3])
    of_classes("labels_fewer", 3, [], [0, 1])
    of_classes("names_fewer", 0, ["a", "b"], [0, 1, 1])
    of_classes("names_not_count", 4, ["a", "b", "c"], [0, 1, 2])
    of_classes("classes_many", 10_001, [], [0, 1, 2])
    of_classes("classes_of_64_bits", 1 << 40, [], [0, 1, 2])
    info("class_params_unknown", "class_params", b'{"more":1}', of="multi")
    info("class_params_twice", "class_params", b'{"classes_count":3,"classes_count":9}', of="multi")
    info("class_params_no_object", "class_params", b"3", of="multi")
    old = b'{"class_to_label":[0,9],"classes_count":2}'
    info("multiclass_params_past_end", "multiclass_params", old, of="mquant")
    names = b'{"data_processing_options":{"class_names":["a"]}}'
    info("names_of_params", "params", names, of="mquant")
    uncertain = b'{"loss_function":{"type":"RMSEWithUncertainty"}}'
    info("loss_of_2_dimensions", "params", uncertain)
    alone = {"loss_function": uncertain[17:-1]}
    model("loss_of_2_dimensions_alone", lambda m: (m.info.clear(), m.info.update(alone)))
    model("loss_without_a_name", lambda m: m.info.update(params=b'{"loss_function":{}}'))
    info("threads_many", "params", b'{"system_options":{"thread_count":1025}}')
    info(
        "threads_of_64_bits", "params", b'{"system_options":{"thread_count":99999999999999999999}}'
    )


def shared() -> None:
    """Many CTR features that share one large combination, which CatBoost copies for each."""
    core = Model("cat").core
    feature = core["trees"]["ctrs"][0]
    feature["ctr"]["base"]["combination"]["cats"] = [0] * 2000
    core["trees"]["ctrs"] = [{"ctr": {"target": number}} for number in range(200)]
    core["info"] = []
    core["trees"]["ctrs"][0] = feature
    data = bytearray(b"CBM1\0\0\0\0" + encode(core, "Core"))
    put(data, 4, "I", len(data) - 8)
    ctrs = follow(data, field(data, trees_at(data), 7))
    ctr = follow(data, field(data, follow(data, ctrs + 4), 0))
    base = follow(data, field(data, ctr, 0))
    # The base stands behind all: a table may point forward alone.
    assert base > ctrs
    for number in range(1, 200):
        place = ctrs + 4 + 4 * number
        put(data, place, "I", follow(data, ctrs + 4) - place)
    FILES["shared_again_and_again"] = bytes(data)


def main(given: list[str] | None = None) -> int:
    """Write the files."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument(
        "--check", action="store_true", help="write nothing; name what would change"
    )
    options = parser.parse_args(given)
    for make in (good, layout, cores, trees, features, ctrs, infos, shared):
        make()
    status = 0
    for name, data in sorted(FILES.items()):
        path = FOLDER / f"{name}.cbm"
        if path.exists() and path.read_bytes() == data:
            continue
        if options.check:
            print(f"would change: {name}")
            status = 1
            continue
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    on_disk = {path.stem for path in FOLDER.glob("*.cbm")}
    for name in sorted(on_disk - FILES.keys()):
        print(f"nobody makes: {name}")
        status = 1
    return status


if __name__ == "__main__":
    sys.exit(main())
