"""Make the hostile files beside this script.

    python cases/hostile/generate.py [--check]

Each file breaks one rule, and `expected.toml` says with which kind of error it is refused and with which words. That
file is written by hand: this script only says which files it misses, or names too many. With `--check` nothing is
written, and a file that would change is named.

The models inside come from scikit-learn and stock skops, the zip archives from a writer of our own that lets every
field be wrong. Nothing here uses nopickle. The same versions of the libraries give the same bytes; the files were made
with scikit-learn 1.9.1, skops 0.16.0, numpy 2.4.6, scipy 1.17.1 and quantile-forest 1.4.2.
"""

from __future__ import annotations

import argparse
import re
import sys
import warnings
from pathlib import Path

from makers import (
    containers,
    estimators,
    generators,
    graphs,
    neighbours,
    npys,
    parameters,
    parts,
    trees,
    vectors,
    zips,
)

HERE = Path(__file__).parent
MAKERS = (
    zips,
    npys,
    graphs,
    trees,
    neighbours,
    containers,
    vectors,
    estimators,
    generators,
    parameters,
)


def expected():
    """Names in `expected.toml`."""
    path = HERE / "expected.toml"
    if not path.exists():
        return set()
    return set(re.findall(r'^"([^"]+)" = ', path.read_text(), re.MULTILINE))


def main(given=None):
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument(
        "--check", action="store_true", help="write nothing; name what would change"
    )
    options = parser.parse_args(given)
    warnings.simplefilter("ignore")
    for module in MAKERS:
        for name, cases in vars(module).items():
            if name.endswith("_cases"):
                parts.count_ids_again()
                cases()
    status = 0
    for name, data in sorted(parts.FILES.items()):
        path = HERE / name
        if path.exists() and path.read_bytes() == data:
            continue
        if options.check:
            print(f"would change: {name}")
            status = 1
            continue
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    on_disk = {str(path.relative_to(HERE)) for path in HERE.glob("*/*.skops")}
    for name in sorted(on_disk - set(parts.FILES)):
        print(f"not made here: {name}")
        status = 1
    for name in sorted(set(parts.FILES) - expected()):
        print(f"not in expected.toml: {name}")
        status = 1
    for name in sorted(expected() - set(parts.FILES)):
        print(f"in expected.toml, and not made: {name}")
        status = 1
    print(f"{len(parts.FILES)} files, {sum(map(len, parts.FILES.values())):,} bytes")
    return status


if __name__ == "__main__":
    sys.exit(main())
