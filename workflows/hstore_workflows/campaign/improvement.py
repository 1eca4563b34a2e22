"""How much a candidate is expected to improve on the results: of one goal, or of the hypervolume of several."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from hstore.arrays import FloatArray

_FAR_BELOW = -1e4


def log_expected_improvement(mean: FloatArray, std: FloatArray, best: float) -> FloatArray:
    """Return ln E[max(x - best, 0)] of normal values, shape ``(n,)``, exact however far below they are.

    With z = (mean - best) / std it is ln std + ln phi(z) + ln(1 + z Phi(z) / phi(z)), the last from the scaled
    complementary error function and, beyond reach of that, -2 ln|z| (Ament et al. 2023,
    doi 10.48550/arXiv.2310.20708, on why the logarithm matters).

    Args:
        mean: shape ``(n,)``.
        std: shape ``(n,)``, above 0.
        best: value to improve on.
    """
    from scipy.special import erfcx, ndtr

    z = (mean - best) / std
    density = -0.5 * z**2 - 0.5 * np.log(2.0 * np.pi)
    below = np.clip(z, _FAR_BELOW, 0.0)
    ratio = np.log1p(below * np.sqrt(0.5 * np.pi) * erfcx(-below / np.sqrt(2.0)))
    tail = density + np.where(z > _FAR_BELOW, ratio, -2.0 * np.log(np.maximum(-z, 1.0)))
    above = np.maximum(z, 0.0)
    usual = np.log(np.exp(-0.5 * above**2) / np.sqrt(2.0 * np.pi) + above * ndtr(above))
    return np.asarray(np.log(std) + np.where(z < 0.0, tail, usual))


def hypervolume_improvement(values: FloatArray, front: FloatArray, weights: FloatArray) -> FloatArray:
    """Return by how much each candidate would enlarge the hypervolume, up to a constant factor, shape ``(n,)``.

    The hypervolume above the reference is the mean over directions w of max over points of
    (min_j x_j / w_j)^k (Zhang and Golovin 2020, doi 10.48550/arXiv.2006.04655), so the improvement of one point is
    that of these scalarisations.

    Args:
        values: goals of the candidates above the reference, shape ``(k, n)``.
        front: goals of the results above the reference, shape ``(k, m)``.
        weights: directions on the positive unit sphere, shape ``(l, k)``.
    """
    power = len(values)
    total = np.zeros(values.shape[1])
    for direction in weights:
        reached = np.maximum((values / direction[:, None]).min(axis=0), 0.0) ** power
        had = np.maximum((front / direction[:, None]).min(axis=0), 0.0).max(initial=0.0) ** power
        total += np.maximum(reached - had, 0.0)
    return total / len(weights)
