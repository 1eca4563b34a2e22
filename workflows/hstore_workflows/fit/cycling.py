"""Fade of a capacity over cycles of absorption and desorption."""

from __future__ import annotations

from dataclasses import dataclass
from typing import IO, TYPE_CHECKING, Any

import numpy as np
from scipy.stats import t as t_distribution

from hstore.errors import HstoreError, InputError
from hstore_workflows.fit.vant_hoff import COVERAGE
from hstore_workflows.measure.cells import finite
from hstore_workflows.measure.csv_rows import csv_rows
from hstore_workflows.measure.units import read_header

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import ArrayLike

LEAST_CYCLES = 4
"""Cycles from which a fade can be read."""

_CAPACITY, _CYCLE = "h2_capacity_wt_pct", "cycle"
_END_OF_LIFE = 0.8


@dataclass(frozen=True)
class Fade:
    """How a capacity fades: c = c_first exp(-k (cycle - 1)), fitted to its logarithm."""

    first_wt_pct: float
    """Capacity of the first cycle, on the line, wt%."""
    fade_pct_per_100: float
    """What 100 cycles take of it, %; below 0 where it grows."""
    interval: tuple[float, float]
    """90 % interval of that, %."""
    cycles_to_80_pct: float | None
    """Cycles until four fifths are left; None where it does not fade for certain."""
    cycles: int
    """Cycles measured."""
    rms_pct: float
    """Root mean square distance from the line, %."""
    notes: tuple[str, ...] = ()
    """What could not be used, and why."""

    def as_json(self) -> dict[str, Any]:
        """Return it as plain JSON."""
        return vars(self) | {"coverage": COVERAGE}

    def text(self) -> Iterator[str]:
        """Yield it in words."""
        low, high = self.interval
        yield (
            f"{self.first_wt_pct:.3g} wt% at first, {self.fade_pct_per_100:.2g} % lost in 100 cycles "
            f"(90 %: {low:.2g} to {high:.2g}), from {self.cycles} cycles"
        )
        if self.cycles_to_80_pct is not None:
            yield f"four fifths are left after {self.cycles_to_80_pct:,.0f} cycles, if it goes on so"
        yield from (f"note: {note}" for note in self.notes)


def fit_fade(cycle: ArrayLike, capacity_wt_pct: ArrayLike) -> Fade:
    """Fit the fade of a capacity.

    Args:
        cycle: numbers of the cycles, from 1, shape ``(n,)``.
        capacity_wt_pct: above 0, shape ``(n,)``.

    Raises:
        InputError: there are too few cycles, or a capacity is not above 0.
    """
    n, c = np.asarray(cycle, dtype=float), np.asarray(capacity_wt_pct, dtype=float)
    if len(np.unique(n)) < LEAST_CYCLES:
        raise InputError(f"a fade needs at least {LEAST_CYCLES} cycles, got {len(np.unique(n))}; measure more")
    if not (c > 0).all():
        raise InputError(f"capacities must be above 0, got {c.min():g}")
    slope, cut = np.polyfit(n - 1.0, np.log(c), 1)
    residual = np.log(c) - cut - slope * (n - 1.0)
    std = float(np.sqrt(residual @ residual / (len(n) - 2) / np.sum((n - n.mean()) ** 2)))
    reach = float(t_distribution.ppf(0.5 + COVERAGE / 2, len(n) - 2)) * std
    least, most = (float(100.0 * -np.expm1(100.0 * value)) for value in (slope + reach, slope - reach))
    return Fade(
        first_wt_pct=float(np.exp(cut)),
        fade_pct_per_100=float(100.0 * -np.expm1(100.0 * slope)),
        interval=(least, most),
        cycles_to_80_pct=float(1.0 + np.log(_END_OF_LIFE) / slope) if slope + reach < 0 else None,
        cycles=len(n),
        rms_pct=float(100.0 * np.sqrt(np.mean(residual**2))),
    )


def read_fade(stream: IO[bytes]) -> Fade:
    """Fit the fade that a table tells, one cycle in a row: columns ``cycle`` and ``h2_capacity_wt_pct``.

    Raises:
        InputError: a column is missing, or there are too few cycles.
    """
    cycles, capacities, notes = [], [], []
    for place, row in enumerate(csv_rows(stream), 1):
        headers = {name: header for name in row if (header := read_header(name, (_CAPACITY,))) is not None}
        if len(headers) != 1 or _CYCLE not in row:
            raise InputError(f"the table needs the columns {_CYCLE} and {_CAPACITY}, got {', '.join(row)[:200]}")
        ((name, header),) = headers.items()
        try:
            number, capacity = finite(_CYCLE, row[_CYCLE]), header.convert(finite(name, row[name])).value
        except HstoreError as error:
            notes.append(f"row {place}: {error}")
            continue
        cycles.append(number)
        capacities.append(capacity)
    found = fit_fade(cycles, capacities)
    return Fade(**{**vars(found), "notes": tuple(notes)})
