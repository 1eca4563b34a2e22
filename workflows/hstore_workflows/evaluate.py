"""Honest scores: a trained model on a table it has not seen, or a whole recipe by grouped cross-validation."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from hstore.errors import InputError
from hstore.formula import canonical_formula
from hstore.pairing import host_amounts
from hstore.properties import get_property
from hstore.units import BAR_PER_ATM
from hstore_data.table import RejectedRow
from hstore_models.forest import ForestSettings
from hstore_models.metrics import interval_scores, regression_scores
from hstore_models.prediction import Query
from hstore_models.representation import molecular_hydrogen_ratio
from hstore_models.splits import grouped_folds, split_hash
from hstore_models.training import fit, model_of
from hstore_models.training_data import TrainingData, load_scored_rows, load_training_data
from hstore_workflows.predict import predict_rows
from hstore_workflows.tables import check_table

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from hstore.settings import Settings
    from hstore_models.prediction import Predictions
    from hstore_models.registry import PropertyModel

_PRESSURE = "plateau_pressure_bar"
_CONDUCTIVITY = "log10_conductivity_s_per_cm"
OFFICIAL_SPLITS = frozenset({"obelix"})
"""Public sets scored on the test split their authors published, which is never trained on."""

_LN_PRESSURE = "ln_plateau_pressure_25c"


def evaluate_table(
    property_name: str,
    frame: pd.DataFrame,
    target_column: str,
    settings: Settings,
    *,
    say: Callable[[str], None] = lambda _: None,
) -> dict[str, Any]:
    """Score the model in use on a table with known answers.

    The target column is read in the property's canonical unit. Names that say otherwise are converted: ending in
    ``_atm`` from atm, starting with ``ln_`` from a natural logarithm; conductivities without a negative one are
    taken as S/cm (a zero is no value). Values such as ``<1E-10`` are upper bounds and count as the bound.

    Returns:
        ``n, mae, median_error, rmse, r2, spearman, mae_mean_predictor, coverage, mean_width, rejected`` and what
        was converted; ``n_seen_in_training`` rows have a composition the model was trained on, and
        ``mae_unseen`` is the error of the others. A pressure also gets ``mae_ln``. What is not defined is None.

    Raises:
        InputError: the target column is missing, or no row can be scored.
        UnknownNameError: no model predicts the property.
    """
    if target_column not in frame:
        raise InputError(f"no column {target_column!r} among {', '.join(map(str, frame.columns[:20]))}")
    name = model_of(property_name)
    table = check_table(frame, formulas=name != "sorbent_uptake")
    given = frame[target_column].iloc[table.frame["row"].to_numpy(dtype=int) - 1].reset_index(drop=True)
    truth, conversion, n_bounds = read_target(property_name, target_column, given)
    known = np.isfinite(truth)
    rejects = list(table.rejects) + [
        RejectedRow(int(row), "", f"{target_column} is {value!r}, not a usable number; correct or remove the row")
        for row, value in zip(table.frame["row"][~known], given[~known], strict=True)
    ]
    if not known.any():
        raise InputError(f"no row of the table can be scored: {'; '.join(r.cause for r in rejects[:3])}")
    answer = predict_rows(property_name, table, settings, say=say)
    data = load_training_data(name, settings)
    answered = known & np.isfinite(answer.mean)
    if not answered.any():
        raise InputError(f"the model answers no row of the table: {answer.reason[known][0]}; add what is missing")
    baseline = _training_mean(property_name, data)
    report: dict[str, Any] = {
        "property": property_name,
        "unit": get_property(property_name).unit,
        "model_id": answer.model_id,
        "target_column": target_column,
    }
    report |= _scores(property_name, answer, truth, answered, baseline)
    report |= {
        "rejected": len(rejects),
        "rejects": [f"row {r.row}: {r.cause}" for r in rejects[:20]],
        "unanswered": int((known & ~answered).sum()),
        "in_domain": int(answer.in_domain[answered].sum()),
        "conversion": conversion,
        "bounds_counted_as_values": n_bounds,
    }
    return _without_nan(report | _seen(table.amounts, data, answer, truth, answered))


def read_target(property_name: str, column: str, given: pd.Series[Any]) -> tuple[NDArray[np.float64], str, int]:
    """Read a column of known values in the property's canonical unit.

    Returns:
        Values of shape ``(n,)`` (NaN where unreadable), the conversion in words, and the number of bounds.
    """
    text = given.astype("string").str.strip()
    bounds = text.str.startswith("<").fillna(value=False)
    values = pd.to_numeric(text.str.lstrip("<"), errors="coerce").to_numpy(dtype=float, na_value=np.nan)
    notes = []
    if property_name == _PRESSURE:
        if re.match(r"ln[_p]", column, re.IGNORECASE):
            values, notes = np.exp(values), ["from natural logarithm"]
        if column.endswith("_atm"):
            values, notes = values * BAR_PER_ATM, [*notes, "from atm"]
    finite = values[np.isfinite(values)]
    if property_name == _CONDUCTIVITY and (finite > 0).any() and (finite >= 0).all():
        values = np.log10(np.where(values > 0, values, np.nan))
        notes = ["from S/cm to its decimal logarithm"]
    return values, ", ".join(notes) or "none", int(bounds.sum())


def cross_validate(
    property_name: str, data_set: str, settings: Settings, *, n_folds: int = 5, seeds: tuple[int, ...] = (0,)
) -> dict[str, Any]:
    """Score the recipe on one public set by its own split, or else grouped by chemical system.

    Every row of a held-out chemical system (framework group) is kept from training, whichever set it is from.
    ``obelix`` is scored on its official test split.

    Raises:
        InputError: the data set has no values of the property, or is not used by its model.
    """
    name = model_of(property_name)
    data = load_training_data(name, settings)
    scored = _scored_rows(property_name, data_set, settings)
    official = data_set in OFFICIAL_SPLITS
    folds = np.zeros(len(scored), dtype=np.int64)
    reports = []
    for seed in seeds:
        if not official:
            folds = grouped_folds(_groups(scored).to_numpy(dtype=str), n_folds=n_folds, seed=seed)
        answers = [
            (
                folds == fold,
                fit(
                    data if official else _without(data, _groups(scored)[folds == fold]), ForestSettings(seed=seed)
                ),
            )
            for fold in np.unique(folds)
        ]
        reports.append(_held_out_scores(property_name, scored, answers, data))
    keys = scored["row"].astype(str)
    mean = _without_nan({key: float(np.mean([r[key] for r in reports])) for key in reports[0]})
    return {
        "property": property_name,
        "data_set": data_set,
        "unit": "ln(bar)" if property_name == _PRESSURE else get_property(property_name).unit,
        "protocol": "official test split" if official else f"{n_folds}-fold, grouped",
        "seeds": list(seeds),
        "split_hash": split_hash(list(keys), folds),
        **mean,
        "n": len(scored),
    }


def _held_out_scores(
    property_name: str,
    scored: pd.DataFrame,
    answers: list[tuple[NDArray[np.bool_], PropertyModel]],
    data: TrainingData,
) -> dict[str, float]:
    parts: list[tuple[NDArray[np.bool_], Predictions]] = []
    for rows, model in answers:
        part = scored[rows].reset_index(drop=True)
        parts.append((rows, model.predict(property_name, Query.of(list(part["amounts"]), part))))
    arrays = {key: np.empty(len(scored)) for key in ("mean", "lower", "upper")}
    for rows, answer in parts:
        for key, array in arrays.items():
            array[rows] = getattr(answer, key)
    truth = scored["truth"].to_numpy(dtype=float)
    if property_name == _PRESSURE:
        arrays = {key: np.log(array) for key, array in arrays.items()}
    baseline = _training_mean(property_name, data)
    scores = regression_scores(truth, arrays["mean"], baseline=baseline)
    return scores | interval_scores(truth, arrays["lower"], arrays["upper"])


def _scored_rows(property_name: str, data_set: str, settings: Settings) -> pd.DataFrame:
    rows = load_scored_rows(model_of(property_name), data_set, settings)
    column = _LN_PRESSURE if property_name == _PRESSURE else property_name
    if column not in rows or rows[column].isna().all():
        raise InputError(f"{data_set!r} has no {property_name}; choose another data set or property")
    rows = rows[rows[column].notna()].reset_index(drop=True)
    return rows.assign(truth=rows[column])


def _groups(scored: pd.DataFrame) -> pd.Series[str]:
    return scored["group"] if "group" in scored else scored["chemical_system"]


def _without(data: TrainingData, held_out: pd.Series[Any]) -> TrainingData:
    """Take every row of the held-out groups from the training data, whichever set it came from."""
    gone = set(held_out)
    rows, simulated = data.rows, data.simulated
    if simulated is not None:
        simulated = simulated[~simulated["group"].isin(gone)].reset_index(drop=True)
    elif "chemical_system" in rows:
        rows = rows[~rows["chemical_system"].isin(gone)].reset_index(drop=True)
    return TrainingData(data.model, rows, simulated, data.checksums, data.duplicates)


def _scores(
    property_name: str,
    answer: Predictions,
    truth: NDArray[np.float64],
    rows: NDArray[np.bool_],
    baseline: float,
) -> dict[str, Any]:
    mean, lower, upper, known = answer.mean[rows], answer.lower[rows], answer.upper[rows], truth[rows]
    scores = regression_scores(known, mean, baseline=np.exp(baseline) if property_name == _PRESSURE else baseline)
    scores |= interval_scores(known, lower, upper)
    if property_name == _PRESSURE:
        positive = known > 0
        ln_error = np.abs(np.log(mean[positive]) - np.log(known[positive]))
        scores["mae_ln"] = float(np.mean(ln_error))
        scores["median_error_ln"] = float(np.median(ln_error))
        scores["mae_ln_mean_predictor"] = float(np.mean(np.abs(np.log(known[positive]) - baseline)))
    return scores


def _training_mean(property_name: str, data: TrainingData) -> float:
    """Mean of the training values; of a pressure, of its natural logarithm at 25 degC."""
    column = _LN_PRESSURE if property_name == _PRESSURE else property_name
    source = data.simulated if data.simulated is not None and column in data.simulated else data.rows
    return float(source[column].mean()) if column in source else float("nan")


def _seen(
    amounts: list[dict[str, float]],
    data: TrainingData,
    answer: Predictions,
    truth: NDArray[np.float64],
    rows: NDArray[np.bool_],
) -> dict[str, Any]:
    """Count rows whose composition was trained on, and score the others alone."""
    if "composition" not in data.rows:
        return {}
    key = canonical_formula if data.model == "conductivity" else _hydride_key
    trained = {key(a) for a in data.rows["amounts"]}
    seen = np.array([key(a) in trained for a in amounts])
    unseen = rows & ~seen
    error = np.abs(answer.mean[unseen] - truth[unseen])
    return {
        "n_seen_in_training": int((rows & seen).sum()),
        "mae_unseen": float(error.mean()) if unseen.any() else None,
    }


def _hydride_key(amounts: dict[str, float]) -> tuple[str, float]:
    """Name what the hydride models see: LaNi5 and LaNi5H6 are one material, LiB and LiBH4 are two."""
    return canonical_formula(host_amounts(amounts)), round(molecular_hydrogen_ratio(amounts), 3)


def _without_nan(report: dict[str, Any]) -> dict[str, Any]:
    """Replace NaN by None, for JSON has no NaN."""
    return {k: None if isinstance(v, float) and not np.isfinite(v) else v for k, v in report.items()}
