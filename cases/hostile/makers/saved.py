"""Saved models, whose values are changed one at a time."""

from __future__ import annotations

import io
import json
import zipfile
from pathlib import Path

import numpy as np

from .parts import array, keep, keyed, leaf, listing, mapping, model, node, pair, saved, whole


def taken(data):
    """Schema and entries of a saved file, ids and entry names counted from 1."""
    with zipfile.ZipFile(io.BytesIO(data)) as zipped:
        held = {name: zipped.read(name) for name in zipped.namelist()}
    schema = json.loads(held.pop("schema.json"))
    ids, names = {}, {}
    todo = [schema]
    while todo:
        here = todo.pop()
        if isinstance(here, dict):
            if isinstance(here.get("__id__"), int):
                here["__id__"] = ids.setdefault(here["__id__"], len(ids) + 1)
            if isinstance(here.get("file"), str):
                here["file"] = names.setdefault(
                    here["file"], f"{len(names) + 1}{Path(here['file']).suffix}"
                )
            todo.extend(reversed(here.values()))
        elif isinstance(here, list):
            todo.extend(reversed(here))
    return schema, {new: without_padding(held[old]) for old, new in names.items()}


def without_padding(data):
    """An entry as it is; in an array of records, the bytes between fields, which are of no meaning, set to zero."""
    if not data.startswith(b"\x93NUMPY"):
        return data
    values = np.load(io.BytesIO(data))
    if not values.dtype.names:
        return data
    clean = np.zeros(values.shape, values.dtype)
    for name in values.dtype.names:
        clean[name] = values[name]
    return saved(clean)


class Saved:
    """A saved model whose values can be changed one at a time: each `put` starts from the whole one."""

    def __init__(self, folder, obj, data=None):
        from skops.io import dumps

        self.folder = folder
        self.schema, self.entries = taken(dumps(obj) if data is None else data)
        self.text = json.dumps(self.schema)
        # Objects that stand twice keep one id; a changed copy needs its own.
        self.good()

    def good(self):
        keep(f"{self.folder}/good", model(self.schema, self.entries))

    def find(self, schema, path):
        here = schema
        for step in path:
            if step == "args":
                here = here["__reduce__"]["args"]
                continue
            inside = here["content"]
            while isinstance(step, str) and isinstance(inside, dict) and "__loader__" in inside:
                inside = inside["content"]
            if isinstance(step, int) and isinstance(inside, dict) and "__loader__" in inside:
                inside = inside["content"]
            here = inside[step]
        return here

    def value(self, *path):
        """The value at a path: what a leaf says, or an array."""
        here = self.find(self.schema, path)
        if here["__loader__"] == "NdArrayNode" and here["type"] == "numpy":
            return np.load(io.BytesIO(self.entries[here["file"]]))
        return json.loads(here["content"])

    def put(self, name, *path, to, raw=False):
        """The model with the value at `path` set to `to`: an array, a JSON value, a node, or (`raw`) an entry."""
        schema, entries = json.loads(self.text), dict(self.entries)
        here = self.find(schema, path)
        if raw:
            entries[here["file"]] = to
        else:
            here.clear()
            if isinstance(to, np.ndarray | np.generic):
                here.update(array("changed.npy"))
                if isinstance(to, np.generic):
                    here["__class__"] = type(to).__name__
                entries["changed.npy"] = without_padding(saved(to))
            elif isinstance(to, dict) and "__loader__" in to:
                here.update(to)
            else:
                here.update(leaf(to))
        self.keep(name, schema, entries)

    def keep(self, name, schema, entries):
        """Keep a file with those entries that its schema names."""
        used = json.dumps(schema)
        named = {key: data for key, data in entries.items() if f'"{key}"' in used}
        keep(f"{self.folder}/{name}", model(schema, named))

    def without(self, name, *path):
        """The model without the entry of a dict at `path`."""
        schema = json.loads(self.text)
        holder = self.find(schema, path[:-1])
        while holder["__loader__"] != "DictNode":
            holder = holder["content"]
        at = list(holder["content"]).index(path[-1])
        del holder["content"][path[-1]]
        del holder["key_types"]["content"][at]
        self.keep(name, schema, self.entries)

    def plus(self, name, *path, to):
        """The model with one more entry of a dict: its key is the last part of `path`, its value the node `to`."""
        schema = json.loads(self.text)
        holder = self.find(schema, path[:-1])
        while holder["__loader__"] != "DictNode":
            holder = holder["content"]
        holder["content"][path[-1]] = to
        holder["key_types"]["content"].append(node("TypeNode", "builtins", "str"))
        self.keep(name, schema, self.entries)

    def part(self, *path):
        """A copy of the node at `path`, to stand elsewhere: its ids make it the same object there."""
        return json.loads(json.dumps(self.find(self.schema, path)))

    def array(self, *path):
        return self.value(*path).copy()

    def element(self, name, *path, at, to, field=None):
        """The model with one element of an array changed."""
        values = self.array(*path)
        flat = values.reshape(-1) if field is None else values[field]
        flat[at] = to
        self.put(name, *path, to=values)


def rows():
    draw = np.random.RandomState(7)
    inputs = draw.normal(size=(24, 3)).round(3)
    return inputs, np.arange(24) % 3, (inputs @ [1.0, -2.0, 0.5]).round(3)


def vectorizer(estimator):
    fitted = estimator.fit(["red green blue", "green blue", "blue black red"])
    fitted._stop_words_id = 1  # an address
    return fitted


def pinball_loss():
    from sklearn._loss._loss import CyPinballLoss

    return CyPinballLoss(0.5)


def birch(fitted):
    """A file of a Birch, whose leaves point at each other: skops does not write it, and reads it from cached nodes."""
    seen, entries = {}, {}

    def state(value):
        if value is None or isinstance(value, bool | int | float | str):
            return leaf(value)
        if id(value) in seen:
            return {
                "__class__": "x",
                "__module__": "x",
                "__loader__": "CachedNode",
                "__id__": seen[id(value)],
            }
        if isinstance(value, np.ndarray | np.generic):
            file = f"{len(entries) + 1}.npy"
            entries[file] = saved(value)
            made = array(file)
            if isinstance(value, np.generic):
                made["__class__"] = type(value).__name__
        elif isinstance(value, list):
            made = listing()
            seen[id(value)] = made["__id__"]
            made["content"] = [state(item) for item in value]
        else:
            made = node("ObjectNode", type(value).__module__, type(value).__name__)
            seen[id(value)] = made["__id__"]
            held = value.__getstate__()
            made["content"] = keyed(
                {key: state(item) for key, item in held.items()},
                [node("TypeNode", "builtins", "str") for _ in held],
            )
        seen[id(value)] = made["__id__"]
        kept.append(value)
        return made

    kept = []
    return model(whole(state(fitted)), entries)


def sparse_object(matrix):
    """A file of an object as its dict; skops writes such containers with `save_npz`, which refuses them."""
    entries = {}

    def state(value):
        if isinstance(value, np.dtype):
            return node("DTypeNode", "numpy", "dtype", content=state(np.zeros(0, value)))
        if isinstance(value, np.ndarray) and value.dtype == object:
            return node(
                "NdArrayNode",
                "numpy",
                "ndarray",
                type="json",
                content=[state(item) for item in value],
                shape=pair(*[leaf(side) for side in value.shape]),
            )
        if isinstance(value, np.ndarray):
            entries[f"{len(entries) + 1}.npy"] = saved(value)
            return array(f"{len(entries)}.npy")
        if isinstance(value, dict):
            return keyed(
                {json.dumps(key): state(item) for key, item in value.items()},
                [node("TypeNode", "builtins", type(key).__name__) for key in value],
            )
        if isinstance(value, list | tuple):
            return (listing if isinstance(value, list) else pair)(*[state(item) for item in value])
        return leaf(value.item() if isinstance(value, np.generic) else value)

    held = dict(vars(matrix))
    content = mapping(**{key: state(item) for key, item in held.items()})
    return model(
        whole(node("ObjectNode", type(matrix).__module__, type(matrix).__name__, content=content)),
        entries,
    )


def dumped(obj):
    from skops.io import dumps

    return dumps(obj)


def saved_csr(values, end):
    """A CSR matrix whose last row ends early: scipy drops the elements behind it when it loads one."""
    import scipy.sparse as sparse

    matrix = sparse.csr_matrix(values)
    matrix.indptr[:] = np.minimum(matrix.indptr, end)
    return matrix
