"""Fixtures shared by all tests: databases, each test in one of its own, and records to put in them."""

from __future__ import annotations

import fcntl
import functools
import gc
import os
import shlex
import shutil
import uuid
from datetime import UTC, datetime
from pathlib import Path

# One thread for each process, said before NumPy is loaded: several processes share the cores already, and
# threads of BLAS and OpenMP that wait for a busy core spin. Small matrices then take twenty times as long.
for _library in ("OMP", "OPENBLAS", "MKL"):
    os.environ.setdefault(f"{_library}_NUM_THREADS", "1")

import click
import pytest
from click.testing import CliRunner
from sqlalchemy import NullPool, create_engine, make_url, text

from hstore.records import (
    Access,
    Family,
    Kind,
    Material,
    Measurement,
    Prediction,
    PropertyValue,
    Provenance,
    Screen,
)
from hstore.settings import Settings
from hstore.store import open_store

_BROWSERS = ("chromium", "chromium-browser", "google-chrome", "chrome")
_BROWSER_FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--enable-unsafe-swiftshader",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


@pytest.hookimpl(optionalhook=True)  # tests of the lowest dependencies run without pytest-xdist
def pytest_xdist_auto_num_workers():
    """Two processes for each core: many tests wait for servers, workers and browsers that they started."""
    return 2 * len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else None


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config, log):
    """Spread tests singly with ``--dist loadscope``, but keep those together whose file makes something once."""
    if config.getvalue("dist") != "loadscope":
        return None
    from xdist.scheduler import LoadScopeScheduling

    @functools.cache
    def makes_once(file):
        return 'scope="module"' in (config.rootpath / file).read_text(encoding="utf-8")

    class Singly(LoadScopeScheduling):
        def _split_scope(self, nodeid):
            file = nodeid.partition("::")[0]
            return file if makes_once(file) else nodeid

    return Singly(config, log)


def pytest_collection_finish():
    """Keep what all test files imported out of each later look for garbage, which saves an eighth of the time."""
    gc.collect()
    gc.freeze()


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
def database_url(request, tmp_path):
    """URL of an empty database: a SQLite file, or a PostgreSQL schema dropped afterwards."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path / 'store.sqlite'}"
        return
    server = os.environ.get("HSTORE_TEST_POSTGRES_URL")
    if not server:
        pytest.skip('HSTORE_TEST_POSTGRES_URL is unset; run: eval "$(.ci/postgres.sh start)"')
    schema = f"test_{uuid.uuid4().hex}"
    admin = create_engine(server, poolclass=NullPool, isolation_level="AUTOCOMMIT")
    with admin.connect() as connection:
        connection.execute(text(f"CREATE SCHEMA {schema}"))
    # A time zone far from UTC, so that an instant read back in local time shows.
    options = f"-csearch_path={schema} -cTimeZone=Asia/Kolkata"
    url = make_url(server).update_query_dict({"options": options})
    yield url.render_as_string(hide_password=False)
    with admin.connect() as connection:
        connection.execute(text(f"DROP SCHEMA {schema} CASCADE"))


@pytest.fixture(scope="session")
def new_store(tmp_path_factory):
    """Open a SQLite store that has the schema already, for the migrations take a tenth of a second."""
    ready = tmp_path_factory.mktemp("schema") / "store.sqlite"
    with open_store(f"sqlite:///{ready}"):
        pass

    def new(url):
        path = Path(make_url(url).database)
        if not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(ready, path)
        return open_store(url)

    return new


@pytest.fixture
def store(request, database_url):
    """An empty, open store."""
    opening = request.getfixturevalue("new_store") if database_url.startswith("sqlite") else open_store
    with opening(database_url) as opened:
        yield opened


class Build:
    """Valid records with as little said as possible."""

    source = Provenance(source="test")

    @classmethod
    def material(cls, material_id="m1", formula="LaNi5", **fields):
        fields = {"family": Family.INTERSTITIAL, "provenance": cls.source} | fields
        return Material(material_id=material_id, formula=formula, **fields)

    @classmethod
    def value(cls, number=1.4, **fields):
        fields = {"property": "h2_capacity_wt_pct", "kind": Kind.MEASURED, "provenance": cls.source} | fields
        return PropertyValue(value=number, **fields)

    @classmethod
    def measurement(cls, measurement_id, number=1.4, material_id="m1", **fields):
        fields = {"value": cls.value(number)} | fields
        return Measurement(measurement_id=measurement_id, material_id=material_id, **fields)

    @classmethod
    def prediction(cls, number=1.4, material_id="m1", **fields):
        fields = {
            "value": cls.value(number, kind=Kind.PREDICTED),
            "model_id": "a",
            "in_domain": True,
        } | fields
        return Prediction(material_id=material_id, **fields)

    @classmethod
    def screen(cls, screen_id="s1", **fields):
        fields = {
            "target": "onboard",
            "created_at": datetime(2025, 1, 1, tzinfo=UTC),
            "manifest": {},
        } | fields
        return Screen(screen_id=screen_id, n_candidates=0, n_rejected=0, **fields)

    @staticmethod
    def of(lab_id):
        """Access of a lab's own record."""
        return Access(lab_id=lab_id, visibility="lab")


@pytest.fixture
def build():
    """Builders of small valid records."""
    return Build


@pytest.fixture(scope="session")
def trained(tmp_path_factory):
    """Settings of a home whose models train on the embedded data when a test first asks for them.

    The processes of one parallel run share it. HSTORE_TEST_HOME names a folder that several runs share.
    """
    base = tmp_path_factory.getbasetemp()
    shared = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base
    home = Path(os.environ.get("HSTORE_TEST_HOME") or shared / "trained")
    return Settings(home=home, data_mirror=None, database_url=None, seed=0)


@pytest.fixture(scope="session")
def mirror():
    """Settings that read the public data sets from the mirror; skips where there is none."""
    folder = os.environ.get("HSTORE_DATA_MIRROR")
    if not folder:
        pytest.skip("HSTORE_DATA_MIRROR is unset; point it at a mirror of the public data sets")
    return Settings(data_mirror=folder)


@pytest.fixture(scope="session")
def loaded(trained):
    """Load (and at first train) a model of the trained home, once for all tests that share a process."""
    from hstore_models.training import ensure

    def load(name):
        trained.home.mkdir(parents=True, exist_ok=True)
        with (trained.home / f"{name}.training").open("w") as turn:
            fcntl.flock(turn, fcntl.LOCK_EX)  # another process of the run may be training it: wait, and load
            return ensure(name, trained)

    return functools.cache(load)


@pytest.fixture
def hstore(trained, loaded, tmp_path, monkeypatch):
    """Call the command line from an empty folder, with the shared models and no other setting."""
    from hstore_workflows.cli import main

    for name in [name for name in os.environ if name.startswith("HSTORE_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("HSTORE_HOME", str(trained.home))
    monkeypatch.chdir(tmp_path)
    for module in ("screen", "predict"):
        monkeypatch.setattr(f"hstore_workflows.{module}.ensure", lambda name, *_, **__: loaded(name))
    return lambda *arguments: CliRunner().invoke(main, list(map(str, arguments)), prog_name="hstore")


@pytest.fixture(scope="module")
def browser():
    """A headless Chromium of this machine."""
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed (hstore[dev])")
    path = next(filter(None, map(shutil.which, _BROWSERS)), None)
    if path is None:
        pytest.skip(f"none of {', '.join(_BROWSERS)} is on PATH")
    with playwright.sync_playwright() as driver:
        running = driver.chromium.launch(executable_path=path, args=_BROWSER_FLAGS)
        yield running
        running.close()


@pytest.fixture
def parse_command(monkeypatch):
    """Parse a command line as written in documentation; files it names need not exist."""
    from hstore_workflows.cli import main

    def parse(line):
        name, *words = shlex.split(line, comments=True)
        assert name == "hstore"
        command, context = main, click.Context(main, info_name="hstore")
        while isinstance(command, click.Group):
            assert words, f"{line!r} stops at a group of commands"
            name, command, words = command.resolve_command(context, words)
            assert command, f"{line!r}: no command {name!r}"
            context = click.Context(command, parent=context, info_name=name)
        for parameter in command.params:
            if isinstance(parameter.type, click.Path):
                monkeypatch.setattr(parameter.type, "exists", False)
        return command.make_context(name, words, parent=context.parent)

    return parse
