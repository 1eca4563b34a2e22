"""Search of materials: filters, orders and pages that are walked by an index, whatever is asked.

Every search walks one index in the order asked for and looks the other conditions up, row by row, so a page costs
what it takes to find its rows and not what the whole answer would. Which index is walked depends on rough counts,
kept for a minute; they decide how long a search takes, never what it finds.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy import ColumnElement, Select, and_, case, func, literal, or_, select, tuple_

from hstore.errors import InputError
from hstore.store.numbers import KINDS, MAX_NAME, element_masks, other_elements
from hstore.store.queries import count_of, in_pieces, visible
from hstore.store.schema import (
    MaterialElementRow,
    MaterialIndexRow,
    MaterialNumberRow,
    MaterialRow,
    table_of,
)

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence

    from sqlalchemy import Connection

    from hstore.records import Family, Scope
    from hstore.store.database import Database

BY_IDENTIFIER = "material_id"
"""Order by identifier, by code point."""

BY_COMPOSITION = "composition"
"""Order by canonical formula, then identifier."""

MOST_COUNTED = 10_000
"""Materials are counted up to here; more of them would make counting slower than finding."""

_FEW = 2_000
"""Rows that are gathered and sorted rather than walked past."""

_RARE = 20_000
"""Materials of an element up to which its own list is walked."""

_ESTIMATE_S = 60.0
_MOST_ESTIMATES = 10_000
_RANK = {kind: rank for rank, kind in enumerate(KINDS)}


@dataclass(frozen=True)
class NumberRange:
    """Bounds which one number of a material must keep."""

    name: str
    """Name of the number, its unit included."""
    kind: str | None = None
    """One of :data:`hstore.store.numbers.KINDS`; None for any."""
    low: float | None = None
    """Least value."""
    low_open: bool = False
    """Whether the least value itself is too little."""
    high: float | None = None
    """Greatest value."""
    high_open: bool = False
    """Whether the greatest value itself is too much."""

    def clause(self, scope: Scope) -> ColumnElement[bool]:
        """Return the WHERE clause for the numbers that keep the bounds and may be seen."""
        return self._clause(scope, MaterialNumberRow, MaterialNumberRow.value)

    def lookup(self, scope: Scope, number: Any) -> ColumnElement[bool]:
        """Return the same clause for numbers that are looked up by material.

        The sum keeps SQLite from walking all values within the bounds for each material instead.
        """
        return self._clause(scope, number, number.value + 0.0)

    def _clause(self, scope: Scope, number: Any, value: ColumnElement[float] | Any) -> ColumnElement[bool]:
        parts: list[ColumnElement[bool]] = [number.name == self.name, visible(number, scope)]
        if self.kind is not None:
            parts.append(number.kind == self.kind)
        if self.low is not None:
            parts.append(value > self.low if self.low_open else value >= self.low)
        if self.high is not None:
            parts.append(value < self.high if self.high_open else value <= self.high)
        return and_(*parts)


@dataclass(frozen=True)
class Wanted:
    """Which materials are sought; empty fields do not filter."""

    family: Family | None = None
    """Family of the material."""
    elements: tuple[str, ...] = ()
    """Symbols that must all be present."""
    elements_any: tuple[str, ...] = ()
    """Symbols of which one must be present."""
    exclude_elements: tuple[str, ...] = ()
    """Symbols of which none may be present."""
    only_elements: tuple[str, ...] = ()
    """Symbols beside which none may be present."""
    n_elements_min: int | None = None
    """Fewest elements."""
    n_elements_max: int | None = None
    """Most elements."""
    chemical_system: str | None = None
    """Exactly these elements, in alphabetical order, joined by hyphens."""
    composition: str | None = None
    """Canonical formula."""
    known: bool | None = None
    """Whether it is reported in the literature."""
    source: str | None = None
    """Source of its provenance."""
    has_structure: bool | None = None
    """Whether its structure is known."""
    text: str | None = None
    """Part of the formula or the name, in whatever case."""
    ranges: tuple[NumberRange, ...] = ()
    """Bounds of its numbers; each is to be kept by some number that may be seen."""

    def range_of(self, name: str) -> NumberRange:
        """Return the bounds on a number; none where there are none."""
        return next((found for found in self.ranges if found.name == name), NumberRange(name))


@dataclass(frozen=True)
class Order:
    """In which order materials come.

    By a number, each stands where the value stands that counts: of those which keep the bounds asked for, measured
    before computed before supplied before predicted, and the greatest of one kind. Materials without one are left
    out.
    """

    by: str = BY_IDENTIFIER
    """:data:`BY_IDENTIFIER`, :data:`BY_COMPOSITION`, or the name of a number."""
    descending: bool = False
    """From the end; what is equal comes from the end of the identifiers too."""

    @property
    def is_number(self) -> bool:
        """Whether it is an order by a number."""
        return self.by not in {BY_IDENTIFIER, BY_COMPOSITION}


Position = tuple[float | str | None, str]
"""Where a page ended: the value it is ordered by (None where that is the identifier), and the identifier."""


@dataclass(frozen=True)
class BestNumber:
    """The value that counts, of those of one name."""

    value: float
    """The value, in the unit that is in its name."""
    kind: str
    """One of :data:`hstore.store.numbers.KINDS`."""


@dataclass(frozen=True)
class Page:
    """Some materials in order."""

    rows: tuple[dict[str, Any], ...]
    """Columns of ``materials`` that were asked for, of each."""
    numbers: dict[str, dict[str, BestNumber]]
    """By identifier, the numbers that were asked for, by name."""
    next: Position | None
    """Where the next page begins; None after the last."""


class Search:
    """Search of the materials of one store."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._estimates: dict[Any, tuple[float, int]] = {}

    def page(
        self,
        wanted: Wanted,
        *,
        scope: Scope,
        order: Order = Order(),
        after: Position | None = None,
        limit: int,
        columns: Collection[str] = (),
        numbers: Collection[str] = (),
    ) -> Page:
        """Return materials in order.

        Pages are stable under writes: what stays as it is comes exactly once.

        Args:
            wanted: which ones.
            scope: in whose name.
            order: in which order.
            after: where the page before ended.
            limit: most of them.
            columns: columns of ``materials`` to return, beside the identifier.
            numbers: names of numbers to return.

        Raises:
            InputError: ``limit`` is not positive.
        """
        if limit < 1:
            raise InputError(f"limit must be at least 1, got {limit}")
        with self._database.connected("search materials in") as connection:
            plan = self._plan(connection, wanted, scope, order)
            hits = connection.execute(_ordered(plan, order, after).limit(limit + 1)).all()
            names = [hit[0] for hit in hits[:limit]]
            rows = _rows(connection, names, columns, scope)
            found = _numbers(connection, names, [wanted.range_of(name) for name in numbers], scope)
        following = _position(hits[limit - 1], order) if len(hits) > limit else None
        return Page(tuple(rows[name] for name in names if name in rows), found, following)

    def pages(
        self,
        wanted: Wanted,
        *,
        scope: Scope,
        order: Order = Order(),
        after: Position | None = None,
        limit: int,
        size: int = 1000,
        columns: Collection[str] = (),
        numbers: Collection[str] = (),
    ) -> Iterator[Page]:
        """Stream materials in order, a page at a time, ``limit`` of them at most; see :meth:`page`."""
        left = limit
        while left > 0:
            found = self.page(
                wanted,
                scope=scope,
                order=order,
                after=after,
                limit=min(size, left),
                columns=columns,
                numbers=numbers,
            )
            yield found
            after, left = found.next, left - size
            if after is None:
                return

    def count(self, wanted: Wanted, *, scope: Scope, order: Order = Order(), most: int = MOST_COUNTED) -> int:
        """Count what :meth:`page` would find, page after page, up to ``most``."""
        with self._database.connected("count materials in") as connection:
            plan = self._plan(connection, wanted, scope, order)
            return connection.scalar(count_of(plan.statement.limit(most))) or 0

    def position(
        self, wanted: Wanted, *, scope: Scope, order: Order = Order(), after: Position | None = None, rows: int
    ) -> Position | None:
        """Return where a page of so many rows would end; None where there is nothing behind it."""
        with self._database.connected("search materials in") as connection:
            plan = self._plan(connection, wanted, scope, order)
            hits = connection.execute(_ordered(plan, order, after).offset(rows - 1).limit(2)).all()
        return _position(hits[0], order) if len(hits) > 1 else None

    def has_number(self, name: str, *, scope: Scope) -> bool:
        """Tell whether a number of that name can be seen."""
        row = MaterialNumberRow
        statement = select(row.name).where(row.name == name, visible(row, scope)).limit(1)
        with self._database.connected("read names from") as connection:
            return connection.scalar(statement) is not None

    def number_names(self, *, scope: Scope) -> list[str]:
        """Return the names of all numbers that can be seen, in alphabetical order."""
        row = MaterialNumberRow
        first = select(func.min(row.name).label("name")).cte("names", recursive=True)
        following = select(func.min(row.name)).where(row.name > first.c.name).scalar_subquery()
        names = first.union_all(select(following).where(first.c.name.is_not(None)))
        seen = select(row.name).where(row.name == names.c.name, visible(row, scope)).exists()
        statement = select(names.c.name).where(names.c.name.is_not(None), seen).order_by(names.c.name)
        with self._database.connected("read names from") as connection:
            return list(connection.scalars(statement))

    def _plan(self, connection: Connection, wanted: Wanted, scope: Scope, order: Order) -> _Plan:
        by_identifier = self._by_identifier(connection, wanted, scope)
        if order.by == BY_IDENTIFIER:
            return by_identifier
        if order.by == BY_COMPOSITION:
            return _by_composition(wanted, scope)
        sought = by_identifier.statement.limit(_FEW + 1)
        if self._estimate(connection, ("sought", wanted, scope.lab_id), sought) <= _FEW:
            return _gathered(by_identifier, wanted.range_of(order.by), scope)
        return _by_number(wanted, wanted.range_of(order.by), scope)

    def _by_identifier(self, connection: Connection, wanted: Wanted, scope: Scope) -> _Plan:
        """Walk the materials, or the shorter list of an element, or gather the few that keep some bounds."""
        counts = {found: self._count_range(connection, found, scope) for found in wanted.ranges}
        few = min(counts, key=counts.__getitem__, default=None)
        if few is not None and counts[few] <= _FEW:
            holders = select(MaterialNumberRow.material_id).where(few.clause(scope))
            rest = [_kept(MaterialIndexRow.material_id, found, scope) for found in wanted.ranges if found != few]
            statement = select(MaterialIndexRow.material_id).where(MaterialIndexRow.material_id.in_(holders))
            return _Plan(statement.where(_filters(wanted, scope), *rest), MaterialIndexRow.material_id)
        holders = {element: self._count_element(connection, element) for element in wanted.elements}
        rarest = min(holders, key=holders.__getitem__, default=None)
        if rarest is not None and holders[rarest] <= _RARE and not (wanted.composition or wanted.chemical_system):
            key = MaterialElementRow.material_id
            fits = select(literal(1)).where(MaterialIndexRow.material_id == key, _filters(wanted, scope)).exists()
            statement = select(key).where(MaterialElementRow.element == rarest, fits)
        else:
            key = MaterialIndexRow.material_id
            statement = select(key).where(_filters(wanted, scope))
        return _Plan(statement.where(*(_kept(key, found, scope) for found in wanted.ranges)), key)

    def _count_element(self, connection: Connection, element: str) -> int:
        row = MaterialElementRow
        statement = select(row.material_id).where(row.element == element).limit(_RARE + 1)
        return self._estimate(connection, ("element", element), statement)

    def _count_range(self, connection: Connection, found: NumberRange, scope: Scope) -> int:
        statement = select(MaterialNumberRow.material_id).where(found.clause(scope)).limit(_FEW + 1)
        return self._estimate(connection, ("range", found, scope.lab_id), statement)

    def _estimate(self, connection: Connection, key: Any, statement: Select[Any]) -> int:
        """Count the rows of a statement, or remember the count of a minute ago."""
        now = time.monotonic()
        remembered = self._estimates.get(key)
        if remembered is not None and now - remembered[0] < _ESTIMATE_S:
            return remembered[1]
        count = connection.scalar(count_of(statement)) or 0
        if len(self._estimates) >= _MOST_ESTIMATES:
            self._estimates.clear()
        self._estimates[key] = (now, count)
        return count


@dataclass(frozen=True)
class _Plan:
    """A statement that finds identifiers, and what they are ordered by."""

    statement: Select[Any]
    """Selects the identifier and then, where there is one, the value that is in front of it in the order."""
    key: ColumnElement[Any] | Any
    """Column of the identifier."""
    value: ColumnElement[Any] | Any = None
    """Column in front of it in the order."""


def _position(hit: Sequence[Any], order: Order) -> Position:
    return (None if order.by == BY_IDENTIFIER else hit[1], hit[0])


def _ordered(plan: _Plan, order: Order, after: Position | None) -> Select[Any]:
    columns = [plan.key] if plan.value is None else [plan.value, plan.key]
    statement = plan.statement
    if after is not None:
        bounds = after[1:] if plan.value is None else after
        position = tuple_(*columns) if len(columns) > 1 else columns[0]
        last = tuple_(*map(literal, bounds)) if len(columns) > 1 else bounds[0]
        statement = statement.where(position < last if order.descending else position > last)
    return statement.order_by(*(column.desc() if order.descending else column for column in columns))


def _filters(wanted: Wanted, scope: Scope) -> ColumnElement[bool]:
    """Return the WHERE clause on the material alone; all values are bound parameters."""
    row = MaterialIndexRow
    parts: list[ColumnElement[bool]] = [visible(row, scope)]
    equal = {
        row.family: wanted.family.value if wanted.family else None,
        row.chemical_system: wanted.chemical_system,
        row.composition: wanted.composition,
        row.source: wanted.source[:MAX_NAME] if wanted.source is not None else None,
    }
    parts += [column == value for column, value in equal.items() if value is not None]
    flags = {row.known: wanted.known, row.has_structure: wanted.has_structure}
    parts += [column.is_(value) for column, value in flags.items() if value is not None]
    if wanted.n_elements_min is not None:
        parts.append(row.n_elements >= wanted.n_elements_min)
    if wanted.n_elements_max is not None:
        parts.append(row.n_elements <= wanted.n_elements_max)
    if wanted.text:
        parts.append(or_(*(c.icontains(wanted.text, autoescape=True) for c in (row.formula, row.name))))
    return and_(*parts, *_element_filters(wanted))


def _element_filters(wanted: Wanted) -> Iterator[ColumnElement[bool]]:
    bits = (MaterialIndexRow.elements_low, MaterialIndexRow.elements_high)
    for column, mask in zip(bits, element_masks(wanted.elements), strict=True):
        if mask:
            yield column.bitwise_and(mask) == mask
    if wanted.elements_any:
        masks = zip(bits, element_masks(wanted.elements_any), strict=True)
        yield or_(*(column.bitwise_and(mask) != 0 for column, mask in masks if mask))
    for column, mask in zip(bits, element_masks(wanted.exclude_elements), strict=True):
        if mask:
            yield column.bitwise_and(mask) == 0
    if wanted.only_elements:
        for column, mask in zip(bits, other_elements(wanted.only_elements), strict=True):
            yield column.bitwise_and(mask) == 0


def _kept(key: Any, found: NumberRange, scope: Scope) -> ColumnElement[bool]:
    """Return the clause that some number of the material keeps some bounds."""
    number = table_of(MaterialNumberRow).alias()
    return select(literal(1)).where(number.c.material_id == key, found.lookup(scope, number.c)).exists()


def _by_composition(wanted: Wanted, scope: Scope) -> _Plan:
    row = MaterialIndexRow
    kept = (_kept(row.material_id, found, scope) for found in wanted.ranges)
    statement = select(row.material_id, row.composition).where(_filters(wanted, scope), *kept)
    return _Plan(statement, row.material_id, row.composition)


def _by_number(wanted: Wanted, counting: NumberRange, scope: Scope) -> _Plan:
    """Walk the values of a number."""
    row = MaterialNumberRow
    fits = select(literal(1)).where(MaterialIndexRow.material_id == row.material_id, _filters(wanted, scope))
    others = (_kept(row.material_id, found, scope) for found in wanted.ranges if found != counting)
    counts = (counting.clause(scope), ~_better(counting, scope))
    statement = select(row.material_id, row.value).where(*counts, fits.exists(), *others)
    return _Plan(statement, row.material_id, row.value)


def _gathered(few: _Plan, counting: NumberRange, scope: Scope) -> _Plan:
    """Gather the values of few materials; the sum keeps the databases from walking all values in order instead."""
    row = MaterialNumberRow
    counts = (counting.lookup(scope, row), ~_better(counting, scope))
    value = (row.value + 0.0).label("value")
    statement = select(row.material_id, value).where(row.material_id.in_(few.statement), *counts)
    return _Plan(statement, row.material_id, row.value + 0.0)


def _better(counting: NumberRange, scope: Scope) -> ColumnElement[bool]:
    """Return the clause that another value of the same number counts before this one."""
    row, other = MaterialNumberRow, table_of(MaterialNumberRow).alias()
    this, that = (case(_RANK, value=column) for column in (row.kind, other.c.kind))
    greater = or_(
        other.c.value > row.value,
        and_(other.c.value == row.value, other.c.origin < row.origin),
    )
    before = or_(that < this, and_(that == this, greater))
    same = (other.c.material_id == row.material_id, counting.lookup(scope, other.c))
    return select(literal(1)).where(*same, before).exists()


def _rows(
    connection: Connection, names: Sequence[str], columns: Collection[str], scope: Scope
) -> dict[str, dict[str, Any]]:
    """Read columns of materials; one deleted or hidden meanwhile is missing."""
    if not names:
        return {}
    wanted = [MaterialRow.material_id, *(getattr(MaterialRow, name) for name in columns if name != "material_id")]
    rows: dict[str, dict[str, Any]] = {}
    for piece in in_pieces(names):
        statement = select(*wanted).where(MaterialRow.material_id.in_(piece), visible(MaterialRow, scope))
        rows.update((row["material_id"], dict(row)) for row in connection.execute(statement).mappings())
    return rows


def _numbers(
    connection: Connection, names: Sequence[str], wanted: Sequence[NumberRange], scope: Scope
) -> dict[str, dict[str, BestNumber]]:
    """Read the numbers that count."""
    found: dict[str, dict[str, BestNumber]] = {name: {} for name in names}
    if not wanted:
        return found
    row = MaterialNumberRow
    keeps = or_(*(one.lookup(scope, row) for one in wanted))
    for piece in in_pieces(names):
        statement = select(row.material_id, row.name, row.value, row.kind).where(
            row.material_id.in_(piece), row.name.in_([one.name for one in wanted]), keeps
        )
        for material_id, name, value, kind in connection.execute(statement):
            held = found[material_id].get(name)
            if held is None or (_RANK[kind], -value) < (_RANK[held.kind], -held.value):
                found[material_id][name] = BestNumber(value, kind)
    return found
