"""The default list of trusted names: written, checked, and compared with what models hold.

    python cases/trusted_names.py             write the list and the tables of the documentation
    python cases/trusted_names.py --check     exit 1 where either is not what this would write, or
                                              a native class has no verifier
    python cases/trusted_names.py --roles     import every name that is installed here; exit 1
                                              where one does not fit its role
    python cases/trusted_names.py --survey    print the names that scikit-learn's models hold here
                                              and that nobody decided on; exit 1 where there are any
    python cases/trusted_names.py --ufuncs    call every ufunc of the list with awkward numbers; exit 1
                                              where one crashes, does not end or runs out of memory

What is decided stands in ``trusted_names.toml``. The first two need nothing but Python, so the
list never depends on what happens to be installed. The other three are for a new release of
scikit-learn, numpy or scipy: install it, run them, look at what they print, and put each name into
a group or under ``kept_out``. ``--survey`` needs skops with its tests, pytest and pandas; it fits
every estimator with the settings that its parameters allow. Each takes some minutes.
"""

from __future__ import annotations

import argparse
import importlib
import inspect
import io
import json
import os
import re
import signal
import sys
import types
import warnings
import zipfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

ROOT = Path(__file__).resolve().parent.parent
TABLE = Path(__file__).with_suffix(".toml")
LIST = ROOT / "crates/formats/src/trust/default.txt"
VERIFIERS = ROOT / "crates/formats/src/verify/mod.rs"
DOCUMENT = ROOT / "docs/concepts/trust.md"

ROLES = ("value", "instance", "call")
# Modules that scikit-learn 1.5 to 1.8 calls by their last name: what the reader takes them for.
MOVED = {"_loss": "sklearn._loss._loss"}


@dataclass(frozen=True)
class Group:
    """Names that were looked at together."""

    name: str
    role: str
    what: str
    why: str
    native: bool
    names: tuple[str, ...]


@dataclass(frozen=True)
class KeptOut:
    """Names that the list leaves out, exact or as a module and ``.*``."""

    what: str
    why: str
    names: tuple[str, ...]

    def holds(self, name: str) -> bool:
        """Whether this is about a name."""
        return any(
            name.startswith(pattern[:-1]) if pattern.endswith(".*") else name == pattern
            for pattern in self.names
        )


def read_table() -> tuple[list[Group], list[KeptOut]]:
    """Read the reviewed table, and stop where it contradicts itself."""
    table = tomllib.loads(TABLE.read_text(encoding="utf-8"))
    groups = [
        Group(
            name=row["name"],
            role=row["role"],
            what=row["what"],
            why=row["why"],
            native=row.get("native", False),
            names=tuple(
                f"{module}.{name}"
                for module, names in row["names"].items()
                for name in names.split()
            ),
        )
        for row in table["group"]
    ]
    kept_out = [
        KeptOut(row["what"], row["why"], tuple(row["names"].split())) for row in table["kept_out"]
    ]
    seen: dict[str, str] = {}
    for group in groups:
        if group.role not in ROLES:
            sys.exit(f"{group.name}: the role is none of {', '.join(ROLES)}")
        for name in group.names:
            if name in seen:
                sys.exit(f"{name} stands twice: in {seen[name]} and in {group.name}")
            seen[name] = group.name
            for row in kept_out:
                if row.holds(name):
                    sys.exit(f"{name} stands in {group.name} and is kept out: {row.what}")
    return groups, kept_out


def list_text(groups: list[Group]) -> str:
    """Return ``default.txt``: a name and its role on each line, sorted by the bytes of the name."""
    lines = {name: group.role for group in groups for name in group.names}
    return "".join(f"{name} {lines[name]}\n" for name in sorted(lines, key=str.encode))


def document_text(groups: list[Group], kept_out: list[KeptOut]) -> str:
    """Return the documentation with its two tables as the reviewed table has them."""
    rows = ["| names | count | role | why |", "|---|--:|---|---|"]
    for group in groups:
        native = "; native, so `verify/` has a row for each" if group.native else ""
        rows.append(f"| {group.what} | {len(group.names)} | `{group.role}` | {group.why}{native} |")
    total = sum(len(group.names) for group in groups)
    per_role = ", ".join(
        f"{sum(len(group.names) for group in groups if group.role == role)} `{role}`"
        for role in ROLES
    )
    rows.append(f"| **all** | **{total}** | {per_role} | |")
    out = ["| kept out | why | names |", "|---|---|---|"]
    for row in kept_out:
        names = row.names
        shown = ", ".join(f"`{name}`" for name in names[:4])
        more = f" and {len(names) - 4} more" if len(names) > 4 else ""
        out.append(f"| {row.what} | {row.why} | {shown}{more} |")
    text = DOCUMENT.read_text(encoding="utf-8")
    for mark, table in (("groups", rows), ("kept-out", out)):
        pattern = re.compile(f"(<!-- {mark} -->\n).*?(<!-- /{mark} -->\n)", re.DOTALL)
        text, count = pattern.subn(
            lambda match, table=table: match[1] + "\n".join(table) + "\n" + match[2], text
        )
        if count != 1:
            sys.exit(f"{DOCUMENT.name} has no place for the table of {mark}")
    return text


def without_verifier(groups: list[Group]) -> list[str]:
    """Return the native classes on the list that ``verify/mod.rs`` has no row for."""
    rows = set(
        re.findall(r'^\s*\(?\s*"([\w.]+)",', VERIFIERS.read_text(encoding="utf-8"), re.MULTILINE)
    )
    return sorted(
        name for group in groups if group.native for name in group.names if name not in rows
    )


def write() -> int:
    """Write the list and the tables of the documentation."""
    groups, kept_out = read_table()
    LIST.write_text(list_text(groups), encoding="utf-8", newline="\n")
    DOCUMENT.write_text(document_text(groups, kept_out), encoding="utf-8", newline="\n")
    return 0


def check() -> int:
    """Compare the list, the documentation and the verifiers with the reviewed table."""
    groups, kept_out = read_table()
    wrong = []
    if LIST.read_bytes() != list_text(groups).encode():
        wrong.append(f"{LIST.relative_to(ROOT)} is not what cases/trusted_names.py writes")
    if DOCUMENT.read_bytes() != document_text(groups, kept_out).encode():
        wrong.append(f"{DOCUMENT.relative_to(ROOT)} is not what cases/trusted_names.py writes")
    wrong += [
        f"{name} is native and has no row in {VERIFIERS.name}" for name in without_verifier(groups)
    ]
    for line in wrong:
        print(line, file=sys.stderr)
    return 1 if wrong else 0


# Roles


def found(name: str) -> Any:
    """Import what a name says; ``None`` where it is not installed here."""
    parts = name.split(".")
    for end in range(len(parts) - 1, 0, -1):
        try:
            thing = importlib.import_module(".".join(parts[:end]))
        except ImportError:
            continue
        for part in parts[end:]:
            thing = getattr(thing, part, None)
        return thing
    return None


def misfit(name: str, thing: Any, group: Group) -> str | None:
    """Return why a thing does not fit the role that its name has, or ``None``."""
    if group.role == "value":
        return None if callable(thing) else "is neither a class nor a function"
    if not isinstance(thing, type):
        return f"has the role {group.role} and is no class"
    if inspect.isabstract(thing):
        return f"has the role {group.role} and is abstract"
    if issubclass(thing, (type, types.ModuleType, io.IOBase)):
        return f"has the role {group.role} and makes classes, modules or files"
    module = sys.modules.get(MOVED.get(thing.__module__, thing.__module__))
    file = getattr(module, "__file__", None) or ""
    standard = thing.__module__.partition(".")[0] in sys.stdlib_module_names
    if file.endswith((".so", ".pyd")) and not standard and not group.native:
        return "is native, and its group does not say so"
    return None


def roles() -> int:
    """Import every name of the list and compare it with its role."""
    warnings.simplefilter("ignore")
    for module in ("enable_halving_search_cv", "enable_iterative_imputer"):
        importlib.import_module(f"sklearn.experimental.{module}")
    groups, _ = read_table()
    wrong, here, absent = [], 0, []
    for group in groups:
        for name in group.names:
            thing = found(name)
            if thing is None:
                absent.append(name)
                continue
            here += 1
            why = misfit(name, thing, group)
            if why:
                wrong.append(f"{name} {why}")
    for line in wrong:
        print(line, file=sys.stderr)
    print(
        f"{here} names are installed here and {here - len(wrong)} fit; {len(absent)} are of other versions"
    )
    return 1 if wrong else 0


# Survey


@contextmanager
def time_limit(seconds: int) -> Iterator[None]:
    """Stop what takes longer."""

    def stop(*_: Any) -> None:
        raise TimeoutError

    before = signal.signal(signal.SIGALRM, stop)
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


def settings(estimator: Any) -> Iterator[tuple[str, Any]]:
    """Give each setting of one parameter that scikit-learn's own constraints name."""
    from sklearn.utils._param_validation import Options

    parameters = estimator.get_params(deep=False)
    for parameter, constraints in getattr(estimator, "_parameter_constraints", {}).items():
        if parameter not in parameters or parameter in ("memory", "n_jobs", "verbose"):
            continue
        for constraint in constraints if isinstance(constraints, list) else ():
            if isinstance(constraint, Options):
                yield from ((parameter, option) for option in sorted(constraint.options, key=repr))
            elif constraint in ("boolean", "verbose"):
                yield from ((parameter, True), (parameter, False))
            elif constraint is None:
                yield parameter, None
            elif constraint == "cv_object":
                yield parameter, 3
            elif constraint == "random_state":
                import numpy as np

                yield parameter, np.random.RandomState(0)


def inputs(estimator: Any, X: Any, y: Any) -> Iterator[tuple[Any, Any]]:
    """Give the input of skops' own tests, and the same as other types."""
    import numpy as np
    import pandas as pd
    from scipy import sparse
    from sklearn.base import is_classifier, is_regressor

    yield X, y
    if not isinstance(X, np.ndarray) or X.ndim != 2:
        return
    yield X.astype(np.float32), y
    yield sparse.csr_matrix(X), y
    yield pd.DataFrame(X, columns=[f"f{column}" for column in range(X.shape[1])]), y
    if y is not None and is_classifier(estimator):
        three = np.arange(len(y)) % 3
        yield X, three
        yield X, np.array(["a", "b", "c"], dtype=object)[three]
        yield X, np.column_stack([three % 2, (three + 1) % 2])
    elif y is not None and is_regressor(estimator):
        yield X, np.column_stack([y, y])


def fitted_estimators() -> Iterator[Any]:
    """Give every estimator, unfitted and fitted, with each setting of each parameter."""
    from sklearn.base import clone
    from sklearn.utils._testing import set_random_state
    from skops.io.tests import test_persist

    estimators = [*test_persist._tested_estimators(), *test_persist._unsupported_estimators()]
    for estimator in estimators:
        yield estimator
        if type(estimator).__name__ == "PatchExtractor":
            continue  # its input is an image that needs a package of its own
        set_random_state(estimator, 0)
        X, y = test_persist.get_input(estimator)
        trials = [(clone(estimator), *given) for given in inputs(estimator, X, y)]
        trials += [(clone(estimator), {name: value}, X, y) for name, value in settings(estimator)]
        for candidate, *rest in trials:
            *parameters, Xt, yt = rest
            try:
                with time_limit(8):
                    for setting in parameters:
                        candidate.set_params(**setting)
                    candidate.fit(Xt, yt) if yt is not None else candidate.fit(Xt)
            except Exception:
                continue  # scikit-learn refuses the combination
            yield candidate


def parts() -> Iterator[Any]:
    """Give what users pass to estimators: scorers, splitters, kernels, distances, functions."""
    import numpy as np
    import pandas as pd
    import sklearn.model_selection
    from sklearn import ensemble, impute
    from sklearn.calibration import CalibratedClassifierCV
    from sklearn.compose import ColumnTransformer, make_column_selector
    from sklearn.feature_extraction.text import ENGLISH_STOP_WORDS, CountVectorizer
    from sklearn.gaussian_process import GaussianProcessRegressor, kernels
    from sklearn.linear_model import LogisticRegression, SGDClassifier
    from sklearn.metrics import DistanceMetric, get_scorer, get_scorer_names, pairwise
    from sklearn.model_selection import GridSearchCV, KFold
    from sklearn.neighbors import VALID_METRICS, NearestNeighbors
    from sklearn.preprocessing import OneHotEncoder, StandardScaler

    rng = np.random.RandomState(0)
    X = rng.uniform(size=(60, 4))
    y = X @ [1.0, 2.0, 3.0, 4.0]
    classes = (y > y.mean()).astype(int)
    extra = {
        "minkowski": {"p": 3, "w": np.ones(4)},
        "p": {"p": 3},
        "seuclidean": {"V": np.ones(4)},
        "mahalanobis": {"V": np.eye(4)},
    }

    for scorer in get_scorer_names():
        yield get_scorer(scorer)
    for name in sklearn.model_selection.__all__:
        splitter = getattr(sklearn.model_selection, name, None)
        if not isinstance(splitter, type) or not hasattr(splitter, "split"):
            continue
        for arguments in ((), (2,), ([0, 1],)):
            try:
                yield splitter(*arguments)
                break
            except (TypeError, ValueError):
                continue
    for kernel in (
        kernels.RBF() + kernels.WhiteKernel() * kernels.ConstantKernel(),
        kernels.Matern() ** 2,
        kernels.CompoundKernel([kernels.RationalQuadratic(), kernels.ExpSineSquared()]),
        kernels.PairwiseKernel() + kernels.DotProduct(),
    ):
        yield kernel
        if not isinstance(kernel, kernels.CompoundKernel):
            yield GaussianProcessRegressor(kernel, optimizer=None).fit(X, y)
    for algorithm, metrics in VALID_METRICS.items():
        for metric in metrics:
            if metric == "precomputed":
                continue
            try:
                yield NearestNeighbors(
                    algorithm=algorithm, metric=metric, metric_params=extra.get(metric)
                ).fit(X)
            except (TypeError, ValueError):
                continue
            for dtype in (np.float32, np.float64):
                try:
                    yield DistanceMetric.get_metric(metric, dtype=dtype, **extra.get(metric, {}))
                except (TypeError, ValueError):
                    continue
    yield from (f for f in pairwise.PAIRWISE_KERNEL_FUNCTIONS.values() if f)
    yield from (f for f in pairwise.PAIRWISE_DISTANCE_FUNCTIONS.values() if f)
    for loss in (
        "hinge",
        "log_loss",
        "modified_huber",
        "squared_hinge",
        "perceptron",
        "squared_error",
        "huber",
    ):
        yield SGDClassifier(loss=loss).fit(X, classes)
    for loss in ("squared_error", "absolute_error", "gamma", "poisson", "quantile"):
        for scoring in ("loss", "neg_mean_squared_error"):
            yield ensemble.HistGradientBoostingRegressor(
                loss=loss, max_iter=2, quantile=0.4, early_stopping=True, scoring=scoring
            ).fit(X, y + 1)
    for arguments in (
        {"scoring": ["accuracy", "f1"], "refit": "f1"},
        {"cv": KFold(3)},
        {"cv": list(KFold(3).split(X))},
    ):
        yield GridSearchCV(LogisticRegression(), {"C": range(1, 3)}, **arguments).fit(X, classes)
    for method in ("sigmoid", "isotonic"):
        yield CalibratedClassifierCV(LogisticRegression(), method=method).fit(X, classes)
    holes = X.copy()
    holes[::7, 1] = np.nan
    yield impute.IterativeImputer(max_iter=2, add_indicator=True).fit(holes)
    table = pd.DataFrame({"a": X[:, 0], "b": X[:, 1], "c": pd.Categorical(list("xy") * 30)})
    for remainder in ("drop", "passthrough", StandardScaler()):
        columns = [
            ("c", OneHotEncoder(), ["c"]),
            ("n", StandardScaler(), make_column_selector("a")),
        ]
        yield ColumnTransformer(columns, remainder=remainder).fit(table)
    yield ensemble.HistGradientBoostingClassifier(max_iter=2, categorical_features=["c"]).fit(
        table, classes
    )
    yield CountVectorizer(stop_words=ENGLISH_STOP_WORDS)
    yield LogisticRegression().fit(X, classes)


def names_in_file(model: Any) -> set[str]:
    """Return the names that stand in the file that skops writes of a model."""
    from skops.io import dumps

    with zipfile.ZipFile(io.BytesIO(dumps(model))) as archive:
        todo = [json.loads(archive.read("schema.json"))]
    names = set()
    while todo:
        node = todo.pop()
        if isinstance(node, dict):
            module = node.get("__module__")
            if module:
                names.add(f"{MOVED.get(module, module)}.{node['__class__']}")
            todo.extend(node.values())
        elif isinstance(node, list):
            todo.extend(node)
    return names


def names_in_memory(model: Any) -> set[str]:
    """Return the names of what a model holds, where skops cannot write it."""
    names, kept, todo = set(), {}, [model]
    while todo:
        thing = todo.pop()
        if id(thing) in kept:
            continue
        kept[id(thing)] = thing
        if isinstance(thing, types.MethodType):
            owner = type(thing.__self__)
            names.add(f"{owner.__module__}.{owner.__name__}.{thing.__name__}")
            continue
        named = thing if isinstance(thing, (type, types.FunctionType)) else type(thing)
        names.add(f"{MOVED.get(named.__module__, named.__module__)}.{named.__name__}")
        if isinstance(thing, dict):
            todo.extend(thing.values())
        elif isinstance(thing, (list, tuple, set, frozenset)):
            todo.extend(thing)
        elif type(thing).__name__ == "ndarray" and thing.dtype == object:
            todo.extend(thing.ravel().tolist())
        elif named is type(thing):
            todo.extend(getattr(thing, "__dict__", {}).values())
    return names


def survey() -> int:
    """Print the names that models hold here and that the table does not decide on."""
    warnings.simplefilter("ignore")
    for module in ("enable_halving_search_cv", "enable_iterative_imputer"):
        importlib.import_module(f"sklearn.experimental.{module}")
    groups, kept_out = read_table()
    # What needs no decision: nodes of plain values.
    decided = {name for group in groups for name in group.names} | {"builtins.NoneType"}
    models, undecided = 0, dict[str, str]()

    def look(things: Iterable[Any]) -> None:
        nonlocal models
        for thing in things:
            models += 1
            try:
                names = names_in_file(thing)
            except (TypeError, RecursionError, ValueError):
                names = names_in_memory(thing)
            for name in names - decided:
                if not any(row.holds(name) for row in kept_out):
                    undecided.setdefault(name, repr(thing).split("(")[0])

    look(fitted_estimators())
    look(parts())
    for name, model in sorted(undecided.items()):
        print(f"{name}\t{model}")
    print(f"{models} models, {len(undecided)} names that nobody decided on", file=sys.stderr)
    return 1 if undecided else 0


# Ufuncs

NUMBERS = (
    0.0, 1.0, -1.0, 0.5, 2.0, 3.0, -2.5, 0.999, -7.0, 20.0, 50.0, 200.0, 499.0, 1000.5, 1e5, -1e5,
    2.0**31, 2.0**31 - 1, -(2.0**31), 1e18, -1e18, 1e-300, 1e300, -1e300,
    float("inf"), float("-inf"), float("nan"),
)  # fmt: skip
CALLS = 20_000
SECONDS = 3


def call_ufuncs(names: list[str]) -> int:
    """Call ufuncs with awkward numbers; what is called next is written to the start of stdout."""
    import resource

    import numpy as np

    np.seterr(all="ignore")
    resource.setrlimit(resource.RLIMIT_AS, (8 << 30, 8 << 30))
    rng = np.random.RandomState(0)
    for name in names:
        ufunc = found(name)
        for kind in "dlD":
            if not any(types.startswith(kind) for types in ufunc.types):
                continue
            count = len(NUMBERS) ** ufunc.nin
            picked = rng.randint(count, size=CALLS) if count > CALLS else np.arange(count)
            digits = [picked // len(NUMBERS) ** place % len(NUMBERS) for place in range(ufunc.nin)]
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                columns = [np.array(NUMBERS)[digit].astype(kind) for digit in digits]
            for numbers in zip(*columns, strict=True):
                line = f"{name}({', '.join(map(str, numbers))})".ljust(400)
                os.pwrite(sys.stdout.fileno(), line.encode(), 0)
                signal.setitimer(signal.ITIMER_PROF, SECONDS)  # the default action ends the process
                try:
                    ufunc(*numbers)
                except (TypeError, ValueError):
                    pass
                finally:
                    signal.setitimer(signal.ITIMER_PROF, 0)
    return 0


def ufuncs() -> int:
    """Print the ufuncs of the list that a number crashes, or keeps busy."""
    import subprocess
    import tempfile

    import numpy as np

    groups, _ = read_table()
    names = [
        name
        for group in groups
        for name in group.names
        if group.role == "value" and isinstance(found(name), np.ufunc)
    ]
    wrong, tried = 0, len(names)
    while names:
        with tempfile.TemporaryFile() as calls:
            command = [sys.executable, __file__, "--call-ufuncs", *names]
            child = subprocess.run(command, stdout=calls, stderr=subprocess.DEVNULL, check=False)
            if child.returncode == 0:
                break
            last = os.pread(calls.fileno(), 400, 0).decode().strip()
        wrong += 1
        signalled = (
            signal.Signals(-child.returncode).name if child.returncode < 0 else "an exception"
        )
        ended = f"takes more than {SECONDS} s" if signalled == "SIGPROF" else f"ends in {signalled}"
        print(f"{last} {ended}")
        names = names[names.index(last.partition("(")[0]) + 1 :]
    print(f"{tried} ufuncs, {wrong} that are not harmless", file=sys.stderr)
    return 1 if wrong else 0


def main() -> int:
    """Do what the arguments say."""
    parser = argparse.ArgumentParser(description="The default list of trusted names.")
    choice = parser.add_mutually_exclusive_group()
    choice.add_argument(
        "--check", action="store_const", const=check, dest="do", help="compare, write nothing"
    )
    choice.add_argument(
        "--roles",
        action="store_const",
        const=roles,
        dest="do",
        help="import each name, check its role",
    )
    choice.add_argument(
        "--survey", action="store_const", const=survey, dest="do", help="print names to decide on"
    )
    choice.add_argument(
        "--ufuncs",
        action="store_const",
        const=ufuncs,
        dest="do",
        help="call each ufunc of the list",
    )
    choice.add_argument("--call-ufuncs", nargs="+", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.call_ufuncs:
        return call_ufuncs(arguments.call_ufuncs)
    return (arguments.do or write)()


if __name__ == "__main__":
    sys.exit(main())
