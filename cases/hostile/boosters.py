"""Make the hostile model texts of ``cases/hostile/lightgbm``: each breaks one rule of ``docs/formats/lightgbm.md``.

    python cases/hostile/boosters.py [--check]

The texts are cut from those that LightGBM 4.7.0 wrote (``cases/boosters``), two trees of each; nothing here uses
nopickle or LightGBM. ``lightgbm/expected.toml``, which is written by hand, says how each is refused. With ``--check``
nothing is written, and a text that would change is named.
"""

from __future__ import annotations

import argparse
import re
import sys
from pathlib import Path

HERE = Path(__file__).parent
FOLDER = HERE / "lightgbm"
BOOSTERS = HERE.parent / "boosters"
FILES: dict[str, bytes] = {}


class Text:
    """A model text in parts: header, trees, what is behind them."""

    def __init__(self, name: str, trees: int) -> None:
        text = (BOOSTERS / f"lightgbm_4.7.0_{name}.lgb").read_text()
        header, *rest = text.split("Tree=")
        last, tail = rest[-1].split("end of trees")
        self.header = header
        self.trees = ["Tree=" + tree for tree in [*rest[:-1], last][:trees]]
        self.tail = re.sub(r"(?s)(\[objective: .*?\n).*?(\nend of parameters)", r"\1\2", tail)

    def bytes(self) -> bytes:
        """The text, with the sizes of its trees counted again."""
        sizes = " ".join(str(len(tree)) for tree in self.trees)
        header = re.sub(r"tree_sizes=.*", f"tree_sizes={sizes}", self.header)
        return (header + "".join(self.trees) + "end of trees" + self.tail).encode()


def replaced(text: str, before: str, after: str) -> str:
    """The text with one change, which must be one."""
    changed = re.sub(before, after, text, count=1)
    assert changed != text, (before, after)
    return changed


def header(name: str, before: str, after: str, of: str = "binary") -> None:
    """Change the header."""
    text = Text(of, 3 if of == "multi" else 2)
    text.header = replaced(text.header, before, after)
    FILES[name] = text.bytes()


def tree(name: str, before: str, after: str, of: str = "binary") -> None:
    """Change the first tree; the sizes of the trees are true."""
    text = Text(of, 3 if of == "multi" else 2)
    text.trees[0] = replaced(text.trees[0], before, after)
    FILES[name] = text.bytes()


def tail(name: str, before: str, after: str, of: str = "binary") -> None:
    """Change what is behind the trees."""
    text = Text(of, 2)
    text.tail = replaced(text.tail, before, after)
    FILES[name] = text.bytes()


def anywhere(name: str, before: bytes, after: bytes, of: str = "binary") -> None:
    """Change the bytes, and nothing else."""
    data = Text(of, 2).bytes()
    assert before in data, before
    FILES[name] = data.replace(before, after, 1)


def good_texts() -> None:
    for name in ("binary", "cat", "linear", "rf", "rank", "const"):
        FILES[f"good_{name}"] = Text(name, 2).bytes()
    FILES["good_multi"] = Text("multi", 3).bytes()
    FILES["good_no_trees"] = Text("multi", 0).bytes().replace(b"Column_3=8\n", b"")


def headers() -> None:
    header("first_line", "tree\n", "forest\n")
    for line in (
        *("version", "num_class", "num_tree_per_iteration", "label_index", "max_feature_idx"),
        *("feature_names", "feature_infos", "tree_sizes"),
    ):
        header(f"no_{line}", rf"\n{line}=.*\n", "\n")
    header("version_5", "version=v4", "version=v5")
    header("version_twice", "version=v4", "version=v4\nversion=v4")
    header("unknown_line", r"\nfeature_infos", r"\nfeature_weights=1 1 1 1\nfeature_infos")
    header("number_goes_on", "label_index=0", "label_index=0 1")
    header("number_leading_zero", "label_index=0", "label_index=00")
    header("number_plus", "label_index=0", "label_index=+0")
    header("number_33_bits", "label_index=0", "label_index=4294967296")
    header("number_20_digits", "label_index=0", "label_index=18446744073709551616")
    header(
        "classes_0",
        r"num_class=1\nnum_tree_per_iteration=1",
        "num_class=0\nnum_tree_per_iteration=0",
    )
    header(
        "classes_negative",
        r"num_class=1\nnum_tree_per_iteration=1",
        "num_class=-1\nnum_tree_per_iteration=-1",
    )
    header("trees_of_an_iteration_0", "per_iteration=1", "per_iteration=0")
    header("trees_of_an_iteration_2", "per_iteration=1", "per_iteration=2")
    header(
        "classes_many",
        r"num_class=3\nnum_tree_per_iteration=3",
        "num_class=65537\nnum_tree_per_iteration=65537",
        of="multi",
    )
    header("feature_none", "max_feature_idx=3", "max_feature_idx=-1")
    header("feature_negative", "max_feature_idx=3", "max_feature_idx=-2147483648")
    header("feature_most", "max_feature_idx=3", "max_feature_idx=2147483647")
    header(
        "features_times_classes",
        r"(?s)num_class=3\nnum_tree_per_iteration=3(.*)idx=3",
        r"num_class=9999\nnum_tree_per_iteration=9999\1idx=999999",
        of="multi",
    )
    header("objective_unknown", "objective=binary", "objective=own")
    header("objective_without_sigmoid", "binary sigmoid:1", "binary")
    header("objective_sigmoid_0", "sigmoid:1", "sigmoid:0")
    header("objective_sigmoid_nan", "sigmoid:1", "sigmoid:nan")
    header("objective_sigmoid_text", "sigmoid:1", "sigmoid:x")
    header("objective_more_words", "sigmoid:1", "sigmoid:1 num_class:99")
    header("objective_other_classes", "num_class:3", "num_class:4", of="multi")
    header("objective_of_one_score", "objective=.*", "objective=regression", of="multi")
    header("names_fewer", "Column_0 ", "")
    header("names_more", "Column_0 ", "Column_0 Column_ ")
    header("names_double_space", "Column_0 ", "Column_0  ")
    header("monotone_2", r"monotone_constraints=1", "monotone_constraints=2", of="cat")
    header("monotone_fewer", r"monotone_constraints=1 ", "monotone_constraints=", of="cat")
    header("infos_fewer", r"feature_infos=\S+ ", "feature_infos=")
    header("info_one_number", r"feature_infos=\[[^:]*:", "feature_infos=[")
    header("info_open", r"feature_infos=\S+\]", "feature_infos=[1:2")
    header("info_text", r"feature_infos=\S+", "feature_infos=x")
    header("info_category_text", r"(feature_infos=\S+ \S+ \S+ -1:)", r"\1x:", of="cat")
    header("no_empty_line", r"\n\n$", "\n")


def sizes() -> None:
    for name, at, by in (
        ("size_short", 0, -1),
        ("size_long", 0, 1),
        ("size_huge", 1, 1 << 40),
    ):
        data = Text("binary", 2).bytes().decode()
        found = re.search(r"tree_sizes=(\d+) (\d+)", data)
        assert found
        numbers = [int(found[1]), int(found[2])]
        numbers[at] += by
        FILES[name] = data.replace(found[0], f"tree_sizes={numbers[0]} {numbers[1]}").encode()
    data = Text("binary", 2).bytes().decode()
    FILES["sizes_text"] = re.sub(r"(tree_sizes=.*)", r"\1x", data).encode()
    FILES["size_negative"] = re.sub(r"tree_sizes=\d+", "tree_sizes=-1", data).encode()
    FILES["sizes_more"] = re.sub(r"(tree_sizes=.*)", r"\1 9", data).encode()
    FILES["sizes_fewer"] = re.sub(r"(tree_sizes=\d+) \d+", r"\1", data).encode()
    text = Text("multi", 3)
    text.trees.pop()
    FILES["trees_of_two_classes"] = text.bytes()


def trees() -> None:
    lists = (
        *("split_feature", "split_gain", "threshold", "decision_type", "left_child", "right_child"),
        *("leaf_value", "leaf_weight", "leaf_count"),
        *("internal_value", "internal_weight", "internal_count"),
    )
    for line in ("num_leaves", "num_cat", *lists, "is_linear", "shrinkage"):
        if line not in ("leaf_weight", "internal_weight", "is_linear"):
            tree(f"no_{line}", rf"\n{line}=.*\n", "\n")
    for line in lists:
        tree(f"{line}_fewer", rf"\n{line}=\S+ ", f"\n{line}=")
        tree(f"{line}_more", rf"\n{line}=", f"\n{line}=1 ")
        tree(f"{line}_text", rf"\n{line}=\S+", f"\n{line}=x")
    tree("tree_number", "Tree=0", "Tree=1")
    tree("tree_without_number", "Tree=0", "Tree=")
    tree("leaves_0", r"num_leaves=\d+", "num_leaves=0")
    tree("leaves_negative", r"num_leaves=\d+", "num_leaves=-1")
    tree("leaves_huge", r"num_leaves=\d+", "num_leaves=2147483647")
    tree("leaves_over_32_bits", r"num_leaves=\d+", "num_leaves=4294967295")
    tree("leaves_fewer", r"num_leaves=\d+", "num_leaves=2")
    tree("feature_past_end", r"split_feature=\d+", "split_feature=4")
    tree("feature_minus", r"split_feature=\d+", "split_feature=-1")
    tree("child_past_end", r"left_child=\S+", "left_child=5")
    tree("child_far_past_end", r"right_child=\S+", "right_child=2147483647")
    tree("child_is_its_parent", r"left_child=\S+", "left_child=0")
    tree("child_before_its_parent", r"(left_child=\S+ )\S+", r"\g<1>0")
    tree("child_of_two_parents", r"(left_child=(\S+) \S+ )\S+", r"\1\2")
    tree("child_of_two_parents_before_it", r"(left_child=\S+ )\S+", r"\g<1>2")
    tree("leaf_past_end", r"left_child=(\S+ \S+) \S+", r"left_child=\1 -7")
    tree("leaf_far_past_end", r"right_child=(\S+ \S+ \S+ \S+) \S+", r"right_child=\1 -2147483648")
    tree("leaf_of_two_parents", r"(left_child=\S+ \S+ \S+ \S+) \S+", r"\1 -1")
    tree("missing_type_3", r"decision_type=\d+", "decision_type=14")
    tree("decision_type_negative", r"decision_type=\d+", "decision_type=-128")
    tree("decision_type_256", r"decision_type=\d+", "decision_type=258")
    tree("categorical_without_bitsets", r"decision_type=\d+", "decision_type=1")
    tree("categorical_number_past_end", r"threshold=\d+ ", "threshold=9 ", of="cat")
    tree("categorical_number_negative", r"threshold=\d+ ", "threshold=-1 ", of="cat")
    tree("categorical_number_fraction", r"threshold=\d+ ", "threshold=0.5 ", of="cat")
    tree("categorical_number_nan", r"threshold=\d+ ", "threshold=nan ", of="cat")
    tree("no_cat_boundaries", r"\ncat_boundaries=.*\n", "\n", of="cat")
    tree("no_cat_threshold", r"\ncat_threshold=.*\n", "\n", of="cat")
    tree("cat_boundaries_fewer", r"cat_boundaries=\d+ ", "cat_boundaries=", of="cat")
    tree("cat_boundaries_from_1", r"cat_boundaries=0", "cat_boundaries=1", of="cat")
    tree("cat_boundaries_fall", r"cat_boundaries=0 \d+", "cat_boundaries=0 -1", of="cat")
    tree("cat_boundaries_past_end", r"(cat_boundaries=.*) \d+\n", r"\1 99\n", of="cat")
    tree("cat_boundaries_before_end", r"(cat_boundaries=.*) \d+\n", r"\1 2\n", of="cat")
    tree("cat_threshold_over_32_bits", r"cat_threshold=\d+", "cat_threshold=4294967296", of="cat")
    tree("bitsets_huge", r"num_cat=\d+", "num_cat=4294967295", of="cat")
    tree("is_linear_2", "is_linear=0", "is_linear=2")
    tree("is_linear_without_leaves", "is_linear=0", "is_linear=1")
    for line in ("leaf_const", "num_features", "leaf_features", "leaf_coeff"):
        text = Text("linear", 2)
        text.trees[1] = replaced(text.trees[1], rf"\n{line}=.*\n", "\n")
        FILES[f"no_{line}"] = text.bytes()
    for name, before, after in (
        ("linear_counts_more", r"num_features=\d+", "num_features=99"),
        ("linear_counts_negative", r"num_features=\d+", "num_features=-2"),
        ("linear_counts_fewer", r"num_features=\d+", "num_features=1"),
        ("linear_feature_past_end", r"leaf_features=\d+", "leaf_features=4"),
        ("linear_feature_negative", r"leaf_features=\d+", "leaf_features=-1"),
        ("linear_coefficient_missing", r"leaf_coeff=\S+ ", "leaf_coeff="),
        ("linear_coefficient_more", r"leaf_coeff=", "leaf_coeff=1 "),
        ("linear_coefficient_small", r"leaf_coeff=\S+", "leaf_coeff=5e-324"),
        ("linear_coefficient_large", r"leaf_coeff=\S+", "leaf_coeff=1e309"),
        ("linear_constant_small", r"leaf_const=\S+", "leaf_const=-1e-320"),
    ):
        text = Text("linear", 2)
        text.trees[1] = replaced(text.trees[1], before, after)
        FILES[name] = text.bytes()
    tree(
        "linear_leaf_without_weight",
        r"is_linear=0",
        "is_linear=1\nleaf_const=1\nnum_features=0\nleaf_features= \nleaf_coeff= ",
        of="const",
    )
    tree("number_long", r"leaf_value=\S+", "leaf_value=" + "1" * 40)
    tree("number_hexadecimal", r"leaf_value=\S+", "leaf_value=0x1p3")
    tree("number_without_digits", r"leaf_value=\S+", "leaf_value=1e")
    tree("shrinkage_text", "shrinkage=1", "shrinkage=x")
    tree("one_empty_line", r"\n\n\n", "\n\n")
    tree("line_without_equals", r"num_cat=0", "num_cat")
    tree("unknown_line_in_a_tree", r"\nis_linear", "\nleaf_parent=0 0\nis_linear")
    deep()


def deep() -> None:
    """A tree of one branch: each level is one call of SHAP values."""
    levels = 4098
    text = Text("const", 1)
    ones = " ".join(["1"] * levels)
    for line, value in (
        ("num_leaves", str(levels + 1)),
        *(
            (line, " ".join(["0"] * levels))
            for line in ("split_feature", "split_gain", "threshold")
        ),
        ("decision_type", " ".join(["2"] * levels)),
        ("left_child", " ".join(str(-1 - at) for at in range(levels))),
        ("right_child", " ".join(str(at) for at in [*range(1, levels), -1 - levels])),
        *((line, ones + " 1") for line in ("leaf_value", "leaf_weight", "leaf_count")),
        *((line, ones) for line in ("internal_value", "internal_weight", "internal_count")),
    ):
        text.trees[0] = replaced(text.trees[0], rf"\n{line}=.*\n", f"\n{line}={value}\n")
    FILES["tree_deep"] = text.bytes()


def tails() -> None:
    anywhere("no_end_of_trees", b"end of trees\n", b"")
    tail("no_importances", r"feature_importances:\n", "")
    tail("importance_of_another_feature", "Column_0=", "Column_9=")
    tail("importance_text", r"Column_0=\d+", "Column_0=many")
    text = Text("multi", 0)
    text.header = text.header.replace("Column_0", "num_class")
    text.tail = re.sub(
        r"(?s)feature_importances:\n.*?\n\n", "feature_importances:\nnum_class=9\n\n", text.tail
    )
    FILES["importance_as_a_header_line"] = text.bytes()
    tail("no_end_of_parameters", r"\nend of parameters", "")
    tail("parameter_without_colon", r"\[boosting: gbdt\]", "[boosting]")
    tail("parameter_without_brackets", r"\[boosting: gbdt\]", "boosting: gbdt")
    tail("parameter_without_end", r"\[boosting: gbdt\]", "[boosting: gbdt")
    tail("parameter_two_words", r"\[boosting: gbdt\]", "[boosting x: gbdt]")
    tail(
        "parser",
        r"(end of parameters\n)",
        r"\1\nparser:\n{\"className\": \"own\"}\nend of parser\n",
    )
    tail("categories_text", "pandas_categorical:null", 'pandas_categorical:"x"')
    tail("categories_flat", "pandas_categorical:null", "pandas_categorical:[1, 2]")
    tail("categories_deep", "pandas_categorical:null", "pandas_categorical:" + "[" * 5000)
    tail("categories_of_lists", "pandas_categorical:null", "pandas_categorical:[[[1]]]")
    tail("categories_open_text", "pandas_categorical:null", 'pandas_categorical:[["x]]')
    tail("categories_escape", "pandas_categorical:null", r'pandas_categorical:[["\\x"]]')
    tail("categories_go_on", "pandas_categorical:null", "pandas_categorical:null null")
    tail("text_goes_on", r"$", "tree\n")
    anywhere("nul", b"split_gain=", b"split\0gain=")
    anywhere("nul_in_a_name", b"Column_0", b"Col\0mn_0")
    anywhere("carriage_returns", b"\n", b"\r\n")
    anywhere("tab_in_a_parameter", b"[boosting: gbdt]", b"[boosting: gb\tdt]")
    anywhere("not_utf_8", b"Column_0", b"Column_\xff")
    data = Text("binary", 2).bytes()
    FILES["empty"] = b""
    FILES["ends_in_a_line"] = data[: data.index(b"version=") + 4]
    FILES["ends_in_the_header"] = data[: data.index(b"feature_infos")]
    FILES["ends_in_a_tree"] = data[: data.index(b"leaf_value=") + 20]
    FILES["ends_in_the_parameters"] = data[: data.index(b"[objective")]
    FILES["a_pickle"] = b"\x80\x04K\x01."


def main(given: list[str] | None = None) -> int:
    """Write the texts."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument(
        "--check", action="store_true", help="write nothing; name what would change"
    )
    options = parser.parse_args(given)
    for make in (good_texts, headers, sizes, trees, tails):
        make()
    status = 0
    for name, data in sorted(FILES.items()):
        path = FOLDER / f"{name}.lgb"
        if path.exists() and path.read_bytes() == data:
            continue
        if options.check:
            print(f"would change: {name}")
            status = 1
            continue
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    on_disk = {path.stem for path in FOLDER.glob("*.lgb")}
    for name in sorted(on_disk - FILES.keys()):
        print(f"nobody makes: {name}")
        status = 1
    return status


if __name__ == "__main__":
    sys.exit(main())
