"""A forest that knows how wrong it may be: extremely randomized trees with group-wise conformal intervals.

Residuals are collected out of fold with whole groups held out, so they show the error on unseen chemistry.
The spread of the trees tells easy from hard materials; it is scaled so that the 90 % interval of the
out-of-fold predictions covers 90 % of the rows (split conformal prediction with a normalised score,
Papadopoulos et al. 2008, doi 10.1613/jair.2698).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from hstore_models.splits import grouped_folds

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from hstore_models.splits import Groups

COVERAGE = 0.90
"""Nominal coverage of every interval hstore prints."""

NORMAL_QUANTILE = 1.6448536269514722
"""Half-width of the central 90 % interval of a normal distribution, in standard deviations."""

_SPREAD_FLOORS = (0.05, 0.1, 0.2, 0.4, 0.8, 1.6, 1e6)


@dataclass(frozen=True)
class ForestSettings:
    """Size and randomness of a forest."""

    n_trees: int = 300
    """Trees of the final forest."""
    n_fold_trees: int = 150
    """Trees of each out-of-fold forest; they only measure residuals."""
    max_features: float = 0.35
    """Share of the features tried at a split."""
    min_samples_leaf: int = 1
    """Smallest leaf, rows."""
    n_folds: int = 5
    """Folds of the out-of-fold residuals."""
    seed: int = 0
    """Seed of trees and folds."""


@dataclass(frozen=True)
class CalibratedForest:
    """A fitted forest with its calibration; every field can be saved without pickle."""

    trees: Any
    """Fitted ``ExtraTreesRegressor``."""
    medians: NDArray[np.float64]
    """Median of each feature in training, shape ``(d,)``; stands in for missing values."""
    spread_floor: float
    """Constant part of the error scale, in the unit of the target."""
    scale: float
    """Standard deviation per unit of error scale, from the conformal quantile."""
    spread_limit: float
    """97.5th percentile of the out-of-fold tree spread; beyond it a row is unlike the training rows."""
    target: NDArray[np.float64]
    """Training values, shape ``(n,)``."""
    oof_mean: NDArray[np.float64]
    """Out-of-fold prediction of each training row, shape ``(n,)``."""
    oof_spread: NDArray[np.float64]
    """Out-of-fold tree spread of each training row, shape ``(n,)``."""
    folds: NDArray[np.int64]
    """Fold of each training row, shape ``(n,)``."""

    def predict(self, features: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Predict mean and standard deviation.

        Args:
            features: shape ``(n, d)``, NaN allowed.

        Returns:
            Mean and standard deviation, each of shape ``(n,)``. The central 90 % interval is the mean plus or
            minus ``NORMAL_QUANTILE`` standard deviations.
        """
        mean, spread = self.mean_and_spread(features)
        return mean, self.std_from_spread(spread)

    def mean_and_spread(self, features: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return mean and standard deviation over the trees, each of shape ``(n,)``."""
        return _forest_statistics(self.trees, _filled(features, self.medians))

    def std_from_spread(self, spread: NDArray[np.float64]) -> NDArray[np.float64]:
        """Turn tree spread into a calibrated standard deviation, shape ``(n,)``."""
        return self.scale * np.hypot(self.spread_floor, spread)


def fit_forest(
    features: NDArray[np.float64],
    target: NDArray[np.float64],
    groups: Groups,
    *,
    weights: NDArray[np.float64] | None = None,
    settings: ForestSettings | None = None,
) -> CalibratedForest:
    """Fit a forest and calibrate its intervals on out-of-fold residuals.

    Args:
        features: shape ``(n, d)``, NaN allowed.
        target: shape ``(n,)``.
        groups: chemical system (or other group) of each row, shape ``(n,)``; whole groups are held out.
        weights: weight of each row, shape ``(n,)``; equal when None.
        settings: size and seed.

    Returns:
        The calibrated forest.

    Raises:
        InputError: fewer than two groups.
    """
    settings = settings or ForestSettings()
    weights = np.ones(len(target)) if weights is None else weights
    medians = _medians(features)
    filled = _filled(features, medians)
    folds = grouped_folds(groups, n_folds=settings.n_folds, seed=settings.seed)
    oof_mean, oof_spread = np.empty(len(target)), np.empty(len(target))
    for fold in np.unique(folds):
        held_out = folds == fold
        trees = _trees(settings, settings.n_fold_trees).fit(
            filled[~held_out], target[~held_out], weights[~held_out]
        )
        oof_mean[held_out], oof_spread[held_out] = _forest_statistics(trees, filled[held_out])
    floor, scale = calibrate_spread(target - oof_mean, oof_spread, weights)
    return CalibratedForest(
        trees=_trees(settings, settings.n_trees).fit(filled, target, weights),
        medians=medians,
        spread_floor=floor,
        scale=scale,
        spread_limit=float(np.quantile(oof_spread, 0.975)),
        target=np.asarray(target, dtype=np.float64),
        oof_mean=oof_mean,
        oof_spread=oof_spread,
        folds=folds,
    )


def calibrate_spread(
    residuals: NDArray[np.float64], spread: NDArray[np.float64], weights: NDArray[np.float64]
) -> tuple[float, float]:
    """Choose the constant part of the error scale and the conformal factor.

    Args:
        residuals: out-of-fold residuals, shape ``(n,)``.
        spread: out-of-fold tree spread, shape ``(n,)``.
        weights: weight of each row, shape ``(n,)``; rows of weight zero do not count.

    Returns:
        The floor (unit of the target) that gives the narrowest intervals, and the factor that turns the error
        scale into a standard deviation.
    """
    counted = weights > 0
    residuals, spread = np.abs(residuals[counted]), spread[counted]
    rms = float(np.sqrt(np.mean(residuals**2))) or 1.0
    level = min(1.0, np.ceil((len(residuals) + 1) * COVERAGE) / len(residuals))
    best = (np.inf, rms, 1.0)
    for share in _SPREAD_FLOORS:
        scales = np.hypot(share * rms, spread)
        quantile = float(np.quantile(residuals / scales, level, method="higher"))
        best = min(best, (float(np.mean(quantile * scales)), share * rms, quantile / NORMAL_QUANTILE))
    return best[1], best[2]


def _trees(settings: ForestSettings, n_trees: int) -> Any:
    from sklearn.ensemble import ExtraTreesRegressor

    return ExtraTreesRegressor(
        n_trees,
        max_features=settings.max_features,
        min_samples_leaf=settings.min_samples_leaf,
        random_state=settings.seed,
        n_jobs=1,
    )


def _forest_statistics(trees: Any, filled: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Mean and spread over trees by one pass (Welford), without a (trees, rows) array."""
    rows = np.ascontiguousarray(filled, dtype=np.float32)
    mean, squares = np.zeros(len(rows)), np.zeros(len(rows))
    for count, tree in enumerate(trees.estimators_, start=1):
        value = tree.tree_.predict(rows).reshape(len(rows))
        delta = value - mean
        mean += delta / count
        squares += delta * (value - mean)
    return mean, np.sqrt(squares / len(trees.estimators_))


def _medians(features: NDArray[np.float64]) -> NDArray[np.float64]:
    empty = np.isnan(features).all(axis=0)
    safe = np.where(empty, 0.0, features)
    medians: NDArray[np.float64] = np.nanmedian(safe, axis=0)
    return medians


def _filled(features: NDArray[np.float64], medians: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.where(np.isnan(features), medians, features)
