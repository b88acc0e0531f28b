"""Sign models and verify who signed them: the format of OpenSSF Model Signing v1.0, with keys.

A signature names every file of a model with its digest, and is made by a private key: ECDSA on P-256, P-384 or P-521,
in PEM. What is signed here verifies with ``model_signing verify key`` (PyPI ``model-signing``), and the other way
round.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

from nopickle import _rust

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

StrPath: TypeAlias = "str | os.PathLike[str]"

__all__ = ["Signed", "Verified", "sign", "verify"]


@dataclass(frozen=True)
class Signed:
    """What was signed.

    Attributes
    ----------
    signature : pathlib.Path
        Where the signature was written.
    key : str
        The id of the key: the SHA-256 of its public half in PEM.
    digests : dict of str to str
        The path of each signed file in the model with its SHA-256; ``"."`` where the model is one file.
    """

    signature: Path
    key: str
    digests: dict[str, str]


@dataclass(frozen=True)
class Verified:
    """A model that is what a key signed.

    Attributes
    ----------
    key : str
        The id of the key that signed it.
    name : str
        The name of the model when it was signed, for people.
    digests : dict of str to str
        The path of each signed file in the model with its SHA-256; ``"."`` where the model is one file. Nothing else
        of the folder is signed.
    """

    key: str
    name: str
    digests: dict[str, str]


def sign(
    model_path: StrPath,
    key: StrPath,
    *,
    signature_path: StrPath | None = None,
    password: str | None = None,
) -> Signed:
    """Sign a model: a folder with all files in it, or one file.

    Left out are the signature itself and, at the root of a folder, ``.git``, ``.gitattributes``, ``.github`` and
    ``.gitignore``. The same model, name and key give the same bytes.

    Parameters
    ----------
    model_path : str or os.PathLike
        A folder or a file.
    key : str or os.PathLike
        The private key: a ``PRIVATE KEY``, ``ENCRYPTED PRIVATE KEY`` or ``EC PRIVATE KEY`` in PEM.
    signature_path : str or os.PathLike, optional
        Where to write the signature; by default ``model.sig`` in the folder, or the name of the file and ``.sig``.
    password : str, optional
        The password of an encrypted key; by default that of the environment variable ``NOPICKLE_KEY_PASSWORD``.

    Returns
    -------
    Signed

    Raises
    ------
    nopickle.exceptions.InvalidArgumentError
        The key can't be used; the message says why.
    nopickle.exceptions.MalformedModelError
        Something in the folder is not a regular file (a link, a pipe), or has a name that a model can't have.
    OSError
        A file can't be read or written, or there is none to sign.
    """
    signature, used, digests = _rust.signing_sign(model_path, key, signature_path, password)
    return Signed(signature, used, digests)


def verify(
    model_path: StrPath,
    key: StrPath | Iterable[StrPath],
    *,
    signature_path: StrPath | None = None,
) -> Verified:
    """Verify that a model is what one of the keys signed: every file of it, and no other.

    The signature is verified before what it says is read, and every file is hashed. Nothing is loaded.

    Parameters
    ----------
    model_path : str or os.PathLike
        A folder or a file.
    key : str, os.PathLike or iterable of them
        Public keys in PEM; one of them must have signed the model.
    signature_path : str or os.PathLike, optional
        Where the signature is; by default ``model.sig`` in the folder, or the name of the file and ``.sig``.

    Returns
    -------
    Verified

    Raises
    ------
    nopickle.exceptions.UnverifiedModelError
        The model is not signed, or not by one of these keys; or a file was changed, added, removed or renamed, or is
        a link: the message names every such file.
    nopickle.exceptions.MalformedModelError
        The signature breaks a rule of its format.
    nopickle.exceptions.UnsupportedModelError
        The signature holds what nopickle doesn't verify: a certificate, shards of files, a format before 1.0.
    nopickle.exceptions.InvalidArgumentError
        A key can't be used; the message says why.
    OSError
        A file can't be read.
    """
    keys = [key] if isinstance(key, (str, os.PathLike)) else list(key)
    used, name, digests = _rust.signing_verify(model_path, keys, signature_path)
    return Verified(used, name, digests)
