"""What groups of descriptors add: the error with and without them, on groups of materials that were left out.

The model is the mean of extremely randomised trees and boosted trees, both blind to order and scale of columns, so
that a block of descriptors need not be prepared. Differences of the mean absolute error are paired row by row, and
their intervals come from a bootstrap over groups (Efron 1979, doi 10.1214/aos/1176344552): rows of one chemical
system or framework are one draw.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from hstore.errors import InputError, unknown_name
from hstore_models.learners import Learner, fit_learner
from hstore_models.metrics import regression_scores
from hstore_models.splits import grouped_folds, split_hash

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from hstore.arrays import FloatArray

LEARNERS = (
    Learner("extra_trees", {"n_estimators": 200, "min_samples_leaf": 2}),
    Learner("boosting", {"max_iter": 200}),
)
"""What is fitted; their mean answers."""
LEVEL = 0.90
"""Level of the intervals."""
LEAST_GROUPS = 10
"""Groups below which nothing is compared."""
_DRAWS = 2000


@dataclass(frozen=True)
class Variant:
    """The error of a model with some blocks of descriptors."""

    blocks: tuple[str, ...]
    """Names of the blocks it sees."""
    columns: int
    """Number of its columns."""
    mae: float
    """Mean absolute error on rows left out, in the unit of the values."""
    spearman: float
    """Rank correlation on rows left out; NaN where undefined."""
    change: float
    """Its mean absolute error minus that of the base: negative is better."""
    interval: tuple[float, float]
    """90 % interval of the change; (0, 0) for the base itself."""

    @property
    def verdict(self) -> str:
        """What the interval says."""
        low, high = self.interval
        if (low, high) == (0.0, 0.0):
            return "base"
        if high < 0:
            return "better"
        return "worse" if low > 0 else "no difference that can be told"

    def as_json(self) -> dict[str, Any]:
        """Return it as plain data."""
        return {
            "blocks": list(self.blocks),
            "columns": self.columns,
            "mae": self.mae,
            "spearman": None if np.isnan(self.spearman) else self.spearman,
            "change": self.change,
            "interval_90": list(self.interval),
            "verdict": self.verdict,
        }


@dataclass(frozen=True)
class Ablation:
    """Errors of models with and without blocks of descriptors, on the same rows and splits."""

    rows: int
    groups: int
    split_hashes: tuple[str, ...]
    """Which row was left out with which, for each seed."""
    mae_mean_predictor: float
    """Mean absolute error of the mean of the training rows."""
    coverage: Mapping[str, float]
    """Block -> share of the rows of which it knows anything."""
    variants: tuple[Variant, ...]
    """Parts of the base, the base, each further block with it, and all together."""

    def as_json(self) -> dict[str, Any]:
        """Return it as plain data."""
        return {
            "rows": self.rows,
            "groups": self.groups,
            "split_hashes": list(self.split_hashes),
            "mae_mean_predictor": self.mae_mean_predictor,
            "coverage": dict(self.coverage),
            "variants": [variant.as_json() for variant in self.variants],
        }


def ablate(
    blocks: Mapping[str, FloatArray],
    values: FloatArray,
    groups: Sequence[str],
    *,
    base: Sequence[str],
    n_folds: int = 5,
    seeds: int = 3,
    progress: Callable[[int], None] | None = None,
) -> Ablation:
    """Compare the base with the base and each further block, and with all.

    Args:
        blocks: name -> descriptors, shape (n, d), NaN where unknown.
        values: known values, shape (n,).
        groups: group of each row, shape (n,); no group is trained on and predicted.
        base: names of the blocks that count as known; their parts are scored too, first to last.
        n_folds: folds of each split.
        seeds: splits, over which errors are averaged.
        progress: called with 1 for each variant that is done.

    Raises:
        UnknownNameError: the base names no block.
        InputError: too few groups, nothing to add, or rows that do not match.
    """
    for name in base:
        if name not in blocks:
            raise unknown_name("block of descriptors", name, blocks)
    added = [name for name in blocks if name not in base]
    if not added or not base:
        raise InputError(
            f"nothing to compare: the base is {', '.join(base) or 'empty'} and {', '.join(added) or 'nothing'} is "
            "added; name at least one block of each"
        )
    wrong = {name: len(block) for name, block in blocks.items() if len(block) != len(values)}
    if wrong or len(groups) != len(values):
        raise InputError(f"there are {len(values)} values, {len(groups)} groups and blocks of {wrong} rows")
    _, codes = np.unique(np.asarray(groups, dtype=str), return_inverse=True)
    if (count := int(codes.max()) + 1) < LEAST_GROUPS:
        raise InputError(
            f"{len(values)} rows of {count} groups say nothing about new ones; at least {LEAST_GROUPS} are needed"
        )
    folds = [grouped_folds(groups, n_folds=n_folds, seed=seed) for seed in range(seeds)]
    asked = [tuple(base[: stop + 1]) for stop in range(len(base))]
    asked += [(*base, name) for name in added]
    if len(added) > 1:
        asked.append((*base, *added))
    predicted = {}
    for names in asked:
        seen = np.column_stack([blocks[name] for name in names])
        predicted[names] = [_left_out(seen, values, fold, seed) for seed, fold in enumerate(folds)]
        if progress:
            progress(1)
    errors = {names: np.mean([np.abs(p - values) for p in found], axis=0) for names, found in predicted.items()}
    drawn = _weights(codes)
    known = tuple(base)
    return Ablation(
        rows=len(values),
        groups=count,
        split_hashes=tuple(split_hash([str(row) for row in range(len(values))], fold) for fold in folds),
        mae_mean_predictor=float(np.mean([np.abs(_means(values, fold) - values) for fold in folds])),
        coverage={name: float(np.isfinite(block).any(axis=1).mean()) for name, block in blocks.items()},
        variants=tuple(
            Variant(
                blocks=names,
                columns=sum(blocks[name].shape[1] for name in names),
                mae=float(errors[names].mean()),
                spearman=float(
                    np.mean([regression_scores(values, p, baseline=0.0)["spearman"] for p in predicted[names]])
                ),
                change=float((errors[names] - errors[known]).mean()),
                interval=(0.0, 0.0) if names == known else _interval(errors[names] - errors[known], drawn, count),
            )
            for names in asked
        ),
    )


def _left_out(descriptors: FloatArray, values: FloatArray, folds: Any, seed: int) -> FloatArray:
    """Predictions of every row by models that have not seen its group, shape (n,)."""
    found = np.empty(len(values))
    for fold in np.unique(folds):
        train = folds != fold
        weights = np.ones(int(train.sum()))
        fits = [fit_learner(one, descriptors[train], values[train], weights, seed=seed) for one in LEARNERS]
        found[~train] = np.mean([fit.predict(descriptors[~train])[0] for fit in fits], axis=0)
    return found


def _means(values: FloatArray, folds: Any) -> FloatArray:
    return np.array([values[folds != fold].mean() for fold in folds])


def _weights(codes: Any) -> FloatArray:
    """How often each row is drawn in each draw of groups, shape (draws, n)."""
    groups = int(codes.max()) + 1
    drawn = np.random.default_rng(0).multinomial(groups, np.full(groups, 1.0 / groups), size=_DRAWS)
    return np.asarray(drawn[:, codes], dtype=float)


def _interval(differences: FloatArray, drawn: FloatArray, groups: int) -> tuple[float, float]:
    """Student's interval with the spread of the draws: quantiles of draws of few groups are too narrow."""
    from scipy.stats import t

    means = drawn @ differences / drawn.sum(axis=1)
    half = float(t.ppf((1 + LEVEL) / 2, groups - 1) * means.std() * np.sqrt(groups / (groups - 1)))
    middle = float(differences.mean())
    return middle - half, middle + half
