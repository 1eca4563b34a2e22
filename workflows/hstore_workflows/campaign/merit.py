"""From values of goals to one number: what a candidate would be worth, if these were its values.

One goal counts as it is. Several are drawn together by random hypervolume scalarisations,
s = min_j x_j / w_j with w on the positive unit sphere and x_j the goal above its reference: their mean over w is
the hypervolume (Zhang and Golovin 2020, doi 10.48550/arXiv.2006.04655), so choices under random w spread along the
front. Effort divides what is gained.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from hstore_workflows.campaign.beliefs import MIN_RESULTS

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from hstore.arrays import FloatArray
    from hstore_workflows.campaign.landscape import History, Landscape
    from hstore_workflows.campaign.objective import Goal

_BELOW = 0.1
"""How far the reference lies below the worst known value, in spans of the known ones."""
_HALF_WAY = 0.5
_HARDLY = 1e-6
_UNMET = 1e6


@dataclass(frozen=True)
class Merit:
    """What values of the goals are worth."""

    goals: tuple[Goal, ...]
    """Goals of which something is known."""
    low: FloatArray
    """Worst known value of each, larger being better."""
    span: FloatArray
    """Distance from the worst to the best known value of each, above 0."""

    def scaled(self, values: Mapping[str, FloatArray]) -> FloatArray:
        """Return goals scaled to 0 at the worst and 1 at the best known value, shape (goals, n)."""
        signed = np.stack([goal.sign * values[goal.column] for goal in self.goals])
        return np.asarray((signed - self.low[:, None]) / self.span[:, None])

    def of(self, values: Mapping[str, FloatArray], weights: FloatArray) -> FloatArray:
        """Return what candidates are worth under one choice of weights, shape (n,).

        Args:
            values: column of each goal -> values, shape (n,).
            weights: as :meth:`weights` draws them.
        """
        scaled = self.scaled(values)
        if len(self.goals) == 1:
            return np.asarray(scaled[0])
        return np.asarray(((scaled + _BELOW) / weights[:, None]).min(axis=0))

    def weights(self, rng: np.random.Generator) -> FloatArray:
        """Draw a point of the positive unit sphere, shape (goals,)."""
        drawn = np.abs(rng.standard_normal(len(self.goals))) + _HARDLY
        return np.asarray(drawn / np.linalg.norm(drawn))


def merit_of(landscape: Landscape, history: History) -> Merit | None:
    """Return what values are worth, given what is known; None where too little is known of every goal."""
    goals, low, span = [], [], []
    for goal in landscape.objective.goals:
        known = goal.sign * history.values(goal.column)[1]
        prior = landscape.priors.get(goal.column)
        if prior is None and len(known) < MIN_RESULTS:
            continue
        if not len(known):
            assert prior is not None
            known = goal.sign * prior.mean
        goals.append(goal)
        low.append(float(known.min()))
        span.append(float(np.ptp(known)) or 1.0)
    return Merit(tuple(goals), np.array(low), np.array(span)) if goals else None


def per_effort(worth: FloatArray, effort: FloatArray | None) -> FloatArray:
    """Return what is gained above half of the known span, per effort, shape (n,).

    Args:
        worth: of candidates, shape (n,), 0 at the worst and about 1 at the best known.
        effort: relative effort, shape (n,); equal when None.
    """
    if effort is None:
        return worth
    return np.asarray(np.maximum(worth - _HALF_WAY, 0.0) / effort + _HARDLY * worth)


def within(worth: FloatArray, allowed: Sequence[NDArray[np.bool_]]) -> FloatArray:
    """Return worth, far lower for each condition that is not met.

    Args:
        worth: shape (n,).
        allowed: conditions, boolean arrays of shape (n,).
    """
    for met in allowed:
        worth = np.where(met, worth, worth - _UNMET)
    return worth
