"""The files of a model's folder, wherever a path or a URI says that it is."""

from __future__ import annotations

import os
import tempfile
from contextlib import contextmanager
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from nopickle import _rust
from nopickle.exceptions import MlflowException

if TYPE_CHECKING:
    from collections.abc import Iterator

MLMODEL_FILE_NAME = "MLmodel"


def local_path(uri: str | os.PathLike[str]) -> str | None:
    """Return the path that a URI names on this machine: a path as it is, or ``file:``; None for others."""
    text = os.fspath(uri)
    parts = urlsplit(text)
    # A scheme of one letter is a drive.
    if len(parts.scheme) < 2:
        return text
    if parts.scheme != "file":
        return None
    if parts.netloc not in ("", "localhost"):
        raise MlflowException(
            f"{text}: a file: URI names a path on this machine, not on {parts.netloc!r}",
            "INVALID_PARAMETER_VALUE",
        )
    return unquote(parts.path)


def _root(path: str) -> str:
    """Return a model's folder for its path or that of its ``MLmodel``."""
    path = path.rstrip("/") or "/"
    if os.path.basename(path) == MLMODEL_FILE_NAME and not os.path.isdir(path):
        return os.path.dirname(path) or "."
    return path


@contextmanager
def holding(uri: str | os.PathLike[str], name: str) -> Iterator[str]:
    """Give a local folder in which a file of a model stands; other files of the model may not be there.

    Raises
    ------
    nopickle.exceptions.MlflowException
        Where there is no such model, or its store cannot be reached.
    """
    path = local_path(uri)
    if path is not None:
        yield _root(path)
        return
    from nopickle import tracking

    root = _root(os.fspath(uri))
    with tempfile.TemporaryDirectory(prefix="nopickle-") as temporary:
        found = tracking._local_folder(f"{root}/{name}", os.path.join(temporary, "fetched"))
        folder = os.path.join(temporary, "model")
        target = os.path.join(folder, *name.split("/"))
        os.makedirs(os.path.dirname(target))
        os.replace(found, target)
        yield folder


def read(uri: str | os.PathLike[str], name: str) -> bytes:
    """Return the bytes of a small file of a model; the file is opened beneath the model's folder."""
    if local_path(uri) is None:
        # It becomes a part of a URI before it is opened.
        _rust.folder_check(name)
    with holding(uri, name) as folder:
        return bytes(_rust.folder_read(folder, name))


def put(uri: str, file: str) -> None:
    """Put a file over the one of its name in a model's folder that a URI names."""
    from nopickle import _stores

    store = _stores.at(_stores.tracking_uri())
    registry = _stores.at(_stores.registry_uri())
    _, place = store.resolve(_root(uri), registry)
    store.upload(place, os.path.basename(file), file, registry)
