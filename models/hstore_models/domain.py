"""Where a model may be believed, with a reason a chemist understands."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

MIN_ROWS_PER_ELEMENT = 3
"""Training materials an element must occur in before the model is believed on it."""


@dataclass(frozen=True)
class Domain:
    """The chemistry and conditions a model was trained on."""

    element_rows: dict[str, int]
    """Element -> number of training materials that contain it."""
    ranges: dict[str, tuple[float, float]]
    """Condition or descriptor column -> lowest and highest training value."""
    spread_limit: float
    """Tree spread beyond which a row is unlike the training rows."""

    def reasons(
        self,
        amounts: Sequence[dict[str, float]],
        spread: NDArray[np.float64],
        conditions: dict[str, NDArray[np.float64]] | None = None,
    ) -> list[str]:
        """Say for each row why it is outside the domain; empty text inside.

        Args:
            amounts: amounts of elements of each row, ``(n,)``.
            spread: tree spread of each row, shape ``(n,)``.
            conditions: column -> value of each row, shape ``(n,)``; NaN means not stated and is not judged.
        """
        notes = [self._element_reason(row) for row in amounts]
        for column, values in (conditions or {}).items():
            low, high = self.ranges.get(column, (-np.inf, np.inf))
            margin = 1e-9 * max(abs(low), abs(high), 1.0)
            for row in np.flatnonzero((values < low - margin) | (values > high + margin)):
                notes[row].append(f"{column} {values[row]:g} outside {low:g} to {high:g}")
        for row in np.flatnonzero(spread > self.spread_limit):
            notes[row].append("unlike the training materials (the trees of the forest disagree)")
        return ["; ".join(note) for note in notes]

    def _element_reason(self, amounts: dict[str, float]) -> list[str]:
        unseen = [el for el in amounts if self.element_rows.get(el, 0) == 0 and el != "H"]
        rare = [el for el in amounts if 0 < self.element_rows.get(el, 0) < MIN_ROWS_PER_ELEMENT and el != "H"]
        notes = [f"no training material contains {', '.join(unseen)}"] if unseen else []
        if rare:
            seen = ", ".join(f"{el} ({self.element_rows[el]})" for el in rare)
            notes.append(f"few training materials contain {seen}")
        return notes


def domain_of(
    amounts: Sequence[dict[str, float]],
    spread_limit: float,
    ranges: dict[str, NDArray[np.float64]] | None = None,
) -> Domain:
    """Describe the domain of training rows.

    Args:
        amounts: amounts of elements of each training row.
        spread_limit: tree spread beyond which rows count as outside.
        ranges: column -> training values, NaN where not stated.
    """
    counts = Counter(el for row in {tuple(sorted(a.items())) for a in amounts} for el, _ in row)
    limits = {
        name: (float(np.nanmin(values)), float(np.nanmax(values)))
        for name, values in (ranges or {}).items()
        if np.isfinite(values).any()
    }
    return Domain(dict(sorted(counts.items())), limits, spread_limit)
