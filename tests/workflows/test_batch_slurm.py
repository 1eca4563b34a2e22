"""A batch on a real Slurm, disturbed in every way that clusters know."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from contextlib import contextmanager, suppress
from pathlib import Path

import pandas as pd
import psutil
import pytest

from hstore_workflows.batch.collecting import collect
from hstore_workflows.batch.plan import keep_plan, make_plan
from hstore_workflows.batch.running import Run
from hstore_workflows.batch.shard import record_path
from hstore_workflows.batch.site import LocalSite, load_site
from hstore_workflows.batch.standing import standing

sys.path.insert(0, str(Path(__file__).parent))  # workers import it too
import breaking_shards

HERE = Path(__file__).parent

pytestmark = [
    pytest.mark.long,
    pytest.mark.skipif(
        not os.environ.get("HSTORE_TEST_SLURM"),
        reason='HSTORE_TEST_SLURM is unset; run: eval "$(.ci/slurm.sh start)"',
    ),
]

SHARDS = 200
SPEC = """
name = "ab5"
target = "onboard"
shard_rows = 2
top = 50
tries = 2
shard_minutes = 60

[source]
kind = "files"
files = ["pool.csv"]
"""
SITE = f"""
kind = "slurm"
workers_per_node = 2
walltime = "00:01:00"
exclusive = false
address = "127.0.0.1"
poll_s = 2
lost_after_s = 8
setup = ["export PYTHONPATH={HERE}"]
"""
RESULTS = ("top.csv", "top.parquet", "pareto.csv", "pareto.parquet", "rejected.csv", "summary.json")


@pytest.fixture(scope="module", autouse=True)
def scheduler():
    """The one scheduler of the machine, empty: these tests stay in one process, one after the other."""
    assert not blocks()


@pytest.fixture
def planned(trained, loaded, tmp_path):
    """A plan of 200 shards in the folder of its run, and the same in another folder."""
    for name in ("hydride_capacity", "hydride_thermodynamics"):
        loaded(name)
    steps = [place / (2 * SHARDS) for place in range(2 * SHARDS)]
    formulas = [f"La{1 - step:.4f}Ce{step:.4f}Ni{5 - step:.4f}Al{step:.4f}" for step in steps]
    formulas[0] = "rubbish"
    pd.DataFrame({"formula": formulas}).to_csv(tmp_path / "pool.csv", index=False)
    (tmp_path / "ab5.toml").write_text(SPEC)
    (tmp_path / "here.toml").write_text(SITE)
    plans = {}
    for name in ("disturbed", "undisturbed"):
        plans[name] = make_plan(tmp_path / "ab5.toml", tmp_path / name, trained)
        keep_plan(plans[name], tmp_path / name)
    return plans["disturbed"], tmp_path


def test_whatever_ends_the_result_is_whole_and_nothing_is_done_twice(planned, trained):
    plan, beside = planned
    folder, site = beside / "disturbed", beside / "here.toml"
    kept, pace = Kept(plan, folder), folder / breaking_shards.PACE
    pace.write_text("0.3")
    driver = [sys.executable, str(HERE / "breaking_shards.py"), str(folder), str(trained.home), str(site)]

    with started(driver, beside / "first.log") as first:
        kept.wait_for(4, first)
        next(process for process in psutil.process_iter() if works_in(folder, process)).kill()
        kept.wait_for(12, first)
        (block,) = blocks()
        subprocess.run(["scancel", block], check=True)
        kept.wait_for(24, first)
        (block,) = blocks()
        pace.write_text("3")
        deadline = time.monotonic() + 150
        while block in blocks():  # until its walltime
            assert time.monotonic() < deadline
            assert first.poll() is None
            time.sleep(1)
        pace.write_text("0.3")
        kept.wait_for(len(kept.look()) + 6, first)
        (folder / breaking_shards.FULL).touch()
        assert first.wait(120) != 0
    said = (beside / "first.log").read_text()
    assert "No space left on device" in said
    assert "no candidate of it is to blame" in said
    (folder / breaking_shards.FULL).unlink()
    kept.look()

    number = max(standing(plan, folder).done)
    spoilt = record_path(folder, plan, number).with_suffix(".parquet")
    content = bytearray(spoilt.read_bytes())
    content[len(content) // 2] ^= 1
    spoilt.write_bytes(content)
    kept.forget(number)

    with started(driver, beside / "second.log") as second:
        kept.wait_for(len(kept.look()) + 8, second)
        second.kill()
    kept.look()

    environment = os.environ | {"HSTORE_HOME": str(trained.home)}
    command = [sys.executable, "-m", "hstore_workflows.cli", "batch", "resume", str(folder), "--site", str(site)]
    done = subprocess.run(
        [*command, "--json"], env=environment, capture_output=True, text=True, check=False, timeout=200
    )
    assert done.returncode == 0, done.stderr
    assert len(kept.look()) == SHARDS
    assert json.loads(done.stdout)["candidates"] == 2 * SHARDS - 1
    assert not blocks(), "the blocks are given back"

    Run(plan, beside / "undisturbed", trained, LocalSite(kind="local", workers=2))()
    collect(plan, beside / "undisturbed")
    for name in RESULTS:
        assert (folder / name).read_bytes() == (beside / "undisturbed" / name).read_bytes(), name


def test_blocks_that_bring_no_workers_are_not_asked_for_for_ever(planned, trained):
    plan, beside = planned
    (beside / "here.toml").write_text(SITE.replace("export PYTHONPATH", "echo no such module; exit 3; echo "))
    with pytest.raises(Exception, match=r"blocks ended one after the other and no shard was done.*no such module"):
        Run(plan, beside / "disturbed", trained, load_site(str(beside / "here.toml")))()
    assert not standing(plan, beside / "disturbed").done
    assert not blocks()


class Kept:
    """The records of finished shards, which must stay as they are."""

    def __init__(self, plan, folder):
        self.paths = {number: record_path(folder, plan, number) for number in range(plan.n_shards)}
        self.seen, self.spoilt = {}, {}

    def look(self):
        """Compare those seen before with what is there, and return all."""
        here = {
            number: (path.read_bytes(), path.stat().st_mtime_ns)
            for number, path in self.paths.items()
            if path.is_file()
        }
        here = {number: record for number, record in here.items() if record != self.spoilt.get(number)}
        again = [number for number, record in self.seen.items() if here.get(number) != record]
        assert not again, f"finished shards that were done again: {again}"
        self.seen = here
        return here

    def forget(self, number):
        """Let a shard be done again."""
        self.spoilt[number] = self.seen.pop(number)

    def wait_for(self, count, driver):
        """Wait until so many shards are done."""
        deadline = time.monotonic() + 120
        while len(self.look()) < count:
            assert time.monotonic() < deadline, f"{len(self.seen)} of {count} shards"
            assert driver.poll() is None, "the driver has ended"
            time.sleep(0.3)


@contextmanager
def started(command, log):
    """Start a driver that writes to a file; it does not outlive the block."""
    with log.open("w") as stream, subprocess.Popen(command, stdout=stream, stderr=stream) as driver:
        try:
            yield driver
        finally:
            driver.kill()


def works_in(folder, process):
    """Tell whether a process is a worker of a run: it writes a log of its own."""
    with suppress(psutil.Error):
        logs = [Path(file.path) for file in process.open_files()]
        return any(path.name.startswith("worker_") and folder in path.parents for path in logs)
    return False


def blocks():
    """Return the jobs that are running or waiting."""
    return subprocess.run(["squeue", "-h", "-o", "%i"], capture_output=True, text=True, check=True).stdout.split()
