"""Entries of OPTIMADE, a page at a time, as a scope sees them."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from sqlalchemy import Select, and_, case, false, func, or_, select

from hstore.errors import InputError
from hstore.properties import PROPERTIES
from hstore.store.numbers import KINDS
from hstore.store.optimade.catalogue import REFERENCE_FIELDS, STRUCTURE_FIELDS
from hstore.store.optimade.fields import Asking
from hstore.store.optimade.filtering import where
from hstore.store.queries import in_pieces, visible
from hstore.store.schema import (
    MaterialIndexRow,
    MaterialNumberRow,
    MaterialOptimadeRow,
    MaterialPublicationRow,
    MaterialRow,
    PublicationRow,
)

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence
    from datetime import datetime

    from sqlalchemy import ColumnElement, Connection
    from sqlalchemy.orm import InstrumentedAttribute

    from hstore.records import Scope
    from hstore.store.database import Database
    from hstore.store.optimade.conditions import Condition
    from hstore.store.optimade.fields import Clause, Field

Entry = TypeVar("Entry")


@dataclass(frozen=True)
class Sort:
    """One field to sort by; entries without a value come last."""

    field: str
    """Name of the field."""
    descending: bool = False
    """Whether the largest comes first."""


@dataclass(frozen=True)
class Wanted:
    """Which entries are wanted, and which page of them."""

    limit: int
    """Most entries of the page."""
    condition: Condition | None = None
    """What they must meet; None for all."""
    sort: tuple[Sort, ...] = ()
    """Order; entries that are equal in it are in the order of their identifiers."""
    after: tuple[Any, ...] | None = None
    """Values of the sort fields and identifier of the entry before the page."""
    offset: int = 0
    """Entries to skip; each costs as much as one that is read."""
    with_structures: bool = True
    """Whether the structures of materials are read."""


@dataclass(frozen=True)
class Found(Generic[Entry]):
    """One page of entries."""

    entries: list[Entry]
    """The entries, in order."""
    last: tuple[Any, ...] | None
    """Position of the last one, to be given as ``after``; None where the page is empty."""
    more: bool
    """Whether others follow."""
    matching: int
    """Entries that meet the condition, on all pages."""
    available: int
    """Entries that the scope sees."""


@dataclass(frozen=True)
class StructureEntry:
    """A material as OPTIMADE asks for it."""

    material_id: str
    """Identifier."""
    formula: str
    """Formula as its source gives it."""
    composition: str
    """Canonical formula."""
    family: str
    """Family of the material."""
    known: bool
    """Whether it is reported in the literature."""
    name: str
    """Name people use, or empty."""
    reason: str
    """Why it is plausible."""
    structure: dict[str, Any] | None
    """Crystal structure as a pymatgen dictionary; None where there is none or it was not asked for."""
    chemical_formula_descriptive: str
    """Formula of the source, in characters OPTIMADE allows."""
    chemical_formula_reduced: str
    """Smallest integers, elements in alphabetical order."""
    chemical_formula_hill: str | None
    """Hill's order, of the cell; None where an amount is no integer."""
    chemical_formula_anonymous: str | None
    """Smallest integers, without the elements; None for more than 26 elements."""
    nsites: int | None
    """Sites of the cell; None where no position is known."""
    disorder: bool
    """Whether a site is shared or empty at times."""
    implicit_atoms: bool
    """Whether some atoms have no position."""
    last_modified: datetime
    """When the record last changed, UTC."""
    numbers: Mapping[str, float] = field(default_factory=dict)
    """Best value of each property that the scope sees."""
    kinds: Mapping[str, str] = field(default_factory=dict)
    """Of each of those: measured, computed, descriptor or predicted."""
    reference_ids: tuple[str, ...] = ()
    """Works it refers to."""


@dataclass(frozen=True)
class ReferenceEntry:
    """A work that materials refer to."""

    reference_id: str
    """Identifier, made from the DOI."""
    doi: str
    """DOI in small letters."""


class OptimadeEntries:
    """Entries of OPTIMADE in one database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def structures(self, wanted: Wanted, *, scope: Scope) -> Found[StructureEntry]:
        """Return a page of materials.

        Raises:
            UnsupportedFilterError: a field cannot be asked, or sorted by, like that.
            InputError: a constant or a position cannot be used.
        """
        seen = visible(MaterialIndexRow, scope)
        with self._database.connected("read materials from") as connection:
            page = _Page(connection, MaterialIndexRow.material_id, STRUCTURE_FIELDS, seen, scope)
            return page.read(wanted, lambda names: _structures(connection, names, wanted, scope))

    def references(self, wanted: Wanted, *, scope: Scope) -> Found[ReferenceEntry]:
        """Return a page of the works that materials seen by the scope refer to.

        Raises:
            UnsupportedFilterError: a field cannot be asked, or sorted by, like that.
            InputError: a constant or a position cannot be used.
        """
        link, row = MaterialPublicationRow, MaterialIndexRow
        citing = select(link.material_id).join(row, row.material_id == link.material_id)
        seen = citing.where(link.reference_id == PublicationRow.reference_id, visible(row, scope)).exists()
        with self._database.connected("read publications from") as connection:
            page = _Page(connection, PublicationRow.reference_id, REFERENCE_FIELDS, seen, scope)
            return page.read(wanted, lambda names: _references(connection, names))

    def cited(self, reference_ids: Collection[str]) -> list[ReferenceEntry]:
        """Return works by their identifiers, which were read from materials the scope sees."""
        with self._database.connected("read publications from") as connection:
            return list(_references(connection, reference_ids).values())


class _Page:
    """Reads one page of entries of a table by the identifiers that a condition and an order choose."""

    def __init__(
        self,
        connection: Connection,
        key: InstrumentedAttribute[str],
        fields: Mapping[str, Field],
        seen: Clause,
        scope: Scope,
    ) -> None:
        self._connection = connection
        self._key = key
        self._fields = fields
        self._seen = seen
        self._scope = scope

    def read(self, wanted: Wanted, load: Any) -> Found[Any]:
        met = where(wanted.condition, self._fields, self._scope)
        rows = self._connection.execute(self._positions(wanted, met)).all()
        page = rows[: wanted.limit]
        loaded = load([row[-1] for row in page])
        available = self._count(self._seen)
        matching = available if wanted.condition is None else self._count(and_(self._seen, met))
        return Found(
            entries=[loaded[row[-1]] for row in page],
            last=tuple(page[-1]) if page else None,
            more=len(rows) > wanted.limit,
            matching=matching,
            available=available,
        )

    def _count(self, clause: Clause) -> int:
        return self._connection.scalar(select(func.count(self._key)).where(clause)) or 0

    def _positions(self, wanted: Wanted, met: Clause) -> Select[Any]:
        """Select the sort values and identifiers of a page, and of one entry more."""
        values = [
            self._fields[sort.field].value(Asking(self._scope)).label(f"by_{place}")
            for place, sort in enumerate(wanted.sort)
        ]
        key = self._key.label("entry_id")
        chosen = select(*values, key).where(self._seen, met)
        if not wanted.sort:
            if wanted.after is not None:
                (last,) = _position(wanted)
                chosen = chosen.where(self._key > last)
            return chosen.order_by(self._key).offset(wanted.offset).limit(wanted.limit + 1)
        inner = chosen.subquery()
        columns = [inner.c[f"by_{place}"] for place in range(len(wanted.sort))]
        statement = select(*columns, inner.c.entry_id)
        if wanted.after is not None:
            statement = statement.where(_follows(wanted, columns, inner.c.entry_id))
        order: list[ColumnElement[Any]] = []
        for sort, column in zip(wanted.sort, columns, strict=True):
            order.append(case((column.is_(None), 1), else_=0))
            order.append(column.desc() if sort.descending else column.asc())
        return statement.order_by(*order, inner.c.entry_id).offset(wanted.offset).limit(wanted.limit + 1)


def _position(wanted: Wanted) -> tuple[Any, ...]:
    assert wanted.after is not None
    if len(wanted.after) != len(wanted.sort) + 1:
        raise InputError("the position after which the page begins is of another order; follow links.next")
    return wanted.after


def _follows(wanted: Wanted, columns: Sequence[ColumnElement[Any]], key: ColumnElement[str]) -> Clause:
    """Return the clause of what comes after a position: later in one field and equal in those before it."""
    *values, last = _position(wanted)
    ways: list[Clause] = []
    equal: list[Clause] = []
    for sort, column, value in zip(wanted.sort, columns, values, strict=True):
        later = (
            false()
            if value is None
            else or_(column.is_(None), column < value if sort.descending else column > value)
        )
        ways.append(and_(*equal, later))
        equal.append(column.is_(None) if value is None else column == value)
    return or_(*ways, and_(*equal, key > last))


def _structures(
    connection: Connection, names: Collection[str], wanted: Wanted, scope: Scope
) -> dict[str, StructureEntry]:
    index, record, optimade = MaterialIndexRow, MaterialRow, MaterialOptimadeRow
    columns = [
        index.material_id, index.formula, index.composition, index.family, index.known, index.name, record.reason,
        *(
            getattr(optimade, name)
            for name in (
                "chemical_formula_descriptive", "chemical_formula_reduced", "chemical_formula_hill",
                "chemical_formula_anonymous", "nsites", "disorder", "implicit_atoms", "last_modified",
            )
        ),
        *([record.structure] if wanted.with_structures else []),
    ]  # fmt: skip
    numbers, cited = _numbers(connection, names, scope), _cited(connection, names)
    entries: dict[str, StructureEntry] = {}
    for piece in in_pieces(names):
        statement = (
            select(*columns)
            .join(record, record.material_id == index.material_id)
            .join(optimade, optimade.material_id == index.material_id)
            .where(index.material_id.in_(piece))
        )
        for row in connection.execute(statement).mappings():
            name = row["material_id"]
            values = {"structure": None, **row}
            entries[name] = StructureEntry(
                **values,
                numbers={number: value for number, (value, _) in numbers[name].items()},
                kinds={number: kind for number, (_, kind) in numbers[name].items()},
                reference_ids=tuple(cited[name]),
            )
    return entries


def _numbers(
    connection: Connection, names: Collection[str], scope: Scope
) -> dict[str, dict[str, tuple[float, str]]]:
    """Return value and kind of the properties of materials; of several the one that filters look at as well."""
    row = MaterialNumberRow
    best: dict[tuple[str, str], tuple[int, float, str]] = {}
    for piece in in_pieces(names):
        statement = select(row.material_id, row.name, row.kind, row.origin, row.value)
        seen = statement.where(row.material_id.in_(piece), row.name.in_(PROPERTIES), visible(row, scope))
        for name, number, kind, origin, value in connection.execute(seen):
            candidate = (KINDS.index(kind), -value, origin)
            best[name, number] = min(candidate, best.get((name, number), candidate))
    found: dict[str, dict[str, tuple[float, str]]] = defaultdict(dict)
    for (name, number), (rank, negative, _) in best.items():
        found[name][number] = (0.0 - negative, KINDS[rank])
    return found


def _cited(connection: Connection, names: Collection[str]) -> dict[str, list[str]]:
    link = MaterialPublicationRow
    found: dict[str, list[str]] = defaultdict(list)
    for piece in in_pieces(names):
        statement = select(link.material_id, link.reference_id).where(link.material_id.in_(piece))
        for name, reference in connection.execute(statement.order_by(link.material_id, link.reference_id)):
            found[name].append(reference)
    return found


def _references(connection: Connection, names: Collection[str]) -> dict[str, ReferenceEntry]:
    row = PublicationRow
    found: dict[str, ReferenceEntry] = {}
    for piece in in_pieces(names):
        for name, doi in connection.execute(
            select(row.reference_id, row.doi).where(row.reference_id.in_(piece)).order_by(row.reference_id)
        ):
            found[name] = ReferenceEntry(name, doi)
    return found
