"""Monte Carlo of hydrogen: against integrals, the real gas, and its own promises."""

from __future__ import annotations

import math
import sys

import numpy as np
import pytest

from hstore.crystal import Crystal
from hstore.errors import InputError, MissingExtraError
from hstore.gas import h2_density_g_per_l, h2_fugacity_bar
from hstore.units import AVOGADRO_PER_MOL, H2_MOLAR_MASS_G_PER_MOL
from hstore_models.physics.force_field import ForceField
from hstore_models.physics.monte_carlo import Effort, cells_needed, simulate
from hstore_models.physics.void_grid import energy_grids

pytest.importorskip("raspalib")

SPARSE = Crystal([[8.0, 0, 0], [2.0, 8.0, 0], [0, 1.0, 8.0]], [[0.0, 0, 0], [0.4, 0.1, 0.1]], [6, 8])
SHORT = ForceField(cutoff_angstrom=8.0, tail=False)


def grams_per_litre(molecules, volume_angstrom3):
    """Density of molecules in a volume."""
    return 1e27 * molecules * H2_MOLAR_MASS_G_PER_MOL / AVOGADRO_PER_MOL / volume_angstrom3


def test_low_pressure_follows_the_integral_of_the_boltzmann_factor():
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
    )
    assert found.converged
    assert found.molecules * SPARSE.volume_angstrom3**-1 == pytest.approx(expected, rel=0.12)
    heat = grid.heat_at_zero_kj_per_mol(temperature)
    assert found.heat_kj_per_mol == pytest.approx(heat, abs=max(0.4, 2 * found.heat_error_95))


def test_an_almost_empty_cell_holds_the_real_gas():
    """One helium-like atom in a large cell: the model of hydrogen against the equation of state."""
    empty = Crystal(np.eye(3) * 25.0, [[0.0, 0, 0]], [2])
    found = simulate(
        empty,
        pressure_bar=100.0,
        temperature_k=200.0,
        force_field=ForceField(cutoff_angstrom=12.0),
        effort=Effort(error=0.02),
    )
    gas = float(h2_density_g_per_l(100.0, 200.0))
    assert grams_per_litre(found.molecules, empty.volume_angstrom3) == pytest.approx(gas, rel=0.04)


def test_the_quantum_correction_lowers_the_uptake():
    state = {"pressure_bar": 5.0, "temperature_k": 77.0, "effort": Effort(error=0.05)}
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


def test_blocked_spheres_stay_empty():
    middle = (0.7, 0.6, 0.6, 30.0)
    found = simulate(
        SPARSE, pressure_bar=5.0, temperature_k=77.0, force_field=SHORT, effort=Effort(), blocked=[middle]
    )
    assert found.molecules == 0.0
    assert found.converged


def test_the_same_seed_gives_the_same_numbers():
    state = {"pressure_bar": 20.0, "temperature_k": 300.0, "force_field": SHORT}
    one, again, other = (simulate(SPARSE, **state, effort=Effort(error=0.2, seed=seed)) for seed in (1, 1, 2))
    assert one == again
    assert one.molecules != other.molecules


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
