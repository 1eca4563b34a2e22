"""Each module imports alone, loads only what its package may, and does nothing by being imported.

Modules are imported in children forked from one fresh interpreter per package, so that each starts clean
without paying for the libraries that its whole package may load.
"""

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

PRELOADED = {
    "hstore": ["numpy", "pydantic", "pydantic_settings", "sqlalchemy"],
    "hstore_data": ["numpy", "pandas", "pydantic", "pydantic_settings"],
    "hstore_models": ["numpy", "pandas", "pydantic", "pydantic_settings"],
    "hstore_workflows": ["numpy", "pandas", "pydantic", "pydantic_settings", "sqlalchemy", "click"],
    "hstore_api": ["numpy", "pydantic", "pydantic_settings", "sqlalchemy", "click", "fastapi"],
}
"""Package -> libraries that its modules may load, imported once before the children start."""

ON_DEMAND = {
    "CoolProp", "ase", "gudhi", "matminer", "matplotlib", "mp_api", "numba", "optuna", "plotly", "pooch", "pymatgen",
    "sklearn", "skops", "torch", "uvicorn",
}  # fmt: skip
"""Libraries that are imported inside the functions that need them."""

CHILD = """
import importlib, json, os, sys

package, modules, preloaded = json.loads(sys.argv[1])
for name in preloaded:
    importlib.import_module(name)

read, written = [], []

def spy_on_environment():
    # Libraries read their own variables; only ours, and the key of the Materials Project, are of interest.
    original = os._Environ.__getitem__
    def spied(self, key):
        if isinstance(key, str) and key.startswith(("HSTORE_", "MP_API")):
            read.append(key)
        return original(self, key)
    os._Environ.__getitem__ = spied

def audit(event, arguments):
    if event in {"os.mkdir", "os.rename", "os.remove", "socket.connect", "socket.getaddrinfo", "subprocess.Popen"}:
        written.append(f"{event} {arguments[0]}")
    if event == "open" and isinstance(arguments[1], str) and set(arguments[1]) & set("wax+"):
        written.append(f"open {arguments[0]}")

for module in modules:
    receive, send = os.pipe()
    if not (child := os.fork()):
        try:
            spy_on_environment()
            sys.addaudithook(audit)
            importlib.import_module(module)
            error = ""
        except BaseException as caught:
            error = repr(caught)
        finds = {"module": module, "error": error, "read": read, "written": written, "loaded": sorted(sys.modules)}
        text = json.dumps(finds)
        with os.fdopen(send, "w") as stream:
            stream.write(text)
        os._exit(0)
    os.close(send)
    with os.fdopen(receive) as stream:
        print(stream.read())
    os.waitpid(child, 0)
"""


def modules_of(package):
    """Names of all modules of a package; scripts that run when imported are left out."""
    folder = FOLDERS[package]
    for path in sorted((folder / package).rglob("*.py")):
        parts = path.relative_to(folder).with_suffix("").parts
        if "migrations" not in parts and parts[-1] != "__main__":
            yield ".".join(parts).removesuffix(".__init__")


@pytest.fixture(scope="module", params=ORDER)
def finds(request, tmp_path_factory):
    """What importing each module of a package alone did, and the home folder it could have made."""
    package, here = request.param, tmp_path_factory.mktemp("import")
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("HSTORE_", "PYTHON"))}
    environment |= {"HSTORE_HOME": str(here / "home"), "HSTORE_SEED": "not a number", "PYTHONDONTWRITEBYTECODE": "1"}
    task = json.dumps([package, list(modules_of(package)), PRELOADED[package]])
    done = subprocess.run(
        [sys.executable, "-c", CHILD, task], cwd=here, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    found = [json.loads(line) for line in done.stdout.splitlines()]
    assert [entry["module"] for entry in found] == list(modules_of(package))
    return package, found, here


def test_each_module_imports_alone(finds):
    assert {entry["module"]: entry["error"] for entry in finds[1] if entry["error"]} == {}


def test_importing_does_nothing(finds):
    """No file, folder, process or connection is made, and no setting is read."""
    _, found, here = finds
    assert {entry["module"]: entry["written"] for entry in found if entry["written"]} == {}
    assert {entry["module"]: entry["read"] for entry in found if entry["read"]} == {}
    assert list(here.iterdir()) == []


def test_heavy_libraries_wait_until_they_are_needed(finds):
    loaded = {entry["module"]: {name.split(".")[0] for name in entry["loaded"]} & ON_DEMAND for entry in finds[1]}
    assert {module: names for module, names in loaded.items() if names} == {}


def test_imports_point_one_way(finds):
    package, found, _ = finds
    above = set(ORDER[ORDER.index(package) + 1 :])
    for entry in found:
        assert {name.split(".")[0] for name in entry["loaded"]} & above == set(), entry["module"]


def test_bare_folder_names_belong_to_users(finds):
    for entry in finds[1]:
        assert {"api", "data", "models", "workflows"} & set(entry["loaded"]) == set(), entry["module"]


def test_every_package_has_modules():
    assert {package: len(list(modules_of(package))) > 8 for package in ORDER} == dict.fromkeys(ORDER, True)
