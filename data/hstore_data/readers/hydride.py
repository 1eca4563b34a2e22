"""Readers of the metal-hydride sets: ML-HydPARK, HyStor and the US DOE listing."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import pandas as pd

from hstore.properties import PROPERTIES
from hstore.units import BAR_PER_ATM, ZERO_CELSIUS_K
from hstore_data.readers.sheet import Rows, Sheet

if TYPE_CHECKING:
    from pathlib import Path

CAPACITY = "h2_capacity_wt_pct"
ENTHALPY = "desorption_enthalpy_kj_per_mol_h2"
ENTROPY = "desorption_entropy_j_per_mol_h2_k"

_ML_HYDPARK_UPSTREAM = {
    "Material_Class": "material_class",
    "Composition_Formula": "formula",
    "Hydrogen_Weight_Percent": "h2_wt_pct",
    "Heat_of_Formation_kJperMolH2": "enthalpy_kJ_molH2",
    "Temperature_oC": "temp_C",
    "Pressure_Atmospheres_Absolute": "pressure_atm",
    "Entropy_of_Formation_JperMolH2perK": "entropy_J_molH2_K",
    "LnEquilibrium_Pressure_25C": "ln_peq_25C_atm",
    "HtoM": "h_to_m",
    "Reference": "reference",
}
"""Upstream's column name -> ours."""

_DOE_COMMON = ("material_class", "formula", "author_year", "reference_number")
_DOE_PARSED = ("h2_wt_pct", "enthalpy_kJ_molH2", "temp_C", "pressure_atm")
_DOE_RAW = ("h2_wt_pct_raw", "enthalpy_raw", "temp_raw", "pressure_raw")

_DOE_UPSTREAM = {
    "Material_Class": "material_class",
    "Composition_Formula": "formula",
    "Hydrogen_Weight_Percent": "h2_wt_pct_raw",
    "Heat_of_Formation_kJperMolH2": "enthalpy_raw",
    "Temperature_oC": "temp_raw",
    "Pressure_Atmospheres_Absolute": "pressure_raw",
    "Author_Year": "author_year",
    "Reference_Number": "reference_number",
}
"""Upstream's column name -> ours."""

_LISTED = r"^\s*(-?\d*\.?\d+)(?:\s*-\s*(\d*\.?\d+))?\s*$"


def read_ml_hydpark(folder: Path) -> Rows:
    """Read ML-HydPARK: capacity, van 't Hoff enthalpy and entropy, plateau pressure at 25 degrees Celsius.

    ``ln_plateau_pressure_25c`` is the natural logarithm of the pressure in bar.
    """
    columns = (
        "material_class", "formula", "h2_wt_pct", "enthalpy_kJ_molH2", "temp_C", "pressure_atm",
        "entropy_J_molH2_K", "ln_peq_25C_atm", "h_to_m", "reference",
    )  # fmt: skip
    sheet = Sheet(folder / "ml_hydpark.csv", columns, label="formula", aliases=_ML_HYDPARK_UPSTREAM)
    composition = sheet.compositions("formula")
    return sheet.finish(
        {
            "formula": sheet.text("formula"),
            "alloy_class": sheet.text("material_class"),
            CAPACITY: sheet.number("h2_wt_pct", as_property=CAPACITY),
            ENTHALPY: sheet.number("enthalpy_kJ_molH2", as_property=ENTHALPY),
            ENTROPY: sheet.number("entropy_J_molH2_K", as_property=ENTROPY),
            "temperature_k": sheet.positive(sheet.number("temp_C") + ZERO_CELSIUS_K, "temperature_k"),
            "pressure_bar": sheet.positive(sheet.number("pressure_atm") * BAR_PER_ATM, "pressure_bar"),
            "ln_plateau_pressure_25c": sheet.number("ln_peq_25C_atm") + math.log(BAR_PER_ATM),
            "h_to_m": sheet.number("h_to_m"),
            "reference": sheet.text("reference").replace("", "US DOE HydPARK"),
            **composition,
        }
    )


def read_hystor(folder: Path) -> Rows:
    """Read HyStor: maximum capacity of alloys at a temperature."""
    columns = ("formula", "alloy_class", "origin", "h2_wt_pct", "temp_K", "citation")
    sheet = Sheet(folder / "hystor.csv", columns, label="formula")
    composition = sheet.compositions("formula")
    return sheet.finish(
        {
            "formula": sheet.text("formula"),
            "alloy_class": sheet.text("alloy_class"),
            CAPACITY: sheet.number("h2_wt_pct", as_property=CAPACITY),
            "temperature_k": sheet.positive(sheet.number("temp_K"), "temperature_k"),
            "reference": sheet.text("citation"),
            **composition,
        }
    )


def read_doe_hydride(folder: Path) -> Rows:
    """Read the US DOE listing: capacity and enthalpy with the reported temperature and pressure.

    Complex hydrides carry their hydrogen in the formula; alloys do not. A copy in the upstream's own layout,
    whose cells are not parsed, is parsed by the rules of :func:`listed_numbers`.
    """
    sheet = Sheet(folder / "doe_hydride.csv", _DOE_COMMON, label="formula", aliases=_DOE_UPSTREAM)
    raw = sheet.has(_DOE_RAW[0]) and not sheet.has(_DOE_PARSED[0])
    sheet.need(_DOE_RAW if raw else _DOE_PARSED)
    capacity, enthalpy, celsius, atmospheres = _listed(sheet) if raw else map(sheet.number, _DOE_PARSED)
    composition = sheet.compositions("formula")
    number = sheet.text("reference_number").str.removesuffix(".0")
    return sheet.finish(
        {
            "formula": sheet.text("formula"),
            "alloy_class": sheet.text("material_class"),
            CAPACITY: sheet.within(capacity, CAPACITY),
            ENTHALPY: sheet.within(enthalpy, ENTHALPY),
            "temperature_k": sheet.positive(celsius + ZERO_CELSIUS_K, "temperature_k"),
            "pressure_bar": sheet.positive(atmospheres * BAR_PER_ATM, "pressure_bar"),
            "reference": sheet.text("author_year") + " (US DOE HydPARK, ref. " + number + ")",
            **composition,
        }
    )


def listed_numbers(cells: pd.Series[str], *, ranges: bool) -> pd.Series[float]:
    """Read cells of the US DOE listing: a number, or a range such as ``71 - 80``, whose midpoint is taken.

    Everything else is NaN, also ``5-Mar``, which is what a spreadsheet made of 3-5.

    Args:
        cells: (n_rows,) cells as listed.
        ranges: False takes ranges for unreadable too, as for pressures, whose midpoint means nothing.
    """
    parts = cells.str.extract(_LISTED)
    low = pd.to_numeric(parts[0], errors="coerce").astype(float)
    high = pd.to_numeric(parts[1], errors="coerce").astype(float)
    return ((low + high.fillna(low)) / 2).where(high.isna() | ranges)


def _listed(sheet: Sheet) -> list[pd.Series[float]]:
    """Parse the raw columns of the upstream listing, in the order of ``_DOE_RAW``."""
    capacity, enthalpy, celsius = (listed_numbers(sheet.text(name), ranges=True) for name in _DOE_RAW[:3])
    believable = (capacity > 0) & (capacity <= PROPERTIES[CAPACITY].high)  # the listing has 0, 85 and 92.1
    return [
        capacity.where(believable), enthalpy, celsius, listed_numbers(sheet.text(_DOE_RAW[3]), ranges=False),
    ]  # fmt: skip
