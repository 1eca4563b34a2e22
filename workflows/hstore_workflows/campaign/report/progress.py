"""How a campaign got on, beside random choice over the same pool and the best order in hindsight.

What was not measured is only believed, so these curves compare with a believed pool: believed means vary less than
answers do, which makes random choice look worse and hindsight less good than they are. What is known for certain,
the same results in random order, is drawn beside them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from hstore_workflows.campaign.report.view import FAILED

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from hstore.arrays import FloatArray
    from hstore_workflows.campaign.report.view import View

TOP_SHARE = 0.05
"""Share of the pool that counts as good."""
LEAST_TOP = 5
"""Good candidates at least."""

_DRAWS = 400
_QUANTILES = (0.1, 0.5, 0.9)
_DIRECTIONS = 48
_BELOW = 0.1


@dataclass(frozen=True, eq=False)
class Curves:
    """Progress after each answered experiment, arrays of shape (m,), NaN where nothing meets the windows yet."""

    reached: FloatArray
    """What the campaign had reached."""
    at_random: Mapping[float, FloatArray]
    """Quantile -> what random choice over the pool reaches, by what is believed of it."""
    shuffled: FloatArray
    """Median of the same results in random order."""
    in_hindsight: FloatArray
    """The best order by what is known and believed now."""


@dataclass(frozen=True, eq=False)
class TopShare:
    """Share of the good candidates found, arrays of shape (m,)."""

    found: FloatArray
    """By the campaign."""
    at_random: FloatArray
    """Expected of random choice."""
    in_hindsight: FloatArray
    """By the best order."""
    total: int
    """Good candidates of the pool."""
    measured: int
    """Those of them that are measured; the others are believed to be good."""


def believed_points(view: View) -> FloatArray | None:
    """Return the goals of the pool as measured, else as believed, larger being better, shape (n, k).

    Candidates that miss a window by their mean, or failed, are ``-inf``; None where a goal is not believed at all.
    """
    objective, believed = view.status.objective, view.believed.columns
    if any(goal.column not in believed for goal in objective.goals):
        return None
    points = np.stack([goal.sign * believed[goal.column].middles for goal in objective.goals], axis=1)
    for window in objective.windows:
        if window.column in believed:
            mean = believed[window.column].middles
            points[(mean < window.low) | (mean > window.high)] = FAILED
    rows = list(view.answered)
    points[rows] = view.goals_of(rows)
    return points


class Worth:
    """Turns goals into progress: the best of one goal, or the share of the hypervolume of several."""

    def __init__(self, points: FloatArray) -> None:
        """Scale by a pool.

        Args:
            points: goals of the pool, larger being better, shape (n, k).
        """
        met = points[np.isfinite(points).all(axis=1)]
        self._several = points.shape[1] > 1
        self._low = met.min(axis=0)
        self._span = np.where(np.ptp(met, axis=0) > 0, np.ptp(met, axis=0), 1.0)
        weights = np.abs(np.random.default_rng(0).standard_normal((_DIRECTIONS, points.shape[1]))) + 1e-6
        self._weights = weights / np.linalg.norm(weights, axis=1, keepdims=True)
        self._whole = 1.0
        if self._several:
            self._whole = float(self._volume(self._reach(met).max(axis=0)))

    def running(self, points: FloatArray) -> FloatArray:
        """Return progress after each of some points, shape (..., m) from (..., m, k); NaN before there is any."""
        if not self._several:
            best = np.maximum.accumulate(points[..., 0], axis=-1)
            return np.where(np.isfinite(best), best, np.nan)
        reach = np.maximum.accumulate(self._reach(points), axis=-2)
        return np.asarray(self._volume(reach) / self._whole)

    def alone(self, points: FloatArray) -> FloatArray:
        """Return what each point is worth by itself, shape (n,); ``-inf`` where it does not count."""
        if not self._several:
            return np.asarray(points[:, 0])
        met = np.isfinite(points).all(axis=1)
        return np.where(met, self._volume(self._reach(points)), FAILED)

    def best_order(self, points: FloatArray, m: int) -> FloatArray:
        """Return progress of the best order of a pool, shape (m,)."""
        if not self._several:
            return np.full(m, float(points[:, 0].max()))
        reach = self._reach(points)
        front = np.unique(reach.argmax(axis=0))
        had, grown = np.zeros(reach.shape[1]), []
        for _ in range(m):
            volumes = self._volume(np.maximum(reach[front], had))
            had = np.maximum(had, reach[front][int(np.argmax(volumes))])
            grown.append(float(volumes.max()))
        return np.asarray(np.array(grown) / self._whole)

    def _reach(self, points: FloatArray) -> FloatArray:
        """Return how far points reach in every direction, shape (..., directions)."""
        above = (points - self._low) / self._span + _BELOW
        reach = [(above / direction).min(axis=-1) for direction in self._weights]
        return np.asarray(np.maximum(np.stack(reach, axis=-1), 0.0))

    def _volume(self, reach: FloatArray) -> FloatArray:
        return np.asarray((reach ** len(self._low)).mean(axis=-1))


def curves(answered: FloatArray, pool: FloatArray, *, seed: int = 0) -> Curves:
    """Return the progress of a campaign and of what it is compared with.

    Args:
        answered: goals in the order in which they were measured, larger being better, shape (m, k).
        pool: goals of all candidates, as known and believed, shape (n, k).
        seed: of the random orders.
    """
    worth, m = Worth(pool), len(answered)
    rng = np.random.default_rng(seed)
    drawn = np.stack([pool[rng.choice(len(pool), m, replace=False)] for _ in range(_DRAWS)])
    mixed = np.stack([answered[rng.permutation(m)] for _ in range(_DRAWS)])
    spread = _ranked(worth.running(drawn))
    at_random = {q: _quantile(spread, q) for q in _QUANTILES}
    middle = _quantile(_ranked(worth.running(mixed)), 0.5)
    return Curves(worth.running(answered), at_random, middle, worth.best_order(pool, m))


def top_share(rows: NDArray[np.intp], pool: FloatArray) -> TopShare:
    """Return the share of the good candidates that was found after each experiment.

    Args:
        rows: answered rows in order, shape (m,).
        pool: goals of all candidates, as known and believed, shape (n, k).
    """
    worth = Worth(pool).alone(pool)
    met = int(np.isfinite(worth).sum())
    total = min(met, max(LEAST_TOP, round(TOP_SHARE * len(pool))))
    good = np.zeros(len(pool), dtype=bool)
    good[np.argsort(-worth, kind="stable")[:total]] = True
    done = np.arange(1, len(rows) + 1)
    found = np.cumsum(good[rows]) / total
    return TopShare(
        found, done / len(pool), np.minimum(done, total) / total, total, int(good[rows].sum())
    )  # fmt: skip


def _ranked(runs: FloatArray) -> FloatArray:
    """Sort runs at each step, those that have nothing yet first."""
    return np.sort(np.where(np.isnan(runs), FAILED, runs), axis=0)


def _quantile(ranked: FloatArray, level: float) -> FloatArray:
    held = np.asarray(ranked[round(level * (len(ranked) - 1))])
    return np.where(np.isfinite(held), held, np.nan)
