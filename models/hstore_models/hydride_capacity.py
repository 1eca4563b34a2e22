"""Capacity of hydrides: learned for alloys, stoichiometry times a learned release for formulas with hydrogen."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from hstore.pairing import anion_class, host_amounts
from hstore_models.calibration import Reach
from hstore_models.domain import Domain, domain_of, strange_elements_in_folds
from hstore_models.ensemble import Ensemble, Task, fit_ensemble
from hstore_models.features.alloy import infer_alloy_class
from hstore_models.held_out import HeldOut, of_ensemble
from hstore_models.inputs import Inputs, alloy_families, assemble
from hstore_models.prediction import Predictions, Query, interval_predictions
from hstore_models.representation import stoichiometric_capacity_wt_pct
from hstore_models.spec import Spec, TargetSpec, shipped_spec

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pandas as pd

    from hstore.arrays import FloatArray
    from hstore_models.training_data import TrainingData

CAPACITY = "h2_capacity_wt_pct"

CAPACITY_DEFAULTS: Mapping[str, float] = {"temperature_k": 300.0, "reversible": 0.0}
"""Column -> value taken where a table does not state it: maximum capacity measured at room temperature."""

_LEAST_RELEASE_STD = 0.05


@dataclass(frozen=True)
class HydrideCapacity:
    """Capacity: learned for alloys, stoichiometric times a learned release for hydrides that state their H."""

    ensemble: Ensemble
    """Capacity of alloys, wt% of hydrogenated material."""
    features: tuple[str, ...]
    """Groups of descriptors, of the host."""
    columns: tuple[str, ...]
    """Columns of the table that are features too."""
    release: dict[str, tuple[float, float]]
    """Class of molecular anion ("" for none) -> mean and standard deviation of released / stoichiometric H."""
    domain: Domain
    """Chemistry and temperatures the alloys of the training rows span."""
    hydride_domain: Domain
    """Chemistry of all training rows, for formulas that state their hydrogen."""
    feature_names: tuple[str, ...]
    """Names of the features, in order."""

    properties = (CAPACITY,)

    @property
    def main(self) -> Ensemble:
        """Ensemble whose features and importances stand for the model."""
        return self.ensemble

    def held_out(self, data: TrainingData, *, group: str) -> dict[str, HeldOut]:
        """Return the out-of-fold predictions of the alloys among the training rows.

        Args:
            data: the training data.
            group: column of what was held out together.
        """
        alloys = data.rows[["H" not in a for a in data.rows["amounts"]]].reset_index(drop=True)
        query = Query.of(list(alloys["amounts"]), alloys)
        alloys = alloys.assign(family=infer_alloy_class(query.host))
        strange = strange_elements_in_folds(list(alloys["amounts"]), self.ensemble.folds)
        scored = _weights(alloys) >= 1.0
        return {
            CAPACITY: of_ensemble(
                self.ensemble,
                alloys,
                "wt%",
                group=group,
                strange=strange,
                scored=scored,
                labels=alloy_families(query),
            )
        }

    def predict(self, property_name: str, query: Query) -> Predictions:
        """Predict the capacity.

        ``temperature_k`` (300 K if not stated) is that of the absorption measurement; ``reversible`` is 1 for the
        reversible instead of the maximum capacity.
        """
        inputs = assemble(query, self.features, self.columns, host=True, defaults=CAPACITY_DEFAULTS)
        mean, spread = self.ensemble.mean_and_spread(inputs.values)
        stated = {"temperature_k": query.column("temperature_k")}
        classes, strange = alloy_families(query), self.domain.strange(query.amounts, stated)
        reach = self.ensemble.calibration.reach(spread, mean, classes, strange)
        reasons = self.domain.reasons(query.amounts, spread, stated)
        rows = np.flatnonzero(query.hydrogen)
        if len(rows):
            hydrides = [query.amounts[row] for row in rows.tolist()]
            unseen = self.hydride_domain.reasons(hydrides, np.zeros(len(rows)))
            share, uncertainty = np.array([self.release[name] for name in query.anions[rows].tolist()]).T
            stoichiometric = np.array([stoichiometric_capacity_wt_pct(amounts) for amounts in hydrides])
            widened = np.where([reason != "" for reason in unseen], self.ensemble.calibration.strange_factor, 1.0)
            mean[rows] = share * stoichiometric
            reach.put(rows, Reach.normal(widened * uncertainty * stoichiometric))
            for row, reason in zip(rows.tolist(), unseen, strict=True):
                reasons[row] = reason
        return interval_predictions(property_name, mean, reach, reasons, low=0.0)


def fit_capacity(rows: pd.DataFrame, *, spec: Spec | None = None, seed: int = 0) -> HydrideCapacity:
    """Fit the capacity model.

    Args:
        rows: columns ``amounts`` (with hydrogen where the source states the hydride), ``chemical_system``,
            ``h2_capacity_wt_pct``, ``temperature_k`` (NaN where not stated) and the other columns the spec names.
        spec: how; the shipped spec when None.
        seed: seed of learners and folds.
    """
    spec = spec or shipped_spec("hydride_capacity")
    hydrogenated = np.array(["H" in a for a in rows["amounts"]])
    alloys, wanted = rows[~hydrogenated], spec.targets[CAPACITY]
    ensemble = fit_ensemble(learning_task(rows, spec), spec.recipe(CAPACITY, seed=seed))
    ranges = {"temperature_k": alloys["temperature_k"].to_numpy(dtype=float)}
    domain = domain_of(list(alloys["amounts"]), ensemble.calibration.spread_limit, ranges)
    names = _inputs(alloys.iloc[:1], wanted).names
    return HydrideCapacity(
        ensemble=ensemble,
        features=wanted.features,
        columns=wanted.columns,
        release=_release(rows[hydrogenated]),
        domain=domain,
        hydride_domain=domain_of([host_amounts(a) for a in rows["amounts"]], np.inf),
        feature_names=names,
    )


def learning_task(rows: pd.DataFrame, spec: Spec) -> Task:
    """Return what the capacity of alloys is learned from.

    Args:
        rows: as for :func:`fit_capacity`; ``weight`` below 1 where a row helps to learn and is not scored.
        spec: names the features and the groups.
    """
    alloys = rows[["H" not in a for a in rows["amounts"]]]
    inputs = _inputs(alloys, spec.targets[CAPACITY])
    weights = _weights(alloys)
    amounts = list(alloys["amounts"])
    return Task(
        inputs.values,
        alloys[CAPACITY].to_numpy(dtype=float),
        alloys[spec.split.group].to_numpy(dtype=str),
        blocks=inputs.blocks,
        weights=weights,
        scored=weights >= 1.0,
        families=alloy_families(Query.of(amounts, alloys)),
        amounts=amounts,
    )


def _weights(alloys: pd.DataFrame) -> FloatArray:
    """Return the weight of each row, 1 where the rows state none, shape ``(n,)``."""
    if "weight" not in alloys:
        return np.ones(len(alloys))
    return np.asarray(alloys["weight"].fillna(1.0).to_numpy(dtype=float))


def _inputs(alloys: pd.DataFrame, wanted: TargetSpec) -> Inputs:
    query = Query.of(list(alloys["amounts"]), alloys.reindex(columns=list(wanted.columns)))
    return assemble(query, wanted.features, wanted.columns, host=True, defaults=CAPACITY_DEFAULTS)


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
