"""Trees of nearest neighbours, distances, and estimators that search."""

from __future__ import annotations

import json
import re

import numpy as np

from .parts import leaf, listing, mapping, node, pair, whole
from .saved import Saved, dumped, rows, taken


def neighbour_cases():
    from sklearn.neighbors import BallTree, KDTree

    inputs = rows()[0][:12]
    for folder, tree in (
        ("kd_tree", KDTree(inputs, leaf_size=2)),
        ("ball_tree", BallTree(inputs, leaf_size=2)),
    ):
        saved_model = Saved(folder, tree)
        # __getstate__: data, idx_array, node_data, node_bounds, leaf_size, n_levels, n_nodes, n_trims, n_leaves,
        # n_splits, n_calls, metric, sample_weight
        index, data, bounds = saved_model.value(1), saved_model.value(2), saved_model.value(3)
        for name, to in [
            ("index_past_end", 12),
            ("index_negative", -1),
            ("index_huge", 1 << 50),
            ("index_twice", int(index[1])),
        ]:
            saved_model.element(name, 1, at=0, to=to)
        saved_model.put("index_short", 1, to=index[:-1])
        saved_model.put("index_float", 1, to=index.astype(float))
        for name, at, field, to in [
            ("start_past_end", 1, "idx_start", 13),
            ("start_negative", 1, "idx_start", -1),
            ("end_past_end", 1, "idx_end", 1 << 40),
            ("end_before_start", 1, "idx_end", -5),
            ("start_after_end", 2, "idx_start", 12),
            ("leaf_mark_of_0", len(data) - 1, "is_leaf", 0),
        ]:
            saved_model.element(f"node_{name}", 2, at=at, to=to, field=field)
        saved_model.put("nodes_short", 2, to=data[:-1])
        saved_model.put("nodes_empty", 2, to=data[:0])
        saved_model.put("nodes_of_numbers", 2, to=np.zeros(len(data)))
        saved_model.put("bounds_short", 3, to=bounds[:, :-1].copy())
        saved_model.put("bounds_narrow", 3, to=bounds[:, :, :1].copy())
        saved_model.put("bounds_empty", 3, to=bounds[:, :0].copy())
        saved_model.put("bounds_float32", 3, to=bounds.astype("<f4"))
        saved_model.put("data_short", 0, to=saved_model.value(0)[:-1])
        saved_model.put("data_narrow", 0, to=np.ascontiguousarray(saved_model.value(0)[:, :1]))
        saved_model.put("data_empty", 0, to=saved_model.value(0)[:0])
        saved_model.put("data_float32", 0, to=saved_model.value(0).astype("<f4"))
        saved_model.put("leaf_size_0", 4, to=0)
        saved_model.put("leaf_size_negative", 4, to=-1)
        saved_model.put("levels_other", 5, to=40)
        saved_model.put("levels_negative", 5, to=-1)
        saved_model.put("nodes_count_other", 6, to=1 << 40)
        saved_model.put("nodes_count_negative", 6, to=-1)
        saved_model.put("metric_none", 11, to=None)
        saved_model.put(
            "metric_an_estimator",
            11,
            to=node(
                "ObjectNode",
                "sklearn.linear_model._logistic",
                "LogisticRegression",
                content=mapping(),
            ),
        )
        saved_model.put("weights_short", 12, to=np.ones(3))
    from sklearn.neighbors import KNeighborsRegressor

    inputs, _, target = rows()
    saved_model = Saved(
        "neighbours", KNeighborsRegressor(3, algorithm="kd_tree", leaf_size=5).fit(inputs, target)
    )
    saved_model.put("tree_is_a_number", "_tree", to=5)
    saved_model.put("tree_is_a_list", "_tree", to=listing())


def metric_cases():
    from sklearn.metrics import DistanceMetric

    saved_model = Saved("distance", DistanceMetric.get_metric("mahalanobis", VI=np.eye(3)))
    saved_model.put("matrix_short", 2, to=np.eye(2))
    saved_model.put("matrix_flat", 2, to=np.zeros(9))
    saved_model.put("matrix_not_square", 2, to=np.zeros((3, 1)))
    saved_model.put("matrix_integers", 2, to=np.eye(3, dtype="<i8"))
    saved_model.put("vector_two_dimensions", 1, to=np.zeros((3, 3)))
    saved_model.put("power_text", 0, to="2")
    saved_model = Saved(
        "distance_standardised", DistanceMetric.get_metric("seuclidean", V=np.ones(3))
    )
    saved_model.put("vector_float32", 1, to=np.ones(3, "<f4"))
    saved_model.put("vector_none", 1, to=None)


def more_neighbour_cases():
    from sklearn.metrics import DistanceMetric
    from sklearn.neighbors import (
        KDTree,
        KNeighborsClassifier,
        KNeighborsRegressor,
        NearestNeighbors,
    )

    inputs, labels, target = rows()
    saved_model = Saved("kd_tree_2", KDTree(inputs[:12], leaf_size=2))
    saved_model.put("counter_huge", 7, to=1 << 40)
    saved_model.put("counter_text", 10, to="1")
    data = saved_model.value(2)
    saved_model.element("root_cut", 2, at=0, to=11, field="idx_end")
    saved_model.element("leaf_mark_of_7", 2, at=0, to=7, field="is_leaf")
    saved_model.put("data_flat", 0, to=saved_model.value(0).reshape(-1))
    saved_model.put(
        "metric_of_32_bits",
        11,
        to=node(
            "ObjectNode",
            "sklearn.metrics._dist_metrics",
            "EuclideanDistance32",
            content=saved_model.part(
                11,
            )["content"],
        ),
    )
    assert len(data) > 1
    schema = json.loads(saved_model.text)
    del schema["content"]["content"][12]
    saved_model.keep("state_of_12", schema, saved_model.entries)
    schema = json.loads(saved_model.text)
    schema["content"] = listing(*schema["content"]["content"])
    saved_model.keep("state_a_list", schema, saved_model.entries)
    schema = json.loads(saved_model.text)
    called = {
        **node("ConstructorFromReduceNode", "sklearn.neighbors._kd_tree", "KDTree"),
        "content": pair(schema["content"]["content"][0]),
    }
    saved_model.keep("called", whole(called), saved_model.entries)
    bare = {key: value for key, value in schema.items() if key != "content"}
    saved_model.keep("without_state", bare, {})

    saved_model = Saved("distance_2", DistanceMetric.get_metric("minkowski", p=3))
    saved_model.put("power_nan", 0, to=float("nan"))
    saved_model.put("power_0", 0, to=0.0)
    schema = json.loads(saved_model.text)
    del schema["content"]["content"][2]
    saved_model.keep("state_of_2", schema, saved_model.entries)
    schema = json.loads(saved_model.text)
    schema["__loader__"], schema["content"] = "ConstructorFromReduceNode", pair(leaf(3))
    saved_model.keep("called", schema, {})
    wide = DistanceMetric.get_metric("mahalanobis", V=np.eye(2))
    from sklearn.neighbors import BallTree

    saved_model = Saved(
        "ball_tree_2", BallTree(inputs[:12], leaf_size=2, metric="mahalanobis", V=np.eye(3))
    )
    schema, entries = taken(dumped(wide))
    text = re.sub(r'"file": "', '"file": "other-', json.dumps({**schema, "protocol": 0}))
    text = re.sub(r'"__id__": (\d+)', lambda found: f'"__id__": {int(found[1]) + 5_000_000}', text)
    metric = json.loads(text)
    del metric["protocol"], metric["_skops_version"]
    saved_model.entries = {
        **saved_model.entries,
        **{f"other-{name}": data for name, data in entries.items()},
    }
    saved_model.put("metric_of_other_width", 11, to=metric)

    fitted = KNeighborsClassifier(3, algorithm="kd_tree", leaf_size=5).fit(inputs, labels)
    saved_model = Saved("neighbours_classifier", fitted)
    saved_model.put("labels_short", "_y", to=saved_model.value("_y")[:-1])
    saved_model.element("label_past_end", "_y", at=0, to=3)
    saved_model.element("label_negative", "_y", at=0, to=-1)
    saved_model.element("label_huge", "_y", at=0, to=1 << 60)
    saved_model.put("labels_float", "_y", to=saved_model.value("_y").astype(float))
    saved_model.without("without_labels", "_y")
    saved_model.without("without_classes", "classes_")
    saved_model.put("classes_two_dimensions", "classes_", to=np.zeros((3, 1)))
    saved_model.put("rows_0", "n_samples_fit_", to=0)
    saved_model.put("rows_other", "n_samples_fit_", to=7)
    saved_model.put("rows_text", "n_samples_fit_", to="24")
    saved_model.put("method_unknown", "_fit_method", to="spam")
    saved_model.put("method_brute", "_fit_method", to="brute")
    saved_model.put("neighbours_million", "n_neighbors", to=1_000_000_000)
    saved_model.put("metric_arguments_a_list", "effective_metric_params_", to=listing())
    saved_model.put(
        "metric_arguments_norms", "effective_metric_params_", to=mapping(X_norm_squared=leaf(1))
    )
    saved_model.plus("hides_kneighbors", "kneighbors", to=node("FunctionNode", "numpy", "asarray"))

    fitted = KNeighborsRegressor(3, algorithm="brute", metric="minkowski", p=3).fit(inputs, target)
    saved_model = Saved("neighbours_brute", fitted)
    saved_model.put("data_flat", "_fit_X", to=inputs.reshape(-1))
    saved_model.put("data_short", "_fit_X", to=inputs[:5])
    saved_model.put("data_narrow", "_fit_X", to=np.ascontiguousarray(inputs[:, :2]))
    saved_model.put("data_nan", "_fit_X", to=np.full_like(inputs, np.nan))
    saved_model.put("data_huge", "_fit_X", to=np.full_like(inputs, 1e300))
    saved_model.put("data_none", "_fit_X", to=None)
    saved_model.without("without_data", "_fit_X")
    saved_model.put("power_nan", "effective_metric_params_", "p", to=float("nan"))
    saved_model.put("metric_precomputed", "effective_metric_", to="precomputed")
    saved_model.put("metric_function", "effective_metric_", to=node("FunctionNode", "numpy", "add"))
    near = NearestNeighbors(algorithm="brute", metric="precomputed").fit(
        np.abs(inputs[:6] @ inputs[:6].T)
    )
    saved_model = Saved("neighbours_precomputed", near)
    saved_model.put("data_not_square", "_fit_X", to=np.ones((6, 2)))
    angle = NearestNeighbors(algorithm="brute", metric="cosine").fit(inputs)
    saved_model = Saved("neighbours_cosine", angle)
    changed = inputs.copy()
    changed[0] = 0
    saved_model.put("row_of_zeros", "_fit_X", to=changed)
