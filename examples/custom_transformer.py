"""The second example of MLflow's page on pickle-free models; only the import line is nopickle's."""

from numpy.random import randint
from sklearn.base import BaseEstimator, TransformerMixin
import pandas as pd
from sklearn.pipeline import Pipeline

import nopickle as mlflow


class CustomTransformer(BaseEstimator, TransformerMixin):
    def fit(self, X, y=None):
        return self

    def transform(self, X, y=None):
        # Perform arbitrary transformation
        X["random_int"] = randint(0, 10, X.shape[0])
        return X


df = pd.DataFrame({"a": [1, 2, 3], "b": [4, 5, 6], "c": [7, 8, 9]})

pipeline = Pipeline(steps=[("use_custom_transformer", CustomTransformer())])

# Custom classes must be marked as trusted for skops
with mlflow.start_run():
    mlflow.sklearn.log_model(
        pipeline,
        name="model",
        serialization_format="skops",
        skops_trusted_types=["__main__.CustomTransformer"],
    )
