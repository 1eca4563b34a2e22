"""What a strategy sees: candidates as numbers, what is known of them, and what it answers.

Every strategy, ours or a library's, takes the same three things and returns picks; it never sees formulas, labs
or databases. Rows are numbers of the pool.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Protocol

import numpy as np

from hstore_workflows.campaign.descriptors import COLUMNS, DERIVED

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from hstore.arrays import FloatArray
    from hstore_workflows.campaign.objective import Objective

_FAR = 4.0
_CLUSTER_SIZE, _MOST_CLUSTERS = 15, 40
_SAMPLE = 5000
"""Candidates by which clusters are found."""

LOGARITHMIC = frozenset({"plateau_pressure_bar"})
"""Columns that span orders of magnitude: what is learned and predicted of them is the natural logarithm."""
_LEAST = 1e-12


@dataclass(frozen=True, eq=False)
class Prior:
    """What was predicted of a column before the campaign began."""

    mean: FloatArray
    """Predicted mean, shape (n,)."""
    std: FloatArray
    """Its standard deviation, shape (n,), above zero; of :data:`LOGARITHMIC` columns that of the logarithm."""


@dataclass(frozen=True, eq=False)
class Landscape:
    """A pool of n candidates as arrays."""

    blocks: Mapping[str, FloatArray]
    """Name of a group of descriptors -> its standardised columns, shape (n, d); no NaN."""
    objective: Objective
    """What is looked for."""
    priors: Mapping[str, Prior] = field(default_factory=dict)
    """Column -> what was predicted of it."""
    effort: FloatArray | None = None
    """Relative effort of making and measuring each candidate, shape (n,), above 0; equal when None."""
    makeable: NDArray[np.bool_] | None = None
    """Candidates that the asking lab can make, shape (n,); all when None."""

    def __len__(self) -> int:
        """Return the number of candidates, n."""
        return len(next(iter(self.blocks.values())))

    @property
    def features(self) -> FloatArray:
        """Descriptors that a library is told: those that were given, without hstore's own, shape (n, d)."""
        return np.hstack([block for name, block in self.blocks.items() if name not in DERIVED])

    @cached_property
    def field_features(self) -> FloatArray:
        """Descriptors of the field where there are some, else all, shape (n, d): what trees learn from."""
        own = [block for name, block in self.blocks.items() if name in DERIVED]
        return np.ascontiguousarray(np.hstack(own or list(self.blocks.values())))

    @cached_property
    def process_blocks(self) -> list[FloatArray]:
        """Blocks of a Gaussian process, scaled: all but columns of which descriptors of the field are made."""
        from hstore_workflows.campaign.surrogates.process import scaled_blocks

        redundant = {COLUMNS} if DERIVED & set(self.blocks) else set()
        return scaled_blocks([block for name, block in self.blocks.items() if name not in redundant])

    @cached_property
    def neighbourhoods(self) -> NDArray[np.intp]:
        """Number of the cluster of similar candidates that each belongs to, shape (n,)."""
        return neighbourhoods_of(self.field_features)


@dataclass(frozen=True)
class History:
    """What a campaign knows, by row of the pool."""

    results: Mapping[int, Mapping[str, float]] = field(default_factory=dict)
    """Row -> column -> measured value, in the order in which they came; columns may be missing where only a part
    is measured yet."""
    failed: Sequence[int] = ()
    """Rows whose synthesis failed."""
    pending: Sequence[int] = ()
    """Rows proposed and not yet answered."""
    chosen: Mapping[int, str] = field(default_factory=dict)
    """Row -> how a strategy chose it, where one did."""
    remaining: int | None = None
    """Experiments left in the budget, those asked for included; None where there is no budget."""

    @property
    def taken(self) -> list[int]:
        """Rows that must not be proposed again."""
        return [*self.results, *self.failed, *self.pending]

    def values(self, column: str) -> tuple[NDArray[np.intp], FloatArray]:
        """Return the rows with a value of a column, and the values, each of shape (m,)."""
        held = {row: values[column] for row, values in self.results.items() if column in values}
        return np.fromiter(held, dtype=np.intp, count=len(held)), np.fromiter(held.values(), float, len(held))


@dataclass(frozen=True)
class Pick:
    """One choice of a strategy."""

    row: int
    """Row of the pool."""
    why: str
    """Word for the kind of choice, a key of :data:`hstore_workflows.campaign.reason.AIMS`."""


class Strategy(Protocol):
    """A way to choose the next experiments."""

    def choose(self, landscape: Landscape, history: History, n: int, *, seed: int) -> list[Pick]:
        """Choose the next experiments.

        Args:
            landscape: the pool.
            history: results, failures and experiments under way; none of these is chosen again.
            n: number wanted; fewer come back when nothing else is free.
            seed: seed of everything random; the same question with the same seed has the same answer.

        Returns:
            Picks in the order of choice, each row once.
        """


def known(
    landscape: Landscape, history: History, column: str
) -> tuple[NDArray[np.intp], FloatArray, Prior | None]:
    """Return the measured rows of a column, their values, and what was predicted before, as they are learned from.

    Args:
        landscape: the pool.
        history: what is known.
        column: a property; values and prediction of one in :data:`LOGARITHMIC` come as natural logarithms.
    """
    rows, values = history.values(column)
    prior = landscape.priors.get(column)
    if column not in LOGARITHMIC:
        return rows, values, prior
    logs = np.log(np.maximum(values, _LEAST))
    return rows, logs, None if prior is None else Prior(np.log(np.maximum(prior.mean, _LEAST)), prior.std)


def free_rows(landscape: Landscape, history: History) -> NDArray[np.bool_]:
    """Mark the candidates that may be chosen, shape (n,)."""
    free = np.ones(len(landscape), dtype=bool) if landscape.makeable is None else landscape.makeable.copy()
    free[history.taken] = False
    return free


def neighbourhoods_of(features: FloatArray) -> NDArray[np.intp]:
    """Cluster candidates by k-means: about one cluster for 15 candidates, at most 40.

    Args:
        features: standardised, shape ``(n, d)``; far values count as four standard deviations.
    """
    from sklearn.cluster import KMeans
    from threadpoolctl import threadpool_limits

    points = np.clip(features, -_FAR, _FAR)
    some = points[:: max(1, len(points) // _SAMPLE)]
    n_clusters = min(_MOST_CLUSTERS, len(some) // _CLUSTER_SIZE, len(np.unique(some, axis=0)))
    if n_clusters < 2:
        return np.zeros(len(points), dtype=np.intp)
    with threadpool_limits(1):  # a process that was forked from one with threads of OpenMP waits for them for ever
        means = KMeans(n_clusters, n_init=2, random_state=0).fit(some)
        return np.asarray(means.predict(points), dtype=np.intp)
