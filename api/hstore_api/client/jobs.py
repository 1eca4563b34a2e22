"""Jobs: started, watched until they end, and what they leave."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import httpx2

from hstore_api.client.errors import JobEndedError, ServiceUnreachableError
from hstore_api.client.idempotency import named
from hstore_api.client.paging import walk
from hstore_api.client.transport import Operation, request_of
from hstore_api.job_schemas import (
    JobDetail,
    JobKind,
    JobKinds,
    JobLine,
    JobLog,
    JobPage,
    JobRequest,
    JobSummary,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from hstore.jobs import JobState
    from hstore_api.client.transport import Event, Transport

_KINDS = Operation("GET", "/v1/jobs/kinds")
_START = Operation("POST", "/v1/jobs")
_LIST = Operation("GET", "/v1/jobs")
_GET = Operation("GET", "/v1/jobs/{job_id}")
_EVENTS = Operation("GET", "/v1/jobs/{job_id}/events")
_CANCEL = Operation("POST", "/v1/jobs/{job_id}/cancel")
_RETRY = Operation("POST", "/v1/jobs/{job_id}/retry")
_FILE = Operation("GET", "/v1/jobs/{job_id}/files/{name}")

_PAUSE_S = 2.0
"""Time between two attempts to follow a job whose stream broke off, s."""

_LOG_LINES = 1000


class Jobs:
    """Work that takes longer than a request."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def kinds(self) -> tuple[JobKind, ...]:
        """Return what can be started, with the JSON schema of the parameters of each."""
        return self._transport.read(JobKinds, _KINDS).items

    def start(self, kind: str, *, idempotency_key: str | None = None, **parameters: Any) -> JobDetail:
        """Start a job; sent again after a lost connection it is still one job.

        Args:
            kind: what is to be done, such as ``screen``.
            idempotency_key: a name of your own for this start, to send it again from another process; drawn when
                not given.
            **parameters: as the kind asks (:meth:`kinds`).
        """
        body = request_of(JobRequest, {"kind": kind, "parameters": parameters})
        return self._transport.read(JobDetail, _START, body=body, headers=named(idempotency_key), repeatable=True)

    def list(
        self, *, state: JobState | str | None = None, kind: str | None = None, limit: int | None = None
    ) -> Iterator[JobSummary]:
        """Iterate over jobs, newest first, at most so many in all."""

        def ask(size: int, after: str | None) -> JobPage:
            query = {"state": state, "kind": kind, "limit": size, "after": after}
            return self._transport.read(JobPage, _LIST, query=query)

        return walk(ask, limit)

    def get(self, job_id: str) -> JobDetail:
        """Return a job with what was asked and what came of it."""
        return self._transport.read(JobDetail, _GET, names={"job_id": job_id})

    def log(self, job_id: str, *, after: int = 0) -> Iterator[JobLine]:
        """Iterate over the lines that a job has logged so far."""
        while True:
            query = {"after": after, "limit": _LOG_LINES}
            page = self._transport.read(JobLog, _EVENTS, names={"job_id": job_id}, query=query)
            yield from page.items
            if len(page.items) < _LOG_LINES:
                return
            after = page.items[-1].sequence

    def follow(self, job_id: str, *, timeout_s: float | None = None) -> Iterator[JobLine | JobSummary]:
        """Iterate over what happens to a job until it ends: its lines, and itself whenever it changes.

        Where the stream breaks off it is taken up again after the last line that was seen.

        Raises:
            ServiceUnreachableError: the job has not ended in time.
        """
        deadline = None if timeout_s is None else time.monotonic() + timeout_s
        after: str | None = None
        while True:
            for event in self._streamed(job_id, after):
                if event is not None:
                    after = event.number or after
                    kind = JobSummary if event.name == "job" else JobLine
                    yield kind.model_validate_json(event.data, extra="ignore")
                _check_time(deadline, job_id)
            if self.get(job_id).state.final:
                return
            _check_time(deadline, job_id)
            time.sleep(_PAUSE_S)

    def wait(
        self,
        job_id: str,
        *,
        timeout_s: float | None = None,
        on_change: Callable[[JobLine | JobSummary], None] = lambda _: None,
    ) -> JobDetail:
        """Wait until a job is done and return it.

        Args:
            job_id: the job.
            timeout_s: longest wait, s; None for any. A job that nothing is heard of is looked at every 15 s.
            on_change: told of every line and change.

        Raises:
            JobEndedError: it failed, or was cancelled.
            ServiceUnreachableError: it has not ended in time.
        """
        for found in self.follow(job_id, timeout_s=timeout_s):
            on_change(found)
        job = self.get(job_id)
        if job.state.value != "done":
            raise JobEndedError(job)
        return job

    def cancel(self, job_id: str) -> JobDetail:
        """Ask for the end of a job; one that is over stays as it is."""
        return self._transport.read(JobDetail, _CANCEL, names={"job_id": job_id}, repeatable=True)

    def retry(self, job_id: str) -> JobDetail:
        """Queue a job that failed or was cancelled once more."""
        return self._transport.read(JobDetail, _RETRY, names={"job_id": job_id})

    def file(self, job_id: str, name: str) -> bytes:
        """Return a file that a job left, one of ``files``."""
        return self._transport.send(_FILE, names={"job_id": job_id, "name": name}).content

    def _streamed(self, job_id: str, after: str | None) -> Iterator[Event | None]:
        """Yield what one stream tells; ends where the stream does, or breaks off."""
        try:
            with self._transport.events(_EVENTS, names={"job_id": job_id}, after=after) as events:
                yield from events
        except httpx2.TransportError:  # broken off, or silent for too long: the caller asks again
            return


def _check_time(deadline: float | None, job_id: str) -> None:
    if deadline is not None and time.monotonic() > deadline:
        raise ServiceUnreachableError(f"job {job_id} has not ended in time; it goes on, ask for it again later")
