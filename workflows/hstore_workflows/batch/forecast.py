"""What a batch of any size would cost at a site, which limits it meets, and what lifts them."""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import numpy as np

from hstore.errors import InputError
from hstore_workflows.batch.estimate import estimate
from hstore_workflows.batch.limits import Assumptions, Finding, changed, findings
from hstore_workflows.batch.plan import Plan, make_plan
from hstore_workflows.batch.rates import Rates, measure, read_rates
from hstore_workflows.batch.simulate import Layout, Pace, Simulation
from hstore_workflows.batch.site import LocalSite

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from numpy.typing import NDArray

    from hstore.settings import Settings
    from hstore_workflows.batch.site import Site

MOST_CANDIDATES = 1e15
"""Largest batch that is forecast."""

_GIB = 2.0**30


@dataclass(frozen=True)
class Spread:
    """A figure of several simulated runs."""

    median: float
    """Half of the runs have less."""
    low: float
    """5 % of the runs have less."""
    high: float
    """5 % of the runs have more."""

    @classmethod
    def of(cls, figures: Sequence[float]) -> Spread:
        """Summarize the figures of some runs."""
        low, median, high = np.quantile(figures, (0.05, 0.5, 0.95)).tolist()
        return cls(median, low, high)


@dataclass(frozen=True)
class Change:
    """What another value of an assumption does."""

    assumption: str
    """Its name; empty for the row without a change."""
    value: float | None
    """The other value."""
    makespan_h: float
    """Time to the last shard, h, median."""
    core_hours: float
    """Core-hours, median."""
    twice_share: float
    """Share of them in lost shards, median."""
    idle_share: float
    """Share of them idle or opening workers, median."""
    collect_s: float
    """Collecting, s."""

    def line(self) -> str:
        """Return it in words."""
        case = f"{self.assumption} = {self.value:g}" if self.assumption else "as assumed"
        return (
            f"{case}: {self.makespan_h:,.3g} h, {self.core_hours:,.4g} core-hours, {self.twice_share:.2%} twice, "
            f"{self.idle_share:.1%} idle or opening, collecting {self.collect_s:,.0f} s"
        )


@dataclass(frozen=True)
class Forecast:
    """What a batch would cost."""

    candidates: int
    """Candidates."""
    shards: int
    """Shards."""
    workers: int
    """Workers of all blocks."""
    runs: int
    """Simulated runs."""
    shards_an_event: int
    """Shards that a worker does in one event; above 1 the simulation is coarse."""
    shard_s: float
    """Time of a full shard on a core there, s."""
    opening_s: float
    """Time in which a worker opens there, s."""
    makespan_h: Spread
    """From the first request to the last shard, h."""
    core_hours: Spread
    """Time of cores in blocks, h."""
    twice_share: Spread
    """Share of it in shards that were lost."""
    opening_share: Spread
    """Share of it in opening workers."""
    idle_share: Spread
    """Share of it that waits: for shards, for the end of a block, on lost nodes."""
    blocks: Spread
    """Blocks that ran."""
    lost_shards: Spread
    """Shards that were lost, each time counted."""
    files: float
    """Files written."""
    result_gib: float
    """Bytes written, GiB."""
    metadata_opening_per_s: float
    """Calls on names at the shared file system while most workers open, 1/s, if it answered them all."""
    metadata_shards_per_s: float
    """The same in the second in which most shards end, 1/s."""
    handed_out_per_s: float
    """Shards that workers ask for while all work, 1/s."""
    planning_s: float
    """Planning, s."""
    status_s: float
    """Looking at all shards, s."""
    collect_s: float
    """Collecting, s."""
    driver_gib: float
    """Memory of the driver, GiB."""
    worker_gib: float
    """Memory of a worker, GiB."""
    plan_bytes: float
    """Size of the plan, bytes."""
    manifest_bytes: float
    """Size of the list of shards, bytes."""
    rates: Rates
    """What was measured."""
    assumptions: Assumptions
    """What was assumed."""
    findings: tuple[Finding, ...] = ()
    """Limits that are exceeded: first those of any size, then in the order in which a growing batch meets them."""
    changes: tuple[Change, ...] = ()
    """What other assumptions would do, where that was asked for."""

    def as_json(self) -> dict[str, Any]:
        """Return the forecast as plain JSON."""
        return asdict(self) | {"assumptions": self.assumptions.model_dump(mode="json")}

    def lines(self) -> Iterator[str]:
        """Yield the forecast in words."""
        yield (
            f"{self.candidates:,} candidates in {self.shards:,} shards of {self.shard_s:,.1f} s, "
            f"{self.workers:,} workers; {self.rates.candidates_per_core_s:,.0f} candidates/s a core, "
            f"measured on {self.rates.sample:,}"
        )
        yield f"{_range(self.makespan_h)} h, {_range(self.core_hours)} core-hours, {_range(self.blocks)} blocks"
        yield (
            f"of the core-hours {self.twice_share.median:.2%} in lost shards, {self.opening_share.median:.1%} "
            f"opening workers, {self.idle_share.median:.1%} idle"
        )
        yield (
            f"{self.files:,.0f} files, {self.result_gib:,.3g} GiB; plan {self.plan_bytes / 2**10:,.2g} KiB, "
            f"list of shards {self.manifest_bytes / 2**20:,.2g} MiB"
        )
        yield (
            f"calls on the file system: {self.metadata_opening_per_s:,.0f}/s while workers open, "
            f"{self.metadata_shards_per_s:,.0f}/s while shards end"
        )
        yield (
            f"driver: planning {self.planning_s:,.1f} s, status {self.status_s:,.1f} s, collecting "
            f"{self.collect_s:,.0f} s, {self.driver_gib:,.2g} GiB"
        )
        if self.shards_an_event > 1:
            yield f"simulated coarsely: a worker does {self.shards_an_event} shards in one event"
        yield "breaks first:" if self.findings else "breaks nothing"
        for place, found in enumerate(self.findings, start=1):
            size = (
                "at any size" if found.from_candidates is None else f"from {found.from_candidates:,.2g} candidates"
            )
            figures = f"{found.figure:,.3g}, limit {found.limit:,.3g}"
            yield f"{place}. {found.what}: {figures}, {size}; {found.change}"
        for change in self.changes:
            yield change.line()


def at_site(
    path: Path,
    site: Site,
    settings: Settings,
    assumptions: Assumptions,
    *,
    candidates: float | None = None,
    seed: int = 0,
    runs: int = 10,
    vary: bool = False,
    measured: Path | None = None,
    say: Callable[[str], None] = lambda _: None,
) -> Forecast:
    """Plan a batch, measure what it costs here, and forecast it; nothing but missing models is made.

    Args:
        path: the specification.
        site: where it would run; one without a queue has no wait, and no file system that is shared.
        settings: where data and models are.
        assumptions: what cannot be measured here.
        candidates: size to forecast; None takes that of the specification.
        seed: as for :func:`forecast`.
        runs: as for :func:`forecast`.
        vary: whether to add what other assumptions would do.
        measured: an earlier forecast whose rates hold; None measures.
        say: told in one line what is being done.

    Raises:
        InputError: the specification or the size cannot be used, or shards do not fit into the walltime.
    """
    if isinstance(site, LocalSite):
        for name, value in (("queue_wait_h", 0), ("metadata_call_s", 0), ("environment_shared", False)):
            assumptions = changed(assumptions, name, value)
    with TemporaryDirectory(prefix="hstore-batch-") as scratch:
        plan, planning_s = _planned(path, Path(scratch), settings, say)
        large, layout = scaled(plan, candidates), layout_of(site)
        if measured is not None:
            rates = read_rates(measured)
        else:
            say(f"measuring on candidates of {path}")
            rates = measure(plan, settings, planning_s, estimate(plan, site, settings))
    say(f"simulating {runs} runs of {large.n_shards:,} shards")
    found = forecast(large, layout, rates, assumptions, seed=seed, runs=runs)
    if not vary:
        return found
    return replace(found, changes=tuple(sensitivity(large, layout, rates, assumptions, seed=seed, runs=runs)))


def _planned(path: Path, scratch: Path, settings: Settings, say: Callable[[str], None]) -> tuple[Plan, float]:
    """Return a plan and what planning took, s; where models were trained first, planning again."""
    trained: list[str] = []
    for place in ("first", "again"):
        trained.clear()
        started = time.perf_counter()
        plan = make_plan(path, scratch / place, settings, say=trained.append)
        planning_s = time.perf_counter() - started
        for line in trained:
            say(line)
        if not trained:
            break
    return plan, planning_s


def layout_of(site: Site) -> Layout:
    """Return what a site asks of its scheduler; a local site is one block that does not end."""
    if isinstance(site, LocalSite):
        return Layout(nodes_per_block=1, workers_per_node=site.processes)
    return Layout(
        nodes_per_block=site.nodes_per_block,
        workers_per_node=site.workers_per_node,
        max_blocks=site.max_blocks,
        walltime_s=site.walltime_s,
        lost_after_s=site.lost_after_s,
        poll_s=site.poll_s,
    )


def scaled(plan: Plan, candidates: float | None) -> Plan:
    """Return a plan as it would be with so many candidates.

    Raises:
        InputError: there are none, or more than :data:`MOST_CANDIDATES`.
    """
    if candidates is None:
        return plan
    if not 1 <= candidates <= MOST_CANDIDATES:
        raise InputError(
            f"candidates must be between 1 and {MOST_CANDIDATES:.0e}, got {candidates:g}; scale with 1e10"
        )
    return replace(plan, rows=int(candidates))


def forecast(
    plan: Plan, layout: Layout, rates: Rates, assumptions: Assumptions, *, seed: int = 0, runs: int = 10
) -> Forecast:
    """Say what a batch costs.

    Args:
        plan: of the size that is asked for.
        layout: what is asked of the scheduler.
        rates: what was measured on this batch.
        assumptions: what was not.
        seed: of the first simulated run; the others have those that follow.
        runs: how many runs are simulated.

    Raises:
        InputError: shards do not fit into the walltime.
    """
    behaviour, limits = assumptions.behaviour, assumptions.limits
    calls = rates.opening_operations if behaviour.environment_shared else 0.0
    alone_s = rates.opening_s / behaviour.core_speed + calls * behaviour.metadata_call_s
    together_s = calls * layout.block_workers / limits.metadata_per_s  # all of a block open at once
    pace = Pace(
        shard_s=lambda shard: rates.shard_s(shard.stop - shard.start),
        opening_s=max(alone_s, together_s),
        longest_s=60.0 * plan.batch.shard_minutes,
    )
    simulations = [Simulation(plan, layout, pace, behaviour, seed=seed + number) for number in range(runs)]
    bundle = simulations[0].bundle
    courses = [simulation() for simulation in simulations]
    shards, rows = plan.n_shards, plan.rows
    shard_s = rates.shard_s(min(plan.batch.shard_rows, rows)) / behaviour.core_speed
    look_s = rates.look_s + rates.look_operations * behaviour.metadata_call_s
    reread_s = (rates.look_operations + 2 * rates.files_per_shard) * behaviour.metadata_call_s
    taken = min(plan.batch.top, shards) * min(plan.batch.shard_rows, rows)  # shards with one of the best are read
    opening = max(_most_within(course.opened_at_s, alone_s) for course in courses)
    ending = max(_most_within(course.ended_at_s, 1.0, np.diff(course.done)[:, 0]) for course in courses)
    found = Forecast(
        candidates=rows,
        shards=shards,
        workers=layout.processes,
        runs=runs,
        shards_an_event=bundle,
        shard_s=shard_s,
        opening_s=pace.opening_s,
        makespan_h=Spread.of([course.makespan_s / 3600 for course in courses]),
        core_hours=Spread.of([course.paid_s / 3600 for course in courses]),
        twice_share=Spread.of([course.lost_s / course.paid_s for course in courses]),
        opening_share=Spread.of([course.opening_s / course.paid_s for course in courses]),
        idle_share=Spread.of([course.idle_s / course.paid_s for course in courses]),
        blocks=Spread.of([course.blocks for course in courses]),
        lost_shards=Spread.of([course.losses for course in courses]),
        files=shards * rates.files_per_shard,
        result_gib=(rows * rates.bytes_per_candidate + shards * rates.bytes_per_shard) / _GIB,
        metadata_opening_per_s=opening * calls / max(alone_s, 1e-9),
        metadata_shards_per_s=ending * rates.shard_operations,
        handed_out_per_s=min(layout.processes, shards) / shard_s,
        planning_s=rates.planning_s * (rows / rates.planned_rows if rates.planning_grows else 1.0),
        status_s=shards * look_s,
        collect_s=shards * (rates.collect_shard_s + reread_s)
        + rows * rates.collect_candidate_s
        + taken * rates.take_candidate_s,
        driver_gib=(rates.planning_mib * 2**20 + shards * rates.standing_bytes_per_shard) / _GIB,
        worker_gib=rates.worker_mib / 1024,
        plan_bytes=rates.plan_bytes,
        manifest_bytes=shards * rates.listed_bytes_per_shard,
        rates=rates,
        assumptions=assumptions,
    )
    return replace(found, findings=findings(found, plan, layout, limits))


def sensitivity(
    plan: Plan, layout: Layout, rates: Rates, assumptions: Assumptions, *, seed: int = 0, runs: int = 10
) -> list[Change]:
    """Say what half and twice of each assumed behaviour would do, as :func:`forecast` with the same rates."""
    fields = assumptions.behaviour.model_dump()
    cases: list[tuple[str, Any]] = [("", None)]
    for name, value in fields.items():
        others = [not value] if isinstance(value, bool) else [value / 2, value * 2]
        cases += [(name, other) for other in others if value != other]
    table = []
    for name, value in cases:
        try:
            case = changed(assumptions, name, value) if name else assumptions
        except InputError:  # half or twice is out of its range
            continue
        found = forecast(plan, layout, rates, case, seed=seed, runs=runs)
        idle = found.idle_share.median + found.opening_share.median
        table.append(
            Change(
                name,
                value,
                found.makespan_h.median,
                found.core_hours.median,
                found.twice_share.median,
                idle,
                found.collect_s,
            )
        )
    return table


def _most_within(times: NDArray[np.float64], window: float, weights: NDArray[np.int64] | None = None) -> float:
    """Return the largest sum of weights (1 each where none are given) of events less than a window apart."""
    order = np.argsort(times, kind="stable")
    ordered = times[order]
    sums = np.concatenate([[0], np.cumsum(np.ones(len(times)) if weights is None else weights[order])])
    first = np.searchsorted(ordered, ordered - window, side="right")
    return float((sums[1:] - sums[first]).max())


def _range(figure: Spread) -> str:
    return f"{figure.median:,.3g} ({figure.low:,.3g} to {figure.high:,.3g})"
