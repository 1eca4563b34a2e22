"""What is believed of every candidate: the screen's prediction, recalibrated on results and joined by a forest.

Two opinions are combined by their precision. The first is the screen's prediction, shifted and widened so that
it agrees with the results so far. The second is a forest of extremely randomized trees on the results alone,
as uncertain as its trees disagree plus half of its out-of-bag error; that error is shrunk, as by a few
imaginary results, towards the screen's own (or the spread of the results), for a handful of equal results
proves nothing. The two opinions share data and are not independent, so the combined deviation is on the narrow
side; it ranks candidates and is no calibrated promise.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from hstore.arrays import FloatArray

MIN_RESULTS = 4
"""Results from which on a forest is grown and the screen's prediction recalibrated."""
N_TREES = 80
"""Trees of the forest."""
_MAX_FEATURES = 0.4
_OUT_OF_BAG_SHARE = 0.5
_SMALLEST = 1e-9


@dataclass(frozen=True, eq=False)
class Prior:
    """What was predicted before the campaign began."""

    mean: FloatArray
    """Predicted mean, shape (n,)."""
    std: FloatArray
    """Its standard deviation, shape (n,), above zero."""


@dataclass(frozen=True, eq=False)
class Belief:
    """What is believed now."""

    mean: FloatArray
    """Mean, shape (n,)."""
    std: FloatArray
    """Standard deviation, shape (n,)."""


def believe(
    features: FloatArray, prior: Prior | None, rows: NDArray[np.intp], values: FloatArray, *, seed: int
) -> Belief | None:
    """Combine the prior with results.

    Args:
        features: standardised features of the pool, shape (n, d).
        prior: prediction of the screen, if there is one.
        rows: rows of the pool with a result, shape (m,).
        values: their results, shape (m,), in the unit of the prior.
        seed: seed of the forest.

    Returns:
        The belief about all n rows, or None where nothing at all is known.
    """
    if len(rows) < MIN_RESULTS:
        return None if prior is None else Belief(prior.mean, prior.std)
    if prior is None:
        return _forest(features, rows, values, expected_error=float(values.std()), seed=seed)
    trusted = recalibrated(prior, rows, values)
    joined = np.column_stack([features, prior.mean])
    learned = _forest(joined, rows, values, expected_error=float(np.median(prior.std)), seed=seed)
    precision = trusted.std**-2 + learned.std**-2
    mean = (trusted.mean * trusted.std**-2 + learned.mean * learned.std**-2) / precision
    return Belief(mean, precision**-0.5)


def recalibrated(prior: Prior, rows: NDArray[np.intp], values: FloatArray) -> Prior:
    """Shift a prior by its mean error on the results and widen it until they are believable.

    The shift is shrunk as by one imaginary result without error; the prior is never made narrower.
    """
    error = values - prior.mean[rows]
    shift = float(error.sum() / (len(error) + 1))
    surprise = float(np.sqrt(np.mean(((error - shift) / prior.std[rows]) ** 2)))
    return Prior(prior.mean + shift, prior.std * max(1.0, surprise))


def _forest(
    features: FloatArray, rows: NDArray[np.intp], values: FloatArray, *, expected_error: float, seed: int
) -> Belief:
    from sklearn.ensemble import ExtraTreesRegressor

    forest = ExtraTreesRegressor(
        N_TREES, max_features=_MAX_FEATURES, bootstrap=True, oob_score=True, random_state=seed, n_jobs=1
    ).fit(features[rows], values)
    squares = float(np.sum((forest.oob_prediction_ - values) ** 2))
    error = np.sqrt((squares + MIN_RESULTS * expected_error**2) / (len(values) + MIN_RESULTS))
    points = np.ascontiguousarray(features, dtype=np.float32)
    answers = np.stack([tree.tree_.predict(points)[:, 0] for tree in forest.estimators_])
    floor = _OUT_OF_BAG_SHARE * error + _SMALLEST
    return Belief(answers.mean(axis=0), np.hypot(answers.std(axis=0), floor))
