"""Invariants of crystals that tell different structures apart quickly: average minimum distances.

For each atom of the cell the distances to its k nearest neighbours in the whole crystal are sorted; their mean
over the atoms is the vector AMD(k). It does not depend on the choice of cell, origin, orientation or order of
the sites, and moves by at most twice the largest displacement of an atom (Widdowson, Mosca, Pulido, Cooper and
Kurlin, MATCH 87, 529 (2022), 10.46793/match.87-3.529W; the rows before averaging are the pointwise distance
distribution of Widdowson and Kurlin, arXiv:2108.04798). Written from these papers.

Positions alone do not see which element sits where, so a :class:`Fingerprint` holds the distances of the whole
crystal and of each element's sublattice.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from hstore.errors import InputError

if TYPE_CHECKING:
    from hstore.arrays import FloatArray
    from hstore.crystal import Crystal

NEIGHBOURS = 100
"""Number of nearest neighbours looked at."""

KEPT_NEIGHBOURS = (1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64, 80, 100)
"""Neighbours whose distances a fingerprint keeps: those between them add little."""

_REDUCTION_ROUNDS = 100
_SHORTER = 1.0 - 1e-12
_MARGIN = 1.25
"""Factor on the radius in which that many points are expected, so that one look mostly suffices."""
_ROUNDING = 1.0 + 1e-9
_MAX_IMAGES = 5_000_000


@dataclass(frozen=True, eq=False)
class Fingerprint:
    """What is compared first between two crystals of equal composition."""

    volume_angstrom3: float
    """Volume per atom, cubic angstrom."""
    distances: FloatArray
    """Logarithms of 1 + average minimum distance / cube root of the volume per atom, shape ((1 + e) * kept,).

    First those of the whole crystal, then those of each of the e elements' sublattices in the order of atomic
    numbers; a crystal of one element has those of the whole only (e = 0). Scaling the crystal changes nothing,
    and straining it changes distances near and far alike."""

    def volume_difference_to(self, other: Fingerprint) -> float:
        """Return the larger volume per atom over the smaller one, minus 1."""
        volumes = (self.volume_angstrom3, other.volume_angstrom3)
        return max(volumes) / min(volumes) - 1.0

    def distance_to(self, other: Fingerprint) -> float:
        """Return the largest difference of any entry; infinite between crystals of other elements."""
        if self.distances.shape != other.distances.shape:
            return float("inf")
        return float(np.max(np.abs(self.distances - other.distances)))


def fingerprint(crystal: Crystal) -> Fingerprint:
    """Return the fingerprint of a crystal.

    Raises:
        InputError: the cell is so flat or so large that its neighbours cannot be listed.
    """
    lattice, points = _reduced(crystal.lattice_angstrom, crystal.fractional)
    volume = crystal.volume_angstrom3 / len(crystal)
    numbers = np.unique(crystal.numbers)
    sublattices = [crystal.numbers == number for number in numbers] if len(numbers) > 1 else []
    parts = [_distances(lattice, points[mask], NEIGHBOURS).mean(axis=0) for mask in (slice(None), *sublattices)]
    kept = np.asarray(KEPT_NEIGHBOURS) - 1
    return Fingerprint(volume, np.log1p(np.concatenate([part[kept] for part in parts]) / np.cbrt(volume)))


def average_minimum_distances(
    lattice_angstrom: FloatArray, fractional: FloatArray, *, k: int = NEIGHBOURS
) -> FloatArray:
    """Return the mean distance to the first, second, ... k-th neighbour, shape (k,), angstrom.

    Args:
        lattice_angstrom: cell vectors in rows, shape (3, 3), angstrom.
        fractional: fractional coordinates of the points, shape (n, 3).
        k: number of neighbours.

    Raises:
        InputError: the cell is so flat or so large that its neighbours cannot be listed.
    """
    return np.asarray(pointwise_distances(lattice_angstrom, fractional, k=k).mean(axis=0))


def pointwise_distances(
    lattice_angstrom: FloatArray, fractional: FloatArray, *, k: int = NEIGHBOURS
) -> FloatArray:
    """Return the distances of each point to its k nearest neighbours, ascending, shape (n, k), angstrom.

    Args:
        lattice_angstrom: cell vectors in rows, shape (3, 3), angstrom.
        fractional: fractional coordinates of the points, shape (n, 3).
        k: number of neighbours; periodic images count, the point itself does not.

    Raises:
        InputError: the cell is so flat or so large that its neighbours cannot be listed.
    """
    return _distances(*_reduced(lattice_angstrom, fractional), k)


def _distances(lattice: FloatArray, points: FloatArray, k: int) -> FloatArray:
    from scipy.spatial import KDTree

    volume = abs(float(np.linalg.det(lattice)))
    radius = _MARGIN * float(np.cbrt(3 * (k + 1) * volume / (4 * np.pi * len(points))))
    centres = points @ lattice
    while True:
        crowd = _points_within(lattice, points, radius)
        if len(crowd) <= k:
            radius *= _MARGIN
            continue
        distances, _ = KDTree(crowd).query(centres, k=k + 1)
        farthest = float(distances[:, -1].max())
        if farthest <= radius:
            return np.asarray(distances[:, 1:])
        radius = farthest * _ROUNDING  # among more points the k-th neighbour can only be nearer


def _reduced(lattice: FloatArray, fractional: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return the same crystal in a compact cell, with coordinates in [0, 1).

    Each vector is shortened by whole multiples of each other one as long as that helps, so that few images
    need to be looked at even where the cell given is very skewed.
    """
    cell = np.array(lattice, dtype=float)
    for _ in range(_REDUCTION_ROUNDS):
        if not _shorten(cell):
            break
    places = fractional @ np.rint(lattice @ np.linalg.inv(cell))
    return cell, places - np.floor(places)


def _shorten(cell: FloatArray) -> bool:
    """Shorten the vectors of a cell in place, where whole multiples of another one allow it."""
    changed = False
    for i, j in ((0, 1), (1, 0), (0, 2), (2, 0), (1, 2), (2, 1)):
        times = round(float(cell[i] @ cell[j]) / float(cell[j] @ cell[j]))
        shorter = cell[i] - times * cell[j]
        if shorter @ shorter < (cell[i] @ cell[i]) * _SHORTER:
            cell[i] = shorter
            changed = True
    return changed


def _points_within(lattice: FloatArray, points: FloatArray, radius: float) -> FloatArray:
    """Return all images of the points that may be closer than a radius to one in the cell, shape (m, 3)."""
    reach = radius * np.linalg.norm(np.linalg.inv(lattice), axis=0)  # in units of the distance of lattice planes
    low, high = points.min(axis=0) - reach, points.max(axis=0) + reach
    first, last = np.floor(low), np.ceil(high)
    images = float(np.prod(last - first)) * len(points)
    if images > _MAX_IMAGES:
        raise InputError(
            f"{images:.2g} points would have to be looked at to find the neighbours of {len(points)}; "
            "the cell is too flat or too large, correct it"
        )
    shifts = np.indices((last - first).astype(int)).reshape(3, 1, -1).T + first
    every = (points + shifts).reshape(-1, 3)
    inside = ((every >= low) & (every <= high)).all(axis=1)
    return np.asarray(every[inside] @ lattice)
