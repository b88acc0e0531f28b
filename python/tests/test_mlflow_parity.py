"""``nopickle.types`` and ``nopickle.models`` against stock MLflow, where it is installed: one table for both."""

from __future__ import annotations

import copy
import datetime as dt
import inspect
import json
import warnings
from decimal import Decimal
from pathlib import Path

import numpy as np
import pytest

mlflow = pytest.importorskip("mlflow", minversion="3.17", exc_type=ImportError)
pd = pytest.importorskip("pandas")
scipy_sparse = pytest.importorskip("scipy.sparse")
yaml = pytest.importorskip("yaml")

import mlflow.models.utils as theirs_utils  # noqa: E402
import mlflow.types.schema as theirs_types  # noqa: E402

import nopickle.types.schema as ours_types  # noqa: E402
from nopickle import _rust, models  # noqa: E402
from nopickle.exceptions import InvalidInputError  # noqa: E402
from nopickle.models import _enforce, _example, model, signature  # noqa: E402

MODELS = Path(__file__).parents[2] / "cases" / "models"
FOLDERS = sorted(path / "model" for path in MODELS.glob("mlflow_*"))
pytestmark = pytest.mark.filterwarnings("ignore")


@pytest.fixture(scope="module", autouse=True)
def _quiet():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def frame(**columns):
    return pd.DataFrame(columns)


DAY = dt.datetime(2020, 1, 2, 3, 4, 5)

# Data by name: a maker each, so that no run changes what the next one sees.
DATA = {
    "frame of floats": lambda: frame(a=[1.5, 2.5], b=[0.0, 1.0]),
    "frame of ints": lambda: frame(a=[1, 2], b=[3, 4]),
    "frame with a hole": lambda: frame(a=[1.5, np.nan], b=[1, 2]),
    "small ints": lambda: frame(
        **{
            f"{kind}{bits}": np.array([0, 1], f"{kind}{bits}")
            for kind in ("int", "uint")
            for bits in (8, 16, 32)
        }
    ),
    "uint64": lambda: frame(a=np.array([1, 2], "uint64")),
    "float16 and float32": lambda: frame(a=np.ones(2, "float16"), b=np.ones(2, "float32")),
    "complex": lambda: frame(a=np.ones(2, "complex128")),
    "booleans": lambda: frame(a=[True, False], b=[True, None]),
    "texts": lambda: frame(a=["x", "y"], b=["x", None]),
    "texts of objects": lambda: frame(a=pd.Series(["x", None], dtype=object)),
    "mixed objects": lambda: frame(a=pd.Series(["x", 1], dtype=object)),
    "numbers of objects": lambda: frame(a=pd.Series([1, 2], dtype=object)),
    "number and None": lambda: frame(a=pd.Series([1, None], dtype=object)),
    "decimals": lambda: frame(a=[Decimal("1.5"), Decimal("2.5")]),
    "bytes": lambda: frame(a=[b"x", b"y"]),
    "times": lambda: frame(a=pd.to_datetime(["2020-01-01", "2020-01-02"])),
    "times with a zone": lambda: frame(a=pd.to_datetime(["2020-01-01"]).tz_localize("UTC")),
    "dates": lambda: frame(a=[dt.date(2020, 1, 1)]),
    "durations": lambda: frame(a=pd.to_timedelta([1, 2], unit="s")),
    "categories of texts": lambda: frame(a=pd.Categorical(["x", "y"])),
    "categories of ints": lambda: frame(a=pd.Categorical([1, 2])),
    "nullable": lambda: frame(
        a=pd.array([1, None], "Int64"),
        b=pd.array([True, None], "boolean"),
        c=pd.array([1.5, None], "Float32"),
    ),
    "nullable without a hole": lambda: frame(
        a=pd.array([1, 2], "Int64"), b=pd.array(["x", "y"], "string")
    ),
    "lists": lambda: frame(a=[[1, 2], [3]], b=[["x"], []]),
    "lists of lists": lambda: frame(a=[[[1.5], []], [[2.5]]]),
    "lists of two types": lambda: frame(a=[[1, "x"], [2]]),
    "dicts": lambda: frame(a=[{"k": 1, "m": "x"}, {"k": 2}]),
    "dicts in lists": lambda: frame(a=[[{"k": 1}], [{"k": 2, "m": None}]]),
    "arrays in a column": lambda: frame(a=[np.array([1.0, 2.0]), np.array([3.0, 4.0])]),
    "all missing": lambda: frame(a=[None, None]),
    "empty frame": lambda: frame(a=[], b=[]),
    "columns with numbers": lambda: pd.DataFrame(np.ones((2, 3))),
    "columns twice": lambda: pd.DataFrame(np.ones((2, 2)), columns=["a", "a"]),
    "other order": lambda: frame(b=[1.0], a=[2.0]),
    "extra column": lambda: frame(a=[1.5], b=[2.5], c=["x"]),
    "missing column": lambda: frame(b=[2.5]),
    "zeros and ones": lambda: frame(a=[0, 1], b=[1, 1]),
    "index": lambda: pd.DataFrame({"a": [1.0, 2.0], "b": [3.0, 4.0]}, index=[7, 9]),
    "series": lambda: pd.Series([1.5, 2.5], name="a"),
    "series without a name": lambda: pd.Series([1, 2]),
    "array": lambda: np.array([[1.0, 2.0], [3.0, 4.0]]),
    "array of ints": lambda: np.array([[1, 2], [3, 4]]),
    "array of float32": lambda: np.ones((2, 2), "float32"),
    "row": lambda: np.array([1.0, 2.0]),
    "cube": lambda: np.ones((2, 2, 3)),
    "array of texts": lambda: np.array(["x", "yz"]),
    "array of bytes": lambda: np.array([b"x", b"yz"]),
    "array of objects": lambda: np.array(["x", None], dtype=object),
    "array without dimensions": lambda: np.array(1.5),
    "empty array": lambda: np.ones((0, 2)),
    "dict of arrays": lambda: {"a": np.ones((2, 2)), "b": np.array(["x", "y"])},
    "dict of rows": lambda: {"a": np.array([1.5, 2.5]), "b": np.array([1.0, 2.0])},
    "dict of lists": lambda: {"a": [1.5, 2.5], "b": [1.0, 2.0]},
    "dict of scalars": lambda: {"a": 1.5, "b": 2.5},
    "dict of texts": lambda: {"a": "x", "b": ["y", "z"]},
    "dict with a None": lambda: {"a": 1, "b": None},
    "dict with numbers as keys": lambda: {0: [1], 1: [2]},
    "records": lambda: [{"a": 1.5, "b": 2.5}, {"a": 3.5, "b": 4.5}],
    "records with a hole": lambda: [{"a": 1.5}, {"a": None, "b": "x"}],
    "nested records": lambda: [{"a": {"k": [1]}}, {"a": {"k": [], "m": 2.5}}],
    "list of texts": lambda: ["x", "y"],
    "list of floats": lambda: [1.5, 2.5],
    "list of lists": lambda: [[1.5, 2.5], [3.5, 4.5]],
    "list of two types": lambda: [1, "x"],
    "empty list": list,
    "text": lambda: "x",
    "number": lambda: 1.5,
    "whole number": lambda: 3,
    "true": lambda: True,
    "time": lambda: DAY,
    "numpy time": lambda: np.datetime64("2020-01-02"),
    "numpy number": lambda: np.float32(1.5),
    "bytes alone": lambda: b"x",
    "csr": lambda: scipy_sparse.csr_matrix(np.eye(2)),
    "csc": lambda: scipy_sparse.csc_matrix(np.eye(2, dtype="float32")),
    "object": object,
    "set": lambda: {1, 2},
}


@pytest.mark.parametrize("name", DATA)
def test_data_has_the_schema_that_mlflow_infers(name):
    data = DATA[name]()
    ours = models.infer_signature(data, data)
    theirs = mlflow.models.infer_signature(data, data)
    assert ours.to_dict() == theirs.to_dict()
    assert repr(ours) == repr(theirs)


@pytest.mark.parametrize("name", DATA)
def test_the_json_of_a_schema_reads_back_on_both_sides(name):
    data = DATA[name]()
    text = mlflow.models.infer_signature(data).to_dict()
    ours = models.ModelSignature.from_dict(text)
    assert ours == models.infer_signature(data)
    assert ours.to_dict() == text
    assert mlflow.models.ModelSignature.from_dict(ours.to_dict()).to_dict() == text


PARAMS = {
    "scalars": lambda: {
        "a": 1,
        "b": 1.5,
        "c": "x",
        "d": True,
        "e": np.float32(0.5),
        "f": np.int32(3),
    },
    "times": lambda: {
        "a": DAY,
        "b": dt.date(2020, 1, 2),
        "c": np.datetime64("2020-01-02T03:04:05"),
    },
    "lists": lambda: {"a": [1, 2], "b": np.array([1.5, 2.5]), "c": ["x", "yz"], "d": [DAY, DAY]},
    "dict": lambda: {"a": {"k": 1, "m": [1.5]}},
    "bytes": lambda: {"a": b"x"},
    "lists of lists": lambda: {"a": [[1]]},
    "empty list": lambda: {"a": []},
    "None": lambda: {"a": None},
    "set": lambda: {"a": {1}},
    "list": lambda: [1],
    "none": dict,
}


REFUSED = object()


def outcome(call, *arguments):
    """What a call gives, or the fact that it refuses."""
    try:
        return call(*arguments)
    except Exception:
        return REFUSED


@pytest.mark.parametrize("name", PARAMS)
def test_parameters_have_the_schema_that_mlflow_infers(name):
    def infer(library):
        found = library.infer_signature(np.ones(2), params=PARAMS[name]()).to_dict()["params"]
        return found

    assert outcome(infer, models) == outcome(infer, mlflow.models)


# Types of columns and of tensors that data is made to fit.
SCALARS = list(ours_types.DataType.__members__)
SPECS = {
    **{
        f"columns of {kind}": [{"type": kind, "name": name, "required": True} for name in "ab"]
        for kind in SCALARS
    },
    **{f"one {kind}": [{"type": kind, "name": "a", "required": True}] for kind in SCALARS},
    **{f"unnamed {kind}": [{"type": kind, "required": True}] for kind in SCALARS},
    "two unnamed": [{"type": "double", "required": True}, {"type": "double", "required": True}],
    "optional b": [
        {"type": "double", "name": "a", "required": True},
        {"type": "double", "name": "b", "required": False},
    ],
    "list of long": [{"type": "array", "items": {"type": "long"}, "name": "a", "required": True}],
    "list of double": [
        {"type": "array", "items": {"type": "double"}, "name": "a", "required": True}
    ],
    "unnamed list": [{"type": "array", "items": {"type": "double"}, "required": True}],
    "list of lists": [
        {
            "type": "array",
            "items": {"type": "array", "items": {"type": "double"}},
            "name": "a",
            "required": True,
        }
    ],
    "list of anything": [
        {"type": "array", "items": {"type": "any"}, "name": "a", "required": True}
    ],
    "object": [
        {
            "type": "object",
            "properties": {
                "k": {"type": "long", "required": True},
                "m": {"type": "string", "required": False},
            },
            "name": "a",
            "required": True,
        }
    ],
    "map": [{"type": "map", "values": {"type": "long"}, "name": "a", "required": True}],
    "map of anything": [{"type": "map", "values": {"type": "any"}, "name": "a", "required": False}],
    "anything": [{"type": "any", "name": "a", "required": True}],
    "tensor (-1, 2)": [{"type": "tensor", "tensor-spec": {"dtype": "float64", "shape": [-1, 2]}}],
    "tensor (-1, -1)": [{"type": "tensor", "tensor-spec": {"dtype": "float64", "shape": [-1, -1]}}],
    "tensor (-1,)": [{"type": "tensor", "tensor-spec": {"dtype": "float64", "shape": [-1]}}],
    "tensor (-1, 1)": [{"type": "tensor", "tensor-spec": {"dtype": "float64", "shape": [-1, 1]}}],
    "tensor (2, 2)": [{"type": "tensor", "tensor-spec": {"dtype": "float64", "shape": [2, 2]}}],
    "tensor of float32": [
        {"type": "tensor", "tensor-spec": {"dtype": "float32", "shape": [-1, 2]}}
    ],
    "tensor of texts": [{"type": "tensor", "tensor-spec": {"dtype": "str", "shape": [-1]}}],
    "tensor of objects": [{"type": "tensor", "tensor-spec": {"dtype": "object", "shape": [-1]}}],
    "cube": [{"type": "tensor", "tensor-spec": {"dtype": "float64", "shape": [-1, 2, 3]}}],
    "one named tensor": [
        {"name": "a", "type": "tensor", "tensor-spec": {"dtype": "float64", "shape": [-1]}}
    ],
    "named tensors": [
        {"name": "a", "type": "tensor", "tensor-spec": {"dtype": "float64", "shape": [-1, 2]}},
        {"name": "b", "type": "tensor", "tensor-spec": {"dtype": "str", "shape": [-1]}},
    ],
    "named rows": [
        {"name": "a", "type": "tensor", "tensor-spec": {"dtype": "float64", "shape": [-1]}},
        {"name": "b", "type": "tensor", "tensor-spec": {"dtype": "float64", "shape": [-1]}},
    ],
}


# Where MLflow fails for another reason, or gives what nobody asked for: whether we refuse, and whether MLflow does.
OTHERWISE = {
    # The rows of its answer hold the names of the columns.
    ("anything", "columns twice"): [True, False],
    # It looks for row 0 by its label.
    ("one named tensor", "index"): [False, True],
    ("named rows", "index"): [False, True],
}


def same(ours, theirs):
    """Whether two answers are one: type, values, dtypes, order and index."""
    if isinstance(theirs, pd.DataFrame):
        try:
            pd.testing.assert_frame_equal(ours, theirs)
        except AssertionError:
            return False
        return True
    if isinstance(theirs, dict):
        return list(ours) == list(theirs) and all(same(ours[key], theirs[key]) for key in theirs)
    if isinstance(theirs, np.ndarray):
        return ours.dtype == theirs.dtype and np.array_equal(
            ours, theirs, equal_nan=theirs.dtype.kind == "f"
        )
    if scipy_sparse.issparse(theirs):
        return type(ours) is type(theirs) and (ours != theirs).nnz == 0
    return type(ours) is type(theirs) and ours == theirs


@pytest.mark.parametrize("spec", SPECS)
def test_data_is_taken_or_refused_as_mlflow_does(spec):
    text = json.dumps(SPECS[spec])
    wrong = []
    for name, make in DATA.items():
        ours = outcome(_enforce.enforce_schema, make(), ours_types.Schema.from_json(text))
        theirs = outcome(theirs_utils._enforce_schema, make(), theirs_types.Schema.from_json(text))
        refused = [answer is REFUSED for answer in (ours, theirs)]
        if (spec, name) in OTHERWISE:
            assert refused == OTHERWISE[spec, name]
        elif refused[0] != refused[1] or (not refused[0] and not same(ours, theirs)):
            wrong.append(f"{name}:\nours\n{ours!r}\ntheirs\n{theirs!r}")
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("spec", SPECS)
def test_what_is_refused_is_an_invalid_input(spec):
    schema = ours_types.Schema.from_json(json.dumps(SPECS[spec]))
    for name, make in DATA.items():
        data = make()
        if outcome(_enforce.enforce_schema, data, schema) is REFUSED:
            with pytest.raises(InvalidInputError) as caught:
                _enforce.enforce_schema(make(), schema)
            assert isinstance(caught.value, ValueError), name
            assert caught.value.error_code == "INVALID_PARAMETER_VALUE", name


VALUES = [None, 1, 2**40, 1.5, True, "x", "2020-01-02", b"x", DAY, np.int32(1), np.int64(1), np.float32(1.5),
          np.float64(1.5), np.bool_(True), np.str_("x"), [1], [1.5, 2.5], ["x"], np.array([1, 2]), {"k": 1}, {"z": 1},
          float("nan"), np.datetime64("2020-01-02")]  # fmt: skip


@pytest.mark.parametrize("kind", [kind for kind in SCALARS if kind != "binary"] + ["object"])
@pytest.mark.parametrize("listed", [False, True])
def test_parameters_are_taken_or_refused_as_mlflow_does(kind, listed):
    default = {"datetime": "2020-01-01", "string": "x", "boolean": True, "object": {"k": 1}}.get(
        kind, 1
    )
    head = {
        "name": "p",
        "default": [default] if listed else default,
        "shape": [-1] if listed else None,
    }
    rest = {"type": kind} | ({"properties": {"k": {"type": "long"}}} if kind == "object" else {})
    text = json.dumps([head | rest])
    ours_schema = outcome(ours_types.ParamSchema.from_json, text)
    theirs_schema = outcome(theirs_types.ParamSchema.from_json, text)
    if theirs_schema is REFUSED:
        assert ours_schema is REFUSED
        return
    assert ours_schema.to_json() == theirs_schema.to_json()
    for value in VALUES:
        given = {"p": value, "unknown": 1}
        ours = outcome(_enforce.enforce_params, copy.deepcopy(given), ours_schema)
        theirs = outcome(theirs_utils._enforce_params_schema, copy.deepcopy(given), theirs_schema)
        assert repr(ours) == repr(theirs), value
    for given in (None, {}, [1], {1: 2}):
        ours = outcome(_enforce.enforce_params, given, ours_schema)
        theirs = outcome(theirs_utils._enforce_params_schema, given, theirs_schema)
        assert repr(ours) == repr(theirs), given


EXAMPLES = {
    **{
        name: DATA[name]
        for name in (
            "frame of floats", "frame with a hole", "texts", "bytes", "times", "lists", "dicts", "columns with numbers",
            "array", "array of ints", "row", "cube", "array of texts", "dict of arrays", "dict of lists",
            "dict of scalars", "records", "list of texts", "list of floats", "text", "number", "true", "time", "csr",
            "csc", "booleans", "series", "object",
        )
    },
    "array with a hole": lambda: np.array([[1.0, np.nan]]),
    "list of arrays": lambda: [np.ones(2)],
    "dict of both": lambda: {"a": np.ones(2), "b": 1},
    "chat": lambda: {"messages": [{"role": "user", "content": "x"}]},
    "frame with parameters": lambda: (frame(a=[1.5]), {"p": 1}),
    "chat with parameters": lambda: ({"messages": []}, {"p": 1}),
    "array with parameters": lambda: (np.ones((1, 2)), {"p": [1, 2]}),
}  # fmt: skip


@pytest.mark.parametrize("name", EXAMPLES)
def test_examples_are_written_and_read_as_mlflow_does(name, tmp_path):
    example = EXAMPLES[name]()
    theirs_model, ours_model = mlflow.models.Model(), models.Model()
    folders = {"ours": tmp_path / "ours", "theirs": tmp_path / "theirs"}
    for folder in folders.values():
        folder.mkdir()
    saved = outcome(theirs_utils._save_example, theirs_model, example, str(folders["theirs"]))
    info = outcome(_example._save_example, example, folders["ours"])
    if saved is REFUSED:
        assert info is REFUSED
        return
    ours_model.saved_input_example_info = info
    assert info == theirs_model.saved_input_example_info
    for file in ("input_example.json", "serving_input_example.json"):
        assert (folders["ours"] / file).read_text() == (folders["theirs"] / file).read_text()
    data = example[0] if isinstance(example, tuple) else example
    ours_model.signature = models.infer_signature(data)
    theirs_model.signature = mlflow.models.infer_signature(data)
    for kind, folder in folders.items():
        ours_model.save(folder / "MLmodel")
        ours = outcome(ours_model.load_input_example, folder)
        theirs = outcome(theirs_model.load_input_example, str(folder))
        assert same(ours, theirs), (kind, ours, theirs)
        assert ours_model.load_input_example_params(
            folder
        ) == theirs_model.load_input_example_params(str(folder))
    assert ours_model.get_serving_input(folders["ours"]) == theirs_model.get_serving_input(
        str(folders["ours"])
    )


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda path: path.parent.name)
def test_a_model_folder_says_the_same_to_both(folder, tmp_path):
    ours, theirs = models.Model.load(folder), mlflow.models.Model.load(str(folder))
    assert ours.to_dict() == theirs.to_dict()
    assert ours.to_yaml() == theirs.to_yaml()
    if ours.mlflow_version.startswith("3."):
        assert ours.to_yaml() == (folder / "MLmodel").read_text()
    assert json.loads(ours.to_json()) == json.loads(theirs.to_json())
    assert ours.get_tags_dict() == theirs.get_tags_dict()
    assert repr(ours.signature) == repr(theirs.signature)
    assert same(ours.load_input_example(folder), theirs.load_input_example(str(folder)))
    ours.save(tmp_path / "MLmodel")
    assert mlflow.models.Model.load(str(tmp_path)) == theirs
    info, other = ours.get_model_info(), theirs.get_model_info()
    for name in (
        "artifact_path",
        "flavors",
        "model_uri",
        "model_uuid",
        "run_id",
        "utc_time_created",
        "metadata",
    ):
        assert getattr(info, name) == getattr(other, name)


def parameters(function):
    return [(item.name, item.kind) for item in inspect.signature(function).parameters.values()]


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        (models.infer_signature, mlflow.models.infer_signature),
        (models.set_signature, mlflow.models.set_signature),
        (models.get_model_info, mlflow.models.get_model_info),
        (models.validate_schema, mlflow.models.validate_schema),
        (signature.ModelSignature, mlflow.models.ModelSignature),
        (model.Model, mlflow.models.Model),
        (model.ModelInfo, mlflow.models.model.ModelInfo),
    ]
    + [
        (getattr(ours_types, name), getattr(theirs_types, name))
        for name in (
            "ColSpec",
            "TensorSpec",
            "Schema",
            "ParamSpec",
            "ParamSchema",
            "Property",
            "Object",
            "Array",
            "Map",
        )
    ],
    ids=lambda function: function.__name__,
)
def test_arguments_are_those_of_mlflow(ours, theirs):
    assert parameters(ours) == parameters(theirs)
    for one, other in zip(
        inspect.signature(ours).parameters.values(),
        inspect.signature(theirs).parameters.values(),
        strict=True,
    ):
        # The version of MLflow, and the maker of an id.
        if one.name not in ("mlflow_version", "model_uuid"):
            assert one.default == other.default or one.default is other.default


def test_names_of_classes_are_those_of_mlflow():
    for name in ("DataType", "ColSpec", "TensorSpec", "Schema", "ParamSpec", "ParamSchema"):
        ours = {key for key in vars(getattr(ours_types, name)) if not key.startswith("_")}
        theirs = {key for key in vars(getattr(theirs_types, name)) if not key.startswith("_")}
        # Spark is not read here.
        assert theirs - ours <= {
            "to_spark",
            "get_spark_types",
            "as_spark_schema",
            "ParamSpecTypedDict",
            "validate_type_and_shape",
        }


class Plain(yaml.SafeLoader):
    """PyYAML's safe loader, with times kept as texts."""


Plain.add_constructor("tag:yaml.org,2002:timestamp", lambda loader, node: node.value)

YAML_TEXTS = [
    "a: 1",
    "a: yes",
    "a: 012",
    "a: 1_0",
    "a: 1:30",
    "a: 1e5",
    "a: .5",
    "a: 0x1F",
    "a: ~",
    "a:",
    "a: 'x'",
    'a: "\\x41\\n"',
    "a: [1, {b: c}]",
    "a: {}\nb: []",
    "a: |\n  x\n  y\n",
    "a: >\n  x\n  y\n\n  z\n",
    "a: x\n  y",
    "? a\n: b",
    "a: &x [1]\nb: *x",
    "- a",
    "a: b: c",
    "a: 'x",
    "a: !!str 1",
    "a: 1\na: 2",
    "# c\na: 1 # d",
    "a: -",
    "a: - b",
    "a:\n- b\n-\n- c",
    "a:\n  - b",
    "'a': b",
    'a: "b\\\n  c"',
    "a: #b",
    "a: x#b",
    "---\na: 1\n...\n",
    "a: @x",
    "a: `x",
    "a: %x",
    "a: !x",
    "1: a",
    "null: a",
    "a: 2001-01-01",
    "a: 0o7",
    "a: +1",
    "a: 1.",
]


@pytest.mark.parametrize("text", YAML_TEXTS)
def test_yaml_that_is_read_has_pyyamls_value(text):
    try:
        ours = _rust.yaml_loads(text.encode())
    except ValueError:
        return
    theirs = yaml.load(text, Plain)
    assert ours == theirs


@pytest.mark.parametrize("seed", range(4))
def test_changed_documents_have_pyyamls_value_or_are_refused(seed):
    random = np.random.default_rng(seed)
    texts = [folder.joinpath("MLmodel").read_text() for folder in FOLDERS] + YAML_TEXTS
    letters = "ab01 \n:-'\"[]{},#&*?|>.~"
    read = 0
    for _ in range(1500):
        text = list(random.choice(texts))
        for _ in range(random.integers(1, 4)):
            at = int(random.integers(0, len(text) + 1))
            text[at : at + int(random.integers(0, 2))] = random.choice(list(letters))
        text = "".join(text)
        try:
            ours = _rust.yaml_loads(text.encode())
        except ValueError:
            continue
        read += 1
        try:
            theirs = yaml.load(text, Plain)
        except yaml.YAMLError:
            continue  # what we read and MLflow does not is no danger
        assert repr(ours) == repr(theirs), text
    assert read > 100


@pytest.mark.parametrize("seed", range(4))
def test_documents_are_written_as_pyyaml_writes_them(seed):
    random = np.random.default_rng(seed)
    pieces = [
        'a', 'xyz ', ' ', '  ', "'", '"', ':', ': ', '#', ' #', '\n', '\n\n', '-', '- ',
        '?', 'é', '😀', '\t', '\x07', '\\', '{', ']', ',', '&', '*', '!', '|', '%', '@',
        '`', '0', '123', '.', 'e+5', 'true', 'null', '~', 'yes', '=', '<<', '2001-01-01',
        '---', '\u2028', '\x85', '\ufeff',
        'word word word word word word word word word word ',
    ]  # fmt: skip

    def text():
        return "".join(
            random.choice(pieces, size=int(random.choice([0, 1, 1, 2, 3, 5, 8, 30, 60])))
        )

    def value(depth=0):
        kind = random.random()
        if depth < 4 and kind < 0.2:
            return [value(depth + 1) for _ in range(random.integers(0, 4))]
        if depth < 4 and kind < 0.4:
            return {key(): value(depth + 1) for _ in range(random.integers(0, 4))}
        if kind < 0.45:
            return [None, True, False, 0, -5, 2**70, 1.5, 1e300, 1e16, -1e-7, float("inf")][
                random.integers(0, 11)
            ]
        return str(text())

    def key():
        return str(text()) if random.random() < 0.9 else "k" * int(random.integers(1, 140))

    for _ in range(400):
        document = {key(): value() for _ in range(random.integers(0, 5))}
        written = _rust.yaml_dumps(document, True)
        assert written == yaml.safe_dump(document, default_flow_style=False)
        assert _rust.yaml_loads(written.encode()) == document
