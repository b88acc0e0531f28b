"""Fill fuzz/corpus from cases/: files as they are, and what is inside them for the readers of one entry."""

import base64
import hashlib
import io
import pathlib
import re
import zipfile

HERE = pathlib.Path(__file__).parent
LARGEST = 64 * 1024  # a larger seed makes every run slower and finds no more


def keep(target: str, data: bytes) -> None:
    """Add one input to a target's corpus, named by its content as libFuzzer names them."""
    folder = HERE / "corpus" / target
    folder.mkdir(parents=True, exist_ok=True)
    if len(data) <= LARGEST:
        (folder / hashlib.sha1(data, usedforsecurity=False).hexdigest()).write_bytes(data)


def keep_parts(data: bytes) -> None:
    """Take a file apart: its arrays, and its schema with the arrays behind it, numbered as the schema names them."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        entries = {name.encode(): archive.read(name) for name in archive.namelist()}
    schema = entries.get(b"schema.json", b"")
    numbers: dict[bytes, int] = {}

    def number(match: re.Match[bytes]) -> bytes:
        index = numbers.setdefault(match[2], len(numbers) + 1)
        return b'%s"%d.npy"' % (match[1], index)

    schema = re.sub(rb'("file": ?)"([^"]*\.npy)"', number, schema)
    keep("skops", schema + b"".join(entries.get(name, b"") for name in numbers))
    for name, entry in entries.items():
        if name.endswith(b".npy"):
            keep("npy", entry)


whole = 0
for path in sorted((HERE.parent / "cases").rglob("*")):
    if not path.is_file() or path.stat().st_size > 16 * LARGEST:
        continue
    data = path.read_bytes()
    if path.suffix == ".sig":
        keep("bundle", data)
        payload = re.search(rb'"payload": ?"([A-Za-z0-9+/=]*)"', data)
        if payload is not None:
            keep("bundle", base64.b64decode(payload[1] + b"=="))
    if path.name in ("MLmodel", "requirements.txt"):
        keep("mlmodel", data)
    if path.suffix == ".npy":
        keep("npy", data)
    if path.suffix == ".cbm":
        keep("catboost", data)
    if path.suffix == ".lgb":
        keep("lightgbm", data)
    if path.suffix in (".ubj", ".snapshot") or data.startswith(b'{"learner"'):
        keep("xgboost", data)
    if path.parent.name == "policy" and path.suffix == ".toml":
        keep("policy", data)
    if data.startswith(b"PK"):
        keep("archive", data)
        keep("skops", data)
        try:
            keep_parts(data)
        except Exception:  # a hostile file that Python cannot take apart either
            whole += 1
print(f"seeds from cases/; {whole} hostile files only whole, Python cannot take them apart")
