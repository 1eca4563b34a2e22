"""Usable capacity of hydrides: the two conditions of a swing and their joint probability."""

from __future__ import annotations

import time

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import multivariate_normal, norm

from hstore.errors import InputError
from hstore.hydride import bivariate_normal_cdf, swing_margins, swing_probability, usable_capacity_wt_pct
from hstore.thermo import (
    NO_HYSTERESIS,
    Hysteresis,
    State,
    Swing,
    absorption_pressure_bar,
    plateau_pressure_bar,
)

SWING = Swing(charged=State(30, 298.15), discharged=State(3, 353.15))
STATIONARY = Swing(charged=State(10, 293.15), discharged=State(1, 333.15))
WIDE = {"enthalpy_std_kj_per_mol_h2": 6.0, "entropy_std_j_per_mol_h2_k": 12.0}


def test_lani5_works_between_room_temperature_and_60_c_and_mgh2_does_not():
    usable = usable_capacity_wt_pct([1.4, 7.6], [31, 75], [109, 135], swing=STATIONARY)
    assert usable == pytest.approx([1.4, 0.0])


def test_a_hydride_too_unstable_to_charge_delivers_nothing():
    # dissociation pressure of about 100 bar at room temperature, as for TiCr2-type alloys
    margins = swing_margins(20, 105, swing=STATIONARY)
    assert margins.absorption < 0 < margins.desorption
    assert usable_capacity_wt_pct(1.8, 20, 105, swing=STATIONARY) == 0


def test_margins_are_those_of_the_plateaux():
    hysteresis = Hysteresis(0.3, 0.1, 0.5)
    margins = swing_margins(32, 110, swing=SWING, hysteresis=hysteresis)
    filling = absorption_pressure_bar(plateau_pressure_bar(32, 110, 298.15), hysteresis)
    assert margins.absorption == pytest.approx(np.log(30 / filling))
    assert margins.desorption == pytest.approx(np.log(plateau_pressure_bar(32, 110, 353.15) / 3))


def test_hysteresis_can_close_a_swing():
    # between 3.3 and 3 bar at one temperature nothing with hysteresis can work
    tight = Swing(State(3.3, 300), State(3.0, 300))
    entropy = 110
    enthalpy = 300 * (entropy - 8.31446261815324 * np.log(3.15)) / 1000
    assert usable_capacity_wt_pct(1.4, enthalpy, entropy, swing=tight, hysteresis=NO_HYSTERESIS) == 1.4
    assert usable_capacity_wt_pct(1.4, enthalpy, entropy, swing=tight) == 0


def test_missing_values_stay_missing_and_conditions_may_differ_by_row():
    swing = Swing(State(np.array([30.0, 30.0, 1.0]), 298.15), State(3.0, np.array([353.15, 353.15, 353.15])))
    usable = usable_capacity_wt_pct(1.4, [32, np.nan, 32], 110, swing=swing)
    assert usable[0] == 1.4
    assert np.isnan(usable[1])
    assert usable[2] == 0
    assert np.isnan(swing_probability([32, np.nan], 110, swing=SWING, **WIDE)).tolist() == [False, True]


def test_negative_capacity_is_refused():
    with pytest.raises(InputError, match=r"reversible_capacity_wt_pct must be at least 0"):
        usable_capacity_wt_pct(-1, 30, 110, swing=SWING)


@pytest.mark.parametrize("correlation", [-0.999, -0.8, -0.3, 0.0, 0.5, 0.95, 0.9999])
def test_bivariate_normal_against_scipy(correlation):
    grid = np.array([-4.0, -1.3, -0.2, 0.0, 0.7, 2.5])
    h, k = (g.ravel() for g in np.meshgrid(grid, grid))
    covariance = [[1, correlation], [correlation, 1]]
    expected = [
        multivariate_normal.cdf(point, cov=covariance, abseps=1e-11, releps=1e-11)
        for point in zip(h, k, strict=True)
    ]
    assert bivariate_normal_cdf(h, k, correlation) == pytest.approx(expected, abs=1e-7)


def test_bivariate_normal_at_the_origin_is_known_exactly():
    rho = np.linspace(-1, 1, 21)
    assert bivariate_normal_cdf(0, 0, rho) == pytest.approx(0.25 + np.arcsin(rho) / (2 * np.pi), abs=1e-12)


finite = st.floats(-6, 6)
correlations = st.floats(-1, 1)


@given(finite, finite, correlations)
def test_bivariate_normal_obeys_its_bounds_and_symmetries(h, k, rho):
    p = bivariate_normal_cdf(h, k, rho)
    assert max(0.0, norm.cdf(h) + norm.cdf(k) - 1) - 1e-9 <= p <= min(norm.cdf(h), norm.cdf(k)) + 1e-9
    assert p == pytest.approx(bivariate_normal_cdf(k, h, rho), abs=1e-9)
    # P(X<=h, Y<=k) + P(X<=h, Y>k) = P(X<=h), and Y -> -Y flips the correlation
    assert p + bivariate_normal_cdf(h, -k, -rho) == pytest.approx(norm.cdf(h), abs=2e-7)


@given(finite, correlations)
def test_an_infinite_bound_leaves_the_other_variable(h, rho):
    assert bivariate_normal_cdf(h, np.inf, rho) == pytest.approx(norm.cdf(h), abs=1e-12)
    assert bivariate_normal_cdf(-np.inf, h, rho) == pytest.approx(0, abs=1e-12)


@given(finite, finite)
def test_independence_is_a_product(h, k):
    assert bivariate_normal_cdf(h, k, 0.0) == pytest.approx(norm.cdf(h) * norm.cdf(k), abs=1e-12)


def test_a_correlation_beyond_one_is_refused():
    with pytest.raises(InputError, match=r"correlation must be at least -1 and at most 1, got 1.2"):
        bivariate_normal_cdf(0, 0, 1.2)


@pytest.mark.parametrize("correlation", [-0.7, 0.0, 0.9])
@pytest.mark.parametrize(("enthalpy", "entropy"), [(28, 105), (34, 112), (45, 120)])
def test_swing_probability_against_sampling(enthalpy, entropy, correlation):
    rng = np.random.default_rng(11)
    hysteresis = Hysteresis(0.4, 0.1, 0.7)
    stds = np.array(list(WIDE.values()))
    covariance = np.outer(stds, stds) * np.array([[1, correlation], [correlation, 1]])
    sample = rng.multivariate_normal([enthalpy, entropy], covariance, size=200_000).T
    margins = swing_margins(*sample, swing=SWING, hysteresis=NO_HYSTERESIS)
    lost = rng.normal(hysteresis.ln_ratio, hysteresis.std, 200_000)
    sampled = np.mean((margins.absorption - lost >= 0) & (margins.desorption >= 0))
    exact = swing_probability(
        enthalpy, entropy, swing=SWING, correlation=correlation, hysteresis=hysteresis, **WIDE
    )
    assert exact == pytest.approx(sampled, abs=0.005)


def test_compensating_enthalpy_and_entropy_decouple_two_temperatures():
    # With this compensation the two ln P are nearly independent, so every term of their covariance counts, and
    # so does the spread of a strong hysteresis.
    rng = np.random.default_rng(17)
    hysteresis = Hysteresis(2.0, 0.0, 4.0)
    stds, correlation, n = np.array([6.0, 16.0]), 0.95, 400_000
    covariance = np.outer(stds, stds) * np.array([[1, correlation], [correlation, 1]])
    sample = rng.multivariate_normal([30, 110], covariance, size=n).T
    means = {t: float(plateau_pressure_bar(30, 110, t)) for t in (250, 500)}
    swing = Swing(State(means[250] * np.exp(2.0), 250), State(means[500], 500))
    margins = swing_margins(*sample, swing=swing, hysteresis=NO_HYSTERESIS)
    lost = rng.normal(hysteresis.ln_ratio, hysteresis.std, n)
    sampled = np.mean((margins.absorption - lost >= 0) & (margins.desorption >= 0))
    exact = swing_probability(
        30,
        110,
        swing=swing,
        enthalpy_std_kj_per_mol_h2=stds[0],
        entropy_std_j_per_mol_h2_k=stds[1],
        correlation=correlation,
        hysteresis=hysteresis,
    )
    assert exact == pytest.approx(sampled, abs=0.003)
    assert 0.2 < exact < 0.3


def test_an_uncertain_hysteresis_spreads_the_probability():
    # a margin of one in ln P, and dH and dS known exactly: the rest is the spread of the hysteresis
    wide = Hysteresis(1.0, 0.0, 2.0)
    swing = Swing(State(float(plateau_pressure_bar(32, 110, 298.15)) * np.exp(2.0), 298.15), State(1, 353.15))
    known = {"enthalpy_std_kj_per_mol_h2": 0.0, "entropy_std_j_per_mol_h2_k": 0.0}
    probability = swing_probability(32, 110, swing=swing, hysteresis=wide, **known)
    assert probability == pytest.approx(norm.cdf(1 / wide.std), abs=1e-9)
    assert probability == pytest.approx(0.95, abs=1e-9)


@given(st.floats(10, 90), st.floats(90, 150))
def test_without_spread_the_probability_is_the_yes_or_no_answer(enthalpy, entropy):
    none = {"enthalpy_std_kj_per_mol_h2": 0.0, "entropy_std_j_per_mol_h2_k": 0.0}
    works = usable_capacity_wt_pct(1.0, enthalpy, entropy, swing=SWING, hysteresis=NO_HYSTERESIS)
    probability = swing_probability(enthalpy, entropy, swing=SWING, hysteresis=NO_HYSTERESIS, **none)
    assert probability == works


def test_small_spread_far_from_the_edges_is_certain():
    small = {"enthalpy_std_kj_per_mol_h2": 0.05, "entropy_std_j_per_mol_h2_k": 0.1}
    certain = swing_probability([32, 75], [110, 135], swing=SWING, hysteresis=NO_HYSTERESIS, **small)
    assert certain == pytest.approx([1, 0], abs=1e-9)


def test_one_temperature_and_no_hysteresis_is_the_probability_of_an_interval():
    # Both conditions then bound one normal variable from both sides.
    isothermal = Swing(State(20, 320), State(2, 320))
    mean = swing_margins(32, 110, swing=isothermal, hysteresis=NO_HYSTERESIS)
    ln_p = np.log(20) - mean.absorption
    std = np.hypot(12 / 8.31446261815324, 6000 / 8.31446261815324 / 320)
    expected = norm.cdf((np.log(20) - ln_p) / std) - norm.cdf((np.log(2) - ln_p) / std)
    assert swing_probability(32, 110, swing=isothermal, hysteresis=NO_HYSTERESIS, **WIDE) == pytest.approx(
        expected, abs=1e-7
    )


def test_easier_conditions_are_more_probable():
    easier = Swing(State(60, 298.15), State(1, 373.15))
    enthalpy = np.linspace(15, 70, 56)
    hard = swing_probability(enthalpy, 112, swing=SWING, **WIDE)
    easy = swing_probability(enthalpy, 112, swing=easier, **WIDE)
    assert np.all(easy >= hard - 1e-12)
    assert easy.max() > hard.max()


def test_hundred_thousand_rows_take_about_a_second_at_most():
    rng = np.random.default_rng(0)
    enthalpy, entropy = rng.normal(40, 15, 100_000), rng.normal(115, 12, 100_000)
    swing_probability(enthalpy[:10], entropy[:10], swing=SWING, **WIDE)
    start = time.process_time()
    probability = swing_probability(enthalpy, entropy, swing=SWING, correlation=0.6, **WIDE)
    assert time.process_time() - start < 1.5  # 0.1 s on an idle core
    assert probability.shape == (100_000,)
    assert np.all((probability >= 0) & (probability <= 1))
