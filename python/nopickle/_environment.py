"""What has to be installed to load a model: from the names in it, without running anything.

MLflow finds the requirements of a model by loading it again in a child process and looking at what
was imported. Here they are read off the names of code in the model: each belongs to a module, each
module to an installed distribution, and :mod:`importlib.metadata` knows its version.
"""

from __future__ import annotations

import functools
import importlib.metadata
import logging
import os
import platform
import re
import sys
from typing import TYPE_CHECKING, Any

from nopickle import _rust
from nopickle.exceptions import MlflowException

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    CondaEnv = str | os.PathLike[str] | Mapping[str, Any]

_logger = logging.getLogger("nopickle")

MLFLOW_VERSION = "3.17.2"
"""The MLflow whose model folders are written here."""

SKOPS_VERSION = "0.16.0"
"""The skops whose files are written here; 0.9 and later read them."""

CONDA_ENV = "conda.yaml"
PYTHON_ENV = "python_env.yaml"
REQUIREMENTS = "requirements.txt"
CONSTRAINTS = "constraints.txt"

# Where a distribution has another name than its package. For others the installed files are asked.
_RENAMED = {"sklearn": "scikit-learn"}

# Distributions that hold another one's package; models ask for that one, as MLflow writes it.
_VARIANTS = {"xgboost-cpu": "xgboost"}


def check_arguments(*arguments: object) -> None:
    """Refuse more than one of ``conda_env``, ``pip_requirements`` and ``extra_pip_requirements``.

    Raises
    ------
    ValueError
        If more than one is not None.
    """
    if sum(argument is not None for argument in arguments) > 1:
        raise ValueError(
            "Only one of `conda_env`, `pip_requirements`, and `extra_pip_requirements` can be specified"
        )


def installed_version(distribution: str) -> str | None:
    """Return the version of an installed distribution without its local part, or None."""
    try:
        version = importlib.metadata.version(distribution)
    except importlib.metadata.PackageNotFoundError:
        return None
    return version.partition("+")[0]


def pinned(distribution: str, otherwise: str | None = None) -> str:
    """Return ``distribution==version`` for what is installed, else for ``otherwise``, else the name."""
    variants = [name for name, same in _VARIANTS.items() if same == distribution]
    found = (installed_version(name) for name in (distribution, *variants))
    version = next(filter(None, found), otherwise)
    return f"{distribution}=={version}" if version else distribution


@functools.lru_cache(maxsize=256)
def distribution_of(package: str) -> str | None:
    """Return the installed distribution that a top-level package comes from, or None.

    Distributions of the package's own name are looked at first, since listing the files of every
    distribution takes as long as many models take to save.
    """
    for name in (_RENAMED.get(package, package), package.replace("_", "-")):
        try:
            distribution = importlib.metadata.distribution(name)
        except importlib.metadata.PackageNotFoundError:
            continue
        record = distribution.read_text("RECORD") or ""
        top_level = (distribution.read_text("top_level.txt") or "").split()
        if package in top_level or re.search(rf"^{re.escape(package)}(/|\.py,)", record, re.M):
            return str(distribution.metadata["Name"])
    found = importlib.metadata.packages_distributions().get(package)
    return found[0] if found else None


def infer_requirements(names: Iterable[str], own_modules: Iterable[str] = ()) -> list[str]:
    """Return ``distribution==version`` for every distribution that names of code come from, sorted.

    Parameters
    ----------
    names : iterable of str
        ``module.qualname``, as they stand in a model.
    own_modules : iterable of str
        Top-level modules that the model folder brings itself (its ``code_paths``).
    """
    packages = {name.partition(".")[0] for name in names}
    packages -= {"__main__", *own_modules, *sys.stdlib_module_names}
    found, missing = set(), []
    for package in sorted(packages):
        distribution = distribution_of(package)
        if distribution is None:
            missing.append(package)
        else:
            found.add(pinned(_VARIANTS.get(distribution, distribution)))
    if missing:
        _logger.warning(
            "The model holds names of %s, which no installed distribution provides; whoever loads it "
            "needs the same modules (code_paths= puts them into the model folder).",
            ", ".join(missing),
        )
    return sorted(found)


def read_requirements(given: Any) -> tuple[list[str], list[str]]:
    """Return requirements and constraints from a list of lines or the path of a requirements file.

    Lines ``-r file`` and ``-c file`` are followed. Other lines stand as they were given: they are the
    caller's own.

    Raises
    ------
    MlflowException
        If files include each other, or a line given in a list holds a line break.
    TypeError
        If ``given`` is neither a path nor a list of lines.
    """
    if isinstance(given, (str, os.PathLike)):
        lines, base = _read_lines(os.fspath(given)), os.path.dirname(os.fspath(given))
    else:
        try:
            lines, base = [str(line) for line in given], ""
            if any("\n" in line for line in lines):
                raise MlflowException("a requirement holds a line break", "INVALID_PARAMETER_VALUE")
        except TypeError:
            raise TypeError(
                "`pip_requirements` must be either a string path to a pip requirements file on the "
                f"local filesystem or an iterable of pip requirement strings, not {type(given).__name__}"
            ) from None
    requirements: list[str] = []
    constraints: list[str] = []
    pending = [(lines, base, requirements, 0)]
    while pending:
        lines, base, target, depth = pending.pop()
        for line in _joined(lines):
            option = re.fullmatch(r"(-r|--requirement|-c|--constraint)[ =]*(\S.*)", line.strip())
            if option is None:
                target.append(line)
                continue
            if depth > 8:
                raise MlflowException(
                    "requirements files include each other", "INVALID_PARAMETER_VALUE"
                )
            path = os.path.join(base, option[2].strip())
            into = constraints if option[1] in ("-c", "--constraint") else target
            pending.append((_read_lines(path), os.path.dirname(path), into, depth + 1))
    return requirements, constraints


def _read_lines(path: str) -> list[str]:
    with open(path, encoding="utf-8") as file:
        return file.read().splitlines()


def _joined(lines: list[str]) -> list[str]:
    """Return the lines without comments and empty lines, continued ones joined."""
    text = re.sub(r"\\\n", "", "\n".join(lines))
    plain = (re.sub(r"(^|\s)#.*", "", line).strip() for line in text.split("\n"))
    return [line for line in plain if line]


def _name(requirement: str) -> str:
    match = re.match(r"[A-Za-z0-9._-]+", requirement)
    return re.sub(r"[-_.]+", "-", match[0]).lower() if match else requirement


def _with_mlflow(requirements: list[str]) -> list[str]:
    """Put MLflow first where it is missing: stock MLflow installs it to serve the model."""
    if any(_name(requirement) in ("mlflow", "mlflow-skinny") for requirement in requirements):
        return requirements
    return [pinned("mlflow", MLFLOW_VERSION), *requirements]


def conda_env(requirements: list[str]) -> dict[str, Any]:
    """Return the conda environment of a list of requirements, as MLflow 3.17 lays it out."""
    pip = installed_version("pip")
    return {
        "name": "mlflow-env",
        "channels": ["conda-forge"],
        "dependencies": [
            f"python={platform.python_version()}",
            f"pip<={pip}" if pip else "pip",
            {"pip": requirements},
        ],
    }


def environment(
    defaults: list[str],
    given_conda_env: CondaEnv | None,
    pip_requirements: Any,
    extra_pip_requirements: Any,
) -> tuple[dict[str, Any], list[str], list[str]]:
    """Return a model's conda environment, requirements and constraints.

    Parameters
    ----------
    defaults : list of str
        What the model needs, used unless the caller says otherwise.
    given_conda_env, pip_requirements, extra_pip_requirements
        MLflow's arguments; at most one is not None.

    Raises
    ------
    MlflowException
        If a line is not a requirement.
    """
    constraints: list[str] = []
    if given_conda_env is not None:
        if isinstance(given_conda_env, (str, os.PathLike)):
            with open(given_conda_env, "rb") as file:
                conda: dict[str, Any] = _rust.yaml_loads(file.read())
        elif isinstance(given_conda_env, dict):
            conda = dict(given_conda_env)
        else:
            raise TypeError(
                "Expected a string path to a conda env yaml file or a `dict` representing a conda env, "
                f"but got `{type(given_conda_env).__name__}`"
            )
        dependencies = list(conda.get("dependencies") or [])
        pip = [
            line
            for part in dependencies
            if isinstance(part, dict)
            for line in part.get("pip") or []
        ]
        requirements, constraints = read_requirements(pip)
        requirements = _with_mlflow(requirements)
        if constraints:
            requirements.append(f"-c {CONSTRAINTS}")
        dependencies = [
            part for part in dependencies if not (isinstance(part, dict) and "pip" in part)
        ]
        conda["dependencies"] = [*dependencies, {"pip": requirements}]
        return conda, requirements, constraints
    if pip_requirements is not None:
        requirements, constraints = read_requirements(pip_requirements)
    elif extra_pip_requirements is not None:
        extra, constraints = read_requirements(extra_pip_requirements)
        named = {_name(requirement) for requirement in extra}
        requirements = [line for line in defaults if _name(line) not in named] + extra
    else:
        requirements = list(defaults)
    requirements = list(dict.fromkeys(_with_mlflow(requirements)))
    if constraints:
        requirements.append(f"-c {CONSTRAINTS}")
    return conda_env(requirements), requirements, constraints


def write(
    folder: str,
    conda: Mapping[str, Any],
    requirements: list[str],
    constraints: list[str],
) -> None:
    """Write ``conda.yaml``, ``python_env.yaml``, ``requirements.txt`` and, if any, ``constraints.txt``."""
    build = ["setuptools", "wheel"]
    python_env = {
        "python": platform.python_version(),
        "build_dependencies": [
            *(
                f"{name}=={version}" if (version := installed_version(name)) else name
                for name in ("pip", *build)
            )
        ],
        "dependencies": [f"-r {REQUIREMENTS}"],
    }
    _write_text(os.path.join(folder, CONDA_ENV), _rust.yaml_dumps(dict(conda), True))
    _write_text(os.path.join(folder, PYTHON_ENV), _rust.yaml_dumps(python_env, False))
    _write_text(os.path.join(folder, REQUIREMENTS), "\n".join(requirements))
    if constraints:
        _write_text(os.path.join(folder, CONSTRAINTS), "\n".join(constraints))


def _write_text(path: str, text: str) -> None:
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)
