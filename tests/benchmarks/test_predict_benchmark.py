import json
import os
import subprocess
import sys
from pathlib import Path

from hstore_models.training import MODELS

SCRIPT = Path(__file__).parents[2] / "benchmarks" / "predict.py"


def run(home, *arguments):
    environment = {name: value for name, value in os.environ.items() if not name.startswith("HSTORE_")}
    return subprocess.run(
        [sys.executable, SCRIPT, *arguments],
        capture_output=True, text=True, check=False, timeout=300, env=environment | {"HSTORE_HOME": str(home)},
    )  # fmt: skip


def test_small_run_times_one_and_many_and_agrees_with_its_peer(trained, loaded):
    loaded("hydride_capacity")
    done = run(
        trained.home, "--only", "hydride_capacity", "--rows", "500", "--single", "10", "--trees", "60", "--json"
    )
    assert done.returncode == 0, done.stderr
    figures = json.loads(done.stdout)
    assert figures["data"] == "embedded"
    assert set(figures["single"]) == set(MODELS["hydride_capacity"])
    assert 0 < figures["slowest_single_ms"] < 1000
    assert figures["batch"]["hydride_capacity"]["seconds"] > 0
    for peer in figures["trees"].values():
        assert peer["largest_relative_difference"] < 1e-12
        assert peer["one_row_ratio"] > 5
    assert set(figures["versions"]) == {"hstore", "numpy", "numba", "scikit-learn"}


def test_rows_must_be_positive(tmp_path):
    done = run(tmp_path, "--rows", "0")
    assert done.returncode == 2
    assert "at least 1" in done.stderr
