"""Remove the files of jobs that ended long ago; what is in the store stays."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from typing import TYPE_CHECKING

from hstore.records import Scope

if TYPE_CHECKING:
    from datetime import datetime

    from hstore.settings import Settings
    from hstore.store import Store

_EVERYTHING = Scope(everything=True)


@dataclass(frozen=True)
class Pruned:
    """Jobs whose files were removed, or would be."""

    job_ids: tuple[str, ...]
    """Their identifiers, sorted."""
    n_bytes: int
    """Size of the files."""


def prune(store: Store, settings: Settings, *, ended_before: datetime, only_tell: bool = False) -> Pruned:
    """Remove the files of jobs that ended before a time.

    Jobs, logs, results, screens and predictions are in the store and stay. Folders of jobs that the store does not
    know are left alone: they may be those of another one.

    Args:
        store: where the jobs are.
        settings: where their files are.
        ended_before: time with a zone; a job that is queued or running has not ended.
        only_tell: leave everything as it is.
    """
    found, size = [], 0
    folders = sorted(settings.jobs_dir.iterdir()) if settings.jobs_dir.is_dir() else []
    for folder in folders:
        job = store.jobs.get(folder.name, scope=_EVERYTHING)
        if job is None or job.finished_at is None or job.finished_at >= ended_before:
            continue
        found.append(job.job_id)
        size += sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
        if not only_tell:
            shutil.rmtree(folder)
    return Pruned(tuple(found), size)
