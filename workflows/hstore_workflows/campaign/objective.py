"""What a campaign looks for: columns to maximise or minimise, and windows that others must meet."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from hstore.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Mapping

SCORE = "score"
"""The screen's own ranking, which may be maximised like a property."""


@dataclass(frozen=True)
class Window:
    """A range that a property must lie in."""

    column: str
    """Property, in its canonical unit."""
    low: float
    """Lowest allowed value; ``-inf`` for none."""
    high: float
    """Highest allowed value; ``inf`` for none."""

    def __post_init__(self) -> None:
        """Refuse a range that holds nothing."""
        if not self.low < self.high:
            raise InputError(
                f"window of {self.column} must have LOW below HIGH, got {self.low:g} and {self.high:g}"
            )

    @classmethod
    def parse(cls, text: str) -> Window:
        """Read ``COLUMN:LOW:HIGH``; an empty LOW or HIGH leaves that side open.

        Raises:
            InputError: not of that form.
        """
        parts = [part.strip() for part in text.split(":")]
        try:
            column, low, high = parts
            bounds = float(low or "-inf"), float(high or "inf")
        except ValueError as error:
            raise InputError(
                f"window {text!r} must read COLUMN:LOW:HIGH, such as desorption_enthalpy_kj_per_mol_h2:25:45"
            ) from error
        if not column:
            raise InputError(f"window {text!r} names no column; write COLUMN:LOW:HIGH")
        return cls(column, *bounds)

    def holds(self, value: float) -> bool:
        """Tell whether a value lies in the window, its ends included."""
        return self.low <= value <= self.high

    def violation(self, value: float) -> float:
        """Return how far a value lies outside, in its unit; zero or negative inside."""
        return max(self.low - value, value - self.high)

    def __str__(self) -> str:
        """Return the form that :meth:`parse` reads."""
        low, high = ("" if math.isinf(bound) else f"{bound:g}" for bound in (self.low, self.high))
        return f"{self.column}:{low}:{high}"


MAX_GOALS = 4
"""Goals a campaign may have; with more, hardly any candidate is worse than another in everything."""


@dataclass(frozen=True)
class Goal:
    """A column to make as large, or as small, as possible."""

    column: str
    """Property in its canonical unit, ``"score"``, or a column of the lab's own."""
    minimize: bool = False
    """Smaller is better."""

    @classmethod
    def parse(cls, text: str) -> Goal:
        """Read ``COLUMN``, ``max:COLUMN`` or ``min:COLUMN``.

        Raises:
            InputError: not of that form.
        """
        way, colon, column = text.strip().rpartition(":")
        if not column or (colon and way not in {"max", "min"}):
            raise InputError(f"goal {text!r} must read COLUMN, max:COLUMN or min:COLUMN")
        return cls(column, minimize=way == "min")

    @property
    def sign(self) -> float:
        """1 where larger is better, -1 where smaller is."""
        return -1.0 if self.minimize else 1.0

    def __str__(self) -> str:
        """Return the form that :meth:`parse` reads."""
        return f"{'min' if self.minimize else 'max'}:{self.column}"


@dataclass(frozen=True)
class Objective:
    """What to maximise or minimise, and within which windows."""

    goals: tuple[Goal, ...]
    """One to four goals; the first is the main one."""
    windows: tuple[Window, ...] = ()
    """Ranges that other properties must meet."""

    def __post_init__(self) -> None:
        """Refuse no goal, too many, or one column twice."""
        if not 1 <= len(self.goals) <= MAX_GOALS:
            raise InputError(f"a campaign has 1 to {MAX_GOALS} goals, got {len(self.goals)}; choose among them")
        columns = [goal.column for goal in self.goals]
        if len(set(columns)) < len(columns):
            raise InputError(f"a column can be one goal only, got {', '.join(columns)}; name each once")

    @classmethod
    def maximizing(cls, column: str, windows: tuple[Window, ...] = ()) -> Objective:
        """Return the objective of one column to maximise."""
        return cls((Goal(column),), windows)

    @property
    def main(self) -> Goal:
        """The first goal."""
        return self.goals[0]

    @property
    def columns(self) -> tuple[str, ...]:
        """Columns of goals and windows, each once."""
        named = (*(goal.column for goal in self.goals), *(window.column for window in self.windows))
        return tuple(dict.fromkeys(named))

    def met_by(self, values: Mapping[str, float]) -> bool:
        """Tell whether no measured value misses its window; a window without a value counts as met."""
        return all(window.holds(values[window.column]) for window in self.windows if window.column in values)
