"""Porous carbon as candidates: which surfaces, how large, how many of each; and tubes and flat sheets."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from hstore.crystal import Crystal
from hstore.errors import InputError, unknown_name
from hstore.licences import OWN_DATA
from hstore.records import Family, Material, Provenance
from hstore_workflows.sources.carbon.building import BOND_ANGSTROM, build_on
from hstore_workflows.sources.carbon.surfaces import NAMES, Surface
from hstore_workflows.sources.intake import Rejected

if TYPE_CHECKING:
    from collections.abc import Iterator

SOURCE = "hstore carbon"

_GAP_ANGSTROM = 6.0
"""Empty space around tubes and sheets, angstrom."""
_MOST_CHIRAL = 60


@dataclass(frozen=True)
class CarbonQuery:
    """What is built.

    Raises:
        InputError: sizes, counts or tubes cannot be used, or nothing is asked for.
        UnknownNameError: there is no such surface.
    """

    surfaces: tuple[str, ...] = ()
    """Surfaces, of :data:`~hstore_workflows.sources.carbon.surfaces.NAMES`."""
    edges_angstrom: tuple[float, ...] = (30.0,)
    """Edges of the cubic cells, angstrom."""
    rings: int | None = None
    """Rings in a cell; as many as cover the surface when None."""
    count: int = 1
    """Carbons of each surface and edge, by the seeds 0 to count - 1."""
    tubes: tuple[tuple[int, int], ...] = ()
    """Chiral indices (n, m) of tubes."""
    sheet: bool = False
    """Whether to build a flat sheet (graphene)."""

    def __post_init__(self) -> None:
        """Refuse what cannot be built."""
        if not (self.surfaces or self.tubes or self.sheet):
            raise InputError("nothing to build: name surfaces, tubes or the sheet")
        for name in self.surfaces:
            if name not in NAMES:
                raise unknown_name("surface", name, NAMES)
        if not all(edge > 0 for edge in self.edges_angstrom) or not self.edges_angstrom:
            raise InputError(f"edges must be above 0 angstrom, got {self.edges_angstrom}")
        if self.count < 1:
            raise InputError(f"count must be at least 1, got {self.count}")
        for n, m in self.tubes:
            if not (0 <= m <= n <= _MOST_CHIRAL and n >= 3):
                raise InputError(
                    f"a tube has whole numbers n,m with 3 <= n <= {_MOST_CHIRAL} and 0 <= m <= n, got {n},{m}"
                )


@dataclass(frozen=True)
class CarbonSource:
    """Carbons in a fixed order: the sheet, tubes, then surfaces by edge and seed; iterate any number of times."""

    query: CarbonQuery
    """What is built."""

    def __iter__(self) -> Iterator[Material | Rejected]:
        """Yield materials; what cannot be built is yielded with its cause."""
        if self.query.sheet:
            yield _material("sheet", _sheet(), "graphene", "flat sheet of hexagons")
        for n, m in self.query.tubes:
            yield _material(f"tube:{n},{m}", _tube(n, m), f"({n},{m}) nanotube", "graphene rolled up")
        for name in self.query.surfaces:
            for edge in self.query.edges_angstrom:
                for seed in range(self.query.count):
                    yield self._on_surface(name, edge, seed)

    def _on_surface(self, name: str, edge: float, seed: int) -> Material | Rejected:
        rings = self.query.rings
        slug = f"{name}:{edge:g}:{'' if rings is None else f'{rings}:'}{seed}"
        try:
            crystal = build_on(Surface(name, seed=seed), edge, seed=seed, rings=rings)
        except InputError as error:
            return Rejected(f"carbon:{slug}", str(error))
        label = f"cage C{len(crystal)}" if name == "sphere" else f"carbon on the {name} surface, C{len(crystal)}"
        return _material(slug, crystal, label, f"dual of a triangulation of the surface {name}, seed {seed}")


def _material(slug: str, crystal: Crystal, name: str, reason: str) -> Material:
    return Material(
        material_id=f"carbon:{slug}",
        formula="C",
        name=name,
        family=Family.SORBENT,
        structure=crystal.to_dict(),
        reason=reason,
        provenance=Provenance(
            source=SOURCE, licence=OWN_DATA, note="built with bonds of equal length, not relaxed"
        ),
    )


def _sheet() -> Crystal:
    edge = np.sqrt(3.0) * BOND_ANGSTROM
    lattice = np.array([[edge, 0, 0], [-edge / 2, edge * np.sqrt(3.0) / 2, 0], [0, 0, 2 * _GAP_ANGSTROM]])
    return Crystal(lattice, np.array([[1 / 3, 2 / 3, 0.5], [2 / 3, 1 / 3, 0.5]]), np.array([6, 6]))


def _tube(n: int, m: int) -> Crystal:
    from ase.build import nanotube

    atoms = nanotube(n, m, bond=BOND_ANGSTROM, vacuum=_GAP_ANGSTROM)
    return Crystal(atoms.cell.array, atoms.get_scaled_positions(), atoms.numbers)
