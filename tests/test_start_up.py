"""The command line starts without a heavy library, and so without a wait."""

from __future__ import annotations

import os
import re
import subprocess
import sys

import pytest

HEAVY = {
    "CoolProp", "ase", "fastapi", "jinja2", "matminer", "matplotlib", "monty", "mp_api", "numba", "numpy",
    "optuna", "pandas", "plotly", "pooch", "pyarrow", "pydantic", "pymatgen", "rich", "scipy", "sklearn", "skops",
    "sqlalchemy", "uvicorn",
}  # fmt: skip
NEVER_FOR_HELP = {"CoolProp", "matminer", "mp_api", "optuna", "pandas", "plotly", "pymatgen", "scipy", "sklearn"}
BUDGET = 200
"""Modules that ``hstore --help`` may import; the interpreter, click and we take about 110."""


def imported(*arguments, home):
    """Names of all modules that a call of the command line imports."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("HSTORE_")}
    done = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "hstore_workflows.cli", *arguments],
        cwd=home.parent, env=environment | {"HSTORE_HOME": str(home)}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "Usage:" in done.stdout or "version" in done.stdout
    return re.findall(r"^import time: .*\| +([\w.]+)$", done.stderr, re.MULTILINE)


@pytest.mark.parametrize("option", ["--help", "--version"])
def test_first_contact_loads_click_and_nothing_heavy(tmp_path, option):
    modules = imported(option, home=tmp_path / "home")
    assert "click" in modules, "the import times were not read"
    assert {name.split(".")[0] for name in modules} & HEAVY == set()
    assert len(modules) < BUDGET
    assert not (tmp_path / "home").exists()


@pytest.mark.parametrize(
    "command",
    [
        "screen", "predict", "evaluate", "train", "describe", "fetch mp", "fetch optimade", "fetch files",
        "fetch prototypes", "fetch core-mof", "serve", "data list", "models show", "campaign new",
    ],
)  # fmt: skip
def test_help_of_a_command_loads_no_science(tmp_path, command):
    modules = imported(*command.split(), "--help", home=tmp_path / "home")
    assert {name.split(".")[0] for name in modules} & NEVER_FOR_HELP == set()
    ours = {name for name in modules if name.startswith("hstore_workflows.cli.")}
    group, *rest = command.replace("-", "_").split()
    allowed = {f"hstore_workflows.cli.{group}"}
    if group == "fetch":  # a group of modules, with what its commands share
        allowed |= {f"hstore_workflows.cli.fetch.{name}" for name in (*rest, "intake_options")}
    assert ours - {"hstore_workflows.cli.__main__"} <= allowed, "one command loads its own module alone"
    assert not (tmp_path / "home").exists()
