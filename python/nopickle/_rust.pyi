"""The Rust half of nopickle; `nopickle.skops` and the `nopickle` command are made of these functions."""

from os import PathLike
from typing import Any

__all__ = [
    "__version__",
    "cli",
    "skops_check",
    "skops_dump",
    "skops_dumps",
    "skops_load",
    "skops_names",
    "skops_rows",
    "skops_untrusted",
]

__version__: str

def cli(arguments: list[str]) -> int: ...
def skops_check(
    input: bytes | int | str | PathLike[str], trusted: list[str], verify_up_to: int
) -> tuple[list[str], list[str]]: ...
def skops_dump(
    object: object, path: str | PathLike[str], method: int, level: int | None
) -> None: ...
def skops_dumps(object: object, method: int, level: int | None) -> bytes: ...
def skops_load(
    input: bytes | int | str | PathLike[str], trusted: list[str], requested: list[str] = []
) -> Any: ...
def skops_names(input: bytes | int | str | PathLike[str]) -> tuple[list[str], list[str]]: ...
def skops_rows(
    input: bytes | int | str | PathLike[str], trusted: list[str]
) -> list[tuple[int, str, str, bool, bool, bool]]: ...
def skops_untrusted(input: bytes | int | str | PathLike[str]) -> list[str]: ...
