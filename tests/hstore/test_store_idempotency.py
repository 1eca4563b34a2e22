"""A write that is named and repeated is answered again and done once, whatever happens in between."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import text, update

from hstore.errors import InputError, StoreError
from hstore.records import Scope
from hstore.store import idempotency
from hstore.store.idempotency import KEPT_FOR, KeptAnswer, KeyReusedError, Repeatable, RequestUnderWayError
from hstore.store.schema import IdempotencyRow

EVERYTHING = Scope(everything=True)
WANTED = Repeatable("key-1", "a", "hash")


@pytest.fixture
def add(store, build):
    """Make the work of a write: one material more each time it is done."""
    done = []

    def work(*_token):
        done.append(1)
        store.add_materials([build.material(f"m{len(done)}")])
        store.audit.add("materials.create", [f"m{len(done)}"])
        return KeptAnswer(201, {"n": len(done)})

    return work


def count(store):
    return store.count_materials(scope=EVERYTHING)


@pytest.mark.parametrize("how", ["write", "write_elsewhere"])
def test_a_repeated_write_gets_the_same_answer_and_is_done_once(store, add, how):
    write = getattr(store.idempotency, how)
    assert write(WANTED, add) == (KeptAnswer(201, {"n": 1}), False)
    assert write(WANTED, add) == (KeptAnswer(201, {"n": 1}), True)
    assert count(store) == len(store.audit.entries()) == 1


@pytest.mark.parametrize("how", ["write", "write_elsewhere"])
def test_the_same_key_with_another_request_is_refused(store, add, how):
    write = getattr(store.idempotency, how)
    write(WANTED, add)
    with pytest.raises(KeyReusedError, match="another request"):
        write(Repeatable("key-1", "a", "other"), add)
    assert count(store) == 1


def test_callers_have_keys_of_their_own(store, add):
    store.idempotency.write(WANTED, add)
    assert store.idempotency.write(Repeatable("key-2", "a", "other"), add) == (KeptAnswer(201, {"n": 2}), False)


def test_an_error_leaves_nothing_and_the_write_can_be_repeated(store, add):
    def fail():
        add()
        raise InputError("a bad row")

    with pytest.raises(InputError, match="a bad row"):
        store.idempotency.write(WANTED, fail)
    assert count(store) == len(store.audit.entries()) == 0
    assert store.idempotency.write(WANTED, add)[0] == KeptAnswer(201, {"n": 2})
    assert count(store) == 1


def test_a_write_that_fails_inside_undoes_itself_alone(store, build):
    def work():
        with pytest.raises(StoreError, match="unknown material_id"):
            store.add_measurements([build.measurement("x", material_id="none")])
        store.add_materials([build.material()])
        assert store.material("m1", scope=EVERYTHING) is not None  # what is written is seen before its end
        assert len(store.audit.entries()) == 0
        return KeptAnswer(200, {})

    store.idempotency.write(WANTED, work)
    assert count(store) == 1


def test_others_see_nothing_before_the_end(store, add):
    with ThreadPoolExecutor(1) as other:

        def work():
            answer = add()
            assert count(store) == 1
            assert other.submit(count, store).result() == 0
            return answer

        store.idempotency.write(WANTED, work)
        assert other.submit(count, store).result() == 1


def test_of_two_at_the_same_time_one_does_the_work(store, add):
    begun = threading.Event()

    def slow():
        begun.set()
        threading.Event().wait(0.3)
        return add()

    with ThreadPoolExecutor(4) as pool:
        first = pool.submit(store.idempotency.write, WANTED, slow)
        begun.wait(10)
        others = [pool.submit(store.idempotency.write, WANTED, add) for _ in range(3)]
        assert first.result() == (KeptAnswer(201, {"n": 1}), False)
        assert {other.result()[1] for other in others} == {True}
    assert count(store) == 1


def test_who_waits_too_long_is_told_to_come_again(store, add, monkeypatch):
    if store.database.engine.dialect.name == "sqlite":
        pytest.skip("SQLite has one writer at a time: a second one waits for the busy timeout of every write")
    monkeypatch.setattr(idempotency, "WAIT_S", 1)
    begun, end = threading.Event(), threading.Event()

    def slow():
        begun.set()
        end.wait(30)
        return add()

    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(store.idempotency.write, WANTED, slow)
        begun.wait(10)
        with pytest.raises(RequestUnderWayError, match="under way"):
            store.idempotency.write(WANTED, add)
        end.set()
        assert first.result()[0] == KeptAnswer(201, {"n": 1})


def test_an_unfinished_write_elsewhere_comes_again_with_its_token(store):
    tokens = []

    def stop(token):
        tokens.append(token)
        raise KeyboardInterrupt  # as a crash would, it leaves the write begun and unanswered

    def finish(token):
        tokens.append(token)
        return KeptAnswer(202, {"job_id": token})

    with pytest.raises(KeyboardInterrupt):
        store.idempotency.write_elsewhere(WANTED, stop)
    with pytest.raises(KeyReusedError):
        store.idempotency.write_elsewhere(Repeatable("key-1", "a", "other"), finish)
    kept, replayed = store.idempotency.write_elsewhere(WANTED, finish)
    assert not replayed
    assert kept.answer["job_id"] == tokens[0] == tokens[1]
    other, _ = store.idempotency.write_elsewhere(Repeatable("key-2", "a", "hash"), finish)
    assert other.answer["job_id"] != tokens[0]


@pytest.mark.parametrize("how", ["write", "write_elsewhere"])
def test_old_answers_are_forgotten(store, add, how):
    write = getattr(store.idempotency, how)
    write(WANTED, add)
    for age, replayed in ((KEPT_FOR - timedelta(minutes=1), True), (KEPT_FOR + timedelta(minutes=1), False)):
        with store.database.writing("an older answer") as connection:
            connection.execute(update(IdempotencyRow).values(created_at=datetime.now(UTC) - age))
        assert write(WANTED, add)[1] == replayed
    store.idempotency._forget_at = 0.0
    with store.database.writing("an older answer") as connection:
        connection.execute(update(IdempotencyRow).values(created_at=datetime.now(UTC) - KEPT_FOR))
    write(Repeatable("key-2", "b", "hash"), add)
    with store.database.connected("count answers of") as connection:
        assert connection.scalar(text("SELECT count(*) FROM idempotency")) == 1


_CRASH = textwrap.dedent("""
    import os, signal, sys
    from hstore.store import open_store
    from hstore.store.idempotency import KeptAnswer, Repeatable
    from hstore.records import Family, Material, Provenance

    url, moment = sys.argv[1:]
    with open_store(url) as store:
        def work():
            source = Provenance(source="test")
            store.add_materials(
                [Material(material_id="m1", formula="LaNi5", family=Family.INTERSTITIAL, provenance=source)]
            )
            if moment == "before":
                os.kill(os.getpid(), signal.SIGKILL)
            return KeptAnswer(201, {"n": 1})
        store.idempotency.write(Repeatable("key-1", "a", "hash"), work)
        os.kill(os.getpid(), signal.SIGKILL)
""")


@pytest.mark.parametrize("moment", ["before", "after"])
def test_a_process_killed_before_or_after_the_end_loses_and_doubles_nothing(database_url, store, add, moment):
    ended = subprocess.run([sys.executable, "-c", _CRASH, database_url, moment], check=False, env=os.environ)
    assert ended.returncode == -signal.SIGKILL
    assert count(store) == {"before": 0, "after": 1}[moment]
    assert store.idempotency.write(WANTED, add) == (KeptAnswer(201, {"n": 1}), moment == "after")
    assert count(store) == 1
