"""Isosteric heat of adsorption from isotherms at several temperatures (Clausius and Clapeyron).

    q_st = -R [d ln p / d(1/T)] at constant uptake,

with the volume of the adsorbed phase left out and the gas ideal, as is usual; above about 20 bar ask for
fugacities.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.optimize import brentq
from scipy.stats import norm

from hstore.errors import InputError
from hstore.gas import h2_fugacity_bar
from hstore.thermo import J_PER_KJ
from hstore.units import GAS_CONSTANT_J_PER_MOL_K as R
from hstore_workflows.fit.vant_hoff import COVERAGE, fit_vant_hoff

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hstore.arrays import FloatArray
    from hstore_workflows.fit.isotherm_fit import ModelFit
    from hstore_workflows.fit.isotherm_mda import MdaFit

LEVELS = 6
"""Uptakes at which the heat is worked out, evenly over what two isotherms at least cover."""
CLAUSIUS_CLAPEYRON = "Clausius-Clapeyron"
"""How a heat follows from chosen fits."""

_STEP = 1e-4


@dataclass(frozen=True)
class Heat:
    """Isosteric heat at one uptake."""

    adsorbed_wt_pct: float
    """Uptake, 100 x g H2 / g sorbent."""
    heat_kj_per_mol: float
    """Heat given off on adsorption, kJ/mol H2."""
    interval: tuple[float, float]
    """90 % interval, kJ/mol H2."""
    temperatures_k: tuple[float, ...]
    """Temperatures it follows from, K."""
    by: str
    """Clausius-Clapeyron, or the model of all temperatures."""


def isosteric_heats(fits: Sequence[ModelFit], *, fugacity: bool = False) -> tuple[Heat, ...]:
    """Return the heats at uptakes that isotherms at two temperatures or more cover, each from all that do.

    From three temperatures on, the scatter about the line through ln p and 1/T counts too; from two, only the
    errors of the curves do.

    Args:
        fits: chosen fits of one sample at two temperatures or more, each at another.
        fugacity: whether to go through fugacities of the real gas instead of pressures.

    Raises:
        InputError: there are fewer temperatures, or no two isotherms share an uptake.
    """
    if len({round(fit.points.temperature_k) for fit in fits}) < 2:
        raise InputError("a heat of adsorption needs isotherms at two temperatures at least")
    ends = np.array([fit.adsorbed(fit.points.pressure_bar[[0, -1]]) for fit in fits])
    shared = [level for level in np.unique(ends) if len(_covering(fits, ends, float(level))) > 1 and level > 0]
    if len(shared) < 2:
        raise InputError(
            "no two isotherms share a range of uptakes, so no heat follows at constant uptake; measure at nearer "
            "temperatures"
        )
    heats = []
    for uptake in np.linspace(shared[0], shared[-1], LEVELS + 2)[1:-1]:
        covering = _covering(fits, ends, float(uptake))
        if len(covering) > 1:
            heats.append(_heat(covering, float(uptake), fugacity=fugacity))
    return tuple(heats)


def heats_of_mda(mda: MdaFit, adsorbed_wt_pct: FloatArray) -> tuple[Heat, ...]:
    """Return the heats of the modified Dubinin-Astakhov model at adsorbed amounts below its limit."""
    below = adsorbed_wt_pct[adsorbed_wt_pct < mda.solution.theta[0]]
    heats, errors = mda.heat_kj_per_mol(below)
    half = mda.solution.reach * errors
    return tuple(
        Heat(float(uptake), float(heat), (float(heat - wide), float(heat + wide)), mda.temperatures_k, mda.name)
        for uptake, heat, wide in zip(below, heats, half, strict=True)
    )


def _covering(fits: Sequence[ModelFit], ends: FloatArray, uptake: float) -> list[ModelFit]:
    """Return the fits whose points cover an uptake, one for each temperature."""
    found: dict[int, ModelFit] = {}
    for fit, (low, high) in zip(fits, ends, strict=True):
        if low <= uptake <= high:
            found.setdefault(round(fit.points.temperature_k), fit)
    return list(found.values())


def _heat(fits: Sequence[ModelFit], uptake: float, *, fugacity: bool) -> Heat:
    temperatures = np.asarray([fit.points.temperature_k for fit in fits])
    places = [_ln_pressure(fit, uptake) for fit in fits]
    logs = np.array([place for place, _ in places])
    errors = np.array([error for _, error in places])
    if fugacity:
        logs = np.log(h2_fugacity_bar(np.exp(logs), temperatures))
    told = tuple(temperatures.tolist())
    if len(fits) >= 3:
        line = fit_vant_hoff(temperatures, logs, errors)
        return Heat(uptake, line.enthalpy_kj_per_mol_h2, line.enthalpy_interval, told, CLAUSIUS_CLAPEYRON)
    inverse = 1.0 / temperatures
    weights = (inverse - inverse.mean()) / np.sum((inverse - inverse.mean()) ** 2)
    heat = float(-R * weights @ logs / J_PER_KJ)
    half = float(norm.ppf(0.5 + COVERAGE / 2) * R * np.sqrt(weights**2 @ errors**2) / J_PER_KJ)
    return Heat(uptake, heat, (heat - half, heat + half), told, CLAUSIUS_CLAPEYRON)


def _ln_pressure(fit: ModelFit, uptake: float) -> tuple[float, float]:
    """Return ln p at an adsorbed amount, and its standard error."""

    def at(log: float) -> float:
        return float(fit.adsorbed(np.array([np.exp(log)]))[0])

    low, high = np.log(fit.points.pressure_bar[[0, -1]])
    place = float(brentq(lambda log: at(log) - uptake, low, high))
    slope = (at(place + _STEP) - at(place - _STEP)) / (2.0 * _STEP)
    error = fit.solution.std_of(lambda theta: fit.adsorbed(np.array([np.exp(place)]), theta))[0]
    return place, float(error) / max(abs(slope), 1e-12)
