"""Campaigns as plain JSON, the same from the command line and the service."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from hstore_workflows.campaign.config import DAY_S

if TYPE_CHECKING:
    from collections.abc import Mapping

    from hstore_workflows.campaign.entry import Entry
    from hstore_workflows.campaign.results import Observed
    from hstore_workflows.campaign.standing import Experiment
    from hstore_workflows.campaign.story import Status


def status_summary(status: Status) -> dict[str, Any]:
    """Return where a campaign stands, without its experiments."""
    config, standing = status.config, status.standing
    best = standing.best()
    return {
        "campaign": status.name,
        "maximize": config.objective.main.column,
        "goals": [str(goal) for goal in config.objective.goals],
        "windows": [str(window) for window in config.objective.windows],
        "conditions": dict(config.conditions),
        "strategy": config.strategy,
        "batch": config.batch,
        "lease_days": config.lease_s / DAY_S,
        "pool": config.pool_rows,
        **status.counts,
        "rejected_results": len(status.rejected_rows),
        "held_results": len(status.held_rows),
        "best": best and {"material_id": best[0], "value": best[1], "number": _number(status, best[0])},
    }


def status_record(status: Status) -> dict[str, Any]:
    """Return where a campaign stands, with all experiments, conflicts, noise, labs and held rows."""
    standing, main = status.standing, status.objective.main.column
    return status_summary(status) | {
        "front": standing.front(),
        "noise": {column: asdict(noise) for column, noise in standing.noise().items()},
        "conflicts": [asdict(conflict) for conflict in standing.conflicts()],
        "labs": {
            name: lab.as_json() | {"in_flight": len(standing.in_flight(name))} for name, lab in status.labs.items()
        },
        "held": [_kept(number, row) for number, row in status.held_rows.items()],
        "rejected": [_kept(number, row) for number, row in status.rejected_rows.items()],
        "experiments": [_experiment(experiment, main) for experiment in standing.experiments],
    }


def history_record(status: Status, material_id: str) -> list[dict[str, Any]]:
    """Return everything that was ever noted about a material, in order."""
    return [_noted(entry) for entry in status.standing.entries_of(material_id)]


def observed_record(name: str, observed: Observed) -> dict[str, Any]:
    """Return what became of a table of results."""
    return {
        "campaign": name,
        "measured": observed.measured,
        "failed": observed.failed,
        "rejected": [v.as_json() for v in observed.rejected],
        "counts": observed.counts,
        "verdicts": [v.as_json() for v in observed.verdicts],
        "ignored_columns": list(observed.ignored),
    }


def _experiment(experiment: Experiment, main: str) -> dict[str, Any]:
    entry = experiment.entry
    lease = entry.lease_until.isoformat() if entry.in_flight and entry.lease_until else None
    return {
        "number": entry.number,
        "state": experiment.state,
        "material_id": entry.material_id,
        "value": experiment.values.get(main),
        "values": dict(experiment.values),
        "stds": dict(experiment.stds),
        "failed_because": experiment.failed,
        "corrected_by": experiment.corrected_by,
        "retracted_by": experiment.retracted_by,
        "lease_until": lease,
        "lab": entry.lab,
        **entry.attributes,
    }


def _noted(entry: Entry) -> dict[str, Any]:
    kind = "experiment" if entry.is_experiment else "retraction" if entry.corrects is None else "correction"
    return {
        "number": entry.number,
        "kind": kind,
        "corrects": entry.corrects,
        "retracts": entry.retracts,
        "lab": entry.lab,
        "why": entry.attributes.get("why") or entry.attributes.get("reason", ""),
        "at": entry.attributes.get("at", ""),
        "released": entry.released,
        "told": [told.as_json() for told in entry.told],
    }


def _kept(number: int, row: Mapping[str, Any]) -> dict[str, Any]:
    shown = {name: row.get(name, "") for name in ("file", "material", "material_id", "cause", "lab", "at")}
    return {"row": number, "file_row": row.get("row"), **shown}


def _number(status: Status, material_id: str) -> int:
    """Return the first experiment on a material that measured it."""
    measured = (e for e in status.standing.experiments_of(material_id) if e.live and e.values)
    return next(experiment.entry.number for experiment in measured)
