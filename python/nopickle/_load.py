"""The one way from a model folder to a Python object.

Every ``load_model`` of a flavor comes here: the switch, the names that the model asks for, the code
that it brings. Nothing else in the package imports what a model names or calls an unpickler.
"""

from __future__ import annotations

import atexit
import contextlib
import dataclasses
import logging
import os
import shutil
from typing import TYPE_CHECKING, Any

from nopickle import _code, _rust
from nopickle.exceptions import UntrustedTypesError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

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
    code of it is used.
    """
    from nopickle.artifacts import _fetch_folder

    folder, temporary = _fetch_folder(os.fspath(uri), "", dst_path, None, None)
    try:
        yield folder
    finally:
        if temporary is not None:
            if _code.stands_in(temporary):
                atexit.register(shutil.rmtree, temporary, ignore_errors=True)
            else:
                shutil.rmtree(temporary, ignore_errors=True)


@dataclasses.dataclass
class Loaded:
    """What a flavor of a model folder keeps, and what was read with it."""

    model: Any
    """The object of a skops file or of a pickle; of a booster its text or bytes, until the flavor has its object."""
    model_class: str | None
    """The class that the flavor's section names, where it does."""
    mlmodel: dict[str, Any]
    """What the bytes of ``MLmodel`` say that the decision was made on."""


def load(
    folder: str,
    flavor: str,
    trusted: Iterable[str] | None,
    policy: _rust.Policy | str | os.PathLike[str] | None,
) -> Loaded:
    """Load what a flavor of a model folder keeps.

    Parameters
    ----------
    folder : str
        The model folder.
    flavor : str
        The flavor whose section of ``MLmodel`` says where the model is, in which format, which names it
        asks for and which code it brings. The content decides: a pickle under the name of skops is refused.
    trusted : iterable of str or None
        Names that the caller trusts.
    policy : nopickle.Policy or path, optional
        A policy beside that of the process.

    Raises
    ------
    nopickle.exceptions.NopickleError
        As :func:`nopickle.skops.load`.
    nopickle.exceptions.PolicyError
        If the policy can't be used.
    MlflowException
        If the model is a pickle, and the switch or the policy refuses pickles.
    """
    names = [] if trusted is None else list(trusted)
    opened = _rust.open_flavor(folder, flavor, names, policy)
    model_class, mlmodel = opened.model_class, opened.mlmodel
    return Loaded(_load(folder, opened), model_class, mlmodel or {})


def load_entry(folder: str, entry: str, requested: Iterable[str]) -> Any:
    """Load the object of a skops file in a model folder; ``requested`` are names that the model asks for."""
    names = sorted(set(requested))
    return _load(folder, _rust.open_entry(folder, entry, "skops", names, []))


def _load(folder: str, opened: _rust.Opened) -> Any:
    if opened.granted:
        _logger.info(
            "The model '%s' asks for these classes, and they are granted: %s. With %s=false only "
            "skops_trusted_types= of load_model and a policy grant names.",
            folder,
            ", ".join(opened.granted),
            SWITCH,
        )
    if opened.code_refused is not None:
        _logger.warning("The code of the model '%s' is not used: %s", folder, opened.code_refused)
    code = None
    if opened.code is not None:
        place, digest, sources = opened.code
        code = _code.bring(os.fspath(place), digest, sources)
        if code.folder == os.path.realpath(place) and (kept := opened.keep()) is not None:
            atexit.register(shutil.rmtree, kept, ignore_errors=True)
    if opened.format not in ("pickle", "cloudpickle"):
        return opened.take() if code is None else opened.take(code.package, code.modules)
    return _unpickle(os.path.join(folder, opened.entry), opened.format, opened.take(), code)


def _with_hint(error: UntrustedTypesError) -> UntrustedTypesError:
    return UntrustedTypesError(error.names, error._message, "skops_trusted_types")


def _unpickle(
    path: str, serialization_format: str, descriptor: int, code: _code.ModelCode | None
) -> Any:
    """Call Python's unpickler, the only place that does, on what the gate opened."""
    _logger.warning(
        "Loading '%s' with %s: a pickle runs what its author wrote. Log the model with "
        "serialization_format='skops' to load it without.",
        path,
        serialization_format,
    )
    import pickle  # noqa: TID251

    if serialization_format == "cloudpickle":
        import cloudpickle  # noqa: F401, TID251

    unpickler = pickle.Unpickler if code is None else code.unpickler(pickle.Unpickler)
    with open(descriptor, "rb") as file:
        return unpickler(file).load()
