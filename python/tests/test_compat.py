"""Files go both ways between nopickle and stock skops, for every skops from 0.9 on.

``cases/models/skops_<version>_<what>`` holds what each version wrote (``cases/generate.py``).
The other way, the skops that is installed here loads what nopickle writes of every estimator;
older ones do so in environments of their own, where ``NOPICKLE_COMPAT_VENVS`` names a folder that
has them: ``skops_<version>/bin/python`` for each, with that skops, a scikit-learn and numpy.
"""

from __future__ import annotations

import json
import os
import pickle
import re
import shutil
import subprocess
import warnings
import zipfile
from pathlib import Path

import generate
import numpy as np
import pytest
import sklearn
from estimators import cases, fitted, outputs
from same import differences

import nopickle
from nopickle import skops

stock = pytest.importorskip("skops.io")

# scikit-learn says so whenever an object of such a class is made, by pickle too.
pytestmark = pytest.mark.filterwarnings("ignore:Class .* is deprecated:FutureWarning")

VERSIONS = ["0.9.0", "0.10.0", "0.11.0", "0.12.0", "0.13.0", "0.14.0", "0.15.0", "0.16.0"]
MODELS = Path(generate.__file__).parent / "models"
VENVS = os.environ.get("NOPICKLE_COMPAT_VENVS", "")

KEPT = [(version, what) for version in VERSIONS for what in sorted(generate.WHATS)]


def quietly(function, *args, **kwargs):
    """Call without warnings, of which scikit-learn gives one for each older estimator."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return function(*args, **kwargs)


def answer(estimator, method, X):
    """What the method says to X, or the kind of its exception."""
    try:
        return np.asarray(quietly(getattr(estimator, method), X))
    except Exception as error:
        return type(error).__name__


def test_every_version_and_every_kind_is_kept():
    kept = {folder.name for folder in MODELS.glob("skops_*")}
    expected = {f"skops_{version}_{what}" for version, what in KEPT}
    assert kept == expected | {f"skops_{version}_data" for version in VERSIONS}


@pytest.mark.parametrize("version", VERSIONS)
def test_the_values_that_a_version_saved_are_loaded(version):
    folder = MODELS / f"skops_{version}_data"
    names = json.loads((folder / "expected.json").read_text())["pieces"]
    assert len(names) >= 35
    assert skops.get_untrusted_types(file=folder / "model.skops") == []
    loaded = skops.load(folder / "model.skops")
    pieces = generate.pieces()
    assert sorted(loaded) == names
    for name in names:
        assert not differences(pieces[name], loaded[name]), name


@pytest.mark.parametrize(("version", "what"), KEPT)
def test_the_model_that_a_version_saved_answers_as_it_did(version, what):
    folder = MODELS / f"skops_{version}_{what}"
    path = folder / "model.skops"
    X = generate.from_json(json.loads((folder / "inputs.json").read_text()))
    expected = json.loads((folder / "expected.json").read_text())
    assert skops.get_untrusted_types(file=path) == []
    loaded = quietly(skops.load, path)
    for method, value in expected.items():
        found = answer(loaded, method, X)
        if isinstance(found, str) and is_newer(folder):
            continue
        assert not isinstance(found, str), f"{method}: {found}"
        if found.dtype.kind == "f":
            np.testing.assert_allclose(found, generate.from_json(value), rtol=1e-12, atol=1e-12)
        else:
            np.testing.assert_array_equal(found, generate.from_json(value))


def is_newer(folder: Path) -> bool:
    """Whether a newer scikit-learn than the installed one made the model: it may not answer."""
    made_by = (folder / "case.toml").read_text()
    writer = re.search(r"scikit-learn (\d+)\.(\d+)", made_by)
    reader = re.match(r"(\d+)\.(\d+)", sklearn.__version__)
    assert writer
    assert reader
    return tuple(map(int, writer.groups())) > tuple(map(int, reader.groups()))


@pytest.mark.parametrize(("version", "what"), KEPT)
def test_the_model_that_a_version_saved_is_what_stock_skops_makes_of_it(version, what):
    path = MODELS / f"skops_{version}_{what}" / "model.skops"
    try:
        peer = quietly(stock.load, path, trusted=stock.get_untrusted_types(file=path))
    except Exception:
        # SGDNode was dropped, and scikit-learn's module of losses was once called _loss.
        assert what in ("boosting", "histograms", "sgd")
        return
    told = differences(peer, quietly(skops.load, path), layout=False, sharing=False)
    if told:  # protocol 1 has no seed of a generator: stock skops draws one at each load
        again = quietly(stock.load, path, trusted=stock.get_untrusted_types(file=path))
        assert differences(peer, again, layout=False, sharing=False), told
        assert all("seed_seq" in words for words in told)


# Between nopickle and the skops that is installed here --------------------------------------

# What holds itself, directly or not: stock skops follows such objects without end. (By the name
# of a class or of a case; some of them hold themselves in newer versions of scikit-learn only.)
HOLD_THEMSELVES = ("Birch", "GridSearchCV-routed", "HistGradientBoostingClassifier-stopping")

NAMES = [case.name for case in cases()]


def peer_dump(name: str):
    """The case's estimator as stock skops writes it; None where it cannot."""
    try:
        return quietly(stock.dumps, fitted(name)[0])
    except (RecursionError, TypeError):
        assert name in HOLD_THEMSELVES or name.partition("-")[0] in HOLD_THEMSELVES
        return None


def peer_load(data: bytes):
    return quietly(stock.loads, data, trusted=stock.get_untrusted_types(data=data))


@pytest.mark.parametrize("name", NAMES)
def test_stock_skops_loads_what_is_written_here(name):
    estimator, X = fitted(name)
    data = skops.dumps(estimator)
    if peer_dump(name) is None:
        return
    loaded = peer_load(data)
    expected = quietly(pickle.loads, pickle.dumps(estimator, protocol=5))
    assert not differences(outputs(expected, X), outputs(loaded, X), sharing=False)


@pytest.mark.parametrize("name", NAMES)
def test_what_stock_skops_writes_is_loaded_here(name):
    estimator, X = fitted(name)
    data = peer_dump(name)
    if data is None:
        return
    assert skops.get_untrusted_types(data=data) == []
    loaded = skops.loads(data)
    expected = quietly(pickle.loads, pickle.dumps(estimator, protocol=5))
    assert not differences(expected, loaded, sharing=False)
    assert not differences(outputs(expected, X), outputs(loaded, X), sharing=False)


@pytest.mark.parametrize("name", sorted(generate.pieces()))
def test_a_plain_value_goes_both_ways(name):
    value = generate.pieces()[name]
    assert not differences(value, peer_load(skops.dumps(value)), layout=False), "there"
    assert not differences(generate.pieces()[name], skops.loads(stock.dumps(value))), "back"


@pytest.mark.parametrize(
    "compression", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA]
)
def test_every_compression_goes_both_ways(compression):
    value = {"a": np.zeros(1000), "b": ["text"] * 100, "c": b"bytes" * 100}
    assert not differences(value, peer_load(skops.dumps(value, compression=compression)))
    assert not differences(value, skops.loads(stock.dumps(value, compression=compression)))


# With other versions, each in its own environment ---------------------------------------------

# Both ways inside one environment; it prints what differed.
BOTH_WAYS = """
import json, pickle, sys, warnings
warnings.simplefilter("ignore")
import sklearn, skops
import skops.io as stock
from nopickle import skops as ours
from estimators import cases, fitted, outputs
from same import differences
from generate import pieces

left_out = sys.argv[1].split(",")
told, asked = [], 0
for name in [case.name for case in cases()]:
    estimator, X = fitted(name)
    if name in left_out or name.partition("-")[0] in left_out:
        continue
    asked += 1
    expected = pickle.loads(pickle.dumps(estimator, protocol=5))
    answers = outputs(pickle.loads(pickle.dumps(estimator, protocol=5)), X)
    try:
        data = ours.dumps(estimator)
        loaded = stock.loads(data, trusted=stock.get_untrusted_types(data=data))
        told += [f"{name}, there: {d}" for d in differences(answers, outputs(loaded, X), sharing=False)]
    except Exception as error:
        told.append(f"{name}, there: {type(error).__name__}: {error}"[:300])
    try:
        data = stock.dumps(estimator)
    except Exception as error:  # this version cannot save it
        continue
    try:
        loaded = ours.loads(data)
        told += [f"{name}, back: {d}" for d in differences(answers, outputs(loaded, X), sharing=False)]
    except Exception as error:
        told.append(f"{name}, back: {type(error).__name__}: {error}"[:300])
print(json.dumps({"skops": skops.__version__, "sklearn": sklearn.__version__, "asked": asked, "told": told}))
"""


@pytest.mark.skipif(not VENVS, reason="NOPICKLE_COMPAT_VENVS names no folder of environments")
@pytest.mark.timeout(600)
@pytest.mark.parametrize("version", VERSIONS)
def test_an_older_skops_and_nopickle_read_each_other(version, tmp_path, record_property):
    python = Path(VENVS) / f"skops_{version}" / "bin" / "python"
    assert python.exists(), f"{python} is missing"
    shutil.copytree(Path(nopickle.__file__).parent, tmp_path / "nopickle")
    done = subprocess.run(
        [python, "-c", BOTH_WAYS, ",".join(HOLD_THEMSELVES)],
        env={
            "PATH": os.environ["PATH"],
            "OMP_NUM_THREADS": "1",
            "PYTHONPATH": os.pathsep.join(
                [str(tmp_path), str(Path(__file__).parent), str(Path(generate.__file__).parent)]
            ),
        },
        capture_output=True,
        text=True,
        timeout=580,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    said = json.loads(done.stdout.splitlines()[-1])
    print(f"skops {said['skops']} with scikit-learn {said['sklearn']}: {said['asked']} estimators")
    record_property("skops", said["skops"])
    assert said["skops"] == version
    assert said["asked"] > 375
    unexpected = [
        words
        for words in said["told"]
        if not (version in WITHOUT_LOSS_NODE and "Can't find loader LossNode" in words)
    ]
    assert not unexpected, "\n".join(unexpected)


# Loss functions are written as the LossNode that came with skops 0.11. The two versions before it
# kept them in nodes (SGDNode, ObjectNode) that no later version reads.
WITHOUT_LOSS_NODE = ("0.9.0", "0.10.0")
