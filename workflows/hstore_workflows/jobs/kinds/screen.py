"""Rank candidates for a target: the pool of hstore, or formulas or a table of the caller's own."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

from pydantic import Field, model_validator

from hstore.errors import InputError, unknown_name
from hstore.keys import Permission
from hstore_workflows.jobs.kind import Kind, Parameters, Step, Work, write_whole
from hstore_workflows.jobs.rows import Formulas, Rows, write_rows

if TYPE_CHECKING:
    from hstore.records import Scope
    from hstore.settings import Settings

_RECORD = "screen.json"
_TABLE = "candidates.csv"


class ScreenParameters(Parameters):
    """What to rank, and for what."""

    target: str = Field("onboard", examples=["stationary"])
    """A target that hstore ships: ``onboard``, ``stationary``, ``cryo-sorbent`` or ``electrolyte``."""
    formulas: Formulas | None = Field(None, examples=[["LaNi5", "TiFe"]])
    """Formulas to rank; the pool of the target where neither these nor ``rows`` are given."""
    rows: Rows | None = Field(None, examples=[[{"formula": "LaNi5", "batch": "A7"}]])
    """A table to rank, with a column ``formula`` (sorbents: texture); further columns are kept."""
    publish: bool = True
    """Whether the screen is listed among the screens, for whoever may see the job."""

    @model_validator(mode="after")
    def _one_table(self) -> ScreenParameters:
        if self.formulas is not None and self.rows is not None:
            raise ValueError("give formulas or rows, not both")
        return self


def _check(asked: ScreenParameters, _settings: Settings, _scope: Scope) -> None:
    from hstore_workflows.target import shipped_targets

    if asked.target not in shipped_targets():
        raise unknown_name("target", asked.target, shipped_targets())


def _models(work: Work[ScreenParameters]) -> dict[str, Any]:
    from hstore_models.training import ensure
    from hstore_workflows.scoring import MODELS_OF_KIND
    from hstore_workflows.target import load_target

    names = MODELS_OF_KIND[load_target(work.parameters.target).kind]
    found = {}
    for done, name in enumerate(names):
        work.say(f"looking at the model {name}", done / len(names))
        found[name] = ensure(name, work.settings, say=work.say).card.model_id
    return {"models": found}


def _rank(work: Work[ScreenParameters]) -> dict[str, Any]:
    from hstore_workflows.pool import shipped_pool, table_pool
    from hstore_workflows.publish import screen_record
    from hstore_workflows.screen import run_screen, write_screen
    from hstore_workflows.target import load_target

    asked, target = work.parameters, load_target(work.parameters.target)
    rows = asked.rows or [{"formula": formula} for formula in asked.formulas or ()]
    if rows:
        write_rows(rows, work.folder / _TABLE)
        pool = table_pool(work.folder / _TABLE, target)
    else:
        pool = shipped_pool(target, seed=work.settings.seed)
    result = run_screen(target, pool, work.settings, say=work.say)
    work.say("writing tables and report", 0.8)
    write_screen(result, work.files)
    # The identifier comes from the job, so that a job publishes one screen, however often it is begun.
    name = f"{target.name}-{hashlib.sha256(work.job.job_id.encode()).hexdigest()[:12]}"
    record = screen_record(result, access=work.job.access).model_copy(update={"screen_id": name})
    write_whole(work.folder / _RECORD, record.model_dump_json())
    return {"n_candidates": record.n_candidates, "n_rejected": record.n_rejected}


def _publish(work: Work[ScreenParameters]) -> dict[str, Any]:
    from hstore.records import Screen

    path = work.folder / _RECORD
    if not path.is_file():
        raise InputError(
            "the ranking of this job is not on this machine: workers that share a store must share HSTORE_HOME; "
            "try the job again"
        )
    screen = Screen.model_validate_json(path.read_text(encoding="utf-8"))
    # It is there already where its worker died, or the store was away, before the job could be ended.
    if work.parameters.publish and work.store.screen(screen.screen_id, scope=work.scope) is None:
        work.store.add_screen(screen)
    return {
        "screen_id": screen.screen_id if work.parameters.publish else None,
        "target": screen.target,
        **work.before["rank"],
        **work.before["models"],
    }


SCREEN = Kind(
    name="screen",
    summary="Ranks candidates for a target and leaves a report, the ranked table and a published screen.",
    permission=Permission.RUN,
    parameters=ScreenParameters,
    steps=(
        Step("models", "train the models that are missing", _models),
        Step("rank", "predict and rank the candidates", _rank),
        Step("publish", "publish the screen", _publish),
    ),
    files=("report.html", "candidates.csv", "candidates.parquet", "rejected.csv", "manifest.json"),
    check=_check,
    n_predictions=lambda asked, *_: len(asked.formulas or asked.rows or ()),
)
