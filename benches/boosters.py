"""Damaged model texts of LightGBM, for `mutate.py --kind lightgbm`: the boosters, their changes, what they are asked.

    python benches/boosters.py [TREES]      time nopickle's reader and LightGBM's on one text

Changes: numbers and lengths of lists, counts, whole lines and trees, sections behind the trees, words of the objective,
and bytes as they lie. After four of five changes `tree_sizes` is counted again, so that LightGBM looks at the tree.
"""

from __future__ import annotations

import re
import statistics
import sys
import time

import numpy as np


def specimens():
    """Yield `(name, make)`: `make()` gives a trained booster and the inputs that it is asked with."""
    import lightgbm
    import pandas as pd
    from scipy import sparse

    rng = np.random.RandomState(7)
    rows = rng.normal(size=(240, 4))
    rows[::9, 1] = np.nan
    two = (rows[:, 0] > 0).astype(int)
    three = np.clip((rows[:, 2] * 2).round(), -1, 1).astype(int) + 1
    number = rows[:, 0] * 2 + np.abs(rows[:, 2])
    frame = pd.DataFrame(rows, columns=["a", "b", "c", "d"])
    frame["kind"] = pd.Categorical(np.array(["u", "v", "w"])[rng.randint(3, size=240)])
    frame["code"] = pd.Categorical(rng.randint(90, size=240))
    kinds = (frame["code"].cat.codes % 3 == 0) ^ (frame["kind"] == "u")
    thin = sparse.csr_matrix(np.where(np.abs(np.nan_to_num(rows)) > 1, np.nan_to_num(rows), 0))
    small = {
        "num_leaves": 6,
        "min_data_in_leaf": 5,
        "verbose": -1,
        "num_threads": 1,
        "cat_smooth": 1,
        "min_data_per_group": 2,
        "max_cat_to_onehot": 2,
    }

    def trained(inputs, target, group=None, **params):
        data = lightgbm.Dataset(inputs, target, group=group, free_raw_data=False)
        return lambda: (lightgbm.train({**small, **params}, data, 4), inputs[:40])

    yield "booster:binary", trained(rows, two, objective="binary")
    yield "booster:multiclass", trained(rows, three, objective="multiclass", num_class=3)
    yield "booster:ova", trained(rows, three, objective="multiclassova", num_class=3)
    yield "booster:regression", trained(rows, number, objective="regression")
    yield (
        "booster:monotone",
        trained(rows, np.abs(number), objective="poisson", monotone_constraints=[0, 0, 1, 0]),
    )
    yield "booster:ranking", trained(rows, two, group=[24] * 10, objective="lambdarank")
    yield "booster:categories", trained(frame, kinds.astype(int), objective="binary")
    yield "booster:sparse", trained(thin, two, objective="binary")
    yield "booster:linear", trained(rows, rows[:, 0] * rows[:, 3], linear_tree=True)
    yield "booster:dart", trained(rows, two, objective="binary", boosting="dart")
    yield (
        "booster:forest",
        trained(frame, kinds * 2.5, boosting="rf", bagging_fraction=0.5, bagging_freq=1),
    )
    yield "booster:constant", trained(rows, number, min_data_in_leaf=200)


def calls(booster, name, inputs):
    """Everything that a booster answers to, with the columns that it was trained with."""
    # LightGBM has no SHAP values of linear trees.
    contributions = [] if name == "booster:linear" else [{"pred_contrib": True}]
    return [
        *(lambda asked=asked: booster.predict(inputs, **asked) for asked in contributions),
        lambda: booster.predict(inputs),
        lambda: booster.predict(inputs, raw_score=True),
        lambda: booster.predict(inputs, pred_leaf=True),
        lambda: booster.predict(inputs, num_iteration=1),
        lambda: booster.feature_importance("gain"),
        lambda: booster.dump_model(),
        lambda: booster.model_to_string(),
        lambda: booster.lower_bound(),
    ]


def library(name):
    """Give the `loads` of a library; the one of LightGBM itself is called `lightgbm`."""
    import lightgbm

    if name == "nopickle":
        from nopickle import _rust

        return lambda data, trusted: lightgbm.Booster(
            model_str=_rust.lightgbm_read(data, "model.lgb")
        )
    return lambda data, trusted: lightgbm.Booster(model_str=data.decode())


class Text:
    """A model text taken apart once: the lines of the header, of each tree, of what is behind."""

    def __init__(self, text):
        self.whole = text.encode()
        header, *trees = re.split(r"(?m)^(?=Tree=)", text)
        last, tail = trees[-1].split("end of trees", 1)
        self.header = header.split("\n")
        self.trees = [tree.split("\n") for tree in [*trees[:-1], last]]
        self.tail = ("end of trees" + tail).split("\n")


def mutate(text, draw):
    """Change a text; its new bytes, and what was changed."""
    import mutate as harness

    if draw.random() < 0.12:
        return harness.change_bytes(text.whole, draw)
    header, tail = list(text.header), list(text.tail)
    trees = [list(tree) for tree in text.trees]
    done = []
    for _ in range(draw.choices([1, 2, 3], [80, 15, 5])[0]):
        kind = draw.choices(["tree", "header", "tail", "trees"], [70, 18, 6, 6])[0]
        if kind == "trees":
            done.append(_change_trees(trees, draw))
            continue
        at = draw.randrange(len(trees)) if trees else 0
        lines = {"header": header, "tail": tail, "tree": trees[at] if trees else header}[kind]
        done.append(f"{kind} {at if kind == 'tree' else ''} {_change_line(lines, draw)}")
    parts = ["\n".join(tree) for tree in trees]
    if draw.random() < 0.8:
        sizes = "tree_sizes=" + " ".join(str(len(part.encode())) for part in parts)
        header = [sizes if line.startswith("tree_sizes=") else line for line in header]
    whole = "\n".join(header) + "".join(parts) + "\n".join(tail)
    return whole.encode("utf-8", "surrogateescape"), "; ".join(done)


def _change_trees(trees, draw):
    """Trees removed, written twice or exchanged."""
    if not trees:
        return "no tree"
    at, other = draw.randrange(len(trees)), draw.randrange(len(trees))
    action = draw.choice(["remove", "copy", "exchange"])
    if action == "remove":
        del trees[at]
    elif action == "copy":
        trees.insert(other, list(trees[at]))
    else:
        trees[at], trees[other] = trees[other], trees[at]
    return f"trees {action} {at} {other}"


def _change_line(lines, draw):
    """One line removed, written twice, exchanged, renamed, or its value changed."""
    at = draw.randrange(len(lines))
    key, equals, value = lines[at].partition("=")
    action = draw.choices(
        ["value", "remove", "copy", "move", "rename", "cut"], [82, 4, 4, 4, 3, 3]
    )[0]
    if action == "remove":
        del lines[at]
    elif action == "copy":
        lines.insert(draw.randrange(len(lines)), lines[at])
    elif action == "move":
        lines.insert(draw.randrange(len(lines)), lines.pop(at))
    elif action == "rename":
        lines[at] = (
            draw.choice(["", "x", "num_class", "num_leaves", "Tree", "num_cat"]) + equals + value
        )
    elif action == "cut":
        lines[at] = lines[at][: draw.randrange(len(lines[at]) + 1)]
    else:
        lines[at] = key + equals + _change_value(value, draw)
    return f"{action} line {at} {key[:30]}"


def _change_value(value, draw):
    """Words of a list changed, removed, added."""
    import mutate as harness

    words = value.split(" ")
    at = draw.randrange(len(words))
    action = draw.choices(
        ["number", "remove", "insert", "many", "word", "empty"], [70, 8, 8, 4, 8, 2]
    )[0]
    if action == "number":
        try:
            if "." in words[at] or "e" in words[at]:
                words[at] = repr(harness.float_near(float(words[at]), draw))
            else:
                words[at] = str(harness.int_near(int(words[at]), len(words), draw))
        except (ValueError, OverflowError):
            words[at] = re.sub(
                r"\d+",
                lambda found: str(harness.int_near(int(found[0]), 4, draw)),
                words[at],
                count=1,
            )
    elif action == "remove":
        del words[at]
    elif action == "insert":
        words.insert(at, draw.choice([words[at], "0", "-1", "1e400", "nan", "x"]))
    elif action == "many":
        words[at:at] = [words[at]] * draw.choice([2, 30, 3000])
    elif action == "word":
        words[at] = draw.choice(
            ["", "x", "\0", "0x10", "=", ":", "[", "inf", "9" * 400, "\t", "\u00e4"]
        )
    else:
        return ""
    return " ".join(words)


def main(trees):
    """Print how long reading and verifying a booster's text takes, and how long LightGBM takes to read it."""
    import lightgbm

    from nopickle import _rust

    rng = np.random.RandomState(0)
    rows = rng.normal(size=(10_000, 16))
    target = rows[:, 0] + rows[:, 1] * rows[:, 2] + rng.normal(size=10_000) > 0
    data = lightgbm.Dataset(rows, target.astype(int))
    text = lightgbm.train({"objective": "binary", "verbose": -1}, data, trees).model_to_string()
    written = text.encode()
    if _rust.lightgbm_read(written, "model.lgb") != text:
        raise SystemExit("the text is not written back as it was")
    ours, theirs = [], []
    for _ in range(15):
        began = time.perf_counter()
        _rust.lightgbm_read(written, "model.lgb")
        middle = time.perf_counter()
        lightgbm.Booster(model_str=text)
        ours.append(middle - began)
        theirs.append(time.perf_counter() - middle)
    ratio = statistics.median(a / b for a, b in zip(ours, theirs, strict=True))
    print(
        f"{trees} trees, {len(written) / 1e6:.1f} MB: nopickle {statistics.median(ours) * 1e3:.1f} ms, "
        f"LightGBM {lightgbm.__version__} {statistics.median(theirs) * 1e3:.1f} ms, ratio {ratio:.2f}"
    )


if __name__ == "__main__":
    main(int(sys.argv[1]) if sys.argv[1:] else 2_000)
