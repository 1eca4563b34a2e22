"""Cells of a table of results as text, and the numbers in them."""

from __future__ import annotations

import math
from datetime import date, datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any

import numpy as np

from hstore.errors import InputError
from hstore_models.calibration import NORMAL_QUANTILE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

EMPTY = frozenset({"", "none", "null"})
"""Words for a cell that says nothing."""
EMPTY_BESIDE = EMPTY | {"nan"}
"""Words for a cell beside a value that says nothing; as a value ``nan`` is a mistake that is told."""
SHOWN = 80
"""Characters of a cell that messages repeat."""
PARTS = ("std", "lower", "upper", "unit")
"""Ends of headers which say more about the column of the name before (``value_std``)."""

_YES, _NO = frozenset({"yes", "true", "1"}), frozenset({"", "no", "false", "0"})
_FIRST_DAY = date(1900, 1, 1)
_EASTERNMOST = timezone(timedelta(hours=14))
"""Where a day begins first."""
_WHOLE = 1e15
_SAME = 1e-9


def text_cells(record: Mapping[Any, Any]) -> dict[str, str]:
    """Return the cells of a row as text; empty where there is none."""
    return {str(name): _text(cell) for name, cell in record.items()}


def shown_material(cells: Mapping[str, str]) -> str:
    """Return the material of a row as written, shortened."""
    return (cells.get("material_id") or cells.get("formula") or "")[:SHOWN]


def belongs(name: str, names: Iterable[str]) -> bool:
    """Tell whether a header says more about another one (``value_std``, ``plateau_pressure_bar_unit``)."""
    return any(name == f"{other}_{part}" for other in names for part in PARTS)


def is_number(text: str) -> bool:
    """Tell whether a cell is a finite number."""
    try:
        return math.isfinite(float(text))
    except ValueError:
        return False


def finite(name: str, text: str, *, allowed: str = "a number", otherwise: str = "leave it empty") -> float:
    """Return the number in a cell.

    Args:
        name: header of the cell.
        text: the cell.
        allowed: what it may hold, for messages.
        otherwise: what to do where there is no number, for messages.

    Raises:
        InputError: there is none, or it is not finite.
    """
    try:
        value = float(text)
    except ValueError as error:
        raise InputError(f"{name} must be {allowed}, got {text[:SHOWN]!r}") from error
    if not math.isfinite(value):
        raise InputError(f"{name} must be finite, got {text!r}; {otherwise}")
    return value


def standard_deviation(
    cells: Mapping[str, str], name: str, convert: Callable[[float], float], *, given: str = ""
) -> float | None:
    """Read the standard deviation, or the 90 % interval, that stands beside a value.

    Args:
        cells: header -> cell as text.
        name: header of the value.
        convert: brings a number of that column to the canonical unit.
        given: header of the standard deviation; ``NAME_std`` where empty.

    Raises:
        InputError: it is no number, not above 0, or the ends of the interval are not in order.
    """
    given = given or f"{name}_std"
    told, low, high = (cells.get(header, "") for header in (given, f"{name}_lower", f"{name}_upper"))
    if told.lower() not in EMPTY_BESIDE:
        std, value = finite(given, told), float(cells[name])
        if not std > 0:
            raise InputError(f"{given} must be above 0, got {told}; leave it empty where it is not known")
        same = convert(value) == value and convert(std) == std  # exactly: it is part of what a row says
        return std if same else abs(convert(value + std) - convert(value))
    if low.lower() in EMPTY_BESIDE or high.lower() in EMPTY_BESIDE:
        return None
    ends = finite(f"{name}_lower", low), finite(f"{name}_upper", high)
    if not ends[0] < ends[1]:
        raise InputError(f"{name}_lower must be below {name}_upper, got {low} and {high}; correct them")
    return abs(convert(ends[1]) - convert(ends[0])) / (2 * NORMAL_QUANTILE)


def same_value(a: float | None, b: float) -> bool:
    """Tell whether two values are one, but for rounding."""
    return a is not None and abs(a - b) <= _SAME * max(abs(a), abs(b))


def read_day(text: str) -> date | None:
    """Return the day of a measurement; None where there is none.

    Raises:
        InputError: it is no day, or one that lies in the future.
    """
    if text.lower() in EMPTY:
        return None
    try:
        day = date.fromisoformat(text)
    except ValueError as error:
        raise InputError(f"measured_on must be a day such as 2026-11-30, got {text[:SHOWN]!r}") from error
    if not _FIRST_DAY <= day <= datetime.now(_EASTERNMOST).date():  # a lab there is a day ahead of UTC
        raise InputError(f"measured_on must lie between {_FIRST_DAY} and today, got {day}; correct it")
    return day


def is_yes(text: str) -> bool:
    """Read the cell of a column ``confirmed``.

    Raises:
        InputError: it is neither yes nor no.
    """
    if text.lower() in _YES:
        return True
    if text.lower() in _NO:
        return False
    raise InputError(f"confirmed must be yes or empty, got {text[:SHOWN]!r}")


def _text(cell: Any) -> str:
    if cell is None:
        return ""
    if isinstance(cell, (float, np.floating)) and float(cell).is_integer() and abs(float(cell)) < _WHOLE:
        return str(int(cell))
    return str(cell).strip()
