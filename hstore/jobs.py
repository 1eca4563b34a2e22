"""Jobs: work that takes longer than a request, done by workers, step by step."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Any

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from hstore.records import Access

EVENTS_PER_ATTEMPT = 1_000_000_000
"""Numbers of log lines set aside for one attempt at a job."""

EVENTS_PER_STEP = 10_000
"""Numbers of log lines set aside for one step of an attempt."""


class JobState(StrEnum):
    """Where a job is."""

    QUEUED = "queued"
    """Accepted; no worker has begun it."""
    RUNNING = "running"
    """A worker has it, or had it and died: another goes on at the last finished step."""
    DONE = "done"
    """Finished, with a result."""
    FAILED = "failed"
    """Ended by an error; it can be tried again."""
    CANCELLED = "cancelled"
    """Ended because somebody asked for it; it can be tried again."""

    @property
    def final(self) -> bool:
        """Whether nothing more happens, unless it is tried again."""
        return self in {JobState.DONE, JobState.FAILED, JobState.CANCELLED}


class EventLevel(StrEnum):
    """What kind of line it is in the log of a job."""

    STEP = "step"
    """A step begins."""
    INFO = "info"
    """What a step says of itself."""
    END = "end"
    """The attempt is over; the last line of it."""


class _Record(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)


class Job(_Record):
    """One job, as far as it is."""

    job_id: str
    """Opaque identifier, unique within a store."""
    kind: str
    """What is done, such as ``screen``."""
    parameters: dict[str, Any]
    """What was asked, as its kind has checked it."""
    state: JobState
    """Where it is."""
    created_at: AwareDatetime
    """When it was accepted, UTC."""
    started_at: AwareDatetime | None = None
    """When the present attempt began, UTC; None while it is queued."""
    finished_at: AwareDatetime | None = None
    """When it ended, UTC; None while it has not."""
    progress: Annotated[float, Field(ge=0, le=1)] = 0.0
    """Share of the work that is done, 0 to 1."""
    step: str = ""
    """Step it is at, or ended in; empty before the first."""
    result: dict[str, Any] | None = None
    """What came of it; None unless it is done."""
    error: str = ""
    """Why it failed; empty otherwise."""
    attempts: Annotated[int, Field(ge=0)] = 0
    """How often it was begun, or cancelled while it waited; a worker that dies and the one that goes on are one
    attempt."""
    cancel_requested: bool = False
    """True once somebody has asked for its end."""
    key_id: str | None = None
    """Key that started it; None for the command line."""
    executor_id: str = ""
    """Worker that has it or had it last; empty before the first."""
    access: Access = Access()
    """Whose it is and who may see it, its log and its files."""


class JobEvent(_Record):
    """One line of the log of a job."""

    sequence: int
    """Number of the line; later lines of a job have greater ones, with gaps.

    It is made from attempt, step and line, so a step that is repeated after a crash adds nothing twice.
    """
    at: AwareDatetime
    """When, UTC."""
    level: EventLevel
    """What kind of line."""
    message: str
    """What is said."""
    progress: Annotated[float, Field(ge=0, le=1)] | None = None
    """Share of the work that was done then; None where the line says nothing of it."""


class Worker(_Record):
    """A worker process, as the store knows it."""

    executor_id: str
    """Stable identifier."""
    host: str
    """Machine it ran on last."""
    pid: int
    """Its process identifier there."""
    started_at: AwareDatetime
    """When it started last, UTC."""
    heartbeat_at: AwareDatetime
    """When it was last alive, UTC."""


def event_sequence(attempt: int, step: int, line: int) -> int:
    """Return the number of a log line.

    Args:
        attempt: attempt at the job, from 1.
        step: place of the step in the attempt, from 0.
        line: place of the line in the step, from 0; lines beyond the last number of a step share it.
    """
    return attempt * EVENTS_PER_ATTEMPT + step * EVENTS_PER_STEP + min(line, EVENTS_PER_STEP - 1)


def last_sequence(attempt: int) -> int:
    """Return the number of the line that ends an attempt."""
    return (attempt + 1) * EVENTS_PER_ATTEMPT - 1
