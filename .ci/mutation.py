"""Breaks each check of `.ci/mutations.toml` once, and says which of them no test missed.

    .ci/run mutation [WORD...]      rows whose check holds one of the words; all without

The tree must be clean; every file is put back, whatever happens. The exit status is 1 where a broken check went unseen.
"""

from __future__ import annotations

import os
import pathlib
import subprocess
import sys

import tomllib

ROOT = pathlib.Path(__file__).parents[1]


def command(test: list[str]) -> list[str]:
    """The command line of a test."""
    kind, *rest = test
    if kind == "crate":
        package, *which = rest
        target = [*which[:1], *([which[1]] if which[0] == "--test" else [])]
        return [
            "cargo",
            "test",
            "--quiet",
            "--locked",
            "-p",
            package,
            *target,
            *which[len(target) :],
        ]
    python = os.path.join(os.environ.get("VENV", ".venv"), "bin", "python")
    return [python, "-m", "pytest", "-q", "-x", *rest]


def run(test: list[str]) -> tuple[int, str]:
    """The exit status of a test, and its last words."""
    done = subprocess.run(
        command(test), cwd=ROOT, capture_output=True, text=True, check=False, timeout=1800
    )
    return done.returncode, (done.stdout + done.stderr)[-2000:]


def main() -> int:
    """Run the rows that were asked for; give the exit status."""
    rows = tomllib.loads((ROOT / ".ci/mutations.toml").read_text())["mutations"]
    words = sys.argv[1:]
    rows = [row for row in rows if not words or any(word in row["check"] for word in words)]
    survivors = []
    for row in rows:
        file = ROOT / row["file"]
        text = file.read_text()
        if text.count(row["search"]) != 1:
            print(f"stale     {row['check']}: its text stands {text.count(row['search'])} times")
            survivors.append(row)
            continue
        try:
            file.write_text(text.replace(row["search"], row["becomes"]))
            status, words_of_it = run(row["test"])
        finally:
            file.write_text(text)
        # A change that does not compile shows nothing.
        compiled = "could not compile" not in words_of_it
        seen = status != 0 and compiled
        state = "seen" if seen else "SURVIVED" if compiled else "NOT BUILT"
        print(f"{state:9} {row['check']}", flush=True)
        if not seen:
            survivors.append(row)
            if not compiled:
                print(words_of_it)
    print(f"{len(rows)} checks were broken, {len(rows) - len(survivors)} times a test failed")
    return 1 if survivors else 0


if __name__ == "__main__":
    sys.exit(main())
