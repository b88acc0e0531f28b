"""Damaged model files of CatBoost, for `mutate.py --kind catboost`: the models, their changes, what they are asked.

    python benches/catboost_models.py [TREES]      time nopickle's reader and CatBoost's on one file

Changes: in one of four files bytes as they lie; in the others numbers and lengths of vectors, fields, tables and
the texts of the model's info, after which the FlatBuffers are written again as they should be, so that the change
reaches the evaluator.
"""

from __future__ import annotations

import copy
import statistics
import sys
import time
from pathlib import Path

import numpy as np

sys.path.append(str(Path(__file__).resolve().parents[1] / "cases" / "hostile"))

import catboosts

# What a number may become: ends of ranges, and one more than what a byte, a bin or 16 bits hold.
INTEGERS = [-1, 0, 1, 2, 3, 17, 31, 254, 255, 256, 1000, 65535, 65536, 2**31 - 1, -(2**31)]
REGRESSIONS = ("regression", "uncertainty", "quantiles", "many ctrs", "lossguide")
FLOATS = [float("nan"), float("inf"), float("-inf"), 0.0, -0.0, 1e300, -1.5]


def specimens():
    """Yield `(name, make)`: `make()` gives the bytes of a trained model and the rows that it is asked with."""
    from catboost import CatBoostClassifier, CatBoostRegressor

    rng = np.random.RandomState(7)
    rows = rng.normal(size=(160, 4))
    rows[::9, 1] = np.nan
    two = (rows[:, 0] > 0).astype(int)
    three = np.clip((rows[:, 2] * 2).round(), -1, 1).astype(int) + 1
    number = rows[:, 0] * 2 + np.abs(rows[:, 2])
    letters, kinds = rng.choice(list("abcdefghij"), 160), rng.choice(["u", "v", "w"], 160)
    mixed = [[*map(float, rows[at, :3]), letters[at], kinds[at]] for at in range(160)]
    of_kinds = ((letters < "f") ^ (kinds == "u")).astype(int)
    small = {
        "iterations": 5,
        "depth": 3,
        "verbose": 0,
        "thread_count": 1,
        "random_seed": 1,
        "allow_writing_files": False,
    }

    def trained(make, inputs, target, **params):
        def fit():
            model = make(**{**small, **params})
            if isinstance(inputs, list):
                model.fit(inputs, target, cat_features=[3, 4])
            else:
                model.fit(inputs, target)
            return model._serialize_model(), inputs[:40]

        return fit

    lossguide = {"grow_policy": "Lossguide", "max_leaves": 7}
    many = {
        "simple_ctr": ["Borders:TargetBorderCount=4", "Buckets:TargetBorderCount=3", "Counter"],
        "one_hot_max_size": 2,
        "depth": 5,
    }
    yield "catboost:binary", trained(CatBoostClassifier, rows, two)
    yield "catboost:multiclass", trained(CatBoostClassifier, rows, three)
    yield (
        "catboost:more classes",
        trained(CatBoostClassifier, rows, three, classes_count=5, loss_function="MultiClass"),
    )
    yield "catboost:regression", trained(CatBoostRegressor, rows, number)
    yield (
        "catboost:uncertainty",
        trained(CatBoostRegressor, rows, number, loss_function="RMSEWithUncertainty"),
    )
    yield (
        "catboost:quantiles",
        trained(CatBoostRegressor, rows, number, loss_function="MultiQuantile:alpha=0.1,0.9"),
    )
    yield (
        "catboost:one hot",
        trained(CatBoostClassifier, mixed, of_kinds, one_hot_max_size=20, depth=4),
    )
    yield "catboost:categories", trained(CatBoostClassifier, mixed, of_kinds, iterations=8)
    yield (
        "catboost:combinations",
        trained(CatBoostClassifier, mixed, of_kinds, iterations=10, depth=4, max_ctr_complexity=3),
    )
    yield "catboost:many ctrs", trained(CatBoostRegressor, mixed, number + of_kinds, **many)
    yield (
        "catboost:means",
        trained(CatBoostClassifier, mixed, of_kinds, simple_ctr=["BinarizedTargetMeanValue"]),
    )
    yield "catboost:depthwise", trained(CatBoostClassifier, rows, two, grow_policy="Depthwise")
    yield "catboost:lossguide", trained(CatBoostRegressor, rows, number, **lossguide)
    yield (
        "catboost:lossguide of classes",
        trained(CatBoostClassifier, mixed, three, **lossguide),
    )


def calls(model, name, inputs):
    """Everything that a model answers to, with the columns that it was trained with."""
    from catboost import Pool

    categories = [3, 4] if isinstance(inputs, list) else None

    def pool():
        return Pool(inputs, cat_features=categories)

    kinds = ["RawFormulaVal", "Probability", "LogProbability", "Exponent"]
    # A regression has no classes to answer with; CatBoost does not stage classes that it never saw.
    if name.split(":")[1] not in REGRESSIONS:
        kinds.append("Class")
    staged = [] if name.endswith("more classes") else [{"eval_period": 1}, {"eval_period": 3}]
    return [
        *(
            lambda kind=kind: model.predict(pool(), prediction_type=kind, thread_count=1)
            for kind in kinds
        ),
        lambda: model.predict(inputs[0], thread_count=1),
        lambda: model.predict(pool(), ntree_end=2, thread_count=1),
        *(
            lambda period=period: list(model.staged_predict(pool(), thread_count=1, **period))
            for period in staged
        ),
        lambda: model.calc_leaf_indexes(pool(), thread_count=1),
        lambda: model.get_feature_importance(thread_count=1),
        lambda: model.get_feature_importance(pool(), type="ShapValues", thread_count=1),
        lambda: model.get_all_params(),
        lambda: model.classes_,
        lambda: model.feature_names_,
        lambda: model.get_leaf_values(),
        lambda: model._serialize_model(),
    ]


def library(name):
    """Give the `loads` of a library; the one of CatBoost itself is called `catboost`."""
    from catboost import CatBoost

    if name == "nopickle":
        from nopickle import _rust

        return lambda data, trusted: CatBoost().load_model(
            blob=_rust.catboost_read(data, "model.cb")
        )
    return lambda data, trusted: CatBoost().load_model(blob=bytes(data))


class File:
    """A model file, and the same taken apart once."""

    def __init__(self, data):
        self.whole = data
        self.model = catboosts.Model.of(data)


def mutate(file, draw):
    """Change a file; its new bytes, and what was changed."""
    import mutate as harness

    if draw.random() < 0.25:
        return harness.change_bytes(file.whole, draw)
    model = copy.deepcopy(file.model)
    done = []
    for _ in range(draw.choices([1, 2, 3], [80, 15, 5])[0]):
        part = draw.choices(
            ["trees", "features", "tables", "info"], [45, 25, 20 if model.tables else 0, 10]
        )[0]
        if part == "info":
            done.append(_change_info(model, draw))
        elif part == "tables":
            at = draw.randrange(len(model.tables))
            done.append(f"table {at} {_change(model.tables, at, 'Table', draw)}")
        else:
            inside = part == "features"
            done.append(_change_field(model.trees, "Trees", draw, inside))
    try:
        return model.bytes(), "; ".join(done)
    except Exception:
        # A number that does not fit its field: the file as it was, and one byte.
        return harness.change_bytes(file.whole, draw)


def _change_info(model, draw):
    key = draw.choice(list(model.info))
    text = bytearray(model.info[key])
    digits = [at for at, byte in enumerate(text) if 48 <= byte < 58]
    if digits and draw.random() < 0.7:
        at = draw.choice(digits)
        text[at : at + 1] = draw.choice([b"0", b"9", b"99", b"99999999999", b"-1", b"0.5", b"[]"])
    elif text:
        at = draw.randrange(len(text))
        text[at : at + draw.choice([1, 1, 4])] = draw.choice([b"", b'"', b"[", b"}", b"x", b"\\"])
    model.info[key] = bytes(text)
    return f"info {key}"


def _change(items, at, name, draw):
    """Change one table of a list, or the list at this place."""
    action = draw.choices(["field", "remove", "twice", "exchange"], [85, 5, 5, 5])[0]
    if action == "remove":
        del items[at]
    elif action == "twice":
        items.append(copy.deepcopy(items[at]))
    elif action == "exchange":
        to = draw.randrange(len(items))
        items[at], items[to] = items[to], items[at]
    else:
        return _change_field(items[at], name, draw)
    return action


def _change_field(table, name, draw, inside=None):
    """Change one field of a table; with `inside` one that holds tables, or none that does."""
    kinds = dict(catboosts.SCHEMA[name])
    fields = [
        field
        for field in table
        if field in kinds
        and (inside is None or (kinds[field][0] == "[") == inside)
        and not (kinds[field][0] == "[" and not table[field])
    ]
    if not fields:
        return "nothing"
    field = draw.choice(fields)
    kind, value = kinds[field], table[field]
    if draw.random() < 0.04:
        del table[field]
        return f"{name}.{field} gone"
    if kind in catboosts.SCHEMA:
        return _change_field(value, kind, draw)
    if kind[0] == "[":
        at = draw.randrange(len(value))
        return f"{name}.{field}[{at}] {_change(value, at, kind[1:-1], draw)}"
    if kind == "text":
        table[field] = draw.choice([b"", b"\xff", value * 2, b"x\0y"])
    elif kind == "texts":
        table[field] = draw.choice([[], value[:-1], value * 2, [b"x"]])
    elif kind[0] == "*":
        table[field] = value = list(value)
        action = draw.choices(["one", "shorter", "longer", "none"], [80, 7, 8, 5])[0]
        if action == "one" and value:
            at = draw.randrange(len(value))
            value[at] = _number(value[at], kind[1], draw)
        elif action == "shorter" and value:
            del value[draw.randrange(len(value)) :]
        elif action == "longer":
            value.extend(value[: draw.choice([1, 1, 12])] or [0])
        else:
            value.clear()
    else:
        table[field] = _number(value, kind, draw)
    return f"{name}.{field}"


def _number(value, form, draw):
    if form in "df":
        return draw.choice([*FLOATS, -value])
    near = draw.choice([value + 1, value - 1, value ^ (1 << draw.randrange(8))])
    number = near if draw.random() < 0.5 else draw.choice(INTEGERS)
    bits = {"B": 8, "i": 32, "I": 32, "q": 64}[form]
    number &= (1 << bits) - 1
    if form in "iq" and number >> (bits - 1):
        number -= 1 << bits
    return number


def main():
    """Time both readers on a model of many trees."""
    from catboost import CatBoost, CatBoostClassifier

    from nopickle import _rust

    trees = int(sys.argv[1]) if len(sys.argv) > 1 else 1000
    rows = np.random.RandomState(0).normal(size=(5000, 20))
    model = CatBoostClassifier(iterations=trees, verbose=0, allow_writing_files=False)
    model.fit(rows, rows[:, 0] * rows[:, 1] > 0)
    data = model._serialize_model()
    ours, theirs = [], []
    for _ in range(9):
        start = time.perf_counter()
        _rust.catboost_read(data, "model.cb")
        middle = time.perf_counter()
        CatBoost().load_model(blob=data)
        ours.append(middle - start)
        theirs.append(time.perf_counter() - middle)
    ratio = statistics.median(ours) / statistics.median(theirs)
    print(
        f"{trees} trees, {len(data) / 1e6:.1f} MB: nopickle {statistics.median(ours) * 1e3:.1f} ms, "
        f"CatBoost {statistics.median(theirs) * 1e3:.1f} ms, ratio {ratio:.2f}"
    )


if __name__ == "__main__":
    main()
