"""Damaged models of XGBoost, for `mutate.py --kind xgboost`: the boosters, their changes, what they are asked.

Each booster is there as UBJSON, as JSON and as the snapshot that is its state in Python. Changes:
numbers of lists, their lengths, counts, texts and keys, whole values removed, written twice or
exchanged, and bytes as they lie.
"""

from __future__ import annotations

import copy
import json
import sys
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parent.parent

EXTREME = [
    0,
    1,
    -1,
    2,
    -2,
    7,
    127,
    255,
    256,
    32767,
    65535,
    2**24,
    2**31 - 1,
    -(2**31),
    2**31,
    2**32,
]
WORDS = ["", "0", "1", "-1", "2", "3", "9", "64", "1000", "100000", "10000000", "2147483647"]
WORDS += ["2147483648", "4294967295", "4294967296", "99999999999999999999", "1E0", "NaN", "1E39"]
WORDS += ["[5E-1]", "[5E-1,5E-1]", "gbtree", "dart", "gblinear", "multi:softprob", "rank:ndcg", "x"]


def _codec():
    sys.path.insert(0, str(ROOT / "cases/hostile"))
    import xgboost_models

    return xgboost_models


def specimens():
    """Yield `(name, make)`: `make()` gives a trained booster and the inputs that it is asked with."""
    import xgboost

    rng = np.random.RandomState(7)
    rows = rng.normal(size=(240, 4)).astype("float32")
    rows[::9, 1] = np.nan
    two = (rows[:, 0] > 0).astype(int)
    three = np.clip((rows[:, 2] * 2).round(), -1, 1).astype(int) + 1
    number = rows[:, 0] * 2 + np.abs(rows[:, 2])
    both = np.c_[number, -number]
    codes = rows.copy()
    codes[:, 1] = rng.randint(3, size=240)
    codes[:, 2] = rng.randint(90, size=240)
    columns = {"feature_types": ["q", "c", "c", "q"], "enable_categorical": True}
    small = {"max_depth": 3, "nthread": 1}

    def trained(target, inputs=rows, data=None, **params):
        def make():
            matrix = xgboost.DMatrix(inputs, target, **(data or {}))
            return xgboost.train({**small, **params}, matrix, 3), inputs[:40]

        return make

    def of_frame():
        import pandas as pd

        frame = pd.DataFrame(rows, columns=list("abcd"))
        frame["kind"] = pd.Categorical(np.array(["u", "v", "w"])[rng.randint(3, size=240)])
        frame["code"] = pd.Categorical(rng.randint(30, size=240))
        target = number + frame["code"].cat.codes % 3 + 2 * (frame["kind"] == "u")
        matrix = xgboost.DMatrix(frame, target, enable_categorical=True)
        return xgboost.train(small, matrix, 3), frame[:40]

    queries = {"qid": np.repeat(np.arange(10), 24)}
    yield "xgboost:binary", trained(two, objective="binary:logistic")
    yield "xgboost:multiclass", trained(three, objective="multi:softprob", num_class=3)
    yield (
        "xgboost:quantile",
        trained(number, objective="reg:quantileerror", quantile_alpha=[0.1, 0.9]),
    )
    yield (
        "xgboost:ranking",
        trained(two, data=queries, objective="rank:ndcg", lambdarank_unbiased=True),
    )
    yield "xgboost:targets", trained(both)
    yield "xgboost:output-trees", trained(both, multi_strategy="multi_output_tree")
    yield "xgboost:codes", trained(number + codes[:, 2] % 3, codes, columns)
    yield "xgboost:frame", of_frame
    yield "xgboost:dart", trained(number, booster="dart", rate_drop=0.5)
    yield (
        "xgboost:linear",
        trained(three, booster="gblinear", objective="multi:softprob", num_class=3),
    )
    yield "xgboost:forest", trained(two, num_parallel_tree=3, subsample=0.5)
    yield "xgboost:pruned", trained(number, tree_method="exact", gamma=3, max_depth=5)


def calls(booster, name, inputs):
    """Give what is asked of a booster that was read."""
    import xgboost

    matrix = xgboost.DMatrix(
        inputs,
        feature_names=booster.feature_names,
        feature_types=booster.feature_types if "codes" in name else None,
        enable_categorical=True,
        nthread=1,
    )
    return [
        lambda: booster.predict(matrix),
        lambda: booster.predict(matrix, output_margin=True),
        lambda: booster.predict(matrix, pred_leaf=True),
        lambda: booster.predict(matrix, pred_contribs=True),
        lambda: booster.predict(matrix, pred_interactions=True),
        lambda: booster.inplace_predict(np.asarray(inputs[:5], dtype=float)),
        lambda: booster.predict(matrix, iteration_range=(0, 2)),
        lambda: booster.get_dump(with_stats=True, dump_format="json"),
        lambda: booster.get_score(importance_type="gain"),
        lambda: booster.save_config(),
        lambda: booster.save_raw("json"),
        lambda: booster[0:1].predict(matrix),
        lambda: booster.num_boosted_rounds(),
    ]


def library(name):
    """Give the `loads` of a library; the one of XGBoost itself is called `xgboost`."""
    import xgboost

    xgboost.set_config(verbosity=0, nthread=1)

    def given(data):
        booster = xgboost.Booster.__new__(xgboost.Booster)
        if data[:9] == b"snapshot:":
            booster.__setstate__({"handle": bytearray(data[9:])})
            return booster
        booster = xgboost.Booster({"nthread": 1})
        booster.load_model(bytearray(data))
        return booster

    if name == "xgboost":
        return lambda data, trusted: given(data)
    from nopickle import _rust, skops

    files = {}

    def loads(data, trusted):
        if data[:9] != b"snapshot:":
            return given(_rust.xgboost_read(data, "model"))
        if not files:
            matrix = xgboost.DMatrix(np.eye(4), [0, 1, 0, 1])
            files["held"] = skops.dumps(xgboost.train({"nthread": 1}, matrix, 1))
        return skops.loads(_with_snapshot(files["held"], data[9:]))

    return loads


def _with_snapshot(file, snapshot):
    """Put another snapshot into a skops file of one booster."""
    import mutate as harness

    entries = harness.read_zip(file)
    held = [(name, data if name == "schema.json" else snapshot) for name, data in entries]
    assert len(held) == 2
    return harness.build_zip(held)


class Document:
    """A booster taken apart once: as UBJSON, as JSON, as a snapshot."""

    def __init__(self, data, kind):
        self.codec = _codec()
        self.kind = kind
        self.whole = b"snapshot:" + data if kind == "snapshot" else data
        self.tree = json.loads(data) if kind == "json" else self.codec.read(data)

    def written(self, tree):
        """The bytes of a document."""
        if self.kind == "json":
            return json.dumps(tree, separators=(",", ":")).encode()
        return (b"snapshot:" if self.kind == "snapshot" else b"") + self.codec.write(tree)


def documents(booster):
    """A booster in its three forms."""
    return [
        ("ubj", Document(bytes(booster.save_raw("ubj")), "ubj")),
        ("json", Document(bytes(booster.save_raw("json")), "json")),
        ("snapshot", Document(bytes(booster.__getstate__()["handle"]), "snapshot")),
    ]


def mutate(document, draw):
    """Change a booster; its new bytes, and what was changed."""
    import mutate as harness

    if draw.random() < 0.15:
        data, what = harness.change_bytes(document.whole, draw)
        return data, what
    tree = copy.deepcopy(document.tree)
    done = []
    for _ in range(draw.choices([1, 2, 3], [80, 15, 5])[0]):
        path, held, key = _place(tree, draw)
        done.append(f"{'/'.join(map(str, path))}: {_change(held, key, tree, draw)}")
    try:
        return document.written(tree), "; ".join(done)
    except Exception:
        # A number that its type has no room for.
        return harness.change_bytes(document.whole, draw)


def _place(tree, draw):
    """Walk to some value; four of five walks go to the trees or weights."""
    path, held, key = [], None, None
    value = tree
    while True:
        items = getattr(value, "values", value) if not isinstance(value, dict) else value
        if isinstance(items, dict):
            keys = sorted(items)
        elif isinstance(items, list):
            keys = range(len(items))
        else:
            return path, held, key
        if not keys or (path and draw.random() < 0.07):
            return path, held, key
        key = draw.choice(keys)
        if isinstance(items, dict):
            for wanted in ("Model", "learner", "gradient_booster", "gbtree", "model", "trees"):
                if wanted in items and draw.random() < 0.75:
                    key = wanted
        path.append(key)
        held, value = items, items[key]


def _change(held, key, tree, draw):
    """Change the value at a place."""
    value = held[key]
    action = draw.choices(["value", "remove", "copy", "exchange"], [80, 8, 6, 6])[0]
    if action == "remove":
        del held[key]
        return action
    if action in ("copy", "exchange"):
        keys = sorted(held) if isinstance(held, dict) else list(range(len(held)))
        other = draw.choice(keys)
        if action == "exchange":
            held[key], held[other] = held[other], held[key]
        elif isinstance(held, list):
            held.insert(other, copy.deepcopy(value))
        else:
            held[other] = copy.deepcopy(value)
        return f"{action} {other}"
    inner = getattr(value, "values", None) if not isinstance(value, dict) else None
    if inner is None and isinstance(value, list):
        inner = value
    if inner is not None:
        return _change_list(inner, draw)
    if isinstance(value, bool):
        held[key] = not value
    elif isinstance(value, int):
        held[key] = draw.choice(
            [value + 1, value - 1, draw.randrange(-3, 30), draw.choice(EXTREME)]
        )
    elif isinstance(value, float):
        held[key] = draw.choice([0.0, -1.0, 1e30, -1e30, 1e-40, value * 2])
    elif isinstance(value, str):
        held[key] = draw.choice([*WORDS, value + "0", value[:-1], "9" + value])
    elif hasattr(value, "value"):
        value.value = draw.choice([0.0, -1.0, 1e30, float("nan"), float("inf")])
    else:
        held[key] = draw.choice(["x", 0, [], {}])
    return repr(held[key])[:40]


def _change_list(items, draw):
    """Change a list: shorter, longer, mixed."""
    action = draw.choice(["cut", "double", "reverse", "empty", "shuffle", "long"])
    if action == "cut":
        del items[draw.randrange(len(items) + 1) :]
    elif action == "double":
        items.extend(copy.deepcopy(items))
    elif action == "reverse":
        items.reverse()
    elif action == "empty":
        items.clear()
    elif action == "long" and items:
        items.extend([copy.deepcopy(items[0])] * 1000)
    else:
        draw.shuffle(items)
    return action
