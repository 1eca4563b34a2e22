"""How often an arrow is found again when the rows are drawn anew.

Rows of one chemical system are alike, so whole groups are drawn (block bootstrap); an arrow found in nearly every
draw is stable for these data, which does not make it true: a hidden cause is drawn with them each time.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from hstore.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from hstore.arrays import FloatArray
    from hstore_models.explain.causal.graph import CauseGraph
    from hstore_models.explain.causal.knowledge import Rules
    from hstore_models.explain.causal.search import Search

DRAWS = 100
_LEAST_GROUPS = 10
_LEAST_SUCCESS = 0.5


@dataclass(frozen=True, eq=False)
class Stability:
    """How often pairs are joined, over draws of the rows."""

    arrows: FloatArray
    """Share of draws with the arrow from i to j, shape ``(p, p)``."""
    ties: FloatArray
    """Share of draws with a tie of i and j whose direction is open, shape ``(p, p)``."""
    draws: int
    """Draws in which the search came to an end."""
    failed: dict[str, int]
    """Cause of a search that did not -> how often."""

    @property
    def joined(self) -> FloatArray:
        """Share of draws in which i and j are joined at all, shape ``(p, p)``."""
        return np.asarray(self.arrows + self.arrows.T + self.ties)


def draw_rows(groups: Sequence[str] | None, rows: int, *, draws: int, seed: int) -> Iterator[NDArray[np.int64]]:
    """Give row numbers of each draw: whole groups with replacement, or rows where there are no groups.

    Args:
        groups: group of each row; None, or fewer than 10 groups: rows are drawn one by one.
        rows: number of rows.
        draws: number of draws.
        seed: seed.
    """
    rng = np.random.default_rng(seed)
    members = [np.array([row]) for row in range(rows)]
    if groups is not None and len(set(groups)) >= _LEAST_GROUPS:
        labels = np.asarray(groups, dtype=str)
        members = [np.flatnonzero(labels == name) for name in np.unique(labels)]
    for _ in range(draws):
        yield np.concatenate([members[k] for k in rng.integers(0, len(members), len(members))])


def stability(
    search: Search,
    values: FloatArray,
    names: Sequence[str],
    rules: Rules | None = None,
    *,
    groups: Sequence[str] | None = None,
    draws: int = DRAWS,
    seed: int = 0,
) -> Stability:
    """Search again in draws of the rows.

    Args:
        search: how.
        values: shape ``(n, p)``.
        names: the p variables.
        rules: what is known.
        groups: group of each row, such as its chemical system.
        draws: number of draws.
        seed: seed of the draws.

    Raises:
        InputError: the search failed in more than half of the draws.
    """
    p = len(names)
    arrows, ties, done = np.zeros((p, p)), np.zeros((p, p)), 0
    failed: Counter[str] = Counter()
    for rows in draw_rows(groups, len(values), draws=draws, seed=seed):
        try:
            graph: CauseGraph = search(values[rows], names, rules)
        except InputError as error:  # a draw in which a variable does not vary, or follows from others
            failed[str(error)] += 1
            continue
        arrows += graph.arrows
        ties += graph.ties
        done += 1
    if done < _LEAST_SUCCESS * draws:
        raise InputError(
            f"the search failed in {draws - done} of {draws} draws ({failed.most_common(1)[0][0]}); "
            "give more rows or fewer variables"
        )
    return Stability(arrows / done, ties / done, done, dict(failed))
