"""Graphs of causes: arrows, and ties whose direction the data leave open."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from hstore.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    Matrix = NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class CauseGraph:
    """Variables, arrows between them, and ties without a known direction."""

    names: tuple[str, ...]
    """Variables."""
    arrows: Matrix
    """``arrows[i, j]`` is true where i causes j directly, shape ``(p, p)``."""
    ties: Matrix
    """True both ways where two variables are tied and the direction is open, shape ``(p, p)``."""

    def __post_init__(self) -> None:
        """Check shapes, and that no pair is joined twice."""
        p = len(self.names)
        if self.arrows.shape != (p, p) or self.ties.shape != (p, p):
            raise InputError(f"a graph of {p} variables needs matrices of shape ({p}, {p})")
        if (self.ties != self.ties.T).any() or (self.arrows & (self.arrows.T | self.ties)).any():
            raise InputError("a pair of variables is joined by one arrow or one tie, not by two")

    @classmethod
    def of(cls, names: Sequence[str], arrows: Sequence[tuple[str, str]]) -> CauseGraph:
        """Build a graph from (cause, effect) pairs."""
        matrix = np.zeros((len(names), len(names)), dtype=bool)
        for cause, effect in arrows:
            matrix[list(names).index(cause), list(names).index(effect)] = True
        return cls(tuple(names), matrix, np.zeros_like(matrix))

    @property
    def joined(self) -> Matrix:
        """True both ways where two variables are joined at all, shape ``(p, p)``."""
        return np.asarray(self.arrows | self.arrows.T | self.ties)

    def parents(self, name: str) -> tuple[str, ...]:
        """Return the direct causes of a variable."""
        return tuple(self.names[i] for i in np.flatnonzero(self.arrows[:, self.names.index(name)]).tolist())

    def reaches(self) -> Matrix:
        """True where there is a way along arrows from i to j, shape ``(p, p)``."""
        found = self.arrows.copy()
        for _ in self.names:
            found |= (found.astype(int) @ self.arrows.astype(int)) > 0
        return found

    def is_acyclic(self) -> bool:
        """True where no variable causes itself along arrows."""
        return not np.diagonal(self.reaches()).any()

    def pairs(self) -> list[tuple[str, str, str]]:
        """Return what is joined, as (from, sign, to) with the sign ``->`` or ``--``, in order of the variables."""
        p = len(self.names)
        found = []
        for i in range(p):
            for j in range(p):
                if self.arrows[i, j]:
                    found.append((self.names[i], "->", self.names[j]))
                elif self.ties[i, j] and i < j:
                    found.append((self.names[i], "--", self.names[j]))
        return found


def hamming_distance(one: CauseGraph, other: CauseGraph) -> int:
    """Count the pairs of variables that two graphs join differently (structural Hamming distance).

    A missing, a surplus and a turned arrow count one each (Tsamardinos et al. 2006,
    doi 10.1007/s10994-006-6889-7).

    Raises:
        InputError: the graphs are of other variables.
    """
    if one.names != other.names:
        raise InputError(f"graphs of the same variables are compared, got {one.names} and {other.names}")
    differs = (one.arrows != other.arrows) | (one.arrows.T != other.arrows.T) | (one.ties != other.ties)
    return int(np.triu(differs, 1).sum())


def equivalence_class(graph: CauseGraph) -> CauseGraph:
    """Return what independences alone can tell of a graph: arrows that all equivalent graphs share, else ties.

    Arrows into a common effect of unjoined causes stay; others stay only where turning them would make a new such
    effect or a cycle (Meek 1995, rules 1 to 3, arXiv 1302.4972).
    """
    joined, p = graph.joined, len(graph.names)
    fixed = np.zeros((p, p), dtype=bool)
    for effect in range(p):
        causes = np.flatnonzero(graph.arrows[:, effect]).tolist()
        for a in causes:
            fixed[a, effect] |= any(b != a and not joined[a, b] for b in causes)
    changed = True
    while changed:
        changed = False
        open_pairs = [
            (i, j) for i in range(p) for j in range(p) if joined[i, j] and not fixed[i, j] and not fixed[j, i]
        ]
        for i, j in open_pairs:
            if _must_point(i, j, joined, fixed):
                fixed[i, j] = changed = True
                break
    return CauseGraph(graph.names, fixed, joined & ~fixed & ~fixed.T)


def _must_point(i: int, j: int, joined: Matrix, fixed: Matrix) -> bool:
    """Say whether Meek's rules make the tie of i and j an arrow from i to j."""
    others = [k for k in range(len(joined)) if k not in {i, j}]
    if any(fixed[k, i] and not joined[k, j] for k in others):
        return True
    if any(fixed[i, k] and fixed[k, j] for k in others):
        return True
    into = [k for k in others if joined[i, k] and not fixed[i, k] and not fixed[k, i] and fixed[k, j]]
    return any(not joined[a, b] for a in into for b in into if a < b)
