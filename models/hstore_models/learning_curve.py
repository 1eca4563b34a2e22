"""Learning curve: how the error on held-out groups falls with the number of groups that train."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from hstore.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from hstore.arrays import FloatArray

SHARES = (0.1, 0.2, 0.4, 0.7, 1.0)
"""Shares of the training groups."""


class FitPredict(Protocol):
    """Trains on some rows and answers others."""

    def __call__(self, trained: NDArray[np.bool_], asked: NDArray[np.bool_], seed: int) -> FloatArray | None:
        """Return answers for the rows asked, shape ``(asked.sum(),)``; None where so few rows cannot train."""


@dataclass(frozen=True)
class CurvePoint:
    """Error at one number of training groups."""

    share: float
    """Share of the training groups, 0 to 1."""
    n_groups: float
    """Training groups, mean over folds and seeds."""
    n_rows: float
    """Training rows, mean over folds and seeds."""
    mae: float
    """Mean absolute error on held-out rows, mean over seeds."""
    mae_std: float
    """Standard deviation of that over seeds; 0 for one seed."""

    def as_dict(self) -> dict[str, Any]:
        """Return it for JSON."""
        return asdict(self)


def learning_curve(
    fit_predict: FitPredict,
    truth: FloatArray,
    groups: Sequence[str] | NDArray[Any],
    folds: NDArray[np.int64],
    *,
    pool: NDArray[np.bool_] | None = None,
    shares: Sequence[float] = SHARES,
    seeds: Sequence[int] = (0,),
    say: Callable[[str], None] = lambda _: None,
) -> list[CurvePoint]:
    """Measure the error against the number of training groups.

    The groups of smaller shares are among those of larger ones (nested subsets), so the curve shows the worth of
    more data and not the luck of the draw. Points at which not every fold could be trained are left out.

    Args:
        fit_predict: trains on the rows of one mask and answers those of another, both of shape ``(n,)``.
        truth: known values, shape ``(n,)``; NaN for rows that only train.
        groups: group of each row, shape ``(n,)``.
        folds: fold of each row, shape ``(n,)``; -1 for rows that are never held out. A row trains where neither
            its fold nor its group is held out.
        pool: False for rows that never train, shape ``(n,)``; all may when None.
        shares: shares of the training groups, each above 0 and at most 1.
        seeds: seeds of the draws, which are passed on.
        say: told of progress, a line for each share.

    Raises:
        InputError: a share is outside its range.
    """
    wrong = [share for share in shares if not 0 < share <= 1]
    if wrong or not shares:
        raise InputError(f"shares must be above 0 and at most 1, got {list(shares)}; correct them")
    names = np.asarray(groups, dtype=str)
    pool = np.ones(len(names), dtype=bool) if pool is None else pool
    points = []
    for share in shares:
        say(f"learning curve: {share:.0%} of the training groups")
        runs = [_run(fit_predict, truth, (names, pool, folds), share, seed) for seed in seeds]
        if all(run is not None for run in runs):
            values = np.array([run for run in runs if run is not None])
            mae, n_groups, n_rows = values.mean(axis=0).tolist()
            points.append(CurvePoint(share, n_groups, n_rows, mae, float(values[:, 0].std())))
    return points


def _run(
    fit_predict: FitPredict,
    truth: FloatArray,
    rows: tuple[NDArray[np.str_], NDArray[np.bool_], NDArray[np.int64]],
    share: float,
    seed: int,
) -> tuple[float, float, float] | None:
    names, pool, folds = rows
    errors: list[FloatArray] = []
    counts: list[tuple[int, int]] = []
    for fold in np.unique(folds[folds >= 0]).tolist():
        asked = (folds == fold) & np.isfinite(truth)
        trained = nested_subset(names, pool & ~np.isin(names, names[folds == fold]) & (folds != fold), share, seed)
        answers = fit_predict(trained, asked, seed)
        if answers is None:
            return None
        errors.append(np.abs(answers - truth[asked]))
        counts.append((len(np.unique(names[trained])), int(trained.sum())))
    n_groups, n_rows = np.mean(counts, axis=0).tolist()
    return float(np.concatenate(errors).mean()), n_groups, n_rows


def nested_subset(
    names: NDArray[np.str_], allowed: NDArray[np.bool_], share: float, seed: int
) -> NDArray[np.bool_]:
    """Return the mask of the rows of a share of the allowed groups, shape ``(n,)``.

    Groups are drawn in one order for each seed, so a smaller share is part of a larger one.
    """
    present = np.unique(names[allowed])
    order = np.random.default_rng(seed).permutation(len(present))
    chosen = present[order[: max(1, int(np.ceil(share * len(present) - 1e-9)))]]
    return allowed & np.isin(names, chosen)
