"""The one way from a model folder to a Python object.

Every ``load_model`` of a flavor comes here: the switch, the names that the model asks for, the code
that it brings. Nothing else in the package imports what a model names or calls an unpickler.
"""

from __future__ import annotations

import atexit
import contextlib
import importlib.abc
import importlib.machinery
import importlib.util
import logging
import os
import shutil
import sys
from typing import TYPE_CHECKING, Any

from nopickle import _rust
from nopickle.exceptions import MlflowException, UntrustedTypesError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from types import ModuleType

_logger = logging.getLogger("nopickle")

SWITCH = "MLFLOW_ALLOW_PICKLE_DESERIALIZATION"


def pickle_allowed() -> bool:
    """Return whether pickles are loaded: what the switch and the policy of the process say, the stricter of the two.

    Raises
    ------
    MlflowException
        If the switch is neither true, 1, yes nor false, 0, no, in any case.
    nopickle.exceptions.PolicyError
        If the policy file can't be used.
    """
    return _rust.Policy.from_environment().pickle


@contextlib.contextmanager
def opened(uri: str, dst_path: str | None) -> Iterator[str]:
    """Give the local folder of a model that a path or URI names.

    What was downloaded to a temporary folder is removed at the end; at the end of the process where
    code of it is in reach of imports.
    """
    from nopickle.artifacts import _fetch_folder

    folder, temporary = _fetch_folder(os.fspath(uri), "", dst_path, None, None)
    try:
        yield folder
    finally:
        if temporary is not None:
            real = os.path.realpath(temporary)
            if any(code.startswith(real + os.sep) for code in _finder.folders):
                atexit.register(shutil.rmtree, temporary, ignore_errors=True)
            else:
                shutil.rmtree(temporary, ignore_errors=True)


def load(
    folder: str,
    entry: str,
    serialization_format: str,
    requested: Iterable[str],
    code: str | None,
    trusted: Iterable[str] | None,
) -> Any:
    """Load the object in an entry of a model folder.

    Parameters
    ----------
    folder : str
        The model folder.
    entry : str
        The path of the model's data in it; a reader of ``MLmodel`` has checked that it stays inside.
    serialization_format : {"skops", "pickle", "cloudpickle"}
        As the flavor's section says. The content decides: a pickle under the name of skops is refused.
    requested : iterable of str
        Names that the model asks for. With the switch on they are granted to classes of packages that
        the default list does not cover; with the switch off a request grants nothing.
    code : str or None
        The folder of code that the model brings. With the switch off it is not used.
    trusted : iterable of str or None
        Names that the caller trusts.

    Raises
    ------
    nopickle.exceptions.NopickleError
        As :func:`nopickle.skops.load`.
    MlflowException
        If the model is a pickle and the switch is off.
    """
    path = os.path.join(folder, entry)
    allowed = pickle_allowed()
    if serialization_format in ("pickle", "cloudpickle"):
        if not allowed:
            raise MlflowException(
                f"'{path}' is a pickle, and {SWITCH} is false: loading it can run any code that its "
                "author wrote. Log the model again with serialization_format='skops', or set the "
                "switch to true if you trust its author.",
                "INVALID_PARAMETER_VALUE",
            )
        if code is not None:
            _reach(os.path.join(folder, code))
        return _unpickle(folder, entry, serialization_format)
    if serialization_format != "skops":
        raise MlflowException(
            f"Unrecognized serialization format: {serialization_format}. Please specify one of the "
            "following supported formats: ['skops', 'pickle', 'cloudpickle'].",
            "INVALID_PARAMETER_VALUE",
        )
    names = _rust.grantable(sorted(set(requested))) if allowed else []
    if names:
        _logger.info(
            "The model '%s' asks for these classes, and they are granted: %s. With %s=false only "
            "skops_trusted_types= of load_model grants names.",
            folder,
            ", ".join(names),
            SWITCH,
        )
    if code is not None and allowed:
        _reach(os.path.join(folder, code))
    own = [] if trusted is None else list(trusted)
    # Opened beneath the folder without following links, so that what is read is what was looked at.
    descriptor = _rust.folder_open(folder, entry)
    try:
        return _rust.skops_load(descriptor, own, names)
    except UntrustedTypesError as error:
        raise _with_hint(error) from None
    finally:
        os.close(descriptor)


def _with_hint(error: UntrustedTypesError) -> UntrustedTypesError:
    message = str(error).partition("\nhint: ")[0]
    return UntrustedTypesError(error.names, message, argument="skops_trusted_types")


def _unpickle(folder: str, entry: str, serialization_format: str) -> Any:
    """Call Python's unpickler, the only place that does, after the switch was asked."""
    _logger.warning(
        "Loading '%s' with %s: a pickle runs what its author wrote. Log the model with "
        "serialization_format='skops' to load it without.",
        os.path.join(folder, entry),
        serialization_format,
    )
    if serialization_format == "cloudpickle":
        import cloudpickle as unpickler  # noqa: TID251
    else:
        import pickle as unpickler  # noqa: TID251
    with open(_rust.folder_open(folder, entry), "rb") as file:
        return unpickler.load(file)  # noqa: S301


class _CodeFinder(importlib.abc.MetaPathFinder):
    """Finds the modules that model folders bring, after everything that is installed.

    MLflow puts a model's code first on ``sys.path``, where it can take the place of any module that
    is not imported yet. Here an installed module always wins.
    """

    def __init__(self) -> None:
        self.folders: list[str] = []

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        if path is not None:
            return None  # below a package, the package's own path is searched
        return importlib.machinery.PathFinder.find_spec(fullname, self.folders, target)


_finder = _CodeFinder()


def code_modules(folder: str) -> list[str]:
    """Return the top-level modules that a folder of code holds."""
    found = []
    for name in sorted(os.listdir(folder)):
        stem, extension = os.path.splitext(name)
        if extension == ".py" or os.path.isdir(os.path.join(folder, name)):
            found.append(stem if extension == ".py" else name)
    return [name for name in found if name.isidentifier()]


def _reach(folder: str) -> None:
    """Let imports find the modules in a folder of code, where nothing that is installed has their name."""
    folder = os.path.realpath(folder)
    if not os.path.isdir(folder):
        return
    if _finder not in sys.meta_path:
        sys.meta_path.append(_finder)
    for module in code_modules(folder):
        loaded = sys.modules.get(module)
        origin = getattr(getattr(loaded, "__spec__", None), "origin", None)
        if loaded is None:
            try:
                spec = importlib.util.find_spec(module)
            except (ImportError, ValueError):
                spec = None
            origin = spec.origin if spec is not None else None
        if origin is not None and not os.path.realpath(origin).startswith(folder + os.sep):
            _logger.warning(
                "The model brings code for %s, and %s is what is imported under that name.",
                module,
                origin,
            )
    # The model that was loaded last comes first.
    if folder in _finder.folders:
        _finder.folders.remove(folder)
    _finder.folders.insert(0, folder)
    importlib.invalidate_caches()
