"""The property models of one running service."""

from __future__ import annotations

import logging
import math
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from hstore.errors import InputError
from hstore.records import PUBLIC_SCOPE
from hstore_api.schemas import PredictedRow, StatedConditions
from hstore_api.served import ServedProperty, served_property

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hstore.settings import Settings
    from hstore_models.prediction import Predictions
    from hstore_models.registry import LoadedModel
    from hstore_workflows.tables import UserTable

REFUSED = "outside the domain of the model, for which no numbers were wanted (out_of_domain is 'refuse')"
"""Why a row has no numbers where the request asks for none outside the domain."""

_NUMBERS = ("mean", "std", "lower", "upper")
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Answer:
    """What a model says about some formulas."""

    model_id: str
    """Model that answered."""
    rows: list[PredictedRow]
    """One row for each formula, in order."""
    note: str = ""
    """Why another version than the champion answered; empty where it is the champion."""


class Predictor:
    """Models, each loaded on first use (trained, where it is missing) and then kept.

    A model serves until the process ends, so all answers of one process agree; data that change meanwhile
    count from the next start. Models that belong to a lab are not served: readers are anonymous.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._models: dict[str, LoadedModel] = {}
        self._one_at_a_time = threading.Lock()

    def served(self, property_name: str) -> ServedProperty:
        """Return what a property needs to be predicted.

        Raises:
            UnknownNameError: no model that everybody may see predicts it.
            InputError: it is predicted from descriptors.
        """
        found = served_property(property_name, self._settings, PUBLIC_SCOPE)
        if found.predicted_from == "descriptors":
            wanted = ", ".join(found.conditions) if found.own else "the texture of a sorbent"
            raise InputError(
                f"{property_name} is predicted from {wanted}, not from a formula alone; put the descriptors into "
                f"a table and run: hstore predict {property_name} --in FILE.csv --out FILE.csv"
            )
        return found

    def model(self, property_name: str) -> LoadedModel:
        """Return the model that predicts a property from formulas.

        Training takes up to a minute and all cores: one at a time, and whoever asks meanwhile waits.

        Raises:
            UnknownNameError: no model predicts it.
            InputError: it is predicted from descriptors.
        """
        from hstore_models.training import ensure

        asked = self.served(property_name)
        if asked.model not in self._models:
            with self._one_at_a_time:
                if asked.model not in self._models:
                    self._models[asked.model] = ensure(asked.model, self._settings, say=_log.info)
        return self._models[asked.model]

    def predict(
        self, property_name: str, formulas: Sequence[str], conditions: StatedConditions, *, refuse: bool = False
    ) -> Answer:
        """Predict a property for formulas; a formula that cannot be used gets a row with its cause.

        Args:
            property_name: a property that is predicted from formulas.
            formulas: any text.
            conditions: state, completed by :meth:`ServedProperty.completed`.
            refuse: True leaves out the numbers of rows outside the domain of the model.
        """
        import pandas as pd

        from hstore_models.prediction import Query
        from hstore_workflows.tables import check_table

        loaded = self.model(property_name)
        stated = conditions.model_dump(exclude_none=True)
        table = check_table(pd.DataFrame({"formula": list(formulas)}).assign(**stated))
        rows = {reject.row - 1: _without(formulas[reject.row - 1], reject.cause) for reject in table.rejects}
        if table.amounts:
            answer = loaded.model.predict(property_name, Query.of(table.amounts, table.frame))
            rows |= _answered(formulas, table, answer, refuse=refuse)
        in_order = [rows[place] for place in range(len(formulas))]
        return Answer(loaded.card.model_id, in_order, _public_note(loaded))


def _public_note(loaded: LoadedModel) -> str:
    """Say that another version than the champion serves; the cause names files and is for the operator's log."""
    if not loaded.note:
        return ""
    return f"{loaded.card.model_id} serves in place of the version in use, whose files are refused; see the log"


def _without(formula: str, cause: str, reason: str = "") -> PredictedRow:
    """Return a row without numbers."""
    nothing: dict[str, Any] = dict.fromkeys(_NUMBERS)
    return PredictedRow(formula=formula, **nothing, in_domain=False, reason=reason, error=cause)


def _answered(
    formulas: Sequence[str], table: UserTable, answer: Predictions, *, refuse: bool
) -> dict[int, PredictedRow]:
    """Return place of a formula -> its row, for those that could be read."""
    rows = {}
    for i, row in enumerate(table.frame["row"]):
        formula = formulas[int(row) - 1]
        numbers = {name: float(getattr(answer, name)[i]) for name in _NUMBERS}
        reason, in_domain = str(answer.reason[i]), bool(answer.in_domain[i])
        if not all(map(math.isfinite, numbers.values())):
            found = _without(formula, reason or "the model has no finite answer for this formula")
        elif refuse and not in_domain:
            found = _without(formula, REFUSED, reason)
        else:
            found = PredictedRow(formula=formula, **numbers, in_domain=in_domain, reason=reason, error=None)
        rows[int(row) - 1] = found
    return rows
