"""Sizes and counts of a store, for its operator: over everybody's rows, so never an answer to a caller."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from sqlalchemy import func, select, text

from hstore.store.schema import (
    IsothermRow,
    JobRow,
    MaterialRow,
    MeasurementRow,
    PredictionRow,
    ScreenRow,
    WorkerRow,
    table_of,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sqlalchemy import Connection

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
    worker_age_s: float | None
    """Time since any worker was last known to be alive, s; None where none ever was."""


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
        jobs = dict(connection.execute(select(JobRow.state, func.count()).group_by(JobRow.state)).tuples().all())
        return StoreFigures(int(size or 0), rows, jobs, _worker_age_s(connection))


def worker_age_s(database: Database) -> float | None:
    """Return the time since any worker was last known to be alive, s; None where none ever was.

    Raises:
        StoreError: there is no answer.
    """
    with database.connected("read workers from") as connection:
        return _worker_age_s(connection)


def _worker_age_s(connection: Connection) -> float | None:
    latest = connection.scalar(select(func.max(WorkerRow.heartbeat_at)))
    return None if latest is None else max(0.0, (datetime.now(UTC) - latest).total_seconds())
