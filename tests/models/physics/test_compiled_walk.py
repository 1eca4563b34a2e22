"""The compiled walk: its energies are sums over pairs, and it keeps its books."""

from __future__ import annotations

import itertools
from importlib.util import find_spec

import numpy as np
import pytest

from hstore.crystal import Crystal
from hstore_models.physics.compiled_walk import CompiledWalk
from hstore_models.physics.force_field import ForceField
from hstore_models.physics.monte_carlo import cells_needed, simulate
from hstore_models.physics.raspa_system import FilledFramework

SPARSE = Crystal([[8.0, 0, 0], [2.0, 8.0, 0], [0, 1.0, 8.0]], [[0.0, 0, 0], [0.4, 0.1, 0.1]], [6, 8])
PLAIN = ForceField(cutoff_angstrom=8.0, tail=False)


def filled(field, **more):
    """The sparse framework in 20 bar at 77 K."""
    return FilledFramework(SPARSE, 20.0, 77.0, field, cells_needed(SPARSE.lattice_angstrom, 8.0), **more)


def energy_k(case, places):
    """Sum over all pairs and images within the cut-off, K."""
    field, cutoff = case.field, case.field.cutoff_angstrom
    lattice = SPARSE.lattice_angstrom * np.array(case.repeats)[:, None]
    shifts = np.array(list(itertools.product((-1, 0, 1), repeat=3))) @ lattice
    atoms = [
        (symbol, (place + np.array(cell)) @ SPARSE.lattice_angstrom)
        for cell in np.ndindex(*case.repeats)
        for symbol, place in zip(SPARSE.symbols, SPARSE.fractional, strict=True)
    ]
    pairs = field.framework_pairs({"C", "O"}, 77.0)

    def of(pair, one, other):
        distance = np.linalg.norm(np.asarray(one) - other + shifts, axis=1)
        return float(pair.energy_k(distance[distance < cutoff]).sum())

    framework = sum(of(pairs[symbol], place, atom) for place in places for symbol, atom in atoms)
    return framework + sum(of(field.gas_pair(77.0), *two) for two in itertools.combinations(places, 2))


@pytest.mark.parametrize(
    "sampler",
    ["compiled", pytest.param("raspa", marks=pytest.mark.skipif(not find_spec("raspalib"), reason="gcmc"))],
)
def test_the_energy_that_is_kept_is_the_sum_over_pairs_in_kelvin(sampler):
    case = filled(PLAIN, sampler=sampler)  # its axes lie as RASPA lays them
    walk = case.walk(3, grow_cycles=100)
    walk.go_on(20)
    assert walk.molecules > 10
    assert walk.numbers[-1] == walk.molecules
    assert walk.energies_k[-1] == pytest.approx(
        energy_k(case, walk.places), rel=1e-5
    )  # RASPA has other digits of constants


def test_boxes_of_a_large_cell_are_larger_and_the_energy_is_the_same(monkeypatch):
    case = filled(PLAIN, sampler="compiled")
    walk = case.walk(3, grow_cycles=50)
    walk.go_on(5)
    monkeypatch.setattr("hstore_models.physics.compiled_walk._MOST_BOXES", 8)
    again = case.walk(3, grow_cycles=50)
    again.go_on(5)
    assert len(again._world.near_from) < len(walk._world.near_from)
    assert again.energies_k == pytest.approx(walk.energies_k, rel=1e-9)


def test_tails_are_those_of_a_uniform_medium():
    """The mean field beyond the cut-off, as in textbooks: of all that is there."""
    places = CompiledWalk(filled(PLAIN), 3, grow_cycles=30).places
    tailed = ForceField(cutoff_angstrom=8.0)
    walks = [CompiledWalk(filled(field), 5, start=places, fugacity_times=1e-30) for field in (PLAIN, tailed)]
    volume = SPARSE.volume_angstrom3 * filled(PLAIN).cells

    def beyond(pair):
        r = np.geomspace(8.0, 8e3, 200_001)
        return float(np.trapezoid(4 * np.pi * r**2 * pair.energy_k(r), r)) / volume

    n = len(places)
    pairs = PLAIN.framework_pairs({"C", "O"}, 77.0)
    framework = n * filled(PLAIN).cells * sum(beyond(pairs[symbol]) for symbol in SPARSE.symbols)
    worlds = [walk._world for walk in walks]
    assert worlds[0].framework_tail_k == worlds[0].gas_tail_k == 0.0
    assert n * worlds[1].framework_tail_k == pytest.approx(framework, rel=1e-4)
    assert worlds[1].gas_tail_k == pytest.approx(beyond(PLAIN.gas_pair(77.0)), rel=1e-4)


def test_nothing_enters_a_blocked_sphere():
    middle = (0.7, 0.6, 0.6, 2.0)
    case = filled(PLAIN, blocked=(middle,))
    walk = CompiledWalk(case, 1, grow_cycles=200)
    inside = np.array(walk.places) @ np.linalg.inv(SPARSE.lattice_angstrom) - middle[:3]
    shifts = np.array(list(itertools.product((-1, 0, 1), repeat=3)))
    apart = ((inside - np.round(inside))[:, None] + shifts) @ SPARSE.lattice_angstrom
    assert walk.molecules > 10
    assert np.linalg.norm(apart, axis=2).min() >= 2.0


def test_a_framework_without_room_stays_empty():
    dense = Crystal(np.eye(3) * 2.0, [[0.0, 0, 0]], [6])
    found = simulate(
        dense,
        pressure_bar=10.0,
        temperature_k=77.0,
        force_field=ForceField(cutoff_angstrom=6.0),
        sampler="compiled",
    )
    assert (found.molecules, found.converged) == (0.0, True)
