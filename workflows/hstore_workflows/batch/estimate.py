"""What a batch would take, from a sample of it that is measured here."""

from __future__ import annotations

import math
import time
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import pandas as pd
from threadpoolctl import threadpool_limits

from hstore_models.registry import Registry
from hstore_workflows.batch.plan import planned_source
from hstore_workflows.batch.shard import score_rows
from hstore_workflows.batch.site import LocalSite

if TYPE_CHECKING:
    from collections.abc import Iterator

    from hstore.settings import Settings
    from hstore_workflows.batch.plan import Plan
    from hstore_workflows.batch.site import Site
    from hstore_workflows.batch.spec import Stage

SAMPLE_ROWS = 4_000
"""Most candidates of the sample."""

_STRETCHES = 4
_BYTES_PER_VALUE = 8
_SLOW = 5.0
"""How many times longer than expected a slow shard may take."""


@dataclass(frozen=True)
class Estimate:
    """What a batch would take."""

    candidates: int
    """Candidates of the plan."""
    shards: int
    """Shards of the plan."""
    sample: int
    """Candidates that were measured."""
    candidates_per_core_s: float
    """Candidates that one core does in a second, here."""
    core_hours: float
    """Time of one core for all candidates, h."""
    hours: float
    """Time at the site, if it did nothing else and had cores like this one, h."""
    result_gib: float
    """Upper bound of the size of the results, before compression, GiB."""
    stages: dict[str, float]
    """Stage of the funnel -> most it can take, core-hours: its candidates each at its limit, or its budget."""
    advice: str
    """What should be changed before it runs there; empty where nothing needs to be."""

    def as_json(self) -> dict[str, Any]:
        """Return the estimate as plain JSON."""
        return asdict(self)

    def lines(self) -> Iterator[str]:
        """Yield the estimate in words."""
        yield f"{self.candidates:,} candidates in {self.shards:,} shards"
        yield (
            f"{self.candidates_per_core_s:,.0f} candidates/s a core, measured on {self.sample:,} of them: "
            f"{self.core_hours:.2g} core-hours, {self.hours:.2g} h at the site"
        )
        yield f"at most {self.result_gib:.2g} GiB of results before compression"
        for name, hours in self.stages.items():
            yield f"then stage {name}: at most {hours:.3g} core-hours"
        if self.advice:
            yield self.advice


def estimate(plan: Plan, site: Site, settings: Settings) -> Estimate:
    """Measure some candidates of a batch, on one thread, and say what all would take.

    The candidates come from several places of the source, for its ends are seldom like its middle.
    """
    source = planned_source(plan)
    starts, size = sample_starts(plan.rows)
    registry = Registry(settings.models_dir)
    models = {name: registry.load(name, model_id) for name, model_id in plan.models.items()}
    with threadpool_limits(1):
        score_rows(plan, models, source.read(starts[0], starts[0] + min(size, 100)), starts[0], {})  # compiles
        started = time.perf_counter()
        frames = [score_rows(plan, models, source.read(s, s + size), s, {})[0] for s in starts]
        taken_s = time.perf_counter() - started
    scored = pd.concat(frames)
    sample = size * len(starts)
    rate = sample / taken_s
    core_hours = plan.rows / rate / 3600
    return Estimate(
        candidates=plan.rows,
        shards=plan.n_shards,
        sample=sample,
        candidates_per_core_s=rate,
        core_hours=core_hours,
        hours=core_hours / site.processes,
        advice=_advice(plan, site, plan.batch.shard_rows / rate),
        stages={stage.name: _most_core_hours(stage) for stage in plan.batch.stages},
        result_gib=plan.rows * _bytes_of_row(scored) / 2**30,
    )


def _advice(plan: Plan, site: Site, shard_s: float) -> str:
    """Say where blocks would go on beginning shards until their walltime cuts them."""
    allowed_min = plan.batch.shard_minutes
    if isinstance(site, LocalSite) or 60.0 * allowed_min < site.walltime_s:
        return ""
    wanted = max(1, math.ceil(_SLOW * shard_s / 60.0))
    return (
        f"a shard takes about {shard_s:,.0f} s and may take {allowed_min:g} min, as long as a block: those in "
        f"progress at the walltime would be lost; set shard_minutes = {wanted}"
        + ("" if 60 * wanted < site.walltime_s else ", and smaller shards or a longer walltime")
    )


def _most_core_hours(stage: Stage) -> float:
    limit = (stage.take + stage.audit) * stage.minutes / 60
    return min(limit, stage.budget_core_hours or limit)


def sample_starts(rows: int) -> tuple[list[int], int]:
    """Return where the stretches of a sample begin among some candidates, and how many candidates one has."""
    size = max(1, min(SAMPLE_ROWS, rows) // _STRETCHES)
    starts = {int(place * (rows - size) / max(1, _STRETCHES - 1)) for place in range(_STRETCHES)}
    return sorted(starts), size


def _bytes_of_row(scored: pd.DataFrame) -> float:
    """Return what a row takes before compression: numbers, and texts with the place where they end."""
    texts = scored.select_dtypes("object")
    letters = sum(float(texts[name].astype(str).str.len().mean()) for name in texts)
    return _BYTES_PER_VALUE * scored.shape[1] + letters
