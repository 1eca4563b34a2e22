"""Ionic conductivity that obeys Arrhenius at every temperature.

Learned are log10 conductivity at 25 degC, and the activation energy given it; every temperature follows from
ln(sigma T) = ln(sigma_0) - Ea / (k T). Values measured elsewhere are brought to 25 degC before training, and count
the less the further they were. A conductor whose mobile ion has many training rows is answered by ensembles of
these rows alone, with its unit cell where that is known; all others by one ensemble of all rows. An upper bound
(``<1E-10``) is learned as a bound, see :mod:`hstore_models.censored`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from hstore.units import BOLTZMANN_EV_PER_K, STANDARD_TEMPERATURE_K
from hstore_models.calibration import Reach
from hstore_models.conductivity_rows import (
    CONDUCTIVITY,
    ENERGY,
    OPEN_END,
    bounds,
    near_25c,
    series_weights,
    shift_weights,
    temperatures,
    with_series_energies,
)
from hstore_models.domain import Domain, domain_of, strange_elements_in_folds
from hstore_models.ensemble import Ensemble, Task, fit_ensemble
from hstore_models.features.electrolyte import (
    LATTICE_NAMES,
    conductor_families,
    infer_mobile_ions,
    lattice_features,
    why_no_ion_moves,
)
from hstore_models.features.unit_cell import lattice_of
from hstore_models.held_out import HeldOut, of_rows
from hstore_models.inputs import Inputs, assemble
from hstore_models.learners import Learner, fit_learner
from hstore_models.prediction import Predictions, Query, interval_predictions
from hstore_models.spec import Spec, shipped_spec

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from hstore.arrays import FloatArray
    from hstore_models.ensemble import Recipe
    from hstore_models.training_data import TrainingData

REFERENCE_COLUMN = "log10_conductivity_25c"
"""Column that the spec may name as a feature of the activation energy: the conductivity predicted at 25 degC."""

ANY_ION = "any ion"
WITH_CELL = "{ion} with cell"
"""Names of the ensembles beside those named by a mobile ion alone."""

LATTICE = "lattice"

_LN10 = float(np.log(10.0))
_LEAST_ERRORS = 3
_LEAST_STD = 1e-9
_SPECIALIST_ROWS = 200
"""Training rows of a mobile ion above which other ions' rows only blur its answers."""
_FLAGGED_SHARE = 0.15
"""Share of the held-out rows, those of the largest standard deviation, that count as unlike the training rows."""
_SCORED_ROWS = 40
"""Rows that must be left to choose weights and intervals; with fewer, rows of every temperature do."""
_DRAFT = Learner("extra_trees", {"n_estimators": 200, "min_samples_leaf": 2})


@dataclass(frozen=True)
class ArrheniusLaw:
    """Laws ln(sigma T) = ln(sigma_0) - Ea / (k T) of n materials, with their errors; arrays of shape ``(n,)``."""

    log10_sigma_25c: FloatArray
    """log10 conductivity at 25 degC, S/cm."""
    energy_ev: FloatArray
    """Activation energy of sigma T, eV."""
    log10_sigma_std: FloatArray
    """Standard deviation of the first, decades."""
    energy_std: FloatArray
    """Standard deviation of the second, eV."""
    correlation: float
    """Correlation of the two errors: a conductor better than predicted has the lower barrier."""
    strangeness: FloatArray
    """Standard deviation in units of the limit beyond which a row is unlike the training rows: it knows more than
    the spread of the ensemble alone, and tells large errors a little better."""
    reach: Reach | None = None
    """How far the 90 % intervals of the first reach; those of a normal distribution when None."""
    energy_reach: Reach | None = None
    """The same of the second."""

    @property
    def log10_prefactor(self) -> FloatArray:
        """Return log10 of the prefactor sigma_0, S K/cm, shape ``(n,)``."""
        at_reference = self.energy_ev / (BOLTZMANN_EV_PER_K * STANDARD_TEMPERATURE_K * _LN10)
        return np.asarray(self.log10_sigma_25c + np.log10(STANDARD_TEMPERATURE_K) + at_reference)

    def at(self, temperature_k: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Return log10 conductivity (S/cm) at a temperature and its standard deviation, each of shape ``(n,)``."""
        shift, per_ev = arrhenius_shift(self.energy_ev, temperature_k)
        signed = np.where(temperature_k >= STANDARD_TEMPERATURE_K, per_ev, -per_ev) * self.energy_std
        joint = 2.0 * self.correlation * self.log10_sigma_std * signed
        return self.log10_sigma_25c + shift, np.sqrt(self.log10_sigma_std**2 + signed**2 + joint)

    def reach_at(self, temperature_k: FloatArray) -> Reach:
        """Return how far the intervals of log10 conductivity at a temperature reach: in the form of 25 degC."""
        at_25c = self.reach or Reach.normal(self.log10_sigma_std)
        return at_25c.scaled(self.at(temperature_k)[1] / np.maximum(at_25c.std, _LEAST_STD))


@dataclass(frozen=True)
class Conductivity:
    """log10 conductivity at any temperature, and the activation energy behind it."""

    ensembles: dict[str, Ensemble]
    """Ensembles of log10 conductivity at 25 degC, S/cm, by the rows they answer for: ``any ion``, a mobile ion
    such as ``Li``, or ``Li with cell``."""
    limits: dict[str, float]
    """Ensemble -> standard deviation beyond which a row is unlike the training rows, decades."""
    energy: Ensemble
    """Activation energy of sigma T, eV, given the conductivity predicted at 25 degC."""
    correlation: float
    """Correlation of the out-of-fold errors of log10 conductivity and activation energy."""
    features: tuple[str, ...]
    """Groups of descriptors of the conductivity, blocks of its ensembles."""
    energy_features: tuple[str, ...]
    """Groups of descriptors of the activation energy."""
    energy_columns: tuple[str, ...]
    """Columns that are features of the activation energy too."""
    domain: Domain
    """Chemistry and temperatures it was trained on."""
    feature_names: tuple[str, ...]
    """Names of the features, in order."""
    at_25c: FloatArray
    """Training values brought to 25 degC, upper bounds as recorded, shape ``(n,)``."""
    oof_mean: FloatArray
    """Out-of-fold answer at 25 degC for each training row, of the ensemble that answers for it, shape ``(n,)``."""
    oof_reach: Reach
    """How far the interval of that answer reaches."""
    folds: NDArray[np.int64]
    """Fold of each training row in that ensemble, shape ``(n,)``."""

    properties = (CONDUCTIVITY, ENERGY)

    @property
    def main(self) -> Ensemble:
        """Return the ensemble of log10 conductivity at 25 degC that was trained on every row."""
        return self.ensembles[ANY_ION]

    def law(self, query: Query) -> ArrheniusLaw:
        """Predict the Arrhenius law of each row, once for all properties of a query."""
        return query.remembered(self, lambda: self._law(query))

    def _law(self, query: Query) -> ArrheniusLaw:
        inputs = _inputs(query, self.features)
        stated = {"temperature_k": query.column("temperature_k", STANDARD_TEMPERATURE_K)}
        families, strange = conductor_families(query.composition), self.domain.strange(query.amounts, stated)
        mean, strangeness = (np.full(len(query), np.nan) for _ in range(2))
        reach = Reach.normal(np.full(len(query), np.nan))
        answers_for = np.array(_responsible(query, inputs, self.ensembles))
        for name, ensemble in self.ensembles.items():
            rows = np.flatnonzero(answers_for == name)
            if len(rows):
                mean[rows], spread = ensemble.mean_and_spread(inputs.values[rows])
                own = [families[row] for row in rows]
                reach.put(rows, ensemble.calibration.reach(spread, mean[rows], own, strange[rows]))
                strangeness[rows] = reach.std[rows] / self.limits[name]
        energy, spread = self.energy.mean_and_spread(self._energy_inputs(query, mean))
        of_energy = self.energy.calibration.reach(spread, energy, families, strange)
        stds = reach.std, of_energy.std
        return ArrheniusLaw(mean, energy, *stds, self.correlation, strangeness, reach, of_energy)

    def _energy_inputs(self, query: Query, mean: FloatArray) -> FloatArray:
        return _energy_inputs(query, self.energy_features, self.energy_columns, mean).values

    def predict(self, property_name: str, query: Query) -> Predictions:
        """Predict log10 conductivity at ``temperature_k`` of each row (25 degC if not stated), or Ea.

        The columns of :data:`~hstore_models.features.unit_cell.CELL_COLUMNS` give the unit cell where it is known.
        """
        law = self.law(query)
        temperature_k = query.column("temperature_k", STANDARD_TEMPERATURE_K)
        unlike = self.domain.reasons(query.amounts, law.strangeness, {"temperature_k": temperature_k})
        reasons = [
            "; ".join(filter(None, both)) for both in zip(why_no_ion_moves(query.composition), unlike, strict=True)
        ]
        if property_name == ENERGY:
            reach = law.energy_reach or Reach.normal(law.energy_std)
            return interval_predictions(property_name, law.energy_ev, reach, reasons, low=0.0)
        return interval_predictions(property_name, law.at(temperature_k)[0], law.reach_at(temperature_k), reasons)

    def held_out(self, data: TrainingData, *, group: str) -> dict[str, HeldOut]:
        """Return the out-of-fold predictions: conductivities measured near 25 degC, and activation energies.

        Args:
            data: the training data.
            group: column of what was held out together.
        """
        query = Query.of(list(data.rows["amounts"]))
        table = data.rows.reset_index(drop=True).assign(family=conductor_families(query.composition))
        near, known = near_25c(table), np.isfinite(with_series_energies(table))
        sigma = of_rows(
            table[near], self.at_25c[near], (self.oof_mean[near], self.oof_reach.take(near), self.folds[near]),
            "log10(S/cm) at 25 degC", group=group, unasked=("temperature_k",),
        )  # fmt: skip
        energy, of_energy = self.energy, table[known]
        answer = (energy.oof_mean, _oof_reach(energy, of_energy), energy.folds)
        return {CONDUCTIVITY: sigma, ENERGY: of_rows(of_energy, energy.target, answer, "eV", group=group)}


def arrhenius_shift(energy_ev: FloatArray, temperature_k: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return log10 sigma(T) - log10 sigma(25 degC), and its magnitude per eV of activation energy.

    Args:
        energy_ev: activation energy of sigma T, shape ``(n,)``.
        temperature_k: temperature, shape ``(n,)``.
    """
    per_ev = (1 / STANDARD_TEMPERATURE_K - 1 / temperature_k) / (BOLTZMANN_EV_PER_K * _LN10)
    return energy_ev * per_ev + np.log10(STANDARD_TEMPERATURE_K / temperature_k), np.abs(per_ev)


def fit_conductivity(rows: pd.DataFrame, *, spec: Spec | None = None, seed: int = 0) -> Conductivity:
    """Fit the conductivity model.

    Args:
        rows: columns ``amounts``, ``composition``, ``chemical_system``, ``source``, ``reference``,
            ``temperature_k``, ``log10_conductivity_s_per_cm`` and ``activation_energy_ev`` (NaN where not
            reported); ``censored`` (true where the conductivity is an upper bound) and the columns of
            :data:`~hstore_models.features.unit_cell.CELL_COLUMNS` where known.
        spec: how; the shipped spec when None. Its learners that see the block ``lattice`` answer for rows whose
            unit cell is known, the others for all others.
        seed: seed of learners and folds.

    Raises:
        InputError: fewer than two groups of rows, or of rows with an activation energy.
    """
    spec = spec or shipped_spec("conductivity")
    of_sigma, of_energy = spec.targets[CONDUCTIVITY], spec.targets[ENERGY]
    query, inputs, table, energies = _prepared(rows, spec, seed=seed)
    known = np.isfinite(energies)
    fitted = _fit_ensembles(table, inputs, spec=spec, seed=seed)
    ensembles = {name: ensemble for name, (ensemble, _) in fitted.items()}
    limits = {name: limit for name, (_, limit) in fitted.items()}
    answers_for = np.array(_responsible(query, inputs, ensembles))
    mean, reach, folds = _held_out(table, ensembles, answers_for)
    energy = _fit_energy(query, table, energies, mean, spec=spec, seed=seed)
    return Conductivity(
        ensembles=ensembles,
        limits=limits,
        energy=energy,
        correlation=_correlation(
            table["at_25c"].to_numpy()[known] - mean[known], energies[known] - energy.oof_mean
        ),
        features=of_sigma.features,
        energy_features=of_energy.features,
        energy_columns=of_energy.columns,
        domain=domain_of(query.amounts, 1.0, {"temperature_k": temperatures(table)}),
        feature_names=inputs.names,
        at_25c=table["at_25c"].to_numpy(dtype=float),
        oof_mean=mean,
        oof_reach=reach,
        folds=folds,
    )


def learning_task(rows: pd.DataFrame, spec: Spec, *, seed: int = 0) -> Task:
    """Return what log10 conductivity at 25 degC is learned from, for any ion: what parameters are searched on.

    Args:
        rows: as for :func:`fit_conductivity`.
        spec: names the features and the groups.
        seed: seed of the draft of activation energies that are not known.
    """
    _, inputs, table, _ = _prepared(rows, spec, seed=seed)
    every = np.ones(len(table), dtype=bool)
    return _task(table, inputs, rows=every, judged=every, group=spec.split.group)


def _prepared(rows: pd.DataFrame, spec: Spec, *, seed: int) -> tuple[Query, Inputs, pd.DataFrame, FloatArray]:
    """Return query, descriptors, rows brought to 25 degC with their weights, and activation energies."""
    table = rows.reset_index(drop=True)
    query = Query.of(list(table["amounts"]), table)
    inputs = _inputs(query, spec.targets[CONDUCTIVITY].features)
    table = table.assign(family=conductor_families(query.composition), ion=infer_mobile_ions(query.composition))
    energies = with_series_energies(table)
    shift, per_ev = arrhenius_shift(_draft_energies(query, inputs, energies, seed=seed), temperatures(table))
    table["at_25c"] = table[CONDUCTIVITY].to_numpy(dtype=float) - shift
    table["weight"] = series_weights(table) * shift_weights(per_ev, measured=np.isfinite(energies))
    return query, inputs, table, energies


def _inputs(query: Query, features: tuple[str, ...]) -> Inputs:
    """Return the descriptors of the compositions and, as the last block, of the unit cells of a query."""
    inputs = assemble(query, [name for name in features if name != LATTICE], host=False)
    if LATTICE not in features:
        return inputs
    values = lattice_features(query.composition, lattice_of(query.frame, query.composition))
    start = len(inputs.names)
    return Inputs(
        np.column_stack([inputs.values, values]),
        (*inputs.names, *LATTICE_NAMES),
        {**inputs.blocks, LATTICE: np.arange(start, start + len(LATTICE_NAMES))},
    )


def _energy_inputs(query: Query, features: tuple[str, ...], columns: tuple[str, ...], mean: FloatArray) -> Inputs:
    """Return the descriptors of the activation energy; the conductivity at 25 degC is the predicted one."""
    frame = query.frame.assign(**{REFERENCE_COLUMN: mean})
    return assemble(replace(query, frame=frame), features, columns, host=False)


def _responsible(query: Query, inputs: Inputs, ensembles: dict[str, Ensemble]) -> list[str]:
    """Name the ensemble that answers for each row."""
    ions = infer_mobile_ions(query.composition)
    cells = _has_cell(inputs)
    names = []
    for ion, cell in zip(ions, cells, strict=True):
        wanted = [WITH_CELL.format(ion=ion)] if cell else []
        names.append(next((name for name in (*wanted, ion) if name in ensembles), ANY_ION))
    return names


def _has_cell(inputs: Inputs) -> NDArray[np.bool_]:
    if LATTICE not in inputs.blocks:
        return np.zeros(len(inputs.values), dtype=bool)
    return np.asarray(np.isfinite(inputs.values[:, inputs.blocks[LATTICE][0]]))


def _fit_ensembles(
    table: pd.DataFrame, inputs: Inputs, *, spec: Spec, seed: int
) -> dict[str, tuple[Ensemble, float]]:
    """Fit an ensemble for any ion, and for each ion of many rows one without and one with the unit cell.

    Each comes with the limit of its standard deviation.
    """
    recipe = spec.recipe(CONDUCTIVITY, seed=seed)
    seeing = tuple(learner for learner in recipe.learners if not learner.blocks or LATTICE in learner.blocks)
    blind = tuple(learner for learner in recipe.learners if learner not in seeing)
    plain = replace(recipe, learners=blind or recipe.learners)
    counts = table["ion"].value_counts()
    ions = sorted(str(ion) for ion in counts.index[counts >= _SPECIALIST_ROWS] if ion)
    every = np.ones(len(table), dtype=bool)
    special = table["ion"].isin(ions).to_numpy()
    group = spec.split.group
    fitted = {ANY_ION: _fit(table, inputs, plain, rows=every, judged=~special, group=group)}
    cells = _has_cell(inputs)
    for ion in ions:
        own = (table["ion"] == ion).to_numpy()
        fitted[ion] = _fit(table, inputs, plain, rows=own, judged=own, group=group)
        if blind and seeing and (own & cells & near_25c(table)).sum() >= _SCORED_ROWS:
            with_cell = replace(recipe, learners=seeing)
            fitted[WITH_CELL.format(ion=ion)] = _fit(
                table, inputs, with_cell, rows=own, judged=own & cells, group=group
            )
    return fitted


def _fit_energy(
    query: Query, table: pd.DataFrame, energies: FloatArray, mean: FloatArray, *, spec: Spec, seed: int
) -> Ensemble:
    """Fit the activation energy given the out-of-fold conductivity, as it will be asked for."""
    wanted, known, group = spec.targets[ENERGY], np.isfinite(energies), spec.split.group
    inputs = _energy_inputs(query, wanted.features, wanted.columns, mean)
    own, truth = table[known], energies[known]
    task = Task(
        inputs.values[known],
        truth,
        own[group].to_numpy(dtype=str),
        blocks=inputs.blocks,
        weights=series_weights(table)[known],
        families=own["family"].to_numpy(),
        amounts=list(own["amounts"]),
    )
    return fit_ensemble(task, spec.recipe(ENERGY, seed=seed))


def _fit(
    table: pd.DataFrame,
    inputs: Inputs,
    recipe: Recipe,
    *,
    rows: NDArray[np.bool_],
    judged: NDArray[np.bool_],
    group: str,
) -> tuple[Ensemble, float]:
    """Fit an ensemble on some rows; return it and the limit of its standard deviation."""
    task = _task(table, inputs, rows=rows, judged=judged, group=group)
    ensemble = fit_ensemble(task, recipe)
    std = _oof_reach(ensemble, table[rows]).std[task.counted]
    return ensemble, float(np.quantile(std, 1.0 - _FLAGGED_SHARE))


def _task(
    table: pd.DataFrame, inputs: Inputs, *, rows: NDArray[np.bool_], judged: NDArray[np.bool_], group: str
) -> Task:
    """Return some rows to learn from; those that are judged, near 25 degC, choose weights and intervals."""
    scored = next(
        (wish for wish in (judged & near_25c(table), judged) if (rows & wish).sum() >= _SCORED_ROWS), rows
    )  # fmt: skip
    own = table[rows]
    return Task(
        inputs.values[rows],
        own["at_25c"].to_numpy(dtype=float),
        own[group].to_numpy(dtype=str),
        blocks=inputs.blocks,
        weights=own["weight"].to_numpy(dtype=float),
        scored=scored[rows],
        bounds=bounds(own),
        open_end=OPEN_END,
        families=own["family"].to_numpy(),
        amounts=list(own["amounts"]),
    )


def _oof_reach(ensemble: Ensemble, own: pd.DataFrame) -> Reach:
    """Return how far the intervals of out-of-fold answers reach, for the rows of the ensemble."""
    strange = strange_elements_in_folds(list(own["amounts"]), ensemble.folds)
    return ensemble.calibration.reach(ensemble.oof_spread, ensemble.oof_mean, own["family"].to_numpy(), strange)


def _held_out(
    table: pd.DataFrame, ensembles: dict[str, Ensemble], answers_for: NDArray[np.str_]
) -> tuple[FloatArray, Reach, NDArray[np.int64]]:
    """Return out-of-fold mean, reach and fold of each row from the ensemble that answers for it."""
    mean, folds = np.empty(len(table)), np.empty(len(table), dtype=np.int64)
    reach = Reach.normal(np.empty(len(table)))
    for name, ensemble in ensembles.items():
        trained = (
            np.ones(len(table), dtype=bool)
            if name == ANY_ION
            else (table["ion"] == name.partition(" ")[0]).to_numpy()
        )
        errors = _oof_reach(ensemble, table[trained])
        chosen = answers_for[trained] == name
        rows = np.flatnonzero(trained)[chosen]
        mean[rows], folds[rows] = ensemble.oof_mean[chosen], ensemble.folds[chosen]
        reach.put(rows, errors.take(chosen))
    return mean, reach, folds


def _correlation(one: FloatArray, other: FloatArray) -> float:
    """Correlation of two errors by their ranks, so that a few outliers do not set it; 0 where not defined."""
    if len(one) < _LEAST_ERRORS:
        return 0.0
    found = np.corrcoef(pd.Series(one).rank(), pd.Series(other).rank())[0, 1]
    return float(np.clip(np.nan_to_num(found), -0.95, 0.95))


def _draft_energies(query: Query, inputs: Inputs, energies: FloatArray, *, seed: int) -> FloatArray:
    """Fill activation energies that are not known from the compositions of those that are."""
    known = np.isfinite(energies)
    if not known.any():
        return np.full(len(query), np.nan)
    columns = np.concatenate([part for name, part in inputs.blocks.items() if name != LATTICE])
    seen = inputs.values[:, columns]
    draft = fit_learner(_DRAFT, seen[known], energies[known], np.ones(int(known.sum())), seed=seed)
    return np.where(known, energies, draft.predict(seen)[0])
