"""Guards a Python process from its first line on: this folder stands first on ``PYTHONPATH``.

``nopickle run`` and ``nopickle.guard.enable`` put it there. Where the guard can't be had, the process
ends with status 2. The ``sitecustomize`` that would have been found without this one runs afterwards.
"""

from __future__ import annotations

import importlib.util
import os
import sys
from importlib.machinery import PathFinder

_FOLDER = os.path.dirname(os.path.abspath(__file__))


def _guard() -> None:
    package = os.path.dirname(_FOLDER)
    # By its place: the guard covers interpreters too in which nopickle is not installed.
    spec = importlib.util.spec_from_file_location(
        "nopickle", os.path.join(package, "__init__.py"), submodule_search_locations=[package]
    )
    if spec is None or spec.loader is None:
        raise ImportError(f"no nopickle in {package}")
    module = importlib.util.module_from_spec(spec)
    sys.modules["nopickle"] = module
    spec.loader.exec_module(module)
    from nopickle import guard

    guard.enable(audit_only=os.environ.get(guard.VARIABLE) == "audit")


def _chain() -> None:
    """Run the ``sitecustomize`` that stands behind this one."""
    sys.path[:] = [path for path in sys.path if os.path.realpath(path) != os.path.realpath(_FOLDER)]
    spec = PathFinder.find_spec("sitecustomize", sys.path)
    if spec is None or spec.loader is None:
        return
    module = importlib.util.module_from_spec(spec)
    sys.modules["sitecustomize"] = module
    spec.loader.exec_module(module)


try:
    _guard()
except BaseException as error:
    sys.stderr.write(f"error: the guard can't be had, so the program is not started: {error}\n")
    if isinstance(error, ImportError):
        sys.stderr.write(
            "hint: a guarded program starts only Python that can import nopickle "
            f"({sys.executable} is Python {sys.version.split()[0]})\n"
        )
    sys.stderr.flush()
    os._exit(2)

_chain()
