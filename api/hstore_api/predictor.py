"""The property models of one running service."""

from __future__ import annotations

import logging
import math
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from hstore.errors import HstoreError, InputError, ModelError, UnknownNameError
from hstore.records import PUBLIC_SCOPE
from hstore_api.batching import Batches
from hstore_api.cards import Cards
from hstore_api.loaded_models import LoadedModels
from hstore_api.prediction_schemas import PredictedRow, StatedConditions
from hstore_api.served import served_property, shipped_properties
from hstore_api.subjects import StructureReader, Subject, of_formula
from hstore_api.training import Training

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from hstore.records import Scope
    from hstore.settings import Settings
    from hstore_api.served import ServedProperty
    from hstore_models.prediction import Predictions
    from hstore_models.registry import LoadedModel

REFUSED = "outside the domain of the model, for which no numbers were wanted (out_of_domain is 'refuse')"
"""Why a row has no numbers where the request asks for none outside the domain."""

COMPOSITION_ONLY = "from the composition alone: this model does not look at structures"
"""What is said of a structure whose cell a model does not use."""

HEAD_START_S = 1.0
"""Time after its start in which a service answers before it loads models, s."""

LOADED_WITHIN_S = 5.0
"""Longest wait of a service that ends for a model that is being loaded, s."""

_NUMBERS = ("mean", "std", "lower", "upper")

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Answer:
    """What a model says about some materials."""

    served: ServedProperty
    """Property."""
    conditions: StatedConditions
    """State the answers hold for, with what was filled in."""
    model_id: str
    """Model that answered."""
    rows: list[PredictedRow]
    """One row for each material, in order."""
    note: str = ""
    """Why another version than the one in use answered; empty where it is the one in use."""


class Predictor:
    """Models, each loaded on first use (trained, where there is none) and kept while memory allows.

    Whoever asks states a scope: a lab is answered by its own version where it has one in use, and the versions of
    other labs do not exist for it.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        training: Training | None = None,
        tell: Callable[[str, int], None] = lambda *_: None,
    ) -> None:
        """Take the settings.

        Args:
            settings: where data and models are.
            training: how a missing model is trained; apart from the service when None.
            tell: told the version and the number of rows of each answer.
        """
        self._tell = tell
        self.cards = Cards(settings)
        self.models = LoadedModels(settings)
        self.structures = StructureReader()
        self._settings = settings
        self._training = training or Training(settings)
        self._batches = Batches()
        self._timer: threading.Timer | None = None
        self._stopping = threading.Event()
        self._few_threads: Any = None

    def start(self) -> None:
        """Load the versions in use soon after, so that the first who asks need not wait; returns at once.

        In production a shipped model that is missing is trained then; in development when it is first asked for.
        """
        self._timer = threading.Timer(HEAD_START_S, self._warm)
        self._timer.daemon = True
        self._timer.start()

    def stop(self) -> None:
        """End what was started, and leave the numerical libraries as they were found.

        A model that is being loaded ahead of requests is waited for, at most :data:`LOADED_WITHIN_S`: libraries
        abort a process that ends meanwhile. A training is not waited for.
        """
        self.structures.close()
        self._stopping.set()
        if self._timer is not None:
            self._timer.cancel()
            self._timer.join(LOADED_WITHIN_S)
        if self._few_threads is not None:
            self._few_threads.restore_original_limits()

    def served(self, property_name: str, scope: Scope = PUBLIC_SCOPE) -> ServedProperty:
        """Return what a property needs to be predicted.

        Raises:
            UnknownNameError: no model that the scope may see predicts it.
        """
        return served_property(property_name, self.cards, scope)

    def model(self, property_name: str, scope: Scope = PUBLIC_SCOPE, model_id: str | None = None) -> LoadedModel:
        """Return the model that answers a scope for a property.

        Args:
            property_name: what is predicted.
            scope: in whose name.
            model_id: a version that the scope may see; the one in use when None.

        Raises:
            UnknownNameError: no model predicts it, or there is no such version in this scope.
            ModelError: none can be used.
            BusyError: it is being trained.
        """
        name = self.served(property_name, scope).model
        if model_id is not None:
            card = self.cards.find(model_id, scope, model=name)
            if card is None:
                raise UnknownNameError(
                    f"no version {model_id!r} of {name} that you may see; /v1/models/{name} lists those there are"
                )
            return self.models.version(card, scope)
        try:
            return self.models.serving(name, scope)
        except ModelError:
            if not self._trainable(name):
                raise
        self._training.wait_for(name)
        return self.models.serving(name, scope)

    def predict(
        self,
        property_name: str,
        formulas: Sequence[str],
        conditions: StatedConditions,
        *,
        scope: Scope = PUBLIC_SCOPE,
        model_id: str | None = None,
        refuse: bool = False,
    ) -> Answer:
        """Predict a property for formulas; a formula that cannot be used gets a row with its cause.

        Args:
            property_name: a property that is predicted from formulas.
            formulas: any text.
            conditions: state.
            scope: in whose name.
            model_id: version to ask; the one in use when None.
            refuse: True leaves out the numbers of rows outside the domain of the model.

        Raises:
            UnknownNameError: no model predicts it, or there is no such version in this scope.
            InputError: it is predicted from descriptors, or a condition does not belong to it.
        """
        served = self.served(property_name, scope)
        subjects = [of_formula(text) for text in formulas]
        check_kinds(served, subjects)
        return self.answer(served, self.model(property_name, scope, model_id), subjects, conditions, refuse=refuse)

    def answer(
        self,
        served: ServedProperty,
        loaded: LoadedModel,
        subjects: Sequence[Subject],
        conditions: StatedConditions,
        *,
        refuse: bool = False,
    ) -> Answer:
        """Predict a property for materials that have been read.

        Args:
            served: the property.
            loaded: the model, as :meth:`model` gives it for the property.
            subjects: the materials.
            conditions: state; a subject's own goes before.
            refuse: True leaves out the numbers of rows outside the domain of the model.

        Raises:
            InputError: a condition does not belong to the property, or is missing.
        """
        columns = {column for subject in subjects for column in subject.columns}
        completed = served.completed(conditions, columns=columns)
        stated = completed.model_dump(exclude_none=True)
        rows: dict[int, PredictedRow] = {}
        asked: list[int] = []
        for place, subject in enumerate(subjects):
            cause = subject.cause or _lacks(served, subject, stated)
            if cause:
                rows[place] = _without(subject, cause)
            else:
                asked.append(place)
        # One set of columns for all: a row that does not state one has an empty cell.
        names = {name for place in asked for name in subjects[place].columns}
        blank = dict.fromkeys(names, math.nan) | stated
        if asked:
            given = [{**blank, **subjects[place].columns} for place in asked]
            amounts = [subjects[place].amounts or {} for place in asked]
            found = self._batches.ask(loaded, [served.name], amounts, given)[served.name]
            blind = not _looks_at_structures(loaded)
            for i, place in enumerate(asked):
                rows[place] = _answered(subjects[place], found, i, refuse=refuse, blind=blind)
        in_order = [rows[place] for place in range(len(subjects))]
        self._tell(loaded.card.model_id, len(asked))
        return Answer(served, completed, loaded.card.model_id, in_order, loaded.note)

    def _trainable(self, name: str) -> bool:
        """Tell whether a model can be made for everybody: a shipped one, or one that is in use already."""
        shipped = {served.model for served in shipped_properties().values()}
        return name in shipped or self.cards.in_use(name, PUBLIC_SCOPE) is not None

    def _warm(self) -> None:
        """Load what is in use, and keep numerical libraries from starting threads for a row.

        Requests share the cores already: threads of theirs that wait for each other make a prediction take five
        times as long.
        """
        from threadpoolctl import threadpool_limits

        for name in dict.fromkeys(served.model for served in shipped_properties().values()):
            if self._stopping.is_set():
                return
            if self.cards.in_use(name, PUBLIC_SCOPE) is None:
                if self._settings.environment == "production":
                    self._training.begin(name)
                continue
            try:
                self.models.serving(name, PUBLIC_SCOPE)
            except HstoreError as error:
                _log.warning("%s is not loaded ahead of requests: %s", name, error)
        self._few_threads = threadpool_limits(self._settings.threads or 1)


def check_kinds(served: ServedProperty, subjects: Sequence[Subject]) -> None:
    """Refuse a request of which nothing can be answered, before a model is loaded for it.

    Raises:
        InputError: the property is predicted from descriptors and no subject has any.
    """
    if served.predicted_from == "formula" or any(subject.columns for subject in subjects):
        return
    wanted = ", ".join(served.conditions) if served.own else "the texture of a sorbent"
    raise InputError(
        f"{served.name} is predicted from {wanted}, not from a formula alone; give the descriptors in rows, or "
        f"put them into a table and run: hstore predict {served.name} --in FILE.csv --out FILE.csv"
    )


def _lacks(served: ServedProperty, subject: Subject, stated: dict[str, Any]) -> str:
    """Say which condition a subject does not state, nor the request for it; empty where all are there."""
    missing = [name for name in served.conditions if name not in stated and name not in subject.columns]
    return f"{' and '.join(missing)} is not stated; give it in the row or in the request" if missing else ""


def _looks_at_structures(loaded: LoadedModel) -> bool:
    """Tell whether a model has been told of unit cells."""
    from hstore_models.conductivity import WITH_CELL, Conductivity
    from hstore_models.features.unit_cell import CELL_COLUMNS

    model = loaded.model
    if isinstance(model, Conductivity):
        return any(name.endswith(WITH_CELL.format(ion="")) for name in model.ensembles)
    return bool(set(CELL_COLUMNS) & set(model.feature_names))


def _without(subject: Subject, cause: str, reason: str = "") -> PredictedRow:
    """Return a row without numbers."""
    nothing: dict[str, Any] = dict.fromkeys(_NUMBERS)
    return PredictedRow(**_known(subject), **nothing, in_domain=False, reason=reason, error=cause)


def _answered(subject: Subject, answer: Predictions, i: int, *, refuse: bool, blind: bool) -> PredictedRow:
    """Return the row of a subject that was asked for."""
    numbers = {name: float(getattr(answer, name)[i]) for name in _NUMBERS}
    reason, in_domain = str(answer.reason[i]), bool(answer.in_domain[i])
    if not all(map(math.isfinite, numbers.values())):
        return _without(subject, reason or "the model has no finite answer for this material")
    if refuse and not in_domain:
        return _without(subject, REFUSED, reason)
    known = _known(subject, COMPOSITION_ONLY if subject.structured and blind else "")
    return PredictedRow(**known, **numbers, in_domain=in_domain, reason=reason, error=None)


def _known(subject: Subject, note: str = "") -> dict[str, str]:
    """Return the fields of a row that say what it is about."""
    notes = "; ".join(filter(None, (subject.note, note)))
    return {"formula": subject.formula, "name": subject.name, "note": notes}
