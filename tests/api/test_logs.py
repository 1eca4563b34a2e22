"""Every request leaves one line: who asked what, how it ended, and nothing that is secret."""

from __future__ import annotations

import logging

import pytest
from fastapi.testclient import TestClient

from hstore.logs import formatter
from hstore_api.app import create_app

LOGGER = "hstore_api.observing"


@pytest.fixture
def lines(caplog):
    """Return the records of requests so far."""
    caplog.set_level(logging.INFO, logger="hstore_api")
    return lambda: [record for record in caplog.records if record.name == LOGGER]


def test_a_request_leaves_one_line_with_all_that_counts(client, key, lines):
    headers = key("north", "read") | {"X-Request-ID": "mine"}
    assert client.get("/v1/materials/a/LaNi5?note=private", headers=headers).status_code in {200, 422}
    (line,) = lines()
    assert (line.method, line.route, line.lab) == ("GET", "/v1/materials/{material_id}", "north")
    assert line.key_id == headers["X-API-Key"].split("_")[1]
    assert line.duration_ms > 0
    assert line.exc_info is None


def test_the_identifier_of_the_request_is_in_every_line_of_it(app, records, capsys, monkeypatch):
    """Also in those that a handler writes in its thread."""
    from hstore.store import Store

    handler = logging.StreamHandler()
    handler.setFormatter(formatter("json"))
    ours = logging.getLogger("hstore_api")
    monkeypatch.setattr(ours, "level", logging.INFO)
    ours.addHandler(handler)

    def screens(*_arguments, **_options):
        logging.getLogger("hstore_api.inside").info("in the middle")
        return []

    monkeypatch.setattr(Store, "screens", screens)
    try:
        with TestClient(app) as client:
            client.get("/v1/screens", headers={"X-Request-ID": "mine-7"})
    finally:
        ours.removeHandler(handler)
    written = [line for line in capsys.readouterr().err.splitlines() if "mine-7" in line]
    assert len(written) == 2
    assert "in the middle" in written[0]
    assert '"event": "request"' in written[1]


def test_an_unexpected_error_is_logged_with_its_traceback_once(client, lines, monkeypatch):
    from hstore.store import Store

    def fail(*_arguments, **_options):
        raise RuntimeError("broken pipe to nowhere")

    monkeypatch.setattr(Store, "screens", fail)
    assert client.get("/v1/screens").status_code == 500
    (line,) = lines()
    assert line.levelno == logging.ERROR
    assert line.status == 500
    assert line.exc_info[0] is RuntimeError


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/v1/materials?X-API-Key={key}"),
        ("GET", "/v1/materials/{key}"),
        ("GET", "/{key}"),
        ("POST", "/v1/predictions?key={key}"),
    ],
)
def test_a_key_in_the_wrong_place_is_not_logged(client, key, caplog, method, path):
    caplog.set_level(logging.DEBUG)
    secret = key("north", "read")["X-API-Key"]
    client.request(method, path.format(key=secret), headers={"X-API-Key": secret, "X-Request-ID": secret})
    ours = [record for record in caplog.records if record.name.startswith(("hstore", "uvicorn"))]
    assert ours
    written = "\n".join(formatter("json").format(record) for record in ours)
    assert secret.split("_", 2)[2] not in written


def test_a_refusal_before_the_handler_leaves_a_line_too(settings, records, lines):
    with TestClient(create_app(settings.model_copy(update={"anonymous_read": False}))) as client:
        client.get("/v1/materials", headers={"X-API-Key": "hsk_wrong"})
        client.get("/nowhere")
    refused, unmatched = lines()
    assert (refused.status, refused.key_id, refused.route) == (401, None, "/v1/materials")
    assert (unmatched.status, unmatched.route) == (404, "unmatched")


def test_what_is_mounted_is_told_by_its_template(client, lines):
    client.get("/optimade/v1/structures/a%2FLaNi5")
    client.get("/optimade/v1/nothing-of-this-name")
    assert [line.route for line in lines()] == ["/optimade/v1/structures/{entry_id}", "/optimade/{path}"]
