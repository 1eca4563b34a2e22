"""Candidates as few numbers, for libraries whose models want a handful of parameters.

The libraries see what our own strategies see: descriptors and, as further columns, the predictions made before
the campaign began. They know neither effort nor failed syntheses, beyond never choosing such a row again.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from hstore.arrays import FloatArray
    from hstore_workflows.campaign.landscape import History, Landscape

MAX_COLUMNS = 20
"""Descriptors above this number are replaced by as many principal components."""
_ROUNDING = 1e-9


def coordinates(landscape: Landscape) -> FloatArray:
    """Return the candidates as points.

    Columns are the varying descriptors themselves or, when there are more than :data:`MAX_COLUMNS`, their first
    principal components, in the unit of the standardised descriptors; then each standardised predicted mean.

    Returns:
        Points, shape (n, k); k is 0 where nothing tells the candidates apart.
    """
    features = _varying(landscape.features)
    if features.shape[1] > MAX_COLUMNS:
        features = _principal_components(features, MAX_COLUMNS)
    if not landscape.priors:
        return features
    predicted = _varying(np.column_stack([prior.mean for prior in landscape.priors.values()]))
    return np.hstack([features, (predicted - predicted.mean(axis=0)) / predicted.std(axis=0)])


def unit_cube(points: FloatArray) -> FloatArray:
    """Scale each column of points, shape (n, k), from 0 to 1."""
    low = points.min(axis=0)
    return np.asarray((points - low) / (points.max(axis=0) - low))


def answered(landscape: Landscape, history: History) -> list[int]:
    """Return the rows that have a value of every goal."""
    goals = [goal.column for goal in landscape.objective.goals]
    return [row for row, values in history.results.items() if all(column in values for column in goals)]


def at_random(free: NDArray[np.bool_], n: int, rng: np.random.Generator) -> list[int]:
    """Draw up to n of the free rows; ``free`` has shape (rows of the pool,)."""
    rows = np.flatnonzero(free)
    return [int(row) for row in rng.permutation(rows)[:n]]


def generator(history: History, seed: int) -> np.random.Generator:
    """Return a generator that a later batch of the same campaign does not repeat."""
    return np.random.default_rng([seed, len(history.taken)])


def _varying(columns: FloatArray) -> FloatArray:
    """Drop columns that are constant but for rounding, which scaling would blow up."""
    spread = np.ptp(columns, axis=0)
    return columns[:, spread > _ROUNDING * spread.max(initial=0.0)]


def _principal_components(features: FloatArray, n: int) -> FloatArray:
    centred = features - features.mean(axis=0)
    _, directions = np.linalg.eigh(centred.T @ centred)
    return _varying(centred @ directions[:, : -n - 1 : -1])
