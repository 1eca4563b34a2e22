"""Jobs over REST: accepted, followed, ended, and unknown to other labs."""

from __future__ import annotations

import json

import pytest

from hstore.jobs import JobState, event_sequence
from hstore.keys import permissions_of
from hstore.records import Scope
from hstore_api import job_stream
from hstore_api.routers import jobs as route

EVERYTHING = Scope(everything=True)
SCREEN = {"kind": "screen", "parameters": {"target": "stationary", "formulas": ["LaNi5"]}}


@pytest.fixture
def settings(settings, tmp_path):
    """Settings whose jobs leave their files in a folder of the test."""

    class Own(type(settings)):
        @property
        def jobs_dir(self):
            return tmp_path / "jobs"

    return Own(**settings.model_dump())


@pytest.fixture
def start(client):
    """Start a job and return what is answered."""

    def ask(headers, body=SCREEN, status=202, **more):
        response = client.post("/v1/jobs", json=body, headers={**headers, **more})
        assert response.status_code == status, response.text
        return response.json()

    return ask


@pytest.fixture
def end(records):
    """Let a worker have done a job."""

    def finish(job_id, state=JobState.DONE, **fields):
        job = records.jobs.claim("w")
        assert job.job_id == job_id
        records.jobs.report(job_id, job.attempts, "w", step="rank", progress=0.5)
        records.jobs.add_event(job_id, event_sequence(job.attempts, 0, 0), "ranking", progress=0.5)
        records.jobs.finish(job_id, job.attempts, state, **fields)

    return finish


def test_a_job_is_accepted_and_stands_in_the_store(client, records, key, start):
    north = key("north", "read,run")
    response = client.post("/v1/jobs", json=SCREEN, headers=north)
    assert response.status_code == 202
    body = response.json()
    assert response.headers["location"] == f"/v1/jobs/{body['job_id']}"
    assert (body["state"], body["kind"], body["lab_id"], body["attempts"]) == ("queued", "screen", "north", 0)
    assert body["parameters"]["publish"] is True
    kept = records.jobs.get(body["job_id"], scope=EVERYTHING)
    assert kept.access.lab_id == "north"
    assert client.get(response.headers["location"], headers=north).json() == body
    (entry,) = [e for e in records.audit.entries() if e.action == "jobs.create"]
    assert (entry.subjects, entry.lab_id, entry.detail) == ((body["job_id"],), "north", {"kind": "screen"})


@pytest.mark.parametrize(
    ("scopes", "kind", "status", "code"),
    [
        ("read", "screen", 403, "forbidden"),
        ("read,run", "train", 403, "forbidden"),
        ("read,train", "screen", 403, "forbidden"),
        ("read,train", "train", 202, None),
        ("run", "screen", 202, None),
    ],
)
def test_a_kind_asks_for_its_permission(client, key, problem, scopes, kind, status, code):
    parameters = {"model": "hydride_capacity"} if kind == "train" else {}
    body = {"kind": kind, "parameters": parameters}
    response = client.post("/v1/jobs", json=body, headers=key("north", scopes))
    if code:
        problem(response, status, code)
    else:
        assert response.status_code == status


def test_nobody_starts_a_job_without_a_key(client, problem):
    problem(client.post("/v1/jobs", json=SCREEN), 401, "unauthenticated")


@pytest.mark.parametrize(
    ("body", "code", "said"),
    [
        ({"kind": "scren"}, "unknown_name", "did you mean 'screen'"),
        ({"kind": "screen", "parameters": {"target": "onbord"}}, "unknown_name", "did you mean 'onboard'"),
        ({"kind": "screen", "parameters": {"out": "/etc"}}, "invalid_input", "out: Extra inputs"),
        ({"kind": "screen", "parameters": {"target": "a\x00b"}}, "invalid_input", "NUL"),
        ({"kind": "screen", "parameters": {"formulas": ["=cmd()"]}}, "invalid_input", "spreadsheets"),
        ({"kind": "screen", "parameters": {"target": "/etc/passwd"}}, "unknown_name", "unknown target"),
        ({"kind": "predict", "parameters": {"property": "nonsense"}}, "unknown_name", "unknown predicted"),
        ({"kind": "predict", "parameters": {"property": "usable_capacity_wt_pct"}}, "invalid_input", "charge_"),
        ({"kind": "fetch", "parameters": {"source": "optimade", "providers": ["http://127.0.0.1:1/"],
                                          "elements": ["H"]}}, "unknown_name", "unknown provider"),
        ({"kind": "fetch", "parameters": {"source": "optimade", "elements": ["H"]}}, "invalid_input", "providers"),
        ({"kind": "fetch", "parameters": {"source": "prototypes", "providers": ["mp"]}}, "invalid_input", "not"),
    ],
    ids=lambda value: json.dumps(value)[:40] if isinstance(value, dict) else None,
)  # fmt: skip
def test_what_could_only_fail_is_refused_before_it_is_queued(client, records, key, problem, body, code, said):
    response = client.post("/v1/jobs", json=body, headers=key("north", "run"))
    assert said in problem(response, 422, code)["detail"]
    assert records.jobs.list(scope=EVERYTHING) == []


def test_a_job_that_is_asked_for_twice_under_one_name_is_one(records, key, start):
    north = key("north", "read,run")
    first = start(north, **{"Idempotency-Key": "a1"})
    assert start(north, **{"Idempotency-Key": "a1"}) == first
    assert len(records.jobs.list(scope=EVERYTHING)) == 1
    assert start(key("north", "run"), **{"Idempotency-Key": "a1"}) != first


def test_a_key_has_a_limit_of_open_jobs(client, records, start, problem):
    _, secret = records.keys.create("n", permissions_of("run"), lab_id="north", concurrent_jobs=1)
    north = {"X-API-Key": secret}
    first = start(north)
    refused = client.post("/v1/jobs", json=SCREEN, headers=north)
    assert "1 jobs queued or running" in problem(refused, 429, "limit_reached")["detail"]
    assert int(refused.headers["retry-after"]) > 0
    client.post(f"/v1/jobs/{first['job_id']}/cancel", headers=north)
    start(north)
    problem(client.post(f"/v1/jobs/{first['job_id']}/retry", headers=north), 429, "limit_reached")


def test_jobs_that_predict_take_from_the_quota(client, records, problem):
    _, secret = records.keys.create("n", permissions_of("run"), lab_id="north", predictions_per_day=7)
    body = {"kind": "predict", "parameters": {"property": "h2_capacity_wt_pct"}}
    assert client.post("/v1/jobs", json=body, headers={"X-API-Key": secret}).status_code == 202  # six materials
    problem(client.post("/v1/jobs", json=body, headers={"X-API-Key": secret}), 429, "limit_reached")
    assert len(records.jobs.list(scope=EVERYTHING)) == 1


def test_other_labs_learn_nothing_of_a_job(client, records, settings, key, start, end, problem):
    job_id = start(key("north", "run"))["job_id"]
    end(job_id, result={"secret": 1})
    folder = settings.jobs_dir / job_id / "files"
    folder.mkdir(parents=True)
    (folder / "report.html").write_text("private")
    south, absent = key("south", "read,run,train,measure,admin"), "job-0000000000000000"
    for headers in (south, {}):
        for way, path in [
            ("get", ""),
            ("get", "/events"),
            ("get", "/files/report.html"),
            *([("post", "/cancel"), ("post", "/retry")] if headers else []),
        ]:
            seen = client.request(way, f"/v1/jobs/{job_id}{path}", headers=headers)
            told = client.request(way, f"/v1/jobs/{absent}{path}", headers=headers)
            one, other = problem(seen, 404, "not_found"), problem(told, 404, "not_found")
            assert one["detail"].replace(job_id, absent) == other["detail"]
        assert client.get("/v1/jobs", headers=headers).json()["items"] == []
        listed = client.get("/v1/jobs", params={"after": job_id}, headers=headers)
        other = client.get("/v1/jobs", params={"after": absent}, headers=headers)
        assert listed.status_code == other.status_code == 422
        assert listed.json()["detail"].replace(job_id, absent) == other.json()["detail"]


def test_a_job_of_the_operator_is_seen_by_all_and_ended_by_nobody_else(client, records, build, key, problem):
    from hstore.records import Access

    job_id = records.jobs.create("screen", {}, access=Access()).job_id
    assert client.get(f"/v1/jobs/{job_id}").json()["lab_id"] is None
    refused = client.post(f"/v1/jobs/{job_id}/cancel", headers=key("south", "run"))
    problem(refused, 403, "forbidden")
    assert client.post(f"/v1/jobs/{job_id}/cancel", headers=key("ops", "run,admin")).json()["state"] == "cancelled"


def test_lists_come_in_pages_and_by_state(client, key, start):
    north = key("north", "read,run")
    made = [start(north)["job_id"] for _ in range(4)]
    client.post(f"/v1/jobs/{made[0]}/cancel", headers=north)
    first = client.get("/v1/jobs", params={"limit": 3}, headers=north).json()
    second = client.get("/v1/jobs", params={"limit": 3, "after": first["next"]}, headers=north).json()
    assert [job["job_id"] for job in (*first["items"], *second["items"])] == made[::-1]
    assert second["next"] is None
    cancelled = client.get("/v1/jobs", params={"state": "cancelled"}, headers=north).json()
    assert [job["job_id"] for job in cancelled["items"]] == made[:1]


def test_a_job_is_cancelled_and_tried_again(client, key, start, problem):
    north = key("north", "read,run")
    path = f"/v1/jobs/{start(north)['job_id']}"
    problem(client.post(f"{path}/retry", headers=north), 409, "conflict")
    assert client.post(f"{path}/cancel", headers=north).json()["state"] == "cancelled"
    again = client.post(f"{path}/retry", headers=north)
    assert (again.status_code, again.json()["state"]) == (202, "queued")


def test_kinds_come_with_the_schema_of_their_parameters(client):
    kinds = {kind["kind"]: kind for kind in client.get("/v1/jobs/kinds").json()["items"]}
    assert set(kinds) == {"evaluate", "fetch", "predict", "screen", "train"}
    assert kinds["train"]["scope"] == "train"
    properties = kinds["screen"]["parameters"]["properties"]
    assert properties["target"]["default"] == "onboard"
    for kind in kinds.values():
        assert all(part.get("description") for part in kind["parameters"]["properties"].values()), kind["kind"]


def test_the_log_is_read_in_pages(client, key, start, end):
    north = key("north", "read,run")
    path = f"/v1/jobs/{start(north)['job_id']}"
    end(path.rpartition("/")[2], message="done")
    first = client.get(f"{path}/events", params={"limit": 1}, headers=north).json()
    assert [line["message"] for line in first["items"]] == ["ranking"]
    second = client.get(f"{path}/events", params={"after": first["next"]}, headers=north).json()
    assert ([line["message"] for line in second["items"]], second["next"]) == (["done"], None)


def _events(text):
    blocks = [block.split("\n") for block in text.strip().split("\n\n")]
    return [dict(line.split(": ", 1) for line in block) for block in blocks if not block[0].startswith(":")]


def test_a_stream_tells_all_and_ends_with_the_job(client, key, start, end):
    north = {**key("north", "read,run"), "Accept": "text/event-stream"}
    job_id = start(north)["job_id"]
    end(job_id, message="done")
    response = client.get(f"/v1/jobs/{job_id}/events", headers=north)
    assert response.headers["content-type"].startswith("text/event-stream")
    told = _events(response.text)
    assert [event.get("event") for event in told] == [None, "info", "end", "job"]
    assert [json.loads(event["data"])["message"] for event in told[1:3]] == ["ranking", "done"]
    assert json.loads(told[3]["data"])["state"] == "done"
    rest = client.get(f"/v1/jobs/{job_id}/events", headers={**north, "Last-Event-ID": told[1]["id"]})
    assert [event.get("event") for event in _events(rest.text)] == [None, "end", "job"]
    over = client.get(f"/v1/jobs/{job_id}/events", headers={**north, "Last-Event-ID": told[2]["id"]})
    assert (over.status_code, over.text) == (204, "")


def test_a_stream_follows_a_job_that_runs(client, records, key, start, monkeypatch):
    import threading
    import time

    monkeypatch.setattr(job_stream, "POLL_S", 0.02)
    north = {**key("north", "read,run"), "Accept": "text/event-stream"}
    job_id = start(north)["job_id"]

    def work():
        time.sleep(0.2)
        job = records.jobs.claim("w")
        for line in range(3):
            records.jobs.report(job_id, job.attempts, "w", step="rank", progress=line / 3)
            records.jobs.add_event(job_id, event_sequence(1, 0, line), f"line {line}")
            time.sleep(0.1)
        records.jobs.finish(job_id, job.attempts, JobState.DONE, result={}, message="done")

    worker = threading.Thread(target=work)
    worker.start()
    told = _events(client.get(f"/v1/jobs/{job_id}/events", headers=north).text)
    worker.join()
    lines = [json.loads(event["data"])["message"] for event in told if event.get("event") in {"info", "end"}]
    assert lines == ["line 0", "line 1", "line 2", "done"]
    states = [json.loads(event["data"])["state"] for event in told if event.get("event") == "job"]
    assert (states[0], states[-1]) == ("queued", "done")
    assert route._streams._open == 0


def test_there_are_only_so_many_streams(client, key, start, problem, monkeypatch):
    monkeypatch.setattr(job_stream, "MAX_STREAMS", 0)
    north = {**key("north", "read,run"), "Accept": "text/event-stream"}
    job_id = start(north)["job_id"]
    problem(client.get(f"/v1/jobs/{job_id}/events", headers=north), 429, "limit_reached")


def test_a_stream_ends_with_its_key(client, records, key, start, monkeypatch):
    monkeypatch.setattr(job_stream, "POLL_S", 0.01)
    monkeypatch.setattr(job_stream, "ALIVE_S", 0.05)
    monkeypatch.setattr(job_stream, "_may_read", lambda *_: False)
    north = {**key("north", "read,run"), "Accept": "text/event-stream"}
    job_id = start(north)["job_id"]  # nobody does it, so only the key ends the stream
    assert ": still here" in client.get(f"/v1/jobs/{job_id}/events", headers=north).text


def test_files_of_a_job_are_served_and_nothing_else(client, settings, key, start, problem):
    north = key("north", "read,run")
    job_id = start(north)["job_id"]
    folder = settings.jobs_dir / job_id / "files"
    folder.mkdir(parents=True)
    (folder / "report.html").write_text("<h1>ranked</h1>")
    (folder / "notes.csv").write_text("not of a screen")
    (folder.parent / "screen.json").write_text("{}")
    assert client.get(f"/v1/jobs/{job_id}", headers=north).json()["files"] == ["report.html"]
    report = client.get(f"/v1/jobs/{job_id}/files/report.html", headers=north)
    assert report.text == "<h1>ranked</h1>"
    assert report.headers["content-security-policy"].startswith("sandbox")
    for name in ("candidates.csv", "notes.csv", "screen.json"):
        problem(client.get(f"/v1/jobs/{job_id}/files/{name}", headers=north), 404, "not_found")
    for name in ("..%2Fscreen.json", "%2Fetc%2Fpasswd", "a%00b"):
        response = client.get(f"/v1/jobs/{job_id}/files/{name}", headers=north)
        assert response.status_code in {404, 422}, name
