"""Decision trees, and what holds them."""

from __future__ import annotations

import json
import re

import numpy as np

from .parts import leaf, listing, mapping, node, objects, pair
from .saved import Saved, dumped, rows, taken


def tree_cases():
    from sklearn.tree import DecisionTreeClassifier

    inputs, labels, _ = rows()
    saved_model = Saved(
        "tree", DecisionTreeClassifier(max_depth=3, random_state=0).fit(inputs, labels)
    )
    nodes = ("tree_", "nodes")
    values = saved_model.value(*nodes)
    count = len(values)
    leaf_at = int(np.flatnonzero(values["left_child"] == -1)[0])
    inner = [at for at in range(count) if values["left_child"][at] != -1]
    for name, at, field, to in [
        ("child_past_end", 0, "left_child", count),
        ("child_far_past_end", 0, "right_child", 1 << 40),
        ("child_negative", 0, "right_child", -2),
        ("child_very_negative", 0, "left_child", -(1 << 62)),
        ("child_is_its_parent", 0, "left_child", 0),
        ("child_before_its_parent", inner[1], "right_child", 0),
        ("child_of_two_parents", inner[1], "left_child", int(values["right_child"][0])),
        ("leaf_on_one_side", 0, "right_child", -1),
        ("feature_past_end", 0, "feature", 3),
        ("feature_far_past_end", 0, "feature", 1 << 50),
        ("feature_negative", 0, "feature", -1),
        ("feature_of_a_leaf", leaf_at, "feature", 7),
        ("children_of_a_leaf", leaf_at, "right_child", 1),
    ]:
        saved_model.element(name, *nodes, at=at, to=to, field=field)
    saved_model.put("nodes_short", *nodes, to=values[:-1])
    saved_model.put("nodes_long", *nodes, to=np.concatenate([values, values[-1:]]))
    saved_model.put("nodes_empty", *nodes, to=values[:0])
    saved_model.put("nodes_two_dimensions", *nodes, to=values.reshape(1, -1))
    saved_model.put("nodes_of_numbers", *nodes, to=np.zeros(count))
    saved_model.put(
        "nodes_without_a_field",
        *nodes,
        to=np.zeros(count, [(name, values.dtype[name]) for name in values.dtype.names[:-1]]),
    )
    narrow = [
        (name, "<i4" if name == "left_child" else values.dtype[name]) for name in values.dtype.names
    ]
    saved_model.put("nodes_narrow_child", *nodes, to=values.astype(narrow))
    saved_model.put("nodes_big_endian", *nodes, to=values.astype(values.dtype.newbyteorder(">")))
    saved_model.put("nodes_a_list", *nodes, to=listing())
    outputs = saved_model.value("tree_", "values")
    saved_model.put("values_short", "tree_", "values", to=outputs[:-1])
    saved_model.put("values_other_outputs", "tree_", "values", to=outputs.reshape(count, 3, 1))
    saved_model.put("values_other_classes", "tree_", "values", to=outputs[:, :, :2].copy())
    saved_model.put("values_flat", "tree_", "values", to=outputs.reshape(-1))
    saved_model.put("values_float32", "tree_", "values", to=outputs.astype("<f4"))
    saved_model.put("node_count_high", "tree_", "node_count", to=count + 1)
    saved_model.put("node_count_low", "tree_", "node_count", to=1)
    saved_model.put("node_count_negative", "tree_", "node_count", to=-1)
    saved_model.put("node_count_huge", "tree_", "node_count", to=1 << 62)
    saved_model.put("node_count_text", "tree_", "node_count", to="7")
    saved_model.put("max_depth_low", "tree_", "max_depth", to=1)
    saved_model.put("max_depth_negative", "tree_", "max_depth", to=-1)
    saved_model.put("max_depth_huge", "tree_", "max_depth", to=1 << 62)
    for key in ("nodes", "values", "node_count", "max_depth"):
        saved_model.without(f"without_{key}", "tree_", key)
    saved_model.put("n_features_low", "tree_", "args", 0, to=1)
    saved_model.put("n_features_high", "tree_", "args", 0, to=1 << 30)
    saved_model.put("n_features_negative", "tree_", "args", 0, to=-1)
    saved_model.put("n_features_text", "tree_", "args", 0, to="3")
    saved_model.put("n_classes_other", "tree_", "args", 1, to=np.array([2], dtype="<i8"))
    saved_model.put("n_classes_negative", "tree_", "args", 1, to=np.array([-3], dtype="<i8"))
    saved_model.put("n_classes_huge", "tree_", "args", 1, to=np.array([1 << 62], dtype="<i8"))
    saved_model.put("n_classes_short", "tree_", "args", 1, to=np.array([], dtype="<i8"))
    saved_model.put("n_classes_float", "tree_", "args", 1, to=np.array([3.0]))
    saved_model.put("n_outputs_other", "tree_", "args", 2, to=2)
    saved_model.put("n_outputs_negative", "tree_", "args", 2, to=-1)
    saved_model.put("n_outputs_huge", "tree_", "args", 2, to=1 << 62)
    saved_model.put("args_short", "tree_", "args", to=pair(leaf(3)))
    saved_model.put("estimator_fewer_features", "n_features_in_", to=2)
    saved_model.put("estimator_tree_is_none", "tree_", to=None)
    saved_model.put(
        "estimator_tree_is_an_estimator",
        "tree_",
        to=node(
            "ObjectNode", "sklearn.linear_model._logistic", "LogisticRegression", content=mapping()
        ),
    )


def hist_cases():
    from sklearn.ensemble import HistGradientBoostingRegressor

    inputs, labels, target = rows()
    inputs = np.column_stack([inputs[:, 0], labels])
    fitted = HistGradientBoostingRegressor(
        max_iter=2,
        min_samples_leaf=2,
        max_leaf_nodes=4,
        categorical_features=[1],
        learning_rate=0.5,
        random_state=0,
    ).fit(
        np.tile(inputs, (2, 1)), np.tile(target + 9.0 * (labels == 1), 2)
    )  # a category splits from 10 rows on
    saved_model = Saved("hist_gradient_boosting", fitted)
    which = next(
        at
        for at in range(2)
        if saved_model.value("_predictors", at, 0, "nodes")["is_categorical"].any()
    )
    base = ("_predictors", which, 0)
    nodes = (*base, "nodes")
    values = saved_model.value(*nodes)
    count = len(values)
    inner = int(np.flatnonzero(values["is_leaf"] == 0)[0])
    category = int(np.flatnonzero(values["is_categorical"])[0])
    leaf_at = int(np.flatnonzero(values["is_leaf"])[0])
    for name, at, field, to in [
        ("child_past_end", inner, "left", count),
        ("child_far_past_end", inner, "right", 4_000_000_000),
        ("child_is_its_parent", inner, "left", inner),
        ("child_is_the_root", inner, "right", 0),
        ("feature_past_end", inner, "feature_idx", 2),
        ("feature_negative", inner, "feature_idx", -1),
        ("leaf_that_is_none", leaf_at, "is_leaf", 0),
        ("leaf_mark_of_7", leaf_at, "is_leaf", 7),
        ("bitset_past_end", category, "bitset_idx", 90),
        ("category_mark_of_7", category, "is_categorical", 7),
    ]:
        saved_model.element(name, *nodes, at=at, to=to, field=field)
    saved_model.put("nodes_empty", *nodes, to=values[:0])
    saved_model.put("nodes_short", *nodes, to=values[:-1])
    saved_model.put("nodes_two_dimensions", *nodes, to=values.reshape(1, -1))
    saved_model.put("nodes_of_numbers", *nodes, to=np.zeros(count))
    for field in ("raw_left_cat_bitsets", "binned_left_cat_bitsets"):
        bits = saved_model.value(*base, field)
        saved_model.put(f"{field}_empty", *base, field, to=bits[:0])
        saved_model.put(f"{field}_narrow", *base, field, to=bits[:, :2].copy())
        saved_model.put(f"{field}_float", *base, field, to=bits.astype("<f4"))
    saved_model.put("features_fewer", "_n_features", to=1)
    saved_model.put("features_in_fewer", "n_features_in_", to=1)
    saved_model.put("predictor_another_class", "_predictors", which, 0, to=leaf(1))
    saved_model.put("bitsets_of_mapper_short", "_bin_mapper", "bin_thresholds_", to=listing())


def more_tree_cases():
    from sklearn.ensemble import (
        AdaBoostRegressor,
        GradientBoostingClassifier,
        GradientBoostingRegressor,
    )
    from sklearn.tree import DecisionTreeRegressor

    inputs, labels, target = rows()
    saved_model = Saved(
        "tree_regressor", DecisionTreeRegressor(max_depth=2, random_state=0).fit(inputs, target)
    )
    values = saved_model.value("tree_", "nodes")
    last = int(np.flatnonzero(values["left_child"] != -1)[-1])
    saved_model.element(
        "node_of_two_parents",
        "tree_",
        "nodes",
        at=last,
        to=int(values["left_child"][last]),
        field="right_child",
    )
    saved_model.plus(
        "hides_a_check", "_validate_X_predict", to=node("FunctionNode", "numpy", "asarray")
    )
    saved_model.plus(
        "hides_a_class",
        "__class__",
        to=node("TypeNode", "sklearn.tree._classes", "DecisionTreeRegressor"),
    )
    saved_model.put("state_a_list", "tree_", to=saved_model.part("tree_") | {"content": listing()})
    saved_model.put(
        "state_not_a_dict",
        "tree_",
        to=node("ObjectNode", "sklearn.tree._tree", "Tree", content=mapping()),
    )
    saved_model.put("nodes_of_objects", "tree_", "nodes", to=objects(leaf(1)))

    saved_model = Saved(
        "gradient_boosting_2",
        GradientBoostingClassifier(n_estimators=1, max_depth=1, random_state=0).fit(inputs, labels),
    )
    saved_model.put("init_none", "init_", to=None)
    saved_model.put("init_zero", "init_", to="zero")
    saved_model.put("init_a_number", "init_", to=5)
    saved_model.without("without_init", "init_")
    estimator = node("ObjectNode", "sklearn.pipeline", "Pipeline", content=mapping(steps=listing()))
    saved_model.put("init_unknown", "init_", to=estimator)
    saved_model.put("init_of_fewer_classes", "init_", "n_classes_", to=np.int64(2))
    saved_model.put("loss_none", "_loss", to=None)
    saved_model.put("loss_a_number", "_loss", to=5)
    saved_model.put("link_none", "_loss", "link", to=None)
    saved_model.put(
        "link_another",
        "_loss",
        "link",
        to=node("ObjectNode", "sklearn.pipeline", "Pipeline", content=mapping()),
    )
    tree = saved_model.part("estimators_", 0, 0)
    saved_model.put("estimators_none", "estimators_", to=objects(shape=(0, 3)))
    saved_model.put(
        "estimators_more", "estimators_", to=objects(listing(*[tree] * 5), shape=(1, 5))
    )
    saved_model.put(
        "estimators_lists",
        "estimators_",
        to=objects(listing(listing(), listing(), listing()), shape=(1, 3)),
    )
    saved_model.put("tree_missing", "estimators_", 0, 1, "tree_", to=None)
    saved_model.plus(
        "hides_raw_predict", "_raw_predict", to=node("FunctionNode", "numpy", "asarray")
    )
    narrow = GradientBoostingRegressor(n_estimators=2, max_depth=2, random_state=0).fit(
        inputs, target
    )
    saved_model = Saved("gradient_boosting_3", narrow)
    first = saved_model.part("estimators_", 0, 0)
    wide = Saved.__new__(Saved)
    wide.folder, wide.entries = "gradient_boosting_3", saved_model.entries
    wide.schema = json.loads(saved_model.text)
    other = GradientBoostingRegressor(n_estimators=1, max_depth=2, random_state=0).fit(
        inputs[:, :1], target
    )
    schema, entries = taken(dumped(other))
    text = json.dumps(schema["content"]["content"]["estimators_"]["content"][0]["content"][0])
    moved = {f"other-{name}": data for name, data in entries.items()}
    text = re.sub(r'"file": "', '"file": "other-', text)
    text = re.sub(r'"__id__": (\d+)', lambda found: f'"__id__": {int(found[1]) + 5_000_000}', text)
    saved_model.entries = {**saved_model.entries, **moved}
    saved_model.put("first_tree_narrower", "estimators_", 0, 0, to=json.loads(text))
    assert first

    saved_model = Saved(
        "ada_boost", AdaBoostRegressor(n_estimators=1, random_state=0).fit(inputs, target)
    )
    saved_model.put("tree_fewer_features", "estimators_", 0, "n_features_in_", to=2)


def more_hist_cases():
    from sklearn.ensemble import HistGradientBoostingRegressor

    inputs, labels, _ = rows()
    inputs = np.column_stack([inputs[:, 0], labels])
    fitted = HistGradientBoostingRegressor(
        max_iter=1, min_samples_leaf=2, max_leaf_nodes=3, categorical_features=[1], random_state=0
    )
    fitted.fit(np.tile(inputs, (2, 1)), np.tile(9.0 * (labels == 1), 2))
    saved_model = Saved("hist_gradient_boosting_2", fitted)
    nodes = saved_model.value("_predictors", 0, 0, "nodes")
    inner = int(np.flatnonzero(nodes["is_leaf"] == 0)[0])
    flags = saved_model.value("_bin_mapper", "is_categorical_")
    saved_model.put("no_category", "_bin_mapper", "is_categorical_", to=np.zeros_like(flags))
    saved_model.put("categories_short", "_bin_mapper", "is_categorical_", to=flags[:0])
    saved_model.put("bins_none", "_bin_mapper", "n_bins_non_missing_", to=None)
    saved_model.put("thresholds_text", "_bin_mapper", "bin_thresholds_", 0, to="x")
    saved_model.put(
        "thresholds_float32", "_bin_mapper", "bin_thresholds_", 0, to=np.zeros(3, "<f4")
    )
    saved_model.put("threads_million", "_bin_mapper", "n_threads", to=1_000_000)
    saved_model.put("mapper_none", "_bin_mapper", to=None)
    saved_model.plus("in_fit", "_in_fit", to=leaf(True))
    saved_model.put("predictors_a_dict", "_predictors", to=mapping())
    saved_model.put(
        "predictors_flat", "_predictors", to=listing(saved_model.part("_predictors", 0, 0))
    )
    saved_model.put("preprocessor_none", "_preprocessor", to=None)
    saved_model.put(
        "preprocessor_another",
        "_preprocessor",
        to=node("ObjectNode", "sklearn.pipeline", "Pipeline", content=mapping()),
    )
    saved_model.put("preprocessor_drops", "_preprocessor", "transformers_", 1, 1, to="drop")
    saved_model.put(
        "preprocessor_without_transformers", "_preprocessor", "transformers_", to=listing()
    )
    saved_model.element(
        "category_mark_on_a_number",
        "_predictors",
        0,
        0,
        "nodes",
        at=inner,
        to=0,
        field="feature_idx",
    )
    saved_model.plus("hides_a_check", "_raw_predict", to=node("FunctionNode", "numpy", "asarray"))


def tree_alone_cases():
    """A tree without an estimator that is looked at before it."""
    from sklearn.tree import DecisionTreeClassifier

    inputs, labels, _ = rows()
    fitted = DecisionTreeClassifier(max_depth=2, random_state=0).fit(inputs, labels)
    saved_model = Saved("tree_alone", fitted.tree_)
    saved_model.put("n_features_text", "args", 0, to="3")
    saved_model.put("n_features_negative", "args", 0, to=-1)
    saved_model.put("n_classes_float", "args", 1, to=np.array([3.0]))
    saved_model.put("n_outputs_huge", "args", 2, to=1 << 62)
    saved_model.put("args_short", "args", to=pair(leaf(3)))
