"""The journal of finished steps: a database of DBOS beside the store, or a schema in it."""

from __future__ import annotations

import logging
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqlalchemy import make_url, text

from hstore.store.engine import switch_to_wal

if TYPE_CHECKING:
    from dbos import DBOSConfig

    from hstore.store import Store

VERSION = "1"
"""Version of the steps that all workers share: a journal is only gone on with by workers of the same version.

It is raised when steps of a kind change so that what an older worker has kept no longer fits.
"""

_NAME = "hstore"
_POOL = 5


def journal_config(store: Store, executor_id: str) -> DBOSConfig:
    """Return the configuration of DBOS for the jobs of a store.

    The journal of a SQLite store is the file ``jobs.sqlite`` beside it (``NAME.jobs.sqlite`` where the store is
    not called ``hstore.sqlite``); that of a PostgreSQL store is a schema of the same database, ``hstore_jobs``
    (``SCHEMA_jobs`` where the tables are in another schema than ``public``).

    Args:
        store: the open store.
        executor_id: identifier of the worker.
    """
    from dbos import DBOSPortableJSONSerializer

    url, schema = _place(store)
    return {
        "name": _NAME,
        "system_database_url": url,
        "dbos_system_schema": schema,
        "executor_id": executor_id,
        "application_version": VERSION,
        "sys_db_pool_size": _POOL,
        "use_listen_notify": False,  # nobody waits for messages of a workflow
        "log_level": "WARNING",
        "serializer": DBOSPortableJSONSerializer(),  # plain JSON: who can write to the database runs no code
    }


def take_over_logging() -> None:
    """Write what DBOS logs where everything else is logged."""
    theirs = logging.getLogger("dbos")
    theirs.handlers.clear()
    theirs.propagate = True


def _place(store: Store) -> tuple[str, str]:
    engine = store.database.engine
    if engine.dialect.name == "sqlite":
        path = journal_path(Path(str(engine.url.database)))
        with closing(sqlite3.connect(path)) as made:
            switch_to_wal(made)  # several workers may start at once
        return make_url("sqlite://").set(database=str(path)).render_as_string(), "dbos"
    with store.database.connected("read the schema of") as connection:
        schema: Any = connection.scalar(text("SELECT current_schema()"))
    url = engine.url.render_as_string(hide_password=False)
    return url, journal_schema(str(schema))


def journal_schema(store: str) -> str:
    """Return the schema of the journal of a PostgreSQL store, from that of its tables."""
    return "hstore_jobs" if store == "public" else f"{store}_jobs"


def journal_path(store: Path) -> Path:
    """Return the file of the journal of a SQLite store."""
    return store.with_name("jobs.sqlite" if store.stem == "hstore" else f"{store.stem}.jobs.sqlite")
