"""Figures for Prometheus: right, readable by whom they are for, and of nobody in particular."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from datetime import UTC, datetime

import pytest
from fastapi.testclient import TestClient
from prometheus_client.parser import text_string_to_metric_families

from hstore_api.app import create_app


@pytest.fixture
def local(app):
    """A client on this machine."""
    with TestClient(app, client=("127.0.0.1", 50000), raise_server_exceptions=False) as running:
        yield running


def parsed(text):
    families = text_string_to_metric_families(text)
    return {(s.name, *sorted(s.labels.items())): s.value for family in families for s in family.samples}


def samples(client, **options):
    """Name and labels of each figure -> value."""
    response = client.get("/metrics", **options)
    assert response.status_code == 200, response.text
    assert response.headers["content-type"].startswith("text/plain")
    return parsed(response.text)


def requests(found, route, status, method="GET"):
    return found.get(("hstore_requests_total", ("method", method), ("route", route), ("status", status)), 0)


def test_requests_are_counted_by_route_and_status(local):
    for path in ("/v1/materials", "/v1/materials/a/LaNi5", "/v1/materials/none", "/v1/materials?limit=0", "/none"):
        local.get(path)
    local.post("/healthz")
    found = samples(local)
    assert requests(found, "/v1/materials", "200") == 1
    assert requests(found, "/v1/materials", "422") == 1
    assert requests(found, "/v1/materials/{material_id}", "200") == 1
    assert requests(found, "/v1/materials/{material_id}", "404") == 1
    assert requests(found, "unmatched", "404") == 1
    assert requests(found, "/healthz", "405", "POST") == 1
    assert found["hstore_request_duration_seconds_count", ("route", "/v1/materials")] == 2
    assert found["hstore_request_duration_seconds_bucket", ("le", "+Inf"), ("route", "/v1/materials")] == 2
    assert found["hstore_requests_in_flight",] == 1, "the one that asks"


def test_an_unexpected_error_is_counted(local, monkeypatch):
    from hstore.store import Store

    def fail(*_arguments, **_options):
        raise RuntimeError("broken")

    monkeypatch.setattr(Store, "screens", fail)
    assert local.get("/v1/screens").status_code == 500
    assert requests(samples(local), "/v1/screens", "500") == 1


def test_predicted_rows_are_counted_by_model(local, loaded):
    loaded("hydride_capacity")
    asked = {"property": "h2_capacity_wt_pct", "formulas": ["LaNi5", "TiFe", "nonsense"]}
    assert local.post("/v1/predictions", json=asked).status_code == 200
    assert samples(local)["hstore_predictions_total", ("model", "hydride_capacity")] == 2


def test_the_store_and_its_jobs_are_counted(local, records, build):
    records.add_measurements([build.measurement("x1", material_id="a/LaNi5", access=build.of("north"))])
    records.jobs.create("screen", {}, access=build.of("north"), job_id="j1")
    records.jobs.beat("w1", host="h", pid=1, started_at=datetime.now(UTC))
    found = samples(local)
    assert found["hstore_store_rows", ("table", "materials")] == 6
    assert found["hstore_store_rows", ("table", "measurements")] == 1
    assert found["hstore_jobs", ("state", "queued")] == 1
    assert found["hstore_workers_alive",] == 1
    assert found["hstore_store_bytes",] > 100_000
    assert found["process_resident_memory_bytes",] > 10_000_000


def test_the_store_is_counted_on_either_database(database_url, store, build):
    from hstore.store.figures import store_figures

    store.add_materials([build.material()])
    found = store_figures(store.database)
    assert found.rows["materials"] == 1
    assert found.size_bytes > 10_000
    assert found.jobs == {}


def test_no_figure_is_of_somebody_in_particular(local, records, key, build):
    headers = key("north", "read")
    for path in ("materials/a%2FLaNi5", "screens/secret-screen", "materials?elements=La", "secret/path"):
        local.get(f"/v1/{path}", headers=headers)
    local.request("PROPFIND", "/v1/materials")
    text = local.get("/metrics").text
    for word in ("LaNi5", "secret", "north", "elements", headers["X-API-Key"], "hsk_", "PROPFIND"):
        assert word not in text, word
    assert 'method="OTHER"' in text


def test_many_addresses_make_few_figures(local):
    before = len(samples(local))
    for number in range(50):
        local.get(f"/nothing/{number}")
        local.get(f"/v1/materials/{number}")
    assert len(samples(local)) < before + 60, "one histogram and one counter for each of two routes"


@pytest.mark.parametrize(
    ("access", "address", "scopes", "status"),
    [
        ("loopback", "127.0.0.1", None, 200),
        ("loopback", "::1", None, 200),
        ("loopback", "192.0.2.7", None, 401),
        ("loopback", "testclient", None, 401),
        ("loopback", "192.0.2.7", "read,measure,run,train", 403),
        ("loopback", "192.0.2.7", "admin", 200),
        ("key", "127.0.0.1", None, 401),
        ("key", "127.0.0.1", "admin", 200),
        ("open", "192.0.2.7", None, 200),
    ],
)
def test_who_may_read_them(settings, records, key, access, address, scopes, status):
    app = create_app(settings.model_copy(update={"metrics_access": access}))
    headers = key("north", scopes) if scopes else {}
    with TestClient(app, client=(address, 50000)) as client:
        assert client.get("/metrics", headers=headers).status_code == status


@pytest.mark.parametrize("header", ["X-Forwarded-For", "Forwarded"])
def test_a_proxy_on_this_machine_does_not_make_others_local(local, header):
    assert local.get("/metrics", headers={header: "127.0.0.1"}).status_code == 401


def test_a_wrong_key_is_refused_even_here(local):
    assert local.get("/metrics", headers={"X-API-Key": "hsk_wrong"}).status_code == 401


PROCESS = """
import json, os, signal, sys
from pathlib import Path
from hstore.settings import Settings
from hstore.store import open_store
from hstore_api.metrics import Metrics
from hstore_api.observing import Answered

def count(metrics, n):
    for _ in range(n):
        metrics.began()
        metrics.ended(Answered("GET", "/v1/materials", 200, 0.01, None, None, "", None))

read, write = os.pipe()
child = os.fork()
metrics = Metrics()
if not child:
    count(metrics, 3)
    metrics.began()  # under way when it is killed
    os.write(write, b"x")
    signal.pause()
os.read(read, 1)
count(metrics, 2)
with open_store(sys.argv[1]) as store:
    both = metrics.text(store).decode()
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    after = metrics.text(store).decode()
print(json.dumps([both, after]))
"""


def test_several_processes_are_added_up_and_the_dead_are_not_under_way(tmp_path):
    folder = tmp_path / "figures"
    folder.mkdir()
    done = subprocess.run(
        [sys.executable, "-c", PROCESS, f"sqlite:///{tmp_path / 's.sqlite'}"],
        env=os.environ | {"PROMETHEUS_MULTIPROC_DIR": str(folder)}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    both, after = map(parsed, json.loads(done.stdout))
    assert requests(both, "/v1/materials", "200") == requests(after, "/v1/materials", "200") == 5
    assert both["hstore_requests_in_flight",] == 1
    assert both["hstore_processes",] == 2
    assert after["hstore_requests_in_flight",] == 0
    assert after["hstore_processes",] == 1
    assert both["process_resident_memory_bytes",] > 1.2 * after["process_resident_memory_bytes",]
