"""The journal of a fetch: what was answered once is there again, or counts as absent."""

from __future__ import annotations

import json
import multiprocessing
import os
import signal

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hstore.errors import FetchError
from hstore_workflows.sources.journal import Journal, unfinished

IDENTITY = {"endpoint": "http://127.0.0.1/", "database": "2026.02.03", "query": "La"}


def opened(home, **changes):
    return Journal.open(home, source="mp", identity=IDENTITY | changes)


@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.text(max_size=5000).map(lambda text: text.encode("utf-8", "surrogatepass").decode("utf-8", "replace")),
       st.binary(max_size=5000))  # fmt: skip
def test_an_answer_comes_back_as_it_was(tmp_path, request_text, body):
    opened(tmp_path).keep(request_text, body)
    journal = opened(tmp_path)
    assert journal.answer(request_text) == body
    assert (journal.replayed, journal.kept) == (1, 0)


def test_what_was_not_asked_has_no_answer(tmp_path):
    journal = opened(tmp_path)
    journal.keep("a", b"1")
    assert journal.answer("b") is None
    assert (journal.replayed, journal.kept, len(journal)) == (0, 1, 1)


@pytest.mark.parametrize("change", [{"endpoint": "http://other/"}, {"database": "2026.03.01"}, {"query": "Ni"}])
def test_another_identity_shares_nothing(tmp_path, change):
    opened(tmp_path).keep("a", b"1")
    assert opened(tmp_path, **change).answer("a") is None
    assert Journal.open(tmp_path, source="optimade", identity=IDENTITY).answer("a") is None


@pytest.mark.parametrize(
    "damage",
    [
        lambda _: b"",
        lambda content: content[:20],
        lambda content: content[:-1],
        lambda content: content + b"x",
        lambda content: bytes([content[0] ^ 1]) + content[1:],
        lambda content: content[:-1] + bytes([content[-1] ^ 1]),
        lambda content: bytes(len(content)),
    ],
)
def test_a_damaged_answer_counts_as_absent_and_can_be_kept_again(tmp_path, damage):
    journal = opened(tmp_path)
    journal.keep("a", b"body" * 100)
    (path,) = journal.folder.glob("*.answer")
    path.write_bytes(damage(path.read_bytes()))
    assert journal.answer("a") is None
    assert journal.replayed == 0
    journal.keep("a", b"again")
    assert journal.answer("a") == b"again"


def test_discarding_leaves_nothing_and_the_journal_can_be_used_again(tmp_path):
    journal = opened(tmp_path)
    journal.keep("a", b"1")
    journal.discard()
    journal.discard()
    assert list((tmp_path / "fetch").iterdir()) == []
    assert journal.answer("a") is None
    journal.keep("b", b"2")
    assert journal.answer("b") == b"2"


def test_what_a_killed_discard_left_is_cleared_at_the_next_opening(tmp_path):
    left = tmp_path / "fetch" / ".discarded-1"
    left.mkdir(parents=True)
    (left / "manifest.json").write_text(json.dumps({"source": "mp", "identity": {}}))
    assert list(unfinished(tmp_path, source="mp")) == []
    opened(tmp_path)
    assert not left.exists()


def test_unfinished_journals_are_found_by_source(tmp_path):
    for journal in (
        opened(tmp_path),
        opened(tmp_path, database="2026.03.01"),
        Journal.open(tmp_path, source="optimade", identity={}),
    ):
        assert journal not in unfinished(tmp_path, source="mp")
        journal.keep("a", b"1")
    found = list(unfinished(tmp_path, source="mp"))
    assert sorted(journal.identity["database"] for journal in found) == ["2026.02.03", "2026.03.01"]
    (found[0].folder / "manifest.json").write_text("{")
    assert len(list(unfinished(tmp_path, source="mp"))) == 1
    assert not list(unfinished(tmp_path / "none", source="mp"))


@pytest.mark.parametrize("source", ["../../etc", "A" * 500, "", "http://x/y?z", "ü"])
def test_any_name_of_a_source_stays_inside_the_folder(tmp_path, source):
    journal = Journal.open(tmp_path, source=source, identity={})
    assert journal.folder.parent == tmp_path / "fetch"
    assert len(journal.folder.name) < 80


def test_requests_are_not_written(tmp_path):
    journal = opened(tmp_path)
    journal.keep("http://host/?q=" + "x" * 10_000, b"{}")
    (path,) = journal.folder.glob("*.answer")
    assert len(path.name) < 100
    assert not any(b"xxxx" in path.read_bytes() for path in journal.folder.iterdir())


def test_a_folder_that_cannot_be_made_is_named(tmp_path):
    journal = opened(tmp_path)
    (tmp_path / "fetch").rmdir()
    (tmp_path / "fetch").write_text("a file in its place")
    for action in (lambda: journal.keep("a", b"1"), lambda: opened(tmp_path)):
        with pytest.raises(FetchError, match="HSTORE_HOME"):
            action()
    assert journal.answer("a") is None


def _write_for_ever(home, ready):
    journal = opened(home)
    for turn in range(10**9):
        journal.keep(str(turn % 7), bytes([turn % 7]) * 50_000)
        if turn == 7:
            ready.set()


def test_killed_writers_leave_whole_answers_or_none(tmp_path):
    context = multiprocessing.get_context("fork")
    for _ in range(5):
        ready = context.Event()
        writers = [context.Process(target=_write_for_ever, args=(tmp_path, ready)) for _ in range(2)]
        for writer in writers:
            writer.start()
        assert ready.wait(20)
        for writer in writers:
            os.kill(writer.pid, signal.SIGKILL)
            writer.join()
        journal = opened(tmp_path)
        for turn in range(7):
            assert journal.answer(str(turn)) in {None, bytes([turn]) * 50_000}
        assert journal.answer("0") is not None


def _keep_and_discard(home):
    journal = opened(home)
    for turn in range(60):
        journal.keep(str(turn), b"x" * 1000)
        assert journal.answer(str(turn)) in {None, b"x" * 1000}
        if turn % 10 == 9:
            journal.discard()


def test_processes_may_discard_what_others_write(tmp_path):
    context = multiprocessing.get_context("fork")
    processes = [context.Process(target=_keep_and_discard, args=(tmp_path,)) for _ in range(3)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(60)
    assert [process.exitcode for process in processes] == [0, 0, 0]
