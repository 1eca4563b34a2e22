"""Scores of predictions against known values, always beside the mean predictor."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray


def regression_scores(
    truth: NDArray[np.float64], mean: NDArray[np.float64], *, baseline: NDArray[np.float64] | float
) -> dict[str, float]:
    """Score predictions.

    Args:
        truth: known values, shape ``(n,)``.
        mean: predicted values, shape ``(n,)``.
        baseline: what the mean predictor says: the mean of the training values (one number, or one per row
            when folds differ).

    Returns:
        ``n``, ``mae``, ``median_error``, ``rmse``, ``r2``, ``spearman`` and ``mae_mean_predictor``; ``r2`` and
        ``spearman`` are NaN when they are not defined (fewer than two rows, or constant values).
    """
    from scipy.stats import rankdata

    error = mean - truth
    spread = float(np.sum((truth - truth.mean()) ** 2)) if len(truth) else 0.0
    ranked_truth, ranked_mean = rankdata(truth), rankdata(mean)
    constant = len(truth) < 2 or np.ptp(ranked_truth) == 0 or np.ptp(ranked_mean) == 0
    return {
        "n": len(truth),
        "mae": float(np.mean(np.abs(error))),
        "median_error": float(np.median(np.abs(error))),
        "rmse": float(np.sqrt(np.mean(error**2))),
        "r2": 1.0 - float(np.sum(error**2)) / spread if spread > 0 else float("nan"),
        "spearman": float("nan") if constant else float(np.corrcoef(ranked_truth, ranked_mean)[0, 1]),
        "mae_mean_predictor": float(np.mean(np.abs(np.asarray(baseline) - truth))),
    }


def interval_scores(
    truth: NDArray[np.float64], lower: NDArray[np.float64], upper: NDArray[np.float64]
) -> dict[str, float]:
    """Return ``coverage`` (share of values inside their 90 % interval) and ``mean_width`` (property's unit)."""
    inside = (truth >= lower) & (truth <= upper)
    return {"coverage": float(np.mean(inside)), "mean_width": float(np.mean(upper - lower))}
