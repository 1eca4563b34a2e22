"""How wide an interval must be: error scales turned into standard deviations that cover what they promise.

Residuals come from predictions with whole groups held out, so they show the error on unseen chemistry. The spread
of an ensemble tells easy from hard rows; it is scaled so that the 90 % intervals cover 90 % of the held-out rows
(split conformal prediction with a normalised score, Papadopoulos et al. 2008, doi 10.1613/jair.2698). Families and
ranges of the answer that this leaves below 90 % get a factor of their own (Mondrian conformal prediction, Vovk et
al. 2005, doi 10.1007/b106715), so that no chemistry pays for the ease of another.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from hstore.arrays import FloatArray

COVERAGE = 0.90
"""Nominal coverage of every interval hstore prints."""

NORMAL_QUANTILE = 1.6448536269514722
"""Half-width of the central 90 % interval of a normal distribution, in standard deviations."""

LEAST_ROWS = 20
"""Rows a family or range must have before it is judged by itself."""

_SPREAD_FLOORS = (0.05, 0.1, 0.2, 0.4, 0.8, 1.6, 1e6)
_RANGES = 5
"""Ranges of the known values, and of the answers, with equally many rows."""
_LARGEST_FACTOR = 3.0
_FLAGGED_SHARE = 0.12
"""Share of the held-out rows, those of the largest error scale, that count as unlike the training rows."""
_WIDE = 0.3
"""Share of a range of answers that rows of a range of values must have to widen it."""


@dataclass(frozen=True)
class Calibration:
    """Turns the spread of an ensemble into standard deviations."""

    floor: float
    """Constant part of the error scale, in the unit of the target."""
    scale: float
    """Standard deviation per unit of error scale."""
    family_factors: dict[str, float]
    """Family -> factor on its standard deviations; families that need none are left out."""
    edges: FloatArray
    """Answers at which the factor of the range changes, ascending, shape ``(k,)``."""
    range_factors: FloatArray
    """Factor for answers below the first edge, between edges, and above the last, shape ``(k + 1,)``."""
    spread_limit: float
    """Spread beyond which a row is unlike the training rows."""

    def std(
        self, spread: FloatArray, mean: FloatArray, families: Sequence[str] | NDArray[np.object_] | None = None
    ) -> FloatArray:
        """Return standard deviations, shape ``(n,)``.

        Args:
            spread: spread of the ensemble for each row, shape ``(n,)``.
            mean: answer for each row, shape ``(n,)``.
            families: family of each row; None when there are none.
        """
        result = self.scale * np.hypot(self.floor, spread)
        result = result * self.range_factors[np.searchsorted(self.edges, mean, side="right")]
        if families is not None and self.family_factors:
            result = result * np.array([self.family_factors.get(str(name), 1.0) for name in families])
        return np.asarray(result)


def calibrate(
    truth: FloatArray,
    mean: FloatArray,
    spread: FloatArray,
    *,
    families: Sequence[str] | NDArray[np.object_] | None = None,
    weights: FloatArray | None = None,
) -> Calibration:
    """Calibrate on held-out predictions.

    Args:
        truth: known values, shape ``(n,)``.
        mean: held-out answers, shape ``(n,)``.
        spread: held-out spreads, shape ``(n,)``.
        families: family of each row; None when there are none.
        weights: rows of weight 0 do not count; all count when None.
    """
    counted = np.ones(len(truth), dtype=bool) if weights is None else weights > 0
    truth, mean, spread = truth[counted], mean[counted], spread[counted]
    names = np.array([""] * len(truth) if families is None else families, dtype=str)
    names = names[counted] if len(names) != len(truth) else names
    floor, scale = _global_scale(np.abs(truth - mean), spread)
    limit = float(np.quantile(spread, 1.0 - _FLAGGED_SHARE))
    edges = np.unique(np.quantile(mean, np.arange(1, 2 * _RANGES) / (2 * _RANGES)))
    plain = Calibration(floor, scale, {}, np.empty(0), np.ones(1), limit)
    score = np.abs(truth - mean) / (NORMAL_QUANTILE * np.maximum(plain.std(spread, mean), 1e-12))
    factors = _family_factors(score, names)
    score = score / np.array([factors.get(name, 1.0) for name in names])
    return Calibration(floor, scale, factors, edges, _range_factors(score, truth, mean, edges), limit)


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
