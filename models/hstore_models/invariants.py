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
_MARGIN = 1.25
_MAX_POINTS = 5_000_000


@dataclass(frozen=True, eq=False)
class Fingerprint:
    """What is compared first between two crystals of equal composition."""

    volume_angstrom3: float
    """Volume per atom, cubic angstrom."""
    distances: FloatArray
    """Average minimum distances over the cube root of the volume per atom, shape ((1 + elements) * kept,).

    First those of the whole crystal, then those of each element's sublattice in the order of atomic numbers."""

    def volume_difference(self, other: Fingerprint) -> float:
        """Return the difference of the volumes per atom over the smaller one."""
        low, high = sorted((self.volume_angstrom3, other.volume_angstrom3))
        return high / low - 1.0

    def distance(self, other: Fingerprint) -> float:
        """Return the largest relative difference of any distance; infinite for other elements."""
        if self.distances.shape != other.distances.shape:
            return float("inf")
        return float(np.max(np.abs(self.distances - other.distances)))


def fingerprint(crystal: Crystal) -> Fingerprint:
    """Return the fingerprint of a crystal.

    Raises:
        InputError: the cell is so distorted that its neighbours cannot be listed.
    """
    volume = crystal.volume_angstrom3 / len(crystal)
    parts = [average_minimum_distances(crystal.lattice_angstrom, crystal.fractional)]
    numbers = np.unique(crystal.numbers)
    if len(numbers) > 1:
        parts += [
            average_minimum_distances(crystal.lattice_angstrom, crystal.fractional[crystal.numbers == number])
            for number in numbers
        ]
    kept = np.asarray(KEPT_NEIGHBOURS) - 1
    return Fingerprint(volume, np.concatenate([part[kept] for part in parts]) / np.cbrt(volume))


def average_minimum_distances(lattice_angstrom: FloatArray, fractional: FloatArray, *, k: int = NEIGHBOURS) -> FloatArray:
    """Return the mean distance to the first, second, ... k-th neighbour, shape (k,), angstrom.

    Args:
        lattice_angstrom: cell vectors in rows, shape (3, 3), angstrom.
        fractional: fractional coordinates of the points, shape (n, 3).
        k: number of neighbours.
    """
    return np.asarray(pointwise_distances(lattice_angstrom, fractional, k=k).mean(axis=0))


def pointwise_distances(lattice_angstrom: FloatArray, fractional: FloatArray, *, k: int = NEIGHBOURS) -> FloatArray:
    """Return the distances of each point to its k nearest neighbours, ascending, shape (n, k), angstrom.

    Args:
        lattice_angstrom: cell vectors in rows, shape (3, 3), angstrom.
        fractional: fractional coordinates of the points, shape (n, 3).
        k: number of neighbours; periodic images count, the point itself does not.

    Raises:
        InputError: the cell is so distorted that its neighbours cannot be listed.
    """
    from scipy.spatial import KDTree

    lattice, points = _reduced(lattice_angstrom, fractional)
    volume = abs(float(np.linalg.det(lattice)))
    radius = _MARGIN * float(np.cbrt(3 * (k + 1) * volume / (4 * np.pi * len(points))))
    centres = points @ lattice
    while True:
        crowd = _points_within(lattice, points, radius)
        if len(crowd) > k:
            distances, _ = KDTree(crowd).query(centres, k=k + 1)
            farthest = float(distances[:, -1].max())
            if farthest <= radius:
                return np.asarray(distances[:, 1:])
            radius = farthest * (1 + 1e-9)  # no neighbour sought is farther: what was found is an upper bound
        else:
            radius *= _MARGIN


def _reduced(lattice: FloatArray, fractional: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return the same crystal in a compact cell, with coordinates in [0, 1).

    Each vector is shortened by whole multiples of each other one as long as that helps, so that few images
    need to be looked at even where the cell given is very skewed.
    """
    cell = np.array(lattice, dtype=float)
    for _ in range(_REDUCTION_ROUNDS):
        changed = False
        for i in range(3):
            for j in range(3):
                if i != j and (times := round(float(cell[i] @ cell[j]) / float(cell[j] @ cell[j]))):
                    shorter = cell[i] - times * cell[j]
                    if shorter @ shorter < cell[i] @ cell[i] * (1 - 1e-12):
                        cell[i] = shorter
                        changed = True
        if not changed:
            break
    transform = np.rint(lattice @ np.linalg.inv(cell))
    places = fractional @ transform
    return cell, places - np.floor(places)


def _points_within(lattice: FloatArray, points: FloatArray, radius: float) -> FloatArray:
    """Return all images of the points that may be closer than a radius to one in the cell, shape (m, 3)."""
    reach = radius * np.linalg.norm(np.linalg.inv(lattice), axis=0)  # radius over the distance of lattice planes
    low, high = points.min(axis=0) - reach, points.max(axis=0) + reach
    first, last = np.floor(low).astype(int), np.ceil(high).astype(int)
    images = float(np.prod(last - first))
    if images * len(points) > _MAX_POINTS:
        raise InputError(
            f"{images * len(points):.3g} images are needed to find the neighbours of {len(points)} points; "
            "the cell is too flat or too large, correct it"
        )
    axes = [np.arange(a, b) for a, b in zip(first, last, strict=True)]
    shifts = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, 1, 3)
    every = (points + shifts).reshape(-1, 3)
    inside = np.all((every >= low) & (every <= high), axis=1)
    return np.asarray(every[inside] @ lattice)
