"""Whether few images tell something about a measured property: a small-sample model beside the mean, and chance.

Descriptors are standardised and enter a Gaussian process with a linear kernel (ridge regression) or a squared
exponential one; kernel and noise are chosen by leave-one-out within the specimens that remain when one is left out
(nested leave-one-out), so no specimen is predicted by a model that has seen it in any way. The same is done with
the property shuffled among specimens many times: the share of shuffles that do as well is the p-value of a
permutation test (Phipson and Smyth, doi 10.2202/1544-6115.1585).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from hstore.errors import InputError

if TYPE_CHECKING:
    from hstore.arrays import FloatArray, IntArray

LEAST_SPECIMENS = 8
"""With fewer, no relation is looked for."""
MOST_SPECIMENS = 400
PERMUTATIONS = 999
SIGNIFICANCE = 0.05
STRICT = 0.01
"""Largest p-value at which a relation is said to be there."""
_NOISES = np.logspace(-2, 3, 11)
"""Noise variance over signal variance."""
_LENGTHS = (0.5, 1.0, 2.0)
"""Lengths of the squared exponential kernel over the median distance of two specimens."""
_OFFSET = 100.0
"""Prior variance of the mean over that of the signal: the mean is learned with the rest, and left out with it."""
_SHOWN = 5
_ALIKE = 1e-12
"""Descriptors whose relative spread is not larger are the same for all."""


@dataclass(frozen=True, eq=False)
class Relation:
    """What a property of some specimens has to do with their descriptors."""

    specimens: int
    """Number of them."""
    descriptors: tuple[str, ...]
    """Columns that were used: known for all, and not the same for all."""
    predicted: FloatArray
    """Property of each specimen by a model that has not seen it, shape (specimens,)."""
    q2: float
    """1 - squared error of the model over that of the mean of the others; 1 is perfect, 0 as good as the mean."""
    q2_low: float
    """Lower end of the 90 % interval of ``q2`` over specimens drawn again."""
    q2_high: float
    """Upper end."""
    mae: float
    """Mean absolute error of the model."""
    mae_mean: float
    """That of the mean of the others."""
    p_value: float
    """Chance that the property shuffled among specimens gives such a ``q2``."""
    q2_of_chance: float
    """``q2`` that one shuffle in twenty reaches."""
    strongest: tuple[tuple[str, float], ...]
    """Descriptors with the largest rank correlations, looked up among all of them and so not tested."""

    @property
    def words(self) -> str:
        """What may be concluded, in plain words."""
        size = f"{self.specimens} specimens, {len(self.descriptors)} descriptors"
        share = f"{100 * self.q2:.0f} % of the variance of unseen specimens"
        span = f"90 % interval {100 * self.q2_low:.0f} to {100 * self.q2_high:.0f} %, p = {self.p_value:.3f}"
        if self.p_value > SIGNIFICANCE:
            return (
                f"No relation can be told from chance ({size}): shuffled values do as well in "
                f"{100 * self.p_value:.0f} of 100 cases. With so few specimens a model must explain more than "
                f"{100 * max(self.q2_of_chance, 0):.0f} % of the variance of unseen ones to stand out; a weaker "
                "relation may exist and would need more specimens."
            )
        if self.p_value > STRICT or self.q2_low <= 0:
            return (
                f"There may be a relation, but the sample is too small to tell ({size}): the model explains "
                f"{share} ({span}). One property in twenty without any relation looks like this; take more "
                "specimens."
            )
        return (
            f"A relation is there ({size}): the model explains {share} ({span}); its mean error is {self.mae:.3g} "
            f"against {self.mae_mean:.3g} of the mean. It says nothing about causes, nor about specimens made in "
            "other ways."
        )


def relate(
    values: FloatArray,
    names: tuple[str, ...],
    target: FloatArray,
    *,
    permutations: int = PERMUTATIONS,
    seed: int = 0,
) -> Relation:
    """Look for a relation between descriptors and a property.

    Args:
        values: descriptors, shape (specimens, len(names)); columns with a NaN are left out.
        names: of the descriptors.
        target: the property, shape (specimens,).
        permutations: shuffles of the property.
        seed: of the shuffles and of the interval.

    Raises:
        InputError: fewer than :data:`LEAST_SPECIMENS` or more than :data:`MOST_SPECIMENS` specimens, no usable
            descriptor, a property that is not finite, or the same for all.
    """
    n = len(target)
    if not LEAST_SPECIMENS <= n <= MOST_SPECIMENS:
        raise InputError(
            f"{n} specimens have both images and the property; from {LEAST_SPECIMENS} to {MOST_SPECIMENS} are "
            "needed. Nothing can be learned from fewer: measure more, or only describe the images"
        )
    if not np.isfinite(target).all() or np.ptp(target) == 0:
        raise InputError("the property must be a finite number for each specimen, and not the same for all")
    spread = values.max(axis=0) - values.min(axis=0)  # NaN where one is
    usable = np.isfinite(spread) & (np.nan_to_num(spread) > _ALIKE * np.nan_to_num(np.abs(values).max(axis=0)))
    if not usable.any():
        raise InputError("no descriptor is known for all specimens and differs between them")
    chosen = values[:, usable]
    rng = np.random.default_rng(seed)
    columns = np.stack([target, *(rng.permutation(target) for _ in range(permutations))], axis=1)
    predicted = _nested(chosen, columns)
    by_mean = (columns.sum(axis=0) - columns) / (n - 1)
    error, error_mean = (columns - predicted) ** 2, (columns - by_mean) ** 2
    q2 = 1 - error.sum(axis=0) / error_mean.sum(axis=0)
    drawn = rng.integers(n, size=(2000, n))
    sums = error[drawn, 0].sum(axis=1), np.maximum(error_mean[drawn, 0].sum(axis=1), 1e-300)
    low, high = np.quantile(1 - sums[0] / sums[1], [0.05, 0.95])
    names = tuple(np.array(names)[usable].tolist())
    return Relation(
        specimens=n,
        descriptors=names,
        predicted=predicted[:, 0],
        q2=float(q2[0]),
        q2_low=float(low),
        q2_high=float(high),
        mae=float(np.abs(target - predicted[:, 0]).mean()),
        mae_mean=float(np.abs(target - by_mean[:, 0]).mean()),
        p_value=float((1 + (q2[1:] >= q2[0]).sum()) / (1 + permutations)),
        q2_of_chance=float(np.quantile(q2[1:], 1 - SIGNIFICANCE)),
        strongest=_strongest(chosen, names, target),
    )


def _nested(values: FloatArray, columns: FloatArray) -> FloatArray:
    """Predict each row of ``columns`` from the others, for all columns at once, shape (specimens, columns)."""
    n = len(values)
    predicted = np.empty_like(columns)
    for left in range(n):
        kept = np.delete(np.arange(n), left)
        spread = values[kept].std(axis=0)
        scaled = (values - values[kept].mean(axis=0)) / np.where(spread > 0, spread, 1.0)
        middle = columns[kept].mean(axis=0)
        own = columns[kept] - middle
        best = np.full(columns.shape[1], np.inf)
        for kernel in _kernels(scaled, kept):
            inner, outer = kernel[np.ix_(kept, kept)], kernel[left, kept]
            eigenvalues, vectors = np.linalg.eigh(inner)
            turned = vectors.T @ own
            for noise in _NOISES:
                shrunk = 1.0 / (np.maximum(eigenvalues, 0.0) + noise)
                weights = vectors @ (shrunk[:, None] * turned)
                # leave-one-out error of a Gaussian process (Sundararajan and Keerthi 2001), plus that of the mean
                diagonal = ((vectors**2) * shrunk).sum(axis=1)
                score = ((weights / diagonal[:, None]) ** 2).sum(axis=0)
                better = score < best * (1 - 1e-9)
                best[better] = score[better]
                predicted[left, better] = middle[better] + outer @ weights[:, better]
    return predicted


def _kernels(scaled: FloatArray, kept: IntArray) -> list[FloatArray]:
    squared = ((scaled[:, None] - scaled[None]) ** 2).sum(axis=2)
    among = squared[np.ix_(kept, kept)]
    median = float(np.median(among[np.triu_indices(len(kept), 1)])) or 1.0
    kernels = [scaled @ scaled.T / scaled.shape[1], *(np.exp(-0.5 * squared / (median * k**2)) for k in _LENGTHS)]
    return [kernel + _OFFSET for kernel in kernels]


def _strongest(values: FloatArray, names: tuple[str, ...], target: FloatArray) -> tuple[tuple[str, float], ...]:
    from scipy.stats import rankdata

    ranks = rankdata(values, axis=0)
    ranks -= ranks.mean(axis=0)
    own = rankdata(target)
    own -= own.mean()
    found = ranks.T @ own / np.sqrt((ranks**2).sum(axis=0) * (own @ own))
    order = np.argsort(-np.abs(found), kind="stable")[:_SHOWN]
    return tuple((names[place], float(found[place])) for place in order.tolist())
