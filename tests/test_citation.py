"""CITATION.cff is valid, and agrees with the package on version, licence and name."""

from __future__ import annotations

import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner

import hstore
from hstore_workflows.cli import main

ROOT = Path(__file__).parents[1]
SCHEMA = "vendor.citation-file-format"


def validated(path):
    """The Citation File Format's own schema, as check-jsonschema brings it."""
    return subprocess.run(
        [sys.executable, "-m", "check_jsonschema", "--builtin-schema", SCHEMA, str(path)],
        capture_output=True, text=True, check=False,
    )  # fmt: skip


@pytest.fixture(scope="module")
def citation():
    return yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))


def test_the_citation_is_valid():
    done = validated(ROOT / "CITATION.cff")
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("lost", ["authors", "title", "cff-version", "message"])
def test_a_citation_that_is_not_valid_would_be_found(citation, tmp_path, lost):
    part = {key: value for key, value in citation.items() if key != lost}
    (tmp_path / "CITATION.cff").write_text(yaml.safe_dump(part), encoding="utf-8")
    done = validated(tmp_path / "CITATION.cff")
    assert done.returncode == 1
    assert lost in done.stdout


def test_citation_package_and_command_agree(citation):
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    printed = CliRunner().invoke(main, ["--version"]).stdout
    assert citation["version"] == project["version"] == hstore.__version__
    assert printed.split()[-1] == hstore.__version__
    assert citation["license"] == project["license"] == "Apache-2.0"
    assert citation["title"].split(":")[0] == project["name"]
    assert [author["name"] for author in citation["authors"]] == [author["name"] for author in project["authors"]]
