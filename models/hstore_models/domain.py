"""Where a model may be believed, with a reason a chemist understands."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

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
    """Spread of the ensemble beyond which a row is unlike the training rows."""

    def reasons(
        self,
        amounts: Sequence[dict[str, float]],
        spread: NDArray[np.float64],
        conditions: dict[str, NDArray[np.float64]] | None = None,
    ) -> list[str]:
        """Say for each row why it is outside the domain; empty text inside.

        Args:
            amounts: amounts of elements of each row, ``(n,)``.
            spread: spread of the ensemble for each row, in the unit of ``spread_limit``, shape ``(n,)``.
            conditions: column -> value of each row, shape ``(n,)``; NaN means not stated and is not judged.
        """
        found = [""] * len(amounts)

        def add(row: int, note: str) -> None:
            found[row] = f"{found[row]}; {note}" if found[row] else note

        for row in np.flatnonzero(_holding_rare(amounts, self.element_rows)).tolist():
            found[row] = self._element_reason(amounts[row])
        for column, values in (conditions or {}).items():
            low, high = self.ranges.get(column, (-np.inf, np.inf))
            for row in np.flatnonzero(self._outside(column, values)).tolist():
                add(row, f"{column} {values[row]:g} outside {low:g} to {high:g}")
        for row in np.flatnonzero(spread > self.spread_limit).tolist():
            add(row, "unlike the training materials (the learners disagree)")
        return found

    def strange(
        self, amounts: Sequence[dict[str, float]], conditions: dict[str, NDArray[np.float64]] | None = None
    ) -> NDArray[np.bool_]:
        """Mark rows whose intervals have to be wider, shape ``(n,)``.

        They hold an element that no or hardly any training material contains, or a condition beyond the trained
        range; the arguments are those of :meth:`reasons`.
        """
        marked = _holding_rare(amounts, self.element_rows)
        for column, values in (conditions or {}).items():
            marked |= self._outside(column, values)
        return marked

    def _outside(self, column: str, values: NDArray[np.float64]) -> NDArray[np.bool_]:
        low, high = self.ranges.get(column, (-np.inf, np.inf))
        margin = 1e-9 * max(abs(low), abs(high), 1.0)
        return np.asarray((values < low - margin) | (values > high + margin))

    def _element_reason(self, elements: Iterable[str]) -> str:
        unseen = [el for el in elements if self.element_rows.get(el, 0) == 0 and el != "H"]
        rare = [el for el in elements if 0 < self.element_rows.get(el, 0) < MIN_ROWS_PER_ELEMENT and el != "H"]
        notes = [f"no training material contains {', '.join(unseen)}"] if unseen else []
        if rare:
            seen = ", ".join(f"{el} ({self.element_rows[el]})" for el in rare)
            notes.append(f"few training materials contain {seen}")
        return "; ".join(notes)


def domain_of(
    amounts: Sequence[dict[str, float]],
    spread_limit: float,
    ranges: dict[str, NDArray[np.float64]] | None = None,
) -> Domain:
    """Describe the domain of training rows.

    Args:
        amounts: amounts of elements of each training row.
        spread_limit: spread of the ensemble beyond which rows count as outside.
        ranges: column -> training values, NaN where not stated.
    """
    limits = {
        name: (float(np.nanmin(values)), float(np.nanmax(values)))
        for name, values in (ranges or {}).items()
        if np.isfinite(values).any()
    }
    return Domain(_element_rows(amounts), limits, spread_limit)


def strange_elements_in_folds(amounts: Sequence[dict[str, float]], folds: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Mark rows with an element that no or hardly any material of the other folds contains, shape ``(n,)``.

    Args:
        amounts: amounts of elements of each row.
        folds: fold of each row, shape ``(n,)``.
    """
    marked = np.zeros(len(amounts), dtype=bool)
    for fold in np.unique(folds):
        others = [row for row, number in zip(amounts, folds, strict=True) if number != fold]
        inside = np.flatnonzero(folds == fold)
        marked[inside] = _holding_rare([amounts[row] for row in inside.tolist()], _element_rows(others))
    return marked


def _holding_rare(amounts: Sequence[dict[str, float]], element_rows: dict[str, int]) -> NDArray[np.bool_]:
    frequent = {el for el, rows in element_rows.items() if rows >= MIN_ROWS_PER_ELEMENT} | {"H"}
    rare = set().union(*amounts) - frequent
    if not rare:
        return np.zeros(len(amounts), dtype=bool)
    return np.array([not rare.isdisjoint(row) for row in amounts], dtype=bool)


def _element_rows(amounts: Sequence[dict[str, float]]) -> dict[str, int]:
    counts = Counter(el for row in {tuple(sorted(a.items())) for a in amounts} for el, _ in row)
    return dict(sorted(counts.items()))
