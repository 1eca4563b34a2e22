"""What a batch costs a candidate, a shard and a worker, measured here on small batches made of its candidates."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
import tracemalloc
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from statistics import mean, median
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, TypeVar

import pandas as pd

from hstore.errors import InputError
from hstore.workers import Limits, peak_memory_mib, run
from hstore_workflows.batch.collecting import SHARD_LIST, collect
from hstore_workflows.batch.estimate import sample_starts
from hstore_workflows.batch.plan import Plan, keep_plan, planned_source
from hstore_workflows.batch.shard import Task, do_shard, record_path
from hstore_workflows.batch.spec import FilesSource
from hstore_workflows.batch.standing import ShardError, standing

if TYPE_CHECKING:
    from collections.abc import Callable

    from hstore.settings import Settings
    from hstore_workflows.batch.estimate import Estimate
    from hstore_workflows.batch.shard import Done

T = TypeVar("T")

SMALL_SHARDS = 60
"""Shards of one candidate, which tell what a shard costs."""

_TIMES = 3
_SHORT_TIMES = 9
_STATED = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1", "NUMBA_NUM_THREADS": "1"}

_WATCHED = """
import json, os, posix, sys, time

calls = 0
operations = {"open", "os.mkdir", "os.link", "os.remove", "os.rename", "os.listdir", "os.scandir"}

def audit(event, arguments):
    global calls
    calls += event in operations

def counted(function):
    def call(*given, **named):
        global calls
        calls += 1
        return function(*given, **named)
    return call

sys.addaudithook(audit)
for name in ("stat", "lstat"):
    setattr(posix, name, counted(getattr(posix, name)))
    setattr(os, name, counted(getattr(os, name)))

from pathlib import Path
from hstore_workflows.batch.plan import read_plan
from hstore_workflows.batch.shard import Task, do_shard
from hstore_workflows.batch.standing import ShardError, standing

folder, home, finished = sys.argv[1:]
do_shard(Task(folder, home, 0))
opened, began = calls, time.perf_counter()
do_shard(Task(folder, home, 1))
shard, seconds = calls - opened, time.perf_counter() - began
plan = read_plan(Path(finished))
before = calls
assert len(standing(plan, Path(finished)).done) == plan.n_shards
look = (calls - before) / plan.n_shards
print(json.dumps({"opening": opened - shard, "shard": shard, "look": look, "seconds": seconds}))
"""
"""A worker that counts the calls by which Python asks a file system about names; compiled code asks some more."""


@dataclass(frozen=True)
class Rates:
    """What things cost here, on one core."""

    sample: int
    """Candidates that were measured."""
    candidates_per_core_s: float
    """Candidates of a large shard that a worker does in a second, from reading to writing."""
    scored_per_core_s: float
    """Candidates scored in a second without reading and writing, as a dry run says."""
    shard_fixed_s: float
    """What a shard takes beyond its candidates, s."""
    read_s_per_candidate: float
    """Reading a candidate from the source itself, s."""
    opening_s: float
    """From the start of an interpreter to the first shard of its worker, s."""
    opening_operations: float
    """File-system calls on names, such as open and stat, of that."""
    shard_operations: float
    """Those of a shard."""
    look_operations: float
    """Those of a look at a shard that is done."""
    worker_mib: float
    """Largest memory of the worker, MiB."""
    files_per_shard: float
    """Files of a shard."""
    bytes_per_candidate: float
    """Bytes on the disk."""
    bytes_per_shard: float
    """Bytes on the disk beyond those of the candidates."""
    look_s: float
    """A look at a shard that is done, s."""
    collect_shard_s: float
    """Collecting a shard, s; what its candidates take comes on top."""
    collect_candidate_s: float
    """Collecting a candidate, s."""
    take_candidate_s: float
    """Reading all columns of a candidate, for the rows of the ranked list, s."""
    planning_s: float
    """Planning this batch, s."""
    planned_rows: int
    """Candidates of that."""
    planning_grows: bool
    """Whether planning takes longer with more candidates: files are read, grids are not."""
    planning_mib: float
    """Largest memory of this process after planning, MiB."""
    standing_bytes_per_shard: float
    """Memory of the driver for each shard of a run, bytes."""
    plan_bytes: int
    """Size of the plan."""
    listed_bytes_per_shard: float
    """Size of a shard's line in ``shards.csv``, bytes."""

    def shard_s(self, rows: int) -> float:
        """Return what a shard of so many candidates takes, s."""
        return self.shard_fixed_s + rows * (1.0 / self.candidates_per_core_s + self.read_s_per_candidate)

    def as_json(self) -> dict[str, Any]:
        """Return the rates as plain JSON."""
        return asdict(self)


def read_rates(path: Path) -> Rates:
    """Read the rates of an earlier forecast, as ``--json`` prints it.

    Raises:
        InputError: the file cannot be read, or holds no rates.
    """
    try:
        return Rates(**json.loads(path.read_text(encoding="utf-8"))["rates"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(f"{path} holds no rates ({error}); make it with hstore batch simulate --json") from error


def measure(plan: Plan, settings: Settings, planning_s: float, found: Estimate) -> Rates:
    """Measure what a batch costs.

    Candidates from several places of the source make small batches: of one large shard, of many shards with one
    candidate each, and of one candidate. All are done by a worker, looked at and collected as any other: what
    differs tells the cost of a candidate from that of a shard. Times are the best of a few, for other work only
    adds to them.

    Args:
        plan: of the batch.
        settings: where models are.
        planning_s: what planning took, s.
        found: the estimate of a dry run.

    Raises:
        ShardError: candidates of the sample cannot be done.
    """
    planning_mib = peak_memory_mib()
    with TemporaryDirectory(prefix="hstore-rates-") as scratch:
        folder = Path(scratch)
        source = planned_source(plan)
        starts, size = sample_starts(plan.rows)
        read_s, parts = _best(lambda: [source.read(start, start + size) for start in starts])
        pool = pd.concat(parts, ignore_index=True)
        sizes = {"one": (1, 1), "many": (min(SMALL_SHARDS, len(pool)), 1)}
        sizes |= {f"few-{time}": (len(pool), len(pool)) for time in range(_TIMES)}
        plans = {name: _small(plan, pool.head(n), rows, folder / name) for name, (n, rows) in sizes.items()}
        _do(plans, folder, settings)
        held = {name: list(standing(small, folder / name).done.values()) for name, small in plans.items()}
        fixed_s = median(done.seconds for done in held["many"])
        rows_s = min(done.seconds for name in plans if name.startswith("few") for done in held[name]) - fixed_s
        rate = len(pool) / rows_s if rows_s > fixed_s else found.candidates_per_core_s  # too few of them to tell
        ended = {name: plans[name] for name in ("one", "many", "few-0")}
        collected = {name: _best(partial(collect, ended[name], folder / name))[0] for name in ended}
        looked = {name: _best(partial(standing, ended[name], folder / name))[0] for name in ended}
        whole = record_path(folder / "few-0", plans["few-0"], 0).with_suffix(".parquet")
        read_whole_s = _best(partial(pd.read_parquet, whole))[0] if whole.is_file() else 0.0
        more = max(1, len(held["many"]) - 1)
        large, small = (_mean_bytes(plans[name], folder / name, held[name]) for name in ("few-0", "many"))
        per_candidate = max(0.0, large - small) / max(1, len(pool) - 1)
        watched = _watched(plans["many"], folder / "watched", settings, folder / "many")
        return Rates(
            sample=len(pool),
            candidates_per_core_s=rate,
            scored_per_core_s=found.candidates_per_core_s,
            shard_fixed_s=fixed_s,
            read_s_per_candidate=read_s / len(pool),
            opening_s=watched["opening_s"],
            opening_operations=watched["opening"],
            shard_operations=watched["shard"] + 1,  # Arrow makes the Parquet file itself
            look_operations=watched["look"],
            worker_mib=max(done.peak_memory_mib for name in plans for done in held[name]),
            files_per_shard=mean(len(done.sha256) + 1 for done in held["few-0"]),
            bytes_per_candidate=per_candidate,
            bytes_per_shard=max(0.0, small - per_candidate),
            look_s=max(0.0, looked["many"] - looked["one"]) / more,
            collect_shard_s=max(0.0, collected["many"] - collected["one"]) / more,
            collect_candidate_s=max(0.0, collected["few-0"] - collected["one"]) / len(pool),
            take_candidate_s=read_whole_s / len(pool),
            planning_s=planning_s,
            planned_rows=plan.rows,
            planning_grows=isinstance(plan.batch.source, FilesSource),
            planning_mib=planning_mib,
            standing_bytes_per_shard=_memory_of_shard(plans["many"], folder / "many", settings),
            plan_bytes=len(json.dumps(plan.as_json(), indent=1)),
            listed_bytes_per_shard=(folder / "many" / SHARD_LIST).stat().st_size / (len(held["many"]) + 1),
        )


def _best(function: Callable[[], T]) -> tuple[float, T]:
    """Return the shortest of some times, s, and what the function returned."""
    taken = []
    for _ in range(_SHORT_TIMES):
        started = time.perf_counter()
        value = function()
        taken.append(time.perf_counter() - started)
    return min(taken), value


def _small(plan: Plan, pool: pd.DataFrame, shard_rows: int, folder: Path) -> Plan:
    """Plan a batch of some candidates, in a folder of its own."""
    folder.mkdir()
    path = folder / "source" / "pool.parquet"
    path.parent.mkdir()
    pool.to_parquet(path, index=False)
    spec = FilesSource(kind="files", files=(path.name,))
    batch = plan.batch.model_copy(update={"source": spec, "shard_rows": shard_rows, "top": 1})
    fingerprint = {"kind": "files", "sha256": [], "files": [str(path)]}
    small = replace(plan, batch=batch, source=fingerprint, rows=len(pool))
    keep_plan(small, folder)
    return small


def _do(plans: dict[str, Plan], folder: Path, settings: Settings) -> None:
    """Do all shards of some batches in one worker.

    Raises:
        ShardError: a candidate of the sample cannot be done.
    """
    tasks = [
        Task(str(folder / name), str(settings.home), number)
        for name, plan in plans.items()
        for number in range(plan.n_shards)
    ]
    batch = next(iter(plans.values())).batch
    for outcome in run(
        do_shard, tasks, workers=1, piece=1, limits=Limits(60 * batch.shard_minutes, batch.memory_mib)
    ):
        if outcome.cause:
            raise ShardError(f"candidates of the sample cannot be done ({outcome.cause}); remove the cause")


def _mean_bytes(plan: Plan, folder: Path, held: list[Done]) -> float:
    """Return the mean size of shards with their records, bytes."""
    return mean(done.bytes + record_path(folder, plan, done.number).stat().st_size for done in held)


def _watched(plan: Plan, folder: Path, settings: Settings, finished: Path) -> dict[str, float]:
    """Start a worker as a node does, in an interpreter of its own, and count what it asks of the file system.

    Args:
        plan: whose first two shards it does.
        folder: to do them in.
        settings: where models are.
        finished: folder of a run of the plan that is done, to look at.
    """
    keep_plan(plan, folder)
    started = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-c", _WATCHED, str(folder), str(settings.home), str(finished)],
        env=os.environ | _STATED,
        capture_output=True,
        text=True,
        check=True,
    )
    taken_s = time.perf_counter() - started
    counted: dict[str, float] = json.loads(done.stdout)
    return counted | {"opening_s": max(0.0, taken_s - 2 * counted["seconds"])}


def _memory_of_shard(plan: Plan, folder: Path, settings: Settings) -> float:
    """Return what the driver holds of each shard while it runs and collects, bytes."""
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        held = standing(plan, folder), [Task(str(folder), str(settings.home), n) for n in range(plan.n_shards)]
        taken = tracemalloc.get_traced_memory()[0] - before
    finally:
        tracemalloc.stop()
    return taken / len(held[0].done)
