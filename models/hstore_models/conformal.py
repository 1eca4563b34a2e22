"""How wide an interval must be: conformal prediction on held-out rows, by family and by value.

Residuals come from predictions with whole groups held out, so they show the error on unseen chemistry. The spread
of an ensemble tells easy from hard rows; it is scaled so that intervals cover 90 % of the held-out rows (split
conformal prediction with a normalised score, Papadopoulos et al. 2008, doi 10.1613/jair.2698). Families get
factors of their own, and so do ranges of the *known values* (Mondrian and label-conditional conformal prediction,
Vovk et al. 2005, doi 10.1007/b106715): answers lean towards the middle, so a low value is mostly answered too
high. A value is in the interval if its distance from the answer is usual for values like it. Intervals of low
answers therefore reach further down, and those of high answers further up.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from hstore_models.calibration import COVERAGE, JOINT, NORMAL_QUANTILE, Calibration, OpenEnd, reach_to_values

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from hstore.arrays import FloatArray

_SPREAD_FLOORS = (0.05, 0.1, 0.2, 0.4, 0.8, 1.6, 1e6)
_RANGES = 5
"""Ranges of the known values, with equally many rows."""
_PRIOR_ROWS = 100
"""Rows of usual width that join the rows of a part: what a few rows say of their part is mostly chance."""
_USUAL_STRANGE_FACTOR = 1.5
"""How much wider intervals usually have to be for materials with rare elements."""
_COVERED = 0.92
"""Share of the held-out rows that is covered: new materials are a little stranger than held-out ones."""
_COMMON = np.arange(0.4, 4.0, 0.01)
"""Common factors that are tried."""
_FLAGGED_SHARE = 0.12
"""Share of the held-out rows, those of the largest spread, that count as unlike the training rows."""
_LEAST_BOUNDS = 10
"""Upper bounds from which on they tell which intervals end openly; of fewer, those within one half-width do."""
_LEAST_SCORE, _LEAST_WIDTH = 1e-9, 1e-12


def calibrate(
    truth: FloatArray,
    mean: FloatArray,
    spread: FloatArray,
    *,
    families: Sequence[str] | NDArray[Any] | None = None,
    strange: NDArray[np.bool_] | None = None,
    counted: NDArray[np.bool_] | None = None,
    bounds: NDArray[np.bool_] | None = None,
    open_end: float | None = None,
) -> Calibration:
    """Calibrate on held-out predictions.

    Args:
        truth: known values, or upper bounds, shape ``(n,)``.
        mean: held-out answers, shape ``(n,)``.
        spread: held-out spreads, shape ``(n,)``.
        families: family of each row; None when there are none.
        strange: rows with an element that hardly any row of the other folds contains; none when None.
        counted: rows that count, shape ``(n,)``; all when None.
        bounds: rows whose value is an upper bound, shape ``(n,)``; none when None.
        open_end: lower end of intervals that hold whatever lies below a bound; the lowest value when None.
    """
    kept = np.ones(len(truth), dtype=bool) if counted is None else counted
    names = np.array([""] * len(truth) if families is None else families, dtype=str)[kept]
    rare = np.zeros(len(truth), dtype=bool)[kept] if strange is None else strange[kept]
    below = np.zeros(len(truth), dtype=bool)[kept] if bounds is None else bounds[kept]
    truth, mean, spread = truth[kept], mean[kept], spread[kept]
    residuals = np.abs(truth - mean)
    floor, scale = _global_scale(residuals, spread)
    score = residuals / np.maximum(scale * np.hypot(floor, spread), _LEAST_WIDTH)
    strange_factor = _factor(score[rare], _USUAL_STRANGE_FACTOR)
    score = score / np.where(rare, strange_factor, 1.0)
    factors = _family_factors(score, names)
    edges, of_values = _value_factors(score[~below], truth[~below])
    limit = float(np.quantile(spread, 1.0 - _FLAGGED_SHARE))
    found = Calibration(floor, scale / NORMAL_QUANTILE, factors, edges, of_values, limit, strange_factor)
    half = found.half_width(spread, names, rare)
    lowest = float(truth.min()) if open_end is None else open_end
    found = replace(found, open_end=_open_end(truth[below], mean[below], half[below], lowest))
    return replace(found, value_factors=of_values * _common_factor(truth, mean, half, found))


def needed(score: FloatArray) -> float:
    """Return the factor by which intervals must grow to cover 90 % of rows: the conformal quantile of the scores.

    Args:
        score: absolute residual in half-widths of the interval, shape ``(n,)``.
    """
    place = min(len(score), int(np.ceil((len(score) + 1) * COVERAGE))) - 1
    return float(np.partition(score, place)[place])


def _global_scale(residuals: FloatArray, spread: FloatArray) -> tuple[float, float]:
    """Choose the floor that gives the narrowest intervals, and the half-width per unit of scale that covers."""
    rms = float(np.sqrt(np.mean(residuals**2))) or 1.0
    best = (np.inf, rms, 1.0)
    for share in _SPREAD_FLOORS:
        scales = np.hypot(share * rms, spread)
        quantile = needed(residuals / scales)
        best = min(best, (float(np.mean(quantile * scales)), share * rms, quantile))
    return best[1], best[2]


def _factor(score: FloatArray, usual: float) -> float:
    """Return the factor that rows need, drawn to the usual one (in logarithms) the more the fewer they are."""
    if not len(score):
        return usual
    own = max(needed(score), _LEAST_SCORE)
    total = len(score) * np.log(own) + _PRIOR_ROWS * np.log(max(usual, _LEAST_SCORE))
    return float(np.exp(total / (len(score) + _PRIOR_ROWS)))


def _family_factors(score: FloatArray, names: NDArray[np.str_]) -> dict[str, float]:
    """Return the factor of each family, and divide the scores by it; second families come after the first."""
    found: dict[str, float] = {}
    levels = [name.split(JOINT) for name in names.tolist()]
    for level in range(max(map(len, levels), default=0)):
        here = np.array([parts[level] if level < len(parts) else "" for parts in levels])
        for name in np.unique(here[here != ""]).tolist():
            rows = here == name
            found[name] = _factor(score[rows], 1.0)
            score[rows] /= found[name]
    return found


def _value_factors(score: FloatArray, truth: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return the edges of ranges of known values with equally many rows, and the factor of each.

    The outermost ranges get no less than the others, for new materials may go further than those known.
    """
    edges = np.unique(np.quantile(truth, np.arange(1, _RANGES) / _RANGES))
    part, usual = np.searchsorted(edges, truth), needed(score)
    factors = np.array([_factor(score[part == number], usual) for number in range(len(edges) + 1)])
    factors[[0, -1]] = np.maximum(factors[[0, -1]], factors[1:-1].max(initial=0.0))
    return edges, factors


def _open_end(bounds: FloatArray, mean: FloatArray, half: FloatArray, end: float) -> OpenEnd | None:
    """Say which intervals end openly: those of answers as near the bound as those of 90 % of the rows known by it.

    Args:
        bounds: upper bounds, shape ``(n,)``.
        mean: answers for their rows, shape ``(n,)``.
        half: half-widths before the factors of values, shape ``(n,)``.
        end: lower end of such intervals.
    """
    if not len(bounds):
        return None
    bound = float(np.median(bounds))
    distance = needed((mean - bound) / np.maximum(half, _LEAST_WIDTH))
    return OpenEnd(bound, distance if len(bounds) >= _LEAST_BOUNDS else 1.0, min(end, bound))


def _common_factor(truth: FloatArray, mean: FloatArray, half: FloatArray, found: Calibration) -> float:
    """Return the smallest factor with which as many rows are covered as shall be."""
    wanted = min(len(truth), int(np.ceil((len(truth) + 1) * _COVERED)))
    for factor in _COMMON.tolist():
        below, above = reach_to_values(mean, half, found.edges, factor * found.value_factors)
        if found.open_end is not None:
            below = found.open_end.opened(mean, half, below)
        if np.sum((truth >= mean - below) & (truth <= mean + above)) >= wanted:
            return float(factor)
    return float(_COMMON[-1])
