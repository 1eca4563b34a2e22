"""Excess, absolute and total uptake, isotherms, and usable capacity of sorbents."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hstore.capacity import per_hydrogenated_mass
from hstore.errors import InputError, UnknownNameError
from hstore.gas import h2_density_g_per_l
from hstore.sorption import (
    Isotherm,
    absolute_from_excess,
    excess_from_absolute,
    excess_from_total,
    gas_in_volume_wt_pct,
    total_from_excess,
    usable_capacity,
)
from hstore.thermo import State, Swing

MOF5_DENSITY = 0.61
MOF5_PORE_VOLUME = 1.36
MOF5_PRESSURES = (0.61, 2.02, 5.79, 11.11, 15.24, 21.71, 31.5, 42.66, 54.4, 65.94, 78.07, 90.39)
MOF5_EXCESS = (0.77, 1.97, 3.64, 4.79, 5.24, 5.7, 5.95, 6.03, 5.99, 5.89, 5.71, 5.47)
"""Measured excess uptake of MOF-5 at 77 K, wt% of the sorbent (DOI 10.1016/j.micromeso.2013.11.015, as
digitised in NIST ISODB)."""
MOF5_BED_PRESSURES = (42.66, 54.4, 65.94, 78.07, 90.39)
MOF5_BED_TOTAL = (8.78, 9.54, 10.18, 10.76, 11.29)
"""Total uptake of the same bed from the same article, wt% of the sorbent, read at the same pressures."""

PRESSURE_SWING = Swing(charged=State(100, 77), discharged=State(5, 77))


@pytest.fixture
def mof5():
    return Isotherm(MOF5_PRESSURES, MOF5_EXCESS, temperature_k=77, uptake_kind="excess")


def langmuir(pressure, maximum=6.0, constant=0.2):
    return maximum * constant * pressure / (1 + constant * pressure)


def total_isotherm(**changes):
    pressures = np.array([1, 2, 5, 10, 20, 50, 100.0])
    values = {
        "pressures_bar": pressures,
        "uptakes_wt_pct": langmuir(pressures),
        "temperature_k": 77,
        "uptake_kind": "total",
    }
    return Isotherm(**(values | changes))


def test_measured_excess_and_total_of_a_mof5_bed_agree_through_one_void_volume(mof5):
    # The article gives both; a bed of 0.4 g/cm3 with a skeleton of 2.0 g/cm3 has 2.0 cm3/g of voids.
    total = mof5.as_total(2.0).uptake_wt_pct(MOF5_BED_PRESSURES)
    assert total == pytest.approx(MOF5_BED_TOTAL, abs=0.12)


def test_mof5_crystal_holds_what_simulation_finds(mof5):
    # Grand-canonical simulation of the perfect crystal: 9.3 wt% of the whole and 61 g/L at 77 K and 100 bar
    total = mof5.as_total(MOF5_PORE_VOLUME).uptake_wt_pct(90.39)
    assert total == pytest.approx(5.47 + 0.1 * 1.36 * h2_density_g_per_l(90.39, 77))
    assert per_hydrogenated_mass(total) == pytest.approx(9.0, abs=0.6)
    assert 10 * total * MOF5_DENSITY == pytest.approx(59, abs=4)


def test_excess_passes_through_a_maximum_but_total_rises(mof5):
    grid = np.linspace(1, 90, 200)
    assert np.any(np.diff(mof5.uptake_wt_pct(grid)) < 0)
    assert np.all(np.diff(mof5.as_total(MOF5_PORE_VOLUME).uptake_wt_pct(grid)) > 0)


uptakes = st.floats(-1, 15)
volumes = st.floats(0, 4)
states = {"pressure_bar": st.floats(0, 200), "temperature_k": st.floats(60, 400)}


@given(uptakes, volumes, st.fixed_dictionaries(states))
@settings(max_examples=50)
def test_uptake_conversions_round_trip_and_are_ordered(uptake, volume, state):
    total = total_from_excess(uptake, volume, **state)
    absolute = absolute_from_excess(uptake, volume / 2, **state)
    assert uptake <= absolute <= total
    assert excess_from_total(total, volume, **state) == pytest.approx(uptake, abs=1e-9)
    assert excess_from_absolute(absolute, volume / 2, **state) == pytest.approx(uptake, abs=1e-9)


def test_without_pressure_or_volume_all_uptakes_are_one():
    assert total_from_excess(2.0, 1.4, pressure_bar=0, temperature_k=77) == 2.0
    assert total_from_excess(2.0, 0.0, pressure_bar=100, temperature_k=77) == 2.0


def test_an_empty_tank_is_a_sorbent_without_excess():
    # 1 cm3/g of pores filled with gas of density d g/L holds d mg/g, that is d/10 wt%
    gas = gas_in_volume_wt_pct(1.0, pressure_bar=[1, 50], temperature_k=298.15)
    assert gas == pytest.approx(h2_density_g_per_l([1, 50], 298.15) / 10)


def test_a_negative_volume_is_refused():
    with pytest.raises(InputError, match="volume_cm3_per_g must be at least 0, got -1"):
        total_from_excess(1.0, -1.0, pressure_bar=1, temperature_k=77)


def test_interpolation_passes_through_the_points_and_stays_between_them():
    isotherm = total_isotherm()
    assert isotherm.uptake_wt_pct(isotherm.pressures_bar) == pytest.approx(isotherm.uptakes_wt_pct)
    fine = isotherm.uptake_wt_pct(np.geomspace(1, 100, 500))
    assert np.all(np.diff(fine) >= -1e-12)
    assert fine == pytest.approx(langmuir(np.geomspace(1, 100, 500)), rel=0.02)


@given(st.lists(st.tuples(st.floats(0.01, 5), st.floats(0, 3)), min_size=2, max_size=12), st.floats(0, 1))
def test_a_rising_isotherm_is_never_overshot(steps, at):
    pressures = np.cumsum([dp for dp, _ in steps])
    values = np.cumsum([dn for _, dn in steps])
    isotherm = Isotherm(pressures, values, temperature_k=77, uptake_kind="total")
    pressure = np.clip(pressures[0] + at * (pressures[-1] - pressures[0]), pressures[0], pressures[-1])
    assert values[0] - 1e-9 <= isotherm.uptake_wt_pct(pressure) <= values[-1] + 1e-9


@pytest.mark.parametrize("pressure", [0.5, 101])
def test_extrapolation_is_refused_with_the_range(pressure):
    with pytest.raises(InputError, match=rf"pressure_bar={pressure} is outside .* covers 1 to 100 bar"):
        total_isotherm().uptake_wt_pct([2, pressure])


def test_a_fitted_model_takes_over_outside_the_points():
    isotherm = total_isotherm(model=langmuir)
    assert isotherm.uptake_wt_pct([0, 200]) == pytest.approx(langmuir(np.array([0, 200])))
    assert isotherm.uptake_wt_pct(10) == pytest.approx(langmuir(10))


def test_the_mass_basis_converts_there_and_back():
    isotherm = total_isotherm()
    other = isotherm.on_basis("sorbent_plus_h2")
    assert other.mass_basis == "sorbent_plus_h2"
    assert np.all(np.less(other.uptakes_wt_pct, isotherm.uptakes_wt_pct))
    assert other.on_basis("sorbent").uptakes_wt_pct == pytest.approx(isotherm.uptakes_wt_pct)


def test_the_total_of_an_isotherm_does_not_depend_on_its_basis(mof5):
    direct = mof5.as_total(MOF5_PORE_VOLUME)
    around = mof5.on_basis("sorbent_plus_h2").as_total(MOF5_PORE_VOLUME)
    assert around.uptakes_wt_pct == pytest.approx(direct.uptakes_wt_pct)
    assert around.mass_basis == "sorbent"


def test_isotherms_are_values():
    assert total_isotherm() == total_isotherm(model=langmuir)
    assert hash(total_isotherm()) == hash(total_isotherm())
    with pytest.raises(AttributeError):
        total_isotherm().temperature_k = 300


@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        ({"pressures_bar": (1, 5, 5), "uptakes_wt_pct": (1, 2, 3)}, InputError, "got 5 followed by 5 "),
        ({"pressures_bar": (1, 5, 2), "uptakes_wt_pct": (1, 2, 3)}, InputError, "must increase strictly"),
        ({"pressures_bar": (1, 5), "uptakes_wt_pct": (1, 2, 3)}, InputError, "2 pressures and 3 uptakes"),
        ({"pressures_bar": (1,), "uptakes_wt_pct": (1,)}, InputError, "at least two points"),
        ({"pressures_bar": (-1, 5), "uptakes_wt_pct": (1, 2)}, InputError, "at least 0 .*got -1"),
        ({"pressures_bar": (1, 5), "uptakes_wt_pct": (1, np.nan)}, InputError, "missing points"),
        ({"temperature_k": 0}, InputError, "temperature_k of an isotherm must be above 0"),
        ({"uptake_kind": "exces"}, UnknownNameError, "did you mean 'excess'"),
        ({"mass_basis": "host"}, UnknownNameError, "unknown mass basis of an isotherm 'host'"),
    ],
)
def test_isotherms_that_cannot_be_used_are_refused(changes, error, message):
    with pytest.raises(error, match=message):
        total_isotherm(**changes)


def test_usable_capacity_by_hand():
    # total 10 and 5 % of the sorbent: 5 g per 100 g delivered, 0.6 g/cm3 gives 30 g/L
    isotherm = total_isotherm(pressures_bar=(5, 100), uptakes_wt_pct=(5, 10))
    result = usable_capacity(PRESSURE_SWING, isotherm, density_g_per_cm3=0.6)
    assert result.wt_pct_sorbent == pytest.approx(5)
    assert result.g_per_l == pytest.approx(30)
    assert result.wt_pct == pytest.approx(100 * (10 / 110 - 5 / 105))
    assert usable_capacity(PRESSURE_SWING, isotherm).g_per_l is None


def test_usable_capacity_does_not_depend_on_the_basis_of_the_isotherm():
    direct = usable_capacity(PRESSURE_SWING, total_isotherm(), density_g_per_cm3=0.6)
    other = usable_capacity(PRESSURE_SWING, total_isotherm().on_basis("sorbent_plus_h2"), density_g_per_cm3=0.6)
    assert other.wt_pct == pytest.approx(direct.wt_pct)
    assert other.g_per_l == pytest.approx(direct.g_per_l)


def test_mof5_delivers_about_what_simulated_tables_say(mof5):
    # Simulated pressure swings of MOF-5 at 77 K (100 to 5 bar) give 4.5 wt% and 31 g/L; the measured sample
    # takes up less at 5 bar, so it delivers somewhat more.
    swing = Swing(State(90, 77), State(5, 77))
    result = usable_capacity(swing, mof5.as_total(MOF5_PORE_VOLUME), density_g_per_cm3=MOF5_DENSITY)
    assert 4.2 < result.wt_pct < 5.5
    assert 30 < result.g_per_l < 38


def test_a_temperature_swing_uses_both_isotherms_and_delivers_more():
    warm = total_isotherm(
        temperature_k=160, uptakes_wt_pct=langmuir(np.array([1, 2, 5, 10, 20, 50, 100.0]), 6, 0.01)
    )
    swing = Swing(State(100, 77), State(5, 160))
    both = usable_capacity(swing, total_isotherm(), warm)
    pressure_only = usable_capacity(PRESSURE_SWING, total_isotherm())
    assert both.wt_pct > pressure_only.wt_pct
    assert both.wt_pct_sorbent == pytest.approx(langmuir(100) - langmuir(5, 6, 0.01))


def test_nothing_is_delivered_between_equal_states():
    result = usable_capacity(Swing(State(20, 77), State(20, 77)), total_isotherm(), density_g_per_cm3=1)
    assert (result.wt_pct, result.wt_pct_sorbent, result.g_per_l) == (0, 0, 0)


def test_excess_uptake_is_refused(mof5):
    with pytest.raises(InputError, match=r"convert excess uptake with Isotherm\.as_total"):
        usable_capacity(PRESSURE_SWING, mof5)
    with pytest.raises(InputError, match="got total and absolute"):
        usable_capacity(PRESSURE_SWING, total_isotherm(), total_isotherm(uptake_kind="absolute"))
    with pytest.raises(InputError, match="as_total needs an excess isotherm, got total"):
        total_isotherm().as_total(1.0)


def test_an_isotherm_of_another_temperature_is_refused():
    with pytest.raises(InputError, match="state is at 160 K but the isotherm at 77 K"):
        usable_capacity(Swing(State(100, 77), State(5, 160)), total_isotherm())
    assert usable_capacity(Swing(State(100, 77.36), State(5, 77)), total_isotherm()).wt_pct > 0


def test_a_density_that_is_not_positive_is_refused():
    with pytest.raises(InputError, match="density_g_per_cm3 must be above 0, got 0"):
        usable_capacity(PRESSURE_SWING, total_isotherm(), density_g_per_cm3=0)
