"""Durable jobs: steps done once, gone on with after a crash, ended when asked, on both databases."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace

import pytest
from dbos import DBOS
from sqlalchemy import NullPool, create_engine, make_url, text, update
from sqlalchemy.exc import OperationalError

from hstore.errors import InputError, StoreError
from hstore.jobs import EventLevel, JobState
from hstore.records import Access, Scope
from hstore.settings import Settings
from hstore.store.jobs import ALIVE_S, Jobs
from hstore.store.schema import WorkerRow, table_of
from hstore_workflows.jobs import attempt, journal, worker
from hstore_workflows.jobs.identity import take_identity
from hstore_workflows.jobs.journal import journal_path, journal_schema
from hstore_workflows.jobs.start import start_job
from hstore_workflows.jobs.worker import Worker
from tests.workflows.tiny_jobs import TINY, drop_journal

pytestmark = pytest.mark.long

EVERYTHING = Scope(everything=True)
KINDS = {"tiny": TINY}
SCRIPT = Path(__file__).with_name("tiny_jobs.py")
CHAIN = [3, 10, 32, 99]
WAIT_S = 60.0


@pytest.fixture
def home(database_url, tmp_path):
    """Settings of an empty store; the journal in PostgreSQL is dropped afterwards."""
    yield Settings(home=tmp_path / "home", database_url=database_url, data_mirror=None)
    drop_journal(database_url)


@pytest.fixture
def queue(store, home):
    """Queue a tiny job."""

    def add(**parameters):
        return start_job(store, home, KINDS, "tiny", parameters, access=Access()).job_id

    return add


@pytest.fixture
def run(home):
    """Work until nothing is left, in this process."""

    def until_done(name="w1"):
        made = Worker(home, KINDS, name)
        try:
            made.run(once=True)
        finally:
            assert made.close()

    return until_done


@pytest.fixture
def spawn(home):
    """Start worker processes; what is left of them is killed afterwards."""
    started = []

    def process(name):
        environment = {**os.environ, "HSTORE_HOME": str(home.home), "HSTORE_DATABASE_URL": home.database_url}
        started.append(subprocess.Popen([sys.executable, SCRIPT, name], env=environment))
        return started[-1]

    yield process
    for one in started:
        if one.poll() is None:
            one.kill()
        one.wait()


@pytest.fixture
def job(store):
    """Return a job as it is, or wait until it is as wanted."""

    def get(job_id, until=lambda _: True):
        end = time.monotonic() + WAIT_S
        while not until(found := store.jobs.get(job_id, scope=EVERYTHING)):
            assert time.monotonic() < end, found
            time.sleep(0.05)
        return found

    return get


def put_to_sleep(process, database_url):
    """Stop a worker between its transactions: one that sleeps within one keeps what it has locked."""
    engine = create_engine(database_url, poolclass=NullPool)
    end = time.monotonic() + WAIT_S
    process.send_signal(signal.SIGSTOP)
    time.sleep(0.1)  # a server ends what it was asked last
    while _locked(engine):
        process.send_signal(signal.SIGCONT)
        assert time.monotonic() < end, "the worker is always in a transaction"
        time.sleep(0.05)
        process.send_signal(signal.SIGSTOP)
        time.sleep(0.1)


def _locked(engine):
    """Whether a table of the store or of its journal is being written."""
    if engine.dialect.name == "postgresql":
        with engine.connect() as connection:
            schema = connection.scalar(text("SELECT current_schema()"))
            writing = text(
                "SELECT count(*) FROM pg_locks JOIN pg_class ON pg_class.oid = relation "
                "WHERE mode LIKE '%Exclusive%' AND relnamespace::regnamespace::text IN (:store, :journal)"
            )
            return connection.scalar(writing, {"store": schema, "journal": journal_schema(schema)}) > 0
    path = Path(engine.url.database)
    for file in (path, journal_path(path)):
        with closing(sqlite3.connect(file, timeout=0.1, isolation_level=None)) as opened:
            try:
                opened.execute("BEGIN IMMEDIATE")
            except sqlite3.OperationalError:
                return True
            opened.execute("ROLLBACK")
    return False


def lines(store, job_id):
    return [(e.sequence, e.message) for e in store.jobs.events(job_id, scope=EVERYTHING)]


def test_a_job_is_done_step_by_step(store, home, queue, run, job):
    job_id = queue(pieces=2)
    run()
    done = job(job_id)
    assert (done.state, done.result, done.progress, done.attempts) == (JobState.DONE, {"chain": CHAIN[:2]}, 1.0, 1)
    told = [e.message for e in store.jobs.events(job_id, scope=EVERYTHING) if e.level is not EventLevel.INFO]
    assert told == [
        "begin the chain",
        "grow the chain (1 of 2)",
        "grow the chain (2 of 2)",
        "write the chain",
        "done",
    ]
    shares = [e.progress for e in store.jobs.events(job_id, scope=EVERYTHING) if e.progress is not None]
    assert shares == sorted(shares)
    assert (home.jobs_dir / job_id / "files" / "chain.txt").is_file()


@pytest.fixture
def killed(store, queue, spawn, job):
    """Have a worker begin a job of four pieces, and kill it in the middle of one."""

    def begin(name="w1"):
        job_id = queue(pieces=4, seconds=0.3)
        first = spawn(name)
        job(job_id, lambda found: found.progress > 0.45)
        first.kill()
        first.wait()
        assert job(job_id).state is JobState.RUNNING
        return job_id

    return begin


def test_a_job_goes_on_at_its_last_finished_step(store, home, killed, run, job):
    job_id = killed()
    run("w1")  # the same identifier: no waiting for a heartbeat to grow old
    done = job(job_id)
    assert (done.state, done.result, done.attempts) == (JobState.DONE, {"chain": CHAIN}, 1)
    pieces = (home.jobs_dir / job_id / "done.txt").read_text().split()
    assert sorted(set(pieces)) == ["0", "1", "2", "3"]
    assert len(pieces) <= 5  # at most the one that was being done is done again
    numbers, texts = zip(*lines(store, job_id), strict=True)
    assert len(set(numbers)) == len(numbers)
    assert texts.count("growing, part 0") == 4


def test_a_living_worker_takes_over_from_a_dead_one(store, killed, run, job):
    job_id = killed()
    store.jobs.leave("w1")  # as if its heartbeat were old: the test does not wait for that
    run("w2")
    done = job(job_id)
    assert (done.result, done.executor_id, done.attempts) == ({"chain": CHAIN}, "w2", 1)


def test_a_worker_that_lives_keeps_its_job(queue, spawn, run, job):
    job_id = queue(pieces=3, seconds=1.0)
    spawn("w1")
    job(job_id, lambda found: found.state is JobState.RUNNING)
    run("w2")
    assert job(job_id).state is JobState.RUNNING
    assert job(job_id, lambda found: found.state.final).executor_id == "w1"
    assert worker.HEARTBEAT_S * 3 < ALIVE_S


def test_what_was_claimed_and_not_begun_is_not_lost(store, queue, run, job):
    job_id = queue()
    store.jobs.claim("dead")  # and its worker died before it could write into the journal
    run("w2")
    assert (job(job_id).state, job(job_id).attempts, job(job_id).executor_id) == (JobState.DONE, 1, "w2")


def test_a_worker_that_was_asleep_lets_go(store, home, queue, spawn, job):
    job_id = queue(pieces=4, seconds=1.0)
    asleep = spawn("w1")
    job(job_id, lambda found: found.progress > 0.45)
    put_to_sleep(asleep, home.database_url)
    store.jobs.leave("w1")  # as if it had slept for long
    spawn("w2")
    job(job_id, lambda found: found.executor_id == "w2")
    asleep.send_signal(signal.SIGCONT)
    done = job(job_id, lambda found: found.state.final)
    assert (done.state, done.result, done.attempts) == (JobState.DONE, {"chain": CHAIN}, 1)
    assert done.executor_id == "w2"
    following = [queue(pieces=1, seconds=2.0) for _ in range(2)]
    both = [job(name, lambda found: found.state.final) for name in following]
    assert {one.executor_id for one in both} == {"w1", "w2"}, "it takes jobs again"
    assert all(one.result == {"chain": CHAIN[:1]} for one in both)


@pytest.mark.parametrize("name", ["w1", "w2"])
def test_a_job_that_an_older_version_has_begun_is_done_from_its_first_step(
    store, killed, run, job, monkeypatch, name
):
    job_id = killed()
    store.jobs.leave("w1")
    for module in (journal, worker):
        monkeypatch.setattr(module, "VERSION", "next")
    run(name)
    done = job(job_id)
    assert (done.state, done.result, done.attempts) == (JobState.DONE, {"chain": CHAIN}, 2)


def test_a_worker_that_only_the_journal_names_is_not_waited_for(store, killed, run, job):
    """It took a job over, died before it could tell the store, and nobody has heard of it for a week."""
    job_id = killed()
    store.jobs.adopt(job_id, 1, "before")
    long_ago = datetime.now(UTC) - timedelta(days=8)
    with store.database.writing("a test") as connection:
        connection.execute(update(table_of(WorkerRow)).values(heartbeat_at=long_ago))
    run("w2")
    assert (job(job_id).result, job(job_id).attempts) == ({"chain": CHAIN}, 1)


def test_an_attempt_that_breaks_off_in_a_living_worker_goes_on(queue, run, job, monkeypatch):
    """Such as where the disk is full for a while, so that neither store nor journal can be told."""
    broken = []

    class FullError(BaseException):
        pass

    whole = worker.Attempt.run

    def breaking(self):
        if not broken:
            broken.append(self)
            raise FullError
        whole(self)

    monkeypatch.setattr(worker.Attempt, "run", breaking)
    job_id = queue(pieces=1)
    run()
    assert (job(job_id).state, job(job_id).attempts, len(broken)) == (JobState.DONE, 1, 1)


def test_a_store_that_is_away_when_a_job_ends_costs_no_second_attempt(queue, run, job, monkeypatch):
    monkeypatch.setattr(attempt, "_STORE_WAIT_S", 0.01)
    finish, away = Jobs.finish, [1, 2, 3]

    def finishing(*arguments, **fields):
        if away:
            away.pop()
            raise StoreError("the server is restarted")
        return finish(*arguments, **fields)

    monkeypatch.setattr(Jobs, "finish", finishing)
    job_id = queue(pieces=2)
    run()
    done = job(job_id)
    assert (done.state, done.result, done.attempts) == (JobState.DONE, {"chain": CHAIN[:2]}, 1)


def test_a_result_that_cannot_be_kept_ends_the_job(queue, run, job, monkeypatch):
    monkeypatch.setattr(attempt, "_STORE_WAIT_S", 0.01)
    finish = Jobs.finish

    def finishing(*arguments, result=None, **fields):
        if result is not None:
            raise StoreError("a character that the database has no place for")
        return finish(*arguments, result=result, **fields)

    monkeypatch.setattr(Jobs, "finish", finishing)
    job_id = queue(pieces=1)
    run()
    failed = job(job_id)
    assert (failed.state, failed.attempts) == (JobState.FAILED, 1)
    assert "did not take the result" in failed.error


def test_a_library_that_wants_to_exit_ends_the_job_and_not_the_worker(queue, run, job):
    job_id, following = queue(fail_at=1, exits=True), queue(pieces=1)
    run()
    assert job(job_id).state is JobState.FAILED
    assert job(job_id).error.startswith("an unexpected error (SystemExit)")
    assert job(following).state is JobState.DONE


def test_a_worker_that_is_busy_with_itself_is_alive(home, store, monkeypatch):
    """As where it loads the libraries on a busy machine, which takes longer than a worker may be silent."""
    monkeypatch.setattr(worker, "HEARTBEAT_S", 0.05)
    heard = []

    def slowly(*_):
        for _ in range(2):
            heard.extend(one.heartbeat_at for one in store.jobs.workers())
            time.sleep(0.5)
        return []

    monkeypatch.setattr(worker, "seed_predictions", slowly)
    busy = Worker(home, KINDS, "w1", seeds=True)
    try:
        busy.run(once=True)
    finally:
        assert busy.close()
    first, second = heard
    assert second > first
    time.sleep(0.2)
    assert store.jobs.alive() == set(), "it has said goodbye for good"


def test_a_journal_that_is_away_for_a_moment_ends_no_worker(queue, run, job, monkeypatch, caplog):
    monkeypatch.setattr(worker, "_TEND_S", 0.05)
    start, away = Worker._start, [1, 2]

    def starting(self, claimed):
        if away:
            away.pop()
            raise OperationalError("SELECT 1", {}, Exception("the server is restarted"))
        start(self, claimed)

    monkeypatch.setattr(Worker, "_start", starting)
    job_id = queue(pieces=1)
    run()
    assert (job(job_id).state, job(job_id).attempts, away) == (JobState.DONE, 1, [])
    assert "a round of worker w1 failed; trying again" in caplog.text


def test_damaged_models_keep_no_worker_from_its_jobs(home, queue, job, monkeypatch, caplog):
    def damaged(*_):
        raise InputError("the history of a model cannot be read")

    monkeypatch.setattr(worker, "seed_predictions", damaged)
    job_id, seeding = queue(pieces=1), Worker(home, KINDS, "w1", seeds=True)
    try:
        seeding.run(once=True)
    finally:
        assert seeding.close()
    assert job(job_id).state is JobState.DONE
    assert caplog.text.count("cannot be read") == 1


def test_a_lost_journal_costs_time_only(store, home, killed, run, job):
    job_id = killed()
    url = make_url(home.database_url)
    if url.get_backend_name() == "sqlite":
        for path in Path(url.database).parent.glob("*jobs.sqlite*"):
            path.unlink()
    else:
        drop_journal(home.database_url)
    run("w1")
    assert job(job_id).result == {"chain": CHAIN}


def test_an_error_ends_the_job_and_it_can_be_tried_again(store, queue, run, job, caplog):
    job_id = queue(fail_at=1)
    run()
    failed = job(job_id)
    assert (failed.state, failed.result) == (JobState.FAILED, None)
    assert failed.error.startswith("an unexpected error (ValueError)")
    assert "broken on purpose" not in failed.error
    assert "broken on purpose" in caplog.text
    store.jobs.retry(job_id, scope=EVERYTHING)
    run()
    again = job(job_id)
    assert (again.state, again.attempts) == (JobState.FAILED, 2)
    ends = [e for e in store.jobs.events(job_id, scope=EVERYTHING) if e.level is EventLevel.END]
    assert len(ends) == 2


def test_a_running_job_is_cancelled_within_a_step(store, queue, run, job):
    job_id, following = queue(pieces=3, seconds=5.0), queue(pieces=1)

    def cancel():
        job(job_id, lambda found: found.step == "grow")
        store.jobs.request_cancel(job_id, scope=EVERYTHING)

    canceller = threading.Thread(target=cancel)
    canceller.start()
    run()
    canceller.join()
    ended = job(job_id)
    assert ended.state is JobState.CANCELLED
    assert (ended.finished_at - ended.started_at).total_seconds() < 10  # before the end of the second piece
    assert job(following).state is JobState.DONE


def test_a_job_that_is_cancelled_while_its_worker_is_dead_is_not_gone_on_with(store, home, killed, run, job):
    job_id = killed()
    assert store.jobs.request_cancel(job_id, scope=EVERYTHING).state is JobState.RUNNING
    begun = (home.jobs_dir / job_id / "done.txt").read_text()
    store.jobs.leave("w1")
    run("w2")
    assert (job(job_id).state, job(job_id).result) == (JobState.CANCELLED, None)
    assert (home.jobs_dir / job_id / "done.txt").read_text() == begun, "no further piece is done"


def test_a_worker_that_dies_while_it_ends_a_cancelled_job_leaves_it_cancelled(store, queue, run, job, monkeypatch):
    class DeadError(BaseException):
        pass

    finish, deaths = Jobs.finish, []

    def dying(*arguments, **fields):
        if not deaths:
            deaths.append(arguments)
            raise DeadError
        return finish(*arguments, **fields)

    def cancelling(self, *arguments, **fields):
        store.jobs.request_cancel(job_id, scope=EVERYTHING)
        return report(self, *arguments, **fields)

    job_id, report = queue(), Jobs.report
    monkeypatch.setattr(Jobs, "finish", dying)
    monkeypatch.setattr(Jobs, "report", cancelling)
    run()
    assert (job(job_id).state, job(job_id).attempts, len(deaths)) == (JobState.CANCELLED, 1, 1)
    ends = [e.message for e in store.jobs.events(job_id, scope=EVERYTHING) if e.level is EventLevel.END]
    assert ends == ["cancelled: begin the chain"]


def test_sigterm_leaves_a_long_step_to_the_next_worker(queue, spawn, run, job):
    job_id = queue(pieces=2, seconds=2.0)
    first = spawn("w1")
    job(job_id, lambda found: found.step == "grow")
    first.terminate()
    assert first.wait(20) == 0
    assert job(job_id).state is JobState.RUNNING
    run("w2")  # at once: the first said goodbye
    done = job(job_id)
    assert (done.result, done.executor_id) == ({"chain": CHAIN[:2]}, "w2")


def test_a_job_that_takes_worker_after_worker_with_it_is_given_up(queue, spawn, job, monkeypatch):
    monkeypatch.setenv("TINY_MAX_DEATHS", "2")
    job_id, following = queue(fail_at=0, kills=True), queue(pieces=1)
    deaths = 0
    while not job(job_id).state.final:
        one = spawn("w1")
        job(job_id, lambda found, one=one: found.state.final or one.poll() is not None)
        deaths += one.poll() is not None
    assert (job(job_id).state, deaths) == (JobState.FAILED, 2)
    assert "given up after 2 workers died" in job(job_id).error
    assert job(following, lambda found: found.state.final).state is JobState.DONE


def test_a_job_of_an_unknown_kind_fails_and_says_so(store, home, run, job):
    job_id = store.jobs.create("other", {}, access=Access()).job_id
    run()
    assert "unknown kind of job 'other'" in job(job_id).error


@pytest.mark.parametrize(
    ("kept", "state", "attempts"),
    [("MAX_RECOVERY_ATTEMPTS_EXCEEDED", JobState.FAILED, 1), ("SUCCESS", JobState.DONE, 2)],
)
def test_what_the_journal_has_ended_is_ended(store, queue, run, job, monkeypatch, kept, state, attempts):
    """A job that took too many workers with it is given up; one whose end the store has missed is done again."""
    monkeypatch.setattr(DBOS, "get_workflow_status", lambda _: SimpleNamespace(status=kept))
    job_id = queue()
    store.jobs.claim("dead")
    run("w2")
    ended = job(job_id)
    assert (ended.state, ended.attempts) == (state, attempts)
    assert ("given up after 20 workers" in ended.error) == (state is JobState.FAILED)


def test_lines_hide_folders_and_control_characters(home, store, queue):
    home = home.model_copy(update={"data_mirror": Path("/srv/mirror")})
    one = attempt.Attempt(store.jobs.get(queue(), scope=EVERYTHING), KINDS, home, store, "w", attempt.Stopping())
    assert one.cleaned(f"read {home.home}/models/x\nand /srv/mirror/y") == (
        "read HSTORE_HOME/models/x and HSTORE_DATA_MIRROR/y"
    )
    assert len(one.cleaned("x" * 1000)) == 500


def test_a_step_writes_only_so_many_lines(store, queue, run, monkeypatch):
    monkeypatch.setattr(attempt, "MAX_LINES", 2)
    job_id = queue(pieces=1)
    run()
    told = [message for _, message in lines(store, job_id)]
    assert told[2:5] == ["grow the chain", "growing, part 0", "more lines than 2 are left out"]


def test_an_identifier_has_one_process(tmp_path):
    first = take_identity(tmp_path, "lab-1")
    with pytest.raises(InputError, match="running already"):
        take_identity(tmp_path, "lab-1")
    first.release()
    take_identity(tmp_path, "lab-1").release()
    with pytest.raises(InputError, match="letters"):
        take_identity(tmp_path, "../lab")
    one, two = take_identity(tmp_path), take_identity(tmp_path)
    assert (one.executor_id[-2:], two.executor_id[-2:]) == ("-1", "-2")
    one.release()
    again = take_identity(tmp_path)
    assert again.executor_id == one.executor_id
    again.release()
    two.release()


def test_the_journal_lies_beside_the_store():
    assert journal_path(Path("/data/hstore.sqlite")) == Path("/data/jobs.sqlite")
    assert journal_path(Path("/data/other.sqlite")) == Path("/data/other.jobs.sqlite")
