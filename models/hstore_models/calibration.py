"""What turns the spread of an ensemble into standard deviations, and the intervals they stand for.

The central 90 % interval is the answer plus or minus ``NORMAL_QUANTILE`` standard deviations. How the factors are
found is in :mod:`hstore_models.conformal`.
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
    strange_factor: float
    """Factor for rows with an element that hardly any training material contains."""

    def std(
        self,
        spread: FloatArray,
        mean: FloatArray,
        families: Sequence[str] | NDArray[Any] | None = None,
        strange: NDArray[np.bool_] | None = None,
    ) -> FloatArray:
        """Return standard deviations, shape ``(n,)``.

        Args:
            spread: spread of the ensemble for each row, shape ``(n,)``.
            mean: answer for each row, shape ``(n,)``.
            families: family of each row; None when there are none.
            strange: rows with an element that hardly any training material contains; none when None.
        """
        result = self.scale * np.hypot(self.floor, spread)
        result = result * self.range_factors[np.searchsorted(self.edges, mean, side="right")]
        if families is not None and self.family_factors:
            result = result * self.of_families(families)
        return np.asarray(result if strange is None else np.where(strange, self.strange_factor, 1.0) * result)

    def of_families(self, families: Sequence[str] | NDArray[Any]) -> FloatArray:
        """Return the product of the factors of the families of each row, shape ``(n,)``."""
        names, place = np.unique(np.asarray(families, dtype=str), return_inverse=True)
        factors = [
            float(np.prod([self.family_factors.get(part, 1.0) for part in name.split(JOINT)]))
            for name in names.tolist()
        ]
        return np.asarray(factors)[place]
