"""The noise floor is the mean absolute error of a perfect model, without bias for any number of repeats."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest

from hstore_models.noise import noise_floor


@pytest.mark.parametrize("repeats", [2, 3, 5])
def test_a_perfect_model_is_wrong_by_the_noise(repeats):
    rng = np.random.default_rng(0)
    true = np.repeat(rng.normal(30, 10, 6000), repeats)
    measured = true + rng.normal(0, 3.0, len(true))
    floor = noise_floor(np.repeat(np.arange(6000), repeats).astype(str), measured)
    assert floor.mae == pytest.approx(np.abs(measured - true).mean(), rel=0.03)
    assert (floor.n_rows, floor.n_materials) == (len(true), 6000)


def test_pairs_of_unequal_groups_count_by_their_rows():
    values = np.array([1.0, 4.0, 2.0, 10.0, 11.0, 5.0, np.nan])
    keys = ["a", "a", "a", "b", "b", "c", "c"]
    of_a = np.mean([abs(x - y) for x, y in combinations(values[:3], 2)])
    floor = noise_floor(keys, values)
    assert floor.mae == pytest.approx((3 * of_a + 2 * 1.0) / 5 / np.sqrt(2))
    assert (floor.n_rows, floor.n_materials) == (5, 2)


def test_without_repeats_there_is_no_floor():
    floor = noise_floor(["a", "b"], np.array([1.0, 2.0]))
    assert np.isnan(floor.mae)
    assert floor.n_rows == 0
