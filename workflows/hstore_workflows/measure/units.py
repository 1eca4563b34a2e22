"""Columns and units of result tables: what a header means, and how a number becomes canonical.

The names and units of training tables (:mod:`hstore_models.added_columns`) are read here too, so
``enthalpy_kcal_per_mol_h2``, ``Enthalpy (kJ/mol)`` and ``peq_25C_atm`` are what they say.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, replace
from functools import cache
from typing import TYPE_CHECKING

import pandas as pd

from hstore.errors import InputError, unknown_name
from hstore.properties import PROPERTIES
from hstore.units import BOLTZMANN_EV_PER_K, GAS_CONSTANT_J_PER_MOL_K, H2_MOLAR_MASS_G_PER_MOL
from hstore_models.added_columns import Conversion, known_columns, normalised
from hstore_workflows.evaluate.target import PRESSURE, read_target

if TYPE_CHECKING:
    from collections.abc import Mapping

_LOG_CONDUCTIVITY = "log10_conductivity_s_per_cm"
_EV = BOLTZMANN_EV_PER_K / GAS_CONSTANT_J_PER_MOL_K
"""eV per J/mol."""
_UNIT_AT_END = {
    "h2_capacity_wt_pct": "h2_capacity",
    "h2_uptake_wt_pct": "h2_uptake",
    "desorption_enthalpy_kj_per_mol_h2": "desorption_enthalpy",
    "desorption_entropy_j_per_mol_h2_k": "desorption_entropy",
    "plateau_pressure_bar": "plateau_pressure",
    "activation_energy_ev": "activation_energy",
    "temperature_k": "temperature",
    "pressure_bar": "pressure",
}
"""Canonical column -> its name without the unit, to which the known units are put."""
_DENSITIES = {"g_l": 1.0, "kg_m3": 1.0, "kg_m_3": 1.0, "g_ml": 1000.0, "g_cm3": 1000.0, "kg_l": 1000.0}
_ENERGIES = {"ev_atom": 1.0, "mev_atom": 1e-3, "kj_mol_atom": 1e3 * _EV, "kj_mol": 1e3 * _EV}
_OTHER_UNITS: Mapping[str, Mapping[str, float]] = {
    "h2_density_g_per_l": _DENSITIES,
    "usable_capacity_g_per_l": _DENSITIES,
    "energy_above_hull_ev_per_atom": _ENERGIES,
    "formation_energy_ev_per_atom": _ENERGIES,
}
_OTHER_STEMS = {
    "h2_density": "h2_density_g_per_l",
    "usable_capacity": "usable_capacity_g_per_l",
    "usable_vol": "usable_capacity_g_per_l",
    "energy_above_hull": "energy_above_hull_ev_per_atom",
    "formation_energy": "formation_energy_ev_per_atom",
}
_SAME_UNIT = {"pct": "wt_pct", "percent": "wt_pct", "mass_fraction": "fraction", "wt_fraction": "fraction",
              "weight_fraction": "fraction", "kelvin": "k", "celsius": "degc", "deg_c": "degc"}  # fmt: skip
_SWING = re.compile(r"(charge|discharge)_(.+)")
"""Header of a state of a usable capacity: ``charge_pressure_atm``."""
_GAS_VOLUMES = ("cm3_stp_g", "cm3_g_stp", "cm3stp_g", "cc_stp_g", "ccstp_g", "ml_stp_g", "mlstp_g")
"""Ways to write cm3(STP) of H2 per gram, STP being 0 degrees Celsius and 1 atm."""
STP_CM3_PER_MOL = 22413.969545014137
"""Volume of a mole of ideal gas at 273.15 K and 1 atm, CODATA 2018, cm3/mol."""
_WT_PCT_PER_GAS_VOLUME = 100.0 * H2_MOLAR_MASS_G_PER_MOL / STP_CM3_PER_MOL
_MASS_SHARE_STEMS = {"h2_capacity_wt_pct": "h2_capacity", "h2_uptake_wt_pct": "h2_uptake",
                     "usable_capacity_wt_pct": "usable_capacity"}  # fmt: skip
_PRESSURE_HEADER = re.compile(r"(ln|log10)?_?(peq|p_eq|plateau_pressure|plateau|equilibrium_pressure)(_|$)")
_PRESSURE_WORD = re.compile(r"bar|atm|mpa|kpa|at|\d{1,4}[ck]")


@dataclass(frozen=True)
class Converted:
    """A number in the canonical unit of a column."""

    value: float
    """The number."""
    note: str = ""
    """What was converted; empty where nothing was."""
    temperature_k: float | None = None
    """Temperature that the header states."""


@dataclass(frozen=True)
class Header:
    """What a header of a table means."""

    column: str
    """Column of the campaign, or condition, that it gives."""
    name: str
    """The header as written."""
    conversion: Conversion | None = None
    """How its numbers become canonical; None where they are."""

    def convert(self, value: float, unit: str = "") -> Converted:
        """Bring a number to the canonical unit.

        Args:
            value: number as written.
            unit: unit of a separate column; the header's own when empty.

        Raises:
            InputError: the column has no such unit.
        """
        if unit:
            return _applied(unit_conversion(self.column, unit), value, f"{value:g} {unit}")
        if self.conversion is not None:
            return _applied(self.conversion, value, f"{self.name} {value:g}")
        if self.column == PRESSURE and self.name != PRESSURE and _is_pressure(self.name):
            return _pressure(self.name, value)
        return Converted(value)


def read_header(name: str, columns: tuple[str, ...]) -> Header | None:
    """Say which column a header gives; None where none of them.

    Raises:
        InputError: it names a quantity of the campaign in a unit that is not known.
    """
    if name in columns:
        return Header(name, name)
    short = normalised(name)
    found = known_columns().get(short) or _other_units().get(short) or _of_swing(short)
    if found is not None and found.column in columns:
        return Header(found.column, name, found if found.changes else None)
    if PRESSURE in columns and _is_pressure(name):
        return _pressure_header(name)
    for column in columns:
        stem = _UNIT_AT_END.get(column) or next((s for s, c in _OTHER_STEMS.items() if c == column), None)
        if stem and short.startswith(f"{stem}_") and not short.endswith(("_std", "_lower", "_upper", "_unit")):
            raise InputError(f"{name!r} gives {column} in a unit that is not known; known are {_units_of(column)}")
    return None


def unit_conversion(column: str, unit: str) -> Conversion:
    """Return how a unit becomes the canonical one of a column.

    Raises:
        InputError: not a unit of that column.
    """
    if swing := _SWING.fullmatch(column):
        return replace(unit_conversion(swing.group(2), unit), column=column)
    canonical = PROPERTIES[column].unit if column in PROPERTIES else ""
    if unit == canonical:
        return Conversion(column)
    short = normalised(unit)
    if column in _MASS_SHARE_STEMS and short in _GAS_VOLUMES:
        return Conversion(column, _WT_PCT_PER_GAS_VOLUME)
    short = _SAME_UNIT.get(short, short)
    if column == _LOG_CONDUCTIVITY:
        stem = "log10_conductivity" if short.startswith("log10") else "conductivity"
        found = known_columns().get(f"{stem}_{short.removeprefix('log10_')}")
    elif column in _OTHER_UNITS:
        found = Conversion(column, _OTHER_UNITS[column][short]) if short in _OTHER_UNITS[column] else None
    else:
        stem = _UNIT_AT_END.get(column, "h2_capacity" if column == "usable_capacity_wt_pct" else column)
        held = known_columns().get(f"{stem}_{short}")
        found = held and Conversion(column, held.scale, held.offset)
    if found is None:
        raise InputError(f"{unit!r} is no known unit of {column}; known are {_units_of(column)}")
    return found


def property_header(name: str, unit: str) -> Header:
    """Say which property a name in a column ``property`` stands for.

    The name is canonical, or says the quantity and leaves the unit to the column ``unit``, or says both.

    Raises:
        UnknownNameError: it is no property; the message lists the close matches.
        InputError: neither the name nor the column ``unit`` says the unit.
    """
    if name in PROPERTIES:
        return Header(name, "value")
    column = _quantities().get(normalised(name))
    if column is None:
        found = read_header(name, tuple(PROPERTIES))
        if found is None:
            raise unknown_name("property", name, PROPERTIES)
        return found
    if not unit:
        raise InputError(f"{name!r} has no unit; name it in the column unit, or write {column!r}")
    return Header(column, "value")


def _of_swing(short: str) -> Conversion | None:
    """Read a condition of the charged or discharged state in another unit."""
    swing = _SWING.fullmatch(short)
    found = known_columns().get(swing.group(2)) if swing else None
    if swing is None or found is None or found.column not in {"temperature_k", "pressure_bar"}:
        return None
    return replace(found, column=f"{swing.group(1)}_{found.column}")


@cache
def _quantities() -> dict[str, str]:
    """Return name of a quantity without unit -> canonical property."""
    found = {stem: column for column, stem in _UNIT_AT_END.items() if column in PROPERTIES}
    return found | _OTHER_STEMS | {"conductivity": _LOG_CONDUCTIVITY, "ionic_conductivity": _LOG_CONDUCTIVITY}


def _applied(conversion: Conversion, value: float, given: str) -> Converted:
    if conversion.logarithm:
        if value <= 0:
            raise InputError(f"{given} has no logarithm; give a value above 0, or the logarithm itself")
        result = math.log10(value * conversion.scale)
        return Converted(result, f"{conversion.column} {result:.6g} from {given}")
    result = value * conversion.scale + conversion.offset
    note = f"{conversion.column} {result:.6g} from {given}" if conversion.changes else ""
    return Converted(result, note)


def _is_pressure(name: str) -> bool:
    return _PRESSURE_HEADER.match(normalised(name)) is not None


def _pressure_header(name: str) -> Header | None:
    """Read the header of a plateau pressure that may state logarithm, temperature and unit.

    Raises:
        InputError: it states something else, which would be taken for bar.
    """
    said = _PRESSURE_HEADER.sub("", normalised(name)).split("_")
    if said[-1] in {"std", "lower", "upper", "unit"}:
        return None
    strange = [word for word in said if word and not _PRESSURE_WORD.fullmatch(word)]
    if strange:
        raise InputError(
            f"{name!r} gives {PRESSURE} in a unit that is not known; known are {_units_of(PRESSURE)}, and with a "
            "whole temperature such as peq_298K_bar: bar, atm, MPa, kPa"
        )
    return Header(PRESSURE, name)


def _pressure(name: str, value: float) -> Converted:
    """Read a plateau pressure whose header states logarithm, temperature or unit (``ln_peq_25C_atm``)."""
    read = read_target(PRESSURE, name, pd.Series([value]))
    result = float(read.values[0])
    note = "" if read.conversion == "none" else f"{PRESSURE} {result:.6g} from {name} {value:g}"
    return Converted(result, note, read.temperature_k)


@cache
def _other_units() -> dict[str, Conversion]:
    named = {
        f"{stem}_{unit}": Conversion(column, factor)
        for stem, column in _OTHER_STEMS.items()
        for unit, factor in _OTHER_UNITS[column].items()
    }
    volumes = {
        f"{stem}_{unit}": Conversion(column, _WT_PCT_PER_GAS_VOLUME)
        for column, stem in _MASS_SHARE_STEMS.items()
        for unit in _GAS_VOLUMES
    }
    usable = {
        f"usable_capacity_{name.removeprefix('h2_capacity_')}": replace(held, column="usable_capacity_wt_pct")
        for name, held in known_columns().items()
        if name.startswith("h2_capacity_")
    }
    return named | volumes | usable


def _units_of(column: str) -> str:
    """Name the units of a column, the canonical one first."""
    canonical = PROPERTIES[column].unit if column in PROPERTIES else ""
    if column == _LOG_CONDUCTIVITY:
        return f"{canonical}, S/cm, mS/cm, uS/cm, S/m"
    if column in _OTHER_UNITS:
        others = list(_OTHER_UNITS[column])
    else:
        stem = _UNIT_AT_END.get(column, "h2_capacity" if column == "usable_capacity_wt_pct" else column)
        others = [name.removeprefix(f"{stem}_") for name in known_columns() if name.startswith(f"{stem}_")]
    if not others:
        return "none: it is a column of your own; leave the unit empty"
    return f"{canonical}, or written {', '.join(others[:10])}"
