"""Do the intervals mean what they say: coverage by family and by range, calibration curve, and the domain flag.

Rows of one chemical system err together, so groups are the units of the test: the unit value of a group is the
mean coverage of its rows, S is the sum of the unit values of G groups, and 90 % coverage is rejected from below
where P(X <= S) < 1 % for X ~ Binomial(G, 0.9). The plain test with rows as units stands beside it.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from hstore.arrays import FloatArray

    Labels = Sequence[str] | NDArray[Any]

NOMINAL = 0.90
"""Coverage that every interval states."""

LEVEL = 0.01
"""Probability below which the stated coverage is rejected."""

LEAST_ROWS = 20
"""Rows a family or range must have before it is judged."""

NOMINAL_LEVELS = (0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.99)
"""Levels of the calibration curve."""

_ROUNDING = 1e-9


@dataclass(frozen=True)
class Part:
    """Errors and intervals of the rows of one family or range."""

    label: str
    """Name of the family, or the range of the known values."""
    n: int
    """Rows."""
    n_groups: int
    """Groups of rows that err together, such as chemical systems."""
    mae: float
    """Mean absolute error."""
    median_error: float
    """Median absolute error."""
    coverage: float
    """Share of the rows inside their 90 % interval."""
    mean_width: float
    """Mean width of the 90 % interval."""
    p_below_90: float
    """Probability of such coverage, or worse, if the intervals did cover 90 %; groups are the units."""
    p_below_90_rows: float
    """The same with rows as units."""

    @property
    def missed(self) -> bool:
        """Tell whether the part has rows enough to be judged and 90 % coverage is rejected."""
        return self.n >= LEAST_ROWS and self.p_below_90 < LEVEL

    def as_dict(self) -> dict[str, Any]:
        """Return all of it but the label, for JSON."""
        return {k: v for k, v in self.__dict__.items() if k != "label"} | {"missed": self.missed}


def below_nominal(inside: NDArray[Any], groups: Labels, *, nominal: float = NOMINAL) -> tuple[float, float]:
    """Return the one-sided binomial probabilities of so little coverage, with groups and with rows as units.

    Args:
        inside: whether each row is inside its interval, or the share of repeats in which it is, shape ``(n,)``.
        groups: group of each row, shape ``(n,)``.
        nominal: coverage that is tested.
    """
    from scipy.stats import binom

    values = np.asarray(inside, dtype=np.float64)
    if not len(values):
        return float("nan"), float("nan")
    _, place = np.unique(np.asarray(groups, dtype=str), return_inverse=True)
    of_group = np.bincount(place, weights=values) / np.bincount(place)
    of_groups, of_rows = (
        float(binom.cdf(units.sum() + _ROUNDING, len(units), nominal)) for units in (of_group, values)
    )
    return of_groups, of_rows


def parts(
    labels: Labels, error: FloatArray, inside: NDArray[Any], width: FloatArray, groups: Labels
) -> list[Part]:
    """Score the rows of each label by themselves, most rows first.

    Args:
        labels: family or range of each row, shape ``(n,)``; rows with an empty label are left out.
        error: absolute error of each row, shape ``(n,)``.
        inside: whether each row is inside its interval, or the share of repeats in which it is, shape ``(n,)``.
        width: width of its interval, shape ``(n,)``.
        groups: group of each row, shape ``(n,)``.
    """
    names = np.asarray(labels, dtype=str)
    held, of_group = np.asarray(inside, dtype=np.float64), np.asarray(groups, dtype=str)
    found = []
    for name in dict.fromkeys(names.tolist()):
        rows = names == name
        if not name:
            continue
        of_groups, of_rows = below_nominal(held[rows], of_group[rows])
        found.append(
            Part(
                label=name,
                n=int(rows.sum()),
                n_groups=len(np.unique(of_group[rows])),
                mae=float(error[rows].mean()),
                median_error=float(np.median(error[rows])),
                coverage=float(held[rows].mean()),
                mean_width=float(width[rows].mean()),
                p_below_90=of_groups,
                p_below_90_rows=of_rows,
            )
        )
    return found


def by_family(
    families: Labels, error: FloatArray, inside: NDArray[Any], width: FloatArray, groups: Labels
) -> list[Part]:
    """Score each family by itself, those with most rows first; see :func:`parts`."""
    return sorted(parts(families, error, inside, width, groups), key=lambda part: (-part.n, part.label))


def by_range(
    truth: FloatArray,
    error: FloatArray,
    inside: NDArray[Any],
    width: FloatArray,
    groups: Labels,
    *,
    n_ranges: int = 5,
) -> list[Part]:
    """Score each fifth of the known values by itself, from low to high; see :func:`parts`.

    Fifths have equally many rows as far as repeated values allow.
    """
    edges = np.unique(np.quantile(truth, np.arange(1, n_ranges) / n_ranges))
    place = np.searchsorted(edges, truth)
    limits = [truth.min(), *edges, truth.max()]
    texts = [f"{low:.4g} to {high:.4g}" for low, high in pairwise(limits)]
    order = np.argsort(place, kind="stable")
    labels = np.array([texts[number] for number in place])
    of_group = np.asarray(groups, dtype=str)
    return parts(labels[order], error[order], np.asarray(inside)[order], width[order], of_group[order])


def calibration_curve(
    truth: FloatArray, mean: FloatArray, std: FloatArray, *, levels: Sequence[float] = NOMINAL_LEVELS
) -> dict[str, float]:
    """Return nominal level -> observed coverage of the central normal intervals of those levels.

    Args:
        truth: known values, shape ``(n,)``.
        mean: answers, shape ``(n,)``.
        std: their standard deviations, shape ``(n,)``.
        levels: nominal levels, 0 to 1.
    """
    from scipy.stats import norm

    distance = np.abs(truth - mean) / np.maximum(std, 1e-300)
    return {f"{level:g}": float(np.mean(distance <= norm.ppf(0.5 + level / 2))) for level in levels}


def flag_scores(error: FloatArray, in_domain: NDArray[np.bool_]) -> dict[str, float | int]:
    """Tell whether the rows that are flagged as outside the domain are the ones with the large errors.

    Args:
        error: absolute error of each row, shape ``(n,)``.
        in_domain: False where the row is flagged, shape ``(n,)``.

    Returns:
        ``n_flagged``, ``share_flagged``, ``mae_flagged``, ``mae_unflagged`` and ``error_ratio`` of the two;
        what is not defined is NaN.
    """
    flagged, clear = error[~in_domain], error[in_domain]
    outside = float(flagged.mean()) if len(flagged) else float("nan")
    within = float(clear.mean()) if len(clear) else float("nan")
    return {
        "n_flagged": len(flagged),
        "share_flagged": len(flagged) / len(error) if len(error) else float("nan"),
        "mae_flagged": outside,
        "mae_unflagged": within,
        "error_ratio": outside / within if within > 0 else float("nan"),
    }
