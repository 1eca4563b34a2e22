"""Hydride models: capacity, and enthalpy, entropy and plateau pressure that agree exactly.

Three forests predict desorption enthalpy, entropy and ln plateau pressure at 25 degC. Their answers are moved
onto the plane ln P = dS/R - dH/(R T) by generalized least squares with the covariance of the out-of-fold
residuals, so the least certain one (entropy) gives way most. The pressure at any other temperature follows
from dH and dS and their joint covariance.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from hstore.errors import InputError
from hstore.pairing import anion_class, host_amounts
from hstore.units import GAS_CONSTANT_J_PER_MOL_K, STANDARD_TEMPERATURE_K
from hstore_models.domain import Domain, domain_of
from hstore_models.forest import (
    COVERAGE,
    NORMAL_QUANTILE,
    CalibratedForest,
    ForestSettings,
    fit_forest,
)
from hstore_models.prediction import Predictions, Query, normal_predictions
from hstore_models.representation import stoichiometric_capacity_wt_pct

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

HYDRIDE_FEATURES = ("magpie", "hydride")
"""Feature groups of the hydride models, computed on the host without its hydrogen."""

_ENTHALPY = "desorption_enthalpy_kj_per_mol_h2"
_ENTROPY = "desorption_entropy_j_per_mol_h2_k"
_LN_PRESSURE = "ln_plateau_pressure_25c"
_TARGETS = (_ENTHALPY, _ENTROPY, _LN_PRESSURE)

_CONSTRAINT = np.array(
    [-1000.0 / (GAS_CONSTANT_J_PER_MOL_K * STANDARD_TEMPERATURE_K), 1.0 / GAS_CONSTANT_J_PER_MOL_K, -1.0]
)
"""Row A of A (dH, dS, ln P) = 0."""

_LOWEST_ENTHALPY_KJ = 1.0
_LEAST_RELEASE_STD = 0.05
_DEFAULT_CAPACITY_TEMPERATURE_K = 300.0


def host_features(query: Query) -> tuple[NDArray[np.float64], tuple[str, ...]]:
    """Return host features plus hydrogen in molecular anions, shape ``(n, d)``, and their names."""
    table = query.features(HYDRIDE_FEATURES, host=True)
    values = np.column_stack([table.values, query.molecular_hydrogen])
    return values, (*table.names, "hydrogen per atom of a molecular anion")


@dataclass(frozen=True)
class ThermodynamicState:
    """Mutually consistent enthalpy and entropy with their uncertainty, arrays of shape ``(n,)``."""

    enthalpy_kj_per_mol_h2: NDArray[np.float64]
    """Mean desorption enthalpy."""
    entropy_j_per_mol_h2_k: NDArray[np.float64]
    """Mean desorption entropy."""
    enthalpy_std: NDArray[np.float64]
    """Standard deviation of the enthalpy, kJ/mol H2."""
    entropy_std: NDArray[np.float64]
    """Standard deviation of the entropy, J/(mol H2 K)."""
    correlation: NDArray[np.float64]
    """Correlation of enthalpy and entropy errors."""
    spread: NDArray[np.float64]
    """Tree spread of the enthalpy forest, kJ/mol H2, for the domain."""

    def ln_pressure(self, temperature_k: NDArray[np.float64] | float) -> NDArray[np.float64]:
        """Return the mean of ln(P / 1 bar) at a temperature, shape ``(n,)``."""
        from hstore.thermo import ln_plateau_pressure

        value: NDArray[np.float64] = np.asarray(
            ln_plateau_pressure(self.enthalpy_kj_per_mol_h2, self.entropy_j_per_mol_h2_k, temperature_k)
        )
        return value

    def ln_pressure_std(self, temperature_k: NDArray[np.float64] | float) -> NDArray[np.float64]:
        """Return the standard deviation of ln P at a temperature, shape ``(n,)``."""
        from hstore.thermo import ln_plateau_pressure_std

        value: NDArray[np.float64] = np.asarray(
            ln_plateau_pressure_std(
                temperature_k,
                enthalpy_std_kj_per_mol_h2=self.enthalpy_std,
                entropy_std_j_per_mol_h2_k=self.entropy_std,
                correlation=self.correlation,
            )
        )
        return value


@dataclass(frozen=True)
class HydrideThermodynamics:
    """Enthalpy, entropy and plateau pressure of hydrides from their composition."""

    forests: dict[str, CalibratedForest]
    """Target -> forest; the enthalpy forest works on ln dH."""
    correlation: NDArray[np.float64]
    """Correlation of the out-of-fold errors of (dH, dS, ln P), shape ``(3, 3)``."""
    inflation: dict[str, float]
    """Target -> factor by which its standard deviation is multiplied so that 90 % intervals cover 90 %."""
    domain: Domain
    """Chemistry it was trained on."""
    feature_names: tuple[str, ...]
    """Names of the features, in order."""

    properties = (_ENTHALPY, _ENTROPY, "plateau_pressure_bar")

    def state(self, query: Query) -> ThermodynamicState:
        """Predict consistent enthalpy and entropy for each row."""
        features, _ = host_features(query)
        raw = _raw_answers(self.forests, features)
        return _project(raw, self.correlation, self.inflation)

    def predict(self, property_name: str, query: Query) -> Predictions:
        """Predict one property; the plateau pressure at ``temperature_k`` of each row (25 degC if not stated)."""
        state = self.state(query)
        reasons = self.domain.reasons([host_amounts(a) for a in query.amounts], state.spread)
        if property_name == _ENTHALPY:
            return normal_predictions(property_name, state.enthalpy_kj_per_mol_h2, state.enthalpy_std, reasons)
        if property_name == _ENTROPY:
            return normal_predictions(property_name, state.entropy_j_per_mol_h2_k, state.entropy_std, reasons)
        temperature_k = query.column("temperature_k", STANDARD_TEMPERATURE_K)
        return pressure_predictions(state, temperature_k, reasons)


def pressure_predictions(
    state: ThermodynamicState, temperature_k: NDArray[np.float64], reasons: list[str]
) -> Predictions:
    """Turn a state into plateau pressures: mean exp(E[ln P]), interval symmetric in ln P, std of ln P."""
    mean, std = state.ln_pressure(temperature_k), state.ln_pressure_std(temperature_k)
    logs = normal_predictions("plateau_pressure_bar", mean, std, reasons, low=-600.0, high=600.0)
    return replace(logs, mean=np.exp(logs.mean), lower=np.exp(logs.lower), upper=np.exp(logs.upper))


def fit_thermodynamics(rows: pd.DataFrame, *, settings: ForestSettings | None = None) -> HydrideThermodynamics:
    """Fit the thermodynamic model.

    Args:
        rows: columns ``amounts`` (parsed formula), ``chemical_system``, and the targets
            ``desorption_enthalpy_kj_per_mol_h2``, ``desorption_entropy_j_per_mol_h2_k`` and
            ``ln_plateau_pressure_25c``, NaN where not known.
        settings: size and seed of the forests.

    Raises:
        InputError: fewer than 30 rows with all three targets.
    """
    query = Query.of(list(rows["amounts"]))
    features, names = host_features(query)
    complete = rows[list(_TARGETS)].notna().all(axis=1).to_numpy()
    minimum = 30
    if complete.sum() < minimum:
        raise InputError(
            f"{int(complete.sum())} rows have enthalpy, entropy and pressure; at least {minimum} are needed"
        )
    forests, oof = {}, np.full((len(rows), 3), np.nan)
    for column, target in enumerate(_TARGETS):
        known = rows[target].notna().to_numpy()
        value = rows[target].to_numpy(dtype=float)[known]
        y = np.log(np.maximum(value, _LOWEST_ENTHALPY_KJ)) if target == _ENTHALPY else value
        groups = rows["chemical_system"].to_numpy(dtype=str)[known]
        forests[target] = fit_forest(features[known], y, groups, settings=settings)
        oof[known, column] = forests[target].oof_mean
    oof[:, 0] = np.exp(oof[:, 0])
    residuals = rows[list(_TARGETS)].to_numpy(dtype=float)[complete] - oof[complete]
    correlation = _robust_correlation(residuals)
    inflation = _inflation(forests, rows, complete, correlation)
    domain = domain_of([host_amounts(a) for a in rows["amounts"]], forests[_ENTHALPY].spread_limit)
    return HydrideThermodynamics(forests, correlation, inflation, domain, names)


def _raw_answers(forests: dict[str, CalibratedForest], features: NDArray[np.float64]) -> NDArray[np.float64]:
    """Means, standard deviations (both in property units) and ln-enthalpy spread, shape ``(n, 7)``."""
    answers = [forests[target].mean_and_spread(features) for target in _TARGETS]
    return _assemble(forests, answers)


def _assemble(
    forests: dict[str, CalibratedForest], answers: list[tuple[NDArray[np.float64], NDArray[np.float64]]]
) -> NDArray[np.float64]:
    means = [np.exp(answers[0][0]), answers[1][0], answers[2][0]]
    stds = [forests[t].std_from_spread(s) for t, (_, s) in zip(_TARGETS, answers, strict=True)]
    stds[0] = stds[0] * means[0]
    return np.column_stack([*means, *stds, answers[0][1]])


def _project(
    raw: NDArray[np.float64], correlation: NDArray[np.float64], inflation: dict[str, float]
) -> ThermodynamicState:
    """Move (dH, dS, ln P) onto the van 't Hoff plane by generalized least squares, row by row."""
    means, stds, spread = raw[:, :3], raw[:, 3:6], raw[:, 6]
    covariance = correlation[None] * stds[:, :, None] * stds[:, None, :]
    gain = covariance @ _CONSTRAINT
    variance = gain @ _CONSTRAINT
    settled = means - gain * ((means @ _CONSTRAINT) / variance)[:, None]
    remaining = covariance - gain[:, :, None] * gain[:, None, :] / variance[:, None, None]
    return _inflated(settled, remaining, inflation, spread)


def _inflated(
    settled: NDArray[np.float64],
    remaining: NDArray[np.float64],
    inflation: dict[str, float],
    spread: NDArray[np.float64],
) -> ThermodynamicState:
    """Scale the uncertainties so that dH, dS and ln P at 25 degC each keep their calibrated width.

    The three widths fix the correlation of dH and dS, clipped to the possible range.
    """
    stds = np.sqrt(np.maximum(np.diagonal(remaining, axis1=1, axis2=2), 1e-12))
    h, s, p = (stds[:, i] * inflation[t] for i, t in enumerate(_TARGETS))
    a, b = _CONSTRAINT[0] * h, _CONSTRAINT[1] * s
    correlation = np.clip((p**2 - a**2 - b**2) / (2 * a * b), -0.999, 0.999)
    return ThermodynamicState(settled[:, 0], settled[:, 1], h, s, correlation, spread)


def _inflation(
    forests: dict[str, CalibratedForest],
    rows: pd.DataFrame,
    complete: NDArray[np.bool_],
    correlation: NDArray[np.float64],
) -> dict[str, float]:
    """Calibrate the projected out-of-fold standard deviations to 90 % coverage, target by target."""
    answers = []
    for target in _TARGETS:
        known = rows[target].notna().to_numpy()
        inside = complete[known]
        answers.append((forests[target].oof_mean[inside], forests[target].oof_spread[inside]))
    state = _project(_assemble(forests, answers), correlation, dict.fromkeys(_TARGETS, 1.0))
    truth = rows.loc[complete, list(_TARGETS)].to_numpy(dtype=float)
    at_25c = state.ln_pressure(STANDARD_TEMPERATURE_K), state.ln_pressure_std(STANDARD_TEMPERATURE_K)
    pairs = (
        (state.enthalpy_kj_per_mol_h2, state.enthalpy_std),
        (state.entropy_j_per_mol_h2_k, state.entropy_std),
        at_25c,
    )
    level = min(1.0, float(np.ceil((len(truth) + 1) * COVERAGE)) / len(truth))
    return {
        target: float(np.quantile(np.abs(truth[:, i] - mean) / std, level, method="higher")) / NORMAL_QUANTILE
        for i, (target, (mean, std)) in enumerate(zip(_TARGETS, pairs, strict=True))
    }


def _robust_correlation(residuals: NDArray[np.float64]) -> NDArray[np.float64]:
    """Correlation of residuals winsorised at their 2nd and 98th percentile, shape ``(3, 3)``."""
    low, high = np.quantile(residuals, [0.02, 0.98], axis=0)
    correlation: NDArray[np.float64] = np.corrcoef(np.clip(residuals, low, high), rowvar=False)
    return correlation


@dataclass(frozen=True)
class HydrideCapacity:
    """Capacity: learned for alloys, stoichiometric times a learned release for hydrides that state their H."""

    forest: CalibratedForest
    """Capacity of alloys, wt% of hydrogenated material."""
    release: dict[str, tuple[float, float]]
    """Class of molecular anion ("" for none) -> mean and standard deviation of released / stoichiometric H."""
    domain: Domain
    """Chemistry and temperatures it was trained on."""
    feature_names: tuple[str, ...]
    """Names of the features, in order."""

    properties = ("h2_capacity_wt_pct",)

    def predict(self, property_name: str, query: Query) -> Predictions:
        """Predict the capacity; ``temperature_k`` (300 K if not stated) is that of the absorption measurement."""
        features = capacity_features(query)[0]
        mean, spread = self.forest.mean_and_spread(features)
        std = self.forest.std_from_spread(spread)
        reasons = self.domain.reasons(
            [host_amounts(a) for a in query.amounts], spread, {"temperature_k": query.column("temperature_k")}
        )
        for row, amounts in enumerate(query.amounts):
            if "H" in amounts:
                share, uncertainty = self.release[anion_class(amounts)]
                stoichiometric = stoichiometric_capacity_wt_pct(amounts)
                mean[row], std[row] = share * stoichiometric, uncertainty * stoichiometric
                reasons[row] = ""
        return normal_predictions(property_name, mean, std, reasons, low=0.0)


def capacity_features(query: Query) -> tuple[NDArray[np.float64], tuple[str, ...]]:
    """Return hydride features plus the temperature, shape ``(n, d)``, and their names."""
    values, names = host_features(query)
    temperature = query.column("temperature_k", _DEFAULT_CAPACITY_TEMPERATURE_K)
    return np.column_stack([values, temperature]), (*names, "temperature_k")


def fit_capacity(rows: pd.DataFrame, *, settings: ForestSettings | None = None) -> HydrideCapacity:
    """Fit the capacity model.

    Args:
        rows: columns ``amounts`` (with hydrogen where the source states the hydride), ``chemical_system``,
            ``h2_capacity_wt_pct`` and ``temperature_k`` (NaN where not stated).
        settings: size and seed of the forest.
    """
    hydrogenated = np.array(["H" in a for a in rows["amounts"]])
    alloys = rows[~hydrogenated]
    query = Query.of(list(alloys["amounts"]), alloys[["temperature_k"]])
    features, names = capacity_features(query)
    forest = fit_forest(
        features,
        alloys["h2_capacity_wt_pct"].to_numpy(dtype=float),
        alloys["chemical_system"].to_numpy(dtype=str),
        settings=settings,
    )
    domain = domain_of(
        list(alloys["amounts"]),
        forest.spread_limit,
        {"temperature_k": alloys["temperature_k"].to_numpy(dtype=float)},
    )
    return HydrideCapacity(forest, _release(rows[hydrogenated]), domain, names)


def _release(rows: pd.DataFrame) -> dict[str, tuple[float, float]]:
    """Learn which share of the hydrogen in the formula is released, per class of anion.

    Each class is shrunk towards all hydrides by five pseudo-rows; classes never seen get the overall share.
    """
    classes = [anion_class(a) for a in rows["amounts"]]
    shares = [
        min(1.0, value / stoichiometric_capacity_wt_pct(a))
        for a, value in zip(rows["amounts"], rows["h2_capacity_wt_pct"], strict=True)
    ]
    overall = np.array(shares) if shares else np.array([1.0])
    spread = max(float(overall.std()), 0.05)
    prior = 5.0
    learned: dict[str, tuple[float, float]] = {}
    for name in ("", "borohydride", "alanate", "amide"):
        own = np.array([share for share, label in zip(shares, classes, strict=True) if label == name])
        mean = (own.sum() + prior * overall.mean()) / (len(own) + prior)
        variance = (((own - mean) ** 2).sum() + prior * spread**2) / (len(own) + prior)
        learned[name] = float(mean), max(float(np.sqrt(variance)), _LEAST_RELEASE_STD)
    return learned
