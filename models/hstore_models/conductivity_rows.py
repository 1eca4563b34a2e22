"""Conductivities as training rows: temperature series, their activation energies, how much each row counts."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from hstore.units import BOLTZMANN_EV_PER_K, STANDARD_TEMPERATURE_K

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

    from hstore.arrays import FloatArray

CONDUCTIVITY = "log10_conductivity_s_per_cm"
ENERGY = "activation_energy_ev"

OPEN_END = -15.0
"""Lower end, log10 S/cm at 25 degC, of intervals that hold whatever lies below a detection limit: the number that
the package of OBELiX (doi 10.1039/D5DD00441A) puts in for ``<1E-10``."""

NEAR_25C_K = 12.0
"""Rows measured within so many kelvin of 25 degC choose weights and intervals; the others only train."""

_LN10 = float(np.log(10.0))
_LEAST_SERIES = 3
_HIGHEST_SERIES_EV = 3.0
_COMPOSITION_SCATTER = 0.5
"""Scatter of reported values of one composition, decades (OBELiX: 0.56)."""
_ENERGY_ERROR_EV, _MEASURED_ENERGY_ERROR_EV = 0.2, 0.05
"""Error of an activation energy that was estimated, or measured, for bringing a value to 25 degC."""


def temperatures(table: pd.DataFrame) -> FloatArray:
    """Return the temperatures, K, shape ``(n,)``."""
    return table["temperature_k"].to_numpy(dtype=np.float64)


def near_25c(table: pd.DataFrame) -> NDArray[np.bool_]:
    """Mark rows measured within ``NEAR_25C_K`` of 25 degC, shape ``(n,)``."""
    return np.abs(temperatures(table) - STANDARD_TEMPERATURE_K) <= NEAR_25C_K


def bounds(table: pd.DataFrame) -> NDArray[np.bool_]:
    """Mark rows whose value is an upper bound, shape ``(n,)``; none where the table does not say."""
    if "censored" not in table:
        return np.zeros(len(table), dtype=bool)
    return table["censored"].eq(other=True).to_numpy(dtype=bool)


def with_series_energies(rows: pd.DataFrame) -> FloatArray:
    """Return activation energies as reported, or fitted where one source measured three or more temperatures.

    Args:
        rows: columns ``composition``, ``source``, ``reference``, ``temperature_k``,
            ``log10_conductivity_s_per_cm`` and ``activation_energy_ev``.

    Returns:
        Activation energies of sigma T, eV, shape ``(n,)``; NaN where not known.
    """
    energies = rows[ENERGY].to_numpy(dtype=float).copy()
    keys = [rows["composition"], rows["source"], rows["reference"]]
    for _, series in rows.reset_index(drop=True).groupby([k.to_numpy() for k in keys], sort=True):
        temperature_k = series["temperature_k"].to_numpy(dtype=float)
        if len(np.unique(temperature_k)) < _LEAST_SERIES:
            continue
        ln_sigma_t = series[CONDUCTIVITY].to_numpy(dtype=float) * _LN10 + np.log(temperature_k)
        slope = np.polyfit(1.0 / (BOLTZMANN_EV_PER_K * temperature_k), ln_sigma_t, 1)[0]
        index = series.index.to_numpy()
        if 0.0 < -slope < _HIGHEST_SERIES_EV:
            energies[index] = np.where(np.isnan(energies[index]), -slope, energies[index])
    return energies


def series_weights(rows: pd.DataFrame) -> FloatArray:
    """Weight a temperature series of one material as one measurement, shape ``(n,)``."""
    keys = ["composition", "source", "reference"]
    size = rows.groupby(keys)["composition"].transform("size").to_numpy(dtype=float)
    return np.asarray(1.0 / size)


def shift_weights(per_ev: FloatArray, *, measured: NDArray[np.bool_]) -> FloatArray:
    """Weight values by what bringing them to 25 degC adds to the scatter of a composition's values.

    Args:
        per_ev: shift of log10 conductivity per eV of activation energy, shape ``(n,)``.
        measured: rows whose activation energy was measured, shape ``(n,)``; that of the others is estimated.
    """
    added = per_ev * np.where(measured, _MEASURED_ENERGY_ERROR_EV, _ENERGY_ERROR_EV)
    return np.asarray(1.0 / (1.0 + (added / _COMPOSITION_SCATTER) ** 2))
