"""A Gaussian process over a pool, with one length scale for each block of descriptors.

The kernel is Matern 5/2 of the distance sum_b |x_b - x'_b|^2 / l_b^2 over blocks b: a block of one column has a
length scale of its own (automatic relevance determination), a block of many shares one, so that a handful of
results can tell them. Length scales, signal and noise come from the marginal likelihood with weak priors on their
logarithms (Rasmussen and Williams, Gaussian Processes for Machine Learning, 2006, sections 5.1 and 5.4), found
by gradients.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hstore.arrays import FloatArray

MAX_SINGLE_COLUMNS = 12
"""Columns up to which each has a length scale of its own."""

_NOISE_PRIOR = (-3.0, 1.5)
"""Mean and deviation of ln(noise variance / variance of the results)."""
_JITTER = 1e-6
_STEPS = 60
_SAMPLE_FOR_SCALE = 300


class Process:
    """A fitted process."""

    def __init__(self, blocks: Sequence[FloatArray], values: FloatArray) -> None:
        """Fit to results.

        Args:
            blocks: what :func:`scaled_blocks` made of the measured candidates, shape ``(m, d_b)`` each.
            values: results, shape ``(m,)``.
        """
        self._centre, self._width = float(values.mean()), float(values.std()) or 1.0
        self._known = (values - self._centre) / self._width
        self._at = list(blocks)
        squares = np.stack([_squares(block, block) for block in blocks])
        self._logs = self._fitted(squares)
        kernel = self._kernel(squares)
        kernel[np.diag_indices(len(values))] += np.exp(self._logs[-1]) + _JITTER
        self._root = np.linalg.cholesky(kernel)
        self._weights = self._solved(self._known)

    @property
    def explained(self) -> float:
        """Share of the variance of the results that is explained with each left out, 0 to 1."""
        precision = np.diag(self._solved(np.eye(len(self._known))))
        missed = float(np.mean((self._weights / precision) ** 2)) / (float(np.mean(self._known**2)) or 1.0)
        return float(np.clip(1.0 - missed, 0.0, 1.0))

    def moments(self, blocks: Sequence[FloatArray]) -> tuple[FloatArray, FloatArray]:
        """Return mean and standard deviation of the noise-free value, each of shape ``(n,)``.

        Args:
            blocks: scaled descriptors, shape ``(n, d_b)`` each.
        """
        mean, across = self._towards(blocks)
        variance = np.maximum(np.exp(self._logs[-2]) - (across**2).sum(axis=0), 1e-10)
        return mean * self._width + self._centre, np.sqrt(variance) * self._width

    def samples(self, blocks: Sequence[FloatArray], n_samples: int, rng: np.random.Generator) -> FloatArray:
        """Draw values of all candidates together, shape ``(n_samples, n)``.

        Args:
            blocks: scaled descriptors, shape ``(n, d_b)`` each; n up to a few thousand.
            n_samples: number of draws.
            rng: source of randomness.
        """
        mean, across = self._towards(blocks)
        covariance = self._kernel(np.stack([_squares(block, block) for block in blocks])) - across.T @ across
        covariance[np.diag_indices(len(mean))] += 2 * _JITTER
        drawn = mean[:, None] + np.linalg.cholesky(covariance) @ rng.standard_normal((len(mean), n_samples))
        return np.asarray(drawn.T * self._width + self._centre)

    def _towards(self, blocks: Sequence[FloatArray]) -> tuple[FloatArray, FloatArray]:
        from scipy.linalg import solve_triangular

        kernel = self._kernel(np.stack([_squares(a, b) for a, b in zip(self._at, blocks, strict=True)]))
        return np.asarray(self._weights @ kernel), np.asarray(solve_triangular(self._root, kernel, lower=True))

    def _kernel(self, squares: FloatArray) -> FloatArray:
        distance = np.sqrt(5.0 * np.tensordot(np.exp(-2.0 * self._logs[:-2]), squares, 1))
        return np.asarray(np.exp(self._logs[-2]) * (1.0 + distance + distance**2 / 3.0) * np.exp(-distance))

    def _solved(self, right: FloatArray) -> FloatArray:
        from scipy.linalg import cho_solve

        return np.asarray(cho_solve((self._root, True), right, check_finite=False))

    def _fitted(self, squares: FloatArray) -> FloatArray:
        """Return the logarithms of length scales, signal variance and noise variance."""
        from scipy.optimize import minimize

        usual = 0.5 * np.log(len(squares))  # the more blocks, the longer each, for the same distance
        middle = np.array([usual] * len(squares) + [0.0, _NOISE_PRIOR[0]])
        deviation = np.array([1.0] * len(squares) + [1.0, _NOISE_PRIOR[1]])
        bounds = [(usual - 4.0, usual + 5.0)] * len(squares) + [(-4.0, 3.0), (-9.0, 1.0)]
        found = minimize(
            _loss, middle, args=(squares, self._known, middle, deviation), jac=True, method="L-BFGS-B",
            bounds=bounds, options={"maxiter": _STEPS},
        )  # fmt: skip
        return np.asarray(found.x)


def _loss(
    logs: FloatArray, squares: FloatArray, known: FloatArray, middle: FloatArray, deviation: FloatArray
) -> tuple[float, FloatArray]:
    """Return the negative log posterior of the logarithms, and its gradient."""
    from scipy.linalg import LinAlgError, cho_factor, cho_solve

    signal, noise = np.exp(logs[-2]), np.exp(logs[-1])
    shrink = np.exp(-2.0 * logs[:-2])
    distance = np.sqrt(5.0 * np.tensordot(shrink, squares, 1))
    decay = np.exp(-distance)
    shape = (1.0 + distance + distance**2 / 3.0) * decay
    kernel = signal * shape
    kernel[np.diag_indices(len(known))] += noise + _JITTER
    try:
        root = cho_factor(kernel, lower=True, check_finite=False)
    except LinAlgError:
        return 1e10, np.zeros_like(logs)
    weights = cho_solve(root, known, check_finite=False)
    pull = np.outer(weights, weights) - cho_solve(root, np.eye(len(known)), check_finite=False)
    off = (logs - middle) / deviation
    loss = 0.5 * known @ weights + np.log(np.diag(root[0])).sum() + 0.5 * (off**2).sum()
    slope = pull * (-(5.0 / 6.0) * signal * (1.0 + distance) * decay)
    gradient = off / deviation
    gradient[:-2] += shrink * np.tensordot(squares, slope, 2)
    gradient[-2] -= 0.5 * (pull * shape).sum() * signal
    gradient[-1] -= 0.5 * np.trace(pull) * noise
    return float(loss), gradient


def scaled_blocks(blocks: Sequence[FloatArray]) -> list[FloatArray]:
    """Split few columns into blocks of one, and scale each block to a median squared distance of 1.

    Args:
        blocks: standardised descriptors of the pool, shape ``(n, d_b)`` each.
    """
    columns = sum(block.shape[1] for block in blocks)
    if columns <= MAX_SINGLE_COLUMNS:
        blocks = [block[:, [place]] for block in blocks for place in range(block.shape[1])]
    scaled = []
    for block in blocks:
        some = block[:: max(1, len(block) // _SAMPLE_FOR_SCALE)].astype(float)
        squares = _squares(some, some)
        apart = squares[squares > 1e-12]
        scaled.append(block / np.sqrt(np.median(apart)) if len(apart) else block)
    return scaled


def _squares(left: FloatArray, right: FloatArray) -> FloatArray:
    """Return squared distances, shape ``(len(left), len(right))``."""
    crossed = (left**2).sum(axis=1)[:, None] + (right**2).sum(axis=1)[None] - 2.0 * left @ right.T
    return np.asarray(np.maximum(crossed, 0.0))
