"""The ledger of a campaign: an Optuna study, one trial per experiment.

A running trial is an experiment under way, a complete one has a value, a failed one is a failed synthesis.
What was proposed, why and on which prediction stands in the trial's user attributes; the material is no
parameter, for a row number means nothing to a sampler. How far a measured window was missed is the trial's
constraint, so Optuna's own tools read the study correctly.
"""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from hstore.errors import InputError, StoreError, unknown_name
from hstore.store.engine import make_engine
from hstore_workflows.campaign.lock import is_postgresql

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from optuna.storages import RDBStorage
    from optuna.study import Study
    from optuna.trial import FrozenTrial

    from hstore.settings import Settings

_CONFIG = "hstore_campaign"
_REJECTS = "hstore_rejected_results"
_BUSY_TIMEOUT_S = 60
_STATES = {"RUNNING": "pending", "COMPLETE": "measured", "FAIL": "failed"}


@dataclass(frozen=True)
class Entry:
    """One experiment of a campaign."""

    number: int
    """Number of the experiment, from 0."""
    state: str
    """``pending``, ``measured`` or ``failed``."""
    material_id: str
    """Material of the pool."""
    value: float | None = None
    """Measured value of the maximised column."""
    attributes: Mapping[str, Any] = field(default_factory=dict)
    """What was noted when it was proposed and answered."""


class Ledger:
    """An open campaign; made by :func:`open_ledger` and :func:`create_ledger`."""

    def __init__(self, study: Study, storage: RDBStorage) -> None:
        self._study = study
        self._storage = storage

    @property
    def config(self) -> dict[str, Any]:
        """What the campaign was set up with."""
        found = self._study.user_attrs.get(_CONFIG)
        if not isinstance(found, dict):
            raise InputError(f"study {self._study.study_name!r} was not made by hstore campaign new; give another")
        return found

    @property
    def rejects(self) -> list[dict[str, Any]]:
        """Results that were refused, with their causes."""
        return list(self._study.user_attrs.get(_REJECTS, []))

    def entries(self) -> list[Entry]:
        """Return all experiments in the order they were proposed."""
        return [_entry(trial) for trial in self._study.get_trials(deepcopy=False) if trial.state.name in _STATES]

    def add(self, material_id: str, **attributes: Any) -> int:
        """Note an experiment as under way, in one transaction, and return its number.

        The caller holds the lock of the campaign, or two processes could add the same material.
        """
        from optuna.trial import TrialState, create_trial

        held = {"material_id": material_id} | {k: v for k, v in attributes.items() if v is not None}
        self._study.add_trial(create_trial(state=TrialState.RUNNING, user_attrs=held))
        return max(e.number for e in self.entries() if e.material_id == material_id)

    def tell(
        self, number: int, value: float | None, *, measured: Mapping[str, float], violations: Mapping[str, float]
    ) -> None:
        """Answer an experiment.

        Args:
            number: of the experiment.
            value: measured value, or None when the synthesis failed.
            measured: measured values of window columns.
            violations: window -> how far it was missed, zero or negative where it was met.
        """
        from optuna.trial import Trial, TrialState

        study_id = self._storage.get_study_id_from_name(self._study.study_name)
        trial = Trial(self._study, self._storage.get_trial_id_from_study_id_trial_number(study_id, number))
        if measured:
            trial.set_user_attr("measured", dict(measured))
        for window, violation in violations.items():
            trial.set_constraint(window, violation)
        if value is None:
            self._study.tell(number, state=TrialState.FAIL)
        else:
            self._study.tell(number, value)

    def note_rejects(self, rejects: list[dict[str, Any]]) -> None:
        """Add refused results to the record."""
        if rejects:
            self._study.set_user_attr(_REJECTS, [*self.rejects, *rejects])


def create_ledger(settings: Settings, name: str, config: Mapping[str, Any]) -> None:
    """Begin a campaign.

    Raises:
        InputError: the name is taken.
    """
    import optuna

    with _storage(settings) as storage:
        try:
            study = optuna.create_study(
                storage=storage, study_name=name, direction="maximize", sampler=optuna.samplers.RandomSampler()
            )
        except optuna.exceptions.DuplicatedStudyError as error:
            raise InputError(f"there is a campaign {name!r} already; choose another name") from error
        study.set_user_attr(_CONFIG, dict(config))


def ledger_exists(settings: Settings, name: str) -> bool:
    """Tell whether a campaign of that name has begun."""
    import optuna

    with _storage(settings) as storage:
        return name in optuna.get_all_study_names(storage=storage)


@contextmanager
def open_ledger(settings: Settings, name: str) -> Iterator[Ledger]:
    """Open a campaign for the length of a block.

    Raises:
        UnknownNameError: no campaign of that name.
        StoreError: the database cannot be reached.
    """
    import optuna

    with _storage(settings) as storage:
        names = optuna.get_all_study_names(storage=storage)
        if name not in names:
            raise unknown_name("campaign", name, names)
        # hstore chooses itself; the default sampler would warn and think about parameters that are not there
        sampler = optuna.samplers.RandomSampler(seed=0)
        yield Ledger(optuna.load_study(study_name=name, storage=storage, sampler=sampler), storage)


@contextmanager
def _storage(settings: Settings) -> Iterator[RDBStorage]:
    import optuna
    from sqlalchemy.exc import SQLAlchemyError

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    url, options = settings.store_url, {}
    if is_postgresql(url):
        engine = make_engine(url)  # settles the spelling of the driver and asks for psycopg
        url = engine.url.render_as_string(hide_password=False)
        engine.dispose()
    else:
        settings.home.mkdir(parents=True, exist_ok=True)
        url = f"sqlite:///{settings.home / 'campaigns.sqlite'}"
        options = {"connect_args": {"timeout": _BUSY_TIMEOUT_S}}
    try:
        storage = optuna.storages.RDBStorage(url, engine_kwargs=options)
        try:
            yield storage
        finally:
            storage.remove_session()
            storage.engine.dispose()
    except (SQLAlchemyError, optuna.exceptions.StorageInternalError) as error:
        cause = str(getattr(error, "orig", None) or error).partition("\n")[0]
        raise StoreError(
            f"the campaigns cannot be read or written: {cause}; check HSTORE_HOME and the database"
        ) from error


def _entry(trial: FrozenTrial) -> Entry:
    attributes = dict(trial.user_attrs)
    material_id = str(attributes.pop("material_id", ""))
    return Entry(
        trial.number, _STATES[trial.state.name], material_id, trial.value if trial.values else None, attributes
    )
