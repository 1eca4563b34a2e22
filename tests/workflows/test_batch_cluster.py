"""Sites with a scheduler: what is asked for, and work that comes back; Slurm itself is in test_batch_slurm."""

from __future__ import annotations

import math
import os
import stat
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

from hstore.errors import InputError
from hstore.workers import Limits
from hstore_workflows.batch.cluster import Cluster
from hstore_workflows.batch.site import ClusterSite, load_site, shipped_sites, site_text

pytestmark = pytest.mark.skipif(
    find_spec("parsl") is None, reason="sites with a scheduler need the extra: pip install 'hstore[cluster]'"
)
COMMANDS = ("qsub", "qstat", "qdel", "bsub", "bjobs", "bkill", "flux")
HERE = Path(__file__).parent


@pytest.fixture
def schedulers(tmp_path, monkeypatch):
    """Folder of the jobs of PBS, LSF and Flux, whose commands are on the path."""
    jobs, commands = tmp_path / "jobs", tmp_path / "bin"
    jobs.mkdir()
    commands.mkdir()
    for name in COMMANDS:
        path = commands / name
        path.write_text(f'#!/bin/sh\nexec {sys.executable} {HERE / "scheduler_double.py"} {jobs} {name} "$@"\n')
        path.chmod(path.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", f"{commands}{os.pathsep}{os.environ['PATH']}")
    return jobs


def site(kind, **fields):
    quick = {"address": "127.0.0.1", "poll_s": 1, "lost_after_s": 8, "workers_per_node": 2}
    return ClusterSite(kind=kind, **quick | fields)


def cluster_of(where, folder, function=math.sqrt, **more):
    return Cluster(function, site=where, folder=folder, limits=Limits(seconds=60), **more)


@pytest.mark.parametrize("kind", ["pbs", "lsf", "flux"])
def test_work_comes_back_from_every_scheduler(kind, schedulers, tmp_path):
    told = []
    with cluster_of(site(kind), tmp_path, say=told.append) as cluster:
        outcomes = {outcome.index: outcome for outcome in cluster.map([4.0, -1.0, 9.0])}
        assert [outcomes[place].value for place in (0, 2)] == [2.0, 3.0]
        assert outcomes[1].value is None
        assert outcomes[1].cause.startswith("ValueError: ")
        again = [outcome.value for outcome in cluster.map([16.0])]
        assert again == [4.0]
    assert told == ["asked for block 1"], "one block served both passes"
    assert "process_worker_pool" in (schedulers / "1.sh").read_text()


@pytest.mark.parametrize(
    ("kind", "fields", "lines"),
    [
        (
            "slurm",
            {"queue": "batch", "account": "h2", "qos": "low", "constraint": "haswell", "memory_gib_per_node": 64,
             "walltime": "12:30:00", "nodes_per_block": 4, "cores_per_node": 32},
            ["#SBATCH --partition=batch", "#SBATCH --account=h2", "#SBATCH --qos=low",
             "#SBATCH --constraint=haswell", "#SBATCH --mem=64g", "#SBATCH --time=750",
             "#SBATCH --nodes=4", "#SBATCH --cpus-per-task=32",
             "#SBATCH --exclusive", "srun "],
        ),
        (
            "pbs",
            {"memory_gib_per_node": 64, "walltime": "12:30:00", "nodes_per_block": 2},
            ["#PBS -l walltime=12:30:00", "#PBS -l select=2:ncpus=2:mem=64gb", "mpiexec "],
        ),
        (
            "lsf",
            {"queue": "normal", "account": "h2", "walltime": "12:30:00", "nodes_per_block": 3},
            ["#BSUB -W 750", "#BSUB -n 6", '#BSUB -R "span[ptile=2]"', "#BSUB -q normal", "#BSUB -P h2"],
        ),
        ("lsf", {"launcher": "jsrun", "nodes_per_block": 3}, ["#BSUB -nnodes 3", "jsrun "]),
        (
            "flux",
            {"queue": "batch", "account": "h2", "walltime": "12:30:00", "nodes_per_block": 4},
            ["#flux: --queue=batch", "#flux: --bank=h2", "#flux: --time-limit=45000s", "#flux: --nodes=4",
             "flux run -N 4 -n 4"],
        ),
    ],
)  # fmt: skip
def test_the_script_says_what_the_site_says(kind, fields, lines, schedulers, tmp_path):
    where = site(kind, options=("#own directive",), setup=("module load python",), python="/apps/python", **fields)
    script = cluster_of(where, tmp_path).submit_script()
    own = ["#own directive", "module load python", "/apps/python -m parsl", "--max_workers_per_node=2"]
    for line in [*lines, *own]:
        assert line in script, line
    assert not list(schedulers.iterdir()), "nothing was asked for"
    assert not (tmp_path / "cluster").exists()


def test_no_shard_is_begun_that_the_walltime_would_cut(tmp_path):
    where = site("flux", walltime="01:00:00")
    long = Cluster(math.sqrt, site=where, folder=tmp_path, limits=Limits(seconds=600)).submit_script()
    assert "--drain_period=3000" in long
    longer = Cluster(math.sqrt, site=where, folder=tmp_path, limits=Limits(seconds=7200)).submit_script()
    assert "--drain_period=None" in longer


def test_without_its_scheduler_a_site_says_so(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    with cluster_of(site("pbs"), tmp_path) as cluster, pytest.raises(InputError, match="qsub is not here"):
        list(cluster.map([4.0]))


def test_shipped_sites_can_be_copied(tmp_path):
    assert shipped_sites() == ["flux", "local", "lsf", "pbs", "slurm"]
    for name in shipped_sites():
        copied = tmp_path / f"my-{name}.toml"
        copied.write_text(site_text(name))
        assert load_site(str(copied)) == load_site(name)
        assert load_site(name).kind == name
    explained = {line.split("=")[0].strip() for line in site_text("slurm").splitlines() if "=" in line}
    assert {field for field in ClusterSite.model_fields if field not in explained} == set()
    with pytest.raises(InputError, match="slurm"):
        site_text("slrum")


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ('walltime = "1h"', "HH:MM:SS"),
        ('walltime = "00:00:00"', "above 0"),
        ("workers_per_node = 0", "workers_per_node"),
        ("nodes_per_block = 2\nlauncher = 'single'", "reaches one node"),
        ("cores_per_node = 8", "need as many cores"),
        ("qos = 'low'", "are of Slurm"),
        ("quue = 'batch'", "quue"),
    ],
)
def test_a_site_that_cannot_be_used_is_refused(line, message, tmp_path):
    kind = "pbs" if "qos" in line else "slurm"
    workers = "" if "workers" in line else "workers_per_node = 16\n"
    (tmp_path / "mine.toml").write_text(f'kind = "{kind}"\n{workers}{line}\n')
    with pytest.raises(InputError, match=message):
        load_site(str(tmp_path / "mine.toml"))
