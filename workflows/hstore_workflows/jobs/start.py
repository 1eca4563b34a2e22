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
    from hstore_workflows.jobs.kind import Kinds


def start_job(
    store: Store,
    settings: Settings,
    kinds: Kinds,
    name: str,
    given: Mapping[str, Any],
    *,
    access: Access,
    **fields: Any,
) -> Job | None:
    """Queue a job.

    Args:
        store: where it is written.
        settings: where data and models are.
        kinds: what can be asked.
        name: kind of the job.
        given: its parameters.
        access: whose it is.
        **fields: ``key_id``, ``most_open`` and ``job_id`` as for :meth:`hstore.store.jobs.Jobs.create`.

    Returns:
        The job; None where its key has too many open.

    Raises:
        UnknownNameError: no such kind, or a name in the parameters is unknown.
        InputError: the parameters cannot be used.
    """
    kind = kind_of(kinds, name)
    parameters = kind.validated(given)
    kind.check(parameters, settings, Scope(lab_id=access.lab_id))
    return store.jobs.create(name, parameters.model_dump(mode="json"), access=access, **fields)
