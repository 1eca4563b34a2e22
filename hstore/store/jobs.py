"""Jobs of one store: accepted by whoever may, claimed by workers, each change of state only from the right one."""

from __future__ import annotations

import secrets
from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from sqlalchemy import and_, func, or_, select, update
from sqlalchemy.dialects import postgresql, sqlite

from hstore.errors import InputError, UnknownNameError
from hstore.jobs import EventLevel, Job, JobEvent, JobState, Worker, last_sequence
from hstore.records import Access, Visibility
from hstore.store.queries import visible
from hstore.store.schema import JobEventRow, JobRow, WorkerRow, table_of

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from sqlalchemy import Connection

    from hstore.records import Scope
    from hstore.store.database import Database

ALIVE_S = 15.0
"""A worker that has not been heard of for so long is taken for dead, s."""

_OPEN = (JobState.QUEUED.value, JobState.RUNNING.value)
_NEVER = datetime(1970, 1, 1, tzinfo=UTC)
_jobs = table_of(JobRow)
_events = table_of(JobEventRow)
_workers = table_of(WorkerRow)


class Jobs:
    """The jobs, their logs, and the workers."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def create(
        self,
        kind: str,
        parameters: dict[str, Any],
        *,
        access: Access,
        key_id: str | None = None,
        most_open: int | None = None,
        job_id: str | None = None,
    ) -> Job | None:
        """Accept a job; once this returns, some worker will begin it.

        Args:
            kind: what is to be done.
            parameters: what is asked, as plain JSON, checked by the kind.
            access: whose it is.
            key_id: key that asks.
            most_open: jobs its key may have queued or running, this one included; None for any number.
            job_id: identifier of the operator's own choice, for jobs that are to be there once; drawn when None.

        Returns:
            The job; None where the key has too many open. A job of the same ``job_id`` is returned as it is.
        """
        name = job_id or f"job-{secrets.token_hex(8)}"
        values = {
            "job_id": name,
            "kind": kind,
            "parameters": parameters,
            "state": JobState.QUEUED.value,
            "created_at": datetime.now(UTC),
            "key_id": key_id,
            "lab_id": access.lab_id,
            "visibility": access.visibility.value,
            "embargo_until": access.embargo_until,
            **_FRESH,
            "attempts": 0,
            "executor_id": "",
        }
        with self._database.writing("a job") as connection:
            if not _has_room(connection, key_id, most_open):
                return None
            statement = _dialect_insert(connection)(_jobs).values(values)
            connection.execute(statement.on_conflict_do_nothing(index_elements=["job_id"]))
        return self._get(name)

    def get(self, job_id: str, *, scope: Scope) -> Job | None:
        """Return a job, or None where the scope sees none."""
        statement = select(JobRow).where(visible(JobRow, scope), JobRow.job_id == job_id)
        with self._database.session("jobs") as session:
            row = session.scalar(statement)
            return None if row is None else _job(row)

    def list(
        self,
        *,
        scope: Scope,
        state: JobState | None = None,
        kind: str | None = None,
        limit: int = 50,
        before: str | None = None,
    ) -> list[Job]:
        """Return jobs, newest first.

        Args:
            scope: in whose name.
            state: only those in this state.
            kind: only those of this kind.
            limit: at most so many.
            before: last ``job_id`` of the page before.

        Raises:
            UnknownNameError: the scope sees no job ``before``.
        """
        statement = select(JobRow).where(visible(JobRow, scope))
        if state is not None:
            statement = statement.where(JobRow.state == state.value)
        if kind is not None:
            statement = statement.where(JobRow.kind == kind)
        if before is not None:
            last = self.get(before, scope=scope)
            if last is None:
                raise UnknownNameError(f"no job {before!r} to list from; begin again without it")
            same = and_(JobRow.created_at == last.created_at, JobRow.job_id < last.job_id)
            statement = statement.where(or_(JobRow.created_at < last.created_at, same))
        newest = statement.order_by(JobRow.created_at.desc(), JobRow.job_id.desc()).limit(limit)
        with self._database.session("jobs") as session:
            return [_job(row) for row in session.scalars(newest)]

    def events(self, job_id: str, *, scope: Scope, after: int = 0, limit: int = 1000) -> Sequence[JobEvent]:
        """Return lines of the log of a job in order; none where the scope sees no such job.

        Args:
            job_id: which job.
            scope: in whose name.
            after: number of the last line known.
            limit: at most so many.
        """
        statement = (
            select(JobEventRow)
            .join(JobRow, JobRow.job_id == JobEventRow.job_id)
            .where(visible(JobRow, scope), JobRow.job_id == job_id, JobEventRow.sequence > after)
            .order_by(JobEventRow.sequence)
            .limit(limit)
        )
        with self._database.session("job_events") as session:
            return [
                JobEvent(**{name: getattr(row, name) for name in JobEvent.model_fields})
                for row in session.scalars(statement)
            ]

    def add_event(
        self,
        job_id: str,
        sequence: int,
        message: str,
        *,
        level: EventLevel = EventLevel.INFO,
        progress: float | None = None,
    ) -> None:
        """Write a line into the log of a job; a number that is taken stays as it is."""
        with self._database.writing("the log of a job") as connection:
            _add_event(connection, job_id, sequence, message, level=level, progress=progress)

    def request_cancel(self, job_id: str, *, scope: Scope) -> Job | None:
        """Ask for the end of a job: one that is queued ends at once, one that runs when its worker sees it.

        One that has ended stays as it is.

        Returns:
            The job as it is now; None where the scope sees none.
        """
        if self.get(job_id, scope=scope) is None:
            return None
        ended = {
            "state": JobState.CANCELLED.value,
            "finished_at": datetime.now(UTC),
            "cancel_requested": True,
            "attempts": _jobs.c.attempts + 1,
        }
        with self._database.writing("a job") as connection:
            mine = _jobs.c.job_id == job_id
            found = update(_jobs).where(mine, _jobs.c.state == JobState.QUEUED.value).values(ended)
            attempt = connection.scalar(found.returning(_jobs.c.attempts))
            if attempt is not None:
                told = "cancelled before it began"
                _add_event(connection, job_id, last_sequence(int(attempt)), told, level=EventLevel.END)
            running = _jobs.c.state == JobState.RUNNING.value
            connection.execute(update(_jobs).where(mine, running).values(cancel_requested=True))
        return self._get(job_id)

    def retry(self, job_id: str, *, scope: Scope, most_open: int | None = None) -> Job | None:
        """Queue a job that failed or was cancelled once more, as its next attempt under the same identifier.

        Args:
            job_id: which job.
            scope: in whose name.
            most_open: jobs the key of this job may have queued or running, this one included.

        Returns:
            The job; None where its key has too many open.

        Raises:
            UnknownNameError: the scope sees no such job.
            InputError: it is queued, running or done.
        """
        job = self.get(job_id, scope=scope)
        if job is None:
            raise UnknownNameError(f"no job {job_id!r}")
        over = (JobState.FAILED.value, JobState.CANCELLED.value)
        with self._database.writing("a job") as connection:
            if not _has_room(connection, job.key_id, most_open):
                return None
            again = {"state": JobState.QUEUED.value, **_FRESH}
            statement = update(_jobs).where(_jobs.c.job_id == job_id, _jobs.c.state.in_(over))
            changed = connection.execute(statement.values(again)).rowcount
        if not changed:
            raise InputError(f"job {job_id!r} is {job.state}; only a failed or cancelled job can be tried again")
        return self._get(job_id)

    def count_open(self, key_id: str | None) -> int:
        """Return how many jobs of a key are queued or running."""
        with self._database.connected("count jobs in") as connection:
            return _count_open(connection, key_id)

    def claim(self, executor_id: str) -> Job | None:
        """Give a worker the next queued job: of the owner with the fewest running, then the longest unserved.

        Jobs of the operator come after those of labs and other keys.

        Returns:
            The job; None where none is queued.
        """
        with self._database.writing("a job") as connection:
            while turn := _in_turn(connection):  # again where others were quicker with all of these (PostgreSQL)
                job_id = next((name for name in turn if _begin(connection, name, executor_id)), None)
                if job_id is not None:
                    break
            else:
                return None
        return self._get(job_id)

    def adopt(self, job_id: str, attempt: int, executor_id: str, *, instead_of: str | None = None) -> Job | None:
        """Note which worker has an attempt that is running.

        Args:
            job_id: which job.
            attempt: attempt that is to be running.
            executor_id: worker that goes on with it.
            instead_of: worker that must still be noted; any when None.

        Returns:
            The job; None where the attempt is over, or another worker was quicker.
        """
        statement = _running(job_id, attempt)
        if instead_of is not None:
            statement = statement.where(_jobs.c.executor_id == instead_of)
        with self._database.writing("a job") as connection:
            if not connection.execute(statement.values(executor_id=executor_id)).rowcount:
                return None
        return self._get(job_id)

    def report(
        self, job_id: str, attempt: int, executor_id: str, *, step: str, progress: float | None
    ) -> bool | None:
        """Note how far an attempt is; a progress of None leaves the last one.

        Returns:
            Whether somebody asked for its end; None where it is over or another worker has it.
        """
        statement = _running(job_id, attempt).where(_jobs.c.executor_id == executor_id)
        with self._database.writing("a job") as connection:
            values = {"step": step} if progress is None else {"step": step, "progress": progress}
            wanted = connection.scalar(statement.values(values).returning(_jobs.c.cancel_requested))
        return None if wanted is None else bool(wanted)

    def finish(
        self,
        job_id: str,
        attempt: int,
        state: JobState,
        *,
        result: dict[str, Any] | None = None,
        error: str = "",
        message: str = "",
    ) -> bool:
        """End an attempt, with the last line of its log; an attempt that is over stays as it is.

        Returns:
            Whether this ended it.
        """
        values: dict[str, Any] = {
            "state": state.value,
            "finished_at": datetime.now(UTC),
            "result": result,
            "error": error,
        }
        if state is JobState.DONE:
            values["progress"] = 1.0
        with self._database.writing("a job") as connection:
            ended = bool(connection.execute(_running(job_id, attempt).values(values)).rowcount)
            if ended:
                _add_event(
                    connection,
                    job_id,
                    last_sequence(attempt),
                    message or error or state.value,
                    level=EventLevel.END,
                    progress=values.get("progress"),
                )
        return ended

    def requeue(self, job_id: str, attempt: int) -> bool:
        """Queue an attempt that is noted as running but of which no worker knows; it counts as begun."""
        again = {"state": JobState.QUEUED.value, "progress": 0.0, "step": "", "started_at": None}
        with self._database.writing("a job") as connection:
            return bool(connection.execute(_running(job_id, attempt).values(again)).rowcount)

    def running(self) -> Sequence[Job]:
        """Return all jobs that are noted as running, oldest first; for workers."""
        statement = select(JobRow).where(JobRow.state == JobState.RUNNING.value).order_by(JobRow.created_at)
        with self._database.session("jobs") as session:
            return [_job(row) for row in session.scalars(statement)]

    def beat(self, executor_id: str, *, host: str, pid: int, started_at: datetime) -> None:
        """Note that a worker is alive."""
        values = {"executor_id": executor_id, "host": host, "pid": pid, "started_at": started_at}
        with self._database.writing("a heartbeat") as connection:
            values["heartbeat_at"] = _shared_now(connection)
            statement = _dialect_insert(connection)(_workers).values(values)
            connection.execute(statement.on_conflict_do_update(index_elements=["executor_id"], set_=values))

    def leave(self, executor_id: str) -> None:
        """Note that a worker has ended: what it leaves can be taken over at once."""
        with self._database.writing("a heartbeat") as connection:
            mine = _workers.c.executor_id == executor_id
            silent = _shared_now(connection) - timedelta(seconds=ALIVE_S)
            connection.execute(update(_workers).where(mine).values(heartbeat_at=silent))

    def workers(self) -> Sequence[Worker]:
        """Return the workers the store has ever heard of, by identifier."""
        with self._database.session("workers") as session:
            rows = session.scalars(select(WorkerRow).order_by(WorkerRow.executor_id))
            return [Worker(**{name: getattr(row, name) for name in Worker.model_fields}) for row in rows]

    def alive(self) -> Collection[str]:
        """Return the workers heard of in the last :data:`ALIVE_S` seconds."""
        with self._database.connected("read workers from") as connection:
            since = _shared_now(connection) - timedelta(seconds=ALIVE_S)
            heard = select(_workers.c.executor_id).where(_workers.c.heartbeat_at > since)
            return set(connection.scalars(heard))

    def _get(self, job_id: str) -> Job:
        with self._database.session("jobs") as session:
            return _job(session.get_one(JobRow, job_id))


_FRESH: dict[str, Any] = {
    "progress": 0.0,
    "step": "",
    "result": None,
    "error": "",
    "cancel_requested": False,
    "started_at": None,
    "finished_at": None,
}
"""Columns of a job that nobody has begun."""


def _running(job_id: str, attempt: int) -> Any:
    """Begin the update of an attempt that is running."""
    return update(_jobs).where(
        _jobs.c.job_id == job_id, _jobs.c.state == JobState.RUNNING.value, _jobs.c.attempts == attempt
    )


def _begin(connection: Connection, job_id: str, executor_id: str) -> bool:
    """Note a queued job as begun by a worker; tell whether it was still queued."""
    begun = {
        "state": JobState.RUNNING.value,
        "started_at": datetime.now(UTC),
        "executor_id": executor_id,
        "attempts": _jobs.c.attempts + 1,
    }
    queued = update(_jobs).where(_jobs.c.job_id == job_id, _jobs.c.state == JobState.QUEUED.value)
    return bool(connection.execute(queued.values(begun)).rowcount)


def _in_turn(connection: Connection) -> Sequence[str]:
    """Return queued jobs, at most one of each owner, in the order in which they are to be begun."""
    owner = func.coalesce(_jobs.c.lab_id, _jobs.c.key_id, "")
    waiting = (
        select(owner, func.min(_jobs.c.created_at)).where(_jobs.c.state == JobState.QUEUED.value).group_by(owner)
    )
    first = dict(connection.execute(waiting).all())
    if not first:
        return []
    open_now = select(owner).where(_jobs.c.state == JobState.RUNNING.value)
    busy = Counter(connection.scalars(open_now))
    served = select(owner, func.max(_jobs.c.started_at)).group_by(owner)
    last = dict(connection.execute(served).all())

    def turn(name: str) -> tuple[bool, int, datetime, datetime]:
        return name == "", busy[name], last.get(name) or _NEVER, first[name]

    found = []
    for name in sorted(first, key=turn):
        oldest = (
            select(_jobs.c.job_id)
            .where(_jobs.c.state == JobState.QUEUED.value, owner == name)
            .order_by(_jobs.c.created_at, _jobs.c.job_id)
            .limit(1)
        )
        found.append(str(connection.scalar(oldest)))
    return found


def _has_room(connection: Connection, key_id: str | None, most_open: int | None) -> bool:
    """Tell whether a key may have one more job open; nobody else counts for the same key meanwhile."""
    if most_open is None:
        return True
    if connection.dialect.name == "postgresql":
        connection.execute(select(func.pg_advisory_xact_lock(func.hashtext(f"hstore jobs {key_id}"))))
    return _count_open(connection, key_id) < most_open


def _count_open(connection: Connection, key_id: str | None) -> int:
    counted = select(func.count()).where(_jobs.c.state.in_(_OPEN), _jobs.c.key_id.is_not_distinct_from(key_id))
    return connection.scalar(counted) or 0


def _add_event(
    connection: Connection,
    job_id: str,
    sequence: int,
    message: str,
    *,
    level: EventLevel,
    progress: float | None = None,
) -> None:
    values = {
        "job_id": job_id,
        "sequence": sequence,
        "at": datetime.now(UTC),
        "level": level.value,
        "message": message,
        "progress": progress,
    }
    statement = _dialect_insert(connection)(_events).values(values)
    connection.execute(statement.on_conflict_do_nothing(index_elements=["job_id", "sequence"]))


def _shared_now(connection: Connection) -> datetime:
    """Return the time by the one clock that all workers have: of the server, or of the machine of the file.

    By clocks of their own, a worker whose clock is late would be taken for dead.
    """
    if connection.dialect.name == "postgresql":
        now: datetime = connection.execute(select(func.clock_timestamp())).scalar_one()
        return now
    return datetime.now(UTC)


def _dialect_insert(connection: Connection) -> Any:
    return postgresql.insert if connection.dialect.name == "postgresql" else sqlite.insert


def _job(row: JobRow) -> Job:
    access = Access(lab_id=row.lab_id, visibility=Visibility(row.visibility), embargo_until=row.embargo_until)
    names = Job.model_fields.keys() - {"access"}
    return Job(**{name: getattr(row, name) for name in names}, access=access)
