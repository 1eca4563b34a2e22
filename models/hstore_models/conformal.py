"""How wide an interval must be: group-wise conformal prediction on held-out rows.

Residuals come from predictions with whole groups held out, so they show the error on unseen chemistry. The spread
of an ensemble tells easy from hard rows; it is scaled so that the 90 % intervals cover 90 % of the held-out rows
(split conformal prediction with a normalised score, Papadopoulos et al. 2008, doi 10.1613/jair.2698). Families and
ranges of the answer that this leaves below 90 % get a factor of their own (Mondrian conformal prediction, Vovk et
al. 2005, doi 10.1007/b106715), so that no chemistry pays for the ease of another; what then covers more than it
promises is narrowed again.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from hstore_models.calibration import COVERAGE, NORMAL_QUANTILE, Calibration
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
_STEP = 0.02
_LEAST_FACTOR, _LEAST_FAMILY_FACTOR = 0.6, 0.8
_SPARE, _FAMILY_SPARE = 0.025, 0.05
"""Coverage to spare beyond 90 %: new materials are a little stranger than held-out ones."""
_FAMILY_GROUPS = 15
"""Groups a family must have before its intervals are narrowed by themselves."""
_LEAST_PROBABILITY = 0.15
"""Probability of so little coverage, by chance, that every part must keep; at 0.01 it would be rejected."""


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
        groups: what was held out together, the units of every test; rows when None.
        strange: rows with an element that hardly any row of the other folds contains; none when None.
        counted: rows that count, shape ``(n,)``; all when None.
    """
    kept = np.ones(len(truth), dtype=bool) if counted is None else counted
    names = np.array([""] * len(truth) if families is None else families, dtype=str)[kept]
    strange = np.zeros(len(truth), dtype=bool)[kept] if strange is None else strange[kept]
    units = np.arange(len(truth)).astype(str) if groups is None else np.asarray(groups, dtype=str)
    truth, mean, spread, units = truth[kept], mean[kept], spread[kept], units[kept]
    floor, scale = _global_scale(np.abs(truth - mean), spread)
    limit = float(np.quantile(spread, 1.0 - _FLAGGED_SHARE))
    edges = np.unique(np.quantile(mean, np.arange(1, 2 * _RANGES) / (2 * _RANGES)))
    plain = Calibration(floor, scale, {}, np.empty(0), np.ones(1), limit, 1.0)
    score = np.abs(truth - mean) / (NORMAL_QUANTILE * np.maximum(plain.std(spread, mean), 1e-12))
    strange_factor = _strange_factor(score[strange])
    score = score / np.where(strange, strange_factor, 1.0)
    factors = _family_factors(score, names)
    score = score / np.array([factors.get(name, 1.0) for name in names])
    ranges = _range_factors(score, truth, mean, edges)
    wide = Calibration(floor, scale, factors, edges, ranges, limit, strange_factor)
    return _narrowed(wide, truth, mean, wide.std(spread, mean, names, strange), families=names, groups=units)


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
    level = min(1.0, np.ceil((len(score) + 1) * COVERAGE) / len(score))
    return float(np.quantile(score, level, method="higher"))


def _global_scale(residuals: FloatArray, spread: FloatArray) -> tuple[float, float]:
    """Choose the floor that gives the narrowest intervals, and the factor that makes them cover."""
    rms = float(np.sqrt(np.mean(residuals**2))) or 1.0
    best = (np.inf, rms, 1.0)
    for share in _SPREAD_FLOORS:
        scales = np.hypot(share * rms, spread)
        quantile = needed(residuals / scales)
        best = min(best, (float(np.mean(quantile * scales)), share * rms, quantile / NORMAL_QUANTILE))
    return best[1], best[2]


def _family_factors(score: FloatArray, names: NDArray[np.str_]) -> dict[str, float]:
    found = {}
    for name in np.unique(names[names != ""]).tolist():
        own = score[names == name]
        if len(own) >= LEAST_ROWS and np.mean(own <= 1.0) < COVERAGE:
            found[name] = min(needed(own), _LARGEST_FACTOR)
    return found


def _range_factors(score: FloatArray, truth: FloatArray, mean: FloatArray, edges: FloatArray) -> FloatArray:
    """Widen where a fifth of the answers, or of the known values, is covered too seldom.

    Which fifth a new row's value lies in is not known, so the factor goes to the answers its rows make up a good
    part of.
    """
    bins = np.searchsorted(edges, mean, side="right")
    factors = np.ones(len(edges) + 1)
    fifths = np.unique(np.quantile(truth, np.arange(1, _RANGES) / _RANGES))
    of_truth, of_mean = np.searchsorted(fifths, truth), np.searchsorted(fifths, mean)
    for of_row in (of_mean, of_truth):
        for number in range(len(fifths) + 1):
            inside = of_row == number
            own = score[inside] / factors[bins[inside]]
            if len(own) < LEAST_ROWS or np.mean(own <= 1.0) >= COVERAGE:
                continue
            wanted = min(needed(own), _LARGEST_FACTOR)
            share = np.array(
                [np.mean(inside[bins == b]) if (bins == b).any() else 0.0 for b in range(len(factors))]
            )
            factors = np.where(share >= _WIDE, np.minimum(factors * wanted, _LARGEST_FACTOR), factors)
    return factors


def _narrowed(
    calibration: Calibration,
    truth: FloatArray,
    mean: FloatArray,
    std: FloatArray,
    *,
    families: NDArray[np.str_],
    groups: NDArray[np.str_],
) -> Calibration:
    """Narrow the intervals of families that cover nearly always, then all by one factor.

    Until here they were only widened, so that together they cover more than they promise. Factors below 1 are
    chosen on the same rows: the smallest with which no part of the rows misses its 90 %.
    """
    score = np.abs(truth - mean) / (NORMAL_QUANTILE * np.maximum(std, 1e-12))
    factors = dict(calibration.family_factors)
    for family in np.unique(families).tolist():
        rows = families == family
        if len(np.unique(groups[rows])) < _FAMILY_GROUPS:
            continue
        every = [np.ones(int(rows.sum()), dtype=bool)]
        own = _smallest(score[rows], groups[rows], every, least=_LEAST_FAMILY_FACTOR, spare=_FAMILY_SPARE)
        if own < 1.0:
            factors[family] = factors.get(family, 1.0) * own
            score[rows] /= own
    parts = _parts(truth, mean, families)
    common = _smallest(score, groups, parts, least=_LEAST_FACTOR, spare=_SPARE)
    return replace(calibration, scale=calibration.scale * common, family_factors=factors)


def _smallest(
    score: FloatArray, groups: NDArray[np.str_], parts: list[NDArray[np.bool_]], *, least: float, spare: float
) -> float:
    """Return the smallest factor, going down from 1, with which all rows and every part still cover."""
    best = 1.0
    for factor in np.arange(1.0 - _STEP, least - 1e-9, -_STEP).tolist():
        inside = score <= factor
        if inside.mean() < COVERAGE + spare:
            break
        if any(below_nominal(inside[rows], groups[rows])[0] < _LEAST_PROBABILITY for rows in parts):
            break
        best = factor
    return best


def _parts(truth: FloatArray, mean: FloatArray, families: NDArray[np.str_]) -> list[NDArray[np.bool_]]:
    """Return the families and the fifths of known values and of answers that have rows enough to be judged."""
    found = [families == name for name in np.unique(families)]
    for values in (truth, mean):
        fifths = np.searchsorted(np.quantile(values, np.arange(1, _RANGES) / _RANGES), values)
        found += [fifths == number for number in range(_RANGES)]
    return [rows for rows in found if rows.sum() >= LEAST_ROWS]
