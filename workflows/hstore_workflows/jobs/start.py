"""Accept a job: check what is asked, and write it down. This is all a service does."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hstore.records import Scope
from hstore_workflows.jobs.kind import kind_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from hstore.jobs import Job
    from hstore.records import Access
    from hstore.settings import Settings
    from hstore.store import Store
    from hstore_workflows.jobs.kind import Kind, Kinds, P


def checked(kind: Kind[P], settings: Settings, given: Mapping[str, Any], scope: Scope) -> P:
    """Return the parameters of a job, refusing before anything is queued what could only fail.

    Args:
        kind: what is to be done.
        settings: where data and models are.
        given: what is asked.
        scope: what its owner may see.

    Raises:
        UnknownNameError: a name in the parameters is unknown.
        InputError: the parameters cannot be used.
    """
    parameters = kind.validated(given)
    kind.check(parameters, settings, scope)
    return parameters


def start_job(
    store: Store,
    settings: Settings,
    kinds: Kinds,
    name: str,
    given: Mapping[str, Any],
    *,
    access: Access,
    job_id: str | None = None,
) -> Job:
    """Queue a job for the operator, who has no limit.

    Args:
        store: where it is written.
        settings: where data and models are.
        kinds: what can be asked.
        name: kind of the job.
        given: its parameters.
        access: whose it is.
        job_id: identifier of a job that is to be there once; drawn when None.

    Raises:
        UnknownNameError: no such kind, or a name in the parameters is unknown.
        InputError: the parameters cannot be used.
    """
    kind = kind_of(kinds, name)
    parameters = checked(kind, settings, given, Scope(lab_id=access.lab_id))
    job = store.jobs.create(name, parameters.model_dump(mode="json"), access=access, job_id=job_id)
    assert job is not None  # only a limit refuses one
    return job
