"""Run the shards of a batch that are not done, find the candidates that break it, and go on after anything."""

from __future__ import annotations

import platform
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

from hstore.errors import HstoreError
from hstore.workers import Crew, Limits
from hstore_models.compiled import PRELOAD as PRELOAD_COMPILED
from hstore_workflows.batch.cluster import Cluster
from hstore_workflows.batch.driver_lock import driving
from hstore_workflows.batch.journal import note
from hstore_workflows.batch.shard import Task, do_shard, read_record, record_path
from hstore_workflows.batch.site import LocalSite
from hstore_workflows.batch.standing import ShardError, discard, standing

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from hstore.settings import Settings
    from hstore_workflows.batch.plan import Plan
    from hstore_workflows.batch.site import ClusterSite, Site
    from hstore_workflows.batch.standing import Standing

MAX_POISONED = 100
"""Most candidates of a shard that may break it; more of them are a fault of something else."""

Hands = Crew[Task, Any] | Cluster[Task, Any]
"""Whoever does shards: processes of this machine, or nodes of a cluster."""

PRELOAD = (
    "hstore_workflows.batch.shard",
    "hstore_models.registry",
    "pyarrow.parquet",
    *PRELOAD_COMPILED,
)
"""What workers load before they begin."""


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
    do: Callable[[Task], Any] = do_shard
    """Does a shard, in a worker."""
    say: Callable[[str], None] = lambda _line: None
    """Told in one line what becomes of blocks of a cluster."""

    def __call__(self) -> Standing:
        """Do the shards that are not done; damaged ones are done again.

        Raises:
            ShardError: another process runs the batch, or shards failed at every try and no candidate is to blame.
        """
        with driving(self.folder), self._written_down() as before, self._hands() as crew:
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

    def timed(self) -> list[float]:
        """Ask about each candidate alone without writing anything; :attr:`do` returns how long it took, s.

        One that fails counts with the time it was allowed.
        """
        probes = [
            Task(
                str(self.folder),
                str(self.settings.home),
                number // self.plan.batch.shard_rows,
                probe=(number, number + 1),
            )
            for number in range(self.plan.rows)
        ]
        with self._hands() as crew:
            outcomes = list(crew.map(probes, in_order=False))
        allowed_s = _limits(self.plan).seconds
        return [allowed_s if outcome.cause else float(outcome.value or 0.0) for outcome in outcomes]

    @contextmanager
    def _written_down(self) -> Iterator[Standing]:
        """Look what is to be done, clear away what is damaged, and write down how the run begins and ends."""
        before = standing(self.plan, self.folder, thoroughly=True)
        where = {"site": self.site.kind, "processes": self.site.processes, "host": platform.node()}
        note(self.folder, "run", **where, shards=self.plan.n_shards, missing=len(before.missing))
        for number, why in before.damaged.items():
            note(self.folder, "damaged", shard=number, why=why)
            discard(self.plan, self.folder, number)
        why = "interrupted"
        try:
            yield before
            why = ""
        except HstoreError as error:
            why = str(error)
            raise
        finally:
            note(self.folder, "end", missing=len(standing(self.plan, self.folder).missing), why=why)

    def _hands(self) -> Hands:
        if isinstance(self.site, LocalSite):
            limits = _limits(self.plan)
            return Crew(self.do, workers=self.site.processes, limits=limits, piece=1, preload=PRELOAD)
        return _cluster(self.plan, self.site, self.folder, self.do, self._of_blocks)

    def _of_blocks(self, what: str) -> None:
        note(self.folder, "blocks", what=what)
        self.say(what)

    def _task(self, number: int) -> Task:
        return Task(str(self.folder), str(self.settings.home), number)

    def _pass(self, crew: Hands, tasks: Sequence[Task]) -> dict[int, str]:
        """Try some shards; return those that failed with the causes."""
        failed = {}
        for outcome in crew.map(tasks, in_order=False):
            task = tasks[outcome.index]
            if outcome.cause:
                failed[task.number] = outcome.cause
                note(self.folder, "failed", shard=task.number, attempt=task.attempt, why=outcome.cause)
            else:
                self._note_done(task.number)
            self.tell(task.number, outcome.cause)
        return failed

    def _note_done(self, number: int) -> None:
        done = asdict(read_record(record_path(self.folder, self.plan, number)))
        parts = ("attempt", "host", "seconds", "candidates", "rejected")
        note(self.folder, "done", shard=number, **{part: done[part] for part in parts})

    def _without_poison(self, crew: Hands, task: Task, cause: str) -> None:
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
        for candidate, why in poisoned:
            note(self.folder, "poisoned", shard=task.number, candidate=candidate, why=why)
        failed = self._pass(crew, [replace(task, poisoned=tuple(poisoned), attempt=self.plan.batch.tries + 1)])
        if failed:
            raise ShardError(f"shard {task.number} fails without the candidates that break it too: {cause}")

    def _poisoned(self, crew: Hands, task: Task, suspects: list[tuple[int, int, str]]) -> list[tuple[int, str]]:
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
            outcomes = sorted(crew.map(probes, in_order=False), key=lambda outcome: outcome.index)
            suspects = [(*halves[outcome.index], outcome.cause) for outcome in outcomes if outcome.cause]
        return sorted(found)


def submit_script(plan: Plan, site: ClusterSite, folder: Path) -> str:
    """Return the script by which a batch would ask a scheduler for a block.

    Raises:
        InputError: what asks schedulers is not installed.
    """
    return _cluster(plan, site, folder, do_shard).submit_script()


def _limits(plan: Plan) -> Limits:
    return Limits(60.0 * plan.batch.shard_minutes, plan.batch.memory_mib)


def _cluster(
    plan: Plan,
    site: ClusterSite,
    folder: Path,
    do: Callable[[Task], Any],
    say: Callable[[str], None] = lambda _: None,
) -> Cluster[Task, Any]:
    wanted = -(-plan.n_shards // (site.nodes_per_block * site.workers_per_node))
    return Cluster(do, site=site, folder=folder, limits=_limits(plan), preload=PRELOAD, blocks=wanted, say=say)


def _halves(start: int, stop: int) -> tuple[tuple[int, int], tuple[int, int]]:
    middle = (start + stop) // 2
    return (start, middle), (middle, stop)
