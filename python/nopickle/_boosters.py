"""The text of a LightGBM booster, written by LightGBM once.

``Booster.model_to_string`` has LightGBM write a text of more than 1 MiB twice: into a buffer that is too
small, which gives the length, and again. ``Booster.save_model`` writes the same text once, to a file
(``lightgbm/basic.py`` of LightGBM 4.7.0).
"""

from __future__ import annotations

import os
from typing import Any


def text(booster: Any, **kwargs: Any) -> str:
    """Return what ``booster.model_to_string(**kwargs)`` returns.

    On Linux the text goes through a file in memory that no other process sees.
    """
    # Elsewhere a file would be one that others may see, or a line of it would end as on Windows.
    if not hasattr(os, "memfd_create"):
        return str(booster.model_to_string(**kwargs))
    with os.fdopen(os.memfd_create("nopickle"), "rb") as file:
        path = f"/proc/self/fd/{file.fileno()}"
        if not os.path.exists(path):
            return str(booster.model_to_string(**kwargs))
        booster.save_model(path, **kwargs)
        return file.read().decode()


class _StandIn:
    """A booster, to its own ``__getstate__``."""

    __slots__ = ("__dict__", "_booster")

    def __init__(self, booster: Any) -> None:
        self.__dict__ = booster.__dict__
        self._booster = booster

    def __getattr__(self, name: str) -> Any:
        return getattr(self._booster, name)

    def model_to_string(self, **kwargs: Any) -> str:
        return text(self._booster, **kwargs)


def state(booster: Any) -> Any:
    """Return what ``booster.__getstate__()`` returns: its attributes, and the text in place of the handle."""
    of_class: Any = type(booster)
    return of_class.__getstate__(_StandIn(booster))
