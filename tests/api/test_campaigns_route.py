"""Campaigns over HTTP: proposals out, results in."""

from __future__ import annotations

import json

import pytest
from fastapi.testclient import TestClient
from jsonschema import Draft202012Validator

from hstore.settings import Settings
from hstore.store import open_store
from hstore_api.app import create_app
from hstore_api.contract import CONTRACT
from hstore_workflows.campaign import story
from tests.workflows.campaign_bench import CAPACITY, COMMON, ENTHALPY, write_screen


@pytest.fixture
def settings(tmp_path, build):
    """Settings of a home with one campaign and a store that needs no seeding."""
    settings = Settings(home=tmp_path / "home", database_url=None, data_mirror=None)
    story.begin(settings, "alloys", write_screen(tmp_path / "screen"), COMMON)
    with open_store(settings.store_url) as store:
        store.add_materials([build.material()])
    return settings


@pytest.fixture
def client(settings):
    with TestClient(create_app(settings), raise_server_exceptions=False) as running:
        yield running


@pytest.fixture(scope="module")
def document():
    return json.loads(CONTRACT.read_text(encoding="utf-8"))


def valid(document, path, method, body):
    declared = document["paths"][path][method]["responses"]["200"]["content"]["application/json"]["schema"]
    Draft202012Validator({**declared, "components": document["components"]}).validate(body)
    return body


def test_a_lab_asks_and_tells_over_http(client, settings, document):
    asked = client.post("/v1/campaigns/alloys/proposals", json={"n": 3, "lab": "north"}).json()
    proposals = valid(document, "/v1/campaigns/{name}/proposals", "post", asked)["items"]
    ids = [p["material_id"] for p in proposals]
    assert len(set(ids)) == 3
    assert proposals[0]["predictions"][CAPACITY]["mean"] > 0
    rows = [
        {"material_id": ids[0], "value": 1.2, ENTHALPY: 33},
        {"material_id": ids[1], "failed": "no phase"},
        {"material_id": ids[2], "value": 120},
        {"material_id": "nobody", "value": 1.0},
        {"material_id": ids[2], "value": "0.012", "unit": "mass fraction", "colour": None},
    ]
    told = client.post("/v1/campaigns/alloys/results", json={"lab": "north", "rows": rows}).json()
    valid(document, "/v1/campaigns/{name}/results", "post", told)
    assert [v["verdict"] for v in told["verdicts"]] == ["taken", "failed", "held", "rejected", "taken"]
    assert told["counts"] == {"taken": 2, "failed": 1, "held": 1, "rejected": 1}
    assert told["ignored"] == ["colour"]
    assert told["verdicts"][4]["values"] == {CAPACITY: pytest.approx(1.2)}
    detail = valid(document, "/v1/campaigns/{name}", "get", client.get("/v1/campaigns/alloys").json())
    assert (detail["measured"], detail["failed"], detail["rejected_results"]) == (2, 1, 1)
    assert detail["experiments"][0]["values"] == {CAPACITY: 1.2, ENTHALPY: 33.0}
    listed = valid(document, "/v1/campaigns", "get", client.get("/v1/campaigns").json())
    assert [item["campaign"] for item in listed["items"]] == ["alloys"]
    assert story.status(settings, "alloys").counts["measured"] == 2


def test_what_is_told_twice_over_http_is_there_once(client, settings):
    body = {"lab": "north", "rows": [{"material_id": "a001", "value": 1.2}]}
    verdicts = [client.post("/v1/campaigns/alloys/results", json=body).json()["verdicts"][0] for _ in range(2)]
    assert [v["verdict"] for v in verdicts] == ["taken", "duplicate"]
    assert len(story.status(settings, "alloys").standing) == 1


@pytest.mark.parametrize(
    ("method", "address", "body", "status", "code"),
    [
        ("get", "/v1/campaigns/nothing", None, 404, "not_found"),
        ("post", "/v1/campaigns/nothing/proposals", {}, 404, "not_found"),
        ("post", "/v1/campaigns/nothing/results", {"rows": [{"a": 1}]}, 404, "not_found"),
        ("post", "/v1/campaigns/alloys/proposals", {"n": 0}, 422, "invalid_request"),
        ("post", "/v1/campaigns/alloys/proposals", {"strategy": "hstor"}, 422, "unknown_name"),
        ("post", "/v1/campaigns/alloys/proposals", {"lab": "a/b"}, 422, "invalid_input"),
        ("post", "/v1/campaigns/alloys/results", {"rows": []}, 422, "invalid_request"),
        ("post", "/v1/campaigns/alloys/results", {"rows": [{"colour": "red"}]}, 422, "invalid_input"),
        ("post", "/v1/campaigns/alloys/results", {"rows": [{"material_id": ["a"]}]}, 422, "invalid_request"),
        ("post", "/v1/campaigns/alloys/results", {"rows": [{"\ud800": 1}]}, 422, "invalid_request"),
    ],
)
def test_bad_questions_are_problems(client, problem, method, address, body, status, code):
    arguments = (
        {} if body is None else {"content": json.dumps(body), "headers": {"content-type": "application/json"}}
    )
    problem(client.request(method, address, **arguments), status, code)
