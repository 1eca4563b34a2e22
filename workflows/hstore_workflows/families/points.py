"""One point for each material and state, with its source: measured values of the curated tables, and predictions.

The temperature of use of a hydride is that at which its plateau lies at 1 bar, from measured enthalpy and entropy;
that of a sorbent is the one of the measurement. A state is what was measured: a plateau pressure, or an uptake, at
a temperature.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from hstore.errors import InputError
from hstore.thermo import plateau_temperature_k
from hstore_data.curated import curated_table

if TYPE_CHECKING:
    from pathlib import Path

FAMILIES = ("interstitial", "ionic", "complex", "sorbent")
"""Families that are compared."""

COLUMNS = (
    "family", "material", "formula", "material_class", "capacity_wt_pct", "capacity_of",
    "desorption_enthalpy_kj_per_mol_h2", "desorption_entropy_j_per_mol_h2_k", "temperature_k", "temperature_is",
    "state_temperature_k", "state_pressure_bar", "kind", "source",
)  # fmt: skip
"""Columns of the table of points."""

PLATEAU, STATE = "where the plateau is at 1 bar", "of the measurement"
"""What a temperature is."""


def measured_points() -> pd.DataFrame:
    """Return the measured points of the curated tables, in the columns ``COLUMNS``."""
    return pd.concat([_hydrides(), _sorbents()], ignore_index=True)[list(COLUMNS)]


def _hydrides() -> pd.DataFrame:
    table = curated_table("hydrides").frame
    enthalpy, entropy = (
        table[name].to_numpy(dtype=float)
        for name in ("desorption_enthalpy_kj_per_mol_h2", "desorption_entropy_j_per_mol_h2_k")
    )
    temperature = np.asarray(plateau_temperature_k(enthalpy, entropy))
    return pd.DataFrame({
        "family": table["family"],
        "material": table["name"].where(table["name"].notna() & (table["name"] != ""), table["formula"]),
        "formula": table["formula"],
        "material_class": table["alloy_class"],
        "capacity_wt_pct": table["h2_capacity_wt_pct"],
        "capacity_of": table["capacity_definition"],
        "desorption_enthalpy_kj_per_mol_h2": enthalpy,
        "desorption_entropy_j_per_mol_h2_k": entropy,
        "temperature_k": temperature,
        "temperature_is": np.where(np.isfinite(temperature), PLATEAU, ""),
        "state_temperature_k": table["temperature_k"],
        "state_pressure_bar": table["pressure_bar"],
        "kind": "measured",
        "source": table["citation"],
    })  # fmt: skip


def _sorbents() -> pd.DataFrame:
    table = curated_table("sorbents").frame
    uptake = table["h2_uptake_wt_pct"].to_numpy(dtype=float)
    on_sorbent = (table["mass_basis"] == "sorbent").to_numpy()
    return pd.DataFrame({
        "family": "sorbent",
        "material": table["name"],
        "formula": table["formula"],
        "material_class": table["sorbent_class"],
        # per mass of sorbent and hydrogen, as the capacities of hydrides are
        "capacity_wt_pct": np.where(on_sorbent, uptake / (1.0 + uptake / 100.0), uptake),
        "capacity_of": table["uptake_kind"] + " uptake",
        "desorption_enthalpy_kj_per_mol_h2": np.nan,
        "desorption_entropy_j_per_mol_h2_k": np.nan,
        "temperature_k": table["temperature_k"],
        "temperature_is": STATE,
        "state_temperature_k": table["temperature_k"],
        "state_pressure_bar": table["pressure_bar"],
        "kind": "measured",
        "source": table["citation"],
    })  # fmt: skip


def screened_points(folder: Path) -> pd.DataFrame:
    """Return the candidates of a finished screen as predicted points, those outside the domain left out.

    Args:
        folder: folder that ``hstore screen`` wrote.

    Raises:
        InputError: no table of candidates there, or one of electrolytes.
    """
    path = folder / "candidates.parquet"
    try:
        table = pd.read_parquet(path)
    except (OSError, ValueError) as error:
        raise InputError(f"{path} cannot be read; give the folder of a finished hstore screen") from error
    capacity = next(
        (name for name in ("h2_capacity_wt_pct_mean", "usable_capacity_wt_pct_mean") if name in table), None
    )
    if capacity is None:
        raise InputError(f"{path} has no capacity, so it is not a screen of hydrides or sorbents")
    table = table[table["in_domain"].astype(bool) & table["family"].isin(FAMILIES)]
    empty = pd.Series(np.nan, index=table.index)
    temperature = table.get("temperature_1bar_k_mean", empty)
    return pd.DataFrame({
        "family": table["family"],
        "material": table["formula"],
        "formula": table["formula"],
        "material_class": "",
        "capacity_wt_pct": table[capacity],
        "capacity_of": "usable" if capacity.startswith("usable") else "maximum",
        "desorption_enthalpy_kj_per_mol_h2": table.get("desorption_enthalpy_kj_per_mol_h2_mean", empty),
        "desorption_entropy_j_per_mol_h2_k": table.get("desorption_entropy_j_per_mol_h2_k_mean", empty),
        "temperature_k": temperature,
        "temperature_is": np.where(temperature.notna(), PLATEAU, ""),
        "state_temperature_k": np.nan,
        "state_pressure_bar": np.nan,
        "kind": "predicted",
        "source": f"screen {folder.name}",
    })[list(COLUMNS)].reset_index(drop=True)  # fmt: skip
