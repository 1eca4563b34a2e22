"""Read the results a lab brings back: every row is an answer, or a reject with its cause."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from hstore.errors import InputError
from hstore.formula import canonical_formula, parse_amounts
from hstore.properties import PROPERTIES, get_property
from hstore_workflows.tables import SURPLUS_COLUMN, read_table

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping
    from pathlib import Path

    from hstore_workflows.campaign.objective import Objective
    from hstore_workflows.campaign.pool import CampaignPool

FAILED = "failed"
"""Word in place of a value for a synthesis that did not succeed."""

_WIDTHS = 10.0


@dataclass(frozen=True)
class Answer:
    """One usable row."""

    row: int
    """Number of the data row, from 1."""
    material: int
    """Row of the pool."""
    value: float | None
    """Measured value of the maximised column; None when the synthesis failed."""
    measured: Mapping[str, float] = field(default_factory=dict)
    """Measured values of window columns."""


@dataclass(frozen=True)
class RejectedResult:
    """A row that cannot be used."""

    row: int
    """Number of the data row, from 1."""
    material: str
    """Material or formula as written, shortened to 80 characters."""
    cause: str
    """Why it cannot be used, and what to do."""


def read_results(
    path: Path, pool: CampaignPool, objective: Objective, *, told: Collection[int], pending: Collection[int]
) -> tuple[list[Answer], list[RejectedResult]]:
    """Read a table of results.

    Args:
        path: CSV or Parquet with ``material_id`` or ``formula``, ``value`` (or the name of the maximised
            column), and any columns of the windows.
        pool: materials that can be meant.
        objective: what is measured.
        told: rows of the pool that have their answer already.
        pending: rows of the pool under way; preferred where a formula fits several materials.

    Raises:
        InputError: a needed column is missing.
    """
    table = read_table(path)
    names = {str(name): name for name in table}
    value_column = next((name for name in ("value", objective.maximize) if name in names), None)
    if value_column is None or not {"material_id", "formula"} & set(names):
        raise InputError(
            f"{path} needs a column material_id or formula and a column value, got {', '.join(names)}; rename them"
        )
    reader = _Reader(pool, objective, value_column, frozenset(pending))
    answers: list[Answer] = []
    rejects: list[RejectedResult] = []
    answered = set(told)
    for place, record in enumerate(table.fillna("").astype(str).to_dict("records"), start=1):
        cells = {str(name): str(cell).strip() for name, cell in record.items()}
        try:
            answer = reader.answer(place, cells, answered)
        except InputError as error:
            named = cells.get("material_id") or cells.get("formula") or ""
            rejects.append(RejectedResult(place, named[:80], str(error)))
            continue
        answered.add(answer.material)
        answers.append(answer)
    return answers, rejects


@dataclass(frozen=True)
class _Reader:
    """Reads one row after the other."""

    pool: CampaignPool
    objective: Objective
    value_column: str
    pending: frozenset[int]

    def answer(self, place: int, cells: dict[str, str], answered: Collection[int]) -> Answer:
        """Read a row, or raise the cause of its rejection."""
        if surplus := cells.get(SURPLUS_COLUMN):
            raise InputError(f"more cells than the header has columns ({surplus}); quote cells with commas")
        material = self._material(cells, answered)
        if material in answered:
            raise InputError("this material has its result already; correct that one instead of adding another")
        text = cells[self.value_column]
        value = None
        if text.lower() != FAILED:
            value = self._number(text, self.value_column, self.objective.maximize)
        measured = {
            window.column: self._number(cells[window.column], window.column, window.column)
            for window in self.objective.windows
            if cells.get(window.column)
        }
        return Answer(place, material, value, measured)

    def _material(self, cells: dict[str, str], answered: Collection[int]) -> int:
        """Find the row of the pool that is meant."""
        frame = self.pool.frame
        if named := cells.get("material_id"):
            found = np.flatnonzero(frame["material_id"] == named)
            if not len(found):
                raise InputError(f"material {named!r} is not in the campaign's pool; check its spelling")
            return int(found[0])
        formula = cells.get("formula", "")
        composition = canonical_formula(parse_amounts(formula))
        rows = [int(row) for row in np.flatnonzero(frame["composition"] == composition)]
        if not rows:
            raise InputError(f"nothing of composition {formula!r} is in the campaign's pool; check its spelling")
        under_way = [row for row in rows if row in self.pending and row not in answered]
        meant = under_way or [row for row in rows if row not in answered]
        if len(meant) > 1:
            ids = ", ".join(frame["material_id"].iloc[row] for row in meant[:4])
            raise InputError(f"{formula!r} fits {len(meant)} materials ({ids}); give the material_id")
        return meant[0] if meant else rows[0]

    def _number(self, text: str, header: str, column: str) -> float:
        try:
            value = float(text)
        except ValueError as error:
            raise InputError(f"{header} must be a number or {FAILED!r}, got {text!r}") from error
        if not math.isfinite(value):
            raise InputError(f"{header} must be finite, got {text!r}; write {FAILED!r} if the synthesis failed")
        if column in PROPERTIES:
            return get_property(column).check(value)
        prior = self.pool.prior(column)
        if prior is not None:
            low, high = float(prior.mean.min()), float(prior.mean.max())
            reach = _WIDTHS * max(high - low, float(prior.std.max()))
            if not low - reach <= value <= high + reach:
                raise InputError(
                    f"{header} {value:g} is far from anything predicted ({low:g} to {high:g}); "
                    "check value and unit"
                )
        return value


def as_record(reject: RejectedResult, *, file: str) -> dict[str, Any]:
    """Return a reject as it is kept in the ledger."""
    return {"file": file, "row": reject.row, "material": reject.material, "cause": reject.cause}
