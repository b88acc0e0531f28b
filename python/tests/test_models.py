"""``nopickle.models``: model folders that MLflow wrote, signatures, inputs that fit them or are refused."""

from __future__ import annotations

import json
import os
import pickle
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from nopickle import _rust
from nopickle.exceptions import (
    InvalidInputError,
    LimitExceededError,
    MalformedModelError,
    MlflowException,
    NopickleError,
    UnsupportedModelError,
    UnsupportedTypeError,
)
from nopickle.models import (
    Model,
    ModelSignature,
    get_model_info,
    infer_signature,
    set_signature,
    validate_schema,
)
from nopickle.models._enforce import enforce_params, enforce_schema
from nopickle.types import ColSpec, DataType, ParamSchema, ParamSpec, Schema, TensorSpec
from nopickle.types.schema import AnyType, Array, Map, Object, Property

MODELS = Path(__file__).parents[2] / "cases" / "models"
FOLDERS = sorted(path / "model" for path in MODELS.glob("mlflow_*"))
FLAVORS = (
    "flavors:\n  python_function:\n    loader_module: mlflow.sklearn\n    model_path: model.pkl\n"
)


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "MLmodel").write_text(FLAVORS)
    (tmp_path / "model.pkl").write_bytes(b"x")
    return tmp_path


def test_there_are_folders_of_both_versions():
    assert {path.parent.name.split("_")[1] for path in FOLDERS} == {"2.22.0", "3.17.2"}


@pytest.mark.parametrize("path", FOLDERS, ids=lambda path: path.parent.name)
def test_a_folder_of_mlflow_is_read_and_written_again(path, tmp_path):
    text = (path / "MLmodel").read_text()
    document = _rust.mlmodel_read(path)
    assert _rust.mlmodel_dumps(document) == text
    _rust.mlmodel_write(tmp_path, document)
    assert (tmp_path / "MLmodel").read_text() == text
    for flavor in document["flavors"]:
        payload = _rust.mlmodel_payload(path, flavor)
        assert (path / payload["entry"]).is_file()
        case = (path.parent / "case.toml").read_text()
        assert f'serialization_format = "{payload["format"]}"' in case
        assert payload["code"] == ("code" if "_code_" in path.parent.name else None)
        assert _rust.folder_open(path, payload["entry"]) > 2


@pytest.mark.parametrize("path", FOLDERS, ids=lambda path: path.parent.name)
def test_the_environment_is_laid_out_as_mlflow_does(path, tmp_path):
    requirements = _rust.requirements_loads((path / "requirements.txt").read_text())
    lines = (path / "python_env.yaml").read_text().splitlines()
    versions = [lines[0].removeprefix("python: ")]
    for tool in ("pip", "setuptools", "wheel"):
        (line,) = [line for line in lines if line.startswith(f"- {tool}")]
        versions.append(line.partition("==")[2] or None)
    _rust.environment_write(tmp_path, requirements, *versions)
    for name in ("requirements.txt", "conda.yaml", "python_env.yaml"):
        assert (tmp_path / name).read_text() == (path / name).read_text()


def test_unknown_keys_are_kept(folder):
    (folder / "MLmodel").write_text(FLAVORS + "later: {a: [1, 2]}\nload: 1\n_private: 2\n")
    model = Model.load(folder)
    assert model.later == {"a": [1, 2]}
    assert callable(model.load)
    model.save(folder / "MLmodel")
    found = _rust.mlmodel_read(folder)
    assert (found["later"], found["load"], found["_private"]) == ({"a": [1, 2]}, 1, 2)


def test_a_model_says_what_it_was_given():
    signature = infer_signature(np.ones((2, 3)), np.ones(2))
    model = Model(metadata={"a": [1.5, None, True]}, signature=signature, env_vars=["X"])
    model.add_flavor("python_function", loader_module="mlflow.sklearn", model_path="model.pkl")
    again = Model.from_dict(_rust.mlmodel_loads(model.to_yaml().encode()))
    assert again == model
    assert again.signature == signature
    assert "run_id" not in model.to_dict()
    assert model.to_dict()["model_id"] is None
    info = model.get_model_info()
    assert info.metadata == {"a": [1.5, None, True]}
    assert info.flavors["python_function"]["model_path"] == "model.pkl"
    with pytest.raises(TypeError, match="env_vars is a list of str"):
        model.env_vars = ["x", 1]
    model.signature = False
    assert model.signature == signature


@pytest.mark.parametrize(
    "value", [{1, 2}, b"x", object(), 1j], ids=lambda value: type(value).__name__
)
def test_what_yaml_cannot_hold_is_named(folder, value):
    before = (folder / "MLmodel").read_text()
    model = Model.load(folder)
    model.metadata = {"deep": [{"key": value}]}
    with pytest.raises(UnsupportedTypeError, match=r"metadata\.deep\[0\]\.key: an MLmodel holds"):
        model.save(folder / "MLmodel")
    assert (folder / "MLmodel").read_text() == before
    assert sorted(os.listdir(folder)) == ["MLmodel", "model.pkl"]


def test_paths_and_file_uris_name_a_folder(folder, monkeypatch):
    monkeypatch.chdir(folder.parent)
    for uri in (
        str(folder),
        folder,
        f"{folder}/",
        f"{folder}/MLmodel",
        folder.name,
        folder.as_uri(),
        f"file:{folder}",
    ):
        assert "python_function" in Model.load(uri).flavors
    assert get_model_info(str(folder)).flavors
    for wrong in (folder / "missing", "file://elsewhere/model"):
        with pytest.raises(MlflowException, match=r"missing|elsewhere"):
            Model.load(wrong)
    with pytest.raises(MlflowException) as caught:
        Model.load(folder / "missing")
    assert caught.value.error_code == "RESOURCE_DOES_NOT_EXIST"


def test_a_signature_is_set(folder):
    signature = infer_signature({"a": np.ones(2)}, params={"n": 1})
    set_signature(str(folder), signature)
    assert Model.load(folder).signature == signature
    assert get_model_info(str(folder)).signature.params.params[0].default == 1
    with pytest.raises(MlflowException, match="a version of a registered model is not changed"):
        set_signature("models:/name/1", signature)
    with pytest.raises(TypeError):
        set_signature(str(folder), None)


def test_a_model_that_was_logged_is_read_and_changed_by_its_uri(folder, tmp_path):
    import nopickle

    info = {"artifact_path": "below/example.json", "type": "json_object"}
    (folder / "below").mkdir()
    (folder / "below" / "example.json").write_text("[1.5]")
    model = Model.load(folder)
    model.saved_input_example_info = info
    model.save(folder / "MLmodel")
    store = tmp_path / "store"
    store.mkdir()
    nopickle.set_tracking_uri(f"sqlite:///{store}/nopickle.db")
    try:
        with nopickle.start_run() as run:
            nopickle.log_artifacts(str(folder), "model")
        uri = f"runs:/{run.info.run_id}/model"
        assert Model.load(uri) == Model.load(f"{uri}/MLmodel") == Model.load(folder)
        assert Model.load(uri).load_input_example(uri) == [1.5]
        signature = infer_signature(np.ones((2, 3)))
        set_signature(uri, signature)
        assert get_model_info(uri).signature == signature
        assert Model.load(folder).signature is None
        model.saved_input_example_info = info | {"artifact_path": "../MLmodel"}
        with pytest.raises(MalformedModelError, match="a path leaves its folder"):
            model.load_input_example(uri)
        with pytest.raises(MlflowException):
            Model.load("runs:/0123456789abcdef0123456789abcdef/model")
    finally:
        nopickle.set_tracking_uri("")


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("../x", "a path leaves its folder"),
        ("/etc/passwd", "a path is absolute"),
        ("a\\b", "a path holds a backslash"),
        ("C:x", "a path starts with a drive letter"),
        ("a\0b", "a path holds a NUL"),
        ("a/./b", "a path has a part that is a dot"),
        ("a//b", "a path has an empty part"),
        ("a.", "a part of a path ends with a dot or a space"),
        ("link", "a link stands in the folder"),
        ("linked/file", "a link stands in the folder"),
        ("pipe", "an entry is neither a file nor a folder"),
        ("below", "a folder stands where a file belongs"),
        ("model.pkl/x", "a file stands where a folder belongs"),
        ("Twin", "two names differ only in case"),
        ("", "a path is empty"),
    ],
)
def test_a_path_that_leaves_the_folder_is_refused(folder, name, words):
    (folder / "link").symlink_to("/etc/hostname")
    (folder / "linked").symlink_to(folder.parent)
    (folder / "below").mkdir()
    (folder / "Twin").write_text("1")
    (folder / "twin").write_text("2")
    os.mkfifo(folder / "pipe")
    for function in (_rust.folder_open, _rust.folder_read):
        with pytest.raises(MalformedModelError, match=words):
            function(folder, name)


def test_files_are_listed_beneath_the_folder(folder):
    (folder / "code" / "below").mkdir(parents=True)
    (folder / "code" / "below" / "a.py").write_text("12")
    assert _rust.folder_files(folder, "") == [
        ("MLmodel", len(FLAVORS)),
        ("code/below/a.py", 2),
        ("model.pkl", 1),
    ]
    assert _rust.folder_files(folder, "code") == [("code/below/a.py", 2)]
    (folder / "code" / "out").symlink_to("/")
    with pytest.raises(MalformedModelError, match="a link stands in the folder"):
        _rust.folder_files(folder, "code")
    with pytest.raises(FileNotFoundError):
        _rust.folder_files(folder, "nothing")
    with pytest.raises(FileNotFoundError):
        _rust.folder_open(folder, "nothing")


@pytest.mark.parametrize(
    "text", ["-r x", "--index-url x", "a @ https://x", "git+ssh://x", "./a", "a; x && y", "a`b`"]
)
def test_requirements_hold_names_and_versions_only(tmp_path, text):
    with pytest.raises(UnsupportedModelError, match="in a requirements file"):
        _rust.requirements_loads(f"numpy==1\n{text}\n")
    with pytest.raises(UnsupportedModelError, match="in a requirements file"):
        _rust.environment_write(tmp_path, [text], "3.11.1", None, None, None)
    assert not os.listdir(tmp_path)


# --- schemas ----------------------------------------------------------------------------------------------------------


def test_types_have_one_json():
    schema = Schema(
        [
            ColSpec("long", "a", required=False),
            ColSpec(Array(Object([Property("k", "string"), Property("b", Map(AnyType()))])), "b"),
        ]
    )
    text = schema.to_json()
    assert Schema.from_json(text) == schema
    assert json.loads(text)[0] == {"type": "long", "name": "a", "required": False}
    tensor = Schema([TensorSpec(np.dtype("float32"), (-1, 2))])
    assert Schema.from_json(tensor.to_json()) == tensor
    assert schema != tensor


@pytest.mark.parametrize(
    "make",
    [
        lambda: Schema([]),
        lambda: Schema([ColSpec("long", "a"), ColSpec("long")]),
        lambda: Schema([ColSpec("long", required=False)]),
        lambda: Schema([ColSpec("long"), TensorSpec(np.dtype(int), (-1,))]),
        lambda: Schema([TensorSpec(np.dtype(int), (-1,))] * 2),
        lambda: ColSpec("decimal"),
        lambda: Object([]),
        lambda: Object([Property("a", "long")] * 2),
        lambda: Array("nothing"),
        lambda: ParamSpec("p", "binary", b"x"),
        lambda: ParamSpec("p", "long", "x"),
        lambda: ParamSpec("p", "long", 1, (-1,)),
        lambda: ParamSchema([ParamSpec("p", "long", 1)] * 2),
        lambda: Schema.from_json("[1]"),
        lambda: Schema.from_json('[{"type": "array"}]'),
        lambda: ParamSchema.from_json('[{"name": "p"}]'),
    ],
)
def test_a_schema_that_cannot_be_is_refused(make):
    with pytest.raises(MlflowException):
        make()


def test_a_signature_has_one_schema_at_least():
    with pytest.raises(ValueError, match="a signature has inputs, outputs or params"):
        ModelSignature()
    with pytest.raises(TypeError, match="inputs is a Schema"):
        ModelSignature(inputs=[1])


def test_data_without_a_schema_takes_anything(caplog):
    signature = infer_signature([1, "x"])
    assert signature.inputs == Schema([ColSpec(AnyType())])
    assert "two types" in caplog.text


def table(**columns):
    return Schema([ColSpec(kind, name) for name, kind in columns.items()])


@pytest.mark.parametrize("library", ["pandas", "polars", "pyarrow"])
def test_tables_fit_their_own_schema(library):
    pandas = pytest.importorskip("pandas")
    maker = pytest.importorskip(library)
    columns = {"a": [1.5, 2.5], "b": [1, 2], "c": ["x", "y"], "d": [True, False]}
    data = maker.table(columns) if library == "pyarrow" else maker.DataFrame(columns)
    with pytest.warns(UserWarning, match="integer columns"):
        signature = infer_signature(data)
    assert signature.inputs == table(a="double", b="long", c="string", d="boolean")
    found = enforce_schema(data, signature.inputs)
    assert isinstance(found, pandas.DataFrame)
    assert {name: list(found[name]) for name in found} == columns
    assert list(enforce_schema(data, table(d="boolean", a="double")).columns) == ["d", "a"]
    with pytest.raises(InvalidInputError, match="these inputs are missing: 'e'"):
        enforce_schema(data, table(a="double", e="double"))
    with pytest.raises(InvalidInputError, match=r"column 'a': expected long \(int64\), found"):
        enforce_schema(data, table(a="long"))


@pytest.mark.parametrize("library", ["polars", "pyarrow"])
def test_columns_of_other_libraries_have_types(library):
    maker = pytest.importorskip(library)
    import datetime as dt

    columns = {
        "list": [[1.5], [2.5]],
        "record": [{"k": "x"}, {"k": "y"}],
        "time": [dt.datetime(2020, 1, 1), dt.datetime(2020, 1, 2)],
        "bytes": [b"x", b"y"],
        "hole": [1.5, None],
        "nothing": [None, None],
    }
    data = maker.table(columns) if library == "pyarrow" else maker.DataFrame(columns)
    assert infer_signature(data).inputs == Schema(
        [
            ColSpec(Array("double"), "list"),
            ColSpec(Object([Property("k", "string")]), "record"),
            ColSpec("datetime", "time"),
            ColSpec("binary", "bytes"),
            ColSpec("double", "hole", required=False),
            ColSpec(AnyType(), "nothing", required=False),
        ]
    )


def test_missing_integers_get_a_hint():
    pandas = pytest.importorskip("pandas")
    data = pandas.DataFrame({"a": [1.0, None]})
    with pytest.raises(InvalidInputError, match="looks like integers with missing values"):
        enforce_schema(data, table(a="long"))


def test_what_the_signature_does_not_name_is_dropped(caplog):
    pandas = pytest.importorskip("pandas")
    data = pandas.DataFrame({"b": [1], "a": [1.5], "c": ["x"]})
    assert list(enforce_schema(data, table(a="double")).columns) == ["a"]
    assert "not in the signature and are dropped: 'b', 'c'" in caplog.text


@pytest.mark.parametrize(
    ("data", "shape", "words"),
    [
        (np.ones((2, 3)), (-1, 4), r"expected shape \(-1, 4\), found \(2, 3\)"),
        (np.ones(2), (-1, 2), r"expected shape \(-1, 2\), found \(2,\)"),
        (np.ones((2, 2), "float32"), (-1, 2), "expected dtype float64, found float32"),
        ([[1.0, 2.0]], (-1, 2), "expected an array of numpy, found list"),
    ],
)
def test_a_tensor_has_the_dtype_and_shape_of_the_signature(data, shape, words):
    schema = Schema([TensorSpec(np.dtype("float64"), shape)])
    with pytest.raises(InvalidInputError, match=words):
        enforce_schema(data, schema)
    with pytest.raises(InvalidInputError):
        validate_schema(data, schema)


def test_parameters_have_defaults_and_types(caplog):
    schema = infer_signature(params={"n": 1, "x": 1.5, "names": ["a"]}).params
    assert enforce_params(None, schema) == {"n": 1, "x": 1.5, "names": ["a"]}
    assert enforce_params({"x": 2, "other": 1}, schema) == {"x": 2.0, "n": 1, "names": ["a"]}
    assert "are dropped: other" in caplog.text
    with pytest.raises(InvalidInputError, match=r"parameter 'n': expected long, found float: 1.5"):
        enforce_params({"n": 1.5, "names": "a"}, schema)
    with pytest.raises(InvalidInputError, match="params is a dict"):
        enforce_params([1], schema)
    assert enforce_params({"a": 1}, None) == {}


def test_exceptions_are_pickled():
    for error in (InvalidInputError("x"), MlflowException("y", "RESOURCE_DOES_NOT_EXIST")):
        again = pickle.loads(pickle.dumps(error))
        assert (type(again), again.message, again.error_code) == (
            type(error),
            error.message,
            error.error_code,
        )
        assert isinstance(again, NopickleError)


WITHOUT_PANDAS = """
import sys
for name in ("pandas", "polars", "pyarrow", "scipy"):
    sys.modules[name] = None
import importlib.util
find = importlib.util.find_spec
importlib.util.find_spec = lambda name, package=None: None if name == "pandas" else find(name, package)
import numpy as np
from nopickle.exceptions import InvalidInputError
from nopickle.models import Model, infer_signature
from nopickle.models._enforce import enforce_schema
from nopickle.models._example import _save_example
from nopickle.types import ColSpec, Schema
folder = sys.argv[1]
signature = infer_signature(np.ones((2, 3)), np.ones(2), params={"n": [1]})
assert enforce_schema(np.ones((5, 3)), signature.inputs).shape == (5, 3)
two = Schema([ColSpec("double"), ColSpec("double")])
found = enforce_schema(np.array([[1, 2, 3]], "int32"), two)
assert found.tolist() == [[1.0, 2.0]] and found.dtype == np.float64
for wrong in (np.ones((2, 1)), np.array([["x", "y"]])):
    try:
        enforce_schema(wrong, two)
    except InvalidInputError:
        pass
    else:
        raise AssertionError(wrong)
try:
    enforce_schema({"a": [1]}, Schema([ColSpec("long", "a")]))
except InvalidInputError as error:
    assert "pip install pandas" in str(error)
model = Model(signature=signature, saved_input_example_info=_save_example(np.ones((1, 3)), folder))
model.add_flavor("python_function", loader_module="mlflow.sklearn").save(folder + "/MLmodel")
assert Model.load(folder).load_input_example(folder).tolist() == [[1.0, 1.0, 1.0]]
assert not {"mlflow", "yaml", "pydantic"} & set(sys.modules)
print("done")
"""


def test_numpy_users_need_no_pandas(tmp_path):
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT_PANDAS, str(tmp_path)],
        capture_output=True,
        text=True,
        check=False,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
    )
    assert done.stdout == "done\n", done.stderr


def test_types_are_named_as_numpy_and_python_name_them():
    assert DataType.long.to_numpy() == np.int64
    assert DataType.string.to_pandas() == np.dtype(object)
    assert DataType.from_numpy_type(np.dtype("float32")) is DataType.float
    assert DataType.check_type(DataType.long, np.int64(1))
    assert not DataType.check_type(DataType.long, 1.5)


# --- hostile folders --------------------------------------------------------------------------------------------------

HOSTILE = Path(__file__).parents[2] / "cases" / "hostile" / "mlflow"
LINE = re.compile(r'"([^"]+)" = \{ kind = "(\w+)"(?:, says = "([^"]*)")?(?:, with = "([^"]*)")? \}')
KINDS = {
    "malformed": MalformedModelError,
    "unsupported": UnsupportedModelError,
    "limit": LimitExceededError,
}


def hostile():
    for line in (HOSTILE / "expected.toml").read_text().splitlines():
        if not line.startswith("#"):
            name, kind, says, condition = LINE.fullmatch(line).groups()
            yield pytest.param(name, "loads" if condition else kind, says or "", id=name)


@pytest.mark.parametrize(("name", "kind", "says"), list(hostile()))
def test_a_hostile_folder_is_refused_in_its_own_words(name, kind, says):
    path = HOSTILE / name

    def load():
        flavors = _rust.mlmodel_read(path)["flavors"]
        known = ("sklearn", "catboost", "python_function")
        named = (flavor for flavor in known if flavor in flavors)
        _rust.mlmodel_payload(path, next(named, "sklearn"))
        Model.load(path)

    if kind == "loads":
        load()
        return
    with pytest.raises(KINDS[kind], match=re.escape(says)):
        load()
