"""Any property of a table, learned from its formulas and columns: what a spec of the user's own makes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from hstore.errors import InputError
from hstore_models.domain import Domain, domain_of, strange_elements_in_folds
from hstore_models.ensemble import Ensemble, Task, fit_ensemble
from hstore_models.held_out import HeldOut, of_ensemble
from hstore_models.inputs import assemble
from hstore_models.prediction import Predictions, Query, interval_predictions
from hstore_models.split_labels import inferred_families

if TYPE_CHECKING:
    from hstore_models.spec import Spec
    from hstore_models.training_data import TrainingData

LEAST_ROWS = 10
"""Rows without which nothing is learned."""


@dataclass(frozen=True)
class TableProperty:
    """A property learned from formulas and columns alone."""

    target: str
    """Name of the property, unit included where it has one."""
    unit: str
    """Its unit."""
    ensemble: Ensemble
    """What answers."""
    features: tuple[str, ...]
    """Groups of descriptors of the composition."""
    columns: tuple[str, ...]
    """Columns of the table that are features too."""
    domain: Domain
    """Chemistry and ranges of the columns it was trained on."""
    feature_names: tuple[str, ...]
    """Names of the features, in order."""
    host: bool = False
    """True where the features are those of the materials without their hydrogen."""

    @property
    def properties(self) -> tuple[str, ...]:
        """The one property."""
        return (self.target,)

    @property
    def main(self) -> Ensemble:
        """Ensemble whose features and importances stand for the model."""
        return self.ensemble

    def predict(self, property_name: str, query: Query) -> Predictions:
        """Predict the property for each row of a query."""
        inputs = assemble(query, self.features, self.columns, host=self.host)
        mean, spread = self.ensemble.mean_and_spread(inputs.values)
        stated = {name: query.column(name) for name in self.columns}
        strange = self.domain.strange(query.amounts, stated)
        reach = self.ensemble.calibration.reach(spread, mean, inferred_families(query.amounts), strange)
        reasons = self.domain.reasons(query.amounts, spread, stated)
        low, high = self.ensemble.low, self.ensemble.high
        return interval_predictions(property_name, mean, reach, reasons, low=low, high=high)

    def held_out(self, data: TrainingData, *, group: str) -> dict[str, HeldOut]:
        """Return the out-of-fold predictions of the training rows.

        Args:
            data: the training data.
            group: column of what was held out together.
        """
        amounts = list(data.rows["amounts"])
        rows = data.rows.assign(family=inferred_families(amounts))
        strange = strange_elements_in_folds(amounts, self.ensemble.folds)
        return {self.target: of_ensemble(self.ensemble, rows, self.unit, group=group, strange=strange)}


def fit_table_property(rows: pd.DataFrame, spec: Spec, *, seed: int = 0) -> TableProperty:
    """Fit the model of a spec of kind ``property``.

    Args:
        rows: columns ``amounts``, the target, the columns that are features, and the one that is held out by;
            ``weight`` where rows count less.
        spec: how.
        seed: seed of learners and folds.

    Raises:
        InputError: fewer than ten rows, or the column that is held out by is not there.
    """
    target, wanted = next(iter(spec.targets.items()))
    if len(rows) < LEAST_ROWS:
        raise InputError(f"{len(rows)} rows have {target}; at least {LEAST_ROWS} are needed, add measurements")
    if spec.split.group not in rows:
        raise InputError(
            f"no column {spec.split.group!r} to split by; set split.group to one of the table's columns"
        )
    task, names = learning_task(rows, spec)
    ensemble = fit_ensemble(task, spec.recipe(target, seed=seed, names=names))
    ranges = {name: pd.to_numeric(rows[name]).to_numpy(dtype=float) for name in wanted.columns if name in rows}
    domain = domain_of(list(rows["amounts"]), ensemble.calibration.spread_limit, ranges)
    return TableProperty(target, spec.unit, ensemble, wanted.features, wanted.columns, domain, names, wanted.host)


def learning_task(rows: pd.DataFrame, spec: Spec) -> tuple[Task, tuple[str, ...]]:
    """Return what the property is learned from, and the names of the features.

    Args:
        rows: as for :func:`fit_table_property`.
        spec: names the features and the groups.
    """
    target, wanted = next(iter(spec.targets.items()))
    amounts = list(rows["amounts"])
    query = Query.of(amounts, rows.reindex(columns=list(wanted.columns)))
    inputs = assemble(query, wanted.features, wanted.columns, host=wanted.host)
    task = Task(
        inputs.values,
        rows[target].to_numpy(dtype=float),
        rows[spec.split.group].to_numpy(dtype=str),
        blocks=inputs.blocks,
        weights=rows["weight"].fillna(1.0).to_numpy(dtype=float) if "weight" in rows else None,
        families=np.array(inferred_families(amounts)),
        amounts=amounts,
    )
    return task, inputs.names
