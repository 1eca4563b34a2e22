"""Plausible values of a column for some candidates: each tree of a forest, and draws of a Gaussian process.

A tree never leaves the range of the results and knows edges; a process is smooth and knows how little it knows far
away. Which of them is nearer to the truth differs from pool to pool, so a blend weighs the process by how well it
answers results that it has not seen. Where only what is best is looked for any more, every other draw is of a
process to which the differences among the best count most.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from hstore_workflows.campaign.beliefs import MIN_RESULTS
from hstore_workflows.campaign.landscape import LOGARITHMIC, known
from hstore_workflows.campaign.surrogates.forest import N_TREES, Forest
from hstore_workflows.campaign.surrogates.process import Process
from hstore_workflows.campaign.surrogates.stretch import Stretch

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from hstore.arrays import FloatArray
    from hstore_workflows.campaign.landscape import History, Landscape, Prior

LOOKING, GATHERING = 0.6, 1.0
"""Weight of a process that explains all that it has not seen (one that explains nothing has none): while there is
something to look for, when trees keep the choice wide, and when only the best is looked for."""
_DRAWS = 32


class Guess:
    """Plausible values of one column for some candidates."""

    def __init__(self, trees: FloatArray, draws: FloatArray, explained: float) -> None:
        """Keep plausible values.

        Args:
            trees: answers of trees, in random order, shape ``(n_trees, n)``.
            draws: draws of a process, shape ``(n_draws, n)``.
            explained: share of the variance of the results that the process explains without seeing them, 0 to 1.
        """
        self.trees, self.draws, self.explained = trees, draws, explained

    def tree(self, number: int) -> FloatArray:
        """Return what one tree says, shape ``(n,)``."""
        return np.asarray(self.trees[number % len(self.trees)])

    def draw(self, number: int) -> FloatArray:
        """Return one draw of the process, shape ``(n,)``."""
        return np.asarray(self.draws[number % len(self.draws)])

    def blend(self, number: int, trust: float = LOOKING) -> FloatArray:
        """Return a tree and a draw, weighed by what the process has shown to know, shape ``(n,)``."""
        trees = 0.5 * (self.tree(number) + self.tree(number + N_TREES // 2))
        return (1.0 - self.weight(trust)) * trees + self.weight(trust) * self.draw(number)

    def weight(self, trust: float = LOOKING) -> float:
        """Return the weight of the process, 0 to 1."""
        return trust * self.explained


def guess(
    landscape: Landscape,
    history: History,
    column: str,
    rows: NDArray[np.intp],
    rng: np.random.Generator,
    *,
    gathering: bool = False,
) -> Guess | None:
    """Return plausible values of a column, or None where nothing is known of it.

    Args:
        landscape: the pool.
        history: what is known.
        column: a property.
        rows: candidates asked for, shape ``(n,)``, up to a few thousand.
        rng: source of randomness.
        gathering: whether only what is best is looked for any more.
    """
    measured, values, prior = known(landscape, history, column)
    natural = np.exp if column in LOGARITHMIC else np.asarray
    if len(measured) < MIN_RESULTS:
        if prior is None:
            return None
        drawn = natural(_before_results(landscape, prior, rows, rng))
        return Guess(drawn, drawn, 0.0)
    base = np.zeros(len(landscape)) if prior is None else prior.mean
    missing = values - base[measured]
    features = landscape.field_features if prior is None else _with_prior(landscape, prior)
    forest = Forest(features[measured], missing, seed=int(rng.integers(2**30)))
    trees = forest.answers(features[rows])[rng.permutation(N_TREES)] + base[rows]
    at, asked = ([block[known_rows] for block in landscape.process_blocks] for known_rows in (measured, rows))
    process = Process(at, missing)
    draws = process.samples(asked, _DRAWS, rng) + base[rows]
    sign = {goal.column: goal.sign for goal in landscape.objective.goals}.get(column)
    if gathering and prior is None and sign is not None:  # of what a prediction misses, no end is the good one
        stretch = Stretch(missing, sign)
        bold = stretch.back(Process(at, stretch.stretched(missing)).samples(asked, _DRAWS, rng))
        draws = np.stack([draws, bold], axis=1).reshape(-1, len(rows))
    return Guess(natural(trees), natural(draws), process.explained)


def _with_prior(landscape: Landscape, prior: Prior) -> FloatArray:
    """Return the descriptors with the prediction as one more."""
    told = (prior.mean - prior.mean.mean()) / (prior.mean.std() or 1.0)
    return np.hstack([landscape.field_features, told[:, None]])


def _before_results(
    landscape: Landscape, prior: Prior, rows: NDArray[np.intp], rng: np.random.Generator
) -> FloatArray:
    """Return draws of a prediction, shape (n_trees, n); neighbours share errors, as with models they do."""
    number = landscape.neighbourhoods
    errors = rng.standard_normal((N_TREES, int(number.max()) + 1))[:, number[rows]]
    return np.asarray(prior.mean[rows] + prior.std[rows] * errors)
