"""Usable capacity between two states from fitted isotherms, with an interval."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.stats import norm

from hstore.errors import InputError
from hstore.sorption import (
    TEMPERATURE_TOLERANCE_K,
    Isotherm,
    gas_in_volume_wt_pct,
    usable_capacity,
)
from hstore_workflows.fit.vant_hoff import COVERAGE

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from hstore.arrays import FloatArray
    from hstore.thermo import State, Swing
    from hstore_workflows.fit.isotherm_fit import ModelFit
    from hstore_workflows.fit.isotherm_mda import MdaFit
    from hstore_workflows.fit.least_squares import Solution

_BELOW = 0.99


@dataclass(frozen=True)
class Usable:
    """What is delivered between two states."""

    quantity: str
    """wt_pct (per mass of sorbent plus hydrogen in each state), wt_pct_sorbent (per mass of sorbent) or
    g_per_l."""
    value: float
    """Its value."""
    interval: tuple[float, float]
    """90 % interval, of the fit alone."""


@dataclass(frozen=True)
class SwingFit:
    """Usable capacity of a sample."""

    uptake_kind: str
    """total, or absolute: then a lower bound, without the gas beside the adsorbed phase."""
    usable: tuple[Usable, ...]
    """The capacity per mass and, with a density, per volume."""
    by: tuple[str, str]
    """Models that the charged and the discharged state follow from."""
    beyond: tuple[str, ...]
    """States outside what was measured."""

    def as_json(self) -> dict[str, Any]:
        """Return it as plain JSON."""
        return {
            "uptake_kind": self.uptake_kind,
            **{one.quantity: {"value": one.value, "interval": list(one.interval)} for one in self.usable},
            "by": list(self.by),
            "beyond_the_points": list(self.beyond),
        }


@dataclass(frozen=True)
class _Source:
    """What tells the uptake in one state."""

    name: str
    solution: Solution
    uptake: Callable[[FloatArray, FloatArray], FloatArray]
    """Pressures and parameters -> uptakes, wt%."""
    beyond: str


def fit_swing(
    swing: Swing,
    fits: Sequence[ModelFit],
    mda: MdaFit | None = None,
    *,
    pore_volume_cm3_per_g: float | None = None,
    density_g_per_cm3: float | None = None,
) -> SwingFit:
    """Return the usable capacity between two states.

    Each state follows from the isotherm at its temperature (within 1 K), or else from the modified
    Dubinin-Astakhov model of all temperatures. The interval is that of the fits; scatter between samples and the
    error of the pore volume come on top.

    Args:
        swing: the states.
        fits: chosen fits of one sample, of one kind of uptake.
        mda: its fit to all temperatures.
        pore_volume_cm3_per_g: pore volume, which makes excess uptakes total ones.
        density_g_per_cm3: density of the empty sorbent, for g/L.

    Raises:
        InputError: uptakes are excess ones and there is no pore volume, or a state is at another temperature.
    """
    kind = fits[0].points.uptake_kind
    if kind == "excess" and pore_volume_cm3_per_g is None:
        raise InputError("a usable capacity from excess uptakes needs the pore volume; give --pore-volume-cm3-g")
    pores = 0.0 if kind != "excess" or pore_volume_cm3_per_g is None else pore_volume_cm3_per_g
    charged, discharged = _source(swing.charged, fits, mda), _source(swing.discharged, fits, mda)
    named = "total" if kind == "excess" else kind
    delivered = _delivered(swing, named, pores, density_g_per_cm3)

    def of_charged(theta: FloatArray) -> FloatArray:
        return delivered(charged.uptake, theta, discharged.uptake, discharged.solution.theta)

    def of_discharged(theta: FloatArray) -> FloatArray:
        return delivered(charged.uptake, charged.solution.theta, discharged.uptake, theta)

    if charged.solution is discharged.solution:
        values = delivered(charged.uptake, charged.solution.theta, charged.uptake, charged.solution.theta)
        std = charged.solution.std_of(lambda theta: delivered(charged.uptake, theta, discharged.uptake, theta))
    else:
        values = of_charged(charged.solution.theta)
        std = np.hypot(charged.solution.std_of(of_charged), discharged.solution.std_of(of_discharged))
    reach = max(charged.solution.reach, discharged.solution.reach, float(norm.ppf(0.5 + COVERAGE / 2)))
    return SwingFit(
        uptake_kind=named,
        usable=tuple(
            Usable(quantity, float(value), (float(value - reach * error), float(value + reach * error)))
            for quantity, value, error in zip(("wt_pct", "wt_pct_sorbent", "g_per_l"), values, std, strict=False)
        ),
        by=(charged.name, discharged.name),
        beyond=tuple(filter(None, (charged.beyond, discharged.beyond))),
    )


def _delivered(swing: Swing, kind: str, pores: float, density: float | None) -> Callable[..., FloatArray]:
    def curve(state: State, uptake: Callable[[FloatArray, FloatArray], FloatArray], theta: FloatArray) -> Isotherm:
        kelvin, last = float(state.temperature_k), float(state.pressure_bar)
        pressures = np.array([_BELOW * last, last])
        held = uptake(pressures, theta)
        if pores:
            held = held + gas_in_volume_wt_pct(pores, pressure_bar=pressures, temperature_k=kelvin)
        return Isotherm(tuple(pressures), tuple(held), kelvin, kind)

    def values(charged: Any, full: FloatArray, discharged: Any, empty: FloatArray) -> FloatArray:
        found = usable_capacity(
            swing,
            curve(swing.charged, charged, full),
            curve(swing.discharged, discharged, empty),
            density_g_per_cm3=density,
        )
        rows = [found.wt_pct, found.wt_pct_sorbent, *([] if found.g_per_l is None else [found.g_per_l])]
        return np.array(rows)

    return values


def _source(state: State, fits: Sequence[ModelFit], mda: MdaFit | None) -> _Source:
    kelvin, bar = float(state.temperature_k), float(state.pressure_bar)
    near = min(fits, key=lambda fit: abs(fit.points.temperature_k - kelvin))
    told = f"{bar:g} bar and {kelvin:g} K"
    if abs(near.points.temperature_k - kelvin) <= TEMPERATURE_TOLERANCE_K:
        low, high = near.points.pressure_bar[[0, -1]]
        beyond = "" if low <= bar <= high else f"{told} lies outside the measured {low:.3g} to {high:.3g} bar"
        return _Source(near.name, near.solution, near.uptake, beyond)
    if mda is None:
        raise InputError(
            f"no isotherm is at the {kelvin:g} K of a state, and there is no model of all temperatures; measured "
            f"are {', '.join(f'{fit.points.temperature_k:g} K' for fit in fits)}"
        )
    low, high = min(mda.temperatures_k), max(mda.temperatures_k)
    last = max(fit.points.pressure_bar[-1] for fit in fits)
    outside = not low <= kelvin <= high or bar > last
    beyond = f"{told} lies outside the measured {low:g} to {high:g} K and {last:.3g} bar" if outside else ""

    def uptake(pressure_bar: FloatArray, theta: FloatArray) -> FloatArray:
        return mda.uptake(pressure_bar, kelvin, theta)

    return _Source(mda.name, mda.solution, uptake, beyond)
