"""What is true now: all trials of a ledger folded into values per material, with conflicts and noise.

Corrections and retractions take effect, replicates are averaged (by 1/std^2 where every one states its standard
deviation), and nothing of the ledger is lost: :meth:`Standing.entries_of` gives the whole story of a material.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from hstore_workflows.campaign.landscape import History
from hstore_workflows.measure.readings import Conflict, Noise, Reading, agree, mean_of, pooled_noise

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from hstore_workflows.campaign.entry import Entry, Told
    from hstore_workflows.campaign.objective import Objective

_STD_PER_MAD = 1.4826
"""Standard deviation of a normal distribution per median absolute deviation."""


@dataclass
class Experiment:
    """One experiment with the corrections that hold."""

    entry: Entry
    """The trial."""
    values: dict[str, float] = field(default_factory=dict)
    """Column -> value that holds."""
    stds: dict[str, float] = field(default_factory=dict)
    """Column -> standard deviation, where given."""
    failed: str | None = None
    """Why the synthesis failed; None where it did not or is not known."""
    corrected_by: int | None = None
    """Last live correction."""
    retracted_by: int | None = None
    """Retraction, where there is one."""
    goals: tuple[str, ...] = ()
    """Columns without which it is measured in part only."""

    @property
    def state(self) -> str:
        """``pending``, ``partial``, ``measured``, ``failed``, ``released`` or ``retracted``."""
        if self.retracted_by is not None:
            return "retracted"
        if self.entry.released:
            return "released"
        if self.failed is not None:
            return "failed"
        if not self.values:
            return "pending"
        aside = self.entry.attributes.get("completes") is not None
        return "measured" if aside or all(goal in self.values for goal in self.goals) else "partial"

    @property
    def live(self) -> bool:
        """True where it says something that holds."""
        return self.state in {"partial", "measured", "failed"}

    def take(self, told: Told) -> None:
        """Let a row that was told, or a correction, take effect."""
        if told.failed is not None:
            self.values, self.stds, self.failed = {}, {}, told.failed
            return
        if told.values:
            self.failed = None
        for column, value in told.values.items():
            self.values[column] = value
            self.stds.pop(column, None)
        self.stds |= told.stds


class Standing:
    """All trials of a campaign, folded; trials may be added."""

    def __init__(self, entries: Iterable[Entry], objective: Objective) -> None:
        self._objective = objective
        self._goals = tuple(goal.column for goal in objective.goals)
        self._of: dict[str, list[Entry]] = {}
        self._folded: dict[str, list[Experiment]] = {}
        self._values: dict[str, dict[str, float]] = {}
        self._by_number: dict[int, Entry] = {}
        for entry in entries:
            self.add(entry)

    def add(self, entry: Entry) -> None:
        """Add a trial, or put a newer state of one in its place."""
        before = self._by_number.get(entry.number)
        self._by_number[entry.number] = entry
        held = self._of.setdefault(entry.material_id, [])
        if before is None:
            held.append(entry)
        else:
            held[held.index(before)] = entry
        self._folded.pop(entry.material_id, None)
        self._values.pop(entry.material_id, None)

    def __len__(self) -> int:
        """Return the number of trials."""
        return len(self._by_number)

    def entry(self, number: int) -> Entry | None:
        """Return a trial by its number, or None."""
        return self._by_number.get(number)

    def all_entries(self) -> list[Entry]:
        """Return all trials, in order."""
        return sorted(self._by_number.values(), key=lambda entry: entry.number)

    def entries_of(self, material_id: str) -> list[Entry]:
        """Return the whole story of a material, in order."""
        return list(self._of.get(material_id, ()))

    def experiments_of(self, material_id: str) -> list[Experiment]:
        """Return the experiments on a material, corrections applied."""
        if material_id not in self._folded:
            self._folded[material_id] = _fold(self._of.get(material_id, ()), self._goals)
        return self._folded[material_id]

    @property
    def materials(self) -> list[str]:
        """Materials with any trial, in the order of their first."""
        return list(self._of)

    @property
    def experiments(self) -> list[Experiment]:
        """All experiments in order."""
        found = [experiment for material in self._of for experiment in self.experiments_of(material)]
        return sorted(found, key=lambda experiment: experiment.entry.number)

    def readings(self, material_id: str) -> dict[str, list[Reading]]:
        """Return the live values of a material, by column."""
        found: dict[str, list[Reading]] = {}
        for experiment in self.experiments_of(material_id):
            if not experiment.live:
                continue
            for column, value in experiment.values.items():
                lab = _lab_of(experiment, column)
                reading = Reading(value, experiment.stds.get(column), lab, experiment.entry.number)
                found.setdefault(column, []).append(reading)
        return found

    def values(self, material_id: str) -> dict[str, float]:
        """Return the value that is used of each column of a material."""
        if material_id not in self._values:
            readings = self.readings(material_id)
            self._values[material_id] = {column: mean_of(values) for column, values in readings.items()}
        return dict(self._values[material_id])

    def in_flight(self, lab: str | None = None) -> list[Entry]:
        """Return the experiments of which nothing is known yet, of one lab or of all."""
        found = [e.entry for e in self.experiments if e.state == "pending" and e.entry.in_flight]
        return [entry for entry in found if lab is None or entry.lab == lab]

    def history(self, rows: Mapping[str, int]) -> History:
        """Return what a strategy sees, results in the order in which they came.

        A material that one lab failed to make and another made counts as made.
        """
        results, failed, pending, chosen = {}, [], [], {}
        for material in sorted(self._of, key=self._came):
            row = rows[material]
            states = {experiment.state for experiment in self.experiments_of(material)}
            aims = [entry.attributes["aim"] for entry in self._of[material] if "aim" in entry.attributes]
            if aims:
                chosen[row] = str(aims[0])
            if values := self.values(material):
                results[row] = values
            elif "failed" in states:
                failed.append(row)
            elif "pending" in states:
                pending.append(row)
        return History(results, failed, pending, chosen)

    def _came(self, material: str) -> tuple[str, int]:
        """Return what orders materials by their first result; those of the first schema have no time."""
        held = self._of[material]
        return min((told.at for entry in held for told in entry.told), default=""), held[0].number

    def conflicts(self) -> list[Conflict]:
        """Return the materials whose live values differ by more than repeating explains."""
        spreads = self.spreads()
        return [
            Conflict(material, column, tuple(readings), mean_of(readings))
            for material in self._of
            for column, readings in self.readings(material).items()
            if len(readings) > 1 and not agree(readings, spreads.get(column, 0.0))
        ]

    def noise(self) -> dict[str, Noise]:
        """Return the pooled noise of every column with repeated measurements."""
        groups: dict[str, list[list[float]]] = {}
        for material in self._of:
            for column, readings in self.readings(material).items():
                if len(readings) > 1:
                    groups.setdefault(column, []).append([reading.value for reading in readings])
        return {column: pooled_noise(found) for column, found in groups.items()}

    def spreads(self) -> dict[str, float]:
        """Return how far each column scatters over the materials measured, whatever a few wild values say."""
        columns: dict[str, list[float]] = {}
        for material in self._of:
            for column, value in self.values(material).items():
                columns.setdefault(column, []).append(value)
        return {
            column: float(_STD_PER_MAD * np.median(np.abs(np.array(values) - np.median(values))))
            for column, values in columns.items()
        }

    def counts(self) -> dict[str, int]:
        """Return the number of experiments in each state."""
        found = Counter(experiment.state for experiment in self.experiments)
        states = ("pending", "partial", "measured", "failed", "released", "retracted")
        return {state: found[state] for state in states}

    def front(self) -> list[str]:
        """Return the materials with all goals that miss no window and that no other one beats in every goal."""
        goals = self._objective.goals
        known = {material: self.values(material) for material in self._of}
        met = [m for m, v in known.items() if all(g.column in v for g in goals) and self._objective.met_by(v)]
        if not met:
            return []
        points = np.array([[goal.sign * known[material][goal.column] for goal in goals] for material in met])
        beaten = [bool(((points >= p).all(axis=1) & (points > p).any(axis=1)).any()) for p in points]
        return [material for material, worse in zip(met, beaten, strict=True) if not worse]

    def best(self) -> tuple[str, float] | None:
        """Return the material with the best value of the main goal that misses no window, and the value."""
        goal = self._objective.main
        met = [
            (material, values[goal.column])
            for material in self._of
            for values in [self.values(material)]
            if goal.column in values and self._objective.met_by(values)
        ]
        return max(met, key=lambda pair: goal.sign * pair[1], default=None)


def _fold(entries: Iterable[Entry], goals: tuple[str, ...]) -> list[Experiment]:
    held = list(entries)
    retractions = {entry.retracts: entry.number for entry in held if entry.retracts is not None}
    experiments = {entry.number: Experiment(entry, goals=goals) for entry in held if entry.is_experiment}
    for experiment in experiments.values():
        for told in experiment.entry.told:
            experiment.take(told)
        experiment.retracted_by = retractions.get(experiment.entry.number)
    for entry in held:
        if entry.corrects is None or entry.number in retractions or entry.corrects not in experiments:
            continue
        for told in entry.told:
            experiments[entry.corrects].take(told)
        experiments[entry.corrects].corrected_by = entry.number
    return list(experiments.values())


def _lab_of(experiment: Experiment, column: str) -> str:
    """Return who measured a value: the last lab that told it, or the lab of the experiment."""
    labs = [told.lab for told in experiment.entry.told if column in told.values and told.lab]
    return labs[-1] if labs else experiment.entry.lab
