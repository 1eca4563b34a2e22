"""The modified Dubinin-Astakhov isotherm: all temperatures above the critical one in one fit.

    n = n_max exp(-[R T / (alpha + beta T)]^2 ln^2(P0 / p)) - (gas density) V

(Richard, Benard and Chahine 2009, doi 10.1007/s10450-009-9149-x) for excess uptakes, with V the volume of the
adsorbed phase. Absolute uptakes have no V, nor have those at pressures where gas does not count; in total uptakes
V is the volume of the gas beside the adsorbed phase and its sign is plus. Its heat of adsorption at constant
adsorbed amount is alpha sqrt(ln(n_max / n)).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from hstore.errors import InputError
from hstore.sorption import gas_in_volume_wt_pct
from hstore.thermo import J_PER_KJ
from hstore.units import GAS_CONSTANT_J_PER_MOL_K as R
from hstore_workflows.fit.isotherm_fit import (
    GAS_SIGN,
    MOST_VOLUME_CM3_PER_G,
    VOLUME,
    Estimate,
    gas_counts,
)
from hstore_workflows.fit.least_squares import Solution, solve

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hstore.arrays import FloatArray
    from hstore_workflows.fit.isotherm_fit import Points

NAME = "modified Dubinin-Astakhov"
"""Name of the model."""
CRITICAL_TEMPERATURE_K = 33.145
"""Critical temperature of hydrogen (Leachman et al. 2009, doi 10.1063/1.3160306)."""

_NAMES = ("n_max", "alpha", "beta", "P0")
_UNITS = ("wt%", "J/mol", "J/(mol K)", "bar", "cm3/g")
_LEAST_POINTS_EACH = 3
_WITH_VOLUME = 5


@dataclass(frozen=True)
class MdaFit:
    """A fit to several temperatures."""

    uptake_kind: str
    """excess, absolute or total."""
    temperatures_k: tuple[float, ...]
    """Temperatures of its isotherms, K."""
    solution: Solution
    """n_max, wt%; alpha, J/mol; beta, J/(mol K); P0, bar; and V, cm3/g, where gas counts in the uptake."""
    misses_wt_pct: tuple[float, ...]
    """Root mean square distance at each temperature, wt%."""

    @property
    def name(self) -> str:
        """The model in words."""
        return NAME

    @property
    def estimates(self) -> tuple[Estimate, ...]:
        """Parameters with intervals."""
        names = [*_NAMES, VOLUME.get(self.uptake_kind, "")]
        loose = self.solution.loose
        return tuple(
            Estimate(name, float(value), unit, None if place in loose else (float(low), float(high)))
            for place, (name, unit, value, (low, high)) in enumerate(
                zip(names, _UNITS, self.solution.theta, self.solution.intervals, strict=False)
            )
        )

    @property
    def doubt(self) -> str:
        """What speaks against it; empty where nothing does."""
        loose = [estimate.name for estimate in self.estimates if estimate.interval is None]
        if loose:
            return f"the points do not fix {', '.join(loose)}"
        if len(self.solution.theta) == _WITH_VOLUME and self.solution.theta[-1] > MOST_VOLUME_CM3_PER_G:
            return f"a volume of {self.solution.theta[-1]:.3g} cm3/g is no pore"
        return ""

    def adsorbed(
        self, pressure_bar: FloatArray, temperature_k: float, theta: FloatArray | None = None
    ) -> FloatArray:
        """Return the adsorbed amount, wt%, shape of the pressures."""
        return _adsorbed(self.solution.theta if theta is None else theta, pressure_bar, temperature_k)

    def uptake(
        self, pressure_bar: FloatArray, temperature_k: float, theta: FloatArray | None = None
    ) -> FloatArray:
        """Return the uptake of the kind that was measured, wt%, shape of the pressures."""
        parameters = self.solution.theta if theta is None else theta
        return mda_uptake(parameters, pressure_bar, temperature_k, self.uptake_kind)

    def std(self, pressure_bar: FloatArray, temperature_k: float) -> FloatArray:
        """Return the standard error of the curve, wt%, shape of the pressures."""
        return self.solution.std_of(lambda theta: self.uptake(pressure_bar, temperature_k, theta))

    def heat_kj_per_mol(self, adsorbed_wt_pct: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Return the isosteric heat at adsorbed amounts below n_max, and its standard error, kJ/mol."""

        def heat(theta: FloatArray) -> FloatArray:
            return np.asarray(theta[1] * np.sqrt(np.log(theta[0] / adsorbed_wt_pct)) / J_PER_KJ)

        return heat(self.solution.theta), self.solution.std_of(heat)

    def as_json(self) -> dict[str, Any]:
        """Return it as plain JSON."""
        return {
            "model": NAME,
            "temperatures_k": list(self.temperatures_k),
            "parameters": [vars(estimate) for estimate in self.estimates],
            "rmse_wt_pct": self.solution.rmse,
            "rmse_wt_pct_at_each_temperature": list(self.misses_wt_pct),
            "doubt": self.doubt,
        }


def fit_mda(isotherms: Sequence[Points]) -> MdaFit:
    """Fit isotherms of one sample at several temperatures together.

    Args:
        isotherms: of one kind of uptake, at two temperatures or more, all above the critical one.

    Raises:
        InputError: there are fewer temperatures, one is too low, kinds are mixed, or points are too few.
    """
    temperatures = [one.temperature_k for one in isotherms]
    if len({round(kelvin) for kelvin in temperatures}) < 2:
        raise InputError("the modified Dubinin-Astakhov model needs isotherms at two temperatures at least")
    if min(temperatures) <= CRITICAL_TEMPERATURE_K:
        raise InputError(
            f"the modified Dubinin-Astakhov model is for gas above {CRITICAL_TEMPERATURE_K:g} K, got "
            f"{min(temperatures):g} K"
        )
    kinds = {one.uptake_kind for one in isotherms}
    if len(kinds) > 1:
        raise InputError(f"isotherms fitted together must be of one kind, got {', '.join(sorted(kinds))}")
    if few := [one.temperature_k for one in isotherms if len(one.pressure_bar) < _LEAST_POINTS_EACH]:
        raise InputError(f"each isotherm needs {_LEAST_POINTS_EACH} points, the one at {few[0]:g} K has fewer")
    kind = kinds.pop()
    sign = GAS_SIGN[kind] if any(gas_counts(one) for one in isotherms) else 0.0
    gas = [
        np.asarray(gas_in_volume_wt_pct(1.0, pressure_bar=one.pressure_bar, temperature_k=one.temperature_k))
        for one in isotherms
    ]

    def each(theta: FloatArray) -> list[FloatArray]:
        return [
            _adsorbed(theta, one.pressure_bar, one.temperature_k) + (sign * density * theta[4] if sign else 0.0)
            for one, density in zip(isotherms, gas, strict=True)
        ]

    measured = np.concatenate([one.uptake_wt_pct for one in isotherms])
    top = float(measured.max())
    starts = [
        [factor * top, alpha, beta, pressure, *([0.8] if sign else [])]
        for factor in (1.3, 2.5)
        for alpha, beta in ((3000.0, 15.0), (5000.0, 3.0))
        for pressure in (2000.0, 12000.0)
    ]
    solution = solve(lambda theta: np.concatenate(each(theta)), measured, starts)
    misses = tuple(
        float(np.sqrt(np.mean((found - one.uptake_wt_pct) ** 2)))
        for found, one in zip(each(solution.theta), isotherms, strict=True)
    )
    return MdaFit(kind, tuple(temperatures), solution, misses)


def mda_uptake(theta: FloatArray, pressure_bar: FloatArray, temperature_k: float, uptake_kind: str) -> FloatArray:
    """Return the uptake of the model, wt%, shape of the pressures.

    Args:
        theta: n_max, wt%; alpha, J/mol; beta, J/(mol K); P0, bar; and V, cm3/g, where gas counts.
        pressure_bar: pressures, bar, above 0, shape ``(n,)``.
        temperature_k: temperature, K.
        uptake_kind: excess, absolute or total.
    """
    held = _adsorbed(theta, pressure_bar, temperature_k)
    sign = GAS_SIGN[uptake_kind]
    if not sign or len(theta) < _WITH_VOLUME:
        return held
    gas = gas_in_volume_wt_pct(1.0, pressure_bar=pressure_bar, temperature_k=temperature_k)
    return np.asarray(held + sign * gas * theta[4])


def _adsorbed(theta: FloatArray, pressure_bar: FloatArray, temperature_k: float) -> FloatArray:
    n_max, alpha, beta, saturation = theta[:4]
    share = R * temperature_k / (alpha + beta * temperature_k)
    return np.asarray(n_max * np.exp(-((share * np.log(saturation / pressure_bar)) ** 2)))
