"""Readers of the sorbent sets: MOF usable capacities, ISODB isotherms and SorbMetaML loadings."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hstore_data.readers.sheet import Rows, Sheet

if TYPE_CHECKING:
    from pathlib import Path

    import pandas as pd

MOF_DESCRIPTORS = (
    "density_g_cm3", "gsa_m2_g", "vsa_m2_cm3", "void_fraction", "pore_volume_cm3_g", "lcd_A", "pld_A",
)  # fmt: skip
"""Geometric descriptors of the MOF set; the unit is in the name."""

MOF_SWING = {
    "charge_pressure_bar": 100.0,
    "charge_temperature_k": 77.0,
    "discharge_pressure_bar": 5.0,
    "discharge_temperature_k": 77.0,
}
"""The one pressure swing of the MOF set (Ahmed and Siegel 2021, 10.1016/j.patter.2021.100291)."""


def read_mof_h2_usable(folder: Path) -> Rows:
    """Read usable H2 capacities of MOFs between 100 and 5 bar at 77 K, with seven geometric descriptors.

    Rows of one ``group`` are the same framework within rounding: keep a group on one side of any split.
    ``core_mof_2019_asr`` is empty where the framework is not known.
    """
    columns = (*MOF_DESCRIPTORS, "usable_grav_wt_pct", "usable_vol_g_L", "core_mof_2019_asr", "group")
    sheet = Sheet(folder / "mof_h2_usable.csv.gz", columns, label="core_mof_2019_asr")
    descriptors = {name: sheet.require_value(sheet.number(name), name) for name in MOF_DESCRIPTORS}
    sheet.positive(descriptors["density_g_cm3"], "density_g_cm3")
    gravimetric = sheet.number("usable_grav_wt_pct", as_property="usable_capacity_wt_pct")
    volumetric = sheet.number("usable_vol_g_L", as_property="usable_capacity_g_per_l")
    return sheet.finish(
        {
            **descriptors,
            "usable_capacity_wt_pct": sheet.require_value(gravimetric, "usable_grav_wt_pct"),
            "usable_capacity_g_per_l": sheet.require_value(volumetric, "usable_vol_g_L"),
            **MOF_SWING,
            "core_mof_2019_asr": sheet.text("core_mof_2019_asr"),
            "group": sheet.text("group"),
            "reference": "10.1016/j.patter.2021.100291 (origin inferred)",
        }
    )


def read_isodb_h2(folder: Path) -> Rows:
    """Read the points of the ISODB hydrogen isotherms, joined with their isotherm.

    Uptake is 100 x g H2 / g adsorbent (``mass_basis`` is ``sorbent``); points in units per volume, per area
    or per cell are rejected because the density is not known. ``row`` is the row of ``points.csv.gz``.
    """
    about = _isotherms(folder / "isotherms.csv.gz")
    columns = ("isotherm_id", "pressure_bar", "uptake_wt_pct")
    sheet = Sheet(folder / "points.csv.gz", columns, label="isotherm_id")
    isotherm = sheet.text("isotherm_id")
    joined = about.reindex(isotherm).set_axis(isotherm.index)
    sheet.reject(joined["name"].isna(), "isotherm_id is not in isotherms.csv.gz")
    pressure = sheet.require_value(sheet.number("pressure_bar"), "pressure_bar")
    sheet.reject(pressure < 0, "pressure_bar is negative")
    uptake = sheet.number("uptake_wt_pct", as_property="h2_uptake_wt_pct")
    sheet.reject(uptake.isna(), "no uptake per mass; published in " + joined["units"].astype(str))
    return sheet.finish(
        {
            "name": joined["name"],
            "adsorbent_hashkey": joined["adsorbent_hashkey"],
            "isotherm_id": isotherm,
            "temperature_k": joined["temperature_k"],
            "pressure_bar": pressure,
            "h2_uptake_wt_pct": uptake,
            "uptake_kind": joined["uptake_kind"],
            "mass_basis": "sorbent",
            "category": joined["category"],
            "suspect": joined["suspect"].eq(True),  # noqa: FBT003 - compares with a value
            "reference": joined["reference"],
        }
    )


def read_sorbmeta_h2_gcmc(folder: Path) -> Rows:
    """Read simulated H2 loadings (mol per litre of material) on a grid of temperature and pressure."""
    columns = ("material_class", "material", "temperature_K", "pressure_bar", "h2_loading_mol_L")
    sheet = Sheet(folder / "h2_loadings.csv.gz", columns, label="material")
    loading = sheet.require_value(sheet.number("h2_loading_mol_L"), "h2_loading_mol_L")
    sheet.reject(loading < 0, "h2_loading_mol_L is negative")
    return sheet.finish(
        {
            "name": sheet.text("material"),
            "material_class": sheet.text("material_class"),
            "temperature_k": sheet.require_value(sheet.number("temperature_K"), "temperature_K"),
            "pressure_bar": sheet.require_value(sheet.number("pressure_bar"), "pressure_bar"),
            "h2_loading_mol_per_l": loading,
            "reference": "SorbMetaML (Siepmann group)",
        }
    )


def _isotherms(path: Path) -> pd.DataFrame:
    """Return what is known of each isotherm, indexed by its identifier; isotherms without T are left out."""
    columns = (
        "isotherm_id", "adsorbent", "adsorbent_hashkey", "doi", "temperature_K", "units", "category",
        "isotherm_type", "suspect",
    )  # fmt: skip
    sheet = Sheet(path, columns, label="isotherm_id")
    temperature = sheet.require_value(sheet.number("temperature_K"), "temperature_K")
    sheet.positive(temperature, "temperature_K")
    frame, _ = sheet.finish(
        {
            "isotherm_id": sheet.text("isotherm_id"),
            "name": sheet.text("adsorbent"),
            "adsorbent_hashkey": sheet.text("adsorbent_hashkey"),
            "temperature_k": temperature,
            "units": sheet.text("units"),
            "uptake_kind": sheet.text("isotherm_type"),
            "category": sheet.text("category"),
            "suspect": sheet.text("suspect").str.lower() == "true",
            "reference": sheet.text("doi"),
        }
    )
    return frame.drop_duplicates("isotherm_id").set_index("isotherm_id")
