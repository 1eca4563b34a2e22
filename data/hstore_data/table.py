"""Tables in canonical columns, together with the rows that could not be used."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pandas as pd


@dataclass(frozen=True, slots=True)
class RejectedRow:
    """A row that was left out, and why."""

    row: int
    """Number of the data row in its file, from 1 (the header is not counted)."""
    formula: str
    """Formula or name as written in the file."""
    cause: str
    """What is wrong with it, in words."""


@dataclass(frozen=True)
class DataTable:
    """A data set in canonical columns."""

    name: str
    """Name of the set."""
    frame: pd.DataFrame
    """The usable rows; canonical column names carry their unit, ``row`` is the data row, from 1."""
    rejects: list[RejectedRow]
    """The rows that could not be used, in file order."""
    sha256: Mapping[str, str]
    """File -> SHA-256 of what was actually read."""
    warnings: tuple[str, ...] = ()
    """What a user should know about this copy, such as a checksum that differs from the card's."""
