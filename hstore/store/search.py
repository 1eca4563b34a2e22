"""Search of materials: filters, orders and pages that are walked by an index, whatever is asked.

Every search walks one index in the order asked for and looks the other conditions up, row by row, so a page costs
what it takes to find its rows and not what the whole answer would. Which index is walked depends on rough counts,
kept for a minute; they decide how long a search takes, never what it finds.
"""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from sqlalchemy import func, select

from hstore.errors import InputError
from hstore.store.queries import in_pieces, visible
from hstore.store.schema import MaterialNumberRow
from hstore.store.search_sql import (
    RANK,
    Plan,
    counted,
    element_counted,
    licences_counted,
    numbers_of,
    ordered,
    position_values,
    range_counted,
    rows_of,
    shape_of,
    values_of,
)

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence

    from sqlalchemy import Connection, Select

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

_WALK = "SELECT " + ", ".join(
    f"set_config('enable_{way}', 'off', true)" for way in ("sort", "bitmapscan", "hashjoin", "mergejoin")
)
"""Has PostgreSQL walk an index for the rest of a transaction."""

_AT_A_TIME = 3
_ESTIMATE_S = 60.0
_MOST_ESTIMATES = 10_000


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
        # Threads take turns in the interpreter: many at a time slow one another down to half of what a few do.
        self._turns = threading.BoundedSemaphore(_AT_A_TIME)

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
        asked = _Asked(wanted, order, scope)
        with self._turns, self._database.connected("search materials in") as connection:
            hits = self._hits(connection, asked, after, most=limit + 1)
            names = [hit[0] for hit in hits[:limit]]
            rows = _rows(connection, names, tuple(columns), scope)
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
        asked = _Asked(wanted, order, scope)
        with self._turns, self._database.connected("count materials in") as connection:
            plan = self._plan(connection, asked)
            return connection.scalar(counted(asked.shape, plan), asked.values | {"most": most}) or 0

    def position(
        self, wanted: Wanted, *, scope: Scope, order: Order = Order(), after: Position | None = None, rows: int
    ) -> Position | None:
        """Return where a page of so many rows would end; None where there is nothing behind it."""
        asked = _Asked(wanted, order, scope)
        with self._database.connected("search materials in") as connection:
            hits = self._hits(connection, asked, after, most=2, skipped=rows - 1)
        return _position(hits[0], order) if len(hits) > 1 else None

    def licences(
        self, wanted: Wanted, *, scope: Scope, order: Order = Order(), after: Position | None = None, limit: int
    ) -> dict[str | None, int]:
        """Count the licences of what :meth:`pages` would find; None where the source states none."""
        asked = _Asked(wanted, order, scope)
        with self._turns, self._database.connected("count licences in") as connection:
            plan = self._plan(connection, asked)
            statement = licences_counted(asked.shape, plan, descending=order.descending, after=after is not None)
            values = asked.values | position_values(after) | {"most": limit}
            return {row[0]: row[1] for row in connection.execute(statement, values)}

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

    def _hits(
        self, connection: Connection, asked: _Asked, after: Position | None, *, most: int, skipped: int = 0
    ) -> Sequence[Any]:
        plan = self._plan(connection, asked)
        if plan.walk not in {"few", "gathered"} and connection.dialect.name == "postgresql":
            # It takes filters of elements to leave nearly nothing, and would gather all that pass and sort them.
            connection.exec_driver_sql(_WALK)
        statement = ordered(asked.shape, plan, descending=asked.order.descending, after=after is not None)
        if skipped:
            statement = statement.offset(skipped)
        return connection.execute(statement, asked.values | position_values(after) | {"most": most}).all()

    def _plan(self, connection: Connection, asked: _Asked) -> Plan:
        if asked.order.by == BY_COMPOSITION:
            return Plan("composition")
        by_identifier = self._by_identifier(connection, asked)
        if not asked.order.is_number:
            return by_identifier
        if by_identifier.walk == "few" or self._count_materials(connection, asked) <= _FEW:
            return Plan("gathered", few=by_identifier.few, by=asked.by, base=by_identifier.walk)
        return Plan("number", by=asked.by)

    def _by_identifier(self, connection: Connection, asked: _Asked) -> Plan:
        """Walk the materials, or the shorter list of an element, or gather the few that keep some bounds."""
        wanted, shape = asked.wanted, asked.shape
        counts = {}
        for place, found in enumerate(wanted.ranges):
            key = ("range", found, asked.scope.lab_id)
            counts[place] = self._estimate(connection, key, range_counted(shape, place), asked.values, _FEW)
        few = min(counts, key=counts.__getitem__, default=-1)
        if few >= 0 and counts[few] <= _FEW:
            return Plan("few", few=few)
        if wanted.elements and not (wanted.composition or wanted.chemical_system):
            holders = {symbol: self._count_element(connection, symbol) for symbol in wanted.elements}
            rarest = min(holders, key=holders.__getitem__)
            if holders[rarest] <= _RARE:
                asked.values["element"] = rarest
                return Plan("element")
        return Plan("materials")

    def _count_materials(self, connection: Connection, asked: _Asked) -> int:
        """Count the materials that the filters leave, whatever their numbers; such filters come again."""
        plain = replace(asked.wanted, ranges=())
        if plain == Wanted():
            return _FEW + 1
        sought = _Asked(plain, Order(), asked.scope)
        plan = self._by_identifier(connection, sought)
        key = ("materials", plain, asked.scope.lab_id)
        return self._estimate(connection, key, counted(sought.shape, plan), sought.values, _FEW)

    def _count_element(self, connection: Connection, symbol: str) -> int:
        values = {"element": symbol}
        return self._estimate(connection, ("element", symbol), element_counted(), values, _RARE)

    def _estimate(
        self, connection: Connection, key: Any, statement: Select[int], values: dict[str, Any], most: int
    ) -> int:
        """Count up to one more than ``most``, or remember the count of a minute ago."""
        now = time.monotonic()
        remembered = self._estimates.get(key)
        if remembered is not None and now - remembered[0] < _ESTIMATE_S:
            return remembered[1]
        count = connection.scalar(statement, values | {"most": most + 1}) or 0
        if len(self._estimates) >= _MOST_ESTIMATES:
            self._estimates.clear()
        self._estimates[key] = (now, count)
        return count


class _Asked:
    """A question with what its statements need."""

    def __init__(self, wanted: Wanted, order: Order, scope: Scope) -> None:
        self.wanted, self.order, self.scope = wanted, order, scope
        ranges, self.by = wanted.ranges, -1
        if order.is_number:
            counting = wanted.range_of(order.by)
            ranges = ranges if counting in ranges else (*ranges, counting)
            self.by = ranges.index(counting)
        self.shape = shape_of(wanted, ranges, scope)
        self.values = values_of(wanted, ranges, scope)


def _position(hit: Sequence[Any], order: Order) -> Position:
    return (None if order.by == BY_IDENTIFIER else hit[1], hit[0])


def _rows(
    connection: Connection, names: Sequence[str], columns: tuple[str, ...], scope: Scope
) -> dict[str, dict[str, Any]]:
    """Read columns of materials; one deleted or hidden meanwhile is missing."""
    statement = rows_of(columns, everything=scope.everything, lab=scope.lab_id is not None)
    rows: dict[str, dict[str, Any]] = {}
    for piece in in_pieces(names):
        values = {"names": piece, "lab_id": scope.lab_id, "today": scope.today}
        for row in connection.execute(statement, values).all():
            rows[row[0]] = dict(zip(("material_id", *columns), row, strict=True))
    return rows


def _numbers(
    connection: Connection, names: Sequence[str], ranges: Sequence[NumberRange], scope: Scope
) -> dict[str, dict[str, BestNumber]]:
    """Read the numbers that count."""
    found: dict[str, dict[str, BestNumber]] = {name: {} for name in names}
    if not ranges:
        return found
    nothing = Wanted()
    statement = numbers_of(shape_of(nothing, tuple(ranges), scope))
    values = values_of(nothing, tuple(ranges), scope)
    for piece in in_pieces(names):
        hits = connection.execute(statement, values | {"names": piece}).all()
        for material_id, name, value, kind in hits:
            held = found[material_id].get(name)
            if held is None or (RANK[kind], -value) < (RANK[held.kind], -held.value):
                found[material_id][name] = BestNumber(value, kind)
    return found
