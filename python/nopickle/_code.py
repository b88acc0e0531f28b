"""The code that models bring, each model's under a private package of its own.

The source of each module is the text that the gate read, hashed and decided on; the files are not read again.
``sys.path`` stays as it is, and no name that a model chose becomes a key of ``sys.modules``: what the model
calls ``my_module`` is ``_nopickle_code_<digest>.my_module`` there, so that models whose modules have the same
names each see their own, and no other code imports one by accident.
"""

from __future__ import annotations

import builtins
import importlib.abc
import importlib.machinery
import importlib.readers
import importlib.util
import logging
import os
import sys
import threading
from types import FunctionType, ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_logger = logging.getLogger("nopickle")

PRIVATE = "_nopickle_code_"
"""How the name of each private package starts."""

_lock = threading.Lock()


class ModelCode:
    """The modules that a model brings.

    Parameters
    ----------
    folder : str
        The folder that they stand in. Files beside a module are found there by its ``__file__``; so are
        extension modules. Sources are not read from it.
    package : str
        The name of the private package.
    sources : mapping of str to bytes
        The source of each module, by its path in the folder.

    Attributes
    ----------
    modules : list of str
        The top-level modules that the model has for itself. A name that is installed is not one of them:
        the installed module is what the model's code and its file mean by it.
    builtins : dict
        What the modules have as ``__builtins__``: Python's own, with an ``__import__`` that looks among
        ``modules`` first.
    """

    def __init__(self, folder: str, package: str, sources: Mapping[str, bytes]) -> None:
        self.folder = folder
        self.package = package
        self._sources = dict(sources)
        self.modules = [name for name in self._brought() if not _installed(name)]
        self._own = frozenset(self.modules)
        self.builtins = {**vars(builtins), "__import__": self._import}

    def _brought(self) -> list[str]:
        tops = {path.split("/")[0].removesuffix(".py") for path in self._sources}
        tops.update(name for name in code_modules(self.folder) if self._path(name) is not None)
        return sorted(name for name in tops if name.isidentifier())

    def private(self, module: str) -> str:
        """Return the name in ``sys.modules`` of what the model calls ``module``."""
        return f"{self.package}.{module}" if module.partition(".")[0] in self._own else module

    def _import(
        self,
        name: str,
        globals: Mapping[str, object] | None = None,
        locals: Mapping[str, object] | None = None,
        fromlist: Sequence[str] | None = (),
        level: int = 0,
    ) -> ModuleType:
        top = name.partition(".")[0]
        if level != 0 or top not in self._own:
            return builtins.__import__(name, globals, locals, fromlist or (), level)
        found = builtins.__import__(f"{self.package}.{name}", None, None, fromlist or (), 0)
        return found if fromlist else sys.modules[f"{self.package}.{top}"]

    def _path(self, name: str) -> str | None:
        """Return the path of an extension module in the folder."""
        relative = name.replace(".", os.sep)
        for suffix in importlib.machinery.EXTENSION_SUFFIXES:
            path = os.path.join(self.folder, relative + suffix)
            if os.path.isfile(path):
                return path
        return None

    def find(self, fullname: str) -> importlib.machinery.ModuleSpec | None:
        """Find a module of the private package, in the order of Python's own finder."""
        name = fullname.removeprefix(self.package + ".")
        relative = name.replace(".", "/")
        package = f"{relative}/__init__.py"
        if package in self._sources:
            return self._spec(fullname, package, is_package=True)
        if (extension := self._path(name)) is not None:
            return importlib.util.spec_from_file_location(fullname, extension)
        if f"{relative}.py" in self._sources:
            return self._spec(fullname, f"{relative}.py", is_package=False)
        if any(path.startswith(relative + "/") for path in self._sources):
            return importlib.machinery.ModuleSpec(fullname, None, is_package=True)
        return None

    def _spec(
        self, fullname: str, path: str, *, is_package: bool
    ) -> importlib.machinery.ModuleSpec | None:
        loader = _Loader(self, os.path.join(self.folder, *path.split("/")), self._sources[path])
        spec = importlib.util.spec_from_file_location(fullname, loader.path, loader=loader)
        if spec is not None:
            # The path of a package is empty: its modules are found here, not on the disk. (Given an empty one,
            # the function above puts the folder into it.)
            spec.submodule_search_locations = [] if is_package else None
        return spec

    def unpickler(self, base: type) -> type:
        """Return a class of unpicklers that find this model's modules."""
        return type("_Unpickler", (base,), {"find_class": _finding(self, base)})


def _finding(code: ModelCode, base: Any) -> Any:
    def subimport(name: str) -> ModuleType:
        name = code.private(name)
        builtins.__import__(name)
        return sys.modules[name]

    def make_function(
        body: Any, globals: dict[str, Any], name: Any, defaults: Any, closure: Any
    ) -> FunctionType:
        globals["__builtins__"] = code.builtins
        return FunctionType(body, globals, name, defaults, closure)

    # By these cloudpickle makes modules and functions, whose later imports are the model's own too.
    own = {"subimport": subimport, "_make_function": make_function}

    def find_class(self: Any, module: str, name: str) -> Any:
        found = base.find_class(self, code.private(module), name)
        if module not in ("cloudpickle.cloudpickle", "cloudpickle.cloudpickle_fast"):
            return found
        if name == "_function_setstate":

            def set_state(function: Any, state: Any) -> None:
                found(function, state)
                function.__globals__["__builtins__"] = code.builtins

            return set_state
        return own.get(name, found)

    return find_class


class _Loader(importlib.abc.SourceLoader):
    """Compiles a source that is held in memory."""

    def __init__(self, code: ModelCode, path: str, source: bytes) -> None:
        self.path = path
        self._code = code
        self._source = source

    def get_filename(self, fullname: str) -> str:
        return self.path

    def get_data(self, path: str | bytes) -> bytes:
        if os.fspath(path) == self.path:
            return self._source
        with open(path, "rb") as file:
            return file.read()

    def get_code(self, fullname: str) -> Any:
        # As it stands in memory: no cache of compiled code is asked.
        return self.source_to_code(self._source, self.path)

    def get_resource_reader(self, fullname: str) -> importlib.readers.FileReader:
        return importlib.readers.FileReader(self)  # type: ignore[arg-type]

    def exec_module(self, module: ModuleType) -> None:
        vars(module)["__builtins__"] = self._code.builtins
        super().exec_module(module)


class _Finder(importlib.abc.MetaPathFinder):
    """Finds what stands in the private packages, and nothing else."""

    def __init__(self) -> None:
        self.codes: dict[str, ModelCode] = {}

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        if not fullname.startswith(PRIVATE):
            return None
        code = self.codes.get(fullname.partition(".")[0])
        return None if code is None else code.find(fullname)


_finder = _Finder()


def bring(folder: str, digest: str, sources: Mapping[str, bytes]) -> ModelCode:
    """Return the code of a model, ready to be imported. Equal code is one package for the whole process.

    Parameters
    ----------
    folder : str
        The folder that the code stands in.
    digest : str
        What it is known by: equal modules have an equal digest, and where other files stand beside them, those
        of one folder.
    sources : mapping of str to bytes
        The source of each module, by its path in the folder.
    """
    folder = os.path.realpath(folder)
    with _lock:
        if _finder not in sys.meta_path:
            sys.meta_path.append(_finder)
        package = f"{PRIVATE}{digest[:32]}"
        known = _finder.codes.get(package)
        if known is not None:
            return known
        code = ModelCode(folder, package, sources)
        root = ModuleType(package, "The code that a model brings.")
        root.__path__ = []
        root.__spec__ = importlib.machinery.ModuleSpec(package, None, is_package=True)
        sys.modules[package] = root
        _finder.codes[package] = code
    for name in code_modules(folder):
        if name not in code.modules and (origin := _installed(name)):
            _logger.warning(
                "The model brings code for %s, and %s is what is imported under that name.",
                name,
                origin,
            )
    return code


def stands_in(folder: str) -> bool:
    """Return whether code that was brought stands below a folder."""
    below = os.path.realpath(folder) + os.sep
    return any(code.folder.startswith(below) for code in _finder.codes.values())


def code_modules(folder: str) -> list[str]:
    """Return the top-level modules that a folder of code holds."""
    found = []
    for name in sorted(os.listdir(folder)):
        stem, extension = os.path.splitext(name)
        if os.path.isdir(os.path.join(folder, name)):
            found.append(name)
        elif extension == ".py":
            found.append(stem)
        elif name.endswith(tuple(importlib.machinery.EXTENSION_SUFFIXES)):
            found.append(name.partition(".")[0])
    return [name for name in found if name.isidentifier() and name != "__pycache__"]


def _installed(module: str) -> str | None:
    """Return where a top-level module is that is installed or imported; None where there is none."""
    loaded = sys.modules.get(module)
    if loaded is not None:
        return getattr(loaded, "__file__", None) or "the module that is imported already"
    try:
        spec = importlib.util.find_spec(module)
    except (ImportError, ValueError):
        return None
    return None if spec is None else spec.origin or "a namespace package"
