"""Tables of a campaign's report, as rows of text."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from hstore_workflows.campaign.merit import merit_of
from hstore_workflows.campaign.reason import AIMS
from hstore_workflows.campaign.strategies.portfolio import BEST_SHARE, success_of_ways
from hstore_workflows.report.markup import breakable, formula_html
from hstore_workflows.report.quantities import significant

if TYPE_CHECKING:
    from collections.abc import Mapping

    from markupsafe import Markup

    from hstore_workflows.campaign.reason import Reasons
    from hstore_workflows.campaign.report.view import View
    from hstore_workflows.campaign.standing import Experiment

_DIGITS = 4
_NOTHING = "–"


@dataclass(frozen=True)
class Cell:
    """One column of one result."""

    measured: str
    """Measured value."""
    predicted: str
    """Value predicted before."""
    interval: str
    """Its 90 % interval."""
    inside: bool | None
    """Whether the measured value lies in it; None where either is missing."""


@dataclass(frozen=True)
class Row:
    """One experiment."""

    number: int
    """Its number."""
    name: Markup
    """Material."""
    lab: str
    """Who did it."""
    state: str
    """``measured``, ``partial``, ``pending`` or ``failed``."""
    cells: tuple[Cell, ...]
    """One for each goal and window."""
    note: str
    """Cause of a failure, lease, or reason."""
    best: bool = False
    """True for the best result so far, or those of the front."""


def name_of(view: View, material_id: str) -> Markup:
    """Write the name of a candidate."""
    return breakable(formula_html(view.name_of(view.ground.pool.rows[material_id])))


def result_rows(view: View) -> list[Row]:
    """Return the experiments with values, the newest last."""
    front = set(view.status.standing.front())
    held = [e for e in view.status.standing.experiments if e.state in {"measured", "partial"}]
    return [_row(view, e, "", best=e.entry.material_id in front) for e in held]


def failed_rows(view: View) -> list[Row]:
    """Return the failed syntheses."""
    failed = [e for e in view.status.standing.experiments if e.state == "failed"]
    return [_row(view, e, e.failed or "no cause given") for e in failed]


def pending_rows(view: View) -> list[Row]:
    """Return the experiments under way."""
    rows = []
    for experiment in view.status.standing.experiments:
        entry = experiment.entry
        if experiment.state == "pending" and entry.in_flight:
            until = entry.lease_until.date().isoformat() if entry.lease_until else _NOTHING
            rows.append(_row(view, experiment, until))
    return rows


def conflict_rows(view: View) -> list[tuple[Markup, str, str, str]]:
    """Return material, column, all values with their labs, and the value that is used."""
    return [
        (
            name_of(view, conflict.material_id),
            conflict.column,
            ", ".join(f"{_number(r.value)} ({r.lab or 'lab not named'}, {r.number})" for r in conflict.readings),
            _number(conflict.mean),
        )
        for conflict in view.status.standing.conflicts()
    ]


def held_rows(view: View) -> list[tuple[int, str, str, str]]:
    """Return number, material, lab and cause of the rows that are held."""
    rows = view.status.held_rows.items()
    return [(n, str(r["material"]), str(r.get("lab", "")), str(r["cause"])) for n, r in rows]


def next_rows(view: View) -> list[tuple[Markup, tuple[Cell, ...], str, str]]:
    """Return the candidates that would be proposed now: name, predictions, effort and reasons."""
    rows = []
    for row, why in view.following:
        cells = tuple(_foreseen(why, column) for column in view.status.objective.columns)
        words = why.words(view.history, view.status.objective)
        rows.append((breakable(formula_html(view.name_of(row))), cells, significant(why.effort), words))
    return rows


def way_rows(view: View) -> list[tuple[str, int, int]]:
    """Return each way of choosing in words, its picks that were answered, and how many were among the best.

    A pick counts where it was among the best twentieth of the results when it came, or was the best.
    """
    merit = merit_of(view.ground.landscape, view.history)
    if merit is None:
        return []
    ways = dict.fromkeys(view.history.chosen.values(), (0.0, 0.0))
    found = success_of_ways(view.status.objective, view.history, merit, ways)
    counts = [(AIMS.get(way, way), round(good + bad), round(good)) for way, (good, bad) in found.items()]
    return [row for row in counts if row[1]]


def good_share() -> float:
    """Return the share of results that a pick must be among to count as good."""
    return BEST_SHARE


def _row(view: View, experiment: Experiment, note: str, *, best: bool = False) -> Row:
    entry = experiment.entry
    predictions = entry.attributes.get("predictions") or {}
    cells = tuple(
        _cell(experiment.values.get(column), experiment.stds.get(column), predictions.get(column))
        for column in view.status.objective.columns
    )
    labs = ", ".join(dict.fromkeys(told.lab for told in entry.told if told.lab)) or entry.lab
    return Row(entry.number, name_of(view, entry.material_id), labs, experiment.state, cells, note, best)


def _cell(value: float | None, std: float | None, told: Mapping[str, float] | None) -> Cell:
    measured = _NOTHING if value is None else _number(value) + (f" ± {significant(std)}" if std else "")
    if told is None:
        return Cell(measured, _NOTHING, "", None)
    interval = f"{significant(told['lower'], 3)} to {significant(told['upper'], 3)}"
    inside = None if value is None else bool(told["lower"] <= value <= told["upper"])
    return Cell(measured, significant(told["mean"], 3), interval, inside)


def _foreseen(why: Reasons, column: str) -> Cell:
    p = why.predictions.get(column)
    if p is None:
        return Cell(_NOTHING, _NOTHING, "", None)
    return Cell(_NOTHING, significant(p.mean, 3), f"{significant(p.lower, 3)} to {significant(p.upper, 3)}", None)


def _number(value: float) -> str:
    return significant(value, _DIGITS)
