"""``hstore jobs``: jobs for the operator, without the service."""

from __future__ import annotations

import json
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import click

from hstore.records import Access, Scope, Visibility

if TYPE_CHECKING:
    from collections.abc import Iterator

    from hstore.jobs import Job
    from hstore.settings import Settings
    from hstore.store import Store

_EVERYTHING = Scope(everything=True)
_STATES = ("queued", "running", "done", "failed", "cancelled")
_json = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


@click.group("jobs", epilog="Example: hstore jobs list --state running")
def command() -> None:
    """List, show, start, cancel and retry jobs, of all labs, and remove their files."""


@command.command("list", epilog="Example: hstore jobs list --state failed")
@click.option("--state", type=click.Choice(_STATES), help="Only jobs in this state.")
@click.option("--kind", metavar="KIND", help="Only jobs of this kind.")
@click.option("--limit", type=click.IntRange(1, 1000), default=20, show_default=True, help="At most so many.")
@_json
def list_jobs(state: str | None, kind: str | None, limit: int, *, as_json: bool) -> None:
    """List jobs, newest first."""
    from hstore.jobs import JobState

    with _open() as (_, store):
        wanted = None if state is None else JobState(state)
        found = store.jobs.list(scope=_EVERYTHING, state=wanted, kind=kind, limit=limit)
    if as_json:
        click.echo(json.dumps([job.model_dump(mode="json") for job in found], indent=2))
        return
    for job in found:
        click.echo(_line(job))


@command.command("show", epilog="Example: hstore jobs show job-0f3a5b7c9d1e2f40")
@click.argument("job_id")
@_json
def show(job_id: str, *, as_json: bool) -> None:
    """Show a job with its log."""
    with _open() as (_, store):
        job = _found(store, job_id)
        events = store.jobs.events(job_id, scope=_EVERYTHING, limit=10_000)
    if as_json:
        log = [event.model_dump(mode="json") for event in events]
        click.echo(json.dumps({**job.model_dump(mode="json"), "events": log}, indent=2))
        return
    click.echo(_line(job))
    for event in events:
        click.echo(f"  {event.at:%H:%M:%S}  {event.message}")
    if job.result is not None:
        click.echo(json.dumps(job.result, indent=2))


@command.command("start", epilog='Example: hstore jobs start screen \'{"target": "stationary"}\'')
@click.argument("kind")
@click.argument("parameters", default="{}")
@click.option("--lab", metavar="LAB", help="Lab in whose name it runs; default: everybody may see it.")
@_json
def start(kind: str, parameters: str, lab: str | None, *, as_json: bool) -> None:
    """Queue a job of a KIND with PARAMETERS as a JSON object."""
    from hstore.errors import InputError
    from hstore.keys import lab_of
    from hstore_workflows.jobs.kinds import SHIPPED
    from hstore_workflows.jobs.start import start_job

    try:
        given = json.loads(parameters)
    except ValueError as error:
        raise InputError(f"parameters are a JSON object, got {parameters!r}") from error
    if not isinstance(given, dict):
        raise InputError(f"parameters are a JSON object, got {parameters!r}")
    access = Access() if lab is None else Access(lab_id=lab_of(lab), visibility=Visibility.LAB)
    with _open() as (settings, store):
        job = start_job(store, settings, SHIPPED, kind, given, access=access)
        _note(store, "jobs.create", job)
    _tell(job, as_json=as_json)


@command.command("cancel", epilog="Example: hstore jobs cancel job-0f3a5b7c9d1e2f40")
@click.argument("job_id")
@_json
def cancel(job_id: str, *, as_json: bool) -> None:
    """End a job: at once where it is queued, soon where it is running; one that has ended stays as it is."""
    with _open() as (_, store), store.database.transaction("a job"):
        before = _found(store, job_id)
        job = store.jobs.request_cancel(job_id, scope=_EVERYTHING)
        assert job is not None  # it was found
        if job != before:
            _note(store, "jobs.cancel", job)
    _tell(job, as_json=as_json)


@command.command("retry", epilog="Example: hstore jobs retry job-0f3a5b7c9d1e2f40")
@click.argument("job_id")
@_json
def retry(job_id: str, *, as_json: bool) -> None:
    """Queue a job that failed or was cancelled once more."""
    with _open() as (_, store), store.database.transaction("a job"):
        _found(store, job_id)
        job = store.jobs.retry(job_id, scope=_EVERYTHING)
        assert job is not None  # the operator has no limit
        _note(store, "jobs.retry", job)
    _tell(job, as_json=as_json)


@command.command("prune", epilog="Example: hstore jobs prune --days 90 --dry-run")
@click.option("--days", type=click.FloatRange(min=0), required=True, help="Days since a job ended.")
@click.option("--dry-run", is_flag=True, help="Only say what would be removed.")
@_json
def prune_files(days: float, *, dry_run: bool, as_json: bool) -> None:
    """Remove the files of jobs that ended long ago; jobs, logs and what they published stay."""
    from datetime import UTC, datetime, timedelta

    from hstore_workflows.jobs.pruning import prune

    with _open() as (settings, store):
        before = datetime.now(UTC) - timedelta(days=days)
        found = prune(store, settings, ended_before=before, only_tell=dry_run)
        if found.job_ids and not dry_run:
            store.audit.add("jobs.prune", list(found.job_ids), detail={"days": days, "bytes": found.n_bytes})
    if as_json:
        click.echo(json.dumps({"jobs": found.job_ids, "bytes": found.n_bytes, "removed": not dry_run}, indent=2))
        return
    done = "would be removed" if dry_run else "removed"
    jobs = "1 job" if len(found.job_ids) == 1 else f"{len(found.job_ids):,} jobs"
    click.echo(f"files of {jobs} {done}, {found.n_bytes / 2**20:.1f} MiB")


@contextmanager
def _open() -> Iterator[tuple[Settings, Store]]:
    from hstore.settings import load_settings
    from hstore.store import open_store

    settings = load_settings()
    with open_store(settings.store_url) as store:
        yield settings, store


def _found(store: Store, job_id: str) -> Job:
    from hstore.errors import UnknownNameError

    job = store.jobs.get(job_id, scope=_EVERYTHING)
    if job is None:
        raise UnknownNameError(f"no job {job_id!r}; list them with: hstore jobs list")
    return job


def _note(store: Store, action: str, job: Job) -> None:
    store.audit.add(action, [job.job_id], lab_id=job.access.lab_id, detail={"kind": job.kind})


def _tell(job: Job, *, as_json: bool) -> None:
    content: dict[str, Any] = job.model_dump(mode="json")
    click.echo(json.dumps(content, indent=2) if as_json else _line(job))


def _line(job: Job) -> str:
    owner = job.access.lab_id or "everybody"
    said = f"{job.job_id}  {job.state:<9}  {job.progress:>4.0%}  {job.kind:<8}  {owner}"
    return f"{said}  {job.error or job.step}".rstrip()
