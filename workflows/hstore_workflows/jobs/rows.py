"""Tables and formulas that come with the parameters of a job."""

from __future__ import annotations

import csv
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import AfterValidator, Field, StringConstraints

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

MAX_ROWS = 10_000
"""Most rows or formulas with one job; a request has a limit of its own in bytes."""

_MAX_COLUMNS = 100
_MAX_CELL = 500
_COMMANDS = ("=", "+", "-", "@", "\t", "\r")


def _harmless(text: str) -> str:
    """Refuse what a spreadsheet would run when it opens a result, and what no text file can hold."""
    text.encode()  # refuses lone surrogates
    if not text.replace(" ", "").isprintable():
        raise ValueError("text must not hold control characters")
    if text.lstrip().startswith(_COMMANDS):
        try:
            float(text)
        except ValueError:
            raise ValueError(
                f"text must not begin with one of = + - @, which spreadsheets take for commands; got {text[:20]!r}"
            ) from None
    return text


Cell = Annotated[str, StringConstraints(max_length=_MAX_CELL), AfterValidator(_harmless)]
"""Text in a cell of a table."""

Row = Annotated[dict[Cell, Cell | float | None], Field(max_length=_MAX_COLUMNS)]
"""A row of a table: column -> text, number or nothing."""

Rows = Annotated[tuple[Row, ...], Field(min_length=1, max_length=MAX_ROWS)]
"""A table."""

Formulas = Annotated[tuple[Cell, ...], Field(min_length=1, max_length=MAX_ROWS)]
"""A list of formulas."""


def write_rows(rows: Sequence[dict[str, Any]], path: Path) -> None:
    """Write a table as CSV, with the columns in the order in which they first come."""
    columns = list(dict.fromkeys(name for row in rows for name in row))
    with path.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.DictWriter(stream, columns, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
