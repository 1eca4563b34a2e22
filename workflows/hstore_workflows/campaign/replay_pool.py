"""A labelled table as a pool whose answers are hidden until a candidate is chosen."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from hstore.errors import InputError, unknown_name
from hstore_workflows.campaign.descriptors import MAGPIE, column_blocks, composition_blocks, or_nothing
from hstore_workflows.campaign.landscape import Landscape
from hstore_workflows.tables import FORMULA_COLUMNS, UserTable, check_table, read_table

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from hstore.arrays import FloatArray
    from hstore_workflows.campaign.objective import Objective

LEAST_ROWS = 10
"""Candidates that a replay needs."""
_MANY_DECADES = 1e4
"""Largest over smallest positive value from which on a goal is learned as its logarithm."""


@dataclass(frozen=True, eq=False)
class LabelledPool:
    """A pool with its answers."""

    landscape: Landscape
    """The candidates, without answers."""
    answers: Mapping[str, FloatArray]
    """Column of goals and windows -> values, shape (n,)."""
    names: tuple[str, ...]
    """Formula, or number of the row, of each candidate."""
    rejected: tuple[tuple[int, str], ...]
    """Data row, from 1, and why it is not in the pool."""
    notes: tuple[str, ...]
    """What was read otherwise than written."""

    def __len__(self) -> int:
        """Return the number of candidates, n."""
        return len(self.names)

    @property
    def feasible(self) -> NDArray[np.bool_]:
        """Candidates that meet all windows, shape (n,)."""
        met = np.ones(len(self), dtype=bool)
        for window in self.landscape.objective.windows:
            values = self.answers[window.column]
            met &= (values >= window.low) & (values <= window.high)
        return met

    @property
    def digest(self) -> str:
        """Hash of descriptors, answers and objective: what a replay depends on besides its settings."""
        parts = [block.tobytes() for _, block in sorted(self.landscape.blocks.items())]
        parts += [values.tobytes() for _, values in sorted(self.answers.items())]
        parts.append(str(self.landscape.objective).encode())
        return hashlib.sha256(b"".join(parts)).hexdigest()[:16]


def read_labelled(path: Path, objective: Objective, features: Sequence[str]) -> LabelledPool:
    """Read a labelled table.

    Args:
        path: CSV or Parquet with a column for every goal and window.
        objective: what is looked for.
        features: columns that describe candidates, and ``magpie`` for their formulas.

    Raises:
        InputError: no features, too few usable rows, or all answers are equal.
        UnknownNameError: a column is not there.
    """
    table = read_table(path)
    _check_columns(table, objective, features)
    checked = _checked(table, needs_formulas=MAGPIE in features)
    frame = checked.frame.reset_index(drop=True)
    answers, notes = {}, []
    for column in objective.columns:
        answers[column], bounds = _numbers(frame[column])
        if bounds:
            notes.append(f"{bounds} bounds of {column}, such as <1e-10, count as the bound")
    known = np.all([np.isfinite(values) for values in answers.values()], axis=0)
    rejected = [(reject.row, reject.cause) for reject in checked.rejects]
    rejected += [(int(row), "no number in a column of a goal or window") for row in frame["row"][~known]]
    answers = {column: values[known] for column, values in answers.items()}
    if known.sum() < LEAST_ROWS or np.ptp(answers[objective.main.column]) == 0:
        raise InputError(
            f"{path} has {int(known.sum())} rows with all of {', '.join(objective.columns)}; a replay needs "
            f"{LEAST_ROWS}, and different values of {objective.main.column}"
        )
    answers, logarithms = _in_logarithms(answers, objective)
    notes += logarithms
    blocks = _blocks(checked, known, features)
    named = [name for name in FORMULA_COLUMNS if name in frame]
    names = frame[named[0]].astype(str) if named else frame["row"].map("row {}".format)
    return LabelledPool(
        Landscape(or_nothing(blocks, int(known.sum())), objective), answers, tuple(names[known]),
        tuple(sorted(rejected)), tuple(notes),
    )  # fmt: skip


def _in_logarithms(
    answers: Mapping[str, FloatArray], objective: Objective
) -> tuple[dict[str, FloatArray], list[str]]:
    """Replace goals that span many decades, such as conductivities, by their logarithms, which rank the same."""
    found, notes = dict(answers), []
    windows = {window.column for window in objective.windows}
    for goal in objective.goals:
        values = answers[goal.column]
        if goal.column not in windows and values.min() > 0 and values.max() / values.min() > _MANY_DECADES:
            found[goal.column] = np.log10(values)
            notes.append(f"{goal.column} spans many decades and is learned as its logarithm")
    return found, notes


def _check_columns(table: pd.DataFrame, objective: Objective, features: Sequence[str]) -> None:
    if not features:
        raise InputError(f"a replay needs --features: columns of the pool, or {MAGPIE} for its formulas")
    for name in (*objective.columns, *(name for name in features if name != MAGPIE)):
        if name not in table:
            raise unknown_name("column", name, map(str, table))
    hidden = set(features) & set(objective.columns)
    if hidden:
        raise InputError(f"{', '.join(sorted(hidden))} is what a replay hides; leave it out of --features")


def _checked(table: pd.DataFrame, *, needs_formulas: bool) -> UserTable:
    if needs_formulas:
        return check_table(table)
    frame = table.assign(row=np.arange(1, len(table) + 1))
    return UserTable(frame, [{} for _ in range(len(frame))], [""] * len(frame), [])


def _numbers(column: pd.Series[Any]) -> tuple[FloatArray, int]:
    """Return numbers, with bounds such as ``<1e-10`` read as the bound, and how many bounds there are."""
    text = column.astype(str).str.strip()
    bound = text.str.startswith(("<", ">"))
    values = pd.to_numeric(text.where(~bound, text.str[1:]), errors="coerce").to_numpy(dtype=float)
    return values, int(bound.sum())


def _blocks(checked: UserTable, known: NDArray[np.bool_], features: Sequence[str]) -> dict[str, FloatArray]:
    from hstore_models.features.composition import CompositionBatch

    blocks: dict[str, FloatArray] = {}
    if MAGPIE in features:
        amounts = [row for row, kept in zip(checked.amounts, known, strict=True) if kept]
        blocks |= composition_blocks(CompositionBatch.from_amounts(amounts))
    columns = [name for name in features if name != MAGPIE]
    if columns:
        numbers = checked.frame[columns].apply(pd.to_numeric, errors="coerce").to_numpy(dtype=float)
        blocks |= column_blocks(numbers[known], columns)
    return blocks
