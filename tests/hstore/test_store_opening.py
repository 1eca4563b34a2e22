"""Opening: URLs, folders, versions of the schema, and neighbours in the same database."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from importlib.resources import files

import optuna
import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import NullPool, create_engine, inspect, text

from hstore.errors import MissingExtraError, StoreError
from hstore.records import Scope
from hstore.store import migration, open_store
from hstore.store.engine import make_engine, switch_to_wal
from hstore.store.schema import Base

EVERYTHING = Scope(everything=True)


@pytest.fixture
def connection(database_url):
    """A bare connection to the database of the test."""
    engine = create_engine(database_url, poolclass=NullPool)
    with engine.connect() as opened:
        yield opened


@pytest.fixture
def path(tmp_path):
    return tmp_path / "store.sqlite"


def test_metadata_and_migrations_agree(store, connection):
    context = MigrationContext.configure(
        connection, opts={"version_table": migration.VERSION_TABLE, "compare_type": True}
    )
    assert compare_metadata(context, Base.metadata) == []


def test_checks_agree_too_which_alembic_does_not_compare(store, connection, tmp_path):
    fresh = create_engine(f"sqlite:///{tmp_path / 'fresh.sqlite'}", poolclass=NullPool)
    Base.metadata.create_all(fresh)
    for table in Base.metadata.tables:
        names = [{c["name"] for c in inspect(e).get_check_constraints(table)} for e in (fresh, connection)]
        assert names[0] == names[1]


@pytest.mark.postgres
@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
def test_keys_compare_by_code_point_in_postgresql(store, connection):
    query = text(
        "SELECT column_name, collation_name FROM information_schema.columns "
        "WHERE table_schema = current_schema() AND table_name <> :version AND column_name LIKE '%\\_id'"
    )
    collations = connection.execute(query, {"version": migration.VERSION_TABLE}).all()
    assert {name for name, _ in collations} >= {"material_id", "measurement_id", "prediction_id", "screen_id"}
    assert {collation for _, collation in collations} == {"C"}


def test_the_newest_revision_is_the_one_the_code_opens(store, connection):
    assert ScriptDirectory.from_config(migration.alembic_config(connection)).get_heads() == [migration.HEAD]
    assert store.schema_version() == migration.HEAD


def test_the_migrations_are_package_data():
    folder = files("hstore.store").joinpath("migrations")
    assert folder.joinpath("env.py").is_file()
    assert folder.joinpath("versions", "0001_first.py").is_file()


def test_the_database_itself_refuses_a_lab_record_without_lab(store, build):
    store.add_materials([build.material()])
    with (
        pytest.raises(Exception, match="lab_records_name_their_lab"),
        store.database.engine.begin() as connection,
    ):
        connection.execute(text("UPDATE materials SET visibility = 'lab'"))


def test_migrations_can_be_taken_back(store, connection):
    command.downgrade(migration.alembic_config(connection), "base")
    assert inspect(connection).get_table_names() == [migration.VERSION_TABLE]


def test_a_store_opened_again_keeps_its_records(database_url, build):
    for _ in range(2):
        with open_store(database_url) as store:
            store.add_materials([build.material()])
            store.ping()
    with open_store(database_url) as store:
        assert list(store.materials(scope=EVERYTHING)) == [build.material()]


def test_a_database_of_a_newer_hstore_is_refused_and_left_alone(database_url, store, connection):
    connection.execute(text(f"UPDATE {migration.VERSION_TABLE} SET version_num = '9999'"))
    connection.commit()
    with pytest.raises(StoreError, match=r"schema '9999', newer than this hstore knows .*; update hstore"):
        open_store(database_url)
    assert migration.current_revision(connection) == "9999"


def test_a_failed_migration_leaves_nothing_behind(database_url, connection, monkeypatch):
    def fail(*_):
        raise RuntimeError("broke after the first table")

    monkeypatch.setattr("alembic.op.create_index", fail)
    with pytest.raises(RuntimeError, match="broke after the first table"):
        open_store(database_url)
    assert inspect(connection).get_table_names() == []


def test_a_store_without_its_tables_says_so(database_url, store, connection):
    connection.execute(text(f"DROP TABLE {migration.VERSION_TABLE}"))
    connection.commit()
    with pytest.raises(StoreError, match="lost its tables"):
        store.ping()


@pytest.mark.parametrize("first", ["hstore", "optuna"])
def test_an_optuna_study_may_live_in_the_same_database(database_url, build, first):
    def study(load):
        storage = optuna.storages.RDBStorage(database_url, engine_kwargs={"poolclass": NullPool})
        return optuna.create_study(study_name="s", storage=storage, load_if_exists=load)

    def keep():
        with open_store(database_url) as store:
            store.add_materials([build.material()])

    steps = [
        keep,
        lambda: study(load=False).optimize(lambda trial: trial.suggest_float("x", 0, 1), n_trials=1),
    ]
    for step in steps if first == "hstore" else steps[::-1]:
        step()
    assert len(study(load=True).trials) == 1
    with open_store(database_url) as store:
        assert store.schema_version() == migration.HEAD
        assert store.count_materials(scope=EVERYTHING) == 1


def test_processes_that_start_at_once_make_one_schema(database_url):
    script = (
        "import sys; from hstore.store import open_store; from hstore.records import PUBLIC_SCOPE\n"
        "print('ready', flush=True); sys.stdin.readline()\n"
        "with open_store(sys.argv[1]) as s: print(s.schema_version(), s.count_materials(scope=PUBLIC_SCOPE))"
    )
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    processes = [subprocess.Popen([sys.executable, "-c", script, database_url], **pipes) for _ in range(2)]
    for process in processes:
        assert process.stdout.readline() == "ready\n"
    for process in processes:
        process.stdin.write("\n")
        process.stdin.flush()
    answers = [process.communicate(timeout=120) for process in processes]
    assert [(out, err) for out, err in answers] == [(f"{migration.HEAD} 0\n", "")] * 2


def test_sqlite_is_set_up_for_several_processes_and_for_power_failures(path):
    with open_store(f"sqlite:///{path}") as store, store.database.engine.connect() as connection:
        pragmas = {
            name: connection.scalar(text(f"PRAGMA {name}"))
            for name in ("journal_mode", "foreign_keys", "synchronous", "busy_timeout")
        }
    assert pragmas == {"journal_mode": "wal", "foreign_keys": 1, "synchronous": 2, "busy_timeout": 60_000}


class Contested:
    """A connection whose first statements find the database locked."""

    def __init__(self, message, times):
        self.message, self.left = message, times

    def execute(self, _):
        if self.left:
            self.left -= 1
            raise sqlite3.OperationalError(self.message)


def test_the_switch_to_wal_waits_while_others_switch():
    contested = Contested("database is locked", times=3)
    switch_to_wal(contested)
    assert contested.left == 0
    with pytest.raises(sqlite3.OperationalError, match="disk I/O error"):
        switch_to_wal(Contested("disk I/O error", times=1))


def test_the_folder_of_a_new_store_is_made(tmp_path):
    path = tmp_path / "a folder" / "50 % ünïcode" / "store.sqlite"
    with open_store(f"sqlite:///{path}"):
        assert path.is_file()


def test_opening_a_store_that_is_up_to_date_does_not_load_alembic(path):
    open_store(f"sqlite:///{path}").close()
    script = (
        "import sys; from hstore.store import open_store; open_store(sys.argv[1]).close()\n"
        "print([m for m in ('alembic', 'psycopg', 'pandas', 'numpy') if m in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, f"sqlite:///{path}"], capture_output=True, text=True, check=True
    )
    assert done.stdout == "[]\n"


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("sqlite://", "names no file on disk; give sqlite:///FILE"),
        ("sqlite:///:memory:", "names no file on disk"),
        ("sqlite:///file:x?mode=memory&uri=true", "names no file on disk"),
        ("mysql://u:secret@h/d", r"mysql://u:\*\*\*@h/d names neither SQLite nor PostgreSQL"),
        ("postgresql+asyncpg://u:secret@h/d", "names neither"),
        ("not a url with secret", "cannot be read; give sqlite:///FILE or postgresql"),
    ],
)
def test_other_urls_are_refused_without_telling_passwords(url, message):
    with pytest.raises(StoreError, match=message) as caught:
        open_store(url)
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize("scheme", ["postgres", "postgresql", "postgresql+psycopg"])
def test_the_usual_names_of_postgresql_mean_psycopg(scheme):
    pytest.importorskip("psycopg")
    assert make_engine(f"{scheme}://u@h/d").driver == "psycopg"


def test_without_psycopg_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "psycopg", None)
    with pytest.raises(MissingExtraError, match=r"pip install 'hstore\[postgres\]'"):
        open_store("postgresql+psycopg://u@127.0.0.1/d")


def test_a_server_that_does_not_answer_is_a_store_error_without_password():
    pytest.importorskip("psycopg")
    with pytest.raises(StoreError, match=r"cannot open .*reachable") as caught:
        open_store("postgresql+psycopg://u:secret@127.0.0.1:1/d")
    assert "secret" not in str(caught.value)


def test_a_file_that_is_no_database_is_refused_and_kept(path):
    path.write_text("a letter, much longer than the header of a database\n" * 100)
    before = path.read_bytes()
    with pytest.raises(StoreError, match=r"cannot open .*file is not a database"):
        open_store(f"sqlite:///{path}")
    assert path.read_bytes() == before


def test_a_folder_that_cannot_be_made_is_a_store_error(path):
    path.write_text("in the way")
    with pytest.raises(StoreError, match=r"cannot make the folder .*HSTORE_HOME"):
        open_store(f"sqlite:///{path / 'store.sqlite'}")


def test_a_store_whose_tables_are_gone_fails_with_a_store_error(path, build):
    with open_store(f"sqlite:///{path}") as store:
        with store.database.engine.begin() as connection:
            connection.execute(text("DROP TABLE screens"))
        with pytest.raises(StoreError, match=r"cannot read screens from .*no such table"):
            store.screens(scope=EVERYTHING)
        with pytest.raises(StoreError, match=r"cannot write a screen to .*no such table"):
            store.add_screen(build.screen())
