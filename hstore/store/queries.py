"""What may be read: the one place where scopes and filters become SQL."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from sqlalchemy import ColumnElement, Select, and_, func, or_, select, true, tuple_
from sqlalchemy.orm import Session

from hstore.records import Access, Visibility
from hstore.store.schema import (
    Base,
    IsothermRow,
    MaterialElementRow,
    MaterialRow,
    MeasurementRow,
    MergedMaterialRow,
    table_of,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Sequence

    from sqlalchemy import Connection, Engine
    from sqlalchemy.orm import InstrumentedAttribute

    from hstore.records import Family, Scope

R = TypeVar("R", bound=Base)

PAGE_ROWS = 1000
"""Rows fetched at a time while streaming."""

_NAMES_PER_STATEMENT = 500
"""Identifiers in one IN list; SQLite allows 999 parameters where it was built long ago."""


class Viewer(Protocol):
    """In whose name a query runs: a scope, or parameters in place of its values."""

    @property
    def everything(self) -> bool:
        """True for the operator's own tools, which see all records."""

    @property
    def lab_id(self) -> Any:
        """Lab that asks; None sees public records only."""

    @property
    def today(self) -> Any:
        """Day against which embargoes are read."""


def visible(row: Any, scope: Viewer) -> ColumnElement[bool]:
    """Return the WHERE clause for rows a scope may see; the same rule as :meth:`Scope.allows`.

    Args:
        row: class or columns of a table with access columns.
        scope: in whose name.
    """
    if scope.everything:
        return true()
    allowed = [row.visibility == Visibility.PUBLIC.value, row.embargo_until <= scope.today]
    if scope.lab_id is not None:
        allowed.append(row.lab_id == scope.lab_id)
    return or_(*allowed)


@dataclass(frozen=True)
class Identity:
    """What tells materials of equal composition apart before their structures are read."""

    material_id: str
    """Identifier."""
    composition: str
    """Canonical formula."""
    access: Access
    """Who may see it."""


@dataclass(frozen=True)
class MaterialFilter:
    """Which materials are asked for; empty fields do not filter."""

    family: Family | None = None
    """Family of the material."""
    elements: Collection[str] = ()
    """Element symbols that must all be present; others may be."""
    chemical_system: str | None = None
    """Exactly these elements, joined by hyphens, in any order."""
    composition: str | None = None
    """Canonical formula, as :attr:`Material.composition` writes it."""
    known: bool | None = None
    """True for materials from the literature, False for enumerated ones."""

    def clause(self) -> ColumnElement[bool]:
        """Return the WHERE clause; all values are bound parameters."""
        parts: list[ColumnElement[bool]] = []
        if self.family is not None:
            parts.append(MaterialRow.family == self.family.value)
        if self.chemical_system is not None:
            ordered = "-".join(sorted(self.chemical_system.split("-")))
            parts.append(MaterialRow.chemical_system == ordered)
        if self.composition is not None:
            parts.append(MaterialRow.composition == self.composition)
        if self.known is not None:
            parts.append(MaterialRow.known.is_(self.known))
        for element in sorted(set(self.elements)):
            holders = select(MaterialElementRow.material_id).where(MaterialElementRow.element == element)
            parts.append(MaterialRow.material_id.in_(holders))
        return and_(true(), *parts)


def select_materials(scope: Scope, wanted: MaterialFilter) -> Select[MaterialRow]:
    """Select visible materials."""
    return select(MaterialRow).where(visible(MaterialRow, scope), wanted.clause())


def select_kept(scope: Scope, merged_id: str) -> Select[MaterialRow]:
    """Select the visible materials which a record of this identifier was merged into."""
    holders = select(MergedMaterialRow.material_id).where(MergedMaterialRow.merged_id == merged_id)
    return select(MaterialRow).where(visible(MaterialRow, scope), MaterialRow.material_id.in_(holders))


def identities(
    connection: Connection, scope: Scope, column: InstrumentedAttribute[str], names: Collection[str]
) -> Iterator[Identity]:
    """Yield the visible materials where a column has one of some values, in no particular order."""
    row = MaterialRow
    columns = (row.material_id, row.composition, row.lab_id, row.visibility, row.embargo_until)
    for piece in in_pieces(names):
        found = select(*columns).where(column.in_(piece), visible(row, scope))
        for name, composition, lab, visibility, embargo in connection.execute(found):
            access = Access(lab_id=lab, visibility=Visibility(visibility), embargo_until=embargo)
            yield Identity(name, composition, access)


def in_pieces(names: Collection[str]) -> Iterator[list[str]]:
    """Yield names in order, as many at a time as one IN list takes."""
    ordered = sorted(names)
    for start in range(0, len(ordered), _NAMES_PER_STATEMENT):
        yield ordered[start : start + _NAMES_PER_STATEMENT]


def count_of(statement: Select[Any]) -> Select[int]:
    """Select the number of rows of a statement."""
    return select(func.count()).select_from(statement.subquery())


def live(row: type[MeasurementRow | IsothermRow]) -> ColumnElement[bool]:
    """Return the WHERE clause for records of labs that were neither corrected nor retracted.

    A corrected one is left out even where its correction cannot be seen: it is known to be wrong.
    """
    table, correction = table_of(row), table_of(row).alias()
    (key,) = table.primary_key
    corrected = select(correction.c.replaces).where(correction.c.replaces == key).exists()
    return and_(~corrected, table.c.retracted_at.is_(None))


def select_measurements(scope: Scope, *, include_replaced: bool) -> Select[MeasurementRow]:
    """Select visible measurements, those corrected or retracted only where they are asked for."""
    statement = select(MeasurementRow).where(visible(MeasurementRow, scope))
    return statement if include_replaced else statement.where(live(MeasurementRow))


def pages(
    bind: Callable[[], Engine | Connection],
    statement: Select[R],
    key: Sequence[InstrumentedAttribute[str]],
    *,
    limit: int | None = None,
) -> Iterator[Sequence[R]]:
    """Yield rows in the order of a unique key, a page at a time.

    Each page is a short transaction of its own, so a slow reader holds no lock and no snapshot; rows added
    meanwhile with a later key are seen.

    Args:
        bind: gives the database to read, or the connection of the transaction to read in.
        statement: what to read, without order or limit.
        key: columns that order the rows and together are unique.
        limit: largest number of rows, or None for all.
    """
    left = limit
    last: tuple[str, ...] | None = None
    while left is None or left > 0:
        size = PAGE_ROWS if left is None else min(left, PAGE_ROWS)
        page = statement if last is None else statement.where(tuple_(*key) > last)
        with Session(bind()) as session:
            rows = session.scalars(page.order_by(*key).limit(size)).all()
        yield rows
        if len(rows) < size:
            return
        last = tuple(getattr(rows[-1], column.key) for column in key)
        left = None if left is None else left - size
