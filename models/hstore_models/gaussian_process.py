"""Gaussian processes on standardised columns, kept as arrays: a smooth learner beside the trees.

Length scale and noise come from the marginal likelihood (Rasmussen and Williams, Gaussian Processes for Machine
Learning, 2006, section 5.4). Literature tables hold a few values that are far off; rows that the others contradict
(their leave-one-out residual, section 5.4.2 there) are given the weight they would have under noise with heavy
tails (Student's t: Lange, Little and Taylor 1989, doi 10.1080/01621459.1989.10478852) and the fit is repeated.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from hstore.errors import InputError, unknown_name

if TYPE_CHECKING:
    from collections.abc import Mapping

    from hstore.arrays import FloatArray

KERNELS = ("rbf", "matern32", "matern52")
"""Squared exponential, and Matern of smoothness 3/2 and 5/2."""

_PARAMETERS = ("kernel", "robust_passes")
_ROWS_AT_ONCE = 256
"""Rows whose covariances fit into the cache of a core, which almost doubles the speed."""
_LEAST_SIGNAL = 1e-300
"""Signal variance of a target that does not vary, whose logarithm is taken."""
_FAR_STDS = 6.0
"""Inputs are held within so many standard deviations of the training mean."""
_SQRT3, _SQRT5 = 3.0**0.5, 5.0**0.5
_TAIL = 4.0
"""Degrees of freedom of the noise with heavy tails."""
_MOST_SEARCH_ROWS = 400
"""Rows by which length scale and noise are found; the cost of a look grows with their third power."""


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
            rows = _standardised(features[start : start + _ROWS_AT_ONCE], self.centre, self.spread)
            rows /= self.length
            squares = rows @ (-2.0 * self.inputs.T)
            squares += norms
            squares += np.einsum("ij,ij->i", rows, rows)[:, None]
            answer[start : start + len(rows)] = _kernel(self.kernel, squares) @ self.coefficients
        return self.mean + answer, np.zeros(len(features))


def check_process(parameters: Mapping[str, Any]) -> None:
    """Refuse parameters that :func:`fit_process` would not take, before anything heavy runs.

    Args:
        parameters: name -> value.

    Raises:
        UnknownNameError: no such parameter, or no such kernel.
        InputError: ``robust_passes`` is no whole number from 0.
    """
    for name in parameters:
        if name not in _PARAMETERS:
            raise unknown_name("parameter of gaussian_process", name, _PARAMETERS)
    kernel, passes = parameters.get("kernel", KERNELS[0]), parameters.get("robust_passes", 0)
    if kernel not in KERNELS:
        raise unknown_name("kernel", str(kernel), KERNELS)
    if not isinstance(passes, int) or passes < 0:
        raise InputError(f"robust_passes of gaussian_process must be a whole number from 0, got {passes!r}")


def fit_process(
    features: FloatArray,
    target: FloatArray,
    weights: FloatArray,
    *,
    kernel: str = "matern52",
    robust_passes: int = 0,
) -> KernelMachine:
    """Fit length scale, amplitude and noise by marginal likelihood.

    Args:
        features: shape ``(n, d)``, NaN where missing.
        target: shape ``(n,)``.
        weights: weight of each row, shape ``(n,)``, above 0; a row of weight w has 1 / w of the noise variance.
        kernel: one of ``KERNELS``.
        robust_passes: how often rows that the others contradict are given less weight and the fit is repeated.

    Raises:
        UnknownNameError: no such kernel.
    """
    if kernel not in KERNELS:
        raise unknown_name("kernel", kernel, KERNELS)
    centre, spread = _moments(features)
    rows = _standardised(features, centre, spread)
    mean, width = float(np.average(target, weights=weights)), float(np.std(target)) or 1.0
    answers = (target - mean) / width
    squares = np.einsum("ij,ij->i", rows, rows)
    distances = np.maximum(squares[:, None] + squares - 2.0 * rows @ rows.T, 0.0)
    some = np.unique(np.linspace(0, len(target) - 1, min(len(target), _MOST_SEARCH_ROWS)).astype(int))
    typical = _typical(distances)
    found = _likeliest(kernel, distances[np.ix_(some, some)] / typical**2, answers[some], weights[some])
    length = typical * np.exp(found[0])
    covariance = _kernel(kernel, distances / length**2)
    noise, trust = np.exp(found[1]) / weights, np.ones(len(target))
    for again in range(robust_passes + 1):
        inverse = np.linalg.inv(covariance + np.diag(noise / trust))
        coefficients = inverse @ answers
        if again < robust_passes:
            trust = _trust(coefficients, np.diag(inverse), answers)
    scaled = np.asarray(rows / length, dtype=np.float64)
    return KernelMachine(kernel, centre, spread, float(length), scaled, np.asarray(width * coefficients), mean)


def _trust(coefficients: FloatArray, precision: FloatArray, answers: FloatArray) -> FloatArray:
    """Return the weight of each row under noise with heavy tails, 1 for a typical row, shape ``(n,)``."""
    signal = float(answers @ coefficients) / len(answers)
    squared = coefficients**2 / precision / max(signal, 1e-12)  # leave-one-out residuals over their variance
    weight = (_TAIL + 1.0) / (_TAIL + squared)
    return np.asarray(weight / np.median(weight))


def _moments(features: FloatArray) -> tuple[FloatArray, FloatArray]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # columns without any value give NaN
        centre = np.nan_to_num(np.nanmean(features, axis=0))
        spread = np.nan_to_num(np.nanstd(features, axis=0))
    spread[spread < 1e-12 * np.maximum(1.0, np.abs(centre))] = np.inf  # a constant column says nothing
    return centre, spread


def _typical(distances: FloatArray) -> float:
    positive = distances[distances > 0]
    return float(np.sqrt(np.median(positive))) if positive.size else 1.0


def _standardised(features: FloatArray, centre: FloatArray, spread: FloatArray) -> FloatArray:
    rows = features - centre
    rows /= spread
    np.copyto(rows, 0.0, where=np.isnan(features))
    return np.asarray(np.clip(rows, -_FAR_STDS, _FAR_STDS, out=rows))


def _kernel(name: str, squares: FloatArray) -> FloatArray:
    """Turn squared distances in length scales into covariances of unit variance; the array given is used up."""
    np.maximum(squares, 0.0, out=squares)
    if name == "rbf":
        squares *= -0.5
        return np.asarray(np.exp(squares, out=squares))
    distance = np.sqrt(squares, out=squares)
    distance *= _SQRT3 if name == "matern32" else _SQRT5
    polynomial = 1.0 + distance
    if name == "matern52":
        polynomial += distance**2 / 3.0
    np.negative(distance, out=distance)
    polynomial *= np.exp(distance, out=distance)
    return np.asarray(polynomial)


def _likeliest(
    kernel: str, distances: FloatArray, answers: FloatArray, weights: FloatArray
) -> tuple[float, float]:
    """Return the logarithms of length scale and noise over signal variance of largest marginal likelihood."""
    from scipy.linalg import LinAlgError, cho_factor, cho_solve
    from scipy.optimize import minimize

    count = len(answers)

    def loss(point: FloatArray) -> float:
        covariance = _kernel(kernel, distances / np.exp(2.0 * point[0]))
        covariance[np.diag_indices_from(covariance)] += np.exp(point[1]) / weights
        try:
            factor = cho_factor(covariance, lower=True, overwrite_a=True, check_finite=False)
        except LinAlgError:
            return 1e10
        signal = float(answers @ cho_solve(factor, answers, check_finite=False)) / count
        return float(0.5 * count * np.log(max(signal, _LEAST_SIGNAL)) + np.log(np.diag(factor[0])).sum())

    best = minimize(
        loss, np.array([0.5, -1.5]), method="Nelder-Mead", bounds=[(-2.5, 4.0), (-9.0, 3.0)],
        options={"maxfev": 60, "xatol": 0.05, "fatol": 0.5},
    )  # fmt: skip
    return float(best.x[0]), float(best.x[1])
