"""Schemas: JSON, protocols, nodes, ids, cycles, names of code, calls."""

from __future__ import annotations

import json
import re

import numpy as np

from .parts import (
    ONE,
    PLAIN,
    Entry,
    archive,
    array,
    keep,
    keyed,
    leaf,
    listing,
    mapping,
    model,
    node,
    objects,
    pair,
    saved,
    whole,
)
from .saved import taken


def skops_cases():
    def put(name, root, entries=(), protocol=2):
        keep(f"skops/{name}", model(whole(root, protocol), entries))

    def text(name, schema, entries=()):
        keep(
            f"skops/{name}",
            model(schema if isinstance(schema, bytes) else schema.encode(), entries),
        )

    def dump(value):
        return json.dumps(value, separators=(",", ":"))

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
    one_object = {"type": "json", "content": [leaf(1)], "shape": pair(leaf(1))}
    put(
        "array_of_objects_with_a_file",
        node("NdArrayNode", "numpy", "ndarray", **one_object, file="1.npy"),
        {"1.npy": ONE},
    )
    put(
        "array_of_objects_scalar",
        node("NdArrayNode", "numpy", "ndarray", **{**one_object, "shape": pair()}),
    )
    put(
        "array_of_objects_twisted",
        node(
            "NdArrayNode",
            "numpy",
            "ndarray",
            **{
                **one_object,
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


def bomb_cases():
    """Calls that the list grants, with arguments that never end."""
    endless = node("ConstructorFromReduceNode", "builtins", "range", content=pair(leaf(1 << 40)))
    for name, (module, qualname, argument) in {
        "frozenset_of_range": ("builtins", "frozenset", endless),
        "counter_of_range": ("collections", "Counter", endless),
        "scalar_of_range": ("numpy", "float64", endless),
        "scalar_of_ranges": ("numpy", "float64", listing(endless)),
        "matrix_of_text": ("numpy", "matrix", leaf("-" * 200_000 + "1")),
    }.items():
        called = node("ConstructorFromReduceNode", module, qualname, content=pair(argument))
        keep(f"skops/call_{name}", model(whole(called)))
    matrix = keyed({"-" * 200_000 + "1": leaf(1)}, [node("TypeNode", "numpy", "matrix")])
    keep("skops/key_type_matrix", model(whole(matrix)))


def deep_cases():
    """Arrays of objects inside each other: freeing them would take one C call for each."""
    text = json.dumps(whole(objects("@")))
    before, after = text.split('"@"')
    inner = json.dumps(objects("@")).split('"@"')
    count = 12_000

    def numbered(part, at):
        return re.sub(
            r'"__id__": \d+', lambda found: f'"__id__": {int(found[0][10:]) + 10 * at}', part
        )

    begins = "".join(numbered(inner[0], at) for at in range(1, count))
    ends = "".join(numbered(inner[1], at) for at in reversed(range(1, count)))
    keep(
        "skops/levels_of_object_arrays",
        model((before + begins + json.dumps(leaf(1)) + ends + after).encode()),
    )


def rest_cases():
    """What one of the above would have hidden."""

    def put(name, root, entries=()):
        keep(f"skops/{name}", model(whole(root), entries))

    put("leaf_number_cut", listing({**leaf(1), "content": "1."}))
    put("leaf_exponent_cut", listing({**leaf(1), "content": "1e"}))
    text = leaf("3")
    put(
        "call_range_of_text",
        node("ConstructorFromReduceNode", "builtins", "range", content=pair(text)),
    )
    seeds = node("ConstructorFromReduceNode", "numpy.random", "MT19937", content=pair(leaf(1)))
    put("call_bit_generator", listing(seeds))
    shape = pair(leaf(1 << 40), leaf(1 << 40))
    matrix = node(
        "ConstructorFromReduceNode", "scipy.sparse._csr", "csr_matrix", content=pair(shape)
    )
    put("call_sparse", matrix)


def name_and_module_cases():
    """The class that a node kind has, from another module."""

    def put(name, root, entries=()):
        keep(f"skops/{name}", model(whole(root), entries))

    parts = {"start": 1, "stop": 2, "step": None}
    put("slice_of_another_module", node("SliceNode", "os", "slice", content=parts))
    put("bytes_of_another_module", node("BytesNode", "os", "bytes", file="1.bin"), {"1.bin": b"id"})
    put(
        "partial_of_another_module",
        node(
            "PartialNode",
            "os",
            "partial",
            content={
                "func": node("FunctionNode", "numpy", "add"),
                "args": pair(),
                "kwds": mapping(),
                "namespace": mapping(),
            },
        ),
    )
