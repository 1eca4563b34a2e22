"""Questions of many requests, asked of a model together.

For one row, nearly all of the time of a prediction is the fixed cost of its several hundred small array
operations. Requests that arrive while a model answers wait for its turn anyway; then one of them asks for all.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass, field, fields, replace
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from hstore_models.prediction import Predictions
    from hstore_models.registry import LoadedModel

MOST_ROWS = 32
"""Rows above which a question is asked alone: it would keep the others waiting."""


@dataclass(eq=False)
class _Question:
    loaded: LoadedModel
    properties: tuple[str, ...]
    amounts: Sequence[dict[str, float]]
    columns: Sequence[Mapping[str, Any]]
    answers: dict[str, Predictions] = field(default_factory=dict)
    error: Exception | None = None
    done: bool = False

    @property
    def kind(self) -> tuple[str, tuple[str, ...], frozenset[str]]:
        """What questions that are asked together have in common."""
        return self.loaded.card.model_id, self.properties, frozenset(self.columns[0])


class Batches:
    """The questions to the models of one process."""

    def __init__(self) -> None:
        self._waiting: list[_Question] = []
        self._lock = threading.Lock()
        self._turn = threading.Lock()

    def ask(
        self,
        loaded: LoadedModel,
        properties: Sequence[str],
        amounts: Sequence[dict[str, float]],
        columns: Sequence[Mapping[str, Any]],
    ) -> dict[str, Predictions]:
        """Predict properties of some materials.

        Args:
            loaded: the model.
            properties: what it is asked for, computed from the same features.
            amounts: parsed formula of each material.
            columns: conditions and descriptors of each material; at least one, all with the same names.

        Returns:
            Property -> predictions, in the order of the materials.
        """
        question = _Question(loaded, tuple(properties), amounts, columns)
        if len(columns) > MOST_ROWS:
            return _answers(loaded, question.properties, amounts, columns)
        with self._lock:
            self._waiting.append(question)
        with self._turn:
            if not question.done:
                self._answer_all()
        if question.error is not None:
            raise question.error
        return question.answers

    def _answer_all(self) -> None:
        """Answer all that wait; the caller has the turn."""
        with self._lock:
            waiting, self._waiting = self._waiting, []
        groups: dict[Any, list[_Question]] = {}
        for question in waiting:
            groups.setdefault(question.kind, []).append(question)
        for group in groups.values():
            _answer_group(group)


def _answer_group(group: list[_Question]) -> None:
    first = group[0]
    amounts = [row for question in group for row in question.amounts]
    columns = [row for question in group for row in question.columns]
    try:
        found = _answers(first.loaded, first.properties, amounts, columns)
        start = 0
        for question in group:
            stop = start + len(question.columns)
            question.answers = {name: _part(answer, start, stop) for name, answer in found.items()}
            question.done, start = True, stop
    except Exception as error:  # noqa: BLE001 - it belongs to the request whose rows cause it
        if len(group) > 1:
            for question in group:
                _answer_group([question])
        else:
            first.error, first.done = error, True


def _answers(
    loaded: LoadedModel,
    properties: Sequence[str],
    amounts: Sequence[dict[str, float]],
    columns: Sequence[Mapping[str, Any]],
) -> dict[str, Predictions]:
    import pandas as pd

    from hstore_models.prediction import Query

    query = Query.of(amounts, pd.DataFrame(list(columns), index=range(len(columns))))
    return {name: loaded.model.predict(name, query) for name in properties}


def _part(answer: Predictions, start: int, stop: int) -> Predictions:
    """Return the predictions of some of the rows."""
    arrays = {f.name: getattr(answer, f.name) for f in fields(answer)}
    parts: dict[str, Any] = {name: a[start:stop] for name, a in arrays.items() if isinstance(a, np.ndarray)}
    return replace(answer, **parts)
