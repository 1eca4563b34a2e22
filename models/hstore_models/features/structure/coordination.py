"""Voronoi faces of single sites, among the neighbours within a radius: what CrystalNN weighs neighbours by.

The cell of a site is the polar dual of the convex hull of its neighbours inverted at the unit sphere, so that each
site needs one hull of some forty points. (The whole tessellation of a crystal, with volumes and vertices, is in
:mod:`hstore_models.features.structure.voronoi`.)
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from hstore.errors import InputError

if TYPE_CHECKING:
    from hstore.arrays import FloatArray, IntArray
    from hstore.crystal import Crystal
    from hstore_models.features.structure.geometry import Geometry, Neighbours

_FIRST_HULL = 48
"""Nearest neighbours tried first; further ones are added only where they can still cut the cell."""
_LEAST_DISTANCE_ANGSTROM = 1e-3
_CORNER_SIGNS = np.array([[1, 1, 1], [-1, 1, 1], [1, -1, 1], [1, 1, -1]])


@dataclass(frozen=True, eq=False)
class Faces:
    """Faces of the Voronoi cells of all sites, one for each neighbour."""

    centre: IntArray
    """Site whose cell it is, shape (faces,), ascending."""
    other: IntArray
    """Site behind the face, shape (faces,)."""
    vector_angstrom: FloatArray
    """From the centre to the neighbour, shape (faces, 3), angstrom."""
    solid_angle: FloatArray
    """Solid angle of the face seen from the centre, shape (faces,), steradian; they sum to 4 pi for a site."""
    area_angstrom2: FloatArray
    """Area of the face, shape (faces,), square angstrom."""


class _Unbounded(Exception):  # noqa: N818 - a signal between two functions, no error
    """The neighbours within the radius do not enclose the site."""


def voronoi_faces(geometry: Geometry, radius_angstrom: float) -> Faces:
    """Find the faces of the cell that each site has among its neighbours within a radius.

    Neighbours beyond the radius are left out of account even where they would cut the cell (in open frameworks),
    which is how CrystalNN is defined. Where the neighbours do not enclose the site, the radius is doubled, up to
    the longest diagonal of the unit cell.

    Args:
        geometry: the crystal.
        radius_angstrom: search radius, angstrom.

    Raises:
        InputError: two sites coincide, or a site has no closed cell within the longest diagonal.
    """
    crystal = geometry.crystal
    hulls: list[_Hull | None] = [None] * len(crystal)
    waiting, limit = list(range(len(crystal))), _longest_diagonal(crystal) + 0.01
    radius = radius_angstrom
    while True:
        neighbours = geometry.neighbours(radius)
        _check_apart(neighbours)
        hulls_of(neighbours, waiting, hulls)
        waiting = [site for site in waiting if hulls[site] is None]
        if not waiting:
            return _measure([hull for hull in hulls if hull is not None])
        if radius >= limit:
            raise InputError(
                f"site {waiting[0]} ({crystal.symbols[waiting[0]]}) has no closed Voronoi cell among the sites within "
                f"{radius:.3g} A; check the lattice"
            )
        radius = min(2.0 * radius, limit + 0.001)
