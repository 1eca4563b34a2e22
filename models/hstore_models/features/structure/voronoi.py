"""Voronoi tessellation of a whole crystal: each site's polyhedron of the points nearer to it than to any other.

One call of qhull treats all sites of the cell together with those of their images that can touch a polyhedron.
Which ones these are is not a matter of a cutoff: a polyhedron is right exactly when no atom of the crystal lies
nearer to one of its corners than the site itself. Corners that fail name the atoms that are missing, these are
added, and the tessellation is made again; a dense crystal passes at once, a pore needs a round or two.

In crystals of high symmetry more than four polyhedra meet at a corner. Where rounding errors of the coordinates
split such a corner into several, facets of almost no width lie between them. Facets narrower and edges shorter
than a tolerance are left out; it removes rounding errors and nothing else, so that counts of edges are those of
pymatgen.

Reference: Okabe, Boots, Sugihara and Chiu, Spatial Tessellations, doi 10.1002/9780470317013.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from hstore.errors import InputError
from hstore_models.features.structure.voronoi_images import CompactCell, Images, Ridges, ridges_of

if TYPE_CHECKING:
    from hstore.arrays import FloatArray, IntArray
    from hstore.crystal import Crystal

_TOLERANCE_ANGSTROM = 1e-8
"""Width of a facet and length of an edge below which they are rounding errors, angstrom."""
_VOLUME_TOLERANCE = 1e-7
_FEWEST_FACETS = 4
_QHULL_OPTIONS = ("Qbb Qc Qz", "Qc Qz", "Qc Qz C1e-9")
"""Tried in turn. About one in a thousand highly symmetric supercells is beyond the first, scipy's default: qhull
then fails to merge what is one corner and misplaces the parts."""
_HASH = np.array(
    [0x1E3779B97F4A7C15, 0x3F58476D1CE4E5B9, 0x14D049BB133111EB, 0x2545F4914F6CDD1D, 0x369DEA0F31A53F85]
)

_FACET_ARRAYS = (
    "centre",
    "other",
    "shift",
    "area_angstrom2",
    "solid_angle_sr",
    "face_distance_angstrom",
    "edges",
)


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
        return self.find(self.other, self.centre, -self.shift)

    def find(self, centre: IntArray, other: IntArray, shift: IntArray) -> IntArray:
        """Return the index of the facets between pairs of sites, -1 where they share none.

        Args:
            centre: site looked from, shape (pairs,).
            other: site on the other side, shape (pairs,).
            shift: cell of the other site, shape (pairs, 3).
        """
        order, keys = self._index
        place = np.minimum(np.searchsorted(keys, _keys(centre, other, shift)), len(keys) - 1)
        found = order[place]
        same = (self.centre[found] == centre) & (self.other[found] == other)
        return np.where(same & (self.shift[found] == shift).all(axis=1), found, -1)

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
    def _index(self) -> tuple[IntArray, IntArray]:
        keys = _keys(self.centre, self.other, self.shift)
        order = np.argsort(keys)
        return order, keys[order]


def _keys(centre: IntArray, other: IntArray, shift: IntArray) -> IntArray:
    """Return a number for each facet; overflow is meant, equal numbers are looked at again."""
    return np.asarray(np.column_stack([centre, other, shift]) @ _HASH)


def tessellate(crystal: Crystal) -> Voronoi:
    """Compute the Voronoi polyhedra of all sites of a crystal.

    Args:
        crystal: any ordered crystal, however skewed its cell and wherever in it the coordinates are.

    Raises:
        InputError: two sites coincide, or rounding errors prevent a tessellation that fills the cell.
    """
    from scipy.spatial import QhullError

    cell = CompactCell.of(crystal)
    images = Images(cell)
    cause = ""
    for options in _QHULL_OPTIONS:
        try:
            ridges, points = ridges_of(images, options)
        except QhullError as error:
            cause = str(error).strip().split("\n", 1)[0]
            continue
        voronoi = _two_sided(_facets(cell, points, ridges))
        filled = voronoi.site_volume_angstrom3.sum() / crystal.volume_angstrom3
        fewest = np.diff(voronoi.starts).min()
        if abs(filled - 1.0) < _VOLUME_TOLERANCE and fewest >= _FEWEST_FACETS:
            return voronoi
        cause = f"they fill {filled:.8g} of the cell instead of 1, one has {fewest} facets"
    raise InputError(
        f"no Voronoi polyhedra of {len(crystal)} sites in {crystal.volume_angstrom3:.6g} A^3: {cause}; look for "
        "sites that nearly coincide or an extreme cell"
    )


def _facets(cell: CompactCell, points: IntArray, ridges: Ridges) -> Voronoi:
    """Measure the facets and look at each from its sites in the cell."""
    sites = len(cell.home)
    coordinates = cell.at(points)
    near = np.where(ridges.pairs[:, 0] < sites, ridges.pairs[:, 0], ridges.pairs[:, 1])
    seen = ridges.places[ridges.corners] - np.repeat(coordinates[near], ridges.counts, axis=0)
    area, perimeter, edges, angle = _measures(seen, ridges)
    distance = 0.5 * np.linalg.norm(coordinates[ridges.pairs[:, 0]] - coordinates[ridges.pairs[:, 1]], axis=1)
    radius = np.maximum.reduceat(np.linalg.norm(seen, axis=1), ridges.offsets)
    # from both sides, where the side is a site of the cell and not an image
    rows = np.tile(np.flatnonzero((edges >= 3) & (2.0 * area >= _TOLERANCE_ANGSTROM * perimeter)), 2)
    both = np.concatenate([ridges.pairs[rows[: len(rows) // 2]], ridges.pairs[rows[: len(rows) // 2], ::-1]])
    rows, both = rows[both[:, 0] < sites], both[both[:, 0] < sites]
    centre, other = both[:, 0], points[both[:, 1], 0]
    shift = cell.given_shift(centre, other, points[both[:, 1], 1:])
    order = np.lexsort((*shift.T[::-1], other, centre))
    rows = rows[order]
    reach = np.zeros(sites)
    np.maximum.at(reach, centre[order], radius[rows])
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


def _two_sided(voronoi: Voronoi) -> Voronoi:
    """Leave out facets that are wide enough for the tolerance from one side only, by rounding errors."""
    kept = voronoi.reverse >= 0
    if kept.all():
        return voronoi
    facets = {name: getattr(voronoi, name)[kept] for name in _FACET_ARRAYS}
    return Voronoi(**facets, reach_angstrom=voronoi.reach_angstrom)


def _measures(seen: FloatArray, ridges: Ridges) -> tuple[FloatArray, FloatArray, IntArray, FloatArray]:
    """Compute area, perimeter, number of edges and solid angle of each facet.

    Args:
        seen: corners from the site the facet belongs to, shape (all corners, 3), angstrom.
        ridges: which corners belong to which facet.
    """
    offsets = ridges.offsets
    following = np.arange(1, len(seen) + 1)
    following[offsets + ridges.counts - 1] = offsets
    after = seen[following]
    first = np.repeat(seen[offsets], ridges.counts, axis=0)
    lengths = np.linalg.norm(after - seen, axis=1)
    area = 0.5 * np.linalg.norm(np.add.reduceat(np.cross(seen - first, after - first), offsets), axis=1)
    perimeter = np.add.reduceat(lengths, offsets)
    edges = np.add.reduceat((lengths >= _TOLERANCE_ANGSTROM).astype(np.int64), offsets)
    angle = np.add.reduceat(_triangle_angles(first, seen, after), offsets)
    return area, perimeter, edges, angle


def _triangle_angles(a: FloatArray, b: FloatArray, c: FloatArray) -> FloatArray:
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
