"""Arrays whose header or data break a rule."""

from __future__ import annotations

import struct

from .parts import ONE, array, header, keep, model, npy, whole


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
    put("header_cut", npy(header(), b"", length=200))
    put("header_comma_missing", npy("{'descr': '<f8' " + rest, two))


def size_cases():
    """Elements of no size, which numpy gives one, and of more than it has words for."""

    def put(name, descr, shape):
        keep(f"npy/{name}", model(whole(array("1.npy")), {"1.npy": npy(header(descr, shape))}))

    put("dtype_bytes_of_0", "|S0", (3,))
    put("dtype_text_of_0", "<U0", (3,))
    put("dtype_void_of_0", "|V0", (1 << 62,))
    put("record_of_nothing", [], (1 << 40,))
    put("record_of_no_elements", [("a", "<f8", (0,))], (1 << 40,))
    put("dtype_text_of_4_gigabytes", "<U1000000000", (0,))
    put("dtype_bytes_of_3_gigabytes", "|S3000000000", (0,))
