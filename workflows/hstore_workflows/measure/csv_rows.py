"""Rows of a CSV that is uploaded: read as a stream, refused as a whole before anything is written."""

from __future__ import annotations

import csv
import io
from typing import IO, TYPE_CHECKING

from hstore.errors import InputError
from hstore_workflows.tables import SURPLUS_COLUMN

if TYPE_CHECKING:
    from collections.abc import Iterator

MAX_ROWS = 50_000
"""Most data rows of one upload."""
MAX_COLUMNS = 200
"""Most columns."""


def check_csv(stream: IO[bytes]) -> None:
    """Read a CSV through once, so that it is refused before any of its rows is used.

    Raises:
        InputError: it is not UTF-8, no CSV, without header or rows, or has a header twice or too many rows.
    """
    rows = 0
    for rows, _ in enumerate(csv_rows(stream), 1):
        if rows > MAX_ROWS:
            raise InputError(f"the table has over {MAX_ROWS:,} rows; send it in parts")
    if not rows:
        raise InputError("the table has no data rows; give a header line and at least one row")


def csv_rows(stream: IO[bytes]) -> Iterator[dict[str, str]]:
    """Yield the rows of a CSV (UTF-8, commas) from its beginning as cells of text; empty lines are left out.

    A row with more cells than the header keeps the rest in ``surplus_cells``.

    Raises:
        InputError: as :func:`check_csv`.
    """
    for names, cells in _records(stream):
        surplus = ", ".join(cells[len(names) :]).strip(", ")
        row = dict(zip(names, (cell.strip() for cell in cells), strict=False))
        yield row | {SURPLUS_COLUMN: surplus} if surplus else row


def _records(stream: IO[bytes]) -> Iterator[tuple[list[str], list[str]]]:
    """Yield the header with each record that is not empty."""
    stream.seek(0)
    text = io.TextIOWrapper(stream, encoding="utf-8-sig", newline="")
    records = csv.reader(text)
    try:
        header = [name.strip() for name in next(records, [])]
        _check_header(header)
        for cells in records:
            if any(cell.strip() for cell in cells):
                yield header, cells
    except UnicodeDecodeError as error:
        raise InputError(f"the table is not UTF-8 text ({error.reason}); save it as CSV in UTF-8") from error
    except csv.Error as error:
        raise InputError(f"line {records.line_num} is no CSV ({error}); quote cells as CSV does") from error
    finally:
        text.detach()  # the stream is the caller's, and is read again


def _check_header(names: list[str]) -> None:
    if not any(names):
        raise InputError("the first line holds no column names; begin with one such as formula,h2_capacity_wt_pct")
    if names[0].startswith("#"):
        raise InputError(f"the first line is a remark, {names[0][:80]!r}; begin with the header, or say isotherms")
    if len(names) > MAX_COLUMNS:
        raise InputError(f"the table has {len(names)} columns; give up to {MAX_COLUMNS}")
    twice = next((name for name in names if name and names.count(name) > 1), None)
    if twice is not None:
        raise InputError(f"column {twice[:80]!r} stands twice; rename one")
