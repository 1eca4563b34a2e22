"""Every command starts without a heavy library, and so without a wait; ``budgets.toml`` says how much is allowed.

The helps of all commands are printed by children forked from one fresh interpreter, so that each starts clean.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tomllib
from pathlib import Path

import click
import pytest

from hstore_workflows.cli import main

BUDGETS = tomllib.loads((Path(__file__).parent / "budgets.toml").read_text(encoding="utf-8"))
MODULES = BUDGETS["modules"]

NEVER_FOR_HELP = {
    "CoolProp", "ase", "fastapi", "jinja2", "matminer", "matplotlib", "monty", "mp_api", "numba", "numpy",
    "optuna", "pandas", "plotly", "pooch", "pyarrow", "pymatgen", "rich", "scipy", "sklearn", "skops",
    "sqlalchemy", "uvicorn",
}  # fmt: skip
NEVER_AT_FIRST = NEVER_FOR_HELP | {"pydantic"}
"""What the helps of commands without settings leave alone, and those of the command line itself."""

CHILD = """
import json, os, sys

for words in json.load(sys.stdin):
    receive, send = os.pipe()
    if not (child := os.fork()):
        said, sys.stdout = sys.stdout, open(os.devnull, "w")
        error = ""
        try:
            from hstore_workflows.cli import main
            main(words, prog_name="hstore", standalone_mode=False)
        except BaseException as caught:  # an exit as well: the child tells it and ends here
            error = repr(caught)
        with os.fdopen(send, "w") as stream:
            stream.write(json.dumps({"words": words, "error": error, "modules": sorted(sys.modules)}))
        os._exit(0)
    os.close(send)
    with os.fdopen(receive) as stream:
        print(stream.read())
    os.waitpid(child, 0)
"""


def commands(command=main, words=()):
    """Words of each command and group of commands, the command line itself among them."""
    yield list(words)
    if isinstance(command, click.Group):
        context = click.Context(command)
        for name in command.list_commands(context):
            yield from commands(command.get_command(context, name), [*words, name])


def environment(home):
    kept = {name: text for name, text in os.environ.items() if not name.startswith("HSTORE_")}
    return kept | {"HSTORE_HOME": str(home)}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """An empty folder in which commands run; a home in it would be made by them."""
    return tmp_path_factory.mktemp("start")


@pytest.fixture(scope="module")
def helps(folder):
    """What printing each help imported."""
    asked = [[*words, "--help"] for words in commands()] + [["--version"]]
    done = subprocess.run(
        [sys.executable, "-c", CHILD], input=json.dumps(asked),
        cwd=folder, env=environment(folder / "home"), capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    found = [json.loads(line) for line in done.stdout.splitlines()]
    assert [entry["words"] for entry in found] == asked
    return found


def group_of(entry):
    """The first word, under which a budget stands."""
    first = entry["words"][0]
    return first if first in MODULES else "others"


def tops(entry):
    return {name.split(".")[0] for name in entry["modules"]}


def test_every_help_is_printed_and_nothing_is_made(helps, folder):
    assert {" ".join(entry["words"]): entry["error"] for entry in helps if entry["error"]} == {}
    assert len(helps) > 90
    assert list(folder.iterdir()) == []


def test_every_help_keeps_its_budget_of_modules(helps):
    sizes = {" ".join(entry["words"]): (len(entry["modules"]), MODULES[group_of(entry)]) for entry in helps}
    assert {words: size for words, size in sizes.items() if size[0] > size[1]} == {}


@pytest.mark.parametrize("group", MODULES)
def test_budgets_are_not_generous(helps, group):
    most = max(len(entry["modules"]) for entry in helps if group_of(entry) == group)
    assert MODULES[group] < 1.3 * most, f"lower modules.{group} in budgets.toml: it takes {most}"


def test_no_help_loads_science(helps):
    found = {
        " ".join(entry["words"]): tops(entry) & (NEVER_AT_FIRST if group_of(entry) == "others" else NEVER_FOR_HELP)
        for entry in helps
    }
    assert {words: names for words, names in found.items() if names} == {}
    assert all("click" in tops(entry) for entry in helps), "modules were not counted"


def test_one_command_loads_no_module_of_another(helps):
    prefix = "hstore_workflows.cli."
    names = {tuple(word.replace("-", "_") for word in words) for words in commands() if words}
    for entry in helps:
        asked = tuple(word.replace("-", "_") for word in entry["words"][:-1])
        ours = {
            tuple(name.removeprefix(prefix).split(".")) for name in entry["modules"] if name.startswith(prefix)
        }
        assert {module for module in ours & names if module != asked[: len(module)]} == set(), entry["words"]


def processor_s(*arguments):
    """Least processor time of some runs of the interpreter, s."""

    def once():
        process = subprocess.Popen([sys.executable, *arguments], stdout=subprocess.DEVNULL)
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        assert process.returncode == 0
        return used.ru_utime + used.ru_stime

    return min(once() for _ in range(4))


def test_processor_times_stay_near_that_of_the_interpreter():
    bare = processor_s("-c", "pass")
    budgets = BUDGETS["processor_ratio"]
    ratios = {line: processor_s("-m", "hstore_workflows.cli", *line.split()) / bare for line in budgets}
    assert {line: ratio for line, ratio in ratios.items() if ratio > budgets[line]} == {}
