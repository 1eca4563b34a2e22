"""Extremely randomized trees for a few hundred results, fitted and asked in milliseconds.

A campaign fits a forest anew for every batch and column, and a replay does so ten thousand times; a general
library spends most of that on its own overhead (``benchmarks/campaign.py`` prints the ratio to scikit-learn's).
The trees are those of Geurts et al. 2006 (doi 10.1007/s10994-006-6226-1): every split takes the best of K columns,
each cut at a random place; leaves hold one value. One tree is one plausible answer, so that choosing by a random
tree is Thompson sampling.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

from hstore.workers import default_workers
from hstore_workflows.campaign.surrogates.growing import loops

if TYPE_CHECKING:
    from collections.abc import Callable

    from hstore.arrays import FloatArray

N_TREES = 100
"""Trees of a forest."""
SHARE_OF_COLUMNS = 0.4
"""Share of the columns that each split looks at."""

_MANY_ROWS = 20_000
"""Rows from which on threads share the work; compiled loops do not hold the interpreter."""


class Forest:
    """A fitted forest."""

    def __init__(self, features: FloatArray, values: FloatArray, *, seed: int, n_trees: int = N_TREES) -> None:
        """Fit the trees.

        Args:
            features: shape ``(m, d)``, no NaN.
            values: shape ``(m,)``.
            seed: of everything random.
            n_trees: number of trees.
        """
        columns = np.ascontiguousarray(features.T, dtype=np.float64)
        tried = max(1, round(SHARE_OF_COLUMNS * len(columns)))
        known = np.ascontiguousarray(values, dtype=np.float64)
        self._nodes = loops().grow(columns, known, n_trees, tried, seed % (2**31 - n_trees))

    def answers(self, features: FloatArray) -> FloatArray:
        """Return the answer of every tree, shape ``(n_trees, n)``.

        Args:
            features: shape ``(n, d)``.
        """
        result = np.empty((len(self._nodes[0]), len(features)))
        _in_parts(lambda part: loops().walk(*self._nodes, features[part], result[:, part]), len(features))
        return result

    def answers_of(self, tree: int, features: FloatArray) -> FloatArray:
        """Return the answer of one tree, shape ``(n,)``.

        Args:
            tree: its number, from 0.
            features: shape ``(n, d)``.
        """
        nodes, result = [part[tree : tree + 1] for part in self._nodes], np.empty((1, len(features)))
        _in_parts(lambda part: loops().walk(*nodes, features[part], result[:, part]), len(features))
        return np.asarray(result[0])

    def moments(self, features: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Return mean and standard deviation over the trees, each of shape ``(n,)``, in little memory.

        Args:
            features: shape ``(n, d)``.
        """
        mean, std = np.empty(len(features)), np.empty(len(features))
        _in_parts(
            lambda part: loops().walk_moments(*self._nodes, features[part], mean[part], std[part]), len(features)
        )
        return mean, std


def held_out(
    features: FloatArray, values: FloatArray, *, seed: int, folds: int = 5, n_trees: int = 60
) -> tuple[FloatArray, FloatArray]:
    """Return what forests that have not seen a row say of it: mean and spread, each of shape ``(m,)``.

    Args:
        features: shape ``(m, d)``.
        values: shape ``(m,)``, at least two.
        seed: of folds and trees.
        folds: number of parts.
        n_trees: trees of each forest.
    """
    fold = np.random.default_rng(seed).permutation(len(values)) % min(folds, len(values))
    mean, spread = np.empty(len(values)), np.empty(len(values))
    for number in range(fold.max() + 1):
        out = fold == number
        forest = Forest(features[~out], values[~out], seed=seed + number, n_trees=n_trees)
        mean[out], spread[out] = forest.moments(features[out])
    return mean, spread


def _in_parts(work: Callable[[slice], Any], rows: int) -> None:
    """Do rows in one go, or in one part for each core where they are many."""
    workers = default_workers() if rows >= _MANY_ROWS else 1
    edges = np.linspace(0, rows, workers + 1).astype(int).tolist()
    parts = [slice(start, end) for start, end in pairwise(edges)]
    if workers == 1:
        work(parts[0])
        return
    with ThreadPoolExecutor(workers) as pool:
        list(pool.map(work, parts))
