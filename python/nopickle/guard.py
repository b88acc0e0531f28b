"""The decision for the whole process, also for code that knows nothing of nopickle.

    import nopickle.guard
    nopickle.guard.enable()

From then on a CPython audit hook looks at every name that an unpickler of this process is about to
resolve: ``pickle``, ``cloudpickle``, ``joblib.load``, ``numpy.load(allow_pickle=True)``,
``pandas.read_pickle``, ``shelve``, ``dill``, ``torch.load``. With
``MLFLOW_ALLOW_PICKLE_DESERIALIZATION=false`` nothing is resolved but plain data and what the policy
grants; pickles that the processes of one program send each other go on. A hook can't be removed.

``docs/concepts/guard.md`` says what is told apart how, and what is left open.
"""

from __future__ import annotations

import _socket
import importlib.util
import logging
import os
import stat
import struct
import sys
import threading
from typing import TYPE_CHECKING, Any, NamedTuple

from nopickle import _rust, exceptions

if TYPE_CHECKING:
    from types import CodeType, FrameType

__all__ = ["Finding", "enable", "is_enabled", "report"]

_logger = logging.getLogger("nopickle")

VARIABLE = "NOPICKLE_GUARD"
"""What tells a child process how to guard: ``refuse`` or ``audit``."""


class Finding(NamedTuple):
    """A name that an unpickler asked for, and that neither the table of plain data nor the policy grants."""

    event: str
    """The audit event, such as ``pickle.find_class``."""
    name: str
    """``module.qualname``."""
    file: str | None
    """The file that is read, where the calling code shows it."""
    caller: str
    """The code that called the unpickler: ``FILE:LINE in FUNCTION``."""
    decision: str
    """``refused``; ``would be refused`` with ``audit_only``; ``resolved`` with the switch on."""


# One finding for each name and place; a program that unpickles for ever fills no memory with them.
_MOST_FINDINGS = 10_000
_findings: dict[tuple[str, str, str | None, str, str], Finding] = {}
_logged: set[tuple[str, str]] = set()

_lock = threading.Lock()
_enabled = False
_audit_only = False
_policy: _rust.Policy | None = None


def enable(policy: str | os.PathLike[str] | None = None, audit_only: bool = False) -> None:
    """Guard this process, and the Python processes that it starts from now on.

    It can't be taken back. A second call may turn reports into refusals; nothing else changes. Sets
    ``NOPICKLE_GUARD``, ``NOPICKLE_POLICY`` (where there is a policy) and ``PYTHONPATH`` for the
    processes that are started.

    Parameters
    ----------
    policy : path, optional
        The policy file. Without it, the one that ``NOPICKLE_POLICY`` names.
    audit_only : bool
        Log and :func:`report` what would be refused, and refuse nothing.

    Raises
    ------
    ValueError
        If another policy holds already: ``NOPICKLE_POLICY`` names it, or the guard was enabled with it.
    nopickle.exceptions.NopickleError
        If the switch or the policy can't be read; nothing is guarded then.
    """
    global _enabled, _audit_only, _policy
    with _lock:
        if policy is not None:
            path = os.path.abspath(os.fspath(policy))
            named = os.environ.get("NOPICKLE_POLICY") or None
            known = path if named is None and not _enabled else named
            if known is None or os.path.realpath(known) != os.path.realpath(path):
                raise ValueError(f"another policy holds already: {known}")
            _rust.Policy(path)
            os.environ["NOPICKLE_POLICY"] = path
        if _enabled:
            _audit_only = _audit_only and audit_only
        else:
            _policy = _rust.Policy()
            _rust.guard_refused_by(_policy)
            _audit_only = audit_only
            _find_callers()
            _rust.guard_install(_decide)
            _enabled = True
        _cover_children()


def is_enabled() -> bool:
    """Return whether this process is guarded."""
    return _enabled


def report() -> list[Finding]:
    """Return what unpicklers asked for beyond plain data and the policy, in this process, in the order of time."""
    return list(_findings.values())


def _cover_children() -> None:
    """Let the Python processes that this one starts be guarded from their first line on.

    What is forked has the hook. What is started anew finds ``sitecustomize`` in the folder ``_run``.
    """
    folder = os.path.join(os.path.dirname(os.path.abspath(__file__)), "_run")
    paths = [path for path in os.environ.get("PYTHONPATH", "").split(os.pathsep) if path]
    if paths[:1] != [folder]:
        os.environ["PYTHONPATH"] = os.pathsep.join(
            [folder, *(path for path in paths if path != folder)]
        )
    os.environ[VARIABLE] = "audit" if _audit_only else "refuse"


# ---------------------------------------------------------------------------------------------
# Who calls: pickles between the processes of one program
# ---------------------------------------------------------------------------------------------

# Code that receives pickles of this program's own processes: package, file in it, function, the name
# of its module ("" where it runs as __main__), and the local variable (with an attribute) that holds
# what the bytes came through ("" where it has just written them itself). The package "" is Python's
# own library. (CPython 3.10 to 3.14; joblib 1.3 to 1.6, loky 3.4 and 3.5.)
_OWN = (
    ("", "multiprocessing/connection.py", "recv", "multiprocessing.connection", "self"),
    ("", "multiprocessing/queues.py", "get", "multiprocessing.queues", "self._reader"),
    ("", "multiprocessing/spawn.py", "_main", "multiprocessing.spawn", "from_parent"),
    (
        "joblib",
        "externals/loky/backend/popen_loky_posix.py",
        "<module>",
        "",
        "from_parent",
    ),
    ("loky", "backend/popen_loky_posix.py", "<module>", "", "from_parent"),
    # It writes an object and reads it again, to see whether both give the same bytes.
    ("dask", "tokenize.py", "_normalize_pickle", "dask.tokenize", ""),
)

# Code that reads a pickle which stands in such a pickle, or beside it: it counts where the next
# caller is one of the above. `load_temporary_memmap` reads the arrays that joblib hands to its
# workers as files.
_INNER = (
    ("joblib", "externals/loky/cloudpickle_wrapper.py", "_reconstruct_wrapper"),
    ("joblib", "numpy_pickle.py", "_unpickle"),
    ("joblib", "numpy_pickle.py", "load_temporary_memmap"),
    ("loky", "cloudpickle_wrapper.py", "_reconstruct_wrapper"),
)

# Code that reads what Python compiled, as imports do.
_IMPORTERS = (
    ("", "pkgutil.py", "read_code"),
    ("_pytest", "assertion/rewrite.py", "_read_pyc"),
)

_own: dict[tuple[str, str], tuple[str, str]] = {}
_inner: set[tuple[str, str]] = set()
_importers: set[tuple[str, str]] = set()
_pickle_file = ""
_real_paths: dict[str, str] = {}


def _find_callers() -> None:
    """Find the files of the tables: where they are now, before any model could bring another."""
    global _pickle_file
    library = os.path.dirname(os.path.realpath(os.__file__))
    roots = {"": library}
    for package in ("dask", "joblib", "loky", "_pytest"):
        try:
            spec = importlib.util.find_spec(package)
        except (ImportError, ValueError):
            spec = None
        if spec is not None and spec.origin is not None:
            roots[package] = os.path.dirname(os.path.realpath(spec.origin))
    _pickle_file = os.path.join(library, "pickle.py")

    def place(package: str, file: str) -> str:
        return os.path.join(roots[package], *file.split("/"))

    for package, file, function, module, channel in _OWN:
        if package in roots:
            _own[place(package, file), function] = (module, channel)
    for table, rows in ((_inner, _INNER), (_importers, _IMPORTERS)):
        table.update((place(row[0], row[1]), row[2]) for row in rows if row[0] in roots)


def _place(code: CodeType) -> tuple[str, str]:
    """Return the real file and the name of a function's code."""
    file = code.co_filename
    real = _real_paths.get(file)
    if real is None:
        real = _real_paths[file] = os.path.realpath(file)
    return real, code.co_name


def _caller(frame: FrameType | None) -> FrameType | None:
    """Return the code that called the unpickler: below ``pickle.py``, and below what only passes pickles on."""
    while frame is not None:
        place = _place(frame.f_code)
        if place[0] != _pickle_file and place not in _inner:
            return frame
        frame = frame.f_back
    return None


def _is_own(frame: FrameType | None) -> bool:
    """Return whether this frame receives pickles of this program's own processes."""
    if frame is None:
        return False
    row = _own.get(_place(frame.f_code))
    if row is None:
        return False
    module, channel = row
    if module and getattr(sys.modules.get(module), "__dict__", None) is not frame.f_globals:
        return False
    if not channel:
        return True
    name, _, attribute = channel.partition(".")
    holder = frame.f_locals.get(name)
    return _is_private(getattr(holder, attribute, None) if attribute else holder)


def _is_private(channel: Any) -> bool:
    """Return whether only processes of this user can write into a channel.

    A pipe without a name, or a socket of this machine whose other end this user has opened. The
    kernel says both; a pipe with a name and a socket of a network are none.
    """
    try:
        descriptor = channel.fileno()
        mode = os.fstat(descriptor).st_mode
        if stat.S_ISFIFO(mode):
            return os.readlink(f"/proc/self/fd/{descriptor}").startswith("pipe:")
        if not stat.S_ISSOCK(mode):
            return False
        blocking = os.get_blocking(descriptor)
        with _Socket(fileno=os.dup(descriptor)) as end:
            if end.family != _socket.AF_UNIX:
                return False
            credentials = end.getsockopt(
                _socket.SOL_SOCKET, _socket.SO_PEERCRED, struct.calcsize("3i")
            )
        # A default timeout of the program would stay on the descriptor.
        if os.get_blocking(descriptor) != blocking:
            os.set_blocking(descriptor, blocking)
        return struct.unpack("3i", credentials)[1] == os.geteuid()
    except (AttributeError, OSError, TypeError, ValueError):
        return False


class _Socket(_socket.socket):
    """A socket that is closed at the end of a block."""

    def __enter__(self) -> _Socket:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()


def _is_importer(frame: FrameType | None) -> bool:
    """Return whether this frame reads what Python compiled."""
    if frame is None:
        return False
    for name in ("_frozen_importlib", "_frozen_importlib_external", "zipimport"):
        if getattr(sys.modules.get(name), "__dict__", None) is frame.f_globals:
            return True
    return _place(frame.f_code) in _importers


def _unpickling(frame: FrameType | None) -> FrameType | None:
    """Return the code that called the unpickler of pickle.py in which this frame runs, if it does.

    What a module does while it is imported is not what the pickle does.
    """
    bootstrap = sys.modules["_frozen_importlib"].__dict__
    while frame is not None:
        if frame.f_globals is bootstrap:
            return None
        if _place(frame.f_code) == (_pickle_file, "load"):
            return _caller(frame)
        frame = frame.f_back
    return None


# ---------------------------------------------------------------------------------------------
# The decision
# ---------------------------------------------------------------------------------------------

# What starts a program or loads a library, and the name that grants it.
_STARTS = {
    "ctypes.dlopen": "ctypes.CDLL",
    "os.exec": "os.execv",
    "os.posix_spawn": "os.posix_spawn",
    "os.spawn": "os.spawnv",
    "os.system": "os.system",
    "pty.spawn": "pty.spawn",
    "subprocess.Popen": "subprocess.Popen",
}


def _decide(event: str, arguments: tuple[Any, ...]) -> None:
    """Decide on an event that the audit hook does not answer itself; return, or raise."""
    frame = sys._getframe().f_back
    if event == "pickle.find_class":
        caller = _caller(frame)
        if _is_own(caller):
            return
        name = f"{arguments[0]}.{arguments[1]}"
    elif event in _STARTS:
        caller = _unpickling(frame)
        if caller is None or _is_own(caller):
            return
        name = _STARTS[event]
    else:
        if _is_importer(frame):
            return
        caller, name = frame, event
    policy = _policy
    if policy is None:  # only while the interpreter ends
        raise exceptions.RefusedPickleError([name], f"{name} is refused: the process ends")
    if _rust.guard_granted(policy, name):
        return
    why = _rust.guard_refused_by(policy)
    if why is None:
        _note(event, name, caller, "resolved")
    elif _audit_only:
        _note(event, name, caller, "would be refused")
    else:
        raise _error(_note(event, name, caller, "refused"), why)


def _note(event: str, name: str, caller: FrameType | None, decision: str) -> Finding:
    """Keep a finding, and log it where nothing else tells of it: once for each name."""
    where = "code that is not Python's"
    if caller is not None:
        where = f"{caller.f_code.co_filename}:{caller.f_lineno} in {caller.f_code.co_name}"
    finding = Finding(event, name, _file(caller), where, decision)
    if len(_findings) < _MOST_FINDINGS:
        _findings.setdefault(finding, finding)
    if (name, decision) not in _logged and decision != "refused":
        _logged.add((name, decision))
        if decision == "resolved":
            _logger.warning(
                "%s asks for %s, which can be called with anything that stands in it; with "
                "MLFLOW_ALLOW_PICKLE_DESERIALIZATION=false it is refused (read by %s)",
                _source(finding),
                name,
                where,
            )
        else:
            _logger.warning(
                "%s asks for %s, which would be refused (read by %s)",
                _source(finding),
                name,
                where,
            )
    return finding


def _source(finding: Finding) -> str:
    """Name what is read."""
    what = "marshalled data" if finding.event.startswith("marshal.") else "a pickle"
    return what if finding.file is None else f"{what} in '{finding.file}'"


# How many callers are looked at for the file that is read.
_MOST_CALLERS = 6
_FILES = ("_io", "bz2", "gzip", "lzma", "io", "tempfile")
_PATHS = ("path", "filename", "file", "fname", "filepath", "filepath_or_buffer", "f")


def _file(frame: FrameType | None) -> str | None:
    """Return the file that the callers read: an open one among their variables, or a path."""
    for step in range(_MOST_CALLERS):
        # The variables of a whole module tell nothing, but where it calls the unpickler itself.
        if frame is None or (step > 0 and frame.f_code.co_name == "<module>"):
            break
        variables = frame.f_locals
        for value in list(variables.values()):
            if type(value).__module__ in _FILES:
                name = getattr(value, "name", None)
                if isinstance(name, str) and os.sep in name:
                    return name
        for key in _PATHS:
            value = variables.get(key)
            if isinstance(value, (str, os.PathLike)) and os.path.isfile(value):
                return os.fspath(value)
        frame = frame.f_back
    return None


def _error(finding: Finding, why: str) -> exceptions.RefusedPickleError:
    """Make the refusal; of MLflow's own type too where MLflow is imported."""
    if finding.event == "pickle.find_class":
        what = f"{_source(finding)} asks for {finding.name}"
    elif finding.event in _STARTS:
        what = f"{_source(finding)} calls {finding.name} ({finding.event})"
    else:
        what = f"{_source(finding)} is read with {finding.name}"
    message = f"{what}, and {why}: nothing was imported or called for it (read by {finding.caller})"
    module = sys.modules.get("mlflow.exceptions")
    base = getattr(module, "MlflowException", None)
    if isinstance(base, type) and issubclass(base, Exception):
        return _with_mlflow(base)([finding.name], message)
    return exceptions.RefusedPickleError([finding.name], message)


_with_mlflow_of: dict[Any, type[exceptions.RefusedPickleError]] = {}


def _with_mlflow(base: Any) -> type[exceptions.RefusedPickleError]:
    """Return the class of refusals that ``except MlflowException`` catches too."""
    made = _with_mlflow_of.get(base)
    if made is None:

        def __init__(self: Any, names: list[str], message: str) -> None:
            text = str(exceptions.RefusedPickleError(names, message))
            # 1000 is INVALID_PARAMETER_VALUE in mlflow.protos.databricks_pb2: status 400 of a server.
            base.__init__(self, text, error_code=1000)
            exceptions.RefusedPickleError.__init__(self, names, message)

        made = type(
            "RefusedPickleError",
            (exceptions.RefusedPickleError, base),
            {"__init__": __init__, "__module__": exceptions.__name__},
        )
        _with_mlflow_of[base] = made
    return made
