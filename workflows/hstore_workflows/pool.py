"""The candidates of a screen, in chunks: the shipped pool, or a user's table."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cache
from itertools import islice
from typing import TYPE_CHECKING

import pandas as pd

from hstore.formula import canonical_formula, parse_amounts
from hstore.pairing import anion_class, host_amounts
from hstore.records import Family
from hstore_data.curated import curated_table
from hstore_models.prediction import Query
from hstore_workflows.licensing import SHIPPED_SOURCE
from hstore_workflows.sources.enumeration import enumerate_pool
from hstore_workflows.tables import check_table, read_table

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from hstore.records import Material
    from hstore_data.table import RejectedRow
    from hstore_workflows.target import Target

CHUNK_ROWS = 2000
"""Candidates predicted together; bounds the memory of a screen."""

IDENTITY = ("material_id", "formula", "name", "family", "known", "reason")
"""Columns that say what a candidate is."""


@dataclass
class Chunk:
    """Some candidates, ready to be predicted."""

    identity: pd.DataFrame
    """Columns of ``IDENTITY``, and ``row`` for a user's table; rows numbered from 0."""
    query: Query
    """What the models are asked."""
    own: pd.DataFrame
    """Columns of a user's table, as given, that are not in ``identity``; none for the shipped pool."""


@dataclass
class Pool:
    """A stream of candidates; rejects are complete once the stream is read."""

    chunks: Iterator[Chunk]
    """The candidates."""
    source: str
    """Where they come from, in words."""
    checksums: dict[str, str] = field(default_factory=dict)
    """File -> SHA-256, for a user's table."""
    rejects: list[RejectedRow] = field(default_factory=list)
    """Rows that cannot be used."""


def shipped_pool(target: Target, *, seed: int) -> Pool:
    """Return the candidates hstore enumerates for a target's families."""
    return Pool(material_chunks(enumerate_pool(target.families, seed=seed)), SHIPPED_SOURCE)


def table_pool(path: Path, target: Target) -> Pool:
    """Return the candidates of a user's CSV or Parquet table; duplicates stay rows of their own.

    Raises:
        InputError: the file cannot be read, has no rows, or has no formula column.
    """
    import hashlib

    given = read_table(path)
    table = check_table(given, formulas=target.kind != "sorbent")
    given = given.drop(columns=[name for name in ("formula", "name") if name in given])
    digest = hashlib.sha256(path.read_bytes()).hexdigest()

    def chunks() -> Iterator[Chunk]:
        for start in range(0, len(table.frame), CHUNK_ROWS):
            part = table.frame.iloc[start : start + CHUNK_ROWS].reset_index(drop=True)
            amounts = table.amounts[start : start + CHUNK_ROWS]
            notes = table.notes[start : start + CHUNK_ROWS]
            identity = _table_identity(part, amounts, notes, target)
            own = given.iloc[part["row"] - 1].reset_index(drop=True)
            yield Chunk(identity, Query.of(amounts, part), own)

    return Pool(chunks(), path.name, {path.name: digest}, table.rejects)


def _table_identity(
    part: pd.DataFrame, amounts: list[dict[str, float]], notes: list[str], target: Target
) -> pd.DataFrame:
    blank = pd.Series("", index=part.index)
    return pd.DataFrame(
        {
            "material_id": [f"row:{row}" for row in part["row"]],
            "formula": part.get("formula", blank).fillna("").astype(str),
            "name": part.get("name", blank).fillna("").astype(str),
            "family": [_family(a, target).value for a in amounts],
            "known": [_is_known(a) for a in amounts],
            "reason": [f"from your table{': ' + note if note else ''}" for note in notes],
            "row": part["row"],
        }
    )


def _is_known(amounts: dict[str, float]) -> bool:
    """Tell whether a composition stands in a curated table; a metal hydride also by its host."""
    if not amounts:
        return False
    host = amounts if anion_class(amounts) else host_amounts(amounts)
    return not {canonical_formula(amounts), canonical_formula(host)}.isdisjoint(_known_compositions())


@cache
def _known_compositions() -> frozenset[str]:
    """Compositions of the curated tables; of metal hydrides the host too (NaAlH4 makes no alloy NaAl known)."""
    hydrides, electrolytes = curated_table("hydrides").frame, curated_table("electrolytes").frame
    metals = hydrides[[not anion_class(parse_amounts(formula)) for formula in hydrides["formula"]]]
    return frozenset().union(hydrides["composition"], metals["host_composition"], electrolytes["composition"])


def _family(amounts: dict[str, float], target: Target) -> Family:
    """Infer the family of a user's row; a screen of hydrides tells metals from molecular anions."""
    if target.kind != "hydride":
        return Family(target.kind)
    return Family.COMPLEX if anion_class(amounts) else Family.INTERSTITIAL


def material_chunks(materials: Iterator[Material]) -> Iterator[Chunk]:
    """Yield materials in chunks that models can be asked about; sorbents come in a stream of their own."""
    while rows := list(islice(materials, CHUNK_ROWS)):
        identity = pd.DataFrame({name: [getattr(m, name) for m in rows] for name in IDENTITY})
        identity["family"] = [m.family.value for m in rows]
        descriptors = pd.DataFrame([m.descriptors for m in rows])
        sorbents = rows[0].family is Family.SORBENT
        amounts = [{} if sorbents else parse_amounts(m.formula) for m in rows]
        yield Chunk(identity, Query.of(amounts, descriptors), pd.DataFrame(index=identity.index))
