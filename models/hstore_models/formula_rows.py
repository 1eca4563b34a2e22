"""What a person at a notebook hands over, read into rows: formulas alone, or a table with a column of them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from hstore.errors import FormulaError, InputError
from hstore.formula import parse_amounts
from hstore_models.prediction import Query

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from hstore.arrays import FloatArray

FORMULA = "formula"
"""Column of the formulas in a table."""

_NAMED = 5


@dataclass(frozen=True)
class FormulaRows:
    """Materials as they were handed over, and what was read of them."""

    frame: pd.DataFrame
    """Column ``formula`` and the columns asked for, numbers or NaN; the index is that of the caller."""
    amounts: tuple[dict[str, float], ...]
    """Amounts of elements of each row; empty where the formula cannot be read."""
    causes: dict[int, str]
    """Place of a row -> why its formula cannot be read."""

    def __len__(self) -> int:
        """Return the number of rows."""
        return len(self.frame)

    def take(self, mask: NDArray[np.bool_]) -> FormulaRows:
        """Return the rows of a mask of shape ``(n,)``."""
        places = np.flatnonzero(mask).tolist()
        causes = {new: self.causes[old] for new, old in enumerate(places) if old in self.causes}
        return FormulaRows(self.frame.iloc[places], tuple(self.amounts[i] for i in places), causes)

    def readable(self) -> FormulaRows:
        """Return the rows, all of which can be read.

        Raises:
            InputError: some cannot; the message names the first five with their cause.
        """
        if self.causes:
            named = "; ".join(f"row {i + 1}: {cause}" for i, cause in list(self.causes.items())[:_NAMED])
            raise InputError(
                f"{len(self.causes)} of {len(self)} formulas cannot be read ({named}); correct or drop them"
            )
        return self

    @cached_property
    def query(self) -> Query:
        """The rows as a question to a model."""
        return Query.of(self.amounts, self.frame.drop(columns=FORMULA))

    @cached_property
    def chemical_systems(self) -> NDArray[np.str_]:
        """Elements but hydrogen of each row, joined by dashes, shape ``(n,)``; ``H`` where there are none."""
        return np.array(
            ["-".join(sorted(el for el in row if el != "H")) or "H" for row in self.amounts], dtype=str
        )


def read_rows(materials: Any, columns: Sequence[str] = ()) -> FormulaRows:
    """Read formulas, or a table with a column ``formula``.

    Args:
        materials: formulas as list, array of shape ``(n,)`` or ``(n, 1)``, or Series; or a DataFrame.
        columns: columns of the DataFrame to read as numbers; empty cells are NaN.

    Raises:
        InputError: no formulas, a column is not there, or one of its cells is no number.
    """
    frame = materials if isinstance(materials, pd.DataFrame) else _alone(materials)
    if FORMULA not in frame:
        headers = ", ".join(map(str, frame.columns[:12]))
        raise InputError(f"no column {FORMULA!r} among {headers}; name the column of the formulas so")
    missing = [name for name in columns if name not in frame]
    if missing:
        raise InputError(
            f"no column {', '.join(missing)}, which the regressor learns from; give a DataFrame with the columns "
            f"{', '.join([FORMULA, *columns])}"
        )
    texts = ["" if pd.isna(cell) else str(cell) for cell in frame[FORMULA]]
    amounts: list[dict[str, float]] = []
    causes: dict[int, str] = {}
    for place, text in enumerate(texts):
        try:
            amounts.append(parse_amounts(text))
        except FormulaError as error:
            amounts.append({})
            causes[place] = str(error)
    numbers = {name: _numbers(frame[name], name) for name in columns}
    return FormulaRows(pd.DataFrame({FORMULA: texts, **numbers}, index=frame.index), tuple(amounts), causes)


def read_values(values: Any, n_rows: int, name: str) -> FloatArray:
    """Read one number for each row, shape ``(n,)``.

    Raises:
        InputError: not one for each row, or one that is no finite number; its row is named.
    """
    try:
        numbers = np.asarray(values, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise InputError(f"{name} must be numbers, one for each row ({error}); correct them") from error
    if numbers.ndim == 2 and numbers.shape[1] == 1:
        numbers = numbers[:, 0]
    if numbers.shape != (n_rows,):
        raise InputError(f"{name} must hold one number for each of {n_rows} rows, got shape {numbers.shape}")
    wrong = np.flatnonzero(~np.isfinite(numbers))
    if len(wrong):
        raise InputError(
            f"{name} must be finite, got {numbers[wrong[0]]} in row {wrong[0] + 1} ({len(wrong)} such rows); "
            "drop the rows without a value"
        )
    return numbers


def read_labels(labels: Any, n_rows: int, name: str) -> NDArray[np.str_]:
    """Read one label for each row, shape ``(n,)``.

    Raises:
        InputError: not one for each row.
    """
    found = np.asarray(labels).astype(str)
    if found.shape != (n_rows,):
        raise InputError(f"{name} must hold one label for each of {n_rows} rows, got shape {found.shape}")
    return found


def _alone(materials: Any) -> pd.DataFrame:
    """Return formulas without a table as a table of one column."""
    if isinstance(materials, str):
        raise InputError(f"formulas are wanted as a list, got the text {materials!r}; write [{materials!r}]")
    if isinstance(materials, pd.Series):
        return materials.to_frame(FORMULA)
    cells = np.asarray(materials, dtype=object)
    if cells.ndim == 2 and cells.shape[1] == 1:
        cells = cells[:, 0]
    if cells.ndim != 1:
        raise InputError(
            f"formulas must have shape (n,) or (n, 1), got {cells.shape}; give a DataFrame with a column "
            f"{FORMULA!r} for more than formulas"
        )
    return pd.DataFrame({FORMULA: cells})


def _numbers(cells: pd.Series[Any], name: str) -> FloatArray:
    numbers = pd.to_numeric(cells, errors="coerce").to_numpy(dtype=np.float64)
    wrong = np.flatnonzero(np.isnan(numbers) & cells.notna().to_numpy())
    if len(wrong):
        raise InputError(
            f"column {name} must hold numbers, got {cells.iloc[wrong[0]]!r} in row {wrong[0] + 1}; correct it"
        )
    return numbers
