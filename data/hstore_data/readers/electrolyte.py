"""Readers of the solid-electrolyte sets: OBELiX, Liverpool Ionics and the Na NASICON table."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from hstore.units import STANDARD_TEMPERATURE_K, ZERO_CELSIUS_K
from hstore_data.readers.sheet import Rows, Sheet

if TYPE_CHECKING:
    from pathlib import Path

CONDUCTIVITY = "log10_conductivity_s_per_cm"

_OBELIX_SIGMA = "Ionic conductivity (S cm-1)"
_OBELIX_CELL = ("a", "b", "c", "alpha", "beta", "gamma")

_NASICON_UPSTREAM = {"Formula": "formula", "S": "sigma_S_cm", "Ea": "Ea_eV", "a": "a_A", "c": "c_A"}
"""Upstream's column name -> ours."""


def read_obelix(folder: Path) -> Rows:
    """Read OBELiX: conductivity at room temperature, lattice, space group and the official split.

    A value given as ``<1E-10`` is a detection limit: it becomes the logarithm of that limit with
    ``censored`` true, so that a model can treat it as an upper bound. Cell lengths are in angstrom,
    angles in degrees; ``formula_units`` counts the formula as written in the cell.
    """
    columns = (
        "ID", "Reduced Composition", _OBELIX_SIGMA, "Z", "Space group #", *_OBELIX_CELL, "Family", "DOI",
    )  # fmt: skip
    sheet = Sheet(folder / "all.csv", columns, label="Reduced Composition")
    composition = sheet.compositions("Reduced Composition")
    sigma = sheet.text(_OBELIX_SIGMA)
    identifier = sheet.text("ID")
    parts = {name: _identifiers(folder / f"{name}.csv") for name in ("train", "test")}
    split = pd.Series("", index=identifier.index)
    for name, members in parts.items():
        split = split.mask(identifier.isin(members), name)
    sheet.reject(split == "", "ID is in neither train.csv nor test.csv")
    return sheet.finish(
        {
            "id": identifier,
            "formula": sheet.text("Reduced Composition"),
            CONDUCTIVITY: _log10_conductivity(sheet, sigma.str.lstrip("<").str.strip()),
            "censored": sigma.str.startswith("<"),
            "temperature_k": STANDARD_TEMPERATURE_K,
            **{name: sheet.number(name) for name in _OBELIX_CELL},
            "formula_units": sheet.number("Z"),
            "space_group_number": sheet.number("Space group #"),
            "family": sheet.text("Family"),
            "split": split,
            "reference": sheet.text("DOI"),
            **composition,
        }
    )


def read_liverpool_liion(folder: Path) -> Rows:
    """Read the Liverpool Ionics set: conductivity of Li conductors at a temperature.

    Rows with ``in_obelix_test`` true must not train a model that is scored on the OBELiX test split.
    """
    columns = ("formula", "doi", "temp_C", "sigma_S_cm", "family", "in_obelix_test")
    sheet = Sheet(folder / "liverpool_liion.csv", columns, label="formula")
    composition = sheet.compositions("formula")
    celsius = sheet.require_value(sheet.number("temp_C"), "temp_C")
    return sheet.finish(
        {
            "formula": sheet.text("formula"),
            "temperature_k": sheet.positive(celsius + ZERO_CELSIUS_K, "temperature_k"),
            CONDUCTIVITY: _log10_conductivity(sheet, sheet.text("sigma_S_cm")),
            "family": sheet.text("family"),
            "in_obelix_test": sheet.text("in_obelix_test").str.lower() == "true",
            "reference": sheet.text("doi"),
            **composition,
        }
    )


def read_nasicon_na(folder: Path) -> Rows:
    """Read the Na NASICON table: conductivity, activation energy and hexagonal cell (angstrom).

    The source states no temperature; room temperature is assumed.
    """
    columns = ("formula", "sigma_S_cm", "Ea_eV", "a_A", "c_A")
    sheet = Sheet(folder / "nasicon_na_train.csv", columns, label="formula", aliases=_NASICON_UPSTREAM)
    composition = sheet.compositions("formula")
    return sheet.finish(
        {
            "formula": sheet.text("formula"),
            CONDUCTIVITY: _log10_conductivity(sheet, sheet.text("sigma_S_cm")),
            "activation_energy_ev": sheet.number("Ea_eV", as_property="activation_energy_ev"),
            "a": sheet.number("a_A"),
            "c": sheet.number("c_A"),
            "temperature_k": STANDARD_TEMPERATURE_K,
            "reference": "Xu et al., J. Phys. Commun. 2020 (compilation)",
            **composition,
        }
    )


def _identifiers(path: Path) -> set[str]:
    """Return the IDs of one side of the OBELiX split."""
    return set(Sheet(path, ("ID",), label="ID").text("ID"))


def _log10_conductivity(sheet: Sheet, cells: pd.Series[str]) -> pd.Series[float]:
    """Turn S/cm into its decimal logarithm; rows without a positive number are rejected."""
    sigma = pd.to_numeric(cells, errors="coerce").astype(float)
    sheet.reject(~(sigma > 0), "conductivity is not a positive number of S/cm: " + cells)
    return sheet.within(sigma.where(sigma > 0).map(np.log10), CONDUCTIVITY)
