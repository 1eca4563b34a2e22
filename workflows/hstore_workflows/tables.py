"""Read and check the tables users bring: one bad row becomes a reject with its cause, the rest goes on."""

from __future__ import annotations

import csv
import gzip
import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from hstore.errors import FormulaError, InputError
from hstore.formula import ParsedFormula, parse_formula
from hstore.units import ZERO_CELSIUS_K
from hstore_data.table import RejectedRow
from hstore_models.features.plain_formulas import read_plain

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

FORMULA_COLUMNS = ("formula", "Formula", "composition", "Composition", "Reduced Composition")
"""Column names taken for the formula, in this order; ``formula`` is the documented one."""

_POSITIVE = ("temperature_k", "charge_temperature_k", "discharge_temperature_k", "density_g_cm3")
_NOT_NEGATIVE = (
    "pressure_bar",
    "charge_pressure_bar",
    "discharge_pressure_bar",
    "gsa_m2_g",
    "bet_area_m2_g",
    "vsa_m2_cm3",
    "void_fraction",
    "pore_volume_cm3_g",
    "lcd_A",
    "pld_A",
)
_LIMITS = {"temperature_k": 5000.0, "void_fraction": 1.0}
DESCRIPTORS = ("density_g_cm3", *(name for name in _NOT_NEGATIVE if not name.endswith("pressure_bar")))
"""Columns that describe a sorbent, with the units in their names."""

CELSIUS_COLUMNS = ("temp_C", "temperature_C", "temperature_c", "temp_c")
"""Column names taken for a temperature in degrees Celsius where there is no ``temperature_k``."""

KELVIN_COLUMNS = ("temp_K", "temperature_K", "temp_k")
"""Column names taken for a temperature in kelvin where there is no ``temperature_k``."""

SURPLUS_COLUMN = "surplus_cells"
"""Column that holds what stands beyond the last header of a row; only in tables that have such rows."""


@dataclass(frozen=True)
class UserTable:
    """A user's table after checking."""

    frame: pd.DataFrame
    """Usable rows with all their columns, and ``row`` (data row from 1)."""
    amounts: list[dict[str, float]]
    """Parsed formula of each usable row; empty for descriptor-only tables."""
    notes: list[str]
    """What was dropped or interpreted in each usable row; empty text if nothing."""
    rejects: list[RejectedRow]
    """Rows that cannot be used, in order."""
    temperature_from: str = ""
    """Column of another name or unit that ``temperature_k`` was taken from; empty where none was."""


def read_table(path: Path) -> pd.DataFrame:
    """Read a CSV (also gzipped) or Parquet file, untouched but for blanks around headers; cells of a CSV are text.

    A CSV is UTF-8 with commas. A row with more cells than the header keeps the rest in ``SURPLUS_COLUMN``.

    Raises:
        InputError: missing, not readable as its type, without rows, or with a header that stands twice.
    """
    if not path.is_file():
        raise InputError(f"{path} is not a file; give a CSV or Parquet table")
    try:
        frame = pd.read_parquet(path) if path.suffix.lower() == ".parquet" else _read_csv(path)
    except (
        ValueError,
        OSError,
        EOFError,
        csv.Error,
        zlib.error,
    ) as error:  # pandas and pyarrow derive theirs from ValueError
        raise InputError(
            f"{path} cannot be read as a table ({str(error).strip()}); give a CSV (UTF-8, commas) or Parquet file"
        ) from error
    if frame.empty:
        raise InputError(f"{path} has no data rows; give a header line and at least one row")
    return frame


def _read_csv(path: Path) -> pd.DataFrame:
    # The width is found first: pandas takes the first cell of a row that is too long for its label.
    opened = gzip.open if path.suffix.lower() == ".gz" else open
    with opened(path, "rt", encoding="utf-8-sig", newline="") as stream:
        records = csv.reader(stream)
        header = [name.strip() for name in next(records, [])]
        width = max(map(len, records), default=0)
    if not any(header):
        raise InputError("its first line holds no column names")
    names = [name or f"Unnamed: {place}" for place, name in enumerate(header)]
    if len(set(names)) < len(names):
        raise InputError(f"column {next(n for n in names if names.count(n) > 1)!r} stands twice; rename one")
    cells = pd.read_csv(
        path,
        header=None,
        names=range(max(width, len(names))),
        dtype=str,
        keep_default_na=False,
        na_values=[""],
        skip_blank_lines=False,
        encoding="utf-8-sig",
    )
    rows = cells.iloc[1:].reset_index(drop=True)
    frame, surplus = rows.iloc[:, : len(names)].set_axis(names, axis=1), rows.iloc[:, len(names) :]
    if not surplus.isna().all(axis=None):
        joined = surplus.fillna("").agg(", ".join, axis=1).str.strip(", ")
        frame[SURPLUS_COLUMN] = joined.where(joined != "")
    return frame


def check_table(frame: pd.DataFrame, *, formulas: bool = True, temperatures: bool = False) -> UserTable:
    """Check every row of a table.

    Args:
        frame: table with a formula column (one of ``FORMULA_COLUMNS``) and any condition columns.
        formulas: False for tables of descriptors, which need no formula.
        temperatures: True takes ``temperature_k`` from one of ``KELVIN_COLUMNS`` or ``CELSIUS_COLUMNS``, where
            the table has no such column.

    Raises:
        InputError: there is no formula column, or no descriptor, though one is needed.
    """
    column = next((name for name in FORMULA_COLUMNS if name in frame), None)
    headers = ", ".join(map(str, frame.columns[:12]))
    if column is None and formulas:
        raise InputError(f"no formula column among {headers}; name one of them 'formula'")
    if not formulas and not any(name in frame for name in DESCRIPTORS):
        raise InputError(f"no descriptor among {headers}; give columns such as {', '.join(DESCRIPTORS)}")
    frame = frame.assign(row=np.arange(1, len(frame) + 1))
    text = frame[column].fillna("").astype(str) if column else pd.Series("", index=frame.index)
    causes, numbers = _bad_numbers(frame)
    temperature_from = _other_temperature(frame) if temperatures else ""
    if temperature_from:
        numbers["temperature_k"] = _kelvin(frame, temperature_from)
    amounts, notes, rejects, usable = _judged(text.tolist(), causes, formulas=formulas)
    kept = frame.assign(**numbers)[usable].reset_index(drop=True)
    if column and column != "formula":
        kept["formula"] = kept[column]
    return UserTable(kept, amounts, notes, rejects, temperature_from)


def _judged(
    texts: list[str], causes: list[str], *, formulas: bool
) -> tuple[list[dict[str, float]], list[str], list[RejectedRow], NDArray[np.bool_]]:
    """Read formulas; return amounts and notes of usable rows, the others with causes, and which are usable."""
    plain = read_plain(texts).rows() if formulas else [{} for _ in texts]
    if not any(causes) and min(map(len, plain), default=0) > 1:  # nothing is to be said of any row
        return plain, [""] * len(plain), [], np.ones(len(plain), dtype=bool)
    amounts: list[dict[str, float]] = []
    notes: list[str] = []
    rejects: list[RejectedRow] = []
    usable = np.zeros(len(texts), dtype=bool)
    for place, (formula, found, cause) in enumerate(zip(texts, plain, causes, strict=True)):
        noted = ""
        if formulas and (not found or found.keys() == {"H"}):
            try:
                parsed = host_formula(formula)
                found, noted = parsed.amounts, "; ".join(parsed.notes)  # noqa: PLW2901 - read only where needed
            except FormulaError as error:
                cause = str(error)  # noqa: PLW2901 - an unreadable formula is the better cause
        if cause:
            rejects.append(RejectedRow(place + 1, _shortened(formula), cause))
            continue
        usable[place] = True
        amounts.append(found)
        notes.append(noted)
    return amounts, notes, rejects, usable


def host_formula(formula: str) -> ParsedFormula:
    """Read a formula of a material that can hold hydrogen or conduct ions.

    Raises:
        FormulaError: it cannot be read, or is hydrogen alone.
    """
    parsed = parse_formula(formula)
    if set(parsed.amounts) == {"H"}:
        raise FormulaError(f"{formula!r} is hydrogen without a host; give the hydride or its host")
    return parsed


def _bad_numbers(frame: pd.DataFrame) -> tuple[list[str], dict[str, NDArray[np.float64]]]:
    """Return the first complaint about each row's cells, and the condition columns as numbers."""
    causes = [""] * len(frame)
    if SURPLUS_COLUMN in frame:
        causes = [
            "" if pd.isna(cells) else f"more cells than the header has columns ({cells}); quote cells with commas"
            for cells in frame[SURPLUS_COLUMN]
        ]
    numbers: dict[str, NDArray[np.float64]] = {}
    for name in (*_POSITIVE, *_NOT_NEGATIVE):
        if name not in frame:
            continue
        given = frame[name]
        values = pd.to_numeric(given, errors="coerce").to_numpy(dtype=float)
        numbers[name] = values
        high = _LIMITS.get(name, 1e7)
        low_bad = values <= 0 if name in _POSITIVE else values < 0
        wrong = (np.isnan(values) & given.notna().to_numpy()) | low_bad | (values > high) | np.isinf(values)
        allowed = f"a number {'above' if name in _POSITIVE else 'from'} 0 to {high:g}"
        for row in np.flatnonzero(wrong):
            causes[row] = causes[row] or f"{name} must be {allowed}, got {given.iloc[row]}; correct or empty it"
    return causes, numbers


def _other_temperature(frame: pd.DataFrame) -> str:
    """Name the column that stands in for ``temperature_k``; empty where none does or none need."""
    if "temperature_k" in frame:
        return ""
    return next((name for name in (*KELVIN_COLUMNS, *CELSIUS_COLUMNS) if name in frame), "")


def _kelvin(frame: pd.DataFrame, column: str) -> NDArray[np.float64]:
    """Return temperatures in kelvin; a cell that is none counts as not stated, for such columns hold remarks."""
    given = pd.to_numeric(frame[column], errors="coerce").to_numpy(dtype=float)
    kelvin = given + ZERO_CELSIUS_K if column in CELSIUS_COLUMNS else given
    return np.where((kelvin > 0) & (kelvin <= _LIMITS["temperature_k"]), kelvin, np.nan)


def _shortened(text: str) -> str:
    return text if len(text) <= 80 else text[:77] + "..."


def check_destination(path: Path) -> None:
    """Refuse a place where no table can be written, before any work.

    Raises:
        InputError: the folder does not exist, or the ending is neither .csv nor .parquet.
    """
    if path.suffix not in {".csv", ".parquet"}:
        raise InputError(f"cannot write {path.name}; end the name in .csv or .parquet")
    if not path.parent.is_dir():
        raise InputError(f"folder {path.parent} does not exist; make it first")
    if path.is_dir():
        raise InputError(f"{path} is a folder; give the name of a file")


def write_table(frame: pd.DataFrame, path: Path) -> None:
    """Write a table as CSV or Parquet by its ending, complete or not at all.

    Raises:
        InputError: nothing can be written there (see :func:`check_destination`).
    """
    check_destination(path)
    scratch = path.with_name(f".{path.name}.part")
    try:
        if path.suffix == ".parquet":
            frame.to_parquet(scratch, index=False)
        else:
            frame.to_csv(scratch, index=False, lineterminator="\n")
        scratch.replace(path)
    finally:
        scratch.unlink(missing_ok=True)
