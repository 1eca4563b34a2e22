"""What a campaign was set up with, as it stands in the ledger, in every version of its schema."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from hstore.errors import InputError, StoreError, unknown_name
from hstore.records import Access
from hstore_workflows.campaign.objective import Goal, Objective, Window
from hstore_workflows.campaign.strategies import DEFAULT

if TYPE_CHECKING:
    from collections.abc import Mapping

    from hstore.records import Scope

SCHEMA = 3
"""Version of what hstore writes into a ledger.

1: one column to maximise; a result ends its experiment. 2: goals, leases, labs, told rows, corrections.
3: an owner and members.
"""
LEASE_DAYS = 30.0
"""Days for which a proposed experiment is kept for its lab, unless said otherwise."""
DAY_S = 86_400.0
"""Seconds of a day."""
BUDGET_UNITS = ("experiments", "effort")
"""What a budget may count."""
RETRAIN_EVERY = 25
"""New results after which property models are challenged, unless said otherwise."""


@dataclass(frozen=True)
class CampaignConfig:
    """The settings of one campaign."""

    objective: Objective
    """What it looks for."""
    batch: int = 5
    """Experiments proposed at a time unless said otherwise."""
    strategy: str = DEFAULT
    """How candidates are chosen unless said otherwise."""
    lease_s: float = LEASE_DAYS * DAY_S
    """Seconds after which an experiment without any result is free again."""
    conditions: Mapping[str, float] = field(default_factory=dict)
    """Conditions of the measurements; a result that states others is rejected."""
    seed: int = 0
    """Seed of everything random."""
    features: tuple[str, ...] = ()
    """Columns of the pool that describe candidates, or ``magpie``; chosen by what is there when empty."""
    effort_column: str | None = None
    """Column of the pool that says how much effort a candidate takes; estimated from formulas when None."""
    pool_source: str = ""
    """File or screen the pool was made from."""
    pool_rows: int = 0
    """Candidates in the pool."""
    pool_sha256: str = ""
    """Checksum of the pool's file."""
    model_ids: tuple[str, ...] = ()
    """Models behind the pool's predictions."""
    budget: float | None = None
    """What the campaign may spend; None where nobody said."""
    budget_unit: str = BUDGET_UNITS[0]
    """What the budget counts: experiments, or effort, of which an average candidate takes 1."""
    retrain_every: int = RETRAIN_EVERY
    """New results after which the property models are to be challenged."""
    priors_file: str = ""
    """File, beside the pool, with the predictions that replaced those of the pool; empty before a retraining."""
    priors_sha256: str = ""
    """Its checksum."""
    access: Access = field(default_factory=Access)
    """Whose the campaign is and who may see it; the operator's, for everybody, unless said otherwise."""
    members: tuple[str, ...] = ()
    """Labs besides the owner that see a lab's campaign and work on it."""
    leases_from: str = ""
    """When a campaign of an earlier schema was opened by this one, ISO 8601 in UTC: its experiments, which were
    proposed without a lease, have theirs from then."""

    def __post_init__(self) -> None:
        """Refuse what cannot work, before anything is written."""
        if self.batch < 1:
            raise InputError(f"batch must be at least 1, got {self.batch}")
        if not self.lease_s > 0:
            raise InputError(f"a lease must be longer than nothing, got {self.lease_s:g} s; give --lease-days")
        if self.budget is not None and not self.budget > 0:
            raise InputError(f"a budget must be above 0, got {self.budget:g}; leave it out for none")
        if self.budget_unit not in BUDGET_UNITS:
            raise unknown_name("unit of budgets", self.budget_unit, BUDGET_UNITS)
        if self.retrain_every < 1:
            raise InputError(f"models are retrained after 1 new result or more, got {self.retrain_every}")

    def as_json(self) -> dict[str, Any]:
        """Return what is written into the ledger."""
        held = {name: getattr(self, name) for name in self.__dataclass_fields__ if name != "objective"}
        return {
            "schema": SCHEMA,
            "goals": [str(goal) for goal in self.objective.goals],
            "windows": [str(window) for window in self.objective.windows],
            **held,
            "conditions": dict(self.conditions),
            "features": list(self.features),
            "model_ids": list(self.model_ids),
            "access": self.access.model_dump(mode="json"),
            "members": list(self.members),
        }

    def allows(self, scope: Scope) -> bool:
        """Tell whether a scope may see the campaign."""
        return scope.allows(self.access) or (scope.lab_id is not None and scope.lab_id in self.members)


def read_config(name: str, held: Mapping[str, Any]) -> CampaignConfig:
    """Read what any version up to this one has written.

    Raises:
        StoreError: a newer hstore wrote it.
    """
    schema = int(held.get("schema", 1))
    if schema > SCHEMA:
        raise StoreError(
            f"campaign {name!r} was written by a newer hstore (schema {schema}, this one knows up to {SCHEMA}); "
            "update hstore to use it"
        )
    texts = [f"max:{held['maximize']}"] if schema == 1 else held["goals"]
    objective = Objective(tuple(map(Goal.parse, texts)), tuple(map(Window.parse, held["windows"])))
    known = {key: held[key] for key in CampaignConfig.__dataclass_fields__ if key in held}
    known |= {key: tuple(known[key]) for key in ("features", "model_ids", "members") if key in known}
    if "access" in known:
        known["access"] = Access.model_validate(known["access"])
    return CampaignConfig(**(known | {"objective": objective}))
