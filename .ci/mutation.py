"""Breaks each check of `.ci/mutations.toml` once, and says which of them no test missed.

    .ci/run mutation                every row
    .ci/mutation.py [WORD...]       rows whose check holds one of the words

The tests of the rows have to pass before anything is broken. The tree must be clean; every file is put back, whatever
happens. A file of the Python package is broken where pytest imports it, too. The exit status is 1 where a broken check
went unseen.

A row builds and runs its own test target and no other. `nopickle-formats` is built without the optimization that
`cargo test` gives it: that would take longer than its tests.
"""

from __future__ import annotations

import os
import pathlib
import signal
import subprocess
import sys
import time

import tomllib

ROOT = pathlib.Path(__file__).parents[1]
CARGO = ["cargo", "test", "--quiet", "--locked"]
UNOPTIMIZED = ["--config", "profile.dev.package.nopickle-formats.opt-level=0"]
PYTHON = [os.path.join(os.environ.get("VENV", ".venv"), "bin", "python")]
PACKAGE = "python/nopickle/"
NO_TESTS = 5
"""What pytest ends with where it found none."""


def command(test: list[str]) -> list[str]:
    """The command line of a test."""
    kind, *rest = test
    if kind == "crate":
        package, *which = rest
        return [*CARGO, *UNOPTIMIZED, "-p", package, *which]
    return [*PYTHON, "-m", "pytest", "-q", "-x", *rest]


def run(test: list[str]) -> tuple[int, str]:
    """The exit status of a test, and its words."""
    done = subprocess.run(
        command(test),
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=1800,
        env={"CARGO_PROFILE_DEV_DEBUG": "0", **os.environ},
    )
    return done.returncode, done.stdout + done.stderr


def tests_pass(rows: list[dict]) -> bool:
    """Whether each test of the rows passes, and runs something, while nothing is broken."""
    fine = True
    for test in sorted({tuple(row["test"]) for row in rows}):
        status, words = run(list(test))
        if status != 0 or (test[0] == "crate" and "test result: ok. 0 passed" in words):
            print(
                f"no pass before anything is broken: {' '.join(test)}\n{words[-2000:]}", flush=True
            )
            fine = False
    return fine


def installed() -> pathlib.Path:
    """The folder of the package that pytest imports: that of a wheel, or of the sources themselves."""
    asked = [*PYTHON, "-c", "import nopickle; print(nopickle.__path__[0])"]
    done = subprocess.run(asked, cwd=ROOT, capture_output=True, text=True, check=True)
    return pathlib.Path(done.stdout.strip())


def break_one(row: dict) -> str:
    """What became of a row: `seen`, or another word."""
    files = [ROOT / row["file"]]
    if row["file"].startswith(PACKAGE):
        files.append(installed() / row["file"].removeprefix(PACKAGE))
    text = files[0].read_text()
    if text.count(row["search"]) != 1:
        return "STALE"
    if any(file.read_text() != text for file in files):
        return "OLD WHEEL"
    try:
        for file in files:
            file.write_text(text.replace(row["search"], row["becomes"]))
        status, words = run(row["test"])
    finally:
        for file in files:
            file.write_text(text)
    # A change that does not compile shows nothing.
    if "could not compile" in words:
        print(words[-2000:])
        return "NOT BUILT"
    return "seen" if status not in (0, NO_TESTS) else "SURVIVED"


def main() -> int:
    """Run the rows that were asked for; give the exit status."""
    rows = tomllib.loads((ROOT / ".ci/mutations.toml").read_text())["mutations"]
    words = sys.argv[1:]
    rows = [row for row in rows if not words or any(word in row["check"] for word in words)]
    # So that a file is put back where the run is stopped.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    start = time.monotonic()
    if not tests_pass(rows):
        return 1
    print(f"{time.monotonic() - start:5.0f} s  the tests pass", flush=True)
    seen = 0
    for row in rows:
        start = time.monotonic()
        state = break_one(row)
        seen += state == "seen"
        print(f"{time.monotonic() - start:5.0f} s  {state:9} {row['check']}", flush=True)
    print(f"{len(rows)} checks were broken, {seen} times a test failed")
    return 0 if seen == len(rows) else 1


if __name__ == "__main__":
    sys.exit(main())
