"""The property models of one running service."""

from __future__ import annotations

import logging
import math
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from hstore.errors import InputError
from hstore.properties import get_property
from hstore.units import STANDARD_TEMPERATURE_K
from hstore_api.schemas import PredictedRow, StatedConditions

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hstore.settings import Settings
    from hstore_models.prediction import Predictions
    from hstore_models.registry import LoadedModel
    from hstore_workflows.tables import UserTable

FROM_DESCRIPTORS = frozenset({"sorbent_uptake"})
"""Models that need the texture of a sorbent and cannot answer for a formula."""

_NUMBERS = ("mean", "std", "lower", "upper")
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Answer:
    """What a model says about some formulas."""

    model_id: str
    """Model that answered."""
    rows: list[PredictedRow]
    """One row for each formula, in order."""


class Predictor:
    """Models, each loaded on first use (trained, where it is missing) and then kept.

    A model serves until the process ends, so all answers of one process agree; data that change meanwhile
    count from the next start.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._models: dict[str, LoadedModel] = {}
        self._one_at_a_time = threading.Lock()

    def model(self, property_name: str) -> LoadedModel:
        """Return the model that predicts a property from formulas.

        Training takes up to a minute and all cores: one at a time, and whoever asks meanwhile waits.

        Raises:
            UnknownNameError: no model predicts it.
            InputError: it is predicted from descriptors.
        """
        from hstore_models.training import ensure, model_of

        name = model_of(property_name)
        if name in FROM_DESCRIPTORS:
            raise InputError(
                f"{property_name} is predicted from the texture of a sorbent, not from its formula; put the "
                f"descriptors into a table and run: hstore predict {property_name} --in FILE.csv --out FILE.csv"
            )
        if name not in self._models:
            with self._one_at_a_time:
                if name not in self._models:
                    self._models[name] = ensure(name, self._settings, say=_log.info)
        return self._models[name]

    def predict(self, property_name: str, formulas: Sequence[str], conditions: StatedConditions) -> Answer:
        """Predict a property for formulas; a formula that cannot be used gets a row with its cause.

        Args:
            property_name: canonical name.
            formulas: any text.
            conditions: state, completed by :func:`complete_conditions`.
        """
        import pandas as pd

        from hstore_models.prediction import Query
        from hstore_workflows.tables import check_table

        loaded = self.model(property_name)
        stated = conditions.model_dump(exclude_none=True)
        table = check_table(pd.DataFrame({"formula": list(formulas)}).assign(**stated))
        rows = {reject.row - 1: _refused(formulas[reject.row - 1], reject.cause) for reject in table.rejects}
        if table.amounts:
            answer = loaded.model.predict(property_name, Query.of(table.amounts, table.frame))
            rows |= _answered(formulas, table, answer)
        return Answer(loaded.card.model_id, [rows[place] for place in range(len(formulas))])


def complete_conditions(property_name: str, given: StatedConditions) -> StatedConditions:
    """Fill in the standard temperature where the property needs one.

    Raises:
        UnknownNameError: no such property.
        InputError: a condition is given that makes no difference to the property.
    """
    needed = get_property(property_name).conditions
    stated = given.model_dump(exclude_none=True)
    foreign = sorted(set(stated) - {"temperature_k", *needed})
    if foreign:
        allowed = " and ".join(needed) or "temperature_k or nothing"
        raise InputError(f"{property_name} does not depend on {', '.join(foreign)}; give {allowed}")
    if "temperature_k" in needed:
        stated.setdefault("temperature_k", STANDARD_TEMPERATURE_K)
    return StatedConditions(**stated)


def _refused(formula: str, cause: str) -> PredictedRow:
    nothing: dict[str, Any] = dict.fromkeys(_NUMBERS)
    return PredictedRow(formula=formula, **nothing, in_domain=False, reason="", error=cause)


def _answered(formulas: Sequence[str], table: UserTable, answer: Predictions) -> dict[int, PredictedRow]:
    rows = {}
    for i, row in enumerate(table.frame["row"]):
        place = int(row) - 1
        numbers = {name: float(getattr(answer, name)[i]) for name in _NUMBERS}
        reason = str(answer.reason[i])
        if not all(map(math.isfinite, numbers.values())):
            rows[place] = _refused(formulas[place], reason or "the model has no finite answer for this formula")
            continue
        in_domain = bool(answer.in_domain[i])
        rows[place] = PredictedRow(
            formula=formulas[place], **numbers, in_domain=in_domain, reason=reason, error=None
        )
    return rows
