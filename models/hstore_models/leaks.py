"""Leak audit: which rows that are to be scored are nearly repeated among the rows that train.

A score says how wrong answers on new materials are only if the model has not been told the answer. Four kinds
of near-duplicates are named:

* *same composition*, where a hydride and its host are one (LaNi5H6 and LaNi5);
* *near composition*: atomic fractions differ by 0.5 at.% in total or less;
* *same descriptors*: sorbents whose pore descriptors are equal within their rounding or 0.1 %;
* *same structure*: crystals of the same elements with fingerprints equal within 0.03 and volumes within 10 %,
  the tolerances by which records are merged (docs/explanation/deduplication.md).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from hstore.errors import LeakError
from hstore_models.split_labels import fractions, material_key

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from hstore.arrays import FloatArray, IntArray
    from hstore_models.invariants import Fingerprint

POLICIES = ("refuse", "drop", "report")
"""What is done about leaks: give no score, leave them out of training, or score with and without them."""

SAME_COMPOSITION, NEAR_COMPOSITION = "same composition", "near composition"
SAME_DESCRIPTORS, SAME_STRUCTURE = "same descriptors", "same structure"
KINDS = (SAME_COMPOSITION, NEAR_COMPOSITION, SAME_DESCRIPTORS, SAME_STRUCTURE)
"""Kinds of near-duplicates; a pair of several kinds is of the first one."""

NEAR_TOTAL_FRACTION = 0.005
"""Total difference of atomic fractions up to which compositions are near-duplicates: 0.5 at.%."""

_RELATIVE = 1e-3
_STRUCTURE_TOLERANCE = 0.03
_VOLUME_TOLERANCE = 0.10
_NAMED = 10
_MOST_DECIMALS = 8
_LEAST_DESCRIPTORS = 2
"""Sorbents of equal surface area alone are not taken for one."""


@dataclass(frozen=True, eq=False)
class Side:
    """The rows on one side of a split, and what is known of their materials."""

    labels: Sequence[str]
    """What names each row, ``(n,)``."""
    amounts: Sequence[Mapping[str, float]] | None = None
    """Amounts of elements of each row; None where rows have no composition."""
    descriptors: FloatArray | None = None
    """Descriptors of each row, shape ``(n, d)``, the same columns on both sides; None where there are none."""
    fingerprints: Sequence[Fingerprint | None] | None = None
    """Fingerprint of the structure of each row; None where there are none."""

    def __len__(self) -> int:
        """Return the number of rows."""
        return len(self.labels)


@dataclass(frozen=True)
class LeakPair:
    """A scored row and a training row that nearly repeats it."""

    scored: int
    """Place of the scored row."""
    trained: int
    """Place of the training row."""
    kind: str
    """One of ``KINDS``."""
    words: str
    """Names of both rows and what they share."""


@dataclass(frozen=True, eq=False)
class Leaks:
    """Near-duplicates across a split."""

    scored: NDArray[np.bool_]
    """True for scored rows that are nearly repeated in training, shape ``(n_scored,)``."""
    trained: NDArray[np.bool_]
    """True for training rows that nearly repeat a scored row, shape ``(n_trained,)``."""
    pairs: tuple[LeakPair, ...] = ()
    """Every pair, in the order of the scored rows."""
    counts: dict[str, int] = field(default_factory=dict)
    """Kind -> number of pairs."""

    def __bool__(self) -> bool:
        """Tell whether there is any leak."""
        return bool(self.pairs)

    def of_kind(self, kind: str) -> NDArray[np.bool_]:
        """Return the mask of scored rows with a leak of one kind, shape ``(n_scored,)``."""
        mask = np.zeros(len(self.scored), dtype=bool)
        mask[[pair.scored for pair in self.pairs if pair.kind == kind]] = True
        return mask

    def named(self, count: int = _NAMED) -> list[str]:
        """Name the first pairs in words."""
        return [pair.words for pair in self.pairs[:count]]

    def summary(self) -> dict[str, object]:
        """Return what a report says of them: rows on both sides, pairs by kind, and the first ten by name."""
        return {
            "scored_rows": int(self.scored.sum()),
            "training_rows": int(self.trained.sum()),
            "pairs": dict(self.counts),
            "named": self.named(),
        }


def audit(
    scored: Side,
    trained: Side,
    *,
    hydrogen: bool = False,
    near: float = NEAR_TOTAL_FRACTION,
) -> Leaks:
    """Find the near-duplicates across a split.

    Takes well under a second for ten thousand rows a side: neighbours are found with a k-d tree.

    Args:
        scored: rows that are to be scored.
        trained: rows that train.
        hydrogen: True where hydrogen counts as any other element (electrolytes); otherwise a hydride and its host
            are one material.
        near: total difference of atomic fractions up to which compositions count as near.
    """
    kinds: dict[tuple[int, int], str] = {}
    if len(scored) and len(trained):
        if scored.fingerprints is not None and trained.fingerprints is not None:
            kinds |= dict.fromkeys(_same_structures(scored, trained), SAME_STRUCTURE)
        if scored.descriptors is not None and trained.descriptors is not None:
            kinds |= dict.fromkeys(_same_descriptors(scored.descriptors, trained.descriptors), SAME_DESCRIPTORS)
        if scored.amounts is not None and trained.amounts is not None:
            kinds |= _alike_compositions(scored.amounts, trained.amounts, hydrogen=hydrogen, near=near)
    pairs = tuple(
        LeakPair(s, t, kind, f"{scored.labels[s]} ~ {trained.labels[t]} in training ({kind})")
        for (s, t), kind in sorted(kinds.items())
    )
    masks = np.zeros(len(scored), dtype=bool), np.zeros(len(trained), dtype=bool)
    for pair in pairs:
        masks[0][pair.scored] = masks[1][pair.trained] = True
    found = [pair.kind for pair in pairs]
    return Leaks(*masks, pairs, {kind: found.count(kind) for kind in KINDS if kind in found})


def refuse(leaks: Leaks) -> None:
    """Refuse to score over leaks.

    Raises:
        LeakError: there is a leak; the message names the first ten pairs and what to do.
    """
    if leaks:
        more = len(leaks.pairs) - _NAMED
        raise LeakError(
            f"{int(leaks.scored.sum())} of {len(leaks.scored)} rows to be scored are nearly repeated in training: "
            f"{'; '.join(leaks.named())}{f'; and {more} more pairs' if more > 0 else ''}. Leave them out of "
            "training with --leaks drop, score with and without them by --leaks report, or give a grouped --split"
        )


def _alike_compositions(
    scored: Sequence[Mapping[str, float]], trained: Sequence[Mapping[str, float]], *, hydrogen: bool, near: float
) -> dict[tuple[int, int], str]:
    rows = [i for i, amounts in enumerate(scored) if amounts]
    others = [j for j, amounts in enumerate(trained) if amounts]
    if not rows or not others:
        return {}
    here = fractions([scored[i] for i in rows], hydrogen=hydrogen)
    there = fractions([trained[j] for j in others], hydrogen=hydrogen)
    keys = [material_key(scored[i], hydrogen=hydrogen) for i in rows]
    other_keys = [material_key(trained[j], hydrogen=hydrogen) for j in others]
    used = here.any(axis=0) | there.any(axis=0)
    found = _within(here[:, used], there[:, used], near, norm=1.0)
    return {
        (rows[i], others[j]): SAME_COMPOSITION if keys[i] == other_keys[j] else NEAR_COMPOSITION for i, j in found
    }


def _same_descriptors(scored: FloatArray, trained: FloatArray) -> list[tuple[int, int]]:
    """Pair rows whose every descriptor is equal within its rounding, or a part in a thousand.

    With x in units of the last digit, asinh(x / 1000) * 1000 changes by 1 where x changes by hypot(1, x / 1000),
    so one tree of such columns finds all pairs. Only descriptors that both sides know are compared, and a row that
    does not state one of them is in no pair.
    """
    shared = np.isfinite(scored).any(axis=0) & np.isfinite(trained).any(axis=0)
    if shared.sum() < _LEAST_DESCRIPTORS:
        return []
    scored, trained = scored[:, shared], trained[:, shared]
    complete, others = (np.flatnonzero(np.isfinite(side).all(axis=1)) for side in (scored, trained))
    if not len(complete) or not len(others):
        return []
    both = np.concatenate([scored[complete], trained[others]])
    units = np.array([_last_digit(column) for column in both.T])
    scaled = np.arcsinh(both / units * _RELATIVE) / _RELATIVE
    here, there = scaled[: len(complete)], scaled[len(complete) :]
    return [(int(complete[i]), int(others[j])) for i, j in _within(here, there, 1.0, norm=np.inf)]


def _last_digit(column: FloatArray) -> float:
    """Return the unit of the last printed digit of a column, such as 0.01."""
    for decimals in range(_MOST_DECIMALS):
        if np.allclose(column, column.round(decimals), rtol=1e-12, atol=1e-9):
            return float(10.0**-decimals)
    return float(10.0**-_MOST_DECIMALS)


def _same_structures(scored: Side, trained: Side) -> list[tuple[int, int]]:
    from scipy.spatial.distance import cdist

    found: list[tuple[int, int]] = []
    here, there = _by_elements(scored), _by_elements(trained)
    for name in here.keys() & there.keys():
        rows, prints = here[name]
        others, other_prints = there[name]
        distance = cdist(
            np.array([p.distances for p in prints]), np.array([p.distances for p in other_prints]), "chebyshev"
        )
        volume = np.log([p.volume_angstrom3 for p in prints])[:, None] - np.log(
            [p.volume_angstrom3 for p in other_prints]
        )
        near = (distance <= _STRUCTURE_TOLERANCE) & (np.abs(volume) <= np.log1p(_VOLUME_TOLERANCE))
        found += [(rows[i], others[j]) for i, j in np.argwhere(near).tolist()]
    return found


def _by_elements(side: Side) -> dict[tuple[object, ...], tuple[list[int], list[Fingerprint]]]:
    """Sort the rows with a fingerprint by their elements and the length of the fingerprint."""
    groups: dict[tuple[object, ...], tuple[list[int], list[Fingerprint]]] = {}
    for row, known in enumerate(side.fingerprints or ()):
        if known is not None:
            elements = sorted(side.amounts[row]) if side.amounts is not None else []
            rows, prints = groups.setdefault((len(known.distances), *elements), ([], []))
            rows.append(row)
            prints.append(known)
    return groups


def _within(here: FloatArray, there: FloatArray, radius: float, *, norm: float) -> IntArray:
    """Return the pairs of points no farther apart than a radius, shape ``(pairs, 2)``, each place once.

    Equal points are looked up once, for tables repeat their materials.
    """
    from scipy.spatial import KDTree

    here_points, here_place = np.unique(here, axis=0, return_inverse=True)
    there_points, there_place = np.unique(there, axis=0, return_inverse=True)
    near = KDTree(here_points).query_ball_tree(KDTree(there_points), radius * (1.0 + 1e-9), p=norm)
    of_point: list[list[int]] = [[] for _ in range(len(there_points))]
    for row, point in enumerate(np.ravel(there_place).tolist()):
        of_point[point].append(row)
    found = [
        (row, other)
        for row, point in enumerate(np.ravel(here_place).tolist())
        for match in near[point]
        for other in of_point[match]
    ]
    return np.array(found, dtype=np.int64).reshape(-1, 2)
