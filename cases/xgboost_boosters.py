"""Make the XGBoost models of ``cases/boosters`` with the XGBoost that is installed.

    python cases/xgboost_boosters.py FOLDER [--all]

Each model is written three times: ``model.ubj``, ``model.json``, and the snapshot that ``Booster.__getstate__`` keeps.
Without ``--all`` only those that the repository keeps. Run it once with each version, in an environment of its own.
"""

from __future__ import annotations

import argparse
import warnings
from pathlib import Path

import numpy as np
import xgboost

VERSION = xgboost.__version__
# What is kept of each model: of every version, and of the newest one that was read.
KEPT = {
    "binary": "json snapshot ubj",
    "dart": "snapshot",
    "codes": "json snapshot",
    "linear_multi": "snapshot ubj",
    "multi": "snapshot",
    "multitree": "ubj",
    "none": "json",
    "pruned": "snapshot",
    "stopped": "json",
    "unbiased": "snapshot",
}
NEWEST = {"pandas": "json snapshot ubj", "multitree": "json snapshot ubj", "quantile": "snapshot"}

RNG = np.random.default_rng(0)
X = RNG.normal(size=(80, 4)).astype("float32")
X[RNG.random(X.shape) < 0.1] = np.nan
TWO = (np.nan_to_num(X[:, 0]) + np.nan_to_num(X[:, 1]) > 0).astype(int)
THREE = RNG.integers(0, 3, 80)
NUMBER = np.nan_to_num(X).sum(axis=1)
ABOVE = np.abs(NUMBER) + 0.1
BOTH = np.c_[NUMBER, -NUMBER]
QUERIES = {"qid": np.repeat(np.arange(8), 10)}
CODES = X.copy()
CODES[:, 1] = RNG.integers(0, 3, 80)
CODES[:, 2] = RNG.integers(0, 40, 80)
COLUMNS = {
    "feature_types": ["q", "c", "c", "float"],
    "feature_names": ["a", "b", 'c "q"', "\u00e9"],
    "enable_categorical": True,
}
UNBIASED = {
    "objective": "rank:ndcg",
    "lambdarank_unbiased": True,
    "lambdarank_pair_method": "topk",
    "lambdarank_num_pair_per_sample": 4,
}

# Parameters, target, rounds; then data of its own.
MODELS = {
    "absolute": ({"objective": "reg:absoluteerror"}, NUMBER, 3),
    "approx": ({"tree_method": "approx"}, NUMBER, 2),
    "binary": ({"objective": "binary:logistic"}, TWO, 3),
    "codes": (
        {"tree_method": "hist" if not VERSION.startswith("1.6") else "approx", "max_depth": 4},
        NUMBER + 3 * CODES[:, 1] + CODES[:, 2] % 7,
        3,
        CODES,
        COLUMNS,
    ),
    "const": ({}, NUMBER * 0 + 1, 1),
    "cox": ({"objective": "survival:cox"}, ABOVE, 3),
    "dart": ({"booster": "dart", "rate_drop": 0.5}, NUMBER, 5),
    "forest": (
        {"num_parallel_tree": 4, "subsample": 0.5, "colsample_bynode": 0.5, "eta": 1},
        NUMBER,
        1,
    ),
    "gamma": ({"objective": "reg:gamma"}, ABOVE, 3),
    "hinge": ({"objective": "binary:hinge"}, TWO, 3),
    "linear": ({"booster": "gblinear"}, NUMBER, 3),
    "linear_multi": (
        {
            "booster": "gblinear",
            "objective": "multi:softprob",
            "num_class": 3,
            "updater": "coord_descent",
        },
        THREE,
        3,
    ),
    "logitraw": ({"objective": "binary:logitraw"}, TWO, 3),
    "map": ({"objective": "rank:map"}, TWO, 3, X, QUERIES),
    "monotone": (
        {"monotone_constraints": "(1,0,0,-1)", "interaction_constraints": "[[0,1],[2,3]]"},
        NUMBER,
        3,
    ),
    "multi": (
        {
            "objective": "multi:softprob",
            "num_class": 3,
            "eval_metric": ["mlogloss", "merror"],
            "max_depth": 2,
        },
        THREE,
        2,
    ),
    "multitarget": ({"objective": "reg:squarederror"}, BOTH, 3),
    "multitree": ({"multi_strategy": "multi_output_tree", "tree_method": "hist"}, BOTH, 3),
    "none": ({}, NUMBER, 0),
    "pairwise": ({"objective": "rank:pairwise"}, THREE, 3, X, QUERIES),
    "poisson": ({"objective": "count:poisson"}, ABOVE, 3),
    "pruned": ({"tree_method": "exact", "gamma": 5, "max_depth": 5}, NUMBER, 3),
    "pseudohuber": ({"objective": "reg:pseudohubererror", "eval_metric": "mphe"}, NUMBER, 3),
    "quantile": (
        {"objective": "reg:quantileerror", "quantile_alpha": [0.1, 0.5, 0.9], "max_depth": 2},
        NUMBER,
        2,
    ),
    "rank": ({"objective": "rank:ndcg", "eval_metric": "ndcg@3"}, THREE, 3, X, QUERIES),
    "regression": ({"objective": "reg:squarederror"}, NUMBER, 3),
    "softmax": ({"objective": "multi:softmax", "num_class": 3}, THREE, 2),
    "squaredlog": ({"objective": "reg:squaredlogerror"}, ABOVE, 3),
    "tweedie": ({"objective": "reg:tweedie"}, ABOVE, 3),
    "unbiased": (UNBIASED, TWO, 3, X, QUERIES),
}


def trained(params, target, rounds, data=X, columns=None, **arguments):
    """Train on one matrix."""
    matrix = xgboost.DMatrix(data, target, **(columns or {}))
    params = {"max_depth": 3, "seed": 1, "nthread": 1, **params}
    return xgboost.train(params, matrix, rounds, **arguments)


def stopped():
    """One that stopped early, with an attribute of its own."""
    held_out = (xgboost.DMatrix(X[:20], TWO[::-1][:20]), "v")
    params = {"objective": "binary:logistic", "eval_metric": ["auc", "logloss", "error@0.3"]}
    booster = trained(params, TWO, 6, evals=[held_out], early_stopping_rounds=2, verbose_eval=False)
    booster.set_attr(note='a "note"\n\t\u00e9')
    return booster


def aft():
    """Survival times between bounds."""
    matrix = xgboost.DMatrix(X)
    matrix.set_float_info("label_lower_bound", ABOVE + 1)
    matrix.set_float_info("label_upper_bound", ABOVE + 2)
    return xgboost.train({"objective": "survival:aft", "nthread": 1}, matrix, 2)


def pandas():
    """Columns of a DataFrame; from 3.1 on their categories are part of the model."""
    import pandas

    frame = pandas.DataFrame(
        {
            "a": X[:, 0],
            "b": pandas.Categorical(np.array(["x", "y", "z\u00e9"])[CODES[:, 1].astype(int)]),
            "c": pandas.Categorical(CODES[:, 2].astype(int)),
            "d": X[:, 3] > 0,
        }
    )
    target = NUMBER + 3 * CODES[:, 1] + CODES[:, 2] % 7
    params = {"tree_method": "hist", "max_depth": 4}
    return trained(params, target, 3, frame, {"enable_categorical": True})


def custom():
    """An objective of the user's own."""
    params = {"disable_default_eval_metric": True}
    return trained(
        params, NUMBER, 3, obj=lambda found, data: (found - data.get_label(), np.ones_like(found))
    )


def refreshed():
    """Trees that were updated."""
    params = {"process_type": "update", "updater": "refresh,prune", "refresh_leaf": True}
    before = trained({"objective": "reg:squarederror"}, NUMBER, 3)
    return trained(params, NUMBER, 3, xgb_model=before)


OTHERS = {
    "aft": aft,
    "custom": custom,
    "pandas": pandas,
    "refreshed": refreshed,
    "stopped": stopped,
}


def main() -> None:
    """Write the models."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--all", action="store_true", help="write every model in every way")
    options = parser.parse_args()
    options.folder.mkdir(parents=True, exist_ok=True)
    kept = {**KEPT, **(NEWEST if VERSION == "3.2.0" else {})}
    makers = {
        **{name: lambda row=row: trained(*row) for name, row in MODELS.items()},
        **OTHERS,
    }
    for name, make in sorted(makers.items()):
        endings = "json snapshot ubj" if options.all else kept.get(name, "")
        if not endings:
            continue
        try:
            booster = make()
        except (AttributeError, ValueError, xgboost.core.XGBoostError) as error:
            print(f"without {name}: {str(error).splitlines()[0]}")
            continue
        for ending in endings.split():
            path = options.folder / f"xgboost_{VERSION}_{name}.{ending}"
            if ending == "snapshot":
                path.write_bytes(booster.__getstate__()["handle"])
            else:
                booster.save_model(path)


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    main()
