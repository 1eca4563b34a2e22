"""What turns the spread of an ensemble into 90 % intervals, and into the standard deviations that stand for them.

How the factors are found, and why an interval reaches further on one side, is in :mod:`hstore_models.conformal`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from hstore.arrays import FloatArray

COVERAGE = 0.90
"""Nominal coverage of every interval hstore prints."""

JOINT = "|"
"""Stands between the families of a row that belongs to several; each has its own factor."""

NORMAL_QUANTILE = 1.6448536269514722
"""Half-width of the central 90 % interval of a normal distribution, in standard deviations."""


@dataclass(frozen=True)
class Reach:
    """How far 90 % intervals reach from the answers, arrays of shape ``(n,)`` in the unit of the answers."""

    below: FloatArray
    """From the lower end to the answer."""
    above: FloatArray
    """From the answer to the upper end."""
    std: FloatArray
    """Standard deviation: half the width over ``NORMAL_QUANTILE``, without what is open below a bound."""

    @classmethod
    def normal(cls, std: FloatArray) -> Reach:
        """Return the reach of normal intervals."""
        half = NORMAL_QUANTILE * std
        return cls(half, np.array(half), std)

    def scaled(self, factor: FloatArray) -> Reach:
        """Return a reach of the same form and another size, factors of shape ``(n,)``."""
        return Reach(factor * self.below, factor * self.above, factor * self.std)

    def put(self, rows: NDArray[np.int64] | int, other: Reach) -> None:
        """Replace that of some rows, in place."""
        self.below[rows], self.above[rows], self.std[rows] = other.below, other.above, other.std

    def take(self, rows: NDArray[Any]) -> Reach:
        """Return that of some rows, by mask or number."""
        return Reach(self.below[rows], self.above[rows], self.std[rows])


@dataclass(frozen=True)
class OpenEnd:
    """Where intervals end openly, for values that are known only to lie below a bound, such as ``<1E-10``."""

    bound: float
    """The bound."""
    distance: float
    """An answer no further above the bound than this, in half-widths, may stand for whatever lies below it."""
    end: float
    """Lower end of such an interval."""

    def opened(self, mean: FloatArray, half: FloatArray, below: FloatArray) -> FloatArray:
        """Return how far intervals reach below, shape ``(n,)``, with those that end openly.

        Args:
            mean: answers, shape ``(n,)``.
            half: half-widths before the factors of values, shape ``(n,)``.
            below: reach below of intervals that do not end openly, shape ``(n,)``.
        """
        opened = mean - self.distance * half <= self.bound
        return np.where(opened, np.maximum(below, mean - self.end), below)


@dataclass(frozen=True)
class Calibration:
    """Turns the spread of an ensemble into intervals."""

    floor: float
    """Constant part of the error scale, in the unit of the target."""
    scale: float
    """Standard deviation per unit of error scale, before all factors."""
    family_factors: dict[str, float]
    """Family -> factor on its widths."""
    edges: FloatArray
    """Known values at which the factor changes, ascending, shape ``(k,)``."""
    value_factors: FloatArray
    """Factor for values below the first edge, between edges, and above the last, shape ``(k + 1,)``."""
    spread_limit: float
    """Spread beyond which a row is unlike the training rows."""
    strange_factor: float
    """Factor for rows with an element that hardly any training material contains."""
    open_end: OpenEnd | None = None
    """Where intervals end openly; nowhere when None."""

    def error_scale(self, spread: FloatArray) -> FloatArray:
        """Return standard deviations before all factors, shape ``(n,)``; the argument is that of :meth:`reach`."""
        return np.asarray(self.scale * np.hypot(self.floor, spread))

    def half_width(
        self,
        spread: FloatArray,
        families: Sequence[str] | NDArray[Any] | None = None,
        strange: NDArray[np.bool_] | None = None,
    ) -> FloatArray:
        """Return half-widths before the factors of values, shape ``(n,)``; arguments as for :meth:`reach`."""
        half = NORMAL_QUANTILE * self.error_scale(spread)
        if families is not None and self.family_factors:
            half = half * self.of_families(families)
        return half if strange is None else np.asarray(np.where(strange, self.strange_factor, 1.0) * half)

    def reach(
        self,
        spread: FloatArray,
        mean: FloatArray,
        families: Sequence[str] | NDArray[Any] | None = None,
        strange: NDArray[np.bool_] | None = None,
    ) -> Reach:
        """Return how far the intervals reach from the answers.

        Args:
            spread: spread of the ensemble for each row, shape ``(n,)``.
            mean: answer for each row, shape ``(n,)``.
            families: family of each row; None when there are none.
            strange: rows with an element that hardly any training material contains; none when None.
        """
        half = self.half_width(spread, families, strange)
        below, above = reach_to_values(mean, half, self.edges, self.value_factors)
        std = (below + above) / (2.0 * NORMAL_QUANTILE)
        if self.open_end is not None:
            below = self.open_end.opened(mean, half, below)
        return Reach(below, above, std)

    def of_families(self, families: Sequence[str] | NDArray[Any]) -> FloatArray:
        """Return the product of the factors of the families of each row, shape ``(n,)``."""
        factors = {
            name: float(np.prod([self.family_factors.get(part, 1.0) for part in name.split(JOINT)]))
            for name in set(families)
        }
        return np.array([factors[name] for name in families], dtype=np.float64)


def reach_to_values(
    mean: FloatArray, half: FloatArray, edges: FloatArray, factors: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Return how far intervals reach below and above, each of shape ``(n,)``.

    A value belongs to the interval if it is no further from the answer than the half-width times the factor of the
    range that the value is in; the interval spans all that belong to it.

    Args:
        mean: answers, shape ``(n,)``.
        half: half-widths before the factors, shape ``(n,)``.
        edges: values at which the factor changes, ascending, shape ``(k,)``.
        factors: factor of each range of values, shape ``(k + 1,)``.
    """
    limits = np.concatenate([[-np.inf], edges, [np.inf]])
    down, up = mean[:, None] - limits[:-1], limits[1:] - mean[:, None]
    reach = half[:, None] * factors
    below, above = np.minimum(reach, down), np.minimum(reach, up)
    # A range that ends before the answer, or begins beyond what its factor allows, has no part in a side.
    return (
        np.where(below >= np.maximum(-up, 0.0), below, 0.0).max(axis=1),
        np.where(above >= np.maximum(-down, 0.0), above, 0.0).max(axis=1),
    )
