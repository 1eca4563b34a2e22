"""From predicted properties to one score: how far a candidate gets, and how sure that is.

The probability that every requirement holds is printed as it is. Where no known material can meet a
requirement (system targets on hydrides), all these probabilities are near zero and rank nothing; so the
score multiplies the probability of the window by the expected attainment of the capacity, the share of the
requirement that is reached.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from hstore.errors import InputError

if TYPE_CHECKING:
    from numpy.typing import NDArray


def probability_at_least(
    mean: NDArray[np.float64], std: NDArray[np.float64], minimum: float
) -> NDArray[np.float64]:
    """Return the probability that a normal quantity is at least a minimum, shape ``(n,)``.

    Args:
        mean: predicted means, shape ``(n,)``.
        std: standard deviations in the same unit, at least 0, shape ``(n,)``.
        minimum: requirement in the same unit.
    """
    from scipy.special import ndtr

    with np.errstate(divide="ignore", invalid="ignore"):
        margin = (mean - minimum) / std
    met: NDArray[np.float64] = np.where(std > 0, ndtr(margin), (mean >= minimum).astype(float))
    return np.where(np.isnan(mean), np.nan, met)


def expected_attainment(
    mean: NDArray[np.float64], std: NDArray[np.float64], requirement: float
) -> NDArray[np.float64]:
    """Return the expected share of a requirement that is reached, E[min(max(x, 0), r)] / r, in [0, 1].

    Args:
        mean: predicted means, shape ``(n,)``.
        std: standard deviations in the same unit, at least 0, shape ``(n,)``.
        requirement: what counts as fully reached, same unit, positive.

    Raises:
        InputError: the requirement is not positive.
    """
    if not requirement > 0:
        raise InputError(f"a requirement must be positive, got {requirement}; give it in the property's unit")
    reached = _expected_minimum(mean, std, requirement) - _expected_minimum(mean, std, 0.0)
    return np.clip(reached / requirement, 0.0, 1.0)


def _expected_minimum(mean: NDArray[np.float64], std: NDArray[np.float64], bound: float) -> NDArray[np.float64]:
    """E[min(x, bound)] of a normal x."""
    from scipy.special import ndtr

    safe = np.where(std > 0, std, 1.0)
    z = (bound - mean) / safe
    density = np.exp(-0.5 * z**2) / np.sqrt(2.0 * np.pi)
    value = mean * ndtr(z) - safe * density + bound * ndtr(-z)
    return np.where(std > 0, value, np.minimum(mean, bound))


def pareto_front(objectives: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Mark the rows that no other row beats in every objective.

    Args:
        objectives: to be maximized, shape ``(n, 2)``; rows with NaN are never on the front.

    Returns:
        True on the front, shape ``(n,)``.

    Raises:
        InputError: not two objectives.
    """
    if objectives.ndim != 2 or objectives.shape[1] != 2:
        raise InputError(f"the front is drawn in two objectives, got an array of shape {objectives.shape}")
    front = np.zeros(len(objectives), dtype=bool)
    usable = np.flatnonzero(~np.isnan(objectives).any(axis=1))
    order = usable[np.lexsort((-objectives[usable, 1], -objectives[usable, 0]))]
    best = -np.inf
    for row in order:
        if objectives[row, 1] > best:
            front[row], best = True, objectives[row, 1]
    return front
