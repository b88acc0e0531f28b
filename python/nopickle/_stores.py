"""Which store is asked, and how: the URIs that were set, and one open store for each."""

from __future__ import annotations

import os
import threading
from typing import TYPE_CHECKING, Any

from nopickle import _rust
from nopickle.exceptions import InvalidArgumentError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from typing import NoReturn

_lock = threading.Lock()
# By process too: a connection is not used by a process that was forked from its own.
_open: dict[tuple[int, str], _rust.TrackingStore] = {}
_tracking_uri: str | None = None
_registry_uri: str | None = None


def _new_lock() -> None:
    global _lock
    _lock = threading.Lock()


os.register_at_fork(after_in_child=_new_lock)


def refuse(function: str, argument: str, why: str) -> NoReturn:
    """Raise the error for an argument that has no meaning here."""
    raise InvalidArgumentError(
        f"{function}({argument}=...): nopickle does not support this: {why}",
        "INVALID_PARAMETER_VALUE",
    )


def invalid(message: str) -> InvalidArgumentError:
    """Make the exception for an argument that breaks a rule."""
    return InvalidArgumentError(message, "INVALID_PARAMETER_VALUE")


def default_uri() -> str:
    """Where the store is if nobody said: in ``NOPICKLE_HOME``, or in the working folder."""
    home = os.environ.get("NOPICKLE_HOME")
    return f"sqlite:///{os.path.join(os.path.abspath(home or os.curdir), 'nopickle.db')}"


def tracking_uri() -> str:
    """Give the tracking URI that counts now."""
    return _tracking_uri or os.environ.get("MLFLOW_TRACKING_URI") or default_uri()


def registry_uri() -> str:
    """Give the registry URI that counts now."""
    return _registry_uri or os.environ.get("MLFLOW_REGISTRY_URI") or tracking_uri()


def is_tracking_uri_set() -> bool:
    """Say whether somebody chose a tracking URI."""
    return bool(_tracking_uri or os.environ.get("MLFLOW_TRACKING_URI"))


def set_tracking_uri(uri: str | os.PathLike[str]) -> None:
    """Set the tracking URI; processes that are started from here get it as ``MLFLOW_TRACKING_URI``."""
    global _tracking_uri
    text = uri if isinstance(uri, str) else os.path.abspath(os.fspath(uri))
    _tracking_uri = text or None
    if text:
        os.environ["MLFLOW_TRACKING_URI"] = text
    else:
        os.environ.pop("MLFLOW_TRACKING_URI", None)


def set_registry_uri(uri: str) -> None:
    """Set the registry URI; ``""`` makes it the tracking URI again."""
    global _registry_uri
    _registry_uri = uri or None


def at(uri: str) -> _rust.TrackingStore:
    """Give the open store at a URI; it is made where there is none."""
    key = uri
    if "://" not in uri and not uri.startswith("file:"):
        key = os.path.abspath(uri)
    elif uri.startswith("sqlite:///"):
        key = "sqlite:///" + os.path.abspath(uri[len("sqlite:///") :])
    with _lock:
        store = _open.get((os.getpid(), key))
        if store is None:
            store = _open[os.getpid(), key] = _rust.TrackingStore(key)
        return store


def pairs(values: Mapping[str, Any] | None) -> list[dict[str, str]]:
    """Write tags or parameters as a store takes them."""
    return [{"key": str(key), "value": str(value)} for key, value in (values or {}).items()]


def text_ids(ids: Iterable[str | int] | None) -> list[str]:
    """Write ids of experiments as a store takes them."""
    if ids is None:
        return []
    if isinstance(ids, (str, int)):
        raise invalid(f"experiment_ids is a list of texts, not {ids!r}")
    return [str(one) for one in ids]
