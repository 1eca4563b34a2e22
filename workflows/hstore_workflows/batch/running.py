"""Run the shards of a batch that are not done, find the candidates that break it, and go on after anything."""

from __future__ import annotations

import fcntl
import os
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from hstore.workers import Crew, Limits
from hstore_workflows.batch.shard import Task, do_shard
from hstore_workflows.batch.standing import ShardError, discard, note_failure, standing

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from hstore.settings import Settings
    from hstore_workflows.batch.plan import Plan
    from hstore_workflows.batch.site import Site
    from hstore_workflows.batch.standing import Standing

MAX_POISONED = 100
"""Most candidates of a shard that may break it; more of them are a fault of something else."""

_LOCK = ".running"
_PRELOAD = ("hstore_workflows.batch.shard", "hstore_models.registry", "sklearn.ensemble", "pyarrow.parquet")


@dataclass
class Run:
    """One pass over the shards that are not done."""

    plan: Plan
    """What is done."""
    folder: Path
    """Folder of the run."""
    settings: Settings
    """Where the models are."""
    site: Site
    """Where it is done."""
    tell: Callable[[int, str], None] = lambda _number, _why: None
    """Told each shard when it is done (with an empty text) or has failed (with the cause)."""
    do: Callable[[Task], bool] = do_shard
    """Does a shard, in a worker."""

    def __call__(self) -> Standing:
        """Do the shards that are not done; damaged ones are done again.

        Raises:
            ShardError: another process runs the batch, or shards failed at every try and no candidate is to blame.
        """
        limits = Limits(60.0 * self.plan.batch.shard_minutes, self.plan.batch.memory_mib)
        crew = Crew(self.do, workers=self.site.processes, limits=limits, piece=1, preload=_PRELOAD)
        with _alone(self.folder), crew:
            before = standing(self.plan, self.folder, thoroughly=True)
            for number in before.damaged:
                discard(self.plan, self.folder, number)
            tasks = [self._task(number) for number in before.missing]
            failed: dict[int, str] = {}
            for attempt in range(1, self.plan.batch.tries + 1):
                failed = self._pass(crew, [replace(task, attempt=attempt) for task in tasks])
                tasks = [task for task in tasks if task.number in failed]
                if not tasks:
                    break
            for task in tasks:
                self._without_poison(crew, task, failed[task.number])
            return standing(self.plan, self.folder)

    def _task(self, number: int) -> Task:
        return Task(str(self.folder), str(self.settings.home), number)

    def _pass(self, crew: Crew[Task, bool], tasks: Sequence[Task]) -> dict[int, str]:
        """Try some shards; return those that failed with the causes."""
        failed = {}
        for task, outcome in zip(tasks, crew.map(tasks), strict=True):
            if outcome.cause:
                failed[task.number] = outcome.cause
                note_failure(self.folder, task.number, task.attempt, outcome.cause)
            self.tell(task.number, outcome.cause)
        return failed

    def _without_poison(self, crew: Crew[Task, bool], task: Task, cause: str) -> None:
        """Find the candidates that break a shard, reject them, and do it without them.

        Raises:
            ShardError: no single candidate breaks it.
        """
        shard = self.plan.shard(task.number)
        poisoned = self._poisoned(crew, task, [(shard.start, shard.stop, cause)])
        if not poisoned:
            raise ShardError(
                f"shard {task.number} failed {self.plan.batch.tries} times and no candidate of it is to blame: "
                f"{cause}; remove the cause and run hstore batch resume {self.folder}"
            )
        failed = self._pass(crew, [replace(task, poisoned=tuple(poisoned), attempt=self.plan.batch.tries + 1)])
        if failed:
            raise ShardError(f"shard {task.number} fails without the candidates that break it too: {cause}")

    def _poisoned(
        self, crew: Crew[Task, bool], task: Task, suspects: list[tuple[int, int, str]]
    ) -> list[tuple[int, str]]:
        """Halve what fails until single candidates are left."""
        found: list[tuple[int, str]] = []
        while suspects:
            found += [(start, cause) for start, stop, cause in suspects if stop - start == 1]
            if len(found) > MAX_POISONED:
                raise ShardError(
                    f"more than {MAX_POISONED} candidates of shard {task.number} fail; the first: {found[0][1]}"
                )
            halves = [half for start, stop, _ in suspects if stop - start > 1 for half in _halves(start, stop)]
            probes = [replace(task, probe=half) for half in halves]
            outcomes = zip(halves, crew.map(probes), strict=True)
            suspects = [(*half, outcome.cause) for half, outcome in outcomes if outcome.cause]
        return sorted(found)


def _halves(start: int, stop: int) -> tuple[tuple[int, int], tuple[int, int]]:
    middle = (start + stop) // 2
    return (start, middle), (middle, stop)


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Let no other process run the same batch; the lock ends with the process, however that ends.

    Raises:
        ShardError: another does.
    """
    with (folder / _LOCK).open("a+") as stream:
        try:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            stream.seek(0)
            raise ShardError(f"process {stream.read().strip() or '?'} runs {folder} already") from None
        stream.truncate(0)
        stream.write(str(os.getpid()))
        stream.flush()
        yield
