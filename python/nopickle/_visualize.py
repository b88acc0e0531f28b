"""The picture of a skops file in a terminal."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

_STYLES = {
    "cyan": "36",
    "magenta": "35",
    "orange1": "38;5;214",
    "red": "31",
    "green": "32",
    "blue": "34",
    "yellow": "33",
    "white": "37",
    "black": "30",
}


@dataclass
class NodeInfo:
    """One object of a skops file, as a ``sink`` of :func:`nopickle.skops.visualize` gets it.

    Attributes
    ----------
    level : int
        How deep the object is nested; 0 for the model.
    key : str
        The attribute or dict key that holds it, or the name of the part that it is.
    val : str
        Its class, or its value where that is a scalar.
    is_self_safe : bool
        Whether the names that the object itself asks for are trusted.
    is_safe : bool
        Whether that is so of the object and of everything below it.
    is_last : bool
        Whether it is the last object below its holder.
    """

    level: int
    key: str
    val: str
    is_self_safe: bool
    is_safe: bool
    is_last: bool


def pretty_print_tree(
    nodes_iter: Iterable[NodeInfo],
    show: str,
    *,
    tag_safe: str = "",
    tag_unsafe: str = "[UNSAFE]",
    use_colors: bool = True,
    color_safe: str = "cyan",
    color_unsafe: str = "orange1",
    color_child_unsafe: str = "magenta",
) -> None:
    """Print the objects of a skops file as a tree, one line each.

    Parameters
    ----------
    nodes_iter : iterator of NodeInfo
        The objects, each before what it holds.
    show : {"all", "untrusted", "trusted"}
        Which objects to print.
    tag_safe, tag_unsafe : str
        Put behind objects whose own names are trusted, or are not.
    use_colors : bool, default=True
        Colour the lines; only where standard output is a terminal.
    color_safe, color_unsafe, color_child_unsafe : str
        Colours of objects that are trusted, that are not, and that hold one that is not: ``cyan``,
        ``magenta``, ``orange1``, ``red``, ``green``, ``blue``, ``yellow``, ``white`` or ``black``.
    """
    colored = use_colors and sys.stdout.isatty()
    prefix = ""
    previous: int | None = None
    for node in nodes_iter:
        if previous is not None and not _visible(node, show):
            continue
        text = node.val
        tag = tag_safe if node.is_self_safe else tag_unsafe
        if tag:
            text += f" {tag}"
        if colored:
            if node.is_safe:
                color = color_safe
            elif node.is_self_safe:
                color = color_child_unsafe
            else:
                color = color_unsafe
            text = f"\x1b[{_STYLES.get(color, '0')}m{text}\x1b[0m"
        if previous is None:
            print(f"{node.key}: {text}")
        else:
            # One step back for every level that ended.
            for _ in range(previous - node.level + 1):
                prefix = prefix[:-4]
            branch = "└──" if node.is_last else "├──"
            print(f"{prefix}{branch} {node.key}: {text}")
            prefix += "    " if node.is_last else "│   "
        previous = node.level


def _visible(node: NodeInfo, show: str) -> bool:
    if show == "all":
        return True
    if show == "untrusted":
        return not node.is_safe
    return node.is_self_safe
