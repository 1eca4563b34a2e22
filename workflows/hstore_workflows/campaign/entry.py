"""One trial of the ledger, and what labs told about it."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    from collections.abc import Mapping

    from optuna.trial import FrozenTrial

    from hstore_workflows.campaign.config import CampaignConfig

OWN_CHOICE = "chosen by the lab, not proposed"
"""Reason of an experiment that nobody proposed."""


@dataclass(frozen=True)
class Told:
    """One row of results as it was taken, in canonical units."""

    values: Mapping[str, float] = field(default_factory=dict)
    """Column -> value."""
    stds: Mapping[str, float] = field(default_factory=dict)
    """Column -> standard deviation of the value, where it was given."""
    failed: str | None = None
    """Why the synthesis failed, empty where no cause was given; None where it did not fail."""
    lab: str = ""
    """Who measured it; empty where nobody said."""
    at: str = ""
    """When it was told, ISO 8601 in UTC; empty for rows of the first schema."""
    source: str = ""
    """File and row, or program, that it came from."""
    notes: tuple[str, ...] = ()
    """What was converted, and remarks of the lab."""
    conditions: Mapping[str, float] = field(default_factory=dict)
    """Conditions that were stated with it."""
    replicate: str = ""
    """Label that marks a repeated measurement as one, even where its value is the same."""
    confirms: int | None = None
    """Number of the held row that became this one."""

    def as_json(self) -> dict[str, Any]:
        """Return what is written into the ledger; what is empty is left out."""
        held = {name: getattr(self, name) for name in self.__dataclass_fields__}
        held["notes"] = list(self.notes)
        zeros = {"failed", "confirms"}  # an empty cause and row 0 say something
        return {name: value for name, value in held.items() if value or (name in zeros and value is not None)}

    @classmethod
    def read(cls, held: Mapping[str, Any]) -> Self:
        """Read what :meth:`as_json` wrote; fields of a later version are left out."""
        known = {name: held[name] for name in cls.__dataclass_fields__ if name in held}
        return cls(**known | {"notes": tuple(known.get("notes", ()))})


@dataclass(frozen=True)
class Entry:
    """One trial: an experiment, or a correction or retraction of one."""

    number: int
    """Number in the campaign, from 0."""
    trial_state: str
    """State of the Optuna trial."""
    material_id: str
    """Material of the pool."""
    told: tuple[Told, ...] = ()
    """What was told about it, in order."""
    lab: str = ""
    """Lab it was proposed to, or that told it."""
    lease_until: datetime | None = None
    """When it is free again if nothing is told; None where it was told already."""
    released: bool = False
    """Its lease passed without a result."""
    corrects: int | None = None
    """Number of the experiment that this entry corrects."""
    retracts: int | None = None
    """Number of the experiment or correction that this entry retracts."""
    attributes: Mapping[str, Any] = field(default_factory=dict)
    """What else was noted: formula, reason, predictions, models, strategy, why it was corrected."""

    @property
    def is_experiment(self) -> bool:
        """True for experiments, false for corrections and retractions."""
        return self.corrects is None and self.retracts is None

    @property
    def in_flight(self) -> bool:
        """True while nothing is known of a proposed experiment."""
        return self.trial_state == "RUNNING" and not self.told and not self.released

    @property
    def failed(self) -> bool:
        """True where the last word about it is a failed synthesis."""
        return bool(self.told) and self.told[-1].failed is not None

    def expired(self, now: datetime) -> bool:
        """Tell whether its lease has passed without a result."""
        return self.in_flight and self.lease_until is not None and self.lease_until <= now


def read_entry(trial: FrozenTrial, config: CampaignConfig) -> Entry:
    """Read a trial that this version or the first one wrote."""
    attributes = dict(trial.user_attrs)
    known: dict[str, Any] = {name: attributes.pop(name, None) for name in ("corrects", "retracts")}
    material_id = str(attributes.pop("material_id", ""))
    lab = str(attributes.pop("lab", None) or "")
    released = attributes.get("released") is not None
    told = tuple(Told.read(held) for held in attributes.pop("told", ()))
    if not told and not released and known["retracts"] is None:
        told = _told_by_first_schema(trial, config, attributes, lab)
    lease = attributes.pop("lease_until", None)
    return Entry(
        trial.number,
        trial.state.name,
        material_id,
        told,
        lab,
        datetime.fromisoformat(lease) if lease else _later_lease(config),
        released,
        **known,
        attributes=attributes,
    )


def _told_by_first_schema(
    trial: FrozenTrial, config: CampaignConfig, attributes: dict[str, Any], lab: str
) -> tuple[Told, ...]:
    if trial.state.name == "FAIL":
        return (Told(failed="", lab=lab),)
    measured = {str(column): float(value) for column, value in attributes.pop("measured", {}).items()}
    if trial.state.name == "COMPLETE" and trial.values:
        goals = (goal.column for goal in config.objective.goals)
        return (Told(values=dict(zip(goals, trial.values, strict=True)) | measured, lab=lab),)
    return ()


def _later_lease(config: CampaignConfig) -> datetime | None:
    """Return the lease of an experiment that was proposed before there were leases."""
    if not config.leases_from:
        return None
    return datetime.fromisoformat(config.leases_from) + timedelta(seconds=config.lease_s)
