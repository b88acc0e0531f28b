"""Sparse containers."""

from __future__ import annotations

import io
import zipfile

import numpy as np

from .parts import (
    ONE,
    Entry,
    archive,
    header,
    keep,
    leaf,
    listing,
    model,
    npy,
    objects,
    pair,
    saved,
)
from .saved import Saved, sparse_object, taken


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
    zeros = {
        "data": np.zeros((1, side)),
        "offsets": np.zeros(1, "<i4"),
        "shape": np.array([side, side]),
        "format": np.array(b"dia"),
    }
    bomb = archive([Entry(f"{key}.npy", saved(values), method=8) for key, values in zeros.items()])
    keep(
        "npz/bomb",
        model(
            {**schema, "__class__": "dia_matrix", "__module__": "scipy.sparse._dia"},
            {"1.npz": bomb},
        ),
    )


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
            saved_model.put(
                "column_past_end", "rows", to=objects(listing(leaf(2)), listing(leaf(1)), listing())
            )
            saved_model.put(
                "column_negative",
                "rows",
                to=objects(listing(leaf(-1)), listing(leaf(1)), listing()),
            )
            saved_model.put(
                "columns_out_of_order",
                "rows",
                to=objects(listing(leaf(1), leaf(0)), listing(leaf(1)), listing()),
            )
            saved_model.put(
                "columns_more",
                "rows",
                to=objects(listing(leaf(0), leaf(1)), listing(leaf(1)), listing()),
            )
            saved_model.put("rows_fewer", "rows", to=objects(listing(leaf(0))))
            saved_model.put("rows_numbers", "rows", to=np.zeros(3))
        saved_model.put("shape_smaller", "_shape", to=pair(leaf(1), leaf(1)))
        saved_model.put("shape_negative", "_shape", to=pair(leaf(-3), leaf(2)))
        saved_model.without("without_shape", "_shape")
