"""Points spread evenly over a periodic surface, and the triangles between them.

The triangles are those of the Delaunay tessellation of the points whose dual Voronoi edge crosses the surface
(restricted Delaunay: Edelsbrunner and Shah 1997, doi 10.1142/S0218195997000223). Where points are dense enough for
the bends of the surface, they are a triangulation of it, and its Euler characteristic is that of the surface.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product
from typing import TYPE_CHECKING

import numpy as np

from hstore.errors import InputError
from hstore_workflows.sources.carbon.surfaces import EDGE

if TYPE_CHECKING:
    from hstore.arrays import FloatArray, IntArray
    from hstore_workflows.sources.carbon.surfaces import Surface

_ROUNDS = 300
_REACH = 1.7
"""Points repel each other up to so many spacings."""
_STIFFNESS = 0.25
_MOST_STEP = 0.15
"""Most that a point moves in a round, in spacings."""
_DRAWN = 40
"""Points drawn for each that is kept, evenly in space, so that the kept ones are near the surface everywhere."""
_MARGIN = 0.35
"""How far the images of points reach beyond the cube, in edges."""


@dataclass(frozen=True, eq=False)
class Tiling:
    """Triangles on a periodic surface."""

    points: FloatArray
    """Corners, shape (corners, 3), in a cube with the edge :data:`EDGE`."""
    corners: IntArray
    """Corners of each triangle, shape (triangles, 3)."""
    cells: IntArray
    """Cell of each corner of each triangle, shape (triangles, 3, 3)."""
    neighbours: IntArray
    """Triangle across each side, shape (triangles, 3)."""
    shifts: IntArray
    """Cell of that triangle as seen from this one, shape (triangles, 3, 3)."""

    @property
    def euler_characteristic(self) -> int:
        """Corners less sides plus triangles, in a cell."""
        return len(self.points) - 3 * len(self.corners) // 2 + len(self.corners)


def tile(surface: Surface, count: int, *, seed: int = 0) -> Tiling:
    """Spread points over a surface and join them by triangles.

    Args:
        surface: the surface.
        count: points in a cube.
        seed: seed of where they begin.

    Raises:
        InputError: the triangles do not close: there are too few points for the bends of the surface.
    """
    spacing = float(np.sqrt(surface.area() / count * 2.0 / np.sqrt(3.0)))
    points = _spread(surface, count, spacing, seed)
    corners, cells = _triangles(surface, points)
    neighbours, shifts = _across(corners, cells, surface.name, count)
    return Tiling(points, corners, cells, neighbours, shifts)


def _spread(surface: Surface, count: int, spacing: float, seed: int) -> FloatArray:
    """Return points that have repelled each other along the surface, shape (count, 3)."""
    from scipy.spatial import cKDTree

    generator = np.random.default_rng(seed)
    drawn = generator.uniform(0.0, EDGE, (_DRAWN * count, 3))
    near = np.argsort(np.abs(surface.value(drawn)), kind="stable")[: _DRAWN * count // 4]
    points = surface.projected(drawn[generator.permutation(near)[:count]])
    for _ in range(_ROUNDS):
        points = np.mod(points, EDGE)
        points[points >= EDGE] = 0.0  # what mod rounds up to the edge
        pairs = cKDTree(points, boxsize=EDGE).query_pairs(_REACH * spacing, output_type="ndarray")
        apart = points[pairs[:, 0]] - points[pairs[:, 1]]
        apart -= EDGE * np.round(apart / EDGE)
        distance = np.maximum(np.linalg.norm(apart, axis=1), 1e-9)
        reach = _REACH * spacing
        push = ((reach / distance - 1.0) * (1.0 - distance / reach) * spacing / distance)[:, None] * apart
        force = np.zeros_like(points)
        np.add.at(force, pairs[:, 0], push)
        np.add.at(force, pairs[:, 1], -push)
        normals = surface.normals(points)
        step = _STIFFNESS * (force - (force * normals).sum(axis=1)[:, None] * normals)
        length = np.maximum(np.linalg.norm(step, axis=1), 1e-12)
        step *= np.minimum(1.0, _MOST_STEP * spacing / length)[:, None]
        points = surface.projected(points + step, 2)
    return np.mod(points, EDGE)


def _triangles(surface: Surface, points: FloatArray) -> tuple[IntArray, IntArray]:
    """Return corners and their cells, each triangle once, its first corner in the cell 0."""
    from scipy.spatial import Delaunay

    cells = np.array(list(product((-1, 0, 1), repeat=3)))
    images = (points + EDGE * cells[:, None]).reshape(-1, 3)
    own, cell = np.tile(np.arange(len(points)), len(cells)), np.repeat(cells, len(points), axis=0)
    near = ((images > -_MARGIN * EDGE) & (images < (1.0 + _MARGIN) * EDGE)).all(axis=1)
    images, own, cell = images[near], own[near], cell[near]
    tessellation = Delaunay(images)
    simplices = tessellation.simplices
    values = surface.value(_circumcentres(images[simplices]))
    faces = []
    for left_out in range(4):
        other = tessellation.neighbors[:, left_out]
        crossing = (other > np.arange(len(simplices))) & (values * values[other] < 0)
        faces.append(np.delete(simplices, left_out, axis=1)[crossing])
    found = np.concatenate(faces)
    first = np.take_along_axis(found, np.argsort(own[found], axis=1, kind="stable"), axis=1)
    corners, at = own[first], cell[first]
    kept = (at[:, 0] == 0).all(axis=1)
    corners, at = corners[kept], at[kept]
    order = np.lexsort(np.column_stack([corners, at.reshape(len(at), -1)]).T[::-1])
    return corners[order], at[order]


def _circumcentres(tetrahedra: FloatArray) -> FloatArray:
    """Return the centres of the spheres through four points, shape (n, 3); far away for flat ones."""
    sides = tetrahedra[:, 1:] - tetrahedra[:, :1]
    flat = np.abs(np.linalg.det(sides)) < 1e-12
    sides[flat] = np.eye(3)
    centres = np.linalg.solve(sides, 0.5 * (sides**2).sum(axis=-1)[..., None])[..., 0] + tetrahedra[:, 0]
    centres[flat] = np.nan
    return np.asarray(centres)


def _across(corners: IntArray, cells: IntArray, name: str, count: int) -> tuple[IntArray, IntArray]:
    """Return the triangle across each side, and its cell."""
    sides: dict[tuple[int, ...], list[tuple[int, int, IntArray]]] = {}
    for triangle in range(len(corners)):
        for side in range(3):
            one, two = side, (side + 1) % 3
            if corners[triangle, one] > corners[triangle, two]:
                one, two = two, one
            origin = cells[triangle, one]
            key = (*corners[triangle, [one, two]].tolist(), *(cells[triangle, two] - origin).tolist())
            sides.setdefault(key, []).append((triangle, side, origin))
    neighbours = np.empty_like(corners)
    shifts = np.empty((len(corners), 3, 3), dtype=np.int64)
    for met in sides.values():
        if len(met) != 2:
            raise InputError(
                f"{count} rings do not tile the surface {name}: its bends are too sharp for them; ask for a "
                "larger edge, or another seed"
            )
        (one, side_one, at_one), (two, side_two, at_two) = met
        neighbours[one, side_one], neighbours[two, side_two] = two, one
        shifts[one, side_one], shifts[two, side_two] = at_one - at_two, at_two - at_one
    return neighbours, shifts
