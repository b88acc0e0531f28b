"""The guard for the whole process. A hook can't be removed, so each test has a process of its own."""

from __future__ import annotations

import dataclasses
import importlib.metadata
import os
import pickle
import re
import shelve
import signal
import socket
import subprocess
import sys
import textwrap
import zlib
from collections.abc import Callable
from pathlib import Path

import joblib
import numpy as np
import pytest

from nopickle import _rust, exceptions

SWITCH = "MLFLOW_ALLOW_PICKLE_DESERIALIZATION"
ENABLE = "import nopickle.guard; nopickle.guard.enable()\n"


class Mark:
    """What an attacker would write: loading it makes a folder."""

    def __init__(self, marker: Path) -> None:
        self.marker = str(marker)

    def __reduce__(self) -> tuple[Callable[..., object], tuple[str]]:
        return os.mkdir, (self.marker,)


class Start(Mark):
    """Loading it starts a program."""

    def __reduce__(self) -> tuple[Callable[..., object], tuple[str]]:
        return os.system, (f"mkdir '{self.marker}'",)


def started(
    code: str, folder: Path, switch: str | None = "false", **variables: str
) -> subprocess.Popen[str]:
    """Start Python with this code, in this folder."""
    (folder / "code").mkdir(exist_ok=True)
    number = len(os.listdir(folder / "code"))
    file = folder / "code" / f"main{number}.py"
    file.write_text(textwrap.dedent(code))
    environment = {**os.environ, **variables}
    environment.pop(SWITCH, None)
    if switch is not None:
        environment[SWITCH] = switch
    return subprocess.Popen(
        [sys.executable, str(file)],
        cwd=folder,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def output(child: subprocess.Popen[str], status: int = 0) -> str:
    """Return what a child printed, and see that it ended as it should."""
    text, _ = child.communicate(timeout=110)
    assert child.returncode == status, text
    return text


def run(
    code: str, folder: Path, switch: str | None = "false", status: int = 0, **variables: str
) -> str:
    """Run Python with this code, guarded from the first line on, and return what it printed."""
    return output(started(ENABLE + textwrap.dedent(code), folder, switch, **variables), status)


# ---------------------------------------------------------------------------------------------
# Hostile pickles: each way to read one
# ---------------------------------------------------------------------------------------------


@dataclasses.dataclass(frozen=True)
class Reader:
    """A way to read a pickle: what writes the file, and the code that reads it."""

    write: Callable[[Path, Path], None]
    read: str
    needs: str | None = None
    name: str = f"{os.mkdir.__module__}.mkdir"


def plain(path: Path, marker: Path) -> None:
    path.write_bytes(pickle.dumps(Mark(marker)))


def starting(path: Path, marker: Path) -> None:
    path.write_bytes(pickle.dumps(Start(marker)))


def in_shelf(path: Path, marker: Path) -> None:
    with shelve.open(str(path)) as shelf:
        shelf["x"] = Mark(marker)


def zfile(path: Path, marker: Path) -> None:
    # As joblib wrote before 0.10: a mark, the length in hexadecimal digits, zlib.
    data = pickle.dumps(Mark(marker), protocol=2)
    length = hex(len(data)).encode().ljust(len(hex(2**64)))
    path.write_bytes(b"ZF" + length + zlib.compress(data))


def objects(marker: Path) -> np.ndarray:
    array = np.empty(1, object)
    array[0] = Mark(marker)
    return array


def npy(path: Path, marker: Path) -> None:
    with open(path, "wb") as file:
        np.save(file, objects(marker), allow_pickle=True)


def npz(path: Path, marker: Path) -> None:
    with open(path, "wb") as file:
        np.savez(file, x=objects(marker))


READERS: dict[str, Reader] = {
    "pickle.load": Reader(plain, "import pickle; pickle.load(open(PATH, 'rb'))"),
    "pickle.loads": Reader(plain, "import pickle; pickle.loads(open(PATH, 'rb').read())"),
    "a subclass of pickle.Unpickler": Reader(
        plain,
        """
        import pickle
        class Own(pickle.Unpickler):
            def find_class(self, module, name):
                return super().find_class(module, name)
        Own(open(PATH, "rb")).load()
        """,
    ),
    "pickle._Unpickler": Reader(plain, "import pickle; pickle._Unpickler(open(PATH, 'rb')).load()"),
    "an unpickler of pickle.py with an import of its own": Reader(
        starting,
        """
        import importlib, pickle
        class Own(pickle._Unpickler):
            def find_class(self, module, name):
                return getattr(importlib.import_module(module), name)
        Own(open(PATH, "rb")).load()
        """,
        name="os.system",
    ),
    "cloudpickle.load": Reader(plain, "import cloudpickle; cloudpickle.load(open(PATH, 'rb'))"),
    "dill.load": Reader(plain, "import dill; dill.load(open(PATH, 'rb'))", needs="dill"),
    "joblib.load": Reader(
        lambda path, marker: joblib.dump(Mark(marker), path), "import joblib; joblib.load(PATH)"
    ),
    "joblib.load, compressed": Reader(
        lambda path, marker: joblib.dump(Mark(marker), path, compress=3),
        "import joblib; joblib.load(PATH)",
    ),
    "joblib.load, objects in an array": Reader(
        lambda path, marker: joblib.dump(objects(marker), path),
        "import joblib; joblib.load(PATH)",
        name="joblib.numpy_pickle.NumpyArrayWrapper",
    ),
    "joblib.load, an old file": Reader(zfile, "import joblib; joblib.load(PATH)"),
    "joblib.load, memory-mapped": Reader(
        lambda path, marker: joblib.dump(Mark(marker), path),
        "import joblib; joblib.load(PATH, mmap_mode='r')",
    ),
    "numpy.load of a .npy": Reader(
        npy, "import numpy; numpy.load(PATH, allow_pickle=True)", name="._reconstruct"
    ),
    "numpy.load of a .npz": Reader(
        npz, "import numpy; numpy.load(PATH, allow_pickle=True)['x']", name="._reconstruct"
    ),
    "numpy.load of a pickle": Reader(plain, "import numpy; numpy.load(PATH, allow_pickle=True)"),
    "pandas.read_pickle": Reader(plain, "import pandas; pandas.read_pickle(PATH)"),
    "shelve": Reader(in_shelf, "import shelve; shelve.open(PATH)['x']"),
    # torch is too large for these tests; this is the shape of its `UnpicklerWrapper` (torch 2.15,
    # serialization.py): a subclass of the module's Unpickler that maps modules and asks its base.
    "torch.load, its shape": Reader(
        plain,
        """
        import pickle
        load_module_mapping = {"torch.tensor": "torch._tensor"}
        def _load(file, pickle_module, pickle_load_args):
            class UnpicklerWrapper(pickle_module.Unpickler):
                def find_class(self, mod_name, name):
                    mod_name = load_module_mapping.get(mod_name, mod_name)
                    return super().find_class(mod_name, name)
                def persistent_load(self, saved_id):
                    raise AssertionError
            return UnpicklerWrapper(file, **pickle_load_args).load()
        _load(open(PATH, "rb"), pickle, {"encoding": "utf-8"})
        """,
    ),
    "torch.load": Reader(
        plain, "import torch; torch.load(PATH, weights_only=False)", needs="torch"
    ),
    "a connection on a pipe with a name": Reader(
        plain,
        """
        import os, struct
        from multiprocessing.connection import Connection
        data = open(PATH, "rb").read()
        os.mkfifo(PATH + ".fifo")
        end = os.open(PATH + ".fifo", os.O_RDWR)
        os.write(end, struct.pack("!i", len(data)) + data)
        Connection(end).recv()
        """,
    ),
    "a multiprocessing connection from elsewhere": Reader(
        plain,
        """
        from multiprocessing.connection import Client, Listener
        import struct, threading
        listener = Listener(("127.0.0.1", 0))
        def send():
            listener.accept().send_bytes(open(PATH, "rb").read())
        threading.Thread(target=send, daemon=True).start()
        Client(listener.address).recv()
        """,
    ),
    "a pickle in what a worker of the pool is asked to read": Reader(
        plain,
        """
        import multiprocessing, pickle
        def read(path):
            with open(path, "rb") as file:
                return pickle.load(file)
        if __name__ == "__main__":
            with multiprocessing.get_context("spawn").Pool(1) as pool:
                pool.map(read, [PATH])
        """,
    ),
    "a pickle in what a loky worker is asked to read": Reader(
        plain,
        """
        import joblib
        if __name__ == "__main__":
            # Two of each: one alone would run in this process.
            joblib.Parallel(2)(joblib.delayed(joblib.load)(path) for path in [PATH, PATH])
        """,
    ),
}


def as_program(read: str, path: Path) -> str:
    return f"PATH = {str(path)!r}\n" + textwrap.dedent(read)


@pytest.mark.parametrize("reader", READERS.values(), ids=READERS)
def test_a_hostile_pickle_leaves_no_mark(reader: Reader, tmp_path: Path) -> None:
    if reader.needs is not None:
        pytest.importorskip(reader.needs, reason=f"{reader.needs} is not installed")
    # The same file, with and without the guard: without it, the mark is made.
    children = []
    for place, guarded in ((tmp_path / "guarded", True), (tmp_path / "not", False)):
        place.mkdir()
        reader.write(place / "data", place / "marker")
        program = as_program(reader.read, place / "data")
        children.append(started((ENABLE if guarded else "") + program, place))
    guarded_text, _ = children[0].communicate(timeout=110)
    free_text, _ = children[1].communicate(timeout=110)
    assert (tmp_path / "not" / "marker").is_dir(), free_text
    assert not (tmp_path / "guarded" / "marker").exists(), guarded_text
    assert children[0].returncode == 1
    assert "RefusedPickleError: " in guarded_text
    assert reader.name in guarded_text
    assert f"{SWITCH} is false" in guarded_text


def test_marshalled_data_is_refused_and_imports_go_on(tmp_path: Path) -> None:
    text = run(
        """
        import marshal, sys
        sys.path.insert(0, ".")
        import json.tool, module, zipped.inner
        try:
            marshal.loads(marshal.dumps(1))
        except Exception as error:
            print(type(error).__name__, error.names)
        """
        if (tmp_path / "module.py").write_text("import compileall\n") and _zipped(tmp_path)
        else "",
        tmp_path,
        PYTHONPATH=str(tmp_path / "packages.zip"),
    )
    assert text == "RefusedPickleError ['marshal.loads']\n"


def _zipped(folder: Path) -> bool:
    import zipfile

    with zipfile.PyZipFile(folder / "packages.zip", "w") as archive:
        package = folder / "zipped"
        package.mkdir()
        (package / "__init__.py").write_text("")
        (package / "inner.py").write_text("x = 1\n")
        archive.writepy(str(package))
    for file in package.iterdir():
        if file.is_file():
            file.unlink()
    package.rename(folder / "elsewhere")
    return True


# ---------------------------------------------------------------------------------------------
# MLflow's own loaders
# ---------------------------------------------------------------------------------------------

# Stock MLflow has a look at the switch too, but not on the machines of one vendor; with this it
# goes on to its unpickler, so that the guard is what stands in the way.
PAST_MLFLOW = {"DATABRICKS_RUNTIME_VERSION": "15.4"}

FLAVORS = {
    "sklearn, pickle": (
        "sklearn",
        "sklearn",
        "pickled_model: model.pkl\n    serialization_format: pickle\n    sklearn_version: 1.9.1",
        "model.pkl",
        "mlflow.sklearn.load_model(PATH)",
    ),
    "sklearn, cloudpickle": (
        "sklearn",
        "sklearn",
        "pickled_model: model.pkl\n    serialization_format: cloudpickle\n    sklearn_version: 1.9.1",
        "model.pkl",
        "mlflow.pyfunc.load_model(PATH)",
    ),
    "pyfunc, python_model": (
        "cloudpickle",
        "python_function",
        "loader_module: mlflow.pyfunc.model\n    python_model: model.pkl\n    cloudpickle_version: 3.1.2",
        "model.pkl",
        "mlflow.pyfunc.load_model(PATH)",
    ),
    "statsmodels": (
        "statsmodels",
        "statsmodels",
        "data: model.statsmodels\n    statsmodels_version: 0.15.0",
        "model.statsmodels",
        "mlflow.statsmodels.load_model(PATH)",
    ),
    "lightgbm, pickle": (
        "lightgbm",
        "lightgbm",
        "data: model.pkl\n    model_class: lightgbm.sklearn.LGBMClassifier\n    lgb_version: 4.7.0",
        "model.pkl",
        "mlflow.lightgbm.load_model(PATH)",
    ),
    "shap": (
        "shap",
        "shap",
        "serialized_explainer: explainer.shap\n    underlying_model_flavor: none\n    shap_version: 0.50.0",
        "explainer.shap",
        "mlflow.shap.load_explainer(PATH)",
    ),
    "dspy": (
        "dspy",
        "dspy",
        "model_path: model.pkl\n    model_type: mlflow.dspy.wrapper.DspyModelWrapper",
        "model.pkl",
        "mlflow.dspy.load_model(PATH)",
    ),
}

LOADERS = {"lightgbm": "mlflow.lightgbm", "sklearn": "mlflow.sklearn"}


def model_folder(case: str, place: Path, marker: Path) -> str:
    """Write a model folder of MLflow whose pickle makes a mark; return the code that loads it."""
    package, flavor, section, file, load = FLAVORS[case]
    folder = place / "model"
    folder.mkdir(parents=True)
    text = f"flavors:\n  {flavor}:\n    {section}\n"
    if flavor != "python_function":
        loader = LOADERS.get(package, f"mlflow.{package}")
        entry = section.split("\n")[0].split(": ")[1]
        text += f"  python_function:\n    loader_module: {loader}\n    model_path: {entry}\n"
        text += f"    data: {entry}\n    python_version: 3.11.7\n"
    (folder / "MLmodel").write_text(text + "mlflow_version: 3.17.2\nmodel_uuid: 0\nrun_id: 0\n")
    plain(folder / file, marker)
    return load


@pytest.mark.parametrize("case", FLAVORS)
def test_mlflows_own_loader_resolves_nothing(case: str, tmp_path: Path) -> None:
    package = FLAVORS[case][0]
    pytest.importorskip(package, reason=f"{package} is not installed")
    children = []
    for place, guarded in ((tmp_path / "guarded", True), (tmp_path / "not", False)):
        load = model_folder(case, place, place / "marker")
        module = load.rpartition(".")[0]
        program = f"import {module}\nPATH = {str(place / 'model')!r}\n{load}\n"
        children.append(started((ENABLE if guarded else "") + program, place, **PAST_MLFLOW))
    guarded_text, _ = children[0].communicate(timeout=110)
    free_text, _ = children[1].communicate(timeout=110)
    assert (tmp_path / "not" / "marker").is_dir(), free_text
    assert not (tmp_path / "guarded" / "marker").exists(), guarded_text
    assert children[0].returncode == 1
    assert "RefusedPickleError: " in guarded_text
    assert FLAVORS[case][3] in guarded_text, "the file stands in the message"


def test_a_refusal_is_an_exception_of_mlflow_where_mlflow_is_imported(tmp_path: Path) -> None:
    load = model_folder("sklearn, pickle", tmp_path, tmp_path / "marker")
    text = run(
        f"""
        import pickle
        import mlflow.sklearn
        import nopickle.exceptions, nopickle.mlflow
        nopickle.mlflow.install()
        PATH = {str(tmp_path / "model")!r}
        try:
            {load}
        except mlflow.exceptions.MlflowException as error:
            assert isinstance(error, nopickle.exceptions.RefusedPickleError)
            again = pickle.dumps(error)
            print(error.error_code, error.get_http_status_code(), error.names, "hint: " in error.message)
            print(error.serialize_as_json())
        """,
        tmp_path,
        **PAST_MLFLOW,
    )
    first, second = text.splitlines()[-2:]
    assert first == "INVALID_PARAMETER_VALUE 400 ['posix.mkdir'] True"
    assert '"error_code": "INVALID_PARAMETER_VALUE"' in second
    assert "model.pkl' asks for posix.mkdir" in second


def test_install_gives_the_reason_where_a_library_wrapped_it(tmp_path: Path) -> None:
    # numpy says UnpicklingError for whatever went wrong.
    folder = tmp_path / "model"
    (folder / "code").mkdir(parents=True)
    (folder / "code" / "reads_numpy.py").write_text(
        "import numpy\n\ndef _load_pyfunc(path):\n    return numpy.load(path, allow_pickle=True)\n"
    )
    (folder / "MLmodel").write_text(
        "flavors:\n  python_function:\n    loader_module: reads_numpy\n    data: data.bin\n"
        "    code: code\n    python_version: 3.11.7\n"
        "mlflow_version: 3.17.2\nmodel_uuid: 0\nrun_id: 0\n"
    )
    plain(folder / "data.bin", tmp_path / "marker")
    text = run(
        f"""
        import mlflow.pyfunc
        import nopickle.mlflow
        nopickle.mlflow.install()
        try:
            mlflow.pyfunc.load_model({str(folder)!r})
        except mlflow.exceptions.MlflowException as error:
            print(error.error_code, error.message)
        """,
        tmp_path,
    )
    assert "INVALID_PARAMETER_VALUE a pickle in '" in text
    assert "data.bin' asks for posix.mkdir" in text


def test_mlflow_predict_and_serve_show_the_reason(tmp_path: Path) -> None:
    model_folder("pyfunc, python_model", tmp_path, tmp_path / "marker")
    port = _free_port()
    # `mlflow models serve` starts uvicorn by its name.
    installed = importlib.metadata.distribution("uvicorn").locate_file("../../../bin")
    path = os.pathsep.join([os.path.realpath(str(installed)), os.environ.get("PATH", "")])
    for arguments in (
        ["predict", "-m", "model", "--env-manager", "local", "-i", "input.json"],
        ["serve", "-m", "model", "--env-manager", "local", "-p", str(port)],
    ):
        (tmp_path / "input.json").write_text('{"inputs": [[1.0]]}')
        child = subprocess.Popen(
            [
                *(sys.executable, "-m", "nopickle", "run", "--"),
                *(sys.executable, "-m", "mlflow", "models", *arguments),
            ],
            cwd=tmp_path,
            env={**os.environ, SWITCH: "false", "PATH": path, **PAST_MLFLOW},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        try:
            text, _ = child.communicate(timeout=100)
        except subprocess.TimeoutExpired:
            os.killpg(child.pid, signal.SIGKILL)
            text, _ = child.communicate()
        assert child.returncode != 0
        assert "RefusedPickleError: a pickle in '" in text, text
        assert "model.pkl' asks for posix.mkdir" in text
        assert not (tmp_path / "marker").exists()


def _free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


# ---------------------------------------------------------------------------------------------
# Harmless programs go on
# ---------------------------------------------------------------------------------------------

THINGS = """
import os, sys
import nopickle.guard

class Thing:
    def __init__(self, x):
        self.x = x

def double(thing):
    assert nopickle.guard.is_enabled()
    return Thing(thing.x * 2)

def answer(queue, end):
    assert nopickle.guard.is_enabled()
    end.send(Thing(3))
    queue.put(Thing(4))
"""

HARMLESS = {
    **{
        f"multiprocessing, {method}": f"""
        import multiprocessing
        from concurrent.futures import ProcessPoolExecutor
        if __name__ == "__main__":
            context = multiprocessing.get_context("{method}")
            with context.Pool(2) as pool:
                assert [t.x for t in pool.map(double, [Thing(1), Thing(2), Thing(3)])] == [2, 4, 6]
            with ProcessPoolExecutor(2, mp_context=context) as pool:
                assert [t.x for t in pool.map(double, [Thing(1)])] == [2]
            queue, (one, other) = context.Queue(), context.Pipe()
            process = context.Process(target=answer, args=(queue, other))
            process.start()
            assert (one.recv().x, queue.get().x) == (3, 4)
            process.join()
            one, other = context.Pipe(duplex=False)
            other.send(Thing(5))
            assert one.recv().x == 5
            simple = context.SimpleQueue()
            simple.put(Thing(6))
            assert simple.get().x == 6
            with context.Manager() as manager:
                shared = manager.dict()
                shared["x"] = Thing(7)
                assert shared["x"].x == 7
        """
        for method in ("fork", "spawn", "forkserver")
    },
    "joblib": """
        import joblib, numpy
        def inside(x):
            return nopickle.guard.is_enabled() and x + 1
        if __name__ == "__main__":
            ones = numpy.ones(1_000_000)  # large enough to be handed over as a file
            workers = joblib.Parallel(2)
            assert workers(joblib.delayed(numpy.sum)(ones) for _ in range(3)) == [1e6] * 3
            assert workers(joblib.delayed(inside)(x) for x in range(3)) == [1, 2, 3]
            assert workers(joblib.delayed(lambda t: t.x)(Thing(x)) for x in range(3)) == [0, 1, 2]
            wrapped = joblib.wrap_non_picklable_objects(lambda x: x + 1)
            assert workers(joblib.delayed(wrapped)(x) for x in range(3)) == [1, 2, 3]
            old = joblib.Parallel(2, backend="multiprocessing")
            assert old(joblib.delayed(numpy.sum)(ones) for _ in range(3)) == [1e6] * 3
        """,
    "scikit-learn": """
        from sklearn.datasets import load_iris
        from sklearn.ensemble import RandomForestClassifier
        from sklearn.model_selection import GridSearchCV, cross_val_score
        if __name__ == "__main__":
            X, y = load_iris(return_X_y=True)
            forest = RandomForestClassifier(5, random_state=0)
            search = GridSearchCV(forest, {"max_depth": [1, 3]}, n_jobs=2).fit(X, y)
            assert search.best_score_ > 0.9
            assert len(cross_val_score(forest, X, y, n_jobs=2)) == 5
        """,
    "models without pickle": """
        import nopickle, numpy
        from sklearn.datasets import load_iris
        from sklearn.ensemble import RandomForestClassifier
        X, y = load_iris(return_X_y=True)
        forest = RandomForestClassifier(5, random_state=0).fit(X, y)
        nopickle.sklearn.save_model(forest, "model")
        again = nopickle.sklearn.load_model("model")
        assert numpy.array_equal(again.predict_proba(X), forest.predict_proba(X))
        """,
    "copies and plain data": """
        import collections, copy, datetime, decimal, pickle, shelve
        assert copy.deepcopy([Thing(1)])[0].x == 1
        assert copy.copy(Thing(1)).x == 1
        data = [
            1, 2.5, 3j, "text", b"bytes", bytearray(b"x"), None, True, (1,), [2], {"k": {3}},
            frozenset((4,)), collections.OrderedDict(a=1), collections.defaultdict(list, a=[1]),
            collections.deque([1], 3), datetime.datetime(2026, 1, 2, tzinfo=datetime.timezone.utc),
            datetime.date(2026, 1, 2), datetime.timedelta(1), datetime.time(1), decimal.Decimal("1.5"),
        ]
        for protocol in range(6):
            assert pickle.loads(pickle.dumps(data, protocol)) == data, protocol
            assert pickle._loads(pickle._dumps(data, protocol)) == data, protocol
        with shelve.open("shelf") as shelf:
            shelf["x"] = data
            assert shelf["x"] == data
        """,
    "imports": """
        import cloudpickle, joblib, lightgbm, mlflow, mlflow.pyfunc, mlflow.sklearn, numpy, pandas
        import scipy.stats, sklearn.ensemble, skops.io
        """,
    "pytest": """
        import pathlib, pytest
        pathlib.Path("test_it.py").write_text("def test_it():\\n    assert 1 + 1 == 2\\n")
        for _ in range(2):  # the second time with the rewritten bytecode of the first
            assert pytest.main(["-q", "-p", "no:cacheprovider", "test_it.py"]) == 0
            sys.modules.pop("test_it")
        """,
    "programs that are started": """
        import ctypes, subprocess
        ctypes.CDLL(None)
        command = [sys.executable, "-c", "import nopickle.guard; print(nopickle.guard.is_enabled())"]
        assert subprocess.check_output(command, text=True) == "True\\n"
        assert os.system("true") == 0
        """,
}


@pytest.mark.parametrize("program", HARMLESS.values(), ids=HARMLESS)
def test_a_harmless_program_goes_on(program: str, tmp_path: Path) -> None:
    end = "\nassert nopickle.guard.report() == [], nopickle.guard.report()\n"
    run(THINGS + textwrap.dedent(program) + end, tmp_path)


# ---------------------------------------------------------------------------------------------
# The decision
# ---------------------------------------------------------------------------------------------


def test_what_any_unpickler_may_resolve_can_not_be_changed() -> None:
    # A pickle can set attributes on what it resolves.
    rows = _rust.guard_plain()
    assert rows == sorted(rows)
    for module, name in rows:
        found = pickle.loads(f"c{module}\n{name}\n.".encode())
        with pytest.raises((TypeError, AttributeError)):
            found.nopickle_was_here = 1


def test_the_document_lists_what_any_unpickler_may_resolve() -> None:
    text = (Path(__file__).parents[2] / "docs/concepts/guard.md").read_text()
    _, _, table = text.partition("<!-- the table PLAIN")
    module, names = "", set()
    for word in re.findall(r"`([\w.]+)`", table.partition("\n\n")[0]):
        if word == "__builtin__":
            continue
        if word.endswith("."):
            module = word
        else:
            names.add(word if "." in word else module + word)
    assert names == {f"{m}.{n}" for m, n in _rust.guard_plain() if m != "__builtin__"}


def test_a_name_of_several_parts_is_not_plain(tmp_path: Path) -> None:
    text = run(
        """
        import pickle
        data = pickle.PROTO + b"\\x04" + b"\\x8c\\x08builtins\\x8c\\x08set.copy\\x93."
        try:
            pickle.loads(data)
        except Exception as error:
            print(error.names)
        """,
        tmp_path,
    )
    assert text == "['builtins.set.copy']\n"


@pytest.mark.parametrize("switch", [None, "true", "1", "YES"])
def test_with_the_switch_on_a_name_is_logged_once(switch: str | None, tmp_path: Path) -> None:
    plain(tmp_path / "data.pkl", tmp_path / "marker")
    text = run(
        """
        import os, pickle
        for _ in range(2):
            with open("./data.pkl", "rb") as file:
                pickle.load(file)
            os.rmdir("marker")
        print([(f.name, f.decision, f.file) for f in nopickle.guard.report()])
        """,
        tmp_path,
        switch,
    )
    assert text.count("a pickle in './data.pkl' asks for posix.mkdir") == 1
    assert text.endswith("[('posix.mkdir', 'resolved', './data.pkl')]\n")


def test_audit_only_reports_and_refuses_nothing(tmp_path: Path) -> None:
    plain(tmp_path / "data.pkl", tmp_path / "marker")
    code = """
        import nopickle.guard, pickle
        nopickle.guard.enable(audit_only=True)
        def read():
            with open("./data.pkl", "rb") as file:
                return pickle.load(file)
        read()
        print([(f.event, f.name, f.decision) for f in nopickle.guard.report()])
        nopickle.guard.enable()
        nopickle.guard.enable(audit_only=True)  # does not take the refusals back
        read()
        """
    text = output(started(code, tmp_path), 1)
    assert "asks for posix.mkdir, which would be refused" in text
    assert "[('pickle.find_class', 'posix.mkdir', 'would be refused')]" in text
    assert "RefusedPickleError: a pickle in './data.pkl' asks for posix.mkdir" in text


def test_the_switch_is_asked_at_each_name(tmp_path: Path) -> None:
    text = run(
        f"""
        import os, pickle
        data = pickle.dumps(print)
        assert pickle.loads(data) is print
        os.environ["{SWITCH}"] = "no"
        try:
            pickle.loads(data)
        except nopickle.exceptions.UntrustedTypesError as error:
            print(error.names)
        os.environ["{SWITCH}"] = "maybe"
        try:
            pickle.loads(data)
        except nopickle.exceptions.NopickleError as error:
            print(error)
        """,
        tmp_path,
        None,
    )
    assert "['builtins.print']" in text
    assert "'maybe'; it can be true" in text or '"maybe"; it can be true' in text


def test_a_refusal_says_the_file_the_caller_and_the_way_out(tmp_path: Path) -> None:
    plain(tmp_path / "data.pkl", tmp_path / "marker")
    text = run(
        "import pickle\ndef read(file):\n    return pickle.load(file)\n"
        "with open('./data.pkl', 'rb') as opened:\n    read(opened)",
        tmp_path,
        status=1,
    )
    assert "a pickle in './data.pkl' asks for posix.mkdir" in text
    assert "main0.py:4 in read)" in text
    assert "serialization_format='skops'" in text
    assert 'name = "posix.mkdir"' in text


def test_a_refusal_can_be_sent_to_another_process() -> None:
    error = exceptions.RefusedPickleError(["a.b"], "no")
    again = pickle.loads(pickle.dumps(error))
    assert (type(again), again.names, str(again)) == (type(error), ["a.b"], str(error))


def with_policy(folder: Path, text: str) -> str:
    """Write a policy, and return the code that enables the guard with it."""
    (folder / "policy.toml").write_text(text)
    return "import pickle, nopickle.guard\nnopickle.guard.enable(policy='policy.toml')\n"


REFUSED = """
try:
    print(pickle.loads(data))
except nopickle.exceptions.RefusedPickleError as error:
    print("refused", error.names)
"""


@pytest.mark.parametrize(
    ("entry", "answer"),
    [
        ('[[functions]]\nname = "builtins.print"', "<built-in function print>"),
        ('[[types]]\nname = "builtins.print"\nrole = "call"', "<built-in function print>"),
        ('[[types]]\nname = "builtins.print"\nrole = "instance"', "refused ['builtins.print']"),
        (
            '[[functions]]\nname = "builtins.print"\nuntil = 2001-01-01',
            "refused ['builtins.print']",
        ),
        ('[[functions]]\nname = "builtins.eval"', "refused ['builtins.print']"),
    ],
)
def test_the_policy_grants_names_that_may_be_called(
    entry: str, answer: str, tmp_path: Path
) -> None:
    code = with_policy(tmp_path, entry) + "data = pickle.dumps(print)\n" + REFUSED
    assert output(started(code, tmp_path)) == answer + "\n"


def test_the_default_list_grants_nothing_to_an_unpickler(tmp_path: Path) -> None:
    # On the list for the role `call`, and its state is followed by native code.
    assert _rust.Policy().grants("sklearn.tree._tree.Tree", "call")
    data = b"csklearn.tree._tree\nTree\n."
    text = run(f"import pickle\ndata = {data!r}\n{REFUSED}", tmp_path)
    assert text == "refused ['sklearn.tree._tree.Tree']\n"


def test_the_environment_grants_names(tmp_path: Path) -> None:
    text = run(
        "import pickle\ndata = pickle.dumps(print)\n" + REFUSED,
        tmp_path,
        NOPICKLE_TRUSTED="builtins.print",
    )
    assert text == "<built-in function print>\n"


def test_a_policy_can_refuse_pickles_while_the_switch_is_on(tmp_path: Path) -> None:
    code = with_policy(tmp_path, 'pickle = "deny"') + "pickle.loads(pickle.dumps(print))\n"
    text = output(started(code, tmp_path, "true"), 1)
    assert "RefusedPickleError: a pickle asks for builtins.print, and " in text
    assert 'policy.toml says pickle = "deny"' in text


def test_what_stands_behind_a_granted_name_is_decided_on_too(tmp_path: Path) -> None:
    np.save(tmp_path / "data.npy", objects(tmp_path / "marker"), allow_pickle=True)
    granted = [
        f"{module}.{name}"
        for module in ("numpy", "numpy._core.multiarray", "numpy.core.multiarray")
        for name in ("_reconstruct", "ndarray", "dtype")
    ]
    entries = "\n".join(f'[[functions]]\nname = "{name}"' for name in granted)
    code = with_policy(tmp_path, entries) + (
        "import numpy\nnumpy.load('./data.npy', allow_pickle=True)\n"
    )
    text = output(started(code, tmp_path), 1)
    assert "asks for posix.mkdir" in text
    assert not (tmp_path / "marker").exists()


def test_children_have_the_policy(tmp_path: Path) -> None:
    code = with_policy(tmp_path, '[[functions]]\nname = "builtins.print"') + (
        "import os, subprocess, sys\n"
        "child = 'import pickle; pickle.loads(pickle.dumps(print))("
        "1); pickle.loads(pickle.dumps(len))'\n"
        "os.chdir('/')\n"
        "done = subprocess.run([sys.executable, '-c', child], capture_output=True, text=True)\n"
        "print(done.returncode, done.stdout, done.stderr)\n"
    )
    text = output(started(code, tmp_path))
    assert text.startswith("1 1\n")
    assert "asks for builtins.len" in text


def test_a_second_policy_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "other.toml").write_text("")
    code = with_policy(tmp_path, "") + (
        "nopickle.guard.enable(policy='./policy.toml')\n"
        "nopickle.guard.enable(policy='other.toml')\n"
    )
    assert "ValueError: another policy holds already" in output(started(code, tmp_path), 1)


def test_a_policy_that_can_not_be_read_guards_nothing_and_says_so(tmp_path: Path) -> None:
    code = with_policy(tmp_path, "unknown = 1")
    assert "PolicyError: " in output(started(code, tmp_path), 1)


# ---------------------------------------------------------------------------------------------
# nopickle run
# ---------------------------------------------------------------------------------------------


def guarded_run(
    *arguments: str, folder: Path, stdin: str = "", **variables: str
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "nopickle", "run", *arguments],
        input=stdin,
        capture_output=True,
        text=True,
        cwd=folder,
        env={**os.environ, **variables},
        timeout=60,
        check=False,
    )


def test_run_gives_the_programs_status_and_streams(tmp_path: Path) -> None:
    code = "import nopickle.guard as g; print(g.is_enabled(), input()); raise SystemExit(7)"
    done = guarded_run("--", sys.executable, "-c", code, folder=tmp_path, stdin="hello\n")
    assert (done.returncode, done.stdout, done.stderr) == (7, "True hello\n", "")


def test_run_guards_scripts_modules_and_commands(tmp_path: Path) -> None:
    (tmp_path / "program.py").write_text(
        "import nopickle.guard, sys\nprint(nopickle.guard.is_enabled(), sys.argv[1:], sys.path[0])\n"
    )
    script = tmp_path / "command"
    script.write_text(f"#!{sys.executable}\nimport program\n")
    script.chmod(0o755)
    here = os.path.realpath(tmp_path)
    for arguments in (["program.py"], ["-m", "program"]):
        done = guarded_run("--", sys.executable, *arguments, "--x", "-I", folder=tmp_path)
        assert done.stdout == f"True ['--x', '-I'] {here}\n", done.stderr
    done = guarded_run("--", "./command", "1", folder=tmp_path)
    assert done.stdout == f"True ['1'] {here}\n", done.stderr


def test_run_passes_signals(tmp_path: Path) -> None:
    code = "import signal, sys, time; print('here', flush=True); time.sleep(60)"
    for number in (signal.SIGTERM, signal.SIGINT):
        child = subprocess.Popen(
            [sys.executable, "-m", "nopickle", "run", "--", sys.executable, "-c", code],
            cwd=tmp_path,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert child.stdout is not None
        assert child.stdout.readline() == "here\n"
        child.send_signal(number)
        _, errors = child.communicate(timeout=20)
        assert child.returncode == -number
        assert ("KeyboardInterrupt" in errors) == (number == signal.SIGINT)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([sys.executable, "-I", "program.py"], "not on in|can't import nopickle"),
        ([sys.executable, "-E", "program.py"], "not on in"),
        ([sys.executable, "-S", "program.py"], "can't import nopickle"),
        (["/bin/sh", "-c", "touch started"], "neither a Python interpreter nor a script"),
        (["./no-such-program"], "is not found"),
        (["--policy", "none.toml", sys.executable, "program.py"], "can't be read"),
    ],
)
def test_run_starts_nothing_that_it_can_not_guard(
    arguments: list[str], words: str, tmp_path: Path
) -> None:
    (tmp_path / "program.py").write_text("open('started', 'w')\n")
    done = guarded_run(*arguments, folder=tmp_path)
    assert done.returncode == 2
    assert done.stderr.startswith("error: ")
    assert "\nhint: " in done.stderr
    assert any(word in done.stderr for word in words.split("|")), done.stderr
    assert not (tmp_path / "started").exists()


def test_run_starts_nothing_where_nopickle_is_broken(tmp_path: Path) -> None:
    # A Python that finds another nopickle first: one without a guard.
    (tmp_path / "other" / "nopickle").mkdir(parents=True)
    (tmp_path / "other" / "nopickle" / "__init__.py").write_text("raise ImportError('no libc')\n")
    script = tmp_path / "python"
    script.write_text(f'#!/bin/sh\nPYTHONPATH=other exec "{sys.executable}" "$@"\n')
    script.chmod(0o755)
    done = guarded_run("--", "./python", "-c", "open('started', 'w')", folder=tmp_path)
    assert done.returncode == 2
    assert (
        "can't import nopickle, so the program is not started: ImportError: no libc" in done.stderr
    )
    assert not (tmp_path / "started").exists()


def test_the_sitecustomize_that_was_there_runs_too(tmp_path: Path) -> None:
    (tmp_path / "site").mkdir()
    (tmp_path / "site" / "sitecustomize.py").write_text("import builtins; builtins.before = 1\n")
    code = "import sys, sitecustomize; print(before, sitecustomize.__file__, 'nopickle.guard' in sys.modules)"
    done = guarded_run(
        "--", sys.executable, "-c", code, folder=tmp_path, PYTHONPATH=str(tmp_path / "site")
    )
    assert done.stdout == f"1 {tmp_path}/site/sitecustomize.py True\n", done.stderr


def test_run_refuses_and_audits(tmp_path: Path) -> None:
    plain(tmp_path / "data.pkl", tmp_path / "marker")
    program = [sys.executable, "-c", "import pickle; pickle.load(open('./data.pkl', 'rb'))"]
    done = guarded_run("--", *program, folder=tmp_path, **{SWITCH: "false"})
    assert done.returncode == 1
    assert "asks for posix.mkdir" in done.stderr
    assert not (tmp_path / "marker").exists()
    done = guarded_run("--audit-only", "--", *program, folder=tmp_path, **{SWITCH: "false"})
    assert done.returncode == 0
    assert "asks for posix.mkdir, which would be refused" in done.stderr
    assert (tmp_path / "marker").exists()
