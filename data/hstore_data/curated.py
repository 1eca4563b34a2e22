"""The curated tables that ship with the package, with typed columns."""

from __future__ import annotations

from importlib.resources import as_file, files
from typing import TYPE_CHECKING

import numpy as np

from hstore.errors import unknown_name
from hstore_data.card import Tier
from hstore_data.catalog import datasets, file_sha256
from hstore_data.readers.sheet import Sheet
from hstore_data.table import DataTable

if TYPE_CHECKING:
    from collections.abc import Mapping

    from hstore_data.card import Card

COLUMNS: dict[str, dict[str, str]] = {
    "hydrides": {
        "formula": "text",
        "host_formula": "text",
        "name": "text",
        "family": "text",
        "alloy_class": "text",
        "h2_capacity_wt_pct": "property",
        "capacity_definition": "text",
        "mass_basis": "text",
        "desorption_enthalpy_kj_per_mol_h2": "property",
        "desorption_entropy_j_per_mol_h2_k": "property",
        "temperature_k": "positive",
        "pressure_bar": "positive",
        "citation": "text",
        "seen_in": "text",
        "note": "text",
    },
    "hydride_phases": {
        "formula": "text",
        "space_group": "positive",
        "setting": "positive",
        "a": "positive",
        "b": "positive",
        "c": "positive",
        "alpha": "positive",
        "beta": "positive",
        "gamma": "positive",
        "sites": "text",
        "citation": "text",
        "seen_in": "text",
        "note": "text",
    },
    "hydride_reactions": {
        "formula": "text",
        "reaction": "text",
        "chemistry": "text",
        "enthalpy_of": "text",
        "citation": "text",
        "seen_in": "text",
        "note": "text",
    },
    "electrolytes": {
        "formula": "text",
        "name": "text",
        "family": "text",
        "mobile_ion": "text",
        "temperature_k": "positive",
        "conductivity_s_per_cm": "positive",
        "censored": "text",
        "conductivity_kind": "text",
        "activation_energy_ev": "property",
        "citation": "text",
        "seen_in": "text",
        "note": "text",
    },
    "sorbents": {
        "name": "text",
        "sorbent_class": "text",
        "formula": "text",
        "bet_area_m2_g": "positive",
        "pore_volume_cm3_g": "positive",
        "density_g_cm3": "positive",
        "temperature_k": "positive",
        "pressure_bar": "positive",
        "h2_uptake_wt_pct": "property",
        "uptake_kind": "text",
        "mass_basis": "text",
        "citation": "text",
        "texture_source": "text",
        "seen_in": "text",
        "note": "text",
    },
    "doe_onboard_targets": {
        "target_year": "text",
        "quantity": "text",
        "value": "number",
        "citation": "text",
        "seen_in": "text",
        "note": "text",
    },
    "element_supply": {
        "element": "text",
        "price_usd_per_kg": "positive",
        "price_year": "positive",
        "price_basis": "text",
        "citation": "text",
        "seen_in": "text",
        "hazard_statements": "text",
        "hazard_form": "text",
        "hazard_quality": "text",
        "hazard_citation": "text",
        "screen_note": "text",
        "screen_discount": "text",
        "note": "text",
    },
}
"""Curated table -> column -> how its cells are read; ``property`` means the range of that property holds."""


_LABELS = ("formula", "quantity", "element")
"""Columns that name a row in the report of rejected rows; each table has one of them."""


def card(name: str) -> Card:
    """Return the card of a curated table.

    Raises:
        UnknownNameError: no such curated table.
    """
    curated = {key: value for key, value in datasets().items() if value.tier is Tier.CURATED}
    if name not in curated:
        raise unknown_name("curated table", name, curated)
    return curated[name]


def curated_table(name: str) -> DataTable:
    """Read a curated table.

    Besides the columns of the file the frame has ``row``; for hydrides and electrolytes ``composition`` and
    ``chemical_system``; for hydrides ``host_composition``; for electrolytes
    ``log10_conductivity_s_per_cm``, with ``censored`` as a boolean (true: the value is an upper bound).

    Raises:
        UnknownNameError: no such curated table.
        DataError: the file is damaged.
    """
    if name not in COLUMNS:
        raise unknown_name("curated table", name, COLUMNS)
    with as_file(files("hstore_data") / "tables" / f"{name}.csv") as path:
        kinds = COLUMNS[name]
        sheet = Sheet(path, kinds, label=next(column for column in _LABELS if column in kinds))
        columns = {column: _typed(sheet, column, kind) for column, kind in kinds.items()}
        frame, rejects = sheet.finish({**columns, **_derived(sheet, name)})
        return DataTable(name, frame, rejects, {f"{name}.csv": file_sha256(path)})


def _typed(sheet: Sheet, column: str, kind: str) -> object:
    if kind == "text":
        return sheet.text(column)
    values = sheet.number(column, as_property=column if kind == "property" else None)
    return sheet.positive(values, column) if kind == "positive" else values


def _derived(sheet: Sheet, name: str) -> Mapping[str, object]:
    """Return the columns that follow from those of the file."""
    if name == "hydrides":
        host = sheet.compositions("host_formula")["composition"]
        return {**sheet.compositions("formula"), "host_composition": host}
    if name == "electrolytes":
        sigma = sheet.require_value(sheet.number("conductivity_s_per_cm"), "conductivity_s_per_cm")
        mark = sheet.text("censored")
        sheet.reject(~mark.isin(["", "<"]), "censored must be empty or '<', got " + mark)
        logarithm = sigma.where(sigma > 0).map(np.log10)
        return {
            **sheet.compositions("formula"),
            "censored": mark == "<",
            "log10_conductivity_s_per_cm": sheet.within(logarithm, "log10_conductivity_s_per_cm"),
        }
    return {}
