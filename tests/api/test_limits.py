"""Limits of requests, predictions, sizes and times."""

from __future__ import annotations

import asyncio
import json
import random
import re
import time
from datetime import UTC, datetime

import pytest
from fastapi import FastAPI, Request
from fastapi.testclient import TestClient

from hstore.errors import InputError
from hstore.settings import Settings
from hstore_api import bodies, limits
from hstore_api.access import caller_with
from hstore_api.bodies import MAX_JSON_DEPTH, BodyMiddleware, BodyRule, check_depth
from hstore_api.deadline import DeadlineMiddleware
from hstore_api.errors import LimitError, install_handlers
from hstore_api.limits import RequestLimits, network_of, seconds_to_midnight, take_predictions
from hstore_api.middleware import RequestIdMiddleware
from tests.api.guarded import Guarded

WRONG = {"X-API-Key": "hsk_000000000000_wrong"}


@pytest.fixture(scope="module")
def guarded(tmp_path_factory):
    """The service, with whatever settings."""
    with Guarded(tmp_path_factory.mktemp("limits")) as service:
        yield service


def test_a_key_makes_as_many_requests_a_minute_as_it_may(guarded, problem):
    client, mine = guarded.client(requests_per_minute=3), guarded.key("north")
    for left in (2, 1, 0):
        headers = client.get("/v1/me", headers=mine).headers
        assert headers["ratelimit-policy"] == '"minute";q=3;w=60'
        assert re.fullmatch(rf'"minute";r={left};t=\d+', headers["ratelimit"])
    refused = client.get("/v1/me", headers=mine)
    assert "3 requests in a minute" in problem(refused, 429, "limit_reached")["detail"]
    assert 1 <= int(refused.headers["retry-after"]) <= 60
    assert client.get("/v1/me", headers=guarded.key("north")).status_code == 200  # another key, another count
    assert client.get("/v1/me", headers=guarded.key("north", requests_per_minute=9)).json()["requests_left"] == 8
    assert client.get("/healthz", headers=mine).status_code == 200


def test_without_a_key_an_address_is_counted(guarded, problem):
    for address in ("10.0.0.1", "10.0.0.2", "2001:db8::1", "2001:db8:0:1::1"):
        client = guarded.client(address=address, requests_per_minute=2)
        assert [client.get("/v1/me").status_code for _ in range(3)] == [200, 200, 429]
    problem(guarded.client(address="2001:db8::2", requests_per_minute=2).get("/v1/me"), 429, "limit_reached")


def test_development_counts_nothing(guarded):
    client = guarded.client()
    assert "ratelimit" not in client.get("/v1/me", headers=guarded.key("north")).headers


@pytest.mark.parametrize(("processes", "share"), [(1, 10), (3, 4), (20, 1)])
def test_each_process_grants_its_share(processes, share):
    counted = RequestLimits(Settings(requests_per_minute=10, processes=processes))
    assert counted.take(None, "10.0.0.1").limit == share
    for _ in range(share - 1):
        counted.take(None, "10.0.0.1")
    with pytest.raises(LimitError, match="more than 10 requests"):
        counted.take(None, "10.0.0.1")


def test_requests_count_for_a_minute_from_each(monkeypatch):
    now = time.time()
    counted = RequestLimits(Settings(requests_per_minute=2))
    for moment, admitted in ((0, True), (30, True), (59, False), (61, True), (62, False), (91, True)):
        monkeypatch.setattr(time, "time", lambda moment=moment: now + moment)
        if admitted:
            counted.take(None, "a")
        else:
            with pytest.raises(LimitError) as refused:
                counted.take(None, "a")
            assert refused.value.retry_after_s in {1, 28}


def test_names_that_are_counted_do_not_grow_for_ever(monkeypatch):
    monkeypatch.setattr(limits, "_MOST_COUNTED", 50)
    counted = RequestLimits(Settings(requests_per_minute=2))
    for number in range(200):
        counted.take(None, f"10.0.0.{number}")
    assert len(counted._storage.events) <= 51


def test_who_guesses_keys_is_stopped_and_keeps_no_neighbour_out(guarded, monkeypatch, problem):
    monkeypatch.setattr(limits, "FAILURES_PER_MINUTE", 4)
    client = guarded.client(environment="production", requests_per_minute=1000)
    mine, other = guarded.key("north"), guarded.key("south")
    assert client.get("/v1/me", headers=mine).status_code == 200
    for _ in range(4):
        problem(client.get("/v1/me", headers=WRONG), 401, "unauthenticated")
    refused = client.get("/v1/me", headers=WRONG)
    assert "keys from this address" in problem(refused, 429, "limit_reached")["detail"]
    assert int(refused.headers["retry-after"]) > 0
    problem(client.get("/v1/me", headers=other), 429, "limit_reached")  # right, but never seen from here before
    form = {"data": {"key": "x"}, "headers": {"Origin": "http://testserver"}}
    problem(client.post("/session", **form), 429, "limit_reached")
    assert client.get("/v1/me", headers=mine).status_code == 200
    elsewhere = guarded.client(address="10.0.0.9", environment="production", requests_per_minute=1000)
    assert elsewhere.get("/v1/me", headers=other).status_code == 200


def test_predictions_are_taken_from_the_quota_of_the_day(guarded):
    store = guarded.store
    kept = store.keys.find(guarded.key("north", predictions_per_day=10)["X-API-Key"])
    caller = caller_with(kept, "r")
    assert take_predictions(store, caller, 6) == 4
    with pytest.raises(LimitError, match="10 this key may") as refused:
        take_predictions(store, caller, 5)
    assert 0 < refused.value.retry_after_s <= 86_400
    assert take_predictions(store, caller, 4) == 0
    for unlimited in (caller_with(None, "r"), caller_with(store.keys.find(guarded.key("n")["X-API-Key"]), "r")):
        assert take_predictions(store, unlimited, 10**6) is None


def test_a_day_ends_at_midnight_utc():
    assert seconds_to_midnight(datetime(2026, 1, 1, 23, 59, 59, tzinfo=UTC)) == 1
    assert seconds_to_midnight(datetime(2026, 1, 1, tzinfo=UTC)) == 86_400


@pytest.mark.parametrize(
    ("address", "network"),
    [("10.0.0.1", "10.0.0.1"), ("::ffff:10.0.0.1", "10.0.0.1"), ("2001:db8::1", "2001:db8::/64"), ("", "")],
)
def test_an_ipv6_network_is_one_caller(address, network):
    assert network_of(address) == network


@pytest.fixture(scope="module")
def plain():
    """A client of an app of one route behind the limits of bodies."""
    app = FastAPI()
    install_handlers(app)

    @app.post("/{path:path}")
    async def echo(path, request: Request):
        return {"path": path, "bytes": len(await request.body())}

    app.add_middleware(BodyMiddleware)
    app.add_middleware(RequestIdMiddleware)
    return TestClient(app)


@pytest.mark.parametrize("length", ["told", "untold"])
@pytest.mark.parametrize(
    ("address", "media", "most"),
    [
        ("/v1/predictions", "application/json", 1_000_000),
        ("/v1/measurements", "application/json", 1_000_000),
        ("/v1/measurements", "text/csv", 20_000_000),
        ("/v1/measurements/x", "multipart/form-data; boundary=x", 20_000_000),
        ("/v1/measurementsx", "text/csv", 1_000_000),
        ("/v1/none", "text/csv", 1_000_000),
        ("/session", "application/x-www-form-urlencoded", 1_000_000),
    ],
)
def test_a_body_is_as_large_as_its_route_and_type_allow(plain, problem, length, address, media, most):
    def sent(size):
        whole = b" " * size
        content = whole if length == "told" else (whole[at : at + 500_000] for at in range(0, size, 500_000))
        return plain.post(address, content=content, headers={"Content-Type": media})

    assert sent(most).json()["bytes"] == most
    assert f"{most:,}" in problem(sent(most + 1), 413, "too_large")["detail"]


def test_a_body_that_comes_too_slowly_is_given_up(monkeypatch):
    monkeypatch.setattr(bodies, "SMALL", BodyRule(1000, 0.1))
    monkeypatch.setattr(bodies, "UPLOADS", {"/up": BodyRule(1000, 0.1)})
    sent = []

    async def never():
        await asyncio.sleep(5)

    async def send(message):
        sent.append(message)

    async def app(scope, receive, send):
        raise AssertionError("the app is not asked")

    class State:
        problem_page = None

    scope = {
        "type": "http", "method": "POST", "path": "/x", "raw_path": b"/x", "query_string": b"",
        "headers": [(b"content-length", b"5")],
        "server": ("a", 80), "scheme": "http", "root_path": "", "state": {"request_id": "r"},
        "app": type("App", (), {"state": State}),
    }  # fmt: skip
    started = time.monotonic()
    asyncio.run(BodyMiddleware(app)(scope, never, send))
    assert time.monotonic() - started < 2
    assert sent[0]["status"] == 408
    assert json.loads(sent[1]["body"])["code"] == "too_slow"


def test_an_address_is_not_too_long(plain, problem):
    problem(plain.get("/" + "x" * 8001), 414, "address_too_long")
    problem(plain.get("/x?" + "a=" + "b" * 8000), 414, "address_too_long")
    problem(plain.get("/x?" + "&".join(["a=1"] * 101)), 414, "address_too_long")
    assert plain.get("/x?" + "&".join(["a=1"] * 100)).status_code == 405


def test_an_answer_that_does_not_begin_is_given_up(problem):
    app, ended = FastAPI(), []
    install_handlers(app)

    @app.get("/slow")
    async def slow():
        await asyncio.sleep(0.5)
        ended.append(1)
        return {}

    app.add_middleware(DeadlineMiddleware, within_s=0.1)
    app.add_middleware(RequestIdMiddleware)
    response = TestClient(app).get("/slow")
    assert int(response.headers["retry-after"]) > 0
    problem(response, 503, "slow_answer")
    assert ended == [1]  # what was begun goes on to its end


def nested(depth):
    """Return a document of a depth, with texts that hold brackets and quotes of all kinds."""
    draw = random.Random(depth)
    texts = ["", "]", "]]]]", "[[[[", '"', '\\"]', "\\", "\\\\", "{}", "}{", "a]b"]
    found = draw.choice(texts)
    for _ in range(depth):
        before = [draw.choice(texts) for _ in range(draw.randrange(3))]
        found = [*before, found, draw.choice(texts)] if draw.random() < 0.5 else {draw.choice(texts): found}
    return found


@pytest.mark.parametrize("depth", [0, 1, 10, 63, 64, 65, 66, 200, 900])
def test_depth_is_counted_as_parsers_do(depth):
    for indent in (None, 1):
        body = json.dumps([nested(depth - 1)] if depth else "x", indent=indent).encode()
        if depth <= MAX_JSON_DEPTH:
            check_depth(body)
        else:
            with pytest.raises(InputError, match="64 deep"):
                check_depth(body)


def test_flat_bodies_with_many_brackets_pass():
    check_depth(json.dumps([{"comment": "see [1", "x": [1, {}]}] * 5000).encode())
    check_depth(b"")
    check_depth(b"[]" * 500_000)


@pytest.mark.parametrize(
    "body", [b"[" * 999_999, b'{"a":' * 190_000, b'["]",' * 190_000, b"[" * 100 + b'"' + b'\\"' * 400_000]
)
def test_the_worst_bodies_are_judged_at_once(body):
    started = time.process_time()
    with pytest.raises(InputError):
        check_depth(body)
    assert time.process_time() - started < 2  # measured: 0.06 s
