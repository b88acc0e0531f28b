"""Make the hostile files beside this script.

    python cases/hostile/generate.py [--check]

Each file breaks one rule, and `expected.toml` says with which kind of error it is refused and with which words. That
file is written by hand: this script only says which files it misses, or names too many. With `--check` nothing is
written, and a file that would change is named.

The models inside come from scikit-learn and stock skops, the zip archives from a writer of our own that lets every
field be wrong. Nothing here uses nopickle. The same versions of the libraries give the same bytes; the files were made
with scikit-learn 1.9.1, skops 0.16.0, numpy 2.4.6, scipy 1.17.1 and quantile-forest 1.4.2.
"""

from __future__ import annotations

import argparse
import bz2
import contextlib
import io
import json
import lzma
import re
import struct
import sys
import warnings
import zipfile
import zlib
from pathlib import Path

import numpy as np

HERE = Path(__file__).parent
FILES: dict[str, bytes] = {}


def keep(name, data):
    """One more file: its name without `.skops`, and its bytes."""
    path = f"{name}.skops"
    assert path not in FILES, path
    FILES[path] = bytes(data)


# ------------------------------------------------------------------------------------------------ zip, field by field

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


# ------------------------------------------------------------------------------------------------ nodes

_ids = iter(range(10**6, 10**9))


def node(loader, module, name, **more):
    """Make a node, with its id before its content, so that what it holds can point back at it."""
    return {
        "__class__": name,
        "__module__": module,
        "__loader__": loader,
        "__id__": next(_ids),
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


# ------------------------------------------------------------------------------------------------ zip


def zip_cases():
    def put(name, entries, **options):
        keep(f"zip/{name}", archive(entries, **options))

    schema = Entry("schema.json", PLAIN)
    right = archive(plain())

    # what is fine
    put("good_stored", plain())
    put("good_deflated", [Entry("1.npy", ONE, method=8), Entry("schema.json", PLAIN, method=8)])
    put("good_bzip2", [Entry("1.npy", ONE, method=12), Entry("schema.json", PLAIN, method=12)])
    put(
        "good_lzma",
        [Entry("1.npy", ONE, method=14, both={"flags": 2}), Entry("schema.json", PLAIN)],
    )
    streamed = {"flags": 8}
    zero = {"crc": 0, "packed": 0, "size": 0}
    full = struct.pack("<IIII", 0x08074B50, zlib.crc32(ONE), len(ONE), len(ONE))
    put(
        "good_descriptor", [Entry("1.npy", ONE, both=streamed, local=zero, descriptor=full), schema]
    )
    put(
        "good_descriptor_unsigned",
        [Entry("1.npy", ONE, both=streamed, local=zero, descriptor=full[4:]), schema],
    )
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as zipped:
        for name, data in (("1.npy", ONE), ("schema.json", PLAIN)):
            with zipped.open(
                zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0)), "w", force_zip64=True
            ) as file:
                file.write(data)
    keep("zip/good_zip64_local", out.getvalue())

    # names
    put("duplicate_name", [*plain(), Entry("1.npy", saved(np.zeros(4)))])
    put("duplicate_schema", [*plain(), Entry("schema.json", PLAIN)])
    put("case_twin", [*plain(), Entry("1.NPY", ONE)])
    put(
        "nfc_twin",
        [
            *plain(),
            Entry("\u00e9.npy", ONE, both={"flags": 0x800}),
            Entry("e\u0301.npy", ONE, both={"flags": 0x800}),
        ],
    )
    for name, path in {
        "absolute_path": "/1.npy",
        "parent_path": "../1.npy",
        "parent_path_inside": "a/../1.npy",
        "dot_segment": "./1.npy",
        "empty_segment": "a//1.npy",
        "backslash": "a\\1.npy",
        "drive_letter": "C:1.npy",
        "nul_in_name": "1.npy\0.txt",
        "empty_name": "",
        "trailing_dot": "1.npy.",
        "trailing_space": "1.npy ",
        "control_character": "1\n.npy",
        "directory_entry": "folder/",
    }.items():
        put(name, [*plain(), Entry(path, b"" if path.endswith("/") else ONE)])
    put("name_not_utf8", [*plain(), Entry(b"\xff\xfe.npy", ONE, both={"flags": 0x800})])
    long = "x" * 5000
    text = json.dumps(whole(array(long))).encode()
    put("good_long_name", [Entry(long, ONE), Entry("schema.json", text)])
    put(
        "other_name_in_extra",
        [Entry("1.npy", ONE, extra_local=_unicode_path(), extra_central=_unicode_path()), schema],
    )

    # the two headers of an entry disagree
    for field, value in {
        "crc": 1,
        "size": len(ONE) + 1,
        "packed": len(ONE) - 1,
        "method": 8,
        "flags": 0x800,
        "extra_length": 9,
    }.items():
        put(f"local_other_{field}", plain(local={field: value}))
    put("local_other_name", plain(local_name=b"2.npy"))
    put("local_longer_name", plain(local_name=b"1.npyx"))
    put("local_signature_wrong", plain(local={"signature": 0x04034B51}))
    put("central_signature_wrong", plain(central={"signature": 0x02014B51}))
    put("offset_wrong", plain(central={"offset": 5}))
    put("offset_past_end", plain(central={"offset": 1 << 30}))

    # sizes, checksums, methods, flags
    put("wrong_crc", plain(both={"crc": 0x12345678}))
    put("size_too_large", plain(both={"size": len(ONE) + 8, "packed": len(ONE) + 8}))
    put("size_too_small", plain(both={"size": len(ONE) - 8, "packed": len(ONE) - 8}))
    put("stored_sizes_differ", plain(both={"size": len(ONE) + 8}))
    put("encrypted", plain(both={"flags": 1}))
    put("strong_encryption", plain(both={"flags": 0x41}))
    put("patched_data", plain(both={"flags": 0x20}))
    put("masked_header", plain(both={"flags": 0x2000}))
    put("needs_newer_version", plain(both={"needs": 90}))
    put("method_unknown", plain(both={"method": 99}))
    put("method_deflate64", plain(both={"method": 9}))
    put("link", plain(central={"external": 0o120777 << 16}))
    put("device", plain(central={"external": 0o020600 << 16}))
    put("other_disk", plain(central={"disk": 1}))

    # packed data
    flat = pack(ONE, 8)
    put("deflate_garbage", plain(method=8, body=b"\xff" * 40))
    put("deflate_cut", plain(method=8, body=flat[:-6]))
    put("deflate_bytes_behind", plain(method=8, body=flat + b"more"))
    put("deflate_larger_than_said", plain(method=8, both={"size": len(ONE) - 8}))
    put("deflate_smaller_than_said", plain(method=8, both={"size": len(ONE) + 8}))
    put("deflate_of_more", plain(method=8, body=pack(ONE + b"12345678", 8)))
    put("bzip2_bytes_behind", plain(method=12, body=pack(ONE, 12) + b"more"))
    put("lzma_bytes_behind", plain(method=14, body=pack(ONE, 14) + b"more", both={"flags": 2}))
    put("lzma_cut", plain(method=14, body=pack(ONE, 14)[:-9], both={"flags": 2}))
    put("bzip2_garbage", plain(method=12, body=b"BZh9" + b"\xff" * 40))
    put("bzip2_cut", plain(method=12, body=pack(ONE, 12)[:-6]))
    put(
        "lzma_garbage", plain(method=14, body=b"\x09\x04\x05\x00" + b"\xff" * 40, both={"flags": 2})
    )
    put(
        "good_lzma_dictionary_huge",
        plain(
            method=14,
            body=struct.pack("<BBHBI", 9, 4, 5, 93, 0xFFFFFFFF) + pack(ONE, 14)[9:],
            both={"flags": 2},
        ),
    )
    put("lzma_header_short", plain(method=14, body=b"\x09\x04", both={"flags": 2}))
    bomb = bytes(1 << 21)
    zeros = npy(header("<f8", (len(bomb) // 8,)), bomb)
    put("bomb", [Entry("1.npy", zeros, method=8), schema])
    put("bomb_bzip2", [Entry("1.npy", zeros, method=12), schema])
    put(
        "bomb_schema",
        [Entry("1.npy", ONE), Entry("schema.json", PLAIN[:-1] + b" " * (1 << 21) + b"}", method=8)],
    )
    put("bomb_said_small", [Entry("1.npy", zeros, method=8, both={"size": 4096}), schema])

    # descriptors
    lying = struct.pack("<IIII", 0x08074B50, 1, len(ONE), len(ONE))
    put(
        "descriptor_other_crc",
        [Entry("1.npy", ONE, both=streamed, local=zero, descriptor=lying), schema],
    )
    lying = struct.pack("<IIII", 0x08074B50, zlib.crc32(ONE), len(ONE) + 1, len(ONE))
    put(
        "descriptor_other_size",
        [Entry("1.npy", ONE, both=streamed, local=zero, descriptor=lying), schema],
    )
    put("descriptor_missing", [Entry("1.npy", ONE, both=streamed, local=zero), schema])
    put("descriptor_without_flag", [Entry("1.npy", ONE, descriptor=full), schema])

    # bytes that belong to nothing
    put("prefix", plain(), prefix=b"#!/bin/sh\nexit\n")
    put(
        "prefix_shifted",
        [Entry("1.npy", ONE, central={"offset": 0}), Entry("schema.json", PLAIN)],
        prefix=b"MZ",
    )
    put("gap_between_entries", [Entry("1.npy", ONE), Entry("schema.json", PLAIN, before=b"hidden")])
    put("gap_before_directory", plain(), gap=b"hidden")
    put("gap_after_directory", plain(), before_end=b"hidden")
    put("trailing_bytes", plain(), suffix=b"hidden")
    put("trailing_newline", plain(), suffix=b"\n")
    put("two_end_records", plain(), suffix=right[-22:])
    put("two_archives", plain(), suffix=right)
    put("comment", plain(), comment=b"a comment")
    put("comment_with_end_record", plain(), comment=b"x" + right[-22:])
    put("comment_cut", plain(), comment=b"abc", end={"comment_length": 30})
    put("comment_of_entry", plain(comment=b"PK\x01\x02 a comment"))
    hidden = Entry("2.npy", saved(np.ones(4)))
    put(
        "entry_not_listed",
        [
            Entry("1.npy", ONE),
            Entry("schema.json", PLAIN, before=archive([hidden])[: 30 + 5 + len(hidden.body)]),
        ],
    )

    # overlap
    put("overlap_same_data", [Entry("1.npy", ONE), Entry("2.npy", b"", central=_copy(ONE)), schema])
    inner = archive([Entry("2.npy", saved(np.ones(2)))])[: 30 + 5 + 144]
    quoted = npy(header("|u1", (len(inner),)), inner)
    at = 30 + 5 + quoted.index(b"PK\x03\x04")
    two = Entry("2.npy", saved(np.ones(2)))
    put("overlap_inside", [Entry("1.npy", quoted), _directory_only(two, at), schema])

    # the end record
    put("count_too_high", plain(), end={"here": 3, "count": 3})
    put("count_too_low", plain(), end={"here": 1, "count": 1})
    put("count_disagrees", plain(), end={"here": 1})
    put("count_65534", plain(), end={"here": 65534, "count": 65534})
    put("directory_size_wrong", plain(), end={"size": 20})
    put("directory_offset_wrong", plain(), end={"offset": 3})
    put("directory_offset_past_end", plain(), end={"offset": 1 << 31})
    put("second_disk", plain(), end={"disk": 1, "central_disk": 1})
    put("no_entries", [])

    # zip64
    def record(begins, takes, **wrong):
        values = {
            "length": 44,
            "here": 2,
            "count": 2,
            "size": takes,
            "offset": begins,
            "at": begins + takes,
            "disks": 1,
            **wrong,
        }
        body = struct.pack(
            "<IQHHIIQQQQ",
            0x06064B50,
            values["length"],
            45,
            45,
            0,
            0,
            values["here"],
            values["count"],
            values["size"],
            values["offset"],
        )
        return body + struct.pack("<IIQI", 0x07064B50, 0, values["at"], values["disks"])

    saturated = {"here": 0xFFFF, "count": 0xFFFF, "size": 0xFFFFFFFF, "offset": 0xFFFFFFFF}
    put("good_zip64_end", plain(), before_end=record, end=saturated)
    for name, wrong in {
        "count": {"here": 3, "count": 3},
        "size": {"size": 7},
        "offset": {"offset": 9},
        "offset_huge": {"offset": 1 << 63},
        "count_huge": {"here": 1 << 40, "count": 1 << 40},
        "length": {"length": 12},
        "length_huge": {"length": 1 << 62},
        "place": {"at": 1},
        "place_huge": {"at": (1 << 64) - 1},
        "disks": {"disks": 2},
    }.items():
        put(
            f"zip64_{name}_wrong",
            plain(),
            before_end=lambda begins, takes, wrong=wrong: record(begins, takes, **wrong),
            end=saturated,
        )
    put("zip64_end_disagrees", plain(), before_end=record, end={"here": 1, "count": 1})
    put("zip64_record_missing", plain(), end=saturated)
    put("zip64_extra_missing", plain(both={"size": 0xFFFFFFFF, "packed": 0xFFFFFFFF}))
    short = struct.pack("<HHI", 1, 4, 5)
    put(
        "zip64_extra_short",
        plain(
            both={"size": 0xFFFFFFFF, "packed": 0xFFFFFFFF}, extra_local=short, extra_central=short
        ),
    )
    big = struct.pack("<HHQQ", 1, 16, 1 << 63, 1 << 63)
    put(
        "zip64_extra_huge",
        plain(both={"size": 0xFFFFFFFF, "packed": 0xFFFFFFFF}, extra_local=big, extra_central=big),
    )
    other = struct.pack("<HHQQ", 1, 16, len(ONE) + 4, len(ONE) + 4)
    same = struct.pack("<HHQQ", 1, 16, len(ONE), len(ONE))
    put(
        "zip64_extra_disagrees",
        plain(
            both={"size": 0xFFFFFFFF, "packed": 0xFFFFFFFF}, extra_local=other, extra_central=same
        ),
    )
    put("extra_cut", plain(extra_central=struct.pack("<HH", 0x5455, 40) + b"abc"))

    # cut off
    second = right.index(b"PK\x03\x04", 4)
    directory = right.index(b"PK\x01\x02")
    for name, at in {
        "empty": 0,
        "in_signature": 2,
        "in_local_header": 20,
        "in_name": 32,
        "in_data": 90,
        "after_first_entry": second,
        "in_second_header": second + 11,
        "before_directory": directory,
        "in_directory": directory + 30,
        "before_end": len(right) - 22,
        "in_end": len(right) - 5,
    }.items():
        keep(f"zip/cut_{name}", right[:at])
    keep("zip/not_a_zip", b"This is a text file, and not a model at all.\n" * 4)
    keep("zip/a_pickle", b"\x80\x04\x95\x0b\x00\x00\x00\x00\x00\x00\x00]\x94(K\x01K\x02e.")
    keep("zip/a_gzip", zlib.compress(right, 9, 31))
    keep("zip/only_an_end_record", struct.pack("<IHHHHIIH", 0x06054B50, 0, 0, 0, 0, 0, 0, 0))
    keep("zip/end_records_only", struct.pack("<IHHHHIIH", 0x06054B50, 0, 0, 1, 1, 46, 0, 0) * 200)


def _unicode_path():
    name = b"2.npy"
    return struct.pack("<HHBI", 0x7075, 5 + len(name), 1, zlib.crc32(b"1.npy")) + name


def _copy(data):
    """Central fields that point at the first entry's bytes."""
    return {"offset": 0, "crc": zlib.crc32(data), "packed": len(data), "size": len(data)}


def _directory_only(entry, offset):
    """An entry whose local header stands elsewhere: nothing of it is written here."""
    empty = Entry(entry.raw, entry.data, central={"offset": offset})

    class Nothing(bytes):
        pass

    empty.local_name, empty.body = b"", b""
    empty.local = {"signature": 0x04034B50, "name_length": 0, "packed": 0, "size": 0, "crc": 0}
    empty.central = {"offset": offset, "packed": len(entry.data)}
    return empty


# ------------------------------------------------------------------------------------------------ npy


def npy_cases():
    def put(name, data, root=None):
        keep(f"npy/{name}", model(whole(root or array("1.npy")), {"1.npy": data}))

    two = struct.pack("<dd", 1.0, 2.0)
    put("good_version_1", npy(header(), two))
    put("good_version_2", npy(header(), two, version=(2, 0)))
    put("good_version_3", npy(header([("\u00e9", "<f8")]), two, version=(3, 0), encoding="utf-8"))
    put("good_big_endian", npy(header(">f8"), two))
    put("good_fortran", npy(header("<f8", (1, 2), True), two))
    put("good_record_title", npy(header([(("title", "a"), "<f8")]), two))
    put("good_record", npy(header([("a", "<i4"), ("b", "<f4", (1,))]), two))

    put("empty", b"")
    put("magic_wrong", npy(header(), two, magic=b"\x93NUMPX"))
    put("magic_cut", b"\x93NUM")
    put("version_0", npy(header(), two, version=(0, 0)))
    put("version_4", npy(header(), two, version=(4, 0)))
    put("version_minor_1", npy(header(), two, version=(1, 1)))
    put("header_longer_than_file", npy(header(), two, length=60_000))
    put("header_long", npy(header(), two + bytes(20_000), version=(2, 0), length=12_000))
    put("header_length_huge", npy(header(), two, version=(2, 0), length=0xFFFFFFFF))
    put("header_empty", npy("", two, pad=False))
    put("header_not_a_dict", npy("['<f8', False, (2,)]", two))
    put(
        "header_code",
        npy("{'descr': __import__('os').system('id'), 'fortran_order': False, 'shape': (2,)}", two),
    )
    put("header_expression", npy("{'descr': '<f8', 'fortran_order': False, 'shape': (1+1,)}", two))
    put(
        "header_text_behind", npy("{'descr': '<f8', 'fortran_order': False, 'shape': (2,)} {}", two)
    )
    put("header_two_lines", npy(repr(header()) + "\n" + repr(header()), two))
    put("header_unknown_key", npy({**header(), "hidden": 1}, two))
    put(
        "header_duplicate_key",
        npy("{'descr': '<f8', 'descr': '<f4', 'fortran_order': False, 'shape': (2,)}", two),
    )
    put("header_missing_key", npy({"descr": "<f8", "fortran_order": False}, two))
    put("header_fortran_number", npy("{'descr': '<f8', 'fortran_order': 2, 'shape': (2,)}", two))
    put("header_shape_list", npy("{'descr': '<f8', 'fortran_order': False, 'shape': [2]}", two))
    put("header_shape_number", npy("{'descr': '<f8', 'fortran_order': False, 'shape': 2}", two))
    put("header_shape_float", npy("{'descr': '<f8', 'fortran_order': False, 'shape': (2.0,)}", two))
    put(
        "header_shape_bool",
        npy("{'descr': '<f8', 'fortran_order': False, 'shape': (True, 2)}", two),
    )
    put(
        "header_not_ascii",
        npy("{'descr': '<f8', 'fortran_order': False, 'shape': (2,), '\u00e9': 1}", two),
    )
    put(
        "header_not_utf8",
        npy(
            b"{'descr': [('\xff\xff', '<f8')], 'fortran_order': False, 'shape': (2,)}",
            two,
            version=(3, 0),
        ),
    )
    put("header_nul", npy("{'descr': '<f8\\x00', 'fortran_order': False, 'shape': (2,)}", two))
    put(
        "header_deep",
        npy(
            "{'descr': " + "[" * 4_000 + "]" * 4_000 + ", 'fortran_order': False, 'shape': (2,)}",
            two,
            version=(2, 0),
        ),
    )
    put(
        "header_long_number",
        npy(
            "{'descr': '<f8', 'fortran_order': False, 'shape': (" + "9" * 4_000 + ",)}",
            two,
            version=(2, 0),
        ),
    )

    for name, descr in {
        "object": "|O",
        "object_bare": "O",
        "object_endian": "<O",
        "object_sized": "|O8",
        "empty": "",
        "unknown": "<q8",
        "name": "float64",
        "two": "<f8,<f8",
        "digits": "<f99999999999999999999",
        "odd_size": "<f3",
        "int_of_3": "<i3",
        "unicode_huge": "<U1073741824",
        "void_huge": "|V9223372036854775807",
        "negative": "<i-8",
        "unit_unknown": "<M8[parsec]",
        "unit_cut": "<M8[ns",
        "bool_of_2": "|b2",
    }.items():
        put(f"dtype_{name}", npy(header(descr), two))
    nested = "<f8"
    for _ in range(200):
        nested = [("a", nested)]
    for name, descr in {
        "object_field": [("a", "<f8"), ("b", "|O")],
        "object_nested": [("a", [("b", "|O")])],
        "object_subarray": [("a", "|O", (2,))],
        "subarray_negative": [("a", "<f8", (-1,))],
        "subarray_huge": [("a", "<f8", (1 << 40, 1 << 40))],
        "duplicate": [("a", "<f4"), ("a", "<f4")],
        "no_fields": [],
        "field_of_one": [("a",)],
        "field_of_four": [("a", "<f8", (1,), 4)],
        "name_number": [(1, "<f8")],
        "title_twin": [(("b", "a"), "<f4"), (("a", "b"), "<f4")],
        "title_three": [(("t", "a", "x"), "<f8")],
        "deep": nested,
    }.items():
        put(f"record_{name}", npy(header(descr), two))
    put(
        "record_dict",
        npy(
            "{'descr': {'names': ['a'], 'formats': ['|O'], 'offsets': [0]}, 'fortran_order': False, 'shape': (2,)}",
            two,
        ),
    )

    for name, shape in {
        "negative": (-2,),
        "negative_product": (-1, -2),
        "huge": (1 << 62,),
        "overflow": (1 << 32, 1 << 32),
        "over_64_bits": (1 << 64,),
        "zero_times_huge": (0, 1 << 63),
        "too_many": (1,) * 65 + (2,),
    }.items():
        put(f"shape_{name}", npy(header("<f8", shape), two))
    put("shape_zero_times_huge_empty", npy(header("<f8", (0, 1 << 62))))
    put("data_short", npy(header("<f8", (3,)), two))
    put("data_long", npy(header("<f8", (1,)), two))
    put("data_missing", npy(header("<f8", (1,))))
    put("data_behind_empty", npy(header("<f8", (0,)), two))
    put("text_not_unicode", npy(header("<U1", (2,)), struct.pack("<II", 0x110000, 0x41)))
    put("bool_of_7", npy(header("|b1", (2,)), b"\x07\x01"))
    put("file_is_the_schema", ONE, {**array("schema.json")})
    put("file_missing", ONE, array("2.npy"))
    put("file_number", ONE, array(1))
    put("file_parent", ONE, array("../1.npy"))
    put("class_of_array", ONE, {**array("1.npy"), "__class__": "system", "__module__": "os"})
    put(
        "class_not_an_array",
        ONE,
        {
            **array("1.npy"),
            "__class__": "LogisticRegression",
            "__module__": "sklearn.linear_model._logistic",
        },
    )
    put("scalar_of_many", ONE, {**array("1.npy"), "__class__": "float64"})
    put(
        "scalar_other_dtype",
        npy(header("<f8", ()), two[:8]),
        {**array("1.npy"), "__class__": "int64"},
    )


# ------------------------------------------------------------------------------------------------ skops


def skops_cases():
    def put(name, root, entries=(), protocol=2):
        keep(f"skops/{name}", model(whole(root, protocol), entries))

    def text(name, schema, entries=()):
        keep(
            f"skops/{name}",
            model(schema if isinstance(schema, bytes) else schema.encode(), entries),
        )

    dump = lambda value: json.dumps(value, separators=(",", ":"))  # noqa: E731
    good = whole(listing(leaf(1), leaf("a")))

    # the JSON
    text("good", dump(good))
    text("empty", "")
    text("not_json", "__class__: list")
    text("not_utf8", dump(good).encode().replace(b"0.16.0", b"0.16.\xff"))
    text("bom", b"\xef\xbb\xbf" + dump(good).encode())
    text("utf16", dump(good).encode("utf-16-le"))
    text("trailing_json", dump(good) + "{}")
    text("trailing_comma", dump(good)[:-1] + ",}")
    text("comment", dump(good) + "// done")
    text("single_quotes", dump(good).replace('"', "'"))
    text("nul_behind", dump(good).encode() + b"\0")
    text("cut", dump(good)[:-40])
    text("top_is_a_list", "[" + dump(good) + "]")
    text("top_is_a_number", "1")
    text("top_is_null", "null")
    text("duplicate_key", dump(good).replace('"__class__"', '"__class__":"x","__class__"', 1))
    text(
        "duplicate_key_escaped",
        dump(good).replace('"__class__"', '"__cl\\u0061ss__":"x","__class__"', 1),
    )
    text("duplicate_protocol", dump(good)[:-1] + ',"protocol":0}')
    text(
        "duplicate_key_in_dict",
        dump(whole(mapping(a=leaf(1)))).replace('"a":', '"a":' + dump(leaf(2)) + ',"a":', 1),
    )
    text("escape_wrong", dump(good).replace("0.16.0", "\\x41"))
    text("control_character", dump(good).replace("0.16.0", "a\nb"))
    text("number_leading_zero", dump(good).replace('"protocol":2', '"protocol":02'))
    text("levels_100000", '{"a":' * 100_000 + "1" + "}" * 100_000)
    text("levels_100000_lists", "[" * 100_000 + "]" * 100_000)
    one = (
        dump({key: value for key, value in listing().items() if key not in ("content", "__id__")})[
            :-1
        ]
        + ',"content":['
    )
    text("levels_of_nodes", one * 60_000 + "]}" * 60_000)
    text("levels_in_a_leaf", dump(whole({**leaf(1), "content": "[" * 100_000 + "]" * 100_000})))

    # protocol
    for name, value in {
        "newer": 3,
        "much_newer": 10**30,
        "negative": -1,
        "bool": True,
        "string": "2",
        "float": 2.0,
        "null": None,
        "list": [2],
    }.items():
        put(f"protocol_{name}", listing(), protocol=value)
    missing = dict(good)
    del missing["protocol"]
    text("protocol_missing", dump(missing))
    put("protocol_inside", listing({**leaf(1), "protocol": 0}))

    # the parts of a node
    for key in ("__class__", "__module__", "__loader__", "content"):
        broken = dict(good)
        del broken[key]
        text(f"missing_{key.strip('_')}", dump(broken))
        text(f"{key.strip('_')}_number", dump({**good, key: 1}))
        text(f"{key.strip('_')}_null", dump({**good, key: None}))
    put("unknown_loader", node("PickleNode", "builtins", "list", content=[]))
    put("unknown_key", {**listing(), "hidden": leaf(1)})
    put("unknown_key_leaf", listing({**leaf(1), "hidden": 1}))
    put("unknown_key_array", {**array("1.npy"), "hidden": 1}, {"1.npy": ONE})
    put("node_is_a_number", listing(5))
    put("node_is_null", listing(None))
    put("node_is_a_list", listing([]))
    put("class_empty", {**listing(), "__class__": ""})
    put("entry_missing", array("1.npy"))
    keep("skops/schema_missing", archive([Entry("1.npy", ONE)]))
    keep(
        "skops/schema_in_a_folder",
        archive([Entry("model/schema.json", PLAIN), Entry("1.npy", ONE)]),
    )
    put("entry_not_named", listing(), {"1.npy": ONE})
    put("entry_of_bytes_missing", node("BytesNode", "builtins", "bytes", file="1.bin"))
    put(
        "entry_wrong_type",
        node("SparseMatrixNode", "scipy.sparse._csr", "csr_matrix", type="scipy", file="1.npy"),
        {"1.npy": ONE},
    )
    put("array_type_unknown", {**array("1.npy"), "type": "pickle"}, {"1.npy": ONE})
    put(
        "sparse_type_unknown",
        node("SparseMatrixNode", "scipy.sparse._csr", "csr_matrix", type="pickle", file="1.npz"),
        {"1.npz": ONE},
    )

    # ids
    put("id_never_defined", listing(node("CachedNode", "builtins", "list") | {"__id__": 5}))
    put("id_string", listing({**leaf(1), "__id__": "1"}))
    put("id_list", listing({**leaf(1), "__id__": [1]}))
    put("id_float", listing({**leaf(1), "__id__": 1.5}))
    put("id_null_cached", listing({**node("CachedNode", "builtins", "list"), "__id__": None}))
    hidden = node("TypeNode", "os", "system") | {"__id__": 77}
    put(
        "id_hides_another_class",
        listing(node("TypeNode", "builtins", "int") | {"__id__": 77}, hidden),
    )
    put("id_hides_another_value", listing(leaf(1) | {"__id__": 77}, leaf(2) | {"__id__": 77}))
    put(
        "id_hides_another_array",
        listing(array("1.npy") | {"__id__": 77}, array("2.npy") | {"__id__": 77}),
        {"1.npy": ONE, "2.npy": saved(np.zeros(2))},
    )
    put("id_hides_a_broken_node", listing(leaf(1) | {"__id__": 77}, {"__id__": 77}))

    def cached(at):
        return {
            "__class__": "x",
            "__module__": "x",
            "__loader__": "CachedNode",
            "__id__": at,
        }

    put("cycle_tuple", {**pair(cached(9)), "__id__": 9})
    put("good_cycle_tuple_in_list", {**pair(listing(cached(9))), "__id__": 9})
    put("cycle_set", {**listing(pair(cached(9)), name="set", loader="SetNode"), "__id__": 9})
    put(
        "cycle_reduce",
        {
            **node(
                "ConstructorFromReduceNode",
                "sklearn.metrics._dist_metrics",
                "EuclideanDistance64",
                content=pair(cached(9)),
            ),
            "__id__": 9,
        },
    )
    put(
        "cycle_partial",
        {
            **node(
                "PartialNode",
                "functools",
                "partial",
                content={
                    "func": cached(9),
                    "args": pair(),
                    "kwds": mapping(),
                    "namespace": leaf(None),
                },
            ),
            "__id__": 9,
        },
    )
    put(
        "cycle_object_array",
        {
            **node(
                "NdArrayNode",
                "numpy",
                "ndarray",
                type="json",
                content=[pair(cached(9))],
                shape=pair(leaf(1)),
            ),
            "__id__": 9,
        },
    )
    put("cycle_dict_key_types", {**keyed({"a": leaf(1)}, []), "key_types": cached(9), "__id__": 9})
    late = listing(cached(9))
    del late["__id__"]
    put("cycle_list_id_behind", {**late, "__id__": 9})
    put("cycle_root_cached", {**cached(9)})
    put("good_cycle_list", {**listing(cached(9)), "__id__": 9})

    # leaves
    for name, content in {
        "not_json": "spam",
        "code": "__import__('os')",
        "empty": "",
        "trailing": "1 2",
        "list": "[1, 2]",
        "dict": '{"a": 1}',
        "duplicate": '{"a": 1, "a": 2}',
        "infinity_word": "inf",
        "hex": "0x10",
        "lone_surrogate": '"\\ud800"',
        "two_surrogates": '"\\udc00\\ud800"',
        "raw_control": '"a\tb"',
    }.items():
        put(f"leaf_{name}", listing({**leaf(1), "content": content}))
    put("leaf_number", listing({**leaf(1), "content": 1}))
    put("leaf_number_long", listing({**leaf(1), "content": "9" * 1_000_000}))
    put("leaf_float_long", listing({**leaf(1), "content": "0." + "9" * 1_000_000}))
    put("leaf_exponent_huge", listing({**leaf(1), "content": "1e999999999"}))
    put("leaf_of_another_class", listing({**leaf(1), "__class__": "system", "__module__": "os"}))

    # containers
    strings = [node("TypeNode", "builtins", "str")]
    put("key_types_short", keyed({"a": leaf(1), "b": leaf(2)}, strings))
    put("key_types_long", keyed({"a": leaf(1)}, strings * 3))
    put("key_types_not_a_list", {**keyed({"a": leaf(1)}, []), "key_types": leaf("str")})
    put(
        "key_types_missing",
        {key: value for key, value in keyed({"a": leaf(1)}, strings).items() if key != "key_types"},
    )
    put("key_types_not_types", keyed({"a": leaf(1)}, [leaf(1)]))
    put("key_type_function", keyed({"id": leaf(1)}, [node("FunctionNode", "os", "system")]))
    put("key_type_class", keyed({"id": leaf(1)}, [node("TypeNode", "subprocess", "Popen")]))
    put("key_type_eval", keyed({"1": leaf(1)}, [node("TypeNode", "builtins", "eval")]))
    put("key_type_numpy_load", keyed({"x": leaf(1)}, [node("FunctionNode", "numpy", "loadtxt")]))
    put(
        "key_type_estimator",
        keyed(
            {"x": leaf(1)},
            [node("TypeNode", "sklearn.linear_model._logistic", "LogisticRegression")],
        ),
    )
    put("key_not_of_its_type", keyed({"spam": leaf(1)}, [node("TypeNode", "builtins", "int")]))
    put(
        "key_twice_after_its_type",
        keyed({"1": leaf(1), "01": leaf(2)}, [node("TypeNode", "builtins", "int")] * 2),
    )
    put(
        "dict_of_another_class",
        {**mapping(a=leaf(1)), "__class__": "Popen", "__module__": "subprocess"},
    )
    put("dict_content_list", {**mapping(a=leaf(1)), "content": []})
    put("list_content_dict", {**listing(), "content": {}})
    put("list_of_map", {**listing(leaf(1)), "__class__": "map"})
    put(
        "list_of_another_class",
        {**listing(leaf("id")), "__class__": "Popen", "__module__": "subprocess"},
    )
    put("tuple_of_another_class", {**pair(leaf(1)), "__class__": "system", "__module__": "os"})
    put("set_of_lists", listing(listing(), name="set", loader="SetNode"))
    put(
        "set_of_another_class",
        {**listing(name="set", loader="SetNode"), "__class__": "ZipFile", "__module__": "zipfile"},
    )
    put("dict_of_lists_as_keys", keyed({"[]": leaf(1)}, [node("TypeNode", "builtins", "list")]))
    put(
        "default_factory_system",
        node(
            "DefaultDictNode",
            "collections",
            "defaultdict",
            content={"main": mapping(), "default_factory": node("FunctionNode", "os", "getcwd")},
        ),
    )
    put(
        "default_main_not_a_dict",
        node(
            "DefaultDictNode",
            "collections",
            "defaultdict",
            content={"main": leaf(1), "default_factory": leaf(None)},
        ),
    )
    put(
        "default_another_class",
        node(
            "DefaultDictNode",
            "subprocess",
            "Popen",
            content={"main": mapping(), "default_factory": leaf(None)},
        ),
    )
    put(
        "slice_of_text",
        node("SliceNode", "builtins", "slice", content={"start": "x", "stop": None, "step": None}),
    )
    put(
        "slice_of_node",
        node(
            "SliceNode", "builtins", "slice", content={"start": leaf(1), "stop": None, "step": None}
        ),
    )
    put("slice_cut", node("SliceNode", "builtins", "slice", content={"start": 1}))
    put(
        "slice_of_another_class",
        node("SliceNode", "os", "system", content={"start": 1, "stop": 2, "step": None}),
    )
    put("bytes_of_another_class", node("BytesNode", "os", "system", file="1.bin"), {"1.bin": b"id"})
    put(
        "object_array_short",
        node(
            "NdArrayNode", "numpy", "ndarray", type="json", content=[leaf(1)], shape=pair(leaf(3))
        ),
    )
    put(
        "object_array_shape_huge",
        node(
            "NdArrayNode",
            "numpy",
            "ndarray",
            type="json",
            content=[],
            shape=pair(leaf(1 << 62), leaf(1 << 62)),
        ),
    )
    put(
        "object_array_shape_negative",
        node(
            "NdArrayNode", "numpy", "ndarray", type="json", content=[leaf(1)], shape=pair(leaf(-1))
        ),
    )
    put(
        "object_array_shape_text",
        node(
            "NdArrayNode", "numpy", "ndarray", type="json", content=[leaf(1)], shape=pair(leaf("1"))
        ),
    )
    put(
        "object_array_shape_missing",
        node("NdArrayNode", "numpy", "ndarray", type="json", content=[leaf(1)]),
    )
    put(
        "masked_mask_of_other_shape",
        node(
            "MaskedArrayNode",
            "numpy.ma",
            "MaskedArray",
            content={"data": array("1.npy"), "mask": array("2.npy")},
        ),
        {"1.npy": ONE, "2.npy": saved(np.zeros(9, bool))},
    )
    put(
        "masked_not_arrays",
        node(
            "MaskedArrayNode", "numpy.ma", "MaskedArray", content={"data": leaf(1), "mask": leaf(2)}
        ),
    )
    put("dtype_of_a_number", node("DTypeNode", "numpy", "dtype", content=leaf(1)))
    put(
        "dtype_of_another_class",
        node("DTypeNode", "os", "system", content=array("1.npy")),
        {"1.npy": saved(np.zeros(0))},
    )

    # names of code
    for name, (module, qualname) in {
        "system": ("os", "system"),
        "eval": ("builtins", "eval"),
        "popen": ("subprocess", "Popen"),
        "import": ("builtins", "__import__"),
        "getattr": ("builtins", "getattr"),
        "runpy": ("runpy", "_run_code"),
        "pickle_loads": ("pickle", "loads"),
        "numpy_load": ("numpy", "load"),
        "numpy_memmap": ("numpy", "memmap"),
        "joblib_load": ("joblib.numpy_pickle", "load"),
        "fromfile": ("numpy", "fromfile"),
        "f2py": ("numpy.f2py", "compile"),
        "openml": ("sklearn.datasets._openml", "fetch_openml"),
        "load_files": ("sklearn.datasets._base", "load_files"),
        "unknown_module": ("no_such_module", "Thing"),
        "unknown_name": ("builtins", "no_such_name"),
        "main": ("__main__", "Thing"),
        "this": ("this", "s"),
        "antigravity": ("antigravity", "webbrowser"),
    }.items():
        put(f"type_{name}", listing(node("TypeNode", module, qualname)))
    for name, (module, qualname) in {
        "system": ("os", "system"),
        "exec": ("builtins", "exec"),
        "dotted": ("numpy", "random.seed"),
        "dotted_module": ("numpy.", "add"),
        "globals": ("numpy.add", "__globals__"),
        "dunder": ("builtins", "__loader__"),
        "relative": (".os", "system"),
        "spaces": ("os ", "system"),
        "newline": ("os\n", "system"),
        "nul": ("os\0", "system"),
        "lookalike": ("numpy", "\u0430dd"),
        "fullwidth": ("numpy", "\uff41dd"),
        "save": ("numpy", "save"),
        "call_back": ("numpy", "seterrcall"),
        "apply_along_axis": ("numpy", "apply_along_axis"),
        "vectorize": ("numpy", "vectorize"),
        "set_string_function": ("numpy", "set_printoptions"),
        "seed": ("numpy.random", "seed"),
        "check_call": ("subprocess", "check_call"),
        "delayed": ("sklearn.utils.parallel", "delayed"),
        "ctypes": ("ctypes", "CDLL"),
    }.items():
        put(f"function_{name}", listing(node("FunctionNode", module, qualname)))
    put(
        "function_protocol_0",
        node(
            "FunctionNode",
            "builtins",
            "function",
            content={"module_path": "os", "function": "system"},
        ),
        protocol=0,
    )
    put(
        "function_protocol_0_pair",
        node("FunctionNode", "numpy", "add", content={"module_path": "os", "function": "system"}),
        protocol=0,
    )
    put(
        "function_split_otherwise",
        listing(node("FunctionNode", "sklearn.linear_model", "_logistic.LogisticRegression")),
    )

    # calls
    for name, (module, qualname, args) in {
        "system": ("os", "system", [leaf("id")]),
        "map": ("builtins", "map", [node("FunctionNode", "os", "system"), listing(leaf("id"))]),
        "numpy_add": ("numpy", "add", [leaf(1), leaf(2)]),
        "numpy_load": ("numpy", "load", [leaf("/etc/hostname")]),
        "numpy_fromfile": ("numpy", "fromfile", [leaf("/etc/hostname")]),
        "range": ("builtins", "range", [leaf(1 << 40)]),
        "bytes": ("builtins", "bytes", [leaf(1 << 40)]),
        "list": ("builtins", "list", [leaf("abc")]),
        "type": ("builtins", "type", [leaf("X"), pair(), mapping()]),
        "open": ("builtins", "open", [leaf("written"), leaf("w")]),
        "path": ("pathlib", "PosixPath", [leaf("/")]),
        "popen": ("subprocess", "Popen", [leaf("id")]),
        "file_handler": ("logging", "FileHandler", [leaf("written")]),
        "array": ("numpy", "ndarray", [leaf(1 << 40)]),
        "function_transformer": (
            "sklearn.preprocessing._function_transformer",
            "FunctionTransformer",
            [node("FunctionNode", "os", "system")],
        ),
        "random_state": ("numpy.random.mtrand", "RandomState", [leaf(1)]),
    }.items():
        put(
            f"call_{name}", node("ConstructorFromReduceNode", module, qualname, content=pair(*args))
        )
    put(
        "call_without_a_tuple",
        node("ConstructorFromReduceNode", "datetime", "timezone", content=leaf(1)),
    )
    put(
        "call_of_a_result",
        node(
            "ConstructorFromReduceNode",
            "builtins",
            "map",
            content=node("ConstructorFromReduceNode", "builtins", "iter", content=pair()),
        ),
    )
    put(
        "partial_system",
        node(
            "PartialNode",
            "functools",
            "partial",
            content={
                "func": node("FunctionNode", "os", "system"),
                "args": pair(leaf("id")),
                "kwds": mapping(),
                "namespace": leaf(None),
            },
        ),
    )
    put(
        "partial_of_a_number",
        node(
            "PartialNode",
            "functools",
            "partial",
            content={"func": leaf(1), "args": pair(), "kwds": mapping(), "namespace": leaf(None)},
        ),
    )
    put(
        "partial_of_another_class",
        node(
            "PartialNode",
            "os",
            "system",
            content={
                "func": node("FunctionNode", "numpy", "add"),
                "args": pair(),
                "kwds": mapping(),
                "namespace": leaf(None),
            },
        ),
    )
    put(
        "partial_args_not_a_tuple",
        node(
            "PartialNode",
            "functools",
            "partial",
            content={
                "func": node("FunctionNode", "numpy", "add"),
                "args": leaf(1),
                "kwds": mapping(),
                "namespace": leaf(None),
            },
        ),
    )
    put(
        "partial_cut",
        node(
            "PartialNode",
            "functools",
            "partial",
            content={"func": node("FunctionNode", "numpy", "add")},
        ),
    )

    def estimator(**state):
        return node(
            "ObjectNode",
            "sklearn.linear_model._logistic",
            "LogisticRegression",
            content=mapping(**state),
        )

    def method(func, obj, module="sklearn.linear_model._logistic", name="LogisticRegression"):
        return node("MethodNode", module, name, content={"func": func, "obj": obj})

    put("method_not_trusted", method("fit", estimator()))
    put("method_dunder", method("__init__", estimator()))
    put("method_globals", method("fit.__globals__", estimator()))
    put("method_reduce", method("__reduce_ex__", estimator()))
    put("method_number", method(1, estimator()))
    put("method_of_another_class", method("predict", estimator(), "os", "system"))
    put("method_of_a_leaf", method("format", leaf("{0.__class__}"), "builtins", "str"))
    put("method_of_nothing", node("MethodNode", "builtins", "str", content={"func": "format"}))
    put("operator_another_module", node("OperatorFuncNode", "os", "system", attrs=pair(leaf("id"))))
    put(
        "operator_not_a_getter",
        node("OperatorFuncNode", "operator", "add", attrs=pair(leaf(1), leaf(2))),
    )
    put(
        "operator_methodcaller",
        node(
            "OperatorFuncNode", "operator", "methodcaller", attrs=pair(leaf("system"), leaf("id"))
        ),
    )
    put(
        "operator_attrgetter_dunder",
        node("OperatorFuncNode", "operator", "attrgetter", attrs=pair(leaf("__class__.__mro__"))),
    )
    put("operator_dunder", node("OperatorFuncNode", "operator", "__builtins__", attrs=pair()))
    put(
        "operator_attrs_not_a_tuple",
        node("OperatorFuncNode", "operator", "itemgetter", attrs=leaf(1)),
    )

    # objects
    put("object_of_a_function", node("ObjectNode", "numpy", "add", content=mapping()))
    put("object_of_popen", node("ObjectNode", "subprocess", "Popen", content=mapping()))
    put("object_of_type", node("ObjectNode", "builtins", "type", content=mapping()))
    put(
        "object_with_class_state",
        estimator(__class__=node("TypeNode", "subprocess", "Popen")),
    )
    put(
        "object_state_a_number",
        node("ObjectNode", "sklearn.linear_model._logistic", "LogisticRegression", content=leaf(1)),
    )
    put(
        "object_state_a_list",
        node(
            "ObjectNode", "sklearn.linear_model._logistic", "LogisticRegression", content=listing()
        ),
    )
    put(
        "object_keys_not_text",
        node(
            "ObjectNode",
            "sklearn.linear_model._logistic",
            "LogisticRegression",
            content=keyed({"1": leaf(1)}, [node("TypeNode", "builtins", "int")]),
        ),
    )
    put(
        "tree_of_another_class",
        node("TreeNode", "os", "system", content=mapping())
        | {"__reduce__": {"args": pair(leaf("id"))}},
    )
    put("tree_without_args", node("TreeNode", "sklearn.tree._tree", "Tree", content=mapping()))
    put(
        "loss_of_another_class",
        node("LossNode", "os", "system", content=mapping())
        | {"__reduce__": {"args": pair(leaf("id"))}},
    )
    put(
        "loss_of_an_estimator",
        node("LossNode", "sklearn.linear_model._logistic", "LogisticRegression", content=mapping())
        | {"__reduce__": {"args": pair()}},
    )
    put(
        "quantile_forest_of_another_class",
        node("QuantileForestNode", "os", "system", content=mapping())
        | {"__reduce__": {"args": pair(leaf("id"))}},
    )

    # random generators name a class inside a plain string
    from skops.io import dumps

    schema, entries = taken(dumps(np.random.default_rng(1)))
    for name, value in {
        "bit_generator_seed": "seed",
        "bit_generator_system": "os.system",
        "bit_generator_abstract": "BitGenerator",
        "bit_generator_dunder": "__class__",
        "bit_generator_number": 5,
        "bit_generator_state_setter": "set_state",
        "bit_generator_other": "MT19937",
    }.items():
        changed = json.loads(json.dumps(schema))
        changed["content"]["bit_generator"]["content"]["bit_generator"]["content"] = json.dumps(
            value
        )
        keep(f"skops/{name}", model(changed, entries))
        if name.endswith("seed"):
            keep(f"skops/{name}_protocol_1", model({**changed, "protocol": 1}, entries))
    changed = json.loads(json.dumps(schema))
    changed["content"]["bit_generator"]["content"]["bit_generator"] = listing()
    keep("skops/bit_generator_list", model(changed, entries))
    changed = json.loads(json.dumps(schema))
    del changed["content"]["bit_generator"]["content"]["bit_generator"]
    del changed["content"]["bit_generator"]["key_types"]["content"][0]
    keep("skops/bit_generator_missing", model(changed, entries))
    changed = json.loads(json.dumps(schema))
    changed["content"]["seed_seq"]["content"]["pool_size"]["content"] = "1000000000000"
    keep("skops/seed_sequence_huge", model(changed, entries))
    changed = json.loads(json.dumps(schema))
    changed["__class__"], changed["__module__"] = "system", "os"
    keep("skops/generator_of_another_class", model(changed, entries))


# ------------------------------------------------------------------------------------------------ models


def taken(data):
    """Schema and entries of a saved file, ids and entry names counted from 1."""
    with zipfile.ZipFile(io.BytesIO(data)) as zipped:
        held = {name: zipped.read(name) for name in zipped.namelist()}
    schema = json.loads(held.pop("schema.json"))
    ids, names = {}, {}
    todo = [schema]
    while todo:
        here = todo.pop()
        if isinstance(here, dict):
            if isinstance(here.get("__id__"), int):
                here["__id__"] = ids.setdefault(here["__id__"], len(ids) + 1)
            if isinstance(here.get("file"), str):
                here["file"] = names.setdefault(
                    here["file"], f"{len(names) + 1}{Path(here['file']).suffix}"
                )
            todo.extend(reversed(here.values()))
        elif isinstance(here, list):
            todo.extend(reversed(here))
    return schema, {new: without_padding(held[old]) for old, new in names.items()}


def without_padding(data):
    """An entry as it is; in an array of records, the bytes between fields, which are of no meaning, set to zero."""
    if not data.startswith(b"\x93NUMPY"):
        return data
    values = np.load(io.BytesIO(data))
    if not values.dtype.names:
        return data
    clean = np.zeros(values.shape, values.dtype)
    for name in values.dtype.names:
        clean[name] = values[name]
    return saved(clean)


class Saved:
    """A saved model whose values can be changed one at a time: each `put` starts from the whole one."""

    def __init__(self, folder, obj, data=None):
        from skops.io import dumps

        self.folder = folder
        self.schema, self.entries = taken(dumps(obj) if data is None else data)
        self.text = json.dumps(self.schema)
        # Objects that stand twice keep one id; a changed copy needs its own.
        self.good()

    def good(self):
        keep(f"{self.folder}/good", model(self.schema, self.entries))

    def find(self, schema, path):
        here = schema
        for step in path:
            if step == "args":
                here = here["__reduce__"]["args"]
                continue
            inside = here["content"]
            while isinstance(step, str) and isinstance(inside, dict) and "__loader__" in inside:
                inside = inside["content"]
            if isinstance(step, int) and isinstance(inside, dict) and "__loader__" in inside:
                inside = inside["content"]
            here = inside[step]
        return here

    def value(self, *path):
        """The value at a path: what a leaf says, or an array."""
        here = self.find(self.schema, path)
        if here["__loader__"] == "NdArrayNode" and here["type"] == "numpy":
            return np.load(io.BytesIO(self.entries[here["file"]]))
        return json.loads(here["content"])

    def put(self, name, *path, to, raw=False):
        """The model with the value at `path` set to `to`: an array, a JSON value, a node, or (`raw`) an entry."""
        schema, entries = json.loads(self.text), dict(self.entries)
        here = self.find(schema, path)
        if raw:
            entries[here["file"]] = to
        else:
            here.clear()
            if isinstance(to, np.ndarray | np.generic):
                here.update(array("changed.npy"))
                if isinstance(to, np.generic):
                    here["__class__"] = type(to).__name__
                entries["changed.npy"] = without_padding(saved(to))
            elif isinstance(to, dict) and "__loader__" in to:
                here.update(to)
            else:
                here.update(leaf(to))
        self.keep(name, schema, entries)

    def keep(self, name, schema, entries):
        """Keep a file with those entries that its schema names."""
        used = json.dumps(schema)
        named = {key: data for key, data in entries.items() if f'"{key}"' in used}
        keep(f"{self.folder}/{name}", model(schema, named))

    def without(self, name, *path):
        """The model without the entry of a dict at `path`."""
        schema = json.loads(self.text)
        holder = self.find(schema, path[:-1])
        while holder["__loader__"] != "DictNode":
            holder = holder["content"]
        at = list(holder["content"]).index(path[-1])
        del holder["content"][path[-1]]
        del holder["key_types"]["content"][at]
        self.keep(name, schema, self.entries)

    def plus(self, name, *path, to):
        """The model with one more entry of a dict: its key is the last part of `path`, its value the node `to`."""
        schema = json.loads(self.text)
        holder = self.find(schema, path[:-1])
        while holder["__loader__"] != "DictNode":
            holder = holder["content"]
        holder["content"][path[-1]] = to
        holder["key_types"]["content"].append(node("TypeNode", "builtins", "str"))
        self.keep(name, schema, self.entries)

    def part(self, *path):
        """A copy of the node at `path`, to stand elsewhere: its ids make it the same object there."""
        return json.loads(json.dumps(self.find(self.schema, path)))

    def array(self, *path):
        return self.value(*path).copy()

    def element(self, name, *path, at, to, field=None):
        """The model with one element of an array changed."""
        values = self.array(*path)
        flat = values.reshape(-1) if field is None else values[field]
        flat[at] = to
        self.put(name, *path, to=values)


def rows():
    draw = np.random.RandomState(7)
    inputs = draw.normal(size=(24, 3)).round(3)
    return inputs, np.arange(24) % 3, (inputs @ [1.0, -2.0, 0.5]).round(3)


def tree_cases():
    from sklearn.tree import DecisionTreeClassifier

    inputs, labels, _ = rows()
    saved_model = Saved(
        "tree", DecisionTreeClassifier(max_depth=3, random_state=0).fit(inputs, labels)
    )
    nodes = ("tree_", "nodes")
    values = saved_model.value(*nodes)
    count = len(values)
    leaf_at = int(np.flatnonzero(values["left_child"] == -1)[0])
    inner = [at for at in range(count) if values["left_child"][at] != -1]
    for name, at, field, to in [
        ("child_past_end", 0, "left_child", count),
        ("child_far_past_end", 0, "right_child", 1 << 40),
        ("child_negative", 0, "right_child", -2),
        ("child_very_negative", 0, "left_child", -(1 << 62)),
        ("child_is_its_parent", 0, "left_child", 0),
        ("child_before_its_parent", inner[1], "right_child", 0),
        ("child_of_two_parents", inner[1], "left_child", int(values["right_child"][0])),
        ("leaf_on_one_side", 0, "right_child", -1),
        ("feature_past_end", 0, "feature", 3),
        ("feature_far_past_end", 0, "feature", 1 << 50),
        ("feature_negative", 0, "feature", -1),
        ("feature_of_a_leaf", leaf_at, "feature", 7),
        ("children_of_a_leaf", leaf_at, "right_child", 1),
    ]:
        saved_model.element(name, *nodes, at=at, to=to, field=field)
    saved_model.put("nodes_short", *nodes, to=values[:-1])
    saved_model.put("nodes_long", *nodes, to=np.concatenate([values, values[-1:]]))
    saved_model.put("nodes_empty", *nodes, to=values[:0])
    saved_model.put("nodes_two_dimensions", *nodes, to=values.reshape(1, -1))
    saved_model.put("nodes_of_numbers", *nodes, to=np.zeros(count))
    saved_model.put(
        "nodes_without_a_field",
        *nodes,
        to=np.zeros(count, [(name, values.dtype[name]) for name in values.dtype.names[:-1]]),
    )
    narrow = [
        (name, "<i4" if name == "left_child" else values.dtype[name]) for name in values.dtype.names
    ]
    saved_model.put("nodes_narrow_child", *nodes, to=values.astype(narrow))
    saved_model.put("nodes_big_endian", *nodes, to=values.astype(values.dtype.newbyteorder(">")))
    saved_model.put("nodes_a_list", *nodes, to=listing())
    outputs = saved_model.value("tree_", "values")
    saved_model.put("values_short", "tree_", "values", to=outputs[:-1])
    saved_model.put("values_other_outputs", "tree_", "values", to=outputs.reshape(count, 3, 1))
    saved_model.put("values_other_classes", "tree_", "values", to=outputs[:, :, :2].copy())
    saved_model.put("values_flat", "tree_", "values", to=outputs.reshape(-1))
    saved_model.put("values_float32", "tree_", "values", to=outputs.astype("<f4"))
    saved_model.put("node_count_high", "tree_", "node_count", to=count + 1)
    saved_model.put("node_count_low", "tree_", "node_count", to=1)
    saved_model.put("node_count_negative", "tree_", "node_count", to=-1)
    saved_model.put("node_count_huge", "tree_", "node_count", to=1 << 62)
    saved_model.put("node_count_text", "tree_", "node_count", to="7")
    saved_model.put("max_depth_low", "tree_", "max_depth", to=1)
    saved_model.put("max_depth_negative", "tree_", "max_depth", to=-1)
    saved_model.put("max_depth_huge", "tree_", "max_depth", to=1 << 62)
    for key in ("nodes", "values", "node_count", "max_depth"):
        saved_model.without(f"without_{key}", "tree_", key)
    saved_model.put("n_features_low", "tree_", "args", 0, to=1)
    saved_model.put("n_features_high", "tree_", "args", 0, to=1 << 30)
    saved_model.put("n_features_negative", "tree_", "args", 0, to=-1)
    saved_model.put("n_features_text", "tree_", "args", 0, to="3")
    saved_model.put("n_classes_other", "tree_", "args", 1, to=np.array([2], dtype="<i8"))
    saved_model.put("n_classes_negative", "tree_", "args", 1, to=np.array([-3], dtype="<i8"))
    saved_model.put("n_classes_huge", "tree_", "args", 1, to=np.array([1 << 62], dtype="<i8"))
    saved_model.put("n_classes_short", "tree_", "args", 1, to=np.array([], dtype="<i8"))
    saved_model.put("n_classes_float", "tree_", "args", 1, to=np.array([3.0]))
    saved_model.put("n_outputs_other", "tree_", "args", 2, to=2)
    saved_model.put("n_outputs_negative", "tree_", "args", 2, to=-1)
    saved_model.put("n_outputs_huge", "tree_", "args", 2, to=1 << 62)
    saved_model.put("args_short", "tree_", "args", to=pair(leaf(3)))
    saved_model.put("estimator_fewer_features", "n_features_in_", to=2)
    saved_model.put("estimator_tree_is_none", "tree_", to=None)
    saved_model.put(
        "estimator_tree_is_an_estimator",
        "tree_",
        to=node(
            "ObjectNode", "sklearn.linear_model._logistic", "LogisticRegression", content=mapping()
        ),
    )


def hist_cases():
    from sklearn.ensemble import HistGradientBoostingRegressor

    inputs, labels, target = rows()
    inputs = np.column_stack([inputs[:, 0], labels])
    fitted = HistGradientBoostingRegressor(
        max_iter=2,
        min_samples_leaf=2,
        max_leaf_nodes=4,
        categorical_features=[1],
        learning_rate=0.5,
        random_state=0,
    ).fit(
        np.tile(inputs, (2, 1)), np.tile(target + 9.0 * (labels == 1), 2)
    )  # a category splits from 10 rows on
    saved_model = Saved("hist_gradient_boosting", fitted)
    which = next(
        at
        for at in range(2)
        if saved_model.value("_predictors", at, 0, "nodes")["is_categorical"].any()
    )
    base = ("_predictors", which, 0)
    nodes = (*base, "nodes")
    values = saved_model.value(*nodes)
    count = len(values)
    inner = int(np.flatnonzero(values["is_leaf"] == 0)[0])
    category = int(np.flatnonzero(values["is_categorical"])[0])
    leaf_at = int(np.flatnonzero(values["is_leaf"])[0])
    for name, at, field, to in [
        ("child_past_end", inner, "left", count),
        ("child_far_past_end", inner, "right", 4_000_000_000),
        ("child_is_its_parent", inner, "left", inner),
        ("child_is_the_root", inner, "right", 0),
        ("feature_past_end", inner, "feature_idx", 2),
        ("feature_negative", inner, "feature_idx", -1),
        ("leaf_that_is_none", leaf_at, "is_leaf", 0),
        ("leaf_mark_of_7", leaf_at, "is_leaf", 7),
        ("bitset_past_end", category, "bitset_idx", 90),
        ("category_mark_of_7", category, "is_categorical", 7),
    ]:
        saved_model.element(name, *nodes, at=at, to=to, field=field)
    saved_model.put("nodes_empty", *nodes, to=values[:0])
    saved_model.put("nodes_short", *nodes, to=values[:-1])
    saved_model.put("nodes_two_dimensions", *nodes, to=values.reshape(1, -1))
    saved_model.put("nodes_of_numbers", *nodes, to=np.zeros(count))
    for field in ("raw_left_cat_bitsets", "binned_left_cat_bitsets"):
        bits = saved_model.value(*base, field)
        saved_model.put(f"{field}_empty", *base, field, to=bits[:0])
        saved_model.put(f"{field}_narrow", *base, field, to=bits[:, :2].copy())
        saved_model.put(f"{field}_float", *base, field, to=bits.astype("<f4"))
    saved_model.put("features_fewer", "_n_features", to=1)
    saved_model.put("features_in_fewer", "n_features_in_", to=1)
    saved_model.put("predictor_another_class", "_predictors", which, 0, to=leaf(1))
    saved_model.put("bitsets_of_mapper_short", "_bin_mapper", "bin_thresholds_", to=listing())


def neighbour_cases():
    from sklearn.neighbors import BallTree, KDTree

    inputs = rows()[0][:12]
    for folder, tree in (
        ("kd_tree", KDTree(inputs, leaf_size=2)),
        ("ball_tree", BallTree(inputs, leaf_size=2)),
    ):
        saved_model = Saved(folder, tree)
        # __getstate__: data, idx_array, node_data, node_bounds, leaf_size, n_levels, n_nodes, n_trims, n_leaves,
        # n_splits, n_calls, metric, sample_weight
        index, data, bounds = saved_model.value(1), saved_model.value(2), saved_model.value(3)
        for name, to in [
            ("index_past_end", 12),
            ("index_negative", -1),
            ("index_huge", 1 << 50),
            ("index_twice", int(index[1])),
        ]:
            saved_model.element(name, 1, at=0, to=to)
        saved_model.put("index_short", 1, to=index[:-1])
        saved_model.put("index_float", 1, to=index.astype(float))
        for name, at, field, to in [
            ("start_past_end", 1, "idx_start", 13),
            ("start_negative", 1, "idx_start", -1),
            ("end_past_end", 1, "idx_end", 1 << 40),
            ("end_before_start", 1, "idx_end", -5),
            ("start_after_end", 2, "idx_start", 12),
            ("leaf_mark_of_0", len(data) - 1, "is_leaf", 0),
        ]:
            saved_model.element(f"node_{name}", 2, at=at, to=to, field=field)
        saved_model.put("nodes_short", 2, to=data[:-1])
        saved_model.put("nodes_empty", 2, to=data[:0])
        saved_model.put("nodes_of_numbers", 2, to=np.zeros(len(data)))
        saved_model.put("bounds_short", 3, to=bounds[:, :-1].copy())
        saved_model.put("bounds_narrow", 3, to=bounds[:, :, :1].copy())
        saved_model.put("bounds_empty", 3, to=bounds[:, :0].copy())
        saved_model.put("bounds_float32", 3, to=bounds.astype("<f4"))
        saved_model.put("data_short", 0, to=saved_model.value(0)[:-1])
        saved_model.put("data_narrow", 0, to=np.ascontiguousarray(saved_model.value(0)[:, :1]))
        saved_model.put("data_empty", 0, to=saved_model.value(0)[:0])
        saved_model.put("data_float32", 0, to=saved_model.value(0).astype("<f4"))
        saved_model.put("leaf_size_0", 4, to=0)
        saved_model.put("leaf_size_negative", 4, to=-1)
        saved_model.put("levels_other", 5, to=40)
        saved_model.put("levels_negative", 5, to=-1)
        saved_model.put("nodes_count_other", 6, to=1 << 40)
        saved_model.put("nodes_count_negative", 6, to=-1)
        saved_model.put("metric_none", 11, to=None)
        saved_model.put(
            "metric_an_estimator",
            11,
            to=node(
                "ObjectNode",
                "sklearn.linear_model._logistic",
                "LogisticRegression",
                content=mapping(),
            ),
        )
        saved_model.put("weights_short", 12, to=np.ones(3))
    from sklearn.neighbors import KNeighborsRegressor

    inputs, _, target = rows()
    saved_model = Saved(
        "neighbours", KNeighborsRegressor(3, algorithm="kd_tree", leaf_size=5).fit(inputs, target)
    )
    saved_model.put("tree_is_a_number", "_tree", to=5)
    saved_model.put("tree_is_a_list", "_tree", to=listing())


def metric_cases():
    from sklearn.metrics import DistanceMetric

    saved_model = Saved("distance", DistanceMetric.get_metric("mahalanobis", VI=np.eye(3)))
    saved_model.put("matrix_short", 2, to=np.eye(2))
    saved_model.put("matrix_flat", 2, to=np.zeros(9))
    saved_model.put("matrix_not_square", 2, to=np.zeros((3, 1)))
    saved_model.put("matrix_integers", 2, to=np.eye(3, dtype="<i8"))
    saved_model.put("vector_two_dimensions", 1, to=np.zeros((3, 3)))
    saved_model.put("power_text", 0, to="2")
    saved_model = Saved(
        "distance_standardised", DistanceMetric.get_metric("seuclidean", V=np.ones(3))
    )
    saved_model.put("vector_float32", 1, to=np.ones(3, "<f4"))
    saved_model.put("vector_none", 1, to=None)


def sparse_cases():
    import scipy.sparse as sparse
    from skops.io import dumps

    dense = np.array([[1.0, 0, 2, 0], [0, 0, 3, 0], [4, 5, 0, 6]])

    def parts(data):
        with zipfile.ZipFile(io.BytesIO(data)) as zipped:
            return {name: zipped.read(name) for name in zipped.namelist()}

    def npz(held):
        return archive([Entry(name, data) for name, data in held.items()])

    def put(kind, name, held):
        schema, _entries = taken(dumps(sparse.csr_matrix(dense).asformat(kind)))
        keep(
            f"sparse_{kind}/{name}",
            model(schema, {"1.npz": held if isinstance(held, bytes) else npz(held)}),
        )

    def whole_of(kind):
        _schema, entries = taken(dumps(sparse.csr_matrix(dense).asformat(kind)))
        return parts(entries["1.npz"])

    def change(kind, name, part, values):
        put(
            kind,
            name,
            {
                **whole_of(kind),
                f"{part}.npy": values if isinstance(values, bytes) else saved(values),
            },
        )

    def get(kind, part):
        return np.load(io.BytesIO(whole_of(kind)[f"{part}.npy"]))

    def element(kind, name, part, at, to):
        values = get(kind, part)
        values[at] = to
        change(kind, name, part, values)

    for kind, wide in (("csr", 4), ("csc", 3), ("bsr", 4)):
        put(kind, "good", whole_of(kind))
        element(kind, "indptr_decreasing", "indptr", 1, 30)
        element(kind, "indptr_negative", "indptr", 1, -2)
        element(kind, "indptr_starts_late", "indptr", 0, 1)
        element(kind, "indptr_ends_late", "indptr", -1, 4_000)
        change(kind, "indptr_short", "indptr", get(kind, "indptr")[:-1])
        change(kind, "indptr_long", "indptr", np.append(get(kind, "indptr"), np.int32(99)))
        change(kind, "indptr_float", "indptr", get(kind, "indptr").astype(float))
        change(kind, "indptr_empty", "indptr", get(kind, "indptr")[:0])
        element(kind, "index_past_end", "indices", 0, wide)
        element(kind, "index_far_past_end", "indices", 0, 1 << 30)
        element(kind, "index_negative", "indices", 0, -1)
        change(kind, "indices_short", "indices", get(kind, "indices")[:-1])
        change(kind, "indices_two_dimensions", "indices", get(kind, "indices").reshape(1, -1))
        change(kind, "indices_int64", "indices", get(kind, "indices").astype("<i8") + (1 << 33))
        change(kind, "data_short", "data", get(kind, "data")[:-1])
        change(kind, "shape_negative", "shape", np.array([-3, 4]))
        change(kind, "shape_huge", "shape", np.array([1 << 40, 1 << 40]))
        change(kind, "shape_of_three", "shape", np.array([3, 4, 1]))
        change(kind, "shape_smaller", "shape", np.array([1, 1]))
        change(kind, "shape_other_rows", "shape", np.array([9, 9]))
    change("bsr", "data_two_dimensions", "data", get("bsr", "data").reshape(-1, 1))
    change("bsr", "blocks_of_0", "data", np.zeros((4, 0, 1)))
    change("bsr", "blocks_do_not_fit", "data", np.zeros((len(get("bsr", "indices")), 2, 3)))
    put("coo", "good", whole_of("coo"))
    element("coo", "row_past_end", "row", 0, 3)
    element("coo", "row_negative", "row", 0, -1)
    element("coo", "column_past_end", "col", 0, 1 << 30)
    element("coo", "column_negative", "col", 0, -5)
    change("coo", "column_short", "col", get("coo", "col")[:-1])
    change("coo", "row_float", "row", get("coo", "row").astype(float))
    change("coo", "data_long", "data", np.zeros(40))
    change("coo", "shape_negative", "shape", np.array([3, -4]))
    put("dia", "good", whole_of("dia"))
    change("dia", "offsets_short", "offsets", get("dia", "offsets")[:-1])
    change("dia", "offsets_twice", "offsets", np.full_like(get("dia", "offsets"), 0))
    change("dia", "offsets_float", "offsets", get("dia", "offsets").astype(float))
    change("dia", "offsets_two_dimensions", "offsets", get("dia", "offsets").reshape(-1, 1))
    change("dia", "data_flat", "data", get("dia", "data").reshape(-1))
    change("dia", "shape_negative", "shape", np.array([-3, 4]))

    csr = whole_of("csr")
    for name, held in {
        "format_unknown": {**csr, "format.npy": saved(np.array(b"xyz"))},
        "format_of_another_class": {**csr, "format.npy": saved(np.array(b"csc"))},
        "format_missing": {key: data for key, data in csr.items() if key != "format.npy"},
        "format_a_number": {**csr, "format.npy": saved(np.array(5))},
        "part_missing": {key: data for key, data in csr.items() if key != "indices.npy"},
        "part_unknown": {**csr, "hidden.npy": ONE},
        "part_object": {**csr, "data.npy": npy(header("|O"), b"\x80\x04N.")},
        "not_a_zip": b"\x93NUMPY",
        "cut": npz(csr)[:-30],
        "duplicate": archive(
            [
                *(Entry(key, data) for key, data in csr.items()),
                Entry("data.npy", saved(np.zeros(6))),
            ]
        ),
        "wrong_crc": archive(
            [
                Entry(key, data, both={"crc": 1} if key == "data.npy" else {})
                for key, data in csr.items()
            ]
        ),
        "array_flag_number": {**csr, "_is_array.npy": saved(np.array(3.5))},
        "array_flag_many": {**csr, "_is_array.npy": saved(np.array([True, False]))},
    }.items():
        schema, _ = taken(dumps(sparse.csr_matrix(dense)))
        keep(
            f"npz/{name}", model(schema, {"1.npz": held if isinstance(held, bytes) else npz(held)})
        )
    schema, entries = taken(dumps(sparse.csr_matrix(dense)))
    for name, changed in {
        "class_csc": {"__class__": "csc_matrix", "__module__": "scipy.sparse._csc"},
        "class_another": {"__class__": "system", "__module__": "os"},
        "class_estimator": {
            "__class__": "LogisticRegression",
            "__module__": "sklearn.linear_model._logistic",
        },
        "type_missing": {"type": None},
        "file_missing": {"file": "2.npz"},
    }.items():
        keep(f"npz/{name}", model({**schema, **changed}, entries))
    # One diagonal of zeros, deflated.
    side = 1 << 18
    parts = {
        "data": np.zeros((1, side)),
        "offsets": np.zeros(1, "<i4"),
        "shape": np.array([side, side]),
        "format": np.array(b"dia"),
    }
    bomb = archive([Entry(f"{key}.npy", saved(values), method=8) for key, values in parts.items()])
    keep(
        "npz/bomb",
        model(
            {**schema, "__class__": "dia_matrix", "__module__": "scipy.sparse._dia"},
            {"1.npz": bomb},
        ),
    )


def vector_cases():
    from sklearn import svm

    inputs, labels, target = rows()
    saved_model = Saved("svc", svm.SVC().fit(inputs, labels))
    support = saved_model.value("_n_support")
    saved_model.put("n_support_high", "_n_support", to=support + np.int32(5))
    saved_model.put("n_support_low", "_n_support", to=support - np.int32(1))
    saved_model.element("n_support_negative", "_n_support", at=0, to=-1)
    saved_model.element("n_support_huge", "_n_support", at=0, to=2_000_000_000)
    saved_model.put("n_support_short", "_n_support", to=support[:-1])
    saved_model.put("n_support_long", "_n_support", to=np.append(support, np.int32(0)))
    saved_model.put("n_support_int64", "_n_support", to=support.astype("<i8"))
    vectors = saved_model.value("support_vectors_")
    saved_model.put("support_vectors_short", "support_vectors_", to=vectors[:-1])
    saved_model.put(
        "support_vectors_narrow", "support_vectors_", to=np.ascontiguousarray(vectors[:, :2])
    )
    saved_model.put("support_vectors_flat", "support_vectors_", to=vectors.reshape(-1))
    saved_model.put("support_vectors_empty", "support_vectors_", to=vectors[:0])
    saved_model.put("support_vectors_float32", "support_vectors_", to=vectors.astype("<f4"))
    duals = saved_model.value("_dual_coef_")
    saved_model.put("dual_coef_short", "_dual_coef_", to=np.ascontiguousarray(duals[:, :-1]))
    saved_model.put("dual_coef_one_row", "_dual_coef_", to=duals[:1])
    saved_model.put("dual_coef_flat", "_dual_coef_", to=duals.reshape(-1))
    saved_model.put("dual_coef_empty", "_dual_coef_", to=duals[:0])
    where = saved_model.value("support_")
    saved_model.put("support_short", "support_", to=where[:-1])
    saved_model.put("support_empty", "support_", to=where[:0])
    saved_model.put("intercept_short", "_intercept_", to=saved_model.value("_intercept_")[:1])
    saved_model.put("intercept_empty", "_intercept_", to=saved_model.value("_intercept_")[:0])
    saved_model.put("prob_a_short", "_probA", to=np.ones(1))
    saved_model.put("prob_b_without_a", "_probB", to=np.ones(3))
    saved_model.put("gamma_text", "_gamma", to="1")
    saved_model.put("sparse_mark_wrong", "_sparse", to=True)
    saved_model.put("classes_fewer", "classes_", to=np.arange(2))
    saved_model.put("classes_more", "classes_", to=np.arange(9))
    saved_model.put("shape_fit_narrow", "shape_fit_", to=pair(leaf(24), leaf(1)))
    saved_model.put("degree_negative", "degree", to=-1)
    saved_model.put("degree_huge", "degree", to=1 << 40)
    saved_model.put("kernel_unknown", "kernel", to="spam")
    saved_model = Saved(
        "svc_precomputed", svm.SVC(kernel="precomputed").fit(inputs @ inputs.T, labels)
    )
    saved_model.element("support_past_end", "support_", at=0, to=24)
    saved_model.element("support_negative", "support_", at=0, to=-1)
    saved_model.element("support_huge", "support_", at=0, to=1 << 30)
    saved_model.put("shape_fit_short", "shape_fit_", to=pair(leaf(3), leaf(3)))
    saved_model = Saved(
        "svc_probability", svm.NuSVC(nu=0.3, probability=True, random_state=0).fit(inputs, labels)
    )
    saved_model.put("prob_a_short", "_probA", to=saved_model.value("_probA")[:1])
    saved_model.put("prob_b_short", "_probB", to=saved_model.value("_probB")[:0])
    saved_model.put("prob_b_empty_a_whole", "_probB", to=np.zeros(0, "<f4"))
    import scipy.sparse as sparse

    saved_model = Saved("svr_sparse", svm.SVR().fit(sparse.csr_matrix(inputs), target))
    saved_model.put("n_support_high", "_n_support", to=np.array([900, 900], dtype="<i4"))
    saved_model.put("support_vectors_dense", "support_vectors_", to=inputs)
    saved_model.put("sparse_mark_wrong", "_sparse", to=False)
    saved_model = Saved("one_class_svm", svm.OneClassSVM().fit(inputs))
    saved_model.put("n_support_high", "_n_support", to=np.array([900, 900], dtype="<i4"))
    saved_model.put("dual_coef_empty", "_dual_coef_", to=np.zeros((0, 0)))
    saved_model.put("intercept_two_dimensions", "_intercept_", to=np.zeros((1, 1)))


def random_cases():
    saved_model = Saved("random_state", np.random.RandomState(3))
    saved_model.put("position_past_end", "state", "pos", to=625)
    saved_model.put("position_huge", "state", "pos", to=1 << 40)
    saved_model.put("position_negative", "state", "pos", to=-1)
    saved_model.put("position_text", "state", "pos", to="3")
    key = saved_model.value("state", "key")
    saved_model.put("key_short", "state", "key", to=key[:-1])
    saved_model.put("key_long", "state", "key", to=np.append(key, key[:1]))
    saved_model.put("key_float", "state", "key", to=key.astype(float))
    saved_model.put("key_two_dimensions", "state", "key", to=key.reshape(2, -1))
    saved_model.put("kind_other", "bit_generator", to="PCG64")
    saved_model.put("kind_number", "bit_generator", to=5)
    saved_model.put("gauss_mark_of_7", "has_gauss", to=7)
    saved_model.put("gauss_text", "gauss", to="x")
    saved_model.without("without_state", "state")
    path = ("bit_generator",)
    saved_model = Saved("generator_pcg64", np.random.default_rng(3))
    saved_model.put("state_negative", *path, "state", "state", to=-1)
    saved_model.put("state_over_128_bits", *path, "state", "state", to=1 << 128)
    saved_model.put("state_text", *path, "state", "state", to="1")
    saved_model.put("increment_even", *path, "state", "inc", to=2)
    saved_model.put("increment_over_128_bits", *path, "state", "inc", to=1 << 200)
    saved_model.put("kept_mark_of_7", *path, "has_uint32", to=7)
    saved_model.put("kept_over_32_bits", *path, "uinteger", to=1 << 40)
    saved_model.put("pool_size_huge", "seed_seq", "pool_size", to=1 << 60)
    saved_model.put("pool_size_0", "seed_seq", "pool_size", to=0)
    saved_model.put("entropy_negative", "seed_seq", "entropy", to=-1)
    saved_model.put("spawned_negative", "seed_seq", "n_children_spawned", to=-1)
    saved_model = Saved("generator_mt19937", np.random.Generator(np.random.MT19937(3)))
    saved_model.put("position_past_end", *path, "state", "pos", to=625)
    saved_model.put("position_negative", *path, "state", "pos", to=-7)
    saved_model.put(
        "key_short", *path, "state", "key", to=saved_model.value(*path, "state", "key")[:10]
    )
    saved_model = Saved("generator_philox", np.random.Generator(np.random.Philox(3)))
    saved_model.put("position_past_end", *path, "buffer_pos", to=9)
    saved_model.put("position_negative", *path, "buffer_pos", to=-3)
    saved_model.put("buffer_short", *path, "buffer", to=np.zeros(2, "<u8"))
    saved_model.put("counter_short", *path, "state", "counter", to=np.zeros(1, "<u8"))
    saved_model.put("key_short", *path, "state", "key", to=np.zeros(0, "<u8"))
    saved_model = Saved("generator_sfc64", np.random.Generator(np.random.SFC64(3)))
    saved_model.put("state_short", *path, "state", "state", to=np.zeros(1, "<u8"))
    saved_model.put("state_float", *path, "state", "state", to=np.zeros(4))


def other_cases():
    from scipy.interpolate import BSpline
    from sklearn import cluster, ensemble, feature_extraction, isotonic, preprocessing

    inputs, _labels, target = rows()

    saved_model = Saved("b_spline", BSpline(np.arange(8.0), np.arange(8.0).reshape(4, 2), 3))
    saved_model.put("degree_negative", "k", to=-1)
    saved_model.put("degree_high", "k", to=7)
    saved_model.put("degree_huge", "k", to=1 << 40)
    saved_model.put("degree_text", "k", to="3")
    saved_model.put("knots_short", "_t", to=np.arange(3.0))
    saved_model.put("knots_decreasing", "_t", to=np.arange(8.0)[::-1].copy())
    saved_model.put("knots_nan", "_t", to=np.full(8, np.nan))
    saved_model.put("knots_two_dimensions", "_t", to=np.zeros((4, 2)))
    saved_model.put("coefficients_short", "_c", to=np.zeros((2, 2)))
    saved_model.put("coefficients_text", "_c", to=np.array(["a"] * 8))
    saved_model.put("axis_past_end", "axis", to=5)

    saved_model = Saved("count_vectorizer", vectorizer(feature_extraction.text.CountVectorizer()))
    saved_model.put("index_past_end", "vocabulary_", "red", to=4)
    saved_model.put("index_huge", "vocabulary_", "red", to=1 << 62)
    saved_model.put("index_negative", "vocabulary_", "red", to=-1)
    saved_model.put("index_twice", "vocabulary_", "red", to=0)
    saved_model.put("index_text", "vocabulary_", "red", to="0")
    saved_model.put("vocabulary_list", "vocabulary_", to=listing())
    saved_model = Saved("tfidf_vectorizer", vectorizer(feature_extraction.text.TfidfVectorizer()))
    saved_model.put("idf_short", "_tfidf", "idf_", to=np.ones(1))
    saved_model.put("pattern_explodes", "token_pattern", to="(a+)+$")

    saved_model = Saved(
        "dict_vectorizer", feature_extraction.DictVectorizer().fit([{"a": 1.0, "b": 2.0}])
    )
    saved_model.put("index_past_end", "vocabulary_", "a", to=2)
    saved_model.put("index_negative", "vocabulary_", "a", to=-1)
    saved_model.put("index_huge", "vocabulary_", "a", to=1 << 62)

    saved_model = Saved("isotonic", isotonic.IsotonicRegression().fit(inputs[:, 0], target))
    saved_model.put("x_short", "X_thresholds_", to=np.zeros(1))
    saved_model.put("y_short", "y_thresholds_", to=np.zeros(1))

    saved_model = Saved(
        "birch",
        None,
        birch(cluster.Birch(threshold=0.8, branching_factor=3, n_clusters=None).fit(inputs[:10])),
    )
    saved_model.put("subclusters_fewer", "root_", "subclusters_", to=listing())
    saved_model.put("centroids_narrow", "root_", "centroids_", to=np.zeros((1, 1)))
    saved_model.put("init_centroids_narrow", "root_", "init_centroids_", to=np.zeros((1, 1)))
    saved_model.put("centers_narrow", "subcluster_centers_", to=np.zeros((2, 1)))
    saved_model.put("labels_short", "subcluster_labels_", to=np.zeros(0, "<i8"))
    saved_model.put("leaf_is_a_number", "dummy_leaf_", to=5)

    fitted = ensemble.GradientBoostingRegressor(n_estimators=1, max_depth=1, random_state=0).fit(
        inputs, target
    )
    saved_model = Saved("gradient_boosting", fitted)
    saved_model.put("features_fewer", "n_features_in_", to=1)
    saved_model.put(
        "estimator_of_another_class",
        "estimators_",
        to=node(
            "NdArrayNode",
            "numpy",
            "ndarray",
            type="json",
            content=[listing(leaf(1))],
            shape=pair(leaf(1), leaf(1)),
        ),
    )
    saved_model.put(
        "estimators_flat",
        "estimators_",
        to=node(
            "NdArrayNode", "numpy", "ndarray", type="json", content=[leaf(1)], shape=pair(leaf(1))
        ),
    )
    saved_model.put("estimators_numbers", "estimators_", to=np.zeros((1, 1)))

    saved_model = Saved("kmeans", cluster.KMeans(2, n_init=1, random_state=0).fit(inputs))
    saved_model.put("centers_narrow", "cluster_centers_", to=np.zeros((2, 1)))
    saved_model.put("centers_none", "cluster_centers_", to=np.zeros((0, 3)))
    saved_model.put("centers_float32", "cluster_centers_", to=np.zeros((2, 3), "<f4"))
    saved_model = Saved("bisecting_kmeans", cluster.BisectingKMeans(3, random_state=0).fit(inputs))
    saved_model.put("center_narrow", "_bisecting_tree", "left", "center", to=np.zeros(1))
    saved_model.put("center_text", "_bisecting_tree", "left", "center", to="x")

    saved_model = Saved(
        "spline_transformer",
        preprocessing.SplineTransformer(n_knots=3, degree=2).fit(inputs[:, :1]),
    )
    saved_model.put("degree_other", "degree", to=5)
    saved_model.put("spline_none", "bsplines_", 0, to=None)

    saved_model = Saved("loss", _loss())
    saved_model.put("argument_text", "args", to=pair(leaf("x")))
    saved_model.put("argument_nan", "args", to=pair(leaf(float("nan"))))
    saved_model.put("argument_past_end", "args", to=pair(leaf(5.0)))
    saved_model.put("arguments_many", "args", to=pair(*[leaf(0.5)] * 9))

    with contextlib.suppress(ImportError):
        from quantile_forest import RandomForestQuantileRegressor

        fitted = RandomForestQuantileRegressor(1, max_depth=2, random_state=0).fit(inputs, target)
        saved_model = Saved("quantile_forest", fitted)
        leaves = saved_model.value("forest_", "args", 1)
        for name, to in [("leaf_past_end", 24 * 10), ("leaf_negative", -1), ("leaf_huge", 1 << 40)]:
            changed = leaves.copy()
            changed[np.unravel_index(np.flatnonzero(changed)[0], changed.shape)] = to
            saved_model.put(name, "forest_", "args", 1, to=changed)
        targets = saved_model.value("forest_", "args", 0)
        saved_model.put(
            "targets_short", "forest_", "args", 0, to=np.ascontiguousarray(targets[:, :1])
        )
        saved_model.put("targets_flat", "forest_", "args", 0, to=targets.reshape(-1))
        saved_model.put("leaves_flat", "forest_", "args", 1, to=leaves.reshape(-1))


def vectorizer(estimator):
    fitted = estimator.fit(["red green blue", "green blue", "blue black red"])
    fitted._stop_words_id = 1  # an address
    return fitted


def _loss():
    from sklearn._loss._loss import CyPinballLoss

    return CyPinballLoss(0.5)


def birch(fitted):
    """A file of a Birch, whose leaves point at each other: skops does not write it, and reads it from cached nodes."""
    seen, entries = {}, {}

    def state(value):
        if value is None or isinstance(value, bool | int | float | str):
            return leaf(value)
        if id(value) in seen:
            return {
                "__class__": "x",
                "__module__": "x",
                "__loader__": "CachedNode",
                "__id__": seen[id(value)],
            }
        if isinstance(value, np.ndarray | np.generic):
            file = f"{len(entries) + 1}.npy"
            entries[file] = saved(value)
            made = array(file)
            if isinstance(value, np.generic):
                made["__class__"] = type(value).__name__
        elif isinstance(value, list):
            made = listing()
            seen[id(value)] = made["__id__"]
            made["content"] = [state(item) for item in value]
        else:
            made = node("ObjectNode", type(value).__module__, type(value).__name__)
            seen[id(value)] = made["__id__"]
            held = value.__getstate__()
            made["content"] = keyed(
                {key: state(item) for key, item in held.items()},
                [node("TypeNode", "builtins", "str") for _ in held],
            )
        seen[id(value)] = made["__id__"]
        kept.append(value)
        return made

    kept = []
    return model(whole(state(fitted)), entries)


# ------------------------------------------------------------------------------------------------ one file for each rule


def more_zip_cases():
    def put(name, entries, **options):
        keep(f"zip/{name}", archive(entries, **options))

    schema = Entry("schema.json", PLAIN)
    right = archive(plain())
    five = struct.pack("<BBH", 9, 4, 4) + pack(ONE, 14)[4:]
    put("lzma_properties_of_4", plain(method=14, body=five, both={"flags": 2}))
    keep("zip/end_record_with_comment", right[:-2] + b"\x05\x00")
    cut = Entry("schema.json", PLAIN, central={"name_length": 300})
    put("directory_cut_in_a_name", [Entry("1.npy", ONE), cut])
    same = struct.pack("<HHQQ", 1, 16, len(ONE), len(ONE))
    wide = {"size": 0xFFFFFFFF, "packed": 0xFFFFFFFF}
    put("zip64_extra_twice", plain(both=wide, extra_local=same * 2, extra_central=same * 2))


def more_npy_cases():
    def put(name, data):
        keep(f"npy/{name}", model(whole(array("1.npy")), {"1.npy": data}))

    two = struct.pack("<dd", 1.0, 2.0)
    rest = "'fortran_order': False, 'shape': (2,)}"
    put("record_of_lists", npy(header([["a", "<f8"]]), two))
    put("record_shape_text", npy(header([("a", "<f8", "x")]), two))
    put("header_key_number", npy("{1: '<f8', " + rest, two))
    put("header_text_open", npy("{'descr': '<f8", two))
    put("header_escape_unknown", npy("{'descr': '\\q', " + rest, two))
    put("header_escape_sign", npy("{'descr': '\\x+1', " + rest, two))
    put("header_comma_missing", npy("{'descr': '<f8' " + rest, two))


def more_skops_cases():
    def put(name, root, entries=(), protocol=2):
        keep(f"skops/{name}", model(whole(root, protocol), entries))

    def text(name, schema):
        keep(f"skops/{name}", model(schema if isinstance(schema, bytes) else schema.encode()))

    good = json.dumps(whole(listing(leaf(1))), separators=(",", ":"))
    text("colon_missing", good.replace('"__class__":', '"__class__"', 1))
    text("number_cut", good.replace('"protocol":2', '"protocol":2.'))
    text("number_exponent_cut", good.replace('"protocol":2', '"protocol":2e'))
    text("string_open", good[: good.index("0.16.0") + 3])
    text("surrogate_as_loader", good.replace('"ListNode"', '"\\ud800"'))
    text("surrogate_as_class", good.replace('"list"', '"\\ud800"'))
    text("field_name_number", good.replace('"__class__"', "1", 1))
    text("field_name_surrogate", good.replace('"__class__"', '"\\ud800"', 1))
    text("key_not_utf8", json.dumps(whole(mapping(a=leaf(1)))).encode().replace(b'"a"', b'"\xff"'))
    text(
        "key_surrogate",
        json.dumps(whole(keyed({"\ud800": leaf(1)}, [node("TypeNode", "builtins", "str")]))),
    )
    twice = json.dumps(whole(keyed({"a": leaf(1)}, [node("TypeNode", "builtins", "str")] * 2)))
    text("dict_key_twice", twice.replace('"a":', '"a": ' + json.dumps(leaf(2)) + ', "a":', 1))
    deep = "[" * 100_000 + "]" * 100_000
    text(
        "levels_before_the_loader", good.replace('"__class__"', f'"content":{deep},"__class__"', 1)
    )
    padded = leaf("x" * 30_000)
    for _ in range(90):
        inside = {key: value for key, value in listing().items() if key != "content"}
        padded = {"content": [padded], **inside}
    put("content_before_the_loader_90_times", padded)

    reduced = node("TreeNode", "sklearn.tree._tree", "Tree", content=mapping())
    put("reduce_a_number", {**reduced, "__reduce__": 5})
    put("reduce_without_args", {**reduced, "__reduce__": {}})
    put("reduce_args_a_list", {**reduced, "__reduce__": {"args": listing()}})
    function = node("FunctionNode", "numpy", "add")
    parts = {"module_path": "numpy", "function": "add"}
    put("function_with_content", {**function, "content": parts})
    put("function_protocol_0_without_content", function, protocol=0)
    put("function_protocol_0_cut", {**function, "content": {"function": "add"}}, protocol=0)
    put("type_with_content", listing({**node("TypeNode", "builtins", "int"), "content": []}))
    put("list_with_a_file", {**listing(), "file": "1.npy"}, {"1.npy": ONE})
    put("list_of_class_dict", {**listing(), "__class__": "dict"})
    put(
        "generator_without_parts",
        node("RandomGeneratorNode", "numpy.random._generator", "Generator", content={}),
    )
    state = {"bit_generator": mapping()}
    put(
        "generator_without_name",
        node("RandomGeneratorNode", "numpy.random._generator", "Generator", content=state),
    )
    bare = {key: value for key, value in leaf(1).items() if key != "content"}
    put("leaf_without_content", listing(bare))
    put("leaf_is_json_text", listing({**leaf(1), "is_json": "yes"}))
    method = node("MethodNode", "builtins", "str", content={"obj": leaf("a")})
    put("method_without_a_name", method)
    text(
        "slice_part_twice",
        json.dumps(
            whole(
                node("SliceNode", "builtins", "slice", content={"start": 1, "stop": 2, "step": 3})
            )
        ).replace('"start": 1', '"start": 1, "start": 2'),
    )
    put(
        "slice_part_unknown",
        node(
            "SliceNode",
            "builtins",
            "slice",
            content={"start": 1, "stop": 2, "step": 3, "hidden": 4},
        ),
    )
    text(
        "slice_part_number",
        json.dumps(
            whole(
                node("SliceNode", "builtins", "slice", content={"start": 1, "stop": 2, "step": 3})
            )
        ).replace('"start"', "1"),
    )
    text(
        "slice_part_surrogate",
        json.dumps(
            whole(
                node("SliceNode", "builtins", "slice", content={"start": 1, "stop": 2, "step": 3})
            )
        ).replace('"start"', '"\\ud800"'),
    )
    put("bytes_without_a_file", node("BytesNode", "builtins", "bytes"))
    plain_array = array("1.npy")
    put(
        "array_without_a_type",
        {key: value for key, value in plain_array.items() if key != "type"},
        {"1.npy": ONE},
    )
    put(
        "array_without_a_file",
        {key: value for key, value in plain_array.items() if key != "file"},
        {"1.npy": ONE},
    )
    put("array_type_surrogate", {**plain_array, "type": "\ud800"}, {"1.npy": ONE})
    put("array_file_surrogate", {**plain_array, "file": "\ud800"}, {"1.npy": ONE})
    objects = {"type": "json", "content": [leaf(1)], "shape": pair(leaf(1))}
    put(
        "array_of_objects_with_a_file",
        node("NdArrayNode", "numpy", "ndarray", **objects, file="1.npy"),
        {"1.npy": ONE},
    )
    put(
        "array_of_objects_scalar",
        node("NdArrayNode", "numpy", "ndarray", **{**objects, "shape": pair()}),
    )
    put(
        "array_of_objects_twisted",
        node(
            "NdArrayNode",
            "numpy",
            "ndarray",
            **{
                **objects,
                "content": [listing(leaf(1)), listing()],
                "shape": pair(leaf(2), leaf(1)),
            },
        ),
    )
    # One list that stands ten times in each of 30 levels: few nodes, and 10 ** 30 items.
    level = listing(leaf(1))
    for _ in range(30):
        again = {
            "__class__": "list",
            "__module__": "builtins",
            "__loader__": "CachedNode",
            "__id__": level["__id__"],
        }
        level = listing(level, *[again] * 9)
    shape = pair(*[leaf(10)] * 30, leaf(1))
    put(
        "array_of_objects_shared",
        node("NdArrayNode", "numpy", "ndarray", type="json", content=level["content"], shape=shape),
    )
    put("array_named_twice", listing(array("1.npy"), array("1.npy")), {"1.npy": ONE})
    itself = listing(listing())
    itself["content"][0]["__id__"] = itself["__id__"]
    put("id_inside_itself", itself)
    put("id_0", {**listing(), "__id__": 0})
    put("id_huge", {**listing(), "__id__": 1 << 64})
    for name, (module, qualname) in {
        "digits": ("numpy", "2d"),
        "keyword": ("numpy", "class"),
        "locals": ("numpy", "f.<locals>.g"),
        "empty_part": ("numpy..random", "seed"),
        "dot_first": (".numpy", "add"),
        "escape_sequence": ("numpy\x1b[2J", "add"),
        "bidirectional": ("numpy\u202e", "add"),
    }.items():
        put(f"name_{name}", listing(node("FunctionNode", module, qualname)))


def more_npz_cases():
    import scipy.sparse as sparse
    from skops.io import dumps

    schema, entries = taken(dumps(sparse.csr_matrix(np.eye(3))))
    with zipfile.ZipFile(io.BytesIO(entries["1.npz"])) as zipped:
        held = {name: zipped.read(name) for name in zipped.namelist()}
    for name, parts in {
        "text_inside": {**held, "readme.txt": b"hello"},
        "folder_inside": {**held, "more/data.npy": ONE},
        "empty": {},
    }.items():
        keep(
            f"npz/{name}",
            model(schema, {"1.npz": archive([Entry(key, data) for key, data in parts.items()])}),
        )
    inner = archive(
        [
            Entry(key, data, **({"local": {"crc": 1}} if key == "data.npy" else {}))
            for key, data in held.items()
        ]
    )
    keep("npz/local_other_crc", model(schema, {"1.npz": inner}))
    # Containers that scipy's `save_npz` does not write stand as objects.
    for kind in ("lil",):
        saved_model = Saved(
            f"sparse_{kind}",
            None,
            sparse_object(sparse.csr_matrix(np.eye(3)[:, :2]).asformat(kind)),
        )
        if kind == "lil":
            row = lambda *columns: listing(*[leaf(column) for column in columns])  # noqa: E731
            rows = lambda *lists: node(
                "NdArrayNode",
                "numpy",
                "ndarray",
                type="json",
                content=list(lists),
                shape=pair(leaf(len(lists))),
            )  # noqa: E731
            saved_model.put("column_past_end", "rows", to=rows(row(2), row(1), row()))
            saved_model.put("column_negative", "rows", to=rows(row(-1), row(1), row()))
            saved_model.put("columns_out_of_order", "rows", to=rows(row(1, 0), row(1), row()))
            saved_model.put("columns_more", "rows", to=rows(row(0, 1), row(1), row()))
            saved_model.put("rows_fewer", "rows", to=rows(row(0)))
            saved_model.put("rows_numbers", "rows", to=np.zeros(3))
        saved_model.put("shape_smaller", "_shape", to=pair(leaf(1), leaf(1)))
        saved_model.put("shape_negative", "_shape", to=pair(leaf(-3), leaf(2)))
        saved_model.without("without_shape", "_shape")


def sparse_object(matrix):
    """A file of an object as its dict; skops writes such containers with `save_npz`, which refuses them."""
    entries = {}

    def state(value):
        if isinstance(value, np.dtype):
            return node("DTypeNode", "numpy", "dtype", content=state(np.zeros(0, value)))
        if isinstance(value, np.ndarray) and value.dtype == object:
            return node(
                "NdArrayNode",
                "numpy",
                "ndarray",
                type="json",
                content=[state(item) for item in value],
                shape=pair(*[leaf(side) for side in value.shape]),
            )
        if isinstance(value, np.ndarray):
            entries[f"{len(entries) + 1}.npy"] = saved(value)
            return array(f"{len(entries)}.npy")
        if isinstance(value, dict):
            return keyed(
                {json.dumps(key): state(item) for key, item in value.items()},
                [node("TypeNode", "builtins", type(key).__name__) for key in value],
            )
        if isinstance(value, list | tuple):
            return (listing if isinstance(value, list) else pair)(*[state(item) for item in value])
        return leaf(value.item() if isinstance(value, np.generic) else value)

    held = dict(vars(matrix))
    content = mapping(**{key: state(item) for key, item in held.items()})
    return model(
        whole(node("ObjectNode", type(matrix).__module__, type(matrix).__name__, content=content)),
        entries,
    )


def more_tree_cases():
    from sklearn.ensemble import (
        AdaBoostRegressor,
        GradientBoostingClassifier,
        GradientBoostingRegressor,
    )
    from sklearn.tree import DecisionTreeRegressor

    inputs, labels, target = rows()
    saved_model = Saved(
        "tree_regressor", DecisionTreeRegressor(max_depth=2, random_state=0).fit(inputs, target)
    )
    values = saved_model.value("tree_", "nodes")
    last = int(np.flatnonzero(values["left_child"] != -1)[-1])
    saved_model.element(
        "node_of_two_parents",
        "tree_",
        "nodes",
        at=last,
        to=int(values["left_child"][last]),
        field="right_child",
    )
    saved_model.plus(
        "hides_a_check", "_validate_X_predict", to=node("FunctionNode", "numpy", "asarray")
    )
    saved_model.plus(
        "hides_a_class",
        "__class__",
        to=node("TypeNode", "sklearn.tree._classes", "DecisionTreeRegressor"),
    )
    saved_model.put("state_a_list", "tree_", to=saved_model.part("tree_") | {"content": listing()})
    saved_model.put(
        "state_not_a_dict",
        "tree_",
        to=node("ObjectNode", "sklearn.tree._tree", "Tree", content=mapping()),
    )
    objects = node(
        "NdArrayNode", "numpy", "ndarray", type="json", content=[leaf(1)], shape=pair(leaf(1))
    )
    saved_model.put("nodes_of_objects", "tree_", "nodes", to=objects)

    saved_model = Saved(
        "gradient_boosting_2",
        GradientBoostingClassifier(n_estimators=1, max_depth=1, random_state=0).fit(inputs, labels),
    )
    saved_model.put("init_none", "init_", to=None)
    saved_model.put("init_zero", "init_", to="zero")
    saved_model.put("init_a_number", "init_", to=5)
    saved_model.without("without_init", "init_")
    estimator = node("ObjectNode", "sklearn.pipeline", "Pipeline", content=mapping(steps=listing()))
    saved_model.put("init_unknown", "init_", to=estimator)
    saved_model.put("init_of_fewer_classes", "init_", "n_classes_", to=np.int64(2))
    saved_model.put("loss_none", "_loss", to=None)
    saved_model.put("loss_a_number", "_loss", to=5)
    saved_model.put("link_none", "_loss", "link", to=None)
    saved_model.put(
        "link_another",
        "_loss",
        "link",
        to=node("ObjectNode", "sklearn.pipeline", "Pipeline", content=mapping()),
    )
    tree = saved_model.part("estimators_", 0, 0)
    table = lambda content, *shape: node(
        "NdArrayNode",
        "numpy",
        "ndarray",
        type="json",
        content=content,
        shape=pair(*[leaf(side) for side in shape]),
    )  # noqa: E731
    saved_model.put("estimators_none", "estimators_", to=table([], 0, 3))
    saved_model.put("estimators_more", "estimators_", to=table([listing(*[tree] * 5)], 1, 5))
    saved_model.put(
        "estimators_lists",
        "estimators_",
        to=table([listing(listing(), listing(), listing())], 1, 3),
    )
    saved_model.put("tree_missing", "estimators_", 0, 1, "tree_", to=None)
    saved_model.plus(
        "hides_raw_predict", "_raw_predict", to=node("FunctionNode", "numpy", "asarray")
    )
    narrow = GradientBoostingRegressor(n_estimators=2, max_depth=2, random_state=0).fit(
        inputs, target
    )
    saved_model = Saved("gradient_boosting_3", narrow)
    first = saved_model.part("estimators_", 0, 0)
    wide = Saved.__new__(Saved)
    wide.folder, wide.entries = "gradient_boosting_3", saved_model.entries
    wide.schema = json.loads(saved_model.text)
    other = GradientBoostingRegressor(n_estimators=1, max_depth=2, random_state=0).fit(
        inputs[:, :1], target
    )
    schema, entries = taken(_dumps(other))
    text = json.dumps(schema["content"]["content"]["estimators_"]["content"][0]["content"][0])
    moved = {f"other-{name}": data for name, data in entries.items()}
    text = re.sub(r'"file": "', '"file": "other-', text)
    text = re.sub(r'"__id__": (\d+)', lambda found: f'"__id__": {int(found[1]) + 5_000_000}', text)
    saved_model.entries = {**saved_model.entries, **moved}
    saved_model.put("first_tree_narrower", "estimators_", 0, 0, to=json.loads(text))
    assert first

    saved_model = Saved(
        "ada_boost", AdaBoostRegressor(n_estimators=1, random_state=0).fit(inputs, target)
    )
    saved_model.put("tree_fewer_features", "estimators_", 0, "n_features_in_", to=2)


def _dumps(obj):
    from skops.io import dumps

    return dumps(obj)


def more_hist_cases():
    from sklearn.ensemble import HistGradientBoostingRegressor

    inputs, labels, target = rows()
    inputs = np.column_stack([inputs[:, 0], labels])
    fitted = HistGradientBoostingRegressor(
        max_iter=1, min_samples_leaf=2, max_leaf_nodes=3, categorical_features=[1], random_state=0
    )
    fitted.fit(np.tile(inputs, (2, 1)), np.tile(9.0 * (labels == 1), 2))
    saved_model = Saved("hist_gradient_boosting_2", fitted)
    nodes = saved_model.value("_predictors", 0, 0, "nodes")
    inner = int(np.flatnonzero(nodes["is_leaf"] == 0)[0])
    flags = saved_model.value("_bin_mapper", "is_categorical_")
    saved_model.put("no_category", "_bin_mapper", "is_categorical_", to=np.zeros_like(flags))
    saved_model.put("categories_short", "_bin_mapper", "is_categorical_", to=flags[:0])
    saved_model.put("bins_none", "_bin_mapper", "n_bins_non_missing_", to=None)
    saved_model.put("thresholds_text", "_bin_mapper", "bin_thresholds_", 0, to="x")
    saved_model.put(
        "thresholds_float32", "_bin_mapper", "bin_thresholds_", 0, to=np.zeros(3, "<f4")
    )
    saved_model.put("threads_million", "_bin_mapper", "n_threads", to=1_000_000)
    saved_model.put("mapper_none", "_bin_mapper", to=None)
    saved_model.plus("in_fit", "_in_fit", to=leaf(True))
    saved_model.put("predictors_a_dict", "_predictors", to=mapping())
    saved_model.put(
        "predictors_flat", "_predictors", to=listing(saved_model.part("_predictors", 0, 0))
    )
    saved_model.put("preprocessor_none", "_preprocessor", to=None)
    saved_model.put(
        "preprocessor_another",
        "_preprocessor",
        to=node("ObjectNode", "sklearn.pipeline", "Pipeline", content=mapping()),
    )
    saved_model.put("preprocessor_drops", "_preprocessor", "transformers_", 1, 1, to="drop")
    saved_model.put(
        "preprocessor_without_transformers", "_preprocessor", "transformers_", to=listing()
    )
    saved_model.element(
        "category_mark_on_a_number",
        "_predictors",
        0,
        0,
        "nodes",
        at=inner,
        to=0,
        field="feature_idx",
    )
    saved_model.plus("hides_a_check", "_raw_predict", to=node("FunctionNode", "numpy", "asarray"))


def more_neighbour_cases():
    from sklearn.metrics import DistanceMetric
    from sklearn.neighbors import (
        KDTree,
        KNeighborsClassifier,
        KNeighborsRegressor,
        NearestNeighbors,
    )

    inputs, labels, target = rows()
    saved_model = Saved("kd_tree_2", KDTree(inputs[:12], leaf_size=2))
    saved_model.put("counter_huge", 7, to=1 << 40)
    saved_model.put("counter_text", 10, to="1")
    data = saved_model.value(2)
    saved_model.element("root_cut", 2, at=0, to=11, field="idx_end")
    saved_model.element("leaf_mark_of_7", 2, at=0, to=7, field="is_leaf")
    saved_model.put("data_flat", 0, to=saved_model.value(0).reshape(-1))
    saved_model.put(
        "metric_of_32_bits",
        11,
        to=node(
            "ObjectNode",
            "sklearn.metrics._dist_metrics",
            "EuclideanDistance32",
            content=saved_model.part(
                11,
            )["content"],
        ),
    )
    assert len(data) > 1
    schema = json.loads(saved_model.text)
    del schema["content"]["content"][12]
    saved_model.keep("state_of_12", schema, saved_model.entries)
    schema = json.loads(saved_model.text)
    schema["content"] = listing(*schema["content"]["content"])
    saved_model.keep("state_a_list", schema, saved_model.entries)
    schema = json.loads(saved_model.text)
    called = {
        **node("ConstructorFromReduceNode", "sklearn.neighbors._kd_tree", "KDTree"),
        "content": pair(schema["content"]["content"][0]),
    }
    saved_model.keep("called", whole(called), saved_model.entries)
    bare = {key: value for key, value in schema.items() if key != "content"}
    saved_model.keep("without_state", bare, {})

    saved_model = Saved("distance_2", DistanceMetric.get_metric("minkowski", p=3))
    saved_model.put("power_nan", 0, to=float("nan"))
    saved_model.put("power_0", 0, to=0.0)
    schema = json.loads(saved_model.text)
    del schema["content"]["content"][2]
    saved_model.keep("state_of_2", schema, saved_model.entries)
    schema = json.loads(saved_model.text)
    schema["__loader__"], schema["content"] = "ConstructorFromReduceNode", pair(leaf(3))
    saved_model.keep("called", schema, {})
    wide = DistanceMetric.get_metric("mahalanobis", V=np.eye(2))
    from sklearn.neighbors import BallTree

    saved_model = Saved(
        "ball_tree_2", BallTree(inputs[:12], leaf_size=2, metric="mahalanobis", V=np.eye(3))
    )
    schema, entries = taken(_dumps(wide))
    text = re.sub(r'"file": "', '"file": "other-', json.dumps({**schema, "protocol": 0}))
    text = re.sub(r'"__id__": (\d+)', lambda found: f'"__id__": {int(found[1]) + 5_000_000}', text)
    metric = json.loads(text)
    del metric["protocol"], metric["_skops_version"]
    saved_model.entries = {
        **saved_model.entries,
        **{f"other-{name}": data for name, data in entries.items()},
    }
    saved_model.put("metric_of_other_width", 11, to=metric)

    fitted = KNeighborsClassifier(3, algorithm="kd_tree", leaf_size=5).fit(inputs, labels)
    saved_model = Saved("neighbours_classifier", fitted)
    saved_model.put("labels_short", "_y", to=saved_model.value("_y")[:-1])
    saved_model.element("label_past_end", "_y", at=0, to=3)
    saved_model.element("label_negative", "_y", at=0, to=-1)
    saved_model.element("label_huge", "_y", at=0, to=1 << 60)
    saved_model.put("labels_float", "_y", to=saved_model.value("_y").astype(float))
    saved_model.without("without_labels", "_y")
    saved_model.without("without_classes", "classes_")
    saved_model.put("classes_two_dimensions", "classes_", to=np.zeros((3, 1)))
    saved_model.put("rows_0", "n_samples_fit_", to=0)
    saved_model.put("rows_other", "n_samples_fit_", to=7)
    saved_model.put("rows_text", "n_samples_fit_", to="24")
    saved_model.put("method_unknown", "_fit_method", to="spam")
    saved_model.put("method_brute", "_fit_method", to="brute")
    saved_model.put("neighbours_million", "n_neighbors", to=1_000_000_000)
    saved_model.put("metric_arguments_a_list", "effective_metric_params_", to=listing())
    saved_model.put(
        "metric_arguments_norms", "effective_metric_params_", to=mapping(X_norm_squared=leaf(1))
    )
    saved_model.plus("hides_kneighbors", "kneighbors", to=node("FunctionNode", "numpy", "asarray"))

    fitted = KNeighborsRegressor(3, algorithm="brute", metric="minkowski", p=3).fit(inputs, target)
    saved_model = Saved("neighbours_brute", fitted)
    saved_model.put("data_flat", "_fit_X", to=inputs.reshape(-1))
    saved_model.put("data_short", "_fit_X", to=inputs[:5])
    saved_model.put("data_narrow", "_fit_X", to=np.ascontiguousarray(inputs[:, :2]))
    saved_model.put("data_nan", "_fit_X", to=np.full_like(inputs, np.nan))
    saved_model.put("data_huge", "_fit_X", to=np.full_like(inputs, 1e300))
    saved_model.put("data_none", "_fit_X", to=None)
    saved_model.without("without_data", "_fit_X")
    saved_model.put("power_nan", "effective_metric_params_", "p", to=float("nan"))
    saved_model.put("metric_precomputed", "effective_metric_", to="precomputed")
    saved_model.put("metric_function", "effective_metric_", to=node("FunctionNode", "numpy", "add"))
    near = NearestNeighbors(algorithm="brute", metric="precomputed").fit(
        np.abs(inputs[:6] @ inputs[:6].T)
    )
    saved_model = Saved("neighbours_precomputed", near)
    saved_model.put("data_not_square", "_fit_X", to=np.ones((6, 2)))
    angle = NearestNeighbors(algorithm="brute", metric="cosine").fit(inputs)
    saved_model = Saved("neighbours_cosine", angle)
    changed = inputs.copy()
    changed[0] = 0
    saved_model.put("row_of_zeros", "_fit_X", to=changed)


def more_vector_cases():
    import scipy.sparse as sparse
    from sklearn import svm

    inputs, labels, target = rows()
    saved_model = Saved("svc_2", svm.SVC().fit(inputs, labels))
    saved_model.put("sparse_mark_text", "_sparse", to="no")
    saved_model.put("shape_fit_empty", "shape_fit_", to=pair())
    saved_model.put("shape_fit_list", "shape_fit_", to=listing(leaf(24), leaf(3)))
    saved_model.put("support_float", "support_", to=saved_model.value("support_").astype(float))
    saved_model.put("counts_of_one", "_n_support", to=saved_model.value("_n_support")[:1])
    saved_model.without("without_kernel", "kernel")
    saved_model.put("kernel_function", "kernel", to=node("FunctionNode", "numpy", "add"))
    kernel = node("FunctionNode", "sklearn.metrics.pairwise", "rbf_kernel")
    saved_model.put("kernel_without_data", "kernel", to=kernel)
    saved_model.plus(
        "hides_a_check", "_validate_for_predict", to=node("FunctionNode", "numpy", "asarray")
    )
    matrix = sparse.csr_matrix(inputs)
    saved_model = Saved("svc_sparse", svm.SVC().fit(matrix, labels))
    saved_model.put("kernel_precomputed", "kernel", to="precomputed")
    saved_model.put("probability", "probability", to=True)
    saved_model.put("support_vectors_dense", "support_vectors_", to=inputs)
    schema, entries = taken(_dumps(saved_csr(np.zeros((2, 24)), 0)))
    for name, values in {
        "dual_coef_pruned": saved_csr(np.ones((2, 24)), 0),
        "dual_coef_short": sparse.csr_matrix(np.ones((2, 5))),
        "dual_coef_with_zeros": sparse.csr_matrix(np.eye(24)[:2]),
    }.items():
        _, entries = taken(_dumps(values) if not isinstance(values, bytes) else values)
        here = saved_model.find(saved_model.schema, ("_dual_coef_",))
        saved_model.entries = {**saved_model.entries, "other.npz": entries["1.npz"]}
        saved_model.put(name, "_dual_coef_", to={**here, "file": "other.npz", "__id__": next(_ids)})
    saved_model.put("dual_coef_dense", "_dual_coef_", to=np.ones((2, 24)))


def saved_csr(values, end):
    """A CSR matrix whose last row ends early: scipy drops the elements behind it when it loads one."""
    import scipy.sparse as sparse

    matrix = sparse.csr_matrix(values)
    matrix.indptr[:] = np.minimum(matrix.indptr, end)
    return matrix


def more_estimator_cases():
    from sklearn import (
        cluster,
        decomposition,
        feature_extraction,
        linear_model,
        multiclass,
        preprocessing,
    )
    from sklearn._loss._loss import CyHuberLoss

    inputs, labels, target = rows()
    asarray = node("FunctionNode", "numpy", "asarray")

    saved_model = Saved(
        "kmeans_2", cluster.MiniBatchKMeans(2, n_init=1, random_state=0).fit(inputs)
    )
    saved_model.put("counts_short", "_counts", to=np.ones(1))
    saved_model.put("threads_0", "_n_threads", to=0)
    saved_model.put("threads_negative", "_n_threads", to=-(1 << 31))
    saved_model.put("threads_million", "_n_threads", to=1_000_000)
    saved_model.put("centers_integers", "cluster_centers_", to=np.ones((2, 3), "<i8"))
    saved_model.put("centers_flat", "cluster_centers_", to=np.ones(6))
    saved_model.put("features_none", "n_features_in_", to=None)
    saved_model.plus("hides_a_check", "_check_test_data", to=asarray)
    saved_model = Saved(
        "bisecting_kmeans_2", cluster.BisectingKMeans(3, random_state=0).fit(inputs)
    )
    path = ("_bisecting_tree",)
    saved_model.put("one_child", *path, "left", to=None)
    saved_model.put(
        "child_of_another_class",
        *path,
        "left",
        to=node("ObjectNode", "sklearn.pipeline", "Pipeline", content=mapping()),
    )
    saved_model.without("without_center", *path, "left", "center")
    twin = saved_model.part(*path, "right")
    saved_model.put("child_twice", *path, "left", to=twin)
    saved_model = Saved("feature_agglomeration", cluster.FeatureAgglomeration(2).fit(inputs))
    saved_model.element("label_past_end", "labels_", at=0, to=3)
    saved_model.element("label_huge", "labels_", at=0, to=1 << 40)
    saved_model.element("label_negative", "labels_", at=0, to=-1)
    saved_model.put("labels_short", "labels_", to=np.zeros(1, "<i8"))
    saved_model = Saved("hdbscan", cluster.HDBSCAN(min_cluster_size=4, copy=True).fit(inputs))
    saved_model.element(
        "node_past_end", "_single_linkage_tree_", at=0, to=1 << 40, field="left_node"
    )
    saved_model.element("node_negative", "_single_linkage_tree_", at=0, to=-1, field="right_node")
    saved_model.put("tree_of_numbers", "_single_linkage_tree_", to=np.zeros((4, 4)))
    saved_model = Saved(
        "birch_2",
        None,
        birch(cluster.Birch(threshold=0.8, branching_factor=3, n_clusters=None).fit(inputs[:10])),
    )
    saved_model.put("norms_two_dimensions", "_subcluster_norms", to=np.zeros((3, 1)))
    schema = json.loads(saved_model.text)
    todo = [schema]
    while todo:  # the last leaf is followed by itself
        here = todo.pop()
        held = here.get("content") if isinstance(here, dict) else None
        if (
            isinstance(held, dict)
            and isinstance(held.get("content"), dict)
            and "next_leaf_" in held["content"]
        ):
            after = held["content"]["next_leaf_"]
            if after.get("content") == "null":
                after.clear()
                after.update(
                    {
                        "__class__": "x",
                        "__module__": "x",
                        "__loader__": "CachedNode",
                        "__id__": here["__id__"],
                    }
                )
        todo.extend(
            here.values() if isinstance(here, dict) else here if isinstance(here, list) else []
        )
    assert schema != saved_model.schema
    saved_model.keep("chain_in_a_circle", schema, saved_model.entries)

    saved_model = Saved(
        "lda",
        decomposition.LatentDirichletAllocation(2, max_iter=1, random_state=0).fit(np.abs(inputs)),
    )
    saved_model.put("components_narrow", "components_", to=np.ones((2, 1)))
    saved_model.put("dirichlet_fewer", "exp_dirichlet_component_", to=np.ones((1, 3)))
    saved_model.put("components_integers", "components_", to=np.ones((2, 3), "<i8"))
    saved_model = Saved(
        "dictionary",
        decomposition.MiniBatchDictionaryLearning(2, max_iter=1, random_state=0).fit(inputs),
    )
    saved_model.put("components_narrow", "components_", to=np.ones((2, 1)))

    frame = np.array([["a", "x"], ["b", "x"], ["a", "y"], ["b", "z"]], dtype=object)
    encoder = preprocessing.OneHotEncoder(
        min_frequency=2, drop="first", handle_unknown="ignore"
    ).fit(np.tile(frame, (2, 1)))
    saved_model = Saved("one_hot", encoder)
    saved_model.put(
        "categories_fewer", "categories_", to=listing(saved_model.part("categories_", 0))
    )
    saved_model.put("categories_dict", "categories_", to=mapping())
    saved_model.put("categories_two_dimensions", "categories_", 0, to=np.zeros((2, 1)))
    saved_model.put("categories_complex", "categories_", 0, to=np.zeros(2, complex))
    saved_model.put("categories_unsorted", "categories_", 0, to=np.array([2.0, 1.0]))
    saved_model.put("infrequent_text", "_infrequent_enabled", to="yes")
    saved_model.put("infrequent_none", "_infrequent_indices", to=listing())
    saved_model.put("infrequent_past_end", "_infrequent_indices", 1, to=np.array([9]))
    saved_model.put(
        "mapping_past_end", "_default_to_infrequent_mappings", 1, to=np.array([0, 1, 9])
    )
    saved_model.put("outs_other", "_n_features_outs", to=listing(leaf(7), leaf(7)))
    saved_model.without("without_outs", "_n_features_outs")
    saved_model.put("dropped_numbers", "_drop_idx_after_grouping", to=np.zeros(2))
    drops = lambda *items: node(
        "NdArrayNode",
        "numpy",
        "ndarray",
        type="json",
        content=list(items),
        shape=pair(leaf(len(items))),
    )  # noqa: E731
    saved_model.put("dropped_past_end", "_drop_idx_after_grouping", to=drops(leaf(9), leaf(0)))
    saved_model = Saved("polynomial", preprocessing.PolynomialFeatures(2).fit(inputs))
    saved_model.put("interaction_text", "interaction_only", to="no")

    saved_model = Saved("sgd", linear_model.SGDClassifier(random_state=0).fit(inputs, labels))
    saved_model.put("coefficients_narrow", "coef_", to=np.ones((3, 1)))
    saved_model.put("coefficients_fewer", "coef_", to=np.ones((1, 3)))
    saved_model.put("classes_a_number", "classes_", to=5)
    saved_model.plus("hides_a_check", "_validate_data", to=asarray)
    saved_model = Saved(
        "elastic_net",
        linear_model.ElasticNet(precompute=inputs.T @ inputs, fit_intercept=False).fit(
            inputs, target
        ),
    )
    saved_model.put("gram_narrow", "precompute", to=np.eye(2))
    saved_model.put("gram_flat", "precompute", to=np.ones(9))
    saved_model.put("coefficients_narrow", "coef_", to=np.ones(2))

    saved_model = Saved(
        "one_vs_rest",
        multiclass.OneVsRestClassifier(linear_model.LogisticRegression()).fit(
            inputs, np.column_stack([labels == 0, labels == 1])
        ),
    )
    saved_model.put("estimators_a_number", "estimators_", to=5)
    saved_model.put("estimator_of_two_columns", "estimators_", 0, "coef_", to=np.ones((3, 3)))

    saved_model = Saved("hasher", feature_extraction.FeatureHasher(n_features=8))
    saved_model.put("features_0", "n_features", to=0)
    saved_model.put("features_huge", "n_features", to=1 << 40)
    saved_model.put("features_negative", "n_features", to=-5)
    saved_model = Saved("loss_huber", CyHuberLoss(1.5))
    schema = json.loads(saved_model.text)
    schema["content"] = mapping(delta=leaf(1))
    saved_model.keep("state_of_its_own", schema, {})

    with contextlib.suppress(ImportError):
        from quantile_forest import RandomForestQuantileRegressor

        fitted = RandomForestQuantileRegressor(2, max_depth=2, random_state=0).fit(inputs, target)
        saved_model = Saved("quantile_forest_2", fitted)
        saved_model.put("default_nan", "default_quantiles", to=float("nan"))
        saved_model.put("estimators_tuple", "estimators_", to=pair())
        saved_model.put(
            "estimators_more", "estimators_", to=listing(*[saved_model.part("estimators_", 0)] * 3)
        )
        saved_model.put(
            "estimator_another",
            "estimators_",
            0,
            to=node("ObjectNode", "sklearn.pipeline", "Pipeline", content=mapping()),
        )
        saved_model.put("forest_none", "forest_", to=None)
        saved_model.put("train_samples_other", "n_train_samples_", to=7)
        targets = saved_model.value("forest_", "args", 0)
        saved_model.put("targets_nan", "forest_", "args", 0, to=np.full_like(targets, np.nan))
        leaves = saved_model.value("forest_", "args", 1)
        saved_model.put(
            "leaves_of_fewer_nodes", "forest_", "args", 1, to=np.ascontiguousarray(leaves[:, :2])
        )
        saved_model.put(
            "leaves_without_outputs",
            "forest_",
            "args",
            1,
            to=np.ascontiguousarray(leaves[:, :, :0]),
        )
        saved_model.put("sparse_flag", "forest_", "args", 3, to=True)

    saved_model = Saved("random_state_2", np.random.RandomState(3))
    saved_model.put("key_of_zeros", "state", "key", to=np.zeros(624, "<u4"))
    called = node(
        "ConstructorFromReduceNode", "numpy.random.mtrand", "RandomState", content=pair(leaf(3))
    )
    saved_model.keep("called", whole(called), {})
    saved_model.keep(
        "without_its_loader",
        whole(node("ObjectNode", "numpy.random.mtrand", "RandomState", content=mapping())),
        {},
    )
    saved_model.keep(
        "bit_generator_alone",
        whole(node("ObjectNode", "numpy.random._mt19937", "MT19937", content=mapping())),
        {},
    )
    saved_model.keep(
        "seed_sequence_alone",
        whole(node("ObjectNode", "numpy.random.bit_generator", "SeedSequence", content=mapping())),
        {},
    )
    saved_model = Saved("generator_2", np.random.default_rng(3))
    saved_model.put("state_a_list", "bit_generator", "state", to=listing())
    schema = json.loads(saved_model.text)
    schema["content"]["seed_seq"] = listing()
    saved_model.keep("seed_a_list", schema, {})


# ------------------------------------------------------------------------------------------------ all of them


def expected():
    """Names in `expected.toml`."""
    path = HERE / "expected.toml"
    if not path.exists():
        return set()
    return set(re.findall(r'^"([^"]+)" = ', path.read_text(), re.MULTILINE))


def main(given=None):
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument(
        "--check", action="store_true", help="write nothing; name what would change"
    )
    options = parser.parse_args(given)
    warnings.simplefilter("ignore")
    groups = [found for name, found in globals().items() if name.endswith("_cases")]
    for cases in groups:
        global _ids
        _ids = iter(range(10**6, 10**9))
        cases()
    status = 0
    for name, data in sorted(FILES.items()):
        path = HERE / name
        if path.exists() and path.read_bytes() == data:
            continue
        if options.check:
            print(f"would change: {name}")
            status = 1
            continue
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    on_disk = {str(path.relative_to(HERE)) for path in HERE.glob("*/*.skops")}
    for name in sorted(on_disk - set(FILES)):
        print(f"not made here: {name}")
        status = 1
    for name in sorted(set(FILES) - expected()):
        print(f"not in expected.toml: {name}")
        status = 1
    for name in sorted(expected() - set(FILES)):
        print(f"in expected.toml, and not made: {name}")
        status = 1
    print(f"{len(FILES)} files, {sum(map(len, FILES.values())):,} bytes")
    return status


if __name__ == "__main__":
    sys.exit(main())
