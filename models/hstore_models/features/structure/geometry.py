"""What several structure features need of one crystal, worked out once and only when asked for."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from hstore.errors import InputError

if TYPE_CHECKING:
    from hstore.arrays import FloatArray, IntArray
    from hstore.crystal import Crystal
    from hstore_models.features.structure.voronoi import Voronoi
    from hstore_models.topology.persistence import Persistence

SYMMETRY_TOLERANCE_ANGSTROM = 0.01
"""Position tolerance of the symmetry search, pymatgen's and so matminer's own; the Materials Project uses 0.1."""


@dataclass(frozen=True, eq=False)
class Neighbours:
    """Directed pairs of sites within a cutoff; each pair i to j stands in both directions."""

    centre: IntArray
    """Index of the site looked from, shape (pairs,); ascending."""
    other: IntArray
    """Index of the neighbour, shape (pairs,)."""
    shift: IntArray
    """Cell of the neighbour in lattice vectors, shape (pairs, 3)."""
    vector_angstrom: FloatArray
    """From the centre to the neighbour, shape (pairs, 3), angstrom."""
    distance_angstrom: FloatArray
    """Distances, shape (pairs,), angstrom."""

    @cached_property
    def starts(self) -> IntArray:
        """First pair of each centre and the end, shape (sites with pairs + gaps + 1,), for slicing."""
        last = int(self.centre[-1]) if len(self.centre) else -1
        return np.searchsorted(self.centre, np.arange(last + 2))


class Geometry:
    """One crystal with its neighbours and symmetry, each computed at first use."""

    def __init__(self, crystal: Crystal) -> None:
        self.crystal = crystal
        self._neighbours: dict[float, Neighbours] = {}

    def neighbours(self, cutoff_angstrom: float) -> Neighbours:
        """Return all pairs closer than a cutoff, periodic images included, sites on themselves excluded.

        Args:
            cutoff_angstrom: largest distance, angstrom.
        """
        if cutoff_angstrom not in self._neighbours:
            self._neighbours[cutoff_angstrom] = _pairs(self.crystal, cutoff_angstrom)
        return self._neighbours[cutoff_angstrom]

    @cached_property
    def pymatgen(self) -> Any:
        """The crystal as a pymatgen ``Structure``, one object for all, as matminer keeps neighbours by it."""
        return self.crystal.to_pymatgen()

    @cached_property
    def voronoi(self) -> Voronoi:
        """Voronoi polyhedra of all sites.

        Raises:
            InputError: sites coincide, or the polyhedra do not fill the cell.
        """
        from hstore_models.features.structure.voronoi import tessellate

        return tessellate(self.crystal)

    @cached_property
    def topology(self) -> dict[str, tuple[Persistence, IntArray]]:
        """Persistent homology of all sites, and of metals, hydrogen and mobile ion where there are any.

        Raises:
            InputError: sites coincide, or the cell is too large or too empty.
        """
        from hstore_models.features.structure.topology import persistence_by_filter

        return persistence_by_filter(self.crystal)

    @cached_property
    def symmetry(self) -> Any:
        """Symmetry as a ``moyopy.MoyoDataset`` (:data:`SYMMETRY_TOLERANCE_ANGSTROM`).

        Its ``orbits`` give, for each site, the first site it is equivalent to.

        Raises:
            InputError: moyo finds no space group.
        """
        try:
            return _symmetry(self.crystal, SYMMETRY_TOLERANCE_ANGSTROM)
        except ValueError as error:
            raise InputError(
                f"no space group fits within {SYMMETRY_TOLERANCE_ANGSTROM} A ({error}); sites that coincide or a "
                "lattice far from reduced are the usual reasons"
            ) from error

    def distinct_sites(self, tolerance_angstrom: float = 1e-3) -> tuple[IntArray, IntArray]:
        """Return one site of each symmetry class and the class of every site.

        Args:
            tolerance_angstrom: how far positions may be from exact symmetry; tight, so that what is computed
                for one site of a class holds for the others.

        Returns:
            indices of the representatives, shape (classes,), and class of each site, shape (n,), such that
            ``values[classes]`` spreads per-class values over the sites.
        """
        crystal = self.crystal
        try:
            orbits = np.asarray(_symmetry(crystal, tolerance_angstrom).orbits)
        except ValueError:  # no symmetry found at this tolerance: every site stands for itself
            orbits = np.arange(len(crystal))
        return np.unique(orbits, return_inverse=True)


def _symmetry(crystal: Crystal, tolerance_angstrom: float) -> Any:
    import moyopy

    cell = moyopy.Cell(
        basis=crystal.lattice_angstrom.tolist(),
        positions=crystal.fractional.tolist(),
        numbers=crystal.numbers.tolist(),
    )
    return moyopy.MoyoDataset(cell, symprec=tolerance_angstrom)


def _pairs(crystal: Crystal, cutoff_angstrom: float) -> Neighbours:
    from vesin import NeighborList

    calculator = NeighborList(cutoff=cutoff_angstrom, full_list=True, sorted=True)
    centre, other, shift, vector, distance = calculator.compute(
        points=crystal.cartesian_angstrom, box=crystal.lattice_angstrom, periodic=True, quantities="ijSDd"
    )
    return Neighbours(
        np.asarray(centre, dtype=np.int64), np.asarray(other, dtype=np.int64), np.asarray(shift), vector, distance
    )
