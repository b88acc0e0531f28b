"""What the guard costs a harmless program: the same programs with it and without, in turn.

    python benches/guard.py                  # 9 rounds, a table
    python benches/guard.py --rounds 3

Each round starts each program twice, once with the guard enabled at its start, in an order that
changes from round to round. A program takes the processor time of its own work
(``time.process_time``, so that other work of the machine counts little), and the start of the
interpreter is not in it; the start itself is the processor time of a whole process. The table gives
medians, and the median of the rounds' ratios with the least and the greatest.
"""

from __future__ import annotations

import argparse
import os
import resource
import statistics
import subprocess
import sys
import textwrap

PROGRAMS = {
    "start of Python": ("pass", ""),
    "import sklearn, pandas, lightgbm": (
        "import sklearn.ensemble, sklearn.model_selection, pandas, lightgbm",
        "",
    ),
    "GridSearchCV, n_jobs=1": (
        "GridSearchCV(RandomForestClassifier(20, random_state=0), {'max_depth': [1, 2, 3]}).fit(X, y)",
        """
        from sklearn.datasets import load_iris
        from sklearn.ensemble import RandomForestClassifier
        from sklearn.model_selection import GridSearchCV
        X, y = load_iris(return_X_y=True)
        """,
    ),
    "JSON, 20,000 records": (
        "for _ in range(20): json.loads(json.dumps(data))",
        """
        import json
        data = [{"id": i, "name": f"name {i}", "values": [i, i / 3, None, True]} for i in range(20_000)]
        """,
    ),
    "copy.deepcopy, 20,000 records": (
        "copy.deepcopy(data)",
        """
        import copy
        data = [{"id": i, "name": f"name {i}", "values": [i, i / 3, None, True]} for i in range(20_000)]
        """,
    ),
    "a million audit events (id)": ("for _ in range(1_000_000): id(None)", ""),
    "2,000 objects through a pipe": (
        "for _ in range(2000):\n    one.send(thing)\n    other.recv()",
        """
        import fractions, multiprocessing
        one, other = multiprocessing.Pipe()
        thing = fractions.Fraction(1, 3)
        """,
    ),
}


def seconds(program: str, guarded: bool) -> float:
    """Run a program in a process of its own, and return what its work took."""
    work, before = PROGRAMS[program]
    enable = "import nopickle.guard; nopickle.guard.enable()\n" if guarded else ""
    code = (
        enable
        + "import time\n"
        + textwrap.dedent(before)
        + f"\nstart = time.process_time()\n{work}\nprint(time.process_time() - start)\n"
    )
    environment = {**os.environ, "MLFLOW_ALLOW_PICKLE_DESERIALIZATION": "false"}
    before_it = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True
    )
    after_it = resource.getrusage(resource.RUSAGE_CHILDREN)
    whole = after_it.ru_utime + after_it.ru_stime - before_it.ru_utime - before_it.ru_stime
    return whole if program == "start of Python" else float(done.stdout)


def main() -> int:
    """Measure, and print the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=9, help="default: %(default)s")
    options = parser.parse_args()
    times: dict[str, dict[bool, list[float]]] = {
        program: {False: [], True: []} for program in PROGRAMS
    }
    for number in range(options.rounds):
        for program, kept in times.items():
            for guarded in (False, True) if number % 2 else (True, False):
                kept[guarded].append(seconds(program, guarded))
        print(f"round {number + 1} of {options.rounds}", file=sys.stderr, flush=True)
    print("| program | without | with the guard | ratio (least to greatest) |")
    print("|---|--:|--:|--:|")
    for program, kept in times.items():
        ratios = [one / other for one, other in zip(kept[True], kept[False], strict=True)]
        cells = [f"{statistics.median(kept[guarded]) * 1000:.1f} ms" for guarded in (False, True)]
        spread = f"{min(ratios):.2f} to {max(ratios):.2f}"
        print(
            f"| {program} | {cells[0]} | {cells[1]} | {statistics.median(ratios):.2f} ({spread}) |"
        )
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
