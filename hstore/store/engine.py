"""Connections to the two databases: SQLite for one machine, PostgreSQL for several."""

from __future__ import annotations

import json
import sqlite3
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqlalchemy import create_engine, event, make_url
from sqlalchemy.exc import ArgumentError, SQLAlchemyError

from hstore.errors import MissingExtraError, StoreError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy import URL, Connection, Engine

BUSY_TIMEOUT_S = 60.0
"""How long a SQLite connection waits for another writer, seconds."""

CONNECT_TIMEOUT_S = 10
"""How long to wait for a PostgreSQL server, seconds, unless the URL says otherwise."""

ALLOWED_URLS = "sqlite:///FILE or postgresql+psycopg://USER@HOST/DATABASE"
"""The forms of URL that are accepted, for messages."""

_POSTGRESQL_NAMES = {"postgres", "postgresql", "postgresql+psycopg"}
_SQLITE_NAMES = {"sqlite", "sqlite+pysqlite"}


def make_engine(url: str) -> Engine:
    """Return an engine for the URL; the folder of a SQLite file is made when missing.

    Args:
        url: ``sqlite:///FILE`` or ``postgresql+psycopg://USER@HOST/DATABASE``.

    Raises:
        StoreError: the URL is neither of the two, or the folder cannot be made.
        MissingExtraError: PostgreSQL was asked for and psycopg is not installed.
    """
    parsed = _parse_url(url)
    if parsed.get_backend_name() == "sqlite":
        _make_folder(parsed)
        engine = create_engine(parsed, json_serializer=_plain_json)
        event.listen(engine, "connect", _prepare_sqlite)
        event.listen(engine, "begin", _begin_sqlite)
        return engine
    _require_psycopg()
    timeout = {} if "connect_timeout" in parsed.query else {"connect_timeout": CONNECT_TIMEOUT_S}
    return create_engine(parsed, json_serializer=_plain_json, connect_args=timeout, pool_pre_ping=True)


def for_writing(engine: Engine) -> Engine:
    """Return the engine for transactions that write.

    On SQLite they take the write lock at their start: one that reads first and asks for the lock later fails
    at once, without waiting, when another process has written in between.
    """
    return engine.execution_options(hstore_begin="BEGIN IMMEDIATE")


def shown_url(engine: Engine) -> str:
    """Return the URL of an engine as messages show it, without the password."""
    return engine.url.render_as_string(hide_password=True)


@contextmanager
def store_errors(engine: Engine, doing: str) -> Iterator[None]:
    """Turn errors of the database into :class:`StoreError`, without passwords or rows in the message.

    Args:
        engine: database spoken to, named in the message.
        doing: what was attempted, such as ``"read materials from"``.
    """
    try:
        yield
    except SQLAlchemyError as error:
        cause = getattr(error, "orig", None) or error
        if isinstance(cause, StoreError):
            raise cause from error
        said = str(cause).strip().partition("\n")[0]
        raise StoreError(
            f"cannot {doing} {shown_url(engine)}: {said}; check that the database is reachable, writable "
            "and not held by another program"
        ) from error


def _parse_url(url: str) -> URL:
    try:
        parsed = make_url(url)
    except ArgumentError as error:
        raise StoreError(f"the database URL cannot be read; give {ALLOWED_URLS}") from error
    if parsed.drivername in _POSTGRESQL_NAMES:
        return parsed.set(drivername="postgresql+psycopg")
    shown = parsed.render_as_string(hide_password=True)
    if parsed.drivername not in _SQLITE_NAMES:
        raise StoreError(f"database URL {shown} names neither SQLite nor PostgreSQL; give {ALLOWED_URLS}")
    if parsed.database in {None, "", ":memory:"} or str(parsed.database).startswith("file:"):
        raise StoreError(f"database URL {shown} names no file on disk; give sqlite:///FILE")
    return parsed


def _make_folder(url: URL) -> None:
    folder = Path(str(url.database)).parent
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StoreError(
            f"cannot make the folder {folder} of the store: {error.strerror}; choose another with "
            "HSTORE_HOME or HSTORE_DATABASE_URL"
        ) from error


def _require_psycopg() -> None:
    try:
        import psycopg  # noqa: F401 - only asked whether it is there
    except ImportError as error:
        raise MissingExtraError(
            "a PostgreSQL store needs psycopg, which is not installed; run: pip install 'hstore[postgres]'"
        ) from error


def _plain_json(value: Any) -> str:
    try:
        return json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    except (TypeError, ValueError) as error:
        raise StoreError(
            f"a structure, descriptor, manifest or result row is not plain JSON: {error}; use text, "
            "finite numbers, true, false, null, lists and objects only"
        ) from error


def _prepare_sqlite(connection: sqlite3.Connection, _record: Any) -> None:
    connection.isolation_level = None  # transactions are begun by _begin_sqlite alone, DDL included
    connection.execute(f"PRAGMA busy_timeout = {round(BUSY_TIMEOUT_S * 1000)}")
    connection.execute("PRAGMA foreign_keys = ON")
    # What was acknowledged is there also after the power fails; NORMAL would lose the last commits then, and leave
    # a store that is behind the journal of its jobs. It costs about 2 ms a commit.
    connection.execute("PRAGMA synchronous = FULL")
    switch_to_wal(connection)


def switch_to_wal(connection: sqlite3.Connection) -> None:
    """Set write-ahead logging, with patience.

    Where several processes switch a file that another program made, SQLite tells some of them at once that it
    is locked, whatever the busy timeout (4 of 480 openings, six processes at a time, SQLite 3.40).
    """
    deadline = time.monotonic() + BUSY_TIMEOUT_S
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL")
        except sqlite3.OperationalError as error:
            if "locked" not in str(error) or time.monotonic() > deadline:
                raise
            time.sleep(0.02)
        else:
            return


def _begin_sqlite(connection: Connection) -> None:
    connection.exec_driver_sql(connection.get_execution_options().get("hstore_begin", "BEGIN"))
