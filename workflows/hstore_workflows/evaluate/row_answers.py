"""What a score is made of: the known value and the answer of every row, for who wants to see which are missed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pandas as pd

from hstore_workflows.evaluate.rows import families, groups, materials

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from hstore_workflows.evaluate.report import Answers

COLUMNS = (
    "seed", "fold", "row", "material", "family", "group", "unit", "known", "predicted", "error", "std", "lower",
    "upper", "inside", "in_domain", "near_duplicate", "reason",
)  # fmt: skip
"""Columns of a file of rows. ``known`` to ``upper`` are in ``unit``; ``error`` is absolute, ``lower`` and
``upper`` end the 90 % interval, ``near_duplicate`` marks rows nearly repeated in training, ``reason`` says why a
row is outside the domain, or was not scored."""


def row_answers(
    model: str,
    rows: pd.DataFrame,
    answers: Answers,
    *,
    unit: str,
    leaked: NDArray[np.bool_],
    family: str | None = None,
    **same: Any,
) -> pd.DataFrame:
    """Return the columns ``COLUMNS``, one line for each scored row, in the order of the rows.

    Args:
        model: name of the model.
        rows: scored rows, with their ``row`` in the table.
        answers: known values and answers, on the scale that is scored.
        unit: unit of that scale.
        leaked: True for rows that are nearly repeated in training, shape ``(n,)``.
        family: column of the families; a known one, or what the formula says, when None.
        same: more columns, such as ``seed`` and ``fold``.

    Raises:
        InputError: there is no such column of families.
    """
    found = {
        **same,
        "row": rows["row"].to_numpy(),
        "material": materials(model, rows),
        "family": families(model, rows, family),
        "group": groups(model, rows),
        "unit": unit,
        "known": answers.truth,
        "predicted": answers.mean,
        "error": answers.error,
        "inside": answers.inside,
        "near_duplicate": leaked,
        **{name: getattr(answers, name) for name in ("std", "lower", "upper", "in_domain", "reason")},
    }
    return pd.DataFrame(found).reindex(columns=list(COLUMNS))
