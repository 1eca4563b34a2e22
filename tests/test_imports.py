"""Each module imports alone, loads only what its package may, and does nothing by being imported."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
FOLDERS = {
    "hstore": ROOT,
    "hstore_data": ROOT / "data",
    "hstore_models": ROOT / "models",
    "hstore_workflows": ROOT / "workflows",
    "hstore_api": ROOT / "api",
}
ORDER = list(FOLDERS)

_BASE = ["numpy", "pydantic", "pydantic_settings", "sqlalchemy.orm", "sqlalchemy.dialects.sqlite", "sqlite3"]
_TABLES = [*_BASE, "pandas", "click", "requests"]
_LOWEST = ["hstore.store", "hstore.settings", "hstore.crystal", "hstore.hydride", "hstore.targets", "hstore.gas"]
PRELOADED = {
    ("hstore",): _BASE,
    ("hstore_data",): [*_TABLES, *_LOWEST],
    ("hstore_models",): [*_TABLES, *_LOWEST, "hstore_data.curated", "hstore_data.catalog"],
    ("hstore_workflows",): [*_TABLES, *_LOWEST, "hstore_models.registry", "hstore_models.training"],
    ("hstore_api",): [
        *_TABLES, "fastapi", "prometheus_client", "limits.strategies", "itsdangerous", "secure", "httpx2",
        "jinja2", "lark", "optimade.models", "starlette.middleware.sessions",
        "hstore.store", "hstore_models.registry", "hstore_workflows.campaign.story", "hstore_workflows.jobs.kinds",
    ],
}  # fmt: skip
"""Packages -> what their modules may load, libraries and lower layers, imported once before the children start."""

ON_DEMAND = {
    "CoolProp", "ase", "baybe", "botorch", "bvlain", "causallearn", "chgnet", "dowhy", "gpytorch", "kinisi",
    "lingam", "matminer", "matplotlib", "mcp", "mp_api", "numba", "optuna", "parsl", "phonopy", "plotly", "pooch",
    "pygaps", "pymatgen", "pyoperon", "pyxtal", "pyzeo", "raspalib", "rocrate", "sevenn", "shap", "sklearn",
    "skops", "sympy", "torch", "uvicorn",
}  # fmt: skip
"""Libraries that are imported inside the functions that need them."""

ABOUT = {
    "hstore_models.estimator": {"sklearn"},
    "hstore_api.protocol": {"uvicorn"},
    "hstore_workflows.batch.providers": {"parsl"},
}
"""Module -> libraries that it is about: their base classes are those of its classes."""

LOOKS_FOR_SCRATCH = {"hstore_workflows.batch.providers"}
"""Modules about a library that looks for a folder for temporary files when it is imported."""

TOGETHER = """
import importlib, json, os, sys

read, written = [], []
original = os._Environ.__getitem__

def spied(self, key):
    # Libraries read their own variables; only ours, and the key of the Materials Project, are of interest.
    if isinstance(key, str) and key.startswith(("HSTORE_", "MP_API")):
        read.append(key)
    return original(self, key)

def audit(event, arguments):
    if event in {"os.mkdir", "os.rename", "os.remove", "socket.connect", "socket.getaddrinfo", "subprocess.Popen"}:
        written.append(f"{event} {arguments[0]}")
    if event == "open" and isinstance(arguments[1], str) and set(arguments[1]) & set("wax+"):
        written.append(f"open {arguments[0]}")

modules, preloaded = json.loads(sys.argv[1])
for name in preloaded:
    importlib.import_module(name)
os._Environ.__getitem__ = spied
sys.addaudithook(audit)
for module in modules:
    read.clear(), written.clear()
    before = set(sys.modules)
    importlib.import_module(module)
    loaded = sorted(set(sys.modules) - before)
    print(json.dumps({"module": module, "read": read, "written": written, "loaded": loaded}))
"""
"""Imports modules one after the other and prints what each of them did, and loaded as the first."""

ALONE = """
import gc, importlib, json, os, sys

modules, preloaded = json.loads(sys.argv[1])
for name in preloaded:
    importlib.import_module(name)
gc.disable()  # a collection in each child would copy the pages of all that is loaded
for module in modules:
    receive, send = os.pipe()
    if not (child := os.fork()):
        try:
            importlib.import_module(module)
            error = ""
        except BaseException as caught:  # an exit as well: the child tells it and ends here
            error = repr(caught)
        with os.fdopen(send, "w") as stream:
            stream.write(json.dumps({"module": module, "error": error}))
        os._exit(0)
    os.close(send)
    with os.fdopen(receive) as stream:
        print(stream.read())
    os.waitpid(child, 0)
"""
"""Imports each module in a child forked from a fresh interpreter, so that each starts clean without paying for the
libraries that its package may load."""


def modules_of(package):
    """Names of all modules of a package; scripts that run when imported are left out."""
    folder = FOLDERS[package]
    for path in sorted((folder / package).rglob("*.py")):
        parts = path.relative_to(folder).with_suffix("").parts
        if "migrations" not in parts and parts[-1] != "__main__":
            yield ".".join(parts).removesuffix(".__init__")


def tops(entry):
    """Names of the libraries that an import has loaded."""
    return {name.split(".")[0] for name in entry["loaded"]}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Where the modules are imported, with a home folder that importing could make."""
    return tmp_path_factory.mktemp("import")


def ran(script, packages, folder):
    """What a script tells of the modules of some packages."""
    modules = [name for package in packages for name in modules_of(package)]
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("HSTORE_", "PYTHON"))}
    environment |= {"HSTORE_HOME": str(folder / "home"), "HSTORE_SEED": "?", "PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run(
        [sys.executable, "-c", script, json.dumps([modules, PRELOADED[packages]])],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    found = [json.loads(line) for line in done.stdout.splitlines()]
    assert [entry["module"] for entry in found] == modules
    return found


@pytest.fixture(scope="module", params=PRELOADED, ids="-".join)
def finds(request, folder):
    """What importing the modules of some packages did."""
    return ran(TOGETHER, request.param, folder)


@pytest.mark.long
@pytest.mark.parametrize("packages", PRELOADED, ids="-".join)
def test_each_module_imports_alone(packages, folder):
    found = ran(ALONE, packages, folder)
    assert {entry["module"]: entry["error"] for entry in found if entry["error"]} == {}


def test_importing_does_nothing(finds, folder):
    """No file, folder, process or connection is made, and no setting is read."""
    written = {entry["module"]: entry["written"] for entry in finds if entry["module"] not in LOOKS_FOR_SCRATCH}
    assert {module: files for module, files in written.items() if files} == {}
    assert {entry["module"]: entry["read"] for entry in finds if entry["read"]} == {}
    assert list(folder.iterdir()) == []


def test_heavy_libraries_wait_until_they_are_needed(finds):
    loaded = {(name := entry["module"]): tops(entry) & ON_DEMAND - ABOUT.get(name, set()) for entry in finds}
    assert {module: names for module, names in loaded.items() if names} == {}


def test_the_records_need_no_tables(finds):
    ours = [entry for entry in finds if entry["module"].split(".")[0] == "hstore"]
    assert {entry["module"] for entry in ours if tops(entry) & {"pandas", "scipy", "pyarrow"}} == set()


def test_imports_point_one_way(finds):
    for entry in finds:
        above = ORDER[ORDER.index(entry["module"].split(".")[0]) + 1 :]
        assert tops(entry).isdisjoint(above), entry["module"]


def test_bare_folder_names_belong_to_users(finds):
    for entry in finds:
        assert {"api", "data", "models", "workflows"}.isdisjoint(entry["loaded"]), entry["module"]


def test_every_package_has_modules():
    assert {package: len(list(modules_of(package))) > 8 for package in ORDER} == dict.fromkeys(ORDER, True)
