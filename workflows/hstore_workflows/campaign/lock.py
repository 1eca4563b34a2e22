"""One process at a time decides about campaigns, on either database.

A proposal reads the ledger, thinks, and writes; two at once would propose the same material. Both locks are
given back by the operating system or the server when their process dies.
"""

from __future__ import annotations

import hashlib
import sqlite3
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING

from sqlalchemy import text
from sqlalchemy.exc import OperationalError

from hstore.errors import StoreError
from hstore.store.engine import make_engine, store_errors

if TYPE_CHECKING:
    from collections.abc import Iterator

    from hstore.settings import Settings

PATIENCE_S = 300
"""Longest wait for another process to decide, seconds."""


def is_postgresql(url: str) -> bool:
    """Tell whether a store URL names PostgreSQL."""
    return url.startswith("postgres")


@contextmanager
def deciding(settings: Settings, name: str) -> Iterator[None]:
    """Hold the right to decide about a campaign for the length of a block.

    Args:
        settings: says which database holds the campaigns.
        name: name of the campaign. On PostgreSQL each has its own lock, on SQLite all share one.

    Raises:
        StoreError: the database cannot be reached, or others kept the lock too long.
    """
    if is_postgresql(settings.store_url):
        with _advisory_lock(settings.store_url, name):
            yield
    else:
        with _file_lock(settings):
            yield


@contextmanager
def _file_lock(settings: Settings) -> Iterator[None]:
    """Use a write transaction on a database of its own, which works wherever SQLite does."""
    settings.home.mkdir(parents=True, exist_ok=True)
    path = settings.home / "campaigns.lock"
    with closing(sqlite3.connect(path, timeout=PATIENCE_S, isolation_level=None)) as connection:
        try:
            connection.execute("BEGIN IMMEDIATE")
        except sqlite3.OperationalError as error:
            raise _kept(str(path)) from error
        yield


@contextmanager
def _advisory_lock(url: str, name: str) -> Iterator[None]:
    key = int.from_bytes(hashlib.sha256(f"hstore campaign {name}".encode()).digest()[:8], signed=True)
    engine = make_engine(url)
    try:
        with store_errors(engine, "lock campaigns in"), engine.connect() as connection:
            connection.execute(text(f"SET LOCAL lock_timeout = '{PATIENCE_S}s'"))
            try:
                connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": key})
            except OperationalError as error:
                raise _kept("the database") from error
            yield
    finally:
        engine.dispose()


def _kept(where: str) -> StoreError:
    return StoreError(
        f"another process has been deciding about campaigns in {where} for {PATIENCE_S} s; "
        "wait for it or end it, then try again"
    )
