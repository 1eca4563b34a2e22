"""Learners an ensemble is made of: what they are asked to be, how they are fitted, and what is kept of them.

Trees and Gaussian processes are kept as arrays (:class:`~hstore_models.trees.Trees`, :class:`KernelMachine`); any
other estimator with scikit-learn's ``fit`` and ``predict`` is kept as it is (:class:`Estimator`).
"""

from __future__ import annotations

import importlib
import warnings
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from hstore.errors import InputError
from hstore.workers import default_workers
from hstore_models.trees import pack

if TYPE_CHECKING:
    from collections.abc import Mapping

    from hstore.arrays import FloatArray

_ROWS_AT_ONCE = 2000
_FAR_STDS = 6.0
"""Inputs of a Gaussian process are held within so many standard deviations of the training mean."""
_SQRT3, _SQRT5 = 3.0**0.5, 5.0**0.5

KINDS: Mapping[str, str] = {
    "extra_trees": "sklearn.ensemble.ExtraTreesRegressor",
    "random_forest": "sklearn.ensemble.RandomForestRegressor",
    "boosting": "sklearn.ensemble.HistGradientBoostingRegressor",
    "gaussian_process": "sklearn.gaussian_process.GaussianProcessRegressor",
}
"""Short name of a learner -> what fits it; any other estimator is named by its import path."""

_DEFAULTS: Mapping[str, Mapping[str, Any]] = {
    "extra_trees": {"n_estimators": 300, "max_features": 0.35},
    "random_forest": {"n_estimators": 300, "max_features": 0.35},
    "boosting": {
        "max_iter": 300,
        "learning_rate": 0.05,
        "max_leaf_nodes": 16,
        "min_samples_leaf": 5,
        "max_features": 0.3,
        "early_stopping": False,
    },
    "gaussian_process": {"kernel": "matern52"},
}


@dataclass(frozen=True)
class Learner:
    """One learner of a recipe, not fitted yet."""

    kind: str
    """A key of ``KINDS``, or the import path of an estimator such as ``sklearn.svm.SVR``."""
    parameters: Mapping[str, Any] = field(default_factory=dict)
    """Parameters that differ from the default ones."""
    blocks: tuple[str, ...] = ()
    """Blocks of features it sees, such as ``hydride``; all when empty."""


class Fitted(Protocol):
    """A fitted learner."""

    def predict(self, features: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Return the answer and how far its parts differ from it (0 where it has none), each of shape ``(n,)``."""


@dataclass(frozen=True)
class KernelMachine:
    """Mean of a Gaussian process on standardised columns."""

    kernel: str
    """``rbf``, ``matern32`` or ``matern52``."""
    centre: FloatArray
    """Training mean of each column, shape ``(d,)``; stands in for missing values."""
    spread: FloatArray
    """Training standard deviation of each column, shape ``(d,)``."""
    length: float
    """Length scale, in standard deviations over all columns."""
    inputs: FloatArray
    """Training rows in length scales, shape ``(n, d)``."""
    coefficients: FloatArray
    """Weight of the kernel with each training row, shape ``(n,)``."""
    mean: float
    """Answer far from every training row."""

    def predict(self, features: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Return the posterior mean; the second array is 0."""
        answer = np.empty(len(features))
        norms = np.einsum("ij,ij->i", self.inputs, self.inputs)
        for start in range(0, len(features), _ROWS_AT_ONCE):
            rows = _standardised(features[start : start + _ROWS_AT_ONCE], self.centre, self.spread) / self.length
            squares = np.einsum("ij,ij->i", rows, rows)[:, None] + norms - 2.0 * rows @ self.inputs.T
            answer[start : start + len(rows)] = _kernel(self.kernel, squares) @ self.coefficients
        return self.mean + answer, np.zeros(len(features))


def _standardised(features: FloatArray, centre: FloatArray, spread: FloatArray) -> FloatArray:
    shifted = np.where(np.isnan(features), 0.0, (features - centre) / spread)
    return np.asarray(np.clip(shifted, -_FAR_STDS, _FAR_STDS))


def _kernel(name: str, squares: FloatArray) -> FloatArray:
    """Turn squared distances in length scales into covariances of unit variance."""
    if name == "rbf":
        return np.asarray(np.exp(-0.5 * np.maximum(squares, 0.0)))
    distance = np.sqrt(np.maximum(squares, 0.0))
    if name == "matern32":
        return np.asarray((1.0 + _SQRT3 * distance) * np.exp(-_SQRT3 * distance))
    return np.asarray((1.0 + _SQRT5 * distance + 5.0 / 3.0 * distance**2) * np.exp(-_SQRT5 * distance))


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
        InputError: its kind is no known name and no import path of an estimator, or a parameter is not one of its.
    """
    estimator = _built(learner, seed=0)
    if not (hasattr(estimator, "fit") and hasattr(estimator, "predict")):
        raise InputError(f"{learner.kind} has no fit and predict; name an estimator of scikit-learn's form")


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
    if learner.kind == "gaussian_process":
        return _fit_process(learner, features, target, weights)
    estimator = _built(learner, seed=seed)
    if learner.kind in KINDS:
        rounded = features.astype(np.float32).astype(np.float64)
        return pack(estimator.fit(rounded, target, sample_weight=weights))
    medians = _medians(features)
    filled = np.where(np.isnan(features), medians, features)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # an estimator's own remarks, such as on convergence
        if np.all(weights == weights[0]):
            estimator.fit(filled, target)
        else:
            _fit_weighted(estimator, filled, target, weights)
    return Estimator(estimator, medians)


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
    if learner.kind == "gaussian_process":
        return made()
    parameters = {**_DEFAULTS.get(learner.kind, {}), **learner.parameters}
    try:
        estimator = made(**parameters)
        known = estimator.get_params()
    except (TypeError, AttributeError) as error:
        raise InputError(
            f"{learner.kind} cannot be built with {dict(parameters)} ({error}); check the names"
        ) from error
    given = {"random_state": seed, "n_jobs": default_workers()}
    return estimator.set_params(**{k: v for k, v in given.items() if k in known and k not in learner.parameters})


def _fit_process(learner: Learner, features: FloatArray, target: FloatArray, weights: FloatArray) -> KernelMachine:
    """Fit length scale, amplitude and noise by marginal likelihood; a row of weight w has 1 / w of the noise."""
    parameters = {**_DEFAULTS["gaussian_process"], **learner.parameters}
    centre = np.nan_to_num(_columnwise(np.nanmean, features))
    spread = np.nan_to_num(_columnwise(np.nanstd, features))
    spread[spread < 1e-12 * np.maximum(1.0, np.abs(centre))] = np.inf  # a constant column says nothing
    rows = _standardised(features, centre, spread)
    mean, width = float(np.average(target, weights=weights)), float(np.std(target)) or 1.0
    answers = (target - mean) / width
    squares = np.einsum("ij,ij->i", rows, rows)
    distances = np.maximum(squares[:, None] + squares - 2.0 * rows @ rows.T, 0.0)
    length, ratio = _likeliest(str(parameters["kernel"]), distances, answers, weights)
    covariance = _kernel(str(parameters["kernel"]), distances / length**2)
    covariance[np.diag_indices_from(covariance)] += ratio / weights
    coefficients = width * np.linalg.solve(covariance, answers)
    scaled = np.asarray(rows / length, dtype=np.float64)
    return KernelMachine(str(parameters["kernel"]), centre, spread, length, scaled, np.asarray(coefficients), mean)


def _likeliest(
    kernel: str, distances: FloatArray, answers: FloatArray, weights: FloatArray
) -> tuple[float, float]:
    """Return length scale and ratio of noise to signal variance of largest marginal likelihood."""
    from scipy.linalg import LinAlgError, cho_factor, cho_solve
    from scipy.optimize import minimize

    typical = float(np.sqrt(np.median(distances[distances > 0]))) if (distances > 0).any() else 1.0
    count = len(answers)

    def loss(point: FloatArray) -> float:
        covariance = _kernel(kernel, distances / (typical * np.exp(point[0])) ** 2)
        covariance[np.diag_indices_from(covariance)] += np.exp(point[1]) / weights
        try:
            factor = cho_factor(covariance, lower=True, overwrite_a=True, check_finite=False)
        except LinAlgError:
            return 1e10
        signal = float(answers @ cho_solve(factor, answers, check_finite=False)) / count
        return float(0.5 * count * np.log(signal) + np.log(np.diag(factor[0])).sum())

    best = minimize(
        loss, np.array([0.5, -1.5]), method="Nelder-Mead", bounds=[(-2.5, 4.0), (-9.0, 3.0)],
        options={"maxfev": 40, "xatol": 0.05, "fatol": 0.5},
    )  # fmt: skip
    return float(typical * np.exp(best.x[0])), float(np.exp(best.x[1]))


def _columnwise(function: Any, features: FloatArray) -> FloatArray:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # columns without any value give NaN
        return np.asarray(function(features, axis=0), dtype=np.float64)


def _medians(features: FloatArray) -> FloatArray:
    return np.nan_to_num(_columnwise(np.nanmedian, features))
