"""Physisorption bookkeeping: which uptake, per mass of what, and how much of it is usable.

Three uptakes are in use and must not be mixed:

* *excess*: what a balance or volumetric rig measures, the hydrogen beyond what the gas would hold in the
  volume open to it. It passes through a maximum and falls at high pressure.
* *absolute*: the hydrogen inside the adsorbed phase, excess + gas density x volume of the adsorbed phase.
* *total*: all hydrogen inside the pores, excess + gas density x pore volume; what a tank delivers.

Uptakes in these conversions are per mass of empty sorbent, 100 x g H2 / g sorbent; convert others first with
:func:`hstore.capacity.convert_mass_basis`. Gas densities are those of the real gas (:mod:`hstore.gas`).
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np

from hstore.arrays import FloatArray, as_floats, checked
from hstore.capacity import convert_mass_basis
from hstore.errors import InputError, unknown_name
from hstore.gas import h2_density_g_per_l

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import ArrayLike

    from hstore.thermo import State, Swing

UPTAKE_KINDS = ("excess", "absolute", "total")
"""Names of the uptakes, as in :class:`hstore.records.Basis`."""

SORBENT_BASES = ("sorbent", "sorbent_plus_h2")
"""Mass bases of an uptake."""

TEMPERATURE_TOLERANCE_K = 1.0
"""Largest difference between the temperatures of a state and its isotherm (77 K and 77.4 K are one bath)."""

_WT_PCT_PER_G_PER_L_CM3_PER_G = 0.1
_G_PER_L_PER_WT_PCT_G_PER_CM3 = 10.0


def gas_in_volume_wt_pct(
    volume_cm3_per_g: ArrayLike, *, pressure_bar: ArrayLike, temperature_k: ArrayLike
) -> FloatArray:
    """Return the hydrogen that plain gas would hold in a volume, 100 x g H2 / g sorbent.

    Args:
        volume_cm3_per_g: volume per mass of empty sorbent, cm3/g, at least 0.
        pressure_bar: pressure, bar.
        temperature_k: temperature, K.

    Raises:
        InputError: a volume is negative or a state outside the range of the equation of state.
    """
    volume = checked("volume_cm3_per_g", volume_cm3_per_g, low=0)
    density = h2_density_g_per_l(pressure_bar, temperature_k)
    return np.asarray(_WT_PCT_PER_G_PER_L_CM3_PER_G * density * volume)[()]


def total_from_excess(
    excess_wt_pct: ArrayLike,
    pore_volume_cm3_per_g: ArrayLike,
    *,
    pressure_bar: ArrayLike,
    temperature_k: ArrayLike,
) -> FloatArray:
    """Return the total uptake, 100 x g H2 / g sorbent: excess + gas in the pore volume.

    Args:
        excess_wt_pct: excess uptake, 100 x g H2 / g sorbent.
        pore_volume_cm3_per_g: pore volume per mass of empty sorbent, cm3/g, from the helium void or the
            crystal (1/crystal density - 1/skeleton density).
        pressure_bar: pressure, bar.
        temperature_k: temperature, K.

    Raises:
        InputError: a volume is negative or a state outside the range of the equation of state.
    """
    gas = gas_in_volume_wt_pct(pore_volume_cm3_per_g, pressure_bar=pressure_bar, temperature_k=temperature_k)
    return np.asarray(as_floats("excess_wt_pct", excess_wt_pct) + gas)[()]


def excess_from_total(
    total_wt_pct: ArrayLike,
    pore_volume_cm3_per_g: ArrayLike,
    *,
    pressure_bar: ArrayLike,
    temperature_k: ArrayLike,
) -> FloatArray:
    """Return the excess uptake, 100 x g H2 / g sorbent: the inverse of :func:`total_from_excess`."""
    gas = gas_in_volume_wt_pct(pore_volume_cm3_per_g, pressure_bar=pressure_bar, temperature_k=temperature_k)
    return np.asarray(as_floats("total_wt_pct", total_wt_pct) - gas)[()]


def absolute_from_excess(
    excess_wt_pct: ArrayLike,
    adsorbed_volume_cm3_per_g: ArrayLike,
    *,
    pressure_bar: ArrayLike,
    temperature_k: ArrayLike,
) -> FloatArray:
    """Return the absolute uptake, 100 x g H2 / g sorbent: excess + gas in the volume of the adsorbed phase.

    Args:
        excess_wt_pct: excess uptake, 100 x g H2 / g sorbent.
        adsorbed_volume_cm3_per_g: volume of the adsorbed phase, cm3/g. It cannot be measured; a common choice
            is the micropore volume, and it is never more than the pore volume.
        pressure_bar: pressure, bar.
        temperature_k: temperature, K.

    Raises:
        InputError: a volume is negative or a state outside the range of the equation of state.
    """
    return total_from_excess(
        excess_wt_pct, adsorbed_volume_cm3_per_g, pressure_bar=pressure_bar, temperature_k=temperature_k
    )


def excess_from_absolute(
    absolute_wt_pct: ArrayLike,
    adsorbed_volume_cm3_per_g: ArrayLike,
    *,
    pressure_bar: ArrayLike,
    temperature_k: ArrayLike,
) -> FloatArray:
    """Return the excess uptake, 100 x g H2 / g sorbent: the inverse of :func:`absolute_from_excess`."""
    return excess_from_total(
        absolute_wt_pct, adsorbed_volume_cm3_per_g, pressure_bar=pressure_bar, temperature_k=temperature_k
    )


@dataclass(frozen=True)
class Isotherm:
    """Uptake of one sorbent against pressure at one temperature."""

    pressures_bar: tuple[float, ...]
    """Pressures, bar, strictly increasing, at least 0."""
    uptakes_wt_pct: tuple[float, ...]
    """Uptakes at these pressures, wt% on ``mass_basis``."""
    temperature_k: float
    """Temperature, K."""
    uptake_kind: str
    """One of :data:`UPTAKE_KINDS`."""
    mass_basis: str = "sorbent"
    """One of :data:`SORBENT_BASES`."""
    model: Callable[[FloatArray], FloatArray] | None = field(default=None, compare=False)
    """Fitted isotherm (bar to wt% on this basis), asked outside the measured pressures; None refuses them."""

    def __post_init__(self) -> None:
        """Bring the points into tuples of floats and refuse an isotherm that cannot be interpolated."""
        pressures = np.ravel(checked("pressures_bar of an isotherm", self.pressures_bar, low=0, high=1e6))
        uptakes = np.ravel(checked("uptakes_wt_pct of an isotherm", self.uptakes_wt_pct, above=-100, high=1e3))
        checked("temperature_k of an isotherm", self.temperature_k, above=0)
        if self.uptake_kind not in UPTAKE_KINDS:
            raise unknown_name("uptake kind", self.uptake_kind, UPTAKE_KINDS)
        if self.mass_basis not in SORBENT_BASES:
            raise unknown_name("mass basis of an isotherm", self.mass_basis, SORBENT_BASES)
        if pressures.size != uptakes.size or pressures.size < 2:
            raise InputError(
                "an isotherm needs at least two points and as many uptakes as pressures, "
                f"got {pressures.size} pressures and {uptakes.size} uptakes"
            )
        if np.isnan(pressures).any() or np.isnan(uptakes).any():
            raise InputError("an isotherm cannot contain missing points (NaN); drop them first")
        steps = np.diff(pressures)
        if not np.all(steps > 0):
            at = int(np.argmax(steps <= 0))
            raise InputError(
                "pressures_bar of an isotherm must increase strictly, got "
                f"{pressures[at]:g} followed by {pressures[at + 1]:g} (index {at + 1}); sort the points, "
                "average repeats and keep one branch (adsorption or desorption)"
            )
        object.__setattr__(self, "pressures_bar", tuple(pressures.tolist()))
        object.__setattr__(self, "uptakes_wt_pct", tuple(uptakes.tolist()))

    def uptake_wt_pct(self, pressure_bar: ArrayLike) -> FloatArray:
        """Return the uptake at a pressure, wt%, by monotone cubic interpolation (never overshoots).

        Raises:
            InputError: a pressure is outside the measured range and there is no ``model``.
        """
        from scipy.interpolate import PchipInterpolator

        pressure = checked("pressure_bar", pressure_bar, low=0)
        low, high = self.pressures_bar[0], self.pressures_bar[-1]
        outside = (pressure < low) | (pressure > high)
        if self.model is None and outside.any():
            first = float(np.ravel(pressure)[np.argmax(np.ravel(outside))])
            raise InputError(
                f"pressure_bar={first:g} is outside the isotherm at {self.temperature_k:g} K, which covers "
                f"{low:g} to {high:g} bar; choose a pressure inside, add points or give a fitted model"
            )
        inside = PchipInterpolator(self.pressures_bar, self.uptakes_wt_pct)(np.clip(pressure, low, high))
        if self.model is None:
            return np.asarray(inside)[()]
        return np.where(outside, self.model(pressure), inside)[()]

    def on_basis(self, mass_basis: str) -> Isotherm:
        """Return the points on another mass basis (one of :data:`SORBENT_BASES`), without the model."""
        uptakes = convert_mass_basis(self.uptakes_wt_pct, given=self.mass_basis, wanted=mass_basis)
        return replace(self, uptakes_wt_pct=tuple(uptakes), mass_basis=mass_basis, model=None)

    def as_total(self, pore_volume_cm3_per_g: float) -> Isotherm:
        """Return the total uptake, point by point, per mass of sorbent, without the model.

        Args:
            pore_volume_cm3_per_g: pore volume per mass of empty sorbent, cm3/g.

        Raises:
            InputError: this is not an excess isotherm; absolute uptake would need the adsorbed volume too.
        """
        if self.uptake_kind != "excess":
            raise InputError(
                f"as_total needs an excess isotherm, got {self.uptake_kind}; "
                "convert absolute uptake with excess_from_absolute first"
            )
        excess = self.on_basis("sorbent")
        total = total_from_excess(
            excess.uptakes_wt_pct,
            pore_volume_cm3_per_g,
            pressure_bar=self.pressures_bar,
            temperature_k=self.temperature_k,
        )
        return replace(excess, uptakes_wt_pct=tuple(total), uptake_kind="total")


@dataclass(frozen=True)
class UsableCapacity:
    """Hydrogen delivered between a charged and a discharged state."""

    wt_pct: float
    """Difference of the two uptakes, each per mass of sorbent plus hydrogen in its state, wt%."""
    wt_pct_sorbent: float
    """Hydrogen delivered per mass of empty sorbent, 100 x g H2 / g sorbent."""
    g_per_l: float | None = None
    """Hydrogen delivered per volume of sorbent, g/L; None when no density was given."""


def usable_capacity(
    swing: Swing,
    charged: Isotherm,
    discharged: Isotherm | None = None,
    *,
    density_g_per_cm3: float | None = None,
) -> UsableCapacity:
    """Return the hydrogen a sorbent delivers between two states.

    The gravimetric value is the difference of two wt%, each per total mass in its own state, as in simulated
    pressure-swing tables of MOFs. Total uptake is what a tank delivers; absolute uptake leaves out the gas
    beyond the adsorbed phase and so gives a lower bound, and excess uptake is refused.

    Args:
        swing: charged and discharged state, scalars.
        charged: isotherm at the temperature of the charged state.
        discharged: isotherm at the temperature of the discharged state; the same one when None.
        density_g_per_cm3: density of the empty sorbent, g/cm3: of the crystal, or of the bed for a tank.

    Raises:
        InputError: excess or mixed uptakes, a temperature the isotherm is not for, a pressure outside it, or
            a density that is not positive.
    """
    discharged = discharged or charged
    kinds = {charged.uptake_kind, discharged.uptake_kind}
    if len(kinds) > 1 or "excess" in kinds:
        raise InputError(
            f"usable capacity needs two total (or two absolute) isotherms, got {charged.uptake_kind} and "
            f"{discharged.uptake_kind}; convert excess uptake with Isotherm.as_total and the pore volume"
        )
    full, empty = _uptake_in(swing.charged, charged), _uptake_in(swing.discharged, discharged)
    full_total, empty_total = (
        float(convert_mass_basis(u, given="sorbent", wanted="sorbent_plus_h2")) for u in (full, empty)
    )
    volumetric = None
    if density_g_per_cm3 is not None:
        density = float(checked("density_g_per_cm3", density_g_per_cm3, above=0))
        volumetric = _G_PER_L_PER_WT_PCT_G_PER_CM3 * (full - empty) * density
    return UsableCapacity(full_total - empty_total, full - empty, volumetric)


def _uptake_in(state: State, isotherm: Isotherm) -> float:
    """Uptake per mass of sorbent in a state, after checking that the isotherm is one for its temperature."""
    pressure, temperature = float(state.pressure_bar), float(state.temperature_k)
    if abs(temperature - isotherm.temperature_k) > TEMPERATURE_TOLERANCE_K:
        raise InputError(
            f"the state is at {temperature:g} K but the isotherm at {isotherm.temperature_k:g} K; "
            f"give an isotherm within {TEMPERATURE_TOLERANCE_K:g} K"
        )
    uptake = isotherm.uptake_wt_pct(pressure)
    return float(convert_mass_basis(uptake, given=isotherm.mass_basis, wanted="sorbent"))
