"""The story of a campaign, one function per chapter: begin, propose, observe, status."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from hstore.errors import InputError
from hstore_workflows.campaign.ledger import Entry, Ledger, create_ledger, ledger_exists, open_ledger
from hstore_workflows.campaign.lock import deciding
from hstore_workflows.campaign.objective import Objective, Window
from hstore_workflows.campaign.pool import CampaignPool, load_pool, read_pool, write_pool
from hstore_workflows.campaign.reason import interval, reason_for
from hstore_workflows.campaign.results import Answer, RejectedResult, as_record, read_results
from hstore_workflows.campaign.strategy import History, Landscape, choose

if TYPE_CHECKING:
    from pathlib import Path

    from hstore.settings import Settings

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}\Z")


@dataclass(frozen=True)
class Proposal:
    """One experiment to do next."""

    number: int
    """Number of the experiment in its campaign."""
    material_id: str
    """Material of the pool."""
    formula: str
    """Its formula."""
    predicted_mean: float | None
    """Believed value of the maximised column; None where nothing is known."""
    predicted_std: float | None
    """Its standard deviation."""
    lower: float | None
    """Lower end of the 90 % interval."""
    upper: float | None
    """Upper end of the 90 % interval."""
    p_windows: float | None
    """Probability of meeting all windows; None without windows."""
    reason: str
    """Why, in words."""


@dataclass(frozen=True)
class Observed:
    """What became of a table of results."""

    measured: int
    """Results taken."""
    failed: int
    """Failed syntheses taken."""
    rejected: tuple[RejectedResult, ...]
    """Rows refused, with their causes."""


@dataclass(frozen=True)
class Status:
    """Where a campaign stands."""

    name: str
    """Name of the campaign."""
    objective: Objective
    """What it looks for."""
    pool_size: int
    """Candidates in the pool."""
    entries: tuple[Entry, ...]
    """All experiments, in the order they were proposed."""
    best: Entry | None
    """Best result that meets the windows."""
    rejected_results: int
    """Rows refused so far."""

    @property
    def counts(self) -> dict[str, int]:
        """Number of experiments pending, measured and failed."""
        found = Counter(entry.state for entry in self.entries)
        return {state: found[state] for state in ("pending", "measured", "failed")}


def begin(
    settings: Settings,
    name: str,
    source: Path,
    objective: Objective,
    *,
    batch: int = 5,
    keep_outside: bool = False,
) -> CampaignPool:
    """Begin a campaign over a pool, which is frozen under ``HSTORE_HOME``.

    Args:
        settings: where campaigns are kept.
        name: letters, digits, dot, dash and underscore; at most 64.
        source: folder of a screen, or a table of candidates.
        objective: what to look for.
        batch: experiments proposed at a time unless said otherwise.
        keep_outside: also take candidates outside the domain of the screen's models.

    Raises:
        InputError: the name is taken or not allowed, or the pool cannot be used.
    """
    if not _NAME.match(name):
        raise InputError(f"campaign name {name!r} must be letters, digits, '.', '-' or '_', 64 at most")
    _positive("batch", batch)
    pool = read_pool(source, objective, keep_outside=keep_outside)
    with deciding(settings, name):
        if ledger_exists(settings, name):
            raise InputError(f"there is a campaign {name!r} already; choose another name")
        checksum = write_pool(pool, _pool_path(settings, name))
        create_ledger(
            settings,
            name,
            {
                "maximize": objective.maximize,
                "windows": [str(window) for window in objective.windows],
                "batch": batch,
                "pool_source": pool.source,
                "pool_rows": len(pool),
                "pool_sha256": checksum,
                "model_ids": list(pool.model_ids),
                "seed": settings.seed,
            },
        )
    return pool


def propose(settings: Settings, name: str, *, n: int | None = None, lab: str | None = None) -> list[Proposal]:
    """Propose the next experiments and note them as under way.

    Args:
        settings: where campaigns are kept.
        name: of the campaign.
        n: number of experiments; the campaign's batch when None. Fewer come when the pool is exhausted.
        lab: who will do them.
    """
    if n is not None:
        _positive("n", n)
    with deciding(settings, name), open_ledger(settings, name) as ledger:
        config, objective, pool = _opened(settings, name, ledger)
        entries = ledger.entries()
        history = _history(entries, pool, objective)
        features = pool.features()
        priors = {c: prior for c in objective.columns if (prior := pool.prior(c)) is not None}
        picks = choose(
            Landscape(features, priors, objective),
            history,
            n or int(config["batch"]),
            seed=int(config["seed"]) + len(entries),
        )
        proposals: list[Proposal] = []
        for pick in picks:
            material_id, formula = pool.frame[["material_id", "formula"]].iloc[pick.row]
            lower, upper = interval(pick) or (None, None)
            told: dict[str, Any] = {
                "formula": formula,
                "predicted_mean": pick.mean,
                "predicted_std": pick.std,
                "p_windows": pick.p_windows,
                "reason": reason_for(pick, pool, features, history, objective),
            }
            noted = {"lab": lab, "aim": pick.why, "model_ids": list(pool.model_ids) or None}
            number = ledger.add(material_id, **told, **noted)
            proposals.append(Proposal(number=number, material_id=material_id, lower=lower, upper=upper, **told))
    return proposals


def observe(settings: Settings, name: str, path: Path) -> Observed:
    """Take results back; a bad row is refused with its cause and the rest goes on.

    A material of the pool that was never proposed is taken too, as an experiment of the lab's own choice.
    """
    with deciding(settings, name), open_ledger(settings, name) as ledger:
        _, objective, pool = _opened(settings, name, ledger)
        entries = ledger.entries()
        rows = {material: row for row, material in enumerate(pool.frame["material_id"])}
        pending = {rows[e.material_id]: e.number for e in entries if e.state == "pending"}
        told = {rows[e.material_id] for e in entries if e.state != "pending"}
        answers, rejects = read_results(path, pool, objective, told=told, pending=pending)
        for answer in answers:
            _tell(ledger, answer, pool, objective, pending.get(answer.material))
        ledger.note_rejects([as_record(reject, file=path.name) for reject in rejects])
    failed = sum(answer.value is None for answer in answers)
    return Observed(len(answers) - failed, failed, tuple(rejects))


def status(settings: Settings, name: str) -> Status:
    """Return where a campaign stands."""
    with open_ledger(settings, name) as ledger:
        config, objective = ledger.config, _objective(ledger.config)
        entries, rejects = ledger.entries(), ledger.rejects
    met = [e for e in entries if e.value is not None and _meets(e, objective)]
    best = max(met, key=lambda e: (e.value, -e.number), default=None)
    return Status(name, objective, int(config["pool_rows"]), tuple(entries), best, len(rejects))


def proposal_record(proposal: Proposal) -> dict[str, Any]:
    """Return a proposal as plain JSON."""
    return asdict(proposal)


def _tell(ledger: Ledger, answer: Answer, pool: CampaignPool, objective: Objective, number: int | None) -> None:
    if number is None:
        material_id, formula = pool.frame[["material_id", "formula"]].iloc[answer.material]
        number = ledger.add(material_id, formula=formula, reason="chosen by the lab, not proposed")
    known = dict(answer.measured)
    if answer.value is not None:
        known.setdefault(objective.maximize, answer.value)
    violations = {str(w): w.violation(known[w.column]) for w in objective.windows if w.column in known}
    ledger.tell(number, answer.value, measured=answer.measured, violations=violations)


def _opened(settings: Settings, name: str, ledger: Ledger) -> tuple[dict[str, Any], Objective, CampaignPool]:
    config = ledger.config
    pool = load_pool(
        _pool_path(settings, name), sha256=config["pool_sha256"], model_ids=tuple(config["model_ids"])
    )
    return config, _objective(config), pool


def _history(entries: list[Entry], pool: CampaignPool, objective: Objective) -> History:
    rows = {material: row for row, material in enumerate(pool.frame["material_id"])}
    return History(
        results={
            rows[e.material_id]: {**e.attributes.get("measured", {}), objective.maximize: e.value}
            for e in entries
            if e.state == "measured" and e.value is not None
        },
        failed=[rows[e.material_id] for e in entries if e.state == "failed"],
        pending=[rows[e.material_id] for e in entries if e.state == "pending"],
    )


def _meets(entry: Entry, objective: Objective) -> bool:
    known = {objective.maximize: entry.value, **entry.attributes.get("measured", {})}
    return all(window.holds(known[window.column]) for window in objective.windows if window.column in known)


def _objective(config: dict[str, Any]) -> Objective:
    return Objective(config["maximize"], tuple(Window.parse(text) for text in config["windows"]))


def _pool_path(settings: Settings, name: str) -> Path:
    return settings.home / "campaigns" / name / "pool.parquet"


def _positive(what: str, value: int) -> None:
    if value < 1:
        raise InputError(f"{what} must be at least 1, got {value}")
