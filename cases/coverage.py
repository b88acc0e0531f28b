"""Which scikit-learn estimators nopickle saves and loads, measured, as docs/concepts/coverage.md.

    python cases/coverage.py run --json 1.9.json       # with a Python that has one scikit-learn
    python cases/coverage.py table *.json > docs/concepts/coverage.md

``run`` fits every case of ``python/tests/estimators.py``, saves and loads it with nothing trusted
by hand, and compares the loaded estimator and its answers with what pickle makes of it. ``table``
merges the results of several versions of scikit-learn into one page.
"""

from __future__ import annotations

import argparse
import json
import pickle
import re
import sys
import warnings
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "python" / "tests"))

SAME = "same"


def measure(name: str) -> str:
    """The outcome of one case: ``same``, or why not."""
    from estimators import fitted, outputs
    from same import differences

    from nopickle import exceptions, skops

    try:
        estimator, X = fitted(name)
    except Exception as error:
        return f"not fitted: {_words(error)}"
    try:
        data = skops.dumps(estimator)
        loaded = skops.loads(data)
    except exceptions.UntrustedTypesError as error:
        return f"untrusted: {', '.join(error.names)}"
    except Exception as error:
        return f"refused: {_words(error)}"
    expected = pickle.loads(pickle.dumps(estimator, protocol=5))
    told = differences(expected, loaded)
    if told and differences(estimator, loaded, layout=False):  # pickle, too, may change a value
        return f"holds something else: {told[0]}"
    told = differences(outputs(expected, X), outputs(loaded, X), sharing=False)
    if told:
        return f"answers something else: {told[0]}"
    return SAME


def _words(error: Exception) -> str:
    return f"{type(error).__name__}: {error}".splitlines()[0][:300]


def run(path: Path) -> int:
    """Measure every case with the libraries that are installed, and write the outcomes."""
    import numpy
    import scipy
    import sklearn
    from estimators import cases, estimator_classes

    warnings.simplefilter("ignore")
    outcomes = {}
    for case in cases():
        outcomes[case.name] = measure(case.name)
        if outcomes[case.name] != SAME:
            print(f"{case.name}: {outcomes[case.name]}", file=sys.stderr)
    found = {
        "scikit-learn": sklearn.__version__,
        "numpy": numpy.__version__,
        "scipy": scipy.__version__,
        "python": ".".join(map(str, sys.version_info[:2])),
        "classes": {cls.__name__: cls.__module__ for cls in estimator_classes()},
        "outcomes": outcomes,
    }
    path.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    same = sum(outcome == SAME for outcome in outcomes.values())
    print(
        f"scikit-learn {sklearn.__version__}: {same} of {len(outcomes)} the same", file=sys.stderr
    )
    return 0 if same == len(outcomes) else 1


HEAD = """\
# Which scikit-learn estimators are covered

Every estimator class that `sklearn.utils.all_estimators` lists, the experimental ones and
`FrozenEstimator` among them, was fitted, saved with `nopickle.skops.dumps` and loaded with
`nopickle.skops.loads`, with nothing trusted by hand. **yes** says that the loaded estimator holds
the same values, bit for bit and in the same memory order, as after a round trip through pickle
(protocol 5), that the same objects are shared in both, and that `predict`, `predict_proba`,
`decision_function`, `transform`, `score_samples` and every other method that takes inputs answer
the same bits. (A round trip through pickle may itself move an answer by 1e-16, since it lays arrays
out anew: IncrementalPCA, LabelPropagation and LabelSpreading are known for it. And numpy 1 does not
pickle the seed of a generator: where pickle changed a value, the value that was saved counts.)

Many classes are measured in several variants: neighbour trees with every kind of metric, support
vectors on sparse data, forests with missing values and several outputs, histograms with
categories, pipelines in pipelines. The column *cases* counts them. A dash says that this version
of scikit-learn does not have the class.

This page is made by `cases/coverage.py`; the cases are in `python/tests/estimators.py`.
"""


def _version(found: dict[str, Any]) -> tuple[int, ...]:
    return tuple(int(part) for part in re.findall(r"\d+", found["scikit-learn"])[:3])


LIGHTGBM = """\
## LightGBM

`python/tests/test_lightgbm.py` fits `LGBMClassifier`, `LGBMRegressor` and `LGBMRanker` in 27 ways
and holds each against itself after a round trip: two classes and several, one against the rest,
regression with nine objectives, ranking, an early stop, weights, several metrics, training that
went on from another model; dart, goss and random forests, linear trees, monotone constraints, trees
of one leaf; arrays, sparse matrices and frames with categories. Predictions, probabilities, raw
scores and leaves are the same bits, with nothing trusted by hand, alone and inside Pipeline,
Stacking, Voting, CalibratedClassifierCV, GridSearchCV, RandomizedSearchCV, OneVsRest, MultiOutput,
Bagging and AdaBoost. Stock skops loads what is written here, and the other way round; so does stock
MLflow 3.17 with estimators and boosters.

A `lightgbm.Booster` is also kept as its own text. Texts of LightGBM 2.2.3, 2.3.1, 3.0.0, 3.1.1,
3.3.5, 4.0.0, 4.6.0 and 4.7.0 are read and written back byte for byte. Not covered: a text with a
parser of the user's own, more than 10,000 classes, trees of more than 4096 levels, and texts that
other programs laid out in another way than LightGBM does.
"""


CATBOOST = """\
## CatBoost

`python/tests/test_catboost.py` fits `CatBoost`, `CatBoostClassifier`, `CatBoostRegressor` and
`CatBoostRanker` in 34 ways and holds each against itself after a round trip, as a skops file and as
a folder with CatBoost's own file: two classes and several, one against the rest, several labels,
more classes than were seen, regression with nine losses, several targets, quantiles, ranking, an
early stop, several test sets, weights, training that went on from another model; oblivious,
depthwise and lossguide trees; arrays, sparse matrices and frames; categories by one-hot values, by
all kinds of CTRs and by combinations. Predictions, raw values, probabilities and leaves are the
same bits, with nothing trusted by hand, alone and inside Pipeline, Stacking, Voting,
CalibratedClassifierCV, GridSearchCV, RandomizedSearchCV, OneVsRest, MultiOutput and Bagging. Stock
skops loads what is written here, and the other way round; so does stock MLflow 3.17.

Each byte of a `cbm` file belongs to a value that is looked at: offsets, trees, features, tables of
CTRs and the JSON that CatBoost reads at load. Files of CatBoost 1.2, 1.2.3, 1.2.5, 1.2.8 and 1.2.10
are read. Not covered, and refused: text and embedding features, other formats than `cbm`, oblivious
trees of more than 16 levels, more than 10,000 classes. What is left to CatBoost: the meaning of
training parameters, which only `fit` and `get_all_params` read, and answers that make no sense
because leaf values or counts do not.
"""


def table(paths: list[Path]) -> str:
    """The page, of the outcomes that several runs wrote."""
    runs = sorted((json.loads(path.read_text(encoding="utf-8")) for path in paths), key=_version)
    columns = [found["scikit-learn"] for found in runs]
    lines = [
        HEAD,
        "| scikit-learn | Python | numpy | scipy | classes | cases | the same |",
        "|---" * 7 + "|",
    ]
    for found in runs:
        outcomes = found["outcomes"].values()
        same = sum(outcome == SAME for outcome in outcomes)
        lines.append(
            f"| {found['scikit-learn']} | {found['python']} | {found['numpy']} | {found['scipy']} "
            f"| {len(found['classes'])} | {len(outcomes)} | {same} |"
        )

    reasons: dict[str, list[str]] = {}
    for found in runs:
        for name, outcome in found["outcomes"].items():
            if outcome != SAME:
                reasons.setdefault(f"`{name}`: {outcome}", []).append(found["scikit-learn"])
    lines += ["", "## Exceptions", ""]
    lines += [
        f"- {reason} (scikit-learn {', '.join(where)})" for reason, where in sorted(reasons.items())
    ]
    if not reasons:
        lines.append("None.")

    modules: dict[str, str] = {}
    for found in runs:
        modules.update(found["classes"])
    lines += ["", CATBOOST, LIGHTGBM, "## Every class", ""]
    lines += ["| class | module | cases | " + " | ".join(columns) + " |"]
    lines += ["|---" * (3 + len(columns)) + "|"]
    for name in sorted(modules, key=lambda name: (_public(modules[name]), name)):
        cells = []
        count = 0
        for found in runs:
            mine = [
                outcome
                for case, outcome in found["outcomes"].items()
                if case.partition("-")[0] == name and name in found["classes"]
            ]
            count = max(count, len(mine))
            bad = sum(outcome != SAME for outcome in mine)
            cells.append(
                "\u2013" if not mine else "yes" if not bad else f"not {bad} of {len(mine)}"
            )
        lines.append(f"| {name} | {_public(modules[name])} | {count} | " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def _public(module: str) -> str:
    return module.partition("._")[0]


def main() -> int:
    """Run or merge, as the arguments say."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    commands = parser.add_subparsers(dest="command", required=True)
    runs = commands.add_parser("run", help="measure every case with the installed scikit-learn")
    runs.add_argument("--json", type=Path, required=True, help="where to write the outcomes")
    tables = commands.add_parser("table", help="merge outcomes into a Markdown page")
    tables.add_argument("results", type=Path, nargs="+", help="what `run` wrote")
    arguments = parser.parse_args()
    if arguments.command == "run":
        return run(arguments.json)
    sys.stdout.write(table(arguments.results))
    return 0


if __name__ == "__main__":
    sys.exit(main())
