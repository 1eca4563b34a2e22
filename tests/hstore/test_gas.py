"""Real-gas hydrogen against reference points, the ideal-gas limit and thermodynamic consistency."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.integrate import quad

from hstore.errors import InputError
from hstore.gas import MAX_PRESSURE_BAR, compressibility, h2_density_g_per_l, h2_fugacity_bar
from hstore.units import GAS_CONSTANT_J_PER_MOL_K, H2_MOLAR_MASS_G_PER_MOL

gas_temperatures = st.floats(40, 900)
gas_pressures = st.floats(0.01, 1000)


@pytest.mark.parametrize(
    ("pressure", "temperature", "density", "tolerance"),
    [
        pytest.param(700, 288.15, 40.2, 0.1, id="700 bar tank at 15 C"),
        pytest.param(350, 288.15, 24.0, 0.1, id="350 bar tank at 15 C"),
        pytest.param(100, 77, 31.3, 0.2, id="100 bar in liquid nitrogen"),
        pytest.param(1, 273.15, 0.0887, 0.0002, id="1 bar at 0 C"),
        pytest.param(1.01325, 20.2, 71.0, 0.4, id="liquid just below its boiling point"),
    ],
)
def test_reference_densities(pressure, temperature, density, tolerance):
    assert h2_density_g_per_l(pressure, temperature) == pytest.approx(density, abs=tolerance)


@given(gas_temperatures)
@settings(max_examples=30)
def test_low_pressure_is_ideal(temperature):
    pressure = 1e-3
    ideal = pressure * 1e5 * H2_MOLAR_MASS_G_PER_MOL / (GAS_CONSTANT_J_PER_MOL_K * temperature) / 1e3
    assert h2_density_g_per_l(pressure, temperature) == pytest.approx(ideal, rel=1e-4)
    assert compressibility(pressure, temperature) == pytest.approx(1, abs=1e-4)
    assert h2_fugacity_bar(pressure, temperature) == pytest.approx(pressure, rel=1e-4)


def test_the_step_to_the_ideal_limit_cannot_be_seen():
    # the equation of state is not solved below 1e-9 bar
    densities = h2_density_g_per_l(np.array([1e-300, 0.999e-9, 1.001e-9]), 77)
    assert densities[2] / densities[1] == pytest.approx(1.001 / 0.999, rel=1e-5)
    assert densities[0] == pytest.approx(densities[1] * 1e-300 / 0.999e-9, rel=1e-9)


def test_zero_pressure_is_the_limit():
    assert h2_density_g_per_l(0, 77) == 0
    assert compressibility(0, 77) == 1
    assert h2_fugacity_bar(0, 77) == 0


@given(gas_pressures, gas_temperatures)
@settings(max_examples=50)
def test_density_and_compressibility_agree(pressure, temperature):
    density = h2_density_g_per_l(pressure, temperature)
    molar_volume_l = H2_MOLAR_MASS_G_PER_MOL / density
    z = pressure * 1e5 * molar_volume_l * 1e-3 / (GAS_CONSTANT_J_PER_MOL_K * temperature)
    # CoolProp's hydrogen has a molar mass that differs by 2e-6
    assert compressibility(pressure, temperature) == pytest.approx(z, rel=1e-4)


@given(gas_pressures, gas_temperatures)
@settings(max_examples=50)
def test_density_and_fugacity_rise_with_pressure_and_density_falls_with_temperature(pressure, temperature):
    assert h2_density_g_per_l(1.05 * pressure, temperature) > h2_density_g_per_l(pressure, temperature)
    assert h2_fugacity_bar(1.05 * pressure, temperature) > h2_fugacity_bar(pressure, temperature)
    assert h2_density_g_per_l(pressure, 1.05 * temperature) < h2_density_g_per_l(pressure, temperature)


@pytest.mark.parametrize(("pressure", "temperature"), [(100, 77), (100, 300), (700, 288.15), (30, 40)])
def test_fugacity_is_the_integral_of_the_compressibility(pressure, temperature):
    # ln(f/p) = integral of (Z - 1)/p dp from 0 to p, from the definition
    integral, _ = quad(lambda p: (compressibility(p, temperature) - 1) / p, 1e-6, pressure, epsabs=1e-7)
    assert np.log(h2_fugacity_bar(pressure, temperature) / pressure) == pytest.approx(integral, abs=1e-4)


def test_fugacity_coefficient_at_100_bar_and_300_k():
    assert h2_fugacity_bar(100, 300) == pytest.approx(106.1, abs=0.1)


def test_fugacity_matches_the_library_s_own():
    coolprop = pytest.importorskip("CoolProp")
    state = coolprop.AbstractState("HEOS", "Hydrogen")
    for pressure, temperature in ((100, 77), (500, 300), (5, 40)):
        state.update(coolprop.PT_INPUTS, pressure * 1e5, temperature)
        assert h2_fugacity_bar(pressure, temperature) == pytest.approx(state.fugacity(0) / 1e5, rel=1e-6)


def test_arrays_broadcast_like_scalars():
    pressures, temperatures = np.array([[0.0], [1.0], [100.0]]), np.array([77.0, 298.15])
    table = h2_density_g_per_l(pressures, temperatures)
    assert table.shape == (3, 2)
    for i, pressure in enumerate(pressures[:, 0]):
        for j, temperature in enumerate(temperatures):
            assert table[i, j] == h2_density_g_per_l(pressure, temperature)


def test_missing_states_stay_missing():
    assert np.isnan(h2_density_g_per_l(np.nan, 77))
    assert np.isnan(h2_density_g_per_l([1, 5], [np.nan, 77])).tolist() == [True, False]
    assert np.isnan(h2_fugacity_bar([1, 5], [np.nan, 77])).tolist() == [True, False]


@pytest.mark.parametrize(
    ("pressure", "temperature", "message"),
    [
        (-1, 77, "pressure_bar must be at least 0 and at most 20000, got -1"),
        (2 * MAX_PRESSURE_BAR, 300, "got 40000"),
        (1, 4, "temperature_k must be at least 14 and at most 1000, got 4"),
        (1, 1001, "got 1001"),
        (np.inf, 300, "got inf"),
        ([1, 15_000], [77, 14], "no solution at pressure_bar=15000, temperature_k=14"),
        (15_000, 14, "keep away from the melting line"),
    ],
)
def test_states_out_of_range_are_refused(pressure, temperature, message):
    with pytest.raises(InputError, match=message):
        h2_density_g_per_l(pressure, temperature)
