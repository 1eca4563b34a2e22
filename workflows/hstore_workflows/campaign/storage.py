"""Where campaigns are kept: an Optuna storage on SQLite under ``HSTORE_HOME``, or on PostgreSQL.

Optuna names its version table ``alembic_version``; the result store has a name of its own, so both live in one
PostgreSQL database. On SQLite campaigns have a file of their own.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from hstore.errors import StoreError
from hstore.store.engine import make_engine
from hstore_workflows.campaign.lock import deciding, is_postgresql

if TYPE_CHECKING:
    from collections.abc import Iterator

    from optuna.storages import RDBStorage
    from sqlalchemy import Engine

    from hstore.settings import Settings

_BUSY_TIMEOUT_S = 60
_VERSION_TABLE = "alembic_version"
_known_head: list[str] = []


@contextmanager
def open_storage(settings: Settings) -> Iterator[RDBStorage]:
    """Open the storage of all campaigns for the length of a block; made when missing, upgraded when older.

    Raises:
        StoreError: it cannot be reached, read or written, or a newer Optuna wrote it.
    """
    import optuna
    from sqlalchemy.exc import SQLAlchemyError

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    try:
        storage = _connected(settings)
        try:
            yield storage
        finally:
            storage.remove_session()
            storage.engine.dispose()
    except (SQLAlchemyError, optuna.exceptions.StorageInternalError) as error:
        cause = str(getattr(error, "orig", None) or getattr(error.__cause__, "orig", None) or error)
        raise StoreError(
            f"the campaigns cannot be read or written: {cause.partition(chr(10))[0]}; check HSTORE_HOME and the "
            "database"
        ) from error


def _connected(settings: Settings) -> RDBStorage:
    from optuna.storages import RDBStorage

    url, options = _address(settings)
    engine = make_engine(settings.store_url) if is_postgresql(settings.store_url) else _plain_engine(url)
    try:
        made = _is_made(engine)
    finally:
        engine.dispose()
    if not made:
        # several processes that make the same tables at once fail on PostgreSQL
        with deciding(settings, "", about="tables"):
            _closed(RDBStorage(url, engine_kwargs=dict(options), skip_compatibility_check=True))
    storage = RDBStorage(url, engine_kwargs=dict(options), skip_compatibility_check=True, skip_table_creation=True)
    if storage.get_current_version() != _head_version(storage):
        _upgrade(storage, settings)
    return storage


def _head_version(storage: RDBStorage) -> str:
    """Return the newest schema this Optuna knows; it reads all its migrations to find out, so once a process."""
    if not _known_head:
        _known_head.append(str(storage.get_head_version()))
    return _known_head[0]


def _upgrade(storage: RDBStorage, settings: Settings) -> None:
    with deciding(settings, "", about="tables"):
        found = storage.get_current_version()
        if found not in storage.get_all_versions():
            _closed(storage)
            raise StoreError(
                f"a newer Optuna wrote the campaigns (schema {found}, known up to {storage.get_head_version()}); "
                "update optuna, or use another HSTORE_HOME or database"
            )
        if found != storage.get_head_version():
            storage.upgrade()


def _closed(storage: RDBStorage) -> None:
    storage.remove_session()
    storage.engine.dispose()


def _address(settings: Settings) -> tuple[str, dict[str, Any]]:
    if is_postgresql(settings.store_url):
        engine = make_engine(settings.store_url)  # settles the spelling of the driver and asks for psycopg
        url = engine.url.render_as_string(hide_password=False)
        engine.dispose()
        return url.replace("{", "{{").replace("}", "}}"), {}  # Optuna formats the URL
    settings.home.mkdir(parents=True, exist_ok=True)
    path = str(settings.home / "campaigns.sqlite").replace("{", "{{").replace("}", "}}")
    return f"sqlite:///{path}", {"connect_args": {"timeout": _BUSY_TIMEOUT_S}}


def _plain_engine(url: str) -> Engine:
    from sqlalchemy import create_engine

    return create_engine(url.format(), connect_args={"timeout": _BUSY_TIMEOUT_S})


def _is_made(engine: Engine) -> bool:
    """Tell whether the tables are there; the version is written last."""
    from sqlalchemy import inspect, text

    if not inspect(engine).has_table(_VERSION_TABLE):
        return False
    with engine.connect() as connection:
        count: int = connection.execute(text(f"SELECT count(*) FROM {_VERSION_TABLE}")).scalar_one()  # noqa: S608 - a constant
    return count > 0
