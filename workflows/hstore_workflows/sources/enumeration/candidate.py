"""One enumerated candidate, before it becomes a :class:`~hstore.records.Material`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from hstore.formula import parse_amounts

if TYPE_CHECKING:
    from collections.abc import Mapping

    from hstore.records import Family

CompositionKey = tuple[tuple[str, float], ...]
"""Elements in alphabetical order with their atomic fractions; equal for equal compositions."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """A composition worth looking at, the rule that proposed it, and a structure where a prototype gives one."""

    formula: str
    """Host alloy for interstitial families, full formula for all others."""
    group: str
    """Short name of the generating rule, such as ``ab5`` or ``garnet``; part of the material id."""
    family: Family
    """Family, by mechanism."""
    reason: str
    """Which rule it passed, with the numbers."""
    structure: dict[str, Any] | None = None
    """Crystal structure as a pymatgen dictionary."""
    reported: str | None = None
    """Where its structure is described, when the generator knows the compound to be real."""

    @property
    def material_id(self) -> str:
        """Readable identifier, a function of group and formula alone."""
        return f"hstore:{self.group}:{self.formula}"


def composition_key(amounts: Mapping[str, float]) -> CompositionKey:
    """Return a key that is equal for equal compositions, whatever the formula unit.

    Fractions are rounded to 1e-4, so ``LaNi4.5Al0.5`` and ``La2Ni9Al`` agree.
    """
    total = sum(amounts.values())
    return tuple(sorted((element, round(amount / total, 4)) for element, amount in amounts.items()))


def formula_key(formula: str) -> CompositionKey:
    """Return the composition key of a formula.

    Raises:
        FormulaError: the formula cannot be read.
    """
    return composition_key(parse_amounts(formula))
