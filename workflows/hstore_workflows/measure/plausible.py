"""Hold back values that can hardly be true, and say which slip of unit or decimal point would explain them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from hstore.properties import PROPERTIES
from hstore.units import KJ_PER_KCAL

if TYPE_CHECKING:
    from hstore.arrays import FloatArray

_SLIPS = (KJ_PER_KCAL, 1000.0, 100.0, 10.0)
_DEVIATIONS = 6.0
_SPANS = 3.0
_LIKELY_DEVIATIONS = 3.0
_SMALLEST_PRESSURE_BAR = 1e-30


@dataclass(frozen=True)
class Expectation:
    """What a value of one material should be about."""

    mean: float
    """Expected value; of a pressure, of its natural logarithm."""
    std: float
    """Standard deviation of the expectation."""
    span: float
    """Highest minus lowest value of the pool, as far as it is known."""
    source: str
    """Where this comes from, in words."""
    logarithm: bool = False
    """True where values are compared by their logarithms."""

    def distance(self, value: float) -> float:
        """Return how far a value lies from the expectation."""
        return abs(_scaled(value, logarithm=self.logarithm) - self.mean)

    def unlikely(self, value: float) -> bool:
        """Tell whether a value is both far beyond the prediction and far beyond the pool."""
        return self.distance(value) > max(_DEVIATIONS * self.std, _SPANS * self.span)


def in_range(column: str, value: float) -> bool:
    """Tell whether a value lies in the believable range of its property."""
    bounds = PROPERTIES.get(column)
    return bounds is None or bounds.low <= value <= bounds.high


def doubt(column: str, value: float, expected: Expectation | None) -> str:
    """Return why a value is held back, with the slip that would explain it; empty where nothing is wrong."""
    bounds = PROPERTIES.get(column)
    outside = not in_range(column, value)
    if not outside and (expected is None or not expected.unlikely(value)):
        return ""
    if bounds is not None and outside:
        cause = f"{column} must lie in [{bounds.low:g}, {bounds.high:g}] {bounds.unit}, got {value:g}"
    else:
        assert expected is not None
        of = "ln " if expected.logarithm else ""
        cause = (
            f"{column} {value:g} is {expected.distance(value) / expected.std:.0f} standard deviations from what "
            f"was {expected.source} ({of}{expected.mean:.3g})"
        )
    return f"{cause}{_slip(column, value, expected)}"


def _slip(column: str, value: float, expected: Expectation | None) -> str:
    """Name the factors that would make the value a likely one."""
    found = []
    for factor in _SLIPS:
        for made, sign in ((value / factor, "/"), (value * factor, "x")):
            inside = in_range(column, made)
            if inside and expected is not None:
                inside = expected.distance(made) <= max(_LIKELY_DEVIATIONS * expected.std, expected.span)
            if inside and (expected is not None or sign == "/"):
                found.append(f"{made:.3g} ({sign} {factor:g})")
    return f"; a slip of unit would make it {' or '.join(found[:2])}" if found else ""


def _scaled(value: float, *, logarithm: bool) -> float:
    return float(np.log(max(value, _SMALLEST_PRESSURE_BAR))) if logarithm else value


def logarithms(values: FloatArray) -> FloatArray:
    """Return natural logarithms of pressures; those of nothing are those of almost nothing."""
    return np.asarray(np.log(np.maximum(values, _SMALLEST_PRESSURE_BAR)))
