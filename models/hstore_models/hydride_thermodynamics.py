"""Thermodynamics of hydrides: enthalpy, entropy and plateau pressure that agree exactly.

Three ensembles predict desorption enthalpy, entropy and ln plateau pressure at 25 degC. Their answers are moved
onto the plane ln P = dS/R - dH/(R T) by generalized least squares with the covariance of the out-of-fold
residuals, so the least certain one (entropy) gives way most. The pressure at any other temperature follows
from dH and dS and their joint covariance.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from hstore.errors import InputError
from hstore.pairing import host_amounts
from hstore.units import GAS_CONSTANT_J_PER_MOL_K, STANDARD_TEMPERATURE_K
from hstore_models.conformal import calibrate
from hstore_models.domain import Domain, domain_of, strange_elements_in_folds
from hstore_models.ensemble import Ensemble, Task, fit_ensemble
from hstore_models.features.alloy import infer_alloy_class
from hstore_models.held_out import HeldOut, of_rows
from hstore_models.inputs import alloy_families, assemble
from hstore_models.prediction import Predictions, Query, interval_predictions
from hstore_models.spec import Spec, shipped_spec

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pandas as pd
    from numpy.typing import NDArray

    from hstore.arrays import FloatArray
    from hstore_models.calibration import Calibration, Reach
    from hstore_models.training_data import TrainingData

ENTHALPY = "desorption_enthalpy_kj_per_mol_h2"
ENTROPY = "desorption_entropy_j_per_mol_h2_k"
LN_PRESSURE = "ln_plateau_pressure_25c"
TARGETS = (ENTHALPY, ENTROPY, LN_PRESSURE)
"""What the thermodynamic model learns; ln P is that of bar at 25 degC."""

_CONSTRAINT = np.array(
    [-1000.0 / (GAS_CONSTANT_J_PER_MOL_K * STANDARD_TEMPERATURE_K), 1.0 / GAS_CONSTANT_J_PER_MOL_K, -1.0]
)
"""Row A of A (dH, dS, ln P) = 0."""

_SCORED_AS = {
    ENTHALPY: (ENTHALPY, "kJ/mol H2"),
    ENTROPY: (ENTROPY, "J/(mol H2 K)"),
    LN_PRESSURE: ("plateau_pressure_bar", "ln(P / bar) at 25 degC"),
}
"""Target -> property it stands for, and the unit in which it is scored."""
_LEAST_COMPLETE_ROWS = 30
_LEAST_STD = 1e-9
_LEAST_WEIGHT = 1e-3
"""Weight of rows that say nothing about a target, above the 0 that Gaussian processes cannot take."""


@dataclass(frozen=True)
class ThermodynamicState:
    """Mutually consistent enthalpy and entropy with their uncertainty, arrays of shape ``(n,)``."""

    enthalpy_kj_per_mol_h2: FloatArray
    """Mean desorption enthalpy."""
    entropy_j_per_mol_h2_k: FloatArray
    """Mean desorption entropy."""
    reach: dict[str, Reach]
    """Target -> how far its 90 % intervals reach."""
    correlation: FloatArray
    """Correlation of enthalpy and entropy errors."""
    strangeness: FloatArray
    """Spread in units of the limit beyond which a row is unlike the training rows, mean over enthalpy and
    pressure: how far answers for the entropy differ says less of errors, even of those of the entropy."""

    @property
    def enthalpy_std(self) -> FloatArray:
        """Standard deviation of the enthalpy, kJ/mol H2, shape ``(n,)``."""
        return self.reach[ENTHALPY].std

    @property
    def entropy_std(self) -> FloatArray:
        """Standard deviation of the entropy, J/(mol H2 K), shape ``(n,)``."""
        return self.reach[ENTROPY].std

    def ln_pressure(self, temperature_k: FloatArray | float) -> FloatArray:
        """Return the mean of ln(P / 1 bar) at a temperature, shape ``(n,)``."""
        from hstore.thermo import ln_plateau_pressure

        return np.asarray(
            ln_plateau_pressure(self.enthalpy_kj_per_mol_h2, self.entropy_j_per_mol_h2_k, temperature_k)
        )

    def ln_pressure_std(self, temperature_k: FloatArray | float) -> FloatArray:
        """Return the standard deviation of ln P at a temperature, shape ``(n,)``."""
        from hstore.thermo import ln_plateau_pressure_std

        return np.asarray(
            ln_plateau_pressure_std(
                temperature_k,
                enthalpy_std_kj_per_mol_h2=self.enthalpy_std,
                entropy_std_j_per_mol_h2_k=self.entropy_std,
                correlation=self.correlation,
            )
        )


@dataclass(frozen=True)
class HydrideThermodynamics:
    """Enthalpy, entropy and plateau pressure of hydrides from their composition."""

    ensembles: dict[str, Ensemble]
    """Target -> ensemble."""
    features: tuple[str, ...]
    """Groups of descriptors, of the host."""
    correlation: FloatArray
    """Correlation of the out-of-fold errors of (dH, dS, ln P), shape ``(3, 3)``."""
    calibrations: dict[str, Calibration]
    """Target -> what turns its standard deviation after the projection into intervals that cover."""
    domain: Domain
    """Chemistry it was trained on."""
    feature_names: tuple[str, ...]
    """Names of the features, in order."""

    properties = (ENTHALPY, ENTROPY, "plateau_pressure_bar")

    def state(self, query: Query) -> ThermodynamicState:
        """Predict consistent enthalpy and entropy for each row, once for all properties of a query."""
        return query.remembered(self, lambda: self._state(query))

    def _state(self, query: Query) -> ThermodynamicState:
        values = assemble(query, self.features, host=True).values
        answers = [self.ensembles[target].mean_and_spread(values) for target in TARGETS]
        settled, remaining = project(self.ensembles, answers, self.correlation)
        classes = alloy_families(query)
        strange = self.domain.strange(query.amounts)
        reach = {
            target: self.calibrations[target].reach(remaining[:, i], settled[:, i], classes, strange)
            for i, target in enumerate(TARGETS)
        }
        strangeness = [
            spread / self.ensembles[target].calibration.spread_limit
            for target, (_, spread) in zip(TARGETS, answers, strict=True)
            if target != ENTROPY
        ]
        correlation = _correlation_of(*(reach[target].std for target in TARGETS))
        return ThermodynamicState(
            settled[:, 0], settled[:, 1], reach, correlation, np.asarray(sum(strangeness) / len(strangeness))
        )

    def reasons(self, query: Query) -> list[str]:
        """Say for each row why it is outside the domain; empty text inside."""
        strangeness = self.state(query).strangeness
        return query.remembered(self.domain, lambda: self.domain.reasons(query.amounts, strangeness))

    @property
    def main(self) -> Ensemble:
        """Ensemble whose features and importances stand for the model."""
        return self.ensembles[ENTHALPY]

    def held_out(self, data: TrainingData, *, group: str) -> dict[str, HeldOut]:
        """Return the consistent out-of-fold predictions of the training rows that have all three targets.

        Args:
            data: the training data.
            group: column of what was held out together.
        """
        complete, held_out, folds = _held_out(self.ensembles, data.rows)
        settled, remaining = project(self.ensembles, held_out, self.correlation)
        known = data.rows[complete].reset_index(drop=True)
        query = Query.of(list(known["amounts"]), known)
        known = known.assign(family=infer_alloy_class(query.host))
        hosts = [host_amounts(a) for a in known["amounts"]]
        found = {}
        for i, (target, (name, unit)) in enumerate(_SCORED_AS.items()):
            strange = strange_elements_in_folds(hosts, folds[target])
            reach = self.calibrations[target].reach(
                remaining[:, i], settled[:, i], known["family"].to_numpy(dtype=str), strange
            )
            truth = known[target].to_numpy(dtype=float)
            found[name] = of_rows(
                known, truth, (settled[:, i], reach, folds[target]), unit, group=group, unasked=("temperature_k",)
            )
        return found

    def predict(self, property_name: str, query: Query) -> Predictions:
        """Predict one property; the plateau pressure at ``temperature_k`` of each row (25 degC if not stated)."""
        state, reasons = self.state(query), self.reasons(query)
        if property_name == ENTHALPY:
            return interval_predictions(
                property_name, state.enthalpy_kj_per_mol_h2, state.reach[ENTHALPY], reasons
            )
        if property_name == ENTROPY:
            return interval_predictions(property_name, state.entropy_j_per_mol_h2_k, state.reach[ENTROPY], reasons)
        return pressure_predictions(state, query.column("temperature_k", STANDARD_TEMPERATURE_K), reasons)


def pressure_predictions(state: ThermodynamicState, temperature_k: FloatArray, reasons: list[str]) -> Predictions:
    """Turn a state into plateau pressures: mean exp(E[ln P]), std of ln P.

    At other temperatures the interval has the form, in ln P, of that at 25 degC.
    """
    mean, at_25c = state.ln_pressure(temperature_k), state.reach[LN_PRESSURE]
    reach = at_25c.scaled(state.ln_pressure_std(temperature_k) / np.maximum(at_25c.std, _LEAST_STD))
    logs = interval_predictions("plateau_pressure_bar", mean, reach, reasons, low=-600.0, high=600.0)
    return replace(logs, mean=np.exp(logs.mean), lower=np.exp(logs.lower), upper=np.exp(logs.upper))


def fit_thermodynamics(rows: pd.DataFrame, *, spec: Spec | None = None, seed: int = 0) -> HydrideThermodynamics:
    """Fit the thermodynamic model.

    Args:
        rows: columns ``amounts`` (parsed formula), ``chemical_system``, and the targets
            ``desorption_enthalpy_kj_per_mol_h2``, ``desorption_entropy_j_per_mol_h2_k`` and
            ``ln_plateau_pressure_25c``, NaN where not known. Rows with ``weight`` (of the enthalpy and entropy)
            or ``pressure_weight`` below 1 help to learn and are not used to choose weights and intervals.
        spec: how; the shipped spec when None.
        seed: seed of learners and folds.

    Raises:
        InputError: fewer than 30 rows of full weight with all three targets.
    """
    spec = spec or shipped_spec("hydride_thermodynamics")
    n_complete = int(_complete(rows).sum())
    if n_complete < _LEAST_COMPLETE_ROWS:
        raise InputError(
            f"{n_complete} rows have enthalpy, entropy and pressure; at least {_LEAST_COMPLETE_ROWS} are needed, "
            "add measurements"
        )
    tasks = learning_tasks(rows, spec)
    ensembles = {target: fit_ensemble(task, spec.recipe(target, seed=seed)) for target, task in tasks.items()}
    complete, held_out, folds = _held_out(ensembles, rows)
    truth = rows.loc[complete, list(TARGETS)].to_numpy(dtype=float)
    correlation = _robust_correlation(truth - np.column_stack([mean for mean, _ in held_out]))
    settled, remaining = project(ensembles, held_out, correlation)
    query = Query.of(list(rows["amounts"]), rows)
    hosts, classes = [host_amounts(a) for a in query.amounts], np.array(alloy_families(query))
    judged = [host for host, kept in zip(hosts, complete, strict=True) if kept]
    calibrations = {
        target: calibrate(
            truth[:, i],
            settled[:, i],
            remaining[:, i],
            families=classes[complete],
            strange=strange_elements_in_folds(judged, folds[target]),
        )
        for i, target in enumerate(TARGETS)
    }
    domain = domain_of(hosts, 1.0)  # strangeness is in units of the limit
    features = spec.targets[ENTHALPY].features
    names = assemble(Query.of(query.amounts[:1]), features, host=True).names
    return HydrideThermodynamics(ensembles, features, correlation, calibrations, domain, names)


def learning_tasks(rows: pd.DataFrame, spec: Spec) -> dict[str, Task]:
    """Return target -> what it is learned from.

    Args:
        rows: as for :func:`fit_thermodynamics`.
        spec: names the features and the groups.
    """
    query = Query.of(list(rows["amounts"]), rows)
    inputs, weights = assemble(query, spec.targets[ENTHALPY].features, host=True), _weights(rows)
    classes = np.array(alloy_families(query))
    tasks = {}
    for target in TARGETS:
        known = rows[target].notna().to_numpy()
        places = np.flatnonzero(known).tolist()
        tasks[target] = Task(
            inputs.values[known],
            rows[target].to_numpy(dtype=float)[known],
            rows[spec.split.group].to_numpy(dtype=str)[known],
            blocks=inputs.blocks,
            weights=np.maximum(weights[target][known], _LEAST_WEIGHT),
            scored=weights[target][known] >= 1.0,
            families=classes[known],
            amounts=[host_amounts(query.amounts[place]) for place in places],
        )
    return tasks


def _complete(rows: pd.DataFrame) -> NDArray[np.bool_]:
    """Mark rows of full weight with all three targets: those that choose weights and intervals."""
    return np.asarray(rows[list(TARGETS)].notna().all(axis=1).to_numpy() & (_weights(rows)[ENTHALPY] >= 1.0))


def _held_out(
    ensembles: Mapping[str, Ensemble], rows: pd.DataFrame
) -> tuple[NDArray[np.bool_], list[tuple[FloatArray, FloatArray]], dict[str, NDArray[np.int64]]]:
    """Return which rows are complete, and their out-of-fold answers (mean, spread) and folds by target."""
    complete = _complete(rows)
    inside = {target: complete[rows[target].notna().to_numpy()] for target in TARGETS}
    answers = [(ensembles[t].oof_mean[inside[t]], ensembles[t].oof_spread[inside[t]]) for t in TARGETS]
    return complete, answers, {t: ensembles[t].folds[inside[t]] for t in TARGETS}


def _weights(rows: pd.DataFrame) -> dict[str, FloatArray]:
    """Return target -> weight of each row, 1 where the rows state none."""
    columns = {ENTHALPY: "weight", ENTROPY: "weight", LN_PRESSURE: "pressure_weight"}
    return {
        target: rows[name].fillna(1.0).to_numpy(dtype=float) if name in rows else np.ones(len(rows))
        for target, name in columns.items()
    }


def project(
    ensembles: Mapping[str, Ensemble], answers: list[tuple[FloatArray, FloatArray]], correlation: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Move (dH, dS, ln P) onto the van 't Hoff plane by generalized least squares, row by row.

    Args:
        ensembles: target -> ensemble, whose calibration turns spreads into error scales.
        answers: mean and spread of each of ``TARGETS``, arrays of shape ``(n,)``.
        correlation: correlation of their errors, shape ``(3, 3)``.

    Returns:
        Means and standard deviations on the plane, each of shape ``(n, 3)``.
    """
    means = np.column_stack([mean for mean, _ in answers])
    stds = np.column_stack(
        [ensembles[t].calibration.error_scale(spread) for t, (_, spread) in zip(TARGETS, answers, strict=True)]
    )
    covariance = correlation[None] * stds[:, :, None] * stds[:, None, :]
    gain = covariance @ _CONSTRAINT
    variance = gain @ _CONSTRAINT
    settled = means - gain * ((means @ _CONSTRAINT) / variance)[:, None]
    remaining = np.diagonal(covariance, axis1=1, axis2=2) - gain**2 / variance[:, None]
    return settled, np.sqrt(np.maximum(remaining, 1e-12))


def _correlation_of(enthalpy_std: FloatArray, entropy_std: FloatArray, pressure_std: FloatArray) -> FloatArray:
    """Return the correlation of dH and dS that gives ln P at 25 degC its own width, within the possible range."""
    a, b = _CONSTRAINT[0] * enthalpy_std, _CONSTRAINT[1] * entropy_std
    return np.asarray(np.clip((pressure_std**2 - a**2 - b**2) / (2 * a * b), -0.999, 0.999))


def _robust_correlation(residuals: FloatArray) -> FloatArray:
    """Correlation of residuals winsorised at their 2nd and 98th percentile, shape ``(3, 3)``."""
    low, high = np.quantile(residuals, [0.02, 0.98], axis=0)
    return np.asarray(np.corrcoef(np.clip(residuals, low, high), rowvar=False))
