"""Which images of the sites of a crystal bound the Voronoi polyhedra, found with qhull."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from itertools import chain
from typing import TYPE_CHECKING

import numpy as np

from hstore.errors import InputError

if TYPE_CHECKING:
    from hstore.arrays import FloatArray, IntArray
    from hstore.crystal import Crystal

_LEAST_DISTANCE_ANGSTROM = 1e-3
"""Sites nearer than this are taken for one site given twice."""
_EMPTY_TOLERANCE_ANGSTROM = 1e-10
"""How much nearer to a corner another atom must be to count: rounding errors of the corners are ten times less."""
_PRECISION = 1e-9
"""Largest error of a corner over its distance; 1e-11 is common, 1e-5 where qhull fails to merge corners."""
_FIRST_NEIGHBOURS = 20
_FARTHEST_CELL = 2
"""In a Minkowski-reduced cell the image nearest to a place in the cell is at most so many cells away: the lattice
vector next to a difference of two such places is within one step of the rounded one (Nguyen and Stehle,
doi 10.1145/1597036.1597050)."""
_ROUNDS = 60


@dataclass(frozen=True, eq=False)
class CompactCell:
    """The crystal in a short, compact cell with all sites inside it."""

    lattice: FloatArray
    """Reduced cell vectors in rows, shape (3, 3), angstrom."""
    to_given: IntArray
    """Reduced cell vectors in terms of the given ones, shape (3, 3)."""
    home: FloatArray
    """Cartesian coordinates of the sites, wrapped into the reduced cell, shape (n, 3), angstrom."""
    wrapped: IntArray
    """Reduced cell each site was in, shape (n, 3)."""

    @classmethod
    def of(cls, crystal: Crystal) -> CompactCell:
        """Reduce the cell of a crystal (Minkowski) and move its sites into it."""
        from ase.geometry.minkowski_reduction import minkowski_reduce

        lattice, combinations = minkowski_reduce(crystal.lattice_angstrom)
        to_given = np.asarray(combinations, dtype=np.int64)
        fractional = crystal.cartesian_angstrom @ np.linalg.inv(lattice)
        wrapped = np.floor(fractional).astype(np.int64)
        return cls(lattice, to_given, (fractional - wrapped) @ lattice, wrapped)

    def at(self, points: IntArray) -> FloatArray:
        """Return Cartesian coordinates of points given as (site, cell), shape (m, 4)."""
        return np.asarray(self.home[points[:, 0]] + points[:, 1:] @ self.lattice)

    def given_shift(self, centre: IntArray, other: IntArray, shift: IntArray) -> IntArray:
        """Turn shifts between wrapped sites in the reduced cell into those between the sites as given."""
        return np.asarray((shift - self.wrapped[other] + self.wrapped[centre]) @ self.to_given)


class Images:
    """All images of the sites in and around the cell, near enough that the nearest atom of any place is there."""

    def __init__(self, cell: CompactCell) -> None:
        from scipy.spatial import cKDTree

        self.cell = cell
        self._inverse = np.linalg.inv(cell.lattice)
        # Babai: no place is farther from a lattice point than half the diagonal of the box of the cell's edges
        self.margin = 0.5 * float(np.sqrt((cell.lattice**2).sum())) + 1e-6
        slack = self.margin * np.linalg.norm(self._inverse, axis=0)
        most = np.minimum(np.ceil(slack), _FARTHEST_CELL).astype(int)
        axes = [np.arange(-m, m + 1) for m in most]
        shifts = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, 3)
        fractional = (cell.home @ self._inverse)[None, :, :] + shifts[:, None, :]
        near = ((fractional >= -slack) & (fractional <= 1 + slack)).all(axis=2)
        rows, atoms = np.nonzero(near)
        self.points = np.concatenate([atoms[:, None], shifts[rows]], axis=1)
        self._tree = cKDTree(cell.at(self.points))
        self.sites = len(cell.home)

    def neighbours(self, count: int) -> IntArray:
        """Return the sites of the cell, then their nearest images and each other's, without repetition."""
        distances, places = self._tree.query(self.cell.home, k=min(count + 1, len(self.points)))
        if distances[:, 1].min() < _LEAST_DISTANCE_ANGSTROM:
            site = int(distances[:, 1].argmin())
            raise InputError(
                f"site {site} has another atom {distances[site, 1]:.2g} A away; remove one of the two"
            )
        home = np.zeros((self.sites, 4), dtype=np.int64)
        home[:, 0] = np.arange(self.sites)
        around = _own_images(np.array([0]))  # so that the points never lie in a line or a plane
        return _with_more(home, np.concatenate([self.points[np.unique(places)], around]))

    def nearest(self, places: FloatArray) -> tuple[FloatArray, IntArray]:
        """Return the distance of the atom nearest to each place, and which one (site, cell) it is."""
        moved = np.floor(places @ self._inverse).astype(np.int64)
        distance, index = self._tree.query(places - moved @ self.cell.lattice)
        found = self.points[index].copy()
        found[:, 1:] += moved
        return np.asarray(distance), found


def _with_more(points: IntArray, more: IntArray) -> IntArray:
    """Append the points that are not there yet."""
    together = np.concatenate([points, more])
    _, first = np.unique(together, axis=0, return_index=True)
    return np.asarray(together[np.sort(first)])


@dataclass(frozen=True, eq=False)
class Ridges:
    """Facets that bound the polyhedra of the cell's sites, with the corners of all of them in one array."""

    pairs: IntArray
    """Points on the two sides, shape (ridges, 2)."""
    corners: IntArray
    """Corners in the order around each facet, shape (all corners,); -1 is at infinity."""
    counts: IntArray
    """Corners of each facet, shape (ridges,)."""
    places: FloatArray
    """Coordinates of the corners, angstrom."""

    @cached_property
    def offsets(self) -> IntArray:
        """Place of the first corner of each facet."""
        return np.cumsum(self.counts) - self.counts

    def misplaced(self, coordinates: FloatArray) -> bool:
        """Tell whether a corner is at infinity or not as far from one side of a facet as from the other.

        Args:
            coordinates: of the points, shape (m, 3), angstrom.
        """
        one, other = (
            np.linalg.norm(self.places[self.corners] - np.repeat(coordinates[side], self.counts, axis=0), axis=1)
            for side in self.pairs.T
        )
        wrong = np.abs(one - other) > _PRECISION * np.maximum(one, 1.0)
        return bool((self.corners < 0).any() or wrong.any())


def _ridges(coordinates: FloatArray, sites: int, options: str) -> Ridges:
    from scipy.spatial import Voronoi as Qhull

    middle = coordinates[:sites].mean(axis=0)
    diagram = Qhull(coordinates - middle, qhull_options=options)
    wanted = np.flatnonzero((diagram.ridge_points < sites).any(axis=1))
    vertices = diagram.ridge_vertices
    lists = [vertices[k] for k in wanted.tolist()]
    counts = np.fromiter(map(len, lists), dtype=np.int64, count=len(lists))
    corners = np.fromiter(chain.from_iterable(lists), dtype=np.int64, count=int(counts.sum()))
    return Ridges(np.asarray(diagram.ridge_points[wanted], np.int64), corners, counts, diagram.vertices + middle)


def ridges_of(images: Images, options: str) -> tuple[Ridges, IntArray]:
    """Tessellate with more and more images until no atom of the crystal can cut off a corner.

    Args:
        images: of the crystal.
        options: of qhull.

    Returns:
        the facets around the sites of the cell, and the points they lie between, as (site, cell), shape (m, 4).

    Raises:
        QhullError: qhull gives up, misplaces a corner, or the images do not suffice after many rounds.
        InputError: two sites coincide.
    """
    from scipy.spatial import QhullError

    points = images.neighbours(_FIRST_NEIGHBOURS)
    for _ in range(_ROUNDS):
        coordinates = images.cell.at(points)
        ridges = _ridges(coordinates, images.sites, options)
        grown = _with_more(points, _missing(ridges, images))
        if len(grown) > len(points):
            points = grown
        elif ridges.misplaced(coordinates):
            break
        else:
            return ridges, points
    raise QhullError("rounding errors misplace corners")


def _missing(ridges: Ridges, images: Images) -> IntArray:
    """Name the atoms that cut off a corner, and the nearest own images of a site whose polyhedron is open."""
    home, sites = images.cell.home, images.sites
    inside = np.where(ridges.pairs[:, 0] < sites, ridges.pairs[:, 0], ridges.pairs[:, 1])
    owner = np.repeat(inside, ridges.counts)
    finite = ridges.corners >= 0
    radius = np.linalg.norm(ridges.places[ridges.corners] - home[owner], axis=1)
    far = ~finite | (radius > 2 * images.margin)
    open_ridges = np.logical_or.reduceat(far, ridges.offsets)
    corners, first = np.unique(ridges.corners[~far], return_index=True)
    radius = radius[~far][first]
    distance, nearest = images.nearest(ridges.places[corners])
    cut = nearest[distance < radius - _EMPTY_TOLERANCE_ANGSTROM]
    ends = ridges.pairs[open_ridges]
    return np.concatenate([cut, _own_images(np.unique(ends[ends < sites]))])


def _own_images(sites: IntArray) -> IntArray:
    """Return the six images next to each site along the cell vectors, which close its polyhedron."""
    steps = np.concatenate([np.eye(3, dtype=np.int64), -np.eye(3, dtype=np.int64)])
    return np.concatenate([np.repeat(sites, 6)[:, None], np.tile(steps, (len(sites), 1))], axis=1)
