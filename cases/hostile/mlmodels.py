"""Make the hostile model folders of ``cases/hostile/mlflow``: each breaks one rule of ``docs/formats/mlmodel.md``.

    python cases/hostile/mlmodels.py [--check]

``mlflow/expected.toml`` says with which kind of error a folder is refused, and with which words. A folder holds an
``MLmodel`` and what it names, links among them. Nothing here uses nopickle. With ``--check`` nothing is written, and
what would change is named.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import sys
from pathlib import Path

HERE = Path(__file__).parent / "mlflow"

PYFUNC = """\
  python_function:
    env:
      conda: conda.yaml
      virtualenv: python_env.yaml
    loader_module: mlflow.sklearn
    model_path: model.pkl
    predict_fn: predict
    python_version: 3.11.7
"""
SKLEARN = """\
  sklearn:
    code: null
    pickled_model: model.pkl
    serialization_format: pickle
    sklearn_version: 1.9.1
"""
GOOD = f"flavors:\n{PYFUNC}{SKLEARN}mlflow_version: 3.17.2\nmodel_size_bytes: 1\n"
CATBOOST = """\
flavors:
  catboost:
    catboost_version: 1.2.10
    code: null
    data: model.pkl
    model_type: CatBoostRegressor
    save_format: cbm
mlflow_version: 3.17.2
"""
COLUMN = '{"type": "long", "name": "a", "required": true}'


class Link(str):
    """What a link points to."""


def bomb():
    """Aliases that name ten times what the level before names."""
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    for level in range(1, 12):
        before = ", ".join([f"*a{level - 1}"] * 10)
        lines.append(f"a{level}: &a{level} [{before}]")
    return "\n".join(lines) + "\n"


def signature(inputs="null", params="null"):
    """Return an MLmodel with these texts as schemas."""
    return f"{GOOD}signature:\n  inputs: {inputs}\n  outputs: null\n  params: {params}\n"


def entry(path):
    """Return an MLmodel whose flavors name their model by this YAML scalar."""
    return GOOD.replace("model.pkl", path)


def documents():
    """Names and texts of MLmodels, beside a model.pkl."""
    yield "good", GOOD
    yield "good_unknown_keys", GOOD + "later:\n  a: [1, {b: c}]\n"
    yield "good_aliases", GOOD + "one: &id001\n- x\ntwo: *id001\n"
    # YAML that could hide something.
    yield "tag", GOOD + "metadata:\n  a: !!str 1\n"
    yield "tag_python", GOOD + "metadata: !!python/object/apply:os.system [id]\n"
    yield "tag_python_name", GOOD + "metadata:\n  a: !!python/name:os.system ''\n"
    yield "tag_local", GOOD + "metadata: !thing {}\n"
    yield "tag_on_key", GOOD + "!!str metadata: {}\n"
    yield "tag_directive", "%TAG ! tag:yaml.org,2002:python/\n---\n" + GOOD
    yield "yaml_directive", "%YAML 1.2\n---\n" + GOOD
    yield "two_documents", GOOD + "---\n" + GOOD
    yield "merge_key", GOOD + "base: &b {code: x}\nmetadata:\n  <<: *b\n"
    yield "default_value", GOOD + "metadata:\n  a: =\n"
    yield "duplicate_key", GOOD + "model_size_bytes: 2\n"
    yield "duplicate_flavor", f"flavors:\n{PYFUNC}{SKLEARN}{SKLEARN}"
    yield "duplicate_number", GOOD + "metadata:\n  1: a\n  1.0: b\n"
    yield "anchor_bomb", GOOD + bomb()
    yield "alias_of_itself", GOOD + "metadata: &a\n  b: *a\n"
    yield "alias_unknown", GOOD + "metadata: *nothing\n"
    yield "anchor_name", GOOD + "metadata: &a:b {}\n"
    yield "deep", GOOD + "metadata: " + "[" * 500 + "]" * 500 + "\n"
    yield "deep_mappings", GOOD + "metadata: " + "{a: " * 500 + "1" + "}" * 500 + "\n"
    yield "key_a_list", GOOD + "metadata:\n  ? [a]\n  : 1\n"
    yield "tab", GOOD + "metadata:\ta\n"
    yield "next_line", GOOD + "metadata: {a: 'x\x85y'}\n"
    yield "byte_order_mark", "\ufeff" + GOOD
    yield "not_yaml", GOOD + "metadata: [a\n"
    yield "block_scalar_at_end", GOOD + "metadata:\n  a: |\n    x"
    yield "long", GOOD + "metadata:\n  a: " + "x" * 70_000 + "\n"
    yield "huge_number", GOOD + "metadata:\n  a: " + "9" * 5000 + "\n"
    # An MLmodel that is none.
    yield "a_list", "- flavors\n"
    yield "empty", ""
    yield "no_flavors", "run_id: abc\n"
    yield "flavors_a_list", "flavors: [sklearn]\n"
    yield "flavor_a_text", "flavors:\n  sklearn: model.pkl\n"
    yield "key_a_number", GOOD + "1: a\n"
    yield "run_id_a_list", GOOD + "run_id: [a]\n"
    yield "size_negative", GOOD.replace("model_size_bytes: 1", "model_size_bytes: -1")
    yield "prompts_numbers", GOOD + "prompts: [1]\n"
    yield "unknown_flavors_only", "flavors:\n  onnx:\n    data: model.onnx\n  xgb: {}\n"
    # Paths.
    yield "path_parent", entry("../model.pkl")
    yield "path_parent_inside", entry("code/../../model.pkl")
    yield "path_absolute", entry("/etc/hostname")
    yield "path_backslash", entry("'..\\model.pkl'")
    yield "path_drive", entry("C:model.pkl")
    yield "path_nul", entry('"model.pkl\\0.txt"')
    yield "path_newline", entry('"model\\n.pkl"')
    yield "path_dot", entry("./model.pkl")
    yield "path_trailing_dot", entry("model.pkl.")
    yield "path_trailing_space", entry("'model.pkl '")
    yield "path_empty_part", entry("model//model.pkl")
    yield "path_empty", entry("''")
    yield "path_a_list", entry("[model.pkl]")
    yield "path_missing", entry("other.pkl")
    yield "path_through_file", entry("model.pkl/x")
    yield "path_other_case", entry("MODEL.pkl")
    yield "environment_parent", GOOD.replace("conda.yaml", "../conda.yaml")
    yield "environment_absolute", GOOD.replace("python_env.yaml", "/etc/hostname")
    yield "code_parent", GOOD.replace("code: null", "code: ../code")
    yield "code_missing", GOOD.replace("code: null", "code: code")
    yield "example_parent", GOOD + "saved_input_example_info:\n  artifact_path: ../x.json\n"
    # Flavors.
    yield "flavors_disagree", GOOD.replace("pickled_model: model.pkl", "pickled_model: MLmodel")
    yield (
        "flavors_disagree_on_code",
        GOOD.replace("code: null", "code: a").replace("    env:", "    code: b\n    env:"),
    )
    yield "pyfunc_two_paths", GOOD.replace("    predict_fn", "    data: MLmodel\n    predict_fn")
    yield "pyfunc_no_loader", GOOD.replace("    loader_module: mlflow.sklearn\n", "")
    yield "format_unknown", GOOD.replace("format: pickle", "format: dill")
    yield "catboost_class_unknown", CATBOOST.replace("CatBoostRegressor", "os.system")
    yield "catboost_class_none", CATBOOST.replace("    model_type: CatBoostRegressor\n", "")
    yield "catboost_format_unknown", CATBOOST.replace("cbm", "pickle")
    yield "no_model", GOOD.replace("    pickled_model: model.pkl\n", "")
    yield (
        "trusted_types_a_text",
        GOOD.replace("1.9.1\n", "1.9.1\n    skops_trusted_types: os.system\n"),
    )
    # Signatures.
    yield "signature_not_json", signature("'[x]'")
    yield "signature_a_mapping", signature("{}")
    yield "signature_duplicate_key", signature('\'[{"type": "long", "type": "string"}]\'')
    yield "signature_deep", signature("'" + "[" * 500 + "'")
    yield "signature_empty", signature("'[]'")
    yield "signature_unknown_type", signature('\'[{"type": "decimal"}]\'')
    yield (
        "signature_mixed",
        signature(
            f"'[{COLUMN}, " + '{"type": "tensor", "tensor-spec": {"dtype": "f8", "shape": [-1]}}]\''
        ),
    )
    yield (
        "signature_shape",
        signature('\'[{"type": "tensor", "tensor-spec": {"dtype": "f8", "shape": [-2]}}]\''),
    )
    yield (
        "signature_binary_param",
        signature("null", '\'[{"name": "p", "type": "binary", "default": "x", "shape": null}]\''),
    )


def folders():
    """Return names of folders, each with its files by path; a file that is a Link is a link."""
    found = {name: {"MLmodel": text, "model.pkl": "x"} for name, text in documents()}
    found["path_missing_payload"] = {"MLmodel": GOOD}
    found["link_out"] = {"MLmodel": GOOD, "model.pkl": Link("../good/model.pkl")}
    found["link_inside"] = {"MLmodel": GOOD, "model.pkl": Link("real.pkl"), "real.pkl": "x"}
    found["link_folder"] = {"MLmodel": entry("data/model.pkl"), "data": Link("../good")}
    found["link_mlmodel"] = {"MLmodel": Link("../good/MLmodel"), "model.pkl": "x"}
    found["link_in_code"] = {
        "MLmodel": GOOD.replace("code: null", "code: code"),
        "model.pkl": "x",
        "code/a.txt": "",
        "code/b.txt": Link("../../good/MLmodel"),
    }
    found["link_environment"] = {
        "MLmodel": GOOD,
        "model.pkl": "x",
        "conda.yaml": Link("../good/MLmodel"),
    }
    found["link_broken"] = {"MLmodel": GOOD, "model.pkl": Link("nothing")}
    found["twins"] = {"MLmodel": GOOD, "model.pkl": "x", "Model.pkl": "y"}
    composed, parts = "\u00e9.pkl", "e\u0301.pkl"
    found["twins_composed"] = {
        "MLmodel": entry(f'"{composed}"'),
        "model.pkl": "x",
        composed: "x",
        parts: "y",
    }
    found["twins_composed_and_case"] = {
        "MLmodel": entry(f'"{composed}"'),
        "model.pkl": "x",
        composed: "x",
        "E\u0301.pkl": "y",
    }
    found["twins_composed_in_code"] = {
        "MLmodel": GOOD.replace("code: null", "code: code"),
        "model.pkl": "x",
        f"code/{composed}": "",
        f"code/{parts}": "",
    }
    found["twins_in_code"] = {
        "MLmodel": GOOD.replace("code: null", "code: code"),
        "model.pkl": "x",
        "code/a/os.py": "",
        "code/A/os.py": "",
    }
    found["twins_mlmodel"] = {"MLmodel": GOOD, "mlmodel": GOOD, "model.pkl": "x"}
    return found


def expected():
    """Names in ``mlflow/expected.toml``."""
    path = HERE / "expected.toml"
    return (
        set(re.findall(r'^"([^"]+)" = ', path.read_text(), re.MULTILINE))
        if path.exists()
        else set()
    )


def stands(folder, files):
    """Whether a folder holds these files and no others."""
    there = {
        str(path.relative_to(folder)): path
        for path in folder.rglob("*")
        if path.is_symlink() or path.is_file()
    }
    return there.keys() == files.keys() and all(
        (Link(os.readlink(path)) if path.is_symlink() else path.read_bytes())
        == (files[name] if isinstance(files[name], Link) else files[name].encode())
        for name, path in there.items()
    )


def main(given=None):
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument(
        "--check", action="store_true", help="write nothing; name what would change"
    )
    options = parser.parse_args(given)
    made = folders()
    status = 0
    for name, files in sorted(made.items()):
        folder = HERE / name
        if stands(folder, files):
            continue
        if options.check:
            print(f"would change: {name}")
            status = 1
            continue
        shutil.rmtree(folder, ignore_errors=True)
        for path, content in files.items():
            file = folder / path
            file.parent.mkdir(parents=True, exist_ok=True)
            if isinstance(content, Link):
                file.symlink_to(content)
            else:
                file.write_bytes(content.encode())
    on_disk = {path.name for path in HERE.iterdir() if path.is_dir()}
    for words, names in (
        ("not made here", on_disk - made.keys()),
        ("not in expected.toml", made.keys() - expected()),
        ("in expected.toml, and not made", expected() - made.keys()),
    ):
        for name in sorted(names):
            print(f"{words}: {name}")
            status = 1
    print(f"{len(made)} folders")
    return status


if __name__ == "__main__":
    sys.exit(main())
