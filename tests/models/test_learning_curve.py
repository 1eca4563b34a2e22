"""Subsets are nested, held-out groups never train, and more data shows as a smaller error."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from hstore.errors import InputError
from hstore_models.learning_curve import SHARES, learning_curve, nested_subset
from hstore_models.splits import grouped_folds


@pytest.fixture
def rows():
    """Truth, groups and folds of a line with noise."""
    rng = np.random.default_rng(0)
    groups = np.array([f"g{i // 3}" for i in range(150)])
    return rng.normal(size=150) + 5.0, groups, grouped_folds(groups, seed=0)


def test_smaller_subsets_are_part_of_larger_ones(rows):
    _, groups, folds = rows
    allowed = folds != 0
    masks = [nested_subset(groups, allowed, share, seed=3) for share in SHARES]
    for small, large in pairwise(masks):
        assert not (small & ~large).any()
        assert small.sum() < large.sum()
    assert np.array_equal(masks[-1], allowed)
    assert not np.array_equal(masks[0], nested_subset(groups, allowed, 0.1, seed=4))


def test_the_mean_of_more_rows_is_better_and_held_out_groups_never_train(rows):
    truth, groups, folds = rows
    seen = []

    def mean_of(trained, asked, seed):
        assert not set(groups[trained]) & set(groups[asked])
        seen.append((trained.sum(), seed))
        return np.full(asked.sum(), truth[trained].mean())

    lines = []
    points = learning_curve(mean_of, truth, groups, folds, seeds=(0, 1, 2), say=lines.append)
    assert [point.share for point in points] == list(SHARES)
    assert points[0].mae > points[-1].mae
    assert points[-1].n_rows == pytest.approx(120)
    assert points[-1].n_groups == pytest.approx(40)
    assert points[-1].mae_std == pytest.approx(0, abs=1e-12), "all groups are the same groups for every seed"
    assert len(lines) == len(SHARES)
    assert len(seen) == 5 * 3 * len(SHARES)
    assert points[0].as_dict().keys() == {"share", "n_groups", "n_rows", "mae", "mae_std"}


def test_rows_outside_the_pool_never_train_and_unheld_rows_are_not_asked(rows):
    truth, groups, folds = rows
    both = np.concatenate([folds, np.full(150, -1)])
    pool = np.arange(300) >= 150

    def check(trained, asked, _seed):
        assert not trained[:150].any()
        assert not asked[150:].any()
        return np.zeros(asked.sum())

    values = np.concatenate([truth, np.full(150, np.nan)])
    points = learning_curve(check, values, np.concatenate([groups, groups]), both, pool=pool)
    assert points[-1].n_rows == pytest.approx(120)


def test_points_that_cannot_be_trained_are_left_out(rows):
    truth, groups, folds = rows
    points = learning_curve(
        lambda trained, asked, _: np.zeros(asked.sum()) if trained.sum() > 40 else None, truth, groups, folds
    )
    assert [point.share for point in points] == [0.4, 0.7, 1.0]


@pytest.mark.parametrize("shares", [(0.0, 1.0), (0.5, 1.5), ()])
def test_shares_are_checked(rows, shares):
    with pytest.raises(InputError, match="shares must be above 0"):
        learning_curve(lambda *_: None, *rows, shares=shares)
