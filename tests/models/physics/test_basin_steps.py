"""Steps out of a basin: what they change, what they keep, and how their size follows what came of them."""

from __future__ import annotations

import numpy as np
import pytest

from hstore.crystal import Crystal
from hstore.errors import InputError
from hstore_models.physics.basin_steps import EXCHANGED, next_strength, step

SALT = Crystal(
    4.0 * np.eye(3),
    [
        [0, 0, 0],
        [0.5, 0.5, 0],
        [0.5, 0, 0.5],
        [0, 0.5, 0.5],
        [0.5, 0.5, 0.5],
        [0, 0, 0.5],
        [0, 0.5, 0],
        [0.5, 0, 0],
    ],
    [3] * 4 + [1] * 4,
)
METAL = Crystal(3.0 * np.eye(3), [[0, 0, 0], [0.5, 0.5, 0.5]], [23, 23])


def taken(crystal, seed, **options):
    return step(crystal, np.random.default_rng(seed), **options)


def steps_of(kind, crystal=SALT):
    return [one for one in (taken(crystal, seed) for seed in range(40)) if one.kind == kind]


@pytest.mark.parametrize("kind", ["displaced", "strained", EXCHANGED])
def test_steps_keep_the_composition(kind):
    found = steps_of(kind)
    assert found
    for one in found:
        assert sorted(one.crystal.numbers) == sorted(SALT.numbers)
        assert one.crystal.key != SALT.key


def test_displacing_leaves_the_cell_and_straining_its_volume():
    for one in steps_of("displaced"):
        np.testing.assert_array_equal(one.crystal.lattice_angstrom, SALT.lattice_angstrom)
    for one in steps_of("strained"):
        assert one.crystal.volume_angstrom3 == pytest.approx(SALT.volume_angstrom3)
        assert not np.allclose(one.crystal.lattice_angstrom, SALT.lattice_angstrom)


def test_exchanging_moves_elements_and_needs_two():
    assert all((one.crystal.numbers != SALT.numbers).any() for one in steps_of(EXCHANGED))
    assert not steps_of(EXCHANGED, METAL)


def test_equal_seeds_take_equal_steps():
    assert taken(SALT, 4).crystal.key == taken(SALT, 4).crystal.key != taken(SALT, 5).crystal.key


def test_stronger_steps_go_farther():
    seed = next(seed for seed in range(40) if taken(SALT, seed).kind == "displaced")
    far, near = (
        np.abs(taken(SALT, seed, strength=strength).crystal.fractional - SALT.fractional).max()
        for strength in (2.0, 0.5)
    )
    assert far == pytest.approx(4 * near)


def test_steps_grow_where_they_lead_nowhere_and_shrink_where_they_lead_away():
    assert next_strength(1.0, new=1, same=3) > 1.0 > next_strength(1.0, new=3, same=1)
    assert next_strength(1.0, new=2, same=2) == 1.0
    grown = 1.0
    for _ in range(100):
        grown = next_strength(grown, new=0, same=4)
    assert grown == next_strength(grown, new=0, same=4) <= 4.0


def test_a_step_without_strength_is_refused():
    with pytest.raises(InputError, match="above 0"):
        taken(SALT, 0, strength=0.0)
