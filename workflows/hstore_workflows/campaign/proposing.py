"""Propose the next experiments, with reasons, to any number of labs and processes at once."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from hstore.errors import InputError
from hstore_workflows.campaign.ground import make_ground
from hstore_workflows.campaign.labs import Lab, check_lab_name
from hstore_workflows.campaign.ledger import Ledger, now_utc, open_ledger
from hstore_workflows.campaign.lock import deciding
from hstore_workflows.campaign.neighbours import Neighbour, read_literature
from hstore_workflows.campaign.places import campaign_folder, literature_path, open_pool
from hstore_workflows.campaign.reason import Prediction, Reasons, reasons_for
from hstore_workflows.campaign.retraining import due_words
from hstore_workflows.campaign.standing import Standing
from hstore_workflows.campaign.stopping import spent

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from hstore.settings import Settings
    from hstore_workflows.campaign.config import CampaignConfig
    from hstore_workflows.campaign.entry import Entry
    from hstore_workflows.campaign.ground import Ground
    from hstore_workflows.campaign.landscape import History, Pick

_ROUNDS = 5
_ATTRIBUTES = (
    "formula", "lab", "reason", "aim", "strategy", "predictions", "predicted_mean", "lease_until", "model_ids",
)  # fmt: skip
_DETAILS = (
    "p_window", "p_windows", "p_success", "teaches", "effort", "nearest_result", "nearest_known", "n_results",
)  # fmt: skip
"""Kept in one attribute: every attribute is a row of the database that each reader of the ledger loads."""


@dataclass(frozen=True)
class Proposal:
    """One experiment to do next."""

    number: int
    """Number of the experiment in its campaign."""
    material_id: str
    """Material of the pool."""
    formula: str
    """Its formula."""
    reason: str
    """Why, in words."""
    reasons: Reasons
    """Why, in numbers."""
    strategy: str
    """How it was chosen."""
    lab: str
    """Lab it is meant for; empty for any."""
    lease_until: str
    """Until when it is kept for the lab if nothing is told, ISO 8601 in UTC."""
    model_ids: tuple[str, ...]
    """Models behind what was predicted before the campaign."""
    n_results: int
    """Materials with a result of this campaign that stand behind the prediction."""
    main_column: str
    """Column of the main goal."""

    def as_json(self) -> dict[str, Any]:
        """Return the proposal as plain JSON, the prediction of the main goal also by itself."""
        main = self.reasons.predictions.get(self.main_column)
        return {
            "number": self.number,
            "material_id": self.material_id,
            "formula": self.formula,
            "predicted_mean": main and main.mean,
            "predicted_std": main and main.std,
            "lower": main and main.lower,
            "upper": main and main.upper,
            "reason": self.reason,
            **asdict(self.reasons),
            "strategy": self.strategy,
            "lab": self.lab,
            "lease_until": self.lease_until,
            "model_ids": list(self.model_ids),
            "n_results": self.n_results,
        }


@dataclass(frozen=True)
class Proposals:
    """A batch of proposals."""

    items: tuple[Proposal, ...]
    """The experiments, in the order of choice."""
    note: str = ""
    """Why they are fewer than asked for; empty where they are not."""
    released: tuple[int, ...] = ()
    """Experiments whose lease had passed and that were given back."""
    retraining: str = ""
    """That the property models should learn from the results; empty where they need not."""

    def __iter__(self) -> Iterator[Proposal]:
        """Iterate over the experiments."""
        return iter(self.items)

    def __len__(self) -> int:
        """Return their number."""
        return len(self.items)


def propose(
    settings: Settings,
    name: str,
    *,
    n: int | None = None,
    lab: str | None = None,
    strategy: str | None = None,
    token: str = "",
) -> Proposals:
    """Propose the next experiments and note them as under way.

    While one process thinks, others that want proposals of the same campaign wait; results are taken meanwhile.

    Args:
        settings: where campaigns are kept.
        name: of the campaign.
        n: number of experiments; the campaign's batch when None. Fewer come when the pool is exhausted, or the
            lab has all under way that it does in a week.
        lab: who will do them. A lab that was described gets what it can make.
        strategy: how to choose; the campaign's own when None.
        token: name of this request; repeated with the same one it gives what it gave, and proposes nothing new.

    Raises:
        InputError: the lab has no room for another experiment, or n is not positive.
        UnknownNameError: no such campaign or strategy.
    """
    if n is not None and n < 1:
        raise InputError(f"n must be at least 1, got {n}")
    with open_ledger(settings, name, lock="proposals") as ledger:
        if earlier := _given(ledger, token):
            return Proposals(tuple(earlier))
        released = _give_back(settings, ledger)
        wanted = _Wanted.of(ledger, n, check_lab_name(lab) if lab else "", strategy)
        pool = open_pool(settings, name, ledger.config)
        ground = make_ground(pool, ledger.config, campaign_folder(settings, name))
        thinker = _Thinker(settings, ledger, ground, wanted, token)
        found: list[Proposal] = []
        for _ in range(_ROUNDS):
            new = thinker.round(wanted.n - len(found))
            found += new
            if len(found) == wanted.n or not thinker.missed:
                break
        standing = Standing(ledger.entries(), ledger.config.objective)
        due = due_words(ledger.config, standing, ledger.retrainings, settings)
    return Proposals(tuple(found), wanted.note(len(found)), released, due)


@dataclass(frozen=True)
class _Wanted:
    """What a lab asks for."""

    n: int
    """Experiments that it gets, if the pool has them."""
    asked: int
    """Experiments that it asked for."""
    lab: Lab | None
    """The lab, where it was described."""
    lab_name: str
    """Its name; empty for anybody."""
    strategy: str
    """How to choose."""

    @classmethod
    def of(cls, ledger: Ledger, n: int | None, lab_name: str, strategy: str | None) -> _Wanted:
        asked = n or ledger.config.batch
        lab = Lab.read(lab_name, ledger.labs[lab_name]) if lab_name in ledger.labs else None
        under_way = len(Standing(ledger.entries(), ledger.config.objective).in_flight(lab_name))
        room = lab.room(under_way) if lab is not None else None
        if room == 0:
            assert lab is not None
            raise InputError(
                f"lab {lab_name} has {under_way} experiments under way and does {lab.per_week} a week; tell "
                "results, retract what will not be done, or describe the lab anew with a larger --per-week"
            )
        n_given = asked if room is None else min(asked, room)
        return cls(n_given, asked, lab, lab_name, strategy or ledger.config.strategy)

    def note(self, found: int) -> str:
        if found < self.n:
            makeable = " that the lab can make" if self.lab is not None else ""
            return f"the pool is exhausted: every candidate{makeable} is measured, failed or under way"
        if found < self.asked:
            assert self.lab is not None
            return f"lab {self.lab_name} then has all {self.lab.per_week} experiments of a week under way"
        return ""


class _Thinker:
    """Chooses outside the ledger's lock and writes inside it."""

    def __init__(self, settings: Settings, ledger: Ledger, ground: Ground, wanted: _Wanted, token: str) -> None:
        from hstore_workflows.campaign.strategies import strategy

        self._settings, self._ledger, self._wanted, self._token = settings, ledger, wanted, token
        self._ground = ground.for_lab(wanted.lab)
        self._strategy = strategy(wanted.strategy)
        self._literature = read_literature(literature_path(settings, ledger.name))
        self.missed = False
        """True where a candidate was taken by a result while we thought of it."""

    def round(self, n: int) -> list[Proposal]:
        """Choose n candidates and note those that are still free as under way."""
        entries = self._ledger.entries()
        history = self._history(Standing(entries, self._ledger.config.objective), n)
        seed = self._ledger.config.seed + len(entries)
        picks = self._strategy.choose(self._ground.landscape, history, n, seed=seed)
        reasons = reasons_for(picks, self._ground, history, self._literature, seed=seed)
        with deciding(self._settings, self._ledger.name):
            standing = Standing(self._ledger.entries(), self._ledger.config.objective)
            taken = set(standing.history(self._ground.pool.rows).taken)
            free = [(pick, why) for pick, why in zip(picks, reasons, strict=True) if pick.row not in taken]
            self.missed = len(free) < len(picks)
            until = now_utc() + timedelta(seconds=self._ledger.config.lease_s)
            return [self._write(pick, why, history, until) for pick, why in free]

    def _history(self, standing: Standing, n: int) -> History:
        """Return what is known, and how many experiments the budget still allows."""
        rows = self._ground.pool.rows
        left = spent(standing, self._ledger.config, self._ground.landscape, rows).left
        history = standing.history(rows)
        return history if left is None else replace(history, remaining=max(n, int(left)))

    def _write(self, pick: Pick, why: Reasons, history: History, until: datetime) -> Proposal:
        material_id, formula = self._ground.pool.frame[["material_id", "formula"]].iloc[pick.row]
        config = self._ledger.config
        proposal = Proposal(
            -1, str(material_id), str(formula), why.words(history, config.objective), why, self._wanted.strategy,
            self._wanted.lab_name, until.isoformat(), config.model_ids, len(history.results),
            config.objective.main.column,
        )  # fmt: skip
        held = proposal.as_json()
        noted = {name: held[name] for name in _ATTRIBUTES}
        details = {name: held[name] for name in _DETAILS}
        entry = self._ledger.propose(proposal.material_id, **noted, token=self._token, details=details)
        return replace(proposal, number=entry.number)


def _given(ledger: Ledger, token: str) -> list[Proposal]:
    """Return what was proposed to a request of this name."""
    if not token:
        return []
    return [_remembered(e, ledger.config) for e in ledger.entries() if e.attributes.get("token") == token]


def _remembered(entry: Entry, config: CampaignConfig) -> Proposal:
    """Read a proposal back; what its words already say of it (known, remarks) is not kept by itself."""
    held = entry.attributes
    details = held["details"]
    near = details["nearest_result"]
    reasons = Reasons(
        aim=held["aim"],
        predictions={column: Prediction(**p) for column, p in held["predictions"].items()},
        p_window=details["p_window"],
        p_windows=details["p_windows"],
        p_success=details["p_success"],
        teaches=details["teaches"],
        effort=details["effort"],
        nearest_result=None if near is None else Neighbour(**near),
        nearest_known=[Neighbour(**one) for one in details["nearest_known"]],
        known=False,
    )
    return Proposal(
        entry.number, entry.material_id, held["formula"], held["reason"], reasons, held["strategy"], entry.lab,
        entry.lease_until.isoformat() if entry.lease_until else "", tuple(held.get("model_ids", ())),
        details["n_results"], config.objective.main.column,
    )  # fmt: skip


def _give_back(settings: Settings, ledger: Ledger) -> tuple[int, ...]:
    """Finish what the dead left half done, and release the leases that have passed."""
    with deciding(settings, ledger.name):
        now = now_utc()
        expired = [entry for entry in ledger.mend() if entry.is_experiment and entry.expired(now)]
        for entry in expired:
            ledger.release(entry, now)
    return tuple(entry.number for entry in expired)
