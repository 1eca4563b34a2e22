"""Readers of the metal-hydride sets: ML-HydPARK, HyStor and the US DOE listing."""

from __future__ import annotations

import math
import re
from functools import reduce
from typing import TYPE_CHECKING

import pandas as pd

from hstore.errors import FormulaError
from hstore.formula import parse_formula
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

_DOE_COMMENTS = ("comment1", "comment2", "comment3")

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

MISCHMETAL = "La0.28Ce0.51Nd0.16Pr0.05"
"""Composition that the US DOE listing's ``Mm`` is read as: 50 Ce, 27 La, 16 Nd and 5 Pr in weight percent.

It is the usual cerium mischmetal; a batch may differ by some percent. Cerium-free and lanthanum-rich kinds
(``CFMm``, ``Lm``, ``Ml``) vary too much to have one composition and stay unread.
"""

_SHARE = r"\d+\.?\d*\s*(?!Tm\b)[A-Z][A-Za-z0-9.]*"  # Tm stands for any transition metal in both listings
_BARE_PERCENT = re.compile(rf"(?:Mg(?:[-–]{_SHARE})+|\d+\.?\d*Mg(?:[-–]{_SHARE})+)(?=\s*(?:\(M\))?\s*\Z)")
_BARE_SIGN = re.compile(r"(?<=Mg-)(\d+\.?\d*)%(?=[A-Z])")
_MM = re.compile(r"Mm(?P<amount>(?=[\d.]))?")
_GENERIC = re.compile(r"CF|MmB5\b")  # cerium-free mischmetal, and B for any metal
_LISTED = r"^\s*(-?\d*\.?\d+)(?:\s*-\s*(\d*\.?\d+))?\s*$"


def listed_formula(text: str, *, mischmetal: bool = False) -> tuple[str, str]:
    """Write a formula of HydPARK or HyStor in the words of :mod:`hstore.formula`, with a note of what was assumed.

    ``Mg-25Ni``, ``75Mg-3Ca-22Ni`` and ``Mg-10%Ni`` are in weight percent: the listing writes ``at%`` where it
    means it, and the 5.7 wt% reported for Mg-25Ni fit 25 wt% of nickel (5.8) but not 25 at.% (4.4). Alloys of
    other bases, such as ``Ti-10Cr-18Mn-32V``, keep to no such rule and stay as they are, and so does whatever
    could not be read after all.

    Args:
        text: cell of the file.
        mischmetal: True reads ``Mm`` as ``MISCHMETAL``.
    """
    notes = []
    formula, found = _BARE_PERCENT.subn(lambda match: f"{match.group()} (wt%)", _BARE_SIGN.sub(r"\1 wt% ", text))
    if found or formula != text:
        notes.append("percentages taken as weight percent")
    if mischmetal and "Mm" in formula and not _GENERIC.search(formula):
        formula = _MM.sub(lambda m: MISCHMETAL if m.group("amount") is None else f"({MISCHMETAL})", formula)
        notes.append(f"Mm taken as {MISCHMETAL}")
    return (formula, "; ".join(notes)) if notes and _can_be_read(formula) else (text, "")


def _can_be_read(formula: str) -> bool:
    try:
        parse_formula(formula)
    except FormulaError:
        return False
    return True


def read_ml_hydpark(folder: Path) -> Rows:
    """Read ML-HydPARK: capacity, van 't Hoff enthalpy and entropy, plateau pressure at 25 degrees Celsius.

    ``ln_plateau_pressure_25c`` is the natural logarithm of the pressure in bar. The set's H/M reproduces its wt%
    only per mass of hydrogenated material, which is therefore its ``mass_basis``.
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
            "capacity_definition": "maximum",
            "mass_basis": "hydrogenated_material",
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
    """Read HyStor: maximum capacity of alloys at a temperature; the set does not say per mass of what."""
    columns = ("formula", "alloy_class", "origin", "h2_wt_pct", "temp_K", "citation")
    sheet = Sheet(folder / "hystor.csv", columns, label="formula")
    formula, note = _listed_formulas(sheet)
    composition = sheet.compositions("formula", texts=formula)
    return sheet.finish(
        {
            "formula": formula,
            "note": note,
            "alloy_class": sheet.text("alloy_class"),
            CAPACITY: sheet.number("h2_wt_pct", as_property=CAPACITY),
            "capacity_definition": "maximum",
            "mass_basis": "unspecified",
            "temperature_k": sheet.positive(sheet.number("temp_K"), "temperature_k"),
            "reference": sheet.text("citation"),
            **composition,
        }
    )


def read_doe_hydride(folder: Path) -> Rows:
    """Read the US DOE listing: capacity and enthalpy with the reported temperature and pressure.

    Complex hydrides carry their hydrogen in the formula; alloys do not. A copy in the upstream's own layout,
    whose cells are not parsed, is parsed by the rules of :func:`listed_numbers`. Capacities are maximum ones
    unless a comment calls them reversible; the listing does not say per mass of what.
    """
    sheet = Sheet(folder / "doe_hydride.csv", _DOE_COMMON, label="formula", aliases=_DOE_UPSTREAM)
    raw = sheet.has(_DOE_RAW[0]) and not sheet.has(_DOE_PARSED[0])
    sheet.need(_DOE_RAW if raw else _DOE_PARSED)
    capacity, enthalpy, celsius, atmospheres = _listed(sheet) if raw else map(sheet.number, _DOE_PARSED)
    formula, note = _listed_formulas(sheet, mischmetal=True)
    comment = _comments(sheet)
    composition = sheet.compositions("formula", texts=formula)
    number = sheet.text("reference_number").str.removesuffix(".0")
    return sheet.finish(
        {
            "formula": formula,
            "note": note,
            "alloy_class": sheet.text("material_class"),
            CAPACITY: sheet.within(capacity, CAPACITY),
            ENTHALPY: sheet.within(enthalpy, ENTHALPY),
            "temperature_k": sheet.positive(celsius + ZERO_CELSIUS_K, "temperature_k"),
            "pressure_bar": sheet.positive(atmospheres * BAR_PER_ATM, "pressure_bar"),
            "capacity_definition": _definitions(comment),
            "mass_basis": "unspecified",
            "comment": comment,
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


def _listed_formulas(sheet: Sheet, *, mischmetal: bool = False) -> tuple[pd.Series[str], pd.Series[str]]:
    """Formulas of a sheet by :func:`listed_formula`, and their notes."""
    cells = sheet.text("formula")
    pairs = [listed_formula(cell, mischmetal=mischmetal) for cell in cells]
    return (
        pd.Series([formula for formula, _ in pairs], index=cells.index, dtype=object),
        pd.Series([note for _, note in pairs], index=cells.index, dtype=object),
    )


def _comments(sheet: Sheet) -> pd.Series[str]:
    """Join the comments of each row; a copy without them has none."""
    cells = [sheet.text(name) for name in _DOE_COMMENTS if sheet.has(name)]
    blank = pd.Series("", index=sheet.text("formula").index)
    return reduce(lambda one, other: (one + "; " + other).str.strip("; "), cells, blank)


def _definitions(comment: pd.Series[str]) -> pd.Series[str]:
    """Definition of each capacity by its comment."""
    reversible = comment.str.contains("reversible", case=False)
    return pd.Series("maximum", index=comment.index).mask(reversible, "reversible")


def _listed(sheet: Sheet) -> list[pd.Series[float]]:
    """Parse the raw columns of the upstream listing, in the order of ``_DOE_RAW``."""
    capacity, enthalpy, celsius = (listed_numbers(sheet.text(name), ranges=True) for name in _DOE_RAW[:3])
    believable = (capacity > 0) & (capacity <= PROPERTIES[CAPACITY].high)  # the listing has 0, 85 and 92.1
    return [
        capacity.where(believable), enthalpy, celsius, listed_numbers(sheet.text(_DOE_RAW[3]), ranges=False),
    ]  # fmt: skip
