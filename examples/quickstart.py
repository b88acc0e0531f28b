"""Log a model, save one, audit it, load it, and see what is refused: `make demo`, or `python examples/quickstart.py`.

It writes into a temporary folder and runs nothing that a file brings.
"""

import io
import os
import pathlib
import pickle
import pickletools
import statistics
import subprocess
import sys
import tempfile
import textwrap
import time
import zipfile

import numpy as np
import sklearn
from sklearn.compose import make_column_transformer
from sklearn.datasets import load_iris
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

import nopickle
import nopickle as mlflow
from nopickle.exceptions import UntrustedTypesError, UnverifiedModelError

REPEATS = 9
WIDTH = 100


def title(number, text):
    """Print the head of a step."""
    print(f"\n{number}. {text}\n")


def say(text):
    """Print words, wrapped."""
    print(textwrap.fill(text, WIDTH, initial_indent="   ", subsequent_indent="   "))


def show(text, lines=12):
    """Print somebody else's words, indented and cut after a number of lines."""
    rows = text.rstrip().splitlines()
    for row in rows[:lines]:
        print(f"     | {row[:WIDTH]}")
    if len(rows) > lines:
        print(f"     | ... {len(rows) - lines} more lines")


def command(*words, status=0, lines=12):
    """Run the nopickle command as a user would, show what it prints, and hold it to its exit status."""
    print(f"   $ nopickle {' '.join(words)}")
    done = subprocess.run(
        [sys.executable, "-m", "nopickle", *words], capture_output=True, text=True, check=False
    )
    show(done.stdout + done.stderr, lines)
    print(f"     exit status {done.returncode}")
    if done.returncode != status:
        raise SystemExit(f"the exit status should be {status}")


def milliseconds(function):
    """Return the median time of some calls."""
    times = []
    for _ in range(REPEATS):
        start = time.perf_counter()
        function()
        times.append(time.perf_counter() - start)
    return 1000 * statistics.median(times)


def change_one_integer(source, target):
    """Copy a .skops file with one integer changed: the left child of the root of its first tree.

    Everything else is as it was, the checksums too: only a reader that knows what a tree is can tell.
    """
    changed = False
    with zipfile.ZipFile(source) as old, zipfile.ZipFile(target, "w") as new:
        for name in old.namelist():
            data = old.read(name)
            if name.endswith(".npy") and not changed:
                array = np.load(io.BytesIO(data), allow_pickle=False)
                if "left_child" in (array.dtype.names or ()):
                    array["left_child"][0] = 1_000_000
                    buffer = io.BytesIO()
                    np.save(buffer, array)
                    data = buffer.getvalue()
                    changed = True
            new.writestr(name, data)
    if not changed:
        raise SystemExit("no tree was found in the file")


class Greeting:
    """An object whose pickle calls os.system when it is read."""

    def __reduce__(self):
        """Say what a reader of the pickle would call."""
        return os.system, ("echo this ran while a model was loaded",)


def names_in_pickle(data):
    """Return the functions that reading a pickle would import, found without reading it."""
    strings, names = [], []
    for opcode, argument, _ in pickletools.genops(data):
        if opcode.name in {"SHORT_BINUNICODE", "BINUNICODE", "UNICODE"}:
            strings.append(argument)
        elif opcode.name == "STACK_GLOBAL":
            names.append(".".join(strings[-2:]))
        elif opcode.name == "GLOBAL":
            names.append(argument.replace(" ", "."))
    return names


def main():
    """Run the eight steps."""
    print(
        f"nopickle {nopickle.__version__}, scikit-learn {sklearn.__version__}, numpy {np.__version__}"
    )

    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        inputs, answers = load_iris(return_X_y=True)

        title(1, "Fit two models on the iris data")
        forest = RandomForestClassifier(n_estimators=100, random_state=0).fit(inputs, answers)
        say(f"a random forest: {len(forest.estimators_)} trees")
        columns = make_column_transformer(
            (StandardScaler(), [0, 1, 2]), (OneHotEncoder(handle_unknown="ignore"), [3])
        )
        pipeline = make_pipeline(columns, LogisticRegression(max_iter=1000)).fit(inputs, answers)
        say(f"a pipeline: {' -> '.join(type(step).__name__ for _, step in pipeline.steps)}")

        title(2, "Log the forest in a run, on the embedded store, and load it again")
        with mlflow.start_run(run_name="quickstart") as run:
            mlflow.log_param("trees", len(forest.estimators_))
            mlflow.log_metric("accuracy", forest.score(inputs, answers))
            start = time.perf_counter()
            info = mlflow.sklearn.log_model(
                forest,
                name="model",
                input_example=inputs[:2],
                registered_model_name="iris",
            )
            took = time.perf_counter() - start
        say(f"mlflow.sklearn.log_model(forest, ...)    {took * 1000:.0f} ms, {info.model_uri}")
        for uri in (f"runs:/{run.info.run_id}/model", "models:/iris/1"):
            loaded = mlflow.pyfunc.load_model(uri)
            same = np.array_equal(forest.predict(inputs), loaded.predict(inputs))
            print(f"   mlflow.pyfunc.load_model({uri!r}): same predictions: {same}")
            if not same:
                raise SystemExit("the loaded model answers differently")
        os.environ["MLFLOW_ALLOW_PICKLE_DESERIALIZATION"] = "false"
        mlflow.sklearn.load_model("models:/iris/1")
        del os.environ["MLFLOW_ALLOW_PICKLE_DESERIALIZATION"]
        say("MLFLOW_ALLOW_PICKLE_DESERIALIZATION=false: loads too, nothing of it is a pickle")

        title(3, "Save both as files")
        for model, name in [(forest, "forest.skops"), (pipeline, "pipeline.skops")]:
            nopickle.skops.dump(model, name)
            print(f"   nopickle.skops.dump(model, {name!r})    {os.path.getsize(name):,} bytes")
        same = nopickle.skops.dumps(forest) == pathlib.Path("forest.skops").read_bytes()
        say(f"the same model gives the same bytes: {same}")

        title(4, "Look at the files, without importing anything that they name")
        command("audit", "forest.skops", "pipeline.skops")
        command("inspect", "pipeline.skops", lines=24)

        title(5, "Load them: nothing to trust by hand")
        for model, name in [(forest, "forest.skops"), (pipeline, "pipeline.skops")]:
            loaded = nopickle.skops.load(name)
            same = np.array_equal(model.predict_proba(inputs), loaded.predict_proba(inputs))
            print(f"   nopickle.skops.load({name!r}): same predict_proba, bit for bit: {same}")
            if not same:
                raise SystemExit("the loaded model answers differently")

        title(6, "Change one integer in the file, checksums made right again")
        change_one_integer("forest.skops", "changed.skops")
        say(
            "The root of one tree now has child 1000000. scikit-learn follows it without looking, into "
            "memory that is not the tree's. Every name in the file is as trusted as before."
        )
        try:
            nopickle.skops.load("changed.skops")
            raise SystemExit("the changed file was loaded")
        except UnverifiedModelError as error:
            print("   nopickle.skops.load('changed.skops') raises UnverifiedModelError:")
            show(str(error))
        command("audit", "changed.skops", status=1)

        title(7, "A file that wants to run something")
        pickled = pickle.dumps(Greeting())
        say(
            f"A pickle may name any function. This one, of {len(pickled)} bytes, names "
            f"{', '.join(names_in_pickle(pickled))}; pickle.loads would call it before it returned. "
            "(It is not read here.)"
        )
        with zipfile.ZipFile("greeting.skops", "w") as archive:
            archive.writestr("schema.json", GREETING)
        say(
            "A .skops file can name it too. nopickle decides on names before it imports any of them:"
        )
        try:
            nopickle.skops.load("greeting.skops")
            raise SystemExit("the greeting was loaded")
        except UntrustedTypesError as error:
            print("   nopickle.skops.load('greeting.skops') raises UntrustedTypesError:")
            show(str(error))
            print(f"     error.names == {error.names}")
        command("audit", "greeting.skops", status=1)

        title(8, f"Sizes and times beside pickle (medians of {REPEATS}, this machine)")
        print(f"   {'':10} {'bytes':>22} {'dump, ms':>22} {'load, ms':>22}")
        print(f"   {'':10}" + f" {'pickle':>11}{'nopickle':>11}" * 3)
        for name, model in [("forest", forest), ("pipeline", pipeline)]:
            old, new = pickle.dumps(model, protocol=5), nopickle.skops.dumps(model)
            dump_old = milliseconds(lambda model=model: pickle.dumps(model, protocol=5))
            dump_new = milliseconds(lambda model=model: nopickle.skops.dumps(model))
            load_old = milliseconds(lambda old=old: pickle.loads(old))
            load_new = milliseconds(lambda new=new: nopickle.skops.loads(new))
            print(
                f"   {name:10} {len(old):11,}{len(new):11,} {dump_old:11.2f}{dump_new:11.2f}"
                f" {load_old:11.2f}{load_new:11.2f}"
            )
        os.chdir(os.sep)
    print("\nDone. `nopickle --help` and README.md say what else there is.")


GREETING = """{
  "__class__": "system", "__module__": "os", "__loader__": "ConstructorFromReduceNode", "__id__": 1,
  "content": {
    "__class__": "tuple", "__module__": "builtins", "__loader__": "TupleNode", "__id__": 2,
    "content": [
      {"__class__": "str", "__module__": "builtins", "__loader__": "JsonNode", "__id__": 3,
       "content": "\\"echo this ran while a model was loaded\\"", "is_json": true}
    ]
  },
  "protocol": 2, "_skops_version": "0.16.0"
}
"""

if __name__ == "__main__":
    main()
