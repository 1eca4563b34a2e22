"""Compare what ``hstore batch simulate`` foretells with a real run on this machine.

A batch of alloys is done by worker processes and collected. Its own shard times, as its records tell them, and the
time until its first shard began are given to the simulation of the same workers: the makespan should be that of
the real run. Before it, the run is also forecast from the rates that the command measures: times, bytes, files,
the look at shards and collecting.

Example: ``python benchmarks/batch_forecast.py --rows 100000 --json``
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from importlib.metadata import version
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any

from hstore.settings import Settings, load_settings
from hstore_workflows.batch.collecting import collect
from hstore_workflows.batch.estimate import estimate
from hstore_workflows.batch.forecast import forecast, layout_of
from hstore_workflows.batch.limits import Assumptions
from hstore_workflows.batch.plan import Plan, keep_plan, make_plan
from hstore_workflows.batch.rates import measure
from hstore_workflows.batch.running import Run
from hstore_workflows.batch.simulate import Behaviour, Layout, Pace, Simulation
from hstore_workflows.batch.site import LocalSite
from hstore_workflows.batch.standing import standing

sys.path.insert(0, str(Path(__file__).parent))
from batch import write_pool

if TYPE_CHECKING:
    from hstore_workflows.batch.plan import Shard

_SPEC = """
name = "benchmark"
target = "onboard"
shard_rows = {shard_rows}

[source]
kind = "files"
files = ["pool.parquet"]
"""
_STILL = Behaviour(
    queue_wait_h=0,
    node_mtbf_h=1e9,
    node_spread=0,
    shard_spread=0,
    straggler_share=0,
    metadata_call_s=0,
    environment_shared=False,
)


def plan_run(folder: Path, settings: Settings, rows: int, shard_rows: int) -> Plan:
    """Write a table of alloys and plan its batch, in ``run`` of a folder of its own."""
    folder.mkdir(exist_ok=True)
    write_pool(folder / "pool.parquet", rows, seed=0)
    (folder / "spec.toml").write_text(_SPEC.format(shard_rows=shard_rows))
    plan = make_plan(folder / "spec.toml", folder / "run", settings, say=lambda line: print(line, file=sys.stderr))
    keep_plan(plan, folder / "run")
    return plan


def compare(folder: Path, settings: Settings, rows: int, shard_rows: int, workers: int) -> dict[str, Any]:
    """Forecast a batch, do it, and simulate it again from its own times."""
    site = LocalSite(kind="local", workers=workers)
    plan = plan_run(folder, settings, rows, shard_rows)
    rates = measure(plan, settings, 0.0, estimate(plan, site, settings))
    foretold = forecast(plan, layout_of(site), rates, Assumptions(behaviour=_STILL), runs=1)
    told: list[tuple[int, float]] = []
    started = time.perf_counter()
    Run(plan, folder / "run", settings, site, lambda number, _: told.append((number, time.perf_counter())))()
    running_s = time.perf_counter() - started
    begun, (first, first_at) = started, told[0]
    started = time.perf_counter()
    state = standing(plan, folder / "run")
    status_s = time.perf_counter() - started
    started = time.perf_counter()
    collect(plan, folder / "run")
    collecting_s = time.perf_counter() - started

    def shard_s(shard: Shard) -> float:
        return state.done[shard.number].seconds

    pace = Pace(shard_s, opening_s=first_at - begun - state.done[first].seconds)
    course = Simulation(plan, Layout(1, workers), pace, _STILL)()
    files = list((folder / "run" / "shards").iterdir())
    return {
        "shards": plan.n_shards,
        "running_s": round(running_s, 2),
        "simulated_s": round(course.makespan_s, 2),
        "simulated_to_real": round(course.makespan_s / running_s, 3),
        "shard_s": round(median(done.seconds for done in state.done.values()), 3),
        "foretold_shard_s": round(foretold.shard_s, 3),
        "foretold_running_s": round(3600 * foretold.makespan_h.median, 2),
        "status_s": round(status_s, 4),
        "foretold_status_s": round(foretold.status_s, 4),
        "collecting_s": round(collecting_s, 2),
        "foretold_collecting_s": round(foretold.collect_s, 2),
        "result_mib": round(sum(path.stat().st_size for path in files) / 2**20, 2),
        "foretold_result_mib": round(1024 * foretold.result_gib, 2),
        "files": len(files),
        "foretold_files": round(foretold.files),
    }


def main() -> None:
    """Read the arguments, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=100_000, help="compositions (default %(default)s)")
    parser.add_argument("--shard-rows", type=int, default=4_000, help="of a shard (default %(default)s)")
    parser.add_argument("--workers", type=int, default=2, help="worker processes (default %(default)s)")
    parser.add_argument("--json", action="store_true", help="print JSON instead of lines")
    arguments = parser.parse_args()
    if min(arguments.rows, arguments.shard_rows, arguments.workers) < 1:
        parser.error("--rows, --shard-rows and --workers must be at least 1")
    with tempfile.TemporaryDirectory(prefix="hstore-bench-") as folder:
        figures = compare(Path(folder), load_settings(), arguments.rows, arguments.shard_rows, arguments.workers)
    figures |= {"rows": arguments.rows, "workers": arguments.workers, "hstore": version("hstore")}
    if arguments.json:
        print(json.dumps(figures, indent=2))
    else:
        print("\n".join(f"{name}: {value}" for name, value in figures.items()))


if __name__ == "__main__":
    main()
