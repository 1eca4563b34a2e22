"""Measure ``hstore batch`` from compositions in a table to the ranked list, beside the plain way.

A table of alloys (four elements on average) is written, planned, done by worker processes and collected: text is
parsed, features computed, capacity, enthalpy, entropy and plateau pressure predicted with intervals, the score for
the target worked out, and all written as Parquet. Memory is what all processes hold together, shared pages counted
once (PSS), read twice a second.

The named peer is the plain way on a sample of formulas: matminer's ``StrToComposition`` and ``ElementProperty`` by
``featurize_dataframe`` with ``n_jobs=1`` for the features, then the same models asked a hundred rows at a time.
Times of features, and of the plain way, are the shortest of three; the plain way is measured before the batch and
after it, for machines are not always as fast, and the faster of the two counts.

Example: ``python benchmarks/batch.py --rows 1000000 --json``
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import threading
import time
from datetime import datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any, Self

import numpy as np
import pandas as pd
import psutil
import pyarrow as pa
import pyarrow.parquet as pq
from threadpoolctl import threadpool_limits

from hstore.formula import formula_text, parse_amounts
from hstore.settings import Settings, load_settings
from hstore.workers import load_ahead
from hstore_models.features.composition import CompositionBatch
from hstore_models.features.magpie import magpie_features
from hstore_models.prediction import Query
from hstore_models.registry import Registry
from hstore_workflows.batch.collecting import collect
from hstore_workflows.batch.journal import events
from hstore_workflows.batch.plan import Plan, keep_plan, make_plan
from hstore_workflows.batch.running import PRELOAD, Run
from hstore_workflows.batch.site import LocalSite
from hstore_workflows.scoring import score_chunk

sys.path.insert(0, str(Path(__file__).parent))
from magpie import alloy_amounts, best_time_s, matminer_values

_CHUNK = 50_000
_PLAIN_ROWS = 100
_SPEC = """
name = "benchmark"
target = "onboard"
top = 1000
shard_rows = {shard_rows}

[source]
kind = "files"
files = ["pool.parquet"]
"""


def write_pool(path: Path, rows: int, seed: int) -> None:
    """Write a table of formulas, some at a time."""
    schema = pa.schema([("formula", pa.string())])
    with pq.ParquetWriter(path, schema) as writer:
        for start in range(0, rows, _CHUNK):
            amounts = alloy_amounts(min(_CHUNK, rows - start), seed + start)
            writer.write_table(pa.table({"formula": [formula_text(a) for a in amounts]}, schema=schema))


class Memory:
    """The most that this process and those it started hold together, while in the block."""

    def __init__(self) -> None:
        self.peak_mib = 0.0
        self._over = threading.Event()
        self._watcher = threading.Thread(target=self._watch)

    def __enter__(self) -> Self:
        """Begin to watch."""
        self._watcher.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Stop watching."""
        self._over.set()
        self._watcher.join()

    def _watch(self) -> None:
        parent = psutil.Process()
        while not self._over.wait(0.5):
            held = 0
            for process in (parent, *parent.children(recursive=True)):
                try:
                    held += process.memory_full_info().pss
                except psutil.NoSuchProcess:
                    continue
            self.peak_mib = max(self.peak_mib, held / 2**20)


def measure_batch(
    folder: Path, settings: Settings, rows: int, workers: int, seed: int, shard_rows: int = 50_000
) -> tuple[Plan, dict[str, Any]]:
    """Do a whole batch, and return its plan and the figures."""
    write_pool(folder / "pool.parquet", rows, seed)
    (folder / "spec.toml").write_text(_SPEC.format(shard_rows=shard_rows))
    with Memory() as memory:
        started = time.perf_counter()
        load_ahead(PRELOAD)
        plan = make_plan(
            folder / "spec.toml", folder / "run", settings, say=lambda line: print(line, file=sys.stderr)
        )
        keep_plan(plan, folder / "run")
        planned = time.perf_counter()
        Run(plan, folder / "run", settings, LocalSite(kind="local", workers=workers))()
        done = time.perf_counter()
        found = collect(plan, folder / "run")
        ended = time.perf_counter()
    assert found.summary["candidates"] == rows
    return plan, {
        "candidates_per_s": round(rows / (ended - started)),
        "planning_s": round(planned - started, 2),
        "running_s": round(done - planned, 2),
        "collecting_s": round(ended - done, 2),
        **workers_at_work(folder / "run", workers),
        "peak_rss_mib": round(memory.peak_mib),
        "result_mib": round(sum(path.stat().st_size for path in (folder / "run").rglob("*.parquet")) / 2**20),
    }


def small_plan(folder: Path, settings: Settings) -> Plan:
    """Plan a batch of ten compositions, to know the models; none is done."""
    beside = folder / "small-plan"
    beside.mkdir()
    write_pool(beside / "pool.parquet", 10, 0)
    (beside / "spec.toml").write_text(_SPEC.format(shard_rows=10))
    return make_plan(beside / "spec.toml", beside / "run", settings, say=lambda line: print(line, file=sys.stderr))


def workers_at_work(folder: Path, workers: int) -> dict[str, float]:
    """Return when the first shard was begun, the mean time of a shard, and the share of time spent in them."""
    found = list(events(folder))
    began = datetime.fromisoformat(next(event["at"] for event in found if event["event"] == "run"))
    shards = [
        ((datetime.fromisoformat(event["at"]) - began).total_seconds(), event["seconds"])
        for event in found
        if event["event"] == "done"
    ]
    first = min(at - seconds for at, seconds in shards)
    busy_s = sum(seconds for _, seconds in shards)
    return {
        "first_shard_after_s": round(first, 2),
        "shard_s": round(busy_s / len(shards), 2),
        "busy_share": round(busy_s / (workers * (max(at for at, _ in shards) - first)), 3),
    }


def measure_features(rows: int, seed: int) -> float:
    """Return the compositions that one core parses and featurizes in a second."""
    formulas = [formula_text(amounts) for amounts in alloy_amounts(rows, seed)]

    def work() -> None:
        for start in range(0, rows, 4000):
            magpie_features(CompositionBatch.from_formulas(formulas[start : start + 4000])[0])

    with threadpool_limits(1):
        return rows / best_time_s(work)


def measure_plain(plan: Plan, settings: Settings, rows: int, seed: int) -> tuple[float, float]:
    """Return the compositions that matminer featurizes in a second, and that the plain way scores in a second."""
    amounts = alloy_amounts(rows, seed)
    _, featurizing_s = matminer_values([formula_text(a) for a in amounts])
    registry = Registry(settings.models_dir)
    models = {name: registry.load(name, model_id) for name, model_id in plan.models.items()}

    def work() -> None:
        for start in range(0, rows, _PLAIN_ROWS):
            score_chunk(plan.target, Query.of(amounts[start : start + _PLAIN_ROWS]), models)

    predicting_s = best_time_s(work)
    return rows / featurizing_s, rows / (featurizing_s + predicting_s)


def same_ranking(folder: Path, plan: Plan, settings: Settings, rows: int) -> dict[str, float]:
    """Compare the best of the batch with those of all rows scored in one piece."""
    registry = Registry(settings.models_dir)
    models = {name: registry.load(name, model_id) for name, model_id in plan.models.items()}
    formulas = pd.read_parquet(folder / "pool.parquet")["formula"].tolist()
    scored = score_chunk(plan.target, Query.of([parse_amounts(text) for text in formulas]), models)
    order = np.lexsort((np.arange(rows), -scored["score"].fillna(-1.0).to_numpy()))[: plan.batch.top]
    top = pd.read_parquet(folder / "run" / "top.parquet")
    difference = np.abs(top["score"].to_numpy() - scored["score"].to_numpy()[order])
    return {
        "same_candidates": float(np.mean(top["candidate"].to_numpy() == order)),
        "largest_difference_of_scores": float(difference.max()),
    }


def main() -> None:
    """Read the arguments, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=1_000_000, help="compositions (default %(default)s)")
    parser.add_argument(
        "--sample", type=int, default=300, help="compositions of the plain way (default %(default)s)"
    )
    parser.add_argument(
        "--shard-rows", type=int, default=50_000, help="compositions of a shard (default %(default)s)"
    )
    parser.add_argument("--workers", type=int, default=2, help="worker processes (default %(default)s)")
    parser.add_argument("--compare", type=int, default=0, help="compositions to rank in one piece too, to compare")
    parser.add_argument("--seed", type=int, default=0, help="(default %(default)s)")
    parser.add_argument("--json", action="store_true", help="print JSON instead of lines")
    arguments = parser.parse_args()
    if min(arguments.rows, arguments.sample, arguments.workers) < 1:
        parser.error("--rows, --sample and --workers must be at least 1")
    settings = load_settings()
    with tempfile.TemporaryDirectory(prefix="hstore-bench-") as temporary:
        folder = Path(temporary)
        before = measure_plain(small_plan(folder, settings), settings, arguments.sample, arguments.seed + 1)
        plan, figures = measure_batch(
            folder, settings, arguments.rows, arguments.workers, arguments.seed, arguments.shard_rows
        )
        features = measure_features(min(arguments.rows, 100_000), arguments.seed)
        after = measure_plain(plan, settings, arguments.sample, arguments.seed + 1)
        matminer, plain = (max(pair) for pair in zip(before, after, strict=True))
        figures |= {
            "features_per_s_per_core": round(features),
            "matminer_features_per_s": round(matminer, 1),
            "features_ratio_to_plain": round(features / matminer),
            "plain_per_s": round(plain, 1),
            "ratio_to_plain": round(figures["candidates_per_s"] / plain, 1),
        }
        if arguments.compare:
            small = folder / "small"
            small.mkdir()
            plan, _ = measure_batch(small, settings, arguments.compare, arguments.workers, arguments.seed)
            figures["compared"] = same_ranking(small, plan, settings, arguments.compare)
    figures |= {
        "rows": arguments.rows,
        "workers": arguments.workers,
        "seed": arguments.seed,
        "versions": {name: version(name) for name in ("hstore", "matminer", "numpy", "pyarrow", "scikit-learn")},
    }
    if arguments.json:
        print(json.dumps(figures, indent=2))
    else:
        print("\n".join(f"{name}: {value}" for name, value in figures.items()))


if __name__ == "__main__":
    main()
