"""Noise floor: the error that even a perfect model must make, from repeated measurements of one material.

A perfect model answers the true value m. Of two measurements x and y of it with independent normal errors,
E|x - y| = sqrt(2) E|x - m|; so the mean absolute difference of pairs, over the square root of 2, estimates the
mean absolute error of the perfect model without bias, for any number of repeats. Errors that all repeats share
(one sample, one laboratory) are not seen: the floor is a lower bound.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from hstore.arrays import FloatArray


@dataclass(frozen=True)
class NoiseFloor:
    """What repeated measurements say of the smallest error possible."""

    mae: float
    """Mean absolute error of a perfect model, in the unit of the values; NaN without repeats."""
    n_rows: int
    """Repeated measurements."""
    n_materials: int
    """Materials (at given conditions) measured more than once."""


def noise_floor(keys: Sequence[str] | NDArray[Any], values: FloatArray) -> NoiseFloor:
    """Estimate the noise floor.

    Each material counts by its number of measurements.

    Args:
        keys: material and conditions of each row, shape ``(n,)``; rows of one key are repeats.
        values: measured values, shape ``(n,)``; NaN is left out.
    """
    table = pd.DataFrame({"key": np.asarray(keys, dtype=str), "value": np.asarray(values, dtype=float)}).dropna()
    total, n_rows, n_materials = 0.0, 0, 0
    for _, repeats in table.groupby("key")["value"]:
        if len(repeats) > 1:
            total += len(repeats) * _mean_difference(repeats.to_numpy(dtype=float))
            n_rows, n_materials = n_rows + len(repeats), n_materials + 1
    return NoiseFloor(total / n_rows / np.sqrt(2.0) if n_rows else float("nan"), n_rows, n_materials)


def _mean_difference(values: FloatArray) -> float:
    """Return the mean absolute difference of all pairs, from the sorted values."""
    count = len(values)
    weights = 2.0 * np.arange(count) - count + 1.0
    return float(2.0 * np.sum(weights * np.sort(values)) / (count * (count - 1)))
