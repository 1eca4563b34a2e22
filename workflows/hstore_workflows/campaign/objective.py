"""What a campaign looks for: one column to maximise, and windows that others must meet."""

from __future__ import annotations

import math
from dataclasses import dataclass

from hstore.errors import InputError

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


@dataclass(frozen=True)
class Objective:
    """What to maximise, and within which windows."""

    maximize: str
    """Property (canonical unit), or ``"score"``."""
    windows: tuple[Window, ...] = ()
    """Ranges that other properties must meet."""

    @property
    def columns(self) -> tuple[str, ...]:
        """The maximised column and those of the windows, each once."""
        return tuple(dict.fromkeys((self.maximize, *(window.column for window in self.windows))))
