"""Learners: kinds and import paths, what is refused before anything runs, weights, missing values."""

from __future__ import annotations

import numpy as np
import pytest

from hstore.errors import InputError
from hstore_models.learners import KINDS, Estimator, Learner, check_learner, fit_learner

QUICK = {
    "extra_trees": {"n_estimators": 20},
    "random_forest": {"n_estimators": 20},
    "boosting": {"max_iter": 20},
    "gaussian_process": {},
}
SVR, RIDGE, NEIGHBOURS = "sklearn.svm.SVR", "sklearn.linear_model.Ridge", "sklearn.neighbors.KNeighborsRegressor"
KINDS_AND_PATHS = [*KINDS, SVR, RIDGE, NEIGHBOURS]


@pytest.fixture(scope="module")
def rows():
    """A smooth target, and a column with missing values."""
    rng = np.random.default_rng(1)
    features = rng.uniform(-1, 1, (150, 4))
    target = 3 * features[:, 0] + np.sin(3 * features[:, 1])
    features[::7, 3] = np.nan
    return features, target


def fit(kind, rows, weights=None, seed=0, **parameters):
    features, target = rows
    learner = Learner(kind, {**QUICK.get(kind, {}), **parameters})
    return fit_learner(learner, features, target, np.ones(len(target)) if weights is None else weights, seed=seed)


@pytest.mark.parametrize("kind", KINDS_AND_PATHS)
def test_every_learner_learns_with_missing_values(rows, kind):
    mean, spread = fit(kind, rows).predict(rows[0])
    assert mean.shape == spread.shape == (150,)
    assert np.mean(np.abs(mean - rows[1])) < 0.5 * np.mean(np.abs(rows[1] - rows[1].mean()))
    assert np.isfinite(spread).all()
    assert (spread >= 0).all()


@pytest.mark.parametrize("kind", KINDS_AND_PATHS)
def test_the_seed_settles_the_answer(rows, kind):
    first, again = (fit(kind, rows, seed=3).predict(rows[0])[0] for _ in range(2))
    assert np.array_equal(first, again)


def test_forests_of_another_seed_differ(rows):
    assert not np.array_equal(*(fit("extra_trees", rows, seed=s).predict(rows[0])[0] for s in (1, 2)))


@pytest.mark.parametrize("kind", KINDS_AND_PATHS)
def test_rows_of_little_weight_hardly_count(rows, kind):
    """Two contradicting halves on the same points: the heavy one wins, also where a learner cannot weigh."""
    features = np.vstack([rows[0], rows[0]])
    target = np.concatenate([rows[1], rows[1] + 10.0])
    weights = np.repeat([1.0, 1e-4], 150)
    mean, _ = fit(kind, (features, target), weights).predict(rows[0])
    assert np.median(np.abs(mean - rows[1])) < 1.5


def test_a_pipeline_hands_weights_to_its_last_step(rows):
    from sklearn.linear_model import Ridge
    from sklearn.preprocessing import StandardScaler

    steps = {"steps": [("scale", StandardScaler()), ("ridge", Ridge())]}
    features = np.vstack([rows[0], rows[0]])
    target = np.concatenate([rows[1], rows[1] + 10.0])
    fitted = fit("sklearn.pipeline.Pipeline", (features, target), np.repeat([1.0, 1e-4], 150), **steps)
    assert isinstance(fitted, Estimator)
    assert abs(np.mean(fitted.predict(rows[0])[0]) - np.mean(rows[1])) < 0.2


def test_missing_values_take_the_training_median_in_other_estimators(rows):
    fitted = fit(RIDGE, rows)
    blank, filled = rows[0][:5].copy(), rows[0][:5].copy()
    blank[:, 1], filled[:, 1] = np.nan, np.median(rows[0][:, 1])
    assert np.array_equal(fitted.predict(blank)[0], fitted.predict(filled)[0])


def test_a_column_without_any_value_is_no_obstacle(rows):
    features = rows[0].copy()
    features[:, 2] = np.nan
    for kind in KINDS_AND_PATHS:
        assert np.isfinite(fit(kind, (features, rows[1])).predict(features[:3])[0]).all(), kind


@pytest.mark.parametrize(
    ("learner", "words"),
    [
        (Learner("extra_tree"), "extra_tree"),
        (Learner("extra_tree"), "use one of extra_trees"),
        (Learner("sklearn.svm.SVX"), "cannot be imported"),
        (Learner("no_such_package.Model"), "cannot be imported"),
        (Learner(""), "cannot be imported"),
        (Learner("os.system", {"command": "true"}), "no class with fit and predict"),
        (Learner("builtins.print"), "no class with fit and predict"),
        (Learner("subprocess.Popen", {"args": ["true"]}), "no class with fit and predict"),
        (Learner("sklearn.preprocessing.StandardScaler"), "no class with fit and predict"),
        (Learner("extra_trees", {"n_trees": 5}), "n_trees"),
        (Learner(SVR, {"c": 5}), "check the names"),
        (Learner(SVR, {"trim": 0.1}), "check the names"),
        (Learner("extra_trees", {"n_estimators": -5}), "n_estimators"),
        (Learner("boosting", {"learning_rate": "fast"}), "learning_rate"),
        (Learner(SVR, {"kernel": "cubic"}), "kernel"),
        (Learner("extra_trees", {"trim": 0.5}), "from 0 to below 0.5, got 0.5"),
        (Learner("random_forest", {"trim": "some"}), "from 0 to below 0.5, got 'some'"),
        (Learner("gaussian_process", {"kernal": "rbf"}), "did you mean 'kernel'"),
        (Learner("gaussian_process", {"kernel": "matern"}), "matern32"),
        (Learner("gaussian_process", {"robust_passes": -1}), "whole number from 0, got -1"),
    ],
    ids=lambda value: value if isinstance(value, str) else value.kind,
)
def test_what_cannot_be_fitted_is_refused_before_anything_runs(learner, words):
    with pytest.raises(InputError, match=words):
        check_learner(learner)


def test_a_path_that_is_no_estimator_is_not_called(tmp_path):
    """A spec is data: it must not run whatever its text names."""
    target = tmp_path / "made"
    with pytest.raises(InputError, match="no class with fit and predict"):
        check_learner(Learner("os.mkdir", {"path": str(target)}))
    assert not target.exists()


@pytest.mark.parametrize("kind", KINDS_AND_PATHS)
def test_good_learners_pass(kind):
    check_learner(Learner(kind, QUICK.get(kind, {})))


def test_settings_are_those_given_or_the_default_ones():
    learner = Learner("extra_trees", {"max_features": 0.2})
    assert (learner.setting("max_features"), learner.setting("n_estimators")) == (0.2, 300)
    assert learner.setting("no_such") is None
