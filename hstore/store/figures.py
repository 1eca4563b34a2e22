"""Sizes and counts of a store, for its operator: over everybody's rows, so never an answer to a caller."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy import func, select, text

from hstore.store.schema import (
    IsothermRow,
    JobRow,
    MaterialRow,
    MeasurementRow,
    PredictionRow,
    ScreenRow,
    table_of,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from hstore.store.database import Database

_COUNTED = (MaterialRow, MeasurementRow, IsothermRow, PredictionRow, ScreenRow)
_SIZE = {
    "sqlite": "SELECT (SELECT page_count FROM pragma_page_count) * (SELECT page_size FROM pragma_page_size)",
    "postgresql": "SELECT pg_database_size(current_database())",
}


@dataclass(frozen=True)
class StoreFigures:
    """How much a store holds."""

    size_bytes: int
    """Size of the database, that of other programs in the same one included."""
    rows: Mapping[str, int]
    """Rows by table."""
    jobs: Mapping[str, int]
    """Jobs by state."""


def store_figures(database: Database) -> StoreFigures:
    """Count what a store holds.

    Raises:
        StoreError: there is no answer.
    """
    with database.connected("count rows of") as connection:
        size = connection.scalar(text(_SIZE[connection.dialect.name]))
        rows = {
            row.__tablename__: connection.scalar(select(func.count()).select_from(table_of(row))) or 0
            for row in _COUNTED
        }
        by_state = connection.execute(select(JobRow.state, func.count()).group_by(JobRow.state))
        jobs = {state: count for state, count in by_state}  # noqa: C416 - mypy knows the types of the parts only
        return StoreFigures(int(size or 0), rows, jobs)
