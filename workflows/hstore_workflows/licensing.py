"""Licences of the rows of a screen: that of the candidate, and those of the data behind its predictions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hstore.licences import OWN_DATA, Mix, joined
from hstore_data.catalog import datasets
from hstore_models.card import data_licences

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import pandas as pd

SHIPPED_SOURCE = "hstore enumeration and curated tables"
"""Where the candidates of the shipped pool come from."""

LICENCE_COLUMNS = ("licence", "license")
"""Columns of a user's table with the licence of a row."""


def row_licences(manifest: Mapping[str, Any], given: Sequence[str | None]) -> list[str]:
    """Return the licences that hold for each candidate of a screen.

    Args:
        manifest: manifest of the screen.
        given: licence that a user's table states for each candidate, None where it states none. Candidates of the
            shipped pool are under that of hstore's own data.
    """
    own = manifest.get("pool") == SHIPPED_SOURCE
    sets = [datasets()[name].row_licence for name in manifest.get("computed_sets", {}) if name in datasets()]
    for rows in manifest.get("rows_by_source", {}).values():
        sets += data_licences(rows).rows
    kinds = {licence: joined([OWN_DATA if own else licence, *sets]) for licence in {*given}}
    return [kinds[licence] for licence in given]


def screen_licences(manifest: Mapping[str, Any], given: Sequence[str | None]) -> Mix:
    """Count the licences of the candidates of a screen; see :func:`row_licences`."""
    return Mix.of(row_licences(manifest, given))


def stated_licences(table: pd.DataFrame) -> list[str | None]:
    """Return the licence that a table states for each row; None where it states none."""
    column = next((name for name in LICENCE_COLUMNS if name in table), None)
    if column is None:
        return [None] * len(table)
    return [value.strip() or None if isinstance(value, str) else None for value in table[column]]


def screen_datasets(manifest: Mapping[str, Any]) -> list[str]:
    """Return the data sets behind a screen that hstore has cards of, in alphabetical order."""
    named = {name for rows in manifest.get("rows_by_source", {}).values() for name in rows}
    return sorted({*named, *manifest.get("computed_sets", {})} & {*datasets()})
