"""Restore a back-up: checked first, then all or nothing, into SQLite or PostgreSQL, whichever it came from."""

from __future__ import annotations

import json
import shutil
import sqlite3
import tempfile
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqlalchemy import delete, func, make_url, select, text
from sqlalchemy.schema import DropSchema

from hstore.errors import InputError, StoreError
from hstore.store import open_store
from hstore.store.engine import make_engine, store_errors
from hstore.store.migration import VERSION_TABLE, upgrade_to
from hstore.store.portable import described, put_rows
from hstore_workflows.backup.archive import unpack
from hstore_workflows.backup.home import KEPT
from hstore_workflows.backup.manifest import CAMPAIGNS, HOME, STORE
from hstore_workflows.backup.taking import CAMPAIGN_TABLES, STORE_TABLES
from hstore_workflows.campaign.lock import is_postgresql
from hstore_workflows.jobs.journal import journal_path, journal_schema

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from sqlalchemy import Connection

    from hstore.settings import Settings
    from hstore_workflows.backup.manifest import Manifest

_SIDES = ("", "-wal", "-shm")
_PATIENCE_S = 20
"""Longest wait for whoever reads or writes the tables that are replaced, s."""


def restore(
    settings: Settings, path: Path, *, replace: bool = False, say: Callable[[str], None] = lambda _: None
) -> Manifest:
    """Put a back-up in place of an empty home folder and database.

    Args:
        settings: which home folder and database.
        path: the back-up.
        replace: True to replace what is there; service and workers must have ended.
        say: told in one line what is being done.

    Raises:
        InputError: the back-up is damaged, or the place is not empty.
        StoreError: the database cannot be written, is in use, or a newer hstore or Optuna wrote the back-up.
    """
    if not replace:
        _check_is_empty(settings)
    settings.home.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".restore-", dir=settings.home) as scratch:
        staged = Path(scratch)
        say("checking the back-up")
        manifest = unpack(path, staged)
        place = _into_postgresql if is_postgresql(settings.store_url) else _into_sqlite
        place(settings, manifest, staged, say)
    _begin_again(settings)
    return manifest


def check(path: Path) -> Manifest:
    """Unpack a back-up for a moment, to see whether it is whole.

    Raises:
        InputError: it is damaged.
    """
    with tempfile.TemporaryDirectory(prefix="hstore-check-") as scratch:
        return unpack(path, Path(scratch))


def _check_is_empty(settings: Settings) -> None:
    found = [name for name in KEPT if any((settings.home / name).glob("*"))]
    if found:
        raise _not_empty(f"{settings.home} holds {', '.join(found)}")
    if not is_postgresql(settings.store_url) and not _sqlite_path(settings).exists():
        return
    engine = make_engine(settings.store_url)
    try:
        with store_errors(engine, "look into"), engine.connect() as connection:
            tables = described(connection, (*STORE_TABLES, *CAMPAIGN_TABLES))
            full = [table.name for table in tables if connection.scalar(select(func.count()).select_from(table))]
    finally:
        engine.dispose()
    if full:
        raise _not_empty(f"the database has rows in {', '.join(full[:5])}")


def _not_empty(found: str) -> InputError:
    return InputError(
        f"{found}; restore into an empty place (another HSTORE_HOME, HSTORE_DATABASE_URL, or --into DIR), or say "
        "--replace to lose what is there"
    )


def _into_sqlite(settings: Settings, manifest: Manifest, staged: Path, say: Callable[[str], None]) -> None:
    """Build the databases beside their places, then move everything at once."""
    final, campaigns = _sqlite_path(settings), settings.home / "campaigns.sqlite"
    for database in (final, campaigns):
        _check_is_unused(database)
    with _connected(f"sqlite:///{staged / 'hstore.sqlite'}") as connection:
        _fill_store(connection, manifest, staged, say)
        connection.commit()
    if manifest.campaign_schema:
        say("campaigns")
        _make_campaign_tables(settings.model_copy(update={"home": staged, "database_url": None}), manifest)
        with _connected(f"sqlite:///{staged / 'campaigns.sqlite'}") as connection:
            _fill_campaigns(connection, staged)
            connection.commit()
    old = [Path(f"{path}{side}") for path in (final, campaigns, journal_path(final)) for side in _SIDES]
    moves = dict.fromkeys(old, staged / "nothing")
    moves |= {final: staged / "hstore.sqlite", campaigns: staged / "campaigns.sqlite"}
    with _moved(moves | _files(settings.home, staged), staged / "before"):
        pass


def _into_postgresql(settings: Settings, manifest: Manifest, staged: Path, say: Callable[[str], None]) -> None:
    """Write everything in one transaction, and commit it when the files are in their places."""
    if manifest.campaign_schema:
        _make_campaign_tables(settings, manifest)
    with _connected(settings.store_url) as connection:
        connection.execute(text(f"SET LOCAL lock_timeout = '{_PATIENCE_S}s'"))
        _drop_store(connection)
        _fill_store(connection, manifest, staged, say)
        for table in reversed(described(connection, CAMPAIGN_TABLES)):
            connection.execute(delete(table))
        if manifest.campaign_schema:
            say("campaigns")
            _fill_campaigns(connection, staged)
        with _moved(_files(settings.home, staged), staged / "before"):
            connection.commit()


def _fill_store(connection: Connection, manifest: Manifest, staged: Path, say: Callable[[str], None]) -> None:
    """Make the tables as they were, fill them, and bring them up to this version."""
    upgrade_to(connection, manifest.store_schema)
    tables = described(connection, STORE_TABLES)
    unknown = manifest.rows(STORE).keys() - {table.name for table in tables}
    if unknown:
        raise StoreError(f"the back-up has tables this hstore does not know: {', '.join(sorted(unknown))}")
    for table in tables:
        say(f"table {table.name}")
        put_rows(connection, table, _rows(staged / STORE / f"{table.name}.jsonl"))
    upgrade_to(connection)


def _fill_campaigns(connection: Connection, staged: Path) -> None:
    for table in described(connection, CAMPAIGN_TABLES):
        put_rows(connection, table, _rows(staged / CAMPAIGNS / f"{table.name}.jsonl"))


def _rows(path: Path) -> Iterator[dict[str, Any]]:
    if path.is_file():  # a table that a later revision adds has none
        with path.open(encoding="utf-8") as lines:
            yield from map(json.loads, lines)


def _make_campaign_tables(settings: Settings, manifest: Manifest) -> None:
    """Let Optuna make its tables; they have to be those the rows come from."""
    from hstore_workflows.campaign.storage import open_storage

    with open_storage(settings) as storage:
        found = storage.get_current_version()
    if found != manifest.campaign_schema:
        raise StoreError(
            f"the campaigns of the back-up have Optuna's schema {manifest.campaign_schema}, the installed one "
            f"makes {found}; install optuna {manifest.versions.get('optuna')}, restore, and then update it"
        )


def _drop_store(connection: Connection) -> None:
    """Drop the tables of the store, and the journal that says how far the jobs are that go with them."""
    present = described(connection, (*STORE_TABLES, "workers", VERSION_TABLE))
    if present:
        present[0].metadata.drop_all(connection)
    schema = journal_schema(str(connection.scalar(text("SELECT current_schema()"))))
    connection.execute(DropSchema(schema, cascade=True, if_exists=True))


@contextmanager
def _connected(url: str) -> Iterator[Connection]:
    """Yield a connection in a transaction, which is rolled back unless it is committed."""
    engine = make_engine(url)
    try:
        with store_errors(engine, "restore into"), engine.connect() as connection:
            yield connection
    finally:
        engine.dispose()


def _files(home: Path, staged: Path) -> dict[Path, Path]:
    return {home / name: staged / HOME / name for name in KEPT}


@contextmanager
def _moved(moves: dict[Path, Path], aside: Path) -> Iterator[None]:
    """Put files and folders into their places; what was there goes aside, and back when the block fails.

    Args:
        moves: place -> what is to be there; where that does not exist the place becomes empty.
        aside: folder for what was there, on the same disk.
    """
    aside.mkdir()
    done: list[tuple[Path, Path, Path]] = []
    try:
        for number, (place, source) in enumerate(moves.items()):
            kept = aside / str(number)
            done.append((place, source, kept))
            if place.exists():
                shutil.move(place, kept)
            if source.exists():
                shutil.move(source, place)
        yield
    except BaseException:  # whatever stopped it, what was there comes back
        for place, source, kept in reversed(done):
            if place.exists() and not source.exists():
                shutil.move(place, source)
            if kept.exists():
                shutil.move(kept, place)
        raise


def _check_is_unused(path: Path) -> None:
    """Refuse a database that another process has open: its log of writes is there as long as anybody has."""
    if not path.is_file():
        return
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("SELECT count(*) FROM sqlite_master")
    if Path(f"{path}-wal").exists():
        raise StoreError(f"{path} is open in another process; stop the service and the workers, then try again")


def _sqlite_path(settings: Settings) -> Path:
    return Path(str(make_url(settings.store_url).database))


def _begin_again(settings: Settings) -> None:
    """Queue the jobs that were running once more, for what their workers knew of them is not restored."""
    with open_store(settings.store_url) as store:
        for job in store.jobs.running():
            store.jobs.requeue(job.job_id, job.attempts)
        store.audit.add("store.restore", [])
