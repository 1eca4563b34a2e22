"""How the fields of entries are asked in SQL.

The answer to a question is a pair of clauses, one for entries of which it is true and one for those of which it is
false; an entry without a value is in neither. So no clause is ever negated, and unknown values never match.
"""

from __future__ import annotations

import operator
import re
from abc import ABC, abstractmethod
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, NamedTuple, cast

from sqlalchemy import ColumnElement, and_, case, false, func, literal, not_, or_, select, true
from sqlalchemy.orm import aliased

from hstore.elements import ATOMIC_MASS_G_PER_MOL
from hstore.errors import InputError
from hstore.store.numbers import KINDS, element_masks
from hstore.store.optimade.conditions import Holding, Operator, Place, Value
from hstore.store.queries import visible
from hstore.store.schema import MaterialIndexRow, MaterialNumberRow

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from sqlalchemy import Select, SQLColumnExpression

    from hstore.records import Scope

Clause = ColumnElement[bool]

_COMPARED: dict[str, Callable[[Any, Any], Any]] = {
    "<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge, "=": operator.eq, "!=": operator.ne,
}  # fmt: skip
_INVERSE: dict[Operator, Operator] = {"<": ">=", "<=": ">", ">": "<=", ">=": "<", "=": "!=", "!=": "="}
_EQUALITY = ("=", "!=")
_INSTANT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)", re.IGNORECASE)
_LARGEST_INTEGER = 2**63 - 1
_LARGEST_FLOAT = 10**308
_ALL_LOW, _ALL_HIGH = element_masks(ATOMIC_MASS_G_PER_MOL)


class UnsupportedFilterError(InputError):
    """A filter asks in a way that OPTIMADE leaves open and this store has no answer to."""


class Truth(NamedTuple):
    """Clauses for entries of which something is true, and for those of which it is false."""

    true: Clause
    """Holds where it is true."""
    false: Clause
    """Holds where it is false."""

    @classmethod
    def always_known(cls, clause: Clause) -> Truth:
        """Take a clause that is never NULL."""
        return cls(clause, not_(clause))


@dataclass(frozen=True)
class Asking:
    """In whose name a question is asked, and how."""

    scope: Scope
    """In whose name."""
    by_row: bool = False
    """Whether tables beside the entries are looked up for each of them, and not joined."""


@dataclass(frozen=True)
class Field(ABC):
    """A field of an entry."""

    type: str
    """Its type in the words of OPTIMADE."""

    @property
    def sorts(self) -> bool:
        """Whether entries can be sorted by it."""
        return False

    def compare(self, asked: Operator, value: Value, asking: Asking) -> Truth:  # noqa: ARG002 - for subclasses
        """Compare the value with a constant."""
        raise UnsupportedFilterError(f"a {self.type} cannot be compared with a value by {asked}")

    def match(self, place: Place, text: str, asking: Asking) -> Truth:  # noqa: ARG002 - for subclasses
        """Look for a text in the value."""
        raise UnsupportedFilterError(f"{place.value} is for text, not for a {self.type}")

    def has(self, holding: Holding, values: tuple[Value, ...], asking: Asking) -> Truth:  # noqa: ARG002 - for subclasses
        """Look for values in a list."""
        raise UnsupportedFilterError(f"{holding.value} is not supported for this {self.type}")

    def length(self, asked: Operator, value: int, asking: Asking) -> Truth:  # noqa: ARG002 - for subclasses
        """Compare the number of items of a list."""
        raise UnsupportedFilterError(f"LENGTH is not supported for this {self.type}")

    @abstractmethod
    def known(self, asking: Asking) -> Truth:
        """Return the clauses of entries that have a value, and of those that have none."""

    @property
    def is_beside(self) -> bool:
        """Whether it stands in a table beside that of the entries."""
        return False

    def value(self, asking: Asking) -> ColumnElement[Any]:  # noqa: ARG002 - for subclasses
        """Return the value to sort by."""
        raise UnsupportedFilterError(f"entries cannot be sorted by this {self.type}")


@dataclass(frozen=True)
class Column(Field):
    """A column of the entry's own table, or of a table beside it."""

    key: SQLColumnExpression[str]
    """Identifier of the entry in its own table."""
    column: SQLColumnExpression[Any]
    """The column."""
    beside: SQLColumnExpression[str] | None = None
    """Identifier of the entry in the table of the column, where that is another one."""
    ordered: bool = True
    """Whether it has an order that is the same in every database."""

    @property
    def sorts(self) -> bool:
        """Whether entries can be sorted by it."""
        return self.ordered

    def compare(self, asked: Operator, value: Value, asking: Asking) -> Truth:
        """Compare the column with a constant of its type."""
        if asked not in _EQUALITY and not self.ordered:
            raise UnsupportedFilterError(f"this field can be compared by = and != only, not by {asked}")
        constant = _constant(self.type, value)
        is_true = self._where(_COMPARED[asked](self.column, constant), asking)
        return Truth(is_true, self._where(_COMPARED[_INVERSE[asked]](self.column, constant), asking))

    def match(self, place: Place, text: str, asking: Asking) -> Truth:
        """Look for a text, capitals as they are; LIKE would ignore them in SQLite, and has wildcards."""
        if self.type != "string":
            return super().match(place, text, asking)
        if not text:  # which every text holds
            return Truth(self.known(asking).true, false())
        if place is Place.ANYWHERE:
            found = func.replace(self.column, text, "") != self.column
        elif place is Place.START:
            found = func.substr(self.column, 1, len(text)) == text
        else:
            found = func.substr(self.column, func.length(self.column) - (len(text) - 1)) == text
        return Truth(self._where(found, asking), self._where(not_(found), asking))

    def known(self, asking: Asking) -> Truth:
        """Return the clauses of entries where the column is not NULL, and where it is."""
        return Truth(self._where(self.column.is_not(None), asking), self._where(self.column.is_(None), asking))

    @property
    def is_beside(self) -> bool:
        """Whether it stands in a table beside that of the entries."""
        return self.beside is not None

    def value(self, asking: Asking) -> ColumnElement[Any]:
        """Return the column, looked up where it stands in another table."""
        if not self.ordered:
            return super().value(asking)
        column = cast("ColumnElement[Any]", self.column)
        if self.beside is None:
            return column
        return self._rows(asking).with_only_columns(column).where(self.beside == self.key).scalar_subquery()

    def _where(self, clause: Clause, asking: Asking) -> Clause:
        if self.beside is None:
            return clause
        return _found(self.key, self.beside, self._rows(asking).where(clause), asking)

    def _rows(self, asking: Asking) -> Select[Any]:  # noqa: ARG002 - for subclasses
        """Select the identifiers in the table beside."""
        assert self.beside is not None
        return select(self.beside)


@dataclass(frozen=True)
class BestNumber(Column):
    """The number of a material that counts, of those of one name that the scope sees."""

    name: str = ""
    """Name of the number."""

    @classmethod
    def of(cls, name: str) -> BestNumber:
        """Make the field of a property."""
        row = MaterialNumberRow
        return cls("float", MaterialIndexRow.material_id, row.value, row.material_id, name=name)

    def _rows(self, asking: Asking) -> Select[Any]:
        return self._numbers(asking).where(best_number(asking.scope))

    def known(self, asking: Asking) -> Truth:
        """Return the clauses of materials that have a number of the name, and of those that have none."""
        numbers = self._numbers(asking)
        has_one = _found(self.key, MaterialNumberRow.material_id, numbers, asking)
        return Truth(has_one, ~numbers.where(MaterialNumberRow.material_id == self.key).exists())

    def _numbers(self, asking: Asking) -> Select[Any]:
        row = MaterialNumberRow
        return select(row.material_id).where(row.name == self.name, visible(row, asking.scope))


@dataclass(frozen=True)
class Elements(Field):
    """The elements of a material, as bits."""

    def has(self, holding: Holding, values: tuple[Value, ...], asking: Asking) -> Truth:  # noqa: ARG002 - public alike
        """Look for element symbols; what is none is in no material."""
        symbols = {_constant("string", value) for value in values}
        known = {symbol for symbol in symbols if symbol in ATOMIC_MASS_G_PER_MOL}
        low, high = element_masks(known)
        row = MaterialIndexRow
        if holding is Holding.ALL:
            clause = and_(_bits(row.elements_low, low) == low, _bits(row.elements_high, high) == high)
            return Truth.always_known(clause if known == symbols else false())
        if holding is Holding.ANY:
            clause = or_(_bits(row.elements_low, low) != 0, _bits(row.elements_high, high) != 0)
            return Truth.always_known(clause)
        others = (_bits(row.elements_low, _ALL_LOW ^ low) == 0, _bits(row.elements_high, _ALL_HIGH ^ high) == 0)
        return Truth.always_known(and_(*others))

    def length(self, asked: Operator, value: int, asking: Asking) -> Truth:  # noqa: ARG002 - as in the base class
        """Compare the number of elements."""
        return Truth.always_known(_COMPARED[asked](MaterialIndexRow.n_elements, _constant("integer", value)))

    def known(self, asking: Asking) -> Truth:  # noqa: ARG002 - as in the base class
        """Every material has elements."""
        return Truth(true(), false())


@dataclass(frozen=True)
class Flags(Field):
    """A list of words, each of which is a column beside the entry."""

    key: SQLColumnExpression[str]
    """Identifier of the entry in its own table."""
    beside: SQLColumnExpression[str]
    """Identifier of the entry in the table of the columns."""
    columns: Mapping[str, SQLColumnExpression[bool]]
    """Column of each word that an entry can have."""

    def has(self, holding: Holding, values: tuple[Value, ...], asking: Asking) -> Truth:
        """Look for words; one without a column is in no list."""
        words = {_constant("string", value) for value in values}
        chosen = [column for word, column in self.columns.items() if word in words]
        others = [~column for word, column in self.columns.items() if word not in words]
        clause = {
            Holding.ALL: and_(*chosen) if words <= self.columns.keys() else false(),
            Holding.ANY: or_(false(), *chosen),
            Holding.ONLY: and_(true(), *others),
        }[holding]
        return self._where(clause, asking)

    def length(self, asked: Operator, value: int, asking: Asking) -> Truth:
        """Compare the number of words."""
        counted = sum(case((column, 1), else_=0) for column in self.columns.values())
        return self._where(_COMPARED[asked](counted, _constant("integer", value)), asking)

    def known(self, asking: Asking) -> Truth:  # noqa: ARG002 - as in the base class
        """Every entry has the list, which may be empty."""
        return Truth(true(), false())

    @property
    def is_beside(self) -> bool:
        """Whether it stands in a table beside that of the entries."""
        return True

    def _where(self, clause: Clause, asking: Asking) -> Truth:
        rows = select(self.beside)
        return Truth(*(_found(self.key, self.beside, rows.where(part), asking) for part in (clause, not_(clause))))


@dataclass(frozen=True)
class Related(Field):
    """Identifiers of related entries."""

    key: SQLColumnExpression[str]
    """Identifier of the entry in its own table."""
    beside: SQLColumnExpression[str]
    """Identifier of the entry in the table of relations."""
    related: SQLColumnExpression[str]
    """Identifier of the related entry there."""

    def has(self, holding: Holding, values: tuple[Value, ...], asking: Asking) -> Truth:
        """Look for identifiers."""
        names = sorted({_constant("string", value) for value in values})
        if holding is Holding.ONLY:
            return Truth.always_known(self._count(self.related.not_in(names)) == 0)
        chosen = self.related.in_(names)
        needed = len(names) if holding is Holding.ALL else 1
        if needed > 1:
            return Truth.always_known(self._count(chosen) == needed)
        return Truth(
            _found(self.key, self.beside, select(self.beside).where(chosen), asking), self._count(chosen) == 0
        )

    def length(self, asked: Operator, value: int, asking: Asking) -> Truth:  # noqa: ARG002 - as in the base class
        """Compare the number of related entries."""
        return Truth.always_known(_COMPARED[asked](self._count(true()), _constant("integer", value)))

    def _count(self, clause: Clause) -> ColumnElement[int]:
        """Count the related entries that meet a clause, of each entry; a pair stands in the table once."""
        return select(func.count()).where(self.beside == self.key, clause).scalar_subquery()

    def known(self, asking: Asking) -> Truth:  # noqa: ARG002 - as in the base class
        """Every entry has the list, which may be empty."""
        return Truth(true(), false())

    @property
    def is_beside(self) -> bool:
        """Whether it stands in a table beside that of the entries."""
        return True


@dataclass(frozen=True)
class Opaque(Field):
    """A field that is served and not searched, beyond whether it is there and how long it is."""

    items: Column
    """Counts its items; without a value where the field has none."""
    countable: bool = True
    """Whether the count is that of this field, and not only as often there."""

    def length(self, asked: Operator, value: int, asking: Asking) -> Truth:
        """Compare the number of items."""
        if not self.countable:
            return super().length(asked, value, asking)
        return self.items.compare(asked, value, asking)

    def known(self, asking: Asking) -> Truth:
        """Return where there are items, and where not."""
        return self.items.known(asking)

    @property
    def is_beside(self) -> bool:
        """Whether it stands in a table beside that of the entries."""
        return self.items.is_beside


@dataclass(frozen=True)
class Fixed(Field):
    """A text that is the same for all entries, or that none has."""

    text: str | None
    """The text; None where no entry has a value."""

    def compare(self, asked: Operator, value: Value, asking: Asking) -> Truth:  # noqa: ARG002 - as in the base class
        """Compare the text with a constant."""
        if self.text is None:
            return Truth(false(), false())
        return _told(_COMPARED[asked](self.text, _constant("string", value)))

    def match(self, place: Place, text: str, asking: Asking) -> Truth:  # noqa: ARG002 - as in the base class
        """Look for a text in the text."""
        if self.text is None:
            return Truth(false(), false())
        found = {
            Place.ANYWHERE: text in self.text,
            Place.START: self.text.startswith(text),
            Place.END: self.text.endswith(text),
        }
        return _told(found[place])

    def has(self, holding: Holding, values: tuple[Value, ...], asking: Asking) -> Truth:
        """Nothing is in a list that no entry has."""
        return super().has(holding, values, asking) if self.text is not None else Truth(false(), false())

    def length(self, asked: Operator, value: int, asking: Asking) -> Truth:
        """Nothing is as long as a list that no entry has."""
        return super().length(asked, value, asking) if self.text is not None else Truth(false(), false())

    def known(self, asking: Asking) -> Truth:  # noqa: ARG002 - as in the base class
        """Tell whether there is a text."""
        return _told(self.text is not None)


def _found(
    key: SQLColumnExpression[str], beside: SQLColumnExpression[str], rows: Select[Any], asking: Asking
) -> Clause:
    """Return the clause of entries whose identifier is among some rows.

    Only a bare condition is made a join of; behind IS it is asked row by row, by the key of the table beside.
    """
    if asking.by_row:
        return rows.where(beside == key).exists().is_(true())
    return key.in_(rows)


def best_number(scope: Scope) -> Clause:
    """Return the clause of numbers that count: of the first kind there is, and of those the largest.

    A number that the scope does not see takes no part, so nothing shows that it is there.
    """
    row, better = MaterialNumberRow, aliased(MaterialNumberRow)
    larger = or_(better.value > row.value, and_(better.value == row.value, better.origin < row.origin))
    earlier = or_(_rank(better.kind) < _rank(row.kind), and_(better.kind == row.kind, larger))
    same = and_(better.material_id == row.material_id, better.name == row.name)
    return and_(visible(row, scope), ~select(literal(1)).where(same, visible(better, scope), earlier).exists())


def _rank(kind: SQLColumnExpression[str]) -> ColumnElement[int]:
    return case({name: place for place, name in enumerate(KINDS)}, value=kind)


def _bits(column: SQLColumnExpression[int], mask: int) -> ColumnElement[int]:
    return column.bitwise_and(mask)


def _told(holds: bool) -> Truth:
    return Truth.always_known(true() if holds else false())


def _constant(kind: str, value: Value) -> Any:
    """Return a constant as the database takes it.

    Raises:
        UnsupportedFilterError: it is of another type than the field.
        InputError: it should be an instant and cannot be read as one.
    """
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    fits = {
        "boolean": isinstance(value, bool),
        "integer": is_number,
        "float": is_number,
        "string": isinstance(value, str),
        "timestamp": isinstance(value, str),
    }
    if not fits[kind]:
        raise UnsupportedFilterError(f"{value!r} is compared with a {kind}; types are not converted")
    if kind == "timestamp":
        return _instant(str(value))
    if isinstance(value, int) and abs(value) > _LARGEST_INTEGER:
        return float(max(-_LARGEST_FLOAT, min(_LARGEST_FLOAT, value)))
    return value


def _instant(text: str) -> datetime:
    try:
        # a text of another form becomes one that cannot be read, so that both leave by one door
        return datetime.fromisoformat(text.upper() if _INSTANT.fullmatch(text) else "").astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise InputError(f"{text!r} is no instant as in RFC 3339; write it as 2026-01-31T12:00:00Z") from error
