"""What the decision costs: trust and verify beside the whole load of a model, small and large.

    python benches/gate.py                   # 15 rounds, a table; needs cargo
    python benches/gate.py --rounds 3

The steps are timed in Rust, by ``crates/gate/benches/decision.rs``: reading the graph; the decision of
a policy on its names, which is what opening by a policy takes beyond reading; reading the arrays; and
verifying them. The load is ``nopickle.skops.load`` of the same file, in the same run. The last column
is trust and verify over that load; the measure is a tenth for the forest and one millisecond for the
small models.
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
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(Path(__file__).parent))

import persistence  # noqa: E402

NAMES = ("logistic-iris", "pipeline-columns", "forest-500", "hist-gradient-boosting-300")


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
        bench = ["cargo", "bench", "--quiet", "--locked", "-p", "nopickle-gate"]
        bench += ["--bench", "decision", "--", str(rounds), *map(str, paths.values())]
        done = subprocess.run(bench, cwd=ROOT, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            sys.stderr.write(done.stderr)
            return 1
        print("| model | file | graph | trust | arrays | verify | load | trust + verify |")
        print("| --- | --- | --- | --- | --- | --- | --- | --- |")
        for (name, path), line in zip(paths.items(), done.stdout.splitlines(), strict=True):
            step = json.loads(line)
            load = load_time(path, rounds)
            decision = step["trust"] + step["verify"]
            print(
                f"| {name} | {path.stat().st_size / 1e6:.3g} MB "
                + "".join(
                    f"| {step[key]:.3g} ms " for key in ("read", "trust", "arrays", "verify")
                )
                + f"| {load:.3g} ms | {decision:.3g} ms, {decision / load:.1%} |"
            )
    return 0


if __name__ == "__main__":
    sys.exit(main())
