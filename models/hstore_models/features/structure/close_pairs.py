"""Pairs of sites within a cutoff for cells of some tens of atoms, for which cell lists cost more than they save.

Compiled by numba at first use and kept on disk where numba can write.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from hstore_models.compiled import compiled

if TYPE_CHECKING:
    from hstore.arrays import FloatArray, IntArray
    from hstore.crystal import Crystal
    from hstore_models.features.composition import BoolArray

_MOST_SITES = 250
"""Up to here the plain search is faster than vesin's cell lists."""


def close_pairs(
    crystal: Crystal, cutoff_angstrom: float, sites: BoolArray | None = None
) -> tuple[IntArray, IntArray, FloatArray]:
    """Return all pairs of sites closer than a cutoff, periodic images included, each pair once.

    Args:
        crystal: the crystal.
        cutoff_angstrom: largest distance, angstrom.
        sites: which sites to look at, shape (n,); all when None.

    Returns:
        Indices of the two sites, which are equal for a site and its own image, and their distances, angstrom;
        shape (pairs,) each.
    """
    places = np.arange(len(crystal)) if sites is None else np.flatnonzero(sites)
    if len(places) <= _MOST_SITES:
        first, second, distance = compiled(_search)(
            crystal.lattice_angstrom, crystal.fractional[places], float(cutoff_angstrom)
        )
    else:
        from vesin import NeighborList

        first, second, distance = NeighborList(cutoff=cutoff_angstrom, full_list=False).compute(
            points=crystal.cartesian_angstrom[places],
            box=crystal.lattice_angstrom,
            periodic=True,
            quantities="ijd",
        )
        first, second = first.astype(np.int64), second.astype(np.int64)
    return places[first], places[second], distance


def _search(  # noqa: C901 - compiled: one nest of loops
    lattice: FloatArray, fractional: FloatArray, cutoff: float
) -> tuple[IntArray, IntArray, FloatArray]:  # pragma: no cover - runs compiled
    n = len(fractional)
    reach = np.empty(3)  # cutoff in spacings of the lattice planes
    for axis in range(3):
        p, q, r = lattice[axis], lattice[(axis + 1) % 3], lattice[(axis + 2) % 3]
        x, y, z = q[1] * r[2] - q[2] * r[1], q[2] * r[0] - q[0] * r[2], q[0] * r[1] - q[1] * r[0]
        reach[axis] = cutoff * np.sqrt(x * x + y * y + z * z) / abs(x * p[0] + y * p[1] + z * p[2]) + 1e-9
    size, found = 64, 0
    pairs, distance = np.empty((2, size), np.int64), np.empty(size)
    low, high, gap = np.empty(3, np.int64), np.empty(3, np.int64), np.empty(3)
    for i in range(n):
        for j in range(i, n):
            for axis in range(3):
                gap[axis] = fractional[j, axis] - fractional[i, axis]
                low[axis] = np.int64(np.ceil(-reach[axis] - gap[axis]))
                high[axis] = np.int64(np.floor(reach[axis] - gap[axis]))
            if i == j:
                low[0] = 0  # the other half are the same pairs from the other end
            for a in range(low[0], high[0] + 1):
                for b in range(low[1], high[1] + 1):
                    if i == j and a == 0 and b < 0:
                        continue
                    for c in range(low[2], high[2] + 1):
                        if i == j and a == 0 and b == 0 and c <= 0:
                            continue
                        u, v, w = gap[0] + a, gap[1] + b, gap[2] + c
                        x = u * lattice[0, 0] + v * lattice[1, 0] + w * lattice[2, 0]
                        y = u * lattice[0, 1] + v * lattice[1, 1] + w * lattice[2, 1]
                        z = u * lattice[0, 2] + v * lattice[1, 2] + w * lattice[2, 2]
                        squared = x * x + y * y + z * z
                        if squared > cutoff * cutoff:
                            continue
                        if found == size:
                            size *= 2
                            sites, gaps = np.empty((2, size), np.int64), np.empty(size)
                            sites[:, :found], gaps[:found] = pairs, distance
                            pairs, distance = sites, gaps
                        pairs[0, found], pairs[1, found], distance[found] = i, j, np.sqrt(squared)
                        found += 1
    return pairs[0, :found], pairs[1, :found], distance[:found]
