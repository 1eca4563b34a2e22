"""Plain strategies to compare with: random choice, and one surrogate with one acquisition each."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

from hstore_workflows.campaign.beliefs import success_odds
from hstore_workflows.campaign.guess import Guess, guess
from hstore_workflows.campaign.improvement import hypervolume_improvement, log_expected_improvement
from hstore_workflows.campaign.landscape import Pick, free_rows
from hstore_workflows.campaign.merit import Merit, merit_of
from hstore_workflows.campaign.shortlist import shortlist
from hstore_workflows.campaign.spread import spread
from hstore_workflows.campaign.strategies.portfolio import Portfolio

if TYPE_CHECKING:
    from hstore.arrays import FloatArray
    from hstore_workflows.campaign.landscape import History, Landscape

_DIRECTIONS = 48
_ROOM = 0.1
_WORLDS = 24
_LEAST, _SURE = 1e-12, 1e-6


@dataclass(frozen=True)
class Random:
    """Choose at random: what every strategy must beat."""

    def choose(self, landscape: Landscape, history: History, n: int, *, seed: int) -> list[Pick]:
        """Choose the next experiments (see :class:`~hstore_workflows.campaign.landscape.Strategy`)."""
        rng = np.random.default_rng([seed, len(history.taken)])
        rows = rng.permutation(np.flatnonzero(free_rows(landscape, history)))[:n]
        return [Pick(int(row), "random") for row in rows]


def forest_thompson() -> Portfolio:
    """Return Thompson sampling with the trees of a forest."""
    return Portfolio({"sample": (1.0, 1.0)}, gathers=False)


def process_thompson() -> Portfolio:
    """Return Thompson sampling with draws of a Gaussian process."""
    return Portfolio({"draw": (1.0, 1.0)}, gathers=False)


@dataclass(frozen=True)
class Improvement:
    """Expected improvement times the odds of windows and synthesis, per effort, one pick after the other.

    In each plausible world a pick comes out as it does there before the next is chosen (sequential greedy, as in
    Daulton et al. 2020, doi 10.48550/arXiv.2006.05078). Several goals: expected hypervolume improvement.
    """

    source: Literal["trees", "process"]
    """Where plausible values come from."""

    def choose(self, landscape: Landscape, history: History, n: int, *, seed: int) -> list[Pick]:
        """Choose the next experiments (see :class:`~hstore_workflows.campaign.landscape.Strategy`)."""
        rng = np.random.default_rng([seed, len(history.taken)])
        free, merit = free_rows(landscape, history), merit_of(landscape, history)
        n = min(n, int(free.sum()))
        if n == 0 or merit is None:
            return spread(landscape, history, n)
        rows = shortlist(landscape, history, free, merit, n, rng)
        guesses = {c: guess(landscape, history, c, rows, rng) for c in landscape.objective.columns}
        drawn = {c: self._plausible(made) for c, made in guesses.items() if made is not None}
        gains = _Gains(merit, drawn, _known(landscape, history, merit), rng)
        odds = np.log(np.maximum(_odds(landscape, drawn) * success_odds(landscape, history)[rows], _LEAST))
        odds = odds if landscape.effort is None else odds - np.log(landscape.effort[rows])
        left = np.ones(len(rows), dtype=bool)
        picks: list[Pick] = []
        for _ in range(n):
            place = int(np.argmax(np.where(left, gains.logarithms() + odds, -np.inf)))
            left[place] = False
            gains.believe(place)
            picks.append(Pick(int(rows[place]), "improve"))
        return picks

    def _plausible(self, made: Guess) -> FloatArray:
        return made.trees if self.source == "trees" else made.draws


class _Gains:
    """Expected improvement, given the results and the picks so far."""

    def __init__(
        self, merit: Merit, drawn: dict[str, FloatArray], known: FloatArray, rng: np.random.Generator
    ) -> None:
        n_draws = min(len(drawn[goal.column]) for goal in merit.goals)
        worlds = range(n_draws if len(merit.goals) == 1 else min(n_draws, _WORLDS))
        self._scaled = np.stack(
            [merit.scaled({g.column: drawn[g.column][w] for g in merit.goals}) for w in worlds]
        )
        self._fronts = [known for _ in worlds]
        self._directions = np.stack([merit.weights(rng) for _ in range(_DIRECTIONS)])

    def logarithms(self) -> FloatArray:
        """Return the logarithm of the expected improvement, shape (n,)."""
        if self._scaled.shape[1] == 1:
            best = float(np.mean([front.max(initial=0.0) for front in self._fronts]))
            plausible = self._scaled[:, 0]
            return log_expected_improvement(plausible.mean(axis=0), plausible.std(axis=0) + _SURE, best)
        gains = [
            hypervolume_improvement(values + _ROOM, front + _ROOM, self._directions)
            for values, front in zip(self._scaled, self._fronts, strict=True)
        ]
        return np.asarray(np.log(np.mean(gains, axis=0) + _LEAST))

    def believe(self, place: int) -> None:
        """Let a pick come out in each plausible world as it does there."""
        self._fronts = [
            np.hstack([front, values[:, [place]]])
            for front, values in zip(self._fronts, self._scaled, strict=True)
        ]


def _odds(landscape: Landscape, drawn: dict[str, FloatArray]) -> FloatArray | float:
    """Return the share of plausible worlds in which candidates meet all windows, shape (n,)."""
    odds: FloatArray | float = 1.0
    for window in landscape.objective.windows:
        if window.column in drawn:
            met = (drawn[window.column] >= window.low) & (drawn[window.column] <= window.high)
            odds = odds * (met.sum(axis=0) + 0.5) / (len(met) + 1.0)
    return odds


def forest_improvement() -> Improvement:
    """Return expected improvement by the trees of a forest."""
    return Improvement("trees")


def process_improvement() -> Improvement:
    """Return expected improvement by draws of a Gaussian process."""
    return Improvement("process")


def _known(landscape: Landscape, history: History, merit: Merit) -> FloatArray:
    """Return the scaled goals of the results that meet the windows, shape (goals, m)."""
    columns = [goal.column for goal in merit.goals]
    rows = [
        [values[column] for column in columns]
        for values in history.results.values()
        if all(column in values for column in columns) and landscape.objective.met_by(values)
    ]
    held = np.array(rows, dtype=float).reshape(len(rows), len(columns))
    return merit.scaled({column: held[:, place] for place, column in enumerate(columns)})
