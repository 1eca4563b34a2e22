"""Components of a growing periodic set: which merge, and in which directions each is endless.

A component is kept together with the lattice of the translations that lead from it back to itself. Loops that need
another translation make it endless in one, two or three dimensions.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from hstore_models.compiled import compiled

if TYPE_CHECKING:
    from hstore.arrays import FloatArray, IntArray


_FEW_LINKS = 3000


class Merging(NamedTuple):
    """What joining nodes one link after another did."""

    dies: IntArray
    """For each link the node whose component it ends, -1 where it ends none, shape (links,)."""
    first_link: IntArray
    """First link that makes a component endless in 1, 2 and 3 dimensions, -1 where none does, shape (3,)."""
    roots: IntArray
    """A node that stands for the component of each node at the end, shape (nodes,)."""
    windings: IntArray
    """Basis (rows, triangular) of the translations of the component each node stands for, shape (nodes, 3, 3)."""


def join(nodes: int, ends: IntArray, shifts: IntArray, *, endless_die: bool) -> Merging:
    """Join nodes by links, in the order of the links.

    Of two components the one whose first node comes later in the numbering ends; nodes are numbered by age.

    Args:
        nodes: number of nodes in the cell.
        ends: nodes that each link joins, shape (links, 2).
        shifts: cell of the second node where the first one is in cell 0, shape (links, 3).
        endless_die: count components of the infinite set for each cell: one that becomes endless ends, for there
            is none of it in a finite volume, and one that meets an endless component ends. Otherwise components of
            one cell with opposite faces glued together.
    """
    # numba takes a second to load: a few links are joined before that without it
    plain = len(ends) <= _FEW_LINKS and "numba" not in sys.modules
    dies, first, roots, windings = (_join if plain else compiled(_join))(
        nodes, np.ascontiguousarray(ends, np.int64), np.ascontiguousarray(shifts, np.int64), endless_die
    )
    return Merging(dies, first, roots, windings)


def endless_components(merging: Merging, lattice: FloatArray) -> tuple[float, float, int]:
    """Count separate endless components of the infinite set.

    Args:
        merging: of the nodes that are there.
        lattice: cell vectors in rows, shape (3, 3), angstrom.

    Returns:
        Those endless in one dimension for each angstrom^2 across, those endless in two for each angstrom along
        their normal, and those endless in three, which all are everywhere.
    """
    volume = abs(float(np.linalg.det(lattice)))
    lines = layers = 0.0
    nets = 0
    for root in np.unique(merging.roots):
        basis = merging.windings[root]
        rows = basis[np.diagonal(basis) != 0]
        if len(rows) == 1:
            lines += float(np.linalg.norm(rows[0] @ lattice)) / volume
        elif len(rows) == 2:
            layers += float(np.linalg.norm(np.cross(*(rows @ lattice)))) / volume
        elif len(rows) == 3:
            nets += int(abs(np.prod(np.diagonal(basis))))
    return lines, layers, nets


def _join(  # noqa: C901, PLR0912, PLR0915 - compiled: one loop
    nodes: int, ends: IntArray, shifts: IntArray, endless_die: bool
) -> tuple[IntArray, IntArray, IntArray, IntArray]:  # pragma: no cover - runs compiled
    parent = np.arange(nodes)
    place = np.zeros((nodes, 3), np.int64)  # cell of a node where its parent is in cell 0
    oldest = np.arange(nodes)
    windings = np.zeros((nodes, 3, 3), np.int64)
    ranks = np.zeros(nodes, np.int64)
    dies = np.full(len(ends), -1, np.int64)
    first = np.full(3, -1, np.int64)
    at = np.zeros((2, 3), np.int64)
    root = np.zeros(2, np.int64)
    vector = np.zeros(3, np.int64)
    rows = np.zeros((3, 3), np.int64)
    for link in range(len(ends)):
        for side in range(2):
            node = ends[link, side]
            for k in range(3):
                at[side, k] = 0
            top = node
            while parent[top] != top:
                for k in range(3):
                    at[side, k] += place[top, k]
                top = parent[top]
            root[side] = top
            # hang all nodes on the way directly below the root
            for k in range(3):
                vector[k] = at[side, k]
            while parent[node] != node:
                above = parent[node]
                for k in range(3):
                    step = place[node, k]
                    place[node, k] = vector[k]
                    vector[k] -= step
                parent[node] = top
                node = above
        a, b = root[0], root[1]
        was_endless = ranks[a] > 0
        count = 0
        if a == b:
            for k in range(3):
                rows[0, k] = at[1, k] + shifts[link, k] - at[0, k]
            count = 1
        else:
            if not (endless_die and (ranks[a] > 0 or ranks[b] > 0)):
                dies[link] = max(oldest[a], oldest[b])
            elif ranks[a] == 0:
                dies[link] = oldest[a]
            elif ranks[b] == 0:
                dies[link] = oldest[b]
            was_endless = ranks[a] > 0 or ranks[b] > 0
            parent[b] = a
            for k in range(3):
                place[b, k] = at[0, k] - at[1, k] - shifts[link, k]
            oldest[a] = min(oldest[a], oldest[b])
            for k in range(3):
                if windings[b, k, k] != 0:
                    rows[count] = windings[b, k]
                    count += 1
        for r in range(count):
            for k in range(3):
                vector[k] = rows[r, k]
            for k in range(3):
                if vector[k] == 0:
                    continue
                if windings[a, k, k] == 0:
                    for m in range(3):
                        windings[a, k, m] = vector[m]
                    ranks[a] += 1
                    break
                while vector[k] != 0:
                    quotient = windings[a, k, k] // vector[k]
                    for m in range(3):
                        rest = windings[a, k, m] - quotient * vector[m]
                        windings[a, k, m] = vector[m]
                        vector[m] = rest
        if a == b and endless_die and ranks[a] > 0 and not was_endless:
            dies[link] = oldest[a]
        for k in range(ranks[a]):
            if first[k] < 0:
                first[k] = link
    roots = np.empty(nodes, np.int64)
    for node in range(nodes):
        top = node
        while parent[top] != top:
            top = parent[top]
        roots[node] = top
    return dies, first, roots, windings
