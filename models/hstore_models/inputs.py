"""What learners see: blocks of features of a query, in the order in which a spec names them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from hstore_models.calibration import JOINT
from hstore_models.features.alloy import infer_alloy_class

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from hstore.arrays import FloatArray, IntArray
    from hstore_models.prediction import Query

COLUMNS = "columns"
"""Name of the block of the table's own columns."""

MOLECULAR_HYDROGEN = "hydrogen per atom of a molecular anion"
"""Feature that tells a borohydride from a boride where the other features are those of the host."""


_STATED_CLASS = ("alloy_class", "material_class")
"""Columns in which a table may state the class of an alloy; the first that is there counts."""


def alloy_families(query: Query) -> list[str]:
    """Return the families by which the intervals of hydrides are made: inferred class, and the stated one.

    A class that the table states (``AB2(C14)``) tells what a formula cannot, such as how well studied an alloy is.

    Returns:
        Names joined by ``|``, as :class:`~hstore_models.calibration.Calibration` takes them.
    """
    return query.remembered(alloy_families, lambda: _families(query))


def _families(query: Query) -> list[str]:
    inferred = infer_alloy_class(query.host)
    column = next((name for name in _STATED_CLASS if name in query.frame), None)
    if column is None:
        return inferred
    stated = query.frame[column].fillna("").astype(str).str.strip().tolist()
    return [f"{name}{JOINT}stated {word}" if word else name for name, word in zip(inferred, stated, strict=True)]


@dataclass(frozen=True)
class Inputs:
    """Features of the rows of a query."""

    values: FloatArray
    """Features, shape ``(n, d)``, NaN where missing."""
    names: tuple[str, ...]
    """Names of the columns."""
    blocks: dict[str, IntArray]
    """Name of a block -> its columns."""


def assemble(
    query: Query,
    features: Sequence[str],
    columns: Sequence[str] = (),
    *,
    host: bool,
    defaults: Mapping[str, float] | None = None,
) -> Inputs:
    """Compute the features of a query, each group once for all models.

    Args:
        query: the materials.
        features: groups of descriptors (:data:`hstore_models.features.table.GROUPS`), each a block.
        columns: columns of the query's table that are features too; together they are the block ``columns``.
        host: True for the features of the materials without their hydrogen; the hydrogen of molecular anions
            then is a feature of its own.
        defaults: column -> value where the table states none; NaN where not named here.

    Raises:
        UnknownNameError: a group is not known.
    """
    parts: list[FloatArray] = []
    names: list[str] = []
    blocks: dict[str, IntArray] = {}
    for group in features:
        table = query.features((group,), host=host)
        values, labels = table.values, table.names
        if host and group == "hydride":
            values, labels = np.column_stack([values, query.molecular_hydrogen]), (*labels, MOLECULAR_HYDROGEN)
        blocks[group] = np.arange(len(names), len(names) + len(labels))
        parts.append(values)
        names.extend(labels)
    if columns:
        given = [query.column(name, (defaults or {}).get(name, np.nan)) for name in columns]
        blocks[COLUMNS] = np.arange(len(names), len(names) + len(columns))
        parts.append(np.column_stack(given))
        names.extend(columns)
    return Inputs(np.column_stack(parts), tuple(names), blocks)
