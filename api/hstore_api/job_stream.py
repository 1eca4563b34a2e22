"""The log of a job as server-sent events.

A stream costs no thread: it sleeps on the event loop and asks the store in a short call now and then.
"""

from __future__ import annotations

import asyncio
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

from hstore_api.errors import LimitError
from hstore_api.job_schemas import JobLine, JobSummary

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from hstore.jobs import Job, JobEvent
    from hstore.store import Store
    from hstore_api.access import Caller
    from hstore_api.stopping import Stopping

MAX_STREAMS = 64
"""Most streams of one process."""

POLL_S = 0.7
"""Time between two looks at the store, s."""

ALIVE_S = 15.0
"""Time between two comments, s: proxies close what is silent for longer. The key is looked at as often."""

_LINES = 500
_RETRY_MS = 3000


class Streams:
    """The streams of one process."""

    def __init__(self) -> None:
        self._open = 0

    @contextmanager
    def one(self) -> Iterator[None]:
        """Count one stream for the length of the block."""
        self._open += 1
        try:
            yield
        finally:
            self._open -= 1

    def check(self) -> None:
        """Refuse one more than :data:`MAX_STREAMS`.

        Raises:
            LimitError: that many are open.
        """
        if self._open >= MAX_STREAMS:
            raise LimitError(
                f"this service sends {MAX_STREAMS} streams already; ask for the log as JSON", retry_after_s=5
            )


async def stream_events(
    store: Store, job: Job, *, caller: Caller, after: int, stopping: Stopping, streams: Streams
) -> AsyncIterator[str]:
    """Yield the log of a job from a line on, and its state whenever that changes; ends when the job has ended.

    Lines come as events of their level (``step``, ``info``, ``end``) with their number as identifier, states as
    events ``job`` without one. The stream also ends when the process or the key does.

    Args:
        store: where the log is.
        job: the job, seen by the caller.
        caller: who reads.
        after: number of the last line known.
        stopping: whether the process is told to end.
        streams: the streams of this process.
    """
    with streams.one():
        yield f"retry: {_RETRY_MS}\n\n"
        told: JobSummary | None = None
        looked_at = time.monotonic()
        while not stopping.told:
            lines, now = await asyncio.to_thread(_look, store, job.job_id, caller, after)
            for line in lines:
                after = line.sequence
                yield _event(line.level.value, JobLine.of(line).model_dump_json(), number=line.sequence)
            if now is None:
                return
            if len(lines) < _LINES:
                state = JobSummary.of(now)
                if state != told:
                    told = state
                    yield _event("job", state.model_dump_json())
                if time.monotonic() - looked_at > ALIVE_S:
                    looked_at = time.monotonic()
                    yield ": still here\n\n"
                    if not await asyncio.to_thread(_may_read, store, caller):
                        return
                if now.state.final:
                    return
                await asyncio.sleep(POLL_S)


def _look(store: Store, job_id: str, caller: Caller, after: int) -> tuple[list[JobEvent], Job | None]:
    """Return the lines that are new, and the job as it was before they were read: a final one has no more."""
    job = store.jobs.get(job_id, scope=caller.scope)
    return list(store.jobs.events(job_id, scope=caller.scope, after=after, limit=_LINES)), job


def _may_read(store: Store, caller: Caller) -> bool:
    """Tell whether the key of a reader can still be used."""
    if caller.key is None:
        return True
    kept = store.keys.get(caller.key.key_id)
    return kept is not None and kept.usable()


def _event(name: str, data: str, *, number: int | None = None) -> str:
    identifier = "" if number is None else f"id: {number}\n"
    return f"{identifier}event: {name}\ndata: {data}\n\n"
