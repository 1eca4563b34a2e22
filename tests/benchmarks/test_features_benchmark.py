import json
import subprocess
import sys
from pathlib import Path

SCRIPT = Path(__file__).parents[2] / "benchmarks" / "features.py"


def test_small_run_compares_equal_values():
    done = subprocess.run(
        [sys.executable, SCRIPT, "--structures", "2", "--tiers", "1", "--only", "density", "--json"],
        capture_output=True, text=True, check=False, timeout=240,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    figures = json.loads(done.stdout)
    density = figures["featurizers"]["density"]
    assert density["compared"] == 60
    assert density["outside"] == density["only_ours"] == density["only_matminer"] == 0
    assert density["ratio"] > 1
    tier = figures["tiers"]["1"]
    assert tier["crystals"] == 20
    assert tier["cached"]["ratio"] > 1
