"""Grouped splits: a chemical system, a framework or a sorbent is never on both sides.

Every score names the hash of the split it was computed on, so two scores can be compared.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

import numpy as np

from hstore.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    Groups = Sequence[str] | NDArray[Any]


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


def split_hash(keys: Sequence[str], folds: Sequence[int] | NDArray[np.int64]) -> str:
    """Return a short hash of which row is in which fold."""
    text = "\n".join(f"{key}\t{int(fold)}" for key, fold in zip(keys, folds, strict=True))
    return hashlib.sha256(text.encode()).hexdigest()[:12]
