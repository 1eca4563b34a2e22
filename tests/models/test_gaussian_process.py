"""The Gaussian process is scikit-learn's at the same hyperparameters, and is not led astray by a wrong value."""

from __future__ import annotations

import numpy as np
import pytest

from hstore.errors import UnknownNameError
from hstore_models import gaussian_process
from hstore_models.gaussian_process import KERNELS, fit_process


@pytest.fixture(scope="module")
def rows():
    """A smooth target with a little noise."""
    rng = np.random.default_rng(0)
    features = rng.uniform(-2, 2, (120, 3))
    return features, np.sin(2 * features[:, 0]) + features[:, 1] + rng.normal(0, 0.05, 120)


@pytest.fixture
def hyperparameters(monkeypatch):
    """Remember the length scale and noise that a fit finds."""
    found = []
    search = gaussian_process._likeliest
    monkeypatch.setattr(gaussian_process, "_likeliest", lambda *a: found.append(search(*a)) or found[-1])
    return found


def fit(rows, weights=None, **options):
    return fit_process(*rows, np.ones(len(rows[1])) if weights is None else weights, **options)


@pytest.mark.parametrize("kernel", KERNELS)
@pytest.mark.parametrize("weighted", [False, True], ids=["even", "weighted"])
def test_the_posterior_mean_is_that_of_scikit_learn(rows, hyperparameters, kernel, weighted):
    from sklearn.gaussian_process import GaussianProcessRegressor
    from sklearn.gaussian_process.kernels import RBF, Matern

    features, target = rows
    weights = np.random.default_rng(1).uniform(0.1, 1, len(target)) if weighted else np.ones(len(target))
    fitted = fit(rows, weights, kernel=kernel)
    scaled = (features - features.mean(axis=0)) / features.std(axis=0)
    mean, width = np.average(target, weights=weights), target.std()
    smoothness = {"matern32": 1.5, "matern52": 2.5}.get(kernel)
    shape = RBF(fitted.length) if smoothness is None else Matern(fitted.length, nu=smoothness)
    noise = np.exp(hyperparameters[0][1]) / weights
    peer = GaussianProcessRegressor(shape, alpha=noise, optimizer=None).fit(scaled, (target - mean) / width)
    unseen = np.random.default_rng(2).uniform(-2, 2, (50, 3))
    expected = mean + width * peer.predict((unseen - features.mean(axis=0)) / features.std(axis=0))
    np.testing.assert_allclose(fitted.predict(unseen)[0], expected, rtol=1e-7, atol=1e-7)


def test_robust_passes_ignore_a_value_that_the_others_contradict(rows):
    features, target = rows
    wrong = target.copy()
    wrong[7] += 30.0
    clean, plain, robust = (fit((features, y), robust_passes=n) for y, n in ((target, 0), (wrong, 0), (wrong, 4)))
    near = features[7] + np.random.default_rng(0).normal(0, 0.05, (20, 3))
    errors = [np.abs(f.predict(near)[0] - clean.predict(near)[0]).max() for f in (plain, robust)]
    assert errors[1] < 0.3 * errors[0]


def test_rows_of_little_weight_hardly_count(rows):
    features, target = np.vstack([rows[0]] * 2), np.concatenate([rows[1], rows[1] + 10.0])
    mean, _ = fit((features, target), np.repeat([1.0, 1e-4], 120)).predict(rows[0])
    assert np.median(np.abs(mean - rows[1])) < 0.5


def test_constant_and_missing_columns_say_nothing(rows):
    features, target = rows
    wider = np.column_stack([features, np.full(120, 7.0), np.full(120, np.nan)])
    first, second = fit(rows), fit((wider, target))
    other = np.column_stack([features, np.full(120, -3.0), np.full(120, 5.0)])
    np.testing.assert_allclose(second.predict(other)[0], first.predict(features)[0], rtol=1e-9, atol=1e-9)


def test_a_missing_value_is_the_mean_of_its_column(rows):
    fitted = fit(rows)
    blank, filled = rows[0][:5].copy(), rows[0][:5].copy()
    blank[:, 1], filled[:, 1] = np.nan, rows[0][:, 1].mean()
    np.testing.assert_allclose(fitted.predict(blank)[0], fitted.predict(filled)[0], rtol=1e-12)


def test_far_away_the_answer_is_held_and_finite(rows):
    fitted = fit(rows)
    far, farther = fitted.predict(np.array([[1e6] * 3, [1e12] * 3]))[0]
    assert far == farther
    assert np.isfinite(far)


def test_a_target_without_variation_is_answered_exactly(rows):
    np.testing.assert_allclose(fit((rows[0], np.full(120, 2.5))).predict(rows[0])[0], 2.5)


def test_one_row_is_answered_as_in_a_batch(rows):
    fitted = fit(rows)
    batch = fitted.predict(rows[0])[0]
    single = np.concatenate([fitted.predict(rows[0][i : i + 1])[0] for i in range(20)])
    np.testing.assert_allclose(single, batch[:20], rtol=1e-11, atol=1e-11)


def test_an_unknown_kernel_lists_the_known_ones(rows):
    with pytest.raises(UnknownNameError, match="matern32"):
        fit(rows, kernel="matern")
