"""Materials and works as entries of OPTIMADE.

A material without a crystal structure is a composition whose atoms have no positions: its entry has the flag
``implicit_atoms`` and null where sites would be described, as the specification asks.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hstore.formula import parse_amounts
from hstore.interchange import Placement
from hstore.properties import PROPERTIES
from hstore.store.optimade.catalogue import DOI_RESOLVER, PREFIX

if TYPE_CHECKING:
    from collections.abc import Mapping

    from hstore.store.optimade.entries import ReferenceEntry, StructureEntry

_VACANCY = "vacancy"
_LEAST_VACANCY = 1e-6
_PERIODIC = [1, 1, 1]


def structure_resource(entry: StructureEntry) -> dict[str, Any]:
    """Return an entry with all its fields."""
    resource: dict[str, Any] = {"id": entry.material_id, "type": "structures", "attributes": _attributes(entry)}
    if entry.reference_ids:
        cited = [{"type": "references", "id": name} for name in entry.reference_ids]
        resource["relationships"] = {"references": {"data": cited}}
    return resource


def reference_resource(entry: ReferenceEntry) -> dict[str, Any]:
    """Return the entry of a work with all its fields."""
    attributes = {
        "immutable_id": None,
        "last_modified": None,
        "doi": entry.doi,
        "url": f"{DOI_RESOLVER}{entry.doi}",
    }
    return {"id": entry.reference_id, "type": "references", "attributes": attributes}


def _attributes(entry: StructureEntry) -> dict[str, Any]:
    amounts = parse_amounts(entry.formula)
    elements = sorted(amounts)
    total = sum(amounts.values())
    flags = (("disorder", entry.disorder), ("implicit_atoms", entry.implicit_atoms))
    placed = entry.nsites is not None
    return {
        "immutable_id": None,
        "last_modified": entry.last_modified.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "elements": elements,
        "nelements": len(elements),
        "elements_ratios": [amounts[element] / total for element in elements],
        "chemical_formula_descriptive": entry.chemical_formula_descriptive,
        "chemical_formula_reduced": entry.chemical_formula_reduced,
        "chemical_formula_hill": entry.chemical_formula_hill,
        "chemical_formula_anonymous": entry.chemical_formula_anonymous,
        "dimension_types": _PERIODIC if placed else None,
        "nperiodic_dimensions": sum(_PERIODIC) if placed else None,
        "nsites": entry.nsites,
        "structure_features": [flag for flag, holds in flags if holds],
        **_sites(Placement.of(entry.structure, amounts)),
        f"{PREFIX}family": entry.family,
        f"{PREFIX}known": entry.known,
        f"{PREFIX}reason": entry.reason or None,
        f"{PREFIX}name": entry.name or None,
        f"{PREFIX}composition": entry.composition,
        f"{PREFIX}value_kinds": dict(entry.kinds),
        **{f"{PREFIX}{name}": entry.numbers.get(name) for name in PROPERTIES},
    }


def _sites(placement: Placement | None) -> dict[str, Any]:
    if placement is None:
        return dict.fromkeys(("lattice_vectors", "cartesian_site_positions", "species", "species_at_sites"))
    crystal = placement.crystal
    species: dict[str, dict[str, Any]] = {}
    at_sites = [_species_name(held, species) for held in crystal.occupancies]
    for element in placement.unplaced:  # without a site, which is what implicit_atoms says
        name = f"{element}_unplaced" if element in species else element
        species[name] = {"name": name, "chemical_symbols": [element], "concentration": [1.0]}
    return {
        "lattice_vectors": crystal.lattice_angstrom.tolist(),
        "cartesian_site_positions": (crystal.fractional @ crystal.lattice_angstrom).tolist(),
        "species": list(species.values()),
        "species_at_sites": at_sites,
    }


def _species_name(held: Mapping[str, float], species: dict[str, dict[str, Any]]) -> str:
    """Return the name of what a site holds, and describe it when it comes first."""
    shares = dict(held)
    empty = 1.0 - sum(shares.values())
    if empty > _LEAST_VACANCY:
        shares[_VACANCY] = empty
    whole = len(shares) == 1
    name = next(iter(shares)) if whole else "".join(f"{el}{share!r}" for el, share in shares.items())
    if name not in species:
        species[name] = {
            "name": name,
            "chemical_symbols": list(shares),
            "concentration": [1.0] if whole else list(shares.values()),
        }
    return name
