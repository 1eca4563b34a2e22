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

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from hstore.errors import InputError
from hstore.formula import canonical_formula, parse_amounts
from hstore.properties import get_property
from hstore.records import Family, Material, Provenance

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from datetime import date

SOURCE = "Materials Project"
LICENCE = "CC-BY-4.0"
FIELDS = (
    "material_id", "formula_pretty", "structure", "energy_above_hull", "formation_energy_per_atom",
    "symmetry", "deprecated", "last_updated", "theoretical",
)  # fmt: skip
"""Fields asked for by name."""

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

_DESCRIPTORS = {
    "energy_above_hull": "energy_above_hull_ev_per_atom",
    "formation_energy_per_atom": "formation_energy_ev_per_atom",
}


@dataclass(frozen=True)
class RejectedDocument:
    """A document that could not become a record."""

    material_id: str
    """Identifier as given by the source; empty when it gave none."""
    cause: str
    """Why, and what to do."""


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


def materials_of(
    documents: Iterable[dict[str, Any]], *, family: Family | None, database_version: str, retrieved: date
) -> tuple[list[Material], list[RejectedDocument]]:
    """Turn documents into records, in order; what cannot be used becomes a rejection with its cause.

    Args:
        documents: summary documents with the fields :data:`FIELDS`.
        family: family of all of them, where the query decided it; None infers it (:func:`family_of`).
        database_version: stated in the provenance.
        retrieved: day of the query.
    """
    materials: list[Material] = []
    rejected: list[RejectedDocument] = []
    for document in documents:
        try:
            materials.append(_material(document, family, database_version, retrieved))
        except (InputError, ValidationError) as error:
            rejected.append(RejectedDocument(str(document.get("material_id") or ""), _first_line(error)))
    return materials, rejected


def _material(document: dict[str, Any], family: Family | None, version: str, retrieved: date) -> Material:
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
    symmetry = document.get("symmetry")
    space_group = symmetry.get("symbol") if isinstance(symmetry, dict) else None
    notes = (
        f"database version {version or 'not stated'}",
        f"last updated {document['last_updated']}" if document.get("last_updated") else "",
        f"space group {space_group}" if space_group else "",
    )
    return Material(
        material_id=f"mp:{identifier}",
        formula=formula,
        family=family or family_of(amounts),
        structure=structure,
        descriptors=_descriptors(document),
        known=document.get("theoretical") is False,
        reason="computed entry of the Materials Project",
        provenance=Provenance(
            source=SOURCE,
            reference=identifier,
            licence=LICENCE,
            retrieved=retrieved,
            note="; ".join(note for note in notes if note),
        ),
    )


def _descriptors(document: dict[str, Any]) -> dict[str, float]:
    found: dict[str, float] = {}
    for field, name in _DESCRIPTORS.items():
        value = document.get(field)
        if value is None:
            continue
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            raise InputError(f"{field} must be a number, got {value!r}")
        found[name] = get_property(name).check(float(value), where=field)
    return found


def _check_structure(structure: Any, amounts: dict[str, float]) -> None:
    """Refuse a structure that pymatgen cannot read or that is of another composition."""
    from pymatgen.core.structure import Structure

    try:
        composition = Structure.from_dict(structure).composition.element_composition
    # pymatgen raises whatever the first missing or misshapen part happens to cause
    except (KeyError, ValueError, TypeError, AttributeError, IndexError) as error:
        raise InputError(f"structure cannot be read ({type(error).__name__}: {error})") from error
    held = canonical_formula({str(el): float(n) for el, n in composition.get_el_amt_dict().items()})
    stated = canonical_formula(amounts)
    if held != stated:
        raise InputError(f"structure holds {held} but the formula says {stated}; one of them is wrong")


def _first_line(error: Exception) -> str:
    if isinstance(error, ValidationError):
        first = error.errors()[0]
        return f"{'.'.join(map(str, first['loc']))}: {first['msg']}, got {str(first['input'])[:80]!r}"
    return str(error)
