"""Predict a property for every row of a table."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from hstore.properties import PROPERTIES
from hstore_models.prediction import Predictions, Query
from hstore_models.training import FROM_DESCRIPTORS, ensure, model_of, predicted_from_formulas
from hstore_workflows.tables import check_table

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from hstore.settings import Settings
    from hstore_data.table import RejectedRow
    from hstore_workflows.tables import UserTable

ADDED_COLUMNS = ("mean", "std", "lower", "upper", "in_domain", "reason")
"""Columns a prediction adds to a table."""


@dataclass(frozen=True)
class PredictedTable:
    """A table with predictions added, and the rows that got none."""

    frame: pd.DataFrame
    """All rows of the input in order; rejected rows have no number and their cause in ``reason``."""
    rejects: list[RejectedRow]
    """Rows that cannot be used."""
    model_id: str
    """Model that answered."""


def predict_rows(
    property_name: str, table: UserTable, settings: Settings, *, say: Callable[[str], None] = lambda _: None
) -> Predictions:
    """Predict a property for the usable rows of a checked table, with the model for the data present."""
    loaded = ensure(model_of(property_name, settings), settings, say=say)
    answer = loaded.model.predict(property_name, Query.of(table.amounts, table.frame))
    return Predictions(**{**answer.__dict__, "model_id": loaded.card.model_id})


def predict_formulas(property_name: str, formulas: Sequence[str], settings: Settings) -> PredictedTable:
    """Predict a property for a list of formulas; the frame has the column ``formula`` first.

    Args:
        property_name: canonical property name, unit in it.
        formulas: formulas as text; one that cannot be read has the cause in its row, and the others their numbers.
        settings: where data and models are.

    Returns:
        A row for each formula in the order given: mean, standard deviation, 90 % interval, domain flag and reason.

    Raises:
        UnknownNameError: no model predicts the property.
    """
    return predict_table(property_name, pd.DataFrame({"formula": list(formulas)}), settings)


def predict_everything(
    formulas: Sequence[str],
    settings: Settings,
    *,
    temperature_k: float | None = None,
    say: Callable[[str], None] = lambda _: None,
) -> dict[str, PredictedTable]:
    """Predict every property that formulas suffice for.

    Args:
        formulas: formulas as text.
        settings: where data and models are.
        temperature_k: temperature of the properties that depend on one, K; 298.15 when None.
        say: told when a model must be trained.

    Returns:
        Property -> what :func:`predict_formulas` returns, shipped models first.
    """
    asked = predicted_from_formulas(settings)
    return {
        name: predict_table(name, asked_at(name, formulas, temperature_k), settings, say=say) for name in asked
    }


def asked_at(property_name: str, formulas: Sequence[str], temperature_k: float | None = None) -> pd.DataFrame:
    """Return formulas as a table, with the temperature where the property depends on one.

    Args:
        property_name: a property; whether one of the user's own depends on the temperature is not known, and it
            gets one that is stated.
        formulas: formulas as text.
        temperature_k: temperature, K; the customary one of the property, if any, when None.
    """
    frame = pd.DataFrame({"formula": list(formulas)})
    known = PROPERTIES.get(property_name)
    if known is None:
        return frame if temperature_k is None else frame.assign(temperature_k=temperature_k)
    stated = {} if temperature_k is None else {"temperature_k": temperature_k}
    conditions = known.customary_conditions | stated
    return frame.assign(**{name: value for name, value in conditions.items() if name in known.conditions})


def predict_table(
    property_name: str,
    frame: pd.DataFrame,
    settings: Settings,
    *,
    say: Callable[[str], None] = lambda _: None,
) -> PredictedTable:
    """Add ``mean, std, lower, upper, in_domain, reason`` to a table.

    Args:
        property_name: canonical property name.
        frame: table with a ``formula`` column, or the descriptor columns of a sorbent; conditions such as
            ``temperature_k`` are taken from their columns, temperatures also from ``temp_C`` or ``temp_K``.
        settings: where data and models are.
        say: told when a model must be trained, and where a temperature was taken from.

    Raises:
        UnknownNameError: no model predicts the property.
        InputError: the table has neither formulas nor descriptors.
    """
    name = model_of(property_name, settings)
    table = check_table(frame, formulas=name not in FROM_DESCRIPTORS, temperatures=True)
    if table.temperature_from:
        say(f"temperature_k is taken from {table.temperature_from}")
    usable = table.frame["row"].to_numpy(dtype=int) - 1
    added = pd.DataFrame(np.nan, index=range(len(frame)), columns=["mean", "std", "lower", "upper"])
    added["in_domain"], added["reason"] = False, ""
    model_id = ""
    if len(usable):
        answer = predict_rows(property_name, table, settings, say=say)
        model_id = answer.model_id
        for column in ADDED_COLUMNS:
            added.loc[usable, column] = getattr(answer, column)
    for reject in table.rejects:
        added.loc[reject.row - 1, "reason"] = f"rejected: {reject.cause}"
    kept = frame.reset_index(drop=True).drop(columns=[c for c in ADDED_COLUMNS if c in frame])
    return PredictedTable(pd.concat([kept, added], axis=1), table.rejects, model_id)
