"""Statistics of site properties over the sites of a crystal, as in matminer's ``SiteStatsFingerprint``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from hstore.errors import unknown_name

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from hstore.arrays import FloatArray

_HOLDER = "holder_mean::"


def site_statistics(values: FloatArray, statistics: Sequence[str]) -> FloatArray:
    """Summarise each site property by some statistics.

    A NaN among the values of a property makes its statistics NaN.

    Args:
        values: shape (sites, properties).
        statistics: names as matminer writes them: ``mean``, ``std_dev`` (of the population), ``minimum``,
            ``maximum``, ``range``, ``avg_dev`` (mean absolute deviation from the mean), ``geom_std_dev`` (of a
            sample), or ``holder_mean::p``, the power mean with the exponent p.

    Returns:
        Shape (properties * statistics,), all statistics of the first property first.

    Raises:
        UnknownNameError: a statistic has another name.
    """
    return np.stack([_function(name)(values) for name in statistics], axis=1).ravel()


def statistic_columns(properties: Sequence[str], statistics: Sequence[str]) -> tuple[str, ...]:
    """Name what :func:`site_statistics` returns: ``bond_length_mean``, ``bond_length_holder_mean_-2``, ..."""
    return tuple(f"{p}_{s.replace('::', '_')}" for p in properties for s in statistics)


def _function(name: str) -> Callable[[FloatArray], FloatArray]:
    if name.startswith(_HOLDER):
        power = float(name.removeprefix(_HOLDER))
        return lambda values: holder_mean(values, power)
    if name not in _FUNCTIONS:
        raise unknown_name("statistic", name, (*_FUNCTIONS, f"{_HOLDER}p"))
    return _FUNCTIONS[name]


def holder_mean(values: FloatArray, power: float) -> FloatArray:
    """Take the power mean over sites: 1 arithmetic, 0 geometric, -1 harmonic.

    Args:
        values: positive values, shape (sites, ...); a zero or negative one gives what the formula gives.
        power: the exponent.
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        if power == 0:
            return np.asarray(np.exp(np.log(values).mean(axis=0)))
        return np.asarray(np.mean(values**power, axis=0) ** (1.0 / power))


def _average_deviation(values: FloatArray) -> FloatArray:
    return np.asarray(np.abs(values - values.mean(axis=0)).mean(axis=0))


def _geometric_deviation(values: FloatArray) -> FloatArray:
    """Square root of exp(variance of the logarithms of a sample), so matminer; NaN for a single site."""
    if len(values) == 1:
        return np.full(values.shape[1:], np.nan)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray(np.sqrt(np.exp(np.var(np.log(values), axis=0, ddof=1))))


_FUNCTIONS: dict[str, Callable[[FloatArray], FloatArray]] = {
    "mean": lambda values: np.asarray(values.mean(axis=0)),
    "std_dev": lambda values: np.asarray(values.std(axis=0)),
    "minimum": lambda values: np.asarray(values.min(axis=0)),
    "maximum": lambda values: np.asarray(values.max(axis=0)),
    "range": lambda values: np.asarray(np.ptp(values, axis=0)),
    "avg_dev": _average_deviation,
    "geom_std_dev": _geometric_deviation,
}
