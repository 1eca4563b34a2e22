"""The ledger of a campaign as plain data, and back: every trial with its state, values, times and notes."""

from __future__ import annotations

import math
from datetime import datetime
from typing import TYPE_CHECKING, Any

from hstore.errors import InputError
from hstore_workflows.campaign.ledger import CONFIG

if TYPE_CHECKING:
    from collections.abc import Mapping

    from optuna.storages import RDBStorage
    from optuna.trial import FrozenTrial

_IMPORTING = "hstore_importing"
"""Attribute of a study that is being imported."""


def read_study(storage: RDBStorage, name: str) -> dict[str, Any]:
    """Return a study as plain data; numbers that are not finite are text."""
    study_id = storage.get_study_id_from_name(name)
    attributes = {k: v for k, v in storage.get_study_user_attrs(study_id).items() if k != _IMPORTING}
    return {
        "name": name,
        "directions": [direction.name for direction in storage.get_study_directions(study_id)],
        "attributes": attributes,
        "trials": [_trial(trial) for trial in storage.get_all_trials(study_id, deepcopy=False)],
    }


def is_half_done(storage: RDBStorage, name: str) -> bool:
    """Tell whether a study of that name was left by an import that was killed."""
    found = storage.get_study_user_attrs(storage.get_study_id_from_name(name))
    return _IMPORTING in found and CONFIG not in found


def write_study(storage: RDBStorage, held: Mapping[str, Any]) -> None:
    """Write a study that :func:`read_study` read; it is a campaign when the last attribute is written.

    Raises:
        InputError: what is held is no study.
    """
    from optuna.study import StudyDirection

    try:
        trials = [_frozen(trial, number) for number, trial in enumerate(held["trials"])]
        directions = [StudyDirection[direction] for direction in held["directions"]]
        attributes = dict(held["attributes"])
        config = attributes.pop(CONFIG)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise InputError(f"the ledger cannot be read ({error!r}); ask for the crate again") from error
    study_id = storage.create_new_study(directions, held["name"])
    try:
        storage.set_study_user_attr(study_id, _IMPORTING, value=True)
        for trial in trials:
            storage.create_new_trial(study_id, trial)
        for key, value in attributes.items():
            storage.set_study_user_attr(study_id, key, value)
        storage.set_study_user_attr(study_id, CONFIG, config)
    except BaseException:  # whatever stopped it, half a campaign is none
        storage.delete_study(study_id)
        raise


def _trial(trial: FrozenTrial) -> dict[str, Any]:
    return {
        "state": trial.state.name,
        "values": None if trial.values is None else [_number(value) for value in trial.values],
        "started": None if trial.datetime_start is None else trial.datetime_start.isoformat(),
        "ended": None if trial.datetime_complete is None else trial.datetime_complete.isoformat(),
        "attributes": dict(trial.user_attrs),
        "system_attributes": dict(trial.system_attrs),
    }


def _frozen(held: Mapping[str, Any], number: int) -> FrozenTrial:
    from optuna.trial import FrozenTrial, TrialState

    started, ended = (
        None if held[key] is None else datetime.fromisoformat(held[key]) for key in ("started", "ended")
    )
    values = held["values"]
    return FrozenTrial(
        number=number,
        state=TrialState[held["state"]],
        value=None,
        values=None if values is None else [float(value) for value in values],
        datetime_start=started,
        datetime_complete=ended,
        params={},
        distributions={},
        user_attrs=dict(held["attributes"]),
        system_attrs=dict(held["system_attributes"]),
        intermediate_values={},
        trial_id=number,
    )


def _number(value: float) -> float | str:
    return value if math.isfinite(value) else repr(value)
