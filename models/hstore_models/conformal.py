"""How wide an interval must be: group-wise conformal prediction on held-out rows.

Residuals come from predictions with whole groups held out, so they show the error on unseen chemistry. The spread
of an ensemble tells easy from hard rows; it is scaled so that the 90 % intervals cover 90 % of the held-out rows
(split conformal prediction with a normalised score, Papadopoulos et al. 2008, doi 10.1613/jair.2698). Families and
ranges of the answer then get factors of their own (Mondrian conformal prediction, Vovk et al. 2005, doi
10.1007/b106715), above 1 where their rows are covered too seldom and below where nearly always, so that no
chemistry pays for the ease of another. Groups of rows are the units of every judgement.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from hstore_models.calibration import COVERAGE, JOINT, NORMAL_QUANTILE, Calibration
from hstore_models.coverage import LEAST_ROWS, below_nominal

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from hstore.arrays import FloatArray
    from hstore_models.splits import Groups

_SPREAD_FLOORS = (0.05, 0.1, 0.2, 0.4, 0.8, 1.6, 1e6)
_RANGES = 5
"""Ranges of the known values, and of the answers, with equally many rows."""
_LARGEST_FACTOR = 3.0
_FLAGGED_SHARE = 0.12
"""Share of the held-out rows, those of the largest error scale, that count as unlike the training rows."""
_USUAL_STRANGE_FACTOR = 1.5
"""How much wider intervals are for materials with rare elements where there are too few to measure it."""
_WIDE = 0.3
"""Share of a range of answers that rows of a range of values must have to widen it."""
_STEP = 0.025
_LEAST_FACTOR, _LEAST_COMMON = 0.7, 0.6
_SPARE = 0.025
"""Coverage to spare beyond 90 %: new materials are a little stranger than held-out ones."""
_MANY_GROUPS = 15
"""Groups a part must have before its intervals are made narrower than the rest."""
_LEAST_PROBABILITY = 0.15
"""Probability of so little coverage, by chance, that every family and range of answers must keep; at 0.01 it would
be rejected."""
_LEAST_OF_VALUES = 0.05
"""The same for ranges of the known values: which one a new row is in is not known, so they are hard to aim at."""
_LARGEST_FOR_VALUES = 1.6
"""Factor up to which ranges of answers are widened for the sake of ranges of known values."""


def calibrate(
    truth: FloatArray,
    mean: FloatArray,
    spread: FloatArray,
    *,
    families: Sequence[str] | NDArray[Any] | None = None,
    groups: Groups | None = None,
    strange: NDArray[np.bool_] | None = None,
    counted: NDArray[np.bool_] | None = None,
) -> Calibration:
    """Calibrate on held-out predictions.

    Args:
        truth: known values, shape ``(n,)``.
        mean: held-out answers, shape ``(n,)``.
        spread: held-out spreads, shape ``(n,)``.
        families: family of each row; None when there are none.
        groups: what was held out together, the units of every judgement; rows when None.
        strange: rows with an element that hardly any row of the other folds contains; none when None.
        counted: rows that count, shape ``(n,)``; all when None.
    """
    kept = np.ones(len(truth), dtype=bool) if counted is None else counted
    names = np.array([""] * len(truth) if families is None else families, dtype=str)[kept]
    rare = np.zeros(len(truth), dtype=bool)[kept] if strange is None else strange[kept]
    units = np.arange(len(truth)).astype(str) if groups is None else np.asarray(groups, dtype=str)
    truth, mean, spread, units = truth[kept], mean[kept], spread[kept], units[kept]
    floor, scale = _global_scale(np.abs(truth - mean), spread)
    limit = float(np.quantile(spread, 1.0 - _FLAGGED_SHARE))
    edges = np.unique(np.quantile(mean, np.arange(1, 2 * _RANGES) / (2 * _RANGES)))
    plain = Calibration(floor, scale, {}, np.empty(0), np.ones(1), limit, 1.0)
    score = np.abs(truth - mean) / (NORMAL_QUANTILE * np.maximum(plain.std(spread, mean), 1e-12))
    strange_factor = _strange_factor(score[rare])
    score = score / np.where(rare, strange_factor, 1.0)
    factors = _family_factors(score, names, units)
    score = score / Calibration(floor, scale, factors, np.empty(0), np.ones(1), limit, 1.0).of_families(names)
    bins = np.searchsorted(edges, mean, side="right")
    ranges = _range_factors(score, truth, bins, units, len(edges) + 1)
    score = score / ranges[bins]
    common = _common_factor(score, units, _parts(truth, mean, names))
    return Calibration(floor, scale * common, factors, edges, ranges, limit, strange_factor)


def _strange_factor(score: FloatArray) -> float:
    """Return the factor that rows with rare elements need, or the usual one where too few rows tell."""
    if len(score) < LEAST_ROWS:
        return _USUAL_STRANGE_FACTOR
    return float(np.clip(needed(score), 1.0, _LARGEST_FACTOR))


def needed(score: FloatArray) -> float:
    """Return the factor by which intervals must grow to cover 90 % of rows: the conformal quantile of the scores.

    Args:
        score: absolute residual in half-widths of the interval, shape ``(n,)``.
    """
    place = min(len(score), int(np.ceil((len(score) + 1) * COVERAGE))) - 1
    return float(np.partition(score, place)[place])


def _global_scale(residuals: FloatArray, spread: FloatArray) -> tuple[float, float]:
    """Choose the floor that gives the narrowest intervals, and the factor that makes them cover."""
    rms = float(np.sqrt(np.mean(residuals**2))) or 1.0
    best = (np.inf, rms, 1.0)
    for share in _SPREAD_FLOORS:
        scales = np.hypot(share * rms, spread)
        quantile = needed(residuals / scales)
        best = min(best, (float(np.mean(quantile * scales)), share * rms, quantile / NORMAL_QUANTILE))
    return best[1], best[2]


def _covers(inside: NDArray[np.bool_], groups: NDArray[np.str_]) -> bool:
    """Tell whether rows are covered as promised, with a little to spare, as far as their groups can tell."""
    return bool(inside.mean() >= COVERAGE) and below_nominal(inside, groups)[0] >= _LEAST_PROBABILITY


def _own_factor(score: FloatArray, groups: NDArray[np.str_]) -> float:
    """Return the smallest factor with which rows are covered; below 1 only where many groups speak for it."""
    least = _LEAST_FACTOR if len(np.unique(groups)) >= _MANY_GROUPS else 1.0
    factor: float
    for factor in np.arange(least, _LARGEST_FACTOR, _STEP).tolist():
        if np.mean(score <= factor) >= COVERAGE + _SPARE * (factor < 1.0) and _covers(score <= factor, groups):
            return round(factor, 3)
    return _LARGEST_FACTOR


def _family_factors(score: FloatArray, names: NDArray[np.str_], groups: NDArray[np.str_]) -> dict[str, float]:
    """Return a factor for each family of enough rows; second families are judged after the first."""
    found: dict[str, float] = {}
    levels = [name.split(JOINT) for name in names.tolist()]
    score = score.copy()
    for level in range(max(map(len, levels), default=0)):
        here = np.array([parts[level] if level < len(parts) else "" for parts in levels])
        for name in np.unique(here[here != ""]).tolist():
            rows = here == name
            if rows.sum() >= LEAST_ROWS and (factor := _own_factor(score[rows], groups[rows])) != 1.0:
                found[name] = factor
                score[rows] /= factor
    return found


def _range_factors(
    score: FloatArray, truth: FloatArray, bins: NDArray[np.intp], groups: NDArray[np.str_], n_bins: int
) -> FloatArray:
    """Return the factor of each range of answers, then widen where a fifth of the known values needs it.

    A range is judged together with its neighbours, so that factors change gradually. Which fifth of the values a
    new row's value lies in is not known, so its factor goes to the answers that its rows make up a good part of.
    """
    factors = np.ones(n_bins)
    for number in range(n_bins):
        near = np.abs(bins - number) <= 1
        if near.sum() >= LEAST_ROWS:
            factors[number] = _own_factor(score[near], groups[near])
    fifths = np.unique(np.quantile(truth, np.arange(1, _RANGES) / _RANGES))
    of_truth = np.searchsorted(fifths, truth)
    for number in range(len(fifths) + 1):
        inside = of_truth == number
        share = np.array([np.mean(inside[bins == b]) if (bins == b).any() else 0.0 for b in range(n_bins)])
        wide = np.where(share >= _WIDE, np.maximum(factors, _LARGEST_FOR_VALUES), factors)
        while inside.sum() >= LEAST_ROWS and not _is_covered(score / factors[bins] <= 1.0, groups, inside):
            if np.array_equal(
                wider := np.minimum(np.where(share >= _WIDE, factors + _STEP, factors), wide), factors
            ):
                break
            factors = wider
    return factors


def _is_covered(inside: NDArray[np.bool_], groups: NDArray[np.str_], rows: NDArray[np.bool_]) -> bool:
    """Tell whether a range of known values is far enough from being rejected."""
    return below_nominal(inside[rows], groups[rows])[0] >= _LEAST_OF_VALUES


def _common_factor(
    score: FloatArray, groups: NDArray[np.str_], parts: list[tuple[NDArray[np.bool_], float]]
) -> float:
    """Return the smallest factor, going down from 1, with which all rows and every part are still covered."""
    best = 1.0
    for factor in np.arange(1.0 - _STEP, _LEAST_COMMON, -_STEP).tolist():
        inside = score <= factor
        if inside.mean() < COVERAGE + _SPARE:
            break
        if any(below_nominal(inside[rows], groups[rows])[0] < least for rows, least in parts):
            break
        best = factor
    return best


def _parts(
    truth: FloatArray, mean: FloatArray, families: NDArray[np.str_]
) -> list[tuple[NDArray[np.bool_], float]]:
    """Return families, fifths of known values and of answers that have rows enough, and what each must keep."""
    levels = [name.split(JOINT) for name in families.tolist()]
    names = {part for parts in levels for part in parts}
    found = [(np.array([name in parts for parts in levels]), _LEAST_PROBABILITY) for name in sorted(names)]
    for values, least in ((truth, _LEAST_OF_VALUES), (mean, _LEAST_PROBABILITY)):
        fifths = np.searchsorted(np.quantile(values, np.arange(1, _RANGES) / _RANGES), values)
        found += [(fifths == number, least) for number in range(_RANGES)]
    return [(rows, least) for rows, least in found if rows.sum() >= LEAST_ROWS]
