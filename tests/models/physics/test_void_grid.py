"""Energies on a grid: against sums over atoms; channels and pockets of frameworks made for it."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from hstore.crystal import Crystal
from hstore_models.physics.force_field import ForceField, LennardJones
from hstore_models.physics.void_grid import CUTOFF_ANGSTROM, energy_grids, find_access

LATTICE = np.array([[7.0, 0.0, 0.0], [2.0, 8.0, 0.0], [1.0, -2.0, 9.0]])
PLAIN = ForceField()


def test_energies_are_sums_over_all_images():
    crystal = Crystal(LATTICE, [[0.1, 0.2, 0.3], [0.6, 0.5, 0.9]], [6, 8])
    pairs = PLAIN.framework_pairs({"C", "O"}, 77.0)
    (grid,) = energy_grids(crystal, [pairs], spacing_angstrom=1.5)
    for index in [(0, 0, 0), (2, 3, 1), (1, 1, 4)]:
        place = np.array(index) / grid.energy_k.shape @ LATTICE
        total = 0.0
        for shift in itertools.product(range(-4, 5), repeat=3):
            for symbol, atom in zip(crystal.symbols, crystal.fractional, strict=True):
                distance = np.linalg.norm((atom + shift) @ LATTICE - place)
                if distance < CUTOFF_ANGSTROM:
                    total += float(pairs[symbol].energy_k(distance))
        assert grid.energy_k[index] == pytest.approx(total, rel=2e-3, abs=0.5)


def wall(keep):
    """Close-packed cell of 24 A full of argon-like atoms, without those for which ``keep`` is false."""
    n = 8
    places = [p for p in itertools.product(range(n), repeat=3) if keep(np.array(p))]
    return Crystal(np.eye(3) * 3.0 * n, np.array(places) / n, [18] * len(places))


CLOSED = {"Ar": LennardJones(60.0, 3.1)}


def test_a_channel_goes_through_the_crystal():
    crystal = wall(lambda p: not (3 <= p[0] <= 4 and 3 <= p[1] <= 4))
    (grid,) = energy_grids(crystal, [CLOSED], spacing_angstrom=0.75)
    access = find_access(grid, 77.0)
    assert access.has_channels
    assert access.pockets == 0
    assert access.spheres == ()


def test_a_cavity_without_door_is_a_pocket():
    crystal = wall(lambda p: not ((p >= 3) & (p <= 4)).all())
    (grid,) = energy_grids(crystal, [CLOSED], spacing_angstrom=0.75)
    access = find_access(grid, 77.0)
    assert not access.has_channels
    assert access.pockets == 1
    assert access.pocket_fraction == 1.0
    centre = np.array([3.5, 3.5, 3.5]) / 8
    gaps = [np.linalg.norm((np.array(s[:3]) - centre) * 24.0) - s[3] for s in access.spheres]
    assert min(gaps) < 0  # a sphere is over the middle


def test_a_cavity_across_the_faces_of_the_cell_is_one_pocket():
    crystal = wall(lambda p: not np.isin(p, (0, 7)).all())
    (grid,) = energy_grids(crystal, [CLOSED], spacing_angstrom=0.75)
    access = find_access(grid, 77.0)
    assert (access.pockets, access.has_channels) == (1, False)


def test_spheres_over_a_pocket_leave_a_channel_open():
    crystal = wall(
        lambda p: not ((3 <= p[0] <= 4 and 3 <= p[1] <= 4) or (np.isin(p[:2], (0, 7)).all() and 3 <= p[2] <= 4))
    )
    (grid,) = energy_grids(crystal, [CLOSED], spacing_angstrom=0.75)
    access = find_access(grid, 77.0)
    assert access.has_channels
    assert access.pockets == 1
    axis = np.array([3.5, 3.5]) / 8
    for x, y, _z, radius in access.spheres:
        apart = np.abs(np.array([x, y]) - axis)
        assert np.linalg.norm(np.minimum(apart, 1 - apart) * 24.0) > radius
