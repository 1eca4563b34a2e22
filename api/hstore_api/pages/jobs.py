"""The board of jobs, and one job as it goes on."""

from __future__ import annotations

import json
from http import HTTPStatus
from typing import TYPE_CHECKING, Annotated, Any

from fastapi import APIRouter, Form, Request
from fastapi.responses import RedirectResponse, Response

from hstore.keys import Permission
from hstore_api.access import AnyCaller, Caller, ReadCaller  # noqa: TC001 - FastAPI reads annotations
from hstore_api.dependencies import ServiceDep, SettingsDep, StoreDep  # noqa: TC001 - FastAPI reads annotations
from hstore_api.errors import NotFoundError
from hstore_api.idempotency import Once  # noqa: TC001 - FastAPI reads annotations
from hstore_api.job_schemas import JobRequest
from hstore_api.pages.forms import SAID, filled
from hstore_api.pages.rendering import is_fragment, render
from hstore_api.pages.words import label, within
from hstore_api.routers import jobs as routes
from hstore_api.routers.jobs import JobId, KindsDep  # noqa: TC001 - FastAPI reads annotations

if TYPE_CHECKING:
    from hstore.jobs import Job
    from hstore.store import Store

router = APIRouter(include_in_schema=False)

_LISTED = 50
_LOG_LINES = 1000
_MOST_FORMULAS = 10_000


@router.get("/jobs")
def jobs_page(
    request: Request, caller: ReadCaller, store: StoreDep, settings: SettingsDep, target: str = "onboard"
) -> Response:
    """List jobs, newest first, with the forms to start some; htmx gets the list alone."""
    return _board(request, caller, store, settings, target=target)


@router.post("/jobs")
def start(
    request: Request,
    caller: AnyCaller,
    once: Once,
    store: StoreDep,
    settings: SettingsDep,
    kinds: KindsDep,
    kind: Annotated[str, Form(max_length=100)],
    target: Annotated[str, Form(max_length=100)] = "onboard",
    formulas: Annotated[str, Form()] = "",
    model: Annotated[str, Form(max_length=200)] = "",
    own_measurements: Annotated[bool, Form()] = False,
) -> Response:
    """Start a job from a form and go to its page; what cannot be started is said above the form."""
    parameters = _parameters(kind, target, formulas, model, own=own_measurements)
    try:
        asked = filled(JobRequest, kind=kind, parameters=parameters)
        made = routes.start_job(asked, caller, once, store, settings, kinds)
    except SAID as error:
        return _board(request, caller, store, settings, target=target, formulas=formulas, problem=str(error))
    return _see(json.loads(bytes(made.body))["job_id"])


@router.get("/jobs/{job_id}")
def job_page(
    request: Request, job_id: JobId, caller: ReadCaller, service: ServiceDep, kinds: KindsDep
) -> Response:
    """Show one job; its progress and log come as server-sent events. htmx gets the moving part alone."""
    job = service.store.jobs.get(job_id, scope=caller.scope)
    if job is None:
        raise NotFoundError(f"no job {job_id!r} that you may see; /jobs lists those there are")
    return render(
        request,
        "job_state.html" if is_fragment(request) else "job.html",
        caller=caller,
        job=job,
        kind=kinds.get(job.kind),
        about=_about,
        lines=service.store.jobs.events(job_id, scope=caller.scope, limit=_LOG_LINES),
        files=routes.get_job(job_id, service.store, caller.scope, service.settings, kinds).files,
        changeable=_changeable(job, caller),
        parameters=_words(job.parameters),
        result=_words(job.result or {}),
    )


@router.post("/jobs/{job_id}/cancel")
def cancel(job_id: JobId, caller: AnyCaller, store: StoreDep, settings: SettingsDep, kinds: KindsDep) -> Response:
    """Ask for the end of a job, and look at it."""
    routes.cancel_job(job_id, caller, store, settings, kinds)
    return _see(job_id)


@router.post("/jobs/{job_id}/retry")
def retry(job_id: JobId, caller: AnyCaller, store: StoreDep, settings: SettingsDep, kinds: KindsDep) -> Response:
    """Try a job again, and look at it."""
    routes.retry_job(job_id, caller, store, settings, kinds)
    return _see(job_id)


def _board(
    request: Request,
    caller: Caller,
    store: Store,
    settings: SettingsDep,
    *,
    target: str = "onboard",
    formulas: str = "",
    problem: str = "",
) -> Response:
    from hstore_models.training import MODELS
    from hstore_workflows.target import shipped_targets

    found = store.jobs.list(scope=caller.scope, limit=_LISTED)
    return render(
        request,
        "jobs_list.html" if is_fragment(request) else "jobs.html",
        caller=caller,
        status=HTTPStatus.UNPROCESSABLE_ENTITY if problem else HTTPStatus.OK,
        jobs=found,
        about=_about,
        moving=any(not job.state.final for job in found),
        targets=shipped_targets(),
        models=sorted(MODELS),
        target=target,
        formulas=formulas,
        problem=problem,
        most=settings.concurrent_jobs,
    )


def _parameters(kind: str, target: str, formulas: str, model: str, *, own: bool) -> dict[str, Any]:
    """Return what a form asks in the words of the kind."""
    if kind == "screen":
        given = [part for line in formulas.splitlines() for part in line.replace(";", ",").split(",")]
        listed = [part.strip() for part in given if part.strip()][:_MOST_FORMULAS]
        return {"target": target, **({"formulas": listed} if listed else {})}
    return {"model": model, "own_measurements": own, "promote": own}


def _see(job_id: str) -> RedirectResponse:
    return RedirectResponse(f"/jobs/{job_id}", HTTPStatus.SEE_OTHER)


def _changeable(job: Job, caller: Caller) -> bool:
    """Tell whether the forms to end a job or try it again are shown; the routes judge once more."""
    if not (caller.permits(Permission.RUN) or caller.permits(Permission.TRAIN)):
        return False
    return routes.owns_job(caller, job)


def _about(job: Job) -> str:
    """Say what a job is about: its target, its model or its property."""
    found = (job.parameters.get(name) for name in ("target", "model"))
    asked = job.parameters.get("property")
    return next((str(value) for value in found if value), within(label(str(asked))) if asked else "")


def _words(values: dict[str, Any]) -> list[tuple[str, str]]:
    """Return what a job was asked or came to, in words."""
    found = []
    for name, value in values.items():
        if value in (None, "", [], {}):
            continue
        if isinstance(value, list):
            text = ", ".join(map(str, value[:8])) + (f" and {len(value) - 8} more" if len(value) > 8 else "")
        elif isinstance(value, dict):
            text = ", ".join(f"{key}: {held}" for key, held in value.items())
        else:
            text = {True: "yes", False: "no"}.get(value, str(value)) if isinstance(value, bool) else str(value)
        found.append((name.removeprefix("n_").replace("_", " "), text))
    return found
