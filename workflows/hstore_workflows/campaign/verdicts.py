"""Judge each row of results and write it down: nothing is lost, and nothing is overwritten."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from hstore.errors import InputError
from hstore.properties import PROPERTIES
from hstore_workflows.campaign.entry import OWN_CHOICE, Told
from hstore_workflows.campaign.ledger import now_utc
from hstore_workflows.campaign.plausible import expectation
from hstore_workflows.campaign.repeats import without_repeats
from hstore_workflows.campaign.result_rows import Row, find_material
from hstore_workflows.campaign.results import Verdict
from hstore_workflows.measure.cells import same_value, shown_material
from hstore_workflows.measure.plausible import doubt, in_range
from hstore_workflows.measure.readings import Reading, agree

if TYPE_CHECKING:
    from collections.abc import Mapping

    from hstore_workflows.campaign.entry import Entry
    from hstore_workflows.campaign.ledger import Ledger
    from hstore_workflows.campaign.pool import CampaignPool
    from hstore_workflows.campaign.standing import Standing


@dataclass
class Judge:
    """Takes rows one after the other; the caller holds the lock of the campaign."""

    ledger: Ledger
    """The open campaign."""
    standing: Standing
    """What is true so far; kept up to date."""
    pool: CampaignPool
    """Materials that can be meant."""
    acting: str | None = None
    """Lab in whose name rows are taken: it tells for itself only and, unless the campaign is its own, changes only
    what it told. None for the operator, who may do everything."""
    confirmed: set[int] = field(default_factory=set)
    """Held rows that were confirmed already."""

    def __post_init__(self) -> None:
        """Find the held rows that became results."""
        told = (told for experiment in self.standing.all_entries() for told in experiment.told)
        self.confirmed |= {row.confirms for row in told if row.confirms is not None}

    def take(self, row: Row) -> Verdict:
        """Judge a readable row, and write it down.

        Raises:
            InputError: it cannot be used; the caller keeps it as rejected.
        """
        if self.acting is not None and row.told.lab != self.acting:
            raise InputError(f"the row names lab {row.told.lab!r}, and {self.acting!r} tells it; leave lab out")
        if row.retracts is not None:
            return self.retract(row)
        if row.corrects is not None:
            return self._corrected(row)
        material = self._material(row)
        doubts = self._doubts(material, row.told)
        if not doubts:
            return self._answered(row, material, row.told)
        second = self._second_opinion(material, row.told, doubts)
        if second is None:
            return self._held(row, material, doubts)
        first = self.confirm(second)
        verdict = self._answered(row, material, row.told)
        cause = f"confirms row {second} that was held, now experiment {first.experiment}"
        return replace(verdict, cause="; ".join(filter(None, [cause, verdict.cause])))

    def confirm(self, number: int) -> Verdict:
        """Take a held row that somebody has confirmed.

        Raises:
            InputError: there is no such row, it was not held, was confirmed before, or holds what cannot be.
        """
        rows = self.ledger.kept_rows
        still = [k for k, row in rows.items() if row["verdict"] == "held" and k not in self.confirmed]
        if number not in still:
            known = f"held rows are {', '.join(map(str, still))}" if still else "no row is held"
            raise InputError(f"row {number} is not held; {known}")
        held = rows[number]
        self._check_own({str(held["lab"])})
        told = replace(Told.read(held["told"]), at=str(held["at"]), confirms=number)
        for column, value in told.values.items():
            if column in PROPERTIES:
                PROPERTIES[column].check(value, where=f"held row {number}; tell the right value as a new result")
        self.confirmed.add(number)
        row = Row(number, str(held["material"]), told, corrects=held.get("corrects"), why=str(held.get("why", "")))
        if row.corrects is not None:
            return self._corrected(row, believed=True)
        return self._answered(row, str(held["material_id"]), told)

    def reject(
        self, place: int, cells: Mapping[str, str], cause: str, *, lab: str, source: str, at: str
    ) -> Verdict:
        """Keep a row that cannot be used."""
        material = shown_material(cells)
        kept = {
            "verdict": "rejected", "file": source, "row": place, "material": material, "cause": cause,
            "lab": cells.get("lab") or lab, "cells": {k: v for k, v in cells.items() if v},
        }  # fmt: skip
        return Verdict(place, material, "rejected", cause=cause, kept_row=self._keep(kept, at))

    def retract(self, row: Row) -> Verdict:
        """Take back an experiment or a correction; one that is under way is given back to the pool."""
        assert row.retracts is not None
        entry = self._known(row.retracts)
        self._check_named(row, entry)
        self._check_own({told.lab for told in entry.told} or {entry.lab})
        base = Verdict(row.place, row.named or entry.material_id, "retraction", entry.material_id, entry.number)
        if entry.in_flight:
            self._added(self.ledger.release(entry, now_utc(), why=row.why, by=row.told.lab))
            return replace(base, cause=f"experiment {entry.number} was under way and is given back")
        if entry.retracts is not None or not entry.told:
            raise InputError(f"entry {entry.number} holds no result; name the experiment or correction to retract")
        if any(e.retracts == entry.number for e in self.standing.entries_of(entry.material_id)):
            return replace(base, verdict="duplicate", cause=f"experiment {entry.number} is retracted already")
        self._added(
            self.ledger.retract(
                entry.number, entry.material_id, why=row.why, lab=row.told.lab, at=row.told.at,
                source=row.told.source,
            )
        )  # fmt: skip
        return base

    def _check_own(self, labs: set[str]) -> None:
        """Let a lab change what it told itself, what nobody put a name to, and all of a campaign of its own.

        Raises:
            InputError: another lab told it.
        """
        if self.acting in {None, self.ledger.config.access.lab_id} or labs <= {"", self.acting}:
            return
        raise InputError(
            f"lab {', '.join(sorted(labs))} told it; that lab or the owner of the campaign changes it"
        )

    def _corrected(self, row: Row, *, believed: bool = False) -> Verdict:
        """Let new values take the place of those told before."""
        assert row.corrects is not None
        entry = self._known(row.corrects)
        if entry.corrects is not None:
            entry = self._known(entry.corrects)
        self._check_named(row, entry)
        self._check_own({told.lab for told in entry.told})
        if not entry.told:
            raise InputError(
                f"nothing is known of experiment {entry.number} yet; tell its result without corrects"
            )
        material = entry.material_id
        if any(e.retracts == entry.number for e in self.standing.entries_of(material)):
            raise InputError(f"experiment {entry.number} is retracted; tell the right result without corrects")
        before = next(e for e in self.standing.experiments_of(material) if e.entry.number == entry.number)
        told, known = row.told, dict(before.values) | dict(row.told.values)
        base = Verdict(row.place, row.named or material, "correction", material, entry.number, told.values)
        same = all(same_value(before.values.get(column), value) for column, value in told.values.items())
        if same and (told.failed is not None) == (before.failed is not None):
            return replace(base, verdict="duplicate", cause="the ledger says so already")
        if not believed and (doubts := self._doubts(material, told)):
            return self._held(row, material, doubts, corrects=entry.number)
        self._added(
            self.ledger.add_told(
                material, told, known=known, aside=True, corrects=entry.number, why=row.why, at=told.at
            )
        )
        said = ", ".join(f"{column} {value:g}" for column, value in before.values.items()) or "failed"
        return replace(base, cause=f"experiment {entry.number} said {said}", notes=told.notes)

    def _answered(self, row: Row, material: str, told: Told) -> Verdict:
        """Write a believed row to the experiment it answers, or as an experiment of its own."""
        before = self.standing.readings(material)
        told, repeated = without_repeats(self.standing, material, told)
        base = Verdict(row.place, row.named, "duplicate", material, None, told.values, notes=told.notes)
        if repeated and not told.values:
            return replace(
                base, values=row.told.values, experiment=repeated[0],
                cause=f"experiment {repeated[0]} says the same; give a column replicate if it was measured again",
            )  # fmt: skip
        failures = [e for e in self.standing.experiments_of(material) if e.state == "failed"]
        entry = self._written(material, told)
        verdict, cause = self._verdict(material, told, before)
        if told.failed is None and failures:
            cause = f"experiment {failures[0].entry.number} had failed; it counts as made now"
        return replace(base, verdict=verdict, experiment=entry.number, cause=cause)

    def _verdict(self, material: str, told: Told, before: Mapping[str, list[Reading]]) -> tuple[str, str]:
        if told.failed is not None:
            if not before:
                return "failed", ""
            made = next(iter(before.values()))[0]
            return (
                "conflict",
                f"experiment {made.number}{_by(made.lab)} was made; it counts as made, both are kept",
            )
        shared = [column for column in told.values if column in before]
        if not shared:
            known = self.standing.values(material)
            goals = [goal.column for goal in self.ledger.config.objective.goals]
            lacking = [goal for goal in goals if goal not in known]
            return ("partial", f"still to be measured: {', '.join(lacking)}") if lacking else ("taken", "")
        spreads, now = self.standing.spreads(), self.standing.readings(material)
        apart = [column for column in shared if not agree(now[column], spreads.get(column, 0.0))]
        if not apart:
            return "replicate", f"measured before in experiment {before[shared[0]][0].number}; the mean is used"
        return "conflict", "; ".join(self._difference(material, column, now[column]) for column in apart)

    def _difference(self, material: str, column: str, readings: list[Reading]) -> str:
        said = ", ".join(f"{r.value:g} (experiment {r.number}{_by(r.lab)})" for r in readings)
        used, noise = self.standing.values(material)[column], self.standing.noise()[column]
        return (
            f"{column} was measured as {said}; all are kept, {used:.4g} is used; repeated measurements scatter by "
            f"{noise.std:.2g} ({noise.materials} materials); correct or retract what is wrong"
        )

    def _written(self, material: str, told: Told) -> Entry:
        entry = self._open_experiment(material, told)
        if entry is not None:
            return self._added(self.ledger.tell(entry, told))
        formula = self.pool.frame["formula"].iloc[self.pool.rows[material]]
        noted: dict[str, Any] = {"formula": str(formula), "reason": OWN_CHOICE}
        goals = [goal.column for goal in self.ledger.config.objective.goals]
        measured = [e.entry.number for e in self.standing.experiments_of(material) if e.state == "measured"]
        aside = bool(measured) and not all(goal in told.values for goal in goals)
        answered = {e.attributes.get("late_for") for e in self.standing.entries_of(material)}
        released = [e for e in self.standing.entries_of(material) if e.released and e.number not in answered]
        late = [entry for entry in released if entry.lab == told.lab] or ([] if told.lab else released)
        if late:
            noted |= {"late_for": late[-1].number, "reason": f"late result of experiment {late[-1].number}"}
        if aside:
            noted |= {"completes": measured[0], "reason": f"measured besides experiment {measured[0]}"}
        return self._added(self.ledger.add_told(material, told, known=told.values, aside=aside, **noted))

    def _open_experiment(self, material: str, told: Told) -> Entry | None:
        """Return the experiment that a row answers: of the same lab, or where one of the two names none."""
        found = []
        for experiment in self.standing.experiments_of(material):
            entry = experiment.entry
            if entry.trial_state != "RUNNING" or experiment.state not in {"pending", "partial"}:
                continue
            free = not any(column in experiment.values for column in told.values)
            if free and (entry.lab == told.lab or not entry.lab or not told.lab):
                found.append(entry)
        return min(found, key=lambda entry: (entry.lab != told.lab, entry.number), default=None)

    def _doubts(self, material: str, told: Told) -> dict[str, str]:
        row = self.pool.rows[material]
        found = {
            column: doubt(column, value, expectation(self.pool, self.standing, row, column))
            for column, value in told.values.items()
        }
        return {column: cause for column, cause in found.items() if cause}

    def _second_opinion(self, material: str, told: Told, doubts: Mapping[str, str]) -> int | None:
        """Return the held row of another lab that says the same, or None.

        What no material can have (two labs may share a slip of unit) waits for a person to confirm it.
        """
        spreads = self.standing.spreads()
        for number, held in self.ledger.kept_rows.items():
            if held["verdict"] != "held" or number in self.confirmed or held["material_id"] != material:
                continue
            other = Told.read(held["told"])
            pairs = [
                (Reading(t.values[column], t.stds.get(column), t.lab, 0) for t in (told, other))
                for column in doubts
                if column in other.values
            ]
            inside = all(in_range(column, told.values[column]) for column in doubts)
            alike = inside and all(
                agree(pair, spreads.get(c, 0.0)) for pair, c in zip(pairs, doubts, strict=False)
            )
            if other.lab != told.lab and len(pairs) == len(doubts) and alike and "corrects" not in held:
                return number
        return None

    def _held(self, row: Row, material: str, doubts: Mapping[str, str], **noted: Any) -> Verdict:
        cause = "; ".join(doubts.values())
        kept = {
            "verdict": "held", "file": row.told.source, "row": row.place, "material": row.named or material,
            "material_id": material, "cause": cause, "lab": row.told.lab, "told": row.told.as_json() | {"at": ""},
            "why": row.why, **noted,
        }  # fmt: skip
        number = self._keep(kept, row.told.at)
        told = f"{cause}; held as row {number}: confirm it, or tell the right value"
        return Verdict(
            row.place, row.named, "held", material, None, row.told.values, told, row.told.notes, kept_row=number
        )

    def _keep(self, kept: dict[str, Any], at: str) -> int:
        """Keep a row once, however often it is told."""
        for number, held in self.ledger.kept_rows.items():
            if number not in self.confirmed and {k: v for k, v in held.items() if k != "at"} == kept:
                return number
        return self.ledger.keep_row(kept | {"at": at})

    def _material(self, row: Row) -> str:
        def under_way(material: str, *, lab: str | None = None) -> bool:
            open_ = (e for e in self.standing.experiments_of(material) if e.state in {"pending", "partial"})
            return any(lab is None or e.entry.lab == lab for e in open_)

        prefer = [
            lambda material: under_way(material, lab=row.told.lab),
            under_way,
            lambda material: not self.standing.entries_of(material),
        ]
        return find_material(row, self.pool, prefer)

    def _known(self, number: int) -> Entry:
        entry = self.standing.entry(number)
        if entry is None:
            raise InputError(f"there is no experiment {number}; numbers go from 0 to {len(self.standing) - 1}")
        return entry

    def _check_named(self, row: Row, entry: Entry) -> None:
        if (row.material_id or row.composition) and entry.material_id != find_material(
            row, self.pool, [lambda material: material == entry.material_id]
        ):
            raise InputError(
                f"experiment {entry.number} is about {entry.material_id!r}, not {row.named!r}; check both"
            )

    def _added(self, entry: Entry) -> Entry:
        self.standing.add(entry)
        return entry


def _by(lab: str) -> str:
    return f", {lab}" if lab else ""
