"""The first start: an empty store is filled, all or nothing, before the service answers."""

from __future__ import annotations

import threading
import time
from itertools import islice

import pytest
from fastapi.testclient import TestClient

import hstore_api.app as module
from hstore.records import Scope
from hstore_api.app import create_app
from hstore_api.seeding import Seeding, embedded_candidates

EVERYTHING = Scope(everything=True)


def test_the_first_answer_has_all_candidates(settings, build, monkeypatch):
    def slowly(_seed):
        for i in range(3):
            time.sleep(0.2)
            yield build.material(f"m{i}")

    monkeypatch.setattr(module, "embedded_candidates", slowly)
    with TestClient(create_app(settings)) as client:
        assert len(client.get("/v1/materials").json()["items"]) == 3
        assert client.get("/healthz").json()["materials"] == "ready"


def test_a_service_that_is_filled_for_long_answers_meanwhile(settings, build, monkeypatch):
    monkeypatch.setattr(module, "SEEDED_WITHIN_S", 0.1)
    go_on = threading.Event()

    def slowly(_seed):
        yield build.material("a")
        assert go_on.wait(30)
        yield build.material("b")

    monkeypatch.setattr(module, "embedded_candidates", slowly)
    app = create_app(settings)
    with TestClient(app) as client:
        assert client.get("/healthz").json()["materials"] == "seeding"
        assert client.get("/v1/materials").json()["items"] == []
        go_on.set()
        app.state.service.seeding.wait(30)
        assert client.get("/healthz").json()["materials"] == "ready"
        assert [item["material_id"] for item in client.get("/v1/materials").json()["items"]] == ["a", "b"]


def test_a_stopped_service_leaves_the_store_empty_for_the_next_start(store, build):
    taken = threading.Event()

    def endless():
        for i in range(10**9):
            taken.set()
            yield build.material(f"m{i % 100}")

    stopped = Seeding(store, endless)
    stopped.start()
    assert taken.wait(30)
    stopped.stop()
    assert store.count_materials(scope=EVERYTHING) == 0
    again = Seeding(store, lambda: [build.material(f"m{i}") for i in range(2500)])
    again.start()
    again.wait(60)
    assert again.state == "ready"
    assert store.count_materials(scope=EVERYTHING) == 2500


def test_a_failure_is_told_and_leaves_nothing_half_done(store, build, caplog):
    def broken():
        yield build.material("a")
        raise RuntimeError("damaged table")

    seeding = Seeding(store, broken)
    seeding.start()
    seeding.wait(30)
    assert seeding.state == "failed"
    assert "damaged table" in caplog.text
    assert store.count_materials(scope=EVERYTHING) == 0


@pytest.mark.parametrize("access", ["public", "lab"])
def test_a_store_with_any_material_is_left_alone(store, build, access):
    store.add_materials([build.material("mine", **({"access": build.of("lab")} if access == "lab" else {}))])
    seeding = Seeding(store, lambda: pytest.fail("must not be asked"))
    seeding.start()
    seeding.stop()
    assert (seeding.state, store.count_materials(scope=EVERYTHING)) == ("ready", 1)


def test_the_embedded_candidates_can_be_stored(store):
    some = list(islice(embedded_candidates(seed=0), 50))
    assert len({material.material_id for material in some}) == 50
    assert store.add_materials(some) == 50
    assert any(material.known for material in some)
