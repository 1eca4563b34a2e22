"""Intervals on held-out rows: they cover new groups, hold in families and ranges, and are no wider than needed."""

from __future__ import annotations

import numpy as np
import pytest

from hstore_models.calibration import JOINT, NORMAL_QUANTILE, Calibration
from hstore_models.conformal import calibrate, needed
from hstore_models.coverage import below_nominal


def rows(seed, n_groups=150, *, hard=3.0):
    """Groups of four rows that err together; the family ``hard`` errs by a factor more than its spread says."""
    rng = np.random.default_rng(seed)
    groups = np.repeat(np.arange(n_groups), 4)
    families = np.where(groups % 3 == 0, "hard", "easy")
    mean = rng.uniform(0, 10, len(groups))
    spread = rng.uniform(0.5, 2.0, len(groups))
    size = spread * np.where(families == "hard", hard, 1.0)
    shared = np.repeat(rng.normal(size=n_groups), 4)
    truth = mean + size * (0.6 * shared + 0.8 * rng.normal(size=len(groups)))
    return truth, mean, spread, families, groups.astype(str)


def covered(calibration, data, **known):
    truth, mean, spread, families, _ = data
    std = calibration.std(spread, mean, families, **known)
    return np.abs(truth - mean) <= NORMAL_QUANTILE * std, std


@pytest.mark.parametrize("seed", range(4))
def test_intervals_cover_rows_of_new_groups_in_every_family(seed):
    truth, mean, spread, families, groups = rows(seed)
    found = calibrate(truth, mean, spread, families=families, groups=groups)
    inside, _ = covered(found, rows(seed + 100))
    assert 0.88 <= inside.mean() <= 0.97
    for name in ("hard", "easy"):
        of_family = rows(seed + 100)[3] == name
        assert below_nominal(inside[of_family], rows(seed + 100)[4][of_family])[0] >= 0.01


def test_a_family_does_not_pay_for_the_errors_of_another():
    truth, mean, spread, families, groups = rows(0)
    found = calibrate(truth, mean, spread, families=families, groups=groups)
    _, std = covered(found, rows(1))
    plain = calibrate(truth, mean, spread, groups=groups)
    easy = rows(1)[3] == "easy"
    assert std[easy].mean() < 0.8 * plain.std(spread, mean)[families == "easy"].mean()
    assert std[~easy].mean() > 2.0 * std[easy].mean()


def test_intervals_are_not_much_wider_than_covering_needs():
    truth, mean, spread, families, groups = rows(2, hard=1.0)
    found = calibrate(truth, mean, spread, families=families, groups=groups)
    inside, std = covered(found, rows(3, hard=1.0))
    ideal = 2 * NORMAL_QUANTILE * rows(3, hard=1.0)[2].mean()
    assert inside.mean() >= 0.88
    assert 2 * NORMAL_QUANTILE * std.mean() < 1.35 * ideal


def test_a_second_family_of_a_row_has_a_factor_of_its_own():
    truth, mean, spread, families, groups = rows(4)
    joined = np.array([f"alloy{JOINT}stated {name}" for name in families])
    found = calibrate(truth, mean, spread, families=joined, groups=groups)
    ratio = found.family_factors["stated hard"] / found.family_factors.get("stated easy", 1.0)
    assert 2.0 < ratio < 4.5
    known, unknown = (found.std(spread[:1], mean[:1], [name]) for name in (f"alloy{JOINT}stated hard", "alloy"))
    assert known[0] == pytest.approx(unknown[0] * found.family_factors["stated hard"])


def test_rows_with_rare_elements_are_as_wide_as_their_errors_ask():
    truth, mean, spread, _, groups = rows(5, hard=1.0)
    strange = np.asarray(groups, dtype=int) % 5 == 0
    truth = np.where(strange, mean + 2.5 * (truth - mean), truth)
    found = calibrate(truth, mean, spread, groups=groups, strange=strange)
    assert 1.5 < found.strange_factor <= 3.0
    few = calibrate(truth, mean, spread, groups=groups, strange=np.arange(len(truth)) < 8)
    assert few.strange_factor == 1.5


def test_rows_that_do_not_count_change_nothing():
    truth, mean, spread, families, groups = rows(6)
    counted = np.ones(len(truth), dtype=bool)
    counted[::7] = False
    wild = np.where(counted, truth, 1e6)
    one = calibrate(wild, mean, spread, families=families, groups=groups, counted=counted)
    other = calibrate(
        *(x[counted] for x in (truth, mean, spread)), families=families[counted], groups=groups[counted]
    )
    np.testing.assert_array_equal(one.std(spread, mean, families), other.std(spread, mean, families))


def test_perfect_answers_give_no_width_and_no_error():
    mean = np.linspace(0, 1, 60)
    found = calibrate(mean, mean, np.zeros(60), groups=np.arange(60).astype(str))
    assert np.all(found.std(np.zeros(60), mean) >= 0)


def test_the_needed_factor_is_the_conformal_quantile():
    assert needed(np.arange(1.0, 101.0)) == 91.0
    assert needed(np.array([1.0, 5.0])) == 5.0


def test_factors_of_ranges_change_at_their_edges():
    calibration = Calibration(0.0, 1.0, {}, np.array([1.0, 2.0]), np.array([1.0, 2.0, 3.0]), np.inf, 1.0)
    np.testing.assert_array_equal(calibration.std(np.ones(4), np.array([0.5, 1.0, 1.9, 2.5])), [1, 2, 2, 3])
