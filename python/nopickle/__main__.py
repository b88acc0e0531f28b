"""The ``nopickle`` command: ``python -m nopickle``."""

import sys

from nopickle import _rust


def main():
    """Run the command line with the arguments of this process; its exit status is returned."""
    return _rust.cli(sys.argv[1:])


if __name__ == "__main__":
    sys.exit(main())
