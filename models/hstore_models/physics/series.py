"""What a correlated series says: where it has settled, its mean, and how well the mean is known."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.signal import fftconvolve
from scipy.stats import t as student_t

if TYPE_CHECKING:
    from hstore.arrays import FloatArray

LEAST_SAMPLES = 40
"""Fewer samples are not judged."""
_BLOCKS = 10
"""Blocks of an error estimate; each is to be longer than the memory of the series."""
_CONFIDENCE = 0.95
_STARTS = 40
"""Places at which the settled part may begin, evenly over the first part of a series."""
_LATEST_START = 0.5
"""A series that settles later than this share of its length is not settled."""


@dataclass(frozen=True)
class Average:
    """Mean of a settled series."""

    mean: float
    """Mean of the samples after ``start``."""
    error_95: float
    """Half-width of the 95 % interval of the mean; infinite where it cannot be told."""
    start: int
    """Samples before it are left out: the series had not settled."""
    effective: float
    """Independent samples that the rest is worth."""


def inefficiency(series: FloatArray) -> float:
    """Return how many samples are worth one independent one, at least 1.

    Integrated autocorrelation time 1 + 2 sum (1 - t/n) C(t), summed to the first negative correlation
    (Chodera et al. 2007, doi 10.1021/ct0502864).

    Args:
        series: shape (n,), n at least 2.
    """
    n = len(series)
    deviation = series - series.mean()
    variance = float(np.mean(deviation**2))
    if variance == 0.0:
        return 1.0
    products = fftconvolve(deviation, deviation[::-1])[n - 1 :]
    correlation = products[1:] / (n * variance)
    negative = np.flatnonzero(correlation <= 0)
    last = int(negative[0]) if len(negative) else n - 1
    return max(1.0, 1.0 + 2.0 * float(correlation[:last].sum()))


def settled_from(series: FloatArray) -> int:
    """Return where the series has settled: the start that leaves most independent samples.

    Chodera 2016, doi 10.1021/acs.jctc.5b00784; starts after the middle are not asked for.
    """
    n = len(series)
    starts = sorted({int(s) for s in np.linspace(0, _LATEST_START * n, _STARTS)})
    worth = [(n - s) / inefficiency(series[s:]) for s in starts]
    return starts[int(np.argmax(worth))]


def average(series: FloatArray, *, start: int | None = None) -> Average:
    """Return the mean of what has settled, with the error of block averages.

    The error is the larger one of two estimates: from the scatter of ten block means, and from the autocorrelation
    time. Blocks can hide a slow drift that the other sees, and the other way round.

    Args:
        series: shape (n,).
        start: where the settled part begins; found from the series when None.
    """
    series = np.asarray(series, float)
    if len(series) < LEAST_SAMPLES:
        return Average(float(series.mean()) if len(series) else math.nan, math.inf, 0, 0.0)
    start = settled_from(series) if start is None else start
    kept = series[start:]
    effective = len(kept) / inefficiency(kept)
    blocks = np.array([part.mean() for part in np.array_split(kept, _BLOCKS)])
    by_blocks = _quantile(_BLOCKS - 1) * float(blocks.std(ddof=1)) / math.sqrt(_BLOCKS)
    by_time = _quantile(max(1.0, effective - 1)) * float(kept.std(ddof=1)) / math.sqrt(effective)
    return Average(float(kept.mean()), max(by_blocks, by_time), start, effective)


def relative_drift(settled: FloatArray) -> float:
    """Return how much the mean of the last third lies above that of the first, as a share of the mean."""
    thirds = np.array_split(np.asarray(settled, float), 3)
    mean = float(np.mean(settled))
    return float(thirds[2].mean() - thirds[0].mean()) / mean if mean else 0.0


def block_error(values: FloatArray) -> float:
    """Return the half-width of the 95 % interval of the mean of independent values, shape (n,)."""
    values = np.asarray(values, float)
    if len(values) < 2:
        return math.inf
    return _quantile(len(values) - 1) * float(values.std(ddof=1)) / math.sqrt(len(values))


def _quantile(freedom: float) -> float:
    return float(student_t.ppf((1 + _CONFIDENCE) / 2, freedom))
