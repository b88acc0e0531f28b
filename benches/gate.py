"""What the decision costs: trust and verify beside the whole load of a model, small and large.

    python benches/gate.py                   # 15 rounds, a table; needs cargo
    python benches/gate.py --rounds 3

The steps are timed in Rust, by ``crates/gate/benches/decision.rs``: reading the graph, the decision of
a policy on its names, reading and verifying the arrays. What verifying takes of the last is what a
twin of the file takes less: the same under names of classes that have no rules, measured in turn with
it. Both are read into memory that was used before, since getting fresh memory takes longer,
and varies by more, than the check. The load is ``nopickle.skops.load`` of the same
file. The last column is trust and verify over that load; the measure is a tenth for the forest and one
millisecond for the small models.
"""

from __future__ import annotations

import argparse
import gc
import json
import statistics
import subprocess
import sys
import tempfile
import time
import zipfile
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(Path(__file__).parent))

import persistence  # noqa: E402

NAMES = ("logistic-iris", "pipeline-columns", "forest-500", "hist-gradient-boosting-300")


def twin(path: Path) -> Path:
    """Write a file that differs in the names of scikit-learn's classes only, so that no rule is held, beside it."""
    other = path.with_suffix(".twin.skops")
    with zipfile.ZipFile(path) as theirs, zipfile.ZipFile(other, "w") as ours:
        for entry in theirs.infolist():
            data = theirs.read(entry)
            if entry.filename == "schema.json":
                data = json.dumps(without_rules(json.loads(data)), separators=(",", ":")).encode()
            ours.writestr(entry, data)
    return other


def without_rules(node: Any) -> Any:
    """Return a part of ``schema.json`` whose objects of scikit-learn are of classes that nobody knows."""
    if isinstance(node, list):
        return [without_rules(item) for item in node]
    if not isinstance(node, dict):
        return node
    node = {key: without_rules(value) for key, value in node.items()}
    if str(node.get("__module__")).startswith("sklearn."):
        node["__module__"] = f"twin.{node['__module__']}"
        if "__reduce__" in node:
            # Loaders of classes that are made with arguments know their class.
            parts = [node.pop("__reduce__")["args"], node["content"]]
            node["__loader__"] = "ObjectNode"
            node["content"] = {
                "__class__": "tuple",
                "__module__": "builtins",
                "__loader__": "TupleNode",
                "content": parts,
            }
    return node


def load_time(path: Path, rounds: int) -> float:
    """Return the median of loading a file, in milliseconds."""
    from nopickle import skops

    times = []
    for _ in range(rounds):
        gc.collect()
        start = time.perf_counter()
        model = skops.load(path)
        times.append((time.perf_counter() - start) * 1000)
        del model
    return statistics.median(times)


def main() -> int:
    """Measure, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--rounds", type=int, default=15)
    rounds = parser.parse_args().rounds
    from nopickle import skops

    with tempfile.TemporaryDirectory() as folder:
        paths = {}
        for name in NAMES:
            paths[name] = Path(folder) / f"{name}.skops"
            model, _ = persistence.MODELS[name].fit(False)
            skops.dump(model, paths[name])
        files = [str(file) for path in paths.values() for file in (path, twin(path))]
        bench = ["cargo", "bench", "--quiet", "--locked", "-p", "nopickle-gate"]
        bench += ["--bench", "decision", "--", str(rounds), *files]
        done = subprocess.run(bench, cwd=ROOT, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            sys.stderr.write(done.stderr)
            return 1
        steps = {step["path"]: step for step in map(json.loads, done.stdout.splitlines())}
        print("| model | file | graph | trust | arrays | verify | load | trust + verify |")
        print("| --- | --- | --- | --- | --- | --- | --- | --- |")
        for name, path in paths.items():
            step, other = steps[str(path)], steps[str(path.with_suffix(".twin.skops"))]
            load = load_time(path, rounds)
            verify = step["arrays"] - other["arrays"]
            decision = step["trust"] + verify
            cells = [
                name,
                f"{path.stat().st_size / 1e6:.3g} MB",
                f"{step['read'] + step['headers']:.3g} ms",
                f"{step['trust']:.3g} ms",
                f"{other['arrays']:.3g} ms",
                f"{verify:.3g} ms",
                f"{load:.3g} ms",
                f"{decision:.3g} ms, {decision / load:.1%}",
            ]
            print(f"| {' | '.join(cells)} |")
    return 0


if __name__ == "__main__":
    sys.exit(main())
