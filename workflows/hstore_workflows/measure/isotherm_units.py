"""Units of isotherms: pressures to bar, uptakes to wt% on a stated mass basis."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from hstore.elements import ATOMIC_MASS_G_PER_MOL
from hstore.errors import InputError
from hstore.formula import molar_mass_g_per_mol
from hstore_models.added_columns import normalised
from hstore_workflows.measure.units import unit_conversion

if TYPE_CHECKING:
    from collections.abc import Mapping

UPTAKE_UNITS = ("wt%", "mmol/g", "mol/kg", "cm3(STP)/g", "mg/g", "g/g", "H/M")
"""Units of an uptake, as messages list them; STP is 0 degrees Celsius and 1 atm."""
PRESSURE_UNITS = ("bar", "mbar", "atm", "MPa", "kPa", "Pa", "torr")
"""Units of a pressure, as messages list them."""

_UPTAKE = "h2_uptake_wt_pct"
_PER_HOST = {"host", "sorbent"}
_WEIGHT = {"wt_pct", "wt_percent", "weight_pct", "mass_pct", "pct"}


@dataclass(frozen=True)
class Scale:
    """How numbers of one unit become canonical."""

    factor: float
    """Canonical number of one unit."""
    per_host: bool
    """True where the unit is per mass of the host or empty sorbent, whatever the basis says."""
    note: str
    """What is converted; empty where nothing is."""


def pressure_scale(unit: str) -> Scale:
    """Return how a pressure becomes bar.

    Raises:
        InputError: not a unit of pressure.
    """
    try:
        factor = unit_conversion("pressure_bar", unit or "none").scale
    except InputError as error:
        raise InputError(f"pressure_unit must be one of {', '.join(PRESSURE_UNITS)}, got {unit!r}") from error
    return Scale(factor, per_host=False, note="" if factor == 1.0 else f"pressures in bar from {unit}")


def uptake_scale(unit: str, amounts: Mapping[str, float]) -> Scale:
    """Return how an uptake becomes wt%.

    Args:
        unit: one of :data:`UPTAKE_UNITS`.
        amounts: amounts of the elements of the host, for H/M; empty where it is not known.

    Raises:
        InputError: not a unit of uptake, or H/M without a host that has other elements than hydrogen.
    """
    short = normalised(unit)
    if short in _WEIGHT:
        return Scale(1.0, per_host=False, note="")
    if short == "h_m":
        return Scale(_wt_pct_per_h_to_metal(amounts), per_host=True, note="uptakes in wt% of the host from H/M")
    try:
        factor = unit_conversion(_UPTAKE, unit).scale
    except InputError as error:
        raise InputError(f"uptake_unit must be one of {', '.join(UPTAKE_UNITS)}, got {unit!r}") from error
    return Scale(factor, per_host=True, note=f"uptakes in wt% of the host or sorbent from {unit}")


def basis_of(scale: Scale, stated: str | None) -> str:
    """Return the mass basis of uptakes.

    Raises:
        InputError: none is stated for wt%, or one that contradicts the unit.
    """
    if not scale.per_host:
        if stated is None:
            raise InputError(
                "mass_basis is needed for wt%: sorbent, sorbent_plus_h2, host or hydrogenated_material"
            )
        return stated
    if stated is not None and stated not in _PER_HOST:
        raise InputError(
            f"the uptake unit is per mass of host or sorbent, and mass_basis says {stated!r}; say sorbent or host"
        )
    return stated or "sorbent"


def _wt_pct_per_h_to_metal(amounts: Mapping[str, float]) -> float:
    host = {element: amount for element, amount in amounts.items() if element != "H"}
    if not host:
        raise InputError("H/M needs the formula of the host; give formula, or a material that has other elements")
    return 100.0 * sum(host.values()) * ATOMIC_MASS_G_PER_MOL["H"] / molar_mass_g_per_mol(host)
