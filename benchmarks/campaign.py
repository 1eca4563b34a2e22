"""How long a batch of proposals takes, and what the short list of large pools loses.

``python benchmarks/campaign.py --json`` chooses a batch of 10 from pools of several sizes with three goals, 60
results and 20 experiments under way, by hstore and (where its extra is there) by BoTorch's qLogNEHVI on the same
pool in the same run, and prints times, their ratio and the peak memory. ``--loss SEEDS`` replays campaigns on a
smooth synthetic pool with and without the short list.
"""

from __future__ import annotations

import argparse
import json
import resource
import time
from typing import TYPE_CHECKING
from unittest import mock

import numpy as np

from hstore.errors import MissingExtraError
from hstore_workflows.campaign import shortlist
from hstore_workflows.campaign.landscape import History, Landscape
from hstore_workflows.campaign.objective import Goal, Objective
from hstore_workflows.campaign.replay import ReplaySettings, replay
from hstore_workflows.campaign.replay_pool import LabelledPool
from hstore_workflows.campaign.replay_score import score
from hstore_workflows.campaign.strategies import strategy
from hstore_workflows.campaign.surrogates.forest import Forest

if TYPE_CHECKING:
    from collections.abc import Callable

RESULTS, PENDING, BATCH = 60, 20, 10
GOALS = (Goal("capacity"), Goal("enthalpy", minimize=True), Goal("price", minimize=True))
COLUMNS = 20
PEER_ROWS = 10_000
"""Largest pool that the peer is asked; it takes minutes beyond."""
LOSS_ROWS = 12_000


def pool(n_rows: int, seed: int = 0) -> tuple[Landscape, dict[str, np.ndarray]]:
    """Return a pool of ``n_rows`` candidates with 20 columns, and its answers: smooth, with an edge."""
    rng = np.random.default_rng(seed)
    points = rng.normal(size=(n_rows, COLUMNS)).astype(np.float32 if n_rows > 50_000 else float)
    capacity = points[:, 0] - 0.5 * points[:, 1] ** 2 + (points[:, 2] > 1.0)
    enthalpy = 40 + 10 * points[:, 3] + 4 * points[:, 0]
    price = np.exp(0.5 * points[:, 4] + 0.3 * points[:, 0])
    answers = {"capacity": capacity, "enthalpy": enthalpy, "price": price}
    return Landscape({"columns": points}, Objective(GOALS)), {k: v.astype(float) for k, v in answers.items()}


def batch_seconds(name: str, n_rows: int, repeats: int) -> float:
    """Return the least time for a batch from a pool that was not seen before, in seconds."""
    times = []
    for repeat in range(repeats):
        landscape, answers = pool(n_rows, seed=repeat)
        rows = np.random.default_rng(repeat).choice(n_rows, RESULTS + PENDING, replace=False).tolist()
        results = {row: {c: float(v[row]) for c, v in answers.items()} for row in rows[:RESULTS]}
        history = History(results, pending=rows[RESULTS:])
        start = time.perf_counter()
        picks = strategy(name).choose(landscape, history, BATCH, seed=repeat)
        times.append(time.perf_counter() - start)
        assert len({pick.row for pick in picks} - set(rows)) == BATCH
    return min(times)


def forest_ratio() -> float:
    """Return how many times longer scikit-learn's extra trees take to fit 60 results and answer 1,000 rows."""
    from sklearn.ensemble import ExtraTreesRegressor

    points = np.random.default_rng(0).normal(size=(1060, 100))
    values = points[:60, 0]

    def ours() -> None:
        Forest(points[:60], values, seed=0).answers(points[60:])

    def theirs() -> None:
        fitted = ExtraTreesRegressor(100, max_features=0.4, random_state=0, n_jobs=1).fit(points[:60], values)
        for tree in fitted.estimators_:
            tree.tree_.predict(points[60:].astype(np.float32))

    return _least(theirs) / _least(ours)


def _least(work: Callable[[], None], repeats: int = 5) -> float:
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        work()
        times.append(time.perf_counter() - start)
    return min(times)


def loss(seeds: int) -> dict[str, float]:
    """Return the share of the top 5 % found with the short list, and with all candidates looked at one by one."""
    landscape, answers = pool(LOSS_ROWS)
    one = Landscape(landscape.blocks, Objective(GOALS[:1]))
    labelled = LabelledPool(one, {"capacity": answers["capacity"]}, tuple(map(str, range(LOSS_ROWS))), (), ())
    settings = ReplaySettings(budget=60, batch=10, initial=20, seeds=seeds, first_seed=500)
    found = {}
    for name, most in (("short_list", shortlist.MOST), ("all", LOSS_ROWS)):
        with mock.patch.object(shortlist, "MOST", most):
            report = score(labelled, replay(labelled, "hstore", settings, workers=1))
        found[f"{name}_enhancement_factor"] = report["enhancement_factor"]
        found[f"{name}_acceleration_factor"] = report["acceleration_factor"]
    return found


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, nargs="*", default=[10_000, 1_000_000], help="sizes of the pools")
    parser.add_argument("--repeats", type=int, default=2, help="batches of each size")
    parser.add_argument(
        "--loss", type=int, default=0, metavar="SEEDS", help="also replay the loss of the short list"
    )
    parser.add_argument("--json", action="store_true", help="print JSON")
    options = parser.parse_args()
    batch_seconds("hstore", 3000, 1)  # compiles
    found: dict[str, float | None] = {"forest_times_faster_than_scikit_learn": forest_ratio()}
    for rows in options.rows:
        ours = batch_seconds("hstore", rows, options.repeats)
        found[f"seconds_{rows}"] = ours
        if rows <= PEER_ROWS:
            try:
                found[f"botorch_nehvi_over_hstore_{rows}"] = batch_seconds("botorch-nehvi", rows, 1) / ours
            except MissingExtraError:
                found[f"botorch_nehvi_over_hstore_{rows}"] = None
    found["peak_rss_mib"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    if options.loss:
        found |= loss(options.loss)
    if options.json:
        print(json.dumps(found))
        return
    for name, value in found.items():
        print(f"{name}: {'not there (install hstore[botorch])' if value is None else f'{value:.3g}'}")


if __name__ == "__main__":
    main()
