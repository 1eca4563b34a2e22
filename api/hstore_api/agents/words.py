"""Values in one sentence each.

A language model cannot silently drop the unit, the interval or the doubt of a number in the same string.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    from hstore_api.campaign_schemas import ProposedExperiment
    from hstore_api.material_schemas import MaterialDetail, MaterialOrigin, MaterialSummary, MaterialValue
    from hstore_api.model_schemas import ModelSchema, ModelScore
    from hstore_api.prediction_schemas import PredictedRow, PredictionResponse, StatedConditions

_UNITS = {
    "temperature_k": "K",
    "pressure_bar": "bar",
    "charge_pressure_bar": "bar charged",
    "charge_temperature_k": "K charged",
    "discharge_pressure_bar": "bar discharged",
    "discharge_temperature_k": "K discharged",
}
"""Condition -> how its number is read out."""


def number(value: float) -> str:
    """Return a number as it is read out: four significant digits."""
    return f"{value:.4g}"


def state(conditions: StatedConditions | Mapping[str, Any]) -> str:
    """Return conditions in words, such as ``at 298.1 K``; empty where there are none."""
    given = conditions if isinstance(conditions, dict) else dict(conditions)
    parts = [f"{number(given[name])} {unit}" for name, unit in _UNITS.items() if given.get(name) is not None]
    return f"at {', '.join(parts)}" if parts else ""


def prediction(answer: PredictionResponse, row: PredictedRow) -> str:
    """Return one prediction with its unit, interval, domain and model."""
    name = row.formula or row.name
    what = f"{answer.property} of {name}"
    if row.error is not None:
        return f"{what}: no prediction. {row.error}" + (f" ({row.reason})" if row.reason else "")
    assert row.mean is not None
    parts = [f"{what} is predicted to be {number(row.mean)} {answer.unit}"]
    if row.lower is not None and row.upper is not None:
        share = f"{100 * answer.interval:.0f} %"
        parts.append(f"{share} interval {number(row.lower)} to {number(row.upper)} {answer.unit}")
    if where := state(answer.conditions):
        parts.append(where)
    domain = (
        "within what the model was trained on"
        if row.in_domain
        else f"OUTSIDE what the model was trained on, so trust it little: {row.reason}"
    )
    text = f"{', '.join(parts)}; {domain}; predicted, not measured, by model {answer.model_id}."
    return text + (f" {row.note}." if row.note else "") + (f" {answer.note}." if answer.note else "")


def known(value: MaterialValue) -> str:
    """Return one known value of a material with unit, kind, conditions and source."""
    text = f"{value.property} {number(value.value)} {value.unit}, {value.kind}"
    if value.lower is not None and value.upper is not None:
        text += f", interval {number(value.lower)} to {number(value.upper)} {value.unit}"
    elif value.standard_deviation is not None:
        text += f", standard deviation {number(value.standard_deviation)} {value.unit}"
    if where := state({name: getattr(value, name) for name in _UNITS}):
        text += f", {where}"
    if value.in_domain is False:
        text += f", OUTSIDE what the model was trained on ({value.reason})"
    for word in (value.capacity_definition, value.mass_basis, value.uptake_kind):
        text += f", {word.replace('_', ' ')}" if word else ""
    return f"{text}; {origin(value.provenance)}" + (f"; model {value.model_id}" if value.model_id else "")


def origin(found: MaterialOrigin | None) -> str:
    """Return where something comes from, with its licence."""
    if found is None:
        return "source not stated"
    reference = f", {found.reference}" if found.reference else ""
    return f"source {found.source}{reference}, licence {found.licence or 'not stated'}"


def material(found: MaterialSummary) -> str:
    """Return a candidate in one line."""
    values = [
        f"{name} {number(value.value)}{f' {value.unit}' if value.unit else ''} ({value.kind})"
        for name, value in (found.values or {}).items()
    ]
    parts = [
        f"{found.formula} ({found.material_id})",
        f"family {found.family.value}" if found.family else "",
        "known to exist" if found.known else "not known to exist",
        found.reason or "",
        *values,
        origin(found.provenance),
    ]
    return "; ".join(part for part in parts if part)


def material_lines(found: MaterialDetail) -> list[str]:
    """Return a material and what is known of it, a line each."""
    head = f"{found.formula} ({found.material_id}), family {found.family.value}"
    exists = "known to exist" if found.known else f"not known to exist: {found.reason}"
    lines = [f"{head}, {exists}; {origin(found.provenance)}", *(known(value) for value in found.values)]
    if found.more_values:
        lines.append("There are more values than these.")
    return lines


def score(name: str, found: ModelScore, family: str | None) -> str:
    """Return how wrong a model is on chemistry it has not seen, of a family where one is known."""
    text = (
        f"On {found.n} rows of chemistry held out, the mean absolute error of {name} is {number(found.mae)} "
        f"{found.unit} (mean of the training data: {number(found.mae_mean_predictor)}), and "
        f"{100 * found.coverage:.0f} % of the true values lie in the 90 % intervals"
    )
    own = found.by_family.get(family or "")
    if own is not None:
        text += f"; of {family}, {number(own.mae)} {found.unit} on {own.n} rows"
    return f"{text}. Split {found.split_hash} of {found.subset}."


def sources(found: ModelSchema) -> str:
    """Return what a model stands on."""
    rows = ", ".join(f"{source} ({count} rows)" for source, count in found.rows_by_source.items())
    return f"Model {found.model_id} learned from {rows}; licence {found.licence}. Its domain: {found.domain}."


def proposal(found: ProposedExperiment) -> str:
    """Return a proposed experiment with its reason."""
    predicted = "; ".join(
        f"{name} {', '.join(f'{part} {number(value)}' for part, value in parts.items())}"
        for name, parts in found.predictions.items()
    )
    models = ", ".join(found.model_ids) or "no property model"
    parts = [
        f"Experiment {found.number}: make {found.formula} ({found.material_id})",
        found.reason,
        f"predicted {predicted}" if predicted else "nothing is predicted yet",
        f"success of the synthesis {100 * found.p_success:.0f} %",
        f"for {found.lab or 'any lab'} until {found.lease_until[:10]}",
        f"by {models} and {found.n_results} results",
    ]
    return "; ".join(parts) + "."
