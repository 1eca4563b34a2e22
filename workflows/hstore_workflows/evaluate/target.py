"""Known values of a user's table, read in the canonical unit of a property."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from hstore.units import BAR_PER_ATM, ZERO_CELSIUS_K

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from hstore.arrays import FloatArray

PRESSURE = "plateau_pressure_bar"
CONDUCTIVITY = "log10_conductivity_s_per_cm"

_PRESSURE_UNITS = {"atm": BAR_PER_ATM, "mpa": 10.0, "kpa": 0.01}
"""Last word of a column's name -> bar per unit."""
_AT = re.compile(r"(?:^|_)(\d{1,4})(c|k)(?:_|$)", re.IGNORECASE)


@dataclass(frozen=True, eq=False)
class Target:
    """A column of known values."""

    values: FloatArray
    """Values in the property's canonical unit, shape ``(n,)``; NaN where unreadable."""
    conversion: str
    """What was converted, in words; ``none`` where nothing was."""
    bounds: NDArray[np.bool_]
    """True where the cell is an upper bound such as ``<1E-10``, shape ``(n,)``."""
    temperature_k: float | None
    """Temperature that the name of the column states (``peq_25C_atm``); None where it states none."""


def read_target(
    property_name: str, column: str, given: pd.Series[Any], *, bounds_as: float | None = None
) -> Target:
    """Read a column of known values in the property's canonical unit.

    The name of the column says what to convert: pressures from a logarithm (``ln_``, ``lnP``, ``log10_``) and from
    atm, MPa or kPa (last word); ``ln_peq_25C_atm`` is ln(P / 1 atm) at 25 degrees Celsius. Conductivities without
    a negative value are S/cm (mS/cm where the name says ``mS``), else decimal logarithms; a conductivity of zero
    is no value. Capacities and enthalpies are taken as they are (``h2_wt_pct``, ``usable_vol_g_L``,
    ``enthalpy_kJ_molH2``).

    Args:
        property_name: canonical property name.
        column: name of the column.
        given: its cells, text or numbers, shape ``(n,)``.
        bounds_as: value, in the unit of the column, as which upper bounds count; the bound itself when None.
    """
    text = given.astype("string").str.strip()
    bounds = text.str.startswith("<").fillna(value=False).to_numpy(dtype=bool)
    values = pd.to_numeric(text.str.lstrip("<"), errors="coerce").to_numpy(dtype=float, na_value=np.nan)
    if bounds_as is not None:
        values = np.where(bounds & np.isfinite(values), bounds_as, values)
    notes: list[str] = []
    if property_name == PRESSURE:
        values, notes = _pressures(column, values)
    if property_name == CONDUCTIVITY:
        values, notes = _conductivities(column, values)
    return Target(values, ", ".join(notes) or "none", bounds, _stated_temperature(column))


def _pressures(column: str, values: FloatArray) -> tuple[FloatArray, list[str]]:
    notes = []
    if re.match(r"log10[_p]", column, re.IGNORECASE):
        values, notes = 10.0**values, ["from decimal logarithm"]
    elif re.match(r"ln[_p]", column, re.IGNORECASE):
        values, notes = np.exp(values), ["from natural logarithm"]
    unit = column.rpartition("_")[2]
    if unit.lower() in _PRESSURE_UNITS:
        values, notes = values * _PRESSURE_UNITS[unit.lower()], [*notes, f"from {unit}"]
    return values, notes


def _conductivities(column: str, values: FloatArray) -> tuple[FloatArray, list[str]]:
    finite = values[np.isfinite(values)]
    if not ((finite > 0).any() and (finite >= 0).all()):
        return values, []
    milli = re.search(r"(?:^|[^A-Za-z])mS(?:[^A-Za-z]|$)", column) is not None
    scale = 1e-3 if milli else 1.0
    values = np.log10(np.where(values > 0, values * scale, np.nan))
    return values, [f"from {'mS' if milli else 'S'}/cm to its decimal logarithm"]


def _stated_temperature(column: str) -> float | None:
    found = _AT.search(column)
    if found is None:
        return None
    degrees = float(found.group(1))
    return degrees + (ZERO_CELSIUS_K if found.group(2).lower() == "c" else 0.0)
