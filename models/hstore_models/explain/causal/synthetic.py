"""Data with known causes, by which the methods are scored: linear relations, uniform disturbances."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from hstore_models.explain.causal.graph import CauseGraph

if TYPE_CHECKING:
    from hstore.arrays import FloatArray

WEIGHTS = (0.5, 1.0)
"""Least and largest magnitude of a coefficient."""


@dataclass(frozen=True, eq=False)
class World:
    """A known graph with its coefficients and data made by it."""

    graph: CauseGraph
    """What causes what."""
    weights: FloatArray
    """``weights[i, j]``: change of j for a unit change of i along that arrow alone, shape ``(p, p)``."""
    values: FloatArray
    """Data, shape ``(n, p)``."""

    def total_effects(self) -> FloatArray:
        """Return the change of j for a unit change of i along all ways, shape ``(p, p)``."""
        p = len(self.weights)
        return np.asarray(np.linalg.inv(np.eye(p) - self.weights) - np.eye(p))


def make_world(
    *, seed: int, variables: int = 6, arrows: int = 7, rows: int = 1000, gaussian: bool = False
) -> World:
    """Make data from a random graph.

    Args:
        seed: seed of graph, coefficients and data.
        variables: number of variables, in an order of columns unrelated to that of causes.
        arrows: number of arrows, at most ``variables * (variables - 1) / 2``.
        rows: number of rows.
        gaussian: True for Gaussian disturbances, which LiNGAM cannot order; else uniform ones.
    """
    rng = np.random.default_rng(seed)
    order = rng.permutation(variables)
    pairs = [(order[i], order[j]) for i in range(variables) for j in range(i + 1, variables)]
    weights = np.zeros((variables, variables))
    for place in rng.permutation(len(pairs))[:arrows].tolist():
        weights[pairs[place]] = rng.uniform(*WEIGHTS) * rng.choice((-1, 1))
    noise = rng.normal(0, 1 / np.sqrt(3), (rows, variables)) if gaussian else rng.uniform(-1, 1, (rows, variables))
    values = noise @ np.linalg.inv(np.eye(variables) - weights)
    names = tuple(f"x{number}" for number in range(variables))
    matrix = weights != 0
    return World(CauseGraph(names, matrix, np.zeros_like(matrix)), weights, values)
