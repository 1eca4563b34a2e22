"""Voronoi tessellation of a whole crystal: each site's polyhedron of the points nearer to it than to any other.

One call of qhull treats all sites of the cell together with those of their images that can touch a polyhedron.
Which ones these are is not a matter of a cutoff: a polyhedron is right exactly when no atom of the crystal lies
nearer to one of its corners than the site itself. Corners that fail name the atoms that are missing, these are
added, and the tessellation is made again; a dense crystal passes at once, a pore needs a round or two.

In crystals of high symmetry more than four polyhedra meet at a corner. Rounding errors of the coordinates split
such corners into several a femtometre apart, with facets of no width between them. Facets narrower and edges
shorter than a tolerance are therefore left out; matminer and pymatgen count them where qhull happens to make them.

Reference: Okabe, Boots, Sugihara and Chiu, Spatial Tessellations, doi 10.1002/9780470317013.
"""

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
    from numpy.typing import NDArray

TOLERANCE_ANGSTROM = 1e-8
"""Width of a facet and length of an edge below which they are rounding errors, angstrom."""
_LEAST_DISTANCE_ANGSTROM = 1e-3
_FIRST_NEIGHBOURS = 24
_ROUNDS = 60
_VOLUME_TOLERANCE = 1e-6
_EMPTY_TOLERANCE_ANGSTROM = 1e-10
_DISPLACEMENT_ANGSTROM = 1e-8


@dataclass(frozen=True, eq=False)
class Voronoi:
    """Facets of all polyhedra of a crystal, each from both sides, ordered by the site they belong to."""

    centre: IntArray
    """Index of the site whose polyhedron has the facet, shape (facets,); ascending."""
    other: IntArray
    """Index of the site on the other side, shape (facets,); may be the same one in another cell."""
    shift: IntArray
    """Cell of the other site in lattice vectors, from the coordinates as given, shape (facets, 3)."""
    area_angstrom2: FloatArray
    """Area, shape (facets,), square angstrom."""
    solid_angle_sr: FloatArray
    """Solid angle seen from the centre, shape (facets,), steradian; they add to 4 pi for each site."""
    face_distance_angstrom: FloatArray
    """From the centre to the plane of the facet, half the distance of the two sites, shape (facets,), angstrom."""
    edges: IntArray
    """Number of edges, which is that of corners, shape (facets,); 3 or more."""
    reach_angstrom: FloatArray
    """Distance of each site to its farthest corner, shape (sites,), angstrom.

    Sites farther than twice this have no influence on the polyhedron."""

    @cached_property
    def volume_angstrom3(self) -> FloatArray:
        """Volume of the pyramid from the centre to each facet, shape (facets,), cubic angstrom."""
        return self.area_angstrom2 * self.face_distance_angstrom / 3.0

    @cached_property
    def site_volume_angstrom3(self) -> FloatArray:
        """Volume of each site's polyhedron, shape (sites,), cubic angstrom; they add to that of the cell."""
        return self.sum_over_facets(self.volume_angstrom3)

    @cached_property
    def starts(self) -> IntArray:
        """First facet of each site and the end, shape (sites + 1,)."""
        return np.searchsorted(self.centre, np.arange(len(self.reach_angstrom) + 1))

    @cached_property
    def reverse(self) -> IntArray:
        """Index of the same facet seen from the other side, shape (facets,)."""
        order, keys = self._index
        return order[np.searchsorted(keys, self._keys(self.other, self.centre, -self.shift))]

    def find(self, centre: IntArray, other: IntArray, shift: IntArray) -> IntArray:
        """Return the index of the facets between pairs of sites, -1 where they share none.

        Args:
            centre: site looked from, shape (pairs,).
            other: site on the other side, shape (pairs,).
            shift: cell of the other site, shape (pairs, 3).
        """
        order, keys = self._index
        wanted = self._keys(centre, other, shift)
        place = np.minimum(np.searchsorted(keys, wanted), len(keys) - 1)
        inside = (np.abs(shift) <= self._span).all(axis=1)
        return np.where(inside & (keys[place] == wanted), order[place], -1)

    def sum_over_facets(self, values: FloatArray) -> FloatArray:
        """Add a quantity of the facets for each site: shape (facets,) becomes (sites,)."""
        return np.asarray(np.bincount(self.centre, values, minlength=len(self.reach_angstrom)))

    def largest_over_facets(self, values: FloatArray) -> FloatArray:
        """Take the largest of a quantity of the facets for each site: shape (facets,) becomes (sites,)."""
        return np.asarray(np.maximum.reduceat(values, self.starts[:-1]))

    def smallest_over_facets(self, values: FloatArray) -> FloatArray:
        """Take the smallest of a quantity of the facets for each site: shape (facets,) becomes (sites,)."""
        return np.asarray(np.minimum.reduceat(values, self.starts[:-1]))

    @cached_property
    def _span(self) -> int:
        return int(np.abs(self.shift).max())

    def _keys(self, centre: IntArray, other: IntArray, shift: IntArray) -> IntArray:
        sites, base = len(self.reach_angstrom), 2 * self._span + 1
        key = centre * sites + other
        for axis in range(3):
            key = key * base + (shift[:, axis] + self._span)
        return key

    @cached_property
    def _index(self) -> tuple[IntArray, IntArray]:
        keys = self._keys(self.centre, self.other, self.shift)
        order = np.argsort(keys)
        return order, keys[order]


def tessellate(crystal: Crystal, *, tolerance_angstrom: float = TOLERANCE_ANGSTROM) -> Voronoi:
    """Compute the Voronoi polyhedra of all sites of a crystal.

    Args:
        crystal: any ordered crystal, however skewed its cell and wherever in it the coordinates are.
        tolerance_angstrom: facets narrower and edges shorter than this are left out, angstrom.

    Raises:
        InputError: two sites coincide, or rounding errors prevent a tessellation whose volumes add up.
    """
    cell = _Cell.of(crystal)
    found = _attempt(cell, crystal, tolerance_angstrom)
    if found is None:  # many corners in exactly one place can defeat qhull; tell them apart, then merge again
        noise = np.random.default_rng(0).uniform(-1, 1, cell.home.shape) * _DISPLACEMENT_ANGSTROM
        moved = _Cell(cell.lattice, cell.to_given, cell.home + noise, cell.wrapped)
        found = _attempt(moved, crystal, max(tolerance_angstrom, TOLERANCE_ANGSTROM))
    if found is None:
        raise InputError(
            f"the Voronoi polyhedra of the {len(crystal)} sites do not fill the cell of "
            f"{crystal.volume_angstrom3:.6g} A^3; look for sites that nearly coincide or a cell far too long"
        )
    return found


def _attempt(cell: _Cell, crystal: Crystal, tolerance_angstrom: float) -> Voronoi | None:
    """Tessellate; None when qhull fails or the volumes do not add up."""
    from scipy.spatial import QhullError

    try:
        ridges, points = _converged(cell)
    except QhullError:
        return None
    voronoi = _facets(cell, points, ridges, tolerance_angstrom)
    lost = abs(voronoi.site_volume_angstrom3.sum() - crystal.volume_angstrom3)
    whole = len(voronoi.starts) == len(crystal) + 1 and bool((np.diff(voronoi.starts) > 3).all())
    return voronoi if whole and lost <= _VOLUME_TOLERANCE * crystal.volume_angstrom3 else None


@dataclass(frozen=True, eq=False)
class _Cell:
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
    def of(cls, crystal: Crystal) -> _Cell:
        to_given = _reduction(crystal.lattice_angstrom)
        lattice = to_given @ crystal.lattice_angstrom
        fractional = crystal.cartesian_angstrom @ np.linalg.inv(lattice)
        wrapped = np.floor(fractional).astype(np.int64)
        return cls(lattice, to_given, (fractional - wrapped) @ lattice, wrapped)

    def at(self, points: IntArray) -> FloatArray:
        """Return Cartesian coordinates of points given as (site, cell), shape (m, 4)."""
        return np.asarray(self.home[points[:, 0]] + points[:, 1:] @ self.lattice)

    def given_shift(self, centre: IntArray, other: IntArray, shift: IntArray) -> IntArray:
        """Turn shifts between wrapped sites in the reduced cell into those between the sites as given."""
        return np.asarray((shift - self.wrapped[other] + self.wrapped[centre]) @ self.to_given)


def _reduction(lattice: FloatArray) -> IntArray:
    """Find integer combinations of the cell vectors that are short: each pair reduced as by Gauss."""
    basis = np.eye(3, dtype=np.int64)
    for _ in range(1000):
        vectors = basis @ lattice
        squares = (vectors**2).sum(axis=1)
        times = np.rint((vectors @ vectors.T) / squares[None, :] * (1 - 1e-9)).astype(np.int64)
        np.fill_diagonal(times, 0)
        pairs = [(i, j) for i, j in np.argwhere(times) if squares[j] <= squares[i] * (1 + 1e-9)]
        if not pairs:
            break
        i, j = pairs[0]
        basis[i] -= times[i, j] * basis[j]
    return basis


class _Images:
    """All images of the sites in and around the cell, near enough that the nearest atom of any place is there."""

    def __init__(self, cell: _Cell) -> None:
        from scipy.spatial import cKDTree

        self._cell = cell
        self._inverse = np.linalg.inv(cell.lattice)
        # Babai: no place is farther from a lattice point than half the diagonal of the box of the cell's edges
        self.margin = 0.5 * float(np.sqrt((cell.lattice**2).sum())) + 1e-6
        slack = self.margin * np.linalg.norm(self._inverse, axis=0)
        axes = [np.arange(-int(np.ceil(s)), int(np.ceil(s)) + 1) for s in slack]
        shifts = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, 3)
        sites = len(cell.home)
        fractional = (cell.home @ self._inverse)[None, :, :] + shifts[:, None, :]
        near = ((fractional >= -slack) & (fractional <= 1 + slack)).all(axis=2)
        rows, atoms = np.nonzero(near)
        self.points = np.concatenate([atoms[:, None], shifts[rows]], axis=1)
        self._tree = cKDTree(cell.at(self.points))
        self._sites = sites

    def neighbours(self, count: int) -> IntArray:
        """Return the sites of the cell, then their nearest images and each other's, without repetition."""
        distances, places = self._tree.query(self._cell.home, k=min(count + 1, len(self.points)))
        if distances.shape[1] > 1 and distances[:, 1].min() < _LEAST_DISTANCE_ANGSTROM:
            site = int(distances[:, 1].argmin())
            raise InputError(
                f"site {site} has another atom {distances[site, 1]:.2g} A away; remove one of the two"
            )
        home = np.zeros((self._sites, 4), dtype=np.int64)
        home[:, 0] = np.arange(self._sites)
        return with_more(home, self.points[np.unique(places)])

    def nearest(self, places: FloatArray) -> tuple[FloatArray, IntArray]:
        """Return the distance of the atom nearest to each place, and which one (site, cell) it is."""
        moved = np.floor(places @ self._inverse).astype(np.int64)
        distance, index = self._tree.query(places - moved @ self._cell.lattice)
        found = self.points[index].copy()
        found[:, 1:] += moved
        return np.asarray(distance), found


def with_more(points: IntArray, more: IntArray) -> IntArray:
    """Append the points that are not there yet."""
    together = np.concatenate([points, more])
    _, first = np.unique(together, axis=0, return_index=True)
    return np.asarray(together[np.sort(first)])


@dataclass(frozen=True, eq=False)
class _Ridges:
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


def _ridges(coordinates: FloatArray, sites: int) -> _Ridges:
    from scipy.spatial import Voronoi as Qhull

    middle = coordinates[:sites].mean(axis=0)
    diagram = Qhull(coordinates - middle)
    wanted = np.flatnonzero((diagram.ridge_points < sites).any(axis=1))
    vertices = diagram.ridge_vertices
    lists = [vertices[k] for k in wanted.tolist()]
    counts = np.fromiter(map(len, lists), dtype=np.int64, count=len(lists))
    corners = np.fromiter(chain.from_iterable(lists), dtype=np.int64, count=int(counts.sum()))
    return _Ridges(np.asarray(diagram.ridge_points[wanted], np.int64), corners, counts, diagram.vertices + middle)


def _converged(cell: _Cell) -> tuple[_Ridges, IntArray]:
    """Tessellate with more and more images until nothing is missing."""
    from scipy.spatial import QhullError

    images = _Images(cell)
    points = images.neighbours(_FIRST_NEIGHBOURS)
    sites = len(cell.home)
    for _ in range(_ROUNDS):
        coordinates = cell.at(points)
        ridges = _ridges(coordinates, sites)
        missing = _missing(ridges, images, coordinates[:sites])
        if not len(missing):
            return ridges, points
        grown = with_more(points, missing)
        if len(grown) == len(points):
            break
        points = grown
    raise QhullError("the tessellation does not converge")


def _missing(ridges: _Ridges, images: _Images, home: FloatArray) -> IntArray:
    """Name the atoms that cut off a corner, and the nearest own images of a site whose polyhedron is open."""
    sites = len(home)
    inside = np.where(ridges.pairs[:, 0] < sites, ridges.pairs[:, 0], ridges.pairs[:, 1])
    owner = np.repeat(inside, ridges.counts)
    finite = ridges.corners >= 0
    radius = np.linalg.norm(ridges.places[ridges.corners] - home[owner], axis=1)
    far = ~finite | (radius > 2 * images.margin)
    open_ridges = np.logical_or.reduceat(far, ridges.offsets)
    open_sites = np.setdiff1d(np.arange(sites), ridges.pairs[~open_ridges])
    corners, first = np.unique(ridges.corners[~far], return_index=True)
    radius = radius[~far][first]
    distance, nearest = images.nearest(ridges.places[corners])
    cut = nearest[distance < radius - _EMPTY_TOLERANCE_ANGSTROM]
    ends = ridges.pairs[open_ridges].ravel()
    open_sites = np.union1d(open_sites, ends[ends < sites])
    steps = np.concatenate([np.eye(3, dtype=np.int64), -np.eye(3, dtype=np.int64)])
    own = np.concatenate([np.repeat(open_sites, 6)[:, None], np.tile(steps, (len(open_sites), 1))], axis=1)
    return np.concatenate([cut, own])


def _facets(cell: _Cell, points: IntArray, ridges: _Ridges, tolerance_angstrom: float) -> Voronoi:
    """Measure the facets and look at each from its sites in the cell."""
    sites = len(cell.home)
    inside_first = ridges.pairs[:, 0] < sites
    near = np.where(inside_first, ridges.pairs[:, 0], ridges.pairs[:, 1])
    coordinates = cell.at(points)
    seen = ridges.places[ridges.corners] - np.repeat(coordinates[near], ridges.counts, axis=0)
    area, perimeter, edges, angle = _measures(seen, ridges, tolerance_angstrom)
    distance = 0.5 * np.linalg.norm(coordinates[ridges.pairs[:, 0]] - coordinates[ridges.pairs[:, 1]], axis=1)
    kept = (edges >= 3) & (2.0 * area >= tolerance_angstrom * perimeter)
    radius = np.maximum.reduceat(np.linalg.norm(seen, axis=1), ridges.offsets)
    reach = np.zeros(sites)
    parts = []
    for a, b in ((0, 1), (1, 0)):
        rows = np.flatnonzero(kept & (ridges.pairs[:, a] < sites))
        centre, beyond = ridges.pairs[rows, a], points[ridges.pairs[rows, b]]
        shift = cell.given_shift(centre, beyond[:, 0], beyond[:, 1:])
        parts.append((rows, centre, beyond[:, 0], shift))
        np.maximum.at(reach, centre, radius[rows])
    rows, centre, other = (np.concatenate([part[k] for part in parts]) for k in range(3))
    shift = np.concatenate([part[3] for part in parts])
    order = np.lexsort((*shift.T[::-1], other, centre))
    rows = rows[order]
    return Voronoi(
        centre=centre[order],
        other=other[order],
        shift=shift[order],
        area_angstrom2=area[rows],
        solid_angle_sr=angle[rows],
        face_distance_angstrom=distance[rows],
        edges=edges[rows],
        reach_angstrom=reach,
    )


def _measures(
    seen: FloatArray, ridges: _Ridges, tolerance_angstrom: float
) -> tuple[FloatArray, FloatArray, IntArray, FloatArray]:
    """Compute area, perimeter, number of edges and solid angle of each facet.

    Args:
        seen: corners from the site the facet belongs to, shape (all corners, 3), angstrom.
        ridges: which corners belong to which facet.
        tolerance_angstrom: edges shorter than this do not count.
    """
    offsets = ridges.offsets
    following = np.arange(1, len(seen) + 1)
    following[offsets + ridges.counts - 1] = offsets
    after = seen[following]
    first = np.repeat(seen[offsets], ridges.counts, axis=0)
    lengths = np.linalg.norm(after - seen, axis=1)
    area = 0.5 * np.linalg.norm(np.add.reduceat(np.cross(seen - first, after - first), offsets), axis=1)
    perimeter = np.add.reduceat(lengths, offsets)
    edges = np.add.reduceat((lengths >= tolerance_angstrom).astype(np.int64), offsets)
    angle = np.add.reduceat(_triangle_angles(first, seen, after), offsets)
    return area, perimeter, edges, angle


def _triangle_angles(a: FloatArray, b: FloatArray, c: FloatArray) -> NDArray[np.float64]:
    """Compute the solid angles of triangles seen from the origin (Van Oosterom, 10.1109/TBME.1983.325207)."""
    norm_a, norm_b, norm_c = (np.linalg.norm(v, axis=1) for v in (a, b, c))
    triple = np.abs((a * np.cross(b, c)).sum(axis=1))
    down = (
        norm_a * norm_b * norm_c
        + norm_c * (a * b).sum(axis=1)
        + norm_b * (a * c).sum(axis=1)
        + norm_a * (b * c).sum(axis=1)
    )
    return np.asarray(2.0 * np.arctan2(triple, down))
