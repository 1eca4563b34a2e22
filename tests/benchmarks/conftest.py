"""How tests run a benchmark: as a user does, apart from the settings of whoever runs the tests."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import pytest

FOLDER = Path(__file__).parents[2] / "benchmarks"


def pytest_collection_modifyitems(items):
    """Mark all tests of this folder as long: each runs a whole benchmark."""
    for item in items:
        if item.path.parent == Path(__file__).parent:
            item.add_marker(pytest.mark.long)


@pytest.fixture
def benchmark(tmp_path):
    """Run a benchmark by its name; HSTORE_HOME is an empty folder unless given."""

    def run(name, *arguments, home=tmp_path):
        environment = {key: value for key, value in os.environ.items() if not key.startswith("HSTORE_")}
        return subprocess.run(
            [sys.executable, FOLDER / f"{name}.py", *arguments],
            capture_output=True, text=True, check=False, timeout=500, env=environment | {"HSTORE_HOME": str(home)},
        )  # fmt: skip

    return run


@pytest.fixture
def benchmark_module(monkeypatch):
    """Import a benchmark by its name, with what lies beside it."""
    monkeypatch.syspath_prepend(FOLDER)

    def load(name):
        spec = importlib.util.spec_from_file_location(name, FOLDER / f"{name}.py")
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        return module

    return load
