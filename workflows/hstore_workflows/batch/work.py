"""What a function answers for some candidates, each by itself: one that fails is rejected, the rest goes on."""

from __future__ import annotations

import importlib
import math
from numbers import Real
from typing import TYPE_CHECKING, Any

import pandas as pd

from hstore.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from hstore_workflows.batch.spec import Work

REJECTED_COLUMNS = ("candidate", "formula", "cause")
"""Columns of the candidates that cannot be used."""

IDENTITY = ("material_id", "name", "formula")
"""Columns of a candidate that are kept, where it has them."""

_CAUSE_CHARACTERS = 300


def rejected_frame(rejects: list[tuple[int, str, str]]) -> pd.DataFrame:
    """Return rejected candidates (number, formula, cause) as a table, in the order of their numbers."""
    frame = pd.DataFrame(sorted(rejects), columns=list(REJECTED_COLUMNS))
    return frame.astype({"candidate": "int64", "formula": "object", "cause": "object"})


def function_of(work: Work) -> Callable[..., Mapping[str, Any]]:
    """Return the function of some work.

    Raises:
        InputError: it cannot be imported.
    """
    module, _, name = work.function.partition(":")
    try:
        function: Callable[..., Mapping[str, Any]] = getattr(importlib.import_module(module), name)
    except (ImportError, AttributeError) as error:
        raise InputError(
            f"function {work.function!r} cannot be imported ({error}); give package.module:name of one that is "
            "installed, or on PYTHONPATH, wherever the batch runs"
        ) from error
    return function


def work_rows(
    work: Work, rows: pd.DataFrame, begin: int, poisoned: Mapping[int, str]
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Ask a function about some candidates.

    Args:
        work: what is asked.
        rows: candidates; a column ``candidate`` gives their numbers in the results, else their place does.
        begin: place of the first among all.
        poisoned: place of candidates not to ask about -> cause.

    Returns:
        Those answered (``candidate``, :data:`IDENTITY` where given, ``score_before`` where they had a score, and
        what the function returned), and the others (:data:`REJECTED_COLUMNS`).
    """
    function = function_of(work)
    answers: list[dict[str, Any]] = []
    rejects: list[tuple[int, str, str]] = []
    for place, row in enumerate(rows.to_dict(orient="records"), begin):
        number, formula = int(row.get("candidate", place)), str(row.get("formula") or "")
        cause = poisoned.get(place, "")
        if not cause:
            try:
                told = _checked(function({str(key): value for key, value in row.items()}, **work.arguments))
            except Exception as error:  # noqa: BLE001 - whatever the function raises is the candidate's cause
                cause = _cause(error)
            else:
                kept = {name: str(row[name] or "") for name in IDENTITY if name in row}
                before = {"score_before": float(row["score"])} if "score" in row else {}
                answers.append({"candidate": number, **kept, **before, **told})
        if cause:
            rejects.append((number, formula, cause))
    frame = pd.DataFrame(answers)
    return frame.astype(dict.fromkeys(frame.select_dtypes("object"), "string")), rejected_frame(rejects)


def _checked(answer: Mapping[str, Any]) -> dict[str, Any]:
    """Return an answer with one type for all numbers.

    Raises:
        ValueError: it has no finite score, or something that is neither a number nor a text.
    """
    found: dict[str, Any] = {}
    for name, value in dict(answer).items():
        if value is None or isinstance(value, str | bool):
            found[name] = value
        elif isinstance(value, Real):
            found[name] = float(value)
        else:
            raise ValueError(f"the function answered {name} = {value!r:.60}; it answers numbers and texts")
    if not isinstance(found.get("score"), float) or not math.isfinite(found["score"]):
        raise ValueError(f"the function answered no finite score, but {found.get('score')!r}")
    return found


def _cause(error: Exception) -> str:
    if isinstance(error, MemoryError):
        return "needed more memory than its limit"
    text = " ".join(str(error).split())[:_CAUSE_CHARACTERS]
    return f"{type(error).__name__}: {text}" if text else type(error).__name__
