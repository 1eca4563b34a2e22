"""Jobs in the store: who sees them, who gets them next, and which changes of state are possible."""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import update

from hstore.errors import InputError, UnknownNameError
from hstore.jobs import EventLevel, JobState, event_sequence, last_sequence
from hstore.records import PUBLIC_SCOPE, Access, Scope
from hstore.store import jobs as store_jobs
from hstore.store import open_store
from hstore.store.schema import JobRow, WorkerRow, table_of

EVERYTHING = Scope(everything=True)
NORTH, SOUTH = Scope(lab_id="north"), Scope(lab_id="south")


@pytest.fixture
def queue(store, build):
    """Queue a job of a lab, or of the operator."""

    def add(lab=None, **fields):
        access = build.of(lab) if lab else Access()
        return store.jobs.create("screen", {"target": "onboard"}, access=access, **fields)

    return add


def test_a_job_round_trips(store, queue):
    job = queue("north", key_id="k1")
    assert (job.state, job.progress, job.attempts, job.result) == (JobState.QUEUED, 0.0, 0, None)
    assert job.parameters == {"target": "onboard"}
    assert store.jobs.get(job.job_id, scope=NORTH) == job
    assert job.created_at.tzinfo is not None


def test_a_job_of_a_lab_does_not_exist_for_others(store, queue):
    job = queue("north")
    store.jobs.add_event(job.job_id, 1, "secret")
    for scope in (SOUTH, PUBLIC_SCOPE):
        assert store.jobs.get(job.job_id, scope=scope) is None
        assert store.jobs.list(scope=scope) == []
        assert store.jobs.events(job.job_id, scope=scope) == []
        assert store.jobs.request_cancel(job.job_id, scope=scope) is None
        with pytest.raises(UnknownNameError):
            store.jobs.retry(job.job_id, scope=scope)
        with pytest.raises(UnknownNameError):
            store.jobs.list(scope=scope, before=job.job_id)
    assert store.jobs.get(job.job_id, scope=NORTH).state is JobState.QUEUED


def test_pages_run_from_the_newest_to_the_oldest(store, queue):
    made = [queue("north").job_id for _ in range(5)]
    seen, before = [], None
    while page := store.jobs.list(scope=NORTH, limit=2, before=before):
        seen += [job.job_id for job in page]
        before = seen[-1]
    assert sorted(seen) == sorted(made)
    times = [store.jobs.get(name, scope=NORTH).created_at for name in seen]
    assert times == sorted(times, reverse=True)


def test_lists_are_filtered(store, queue):
    queue()
    store.jobs.create("train", {}, access=Access())
    store.jobs.claim("w")
    assert [job.kind for job in store.jobs.list(scope=EVERYTHING, kind="train")] == ["train"]
    assert len(store.jobs.list(scope=EVERYTHING, state=JobState.RUNNING)) == 1


def test_an_identifier_of_ones_own_is_taken_once(store, queue):
    first = queue(job_id="seed-1")
    store.jobs.claim("w")
    again = queue(job_id="seed-1")
    assert (again.created_at, again.state) == (first.created_at, JobState.RUNNING)


def test_a_claimed_job_is_nobody_elses(store, queue):
    queue()
    claimed = store.jobs.claim("w1")
    assert (claimed.state, claimed.attempts, claimed.executor_id) == (JobState.RUNNING, 1, "w1")
    assert store.jobs.claim("w2") is None


def test_many_workers_claim_every_job_once(database_url, store, queue):
    made = {queue("north").job_id for _ in range(12)}
    claimed = []

    def work(name):
        with open_store(database_url) as own:
            while job := own.jobs.claim(name):
                claimed.append(job.job_id)

    threads = [threading.Thread(target=work, args=(f"w{i}",)) for i in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(claimed) == 12
    assert set(claimed) == made


def test_a_worker_whom_others_forestall_takes_what_is_left(store, queue, monkeypatch):
    """Two jobs of one owner: the first is gone by the time it is asked for, as happens on PostgreSQL."""
    first, second = queue("north").job_id, queue("north").job_id
    begin = store_jobs._begin

    def forestalled(connection, job_id, executor_id):
        if job_id == first:
            begin(connection, job_id, "quicker")
        return begin(connection, job_id, executor_id)

    monkeypatch.setattr(store_jobs, "_begin", forestalled)
    assert store.jobs.claim("w").job_id == second
    assert store.jobs.get(first, scope=NORTH).executor_id == "quicker"
    assert store.jobs.claim("w") is None


def test_labs_take_turns_and_the_operator_comes_last(store, queue):
    operators = queue()
    north = [queue("north").job_id for _ in range(3)]
    south = queue("south")
    order = [store.jobs.claim("w").job_id for _ in range(5)]
    assert order == [north[0], south.job_id, north[1], north[2], operators.job_id]


def test_only_the_running_attempt_of_the_right_worker_reports(store, queue):
    job_id = queue("north").job_id
    assert store.jobs.report(job_id, 1, "w1", step="a", progress=0.1) is None
    store.jobs.claim("w1")
    assert store.jobs.report(job_id, 1, "w1", step="a", progress=0.1) is False
    assert store.jobs.report(job_id, 1, "w2", step="a", progress=0.2) is None
    assert store.jobs.report(job_id, 2, "w1", step="a", progress=0.2) is None
    assert store.jobs.adopt(job_id, 1, "w2").executor_id == "w2"
    assert store.jobs.report(job_id, 1, "w1", step="a", progress=0.3) is None
    assert store.jobs.adopt(job_id, 1, "w3", instead_of="w1") is None
    assert store.jobs.get(job_id, scope=NORTH).progress == 0.1


def test_an_attempt_ends_once(store, queue):
    job_id = queue("north").job_id
    store.jobs.claim("w")
    assert store.jobs.finish(job_id, 1, JobState.DONE, result={"n": 1}, message="done")
    assert not store.jobs.finish(job_id, 1, JobState.FAILED, error="late")
    job = store.jobs.get(job_id, scope=NORTH)
    assert (job.state, job.result, job.error, job.progress) == (JobState.DONE, {"n": 1}, "", 1.0)
    assert job.finished_at is not None
    (line,) = store.jobs.events(job_id, scope=NORTH)
    assert (line.sequence, line.level, line.message) == (last_sequence(1), EventLevel.END, "done")
    with pytest.raises(InputError, match="done"):
        store.jobs.retry(job_id, scope=NORTH)
    assert store.jobs.request_cancel(job_id, scope=NORTH).state is JobState.DONE


def test_a_queued_job_is_cancelled_at_once_and_can_be_tried_again(store, queue):
    job_id = queue("north").job_id
    cancelled = store.jobs.request_cancel(job_id, scope=NORTH)
    assert (cancelled.state, cancelled.cancel_requested) == (JobState.CANCELLED, True)
    assert store.jobs.claim("w") is None
    again = store.jobs.retry(job_id, scope=NORTH)
    assert (again.state, again.cancel_requested, again.finished_at) == (JobState.QUEUED, False, None)
    claimed = store.jobs.claim("w")
    store.jobs.finish(job_id, claimed.attempts, JobState.FAILED, error="broke")
    ends = [e.message for e in store.jobs.events(job_id, scope=NORTH) if e.level is EventLevel.END]
    assert ends == ["cancelled before it began", "broke"]


def test_a_running_job_hears_that_it_is_to_end(store, queue):
    job_id = queue("north").job_id
    store.jobs.claim("w")
    assert store.jobs.request_cancel(job_id, scope=NORTH).state is JobState.RUNNING
    assert store.jobs.report(job_id, 1, "w", step="a", progress=0.5) is True


def test_a_line_is_written_once(store, queue):
    job_id = queue("north").job_id
    for text in ("first", "again"):
        store.jobs.add_event(job_id, event_sequence(1, 0, 0), text, progress=0.1)
    store.jobs.add_event(job_id, event_sequence(1, 1, 0), "second")
    assert [line.message for line in store.jobs.events(job_id, scope=NORTH)] == ["first", "second"]
    after = store.jobs.events(job_id, scope=NORTH, after=event_sequence(1, 0, 0))
    assert [line.message for line in after] == ["second"]


def test_numbers_of_lines_grow_with_attempt_step_and_line():
    places = [(1, 0, 0), (1, 0, 1), (1, 1, 0), (1, 90_000, 99_999_999), (2, 0, 0)]
    numbers = [event_sequence(*place) for place in places]
    assert numbers == sorted(set(numbers))
    assert numbers[3] < last_sequence(1) < numbers[4]


def test_a_key_has_a_limit_even_where_requests_race(database_url, store, queue):
    barrier, answers = threading.Barrier(4), []

    def ask():
        with open_store(database_url) as own:
            barrier.wait()
            answers.append(own.jobs.create("screen", {}, access=Access(), key_id="k", most_open=2))

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(answer is not None for answer in answers) == 2
    assert store.jobs.count_open("k") == 2
    assert queue(key_id="other", most_open=1) is not None


def test_trying_again_counts_against_the_limit(store, queue):
    first = queue("north", key_id="k", most_open=1)
    store.jobs.request_cancel(first.job_id, scope=NORTH)
    queue("north", key_id="k", most_open=1)
    assert store.jobs.retry(first.job_id, scope=NORTH, most_open=1) is None


def test_a_worker_is_alive_while_it_is_heard_of(store):
    now = datetime.now(UTC)
    for name in ("w1", "w2", "w3"):
        store.jobs.beat(name, host="here", pid=1, started_at=now)
    store.jobs.leave("w2")
    long_ago = update(table_of(WorkerRow)).where(table_of(WorkerRow).c.executor_id == "w3")
    with store.database.writing("a test") as connection:
        connection.execute(long_ago.values(heartbeat_at=now - timedelta(minutes=1)))
    assert set(store.jobs.alive()) == {"w1"}
    assert [worker.executor_id for worker in store.jobs.workers()] == ["w1", "w2", "w3"]


@pytest.mark.postgres
@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
def test_a_worker_whose_clock_is_late_is_alive(store, monkeypatch):
    class Late(datetime):
        @classmethod
        def now(cls, tz=None):
            return datetime.now(tz) - timedelta(minutes=5)

    with monkeypatch.context() as late:
        late.setattr(store_jobs, "datetime", Late)
        store.jobs.beat("late", host="there", pid=1, started_at=datetime.now(UTC))
    assert store.jobs.alive() == {"late"}


def test_what_no_worker_knows_of_is_queued_again(store, queue):
    job_id = queue("north").job_id
    store.jobs.claim("w")
    assert [job.job_id for job in store.jobs.running()] == [job_id]
    assert store.jobs.requeue(job_id, 1)
    assert not store.jobs.requeue(job_id, 1)
    assert store.jobs.claim("w").attempts == 2


def test_a_row_changed_by_hand_is_named(store, queue):
    from hstore.errors import StoreError

    job_id = queue("north").job_id
    with store.database.writing("a test") as connection:
        connection.execute(update(table_of(JobRow)).values(state="lost"))
    with pytest.raises(StoreError, match="jobs was changed outside hstore"):
        store.jobs.get(job_id, scope=NORTH)
