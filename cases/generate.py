"""Write the models that stock skops made, with the answers that scikit-learn gave, to cases/models.

    python cases/generate.py [WHAT ...]

Run it with a Python that has one version of skops and the newest scikit-learn that it works
with; it writes ``cases/models/skops_<version>_<what>/``:

- ``model.skops``, as ``skops.io.dump`` writes it (most of them deflated, to be small here),
- ``inputs.json`` and ``expected.json``, what the methods were given and what they answered,
- ``case.toml``, which names the versions of the libraries.

The model is loaded with that same skops before it is asked, so the answers are what a user of
that version would get from the file. ``expected.json`` of ``data`` lists the pieces of
``pieces()`` that this version can save and load; the pieces themselves are what is expected.
"""

from __future__ import annotations

import json
import sys
import warnings
from collections import OrderedDict, defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any
from zipfile import ZIP_DEFLATED, ZIP_STORED

import numpy as np
from scipy import sparse, special

MODELS = Path(__file__).resolve().parent / "models"


def pieces() -> dict[str, Any]:
    """Plain values of every kind that a skops file has a node for, by name. Always the same."""
    rng = np.random.RandomState(0)
    rng.normal(size=3)
    generator = np.random.Generator(np.random.PCG64(7))
    generator.integers(100, size=5)
    shared = [1, 2]
    objects = np.empty(4, dtype=object)
    objects[:] = ["a", None, 2.5, (1, [2])]
    return {
        "array": np.arange(12.0).reshape(3, 4),
        "array-big-endian": np.arange(6, dtype=">i4"),
        "array-empty": np.empty((0, 3)),
        "array-fortran": np.asfortranarray(np.arange(12, dtype="f4").reshape(3, 4)),
        "array-of-objects": objects,
        "array-of-objects-2d": np.array([["a", 1], [None, 2.5]], dtype=object),
        "array-of-text": np.array(["", "\u6771\u4eac"]),
        "array-record": np.array([(1, 2.5), (3, -0.0)], dtype=[("a", "i2"), ("b", "f8")]),
        "array-scalar": np.array(5, dtype="u1"),
        "array-shared": [shared_array := np.arange(3), shared_array],
        "array-times": np.array(["2020-01-01", "NaT"], dtype="M8[s]"),
        "bytearray": bytearray(b"\x00\xfe\xff"),
        "bytes": b"hello \x00",
        "class": np.float64,
        "defaultdict": defaultdict(set, {"foo": {"bar"}}),
        "dict-of-int": {1: "a", -2: "b"},
        "dict-of-float": {0.5: "a"},
        "dict-of-mixed": {"a": 1, 2: {"b": {3: 4.5}}},
        "dict-ordered": OrderedDict([("z", 1), ("a", 2)]),
        "dtype": np.dtype(">f4"),
        "floats": [0.1, -0.0, 1e300, 5e-324],
        "generator": generator,
        "infinity": float("inf"),
        "integers": [0, -1, 2**63, -(10**30)],
        "list-shared": [shared, shared, [shared]],
        "masked-array": np.ma.MaskedArray([1.5, 2.5], mask=[False, True]),
        "nothing": [None, True, False],
        "numpy-scalars": [np.float32(0.1), np.int64(-5), np.bool_(True)],
        "random-state": rng,
        "scipy-function": special.expit,
        "set": {1, "a", None},
        "slice": slice(1, None, 2),
        "sparse-array": sparse.csr_array(np.eye(3)),
        "sparse-coo": sparse.coo_matrix(np.eye(2, 3)),
        "sparse-csc": sparse.csc_matrix(np.array([[0.0, 1.5], [2.5, 0.0]])),
        "sparse-csr": sparse.csr_matrix(np.array([[0.0, 1.5], [2.5, 0.0]], dtype="f4")),
        "text": '\u00fc \U0001f98a \\ " \x00 \n',
        "tuple": (1, (2, [3]), "four"),
        "ufunc": np.sqrt,
    }


def _numbers() -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.RandomState(0)
    X = rng.normal(size=(40, 4))
    y = (np.arange(40) % 3).astype(np.int64)
    X[np.arange(40), y] += 2.0
    return X, y


def _texts() -> tuple[list[str], list[str]]:
    texts = [
        "The quick fox",
        "the lazy dog",
        "a quick dog",
        "lazy \u6771\u4eac fox fox",
        "dog days",
    ]
    return texts, ["b", "a", "a", "b", "a"]


def _table() -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.RandomState(1)
    X = np.empty((30, 3), dtype=object)
    X[:, 0] = np.array(["red", "green", "bl\u00fc"], dtype=object)[rng.randint(3, size=30)]
    X[:, 1] = rng.normal(size=30)
    X[:, 2] = rng.randint(4, size=30)
    return X, rng.normal(size=30)


def _columns():
    from sklearn.compose import ColumnTransformer
    from sklearn.linear_model import Ridge
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OneHotEncoder, OrdinalEncoder, StandardScaler

    columns = ColumnTransformer(
        [
            ("colour", OneHotEncoder(handle_unknown="ignore"), [0]),
            ("number", StandardScaler(), [1]),
            ("code", OrdinalEncoder(), [2]),
        ]
    )
    return make_pipeline(columns, Ridge())


def _estimator(module: str, name: str, **arguments: Any) -> Callable[[], Any]:
    def make() -> Any:
        return getattr(__import__(f"sklearn.{module}", fromlist=[name]), name)(**arguments)

    return make


def _linear():
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    return make_pipeline(StandardScaler(), LogisticRegression())


def _text():
    from sklearn.feature_extraction.text import CountVectorizer
    from sklearn.naive_bayes import MultinomialNB
    from sklearn.pipeline import make_pipeline

    return make_pipeline(CountVectorizer(ngram_range=(1, 2)), MultinomialNB())


def _search():
    from sklearn.model_selection import GridSearchCV
    from sklearn.tree import DecisionTreeClassifier

    return GridSearchCV(DecisionTreeClassifier(random_state=0), {"max_depth": [1, 3, None]}, cv=2)


# Each model: how it is made, what it is fitted with, and the methods that are asked.
WHATS: dict[str, tuple[Callable[[], Any], Callable[[], tuple[Any, Any]], tuple[str, ...]]] = {
    "boosting": (
        _estimator(
            "ensemble", "GradientBoostingRegressor", n_estimators=3, max_depth=2, random_state=0
        ),
        _numbers,
        ("predict",),
    ),
    "clusters": (
        _estimator("cluster", "KMeans", n_clusters=3, n_init=1, random_state=0),
        _numbers,
        ("predict", "transform"),
    ),
    "columns": (_columns, _table, ("predict",)),
    "forest": (
        _estimator(
            "ensemble", "RandomForestClassifier", n_estimators=3, max_depth=3, random_state=0
        ),
        _numbers,
        ("predict", "predict_proba", "apply"),
    ),
    "histograms": (
        _estimator(
            "ensemble",
            "HistGradientBoostingClassifier",
            max_iter=2,
            max_depth=2,
            min_samples_leaf=3,
        ),
        _numbers,
        ("predict", "predict_proba"),
    ),
    "linear": (_linear, _numbers, ("predict", "predict_proba")),
    "neighbors": (
        _estimator(
            "neighbors", "KNeighborsClassifier", n_neighbors=3, algorithm="kd_tree", leaf_size=4
        ),
        _numbers,
        ("predict", "predict_proba"),
    ),
    "network": (
        _estimator(
            "neural_network", "MLPClassifier", hidden_layer_sizes=(4,), max_iter=10, random_state=0
        ),
        _numbers,
        ("predict", "predict_proba"),
    ),
    "projection": (_estimator("decomposition", "PCA", n_components=2), _numbers, ("transform",)),
    "search": (_search, _numbers, ("predict", "predict_proba")),
    "sgd": (
        _estimator("linear_model", "SGDClassifier", random_state=0),
        _numbers,
        ("decision_function",),
    ),
    "svc": (_estimator("svm", "SVC"), _numbers, ("predict", "decision_function")),
    "text": (_text, _texts, ("predict", "predict_proba")),
}


def to_json(value: Any) -> Any:
    """An array as dtype, shape and flat data; anything else as it is."""
    if isinstance(value, np.ndarray):
        return {
            "dtype": value.dtype.str,
            "shape": list(value.shape),
            "data": value.ravel().tolist(),
        }
    return value


def from_json(value: Any) -> Any:
    """What ``to_json`` was given."""
    if isinstance(value, dict) and value.keys() == {"dtype", "shape", "data"}:
        array = np.empty(len(value["data"]), dtype=value["dtype"])
        array[:] = value["data"]
        return array.reshape(value["shape"])
    return value


def _write(folder: Path, model: bytes, inputs: Any, expected: Any, **facts: Any) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "model.skops").write_bytes(model)
    for name, value in (("inputs.json", inputs), ("expected.json", expected)):
        text = json.dumps(value, ensure_ascii=False, sort_keys=True)
        (folder / name).write_text(text + "\n", encoding="utf-8")
    lines = [f"{key} = {json.dumps(value)}" for key, value in facts.items()]
    lines.append("tolerance = { rtol = 1e-12, atol = 1e-12 }")
    (folder / "case.toml").write_text("\n".join(lines) + "\n", encoding="utf-8")


def _same_after_stock(skops: Any, value: Any) -> bool:
    """Whether this skops can save the value and load what it saved."""
    sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "python" / "tests"))
    from same import differences

    try:
        data = skops.dumps(value)
        loaded = skops.loads(data, trusted=skops.get_untrusted_types(data=data))
    except Exception:
        return False
    return not differences(value, loaded, layout=False)


def _class_of(estimator: Any) -> list[str]:
    parts = [step for _, step in getattr(estimator, "steps", [])] or [estimator]
    return sorted({f"{type(part).__module__}.{type(part).__qualname__}" for part in parts})


def main(wanted: list[str]) -> None:
    """Write every case of ``wanted``, or all of them, with the libraries that are installed."""
    import sklearn
    import skops
    import skops.io

    made_by = (
        f"skops {skops.__version__}, scikit-learn {sklearn.__version__}, numpy {np.__version__}"
    )
    print(made_by)
    warnings.simplefilter("ignore")

    if not wanted or "data" in wanted:
        kept = {
            name: value for name, value in pieces().items() if _same_after_stock(skops.io, value)
        }
        print("  data, without", sorted(set(pieces()) - set(kept)))
        folder = MODELS / f"skops_{skops.__version__}_data"
        _write(folder, skops.io.dumps(kept), None, {"pieces": sorted(kept)}, made_by=made_by,
               covers=["builtins.dict"], methods=[])  # fmt: skip

    for what, (make, data, methods) in WHATS.items():
        if wanted and what not in wanted:
            continue
        X, y = data()
        estimator = make().fit(X, y)
        model = skops.io.dumps(
            estimator, compression=ZIP_STORED if what == "linear" else ZIP_DEFLATED
        )
        loaded = skops.io.loads(model, trusted=skops.io.get_untrusted_types(data=model))
        expected = {name: to_json(np.asarray(getattr(loaded, name)(X))) for name in methods}
        folder = MODELS / f"skops_{skops.__version__}_{what}"
        _write(folder, model, to_json(X), expected, made_by=made_by, covers=_class_of(estimator),
               methods=list(methods))  # fmt: skip
        print(f"  {what}: {len(model)} bytes")


if __name__ == "__main__":
    main(sys.argv[1:])
