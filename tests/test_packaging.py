"""What is built and shipped: content, metadata, one version everywhere, extras."""

from __future__ import annotations

import hashlib
import importlib.util
import json
import re
import subprocess
import sys
import tomllib
import zipfile
from importlib.metadata import entry_points
from pathlib import Path

import pytest
from packaging.metadata import Metadata
from packaging.requirements import Requirement

import hstore

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
EXTRAS = PROJECT["optional-dependencies"]
LARGEST_MB = 3.0
"""Size of the wheel, compressed, above which somebody should ask what came in."""

LEFT_BEHIND = (
    "hstore/__pycache__/errors.cpython-311.pyc", "data/hstore_data/store.sqlite", "runs/onboard/report.html",
    "tests/.hypothesis/examples/1", "models/hstore_models/runs/model.json", "dist/old.whl",
)  # fmt: skip
"""What lies in folders of people at work, and none of it may be shipped."""


def load(name):
    """Load a script of ``.ci`` as a module."""
    spec = importlib.util.spec_from_file_location(f"ci_{name}", ROOT / f".ci/{name}.py")
    module = sys.modules[f"ci_{name}"] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


content = load("content")
extras = load("extras")


def build(source, destination, *kinds):
    """Build distributions of a folder with the backend that is installed."""
    done = subprocess.run(
        [sys.executable, "-m", "build", "--no-isolation", *kinds, "--outdir", str(destination), str(source)],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.fixture(scope="module")
def checkout(tmp_path_factory):
    """A copy of the project's files, and among them what work leaves behind."""
    folder = tmp_path_factory.mktemp("checkout")
    for name in (*content.project_files(), *LEFT_BEHIND):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"" if name in LEFT_BEHIND else (ROOT / name).read_bytes())
    return folder


@pytest.fixture(scope="module")
def built(checkout, tmp_path_factory):
    """A source distribution, and the wheel that was built from it."""
    folder = tmp_path_factory.mktemp("dist")
    build(checkout, folder)
    [sdist], [wheel] = folder.glob("*.tar.gz"), folder.glob("*.whl")
    return sdist, wheel


@pytest.fixture(scope="module")
def metadata(built):
    """The wheel's metadata, every field read and checked."""
    with zipfile.ZipFile(built[1]) as archive:
        [name] = [name for name in archive.namelist() if name.endswith(".dist-info/METADATA")]
        return Metadata.from_email(archive.read(name), validate=True)


def hashes(wheel):
    """Name -> hash of what is in a wheel."""
    with zipfile.ZipFile(wheel) as archive:
        return {name: hashlib.sha256(archive.read(name)).hexdigest() for name in archive.namelist()}


def test_distributions_hold_every_file_of_theirs_and_nothing_else(built):
    sdist, wheel = built
    assert content.wheel_problems(set(content.wheel_content(wheel))) == []
    assert content.sdist_problems(set(content.sdist_content(sdist))) == []
    assert wheel.stat().st_size < LARGEST_MB * 1e6


def test_the_wheel_of_the_source_distribution_is_that_of_the_checkout(built, checkout, tmp_path):
    build(checkout, tmp_path, "--wheel")
    [direct] = tmp_path.glob("*.whl")
    assert hashes(direct) == hashes(built[1])


@pytest.mark.parametrize(
    "name",
    [
        "hstore/py.typed", "hstore/store/migrations/versions/0001_first.py", "hstore_data/cards/hydrides.toml",
        "hstore_data/tables/computed_hydrides.parquet", "hstore_models/specs/hydride_capacity.toml",
        "hstore_workflows/targets/onboard.toml", "hstore_api/pages/templates/base.html", "hstore_api/openapi.json",
    ],
)  # fmt: skip
def test_a_missing_file_is_named(name):
    whole = content.expected_wheel()
    assert content.wheel_problems(whole) == []
    assert f"missing: {name}" in content.wheel_problems(whole - {name})


@pytest.mark.parametrize(
    "name", ["hstore/__pycache__/errors.cpython-311.pyc", "hstore_models/.env", "runs/onboard/report.html"]
)
def test_a_file_too_much_is_named(name):
    assert f"not to be shipped: {name}" in content.wheel_problems(content.expected_wheel() | {name})
    assert f"not to be shipped: {name}" in content.sdist_problems(content.expected_sdist() | {name})


def test_a_folder_that_moved_is_told():
    left = {name for name in content.expected_wheel() if "/targets/" not in name}
    assert "no targets: nothing matches hstore_workflows/targets/*.toml" in content.wheel_problems(left)


def test_the_listing_fails_with_what_is_missing(built, tmp_path, capsys):
    _, wheel = built
    torn = tmp_path / wheel.name
    with zipfile.ZipFile(wheel) as whole, zipfile.ZipFile(torn, "w") as archive:
        for name in whole.namelist():
            if name != "hstore_api/openapi.json":
                archive.writestr(name, whole.read(name))
    assert content.main([str(wheel)]) == 0
    assert re.search(r"all +\d+ +\d+\.\d kB\n  nothing missing, nothing too much\n$", capsys.readouterr().out)
    assert content.main([str(torn)]) == 1
    assert "  missing: hstore_api/openapi.json\n" in capsys.readouterr().out


def test_metadata_are_valid_and_say_what_the_project_says(metadata):
    assert metadata.name == "hstore"
    assert metadata.summary == PROJECT["description"]
    assert metadata.description_content_type == "text/markdown"
    assert metadata.description == (ROOT / "README.md").read_text(encoding="utf-8")
    assert metadata.license_expression == "Apache-2.0"
    assert str(metadata.requires_python) == PROJECT["requires-python"]
    assert set(metadata.provides_extra) == set(EXTRAS)
    assert set(metadata.classifiers) == set(PROJECT["classifiers"])


def test_the_wheel_requires_what_the_project_lists(metadata):
    plain = {str(wanted) for wanted in metadata.requires_dist if wanted.marker is None}
    assert plain == {str(Requirement(line.lower())) for line in PROJECT["dependencies"]}
    assert len(metadata.requires_dist) == len(plain) + sum(map(len, EXTRAS.values()))


def test_the_version_is_one_everywhere(metadata):
    citation = re.search(r"^version: (\S+)$", (ROOT / "CITATION.cff").read_text(encoding="utf-8"), re.MULTILINE)
    newest = re.search(r"^## (\S+)", (ROOT / "CHANGELOG.md").read_text(encoding="utf-8"), re.MULTILINE)
    contract = json.loads((ROOT / "api/hstore_api/openapi.json").read_text(encoding="utf-8"))
    versions = {
        "hstore.__version__": hstore.__version__,
        "pyproject.toml": PROJECT["version"],
        "wheel": str(metadata.version),
        "CITATION.cff": citation[1],
        "CHANGELOG.md": newest[1],
        "contract": contract["info"]["version"],
    }
    assert versions == dict.fromkeys(versions, hstore.__version__)


def test_the_command_is_the_one_that_the_metadata_name():
    [command] = entry_points(group="console_scripts", name="hstore")
    assert f"{command.module}:{command.attr}" == PROJECT["scripts"]["hstore"]
    assert callable(command.load())


@pytest.mark.parametrize("line", PROJECT["dependencies"] + [line for lines in EXTRAS.values() for line in lines])
def test_every_dependency_has_a_lower_bound(line):
    assert {part.operator for part in Requirement(line).specifier} & {">=", "=="}, f"{line} has no lower bound"


def test_the_pythons_checked_are_those_promised():
    promised = [line.rpartition(" ")[2] for line in PROJECT["classifiers"] if ":: Python :: 3." in line]
    assert list(extras.PYTHONS) == promised
    assert PROJECT["requires-python"] == f">={promised[0]}"


def test_groups_of_extras_leave_none_out():
    groups = extras.groups(EXTRAS)
    assert set().union(*groups) == set(EXTRAS)
    assert not any({one, other} <= group for one, other in extras.APART for group in groups)


def test_extras_that_do_not_resolve_are_named(monkeypatch):
    def resolve(python, names):
        error = "no version of b for this Python" if python == "3.12" and "b" in names else ""
        return extras.Resolution(packages=7, seconds=0.1, error=error)

    monkeypatch.setattr(extras, "resolve", resolve)
    lines = list(extras.failures(["3.11", "3.12"], [frozenset({"a"}), frozenset({"b", "c"})]))
    assert lines == ["Python 3.12, extra b: no version of b for this Python"]
