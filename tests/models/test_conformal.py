"""Intervals on held-out rows: they cover new groups, hold in families and ranges, and are no wider than needed."""

from __future__ import annotations

import numpy as np
import pytest

from hstore_models.calibration import JOINT, NORMAL_QUANTILE, OpenEnd, Reach, reach_to_values
from hstore_models.conformal import calibrate, needed
from hstore_models.coverage import below_nominal
from hstore_models.serialization import from_bytes, to_bytes


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
    reach = calibration.reach(spread, mean, families, **known)
    return (truth >= mean - reach.below) & (truth <= mean + reach.above), reach.std


@pytest.mark.parametrize("seed", range(4))
def test_intervals_cover_rows_of_new_groups_in_every_family(seed):
    truth, mean, spread, families, _ = rows(seed)
    found = calibrate(truth, mean, spread, families=families)
    inside, _ = covered(found, rows(seed + 100))
    assert 0.88 <= inside.mean() <= 0.97
    for name in ("hard", "easy"):
        of_family = rows(seed + 100)[3] == name
        assert below_nominal(inside[of_family], rows(seed + 100)[4][of_family])[0] >= 0.01


def test_a_family_does_not_pay_for_the_errors_of_another():
    truth, mean, spread, families, _ = rows(0)
    found = calibrate(truth, mean, spread, families=families)
    _, std = covered(found, rows(1))
    plain = calibrate(truth, mean, spread)
    easy = rows(1)[3] == "easy"
    assert std[easy].mean() < 0.8 * plain.reach(spread, mean).std[families == "easy"].mean()
    assert std[~easy].mean() > 1.8 * std[easy].mean()


def test_a_few_rows_say_little_of_their_family():
    truth, mean, spread, families, _ = rows(0)
    few = np.arange(len(truth)) < 24
    found = calibrate(truth, mean, spread, families=np.where(few, families, "easy"))
    many = calibrate(truth, mean, spread, families=families)
    assert found.family_factors["hard"] < many.family_factors["hard"]


def test_intervals_are_not_much_wider_than_covering_needs():
    truth, mean, spread, families, _ = rows(2, hard=1.0)
    found = calibrate(truth, mean, spread, families=families)
    inside, std = covered(found, rows(3, hard=1.0))
    ideal = 2 * NORMAL_QUANTILE * rows(3, hard=1.0)[2].mean()
    assert inside.mean() >= 0.88
    assert 2 * NORMAL_QUANTILE * std.mean() < 1.35 * ideal


def test_a_second_family_of_a_row_has_a_factor_of_its_own():
    truth, mean, spread, families, _ = rows(4)
    joined = np.array([f"alloy{JOINT}stated {name}" for name in families])
    found = calibrate(truth, mean, spread, families=joined)
    assert 1.8 < found.family_factors["stated hard"] / found.family_factors["stated easy"] < 4.5
    known, unknown = (found.half_width(spread[:1], [name]) for name in (f"alloy{JOINT}stated hard", "alloy"))
    assert known[0] == pytest.approx(unknown[0] * found.family_factors["stated hard"])


def leaning(seed, n=1000):
    """Answers that lean towards the middle: they hold half of what makes values differ."""
    rng = np.random.default_rng(seed)
    known, hidden = rng.normal(size=n), rng.normal(size=n)
    return known + hidden, known, np.ones(n)


def test_low_and_high_values_are_covered_although_answers_lean_towards_the_middle():
    truth, mean, spread = leaning(0)
    found = calibrate(truth, mean, spread)
    new, answer, _ = leaning(1)
    reach = found.reach(spread, answer)
    inside = (new >= answer - reach.below) & (new <= answer + reach.above)
    assert inside.mean() >= 0.89
    plain = np.abs(new - answer) <= np.quantile(np.abs(truth - mean), 0.92)
    for fifth in np.array_split(np.argsort(new), 5)[::4]:
        assert inside[fifth].mean() > plain[fifth].mean() + 0.02
        assert inside[fifth].mean() > 0.8
    low, high = answer < -1, answer > 1
    assert reach.below[low].mean() > 1.1 * reach.above[low].mean()
    assert reach.above[high].mean() > 1.1 * reach.below[high].mean()


def test_rows_with_rare_elements_are_as_wide_as_their_errors_ask():
    truth, mean, spread, _, groups = rows(5, hard=1.0)
    strange = np.asarray(groups, dtype=int) % 5 == 0
    truth = np.where(strange, mean + 2.5 * (truth - mean), truth)
    found = calibrate(truth, mean, spread, strange=strange)
    assert 1.5 < found.strange_factor <= 3.0
    none = calibrate(truth, mean, spread)
    assert none.strange_factor == 1.5
    wide, usual = (found.reach(spread, mean, strange=np.full(len(mean), odd)).std for odd in (True, False))
    assert np.all(wide > usual)


def test_rows_that_do_not_count_change_nothing():
    truth, mean, spread, families, _ = rows(6)
    counted = np.ones(len(truth), dtype=bool)
    counted[::7] = False
    wild = np.where(counted, truth, 1e6)
    one = calibrate(wild, mean, spread, families=families, counted=counted)
    other = calibrate(*(x[counted] for x in (truth, mean, spread)), families=families[counted])
    for name in ("below", "above", "std"):
        np.testing.assert_array_equal(
            *(getattr(found.reach(spread, mean, families), name) for found in (one, other))
        )


def test_perfect_answers_give_no_width_and_no_error():
    mean = np.linspace(0, 1, 60)
    found = calibrate(mean, mean, np.zeros(60))
    assert np.all(found.reach(np.zeros(60), mean).std >= 0)


def test_the_needed_factor_is_the_conformal_quantile():
    assert needed(np.arange(1.0, 101.0)) == 91.0
    assert needed(np.array([1.0, 5.0])) == 5.0


def test_a_value_is_held_by_the_factor_of_its_own_range():
    edges, factors = np.array([0.0, 10.0]), np.array([3.0, 1.0, 2.0])
    mean = np.array([5.0, 1.0, 9.0, -5.0])
    below, above = reach_to_values(mean, np.full(4, 2.0), edges, factors)
    # From 5, +-2 ends within the middle range; from 1 and 9 the outer ranges are within 3 and 2 half-widths.
    np.testing.assert_allclose(mean - below, [-1.0, -5.0, 7.0, -11.0])
    np.testing.assert_allclose(mean + above, [7.0, 3.0, 13.0, 0.0])


def test_intervals_span_all_values_that_belong_to_them():
    rng = np.random.default_rng(0)
    mean, half = rng.normal(size=50), rng.uniform(0.1, 2.0, 50)
    edges, factors = np.sort(rng.normal(size=4)), rng.uniform(0.5, 2.0, 5)
    below, above = reach_to_values(mean, half, edges, factors)
    values = rng.normal(0, 3, (50, 400))
    belongs = np.abs(values - mean[:, None]) <= half[:, None] * factors[np.searchsorted(edges, values)]
    assert np.all(values[belongs] >= np.broadcast_to((mean - below)[:, None], values.shape)[belongs])
    assert np.all(values[belongs] <= np.broadcast_to((mean + above)[:, None], values.shape)[belongs])
    even = reach_to_values(mean, half, edges, np.ones(5))
    np.testing.assert_allclose(even, [half, half])


def test_answers_near_a_bound_may_stand_for_whatever_lies_below_it():
    rng = np.random.default_rng(0)
    real = rng.uniform(-12.0, 0.0, 400)
    mean, bounds = real + rng.normal(0, 1.0, 400), real < -8.0
    found = calibrate(np.maximum(real, -8.0), mean, np.ones(400), bounds=bounds, open_end=-15.0)
    reach = found.reach(np.ones(400), mean)
    lower = mean - reach.below
    assert found.open_end.bound == -8.0
    assert 0.85 <= np.mean(lower[bounds] <= -15.0) <= 0.95
    assert not np.any(lower[real > -4.0] <= -15.0)
    assert np.all(reach.std < 2.0), "what is open says nothing of the error"
    assert np.mean((np.where(bounds, -15.0, real) >= lower) & (real <= mean + reach.above)) >= 0.89
    assert calibrate(real, mean, np.ones(400)).open_end is None


def test_of_few_bounds_every_interval_that_reaches_one_ends_openly():
    truth, mean, spread = leaning(0, 200)
    bounds = np.arange(200) < 5
    found = calibrate(truth, mean, spread, bounds=bounds)
    assert found.open_end == OpenEnd(float(np.median(truth[:5])), 1.0, float(truth.min()))


def test_reaches_keep_their_form_when_scaled():
    reach = Reach(np.array([1.0, 2.0]), np.array([3.0, 2.0]), np.array([4.0, 4.0]) / (2 * NORMAL_QUANTILE))
    wider = reach.scaled(np.array([2.0, 0.5]))
    np.testing.assert_allclose([wider.below, wider.above], [[2.0, 1.0], [6.0, 1.0]])
    np.testing.assert_allclose(wider.std, reach.std * [2.0, 0.5])
    normal = Reach.normal(np.array([1.0, 1.0]))
    normal.put(np.array([1]), reach.take(np.array([0])))
    np.testing.assert_allclose([normal.below, normal.above], [[NORMAL_QUANTILE, 1.0], [NORMAL_QUANTILE, 3.0]])


def test_a_calibration_is_saved_and_read_whole():
    truth, mean, spread, families, _ = rows(7)
    made = calibrate(truth, mean, spread, families=families, bounds=truth < 1.0, open_end=-5.0)
    again = from_bytes(to_bytes(made), "here")
    assert again.open_end == made.open_end
    for name in ("below", "above", "std"):
        np.testing.assert_array_equal(
            *(getattr(found.reach(spread, mean, families), name) for found in (made, again))
        )
