"""Campaigns over HTTP: proposals out, results in."""

from __future__ import annotations

import json
import shutil
import threading

import pytest
from fastapi.testclient import TestClient
from jsonschema import Draft202012Validator

from hstore.keys import permissions_of
from hstore.records import Access
from hstore.settings import Settings
from hstore.store import open_store
from hstore_api.app import create_app
from hstore_api.contract import CONTRACT
from hstore_workflows.campaign import story
from hstore_workflows.campaign.proposing import propose
from tests.conftest import Build
from tests.workflows.campaign_bench import CAPACITY, COMMON, ENTHALPY, write_screen


@pytest.fixture(scope="module")
def begun(tmp_path_factory):
    """A home with one campaign and a store that needs no seeding; tests work in copies of it."""
    folder = tmp_path_factory.mktemp("begun")
    settings = Settings(home=folder / "home", database_url=None, data_mirror=None)
    story.begin(settings, "alloys", write_screen(folder / "screen"), COMMON)
    with open_store(settings.store_url) as store:
        store.add_materials([Build.material()])
    return settings.home


@pytest.fixture
def settings(tmp_path, begun):
    """Settings of a home of the test's own."""
    shutil.copytree(begun, tmp_path / "home")
    return Settings(home=tmp_path / "home", database_url=None, data_mirror=None)


@pytest.fixture
def app(settings):
    return create_app(settings)


@pytest.fixture
def client(app):
    with TestClient(app, raise_server_exceptions=False) as running:
        yield running


@pytest.fixture
def key(settings):
    """Make a key and return its headers; a lab of None makes one that belongs to no lab."""

    def make(lab, scopes="read,run,measure"):
        with open_store(settings.store_url) as store:
            _, secret = store.keys.create(lab or "operator", permissions_of(scopes), lab_id=lab)
        return {"X-API-Key": secret}

    return make


@pytest.fixture
def north(key):
    return key("north")


@pytest.fixture
def south(key):
    return key("south")


@pytest.fixture
def own(client, north):
    """A campaign of the lab north over a dozen alloys."""
    rows = [{"formula": f"LaNi{n / 10:g}Al{(50 - n) / 10:g}"} for n in range(38, 50)]
    body = {"name": "alloys", "maximize": [CAPACITY], "candidates": rows, "batch": 2}
    begun = client.post("/v1/campaigns", json=body, headers=north)
    assert begun.status_code == 201, begun.json()
    return begun.json()["campaign"]


@pytest.fixture(scope="module")
def document():
    return json.loads(CONTRACT.read_text(encoding="utf-8"))


def valid(document, path, method, body):
    declared = document["paths"][path][method]["responses"]["200"]["content"]["application/json"]["schema"]
    Draft202012Validator({**declared, "components": document["components"]}).validate(body)
    return body


def test_a_lab_asks_and_tells_over_http(client, settings, document, north):
    client.headers.update(north)
    asked = client.post("/v1/campaigns/alloys/proposals", json={"n": 3}).json()
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


def test_what_is_told_twice_over_http_is_there_once(client, settings, north):
    client.headers.update(north)
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
        ("post", "/v1/campaigns", {"name": "x", "maximize": [CAPACITY]}, 422, "invalid_input"),
        (
            "post",
            "/v1/campaigns",
            {"name": "x/y", "maximize": ["a"], "candidates": [{"b": 1}]},
            422,
            "invalid_input",
        ),
        ("post", "/v1/campaigns", {"name": "x", "maximize": [CAPACITY], "job_id": "no"}, 404, "not_found"),
        ("post", "/v1/campaigns/alloys/experiments/7/retraction", {"why": "no"}, 422, "invalid_input"),
        ("post", "/v1/campaigns/alloys/held/7/confirmation", {}, 422, "invalid_input"),
        ("put", "/v1/campaigns/alloys/labs/x", {"elements": ["Qq"]}, 422, "unknown_name"),
        ("put", "/v1/campaigns/alloys/members", {"members": ["south"]}, 403, "forbidden"),
        ("post", "/v1/campaigns/alloys/results", {"rows": []}, 422, "invalid_request"),
        ("post", "/v1/campaigns/alloys/results", {"rows": [{"colour": "red"}]}, 422, "invalid_input"),
        ("post", "/v1/campaigns/alloys/results", {"rows": [{"material_id": ["a"]}]}, 422, "invalid_request"),
        ("post", "/v1/campaigns/alloys/results", {"rows": [{"\ud800": 1}]}, 422, "invalid_request"),
    ],
)
def test_bad_questions_are_problems(client, key, problem, method, address, body, status, code):
    client.headers.update(key(None))
    arguments = (
        {} if body is None else {"content": json.dumps(body), "headers": {"content-type": "application/json"}}
    )
    problem(client.request(method, address, **arguments), status, code)


def test_a_lab_makes_a_campaign_of_its_own(client, own, north, document):
    assert own == "north:alloys"
    declared = "/v1/campaigns/{name}/proposals"
    asked = client.post(f"/v1/campaigns/{own}/proposals", json={"n": 6}, headers=north).json()
    items = valid(document, declared, "post", asked)["items"]
    assert {item["lab"] for item in items} == {"north"}
    rows = [{"material_id": p["material_id"], "value": 1.0 + place / 10} for place, p in enumerate(items)]
    told = client.post(f"/v1/campaigns/{own}/results", json={"rows": rows}, headers=north).json()
    assert told["counts"] == {"taken": 6}
    first, second = items[:2]
    address = f"/v1/campaigns/{own}"
    change = {"values": {CAPACITY: 1.7}, "why": "balance recalibrated"}
    corrected = client.post(f"{address}/experiments/{second['number']}/correction", json=change, headers=north)
    assert corrected.json()["verdict"] == "correction"
    assert client.get(address, headers=north).json()["best"]["value"] == 1.7
    gone = client.post(
        f"{address}/experiments/{first['number']}/retraction", json={"why": "oxidised"}, headers=north
    )
    assert gone.json()["verdict"] == "retraction"
    progress = client.get(f"{address}/progress", headers=north).json()
    valid(document, "/v1/campaigns/{name}/progress", "get", progress)
    assert progress["progress"]["reached"] == [1.7] * 5
    advice = valid(
        document, "/v1/campaigns/{name}/stop", "get", client.get(f"{address}/stop", headers=north).json()
    )
    assert advice["word"] == "go on"
    report = client.get(f"{address}/report", headers=north)
    assert report.headers["content-security-policy"].startswith("sandbox allow-scripts ")
    assert "1.7" in report.text


def test_stored_materials_can_be_the_pool(client, north, settings, build):
    with open_store(settings.store_url) as store:
        store.add_materials([build.material("lab/x", "TiFe", access=build.of("south"))])
    body = {"name": "stored", "maximize": [CAPACITY], "stored": {"elements": ["Ni"]}}
    assert client.post("/v1/campaigns", json=body, headers=north).json()["pool"] == 1
    hidden = {"name": "hidden", "maximize": [CAPACITY], "stored": {"elements": ["Fe"]}}
    refused = client.post("/v1/campaigns", json=hidden, headers=north).json()
    assert "no stored material that you may see fits" in refused["detail"]


def test_two_labs_may_use_one_name_and_do_not_see_each_other(client, own, north, south):
    body = {"name": "alloys", "maximize": [CAPACITY], "candidates": [{"formula": "TiFe"}]}
    assert client.post("/v1/campaigns", json=body, headers=south).json()["campaign"] == "south:alloys"

    def names(headers):
        return [item["campaign"] for item in client.get("/v1/campaigns", headers=headers).json()["items"]]

    assert names(north) == ["alloys", "north:alloys"]
    assert names(south) == ["alloys", "south:alloys"]
    assert names({}) == ["alloys"]


CALLS = [
    ("get", "", None),
    ("get", "/stop", None),
    ("get", "/progress", None),
    ("get", "/report", None),
    ("get", "/members", None),
    ("post", "/proposals", {}),
    ("post", "/results", {"rows": [{"material_id": "LaNi5", "value": 1}]}),
    ("post", "/experiments/0/correction", {"values": {CAPACITY: 1}, "why": "x"}),
    ("post", "/experiments/0/retraction", {"why": "x"}),
    ("post", "/held/0/confirmation", {}),
    ("put", "/labs/south", {}),
    ("put", "/members", {"members": ["south"]}),
]


@pytest.mark.parametrize(("method", "path", "body"), CALLS)
def test_anothers_campaign_answers_as_one_that_is_not_there(client, own, south, method, path, body):
    def ask(name):
        found = client.request(method, f"/v1/campaigns/{name}{path}", json=body, headers=south)
        answer = found.json() | {"correlation_id": ""}
        return found.status_code, json.dumps(answer).replace(name, "NAME")

    assert ask(own) == ask("north:others")
    assert ask(own)[0] == 404


def test_members_work_on_it_in_their_own_name(client, own, north, south, problem):
    address = f"/v1/campaigns/{own}"
    made = client.put(f"{address}/members", json={"members": ["south"]}, headers=north).json()
    assert made == {"campaign": own, "owner": "north", "members": ["south"]}
    (one, *_) = client.post(f"{address}/proposals", json={"n": 1}, headers=south).json()["items"]
    assert one["lab"] == "south"
    problem(client.post(f"{address}/proposals", json={"lab": "north"}, headers=south), 403, "forbidden")
    row = {"material_id": one["material_id"], "value": 1.2}
    wrong = {"lab": "north", "rows": [row]}
    problem(client.post(f"{address}/results", json=wrong, headers=south), 403, "forbidden")
    told = client.post(f"{address}/results", json={"rows": [row | {"lab": "north"}]}, headers=south).json()
    assert told["counts"] == {"rejected": 1}
    assert client.post(f"{address}/results", json={"rows": [row]}, headers=south).json()["counts"] == {"taken": 1}
    problem(client.put(f"{address}/members", json={"members": []}, headers=south), 403, "forbidden")
    problem(client.put(f"{address}/labs/north", json={}, headers=south), 403, "forbidden")
    client.put(f"{address}/members", json={"members": []}, headers=north)
    problem(client.get(address, headers=south), 404, "not_found")


def test_a_member_cannot_change_what_another_lab_told(client, own, north, south, problem):
    address = f"/v1/campaigns/{own}"
    client.put(f"{address}/members", json={"members": ["south"]}, headers=north)
    (one, *_) = client.post(f"{address}/proposals", json={"n": 1}, headers=north).json()["items"]
    told = {"rows": [{"material_id": one["material_id"], "value": 1.2}]}
    client.post(f"{address}/results", json=told, headers=north)
    number = one["number"]
    change = {"values": {CAPACITY: 2.0}, "why": "no"}
    corrected = client.post(f"{address}/experiments/{number}/correction", json=change, headers=south)
    assert "lab north told it" in problem(corrected, 422, "invalid_input")["detail"]
    for sly in (
        {"corrects": number, CAPACITY: 2.0},
        {"corrects": f"{number}.0", CAPACITY: 2.0},
        {"retracts": number},
    ):
        body = {"rows": [sly | {"why": "no"}]}
        answer = client.post(f"{address}/results", json=body, headers=south).json()
        assert answer.get("counts") == {"rejected": 1}, answer
    assert client.get(address, headers=south).json()["best"]["value"] == 1.2


def test_what_is_done_to_a_campaign_is_noted(client, own, north, settings):
    client.post(f"/v1/campaigns/{own}/proposals", json={"n": 1}, headers=north)
    with open_store(settings.store_url) as store:
        noted = [(entry.action, entry.lab_id, entry.subjects) for entry in store.audit.entries()]
    assert noted == [
        ("campaigns.propose", "north", ("north:alloys",)),
        ("campaigns.begin", "north", ("north:alloys",)),
    ]


@pytest.mark.parametrize(("scopes", "path"), [("read", "/proposals"), ("run", "/results"), ("measure", "")])
def test_keys_without_the_scope_are_refused(client, key, problem, scopes, path):
    body = {"rows": [{"formula": "TiFe"}], "name": "x"}
    given = {} if path == "/proposals" else body if path == "/results" else {"name": "x", "maximize": ["a"]}
    answer = client.post(
        f"/v1/campaigns{'/alloys' if path else ''}{path}", json=given, headers=key("east", scopes)
    )
    if path == "/results":
        given = {"rows": body["rows"]}
        answer = client.post("/v1/campaigns/alloys/results", json=given, headers=key("east", scopes))
    problem(answer, 403, "forbidden")


def test_who_asks_while_others_think_is_asked_to_come_again(client, own, north, problem, monkeypatch):
    busy = threading.BoundedSemaphore(1)
    busy.acquire()
    monkeypatch.setattr("hstore_api.routers.campaigns._THINKING", busy)
    answer = client.post(f"/v1/campaigns/{own}/proposals", json={}, headers=north)
    problem(answer, 429, "limit_reached")
    assert answer.headers["retry-after"] == "5"


def test_a_request_that_is_repeated_proposes_nothing_new(client, own, north):
    headers = {**north, "Idempotency-Key": "first"}
    address = f"/v1/campaigns/{own}/proposals"
    first, again = (client.post(address, json={"n": 2}, headers=headers) for _ in range(2))
    assert first.json() == again.json()
    assert again.headers["idempotency-replayed"] == "true"
    assert client.get(f"/v1/campaigns/{own}", headers=north).json()["pending"] == 2


def test_an_answer_that_was_lost_is_proposed_again_as_it_was(settings):
    first, again = (propose(settings, "alloys", n=3, token="lost") for _ in range(2))
    assert [p.as_json() for p in again] == [p.as_json() | {"known": False, "remarks": ()} for p in first]
    assert {p.material_id for p in propose(settings, "alloys", n=3, token="next")}.isdisjoint(
        p.material_id for p in first
    )


def test_the_candidates_of_a_screening_job_are_a_pool(client, settings, north, key, tmp_path):
    with open_store(settings.store_url) as store:
        job = store.jobs.create("screen", {}, access=Access(lab_id="north", visibility="lab"))
    files = settings.jobs_dir / job.job_id / "files"
    files.parent.mkdir(parents=True)
    write_screen(files)
    body = {"name": "screened", "maximize": [CAPACITY], "job_id": job.job_id}
    begun = client.post("/v1/campaigns", json=body, headers=north)
    assert begun.json()["predicted"] == [CAPACITY]
    hidden = client.post("/v1/campaigns", json=body, headers=key("south"))
    assert hidden.status_code == 404
    wrong = client.post("/v1/campaigns", json=body | {"name": "other", "maximize": ["colour"]}, headers=north)
    assert wrong.status_code == 422
    assert str(settings.home) not in wrong.text
