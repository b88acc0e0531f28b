"""The hooks of pre-commit and the steps of the GitHub Action, run with the installed command."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import tomllib
import yaml

ROOT = Path(__file__).parents[2]
CASES = ROOT / "cases" / "hostile"
BOOSTERS = ROOT / "cases" / "boosters"
GOOD = CASES / "tree" / "good.skops"
REFUSED = CASES / "tree" / "child_past_end.skops"
DAMAGED = CASES / "zip" / "duplicate_name.skops"


@pytest.fixture
def command(tmp_path):
    """An environment whose PATH has `nopickle`."""
    folder = tmp_path / "bin"
    folder.mkdir()
    script = folder / "nopickle"
    script.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m nopickle "$@"\n')
    script.chmod(0o755)
    return {**os.environ, "PATH": f"{folder}:{os.environ['PATH']}"}


def steps():
    """The steps of the action by name."""
    action = yaml.safe_load((ROOT / "action.yml").read_text())
    return {step["name"]: step for step in action["runs"]["steps"]}


def run_step(step, environment, folder, **variables):
    """Run a step's script as GitHub runs it; its output file."""
    output = folder / "github_output"
    output.write_text("")
    known = dict.fromkeys(step.get("env", {}), "")
    assert set(variables) <= set(known)
    ran = subprocess.run(
        ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", step["run"]],
        env={**environment, **known, **variables, "GITHUB_OUTPUT": str(output)},
        cwd=folder,
        capture_output=True,
        text=True,
    )
    return ran, output.read_text()


def test_no_input_is_text_of_a_script():
    for step in steps().values():
        assert "${{" not in step["run"]


@pytest.mark.parametrize(
    ("files", "status"),
    [
        ([GOOD], 0),
        ([GOOD, REFUSED], 1),
        ([GOOD, DAMAGED, REFUSED], 2),
        ([], 2),
        ([ROOT / "cases/models/mlflow_3.17.2_pipeline_skops/model"], 0),
        ([ROOT / "cases/models/mlflow_3.17.2_tree_pickle/model"], 1),
        ([CASES / "mlflow/tag_python"], 2),
        ([BOOSTERS / "xgboost_3.2.0_binary.ubj", BOOSTERS / "catboost_1.2.10_reg.cbm"], 0),
    ],
)
def test_the_action_ends_with_the_status_of_the_audit(tmp_path, command, files, status):
    paths = "\n".join(map(str, files))
    report = tmp_path / "audit.sarif"
    ran, output = run_step(
        steps()["Audit"], command, tmp_path, AUDIT_PATHS=paths, AUDIT_SARIF=str(report)
    )
    assert ran.returncode == status, ran.stderr
    assert output == f"status={status}\n"
    assert report.is_file() == bool(files)
    without, output = run_step(steps()["Audit"], command, tmp_path, AUDIT_PATHS=paths)
    assert without.returncode == status
    assert output == f"status={status}\n"


def test_an_input_is_never_run(tmp_path, command):
    odd = tmp_path / "$(touch ran) `touch ran`; touch ran #.skops"
    shutil.copy(REFUSED, odd)
    ran, _ = run_step(steps()["Audit"], command, tmp_path, AUDIT_PATHS=f"{odd}\n")
    assert ran.returncode == 1
    assert not (tmp_path / "ran").exists()


def test_a_report_that_cannot_be_written_is_no_clean_answer(tmp_path, command):
    ran, output = run_step(
        steps()["Audit"],
        command,
        tmp_path,
        AUDIT_PATHS=str(GOOD),
        AUDIT_SARIF=str(tmp_path / "absent" / "audit.sarif"),
    )
    assert ran.returncode == 2
    assert output == "status=2\n"


def test_a_policy_that_is_not_there_refuses_everything(tmp_path, command):
    ran, _ = run_step(
        steps()["Audit"],
        command,
        tmp_path,
        AUDIT_PATHS=str(GOOD),
        AUDIT_POLICY=str(tmp_path / "absent.toml"),
    )
    assert ran.returncode == 2


def test_the_command_is_installed_only_where_it_is_missing(tmp_path, command):
    step = steps()["Install nopickle where it is not there"]
    ran, _ = run_step(step, command, tmp_path, AUDIT_SOURCE=str(tmp_path / "absent"))
    assert ran.returncode == 0
    # Without the command, pip is asked for the action's own folder.
    folder = tmp_path / "bare"
    folder.mkdir()
    python = folder / "python"
    python.write_text('#!/bin/sh\necho "$@" >asked\n')
    python.chmod(0o755)
    bash = Path(shutil.which("bash")).parent
    bare = {"PATH": f"{folder}:{bash}"}
    if shutil.which("nopickle", path=bare["PATH"]):
        pytest.skip("nopickle is installed beside bash")
    run_step(step, bare, tmp_path, AUDIT_SOURCE="/action")
    assert (tmp_path / "asked").read_text() == "-m pip install /action\n"


def test_no_mutation_is_stale():
    """`.ci/run mutation` is run by hand, so that rows that no longer break anything would go unseen."""
    rows = tomllib.loads((ROOT / ".ci/mutations.toml").read_text())["mutations"]
    assert len(rows) > 80
    stale = [
        row["check"] for row in rows if (ROOT / row["file"]).read_text().count(row["search"]) != 1
    ]
    assert stale == []
    assert len({row["check"] for row in rows}) == len(rows)
    assert all(row["becomes"] != row["search"] for row in rows)


def hooks():
    """The hooks by id."""
    return {
        hook["id"]: hook for hook in yaml.safe_load((ROOT / ".pre-commit-hooks.yaml").read_text())
    }


def test_hooks_look_at_models_and_pickles_alone():
    for hook in hooks().values():
        taken = re.compile(hook["files"])
        for name in (
            *("a.skops", "b/model.lgb", "model.PKL", "x.joblib", "model.ubj", "a/model.cbm"),
            *("model.cb", "MLmodel", "iris/MLmodel"),
        ):
            assert taken.search(name), name
        for name in ("a.py", "data.npy", "skops", "model.skops.md", "aMLmodel", "MLmodel.md"):
            assert not taken.search(name), name


@pytest.mark.skipif(
    shutil.which("pre-commit", path=f"{Path(sys.executable).parent}:{os.environ['PATH']}") is None
    or shutil.which("git") is None,
    reason="pre-commit or git is not installed: the hook was not run by it",
)
@pytest.mark.parametrize(
    ("name", "source", "status"),
    [
        ("good.skops", GOOD, 0),
        ("wild.skops", REFUSED, 1),
        ("model.pkl", None, 1),
        ("a.txt", None, 0),
        ("MLmodel", CASES / "mlflow/unknown_flavors_only/MLmodel", 1),
        ("model.ubj", BOOSTERS / "xgboost_3.2.0_binary.ubj", 0),
        ("model.cb", BOOSTERS / "catboost_1.2.10_reg.cbm", 0),
    ],
)
def test_pre_commit_runs_the_hook(tmp_path, command, name, source, status):
    def git(folder, *args):
        quiet = [
            "-c",
            "user.name=a",
            "-c",
            "user.email=a@example.com",
            "-c",
            "init.defaultBranch=main",
        ]
        subprocess.run(["git", *quiet, *args], cwd=folder, check=True, capture_output=True)

    # The hooks as a repository of their own, and one with a model that uses them.
    theirs, ours = tmp_path / "nopickle", tmp_path / "work"
    theirs.mkdir()
    ours.mkdir()
    shutil.copy(ROOT / ".pre-commit-hooks.yaml", theirs)
    for folder in (theirs, ours):
        git(folder, "init")
    git(theirs, "add", ".")
    git(theirs, "commit", "-m", "hooks")
    if source:
        shutil.copy(source, ours / name)
    else:
        (ours / name).write_bytes(b"\x80\x04N.")
    git(ours, "add", ".")
    tool = shutil.which("pre-commit", path=f"{Path(sys.executable).parent}:{command['PATH']}")
    ran = subprocess.run(
        [tool, "try-repo", str(theirs), "nopickle-audit-system", "--files", name, "--verbose"],
        cwd=ours,
        env={**command, "PRE_COMMIT_HOME": str(tmp_path / "home")},
        capture_output=True,
        text=True,
    )
    assert ran.returncode == status, ran.stdout + ran.stderr
    if status:
        assert name in ran.stdout
    assert sorted(path.name for path in ours.iterdir()) == sorted([".git", name])
