"""Documents of the Materials Project as :class:`~hstore.records.Material` records.

The family follows from the elements alone, by these rules in this order (:func:`family_of`):

1. no hydrogen: `electrolyte` with a non-metal, `interstitial` with metals (and B, Si, Ge, Sb) only;
2. hydrogen beside O, C, F, S, Cl or another non-metal that is no complex former: `electrolyte`, for its
   hydrogen is a proton or the compound is organic. Borohydrides and amides with halides stay `complex`;
3. hydrogen with B, Al or N and an electropositive metal: `complex` (borohydrides, alanates, amides);
4. hydrogen with alkali and alkaline-earth metals only: `ionic`;
5. an alkali or alkaline-earth metal, a metal of groups 7 to 11 and at least three H per atom of the latter:
   `complex` (Mg2FeH6, Mg2NiH4);
6. any other hydride: `interstitial`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from hstore.crystal import Crystal
from hstore.errors import InputError
from hstore.formula import canonical_formula, parse_amounts
from hstore.properties import get_property
from hstore.records import Family, Material, Provenance
from hstore_workflows.sources.intake import Rejected

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import date

SOURCE = "Materials Project"
LICENCE = "CC-BY-4.0"
FIELDS = (
    "material_id", "formula_pretty", "structure", "energy_above_hull", "formation_energy_per_atom",
    "symmetry", "deprecated", "last_updated", "theoretical",
)  # fmt: skip
"""Fields of the summary documents asked for by name."""
THERMO_FIELDS = ("material_id", "thermo_type", "energy_above_hull", "formation_energy_per_atom")
"""Fields of the thermo documents asked for by name."""

NON_METALS = frozenset({"C", "N", "O", "F", "P", "S", "Cl", "As", "Se", "Br", "Te", "I"})
"""Elements that make a compound salt-like rather than an alloy."""
_COMPLEX_FORMERS = frozenset({"B", "Al", "N"})
_HALIDES = frozenset({"F", "Cl", "Br", "I"})
_S_BLOCK = frozenset({"Li", "Na", "K", "Rb", "Cs", "Be", "Mg", "Ca", "Sr", "Ba"})
_GROUPS_7_TO_11 = frozenset({
    "Mn", "Fe", "Co", "Ni", "Cu", "Tc", "Ru", "Rh", "Pd", "Ag", "Re", "Os", "Ir", "Pt", "Au",
})  # fmt: skip
_RARE_EARTH_AND_EARLY = frozenset({"Sc", "Y", "La", "Ce", "Pr", "Nd", "Sm", "Eu", "Gd", "Yb", "Lu", "Ti", "Zr"})
_LEAST_H_PER_CENTRE = 3.0
_WORD_LENGTH = 80

_DESCRIPTORS = {
    "energy_above_hull": "energy_above_hull_ev_per_atom",
    "formation_energy_per_atom": "formation_energy_ev_per_atom",
}


def family_of(amounts: Mapping[str, float]) -> Family:
    """Infer the family from the elements, by the rules at the head of this module.

    Args:
        amounts: amount of each element, any scale.
    """
    elements = set(amounts)
    salt_like = elements & NON_METALS
    if "H" not in elements:
        return Family.ELECTROLYTE if salt_like else Family.INTERSTITIAL
    if salt_like - _HALIDES - {"N"} or (salt_like & _HALIDES and not elements & {"B", "N"}):
        return Family.ELECTROLYTE
    base = elements & _S_BLOCK
    if elements & _COMPLEX_FORMERS and (base or elements & _RARE_EARTH_AND_EARLY):
        # an AB5 hydride with some aluminium is no alanate: there the metals of groups 7 to 11 outweigh it
        formers = sum(amounts[el] for el in elements & _COMPLEX_FORMERS)
        centres = sum(amounts[el] for el in elements & _GROUPS_7_TO_11)
        if formers > centres:
            return Family.COMPLEX
    metals = elements - {"H"}
    if metals and metals <= _S_BLOCK:
        return Family.IONIC
    centres = sum(amounts[el] for el in elements & _GROUPS_7_TO_11)
    if base and centres and amounts["H"] >= _LEAST_H_PER_CENTRE * centres:
        return Family.COMPLEX
    return Family.INTERSTITIAL


@dataclass(frozen=True)
class Reader:
    """Turns documents into records."""

    family: Family | None
    """Family of all of them, where the query decided it; None infers it (:func:`family_of`)."""
    database_version: str
    """Stated in the provenance."""
    retrieved: date
    """Day of the query."""
    extra_fields: tuple[str, ...] = ()
    """Further fields: numbers become descriptors of that name, text goes into the note."""
    thermo_type: str | None = None
    """Thermo type of ``energies``; None takes the energies of the summary documents."""
    energies: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    """Thermo documents by identifier."""

    def read(self, document: Mapping[str, Any]) -> Material | Rejected:
        """Return the record of a summary document, or why there is none."""
        try:
            return self._material(document)
        except (InputError, ValidationError) as error:
            return Rejected(str(document.get("material_id") or ""), _first_line(error))

    def _material(self, document: Mapping[str, Any]) -> Material:
        identifier = document.get("material_id")
        if not isinstance(identifier, str) or not identifier:
            raise InputError(f"material_id must be text, got {identifier!r}; the row cannot be referred to")
        if document.get("deprecated"):
            raise InputError("the Materials Project marks it as deprecated; use the material that replaces it")
        formula = str(document.get("formula_pretty") or "")
        amounts = parse_amounts(formula)
        structure = document.get("structure")
        if structure is not None:
            _check_structure(structure, amounts)
        energies = document if self.thermo_type is None else self.energies.get(identifier, {})
        descriptors, words = _extras(document, self.extra_fields)
        return Material(
            material_id=f"mp:{identifier}",
            formula=formula,
            family=self._family(amounts),
            structure=structure,
            descriptors=descriptors | _energies(energies),
            known=document.get("theoretical") is False,
            reason="computed entry of the Materials Project",
            provenance=Provenance(
                source=SOURCE,
                reference=identifier,
                licence=LICENCE,
                retrieved=self.retrieved,
                note="; ".join(note for note in (*self._notes(document, energies), *words) if note),
            ),
        )

    def _family(self, amounts: Mapping[str, float]) -> Family:
        if self.family is Family.ELECTROLYTE and not set(amounts) & (NON_METALS | {"H"}):
            return family_of(amounts)  # an alloy of a mobile ion is no electrolyte
        return self.family or family_of(amounts)

    def _notes(self, document: Mapping[str, Any], energies: Mapping[str, Any]) -> tuple[str, ...]:
        symmetry = document.get("symmetry")
        space_group = symmetry.get("symbol") if isinstance(symmetry, dict) else None
        scale = "energies of the summary document"
        if self.thermo_type:
            scale = f"{'energies' if energies else 'no energies'} of thermo type {self.thermo_type}"
        return (
            f"database version {self.database_version or 'not stated'}",
            scale,
            f"last updated {document['last_updated']}" if document.get("last_updated") else "",
            f"space group {space_group}" if space_group else "",
        )


def _energies(document: Mapping[str, Any]) -> dict[str, float]:
    found: dict[str, float] = {}
    for name, descriptor in _DESCRIPTORS.items():
        value = document.get(name)
        if value is None:
            continue
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            raise InputError(f"{name} must be a number, got {value!r}")
        found[descriptor] = get_property(descriptor).check(float(value), where=name)
    return found


def _extras(document: Mapping[str, Any], names: tuple[str, ...]) -> tuple[dict[str, float], list[str]]:
    """Return the further fields as descriptors (numbers, also those one level down) and as words (text)."""
    numbers: dict[str, float] = {}
    words: list[str] = []
    for name in names:
        value = document.get(name)
        parts = {f"{name}.{key}": v for key, v in value.items()} if isinstance(value, dict) else {name: value}
        for label, part in parts.items():
            if isinstance(part, (bool, int, float)) and math.isfinite(part):
                numbers[label] = float(part)
            elif isinstance(part, str):
                words.append(f"{label} {part[:_WORD_LENGTH]}")
    return numbers, words


def _check_structure(structure: Any, amounts: dict[str, float]) -> None:
    """Refuse a structure that cannot be read or that is of another composition."""
    if not isinstance(structure, dict):
        raise InputError(f"structure cannot be read: it must be an object, got {str(structure)[:40]!r}")
    held = canonical_formula(Crystal.from_dict(structure).amounts)
    stated = canonical_formula(amounts)
    if held != stated:
        raise InputError(f"structure holds {held} but the formula says {stated}; one of them is wrong")


def _first_line(error: Exception) -> str:
    if isinstance(error, ValidationError):
        first = error.errors()[0]
        return f"{'.'.join(map(str, first['loc']))}: {first['msg']}, got {str(first['input'])[:80]!r}"
    return str(error)
