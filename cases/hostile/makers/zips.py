"""Archives that two readers could read in two ways, or that cost more than they say."""

from __future__ import annotations

import io
import json
import struct
import zipfile
import zlib

import numpy as np

from .parts import (
    ONE,
    PLAIN,
    Entry,
    archive,
    array,
    header,
    keep,
    npy,
    pack,
    plain,
    saved,
    whole,
)


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


def more_zip_cases():
    def put(name, entries, **options):
        keep(f"zip/{name}", archive(entries, **options))

    right = archive(plain())
    five = struct.pack("<BBH", 9, 4, 4) + pack(ONE, 14)[4:]
    put("lzma_properties_of_4", plain(method=14, body=five, both={"flags": 2}))
    keep("zip/end_record_with_comment", right[:-2] + b"\x05\x00")
    cut = Entry("schema.json", PLAIN, central={"name_length": 300})
    put("directory_cut_in_a_name", [Entry("1.npy", ONE), cut])
    same = struct.pack("<HHQQ", 1, 16, len(ONE), len(ONE))
    wide = {"size": 0xFFFFFFFF, "packed": 0xFFFFFFFF}
    put("zip64_extra_twice", plain(both=wide, extra_local=same * 2, extra_central=same * 2))
