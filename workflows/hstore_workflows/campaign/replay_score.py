"""What a replay says of a strategy: how much sooner it finds the best, and how much of it, with intervals.

The measures are those of benchmarks of Bayesian optimization in materials science (Rohr et al. 2020,
doi 10.1039/C9SC05999G; Liang et al. 2021, doi 10.1038/s41524-021-00656-9).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from hstore.arrays import FloatArray, IntArray
    from hstore_workflows.campaign.replay_pool import LabelledPool

LEAST_BEST, LEAST_GOOD = 5, 10
"""Candidates of the top 1 % and of the top 5 % at least, so that small pools have a top."""

_DRAWS = 2000
_LEVEL = 0.9
"""Level of all intervals."""


@dataclass(frozen=True)
class Tops:
    """Which candidates count as the best."""

    best: NDArray[np.bool_]
    """The top 1 % of the candidates that meet the windows, ties included, shape (n,)."""
    good: NDArray[np.bool_]
    """The top 5 %."""


def tops_of(pool: LabelledPool) -> Tops:
    """Return the top 1 % (5 at least) and top 5 % (10 at least) of the candidates that meet the windows.

    With several goals, candidates are ranked by how many others are better in every goal, then by the mean rank
    of their goals.
    """
    worth = _ranked(pool)
    feasible = int(pool.feasible.sum())
    held = np.sort(worth[pool.feasible])[::-1]

    def top(share: float, least: int) -> NDArray[np.bool_]:
        size = min(feasible, max(least, round(share * feasible)))
        return np.asarray(pool.feasible & (worth >= held[size - 1])) if size else np.zeros(len(worth), dtype=bool)

    return Tops(top(0.01, LEAST_BEST), top(0.05, LEAST_GOOD))


def score(pool: LabelledPool, orders: Sequence[Sequence[int]], *, seed: int = 0) -> dict[str, Any]:
    """Score replayed campaigns.

    Args:
        pool: candidates and answers.
        orders: for each seed, rows in the order in which they were measured; all of one length.
        seed: of the bootstrap.

    Returns:
        ``acceleration_factor`` (measurements until the first of the top 1 %, expected at random over the mean of
        the strategy; a campaign that found none counts as going on at random), ``acceleration_factor_median``
        (medians in place of means), ``enhancement_factor`` (top 5 % found over what is expected at random),
        ``top_1pct_found_mean``, ``top_1pct_total``, ``top_1pct_share``, ``top_5pct_share``, ``top_5pct_total``,
        ``best_found_share`` (campaigns that found the very best) and ``seeds_below_random`` (campaigns with less
        of the top 5 % than the median at random); each but the totals with ``..._interval``, 90 %, by bootstrap
        over seeds.
    """
    tops, budget = tops_of(pool), max(map(len, orders))
    rows = len(pool)
    n_best, n_good = int(tops.best.sum()), int(tops.good.sum())
    first = np.array([_first_hit(tops.best, order, rows) for order in orders])
    found_best = np.array([tops.best[list(order)].sum() for order in orders], dtype=float)
    found_good = np.array([tops.good[list(order)].sum() for order in orders], dtype=float)
    peak = int(np.argmax(np.where(pool.feasible, _ranked(pool), -np.inf)))
    first_at_random, median_at_random = (rows + 1) / (n_best + 1), _median_first(rows, n_best)
    median_good = _median_found(rows, n_good, budget)
    measures: dict[str, tuple[FloatArray, Callable[[FloatArray], float]]] = {
        "acceleration_factor": (first, lambda x: first_at_random / float(x.mean())),
        "acceleration_factor_median": (first, lambda x: median_at_random / float(np.median(x))),
        "enhancement_factor": (found_good, lambda x: float(x.mean()) / (budget * n_good / rows)),
        "top_1pct_found_mean": (found_best, lambda x: float(x.mean())),
        "top_1pct_share": (found_best, lambda x: float(x.mean()) / n_best),
        "top_5pct_share": (found_good, lambda x: float(x.mean()) / n_good),
        "best_found_share": (np.array([peak in order for order in orders], float), lambda x: float(x.mean())),
        "seeds_below_random": (found_good, lambda x: float(np.mean(x < median_good))),
    }
    rng = np.random.default_rng(seed)
    draws = rng.integers(len(orders), size=(_DRAWS, len(orders)))
    found: dict[str, Any] = {"top_1pct_total": n_best, "top_5pct_total": n_good}
    for name, (values, measure) in measures.items():
        spread = [measure(values[draw]) for draw in draws]
        found[name] = measure(values)
        found[f"{name}_interval"] = np.quantile(spread, [(1 - _LEVEL) / 2, (1 + _LEVEL) / 2]).tolist()
    return found


def progress_curve(pool: LabelledPool, orders: Sequence[Sequence[int]]) -> FloatArray:
    """Return the share of the top 5 % found after each measurement, shape ``(seeds, budget)``."""
    good = tops_of(pool).good
    return np.asarray([np.cumsum(good[list(order)]) for order in orders], dtype=np.float64) / int(good.sum())


def _ranked(pool: LabelledPool) -> FloatArray:
    """Return one number by which candidates are ranked, larger being better, shape (n,)."""
    goals = pool.landscape.objective.goals
    signed = np.stack([goal.sign * pool.answers[goal.column] for goal in goals])
    if len(goals) == 1:
        return np.asarray(signed[0], dtype=np.float64)
    beaten = np.array([np.all(signed > signed[:, [row]], axis=0).sum() for row in range(len(pool))], dtype=float)
    mean_rank = np.argsort(np.argsort(signed, axis=1), axis=1).mean(axis=0) / len(pool)
    return np.asarray(mean_rank - beaten, dtype=np.float64)


def _first_hit(best: NDArray[np.bool_], order: Sequence[int], rows: int) -> float:
    """Return the measurement that found the first of the best; a campaign without any goes on at random."""
    hits = np.flatnonzero(best[list(order)])
    return float(hits[0] + 1) if len(hits) else len(order) + (rows - len(order) + 1) / (int(best.sum()) + 1)


def _median_first(rows: int, n_best: int) -> float:
    """Return the median number of random draws until the first of the best."""
    drawn: IntArray = np.arange(1, rows + 1)
    missed = np.cumprod(1.0 - n_best / (rows - drawn[: rows - n_best] + 1.0))
    return float(np.argmax(missed <= 0.5) + 1)


def _median_found(rows: int, n_good: int, budget: int) -> float:
    from scipy.stats import hypergeom

    return float(hypergeom.median(rows, n_good, budget))
