"""Van 't Hoff plateaux: published points, limits, inversion and error propagation."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hstore.errors import InputError
from hstore.thermo import (
    DEFAULT_HYSTERESIS,
    NO_HYSTERESIS,
    Hysteresis,
    State,
    absorption_pressure_bar,
    ln_plateau_pressure,
    ln_plateau_pressure_std,
    plateau_pressure_bar,
    plateau_temperature_k,
    plateau_temperature_std_k,
)

enthalpies = st.floats(5, 200)
entropies = st.floats(60, 180)
temperatures = st.floats(77, 1000)
pressures = st.floats(1e-3, 1e3)


@pytest.mark.parametrize(
    ("enthalpy", "entropy", "temperature", "low", "high"),
    [
        pytest.param(32, 110, 298.15, 1.2, 2.1, id="LaNi5 at 25 C, published 1.4 to 2 bar"),
        pytest.param(28.1, 106, 298.15, 3.0, 5.5, id="TiFe at 25 C, published 4.1 bar"),
        pytest.param(75, 135, 573.15, 1.2, 2.0, id="MgH2 at 300 C, published 1.6 to 1.8 bar"),
    ],
)
def test_published_plateau_pressures(enthalpy, entropy, temperature, low, high):
    assert low < plateau_pressure_bar(enthalpy, entropy, temperature) < high


def test_magnesium_hydride_reaches_one_bar_near_280_c():
    assert plateau_temperature_k(75, 135) == pytest.approx(560, abs=5)
    assert plateau_temperature_k(74.5, 135) == pytest.approx(74_500 / 135)


def test_units_by_hand():
    # 8.314... kJ/mol at 1000 K is exactly RT, so ln P falls by one.
    assert ln_plateau_pressure(8.31446261815324, 0, 1000) == pytest.approx(-1, rel=1e-12)
    assert ln_plateau_pressure(0, 8.31446261815324, 300) == pytest.approx(1, rel=1e-12)


def test_infinite_temperature_leaves_the_entropy():
    assert ln_plateau_pressure(30, 110, np.inf) == pytest.approx(110 / 8.31446261815324)


@given(enthalpies, entropies, temperatures)
def test_pressure_rises_with_temperature_and_entropy_and_falls_with_enthalpy(enthalpy, entropy, temperature):
    here = ln_plateau_pressure(enthalpy, entropy, temperature)
    assert ln_plateau_pressure(enthalpy, entropy, temperature + 1) > here
    assert ln_plateau_pressure(enthalpy + 1, entropy, temperature) < here
    assert ln_plateau_pressure(enthalpy, entropy + 1, temperature) > here


@given(enthalpies, entropies, pressures)
def test_temperature_inverts_pressure(enthalpy, entropy, pressure):
    temperature = plateau_temperature_k(enthalpy, entropy, pressure)
    if np.isnan(temperature):
        assert entropy <= 8.31446261815324 * math.log(pressure)
    else:
        assert ln_plateau_pressure(enthalpy, entropy, temperature) == pytest.approx(
            math.log(pressure), rel=1e-9, abs=1e-9
        )


@pytest.mark.parametrize(
    ("enthalpy", "entropy", "pressure"),
    [
        pytest.param(0, 110, 1, id="no enthalpy"),
        pytest.param(30, -5, 1, id="entropy of the wrong sign"),
        pytest.param(30, 0, 1, id="infinite temperature"),
        pytest.param(-30, 110, 1, id="unstable at every temperature"),
        pytest.param(np.nan, 110, 1, id="missing value"),
    ],
)
def test_no_plateau_temperature_is_nan_without_a_warning(enthalpy, entropy, pressure):
    assert np.isnan(plateau_temperature_k(enthalpy, entropy, pressure))


def test_arrays_broadcast_and_missing_rows_stay_alone():
    result = plateau_pressure_bar(np.array([[32.0], [np.nan]]), 110, np.array([280.0, 300.0, 320.0]))
    assert result.shape == (2, 3)
    assert np.isnan(result[1]).all()
    assert np.all(np.diff(result[0]) > 0)


def test_extreme_values_do_not_warn():
    assert plateau_pressure_bar(400, -50, 50) == 0
    assert plateau_pressure_bar(-150, 300, 10) == np.inf


@pytest.mark.parametrize("temperature", [0, -5, [300, 0]])
def test_a_temperature_that_is_not_positive_is_refused(temperature):
    with pytest.raises(InputError, match=r"temperature_k must be above 0, got (0|-5)"):
        ln_plateau_pressure(30, 110, temperature)


def test_the_message_names_the_row():
    with pytest.raises(InputError, match=r"got -7 \(index 2\)"):
        ln_plateau_pressure(30, 110, [300, 310, -7, -8])


def test_text_is_refused():
    with pytest.raises(InputError, match="enthalpy_kj_per_mol_h2 must be a number"):
        ln_plateau_pressure("thirty", 110, 300)


@pytest.mark.parametrize("correlation", [-0.9, 0.0, 0.5, 0.99])
def test_std_of_ln_pressure_against_sampling(correlation):
    rng = np.random.default_rng(3)
    stds = np.array([4.0, 9.0])
    covariance = np.outer(stds, stds) * np.array([[1, correlation], [correlation, 1]])
    enthalpy, entropy = rng.multivariate_normal([35, 115], covariance, size=400_000).T
    sampled = ln_plateau_pressure(enthalpy, entropy, 320).std()
    exact = ln_plateau_pressure_std(
        320, enthalpy_std_kj_per_mol_h2=4, entropy_std_j_per_mol_h2_k=9, correlation=correlation
    )
    assert exact == pytest.approx(sampled, rel=0.005)


@given(st.floats(0.01, 50), temperatures)
def test_compensation_removes_all_spread_at_one_temperature(enthalpy_std, temperature):
    spread = ln_plateau_pressure_std(
        temperature,
        enthalpy_std_kj_per_mol_h2=enthalpy_std,
        entropy_std_j_per_mol_h2_k=1000 * enthalpy_std / temperature,
        correlation=1.0,
    )
    assert spread == pytest.approx(0, abs=1e-9)


def test_spread_at_infinite_temperature_is_that_of_the_entropy():
    spread = ln_plateau_pressure_std(np.inf, enthalpy_std_kj_per_mol_h2=5, entropy_std_j_per_mol_h2_k=10)
    assert spread == pytest.approx(10 / 8.31446261815324)


@pytest.mark.parametrize(
    "wrong",
    [
        {"enthalpy_std_kj_per_mol_h2": -1, "entropy_std_j_per_mol_h2_k": 1},
        {"enthalpy_std_kj_per_mol_h2": 1, "entropy_std_j_per_mol_h2_k": -1},
        {"enthalpy_std_kj_per_mol_h2": 1, "entropy_std_j_per_mol_h2_k": 1, "correlation": 1.1},
    ],
)
def test_impossible_spreads_are_refused(wrong):
    with pytest.raises(InputError, match="must be at least"):
        ln_plateau_pressure_std(300, **wrong)


def test_std_of_the_plateau_temperature_against_sampling():
    rng = np.random.default_rng(5)
    enthalpy = rng.normal(75, 1.0, 300_000)
    entropy = rng.normal(135, 2.0, 300_000)
    sampled = plateau_temperature_k(enthalpy, entropy, 3.0).std()
    estimate = plateau_temperature_std_k(
        75, 135, 3.0, enthalpy_std_kj_per_mol_h2=1.0, entropy_std_j_per_mol_h2_k=2.0
    )
    assert estimate == pytest.approx(sampled, rel=0.01)


def test_std_of_a_temperature_that_does_not_exist_is_nan():
    spread = {"enthalpy_std_kj_per_mol_h2": 1.0, "entropy_std_j_per_mol_h2_k": 2.0}
    result = plateau_temperature_std_k([75, 0, -10], [135, 100, 100], **spread)
    assert np.isfinite(result[0])
    assert np.isnan(result[1:]).all()


def test_hysteresis_raises_the_absorption_plateau():
    measured = Hysteresis(ln_ratio=math.log(2), lower=0.5, upper=0.9, basis="a measurement")
    assert absorption_pressure_bar(1.5, measured) == pytest.approx(3.0)
    assert absorption_pressure_bar(1.5, NO_HYSTERESIS) == 1.5
    assert np.all(absorption_pressure_bar([0.1, 1, 10]) > [0.1, 1, 10])


def test_hysteresis_interval_is_the_central_ninety_percent():
    std = Hysteresis(ln_ratio=0.5, lower=0.1, upper=0.9).std
    share = math.erf(0.4 / std / math.sqrt(2))
    assert share == pytest.approx(0.90, abs=1e-9)
    assert NO_HYSTERESIS.std == 0


def test_default_hysteresis_says_that_it_is_an_assumption():
    assert "stated assumption" in DEFAULT_HYSTERESIS.basis
    assert DEFAULT_HYSTERESIS.lower < DEFAULT_HYSTERESIS.ln_ratio < DEFAULT_HYSTERESIS.upper


@pytest.mark.parametrize("values", [(-0.1, -0.2, 0.1), (0.5, 0.6, 0.8), (0.5, 0.1, 0.4), (0.5, 0.1, np.inf)])
def test_impossible_hysteresis_is_refused(values):
    with pytest.raises(InputError, match="hysteresis needs"):
        Hysteresis(*values)


@pytest.mark.parametrize(("pressure", "temperature"), [(0, 300), (-1, 300), (1, 0)])
def test_states_need_positive_pressure_and_temperature(pressure, temperature):
    with pytest.raises(InputError, match="of a state must be above 0"):
        State(pressure, temperature)
