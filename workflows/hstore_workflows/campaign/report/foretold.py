"""How well what was told before measuring held."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from hstore_models.calibration import COVERAGE
from hstore_workflows.campaign.landscape import LOGARITHMIC

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hstore_workflows.campaign.standing import Standing

_LEVEL = 0.9


@dataclass(frozen=True)
class Foretold:
    """One measured value and what was predicted when its experiment was proposed."""

    number: int
    """Number of the experiment."""
    formula: str
    """Formula of the material."""
    column: str
    """What was measured."""
    measured: float
    """Measured value."""
    predicted: float
    """Predicted mean."""
    lower: float
    """Lower end of the 90 % interval that was told."""
    upper: float
    """Upper end."""

    @property
    def inside(self) -> bool:
        """True where the measured value lies in the interval."""
        return self.lower <= self.measured <= self.upper


@dataclass(frozen=True)
class Holding:
    """How often the intervals of a column held, and how far the predictions erred."""

    column: str
    """What was measured."""
    n: int
    """Values with a prediction."""
    inside: int
    """Values inside their 90 % interval."""
    low: float
    """Lower end of the 90 % interval of the share inside (Clopper and Pearson)."""
    high: float
    """Upper end."""
    mae: float
    """Mean absolute error of the predictions; of pressures, of their natural logarithm."""
    mae_of_mean: float
    """The same for the mean of the measured values, which knows nothing of the candidates."""

    @property
    def words(self) -> str:
        """Say whether the intervals hold what they promise."""
        if self.low > COVERAGE:
            return "wider than they need be"
        return "too narrow" if self.high < COVERAGE else "no contradiction to 90 %"


def foretold(standing: Standing) -> list[Foretold]:
    """Return all measured values whose experiment was proposed with a prediction, in order."""
    found = []
    for experiment in standing.experiments:
        attributes = experiment.entry.attributes
        predictions = attributes.get("predictions") or {}
        if not experiment.live:
            continue
        for column, value in experiment.values.items():
            told = predictions.get(column)
            if told is not None:
                formula = str(attributes.get("formula", experiment.entry.material_id))
                numbers = (float(told[name]) for name in ("mean", "lower", "upper"))
                found.append(Foretold(experiment.entry.number, formula, column, value, *numbers))
    return found


def holdings(values: Sequence[Foretold]) -> list[Holding]:
    """Return how well predictions held, column by column."""
    from scipy.stats import beta

    groups: dict[str, list[Foretold]] = defaultdict(list)
    for one in values:
        groups[one.column].append(one)
    found = []
    for column, held in groups.items():
        n, inside = len(held), sum(one.inside for one in held)
        tail = (1.0 - _LEVEL) / 2.0
        low = float(beta.ppf(tail, inside, n - inside + 1)) if inside else 0.0
        high = float(beta.ppf(1.0 - tail, inside + 1, n - inside)) if inside < n else 1.0
        measured, predicted = (np.array([getattr(one, k) for one in held]) for k in ("measured", "predicted"))
        if column in LOGARITHMIC:
            measured, predicted = np.log(measured), np.log(predicted)
        errors = np.abs(measured - predicted)
        flat = float(np.abs(measured - measured.mean()).mean())
        found.append(Holding(column, n, inside, low, high, float(errors.mean()), flat))
    return found
