"""The ``nopickle`` command: ``python -m nopickle``."""

from __future__ import annotations

import signal
import sys

from nopickle import _rust


def main() -> int:
    """Run the command line with the arguments of this process.

    Returns
    -------
    int
        The exit status: 0 trusted and verified, 1 refused, 2 could not answer.
    """
    # Rust does not return to Python while it works: ctrl-c ends the process as it would any program.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    return _rust.cli(sys.argv[1:])


if __name__ == "__main__":
    sys.exit(main())
