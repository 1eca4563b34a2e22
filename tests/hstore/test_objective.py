"""Scores: limits, monotonicity, and agreement with brute force."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hstore.errors import InputError
from hstore.objective import expected_attainment, pareto_front, probability_at_least


def test_probability_is_a_half_at_the_requirement():
    assert probability_at_least(np.array([5.0]), np.array([1.0]), 5.0) == pytest.approx(0.5)


def test_probability_without_uncertainty_is_a_step():
    met = probability_at_least(np.array([4.9, 5.0, 5.1]), np.zeros(3), 5.0)
    assert met.tolist() == [0.0, 1.0, 1.0]


def test_probability_of_an_unknown_mean_is_unknown():
    assert np.isnan(probability_at_least(np.array([np.nan]), np.array([1.0]), 5.0)).all()


@pytest.mark.parametrize(("mean", "std"), [(3.0, 1.0), (-1.0, 2.0), (12.0, 0.5), (6.0, 4.0)])
def test_attainment_agrees_with_monte_carlo(mean, std):
    draws = np.random.default_rng(1).normal(mean, std, 400_000)
    expected = np.clip(draws, 0.0, 6.0).mean() / 6.0
    assert expected_attainment(np.array([mean]), np.array([std]), 6.0)[0] == pytest.approx(expected, abs=3e-3)


def test_attainment_without_uncertainty_is_the_clipped_share():
    shares = expected_attainment(np.array([-1.0, 1.5, 9.0]), np.zeros(3), 6.0)
    assert shares.tolist() == [0.0, 0.25, 1.0]


@given(st.floats(-5, 15), st.floats(0.01, 5), st.floats(0.1, 3))
def test_attainment_grows_with_the_mean_and_stays_a_share(mean, std, step):
    low, high = expected_attainment(np.array([mean, mean + step]), np.full(2, std), 6.0)
    assert 0.0 <= low <= high + 1e-12 <= 1.0 + 1e-12


def test_attainment_refuses_a_requirement_of_nothing():
    with pytest.raises(InputError, match="must be positive, got 0"):
        expected_attainment(np.array([1.0]), np.array([1.0]), 0.0)


@given(st.lists(st.tuples(st.integers(0, 6), st.integers(0, 6)), min_size=1, max_size=40))
def test_front_holds_exactly_the_undominated_points(points):
    values = np.array(points, dtype=float)
    front = pareto_front(values)
    for i, point in enumerate(values):
        beaten = any(np.all(other >= point) and np.any(other > point) for other in values)
        if front[i]:
            assert not beaten
        elif not beaten:
            assert any(front[j] and np.array_equal(values[j], point) for j in range(len(values)))


def test_front_ignores_unknown_values():
    assert pareto_front(np.array([[np.nan, 9.0], [1.0, 1.0]])).tolist() == [False, True]


def test_front_is_drawn_in_two_objectives():
    with pytest.raises(InputError, match="two objectives"):
        pareto_front(np.zeros((3, 3)))
