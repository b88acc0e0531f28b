"""The first example of MLflow's page on pickle-free models; only the import line is nopickle's."""

import nopickle as mlflow
from sklearn.datasets import load_iris
from sklearn.tree import DecisionTreeClassifier

X, y = load_iris(return_X_y=True)
model = DecisionTreeClassifier().fit(X, y)

with mlflow.start_run():
    mlflow.sklearn.log_model(
        model,
        name="model",
        serialization_format="skops",
    )
