"""What is assumed of a cluster and cannot be measured here, and which of its limits a batch exceeds."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import Field, TypeAdapter, ValidationError

from hstore.errors import InputError, unknown_name
from hstore_workflows.batch.simulate import Behaviour
from hstore_workflows.batch.spec import Part, read_part

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from hstore_workflows.batch.forecast import Forecast
    from hstore_workflows.batch.plan import Plan
    from hstore_workflows.batch.simulate import Layout

_MOST_SHARD_ROWS = 10_000_000
_FULL = 4  # shards that each worker should have at least, so that few workers wait at the end


class Limits(Part):
    """What a cluster allows and what you would accept; replace what is known of your own."""

    makespan_h: Annotated[float, Field(gt=0)] = 168.0
    """Longest time to the last shard, h. Assumption: a week."""
    core_hours: Annotated[float, Field(gt=0)] = 1_000_000.0
    """Core-hours that may be used. Assumption."""
    files: Annotated[float, Field(gt=0)] = 1_000_000.0
    """Files that may be kept. Assumption; ask for your quota."""
    files_per_folder: Annotated[float, Field(gt=0)] = 100_000.0
    """Files in one folder before listing it is slow. Assumption."""
    storage_gib: Annotated[float, Field(gt=0)] = 20_000.0
    """Bytes that may be kept, GiB. Assumption: the 20 TB of scratch that Perlmutter at NERSC gives by default."""
    metadata_per_s: Annotated[float, Field(gt=0)] = 10_000.0
    """Calls on names, such as open and stat, that one user may make on the shared file system, 1/s. Assumption."""
    handed_out_per_s: Annotated[float, Field(gt=0)] = 1_000.0
    """Shards that a driver hands out in a second. Babuji et al. (2019, doi 10.1145/3307681.3325400) report 1,200
    tasks/s of Parsl."""
    status_s: Annotated[float, Field(gt=0)] = 60.0
    """Longest time of ``hstore batch status``, s. Assumption."""
    driver_h: Annotated[float, Field(gt=0)] = 2.0
    """Longest time of planning or collecting, which one process on a login node does, h. Assumption."""
    driver_gib: Annotated[float, Field(gt=0)] = 8.0
    """Memory of the driver, GiB. Assumption."""
    worker_gib: Annotated[float, Field(gt=0)] = 2.0
    """Memory of a node for each worker, GiB. Assumption."""
    idle_share: Annotated[float, Field(gt=0, le=1)] = 0.3
    """Share of core-hours that open workers or wait. Assumption."""
    twice_share: Annotated[float, Field(gt=0, le=1)] = 0.05
    """Share of core-hours in shards that are lost. Assumption."""


class Assumptions(Part):
    """What cannot be measured here: a TOML file with the tables ``[behaviour]`` and ``[limits]``."""

    behaviour: Behaviour = Behaviour()
    """How the cluster behaves."""
    limits: Limits = Limits()
    """What it allows."""


@dataclass(frozen=True)
class Finding:
    """A limit that a batch exceeds."""

    what: str
    """What is limited, with the unit."""
    figure: float
    """What it is."""
    limit: float
    """What it may be."""
    from_candidates: float | None
    """Candidates from which on it is exceeded; None where the number of candidates does not decide."""
    change: str
    """What lifts it."""


def load_assumptions(path: Path | None, changes: Sequence[str] = ()) -> Assumptions:
    """Read assumptions from a TOML file and change some of them.

    Args:
        path: the file; the defaults hold where there is none, and for what it does not name.
        changes: texts such as ``queue_wait_h=4``.

    Raises:
        InputError: the file cannot be read, or a value is no number or out of range.
        UnknownNameError: nothing of that name is assumed.
    """
    held = read_part(TypeAdapter(Assumptions), path, "assumptions") if path else Assumptions()
    for text in changes:
        name, _, value = (part.strip() for part in text.partition("="))
        held = changed(held, name, value)
    return held


def changed(held: Assumptions, name: str, value: Any) -> Assumptions:
    """Return assumptions with another value of one of them.

    Raises:
        InputError: the value is no number, or out of range.
        UnknownNameError: nothing of that name is assumed.
    """
    for table in Assumptions.model_fields:
        part = getattr(held, table)
        if name not in type(part).model_fields:
            continue
        try:
            other = type(part).model_validate(part.model_dump() | {name: value})
        except ValidationError as error:
            raise InputError(
                f"{name}: {error.errors()[0]['msg']}, got {value!r}; see docs/how-to/scale.md"
            ) from error
        return held.model_copy(update={table: other})
    raise unknown_name("assumption", name, [*Behaviour.model_fields, *Limits.model_fields])


def findings(found: Forecast, plan: Plan, layout: Layout, limits: Limits) -> tuple[Finding, ...]:
    """Return the limits that a batch exceeds: those of any size, then in the order a growing batch meets them.

    Args:
        found: what the batch costs.
        plan: its plan, of the size that is forecast.
        layout: what is asked of the scheduler.
        limits: what is allowed.
    """
    met = (*_of_any_size(found, plan, layout, limits), *_of_size(found, plan, limits))
    return tuple(sorted(met, key=lambda finding: finding.from_candidates or 0.0))


def _of_any_size(found: Forecast, plan: Plan, layout: Layout, limits: Limits) -> Iterator[Finding]:
    """Yield the limits that are exceeded whatever the number of candidates."""
    rows = plan.batch.shard_rows
    shard_min, walltime_min = plan.batch.shard_minutes, layout.walltime_s / 60.0
    slow_min = found.shard_s * found.assumptions.behaviour.straggler_times / 60.0
    less = max(1, int(rows * shard_min / slow_min))
    needed = max(1, math.ceil(found.shards / (_FULL * layout.block_workers)))
    idle = []
    if found.opening_share.median > found.idle_share.median:
        idle.append("Python and its libraries on the nodes, so that workers open faster")
    if needed < layout.max_blocks:
        idle.append(f"max_blocks = {needed:,}, for {found.shards:,} shards are few")
    elif found.idle_share.median > found.opening_share.median:
        idle.append("smaller shards, and a walltime that is many shards long")
    rules = (
        (
            "calls on file names while workers open, 1/s",
            found.metadata_opening_per_s,
            limits.metadata_per_s,
            "keep Python and its libraries on the nodes: an image of a container, or a copy that setup unpacks",
        ),
        (
            "calls on file names while shards end, 1/s",
            found.metadata_shards_per_s,
            limits.metadata_per_s,
            _larger(rows, found.metadata_shards_per_s / limits.metadata_per_s),
        ),
        (
            "shards handed out, 1/s",
            found.handed_out_per_s,
            limits.handed_out_per_s,
            _larger(rows, found.handed_out_per_s / limits.handed_out_per_s)
            + "; or several drivers, each of a range",
        ),
        ("memory of a worker, GiB", found.worker_gib, limits.worker_gib, "fewer workers on a node"),
        (
            "time of a slow shard, min",
            slow_min,
            shard_min,
            f"shard_rows = {less}, or a larger shard_minutes",
        ),
        ("share of core-hours idle or opening workers", _idle(found), limits.idle_share, "; ".join(idle)),
        (
            "share of core-hours in lost shards",
            found.twice_share.median,
            limits.twice_share,
            f"smaller shards, such as shard_rows = {max(1, rows // 4)}, or a longer walltime",
        ),
    )
    for what, figure, limit, change in rules:
        if figure > limit:
            yield Finding(what, figure, limit, None, change)
    if shard_min >= walltime_min:
        what = "shard_minutes, in which a block of this walltime starts no shard, min"
        change = f"shard_minutes = {math.ceil(2 * slow_min)}: blocks that stop in time lose no shard at their end"
        yield Finding(what, shard_min, walltime_min, None, change)


def _of_size(found: Forecast, plan: Plan, limits: Limits) -> Iterator[Finding]:
    """Yield the limits that are exceeded because there are so many candidates."""
    rows = plan.batch.shard_rows
    skip = "bounds that skip candidates which cannot reach the list; more blocks"
    ranges = "several drivers, each of a range of shards, and a second step that collects their results"
    rules = (
        (
            "files in one folder",
            found.files,
            limits.files_per_folder,
            f"shards in folders of a thousand; or {_larger(rows, found.files / limits.files_per_folder)}",
        ),
        (
            "files",
            found.files,
            limits.files,
            f"records of a thousand shards in one file; or {_larger(rows, found.files / limits.files)}",
        ),
        (
            "results, GiB",
            found.result_gib,
            limits.storage_gib,
            "keep of each shard only its best candidates, its front and its counts",
        ),
        (
            "time of a look at all shards, s",
            found.status_s,
            limits.status_s,
            f"records of a thousand shards in one file; or {_larger(rows, found.status_s / limits.status_s)}",
        ),
        (
            "planning, h",
            found.planning_s / 3600,
            limits.driver_h,
            "digests of the files made where they are written",
        ),
        ("collecting, h", found.collect_s / 3600, limits.driver_h, ranges),
        ("memory of the driver, GiB", found.driver_gib, limits.driver_gib, ranges),
        ("time to the last shard, h", found.makespan_h.median, limits.makespan_h, skip),
        ("core-hours", found.core_hours.median, limits.core_hours, skip),
    )
    for what, figure, limit, change in rules:
        if figure > limit:
            yield Finding(what, figure, limit, plan.rows * limit / figure, change)


def _idle(found: Forecast) -> float:
    return found.idle_share.median + found.opening_share.median


def _larger(rows: int, times: float) -> str:
    """Say how large shards have to be to be so many times fewer."""
    wanted = rows * times
    if wanted > _MOST_SHARD_ROWS:
        return f"larger shards, of {_rows(_MOST_SHARD_ROWS)} at most"
    return f"larger shards, of {_rows(wanted)}"


def _rows(wanted: float) -> str:
    """Write a number of candidates with two digits, rounded up."""
    scale = 10 ** max(0, math.floor(math.log10(max(1.0, wanted))) - 1)
    return f"{math.ceil(wanted / scale) * scale:,} candidates"
