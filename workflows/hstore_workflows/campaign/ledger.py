"""The ledger of a campaign: an Optuna study to which is only added.

A running trial is an experiment under way or measured in part, a complete one has all goals, a failed one is a
failed synthesis or a released lease; pruned trials only refer to others. What was proposed, why, and what was told
stands in the trial's user attributes; the material is no parameter, for a row number means nothing to a sampler.
How far a measured window was missed is a constraint, so Optuna's own tools read the study correctly. Optuna lets
nobody change a finished trial: corrections, retractions and replicates are trials of their own.
"""

from __future__ import annotations

from contextlib import contextmanager, suppress
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Literal

from hstore.errors import InputError, StoreError, unknown_name
from hstore_workflows.campaign.config import SCHEMA, CampaignConfig, read_config
from hstore_workflows.campaign.entry import Entry, Told, read_entry
from hstore_workflows.campaign.lock import deciding
from hstore_workflows.campaign.storage import open_storage

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from optuna.storages import RDBStorage
    from optuna.study import Study
    from optuna.trial import FrozenTrial

    from hstore.settings import Settings

CONFIG = "hstore_campaign"
"""Attribute of a study with the settings of a campaign; a study without it is no campaign."""
_FIRST_REJECTS = "hstore_rejected_results"
_ROW = "hstore_row:"
_LAB = "hstore_lab:"
_RETRAINING = "hstore_retraining:"


class Ledger:
    """An open campaign; made by :func:`open_ledger` and :func:`create_ledger`.

    Whoever writes holds the lock of the campaign (:mod:`hstore_workflows.campaign.lock`).
    """

    def __init__(self, study: Study, storage: RDBStorage) -> None:
        self._study = study
        self._storage = storage
        self._study_id = storage.get_study_id_from_name(study.study_name)
        self._attributes: dict[str, Any] = dict(study.user_attrs)
        found = self._attributes.get(CONFIG)
        if not isinstance(found, dict):
            raise InputError(f"study {study.study_name!r} was not made by hstore campaign new; give another")
        self.config: CampaignConfig = read_config(study.study_name, found)
        """What the campaign was set up with."""

    @property
    def name(self) -> str:
        """Name of the campaign."""
        return str(self._study.study_name)

    @property
    def labs(self) -> dict[str, dict[str, Any]]:
        """What each lab that was described has, by its name."""
        return {k.removeprefix(_LAB): dict(v) for k, v in self._attributes.items() if k.startswith(_LAB)}

    @property
    def kept_rows(self) -> dict[int, dict[str, Any]]:
        """Rows of results that are held or were rejected, by number."""
        first = dict(enumerate(self._attributes.get(_FIRST_REJECTS, [])))
        held = {k.removeprefix(_ROW): v for k, v in self._attributes.items() if k.startswith(_ROW)}
        rejected = {number: {"verdict": "rejected", **row} for number, row in first.items()}
        return rejected | {int(number): dict(row) for number, row in sorted(held.items())}

    @property
    def retrainings(self) -> list[dict[str, Any]]:
        """Return what each retraining of the property models brought, in order."""
        found = {k: dict(v) for k, v in self._attributes.items() if k.startswith(_RETRAINING)}
        return [found[key] for key in sorted(found)]

    def entries(self) -> list[Entry]:
        """Return all trials in the order they were added."""
        return [read_entry(trial, self.config) for trial in self._study.get_trials(deepcopy=False)]

    def propose(self, material_id: str, **attributes: Any) -> Entry:
        """Note an experiment as under way, in one transaction."""
        from optuna.trial import TrialState

        return self._add(TrialState.RUNNING, {"material_id": material_id, **attributes})

    def add_told(
        self, material_id: str, told: Told, *, known: Mapping[str, float], aside: bool = False, **attributes: Any
    ) -> Entry:
        """Add what was told about no trial that is open, as a trial of its own, in one transaction.

        Args:
            material_id: material of the pool.
            told: what was told.
            known: all values that hold for this trial, those told and those that a correction leaves as they are.
            aside: True where the trial completes another (a window of a material whose goals are known).
            attributes: noted too.
        """
        state, values = self._outcome(told, known, aside=aside)
        held = {"material_id": material_id, "lab": told.lab, "told": [told.as_json()], **attributes}
        return self._add(state, held, values, self._violations(known))

    def retract(self, number: int, material_id: str, **attributes: Any) -> Entry:
        """Note that an experiment or correction is not to be believed."""
        from optuna.trial import TrialState

        trial_id = self._trial_id(number)
        if self._storage.get_trial(trial_id).state == TrialState.RUNNING:
            self._storage.set_trial_state_values(trial_id, TrialState.PRUNED)
        return self._add(TrialState.PRUNED, {"material_id": material_id, "retracts": number, **attributes})

    def tell(self, entry: Entry, told: Told) -> Entry:
        """Answer an experiment that is under way or measured in part.

        What was told is written first, in one transaction; :meth:`mend` finishes a trial whose process died
        before its state was written.
        """
        trial_id = self._trial_id(entry.number)
        rows = [*entry.told, told]
        self._storage.set_trial_user_attr(trial_id, "told", [row.as_json() for row in rows])
        return self._finish(trial_id)

    def release(self, entry: Entry, now: datetime, *, why: str = "its lease has passed", by: str = "") -> Entry:
        """Give an experiment back of which nothing is known."""
        trial_id = self._trial_id(entry.number)
        self._storage.set_trial_user_attr(trial_id, "why", why)
        if by:
            self._storage.set_trial_user_attr(trial_id, "released_by", by)
        self._storage.set_trial_user_attr(trial_id, "released", now.isoformat())
        return self._finish(trial_id)

    def mend(self) -> list[Entry]:
        """Finish what a dead process left half done, bring the ledger to this schema, and return all trials."""
        if self._attributes[CONFIG].get("schema", 1) < SCHEMA:
            found = self._attributes[CONFIG].get("schema", 1)
            if found == 1:
                self.config = replace(self.config, leases_from=now_utc().isoformat())
            self._set(CONFIG, self.config.as_json() | {"migrated_from": found})
        entries = self.entries()
        for place, entry in enumerate(entries):
            if entry.trial_state == "RUNNING" and self._is_over(entry):
                entries[place] = self._finish(self._trial_id(entry.number))
        return entries

    def keep_row(self, row: Mapping[str, Any]) -> int:
        """Keep a held or rejected row of results, and return its number."""
        number = max(self.kept_rows, default=-1) + 1
        self._set(f"{_ROW}{number:07d}", dict(row))
        return number

    def set_lab(self, lab: str, held: Mapping[str, Any]) -> None:
        """Note what a lab has and can make."""
        self._set(f"{_LAB}{lab}", dict(held))

    def add_retraining(self, record: Mapping[str, Any]) -> None:
        """Note what a retraining brought."""
        self._set(f"{_RETRAINING}{len(self.retrainings):05d}", dict(record))

    def renew(self, config: CampaignConfig) -> None:
        """Put other settings in the place of those of the campaign."""
        self.config = config
        self._set(CONFIG, self._attributes[CONFIG] | config.as_json())

    def _set(self, key: str, value: Any) -> None:
        self._study.set_user_attr(key, value)
        self._attributes[key] = value

    def _trial_id(self, number: int) -> int:
        return int(self._storage.get_trial_id_from_study_id_trial_number(self._study_id, number))

    def _add(
        self,
        state: Any,
        held: Mapping[str, Any],
        values: Sequence[float] | None = None,
        violations: Mapping[str, float] | None = None,
    ) -> Entry:
        from optuna.trial import create_trial

        noted = {key: value for key, value in held.items() if value not in (None, "")}
        trial = create_trial(state=state, values=values, user_attrs=noted, constraints=dict(violations or {}))
        return self._read(self._storage.create_new_trial(self._study_id, trial))

    def _is_over(self, entry: Entry) -> bool:
        """Tell whether a running trial has all that it waits for."""
        known = {column for told in entry.told for column in told.values}
        complete = all(goal.column in known for goal in self.config.objective.goals)
        return entry.released or complete or entry.failed

    def _finish(self, trial_id: int) -> Entry:
        """Write constraints and final state that follow from what was told."""
        from optuna.trial import Trial, TrialState

        entry = self._read(trial_id)
        if entry.released:
            self._storage.set_trial_state_values(trial_id, TrialState.FAIL)
            return self._read(trial_id)
        known: dict[str, float] = {}
        for told in entry.told:
            known |= told.values
        state, values = self._outcome(entry.told[-1], known)
        trial = Trial(self._study, trial_id)
        present = self._storage.get_trial(trial_id).constraints
        for window, violation in self._violations(known).items():
            if window not in present:
                trial.set_constraint(window, violation)
        if state != TrialState.RUNNING:
            self._storage.set_trial_state_values(trial_id, state, values)
        return self._read(trial_id)

    def _outcome(self, told: Told, known: Mapping[str, float], *, aside: bool = False) -> tuple[Any, Any]:
        from optuna.trial import TrialState

        if told.failed is not None:
            return TrialState.FAIL, None
        goals = [goal.column for goal in self.config.objective.goals]
        if all(column in known for column in goals):
            return TrialState.COMPLETE, [known[column] for column in goals]
        return (TrialState.PRUNED if aside else TrialState.RUNNING), None

    def _violations(self, known: Mapping[str, float]) -> dict[str, float]:
        windows = self.config.objective.windows
        return {str(w): w.violation(known[w.column]) for w in windows if w.column in known}

    def _read(self, trial_id: int) -> Entry:
        trial: FrozenTrial = self._storage.get_trial(trial_id)
        return read_entry(trial, self.config)


def create_ledger(settings: Settings, name: str, config: CampaignConfig) -> None:
    """Begin a campaign.

    Raises:
        InputError: the name is taken.
    """
    import optuna

    with open_storage(settings) as storage:
        try:
            study = optuna.create_study(
                storage=storage,
                study_name=name,
                directions=["minimize" if goal.minimize else "maximize" for goal in config.objective.goals],
                sampler=optuna.samplers.RandomSampler(),
            )
        except optuna.exceptions.DuplicatedStudyError as error:
            raise InputError(f"there is a campaign {name!r} already; choose another name") from error
        study.set_user_attr(CONFIG, config.as_json())


def campaign_names(settings: Settings) -> list[str]:
    """Return the names of all campaigns, in alphabetical order."""
    with open_storage(settings) as storage:
        studies = storage.get_all_studies()
    return sorted(study.study_name for study in studies if CONFIG in study.user_attrs)


def configs(settings: Settings, name: str | None = None) -> dict[str, CampaignConfig]:
    """Return name -> settings of all campaigns, or of the one of a name, in alphabetical order.

    A campaign that a newer hstore wrote is left out.
    """
    found = {}
    with open_storage(settings) as storage:
        for study in sorted(storage.get_all_studies(), key=lambda study: study.study_name):
            held = study.user_attrs.get(CONFIG)
            if isinstance(held, dict) and name in {None, study.study_name}:
                with suppress(StoreError):
                    found[study.study_name] = read_config(study.study_name, held)
    return found


def ledger_exists(settings: Settings, name: str) -> bool:
    """Tell whether a campaign (or another study) of that name has begun."""
    with open_storage(settings) as storage:
        return any(study.study_name == name for study in storage.get_all_studies())


@contextmanager
def open_ledger(
    settings: Settings, name: str, *, lock: Literal["ledger", "proposals"] | None = None
) -> Iterator[Ledger]:
    """Open a campaign for the length of a block.

    Args:
        settings: where campaigns are kept.
        name: of the campaign.
        lock: right to hold meanwhile (:mod:`hstore_workflows.campaign.lock`); None only reads.

    Raises:
        UnknownNameError: no campaign of that name.
        StoreError: the database cannot be reached, or a newer hstore wrote the campaign.
    """
    import optuna

    with open_storage(settings) as storage:
        # hstore chooses itself; the default sampler would warn and think about parameters that are not there
        sampler = optuna.samplers.RandomSampler(seed=0)
        try:
            study = optuna.load_study(study_name=name, storage=storage, sampler=sampler)
        except KeyError:
            raise unknown_name("campaign", name, optuna.get_all_study_names(storage=storage)) from None
        ledger = Ledger(study, storage)
        if lock is None:
            yield ledger
            return
        with deciding(settings, name, about=lock):
            yield Ledger(study, storage)  # read again: others may have written while we waited


def now_utc() -> datetime:
    """Return the time of the clock, in UTC."""
    return datetime.now(UTC)
