"""Compiled loops that grow and walk extremely randomized trees (see :mod:`.forest`).

:func:`loops` compiles them at first use. A node is four numbers: the column it splits (-1 for a leaf), the cut,
its first child (the second stands beside it) and its answer.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from hstore_models.compiled import compiled

if TYPE_CHECKING:
    from collections.abc import Callable

_ALIKE = 1e-12


class Loops(NamedTuple):
    """The compiled loops."""

    grow: Callable[..., Any]
    """See :func:`grow`."""
    walk: Callable[..., None]
    """See :func:`walk`."""
    walk_moments: Callable[..., None]
    """See :func:`walk_moments`."""


@cache
def loops() -> Loops:
    """Compile the loops, those first which others call: compiled code looks names up when it is compiled."""
    here = globals()
    for name in ("best_split", "part", *Loops._fields):
        here[name] = compiled(here[name])
    return Loops(*(here[name] for name in Loops._fields))


def best_split(
    columns: Any, values: Any, rows: Any, tried: int, order: Any
) -> tuple[int, float]:  # pragma: no cover - runs compiled
    """Return the best of a few columns, each cut at random, and the cut; -1 where all are constant."""
    total = 0.0
    for row in rows:
        total += values[row]
    best, best_column, best_cut = -1.0, -1, 0.0
    looked, remaining = 0, len(columns)
    while looked < tried and remaining > 0:
        place = np.random.randint(remaining)  # noqa: NPY002 - compiled code has no other
        column = order[place]
        remaining -= 1
        order[place], order[remaining] = order[remaining], column
        low, high = np.inf, -np.inf
        for row in rows:
            low, high = min(low, columns[column, row]), max(high, columns[column, row])
        if high - low <= _ALIKE:
            continue
        looked += 1
        at = low + (high - low) * np.random.random()  # noqa: NPY002 - compiled code has no other
        n_low, sum_low = 0, 0.0
        for row in rows:
            if columns[column, row] <= at:
                n_low += 1
                sum_low += values[row]
        if n_low == 0 or n_low == len(rows):
            continue
        n_high, sum_high = len(rows) - n_low, total - sum_low
        gain = sum_low * sum_low / n_low + sum_high * sum_high / n_high - total * total / len(rows)
        if gain > best:
            best, best_column, best_cut = gain, column, at
    return best_column, best_cut


def part(column: Any, rows: Any, at: float) -> int:  # pragma: no cover - runs compiled
    """Move rows at or below the cut to the front and return how many they are."""
    first, last = 0, len(rows) - 1
    while first <= last:
        if column[rows[first]] <= at:
            first += 1
        else:
            rows[first], rows[last] = rows[last], rows[first]
            last -= 1
    return first


def grow(
    columns: Any, values: Any, n_trees: int, tried: int, seed: int
) -> Any:  # pragma: no cover - runs compiled
    """Grow trees to leaves of one value.

    Args:
        columns: shape ``(d, m)``.
        values: shape ``(m,)``.
        n_trees: how many.
        tried: columns that each split looks at.
        seed: of the first tree; the next has the next.

    Returns:
        Column, cut, first child and answer of each node, arrays of shape ``(n_trees, 2 m)``.
    """
    most = 2 * len(values)
    split = np.full((n_trees, most), -1, np.int32)
    cut = np.zeros((n_trees, most))
    child = np.zeros((n_trees, most), np.int32)
    answer = np.zeros((n_trees, most))
    rows = np.empty(len(values), np.int64)
    waiting = np.empty((most, 3), np.int64)
    order = np.arange(len(columns))
    for tree in range(n_trees):
        np.random.seed(seed + tree)  # noqa: NPY002 - compiled code has no other
        for i in range(len(values)):
            rows[i] = i
        waiting[0, 0], waiting[0, 1], waiting[0, 2] = 0, 0, len(values)
        left, used = 1, 1
        while left > 0:
            left -= 1
            node, start, end = waiting[left, 0], waiting[left, 1], waiting[left, 2]
            total, low, high = 0.0, np.inf, -np.inf
            for row in rows[start:end]:
                total += values[row]
                low, high = min(low, values[row]), max(high, values[row])
            answer[tree, node] = total / (end - start)
            if high - low <= _ALIKE:
                continue
            column, at = best_split(columns, values, rows[start:end], tried, order)
            if column < 0:
                continue
            middle = start + part(columns[column], rows[start:end], at)
            split[tree, node], cut[tree, node], child[tree, node] = column, at, used
            waiting[left, 0], waiting[left, 1], waiting[left, 2] = used, start, middle
            waiting[left + 1, 0], waiting[left + 1, 1], waiting[left + 1, 2] = used + 1, middle, end
            left += 2
            used += 2
    return split, cut, child, answer


def walk(
    split: Any, cut: Any, child: Any, answer: Any, features: Any, result: Any
) -> None:  # pragma: no cover - runs compiled
    """Write the answer of every tree to every row into ``result``, shape ``(n_trees, n)``."""
    for row in range(len(features)):
        for tree in range(len(split)):
            node = 0
            while split[tree, node] >= 0:
                node = child[tree, node] + (features[row, split[tree, node]] > cut[tree, node])
            result[tree, row] = answer[tree, node]


def walk_moments(
    split: Any, cut: Any, child: Any, answer: Any, features: Any, mean: Any, std: Any
) -> None:  # pragma: no cover - runs compiled
    """Write mean and standard deviation over the trees for every row, each of shape ``(n,)``."""
    for row in range(len(features)):
        total, squares = 0.0, 0.0
        for tree in range(len(split)):
            node = 0
            while split[tree, node] >= 0:
                node = child[tree, node] + (features[row, split[tree, node]] > cut[tree, node])
            total += answer[tree, node]
            squares += answer[tree, node] * answer[tree, node]
        mean[row] = total / len(split)
        std[row] = np.sqrt(max(squares / len(split) - mean[row] * mean[row], 0.0))
