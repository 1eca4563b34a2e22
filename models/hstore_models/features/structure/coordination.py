"""Voronoi faces of sites among the neighbours within a radius: what CrystalNN weighs neighbours by.

The cell of a site is the polar dual of the convex hull of its neighbours after inversion at the unit sphere, so a
site needs one hull of some forty points.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from hstore.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from hstore.arrays import FloatArray, IntArray
    from hstore.crystal import Crystal
    from hstore_models.features.structure.geometry import Geometry, Neighbours

_FIRST_HULL = 40
"""Nearest neighbours tried first; further ones are added only where they may still cut the cell."""
_LEAST_DISTANCE_ANGSTROM = 1e-3
_LEAST_OFFSET = 1e-9
"""A facet of the hull this close to the centre, or beyond it, means that the cell is open there."""
_DIAGONALS = np.array([[1, 1, 1], [-1, 1, 1], [1, -1, 1], [1, 1, -1]])


@dataclass(frozen=True, eq=False)
class Faces:
    """Faces of the Voronoi cells of some sites, one for each neighbour."""

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


@dataclass(frozen=True, eq=False)
class _Cell:
    """A closed cell, as the hull of the inverted neighbours: facets are its corners, vertices its faces."""

    pairs: IntArray
    """Rows of the neighbours in the neighbour list, shape (p,)."""
    facets: IntArray
    """Neighbours (counted in ``pairs``) that meet in each corner, in any order, shape (f, 3)."""
    across: IntArray
    """Facet opposite each of these, shape (f, 3)."""
    corners: FloatArray
    """Corners of the cell from the centre, shape (f, 3), angstrom."""


def voronoi_faces(geometry: Geometry, sites: Iterable[int], radius_angstrom: float) -> Faces:
    """Find the faces of the cells that sites have among their neighbours within a radius.

    Neighbours beyond the radius are left out of account even where they would cut the cell, as they do in open
    frameworks: CrystalNN is defined so. Where the neighbours do not enclose a site, the radius is doubled, up to
    the longest diagonal of the unit cell.

    Args:
        geometry: the crystal.
        sites: indices of the sites, ascending.
        radius_angstrom: search radius, angstrom.

    Raises:
        InputError: two sites coincide, or a cell stays open.
    """
    waiting, done = list(sites), []
    radius, limit = radius_angstrom, _longest_diagonal(geometry.crystal) + 0.01
    while waiting:
        neighbours = geometry.neighbours(radius)
        _check_apart(neighbours)
        cells = {site: _cell(neighbours, site) for site in waiting}
        done.append(_measure(neighbours, [cell for cell in cells.values() if cell is not None]))
        waiting = [site for site, cell in cells.items() if cell is None]
        if waiting and radius >= limit:
            raise InputError(
                f"site {waiting[0]} ({geometry.crystal.symbols[waiting[0]]}) has no closed Voronoi cell among the "
                f"sites within {radius:.3g} A; check the lattice"
            )
        radius = min(2.0 * radius, limit + 0.001)
    return _joined(done)


def _longest_diagonal(crystal: Crystal) -> float:
    return float(np.linalg.norm(_DIAGONALS @ crystal.lattice_angstrom, axis=1).max())


def _check_apart(neighbours: Neighbours) -> None:
    if len(neighbours.distance_angstrom) and neighbours.distance_angstrom.min() < _LEAST_DISTANCE_ANGSTROM:
        pair = int(neighbours.distance_angstrom.argmin())
        raise InputError(
            f"sites {neighbours.centre[pair]} and {neighbours.other[pair]} are at the same place; remove one"
        )


def _cell(neighbours: Neighbours, site: int) -> _Cell | None:
    """Build the cell of a site; None where its neighbours do not enclose it."""
    starts = neighbours.starts
    if site + 1 >= len(starts):
        return None
    pairs = np.arange(starts[site], starts[site + 1])
    distance = neighbours.distance_angstrom[pairs]
    order = np.argsort(distance, kind="stable")
    pairs, distance = pairs[order], distance[order]
    cell, size = None, min(_FIRST_HULL, len(pairs))
    while True:
        cell = _hull(neighbours, pairs[:size])
        reach = 2.0 * np.linalg.norm(cell.corners, axis=1).max() if cell else np.inf
        needed = int(np.searchsorted(distance, reach))
        if needed <= size:
            return cell
        size = needed


def _hull(neighbours: Neighbours, pairs: IntArray) -> _Cell | None:
    from scipy.spatial import ConvexHull, QhullError

    vectors = neighbours.vector_angstrom[pairs]
    inverted = 2.0 * vectors / np.square(neighbours.distance_angstrom[pairs])[:, None]
    try:
        hull = ConvexHull(inverted)
    except (QhullError, ValueError):  # fewer than four neighbours, or all in one plane
        return None
    normals, offsets = hull.equations[:, :3], hull.equations[:, 3:]
    if offsets.max() > -_LEAST_OFFSET:
        return None
    return _Cell(pairs, hull.simplices, hull.neighbors, -normals / offsets)


def _measure(neighbours: Neighbours, cells: list[_Cell]) -> Faces:
    """Measure the faces of closed cells, all cells together.

    A face is the sum of triangles from its foot point (half way to the neighbour) to its edges. A triangle counts
    as negative where the foot point lies beyond the edge. An edge of the cell runs between the corners of two
    adjacent facets; the two neighbours these share own the faces on its sides.
    """
    if not cells:
        return _pick(neighbours, np.empty(0, dtype=np.int64), np.empty(0), np.empty(0))
    first_pair = np.cumsum([0, *(len(cell.pairs) for cell in cells[:-1])])
    first_facet = np.cumsum([0, *(len(cell.facets) for cell in cells[:-1])])
    pairs = np.concatenate([cell.pairs for cell in cells])
    corners = np.concatenate([cell.corners for cell in cells])
    facets = np.concatenate([cell.facets + start for cell, start in zip(cells, first_pair, strict=True)])
    across = np.concatenate([cell.across + start for cell, start in zip(cells, first_facet, strict=True)])
    facet, opposite = np.nonzero(across > np.arange(len(across))[:, None])  # each edge once
    start, end = corners[facet], corners[across[facet, opposite]]
    sides = facets[facet, (opposite + 1) % 3], facets[facet, (opposite + 2) % 3]
    angle, area = np.zeros(len(pairs)), np.zeros(len(pairs))
    normal = np.cross(start, end)
    for face, beside in (sides, sides[::-1]):
        to_face, to_beside = neighbours.vector_angstrom[pairs[face]], neighbours.vector_angstrom[pairs[beside]]
        inside = np.sign(np.einsum("ij,ij->i", to_beside, to_beside - to_face))
        volume = 0.5 * np.abs(np.einsum("ij,ij->i", to_face, normal))
        angle += np.bincount(face, inside * _triangle_angle(0.5 * to_face, start, end, volume), len(pairs))
        area += np.bincount(face, inside * volume / neighbours.distance_angstrom[pairs[face]], len(pairs))
    return _pick(neighbours, pairs, angle, area)


def _triangle_angle(a: FloatArray, b: FloatArray, c: FloatArray, volume: FloatArray) -> FloatArray:
    """Solid angle of triangles, steradian (van Oosterom and Strackee, doi 10.1109/TBME.1983.325207).

    Args:
        a: corners, shape (triangles, 3).
        b: corners.
        c: corners.
        volume: their triple products, shape (triangles,).
    """
    la, lb, lc = (np.linalg.norm(vectors, axis=1) for vectors in (a, b, c))
    ab, bc, ca = (np.einsum("ij,ij->i", x, y) for x, y in ((a, b), (b, c), (c, a)))
    return np.asarray(2.0 * np.arctan2(volume, la * lb * lc + ab * lc + bc * la + ca * lb))


def _pick(neighbours: Neighbours, pairs: IntArray, angle: FloatArray, area: FloatArray) -> Faces:
    """Keep the neighbours that have a face."""
    has = area > 0
    rows = pairs[has]
    return Faces(
        neighbours.centre[rows], neighbours.other[rows], neighbours.vector_angstrom[rows], angle[has], area[has]
    )


def _joined(parts: list[Faces]) -> Faces:
    if len(parts) == 1:
        return parts[0]
    names = ("centre", "other", "vector_angstrom", "solid_angle", "area_angstrom2")
    columns = {name: np.concatenate([getattr(part, name) for part in parts]) for name in names}
    order = np.argsort(columns["centre"], kind="stable")
    return Faces(**{name: column[order] for name, column in columns.items()})
