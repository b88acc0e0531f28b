"""Read the files of runs and models: the functions and arguments of ``mlflow.artifacts``."""

from __future__ import annotations

import json
import os
import tempfile
from typing import Any

from nopickle import _rust, _stores
from nopickle.entities import FileInfo
from nopickle.exceptions import ResourceNotFoundError

__all__ = ["download_artifacts", "list_artifacts", "load_dict", "load_text"]


def _root(
    artifact_uri: str | os.PathLike[str] | None, run_id: str | None, artifact_path: str | None
) -> tuple[str, str]:
    """Give the URI and the path below it that the arguments name."""
    if (artifact_uri is None) == (run_id is None):
        raise _stores.invalid("give one of artifact_uri and run_id")
    if artifact_uri is not None:
        if artifact_path is not None:
            raise _stores.invalid("artifact_path belongs to run_id; write it into artifact_uri")
        return os.fspath(artifact_uri), ""
    if artifact_path:
        _rust.tracking_check_path(artifact_path)
        return f"runs:/{run_id}/{artifact_path}", ""
    return f"runs:/{run_id}", ""


def _fetch(
    uri: str,
    path: str,
    dst_path: str | None,
    tracking_uri: str | None,
    registry_uri: str | None,
) -> str:
    """Give the local path of what a URI names; see ``nopickle.tracking._local_folder``."""
    return _fetch_folder(uri, path, dst_path, tracking_uri, registry_uri)[0]


def _fetch_folder(
    uri: str,
    path: str,
    dst_path: str | None,
    tracking_uri: str | None,
    registry_uri: str | None,
) -> tuple[str, str | None]:
    """Give the local path of what a URI names, and the temporary folder that was made for it, if any."""
    from nopickle.models._folders import local_path

    found = local_path(uri)
    if found is not None and dst_path is None and not path:
        # A path needs no store, and makes none.
        if not os.path.exists(found):
            raise ResourceNotFoundError(f"{uri}: there is nothing there", "RESOURCE_DOES_NOT_EXIST")
        return found, None
    store = _stores.at(tracking_uri or _stores.tracking_uri())
    registry = _stores.at(registry_uri or tracking_uri or _stores.registry_uri())
    local, place = store.resolve(uri, registry)
    if local and dst_path is None:
        if not os.path.exists(place):
            raise ResourceNotFoundError(
                f"{uri}: there is nothing at {place}", "RESOURCE_DOES_NOT_EXIST"
            )
        return place, None
    name = _name(uri, place)
    if dst_path is None:
        # mkdtemp makes it 0700.
        folder = tempfile.mkdtemp(prefix="nopickle-")
    else:
        folder = os.path.abspath(os.fspath(dst_path))
        os.makedirs(folder, exist_ok=True)
    target = os.path.join(folder, name) if name else folder
    try:
        store.download(place, path, target, registry)
    except BaseException:
        if dst_path is None and not os.path.exists(target):
            os.rmdir(folder)
        raise
    return target, folder if dst_path is None else None


def _name(uri: str, place: str) -> str:
    """Give the path below ``dst_path``: that in ``runs:/``, else the last part; a model's root has none."""
    scheme, _, rest = uri.partition(":/")
    if scheme == "runs":
        return rest.partition("/")[2].strip("/")
    if scheme == "models":
        parts = rest.strip("/").split("/")
        skipped = 1 if parts[0].startswith("m-") or "@" in parts[0] else 2
        return "/".join(parts[skipped:])
    return place.rstrip("/").rpartition("/")[2]


def download_artifacts(
    artifact_uri: str | None = None,
    run_id: str | None = None,
    artifact_path: str | None = None,
    dst_path: str | None = None,
    tracking_uri: str | None = None,
    registry_uri: str | None = None,
) -> str:
    """Get a file or a folder of artifacts to this machine; gives its path.

    Parameters
    ----------
    artifact_uri : str, optional
        What to get: ``runs:/<run id>/<path>``, ``models:/<name>/<version>``, ``models:/<model id>``,
        ``s3://bucket/path``, a path, ….
    run_id, artifact_path : str, optional
        The same for a run, instead of ``artifact_uri``.
    dst_path : str, optional
        The folder to write to. Without it, what is on this machine stays where it is, and anything else
        gets into a new folder that only this user can read.
    tracking_uri, registry_uri : str, optional
        The stores that know the runs and models.

    Raises
    ------
    ResourceNotFoundError
        There is no such run, model or artifact.
    """
    uri, path = _root(artifact_uri, run_id, artifact_path)
    return _fetch(uri, path, dst_path, tracking_uri, registry_uri)


def list_artifacts(
    artifact_uri: str | None = None,
    run_id: str | None = None,
    artifact_path: str | None = None,
    tracking_uri: str | None = None,
) -> list[FileInfo]:
    """List the files and folders that are right in a folder of artifacts.

    The arguments are those of :func:`download_artifacts`; paths are from the root of the run or of
    ``artifact_uri``.
    """
    uri, path = _root(artifact_uri, run_id, artifact_path)
    store = _stores.at(tracking_uri or _stores.tracking_uri())
    registry = _stores.at(tracking_uri or _stores.registry_uri())
    prefix = f"{artifact_path.strip('/')}/" if artifact_path else ""
    found = store.list(uri, path, registry)
    return [FileInfo(**{**one, "path": prefix + one["path"]}) for one in found]


def load_text(artifact_uri: str) -> str:
    """Read an artifact as text in UTF-8."""
    with _file(artifact_uri) as path, open(path, encoding="utf-8", newline="") as file:
        return file.read()


def load_dict(artifact_uri: str) -> dict[str, Any]:
    """Read an artifact that is JSON.

    Raises
    ------
    InvalidArgumentError
        It is not JSON.
    """
    try:
        answer: dict[str, Any] = json.loads(load_text(artifact_uri))
    except ValueError as error:
        raise _stores.invalid(f"{artifact_uri} is not JSON: {error}") from error
    return answer


class _file:
    """The local path of an artifact while it is read; a download is removed afterwards."""

    def __init__(self, uri: str) -> None:
        self._uri = uri
        self._there: tempfile.TemporaryDirectory[str] | None = None

    def __enter__(self) -> str:
        store = _stores.at(_stores.tracking_uri())
        local, _ = store.resolve(self._uri, _stores.at(_stores.registry_uri()))
        if local:
            return _fetch(self._uri, "", None, None, None)
        self._there = tempfile.TemporaryDirectory(prefix="nopickle-")
        return _fetch(self._uri, "", self._there.name, None, None)

    def __exit__(self, *_: object) -> None:
        if self._there is not None:
            self._there.cleanup()
