"""What commands hold in memory at most; ``budgets.toml`` says how much is allowed."""

from __future__ import annotations

import os
import re
import socket
import sys
import time
import tomllib
from contextlib import suppress
from pathlib import Path

import psutil
import pytest

from hstore_api.client import Client

BUDGETS = tomllib.loads((Path(__file__).parent / "budgets.toml").read_text(encoding="utf-8"))["peak_memory_mib"]
SPEC = """
name = "ab5"
target = "onboard"
shard_rows = 108

[source]
kind = "grid"
sites = [
  { elements = ["La", "Ce"], choose = 2, total = 1.0, step = 0.1 },
  { elements = ["Ni", "Co", "Al"], choose = 2, total = 5.0, step = 1.0 },
]
"""
METALS = ("Ti", "Zr", "V", "Cr", "Mn", "Fe", "Co", "Ni", "Cu", "Mg", "La", "Ce", "Al", "Y", "Nb")
FORMULAS = [f"{one}{other}2" for one in METALS for other in METALS if one != other][:200]

pytestmark = [
    pytest.mark.long,
    pytest.mark.skipif(sys.platform != "linux", reason="peaks are read from /proc"),
]


@pytest.fixture(scope="module")
def environment(trained, loaded):
    """Variables of a process that finds the shared models."""
    for name in ("hydride_capacity", "hydride_thermodynamics", "sorbent_uptake"):
        loaded(name)
    kept = {name: text for name, text in os.environ.items() if not name.startswith("HSTORE_")}
    return kept | {"HSTORE_HOME": str(trained.home)}


@pytest.fixture
def start(environment, tmp_path):
    """Start the command line in an empty folder; what it says goes into a file there."""
    store = {"HSTORE_DATABASE_URL": f"sqlite:///{tmp_path / 'store.sqlite'}"}

    def started(*words):
        with (tmp_path / "said").open("w") as said:
            command = [sys.executable, "-m", "hstore_workflows.cli", *words]
            return psutil.Popen(command, cwd=tmp_path, env=environment | store, stdout=said, stderr=said)

    return started


def largest_peak_mib(process):
    """Peak of the resident memory of the largest of a process and all that it started and that live now, MiB."""
    peaks = [0.0]
    for member in (process, *process.children(recursive=True)):
        with suppress(OSError):  # it has ended meanwhile
            status = Path(f"/proc/{member.pid}/status").read_text(encoding="utf-8")
            peaks += [int(kib) / 1024 for kib in re.findall(r"VmHWM:\s+(\d+) kB", status)]
    return max(peaks)


def assert_within_budget(command, mib):
    assert 0.6 * BUDGETS[command] < mib < BUDGETS[command], f"{mib:.0f} MiB: too much, or a budget too generous"


@pytest.mark.parametrize(
    ("command", "words"),
    [
        ("predict", ("h2_capacity_wt_pct", "--in", "mine.csv", "--out", "out.csv")),
        ("screen", ("onboard", "--out", "out")),
        ("batch", ("ab5.toml", "--out", "out")),
    ],
)
def test_a_command_keeps_its_budget(command, words, start, tmp_path):
    (tmp_path / "mine.csv").write_text("formula\n" + "\n".join(FORMULAS))
    (tmp_path / "ab5.toml").write_text(SPEC)
    process, mib = start(command, *words), 0.0
    while process.poll() is None:
        mib = max(mib, largest_peak_mib(process))
        time.sleep(0.05)
    assert process.returncode == 0, (tmp_path / "said").read_text()
    assert_within_budget(command, mib)


def test_an_idle_service_keeps_its_budget(start, tmp_path):
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = str(probe.getsockname()[1])
    process = start("serve", "--no-worker", "--port", port)
    try:
        with Client(f"http://127.0.0.1:{port}", retries=60) as client:
            assert client.properties()
        assert_within_budget("serve", largest_peak_mib(process))
    finally:
        process.terminate()
        process.wait(60)
