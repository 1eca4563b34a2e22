"""One process at a time writes to a campaign, and one at a time thinks of proposals, on either database.

Writing takes the lock about ``"ledger"`` for milliseconds. Proposing holds the one about ``"proposals"`` while it
thinks, so that two never think of the same candidates, and results come in meanwhile. The locks are given back by
the operating system or the server when their process dies.
"""

from __future__ import annotations

import hashlib
import sqlite3
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING, Literal

from sqlalchemy import text
from sqlalchemy.exc import OperationalError

from hstore.errors import StoreError
from hstore.store.engine import make_engine, store_errors

if TYPE_CHECKING:
    from collections.abc import Iterator

    from hstore.settings import Settings

PATIENCE_S = {"ledger": 300, "tables": 300, "proposals": 3600}
"""Longest wait for another process, seconds, by what the lock is about."""


def is_postgresql(url: str) -> bool:
    """Tell whether a store URL names PostgreSQL."""
    return url.startswith("postgres")


@contextmanager
def deciding(
    settings: Settings, name: str, *, about: Literal["ledger", "proposals", "tables"] = "ledger"
) -> Iterator[None]:
    """Hold the right to decide about a campaign for the length of a block.

    Args:
        settings: says which database holds the campaigns.
        name: name of the campaign; empty for what all campaigns share.
        about: what is decided; locks about different things do not wait for each other. Who needs two takes
            ``"proposals"`` before ``"ledger"``.

    Raises:
        StoreError: the database cannot be reached, or others kept the lock too long.
    """
    if is_postgresql(settings.store_url):
        with _advisory_lock(settings.store_url, name, about):
            yield
    else:
        with _file_lock(settings, name, about):
            yield


@contextmanager
def _file_lock(settings: Settings, name: str, about: str) -> Iterator[None]:
    """Use a write transaction on a database of its own, which works wherever SQLite does."""
    folder = settings.home / "campaigns" / name
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{about}.lock"
    with closing(sqlite3.connect(path, timeout=PATIENCE_S[about], isolation_level=None)) as connection:
        try:
            connection.execute("BEGIN IMMEDIATE")
        except sqlite3.OperationalError as error:
            raise _kept(str(path), about) from error
        yield


@contextmanager
def _advisory_lock(url: str, name: str, about: str) -> Iterator[None]:
    words = f"hstore campaign {name} {about}"
    key = int.from_bytes(hashlib.sha256(words.encode()).digest()[:8], signed=True)
    engine = make_engine(url)
    try:
        with store_errors(engine, "lock campaigns in"), engine.connect() as connection:
            connection.execute(text(f"SET LOCAL lock_timeout = '{PATIENCE_S[about]}s'"))
            try:
                connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": key})
            except OperationalError as error:
                raise _kept("the database", about) from error
            yield
    finally:
        engine.dispose()


def _kept(where: str, about: str) -> StoreError:
    return StoreError(
        f"another process has been deciding about campaigns in {where} for {PATIENCE_S[about]} s; "
        "wait for it or end it, then try again"
    )
