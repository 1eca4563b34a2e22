"""Ionic conductivity that obeys Arrhenius at every temperature.

Two forests: log10 conductivity at 25 degC, and the activation energy given it. Values measured at other
temperatures are brought to 25 degC with the activation energy before training, and predictions leave 25 degC
the same way: ln(sigma T) = ln(sigma_0) - Ea / (k T).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from hstore.units import BOLTZMANN_EV_PER_K, STANDARD_TEMPERATURE_K
from hstore_models.domain import Domain, domain_of
from hstore_models.forest import CalibratedForest, ForestSettings, fit_forest
from hstore_models.prediction import Predictions, Query, normal_predictions

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

ELECTROLYTE_FEATURES = ("magpie", "electrolyte")
"""Feature groups of the conductivity model, computed on the whole composition."""

_LN10 = float(np.log(10.0))
_CONDUCTIVITY = "log10_conductivity_s_per_cm"
_ENERGY = "activation_energy_ev"
_MIN_SERIES = 3
_LEAF_ROWS = 2  # conductivities of one composition scatter by half a decade; single-row leaves learn the scatter


@dataclass(frozen=True)
class Conductivity:
    """log10 conductivity at any temperature, and the activation energy behind it."""

    energy: CalibratedForest
    """Activation energy of sigma T, eV, from composition and conductivity at 25 degC."""
    reference: CalibratedForest
    """log10 conductivity at 25 degC, S/cm."""
    domain: Domain
    """Chemistry and temperatures it was trained on."""
    feature_names: tuple[str, ...]
    """Names of the features, in order."""

    properties = (_CONDUCTIVITY, _ENERGY)

    def predict(self, property_name: str, query: Query) -> Predictions:
        """Predict log10 conductivity at ``temperature_k`` of each row (25 degC if not stated), or Ea."""
        table = query.features(ELECTROLYTE_FEATURES, host=False)
        mean, spread = self.reference.mean_and_spread(table.values)
        energy, energy_std = self.energy.predict(np.column_stack([table.values, mean]))
        temperature_k = query.column("temperature_k", STANDARD_TEMPERATURE_K)
        reasons = self.domain.reasons(query.amounts, spread, {"temperature_k": temperature_k})
        if property_name == _ENERGY:
            return normal_predictions(property_name, energy, energy_std, reasons, low=0.0)
        shift, per_ev = arrhenius_shift(energy, temperature_k)
        std = np.hypot(self.reference.std_from_spread(spread), per_ev * energy_std)
        return normal_predictions(property_name, mean + shift, std, reasons)


def arrhenius_shift(
    energy_ev: NDArray[np.float64], temperature_k: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return log10 sigma(T) - log10 sigma(25 degC), and its magnitude per eV of activation energy.

    Args:
        energy_ev: activation energy of sigma T, shape ``(n,)``.
        temperature_k: temperature, shape ``(n,)``.
    """
    per_ev = (1 / STANDARD_TEMPERATURE_K - 1 / temperature_k) / (BOLTZMANN_EV_PER_K * _LN10)
    return energy_ev * per_ev + np.log10(STANDARD_TEMPERATURE_K / temperature_k), np.abs(per_ev)


def fit_conductivity(rows: pd.DataFrame, *, settings: ForestSettings | None = None) -> Conductivity:
    """Fit the conductivity model.

    Args:
        rows: columns ``amounts``, ``composition``, ``chemical_system``, ``temperature_k``,
            ``log10_conductivity_s_per_cm`` and ``activation_energy_ev`` (NaN where not reported).
        settings: size and seed of the forests.
    """
    settings = replace(settings or ForestSettings(), min_samples_leaf=_LEAF_ROWS)
    query = Query.of(list(rows["amounts"]))
    table = query.features(ELECTROLYTE_FEATURES, host=False)
    measured = _with_series_energies(rows)
    known = np.isfinite(measured)
    groups = rows["chemical_system"].to_numpy(dtype=str)
    draft = fit_forest(table.values[known], measured[known], groups[known], settings=settings)
    filled = np.where(known, measured, draft.predict(table.values)[0])
    at_25c = _at_25c(rows, filled)
    reference = fit_forest(table.values, at_25c, groups, weights=_series_weights(rows), settings=settings)
    features = np.column_stack([table.values, at_25c])[known]
    energy = fit_forest(features, measured[known], groups[known], settings=settings)
    ranges = {"temperature_k": rows["temperature_k"].to_numpy(dtype=float)}
    domain = domain_of(list(rows["amounts"]), reference.spread_limit, ranges)
    return Conductivity(energy, reference, domain, table.names)


def _at_25c(rows: pd.DataFrame, energy_ev: NDArray[np.float64]) -> NDArray[np.float64]:
    shift, _ = arrhenius_shift(energy_ev, rows["temperature_k"].to_numpy(dtype=float))
    return rows[_CONDUCTIVITY].to_numpy(dtype=float) - shift


def _with_series_energies(rows: pd.DataFrame) -> NDArray[np.float64]:
    """Activation energies as reported, or fitted where one source measured three or more temperatures."""
    energies = rows[_ENERGY].to_numpy(dtype=float).copy()
    keys = [rows["composition"], rows["source"], rows["reference"]]
    for _, series in rows.reset_index(drop=True).groupby([k.to_numpy() for k in keys], sort=True):
        temperature_k = series["temperature_k"].to_numpy(dtype=float)
        if len(np.unique(temperature_k)) < _MIN_SERIES:
            continue
        ln_sigma_t = series[_CONDUCTIVITY].to_numpy(dtype=float) * _LN10 + np.log(temperature_k)
        slope = np.polyfit(1.0 / (BOLTZMANN_EV_PER_K * temperature_k), ln_sigma_t, 1)[0]
        index = series.index.to_numpy()
        if 0.0 < -slope < 3.0:
            energies[index] = np.where(np.isnan(energies[index]), -slope, energies[index])
    return energies


def _series_weights(rows: pd.DataFrame) -> NDArray[np.float64]:
    """Weight a temperature series of one material as one measurement."""
    keys = ["composition", "source", "reference"]
    size = rows.groupby(keys)["composition"].transform("size").to_numpy(dtype=float)
    return 1.0 / size
