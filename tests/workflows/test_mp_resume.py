"""A fetch from the Materials Project that is killed, again and again, ends as if it had never been."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest

from hstore.errors import FetchError
from hstore.records import PUBLIC_SCOPE
from hstore.store import open_store
from hstore_workflows.sources.journal import unfinished
from hstore_workflows.sources.materials_project import MPAccess, fetch_materials
from hstore_workflows.sources.mp_client import Watch
from hstore_workflows.sources.mp_query import MPQuery
from hstore_workflows.sources.mp_transport import ClientPolicy
from tests.workflows.mp_server import HEARTBEAT, KEY, MPServer, many, summary

KILLS = 20
LA_NI = MPQuery(elements=("La", "Ni"))
QUICK = ClientPolicy(timeout_s=2.0, retries=0, backoff_s=0.01, page_rows=10)


class Lives:
    """Processes of the command, one after the other."""

    def __init__(self, log):
        environment = os.environ | {"HSTORE_MP_API_KEY": KEY}
        environment.pop("HSTORE_DATABASE_URL", None)
        script = Path(__file__).with_name("mp_lives.py")
        self._parent = subprocess.Popen(
            [sys.executable, str(script), str(log)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment,
        )  # fmt: skip

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._parent.stdin.close()
        self._parent.wait(60)
        self._parent.stdout.close()

    def _order(self, order):
        self._parent.stdin.write(json.dumps(order) + "\n")
        self._parent.stdin.flush()

    def start(self, home, arguments):
        self._order([str(home), arguments])

    def end(self, how):
        """Kill the process or wait for it; return its exit code."""
        self._order(how)
        return int(self._parent.stdout.readline())


@pytest.fixture
def server():
    with MPServer(many()) as running:
        yield running


def stored(home):
    if not (home / "hstore.sqlite").exists():
        return {}
    with open_store(f"sqlite:///{home / 'hstore.sqlite'}") as store:
        return {m.material_id: m for m in store.materials(scope=PUBLIC_SCOPE)}


def asked(server):
    return Counter(tuple(sorted(query.items())) for query in server.searches)


@pytest.mark.long
def test_twenty_kills_at_random_moments_change_nothing(server, tmp_path):
    # without structures nothing has to be compared, so a life is short
    pages = 39
    server.documents = [summary(n, f"La{n}Ni5", structure=None) for n in range(1, pages + 1)]
    server.delay_s = 0.02
    arguments = ("fetch", "mp", "--endpoint", server.url, "--elements", "La,Ni", "--page-rows", "1", "--json")
    rng = random.Random(20)
    killed, whole = tmp_path / "killed", tmp_path / "whole"
    with Lives(tmp_path / "log") as lives:

        def kill():
            assert lives.end("kill") in {-signal.SIGKILL, 0}
            assert len(stored(killed)) in {0, pages}, "all or nothing is in the store"

        for _ in range(KILLS - 4):  # somewhere before the end, up to three pages further than the last
            further = min(len(server.searches) + rng.randint(0, 3), pages - 1)
            lives.start(killed, arguments)
            until = time.monotonic() + 30
            while len(server.searches) < further and time.monotonic() < until:
                time.sleep(0.002)
            time.sleep(rng.uniform(0, 0.03))
            kill()
        repeats = sum(asked(server).values()) - len(asked(server))
        assert repeats <= KILLS - 4, "at most the page in flight is asked for again"
        for _ in range(4):  # anywhere at all, while it is written too
            lives.start(killed, arguments)
            time.sleep(rng.uniform(0.2, 1.5))
            kill()
        lives.start(killed, arguments)
        assert lives.end("wait") == 0, (tmp_path / "log").read_text()
        counts = json.loads((tmp_path / "log").read_text().splitlines()[-1])
        assert (counts["total"], counts["received"], counts["rejected"]) == (pages, pages, 0)
        lives.start(whole, arguments)
        assert lives.end("wait") == 0
    assert stored(killed) == stored(whole)
    assert len(stored(killed)) == pages
    assert not list(unfinished(killed, source="mp"))


def access(server, home, **changes):
    return MPAccess(KEY, home, endpoint=server.url, policy=QUICK, **changes)


def interrupt(server, home, after=2):
    """Let a fetch fail after some pages."""
    server.requests.clear()
    answer = server.answer

    def until_then(*request):
        return answer(*request) if len(server.searches) <= after else (503, {}, {})

    server.answer = until_then
    with pytest.raises(FetchError, match="kept"):
        fetch_materials(LA_NI, access(server, home))
    server.answer = answer
    server.requests.clear()


def test_what_was_answered_is_not_asked_again(server, tmp_path):
    interrupt(server, tmp_path)
    notes = []
    fetched = fetch_materials(LA_NI, access(server, tmp_path, watch=Watch(note=notes.append)))
    assert [query.get("_skip") for query in server.searches] == ["20", "30"]
    assert len(list(fetched.items())) == 39
    assert len(server.searches) == 2, "documents are read from disk"
    assert "2 answers are on disk" in notes[0]


def test_a_restart_forgets(server, tmp_path):
    interrupt(server, tmp_path)
    fetch_materials(LA_NI, access(server, tmp_path, restart=True))
    assert len(server.searches) == 4


def test_another_query_shares_nothing(server, tmp_path):
    interrupt(server, tmp_path)
    fetch_materials(MPQuery(elements=("La", "Ni"), limit=39), access(server, tmp_path))
    assert len(server.searches) == 4


def test_a_new_release_of_the_database_starts_afresh_and_says_so(server, tmp_path):
    interrupt(server, tmp_path)
    server.heartbeat = HEARTBEAT | {"db_version": "2026.09.01"}
    notes = []
    fetched = fetch_materials(LA_NI, access(server, tmp_path, watch=Watch(note=notes.append)))
    assert len(server.searches) == 4
    assert "from version 2026.02.03 to 2026.09.01" in notes[0]
    assert fetched.database_version == "2026.09.01"
    assert [left.identity["database_version"] for left in unfinished(tmp_path, source="mp")] == ["2026.09.01"]


def test_pages_of_before_that_contradict_those_of_now_do_not_poison_the_journal(server, tmp_path):
    interrupt(server, tmp_path)
    server.documents = server.documents[:-10]
    fetched = fetch_materials(LA_NI, access(server, tmp_path))
    wanted = [doc["material_id"] for doc in server.documents if {"La", "Ni"} <= set(doc["elements"])]
    assert [m.provenance.reference for m in fetched.items()] == wanted


def test_damaged_answers_are_asked_for_again(server, tmp_path):
    interrupt(server, tmp_path)
    for path in (tmp_path / "fetch").glob("*/*.answer"):
        path.write_bytes(path.read_bytes()[:-7])
    assert len(list(fetch_materials(LA_NI, access(server, tmp_path)).items())) == 39
    assert len(server.searches) == 4


def test_answers_that_vanish_before_they_are_stored_are_asked_for_again(server, tmp_path):
    fetched = fetch_materials(LA_NI, access(server, tmp_path))
    for left in unfinished(tmp_path, source="mp"):
        left.discard()
    assert len(list(fetched.items())) == 39
    for left in unfinished(tmp_path, source="mp"):
        left.discard()
    server.documents.reverse()
    with pytest.raises(FetchError, match="changed its answers"):
        list(fetched.items())


def test_the_heartbeat_is_never_answered_from_disk(server, tmp_path):
    for _ in range(2):
        fetch_materials(LA_NI, access(server, tmp_path))
    assert sum("heartbeat" in path for path, *_ in server.requests) >= 2
