"""Learners an ensemble is made of: what they are asked to be, how they are fitted, and what is kept of them.

Trees and Gaussian processes are kept as arrays (see :mod:`~hstore_models.trees` and ``gaussian_process``);
any other estimator with scikit-learn's ``fit`` and ``predict`` is kept as it is (:class:`Estimator`).
"""

from __future__ import annotations

import importlib
import warnings
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from hstore.errors import InputError
from hstore.workers import default_workers
from hstore_models.gaussian_process import check_process, fit_process
from hstore_models.trees import mean_of, pack
from hstore_models.warning_filters import steady_filters

if TYPE_CHECKING:
    from collections.abc import Mapping

    from hstore.arrays import FloatArray

KINDS: Mapping[str, str] = {
    "extra_trees": "sklearn.ensemble.ExtraTreesRegressor",
    "random_forest": "sklearn.ensemble.RandomForestRegressor",
    "boosting": "sklearn.ensemble.HistGradientBoostingRegressor",
    "gaussian_process": "sklearn.gaussian_process.GaussianProcessRegressor",
}
"""Short name of a learner -> what fits it; any other estimator is named by its import path."""

_DEFAULTS: Mapping[str, Mapping[str, Any]] = {
    "extra_trees": {"n_estimators": 300, "max_features": 0.35, "trim": 0.0},
    "random_forest": {"n_estimators": 300, "max_features": 0.35, "trim": 0.0},
    "boosting": {
        "max_iter": 300,
        "learning_rate": 0.05,
        "max_leaf_nodes": 16,
        "min_samples_leaf": 5,
        "max_features": 0.3,
        "early_stopping": False,
        "repeats": 1,
    },
    "gaussian_process": {"kernel": "matern52", "robust_passes": 0},
}

_MANY_ROWS = 5000
"""Rows from which more than one thread pays within a library."""
_OURS = frozenset({"trim", "repeats"})
"""Parameters that are not scikit-learn's: ``trim`` of forests (see :class:`~hstore_models.trees.Trees`), and
``repeats`` of boosting, fits with other seeds whose mean answers."""
_NEXT_SEED = 1000


@dataclass(frozen=True)
class Learner:
    """One learner of a recipe, not fitted yet."""

    kind: str
    """A key of ``KINDS``, or the import path of an estimator such as ``sklearn.svm.SVR``."""
    parameters: Mapping[str, Any] = field(default_factory=dict)
    """Parameters that differ from the default ones."""
    blocks: tuple[str, ...] = ()
    """Blocks of features it sees, such as ``hydride``; all when empty. ``columns x10`` counts ten times: forests
    look at the block's columns so much more often, and distances of Gaussian processes count them so much more."""

    def setting(self, name: str) -> Any:
        """Return the value of a parameter: the given one, hstore's default, or the estimator's own; else None."""
        stated = _parameters(self)
        return stated[name] if name in stated else _built(self, seed=0).get_params().get(name)


class Fitted(Protocol):
    """A fitted learner."""

    def predict(self, features: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Return the answer and how far its parts differ from it (0 where it has none), each of shape ``(n,)``."""


@dataclass(frozen=True)
class Estimator:
    """Any fitted estimator of scikit-learn's form."""

    estimator: Any
    """What was fitted."""
    medians: FloatArray
    """Training median of each column, shape ``(d,)``; stands in for missing values."""

    def predict(self, features: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Return the answer of the estimator; the second array is 0."""
        filled = np.where(np.isnan(features), self.medians, features)
        return np.asarray(self.estimator.predict(filled), dtype=np.float64).reshape(len(features)), np.zeros(
            len(features)
        )


def check_learner(learner: Learner) -> None:
    """Refuse a learner that cannot be built, before anything heavy runs.

    Raises:
        InputError: its kind is no known name and no import path of an estimator, or a parameter is not one of its
            or has a value it does not take.
    """
    if learner.kind == "gaussian_process":
        check_process(learner.parameters)
        return
    trim = learner.parameters.get("trim", 0.0)
    if learner.kind in KINDS and not (isinstance(trim, int | float) and 0.0 <= trim < 0.5):
        raise InputError(f"trim of {learner.kind} must be from 0 to below 0.5, got {trim!r}; correct it")
    # scikit-learn itself looks at values only when it fits, after data and features were made.
    validate = getattr(_built(learner, seed=0), "_validate_params", None)
    try:
        if validate:
            validate()
    except ValueError as error:
        raise InputError(f"{learner.kind} cannot be fitted: {error}; correct the value") from error


def fit_learner(
    learner: Learner, features: FloatArray, target: FloatArray, weights: FloatArray, *, seed: int
) -> Fitted:
    """Fit a learner.

    Args:
        learner: which, with what parameters.
        features: shape ``(n, d)``, NaN where missing.
        target: shape ``(n,)``.
        weights: weight of each row, shape ``(n,)``, above 0.
        seed: seed of its randomness.
    """
    with few_threads(len(target)):
        return _fitted(learner, features, target, weights, seed=seed)


def few_threads(n_rows: int) -> AbstractContextManager[Any]:
    """Keep libraries to one thread where rows are few: threads that wait for each other cost more than they do.

    The last bit of a matrix product depends on the number of threads, and a tree that learns from it may split
    otherwise. So a model of few rows is the same on every machine only if all of its training is done so.
    """
    from threadpoolctl import threadpool_limits

    return threadpool_limits(1) if n_rows < _MANY_ROWS else nullcontext()


def _fitted(
    learner: Learner, features: FloatArray, target: FloatArray, weights: FloatArray, *, seed: int
) -> Fitted:
    if learner.kind == "gaussian_process":
        return fit_process(features, target, weights, **_parameters(learner))
    if learner.kind in KINDS:
        rounded, settings = features.astype(np.float32).astype(np.float64), _parameters(learner)
        rounded[:, np.isnan(rounded).all(axis=0)] = 0.0  # boosting cannot bin a column without any value
        with steady_filters():
            fits = [
                pack(
                    _built(learner, seed=seed + _NEXT_SEED * number).fit(rounded, target, sample_weight=weights),
                    trim=float(settings.get("trim", 0.0)),
                )
                for number in range(int(settings.get("repeats", 1)))
            ]
        return fits[0] if len(fits) == 1 else mean_of(fits)
    estimator = _built(learner, seed=seed)
    medians = _medians(features)
    filled = np.where(np.isnan(features), medians, features)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # an estimator's own remarks, such as on convergence
        with steady_filters():
            if np.all(weights == weights[0]):
                estimator.fit(filled, target)
            else:
                _fit_weighted(estimator, filled, target, weights)
    if "n_jobs" in estimator.get_params():  # one row is answered sooner without threads
        estimator.set_params(n_jobs=1)
    return Estimator(estimator, medians)


def _parameters(learner: Learner) -> dict[str, Any]:
    return {**_DEFAULTS.get(learner.kind, {}), **learner.parameters}


def _fit_weighted(estimator: Any, features: FloatArray, target: FloatArray, weights: FloatArray) -> None:
    from sklearn.pipeline import Pipeline
    from sklearn.utils.validation import has_fit_parameter

    last = estimator.steps[-1] if isinstance(estimator, Pipeline) else ("", estimator)
    if has_fit_parameter(last[1], "sample_weight"):
        name = f"{last[0]}__sample_weight" if last[0] else "sample_weight"
        estimator.fit(features, target, **{name: weights})
    else:  # it cannot weigh: rows of little weight are left out
        kept = weights >= 0.5 * weights.max()
        estimator.fit(features[kept], target[kept])


def _built(learner: Learner, *, seed: int) -> Any:
    path = KINDS.get(learner.kind, learner.kind)
    module, _, name = path.rpartition(".")
    try:
        made = getattr(importlib.import_module(module), name)
    except (ImportError, AttributeError, ValueError) as error:
        raise InputError(
            f"{learner.kind!r} is no learner: it cannot be imported ({error}); use one of {', '.join(KINDS)} or "
            "the import path of an estimator, such as sklearn.svm.SVR"
        ) from error
    # Looked at before it is called: a spec is data, and must not run whatever a path may name.
    if not (isinstance(made, type) and hasattr(made, "fit") and hasattr(made, "predict")):
        raise InputError(
            f"{learner.kind} is no class with fit and predict; name an estimator of scikit-learn's form"
        )
    ours = _OURS if learner.kind in KINDS else frozenset()
    parameters = {name: value for name, value in _parameters(learner).items() if name not in ours}
    try:
        estimator = made(**parameters)
        known = estimator.get_params()
    except (TypeError, ValueError, AttributeError) as error:
        raise InputError(
            f"{learner.kind} cannot be built with {dict(parameters)} ({error}); check the names"
        ) from error
    given = {"random_state": seed, "n_jobs": default_workers()}
    return estimator.set_params(**{k: v for k, v in given.items() if k in known and k not in learner.parameters})


def _columnwise(function: Any, features: FloatArray) -> FloatArray:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # columns without any value give NaN
        return np.asarray(function(features, axis=0), dtype=np.float64)


def _medians(features: FloatArray) -> FloatArray:
    return np.nan_to_num(_columnwise(np.nanmedian, features))
