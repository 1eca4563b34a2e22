"""The schema's version: found, upgraded, or refused."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import column, inspect, select, table, text

from hstore.errors import StoreError
from hstore.store.engine import for_writing, shown_url

if TYPE_CHECKING:
    from alembic.config import Config
    from sqlalchemy import Connection, Engine

HEAD = "0003"
"""Newest revision this code knows; a database already there is opened without loading Alembic."""

VERSION_TABLE = "hstore_alembic_version"
"""Table with the revision; not Alembic's usual name, which Optuna takes in a database shared with it."""

_ADVISORY_LOCK = 0x6873746F7265  # "hstore" in ASCII, the number PostgreSQL processes agree on


def upgrade(engine: Engine) -> None:
    """Bring the schema to :data:`HEAD`; safe when several processes start at once.

    The upgrade is one transaction under a lock of the whole database (SQLite's write lock, an advisory lock
    in PostgreSQL), so a second process waits and then finds nothing to do.

    Raises:
        StoreError: the database was written by a newer hstore.
    """
    with engine.connect() as connection:
        if current_revision(connection) == HEAD:
            return
    with for_writing(engine).begin() as connection:
        if connection.dialect.name == "postgresql":
            connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _ADVISORY_LOCK})
        found = current_revision(connection)
        if found != HEAD:
            upgrade_to(connection)


def current_revision(connection: Connection) -> str | None:
    """Return the revision of the database, or None for an empty one."""
    if not inspect(connection).has_table(VERSION_TABLE):
        return None
    return connection.scalar(select(table(VERSION_TABLE, column("version_num")).c.version_num))


def alembic_config(connection: Connection) -> Config:
    """Return Alembic's configuration for an open connection, without any ini file.

    To write the next revision: change the schema, then run ``alembic.command.revision(config, message,
    autogenerate=True, rev_id="0004")`` on a database at :data:`HEAD`, and raise :data:`HEAD`.
    """
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", "hstore.store:migrations")
    config.attributes["connection"] = connection
    return config


def upgrade_to(connection: Connection, revision: str = HEAD) -> None:
    """Bring the schema to a revision, in the transaction of the connection; whoever calls sees to locks.

    Raises:
        StoreError: the database was written by a newer hstore, or the revision is one.
    """
    from alembic import command
    from alembic.script import ScriptDirectory

    config = alembic_config(connection)
    found = current_revision(connection)
    known = {script.revision for script in ScriptDirectory.from_config(config).walk_revisions()}
    if found is not None and found not in known:
        raise StoreError(
            f"the store {shown_url(connection.engine)} has schema {found!r}, newer than this hstore "
            f"knows (up to {HEAD!r}); update hstore, or choose another HSTORE_DATABASE_URL"
        )
    if revision not in known:
        raise StoreError(f"schema {revision!r} is newer than this hstore knows (up to {HEAD!r}); update hstore")
    command.upgrade(config, revision)
