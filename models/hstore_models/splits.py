"""Splits of rows into folds: a chemical system, a family, a paper or a framework is never on both sides.

Every score names its split and the hash of it, so two scores can be compared. What rows share is said by a label
of each row; :func:`grouped_split` and :func:`family_split` turn labels into folds. Which labels there are is
in :mod:`hstore_models.split_labels`.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from hstore.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    Groups = Sequence[str] | NDArray[Any]

SPLITS: dict[str, str] = {
    "chemical_system": "elements but hydrogen (sorbents: framework group)",
    "composition": "composition, a hydride and its host being one",
    "family": "alloy class or family, each left out in turn",
    "doi": "paper the value is from",
    "structure": "cluster of structures, or of compositions where no structure is known",
    "random": "nothing: rows are dealt at random",
    "official": "the split that the authors of the set published",
}
"""Name of a split -> what rows of one group share."""

LEAST_FAMILY_ROWS = 20
"""Families of fewer rows are left out together, in one fold."""

OTHER_FAMILIES = "other families"
"""Name of that fold."""


_FEW_GROUPS = 8
"""Groups for each fold below which folds dealt by name would be too uneven."""


@dataclass(frozen=True, eq=False)
class Split:
    """Which row is in which fold, and why."""

    name: str
    """One of ``SPLITS``."""
    subset: str
    """Which rows are split, in words."""
    folds: NDArray[np.int64]
    """Fold of each row, shape ``(n,)``; a row is predicted by a model that saw no row of its fold."""
    groups: NDArray[np.str_]
    """Group of each row, shape ``(n,)``; no group is in two folds."""
    hash: str
    """Hash of which row is in which fold."""

    def __len__(self) -> int:
        """Return the number of rows."""
        return len(self.folds)

    def held_out(self) -> Iterator[tuple[int, NDArray[np.bool_]]]:
        """Give the number of each fold and the mask of its rows, shape ``(n,)``."""
        for fold in np.unique(self.folds).tolist():
            yield fold, self.folds == fold

    def __str__(self) -> str:
        """Name subset, split and hash, as every printed score must."""
        parts = len(np.unique(self.folds))
        count = f"{parts} folds" if parts > 1 else "one part"
        return f"{self.subset}; split by {self.name}, {count}, hash {self.hash}"


def grouped_split(
    name: str, subset: str, keys: Sequence[str], groups: Groups, *, n_folds: int = 5, seed: int = 0
) -> Split:
    """Deal whole groups to folds of about equal size.

    Args:
        name: name of the split.
        subset: which rows these are, in words.
        keys: what names each row, shape ``(n,)``.
        groups: group of each row, shape ``(n,)``.
        n_folds: number of folds wanted.
        seed: seed of the deal.

    Raises:
        InputError: fewer than two groups.
    """
    folds = grouped_folds(groups, n_folds=n_folds, seed=seed)
    return Split(name, subset, folds, np.asarray(groups, dtype=str), split_hash(keys, folds))


def family_split(subset: str, keys: Sequence[str], families: Groups) -> Split:
    """Leave out one family at a time; families of fewer than ``LEAST_FAMILY_ROWS`` rows go together.

    Raises:
        InputError: all rows are of one family.
    """
    labels = np.asarray(families, dtype=str)
    names, counts = np.unique(labels, return_counts=True)
    small = set(names[counts < LEAST_FAMILY_ROWS].tolist())
    parts = [OTHER_FAMILIES if label in small else label for label in labels.tolist()]
    order = {part: number for number, part in enumerate(sorted(set(parts)))}
    if len(order) < 2:
        raise InputError(
            f"cannot leave out one family: {len(labels)} rows make up {len(order)} with "
            f"{LEAST_FAMILY_ROWS} rows or more; choose another split of {', '.join(SPLITS)}"
        )
    folds = np.array([order[part] for part in parts], dtype=np.int64)
    return Split("family", subset, folds, labels, split_hash(keys, folds))


def official_split(subset: str, keys: Sequence[str], groups: Groups) -> Split:
    """Return the split of a published test part: one fold, whose rows no model is trained on."""
    folds = np.zeros(len(keys), dtype=np.int64)
    return Split("official", subset, folds, np.asarray(groups, dtype=str), split_hash(keys, folds))


def grouped_folds(groups: Groups, *, n_folds: int = 5, seed: int = 0) -> NDArray[np.int64]:
    """Assign each row to a fold so that no group is in two folds.

    Args:
        groups: group of each row, shape ``(n,)``.
        n_folds: number of folds wanted; lowered to the number of groups when there are fewer.
        seed: seed of the shuffle of the groups.

    Returns:
        Fold number of each row, shape ``(n,)``.

    Raises:
        InputError: fewer than two groups.
    """
    from sklearn.model_selection import GroupKFold

    labels = np.asarray(groups, dtype=str)
    n_groups = len(np.unique(labels))
    if n_groups < 2:
        raise InputError(
            f"cannot split {len(labels)} rows of {n_groups} group; give rows of at least two chemical systems"
        )
    splitter = GroupKFold(min(n_folds, n_groups), shuffle=True, random_state=seed)
    folds = np.empty(len(labels), dtype=np.int64)
    for number, (_, held_out) in enumerate(splitter.split(labels, groups=labels)):
        folds[held_out] = number
    return folds


def steady_folds(groups: Groups, *, n_folds: int = 5, seed: int = 0) -> NDArray[np.int64]:
    """Assign each row to a fold by its group's name alone, so that added groups move no other.

    Versions of a model that differ by some rows then hold the same groups out together, and their errors can be
    compared row by row. Folds are of nearly equal size where groups are many; where they are few,
    :func:`grouped_folds` deals them evenly.

    Args:
        groups: group of each row, shape ``(n,)``.
        n_folds: number of folds wanted; lowered to the number of groups when there are fewer.
        seed: seed of the deal.

    Returns:
        Fold number of each row, shape ``(n,)``.

    Raises:
        InputError: fewer than two groups.
    """
    labels = np.asarray(groups, dtype=str)
    names, place = np.unique(labels, return_inverse=True)
    if len(names) < _FEW_GROUPS * n_folds:
        return grouped_folds(labels, n_folds=n_folds, seed=seed)
    digests = (hashlib.sha256(f"{seed} {name}".encode()).digest() for name in names.tolist())
    folds = np.array([int.from_bytes(digest[:8]) % n_folds for digest in digests], dtype=np.int64)
    return np.asarray(folds[place])


def split_hash(keys: Sequence[str], folds: Sequence[int] | NDArray[np.int64]) -> str:
    """Return a short hash of which row is in which fold."""
    text = "\n".join(f"{key}\t{int(fold)}" for key, fold in zip(keys, folds, strict=True))
    return hashlib.sha256(text.encode()).hexdigest()[:12]
