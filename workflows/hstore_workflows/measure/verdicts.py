"""What became of the rows that a lab told."""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict, dataclass
from typing import Any

VERDICTS = {
    "stored": "written; it is the lab's own until it is published",
    "duplicate": "told before; nothing was written",
    "held": "can hardly be true; kept aside until it is confirmed",
    "rejected": "cannot be used; nothing was written",
}
"""Verdict -> what it means."""


@dataclass(frozen=True)
class Verdict:
    """What became of one value of one row, or of one isotherm."""

    row: int
    """Number of the row, from 1."""
    verdict: str
    """A key of :data:`VERDICTS`."""
    record_id: str = ""
    """Identifier of the measurement or isotherm; empty where it was rejected."""
    material: str = ""
    """Material or formula as written, shortened."""
    material_id: str = ""
    """Material it belongs to; empty where it was rejected."""
    property: str = ""
    """Property; empty where the row as a whole was rejected, and for isotherms."""
    value: float | None = None
    """Value in the canonical unit of the property."""
    cause: str = ""
    """Why, and what to do; empty where there is nothing to say."""
    notes: tuple[str, ...] = ()
    """What was converted, taken for granted, or differs from other values."""

    def as_json(self) -> dict[str, Any]:
        """Return it as plain JSON."""
        return asdict(self)


@dataclass(frozen=True)
class Taken:
    """What became of all rows of a request."""

    verdicts: tuple[Verdict, ...]
    """In the order of the rows; a row with several values has several."""
    ignored: tuple[str, ...] = ()
    """Columns that were not read."""

    @property
    def counts(self) -> dict[str, int]:
        """Number of verdicts of each kind, also of those that did not occur."""
        found = Counter(verdict.verdict for verdict in self.verdicts)
        return {name: found[name] for name in VERDICTS}
