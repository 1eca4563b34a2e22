"""Whether the service says truly that it answers, and that it is ready."""

from __future__ import annotations

import shutil
import sqlite3
import threading
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from fastapi.testclient import TestClient

from hstore.settings import Settings
from hstore_api.app import create_app
from hstore_api.seeding import Seeding


def checks(response):
    """Name of a check -> whether it is well."""
    return {check["name"]: check["ok"] for check in response.json()["checks"]}


def detail(response, name):
    return next(check["detail"] for check in response.json()["checks"] if check["name"] == name)


def test_a_service_with_everything_is_ready(client):
    response = client.get("/readyz")
    assert response.status_code == 200, response.text
    assert checks(response) == dict.fromkeys(("database", "schema", "materials", "models", "worker"), True)


@pytest.mark.parametrize("path", ["/healthz", "/readyz"])
def test_health_needs_no_key_where_everything_else_does(settings, records, path):
    closed = settings.model_copy(update={"anonymous_read": False})
    with TestClient(create_app(closed)) as client:
        assert client.get("/v1/materials").status_code == 401
        assert client.get(path).status_code == 200


def test_a_database_of_another_schema_is_not_ready(client, settings, problem):
    path = settings.store_url.removeprefix("sqlite:///")
    with sqlite3.connect(path) as connection:
        connection.execute("UPDATE hstore_alembic_version SET version_num = '0002'")
    connection.close()
    response = client.get("/readyz")
    problem(response, 503, "not_ready")
    assert int(response.headers["retry-after"]) > 0
    assert checks(response)["database"]
    assert not checks(response)["schema"]
    assert "0002" not in response.text, "what the schema is concerns the operator"
    assert client.get("/healthz").status_code == 200


def test_a_database_that_does_not_answer_says_nothing_of_itself(client, settings, problem, caplog):
    path = settings.store_url.removeprefix("sqlite:///")
    with sqlite3.connect(path) as connection:
        connection.execute("DROP TABLE hstore_alembic_version")
    connection.close()
    response = client.get("/readyz")
    problem(response, 503, "not_ready")
    assert not checks(response)["database"]
    assert "worker" not in checks(response), "nobody can tell"
    assert path not in response.text
    assert "sqlite" not in response.text.lower()
    assert "lost its tables" in caplog.text, "the operator reads why in the log"


@pytest.mark.parametrize(("state", "words"), [("seeding", "being filled"), ("failed", "could not be stored")])
def test_a_store_that_is_not_filled_is_not_ready(client, app, store_less_seeding, state, words, problem):
    app.state.service = replace(app.state.service, seeding=store_less_seeding(state))
    response = client.get("/readyz")
    problem(response, 503, "not_ready")
    assert not checks(response)["materials"]
    assert words in detail(response, "materials")
    assert client.get("/healthz").json()["materials"] == state


@pytest.fixture
def store_less_seeding(records):
    """Make a filling of the store in some state."""

    def make(state):
        seeding = Seeding(records, list)
        seeding.state = state
        return seeding

    return make


@pytest.fixture
def own_home(settings, records, loaded, tmp_path):
    """A home of the test's own with one trained model, on the store of the service."""
    loaded("hydride_capacity")
    models = tmp_path / "home/models"
    shutil.copytree(settings.models_dir / "hydride_capacity", models / "hydride_capacity")
    shutil.copy(settings.models_dir / "registry.key", models)
    return Settings(home=tmp_path / "home", database_url=settings.store_url, data_mirror=None)


def test_a_damaged_model_is_noticed_and_so_is_its_repair(own_home):
    (model,) = own_home.models_dir.glob("hydride_capacity/*/model.zip")
    whole = model.read_bytes()
    with TestClient(create_app(own_home)) as client:
        assert client.get("/readyz").status_code == 200
        model.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
        response = client.get("/readyz")
        assert response.status_code == 503
        assert detail(response, "models") == "1 of 1 trained models cannot be used; see the log of the service"
        assert str(own_home.home) not in response.text
        model.write_bytes(whole)
        assert client.get("/readyz").status_code == 200


def test_models_that_were_never_trained_are_no_fault(records, settings, tmp_path):
    bare = Settings(home=tmp_path / "bare", database_url=settings.store_url, data_mirror=None)
    with TestClient(create_app(bare)) as client:
        response = client.get("/readyz")
        assert response.status_code == 200
        assert "0 trained" in detail(response, "models")


def test_a_worker_is_missed_only_where_one_is_expected(settings, records):
    expecting = settings.model_copy(update={"worker_expected": True})
    with TestClient(create_app(expecting)) as client:
        assert not checks(client.get("/readyz"))["worker"]
        records.jobs.beat("w1", host="h", pid=1, started_at=datetime.now(UTC))
        assert client.get("/readyz").status_code == 200
        records.jobs.leave("w1")
        response = client.get("/readyz")
        assert response.status_code == 503
        assert "hstore worker" in detail(response, "worker")
    with TestClient(create_app(settings)) as client:
        assert client.get("/readyz").status_code == 200
        assert "none is alive" in detail(client.get("/readyz"), "worker")


def test_readiness_on_either_database(database_url, trained, store, build):
    store.add_materials([build.material()])
    settings = Settings(home=trained.home, database_url=database_url, data_mirror=None)
    with TestClient(create_app(settings)) as client:
        assert client.get("/readyz").status_code == 200


def test_health_answers_while_the_models_are_looked_at(client, app):
    """A probe that hangs does not hold up the others."""
    entered, leave = threading.Event(), threading.Event()

    class Slow:
        def look(self, _folder):
            entered.set()
            leave.wait(20)
            raise AssertionError("never returned to the caller")

    app.state.service = replace(app.state.service, model_check=Slow())
    thread = threading.Thread(target=client.get, args=("/readyz",))
    thread.start()
    assert entered.wait(20)
    assert client.get("/healthz").status_code == 200
    leave.set()
    thread.join()
