"""One file of text cells, read column by column, collecting the rows that cannot be used."""

from __future__ import annotations

import zlib
from typing import TYPE_CHECKING

import pandas as pd

from hstore.errors import DataError, FormulaError
from hstore.formula import canonical_formula, parse_formula
from hstore.properties import PROPERTIES
from hstore_data.table import RejectedRow

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

_UNREADABLE = (
    OSError,
    EOFError,
    zlib.error,
    UnicodeDecodeError,
    pd.errors.ParserError,
    pd.errors.EmptyDataError,
)
"""Errors of a file that is missing, cut off, not text or not CSV."""

_MISSING = {"nan", "na", "n/a", "none", "null", "-"}

Rows = tuple[pd.DataFrame, list[RejectedRow]]
"""Usable rows in canonical columns, and the rejected ones."""


class Sheet:
    """A CSV file whose cells are turned into canonical columns.

    The first cause found for a row is the one reported; a rejected row is left out of :meth:`finish`.
    """

    def __init__(
        self, path: Path, columns: Iterable[str], *, label: str, aliases: Mapping[str, str] | None = None
    ) -> None:
        """Read the file.

        Args:
            path: a CSV file, optionally compressed (by its suffix).
            columns: columns it must have.
            label: column that names a row in the report of rejected rows.
            aliases: upstream's column name -> ours, for copies in the upstream's own layout.

        Raises:
            DataError: the file cannot be read, or columns are missing.
        """
        self._cells = _read_cells(path)
        if aliases:
            self._cells = self._cells.rename(columns=dict(aliases))
        self._path = path
        self._label = label
        self._causes: dict[int, str] = {}
        self.need(columns)

    def need(self, columns: Iterable[str]) -> None:
        """Insist on columns.

        Raises:
            DataError: columns are missing; the message names them.
        """
        missing = [column for column in columns if column not in self._cells]
        if missing:
            found = ", ".join(map(str, self._cells.columns))
            raise DataError(
                f"{self._path} lacks the columns {', '.join(missing)} (it has {found}); "
                "the layout is that of the set's card: hstore data show NAME"
            )

    def has(self, column: str) -> bool:
        """Tell whether the file has a column."""
        return column in self._cells

    def text(self, column: str) -> pd.Series[str]:
        """Return the cells of a column without surrounding blanks; empty cells are empty strings."""
        return self._cells[column].str.strip()

    def number(self, column: str, *, as_property: str | None = None) -> pd.Series[float]:
        """Return a column as numbers, NaN where the cell is empty or a word for a missing value.

        Rows whose cell is no finite number, or not believable as the property, are rejected.

        Args:
            column: column of the file.
            as_property: canonical property (:mod:`hstore.properties`) whose range and unit the cells have.
        """
        cells = self.text(column)
        cells = cells.mask(cells.str.lower().isin(_MISSING), "")
        values = pd.to_numeric(cells, errors="coerce").astype(float)
        values = values.where(values.abs() != float("inf"))
        self.reject(values.isna() & (cells != ""), f"{column} is not a number: " + cells)
        return self.within(values, as_property) if as_property else values

    def within(self, values: pd.Series[float], as_property: str) -> pd.Series[float]:
        """Reject the rows whose value is not believable as the property, and return the values."""
        known = PROPERTIES[as_property]
        bad = (values < known.low) | (values > known.high)
        span = f" {known.unit} lies outside [{known.low:g}, {known.high:g}]"
        self.reject(bad, f"{as_property} of " + values.astype(str) + span)
        return values

    def positive(self, values: pd.Series[float], column: str) -> pd.Series[float]:
        """Reject the rows whose value is zero or negative, and return the values."""
        self.reject(values <= 0, f"{column} must be positive, got " + values.astype(str))
        return values

    def require_value(self, values: pd.Series[float], column: str) -> pd.Series[float]:
        """Reject the rows without a value, and return the values."""
        self.reject(values.isna(), f"{column} is empty")
        return values

    def reject(self, rows: pd.Series[bool], cause: str | pd.Series[str]) -> None:
        """Mark rows as unusable.

        Args:
            rows: (n_rows,) which rows.
            cause: one text for all, or (n_rows,) a text for each.
        """
        for index in self._cells.index[rows]:
            self._causes.setdefault(index, cause if isinstance(cause, str) else cause.loc[index])

    def compositions(self, column: str, *, texts: pd.Series[str] | None = None) -> pd.DataFrame:
        """Parse a column of formulas; rows that cannot be read are rejected with the cause.

        Args:
            column: column of the file.
            texts: (n_rows,) what to parse in place of the cells, where a set has a notation of its own.

        Returns:
            (n_rows, 2) ``composition`` (canonical formula) and ``chemical_system``, empty where rejected.
        """
        known: dict[str, tuple[str, str]] = {}
        formulas = self._cells[column] if texts is None else texts
        for formula in formulas.unique():
            try:
                parsed = parse_formula(formula)
            except FormulaError as error:
                self.reject(formulas == formula, str(error))
                known[formula] = ("", "")
            else:
                known[formula] = (canonical_formula(parsed.amounts), parsed.chemical_system)
        pairs = [known[formula] for formula in formulas]
        return pd.DataFrame(pairs, columns=["composition", "chemical_system"], index=self._cells.index)

    def finish(self, columns: Mapping[str, object]) -> Rows:
        """Put the usable rows together.

        Args:
            columns: canonical name -> (n_rows,) values or one value for all rows.

        Returns:
            The usable rows with ``row`` first, and the rejected rows in file order.
        """
        frame = pd.DataFrame({"row": self._cells.index + 1, **columns}, index=self._cells.index)
        labels = self._cells[self._label]
        rejects = [RejectedRow(i + 1, labels.loc[i], cause) for i, cause in sorted(self._causes.items())]
        return frame.drop(index=list(self._causes)).reset_index(drop=True), rejects


def _read_cells(path: Path) -> pd.DataFrame:
    """Read every cell as text; pandas must not take a formula or a name for a missing value."""
    try:
        return pd.read_csv(path, dtype=str, keep_default_na=False, encoding="utf-8-sig")
    except _UNREADABLE as error:
        raise DataError(f"{path} cannot be read as CSV: {error}; get the file again") from error
