"""Isotherm models: those of pyGAPS and that of Sips, each with where a fit may begin.

All are of the adsorbed amount at one temperature. pyGAPS (Iacomi and Llewellyn 2019, doi
10.1007/s10450-019-00168-5) gives the equations; Sips' (1948, doi 10.1063/1.1746922) it does not have.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from hstore.errors import MissingExtraError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from hstore.arrays import FloatArray

UNITS = {"amount": "wt%", "affinity": "1/bar", "slope": "wt%/bar", "exponent": ""}
"""Kind of a parameter -> its unit; wt% is 100 x g H2 / g sorbent."""


@dataclass(frozen=True)
class IsothermModel:
    """A model of the adsorbed amount at one temperature; all its parameters are above 0."""

    name: str
    """As pyGAPS calls it, or Sips."""
    parameters: tuple[str, ...]
    """Names of the parameters."""
    kinds: tuple[str, ...]
    """Kind of each, a key of :data:`UNITS`."""
    uptake: Callable[[FloatArray, FloatArray], FloatArray]
    """Pressures, bar, shape ``(n,)``, and parameters, shape ``(k,)`` -> uptakes, wt%, shape ``(n,)``."""
    starts: Callable[[float, float, float], Sequence[Sequence[float]]]
    """Largest uptake, affinity by eye and largest pressure -> parameters to begin a fit with."""


def isotherm_models() -> tuple[IsothermModel, ...]:
    """Return the models, those with fewer parameters first.

    Raises:
        MissingExtraError: pyGAPS is not installed.
    """
    one, two = ("n_m", "K"), ("amount", "affinity")
    return (
        _of_pygaps("Henry", ("K",), ("slope",), lambda q, k, _: [[q * k]]),
        _of_pygaps("Langmuir", one, two, lambda q, k, _: [[1.2 * q, k], [2.0 * q, 0.3 * k], [q, 3.0 * k]]),
        _of_pygaps("Freundlich", ("K", "m"), ("slope", "exponent"), lambda q, _, p: [[q / p**0.5, 2.0]]),
        _of_pygaps(
            "Toth", (*one, "t"), (*two, "exponent"),
            lambda q, k, _: [[1.2 * q, k, 1.0], [2.0 * q, 3.0 * k, 0.5], [4.0 * q, 10.0 * k, 0.3]],
        ),
        IsothermModel(
            "Sips", (*one, "n"), (*two, "exponent"), _sips,
            lambda q, k, _: [[1.2 * q, k, 1.0], [2.0 * q, 0.5 * k, 0.7], [4.0 * q, 0.1 * k, 0.5]],
        ),
        _of_pygaps(
            "JensenSeaton", ("K", "n_m", "k", "t"), ("slope", "amount", "affinity", "exponent"),
            lambda q, k, p: [[1.5 * q * k, q, 0.05 / p, 1.0], [3.0 * q * k, 0.8 * q, 0.3 / p, 0.7]],
        ),
        _of_pygaps(
            "DSLangmuir", ("n_m1", "K1", "n_m2", "K2"), ("amount", "affinity") * 2,
            lambda q, k, _: [[q / 2, f * k, q, k / f] for f in (3.0, 10.0, 40.0)],
        ),
    )  # fmt: skip


def _of_pygaps(
    name: str,
    parameters: tuple[str, ...],
    kinds: tuple[str, ...],
    starts: Callable[[float, float, float], Sequence[Sequence[float]]],
) -> IsothermModel:
    try:
        from pygaps.modelling import get_isotherm_model
    except ImportError as error:
        raise MissingExtraError(
            "isotherm models need pyGAPS, which is not installed; run: pip install 'hstore[isotherms]'"
        ) from error
    model = get_isotherm_model(name)

    def uptake(pressure_bar: FloatArray, theta: FloatArray) -> FloatArray:
        model.params = dict(zip(parameters, theta, strict=True))
        with np.errstate(over="ignore"):  # far from the fit a power may overflow; the ratio is right all the same
            return np.asarray(model.loading(pressure_bar))

    return IsothermModel(name, parameters, kinds, uptake, starts)


def _sips(pressure_bar: FloatArray, theta: FloatArray) -> FloatArray:
    n_m, affinity, n = theta
    with np.errstate(over="ignore"):
        return np.asarray(n_m / (1.0 + (affinity * pressure_bar) ** -n))
