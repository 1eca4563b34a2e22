"""The client against a running service, and against one that misbehaves."""

from __future__ import annotations

import inspect
import itertools
import json
import os
import pkgutil
import subprocess
import sys
import threading
import time
from datetime import UTC, datetime

import httpx2
import pytest

import hstore_api.client as package
from hstore.errors import InputError
from hstore.keys import permissions_of
from hstore_api.client import Client, JobEndedError, ServiceError, ServiceUnreachableError
from hstore_api.client.transport import Operation
from hstore_api.contract import CONTRACT


@pytest.fixture
def lab(address, records):
    """A client with a key of the lab north that permits everything but admin."""
    _, secret = records.keys.create("north", permissions_of("read,measure,run,train"), lab_id="north")
    with Client(address, key=secret) as client:
        yield client


@pytest.fixture
def public(address):
    """A client without a key."""
    with Client(address) as client:
        yield client


def operations():
    """Every operation that the client's modules and objects name."""
    found = set()
    for module in pkgutil.iter_modules(package.__path__, f"{package.__name__}."):
        loaded = __import__(module.name, fromlist=["_"])
        found |= {value for value in vars(loaded).values() if isinstance(value, Operation)}
    with Client("http://127.0.0.1:1") as client:
        for part in (client.measurements, client.isotherms):
            found |= set(part.operations.values())
    return {(operation.method, operation.path) for operation in found}


def test_the_client_has_every_operation_of_the_contract_and_no_other():
    paths = json.loads(CONTRACT.read_text(encoding="utf-8"))["paths"]
    offered = {(method.upper(), path) for path, ops in paths.items() for method in ops if path.startswith("/v1/")}
    assert offered - operations() == set(), "operations without a method of the client"
    assert operations() - offered == set(), "operations the service does not have"


def test_every_named_operation_is_used():
    for module in pkgutil.iter_modules(package.__path__, f"{package.__name__}."):
        source = inspect.getsource(__import__(module.name, fromlist=["_"]))
        named = [line.split(" = ")[0] for line in source.splitlines() if " = Operation(" in line]
        assert [name for name in named if name.startswith("_") and source.count(name) < 2] == []


def test_the_client_loads_nothing_of_what_the_service_runs_on():
    code = "import sys, hstore_api.client; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = {name.split(".")[0] for name in done.stdout.split()}
    assert {"fastapi", "starlette", "sqlalchemy", "pandas", "uvicorn", "dbos", "pymatgen"} & loaded == set()


def test_materials_are_walked_page_by_page(public, records, build):
    records.add_materials([build.material(f"x/{i:04}", "LaNi5") for i in range(450)])
    found = [material.material_id for material in public.materials.list(formula="La2Ni10")]
    assert len(found) == len(set(found)) == 452, "a and b too"
    assert len(list(public.materials.list(limit=201))) == 201
    first = next(iter(public.materials.list(elements=["La", "Ni"], known=True)))
    assert first.material_id == "a/LaNi5"
    assert list(public.materials.list(limit=0)) == []
    assert {m.family for m in public.materials.list(family="sorbent")} == {"sorbent"}
    bounded = public.materials.list(where=["lcd_A>=10", "lcd_A<20"], properties="lcd_A")
    assert [material.values["lcd_A"].value for material in bounded] == [15.0]


@pytest.mark.parametrize("most", [2, 100_000])
def test_materials_as_a_table(public, monkeypatch, most):
    monkeypatch.setattr("hstore_api.routers.materials.MAX_ROWS", most)
    table = public.materials.frame(elements="La", where=["h2_capacity_wt_pct<0"])
    assert list(table["material_id"]) == []
    table = public.materials.frame(elements="La")
    assert sorted(table["material_id"]) == ["a/LaNi5", "b/La2Ni10", "c/LaNi4Al"]


def test_one_material_and_its_structure(public, records, build):
    lattice = {"matrix": [[3.0, 0, 0], [0, 3.0, 0], [0, 0, 3.0]]}
    sites = [{"species": [{"element": "Fe", "occu": 1}], "abc": [0, 0, 0]}]
    structure = {"@module": "pymatgen.core.structure", "@class": "Structure", "lattice": lattice, "sites": sites}
    records.add_materials([build.material("odd/id with ? and #/Fe", "Fe", structure=structure)])
    found = public.materials.get("odd/id with ? and #/Fe")
    assert found.formula == "Fe"
    assert "_cell_length_a" in public.materials.structure(found.material_id)


def test_predictions(public, loaded):
    loaded("hydride_capacity")
    answer = public.predict("h2_capacity_wt_pct", ["LaNi5", "nonsense"])
    assert 1.0 < answer.rows[0].mean < 2.0
    assert answer.rows[1].error
    assert public.predict_one("h2_capacity_wt_pct", "LaNi5").mean == pytest.approx(answer.rows[0].mean)
    assert {found.name for found in public.properties()} >= {"h2_capacity_wt_pct"}
    assert any(model.model == "hydride_capacity" for model in public.models.list())


def test_models_and_data_sets(public, lab, loaded):
    card = loaded("hydride_capacity").card
    overview = public.models.get("hydride_capacity")
    assert overview.model == "hydride_capacity"
    assert public.models.version(card.model, card.model_id).model_id == card.model_id
    rows = list(public.models.held_out(card.model, card.model_id))
    assert len(rows) == len(set(rows)) == card.scores["h2_capacity_wt_pct"].n
    with pytest.raises(ServiceError, match=r"409 conflict: .* cannot be compared with itself"):
        public.models.compare(card.model, card.model_id, card.model_id)
    with pytest.raises(ServiceError, match="403 forbidden"):
        lab.models.promote(card.model, card.model_id, for_everybody=True)
    with pytest.raises(ServiceError, match="40"):
        lab.models.roll_back(card.model, reason="odd", for_everybody=True)
    assert public.property("h2_capacity_wt_pct").unit == "wt%"
    name = public.datasets()[0].name
    assert public.dataset(name).name == name


def test_measurements_are_told_corrected_and_published(lab, public, tmp_path):
    row = {"formula": "LaNi5", "h2_capacity_wt_pct": 1.4, "measured_on": "2026-01-02", "row_id": "A-1"}
    taken = lab.measurements.send([row, {"formula": "LaNi5", "h2_capacity_wt_pct": "much"}])
    first, second = taken.verdicts
    assert (first.verdict, second.verdict) == ("stored", "rejected")
    assert second.cause
    (own,) = lab.measurements.list(lab="own")
    assert own.value == 1.4
    assert list(public.measurements.list()) == []
    lab.measurements.correct(own.measurement_id, {"value": 1.38}, "balance was off")
    (now,) = lab.measurements.list(property="h2_capacity_wt_pct")
    assert (now.value, now.replaces) == (1.38, own.measurement_id)
    assert len(lab.measurements.get(now.measurement_id).history) == 2
    assert lab.measurements.publish([now.measurement_id]).counts == {"published": 1}
    assert [m.value for m in public.measurements.list()] == [1.38]
    (tmp_path / "m.csv").write_text("formula,h2_capacity_wt_pct,row_id\nTiFe,1.8,B-1\nTiFe,150,B-2\n")
    sent = lab.measurements.send_csv(tmp_path / "m.csv")
    assert [verdict.verdict for verdict in sent.verdicts] in (["stored", "held"], ["stored", "rejected"])
    assert lab.measurements.send_csv(tmp_path / "m.csv").counts["duplicate"] >= 1
    for held in list(lab.measurements.held()):
        assert lab.measurements.discard(held.record_id).changed
    kept = next(m for m in lab.measurements.list(lab="own") if m.formula == "TiFe")
    assert lab.measurements.retract(kept.measurement_id, "wrong sample").changed
    assert lab.measurements.conflicts() == ()


def test_isotherms(lab):
    one = {
        "formula": "Zn4O13C24H12", "temperature_k": 77.0, "uptake_kind": "excess", "mass_basis": "sorbent",
        "points": [(0.1, 0.9), (1.0, 2.6), (10.0, 6.0)], "row_id": "i-1",
    }  # fmt: skip
    assert lab.isotherms.send([one]).counts["stored"] == 1
    (found,) = lab.isotherms.list(lab="own")
    assert lab.isotherms.get(found.isotherm_id).pressures_bar == (0.1, 1.0, 10.0)
    assert lab.isotherms.publish().counts == {"published": 1}
    assert lab.isotherms.retract(found.isotherm_id, "leak").changed
    assert list(lab.isotherms.held()) == []


def test_screens(public, records, build):
    for number in range(3):
        at = datetime(2025, 1, 1 + number, tzinfo=UTC)
        records.add_screen(build.screen(f"s{number}", created_at=at, top=[{"rank": 1, "formula": "LaNi5"}]))
    assert [screen.screen_id for screen in public.screens.list()] == ["s2", "s1", "s0"]
    assert public.screens.get("s1").top[0]["formula"] == "LaNi5"
    assert public.screens.results("s1").items[0]["rank"] == 1


def test_me_and_the_keys(lab, address, records):
    assert lab.me().lab == "north"
    _, secret = records.keys.create("operator", permissions_of("read,admin"), lab_id=None)
    with Client(address, key=secret) as operator:
        made = operator.keys.create("south", ["read"], lab="south", days=3)
        with Client(address, key=made.key) as south:
            assert south.me().key_id == made.key_id
            assert operator.keys.revoke(made.key_id).revoked_at
            with pytest.raises(ServiceError, match="401 unauthenticated"):
                south.me()
        assert {key.name for key in operator.keys.list()} == {"north", "operator", "south"}
        assert [entry.action for entry in operator.keys.audit(limit=2)] == ["keys.revoke", "keys.create"]


def test_a_job_is_started_watched_and_ends(lab, records, job_worker):
    job = lab.jobs.start("screen", target="stationary")
    assert job.state == "queued"
    seen = []
    with job_worker(job, result={"n": 3}):
        done = lab.jobs.wait(job.job_id, timeout_s=60, on_change=seen.append)
    assert done.result == {"n": 3}
    lines = [found.message for found in seen if hasattr(found, "message")]
    assert [line for line in lines if line.startswith("part")] == ["part 0", "part 1", "part 2"]
    assert [found.state for found in seen if hasattr(found, "state")][-1] == "done"
    assert [line.message for line in lab.jobs.log(job.job_id)] == lines
    assert next(lab.jobs.list()).job_id == job.job_id
    assert "screen" in {kind.kind for kind in lab.jobs.kinds()}


def test_a_job_that_fails_raises_and_can_be_tried_again(lab, job_worker):
    job = lab.jobs.start("screen", target="stationary")
    with job_worker(job, error="no candidates"), pytest.raises(JobEndedError, match="no candidates") as caught:
        lab.jobs.wait(job.job_id, timeout_s=60)
    assert caught.value.job.state == "failed"
    assert lab.jobs.retry(job.job_id).state == "queued"
    assert lab.jobs.cancel(job.job_id).state == "cancelled"
    with pytest.raises(JobEndedError, match="cancelled"):
        lab.jobs.wait(job.job_id, timeout_s=60)


def test_waiting_ends_in_time(lab):
    job = lab.jobs.start("screen", target="stationary")
    with pytest.raises(ServiceUnreachableError, match="has not ended in time"):
        lab.jobs.wait(job.job_id, timeout_s=0.1)


@pytest.fixture
def job_worker(records):
    """Do a job in a thread as a worker does, slowly enough to be watched."""
    from contextlib import contextmanager

    from hstore.jobs import EVENTS_PER_ATTEMPT, JobState

    def run(job, state, options):
        claimed = records.jobs.claim("w1")
        assert claimed.job_id == job.job_id
        for n in range(3):
            records.jobs.add_event(job.job_id, claimed.attempts * EVENTS_PER_ATTEMPT + n, f"part {n}")
            time.sleep(0.2)
        records.jobs.finish(job.job_id, claimed.attempts, state, **options)

    @contextmanager
    def working(job, **options):
        state = JobState.FAILED if "error" in options else JobState.DONE
        thread = threading.Thread(target=run, args=(job, state, options))
        thread.start()
        yield
        thread.join()

    return working


def test_an_error_carries_what_the_service_says(lab):
    with pytest.raises(ServiceError) as caught:
        lab.materials.get("none")
    error = caught.value
    assert (error.status, error.code) == (404, "not_found")
    assert error.correlation_id in str(error)
    assert "no material 'none'" in error.detail
    with pytest.raises(ServiceError, match=r"422 invalid_request: .*query\.formula"):
        list(lab.measurements.list(formula="x" * 501))


def test_what_does_not_keep_to_the_contract_is_not_sent(lab):
    with pytest.raises(InputError, match="PredictionRequest does not keep to the contract: temperature_k"):
        lab.predict("plateau_pressure_bar", ["LaNi5"], temperature_k=-1)
    with pytest.raises(InputError, match="cannot be read"):
        lab.measurements.send_csv("none.csv")


class Misbehaving:
    """A service that answers in turn what it was told to, and notes what it was asked."""

    def __init__(self, *answers):
        self.answers = list(answers)
        self.requests = []

    def __call__(self, request):
        self.requests.append(request)
        found = self.answers.pop(0)
        if isinstance(found, Exception):
            raise found
        return found


PAGE = {"items": [], "limit": 200, "next": None}
BUSY = {"code": "limit_reached", "detail": "too many", "correlation_id": "c"}


@pytest.fixture
def client_of(monkeypatch):
    """Make a client of a misbehaving service; its waits are noted in place of being waited."""
    waits = []
    monkeypatch.setattr("hstore_api.client.transport.time.sleep", waits.append)

    def make(*answers, **options):
        service = Misbehaving(*answers)
        return Client("http://127.0.0.1", transport=httpx2.MockTransport(service), **options), service, waits

    return make


@pytest.mark.parametrize("status", [429, 503])
def test_a_busy_service_is_asked_again_when_it_says(client_of, status):
    busy = httpx2.Response(status, json=BUSY, headers={"Retry-After": "7"})
    client, service, waits = client_of(busy, busy, httpx2.Response(200, json=PAGE))
    assert list(client.materials.list()) == []
    assert waits == [7.0, 7.0]
    assert len(service.requests) == 3


def test_a_training_is_waited_for_however_often_it_takes(client_of, monkeypatch):
    trained = httpx2.Response(503, json=BUSY | {"code": "busy"}, headers={"Retry-After": "15"})
    client, service, waits = client_of(*[trained] * 12, httpx2.Response(200, json=PAGE))
    assert list(client.materials.list()) == []
    assert waits == [15.0] * 12
    clock = itertools.count(0, 100)
    monkeypatch.setattr("hstore_api.client.transport.time.monotonic", lambda: next(clock))
    client, service, waits = client_of(*[trained] * 20)
    with pytest.raises(ServiceError, match="503 busy"):
        list(client.materials.list())
    assert 5 <= len(service.requests) <= 11, "ten minutes, and then as often as any other"
    waits.clear()
    client, service, _ = client_of(trained, retries=0)
    with pytest.raises(ServiceError, match="503 busy"):
        list(client.materials.list())
    assert (len(service.requests), waits) == (1, [])


def test_without_a_word_of_when_the_waits_grow(client_of):
    client, _, waits = client_of(*[httpx2.Response(503)] * 5)
    with pytest.raises(ServiceError, match="503 http_error: the answer is none of hstore's"):
        list(client.materials.list())
    assert len(waits) == 4
    for attempt, wait in enumerate(waits):
        assert 0.25 * 2**attempt <= wait <= 0.5 * 2**attempt


def test_a_wait_of_hours_is_left_to_the_caller(client_of):
    client, _, waits = client_of(httpx2.Response(429, json=BUSY, headers={"Retry-After": "86400"}))
    with pytest.raises(ServiceError) as caught:
        client.me()
    assert caught.value.retry_after_s == 86400
    assert waits == []


@pytest.mark.parametrize("given", ["Wed, 21 Oct 2015 07:28:00 GMT", "soon", "-1", ""])
def test_odd_retry_after_headers(client_of, given):
    answers = httpx2.Response(429, json=BUSY, headers={"Retry-After": given}), httpx2.Response(200, json=PAGE)
    client, _, waits = client_of(*answers)
    assert list(client.materials.list()) == []
    assert 0 <= waits[0] <= 1


@pytest.mark.parametrize(
    ("call", "again"),
    [
        (lambda c: c.materials.get("m"), True),
        (lambda c: c.measurements.send([{"formula": "LaNi5"}]), True),
        (lambda c: c.jobs.start("screen"), True),
        (lambda c: c.predict("h2_capacity_wt_pct", ["LaNi5"]), True),
        (lambda c: c.campaigns.propose("c"), True),
        (lambda c: c.campaigns.tell("c", [{"formula": "LaNi5"}]), True),
        (lambda c: c.campaigns.begin("c"), False),
        (lambda c: c.keys.create("n", ["read"]), False),
        (lambda c: c.jobs.retry("j"), False),
    ],
    ids=["get", "measurements", "job", "predict", "propose", "tell", "begin", "key", "retry"],
)
def test_only_what_can_be_repeated_is_sent_again_after_a_lost_answer(client_of, call, again):
    lost = httpx2.ReadError("connection lost")
    client, service, _ = client_of(*[lost] * 5)
    with pytest.raises(ServiceUnreachableError, match="connection lost"):
        call(client)
    assert len(service.requests) == (5 if again else 1)


def test_a_repeated_write_keeps_its_idempotency_key(client_of):
    taken = {"counts": {}, "verdicts": [], "ignored": []}
    client, service, _ = client_of(httpx2.ReadError("lost"), httpx2.Response(200, json=taken))
    client.measurements.send([{"formula": "LaNi5"}])
    first, second = (request.headers["idempotency-key"] for request in service.requests)
    assert first == second
    client, service, _ = client_of(httpx2.Response(200, json=taken))
    client.measurements.send([{"formula": "LaNi5"}], idempotency_key="mine")
    assert service.requests[0].headers["idempotency-key"] == "mine"


def test_a_request_that_is_still_under_way_is_waited_for(client_of):
    wait = {"code": "request_under_way", "detail": "under way", "correlation_id": "c"}
    taken = {"counts": {}, "verdicts": [], "ignored": []}
    busy = httpx2.Response(409, json=wait, headers={"Retry-After": "1"})
    client, _, waits = client_of(busy, httpx2.Response(200, json=taken))
    client.measurements.send([{"formula": "LaNi5"}])
    assert waits == [1.0]


def test_a_refused_connection_is_tried_again_even_for_writes(client_of):
    client, service, _ = client_of(*[httpx2.ConnectError("refused")] * 5)
    with pytest.raises(ServiceUnreachableError, match=r"check the address"):
        client.campaigns.propose("c")
    assert len(service.requests) == 5


def test_fields_of_a_newer_service_are_passed_over(client_of):
    client, _, _ = client_of(
        httpx2.Response(200, json={**PAGE, "news": 1, "items": [{"material_id": "m", "x": {}}]})
    )
    assert [material.material_id for material in client.materials.list()] == ["m"]


def test_the_key_goes_to_this_service_only(client_of):
    secret = "hsk_0123456789ab_" + "x" * 43
    moved = httpx2.Response(307, headers={"Location": "https://elsewhere.example.org/"})
    client, service, _ = client_of(moved, key=secret)
    with pytest.raises(ServiceError, match="307"):
        client.me()
    assert [request.url.host for request in service.requests] == ["127.0.0.1"]
    assert secret not in repr(client)


@pytest.mark.parametrize("url", ["http://hstore.example.org", "http://192.0.2.1:8000"])
def test_a_key_is_not_sent_unencrypted_to_another_machine(url):
    with pytest.raises(InputError, match="unencrypted"):
        Client(url, key="hsk_1")
    Client(url, key="hsk_1", plain_http=True).close()
    Client(url.replace("http:", "https:"), key="hsk_1").close()
    Client(url).close()
    for here in ("http://localhost:1", "http://127.0.0.1:1", "http://[::1]:1"):
        Client(here, key="hsk_1").close()


@pytest.mark.parametrize("key", ["hsk_1\n", "hsk_1 2", "hsk_é"])
def test_what_was_copied_with_a_key_is_noticed(key):
    with pytest.raises(InputError, match="no key has"):
        Client("http://127.0.0.1", key=key)


def test_address_and_key_from_the_environment(monkeypatch):
    for name in [name for name in os.environ if name.startswith("HSTORE_")]:
        monkeypatch.delenv(name)
    with pytest.raises(InputError, match="HSTORE_URL is unset"):
        Client.from_environment()
    monkeypatch.setenv("HSTORE_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("HSTORE_KEY", "hsk_1")
    with Client.from_environment(retries=0) as client, pytest.raises(ServiceUnreachableError, match="GET /v1/me"):
        client.me()
