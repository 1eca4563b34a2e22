"""Means of correlated series: where they have settled, and how often the interval holds the truth."""

from __future__ import annotations

import math

import numpy as np
import pytest

from hstore_models.physics.series import average, inefficiency, relative_drift, settled_from


def correlated(rng, n, memory):
    """Autoregressive series of mean 0 whose correlation is ``memory`` to the lag."""
    noise = rng.standard_normal(n)
    series = np.empty(n)
    series[0] = noise[0] / math.sqrt(1 - memory**2)
    for place in range(1, n):
        series[place] = memory * series[place - 1] + noise[place]
    return series


@pytest.mark.parametrize("memory", [0.0, 0.5, 0.9])
def test_inefficiency_is_that_of_the_process(memory):
    series = correlated(np.random.default_rng(1), 40_000, memory)
    assert inefficiency(series) == pytest.approx((1 + memory) / (1 - memory), rel=0.25)


def test_the_interval_holds_the_mean_as_often_as_it_says():
    rng = np.random.default_rng(2)
    held = [abs((a := average(correlated(rng, 1000, 0.8), start=0)).mean) <= a.error_95 for _ in range(200)]
    assert np.mean(held) >= 0.92


def test_growth_is_left_out():
    rng = np.random.default_rng(3)
    growth = 100 * (1 - np.exp(-np.arange(2000) / 50))
    series = growth + rng.standard_normal(2000)
    assert 150 <= settled_from(series) <= 600
    found = average(series)
    assert found.mean == pytest.approx(100, abs=0.3)
    assert abs(found.mean - 100) <= 2 * found.error_95


def test_a_series_that_never_settles_has_a_drift():
    rng = np.random.default_rng(4)
    assert relative_drift(100 + 0.01 * np.arange(2000) + rng.standard_normal(2000)) > 0.1
    assert abs(relative_drift(100 + rng.standard_normal(2000))) < 0.002


def test_few_samples_have_no_error():
    assert average(np.ones(5)).error_95 == math.inf


def test_a_constant_has_no_error():
    assert average(np.full(100, 7.0)) == average(np.full(100, 7.0), start=0)
    assert average(np.full(100, 7.0)).error_95 == 0.0
