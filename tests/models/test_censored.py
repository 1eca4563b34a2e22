"""Upper bounds: the truncated-normal mean, never above the bound, at any distance."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hstore_models.censored import impute_censored

NUMBERS = st.floats(-50, 50)


def one(bound, mean, std):
    return impute_censored(np.array([bound]), np.array([True]), np.array([mean]), np.array([std]))[0]


@given(bound=NUMBERS, mean=NUMBERS, std=st.floats(1e-9, 20))
def test_an_imputed_value_is_finite_and_never_above_its_bound(bound, mean, std):
    value = one(bound, mean, std)
    assert np.isfinite(value)
    assert value <= bound


@given(z=st.floats(-30, 30), mean=NUMBERS, std=st.floats(0.01, 20))
def test_it_is_the_mean_of_the_normal_prediction_cut_off_at_the_bound(z, mean, std):
    from scipy.stats import truncnorm

    expected = truncnorm.mean(-np.inf, z, loc=mean, scale=std)
    assert one(mean + z * std, mean, std) == pytest.approx(expected, rel=1e-6, abs=1e-6 * std)


@given(st.floats(-1e8, -9e3))
def test_far_below_the_prediction_it_is_the_bound(z):
    assert one(z, 0.0, 1.0) == pytest.approx(z, rel=1e-7)


def test_a_bound_above_the_prediction_leaves_the_prediction():
    assert one(20.0, 3.0, 1.0) == pytest.approx(3.0)


def test_known_values_and_the_given_array_stay():
    given_values = np.array([1.0, 2.0, 3.0])
    result = impute_censored(given_values, np.array([False, True, False]), np.full(3, 5.0), np.full(3, 0.5))
    assert result[[0, 2]].tolist() == [1.0, 3.0]
    assert result[1] < 2.0
    assert given_values.tolist() == [1.0, 2.0, 3.0]


def test_without_bounds_nothing_changes():
    values = np.array([1.0, 2.0])
    assert np.array_equal(impute_censored(values, np.zeros(2, bool), np.zeros(2), np.ones(2)), values)
