"""What hostile files are made of: a zip writer that lets every field be wrong, an npy writer, nodes of a schema."""

from __future__ import annotations

import bz2
import io
import json
import lzma
import struct
import zlib

import numpy as np

FILES: dict[str, bytes] = {}


def keep(name, data):
    """One more file: its name without `.skops`, and its bytes."""
    path = f"{name}.skops"
    assert path not in FILES, path
    FILES[path] = bytes(data)


LOCAL = (
    "signature",
    "needs",
    "flags",
    "method",
    "time",
    "date",
    "crc",
    "packed",
    "size",
    "name_length",
    "extra_length",
)


CENTRAL = (
    *(
        "signature",
        "made_by",
        "needs",
        "flags",
        "method",
        "time",
        "date",
        "crc",
        "packed",
        "size",
        "name_length",
    ),
    *("extra_length", "comment_length", "disk", "internal", "external", "offset"),
)


END = ("signature", "disk", "central_disk", "here", "count", "size", "offset", "comment_length")


class Entry:
    """One entry. `local`, `central` change fields of its two headers; `descriptor` is bytes after the data."""

    def __init__(
        self,
        name,
        data,
        *,
        method=0,
        local=(),
        central=(),
        both=(),
        descriptor=b"",
        before=b"",
        **more,
    ):
        self.raw = name if isinstance(name, bytes) else name.encode()
        self.data = data
        self.body = more.get("body")
        if self.body is None:
            self.body = pack(data, method)
        self.local = {**dict(both), **dict(local)}
        self.central = {**dict(both), **dict(central)}
        self.method = method
        self.descriptor = descriptor
        self.before = before
        self.local_name = more.get("local_name", self.raw)
        self.extra_local = more.get("extra_local", b"")
        self.extra_central = more.get("extra_central", b"")
        self.comment = more.get("comment", b"")


def pack(data, method):
    if method == 8:
        packer = zlib.compressobj(9, zlib.DEFLATED, -15)
        return packer.compress(data) + packer.flush()
    if method == 12:
        return bz2.compress(data)
    if method == 14:
        filters = [{"id": lzma.FILTER_LZMA1, "dict_size": 1 << 16, "lc": 3, "lp": 0, "pb": 2}]
        coded = lzma.compress(data, lzma.FORMAT_RAW, filters=filters)
        return struct.pack("<BBH", 9, 4, 5) + struct.pack("<BI", 93, 1 << 16) + coded
    return data


def archive(entries, *, prefix=b"", gap=b"", suffix=b"", comment=b"", end=(), before_end=b""):
    """The bytes of an archive. Every field is right unless something above says otherwise."""
    out = bytearray(prefix)
    central = bytearray()
    for entry in entries:
        out += entry.before
        offset = len(out)
        fields = {
            "signature": 0x04034B50,
            "made_by": 0x314,
            "needs": 20,
            "flags": 0,
            "method": entry.method,
            "time": 0,
            "date": 33,
            "crc": zlib.crc32(entry.data),
            "packed": len(entry.body),
            "size": len(entry.data),
            "disk": 0,
            "internal": 0,
            "external": 0o100600 << 16,
            "offset": offset,
            "comment_length": len(entry.comment),
        }
        fields.update(name_length=len(entry.local_name), extra_length=len(entry.extra_local))
        local = {**fields, **entry.local}
        out += struct.pack("<IHHHHHIIIHH", *(local[key] for key in LOCAL))
        out += entry.local_name + entry.extra_local + entry.body + entry.descriptor
        fields.update(
            signature=0x02014B50, name_length=len(entry.raw), extra_length=len(entry.extra_central)
        )
        directory = {**fields, **entry.central}
        central += struct.pack("<IHHHHHHIIIHHHHHII", *(directory[key] for key in CENTRAL))
        central += entry.raw + entry.extra_central + entry.comment
    out += gap
    start = len(out)
    out += central
    out += before_end(start, len(central)) if callable(before_end) else before_end
    fields = {
        "signature": 0x06054B50,
        "disk": 0,
        "central_disk": 0,
        "here": len(entries),
        "count": len(entries),
        "size": len(central),
        "offset": start,
        "comment_length": len(comment),
        **dict(end),
    }
    out += struct.pack("<IHHHHIIH", *(fields[key] for key in END))
    return bytes(out) + comment + suffix


def model(schema, entries=(), **options):
    """An archive of plain entries and a schema; what is large is deflated, so that the files stay small."""
    text = (
        schema if isinstance(schema, bytes) else json.dumps(schema, separators=(",", ":")).encode()
    )
    return archive(
        [
            Entry(name, data, method=8 if len(data) > 2000 else 0)
            for name, data in [*dict(entries).items(), ("schema.json", text)]
        ],
        **options,
    )


_last_id = 0


def fresh_id():
    """Count ids far from those that a saved file counts from 1."""
    global _last_id
    _last_id += 1
    return 10**6 + _last_id


def count_ids_again():
    """Let the ids of one group of files not depend on the others."""
    global _last_id
    _last_id = 0


def node(loader, module, name, **more):
    """Make a node, with its id before its content, so that what it holds can point back at it."""
    return {
        "__class__": name,
        "__module__": module,
        "__loader__": loader,
        "__id__": fresh_id(),
        **more,
    }


def leaf(value):
    return node("JsonNode", "builtins", "str", content=json.dumps(value), is_json=True)


def listing(*items, name="list", loader="ListNode"):
    return node(loader, "builtins", name, content=list(items))


def pair(*items):
    return listing(*items, name="tuple", loader="TupleNode")


def mapping(**items):
    return keyed(items, [node("TypeNode", "builtins", "str") for _ in items])


def keyed(items, types):
    return node("DictNode", "builtins", "dict", content=items, key_types=listing(*types))


def objects(*items, shape=None):
    """Make an array of Python objects; `items` are lists where `shape` has more than one side."""
    sides = (len(items),) if shape is None else shape
    lengths = pair(*[leaf(side) for side in sides])
    return node("NdArrayNode", "numpy", "ndarray", type="json", content=list(items), shape=lengths)


def array(file):
    return node("NdArrayNode", "numpy", "ndarray", type="numpy", file=file)


def whole(root, protocol=2):
    """A schema: the node of the model with what stands beside it."""
    return {**root, "protocol": protocol, "_skops_version": "0.16.0"}


def npy(
    header,
    data=b"",
    *,
    version=(1, 0),
    length=None,
    magic=b"\x93NUMPY",
    pad=True,
    encoding="latin-1",
):
    """An npy: `header` is a dict, or text that stands in its place."""
    text = (
        header
        if isinstance(header, bytes)
        else (header if isinstance(header, str) else repr(header)).encode(encoding)
    )
    if pad:
        text += b" " * (-(len(magic) + 5 + len(text)) % 64) + b"\n"
    size = len(text) if length is None else length
    return (
        magic + bytes(version) + struct.pack("<H" if version[0] == 1 else "<I", size) + text + data
    )


def header(descr="<f8", shape=(2,), fortran=False):
    return {"descr": descr, "fortran_order": fortran, "shape": shape}


def saved(values):
    out = io.BytesIO()
    np.save(out, values, allow_pickle=False)
    return out.getvalue()


PLAIN = json.dumps(whole(listing(leaf(1), array("1.npy"))), separators=(",", ":")).encode()


ONE = saved(np.arange(4.0))


def plain(**options):
    """Two good entries: an array and a schema that names it."""
    return [Entry("1.npy", ONE, **options), Entry("schema.json", PLAIN)]
