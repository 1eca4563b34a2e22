"""The strategy of hstore: a few ways to choose, used the more the better they have done.

- ``sample``: the best candidate by one tree of a forest (Thompson sampling, doi 10.48550/arXiv.1707.02038): what
  is good on nearly all pools.
- ``blend``: by one tree and one draw of a Gaussian process together: better where values vary smoothly.
- ``family``: the best by one tree among the kinds of candidates that were tried least: the way out where the
  others would go on with one family for ever. It is taken less often where results that were left out are
  foretold well: there the others do not lose their way.
- ``best``: what is worth most over many guesses, the better ones counting more. Only the last batches of a budget
  are chosen so: there is nothing left to learn for, and a bad pick costs no more than a mediocre one.

Which way makes the next pick is itself drawn by Thompson sampling of how often its picks were among the best so
far (a Bernoulli bandit, as in the source above), so a way that fails on a pool is soon hardly used. Candidates
that would miss a window, or fail to be made, by the same guess are passed over.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from hstore_workflows.campaign.beliefs import success_odds
from hstore_workflows.campaign.guess import GATHERING, LOOKING, Guess, guess
from hstore_workflows.campaign.landscape import Pick, free_rows
from hstore_workflows.campaign.merit import Merit, merit_of, per_effort, within
from hstore_workflows.campaign.shortlist import shortlist
from hstore_workflows.campaign.spread import spread

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from hstore.arrays import FloatArray
    from hstore_workflows.campaign.landscape import History, Landscape
    from hstore_workflows.campaign.objective import Objective

WAYS: Mapping[str, tuple[float, float]] = {"sample": (2.0, 2.0), "blend": (2.0, 2.0), "family": (1.0, 2.0)}
"""Way to choose -> imaginary successes and failures before there are any."""
BEST_SHARE = 0.05
"""A pick is a success if it was among this share of the results when it came, or was the best."""
_BLENDS: Mapping[str, float] = {"blend": LOOKING, "best": GATHERING}
"""Way that asks trees and a process together -> how far the process is trusted."""
_WAY_OUT = "family"
"""Way that is taken the less often, the better values are foretold: there is less to get out of."""
_FORETOLD = 0.5
"""Share of the variance that must be foretold before the way out is taken less often."""
_SAME = 1e-9
_LAST_BATCHES = 2
"""Batches before the end of a budget in which nothing but the best is looked for."""
_WORLDS = 64
_BOLDNESS = 8.0
"""How much more a good guess counts than a poor one: the utility of worth w is exp(8 w) - 1 (Pratt 1964, doi
10.2307/1913738, with the sign of one who seeks risk)."""
_MOST = 80.0
"""Exponent of that utility that is not exceeded."""


@dataclass(frozen=True)
class Portfolio:
    """Choose in several ways, by their success."""

    ways: Mapping[str, tuple[float, float]] = field(default_factory=lambda: WAYS)
    """Way to choose -> imaginary successes and failures."""
    gathers: bool = True
    """Choose the last batches of a budget by what may be best."""

    def choose(self, landscape: Landscape, history: History, n: int, *, seed: int) -> list[Pick]:
        """Choose the next experiments (see :class:`~hstore_workflows.campaign.landscape.Strategy`)."""
        rng = np.random.default_rng([seed, len(history.taken)])
        free = free_rows(landscape, history)
        n = min(n, int(free.sum()))
        merit = merit_of(landscape, history)
        if n == 0 or merit is None:
            return spread(landscape, history, n)
        rows = shortlist(landscape, history, free, merit, n, rng)
        last = self.gathers and history.remaining is not None and history.remaining <= _LAST_BATCHES * n
        board = Board(landscape, history, rows, merit, rng, gathering=last)
        odds = success_of_ways(landscape.objective, history, merit, self.ways)
        picks: list[Pick] = []
        for number in range(n):
            way = "best" if last else _drawn(odds, board.explained, rng)
            row = board.best(way, number)
            if row is None:
                break
            picks.append(Pick(row, way))
        return picks


def _drawn(odds: Mapping[str, tuple[float, float]], explained: float, rng: np.random.Generator) -> str:
    """Draw the way of the next pick, given what share of the variance is explained without seeing it."""
    ways = list(odds)
    if _WAY_OUT in odds and len(odds) > 1 and rng.random() < (explained - _FORETOLD) / (1.0 - _FORETOLD):
        ways.remove(_WAY_OUT)
    return max(ways, key=lambda way: rng.beta(*odds[way]))


class Board:
    """The candidates in question, of which picks are taken away."""

    def __init__(
        self,
        landscape: Landscape,
        history: History,
        rows: NDArray[np.intp],
        merit: Merit,
        rng: np.random.Generator,
        *,
        gathering: bool = False,
    ) -> None:
        self._landscape, self._rng, self._rows = landscape, rng, rows
        columns = landscape.objective.columns
        found = {column: guess(landscape, history, column, rows, rng, gathering=gathering) for column in columns}
        self._guesses: dict[str, Guess] = {column: made for column, made in found.items() if made is not None}
        self._merit = merit
        self._odds = success_odds(landscape, history)[rows]
        self._effort = None if landscape.effort is None else landscape.effort[rows]
        self._free = np.ones(len(rows), dtype=bool)
        self._numbers = landscape.neighbourhoods[rows]
        self._tried = np.bincount(
            landscape.neighbourhoods[history.taken], minlength=int(landscape.neighbourhoods.max()) + 1
        )

    @property
    def explained(self) -> float:
        """Share of the variance that a process foretells, of the goal that is foretold least, 0 to 1."""
        return min(self._guesses[goal.column].explained for goal in self._merit.goals)

    def best(self, way: str, number: int) -> int | None:
        """Take the best candidate away and return its row; None where none is left."""
        if not self._free.any():
            return None
        if way == "best":
            place = int(np.argmax(np.where(self._free, self._expected, -np.inf)))
            self._take(place)
            return int(self._rows[place])
        allowed = [*self._met(way, number), self._odds >= self._rng.random()]
        if way == "family":
            allowed.append(self._tried[self._numbers] == self._tried[self._numbers[self._free]].min())
        values = {goal.column: self._values(goal.column, way, number) for goal in self._merit.goals}
        worth = per_effort(self._merit.of(values, self._merit.weights(self._rng)), self._effort)
        worth = within(worth, allowed) + _SAME * self._rng.random(len(worth))  # ties are broken at random
        place = int(np.argmax(np.where(self._free, worth, -np.inf)))
        self._take(place)
        return int(self._rows[place])

    @cached_property
    def _expected(self) -> FloatArray:
        """Return the certain worth that is as useful as all plausible worlds together, shape (n,)."""
        weights = self._merit.weights(self._rng)
        total = np.zeros(len(self._rows))
        for number in range(_WORLDS):
            values = {goal.column: self._values(goal.column, "best", number) for goal in self._merit.goals}
            worth = np.maximum(self._merit.of(values, weights), 0.0)
            utility = np.expm1(np.minimum(_BOLDNESS * worth, _MOST))
            total += utility * np.all([*self._met("best", number), np.ones(len(worth), dtype=bool)], axis=0)
        return per_effort(np.log1p(self._odds * total / _WORLDS) / _BOLDNESS, self._effort)

    def _values(self, column: str, way: str, number: int) -> FloatArray:
        held = self._guesses[column]
        if way == "draw":
            return held.draw(number)
        return held.blend(number, _BLENDS[way]) if way in _BLENDS else held.tree(number)

    def _met(self, way: str, number: int) -> list[NDArray[np.bool_]]:
        """Return which candidates meet each window in the same guess; one source decides about an edge."""
        met = []
        for window in self._landscape.objective.windows:
            held = self._guesses.get(window.column)
            if held is None:
                continue
            smooth = way == "draw" or (way in _BLENDS and self._rng.random() < held.weight(_BLENDS[way]))
            values = held.draw(number) if smooth else held.tree(number)
            met.append((values >= window.low) & (values <= window.high))
        return met

    def _take(self, place: int) -> None:
        """Take a candidate and its doubles away."""
        features = self._landscape.field_features
        near = np.abs(features[self._rows] - features[self._rows[place]]).max(axis=1) <= _SAME
        self._free &= ~near
        self._free[place] = False
        self._tried[self._numbers[place]] += 1


def success_of_ways(
    objective: Objective, history: History, merit: Merit, ways: Mapping[str, tuple[float, float]]
) -> dict[str, tuple[float, float]]:
    """Return way -> successes and failures so far, imaginary ones included.

    Args:
        objective: whose windows results must meet.
        history: results in the order in which they came, and how each row was chosen.
        merit: what results are worth.
        ways: way -> imaginary successes and failures.
    """
    counts = {way: list(start) for way, start in ways.items()}
    columns = [goal.column for goal in merit.goals]
    level = np.full(len(columns), len(columns) ** -0.5)
    seen: list[float] = []
    for row, values in history.results.items():
        if not all(column in values for column in columns):
            continue
        worth = float(merit.of({column: np.array([values[column]]) for column in columns}, level)[0])
        worth = worth if objective.met_by(values) else -np.inf
        seen.append(worth)
        way = history.chosen.get(row, "")
        if way in counts:
            rank = sum(other > worth for other in seen)
            success = np.isfinite(worth) and rank < max(1, int(np.ceil(BEST_SHARE * len(seen))))
            counts[way][0 if success else 1] += 1
    for row in history.failed:
        if (way := history.chosen.get(row, "")) in counts:
            counts[way][1] += 1
    return {way: (good, bad) for way, (good, bad) in counts.items()}
