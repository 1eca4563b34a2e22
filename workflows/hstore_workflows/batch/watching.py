"""How fast a run goes, which machines do it, and when it will end, from what stands in its folder."""

from __future__ import annotations

import platform
from collections import defaultdict
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from hstore_workflows.batch.driver_lock import is_driven
from hstore_workflows.batch.journal import events

if TYPE_CHECKING:
    from pathlib import Path

    from hstore_workflows.batch.plan import Plan
    from hstore_workflows.batch.standing import Standing


@dataclass(frozen=True)
class Machine:
    """What one machine has done."""

    host: str
    """Its name."""
    shards: int
    """Shards it finished."""
    candidates: int
    """Candidates with an answer in them."""
    core_hours: float
    """Time of its cores for them, h."""
    peak_memory_mib: float
    """Largest memory of one of its processes, MiB."""
    last_finished_at: str
    """When it finished the last, UTC."""


@dataclass(frozen=True)
class Watch:
    """How a run goes."""

    machines: list[Machine]
    """Those that finished shards, the busiest first."""
    running: bool
    """Whether a driver is at work. Of one on another machine it is known that it began and has not written that it
    ended."""
    killed: bool
    """Whether the last driver, on this machine, ended without a word."""
    failed_tries: int
    """Tries of shards that failed, of all drivers."""
    candidates_per_s: float
    """Candidates answered in a second by all machines since the last driver began; 0 before the first shard."""
    hours_left: float | None
    """Time to the end at that rate, h; None where nothing is known."""
    last_block: str
    """What became of blocks of a cluster, the last word."""

    def as_json(self) -> dict[str, Any]:
        """Return it as plain JSON."""
        return {**vars(self), "machines": [vars(machine) for machine in self.machines]}


def watch(plan: Plan, folder: Path, state: Standing, now: datetime | None = None) -> Watch:
    """Work out how a run goes.

    Args:
        plan: its plan.
        folder: of the run.
        state: how far it has come.
        now: the time it is, UTC.
    """
    began, ended, failed, block, host = None, False, 0, "", ""
    done, last = 0, None
    for event in events(folder):
        kind = event["event"]
        if kind == "run":
            began, ended, done = datetime.fromisoformat(event["at"]), False, 0
            host = event.get("host", platform.node())
        elif kind == "done":
            done, last = done + event["candidates"] + event["rejected"], datetime.fromisoformat(event["at"])
        failed += kind == "failed"
        ended = ended or kind == "end"
        block = event["what"] if kind == "blocks" else block
    silent = began is not None and not ended
    killed = silent and host == platform.node() and not is_driven(folder)
    until = last if ended or killed else (now or datetime.now(UTC))
    seconds = (until - began).total_seconds() if began and until and done else 0.0
    rate = done / seconds if seconds > 0 else 0.0
    left = plan.rows - state.candidates - state.rejected
    return Watch(
        machines=_machines(state),
        running=silent and not killed,
        killed=killed,
        failed_tries=failed,
        candidates_per_s=rate,
        hours_left=0.0 if not left else left / rate / 3600 if rate else None,
        last_block=block,
    )


def _machines(state: Standing) -> list[Machine]:
    of_host = defaultdict(list)
    for done in state.done.values():
        of_host[done.host].append(done)
    machines = [
        Machine(
            host,
            len(theirs),
            sum(done.candidates for done in theirs),
            sum(done.seconds for done in theirs) / 3600,
            max(done.peak_memory_mib for done in theirs),
            max(done.finished_at for done in theirs),
        )
        for host, theirs in of_host.items()
    ]
    return sorted(machines, key=lambda machine: (-machine.shards, machine.host))
