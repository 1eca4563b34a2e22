"""The story of a campaign, one function per chapter: begin, describe labs, observe, mend, look."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from hstore.errors import InputError
from hstore.records import Access
from hstore_workflows.campaign.access import full_name
from hstore_workflows.campaign.config import CampaignConfig
from hstore_workflows.campaign.entry import Told
from hstore_workflows.campaign.labs import Lab, check_lab_name
from hstore_workflows.campaign.ledger import (
    Ledger,
    campaign_names,
    create_ledger,
    ledger_exists,
    now_utc,
    open_ledger,
)
from hstore_workflows.campaign.lock import deciding
from hstore_workflows.campaign.neighbours import write_literature
from hstore_workflows.campaign.places import literature_path, open_pool, pool_path
from hstore_workflows.campaign.pool import write_pool
from hstore_workflows.campaign.pool_reading import read_pool
from hstore_workflows.campaign.proposing import Proposal, Proposals, propose
from hstore_workflows.campaign.result_rows import CONDITIONS, Row, read_headers
from hstore_workflows.campaign.results import Observed, Rows, Verdict, read_cells
from hstore_workflows.campaign.standing import Standing
from hstore_workflows.campaign.verdicts import Judge

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from pandas import DataFrame

    from hstore.settings import Settings
    from hstore_workflows.campaign.objective import Objective
    from hstore_workflows.campaign.pool import CampaignPool

__all__ = [
    "Proposal", "Proposals", "Status", "begin", "confirm", "correct", "describe_lab", "observe", "propose",
    "retract", "status", "statuses",
]  # fmt: skip

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}\Z")


@dataclass(frozen=True)
class Status:
    """Where a campaign stands."""

    name: str
    """Name of the campaign."""
    config: CampaignConfig
    """What it was set up with."""
    standing: Standing
    """What is true now, and the whole history."""
    labs: Mapping[str, Lab]
    """Labs that were described."""
    rejected_rows: Mapping[int, Mapping[str, Any]]
    """Rows of results that were rejected, by number."""
    held_rows: Mapping[int, Mapping[str, Any]]
    """Rows that are held until they are confirmed, by number."""
    retrainings: Sequence[Mapping[str, Any]] = ()
    """What each retraining of the property models brought, in order."""

    @property
    def objective(self) -> Objective:
        """What it looks for."""
        return self.config.objective

    @property
    def counts(self) -> dict[str, int]:
        """Number of experiments in each state."""
        return self.standing.counts()


def begin(
    settings: Settings,
    name: str,
    source: Path | DataFrame,
    objective: Objective,
    *,
    keep_outside: bool = False,
    access: Access | None = None,
    **choices: Any,
) -> CampaignPool:
    """Begin a campaign over a pool, which is frozen under ``HSTORE_HOME``.

    Args:
        settings: where campaigns are kept.
        name: letters, digits, dot, dash and underscore; at most 64.
        source: folder of a screen, or a table of candidates, as a file or as it is.
        objective: what to look for.
        keep_outside: also take candidates outside the domain of the screen's models.
        access: whose it is and who may see it; the operator's, for everybody, when not given. A lab's campaign
            is from then on named ``LAB:NAME`` (:func:`~hstore_workflows.campaign.access.full_name`).
        choices: ``batch``, ``strategy``, ``lease_s``, ``conditions``, ``features`` and ``effort_column`` of
            :class:`~hstore_workflows.campaign.config.CampaignConfig`.

    Raises:
        InputError: the name is taken or not allowed, or the pool cannot be used.
        UnknownNameError: no such strategy, condition or column.
    """
    from hstore_workflows.campaign.strategies import strategy

    if not _NAME.match(name):
        raise InputError(f"campaign name {name!r} must be letters, digits, '.', '-' or '_', 64 at most")
    config = CampaignConfig(objective, seed=settings.seed, access=access or Access(), **choices)
    name = full_name(name, config.access)
    _check_conditions(config.conditions)
    strategy(config.strategy)
    pool = read_pool(
        source,
        objective,
        keep_outside=keep_outside,
        features=config.features,
        effort_column=config.effort_column,
    )
    with deciding(settings, name):
        if ledger_exists(settings, name):
            raise InputError(f"there is a campaign {name!r} already; choose another name")
        checksum = write_pool(pool, pool_path(settings, name))
        write_literature(settings, objective.columns, literature_path(settings, name))
        frozen = replace(
            config,
            pool_source=pool.source,
            pool_rows=len(pool),
            pool_sha256=checksum,
            model_ids=pool.model_ids,
        )
        create_ledger(settings, name, frozen)
    return pool


def describe_lab(settings: Settings, name: str, lab: Lab) -> int | None:
    """Note what a lab has and can make, and return how many candidates that is; None without formulas."""
    from hstore_models.features.composition import CompositionBatch

    with open_ledger(settings, name, lock="ledger") as ledger:
        pool = open_pool(settings, name, ledger.config)
        made = None
        if pool.has_formulas:
            batch = CompositionBatch.from_formulas(pool.frame["formula"].tolist())[0]
            made = int(lab.makeable(batch).sum())
        ledger.set_lab(lab.name, lab.as_json() | {"at": now_utc().isoformat()})
    return made


def observe(settings: Settings, name: str, rows: Rows, *, lab: str = "", acting: str | None = None) -> Observed:
    """Take results back: every row gets a verdict, and a bad one does not stop the others.

    A material of the pool that was never proposed is taken too, as an experiment of the lab's own choice.

    Args:
        settings: where campaigns are kept.
        name: of the campaign.
        rows: a CSV or Parquet file, a table, or rows (mappings or :class:`~.results.Result`).
        lab: who measured, where the rows do not say.
        acting: lab in whose name they are taken; it tells for itself only. None for the operator.

    Raises:
        InputError: the rows cannot be read at all, or name neither material nor value.
    """
    records, source = read_cells(rows)
    if lab:
        check_lab_name(lab)
    with open_ledger(settings, name, lock="ledger") as ledger:
        headers = dict.fromkeys(header for record in records for header in record)
        table = read_headers(headers, ledger.config, source=source)
        judge, at = _judge(settings, name, ledger, acting), now_utc().isoformat()
        verdicts = []
        for place, cells in enumerate(records, start=1):
            try:
                verdict = judge.take(table.row(place, cells, lab=lab, source=source, at=at))
            except InputError as error:
                verdict = judge.reject(place, cells, str(error), lab=lab, source=source, at=at)
            verdicts.append(verdict)
    return Observed(tuple(verdicts), table.ignored)


def correct(
    settings: Settings,
    name: str,
    number: int,
    values: Mapping[str, Any],
    *,
    why: str,
    lab: str = "",
    acting: str | None = None,
) -> Verdict:
    """Put other values in the place of those an experiment was told; the old ones stay in the history.

    Args:
        settings: where campaigns are kept.
        name: of the campaign.
        number: of the experiment.
        values: columns as in a table of results; ``failed`` for a synthesis that failed after all.
        why: reason, kept.
        lab: who says so.
        acting: lab in whose name; None for the operator.

    Raises:
        InputError: no such experiment, or the values cannot be used.
    """
    observed = observe(
        settings, name, [{**values, "corrects": number, "why": _reason(why)}], lab=lab, acting=acting
    )
    return _only(observed)


def retract(
    settings: Settings, name: str, number: int, *, why: str, lab: str = "", acting: str | None = None
) -> Verdict:
    """Take back what an experiment or a correction said; one that is under way is given back to the pool.

    Raises:
        InputError: no such experiment, or nothing was told about it.
    """
    with open_ledger(settings, name, lock="ledger") as ledger:
        told = Told(lab=lab, at=now_utc().isoformat())
        return _judge(settings, name, ledger, acting).retract(Row(1, "", told, retracts=number, why=_reason(why)))


def confirm(settings: Settings, name: str, row: int, *, acting: str | None = None) -> Verdict:
    """Take a row that was held as hardly true.

    Raises:
        InputError: no such row, or it is not held.
    """
    with open_ledger(settings, name, lock="ledger") as ledger:
        return _judge(settings, name, ledger, acting).confirm(row)


def status(settings: Settings, name: str) -> Status:
    """Return where a campaign stands."""
    with open_ledger(settings, name) as ledger:
        return _status(ledger)


def statuses(settings: Settings) -> list[Status]:
    """Return where every campaign stands, by name."""
    found = []
    for name in campaign_names(settings):
        with open_ledger(settings, name) as ledger:
            found.append(_status(ledger))
    return found


def _status(ledger: Ledger) -> Status:
    standing = Standing(ledger.entries(), ledger.config.objective)
    rows = ledger.kept_rows
    return Status(
        ledger.name,
        ledger.config,
        standing,
        {lab: Lab.read(lab, held) for lab, held in ledger.labs.items()},
        {k: row for k, row in rows.items() if row["verdict"] == "rejected"},
        {k: row for k, row in rows.items() if row["verdict"] == "held" and not _settled(k, row, standing)},
        ledger.retrainings,
    )


def _settled(number: int, row: Mapping[str, Any], standing: Standing) -> bool:
    """Tell whether a held row was confirmed, or its lab has told another value since."""
    told = [told for entry in standing.entries_of(str(row["material_id"])) for told in entry.told]
    return any(t.confirms == number or (t.lab == row["lab"] and t.at > row["at"]) for t in told)


def _judge(settings: Settings, name: str, ledger: Ledger, acting: str | None) -> Judge:
    standing = Standing(ledger.mend(), ledger.config.objective)
    return Judge(ledger, standing, open_pool(settings, name, ledger.config), acting)


def _only(observed: Observed) -> Verdict:
    verdict = observed.verdicts[0]
    if verdict.verdict == "rejected":
        raise InputError(verdict.cause)
    return verdict


def _reason(why: str) -> str:
    if not why.strip():
        raise InputError("a correction or retraction needs its reason; say why")
    return why.strip()


def _check_conditions(conditions: Mapping[str, float]) -> None:
    from hstore.errors import unknown_name

    for condition in conditions:
        if condition not in CONDITIONS:
            raise unknown_name("condition", condition, CONDITIONS)
