"""The LightGBM example of MLflow's page on pickle-free models; only the import line is nopickle's."""

import nopickle as mlflow
from lightgbm import LGBMClassifier
from sklearn.datasets import load_iris

X, y = load_iris(return_X_y=True)
model = LGBMClassifier(objective="multiclass", random_state=42).fit(X, y)

with mlflow.start_run():
    mlflow.lightgbm.log_model(
        model,
        name="model",
        serialization_format="skops",
        skops_trusted_types=[
            "collections.OrderedDict",
            "lightgbm.basic.Booster",
            "lightgbm.sklearn.LGBMClassifier",
        ],
    )
