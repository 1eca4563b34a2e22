"""Predictions made with a row's whole group held out: what scores and sanity checks are computed from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from hstore_models.coverage import by_family
from hstore_models.metrics import interval_scores, regression_scores
from hstore_models.prediction import Query
from hstore_models.score import Score, family_scores
from hstore_models.splits import split_hash

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from hstore.arrays import FloatArray
    from hstore_models.calibration import Reach
    from hstore_models.ensemble import Ensemble


@dataclass(frozen=True)
class HeldOut:
    """Known values and held-out predictions of one property, arrays of shape ``(n,)``."""

    unit: str
    """Unit in which truth and prediction are compared."""
    label: NDArray[np.object_]
    """Formula or name of each row."""
    source: NDArray[np.object_]
    """Data set of each row."""
    group: NDArray[np.object_]
    """What was held out together with each row, such as its chemical system."""
    family: NDArray[np.object_]
    """Family or alloy class of each row, as the model sees it."""
    truth: NDArray[np.float64]
    """Known value."""
    mean: NDArray[np.float64]
    """Prediction with the row's group held out."""
    reach: Reach
    """How far the 90 % interval of that prediction reaches."""
    folds: NDArray[np.int64]
    """Fold of each row."""
    asked: pd.DataFrame | None
    """What another model has to be asked to be compared: ``amounts`` where rows have a formula, conditions and
    descriptors; None where a prediction is not what was measured."""

    def query(self) -> Query | None:
        """Ask for the same rows again; None where a prediction would not be comparable."""
        if self.asked is None:
            return None
        amounts = list(self.asked["amounts"]) if "amounts" in self.asked else [{}] * len(self.asked)
        return Query.of(amounts, self.asked)

    @property
    def lower(self) -> NDArray[np.float64]:
        """Lower ends of the 90 % intervals, shape ``(n,)``."""
        return np.asarray(self.mean - self.reach.below)

    @property
    def upper(self) -> NDArray[np.float64]:
        """Upper ends of the 90 % intervals, shape ``(n,)``."""
        return np.asarray(self.mean + self.reach.above)

    def score(self) -> Score:
        """Score the predictions; the baseline of a fold is the mean of the other folds."""
        baseline = np.empty(len(self.truth))
        for fold in np.unique(self.folds):
            baseline[self.folds == fold] = self.truth[self.folds != fold].mean()
        values: dict[str, Any] = regression_scores(self.truth, self.mean, baseline=baseline)
        values |= interval_scores(self.truth, self.lower, self.upper)
        inside = (self.truth >= self.lower) & (self.truth <= self.upper)
        error, width, groups = np.abs(self.truth - self.mean), self.upper - self.lower, self.group.astype(str)
        sources = ", ".join(sorted({str(name) for name in self.source}))
        return Score(
            unit=self.unit,
            subset=f"training rows of {sources}, with whole groups held out",
            split_hash=split_hash([str(label) for label in self.label], self.folds),
            by_family=family_scores(by_family(self.family.astype(str), error, inside, width, groups)),
            **{k: round(v, 4) if np.isfinite(v) else None for k, v in values.items()},
        )

    def frame(self, property_name: str) -> pd.DataFrame:
        """Return the rows, one for each known value.

        Columns: ``property, unit, label, source, group, family, measured, predicted, lower, upper, fold``.
        """
        return pd.DataFrame(
            {
                "property": property_name,
                "unit": self.unit,
                "label": self.label,
                "source": self.source,
                "group": self.group,
                "family": self.family,
                "measured": self.truth,
                "predicted": self.mean,
                "lower": self.lower,
                "upper": self.upper,
                "fold": self.folds,
            }
        )


def of_ensemble(
    ensemble: Ensemble,
    rows: pd.DataFrame,
    unit: str,
    *,
    group: str,
    strange: NDArray[np.bool_] | None = None,
    scored: NDArray[np.bool_] | None = None,
    labels: Sequence[str] | None = None,
) -> HeldOut:
    """Return the out-of-fold predictions of an ensemble for the rows it was fitted on.

    Args:
        ensemble: the ensemble.
        rows: its training rows, in order, with the columns ``formula``, ``source`` and ``family``.
        unit: unit in which truth and prediction are compared.
        group: column of what was held out together.
        strange: rows with an element that hardly any row of the other folds contains.
        scored: rows that are scored; all when None.
        labels: families by which the intervals are made; the column ``family`` when None.
    """
    families = np.asarray(rows["family"] if labels is None else labels, dtype=str)
    reach = ensemble.calibration.reach(ensemble.oof_spread, ensemble.oof_mean, families, strange)
    kept = np.ones(len(rows), dtype=bool) if scored is None else scored
    answer = (ensemble.oof_mean[kept], reach.take(kept), ensemble.folds[kept])
    return of_rows(rows[kept].reset_index(drop=True), ensemble.target[kept], answer, unit, group=group)


def of_rows(
    rows: pd.DataFrame,
    truth: FloatArray,
    answer: tuple[FloatArray, Reach, NDArray[np.int64]],
    unit: str,
    *,
    group: str,
    unasked: Sequence[str] = (),
    comparable: bool = True,
) -> HeldOut:
    """Return held-out predictions of rows with the columns ``formula``, ``source`` and ``family``.

    Args:
        rows: the rows, in order.
        truth: known values, shape ``(n,)``.
        answer: mean, reach of the interval and fold of each row, each of shape ``(n,)``.
        unit: unit in which truth and prediction are compared.
        group: column of what was held out together.
        unasked: columns that are no conditions of the answer, such as a temperature the values do not belong to.
        comparable: False where a prediction is not what was measured, such as total for excess uptake.
    """
    label, source, groups, family = (
        rows[name].to_numpy(dtype=object) for name in ("formula", "source", group, "family")
    )
    asked = rows.drop(columns=list(unasked), errors="ignore").reset_index(drop=True)
    return HeldOut(unit, label, source, groups, family, truth, *answer, asked if comparable else None)
