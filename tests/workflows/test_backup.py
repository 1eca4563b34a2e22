"""Back-ups: everything comes back, into either database, all of it or nothing, while others go on writing."""

from __future__ import annotations

import hashlib
import io
import json
import os
import re
import shutil
import sqlite3
import tarfile
import threading
import uuid
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner
from sqlalchemy import NullPool, create_engine, make_url, text

from hstore.errors import InputError, StoreError
from hstore.jobs import JobState
from hstore.keys import permissions_of
from hstore.records import Scope
from hstore.settings import Settings
from hstore.store import open_store
from hstore.store.portable import described, rows_of
from hstore_workflows.backup import taking
from hstore_workflows.backup.home import KEPT, LEFT_OUT, kept_files
from hstore_workflows.backup.restoring import check, restore
from hstore_workflows.backup.taking import CAMPAIGN_TABLES, STORE_TABLES, take

ROOT = Path(__file__).parents[2]
EVERYTHING = Scope(everything=True)


@contextmanager
def database(kind, folder):
    """URL of an empty database: a SQLite file, or a PostgreSQL schema dropped afterwards."""
    if kind == "sqlite":
        yield None
        return
    server = os.environ.get("HSTORE_TEST_POSTGRES_URL")
    if not server:
        pytest.skip('HSTORE_TEST_POSTGRES_URL is unset; run: eval "$(.ci/postgres.sh start)"')
    schema = f"test_{uuid.uuid4().hex}"
    admin = create_engine(server, poolclass=NullPool, isolation_level="AUTOCOMMIT")
    with admin.connect() as connection:
        connection.execute(text(f"CREATE SCHEMA {schema}"))
    options = f"-csearch_path={schema} -cTimeZone=Asia/Kolkata"
    yield make_url(server).update_query_dict({"options": options}).render_as_string(hide_password=False)
    with admin.connect() as connection:
        connection.execute(text(f"DROP SCHEMA {schema} CASCADE"))
        connection.execute(text(f"DROP SCHEMA IF EXISTS {schema}_jobs CASCADE"))


kinds = pytest.mark.parametrize(
    ("source", "target"),
    [
        ("sqlite", "sqlite"),
        pytest.param("sqlite", "postgresql", marks=pytest.mark.postgres),
        pytest.param("postgresql", "sqlite", marks=pytest.mark.postgres),
        pytest.param("postgresql", "postgresql", marks=pytest.mark.postgres),
    ],
    scope="module",
)


def fill(settings, build):
    """Put something of everything into a store: public, private, corrected, running, failed."""
    north = build.of("north")
    with open_store(settings.store_url) as store:
        store.add_materials([build.material("m1"), build.material("m2", "MgH2", access=north)])
        store.add_measurements([build.measurement("z-first", 1.1, access=north)])
        store.add_measurements([build.measurement("a-correction", 1.2, replaces="z-first", access=north)])
        store.add_predictions([build.prediction(1.3)])
        store.add_screen(build.screen(manifest={"note": 'ΔH "quoted"\n', "n": None, "x": 0.1 + 0.2}))
        made, secret = store.keys.create("n", permissions_of("read"), lab_id="north", valid_for=timedelta(days=9))
        store.keys.use(made.key_id, "predictions", 3, most=10)
        store.audit.add("measurements.create", ["z-first"], key_id=made.key_id, lab_id="north", detail={"n": 1})
        store.jobs.create("screen", {"target": "onboard"}, access=north, key_id=made.key_id, job_id="running")
        store.jobs.claim("w1")
        store.jobs.create("screen", {"target": "onboard"}, access=north, key_id=made.key_id, job_id="waiting")
        store.jobs.beat("w1", host="h", pid=1, started_at=datetime.now(UTC))
    add_campaign(settings)
    for name, content in {
        "models/m/current": "v1",
        "models/m/v1/card.json": "{}",
        "jobs/running/files/a.csv": "x",
    }.items():
        path = settings.home / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
    (settings.home / "models/registry.key").write_text("k")
    (settings.home / "models/registry.key").chmod(0o600)
    (settings.home / "models/m/lock").write_text("")
    (settings.home / "features").mkdir()
    (settings.home / "features/big").write_text("computed again")
    return secret


def add_campaign(settings):
    import optuna
    from optuna.trial import TrialState, create_trial

    from hstore_workflows.campaign.storage import open_storage

    with open_storage(settings) as storage:
        study = optuna.create_study(storage=storage, study_name="c", directions=["maximize", "minimize"])
        study.set_user_attr("hstore_campaign", {"schema": 1, "text": "å"})
        study.add_trial(create_trial(state=TrialState.COMPLETE, values=[1.5, float("inf")]))
        study.add_trial(create_trial(state=TrialState.RUNNING, user_attrs={"material_id": "m1"}))
        study.add_trial(create_trial(state=TrialState.FAIL))


def dump(settings, tables):
    """Rows of tables by name; instants as UTC, whether the database has time zones or not."""
    from hstore.store.engine import make_engine

    url = settings.store_url
    if tables is CAMPAIGN_TABLES and url.startswith("sqlite"):
        url = f"sqlite:///{settings.home / 'campaigns.sqlite'}"
    engine = make_engine(url)
    with engine.connect() as connection:
        found = {table.name: list(rows_of(connection, table)) for table in described(connection, tables)}
    engine.dispose()
    return json.loads(json.dumps(found).replace('+00:00"', '"'))


def settings_of(folder, url):
    folder.mkdir()
    return Settings(home=folder, database_url=url, data_mirror=None)


@pytest.fixture(scope="module")
def model_home(tmp_path_factory):
    """Folder of a home that is filled once and then copied."""
    return tmp_path_factory.mktemp("filled") / "home"


@pytest.fixture
def filled(build, model_home, tmp_path):
    """A home with a filled SQLite store."""
    if not model_home.exists():
        fill(settings_of(model_home, None), build)
    shutil.copytree(model_home, tmp_path / "home")
    return Settings(home=tmp_path / "home", database_url=None, data_mirror=None)


@pytest.fixture
def empty(tmp_path):
    """An empty home."""
    return settings_of(tmp_path / "empty", None)


@kinds
def test_everything_comes_back_in_either_database(source, target, build, tmp_path):
    with database(source, tmp_path) as from_url, database(target, tmp_path) as to_url:
        before = settings_of(tmp_path / "before", from_url)
        secret = fill(before, build)
        after = settings_of(tmp_path / "after", to_url)
        file = tmp_path / f"b.tar.{'gz' if source == target else 'zst'}"
        manifest = take(before, file)
        old = dump(before, STORE_TABLES), dump(before, CAMPAIGN_TABLES)
        restore(after, file)
        store, campaigns = dump(after, STORE_TABLES), dump(after, CAMPAIGN_TABLES)

        assert campaigns == old[1]
        assert len(campaigns["trials"]) == 3
        assert store["audit"].pop()["action"] == "store.restore"
        (running,) = (job for job in store["jobs"] if job["job_id"] == "running")
        assert running["state"] == JobState.QUEUED, "nobody knows how far it was, so it begins again"
        changed = {"jobs", "audit"}
        assert {k: v for k, v in store.items() if k not in changed} == {
            k: v for k, v in old[0].items() if k not in changed
        }
        assert store["audit"] == old[0]["audit"]
        assert {job["job_id"] for job in store["jobs"]} == {"running", "waiting"}
        assert manifest.rows("store")["measurements"] == len(store["measurements"]) == 2
        with open_store(after.store_url) as opened:
            assert opened.keys.find(secret).lab_id == "north"
            assert [m.measurement_id for m in opened.measurements(scope=EVERYTHING)] == ["a-correction"]
            assert opened.material("m2", scope=Scope(lab_id="south")) is None
            assert opened.jobs.workers() == []
            opened.add_materials([build.material("m9")])  # and it can be written to
        add_more_trials(after)
        assert (after.home / "models/m/v1/card.json").read_text() == "{}"
        assert (after.home / "models/registry.key").stat().st_mode & 0o777 == 0o600
        assert (after.home / "jobs/running/files/a.csv").read_text() == "x"
        assert not (after.home / "features").exists()
        assert not [path for path in after.home.iterdir() if path.name.startswith(".")]


def add_more_trials(settings):
    import optuna
    from optuna.trial import TrialState, create_trial

    from hstore_workflows.campaign.storage import open_storage

    with open_storage(settings) as storage:
        study = optuna.load_study(storage=storage, study_name="c")
        study.add_trial(create_trial(state=TrialState.FAIL))  # numbers of rows go on after those restored
        assert [trial.number for trial in study.trials] == [0, 1, 2, 3]
        assert study.trials[0].values == [1.5, float("inf")]


def test_a_back_up_is_for_its_owner_and_never_overwrites(filled, tmp_path):
    file = tmp_path / "b.tar.zst"
    take(filled, file)
    assert file.stat().st_mode & 0o777 == 0o600
    with pytest.raises(InputError, match="there already"):
        take(filled, file)
    with pytest.raises(InputError, match=r"NAME.tar.zst or NAME.tar.gz"):
        take(filled, tmp_path / "b.zip")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["b.tar.zst", "home"]


def test_a_back_up_without_a_store_is_refused_and_makes_none(empty, tmp_path):
    with pytest.raises(StoreError, match="there is no store"):
        take(empty, tmp_path / "b.tar.gz")
    assert list(empty.home.iterdir()) == []
    assert not (tmp_path / "b.tar.gz").exists()


def test_secrets_of_the_settings_stay_out(filled, tmp_path):
    secret = "s" * 40
    settings = filled.model_copy(update={"secret_key": secret, "mp_api_key": "p" * 32})
    take(settings, tmp_path / "b.tar.gz")
    with tarfile.open(tmp_path / "b.tar.gz") as archive:
        content = b"".join(archive.extractfile(member).read() for member in archive)
    assert secret.encode() not in content
    assert b"p" * 32 not in content
    assert str(tmp_path).encode() not in content


def test_a_place_that_is_not_empty_is_left_alone_unless_told(filled, build, tmp_path):
    take(filled, tmp_path / "b.tar.gz")
    with open_store(filled.store_url) as store:
        store.add_materials([build.material("later")])
    (filled.home / "models/m/current").write_text("v2")
    (filled.home / "jobs/later").mkdir()
    with pytest.raises(InputError, match="holds models, campaigns, jobs"):
        restore(filled, tmp_path / "b.tar.gz")
    assert (filled.home / "models/m/current").read_text() == "v2"
    other = settings_of(tmp_path / "other", filled.store_url)
    with pytest.raises(InputError, match="rows in"):
        restore(other, tmp_path / "b.tar.gz")
    restore(filled, tmp_path / "b.tar.gz", replace=True)
    assert (filled.home / "models/m/current").read_text() == "v1"
    assert not (filled.home / "jobs/later").exists()
    with open_store(filled.store_url) as store:
        assert store.material("later", scope=EVERYTHING) is None


def test_a_store_in_use_is_not_replaced(filled, tmp_path):
    take(filled, tmp_path / "b.tar.gz")
    with open_store(filled.store_url) as store:
        store.audit.add("x", [])
        with pytest.raises(StoreError, match="open in another process"):
            restore(filled, tmp_path / "b.tar.gz", replace=True)
        assert [entry.action for entry in store.audit.entries(limit=1)] == ["x"]


@pytest.mark.postgres
def test_the_journal_of_replaced_jobs_goes(build, tmp_path):
    """It would call jobs done that are queued again."""
    with database("postgresql", tmp_path) as url:
        settings = settings_of(tmp_path / "home", url)
        fill(settings, build)
        take(settings, tmp_path / "b.tar.gz")
        engine = create_engine(url, poolclass=NullPool)
        with engine.begin() as connection:
            schema = connection.scalar(text("SELECT current_schema()"))
            connection.execute(text(f"CREATE SCHEMA {schema}_jobs"))
        restore(settings, tmp_path / "b.tar.gz", replace=True)
        with engine.connect() as connection:
            kept = text("SELECT count(*) FROM pg_namespace WHERE nspname = :name")
            assert connection.scalar(kept, {"name": f"{schema}_jobs"}) == 0


def rewritten(file, into, change):
    """Copy an archive member by member; ``change`` returns the content to write, or None to leave it out."""
    with tarfile.open(file) as source, tarfile.open(into, "w:gz") as copy:
        for member in source:
            content = change(member, source.extractfile(member).read())
            if content is not None:
                member.size = len(content)
                copy.addfile(member, io.BytesIO(content))


def nothing_is_there(settings):
    assert [path.name for path in settings.home.iterdir()] == []


@pytest.mark.parametrize("cut", [0.3, 0.95])
@pytest.mark.parametrize("ending", ["gz", "zst"])
def test_a_back_up_cut_short_restores_nothing(filled, empty, tmp_path, cut, ending):
    file = tmp_path / f"b.tar.{ending}"
    take(filled, file)
    content = file.read_bytes()
    file.write_bytes(content[: int(cut * len(content))])
    with pytest.raises(InputError, match="cut short"):
        restore(empty, file)
    nothing_is_there(empty)


def test_a_changed_file_restores_nothing(filled, empty, tmp_path):
    take(filled, tmp_path / "b.tar.gz")

    def change(member, content):
        return b"changed" if member.name == "home/models/m/current" else content

    rewritten(tmp_path / "b.tar.gz", tmp_path / "c.tar.gz", change)
    for attempt in (lambda: restore(empty, tmp_path / "c.tar.gz"), lambda: check(tmp_path / "c.tar.gz")):
        with pytest.raises(InputError, match="not as its manifest says, first home/models/m/current"):
            attempt()
    nothing_is_there(empty)


def test_a_missing_file_restores_nothing(filled, empty, tmp_path):
    take(filled, tmp_path / "b.tar.gz")
    rewritten(
        tmp_path / "b.tar.gz", tmp_path / "c.tar.gz", lambda m, c: None if m.name == "store/audit.jsonl" else c
    )
    with pytest.raises(InputError, match="first store/audit"):
        restore(empty, tmp_path / "c.tar.gz")
    nothing_is_there(empty)


@pytest.mark.parametrize(
    "name", ["../outside", "/etc/outside", "home/../../outside", "home//x", "other/x", "home/./x"]
)
def test_a_file_cannot_leave_its_folder(empty, tmp_path, name):
    with tarfile.open(tmp_path / "c.tar.gz", "w:gz") as archive:
        member = tarfile.TarInfo(name)
        member.size = 1
        archive.addfile(member, io.BytesIO(b"x"))
    with pytest.raises(InputError, match="not one of ours"):
        restore(empty, tmp_path / "c.tar.gz")
    nothing_is_there(empty)
    assert not (tmp_path / "outside").exists()


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.DIRTYPE])
def test_links_and_devices_are_refused(empty, tmp_path, kind):
    with tarfile.open(tmp_path / "c.tar.gz", "w:gz") as archive:
        member = tarfile.TarInfo("home/models/x")
        member.type, member.linkname = kind, "/etc/passwd"
        archive.addfile(member)
    with pytest.raises(InputError, match="no plain file"):
        restore(empty, tmp_path / "c.tar.gz")
    nothing_is_there(empty)


def resealed(member, content, **changes):
    """Change the manifest of an archive and its checksum with it."""
    state = resealed.__dict__
    if member.name == "manifest.json":
        state["content"] = json.dumps(json.loads(content) | changes).encode()
        return state["content"]
    return hashlib.sha256(state["content"]).hexdigest().encode() if member.name == "manifest.sha256" else content


@pytest.mark.parametrize(
    ("changes", "error", "match"),
    [
        ({"format": 2}, InputError, "newer hstore"),
        ({"store_schema": "9999"}, StoreError, "newer than this hstore"),
        ({"campaign_schema": "v0.0.0"}, StoreError, "install optuna"),
    ],
    ids=["format", "store", "campaigns"],
)
def test_a_back_up_of_another_version_is_refused(filled, empty, tmp_path, changes, error, match):
    take(filled, tmp_path / "b.tar.gz")
    rewritten(tmp_path / "b.tar.gz", tmp_path / "c.tar.gz", lambda m, c: resealed(m, c, **changes))
    with pytest.raises(error, match=match):
        restore(empty, tmp_path / "c.tar.gz")
    nothing_is_there(empty)


@pytest.mark.parametrize("target", ["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
def test_a_failure_in_the_middle_leaves_what_was_there(filled, build, tmp_path, target, monkeypatch):
    take(filled, tmp_path / "b.tar.gz")
    with database(target, tmp_path) as url:
        here = settings_of(tmp_path / "here", url)
        with open_store(here.store_url) as store:
            store.add_materials([build.material("mine")])
        (here.home / "models").mkdir()
        (here.home / "models/mine").write_text("v0")
        moved = []

        def move(source, place):
            moved.append(place)
            if Path(place) == here.home / "jobs":
                raise OSError(28, "No space left on device")
            return Path(source).rename(place)

        monkeypatch.setattr("hstore_workflows.backup.restoring.shutil.move", move)
        with pytest.raises(OSError, match="No space"):
            restore(here, tmp_path / "b.tar.gz", replace=True)
        assert here.home / "models" in map(Path, moved), "it failed in the middle"
        with open_store(here.store_url) as store:
            assert [m.material_id for m in store.materials(scope=EVERYTHING)] == ["mine"]
        assert (here.home / "models/mine").read_text() == "v0"
        assert not (here.home / "models/m").exists()


@pytest.mark.parametrize("kind", ["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
def test_others_write_while_a_back_up_is_taken_and_it_shows_one_moment(build, tmp_path, kind, monkeypatch):
    """Materials and their measurements are written together; the copy never has one without the other."""
    with database(kind, tmp_path) as url:
        settings = settings_of(tmp_path / "home", url)
        with open_store(settings.store_url) as store:
            store.add_materials([build.material("m1")])
            written, stop = [], threading.Event()

            def write():
                while not stop.is_set():
                    name = f"m{len(written)}"
                    store.add_materials([build.material(name)])
                    store.add_measurements([build.measurement(name, material_id=name)])
                    written.append(name)

            def slow(connection, table):
                before = len(written)
                while len(written) < before + 2:  # each table waits until others have written: nobody is held up
                    stop.wait(0.001)
                return rows_of(connection, table)

            monkeypatch.setattr(taking, "rows_of", slow)
            writer = threading.Thread(target=write)
            writer.start()
            try:
                manifest = take(settings, tmp_path / "b.tar.gz")
            finally:
                stop.set()
                writer.join()
        rows = manifest.rows("store")
        assert rows["materials"] - 2 <= rows["measurements"] <= rows["materials"]
        assert len(written) > rows["measurements"], "it was written meanwhile"
        restore(settings_of(tmp_path / "other", None), tmp_path / "b.tar.gz")


def test_an_older_schema_is_brought_up_when_restored(build, tmp_path):
    from hstore.store.engine import for_writing, make_engine
    from hstore.store.migration import HEAD, upgrade_to

    old = settings_of(tmp_path / "old", None)
    engine = make_engine(old.store_url)
    with for_writing(engine).begin() as connection:
        upgrade_to(connection, "0002")
    engine.dispose()
    before = taking.take(old, tmp_path / "b.tar.gz")
    assert before.store_schema == "0002"
    assert "api_keys" not in before.rows("store"), "taking a back-up upgrades nothing"
    new = settings_of(tmp_path / "new", None)
    restore(new, tmp_path / "b.tar.gz")
    with sqlite3.connect(new.home / "hstore.sqlite") as connection:
        assert connection.execute("SELECT version_num FROM hstore_alembic_version").fetchone() == (HEAD,)
        assert connection.execute("SELECT count(*) FROM api_keys").fetchone() == (0,)
    connection.close()


def test_pointers_are_copied_before_what_they_name(filled):
    names = [path.relative_to(filled.home).as_posix() for path in kept_files(filled.home)]
    assert names.index("models/m/current") < names.index("models/m/v1/card.json")
    assert not any(name.endswith("lock") for name in names)


def test_every_folder_of_the_home_is_kept_or_left_out():
    """Whoever adds one has to decide."""
    named = set()
    for package in ("hstore", "models/hstore_models", "workflows/hstore_workflows", "api/hstore_api"):
        for path in (ROOT / package).rglob("*.py"):
            named |= set(re.findall(r"\bhome / \"([\w.]+)\"", path.read_text(encoding="utf-8")))
            named |= set(re.findall(r"\bhome / '([\w.]+)'", path.read_text(encoding="utf-8")))
    assert {"models", "campaigns"} <= named
    assert named - {*KEPT, *LEFT_OUT} == set()


def test_the_commands(filled, tmp_path, monkeypatch):
    from hstore_workflows.cli import main

    def run(*arguments):
        return CliRunner().invoke(main, list(map(str, arguments)))

    for name in [name for name in os.environ if name.startswith("HSTORE_")]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HSTORE_HOME", str(filled.home))
    done = run("backup", "b.tar.zst", "--json")
    assert done.exit_code == 0, done.output
    assert json.loads(done.stdout)["store"]["measurements"] == 2
    assert run("backup", "b.tar.zst").exit_code == 2
    assert "2 measurements" in run("restore", "b.tar.zst", "--check").stdout
    assert run("restore", "b.tar.zst").exit_code == 2, "the home is full"
    monkeypatch.setenv("HSTORE_DATABASE_URL", f"sqlite:///{tmp_path / 'in-use.sqlite'}")
    done = run("restore", "b.tar.zst", "--into", "new", "--replace")
    assert done.exit_code == 0, done.output
    assert "1 campaigns, 4 files" in done.stdout
    assert (tmp_path / "new/hstore.sqlite").is_file()
    assert not (tmp_path / "in-use.sqlite").exists()
    assert run("restore", "none.tar.zst").exit_code == 2
    for name in ("backup", "restore"):
        assert f"hstore {name} " in run(name, "--help").output
