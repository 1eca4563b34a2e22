"""A funnel: what costs more is asked of fewer, each stage of the best of the one before.

Each stage is a run of its own in a folder of its own, so that it is done once, survives what the first one
survives, and can be looked at alone. What a stage cuts without having been right is measured: some of the cut
candidates are asked about all the same, half of them from just below the cut and half from all others.
"""

from __future__ import annotations

import json
import time
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from scipy.stats import beta, spearmanr

from hstore.errors import InputError
from hstore_workflows.batch.collecting import collect
from hstore_workflows.batch.plan import PLAN_FILE, Plan, keep_plan, read_plan, versions_for
from hstore_workflows.batch.running import Run
from hstore_workflows.batch.shard import do_shard, opened
from hstore_workflows.batch.source import open_source
from hstore_workflows.batch.spec import FilesSource, Work
from hstore_workflows.batch.standing import ShardError, standing
from hstore_workflows.batch.whole import first_of, write_first
from hstore_workflows.batch.work import IDENTITY

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from hstore.settings import Settings
    from hstore_workflows.batch.collecting import Collected
    from hstore_workflows.batch.shard import Task
    from hstore_workflows.batch.site import Site
    from hstore_workflows.batch.spec import Stage

STAGES, FUNNEL, FINAL = "stages", "funnel.json", "final"
"""Names in the folder of a run: the folder of the stages, their report, and the last ranking (Parquet and CSV)."""

_SOURCE = "source"
_INPUT, _TAKEN = f"{_SOURCE}/input.parquet", f"{_SOURCE}/taken.json"
_TIMED = 3
"""Candidates by which the time of a stage is measured."""
_CONFIDENCE = 0.95
_FINAL_SHARE = 10
"""The last stage is judged by its best tenth: nothing comes after it that would say how many count."""


@dataclass(frozen=True)
class Audit:
    """Cut candidates that were asked about all the same."""

    asked: int
    """How many got an answer."""
    better: int
    """Those that are among the best now."""
    stand_for: int
    """Candidates they were drawn from."""

    @property
    def expected_loss(self) -> float | None:
        """Candidates cut that would be among the best now, by the share of those asked; None where none was."""
        return self.stand_for * self.better / self.asked if self.asked else None

    @property
    def largest_share(self) -> float:
        """Share of them that it is at most, with 95 % confidence.

        The bound of Clopper and Pearson, doi 10.1093/biomet/26.4.404.
        """
        if self.better == self.asked:
            return 1.0
        return float(beta.ppf(_CONFIDENCE, self.better + 1, self.asked - self.better))


@dataclass(frozen=True)
class StageReport:
    """What a stage did."""

    name: str
    """Its name."""
    rule: str
    """Whom it was asked about."""
    given: int
    """Candidates the stage before answered."""
    asked: int
    """Candidates it was asked about, without those of the audit."""
    answered: int
    """Candidates with an answer, with those of the audit."""
    rejected: int
    """Candidates without one."""
    core_hours: float
    """Time it took, h."""
    agreement: float | None
    """Rank correlation (Spearman) of the scores before and after, of those asked because they were best."""
    best: int
    """How many of its best are meant below: those that the next stage takes, or the best tenth."""
    near: Audit
    """Audit of the candidates just below the cut, as many as were taken."""
    far: Audit
    """Audit of all the others."""

    def lines(self) -> Iterator[str]:
        """Yield it in words."""
        yield f"{self.name}: {self.asked:,} of {self.given:,} ({self.rule})"
        yield (
            f"  with the audit {self.answered:,} answered and {self.rejected:,} rejected, "
            f"{self.core_hours:.2g} core-hours"
        )
        if self.agreement is not None:
            yield f"  rank correlation with the scores before: {self.agreement:.2f}"
        for audit, word in ((self.near, "just below the cut"), (self.far, "further below")):
            if audit.asked:
                bound = f"at most {audit.largest_share:.1%}, 95 %"
                yield (
                    f"  cut, and would be among the best {self.best:,} now: {audit.better} of {audit.asked} asked "
                    f"{word}, so about {audit.expected_loss:,.0f} of {audit.stand_for:,} ({bound})"
                )
        if not self.near.asked + self.far.asked:
            yield "  what the cut lost is not known: nothing that was cut was asked about (audit)"

    def as_json(self) -> dict[str, Any]:
        """Return it as plain JSON."""
        audits = {"near": self.near, "far": self.far}
        told = {
            name: asdict(audit) | {"expected_loss": audit.expected_loss, "largest_share": audit.largest_share}
            for name, audit in audits.items()
        }
        return asdict(self) | told


def do_stages(
    plan: Plan,
    folder: Path,
    settings: Settings,
    site: Site,
    first: Collected,
    *,
    tell: Callable[[int, str], None] = lambda _number, _why: None,
    say: Callable[[str], None] = lambda _line: None,
) -> list[StageReport]:
    """Do the stages of a batch that are not done, and write their report and the last ranking.

    Args:
        plan: of the first stage.
        folder: of the run.
        settings: where the models are.
        site: where the stages are done.
        first: the first stage, collected.
        tell: as for :class:`hstore_workflows.batch.running.Run`.
        say: told in one line what is being done.

    Raises:
        InputError: a folder of a stage holds something else, or nothing is left to ask about.
        ShardError: a stage cannot be done.
    """

    def doing(stage: Stage, beside: Path, before: Collected) -> Plan:
        own = _stage_plan(plan, stage, beside, before, settings, site, say)
        say(f"stage {stage.name}: {own.rows:,} candidates")
        Run(own, beside, settings, site, tell, say=say)()
        return own

    return _through(plan, folder, first, doing)


def collect_stages(plan: Plan, folder: Path, first: Collected) -> list[StageReport]:
    """Put the stages of a batch together that are done; write and return what :func:`do_stages` does.

    Args:
        plan: of the first stage.
        folder: of the run.
        first: the first stage, collected.

    Raises:
        ShardError: a stage has not begun, or is not done.
    """

    def done(stage: Stage, beside: Path, _before: Collected) -> Plan:
        own = read_plan(beside) if (beside / PLAN_FILE).is_file() else None
        if own is None or standing(own, beside).missing:
            raise ShardError(f"stage {stage.name} is not done; run: hstore batch resume {folder}")
        return own

    return _through(plan, folder, first, done)


def _through(
    plan: Plan, folder: Path, first: Collected, done: Callable[[Stage, Path, Collected], Plan]
) -> list[StageReport]:
    """Go through the stages, each of which ``done`` leaves done, and write their report and the last ranking."""
    reports: list[StageReport] = []
    scores: dict[str, pd.Series[float]] = {}
    before = first
    for number, stage in enumerate(plan.batch.stages, 1):
        beside = folder / STAGES / f"{number}-{stage.name}"
        own = done(stage, beside, before)
        found = collect(own, beside)
        if not len(found.top):
            raise ShardError(
                f"stage {stage.name} answered none of {own.rows:,} candidates; see {beside}/rejected.csv"
            )
        following = plan.batch.stages[number].take if number < len(plan.batch.stages) else None
        reports.append(_report(stage, beside, own, before, found, following))
        scores[f"score_{stage.name}"] = found.top.set_index("candidate")["score"]
        before = found
    if reports:
        _write(folder, before, first, scores, reports)
    return reports


def stage_folders(folder: Path) -> list[Path]:
    """Return the folders of the stages that have begun, in order."""
    return sorted(path.parent for path in (folder / STAGES).glob(f"*/{PLAN_FILE}"))


def _stage_plan(
    plan: Plan,
    stage: Stage,
    beside: Path,
    before: Collected,
    settings: Settings,
    site: Site,
    say: Callable[[str], None],
) -> Plan:
    """Return the plan of a stage, kept in its folder; one that is there already is gone on with.

    Raises:
        InputError: the folder holds a stage of something else.
    """
    asked = {"before": before.summary["plan_id"], "stage": stage.model_dump(mode="json")}
    if (beside / PLAN_FILE).is_file():
        held = json.loads((beside / _TAKEN).read_text(encoding="utf-8"))
        own = read_plan(beside)
        if held["asked"] != asked or own.versions != versions_for(own.batch):
            raise InputError(
                f"{beside} holds a stage of other candidates, settings or code; delete it to do the stage again"
            )
        return own
    (beside / _SOURCE).mkdir(parents=True, exist_ok=True)
    take = stage.take
    if stage.budget_core_hours is not None:
        say(f"stage {stage.name}: measuring {_TIMED} candidates")
        seconds = _seconds_of_one(plan, stage, beside, before, settings, site)
        take = min(take, max(1, int(stage.budget_core_hours * 3600 / seconds) - stage.audit))
        say(f"stage {stage.name}: {seconds:.3g} s a candidate; {take:,} of {stage.take:,} within the budget")
    chosen = _chosen(before, take, stage.audit, seed=int(plan.plan_id[:8], 16))
    with first_of(beside / _INPUT) as scratch:
        chosen.to_parquet(scratch, index=False)
    write_first(beside / _TAKEN, json.dumps({"asked": asked, "take": take}, indent=1) + "\n")
    own = _plan_of(plan, stage, beside)
    keep_plan(own, beside)
    return own


def _plan_of(plan: Plan, stage: Stage, beside: Path) -> Plan:
    """Return the plan of a stage about the candidates in its folder."""
    spec = FilesSource(kind="files", files=(_INPUT,))
    source, fingerprint = open_source(spec, beside, beside / _SOURCE)
    batch = plan.batch.model_copy(
        update={
            "name": f"{plan.batch.name[:31]}-{stage.name}",
            "source": spec,
            "work": Work(function=stage.function, arguments=stage.arguments),
            "stages": (),
            "shard_rows": stage.shard_rows,
            "chunk_rows": stage.shard_rows,
            "top": len(source),
            "tries": 1,
            "shard_minutes": stage.minutes * stage.shard_rows,
            "memory_mib": stage.memory_mib,
        }
    )
    return Plan(batch, plan.target, {}, fingerprint, len(source), versions_for(batch))


def _chosen(before: Collected, take: int, audit: int, seed: int) -> pd.DataFrame:
    """Return the candidates of a stage: the best, and those that see what is cut; ``why`` says which is which."""
    best, ranked = before.ranked.best, before.ranked
    near = best[take : 2 * take]
    rng = np.random.default_rng(seed)
    half = audit // 2 + audit % 2
    drawn = rng.choice(len(near), min(half, len(near)), replace=False) if near else ()
    places = {"best": best[:take], "near": [near[place] for place in sorted(drawn)]}
    places["far"] = _others(ranked.rows, set(best[: 2 * take]), audit - len(places["near"]), rng)
    parts = []
    for why, wanted in places.items():
        part = ranked.frame(wanted)
        columns = ["candidate", *(name for name in IDENTITY if name in part), "score"]
        parts.append(part[columns].assign(why=why))
    return pd.concat([part for part in parts if len(part)], ignore_index=True)


def _others(
    rows: list[int], known: set[tuple[int, int]], count: int, rng: np.random.Generator
) -> list[tuple[int, int]]:
    """Draw places that are not known, without listing all there are."""
    ends = np.cumsum(rows)
    total = int(ends[-1]) if len(ends) else 0
    count = min(count, total - len(known))
    drawn: dict[tuple[int, int], None] = {}
    while len(drawn) < count:
        place = int(rng.integers(total))
        file = int(np.searchsorted(ends, place, side="right"))
        found = (file, place - (int(ends[file - 1]) if file else 0))
        if found not in known:
            drawn[found] = None
    return sorted(drawn)


def do_timed(task: Task) -> float:
    """Ask about the candidates of a probe and return the time it took once the plan was open, s."""
    opened(task.folder, task.home)
    started = time.monotonic()
    do_shard(task)
    return time.monotonic() - started


def _seconds_of_one(
    plan: Plan, stage: Stage, beside: Path, before: Collected, settings: Settings, site: Site
) -> float:
    """Measure the time of a candidate where the stage will be done, on some of the best, s."""
    timing = beside / _SOURCE / "timing"
    best = before.ranked.best[: stage.take]
    places = sorted({int(place) for place in np.linspace(0, len(best) - 1, _TIMED)})
    (timing / _SOURCE).mkdir(parents=True, exist_ok=True)
    with first_of(timing / _INPUT) as scratch:
        before.ranked.frame([best[place] for place in places]).to_parquet(scratch, index=False)
    own = _plan_of(plan, stage.model_copy(update={"shard_rows": 1}), timing)
    keep_plan(own, timing)
    return float(np.mean(Run(own, timing, settings, site, do=do_timed).timed()))


def _report(
    stage: Stage, beside: Path, own: Plan, before: Collected, found: Collected, following: int | None
) -> StageReport:
    asked = pd.read_parquet(beside / _INPUT, columns=["candidate", "why"]).set_index("candidate")["why"]
    answered = found.top.set_index("candidate")
    why = asked.loc[answered.index]
    best = min(following or max(1, stage.take // _FINAL_SHARE), len(answered))
    threshold = answered["score"].iloc[best - 1]
    taken, given = int((asked == "best").sum()), sum(before.ranked.rows)
    near_size = min(taken, given - taken)

    def audit(stratum: str, size: int) -> Audit:
        scores = answered["score"][(why == stratum).to_numpy()]
        return Audit(len(scores), int((scores >= threshold).sum()), size)

    ours = answered[(why == "best").to_numpy()]
    varied = len(ours) > 2 and all(np.ptp(ours[name]) > 0 for name in ("score", "score_before"))
    state = standing(own, beside)
    return StageReport(
        name=stage.name,
        rule=f"the best {taken:,} by score" + ("" if taken == stage.take else ", as many as the budget allows"),
        given=given,
        asked=taken,
        answered=state.candidates,
        rejected=state.rejected,
        core_hours=state.core_seconds / 3600,
        agreement=float(spearmanr(ours["score_before"], ours["score"]).statistic) if varied else None,
        best=best,
        near=audit("near", near_size),
        far=audit("far", given - taken - near_size),
    )


def _write(
    folder: Path,
    last: Collected,
    first: Collected,
    scores: dict[str, pd.Series[float]],
    reports: list[StageReport],
) -> None:
    """Write the report, and the last ranking with the scores of all stages and the predictions of the first."""
    final = last.top.drop(columns="score_before")
    for name, of_stage in scores.items():
        final[name] = of_stage.reindex(final["candidate"]).to_numpy()
    known = first.top.set_index("candidate")
    more = [name for name in known if name not in final and name != "rank"]
    final = final.join(known[more], on="candidate").drop(columns="score")
    final["rank"] = np.arange(1, len(final) + 1)
    final.to_parquet(folder / f"{FINAL}.parquet", index=False)
    final.to_csv(folder / f"{FINAL}.csv", index=False, float_format="%.6g", lineterminator="\n")
    text = json.dumps([report.as_json() for report in reports], indent=1)
    (folder / FUNNEL).write_text(text + "\n", encoding="utf-8")
