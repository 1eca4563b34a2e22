"""Choose the next experiments: expected improvement, feasibility and distance, one pick after the other.

Each pick maximises expected improvement x probability of the windows x probability of a successful synthesis.
Then it is believed to come out as predicted (Kriging believer, Ginsbourger et al. 2010,
doi 10.1007/978-3-642-10701-6_6) and the next is chosen, never of the same composition within a batch.
Experiments under way are believed in the same manner. The last of three or more goes where most can be
learned about candidates that may yet turn out well.
Without any prediction and with few results, picks are spread over the pool (maximin distance).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

import numpy as np

from hstore_models.calibration import NORMAL_QUANTILE
from hstore_workflows.campaign.belief import MIN_RESULTS, Belief, Prior, believe

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from hstore.arrays import FloatArray
    from hstore_workflows.campaign.objective import Objective

_EXPLORING_BATCH = 3
_SAME_DISTANCE = 1e-9
_AS_LIKELY_AS_NOT = 0.5
_HOPEFUL_SHARE = 0.05
_DISTANCE_SAMPLE = 400


@dataclass(frozen=True)
class History:
    """What a campaign knows, by row of the pool."""

    results: Mapping[int, Mapping[str, float]] = field(default_factory=dict)
    """Row -> column -> measured value, of every successful experiment."""
    failed: Sequence[int] = ()
    """Rows whose synthesis failed."""
    pending: Sequence[int] = ()
    """Rows proposed and not yet answered."""

    @property
    def taken(self) -> list[int]:
        """Rows that must not be proposed again."""
        return [*self.results, *self.failed, *self.pending]


@dataclass(frozen=True)
class Pick:
    """One proposal."""

    row: int
    """Row of the pool."""
    why: Literal["improve", "explore", "spread"]
    """Expected to improve on the best, to teach most, or to cover the pool."""
    mean: float | None = None
    """Believed value of the maximised column; None where nothing is known."""
    std: float | None = None
    """Its standard deviation."""
    p_windows: float | None = None
    """Probability of meeting all windows; None without windows."""
    p_success: float = 1.0
    """Probability of a successful synthesis."""
    gain: float | None = None
    """Expected improvement over the best result so far."""


@dataclass(frozen=True, eq=False)
class Landscape:
    """A pool as arrays."""

    features: FloatArray
    """Standardised features, shape (n, d)."""
    priors: Mapping[str, Prior]
    """Prediction of the screen for each column it predicted."""
    objective: Objective
    """What is looked for."""


def choose(landscape: Landscape, history: History, n: int, *, seed: int) -> list[Pick]:
    """Choose the next experiments.

    Args:
        landscape: the pool.
        history: results, failures and experiments under way; none of these is chosen again.
        n: number wanted; fewer come back when the pool is exhausted.
        seed: seed of everything random.

    Returns:
        Picks in the order of choice.
    """
    length = length_scale(landscape.features)
    free = np.ones(len(landscape.features), dtype=bool)
    free[history.taken] = False
    p_success = success_probability(landscape.features, history, length)
    p_windows = window_probability(landscape, history, seed=seed)
    weight = p_success * (1.0 if p_windows is None else p_windows)
    prior = landscape.priors.get(landscape.objective.maximize)
    now = believe(landscape.features, prior, *_results(history, landscape.objective.maximize), seed=seed)
    picks: list[Pick] = []
    for place in range(min(n, int(free.sum()))):
        waiting = [*history.pending, *(pick.row for pick in picks)]
        if now is None:
            pick = Pick(_farthest(landscape.features, free, [*history.taken, *waiting]), "spread")
        else:
            belief = _with_waiting(landscape, history, now, waiting, seed)
            best = _value_to_beat(landscape.objective, history, now, p_windows)
            explore = n >= _EXPLORING_BATCH and place == n - 1
            gain = expected_improvement(belief, best)
            merit = (_worth_learning(belief, free) if explore else gain) * weight
            row = int(np.argmax(np.where(free, merit, -np.inf)))
            pick = Pick(
                row,
                "explore" if explore else "improve",
                mean=float(belief.mean[row]),
                std=float(belief.std[row]),
                gain=float(gain[row]),
            )
        free &= np.linalg.norm(landscape.features - landscape.features[pick.row], axis=1) > _SAME_DISTANCE
        free[pick.row] = False
        picks.append(_with_odds(pick, p_success, p_windows))
    return picks


def expected_improvement(belief: Belief, best: float) -> FloatArray:
    """Return the expected improvement of normally distributed values over the best, shape (n,)."""
    from scipy.special import ndtr

    z = (belief.mean - best) / belief.std
    density = np.exp(-0.5 * z**2) / np.sqrt(2.0 * np.pi)
    # far below the best the two terms cancel to zero; the floor keeps the order of the means there
    return np.asarray(np.maximum(belief.std * (z * ndtr(z) + density), 1e-12 * np.exp(np.clip(z, -50.0, 0.0))))


def window_probability(landscape: Landscape, history: History, *, seed: int) -> FloatArray | None:
    """Return the probability of meeting all windows, shape (n,); None without windows.

    Columns count as independent. One that is neither predicted nor measured often enough counts one half.
    """
    from scipy.special import ndtr

    if not landscape.objective.windows:
        return None
    probability = np.ones(len(landscape.features))
    for window in landscape.objective.windows:
        rows, values = _results(history, window.column)
        belief = believe(landscape.features, landscape.priors.get(window.column), rows, values, seed=seed)
        if belief is None:
            probability *= 0.5
            continue
        below = ndtr((window.low - belief.mean) / belief.std)
        probability *= ndtr((window.high - belief.mean) / belief.std) - below
    return np.clip(probability, 1e-9, 1.0)


def success_probability(features: FloatArray, history: History, length: float) -> FloatArray:
    """Return the probability of a successful synthesis, shape (n,).

    A kernel-weighted share of successes, with one imaginary success everywhere: 1 far from every experiment.
    """
    successes, trials = np.ones(len(features)), np.ones(len(features))
    for row in history.results:
        weight = _kernel(features, row, length)
        successes += weight
        trials += weight
    for row in history.failed:
        trials += _kernel(features, row, length)
    return successes / trials


def length_scale(features: FloatArray) -> float:
    """Return the median distance of a candidate to its nearest neighbour (in a sample of large pools)."""
    step = max(1, len(features) // _DISTANCE_SAMPLE)
    nearest = []
    for row in range(0, len(features), step):
        distances = np.linalg.norm(features - features[row], axis=1)
        apart = distances[distances > _SAME_DISTANCE]
        if len(apart):
            nearest.append(apart.min())
    return float(np.median(nearest)) if nearest else 1.0


def _value_to_beat(objective: Objective, history: History, belief: Belief, p_windows: FloatArray | None) -> float:
    """Return the best result that meets the windows.

    Before there is one: the highest belief among candidates as likely as not to meet them, or among all.
    """
    met = [
        values[objective.maximize]
        for values in history.results.values()
        if objective.maximize in values
        and all(window.holds(values[window.column]) for window in objective.windows if window.column in values)
    ]
    if met:
        return max(met)
    hopeful = np.ones(len(belief.mean), dtype=bool) if p_windows is None else p_windows >= _AS_LIKELY_AS_NOT
    return float((belief.mean[hopeful] if hopeful.any() else belief.mean).max())


def _with_waiting(
    landscape: Landscape, history: History, belief: Belief, waiting: Sequence[int], seed: int
) -> Belief:
    """Return the belief once everything under way has come out as believed."""
    rows, values = _results(history, landscape.objective.maximize)
    if not waiting or len(rows) < MIN_RESULTS:
        return belief
    held = np.asarray(waiting, dtype=np.intp)
    prior = landscape.priors.get(landscape.objective.maximize)
    rows, values = np.concatenate([rows, held]), np.concatenate([values, belief.mean[held]])
    return believe(landscape.features, prior, rows, values, seed=seed) or belief


def _results(history: History, column: str) -> tuple[NDArray[np.intp], FloatArray]:
    held = {row: values[column] for row, values in history.results.items() if column in values}
    return np.fromiter(held, dtype=np.intp, count=len(held)), np.fromiter(held.values(), float, len(held))


def _worth_learning(belief: Belief, free: NDArray[np.bool_]) -> FloatArray:
    """Return the uncertainty of candidates that may yet turn out well, and zero of the others.

    These are the twentieth of the free ones with the highest upper end of the 90 % interval.
    """
    upper = belief.mean + NORMAL_QUANTILE * belief.std
    return np.where(upper >= np.quantile(upper[free], 1.0 - _HOPEFUL_SHARE), belief.std, 0.0)


def _farthest(features: FloatArray, free: NDArray[np.bool_], taken: Sequence[int]) -> int:
    """Return the free row farthest from all taken ones; the most central one when none is taken."""
    if not taken:
        return int(np.argmin(np.where(free, np.linalg.norm(features, axis=1), np.inf)))
    distance = np.full(len(features), np.inf)
    for row in taken:
        distance = np.minimum(distance, np.linalg.norm(features - features[row], axis=1))
    return int(np.argmax(np.where(free, distance, -1.0)))


def _kernel(features: FloatArray, row: int, length: float) -> FloatArray:
    squared = np.sum((features - features[row]) ** 2, axis=1)
    return np.asarray(np.exp(-0.5 * squared / length**2))


def _with_odds(pick: Pick, p_success: FloatArray, p_windows: FloatArray | None) -> Pick:
    odds = None if p_windows is None else float(p_windows[pick.row])
    return Pick(
        pick.row,
        pick.why,
        pick.mean,
        pick.std,
        p_windows=odds,
        p_success=float(p_success[pick.row]),
        gain=pick.gain,
    )
