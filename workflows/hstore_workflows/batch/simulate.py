"""What a scheduler makes of a plan's shards: blocks that wait, end and lose nodes, simulated event by event.

The policies are those of real runs. Blocks are asked for, up to a number at once, as long as shards wait. A worker
takes one shard at a time. A block that could not end the longest shard before its walltime starts no more of them.
A node that is lost, or a block that ends, loses the shards in progress there, which wait again once that is seen.
A shard that is done stays done.
"""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass
from heapq import heappop, heappush
from itertools import count
from typing import TYPE_CHECKING, Annotated

import numpy as np
from pydantic import Field

from hstore.errors import InputError
from hstore_workflows.batch.spec import Part

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from hstore_workflows.batch.plan import Plan, Shard

MOST_EVENTS = 2_000_000
"""Shards simulated one by one; of more of them, a worker does several in one event."""

_MOST_LOSSES = 20
"""Losses for each shard of a plan after which a run would hardly end."""


class Behaviour(Part):
    """How a cluster behaves, which nothing here can measure; replace what is known of your own."""

    queue_wait_h: Annotated[float, Field(ge=0)] = 1.0
    """Median time that a block waits in the queue, h. Assumption; ``sacct`` tells that of your jobs."""
    queue_wait_spread: Annotated[float, Field(ge=0, le=3)] = 1.0
    """Standard deviation of the natural logarithm of that time. Assumption: waits are log-normal, independent."""
    node_mtbf_h: Annotated[float, Field(gt=0)] = 20_000.0
    """Mean time to the failure of a node, h; failures come at random. Assumption: one in 2.3 years. Ask: Schroeder
    and Gibson (2010, doi 10.1109/TDSC.2009.4) found 20 to 1,000 failures a year, by system."""
    core_speed: Annotated[float, Field(gt=0)] = 1.0
    """Speed of a core there while its node is full, in that of a core here. Assumption."""
    node_spread: Annotated[float, Field(ge=0, le=1)] = 0.05
    """Standard deviation of the logarithm of the speeds of nodes. Assumption."""
    shard_spread: Annotated[float, Field(ge=0, le=1)] = 0.05
    """Standard deviation of the logarithm of the times of equal shards on one node. Assumption."""
    straggler_share: Annotated[float, Field(ge=0, le=1)] = 0.002
    """Share of the shards that take far longer, for example while a file system hangs. Assumption."""
    straggler_times: Annotated[float, Field(ge=1)] = 5.0
    """How many times longer those take. Assumption."""
    metadata_call_s: Annotated[float, Field(ge=0)] = 0.0005
    """What a call such as open or stat takes on the shared file system, s, beyond a local one. Assumption."""
    environment_shared: bool = True
    """Whether workers load Python and its libraries from the shared file system. Assumption; not with an image of
    a container, or a copy on the nodes."""


@dataclass(frozen=True)
class Layout:
    """What is asked of the scheduler."""

    nodes_per_block: int
    """Nodes of a block."""
    workers_per_node: int
    """Workers of a node, each on one core."""
    max_blocks: int = 1
    """Most blocks in the queue or running at a time."""
    walltime_s: float = math.inf
    """Time of a block, s."""
    lost_after_s: float = 0.0
    """Silence after which shards of a lost node wait again, s."""
    poll_s: float = 0.0
    """Time until the end of a block is noticed and another is asked for, s."""

    @property
    def block_workers(self) -> int:
        """Workers of a block."""
        return self.nodes_per_block * self.workers_per_node

    @property
    def processes(self) -> int:
        """Workers of all blocks."""
        return self.max_blocks * self.block_workers


@dataclass(frozen=True)
class Pace:
    """How long things take on a core of speed 1."""

    shard_s: Callable[[Shard], float]
    """Time of a shard, s."""
    opening_s: float = 0.0
    """Time of a worker before its first shard, s."""
    longest_s: float = math.inf
    """Longest time expected of a shard, s: a block with less time left starts none. Where that is as long as the
    walltime there is no such rule, and shards in progress are lost at the walltime."""


@dataclass(frozen=True)
class Course:
    """What became of a simulated run."""

    makespan_s: float
    """From the first request to the last shard, s."""
    paid_s: float
    """Time of cores in blocks, from their begin to their end, s."""
    useful_s: float
    """Time in shards that were done, s."""
    lost_s: float
    """Time in shards that were lost, which was paid for twice, s."""
    opening_s: float
    """Time in opening workers, s."""
    blocks: int
    """Blocks that ran."""
    losses: int
    """Shards that were lost, each time counted."""
    opened_at_s: NDArray[np.float64]
    """When workers began to open, shape ``(n_opened,)``."""
    ended_at_s: NDArray[np.float64]
    """When shards were done, shape ``(n_events,)``."""
    done: NDArray[np.int64]
    """The shards done at those times, from the first to before the second, shape ``(n_events, 2)``."""

    @property
    def idle_s(self) -> float:
        """Time of cores that was paid for and not used: draining, waiting for the last shards, lost nodes, s."""
        return self.paid_s - self.useful_s - self.lost_s - self.opening_s


class Simulation:
    """One run of a plan, simulated."""

    def __init__(self, plan: Plan, layout: Layout, pace: Pace, behaviour: Behaviour, *, seed: int = 0) -> None:
        """Take what is to be done.

        Args:
            plan: decides the shards.
            layout: what is asked of the scheduler.
            pace: times of shards and workers.
            behaviour: what the scheduler and the nodes do.
            seed: another one is another run.

        Raises:
            InputError: a worker and a shard do not fit into the walltime.
        """
        self.plan = plan
        self.layout = layout
        self.pace = pace
        self.behaviour = behaviour
        self.bundle = -(-plan.n_shards // MOST_EVENTS)
        """Shards that a worker does in one event."""
        shard_s = pace.shard_s(plan.shard(0)) / behaviour.core_speed
        if pace.opening_s + shard_s > layout.walltime_s:
            raise InputError(
                f"a worker opens in {pace.opening_s:,.0f} s and a shard takes {shard_s:,.0f} s, but a block ends "
                f"after {layout.walltime_s:,.0f} s; give a longer walltime or smaller shards (shard_rows)"
            )
        self._waits, self._nodes, self._times, self._again = np.random.default_rng(seed).spawn(4)
        self._n = plan.n_shards
        self._next = 0  # the first shard that was never started
        self._lost: deque[tuple[int, int]] = deque()  # shards that wait again
        self._n_lost = 0
        self._events: list[tuple[float, int, Callable[..., None], tuple[float, ...]]] = []
        self._order = count()
        self._queued = 0
        self._running: dict[int, int] = {}  # block -> workers it has
        self._began: list[float] = []
        self._idle: dict[int, float] = {}  # worker -> since when
        self._block: list[int] = []
        self._speed: list[float] = []
        self._gone: list[float] = []
        self._draws: list[float] = []
        self._finished: list[tuple[float, int, int]] = []
        self._n_done = 0
        self._sums = {"paid": 0.0, "useful": 0.0, "lost": 0.0, "opening": 0.0}
        self._losses = 0
        self._drain_s = layout.walltime_s - pace.longest_s if pace.longest_s < layout.walltime_s else math.inf

    def __call__(self) -> Course:
        """Simulate the run.

        Raises:
            InputError: shards are lost so often that the run would not end.
        """
        self._ask(0.0)
        now = 0.0
        while self._n_done < self._n:
            now, _, act, given = heappop(self._events)
            act(now, *given)
            if self._losses > _MOST_LOSSES * (self._n + self.layout.processes):
                raise InputError(
                    f"{self._losses:,} shards of {self._n:,} were lost and the run was not done; give a longer "
                    "walltime or smaller shards (shard_rows), or check node_mtbf_h"
                )
        for block, workers in self._running.items():
            assert workers > 0
            self._sums["paid"] += self.layout.block_workers * (now - self._began[block])
        ended = np.array([(first, stop) for _, first, stop in self._finished], dtype=np.int64).reshape(-1, 2)
        opened = np.repeat(self._began, self.layout.block_workers)
        return Course(
            makespan_s=now,
            paid_s=self._sums["paid"],
            useful_s=self._sums["useful"],
            lost_s=self._sums["lost"],
            opening_s=self._sums["opening"],
            blocks=len(self._began),
            losses=self._losses,
            opened_at_s=opened,
            ended_at_s=np.array([at for at, _, _ in self._finished]),
            done=ended,
        )

    def _at(self, when: float, act: Callable[..., None], *given: float) -> None:
        heappush(self._events, (when, next(self._order), act, given))

    @property
    def _waiting(self) -> int:
        """Shards that wait for a worker."""
        return self._n - self._next + self._n_lost

    def _ask(self, now: float) -> None:
        """Ask for as many blocks as have work and are allowed."""
        while (
            self._queued + len(self._running) < self.layout.max_blocks
            and self._queued * self.layout.block_workers < self._waiting
        ):
            self._queued += 1
            median_s = 3600.0 * self.behaviour.queue_wait_h
            spread = self.behaviour.queue_wait_spread
            self._at(now + median_s * math.exp(spread * self._waits.standard_normal()), self._begin)

    def _begin(self, now: float) -> None:
        """Begin a block, unless nothing waits any more: then it was given back in the queue."""
        self._queued -= 1
        if not self._waiting:
            return
        block = len(self._began)
        self._began.append(now)
        self._running[block] = self.layout.block_workers
        mtbf_s = 3600.0 * self.behaviour.node_mtbf_h
        for _ in range(self.layout.nodes_per_block):
            spread = self.behaviour.node_spread * self._nodes.standard_normal()
            gone = now + min(self.layout.walltime_s, mtbf_s * self._nodes.standard_exponential())
            for _ in range(self.layout.workers_per_node):
                worker = len(self._block)
                self._block.append(block)
                self._speed.append(self.behaviour.core_speed * math.exp(spread))
                self._gone.append(gone)
                opened = min(now + self.pace.opening_s, gone)
                self._sums["opening"] += opened - now
                self._at(opened, self._free if opened < gone else self._leave, worker)

    def _leave(self, now: float, worker: int) -> None:
        """End a worker; its block ends with the last."""
        block = self._block[worker]
        self._running[block] -= 1
        if not self._running[block]:
            del self._running[block]
            self._sums["paid"] += self.layout.block_workers * (now - self._began[block])
            self._at(now + self.layout.poll_s, self._ask)

    def _free(self, now: float, worker: int) -> None:
        """Give a worker the next shard; without one it waits, and it leaves once its block starts no more."""
        last_start = self._began[self._block[worker]] + self._drain_s
        if now > last_start or now >= self._gone[worker]:
            self._leave(now, worker)
            return
        if not self._waiting:
            self._idle[worker] = now
            leaving = min(last_start, self._gone[worker])
            if leaving < math.inf:
                self._at(leaving, self._tire, worker, now)
            return
        again = bool(self._lost)
        first, stop = self._taken(now, last_start)
        seconds = self._seconds(first, stop, again=again) / self._speed[worker]
        if now + seconds > self._gone[worker]:
            self._at(self._gone[worker], self._lose, worker, first, stop, now, seconds)
        else:
            self._at(now + seconds, self._end, worker, first, stop, seconds)

    def _tire(self, now: float, worker: int, since: float) -> None:
        """End a worker that has waited since then."""
        if self._idle.get(worker) == since:
            del self._idle[worker]
            self._leave(now, worker)

    def _taken(self, now: float, last_start: float) -> tuple[int, int]:
        """Take shards that wait: one, or as many of a bundle as may be started in time."""
        if self._lost:
            first, end = self._lost.popleft()
        else:
            first, end = self._next, self._n
        most = self.bundle
        if most > 1 and last_start < math.inf:
            shard_s = self.pace.shard_s(self.plan.shard(first)) / self.behaviour.core_speed
            most = min(most, 1 + int((last_start - now) / shard_s))
        stop = min(first + most, end)
        if end == self._n and first == self._next:
            self._next = stop
        else:
            self._n_lost -= stop - first
            if stop < end:
                self._lost.appendleft((stop, end))
        return first, stop

    def _seconds(self, first: int, stop: int, *, again: bool) -> float:
        """Return what some shards take at speed 1, s; what is lost takes another time when done again."""
        base = self.pace.shard_s(self.plan.shard(first)) * (stop - first)
        if again:
            return base * float(self._factors(self._again, 1, stop - first)[0])
        if not self._draws:
            self._draws = self._factors(self._times, 4096, self.bundle)[::-1].tolist()
        return base * self._draws.pop()

    def _factors(self, generator: np.random.Generator, size: int, bundle: int) -> NDArray[np.float64]:
        """Draw how much longer than expected shards take, the mean of each bundle, shape ``(size,)``."""
        spread = self.behaviour.shard_spread / math.sqrt(bundle)
        slow = generator.binomial(bundle, self.behaviour.straggler_share, size) / bundle
        drawn: NDArray[np.float64] = np.exp(spread * generator.standard_normal(size))
        return drawn * (1.0 + slow * (self.behaviour.straggler_times - 1.0))

    def _end(self, now: float, worker: int, first: int, stop: int, seconds: float) -> None:
        self._finish(now, first, stop, seconds)
        self._free(now, worker)

    def _finish(self, now: float, first: int, stop: int, seconds: float) -> None:
        self._finished.append((now, first, stop))
        self._n_done += stop - first
        self._sums["useful"] += seconds

    def _lose(self, now: float, worker: int, first: int, stop: int, began: float, seconds: float) -> None:
        """Lose the shard in progress; those of a bundle that had ended are done."""
        each = seconds / (stop - first)
        whole = min(int((now - began) / each), stop - first - 1)
        if whole:
            self._finish(now, first, first + whole, whole * each)
        self._sums["lost"] += now - began - whole * each
        self._losses += 1
        self._at(now + self.layout.lost_after_s, self._requeue, first + whole, stop)
        self._leave(now, worker)

    def _requeue(self, now: float, first: int, stop: int) -> None:
        """Let shards wait again, and give them to workers that wait."""
        self._lost.append((first, stop))
        self._n_lost += stop - first
        while self._idle and self._waiting:
            worker = next(iter(self._idle))
            del self._idle[worker]
            self._free(now, worker)
        if self._waiting:
            self._ask(now)
