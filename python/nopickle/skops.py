"""Save and load Python objects as skops files: the functions and arguments of ``skops.io``.

A skops file is a zip with ``schema.json`` (the graph of objects) and the arrays that it names. What
is written here loads in ``skops.io.load``; files of skops 0.9 to 0.16 (protocols 0, 1 and 2) load here.
Loading takes three steps, and nothing that the file names is imported before the first two are done:

1. every name of code in the file is decided on: the built-in list, and ``trusted``;
2. every value that native code would follow blindly is verified (tree nodes, sparse indices, …);
3. the objects are built from what was checked.
"""

from __future__ import annotations

import contextlib
import os
from typing import TYPE_CHECKING, Any, Literal

from nopickle import _rust
from nopickle._visualize import NodeInfo, pretty_print_tree

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import TypeAlias

    from _typeshed import ReadableBuffer, StrPath, SupportsRead, SupportsWrite

    Trusted: TypeAlias = Iterable[str | Callable[..., object]] | type | None

__all__ = [
    "NodeInfo",
    "dump",
    "dumps",
    "get_untrusted_types",
    "load",
    "loads",
    "pretty_print_tree",
    "visualize",
]

ZIP_STORED = 0


def dump(
    obj: object,
    file: StrPath | SupportsWrite[bytes],
    *,
    compression: int = ZIP_STORED,
    compresslevel: int | None = None,
) -> None:
    """Save an object as a skops file.

    Equal objects give equal bytes. A path gets its new content at once and whole: it is written to a
    temporary file in the same folder, which is then renamed.

    Parameters
    ----------
    obj : object
        The object to save, usually a scikit-learn estimator.
    file : str, os.PathLike or binary file object
        Where to. By convention the name ends in ``.skops``.
    compression : int, default=zipfile.ZIP_STORED
        ``zipfile.ZIP_STORED``, ``ZIP_DEFLATED``, ``ZIP_BZIP2`` or ``ZIP_LZMA``.
    compresslevel : int, optional
        As in :class:`zipfile.ZipFile`.

    Raises
    ------
    nopickle.exceptions.UnsupportedTypeError
        If the object holds something that the format has no form for.
    OSError
        If the file can't be written; a file that was there is whole then.
    """
    if isinstance(file, (str, os.PathLike)):
        _rust.skops_dump(obj, os.fspath(file), compression, compresslevel)
    else:
        file.write(_rust.skops_dumps(obj, compression, compresslevel))


def dumps(obj: object, *, compression: int = ZIP_STORED, compresslevel: int | None = None) -> bytes:
    """Return an object as the bytes of a skops file.

    Parameters
    ----------
    obj : object
        The object to save, usually a scikit-learn estimator.
    compression : int, default=zipfile.ZIP_STORED
        As in :func:`dump`.
    compresslevel : int, optional
        As in :func:`dump`.

    Returns
    -------
    bytes

    Raises
    ------
    nopickle.exceptions.UnsupportedTypeError
        If the object holds something that the format has no form for.
    """
    return _rust.skops_dumps(obj, compression, compresslevel)


def load(
    file: StrPath | SupportsRead[bytes],
    trusted: Trusted = None,
    *,
    policy: _rust.Policy | StrPath | None = None,
) -> Any:
    """Load an object from a skops file.

    Parameters
    ----------
    file : str, os.PathLike or binary file object
        The file.
    trusted : list of str or type, optional
        Names that are trusted beside the built-in ones, as :func:`get_untrusted_types` returns them,
        or the types themselves. Look at each before you pass it.
    policy : nopickle.Policy or path, optional
        A policy file beside that of the process; see ``docs/concepts/policy.md``.

    Returns
    -------
    object

    Raises
    ------
    nopickle.exceptions.UntrustedTypesError
        If the file asks for names that are not trusted. Nothing was imported.
    nopickle.exceptions.PolicyError
        If the policy can't be used.
    nopickle.exceptions.UnverifiedModelError
        If a value breaks a rule that native code relies on. Nothing was imported.
    nopickle.exceptions.MalformedModelError
        If the bytes are not those of a skops file.
    nopickle.exceptions.UnsupportedModelError
        If the file needs a newer nopickle, or a class that is not installed.
    nopickle.exceptions.LimitExceededError
        If the file is larger or deeper than a load may be.
    TypeError
        If ``trusted`` is ``True``.
    """
    return _rust.skops_load(_input(file), _names(trusted), policy)


def loads(
    data: ReadableBuffer, trusted: Trusted = None, *, policy: _rust.Policy | StrPath | None = None
) -> Any:
    """Load an object from the bytes of a skops file.

    Parameters
    ----------
    data : bytes-like
        The bytes.
    trusted : list of str or type, optional
        As in :func:`load`.
    policy : nopickle.Policy or path, optional
        As in :func:`load`.

    Returns
    -------
    object

    Raises
    ------
    nopickle.exceptions.NopickleError
        As in :func:`load`.
    TypeError
        If ``data`` is text, or ``trusted`` is ``True``.
    """
    if isinstance(data, str):
        raise TypeError("Can't load skops format from string, pass bytes")
    return _rust.skops_load(_bytes(data), _names(trusted), policy)


def get_untrusted_types(
    *,
    data: ReadableBuffer | None = None,
    file: StrPath | SupportsRead[bytes] | None = None,
) -> list[str]:
    """Return the names in a skops file that neither the default list nor the policy of the process grants.

    Nothing is imported.

    Parameters
    ----------
    data : bytes-like, optional
        The bytes of a skops file.
    file : str, os.PathLike or binary file object, optional
        A skops file. Exactly one of ``data`` and ``file`` is given.

    Returns
    -------
    list of str
        ``module.qualname``, sorted.

    Raises
    ------
    nopickle.exceptions.NopickleError
        As in :func:`load`, but for names and values.
    ValueError
        If both or none of ``data`` and ``file`` are given.
    """
    if data and file:
        raise ValueError("Only one of data or file should be passed.")
    if not data and not file:
        raise ValueError("Exactly one of data or file should be passed.")
    return _rust.skops_untrusted(_bytes(data) if data else _input(file))


def visualize(
    file: StrPath | SupportsRead[bytes] | bytes | bytearray | memoryview,
    *,
    show: Literal["all", "untrusted", "trusted"] = "all",
    trusted: Trusted = None,
    sink: Callable[..., object] = pretty_print_tree,
    **kwargs: object,
) -> None:
    """Show the objects in a skops file as a tree, and which of them are not trusted. Nothing is imported.

    Parameters
    ----------
    file : str, os.PathLike, binary file object or bytes
        A skops file, or its bytes.
    show : {"all", "untrusted", "trusted"}, default="all"
        Which objects to show.
    trusted : list of str or type, optional
        As in :func:`load`.
    sink : callable
        Gets an iterator of :class:`NodeInfo` and ``show``, and ``kwargs``. The default prints the tree;
        it takes ``tag_safe``, ``tag_unsafe``, ``use_colors``, ``color_safe``, ``color_unsafe`` and
        ``color_child_unsafe``.
    **kwargs
        Handed to ``sink``.

    Raises
    ------
    nopickle.exceptions.NopickleError
        As in :func:`load`, but for names and values.
    """
    if show not in ("all", "untrusted", "trusted"):
        raise ValueError(f'show must be "all", "untrusted" or "trusted", not {show!r}')
    data = _bytes(file) if isinstance(file, (bytes, bytearray, memoryview)) else _input(file)
    rows = _rust.skops_rows(data, _names(trusted))
    sink(iter([NodeInfo(*row) for row in rows]), show, **kwargs)


def _bytes(data: ReadableBuffer) -> bytes:
    """Bytes that nobody can change while they are read."""
    if isinstance(data, bytes):
        return data
    if isinstance(data, str):
        raise TypeError("a bytes-like object is required, not 'str'")
    return bytes(memoryview(data))


def _input(file: Any) -> bytes | int | str:
    """A path, the descriptor of a regular file, or all bytes of a file object."""
    if isinstance(file, (str, os.PathLike)):
        return os.fspath(file)
    # What a file that is written to has not handed on yet.
    with contextlib.suppress(AttributeError, OSError, ValueError):
        file.flush()
    try:
        descriptor: int | None = file.fileno()
    except (AttributeError, OSError):
        descriptor = None
    if descriptor is not None and os.path.isfile(f"/proc/self/fd/{descriptor}"):
        return descriptor
    # A stream that can't go back is read from where it stands.
    with contextlib.suppress(AttributeError, OSError):
        file.seek(0)
    return _bytes(file.read())


def _names(trusted: Any) -> list[str]:
    """The names that a caller trusts."""
    if trusted is None:
        return []
    if trusted is True:
        raise TypeError(
            "trusted must be a list of strings or types: True would trust whatever the file asks for. "
            "Pass the names from get_untrusted_types that you have looked at"
        )
    if isinstance(trusted, (str, type)):
        trusted = [trusted]
    return [_name(item) for item in trusted]


def _name(item: object) -> str:
    """The name of a type, or the name itself."""
    if isinstance(item, str):
        return item
    if callable(item) and hasattr(item, "__module__") and hasattr(item, "__name__"):
        return f"{item.__module__}.{item.__name__}"
    raise TypeError(f"trusted must be a list of strings or types, not of {type(item).__name__}")
