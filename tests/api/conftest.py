"""A service on a store of its own, with models trained and loaded once for all tests."""

from __future__ import annotations

import threading
import time
from dataclasses import replace

import pytest
import uvicorn
from fastapi.testclient import TestClient

from hstore.keys import permissions_of
from hstore.records import Family
from hstore.settings import Settings
from hstore_api.app import create_app
from hstore_api.predictor import Predictor
from hstore_api.training import Training


@pytest.fixture
def settings(tmp_path, trained):
    """Settings with shared models and a store of its own."""
    return Settings(home=trained.home, database_url=f"sqlite:///{tmp_path / 'api.sqlite'}", data_mirror=None)


@pytest.fixture
def records(settings, build, new_store):
    """The open store of the service, holding six materials, so that nothing is seeded."""
    materials = [
        build.material("a/LaNi5", "LaNi5", known=True),
        build.material("b/La2Ni10", "La2Ni10"),
        build.material("c/LaNi4Al", "LaNi4Al", reason="Al lowers the plateau"),
        build.material("d/MgH2", "MgH2", family=Family.IONIC, known=True),
        build.material(
            "e/MOF-5", "Zn4O13C24H12", name="MOF-5", family=Family.SORBENT, descriptors={"lcd_A": 15.0}
        ),
        build.material("f/Fe", "FeTi", structure={"lattice": {"a": 2.98}, "sites": []}),
    ]
    with new_store(settings.store_url) as store:
        store.add_materials(materials)
        yield store


@pytest.fixture
def app(settings, records):
    """The app on that store."""
    return create_app(settings)


@pytest.fixture(scope="session")
def predictor(trained, loaded):
    """Models that stay loaded from test to test, trained by this process where they are missing."""
    made = Predictor(trained, training=Training(trained, lambda name, _: loaded(name)))
    yield made
    made.stop()


@pytest.fixture
def client(app, predictor):
    """A client of the running app; unexpected errors arrive as responses."""
    with TestClient(app, raise_server_exceptions=False) as running:
        app.state.service = replace(app.state.service, predictor=predictor)
        yield running


@pytest.fixture
def address(settings, records):
    """Address of a service on a free port, in a thread of this process."""
    server = uvicorn.Server(
        uvicorn.Config(create_app(settings), host="127.0.0.1", port=0, log_config=None, lifespan="on")
    )
    thread = threading.Thread(target=server.run)
    thread.start()
    for _ in range(600):
        if server.started:
            break
        time.sleep(0.05)
    yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    server.should_exit = True
    thread.join()


@pytest.fixture
def key(records):
    """Make a key and return the headers it is sent with: ``key("north", "read,measure")``."""

    def make(lab, scopes="read"):
        _, secret = records.keys.create(lab, permissions_of(scopes), lab_id=lab)
        return {"X-API-Key": secret}

    return make


@pytest.fixture
def problem():
    """Check that a response is a complete problem, and return it."""

    def check(response, status, code):
        body = response.json()
        assert response.status_code == status, body
        assert response.headers["content-type"] == "application/problem+json"
        assert (body["status"], body["code"]) == (status, code)
        assert body["type"] == f"urn:hstore:problem:{code}"
        assert body["correlation_id"] == response.headers["x-request-id"]
        assert body["instance"] == response.request.url.raw_path.decode().partition("?")[0]
        assert body["title"]
        assert body["detail"]
        return body

    return check
