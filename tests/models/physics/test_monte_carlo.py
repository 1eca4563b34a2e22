"""Monte Carlo of hydrogen: against integrals, the real gas, and its own promises."""

from __future__ import annotations

import math
import sys
from importlib.util import find_spec

import numpy as np
import pytest

from hstore.crystal import Crystal
from hstore.errors import InputError, MissingExtraError, UnknownNameError
from hstore.gas import h2_density_g_per_l, h2_fugacity_bar
from hstore.units import AVOGADRO_PER_MOL, H2_MOLAR_MASS_G_PER_MOL
from hstore_models.physics import monte_carlo
from hstore_models.physics.force_field import ForceField
from hstore_models.physics.monte_carlo import Effort, cells_needed, simulate
from hstore_models.physics.raspa_system import SAMPLERS, FilledFramework
from hstore_models.physics.series import Average
from hstore_models.physics.void_grid import energy_grids

pytestmark = pytest.mark.skipif(find_spec("raspalib") is None, reason="the extra gcmc is not installed")

SPARSE = Crystal([[8.0, 0, 0], [2.0, 8.0, 0], [0, 1.0, 8.0]], [[0.0, 0, 0], [0.4, 0.1, 0.1]], [6, 8])
SHORT = ForceField(cutoff_angstrom=8.0, tail=False)
FILLED = FilledFramework(SPARSE, 20.0, 77.0, SHORT, cells_needed(SPARSE.lattice_angstrom, 8.0))
each_sampler = pytest.mark.parametrize("sampler", SAMPLERS)


def grams_per_litre(molecules, volume_angstrom3):
    """Density of molecules in a volume."""
    return 1e27 * molecules * H2_MOLAR_MASS_G_PER_MOL / AVOGADRO_PER_MOL / volume_angstrom3


@each_sampler
def test_low_pressure_follows_the_integral_of_the_boltzmann_factor(sampler):
    """An independent sum over a grid gives the Henry constant that the sampling must find."""
    temperature, pressure = 120.0, 2.0
    field = ForceField(cutoff_angstrom=12.0, tail=False)
    pairs = field.framework_pairs({"C", "O"}, temperature)
    (grid,) = energy_grids(SPARSE, [pairs], spacing_angstrom=0.25)
    henry = grid.henry_mol_per_m3_pa(temperature)
    expected = henry * 1e5 * float(h2_fugacity_bar(pressure, temperature)) * 1e-30 * AVOGADRO_PER_MOL
    found = simulate(
        SPARSE,
        pressure_bar=pressure,
        temperature_k=temperature,
        force_field=field,
        effort=Effort(error=0.05),
        sampler=sampler,
    )
    assert found.converged
    assert found.molecules * SPARSE.volume_angstrom3**-1 == pytest.approx(expected, rel=0.12)
    heat = grid.heat_at_zero_kj_per_mol(temperature)
    assert found.heat_kj_per_mol == pytest.approx(heat, abs=max(0.15, 1.5 * found.heat_error_95))


@each_sampler
def test_an_almost_empty_cell_holds_the_real_gas(sampler):
    """One helium-like atom in a large cell: the model of hydrogen against the equation of state."""
    empty = Crystal(np.eye(3) * 25.0, [[0.0, 0, 0]], [2])
    found = simulate(
        empty,
        pressure_bar=100.0,
        temperature_k=200.0,
        force_field=ForceField(cutoff_angstrom=12.0),
        effort=Effort(error=0.02),
        sampler=sampler,
    )
    gas = float(h2_density_g_per_l(100.0, 200.0))
    assert grams_per_litre(found.molecules, empty.volume_angstrom3) == pytest.approx(gas, rel=0.04)


def test_the_quantum_correction_lowers_the_uptake():
    state = {"pressure_bar": 5.0, "temperature_k": 77.0, "effort": Effort(error=0.03), "sampler": "compiled"}
    plain = simulate(SPARSE, force_field=SHORT, **state)
    corrected = simulate(SPARSE, force_field=ForceField(cutoff_angstrom=8.0, tail=False, quantum=True), **state)
    assert corrected.molecules < plain.molecules - plain.error_95 - corrected.error_95


def test_a_run_that_is_not_given_time_says_so():
    found = simulate(
        SPARSE,
        pressure_bar=5.0,
        temperature_k=77.0,
        force_field=SHORT,
        effort=Effort(error=1e-4, most_cycles=300),
    )
    assert not found.converged
    assert "not converged after 300 cycles" in found.cause
    assert "allow more cycles or a larger error" in found.cause
    assert found.molecules > 0


def test_molecules_must_have_been_exchanged():
    found = simulate(
        SPARSE,
        pressure_bar=20.0,
        temperature_k=77.0,
        force_field=SHORT,
        effort=Effort(error=1.0, exchanges=1e4, most_cycles=300),
    )
    assert "the molecules were exchanged" in found.cause
    assert "and 10000 are needed" in found.cause


@each_sampler
def test_blocked_spheres_stay_empty(sampler):
    state = {"pressure_bar": 5.0, "temperature_k": 77.0, "force_field": SHORT, "sampler": sampler}
    found = simulate(SPARSE, **state, effort=Effort(), blocked=[(0.7, 0.6, 0.6, 30.0)])
    assert found.molecules == 0.0
    assert found.converged


@each_sampler
def test_the_same_seed_gives_the_same_numbers(sampler):
    state = {"pressure_bar": 20.0, "temperature_k": 300.0, "force_field": SHORT, "sampler": sampler}
    one, again, other = (simulate(SPARSE, **state, effort=Effort(error=0.2, seed=seed)) for seed in (1, 1, 2))
    assert one == again
    assert one.molecules != other.molecules


@pytest.mark.long
def test_two_samplers_agree_where_molecules_crowd():
    """RASPA and the walk of our own share no code for moves and energies."""
    state = {"pressure_bar": 50.0, "temperature_k": 77.0, "force_field": ForceField(cutoff_angstrom=8.0)}
    one, other = (simulate(SPARSE, **state, effort=Effort(error=0.01), sampler=name) for name in SAMPLERS)
    assert one.converged
    assert other.converged
    assert one.molecules == pytest.approx(other.molecules, abs=1.5 * math.hypot(one.error_95, other.error_95))
    heats = math.hypot(one.heat_error_95, other.heat_error_95)
    assert one.heat_kj_per_mol == pytest.approx(other.heat_kj_per_mol, abs=2 * heats)


def test_an_unknown_sampler_is_refused():
    with pytest.raises(UnknownNameError, match="raspa"):
        simulate(SPARSE, pressure_bar=1.0, temperature_k=77.0, sampler="rasp")


@each_sampler
def test_a_walk_begins_where_another_ended(sampler):
    filled = FilledFramework(SPARSE, 20.0, 77.0, SHORT, FILLED.repeats, sampler=sampler)
    walk = filled.walk(1, grow_cycles=50)
    again = filled.walk(2, start=walk.places)
    assert again.molecules == walk.molecules > 0
    assert np.array(again.places) == pytest.approx(np.array(walk.places), abs=1e-9)
    assert filled.walk(3).molecules == 0


@each_sampler
def test_slow_pores_are_started_twice_and_both_meet(sampler):
    state = {"pressure_bar": 20.0, "temperature_k": 77.0, "force_field": SHORT, "sampler": sampler}
    one = simulate(SPARSE, **state, effort=Effort(error=0.03, sure_exchanges=0))
    two = simulate(SPARSE, **state, effort=Effort(error=0.03, sure_exchanges=1e9))
    assert (one.starts, two.starts) == (1, 2)
    assert two.converged
    assert two.cycles > one.cycles
    assert two.error_95 <= 0.03 * two.molecules
    assert two.molecules == pytest.approx(one.molecules, abs=1.5 * math.hypot(one.error_95, two.error_95))


def test_an_overfull_start_holds_more_than_the_settled_one():
    walk = FILLED.walk(1, grow_cycles=100)
    walk.go_on(200)
    mean = float(walk.numbers.mean())
    assert len(monte_carlo._overfull_places(FILLED, walk, mean, 2)) >= 1.1 * mean


class Known:
    """A start of which the mean is known."""

    def __init__(self, mean, error):
        self.seen = Average(mean, error, 0, 50.0)
        self.walk = type("Walk", (), {"cycles": 600})()


def test_the_error_of_two_starts_holds_what_lies_between_them():
    mean, error = monte_carlo._mean_of([Known(10.0, 0.3), Known(12.0, 0.4)])
    assert mean == 11.0
    assert error == pytest.approx(math.hypot(0.25, 1.0))
    assert monte_carlo._mean_of([Known(10.0, 0.3)]) == (10.0, 0.3)


def test_starts_that_do_not_meet_are_told():
    effort = Effort(error=0.05)
    assert monte_carlo._why_apart([Known(10.0, 0.1), Known(10.2, 0.1)], effort) == ""
    told = monte_carlo._why_apart([Known(10.0, 0.1), Known(12.0, 0.1)], effort)
    assert "not converged after 1200 cycles" in told
    assert "from an empty and an overfull start differ by 18 %" in told


def test_heights_of_the_repeated_cell_are_two_cutoffs():
    lattice = np.array([[10.0, 0, 0], [9.0, 5.0, 0], [0, 0, 30.0]])
    repeats = cells_needed(lattice, 12.8)
    whole = lattice * np.array(repeats)[:, None]
    volume = abs(np.linalg.det(whole))
    heights = [volume / np.linalg.norm(np.cross(whole[(i + 1) % 3], whole[(i + 2) % 3])) for i in range(3)]
    assert min(heights) >= 25.6
    assert repeats == (6, 6, 1)


def test_a_huge_cell_is_refused():
    tiny = Crystal(np.eye(3) * 2.0, [[0.0, 0, 0]] * 30, [6] * 30)
    with pytest.raises(InputError, match="give the primitive cell"):
        simulate(tiny, pressure_bar=1.0, temperature_k=77.0)


@pytest.mark.parametrize("settings", [{"error": 0.0}, {"error": 2.0}, {"most_cycles": 0}])
def test_targets_that_nothing_meets_are_refused(settings):
    with pytest.raises(InputError):
        Effort(**settings)


def test_an_absent_package_names_the_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "raspalib", None)
    with pytest.raises(MissingExtraError, match=r"pip install 'hstore\[gcmc\]'"):
        simulate(SPARSE, pressure_bar=1.0, temperature_k=77.0)


def test_heat_is_not_made_up():
    found = simulate(
        SPARSE,
        pressure_bar=1e-6,
        temperature_k=300.0,
        force_field=SHORT,
        effort=Effort(error=0.5, most_cycles=300),
    )
    assert math.isnan(found.heat_kj_per_mol) or found.molecules > 0
