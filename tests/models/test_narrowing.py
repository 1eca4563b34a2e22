import numpy as np
import pytest

from hstore_models.calibration import NORMAL_QUANTILE, calibrate
from hstore_models.narrowing import narrowed


def held_out(n=600, wide=1.0, seed=0):
    """Rows of 120 groups in two families whose errors are normal; intervals are too wide by a factor."""
    random = np.random.default_rng(seed)
    truth = random.normal(size=n)
    mean = truth + random.normal(size=n)
    families = np.where(np.arange(n) % 2, "one", "other")
    groups = np.array([f"group {number}" for number in random.integers(0, 120, n)])
    return truth, mean, np.full(n, wide), families, groups


def apply(rows):
    truth, mean, std, families, groups = rows
    before = calibrate(truth, mean, np.ones(len(truth)), families=families)
    return before, narrowed(before, truth, mean, std, families=families, groups=groups)


def coverage(before, after, rows):
    truth, mean, std, families, _ = rows
    factor = np.array([after.family_factors.get(f, 1.0) / before.family_factors.get(f, 1.0) for f in families])
    half = NORMAL_QUANTILE * std * factor * after.scale / before.scale
    return np.mean(np.abs(truth - mean) <= half)


def test_intervals_that_are_too_wide_are_narrowed_and_still_cover():
    rows = held_out(wide=1.5)
    before, after = apply(rows)
    assert after.scale < 0.95 * before.scale
    assert 0.9 <= coverage(before, after, rows) < 0.95


@pytest.mark.parametrize("wide", [0.7, 1.0])
def test_intervals_that_cover_no_more_than_they_should_stay(wide):
    before, after = apply(held_out(wide=wide))
    assert after.scale >= 0.95 * before.scale
    assert set(after.family_factors) == set(before.family_factors)


def test_only_the_family_that_covers_nearly_always_is_narrowed_by_itself():
    truth, mean, std, families, groups = held_out()
    mean = np.where(families == "one", truth + (mean - truth) / 4, mean)
    before, after = apply((truth, mean, std, families, groups))
    assert after.family_factors["one"] == pytest.approx(0.8 * before.family_factors.get("one", 1.0))
    assert after.family_factors.get("other") == before.family_factors.get("other")


def test_a_family_that_would_miss_keeps_all_intervals_wide():
    truth, mean, std, families, groups = held_out(wide=1.5)
    mean = np.where(families == "one", truth + 2.2 * (mean - truth), mean)
    before, after = apply((truth, mean, std, families, groups))
    assert after.scale == before.scale
