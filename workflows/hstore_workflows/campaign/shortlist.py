"""Of a large pool, the few thousand candidates that any way of choosing might take.

Draws of a Gaussian process over n candidates cost n cubed, so of large pools a short list is made first: what any
of a few trees ranks highest, what may turn out well by mean and spread, the best of every neighbourhood, and some
at random. ``benchmarks/campaign.py`` prints how much is lost.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from hstore_workflows.campaign.beliefs import MIN_RESULTS
from hstore_workflows.campaign.surrogates.forest import Forest

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from hstore.arrays import FloatArray
    from hstore_workflows.campaign.landscape import History, Landscape
    from hstore_workflows.campaign.merit import Merit

MOST = 1500
"""Candidates that are looked at one by one."""

_TREES = 24
_PER_TREE = 40
_BY_MEAN = 150
_PER_NEIGHBOURHOOD = 8
_UNMET = 1e6


def shortlist(
    landscape: Landscape,
    history: History,
    free: NDArray[np.bool_],
    merit: Merit,
    n: int,
    rng: np.random.Generator,
) -> NDArray[np.intp]:
    """Return the rows that are looked at one by one, in ascending order.

    Args:
        landscape: the pool.
        history: what is known.
        free: candidates that may be chosen, shape (rows of the pool,).
        merit: what values are worth.
        n: picks wanted; the list holds more.
        rng: source of randomness.
    """
    rows = np.flatnonzero(free)
    if len(rows) <= MOST:
        return rows
    forests = _forests(landscape, history, rng)
    chosen = [rng.choice(rows, min(len(rows), max(200, 2 * n)), replace=False)]
    total, square = np.zeros(len(rows)), np.zeros(len(rows))
    last = np.zeros(len(rows))
    for tree in range(_TREES):
        worth = _worth(landscape, forests, merit, tree, rng)[rows]
        chosen.append(rows[_highest(worth, max(_PER_TREE, n))])
        total, square, last = total + worth, square + worth**2, worth
    mean = total / _TREES
    hopeful = mean + np.sqrt(np.maximum(square / _TREES - mean**2, 0.0))
    chosen.append(rows[_highest(hopeful, max(_BY_MEAN, n))])
    chosen.append(rows[_best_of_each(landscape.neighbourhoods[rows], last)])
    return np.unique(np.concatenate(chosen))


def _forests(landscape: Landscape, history: History, rng: np.random.Generator) -> Mapping[str, Forest]:
    found = {}
    for column in landscape.objective.columns:
        measured, values = history.values(column)
        if len(measured) >= MIN_RESULTS:
            features = landscape.field_features[measured]
            found[column] = Forest(features, values, seed=int(rng.integers(2**30)), n_trees=_TREES)
    return found


def _worth(
    landscape: Landscape, forests: Mapping[str, Forest], merit: Merit, tree: int, rng: np.random.Generator
) -> FloatArray:
    """Return what all candidates are worth by one tree of each column, shape (rows of the pool,)."""
    values = {}
    for column in landscape.objective.columns:
        prior = landscape.priors.get(column)
        if column in forests:
            values[column] = forests[column].answers_of(tree, landscape.field_features)
        elif prior is not None:
            values[column] = prior.mean
    goals = [goal.column for goal in merit.goals]
    worth = merit.of({column: values[column] for column in goals}, merit.weights(rng))
    for window in landscape.objective.windows:
        if window.column in values:
            held = values[window.column]
            worth = worth - _UNMET * ((held < window.low) | (held > window.high))
    return worth


def _highest(values: FloatArray, n: int) -> NDArray[np.intp]:
    n = min(n, len(values))
    return np.argpartition(-values, n - 1)[:n]


def _best_of_each(numbers: NDArray[np.intp], values: FloatArray) -> NDArray[np.intp]:
    """Return the places of the best few of every neighbourhood."""
    order = np.lexsort((-values, numbers))
    _, start = np.unique(numbers[order], return_index=True)
    rank = np.arange(len(order)) - np.repeat(start, np.diff([*start.tolist(), len(order)]))
    return np.asarray(order[rank < _PER_NEIGHBOURHOOD])
