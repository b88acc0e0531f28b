"""Hostile files of ``cases/hostile``: each is refused with its own words, before anything is imported or written."""

from __future__ import annotations

import builtins
import re
import resource
import sys
from pathlib import Path

import pytest

from nopickle import exceptions, skops

HOSTILE = Path(__file__).parents[2] / "cases" / "hostile"
KINDS = {
    "malformed": exceptions.MalformedModelError,
    "unsupported": exceptions.UnsupportedModelError,
    "limit": exceptions.LimitExceededError,
    "untrusted": exceptions.UntrustedTypesError,
    "unverified": exceptions.UnverifiedModelError,
}
LINE = re.compile(r'"([^"]+)" = \{ kind = "(\w+)"(?:, says = "([^"]*)")?(?:, with = "([^"]*)")? \}')
# Entry, byte and format or class stand before the words; a limit and a list of names say it otherwise.
PLACE = {
    "malformed": re.compile(r"^(archive|[\x20-\x7e]+?)(@\d+)?: malformed (zip|npy|npz|skops): \S"),
    "unsupported": re.compile(r"^(archive|[\x20-\x7e]+?)(@\d+)?: unsupported \S"),
    "limit": re.compile(r"^[\w .]+ is over the limit: \d+ > \d+$"),
    "untrusted": re.compile(r"^untrusted names: .+ \(schema\.json@\d+\)"),
    "unverified": re.compile(r"^(schema\.json|[\w.]+)(@\d+)?: unverified \w[\w.]+: \S"),
}


def cases():
    for line in (HOSTILE / "expected.toml").read_text().splitlines():
        if line and not line.startswith("#"):
            name, kind, says, condition = LINE.fullmatch(line).groups()
            if condition == "small limits":  # which Python does not set: it loads
                kind = "loads"
            yield pytest.param(name, kind, says, condition == "Python", id=name)


class Watch:
    """Notes imports, opened files and started programs while it is on."""

    def __init__(self):
        self.seen = None
        sys.addaudithook(self)

    def __call__(self, event, args):
        if self.seen is None:
            return
        if (
            event == "open" and isinstance(args[1], str) and set(args[1]) & set("wax+")
        ) or event in (
            "import",
            "exec",
            "compile",
            "os.system",
            "os.exec",
            "os.fork",
            "os.posix_spawn",
            "subprocess.Popen",
        ):
            self.seen.append((event, args[0]))
        elif event.startswith(
            ("socket.", "ctypes.", "shutil.", "os.remove", "os.rename", "os.mkdir")
        ):
            self.seen.append((event, args))

    def __enter__(self):
        self.seen = []
        return self.seen

    def __exit__(self, *_):
        self.seen = None


@pytest.fixture(scope="module", autouse=True)
def limited():
    """A bomb that is not refused ends in a MemoryError, and not with the machine."""
    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    resource.setrlimit(resource.RLIMIT_AS, (pages * resource.getpagesize() + (2 << 30), hard))
    yield
    resource.setrlimit(resource.RLIMIT_AS, (soft, hard))


@pytest.fixture(scope="module")
def watch():
    # What the library itself imports the first time is imported here.
    skops.load(HOSTILE / "zip" / "good_stored.skops")
    with pytest.raises(exceptions.NopickleError):
        skops.load(HOSTILE / "zip" / "not_a_zip.skops")
    return Watch()


def test_the_watch_sees_what_a_load_must_not_do(watch, tmp_path):
    with watch as seen:
        (tmp_path / "written").write_text("x")
        with pytest.raises(ModuleNotFoundError):
            builtins.__import__("no_such_module_at_all")
    assert {event for event, _ in seen} == {"open", "import"}


def test_every_file_has_its_line_and_every_line_its_file():
    lines = [case.values[0] for case in cases()]
    assert len(lines) == len(set(lines))
    assert sorted(lines) == sorted(
        str(path.relative_to(HOSTILE)) for path in HOSTILE.glob("*/*.skops")
    )
    assert len(lines) > 150


# scikit-learn warns where a model was saved with another version of it.
@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize(("name", "kind", "says", "late"), list(cases()))
def test_hostile(name, kind, says, late, watch, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    path = HOSTILE / name
    data = path.read_bytes()
    if kind == "loads":
        for library in ("sklearn", "scipy", "quantile_forest"):
            if library.encode() in data:
                pytest.importorskip(library)
        skops.load(path)
        skops.loads(data)
        assert list(tmp_path.iterdir()) == []
        return
    assert says, "expected.toml says no words"
    for load in (lambda: skops.load(path), lambda: skops.loads(data)):
        modules = set(sys.modules)
        with watch as seen:
            try:
                load()
            except Exception as error:
                raised = error
            else:
                raised = None
        assert raised is not None, "it was loaded"
        assert type(raised) is KINDS[kind], repr(raised)
        assert says in str(raised)
        assert PLACE[kind].match(str(raised)), str(raised)
        if not late:
            assert set(sys.modules) == modules
            assert seen == []
    assert list(tmp_path.iterdir()) == []
    if kind == "untrusted":
        assert raised.names == sorted(set(raised.names))
        assert raised.names == skops.get_untrusted_types(data=data)
