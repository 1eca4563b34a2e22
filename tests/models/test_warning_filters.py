"""Threads of scikit-learn leave the warning filters of the process as they were."""

import sys
import warnings

import numpy as np
import pytest
from sklearn.ensemble import ExtraTreesRegressor

from hstore_models.learners import Learner, fit_learner
from hstore_models.warning_filters import steady_filters

RNG = np.random.default_rng(0)
FEATURES = RNG.normal(size=(20, 3))
TARGET = FEATURES[:, 0]


@pytest.fixture
def hasty():
    """Threads that change places all the time, so that what can go wrong does."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before)


@pytest.mark.usefixtures("hasty")
def test_forests_in_threads_neither_warn_nor_lose_the_filters(recwarn):
    warnings.simplefilter("error")
    before = list(warnings.filters)
    for seed in range(5):
        with steady_filters():
            ExtraTreesRegressor(50, n_jobs=8, random_state=seed).fit(FEATURES, TARGET)
        assert warnings.filters == before
    assert not recwarn.list


@pytest.mark.usefixtures("hasty")
@pytest.mark.parametrize("kind", ["extra_trees", "random_forest", "sklearn.ensemble.RandomForestRegressor"])
def test_learners_leave_the_filters_as_they_were(kind):
    before = list(warnings.filters)
    learner = Learner(kind, {"n_estimators": 50, "n_jobs": 8})
    fitted = fit_learner(learner, FEATURES, TARGET, np.ones(len(TARGET)), seed=1)
    assert warnings.filters == before
    fitted.predict(FEATURES)
    assert warnings.filters == before


def test_filters_cannot_be_emptied_within():
    before = list(warnings.filters)
    with steady_filters():
        warnings.resetwarnings()
        warnings.simplefilter("ignore")
        assert warnings.filters == before
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # an own copy changes as usual
            assert warnings.filters != before
            warnings.warn("not shown", UserWarning, stacklevel=1)
    assert warnings.filters == before


def test_an_empty_list_is_never_shown_to_scikit_learn():
    with warnings.catch_warnings():
        warnings.resetwarnings()
        with steady_filters():
            assert len(warnings.filters) == 1
        assert warnings.filters == []


def test_filters_come_back_after_an_error():
    before = list(warnings.filters)
    with pytest.raises(ValueError, match="broken"), steady_filters():
        raise ValueError("broken")
    assert warnings.filters == before
