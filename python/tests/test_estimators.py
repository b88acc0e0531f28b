"""Every scikit-learn estimator, saved and loaded, is what pickle makes of it, bit for bit."""

from __future__ import annotations

import functools
import pickle
import subprocess
import sys
import warnings

import numpy as np
import pytest
from estimators import (
    FEATURES,
    SAMPLES,
    UNTRUSTED_VARIANTS,
    case,
    cases,
    estimator_classes,
    fitted,
    outputs,
)
from same import differences
from sklearn.cluster import Birch
from sklearn.ensemble import RandomForestClassifier
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import BallTree, KDTree
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler
from skops import io as stock

from nopickle import _rust, skops
from nopickle.exceptions import UntrustedTypesError

NAMES = [case.name for case in cases()]

every_estimator = pytest.mark.parametrize("name", NAMES)

# scikit-learn says so whenever an object of such a class is made, by pickle too.
pytestmark = pytest.mark.filterwarnings("ignore:Class .* is deprecated:FutureWarning")


@functools.cache
def pickled(name: str) -> bytes:
    return pickle.dumps(fitted(name)[0], protocol=5)


def unpickled(name: str):
    """A copy of the fitted estimator that shares nothing with it."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return pickle.loads(pickled(name))


@functools.cache
def dumped(name: str) -> bytes:
    return skops.dumps(fitted(name)[0])


@every_estimator
def test_nothing_has_to_be_trusted_by_hand(name):
    assert skops.get_untrusted_types(data=dumped(name)) == []


@every_estimator
def test_the_loaded_estimator_answers_as_after_pickle(name):
    loaded = skops.loads(dumped(name))
    X = fitted(name)[1]
    expected = outputs(unpickled(name), X)
    assert expected, "this estimator is asked nothing"
    assert not differences(expected, outputs(loaded, X), sharing=False)


@every_estimator
def test_the_loaded_estimator_holds_what_it_holds_after_pickle(name):
    loaded = skops.loads(dumped(name))
    told = differences(unpickled(name), loaded)
    # numpy 1's pickles of seeds, too, change the type of a value: what was saved counts as well.
    assert not told or not differences(fitted(name)[0], loaded, layout=False), told


@every_estimator
def test_the_names_for_stock_skops_are_all_that_it_asks_for(name):
    estimator, _ = fitted(name)
    data = skops.dumps(estimator)
    _, listed = _rust.skops_check(data, skops.get_untrusted_types(data=data), 1 << 30)
    assert set(stock.get_untrusted_types(data=data)) <= set(listed)


@every_estimator
def test_one_model_has_one_file(name):
    assert skops.dumps(fitted(name)[0]) == dumped(name)
    one, other = unpickled(name), unpickled(name)
    # numpy 1 does not pickle the seed of a generator: two copies are two models then.
    assert skops.dumps(one) == skops.dumps(other) or differences(one, other)


@every_estimator
def test_a_loaded_estimator_can_be_saved_again(name):
    again = skops.dumps(skops.loads(dumped(name)))
    assert not differences(skops.loads(dumped(name)), skops.loads(again))
    assert skops.dumps(skops.loads(again)) == again


@every_estimator
def test_an_estimator_that_was_not_fitted_keeps_its_parameters(name):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        estimator = case(name).make()
        expected = pickle.loads(pickle.dumps(estimator, protocol=5))
    data = skops.dumps(estimator)
    assert skops.get_untrusted_types(data=data) == []
    loaded = skops.loads(data)
    assert not differences(expected.get_params(), loaded.get_params())
    assert not differences(expected, loaded)


def test_the_cases_name_every_class_and_every_variant_says_whose_it_is():
    classes = {cls.__name__ for cls in estimator_classes()}
    assert len(classes) >= 205
    assert {"Birch", "HalvingGridSearchCV", "IterativeImputer", "PatchExtractor"} <= classes
    assert classes <= set(NAMES)
    assert {name.partition("-")[0] for name in NAMES} == classes


@pytest.mark.parametrize("name", UNTRUSTED_VARIANTS)
def test_an_estimator_that_holds_a_function_of_the_users_choice_loads_once_it_is_trusted(name):
    make, untrusted = UNTRUSTED_VARIANTS[name]
    estimator = make()
    data = skops.dumps(estimator)
    assert skops.get_untrusted_types(data=data) == untrusted
    loaded = skops.loads(data, trusted=untrusted)
    X = np.arange(12.0).reshape(4, 3) / 7
    np.testing.assert_array_equal(loaded.fit_transform(X), estimator.fit_transform(X))
    with pytest.raises(UntrustedTypesError):
        skops.loads(data)


def test_birch_keeps_the_ring_of_its_leaves():
    estimator = fitted("Birch-deep")[0]
    loaded = skops.loads(dumped("Birch-deep"))

    def leaves(birch: Birch) -> list:
        found, leaf = [], birch.dummy_leaf_.next_leaf_
        while leaf is not None:
            assert leaf.prev_leaf_.next_leaf_ is leaf
            found.append(leaf)
            leaf = leaf.next_leaf_
        return found

    assert len(leaves(loaded)) == len(leaves(estimator)) > 3

    # The leaves that the chain passes are the leaves that the tree ends in.
    ends, todo = set(), [loaded.root_]
    while todo:
        node = todo.pop()
        if node.is_leaf:
            ends.add(id(node))
        todo.extend(child.child_ for child in node.subclusters_ if child.child_ is not None)
    assert ends == {id(leaf) for leaf in leaves(loaded)}


def test_birch_goes_on_learning_where_it_stopped():
    X = fitted("Birch-partial")[1]
    loaded, expected = skops.loads(dumped("Birch-partial")), unpickled("Birch-partial")
    more = X[::-1] * 1.5 + 0.25
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        loaded.partial_fit(more)
        expected.partial_fit(more)
    assert not differences(expected, loaded)


@pytest.mark.parametrize(
    "name",
    [
        "SGDClassifier-partial",
        "MiniBatchKMeans-partial",
        "MLPClassifier",
        "BernoulliNB",
        "IncrementalPCA",
    ],
)
def test_a_loaded_estimator_goes_on_learning_as_after_pickle(name):
    X, y = case(name).data()
    loaded, expected = skops.loads(dumped(name)), unpickled(name)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for estimator in (loaded, expected):
            estimator.partial_fit(X[:40] * 1.25, *(() if y is None else (y[:40],)))
    assert not differences(expected, loaded)


@pytest.mark.parametrize("name", ["RandomForestClassifier-oob", "ExtraTreesClassifier-bootstrap"])
def test_a_loaded_forest_can_be_fitted_again(name):
    X, y = case(name).data()
    loaded, expected = skops.loads(dumped(name)), unpickled(name)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for estimator in (loaded, expected):
            estimator.set_params(n_estimators=14).fit(X, y)
    assert not differences(expected, loaded)


def test_an_estimator_that_stands_twice_in_a_pipeline_is_one_object():
    scaler = StandardScaler()
    pipeline = Pipeline([("first", scaler), ("second", scaler), ("last", LogisticRegression())])
    loaded = skops.loads(skops.dumps(pipeline))
    assert loaded.named_steps["first"] is loaded.named_steps["second"]
    assert loaded.named_steps["first"] is not loaded.named_steps["last"]


def test_a_forest_and_the_list_of_its_trees_stay_one_set_of_trees():
    forest = fitted("RandomForestClassifier")[0]
    loaded = skops.loads(skops.dumps({"forest": forest, "trees": list(forest.estimators_)}))
    assert len(loaded["trees"]) == len(forest.estimators_)
    for mine, other in zip(loaded["trees"], loaded["forest"].estimators_, strict=True):
        assert mine is other


@pytest.mark.parametrize("kind", [KDTree, BallTree])
@pytest.mark.parametrize("metric", ["euclidean", "manhattan", "chebyshev"])
def test_a_neighbour_tree_alone_answers_as_after_pickle(kind, metric):
    X = np.random.RandomState(0).normal(size=(SAMPLES, FEATURES))
    tree = kind(X, leaf_size=4, metric=metric)
    data = skops.dumps(tree)
    assert skops.get_untrusted_types(data=data) == []
    loaded, expected = skops.loads(data), pickle.loads(pickle.dumps(tree, protocol=5))
    assert not differences(expected, loaded)
    for mine, other in zip(loaded.query(X + 0.1, 3), expected.query(X + 0.1, 3), strict=True):
        np.testing.assert_array_equal(mine, other)
    mine, other = loaded.query_radius(X, 1.5), expected.query_radius(X, 1.5)
    assert [list(row) for row in mine] == [list(row) for row in other]
    np.testing.assert_array_equal(loaded.kernel_density(X, 0.5), expected.kernel_density(X, 0.5))


def test_a_neighbour_tree_of_single_precision_answers_as_after_pickle():
    neighbors = pytest.importorskip("sklearn.neighbors._kd_tree")
    if not hasattr(neighbors, "KDTree32"):
        pytest.skip("this scikit-learn has no trees of single precision")
    X = np.random.RandomState(0).normal(size=(SAMPLES, FEATURES)).astype(np.float32)
    tree = neighbors.KDTree32(X, leaf_size=4)
    data = skops.dumps(tree)
    loaded = skops.loads(data, trusted=skops.get_untrusted_types(data=data))
    assert not differences(pickle.loads(pickle.dumps(tree, protocol=5)), loaded)
    np.testing.assert_array_equal(loaded.query(X, 2)[1], tree.query(X, 2)[1])


FOREST_IN_A_CHILD = """
import sys
from nopickle import skops
model = skops.load(sys.argv[1])
skops.dump(model, sys.argv[2])
"""


@pytest.mark.parametrize("name", ["RandomForestClassifier", "TfidfVectorizer-ngrams", "Birch-deep"])
def test_one_model_has_one_file_in_every_process(name, tmp_path):
    """Neither addresses nor the seed of hashes reach the file."""
    source = tmp_path / "model.skops"
    source.write_bytes(dumped(name))
    made = []
    for seed in ("0", "1", "4242"):
        target = tmp_path / f"{seed}.skops"
        subprocess.run(
            [sys.executable, "-W", "ignore", "-c", FOREST_IN_A_CHILD, str(source), str(target)],
            env={
                "PYTHONHASHSEED": seed,
                "PATH": "",
                "PYTHONPATH": ":".join(filter(None, sys.path)),
            },
            check=True,
            timeout=60,
        )
        made.append(target.read_bytes())
    assert made[0] == made[1] == made[2]


def test_a_large_forest_answers_as_after_pickle():
    rng = np.random.RandomState(0)
    X, y = rng.normal(size=(3000, 20)).astype(np.float32), rng.randint(4, size=3000)
    forest = RandomForestClassifier(30, random_state=0, n_jobs=1).fit(X, y)
    loaded = skops.loads(skops.dumps(forest))
    expected = pickle.loads(pickle.dumps(forest, protocol=5))
    assert not differences(expected, loaded)
    np.testing.assert_array_equal(loaded.predict_proba(X), expected.predict_proba(X))


def test_a_vectorizer_of_many_terms_answers_as_after_pickle():
    rng = np.random.RandomState(0)
    words = [f"w{i:05d}\u00e9" if i % 7 else f"{i} \u6771\u4eac{i}" for i in range(20_000)]
    texts = [" ".join(words[i] for i in rng.randint(20_000, size=200)) for _ in range(300)]
    vectorizer = TfidfVectorizer(ngram_range=(1, 2)).fit(texts)
    loaded = skops.loads(skops.dumps(vectorizer))
    expected = pickle.loads(pickle.dumps(vectorizer, protocol=5))
    assert not differences(expected, loaded)
    assert not differences(expected.transform(texts[:20]), loaded.transform(texts[:20]))


def _regression():
    rng = np.random.RandomState(0)
    X = rng.normal(size=(80, 5))
    return X, X[:, 0] * 2 + rng.normal(size=80)


@pytest.mark.parametrize("name", ["RandomForestQuantileRegressor", "ExtraTreesQuantileRegressor"])
def test_a_quantile_forest_answers_as_after_pickle(name):
    quantile_forest = pytest.importorskip("quantile_forest")
    X, y = _regression()
    forest = getattr(quantile_forest, name)(n_estimators=4, random_state=0).fit(X, y)
    data = skops.dumps(forest)
    assert skops.dumps(forest) == data
    loaded = skops.loads(data, trusted=skops.get_untrusted_types(data=data))
    expected = pickle.loads(pickle.dumps(forest, protocol=5))
    assert not differences(expected, loaded)
    quantiles = [0.1, 0.5, 0.9]
    np.testing.assert_array_equal(loaded.predict(X, quantiles), expected.predict(X, quantiles))


@pytest.mark.parametrize("name", ["LGBMClassifier", "LGBMRegressor"])
def test_a_lightgbm_model_answers_as_after_pickle(name):
    lightgbm = pytest.importorskip("lightgbm")
    X, y = _regression()
    model = getattr(lightgbm, name)(n_estimators=5, verbose=-1, n_jobs=1)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model.fit(X, (y > 0).astype(int) if name == "LGBMClassifier" else y)
        data = skops.dumps(model)
        loaded = skops.loads(data, trusted=skops.get_untrusted_types(data=data))
        expected = pickle.loads(pickle.dumps(model, protocol=5))
        assert not differences(expected.get_params(), loaded.get_params())
        np.testing.assert_array_equal(loaded.predict(X), expected.predict(X))
        assert loaded.booster_.model_to_string() == expected.booster_.model_to_string()
