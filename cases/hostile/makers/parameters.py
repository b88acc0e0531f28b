"""Parameters that start workers, are evaluated, are patterns, or name a folder."""

from __future__ import annotations

import numpy as np

from .parts import leaf, listing, mapping, node
from .saved import Saved, rows, vectorizer


def parameter_cases():
    from sklearn import (
        compose,
        feature_extraction,
        linear_model,
        model_selection,
        pipeline,
        preprocessing,
    )

    inputs, _labels, target = rows()

    fitted = linear_model.LinearRegression(n_jobs=2).fit(inputs, target)
    saved_model = Saved("workers", fitted)
    for name, value in {
        "most": 1024,
        "all": -1,
        "one_more": 1025,
        "huge": 1 << 40,
        "past_64_bits": 1 << 70,
        "float": 1e9,
        "nan": float("nan"),
        "text": "100_000",
        "numpy": np.int64(4000),
        "array": np.array([4000]),
    }.items():
        saved_model.put(name, "n_jobs", to=value)
    made = preprocessing.FunctionTransformer(np.log1p, kw_args={"n_jobs": 2})
    saved_model = Saved("workers_of_a_function", made)
    saved_model.put("huge", "kw_args", "n_jobs", to=1 << 40)

    made = model_selection.GridSearchCV(
        pipeline.make_pipeline(linear_model.LinearRegression()), {"memory": [None]}
    )
    saved_model = Saved("search", made)
    for name, value in {
        "dispatch_arithmetic": "1.5 * (n_jobs + 1)",
        "dispatch_power": "9**9**9",
        "dispatch_call": "__import__('os').getpid()",
        "dispatch_other_name": "n_job",
        "dispatch_numpy": np.str_("9**9**9"),
    }.items():
        saved_model.put(name, "pre_dispatch", to=value)
    saved_model.put("memory_path", "param_grid", "memory", to=listing(leaf("cache")))
    inner = mapping(pipeline__memory=listing(leaf("cache")))
    saved_model.put("memory_path_of_a_step", "param_grid", to=listing(inner))

    made = pipeline.make_pipeline(linear_model.LinearRegression().fit(inputs, target))
    saved_model = Saved("pipeline", made)
    saved_model.put("memory_path", "memory", to="cache")
    saved_model.put("memory_path_numpy", "memory", to=np.str_("cache"))
    memory = node("ObjectNode", "joblib.memory", "Memory", content=mapping(location=leaf("cache")))
    saved_model.put("memory_object", "memory", to=memory)

    saved_model = Saved("column_selector", compose.make_column_selector(pattern="^a"))
    saved_model.put("pattern_nested", "pattern", to=r"(\w+)+$")
    saved_model.put("pattern_long", "pattern", to="a" * 1001)
    saved_model.put("pattern_list", "pattern", to=listing(leaf("a")))

    made = vectorizer(feature_extraction.text.CountVectorizer())
    saved_model = Saved("token_pattern", made)
    saved_model.put("numpy", "token_pattern", to=np.str_(r"(\w+)+$"))
    saved_model.put("surrogate", "token_pattern", to=leaf("(\ud800|\\w+)+$"))
    saved_model.put("list", "token_pattern", to=listing(leaf(r"(\w+)+$")))
