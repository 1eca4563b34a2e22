"""Errors of every kind leave in one shape and give nothing away."""

from __future__ import annotations

import re
import shutil
import sqlite3

import pytest
from fastapi.testclient import TestClient

from hstore.errors import HstoreError, MissingExtraError, ModelError
from hstore.settings import Settings
from hstore.store import Store
from hstore_api.app import create_app
from hstore_api.errors import _OF_ERROR


def test_an_unknown_address_is_a_problem(client, problem):
    assert "/openapi.json" in problem(client.get("/v2"), 404, "no_such_address")["detail"]


def methods_of(app):
    """Return, by an address of each path of the contract, the methods it takes there."""
    return {
        re.sub(r"{\w+}", "a", path): {name.upper() for name in operations}
        for path, operations in app.openapi()["paths"].items()
    }


@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE"])
def test_a_wrong_method_is_told_the_right_ones(client, app, method):
    for address, allowed in methods_of(app).items():
        if method in allowed:
            continue
        response = client.request(method, address)
        assert response.status_code == 405, (method, address)
        assert set(response.headers["allow"].split(", ")) == allowed, address
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


@pytest.fixture
def own_home(settings, records, loaded, tmp_path):
    """A home of the test's own with one trained model, on the store of the service."""
    loaded("hydride_capacity")
    models = tmp_path / "home/models"
    shutil.copytree(settings.models_dir / "hydride_capacity", models / "hydride_capacity")
    shutil.copy(settings.models_dir / "registry.key", models)
    return Settings(home=tmp_path / "home", database_url=settings.store_url, data_mirror=None)


def test_a_model_that_cannot_be_used_is_unavailable(own_home, problem, monkeypatch):
    def refuse(*_arguments):
        raise ModelError(f"it cannot be trained; {own_home.models_dir} is full")

    monkeypatch.setattr("hstore_api.training.train_apart", refuse)
    for file in own_home.models_dir.glob("hydride_capacity/*/model.zip"):
        file.write_bytes(b"damaged")
    asked = {"property": "h2_capacity_wt_pct", "formulas": ["LaNi5"]}
    with TestClient(create_app(own_home)) as client:
        found = problem(client.post("/v1/predictions", json=asked), 503, "model_unavailable")
        assert str(own_home.home) not in found["detail"]
        assert client.get("/v1/properties").status_code == 200


def test_a_damaged_card_is_left_out_of_the_models(own_home):
    with TestClient(create_app(own_home)) as client:
        listed = [item["model_id"] for item in client.get("/v1/models").json()["items"]]
        assert listed == sorted(path.name for path in own_home.models_dir.glob("hydride_capacity/*-*"))
        (own_home.models_dir / "hydride_capacity" / listed[0] / "card.json").write_text("{")
        assert [item["model_id"] for item in client.get("/v1/models").json()["items"]] == listed[1:]


def test_every_error_of_the_library_has_a_status():
    def below(error):
        return [error, *(found for child in error.__subclasses__() for found in below(child))]

    codes = [kind.code for kind in set(_OF_ERROR.values())]  # several classes may be of one kind
    assert len(set(codes)) == len(codes)
    for error in below(HstoreError):
        kind = next((_OF_ERROR[c] for c in error.__mro__ if c in _OF_ERROR), None)
        if kind is not None and kind.status >= 500 and error is not MissingExtraError:
            assert kind.detail, f"{error.__name__} would show its message to the caller"
