"""MLflow's page on pickle-free models: its examples run as they stand, with the import line changed."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

import nopickle
from nopickle.exceptions import UntrustedTypesError

EXAMPLES = Path(__file__).parents[2] / "examples"
SWITCH = "MLFLOW_ALLOW_PICKLE_DESERIALIZATION"

# The page's text (MLflow's documentation, "Pickle-Free Model format"), less its indentation, which the
# page does not show.
TREE = """
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
"""
CUSTOM = """
from numpy.random import randint
from sklearn.base import BaseEstimator, TransformerMixin
import pandas as pd
from sklearn.pipeline import Pipeline
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
"""

LIGHTGBM = """
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
"""

LOAD = """
    import sys
    model = mlflow.sklearn.load_model(f"models:/{mlflow.last_logged_model().model_id}"{trusted})
    print(type(model).__name__, end="")
"""


def run(example: str, folder: Path, after: str = "", **environment: str):
    """Run an example in a folder of its own, with what a user adds after it."""
    script = folder / "script.py"
    script.write_text((EXAMPLES / example).read_text() + after)
    ours = (SWITCH, "MLFLOW_TRACKING_URI", "NOPICKLE_HOME")
    kept = {name: value for name, value in os.environ.items() if name not in ours}
    return subprocess.run(
        [sys.executable, "-W", "ignore", script.name],
        cwd=folder,
        env={**kept, "PYTHONPATH": os.pathsep.join(filter(None, sys.path)), **environment},
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )


def plain(text: str) -> list[str]:
    """The lines of a program, less indentation, empty lines and its first docstring."""
    lines = [line.strip() for line in text.strip().splitlines()]
    return [line for line in lines if line and not line.startswith('"""')]


@pytest.mark.parametrize(
    ("example", "page"),
    [
        ("iris_tree.py", TREE),
        ("custom_transformer.py", CUSTOM),
        ("lightgbm_classifier.py", LIGHTGBM),
    ],
)
def test_the_examples_are_those_of_the_page_word_for_word(example, page):
    ours = plain((EXAMPLES / example).read_text())
    assert ours.count("import nopickle as mlflow") == 1
    ours.remove("import nopickle as mlflow")
    assert ours == plain(page)


@pytest.mark.parametrize("switch", [None, "false", "true"])
def test_the_tree_is_logged_and_loaded_whatever_the_switch_says(tmp_path, switch):
    environment = {} if switch is None else {SWITCH: switch}
    after = (
        LOAD.replace("    ", "")
        .replace("{trusted}", "")
        .replace(
            'print(type(model).__name__, end="")',
            "assert (model.predict(X) == y).all()\nprint(type(model).__name__, end='')",
        )
    )
    done = run("iris_tree.py", tmp_path, after, **environment)
    assert done.returncode == 0, done.stderr
    assert done.stdout == "DecisionTreeClassifier"
    assert (tmp_path / "nopickle.db").exists()
    assert list((tmp_path / "nopickle-artifacts").rglob("model.skops"))


@pytest.mark.parametrize("listed", [True, False])
@pytest.mark.parametrize("switch", [None, "false"])
def test_lightgbm_is_logged_and_loaded_with_and_without_the_list(tmp_path, switch, listed):
    example = (EXAMPLES / "lightgbm_classifier.py").read_text()
    start, end = example.index("        skops_trusted_types=["), example.index("    )\n")
    if not listed:
        example = example[:start] + example[end:]
    (tmp_path / "example.py").write_text(example)
    after = LOAD.replace("    ", "").replace("{trusted}", "").replace("sklearn.", "lightgbm.")
    after = after.replace(
        'print(type(model).__name__, end="")',
        "assert (loaded.predict_proba(X) == model.predict_proba(X)).all()\n"
        "print(type(loaded).__name__, end='')",
    ).replace("model = mlflow", "loaded = mlflow")
    environment = {} if switch is None else {SWITCH: switch}
    done = run(str(tmp_path / "example.py"), tmp_path, after, **environment)
    assert done.returncode == 0, done.stderr
    assert done.stdout.endswith("LGBMClassifier")


@pytest.mark.parametrize(
    ("switch", "trusted", "loads"),
    [
        (None, "", True),
        ("false", "", False),
        ("false", ', skops_trusted_types=["__main__.CustomTransformer"]', True),
    ],
)
def test_the_custom_transformer_loads_as_the_switch_and_the_loader_say(
    tmp_path, switch, trusted, loads
):
    environment = {} if switch is None else {SWITCH: switch}
    after = LOAD.replace("    ", "").replace("{trusted}", trusted)
    done = run("custom_transformer.py", tmp_path, after, **environment)
    if loads:
        assert done.returncode == 0, done.stderr
        assert done.stdout == "Pipeline"
    else:
        assert done.returncode == 1
        assert "UntrustedTypesError" in done.stderr
        assert "skops_trusted_types=['__main__.CustomTransformer']" in done.stderr


def test_without_the_list_the_custom_transformer_is_not_logged(tmp_path, monkeypatch):
    monkeypatch.setenv("NOPICKLE_HOME", str(tmp_path))
    from sklearn.base import BaseEstimator

    class Local(BaseEstimator):
        pass

    Local.__module__, Local.__qualname__ = __name__, "Local"
    monkeypatch.setattr(sys.modules[__name__], "Local", Local, raising=False)
    with nopickle.start_run() as run_, pytest.raises(UntrustedTypesError, match="Local"):
        nopickle.sklearn.log_model(Local(), name="model")
    assert not list(tmp_path.rglob("model.skops"))
    assert not list(tmp_path.rglob("MLmodel"))
    assert nopickle.get_run(run_.info.run_id).info.status == "FINISHED"
