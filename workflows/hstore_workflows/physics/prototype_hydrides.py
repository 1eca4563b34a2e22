"""Which prototype hydrides the computed data set holds, their hosts, and in which order they are computed.

The materials are those of ``hstore fetch prototypes`` (structure types of known hydrides decorated with elements
that fit), in cells of at most 10 atoms. They come type by type in turn, within a type in an order drawn once by
checksum, so that a run that ends early has a share of every type; of types with more than 6 atoms, 14 at most.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from itertools import chain, zip_longest
from typing import TYPE_CHECKING

from hstore.crystal import Crystal
from hstore_models.physics.relaxing import RelaxSettings

if TYPE_CHECKING:
    from collections.abc import Iterator

ATOMS_MOST = 10
"""Atoms in the cell of a hydride at most."""
ATOMS_SMALL = 6
"""Types with no more atoms in the cell enter with all their hydrides."""
LARGE_MOST = 14
"""Hydrides of each larger type at most."""
SETTINGS = RelaxSettings(
    force_most_ev_per_angstrom=0.1, steps=40, seconds=90.0, rattle_angstrom=0.02, strain=0.005, atoms=ATOMS_MOST
)
"""Looser and shorter than the default, for thousands of crystals on one core."""
_NOT_METAL = ("", "metal")
"""Alloy classes of types whose hydrogen-free lattice is no host: salts, and hydrides of one metal."""


@dataclass(frozen=True)
class PrototypeHydride:
    """One hydride of the set."""

    material_id: str
    """Identifier, as ``hstore fetch prototypes`` stores it."""
    formula: str
    """Formula."""
    structure_type: str
    """Slug of the structure type."""
    family: str
    """Family of materials."""
    alloy_class: str
    """Class of the host alloy, ``metal`` for hydrides of one metal, empty for salts."""
    crystal: Crystal
    """Start of the relaxation."""

    @property
    def host(self) -> Crystal | None:
        """The crystal without its hydrogen, where that is a host alloy."""
        if self.alloy_class in _NOT_METAL:
            return None
        keep = self.crystal.numbers != 1
        return Crystal(self.crystal.lattice_angstrom, self.crystal.fractional[keep], self.crystal.numbers[keep])


def prototype_hydrides(limit: int | None = None) -> list[PrototypeHydride]:
    """Return the hydrides of the set in the order in which they are computed.

    Args:
        limit: at most so many; None for all.
    """
    by_type: dict[str, list[PrototypeHydride]] = {}
    for hydride in _all():
        by_type.setdefault(hydride.structure_type, []).append(hydride)
    shuffled = []
    for group in by_type.values():
        drawn = sorted(group, key=_drawn)
        shuffled.append(drawn if len(drawn[0].crystal) <= ATOMS_SMALL else drawn[:LARGE_MOST])
    turns = chain.from_iterable(zip_longest(*shuffled))
    chosen = [hydride for hydride in turns if hydride is not None]
    return chosen[:limit]


def crystals_to_relax(hydrides: list[PrototypeHydride]) -> list[Crystal]:
    """Return the crystals in the order in which they are relaxed, each once: all hydrides, then their hosts."""
    hosts = (hydride.host for hydride in hydrides)
    crystals = (*(hydride.crystal for hydride in hydrides), *(host for host in hosts if host is not None))
    return list({crystal.key: crystal for crystal in crystals}.values())


def _drawn(hydride: PrototypeHydride) -> str:
    return hashlib.sha256(hydride.material_id.encode()).hexdigest()


def _all() -> Iterator[PrototypeHydride]:
    from hstore_workflows.sources.prototypes.hydride_types import load_prototypes
    from hstore_workflows.sources.prototypes.source import PrototypeQuery, PrototypeSource

    types = load_prototypes()
    for material in PrototypeSource(PrototypeQuery()):
        slug = material.material_id.split(":")[1]
        if material.structure is None or len(material.structure["sites"]) > ATOMS_MOST:
            continue
        yield PrototypeHydride(
            material.material_id,
            material.formula,
            slug,
            material.family.value,
            types[slug].alloy_class,
            Crystal.from_dict(material.structure),
        )
