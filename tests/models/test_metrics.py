"""Scores against scikit-learn and scipy."""

import numpy as np
import pytest
from scipy.stats import spearmanr
from sklearn.metrics import mean_absolute_error, r2_score, root_mean_squared_error

from hstore_models.metrics import interval_scores, regression_scores


def test_scores_agree_with_scikit_learn():
    rng = np.random.default_rng(0)
    truth, mean = rng.normal(size=(2, 200))
    scores = regression_scores(truth, mean, baseline=0.3)
    assert scores["mae"] == pytest.approx(mean_absolute_error(truth, mean))
    assert scores["rmse"] == pytest.approx(root_mean_squared_error(truth, mean))
    assert scores["r2"] == pytest.approx(r2_score(truth, mean))
    assert scores["spearman"] == pytest.approx(spearmanr(truth, mean).statistic)
    assert scores["mae_mean_predictor"] == pytest.approx(np.abs(truth - 0.3).mean())


def test_scores_that_are_not_defined_are_nan():
    scores = regression_scores(np.array([1.0]), np.array([2.0]), baseline=0.0)
    assert scores["mae"] == 1.0
    assert np.isnan(scores["r2"])
    assert np.isnan(scores["spearman"])


def test_coverage_counts_the_ends_in():
    scores = interval_scores(np.array([0.0, 1.0, 5.0]), np.zeros(3), np.ones(3))
    assert scores == {"coverage": pytest.approx(2 / 3), "mean_width": 1.0}
