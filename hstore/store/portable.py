"""Rows of tables as plain JSON, the same from SQLite and from PostgreSQL, and back into either.

Tables are taken as the database describes them, not as this version of the code would, so that a store of an older
schema can be copied too. An instant without a time zone is UTC.
"""

from __future__ import annotations

from datetime import UTC, date, datetime
from itertools import islice
from typing import TYPE_CHECKING, Any

from sqlalchemy import JSON, Date, DateTime, MetaData, Table, bindparam, insert, inspect, select, text, update

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from sqlalchemy import Column, Connection

_CHUNK = 500


def described(connection: Connection, names: Iterable[str]) -> list[Table]:
    """Return those of some tables that are there, each after the tables it refers to."""
    present = sorted(set(names) & set(inspect(connection).get_table_names()))
    metadata = MetaData()
    metadata.reflect(connection, only=present)
    for table in metadata.tables.values():
        for column in table.columns:
            if isinstance(column.type, JSON):
                column.type.none_as_null = True  # nothing is NULL, as the store writes it
    return metadata.sorted_tables


def rows_of(connection: Connection, table: Table) -> Iterator[dict[str, Any]]:
    """Stream the rows of a table in the order of its key."""
    statement = select(table).order_by(*table.primary_key.columns)
    streamed = connection.execution_options(stream_results=True, yield_per=_CHUNK).execute(statement)
    for row in streamed.mappings():
        yield {name: _plain(value) for name, value in row.items()}


def put_rows(connection: Connection, table: Table, rows: Iterable[dict[str, Any]]) -> int:
    """Write rows into a table.

    A column that refers to another row of the same table is filled in at the end, when all rows are there.

    Returns:
        Number of rows.
    """
    readers = {column.name: _reader(column) for column in table.columns}
    inner = [key.parent for key in table.foreign_keys if key.column.table is table]
    keys = [column.name for column in table.primary_key.columns]
    late: dict[str, list[dict[str, Any]]] = {column.name: [] for column in inner}
    source, total = iter(rows), 0
    while chunk := [_read(row, readers) for row in islice(source, _CHUNK)]:
        for row in chunk:
            for name, waiting in late.items():
                if row[name] is not None:
                    waiting.append({"to": row[name], **{f"of_{key}": row[key] for key in keys}})
                    row[name] = None
        connection.execute(insert(table), chunk)
        total += len(chunk)
    for name, waiting in late.items():
        _fill_in(connection, table, name, waiting)
    if connection.dialect.name == "postgresql":
        _move_sequences(connection, table)
    return total


def _fill_in(connection: Connection, table: Table, name: str, waiting: list[dict[str, Any]]) -> None:
    if not waiting:
        return
    this_row = [column == bindparam(f"of_{column.name}") for column in table.primary_key.columns]
    connection.execute(update(table).where(*this_row).values({name: bindparam("to")}), waiting)


def _move_sequences(connection: Connection, table: Table) -> None:
    """Let numbers that PostgreSQL draws itself go on after those written."""
    for column in table.primary_key.columns:
        place = {"table": table.name, "column": column.name}
        sequence = connection.scalar(text("SELECT pg_get_serial_sequence(:table, :column)"), place)
        if sequence is not None:
            last = connection.scalar(select(column).order_by(column.desc()).limit(1))
            if last is not None:
                connection.execute(text("SELECT setval(:sequence, :last)"), {"sequence": sequence, "last": last})


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return (value if value.tzinfo is None else value.astimezone(UTC)).isoformat()
    return value.isoformat() if isinstance(value, date) else value


def _read(row: dict[str, Any], readers: dict[str, Callable[[Any], Any]]) -> dict[str, Any]:
    return {name: None if row.get(name) is None else read(row[name]) for name, read in readers.items()}


def _reader(column: Column[Any]) -> Callable[[Any], Any]:
    if isinstance(column.type, DateTime):
        return _aware if column.type.timezone else _naive
    return date.fromisoformat if isinstance(column.type, Date) else _as_it_is


def _as_it_is(value: Any) -> Any:
    return value


def _aware(written: str) -> datetime:
    found = datetime.fromisoformat(written)
    return found.replace(tzinfo=UTC) if found.tzinfo is None else found


def _naive(written: str) -> datetime:
    return _aware(written).astimezone(UTC).replace(tzinfo=None)
