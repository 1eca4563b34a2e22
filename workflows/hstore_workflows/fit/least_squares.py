"""Least squares in the logarithms of parameters, all above 0, with covariance, intervals and criteria."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.optimize import least_squares
from scipy.stats import t as t_distribution

from hstore.errors import InputError
from hstore_workflows.fit.vant_hoff import COVERAGE

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from hstore.arrays import FloatArray

FIXED_FACTOR = 100.0
"""A parameter whose interval is wider than this factor is not fixed by the points."""

_MOST_LN = 60.0
_STEP = 1e-5
_BLIND = 1e-9
"""Share of the largest singular value below which points do not see a direction."""


@dataclass(frozen=True)
class Solution:
    """Parameters that fit best, and how sure they are.

    Errors are taken as equal for all points, and their size is the scatter about the curve.
    """

    theta: FloatArray
    """Parameters, shape ``(k,)``."""
    covariance: FloatArray
    """Covariance of their logarithms, shape ``(k, k)``."""
    points: int
    """Points fitted."""
    rmse: float
    """Root mean square distance of the points from the curve, in their unit."""

    @property
    def freedom(self) -> int:
        """Degrees of freedom."""
        return self.points - len(self.theta)

    @property
    def reach(self) -> float:
        """Half a 90 % interval in standard errors (Student's t)."""
        return float(t_distribution.ppf(0.5 + COVERAGE / 2, self.freedom))

    @property
    def intervals(self) -> FloatArray:
        """90 % interval of each parameter, shape ``(k, 2)``."""
        half = self.reach * np.sqrt(np.diag(self.covariance))
        log = np.log(self.theta)
        return np.exp(np.clip(np.column_stack([log - half, log + half]), -700.0, 700.0))

    @property
    def loose(self) -> tuple[int, ...]:
        """Places of parameters that the points do not fix (:data:`FIXED_FACTOR`)."""
        return tuple(np.flatnonzero(2.0 * self.reach * np.sqrt(np.diag(self.covariance)) > np.log(FIXED_FACTOR)))

    @property
    def aicc(self) -> float:
        """Akaike's criterion corrected for few points (Hurvich and Tsai 1989, doi 10.1093/biomet/76.2.297)."""
        k = len(self.theta) + 1
        return self._deviance + 2.0 * k + 2.0 * k * (k + 1) / max(1e-9, self.points - k - 1)

    @property
    def bic(self) -> float:
        """Bayesian information criterion (Schwarz 1978, doi 10.1214/aos/1176344136)."""
        return self._deviance + (len(self.theta) + 1) * float(np.log(self.points))

    @property
    def _deviance(self) -> float:
        return self.points * 2.0 * float(np.log(max(self.rmse, 1e-12)))

    def std_of(self, function: Callable[[FloatArray], FloatArray]) -> FloatArray:
        """Return the standard errors of what follows from the parameters (delta method), shape of its value."""
        slopes = _slopes(function, np.log(self.theta))
        variance = np.einsum("...i,ij,...j->...", slopes, self.covariance, slopes)
        return np.asarray(np.sqrt(np.maximum(variance, 0.0)))


def solve(
    curve: Callable[[FloatArray], FloatArray], measured: FloatArray, starts: Sequence[Sequence[float]]
) -> Solution:
    """Find the parameters of a curve, the best from all starts.

    Args:
        curve: parameters, shape ``(k,)``, above 0 -> values, shape ``(n,)``.
        measured: values, shape ``(n,)``.
        starts: parameters to begin with, above 0.

    Raises:
        InputError: there are fewer than two points more than parameters, or no start leads anywhere.
    """
    if len(measured) < len(starts[0]) + 2:
        raise InputError(f"{len(starts[0])} parameters need {len(starts[0]) + 2} points, got {len(measured)}")

    def miss(log: FloatArray) -> FloatArray:
        with np.errstate(all="ignore"):
            found = curve(np.exp(np.clip(log, -_MOST_LN, _MOST_LN))) - measured
        return np.nan_to_num(found, nan=1e6, posinf=1e6, neginf=-1e6)

    best, cost = None, np.inf
    for start in starts:
        try:
            found = least_squares(miss, np.log(np.asarray(start, dtype=float)), method="lm", max_nfev=400)
        except ValueError:  # the start itself gives no numbers
            continue
        if found.cost < cost:
            best, cost = np.clip(found.x, -_MOST_LN, _MOST_LN), float(found.cost)
    if best is None:
        raise InputError("the fit leads nowhere from any start")
    slopes = _slopes(curve, best)
    freedom = len(measured) - len(best)
    # Directions that no point sees get a variance without bound, not the zero of a pseudo-inverse.
    _, sizes, turn = np.linalg.svd(slopes, full_matrices=False)
    sizes = np.maximum(sizes, max(_BLIND * float(sizes[0]), 1e-100))
    spread = turn.T / sizes * np.sqrt(2.0 * cost / freedom)
    covariance = spread @ spread.T
    return Solution(np.exp(best), covariance, len(measured), float(np.sqrt(2.0 * cost / len(measured))))


def _slopes(function: Callable[[FloatArray], FloatArray], log: FloatArray) -> FloatArray:
    """Return the derivatives by the logarithms of the parameters, shape ``(..., k)``."""
    with np.errstate(all="ignore"):
        columns = [
            (np.asarray(function(np.exp(log + h))) - np.asarray(function(np.exp(log - h)))) / (2.0 * _STEP)
            for h in _STEP * np.eye(len(log))
        ]
    return np.nan_to_num(np.stack(columns, axis=-1))
