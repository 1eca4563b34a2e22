"""Average minimum distances: closed forms, invariance, continuity, and what they tell apart."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hstore.crystal import Crystal
from hstore.errors import InputError
from hstore.workers import run
from hstore_models.invariants import (
    NEIGHBOURS,
    Fingerprint,
    average_minimum_distances,
    fingerprint,
    pointwise_distances,
)

FCC = np.array([[0, 0.5, 0.5], [0.5, 0, 0.5], [0.5, 0.5, 0]])
BCC = np.array([[-0.5, 0.5, 0.5], [0.5, -0.5, 0.5], [0.5, 0.5, -0.5]])
ORIGIN = np.zeros((1, 3))

quick = settings(max_examples=25, deadline=None, derandomize=True, database=None)


def shells(*counts_and_squares):
    return np.sqrt([square for count, square in counts_and_squares for _ in range(count)])


@pytest.mark.parametrize(
    ("lattice", "expected"),
    [
        (np.eye(3), shells((6, 1), (12, 2), (8, 3), (6, 4), (24, 5), (24, 6), (12, 8))),
        (BCC, shells((8, 0.75), (6, 1), (12, 2), (24, 2.75), (8, 3), (6, 4), (24, 4.75))),
        (FCC, shells((12, 0.5), (6, 1), (24, 1.5), (12, 2), (24, 2.5), (8, 3))),
    ],
    ids=["simple cubic", "body-centred", "face-centred"],
)
def test_cubic_lattices_have_their_closed_form(lattice, expected):
    found = average_minimum_distances(3.7 * lattice, ORIGIN, k=len(expected))
    np.testing.assert_allclose(found, 3.7 * expected, rtol=1e-12)


def by_brute_force(lattice, fractional, k):
    shifts = np.array(list(itertools.product(range(-7, 8), repeat=3)))
    points = (fractional + shifts[:, None]).reshape(-1, 3) @ lattice
    distances = np.linalg.norm(points - (fractional @ lattice)[:, None], axis=-1)
    return np.sort(distances, axis=1)[:, 1 : k + 1]


@st.composite
def crystals(draw):
    """Random crystals of up to six atoms of two elements, far from flat."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    n = draw(st.integers(1, 6))
    lattice = np.diag(rng.uniform(2.5, 6, 3)) + rng.uniform(-1, 1, (3, 3))
    return Crystal(lattice, rng.uniform(-1, 2, (n, 3)), rng.choice([3, 8], n))


@quick
@given(crystals(), st.integers(1, 40))
def test_distances_agree_with_brute_force(crystal, k):
    found = pointwise_distances(crystal.lattice_angstrom, crystal.fractional, k=k)
    fractional = crystal.fractional - np.floor(crystal.fractional)
    np.testing.assert_allclose(found, by_brute_force(crystal.lattice_angstrom, fractional, k), atol=1e-9)


def same(one: Fingerprint, other: Fingerprint):
    np.testing.assert_allclose(one.distances, other.distances, rtol=0, atol=1e-8)
    assert one.volume_difference_to(other) < 1e-9


@quick
@given(crystals(), st.integers(0, 2**32))
def test_the_choice_of_cell_origin_order_and_orientation_does_not_matter(crystal, seed):
    rng = np.random.default_rng(seed)
    order = rng.permutation(len(crystal))
    turn, _ = np.linalg.qr(rng.normal(size=(3, 3)))  # mirrors included
    skew = np.array([[1, 3, -2], [0, 1, 4], [0, 0, 1]])[rng.permutation(3)]
    lattice = skew @ crystal.lattice_angstrom @ turn
    fractional = (crystal.fractional + rng.uniform(-3, 3, 3)) @ np.linalg.inv(skew)
    same(fingerprint(crystal), fingerprint(Crystal(lattice, fractional[order], crystal.numbers[order])))


@quick
@given(crystals(), st.sampled_from([(2, 1, 1), (1, 3, 1), (2, 2, 3)]))
def test_a_supercell_has_the_fingerprint_of_its_cell(crystal, times):
    shifts = np.array(list(itertools.product(*map(range, times))))
    fractional = (crystal.fractional[:, None] + shifts).reshape(-1, 3) / times
    lattice = crystal.lattice_angstrom * np.array(times)[:, None]
    same(fingerprint(crystal), fingerprint(Crystal(lattice, fractional, np.repeat(crystal.numbers, len(shifts)))))


@quick
@given(crystals(), st.floats(0.001, 0.2), st.integers(0, 2**32))
def test_moving_atoms_moves_the_distances_by_at_most_twice_as_much(crystal, step, seed):
    moves = np.random.default_rng(seed).normal(size=(len(crystal), 3))
    moves *= step / np.linalg.norm(moves, axis=1, keepdims=True)
    moved = crystal.fractional + moves @ np.linalg.inv(crystal.lattice_angstrom)
    before, after = (average_minimum_distances(crystal.lattice_angstrom, f) for f in (crystal.fractional, moved))
    assert np.abs(after - before).max() <= 2 * step + 1e-9


@quick
@given(crystals(), st.floats(0.5, 2))
def test_scaling_changes_the_volume_alone(crystal, scale):
    scaled = Crystal(scale * crystal.lattice_angstrom, crystal.fractional, crystal.numbers)
    one, other = fingerprint(crystal), fingerprint(scaled)
    assert one.distance_to(other) < 1e-9
    assert one.volume_difference_to(other) == pytest.approx(max(scale, 1 / scale) ** 3 - 1)


@pytest.mark.parametrize(
    "lattice",
    [np.diag([1.0, 1.0, 400.0]), np.diag([60.0, 60.0, 1.5]), [[1, 0, 0], [900.5, 1, 0], [-3000.2, 700.1, 1]]],
    ids=["needle", "plate", "very skewed"],
)
def test_odd_cells_give_all_neighbours(lattice):
    found = pointwise_distances(np.asarray(lattice, float), ORIGIN, k=NEIGHBOURS)
    assert found.shape == (1, NEIGHBOURS)
    assert np.all(np.diff(found) >= 0)
    assert np.all(found > 0)


def test_neighbours_of_a_chain_far_from_others_are_in_the_chain():
    found = average_minimum_distances(np.diag([1.0, 500.0, 500.0]), ORIGIN, k=6)
    np.testing.assert_allclose(found, [1, 1, 2, 2, 3, 3])


def test_a_cell_with_impossible_sides_is_refused():
    with pytest.raises(InputError, match="too flat or too large, correct it"):
        average_minimum_distances(np.diag([1e-6, 1e5, 1e5]), ORIGIN)


def test_the_same_arrays_give_the_same_bytes_in_another_process():
    crystal = Crystal(5.6 * FCC, [[0, 0, 0], [0.5, 0.5, 0.5]], [11, 17])
    (outcome,) = run(fingerprint, [crystal], workers=1)
    assert outcome.value.distances.tobytes() == fingerprint(crystal).distances.tobytes()


def test_polymorphs_and_orderings_differ():
    rocksalt = Crystal(5.6 * FCC, [[0, 0, 0], [0.5, 0.5, 0.5]], [11, 17])
    caesium = Crystal(3.5 * np.eye(3), [[0, 0, 0], [0.5, 0.5, 0.5]], [11, 17])
    # the same positions as rock salt, with the elements in layers along the cell edge
    layers = Crystal(np.diag([2.8, 2.8, 5.6]), [[0, 0, 0], [0, 0, 0.5]], [11, 17])
    blende = Crystal(5.4 * FCC, [[0, 0, 0], [0.25, 0.25, 0.25]], [30, 16])
    lattice = 5.4 / np.sqrt(2) * np.array([[1, 0, 0], [-0.5, np.sqrt(0.75), 0], [0, 0, np.sqrt(8 / 3)]])
    places = [[1 / 3, 2 / 3, 0], [2 / 3, 1 / 3, 0.5], [1 / 3, 2 / 3, 0.375], [2 / 3, 1 / 3, 0.875]]
    wurtzite = Crystal(lattice, places, [30, 30, 16, 16])
    assert fingerprint(rocksalt).distance_to(fingerprint(caesium)) > 0.1
    assert fingerprint(rocksalt).distance_to(fingerprint(layers)) > 0.1
    # the shells of the two stackings agree up to the second neighbours
    assert fingerprint(blende).distance_to(fingerprint(wurtzite)) > 0.03
    np.testing.assert_array_equal(
        fingerprint(rocksalt).distances[:14].round(9), fingerprint(layers).distances[:14].round(9)
    )


def test_crystals_of_other_numbers_of_elements_are_infinitely_far():
    assert fingerprint(Crystal(3 * np.eye(3), ORIGIN, [3])).distance_to(
        fingerprint(Crystal(3 * np.eye(3), [[0, 0, 0], [0.5, 0.5, 0.5]], [3, 8]))
    ) == float("inf")
