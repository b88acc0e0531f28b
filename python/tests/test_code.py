"""The code that a model brings runs under a private package of its own, from the bytes that were read."""

import copy
import importlib
import importlib.resources
import importlib.util
import os
import pathlib
import pickle
import py_compile
import subprocess
import sys
import textwrap

import numpy as np
import pytest
from sklearn.base import clone

import nopickle as mlflow
from nopickle import _code, _rust
from nopickle.exceptions import (
    UnsupportedModelError,
    UnsupportedTypeError,
    UntrustedTypesError,
)

SWITCH = "MLFLOW_ALLOW_PICKLE_DESERIALIZATION"

pytestmark = pytest.mark.filterwarnings("ignore:.*is what is imported under that name")


def save(tmp_path, name, files, make, **more):
    """A model that brings `files`; `make` is the expression that makes it where they are in reach."""
    source, path = tmp_path / f"{name}_source", tmp_path / name
    for file, text in files.items():
        (source / file).parent.mkdir(parents=True, exist_ok=True)
        (source / file).write_text(textwrap.dedent(text))
    tops = [str(source / top) for top in sorted({file.split("/")[0] for file in files})]
    program = f"""
        import sys
        sys.path.insert(0, {str(source)!r})
        import nopickle
        {make}
        nopickle.sklearn.save_model(
            model, {str(path)!r}, code_paths={tops!r}, **{more!r}
        )
    """
    subprocess.run(
        [sys.executable, "-W", "ignore", "-c", textwrap.dedent(program)],
        check=True,
        env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"},
    )
    return path


FIRST = """
    class Scaler:
        def predict(self, rows):
            return [{value} for _ in rows]
"""


def one(tmp_path, name, module, value, **more):
    """A model of one module that predicts a number."""
    return save(
        tmp_path,
        name,
        {f"{module}.py": FIRST.format(value=value)},
        f"import {module}; model = {module}.Scaler()",
        **{"skops_trusted_types": [f"{module}.Scaler"], **more},
    )


def keys():
    """The names in `sys.modules` that are no private package's."""
    return {name for name in sys.modules if not name.startswith(_code.PRIVATE)}


def test_models_whose_modules_have_one_name_each_see_their_own(tmp_path):
    one(tmp_path, "a", "code_of_two", 1)
    one(tmp_path, "b", "code_of_two", 2)
    first = mlflow.sklearn.load_model(str(tmp_path / "a"))
    second = mlflow.sklearn.load_model(str(tmp_path / "b"))
    again = mlflow.sklearn.load_model(str(tmp_path / "a"))
    assert (first.predict([0]), second.predict([0]), again.predict([0])) == ([1], [2], [1])
    assert type(first) is type(again), "equal code is one package"
    assert type(first) is not type(second)
    assert type(first).__qualname__ == type(second).__qualname__ == "Scaler"
    with pytest.raises(UnsupportedTypeError, match="both bring a module code_of_two"):
        mlflow.skops.dumps([first, second])


PACKAGE = {
    "code_of_package/__init__.py": "from .deep.leaf import LEAF\n",
    "code_of_package/deep/__init__.py": "",
    "code_of_package/deep/leaf.py": "import code_of_helper as helper\nLEAF = helper.NUMBER + 1\n",
    "code_of_package/deep/later.py": "NUMBER = 100\n",
    "code_of_package/names.txt": "seven",
    "code_of_helper.py": "NUMBER = 6\n",
    "code_of_space/inner.py": "VALUE = 5\n",
    "code_of_model.py": """
        import colorsys, importlib, importlib.resources, os
        import code_of_package.deep.leaf, code_of_space.inner as inner
        import code_of_package.deep.leaf as leaf
        from code_of_package import LEAF, deep

        class Model:
            def predict(self, rows):
                import code_of_package.deep.later
                from code_of_package.deep.later import NUMBER
                assert code_of_package.deep.leaf is leaf is deep.leaf
                assert colorsys.__name__ == "colorsys"
                assert importlib.import_module(".deep.later", code_of_package.__name__).NUMBER == NUMBER
                place = os.path.join(os.path.dirname(code_of_package.__file__), "names.txt")
                with open(place) as file:
                    text = file.read()
                assert importlib.resources.files(code_of_package).joinpath("names.txt").read_text() == text
                return [LEAF, inner.VALUE, NUMBER, text]
    """,
}


def test_nothing_of_a_model_is_found_under_the_names_that_it_chose(tmp_path):
    path = save(
        tmp_path,
        "model",
        PACKAGE,
        "import code_of_model; model = code_of_model.Model()",
        skops_trusted_types=["code_of_model.Model"],
    )
    modules, search, path_hooks = keys(), list(sys.path), list(sys.path_hooks)
    model = mlflow.sklearn.load_model(str(path))
    assert model.predict([0]) == [7, 5, 100, "seven"]
    assert (sys.path, sys.path_hooks) == (search, path_hooks)
    added = {name for name in keys() - modules if name.split(".")[0].startswith("code_of_")}
    assert not added
    for name in ("code_of_model", "code_of_package", "code_of_helper", "code_of_space"):
        with pytest.raises(ModuleNotFoundError):
            importlib.import_module(name)
    assert (
        importlib.util.find_spec("colorsys").origin == importlib.import_module("colorsys").__file__
    )
    package = type(model).__module__.split(".")[0]
    assert {name for name in sys.modules if name.startswith(package + ".")} == {
        f"{package}.{name}"
        for name in (
            "code_of_model",
            "code_of_helper",
            "code_of_package",
            "code_of_package.deep",
            "code_of_package.deep.leaf",
            "code_of_package.deep.later",
            "code_of_space",
            "code_of_space.inner",
        )
    }
    for name, module in list(sys.modules.items()):
        if name.startswith(package):
            assert getattr(module, "__path__", []) == [], "no module is looked for on the disk"
    assert not list(path.rglob("__pycache__")), "nothing is written beside the model"


def test_what_was_read_is_what_runs(tmp_path):
    path = one(tmp_path, "model", "code_of_change", 1)
    file = path / "code/code_of_change.py"
    opened = _rust.open_flavor(str(path), "sklearn", [])
    place, digest, sources = opened.code
    # Between the decision and the import.
    file.write_text("raise SystemExit('the changed file was run')\n")
    (path / "code/code_of_added.py").write_text("raise SystemExit('the added file was run')\n")
    code = _code.bring(str(place), digest, sources)
    assert opened.take(code.package, code.modules).predict([0]) == [1]
    assert code.modules == ["code_of_change"]
    with pytest.raises(ModuleNotFoundError):
        importlib.import_module(f"{code.package}.code_of_added")
    # And the other way round: what is changed before is other code.
    (path / "code/code_of_added.py").unlink()
    file.write_text(textwrap.dedent(FIRST.format(value=3)))
    assert mlflow.sklearn.load_model(str(path)).predict([0]) == [3]


def test_compiled_code_beside_a_source_is_not_run(tmp_path):
    path = one(tmp_path, "model", "code_of_cache", 1)
    source = path / "code/code_of_cache.py"
    evil = tmp_path / "code_of_cache.py"
    evil.write_text("raise SystemExit('the cache was run')\n")
    # As Python names it, and valid whatever the source's date is.
    cache = pathlib.Path(importlib.util.cache_from_source(str(source)))
    mode = py_compile.PycInvalidationMode.UNCHECKED_HASH
    py_compile.compile(str(evil), str(cache), doraise=True, invalidation_mode=mode)
    assert mlflow.sklearn.load_model(str(path)).predict([0]) == [1]


LAZY = {
    "code_of_pickle.py": """
        class Scaler:
            def predict(self, rows):
                return [4 for _ in rows]
    """
}


@pytest.mark.parametrize("serialization_format", ["pickle", "cloudpickle"])
def test_a_pickle_finds_the_code_of_its_model(tmp_path, serialization_format):
    path = save(
        tmp_path,
        "model",
        LAZY,
        "import code_of_pickle; model = code_of_pickle.Scaler()",
        serialization_format=serialization_format,
    )
    before = keys()
    loaded = mlflow.sklearn.load_model(str(path))
    assert loaded.predict([0]) == [4]
    assert "code_of_pickle" not in keys() - before
    assert type(loaded).__module__.endswith(".code_of_pickle")


def test_a_function_in_a_pickle_imports_the_code_of_its_model(tmp_path):
    make = (
        "import code_of_pickle\n"
        "        class Model:\n"
        "            def predict(self, rows):\n"
        "                import code_of_pickle as later\n"
        "                def inner():\n"
        "                    from code_of_pickle import Scaler\n"
        "                    return Scaler\n"
        "                assert later is code_of_pickle and inner() is later.Scaler\n"
        "                return later.Scaler().predict(rows)\n"
        "        model = Model()"
    )
    path = save(tmp_path, "model", LAZY, make, serialization_format="cloudpickle")
    assert mlflow.sklearn.load_model(str(path)).predict([0]) == [4]
    assert "code_of_pickle" not in sys.modules


TRANSFORMER = {
    "code_of_dump.py": """
        from sklearn.base import BaseEstimator, TransformerMixin

        def double(X):
            return X * 2

        class Twice(TransformerMixin, BaseEstimator):
            def __init__(self, function=double):
                self.function = function
            def fit(self, X, y=None):
                return self
            def transform(self, X):
                return self.function(X)
    """
}


def test_a_model_with_code_of_its_own_is_saved_again(tmp_path):
    names = ["code_of_dump.Twice", "code_of_dump.double"]
    path = save(
        tmp_path,
        "model",
        TRANSFORMER,
        "import code_of_dump; model = code_of_dump.Twice()",
        skops_trusted_types=names,
    )
    rows = np.arange(3.0)
    model = mlflow.sklearn.load_model(str(path), skops_trusted_types=names)
    for other in (copy.deepcopy(model), clone(model), pickle.loads(pickle.dumps(model))):
        assert (other.transform(rows) == rows * 2).all()
        assert type(other) is type(model)
    assert mlflow.skops.get_untrusted_types(data=mlflow.skops.dumps(model)) == names
    again = tmp_path / "again"
    code = tmp_path / "model_source/code_of_dump.py"
    mlflow.sklearn.save_model(model, str(again), code_paths=[str(code)], skops_trusted_types=names)
    loaded = mlflow.sklearn.load_model(str(again), skops_trusted_types=names)
    assert type(loaded) is type(model)
    assert (again / "model.skops").read_bytes() == (path / "model.skops").read_bytes()
    # Without its model nobody finds the code.
    with pytest.raises(UnsupportedModelError, match="can't be imported"):
        mlflow.skops.load(path / "model.skops", trusted=names)
    for serialization_format in ("pickle", "cloudpickle"):
        with pytest.raises(UnsupportedTypeError, match="code that a model brought"):
            mlflow.sklearn.save_model(
                model, str(tmp_path / "p"), serialization_format=serialization_format
            )


def test_a_trusted_name_is_the_installed_one(tmp_path):
    """A model's own `colorsys`, and its own `sklearn`, are not what those names mean."""
    files = {
        "colorsys.py": "raise SystemExit('the model took its place')\n",
        "sklearn/__init__.py": "raise SystemExit('the model took its place')\n",
    }
    source = tmp_path / "source"
    for file, text in files.items():
        (source / file).parent.mkdir(parents=True, exist_ok=True)
        (source / file).write_text(text)
    from sklearn.preprocessing import FunctionTransformer

    mlflow.sklearn.save_model(
        FunctionTransformer(),
        str(tmp_path / "model"),
        code_paths=[str(source / "colorsys.py"), str(source / "sklearn")],
    )
    loaded = mlflow.sklearn.load_model(str(tmp_path / "model"))
    assert type(loaded) is FunctionTransformer


def test_code_of_a_model_is_not_used_with_the_switch_off(tmp_path, monkeypatch):
    path = one(tmp_path, "model", "code_of_switch", 1)
    monkeypatch.setenv(SWITCH, "false")
    with pytest.raises(UntrustedTypesError):
        mlflow.sklearn.load_model(str(path))
    with pytest.raises(UnsupportedModelError):
        mlflow.sklearn.load_model(str(path), skops_trusted_types=["code_of_switch.Scaler"])
    assert not any(name.endswith(".code_of_switch") for name in sys.modules)
