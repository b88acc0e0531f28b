"""Load many damaged model files, use what loads, and count what happens.

    python benches/mutate.py --count 100000 --seed 1 --library nopickle --out results.json
    python benches/mutate.py --count 100000 --seed 1 --library skops --trust-all --out stock.json
    python benches/mutate.py --library nopickle --seed 1 --replay RandomForestClassifier:17
    python benches/mutate.py --kind lightgbm --count 20000 --seed 1 --library nopickle

Small estimators are fitted and saved. File number `index` of an estimator is its saved file with one to three changes
drawn from the seed, the estimator's name and the index: the same three always give the same bytes. Every file is
loaded, and what loads is asked to predict and transform, in a forked child with limits on memory, time and files.
One of these happens:

refused      the library raised an error while loading (counted by its class)
predicted    every method of the loaded object answered
exception    it loaded, and a method raised a Python exception (counted by its class)
crash        the child died of a signal
hang         the child used more processor time than `--timeout` for one file
memory       loading took more than `--load-memory` MB over what the process had, or ran out of memory

Files of the last three are written to `--keep` with the reason. The exit status is 1 if there is one.

Changes: bytes of the archive as they lie (its checksums then rarely hold), and, in archives that are written again
with right sizes and checksums: bytes of an entry, values and nodes of the JSON, elements, dtypes and shapes of arrays
(also of those inside the npz of a sparse matrix), and whole entries exchanged.

With `--kind lightgbm` the files are model texts of LightGBM (`boosters.py`), and the other library is LightGBM itself;
with `--kind catboost` they are model files of CatBoost (`catboost_models.py`), and the other library is CatBoost; with
`--kind xgboost` they are models of XGBoost (`xgboost_boosters.py`), and the other library is XGBoost.

With `--guard`, every block that C code allocates while a file is loaded and used ends at a page that can't be read (for
every second file: begins behind one), and so does memory that was given back: an index that is one too large is then a
crash, and not an unnoticed read of the neighbour's bytes. It needs a C compiler.
"""

from __future__ import annotations

import argparse
import collections
import contextlib
import ctypes
import faulthandler
import gc
import importlib.metadata
import inspect
import io
import json
import mmap
import os
import platform
import random
import re
import resource
import select
import shutil
import signal
import struct
import subprocess
import sys
import tempfile
import time
import traceback
import warnings
import zipfile
import zlib
from pathlib import Path

import boosters
import catboost_models
import numpy as np
import xgboost_boosters

METHODS = (
    "predict",
    "predict_proba",
    "decision_function",
    "transform",
    "score_samples",
    "kneighbors",
    "radius_neighbors",
    "apply",
    "decision_path",
    "query",
    "__call__",
)


# ------------------------------------------------------------------------------------------------ the estimators


def specimens():
    """Yield `(name, make)`: `make()` gives a fitted object and the inputs its methods are asked with.

    Names are those of the classes, with the variant behind a colon.
    """
    import scipy.sparse as sparse
    from scipy.interpolate import BSpline
    from sklearn import (
        calibration,
        cluster,
        compose,
        covariance,
        cross_decomposition,
        decomposition,
        discriminant_analysis,
        ensemble,
        feature_extraction,
        feature_selection,
        gaussian_process,
        impute,
        isotonic,
        kernel_approximation,
        linear_model,
        manifold,
        mixture,
        model_selection,
        multiclass,
        multioutput,
        naive_bayes,
        neighbors,
        neural_network,
        pipeline,
        preprocessing,
        random_projection,
        semi_supervised,
        svm,
        tree,
    )

    rng = np.random.RandomState(7)
    rows = rng.normal(size=(36, 4))
    labels = np.arange(36) % 3
    two = np.arange(36) % 2
    target = rows @ np.array([1.0, -2.0, 0.5, 0.0]) + 0.1 * rng.normal(size=36)
    rows32 = rows.astype(np.float32)
    counts = rng.poisson(1.0, size=(36, 4)).astype(float)
    unit = rng.uniform(size=(36, 4))
    categories = np.array(
        [["a", "b", "c"][i % 3] + str(j) for i in range(36) for j in range(2)], dtype=object
    ).reshape(36, 2)
    numbers = np.column_stack([np.arange(36) % 3, np.arange(36) % 4])
    holes = rows.copy()
    holes[::5, 1] = np.nan
    texts = [f"word{i % 5} other{i % 3} third text number {i}" for i in range(12)]
    mappings = [{"a": float(i), f"b={i % 3}": 1.0, "c": str(i % 2)} for i in range(10)]
    thin = sparse.random(36, 6, density=0.3, format="csr", random_state=3)
    haversine = np.column_stack([rng.uniform(-1.5, 1.5, 36), rng.uniform(-3.0, 3.0, 36)])

    def steady(fitted):
        """Set what differs from run to run, times and addresses, to one value."""
        for name in ("_stop_words_id", "refit_time_"):
            if name in vars(fitted):
                setattr(fitted, name, 1)
        for name, values in vars(fitted).get("cv_results_", {}).items():
            if name.endswith("_time"):
                values[:] = 0.5
        return fitted

    def fit(estimator, inputs, answers=None, ask=None):
        def make():
            fitted = (
                estimator.fit(inputs, answers) if answers is not None else estimator.fit(inputs)
            )
            return steady(fitted), inputs if ask is None else ask

        return type(estimator).__name__, make

    def variant(word, pair):
        return f"{pair[0]}:{word}", pair[1]

    # scikit-learn 1.7 gave it an argument whose default it warns about
    known = inspect.signature(preprocessing.KBinsDiscretizer).parameters
    quantile = {"quantile_method": "averaged_inverted_cdf"} if "quantile_method" in known else {}

    # trees
    yield fit(tree.DecisionTreeClassifier(max_depth=4, random_state=0), rows, labels)
    yield fit(tree.DecisionTreeRegressor(max_depth=4, random_state=0), holes, target)
    yield variant(
        "sparse", fit(tree.DecisionTreeClassifier(max_depth=4, random_state=0), thin, labels)
    )
    yield variant(
        "outputs",
        fit(
            tree.DecisionTreeClassifier(max_depth=3, random_state=0),
            rows,
            np.column_stack([labels, two]),
        ),
    )
    yield fit(tree.ExtraTreeRegressor(max_depth=4, random_state=0), rows, target)
    yield fit(ensemble.RandomForestClassifier(3, max_depth=3, random_state=0), rows, labels)
    yield fit(ensemble.RandomForestRegressor(3, max_depth=3, random_state=0), rows, target)
    yield fit(
        ensemble.ExtraTreesClassifier(n_estimators=3, max_depth=3, random_state=0), rows, labels
    )
    yield fit(ensemble.RandomTreesEmbedding(n_estimators=3, max_depth=3, random_state=0), rows)
    yield fit(ensemble.IsolationForest(n_estimators=3, random_state=0), rows)
    yield fit(
        ensemble.GradientBoostingClassifier(n_estimators=2, max_depth=2, random_state=0),
        rows,
        labels,
    )
    yield fit(
        ensemble.GradientBoostingRegressor(n_estimators=3, max_depth=2, random_state=0),
        rows,
        target,
    )
    yield variant(
        "sparse",
        fit(
            ensemble.GradientBoostingRegressor(n_estimators=2, max_depth=2, random_state=0),
            thin,
            target,
        ),
    )
    yield fit(ensemble.AdaBoostClassifier(n_estimators=2, random_state=0), rows, labels)
    yield fit(ensemble.BaggingRegressor(n_estimators=2, random_state=0), rows, target)
    yield fit(
        ensemble.HistGradientBoostingClassifier(
            max_iter=3, random_state=0, min_samples_leaf=2, max_leaf_nodes=5
        ),
        rows,
        labels,
    )
    yield variant(
        "categories",
        fit(
            ensemble.HistGradientBoostingRegressor(
                max_iter=3, random_state=0, min_samples_leaf=2, categorical_features=[1]
            ),
            np.column_stack([rows[:, 0], labels]),
            target,
        ),
    )
    yield fit(
        ensemble.HistGradientBoostingRegressor(
            max_iter=3, random_state=0, min_samples_leaf=2, loss="quantile", quantile=0.3
        ),
        holes,
        target,
    )

    # neighbours
    yield variant(
        "kd_tree",
        fit(neighbors.KNeighborsClassifier(3, algorithm="kd_tree", leaf_size=5), rows, labels),
    )
    yield variant(
        "ball_tree",
        fit(neighbors.KNeighborsClassifier(3, algorithm="ball_tree", leaf_size=5), rows, labels),
    )
    yield variant(
        "haversine",
        fit(
            neighbors.KNeighborsRegressor(
                3, metric="haversine", algorithm="ball_tree", leaf_size=5
            ),
            haversine,
            target,
        ),
    )
    yield variant(
        "float32",
        fit(
            neighbors.KNeighborsRegressor(3, algorithm="kd_tree", metric="chebyshev"),
            rows32,
            target,
        ),
    )
    yield variant(
        "mahalanobis",
        fit(
            neighbors.KNeighborsRegressor(
                3, algorithm="ball_tree", metric="mahalanobis", metric_params={"VI": np.eye(4)}
            ),
            rows,
            target,
        ),
    )
    yield variant(
        "brute",
        fit(neighbors.KNeighborsRegressor(3, algorithm="brute", metric="manhattan"), rows, target),
    )
    yield variant("sparse", fit(neighbors.KNeighborsClassifier(3), thin, labels))
    yield variant(
        "minkowski",
        fit(neighbors.NearestNeighbors(n_neighbors=2, p=3, algorithm="kd_tree", leaf_size=4), rows),
    )
    yield fit(
        neighbors.RadiusNeighborsClassifier(
            2.0, algorithm="ball_tree", leaf_size=5, outlier_label="most_frequent"
        ),
        rows,
        labels,
    )
    yield fit(neighbors.KernelDensity(leaf_size=5), rows)
    yield fit(neighbors.LocalOutlierFactor(5, novelty=True), rows)
    yield fit(neighbors.KNeighborsTransformer(n_neighbors=3), rows)

    # support vectors
    yield fit(svm.SVC(probability=False), rows, labels)
    yield variant(
        "probability", fit(svm.SVC(kernel="poly", probability=True, random_state=0), rows, two)
    )
    yield variant("sparse", fit(svm.SVC(), thin, labels))
    yield variant("precomputed", fit(svm.SVC(kernel="precomputed"), rows @ rows.T, labels))
    yield fit(svm.NuSVC(nu=0.3), rows, labels)
    yield fit(svm.SVR(), rows, target)
    yield variant("sparse", fit(svm.NuSVR(), thin, target))
    yield fit(svm.OneClassSVM(), rows)
    yield fit(svm.LinearSVC(), rows, labels)

    # linear
    yield fit(linear_model.LogisticRegression(), rows, labels)
    yield variant(
        "sparsified",
        (lambda pair: (pair[0], lambda: (lambda made: (made[0].sparsify(), made[1]))(pair[1]())))(
            fit(linear_model.LogisticRegression(), rows, labels)
        ),
    )
    yield fit(linear_model.SGDClassifier(random_state=0), rows, labels)
    yield fit(linear_model.GammaRegressor(), rows, np.exp(target / 10))
    yield fit(linear_model.RidgeCV(), rows, target)
    yield variant("sparse_coef", fit(linear_model.ElasticNet(alpha=0.1), rows, target))
    yield fit(linear_model.RANSACRegressor(random_state=0), rows, target)
    yield fit(discriminant_analysis.LinearDiscriminantAnalysis(), rows, labels)
    yield fit(cross_decomposition.PLSRegression(2), rows, target)

    # text and mappings
    from sklearn.feature_extraction import text

    yield fit(text.CountVectorizer(), texts)
    yield fit(text.TfidfVectorizer(ngram_range=(1, 2), stop_words="english"), texts)
    yield variant(
        "char",
        fit(text.TfidfVectorizer(analyzer="char_wb", ngram_range=(2, 3), max_features=30), texts),
    )
    yield fit(text.HashingVectorizer(n_features=64), texts)
    yield fit(feature_extraction.DictVectorizer(), mappings)
    yield fit(feature_extraction.FeatureHasher(n_features=16), mappings)

    # networks, processes, mixtures
    yield fit(neural_network.MLPClassifier((5,), max_iter=5, random_state=0), rows, labels)
    yield fit(neural_network.BernoulliRBM(3, n_iter=2, random_state=0), unit)
    yield fit(gaussian_process.GaussianProcessRegressor(random_state=0), rows, target)
    yield fit(
        gaussian_process.GaussianProcessClassifier(
            1.0 * gaussian_process.kernels.Matern(), optimizer=None, random_state=0
        ),
        rows,
        two,
    )
    yield fit(mixture.GaussianMixture(2, random_state=0), rows)
    yield fit(mixture.BayesianGaussianMixture(n_components=2, random_state=0, max_iter=200), rows)

    # clusters
    yield fit(cluster.KMeans(3, n_init=1, random_state=0), rows)
    yield fit(cluster.MiniBatchKMeans(3, n_init=1, random_state=0), rows32)
    yield fit(cluster.BisectingKMeans(3, random_state=0), rows)
    yield fit(cluster.Birch(threshold=0.6, branching_factor=4, n_clusters=3), rows)
    yield fit(cluster.MeanShift(bandwidth=2.0), rows)
    yield fit(cluster.AffinityPropagation(random_state=0, damping=0.9), rows)
    yield fit(cluster.FeatureAgglomeration(2), rows)

    # decompositions
    yield fit(decomposition.PCA(2), rows)
    yield fit(decomposition.NMF(2, random_state=0, max_iter=20, tol=1e-2), unit)
    yield fit(decomposition.LatentDirichletAllocation(2, max_iter=2, random_state=0), counts)
    yield fit(
        decomposition.DictionaryLearning(
            3, max_iter=2, random_state=0, transform_algorithm="lasso_lars"
        ),
        rows,
    )
    yield fit(decomposition.SparseCoder(unit[:3], transform_algorithm="lasso_cd"), rows)
    yield fit(decomposition.FastICA(2, random_state=0), rows)
    yield fit(decomposition.KernelPCA(2, kernel="rbf"), rows)
    yield fit(decomposition.TruncatedSVD(2, random_state=0), thin)
    yield fit(decomposition.MiniBatchSparsePCA(2, random_state=0, max_iter=3), rows)

    # manifolds, approximations, projections
    yield fit(manifold.Isomap(n_neighbors=8), rows)
    yield fit(manifold.LocallyLinearEmbedding(n_neighbors=8, random_state=0), rows)
    yield fit(kernel_approximation.Nystroem(n_components=5, random_state=0), rows)
    yield fit(kernel_approximation.PolynomialCountSketch(n_components=8, random_state=0), rows)
    yield fit(kernel_approximation.RBFSampler(n_components=5, random_state=0), rows)
    yield fit(random_projection.SparseRandomProjection(n_components=3, random_state=0), rows)

    # preprocessing
    yield fit(
        preprocessing.OneHotEncoder(handle_unknown="infrequent_if_exist", min_frequency=2),
        categories,
    )
    yield fit(
        preprocessing.OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1),
        categories,
    )
    yield fit(preprocessing.TargetEncoder(random_state=0, cv=3), categories, target)
    yield fit(preprocessing.SplineTransformer(n_knots=4, degree=3), rows)
    yield variant(
        "sparse",
        fit(
            preprocessing.SplineTransformer(
                n_knots=4, degree=2, sparse_output=True, extrapolation="periodic"
            ),
            rows,
        ),
    )
    yield fit(preprocessing.KBinsDiscretizer(3, **quantile), rows)
    yield fit(preprocessing.PolynomialFeatures(2), rows)
    yield variant("sparse", fit(preprocessing.PolynomialFeatures(2), thin))
    yield fit(preprocessing.QuantileTransformer(n_quantiles=5), rows)
    yield fit(preprocessing.PowerTransformer(), rows)
    yield variant("sparse", fit(preprocessing.LabelBinarizer(sparse_output=True), labels))
    yield fit(preprocessing.FunctionTransformer(np.log1p), unit)
    yield fit(preprocessing.StandardScaler(), rows)
    yield fit(impute.SimpleImputer(strategy="median"), holes)
    yield fit(impute.KNNImputer(n_neighbors=3), holes)
    yield fit(impute.MissingIndicator(sparse=True), holes)
    yield fit(isotonic.IsotonicRegression(out_of_bounds="clip"), rows[:, 0], target)
    yield fit(feature_selection.SelectKBest(k=2), rows, labels)
    yield fit(
        feature_selection.RFE(linear_model.LinearRegression(), n_features_to_select=2), rows, target
    )
    yield fit(naive_bayes.CategoricalNB(), numbers, labels)
    yield fit(naive_bayes.MultinomialNB(), counts, labels)
    yield fit(naive_bayes.GaussianNB(), rows, labels)
    yield fit(covariance.EllipticEnvelope(random_state=0), rows)
    yield fit(semi_supervised.LabelSpreading(), rows, np.where(labels == 2, -1, labels))

    # estimators that hold others
    yield fit(
        model_selection.GridSearchCV(
            tree.DecisionTreeClassifier(random_state=0), {"max_depth": [1, 2]}, cv=2
        ),
        rows,
        labels,
    )
    yield fit(
        compose.ColumnTransformer(
            [
                ("scale", preprocessing.StandardScaler(), [0, 1]),
                ("spline", preprocessing.SplineTransformer(3), slice(2, 4)),
            ]
        ),
        rows,
    )
    yield fit(
        ensemble.StackingClassifier(
            [
                ("tree", tree.DecisionTreeClassifier(max_depth=2, random_state=0)),
                ("near", neighbors.KNeighborsClassifier(3)),
            ],
            cv=2,
        ),
        rows,
        two,
    )
    yield fit(
        ensemble.VotingRegressor(
            [("tree", tree.DecisionTreeRegressor(max_depth=2, random_state=0)), ("svr", svm.SVR())]
        ),
        rows,
        target,
    )
    yield fit(calibration.CalibratedClassifierCV(svm.LinearSVC(), cv=2), rows, two)
    yield variant(
        "isotonic",
        fit(
            calibration.CalibratedClassifierCV(naive_bayes.GaussianNB(), cv=2, method="isotonic"),
            rows,
            two,
        ),
    )
    yield fit(multiclass.OneVsOneClassifier(svm.SVC()), rows, labels)
    yield fit(
        multiclass.OutputCodeClassifier(linear_model.Perceptron(), random_state=0), rows, labels
    )
    yield fit(
        multioutput.ClassifierChain(linear_model.LogisticRegression()),
        rows,
        np.column_stack([two, 1 - two]),
    )
    yield fit(pipeline.make_pipeline(preprocessing.StandardScaler(), svm.SVC()), rows, labels)
    yield fit(
        pipeline.make_union(
            decomposition.PCA(1), kernel_approximation.Nystroem(n_components=3, random_state=0)
        ),
        rows,
    )

    # native objects by themselves
    yield (
        "BSpline",
        lambda: (
            BSpline(np.arange(10.0), np.arange(12.0).reshape(6, 2), 3),
            np.linspace(0.0, 9.0, 7),
        ),
    )
    yield "KDTree", lambda: (neighbors.KDTree(rows, leaf_size=5), rows[:8])
    yield (
        "BallTree",
        lambda: (neighbors.BallTree(rows, leaf_size=5, metric="minkowski", p=3), rows[:8]),
    )
    for kind in ("csr", "csc", "coo", "bsr", "dia"):
        yield f"sparse:{kind}", lambda kind=kind: (_Product(thin.asformat(kind)), np.ones(6))
    yield "RandomState", lambda: (np.random.RandomState(3), None)
    yield "Generator:PCG64", lambda: (np.random.default_rng(3), None)
    yield "Generator:MT19937", lambda: (np.random.Generator(np.random.MT19937(3)), None)
    yield "Generator:SFC64", lambda: (np.random.Generator(np.random.SFC64(3)), None)
    yield "Generator:Philox", lambda: (np.random.Generator(np.random.Philox(3)), None)
    yield "masked", lambda: (np.ma.MaskedArray(rows[:4], mask=rows[:4] > 0), None)

    with contextlib.suppress(ImportError):
        from quantile_forest import RandomForestQuantileRegressor

        yield fit(RandomForestQuantileRegressor(3, max_depth=3, random_state=0), rows, target)


class _Product:
    """Marks a sparse matrix: the matrix itself is saved, and asked for products and conversions."""

    def __init__(self, matrix):
        self.matrix = matrix


def use(obj, name, inputs):
    """Call what the native code of `obj` answers; return the name of the first exception, or None.

    `inputs` is what the unchanged object was fitted with, or None for a random generator or a masked array.
    """
    failure = None
    try:
        calls = _calls(obj, name, _fitting(obj, inputs))
    except BaseException as error:
        return type(error).__name__
    for call in calls:
        try:
            call()
        except MemoryError:
            failure = "MemoryError"
        except BaseException as error:
            failure = failure or type(error).__name__
    return failure


def _fitting(obj, inputs):
    """Take as many columns as the object says that it was fitted with: whoever uses a file believes it."""
    count = getattr(obj, "n_features_in_", None)
    if isinstance(count, int | np.integer) and 0 < count < 100 and getattr(inputs, "ndim", 0) == 2:
        columns = np.arange(count) % inputs.shape[1]
        return inputs if count == inputs.shape[1] else inputs[:, columns]
    return inputs


def _calls(obj, name, inputs):
    if of_booster := booster_maker(name):
        return of_booster.calls(obj, name, inputs)
    if name.startswith("sparse:"):
        return [
            lambda: obj @ inputs,
            lambda: obj.T @ np.ones(obj.shape[0]),
            lambda: obj.toarray().sum(),
            lambda: obj.tocsc().sum(axis=0),
            lambda: obj.tocsr()[1:3],
            lambda: obj.tocoo().nnz,
            lambda: obj.copy().tocsr().sort_indices(),
        ]
    if name == "RandomState":
        return [
            lambda: obj.randint(0, 9, 700),
            lambda: obj.normal(size=3),
            lambda: obj.permutation(5),
        ]
    if name.startswith("Generator:"):
        return [
            lambda: obj.integers(0, 9, 700),
            lambda: obj.normal(size=3),
            lambda: obj.permutation(5),
        ]
    if name == "masked":
        return [lambda: obj.sum(), lambda: obj.filled(0), lambda: repr(obj)]
    if name in ("KDTree", "BallTree"):
        return [
            lambda: obj.query(inputs, k=3),
            lambda: obj.query_radius(inputs, r=1.0, return_distance=True),
            lambda: obj.kernel_density(inputs, h=0.5),
            lambda: obj.two_point_correlation(inputs, [0.5, 1.0]),
        ]
    calls = [
        lambda method=method: getattr(obj, method)(inputs)
        for method in METHODS
        if _has(obj, method)
    ]
    if _has(obj, "feature_importances_", ask=False):
        calls.append(lambda: obj.feature_importances_)
    return calls or [lambda: obj.predict(inputs)]


def _has(obj, method, ask=True):
    if not ask:
        return hasattr(type(obj), method)
    try:
        return hasattr(type(obj), method) and callable(getattr(obj, method, None))
    except Exception:
        return True


# ------------------------------------------------------------------------------------------------ files in parts


def build_zip(entries, deflate=False):
    """Write a zip archive of `entries`, pairs of name and bytes, every field right."""
    out = bytearray()
    central = bytearray()
    for name, data in entries:
        raw = name.encode("utf-8", "surrogatepass")
        body, method = data, 0
        if deflate:
            packer = zlib.compressobj(6, zlib.DEFLATED, -15)
            body, method = packer.compress(bytes(data)) + packer.flush(), 8
        common = struct.pack(
            "<HHHHHIIIHH",
            20,
            0x800,
            method,
            0,
            33,
            zlib.crc32(data),
            len(body),
            len(data),
            len(raw),
            0,
        )
        central += (
            b"PK\x01\x02\x14\x03"
            + common
            + struct.pack("<HHHII", 0, 0, 0, 0o600 << 16, len(out))
            + raw
        )
        out += b"PK\x03\x04" + common + raw
        out += body
    start = len(out)
    out += central
    out += struct.pack(
        "<4sHHHHIIH", b"PK\x05\x06", 0, 0, len(entries), len(entries), len(central), start, 0
    )
    return bytes(out)


def read_zip(data):
    """List the entries of an archive: pairs of name and bytes."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        return [(info.filename, archive.read(info)) for info in archive.infolist()]


def normalised(entries):
    """Count ids and entry names from 1 in the order they stand, so that one model gives one file."""
    entries = dict(entries)
    schema = json.loads(entries.pop("schema.json"))
    ids, names, out = {}, {}, []
    todo = [schema]
    while todo:
        node = todo.pop()
        if isinstance(node, dict):
            if isinstance(node.get("__id__"), int):
                node["__id__"] = ids.setdefault(node["__id__"], len(ids) + 1)
            if isinstance(node.get("file"), str):
                old = node["file"]
                if old not in names:
                    names[old] = f"{len(names) + 1}{Path(old).suffix}"
                    out.append((names[old], _without_padding(entries[old])))
                node["file"] = names[old]
            todo.extend(reversed(node.values()))
        elif isinstance(node, list):
            todo.extend(reversed(node))
    return [*out, ("schema.json", json.dumps(schema).encode())]


def _without_padding(data):
    if not data.startswith(b"\x93NUMPY"):
        return data
    values = np.load(io.BytesIO(data))
    if not values.dtype.names:
        return data
    clean = np.zeros(values.shape, values.dtype)
    for name in values.dtype.names:
        clean[name] = values[name]
    out = io.BytesIO()
    np.save(out, clean)
    return out.getvalue()


class Parts:
    """A saved file taken apart once, so that each change costs little."""

    def __init__(self, entries):
        self.entries = entries
        self.names = [name for name, _ in entries]
        self.schema = next(data for name, data in entries if name == "schema.json").decode()
        self.whole = build_zip(entries)
        # Archives that hold arrays: (entry, None) for an npy, (entry, inner entry) for one inside an npz.
        self.arrays = []
        for name, data in entries:
            if name.endswith(".npy"):
                self.arrays.append((name, None, data))
            elif name.endswith(".npz"):
                self.arrays.extend((name, inner, body) for inner, body in read_zip(data))
        self.paths = {
            "leaf": [],
            "node": [],
            "name": [],
            "id": [],
            "list": [],
            "dict": [],
            "other": [],
        }
        todo = [((), json.loads(self.schema))]
        while todo:
            path, value = todo.pop()
            if isinstance(value, dict):
                self.paths["node" if "__loader__" in value else "dict"].append(path)
                todo.extend(((*path, key), item) for key, item in value.items())
            elif isinstance(value, list):
                self.paths["list"].append(path)
                todo.extend(((*path, at), item) for at, item in enumerate(value))
            elif path[-1] == "content":
                self.paths["leaf"].append(path)
            elif path[-1] in ("__class__", "__module__", "__loader__"):
                self.paths["name"].append(path)
            elif path[-1] == "__id__":
                self.paths["id"].append(path)
            else:
                self.paths["other"].append(path)


# ------------------------------------------------------------------------------------------------ changes

WORDS = [
    "", "a", "auto", "kd_tree", "ball_tree", "brute", "rbf", "precomputed", "sparse", "csr", "numpy", "scipy", "json",
    "distance", "uniform", "minkowski", "filename", "callable", "poly", "linear", "sigmoid", "float64", "int8", "O",
    "..", "/etc/hostname", "\u0000", "\ud800", "x" * 300, "(a+)+$", "numpy", "builtins", "os", "system", "eval",
    "sklearn.tree._tree", "Tree", "predict", "__class__", "__globals__", "PCG64", "MT19937", "NaN", "nan",
]  # fmt: skip
ATTRIBUTES = [
    "__class__", "__dict__", "__reduce__", "__setstate__", "__sklearn_tags__", "_check_feature_names",
    "_check_n_features", "_fit_X", "_get_tags", "_tree", "_validate_X_predict", "_validate_data", "classes_", "dtype",
    "n_features_in_", "n_jobs", "n_outputs_", "predict", "shape", "transform", "tree_",
]  # fmt: skip
STRINGS = {
    "__class__": "list",
    "__module__": "builtins",
    "__loader__": "ListNode",
    "__id__": 10**9,
}
LOADERS = [
    "BytearrayNode", "BytesNode", "CachedNode", "ConstructorFromReduceNode", "DTypeNode", "DefaultDictNode", "DictNode",
    "FunctionNode", "JsonNode", "ListNode", "LossNode", "MaskedArrayNode", "MethodNode", "NdArrayNode", "ObjectNode",
    "OperatorFuncNode", "PartialNode", "QuantileForestNode", "RandomGeneratorNode", "RandomStateNode", "SetNode",
    "SliceNode", "SparseMatrixNode", "TreeNode", "TupleNode", "TypeNode", "UnknownNode",
]  # fmt: skip
DTYPES = [
    "<f8", "<f4", "<f2", ">f8", "<i8", "<i4", "<i2", "|i1", "<u8", "<u4", "<u2", "|u1", ">i8", ">i4", "|b1", "<c16",
    "<c8", "<U1", "<U3", "|S1", "|S5", "|V8", "<M8[ns]", "<m8[s]", "|O", "<f16", "<i3", "", "f8", "i", "<U0",
]  # fmt: skip


def int_near(value, size, draw):
    """Draw an integer that matters where `value` stood: ends of ranges, neighbours, one past `size`."""
    return draw.choice(
        [
            0,
            -1,
            1,
            value + 1,
            value - 1,
            -value,
            size,
            size - 1,
            size + 1,
            value * 2,
            value + size,
            2**31 - 1,
            -(2**31),
            2**31,
            2**32,
            2**62,
            2**63 - 1,
            -(2**63),
            draw.randrange(-(2**63), 2**63),
            draw.randrange(0, max(size, 1) + 2),
            draw.randrange(-3, 50),
            1 << draw.randrange(63),
        ]
    )


def float_near(value, draw):
    """Draw a float that matters where `value` stood."""
    return draw.choice(
        [
            0.0,
            -0.0,
            1.0,
            -1.0,
            float("nan"),
            float("inf"),
            float("-inf"),
            1e308,
            -1e308,
            5e-324,
            1e19,
            -1e19,
            value + 1.0,
            value - 1.0,
            -value,
            value * 1e9,
            value * (1 + 2**-52),
            draw.uniform(-1e3, 1e3),
            float(draw.randrange(-5, 60)),
            struct.unpack("<d", struct.pack("<Q", draw.getrandbits(64)))[0],
        ]
    )


def json_near(value, draw):
    """Draw a JSON value to stand in place of `value`, mostly of its kind."""
    if isinstance(value, bool) and draw.random() < 0.6:
        return not value
    if isinstance(value, int) and draw.random() < 0.75:
        return int_near(value, max(abs(value), 1), draw)
    if isinstance(value, float) and draw.random() < 0.75:
        return float_near(value, draw)
    if isinstance(value, str) and draw.random() < 0.6:
        return draw.choice(
            [value[:-1], value + "x", value.upper(), value[::-1], draw.choice(WORDS)]
        )
    return draw.choice(
        [
            None,
            True,
            False,
            0,
            -1,
            1,
            2,
            7,
            2**31,
            2**63,
            -(2**64),
            10**30,
            0.5,
            -1.5,
            1e400,
            float("nan"),
            [],
            {},
            [1, 2],
            "x",
            draw.choice(WORDS),
            {"a": 1},
            [[]],
            draw.randrange(-100, 100),
        ]
    )


def reach(document, path):
    """Find the list or dict that holds the last part of `path`."""
    for key in path[:-1]:
        document = document[key]
    return document


def change_json(parts, draw):
    """One change of the schema; returns its new bytes and what was done."""
    document = json.loads(parts.schema)
    kind = draw.choices(
        ["leaf", "node", "name", "id", "list", "dict", "other"], [45, 18, 12, 8, 6, 5, 6]
    )[0]
    paths = parts.paths[kind]
    if not paths:
        kind, paths = "node", parts.paths["node"]
    path = draw.choice(paths)
    if not path:  # the root node: change its protocol instead, or nothing else would be reached
        document["protocol"] = json_near(document["protocol"], draw)
        return _dump(document), f"json protocol = {document['protocol']!r}"
    holder = reach(document, path)
    key = path[-1]
    if kind == "leaf":
        old = holder[key]
        try:
            held = json.loads(old)
        except (TypeError, ValueError):
            held = old
        new = json_near(held, draw)
        text = json.dumps(new)
        holder[key] = text if draw.random() < 0.95 else json_near(old, draw)
        if (
            draw.random() < 0.9
        ):  # small numbers stand many times under one id: a changed one needs its own
            holder["__id__"] = draw.randrange(10**6, 10**9)
        what = f"= {str(holder[key])[:60]}"
    elif kind == "node":
        other = draw.choice(parts.paths["node"][1:] or parts.paths["node"])
        action = draw.randrange(5)
        if action == 0:
            holder[key] = _at(json.loads(parts.schema), other)
            if draw.random() < 0.5:
                holder[key]["__id__"] = draw.randrange(10**6, 10**9)
            what = f"= copy of {_show(other)}"
        elif action == 1 and other and not _inside(path, other) and not _inside(other, path):
            there = reach(document, other)
            holder[key], there[other[-1]] = there[other[-1]], holder[key]
            what = f"exchanged with {_show(other)}"
        elif action == 2:
            del holder[key]
            what = "removed"
        elif action == 3:
            part = draw.choice(sorted(holder[key]))
            del holder[key][part]
            what = f"without {part}"
        else:
            target = _at(document, other).get("__id__", 1)
            holder[key] = {
                "__class__": "x",
                "__module__": "y",
                "__loader__": "CachedNode",
                "__id__": target,
            }
            what = f"cached {target}"
    elif kind == "name":
        other = draw.choice(parts.paths["name"])
        same = [p for p in parts.paths["name"] if p[-1] == key]
        holder[key] = draw.choice(
            [
                _at(document, draw.choice(same)),
                _at(document, other),
                draw.choice(LOADERS),
                draw.choice(WORDS),
            ]
        )
        what = f"= {holder[key]!r:.60}"
    elif kind == "id":
        holder[key] = draw.choice(
            [
                _at(document, draw.choice(paths)),
                _at(document, draw.choice(paths)),
                json_near(holder[key], draw),
            ]
        )
        what = f"= {holder[key]!r:.60}"
    elif kind == "list":
        items = holder[key]
        action = draw.randrange(4)
        if action == 0 and items:
            items.append(items[draw.randrange(len(items))])
            what = "one more"
        elif action == 1 and items:
            del items[draw.randrange(len(items))]
            what = "one less"
        elif action == 2 and items:
            draw.shuffle(items)
            what = "shuffled"
        else:
            holder[key] = items * draw.choice([0, 2, 50])
            what = "repeated"
    elif kind == "dict":
        held = holder[key]
        keys = sorted(held)
        action = draw.randrange(5)
        if not keys or action == 4:
            new = draw.choice(ATTRIBUTES)
            held[new] = _at(json.loads(parts.schema), draw.choice(parts.paths["node"]))
            if (
                "key_types" in holder
            ):  # one type for each key; a list that stands elsewhere is written anew
                text = {"__class__": "str", "__module__": "builtins", "__loader__": "TypeNode"}
                if "content" in holder["key_types"]:
                    holder["key_types"]["content"].append(text)
                else:
                    holder["key_types"] = {**STRINGS, "content": [text] * len(held)}
            what = f"with {new!r}"
        elif action == 0:
            gone = draw.choice(keys)
            del held[gone]
            what = f"without {gone!r:.60}"
        elif action == 1:
            old = draw.choice(keys)
            new = draw.choice([*WORDS, str(draw.randrange(-5, 100)), *keys])
            held[new] = held.pop(old)
            what = f"{old!r:.60} renamed to {new!r:.60}"
        elif action == 2:
            one, two = draw.choice(keys), draw.choice(keys)
            held[one], held[two] = held[two], held[one]
            what = f"{one!r:.60} exchanged with {two!r:.60}"
        else:
            one, two = draw.choice(keys), draw.choice(keys)
            held[one] = held[two]
            what = f"{one!r:.60} = copy of {two!r:.60}"
    else:
        files = [name for name in parts.names if name != "schema.json"]
        if key == "file" and files and draw.random() < 0.7:
            holder[key] = draw.choice(files)
        else:
            holder[key] = json_near(holder[key], draw)
        what = f"= {holder[key]!r:.60}"
    return _dump(document), f"json {_show(path)} {what}"


def _dump(document):
    return json.dumps(document).encode()


def _at(document, path):
    for key in path:
        document = document[key]
    return document


def _inside(path, other):
    return path[: len(other)] == other


def _show(path):
    return "/" + "/".join(str(part) for part in path if part != "content")


_HEADER = re.compile(rb"\x93NUMPY(.)(.)(..)", re.DOTALL)


def split_npy(data):
    """Header (a dict) and the bytes behind it."""
    major = data[6]
    size, start = (
        (struct.unpack("<H", data[8:10])[0], 10)
        if major == 1
        else (struct.unpack("<I", data[8:12])[0], 12)
    )
    import ast

    return ast.literal_eval(data[start : start + size].decode("latin-1").strip()), data[
        start + size :
    ]


def join_npy(header, body):
    """Put an npy together from a header (a dict, or text in its place) and the bytes behind it."""
    text = repr(header) if isinstance(header, dict) else header
    text += " " * (-(11 + len(text)) % 64) + "\n"
    return (
        b"\x93NUMPY\x01\x00"
        + struct.pack("<H", len(text))
        + text.encode("latin-1", "replace")
        + body
    )


def change_array(parts, draw):
    """One change of one array; returns the entry's name, its new bytes and what was done."""
    name, inner, data = draw.choice(parts.arrays)
    try:
        header, body = split_npy(data)
    except (ValueError, SyntaxError, struct.error):
        header, body = {"descr": "<f8", "fortran_order": False, "shape": ()}, data
    label = name if inner is None else f"{name}/{inner}"
    if draw.random() < 0.82:
        new, what = change_element(header, body, draw)
    else:
        new, what = change_header(header, body, draw)
    if inner is not None:
        held = dict(read_zip(next(data for entry, data in parts.entries if entry == name)))
        held[inner] = new
        new = build_zip(held.items())
    return name, new, f"array {label} {what}"


def change_element(header, body, draw):
    """Change elements of one field: extremes, neighbours, random values; exchanged, reversed, all alike."""
    dtype = np.dtype(
        header["descr"]
        if isinstance(header["descr"], str)
        else [tuple(field) for field in header["descr"]]
    )
    values = np.frombuffer(bytearray(body), dtype=dtype)
    where = ""
    whole = values
    if dtype.names:
        field = draw.choice(dtype.names)
        values, where = values[field], f".{field}"
    if values.ndim > 1:
        values = values.reshape(-1)
    size = values.size
    if size == 0:
        return join_npy(
            header, body + bytes(draw.randrange(1, 17))
        ), "bytes added to an empty array"
    at = draw.choice(
        [0, size - 1, draw.randrange(size), draw.randrange(size), draw.randrange(size)]
    )
    action = draw.randrange(20)
    if action == 0:
        other = draw.randrange(size)
        values[at], values[other] = values[other].copy(), values[at].copy()
        what = f"[{at}]{where} exchanged with [{other}]"
    elif action == 1:
        values[:] = values[::-1].copy()
        what = f"{where} reversed"
    else:
        kind = values.dtype.kind
        width = values.dtype.itemsize
        if kind in "iu":
            new = int_near(int(values[at]), draw.choice([size, whole.size]), draw)
            raw = (new % (1 << (8 * width))).to_bytes(
                width, "little" if values.dtype.str[0] != ">" else "big"
            )
        elif kind == "b":
            new = draw.choice([0, 1, 2, 255])
            raw = bytes([new])
        elif kind == "f":
            new = float_near(float(values[at]), draw)
            with np.errstate(all="ignore"):
                raw = np.array(new).astype(values.dtype).tobytes()
        elif kind == "U":
            new = draw.choice([0, 0x41, 0xD800, 0x10FFFF, 0x110000, 0xFFFFFFFF])
            raw = (struct.pack("<I", new) * (width // 4))[:width]
        else:
            new = "random bytes"
            raw = bytes(draw.randrange(256) for _ in range(width))
        raw = np.frombuffer(raw, dtype=values.dtype) if width else values[at]
        if action == 2:
            values[:] = raw
            what = f"{where} all = {new}"
        elif action == 3:
            values[at : at + draw.randrange(2, 9)] = raw
            what = f"[{at}...]{where} = {new}"
        else:
            values[at : at + 1] = raw
            what = f"[{at}]{where} = {new}"
    return join_npy(header, whole.tobytes()), what


def change_header(header, body, draw):
    """Change dtype, order or shape, mostly with as many bytes of data as the new header asks for."""
    header = dict(header)
    shape = list(header["shape"])
    action = draw.randrange(8)
    fit = draw.random() < 0.75
    if action == 0:
        header["descr"] = draw.choice(DTYPES)
        what = f"descr = {header['descr']}"
    elif action == 1:
        header["fortran_order"] = not header["fortran_order"]
        return join_npy(header, body), "fortran_order exchanged"
    elif action == 2:
        shape = shape[::-1]
        what = "shape reversed"
    elif action == 3:
        shape = (
            [int(np.prod(shape))]
            if len(shape) != 1
            else draw.choice([[shape[0], 1], [1, shape[0]], []])
        )
        what = f"shape = {shape}"
    elif action == 4 and shape:
        at = draw.randrange(len(shape))
        shape[at] = max(shape[at] + draw.choice([-1, 1, 2, -2, 7]), 0)
        what = f"shape = {shape}"
    elif action == 5 and shape:
        shape[draw.randrange(len(shape))] = draw.choice(
            [0, 0, 0, 1, -1, 2**31, 2**62, 2**63, 10**20]
        )
        what = f"shape = {shape}"
    elif action == 6:
        shape = (
            [*shape, draw.choice([1, 2, 0])]
            if draw.random() < 0.5
            else [1] * draw.choice([1, 30, 65]) + shape
        )
        what = f"shape = {shape}"
    else:
        text = bytearray(join_npy(header, body))
        at = draw.randrange(min(len(text), 100))
        text[at] = draw.randrange(256)
        return bytes(text), f"header byte {at} = {text[at]}"
    header["shape"] = tuple(shape)
    if fit:
        with contextlib.suppress(TypeError, ValueError, OverflowError):
            need = np.dtype(header["descr"]).itemsize
            for side in shape:
                need *= side
            if 0 <= need < 1 << 20:
                body = (body * (need // max(len(body), 1) + 1))[:need] if body else bytes(need)
                what += ", with data to match"
    return join_npy(header, body), what


def change_bytes(data, draw):
    """Flip, replace, insert or remove a few bytes, or cut the end off."""
    data = bytearray(data)
    action = draw.choices(["flip", "replace", "insert", "remove", "cut"], [40, 25, 12, 13, 10])[0]
    at = draw.randrange(len(data)) if data else 0
    if not data or action == "insert":
        extra = bytes(draw.randrange(256) for _ in range(draw.choice([1, 1, 2, 8, 64])))
        data[at:at] = extra
        return bytes(data), f"{len(extra)} bytes inserted at {at}"
    if action == "flip":
        bit = draw.randrange(8)
        data[at] ^= 1 << bit
        return bytes(data), f"bit {bit} of byte {at} flipped"
    if action == "replace":
        run = draw.choice([1, 2, 4, 8])
        data[at : at + run] = draw.choice([b"\x00", b"\xff", bytes([draw.randrange(256)])]) * run
        return bytes(data), f"{run} bytes replaced at {at}"
    if action == "remove":
        run = draw.choice([1, 1, 2, 8, 64])
        del data[at : at + run]
        return bytes(data), f"{run} bytes removed at {at}"
    return bytes(data[:at]), f"cut at {at}"


def change_entries(entries, draw):
    """Entries exchanged, copied, removed, renamed or written twice."""
    entries = list(entries)
    one, two = draw.randrange(len(entries)), draw.randrange(len(entries))
    action = draw.choices(
        ["exchange", "copy", "remove", "rename", "twice", "order"], [40, 30, 8, 8, 7, 7]
    )[0]
    if action in ("exchange", "copy") and draw.random() < 0.85:  # arrays with arrays
        arrays = [at for at, (name, _) in enumerate(entries) if name != "schema.json"]
        if arrays:
            one, two = draw.choice(arrays), draw.choice(arrays)
    what = f"{entries[one][0]} and {entries[two][0]}"
    if action == "exchange":
        entries[one], entries[two] = (
            (entries[one][0], entries[two][1]),
            (entries[two][0], entries[one][1]),
        )
    elif action == "copy":
        entries[one] = (entries[one][0], entries[two][1])
    elif action == "remove":
        del entries[one]
    elif action == "rename":
        entries[one] = (
            draw.choice([entries[one][0].upper(), "../" + entries[one][0], "/x", "x" * 70000, ""]),
            entries[one][1],
        )
    elif action == "twice":
        entries.append(entries[one])
    else:
        draw.shuffle(entries)
    return entries, f"entries: {action} {what}"


def mutate(parts, draw):
    """Change a file; its new bytes, and what was changed."""
    if draw.random() < 0.12:
        data, what = change_bytes(parts.whole, draw)
        return data, f"archive {what}"
    entries = list(parts.entries)
    done = []
    for _ in range(draw.choices([1, 2, 3], [80, 15, 5])[0]):
        kind = draw.choices(["json", "array", "bytes", "entries"], [40, 40, 13, 7])[0]
        if kind == "array" and not parts.arrays:
            kind = "json"
        if kind == "json":
            data, what = change_json(parts, draw)
            entries = [(name, data if name == "schema.json" else old) for name, old in entries]
        elif kind == "array":
            target, data, what = change_array(parts, draw)
            entries = [(name, data if name == target else old) for name, old in entries]
        elif kind == "bytes" and entries:
            at = draw.randrange(len(entries))
            data, what = change_bytes(entries[at][1], draw)
            what = f"entry {entries[at][0]} {what}"
            entries[at] = (entries[at][0], data)
        elif entries:
            entries, what = change_entries(entries, draw)
        done.append(what)
    with contextlib.suppress(struct.error):  # a name of 70,000 bytes does not fit a zip
        return build_zip(entries, deflate=draw.random() < 0.1), "; ".join(done)
    return parts.whole[:-1], "archive cut by one byte"


# ------------------------------------------------------------------------------------------------ guarded memory

GUARD = r"""
#define _GNU_SOURCE
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>

extern void *__libc_malloc(size_t), *__libc_calloc(size_t, size_t), *__libc_realloc(void *, size_t);
extern void __libc_free(void *);

enum { PAGE = 4096, FRESH = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE };
static const size_t SPACE = (size_t)1 << 36, LARGEST = (size_t)1 << 30;
static char *base, *next;
static size_t *sizes; /* of the block that starts in each page */
static int mode;      /* 0: libc's blocks; 1: a page that can't be read behind each; 2: before each */
static char *low, *high; /* code that wants its blocks at multiples of 16: Rust's hash tables; others get 8 */

void guard_wide(void *from, void *to) { low = from, high = to; }

void guard(int to) {
    if (!base) {
        base = mmap(0, SPACE, PROT_NONE, FRESH, -1, 0);
        sizes = mmap(0, SPACE / PAGE * sizeof(size_t), PROT_READ | PROT_WRITE, FRESH, -1, 0);
        next = base + PAGE;
    }
    mode = to;
}

static int ours(const void *at) { return base && (const char *)at >= base && (const char *)at < base + SPACE; }
static size_t page_of(const void *at) { return ((const char *)at - base) / PAGE; }
static size_t pages(size_t size) { return size ? (size + PAGE - 1) / PAGE : 1; }

static void *take(size_t size, char *caller) {
    size_t align = caller >= low && caller < high ? 15 : 7;
    if (size > LARGEST) return 0;
    size_t bytes = pages(size) * PAGE;
    char *start = __atomic_fetch_add(&next, bytes + PAGE, __ATOMIC_RELAXED);
    if (start + bytes + PAGE > base + SPACE || mprotect(start, bytes, PROT_READ | PROT_WRITE)) return 0;
    char *at = mode == 2 ? start : start + bytes - ((size + align) & ~align);
    if (at == start + bytes) at -= 16;
    sizes[page_of(at)] = size;
    return at;
}

void *malloc(size_t size) {
    if (!mode) return __libc_malloc(size);
    void *at = take(size, __builtin_return_address(0));
    if (at) memset(at, 0xAA, size);
    return at;
}

void free(void *at) {
    if (!ours(at)) { __libc_free(at); return; }
    size_t page = page_of(at), bytes = pages(sizes[page]) * PAGE;
    mmap(base + page * PAGE, bytes, PROT_NONE, FRESH | MAP_FIXED, -1, 0);
}

void *calloc(size_t count, size_t size) {
    size_t bytes;
    if (!mode) return __libc_calloc(count, size);
    return __builtin_mul_overflow(count, size, &bytes) ? 0 : take(bytes, __builtin_return_address(0));
}

void *realloc(void *at, size_t size) {
    if (!ours(at) && !(mode && !at)) return __libc_realloc(at, size);
    int kept = mode;
    if (!mode) mode = 1;
    void *other = take(size, __builtin_return_address(0));
    mode = kept;
    if (!other) return 0;
    if (at) {
        size_t held = sizes[page_of(at)];
        memcpy(other, at, held < size ? held : size);
        free(at);
    }
    return other;
}

size_t malloc_usable_size(void *at) { return ours(at) ? sizes[page_of(at)] : at ? ((size_t *)at)[-1] & ~(size_t)7 : 0; }
"""


def restart(guarded):
    """Start this program again with one thread for each library, and with `GUARD` before libc's allocator if asked for.

    Both are read when a process starts.
    """
    if "MUTATE_STARTED" in os.environ:
        return
    for name in ("OMP", "OPENBLAS", "MKL", "BLIS"):
        os.environ[f"{name}_NUM_THREADS"] = "1"
    os.environ.update(MUTATE_STARTED="1", LOKY_MAX_CPU_COUNT="1")
    if guarded:
        folder = tempfile.mkdtemp(prefix="mutate-guard-")
        source, built = Path(folder, "guard.c"), Path(folder, "guard.so")
        source.write_text(GUARD)
        compiler = ["cc", "-O1", "-fPIC", "-shared", "-fno-builtin", "-o", built, source]
        subprocess.run(compiler, check=True)
        os.environ["MUTATE_GUARD"] = os.environ["LD_PRELOAD"] = str(built)
    os.execv(sys.executable, [sys.executable, *sys.argv])


def guard(mode):
    """Choose where the blocks that are allocated from now on stand; 0 leaves it to libc."""
    if "MUTATE_GUARD" not in os.environ:
        return
    ctypes.CDLL(None).guard(mode)


def guard_wide():
    """Tell the allocator where nopickle's code stands."""
    maps = Path("/proc/self/maps").read_text()
    ends = [line.split()[0].split("-") for line in maps.splitlines() if "nopickle" in line]
    if "MUTATE_GUARD" in os.environ and ends:
        places = [int(end, 16) for pair in ends for end in pair]
        ctypes.CDLL(None).guard_wide(ctypes.c_void_p(min(places)), ctypes.c_void_p(max(places)))


# ------------------------------------------------------------------------------------------------ the run


class Subject:
    """One estimator: its files by writer, the inputs to ask with, and the types a stock loader has to be told."""

    def __init__(self, name, files, inputs, trusted):
        self.name = name
        self.files = files
        self.inputs = inputs
        self.trusted = trusted

    def path(self, folder, seed, index):
        """Where a file is kept."""
        kind = self.name.split(":")[0]
        ending = {"booster": "lgb", "catboost": "cbm", "xgboost": "xgb"}.get(kind, "skops")
        return folder / f"{self.name.replace(':', '-')}-{seed}-{index}.{ending}"


def booster_maker(name):
    """Find the module that makes the files of a booster's own format; None for a skops file."""
    makers = {"booster": boosters, "catboost": catboost_models, "xgboost": xgboost_boosters}
    return makers.get(name.split(":")[0])


def library(name, kind="skops"):
    """Import the `loads` and `get_untrusted_types` of a library."""
    if kind == "lightgbm":
        return boosters.library(name), None
    if kind == "xgboost":
        return xgboost_boosters.library(name), None
    if kind == "catboost":
        return catboost_models.library(name), None
    if name == "skops":
        from skops.io import get_untrusted_types, loads
    else:
        from nopickle.skops import get_untrusted_types, loads
    return loads, get_untrusted_types


def writers(choice):
    """Find the `dumps` of each library that is chosen and installed, by its name."""
    found = {}
    if choice in ("skops", "both"):
        with contextlib.suppress(ImportError):
            from skops.io import dumps

            found["skops"] = dumps
    if choice in ("nopickle", "both"):
        with contextlib.suppress(ImportError):
            from nopickle.skops import dumps

            found["nopickle"] = dumps
    if not found:
        raise SystemExit(f"no library to write files with: {choice}")
    return found


def prepare(options):
    """Fit, save and take apart; leave out with a line on stderr what the library under test can't load unchanged."""
    loads, untrusted = library(options.library, options.kind)
    subjects, skipped = [], {}
    if options.kind == "lightgbm":
        for name, make in boosters.specimens():
            if not options.estimators or any(re.fullmatch(at, name) for at in options.estimators):
                booster, inputs = make()
                text = boosters.Text(booster.model_to_string())
                problem = use(loads(text.whole, None), name, inputs)
                if problem:
                    skipped[name] = f"the unchanged object raises {problem}"
                else:
                    subjects.append(Subject(name, [("lightgbm", text)], inputs, [None]))
        return subjects, skipped
    if options.kind == "xgboost":
        for name, make in xgboost_boosters.specimens():
            if not options.estimators or any(re.fullmatch(at, name) for at in options.estimators):
                booster, inputs = make()
                files = xgboost_boosters.documents(booster)
                # A linear model has neither leaves nor interactions: what it does not answer itself is no problem.
                problems = [use(loads(parts.whole, None), name, inputs) for _, parts in files]
                if any(problem != use(booster, name, inputs) for problem in problems):
                    skipped[name] = f"the unchanged object raises {problems}"
                else:
                    subjects.append(Subject(name, files, inputs, [None] * len(files)))
        return subjects, skipped
    if options.kind == "catboost":
        for name, make in catboost_models.specimens():
            if not options.estimators or any(re.fullmatch(at, name) for at in options.estimators):
                data, inputs = make()
                # What the file answers unchanged: not every model has every prediction.
                file = catboost_models.File(data)
                loads(file.whole, None)
                subjects.append(Subject(name, [("catboost", file)], inputs, [None]))
        return subjects, skipped
    dumps = writers(options.files)
    for name, make in specimens():
        if options.estimators and not any(
            re.fullmatch(pattern, name) for pattern in options.estimators
        ):
            continue
        fitted, inputs = make()
        if isinstance(fitted, _Product):
            fitted = fitted.matrix
        files, trusted, reason = [], [], None
        for writer, dump in dumps.items():
            try:
                entries = normalised(read_zip(dump(fitted)))
                parts = Parts(entries)
                names = list(untrusted(data=parts.whole)) if options.trust_all else None
                loaded = loads(parts.whole, trusted=names)
                problem = use(loaded, name, inputs)
                if problem:
                    raise RuntimeError(f"the unchanged object raises {problem}")
                files.append((writer, parts))
                trusted.append(names)
            except Exception as error:
                reason = f"{writer}: {type(error).__name__}: {str(error).splitlines()[0][:160] if str(error) else ''}"
        if files:
            subjects.append(Subject(name, files, inputs, trusted))
        else:
            skipped[name] = reason
    return subjects, skipped


def make_file(subject, seed, index):
    """Make file number `index`: `(bytes, what was changed, trusted)`."""
    draw = random.Random(f"{seed}:{subject.name}:{index}")
    which = index % len(subject.files)
    writer, parts = subject.files[which]
    change = getattr(booster_maker(subject.name), "mutate", mutate)
    data, what = change(parts, draw)
    return data, f"{writer}: {what}", subject.trusted[which]


def shut_in(options, scratch):
    """Limits of a child: memory, written files, no new processes or threads, output to a scratch file."""
    os.chdir(scratch)
    report = os.open("fault.txt", os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    null = os.open(os.devnull, os.O_RDWR)
    for target in (0, 1):
        os.dup2(null, target)
    os.dup2(report, 2)
    faulthandler.enable(file=2, all_threads=False)
    size = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    limit = size + options.memory * 2**20
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_FSIZE, (2**20, 2**20))
    with contextlib.suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_NPROC, (64, 64))


def no_workers():
    """Joblib runs everything in the calling thread: a damaged `n_jobs` starts nothing."""
    import joblib.parallel

    for name in list(joblib.parallel.BACKENDS):
        joblib.parallel.BACKENDS[name] = joblib.parallel.SequentialBackend
    joblib.parallel.MAYBE_AVAILABLE_BACKENDS = set()


def peak_reset():
    """Forget the highest resident size so far."""
    with contextlib.suppress(OSError), open("/proc/self/clear_refs", "w") as file:
        file.write("5")


_PEAK = re.compile(rb"VmHWM:\s+(\d+)")


def peak():
    """Highest resident size since `peak_reset`, in MB."""
    with open("/proc/self/status", "rb") as file:
        return int(_PEAK.search(file.read()).group(1)) / 1024


def attempt(loads, subject, index, data, trusted, options):
    """Load and use one file; `(outcome, detail, MB that loading took)`."""
    peak_reset()
    before = peak()
    guard(1 + index % 2)
    try:
        return _attempt(loads, subject, data, trusted, options, before)
    finally:
        guard(0)


def _attempt(loads, subject, data, trusted, options, before):
    try:
        loaded = loads(data, trusted=trusted)
    except MemoryError:
        return "memory", "MemoryError while loading", peak() - before
    except BaseException as error:
        took = peak() - before
        if took > options.load_memory:
            return "memory", f"{took:.0f} MB while refusing", took
        return "refused", type(error).__name__, took
    took = peak() - before
    if took > options.load_memory:
        return "memory", f"{took:.0f} MB while loading", took
    failure = use(loaded, subject.name, subject.inputs)
    del loaded
    return ("exception", failure, took) if failure else ("predicted", "", took)


def child(loads, jobs, options, shared, pipe, scratch):
    """Run `jobs`, pairs of subject and index, one line of result each; never returns."""
    try:
        shut_in(options, scratch)
        for at, (subject, index) in enumerate(jobs):
            data, _, trusted = make_file(subject, options.seed, index)
            struct.pack_into("<qd", shared, 0, at, time.process_time())
            outcome, detail, took = attempt(loads, subject, index, data, trusted, options)
            os.write(pipe, f"{at}\t{outcome}\t{detail}\t{took:.1f}\n".encode())
        struct.pack_into("<qd", shared, 0, len(jobs), 0.0)
        os._exit(0)
    except BaseException:
        traceback.print_exc()
        os._exit(70)


def processor_seconds(pid):
    """Read how much processor time a process has used."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    except OSError:
        return 0.0
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def run_jobs(loads, jobs, options, scratch):
    """Run `jobs` in one child. Returns the results so far, and `(outcome, detail)` of the job that ended it, if any."""
    shared = mmap.mmap(-1, 16)
    struct.pack_into("<qd", shared, 0, -1, 0.0)
    reader, writer = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(reader)
        child(loads, jobs, options, shared, writer, scratch)
    os.close(writer)
    text, killed, moved, last = b"", None, time.monotonic(), -2
    while True:
        ready, _, _ = select.select([reader], [], [], 0.2)
        if ready:
            block = os.read(reader, 1 << 16)
            if not block:
                break
            text += block
        at, began = struct.unpack_from("<qd", shared, 0)
        now = time.monotonic()
        if at != last:
            last, moved = at, now
        elif now - moved > 1.0:
            used = processor_seconds(pid) - began
            if used > options.timeout or now - moved > 20 * options.timeout:
                killed = f"{used:.0f} s of processor time"
                os.kill(pid, signal.SIGKILL)
                break
    os.close(reader)
    _, status = os.waitpid(pid, 0)
    results = []
    for line in text.decode("utf-8", "replace").splitlines():
        fields = line.split("\t")
        if len(fields) == 4:
            results.append((fields[1], fields[2], float(fields[3])))
    fault = (Path(scratch) / "fault.txt").read_text(errors="replace")
    if killed:
        return results, ("hang", killed)
    if os.WIFSIGNALED(status):
        number = os.WTERMSIG(status)
        return results, ("crash", f"{signal.Signals(number).name} {first_frames(fault)}")
    if os.WEXITSTATUS(status) == 70:
        if len(jobs) == 1:
            raise SystemExit(f"the harness failed:\n{fault}")
        # Alone it does not fail: an earlier file of the batch has written over the harness's own objects.
        return results, ("crash", f"memory of the process is damaged: {fault.splitlines()[-1]}")
    if len(results) < len(jobs):
        return results, ("crash", f"exit status {os.WEXITSTATUS(status)}")
    return results, None


def first_frames(fault):
    """Tell where Python was when the child died: the innermost frames of the fault report, and libc's words."""
    words = [
        line
        for line in fault.splitlines()
        if re.search(r"free\(\)|malloc|corrupt|double|assert|terminate", line)
    ]
    frames = re.findall(r'File "([^"]+)", line (\d+) in (\S+)', fault)[:3]
    shown = " < ".join(
        f"{'/'.join(Path(path).parts[-3:])}:{line} {function}" for path, line, function in frames
    )
    return " ".join([*words[:1], shown])


def blame(loads, jobs, results, ended, options, scratch):
    """Tell which job of a crashed child crashes it: the last one alone, or one of those before it that loaded.

    Memory that one file has damaged may bring the process down files later, so those are run alone, once and then
    20 times with the last one behind them.
    """
    _, again = run_jobs(loads, jobs[-1:], options, scratch)
    if again:
        return len(jobs) - 1, again
    loaded = [at for at, result in enumerate(results) if result[0] != "refused"]
    for at in reversed(loaded):
        _, again = run_jobs(loads, jobs[at : at + 1], options, scratch)
        if again:
            return at, again
    for at in reversed(loaded):
        _, again = run_jobs(loads, [jobs[at]] * 20 + jobs[-1:], options, scratch)
        if again:
            return at, (again[0], f"(after 20 repetitions) {again[1]}")
    return len(jobs) - 1, (ended[0], f"(only in its batch of {len(jobs)}) {ended[1]}")


def run(options):
    """Prepare, run all files, print and write the report; the exit status."""
    started = time.monotonic()
    warnings.simplefilter("ignore")
    np.seterr(all="ignore")
    no_workers()
    loads, _ = library(options.library, options.kind)
    subjects, skipped = prepare(options)
    if options.only_prepare:
        for subject in subjects:
            size = [len(parts.whole) for _, parts in subject.files]
            print(subject.name, size, subject.trusted)
        print("skipped", json.dumps(skipped, indent=1))
        return 0
    prepared = time.monotonic() - started
    print(
        f"{len(subjects)} estimators ready in {prepared:.1f} s; without: {skipped or 'none'}",
        file=sys.stderr,
    )
    gc.collect()
    gc.freeze()
    guard(0)
    guard_wide()

    numbers = range(options.first, options.first + options.count)
    jobs = [(subjects[number % len(subjects)], number // len(subjects)) for number in numbers]
    outcomes = collections.Counter()
    details = collections.defaultdict(collections.Counter)
    by_estimator = collections.defaultdict(collections.Counter)
    findings = []
    most = 0.0
    keep = Path(options.keep).resolve()
    scratch = tempfile.mkdtemp(prefix="mutate-")

    def count(subject, outcome, detail):
        outcomes[outcome] += 1
        if outcome in ("refused", "exception"):
            details[outcome][detail] += 1
        by_estimator[subject.name][outcome] += 1

    def finding(job, outcome, detail):
        subject, index = job
        data, what, _ = make_file(subject, options.seed, index)
        keep.mkdir(parents=True, exist_ok=True)
        path = subject.path(keep, options.seed, index)
        path.write_bytes(data)
        findings.append(
            {
                "estimator": subject.name,
                "index": index,
                "outcome": outcome,
                "detail": detail,
                "change": what,
                "file": path.name,
            }
        )
        print(f"{outcome}: {subject.name}:{index}: {what}: {detail}", file=sys.stderr)

    began = time.monotonic()
    at = 0
    try:
        while at < len(jobs):
            batch = jobs[at : at + options.batch]
            results, ended = run_jobs(loads, batch, options, scratch)
            for job, (outcome, detail, took) in zip(batch, results, strict=False):
                most = max(most, took)
                count(job[0], outcome, detail)
                if outcome == "memory":
                    finding(job, outcome, detail)
            at += len(results)
            if ended:
                dead = batch[: len(results) + 1]
                outcome, detail = ended
                guilty = len(dead) - 1
                if outcome == "crash":
                    guilty, (outcome, detail) = blame(loads, dead, results, ended, options, scratch)
                count(dead[-1][0], outcome, detail)
                finding(dead[guilty], outcome, detail)
                at += 1
            if options.progress and time.monotonic() - began > 1:
                rate = at / (time.monotonic() - began)
                print(f"\r{at}/{len(jobs)} {rate:.0f}/s {dict(outcomes)}", end="", file=sys.stderr)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    seconds = time.monotonic() - began

    def version(package):
        try:
            return importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            return None

    report = {
        "library": options.library,
        "kind": options.kind,
        "trust_all": options.trust_all,
        "seed": options.seed,
        "first": options.first,
        "files": len(jobs),
        "written_by": options.files,
        "estimators": len(subjects),
        "skipped": skipped,
        "outcomes": {
            key: outcomes[key]
            for key in ("refused", "predicted", "exception", "crash", "hang", "memory")
        },
        "details": {key: dict(found.most_common()) for key, found in details.items()},
        "by_estimator": {key: dict(found) for key, found in by_estimator.items()},
        "findings": findings,
        "limits": {
            "address_space_mb": options.memory,
            "load_mb": options.load_memory,
            "processor_seconds": options.timeout,
        },
        "most_mb_of_a_load": round(most, 1),
        "seconds": round(seconds, 1),
        "files_per_second": round(len(jobs) / seconds, 1),
        "versions": {
            package: version(package)
            for package in (
                "nopickle",
                "skops",
                "scikit-learn",
                "numpy",
                "scipy",
                "quantile-forest",
                "lightgbm",
                "xgboost",
                "catboost",
            )
        },
        "python": platform.python_version(),
        "machine": platform.platform(),
    }
    text = json.dumps(report, indent=1)
    if options.out:
        Path(options.out).write_text(text + "\n")
    print(
        json.dumps(
            {
                key: report[key]
                for key in ("library", "files", "outcomes", "details", "files_per_second")
            },
            indent=1,
        )
    )
    return 1 if findings else 0


def replay(options):
    """Make one file, write it to `--keep`, run it alone and say what happened."""
    warnings.simplefilter("ignore")
    np.seterr(all="ignore")
    no_workers()
    name, index = options.replay.rsplit(":", 1)
    options.estimators = [re.escape(name)]
    subjects, skipped = prepare(options)
    if not subjects:
        raise SystemExit(f"no such estimator: {name} {skipped}")
    data, what, trusted = make_file(subjects[0], options.seed, int(index))
    Path(options.keep).mkdir(parents=True, exist_ok=True)
    path = subjects[0].path(Path(options.keep), options.seed, index)
    path.write_bytes(data)
    loads, _ = library(options.library, options.kind)
    guard(0)
    guard_wide()
    scratch = tempfile.mkdtemp(prefix="mutate-")
    results, ended = run_jobs(loads, [(subjects[0], int(index))], options, scratch)
    shutil.rmtree(scratch, ignore_errors=True)
    print(f"change: {what}\nfile: {path}\nresult: {ended or results[0]}")
    if not ended and results[0][0] in ("refused", "exception"):
        try:
            loaded = loads(data, trusted=trusted)
        except Exception as error:
            print(f"{type(error).__name__}: {error}")
        else:
            for call in _calls(loaded, name, subjects[0].inputs):
                try:
                    call()
                except Exception:
                    traceback.print_exc()
                    break
    return 1 if ended else 0


def arguments(given=None):
    """Parse the command line."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--count", type=int, default=10_000, help="how many files (default 10,000)")
    parser.add_argument("--first", type=int, default=0, help="which file is the first (default 0)")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument(
        "--library",
        choices=("nopickle", "skops", "lightgbm", "catboost", "xgboost"),
        default="nopickle",
    )
    parser.add_argument(
        "--kind",
        choices=("skops", "lightgbm", "catboost", "xgboost"),
        default="skops",
        help="skops files of estimators, or the files of LightGBM's, CatBoost's or XGBoost's own formats",
    )
    parser.add_argument(
        "--files",
        choices=("skops", "nopickle", "both"),
        default="both",
        help="who writes the files that are changed",
    )
    parser.add_argument(
        "--trust-all", action="store_true", help="trust every type of the unchanged file by hand"
    )
    parser.add_argument("--estimators", nargs="*", default=[], metavar="REGEX", help="only these")
    parser.add_argument(
        "--timeout", type=float, default=10.0, help="processor seconds for one file"
    )
    parser.add_argument(
        "--memory", type=int, default=1024, help="MB of address space over what the process had"
    )
    parser.add_argument(
        "--load-memory", type=int, default=64, help="MB that loading one file may take"
    )
    parser.add_argument("--batch", type=int, default=250, help="files per child")
    parser.add_argument(
        "--keep", default="mutate-findings", help="folder for files that crash, hang or take memory"
    )
    parser.add_argument("--out", help="write the whole report here, as JSON")
    parser.add_argument(
        "--guard", action="store_true", help="see every read past an allocated block"
    )
    parser.add_argument("--progress", action="store_true")
    parser.add_argument("--replay", metavar="NAME:INDEX", help="one file by itself")
    parser.add_argument("--only-prepare", action="store_true", help="list the estimators and stop")
    return parser.parse_args(given)


if __name__ == "__main__":
    chosen = arguments()
    restart(chosen.guard)
    sys.exit(replay(chosen) if chosen.replay else run(chosen))
