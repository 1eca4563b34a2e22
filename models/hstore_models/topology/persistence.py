"""Persistent homology of a crystal, for each cell of the infinite crystal or of one cell glued to a torus.

The homology of one cell with its opposite faces glued together depends on the cell: of a primitive cubic cell
three edges are loops that never close, of a larger one most of them bound squares. What does not depend on it are
numbers for each cell of the infinite crystal. They are the homology over the field of fractions of the Laurent
polynomials in the three translations (Elek; Linnell, Lueck and Sauer, arXiv:1003.0434: the limit of Betti numbers
of ever larger tori over their volume). Here the translations are replaced by three fixed numbers of a field of
2^31 - 1 elements, which keeps all ranks but for one choice in some hundred millions; the counts are checked each
time. A cell of m primitive cells has every interval m times. In dimension 0 it counts the components that are
finite, like the constant terms of the periodic merge tree (Edelsbrunner and Heiss, arXiv:2408.16575).

- Dimension 0: an atom's component ends when it meets an older one or becomes endless. One interval for each atom.
- Dimension 1: loops. Born with an edge, closed by a triangle.
- Dimension 2: voids, the maxima of the distance to the nearest atom. Born when the triangle enters that cuts the
  void off from a larger one or from an endless channel, closed by a tetrahedron, at the radius of the void.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from hstore.errors import InputError
from hstore_models.topology.reduction import PRIME, pivots
from hstore_models.topology.union import Merging, endless_components, join

if TYPE_CHECKING:
    from hstore.arrays import FloatArray, IntArray
    from hstore_models.topology.alpha import AlphaComplex

_TWIST = (1_270_459_427, 864_198_161, 1_713_092_783)
"""What stands for the three translations; any numbers would do."""


@dataclass(frozen=True, eq=False)
class Intervals:
    """The features of one dimension, in the order of their birth."""

    birth_angstrom: FloatArray
    """Radius of the balls at which each appears, shape (m,), angstrom."""
    death_angstrom: FloatArray
    """Radius at which each vanishes, shape (m,), angstrom; infinite where it never does."""
    birth_simplex: IntArray
    """Index of the simplex, of the same dimension, that makes it, shape (m,)."""
    death_simplex: IntArray
    """Index of the simplex, of one dimension more, that ends it, shape (m,); -1 where none does."""

    @property
    def lifetime_angstrom(self) -> FloatArray:
        """Death minus birth, shape (m,), angstrom."""
        return np.asarray(self.death_angstrom - self.birth_angstrom)

    def __len__(self) -> int:
        """Return the number of features."""
        return len(self.birth_angstrom)


@dataclass(frozen=True, eq=False)
class Persistence:
    """Features of the balls around the atoms of a crystal as they grow."""

    complex: AlphaComplex
    """What it was computed from."""
    intervals: tuple[Intervals, Intervals, Intervals]
    """Components, loops and voids in one cell of the infinite crystal."""
    hop_angstrom: FloatArray
    """Length of the longest hop of the easiest endless path from atom to atom, endless in 1, 2 and 3 dimensions,
    shape (3,), angstrom; a component that hops at most so far is endless."""
    channel_radius_angstrom: FloatArray
    """Radius, from the centres of atoms, of the narrowest place of the widest endless channel, in 1, 2 and 3
    dimensions, shape (3,), angstrom."""

    def betti(self, radius_angstrom: float) -> tuple[int, int, int]:
        """Return the finite components, the loops and the voids for each cell that are there at a radius."""
        zero, one, two = (
            int(((i.birth_angstrom <= radius_angstrom) & (radius_angstrom < i.death_angstrom)).sum())
            for i in self.intervals
        )
        return zero, one, two

    def channels(self, radius_angstrom: float) -> tuple[float, float, int]:
        """Count the separate endless channels in which every place is farther than a radius from all atoms.

        Args:
            radius_angstrom: from the centres of atoms.

        Returns:
            Channels along one direction for each nm^2 across, layers for each nm along their normal, and nets that
            reach in all three dimensions.
        """
        order, ends, shifts, voids = _void_links(self.complex)
        wide = int((self.complex.simplices[2].radius_angstrom[order] > radius_angstrom).sum())
        found = join(len(voids), ends[:wide], shifts[:wide], endless_die=False)
        lines, layers, nets = endless_components(found, self.complex.lattice)
        return 100 * lines, 10 * layers, nets


def persistence_of(found: AlphaComplex) -> Persistence:
    """Compute the features of the infinite crystal, for each cell.

    Raises:
        InputError: rounding errors spoil the counts, which has not been seen.
    """
    paths, links = _components(found, endless_die=True)
    hollow, _, voids = _hollow(found, endless_die=True)
    zero = _zero(found, paths, links)
    two = _two(found, hollow, voids)
    one = _loops(found, zero.death_simplex, two.birth_simplex, twist=_TWIST)
    vertices, edges, triangles, tetrahedra = (len(s) for s in found.simplices)
    if (len(zero), len(one), len(two)) != (vertices, edges - vertices, tetrahedra) or (
        one.death_simplex < 0
    ).any():
        raise InputError(
            f"{len(zero)} components, {len(one)} loops and {len(two)} voids do not fit a complex of {vertices} "
            f"vertices, {edges} edges, {triangles} triangles and {tetrahedra} tetrahedra; move the atoms a little"
        )
    return Persistence(
        found,
        (zero, one, two),
        2 * _radii(found, 1, paths.first_link, links),
        _radii(found, 2, hollow.first_link, _void_links(found)[0]),
    )


def voids_of(found: AlphaComplex) -> Intervals:
    """Return the voids alone, which are found much sooner than loops."""
    hollow, _, voids = _hollow(found, endless_die=True)
    return _two(found, hollow, voids)


def torus_persistence(found: AlphaComplex) -> tuple[Intervals, Intervals, Intervals, Intervals]:
    """Compute the features of one cell with its opposite faces glued together, dimensions 0 to 3.

    1, 3, 3 and 1 of them never end: those of the torus itself.
    """
    paths, links = _components(found, endless_die=False)
    hollow, _, voids = _hollow(found, endless_die=False)
    zero, two = _zero(found, paths, links), _two(found, hollow, voids)
    loops = _loops(found, zero.death_simplex, two.birth_simplex, twist=(1, 1, 1))
    open_loops = loops.death_simplex < 0
    used = np.concatenate([two.birth_simplex, loops.death_simplex[~open_loops]])
    shells = np.setdiff1d(np.arange(len(found.simplices[2])), used)
    last = np.setdiff1d(np.arange(len(found.simplices[3])), two.death_simplex)
    return (
        _with_endless(found, zero, 0, np.setdiff1d(np.arange(len(found.home)), zero.birth_simplex)),
        loops,
        _with_endless(found, two, 2, shells),
        _with_endless(found, _none(), 3, last),
    )


def _none() -> Intervals:
    return Intervals(np.empty(0), np.empty(0), np.empty(0, np.int64), np.empty(0, np.int64))


def _with_endless(found: AlphaComplex, some: Intervals, dimension: int, simplices: IntArray) -> Intervals:
    count = len(simplices)
    return Intervals(
        np.concatenate([some.birth_angstrom, found.simplices[dimension].radius_angstrom[simplices]]),
        np.concatenate([some.death_angstrom, np.full(count, np.inf)]),
        np.concatenate([some.birth_simplex, simplices]),
        np.concatenate([some.death_simplex, np.full(count, -1)]),
    )


def _entry_order(found: AlphaComplex, dimension: int) -> IntArray:
    """Return the simplices of a dimension in the order in which they enter."""
    return np.argsort(found.simplices[dimension].radius_angstrom, kind="stable")


def _components(found: AlphaComplex, *, endless_die: bool) -> tuple[Merging, IntArray]:
    order = _entry_order(found, 1)
    edges = found.simplices[1]
    merging = join(len(found.home), edges.atoms[order], edges.cells[order, 1], endless_die=endless_die)
    return merging, order


def _void_links(found: AlphaComplex) -> tuple[IntArray, IntArray, IntArray, IntArray]:
    """Return the triangles from the last to the first, and what they join.

    Returns:
        The triangles, the two tetrahedra each joins (numbered from the widest), the cell of the second where the
        first is in cell 0, and the tetrahedra in that numbering.
    """
    order = _entry_order(found, 2)[::-1]
    voids = _entry_order(found, 3)[::-1]
    number = np.empty(len(voids), np.int64)
    number[voids] = np.arange(len(voids))
    tetrahedra = found.simplices[3]
    cell = np.zeros((len(tetrahedra), 4, 3), np.int64)
    cell[:, 0] = tetrahedra.cells[:, 1]
    sides = np.argsort(tetrahedra.faces.ravel(), kind="stable").reshape(-1, 2)
    ends = number[sides // 4]
    shifts = cell.reshape(-1, 3)[sides]
    return order, ends[order], (shifts[:, 0] - shifts[:, 1])[order], voids


def _hollow(found: AlphaComplex, *, endless_die: bool) -> tuple[Merging, IntArray, tuple[IntArray, IntArray]]:
    order, ends, shifts, voids = _void_links(found)
    return join(len(voids), ends, shifts, endless_die=endless_die), ends, (order, voids)


def _zero(found: AlphaComplex, merging: Merging, order: IntArray) -> Intervals:
    ending = merging.dies >= 0
    edges = order[ending]
    radius = found.simplices[1].radius_angstrom[edges]
    return Intervals(np.zeros(len(edges)), radius, merging.dies[ending], edges)


def _two(found: AlphaComplex, merging: Merging, order: tuple[IntArray, IntArray]) -> Intervals:
    triangles, voids = order
    ending = np.flatnonzero(merging.dies >= 0)[::-1]
    born, dead = triangles[ending], voids[merging.dies[ending]]
    return Intervals(
        found.simplices[2].radius_angstrom[born], found.simplices[3].radius_angstrom[dead], born, dead
    )


def _loops(found: AlphaComplex, joining: IntArray, cutting: IntArray, *, twist: tuple[int, int, int]) -> Intervals:
    """Pair the edges that close loops with the triangles that fill them."""
    edges, triangles = found.simplices[1], found.simplices[2]
    makes = np.ones(len(edges), dtype=bool)
    makes[joining] = False
    fills = np.ones(len(triangles), dtype=bool)
    fills[cutting] = False
    order = _entry_order(found, 1)
    born = order[makes[order]]
    filling = _entry_order(found, 2)
    filling = filling[fills[filling]]
    row = np.full(len(edges), -1, np.int64)
    row[born] = np.arange(len(born))
    coefficients = np.empty((len(filling), 3), np.int64)
    coefficients[:, 0] = _powers(triangles.cells[filling, 1], twist)
    coefficients[:, 1], coefficients[:, 2] = PRIME - 1, 1
    lowest = pivots(row[triangles.faces[filling]], coefficients, len(born))
    death = np.full(len(born), -1, np.int64)
    death[lowest[lowest >= 0]] = filling[lowest >= 0]
    radius = np.where(death >= 0, triangles.radius_angstrom[death], np.inf)
    return Intervals(edges.radius_angstrom[born], radius, born, death)


def _powers(cells: IntArray, twist: tuple[int, int, int]) -> IntArray:
    """Return the number that stands for each translation, shape (m,)."""
    powers = np.ones(len(cells), np.int64)
    for axis, base in enumerate(twist):
        low, high = int(cells[:, axis].min(initial=0)), int(cells[:, axis].max(initial=0))
        table = np.array([pow(base, power, PRIME) for power in range(low, high + 1)], np.int64)
        powers = powers * table[cells[:, axis] - low] % PRIME
    return powers


def _radii(found: AlphaComplex, dimension: int, links: IntArray, order: IntArray) -> FloatArray:
    return np.asarray(found.simplices[dimension].radius_angstrom[order[links]])
