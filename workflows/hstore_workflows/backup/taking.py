"""Take a back-up: tables as they are at one moment, and files, while others go on writing."""

from __future__ import annotations

import json
import platform
from contextlib import contextmanager
from datetime import UTC, datetime
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

from sqlalchemy import make_url, text

import hstore
from hstore.errors import StoreError
from hstore.store.engine import make_engine, store_errors
from hstore.store.migration import current_revision
from hstore.store.portable import described, rows_of
from hstore.store.schema import Base
from hstore_workflows.backup.archive import writing
from hstore_workflows.backup.home import kept_files
from hstore_workflows.backup.manifest import CAMPAIGNS, HOME, STORE, Manifest
from hstore_workflows.campaign.lock import is_postgresql

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from sqlalchemy import Connection, Table

    from hstore.settings import Settings
    from hstore_workflows.backup.archive import Writer

STORE_TABLES = tuple(sorted(Base.metadata.tables.keys() - {"workers"}))
"""Tables of the store; which workers are alive is nothing to restore."""

CAMPAIGN_TABLES = (
    "studies", "study_directions", "study_user_attributes", "study_system_attributes", "trials",
    "trial_user_attributes", "trial_system_attributes", "trial_params", "trial_values",
    "trial_intermediate_values", "trial_heartbeats",
)  # fmt: skip
"""Tables of Optuna with rows of ours; those with its version are written by Optuna itself."""

CAMPAIGN_VERSION = "alembic_version"
"""Table with the revision of Optuna's tables."""

_SETTINGS = (
    "seed", "threads", "environment", "anonymous_read", "requests_per_minute", "concurrent_jobs", "log_format",
    "metrics_access", "worker_expected",
)  # fmt: skip
_LIBRARIES = ("SQLAlchemy", "optuna", "dbos", "scikit-learn", "skops", "numpy")


def take(settings: Settings, path: Path, say: Callable[[str], None] = lambda _: None) -> Manifest:
    """Write a back-up.

    Args:
        settings: which home folder and database.
        path: file to write, ``NAME.tar.zst`` or ``NAME.tar.gz``.
        say: told in one line what is being copied.

    Raises:
        InputError: the file cannot be written, or is there already.
        StoreError: there is no store, or it cannot be read.
    """
    with writing(path) as archive, _snapshots(settings) as (store, campaigns):
        created = datetime.now(UTC)
        schema = current_revision(store)
        if schema is None:
            raise StoreError("the database holds no store; set HSTORE_HOME or HSTORE_DATABASE_URL to another")
        _add_tables(archive, STORE, store, described(store, STORE_TABLES), say)
        campaign_schema = None if campaigns is None else campaign_revision(campaigns)
        if campaigns is not None and campaign_schema:
            _add_tables(archive, CAMPAIGNS, campaigns, described(campaigns, CAMPAIGN_TABLES), say)
        say("files of the home folder")
        _add_files(archive, settings.home)
        manifest = Manifest(
            hstore=hstore.__version__,
            created_at=created,
            database="postgresql" if store.dialect.name == "postgresql" else "sqlite",
            store_schema=schema,
            campaign_schema=campaign_schema,
            versions={"python": platform.python_version(), **{name: version(name) for name in _LIBRARIES}},
            settings={name: getattr(settings, name) for name in _SETTINGS},
            entries=archive.entries,
        )
        archive.finish(manifest)
    return manifest


def campaign_revision(connection: Connection) -> str | None:
    """Return the revision of Optuna's tables, or None where there are none."""
    from sqlalchemy import inspect

    if not inspect(connection).has_table(CAMPAIGN_VERSION):
        return None
    found: str | None = connection.scalar(text(f"SELECT version_num FROM {CAMPAIGN_VERSION}"))  # noqa: S608 - a constant
    return found


@contextmanager
def _snapshots(settings: Settings) -> Iterator[tuple[Connection, Connection | None]]:
    """Yield connections that see one moment each; on PostgreSQL the same one for store and campaigns."""
    if is_postgresql(settings.store_url):
        with _snapshot(settings.store_url) as connection:
            yield connection, connection
        return
    _check_is_there(settings.store_url)
    campaigns = settings.home / "campaigns.sqlite"
    with _snapshot(settings.store_url) as store:
        if not campaigns.is_file():
            yield store, None
            return
        with _snapshot(f"sqlite:///{campaigns}") as other:
            yield store, other


@contextmanager
def _snapshot(url: str) -> Iterator[Connection]:
    engine = make_engine(url)
    # A transaction of SQLite sees one moment anyway, and in its journal mode keeps nobody from writing.
    options: dict[str, Any] = {"isolation_level": "REPEATABLE READ", "postgresql_readonly": True}
    if engine.dialect.name == "sqlite":
        options = {}
    try:
        with store_errors(engine, "back up"), engine.connect().execution_options(**options) as connection:
            yield connection
    finally:
        engine.dispose()


def _check_is_there(url: str) -> None:
    """Refuse a file that is not there, which SQLite would make."""
    from pathlib import Path

    path = Path(str(make_url(url).database))
    if not path.is_file():
        raise StoreError(f"there is no store {path}; set HSTORE_HOME or HSTORE_DATABASE_URL to one that is")


def _add_tables(
    archive: Writer, folder: str, connection: Connection, tables: list[Table], say: Callable[[str], None]
) -> None:
    for table in tables:
        say(f"table {table.name}")
        lines = (_line(row) for row in rows_of(connection, table))
        archive.add_lines(f"{folder}/{table.name}.jsonl", lines)


def _line(row: dict[str, Any]) -> bytes:
    return json.dumps(row, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"


def _add_files(archive: Writer, home: Path) -> None:
    for path in kept_files(home):
        try:
            archive.add_file(f"{HOME}/{path.relative_to(home).as_posix()}", path)
        except FileNotFoundError:
            continue  # a job or a training removed it meanwhile
