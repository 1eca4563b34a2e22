"""A worker: takes queued jobs one at a time, and what workers that died have left."""

from __future__ import annotations

import logging
import os
import socket
import threading
import time
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from hstore.errors import HstoreError, StoreError
from hstore.jobs import JobState
from hstore.store import open_store
from hstore_workflows.jobs.attempt import Attempt, LostError, Stopping, patiently
from hstore_workflows.jobs.journal import VERSION, journal_config, take_over_logging
from hstore_workflows.jobs.seed import seed_predictions

if TYPE_CHECKING:
    from collections.abc import Collection

    from hstore.jobs import Job
    from hstore.settings import Settings
    from hstore_workflows.jobs.kind import Kinds

HEARTBEAT_S = 2.0
"""Time between signs of life, s; a fraction of :data:`hstore.store.jobs.ALIVE_S`."""

MAX_DEATHS = 20
"""A job that has taken so many workers with it is given up."""

_WORKFLOW = "hstore_job"
_POLL_S = 0.3
_TEND_S = 3.0
_TIDY_S = 60.0
_LONG_DEAD = timedelta(days=7)
_GIVEN_UP = "MAX_RECOVERY_ATTEMPTS_EXCEEDED"
_OVER = ("SUCCESS", "ERROR", _GIVEN_UP)
_log = logging.getLogger(__name__)


class Worker:
    """One worker of one store; a process has one at a time, for DBOS is one for a process."""

    def __init__(self, settings: Settings, kinds: Kinds, executor_id: str, *, seeds: bool = False) -> None:
        """Open the store.

        Args:
            settings: where store, models and data are.
            kinds: what it can do.
            executor_id: identifier that no other process has.
            seeds: whether it queues predictions for the candidates of a new store.

        Raises:
            StoreError: the store cannot be opened.
        """
        self._seeds = seeds
        self._settings = settings
        self._kinds = kinds
        self._executor_id = executor_id
        self._store = open_store(settings.store_url)
        self._stopping = Stopping()
        self._active: set[str] = set()
        self._broken_off: set[str] = set()
        self._turn = threading.Lock()
        self._started_at = datetime.now(UTC)
        self._due: dict[str, float] = {}
        self._workflow: Any = None
        self._closed = threading.Event()
        # Apart from the rounds: loading a library on a busy machine takes longer than a worker may be silent.
        self._heart = threading.Thread(target=self._keep_beating, name="hstore-heartbeat", daemon=True)

    def stop(self) -> None:
        """Tell it to stop: the step at hand ends or is left to be repeated, and no other begins."""
        self._stopping.told.set()

    def run(self, *, once: bool = False) -> None:
        """Work until :meth:`stop`; with ``once`` only until nothing is left to do."""
        self._launch()
        _log.info("worker %s is ready", self._executor_id)
        while not self._stopping.told.is_set():
            idle, wait_s = False, _POLL_S
            try:
                idle = self._round()
            except StoreError as error:
                _log.warning("%s; trying again", error)
            except Exception:  # noqa: BLE001 - such as a journal that is away; the job at hand must not end with it
                _log.exception("a round of worker %s failed; trying again", self._executor_id)
                wait_s = _TEND_S
            if once and idle:
                return
            self._stopping.told.wait(wait_s)

    def close(self, *, grace_s: float = 0.0) -> bool:
        """Give back the journal and the store, after waiting for the step at hand.

        Args:
            grace_s: how long to wait for it, s.

        Returns:
            Whether nothing is left in this process; else it has to be ended with :func:`os._exit`, and what is
            left is gone on with by the next worker.
        """
        from dbos import DBOS

        end = time.monotonic() + grace_s
        while self._active - self._stopping.parked and time.monotonic() < end:
            time.sleep(0.05)
        self._closed.set()
        if self._heart.is_alive():
            self._heart.join(HEARTBEAT_S)  # it would take back the goodbye
        try:
            self._store.jobs.leave(self._executor_id)
        except StoreError as error:  # then others wait until the heartbeat is old
            _log.warning("%s", error)
        if self._active:
            return False
        DBOS.destroy(destroy_registry=True)
        self._store.close()
        return True

    def _launch(self) -> None:
        from dbos import DBOS

        self._beat()
        self._heart.start()
        DBOS(config=journal_config(self._store, self._executor_id))
        take_over_logging()

        @DBOS.workflow(name=_WORKFLOW, max_recovery_attempts=MAX_DEATHS - 1)
        def job(job_id: str, attempt: int) -> None:
            self._attempt(job_id, attempt)

        self._workflow = job
        DBOS.launch()

    def _attempt(self, job_id: str, attempt: int) -> None:
        """Be the workflow: an attempt at a job, which DBOS calls again in whichever worker goes on with it."""
        self._active.add(job_id)
        self._broken_off.discard(job_id)
        try:
            with self._turn:  # one at a time: the libraries beneath are not made for several
                if self._stopping.told.is_set():
                    self._stopping.park(job_id)
                adopt = self._store.jobs.adopt
                job = patiently(lambda: adopt(job_id, attempt, self._executor_id), job_id)
                if job is not None:
                    self._run(job)
        except BaseException:  # also what is no Exception, such as an exit; it goes on behind this
            self._broken_off.add(job_id)  # for where the journal cannot note it either
            raise
        finally:
            self._active.discard(job_id)

    def _run(self, job: Job) -> None:
        _log.info("job %s (%s): attempt %d", job.job_id, job.kind, job.attempts)
        attempt = Attempt(job, self._kinds, self._settings, self._store, self._executor_id, self._stopping)
        try:
            attempt.run()
        except LostError:
            _log.warning("job %s was taken over by another worker", job.job_id)
        except StoreError:
            raise  # the journal keeps the error, and the job is queued again when the store is back
        except Exception:  # noqa: BLE001 - whatever goes wrong ends the job, not the worker
            _log.exception("job %s failed", job.job_id)
            said = "an unexpected error; tell the operator the identifier of the job"
            self._store.jobs.finish(job.job_id, job.attempts, JobState.FAILED, error=said)

    def _round(self) -> bool:
        """Do what is due; tell whether there is nothing to do."""
        if self._is_due("tend", _TEND_S):
            self._tend()
        if self._is_due("tidy", _TIDY_S):
            self._tidy()
        if self._active:
            return False
        job = self._store.jobs.claim(self._executor_id)
        if job is None:
            others = {*self._store.jobs.alive()} - {self._executor_id}
            return all(left.executor_id in others for left in self._store.jobs.running())
        self._start(job)
        return False

    def _start(self, job: Job) -> None:
        """Begin an attempt; one that is in the journal already is left to it."""
        from dbos import DBOS, SetWorkflowID

        with SetWorkflowID(_workflow_id(job)):
            DBOS.start_workflow(self._workflow, job.job_id, job.attempts)

    def _tend(self) -> None:
        """Take over from workers that died, and begin again what no journal knows."""
        if self._seeds:
            self._seed()
        dead = self._dead()
        if dead:
            _recover(dead)
        for job in self._store.jobs.running():
            if job.executor_id in dead or (
                job.executor_id == self._executor_id and job.job_id not in self._active
            ):
                self._look_after(job)

    def _look_after(self, job: Job) -> None:
        """See to it that a job goes on which is noted as running, and which no worker that is alive is doing."""
        from dbos import DBOS

        status = DBOS.get_workflow_status(_workflow_id(job))
        jobs = self._store.jobs
        if status is None:  # its worker died between claiming and beginning it, or the journal is lost
            if jobs.adopt(job.job_id, job.attempts, self._executor_id, instead_of=job.executor_id):
                _log.info("job %s of worker %s is begun again", job.job_id, job.executor_id)
                self._start(job)
        elif status.status == _GIVEN_UP:
            said = f"given up after {MAX_DEATHS} workers died while they did it; tell the operator its identifier"
            jobs.finish(job.job_id, job.attempts, JobState.FAILED, error=said)
        elif status.status in _OVER:
            if job.job_id not in self._active:
                # the store did not hear of its end: it was restored from a copy, or was away
                jobs.requeue(job.job_id, job.attempts)
        elif status.app_version != VERSION:  # no worker of this version goes on with its steps
            _log.info("job %s was begun by an earlier version and is queued again", job.job_id)
            if jobs.requeue(job.job_id, job.attempts):
                DBOS.delete_workflow(_workflow_id(job))
        elif status.status == "PENDING":
            self._take_up(job, str(status.executor_id))

    def _take_up(self, job: Job, holder: str) -> None:
        """Go on with a job that the journal holds as being done, where nobody is doing it.

        Args:
            job: the job.
            holder: worker that the journal names; it can be another one than the store does, where it died
                before it could tell the store.
        """
        from dbos import DBOS

        if holder == self._executor_id:
            if job.job_id in self._broken_off:  # neither store nor journal could be told, such as of a full disk
                self._broken_off.discard(job.job_id)
                DBOS.resume_workflow(_workflow_id(job))
        elif holder not in self._store.jobs.alive():
            _recover([holder])

    def _seed(self) -> None:
        try:
            self._seeds = seed_predictions(self._store, self._settings, self._kinds) is None
        except StoreError:
            raise
        except HstoreError as error:  # such as damaged models, which are no reason to leave all other jobs
            self._seeds = False
            _log.warning("no predictions are queued for the candidates of the store: %s", error)

    def _dead(self) -> Collection[str]:
        """Return the identifiers of workers that may have left something."""
        alive = {*self._store.jobs.alive(), self._executor_id}
        recent = datetime.now(UTC) - _LONG_DEAD
        known = {worker.executor_id for worker in self._store.jobs.workers() if worker.heartbeat_at > recent}
        return (known | {job.executor_id for job in self._store.jobs.running()}) - alive

    def _tidy(self) -> None:
        """Delete what the journal keeps of attempts that are over; the store has what came of them."""
        from dbos import DBOS

        going = {_workflow_id(job) for job in self._store.jobs.running()}
        listed = DBOS.list_workflows(
            status=list(_OVER), name=_WORKFLOW, limit=500, load_input=False, load_output=False
        )
        over = [found.workflow_id for found in listed if found.workflow_id not in going]
        if over:
            DBOS.delete_workflows(over)

    def _beat(self) -> None:
        self._store.jobs.beat(
            self._executor_id, host=socket.gethostname(), pid=os.getpid(), started_at=self._started_at
        )

    def _keep_beating(self) -> None:
        while not self._closed.wait(HEARTBEAT_S):
            try:
                self._beat()
            except StoreError as error:
                _log.warning("%s; trying again", error)

    def _is_due(self, what: str, every_s: float) -> bool:
        now = time.monotonic()
        if now < self._due.get(what, 0.0):
            return False
        self._due[what] = now + every_s
        return True


def _recover(executor_ids: Collection[str]) -> None:
    """Let any worker go on with what the journal holds as being done by workers that are dead."""
    from dbos import DBOS

    # What the service of DBOS itself calls.
    DBOS._recover_pending_workflows(sorted(executor_ids))  # noqa: SLF001 - nothing public takes identifiers


def _workflow_id(job: Job) -> str:
    return f"{job.job_id}.{job.attempts}"
