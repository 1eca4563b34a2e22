"""Four processes on one campaign, one of them killed: the short form of ``make soak``."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.long

SCRIPT = Path(__file__).parents[2] / "benchmarks" / "campaign_soak.py"


@pytest.mark.parametrize("database", ["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
def test_nothing_is_doubled_lost_or_left_behind(database):
    if database == "postgresql" and not os.environ.get("HSTORE_TEST_POSTGRES_URL"):
        pytest.skip('HSTORE_TEST_POSTGRES_URL is unset; run: eval "$(.ci/postgres.sh start)"')
    sizes = ("--seconds", "6", "--processes", "4", "--kills", "1", "--lease-seconds", "3", "--rows", "300")
    command = [sys.executable, SCRIPT, "--on", database, *sizes, "--json"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=400, check=False)
    assert done.stdout, done.stderr
    report = json.loads(done.stdout)[database]
    assert report["problems"] == []
    assert (report["processes"], report["killed"]) == (4, 1)
    assert report["proposed"] > 3
    assert sum(report["told"].values()) > 2
    assert done.returncode == 0
