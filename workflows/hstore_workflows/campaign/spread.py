"""Before anything is known: candidates that cover the pool."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from hstore_workflows.campaign.landscape import Pick, free_rows

if TYPE_CHECKING:
    from hstore.arrays import FloatArray
    from hstore_workflows.campaign.landscape import History, Landscape

_SAME = 1e-9


def spread(landscape: Landscape, history: History, n: int) -> list[Pick]:
    """Choose candidates far from all that were taken and from each other (maximin distance).

    Args:
        landscape: the pool.
        history: rows to keep away from.
        n: number wanted; of candidates that nothing tells apart, one is taken.
    """
    features, free = landscape.field_features, free_rows(landscape, history)
    distance = np.full(len(features), np.inf)
    for row in history.taken:
        distance = np.minimum(distance, _to(features, row))
    picks: list[Pick] = []
    while len(picks) < n and free.any():
        if np.isinf(distance).all():
            row = int(np.argmin(np.where(free, (features**2).sum(axis=1), np.inf)))
        else:
            row = int(np.argmax(np.where(free, distance, -1.0)))
        picks.append(Pick(row, "spread"))
        distance = np.minimum(distance, _to(features, row))
        free &= distance > _SAME
    return picks


def _to(features: FloatArray, row: int) -> FloatArray:
    return np.asarray(np.sqrt(((features - features[row]) ** 2).sum(axis=1)))
