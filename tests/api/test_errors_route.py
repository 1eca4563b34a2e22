"""Errors of every kind leave in one shape and give nothing away."""

from __future__ import annotations

import sqlite3

import pytest
from fastapi.testclient import TestClient

from hstore.errors import HstoreError
from hstore.settings import Settings
from hstore.store import Store
from hstore_api.app import create_app
from hstore_api.errors import _OF_ERROR


def test_an_unknown_address_is_a_problem(client, problem):
    assert "/openapi.json" in problem(client.get("/v2"), 404, "no_such_address")["detail"]


@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE"])
def test_a_wrong_method_is_told_the_right_ones(client, app, method):
    for path, operations in app.openapi()["paths"].items():
        allowed = {name.upper() for name in operations}
        if method in allowed:
            continue
        response = client.request(method, path.format(material_id="a", screen_id="a"))
        assert response.status_code == 405, (method, path)
        assert set(response.headers["allow"].split(", ")) == allowed
        assert response.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize("given", ["abc-123_4.5", "x" * 64])
def test_a_plain_request_id_is_kept(client, given):
    assert client.get("/healthz", headers={"X-Request-ID": given}).headers["x-request-id"] == given


@pytest.mark.parametrize("given", ["", "x" * 65, "a b", "<script>", "a\tb"])
def test_any_other_request_id_is_replaced(client, given):
    seen = {client.get("/healthz", headers={"X-Request-ID": given}).headers["x-request-id"] for _ in range(3)}
    assert len(seen) == 3
    assert given not in seen


def test_a_broken_store_is_unavailable_and_says_nothing_of_itself(client, settings, problem, caplog):
    path = settings.store_url.removeprefix("sqlite:///")
    with sqlite3.connect(path) as connection:
        connection.execute("DROP TABLE screens")
    connection.close()
    response = client.get("/v1/screens")
    found = problem(response, 503, "store_unavailable")
    assert int(response.headers["retry-after"]) > 0
    assert "sqlite" not in response.text
    assert path not in response.text
    assert found["correlation_id"] in caplog.text
    assert "no such table" in caplog.text
    assert client.get("/healthz").status_code == 200


def test_an_unexpected_error_says_nothing_of_its_cause(client, problem, monkeypatch, caplog):
    def fail(*_arguments, **_options):
        raise RuntimeError("a secret")

    monkeypatch.setattr(Store, "screens", fail)
    response = client.get("/v1/screens", headers={"X-Request-ID": "mine"})
    assert problem(response, 500, "internal")["correlation_id"] == "mine"
    assert "secret" not in response.text
    assert "request mine" in caplog.text


def test_a_damaged_model_is_unavailable(settings, records, tmp_path, problem):
    damaged = tmp_path / "home/models/conductivity/conductivity-1/card.json"
    damaged.parent.mkdir(parents=True)
    damaged.write_text("{")
    app = create_app(Settings(home=tmp_path / "home", database_url=settings.store_url, data_mirror=None))
    with TestClient(app) as client:
        assert str(tmp_path) not in problem(client.get("/v1/models"), 503, "model_unavailable")["detail"]


def test_every_error_of_the_library_has_a_status():
    def below(error):
        return [error, *(found for child in error.__subclasses__() for found in below(child))]

    codes = [kind.code for kind in _OF_ERROR.values()]
    assert len(set(codes)) == len(codes)
    for error in below(HstoreError):
        kind = next((_OF_ERROR[c] for c in error.__mro__ if c in _OF_ERROR), None)
        if kind is not None and kind.status >= 500:
            assert kind.detail, f"{error.__name__} would show its message to the caller"
