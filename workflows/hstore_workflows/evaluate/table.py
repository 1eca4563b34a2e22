"""Score a trained model on a table with known answers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from hstore.errors import InputError
from hstore.properties import PROPERTIES
from hstore_data.table import RejectedRow
from hstore_models.leaks import SAME_COMPOSITION, audit, refuse
from hstore_models.metrics import interval_scores, regression_scores
from hstore_models.prediction import Query
from hstore_models.splits import split_hash
from hstore_models.training import learned_from, model_of
from hstore_workflows.evaluate.protocol import Scoring, fit_recipe
from hstore_workflows.evaluate.report import (
    Answers,
    ask_baselines,
    baseline_errors,
    blocks,
    scored_scale,
    scored_unit,
    without_nan,
)
from hstore_workflows.evaluate.row_answers import row_answers
from hstore_workflows.evaluate.rows import (
    ELECTROLYTES,
    SORBENTS,
    families,
    floor,
    groups,
    known_values,
    labels,
    side,
    training_rows,
    with_training_rows,
)
from hstore_workflows.evaluate.target import PRESSURE, Target, read_target
from hstore_workflows.predict import predict_rows
from hstore_workflows.tables import check_table

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from hstore.arrays import FloatArray
    from hstore.settings import Settings
    from hstore_models.baselines import Baselines
    from hstore_models.leaks import Leaks
    from hstore_models.prediction import Predictions
    from hstore_models.training_data import TrainingData
    from hstore_workflows.tables import UserTable


@dataclass(frozen=True, eq=False)
class _Table:
    """A user's table read for one property; arrays have one entry for each usable row."""

    property_name: str
    model: str
    usable: UserTable
    """Rows that can be used."""
    frame: pd.DataFrame
    """Their columns and ``amounts``."""
    target: Target
    """Known values."""
    rejects: list[RejectedRow]
    """Rows that cannot be scored."""
    temperature: str
    """Where the temperature is from, in words."""

    @property
    def known(self) -> NDArray[np.bool_]:
        return np.isfinite(self.target.values)


@dataclass(frozen=True, eq=False)
class _Scored:
    """The rows that the model answers, on the scale of the property and on the one that is scored."""

    rows: NDArray[np.bool_]
    truth: FloatArray
    answer: Predictions
    answers: Answers
    leaks: Leaks


def evaluate_table(
    property_name: str,
    frame: pd.DataFrame,
    target_column: str,
    settings: Settings,
    how: Scoring | None = None,
    *,
    say: Callable[[str], None] = lambda _: None,
    keep: Callable[[pd.DataFrame], None] | None = None,
) -> dict[str, Any]:
    """Score the model in use on a table with known answers.

    The target column is read in the property's canonical unit
    (:func:`~hstore_workflows.evaluate.target.read_target` says which names are converted). Values such as
    ``<1E-10`` are upper bounds and count as the bound, or as ``how.bounds_as``. Every row is scored; rows that
    nearly repeat a training row are named, and the others are scored apart as ``unseen``. With the policy ``drop``
    the recipe is retrained without what they repeat.

    Args:
        property_name: name of the property.
        frame: the table.
        target_column: column of the known answers.
        settings: where data and models are.
        how: choices of the user.
        say: is told what is being done.
        keep: is given the known value and the answer of every row, see
            :func:`~hstore_workflows.evaluate.row_answers.row_answers`; rows that were not scored come last, with
            the cause as their ``reason``.

    Returns:
        ``n, mae, median_error, rmse, r2, spearman, mae_mean_predictor, mae_nearest_neighbour, mae_plain_forest,
        coverage, mean_width, noise_floor_mae, rejected`` and what was converted; ``n_seen_in_training`` rows have
        a composition the model was trained on, and ``mae_unseen`` is the error of the others; the blocks
        ``leaks``, ``unseen``, ``by_family``, ``by_range``, ``domain`` and ``calibration``. A pressure also gets
        ``mae_ln``, and its blocks are in natural logarithms (``block_unit``). What is not defined is None.

    Raises:
        InputError: the target column is missing, or no row can be scored.
        LeakError: rows nearly repeat training rows, and the policy is ``refuse``.
        UnknownNameError: no model predicts the property.
    """
    how = how or Scoring()
    policy = how.leaks or "report"
    table = _read(property_name, frame, target_column, settings, how)
    spec, data = learned_from(table.model, settings)
    leaks = audit(
        side(table.model, table.frame[table.known]),
        side(table.model, trained := training_rows(property_name, data)),
        hydrogen=table.model == ELECTROLYTES,
    )
    if policy == "refuse":
        refuse(leaks)
    if policy == "drop" and leaks:
        say(f"training without the {int(leaks.trained.sum())} rows that nearly repeat scored ones")
        data = with_training_rows(property_name, data, ~leaks.trained)
        trained = training_rows(property_name, data)
        model = fit_recipe(data, settings.seed, spec)
        answer = model.predict(property_name, Query.of(table.usable.amounts, table.usable.frame))
    else:
        answer = predict_rows(property_name, table.usable, settings, say=say)
    scored = _scored(table, answer, leaks)
    beside = ask_baselines(
        property_name, table.model, trained, _asked(table, scored.rows), full=how.baselines, seed=settings.seed
    )
    report = _head(table, scored, target_column, how)
    report |= _scores(property_name, scored, beside)
    report |= _counts(table, scored, how)
    if property_name not in PROPERTIES:  # one of a spec of the user's own
        report |= {"unit": spec.unit, "block_unit": spec.unit}
    report |= _leak_report(property_name, data, scored, policy)
    report |= _floor(table, scored, trained)
    kept = table.frame[scored.rows].reset_index(drop=True)
    if keep:
        keep(_rows(table, scored, kept, unit=report["block_unit"], family=how.family))
    report |= blocks([scored.answers], families(table.model, kept, how.family), groups(table.model, kept))
    return dict(without_nan(report))


def _rows(table: _Table, scored: _Scored, kept: pd.DataFrame, *, unit: str, family: str | None) -> pd.DataFrame:
    """Return the answers row by row; last those that were not scored, with the cause."""
    leaked = scored.leaks.scored[scored.rows[table.known]]
    found = row_answers(table.model, kept, scored.answers, unit=unit, leaked=leaked, family=family)
    found.loc[found["known"].isna(), "reason"] = "a pressure of 0 or below has no logarithm"
    unanswered = np.flatnonzero(table.known & ~scored.rows)
    causes = {int(table.frame["row"].iloc[i]): str(scored.answer.reason[i]) for i in unanswered}
    causes |= {reject.row: reject.cause for reject in table.rejects}
    left_out = pd.DataFrame({"row": list(causes), "reason": list(causes.values())}).sort_values("row")
    return found if left_out.empty else pd.concat([found, left_out], ignore_index=True)


def _read(property_name: str, frame: pd.DataFrame, column: str, settings: Settings, how: Scoring) -> _Table:
    if column not in frame:
        raise InputError(f"no column {column!r} among {', '.join(map(str, frame.columns[:20]))}")
    model = model_of(property_name, settings)
    usable = check_table(frame, formulas=model != SORBENTS, temperatures=True)
    given = frame[column].iloc[usable.frame["row"].to_numpy(dtype=int) - 1].reset_index(drop=True)
    target = read_target(property_name, column, given, bounds_as=how.bounds_as)
    temperature = _set_temperature(usable, target)
    known = np.isfinite(target.values)
    rejects = list(usable.rejects) + [
        RejectedRow(int(row), "", f"{column} is {value!r}, not a usable number; correct or remove the row")
        for row, value in zip(usable.frame["row"][~known], given[~known], strict=True)
    ]
    if not known.any():
        raise InputError(f"no row of the table can be scored: {'; '.join(r.cause for r in rejects[:3])}")
    amounts = usable.frame.assign(amounts=np.array([*usable.amounts, None], dtype=object)[:-1])
    return _Table(property_name, model, usable, amounts, target, rejects, temperature)


def _set_temperature(usable: UserTable, target: Target) -> str:
    """Take the temperature that the name of the target states, but for an explicit column; say whence."""
    if "temperature_k" in usable.frame and not usable.temperature_from:
        return "from temperature_k"
    if target.temperature_k is not None:
        usable.frame["temperature_k"] = target.temperature_k
        return f"{target.temperature_k:g} K, as the target column says"
    return f"from {usable.temperature_from}" if usable.temperature_from else "not stated"


def _scored(table: _Table, answer: Predictions, leaks: Leaks) -> _Scored:
    rows = table.known & np.isfinite(answer.mean)
    if not rows.any():
        raise InputError(
            f"the model answers no row of the table: {answer.reason[table.known][0]}; add what is missing"
        )
    truth = table.target.values
    everything = Answers.of(table.property_name, scored_scale(table.property_name, truth), answer)
    return _Scored(rows, truth, answer, everything.take(rows), leaks)


def _asked(table: _Table, rows: NDArray[np.bool_]) -> Query:
    amounts = [given for given, kept in zip(table.usable.amounts, rows, strict=True) if kept]
    return Query.of(amounts, table.usable.frame[rows])


def _head(table: _Table, scored: _Scored, column: str, how: Scoring) -> dict[str, Any]:
    names = np.array(labels(table.model, table.frame))[scored.rows].tolist()
    return {
        "property": table.property_name,
        "unit": "" if (known := PROPERTIES.get(table.property_name)) is None else known.unit,
        "model_id": scored.answer.model_id or "recipe retrained without near-duplicates",
        "target_column": column,
        "subset": f"{how.name}, {len(names)} rows with {column}",
        "split": "the model in use on a table",
        "split_hash": split_hash(names, np.zeros(len(names), dtype=np.int64)),
    }


def _scores(property_name: str, scored: _Scored, beside: Baselines) -> dict[str, Any]:
    answers, rows = scored.answers, scored.rows
    if property_name != PRESSURE:
        return answers.scores(beside.mean_predictor) | baseline_errors(beside, answers.truth)
    answer, truth = scored.answer, scored.truth[rows]
    bars = {name: np.exp(values) for name, values in beside.answers().items()}
    scores = regression_scores(truth, answer.mean[rows], baseline=bars.pop("mean_predictor"))
    scores |= interval_scores(truth, answer.lower[rows], answer.upper[rows])
    scores |= {f"mae_{name}": float(np.mean(np.abs(values - truth))) for name, values in bars.items()}
    positive = np.isfinite(answers.truth)
    kept = answers.take(positive)
    scores["mae_ln"], scores["median_error_ln"] = float(np.mean(kept.error)), float(np.median(kept.error))
    scores["spearman_ln"] = kept.scores(0.0)["spearman"]
    for name, values in beside.answers().items():
        scores[f"mae_ln_{name}"] = float(np.mean(np.abs(values[positive] - kept.truth)))
    return scores


def _counts(table: _Table, scored: _Scored, how: Scoring) -> dict[str, Any]:
    n_bounds = int(table.target.bounds.sum())
    as_what = "the bound" if how.bounds_as is None else f"{how.bounds_as:g}"
    return {
        "rejected": len(table.rejects),
        "rejects": [f"row {r.row}: {r.cause}" for r in table.rejects[:20]],
        "unanswered": int((table.known & ~scored.rows).sum()),
        "in_domain": int(scored.answers.in_domain.sum()),
        "conversion": table.target.conversion,
        "temperature": table.temperature,
        "bounds_counted_as_values": n_bounds,
        "bounds_counted_as": as_what if n_bounds else "none",
        "block_unit": scored_unit(table.property_name) if table.property_name in PROPERTIES else "",
    }


def _leak_report(property_name: str, data: TrainingData, scored: _Scored, policy: str) -> dict[str, Any]:
    """Name the near-duplicates, and score the rows that have none apart."""
    answered = scored.rows[np.isfinite(scored.truth)]
    leaked = scored.leaks.scored[answered]
    found: dict[str, Any] = {"leaks": {"policy": policy, **scored.leaks.summary()}}
    dropped = int(scored.leaks.trained.sum()) if policy == "drop" else 0
    found["leaks"]["training_rows_dropped"] = dropped
    values = known_values(property_name, training_rows(property_name, data))[1]
    clear = scored.answers.take(~leaked)
    baseline = float(values.mean()) if len(values) else float("nan")
    found["unseen"] = clear.scores(baseline) if len(clear.truth) else None
    if data.model != SORBENTS:
        same = scored.leaks.of_kind(SAME_COMPOSITION)[answered]
        found["n_seen_in_training"] = int(same.sum())
        error = np.abs(scored.answer.mean - scored.truth)[scored.rows][~same]
        found["mae_unseen"] = float(error.mean()) if len(error) else None
    return found


def _floor(table: _Table, scored: _Scored, trained: pd.DataFrame) -> dict[str, Any]:
    """Estimate the noise floor from repeats in the table, or else among the training rows."""
    here = floor(table.model, table.frame[scored.rows], scored.answers.truth)
    source = "the table"
    if not here.n_rows:
        rows, values = known_values(table.property_name, trained)
        here, source = floor(table.model, rows, values), "training rows"
    return {
        "noise_floor_mae": here.mae,
        "noise_floor_rows": here.n_rows,
        "noise_floor_from": source if here.n_rows else "no repeated measurement",
    }
