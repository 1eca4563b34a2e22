"""The fields of structures and of references, by the names OPTIMADE and hstore give them."""

from __future__ import annotations

from sqlalchemy import case, func

from hstore.properties import PROPERTIES
from hstore.store.optimade.fields import BestNumber, Column, Elements, Field, Fixed, Flags, Opaque, Related
from hstore.store.schema import (
    MaterialIndexRow,
    MaterialOptimadeRow,
    MaterialPublicationRow,
    MaterialRow,
    PublicationRow,
)

PREFIX = "_hstore_"
"""Begins the names of hstore's own fields."""

DOI_RESOLVER = "https://doi.org/"
"""Address under which works are found by their DOI."""

_index, _record, _optimade = MaterialIndexRow, MaterialRow, MaterialOptimadeRow
_material = _index.material_id

_nsites = Column("integer", _material, _optimade.nsites, _optimade.material_id)
_n_elements = Column("integer", _material, _index.n_elements)
_periodic = case((_optimade.nsites.is_not(None), 3))
_nothing = Fixed("string", None)

STRUCTURE_FIELDS: dict[str, Field] = {
    "id": Column("string", _material, _material),
    "type": Fixed("string", "structures"),
    "immutable_id": _nothing,
    "last_modified": Column("timestamp", _material, _optimade.last_modified, _optimade.material_id),
    "elements": Elements("list"),
    "nelements": _n_elements,
    "elements_ratios": Opaque("list", _n_elements),
    **{
        name: Column("string", _material, getattr(_optimade, name), _optimade.material_id)
        for name in (
            "chemical_formula_descriptive",
            "chemical_formula_reduced",
            "chemical_formula_hill",
            "chemical_formula_anonymous",
        )
    },
    "dimension_types": Opaque("list", Column("integer", _material, _periodic, _optimade.material_id)),
    "nperiodic_dimensions": Column("integer", _material, _periodic, _optimade.material_id),
    "lattice_vectors": Opaque("list", Column("integer", _material, _periodic, _optimade.material_id)),
    "cartesian_site_positions": Opaque("list", _nsites),
    "nsites": _nsites,
    "species_at_sites": Opaque("list", _nsites),
    "species": Opaque("list", _nsites, countable=False),
    "structure_features": Flags(
        "list",
        _material,
        _optimade.material_id,
        {"disorder": _optimade.disorder, "implicit_atoms": _optimade.implicit_atoms},
    ),
    "references.id": Related(
        "list", _material, MaterialPublicationRow.material_id, MaterialPublicationRow.reference_id
    ),
    f"{PREFIX}family": Column("string", _material, _index.family),
    f"{PREFIX}known": Column("boolean", _material, _index.known, ordered=False),
    f"{PREFIX}composition": Column("string", _material, _index.composition),
    f"{PREFIX}name": Column("string", _material, func.nullif(_index.name, ""), ordered=False),
    f"{PREFIX}reason": Column(
        "string", _material, func.nullif(_record.reason, ""), _record.material_id, ordered=False
    ),
    **{f"{PREFIX}{name}": BestNumber.of(name) for name in PROPERTIES},
}
"""Of structures. Those that OPTIMADE defines and hstore never has are not among them."""

REFERENCE_FIELDS: dict[str, Field] = {
    "id": Column("string", PublicationRow.reference_id, PublicationRow.reference_id),
    "type": Fixed("string", "references"),
    "immutable_id": _nothing,
    "last_modified": Fixed("timestamp", None),
    "doi": Column("string", PublicationRow.reference_id, PublicationRow.doi),
    "url": Column("string", PublicationRow.reference_id, DOI_RESOLVER + PublicationRow.doi),
}
"""Of references; when a work was first cited is not told, for it may have been in a lab's own record."""
