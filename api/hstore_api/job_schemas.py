"""What the service takes and gives of jobs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Self

from pydantic import AwareDatetime, Field

from hstore.jobs import EventLevel, JobState  # noqa: TC001 - pydantic reads annotations
from hstore.keys import Permission  # noqa: TC001 - pydantic reads annotations
from hstore_api.schemas import MAX_TEXT, PageSize, Schema, Text, quantity

if TYPE_CHECKING:
    from hstore.jobs import Job, JobEvent
    from hstore_workflows.jobs.kind import Kind

MAX_EVENTS = 1000
"""Most lines of a log on one page."""

_JOB = "job-0f3a5b7c9d1e2f40"
_LAST_SEQUENCE = 2**53 - 1
_FIRST_LINE = 1_000_000_000

Share = Annotated[float, quantity("share of the whole", 0.5, ge=0, le=1)]
LineNumber = Annotated[int, quantity("number of a line", _FIRST_LINE, ge=0, le=_LAST_SEQUENCE)]


class JobRequest(Schema):
    """A job to be done."""

    kind: Text = Field(examples=["screen"])
    """What is to be done; ``/v1/jobs/kinds`` lists the kinds."""
    parameters: dict[str, Any] = Field(default_factory=dict, examples=[{"target": "stationary"}])
    """What is asked, as the JSON schema of the kind says."""


class JobSummary(Schema):
    """A job, as far as it is."""

    job_id: str = Field(examples=[_JOB])
    """Opaque identifier."""
    kind: str = Field(examples=["screen"])
    """What is done."""
    state: JobState = Field(examples=["running"])
    """``queued``, ``running``, ``done``, ``failed`` or ``cancelled``."""
    progress: Share
    """Share of the work that is done."""
    step: str = Field(examples=["rank"])
    """Step it is at, or ended in; empty before the first."""
    error: str = Field(examples=[""])
    """Why it failed; empty otherwise."""
    created_at: AwareDatetime = Field(examples=["2025-01-31T12:00:00Z"])
    """When it was accepted, UTC."""
    started_at: AwareDatetime | None = Field(examples=["2025-01-31T12:00:01Z"])
    """When the present attempt began, UTC."""
    finished_at: AwareDatetime | None = Field(examples=[None])
    """When it ended, UTC."""
    attempts: Annotated[int, quantity("attempts", 1, ge=0)]
    """How often it was begun, or cancelled while it waited; a worker that dies and the next one count once."""
    cancel_requested: bool = Field(examples=[False])
    """True once somebody has asked for its end."""
    lab_id: str | None = Field(examples=["north"])
    """Lab whose it is; null for jobs of the operator, which everybody sees."""

    @classmethod
    def of(cls, job: Job) -> Self:
        """Build from a record."""
        return cls(**cls.fields_of(job))

    @classmethod
    def fields_of(cls, job: Job) -> dict[str, Any]:
        """Return the fields that a record fills."""
        own = {name: getattr(job, name) for name in JobSummary.model_fields if name != "lab_id"}
        return {**own, "lab_id": job.access.lab_id}


class JobDetail(JobSummary):
    """A job with what was asked and what came of it."""

    parameters: dict[str, Any] = Field(examples=[{"target": "stationary", "publish": True}])
    """What was asked, with what was filled in."""
    result: dict[str, Any] | None = Field(examples=[{"screen_id": "stationary-0f3a5b7c9d1e"}])
    """What came of it; null unless it is done."""
    files: tuple[str, ...] = Field(examples=[["report.html", "candidates.csv"]])
    """Names of the files it left, at ``/v1/jobs/{job_id}/files/{name}``."""

    @classmethod
    def with_files(cls, job: Job, files: tuple[str, ...]) -> Self:
        """Build from a record and the names of its files."""
        return cls(**cls.fields_of(job), parameters=job.parameters, result=job.result, files=files)


class JobQuery(Schema):
    """Which jobs are asked for."""

    state: JobState | None = None
    """Only jobs in this state."""
    kind: Text | None = Field(None, examples=["screen"])
    """Only jobs of this kind."""
    limit: PageSize = 50
    """Most items on the page."""
    after: Text | None = Field(None, examples=[_JOB])
    """``next`` of the page before."""


class JobPage(Schema):
    """Some jobs, newest first."""

    items: tuple[JobSummary, ...]
    """The jobs."""
    limit: PageSize
    """Most items on a page, as asked."""
    next: str | None = Field(examples=[_JOB])
    """Value of ``after`` for the next page; null on the last."""


class JobLine(Schema):
    """One line of the log of a job."""

    sequence: LineNumber
    """Number of the line; later lines have greater ones, with gaps."""
    at: AwareDatetime = Field(examples=["2025-01-31T12:00:02Z"])
    """When, UTC."""
    level: EventLevel = Field(examples=["info"])
    """``step`` where a step begins, ``info`` for what a step says, ``end`` for the last line of an attempt."""
    message: str = Field(examples=["scored 4,000 candidates"])
    """What is said."""
    progress: Annotated[float | None, quantity("share of the whole", 0.4, ge=0, le=1)]
    """Share of the work that was done then; null where the line says nothing of it."""

    @classmethod
    def of(cls, event: JobEvent) -> Self:
        """Build from a record."""
        return cls(**{name: getattr(event, name) for name in cls.model_fields})


class JobEventsQuery(Schema):
    """Which lines are asked for."""

    after: LineNumber = 0
    """Number of the last line known."""
    limit: Annotated[int, quantity("lines", 200, ge=1, le=MAX_EVENTS)] = 200
    """Most lines on the page; a stream has no limit."""


class JobLog(Schema):
    """Lines of the log of a job, in order."""

    state: JobState = Field(examples=["running"])
    """Where the job is."""
    items: tuple[JobLine, ...]
    """The lines."""
    next: Annotated[int | None, quantity("number of a line", _FIRST_LINE, ge=0, le=_LAST_SEQUENCE)]
    """Value of ``after`` for the lines that follow; null where there are none, unless the job is tried again."""


class JobKind(Schema):
    """A kind of job that can be started."""

    kind: str = Field(examples=["screen"])
    """Name."""
    summary: str = Field(examples=["Ranks candidates for a target."])
    """What it does and what comes of it."""
    scope: Permission = Field(examples=["run"])
    """What a key must permit to start one."""
    steps: tuple[str, ...] = Field(examples=[["train the models that are missing", "rank the candidates"]])
    """Its steps, in words."""
    files: tuple[str, ...] = Field(examples=[["report.html"]])
    """Names of the files it may leave."""
    parameters: dict[str, Any] = Field(examples=[{"type": "object"}])
    """JSON schema of its parameters."""

    @classmethod
    def of(cls, kind: Kind[Any]) -> Self:
        """Build from a kind."""
        return cls(
            kind=kind.name,
            summary=kind.summary,
            scope=kind.permission,
            steps=tuple(step.title for step in kind.steps),
            files=kind.files,
            parameters=kind.parameters.model_json_schema(),
        )


class JobKinds(Schema):
    """The kinds of jobs that can be started."""

    items: tuple[JobKind, ...]
    """The kinds, by name."""


FileName = Annotated[str, Field(min_length=1, max_length=MAX_TEXT, pattern=r"^[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*$")]
"""Name of a file of a job."""
