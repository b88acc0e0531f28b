"""Write model folders with the MLflow that is installed, into ``cases/models/mlflow_<version>_<name>``.

    python cases/mlflow_folders.py

Nothing here uses nopickle. Each folder is what ``save_model`` of ``mlflow.catboost``, ``mlflow.lightgbm`` or
``mlflow.sklearn`` writes, with ``case.toml``, ``inputs.json`` and ``expected.json`` beside it: the predictions of
``mlflow.pyfunc.load_model`` for the inputs. Models are small, and their training is seeded. Times and ids in
``MLmodel`` are those of the run.
Written with MLflow 2.22.0 (scikit-learn 1.6.1) and 3.17.2 (scikit-learn 1.9.1).
"""

from __future__ import annotations

import importlib.util
import json
import shutil
import sys
import tempfile
import warnings
from pathlib import Path

import mlflow
import numpy as np
import pandas as pd
import sklearn
from mlflow.models import infer_signature
from sklearn.datasets import load_iris
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.tree import DecisionTreeClassifier

HERE = Path(__file__).parent
VERSION = mlflow.__version__
NEW = int(VERSION.split(".")[0]) >= 3

CODE = '''"""Code that comes with a model."""

from sklearn.base import BaseEstimator, TransformerMixin


class Doubler(TransformerMixin, BaseEstimator):
    """Twice the input."""

    def fit(self, X, y=None):
        return self

    def transform(self, X):
        return X * 2
'''


def iris():
    data = load_iris(as_frame=True)
    return data.data, data.target


def models():
    """Name, format, estimator, and the further arguments of ``save_model``."""
    X, y = iris()
    tree = DecisionTreeClassifier(max_depth=2, random_state=0).fit(X, y)
    scaled = make_pipeline(StandardScaler(), LogisticRegression()).fit(X, y)
    columns = {"signature": infer_signature(X, tree.predict(X)), "input_example": X.head(3)}
    arrays = LinearRegression().fit(X.to_numpy(), y.to_numpy())
    tensors = {
        "signature": infer_signature(X.to_numpy(), arrays.predict(X.to_numpy())),
        "input_example": X.to_numpy()[:2],
    }
    params = infer_signature(X, tree.predict(X), params={"threshold": 0.5, "names": ["a", "b"]})
    yield "tree_cloudpickle", "cloudpickle", tree, columns
    yield (
        "tree_pickle",
        "pickle",
        tree,
        {"signature": params, "metadata": {"owner": "tests", "n": 3}},
    )
    yield "regression_pickle", "pickle", arrays, tensors
    if NEW:
        types = {
            "skops_trusted_types": [
                "sklearn.tree._tree.Tree",
                "sklearn._loss.link.Interval",
                "sklearn._loss.link.LogitLink",
                "sklearn._loss.link.MultinomialLogit",
                "sklearn._loss.loss.HalfMultinomialLoss",
            ]
        }
        yield "pipeline_skops", "skops", scaled, columns | types
        yield "tree_skops", "skops", tree, columns | types
    yield "plain_cloudpickle", "cloudpickle", scaled, {}


def write(name, kind, model, arguments):
    folder = HERE / "models" / f"mlflow_{VERSION}_{name}"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    target = folder / "model"
    mlflow.sklearn.save_model(model, str(target), serialization_format=kind, **arguments)
    finish(folder, target, kind, [type(model).__module__ + "." + type(model).__qualname__])


def finish(folder, target, kind, covers):
    X, _ = iris()
    inputs = X.iloc[::30]
    loaded = mlflow.pyfunc.load_model(str(target))
    schema = loaded.metadata.get_input_schema()
    tensor = schema is not None and schema.is_tensor_spec()
    predictions = loaded.predict(inputs.to_numpy() if tensor else inputs)
    split = inputs.to_dict(orient="split")
    given = (
        {"inputs": inputs.to_numpy().tolist()}
        if tensor
        else {"dataframe_split": {key: split[key] for key in ("columns", "data")}}
    )
    (folder / "inputs.json").write_text(json.dumps(given) + "\n")
    (folder / "expected.json").write_text(json.dumps(np.asarray(predictions).tolist()) + "\n")
    (folder / "case.toml").write_text(
        f'made_by = "MLflow {VERSION}, scikit-learn {sklearn.__version__}"\n'
        f'serialization_format = "{kind}"\n'
        f"covers = {json.dumps(covers)}\n"
    )


def with_code(temporary):
    """A pipeline with a transformer of the user's own module, which ``code_paths`` brings along."""
    module = temporary / "doubler.py"
    module.write_text(CODE)
    sys.path.insert(0, str(temporary))
    from doubler import Doubler

    X, y = iris()
    model = make_pipeline(Doubler(), DecisionTreeClassifier(max_depth=2, random_state=0)).fit(X, y)
    arguments = {
        "code_paths": [str(module)],
        "signature": infer_signature(X, model.predict(X)),
        "input_example": X.head(2),
    }
    yield "code_cloudpickle", "cloudpickle", model, arguments
    if NEW:
        trusted = {"skops_trusted_types": ["doubler.Doubler", "sklearn.tree._tree.Tree"]}
        yield "code_skops", "skops", model, arguments | trusted


def boosters():
    import lightgbm

    X, y = iris()
    model = lightgbm.LGBMClassifier(n_estimators=3, num_leaves=4, verbose=-1).fit(X, y)
    folder = HERE / "models" / f"mlflow_{VERSION}_lightgbm_booster"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    signature = infer_signature(X, model.predict(X))
    mlflow.lightgbm.save_model(model.booster_, str(folder / "model"), signature=signature)
    finish(folder, folder / "model", "lightgbm", ["lightgbm.basic.Booster"])


def catboosts():
    import catboost

    X, y = iris()
    model = catboost.CatBoostClassifier(
        iterations=3, depth=3, verbose=0, random_seed=0, thread_count=1, allow_writing_files=False
    ).fit(X, y)
    folder = HERE / "models" / f"mlflow_{VERSION}_catboost"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    signature = infer_signature(X, model.predict(X))
    mlflow.catboost.save_model(model, str(folder / "model"), signature=signature)
    finish(folder, folder / "model", "catboost", ["catboost.core.CatBoostClassifier"])


def main():
    warnings.simplefilter("ignore")
    pd.set_option("mode.copy_on_write", True)
    with tempfile.TemporaryDirectory() as temporary:
        for row in [*models(), *with_code(Path(temporary))]:
            write(*row)
    for library, make in (("catboost", catboosts), ("lightgbm", boosters)):
        if importlib.util.find_spec(library):
            make()


if __name__ == "__main__":
    main()
