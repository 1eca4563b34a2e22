"""Results of labs: what can be told, and the verdict on each row."""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import pandas as pd

from hstore.errors import InputError
from hstore_workflows.measure.cells import text_cells
from hstore_workflows.tables import read_table

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

VERDICTS = {
    "taken": "a result",
    "partial": "a result with goals still to be measured",
    "failed": "a failed synthesis",
    "replicate": "measured before, and the values agree",
    "conflict": "measured before, and the values differ; all are kept",
    "duplicate": "told before; nothing was added",
    "correction": "an earlier row was corrected",
    "retraction": "an earlier row was retracted",
    "held": "can hardly be true; kept aside until it is confirmed",
    "rejected": "cannot be used; kept with its cause",
}
"""Verdict on a row of results -> what it means."""

_UNUSED = frozenset({"held", "rejected"})


@dataclass(frozen=True)
class Result:
    """One result as a program tells it, such as a value fitted to an isotherm with its uncertainty."""

    material: str
    """Material of the pool, by its id."""
    values: Mapping[str, float] = field(default_factory=dict)
    """Column (canonical, or in the unit its name states) -> value."""
    stds: Mapping[str, float] = field(default_factory=dict)
    """Column -> standard deviation."""
    intervals: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    """Column -> ends of the 90 % interval, in place of a standard deviation."""
    failed: str | None = None
    """Why the synthesis failed (may be empty); None where it did not."""
    lab: str = ""
    """Who measured."""
    conditions: Mapping[str, float] = field(default_factory=dict)
    """Conditions of the measurement, such as ``temperature_k``."""
    note: str = ""
    """Anything worth keeping."""

    def cells(self) -> dict[str, Any]:
        """Return the result as a row of a table."""
        row: dict[str, Any] = {"material_id": self.material, "lab": self.lab, "note": self.note}
        row |= dict(self.values) | dict(self.conditions)
        row |= {f"{column}_std": std for column, std in self.stds.items()}
        for column, (low, high) in self.intervals.items():
            row |= {f"{column}_lower": low, f"{column}_upper": high}
        return row | ({} if self.failed is None else {"failed": self.failed or "yes"})


Rows: TypeAlias = "Path | pd.DataFrame | Iterable[Mapping[str, Any] | Result]"
"""What :func:`hstore_workflows.campaign.story.observe` takes: a CSV or Parquet file, a table, or rows."""


@dataclass(frozen=True)
class Verdict:
    """What became of one row."""

    row: int
    """Number of the data row, from 1."""
    material: str
    """Material or formula as written."""
    verdict: str
    """A key of :data:`VERDICTS`."""
    material_id: str = ""
    """Material of the pool; empty where none was found."""
    experiment: int | None = None
    """Number of the experiment it became or belongs to."""
    values: Mapping[str, float] = field(default_factory=dict)
    """What was told, in canonical units."""
    cause: str = ""
    """Why, in words, and what to do; empty where there is nothing to say."""
    notes: tuple[str, ...] = ()
    """What was converted, and remarks."""
    kept_row: int | None = None
    """Number under which a held or rejected row is kept."""

    @property
    def used(self) -> bool:
        """True unless the row was held or rejected."""
        return self.verdict not in _UNUSED

    def as_json(self) -> dict[str, Any]:
        """Return the verdict as plain JSON."""
        return asdict(self)


@dataclass(frozen=True)
class Observed:
    """What became of a table of results."""

    verdicts: tuple[Verdict, ...]
    """One verdict per row, in order."""
    ignored: tuple[str, ...] = ()
    """Columns that were not read."""

    @property
    def counts(self) -> dict[str, int]:
        """Number of rows of each verdict that occurred."""
        found = Counter(verdict.verdict for verdict in self.verdicts)
        return {name: found[name] for name in VERDICTS if found[name]}

    @property
    def measured(self) -> int:
        """Number of rows that told a value and were taken."""
        return sum(bool(v.values) and v.used and v.verdict != "duplicate" for v in self.verdicts)

    @property
    def failed(self) -> int:
        """Number of failed syntheses that were taken."""
        return sum(v.verdict == "failed" for v in self.verdicts)

    @property
    def rejected(self) -> tuple[Verdict, ...]:
        """Rows that cannot be used."""
        return tuple(v for v in self.verdicts if v.verdict == "rejected")

    @property
    def held(self) -> tuple[Verdict, ...]:
        """Rows that wait for a confirmation."""
        return tuple(v for v in self.verdicts if v.verdict == "held")

    @property
    def nothing_used(self) -> bool:
        """True where no row could be used."""
        return not any(verdict.used for verdict in self.verdicts)


def read_cells(rows: Rows) -> tuple[list[dict[str, str]], str]:
    """Return the rows of any kind of results as cells of text, and what they are called.

    Raises:
        InputError: the file cannot be read, or there is no row.
    """
    if isinstance(rows, Path):
        table, source = read_table(rows), rows.name
    elif isinstance(rows, pd.DataFrame):
        table, source = rows, "table"
    else:
        given = [row.cells() if isinstance(row, Result) else row for row in rows]
        if not given:
            raise InputError("there is no row of results; give at least one")
        return [text_cells(row) for row in given], "rows"
    records = table.astype(object).where(table.notna(), None).to_dict("records")
    return [text_cells(record) for record in records], source
