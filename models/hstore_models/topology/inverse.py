"""Which atoms make a feature, and where it is: the inverse of persistent homology."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from hstore_models.topology.persistence import voids_of

if TYPE_CHECKING:
    from hstore.arrays import FloatArray, IntArray
    from hstore_models.topology.alpha import AlphaComplex
    from hstore_models.topology.persistence import Intervals, Persistence

TOUCH_ANGSTROM = 0.02
"""An atom this near to the sphere of a feature bounds it."""


@dataclass(frozen=True, eq=False)
class Feature:
    """A loop or a void with the atoms around it."""

    dimension: int
    """0 for a component, 1 for a loop, 2 for a void."""
    birth_angstrom: float
    """Radius of the balls at which it appears."""
    death_angstrom: float
    """Radius at which it vanishes: for a void, the distance from its centre to the nearest atoms."""
    count: int
    """Features of the cell with the same birth and death, within a thousandth of an angstrom."""
    centre: FloatArray
    """Where it vanishes, fractional in the given cell, shape (3,), each in [0, 1)."""
    atoms: IntArray
    """Sites that bound it there, shape (k,); one site may bound it with several images."""
    places: FloatArray
    """Where these atoms are, fractional in the given cell, shape (k, 3)."""
    birth_atoms: IntArray
    """Sites of the simplex that makes it, shape (dimension + 1,)."""

    def record(self) -> dict[str, Any]:
        """Return it as plain data."""
        return {
            "dimension": self.dimension,
            "birth_angstrom": round(self.birth_angstrom, 6),
            "death_angstrom": round(self.death_angstrom, 6),
            "lifetime_angstrom": round(self.death_angstrom - self.birth_angstrom, 6),
            "count": self.count,
            "centre": np.round(self.centre, 6).tolist(),
            "atoms": self.atoms.tolist(),
            "places": np.round(self.places, 6).tolist(),
            "birth_atoms": self.birth_atoms.tolist(),
        }


def most_persistent(
    found: Persistence, sites: IntArray, *, dimension: int, most: int = 6, at_least_angstrom: float = 0.05
) -> tuple[Feature, ...]:
    """Return the features of one dimension with the longest lifetimes, those alike once.

    Args:
        found: of some sites of a crystal.
        sites: which sites of the crystal they are, shape (n,).
        dimension: 0, 1 or 2.
        most: how many at most.
        at_least_angstrom: least lifetime.
    """
    alike = _alike(found.intervals[dimension], at_least_angstrom)[:most]
    return tuple(_feature(found.complex, found.intervals[dimension], dimension, rows, sites) for rows in alike)


def widest_voids(found: AlphaComplex, *, most: int, at_least_angstrom: float = 0.05) -> tuple[Feature, ...]:
    """Return the widest voids of a crystal, those alike once.

    Args:
        found: of all its sites.
        most: how many at most.
        at_least_angstrom: least lifetime.
    """
    voids = voids_of(found)
    alike = sorted(_alike(voids, at_least_angstrom), key=lambda rows: -round(voids.death_angstrom[rows[0]], 3))
    sites = np.arange(len(found.home))
    return tuple(_feature(found, voids, 2, rows, sites) for rows in alike[:most])


def _alike(intervals: Intervals, at_least_angstrom: float) -> list[list[int]]:
    """Return the intervals of the same birth and death together, those with the longest lifetimes first."""
    order = np.argsort(-np.round(intervals.lifetime_angstrom, 3), kind="stable")
    order = order[intervals.lifetime_angstrom[order] >= at_least_angstrom]
    found: dict[tuple[float, float], list[int]] = {}
    for row in order.tolist():
        key = (round(float(intervals.birth_angstrom[row]), 3), round(float(intervals.death_angstrom[row]), 3))
        found.setdefault(key, []).append(row)
    return list(found.values())


def _feature(
    found: AlphaComplex, intervals: Intervals, dimension: int, rows: list[int], sites: IntArray
) -> Feature:
    row = rows[0]
    centre, atoms, places = around(found, dimension + 1, int(intervals.death_simplex[row]))
    return Feature(
        dimension,
        float(intervals.birth_angstrom[row]),
        float(intervals.death_angstrom[row]),
        len(rows),
        centre,
        sites[atoms],
        places,
        sites[found.simplices[dimension].atoms[int(intervals.birth_simplex[row])]],
    )


def around(found: AlphaComplex, dimension: int, simplex: int) -> tuple[FloatArray, IntArray, FloatArray]:
    """Return the centre of the sphere through the corners of a simplex, and the atoms that touch it.

    Args:
        found: the complex.
        dimension: of the simplex, 1 to 3.
        simplex: its index.

    Returns:
        The centre, fractional in the given cell, shape (3,), in [0, 1); the atoms on the sphere, shape (k,); and
        their places beside that centre, fractional, shape (k, 3).
    """
    some = found.simplices[dimension]
    corners = found.home[some.atoms[simplex]] + some.cells[simplex] @ found.lattice
    centre = _circumcentre(corners)
    radius = float(np.linalg.norm(corners[0] - centre))
    inverse = np.linalg.inv(found.lattice)
    reach = (radius + TOUCH_ANGSTROM) * np.linalg.norm(inverse, axis=0)
    middle = centre @ inverse
    relative = found.home @ inverse - middle
    first = np.floor(-reach - relative.max(axis=0)).astype(int)
    last = np.ceil(reach - relative.min(axis=0)).astype(int)
    cells = np.indices(last - first + 1).reshape(3, -1).T + first
    fractional = relative[:, None] + cells[None]
    distance = np.linalg.norm(fractional @ found.lattice, axis=2)
    atoms, rows = np.nonzero(distance <= radius + TOUCH_ANGSTROM)
    on_sphere = distance[atoms, rows] >= radius - TOUCH_ANGSTROM
    atoms, rows = atoms[on_sphere], rows[on_sphere]
    given = middle @ found.to_given
    home = given % 1.0
    places = fractional[atoms, rows] @ found.to_given + home
    return np.where(home > 1 - 1e-5, 0.0, home), atoms, places - (home > 1 - 1e-5)


def _circumcentre(corners: FloatArray) -> FloatArray:
    """Return the centre of the least sphere through two to four points."""
    edges = corners[1:] - corners[0]
    half = 0.5 * np.einsum("ij,ij->i", edges, edges)
    return np.asarray(corners[0] + np.linalg.lstsq(edges, half, rcond=None)[0])
