"""What travels between the Materials Project client and its endpoint, and what a bad server cannot do."""

from __future__ import annotations

import socket
import time
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
import requests

from hstore.errors import FetchError
from hstore_workflows.sources import mp_transport
from hstore_workflows.sources.materials_project import MPAccess, fetch_materials
from hstore_workflows.sources.mp_client import Watch, open_client
from hstore_workflows.sources.mp_phase_diagram import fetch_phase_diagram
from hstore_workflows.sources.mp_query import MPQuery
from hstore_workflows.sources.mp_transport import ClientPolicy
from tests.workflows.mp_server import CUT, DRIP, JUNK, KEY, RESET, STALL, MPServer, many, thermo

QUICK = ClientPolicy(timeout_s=2.0, retries=3, backoff_s=0.01, page_rows=10)
LA_NI = MPQuery(elements=("La", "Ni"))
PAGES = 4


@pytest.fixture
def server():
    with MPServer(many()) as running:
        yield running


@pytest.fixture(scope="module", autouse=True)
def libraries():
    """Imports are no part of what is timed here."""
    import mp_api.client.routes.materials.summary
    import mp_api.client.routes.materials.thermo

    return mp_api.client


def fetch(server, home, watch=None, **policy):
    access = MPAccess(
        KEY, home, endpoint=server.url, policy=ClientPolicy(**vars(QUICK) | policy), watch=watch or Watch()
    )
    fetched = fetch_materials(LA_NI, access)
    items = list(fetched.items())
    assert len(items) == fetched.total == 39
    return items


@pytest.mark.parametrize("place", [0, 1, PAGES - 1])
@pytest.mark.parametrize("fault", [RESET, CUT, JUNK, (500, {}), (502, {}), (503, {}), (504, {}), (429, {})])
def test_a_fault_is_repeated_and_leaves_no_trace(server, tmp_path, fault, place):
    server.faults = [None] * place + [fault]
    whole = fetch(server, tmp_path)
    assert len(server.searches) == PAGES + 1
    assert fetch(server, tmp_path / "other") == whole


@pytest.mark.parametrize("fault", [RESET, CUT, JUNK, (500, {}), (429, {})])
def test_repeats_are_bounded_and_what_was_answered_is_kept(server, tmp_path, fault):
    waits = []
    watch = Watch(wait=lambda seconds, cause: waits.append((seconds, cause)))
    server.faults = [fault] * 50
    with pytest.raises(FetchError, match=r"failed 4 times.*nothing was stored.*is kept"):
        fetch(server, tmp_path, watch)
    assert len(server.searches) == QUICK.retries + 1
    assert [seconds for seconds, _ in waits] == [0.01, 0.02, 0.04]
    assert all(cause for _, cause in waits)


@pytest.mark.parametrize("status", [400, 401, 403, 404, 410, 501])
def test_refusals_are_not_repeated(server, tmp_path, status):
    server.faults = [(status, {})]
    with pytest.raises(FetchError, match=rf"status {status}.*<key>.*nothing was stored") as caught:
        fetch(server, tmp_path)
    assert len(server.searches) == 1
    assert KEY not in str(caught.value)


def test_retry_after_is_waited_for_in_seconds(server, tmp_path):
    server.faults = [(429, {"Retry-After": "1"}), (503, {"Retry-After": "nonsense"})]
    start = time.monotonic()
    fetch(server, tmp_path)
    assert 1.0 <= time.monotonic() - start < 20


def test_retry_after_is_waited_for_as_a_date(server, tmp_path):
    waits = []
    date = format_datetime(datetime.now(UTC) + timedelta(seconds=3), usegmt=True)
    server.faults = [(429, {"Retry-After": date}), (429, {"Retry-After": "Wed, 01 Jan 2020 00:00:00 GMT"})]
    fetch(server, tmp_path, Watch(wait=lambda seconds, _: waits.append(seconds)))
    assert 0 < waits[0] <= 3
    assert waits[1] == 0


def test_a_long_retry_after_ends_the_fetch_to_be_continued(server, tmp_path):
    server.faults = [(429, {"Retry-After": "4000"})]
    with pytest.raises(FetchError, match="asks to wait 4000 s; run the same command again"):
        fetch(server, tmp_path)


@pytest.mark.parametrize("fault", [STALL, DRIP])
def test_a_server_that_dawdles_is_given_up_after_two_tries(server, tmp_path, fault, monkeypatch):
    monkeypatch.setattr(mp_transport, "_BODY_PATIENCE", 3)
    server.faults = [fault] * 9
    start = time.monotonic()
    with pytest.raises(FetchError, match="failed 2 times, at last with silence"):
        fetch(server, tmp_path, timeout_s=0.4)
    assert time.monotonic() - start < 15


@pytest.mark.parametrize(("answered", "name"), [(0, "first"), (1, "client's")])
def test_a_silent_heartbeat_is_given_up(server, tmp_path, answered, name):
    server.stall, server.stall_after = {"heartbeat"}, answered
    start = time.monotonic()
    with pytest.raises(FetchError, match=r"silence|stopped answering"):
        fetch(server, tmp_path, timeout_s=0.4)
    assert time.monotonic() - start < 15, name


@pytest.mark.parametrize("heartbeat", [["not", "it"], "OK", 7])
def test_another_kind_of_server_is_recognised(server, tmp_path, heartbeat):
    server.heartbeat = heartbeat
    with pytest.raises(FetchError, match="Materials Project API"):
        fetch(server, tmp_path)


def test_nobody_at_home(server, tmp_path):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        nobody = f"http://127.0.0.1:{free.getsockname()[1]}/"
        with pytest.raises(FetchError, match="broken connection"):
            fetch_materials(LA_NI, MPAccess(KEY, tmp_path, endpoint=nobody, policy=QUICK))


def test_a_redirect_is_refused_and_carries_no_key(server, tmp_path):
    with MPServer([]) as other:
        server.faults = [(302, {"Location": other.url})] * 5
        with pytest.raises(FetchError, match="redirects to"):
            fetch(server, tmp_path)
        assert other.requests == []


def test_an_endless_answer_is_cut(server, tmp_path, monkeypatch):
    monkeypatch.setattr(mp_transport, "_BODY_MAX_BYTES", 1000)
    with pytest.raises(FetchError, match="lower --page-rows"):
        fetch(server, tmp_path)


def test_a_deep_answer_does_not_end_the_process(server, tmp_path, monkeypatch):
    monkeypatch.setattr("tests.workflows.mp_server.JUNK_TEXT", b"[" * 200_000)
    server.faults = [JUNK] * 9
    with pytest.raises(FetchError, match="no JSON"):
        fetch(server, tmp_path)


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1:1/materials/summary/", "https://api.example.org/", "{url}x/../../materials/"]
)
def test_the_session_goes_nowhere_else(server, url):
    session = open_client(KEY, endpoint=server.url + "base/", policy=QUICK).session
    before = len(server.requests)
    with pytest.raises(FetchError, match="was not sent"):
        session.get(url.format(url=server.url))
    with pytest.raises(FetchError, match="was not sent"):
        session.post(server.url + "base/materials/summary/")
    assert len(server.requests) == before


@pytest.fixture
def connections(monkeypatch):
    """Every address anything in this process connects to."""
    seen = []
    connect = socket.socket.connect
    monkeypatch.setattr(
        socket.socket, "connect", lambda self, address: (seen.append(address), connect(self, address))
    )
    return seen


@pytest.fixture
def no_bulk(monkeypatch, tmp_path):
    """Whatever could reach object storage raises at once."""

    def forbidden(*_, **__):
        raise AssertionError("bulk storage was reached")

    monkeypatch.setattr("mp_api.client.core.client.boto3.client", forbidden)
    monkeypatch.setattr("mp_api.client.core.client.DeltaTable", forbidden)
    monkeypatch.setattr("mp_api.client.core.client.QueryBuilder.execute", forbidden)
    monkeypatch.setenv("HOME", str(tmp_path / "nobody"))


def test_no_fetch_reaches_anything_but_the_endpoint(server, tmp_path, no_bulk, connections):
    server.thermo = [thermo("mp-1", "La", -4.9), thermo("mp-2", "Ni", -5.5), thermo("mp-3", "LaNi5", -5.6)]
    access = MPAccess(KEY, tmp_path, endpoint=server.url, policy=QUICK)
    for query in (
        LA_NI,
        MPQuery(ids=("mp-1", "mp-2")),
        MPQuery(exclude_elements=("O",), limit=3),
        MPQuery(family="hydride", thermo_type="GGA_GGA+U_R2SCAN", energy_above_hull_max=0.1),
    ):
        list(fetch_materials(query, access).items())
    fetch_phase_diagram("La-Ni", access)
    port = int(server.url.rstrip("/").rsplit(":", maxsplit=1)[1])
    assert {address[:2] for address in connections} == {("127.0.0.1", port)}


def test_a_bulk_download_is_refused_where_it_begins(server, no_bulk, tmp_path):
    client = open_client(KEY, endpoint=server.url, policy=QUICK)
    with pytest.raises(FetchError, match="bulk download"):
        client.rester.materials.summary.search()
    assert server.searches == []


def test_a_proxy_of_the_environment_gets_no_request_of_the_loopback(server, tmp_path, monkeypatch):
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1/")
    fetch(server, tmp_path)


def test_errors_of_requests_do_not_show_the_key(server, tmp_path, monkeypatch):
    def fail(*_, **__):
        raise requests.exceptions.InvalidHeader(f"bad header {KEY}")

    monkeypatch.setattr("mp_api.client.core.client.load_json", fail)
    with pytest.raises(FetchError, match="<key>") as caught:
        fetch(server, tmp_path)
    assert KEY not in str(caught.value)
    assert caught.value.__cause__ is None
