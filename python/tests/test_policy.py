"""Policies: what a file, the switch and arguments decide, on every way in."""

from __future__ import annotations

import ast
import hashlib
import json
import os
import pathlib
import pickle
import re
import subprocess
import sys

import lightgbm
import pytest
from sklearn.datasets import load_iris
from sklearn.linear_model import LogisticRegression

import nopickle as mlflow
from nopickle import _flavors, _rust, exceptions
from nopickle.exceptions import (
    MalformedModelError,
    MlflowException,
    PolicyError,
    UnsupportedModelError,
    UntrustedTypesError,
    UnverifiedModelError,
)

X, y = load_iris(return_X_y=True)
SWITCH = "MLFLOW_ALLOW_PICKLE_DESERIALIZATION"
ROOT = pathlib.Path(__file__).parents[2]

# A module that says when it is imported.
MARKED = """
import os
open(os.environ["NOPICKLE_TEST_MARKER"], "w").close()


class Thing:
    def __init__(self):
        self.coef_ = 1.0

    def predict(self, rows):
        return [self.coef_ for _ in rows]
"""


@pytest.fixture(autouse=True)
def clean(tmp_path, monkeypatch):
    for name in (SWITCH, "NOPICKLE_POLICY", "NOPICKLE_TRUSTED", "MLFLOW_TRACKING_URI"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("NOPICKLE_HOME", str(tmp_path / "home"))
    (tmp_path / "home").mkdir()


@pytest.fixture
def marker(tmp_path, monkeypatch):
    """The path of a file that is there once ``marked_module`` was imported; and a way to forget that module."""
    path = tmp_path / "imported"
    modules = tmp_path / "modules"
    modules.mkdir()
    (modules / "marked_module.py").write_text(MARKED)
    monkeypatch.syspath_prepend(str(modules))
    monkeypatch.setenv("NOPICKLE_TEST_MARKER", str(path))
    yield path
    sys.modules.pop("marked_module", None)


def thing(marker):
    """An object of ``marked_module.Thing``; afterwards nobody has imported the module."""
    import marked_module

    made = marked_module.Thing()
    return made


def forget(marker):
    sys.modules.pop("marked_module", None)
    marker.unlink(missing_ok=True)


@pytest.fixture
def folder(tmp_path, marker):
    """A model folder with an object of ``marked_module.Thing``, which it asks for."""
    path = str(tmp_path / "model")
    mlflow.sklearn.save_model(thing(marker), path, skops_trusted_types=["marked_module.Thing"])
    forget(marker)
    return path


def policy(tmp_path, text, name="policy.toml"):
    path = tmp_path / name
    path.write_text(text)
    return str(path)


GRANT = '[[types]]\nname = "marked_module.Thing"\nrole = "instance"\nreason = "a test"\n'


def test_with_the_switch_off_an_argument_or_a_policy_grants_a_name(
    tmp_path, folder, marker, monkeypatch
):
    monkeypatch.setenv(SWITCH, "false")
    with pytest.raises(UntrustedTypesError) as refused:
        mlflow.sklearn.load_model(folder)
    assert refused.value.names == ["marked_module.Thing"]
    assert not marker.exists()
    granted = policy(tmp_path, GRANT)
    for arguments in (
        {"skops_trusted_types": ["marked_module.Thing"]},
        {"policy": granted},
        {"policy": pathlib.Path(granted)},
        {"policy": mlflow.Policy(granted)},
    ):
        assert mlflow.sklearn.load_model(folder, **arguments).predict([0]) == [1.0]
        assert mlflow.pyfunc.load_model(folder, **arguments).predict([0]) == [1.0]
    monkeypatch.setenv("NOPICKLE_POLICY", granted)
    assert mlflow.sklearn.load_model(folder).predict([0]) == [1.0]
    file = os.path.join(folder, "model.skops")
    assert mlflow.skops.load(file).predict([0]) == [1.0]
    assert mlflow.skops.get_untrusted_types(file=file) == []
    monkeypatch.delenv("NOPICKLE_POLICY")
    assert mlflow.skops.get_untrusted_types(file=file) == ["marked_module.Thing"]
    assert mlflow.skops.load(file, policy=granted).predict([0]) == [1.0]
    data = pathlib.Path(file).read_bytes()
    assert mlflow.skops.loads(data, policy=granted).predict([0]) == [1.0]
    monkeypatch.setenv("NOPICKLE_TRUSTED", "other.Name, marked_module.Thing")
    assert mlflow.sklearn.load_model(folder).predict([0]) == [1.0]
    monkeypatch.delenv("NOPICKLE_TRUSTED")
    monkeypatch.delenv(SWITCH)
    assert mlflow.sklearn.load_model(folder).predict([0]) == [1.0], "as documented: a request"


def test_a_refusal_has_the_lines_that_grant_the_name(tmp_path, folder, marker, monkeypatch):
    monkeypatch.setenv(SWITCH, "false")
    with pytest.raises(UntrustedTypesError) as refused:
        mlflow.sklearn.load_model(folder)
    text = str(refused.value)
    assert text.startswith("untrusted names: marked_module.Thing (schema.json@")
    assert "skops_trusted_types=['marked_module.Thing']" in text
    assert text.endswith(refused.value.entries.rstrip())
    again = pickle.loads(pickle.dumps(refused.value))
    assert (str(again), again.names, again.entries) == (
        text,
        refused.value.names,
        refused.value.entries,
    )
    written = policy(tmp_path, refused.value.entries)
    assert mlflow.sklearn.load_model(folder, policy=written).predict([0]) == [1.0]
    forget(marker)
    with pytest.raises(UntrustedTypesError, match=r"pass trusted=\['marked_module.Thing'\]"):
        mlflow.skops.load(os.path.join(folder, "model.skops"))
    assert not marker.exists()


def test_an_entry_that_expired_grants_nothing_and_the_refusal_says_so(tmp_path, folder, marker):
    old = policy(tmp_path, GRANT + "until = 2020-02-29\n")
    with pytest.raises(UntrustedTypesError, match="expired after 2020-02-29"):
        mlflow.sklearn.load_model(folder, policy=old)
    assert not marker.exists()
    later = policy(tmp_path, GRANT + "until = 9999-12-31\n")
    assert mlflow.sklearn.load_model(folder, policy=later).predict([0]) == [1.0]


def test_arguments_and_requests_add_to_a_policy_only_where_it_says_so(tmp_path, folder, marker):
    closed = policy(tmp_path, "")
    for arguments in ({}, {"skops_trusted_types": ["marked_module.Thing"]}):
        with pytest.raises(UntrustedTypesError) as refused:
            mlflow.sklearn.load_model(folder, policy=closed, **arguments)
        assert f"add to {closed}:" in str(refused.value)
        assert "pass skops_trusted_types" not in str(refused.value)
    assert "does not say extend = true" in str(refused.value)
    assert not marker.exists()
    opened = policy(tmp_path, "extend = true\n")
    assert mlflow.sklearn.load_model(folder, policy=opened).predict([0]) == [1.0]


def test_a_policy_of_the_process_is_not_replaced_by_an_argument(tmp_path, folder, monkeypatch):
    granted = policy(tmp_path, GRANT)
    monkeypatch.setenv("NOPICKLE_POLICY", policy(tmp_path, "", "own.toml"))
    with pytest.raises(PolicyError, match="does not say extend = true"):
        mlflow.sklearn.load_model(folder, policy=granted)
    monkeypatch.setenv("NOPICKLE_POLICY", policy(tmp_path, "extend = true", "own.toml"))
    assert mlflow.sklearn.load_model(folder, policy=granted).predict([0]) == [1.0]


def ways_in(path):
    """Every way in for a model folder of scikit-learn, by name."""
    file = os.path.join(path, "model.skops")
    data = pathlib.Path(file).read_bytes()
    return {
        "sklearn.load_model": lambda: mlflow.sklearn.load_model(path),
        "pyfunc.load_model": lambda: mlflow.pyfunc.load_model(path),
        "skops.load": lambda: mlflow.skops.load(file),
        "skops.loads": lambda: mlflow.skops.loads(data),
        "skops.get_untrusted_types": lambda: mlflow.skops.get_untrusted_types(file=file),
    }


def all_refuse(ways, error, words=""):
    """Each way in raises the error, and no other."""
    for name, way in ways.items():
        with pytest.raises(error) as refused:
            way()
        assert re.search(words, str(refused.value)), name


@pytest.mark.parametrize("text", ["colour = 1", "pickle =", "[[types]]\nname = 'x'", None])
def test_a_policy_that_can_not_be_used_refuses_everything(tmp_path, text, monkeypatch):
    path = str(tmp_path / "model")
    mlflow.sklearn.save_model(LogisticRegression(max_iter=5000).fit(X, y), path)
    broken = str(tmp_path / "missing.toml") if text is None else policy(tmp_path, text)
    monkeypatch.setenv("NOPICKLE_POLICY", broken)
    all_refuse(ways_in(path), PolicyError, "malformed policy")
    run = [sys.executable, "-m", "nopickle", "audit", os.path.join(path, "model.skops")]
    done = subprocess.run(run, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "malformed policy" in done.stderr


def test_a_switch_with_another_value_is_an_error_on_every_way_in(tmp_path, monkeypatch):
    path = str(tmp_path / "model")
    mlflow.sklearn.save_model(LogisticRegression(max_iter=5000).fit(X, y), path)
    monkeypatch.setenv(SWITCH, "maybe")
    all_refuse(ways_in(path), MlflowException, "'maybe'; it can be true, 1, yes")


def test_a_policy_refuses_pickles_whatever_the_switch_says(tmp_path, monkeypatch):
    path = str(tmp_path / "model")
    mlflow.sklearn.save_model(
        LogisticRegression(max_iter=5000).fit(X, y), path, serialization_format="cloudpickle"
    )
    denied = policy(tmp_path, 'pickle = "deny"\n')
    monkeypatch.setenv(SWITCH, "true")
    with pytest.raises(
        MlflowException, match=r'is a pickle, and .*policy.toml says pickle = "deny"'
    ):
        mlflow.sklearn.load_model(path, policy=denied)
    assert mlflow.Policy(denied).pickle is False
    assert mlflow.Policy().pickle is True
    allowed = policy(tmp_path, 'pickle = "allow"\n')
    monkeypatch.setenv(SWITCH, "false")
    with pytest.raises(MlflowException, match=f"is a pickle, and {SWITCH} is false"):
        mlflow.sklearn.load_model(path, policy=allowed)
    read = mlflow.Policy(allowed)
    monkeypatch.setenv(SWITCH, "true")
    assert (
        mlflow.sklearn.load_model(path, policy=read).predict(X)
        == mlflow.sklearn.load_model(path).predict(X)
    ).all()


def digest(path):
    return hashlib.sha256(pathlib.Path(path).read_bytes()).hexdigest()


def test_a_digest_holds_a_file_of_a_model(tmp_path):
    path = tmp_path / "model"
    mlflow.sklearn.save_model(LogisticRegression(max_iter=5000).fit(X, y), str(path))
    pinned = policy(
        tmp_path, f'[[digests]]\nsha256 = "{digest(path / "model.skops")}"\npath = "model.skops"\n'
    )
    assert mlflow.sklearn.load_model(str(path), policy=pinned).predict(X).shape == (150,)
    assert mlflow.skops.load(path / "model.skops", policy=pinned).predict(X).shape == (150,)
    mlflow.skops.dump(LogisticRegression(C=9.0, max_iter=5000).fit(X, y), path / "model.skops")
    for way in (
        lambda: mlflow.sklearn.load_model(str(path), policy=pinned),
        lambda: mlflow.pyfunc.load_model(str(path), policy=pinned),
        lambda: mlflow.skops.load(path / "model.skops", policy=pinned),
    ):
        with pytest.raises(UnverifiedModelError, match="its digest is not one that the policy has"):
            way()
    opened = _rust.open_flavor(str(path), "sklearn", [])
    assert opened.digests() == {name: digest(path / name) for name in ("MLmodel", "model.skops")}


CODE = """
class Scaler:
    def predict(self, rows):
        return [{value} for _ in rows]
"""


def with_code(tmp_path, module):
    """A model whose class stands in the code that it brings."""
    source = tmp_path / "source"
    source.mkdir()
    (source / f"{module}.py").write_text(CODE.format(value=7))
    sys.path.insert(0, str(source))
    try:
        made = __import__(module).Scaler()
        path = tmp_path / "model"
        mlflow.sklearn.save_model(
            made,
            str(path),
            code_paths=[str(source / f"{module}.py")],
            skops_trusted_types=[f"{module}.Scaler"],
        )
    finally:
        sys.path.remove(str(source))
        del sys.modules[module]
    return path


def test_code_is_used_by_the_policy_alone(tmp_path, monkeypatch):
    path = with_code(tmp_path, "brought_by_digest")
    name = "code/brought_by_digest.py"
    grant = '[[types]]\nname = "brought_by_digest.Scaler"\nrole = "instance"\n'
    pin = f'[[digests]]\nsha256 = "{digest(path / name)}"\n'
    denied = policy(tmp_path, 'code = "deny"\n' + grant, "denied.toml")
    unpinned = policy(tmp_path, 'code = "pinned"\n' + grant, "unpinned.toml")
    pinned = policy(tmp_path, 'code = "pinned"\n' + grant + pin, "pinned.toml")
    elsewhere = policy(
        tmp_path, 'code = "pinned"\n' + grant + pin + 'path = "code/other.py"\n', "elsewhere.toml"
    )
    for closed in (denied, unpinned, elsewhere):
        with pytest.raises(UnsupportedModelError):
            mlflow.sklearn.load_model(str(path), policy=closed)
        assert "brought_by_digest" not in sys.modules
    monkeypatch.setenv(SWITCH, "false")
    loaded = mlflow.sklearn.load_model(str(path), policy=pinned)
    assert loaded.predict([0]) == [7]
    module = sys.modules[type(loaded).__module__]
    assert module.__name__.startswith("_nopickle_code_")
    place = os.path.dirname(os.path.dirname(module.__file__))
    assert not place.startswith(str(path)), "the copy that was hashed is what is loaded"
    assert os.stat(place).st_mode & 0o777 == 0o700
    (path / name).write_text(CODE.format(value=8))
    with pytest.raises(UnsupportedModelError):
        mlflow.sklearn.load_model(str(path), policy=pinned)


def keys_of(tmp_path, name):
    """A new key: the paths of its private and its public half."""
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    private, public = tmp_path / f"{name}.pem", tmp_path / f"{name}.pub.pem"
    private.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    public.write_bytes(
        key.public_key().public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        )
    )
    return private, public


def test_what_a_key_of_the_policy_signed_gets_the_classes_that_it_asks_for(
    tmp_path, folder, marker, monkeypatch
):
    monkeypatch.setenv(SWITCH, "false")
    private, public = keys_of(tmp_path, "alice")
    _, other = keys_of(tmp_path, "mallory")
    of_alice = policy(tmp_path, f'[[keys]]\npath = "{public.name}"\nreason = "ours"\n')
    of_other = policy(tmp_path, f'[[keys]]\npath = "{other.name}"\n', "other.toml")
    with pytest.raises(UntrustedTypesError):
        mlflow.sklearn.load_model(folder, policy=of_alice)
    mlflow.signing.sign(folder, private)
    assert mlflow.sklearn.load_model(folder, policy=of_alice).predict([0]) == [1.0]
    assert mlflow.pyfunc.load_model(folder, policy=of_alice).predict([0]) == [1.0]
    explained = subprocess.run(
        [sys.executable, "-m", "nopickle", "policy", "explain", folder, "--policy", of_alice],
        capture_output=True,
        text=True,
        check=False,
    )
    assert explained.returncode == 0, explained
    assert "the key of" in explained.stdout
    forget(marker)
    # By another key it is as if it was not signed.
    with pytest.raises(UntrustedTypesError):
        mlflow.sklearn.load_model(folder, policy=of_other)
    # A file that was changed, one that was added, and a name that was added to the request.
    requirements = pathlib.Path(folder, "requirements.txt")
    text = requirements.read_bytes()
    requirements.write_bytes(text + b"\n")
    with pytest.raises(UnverifiedModelError, match=r"requirements\.txt: the file was changed"):
        mlflow.sklearn.load_model(folder, policy=of_alice)
    requirements.write_bytes(text)
    added = pathlib.Path(folder, "added.py")
    added.write_text("")
    with pytest.raises(UnverifiedModelError, match=r"added\.py: the file was not signed"):
        mlflow.pyfunc.load_model(folder, policy=of_alice)
    added.unlink()
    assert not marker.exists()
    assert mlflow.sklearn.load_model(folder, policy=of_alice).predict([0]) == [1.0]


def test_a_signature_pins_the_code_that_it_covers(tmp_path, monkeypatch):
    path = with_code(tmp_path, "brought_by_key")
    private, public = keys_of(tmp_path, "alice")
    of_alice = policy(tmp_path, f'code = "pinned"\n[[keys]]\npath = "{public.name}"\n')
    monkeypatch.setenv(SWITCH, "false")
    with pytest.raises((UnsupportedModelError, UntrustedTypesError)):
        mlflow.sklearn.load_model(str(path), policy=of_alice)
    mlflow.signing.sign(path, private)
    loaded = mlflow.sklearn.load_model(str(path), policy=of_alice)
    assert loaded.predict([0]) == [7]
    place = sys.modules[type(loaded).__module__].__file__
    assert not place.startswith(str(path)), "the copy that was verified is what is loaded"


def test_where_name_mlmodel_and_content_disagree_a_model_is_refused(tmp_path):
    model = LogisticRegression(max_iter=5000).fit(X, y)
    path = tmp_path / "model"
    mlflow.sklearn.save_model(model, str(path), serialization_format="pickle")
    mlmodel = (path / "MLmodel").read_text()
    data = (path / "model.pkl").read_bytes()
    (path / "model.pkl").write_bytes(mlflow.skops.dumps(model))
    with pytest.raises(MalformedModelError, match="content is of another format"):
        mlflow.sklearn.load_model(str(path))
    (path / "model.pkl").rename(path / "model.skops")
    (path / "MLmodel").write_text(mlmodel.replace("model.pkl", "model.skops"))
    with pytest.raises(MalformedModelError, match="name ends like one of another format"):
        mlflow.sklearn.load_model(str(path))
    (path / "model.pkl").write_bytes(data)
    (path / "MLmodel").write_text(
        mlmodel.replace("serialization_format: pickle", "serialization_format: skops")
    )
    with pytest.raises(MalformedModelError, match="name ends like one of another format"):
        mlflow.sklearn.load_model(str(path))


# Flavor x format -> the file with the model's data, and the error of a refused name or of a hostile file.
ROWS = {
    ("catboost", "catboost"): ("model.cb", UnverifiedModelError),
    ("lightgbm", "cloudpickle"): ("model.pkl", MlflowException),
    ("lightgbm", "lightgbm"): ("model.lgb", UnverifiedModelError),
    ("lightgbm", "pickle"): ("model.pkl", MlflowException),
    ("lightgbm", "skops"): ("model.skops", UntrustedTypesError),
    ("sklearn", "cloudpickle"): ("model.pkl", MlflowException),
    ("sklearn", "pickle"): ("model.pkl", MlflowException),
    ("sklearn", "skops"): ("model.skops", UntrustedTypesError),
    ("xgboost", "xgboost"): ("model.ubj", UnverifiedModelError),
}
# A file that its library would follow out of its memory.
HOSTILE = {
    "catboost": ROOT / "cases/hostile/catboost/split_past_end.cbm",
    "xgboost": ROOT / "cases/hostile/xgboost/child_its_parent.ubj",
}


def sections(flavor, file, serialization_format):
    """The `MLmodel` of a folder with one file."""
    loader, _ = _flavors.FLAVORS[flavor]
    own = {"code": None, "serialization_format": serialization_format}
    if flavor == "sklearn":
        own |= {"pickled_model": file, "skops_trusted_types": ["marked_module.Thing"]}
        pyfunc = {"model_path": file}
    elif flavor == "catboost":
        own = {"data": file, "model_type": "CatBoost", "save_format": "cbm"}
        pyfunc = {"data": file}
    elif flavor == "xgboost":
        own = {"data": file, "model_class": "xgboost.core.Booster", "model_format": "ubj"}
        pyfunc = {"data": file}
    else:
        kind = "lightgbm.basic.Booster" if serialization_format == flavor else "a.B"
        own |= {"data": file, "model_class": kind, "skops_trusted_types": ["marked_module.Thing"]}
        pyfunc = {"data": file}
    pyfunc |= {"loader_module": loader, "python_version": "3.11.0"}
    return {"flavors": {flavor: own, "python_function": pyfunc}}


def formats_of(flavor, tmp_path):
    """The formats that a flavor's section may name, asked of its reader."""
    run = [sys.executable, "-m", "nopickle", "support", "--json"]
    known = json.loads(subprocess.run(run, capture_output=True, check=True).stdout)["formats"]
    found = set()
    for name in {"cloudpickle", "pickle", *(row["name"] for row in known)}:
        place = tmp_path / f"{flavor}-{name}"
        place.mkdir()
        (place / "data.ubj").write_bytes(b"")
        _rust.mlmodel_write(place, sections(flavor, "data.ubj", name))
        try:
            found.add(_rust.mlmodel_payload(place, flavor)["format"])
        except exceptions.NopickleError:
            continue
    return found


def test_the_rows_name_every_flavor_and_every_format_of_it(tmp_path):
    found = {(flavor, one) for flavor in _flavors.FLAVORS for one in formats_of(flavor, tmp_path)}
    assert found == set(ROWS)


@pytest.mark.parametrize(("flavor", "serialization_format"), sorted(ROWS))
def test_every_way_in_refuses_the_same_and_imports_nothing(
    tmp_path, marker, monkeypatch, flavor, serialization_format
):
    file, error = ROWS[flavor, serialization_format]
    made = thing(marker)
    if serialization_format in HOSTILE:
        data = HOSTILE[serialization_format].read_bytes()
    elif serialization_format == "skops":
        data = mlflow.skops.dumps(made)
    elif serialization_format == "lightgbm":
        booster = lightgbm.train(
            {"verbose": -1, "num_leaves": 4, "objective": "regression"},
            lightgbm.Dataset(X, y),
            num_boost_round=1,
        )
        text = booster.model_to_string()
        line = next(row for row in text.splitlines() if row.startswith("left_child="))
        data = text.replace(line, "left_child=" + " ".join(["0"] * len(line.split()))).encode()
    else:
        data = pickle.dumps(made)
    forget(marker)
    path = tmp_path / "model"
    path.mkdir()
    (path / file).write_bytes(data)
    _rust.mlmodel_write(path, sections(flavor, file, serialization_format))
    (path / "requirements.txt").write_text("numpy\n")
    monkeypatch.setenv(SWITCH, "false")
    with mlflow.start_run() as run:
        mlflow.log_artifacts(str(path), "model")
    module = getattr(mlflow, flavor)
    ways = {
        "load_model": lambda: module.load_model(str(path)),
        "pyfunc": lambda: mlflow.pyfunc.load_model(str(path)),
        "uri": lambda: module.load_model(path.as_uri()),
        "runs": lambda: module.load_model(f"runs:/{run.info.run_id}/model"),
        "runs, pyfunc": lambda: mlflow.pyfunc.load_model(f"runs:/{run.info.run_id}/model"),
        "download": lambda: module.load_model(
            f"runs:/{run.info.run_id}/model", dst_path=str(tmp_path / "to")
        ),
    }
    if serialization_format == "skops":
        ways["skops.load"] = lambda: mlflow.skops.load(path / file)
        ways["skops.loads"] = lambda: mlflow.skops.loads(data)
        with open(path / file, "rb") as opened:
            ways["skops.load, a file"] = lambda: mlflow.skops.load(opened)
            all_refuse(ways, error)
    else:
        all_refuse(ways, error)
    if serialization_format not in ("cloudpickle", "pickle"):
        for command in ("audit", "inspect"):
            done = subprocess.run(
                [sys.executable, "-m", "nopickle", command, str(path / file)],
                capture_output=True,
                check=False,
            )
            assert done.returncode == 1, (command, done.stderr)
    assert "marked_module" not in sys.modules
    assert not marker.exists()


# What may stand in one place of the package alone: the unpickler, the tables of modules of nopickle itself, and
# nopickle itself under its own path.
# `sklearn.py` writes pickles where the caller asks for one.
ALLOWED = {
    "sklearn.py": {"import cloudpickle", "import pickle"},
    "_load.py": {"import cloudpickle", "import pickle"},
    "_code.py": {"__import__", "exec_module"},
    "_flavors.py": {"import_module"},
    "__init__.py": {"import_module"},
    "_run/sitecustomize.py": {"exec_module"},
}
FORBIDDEN_MODULES = {"pickle", "cloudpickle", "joblib", "dill", "marshal", "shelve", "yaml"}
FORBIDDEN_CALLS = {
    "eval",
    "exec",
    "__import__",
    "compile",
    "import_module",
    "exec_module",
    "run_path",
}


def forbidden(tree):
    """Calls and imports that may run what a file says."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                if alias.name.split(".")[0] in FORBIDDEN_MODULES:
                    yield f"import {alias.name}", node.lineno
        elif isinstance(node, ast.ImportFrom):
            if (node.module or "").split(".")[0] in FORBIDDEN_MODULES:
                yield f"import {node.module}", node.lineno
        elif isinstance(node, ast.Call):
            called = node.func
            name = called.id if isinstance(called, ast.Name) else getattr(called, "attr", "")
            owner = called.value if isinstance(called, ast.Attribute) else None
            if isinstance(owner, ast.Name) and (owner.id, name) == ("re", "compile"):
                continue
            of_torch = isinstance(owner, ast.Name) and owner.id == "torch" and name == "load"
            allow = any(keyword.arg == "allow_pickle" for keyword in node.keywords)
            if name in FORBIDDEN_CALLS or of_torch or allow:
                yield name, node.lineno


def test_outside_of_the_gate_nothing_runs_what_a_file_says():
    seen = {}
    package = ROOT / "python/nopickle"
    for path in sorted(package.rglob("*.py")):
        name = path.relative_to(package).as_posix()
        for what, line in forbidden(ast.parse(path.read_text())):
            if what in ALLOWED.get(name, ()):
                seen.setdefault(name, set()).add(what)
            else:
                pytest.fail(f"{path}:{line}: {what}")
    assert seen == ALLOWED, "what is allowed is there"


def test_the_lint_sees_what_it_is_for():
    lines = [
        "import joblib.externals",
        "from yaml import load",
        "eval('1')",
        "importlib.import_module(x)",
        "torch.load(x)",
        "np.load(x, allow_pickle=True)",
        "re.compile('x')",
    ]
    found = forbidden(ast.parse("\n".join(lines)))
    assert [line for _, line in found] == [1, 2, 3, 4, 5, 6]


def test_a_policy_says_what_it_grants(tmp_path):
    read = mlflow.Policy(policy(tmp_path, GRANT + '[[functions]]\nname = "a.f"\n'))
    assert read.grants("marked_module.Thing", "instance")
    assert not read.grants("marked_module.Thing")
    assert read.grants("a.f", "call")
    assert not read.grants("a.f", "instance")
    assert read.grants("numpy.ndarray", "value")
    assert "policy.toml:2" in read.reason("marked_module.Thing", "value")
    assert read.reason("b.C") == "nothing grants it"
    assert (read.code, read.extend, [str(path) for path in read.files]) == (
        "allow",
        False,
        [str(tmp_path / "policy.toml")],
    )
    with pytest.raises(ValueError, match="role can be"):
        read.grants("a.f", "everything")


def test_a_folder_of_joblib_is_a_name_that_the_loader_grants(tmp_path):
    """Fitted again, scikit-learn would write to `memory=` and unpickle what lies there."""
    from sklearn.pipeline import make_pipeline

    name = ["joblib.memory.Memory"]
    cache = tmp_path / "cache"
    model = make_pipeline(LogisticRegression(max_iter=5000)).fit(X, y).set_params(memory=str(cache))
    data = mlflow.skops.dumps(model)
    assert mlflow.skops.get_untrusted_types(data=data) == name
    with pytest.raises(UntrustedTypesError) as raised:
        mlflow.skops.loads(data)
    assert raised.value.names == name
    assert mlflow.skops.loads(data, trusted=name).memory == str(cache)
    assert not cache.exists(), "loading makes no folder"
    plain = mlflow.skops.dumps(model.set_params(memory=None))
    assert (mlflow.skops.loads(plain).predict(X) == model.predict(X)).all()
    # A model can't ask for it.
    model.set_params(memory=str(cache))
    path = str(tmp_path / "model")
    with pytest.raises(UntrustedTypesError):
        mlflow.sklearn.save_model(model, path)
    mlflow.sklearn.save_model(model, path, skops_trusted_types=name)
    with pytest.raises(UntrustedTypesError) as raised:
        mlflow.sklearn.load_model(path)
    assert raised.value.names == name
    loaded = mlflow.sklearn.load_model(path, skops_trusted_types=name)
    assert (loaded.predict(X) == model.predict(X)).all()
