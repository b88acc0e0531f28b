"""Estimators whose attributes native code reads."""

from __future__ import annotations

import contextlib
import json

import numpy as np

from .parts import leaf, listing, mapping, node, objects, pair, whole
from .saved import Saved, birch, pinball_loss, rows, vectorizer


def other_cases():
    from scipy.interpolate import BSpline
    from sklearn import cluster, ensemble, feature_extraction, isotonic, preprocessing

    inputs, _labels, target = rows()

    saved_model = Saved("b_spline", BSpline(np.arange(8.0), np.arange(8.0).reshape(4, 2), 3))
    saved_model.put("degree_negative", "k", to=-1)
    saved_model.put("degree_high", "k", to=7)
    saved_model.put("degree_huge", "k", to=1 << 40)
    saved_model.put("degree_text", "k", to="3")
    saved_model.put("knots_short", "_t", to=np.arange(3.0))
    saved_model.put("knots_decreasing", "_t", to=np.arange(8.0)[::-1].copy())
    saved_model.put("knots_nan", "_t", to=np.full(8, np.nan))
    saved_model.put("knots_two_dimensions", "_t", to=np.zeros((4, 2)))
    saved_model.put("coefficients_short", "_c", to=np.zeros((2, 2)))
    saved_model.put("coefficients_text", "_c", to=np.array(["a"] * 8))
    saved_model.put("axis_past_end", "axis", to=5)

    saved_model = Saved("count_vectorizer", vectorizer(feature_extraction.text.CountVectorizer()))
    saved_model.put("index_past_end", "vocabulary_", "red", to=4)
    saved_model.put("index_huge", "vocabulary_", "red", to=1 << 62)
    saved_model.put("index_negative", "vocabulary_", "red", to=-1)
    saved_model.put("index_twice", "vocabulary_", "red", to=0)
    saved_model.put("index_text", "vocabulary_", "red", to="0")
    saved_model.put("vocabulary_list", "vocabulary_", to=listing())
    saved_model.put("ngrams_from_below", "ngram_range", to=pair(leaf(-(1 << 64)), leaf(2)))
    saved_model.put("ngrams_huge", "ngram_range", to=pair(leaf(1), leaf(1 << 40)))
    saved_model.put("ngrams_list", "ngram_range", to=listing(leaf(1)))
    for name, pattern in {
        "pattern_nested": r"(\w+)+$",
        "pattern_alternatives": r"(a|a)*$",
        "pattern_optional": r"(?:\w\w?)*$",
        "pattern_in_groups": r"(?:(?P<x>a+))*b",
        "pattern_separated_twice": r"(?:-\w*\w*)*$",
        "pattern_long": "a" * 1001,
    }.items():
        saved_model.put(name, "token_pattern", to=leaf(pattern))
    saved_model = Saved("tfidf_vectorizer", vectorizer(feature_extraction.text.TfidfVectorizer()))
    saved_model.put("idf_short", "_tfidf", "idf_", to=np.ones(1))

    saved_model = Saved(
        "dict_vectorizer", feature_extraction.DictVectorizer().fit([{"a": 1.0, "b": 2.0}])
    )
    saved_model.put("index_past_end", "vocabulary_", "a", to=2)
    saved_model.put("index_negative", "vocabulary_", "a", to=-1)
    saved_model.put("index_huge", "vocabulary_", "a", to=1 << 62)

    saved_model = Saved("isotonic", isotonic.IsotonicRegression().fit(inputs[:, 0], target))
    saved_model.put("x_short", "X_thresholds_", to=np.zeros(1))
    saved_model.put("y_short", "y_thresholds_", to=np.zeros(1))

    saved_model = Saved(
        "birch",
        None,
        birch(cluster.Birch(threshold=0.8, branching_factor=3, n_clusters=None).fit(inputs[:10])),
    )
    saved_model.put("subclusters_fewer", "root_", "subclusters_", to=listing())
    saved_model.put("centroids_narrow", "root_", "centroids_", to=np.zeros((1, 1)))
    saved_model.put("init_centroids_narrow", "root_", "init_centroids_", to=np.zeros((1, 1)))
    saved_model.put("centers_narrow", "subcluster_centers_", to=np.zeros((2, 1)))
    saved_model.put("labels_short", "subcluster_labels_", to=np.zeros(0, "<i8"))
    saved_model.put("leaf_is_a_number", "dummy_leaf_", to=5)

    fitted = ensemble.GradientBoostingRegressor(n_estimators=1, max_depth=1, random_state=0).fit(
        inputs, target
    )
    saved_model = Saved("gradient_boosting", fitted)
    saved_model.put("features_fewer", "n_features_in_", to=1)
    saved_model.put(
        "estimator_of_another_class",
        "estimators_",
        to=node(
            "NdArrayNode",
            "numpy",
            "ndarray",
            type="json",
            content=[listing(leaf(1))],
            shape=pair(leaf(1), leaf(1)),
        ),
    )
    saved_model.put(
        "estimators_flat",
        "estimators_",
        to=node(
            "NdArrayNode", "numpy", "ndarray", type="json", content=[leaf(1)], shape=pair(leaf(1))
        ),
    )
    saved_model.put("estimators_numbers", "estimators_", to=np.zeros((1, 1)))

    saved_model = Saved("kmeans", cluster.KMeans(2, n_init=1, random_state=0).fit(inputs))
    saved_model.put("centers_narrow", "cluster_centers_", to=np.zeros((2, 1)))
    saved_model.put("centers_none", "cluster_centers_", to=np.zeros((0, 3)))
    saved_model.put("centers_float32", "cluster_centers_", to=np.zeros((2, 3), "<f4"))
    saved_model = Saved("bisecting_kmeans", cluster.BisectingKMeans(3, random_state=0).fit(inputs))
    saved_model.put("center_narrow", "_bisecting_tree", "left", "center", to=np.zeros(1))
    saved_model.put("center_text", "_bisecting_tree", "left", "center", to="x")

    saved_model = Saved(
        "spline_transformer",
        preprocessing.SplineTransformer(n_knots=3, degree=2).fit(inputs[:, :1]),
    )
    saved_model.put("degree_other", "degree", to=5)
    saved_model.put("spline_none", "bsplines_", 0, to=None)

    saved_model = Saved("loss", pinball_loss())
    saved_model.put("argument_text", "args", to=pair(leaf("x")))
    saved_model.put("argument_nan", "args", to=pair(leaf(float("nan"))))
    saved_model.put("argument_past_end", "args", to=pair(leaf(5.0)))
    saved_model.put("arguments_many", "args", to=pair(*[leaf(0.5)] * 9))

    with contextlib.suppress(ImportError):
        from quantile_forest import RandomForestQuantileRegressor

        fitted = RandomForestQuantileRegressor(1, max_depth=2, random_state=0).fit(inputs, target)
        saved_model = Saved("quantile_forest", fitted)
        leaves = saved_model.value("forest_", "args", 1)
        for name, to in [("leaf_past_end", 24 * 10), ("leaf_negative", -1), ("leaf_huge", 1 << 40)]:
            changed = leaves.copy()
            changed[np.unravel_index(np.flatnonzero(changed)[0], changed.shape)] = to
            saved_model.put(name, "forest_", "args", 1, to=changed)
        targets = saved_model.value("forest_", "args", 0)
        saved_model.put(
            "targets_short", "forest_", "args", 0, to=np.ascontiguousarray(targets[:, :1])
        )
        saved_model.put("targets_flat", "forest_", "args", 0, to=targets.reshape(-1))
        saved_model.put("leaves_flat", "forest_", "args", 1, to=leaves.reshape(-1))


def more_estimator_cases():
    from sklearn import (
        cluster,
        decomposition,
        feature_extraction,
        linear_model,
        multiclass,
        preprocessing,
    )
    from sklearn._loss._loss import CyHuberLoss

    inputs, labels, target = rows()
    asarray = node("FunctionNode", "numpy", "asarray")

    saved_model = Saved(
        "kmeans_2", cluster.MiniBatchKMeans(2, n_init=1, random_state=0).fit(inputs)
    )
    saved_model.put("counts_short", "_counts", to=np.ones(1))
    saved_model.put("threads_0", "_n_threads", to=0)
    saved_model.put("threads_negative", "_n_threads", to=-(1 << 31))
    saved_model.put("threads_million", "_n_threads", to=1_000_000)
    saved_model.put("centers_integers", "cluster_centers_", to=np.ones((2, 3), "<i8"))
    saved_model.put("centers_flat", "cluster_centers_", to=np.ones(6))
    saved_model.put("features_none", "n_features_in_", to=None)
    saved_model.plus("hides_a_check", "_check_test_data", to=asarray)
    saved_model = Saved(
        "bisecting_kmeans_2", cluster.BisectingKMeans(3, random_state=0).fit(inputs)
    )
    path = ("_bisecting_tree",)
    saved_model.put("one_child", *path, "left", to=None)
    saved_model.put(
        "child_of_another_class",
        *path,
        "left",
        to=node("ObjectNode", "sklearn.pipeline", "Pipeline", content=mapping()),
    )
    saved_model.without("without_center", *path, "left", "center")
    twin = saved_model.part(*path, "right")
    saved_model.put("child_twice", *path, "left", to=twin)
    saved_model = Saved("feature_agglomeration", cluster.FeatureAgglomeration(2).fit(inputs))
    saved_model.element("label_past_end", "labels_", at=0, to=3)
    saved_model.element("label_huge", "labels_", at=0, to=1 << 40)
    saved_model.element("label_negative", "labels_", at=0, to=-1)
    saved_model.put("labels_short", "labels_", to=np.zeros(1, "<i8"))
    saved_model = Saved("hdbscan", cluster.HDBSCAN(min_cluster_size=4, copy=True).fit(inputs))
    saved_model.element(
        "node_past_end", "_single_linkage_tree_", at=0, to=1 << 40, field="left_node"
    )
    saved_model.element("node_negative", "_single_linkage_tree_", at=0, to=-1, field="right_node")
    saved_model.put("tree_of_numbers", "_single_linkage_tree_", to=np.zeros((4, 4)))
    saved_model = Saved(
        "birch_2",
        None,
        birch(cluster.Birch(threshold=0.8, branching_factor=3, n_clusters=None).fit(inputs[:10])),
    )
    saved_model.put("norms_two_dimensions", "_subcluster_norms", to=np.zeros((3, 1)))
    schema = json.loads(saved_model.text)
    todo = [schema]
    while todo:  # the last leaf is followed by itself
        here = todo.pop()
        held = here.get("content") if isinstance(here, dict) else None
        if (
            isinstance(held, dict)
            and isinstance(held.get("content"), dict)
            and "next_leaf_" in held["content"]
        ):
            after = held["content"]["next_leaf_"]
            if after.get("content") == "null":
                after.clear()
                after.update(
                    {
                        "__class__": "x",
                        "__module__": "x",
                        "__loader__": "CachedNode",
                        "__id__": here["__id__"],
                    }
                )
        todo.extend(
            here.values() if isinstance(here, dict) else here if isinstance(here, list) else []
        )
    assert schema != saved_model.schema
    saved_model.keep("chain_in_a_circle", schema, saved_model.entries)

    saved_model = Saved(
        "lda",
        decomposition.LatentDirichletAllocation(2, max_iter=1, random_state=0).fit(np.abs(inputs)),
    )
    saved_model.put("components_narrow", "components_", to=np.ones((2, 1)))
    saved_model.put("dirichlet_fewer", "exp_dirichlet_component_", to=np.ones((1, 3)))
    saved_model.put("components_integers", "components_", to=np.ones((2, 3), "<i8"))
    saved_model = Saved(
        "dictionary",
        decomposition.MiniBatchDictionaryLearning(2, max_iter=1, random_state=0).fit(inputs),
    )
    saved_model.put("components_narrow", "components_", to=np.ones((2, 1)))

    frame = np.array([["a", "x"], ["b", "x"], ["a", "y"], ["b", "z"]], dtype=object)
    encoder = preprocessing.OneHotEncoder(
        min_frequency=2, drop="first", handle_unknown="ignore"
    ).fit(np.tile(frame, (2, 1)))
    saved_model = Saved("one_hot", encoder)
    saved_model.put(
        "categories_fewer", "categories_", to=listing(saved_model.part("categories_", 0))
    )
    saved_model.put("categories_dict", "categories_", to=mapping())
    saved_model.put("categories_two_dimensions", "categories_", 0, to=np.zeros((2, 1)))
    saved_model.put("categories_complex", "categories_", 0, to=np.zeros(2, complex))
    saved_model.put("categories_unsorted", "categories_", 0, to=np.array([2.0, 1.0]))
    saved_model.put("infrequent_text", "_infrequent_enabled", to="yes")
    saved_model.put("infrequent_none", "_infrequent_indices", to=listing())
    saved_model.put("infrequent_past_end", "_infrequent_indices", 1, to=np.array([9]))
    saved_model.put(
        "mapping_past_end", "_default_to_infrequent_mappings", 1, to=np.array([0, 1, 9])
    )
    saved_model.put("outs_other", "_n_features_outs", to=listing(leaf(7), leaf(7)))
    saved_model.without("without_outs", "_n_features_outs")
    saved_model.put("dropped_numbers", "_drop_idx_after_grouping", to=np.zeros(2))
    saved_model.put("dropped_past_end", "_drop_idx_after_grouping", to=objects(leaf(9), leaf(0)))
    saved_model = Saved("polynomial", preprocessing.PolynomialFeatures(2).fit(inputs))
    saved_model.put("interaction_text", "interaction_only", to="no")
    saved_model.put("degree_huge", "_max_degree", to=1 << 62)
    saved_model.put("degree_12", "_max_degree", to=12)
    saved_model.put("degree_negative", "_min_degree", to=-(1 << 62))
    saved_model.put("degree_text", "_max_degree", to="2")

    saved_model = Saved("sgd", linear_model.SGDClassifier(random_state=0).fit(inputs, labels))
    saved_model.put("coefficients_narrow", "coef_", to=np.ones((3, 1)))
    saved_model.put("coefficients_fewer", "coef_", to=np.ones((1, 3)))
    saved_model.put("classes_a_number", "classes_", to=5)
    saved_model.plus("hides_a_check", "_validate_data", to=asarray)
    saved_model = Saved(
        "elastic_net",
        linear_model.ElasticNet(precompute=inputs.T @ inputs, fit_intercept=False).fit(
            inputs, target
        ),
    )
    saved_model.put("gram_narrow", "precompute", to=np.eye(2))
    saved_model.put("gram_flat", "precompute", to=np.ones(9))
    saved_model.put("coefficients_narrow", "coef_", to=np.ones(2))

    saved_model = Saved(
        "one_vs_rest",
        multiclass.OneVsRestClassifier(linear_model.LogisticRegression()).fit(
            inputs, np.column_stack([labels == 0, labels == 1])
        ),
    )
    saved_model.put("estimators_a_number", "estimators_", to=5)
    saved_model.put("estimator_of_two_columns", "estimators_", 0, "coef_", to=np.ones((3, 3)))

    saved_model = Saved("hasher", feature_extraction.FeatureHasher(n_features=8))
    saved_model.put("features_0", "n_features", to=0)
    saved_model.put("features_huge", "n_features", to=1 << 40)
    saved_model.put("features_negative", "n_features", to=-5)
    saved_model = Saved("loss_huber", CyHuberLoss(1.5))
    schema = json.loads(saved_model.text)
    schema["content"] = mapping(delta=leaf(1))
    saved_model.keep("state_of_its_own", schema, {})

    with contextlib.suppress(ImportError):
        from quantile_forest import RandomForestQuantileRegressor

        fitted = RandomForestQuantileRegressor(2, max_depth=2, random_state=0).fit(inputs, target)
        saved_model = Saved("quantile_forest_2", fitted)
        saved_model.put("default_nan", "default_quantiles", to=float("nan"))
        saved_model.put("estimators_tuple", "estimators_", to=pair())
        saved_model.put(
            "estimators_more", "estimators_", to=listing(*[saved_model.part("estimators_", 0)] * 3)
        )
        saved_model.put(
            "estimator_another",
            "estimators_",
            0,
            to=node("ObjectNode", "sklearn.pipeline", "Pipeline", content=mapping()),
        )
        saved_model.put("forest_none", "forest_", to=None)
        saved_model.put("train_samples_other", "n_train_samples_", to=7)
        targets = saved_model.value("forest_", "args", 0)
        saved_model.put("targets_nan", "forest_", "args", 0, to=np.full_like(targets, np.nan))
        leaves = saved_model.value("forest_", "args", 1)
        saved_model.put(
            "leaves_of_fewer_nodes", "forest_", "args", 1, to=np.ascontiguousarray(leaves[:, :2])
        )
        saved_model.put(
            "leaves_without_outputs",
            "forest_",
            "args",
            1,
            to=np.ascontiguousarray(leaves[:, :, :0]),
        )
        saved_model.put("sparse_flag", "forest_", "args", 3, to=True)
        saved_model.put("args_short", "forest_", "args", to=pair(leaf(1)))

    saved_model = Saved("random_state_2", np.random.RandomState(3))
    saved_model.put("key_of_zeros", "state", "key", to=np.zeros(624, "<u4"))
    called = node(
        "ConstructorFromReduceNode", "numpy.random.mtrand", "RandomState", content=pair(leaf(3))
    )
    saved_model.keep("called", whole(called), {})
    saved_model.keep(
        "without_its_loader",
        whole(node("ObjectNode", "numpy.random.mtrand", "RandomState", content=mapping())),
        {},
    )
    saved_model.keep(
        "bit_generator_alone",
        whole(node("ObjectNode", "numpy.random._mt19937", "MT19937", content=mapping())),
        {},
    )
    saved_model.keep(
        "seed_sequence_alone",
        whole(node("ObjectNode", "numpy.random.bit_generator", "SeedSequence", content=mapping())),
        {},
    )
    saved_model = Saved("generator_2", np.random.default_rng(3))
    saved_model.put("state_a_list", "bit_generator", "state", to=listing())
    schema = json.loads(saved_model.text)
    schema["content"]["seed_seq"] = listing()
    saved_model.keep("seed_a_list", schema, {})
