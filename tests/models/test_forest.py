"""Forests: intervals that cover on held-out groups, missing values, determinism."""

import numpy as np
import pytest

from hstore.errors import InputError
from hstore_models.forest import NORMAL_QUANTILE, ForestSettings, calibrate_spread, fit_forest
from hstore_models.splits import grouped_folds, split_hash

SMALL = ForestSettings(n_trees=60, n_fold_trees=40)


@pytest.fixture(scope="module")
def problem():
    """Noise that grows along the first feature, groups of four rows."""
    rng = np.random.default_rng(0)
    features = rng.uniform(0, 1, (800, 4))
    target = 3 * features[:, 0] + features[:, 1] + rng.normal(0, 0.05 + 0.4 * features[:, 0])
    return features, target, np.repeat(np.arange(200), 4).astype(str)


def test_intervals_cover_new_rows_at_their_nominal_rate(problem):
    features, target, groups = problem
    forest = fit_forest(features[:400], target[:400], groups[:400], settings=SMALL)
    mean, std = forest.predict(features[400:])
    covered = np.mean(np.abs(target[400:] - mean) <= NORMAL_QUANTILE * std)
    assert 0.85 <= covered <= 0.96


def test_std_is_larger_where_the_noise_is(problem):
    features, target, groups = problem
    forest = fit_forest(features, target, groups, settings=SMALL)
    low, high = (forest.predict(np.array([[0.5 + shift, 0.5, 0.5, 0.5]]))[1][0] for shift in (-0.45, 0.45))
    assert high > low


def test_out_of_fold_predictions_hold_whole_groups_out(problem):
    features, target, groups = problem
    forest = fit_forest(features, target, groups, settings=SMALL)
    for group in np.unique(groups):
        assert len(set(forest.folds[groups == group])) == 1


def test_same_seed_same_answer_other_seed_other_answer(problem):
    features, target, groups = problem
    answers = [
        fit_forest(features[:200], target[:200], groups[:200], settings=ForestSettings(20, 10, seed=seed)).predict(
            features[200:210]
        )[0]
        for seed in (3, 3, 4)
    ]
    assert np.array_equal(answers[0], answers[1])
    assert not np.array_equal(answers[0], answers[2])


def test_missing_values_take_the_training_median(problem):
    features, target, groups = problem
    forest = fit_forest(features, target, groups, settings=SMALL)
    blank = features[:5].copy()
    blank[:, 2] = np.nan
    filled = features[:5].copy()
    filled[:, 2] = np.median(features[:, 2])
    assert np.array_equal(forest.predict(blank)[0], forest.predict(filled)[0])


def test_statistics_agree_with_scikit_learn(problem):
    features, target, groups = problem
    forest = fit_forest(features, target, groups, settings=SMALL)
    mean, spread = forest.mean_and_spread(features[:50])
    each = np.array([tree.predict(features[:50]) for tree in forest.trees.estimators_])
    assert mean == pytest.approx(forest.trees.predict(features[:50]))
    assert spread == pytest.approx(each.std(axis=0))


def test_calibration_covers_the_rows_it_was_made_from():
    rng = np.random.default_rng(5)
    spread = rng.uniform(0.1, 2, 1000)
    residuals = rng.standard_t(3, 1000) * spread
    floor, scale = calibrate_spread(residuals, spread, np.ones(1000))
    inside = np.abs(residuals) <= NORMAL_QUANTILE * scale * np.hypot(floor, spread)
    assert inside.mean() == pytest.approx(0.9, abs=0.005)


def test_rows_of_no_weight_do_not_calibrate():
    residuals = np.array([1.0] * 20 + [1000.0] * 5)
    weights = np.array([1.0] * 20 + [0.0] * 5)
    floor, scale = calibrate_spread(residuals, np.ones(25), weights)
    assert NORMAL_QUANTILE * scale * np.hypot(floor, 1) < 10


def test_folds_never_split_a_group():
    groups = np.array(["a", "b", "c", "d", "e", "f"] * 5)
    folds = grouped_folds(groups, n_folds=3, seed=1)
    assert all(len(set(folds[groups == g])) == 1 for g in "abcdef")
    assert set(folds) == {0, 1, 2}


def test_one_group_cannot_be_split():
    with pytest.raises(InputError, match="at least two chemical systems"):
        grouped_folds(["La-Ni"] * 5)


def test_split_hash_tells_splits_apart():
    assert split_hash(["a", "b"], [0, 1]) == split_hash(["a", "b"], [0, 1])
    assert split_hash(["a", "b"], [0, 1]) != split_hash(["a", "b"], [1, 0])
