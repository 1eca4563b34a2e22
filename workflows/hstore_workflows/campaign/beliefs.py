"""What is believed of every candidate, for reasons, reports and the rule when to stop.

For each goal and window column, the answers of a forest on the results are joined with what was predicted before
the campaign: the forest learns what the prediction misses. Its standard deviation is the disagreement of its trees
joined with a floor, scaled so that 90 % intervals would have held 90 % of the results when each was held out; with
few results the scale is drawn towards that of the earlier prediction, or of the spread of the results.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from hstore_models.calibration import COVERAGE, NORMAL_QUANTILE
from hstore_workflows.campaign.landscape import LOGARITHMIC, free_rows, known
from hstore_workflows.campaign.surrogates.forest import Forest, held_out

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from hstore.arrays import FloatArray
    from hstore_workflows.campaign.landscape import History, Landscape, Prior
    from hstore_workflows.campaign.objective import Window

MIN_RESULTS = 4
"""Results of a column from which on something is learned from them."""

_FLOOR = 0.5
"""Part of the held-out error that intervals keep where all trees agree."""
_IMAGINARY = 4.0
"""Weight, in results, of what was expected of the error before there were any."""
_SMALLEST = 1e-9
_HOPEFUL_SHARE = 0.05
_MOST_HOPEFUL = 500
_UNKNOWN_ODDS = 0.5
_DISTANCE_SAMPLE = 400
_SAME = 1e-9


@dataclass(frozen=True, eq=False)
class Belief:
    """What is believed of a column."""

    mean: FloatArray
    """Mean, shape (n,)."""
    std: FloatArray
    """Standard deviation, shape (n,), above 0."""
    logarithm: bool = False
    """True where both are of the natural logarithm."""

    def lower(self, row: int) -> float:
        """Return the lower end of the 90 % interval of a candidate, in the unit of the column."""
        return self._natural(self.mean[row] - NORMAL_QUANTILE * self.std[row])

    def middle(self, row: int) -> float:
        """Return the believed value of a candidate, in the unit of the column."""
        return self._natural(self.mean[row])

    @property
    def middles(self) -> FloatArray:
        """Believed values of all candidates in the unit of the column, shape (n,)."""
        return np.exp(self.mean) if self.logarithm else self.mean

    def upper(self, row: int) -> float:
        """Return the upper end of the 90 % interval of a candidate, in the unit of the column."""
        return self._natural(self.mean[row] + NORMAL_QUANTILE * self.std[row])

    def _natural(self, value: float) -> float:
        return float(np.exp(value)) if self.logarithm else float(value)


@dataclass(frozen=True, eq=False)
class Beliefs:
    """What is believed of a pool of n candidates."""

    columns: Mapping[str, Belief]
    """Column of a goal or window -> belief; columns of which nothing is known are left out."""
    p_success: FloatArray
    """Probability of a successful synthesis, shape (n,)."""
    p_windows: FloatArray
    """Probability of meeting all windows, shape (n,); 1 without windows."""


def beliefs(landscape: Landscape, history: History, *, seed: int) -> Beliefs:
    """Return what is believed now.

    Args:
        landscape: the pool.
        history: what is known.
        seed: seed of everything random.
    """
    columns = {}
    for column in landscape.objective.columns:
        believed = believe(landscape, history, column, seed=seed)
        if believed is not None:
            columns[column] = believed
    odds = np.ones(len(landscape))
    for window in landscape.objective.windows:
        odds = odds * window_odds(window, columns.get(window.column))
    return Beliefs(columns, success_odds(landscape, history), odds)


def believe(landscape: Landscape, history: History, column: str, *, seed: int) -> Belief | None:
    """Return what is believed of one column, or None where nothing is known.

    Args:
        landscape: the pool.
        history: what is known.
        column: a property.
        seed: seed of the forest.
    """
    rows, values, prior = known(landscape, history, column)
    logarithm = column in LOGARITHMIC
    if len(rows) < MIN_RESULTS:
        return None if prior is None else Belief(prior.mean, prior.std, logarithm)
    features, missing = _learned(landscape, prior, rows, values)
    mean, spread = Forest(features[rows], missing, seed=seed).moments(features)
    base, expected = (0.0, float(values.std())) if prior is None else (prior.mean, float(np.median(prior.std)))
    out_mean, out_spread = held_out(features[rows], missing, seed=seed)
    residual = np.abs(missing - out_mean)
    share = len(rows) / (len(rows) + _IMAGINARY)
    floor = _FLOOR * np.sqrt(share * np.mean(residual**2) + (1.0 - share) * expected**2) + _SMALLEST
    needed = np.quantile(residual / np.hypot(out_spread, floor), COVERAGE) / NORMAL_QUANTILE
    return Belief(base + mean, np.hypot(spread, floor) * (share * needed + (1.0 - share) / _FLOOR), logarithm)


def _learned(
    landscape: Landscape, prior: Prior | None, rows: NDArray[np.intp], values: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Return descriptors of the pool and what is to be learned: the results, or what the prediction misses."""
    if prior is None:
        return landscape.field_features, values
    width = float(prior.mean.std()) or 1.0
    told = ((prior.mean - prior.mean.mean()) / width)[:, None]
    return np.hstack([landscape.field_features, told]), values - prior.mean[rows]


def window_odds(window: Window, believed: Belief | None) -> FloatArray | float:
    """Return the probability of meeting a window, shape (n,); one half where nothing is known of its column."""
    from scipy.special import ndtr

    if believed is None:
        return _UNKNOWN_ODDS
    ends = np.array([window.low, window.high])
    with np.errstate(divide="ignore"):
        low, high = np.log(np.maximum(ends, 0.0)) if believed.logarithm else ends
    below = ndtr((low - believed.mean) / believed.std)
    return np.asarray(ndtr((high - believed.mean) / believed.std) - below)


def success_odds(landscape: Landscape, history: History) -> FloatArray:
    """Return the probability of a successful synthesis, shape (n,).

    A kernel-weighted share of successes, with one imaginary success everywhere: 1 far from every experiment.
    """
    odds = np.ones(len(landscape))
    if not history.failed:
        return odds
    features = landscape.field_features
    length = _length_scale(features)
    successes, trials = odds.copy(), odds
    for row in history.results:
        weight = _kernel(features, row, length)
        successes, trials = successes + weight, trials + weight
    for row in history.failed:
        trials = trials + _kernel(features, row, length)
    return np.asarray(successes / trials)


def teaches(landscape: Landscape, history: History, rows: Sequence[int], *, seed: int) -> FloatArray:
    """Return what measuring a candidate is expected to teach about the main goal, 0 to 1, shape (len(rows),).

    The mean, over hopeful candidates (those twentieth with the highest upper ends), of the share of variance that
    the result would remove: the squared correlation of the answers of the trees of a forest.
    """
    goal = landscape.objective.main
    measured, values, prior = known(landscape, history, goal.column)
    if len(measured) < MIN_RESULTS:
        return np.zeros(len(rows))
    features, missing = _learned(landscape, prior, measured, values)
    forest = Forest(features[measured], missing, seed=seed)
    mean, std = forest.moments(features)
    upper = goal.sign * (mean if prior is None else prior.mean + mean) + NORMAL_QUANTILE * std
    upper[~free_rows(landscape, history)] = -np.inf
    n_hopeful = min(_MOST_HOPEFUL, max(1, int(_HOPEFUL_SHARE * len(landscape))))
    hopeful = np.argsort(-upper)[:n_hopeful]
    answers = forest.answers(features[hopeful])
    asked = forest.answers(features[list(rows)])
    answers, asked = answers - answers.mean(axis=0), asked - asked.mean(axis=0)
    norms = np.outer((asked**2).sum(axis=0), (answers**2).sum(axis=0))
    shared = np.divide((asked.T @ answers) ** 2, norms, out=np.zeros_like(norms), where=norms > _SMALLEST)
    return np.asarray(shared.mean(axis=1))


def _length_scale(features: FloatArray) -> float:
    """Return the median distance of a candidate to its nearest neighbour, in a sample."""
    nearest = []
    for row in range(0, len(features), max(1, len(features) // _DISTANCE_SAMPLE)):
        distances = np.sqrt(((features - features[row]) ** 2).sum(axis=1))
        apart = distances[distances > _SAME]
        if len(apart):
            nearest.append(apart.min())
    return float(np.median(nearest)) if nearest else 1.0


def _kernel(features: FloatArray, row: int, length: float) -> FloatArray:
    squared = np.sum((features - features[row]) ** 2, axis=1)
    return np.asarray(np.exp(-0.5 * squared / length**2))
