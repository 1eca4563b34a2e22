"""Jobs: work that takes longer than a request, done by workers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

from fastapi import APIRouter, Depends, Header, Path, Query, Request, Response
from fastapi.responses import FileResponse, JSONResponse, StreamingResponse

from hstore.jobs import JobState
from hstore.keys import Permission
from hstore_api.access import AnyCaller, Caller, ReadCaller, ScopeDep, note_write, require
from hstore_api.dependencies import ServiceDep, SettingsDep, StoreDep  # noqa: TC001 - FastAPI reads annotations
from hstore_api.errors import ConflictError, ForbiddenError, LimitError, NotFoundError, problems
from hstore_api.idempotency import Answer, Once
from hstore_api.job_schemas import (
    FileName,
    JobDetail,
    JobEventsQuery,
    JobKind,
    JobKinds,
    JobLine,
    JobLog,
    JobPage,
    JobQuery,
    JobRequest,
    JobSummary,
    LineNumber,
)
from hstore_api.job_stream import Streams, stream_events
from hstore_api.limits import take_predictions
from hstore_api.schemas import Text
from hstore_api.security import REPORT_POLICY
from hstore_workflows.jobs.kind import FILES, Kinds, kind_of
from hstore_workflows.jobs.kinds import SHIPPED
from hstore_workflows.jobs.start import checked

if TYPE_CHECKING:
    from pathlib import Path as FilePath

    from hstore.jobs import Job
    from hstore.records import Scope
    from hstore.settings import Settings
    from hstore.store import Store

router = APIRouter(prefix="/v1/jobs", tags=["jobs"])

EVENT_STREAM = "text/event-stream"
"""Media type of server-sent events."""

_RETRY_AFTER_S = 30
_streams = Streams()
_JOB_OF_ANSWER = {"job_id": "$response.body#/job_id"}
_LINKS = {
    name: {"operationId": name, "parameters": _JOB_OF_ANSWER}
    for name in ("get_job", "get_job_events", "cancel_job")
}
_MEDIA = {
    "html": "text/html; charset=utf-8",
    "csv": "text/csv; charset=utf-8",
    "json": "application/json",
    "parquet": "application/vnd.apache.parquet",
    "txt": "text/plain; charset=utf-8",
}


def shipped_kinds() -> Kinds:
    """Return the kinds of jobs that are accepted; overridden where an app accepts others."""
    return SHIPPED


KindsDep = Annotated[Kinds, Depends(shipped_kinds)]
JobId = Annotated[Text, Path(description="Identifier of the job.", examples=["job-0f3a5b7c9d1e2f40"])]


@router.post(
    "",
    status_code=202,
    response_model=JobDetail,
    responses={
        **problems(400, 409, 413, 422),
        202: {"description": "Accepted.", "links": _LINKS},
    },
)
def start_job(
    request: JobRequest, caller: AnyCaller, once: Once, store: StoreDep, settings: SettingsDep, kinds: KindsDep
) -> Response:
    """Accept a job; once this is answered it will be done, whatever is restarted meanwhile.

    A key may have so many jobs queued or running at a time; ``GET /v1/me`` says how many.
    """
    if not caller.permits(Permission.TRAIN):
        require(caller, Permission.RUN)
    kind = kind_of(kinds, request.kind)
    require(caller, kind.permission)
    parameters = checked(kind, settings, request.parameters, caller.scope)

    def write() -> Answer:
        take_predictions(store, caller, kind.n_predictions(parameters, store, caller.scope))
        job = store.jobs.create(
            kind.name,
            parameters.model_dump(mode="json"),
            access=caller.access(),
            key_id=caller.key_id,
            most_open=_most_open(caller, settings),
        )
        return _accepted(job, caller, store, settings, kinds, "jobs.create")

    return once.write(request, write)


@router.get("", responses=problems(422))
def list_jobs(query: Annotated[JobQuery, Query()], store: StoreDep, scope: ScopeDep) -> JobPage:
    """List jobs, newest first: those of the caller's lab, and those of the operator."""
    found = store.jobs.list(
        scope=scope, state=query.state, kind=query.kind, limit=query.limit + 1, before=query.after
    )
    page = found[: query.limit]
    following = page[-1].job_id if len(found) > query.limit else None
    return JobPage(items=tuple(map(JobSummary.of, page)), limit=query.limit, next=following)


@router.get("/kinds", responses=problems())
def list_job_kinds(_caller: ReadCaller, kinds: KindsDep) -> JobKinds:
    """List what can be asked for, each kind with the JSON schema of its parameters."""
    return JobKinds(items=tuple(JobKind.of(kinds[name]) for name in sorted(kinds)))


@router.get("/{job_id}", responses=problems(404, 422))
def get_job(job_id: JobId, store: StoreDep, scope: ScopeDep, settings: SettingsDep, kinds: KindsDep) -> JobDetail:
    """Return a job with what was asked and what came of it."""
    return _detail(_seen(store, job_id, scope), settings, kinds)


@router.get(
    "/{job_id}/events",
    response_model=JobLog,
    responses={
        **problems(404, 422),
        200: {
            "description": "Lines of the log; with `Accept: text/event-stream` all of them, as they come.",
            "content": {EVENT_STREAM: {"schema": {"type": "string"}}},
        },
        204: {"description": "To a stream that asks for what follows the last line of a job that has ended."},
    },
)
async def get_job_events(
    job_id: JobId,
    query: Annotated[JobEventsQuery, Query()],
    request: Request,
    caller: ReadCaller,
    service: ServiceDep,
    last_event_id: Annotated[
        LineNumber | None, Header(description="Number of the last line of a stream that is taken up again.")
    ] = None,
) -> Response:
    """Return the log of a job: a page of JSON, or with ``Accept: text/event-stream`` a stream.

    A stream sends each line as an event ``step``, ``info`` or ``end`` with its number, the job as an event ``job``
    whenever it changes, and ends when the job has ended.
    """
    import asyncio

    job = await asyncio.to_thread(_seen, service.store, job_id, caller.scope)
    if EVENT_STREAM not in request.headers.get("accept", ""):
        return JSONResponse(await asyncio.to_thread(_page, service.store, job, caller.scope, query))
    _streams.check()
    after = query.after if last_event_id is None else last_event_id
    if job.state.final and not await asyncio.to_thread(
        service.store.jobs.events, job_id, scope=caller.scope, after=after, limit=1
    ):
        return Response(status_code=204)  # a browser that has lost the end of a stream stops asking
    stream = stream_events(
        service.store, job, caller=caller, after=after, stopping=service.stopping, streams=_streams
    )
    # no-transform: a proxy that compresses would hold lines back
    headers = {"Cache-Control": "no-store, no-transform", "X-Accel-Buffering": "no"}
    return StreamingResponse(stream, media_type=EVENT_STREAM, headers=headers)


@router.post("/{job_id}/cancel", response_model=JobDetail, responses=problems(404, 422))
def cancel_job(
    job_id: JobId, caller: AnyCaller, store: StoreDep, settings: SettingsDep, kinds: KindsDep
) -> JobDetail:
    """Ask for the end of a job: at once where it is queued, soon where it is running; one that is over stays."""
    job = _changeable(store, job_id, caller)
    with store.database.transaction("a job"):
        changed = store.jobs.request_cancel(job_id, scope=caller.scope)
        note_write(store, caller, "jobs.cancel", job_id, {"kind": job.kind})
    return _detail(changed or job, settings, kinds)


@router.post("/{job_id}/retry", status_code=202, response_model=JobDetail, responses=problems(404, 409, 422))
def retry_job(
    job_id: JobId, caller: AnyCaller, store: StoreDep, settings: SettingsDep, kinds: KindsDep
) -> Response:
    """Queue a job that failed or was cancelled once more, under the same identifier."""
    job = _changeable(store, job_id, caller)
    if job.state.final and job.state is not JobState.DONE:
        with store.database.transaction("a job"):
            again = store.jobs.retry(job_id, scope=caller.scope, most_open=_most_open(caller, settings))
            answer = _accepted(again, caller, store, settings, kinds, "jobs.retry")
        return JSONResponse(
            answer.body.model_dump(mode="json"), status_code=answer.status, headers=dict(answer.headers)
        )
    raise ConflictError(f"job {job_id!r} is {job.state.value}; only a failed or cancelled job can be tried again")


@router.get(
    "/{job_id}/files/{name}",
    response_class=FileResponse,
    responses={
        **problems(404, 422),
        200: {
            "description": "The file.",
            "content": {media.partition(";")[0]: {"schema": {"type": "string"}} for media in _MEDIA.values()},
        },
    },
)
def get_job_file(
    job_id: JobId,
    name: Annotated[FileName, Path(description="Name of the file, one of `files` of the job.")],
    store: StoreDep,
    scope: ScopeDep,
    settings: SettingsDep,
    kinds: KindsDep,
) -> FileResponse:
    """Return a file that a job left."""
    job = _seen(store, job_id, scope)
    if name not in _files(job, settings, kinds):
        raise NotFoundError(f"job {job_id!r} left no file {name!r}; `files` of the job lists those there are")
    media = _MEDIA[name.rpartition(".")[2]]
    headers = {"Content-Security-Policy": REPORT_POLICY} if media.startswith("text/html") else {}
    return FileResponse(
        _folder(job, settings) / name,
        media_type=media,
        headers=headers,
        filename=name,
        content_disposition_type="inline",
    )


def owns_job(caller: Caller, job: Job) -> bool:
    """Tell whether a job is of the caller's lab, or was begun with its key; an admin owns all."""
    own = caller.lab_id == job.access.lab_id if job.access.lab_id else caller.key_id == job.key_id
    return own or caller.permits(Permission.ADMIN)


def _seen(store: Store, job_id: str, scope: Scope) -> Job:
    job = store.jobs.get(job_id, scope=scope)
    if job is None:
        raise NotFoundError(f"no job {job_id!r} that you may see; /v1/jobs lists those there are")
    return job


def _changeable(store: Store, job_id: str, caller: Caller) -> Job:
    """Return a job that the caller may end or try again: one of its lab, or that its key began."""
    if not caller.permits(Permission.TRAIN):
        require(caller, Permission.RUN)
    job = _seen(store, job_id, caller.scope)
    if not owns_job(caller, job):
        raise ForbiddenError("only the lab that began a job ends it or tries it again")
    return job


def _most_open(caller: Caller, settings: Settings) -> int:
    own = caller.key.concurrent_jobs if caller.key else None
    return settings.concurrent_jobs if own is None else own


def _accepted(
    job: Job | None, caller: Caller, store: Store, settings: Settings, kinds: Kinds, action: str
) -> Answer:
    """Note a job that was queued, and answer with it.

    Raises:
        LimitError: it was not, because the key has too many open.
    """
    if job is None:
        raise LimitError(
            f"this key may have {_most_open(caller, settings)} jobs queued or running; wait for one to end, or "
            "cancel one",
            retry_after_s=_RETRY_AFTER_S,
        )
    note_write(store, caller, action, job.job_id, {"kind": job.kind})
    return Answer(_detail(job, settings, kinds), status=202, headers={"Location": f"/v1/jobs/{job.job_id}"})


def _detail(job: Job, settings: Settings, kinds: Kinds) -> JobDetail:
    return JobDetail.with_files(job, _files(job, settings, kinds))


def _files(job: Job, settings: Settings, kinds: Kinds) -> tuple[str, ...]:
    """Return the names of the files a job left, of those its kind may leave."""
    allowed = kinds[job.kind].files if job.kind in kinds else ()
    return tuple(name for name in allowed if (_folder(job, settings) / name).is_file())


def _folder(job: Job, settings: Settings) -> FilePath:
    return settings.jobs_dir / job.job_id / FILES


def _page(store: Store, job: Job, scope: Scope, query: JobEventsQuery) -> dict[str, Any]:
    lines = store.jobs.events(job.job_id, scope=scope, after=query.after, limit=query.limit)
    over = job.state.final and len(lines) < query.limit
    last = lines[-1].sequence if lines else query.after
    log = JobLog(state=job.state, items=tuple(map(JobLine.of, lines)), next=None if over else last)
    return log.model_dump(mode="json")
