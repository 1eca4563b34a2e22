"""Values of one material that were measured several times: their mean, whether they agree, and the noise."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

_SHARE = 0.03
_SPREAD_SHARE = 0.01
_DEVIATIONS = 2.0
_NOTHING = 1e-12


@dataclass(frozen=True)
class Reading:
    """One live value of a material."""

    value: float
    """Value in the canonical unit of its column."""
    std: float | None
    """Its standard deviation, where the lab gave one."""
    lab: str
    """Who measured it."""
    number: int
    """Number of the experiment."""


@dataclass(frozen=True)
class Conflict:
    """Values of one material that repeated measurement does not explain."""

    material_id: str
    """Material of the pool."""
    column: str
    """What was measured."""
    readings: tuple[Reading, ...]
    """All live values."""
    mean: float
    """The value that is used meanwhile."""


@dataclass(frozen=True)
class Noise:
    """How far repeated measurements of a column scatter."""

    std: float
    """Pooled standard deviation of one measurement, in the unit of the column."""
    materials: int
    """Materials with several values."""
    values: int
    """Their values."""


def agree(readings: Iterable[Reading], spread: float) -> bool:
    """Tell whether values differ by no more than two standard deviations of their differences.

    Args:
        readings: values of one material and column. One without a standard deviation counts as uncertain by 3 %,
            or by a hundredth of the spread if that is more.
        spread: scatter of the column over the materials measured, in its unit.
    """
    held = list(readings)
    stds = [r.std or max(_SHARE * abs(r.value), _SPREAD_SHARE * spread) for r in held]
    return all(
        abs(a.value - b.value) <= _DEVIATIONS * np.hypot(s, t) + _NOTHING
        for place, (a, s) in enumerate(zip(held, stds, strict=True))
        for b, t in zip(held[place + 1 :], stds[place + 1 :], strict=True)
    )


def mean_of(readings: Sequence[Reading]) -> float:
    """Return the mean, weighted by 1/std^2 where every value states its standard deviation."""
    values = np.array([reading.value for reading in readings])
    stds = [reading.std for reading in readings if reading.std]
    weights = np.array(stds, dtype=float) ** -2 if len(stds) == len(readings) else None
    return float(np.average(values, weights=weights))


def pooled_noise(groups: Sequence[Sequence[float]]) -> Noise:
    """Return the pooled standard deviation of values around the mean of their group; two or more in each."""
    squares = sum(float(np.sum((np.array(group) - np.mean(group)) ** 2)) for group in groups)
    freedom = sum(len(group) - 1 for group in groups)
    return Noise(float(np.sqrt(squares / freedom)), len(groups), sum(map(len, groups)))
