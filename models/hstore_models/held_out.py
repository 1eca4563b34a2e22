"""Predictions made with a row's whole group held out: what scores and sanity checks are computed from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from hstore.properties import get_property
from hstore_models.conductivity import Conductivity
from hstore_models.forest import NORMAL_QUANTILE, CalibratedForest
from hstore_models.hydride import HydrideCapacity, HydrideThermodynamics
from hstore_models.metrics import interval_scores, regression_scores
from hstore_models.score import Score
from hstore_models.sorbent import SorbentUptake, left_out_uptakes, regime, with_texture

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from hstore_models.registry import PropertyModel
    from hstore_models.training_data import TrainingData

_ENTHALPY = "desorption_enthalpy_kj_per_mol_h2"


@dataclass(frozen=True)
class HeldOut:
    """Known values and held-out predictions of one property, arrays of shape ``(n,)``."""

    unit: str
    """Unit in which truth and prediction are compared."""
    label: NDArray[np.object_]
    """Formula or name of each row."""
    source: NDArray[np.object_]
    """Data set of each row."""
    truth: NDArray[np.float64]
    """Known value."""
    mean: NDArray[np.float64]
    """Prediction with the row's group held out."""
    std: NDArray[np.float64]
    """Standard deviation of that prediction."""
    folds: NDArray[np.int64]
    """Fold of each row."""

    def score(self) -> Score:
        """Score the predictions; the baseline of a fold is the mean of the other folds."""
        baseline = np.empty(len(self.truth))
        for fold in np.unique(self.folds):
            baseline[self.folds == fold] = self.truth[self.folds != fold].mean()
        half = NORMAL_QUANTILE * self.std
        values: dict[str, Any] = regression_scores(self.truth, self.mean, baseline=baseline)
        values |= interval_scores(self.truth, self.mean - half, self.mean + half)
        return Score(unit=self.unit, **{k: round(v, 4) if np.isfinite(v) else None for k, v in values.items()})

    def frame(self, property_name: str) -> pd.DataFrame:
        """Return columns ``property, unit, label, source, measured, predicted, lower, upper``."""
        half = NORMAL_QUANTILE * self.std
        return pd.DataFrame(
            {
                "property": property_name,
                "unit": self.unit,
                "label": self.label,
                "source": self.source,
                "measured": self.truth,
                "predicted": self.mean,
                "lower": self.mean - half,
                "upper": self.mean + half,
            }
        )


def out_of_fold(model: PropertyModel, data: TrainingData) -> dict[str, HeldOut]:
    """Return the held-out predictions of each property of a freshly fitted or saved model.

    Args:
        model: the model.
        data: the rows it was trained on, in the same order.
    """
    if isinstance(model, HydrideThermodynamics):
        return _thermodynamics(model, data.rows)
    if isinstance(model, HydrideCapacity):
        alloys = data.rows[["H" not in a for a in data.rows["amounts"]]]
        truth = alloys["h2_capacity_wt_pct"].to_numpy(dtype=float)
        return {"h2_capacity_wt_pct": _of_forest(model.forest, alloys, truth, "wt%")}
    if isinstance(model, Conductivity):
        truth = model.reference.target
        return {
            "log10_conductivity_s_per_cm": _of_forest(model.reference, data.rows, truth, "log10(S/cm) at 25 degC")
        }
    return _sorbent(model, data)


def _thermodynamics(model: HydrideThermodynamics, rows: pd.DataFrame) -> dict[str, HeldOut]:
    found: dict[str, HeldOut] = {}
    for target, forest in model.forests.items():
        known = rows[rows[target].notna()]
        truth = known[target].to_numpy(dtype=float)
        if target == _ENTHALPY:
            mean = np.exp(forest.oof_mean)
            std = mean * forest.std_from_spread(forest.oof_spread)
            found[target] = _rows(known, truth, (mean, std, forest.folds), get_property(target).unit)
        elif target.startswith("ln_"):
            found["plateau_pressure_bar"] = _of_forest(forest, known, truth, "ln(P / bar) at 25 degC")
        else:
            found[target] = _of_forest(forest, known, truth, get_property(target).unit)
    return found


def _sorbent(model: SorbentUptake, data: TrainingData) -> dict[str, HeldOut]:
    truth, mean, folds = left_out_uptakes(data.rows)
    rows = with_texture(data.rows)
    states = regime(rows["temperature_k"].to_numpy(dtype=float), rows["pressure_bar"].to_numpy(dtype=float))
    std = mean * np.array([model.relative_std[name] for name in states])
    words = zip(rows["name"], rows["temperature_k"], rows["pressure_bar"], strict=True)
    rows = rows.assign(formula=[f"{name}, {t:g} K, {p:g} bar" for name, t, p in words])
    found = {"h2_uptake_wt_pct": _rows(rows, truth, (mean, std, folds), "wt% of the sorbent")}
    if data.simulated is not None:
        named = data.simulated.rename(columns={"core_mof_2019_asr": "formula"})
        for name, forest in model.corrections.items():
            truth = named[name].to_numpy(dtype=float)
            found[name] = _of_forest(forest, named, truth, get_property(name).unit)
    return found


def _of_forest(forest: CalibratedForest, rows: pd.DataFrame, truth: NDArray[np.float64], unit: str) -> HeldOut:
    return _rows(rows, truth, (forest.oof_mean, forest.std_from_spread(forest.oof_spread), forest.folds), unit)


def _rows(
    rows: pd.DataFrame,
    truth: NDArray[np.float64],
    answer: tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.int64]],
    unit: str,
) -> HeldOut:
    label, source = rows["formula"].to_numpy(dtype=object), rows["source"].to_numpy(dtype=object)
    return HeldOut(unit, label, source, truth, *answer)
