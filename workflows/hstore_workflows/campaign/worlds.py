"""Plausible worlds: what all free candidates might turn out to be, together, given the results.

Half of the worlds are blends of a forest and a Gaussian process (:mod:`hstore_workflows.campaign.guess`). Trees
never leave the range of the results, so the other half are single trees with half of the error that the belief
states beyond their disagreement, independent for each candidate. Chosen among eleven kinds of worlds and their
mixtures by how often, on four labelled pools, the best had been found where they said so.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from hstore_workflows.campaign.beliefs import MIN_RESULTS, believe, success_odds
from hstore_workflows.campaign.guess import guess
from hstore_workflows.campaign.improvement import hypervolume_improvement
from hstore_workflows.campaign.landscape import free_rows
from hstore_workflows.campaign.merit import merit_of
from hstore_workflows.campaign.shortlist import shortlist
from hstore_workflows.campaign.surrogates.forest import N_TREES

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from hstore.arrays import FloatArray
    from hstore_workflows.campaign.landscape import History, Landscape
    from hstore_workflows.campaign.merit import Merit

N_WORLDS = 2 * N_TREES
"""Worlds that are imagined."""

_LACKING = 0.5
"""Part of the error beyond the disagreement of trees that single trees are given."""
_DIRECTIONS = 48
_BELOW = 0.1
"""Distance of the reference of the hypervolume below the worst result, in spans of the results."""
_WANTED = 1
_UNKNOWN_ODDS = 0.5


@dataclass(frozen=True, eq=False)
class Gains:
    """By how much each free candidate would improve on the results, in every world."""

    rows: NDArray[np.intp]
    """Candidates that may be the best of those that are free, shape (n,)."""
    of: FloatArray
    """Gain, shape (worlds, n): of the main goal, in its unit; of several goals, as a share of the hypervolume
    reached. At most 0 where the best stays the best, ``-inf`` where a window is missed or the synthesis fails."""


def gains(landscape: Landscape, history: History, *, seed: int) -> Gains | None:
    """Imagine worlds; None where nothing was measured that meets the windows, or too little is known.

    Args:
        landscape: the pool.
        history: what is known.
        seed: seed of everything random.
    """
    objective = landscape.objective
    merit = merit_of(landscape, history)
    best = _reached(landscape, history)
    if merit is None or len(merit.goals) < len(objective.goals) or not len(best):
        return None
    rng = np.random.default_rng([seed, len(history.taken)])
    free = free_rows(landscape, history)
    rows = shortlist(landscape, history, free, merit, _WANTED, rng)
    values = {column: _worlds(landscape, history, column, rows, rng) for column in objective.columns}
    if len(merit.goals) == 1:
        goal = objective.main
        found = goal.sign * values[goal.column] - best[:, 0].max()
    else:
        found = _of_front(merit, values, best, rng)
    odds = success_odds(landscape, history)[rows]
    fails = rng.random(found.shape) > odds
    for window in objective.windows:
        held = values[window.column]
        unknown = np.isnan(held) & (rng.random(held.shape) < _UNKNOWN_ODDS)
        fails |= unknown | (held < window.low) | (held > window.high)
    return Gains(rows, np.where(fails, -np.inf, found))


def _reached(landscape: Landscape, history: History) -> FloatArray:
    """Return the goals of results that have all of them and miss no window, larger being better, shape (m, k)."""
    goals = landscape.objective.goals
    held = [
        [goal.sign * values[goal.column] for goal in goals]
        for values in history.results.values()
        if all(goal.column in values for goal in goals) and landscape.objective.met_by(values)
    ]
    return np.array(held, dtype=float).reshape(-1, len(goals))


def _worlds(
    landscape: Landscape, history: History, column: str, rows: NDArray[np.intp], rng: np.random.Generator
) -> FloatArray:
    """Return plausible values of a column, shape (worlds, n); NaN where nothing is known of it."""
    made = guess(landscape, history, column, rows, rng)
    if made is None:
        return np.full((N_WORLDS, len(rows)), np.nan)
    blends = np.array([made.blend(number) for number in range(N_TREES)])
    if len(history.values(column)[0]) < MIN_RESULTS:
        return np.vstack([blends, blends])
    believed = believe(landscape, history, column, seed=int(rng.integers(2**30)))
    assert believed is not None
    trees = np.log(made.trees) if believed.logarithm else made.trees
    lacking = np.sqrt(np.maximum(believed.std[rows] ** 2 - trees.var(axis=0), 0.0))
    drawn = trees + _LACKING * lacking * rng.standard_normal(trees.shape)
    return np.vstack([blends, np.exp(drawn) if believed.logarithm else drawn])


def _of_front(
    merit: Merit, values: Mapping[str, FloatArray], reached: FloatArray, rng: np.random.Generator
) -> FloatArray:
    """Return the relative growth of the hypervolume by each candidate alone, shape (worlds, n)."""
    weights = np.array([merit.weights(rng) for _ in range(_DIRECTIONS)])
    front = ((reached - merit.low) / merit.span).T + _BELOW
    reach = np.array([max((front / w[:, None]).min(axis=0).max(), 0.0) for w in weights])
    size = float(np.mean(reach ** len(front)))  # of the front itself, up to the same factor
    grown = []
    for world in range(N_WORLDS):
        drawn = {goal.column: values[goal.column][world] for goal in merit.goals}
        grown.append(hypervolume_improvement(merit.scaled(drawn) + _BELOW, front, weights) / size)
    return np.array(grown)
