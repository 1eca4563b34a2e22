"""What ``/info`` says of the fields of entries: those of OPTIMADE in its own words, and hstore's own."""

from __future__ import annotations

import re
from functools import cache
from typing import Any

from optimade.models import EntryResource, ReferenceResource, StructureResource
from optimade.server.schemas import retrieve_queryable_properties

from hstore.properties import PROPERTIES
from hstore.store.optimade.catalogue import PREFIX, REFERENCE_FIELDS, STRUCTURE_FIELDS

ENTRY_TYPES = ("structures", "references")
"""Types of entries that are served."""

TOP_LEVEL = ("id", "type", "links", "relationships")
"""Fields that stand beside the attributes of an entry and are always returned."""

SITE_FIELDS = ("lattice_vectors", "cartesian_site_positions", "species", "species_at_sites")
"""Fields for which a structure must be read."""

_MODELS: dict[str, type[EntryResource]] = {"structures": StructureResource, "references": ReferenceResource}
SEARCHED = {"structures": STRUCTURE_FIELDS, "references": REFERENCE_FIELDS}
"""Fields that can be asked, by the type of entries."""

_UCUM = {
    "wt%": "%",
    "kJ/mol H2": "kJ/mol",
    "J/(mol H2 K)": "J/(mol.K)",
    "log10(S/cm)": "1",
    "eV/atom": "eV",
}
"""Units that are written otherwise in the Unified Code for Units of Measure, which OPTIMADE asks for."""

_PREFIXED = re.compile(r"_[a-z0-9]+_")
_TYPES = {"type": "string"}
_OWN: dict[str, tuple[str, str]] = {
    "family": ("string", "Family by mechanism: interstitial, ionic, complex, sorbent or electrolyte."),
    "known": ("boolean", "Whether the material is reported in the literature; enumerated candidates are not."),
    "reason": ("string", "Why the candidate is plausible; null where nothing is said."),
    "name": ("string", "Name people use, such as MOF-5; null where the formula is the name."),
    "composition": (
        "string",
        "Canonical formula, equal for equal compositions; amounts need not be integers.",
    ),
    "value_kinds": (
        "dictionary",
        "Of each property with a value: measured, computed, descriptor (given by the source) or predicted.",
    ),
}


@cache
def described(entry_type: str) -> dict[str, dict[str, Any]]:
    """Return, for ``/info``, the fields that entries of a type are served with."""
    defined = _defined(entry_type)
    found = {name: dict(defined[name]) for name in defined if name in SEARCHED[entry_type]}
    for name, field in found.items():
        field["type"] = _TYPES.get(name, field["type"])
        field["sortable"] = is_sortable(entry_type, name)
    if entry_type == "structures":
        found.update(_own_fields())
    return found


def undefined(entry_type: str) -> frozenset[str]:
    """Return the fields that OPTIMADE defines and no entry here has."""
    return frozenset(_defined(entry_type)) - SEARCHED[entry_type].keys()


def is_sortable(entry_type: str, name: str) -> bool:
    """Tell whether entries can be sorted by a field."""
    field = SEARCHED[entry_type].get(name)
    return field is not None and field.sorts


def is_foreign(name: str) -> bool:
    """Tell whether a name has the form of another provider's."""
    return _PREFIXED.match(name) is not None and not name.startswith(PREFIX)


def _own_fields() -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = {}
    for name, (kind, text) in _OWN.items():
        full = f"{PREFIX}{name}"
        found[full] = {"description": text, "type": kind, "sortable": is_sortable("structures", full)}
    for name, known in PROPERTIES.items():
        conditions = (
            f" It holds at conditions of its own ({', '.join(known.conditions)})." if known.conditions else ""
        )
        found[f"{PREFIX}{name}"] = {
            "description": f"{known.label}, {known.unit}. {known.description}{conditions} Of several values the "
            "largest of the best kind that the reader may see: measured, computed, descriptor, predicted; "
            f"{PREFIX}value_kinds tells which.",
            "unit": _UCUM.get(known.unit, known.unit),
            "type": "float",
            "sortable": True,
        }
    return found


@cache
def _defined(entry_type: str) -> dict[str, dict[str, Any]]:
    properties = retrieve_queryable_properties(_MODELS[entry_type], ("id", "type", "attributes"))
    return {name: dict(field) for name, field in properties.items()}
