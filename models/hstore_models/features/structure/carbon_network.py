"""Carbon as a surface: the network of three-bonded atoms, the side it faces, and its rings.

A sheet of sp2 carbon is a graph whose vertices have three neighbours. Once each vertex has a normal, all pointing
to the same side, the neighbours have an order around it, and walking along bonds, always turning the same way,
closes the rings of the surface. Rings are those of the surface as it lies in space, found without a search through
the graph, and for a closed surface the sum of (6 - n) over its rings is six times its Euler characteristic.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from hstore.errors import InputError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from hstore.arrays import FloatArray, IntArray
    from hstore_models.features.structure.geometry import Geometry

BOND_MOST_ANGSTROM = 1.85
"""Carbon atoms nearer than this are bonded: the longest strained single bonds are 1.8 angstrom (Schreiner et al.
2011, doi 10.1038/nature10367), and no two carbon atoms that are not bonded come nearer than 2.2."""
LARGEST_RING = 12
"""Larger circuits are edges of the sheet, or holes in it."""

_CARBON = 6
_SHEET = 3
"""Bonds of an atom of a sheet."""


@dataclass(frozen=True, eq=False)
class CarbonNetwork:
    """Carbon atoms of a crystal and their bonds; other elements are left out.

    Atoms count from 0 among the carbon atoms. A bond stands twice, once from each end; the half-bonds of an atom
    stand together.
    """

    sites: IntArray
    """Site of each atom in the crystal, shape (atoms,)."""
    degree: IntArray
    """Bonds of each atom, shape (atoms,)."""
    start: IntArray
    """Atom a half-bond leaves, shape (half-bonds,); ascending."""
    end: IntArray
    """Atom it leads to, shape (half-bonds,)."""
    shift: IntArray
    """Cell of that atom in lattice vectors, shape (half-bonds, 3)."""
    vector_angstrom: FloatArray
    """From the one to the other, shape (half-bonds, 3), angstrom."""

    @classmethod
    def of(cls, geometry: Geometry) -> CarbonNetwork:
        """Find the bonds between the carbon atoms of a crystal.

        Raises:
            InputError: there are none.
        """
        carbon = geometry.crystal.numbers == _CARBON
        pairs = geometry.neighbours(BOND_MOST_ANGSTROM)
        kept = carbon[pairs.centre] & carbon[pairs.other]
        if not kept.any():
            raise InputError(
                f"no two carbon atoms are nearer than {BOND_MOST_ANGSTROM} A: curvature is that of carbon sheets"
            )
        atom = np.cumsum(carbon) - 1
        start, end = atom[pairs.centre[kept]], atom[pairs.other[kept]]
        return cls(
            np.flatnonzero(carbon),
            np.bincount(start, minlength=int(carbon.sum())),
            start,
            end,
            np.asarray(pairs.shift[kept], dtype=np.int64),
            np.asarray(pairs.vector_angstrom[kept]),
        )

    def __len__(self) -> int:
        """Return the number of carbon atoms."""
        return len(self.sites)

    @cached_property
    def in_sheet(self) -> NDArray[np.bool_]:
        """Atoms with three bonds, shape (atoms,)."""
        return np.asarray(self.degree == _SHEET)

    @cached_property
    def first(self) -> IntArray:
        """First half-bond of each atom, shape (atoms,)."""
        return np.cumsum(self.degree) - self.degree

    @cached_property
    def triples(self) -> IntArray:
        """The three half-bonds of each atom with three, in the order around its normal, shape (in sheet, 3)."""
        triples = self.first[self.in_sheet][:, None] + np.arange(_SHEET)
        turned = self._sides < 0
        triples[turned] = triples[turned][:, ::-1]
        return triples

    @cached_property
    def normals(self) -> FloatArray:
        """Unit normal of each atom, perpendicular to the plane of its three neighbours, shape (atoms, 3).

        All of one sheet point to the same side; NaN for atoms with other than three bonds.

        Raises:
            InputError: a sheet has one side only, or is folded so sharply that its sides cannot be told apart.
        """
        normals = np.full((len(self), 3), np.nan)
        normals[self.in_sheet] = self._sides[:, None] * self._raw
        return normals

    @cached_property
    def _raw(self) -> FloatArray:
        """Unit normals of atoms with three bonds, each to a side of its own, shape (in sheet, 3)."""
        triples = self.first[self.in_sheet][:, None] + np.arange(_SHEET)
        one, two, three = (self.vector_angstrom[triples[:, place]] for place in range(_SHEET))
        across = np.cross(two - one, three - one)
        length = np.linalg.norm(across, axis=1)
        if (length < 1e-6).any():
            site = self.sites[self.in_sheet][np.argmin(length)]
            raise InputError(f"the three neighbours of carbon atom {site} lie on a line, which is no surface")
        return np.asarray(across / length[:, None])

    @cached_property
    def _sides(self) -> FloatArray:
        """1 or -1 for each atom with three bonds, such that all normals of a sheet point to the same side."""
        from scipy.sparse import coo_array
        from scipy.sparse.csgraph import breadth_first_order, connected_components

        place = np.cumsum(self.in_sheet) - 1
        inner = self.in_sheet[self.start] & self.in_sheet[self.end]
        one, two = place[self.start[inner]], place[self.end[inner]]
        agree = np.sign(np.einsum("ij,ij->i", self._raw[one], self._raw[two]))
        count = int(self.in_sheet.sum())
        graph = coo_array((np.ones(len(one)), (one, two)), shape=(count, count)).tocsr()
        number, sheet = connected_components(graph, directed=False)
        sides = np.ones(count)
        # One half-bond for each pair of atoms, in the order in which a search for it by bisection finds it.
        key = one * count + two
        order = np.argsort(key, kind="stable")
        for root in np.unique(sheet, return_index=True)[1][:number]:
            nodes, before = breadth_first_order(graph, root, directed=False)
            for node in nodes[1:]:
                bond = order[np.searchsorted(key, before[node] * count + node, sorter=order)]
                sides[node] = sides[before[node]] * agree[bond]
        against = sides[one] * sides[two] * agree <= 0
        if against.any():
            sites = self.sites[self.in_sheet]
            bad = int(np.flatnonzero(against)[0])
            raise InputError(
                f"the sides of the carbon sheet cannot be told apart at atoms {sites[one[bad]]} and "
                f"{sites[two[bad]]}: it has one side only, or is folded too sharply there"
            )
        return sides

    @cached_property
    def sheets(self) -> IntArray:
        """Number of the sheet of each atom, from 0, shape (atoms,); atoms of one sheet are joined by bonds."""
        from scipy.sparse import coo_array
        from scipy.sparse.csgraph import connected_components

        ones = np.ones(len(self.start))
        graph = coo_array((ones, (self.start, self.end)), shape=(len(self), len(self)))
        return np.asarray(connected_components(graph, directed=False)[1], dtype=np.int64)

    @cached_property
    def rings(self) -> IntArray:
        """Sizes of the rings of the sheets in a cell, ascending, shape (rings,).

        Raises:
            InputError: an atom has more than three bonds, or sides cannot be told apart.
        """
        if (self.degree > _SHEET).any():
            site = self.sites[np.argmax(self.degree)]
            raise InputError(
                f"carbon atom {site} has {self.degree.max()} bonds; rings are those of sheets, of three"
            )
        sizes, moves = self._circuits
        closed = (moves == 0).all(axis=1) & (sizes <= LARGEST_RING) & (sizes > 2)
        return np.sort(sizes[closed])

    @property
    def euler_characteristic(self) -> int:
        """Atoms less bonds plus rings, in a cell: 2 for a closed cage, 0 for a tube or a periodic sheet."""
        return len(self) - len(self.start) // 2 + len(self.rings)

    @property
    def closed(self) -> bool:
        """Whether every atom has three bonds and every circuit is a ring."""
        return bool(self.in_sheet.all()) and int(self.rings.sum()) == len(self.start)

    @cached_property
    def areas_a2(self) -> FloatArray:
        """Share of each atom in the rings around it, shape (atoms,), angstrom^2; NaN where one is no ring.

        A ring is cut into triangles from its middle, so that the shares add up to the area of the sheet.
        """
        sizes, moves = self._circuits
        is_ring = (moves == 0).all(axis=1) & (sizes <= LARGEST_RING) & (sizes > 2)
        circuit, count = self._circuit, len(self.start)
        place, middle = np.zeros((count, 3)), np.zeros((count, 3))
        walker = np.arange(count)
        for step in range(int(sizes[is_ring].max(initial=0))):
            on = is_ring[circuit] & (step < sizes[circuit])
            middle[on] += place[on]
            place += self.vector_angstrom[walker]
            walker = self._following[walker]
        middle /= sizes[circuit][:, None]
        halves = 0.25 * np.linalg.norm(np.cross(self.vector_angstrom, middle), axis=1)
        halves[~is_ring[circuit]] = np.nan
        return np.asarray(
            np.bincount(self.start, halves, len(self)) + np.bincount(self.end, halves, len(self)), dtype=np.float64
        )

    @cached_property
    def _following(self) -> IntArray:
        """Next half-bond of the circuit of each, which turns the same way at every atom, shape (half-bonds,)."""
        after = np.arange(len(self.start))  # next half-bond around the atom it leaves
        two = self.first[self.degree == 2]
        after[two], after[two + 1] = two + 1, two
        after[self.triples] = np.roll(self.triples, -1, axis=1)
        return np.asarray(after[self._reverse])

    @cached_property
    def _circuit(self) -> IntArray:
        """Number of the circuit of each half-bond, from 0, shape (half-bonds,)."""
        from scipy.sparse import coo_array
        from scipy.sparse.csgraph import connected_components

        count = len(self.start)
        graph = coo_array((np.ones(count), (np.arange(count), self._following)), shape=(count, count))
        return np.asarray(connected_components(graph, directed=False)[1], dtype=np.int64)

    @cached_property
    def _circuits(self) -> tuple[IntArray, IntArray]:
        """Length of each circuit and the cells it has moved by when it closes, shapes (c,) and (c, 3)."""
        number = int(self._circuit.max(initial=-1)) + 1
        moves = np.zeros((number, 3), dtype=np.int64)
        np.add.at(moves, self._circuit, self.shift)
        return np.bincount(self._circuit, minlength=number), moves

    @cached_property
    def _reverse(self) -> IntArray:
        """The same bond from its other end, shape (half-bonds,)."""
        forth = np.column_stack([self.start, self.end, self.shift])
        back = np.column_stack([self.end, self.start, -self.shift])
        reverse = np.empty(len(forth), dtype=np.int64)
        reverse[np.lexsort(back.T[::-1])] = np.lexsort(forth.T[::-1])
        return reverse
