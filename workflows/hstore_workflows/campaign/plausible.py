"""Hold back values that can hardly be true, and say which slip of unit or decimal point would explain them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from hstore.properties import PROPERTIES
from hstore.units import KJ_PER_KCAL
from hstore_workflows.evaluate.target import PRESSURE

if TYPE_CHECKING:
    from hstore.arrays import FloatArray
    from hstore_workflows.campaign.pool import CampaignPool
    from hstore_workflows.campaign.standing import Standing

_SLIPS = (KJ_PER_KCAL, 1000.0, 100.0, 10.0)
_DEVIATIONS = 6.0
_SPANS = 3.0
_LIKELY_DEVIATIONS = 3.0
_MIN_VALUES = 8
_SMALLEST_SPAN_SHARE = 0.5
_SMALLEST_STD_SHARE = 0.02
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


def expectation(pool: CampaignPool, standing: Standing, row: int, column: str) -> Expectation | None:
    """Return what is expected of one material: the pool's prediction, or what was measured so far.

    Without a prediction eight materials must have been measured, and their span counts as at least half of their
    middle, so that a few equal results do not make the next one doubtful.
    """
    logarithm = column == PRESSURE
    prior = pool.prior(column)
    if prior is not None:
        means = _logarithms(prior.mean) if logarithm else prior.mean
        span = float(np.ptp(means))
        return Expectation(float(means[row]), float(prior.std[row]), span, "predicted", logarithm)
    held = (standing.values(material) for material in standing.materials)
    known = np.array([values[column] for values in held if column in values])
    if len(known) < _MIN_VALUES:
        return None
    known = _logarithms(known) if logarithm else known
    middle, span = float(np.median(known)), float(np.ptp(known))
    span = max(span, _SMALLEST_SPAN_SHARE * abs(middle))
    std = max(float(known.std()), _SMALLEST_STD_SHARE * span)
    return Expectation(middle, std, span, "measured so far", logarithm)


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


def _logarithms(values: FloatArray) -> FloatArray:
    return np.asarray(np.log(np.maximum(values, _SMALLEST_PRESSURE_BAR)))
