"""What a generator yields: a decorated structure, or the reason why there is none."""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from hstore.formula import canonical_formula, formula_text, parse_amounts
from hstore.records import Material, Provenance

if TYPE_CHECKING:
    from collections.abc import Mapping

    from hstore.crystal import Crystal
    from hstore.records import Family
    from hstore_workflows.sources.prototypes.structure_type import Prototype

SOURCE = "hstore prototypes"


class Unfit(StrEnum):
    """Rules, other than distances, by which elements are ruled out."""

    SIZE = "ion sizes outside the window of the type"
    STRETCH = "cell too far from the measured one"
    ELECTRONEGATIVITY = "cations so electronegative that the anion would decompose"
    MOBILE = "no mobile ion"
    ALLOY = "sizes or electrons outside the window of the alloy class"
    ENTHALPY = "mixing enthalpy positive or not tabulated"
    VOLUME = "no atomic volume or metallic radius tabulated"


@dataclass(frozen=True)
class Made:
    """A decorated structure type that passed every rule."""

    prototype: Prototype
    """The structure type."""
    elements: Mapping[str, str]
    """Element of each role; H where the anion's role is not named."""
    family: Family
    """Family of the compound."""
    reason: str
    """Which rules it passed, with the numbers."""
    crystal: Crystal
    """The structure."""

    def material(self) -> Material:
        """Return the record, marked as known when the type's table names the compound."""
        formula = formula_of(self.prototype, self.elements)
        known = canonical_formula(parse_amounts(formula)) in self.prototype.known
        return Material(
            material_id=f"prototype:{self.prototype.slug}:{formula}",
            formula=formula,
            family=self.family,
            structure=self.crystal.to_dict(),
            known=known,
            reason=f"{self.prototype.structure_type}: {self.reason}" + ("; a known compound" if known else ""),
            provenance=Provenance(
                source=SOURCE,
                reference=self.prototype.source.removeprefix("doi:"),
                licence=self.prototype.licence,
                note="cell estimated from radii or atomic volumes, not relaxed",
            ),
        )


def formula_of(prototype: Prototype, elements: Mapping[str, str]) -> str:
    """Write the formula in the order of the roles: A, B, C, M, and H last.

    Two roles with one element are added up at the first of them.
    """
    counts = prototype.counts
    order = [role for role in (*prototype.cations, "M", "H") if role in counts]
    divisor = math.gcd(*counts.values())
    amounts: dict[str, float] = {}
    for role in order:
        element = elements.get(role, "H")
        amounts[element] = amounts.get(element, 0.0) + counts[role] // divisor
    return formula_text(amounts)
